/* runtime/record_private.h - what is inside a latch_record. For record.c and batch.c. */
#ifndef LATCH_RUNTIME_RECORD_PRIVATE_H
#define LATCH_RUNTIME_RECORD_PRIVATE_H

#include "core/ctx_private.h"
#include "runtime/record.h"

struct latch_record {
    latch_ctx *cx;
    latch_record_source source;
    const char *place; /* "event.Records[3]" */
    latch_json whole;
    latch_str id, group, bytes;
};

/* What a batch knows of each of its records before the first one runs. */
typedef struct latch_record_head {
    latch_record_source source;
    latch_json whole;
    latch_str id;         /* what latch_record_id says */
    latch_str identifier; /* what batchItemFailures wants: messageId, sequence number */
    latch_str group;
    bool fifo; /* of a queue that keeps the order of a group */
} latch_record_head;

/* LATCH_E_INPUT names the field without which a record can't be told, or reported. */
LATCH_NODISCARD latch_status latch_record_read_head(latch_ctx *cx, latch_json whole, size_t i, latch_record_head *out);

/* The record of `cx` itself. LATCH_E_INPUT: there is nothing to read in it. */
LATCH_NODISCARD latch_status latch_record_open(latch_ctx *cx, const latch_record_head *head, size_t i, latch_record *out);

#endif
