#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/ctx_private.h"
#include "store/rate_private.h"

/*
 * What the process remembers of rate limits: a table of fixed size with the client that a worker has to itself. A key has a place in one row,
 * and there takes that of the key that was asked for longest ago: what is forgotten costs a request.
 */
#define ROWS 32
#define WAYS 4

struct latch_rate_memory {
    uint64_t seeds[2]; /* of the process: which keys share an id can't be worked out from outside */
    uint64_t uses;
    latch_rate_known known[ROWS][WAYS];
};

/* Both halves of a product of two words: one changed bit of either changes about half of the result's. */
static uint64_t fold(uint64_t a, uint64_t b) {
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t mix(uint64_t h, latch_str s) {
    for (size_t at = 0; at < s.len; at += 8) {
        uint64_t word = 0;
        memcpy(&word, s.ptr + at, s.len - at < 8 ? s.len - at : 8);
        h = fold(h ^ word, UINT64_C(0x9E3779B97F4A7C15));
    }
    return fold(h ^ s.len, UINT64_C(0xD6E8FEB86659FD93));
}

static struct latch_rate_memory *memory_of(latch_client *client) {
    if (client->rate != NULL) return client->rate;
    struct latch_rate_memory *made = calloc(1, sizeof *made);
    if (made == NULL) return NULL;
    if (getentropy(made->seeds, sizeof made->seeds) != 0) {
        free(made);
        return NULL;
    }
    return client->rate = made;
}

latch_rate_known *latch_rate_recall(latch_ctx *cx, const char *table, latch_str pk) {
    struct latch_rate_memory *memory = memory_of(cx->table->client);
    if (memory == NULL) return NULL;
    uint64_t id[2];
    for (size_t i = 0; i < 2; i++)
        id[i] = mix(mix(memory->seeds[i], latch_str_of(table)), pk);
    latch_rate_known *row = memory->known[id[0] % ROWS], *oldest = row;
    for (latch_rate_known *k = row; k < row + WAYS; k++) {
        if (k->used < oldest->used) oldest = k;
        if (k->used == 0 || memcmp(k->id, id, sizeof id) != 0) continue;
        k->used = ++memory->uses;
        return k;
    }
    *oldest = (latch_rate_known){.id = {id[0], id[1]}, .used = ++memory->uses};
    return oldest;
}

void latch_rate_forget(latch_ctx *cx) {
    if (cx->table == NULL) return;
    free(cx->table->client->rate);
    cx->table->client->rate = NULL;
}
