/* store/typed.h - what the typed requests (items.c, pages.c, transact.c) are written with: their documents, sent and understood. */
#ifndef LATCH_STORE_TYPED_H
#define LATCH_STORE_TYPED_H

#include "core/text.h"
#include "store/client.h"
#include "store/transact.h"

#define LATCH_PAGE_SEGMENTS_MAX 1000000

/* "TableName":"orders"; NULL: LATCH_TABLE's */
void latch_typed_put_table(latch_ctx *cx, latch_text_writer *t, const char *table);

/* "TableName":…,"Key":{…} and expressions, without braces around. The bytes of the item, of a put. */
size_t latch_typed_put_action(latch_ctx *cx, latch_text_writer *t, const latch_dynamodb_action *a);
void latch_typed_put_get(latch_ctx *cx, latch_text_writer *t, const latch_dynamodb_get_request *get);

typedef struct latch_typed {
    const char *shown;     /* "put": begins messages */
    const char *operation; /* "PutItem" */
    bool item, reads, repeatable;
    int64_t timeout_ms;
    latch_dynamodb_cost *cost; /* NULL: not asked for; else added to */
} latch_typed;

/* Ends the document in `t`, within whose braces it stands, with the capacity that is asked for and a brace; and sends it. */
LATCH_NODISCARD latch_status latch_typed_send(latch_ctx *cx, const latch_typed *how, latch_text_writer *t, latch_answer *answer);

/* latch_dynamodb_transact_write, whose messages begin with `shown`. */
LATCH_NODISCARD latch_status latch_typed_transact(latch_ctx *cx, const char *shown, const latch_dynamodb_transact_write_request *request,
                                                  latch_dynamodb_cancelled *why);

#endif
