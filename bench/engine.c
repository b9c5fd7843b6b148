/*
 * bench_engine [--items N] - what an operation on the embedded store costs, at 1,000 items and at N (default: 1,000,000), in one run.
 *
 * Through the seam, as a store uses it: JSON in, JSON out, random keys, items of about 200 bytes, one thread. Prints p50 and p99 in
 * microseconds and the ratio of the two p50. Exit status 1 where GetItem at N costs more than twice what it costs at 1,000.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/embedded/engine.h"

#define SMALL 1000
#define CALLS 20000
#define BLOCK 500 /* calls on one engine before it is the other's turn */
#define ARENA_BYTES ((size_t)4 << 20)
#define LISTED 20 /* items of a partition that is queried */
#define SHARE 5   /* of as many items as there are, one in so many more is in a list */

typedef struct bench {
    latch_embedded *engine;
    latch_transport transport;
    latch_arena arena;
    uint64_t dice;
    size_t items;
} bench;

static uint64_t roll(bench *b) {
    b->dice ^= b->dice << 13, b->dice ^= b->dice >> 7, b->dice ^= b->dice << 17;
    return b->dice;
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The time of one request; the process ends where it isn't answered as it should be. */
static int64_t call(bench *b, const char *operation, const char *request) {
    latch_reply reply;
    latch_err err;
    latch_arena_rewind(&b->arena, 0);
    const latch_send send = {.operation = operation, .request = latch_str_of(request), .deadline_at_ms = INT64_MAX};
    int64_t from = now_ns();
    latch_status status = b->transport.call(b->transport.self, &send, &b->arena, &reply, &err);
    int64_t took = now_ns() - from;
    if (status == LATCH_OK && reply.http_status == 200) return took;
    fprintf(stderr, "%s %s: %s\n", operation, request, status != LATCH_OK ? err.message : reply.body.ptr);
    exit(2);
}

/* ── the requests ──────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef enum kind { GET, PUT, UPDATE, QUERY, KINDS } kind;
static const char *const names[KINDS] = {"GetItem", "PutItem", "UpdateItem", "Query"};
static const char *const shown[KINDS] = {"GetItem", "PutItem", "UpdateItem (conditional)", "Query (20 items)"};

#define FILLER "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789"

/* An item has its partition for itself, as a store's has; a list has 20 in one. */
static void write_put(char *out, size_t room, const char *table, size_t partition, size_t sort) {
    snprintf(out, room,
             "{\"TableName\":\"%s\",\"Item\":{\"pk\":{\"S\":\"USER#%zu\"},\"sk\":{\"S\":\"ORDER#%02zu\"},\"n\":{\"N\":\"%zu\"},"
             "\"state\":{\"S\":\"open\"},\"body\":{\"S\":\"" FILLER "\"}}}",
             table, partition, sort, sort);
}

static void write_request(char *out, size_t room, kind what, size_t item) {
    if (what == GET)
        snprintf(out, room, "{\"TableName\":\"items\",\"Key\":{\"pk\":{\"S\":\"USER#%zu\"},\"sk\":{\"S\":\"ORDER#00\"}}}", item);
    if (what == PUT) write_put(out, room, "items", item, 0);
    if (what == UPDATE)
        snprintf(out, room,
                 "{\"TableName\":\"items\",\"Key\":{\"pk\":{\"S\":\"USER#%zu\"},\"sk\":{\"S\":\"ORDER#00\"}},"
                 "\"UpdateExpression\":\"SET #n = #n + :one\",\"ConditionExpression\":\"#state = :open\",\"ReturnValues\":\"UPDATED_NEW\","
                 "\"ExpressionAttributeNames\":{\"#n\":\"n\",\"#state\":\"state\"},"
                 "\"ExpressionAttributeValues\":{\":one\":{\"N\":\"1\"},\":open\":{\"S\":\"open\"}}}",
                 item);
    if (what == QUERY)
        snprintf(out, room,
                 "{\"TableName\":\"lists\",\"KeyConditionExpression\":\"pk = :pk\","
                 "\"ExpressionAttributeValues\":{\":pk\":{\"S\":\"USER#%zu\"}}}",
                 item / (LISTED * SHARE));
}

/* ── measuring ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct figures {
    double p50_us, p99_us;
} figures;

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static figures sum_up(int64_t took[CALLS]) {
    qsort(took, CALLS, sizeof took[0], compare);
    return (figures){(double)took[CALLS / 2] / 1000, (double)took[CALLS / 100 * 99] / 1000};
}

/* By turns on both, so that what else the machine does is shared by both. */
static void measure(bench both[2], kind what, figures out[2]) {
    static int64_t took[2][CALLS];
    char request[1024];
    for (size_t i = 0; i < 2 * CALLS; i++) {
        bench *b = &both[i / BLOCK % 2];
        write_request(request, sizeof request, what, roll(b) % b->items);
        took[i / BLOCK % 2][i / BLOCK / 2 * BLOCK + i % BLOCK] = call(b, names[what], request);
    }
    out[0] = sum_up(took[0]);
    out[1] = sum_up(took[1]);
}

static void create(bench *b, const char *table) {
    char request[512];
    snprintf(request, sizeof request,
             "{\"TableName\":\"%s\",\"BillingMode\":\"PAY_PER_REQUEST\",\"AttributeDefinitions\":[{\"AttributeName\":\"pk\","
             "\"AttributeType\":\"S\"},{\"AttributeName\":\"sk\",\"AttributeType\":\"S\"}],\"KeySchema\":[{\"AttributeName\":\"pk\","
             "\"KeyType\":\"HASH\"},{\"AttributeName\":\"sk\",\"KeyType\":\"RANGE\"}]}",
             table);
    call(b, "CreateTable", request);
}

static void fill(bench *b, size_t items) {
    char request[1024];
    create(b, "items");
    create(b, "lists");
    for (b->items = 0; b->items < items; b->items++) {
        write_put(request, sizeof request, "items", b->items, 0);
        call(b, "PutItem", request);
        if (b->items % SHARE != 0) continue;
        write_put(request, sizeof request, "lists", b->items / (LISTED * SHARE), b->items / SHARE % LISTED);
        call(b, "PutItem", request);
    }
}

static void begin(bench *b, void *memory, size_t items) {
    latch_err err;
    latch_embedded_options options = {.max_bytes = (size_t)4 << 30};
    *b = (bench){.dice = 88172645463325252};
    if (latch_embedded_init(&b->engine, &options, &err) != LATCH_OK) {
        fprintf(stderr, "%s\n", err.message);
        exit(2);
    }
    b->transport = latch_embedded_transport(b->engine);
    latch_arena_init(&b->arena, memory, ARENA_BYTES);
    int64_t from = now_ns();
    fill(b, items);
    latch_embedded_stats stats = latch_embedded_measure(b->engine);
    fprintf(stderr, "%zu items put in %.1f s, %.0f bytes each\n", items, (double)(now_ns() - from) / 1e9,
            (double)stats.bytes / (double)stats.items);
}

static double print_table(bench both[2]) {
    double ratios[KINDS];
    printf("%-26s %10s %10s %10s %10s %8s\n", "us, through the seam", "p50", "p99", "p50", "p99", "ratio");
    printf("%-26s %21zu %21zu %8s\n", "items", both[0].items, both[1].items, "of p50");
    for (kind what = GET; what < KINDS; what++) {
        figures f[2];
        measure(both, what, f);
        ratios[what] = f[1].p50_us / f[0].p50_us;
        printf("%-26s %10.2f %10.2f %10.2f %10.2f %8.2f\n", shown[what], f[0].p50_us, f[0].p99_us, f[1].p50_us, f[1].p99_us, ratios[what]);
    }
    return ratios[GET];
}

int main(int argc, char **argv) {
    static bench both[2];
    size_t items = argc == 3 && strcmp(argv[1], "--items") == 0 ? strtoul(argv[2], NULL, 10) : 1000000;
    if ((argc != 1 && argc != 3) || items < LISTED * SHARE) {
        fprintf(stderr, "usage: bench_engine [--items N], N at least %d\n", LISTED * SHARE);
        return 2;
    }
    char *memory = malloc(2 * ARENA_BYTES);
    if (memory == NULL) return 2;
    begin(&both[0], memory, SMALL);
    begin(&both[1], memory + ARENA_BYTES, items);
    double ratio = print_table(both);
    for (size_t i = 0; i < 2; i++) {
        latch_embedded_clean_up(both[i].engine);
        latch_arena_clean_up(&both[i].arena);
    }
    free(memory);
    return ratio <= 2 ? 0 : 1;
}
