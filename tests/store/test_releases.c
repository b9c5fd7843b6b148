/*
 * test_releases.c - what a released version has written, this one reads: tests/store/releases has an item of each kind for each version, as it
 * lay in the table a second before. What this version writes looks as what the newest of them wrote; a change of layout is seen here first.
 *
 * LATCH_WRITE_RELEASE=FILE writes the items of this version there: for a release, and for nothing else. A fixture that was released stays.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "store/adaptive.h"
#include "store/attempts.h"
#include "store/cache.h"
#include "store/cooldown.h"
#include "store/counter.h"
#include "store/dedupe.h"
#include "store/dynamodb.h"
#include "store/kv.h"
#include "store/lock.h"
#include "store/once.h"
#include "store/pkv.h"
#include "store/rate.h"
#include "store/saga.h"
#include "store/saga_run.h"
#include "store/sets.h"
#include "tests/check.h"
#include "tests/store/pair.h"

#define FOLDER LATCH_SOURCE_DIR "/tests/store/releases/"
#define ITEMS_MAX 64

static const char *const releases[] = {"0.1.0"}; /* the newest last */

/* ── one of each ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static int works; /* run so far */

static latch_status give_receipt(latch_ctx *cx, latch_work *work) {
    works++;
    work->result = latch_object(cx, "receipt", "r-1");
    return LATCH_OK;
}

static const latch_cache catalogue = {.name = "catalogue", .ttl_ms = LATCH_HOUR_MS};
static const latch_dedupe messages = {.name = "messages"};
static const latch_lock doors = {.name = "doors", .lease_ms = LATCH_MINUTE_MS, .keep = true};
static const latch_once orders = {.name = "orders", .work = give_receipt, .keep_ms = LATCH_DAY_MS};
static const latch_attempts logins = {.name = "logins", .max = 3, .window_ms = LATCH_HOUR_MS};
static const latch_rate sliding = {.name = "sliding", .limit = 5, .window_ms = LATCH_HOUR_MS, .known_ms = LATCH_RATE_KNOWN_NEVER};
static const latch_rate gcra = {
    .name = "gcra", .limit = 5, .window_ms = LATCH_HOUR_MS, .algorithm = LATCH_RATE_GCRA, .known_ms = LATCH_RATE_KNOWN_NEVER};
static const latch_adaptive shared = {.name = "shared", .limit = 20, .window_ms = LATCH_HOUR_MS, .known_ms = LATCH_RATE_KNOWN_NEVER};
static const latch_cooldown hosts = {.name = "hosts"};
static const latch_kv profiles = {.name = "profiles"};
static const latch_pkv carts = {.name = "carts"};
static const latch_pkv tags = {.name = "tags"};
static const latch_counter views = {.name = "views"};
static const latch_counter exact_views = {.name = "exact", .exact = true};
static const latch_pcounter sold = {.name = "sold"};
static const latch_saga trips = {.name = "trips"};
static const latch_saga_plan plan = {
    .saga = &trips, LATCH_SAGA_STEPS({.name = "pay", .run = give_receipt}), .in_progress_ms = LATCH_MINUTE_MS};

static latch_str s(const char *text) { return latch_str_of(text); }

/* The first call that fails ends it, and its line is told. */
#define FINE(call)                                                                                                                         \
    do {                                                                                                                                   \
        latch_status status_ = (call);                                                                                                     \
        if (status_ != LATCH_OK) return latch_ctx_text(cx, #call ": %d, %s", status_, cx->err.message).ptr;                                \
    } while (0)
#define HOLDS(what)                                                                                                                        \
    do {                                                                                                                                   \
        if (!(what)) return #what;                                                                                                         \
    } while (0)

static const char *write_stores(latch_ctx *cx) {
    latch_str id, tag[] = {LATCH_STR("drinks")};
    latch_hold door, gate;
    latch_once_result done;
    latch_attempt attempt;
    FINE(latch_cache_set_tagged(cx, &catalogue, s("tea"), latch_object(cx, "price", latch_int(3)), tag, 1));
    FINE(latch_dedupe_register(cx, &messages, s("pending"), &id));
    FINE(latch_dedupe_register(cx, &messages, s("failed"), &id));
    FINE(latch_dedupe_fail(cx, &messages, s("failed"), id, s("no stock")));
    FINE(latch_dedupe_register(cx, &messages, s("done"), &id));
    FINE(latch_dedupe_complete(cx, &messages, s("done"), id, latch_object(cx, "ok", latch_bool(true))));
    FINE(latch_lock_take(cx, &doors, s("door"), &door));
    FINE(latch_lock_take(cx, &doors, s("gate"), &gate));
    FINE(latch_lock_release(cx, &gate));
    FINE(latch_once_do(cx, &orders, s("o#1"), latch_object(cx, "sku", "tea"), &done));
    FINE(latch_attempts_take(cx, &logins, s("ann"), latch_object(cx, "from", "here"), &attempt));
    return NULL;
}

static const char *write_limits(latch_ctx *cx) {
    latch_rate_state rate;
    latch_adaptive_state split;
    FINE(latch_rate_acquire_n(cx, &sliding, s("ann"), 2, &rate));
    FINE(latch_rate_acquire_n(cx, &gcra, s("ann"), 2, &rate));
    FINE(latch_adaptive_acquire(cx, &shared, s("api"), LATCH_USER, &split));
    FINE(latch_adaptive_acquire(cx, &shared, s("api"), LATCH_BACKGROUND, &split));
    FINE(latch_cooldown_set(cx, &hosts, s("example.com"), T0 + LATCH_MINUTE_MS));
    return NULL;
}

static const char *write_values(latch_ctx *cx) {
    latch_set_change change;
    latch_saga_instance trip = {.id = s("t-1"), .correlation_id = s("c-1"), .state = latch_object(cx, "at", "start")};
    latch_saga_outcome outcome;
    FINE(latch_kv_set(cx, &profiles, s("ann"), latch_object(cx, "theme", "dark")));
    FINE(latch_pkv_set(cx, &carts, latch_pkv_at(s("ann"), s("1")), latch_object(cx, "qty", latch_int(2))));
    FINE(latch_pkv_add_to_set(cx, &tags, latch_pkv_at(s("ann"), s("vip")), "gold", NULL, &change));
    FINE(latch_counter_incr(cx, &views, s("home"), 5, NULL));
    FINE(latch_counter_incr(cx, &exact_views, s("home"), 6, NULL));
    FINE(latch_pcounter_incr(cx, &sold, latch_pkv_at(s("tea"), s("2026")), 7, NULL));
    FINE(latch_saga_insert(cx, &trips, &trip, NULL));
    FINE(latch_saga_run(cx, &plan, s("t-2"), latch_object(cx, "to", "Rome"), &outcome));
    return NULL;
}

static const char *write_all(latch_ctx *cx) {
    const char *why = write_stores(cx);
    if (why == NULL) why = write_limits(cx);
    return why != NULL ? why : write_values(cx);
}

static const char *read_stores(latch_ctx *cx) {
    latch_json v;
    latch_job job;
    latch_hold hold;
    latch_once_result done;
    latch_attempt attempt;
    int64_t price;
    uint64_t removed;
    int before = works;
    FINE(latch_cache_get(cx, &catalogue, s("tea"), &v));
    FINE(latch_read(v, "price", &price));
    HOLDS(price == 3);
    FINE(latch_cache_invalidate_by_tag(cx, &catalogue, s("drinks"), &removed));
    HOLDS(removed == 1);
    HOLDS(latch_cache_get(cx, &catalogue, s("tea"), &v) == LATCH_MISSING);
    HOLDS(latch_dedupe_register_or_join(cx, &messages, s("pending"), &job) == LATCH_BUSY);
    HOLDS(job.id.len == 36 && job.deadline_at_ms == T0 + 5 * LATCH_MINUTE_MS);
    HOLDS(latch_dedupe_register_or_join(cx, &messages, s("done"), &job) == LATCH_SEEN);
    HOLDS(latch_has(job.result, "ok"));
    HOLDS(latch_dedupe_wait_for(cx, &messages, s("failed"), &job) == LATCH_CONFLICT);
    HOLDS(latch_str_eq(job.error, s("no stock")));
    FINE(latch_dedupe_register_or_join(cx, &messages, s("failed"), &job));
    HOLDS(latch_lock_take(cx, &doors, s("door"), &hold) == LATCH_HELD);
    HOLDS(hold.until_ms == T0 + LATCH_MINUTE_MS && hold.other.len > 0);
    int64_t fence = hold.fence;
    FINE(latch_lock_take(cx, &doors, s("gate"), &hold));
    HOLDS(hold.fence > T0 && fence == 0);
    HOLDS(latch_once_do(cx, &orders, s("o#1"), latch_object(cx, "sku", "ale"), &done) == LATCH_MISMATCH);
    FINE(latch_once_do(cx, &orders, s("o#1"), latch_object(cx, "sku", "tea"), &done));
    HOLDS(!done.did && works == before && done.done_at_ms == T0 && latch_has(done.response, "receipt"));
    FINE(latch_attempts_take(cx, &logins, s("ann"), LATCH_NULL, &attempt));
    HOLDS(attempt.used == 2 && attempt.created_at_ms == T0 && latch_has(attempt.context, "from"));
    FINE(latch_attempts_clear(cx, &logins, s("ann"), &attempt));
    return NULL;
}

static const char *read_limits(latch_ctx *cx) {
    latch_rate_state rate;
    latch_adaptive_state split;
    int64_t until_ms;
    FINE(latch_rate_status(cx, &sliding, s("ann"), &rate));
    HOLDS(rate.remaining == 3 && rate.reset_at_ms >= T0 + LATCH_HOUR_MS && rate.reset_at_ms <= T0 + LATCH_HOUR_MS + 10);
    FINE(latch_rate_acquire_n(cx, &sliding, s("ann"), 3, &rate));
    HOLDS(latch_rate_acquire(cx, &sliding, s("ann"), &rate) == LATCH_LIMITED);
    FINE(latch_rate_status(cx, &gcra, s("ann"), &rate));
    HOLDS(rate.remaining == 3);
    FINE(latch_rate_acquire_n(cx, &gcra, s("ann"), 3, &rate));
    HOLDS(latch_rate_acquire(cx, &gcra, s("ann"), &rate) == LATCH_LIMITED);
    FINE(latch_adaptive_status(cx, &shared, s("api"), LATCH_USER, &split));
    HOLDS(split.activity == 1 && split.reason == LATCH_ADAPTIVE_LOW);
    FINE(latch_cooldown_get(cx, &hosts, s("example.com"), &until_ms));
    HOLDS(until_ms == T0 + LATCH_MINUTE_MS);
    return NULL;
}

static const char *read_values(latch_ctx *cx) {
    latch_json v;
    latch_str key = s("home");
    latch_counted counted;
    latch_saga_instance trip;
    latch_saga_outcome outcome;
    int64_t n, count;
    bool there;
    int before = works;
    FINE(latch_kv_get(cx, &profiles, s("ann"), &v));
    HOLDS(latch_has(v, "theme"));
    FINE(latch_pkv_get(cx, &carts, latch_pkv_at(s("ann"), s("1")), &v));
    FINE(latch_read(v, "qty", &n));
    HOLDS(n == 2);
    FINE(latch_pkv_exists_in_set(cx, &tags, latch_pkv_at(s("ann"), s("vip")), "gold", NULL, &there));
    HOLDS(there);
    FINE(latch_counter_get(cx, &views, &key, 1, &counted));
    HOLDS(counted.found && counted.count == 5);
    FINE(latch_counter_incr(cx, &exact_views, key, 1, &count));
    HOLDS(count == 7);
    FINE(latch_pcounter_get(cx, &sold, latch_pkv_at(s("tea"), s("2026")), &counted));
    HOLDS(counted.found && counted.count == 7);
    FINE(latch_saga_get_by_correlation_id(cx, &trips, s("c-1"), &trip));
    HOLDS(latch_str_eq(trip.id, s("t-1")) && trip.created_at_ms == T0 && latch_has(trip.state, "at"));
    trip.completed = true;
    FINE(latch_saga_update(cx, &trips, &trip, NULL));
    FINE(latch_saga_run(cx, &plan, s("t-2"), latch_object(cx, "to", "Rome"), &outcome));
    HOLDS(!outcome.did && works == before && latch_has(outcome.results, "pay.receipt"));
    return NULL;
}

static const char *read_all(latch_ctx *cx) {
    const char *why = read_stores(cx);
    if (why == NULL) why = read_limits(cx);
    return why != NULL ? why : read_values(cx);
}

/* ── items ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct items {
    latch_json at[ITEMS_MAX];
    size_t count;
} items;

static latch_str key_of(latch_json item, bool sort_key) {
    latch_str pk, sk;
    assert_int_equal(latch_read(item, "pk.S", &pk, "sk.S", &sk), LATCH_OK);
    return sort_key ? sk : pk;
}

/* By their keys: less than 0 where `a` comes first. */
static int compare(const void *a, const void *b) {
    for (int i = 0; i < 2; i++) {
        latch_str one = key_of(*(const latch_json *)a, i == 1), two = key_of(*(const latch_json *)b, i == 1);
        int order = memcmp(one.ptr, two.ptr, one.len < two.len ? one.len : two.len);
        if (order != 0 || one.len != two.len) return order != 0 ? order : one.len < two.len ? -1 : 1;
    }
    return 0;
}

static void add(items *all, latch_json item) {
    assert_true(all->count < ITEMS_MAX);
    all->at[all->count++] = item;
}

static items in_the_table(rig *r) {
    items all = {.count = 0};
    latch_answer answer;
    latch_json list;
    assert_int_equal(latch_dynamodb_call(&r->cx, "Scan", latch_object(&r->cx, "TableName", "latch"), &answer), LATCH_OK);
    assert_int_equal(latch_read(answer.body, "Items", &list), LATCH_OK);
    for (latch_each each = latch_each_in(list); latch_each_next(&each);)
        add(&all, latch_each_value(&each));
    qsort(all.at, all.count, sizeof all.at[0], compare);
    return all;
}

static items released(rig *r, const char *release) {
    items all = {.count = 0};
    char path[512], line[4096];
    snprintf(path, sizeof path, FOLDER "%s.jsonl", release);
    FILE *file = fopen(path, "r");
    if (file == NULL) fail_msg("%s: %s", path, strerror(errno));
    while (fgets(line, sizeof line, file) != NULL) {
        latch_json item;
        assert_int_equal(latch_parse(&r->cx, "item", s(line), &item), LATCH_OK);
        add(&all, item);
    }
    fclose(file);
    return all;
}

/* Its attributes and their types, where `b` lacks them. */
static const char *lacks(rig *r, latch_json a, latch_json b) {
    for (latch_each each = latch_each_in(a); latch_each_next(&each);) {
        latch_each type = latch_each_in(latch_each_value(&each));
        assert_true(latch_each_next(&type));
        latch_str path = latch_ctx_text(&r->cx, "%.*s.%.*s", LATCH_ARG(each.name), LATCH_ARG(type.name));
        latch_str pk = key_of(a, false);
        bool null = latch_str_eq(type.name, s("NULL"));
        if (!latch_has(b, path.ptr) && !null) return latch_ctx_text(&r->cx, "%.*s: %.*s", LATCH_ARG(pk), LATCH_ARG(path)).ptr;
    }
    return NULL;
}

/* Whether both are items of the same keys, attributes and types; else what isn't. */
static const char *differ(rig *r, const items *was, const items *is) {
    for (size_t i = 0; i < was->count && i < is->count; i++) {
        if (compare(&was->at[i], &is->at[i]) != 0) {
            latch_str a = key_of(was->at[i], false), b = key_of(is->at[i], false);
            return latch_ctx_text(&r->cx, "was %.*s, is %.*s", LATCH_ARG(a), LATCH_ARG(b)).ptr;
        }
        const char *gone = lacks(r, was->at[i], is->at[i]), *new = lacks(r, is->at[i], was->at[i]);
        if (gone != NULL || new != NULL) return gone != NULL ? gone : new;
    }
    return was->count == is->count ? NULL : "another number of items";
}

static void put_all(const items *all) {
    for (size_t i = 0; i < all->count; i++) {
        latch_str text = latch_text(all->at[i]);
        rig_put(&world, text.ptr);
    }
}

/* ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static int set_up(void **state) {
    (void)state;
    works = 0;
    pair_open((size_t)4 << 20);
    return 0;
}

static void reads_what_each_release_wrote(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(releases); i++) {
        items all = released(&bob, releases[i]);
        put_all(&all);
        rig_pass(&world, 1000);
        const char *why = read_all(&ann.cx);
        if (why != NULL) fail_msg("of %s: %s", releases[i], why);
        pair_close();
        assert_int_equal(set_up(NULL), 0);
    }
}

static void write_release(const items *all, const char *path) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (size_t i = 0; i < all->count; i++) {
        latch_str text = latch_text(all->at[i]);
        fprintf(file, "%.*s\n", LATCH_ARG(text));
    }
    assert_int_equal(fclose(file), 0);
}

static void writes_what_the_newest_release_wrote(void **state) {
    const char *path = getenv("LATCH_WRITE_RELEASE");
    (void)state;
    const char *why = write_all(&ann.cx);
    if (why != NULL) fail_msg("%s", why);
    items is = in_the_table(&bob);
    if (path != NULL) write_release(&is, path);
    items was = released(&bob, releases[COUNT_OF(releases) - 1]);
    assert_true(was.count >= 20);
    why = differ(&bob, &was, &is);
    if (why != NULL) fail_msg("the layout is another than that of %s: %s", releases[COUNT_OF(releases) - 1], why);
}

/* A release that called something by another name: each such is found, by whoever reads it and by whoever compares. */
static void a_name_that_changed_is_found_by_its_twin(void **state) {
    static const struct {
        const char *from, *to;
    } rows[] = {
        {"\"value\":{\"S\"", "\"content\":{\"S\""},
        {"\"jobId\"", "\"job\""},
        {"\"result\":{\"S\"", "\"outcome\":{\"S\""},
        {"\"error\":{\"S\"", "\"why\":{\"S\""},
        {"\"expiresAt\"", "\"endsAt\""},
        {"\"data\":", "\"json\":"},
        {"\"count\":", "\"total\":"},
        {"\"version\":", "\"revision\":"},
        {"LOCK#doors#door", "LOCK#door#door"},
        {"ATTEMPT#", "ATTEMPTS#"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        items was = released(&bob, releases[0]), is = was;
        size_t changed = 0;
        for (size_t k = 0; k < is.count; k++) {
            latch_str text = latch_text(is.at[k]);
            const char *at = memmem(text.ptr, text.len, rows[i].from, strlen(rows[i].from));
            if (at == NULL) continue;
            size_t before = (size_t)(at - text.ptr), behind = before + strlen(rows[i].from);
            latch_str other =
                latch_ctx_text(&bob.cx, "%.*s%s%.*s", (int)before, text.ptr, rows[i].to, (int)(text.len - behind), text.ptr + behind);
            assert_int_equal(latch_parse(&bob.cx, "item", other, &is.at[k]), LATCH_OK);
            changed++;
        }
        if (changed == 0) fail_msg("nothing has %s", rows[i].from);
        if (differ(&bob, &was, &is) == NULL) fail_msg("%s: no difference is seen", rows[i].from);
        put_all(&is);
        rig_pass(&world, 1000);
        if (read_all(&ann.cx) == NULL) fail_msg("%s: it is read as if nothing were", rows[i].from);
        pair_close();
        assert_int_equal(set_up(NULL), 0);
    }
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, pair_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(reads_what_each_release_wrote),
    ROW(writes_what_the_newest_release_wrote),
    ROW(a_name_that_changed_is_found_by_its_twin),
};

CHECK_MAIN(tests)
