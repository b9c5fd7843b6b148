#include "tests/policies/calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "store/attempts.h"
#include "store/bulk.h"
#include "store/cache.h"
#include "store/dedupe.h"
#include "store/items.h"
#include "store/lock.h"
#include "store/once.h"
#include "store/tables.h"
#include "store/transact.h"
#include "store/tree.h"

#define LEASE_MS INT64_C(30000)

static rig *bob;
static latch_str key;
static latch_job bobs_job;
static latch_hold bobs_hold;
static latch_attempt anns_attempt;

static latch_json some(rig *r, const char *name) { return latch_object(&r->cx, "name", name); }

/* ── cache ── */

static latch_status load(latch_ctx *cx, latch_work *work) {
    work->result = latch_object(cx, "name", "tea");
    return LATCH_OK;
}

static const latch_cache plain = {.name = "p"}, strong = {.name = "p", .strong = true}, loading = {.name = "p", .load = load};

static latch_status bob_caches(void) { return latch_cache_set(&bob->cx, &plain, key, some(bob, "tea")); }

static latch_status cache_get(rig *r) {
    latch_json v;
    return latch_cache_get(&r->cx, &plain, key, &v);
}

static latch_status cache_get_strong(rig *r) {
    latch_json v;
    return latch_cache_get(&r->cx, &strong, key, &v);
}

static latch_status cache_get_loading(rig *r) {
    latch_json v;
    return latch_cache_get(&r->cx, &loading, key, &v);
}

static latch_status cache_set(rig *r) { return latch_cache_set(&r->cx, &plain, key, some(r, "tea")); }
static latch_status cache_delete(rig *r) { return latch_cache_delete(&r->cx, &plain, key); }

/* The job of whoever loads, as it is in the table: no call of the public ones makes it without the load. */
static void plant_job(const char *status) {
    char item[512];
    long long deadline_ms = (long long)rig_now_ms(bob->world) + LEASE_MS;
    snprintf(item, sizeof item,
             "{\"pk\":{\"S\":\"DEDUPE#CACHE#p#%.*s\"},\"sk\":{\"S\":\"DEDUPE#CACHE#p#%.*s\"},\"jobId\":{\"S\":\"bob\"},\"status\":{\"S\":"
             "\"%s\"},"
             "\"result\":{\"S\":\"__NULL__\"},\"error\":{\"NULL\":true},\"createdAt\":{\"N\":\"1\"},\"updatedAt\":{\"N\":\"1\"},"
             "\"deadlineAt\":{\"N\":\"%lld\"},\"ttl\":{\"N\":\"%lld\"}}",
             LATCH_ARG(key), LATCH_ARG(key), status, deadline_ms, deadline_ms / 1000 + 60);
    rig_put(bob->world, item);
}

static latch_status bob_loads(void) {
    plant_job("pending");
    return LATCH_OK;
}

static void bob_has_loaded(void) {
    if (bob_caches() != LATCH_OK) abort();
    plant_job("completed");
}

/* ── dedupe ── */

static const latch_dedupe messages = {.name = "m"}, waiting_messages = {.name = "m", .wait_ms = LATCH_MINUTE_MS};

static latch_status bob_registers(void) { return latch_dedupe_register_or_join(&bob->cx, &messages, key, &bobs_job); }

static latch_status bob_completes(void) {
    LATCH_TRY(bob_registers());
    return latch_dedupe_complete(&bob->cx, &messages, key, bobs_job.id, some(bob, "done"));
}

static void bob_ends_the_job(void) {
    if (latch_dedupe_complete(&bob->cx, &messages, key, bobs_job.id, LATCH_NULL) != LATCH_OK) abort();
}

static latch_status enter(rig *r, const latch_dedupe *policy) {
    latch_status status = latch_dedupe_enter(&r->cx, policy, key);
    rig_end(r, status);
    return status;
}

static latch_status dedupe_enter(rig *r) { return enter(r, &messages); }
static latch_status dedupe_enter_waiting(rig *r) { return enter(r, &waiting_messages); }

static latch_status dedupe_register(rig *r) {
    latch_job job;
    return latch_dedupe_register_or_join(&r->cx, &messages, key, &job);
}

static latch_status dedupe_wait_for(rig *r) {
    latch_job job;
    return latch_dedupe_wait_for(&r->cx, &messages, key, &job);
}

static latch_status dedupe_complete(rig *r) { return latch_dedupe_complete(&r->cx, &messages, key, bobs_job.id, LATCH_NULL); }
static latch_status dedupe_fail(rig *r) { return latch_dedupe_fail(&r->cx, &messages, key, bobs_job.id, LATCH_STR("why")); }

static latch_status dedupe_is_in_progress(rig *r) {
    bool is;
    return latch_dedupe_is_in_progress(&r->cx, &messages, key, &is);
}

/* ── lock ── */

static const latch_lock lock = {.name = "l", .lease_ms = LEASE_MS}, kept = {.name = "l", .lease_ms = LEASE_MS, .keep = true},
                        waited_for = {.name = "l", .lease_ms = LEASE_MS, .wait_ms = LATCH_MINUTE_MS};

static latch_status bob_takes(void) { return latch_lock_take(&bob->cx, &lock, key, &bobs_hold); }

static void bob_releases(void) {
    if (latch_lock_release(&bob->cx, &bobs_hold) != LATCH_OK) abort();
}

static latch_status take(rig *r, const latch_lock *policy) {
    latch_hold hold;
    latch_status status = latch_lock_take(&r->cx, policy, key, &hold);
    rig_end(r, status);
    return status;
}

static latch_status lock_take(rig *r) { return take(r, &lock); }
static latch_status lock_take_kept(rig *r) { return take(r, &kept); }
static latch_status lock_take_waiting(rig *r) { return take(r, &waited_for); }

static latch_status lock_look(rig *r) {
    latch_lock_holder holder;
    return latch_lock_look(&r->cx, &lock, key, &holder);
}

/* Of what ann holds: her take is a request too, and told apart by its own row. */
static latch_status lock_extend(rig *r) {
    latch_hold hold;
    LATCH_TRY(latch_lock_take(&r->cx, &kept, key, &hold));
    return latch_lock_extend(&r->cx, &hold, LEASE_MS);
}

static latch_status lock_release(rig *r) {
    latch_hold hold;
    LATCH_TRY(latch_lock_take(&r->cx, &lock, key, &hold));
    LATCH_TRY(latch_lock_release(&r->cx, &hold));
    rig_end(r, LATCH_OK); /* nothing is left to release */
    return LATCH_OK;
}

/* ── once ── */

static latch_status work(latch_ctx *cx, latch_work *w) {
    w->result = latch_object(cx, "receipt", "r");
    return LATCH_OK;
}

static latch_status refuse(latch_ctx *cx, latch_work *w) { return latch_refuse(cx, LATCH_MISSING, "no such thing", "key", w->key); }

static const latch_once does = {.name = "o", .work = work}, refuses = {.name = "o", .work = refuse},
                        waits = {.name = "o", .work = work, .wait_ms = LATCH_MINUTE_MS};

static latch_status do_once(rig *r, const latch_once *policy, const char *payload) {
    latch_once_result result;
    return latch_once_do(&r->cx, policy, key, some(r, payload), &result);
}

static latch_status bob_has_done(void) { return do_once(bob, &does, "same"); }

/* His completion gets no answer, three times: his claim stays, until that comes. */
static latch_status bob_is_at_it(void) {
    bob->faults[1] = bob->faults[2] = bob->faults[3] = LATE;
    return do_once(bob, &does, "same") == LATCH_OK ? LATCH_E_MISUSE : LATCH_OK;
}

static void bob_ends_it(void) { rig_deliver(bob); }

static latch_status once_do(rig *r) { return do_once(r, &does, "same"); }
static latch_status once_do_other(rig *r) { return do_once(r, &does, "another"); }
static latch_status once_do_refusing(rig *r) { return do_once(r, &refuses, "same"); }
static latch_status once_do_waiting(rig *r) { return do_once(r, &waits, "same"); }

static latch_status once_already_done(rig *r) {
    latch_once_result result;
    return latch_once_already_done(&r->cx, &does, key, &result);
}

static latch_status once_mark_done(rig *r) { return latch_once_mark_done(&r->cx, &does, key, some(r, "same"), some(r, "done")); }
static latch_status once_clear(rig *r) { return latch_once_clear(&r->cx, &does, key); }

/* ── attempts ── */

static const latch_attempts logins = {.name = "a", .max = 1, .window_ms = LATCH_MINUTE_MS};

static latch_status attempt_by(rig *r) { return latch_attempts_take(&r->cx, &logins, key, LATCH_NULL, &anns_attempt); }
static latch_status bob_attempts(void) { return attempt_by(bob); }

static latch_status bob_attempted_long_ago(void) {
    LATCH_TRY(attempt_by(bob));
    rig_pass(bob->world, 2 * LATCH_MINUTE_MS);
    return LATCH_OK;
}

static latch_status attempts_clear(rig *r) { return latch_attempts_clear(&r->cx, &logins, key, &anns_attempt); }

/* ── one item ── */

static latch_json item_key(rig *r, const char *sk) { return latch_object(&r->cx, "pk", key, "sk", sk); }
static latch_json item(rig *r, const char *sk) { return latch_object(&r->cx, "pk", key, "sk", sk, "n", latch_int(1)); }

static latch_status put_by(rig *r, const char *sk) {
    return latch_dynamodb_put(&r->cx, &(latch_dynamodb_put_request){.item = item(r, sk)}, NULL);
}

static latch_status bob_puts(void) { return put_by(bob, "s"); }
static latch_status item_put(rig *r) { return put_by(r, "s"); }

static latch_status item_put_new(rig *r) {
    return latch_dynamodb_put(&r->cx, &(latch_dynamodb_put_request){.item = item(r, "s"), .condition = "attribute_not_exists(#pk)"}, NULL);
}

static latch_status item_put_indexed(rig *r) {
    latch_json one = latch_object(&r->cx, "pk", key, "sk", "s", "gsi1pk", key, "gsi1sk", "s");
    return latch_dynamodb_put(&r->cx, &(latch_dynamodb_put_request){.table = "indexed", .item = one}, NULL);
}

static latch_status item_put_exactly_once(rig *r) {
    return latch_dynamodb_put(&r->cx, &(latch_dynamodb_put_request){.item = item(r, "s"), .exactly_once = true}, NULL);
}

static latch_status get_item(rig *r, bool eventual) {
    latch_json found;
    return latch_dynamodb_get(&r->cx, &(latch_dynamodb_get_request){.key = item_key(r, "s"), .eventual = eventual}, &found);
}

static latch_status item_get(rig *r) { return get_item(r, false); }
static latch_status item_get_eventual(rig *r) { return get_item(r, true); }

static latch_status update_item(rig *r, bool exactly_once) {
    return latch_dynamodb_update(
        &r->cx,
        &(latch_dynamodb_update_request){
            .key = item_key(r, "s"), .update = "ADD #n :one", .values = LATCH_VALUES(":one", latch_int(1)), .exactly_once = exactly_once},
        NULL);
}

static latch_status item_update(rig *r) { return update_item(r, false); }
static latch_status item_update_exactly_once(rig *r) { return update_item(r, true); }

static latch_status delete_item(rig *r, bool exactly_once) {
    return latch_dynamodb_delete(&r->cx, &(latch_dynamodb_delete_request){.key = item_key(r, "s"), .exactly_once = exactly_once}, NULL);
}

static latch_status item_delete(rig *r) { return delete_item(r, false); }
static latch_status item_delete_exactly_once(rig *r) { return delete_item(r, true); }

/* ── query and scan ── */

#define PAGE_ITEMS 8
#define PAGE_TEXT_BYTES 400 /* so that 8 items are under 4 KB */

static latch_status bob_puts_a_page(void) {
    char text[PAGE_TEXT_BYTES + 1] = {0};
    memset(text, 'x', PAGE_TEXT_BYTES);
    for (int i = 0; i < PAGE_ITEMS; i++) {
        char sk[8];
        snprintf(sk, sizeof sk, "s%d", i);
        latch_json one = latch_object(&bob->cx, "pk", key, "sk", sk, "gsi1pk", key, "gsi1sk", sk, "text", text);
        LATCH_TRY(latch_dynamodb_put(&bob->cx, &(latch_dynamodb_put_request){.table = "indexed", .item = one}, NULL));
    }
    return LATCH_OK;
}

static latch_status query(rig *r, const char *index, const char *condition, latch_dynamodb_consistency consistency) {
    latch_dynamodb_pages pages;
    int64_t count;
    LATCH_TRY(latch_dynamodb_query(
        &r->cx,
        &(latch_dynamodb_query_request){
            .table = "indexed", .index = index, .key_condition = condition, .values = LATCH_VALUES(":k", key), .consistency = consistency},
        &pages));
    LATCH_TRY(latch_dynamodb_count(&pages, &count));
    return count == PAGE_ITEMS ? LATCH_OK : LATCH_E_DATA;
}

static latch_status query_table(rig *r) { return query(r, NULL, "#pk = :k", LATCH_DYNAMODB_DEFAULT); }
static latch_status query_eventual(rig *r) { return query(r, NULL, "#pk = :k", LATCH_DYNAMODB_EVENTUAL); }
static latch_status query_index(rig *r) { return query(r, "gsi1", "#gsi1pk = :k", LATCH_DYNAMODB_DEFAULT); }

static latch_status scan(rig *r) {
    latch_dynamodb_pages pages;
    int64_t count;
    LATCH_TRY(latch_dynamodb_scan(&r->cx, &(latch_dynamodb_scan_request){.table = "scanned"}, &pages));
    return latch_dynamodb_count(&pages, &count);
}

/* ── many items ── */

#define MANY 30

static latch_status batch_write(rig *r, const char *table) {
    latch_dynamodb_write writes[MANY];
    latch_dynamodb_written all;
    for (int i = 0; i < MANY; i++) {
        latch_str sk = latch_ctx_text(&r->cx, "s%d", i);
        writes[i] = (latch_dynamodb_write){.put = latch_object(&r->cx, "pk", key, "sk", sk)};
    }
    return latch_dynamodb_batch_write(&r->cx, &(latch_dynamodb_batch_write_request){.writes = writes, .count = MANY, .table = table}, &all);
}

static latch_status bob_writes_many(void) { return batch_write(bob, NULL); }
static latch_status bulk_write(rig *r) { return batch_write(r, NULL); }
static latch_status bulk_write_elsewhere(rig *r) { return batch_write(r, "indexed"); }

static latch_status batch_get(rig *r, const char *table, bool eventual) {
    latch_dynamodb_read reads[MANY];
    latch_dynamodb_gotten all;
    for (int i = 0; i < MANY; i++)
        reads[i] = (latch_dynamodb_read){.key = latch_object(&r->cx, "pk", key, "sk", latch_ctx_text(&r->cx, "s%d", i))};
    const latch_dynamodb_batch_get_request request = {.reads = reads, .count = MANY, .table = table, .eventual = eventual};
    return latch_dynamodb_batch_get(&r->cx, &request, &all);
}

static latch_status bulk_get(rig *r) { return batch_get(r, NULL, false); }
static latch_status bulk_get_eventual(rig *r) { return batch_get(r, NULL, true); }

static latch_status bob_writes_many_elsewhere(void) { return batch_write(bob, "indexed"); }
static latch_status bulk_get_elsewhere(rig *r) { return batch_get(r, "indexed", false); }

/* ── transactions ── */

static latch_status transact(rig *r, const char *condition) {
    latch_dynamodb_cancelled why;
    const latch_dynamodb_transact_write_request request = {LATCH_ACTIONS(
        {LATCH_ACTION_PUT, .item = item(r, "put")},
        {LATCH_ACTION_UPDATE, .key = item_key(r, "update"), .update = "SET #n = :n", .values = LATCH_VALUES(":n", latch_int(1))},
        {LATCH_ACTION_DELETE, .key = item_key(r, "delete")}, {LATCH_ACTION_CHECK, .key = item_key(r, "check"), .condition = condition})};
    return latch_dynamodb_transact_write(&r->cx, &request, &why);
}

static latch_status transact_write(rig *r) { return transact(r, "attribute_not_exists(#pk)"); }
static latch_status transact_write_refused(rig *r) { return transact(r, "attribute_exists(#pk)"); }

static latch_status transact_get(rig *r) {
    latch_json items[2];
    const latch_dynamodb_get_request gets[] = {{.key = item_key(r, "s")}, {.key = item_key(r, "t")}};
    return latch_dynamodb_transact_get(&r->cx, &(latch_dynamodb_transact_get_request){.gets = gets, .count = 2}, items);
}

/* ── a tree ── */

static latch_status plant_node(const char *id, const char *parent, const char *kids) {
    latch_json list;
    LATCH_TRY(latch_parse(&bob->cx, "kids", latch_str_of(kids), &list));
    latch_json one = latch_object(&bob->cx, "id", id, "parent", parent, "kids", list);
    return latch_dynamodb_put(&bob->cx, &(latch_dynamodb_put_request){.table = "nodes", .item = one}, NULL);
}

static latch_status read_tree(rig *r, const char *children) {
    latch_dynamodb_tree tree;
    const latch_dynamodb_tree_request request = {.table = "nodes", .root = LATCH_STR("root"), .children = children};
    LATCH_TRY(latch_dynamodb_read_tree(&r->cx, &request, &tree));
    return tree.nodes == 3 ? LATCH_OK : LATCH_E_DATA;
}

static latch_status tree_by_index(rig *r) { return read_tree(r, NULL); }
static latch_status tree_by_lists(rig *r) { return read_tree(r, "kids"); }

/* ── tables ── */

static char table[64];

static latch_status create_by(rig *r) { return latch_dynamodb_table_create(&r->cx, table, NULL); }

static latch_status bob_creates(void) {
    LATCH_TRY(create_by(bob));
    return latch_dynamodb_table_wait(&bob->cx, table, NULL);
}

static latch_status bob_ensures(void) {
    latch_dynamodb_ensured ensured;
    return latch_dynamodb_table_ensure(&bob->cx, table, NULL, NULL, &ensured);
}

static latch_status table_create(rig *r) { return create_by(r); }

static latch_status table_ensure(rig *r) {
    latch_dynamodb_ensured ensured;
    return latch_dynamodb_table_ensure(&r->cx, table, NULL, NULL, &ensured);
}

static latch_status table_describe(rig *r) {
    latch_dynamodb_table_info info;
    return latch_dynamodb_table_describe(&r->cx, table, &info);
}

static latch_status table_delete(rig *r) { return latch_dynamodb_table_delete(&r->cx, table); }
static latch_status table_wait(rig *r) { return latch_dynamodb_table_wait(&r->cx, table, NULL); }
static latch_status table_wait_gone(rig *r) { return latch_dynamodb_table_wait_gone(&r->cx, table, NULL); }
static latch_status table_ttl(rig *r) { return latch_dynamodb_table_ttl(&r->cx, table, "ttl", NULL); }

static latch_status table_health(rig *r) {
    latch_dynamodb_health health;
    return latch_dynamodb_table_health(&r->cx, table, &health);
}

/* ── all of them ── */

#define CALL(name, when_) .call = "latch_" #name, .when = when_

const play plays[] = {
    {CALL(cache_get, "a hit"), .prepare = bob_caches, .go = cache_get},
    {CALL(cache_get, "a hit, `.strong`"), .prepare = bob_caches, .go = cache_get_strong},
    {CALL(cache_get, "a miss"), .go = cache_get, .wants = LATCH_MISSING},
    {CALL(cache_get, "a miss, and you load"), .grant = "latch_cache_get with `.load`", .go = cache_get_loading},
    {CALL(cache_get, "a miss, and another loads, and is done within a pause"), .grant = "latch_cache_get with `.load`",
     .prepare = bob_loads, .go = cache_get_loading, .meanwhile = bob_has_loaded, .at = 3},
    {CALL(cache_set, "always"), .go = cache_set},
    {CALL(cache_delete, "always"), .go = cache_delete},

    {CALL(dedupe_enter, "the first, settled at the end"), .go = dedupe_enter},
    {CALL(dedupe_enter, "done before"), .prepare = bob_completes, .go = dedupe_enter, .wants = LATCH_SEEN},
    {CALL(dedupe_enter, "another is at it"), .prepare = bob_registers, .go = dedupe_enter, .wants = LATCH_BUSY},
    {CALL(dedupe_enter, "`.wait_ms`, and the other is done within a pause"), .grant = "latch_dedupe_enter with `.wait_ms`",
     .prepare = bob_registers, .go = dedupe_enter_waiting, .meanwhile = bob_ends_the_job, .at = 2, .wants = LATCH_SEEN},
    {CALL(dedupe_register_or_join, "the first"), .go = dedupe_register},
    {CALL(dedupe_register_or_join, "joined"), .prepare = bob_registers, .go = dedupe_register, .wants = LATCH_BUSY},
    {CALL(dedupe_wait_for, "completed by then"), .prepare = bob_completes, .go = dedupe_wait_for},
    {CALL(dedupe_complete, "always"), .prepare = bob_registers, .go = dedupe_complete},
    {CALL(dedupe_complete, "repeated"), .prepare = bob_completes, .go = dedupe_complete},
    {CALL(dedupe_fail, "always"), .prepare = bob_registers, .go = dedupe_fail},
    {CALL(dedupe_is_in_progress, "always"), .prepare = bob_registers, .go = dedupe_is_in_progress},

    {CALL(lock_take, "free, released at the end"), .go = lock_take},
    {CALL(lock_take, "free, `.keep`"), .go = lock_take_kept},
    {CALL(lock_take, "held by another"), .prepare = bob_takes, .go = lock_take, .wants = LATCH_HELD},
    {CALL(lock_take, "`.wait_ms`, and the other ends within a pause; released at the end"), .prepare = bob_takes, .go = lock_take_waiting,
     .meanwhile = bob_releases, .at = 2},
    {CALL(lock_extend, "once, after a take with `.keep`"), .go = lock_extend},
    {CALL(lock_release, "before the end, after a take"), .go = lock_release},
    {CALL(lock_look, "always"), .prepare = bob_takes, .go = lock_look},

    {CALL(once_do, "the first"), .go = once_do},
    {CALL(once_do, "done before"), .prepare = bob_has_done, .go = once_do},
    {CALL(once_do, "another is at it"), .prepare = bob_is_at_it, .go = once_do, .wants = LATCH_BUSY},
    {CALL(once_do, "done before, with another payload"), .prepare = bob_has_done, .go = once_do_other, .wants = LATCH_MISMATCH},
    {CALL(once_do, "the work refuses"), .go = once_do_refusing, .wants = LATCH_MISSING},
    {CALL(once_do, "`.wait_ms`, and the other is done within a pause"), .prepare = bob_is_at_it, .go = once_do_waiting,
     .meanwhile = bob_ends_it, .at = 2},
    {CALL(once_already_done, "always"), .prepare = bob_has_done, .go = once_already_done},
    {CALL(once_mark_done, "the first"), .go = once_mark_done},
    {CALL(once_mark_done, "done before"), .prepare = bob_has_done, .go = once_mark_done},
    {CALL(once_clear, "there is a record"), .prepare = bob_has_done, .go = once_clear},
    {CALL(once_clear, "there is none"), .go = once_clear},

    {CALL(attempts_take, "counted"), .go = attempt_by},
    {CALL(attempts_take, "used up"), .prepare = bob_attempts, .go = attempt_by, .wants = LATCH_LIMITED},
    {CALL(attempts_take, "the first after a window that ran out"), .prepare = bob_attempted_long_ago, .go = attempt_by},
    {CALL(attempts_clear, "always"), .prepare = bob_attempts, .go = attempts_clear},

    {CALL(dynamodb_get, "always"), .prepare = bob_puts, .go = item_get},
    {CALL(dynamodb_get, "`.eventual`"), .prepare = bob_puts, .go = item_get_eventual},
    {CALL(dynamodb_get, "there is none"), .go = item_get, .wants = LATCH_MISSING},
    {CALL(dynamodb_put, "always"), .go = item_put},
    {CALL(dynamodb_put, "its condition is false"), .prepare = bob_puts, .go = item_put_new, .wants = LATCH_CONFLICT},
    {CALL(dynamodb_put, "of an item that one index has too"), .go = item_put_indexed},
    {CALL(dynamodb_put, "`.exactly_once`"), .go = item_put_exactly_once, .local_counts_otherwise = true},
    {CALL(dynamodb_update, "always"), .go = item_update},
    {CALL(dynamodb_update, "`.exactly_once`"), .go = item_update_exactly_once, .local_counts_otherwise = true},
    {CALL(dynamodb_delete, "always"), .prepare = bob_puts, .go = item_delete},
    {CALL(dynamodb_delete, "`.exactly_once`"), .prepare = bob_puts, .go = item_delete_exactly_once, .local_counts_otherwise = true},
    {CALL(dynamodb_query, "a page of 8 items, under 4 KB together"), .prepare = bob_puts_a_page, .go = query_table},
    {CALL(dynamodb_query, "the same, eventual"), .prepare = bob_puts_a_page, .go = query_eventual},
    {CALL(dynamodb_query, "the same, of an index"), .grant = "latch_dynamodb_query of an index", .prepare = bob_puts_a_page,
     .go = query_index},
    {CALL(dynamodb_scan, "a page of under 4 KB"), .go = scan},
    {CALL(dynamodb_batch_write, "30 items"), .go = bulk_write},
    {CALL(dynamodb_batch_write, "30 items of another table, whose key is not given"),
     .grant = "latch_dynamodb_batch_write to a table without `.keys`", .go = bulk_write_elsewhere},
    {CALL(dynamodb_batch_get, "30 items"), .prepare = bob_writes_many, .go = bulk_get},
    {CALL(dynamodb_batch_get, "30 items, `.eventual`"), .prepare = bob_writes_many, .go = bulk_get_eventual},
    {CALL(dynamodb_batch_get, "30 items of another table, whose key is not given"),
     .grant = "latch_dynamodb_batch_get from a table without `.keys`", .prepare = bob_writes_many_elsewhere, .go = bulk_get_elsewhere},
    {CALL(dynamodb_transact_write, "4 actions, one of them a check"), .go = transact_write, .local_counts_otherwise = true},
    {CALL(dynamodb_transact_write, "the same, and the check fails"), .go = transact_write_refused, .wants = LATCH_CONFLICT},
    {CALL(dynamodb_transact_get, "2 items"), .go = transact_get},
    {CALL(dynamodb_read_tree, "a root and its 2 children, by an index"), .go = tree_by_index, .local_counts_otherwise = true},
    {CALL(dynamodb_read_tree, "the same, by lists (`.children`)"), .grant = "latch_dynamodb_read_tree with `.children`",
     .go = tree_by_lists},

    {CALL(dynamodb_table_create, "always"), .go = table_create},
    {CALL(dynamodb_table_wait, "it is there"), .prepare = bob_creates, .go = table_wait},
    {CALL(dynamodb_table_wait_gone, "it isn't there"), .go = table_wait_gone},
    {CALL(dynamodb_table_ensure, "it is there as it should be"), .prepare = bob_ensures, .go = table_ensure},
    {CALL(dynamodb_table_ensure, "it is created, and active at the first look"), .grant = "latch_dynamodb_table_ensure that creates",
     .go = table_ensure},
    {CALL(dynamodb_table_ttl, "turned on"), .prepare = bob_creates, .go = table_ttl},
    {CALL(dynamodb_table_ttl, "it is on"), .prepare = bob_ensures, .go = table_ttl},
    {CALL(dynamodb_table_describe, "always"), .prepare = bob_creates, .go = table_describe},
    {CALL(dynamodb_table_health, "always"), .prepare = bob_creates, .go = table_health},
    {CALL(dynamodb_table_delete, "always"), .prepare = bob_creates, .go = table_delete},
};
const size_t play_count = sizeof plays / sizeof *plays;

/* ── what they stand on ── */

static void need(latch_status status) {
    if (status == LATCH_OK) return;
    fprintf(stderr, "calls: %s\n", bob->cx.err.message);
    abort();
}

static void create(const char *name, const latch_dynamodb_schema *schema) {
    need(latch_dynamodb_table_create(&bob->cx, name, schema));
    need(latch_dynamodb_table_wait(&bob->cx, name, NULL));
}

void plays_open(rig *bobs) {
    static const latch_dynamodb_index by_parent = {.name = "parent-index", .pk = {"parent", "S"}};
    static const latch_dynamodb_schema nodes = {.pk = {"id", "S"}, .indexes = &by_parent, .index_count = 1}, keyed = {.pk = {"pk", "S"}};
    bob = bobs;
    create("indexed", NULL);
    create("scanned", &keyed);
    create("nodes", &nodes);
    need(plant_node("root", "nobody", "[\"a\",\"b\"]"));
    need(plant_node("a", "root", "[]"));
    need(plant_node("b", "root", "[]"));
    for (int i = 0; i < PAGE_ITEMS; i++)
        need(latch_dynamodb_put(
            &bob->cx,
            &(latch_dynamodb_put_request){.table = "scanned", .item = latch_object(&bob->cx, "pk", latch_ctx_text(&bob->cx, "k%d", i))},
            NULL));
}

void plays_begin(rig *bobs, const char *text) {
    bob = bobs;
    rig_again(bob, 0);
    key = latch_str_of(text);
    snprintf(table, sizeof table, "table-%s", text);
}
