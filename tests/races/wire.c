/* wire.c - between the stores and their transport: rules broken, requests and answers lost, delayed and late, a wrong clock put right. */
#include <stdlib.h>
#include <string.h>

#include "tests/races/worker.h"

typedef enum fault { NONE, NOT_SENT, LOST_BEFORE, LOST_AFTER, LATE, DELAYED, KINDS } fault;

static char *keep(latch_str text) {
    char *own = malloc(text.len + 1);
    need(own != NULL, "no memory");
    memcpy(own, text.ptr, text.len);
    own[text.len] = '\0';
    return own;
}

/* The request as it goes out: as it is, or with its rule broken, in the arena. */
static latch_str twist(worker *w, latch_arena *arena, latch_str request) {
    const char *from = w->options.from, *to = w->options.to;
    const char *found = from != NULL ? memmem(request.ptr, request.len, from, strlen(from)) : NULL;
    if (found == NULL) return request;
    size_t head = (size_t)(found - request.ptr), tail = request.len - head - strlen(from), len = head + strlen(to) + tail;
    char *text = latch_arena_alloc(arena, len);
    need(text != NULL, "the arena is full");
    memcpy(text, request.ptr, head);
    memcpy(text + head, to, strlen(to));
    memcpy(text + head + strlen(to), found + strlen(from), tail);
    w->twisted++;
    return (latch_str){text, len};
}

static int64_t real_time(const worker *w, int64_t at_ms) {
    return at_ms > 0 && at_ms < INT64_MAX / 2 ? at_ms - w->options.ahead_ms : at_ms;
}

static latch_status forward(worker *w, const latch_send *send, latch_arena *arena, latch_reply *out, latch_err *err) {
    const latch_send sent = {.operation = send->operation,
                             .request = twist(w, arena, send->request),
                             .deadline_at_ms = real_time(w, send->deadline_at_ms),
                             .idle_deadline_at_ms = real_time(w, send->idle_deadline_at_ms)};
    return w->inner.call(w->inner.self, &sent, arena, out, err);
}

static latch_status lost(latch_reply *out, latch_err *err) {
    latch_status status = latch_err_set(err, LATCH_E_NETWORK, "wire: no answer");
    *out = (latch_reply){0};
    err->maybe_applied = true;
    return status;
}

/* The broken twin that loses writes: it answers as the update before was answered, and sends nothing. */
static bool swallows(worker *w, const latch_send *send, latch_arena *arena, latch_reply *out) {
    bool loses = w->options.lost_in > 0 && w->last_answer != NULL && strcmp(send->operation, "GetItem") != 0 &&
                 roll(w, (uint32_t)w->options.lost_in) == 0;
    if (!loses) return false;
    *out = (latch_reply){.http_status = 200, .body = latch_arena_copy(arena, latch_str_of(w->last_answer))};
    w->twisted++;
    return true;
}

static void remember(worker *w, const latch_send *send, const latch_reply *reply) {
    if (w->options.lost_in == 0 || reply->http_status != 200 || strcmp(send->operation, "GetItem") == 0) return;
    free(w->last_answer);
    w->last_answer = keep(reply->body);
}

static void hold_back(worker *w, const latch_send *send) {
    free(w->held_back.request);
    w->held_back.request = keep(send->request);
    snprintf(w->held_back.operation, sizeof w->held_back.operation, "%s", send->operation);
    w->late++;
}

static latch_status call(void *self, const latch_send *send, latch_arena *arena, latch_reply *out, latch_err *err) {
    worker *w = self;
    fault meets = w->options.faults_in > 0 && roll(w, (uint32_t)w->options.faults_in) == 0 ? (fault)(1 + roll(w, KINDS - 1)) : NONE;
    *out = (latch_reply){0};
    w->faults += meets != NONE;
    w->stores.client.pace->tokens = LATCH_PACE_TOKENS; /* faults are many here: the bucket would soon be empty */
    if (swallows(w, send, arena, out)) return LATCH_OK;
    if (meets == NOT_SENT) return latch_err_set(err, LATCH_E_NETWORK, "wire: no connection");
    if (meets == LATE) hold_back(w, send);
    if (meets == LOST_BEFORE || meets == LATE) return lost(out, err);
    if (meets == DELAYED) pause_us(roll(w, 6000));
    latch_status status = forward(w, send, arena, out, err);
    if (meets == DELAYED) pause_us(roll(w, 6000));
    if (meets == LOST_AFTER) return lost(out, err);
    if (status == LATCH_OK) remember(w, send, out);
    return status;
}

void wire_deliver(worker *w) {
    enum { BYTES = 1 << 20 };
    latch_arena arena;
    latch_reply unseen;
    latch_err err = {0};
    char *memory = malloc(BYTES);
    need(memory != NULL, "no memory");
    latch_arena_init(&arena, memory, BYTES);
    const latch_send send = {.operation = w->held_back.operation,
                             .request = latch_str_of(w->held_back.request),
                             .deadline_at_ms = latch_now_ms(&w->cx) + LATCH_SECOND_MS};
    int64_t t0 = now_us();
    latch_status status = forward(w, &send, &arena, &unseen, &err);
    note(w, "\"e\":\"late\",\"status\":\"%s\",\"t0\":%" PRId64 ",\"t1\":%" PRId64, latch_status_name(status), t0, now_us());
    latch_arena_clean_up(&arena);
    free(memory);
    free(w->held_back.request);
    w->held_back.request = NULL;
}

latch_transport wire_transport(worker *w) {
    latch_transport own = w->inner;
    own.call = call;
    own.self = w;
    own.more = NULL, own.close = NULL, own.keys_refused = NULL;
    return own;
}
