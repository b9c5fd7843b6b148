/*
 * store/counter.h - counters: whole numbers of 64 bits that any number of callers raise and lower, by a key, in partitions, or behind a
 * function that makes the key.
 *
 *     static const latch_counter visits = {.name = "visits"};
 *     static const latch_counter stock = {.name = "stock", .has_least = true, .least = 0, .exact = true};
 *
 *     LATCH_TRY(latch_counter_incr(cx, &visits, page, 1, &count));
 *     LATCH_TRY_BUT(LATCH_LIMITED, sold_out, latch_counter_decr(cx, &stock, sku, qty, NULL));
 *
 * Bound: a counter's bounds hold at each moment, under any number of callers, crashes, lost and late requests: a change is checked and
 * applied in one. What a call that returned LATCH_OK counted is counted once.
 *
 * Item: pk COUNTER#<name>#<key>, sk COUNTER; in partitions pk PKV#<name>#<partition>, sk KEY#<sort>, beside what store/pkv.h keeps there;
 * joined and escaped by latch_key
 *   count  N
 * In a table of @paradoxical-io/common-aws KeyValueCounter or PartitionedKeyValueCounter (.paradoxical_table): the keys of store/kv.h and
 * store/pkv.h there, and `count`.
 *
 * Requests: 1 a call. Write units: 1, or with .exact 2; 1 too where a bound refuses. One counter bears about 1 000 changes a second, exact
 * ones 500: a partition's write units. Beyond that, spread it over several keys and sum them up.
 *
 * Repeating. Nothing in an increment can tell a repeat from another: it isn't repeated, and a lost reply ends the call with
 * err.maybe_applied. With .exact it goes as a transaction of one item with a token, which DynamoDB itself recognises: repeated inside the
 * call, counted once. A get is repeated; a delete only with .exact, as it has the same result twice unless somebody counts meanwhile.
 *
 * Statuses, beside what a call lists: LATCH_E_INPUT, a bad key; LATCH_E_MISUSE, a bad policy, no such table, a `count` that is no number;
 * LATCH_E_DATA, a count that is no whole number of 64 bits, or would not be (it never wraps; with err.maybe_applied a fraction that was
 * there already was counted on); LATCH_E_NOMEM; LATCH_E_*, no answer, or one that says no.
 *
 * Source: UpdateItem (ADD) and TransactWriteItems of the DynamoDB API reference; the layouts and rule of KeyValueCounter,
 * PartitionedKeyValueCounter and KeyValueScopedCounter.
 */
#ifndef LATCH_STORE_COUNTER_H
#define LATCH_STORE_COUNTER_H

#include "store/pkv.h"

LATCH_BEGIN_C

typedef struct latch_counter {
    const char *name; /* begins each key; 1 to 64 bytes of UTF-8, no control bytes; in the model's table the namespace, or empty */
    const char *paradoxical_table; /* NULL: the stores' own table */
    bool has_least, has_most;      /* of the two next; one alone will do */
    int64_t least, most;           /* lowering ends at `least`, raising at `most`: a change that would go beyond is refused whole */
    bool exact;                    /* a lost reply is repeated, and counted once: twice the write units */
    int64_t timeout_ms;            /* of one request with its repeats; 0: 2 s, of batches 30 s; never past the deadline */
    bool sort_is_number;           /* of latch_pcounter_ calls in the model's table: its sortKey is a number; .name is empty then */
} latch_counter;

typedef struct latch_counted {
    int64_t count; /* 0 where there is none */
    bool found;
} latch_counted;

/*
 * Adds `by`, which may be negative or 0; a counter that isn't there is 0. *count (`count` may be NULL: not wanted) is what it is then; with
 * .exact, what it is when it is read right after, which is 1 request more, and if that fails the call fails with err.maybe_applied.
 *
 * LATCH_LIMITED: a bound is in the way; *count is as it was, and nothing was changed. With .exact, err.maybe_applied says that a try got no
 * answer, and may be applied yet. A counter that stands beyond a bound already can go back, and not further.
 */
LATCH_NODISCARD latch_status latch_counter_add(latch_ctx *cx, const latch_counter *counter, latch_str key, int64_t by, int64_t *count)
    __attribute__((nonnull(1, 2)));

LATCH_NODISCARD latch_status latch_counter_incr(latch_ctx *cx, const latch_counter *counter, latch_str key, int64_t by, int64_t *count)
    __attribute__((nonnull(1, 2)));
LATCH_NODISCARD latch_status latch_counter_decr(latch_ctx *cx, const latch_counter *counter, latch_str key, int64_t by, int64_t *count)
    __attribute__((nonnull(1, 2))); /* subtracts */

/*
 * `keys_count` of them, in any number, strongly consistent: out[i] is that of keys[i]; a key that comes twice is asked for once. Requests:
 * 1 per 100. A failure leaves all of `out` as not found.
 */
LATCH_NODISCARD latch_status latch_counter_get(latch_ctx *cx, const latch_counter *counter, const latch_str *keys, size_t keys_count,
                                               latch_counted *out) LATCH_NONNULL;

/* LATCH_OK also where there is none. It deletes the item, whatever else is in it. */
LATCH_NODISCARD latch_status latch_counter_delete(latch_ctx *cx, const latch_counter *counter, latch_str key) LATCH_NONNULL;

/* ── in partitions: as these; latch_pkv_list of the same name shows them, latch_pkv_clear deletes them ──────────────────────── */

typedef latch_counter latch_pcounter;
LATCH_NODISCARD latch_status latch_pcounter_add(latch_ctx *cx, const latch_pcounter *counter, latch_pkv_key key, int64_t by, int64_t *count)
    __attribute__((nonnull(1, 2)));
LATCH_NODISCARD latch_status latch_pcounter_incr(latch_ctx *cx, const latch_pcounter *counter, latch_pkv_key key, int64_t by,
                                                 int64_t *count) __attribute__((nonnull(1, 2)));
LATCH_NODISCARD latch_status latch_pcounter_decr(latch_ctx *cx, const latch_pcounter *counter, latch_pkv_key key, int64_t by,
                                                 int64_t *count) __attribute__((nonnull(1, 2)));
LATCH_NODISCARD latch_status latch_pcounter_get(latch_ctx *cx, const latch_pcounter *counter, latch_pkv_key key,
                                                latch_counted *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_pcounter_delete(latch_ctx *cx, const latch_pcounter *counter, latch_pkv_key key) LATCH_NONNULL;

/* ── scoped: a function in front that makes the counter's key of the caller's ───────────────────────────────────────────────── */

/* In cx's memory, by latch_key or latch_copy; empty: refused as an empty key is. */
typedef latch_str latch_scope_key_fn(latch_ctx *cx, latch_str key);

typedef struct latch_scoped_counter {
    const latch_counter *counter;
    latch_scope_key_fn *key;
} latch_scoped_counter;

LATCH_NODISCARD latch_status latch_scoped_counter_inc(latch_ctx *cx, const latch_scoped_counter *scoped, latch_str key, int64_t by,
                                                      int64_t *count) __attribute__((nonnull(1, 2)));
LATCH_NODISCARD latch_status latch_scoped_counter_decr(latch_ctx *cx, const latch_scoped_counter *scoped, latch_str key, int64_t by,
                                                       int64_t *count) __attribute__((nonnull(1, 2)));
LATCH_NODISCARD latch_status latch_scoped_counter_current(latch_ctx *cx, const latch_scoped_counter *scoped, latch_str key,
                                                          int64_t *count) LATCH_NONNULL; /* 0 where there is none */
LATCH_NODISCARD latch_status latch_scoped_counter_get(latch_ctx *cx, const latch_scoped_counter *scoped, const latch_str *keys,
                                                      size_t keys_count, latch_counted *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_scoped_counter_reset(latch_ctx *cx, const latch_scoped_counter *scoped, latch_str key) LATCH_NONNULL;

LATCH_END_C

#endif
