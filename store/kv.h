/*
 * store/kv.h - a key-value table: JSON by a key, one by one, by batches, and page by page.
 *
 *     static const latch_kv profiles = {.name = "profiles"};
 *
 *     LATCH_TRY(latch_kv_set(cx, &profiles, user, latch_object(cx, "theme", "dark")));
 *     LATCH_TRY_BUT(LATCH_MISSING, unknown, latch_kv_get(cx, &profiles, user, &profile));
 *
 * A value is JSON of any kind, kept with its numbers' digits; latch_read(value, "", &n) reads one that is no object. There is no time to
 * live: what is set stays. store/pkv.h has keys in two parts, with lists that cost what they find; store/counter.h counts.
 *
 * Item: pk KV#<name>#<key>, joined and escaped by latch_key; sk KV
 *   data  S  JSON text, at most 390 KB
 * In a table of @paradoxical-io/common-aws KeyValueTable (.paradoxical_table): key S `<name>.<key>`, or the bare key where .name is
 * empty; data as here. There `a` has in it what the name `a.b` has: "a.b.k" is its key "b.k". Other attributes of an item (a counter's)
 * are left alone by set, which that library's own set drops.
 *
 * Requests: 1 a call; of lists 1 a page, of batches 1 per 25 writes or 100 reads. A write costs a write unit per KB of item begun, a read 1
 * read unit per 4 KB, half of it .eventual. One key bears about 1 000 writes and 3 000 reads of such units a second.
 *
 * Every call answers, beside what it lists,
 *
 *   LATCH_E_INPUT   a bad key: empty, not UTF-8, with control bytes, too long for a pk of 2 048 bytes. Nothing was sent
 *   LATCH_E_MISUSE  a bad policy, a value of over 390 KB or that could not be built (nothing was sent); no such table
 *   LATCH_E_DATA    the stored item has no JSON text as `data`
 *   LATCH_E_NOMEM   the arena is full
 *   LATCH_E_*       no answer, or one that says no
 *
 * Repeating. Reads are repeated where no answer comes. Set and delete aren't, unless .repeat: nothing can recognise one that comes late,
 * over what another wrote meanwhile. Then they end with err.maybe_applied: applied, or still to be. Calling again is harmless where nobody
 * else writes that key.
 *
 * Source: GetItem, UpdateItem, Scan, BatchGetItem and BatchWriteItem of the DynamoDB API reference; the layout and rule of KeyValueTable.
 */
#ifndef LATCH_STORE_KV_H
#define LATCH_STORE_KV_H

#include "core/json.h"
#include "store/bulk.h"

LATCH_BEGIN_C

typedef struct latch_kv {
    const char *name; /* begins each key; 1 to 64 bytes of UTF-8, no control bytes; in the model's table the namespace, or empty */
    const char *paradoxical_table; /* NULL: the stores' own table */
    bool eventual;                 /* reads: half the price, and what was written just now may be missing */
    bool repeat;                   /* set, set_batch and delete go again where no answer comes */
    int64_t timeout_ms;            /* of one request with its repeats; 0: 2 s, of lists and batches 30 s; never past the deadline */
} latch_kv;

typedef struct latch_kv_entry {
    latch_str key;    /* without the policy's name */
    latch_json value; /* null where it was not found, or is broken */
    bool found;
    bool broken; /* there is an item, whose `data` is no JSON text */
} latch_kv_entry;

/* LATCH_OK: *out is the value, which may be JSON's null. LATCH_MISSING: there is none; an item without `data`, as a counter's, is none. */
LATCH_NODISCARD latch_status latch_kv_get(latch_ctx *cx, const latch_kv *kv, latch_str key, latch_json *out) LATCH_NONNULL;

/*
 * `count` keys at once, in any number: out[i] is that of keys[i], found or not; a key that comes twice is asked for once. Requests: 1 per
 * 100 keys, and 1 for each time that DynamoDB gives some back. A failure leaves all of `out` as not found.
 */
LATCH_NODISCARD latch_status latch_kv_get_batch(latch_ctx *cx, const latch_kv *kv, const latch_str *keys, size_t count,
                                                latch_kv_entry *out) LATCH_NONNULL;

/* `v`: text, a number, truth (latch_bool), latch_json. Over whatever value is there. */
#define latch_kv_set(cx, kv, key, v) latch_kv_set_((cx), (kv), (key), LATCH_V_(v))
LATCH_NODISCARD latch_status latch_kv_set_(latch_ctx *cx, const latch_kv *kv, latch_str key, latch_value v) LATCH_NONNULL;

typedef struct latch_kv_pair {
    latch_str key;
    latch_json value;
} latch_kv_pair;

/*
 * `count` values, in any number, without a condition and without a transaction: *out says how many are written (of a key that comes twice
 * the last), and with what isn't LATCH_OK how many are left. Whole items are put: a counter's attribute under the same key of a model's
 * table is dropped. Requests: 1 per 25, and 1 for each time that DynamoDB gives some back.
 */
LATCH_NODISCARD latch_status latch_kv_set_batch(latch_ctx *cx, const latch_kv *kv, const latch_kv_pair *pairs, size_t count,
                                                latch_dynamodb_written *out) LATCH_NONNULL;

/* LATCH_OK also where there is none. Deletes the item, whatever else is in it. */
LATCH_NODISCARD latch_status latch_kv_delete(latch_ctx *cx, const latch_kv *kv, latch_str key) LATCH_NONNULL;

/* ── all of them ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct latch_kv_list_request {
    int64_t limit;      /* entries, at most 10 000; 0: 1 000. Of the last page fewer */
    latch_str from;     /* the token of the page before; empty: from the beginning */
    latch_str contains; /* only keys with this in them; empty: all */
} latch_kv_list_request;

typedef struct latch_kv_page {
    const latch_kv_entry *entries; /* `count` of them, all found; live as long as cx */
    size_t count;
    latch_str token; /* of what follows: letters, digits, - and _; empty: that was all */
} latch_kv_page;

/*
 * The next `limit` entries of this name, in the order of the table's hash, which is none. The table is scanned: a list costs what the whole
 * table holds, whoever's it is, a read unit per 4 KB; not for a table that is large, nor for a request that a client waits for.
 *
 * Requests: 1 per MB looked at, or per as many items as are wanted (at least 100), until `limit` are found or there are no more.
 * LATCH_E_INPUT also for a token that is none.
 */
LATCH_NODISCARD latch_status latch_kv_list(latch_ctx *cx, const latch_kv *kv, const latch_kv_list_request *request,
                                           latch_kv_page *out) LATCH_NONNULL;

/* A page of entries, perhaps none; they, and what is made with cx here, are gone when this returns. A status but LATCH_OK ends it all. */
typedef latch_status latch_kv_page_fn(latch_ctx *cx, void *arg, const latch_kv_entry *entries, size_t count);

typedef struct latch_kv_stream_request {
    latch_str contains;
    int64_t delay_ms;   /* between two pages, so that others get their share of the table; 0: none */
    int64_t page_items; /* looked at for one page; 0: as many as 1 MB has */
} latch_kv_stream_request;

/*
 * All entries of this name, page by page, in memory that stays flat. Requests and price as above. LATCH_E_TIMEOUT: the deadline comes
 * before the delay is over. *seen counts the entries that were given.
 */
LATCH_NODISCARD latch_status latch_kv_stream(latch_ctx *cx, const latch_kv *kv, const latch_kv_stream_request *request,
                                             latch_kv_page_fn *page, void *arg, uint64_t *seen) __attribute__((nonnull(1, 2, 3, 4, 6)));

LATCH_END_C

#endif
