#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "core/ctx.h"
#include "format.h"
#include "indexes.h"
#include "session.h"
#include "store/layouts.h"
#include "store/tables.h"

#define WAIT_MS (300 * LATCH_SECOND_MS)
#define MOST_WAIT_MS LATCH_DAY_MS
#define REPORT_EVERY_MS (5 * LATCH_SECOND_MS)

typedef struct table_options {
    latch_connection connection;
    const char *layout, *pk, *sk, *ttl; /* the names: NULL where they are the layout's */
    const char *format;
    int64_t wait_ms;
    bool json, no_indexes, add_indexes, yes;
} table_options;

#define LAYOUT_OPTIONS(o)                                                                                                                  \
    {"--layout", LATCH_OPTION_TEXT, &(o)->layout, 0, 0}, {"--pk", LATCH_OPTION_TEXT, &(o)->pk, 0, 0},                                      \
        {"--sk", LATCH_OPTION_TEXT, &(o)->sk, 0, 0}, {"--ttl", LATCH_OPTION_TEXT, &(o)->ttl, 0, 0}, {                                      \
        "--no-indexes", LATCH_OPTION_FLAG, &(o)->no_indexes, 0, 0                                                                          \
    }

typedef struct command { /* what is running */
    const char *name;    /* "table create" */
    const char *table;   /* NULL: not given */
    table_options options;
    const latch_layout *layout;
    latch_dynamodb_schema schema; /* the layout's, with the names that were given */
    latch_session session;
    int64_t next_report_ms;
} command;

/* ── arguments ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The stores write the keys of the indexes, as text: a key of the table is neither, and time to live is a number. */
static bool is_of_an_index(const latch_dynamodb_schema *schema, const char *name) {
    for (size_t i = 0; i < schema->index_count; i++)
        if (strcmp(name, schema->indexes[i].pk.name) == 0 || strcmp(name, schema->indexes[i].sk.name) == 0) return true;
    return false;
}

static latch_status check_names(const command *c, latch_err *err) {
    const char *const names[] = {c->schema.pk.name, c->schema.sk.name, c->schema.ttl};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        latch_str s = latch_str_of(names[i]);
        if (names[i] == NULL) continue;
        if (s.len > 255 || !latch_str_is_utf8(s) || latch_str_has_control(s))
            return latch_err_set(err, LATCH_E_MISUSE, "\"%.60s\" is no attribute's name: want 1 to 255 bytes of UTF-8", names[i]);
        if (is_of_an_index(&c->schema, names[i]))
            return latch_err_set(err, LATCH_E_MISUSE, "%.60s is an attribute of the indexes: name another, or give --no-indexes", names[i]);
        for (size_t k = 0; k < i; k++)
            if (names[k] != NULL && strcmp(names[i], names[k]) == 0)
                return latch_err_set(err, LATCH_E_MISUSE, "--pk, --sk and --ttl are three attributes, and %.60s is two of them", names[i]);
    }
    return LATCH_OK;
}

static latch_status choose_layout(command *c, latch_err *err) {
    char names[200] = "";
    const table_options *o = &c->options;
    c->layout = latch_layout_find(o->layout);
    for (size_t i = 0, len = 0; i < LATCH_LAYOUT_COUNT && len < sizeof names; i++)
        len += (size_t)snprintf(names + len, sizeof names - len, "%s%s", i > 0 ? ", " : "", latch_layouts[i].name);
    if (c->layout == NULL) return latch_err_set(err, LATCH_E_MISUSE, "--layout %.40s: want one of %s", o->layout, names);
    c->schema = *c->layout->schema;
    if (o->pk != NULL) c->schema.pk.name = o->pk;
    if (o->sk != NULL) c->schema.sk.name = o->sk;
    if (o->ttl != NULL) c->schema.ttl = o->ttl;
    if (o->no_indexes) c->schema.index_count = 0;
    return LATCH_OK;
}

/* LATCH_TABLE is the stores' own: a table of another's is called as its owner calls it, or as is said here. */
static latch_status choose_table(command *c, latch_err *err) {
    if (c->table == NULL && c->layout != latch_layouts) c->table = c->layout->table;
    if (c->table != NULL || c->layout == latch_layouts) return LATCH_OK;
    return latch_err_set(err, LATCH_E_MISUSE, "which table? One of the layout %s is called as its owner says", c->layout->name);
}

static latch_status check(command *c, const latch_arguments *args, latch_err *err) {
    if (args->program != NULL) return latch_err_set(err, LATCH_E_MISUSE, "takes nothing after --");
    if (args->count > 1) return latch_err_set(err, LATCH_E_MISUSE, "takes one name, found %s and %s", args->items[0], args->items[1]);
    c->table = args->count == 1 ? args->items[0] : NULL;
    LATCH_TRY(choose_layout(c, err));
    LATCH_TRY(choose_table(c, err));
    LATCH_TRY(check_names(c, err));
    if (latch_dynamodb_check_table(&c->session.cx, latch_session_table(c->table)) == LATCH_OK) return LATCH_OK;
    return latch_err_set(err, LATCH_E_MISUSE, "%s%s", c->table == NULL ? "LATCH_TABLE: " : "", c->session.cx.err.message);
}

/* True: go on. False: *exit_status is what to end with; help was printed, or a complaint. Begins the session either way. */
static bool begin(command *c, const latch_option *options, size_t count, int argc, char **argv, const char *help, int *exit_status) {
    latch_arguments args;
    latch_err err;
    latch_session_begin(&c->session);
    latch_status status = latch_options_parse(options, count, argc, argv, &args, &err);
    bool wants_help = status == LATCH_OK && args.help;
    if (status == LATCH_OK && !wants_help) status = check(c, &args, &err);
    if (wants_help) fputs(help, stdout);
    *exit_status = status == LATCH_OK ? LATCH_EXIT_OK : latch_command_complain(c->name, err.message);
    latch_arguments_clean_up(&args);
    return status == LATCH_OK && !wants_help;
}

static command new_command(const char *name) {
    return (command){.name = name, .options = {.layout = "latch", .format = "cloudformation", .wait_ms = WAIT_MS}};
}

static latch_status connect_to(command *c) { return latch_session_connect(&c->session, &c->options.connection, c->table); }

static const char *table_name(const command *c) { return c->session.stores.table.name; }

/* "in eu-west-1", "at http://127.0.0.1:8000": %s %s of these. */
static const char *in(const command *c) { return c->session.settings.aws ? "in" : "at"; }
static const char *place(const command *c) { return c->session.settings.aws ? c->session.settings.region : c->session.settings.url; }

/* " --layout toolkit", where that must be said: %s%s of these. */
static const char *layout_flag(const command *c) { return c->layout == latch_layouts ? "" : " --layout "; }
static const char *layout_word(const command *c) { return c->layout == latch_layouts ? "" : c->layout->name; }

/* Of an index that isn't there, the command that adds it instead of what a library can say. */
static void add_remedy(command *c) {
    latch_err *err = &c->session.cx.err;
    const char *lacks = strstr(err->message, " has no index "), *colon = lacks != NULL ? strchr(lacks, ':') : NULL;
    if (colon == NULL) return;
    (void)latch_err_set(err, err->status, "%.*s: `latch table create %s%s%s --add-indexes` adds it", (int)(colon - err->message),
                        err->message, table_name(c), layout_flag(c), layout_word(c));
}

/* What failed is said; standard output that is full, or that nobody reads, is a failure too. */
static int end(command *c, latch_status status) {
    if (status != LATCH_OK) add_remedy(c);
    int exit_status = status == LATCH_OK ? LATCH_EXIT_OK : latch_command_fail(c->name, &c->session.cx.err);
    latch_session_end(&c->session);
    if (exit_status != LATCH_EXIT_OK || fflush(stdout) == 0) return exit_status;
    fprintf(stderr, "latch %s: standard output can't be written\n", c->name);
    return LATCH_EXIT_FAILED;
}

/* ── waiting ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* After the first seconds, and not for each look: a local table is there at once. */
static void report(void *arg, const char *table, const char *status, int64_t waited_ms) {
    command *c = arg;
    if (waited_ms < c->next_report_ms) return;
    c->next_report_ms = waited_ms + REPORT_EVERY_MS;
    if (waited_ms > 0)
        fprintf(stderr, "%s is %s, %lld s\n", table, *status != '\0' ? status : "not there yet", (long long)waited_ms / 1000);
}

static latch_dynamodb_wait patience(command *c) {
    c->next_report_ms = LATCH_SECOND_MS;
    return (latch_dynamodb_wait){.timeout_ms = c->options.wait_ms, .progress = report, .arg = c};
}

/* ── create ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status create(command *c) {
    latch_dynamodb_ensured ensured;
    latch_ctx *cx = &c->session.cx;
    const latch_dynamodb_wait wait = patience(c);
    LATCH_TRY(connect_to(c));
    latch_instant from = latch_clock_instant(&cx->clock);
    if (c->options.add_indexes) LATCH_TRY(latch_indexes_add(cx, table_name(c), &c->schema, &wait));
    LATCH_TRY(latch_dynamodb_table_ensure(cx, NULL, &c->schema, &wait, &ensured));
    double s = (double)latch_clock_since_ms(&cx->clock, from) / 1000;
    const char *ttl = c->schema.ttl == NULL ? "without time to live" : ensured.ttl_turned ? "time to live turned on" : "time to live is on";
    if (ensured.created)
        printf("created %s %s %s, in %.1f s; %s\n", table_name(c), in(c), place(c), s, ttl);
    else
        printf("%s is there already %s %s, and fits; %s\n", table_name(c), in(c), place(c), ttl);
    return LATCH_OK;
}

int latch_command_table_create(int argc, char **argv) {
    command c = new_command("table create");
    int exit_status;
    const latch_option options[] = {
        LATCH_CONNECTION_OPTIONS(&c.options.connection),
        LAYOUT_OPTIONS(&c.options),
        {"--add-indexes", LATCH_OPTION_FLAG, &c.options.add_indexes, 0, 0},
        {"--wait", LATCH_OPTION_SECONDS, &c.options.wait_ms, 1, MOST_WAIT_MS},
    };
    if (!begin(&c, options, sizeof options / sizeof *options, argc, argv, latch_help_table_create, &exit_status)) {
        latch_session_end(&c.session);
        return exit_status;
    }
    return end(&c, create(&c));
}

/* ── describe ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_json key_of(latch_ctx *cx, const latch_dynamodb_key_info *key) {
    if (key->name.len == 0) return LATCH_NULL;
    latch_str type = {&key->type, 1};
    return latch_object(cx, "name", key->name, "type", type);
}

static latch_json indexes_of(latch_ctx *cx, const latch_dynamodb_table_info *info) {
    latch_json list = latch_array(cx);
    for (size_t i = 0; i < info->index_count; i++) {
        const latch_dynamodb_index_info *index = &info->indexes[i];
        list = latch_append(list, latch_object(cx, "name", index->name, "status", index->status, "local", index->local, "pk",
                                               key_of(cx, &index->pk), "sk", key_of(cx, &index->sk), "projection", index->projection,
                                               "items", index->items, "bytes", index->bytes));
    }
    return list;
}

/* `differs`: what doesn't fit; empty: it fits. */
static latch_status describe_as_json(latch_ctx *cx, const latch_dynamodb_table_info *info, latch_str differs) {
    latch_str text;
    latch_json capacity = latch_object(cx, "on_demand", info->on_demand, "read_units", info->read_units, "write_units", info->write_units);
    latch_json ttl = latch_object(cx, "attribute", info->ttl, "status", info->ttl_status);
    latch_json doc = latch_object(cx, "name", info->name, "status", info->status, "arn", info->arn, "pk", key_of(cx, &info->pk), "sk",
                                  key_of(cx, &info->sk), "ttl", ttl, "indexes", indexes_of(cx, info), "capacity", capacity, "items",
                                  info->items, "bytes", info->bytes, "created_at_ms", info->created_at_ms, "deletion_protected",
                                  info->deletion_protected, "fits", latch_bool(differs.len == 0), "differs", differs);
    LATCH_TRY(latch_json_text(cx, doc, &text));
    printf("%.*s\n", LATCH_ARG(text));
    return LATCH_OK;
}

static void print_key(const latch_dynamodb_key_info *key, const char *before) {
    if (key->name.len > 0) printf("%s%.*s (%c)", before, LATCH_ARG(key->name), key->type);
}

static void print_size(int64_t items, int64_t bytes) {
    static const char *const units[] = {"bytes", "KB", "MB", "GB", "TB"};
    double size = (double)bytes;
    size_t unit = 0;
    for (; size >= 1000 && unit + 1 < sizeof units / sizeof *units; unit++)
        size /= 1000;
    printf("%lld items, %.*f %s", (long long)items, unit > 0 ? 1 : 0, size, units[unit]);
}

static void print_index(const latch_dynamodb_index_info *index) {
    printf("  %-14.*s ", LATCH_ARG(index->name));
    print_key(&index->pk, "");
    print_key(&index->sk, ", ");
    printf(", %s%.*s, %.*s%s", index->local ? "local, " : "", LATCH_ARG(index->projection), LATCH_ARG(index->status),
           index->status.len > 0 ? ", " : "");
    print_size(index->items, index->bytes);
    puts("");
}

static void describe_as_text(const command *c, const latch_dynamodb_table_info *info, latch_str differs) {
    char at[LATCH_TIMESTAMP_BYTES];
    latch_clock_format(info->created_at_ms, at);
    printf("%.*s is %.*s, %s %s\n  keys           ", LATCH_ARG(info->name), LATCH_ARG(info->status), in(c), place(c));
    print_key(&info->pk, "");
    print_key(&info->sk, ", ");
    printf("\n  time to live   ");
    if (info->ttl.len > 0 || c->schema.ttl == NULL)
        printf("%.*s\n", LATCH_ARG(info->ttl.len > 0 ? info->ttl : LATCH_STR("off")));
    else
        printf("off: what has expired stays; `latch table create %s%s%s` turns it on\n", table_name(c), layout_flag(c), layout_word(c));
    if (info->on_demand)
        puts("  capacity       on demand");
    else
        printf("  capacity       %lld reads, %lld writes a second\n", (long long)info->read_units, (long long)info->write_units);
    printf("  holds          ");
    print_size(info->items, info->bytes);
    puts(" (as DynamoDB counted last, up to six hours ago)");
    for (size_t i = 0; i < info->index_count; i++)
        print_index(&info->indexes[i]);
    if (info->created_at_ms > 0) printf("  created        %s\n", at);
    if (info->deletion_protected) puts("  protected      against deletion");
    printf("  arn            %.*s\n", LATCH_ARG(info->arn));
    if (differs.len > 0)
        printf("  does not fit   %.*s\n", LATCH_ARG(differs));
    else if (c->layout == latch_layouts)
        puts("  fits           the stores can use it");
    else
        printf("  fits           the layout %s\n", c->layout->name);
}

static latch_status describe(command *c) {
    latch_dynamodb_table_info info;
    latch_ctx *cx = &c->session.cx;
    bool misfits;
    LATCH_TRY(connect_to(c));
    LATCH_TRY(latch_dynamodb_table_describe(cx, NULL, &info));
    LATCH_TRY_BUT(LATCH_E_MISUSE, misfits, latch_dynamodb_table_fits(cx, &info, &c->schema));
    if (misfits) add_remedy(c);
    latch_str differs = misfits ? latch_copy(cx, latch_str_of(cx->err.message)) : LATCH_STR("");
    if (c->options.json) return describe_as_json(cx, &info, differs);
    describe_as_text(c, &info, differs);
    return LATCH_OK;
}

int latch_command_table_describe(int argc, char **argv) {
    command c = new_command("table describe");
    int exit_status;
    const latch_option options[] = {
        LATCH_CONNECTION_OPTIONS(&c.options.connection),
        LAYOUT_OPTIONS(&c.options),
        {"--json", LATCH_OPTION_FLAG, &c.options.json, 0, 0},
    };
    if (!begin(&c, options, sizeof options / sizeof *options, argc, argv, latch_help_table_describe, &exit_status)) {
        latch_session_end(&c.session);
        return exit_status;
    }
    return end(&c, describe(&c));
}

/* ── delete ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status ask_for_yes(command *c) {
    latch_dynamodb_table_info info;
    LATCH_TRY(latch_dynamodb_table_describe(&c->session.cx, NULL, &info));
    return latch_err_set(
        &c->session.cx.err, LATCH_E_MISUSE,
        "%s %s %s has %lld items or more (%lld bytes), which go with it: add --yes where that is meant; nothing was deleted", table_name(c),
        in(c), place(c), (long long)info.items, (long long)info.bytes);
}

static latch_status remove_table(command *c) {
    const latch_dynamodb_wait wait = patience(c);
    LATCH_TRY(connect_to(c));
    if (!c->options.yes) return ask_for_yes(c);
    LATCH_TRY(latch_dynamodb_table_delete(&c->session.cx, NULL));
    LATCH_TRY(latch_dynamodb_table_wait_gone(&c->session.cx, NULL, &wait));
    printf("deleted %s %s %s\n", table_name(c), in(c), place(c));
    return LATCH_OK;
}

int latch_command_table_delete(int argc, char **argv) {
    command c = new_command("table delete");
    int exit_status;
    const latch_option options[] = {
        LATCH_CONNECTION_OPTIONS(&c.options.connection),
        {"--yes", LATCH_OPTION_FLAG, &c.options.yes, 0, 0},
        {"--wait", LATCH_OPTION_SECONDS, &c.options.wait_ms, 1, MOST_WAIT_MS},
    };
    bool goes_on = begin(&c, options, sizeof options / sizeof *options, argc, argv, latch_help_table_delete, &exit_status);
    if (goes_on && c.table == NULL) exit_status = latch_command_complain(c.name, "which table? What is deleted is named, not found");
    if (!goes_on || c.table == NULL) {
        latch_session_end(&c.session);
        return exit_status;
    }
    return end(&c, remove_table(&c));
}

/* ── schema ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status print_schema(command *c, latch_format_fn *write) {
    latch_text_writer t = latch_text_begin(c->session.cx.arena);
    write(&t, &c->session.cx, latch_session_table(c->table), &c->schema);
    latch_str text = latch_text_end(&t);
    if (text.ptr == NULL) return latch_err_set(&c->session.cx.err, t.failed, "%s", t.why);
    fwrite(text.ptr, 1, text.len, stdout);
    return LATCH_OK;
}

int latch_command_table_schema(int argc, char **argv) {
    command c = new_command("table schema");
    int exit_status;
    const char *names;
    char message[160];
    const latch_option options[] = {
        LAYOUT_OPTIONS(&c.options),
        {"--format", LATCH_OPTION_TEXT, &c.options.format, 0, 0},
    };
    bool goes_on = begin(&c, options, sizeof options / sizeof *options, argc, argv, latch_help_table_schema, &exit_status);
    latch_format_fn *write = latch_format_find(c.options.format, &names);
    if (goes_on && write == NULL) {
        snprintf(message, sizeof message, "--format %.40s: want %s", c.options.format, names);
        exit_status = latch_command_complain(c.name, message);
    }
    if (!goes_on || write == NULL) {
        latch_session_end(&c.session);
        return exit_status;
    }
    return end(&c, print_schema(&c, write));
}
