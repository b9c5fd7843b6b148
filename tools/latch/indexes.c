#include "indexes.h"

#include <string.h>

#include "core/clock.h"
#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/dynamodb.h"

#define LOOK_EVERY_MS LATCH_SECOND_MS

static const latch_dynamodb_index_info *find(const latch_dynamodb_table_info *info, const char *name) {
    for (size_t i = 0; i < info->index_count; i++)
        if (latch_str_eq(info->indexes[i].name, latch_str_of(name))) return &info->indexes[i];
    return NULL;
}

static const char *type_of(const latch_dynamodb_key *key) { return key->type != NULL ? key->type : "S"; }

static latch_json units_of(latch_ctx *cx, const latch_dynamodb_table_info *info) {
    return latch_object(cx, "ReadCapacityUnits", info->read_units, "WriteCapacityUnits", info->write_units);
}

static latch_status add(latch_ctx *cx, const char *table, const latch_dynamodb_table_info *info, const latch_dynamodb_index *index) {
    const latch_dynamodb_key *keys[] = {&index->pk, &index->sk};
    latch_json types = latch_array(cx), roles = latch_array(cx);
    latch_answer answer;
    for (size_t i = 0; i < 2 && keys[i]->name != NULL; i++) {
        types = latch_append(types, latch_object(cx, "AttributeName", keys[i]->name, "AttributeType", type_of(keys[i])));
        roles = latch_append(roles, latch_object(cx, "AttributeName", keys[i]->name, "KeyType", i == 0 ? "HASH" : "RANGE"));
    }
    latch_json projection = latch_object(cx, "ProjectionType", index->projection != NULL ? index->projection : "ALL");
    latch_json create = info->on_demand ? latch_object(cx, "IndexName", index->name, "KeySchema", roles, "Projection", projection)
                                        : latch_object(cx, "IndexName", index->name, "KeySchema", roles, "Projection", projection,
                                                       "ProvisionedThroughput", units_of(cx, info));
    latch_json updates = latch_append(latch_array(cx), latch_object(cx, "Create", create));
    return latch_dynamodb_call(cx, "UpdateTable",
                               latch_object(cx, "TableName", table, "AttributeDefinitions", types, "GlobalSecondaryIndexUpdates", updates),
                               &answer);
}

/* Until the table takes another change, and the index, where one is named, can be asked. */
static latch_status wait_for(latch_ctx *cx, const char *table, const char *index, const latch_dynamodb_wait *wait,
                             latch_dynamodb_table_info *info) {
    latch_instant from = latch_clock_instant(&cx->clock);
    for (;;) {
        LATCH_TRY(latch_dynamodb_table_describe(cx, table, info));
        const latch_dynamodb_index_info *found = index != NULL ? find(info, index) : NULL;
        bool ready = index == NULL || (found != NULL && latch_str_eq(found->status, LATCH_STR("ACTIVE")));
        if (ready && latch_str_eq(info->status, LATCH_STR("ACTIVE"))) return LATCH_OK;
        int64_t waited_ms = latch_clock_since_ms(&cx->clock, from);
        if (waited_ms >= wait->timeout_ms)
            return latch_err_set(&cx->err, LATCH_E_TIMEOUT,
                                 "index %s of table %s is still being built after %lld s: it goes on, call again",
                                 index != NULL ? index : "", table, (long long)waited_ms / 1000);
        if (wait->progress != NULL) wait->progress(wait->arg, table, "building an index", waited_ms);
        latch_clock_sleep_ms(&cx->clock, LOOK_EVERY_MS);
    }
}

/* Without its indexes: those are what is to come. */
static latch_status check_keys(latch_ctx *cx, const latch_dynamodb_table_info *info, const latch_dynamodb_schema *schema) {
    latch_dynamodb_schema bare = *schema;
    bare.index_count = 0;
    return latch_dynamodb_table_fits(cx, info, &bare);
}

latch_status latch_indexes_add(latch_ctx *cx, const char *table, const latch_dynamodb_schema *schema, const latch_dynamodb_wait *wait) {
    latch_dynamodb_table_info info;
    bool missing;
    size_t mark = latch_arena_mark(cx->arena);
    LATCH_TRY_BUT(LATCH_MISSING, missing, latch_dynamodb_table_describe(cx, table, &info));
    if (missing) return LATCH_OK;
    LATCH_TRY(check_keys(cx, &info, schema));
    for (size_t i = 0; i < schema->index_count; i++) {
        const latch_dynamodb_index *index = &schema->indexes[i];
        LATCH_TRY(wait_for(cx, table, NULL, wait, &info));
        if (index->local || find(&info, index->name) != NULL) continue;
        LATCH_TRY(add(cx, table, &info, index));
        LATCH_TRY(wait_for(cx, table, index->name, wait, &info));
        latch_arena_rewind(cx->arena, mark);
    }
    return LATCH_OK;
}
