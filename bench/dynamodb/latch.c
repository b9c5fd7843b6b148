/*
 * Latch's client, as a function's process has it: latch first|loop|single|batch COUNT [CONNECTIONS]. What each prints, bench/dynamodb/run.py reads.
 *
 *   first    one PutItem, then a line: from exec to here is what a cold start pays
 *   loop     PutItem after PutItem over the one connection: CPU and time of each
 *   single   COUNT items one by one
 *   batch    COUNT items by one batch call over the same one connection; with a third argument over so many
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/bulk.h"
#include "store/open.h"
#include "store/table.h"

#define WARM_UPS 500
#define ARENA_BYTES ((size_t)64 << 20)

typedef struct bench {
    latch_ctx cx;
    latch_arena arena;
    latch_stores stores;
    latch_usage usage;
    latch_str text;
    size_t at, count;
    int connections; /* of a batch */
} bench;

static _Noreturn void die(const bench *b) {
    fprintf(stderr, "%s\n", latch_error(&b->cx)->message);
    exit(2);
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static double cpu_us(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void open_bench(bench *b) {
    static char letters[200];
    if (!latch_arena_reserve(&b->arena, ARENA_BYTES, ARENA_BYTES)) exit(2);
    memset(letters, 'x', sizeof letters);
    b->text = (latch_str){letters, sizeof letters};
    b->cx = (latch_ctx){.arena = &b->arena, .clock = latch_clock_system(), .deadline_at_ms = INT64_MAX, .usage = &b->usage};
    b->cx.request_id = LATCH_STR("bench");
    if (latch_stores_open(&b->cx, true, &b->stores) != LATCH_OK) die(b);
}

static latch_str pk_of(char *to, size_t cap, size_t n) { return (latch_str){to, (size_t)snprintf(to, cap, "BENCH#%zu", n)}; }

static void put(bench *b, size_t n) {
    char pk[32];
    latch_json none;
    size_t mark = latch_arena_mark(b->cx.arena);
    latch_request request = {.operation = LATCH_PUT_ITEM, .sk = LATCH_STR("BENCH"), .deadline_at_ms = INT64_MAX, .repeatable = true};
    request.pk = pk_of(pk, sizeof pk, n);
    request.item = LATCH_VALUES("count", (int64_t)n, "state", "open", "text", b->text);
    if (latch_table_call(&b->cx, &request, &none) != LATCH_OK) die(b);
    latch_arena_rewind(b->cx.arena, mark);
}

static latch_status next(latch_ctx *cx, void *arg, latch_dynamodb_write *out) {
    bench *b = arg;
    char pk[32];
    out->end = b->at == b->count;
    if (!out->end)
        out->put =
            latch_object(cx, "pk", pk_of(pk, sizeof pk, b->at), "sk", "BENCH", "count", (int64_t)b->at, "state", "open", "text", b->text);
    b->at++;
    return LATCH_OK;
}

static int compare(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void loop(bench *b) {
    double *took = malloc(b->count * sizeof *took);
    if (took == NULL) exit(2);
    for (size_t n = 0; n < WARM_UPS; n++)
        put(b, n);
    double before = cpu_us();
    for (size_t n = 0; n < b->count; n++) {
        int64_t from = now_ns();
        put(b, n);
        took[n] = (double)(now_ns() - from) / 1e3;
    }
    double cpu = cpu_us() - before;
    qsort(took, b->count, sizeof *took, compare);
    printf("{\"cpu_us\":%.2f,\"p50_us\":%.2f,\"p99_us\":%.2f}\n", cpu / (double)b->count, took[b->count / 2], took[b->count * 99 / 100]);
    free(took);
}

/* Not ru_maxrss: that begins with what the process that started this one had. */
static long peak_kib(void) {
    char line[128];
    long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "VmHWM:", 6) == 0) kib = strtol(line + 6, NULL, 10);
    if (f != NULL) fclose(f);
    return kib;
}

static void tell(int64_t from_ns) { printf("{\"ms\":%.2f,\"peak_kib\":%ld}\n", (double)(now_ns() - from_ns) / 1e6, peak_kib()); }

static void single(bench *b) {
    int64_t from = now_ns();
    for (size_t n = 0; n < b->count; n++)
        put(b, n);
    tell(from);
}

static void batch(bench *b) {
    latch_dynamodb_written written;
    int64_t from = now_ns();
    const latch_dynamodb_batch_write_request request = {.next = next, .arg = b, .count = b->count, .connections = b->connections};
    if (latch_dynamodb_batch_write(&b->cx, &request, &written) != LATCH_OK) die(b);
    if (written.written != b->count) exit(2);
    tell(from);
}

int main(int argc, char **argv) {
    static bench b;
    const char *mode = argc > 1 ? argv[1] : "";
    b.count = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    b.connections = argc > 3 ? atoi(argv[3]) : 1;
    if (b.count == 0 || argc < 2) {
        fputs("usage: bench_dynamodb first|loop|single|batch [COUNT [CONNECTIONS]]\n", stderr);
        return 2;
    }
    open_bench(&b);
    if (strcmp(mode, "first") == 0) {
        put(&b, 0);
        puts("first");
        fflush(stdout);
    }
    if (strcmp(mode, "loop") == 0) loop(&b);
    if (strcmp(mode, "single") == 0) single(&b);
    if (strcmp(mode, "batch") == 0) batch(&b);
    latch_stores_close(&b.stores);
    return 0;
}
