#include "core/err.h"
#include "kit/inside.h"

static latch_status answer(latch_arena *arena, latch_reply *out, latch_err *err, int http_status, const char *body) {
    *out = (latch_reply){.http_status = http_status, .body = latch_arena_copy(arena, latch_str_of(body))};
    if (out->body.ptr != NULL) return LATCH_OK;
    *out = (latch_reply){0};
    (void)latch_err_set(err, LATCH_E_NOMEM, "DynamoDB's answer doesn't fit: the arena is full");
    err->maybe_applied = true;
    return LATCH_E_NOMEM;
}

/* A silent connection costs what the request is given; nothing more is known of it then. */
static latch_status silence(latch_test *t, const latch_send *send, latch_err *err) {
    int64_t left_ms = send->deadline_at_ms - latch_test_now_ms(t);
    if (send->deadline_at_ms != INT64_MAX && left_ms > 0) latch_test_pass(t, left_ms);
    (void)latch_err_set(err, LATCH_E_TIMEOUT, "DynamoDB didn't answer in time");
    err->maybe_applied = true;
    return LATCH_E_TIMEOUT;
}

static bool take_fault(kit_faults *faults, latch_test_fault *kind) {
    for (size_t i = 0; i < faults->count; i++) {
        const kit_fault *f = &faults->list[i];
        *kind = f->kind;
        if (faults->requests >= f->first && (f->count == 0 || faults->requests - f->first < f->count)) return true;
    }
    return false;
}

/* Whether this request fails; what happens meanwhile happens first, with no lock held: it may send requests of its own. */
static bool fails(latch_test *t, latch_test_fault *kind) {
    kit_faults *faults = &t->faults;
    pthread_mutex_lock(&faults->lock);
    faults->requests++;
    bool due = faults->meanwhile_at != 0 && faults->requests == faults->meanwhile_at, failed = take_fault(faults, kind);
    void (*run)(void *arg) = faults->meanwhile;
    void *arg = faults->arg;
    pthread_mutex_unlock(&faults->lock);
    if (due) run(arg);
    return failed;
}

latch_status latch_kit_call(void *self, const latch_send *send, latch_arena *arena, latch_reply *out, latch_err *err) {
    latch_test *t = self;
    latch_test_fault kind;
    const latch_transport store = latch_embedded_transport(t->world->engine);
    *out = (latch_reply){0};
    if (!fails(t, &kind)) return store.call(store.self, send, arena, out, err);
    switch (kind) {
    case LATCH_TEST_NOT_SENT:
        return latch_err_set(err, LATCH_E_NETWORK, "DynamoDB isn't reached: there is no connection");
    case LATCH_TEST_DOWN:
        return answer(arena, out, err, 500, "{\"__type\":\"com.amazonaws#InternalServerError\",\"message\":\"down\"}");
    case LATCH_TEST_THROTTLED:
        return answer(arena, out, err, 400, "{\"__type\":\"com.amazonaws#ThrottlingException\",\"message\":\"slow down\"}");
    case LATCH_TEST_DENIED:
        return answer(arena, out, err, 400, "{\"__type\":\"com.amazonaws#AccessDeniedException\",\"message\":\"no policy allows it\"}");
    case LATCH_TEST_ANSWER_LOST: {
        size_t mark = latch_arena_mark(arena);
        latch_status status = store.call(store.self, send, arena, out, err);
        latch_arena_rewind(arena, mark);
        *out = (latch_reply){0};
        return status == LATCH_OK ? silence(t, send, err) : status;
    }
    case LATCH_TEST_LOST:
        break;
    }
    return silence(t, send, err);
}

void latch_test_fail(latch_test *t, latch_test_fault fault, size_t first, size_t count) {
    kit_need(t->faults.count < KIT_FAULTS_MAX, "latch_test_fail: 8 faults wait for the next event already");
    t->faults.list[t->faults.count++] = (kit_fault){fault, first, count};
}

void latch_test_meanwhile(latch_test *t, size_t nth, void (*run)(void *arg), void *arg) {
    kit_need(nth > 0, "latch_test_meanwhile: requests count from 1");
    t->faults.meanwhile_at = nth;
    t->faults.meanwhile = run;
    t->faults.arg = arg;
}
