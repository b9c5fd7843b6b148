#include "tests/store/network.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/ctx.h"
#include "core/text.h"

static void need(bool ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "network: %s\n", what);
    abort();
}

uint32_t dice_roll(uint32_t *seed, uint32_t sides) {
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % sides;
}

/* Any thread may roll these. */
static bool one_in(network *n, uint32_t sides) {
    if (sides == 0) return false;
    uint32_t seed = atomic_fetch_add(&n->dice, 2654435761u);
    seed ^= seed >> 16, seed *= 0x7feb352du, seed ^= seed >> 15, seed *= 0x846ca68bu, seed ^= seed >> 16;
    return seed % sides == 0;
}

/* ── a batch, parted ────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct parted {
    latch_str sent; /* the request without what is held back; ptr NULL: all is */
    latch_str back; /* {"table":[…]}, what is held back */
    size_t held, count;
} parted;

/* The elements of a list, dealt to two writers; a table's name goes in front of the first of each. */
static void deal(network *n, latch_json list, latch_text_writer to[2], size_t counts[2]) {
    size_t here[2] = {0, 0};
    for (latch_each each = latch_each_in(list); latch_each_next(&each);) {
        size_t side = n->takes_nothing || one_in(n, n->gives_back_in) ? 1 : 0;
        latch_text_char(&to[side], here[side]++ > 0 ? ',' : '[');
        latch_text_json(&to[side], latch_each_value(&each));
    }
    for (size_t side = 0; side < 2; side++) {
        counts[side] += here[side];
        latch_text_put(&to[side], here[side] > 0 ? LATCH_STR("]") : LATCH_STR(""));
    }
}

/* One table's part of a batch, "name":[…] or "name":{"Keys":[…],…}, to the side or sides that have any of it. */
static void part_table(latch_ctx *cx, network *n, const latch_each *table, latch_text_writer all[2], size_t counts[2]) {
    latch_json part = latch_each_value(table), keys = part;
    bool reads = latch_has(part, "Keys");
    if (reads) need(latch_read(part, "Keys", &keys) == LATCH_OK, "Keys");
    latch_text_writer lists[2] = {latch_text_begin(cx->arena), latch_text_begin(cx->arena)};
    size_t before[2] = {counts[0], counts[1]};
    deal(n, keys, lists, counts);
    for (size_t side = 0; side < 2; side++) {
        latch_str list = latch_text_end(&lists[side]);
        if (counts[side] == before[side]) continue;
        latch_text_char(&all[side], all[side].len > 0 ? ',' : '{');
        latch_text_json_string(&all[side], table->name);
        latch_text_put(&all[side], reads ? LATCH_STR(":{\"Keys\":") : LATCH_STR(":"));
        latch_text_put(&all[side], list);
        for (latch_each member = latch_each_in(part); reads && latch_each_next(&member);) {
            if (latch_str_eq(member.name, LATCH_STR("Keys"))) continue;
            latch_text_char(&all[side], ',');
            latch_text_json_string(&all[side], member.name);
            latch_text_char(&all[side], ':');
            latch_text_json(&all[side], latch_each_value(&member));
        }
        latch_text_put(&all[side], reads ? LATCH_STR("}") : LATCH_STR(""));
    }
}

static parted part(latch_ctx *cx, network *n, latch_str request) {
    latch_json document, items;
    parted p = {0};
    size_t counts[2] = {0, 0};
    need(latch_parse(cx, "request", request, &document) == LATCH_OK, "a request that is no JSON");
    need(latch_read(document, "RequestItems", &items) == LATCH_OK, "a batch without items");
    latch_text_writer all[2] = {latch_text_begin(cx->arena), latch_text_begin(cx->arena)};
    for (latch_each table = latch_each_in(items); latch_each_next(&table);)
        part_table(cx, n, &table, all, counts);
    latch_text_put(&all[0], counts[0] > 0 ? LATCH_STR("}") : LATCH_STR(""));
    latch_text_put(&all[1], counts[1] > 0 ? LATCH_STR("}") : LATCH_STR("{}"));
    latch_str sent = latch_text_end(&all[0]);
    p.back = latch_text_end(&all[1]);
    p.held = counts[1];
    p.count = counts[0] + counts[1];
    if (counts[0] > 0) p.sent = latch_ctx_text(cx, "{\"RequestItems\":%.*s}", LATCH_ARG(sent));
    need(p.back.ptr != NULL && (counts[0] == 0 || p.sent.ptr != NULL), "no room");
    return p;
}

/* The items of each table in another order than they were asked for. */
static latch_str backwards(latch_ctx *cx, latch_json responses) {
    latch_text_writer t = latch_text_begin(cx->arena);
    bool any = false;
    for (latch_each table = latch_each_in(responses); latch_each_next(&table); any = true) {
        latch_json list = latch_each_value(&table);
        latch_text_char(&t, any ? ',' : '{');
        latch_text_json_string(&t, table.name);
        latch_text_put(&t, LATCH_STR(":["));
        for (size_t i = latch_count(list); i-- > 0;) {
            latch_text_json(&t, latch_at(list, i));
            latch_text_put(&t, i > 0 ? LATCH_STR(",") : LATCH_STR(""));
        }
        latch_text_char(&t, ']');
    }
    latch_text_put(&t, any ? LATCH_STR("}") : LATCH_STR("{}"));
    return latch_text_end(&t);
}

/* ── one request ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status lose(network *n, latch_err *err) {
    atomic_fetch_add(&n->lost, 1);
    (void)latch_err_set(err, LATCH_E_NETWORK, "network: the answer was lost");
    err->maybe_applied = true;
    return LATCH_E_NETWORK;
}

static latch_status answer(latch_arena *arena, int http_status, latch_str body, latch_reply *out, latch_err *err) {
    *out = (latch_reply){.http_status = http_status, .body = latch_arena_copy(arena, body)};
    if (out->body.ptr != NULL) return LATCH_OK;
    *out = (latch_reply){0};
    (void)latch_err_set(err, LATCH_E_NOMEM, "network: the arena is full");
    err->maybe_applied = true;
    return LATCH_E_NOMEM;
}

static void remember(network *n, const parted *p, size_t bytes) {
    pthread_mutex_lock(&n->mutex);
    if (p->count > n->largest_batch) n->largest_batch = p->count;
    if (bytes > n->largest_bytes) n->largest_bytes = bytes;
    pthread_mutex_unlock(&n->mutex);
    atomic_fetch_add(&n->given_back, p->held);
}

static latch_status send_batch(latch_ctx *cx, network *n, const latch_send *send, latch_arena *arena, latch_reply *out, latch_err *err) {
    bool writes = strcmp(send->operation, "BatchWriteItem") == 0;
    parted p = part(cx, n, send->request);
    if (n->fits_keys > 0 && p.count > n->fits_keys) return latch_err_set(err, LATCH_E_NOMEM, "network: %zu items don't fit", p.count);
    latch_str responses = LATCH_STR("{}"), back = n->forgets ? LATCH_STR("{}") : p.back;
    remember(n, &p, send->request.len);
    if (p.sent.ptr != NULL) {
        latch_send less = *send;
        latch_reply reply;
        latch_json document, items;
        less.request = p.sent;
        latch_status status = n->world->inner.call(n->world->inner.self, &less, cx->arena, &reply, err);
        if (status != LATCH_OK || reply.http_status != 200)
            return status == LATCH_OK ? answer(arena, reply.http_status, reply.body, out, err) : status;
        need(latch_parse(cx, "answer", reply.body, &document) == LATCH_OK, "an answer that is no JSON");
        need(latch_read(document, "Responses", latch_optional(&items)) == LATCH_OK, "Responses");
        responses = backwards(cx, items);
    }
    latch_str body = writes ? latch_ctx_text(cx, "{\"UnprocessedItems\":%.*s}", LATCH_ARG(back))
                            : latch_ctx_text(cx, "{\"Responses\":%.*s,\"UnprocessedKeys\":%.*s}", LATCH_ARG(responses), LATCH_ARG(back));
    need(body.ptr != NULL, "no room");
    return answer(arena, 200, body, out, err);
}

static latch_status forward(network *n, const latch_send *send, latch_arena *arena, latch_reply *out, latch_err *err) {
    if (strncmp(send->operation, "Batch", 5) != 0) return n->world->inner.call(n->world->inner.self, send, arena, out, err);
    latch_arena own;
    size_t bytes = ((size_t)4 << 20) + n->room_bytes + 24 * send->request.len;
    char *memory = malloc(bytes);
    need(memory != NULL, "no memory");
    latch_arena_init(&own, memory, bytes);
    latch_ctx cx = {.arena = &own, .deadline_at_ms = INT64_MAX};
    latch_status status = send_batch(&cx, n, send, arena, out, err);
    latch_arena_clean_up(&own);
    free(memory);
    return status;
}

static void hold(int64_t us) {
    const struct timespec t = {us / 1000000, us % 1000000 * 1000};
    if (us > 0) nanosleep(&t, NULL);
}

static latch_status call(void *self, const latch_send *send, latch_arena *arena, latch_reply *out, latch_err *err) {
    network *n = self;
    uint64_t number = atomic_fetch_add(&n->requests, 1) + 1;
    size_t running = atomic_fetch_add(&n->running, 1) + 1, most = atomic_load(&n->most_running);
    while (running > most && !atomic_compare_exchange_weak(&n->most_running, &most, running)) {
    }
    *out = (latch_reply){0};
    hold(n->holds_us);
    atomic_fetch_add(&n->world->now_us, n->takes_ms * 1000);
    bool dead = n->fails_from > 0 && number >= n->fails_from, slow = n->throttles_from > 0 && number >= n->throttles_from;
    latch_status status = LATCH_OK;
    if (dead || one_in(n, n->refuses_connection_in)) {
        status = latch_err_set(err, LATCH_E_NETWORK, "network: no connection");
    } else if (slow || one_in(n, n->throttles_in)) {
        atomic_fetch_add(&n->throttled, 1);
        status =
            answer(arena, 400, LATCH_STR("{\"__type\":\"x#ProvisionedThroughputExceededException\",\"message\":\"network\"}"), out, err);
    } else if (one_in(n, n->loses_before_in)) {
        status = lose(n, err);
    } else {
        status = forward(n, send, arena, out, err);
        if (one_in(n, n->loses_after_in)) status = lose(n, err);
    }
    atomic_fetch_sub(&n->running, 1);
    return status;
}

static latch_status more(void *self, latch_transport *out, latch_err *err);
static void close_one(void *self) { atomic_fetch_add(&((network *)self)->closed, 1); }

latch_transport network_transport(network *n) {
    if (n->shares) return (latch_transport){.call = call, .self = n};
    return (latch_transport){.call = call, .self = n, .more = more, .close = close_one};
}

static latch_status more(void *self, latch_transport *out, latch_err *err) {
    network *n = self;
    if (n->has_no_more) return latch_err_set(err, LATCH_E_NETWORK, "network: no more connections");
    atomic_fetch_add(&n->opened, 1);
    *out = network_transport(n);
    return LATCH_OK;
}

/* ── the network ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Threads that pause at once pause side by side: each from when it last looked, or from the end of its pause before. */
static _Thread_local int64_t seen_us;

static int64_t now_us(void *self) { return seen_us = atomic_load(&((network *)self)->world->now_us); }

static void sleep_ms(void *self, int64_t ms) {
    network *n = self;
    atomic_fetch_add(&n->slept_ms, ms);
    if (n->stands_still) return;
    seen_us += ms * 1000;
    int64_t now = atomic_load(&n->world->now_us);
    while (now < seen_us && !atomic_compare_exchange_weak(&n->world->now_us, &now, seen_us)) {
    }
}

void network_open(network *n, rig_world *world, uint32_t seed) {
    memset(n, 0, sizeof *n);
    n->world = world;
    n->clock = (latch_clock){.wall_us = now_us, .boot_us = now_us, .sleep_ms = sleep_ms, .self = n};
    atomic_store(&n->dice, seed);
    pthread_mutex_init(&n->mutex, NULL);
}

void network_close(network *n) { pthread_mutex_destroy(&n->mutex); }

void network_well(network *n) {
    n->gives_back_in = n->throttles_in = n->loses_before_in = n->loses_after_in = n->refuses_connection_in = 0;
    n->fails_from = n->throttles_from = 0;
    n->takes_nothing = n->has_no_more = n->forgets = n->stands_still = false;
    n->takes_ms = n->holds_us = 0;
    n->fits_keys = 0;
    atomic_store(&n->requests, 0), atomic_store(&n->given_back, 0), atomic_store(&n->lost, 0), atomic_store(&n->throttled, 0);
    atomic_store(&n->opened, 0), atomic_store(&n->closed, 0), atomic_store(&n->most_running, 0);
    atomic_store(&n->slept_ms, 0);
    n->largest_batch = n->largest_bytes = 0;
}

/* ── callers ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

void caller_init(caller *c, network *n, size_t arena_bytes) {
    *c = (caller){.memory = malloc(arena_bytes), .options = latch_client_defaults()};
    need(c->memory != NULL, "no memory");
    c->options.breaker = false;  /* what a network loses here would open it */
    c->options.max_retries = 12; /* by chance, no call fails for what is lost now and then */
    latch_arena_init(&c->arena, c->memory, arena_bytes);
    latch_client_init(&c->client, network_transport(n), &c->options);
    c->table = (latch_table){.name = "latch", .client = &c->client};
    c->cx = (latch_ctx){.arena = &c->arena, .clock = n->clock, .request_id = LATCH_STR("r-1"), .table = &c->table, .usage = &c->usage};
    caller_again(c);
}

void caller_clean_up(caller *c) {
    latch_client_clean_up(&c->client);
    latch_arena_clean_up(&c->arena);
    free(c->memory);
}

void caller_again(caller *c) {
    latch_transport transport = c->client.transport;
    latch_client_clean_up(&c->client); /* its bucket of retries begins full again */
    latch_client_init(&c->client, transport, &c->options);
    latch_arena_rewind(&c->arena, 0);
    c->arena.peak = 0;
    c->scope = (latch_scope){0};
    c->usage = (latch_usage){0};
    c->cx.scope = &c->scope;
    c->cx.err = (latch_err){0};
    c->cx.deadline_at_ms = INT64_MAX;
}

/* ── past the network ───────────────────────────────────────────────────────────────────────────────────────────────────── */

void world_ask(rig_world *world, const char *operation, const char *fmt, ...) {
    enum { BYTES = 1 << 20 };
    latch_arena arena;
    latch_reply reply;
    latch_err err;
    va_list ap;
    char *request = NULL, *memory = malloc(BYTES);
    va_start(ap, fmt);
    int len = vasprintf(&request, fmt, ap);
    va_end(ap);
    need(len > 0 && memory != NULL, "no memory");
    latch_arena_init(&arena, memory, BYTES);
    const latch_send send = {.operation = operation, .request = {request, (size_t)len}, .deadline_at_ms = INT64_MAX};
    latch_status status = world->inner.call(world->inner.self, &send, &arena, &reply, &err);
    if (status == LATCH_OK && reply.http_status != 200) fprintf(stderr, "%s: %.*s\n", operation, LATCH_ARG(reply.body));
    need(status == LATCH_OK && reply.http_status == 200, "a request of the test's own failed");
    latch_arena_clean_up(&arena);
    free(memory);
    free(request);
}

const char *unique_table(const char *stem) {
    static char names[8][64];
    static unsigned count;
    char *name = names[count++ % 8];
    snprintf(name, sizeof names[0], "%s-%d-%u", stem, (int)getpid(), count);
    return name;
}
