/*
 * Latch's stores, as a function's process has them: latch CASE COUNT. It does the case's call some times to warm up, prints a line, waits for
 * one, does it COUNT times, and prints what one cost: {"requests": …, "cpu_us": …}, which bench/stores/run.py reads; its peers do alike.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/attempts.h"
#include "store/cache.h"
#include "store/dedupe.h"
#include "store/lock.h"
#include "store/once.h"
#include "store/open.h"
#include "store/rate.h"
#include "store/saga.h"

#define WARM_UPS 100
#define COUNT_MAX 100000
#define ARENA_BYTES ((size_t)64 << 20)

static latch_ctx cx;
static latch_arena arena;
static size_t opened; /* where the arena begins once the stores are open */
static latch_usage usage;
static latch_stores stores;

/* A key for each call, in the arena. */
static latch_str key_of(size_t i) { return latch_ctx_text(&cx, "k-%zu", i); }

static latch_status work(latch_ctx *caller, latch_work *w) {
    w->result = latch_object(caller, "receipt", "r-1", "cents", latch_int(900));
    return LATCH_OK;
}

static const latch_cache cache = {.name = "bench"};
static const latch_dedupe dedupe = {.name = "bench"};
static const latch_rate granted = {.name = "granted", .limit = 60, .window_ms = 60000};
static const latch_rate refused = {.name = "refused", .limit = 20, .window_ms = LATCH_HOUR_MS, .known_ms = LATCH_RATE_KNOWN_NEVER};
static const latch_rate known = {.name = "known", .limit = 20, .window_ms = LATCH_HOUR_MS};
static const latch_once once = {.name = "bench", .work = work};
static const latch_lock lock = {.name = "bench", .lease_ms = 20000, .keep = true};
static const latch_attempts attempts = {.name = "bench", .max = 1000000, .window_ms = LATCH_DAY_MS};
static const latch_saga sagas = {.name = "bench"};

static latch_json value(void) {
    return latch_object(&cx, "title", "a value of the usual size", "cents", latch_int(1250), "tea", latch_bool(true));
}

static latch_status cache_set(size_t i) { return latch_cache_set(&cx, &cache, key_of(i % 16), value()); }

static latch_status cache_get(size_t i) {
    latch_json out;
    return latch_cache_get(&cx, &cache, key_of(i % 16), &out);
}

static latch_status cache_set_tagged(size_t i) {
    const latch_str tags[] = {LATCH_STR("red"), LATCH_STR("blue")};
    return latch_cache_set_tagged(&cx, &cache, key_of(i % 16), value(), tags, 2);
}

static latch_status cache_delete(size_t i) { return latch_cache_delete(&cx, &cache, key_of(i)); }

static latch_status dedupe_register(size_t i) {
    latch_job job;
    return latch_dedupe_register_or_join(&cx, &dedupe, key_of(i), &job);
}

static latch_status dedupe_join(size_t i) {
    latch_job job;
    (void)i;
    latch_status status = latch_dedupe_register_or_join(&cx, &dedupe, LATCH_STR("joined"), &job);
    return status == LATCH_BUSY ? LATCH_OK : status;
}

static latch_status dedupe_both(size_t i) {
    latch_job job;
    LATCH_TRY(latch_dedupe_register_or_join(&cx, &dedupe, key_of(i), &job));
    return latch_dedupe_complete(&cx, &dedupe, key_of(i), job.id, value());
}

static latch_status rate_granted(size_t i) {
    latch_rate_state state;
    return latch_rate_acquire(&cx, &granted, key_of(i / 50), &state);
}

static latch_status refuse(const latch_rate *policy) {
    latch_rate_state state;
    latch_status status = latch_rate_acquire(&cx, policy, LATCH_STR("k"), &state);
    return status == LATCH_LIMITED ? LATCH_OK : status;
}

static latch_status rate_refused(size_t i) { return (void)i, refuse(&refused); }
static latch_status rate_known(size_t i) { return (void)i, refuse(&known); }

static latch_status once_first(size_t i) {
    latch_once_result result;
    latch_str key = key_of(i);
    return latch_once_do(&cx, &once, key, latch_object(&cx, "id", key), &result);
}

static latch_status once_replayed(size_t i) {
    latch_once_result result;
    (void)i;
    return latch_once_do(&cx, &once, LATCH_STR("done"), latch_object(&cx, "id", "done"), &result);
}

static latch_status lock_cycle(size_t i) {
    latch_hold hold;
    LATCH_TRY(latch_lock_take(&cx, &lock, key_of(i % 4), &hold));
    return latch_lock_release(&cx, &hold);
}

static latch_status attempt(size_t i) {
    latch_attempt out;
    return latch_attempts_take(&cx, &attempts, key_of(i % 4), LATCH_NULL, &out);
}

static latch_status saga_insert(size_t i) {
    latch_saga_instance saga = {.id = key_of(i), .correlation_id = key_of(i), .state = value()};
    return latch_saga_insert(&cx, &sagas, &saga, NULL);
}

static latch_status saga_get(size_t i) {
    latch_saga_instance saga;
    return latch_saga_get_by_id(&cx, &sagas, key_of(i % WARM_UPS), &saga);
}

static latch_status saga_update(size_t i) {
    static int64_t version;
    latch_saga_instance saga = {.id = key_of(0), .correlation_id = key_of(0), .state = value(), .version = version};
    (void)i;
    LATCH_TRY(latch_saga_update(&cx, &sagas, &saga, NULL));
    version = saga.version;
    return LATCH_OK;
}

static const struct {
    const char *name;
    latch_status (*before)(size_t i); /* once for each warm-up's number; NULL: nothing */
    latch_status (*call)(size_t i);
} cases[] = {
    {"cache.get", cache_set, cache_get},
    {"cache.set", NULL, cache_set},
    {"cache.set tagged", NULL, cache_set_tagged},
    {"cache.delete", cache_set, cache_delete},
    {"dedupe.register", NULL, dedupe_register},
    {"dedupe.join", NULL, dedupe_join},
    {"dedupe.register, complete", NULL, dedupe_both},
    {"rate.acquire, granted", NULL, rate_granted},
    {"rate.acquire, refused", NULL, rate_refused},
    {"rate.acquire, refused and known", NULL, rate_known},
    {"once, first", NULL, once_first},
    {"once, replayed", NULL, once_replayed},
    {"lock.take, release", NULL, lock_cycle},
    {"attempts.take", NULL, attempt},
    {"saga.insert", NULL, saga_insert},
    {"saga.get", saga_insert, saga_get},
    {"saga.update", saga_insert, saga_update},
};
#define CASE_COUNT (sizeof cases / sizeof cases[0])

static double cpu_us(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* As an invocation: its arena is empty, and what it took ends with it. */
static void once_more(const char *name, latch_status (*call)(size_t), size_t i) {
    latch_arena_rewind(&arena, opened);
    latch_status status = call(i);
    if (status == LATCH_OK) return;
    fprintf(stderr, "%s, call %zu: %s\n", name, i, latch_error(&cx)->message);
    exit(1);
}

static void measure(size_t c, size_t count) {
    for (size_t i = 0; cases[c].before != NULL && i < WARM_UPS; i++)
        once_more(cases[c].name, cases[c].before, i);
    for (size_t i = 0; i < WARM_UPS; i++)
        once_more(cases[c].name, cases[c].call, COUNT_MAX + i);
    puts("ready");
    fflush(stdout);
    if (getchar() == EOF) exit(2);
    usage = (latch_usage){0};
    double cpu = cpu_us();
    for (size_t i = 0; i < count; i++)
        once_more(cases[c].name, cases[c].call, i);
    cpu = cpu_us() - cpu;
    printf("{\"requests\": %.4f, \"cpu_us\": %.2f}\n", (double)usage.requests / (double)count, cpu / (double)count);
}

static void open_all(void) {
    if (!latch_arena_reserve(&arena, ARENA_BYTES, ARENA_BYTES)) exit(2);
    cx = (latch_ctx){.arena = &arena, .clock = latch_clock_system(), .deadline_at_ms = INT64_MAX, .usage = &usage};
    cx.request_id = LATCH_STR("bench");
    if (latch_stores_open(&cx, true, &stores) != LATCH_OK) {
        fprintf(stderr, "%s\n", latch_error(&cx)->message);
        exit(2);
    }
}

int main(int argc, char **argv) {
    size_t count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0, c = 0;
    if (argc == 2 && strcmp(argv[1], "cases") == 0) {
        for (; c < CASE_COUNT; c++)
            puts(cases[c].name);
        return 0;
    }
    while (argc == 3 && c < CASE_COUNT && strcmp(argv[1], cases[c].name) != 0)
        c++;
    if (count == 0 || count > COUNT_MAX || c == CASE_COUNT) {
        fprintf(stderr, "usage: bench_stores CASE 1…%d, or bench_stores cases\n", COUNT_MAX);
        return 2;
    }
    open_all();
    opened = latch_arena_mark(&arena);
    measure(c, count);
    latch_stores_close(&stores);
    return 0;
}
