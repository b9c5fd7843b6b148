/* session.h - DynamoDB for one command: opened as a function's process opens it, by options and the environment. */
#ifndef LATCH_TOOL_SESSION_H
#define LATCH_TOOL_SESSION_H

#include "core/ctx_private.h"
#include "options.h"
#include "store/dynamodb/settings.h"
#include "store/open.h"

typedef struct latch_connection { /* options; NULL: not given */
    const char *region, *profile, *endpoint;
} latch_connection;

/* The rows of an options' table for what is above. */
#define LATCH_CONNECTION_OPTIONS(c)                                                                                                        \
    {"--region", LATCH_OPTION_TEXT, &(c)->region, 0, 0}, {"--profile", LATCH_OPTION_TEXT, &(c)->profile, 0, 0}, {                          \
        "--endpoint", LATCH_OPTION_TEXT, &(c)->endpoint, 0, 0                                                                              \
    }

typedef struct latch_session {
    latch_ctx cx;
    latch_arena arena;
    void *memory;
    latch_settings settings; /* where it is, for messages */
    latch_stores stores;
} latch_session;

/* An arena and a clock: what needs no connection. Never fails. */
void latch_session_begin(latch_session *s);

/* Options go before the environment, a table's name before LATCH_TABLE: all are set in this process's own. connect does it, too. */
void latch_session_set(const latch_connection *connection, const char *table);

/*
 * Options go before the environment, a table's name before LATCH_TABLE: all are set in this process's own. The table's name is then
 * s->stores.table.name. Not LATCH_OK: s->cx.err says what to do. end it either way.
 */
LATCH_NODISCARD latch_status latch_session_connect(latch_session *s, const latch_connection *connection, const char *table);
void latch_session_end(latch_session *s);

const char *latch_session_table(const char *given); /* given, LATCH_TABLE, "latch" */

#endif
