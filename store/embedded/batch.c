/* BatchGetItem and BatchWriteItem. */
#include "store/embedded/inside.h"

#define READS_MAX 100
#define WRITES_MAX 25
#define ANSWER_BYTES_MAX ((size_t)16 << 20)

static bool repeated(latch_op *op) { return latch_invalid(&op->fault, op->arena, "Provided list of item keys contains duplicates"); }

bool latch_position_same(const latch_position *a, const latch_position *b) {
    if (a->hash != b->hash || !latch_av_equal(a->partition, b->partition)) return false;
    return a->sort == NULL || b->sort == NULL || latch_av_equal(a->sort, b->sort);
}

/* Elements of all lists (or of their member `name`) in an object of lists. */
static size_t count_all(yyjson_val *lists, const char *name) {
    size_t i, max, count = 0;
    yyjson_val *key, *value;
    yyjson_obj_foreach(lists, i, max, key, value) count += yyjson_arr_size(name != NULL ? yyjson_obj_get(value, name) : value);
    return count;
}

static latch_str text_of(yyjson_val *string) { return (latch_str){yyjson_get_str(string), yyjson_get_len(string)}; }

/* The usage of one table, among those of a request. */
static latch_usage *usage_of(latch_op *op, latch_usage *all, size_t *count, const latch_memtable *table) {
    for (size_t i = 0; i < *count; i++)
        if (all[i].table == table) return &all[i];
    return latch_usage_init(op, &all[*count], table) ? &all[(*count)++] : NULL;
}

latch_usage *latch_usages_find(latch_op *op, latch_usages *usages, const latch_memtable *table) {
    return usage_of(op, usages->of, &usages->count, table);
}

bool latch_usages_init(latch_op *op, latch_usages *usages, size_t room) {
    *usages = (latch_usages){.of = latch_arena_alloc(op->arena, room * sizeof *usages->of)};
    return usages->of != NULL || latch_op_full(op);
}

bool latch_usages_answer(latch_op *op, const latch_usages *usages, latch_capacity_mode mode, const char *kind) {
    yyjson_mut_val *list = mode != LATCH_CAPACITY_NONE ? latch_op_list(op, op->answer, "ConsumedCapacity") : NULL;
    if (mode == LATCH_CAPACITY_NONE) return true;
    for (size_t i = 0; list != NULL && i < usages->count; i++) {
        yyjson_mut_val *one = latch_usage_write(op, &usages->of[i], mode, kind);
        if (one == NULL || !yyjson_mut_arr_append(list, one)) return latch_op_full(op);
    }
    return list != NULL;
}

/* ── BatchGetItem ──────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct get {
    latch_read read;
    yyjson_val *name, *wanted; /* of its table, and that table's part of the request */
    yyjson_val *key;
} get;

typedef struct gets {
    get *of;
    size_t count;
} gets;

static bool add_get(latch_op *op, gets *all, const latch_read *shared, yyjson_val *name, yyjson_val *wanted, yyjson_val *key) {
    get *g = &all->of[all->count];
    *g = (get){.read = *shared, .name = name, .wanted = wanted, .key = key};
    if (!yyjson_is_obj(key))
        return latch_invalid(&op->fault, op->arena,
                             "The list of keys in RequestItems for BatchGetItem may not contain null or empty values: %.*s has one or more "
                             "empty keys",
                             (int)yyjson_get_len(name), yyjson_get_str(name));
    if (!latch_op_read_key(op, shared->table, key, &g->read.key)) return false;
    g->read.at = latch_memtable_position(shared->table, &g->read.key);
    for (size_t i = 0; i < all->count; i++)
        if (all->of[i].read.table == shared->table && latch_position_same(&all->of[i].read.at, &g->read.at)) return repeated(op);
    all->count++;
    return true;
}

static bool read_table_gets(latch_op *op, gets *all, yyjson_val *name, yyjson_val *wanted) {
    latch_read shared = {0};
    latch_expressions x;
    size_t i, max;
    yyjson_val *key, *keys = latch_member(wanted, "Keys");
    if (!latch_op_refuse_legacy(op, wanted) || !latch_op_table_named(op, text_of(name), &shared.table)) return false;
    if (!latch_op_check_placeholders(op, wanted, LATCH_HAS_PROJECTION)) return false;
    if (!latch_op_read_expressions(op, wanted, LATCH_HAS_PROJECTION, NULL, &x)) return false;
    shared.projection = x.projection;
    shared.consistent = latch_member_true(wanted, "ConsistentRead");
    yyjson_arr_foreach(keys, i, max, key) if (!add_get(op, all, &shared, name, wanted, key)) return false;
    return true;
}

static bool read_gets(latch_op *op, gets *all) {
    yyjson_val *items = latch_member(op->request, "RequestItems"), *name, *wanted;
    size_t i, max, count = count_all(items, "Keys");
    if (yyjson_obj_size(items) == 0) return latch_invalid(&op->fault, op->arena, "BatchGetItem must have some requests set");
    yyjson_obj_foreach(items, i, max, name, wanted) {
        if (!latch_op_check_shape(op, wanted, false)) return false;
        if (yyjson_arr_size(latch_member(wanted, "Keys")) == 0)
            return latch_invalid(&op->fault, op->arena,
                                 "The list of keys in RequestItems for BatchGetItem is required: %.*s has empty list",
                                 (int)yyjson_get_len(name), yyjson_get_str(name));
    }
    if (count > READS_MAX) return latch_invalid(&op->fault, op->arena, "Too many items requested for the BatchGetItem call");
    *all = (gets){.of = latch_arena_alloc(op->arena, count * sizeof *all->of)};
    if (all->of == NULL) return latch_op_full(op);
    yyjson_obj_foreach(items, i, max, name, wanted) if (!read_table_gets(op, all, name, wanted)) return false;
    return true;
}

static bool find_gets(latch_op *op, const gets *all) {
    bool ok = true;
    pthread_mutex_lock(&op->engine->lock);
    for (size_t i = 0; ok && i < all->count; i++)
        ok = all->of[i].read.table->dropped ? latch_op_missing_table(op) : latch_read_find(op, &all->of[i].read);
    pthread_mutex_unlock(&op->engine->lock);
    return ok;
}

/* The list under the table's name in `in`, made where it isn't there. */
static yyjson_mut_val *list_of(latch_op *op, yyjson_mut_val *in, yyjson_val *name) {
    yyjson_mut_val *list = yyjson_mut_obj_getn(in, yyjson_get_str(name), yyjson_get_len(name));
    if (list != NULL) return list;
    yyjson_mut_val *key = yyjson_mut_strn(op->doc, yyjson_get_str(name), yyjson_get_len(name));
    list = yyjson_mut_arr(op->doc);
    if (key != NULL && list != NULL && yyjson_mut_obj_add(in, key, list)) return list;
    (void)latch_op_full(op);
    return NULL;
}

/* What a caller sends again: the table's part of the request, with the keys that weren't read. */
static bool put_back(latch_op *op, yyjson_mut_val *unprocessed, const get *g) {
    const char *name = yyjson_get_str(g->name);
    size_t len = yyjson_get_len(g->name);
    yyjson_mut_val *part = yyjson_mut_obj_getn(unprocessed, name, len);
    if (part == NULL) {
        yyjson_mut_val *key = yyjson_mut_strn(op->doc, name, len);
        part = yyjson_val_mut_copy(op->doc, g->wanted);
        if (key == NULL || part == NULL || !yyjson_mut_obj_add(unprocessed, key, part)) return latch_op_full(op);
        yyjson_mut_obj_remove_key(part, "Keys");
        if (latch_op_list(op, part, "Keys") == NULL) return false;
    }
    yyjson_mut_val *key = yyjson_val_mut_copy(op->doc, g->key);
    return (key != NULL && yyjson_mut_arr_append(yyjson_mut_obj_get(part, "Keys"), key)) || latch_op_full(op);
}

static bool answer_gets(latch_op *op, const gets *all, latch_usages *usages) {
    yyjson_mut_val *responses = latch_op_object(op, op->answer, "Responses");
    yyjson_mut_val *unprocessed = responses != NULL ? latch_op_object(op, op->answer, "UnprocessedKeys") : NULL;
    size_t bytes = 0;
    for (size_t i = 0; unprocessed != NULL && i < all->count; i++) {
        const latch_read *r = &all->of[i].read;
        size_t size = r->found != NULL ? r->found->bytes : 0;
        yyjson_mut_val *list = list_of(op, responses, all->of[i].name);
        latch_usage *usage = list != NULL ? latch_usages_find(op, usages, r->table) : NULL;
        if (usage == NULL) return false;
        if (size > ANSWER_BYTES_MAX - bytes) {
            if (!put_back(op, unprocessed, &all->of[i])) return false;
            continue;
        }
        bytes += size;
        usage->own += latch_read_units(size, r->consistent);
        yyjson_mut_val *item = r->found != NULL ? latch_read_write(op, r) : NULL;
        if (r->found != NULL && (item == NULL || !yyjson_mut_arr_append(list, item))) return latch_op_full(op);
    }
    return unprocessed != NULL;
}

bool latch_op_batch_get(latch_op *op) {
    gets all;
    latch_usages usages;
    latch_capacity_mode mode;
    if (!read_gets(op, &all) || !latch_op_capacity_mode(op, &mode) || !latch_usages_init(op, &usages, all.count)) return false;
    return find_gets(op, &all) && answer_gets(op, &all, &usages) && latch_usages_answer(op, &usages, mode, NULL);
}

/* ── BatchWriteItem: here it is all or nothing, which DynamoDB's doesn't promise ───────────────────────────────────── */

static bool read_write(latch_op *op, yyjson_val *request, latch_memtable *table, latch_writes *all) {
    latch_write *w = &all->of[all->count];
    yyjson_val *put = latch_member(request, "PutRequest"), *gone = latch_member(request, "DeleteRequest");
    if (!yyjson_is_obj(request))
        return latch_invalid(&op->fault, op->arena, "The batch write request list for a table cannot be null or empty");
    if ((put != NULL) == (gone != NULL))
        return latch_invalid(
            &op->fault, op->arena,
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes");
    yyjson_val *json = put != NULL ? latch_member(put, "Item") : latch_member(gone, "Key");
    if (json == NULL) return latch_invalid(&op->fault, op->arena, "The supplied Item contains a null AttributeValue");
    *w = (latch_write){.verb = put != NULL ? LATCH_PUT : LATCH_DELETE, .table = table};
    if (!latch_item_read(json, &w->item, op->arena, &op->fault)) return false;
    if (put != NULL && !latch_schema_check_item(&table->schema, &w->item, false, op->arena, &op->fault)) return false;
    if (put == NULL && !latch_schema_check_key(&table->schema, &w->item, op->arena, &op->fault)) return false;
    w->at = latch_memtable_position(table, &w->item);
    if (latch_writes_repeat(all, w)) return repeated(op);
    all->count++;
    return true;
}

static bool read_table_writes(latch_op *op, yyjson_val *name, yyjson_val *requests, latch_writes *all) {
    latch_memtable *table;
    size_t i, max;
    yyjson_val *request;
    if (!latch_op_table_named(op, text_of(name), &table)) return false;
    yyjson_arr_foreach(requests, i, max, request) if (!read_write(op, request, table, all)) return false;
    return true;
}

static bool read_writes(latch_op *op, latch_writes *all) {
    yyjson_val *items = latch_member(op->request, "RequestItems"), *name, *requests;
    size_t i, max, count = count_all(items, NULL);
    if (yyjson_obj_size(items) == 0) return latch_invalid(&op->fault, op->arena, "BatchWriteItem cannot have a null or no requests set");
    yyjson_obj_foreach(items, i, max, name, requests) {
        if (!latch_op_check_shape(op, requests, true)) return false;
        if (yyjson_arr_size(requests) == 0)
            return latch_invalid(&op->fault, op->arena, "The batch write request list for a table cannot be null or empty: %.*s",
                                 (int)yyjson_get_len(name), yyjson_get_str(name));
    }
    if (count > WRITES_MAX) return latch_invalid(&op->fault, op->arena, "Too many items requested for the BatchWriteItem call");
    if (!latch_writes_init(op, all, count)) return false;
    yyjson_obj_foreach(items, i, max, name, requests) if (!read_table_writes(op, name, requests, all)) return false;
    return true;
}

static bool do_writes(latch_op *op, latch_writes *all) {
    if (!latch_writes_lock(op, all)) return false;
    bool ready = true;
    for (size_t i = 0; ready && i < all->count; i++)
        ready = latch_write_prepare(op, &all->of[i]) == LATCH_WRITE_READY;
    if (ready) latch_writes_make(op, all);
    latch_op_unlock(op);
    return ready;
}

static bool answer_writes(latch_op *op, const latch_writes *all, latch_capacity_mode mode) {
    latch_usages usages;
    if (latch_op_object(op, op->answer, "UnprocessedItems") == NULL || !latch_usages_init(op, &usages, all->count)) return false;
    for (size_t i = 0; i < all->count; i++) {
        latch_usage *usage = latch_usages_find(op, &usages, all->of[i].table);
        if (usage == NULL) return false;
        latch_usage_add_change(usage, all->of[i].before, all->of[i].change.after, 1);
    }
    return latch_usages_answer(op, &usages, mode, NULL);
}

bool latch_op_batch_write(latch_op *op) {
    latch_writes all = {0};
    latch_capacity_mode mode;
    if (!read_writes(op, &all) || !latch_op_capacity_mode(op, &mode)) return false;
    bool done = do_writes(op, &all) && answer_writes(op, &all, mode);
    latch_writes_drop(&all);
    return done;
}
