#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "api_private.h"

#define SLOW_PIECES 8
#define SLOW_MS 25

latch_fault latch_api_fault_take(latch_invocation *inv, bool of_next) {
    if (inv->fault == LATCH_FAULT_NONE || inv->fault_is_done || latch_fault_is_of_next(inv->fault) != of_next) return LATCH_FAULT_NONE;
    inv->fault_is_done = true;
    return inv->fault;
}

/* ── answers that libmicrohttpd wouldn't give ── */

static const char *reason(unsigned status) { return status == 200 ? "OK" : status == 202 ? "Accepted" : "Fault"; }

static void write_raw(latch_buffer *raw, const latch_reply *reply) {
    latch_buffer_format(raw, "HTTP/1.1 %u %s\r\n", reply->status, reason(reply->status));
    for (size_t i = 0; i < reply->header_count; i++)
        latch_buffer_format(raw, "%s: %s\r\n", reply->headers[i].name, reply->headers[i].value);
    latch_buffer_format(raw, "Connection: close\r\nContent-Length: %zu\r\n\r\n", reply->body.len);
}

/* As much as the socket takes: what is cut may be cut earlier. */
static size_t send_some(const latch_exchange *x, const char *bytes, size_t len) {
    int fd = latch_exchange_fd(x);
    ssize_t sent = fd >= 0 ? send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT) : -1;
    return sent > 0 ? (size_t)sent : 0;
}

static void send_and_cut(latch_exchange *x, const char *bytes, size_t len) {
    send_some(x, bytes, len);
    latch_exchange_hang_up(x);
}

static void cut_in_head(latch_exchange *x, const latch_reply *reply) {
    latch_buffer raw = {0};
    write_raw(&raw, reply);
    send_and_cut(x, raw.ptr, raw.len / 2);
    latch_buffer_clean_up(&raw);
}

/* An event of no bytes can't be cut: its head is. */
static void cut_in_body(latch_exchange *x, const latch_reply *reply) {
    latch_buffer raw = {0};
    write_raw(&raw, reply);
    if (reply->body.len > 0) latch_buffer_add(&raw, reply->body.ptr, reply->body.len / 2);
    send_and_cut(x, raw.ptr, reply->body.len > 0 ? raw.len : raw.len - 3);
    latch_buffer_clean_up(&raw);
}

/* ── slowly ── */

static void forget(latch_api_slow *s) {
    latch_api_slow **at = &s->api->slow;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    latch_loop_disarm(s->api->loop, &s->tick);
    latch_buffer_clean_up(&s->raw);
    free(s);
}

static void send_next(void *arg) {
    latch_api_slow *s = arg;
    size_t left = s->raw.len - s->sent, piece = s->raw.len / SLOW_PIECES + 1;
    bool gone = latch_exchange_is_gone(s->x);
    s->sent += send_some(s->x, s->raw.ptr + s->sent, piece < left ? piece : left);
    if (s->sent < s->raw.len && !gone) {
        latch_loop_arm(s->api->loop, &s->tick, SLOW_MS);
        return;
    }
    latch_exchange_hang_up(s->x);
    forget(s);
}

static void dribble(latch_api *api, latch_exchange *x, const latch_reply *reply) {
    latch_api_slow *s = latch_alloc(sizeof *s);
    *s = (latch_api_slow){.api = api, .x = x, .next = api->slow};
    s->tick = (latch_timer){.fn = send_next, .arg = s};
    api->slow = s;
    write_raw(&s->raw, reply);
    latch_buffer_add(&s->raw, reply->body.ptr != NULL ? reply->body.ptr : "", reply->body.len);
    latch_loop_arm(api->loop, &s->tick, SLOW_MS);
}

void latch_api_faults_clean_up(latch_api *api, bool hang_up) {
    while (api->slow != NULL) {
        if (hang_up) latch_exchange_hang_up(api->slow->x);
        forget(api->slow);
    }
}

/* ── which of them ── */

void latch_api_fault_reply(latch_api *api, latch_exchange *x, latch_fault fault, const latch_reply *reply) {
    static const char garbage[] = "\x16\x03\x01\x02 this is no HTTP\r\n\r\n";
    latch_reply changed = *reply;
    switch ((int)fault) {
    case LATCH_NEXT_CUT:
    case LATCH_POST_CUT_AFTER:
        latch_exchange_hang_up(x);
        return;
    case LATCH_NEXT_CUT_HEAD:
        cut_in_head(x, reply);
        return;
    case LATCH_NEXT_CUT_BODY:
    case LATCH_POST_CUT_ANSWER:
        cut_in_body(x, reply);
        return;
    case LATCH_NEXT_GARBAGE:
    case LATCH_POST_GARBAGE:
        send_and_cut(x, garbage, sizeof garbage - 1);
        return;
    case LATCH_NEXT_SLOW:
    case LATCH_POST_SLOW:
        dribble(api, x, reply);
        return;
    case LATCH_NEXT_CHUNKED:
    case LATCH_POST_CHUNKED:
        changed.chunked = true;
        break;
    case LATCH_NEXT_CLOSE:
    case LATCH_POST_CLOSE:
        changed.close = true;
        break;
    default:
        break;
    }
    latch_exchange_reply(x, &changed);
}

bool latch_api_fault_at_head(latch_api *api, latch_exchange *x, latch_invocation *inv) {
    static const char refusal[] = "HTTP/1.1 413 Request Entity Too Large\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
                                  "Connection: close\r\n\r\n{}";
    bool is_early = inv->fault == LATCH_POST_EARLY;
    if (inv->fault_is_done || inv->outcome != LATCH_PENDING || !(is_early || inv->fault == LATCH_POST_CUT_BEFORE)) return false;
    inv->fault_is_done = true;
    if (!is_early) {
        latch_exchange_hang_up(x);
        return true;
    }
    latch_api_stop_watch(api, inv);
    latch_invocation_fail(inv, LATCH_FAILED, "LatchLocal.Fault", "the outcome was refused with 413, by --fault post-early");
    send_and_cut(x, refusal, sizeof refusal - 1);
    api->config.on_answer(api->config.arg, inv);
    return true;
}
