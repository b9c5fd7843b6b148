#include "fleet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/err.h"
#include "environment.h"
#include "url.h"

#define WIND_DOWN_MS 20 /* how often old processes are looked at */

static void wind_down(void *arg);

/* ── the bootstrap ── */

static bool is_file(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static char *find_in_path(const char *name) {
    latch_str rest = latch_str_of(getenv("PATH")), folder;
    while (latch_url_next(&rest, ':', &folder)) {
        char *path = latch_format("%.*s/%s", (int)folder.len, folder.ptr, name);
        if (folder.len > 0 && is_file(path) && access(path, X_OK) == 0) return path;
        free(path);
    }
    return NULL;
}

/* The bootstrap's path: as given, or found in PATH. The caller's to free; NULL: *err says what to do. */
static char *find_program(const char *name, latch_err *err) {
    struct stat st;
    char *found = strchr(name, '/') == NULL ? find_in_path(name) : NULL;
    if (found != NULL) return found;
    if (strchr(name, '/') == NULL) {
        latch_err_set(err, LATCH_E_MISUSE,
                      is_file(name) ? "%s is not in PATH, but here: say ./%s" : "%s is not in PATH: give its path, as in -- ./%s", name,
                      name);
        return NULL;
    }
    if (stat(name, &st) != 0)
        latch_err_set(err, LATCH_E_MISUSE, "%s: %s; build it first (./dev build), or give its path after --", name, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        latch_err_set(err, LATCH_E_MISUSE, "%s is no file: the bootstrap is wanted after --", name);
    else if (access(name, X_OK) != 0)
        latch_err_set(err, LATCH_E_MISUSE, "%s is not executable: chmod +x %s", name, name);
    else
        return latch_copy(latch_str_of(name));
    return NULL;
}

static latch_status copy_program(latch_fleet *fleet, char **program, latch_err *err) {
    size_t count = 0;
    if (program == NULL || program[0] == NULL)
        return latch_err_set(err, LATCH_E_MISUSE, "no bootstrap: name it after --, as in: latch-local … -- ./build/release/bootstrap");
    while (program[count] != NULL)
        count++;
    fleet->argv = latch_alloc((count + 1) * sizeof *fleet->argv);
    fleet->argv[0] = find_program(program[0], err);
    if (fleet->argv[0] == NULL) return LATCH_E_MISUSE;
    for (size_t i = 1; i < count; i++)
        fleet->argv[i] = latch_copy(latch_str_of(program[i]));
    return LATCH_OK;
}

/* ── the functions ── */

static const char *default_template(void) {
    static const char *const names[] = {"template.yaml", "template.yml"};
    for (size_t i = 0; i < 2; i++)
        if (is_file(names[i])) return names[i];
    return NULL;
}

static latch_status load_functions(latch_fleet *fleet, latch_err *err) {
    const char *path = fleet->options.template_path != NULL ? fleet->options.template_path : default_template();
    if (path != NULL) return latch_template_load(&fleet->functions, path, fleet->region, err);
    if (fleet->options.function == NULL)
        return latch_err_set(err, LATCH_E_MISUSE,
                             "no template.yaml here: give one with --template FILE, or name the one function with --function NAME");
    latch_template_add_function(&fleet->functions, fleet->options.function);
    return LATCH_OK;
}

static latch_status gather_variables(latch_fleet *fleet, latch_err *err) {
    const latch_variables *own = &fleet->options.variables;
    if (fleet->options.env_file != NULL) LATCH_TRY(latch_environment_read(fleet->options.env_file, &fleet->given, err));
    for (size_t i = 0; i < own->count; i++)
        latch_variables_set(&fleet->given, latch_str_of(own->items[i].name), latch_str_of(own->items[i].value));
    return LATCH_OK;
}

/* They become headers. */
static latch_status check_caller(const latch_api_caller *caller, latch_err *err) {
    const struct {
        const char *name, *value;
    } rows[] = {
        {"--tenant", caller->tenant_id}, {"--client-context", caller->client_context}, {"--cognito-identity", caller->cognito_identity}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (const char *at = rows[i].value; at != NULL && *at != '\0'; at++)
            if ((unsigned char)*at < 0x20 || *at == 0x7f)
                return latch_err_set(err, LATCH_E_MISUSE, "%s: it is sent in a header, which has no line ends or other control characters",
                                     rows[i].name);
    return LATCH_OK;
}

static latch_status check_modes(const latch_fleet_options *o, latch_err *err) {
    if (o->snapstart && o->concurrency > 1)
        return latch_err_set(err, LATCH_E_MISUSE, "--snapstart and --concurrency: Lambda has no SnapStart where several run at once");
    return check_caller(&o->caller, err);
}

/* Said, so that a run can be had again. */
static void seed_faults(latch_fleet *fleet) {
    latch_fault_plan *plan = &fleet->options.faults;
    plan->seed = (uint64_t)fleet->options.seed;
    if (plan->count == 0) return;
    if (plan->seed == 0 && getrandom(&plan->seed, 4, 0) != 4) plan->seed = 1;
    fprintf(stderr, "latch-local: faults with --seed %llu\n", (unsigned long long)plan->seed);
}

static void on_stop_signal(void *arg, int signal) {
    latch_fleet *fleet = arg;
    fleet->stop_signal = signal;
    fleet->stopped = true;
}

latch_status latch_fleet_start(latch_fleet *fleet, const latch_fleet_options *options, char **program, latch_err *err) {
    *fleet = (latch_fleet){.options = *options};
    LATCH_TRY(copy_program(fleet, program, err));
    LATCH_TRY(check_modes(options, err));
    seed_faults(fleet);
    LATCH_TRY(gather_variables(fleet, err));
    fleet->wind_down = (latch_timer){.fn = wind_down, .arg = fleet};
    fleet->region = latch_environment_region(&fleet->given);
    LATCH_TRY(load_functions(fleet, err));
    fleet->sandboxes = latch_alloc(fleet->functions.function_count * sizeof(latch_sandbox *));
    if (!latch_loop_init(&fleet->loop)) return latch_err_set(err, LATCH_E_MISUSE, "no epoll: %s", strerror(errno));
    fleet->started = true;
    return latch_processes_init(&fleet->processes, &fleet->loop, on_stop_signal, fleet, err);
}

latch_status latch_fleet_sandbox(latch_fleet *fleet, size_t function, latch_sandbox **out, latch_err *err) {
    *out = fleet->sandboxes[function];
    if (*out != NULL) return LATCH_OK;
    latch_sandbox_config config = {.loop = &fleet->loop,
                                   .processes = &fleet->processes,
                                   .function = &fleet->functions.functions[function],
                                   .given = &fleet->given,
                                   .region = fleet->region,
                                   .argv = fleet->argv,
                                   .concurrency = (size_t)fleet->options.concurrency,
                                   .snapstart = fleet->options.snapstart,
                                   .throttle = fleet->options.throttle,
                                   .caller = fleet->options.caller,
                                   .faults = fleet->options.faults.count > 0 ? &fleet->options.faults : NULL,
                                   .timeout_ms = fleet->options.timeout_ms,
                                   .init_timeout_ms = fleet->options.init_timeout_ms,
                                   .debug = fleet->options.debug,
                                   .on_late_log = fleet->options.on_late_log,
                                   .arg = fleet->options.arg,
                                   .log_short_ids = isatty(STDERR_FILENO) == 1};
    latch_status status = latch_sandbox_start(&config, &fleet->sandboxes[function], err);
    *out = fleet->sandboxes[function];
    return status;
}

static void wind_down(void *arg) {
    latch_fleet *fleet = arg;
    size_t kept = 0;
    for (size_t i = 0; i < fleet->old_count; i++) {
        if (latch_sandbox_wind_down(fleet->old[i]))
            latch_sandbox_free(fleet->old[i]);
        else
            fleet->old[kept++] = fleet->old[i];
    }
    fleet->old_count = kept;
    if (kept > 0) latch_loop_arm(&fleet->loop, &fleet->wind_down, WIND_DOWN_MS);
}

latch_status latch_fleet_renew(latch_fleet *fleet, latch_err *err) {
    size_t count = fleet->functions.function_count;
    fleet->old = latch_realloc(fleet->old, (fleet->old_count + count) * sizeof(latch_sandbox *));
    for (size_t i = 0; i < count; i++) {
        latch_sandbox *old = fleet->sandboxes[i], *fresh;
        if (old == NULL) continue;
        fleet->sandboxes[i] = NULL;
        latch_status status = latch_fleet_sandbox(fleet, i, &fresh, err);
        if (status != LATCH_OK) {
            fleet->sandboxes[i] = old;
            return status;
        }
        latch_sandbox_hand_over(old, fresh);
        fleet->old[fleet->old_count++] = old;
    }
    wind_down(fleet);
    return LATCH_OK;
}

latch_status latch_fleet_take_snapshots(latch_fleet *fleet, latch_err *err) {
    latch_sandbox *sandbox;
    for (size_t i = 0; fleet->options.snapstart && i < fleet->functions.function_count; i++)
        LATCH_TRY(latch_fleet_sandbox(fleet, i, &sandbox, err));
    return LATCH_OK;
}

size_t latch_fleet_complaints(const latch_fleet *fleet) {
    size_t sum = 0;
    for (size_t i = 0; fleet->sandboxes != NULL && i < fleet->functions.function_count; i++)
        if (fleet->sandboxes[i] != NULL) sum += latch_sandbox_complaints(fleet->sandboxes[i]);
    return sum;
}

void latch_fleet_stop(latch_fleet *fleet) {
    if (!fleet->started) return;
    latch_loop_disarm(&fleet->loop, &fleet->wind_down);
    latch_sandboxes_stop(&fleet->loop, fleet->old, fleet->old_count);
    latch_sandboxes_stop(&fleet->loop, fleet->sandboxes, fleet->functions.function_count);
}

void latch_fleet_clean_up(latch_fleet *fleet) {
    latch_fleet_stop(fleet);
    for (size_t i = 0; fleet->sandboxes != NULL && i < fleet->functions.function_count; i++)
        latch_sandbox_free(fleet->sandboxes[i]);
    for (size_t i = 0; i < fleet->old_count; i++)
        latch_sandbox_free(fleet->old[i]);
    if (fleet->started) {
        latch_processes_clean_up(&fleet->processes);
        latch_loop_clean_up(&fleet->loop);
    }
    for (size_t i = 0; fleet->argv != NULL && fleet->argv[i] != NULL; i++)
        free(fleet->argv[i]);
    free(fleet->argv);
    free(fleet->sandboxes);
    free(fleet->old);
    latch_variables_clean_up(&fleet->given);
    latch_template_clean_up(&fleet->functions);
    *fleet = (latch_fleet){0};
}
