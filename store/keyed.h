/*
 * store/keyed.h - where key-value tables and counters keep an item: in the stores' own table, or in one that the model's library writes
 * too. For store/kv.c, pkv.c, sets.c and counter.c.
 */
#ifndef LATCH_STORE_KEYED_H
#define LATCH_STORE_KEYED_H

#include "store/pkv.h"
#include "store/table.h"

typedef struct latch_keyed { /* of one policy */
    const char *store;       /* "kv": begins messages */
    const char *sort;        /* "pkv's sort key": begins those of a partition's second part */
    const char *prefix;      /* "KV": begins the native pk, and is the sk where there is no partition */
    const char *name;        /* natively a part of the pk; in the model's table the namespace, which may be empty or NULL */
    const char *table;       /* the model's; NULL: the stores' own */
    bool partitioned;        /* two key attributes in the model's table, the name in the second */
    bool sort_is_number;
} latch_keyed;

typedef struct latch_keyed_item { /* one item's place; what is in it lives as long as cx */
    latch_place place;
    bool elsewhere; /* `place` counts */
    latch_str pk, sk;
} latch_keyed_item;

static inline const latch_place *latch_keyed_at(const latch_keyed_item *item) { return item->elsewhere ? &item->place : NULL; }

/* Where `key` is, or a partition's sort key. LATCH_E_MISUSE: the policy; LATCH_E_INPUT: the key; LATCH_E_NOMEM. Nothing is sent. */
LATCH_NODISCARD latch_status latch_keyed_find(latch_ctx *cx, const latch_keyed *k, latch_str key, latch_keyed_item *out);
LATCH_NODISCARD latch_status latch_keyed_find_two(latch_ctx *cx, const latch_keyed *k, latch_pkv_key key, latch_keyed_item *out);

/* The same of a whole partition: only pk and place; of all keys: only the place. */
LATCH_NODISCARD latch_status latch_keyed_find_partition(latch_ctx *cx, const latch_keyed *k, latch_str partition, latch_keyed_item *out);
LATCH_NODISCARD latch_status latch_keyed_find_all(latch_ctx *cx, const latch_keyed *k, latch_keyed_item *out);

/* The key attributes' names in the table that the item is in; *sk is NULL where there is none. */
void latch_keyed_names(latch_ctx *cx, const latch_keyed_item *item, const char **pk, const char **sk);

/* `status`; the message of an LATCH_E_DATA begins with the item's key. */
latch_status latch_keyed_blame(latch_ctx *cx, const latch_keyed_item *item, latch_status status);

/* `count` of `size` bytes each, zeroed; NULL: LATCH_E_NOMEM is set. */
LATCH_NODISCARD void *latch_keyed_room(latch_ctx *cx, const char *store, size_t count, size_t size);

/* The item's key as plain JSON, for typed requests, with up to 3 attributes more. `more` may be NULL. */
latch_json latch_keyed_json(latch_ctx *cx, const latch_keyed_item *item, bool sort_is_number, const latch_pair *more);

/* What each stored key of the policy begins with (its pk, its sk where there are partitions); empty: nothing. ptr NULL: no memory. */
latch_str latch_keyed_prefix(latch_ctx *cx, const latch_keyed *k);

/* The key as the caller knows it: without the prefix, and natively unescaped. ptr NULL: no memory. */
latch_str latch_keyed_bare(latch_ctx *cx, const latch_keyed *k, latch_str prefix, latch_str stored);
latch_str latch_keyed_escaped(latch_ctx *cx, const latch_keyed *k, latch_str key); /* part of a key, as it is stored */

/* A value as JSON text of at most LATCH_VALUE_MAX_BYTES. LATCH_E_MISUSE, LATCH_E_NOMEM. */
LATCH_NODISCARD latch_status latch_keyed_text(latch_ctx *cx, const latch_keyed *k, latch_value v, latch_str *out);

/* The text of a plain item's attribute by its whole name, of a number its digits; empty where it has none. */
latch_str latch_keyed_member_text(latch_json item, const char *name);

/* {key, value} of a plain item that a list or a batch brought. LATCH_E_NOMEM. */
LATCH_NODISCARD latch_status latch_keyed_entry(latch_ctx *cx, latch_json item, latch_kv_entry *out);

#endif
