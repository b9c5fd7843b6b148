/*
 * store/pace.h - how fast calls may go out: a bucket of retries, the delay before each, a wait after throttling, a circuit breaker. What
 * the connections of one client share: any number of threads may use one. While all goes well it costs one atomic read a call.
 *
 *     latch_pace_ticket ticket;
 *     if (!latch_pace_begin(pace, &clock, &ticket)) …                  the breaker is open until ticket.retry_at_ms
 *     … wait ticket.wait_ms, send; before each repeat latch_pace_delay_ms, then latch_pace_spend …
 *     latch_pace_end(pace, &clock, &ticket, LATCH_PACE_SERVED);        always, once
 *
 * Numbers are botocore's standard mode as of 1.44.5 (its retries/standard.py and quota), and DynamoDB's of it.
 */
#ifndef LATCH_STORE_PACE_H
#define LATCH_STORE_PACE_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/clock.h"
#include "store/dynamodb.h"

#define LATCH_PACE_TOKENS 500         /* in a full bucket */
#define LATCH_PACE_COST 14            /* of a repeat */
#define LATCH_PACE_COST_THROTTLED 5   /* of one after throttling */
#define LATCH_PACE_DELAY_MAX_MS 20000 /* before a repeat */
#define LATCH_PACE_WAIT_MS 100        /* before each call, once one was throttled; doubled each time that one is */
#define LATCH_PACE_WAIT_MAX_MS 5000

typedef struct latch_pace_options {
    int64_t base_ms; /* of delays: random, below this × 2^repeats; after throttling it is 1 s */
    bool breaker;    /* false: the breaker never opens */
    int failures;    /* calls in a row that got no answer open it; at least 1 */
    int64_t open_ms; /* until one call may probe; at least 0 */
    bool waits;      /* calls wait once one was throttled */
} latch_pace_options;

typedef struct latch_pace {
    double (*random)(void *self); /* from 0 to below 1; default: the system's. A test may replace it */
    void *random_self;

    atomic_bool calm; /* private from here on; true: full bucket, no wait, no failure */
    pthread_mutex_t mutex;
    latch_pace_options options;
    int tokens;
    int64_t wait_us; /* 0: calls don't wait */
    latch_breaker_state state;
    bool probing; /* half-open, and a probe is out */
    int failures;
    latch_instant opened;
    int64_t opened_at_ms, last_failure_at_ms;
    char last_failure[sizeof((latch_breaker *)NULL)->last_failure];
} latch_pace;

void latch_pace_init(latch_pace *pace, const latch_pace_options *options);
void latch_pace_clean_up(latch_pace *pace);

typedef struct latch_pace_ticket { /* of one call */
    int64_t wait_ms;               /* before its first try */
    int64_t retry_at_ms;           /* where it may not go out */
    bool probe;                    /* whether the breaker opens or closes is decided by it */
    bool throttled;                /* to be set where a try was */
    int spent;                     /* the cost of its last repeat; 0: it was not repeated */
    const char *why;               /* to be set where it failed: in words; borrowed until its end */
} latch_pace_ticket;

typedef enum latch_pace_outcome {
    LATCH_PACE_SERVED,   /* a 200 */
    LATCH_PACE_ANSWERED, /* DynamoDB said no: it is there, and what its breaker counted is over */
    LATCH_PACE_FAILED,   /* no answer in all its tries: 5xx, no connection, none in time */
    LATCH_PACE_UNDECIDED /* nothing was learnt: it was not sent, or had no time to be answered */
} latch_pace_outcome;

/* May a call go out? false: the breaker is open, or half-open with its one probe out; `out` then needs no end. */
LATCH_NODISCARD bool latch_pace_begin(latch_pace *pace, const latch_clock *clock, latch_pace_ticket *out);
void latch_pace_end(latch_pace *pace, const latch_clock *clock, const latch_pace_ticket *ticket, latch_pace_outcome outcome);

/* How long to wait before the repeat after so many (0: the first). retry_after_ms: what the other side asks for, held to 5 s more. */
int64_t latch_pace_delay_ms(latch_pace *pace, bool throttled, int repeats, int64_t retry_after_ms);

/* Takes a repeat's tokens from the bucket; false: there aren't so many, and the call is not to be repeated. */
LATCH_NODISCARD bool latch_pace_spend(latch_pace *pace, bool throttled, latch_pace_ticket *ticket);

/* Could a repeat that wasn't throttled be paid for, as the bucket is now? */
bool latch_pace_affords(latch_pace *pace);

latch_breaker latch_pace_look(latch_pace *pace, const latch_clock *clock);
void latch_pace_reset(latch_pace *pace); /* closes the breaker, forgets its failures and the wait; the bucket stays */

#endif
