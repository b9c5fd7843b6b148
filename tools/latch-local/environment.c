#include "environment.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "api.h"
#include "core/err.h"
#include "url.h"

#define ENV_FILE_BYTES ((size_t)1024 * 1024)

/* Lambda's own, which a desk's environment must not give: their presence means something to a runtime. */
static bool is_reserved(const char *name) {
    static const char *const exact[] = {"_HANDLER",      "_X_AMZN_TRACE_ID", "AWS_EXECUTION_ENV",
                                        "AWS_SAM_LOCAL", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"};
    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++)
        if (strcmp(name, exact[i]) == 0) return true;
    if (strncmp(name, "_LAMBDA_", 8) == 0) return true;
    if (strncmp(name, "AWS_LAMBDA_", 11) != 0) return false;
    return strcmp(name, "AWS_LAMBDA_LOG_FORMAT") != 0 && strcmp(name, "AWS_LAMBDA_LOG_LEVEL") != 0;
}

const char *latch_environment_region(const latch_variables *given) {
    static const char *const names[] = {"AWS_REGION", "AWS_DEFAULT_REGION"};
    for (size_t i = 0; i < 2; i++) {
        const char *value = latch_variables_get(given, names[i]);
        if (value == NULL) value = getenv(names[i]);
        if (value != NULL && *value != '\0') return value;
    }
    return "us-east-1";
}

static void set(latch_variables *out, const char *name, const char *value) {
    latch_variables_set(out, latch_str_of(name), latch_str_of(value));
}

static void set_log_names(latch_variables *out, const latch_function *f) {
    unsigned char random[16];
    struct tm day;
    char stream[96];
    time_t now = time(NULL);
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) abort();
    gmtime_r(&now, &day);
    size_t len = strftime(stream, sizeof stream, "%Y/%m/%d/[$LATEST]", &day);
    for (size_t i = 0; i < sizeof random; i++)
        len += (size_t)snprintf(stream + len, sizeof stream - len, "%02x", random[i]);
    char *group = latch_format("/aws/lambda/%s", f->name);
    set(out, "AWS_LAMBDA_LOG_GROUP_NAME", group);
    set(out, "AWS_LAMBDA_LOG_STREAM_NAME", stream);
    free(group);
}

static void set_task_root(latch_variables *out, const char *bootstrap) {
    char *real = realpath(bootstrap, NULL), *slash = real != NULL ? strrchr(real, '/') : NULL;
    if (slash != NULL) slash[slash == real] = '\0';
    set(out, "LAMBDA_TASK_ROOT", slash != NULL ? real : ".");
    free(real);
}

static void set_lambdas(latch_variables *out, const latch_environment *e) {
    char *api = latch_format("127.0.0.1:%u", e->api_port), *memory = latch_format("%lld", (long long)e->function->memory_mb);
    set(out, "_HANDLER", e->function->handler);
    set(out, "AWS_LAMBDA_RUNTIME_API", api);
    set(out, "AWS_LAMBDA_FUNCTION_NAME", e->function->name);
    set(out, "AWS_LAMBDA_FUNCTION_VERSION", "$LATEST");
    set(out, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory);
    set(out, "AWS_REGION", e->region);
    set(out, "AWS_DEFAULT_REGION", e->region);
    set(out, "LAMBDA_RUNTIME_DIR", "/var/runtime");
    set(out, "TZ", ":UTC");
    set_task_root(out, e->bootstrap);
    set_log_names(out, e->function);
    free(api);
    free(memory);
}

/* Keys stay here: the process asks for them after its restore. */
static void set_snapstart(latch_variables *out, const latch_environment *e) {
    static const char *const keys[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"};
    char *uri = latch_format("http://127.0.0.1:%u%s", e->api_port, LATCH_API_CREDENTIALS);
    set(out, "AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start");
    set(out, "AWS_CONTAINER_CREDENTIALS_FULL_URI", uri);
    set(out, "AWS_CONTAINER_AUTHORIZATION_TOKEN", e->credentials_token);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        latch_variables_remove(out, keys[i]);
    free(uri);
}

static void set_concurrency(latch_variables *out, const latch_environment *e) {
    char *n = latch_format("%zu", e->concurrency);
    set(out, "AWS_LAMBDA_INITIALIZATION_TYPE", "lambda-managed-instances");
    set(out, "AWS_LAMBDA_MAX_CONCURRENCY", n);
    set(out, "AWS_LAMBDA_LOG_FORMAT", "JSON");
    free(n);
}

static void set_store(latch_variables *out) {
    if (latch_variables_get(out, "LATCH_STORE") == NULL && latch_variables_get(out, "LATCH_TABLE") == NULL)
        set(out, "LATCH_STORE", "embedded");
}

static void set_own(latch_variables *out, char *const *own) {
    for (; *own != NULL; own++) {
        const char *equals = strchr(*own, '=');
        if (equals == NULL) continue;
        latch_str name = {*own, (size_t)(equals - *own)};
        char *copy = latch_copy(name);
        if (!is_reserved(copy)) latch_variables_set(out, name, latch_str_of(equals + 1));
        free(copy);
    }
}

char **latch_environment_make(const latch_environment *e, char *const *own) {
    latch_variables all = {0};
    const latch_variables *templates = &e->function->variables;
    set_own(&all, own);
    for (size_t i = 0; i < templates->count; i++)
        if (latch_variables_get(&all, templates->items[i].name) == NULL) set(&all, templates->items[i].name, templates->items[i].value);
    for (size_t i = 0; i < e->given->count; i++)
        set(&all, e->given->items[i].name, e->given->items[i].value);
    set_lambdas(&all, e);
    if (e->concurrency > 1) set_concurrency(&all, e);
    if (e->credentials_token != NULL) set_snapstart(&all, e);
    if (e->concurrency > 1 || e->credentials_token != NULL) set_store(&all);
    char **env = latch_alloc((all.count + 1) * sizeof *env);
    for (size_t i = 0; i < all.count; i++)
        env[i] = latch_format("%s=%s", all.items[i].name, all.items[i].value);
    latch_variables_clean_up(&all);
    return env;
}

void latch_environment_free(char **env) {
    for (size_t i = 0; env != NULL && env[i] != NULL; i++)
        free(env[i]);
    free(env);
}

bool latch_environment_add(void *variables, latch_str pair) {
    const char *equals = pair.len > 0 ? memchr(pair.ptr, '=', pair.len) : NULL;
    if (equals == NULL || equals == pair.ptr || memchr(pair.ptr, '\0', pair.len) != NULL) return false;
    latch_str name = {pair.ptr, (size_t)(equals - pair.ptr)};
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == ' ' || name.ptr[i] == '\t') return false;
    latch_variables_set(variables, name, (latch_str){equals + 1, pair.len - name.len - 1});
    return true;
}

static latch_str trim(latch_str s) {
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s.ptr++, s.len--;
    while (s.len > 0 && strchr(" \t\r", s.ptr[s.len - 1]) != NULL)
        s.len--;
    return s;
}

/* NAME="some value" without its quotes. Built in *pair, which is the caller's. */
static void unquote(latch_str line, latch_buffer *pair) {
    const char *equals = memchr(line.ptr, '=', line.len);
    size_t before = equals != NULL ? (size_t)(equals - line.ptr) + 1 : line.len;
    latch_str value = trim((latch_str){line.ptr + before, line.len - before});
    bool quoted = value.len >= 2 && (value.ptr[0] == '"' || value.ptr[0] == '\'') && value.ptr[value.len - 1] == value.ptr[0];
    if (quoted) value = (latch_str){value.ptr + 1, value.len - 2};
    latch_buffer_add(pair, line.ptr, before);
    latch_buffer_add(pair, value.ptr, value.len);
}

latch_status latch_environment_read(const char *path, latch_variables *out, latch_err *err) {
    latch_buffer text = {0};
    size_t number = 0;
    latch_status status = LATCH_OK;
    if (!latch_buffer_read_file(&text, path, ENV_FILE_BYTES))
        status = latch_err_set(err, LATCH_E_INPUT, "--env-file %s can't be read: %s", path, strerror(errno));
    latch_str rest = latch_buffer_str(&text), line;
    while (status == LATCH_OK && latch_url_next(&rest, '\n', &line)) {
        latch_buffer pair = {0};
        number++;
        line = trim(line);
        if (line.len > 7 && memcmp(line.ptr, "export ", 7) == 0) line = trim((latch_str){line.ptr + 7, line.len - 7});
        if (line.len == 0 || line.ptr[0] == '#') continue;
        unquote(line, &pair);
        if (!latch_environment_add(out, latch_buffer_str(&pair)))
            status = latch_err_set(err, LATCH_E_INPUT, "%s:%zu: want NAME=VALUE, found \"%.*s\"", path, number,
                                   line.len < 60 ? (int)line.len : 60, line.ptr);
        latch_buffer_clean_up(&pair);
    }
    latch_buffer_clean_up(&text);
    return status;
}
