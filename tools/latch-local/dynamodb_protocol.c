#include "dynamodb_protocol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/ctx_private.h"
#include "core/text.h"
#include "store/dynamodb/crc32.h"
#include "store/embedded/engine.h"
#include "store/schema.h"

#define TARGET "DynamoDB_20120810."
#define STREAMS "DynamoDBStreams_20120810."
#define ERRORS "com.amazonaws.dynamodb.v20120810#"
#define JSON "application/x-amz-json-1.0"

/*
 * A page or a batch needs some times its own text, and one made of the smallest values there are some thirty times: address space, of
 * which only what a request touches becomes memory. What was applied has its answer in the first: answers to writes are an item or two.
 */
#define ROOM_BYTES ((size_t)96 << 20)
#define LARGE_BYTES ((size_t)1 << 30)

struct latch_dynamodb_local {
    latch_embedded *engine;
    latch_transport transport;
    latch_arena arena;
    uint64_t random; /* of request ids */
};

/* ── memory ── */

static bool map(latch_dynamodb_local *local, size_t bytes) {
    latch_arena_release(&local->arena);
    return latch_arena_reserve(&local->arena, bytes, bytes);
}

/* Before a request: what the one before it took goes back, the pages of a large one to the system. */
static bool empty(latch_dynamodb_local *local) {
    if (local->arena.cap != ROOM_BYTES) return map(local, ROOM_BYTES);
    latch_arena_recycle(&local->arena);
    return true;
}

/* ── life ── */

latch_status latch_dynamodb_local_init(latch_dynamodb_local **out, const latch_dynamodb_local_options *options, latch_err *err) {
    const latch_embedded_options engine = {.max_bytes = options->max_bytes, .lag_ms = options->lag_ms, .seed = options->seed};
    *out = NULL;
    latch_dynamodb_local *local = calloc(1, sizeof *local);
    if (local == NULL) return latch_err_set(err, LATCH_E_NOMEM, "no memory");
    latch_status status = latch_embedded_init(&local->engine, &engine, err);
    if (status == LATCH_OK && !map(local, ROOM_BYTES))
        status = latch_err_set(err, LATCH_E_NOMEM, "no room for %zu MiB of address space", ROOM_BYTES >> 20);
    if (status != LATCH_OK) {
        latch_dynamodb_local_clean_up(local);
        return status;
    }
    local->transport = latch_embedded_transport(local->engine);
    while (local->random == 0)
        if (getrandom(&local->random, sizeof local->random, 0) < 0) local->random = 0;
    *out = local;
    return LATCH_OK;
}

void latch_dynamodb_local_clean_up(latch_dynamodb_local *local) {
    if (local == NULL) return;
    latch_arena_release(&local->arena);
    latch_embedded_clean_up(local->engine);
    free(local);
}

/* ── the table of all stores ── */

static latch_status ask(latch_dynamodb_local *local, const char *operation, latch_str request, latch_err *err) {
    const latch_send send = {.operation = operation, .request = request, .deadline_at_ms = INT64_MAX};
    latch_reply reply;
    LATCH_TRY(local->transport.call(local->transport.self, &send, &local->arena, &reply, err));
    if (reply.http_status == 200) return LATCH_OK;
    return latch_err_set(err, LATCH_E_MISUSE, "%s: %.*s", operation, LATCH_ARG(reply.body));
}

latch_status latch_dynamodb_local_create_table(latch_dynamodb_local *local, const char *name, latch_err *err) {
    const latch_dynamodb_schema *schema = &latch_dynamodb_schema_default;
    latch_ctx cx = {.arena = &local->arena, .clock = latch_clock_system(), .deadline_at_ms = INT64_MAX};
    latch_str table, ttl;
    latch_status status = latch_dynamodb_schema_request(&cx, name, schema, &table);
    if (status == LATCH_OK) status = latch_dynamodb_ttl_request(&cx, name, schema->ttl, &ttl);
    *err = cx.err;
    if (status != LATCH_OK) return status;
    LATCH_TRY(ask(local, "CreateTable", table, err));
    return ask(local, "UpdateTimeToLive", ttl, err);
}

/* ── answers ── */

/* xorshift64*: ids only have to differ. */
static uint64_t next_random(latch_dynamodb_local *local) {
    local->random ^= local->random >> 12;
    local->random ^= local->random << 25;
    local->random ^= local->random >> 27;
    return local->random * UINT64_C(0x2545F4914F6CDD1D);
}

static void make_id(latch_dynamodb_local *local, char out[37]) {
    uint64_t a = next_random(local), b = next_random(local);
    snprintf(out, 37, "%08x-%04x-4%03x-%04x-%04x%08x", (unsigned)(a >> 32), (unsigned)(a >> 16 & 0xFFFF), (unsigned)(a & 0xFFF),
             (unsigned)(b >> 48 & 0x3FFF) | 0x8000u, (unsigned)(b >> 32 & 0xFFFF), (unsigned)b);
}

/* The protocol's own refusals. */
static void refuse(latch_dynamodb_local *local, latch_dynamodb_answer *out, unsigned status, const char *name, const char *message) {
    latch_text_writer t = latch_text_begin(&local->arena);
    latch_text_put(&t, LATCH_STR("{\"__type\":\"" ERRORS));
    latch_text_put(&t, latch_str_of(name));
    latch_text_put(&t, LATCH_STR("\",\"message\":"));
    latch_text_json_lossy(&t, latch_str_of(message));
    latch_text_char(&t, '}');
    out->status = status;
    out->body = latch_text_end(&t);
}

static void fail(latch_dynamodb_local *local, latch_dynamodb_answer *out, const latch_err *err) {
    if (!empty(local)) return;
    refuse(local, out, 500, "InternalServerError", err->message);
}

/* ── requests ── */

static bool is_get(const char *method) { return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0; }

static void answer_health(latch_dynamodb_answer *out) {
    out->status = 200;
    out->content_type = "text/plain";
    out->body = LATCH_STR("healthy: latch-local dynamodb\n");
}

static const char *header(const latch_dynamodb_request *request, const char *name) {
    const char *value = request->header(request->arg, name);
    return value != NULL ? value : "";
}

/* False: refused. In the order in which DynamoDB Local looks. */
static bool check(latch_dynamodb_local *local, const latch_dynamodb_request *r, latch_dynamodb_answer *out) {
    const char *encoding = header(r, "Content-Encoding");
    if (r->body_bytes > LATCH_DYNAMODB_REQUEST_BYTES)
        refuse(local, out, 413, "RequestEntityTooLargeException", "The request is over DynamoDB's 16 MB.");
    else if (*header(r, "Authorization") == '\0')
        refuse(local, out, 400, "MissingAuthenticationToken",
               "Request must contain either a valid (registered) AWS access key ID or X.509 certificate.");
    else if (strcmp(r->method, "POST") != 0)
        refuse(local, out, 405, "UnknownOperationException", "DynamoDB's requests are POSTs.");
    else if (*encoding != '\0' && strcmp(encoding, "identity") != 0)
        refuse(local, out, 415, "SerializationException", "Content-Encoding is not taken: send the JSON as it is.");
    else
        return true;
    return false;
}

/* It goes to a terminal: letters, and nothing that steers one. */
static void name_operation(latch_dynamodb_answer *out, const char *operation) {
    for (size_t i = 0; i < sizeof out->operation - 1 && operation[i] != '\0'; i++)
        out->operation[i] = operation[i] > ' ' && operation[i] <= '~' ? operation[i] : '?';
}

/* NULL: refused. */
static const char *operation_of(latch_dynamodb_local *local, const latch_dynamodb_request *r, latch_dynamodb_answer *out) {
    const char *target = header(r, "X-Amz-Target");
    if (strncmp(target, TARGET, sizeof TARGET - 1) == 0) {
        name_operation(out, target + sizeof TARGET - 1);
        return target + sizeof TARGET - 1;
    }
    if (strncmp(target, STREAMS, sizeof STREAMS - 1) == 0)
        refuse(local, out, 400, "UnknownOperationException", "latch-local has no streams.");
    else if (*target == '\0')
        refuse(local, out, 400, "UnknownOperationException",
               "X-Amz-Target is missing: DynamoDB's JSON 1.0 protocol is spoken here, and no other.");
    else
        refuse(local, out, 400, "UnknownOperationException", "X-Amz-Target is none of DynamoDB_20120810's.");
    return NULL;
}

static void call(latch_dynamodb_local *local, const latch_send *send, latch_dynamodb_answer *out) {
    latch_reply reply;
    latch_err err = {0};
    latch_status status = local->transport.call(local->transport.self, send, &local->arena, &reply, &err);
    if (status == LATCH_E_NOMEM && !err.maybe_applied && map(local, LARGE_BYTES))
        status = local->transport.call(local->transport.self, send, &local->arena, &reply, &err);
    if (status != LATCH_OK) {
        fail(local, out, &err);
        return;
    }
    out->status = (unsigned)reply.http_status;
    out->body = reply.body;
}

void latch_dynamodb_local_answer(latch_dynamodb_local *local, const latch_dynamodb_request *request, latch_dynamodb_answer *out) {
    *out = (latch_dynamodb_answer){.status = 500, .content_type = JSON};
    if (!empty(local)) return;
    make_id(local, out->request_id);
    const char *operation = NULL;
    if (is_get(request->method) && *header(request, "X-Amz-Target") == '\0')
        answer_health(out);
    else if (check(local, request, out))
        operation = operation_of(local, request, out);
    if (operation != NULL) call(local, &(latch_send){.operation = operation, .request = request->body, .deadline_at_ms = INT64_MAX}, out);
    snprintf(out->crc32, sizeof out->crc32, "%lu", (unsigned long)latch_crc32(out->body));
}
