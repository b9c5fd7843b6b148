#include "store/embedded/engine.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/err.h"
#include "core/node.h"
#include "store/embedded/inside.h"

#define DEFAULT_MAX_BYTES ((size_t)256 << 20)
#define DEPTH_MAX 128
#define HELD_ROOM 62

struct latch_held {
    latch_held *next;
    size_t count;
    struct {
        latch_stored *stored; /* this or the table */
        latch_memtable *table;
    } of[HELD_ROOM];
};

/* ── life ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static uint64_t random_seed(void) {
    uint64_t seed = 0;
    while (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed || seed == 0)
        continue;
    return seed;
}

latch_status latch_embedded_init(latch_embedded **out, const latch_embedded_options *options, latch_err *err) {
    static const latch_embedded_options defaults = {0};
    *out = NULL;
    if (options == NULL) options = &defaults;
    if (options->lag_ms < 0) return latch_err_set(err, LATCH_E_MISUSE, "embedded store: lag_ms is negative");
    latch_embedded *engine = calloc(1, sizeof *engine);
    if (engine == NULL || pthread_mutex_init(&engine->lock, NULL) != 0) {
        free(engine);
        return latch_err_set(err, LATCH_E_NOMEM, "embedded store: no memory");
    }
    engine->clock = options->clock != NULL ? *options->clock : latch_clock_system();
    engine->seed = options->seed != 0 ? options->seed : random_seed();
    engine->lag_ms = options->lag_ms;
    engine->budget.max = options->max_bytes != 0 ? options->max_bytes : DEFAULT_MAX_BYTES;
    atomic_init(&engine->due_at_ms, LATCH_NEVER);
    *out = engine;
    return LATCH_OK;
}

void latch_embedded_clean_up(latch_embedded *engine) {
    if (engine == NULL) return;
    for (size_t i = 0; i < engine->table_count; i++)
        latch_memtable_release(engine->tables[i]);
    latch_budget_free(&engine->budget, engine->tables);
    latch_tokens_clean_up(engine);
    pthread_mutex_destroy(&engine->lock);
    free(engine);
}

latch_embedded_stats latch_embedded_measure(latch_embedded *engine) {
    latch_embedded_stats stats = {
        .bytes = atomic_load(&engine->budget.used), .max_bytes = engine->budget.max, .requests = atomic_load(&engine->requests)};
    pthread_mutex_lock(&engine->lock);
    stats.tables = engine->table_count;
    for (size_t i = 0; i < engine->table_count; i++)
        stats.items += engine->tables[i]->live[0].count;
    pthread_mutex_unlock(&engine->lock);
    return stats;
}

/* ── tables ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

int latch_name_order(latch_str a, latch_str b) {
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

latch_memtable *latch_engine_find(const latch_embedded *engine, latch_str name, size_t *at) {
    size_t low = 0, high = engine->table_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = latch_name_order(engine->tables[middle]->schema.name, name);
        if (order == 0) low = middle;
        if (order == 0) break;
        if (order < 0) low = middle + 1;
        if (order > 0) high = middle;
    }
    if (at != NULL) *at = low;
    return low < engine->table_count && latch_str_eq(engine->tables[low]->schema.name, name) ? engine->tables[low] : NULL;
}

/* ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

void latch_engine_schedule(latch_embedded *engine, const latch_memtable *table) {
    int64_t due_at_ms = latch_memtable_due_at_ms(table);
    if (due_at_ms < atomic_load(&engine->due_at_ms)) atomic_store(&engine->due_at_ms, due_at_ms);
}

/* Takes the lock only where there is something to remove or to show. */
static void tick(latch_embedded *engine, int64_t now_ms) {
    if (atomic_load(&engine->due_at_ms) > now_ms) return;
    pthread_mutex_lock(&engine->lock);
    atomic_store(&engine->due_at_ms, LATCH_NEVER);
    for (size_t i = 0; i < engine->table_count; i++) {
        latch_memtable_tick(engine->tables[i], now_ms);
        latch_engine_schedule(engine, engine->tables[i]);
    }
    pthread_mutex_unlock(&engine->lock);
}

/* ── what an operation holds ───────────────────────────────────────────────────────────────────────────────────────── */

static bool room_to_hold(latch_op *op) {
    if (op->held != NULL && op->held->count < HELD_ROOM) return true;
    latch_held *more = latch_arena_alloc(op->arena, sizeof *more);
    if (more == NULL) return latch_op_full(op);
    more->next = op->held;
    more->count = 0;
    op->held = more;
    return true;
}

bool latch_op_hold(latch_op *op, latch_stored *stored) {
    if (stored == NULL) return true;
    if (!room_to_hold(op)) return false;
    latch_stored_keep(stored);
    op->held->of[op->held->count].table = NULL;
    op->held->of[op->held->count++].stored = stored;
    return true;
}

bool latch_op_hold_table(latch_op *op, latch_memtable *table) {
    if (!room_to_hold(op)) return false;
    latch_memtable_keep(table);
    op->held->of[op->held->count].stored = NULL;
    op->held->of[op->held->count++].table = table;
    return true;
}

static void release_all(latch_op *op) {
    for (; op->held != NULL; op->held = op->held->next)
        for (size_t i = 0; i < op->held->count; i++) {
            latch_stored_release(&op->engine->budget, op->held->of[i].stored);
            latch_memtable_release(op->held->of[i].table);
        }
}

bool latch_op_lock(latch_op *op, const latch_memtable *table) {
    pthread_mutex_lock(&op->engine->lock);
    if (!table->dropped) return true;
    pthread_mutex_unlock(&op->engine->lock);
    return latch_op_missing_table(op);
}

void latch_op_unlock(latch_op *op) { pthread_mutex_unlock(&op->engine->lock); }

/* ── faults ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

bool latch_op_full(latch_op *op) { return latch_fault_full(&op->fault); }

bool latch_op_over_bound(latch_op *op) {
    return latch_fault_set(&op->fault, op->arena, "LimitExceededException",
                           "The embedded store is full: %zu bytes of at most %zu are in use. Raise LATCH_EMBEDDED_MAX_MB, or delete items",
                           atomic_load(&op->engine->budget.used), op->engine->budget.max);
}

bool latch_op_missing_table(latch_op *op) {
    return latch_fault_set(&op->fault, op->arena, "ResourceNotFoundException", "Cannot do operations on a non-existent table");
}

/* ── the answer ────────────────────────────────────────────────────────────────────────────────────────────────────── */

bool latch_op_add(latch_op *op, yyjson_mut_val *object, const char *name, yyjson_mut_val *value) {
    return (value != NULL && object != NULL && yyjson_mut_obj_add_val(op->doc, object, name, value)) || latch_op_full(op);
}

bool latch_op_add_text(latch_op *op, yyjson_mut_val *object, const char *name, latch_str text) {
    return latch_op_add(op, object, name, yyjson_mut_strn(op->doc, text.len > 0 ? text.ptr : "", text.len));
}

bool latch_op_add_int(latch_op *op, yyjson_mut_val *object, const char *name, int64_t n) {
    return latch_op_add(op, object, name, yyjson_mut_sint(op->doc, n));
}

bool latch_op_add_real(latch_op *op, yyjson_mut_val *object, const char *name, double n) {
    return latch_op_add(op, object, name, yyjson_mut_real(op->doc, n));
}

bool latch_op_add_bool(latch_op *op, yyjson_mut_val *object, const char *name, bool is) {
    return latch_op_add(op, object, name, yyjson_mut_bool(op->doc, is));
}

bool latch_op_add_item(latch_op *op, yyjson_mut_val *object, const char *name, const latch_item *item) {
    return latch_op_add(op, object, name, latch_item_write(op->doc, item));
}

yyjson_mut_val *latch_op_object(latch_op *op, yyjson_mut_val *in, const char *name) {
    yyjson_mut_val *object = yyjson_mut_obj(op->doc);
    return latch_op_add(op, in, name, object) ? object : NULL;
}

yyjson_mut_val *latch_op_list(latch_op *op, yyjson_mut_val *in, const char *name) {
    yyjson_mut_val *list = yyjson_mut_arr(op->doc);
    return latch_op_add(op, in, name, list) ? list : NULL;
}

/* ── a request's and an answer's JSON ──────────────────────────────────────────────────────────────────────────────── */

static bool unreadable(latch_op *op, const char *why, size_t at) {
    return latch_fault_set(&op->fault, op->arena, "SerializationException", "The request is not a JSON object: %s at byte %zu", why, at);
}

/* Where nesting goes beyond DEPTH_MAX; the length where it doesn't. yyjson has no limit of its own. */
static size_t too_deep_at(latch_str text) {
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (quoted && c == '\\') i++;
        if (c == '"') quoted = !quoted;
        if (quoted) continue;
        if (c == ']' || c == '}') depth--;
        if ((c == '[' || c == '{') && ++depth > DEPTH_MAX) return i;
    }
    return text.len;
}

static bool parse(latch_op *op, latch_str text) {
    yyjson_alc alc = latch_node_alc(op->arena);
    yyjson_read_err err = {0};
    size_t deep = too_deep_at(text);
    if (deep < text.len) return unreadable(op, "nested too deeply", deep);
    if (text.len == 0) return unreadable(op, "it is empty", 0);
    char *copy = text.len < SIZE_MAX - YYJSON_PADDING_SIZE ? latch_arena_alloc(op->arena, text.len + YYJSON_PADDING_SIZE) : NULL;
    if (copy == NULL) return latch_op_full(op);
    memcpy(copy, text.ptr, text.len);
    memset(copy + text.len, 0, YYJSON_PADDING_SIZE);
    yyjson_doc *doc = yyjson_read_opts(copy, text.len, YYJSON_READ_INSITU | YYJSON_READ_BIGNUM_AS_RAW, &alc, &err);
    if (doc == NULL && err.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION) return latch_op_full(op);
    if (doc == NULL) return unreadable(op, err.msg, err.pos);
    op->request = yyjson_doc_get_root(doc);
    return yyjson_is_obj(op->request) || unreadable(op, "another value", 0);
}

static bool begin_answer(latch_op *op) {
    yyjson_alc alc = latch_node_alc(op->arena);
    op->doc = yyjson_mut_doc_new(&alc);
    op->answer = op->doc != NULL ? yyjson_mut_obj(op->doc) : NULL;
    return op->answer != NULL || latch_op_full(op);
}

/* ── the call ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static const struct {
    const char *name;
    latch_op_fn *run;
} operations[] = {
    {"GetItem", latch_op_get_item},
    {"PutItem", latch_op_put_item},
    {"UpdateItem", latch_op_update_item},
    {"DeleteItem", latch_op_delete_item},
    {"Query", latch_op_query},
    {"Scan", latch_op_scan},
    {"BatchGetItem", latch_op_batch_get},
    {"BatchWriteItem", latch_op_batch_write},
    {"TransactGetItems", latch_op_transact_get},
    {"TransactWriteItems", latch_op_transact_write},
    {"CreateTable", latch_op_create_table},
    {"DescribeTable", latch_op_describe_table},
    {"DeleteTable", latch_op_delete_table},
    {"ListTables", latch_op_list_tables},
    {"UpdateTable", latch_op_update_table},
    {"DescribeLimits", latch_op_describe_limits},
    {"UpdateTimeToLive", latch_op_update_ttl},
    {"DescribeTimeToLive", latch_op_describe_ttl},
};

static bool run(latch_op *op, latch_str request) {
    latch_op_fn *found = NULL;
    for (size_t i = 0; i < sizeof operations / sizeof operations[0] && found == NULL; i++)
        if (strcmp(operations[i].name, op->operation) == 0) found = operations[i].run;
    if (found == NULL) return latch_fault_set(&op->fault, op->arena, "UnknownOperationException", "An unknown operation was requested.");
    return parse(op, request) && latch_op_check_types(op, op->request) && found(op);
}

/* The services of AWS's frame name their errors after themselves. */
static const char *prefix_of(const char *name) {
    if (strcmp(name, "ValidationException") == 0) return "com.amazon.coral.validate#";
    if (strcmp(name, "SerializationException") == 0 || strcmp(name, "UnknownOperationException") == 0) return "com.amazon.coral.service#";
    return "com.amazonaws.dynamodb.v20120810#";
}

static bool describe_fault(latch_op *op) {
    yyjson_mut_val *error = yyjson_mut_obj(op->doc);
    const char *prefix = prefix_of(op->fault.name);
    size_t prefix_len = strlen(prefix), len = prefix_len + strlen(op->fault.name);
    char *type = latch_arena_alloc(op->arena, len + 1);
    if (type == NULL) return false;
    memcpy(type, prefix, prefix_len);
    memcpy(type + prefix_len, op->fault.name, len - prefix_len + 1);
    if (!latch_op_add_text(op, error, "__type", (latch_str){type, len})) return false;
    if (!latch_op_add_text(op, error, "message", op->fault.message)) return false;
    if (op->extra != NULL && !latch_op_add(op, error, op->extra_name, op->extra)) return false;
    op->answer = error;
    return true;
}

static latch_status call(void *self, const latch_send *send, latch_arena *arena, latch_reply *out, latch_err *err) {
    latch_op op = {.engine = self, .operation = send->operation, .arena = arena};
    *out = (latch_reply){0};
    op.now_ms = latch_clock_wall_ms(&op.engine->clock);
    atomic_fetch_add_explicit(&op.engine->requests, 1, memory_order_relaxed);
    tick(op.engine, op.now_ms);
    bool done = begin_answer(&op) && run(&op, send->request);
    bool said = done || (op.fault.name != NULL && strcmp(op.fault.name, "Arena") != 0 && describe_fault(&op));
    latch_reply reply = {.http_status = done ? 200 : 400};
    said = said && latch_op_write_answer(&op, &reply.body);
    release_all(&op);
    if (said) *out = reply;
    if (said) return LATCH_OK;
    latch_status status = latch_err_set(err, LATCH_E_NOMEM, "%s: the arena of %zu bytes is full", send->operation, arena->cap);
    if (err != NULL) err->maybe_applied = op.applied;
    return status;
}

latch_transport latch_embedded_transport(latch_embedded *engine) { return (latch_transport){.call = call, .self = engine}; }
