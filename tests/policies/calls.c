#include "tests/policies/calls.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/ctx.h"
#include "store/layouts.h"
#include "store/tables.h"

rig *alice, *bob;
latch_str key;
const latch_sweep all_of_it = {.all = true};

play plays[PLAYS_MAX];
size_t play_count;

latch_json some(rig *r, const char *name) { return latch_object(&r->cx, "name", name); }
latch_str numbered(rig *r, int number) { return latch_ctx_text(&r->cx, "%.*s-%d", LATCH_ARG(key), number); }

void need(rig *r, latch_status status) {
    if (status == LATCH_OK) return;
    fprintf(stderr, "calls: %s\n", r->cx.err.message);
    abort();
}

static const play_group groups[] = {
    {"store/cache.h", cache_plays},
    {"store/dedupe.h", dedupe_plays},
    {"store/lock.h", lock_plays},
    {"store/once.h", once_plays},
    {"store/attempts.h", attempts_plays},
    {"store/kv.h", kv_plays},
    {"store/pkv.h", pkv_plays},
    {"store/sets.h", sets_plays},
    {"store/counter.h", counter_plays},
    {"store/saga.h", saga_plays},
    {"store/saga_run.h", saga_run_plays},
    {"store/rate.h", rate_plays},
    {"store/adaptive.h", adaptive_plays},
    {"store/cooldown.h", cooldown_plays},
    {NULL, once_event_plays},
    {NULL, item_plays},
    {NULL, table_plays},
};

static void collect(void) {
    play_count = 0;
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        for (const play *p = groups[g].plays; p->call != NULL; p++) {
            if (play_count == PLAYS_MAX) abort();
            plays[play_count] = *p;
            plays[play_count++].store = groups[g].store;
        }
    }
}

void plays_open(rig *anns, rig *bobs) {
    alice = anns;
    bob = bobs;
    items_open();
    need(bob, latch_dynamodb_table_create(&bob->cx, "sagas", latch_layout_find("saga-bus")->schema));
    need(bob, latch_dynamodb_table_wait(&bob->cx, "sagas", NULL));
    collect();
}

static void open_table(const char *name) {
    need(bob, latch_dynamodb_table_create(&bob->cx, name, NULL));
    need(bob, latch_dynamodb_table_wait(&bob->cx, name, NULL));
}

void plays_begin(const play *p, const char *text) {
    static char own[64];
    rig_again(alice, 0);
    rig_again(bob, 0);
    key = latch_str_of(text);
    snprintf(own, sizeof own, "own-%s", text);
    alice->table.name = bob->table.name = p->own_table ? own : "latch";
    if (p->own_table) open_table(own);
}
