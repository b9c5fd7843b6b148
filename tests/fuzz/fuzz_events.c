/*
 * fuzz_events.c - any bytes as an event of every kind, to handlers that ask for all there is; in an arena of any size. The input: one byte
 * for the kind, one for the arena, the event.
 */
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "core/scope.h"
#include "runtime/api.h"
#include "runtime/around.h"
#include "runtime/batch.h"
#include "runtime/event.h"
#include "runtime/failure.h"
#include "runtime/http_event.h"
#include "runtime/outcome.h"
#include "runtime/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile size_t sink;

static void must(bool holds) {
    if (!holds) abort();
}

/* Reads each byte of it. */
static void use(latch_str s) {
    for (size_t i = 0; i < s.len; i++)
        sink += (unsigned char)s.ptr[i];
}

static void use_json(latch_json v) { use(latch_text(v)); }

/* ── handlers ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status on_http(latch_ctx *cx, latch_http *http) {
    latch_json body;
    latch_str header;
    use(latch_http_method(http));
    use(latch_http_path(http));
    use(latch_http_header(http, "X-Thing"));
    use(latch_http_header(http, "cookie"));
    use(latch_http_cookie(http, "a"));
    use(latch_http_client(http));
    use(latch_http_body(http));
    use(latch_http_param(http, "sku"));
    size_t count = latch_http_query_count(http, "q");
    for (size_t i = 0; i <= count && i < 8; i++)
        use(latch_http_query_at(http, "q", i));
    use_json(latch_http_context(http));
    use_json(latch_http_event(http));
    latch_http_set_header(http, "x-back", latch_http_header(http, "x-thing"));
    latch_http_set_cookie(http, latch_http_cookie(http, "a"));
    if (latch_str_eq(latch_http_method(http), LATCH_STR("PUT")))
        return latch_http_reply_bytes(http, 200, "text/plain", latch_http_body(http));
    LATCH_TRY(latch_http_need_header(http, "x-thing", &header));
    LATCH_TRY(latch_http_json(http, &body));
    return latch_http_reply(http, 200, latch_object(cx, "body", body, "path", latch_http_path(http)));
}

static latch_status on_record(latch_ctx *cx, latch_record *record) {
    latch_json body;
    int64_t n;
    (void)cx;
    use(latch_record_id(record));
    use(latch_record_group(record));
    use(latch_record_bytes(record));
    use(latch_record_attribute(record, "SentTimestamp"));
    use(latch_record_message_attribute(record, "colour"));
    use(latch_record_event_name(record));
    use_json(latch_record_keys(record));
    use_json(latch_record_new_image(record));
    use_json(latch_record_old_image(record));
    use_json(latch_record_whole(record));
    sink += (size_t)latch_record_receives(record) + (size_t)latch_record_from(record);
    LATCH_TRY(latch_record_json(record, &body));
    return latch_read(body, "n", &n);
}

static latch_status on_event(latch_ctx *cx, latch_event *event) {
    latch_eventbridge bridge;
    latch_sns sns;
    latch_s3 s3;
    size_t count;
    if (latch_event_eventbridge(event, &bridge) == LATCH_OK) use_json(bridge.detail);
    if (latch_event_record_count(event, &count) == LATCH_OK) sink += count;
    if (latch_event_sns(event, 0, &sns) == LATCH_OK) use(sns.message);
    if (latch_event_s3(event, 0, &s3) == LATCH_OK) use(s3.key);
    use(latch_event_bytes(event));
    latch_json json;
    LATCH_TRY(latch_event_json(event, &json));
    return latch_event_reply(event, latch_object(cx, "back", json));
}

static const latch_route routes[] = {
    {"GET", "/", on_http}, {"POST", "/products/{sku}", on_http}, {"ANY", "/files/{sku+}", on_http}, {"PUT", "/products", on_http}};

/* ── around them ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status look_around(latch_ctx *cx, latch_call *call, const void *arg) {
    latch_str reply = {"", 0};
    (void)arg;
    latch_status status = latch_around_next(cx, call);
    if (latch_call_http(call) != NULL) {
        must(status != LATCH_OK || latch_http_replied(latch_call_http(call)) != 0);
        use(latch_http_replied_body(latch_call_http(call)));
        use(latch_http_replied_header(latch_call_http(call), "content-type"));
    }
    if (latch_call_event(call) != NULL) (void)latch_event_replied(latch_call_event(call), &reply);
    if (latch_call_record(call) != NULL) reply = latch_record_bytes(latch_call_record(call));
    use(reply);
    return status;
}

static const latch_around around[] = {{.run = look_around}, {.run = look_around, .route = "GET /"}}, one[] = {{.run = look_around}};

typedef struct order {
    latch_str id;
    int64_t qty;
    latch_json lines;
} order;

static latch_status read_order(latch_record *record, order *out) {
    return latch_record_read(record, "id", &out->id, "n", latch_range(&out->qty, 0, 9), "lines", latch_optional(&out->lines));
}
static latch_status act(latch_ctx *cx, latch_record *record, const order *o) {
    (void)cx, (void)record;
    use(o->id);
    use_json(o->lines);
    must(o->qty >= 0 && o->qty <= 9);
    return LATCH_OK;
}
static LATCH_RECORD_OF(on_order, order, read_order, act);

static void count(latch_ctx *cx, const latch_batch_counts *c) {
    (void)cx;
    must(c->all == c->done + c->failed + c->poisoned + c->not_run);
}
static const latch_batch batch = {.receives_max = 3, .by_group = true, .all_failed_is_error = true, .ended = count};

static const latch_handler handlers[] = {
    {.name = "http", .http = on_http},
    {.name = "routes", LATCH_ROUTES(routes)},
    {.name = "record", .record = on_record},
    {.name = "event", .event = on_event},
    {.name = "routes-around", LATCH_ROUTES(routes), LATCH_AROUND(around)},
    {.name = "batch", .record = on_order, LATCH_AROUND(one), .batch = &batch},
    {.name = "event-around", .event = on_event, LATCH_AROUND(one)},
};

/* ── what must hold ──────────────────────────────────────────────────────────────────────────────────────────────── */

static void look_at_reply(latch_str reply) {
    yyjson_doc *doc = yyjson_read(reply.ptr, reply.len, YYJSON_READ_BIGNUM_AS_RAW);
    must(doc != NULL && reply.len <= LATCH_API_PAYLOAD_MAX_BYTES);
    yyjson_doc_free(doc);
}

static void look_at_error(const latch_err *err, latch_status status) {
    static latch_failure failure;
    must(err->status == status && err->message[0] != '\0' && latch_str_is_utf8(latch_str_of(err->message)));
    latch_failure_of(err, &failure);
    look_at_reply(latch_str_of(failure.body));
    for (const char *c = failure.cause; *c != '\0'; c++)
        must(*c >= 0x20 && *c < 0x7F);
    for (const char *c = failure.type; *c != '\0'; c++)
        must(*c > 0x20 && *c < 0x7F);
}

static int64_t now_us(void *self) {
    (void)self;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    static _Alignas(16) char memory[1 << 20];
    size_t cap = data[1] < 128 ? (size_t)data[1] * 128 : sizeof memory;
    char *input = malloc(size - 1); /* its end is its memory's */
    if (input == NULL) abort();
    latch_str event = {memcpy(input, data + 2, size - 2), size - 2}, reply = {"", 0};
    latch_arena arena;
    latch_scope scope = {0};
    latch_arena_init(&arena, memory, cap);
    latch_ctx cx = {.arena = &arena, .clock = {.wall_us = now_us, .boot_us = now_us}, .deadline_at_ms = INT64_MAX, .scope = &scope};
    latch_status status = latch_outcome_run(&cx, &handlers[data[0] % (sizeof handlers / sizeof handlers[0])], event, &reply);
    if (status == LATCH_OK) look_at_reply(reply);
    if (status != LATCH_OK) look_at_error(&cx.err, status);
    latch_arena_clean_up(&arena);
    free(input);
    return 0;
}
