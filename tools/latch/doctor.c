#include "doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "core/text.h"

#define BIT(check) (1U << (check))
#define NAME "doctor"

typedef struct check {
    const char *name;
    unsigned needs; /* checks that were found ok */
    latch_check_fn *run;
} check;

#define CONNECTED (BIT(LATCH_CHECK_CONNECTION))
#define ASKABLE (CONNECTED | BIT(LATCH_CHECK_CREDENTIALS))

static const check checks[LATCH_CHECK_COUNT] = {
    [LATCH_CHECK_STORE] = {"store", 0, latch_doctor_store},
    [LATCH_CHECK_SETTINGS] = {"settings", 0, latch_doctor_settings},
    [LATCH_CHECK_REGION] = {"region", BIT(LATCH_CHECK_SETTINGS), latch_doctor_region},
    [LATCH_CHECK_ENDPOINT] = {"endpoint", BIT(LATCH_CHECK_SETTINGS), latch_doctor_endpoint},
    [LATCH_CHECK_CREDENTIALS] = {"credentials", BIT(LATCH_CHECK_SETTINGS), latch_doctor_credentials},
    [LATCH_CHECK_CA] = {"ca", BIT(LATCH_CHECK_ENDPOINT), latch_doctor_ca},
    [LATCH_CHECK_CONNECTION] = {"connection", BIT(LATCH_CHECK_ENDPOINT) | BIT(LATCH_CHECK_CA), latch_doctor_connection},
    [LATCH_CHECK_CLOCK] = {"clock", CONNECTED, latch_doctor_clock},
    [LATCH_CHECK_TABLE] = {"table", ASKABLE, latch_doctor_table},
    [LATCH_CHECK_KEYS] = {"keys", ASKABLE, latch_doctor_keys},
    [LATCH_CHECK_INDEXES] = {"indexes", ASKABLE, latch_doctor_indexes},
    [LATCH_CHECK_TTL] = {"ttl", ASKABLE, latch_doctor_ttl},
    [LATCH_CHECK_RIGHTS] = {"rights", ASKABLE, latch_doctor_rights},
    [LATCH_CHECK_LATENCY] = {"latency", ASKABLE, latch_doctor_latency},
};

/* ── what a check ends with ─────────────────────────────────────────────────────────────────────────────────────────────── */

#define PUT_TEXT(out, fmt)                                                                                                                 \
    do {                                                                                                                                   \
        va_list args_;                                                                                                                     \
        va_start(args_, fmt);                                                                                                              \
        vsnprintf((out), sizeof(out), (fmt), args_);                                                                                       \
        va_end(args_);                                                                                                                     \
    } while (0)

void latch_report_ok(latch_report *r, const char *fmt, ...) {
    r->finding = LATCH_FOUND_OK;
    PUT_TEXT(r->found, fmt);
}

void latch_report_wrong(latch_report *r, const char *fmt, ...) {
    r->finding = LATCH_FOUND_WRONG;
    PUT_TEXT(r->found, fmt);
}

void latch_report_unseen(latch_report *r, const char *fmt, ...) {
    r->finding = LATCH_FOUND_UNSEEN;
    PUT_TEXT(r->found, fmt);
}

void latch_report_advise(latch_report *r, const char *fmt, ...) { PUT_TEXT(r->advice, fmt); }

const char *latch_doctor_table_name(const latch_doctor *d) { return latch_session_table(d->table); }

const char *latch_doctor_flags(const latch_doctor *d, char out[512]) {
    const char *const flags[][2] = {{"--layout", d->layout != latch_layouts ? d->layout->name : NULL},
                                    {"--region", d->connection.region},
                                    {"--profile", d->connection.profile},
                                    {"--endpoint", d->connection.endpoint}};
    size_t len = 0;
    *out = '\0';
    for (size_t i = 0; i < sizeof flags / sizeof *flags && len < 512; i++)
        if (flags[i][1] != NULL) len += (size_t)snprintf(out + len, 512 - len, " %s %s", flags[i][0], flags[i][1]);
    return out;
}

/* ── told ───────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static const char *word_of(latch_finding finding) {
    return finding == LATCH_FOUND_OK ? "ok" : finding == LATCH_FOUND_WRONG ? "wrong" : "not looked at";
}

#define COLUMN 29 /* where what was found begins */

/* What is from elsewhere may have bytes in it that a terminal would obey. */
static void put_shown(const char *text) {
    for (; *text != '\0'; text++) {
        putchar((unsigned char)*text < ' ' || *text == 0x7f ? (*text == '\n' ? '\n' : '?') : *text);
        if (*text == '\n') printf("%*s", COLUMN + 3, "");
    }
}

static void tell_as_text(const char *name, const latch_report *r) {
    printf("%-12s  %-13s  ", name, word_of(r->finding));
    put_shown(r->found);
    if (r->advice[0] != '\0') {
        printf("\n%*s-> ", COLUMN, "");
        put_shown(r->advice);
    }
    putchar('\n');
}

static void put_member(latch_text_writer *t, const char *name, const char *value) {
    latch_text_char(t, t->len == 0 ? '{' : ',');
    latch_text_json_lossy(t, latch_str_of(name));
    latch_text_char(t, ':');
    if (*value == '\0')
        latch_text_put(t, LATCH_STR("null"));
    else
        latch_text_json_lossy(t, latch_str_of(value));
}

/* Of the report's own length, and each byte at most six of JSON: it always fits. */
static void tell_as_json(const char *name, const latch_report *r) {
    char line[6 * sizeof *r + 128];
    latch_text_writer t = {.at = line, .cap = sizeof line};
    put_member(&t, "check", name);
    put_member(&t, "status", word_of(r->finding));
    put_member(&t, "found", r->found);
    put_member(&t, "advice", r->advice);
    latch_text_put(&t, LATCH_STR("}\n"));
    latch_str text = latch_text_end(&t);
    if (text.ptr != NULL) fwrite(text.ptr, 1, text.len, stdout);
}

/* ── one after the other ────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The first that this one needs and that isn't ok; LATCH_CHECK_COUNT: there is none. */
static size_t lacking(const latch_doctor *d, size_t i) {
    for (size_t need = 0; need < i; need++)
        if ((checks[i].needs & BIT(need)) != 0 && d->findings[need] != LATCH_FOUND_OK) return need;
    return LATCH_CHECK_COUNT;
}

static void look(latch_doctor *d, size_t i, latch_report *r) {
    size_t mark = latch_arena_mark(d->session.cx.arena), lacks = lacking(d, i);
    bool keeps = i != LATCH_CHECK_LATENCY && i != LATCH_CHECK_RIGHTS; /* what it learnt: settings, the table */
    if (d->idle && i != LATCH_CHECK_STORE)
        latch_report_unseen(r, "the embedded store needs none of it");
    else if (lacks != LATCH_CHECK_COUNT)
        latch_report_unseen(r, "needs %s first", checks[lacks].name);
    else
        checks[i].run(d, r);
    if (!keeps) latch_arena_rewind(d->session.cx.arena, mark);
}

static int examine(latch_doctor *d) {
    int counts[3] = {0};
    for (size_t i = 0; i < LATCH_CHECK_COUNT; i++) {
        latch_report r = {0};
        look(d, i, &r);
        d->findings[i] = r.finding;
        counts[r.finding]++;
        if (d->json)
            tell_as_json(checks[i].name, &r);
        else if (i == LATCH_CHECK_STORE || !d->idle) /* a person need not read thirteen times that there is nothing to look at */
            tell_as_text(checks[i].name, &r);
        fflush(stdout); /* the next one may take its time */
    }
    if (!d->json)
        printf("\n%d ok, %d wrong, %d not looked at\n", counts[LATCH_FOUND_OK], counts[LATCH_FOUND_WRONG], counts[LATCH_FOUND_UNSEEN]);
    return counts[LATCH_FOUND_WRONG] == 0 ? LATCH_EXIT_OK : LATCH_EXIT_FAILED;
}

/* ── arguments ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status choose_layout(latch_doctor *d, latch_err *err) {
    char names[200] = "";
    d->layout = latch_layout_find(d->layout_name);
    for (size_t i = 0, len = 0; i < LATCH_LAYOUT_COUNT && len < sizeof names; i++)
        len += (size_t)snprintf(names + len, sizeof names - len, "%s%s", i > 0 ? ", " : "", latch_layouts[i].name);
    if (d->layout == NULL) return latch_err_set(err, LATCH_E_MISUSE, "--layout %.40s: want one of %s", d->layout_name, names);
    d->schema = *d->layout->schema;
    if (d->no_indexes) d->schema.index_count = 0;
    if (d->table == NULL && d->layout != latch_layouts) d->table = d->layout->table;
    if (d->table != NULL || d->layout == latch_layouts) return LATCH_OK;
    return latch_err_set(err, LATCH_E_MISUSE, "which table? One of the layout %s is called as its owner says", d->layout->name);
}

static latch_status take(latch_doctor *d, const latch_arguments *args, latch_err *err) {
    if (args->program != NULL) return latch_err_set(err, LATCH_E_MISUSE, "takes nothing after --");
    if (args->count > 1) return latch_err_set(err, LATCH_E_MISUSE, "takes one table, found %s and %s", args->items[0], args->items[1]);
    d->table = args->count == 1 ? args->items[0] : NULL;
    LATCH_TRY(choose_layout(d, err));
    if (latch_dynamodb_check_table(&d->session.cx, latch_doctor_table_name(d)) == LATCH_OK) return LATCH_OK;
    return latch_err_set(err, LATCH_E_MISUSE, "%s%s", d->table == NULL ? "LATCH_TABLE: " : "", d->session.cx.err.message);
}

/* True: go on. False: *exit_status is what to end with. */
static bool begin(latch_doctor *d, int argc, char **argv, int *exit_status) {
    latch_arguments args;
    latch_err err = {0};
    const latch_option options[] = {
        LATCH_CONNECTION_OPTIONS(&d->connection),
        {"--layout", LATCH_OPTION_TEXT, &d->layout_name, 0, 0},
        {"--no-indexes", LATCH_OPTION_FLAG, &d->no_indexes, 0, 0},
        {"--json", LATCH_OPTION_FLAG, &d->json, 0, 0},
    };
    latch_status status = latch_options_parse(options, sizeof options / sizeof *options, argc, argv, &args, &err);
    bool wants_help = status == LATCH_OK && args.help;
    if (status == LATCH_OK && !wants_help) status = take(d, &args, &err);
    if (wants_help) fputs(latch_help_doctor, stdout);
    *exit_status = status == LATCH_OK ? LATCH_EXIT_OK : latch_command_complain(NAME, err.message);
    latch_arguments_clean_up(&args);
    return status == LATCH_OK && !wants_help;
}

int latch_command_doctor(int argc, char **argv) {
    latch_doctor d = {.layout_name = "latch"};
    int exit_status;
    latch_session_begin(&d.session);
    if (begin(&d, argc, argv, &exit_status)) exit_status = examine(&d);
    latch_session_end(&d.session);
    if (fflush(stdout) == 0) return exit_status;
    fprintf(stderr, "latch " NAME ": standard output can't be written\n");
    return LATCH_EXIT_FAILED;
}
