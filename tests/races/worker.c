/*
 * worker RACE [--OPTION VALUE]… - see worker.h for the options, with - for _. Where the table is, the environment says, as for a function.
 * It ends with 0 when its calls are made, whatever they said: races.py judges the journals.
 */
#include "tests/races/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"

#define JOURNAL_LINE_BYTES 8192

void need(bool ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "races_worker: %s\n", what);
    exit(2);
}

int64_t now_us(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000000 + at.tv_nsec / 1000;
}

uint32_t roll(worker *w, uint32_t sides) {
    w->state ^= w->state << 13, w->state ^= w->state >> 7, w->state ^= w->state << 17;
    return (uint32_t)(w->state >> 32) % sides;
}

void pause_us(uint32_t us) {
    struct timespec left = {us / 1000000, (long)(us % 1000000) * 1000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

int64_t key_of(worker *w, char key[24]) {
    int64_t k = roll(w, (uint32_t)w->options.keys);
    snprintf(key, 24, "k%" PRId64, k);
    return k;
}

void round_key(const worker *w, char key[24]) { snprintf(key, 24, "round%" PRId64, w->round); }

void note(worker *w, const char *fmt, ...) {
    char line[JOURNAL_LINE_BYTES];
    va_list args;
    int head = snprintf(line, sizeof line, "{\"p\":%d,", (int)getpid());
    va_start(args, fmt);
    int body = vsnprintf(line + head, sizeof line - (size_t)head - 3, fmt, args);
    va_end(args);
    need(body > 0 && (size_t)head + (size_t)body < sizeof line - 3, "a line is too long for the journal");
    memcpy(line + head + body, "}\n", 2);
    size_t len = (size_t)head + (size_t)body + 2;
    need(write(w->journal, line, len) == (ssize_t)len, "the journal can't be written");
}

bool unknown(const worker *w, latch_status status) { return status != LATCH_OK && w->cx.err.maybe_applied; }

void begin_call(worker *w) {
    latch_arena_rewind(&w->arena, w->opened);
    w->scope = (latch_scope){0};
    w->cx.arena = &w->arena;
    w->cx.scope = &w->scope;
    w->cx.err = (latch_err){0};
    w->late = 0;
}

/* ── a clock that is wrong: the stores' own, not the one that DynamoDB's answers correct ────────────────────────────────── */

static int64_t wall_us(void *self) { return latch_clock_system().wall_us(NULL) + ((worker *)self)->options.ahead_ms * 1000; }

static int64_t boot_us(void *self) {
    (void)self;
    return latch_clock_system().boot_us(NULL);
}

/* ── start ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void open_stores(worker *w) {
    static latch_log log;
    log = latch_log_from_environment();
    log.fd = STDERR_FILENO;
    w->memory = malloc(RACES_ARENA_BYTES);
    need(w->memory != NULL, "no memory");
    latch_arena_init(&w->arena, w->memory, RACES_ARENA_BYTES);
    w->cx = (latch_ctx){.arena = &w->arena, .clock = latch_clock_system(), .deadline_at_ms = INT64_MAX, .log = &log};
    latch_status status = latch_stores_open(&w->cx, true, &w->stores);
    need(status == LATCH_OK, w->cx.err.message);
    w->opened = latch_arena_mark(&w->arena);
    w->stores.table.max_clock_skew_ms = w->options.skew_ms;
    w->inner = w->stores.client.transport;
    w->stores.client.transport = wire_transport(w);
    latch_client_options *calls = &w->stores.client.options;
    if (w->options.faults_in > 0) calls->breaker = calls->waits = false, calls->retry_base_ms = 2;
    if (w->options.ahead_ms != 0) w->cx.clock = (latch_clock){.wall_us = wall_us, .boot_us = boot_us, .self = w};
}

static const race *find_race(const char *name) {
    static const race *const rooms[] = {races_lock, races_once,    races_limits, races_dedupe, races_late,
                                        races_rate, races_counter, races_set,    races_saga};
    for (size_t room = 0; room < sizeof rooms / sizeof rooms[0]; room++) {
        for (const race *r = rooms[room]; r->name != NULL; r++) {
            if (strcmp(r->name, name) == 0) return r;
        }
    }
    need(false, "there is no such race");
    return NULL;
}

static int64_t *number_of(worker_options *o, const char *name) {
    const struct {
        const char *name;
        int64_t *at;
    } numbers[] = {
        {"--calls", &o->calls},         {"--rounds", &o->rounds},     {"--seconds", &o->seconds}, {"--keys", &o->keys},
        {"--seed", &o->seed},           {"--lease-ms", &o->lease_ms}, {"--skew-ms", &o->skew_ms}, {"--ahead-ms", &o->ahead_ms},
        {"--faults-in", &o->faults_in}, {"--lost-in", &o->lost_in},   {"--limit", &o->limit},     {"--crash-in", &o->crash_in},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (strcmp(numbers[i].name, name) == 0) return numbers[i].at;
    }
    return NULL;
}

static const char **text_of(worker_options *o, const char *name) {
    if (strcmp(name, "--journal") == 0) return &o->journal;
    if (strcmp(name, "--from") == 0) return &o->from;
    return strcmp(name, "--to") == 0 ? &o->to : NULL;
}

static void read_options(worker_options *o, int argc, char **argv) {
    *o = (worker_options){.journal = "/dev/stdout", .calls = 1, .keys = 1, .seed = getpid(), .lease_ms = 300, .limit = 5};
    need(argc >= 2 && argc % 2 == 0, "usage: races_worker RACE [--OPTION VALUE]…");
    o->race = argv[1];
    for (int i = 2; i < argc; i += 2) {
        int64_t *number = number_of(o, argv[i]);
        const char **text = text_of(o, argv[i]);
        need(number != NULL || text != NULL, argv[i]);
        if (number != NULL) *number = strtoll(argv[i + 1], NULL, 10);
        if (text != NULL) *text = argv[i + 1];
    }
    need(o->keys > 0 && (o->from == NULL) == (o->to == NULL), "--keys is at least 1; --from wants --to");
}

static void run_once(worker *w, const race *r) {
    int64_t until_us = now_us() + w->options.seconds * 1000000;
    for (w->call = 0; w->options.seconds > 0 ? now_us() < until_us : w->call < w->options.calls; w->call++) {
        begin_call(w);
        r->one(w);
        if (w->held_back.request != NULL && roll(w, 3) == 0) wire_deliver(w);
    }
    if (w->held_back.request != NULL) wire_deliver(w);
}

static void run(worker *w, const race *r) {
    char byte = 0;
    if (w->options.rounds == 0) run_once(w, r);
    for (w->round = 0; w->round < w->options.rounds; w->round++) {
        need(read(STDIN_FILENO, &byte, 1) == 1, "standard input ended");
        run_once(w, r);
        need(write(STDOUT_FILENO, ".", 1) == 1, "standard output ended");
    }
}

int main(int argc, char **argv) {
    static worker w;
    signal(SIGPIPE, SIG_IGN);
    read_options(&w.options, argc, argv);
    const race *r = find_race(w.options.race);
    w.state = ((uint64_t)w.options.seed + 1) * UINT64_C(0x9E3779B97F4A7C15);
    w.journal = open(w.options.journal, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    need(w.journal >= 0, "the journal can't be opened");
    open_stores(&w);
    run(&w, r);
    note(&w, "\"e\":\"bye\",\"calls\":%" PRId64 ",\"faults\":%" PRId64 ",\"twisted\":%" PRId64, w.call, w.faults, w.twisted);
    free(w.held_back.request);
    free(w.last_answer);
    latch_stores_close(&w.stores);
    latch_arena_clean_up(&w.arena);
    free(w.memory);
    return 0;
}
