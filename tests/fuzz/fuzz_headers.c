/*
 * fuzz_headers.c - any bytes as the answer of /next: what comes with an event is read from it, and asked for as a handler does; in an arena of
 * any size. The input: one byte for the arena, the answer, whose "\n" alone stands for CR LF, so that headers are found sooner.
 */
#include <stdlib.h>
#include <string.h>

#include "core/coding.h"
#include "core/ctx.h"
#include "core/ctx_private.h"
#include "core/err.h"
#include "core/scope.h"
#include "runtime/context.h"
#include "runtime/event.h"
#include "runtime/failure.h"
#include "runtime/invocation.h"
#include "runtime/outcome.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_MS INT64_C(1767225600000)

static void must(bool holds) {
    if (!holds) abort();
}

/* What may go into a header again. */
static void must_be_a_value(latch_str s) { must(!latch_str_has_control(s) && (s.len == 0 || s.ptr != NULL)); }

static latch_status ask_for_all(latch_ctx *cx, latch_event *event) {
    latch_json client, cognito;
    char path[64];
    must_be_a_value(latch_request_id(cx));
    must_be_a_value(latch_trace_id(cx));
    must_be_a_value(latch_function_arn(cx));
    must_be_a_value(latch_tenant_id(cx));
    must_be_a_value(latch_invocation_id(cx));
    must_be_a_value(latch_content_type(cx));
    size_t len = latch_percent_encode(path, sizeof path, latch_request_id(cx));
    must(len >= latch_request_id(cx).len && len <= 3 * latch_request_id(cx).len);
    must(latch_deadline_ms(cx) == INT64_MAX || (latch_deadline_ms(cx) >= 0 && latch_left_ms(cx) <= latch_deadline_ms(cx) - NOW_MS));
    LATCH_TRY(latch_client_context(cx, &client));
    LATCH_TRY(latch_cognito_identity(cx, &cognito));
    return latch_event_reply(event, latch_object(cx, "client", client, "cognito", cognito, "bytes", latch_event_bytes(event).len));
}
static const latch_handler asks = {.name = "h", .event = ask_for_all};

static int64_t now_us(void *self) {
    (void)self;
    return NOW_MS * 1000;
}

static bool feed(latch_wire *wire, const uint8_t *bytes, size_t len) {
    latch_wire_progress progress = LATCH_WIRE_MORE;
    latch_err err = {0};
    for (size_t i = 0; i < len && progress == LATCH_WIRE_MORE;) {
        size_t room;
        char *at = latch_wire_space(wire, &room);
        if (at == NULL) return false;
        bool line_end = bytes[i] == '\n';
        if (line_end && room < 2) return false;
        memcpy(at, line_end ? "\r\n" : (const char *)&bytes[i], line_end ? 2 : 1);
        progress = latch_wire_fed(wire, line_end ? 2 : 1, &err);
        i++;
    }
    if (progress == LATCH_WIRE_MORE) progress = latch_wire_ended(wire, &err);
    return progress == LATCH_WIRE_DONE;
}

static void run(latch_ctx *cx, latch_invocation *invocation) {
    static latch_failure failure;
    latch_scope scope = {0};
    latch_str reply;
    cx->request_id = invocation->request_id;
    cx->invocation = invocation;
    cx->scope = &scope;
    cx->deadline_at_ms = latch_invocation_stores_deadline_ms(invocation, NOW_MS);
    must(cx->deadline_at_ms <= invocation->deadline_at_ms);
    latch_status status = latch_outcome_run(cx, &asks, invocation->event, &reply);
    if (status == LATCH_OK) return;
    must(cx->err.status == status && latch_str_is_utf8(latch_str_of(cx->err.message)));
    must(status == LATCH_E_INPUT || status == LATCH_E_NOMEM);
    latch_failure_of(&cx->err, &failure);
    must_be_a_value(latch_str_of(failure.type));
    must_be_a_value(latch_str_of(failure.cause));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static _Alignas(16) char memory[1 << 18];
    static const latch_wire_limits limits = {.head_bytes = 65536, .body_bytes = 65536};
    if (size < 1) return 0;
    latch_arena arena;
    latch_wire wire;
    latch_invocation invocation;
    latch_arena_init(&arena, memory, data[0] < 128 ? (size_t)data[0] * 256 : sizeof memory);
    latch_ctx cx = {.arena = &arena, .clock = {.wall_us = now_us, .boot_us = now_us}, .deadline_at_ms = INT64_MAX};
    latch_wire_begin(&wire, &arena, &limits);
    if (feed(&wire, data + 1, size - 1)) {
        latch_invocation_read(&cx, &wire, &invocation);
        run(&cx, &invocation);
    }
    latch_arena_clean_up(&arena);
    return 0;
}
