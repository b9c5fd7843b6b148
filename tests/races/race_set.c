/* A set that all change: each process adds and removes elements of its own, which nobody else touches. */
#include <unistd.h>

#include "store/sets.h"
#include "tests/races/worker.h"

#define OWN_MAX 6

static void change(worker *w) {
    static const latch_pkv policy = {.name = "race"};
    static int64_t own[OWN_MAX]; /* numbers of elements that are there, for certain or perhaps */
    static size_t count;
    char key[24], element[48];
    latch_set_change changed;
    int64_t k = key_of(w, key), t0 = now_us();
    bool adds = count == 0 || (count < OWN_MAX && roll(w, 2) == 0);
    int64_t number = adds ? w->call : own[0];
    const latch_pkv_key at = latch_pkv_at(latch_str_of(key), LATCH_STR("set"));
    snprintf(element, sizeof element, "%d-%" PRId64, (int)getpid(), number);
    note(w, "\"e\":\"setting\",\"k\":%" PRId64 ",\"add\":%d,\"el\":\"%s\"", k, adds, element);
    latch_status status = adds ? latch_pkv_add_to_set(&w->cx, &policy, at, latch_str_of(element), NULL, &changed)
                               : latch_pkv_remove_from_set(&w->cx, &policy, at, latch_str_of(element), NULL, &changed);
    bool maybe = unknown(w, status);
    note(w,
         "\"e\":\"set\",\"k\":%" PRId64 ",\"status\":\"%s\",\"maybe\":%d,\"add\":%d,\"el\":\"%s\",\"conflicts\":%zu,\"t0\":%" PRId64
         ",\"t1\":%" PRId64,
         k, latch_status_name(status), maybe, adds, element, changed.conflicts, t0, now_us());
    if (adds && (status == LATCH_OK || maybe)) own[count++] = number;
    if (!adds && status == LATCH_OK) own[0] = own[--count];
    pause_us(roll(w, 2000));
}

const race races_set[] = {{"set", change}, {NULL, NULL}};
