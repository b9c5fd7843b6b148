#include "subject.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "core/ctx.h"
#include "store/marshal.h"
#include "store/schema.h"

#define READ_MS (10 * LATCH_SECOND_MS)
#define WORDS_MAX 2

/* ── arguments ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* What stands before "--" and what stands behind it, in order. False: there are more than `most`. */
static bool gather(const latch_arguments *args, const char **words, size_t most, size_t *count) {
    size_t n = 0;
    for (size_t i = 0; i < args->count; i++, n++)
        if (n < most) words[n] = args->items[i];
    for (char **at = args->program; at != NULL && *at != NULL; at++, n++)
        if (n < most) words[n] = *at;
    *count = n;
    return n <= most;
}

static latch_status check(latch_subject *s, const latch_arguments *args, const char **words, size_t least, size_t most, const char *usage,
                          size_t *count, latch_err *err) {
    bool fits = gather(args, words, most, count);
    if (!fits || *count < least) return latch_err_set(err, LATCH_E_MISUSE, "%s, found %zu words", usage, *count);
    if (latch_dynamodb_check_table(&s->session.cx, latch_session_table(s->table)) == LATCH_OK) return LATCH_OK;
    return latch_err_set(err, LATCH_E_MISUSE, "%s: %s", s->table == NULL ? "LATCH_TABLE" : "--table", s->session.cx.err.message);
}

bool latch_subject_arguments(latch_subject *s, const latch_option *options, size_t option_count, int argc, char **argv, const char **words,
                             size_t least, size_t most, const char *usage, size_t *count, int *exit_status) {
    latch_arguments args;
    latch_err err;
    latch_session_begin(&s->session);
    latch_status status = latch_options_parse(options, option_count, argc, argv, &args, &err);
    bool wants_help = status == LATCH_OK && args.help;
    if (status == LATCH_OK && !wants_help) status = check(s, &args, words, least, most, usage, count, &err);
    if (wants_help) fputs(s->help, stdout);
    *exit_status = status == LATCH_OK ? LATCH_EXIT_OK : latch_command_complain(s->command, err.message);
    latch_arguments_clean_up(&args);
    bool goes_on = status == LATCH_OK && !wants_help;
    if (!goes_on) latch_session_end(&s->session);
    return goes_on;
}

/* ── whose item ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The other way of latch_key: %23 and %25 are all that it writes. In memory of its own, with a NUL behind it. */
static latch_str unescaped(latch_ctx *cx, latch_str part) {
    char *to = latch_arena_alloc(cx->arena, part.len + 1);
    size_t n = 0;
    if (to == NULL) return (latch_str){NULL, 0};
    for (size_t i = 0; i < part.len; i++) {
        bool escape =
            part.len - i > 2 && part.ptr[i] == '%' && part.ptr[i + 1] == '2' && (part.ptr[i + 2] == '3' || part.ptr[i + 2] == '5');
        to[n++] = !escape ? part.ptr[i] : part.ptr[i + 2] == '3' ? '#' : '%';
        if (escape) i += 2;
    }
    to[n] = '\0';
    return (latch_str){to, n};
}

bool latch_subject_split(latch_ctx *cx, const char *prefix, latch_str pk, latch_str *name, latch_str *key) {
    size_t len = strlen(prefix);
    if (pk.len <= len || memcmp(pk.ptr, prefix, len) != 0 || pk.ptr[len] != '#') return false;
    latch_str rest = {pk.ptr + len + 1, pk.len - len - 1};
    const char *hash = rest.len > 0 ? memchr(rest.ptr, '#', rest.len) : NULL;
    if (hash == NULL) return false;
    size_t name_len = (size_t)(hash - rest.ptr);
    *name = unescaped(cx, (latch_str){rest.ptr, name_len});
    *key = unescaped(cx, (latch_str){hash + 1, rest.len - name_len - 1});
    return name->ptr != NULL && key->ptr != NULL;
}

/* What is named by one word is named as it is stored. */
static latch_status identify(latch_subject *s, const char *const *words, size_t count) {
    latch_ctx *cx = &s->session.cx;
    const latch_table_key *of = &s->words->of;
    latch_str name, stored = latch_str_of(words[0]);
    s->name = words[0];
    s->key = latch_str_of(words[count - 1]);
    if (count == 1 && !latch_subject_split(cx, of->prefix, stored, &name, &s->key))
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "want NAME KEY, or a key as it is stored, %s#NAME#KEY; found %.80s", of->prefix,
                             words[0]);
    if (count == 1) s->name = name.ptr;
    LATCH_TRY(latch_table_pk(cx, of, s->name, s->key, &s->pk));
    if (count == 2 || latch_str_eq(s->pk, stored)) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "%.80s is no key that Latch writes: it would be %.*s", words[0], LATCH_ARG(s->pk));
}

int latch_subject_run(latch_subject *s, const latch_option *options, size_t option_count, int argc, char **argv, latch_subject_fn *run) {
    const char *words[WORDS_MAX];
    size_t count;
    int exit_status;
    if (!latch_subject_arguments(s, options, option_count, argc, argv, words, 1, WORDS_MAX, "want NAME KEY", &count, &exit_status))
        return exit_status;
    latch_status status = identify(s, words, count);
    if (status == LATCH_OK && s->check != NULL) status = s->check(s);
    if (status == LATCH_OK) return latch_subject_end(s, run(s));
    exit_status = latch_command_complain(s->command, s->session.cx.err.message);
    latch_session_end(&s->session);
    return exit_status;
}

int latch_subject_end(latch_subject *s, latch_status status) {
    int exit_status = status == LATCH_OK ? LATCH_EXIT_OK : latch_command_fail(s->command, &s->session.cx.err);
    latch_session_end(&s->session);
    if (exit_status != LATCH_EXIT_OK || fflush(stdout) == 0) return exit_status;
    fprintf(stderr, "latch %s: standard output can't be written\n", s->command);
    return LATCH_EXIT_FAILED;
}

/* ── read and shown ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_status latch_subject_connect(latch_subject *s) { return latch_session_connect(&s->session, &s->connection, s->table); }

latch_str latch_subject_place(latch_subject *s) {
    const latch_settings *at = &s->session.settings;
    latch_str place = latch_ctx_text(&s->session.cx, "%s %s", at->aws ? "in" : "at", at->aws ? at->region : at->url);
    return place.ptr != NULL ? place : LATCH_STR("");
}

/* A read by a key that is checked is invalid only where the table has another one: it is another library's. */
static latch_status explain(latch_subject *s, latch_status status) {
    latch_err *err = &s->session.cx.err;
    if (status != LATCH_E_MISUSE || strcmp(err->type, "ValidationException") != 0) return status;
    return latch_err_set(err, status,
                         "table %.100s isn't the stores' own, its key is another: `latch table describe` says which, and `latch item get` "
                         "shows its items",
                         s->session.stores.table.name);
}

latch_status latch_subject_read(latch_subject *s, latch_json *item, latch_json *plain) {
    latch_ctx *cx = &s->session.cx;
    latch_request request = {.operation = LATCH_GET_ITEM, .pk = s->pk, .sk = latch_str_of(s->words->of.prefix)};
    LATCH_TRY(latch_ctx_deadline(cx, READ_MS, READ_MS, &request.deadline_at_ms));
    LATCH_TRY(explain(s, latch_table_call(cx, &request, item)));
    if (item->node != NULL) return latch_unmarshal_item(cx, *item, plain);
    return latch_err_set(&cx->err, LATCH_MISSING, "there is no %.*s in table %s %.*s: %s", LATCH_ARG(s->pk), s->session.stores.table.name,
                         LATCH_ARG(latch_subject_place(s)), s->words->absent);
}

static void print(latch_subject *s, FILE *out, const char *is, const latch_fact *facts, size_t count) {
    latch_facts_put(out, s->pk);
    fprintf(out, " is %s, in table %s %.*s\n", is, s->session.stores.table.name, LATCH_ARG(latch_subject_place(s)));
    latch_facts_print(&s->session.cx, out, facts, count);
}

latch_status latch_subject_show(latch_subject *s, const char *is, const latch_fact *facts, size_t count) {
    if (s->json) return latch_facts_print_json(&s->session.cx, facts, count);
    print(s, stdout, is, facts, count);
    return LATCH_OK;
}

/* ── asked ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool says_yes(const char *question) {
    char answer[16] = "";
    fprintf(stderr, "%s [yes/no] ", question);
    fflush(stderr);
    return fgets(answer, sizeof answer, stdin) != NULL && (strcmp(answer, "yes\n") == 0 || strcmp(answer, "y\n") == 0);
}

latch_status latch_subject_ask(latch_subject *s, const char *is, const latch_fact *facts, size_t count, const char *question,
                               const char *undone) {
    latch_err *err = &s->session.cx.err;
    if (s->yes) return LATCH_OK;
    print(s, stderr, is, facts, count);
    if (!isatty(STDIN_FILENO)) return latch_err_set(err, LATCH_E_MISUSE, "add --yes where that is meant; %s", undone);
    return says_yes(question) ? LATCH_OK : latch_err_set(err, LATCH_E_MISUSE, "%s", undone);
}
