/*
 * store/tables.h - DynamoDB's tables: create, ensure, describe, delete, wait, time to live, health.
 *
 *     latch_dynamodb_ensured table;
 *     LATCH_TRY(latch_dynamodb_table_ensure(cx, NULL, NULL, NULL, &table));
 *
 * For set-up, tools and tests: in production a table is created once, by a template (`latch table schema`), and a function has no right to
 * create one. `table` NULL is the stores' own table, a schema NULL latch_dynamodb_schema_default.
 *
 * What every call may answer beside what it lists: LATCH_E_MISUSE (a bad name, a bad schema, no store is open, or DynamoDB calls the request
 * invalid), LATCH_E_DENIED, LATCH_E_THROTTLED, LATCH_E_NETWORK, LATCH_E_TIMEOUT, LATCH_E_DATA, LATCH_E_NOMEM. `out` is always written; its
 * texts live as long as cx. Rights: dynamodb:CreateTable, DescribeTable, DeleteTable, UpdateTimeToLive, DescribeTimeToLive.
 *
 * Source: CreateTable, DescribeTable, DeleteTable, UpdateTimeToLive and DescribeTimeToLive of the DynamoDB API reference; the waiters
 * TableExists and TableNotExists of AWS's SDKs, which ask every 20 s.
 */
#ifndef LATCH_STORE_TABLES_H
#define LATCH_STORE_TABLES_H

#include "core/pairs.h"
#include "store/schema.h"

LATCH_BEGIN_C

/* ── what a table is ────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct latch_dynamodb_key_info {
    latch_str name; /* empty: there is no such key */
    char type;      /* 'S', 'N', 'B' */
} latch_dynamodb_key_info;

typedef struct latch_dynamodb_index_info {
    latch_str name;
    latch_str status; /* "ACTIVE", "CREATING", …; a local one has none of its own: empty */
    bool local;
    latch_dynamodb_key_info pk, sk;
    latch_str projection; /* "ALL", "KEYS_ONLY", "INCLUDE" */
    int64_t items, bytes; /* as the table's */
} latch_dynamodb_index_info;

typedef struct latch_dynamodb_table_info {
    latch_str name, arn;
    latch_str status; /* "CREATING", "UPDATING", "ACTIVE", "DELETING", … */
    latch_dynamodb_key_info pk, sk;
    latch_dynamodb_index_info *indexes; /* global ones, then local ones */
    size_t index_count;
    int64_t items, bytes;            /* as DynamoDB counted them last: up to six hours ago */
    int64_t created_at_ms;           /* 0: it doesn't say */
    bool on_demand;                  /* else provisioned: */
    int64_t read_units, write_units; /* a second */
    latch_str ttl;                   /* the attribute; empty: time to live is off */
    latch_str ttl_status;            /* "ENABLED", "ENABLING", "DISABLED", "DISABLING" */
    bool deletion_protected;
} latch_dynamodb_table_info;

/*
 * Requests: 2. LATCH_MISSING: there is no such table. Where the second fails, DescribeTimeToLive, *out is what the first one told: its
 * `status` isn't empty then, and its ttl_status is.
 */
LATCH_NODISCARD latch_status latch_dynamodb_table_describe(latch_ctx *cx, const char *table, latch_dynamodb_table_info *out)
    __attribute__((nonnull(1, 3)));

/*
 * Whether the stores, or whoever wrote `schema`, can use it: its keys by name and type, and every index of the schema by name, keys and
 * projection (of INCLUDE not the list). More indexes do no harm; neither does time to live that is off. LATCH_E_MISUSE says the first
 * difference. No request.
 */
LATCH_NODISCARD latch_status latch_dynamodb_table_fits(latch_ctx *cx, const latch_dynamodb_table_info *info,
                                                       const latch_dynamodb_schema *schema) __attribute__((nonnull(1, 2)));

/* ── creating and deleting ──────────────────────────────────────────────────────────────────────────────────────────────── */

/* How long, and who wants to know. NULL where one is asked for: the defaults. */
typedef struct latch_dynamodb_wait {
    int64_t timeout_ms;                                                                    /* 0: 60 s; never past the deadline */
    void (*progress)(void *arg, const char *table, const char *status, int64_t waited_ms); /* before each pause; NULL: nobody */
    void *arg;
} latch_dynamodb_wait;

/*
 * Starts to create it: until it is ACTIVE (latch_dynamodb_table_wait) it takes no items; time to live can be turned on only then. Requests: 1;
 * repeated where no answer comes. LATCH_CONFLICT: there is one of this name; with err.maybe_applied it may have been created by this call.
 */
LATCH_NODISCARD latch_status latch_dynamodb_table_create(latch_ctx *cx, const char *table, const latch_dynamodb_schema *schema)
    __attribute__((nonnull(1)));

typedef struct latch_dynamodb_ensured {
    bool created;    /* by this call */
    bool ttl_turned; /* on, by this call */
    latch_dynamodb_table_info info;
} latch_dynamodb_ensured;

/*
 * The table is there, ACTIVE, fits, and has its time to live turned on, when this returns LATCH_OK; what isn't there is created. Of a table
 * that is there nothing is changed, but time to live that is off is turned on. It may be called again, and by several at once. Requests:
 * 2 for one that is there as it should be; to create: 6, and 1 for each look while waiting, after 0.1 s, later every 2 s.
 *
 * LATCH_E_MISUSE   it is there and doesn't fit, or its time to live goes by another attribute: the message says what differs
 * LATCH_E_TIMEOUT  it was not ACTIVE in time: it may still become so, call again
 */
LATCH_NODISCARD latch_status latch_dynamodb_table_ensure(latch_ctx *cx, const char *table, const latch_dynamodb_schema *schema,
                                                         const latch_dynamodb_wait *wait, latch_dynamodb_ensured *out)
    __attribute__((nonnull(1, 5)));

/*
 * Starts to delete it, with all its items. Requests: 1; repeated where no answer comes, and LATCH_OK too where a repeat finds it gone.
 * LATCH_MISSING: there is none. LATCH_CONFLICT: it is being created or changed. LATCH_E_MISUSE also: it is protected against deletion.
 */
LATCH_NODISCARD latch_status latch_dynamodb_table_delete(latch_ctx *cx, const char *table) __attribute__((nonnull(1)));

/* Until it is ACTIVE. LATCH_MISSING: it was not there at any look; right after its creation that may last a moment, and is waited for. */
LATCH_NODISCARD latch_status latch_dynamodb_table_wait(latch_ctx *cx, const char *table, const latch_dynamodb_wait *wait)
    __attribute__((nonnull(1)));
LATCH_NODISCARD latch_status latch_dynamodb_table_wait_gone(latch_ctx *cx, const char *table, const latch_dynamodb_wait *wait)
    __attribute__((nonnull(1))); /* LATCH_E_TIMEOUT: it is still there */

/*
 * Time to live on, by `attribute`. It is no error where it is on already; *turned (NULL: nobody wants to know) says so. Requests: 1 or 2.
 * LATCH_MISSING: no such table. LATCH_E_MISUSE: it is on by another attribute; DynamoDB lets it be changed once an hour.
 */
LATCH_NODISCARD latch_status latch_dynamodb_table_ttl(latch_ctx *cx, const char *table, const char *attribute, bool *turned)
    __attribute__((nonnull(1, 3)));

/* ── health ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct latch_dynamodb_health {
    bool reachable;   /* something answered, as DynamoDB does */
    bool active;      /* and the table takes items: ACTIVE, or UPDATING */
    int64_t ms;       /* what the request took, with its repeats */
    latch_str status; /* the table's; empty: there is none, or no answer */
} latch_dynamodb_health;

/*
 * One DescribeTable: endpoint, credentials, rights and table at once. LATCH_OK: healthy. LATCH_MISSING: no such table. LATCH_CONFLICT: it
 * isn't active, out->status says what it is. Else what went wrong; `out` is filled as far as it is known.
 */
LATCH_NODISCARD latch_status latch_dynamodb_table_health(latch_ctx *cx, const char *table, latch_dynamodb_health *out)
    __attribute__((nonnull(1, 3)));

LATCH_END_C

#endif
