/* A saga that all update: read, changed, written back where its version hasn't moved. */
#include "store/saga.h"
#include "tests/races/worker.h"

static const latch_saga policy = {.name = "race"};

static void insert(worker *w, const char *key, int64_t k) {
    latch_saga_instance saga = {
        .id = latch_str_of(key), .correlation_id = latch_str_of(key), .state = latch_object(&w->cx, "by", latch_int(w->options.seed))};
    int64_t t0 = now_us();
    note(w, "\"e\":\"updating\",\"k\":%" PRId64 ",\"version\":0", k);
    latch_status status = latch_saga_insert(&w->cx, &policy, &saga, NULL);
    note(w, "\"e\":\"saga\",\"k\":%" PRId64 ",\"status\":\"%s\",\"maybe\":%d,\"version\":0,\"t0\":%" PRId64 ",\"t1\":%" PRId64, k,
         latch_status_name(status), unknown(w, status), t0, now_us());
}

static void update(worker *w) {
    char key[24];
    latch_saga_instance saga;
    int64_t k = key_of(w, key);
    latch_status status = latch_saga_get_by_id(&w->cx, &policy, latch_str_of(key), &saga);
    if (status == LATCH_MISSING) {
        insert(w, key, k);
        return;
    }
    if (status != LATCH_OK) return;
    int64_t version = saga.version + 1, t0 = now_us();
    saga.state = latch_object(&w->cx, "by", latch_int(w->options.seed), "call", latch_int(w->call));
    note(w, "\"e\":\"updating\",\"k\":%" PRId64 ",\"version\":%" PRId64, k, version);
    status = latch_saga_update(&w->cx, &policy, &saga, NULL);
    note(w, "\"e\":\"saga\",\"k\":%" PRId64 ",\"status\":\"%s\",\"maybe\":%d,\"version\":%" PRId64 ",\"t0\":%" PRId64 ",\"t1\":%" PRId64, k,
         latch_status_name(status), unknown(w, status), version, t0, now_us());
}

const race races_saga[] = {{"saga", update}, {NULL, NULL}};
