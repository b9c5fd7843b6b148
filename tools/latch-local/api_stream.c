#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_private.h"
#include "base64.h"

#define UNCAPPED_BYTES ((size_t)6 * 1024 * 1024)
#define CAPPED_BYTES_PER_S ((size_t)2 * 1024 * 1024)
#define TICK_MS 10
#define GRACE_MS 50 /* a connection that ends with its process says nothing about the stream: the process's end is heard of by then */

static void forget(latch_api_stream *s) {
    latch_api_stream **at = &s->api->streams;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    latch_loop_disarm(s->api->loop, &s->tick);
    latch_loop_disarm(s->api->loop, &s->look);
    free(s);
}

/* ── as it comes ── */

/* How much of `len` the throttle lets through now. */
static size_t allowance(latch_api_stream *s, size_t len) {
    if (!s->api->config.throttle || s->bytes + len <= UNCAPPED_BYTES) return len;
    if (s->bytes < UNCAPPED_BYTES) return UNCAPPED_BYTES - s->bytes;
    int64_t now_ns = latch_loop_now_ns(s->api->loop);
    if (s->capped_since_ns == 0) s->capped_since_ns = now_ns;
    uint64_t allowed = (uint64_t)(now_ns - s->capped_since_ns) / 1000 * CAPPED_BYTES_PER_S / 1000000, had = s->bytes - UNCAPPED_BYTES;
    size_t now = allowed > had ? (size_t)(allowed - had) : 0;
    return now < len ? now : len;
}

static size_t hand_on(latch_api_stream *s, const char *bytes, size_t len) {
    latch_invocation *inv = s->inv;
    if (inv->sink != NULL) return inv->sink->data(inv->sink->arg, bytes, len);
    latch_buffer_add(&inv->answer, bytes, len);
    return len;
}

static size_t on_data(void *arg, const char *bytes, size_t len) {
    latch_api_stream *s = arg;
    if (s->inv == NULL) return len;
    if (s->bytes + len > LATCH_STREAM_BYTES) { /* the rest is counted, and dropped */
        s->bytes += len;
        return len;
    }
    size_t allowed = allowance(s, len), taken = allowed > 0 ? hand_on(s, bytes, allowed) : 0;
    s->bytes += taken;
    s->inv->answer_bytes = s->bytes;
    if (taken == allowed && taken < len) latch_loop_arm(s->api->loop, &s->tick, TICK_MS);
    return taken;
}

static void resume(void *arg) {
    latch_api_stream *s = arg;
    if (s->x != NULL) latch_exchange_resume(s->x);
}

/* ── its end ── */

static void tell_sink(const latch_invocation *inv) {
    if (inv->sink == NULL) return;
    const char *type = inv->outcome == LATCH_ANSWERED ? NULL
                       : inv->error_type[0] != '\0'   ? inv->error_type
                       : inv->composed != NULL        ? inv->composed
                                                      : "Runtime.Unknown";
    inv->sink->end(inv->sink->arg, type, type != NULL ? latch_buffer_str(&inv->error) : LATCH_STR(""));
}

/* The two trailers of a failure: the type, and the error in base64. False: there are none. */
static bool take_trailers(latch_api_stream *s) {
    const char *type = latch_exchange_trailer(s->x, "Lambda-Runtime-Function-Error-Type");
    const char *body = latch_exchange_trailer(s->x, "Lambda-Runtime-Function-Error-Body");
    latch_invocation *inv = s->inv;
    if (type == NULL && body == NULL) return false;
    latch_api_error_type(type, inv->error_type, sizeof inv->error_type);
    latch_buffer_clean_up(&inv->error);
    if (body == NULL || !latch_base64_take(&inv->error, latch_str_of(body))) {
        latch_invocation_fail(inv, LATCH_FAILED, "Runtime.InvalidTrailer", "the stream's Lambda-Runtime-Function-Error-Body is no base64");
        s->api->config.on_complaint(s->api->config.arg, inv, "ended a stream with an error body that is no base64");
    }
    inv->outcome = LATCH_FAILED;
    return true;
}

static void conclude(latch_api_stream *s) {
    latch_invocation *inv = s->inv;
    char message[128];
    latch_api_stop_watch(s->api, inv);
    if (s->bytes > LATCH_STREAM_BYTES) {
        snprintf(message, sizeof message, "the stream of %zu bytes is larger than the %zu that Lambda takes", s->bytes, LATCH_STREAM_BYTES);
        latch_invocation_fail(inv, LATCH_TOO_LARGE, "Function.ResponseSizeTooLarge", message);
    } else if (!take_trailers(s)) {
        inv->outcome = LATCH_ANSWERED;
    }
}

/* No answer of the service's will come to it: its post may come again. */
static void conclude_cut(void *arg) {
    latch_api_stream *s = arg;
    latch_api *api = s->api;
    latch_invocation *inv = s->inv;
    char message[96];
    snprintf(message, sizeof message, "the connection ended before the stream did, after %zu bytes of it", s->bytes);
    forget(s);
    latch_api_stop_watch(api, inv);
    inv->answer_lost = true;
    latch_invocation_fail(inv, LATCH_FAILED, "Runtime.TruncatedResponse", message);
    tell_sink(inv);
    api->config.on_answer(api->config.arg, inv);
}

static void on_cut(void *arg) {
    latch_api_stream *s = arg;
    s->x = NULL;
    latch_loop_disarm(s->api->loop, &s->look);
    if (s->inv == NULL) {
        forget(s);
        return;
    }
    s->tick.fn = conclude_cut;
    latch_loop_arm(s->api->loop, &s->tick, GRACE_MS);
}

static void look(void *arg) {
    latch_api_stream *s = arg;
    latch_exchange *x = s->x;
    if (latch_exchange_is_asleep(x) || !latch_exchange_is_gone(x)) {
        latch_loop_arm(s->api->loop, &s->look, GRACE_MS);
        return;
    }
    on_cut(s);
    latch_exchange_hang_up(x);
}

void latch_api_streams_conclude(latch_api *api) {
    for (latch_api_stream *s = api->streams, *next; s != NULL; s = next) {
        next = s->next;
        if (s->x == NULL) conclude_cut(s);
    }
}

bool latch_api_is_streaming(const latch_api *api, const latch_invocation *inv) {
    for (const latch_api_stream *s = api->streams; s != NULL; s = s->next)
        if (s->inv == inv) return true;
    return false;
}

bool latch_api_stream_begin(latch_api *api, latch_exchange *x, latch_invocation *inv) {
    if (latch_api_is_streaming(api, inv)) return false;
    latch_api_stream *s = latch_alloc(sizeof *s);
    *s = (latch_api_stream){.api = api, .x = x, .inv = inv, .next = api->streams};
    s->tick = (latch_timer){.fn = resume, .arg = s};
    s->look = (latch_timer){.fn = look, .arg = s};
    latch_loop_arm(api->loop, &s->look, GRACE_MS);
    api->streams = s;
    const char *type = latch_exchange_header(x, "Content-Type");
    if (type != NULL) inv->content_type = latch_copy(latch_str_of(type));
    inv->streamed = true;
    if (inv->sink != NULL) inv->sink->begin(inv->sink->arg, inv->content_type, (latch_stream_source){s, resume});
    latch_exchange_intake(x, (latch_intake){s, on_data, on_cut});
    return true;
}

bool latch_api_stream_end(latch_api *api, latch_exchange *x) {
    latch_api_stream *s = api->streams;
    while (s != NULL && s->x != x)
        s = s->next;
    if (s == NULL) return false;
    latch_invocation *inv = s->inv;
    if (inv != NULL) {
        conclude(s);
        tell_sink(inv);
    }
    forget(s);
    if (inv != NULL)
        latch_api_settle(api, x, inv);
    else
        latch_api_refuse(x, 410, "InvokeTimeout", "Invoke timeout");
    return true;
}

void latch_api_stream_leave(latch_api *api, latch_invocation *inv) {
    for (latch_api_stream *s = api->streams, *next; s != NULL; s = next) {
        next = s->next;
        if (s->inv != inv) continue;
        s->inv = NULL;
        tell_sink(inv);
        if (s->x != NULL)
            latch_exchange_resume(s->x);
        else
            forget(s);
    }
}

void latch_api_streams_clean_up(latch_api *api) {
    while (api->streams != NULL)
        forget(api->streams);
}
