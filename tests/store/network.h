/*
 * network.h - a world's table seen through a network that any number of threads may use: it gives parts of batches back, throttles, loses
 * and fails, answers in another order, and counts. And callers of it, each with a context and an arena.
 */
#ifndef TESTS_STORE_NETWORK_H
#define TESTS_STORE_NETWORK_H

#include <pthread.h>

#include "core/usage.h"
#include "tests/rig.h"

typedef struct network {
    rig_world *world;
    latch_clock clock; /* the world's; pauses of several threads at once are one pause */

    /* One of so many, by chance; 0: none. */
    uint32_t gives_back_in; /* writes and keys of a batch, unprocessed */
    uint32_t throttles_in, loses_before_in, loses_after_in, refuses_connection_in;

    uint64_t fails_from;     /* the request with this number (from 1), and all after it, find no connection; 0: none */
    uint64_t throttles_from; /* these are throttled */
    bool takes_nothing;      /* every batch comes back whole */
    bool has_no_more;        /* no connection beside the first */
    bool shares;             /* any number of threads may use the one transport */
    bool forgets;            /* broken: what is unprocessed is dropped, and not said */
    bool stands_still;       /* pauses take no time */
    size_t fits_keys;        /* a batch of more finds no memory for its answer; 0: all fit */
    size_t room_bytes;       /* of answers that are larger than a few MB */
    int64_t takes_ms;        /* of the clock, each request */
    int64_t holds_us;        /* of the real clock, so that requests overlap */

    atomic_uint_least64_t requests, given_back, lost, throttled;
    atomic_size_t opened, closed; /* connections beside the first */
    atomic_size_t running, most_running;
    atomic_int_least64_t slept_ms;
    atomic_uint_least32_t dice;
    size_t largest_batch, largest_bytes; /* of the requests, under the mutex */
    pthread_mutex_t mutex;
} network;

void network_open(network *n, rig_world *world, uint32_t seed);
void network_close(network *n);
latch_transport network_transport(network *n);
void network_well(network *n); /* nothing is wrong any more, and the counts begin anew */

typedef struct caller {
    latch_client_options options; /* of the client, from the next caller_again on */
    latch_client client;
    latch_table table;
    latch_arena arena;
    latch_scope scope;
    latch_usage usage;
    latch_ctx cx;
    char *memory;
} caller;

void caller_init(caller *c, network *n, size_t arena_bytes);
void caller_clean_up(caller *c);
void caller_again(caller *c); /* client, arena, scope, usage and error begin anew */

/* One request past the network; the answer's text is checked to be a 200. */
void world_ask(rig_world *world, const char *operation, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
const char *unique_table(const char *stem); /* a name that no other test has; one at a time per stem, valid for the process */

uint32_t dice_roll(uint32_t *seed, uint32_t sides);

#endif
