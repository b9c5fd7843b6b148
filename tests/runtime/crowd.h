/*
 * crowd.h - a Runtime API for several workers: it hands out `count` events, to whoever asks, and keeps what came of each.
 *
 *     crowd service = {.count = 1000, .timeout_ms = 3000};
 *     crowd_start(&service);
 *     … run the loop, or a child, against service.address …
 *     crowd_stop(&service);
 *     assert_int_equal(service.outcomes[7].responses, 1);
 *     crowd_forget(&service);
 *
 * An event's request id is "r-<i>", its invocation id "i-<i>". Who asks when all were handed out waits until each has an outcome, or
 * `release` is set, and is told then that the service shuts down. It asserts nothing.
 */
#ifndef TESTS_RUNTIME_CROWD_H
#define TESTS_RUNTIME_CROWD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct crowd_outcome {
    atomic_int responses, errors;
    char *body;       /* of the first one, NUL-terminated; NULL: none yet, or `checks` has looked at it */
    char *type;       /* Lambda-Runtime-Function-Error-Type of the first error */
    char *cause;      /* its Lambda-Runtime-Function-XRay-Error-Cause */
    int64_t after_ms; /* from the event to it */
    bool mismatched;  /* the invocation id didn't come back */
} crowd_outcome;

typedef enum crowd_more { /* one event beside `count`, for one that waits, at the moment of the first error: */
                          CROWD_NO_MORE,
                          CROWD_MORE_BEFORE, /* before the error is answered */
                          CROWD_MORE_HALF,   /* its first half before that, the rest 60 ms after */
                          CROWD_MORE_AFTER   /* 60 ms after */
} crowd_more;

typedef struct crowd {
    size_t count;
    crowd_more more;                            /* the number of that event is `count` */
    int64_t timeout_ms;                         /* 0: events have no deadline */
    const char *(*event)(size_t i);             /* NULL: "<i>" */
    bool (*checks)(size_t i, const char *body); /* whether a response is right: it isn't kept then; NULL: each is kept */
    int (*status)(size_t i);                    /* of the answer to an outcome; NULL: 202 */
    atomic_int more_at;                         /* private: 1 wanted, 2 being sent, 3 so much of it as goes first */
    bool only_one_outcome;                      /* a second outcome is 400, as the service does; else it is counted and taken */

    int refuses;   /* who asks for an event over the connection of this number is told 403; 0: nobody */
    int cut_every; /* of so many that ask, the last one is cut off without an answer; 0: none */

    char address[32];
    crowd_outcome *outcomes;
    atomic_size_t handed, answered, wrong;
    atomic_int connections, running, running_max; /* invocations that were handed out and have no outcome */
    atomic_int refused, asked;
    atomic_int init_errors;
    char *init_error; /* the first one's body */
    char *init_type;
    atomic_bool release;
    int listener; /* from here on private */
    int64_t *from_ms;
    pthread_t thread;
    pthread_mutex_t lock;
    atomic_bool stopping;
} crowd;

void crowd_start(crowd *c);
void crowd_stop(crowd *c);
void crowd_forget(crowd *c);

#endif
