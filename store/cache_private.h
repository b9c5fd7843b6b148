/* store/cache_private.h - what the files of store/cache.h have in common. */
#ifndef LATCH_STORE_CACHE_PRIVATE_H
#define LATCH_STORE_CACHE_PRIVATE_H

#include "store/cache.h"
#include "store/job.h"
#include "store/l1.h"
#include "store/table.h"
#include "store/transact.h"

#define LATCH_CACHE_MISSING_TEXT LATCH_STR("__UNDEFINED__")

typedef struct latch_cache_call { /* what the requests of one call share */
    const latch_cache *cache;
    latch_str key, pk; /* the pk is the sk too */
    latch_place toolkit;
    bool shared; /* in the toolkit's table */
    bool eventual;
    int64_t generation; /* of a strict load, before it computes; 0: there is none */
    latch_json loaded;  /* what tagging looks at */
    bool tagged;        /* there is that */
} latch_cache_call;

/* The policy is checked, the key made. */
LATCH_NODISCARD latch_status latch_cache_begin(latch_ctx *cx, const latch_cache *cache, latch_str key, latch_cache_call *out);
static inline const latch_place *latch_cache_place(const latch_cache_call *c) { return c->shared ? &c->toolkit : NULL; }

/* "CACHE" and a key, or "TAG" and a tag, checked, of at most max_bytes. */
LATCH_NODISCARD latch_status latch_cache_pk(latch_ctx *cx, const latch_cache *cache, const char *prefix, size_t max_bytes, latch_str part,
                                            latch_str *pk);

/* What the table calls an attribute. */
typedef struct latch_cache_names {
    const char *table, *pk, *sk, *ttl;
} latch_cache_names;
latch_cache_names latch_cache_names_of(const latch_ctx *cx, const latch_cache_call *c);

/* One item's request. A put or a delete without a condition isn't repeated. */
LATCH_NODISCARD latch_status latch_cache_send(latch_ctx *cx, const latch_cache_call *c, latch_request request, latch_json *item);

/* ── what is stored ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef enum latch_cache_verdict { LATCH_CACHE_MISS, LATCH_CACHE_HIT, LATCH_CACHE_KNOWN_MISSING } latch_cache_verdict;
typedef enum latch_cache_age { LATCH_CACHE_FRESH, LATCH_CACHE_STALE, LATCH_CACHE_OVER } latch_cache_age;

/* By the item's ttl and staleAt (-1: it has none). *until_s: from when on it isn't fresh; 0: it always is. */
latch_cache_age latch_cache_age_of(const latch_cache *cache, int64_t now_s, int64_t ttl_s, int64_t stale_s, int64_t *until_s);

/*
 * Of a miss, and of what is stale, `unchanged` is the condition under which there is nothing newer: still no item, none any more, or the one
 * that was seen. No set makes that one again: what has the same ttl has expired too, and what is set can be read.
 */
typedef struct latch_cache_found {
    latch_cache_verdict says;
    bool stale;
    const char *unchanged;
    latch_value ttl; /* as it was read, to the digit */
    int64_t created_at_ms, until_s;
    latch_str text;
} latch_cache_found;

/* From the table. *out is the value of a hit. */
LATCH_NODISCARD latch_status latch_cache_read(latch_ctx *cx, const latch_cache_call *c, bool eventual, latch_cache_found *f,
                                              latch_json *out);

/* The item of a value: what a put takes, in pairs that are the caller's. */
typedef struct latch_cache_item {
    latch_pair pairs[6];
    int64_t ttl_s, until_s;
} latch_cache_item;
latch_cache_item latch_cache_item_of(latch_ctx *cx, const latch_cache_call *c, latch_str text, int64_t ttl_ms);

/* Its JSON text; LATCH_E_MISUSE: it is too large. */
LATCH_NODISCARD latch_status latch_cache_text(latch_ctx *cx, const latch_cache_call *c, latch_json v, latch_str *text);

#define LATCH_CACHE_SEEN(f)                                                                                                                \
    LATCH_VALUES(":ttl", (f)->ttl, ":created", (f)->created_at_ms, ":value", (f)->text, ":text", LATCH_STR("S"), ":number", LATCH_STR("N"))

/* ── front, load, strict ────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Around each write of a key: what l1 has goes, and with LATCH_OK what was written comes. A NULL text: nothing was. */
static inline uint64_t latch_cache_writing(const latch_cache *cache, latch_str pk) {
    return cache->l1 != NULL ? cache->l1->calls->writing(cache->l1, pk) : 0;
}
static inline void latch_cache_wrote(latch_ctx *cx, const latch_cache *cache, latch_str pk, uint64_t stamp, latch_status status,
                                     latch_str text, int64_t until_s) {
    const latch_l1_value value = {status == LATCH_OK ? text : (latch_str){NULL, 0}, until_s};
    if (cache->l1 != NULL) cache->l1->calls->wrote(cache->l1, cx, pk, stamp, &value);
}

LATCH_NODISCARD latch_status latch_cache_answer(latch_ctx *cx, const latch_cache_call *c, latch_cache_verdict says);

/* After a miss, or with `stale` in *out, which stays where nothing better comes. */
LATCH_NODISCARD latch_status latch_cache_load(latch_ctx *cx, latch_cache_call *c, bool stale, latch_json *out);

/* Only while there is nothing newer than `over`, else LATCH_CONFLICT, a lost try of our own included; NULL: whatever is there. */
LATCH_NODISCARD latch_status latch_cache_write(latch_ctx *cx, const latch_cache_call *c, latch_str text, int64_t ttl_ms,
                                               const latch_cache_found *over);

/* What a load's set is, where it is more than one put. */
typedef latch_status latch_cache_put_fn(latch_ctx *cx, const latch_cache_call *c, latch_cache_item *item, const latch_cache_found *over);

struct latch_cache_strict {
    latch_cache_put_fn *put;
    latch_status (*look)(latch_ctx *cx, latch_cache_call *c); /* a strong read of the generation, into the call */
    latch_status (*remove)(latch_ctx *cx, const latch_cache_call *c);
    latch_status (*raise)(latch_ctx *cx, const latch_cache_call *c);                                /* alone */
    latch_status (*raising)(latch_ctx *cx, const latch_cache_call *c, latch_dynamodb_action *out);  /* in a transaction with others */
    latch_status (*checking)(latch_ctx *cx, const latch_cache_call *c, latch_dynamodb_action *out); /* that it is the call's */
};

struct latch_cache_tagging_calls {
    latch_cache_put_fn *put;
    /* The tags of what was loaded: into the item, and an action each into `actions`, which has room for LATCH_CACHE_TAGS_MAX. */
    latch_status (*tag)(latch_ctx *cx, const latch_cache_call *c, latch_cache_item *item, latch_dynamodb_action *actions, size_t *count);
};

/* ── transactions ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_json latch_cache_key(latch_ctx *cx, const latch_cache_call *c, latch_str pk, latch_str sk);

/* Puts the item at pk and sk. */
latch_dynamodb_action latch_cache_putting(latch_ctx *cx, const latch_cache_call *c, latch_str pk, latch_str sk, const latch_pair *pairs);

/* The put of a load, in one transaction with what strict and tagging have to say. */
latch_cache_put_fn latch_cache_put;

/* Sends up to `count` actions; LATCH_CONFLICT where a condition was false. */
LATCH_NODISCARD latch_status latch_cache_transact(latch_ctx *cx, const latch_cache_call *c, const latch_dynamodb_action *actions,
                                                  size_t count, latch_dynamodb_cancelled *why);

#endif
