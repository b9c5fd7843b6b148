/*
 * store/embedded/memtable.h - a table in memory: its items in their orders, changed by changes that are prepared (which may fail) and
 * then made (which can't).
 *
 * `locked`: whoever calls has the engine's lock. `none`: it is needed for nothing that is atomic or never changes.
 */
#ifndef LATCH_STORE_EMBEDDED_MEMTABLE_H
#define LATCH_STORE_EMBEDDED_MEMTABLE_H

#include "store/embedded/index.h"
#include "store/embedded/schema.h"

typedef struct latch_delayed latch_delayed;

typedef struct latch_memtable {
    _Atomic uint32_t refs;
    bool dropped;        /* no longer in the engine: a request that still holds it starts again */
    latch_schema schema; /* its billing, units and protection change under the lock; all else never does */
    latch_budget *budget;
    uint64_t seed;
    int64_t lag_ms;
    int64_t created_at_ms;
    int64_t on_demand_at_ms;        /* when it was last made PAY_PER_REQUEST; 0: never */
    uint64_t item_bytes;            /* the sum of the items' sizes */
    latch_index *live, *lagging;    /* schema.index_count + 1 of each: the table's own order, then the indexes'; lagging NULL: no lag */
    char ttl_attribute[256];        /* empty: TTL is off */
    latch_treap_node *expiring;     /* items that will expire, by time; node.hash is the first second at which they have */
    latch_delayed *oldest, *newest; /* changes that eventual reads don't see yet */
    void *words;                    /* the schema's block */
    latch_arena arena;
} latch_memtable;

/* Of a CreateTable request that latch_schema_read accepted. NULL: over the bound. The caller holds it once. */
latch_memtable *latch_memtable_make(yyjson_val *request, size_t words_bytes, latch_budget *budget, uint64_t seed, int64_t lag_ms,
                                    int64_t now_ms);
void latch_memtable_keep(latch_memtable *table);
void latch_memtable_release(latch_memtable *table); /* none; the last one frees it with its items */

/* ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_position latch_memtable_position(const latch_memtable *table, const latch_item *item); /* none; of its table key */
latch_stored *latch_memtable_find(const latch_memtable *table, const latch_position *position, bool consistent); /* locked; not kept */
const latch_index *latch_memtable_index(const latch_memtable *table, const latch_index_schema *index,
                                        bool consistent); /* none; NULL: own */

/* ── changing ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct latch_change {
    latch_memtable *table;
    latch_stored *before; /* kept; NULL: there was none */
    latch_stored *after;  /* kept once made; NULL: it is deleted */
    latch_delayed *delayed;
    int64_t now_ms;
} latch_change;

/*
 * locked. `item` NULL deletes; `before` is what the table has. False: over the bound, nothing is held. Then latch_change_make, which
 * can't fail, or not; and in the end, with no lock, latch_change_drop. Until then before and after may be read.
 */
bool latch_change_prepare(latch_change *change, latch_memtable *table, latch_stored *before, const latch_item *item, int64_t now_ms);
void latch_change_make(latch_change *change);
void latch_change_drop(latch_change *change);

/* ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define LATCH_NEVER INT64_MAX

int64_t latch_memtable_due_at_ms(const latch_memtable *table);   /* locked; when there is something to do; LATCH_NEVER */
void latch_memtable_tick(latch_memtable *table, int64_t now_ms); /* locked; removes what has expired, shows what has lagged */
void latch_memtable_set_ttl(latch_memtable *table, latch_str attribute, int64_t now_ms); /* locked; empty: off. Looks at every item */

#endif
