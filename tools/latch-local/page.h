/*
 * page.h - the page at /_latch: invocations as they come, with their events, answers, logs and store requests.
 *
 * Its own paths are /_latch and all below: the page, /_latch/events (server-sent events: a summary of each invocation whenever it
 * changes), /_latch/invocations/ID (all that is kept of one, as JSON) and POST /_latch/again/ID (plays its event again).
 *
 * It shows what people put in requests, so it answers this machine alone: clients from a loopback address that ask for a loopback name (a
 * site that has its own name point to 127.0.0.1 gets nothing), and a POST from the page itself alone. Nothing in it comes from elsewhere.
 */
#ifndef LATCH_LOCAL_PAGE_H
#define LATCH_LOCAL_PAGE_H

#include "invocation.h"
#include "server.h"

#define LATCH_PAGE_ROOT "/_latch"
#define LATCH_PAGE_READERS 16 /* of /_latch/events at a time; one more is a 503 */

typedef struct latch_page latch_page;

typedef struct latch_page_config {
    latch_loop *loop;
    /* Plays the event again, for the function with this index: the new record's number, 0 where it can't. Only queued when it returns.
       What it gets is borrowed, from a record that may have to make room for the new one. */
    uint64_t (*again)(void *arg, size_t function, const char *title, latch_str event);
    void *arg;
} latch_page_config;

latch_page *latch_page_start(const latch_page_config *config);
void latch_page_stop(latch_page *p); /* before the server does: its readers' streams end */

bool latch_page_is_loopback(const char *address); /* "127.0.0.1", "::1" */
bool latch_page_is_its(latch_str path);
void latch_page_answer(latch_page *p, latch_exchange *x, latch_str path); /* replies, or keeps x as a reader */

/* What is written down. Each takes NULL for `p`, and numbers that are not kept any more: nothing happens then. */
typedef struct latch_page_begun {
    size_t function; /* its index */
    const char *name;
    const char *title; /* "GET /products/tea" */
    latch_str event;
} latch_page_begun;

uint64_t latch_page_begin(latch_page *p, const latch_page_begun *what); /* its number, from 1; all is copied */
void latch_page_log(latch_page *p, uint64_t id, latch_str line);
void latch_page_log_late(latch_page *p, latch_str request_id, latch_str line); /* of one that has ended */
void latch_page_bytes(latch_page *p, uint64_t id, latch_str bytes);            /* of a streamed answer */
void latch_page_end(latch_page *p, uint64_t id, const latch_invocation *inv, unsigned status, const char *problem);

#endif
