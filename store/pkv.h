/*
 * store/pkv.h - a key-value table in partitions: JSON by a key of two parts, and lists of one partition that cost what they find.
 *
 *     static const latch_pkv carts = {.name = "carts"};
 *
 *     LATCH_TRY(latch_pkv_set(cx, &carts, latch_pkv_at(user, sku), latch_object(cx, "qty", qty)));
 *     LATCH_TRY(latch_pkv_list(cx, &carts, user, &(latch_pkv_list_request){.limit = 20}, &page));
 *
 * Values as in store/kv.h. store/sets.h has sets under the same keys, store/counter.h counters.
 *
 * Item: pk PKV#<name>#<partition>, sk KEY#<sort>, joined and escaped by latch_key
 *   data  S  JSON text, at most 390 KB
 *   md5   S  of the value with its members sorted: what the model's sets are conditioned on (store/sets.h)
 *   ver   S  a UUID per write: what ours are
 * In a table of @paradoxical-io/common-aws PartitionedKeyValueTable (.paradoxical_table): partitionKey S, sortKey S `<name>.<sort>`, the
 * bare sort key where .name is empty, or N with .sort_is_number; data, md5 and ver as here.
 *
 * Requests: 1 a call; of a list 1 a page. A write costs a write unit per KB of item begun, a read 1 read unit per 4 KB, half of it
 * .eventual. One partition bears about 1 000 such writes and 3 000 such reads a second, over all its keys.
 *
 * Statuses and repeating as in store/kv.h; LATCH_E_INPUT also for a partition of over 2 048 bytes or a sort key of over 1 024, as stored.
 *
 * Source: GetItem, UpdateItem, Query and BatchWriteItem of the DynamoDB API reference; the layout and rule of PartitionedKeyValueTable.
 */
#ifndef LATCH_STORE_PKV_H
#define LATCH_STORE_PKV_H

#include "store/kv.h"

LATCH_BEGIN_C

typedef struct latch_pkv {
    const char *name; /* begins each key; 1 to 64 bytes of UTF-8, no control bytes; in the model's table the namespace, or empty */
    const char *paradoxical_table; /* NULL: the stores' own table */
    bool sort_is_number;           /* of the model's table: its sortKey is a number, "1767225600000"; .name is empty then */
    bool eventual;                 /* get, exists and list: half the price; sets always read strongly */
    bool repeat;                   /* set, set_batch, delete and clear go again where no answer comes */
    int64_t timeout_ms;            /* of one request with its repeats; 0: 2 s, of lists and batches 30 s; never past the deadline */
} latch_pkv;

typedef struct latch_pkv_key {
    latch_str partition, sort; /* UTF-8, no control bytes, not empty */
} latch_pkv_key;

static inline latch_pkv_key latch_pkv_at(latch_str partition, latch_str sort) {
    latch_pkv_key key;
    key.partition = partition;
    key.sort = sort;
    return key;
}

/* As latch_kv_get and latch_kv_set_. */
LATCH_NODISCARD latch_status latch_pkv_get(latch_ctx *cx, const latch_pkv *pkv, latch_pkv_key key, latch_json *out) LATCH_NONNULL;
#define latch_pkv_set(cx, pkv, key, v) latch_pkv_set_((cx), (pkv), (key), LATCH_V_(v))
LATCH_NODISCARD latch_status latch_pkv_set_(latch_ctx *cx, const latch_pkv *pkv, latch_pkv_key key, latch_value v) LATCH_NONNULL;

/*
 * LATCH_OK: it was not there, and now is. LATCH_CONFLICT: it was there, a counter too, and stays; with err.maybe_applied, a try of this
 * call got no answer, so it may be another's that came after this one's was removed. A lost reply is repeated, and recognised by `ver`.
 */
#define latch_pkv_set_if_not_exists(cx, pkv, key, v) latch_pkv_set_if_not_exists_((cx), (pkv), (key), LATCH_V_(v))
LATCH_NODISCARD latch_status latch_pkv_set_if_not_exists_(latch_ctx *cx, const latch_pkv *pkv, latch_pkv_key key,
                                                          latch_value v) LATCH_NONNULL;

/* Whether there is an item, a counter too. */
LATCH_NODISCARD latch_status latch_pkv_exists(latch_ctx *cx, const latch_pkv *pkv, latch_pkv_key key, bool *out) LATCH_NONNULL;

LATCH_NODISCARD latch_status latch_pkv_delete(latch_ctx *cx, const latch_pkv *pkv, latch_pkv_key key) LATCH_NONNULL;

typedef struct latch_pkv_pair {
    latch_pkv_key key;
    latch_json value;
} latch_pkv_pair;

/* As latch_kv_set_batch. */
LATCH_NODISCARD latch_status latch_pkv_set_batch(latch_ctx *cx, const latch_pkv *pkv, const latch_pkv_pair *pairs, size_t count,
                                                 latch_dynamodb_written *out) LATCH_NONNULL;

typedef struct latch_pkv_list_request {
    int64_t limit;  /* entries, at most 10 000; 0: 1 000 */
    latch_str from; /* the token of the page before; empty: from the beginning */
    bool backward;  /* descending by sort key */
} latch_pkv_list_request;

/*
 * The next `limit` entries of the partition, of this name alone, by the bytes of their sort keys (natively with # and % escaped; numbers by
 * value). A counter's value is its number. Requests: 1, and 1 more for each MB. Read units: 1 per 4 KB of what is found.
 */
LATCH_NODISCARD latch_status latch_pkv_list(latch_ctx *cx, const latch_pkv *pkv, latch_str partition, const latch_pkv_list_request *request,
                                            latch_kv_page *out) LATCH_NONNULL;

/*
 * Deletes all of the partition, of this name alone, counters too. *deleted counts them, also where it fails on the way. What is set
 * meanwhile may be deleted or stay. Requests: 1 query per MB and 1 batch per 25; write units: 1 per KB of each begun. Repeating: harmless.
 */
LATCH_NODISCARD latch_status latch_pkv_clear(latch_ctx *cx, const latch_pkv *pkv, latch_str partition, uint64_t *deleted) LATCH_NONNULL;

LATCH_END_C

#endif
