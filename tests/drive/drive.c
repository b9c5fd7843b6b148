/*
 * drive [--ahead MS] - makes store calls for a harness: a line of JSON in, a line of JSON out, until its input ends. It opens its table as a
 * function's process does, by the environment (store/open.h). tests/interop/README.md says what the lines are.
 *
 * --ahead MS  its clock goes ahead of the machine's by so much
 */
#include "tests/drive/drive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/ctx_private.h"
#include "core/err.h"
#include "core/log.h"
#include "core/scope.h"
#include "core/usage.h"
#include "store/open.h"

#define ARENA_BYTES ((size_t)8 << 20)
#define SESSIONS 64

typedef struct drive_session {
    latch_ctx cx;
    latch_scope scope;
    latch_arena arena;
    char *memory;
    char *name; /* NULL: nobody has it */
    latch_hold holds[DRIVE_HOLDS];
    char *hold_names[DRIVE_HOLDS];
} drive_session;

/* Policies are constants of a program: the same text is the same struct, for as long as the process lives. */
typedef struct policy {
    struct policy *next;
    const drive_store *store;
    char *text;
    void *made;
} policy;

static const drive_store *const stores[] = {&drive_adaptive, &drive_attempts, &drive_cache, &drive_cooldown, &drive_counter,
                                            &drive_dedupe,   &drive_kv,       &drive_lock,  &drive_once,     &drive_pcounter,
                                            &drive_pkv,      &drive_rate,     &drive_saga};
#define STORES (sizeof stores / sizeof stores[0])

static latch_stores opened;
static latch_ctx process; /* what a session's context begins as */
static latch_log log_to = {.fd = 2, .least = LATCH_WARN};
static drive_session sessions[SESSIONS]; /* the first has no name: it ends with its line, as an invocation does */
static policy *policies;
static void **kept; /* what policies are made of */
static size_t kept_count;
static struct {
    drive_call *call;
    int64_t runs, takeovers, overlaps;
} work_of; /* this line */
static int64_t ahead_us;

static void need(bool ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "drive: %s\n", what);
    exit(2);
}

static char *text_of(latch_str s) {
    char *copy = strndup(s.len > 0 ? s.ptr : "", s.len);
    need(copy != NULL, "no memory");
    return copy;
}

static int64_t monotonic_us(void) { /* one for all processes of the machine */
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t wall_us(void *self) {
    latch_clock system = latch_clock_system();
    (void)self;
    return system.wall_us(system.self) + ahead_us;
}

static int64_t boot_us(void *self) {
    latch_clock system = latch_clock_system();
    (void)self;
    return system.boot_us(system.self);
}

/* ── what calls read ────────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_json drive_json(drive_call *call, const char *name) {
    latch_json out = LATCH_NULL;
    for (latch_each each = latch_each_in(call->line); latch_each_next(&each);)
        if (latch_str_eq(each.name, latch_str_of(name))) out = latch_each_value(&each);
    return out;
}

latch_status drive_texts(drive_call *call, const char *name, const latch_str **out, size_t *count) {
    latch_json list = drive_json(call, name);
    latch_str *texts = latch_arena_alloc(call->cx->arena, (latch_count(list) + 1) * sizeof *texts);
    *out = texts, *count = 0;
    if (texts == NULL) return latch_err_set(&call->cx->err, LATCH_E_NOMEM, "the session is full");
    for (latch_each each = latch_each_in(list); latch_each_next(&each);)
        texts[(*count)++] = latch_each_text(&each);
    return LATCH_OK;
}

latch_status drive_sweep(drive_call *call, latch_sweep *out) {
    int64_t segments;
    latch_json sweep = drive_json(call, "sweep");
    *out = (latch_sweep){0};
    LATCH_TRY(latch_read(sweep, "scope", latch_optional(&out->scope), "all", latch_optional(&out->all), "segments",
                         latch_range_or(&segments, 0, 1000, 0)));
    out->segments = (int)segments;
    return LATCH_OK;
}

latch_json drive_swept(latch_ctx *cx, const latch_swept *swept) {
    return latch_object(cx, "scanned", swept->scanned, "items", swept->items, "expired", swept->expired, "bytes", swept->bytes, "removed",
                        swept->removed, "requests", swept->requests);
}

latch_hold *drive_hold(drive_call *call) {
    latch_str name;
    drive_session *s = call->session;
    if (latch_read(call->line, "hold", drive_text(&name)) != LATCH_OK) return NULL;
    for (size_t i = 0; i < DRIVE_HOLDS; i++) {
        if (s->hold_names[i] == NULL) s->hold_names[i] = text_of(name);
        if (latch_str_eq(latch_str_of(s->hold_names[i]), name)) return &s->holds[i];
    }
    return NULL;
}

/* ── the work of do-once, the load of a cache ───────────────────────────────────────────────────────────────────────────── */

/* Whoever is at the work has the file: one that is there already is another's, at the same time. */
static void enter_witness(latch_str path) {
    char *name = text_of(path);
    int fd = open(name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) need(errno == EEXIST, "the witness can't be made");
    if (fd < 0) work_of.overlaps++;
    if (fd >= 0) close(fd);
    free(name);
}

static void leave_witness(latch_str path) {
    char *name = text_of(path);
    unlink(name);
    free(name);
}

static latch_status status_named(latch_ctx *cx, latch_str name, latch_status *out) {
    for (latch_status s = LATCH_OK; s <= LATCH_E_DENIED; s++) {
        *out = s;
        if (latch_str_eq(name, latch_str_of(latch_status_name(s)))) return LATCH_OK;
    }
    return latch_refuse(cx, LATCH_E_INPUT, "there is no such status", "status", name);
}

/* Until there is a file of this name, at most half a minute. */
static void wait_for(const latch_ctx *cx, latch_str path) {
    char *name = text_of(path);
    for (int i = 0; i < 6000 && access(name, F_OK) != 0; i++)
        latch_clock_sleep_ms(&cx->clock, 5);
    free(name);
}

latch_status drive_work(latch_ctx *cx, latch_work *work) {
    drive_call *call = work_of.call, told = *call;
    latch_str witness, status, until;
    int64_t sleep_ms;
    latch_status ends = LATCH_OK;
    work_of.runs++;
    work_of.takeovers = work->takeovers;
    told.line = drive_json(call, "work");
    LATCH_TRY(latch_read(told.line, "witness", drive_text(&witness), "sleep_ms", latch_range_or(&sleep_ms, 0, LATCH_HOUR_MS, 0), "status",
                         drive_text(&status), "until", drive_text(&until)));
    if (witness.len > 0) enter_witness(witness);
    latch_clock_sleep_ms(&cx->clock, sleep_ms);
    if (until.len > 0) wait_for(cx, until);
    if (witness.len > 0) leave_witness(witness);
    if (status.len > 0) LATCH_TRY(status_named(cx, status, &ends));
    if (ends != LATCH_OK) return latch_err_set(&cx->err, ends, "the work says %.*s", LATCH_ARG(status));
    work->result = drive_json(&told, "result");
    return LATCH_OK;
}

latch_json drive_worked(latch_ctx *cx) {
    if (work_of.runs == 0) return LATCH_NULL;
    return latch_object(cx, "runs", work_of.runs, "takeovers", work_of.takeovers, "overlaps", work_of.overlaps);
}

/* ── policies ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void *keep(void *made) {
    need(made != NULL, "no memory");
    kept = realloc(kept, (kept_count + 1) * sizeof *kept);
    need(kept != NULL, "no memory");
    return kept[kept_count++] = made;
}

static latch_status fill(latch_ctx *cx, const drive_field *fields, latch_json from, char *made);

/* The member called so; names of fields are no literals here. */
static latch_status read_member(latch_json from, const char *name, latch_into into) {
    return latch_read_(from, (const latch_field[]){{name, into}, {.path = NULL}});
}

static latch_status fill_word(latch_ctx *cx, const drive_field *field, latch_str word, void *at) {
    for (int i = 0; field->words[i] != NULL; i++) {
        memcpy(at, &i, sizeof i); /* an enum's values are ints */
        if (latch_str_eq(word, latch_str_of(field->words[i]))) return LATCH_OK;
    }
    return latch_refuse(cx, LATCH_E_INPUT, "the policy's member has no such value", "member", field->name, "value", word);
}

static latch_status fill_texts(latch_json from, const char *name, void *at) {
    latch_json list;
    LATCH_TRY(read_member(from, name, LATCH_I_(&list)));
    char **texts = keep(calloc(latch_count(list) + 1, sizeof *texts));
    for (latch_each each = latch_each_in(list); latch_each_next(&each);)
        texts[each.index] = keep(text_of(latch_each_text(&each)));
    memcpy(at, &texts, sizeof texts);
    return LATCH_OK;
}

static latch_status fill_part(latch_ctx *cx, const drive_field *field, latch_json from, void *at) {
    char *part = keep(calloc(1, field->part_bytes));
    memcpy(at, &part, sizeof part);
    return fill(cx, field->part, from, part);
}

static latch_status fill_one(latch_ctx *cx, const drive_field *field, latch_json from, void *at) {
    int64_t n = 0;
    latch_str text = {0};
    latch_json part;
    char *copy;
    latch_work_fn *fn = drive_work;
    bool wanted = false;
    switch (field->kind) {
    case DRIVE_TEXT:
        LATCH_TRY(read_member(from, field->name, latch_bytes(&text, 0, 65536)));
        copy = keep(text_of(text));
        memcpy(at, &copy, sizeof copy);
        return LATCH_OK;
    case DRIVE_TEXTS:
        return fill_texts(from, field->name, at);
    case DRIVE_INT:
        return read_member(from, field->name, LATCH_I_((int64_t *)at));
    case DRIVE_UINT32:
        LATCH_TRY(read_member(from, field->name, latch_range(&n, 0, UINT32_MAX)));
        *(uint32_t *)at = (uint32_t)n;
        return LATCH_OK;
    case DRIVE_NUMBER:
        return read_member(from, field->name, LATCH_I_((double *)at));
    case DRIVE_TRUTH:
        return read_member(from, field->name, LATCH_I_((bool *)at));
    case DRIVE_WORD:
        LATCH_TRY(read_member(from, field->name, LATCH_I_(&text)));
        return fill_word(cx, field, text, at);
    case DRIVE_PART:
        LATCH_TRY(read_member(from, field->name, LATCH_I_(&part)));
        return fill_part(cx, field, part, at);
    case DRIVE_CONSTANT:
        LATCH_TRY(read_member(from, field->name, LATCH_I_(&wanted)));
        if (wanted) memcpy(at, &field->constant, sizeof field->constant);
        return LATCH_OK;
    case DRIVE_WORK:
        LATCH_TRY(read_member(from, field->name, LATCH_I_(&wanted)));
        if (wanted) memcpy(at, &fn, sizeof fn);
        return LATCH_OK;
    }
    return LATCH_E_INPUT;
}

static latch_status fill(latch_ctx *cx, const drive_field *fields, latch_json from, char *made) {
    for (latch_each each = latch_each_in(from); latch_each_next(&each);) {
        const drive_field *field = fields;
        while (field->name != NULL && !latch_str_eq(each.name, latch_str_of(field->name)))
            field++;
        if (field->name == NULL) return latch_refuse(cx, LATCH_E_INPUT, "the policy has no such member", "member", each.name);
        LATCH_TRY(fill_one(cx, field, from, made + field->offset));
    }
    return LATCH_OK;
}

static latch_status find_policy(latch_ctx *cx, const drive_store *store, latch_json from, const void **out) {
    latch_str text = latch_text(from);
    for (policy *p = policies; p != NULL; p = p->next) {
        *out = p->made;
        if (p->store == store && latch_str_eq(latch_str_of(p->text), text)) return LATCH_OK;
    }
    void *made = keep(calloc(1, store->policy_bytes));
    *out = made;
    LATCH_TRY(fill(cx, store->fields, from, made));
    policy *p = keep(malloc(sizeof *p));
    *p = (policy){policies, store, keep(text_of(text)), made};
    policies = p;
    return LATCH_OK;
}

/* ── sessions ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void begin_session(drive_session *s, latch_str name) {
    if (s->memory == NULL) {
        s->memory = malloc(ARENA_BYTES);
        need(s->memory != NULL, "no memory");
        latch_arena_init(&s->arena, s->memory, ARENA_BYTES);
    }
    latch_arena_rewind(&s->arena, 0);
    s->name = text_of(name);
    s->scope = (latch_scope){0};
    s->cx = process;
    s->cx.arena = &s->arena;
    s->cx.scope = &s->scope;
    s->cx.request_id = latch_uuid(&s->cx);
}

static void end_session(drive_session *s, latch_status ended) {
    latch_scope_end(&s->cx, ended);
    for (size_t i = 0; i < DRIVE_HOLDS; i++)
        free(s->hold_names[i]);
    memset(s->hold_names, 0, sizeof s->hold_names);
    memset(s->holds, 0, sizeof s->holds);
    free(s->name);
    s->name = NULL;
}

static drive_session *find_session(latch_str name) {
    drive_session *unused = NULL;
    if (name.len == 0) return &sessions[0];
    for (size_t i = 1; i < SESSIONS; i++) {
        if (sessions[i].name == NULL) unused = unused == NULL ? &sessions[i] : unused;
        if (sessions[i].name != NULL && latch_str_eq(latch_str_of(sessions[i].name), name)) return &sessions[i];
    }
    need(unused != NULL, "too many sessions");
    begin_session(unused, name);
    return unused;
}

/* ── one line ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status call_store(drive_call *call, latch_str name, latch_str verb, latch_json *out) {
    latch_json from;
    LATCH_TRY(latch_read(call->line, "policy", latch_optional(&from), "key", drive_text(&call->key)));
    for (size_t i = 0; i < STORES; i++) {
        if (!latch_str_eq(name, latch_str_of(stores[i]->name))) continue;
        for (const drive_verb *v = stores[i]->verbs; v->name != NULL; v++) {
            if (!latch_str_eq(verb, latch_str_of(v->name))) continue;
            LATCH_TRY(find_policy(call->cx, stores[i], from, &call->policy));
            return v->call(call, out);
        }
    }
    return latch_refuse(call->cx, LATCH_E_INPUT, "there is no such call", "store", name, "do", verb);
}

/* Those that are of no store. */
static latch_status call_driver(drive_call *call, latch_str verb, latch_json *out) {
    latch_ctx *cx = call->cx;
    latch_str status;
    int64_t ms = 0;
    latch_status ended = LATCH_OK;
    LATCH_TRY(latch_read(call->line, "ms", latch_range_or(&ms, -LATCH_DAY_MS, LATCH_DAY_MS, 0), "status", latch_optional(&status)));
    if (latch_str_eq(verb, LATCH_STR("hello"))) {
        *out = latch_object(cx, "pid", (int64_t)getpid(), "table", opened.table.name, "embedded", latch_bool(opened.embedded != NULL));
        return LATCH_OK;
    }
    if (latch_str_eq(verb, LATCH_STR("now"))) {
        *out = latch_object(cx, "now_ms", latch_now_ms(cx));
        return LATCH_OK;
    }
    if (latch_str_eq(verb, LATCH_STR("sleep"))) {
        latch_clock_sleep_ms(&cx->clock, ms);
        return LATCH_OK;
    }
    if (!latch_str_eq(verb, LATCH_STR("end"))) return latch_refuse(cx, LATCH_E_INPUT, "there is no such call", "do", verb);
    if (status.len > 0) LATCH_TRY(status_named(cx, status, &ended));
    latch_scope_end(cx, ended);
    return LATCH_OK;
}

static latch_status begin_line(drive_call *call, latch_str *store, latch_str *verb) {
    latch_str known;
    int64_t deadline_ms;
    LATCH_TRY(latch_read(call->line, "store", latch_optional(store), "do", verb, "session", drive_text(&known), "deadline_ms",
                         latch_range_or(&deadline_ms, 0, LATCH_DAY_MS, 0)));
    call->cx->deadline_at_ms = deadline_ms > 0 ? latch_now_ms(call->cx) + deadline_ms : INT64_MAX;
    call->cx->err = (latch_err){0};
    return LATCH_OK;
}

static latch_json show_error(latch_ctx *cx, latch_status status) {
    const latch_err *err = latch_error(cx);
    if (status == LATCH_OK) return LATCH_NULL;
    return latch_object(cx, "type", err->type, "message", err->message, "maybe_applied", err->maybe_applied, "retry_at_ms",
                        err->retry_at_ms);
}

static void answer(drive_call *call, latch_status status, latch_json out, const latch_usage *usage, int64_t began_us, latch_json id) {
    latch_ctx *cx = call->cx;
    latch_json error = show_error(cx, status);
    latch_str text = latch_text(latch_object(cx, "id", id, "status", latch_status_name(status), "out", out, "error", error, "requests",
                                             usage->requests, "read_milli_units", usage->read_milli_units, "write_milli_units",
                                             usage->write_milli_units, "began_us", began_us, "ended_us", monotonic_us()));
    if (text.len == 0 || text.ptr[0] != '{')
        text = LATCH_STR("{\"status\":\"OutOfMemory\",\"error\":{\"message\":\"the session is full\"}}");
    need(fwrite(text.ptr, 1, text.len, stdout) == text.len && putchar('\n') != EOF && fflush(stdout) == 0, "nobody reads the answers");
}

/* The line's session is in the line, which is read in a session's arena: first in the unnamed one's. */
static latch_str session_named(latch_str text) {
    latch_json line;
    latch_str name;
    begin_session(&sessions[0], LATCH_STR(""));
    latch_ctx *cx = &sessions[0].cx;
    bool read = latch_parse(cx, "line", text, &line) == LATCH_OK && latch_read(line, "session", drive_text(&name)) == LATCH_OK;
    return read ? name : LATCH_STR("");
}

static void do_line(latch_str text) {
    latch_json id = LATCH_NULL, out = LATCH_NULL;
    latch_str store = {0}, verb = {0};
    latch_usage usage = {0};
    drive_session *s = find_session(session_named(text));
    drive_call call = {.cx = &s->cx, .session = s};
    int64_t began_us = monotonic_us();
    s->cx.usage = &usage;
    memset(&work_of, 0, sizeof work_of);
    work_of.call = &call;
    latch_status status = latch_parse(&s->cx, "line", latch_copy(&s->cx, text), &call.line);
    if (status == LATCH_OK) status = begin_line(&call, &store, &verb);
    if (status == LATCH_OK) status = store.len > 0 ? call_store(&call, store, verb, &out) : call_driver(&call, verb, &out);
    if (call.line.node != NULL) id = drive_json(&call, "id");
    bool ends = s == &sessions[0] || (store.len == 0 && latch_str_eq(verb, LATCH_STR("end")));
    if (ends && s == &sessions[0] && store.len > 0) latch_scope_end(&s->cx, status);
    answer(&call, status, out, &usage, began_us, id);
    if (ends) end_session(s, LATCH_OK);
    if (s != &sessions[0]) end_session(&sessions[0], LATCH_OK);
    s->cx.usage = NULL;
}

/* ── the process ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void open_process(latch_arena *arena) {
    process = (latch_ctx){.arena = arena,
                          .clock = {.wall_us = wall_us, .boot_us = boot_us},
                          .deadline_at_ms = INT64_MAX,
                          .log = &log_to,
                          .request_id = LATCH_STR("")};
    if (latch_stores_open(&process, true, &opened) == LATCH_OK) return;
    fprintf(stderr, "drive: %s\n", process.err.message);
    exit(2);
}

static void give_back(void) {
    for (size_t i = 0; i < SESSIONS; i++) {
        if (sessions[i].name != NULL) end_session(&sessions[i], LATCH_OK);
        if (sessions[i].memory != NULL) latch_arena_clean_up(&sessions[i].arena);
        free(sessions[i].memory);
    }
    for (size_t i = 0; i < kept_count; i++)
        free(kept[i]);
    free(kept);
}

int main(int argc, char **argv) {
    static char memory[1 << 20] __attribute__((aligned(16)));
    latch_arena arena;
    char *line = NULL;
    size_t bytes = 0;
    ssize_t len;
    need(argc == 1 || (argc == 3 && strcmp(argv[1], "--ahead") == 0), "usage: drive [--ahead MS]");
    if (argc == 3) ahead_us = strtoll(argv[2], NULL, 10) * 1000;
    latch_arena_init(&arena, memory, sizeof memory);
    open_process(&arena);
    while ((len = getline(&line, &bytes, stdin)) > 0)
        do_line((latch_str){line, (size_t)len - (line[len - 1] == '\n' ? 1 : 0)});
    give_back();
    latch_stores_close(&opened);
    latch_arena_clean_up(&arena);
    free(line);
    return 0;
}
