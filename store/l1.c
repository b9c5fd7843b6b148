#include "store/l1.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/table.h"

#define DEFAULT_MAX_BYTES ((size_t)1 << 20)
#define DEFAULT_MAX_AGE_MS LATCH_SECOND_MS
#define BYTES_PER_BUCKET 512
#define BUCKETS_MAX ((size_t)1 << 16)
#define STAMPS 256           /* keys share them by hash: at worst a value isn't kept */
#define ALLOCATION_BYTES 32u /* that malloc takes beside what is asked for, on average */

typedef struct entry entry;
struct entry {
    entry *next;          /* of its bucket */
    entry *newer, *older; /* by use */
    uint64_t hash;
    latch_instant at;
    int64_t until_s;
    size_t pk_len, text_len;
    char bytes[];
};

struct latch_l1 {
    entry **buckets;
    size_t mask; /* a power of two of buckets, less one */
    uint64_t seed;
    entry *newest, *oldest;
    struct {
        uint64_t stamp; /* moves when a write begins and when it ends */
        size_t writing; /* writes that are under way */
    } marks[STAMPS];
    latch_cache_l1_stats stats;
};

/* One for all: what is done under it is short, and no process has many of these. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static size_t bound_of(const latch_cache_l1 *l1) { return l1->max_bytes > 0 ? l1->max_bytes : DEFAULT_MAX_BYTES; }
static int64_t age_of(const latch_cache_l1 *l1) { return l1->max_age_ms > 0 ? l1->max_age_ms : DEFAULT_MAX_AGE_MS; }
static size_t size_of(const entry *e) { return sizeof *e + e->pk_len + e->text_len + ALLOCATION_BYTES; }

/* NULL: no memory; then there is no front, and nothing else is different. */
static struct latch_l1 *inside(latch_cache_l1 *l1) {
    size_t buckets = 16;
    if (l1->inside != NULL) return l1->inside;
    while (buckets < BUCKETS_MAX && buckets * BYTES_PER_BUCKET < bound_of(l1))
        buckets *= 2;
    struct latch_l1 *in = calloc(1, sizeof *in);
    if (in == NULL) return NULL;
    in->buckets = calloc(buckets, sizeof(entry *));
    if (in->buckets == NULL) {
        free(in);
        return NULL;
    }
    in->mask = buckets - 1;
    in->stats.bytes = sizeof *in + buckets * sizeof(entry *);
    (void)(getentropy(&in->seed, sizeof in->seed) == 0); /* so that nobody chooses keys that all fall into one bucket */
    l1->inside = in;
    return in;
}

/* FNV-1a from a start that nobody knows. */
static uint64_t hash_of(const struct latch_l1 *in, latch_str pk) {
    uint64_t hash = UINT64_C(14695981039346656037) ^ in->seed;
    for (size_t i = 0; i < pk.len; i++)
        hash = (hash ^ (unsigned char)pk.ptr[i]) * UINT64_C(1099511628211);
    return hash ^ hash >> 32;
}

#define MARK(in, hash) (&(in)->marks[(hash) >> 40 & (STAMPS - 1)])
#define NO_STAMP UINT64_MAX /* of what began while a write was under way: it isn't kept (tests/model/cache, front) */

/* ── entries ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static entry **find(struct latch_l1 *in, latch_str pk, uint64_t hash) {
    entry **at = &in->buckets[hash & in->mask];
    while (*at != NULL && ((*at)->hash != hash || !latch_str_eq(pk, (latch_str){(*at)->bytes, (*at)->pk_len})))
        at = &(*at)->next;
    return at;
}

static void unlink_use(struct latch_l1 *in, entry *e) {
    *(e->newer != NULL ? &e->newer->older : &in->newest) = e->older;
    *(e->older != NULL ? &e->older->newer : &in->oldest) = e->newer;
}

static void link_newest(struct latch_l1 *in, entry *e) {
    e->newer = NULL;
    e->older = in->newest;
    *(in->newest != NULL ? &in->newest->newer : &in->oldest) = e;
    in->newest = e;
}

static void drop(struct latch_l1 *in, entry **at) {
    entry *e = *at;
    if (e == NULL) return;
    *at = e->next;
    unlink_use(in, e);
    in->stats.entries--;
    in->stats.bytes -= size_of(e);
    free(e);
}

static void drop_oldest(struct latch_l1 *in) {
    entry *e = in->oldest;
    in->stats.evicted++;
    drop(in, find(in, (latch_str){e->bytes, e->pk_len}, e->hash));
}

static void insert(const latch_cache_l1 *l1, struct latch_l1 *in, const latch_clock *clock, latch_str pk, uint64_t hash,
                   const latch_l1_value *v) {
    size_t fixed = sizeof *in + (in->mask + 1) * sizeof(entry *), bytes = sizeof(entry) + pk.len + v->text.len;
    drop(in, find(in, pk, hash));
    if (fixed + bytes + ALLOCATION_BYTES > bound_of(l1)) return;
    while (in->stats.bytes + bytes + ALLOCATION_BYTES > bound_of(l1))
        drop_oldest(in);
    entry *e = malloc(bytes);
    if (e == NULL) return;
    *e = (entry){.hash = hash, .at = latch_clock_instant(clock), .until_s = v->until_s, .pk_len = pk.len, .text_len = v->text.len};
    memcpy(e->bytes, pk.ptr, pk.len);
    if (v->text.len > 0) memcpy(e->bytes + pk.len, v->text.ptr, v->text.len);
    e->next = in->buckets[hash & in->mask];
    in->buckets[hash & in->mask] = e;
    link_newest(in, e);
    in->stats.entries++;
    in->stats.bytes += size_of(e);
}

/* ── the calls ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool is_over(const latch_cache_l1 *l1, const latch_ctx *cx, const entry *e) {
    if (latch_clock_since_ms(&cx->clock, e->at) >= age_of(l1)) return true;
    return e->until_s > 0 && latch_seconds_passed(latch_now_ms(cx)) >= e->until_s;
}

static bool get(latch_cache_l1 *l1, latch_ctx *cx, latch_str pk, latch_str *text) {
    *text = (latch_str){NULL, 0};
    pthread_mutex_lock(&mutex);
    struct latch_l1 *in = inside(l1);
    entry **at = in != NULL ? find(in, pk, hash_of(in, pk)) : NULL;
    if (at != NULL && *at != NULL && is_over(l1, cx, *at)) drop(in, at);
    if (at != NULL && *at != NULL) {
        entry *e = *at;
        unlink_use(in, e);
        link_newest(in, e);
        *text = latch_arena_copy(cx->arena, (latch_str){e->bytes + e->pk_len, e->text_len});
    }
    if (in != NULL && text->ptr != NULL) in->stats.hits++;
    if (in != NULL && text->ptr == NULL) in->stats.misses++;
    pthread_mutex_unlock(&mutex);
    return text->ptr != NULL;
}

static uint64_t reading(latch_cache_l1 *l1, latch_str pk) {
    pthread_mutex_lock(&mutex);
    struct latch_l1 *in = inside(l1);
    uint64_t hash = in != NULL ? hash_of(in, pk) : 0, stamp = NO_STAMP;
    if (in != NULL && MARK(in, hash)->writing == 0) stamp = MARK(in, hash)->stamp;
    pthread_mutex_unlock(&mutex);
    return stamp;
}

static void fill(latch_cache_l1 *l1, latch_ctx *cx, latch_str pk, uint64_t stamp, const latch_l1_value *value) {
    pthread_mutex_lock(&mutex);
    struct latch_l1 *in = inside(l1);
    uint64_t hash = in != NULL ? hash_of(in, pk) : 0;
    if (in != NULL && MARK(in, hash)->stamp == stamp) insert(l1, in, &cx->clock, pk, hash, value);
    pthread_mutex_unlock(&mutex);
}

static uint64_t writing(latch_cache_l1 *l1, latch_str pk) {
    uint64_t stamp = NO_STAMP;
    pthread_mutex_lock(&mutex);
    struct latch_l1 *in = inside(l1);
    if (in != NULL) {
        uint64_t hash = hash_of(in, pk);
        drop(in, find(in, pk, hash));
        uint64_t now = ++MARK(in, hash)->stamp;
        if (MARK(in, hash)->writing++ == 0) stamp = now;
    }
    pthread_mutex_unlock(&mutex);
    return stamp;
}

static void wrote(latch_cache_l1 *l1, latch_ctx *cx, latch_str pk, uint64_t stamp, const latch_l1_value *value) {
    pthread_mutex_lock(&mutex);
    struct latch_l1 *in = inside(l1);
    if (in != NULL) {
        uint64_t hash = hash_of(in, pk);
        bool alone = MARK(in, hash)->stamp == stamp;
        MARK(in, hash)->stamp++;
        MARK(in, hash)->writing -= MARK(in, hash)->writing > 0; /* there was no memory when it began */
        if (alone && value->text.ptr != NULL) insert(l1, in, &cx->clock, pk, hash, value);
    }
    pthread_mutex_unlock(&mutex);
}

/* Stamps stay and move, so that no read that is under way fills what is empty. */
static void clear(latch_cache_l1 *l1) {
    pthread_mutex_lock(&mutex);
    struct latch_l1 *in = l1->inside;
    while (in != NULL && in->newest != NULL)
        drop(in, find(in, (latch_str){in->newest->bytes, in->newest->pk_len}, in->newest->hash));
    for (size_t i = 0; in != NULL && i < STAMPS; i++)
        in->marks[i].stamp++;
    pthread_mutex_unlock(&mutex);
}

static latch_cache_l1_stats look(const latch_cache_l1 *l1) {
    pthread_mutex_lock(&mutex);
    latch_cache_l1_stats stats = l1->inside != NULL ? l1->inside->stats : (latch_cache_l1_stats){0};
    pthread_mutex_unlock(&mutex);
    return stats;
}

const latch_l1_calls latch_cache_l1_calls = {get, reading, fill, writing, wrote, clear, look};

latch_cache_l1_stats latch_cache_l1_look(const latch_cache_l1 *l1) { return look(l1); }
void latch_cache_l1_clear(latch_cache_l1 *l1) { clear(l1); }
