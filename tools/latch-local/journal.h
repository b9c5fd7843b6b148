/*
 * journal.h - the last invocations, as the page at /_latch tells of them: bounded in number and in bytes.
 *
 * Each record knows when it changed last, by a number that only grows: who has seen everything up to one number asks for what came after.
 */
#ifndef LATCH_LOCAL_JOURNAL_H
#define LATCH_LOCAL_JOURNAL_H

#include <yyjson.h>

#include "effort.h"
#include "invocation.h"

#define LATCH_JOURNAL_RECORDS 200                      /* the last ones */
#define LATCH_JOURNAL_BYTES ((size_t)32 * 1024 * 1024) /* of events, answers and logs; the oldest record goes first */
#define LATCH_JOURNAL_SHOWN_BYTES ((size_t)64 * 1024)  /* of an event or an answer; the rest is counted */
#define LATCH_JOURNAL_LOG_BYTES ((size_t)16 * 1024)    /* of a log: its first and its last half; lines between are counted */

typedef struct latch_record {
    uint64_t id; /* from 1 */
    uint64_t changed;
    size_t function;
    char *name, *title; /* of the function; "GET /products/tea" */
    char request_id[37];
    int64_t began_at_ms;
    bool is_over, is_streamed;
    /* once it is over */
    latch_outcome outcome;
    unsigned status;              /* of HTTP */
    char *problem;                /* NULL: none */
    char *note;                   /* what happened after the answer, and what no runtime may do; NULL */
    char *brief;                  /* the answer on one line, cut; NULL: it was streamed */
    int64_t duration_ns, init_ns; /* init_ns -1: warm */
    /* what it was about */
    latch_buffer event;  /* whole: it may be played again */
    latch_buffer answer; /* cut */
    size_t answer_bytes; /* uncut */
    latch_buffer log, log_end;
    size_t log_bytes_left_out;
    latch_effort effort;
} latch_record;

typedef struct latch_journal {
    latch_record *records[LATCH_JOURNAL_RECORDS]; /* at id % LATCH_JOURNAL_RECORDS; NULL: none */
    uint64_t last_id, last_change;
    uint64_t oldest; /* nothing before this id is kept */
    size_t bytes;
} latch_journal;

latch_record *latch_journal_begin(latch_journal *j, size_t function, const char *name, const char *title, latch_str event);
latch_record *latch_journal_find(const latch_journal *j, uint64_t id);                  /* NULL: not kept (any more) */
latch_record *latch_journal_find_request(const latch_journal *j, latch_str request_id); /* one that is over; NULL */
void latch_journal_log(latch_journal *j, latch_record *r, latch_str line);
void latch_journal_bytes(latch_journal *j, latch_record *r, latch_str bytes);
void latch_journal_end(latch_journal *j, latch_record *r, const latch_invocation *inv, unsigned status, const char *problem);
void latch_journal_clean_up(latch_journal *j);

/* The first one in the order of changes that changed after `seen`; NULL: none. */
latch_record *latch_journal_changed(const latch_journal *j, uint64_t seen);

/* As JSON, the caller's to free: a line of the list; all of it. */
char *latch_journal_summary(const latch_record *r, size_t *out_len);
char *latch_journal_whole(const latch_record *r, size_t *out_len);

#endif
