#include "store/tables.h"

#include <string.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "core/text.h"
#include "store/table.h"
#include "store/wait.h"

#define WAIT_MS LATCH_MINUTE_MS          /* where nobody says how long */
#define FIRST_PAUSE_MS INT64_C(100)      /* a local table is there at once, */
#define MOST_PAUSE_MS INT64_C(2000)      /* AWS's takes some seconds */
#define APPEAR_MS (10 * LATCH_SECOND_MS) /* DescribeTable is eventually consistent: so long may a new table be missing there */
#define STATUS_BYTES 40

/* ── asking ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static const latch_dynamodb_wait no_wait;

typedef struct job { /* one call of this file */
    const char *table;
    const latch_dynamodb_schema *schema;
    const latch_dynamodb_wait *wait;
    int64_t at_ms; /* no request goes beyond it */
} job;

static latch_status begin(latch_ctx *cx, const char *table, const latch_dynamodb_schema *schema, const latch_dynamodb_wait *wait,
                          job *out) {
    if (cx->table == NULL)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "no store is open: set LATCH_TABLE, and .stores = true in the handler's entry");
    *out = (job){.table = table != NULL ? table : cx->table->name,
                 .schema = schema != NULL ? schema : &latch_dynamodb_schema_default,
                 .wait = wait != NULL ? wait : &no_wait};
    LATCH_TRY(latch_dynamodb_check_table(cx, out->table));
    return latch_ctx_deadline(cx, out->wait->timeout_ms, WAIT_MS, &out->at_ms);
}

static bool is_error(const latch_answer *answer, const char *name) { return latch_str_eq(answer->error, latch_str_of(name)); }

static bool is(latch_str s, const char *word) { return latch_str_eq(s, latch_str_of(word)); }

/* What DynamoDB says of a table's absence and presence, as refusals. What may have been applied stays said. */
static latch_status understand(latch_ctx *cx, const job *j, const char *operation, const latch_answer *answer, latch_status status) {
    bool maybe_applied = cx->err.maybe_applied;
    if (is_error(answer, "ResourceNotFoundException"))
        status = latch_err_set(&cx->err, LATCH_MISSING, "there is no table %s: `latch table create %s` makes it, or name another", j->table,
                               j->table);
    else if (is_error(answer, "ResourceInUseException"))
        status = latch_err_set(&cx->err, LATCH_CONFLICT, "%s %s: %.*s", operation, j->table, LATCH_ARG(answer->message));
    else
        return status;
    cx->err.maybe_applied = maybe_applied;
    return status;
}

static latch_status ask(latch_ctx *cx, const job *j, const char *operation, latch_str request, latch_answer *answer) {
    latch_call call = {.operation = operation, .request = request, .deadline_at_ms = j->at_ms};
    call.reads = strncmp(operation, "Describe", 8) == 0;
    call.repeatable = !call.reads; /* each of them refuses to be done twice */
    latch_status status = latch_client_call(cx, &call, answer);
    return status == LATCH_OK ? status : understand(cx, j, operation, answer, status);
}

static latch_status ask_by_name(latch_ctx *cx, const job *j, const char *operation, latch_answer *answer) {
    *answer = (latch_answer){.body = {cx, NULL}};
    latch_str request = latch_ctx_text(cx, "{\"TableName\":\"%s\"}", j->table); /* nothing in a table's name is escaped */
    if (request.ptr == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "%s: the arena is full", operation);
    return ask(cx, j, operation, request, answer);
}

/* ── describing ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status type_of(latch_json table, latch_str name, char *out) {
    latch_json definitions;
    *out = '?';
    LATCH_TRY(latch_read(table, "AttributeDefinitions", latch_optional(&definitions)));
    for (latch_each each = latch_each_in(definitions); latch_each_next(&each);) {
        latch_str attribute, type;
        LATCH_TRY(latch_read(latch_each_value(&each), "AttributeName", &attribute, "AttributeType", &type));
        if (latch_str_eq(attribute, name)) *out = *type.ptr;
    }
    return LATCH_OK;
}

/* Of a table or an index. */
static latch_status read_keys(latch_json table, latch_json owner, latch_dynamodb_key_info *pk, latch_dynamodb_key_info *sk) {
    latch_json keys;
    *pk = *sk = (latch_dynamodb_key_info){0};
    LATCH_TRY(latch_read(owner, "KeySchema", latch_optional(&keys)));
    for (latch_each each = latch_each_in(keys); latch_each_next(&each);) {
        latch_str name, type;
        LATCH_TRY(latch_read(latch_each_value(&each), "AttributeName", &name, "KeyType", &type));
        latch_dynamodb_key_info *key = is(type, "HASH") ? pk : sk;
        key->name = name;
        LATCH_TRY(type_of(table, name, &key->type));
    }
    return LATCH_OK;
}

static latch_status read_indexes(latch_json table, latch_json list, bool local, latch_dynamodb_table_info *out) {
    for (latch_each each = latch_each_in(list); latch_each_next(&each);) {
        latch_json one = latch_each_value(&each);
        latch_dynamodb_index_info *index = &out->indexes[out->index_count];
        *index = (latch_dynamodb_index_info){.local = local};
        LATCH_TRY(latch_read(one, "IndexName", &index->name, "IndexStatus", latch_optional(&index->status), "Projection.ProjectionType",
                             latch_optional(&index->projection), "ItemCount", latch_optional(&index->items), "IndexSizeBytes",
                             latch_optional(&index->bytes)));
        LATCH_TRY(read_keys(table, one, &index->pk, &index->sk));
        out->index_count++;
    }
    return LATCH_OK;
}

static latch_status read_table(latch_ctx *cx, latch_json table, latch_dynamodb_table_info *out) {
    latch_json global, local;
    latch_str billing;
    double created_at_s;
    LATCH_TRY(latch_read(table, "TableName", latch_optional(&out->name), "TableArn", latch_optional(&out->arn), "TableStatus", &out->status,
                         "ItemCount", latch_optional(&out->items), "TableSizeBytes", latch_optional(&out->bytes), "CreationDateTime",
                         latch_optional(&created_at_s), "BillingModeSummary.BillingMode", latch_optional(&billing),
                         "ProvisionedThroughput.ReadCapacityUnits", latch_optional(&out->read_units),
                         "ProvisionedThroughput.WriteCapacityUnits", latch_optional(&out->write_units), "DeletionProtectionEnabled",
                         latch_optional(&out->deletion_protected), "GlobalSecondaryIndexes", latch_optional(&global),
                         "LocalSecondaryIndexes", latch_optional(&local)));
    out->on_demand = is(billing, "PAY_PER_REQUEST");
    if (created_at_s > 0 && created_at_s < (double)LATCH_AT_MS_MAX / 1000) out->created_at_ms = (int64_t)(created_at_s * 1000);
    LATCH_TRY(read_keys(table, table, &out->pk, &out->sk));
    out->indexes = latch_arena_alloc(cx->arena, (latch_count(global) + latch_count(local) + 1) * sizeof *out->indexes);
    if (out->indexes == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "DescribeTable: the arena is full");
    LATCH_TRY(read_indexes(table, global, false, out));
    return read_indexes(table, local, true, out);
}

/* *attribute is empty where it is off. */
static latch_status describe_ttl(latch_ctx *cx, const job *j, latch_str *status, latch_str *attribute) {
    latch_answer answer;
    *status = *attribute = LATCH_STR("");
    LATCH_TRY(ask_by_name(cx, j, "DescribeTimeToLive", &answer));
    LATCH_TRY(latch_read(answer.body, "TimeToLiveDescription.TimeToLiveStatus", latch_optional(status),
                         "TimeToLiveDescription.AttributeName", latch_optional(attribute)));
    if (!is(*status, "ENABLED") && !is(*status, "ENABLING")) *attribute = LATCH_STR("");
    return LATCH_OK;
}

static latch_status describe_keys(latch_ctx *cx, const job *j, latch_dynamodb_table_info *out) {
    latch_answer answer;
    latch_json table;
    LATCH_TRY(ask_by_name(cx, j, "DescribeTable", &answer));
    LATCH_TRY(latch_read(answer.body, "Table", &table));
    return read_table(cx, table, out);
}

/* What the first request told stays where the second one fails. */
static latch_status describe(latch_ctx *cx, const job *j, latch_dynamodb_table_info *out) {
    *out = (latch_dynamodb_table_info){0};
    latch_status status = describe_keys(cx, j, out);
    if (status != LATCH_OK) *out = (latch_dynamodb_table_info){0};
    return status == LATCH_OK ? describe_ttl(cx, j, &out->ttl_status, &out->ttl) : status;
}

latch_status latch_dynamodb_table_describe(latch_ctx *cx, const char *table, latch_dynamodb_table_info *out) {
    job j;
    *out = (latch_dynamodb_table_info){0};
    LATCH_TRY(begin(cx, table, NULL, NULL, &j));
    return describe(cx, &j, out);
}

/* ── does it fit ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define KEYS_BYTES 160

/* "pk (S) and sk (S)": what was asked for, and what is there, in the same words. */
static const char *name_keys(char out[KEYS_BYTES], const latch_dynamodb_key_info *pk, const latch_dynamodb_key_info *sk) {
    latch_text_writer t = {.at = out, .cap = KEYS_BYTES - 1};
    for (const latch_dynamodb_key_info *key = pk; key != NULL; key = key == pk ? sk : NULL) {
        const char type[] = {' ', '(', key->type, ')', '\0'};
        if (key->name.len == 0) continue;
        if (key == sk) latch_text_put(&t, LATCH_STR(" and "));
        latch_text_put(&t, key->name);
        latch_text_put(&t, latch_str_of(type));
    }
    out[t.len] = '\0';
    return out;
}

static latch_dynamodb_key_info wanted(const latch_dynamodb_key *key) {
    return (latch_dynamodb_key_info){latch_str_of(key->name), key->type != NULL ? *key->type : 'S'};
}

static bool same_key(const latch_dynamodb_key_info *a, const latch_dynamodb_key_info *b) {
    return latch_str_eq(a->name, b->name) && (a->name.len == 0 || a->type == b->type);
}

/* `what` begins the message: "table orders", "table orders: its index gsi1". */
static latch_status check_keys(latch_ctx *cx, const char *what, const latch_dynamodb_key_info have[2], const latch_dynamodb_key want[2]) {
    char has[KEYS_BYTES], wants[KEYS_BYTES];
    const latch_dynamodb_key_info pk = wanted(&want[0]), sk = wanted(&want[1]);
    if (same_key(&have[0], &pk) && same_key(&have[1], &sk)) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s has the key %.80s, want %.80s: keys can't be changed, so name another table", what,
                         name_keys(has, &have[0], &have[1]), name_keys(wants, &pk, &sk));
}

static const latch_dynamodb_index_info *find_index(const latch_dynamodb_table_info *info, const char *name) {
    for (size_t i = 0; i < info->index_count; i++)
        if (is(info->indexes[i].name, name)) return &info->indexes[i];
    return NULL;
}

static latch_status check_index(latch_ctx *cx, const latch_dynamodb_table_info *info, const latch_dynamodb_index *want) {
    char what[128];
    latch_text_writer t = {.at = what, .cap = sizeof what - 1};
    const char *projection = want->projection != NULL ? want->projection : "ALL";
    const latch_dynamodb_index_info *have = find_index(info, want->name);
    if (have == NULL)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "table %.*s has no index %.60s: add it, or name another table",
                             LATCH_ARG(info->name), want->name);
    latch_text_put(&t, LATCH_STR("index "));
    latch_text_put(&t, have->name);
    latch_text_put(&t, LATCH_STR(" of table "));
    latch_text_put(&t, latch_str_cut(info->name, 60));
    what[t.len] = '\0';
    LATCH_TRY(
        check_keys(cx, what, (const latch_dynamodb_key_info[]){have->pk, have->sk}, (const latch_dynamodb_key[]){want->pk, want->sk}));
    if (is(have->projection, projection)) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s has the projection %.*s, want %s", what, LATCH_ARG(have->projection), projection);
}

latch_status latch_dynamodb_table_fits(latch_ctx *cx, const latch_dynamodb_table_info *info, const latch_dynamodb_schema *schema) {
    char what[128] = "table ";
    latch_str name = latch_str_cut(info->name, 100);
    if (schema == NULL) schema = &latch_dynamodb_schema_default;
    if (name.len > 0) memcpy(what + 6, name.ptr, name.len);
    what[6 + name.len] = '\0';
    LATCH_TRY(
        check_keys(cx, what, (const latch_dynamodb_key_info[]){info->pk, info->sk}, (const latch_dynamodb_key[]){schema->pk, schema->sk}));
    for (size_t i = 0; i < schema->index_count; i++)
        LATCH_TRY(check_index(cx, info, &schema->indexes[i]));
    return LATCH_OK;
}

/* ── waiting ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The table's status, "" where there is none. What the look needed goes back to the arena: one may look for long. */
static latch_status look(latch_ctx *cx, const job *j, char status[STATUS_BYTES]) {
    latch_answer answer;
    latch_str text = {0};
    bool missing;
    size_t mark = latch_arena_mark(cx->arena);
    *status = '\0';
    LATCH_TRY_BUT(LATCH_MISSING, missing, ask_by_name(cx, j, "DescribeTable", &answer));
    if (!missing) LATCH_TRY(latch_read(answer.body, "Table.TableStatus", &text));
    text = latch_str_cut(text, STATUS_BYTES - 1);
    if (text.len > 0) memcpy(status, text.ptr, text.len);
    status[text.len] = '\0';
    latch_arena_rewind(cx->arena, mark);
    return LATCH_OK;
}

typedef enum sight { READY, NOT_YET, NEVER } sight;

static sight wants_active(const char *status, int64_t waited_ms) {
    if (strcmp(status, "ACTIVE") == 0) return READY;
    if (*status == '\0') return waited_ms < APPEAR_MS ? NOT_YET : NEVER;
    return strcmp(status, "CREATING") == 0 || strcmp(status, "UPDATING") == 0 ? NOT_YET : NEVER;
}

static sight wants_gone(const char *status, int64_t waited_ms) {
    (void)waited_ms;
    return *status == '\0' ? READY : NOT_YET;
}

static latch_status say_never(latch_ctx *cx, const job *j, const char *status) {
    if (*status == '\0')
        return latch_err_set(&cx->err, LATCH_MISSING, "there is no table %s: `latch table create %s` makes it", j->table, j->table);
    return latch_err_set(&cx->err, LATCH_CONFLICT, "table %s is %s, and will not become ACTIVE", j->table, status);
}

static latch_status say_not_yet(latch_ctx *cx, const job *j, const char *status, int64_t waited_ms) {
    return latch_err_set(&cx->err, LATCH_E_TIMEOUT, "table %s is still %s after %lld ms: wait for longer, or look again later", j->table,
                         *status != '\0' ? status : "missing", (long long)waited_ms);
}

static latch_status wait_until(latch_ctx *cx, const job *j, sight (*sees)(const char *status, int64_t waited_ms)) {
    char status[STATUS_BYTES], last[STATUS_BYTES];
    latch_instant from = latch_clock_instant(&cx->clock);
    latch_wait pauses = latch_wait_begin(cx, j->at_ms - latch_now_ms(cx), FIRST_PAUSE_MS, MOST_PAUSE_MS);
    for (bool first = true;; first = false) {
        latch_status looked = look(cx, j, status);
        int64_t waited_ms = latch_clock_since_ms(&cx->clock, from);
        if (looked == LATCH_E_TIMEOUT && !first) return say_not_yet(cx, j, last, waited_ms);
        if (looked != LATCH_OK) return looked;
        sight seen = sees(status, waited_ms);
        if (seen == READY) return LATCH_OK;
        if (seen == NEVER) return say_never(cx, j, status);
        if (j->wait->progress != NULL) j->wait->progress(j->wait->arg, j->table, status, waited_ms);
        if (!latch_wait_more(cx, &pauses, 0)) return say_not_yet(cx, j, status, waited_ms);
        memcpy(last, status, sizeof last);
    }
}

latch_status latch_dynamodb_table_wait(latch_ctx *cx, const char *table, const latch_dynamodb_wait *wait) {
    job j;
    LATCH_TRY(begin(cx, table, NULL, wait, &j));
    return wait_until(cx, &j, wants_active);
}

latch_status latch_dynamodb_table_wait_gone(latch_ctx *cx, const char *table, const latch_dynamodb_wait *wait) {
    job j;
    LATCH_TRY(begin(cx, table, NULL, wait, &j));
    return wait_until(cx, &j, wants_gone);
}

/* ── time to live ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status say_other_ttl(latch_ctx *cx, const job *j, latch_str is_by, const char *attribute) {
    return latch_err_set(&cx->err, LATCH_E_MISUSE,
                         "table %s: its time to live goes by %.*s, want %s: turn it off and wait an hour, or name another table", j->table,
                         LATCH_ARG(is_by), attribute);
}

/* It refuses to turn on what is on: by which attribute, another question tells. */
static latch_status turn_ttl_on(latch_ctx *cx, const job *j, const char *attribute, bool *turned) {
    latch_answer answer;
    latch_str request, status, by;
    *turned = false;
    LATCH_TRY(latch_dynamodb_ttl_request(cx, j->table, attribute, &request));
    latch_status refused = ask(cx, j, "UpdateTimeToLive", request, &answer);
    *turned = refused == LATCH_OK;
    if (refused == LATCH_OK || !is_error(&answer, "ValidationException")) return refused;
    latch_err why = cx->err;
    LATCH_TRY(describe_ttl(cx, j, &status, &by));
    if (is(by, attribute)) return LATCH_OK;
    if (by.len > 0) return say_other_ttl(cx, j, by, attribute);
    cx->err = why;
    return refused;
}

latch_status latch_dynamodb_table_ttl(latch_ctx *cx, const char *table, const char *attribute, bool *turned) {
    job j;
    bool done = false;
    latch_status status = begin(cx, table, NULL, NULL, &j);
    if (status == LATCH_OK) status = turn_ttl_on(cx, &j, attribute, &done);
    if (turned != NULL) *turned = done;
    return status;
}

/* ── creating and deleting ──────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status create(latch_ctx *cx, const job *j) {
    latch_answer answer;
    latch_str request;
    LATCH_TRY(latch_dynamodb_schema_request(cx, j->table, j->schema, &request));
    return ask(cx, j, "CreateTable", request, &answer);
}

latch_status latch_dynamodb_table_create(latch_ctx *cx, const char *table, const latch_dynamodb_schema *schema) {
    job j;
    LATCH_TRY(begin(cx, table, schema, NULL, &j));
    return create(cx, &j);
}

latch_status latch_dynamodb_table_delete(latch_ctx *cx, const char *table) {
    latch_answer answer;
    job j;
    LATCH_TRY(begin(cx, table, NULL, NULL, &j));
    latch_status status = ask_by_name(cx, &j, "DeleteTable", &answer);
    return status == LATCH_MISSING && cx->err.maybe_applied ? LATCH_OK : status; /* gone by our own first try, or by another's */
}

/* From nothing, or from a table that is being deleted, to one that is ACTIVE. Who else creates it meanwhile is welcome. */
static latch_status make(latch_ctx *cx, const job *j, bool *created) {
    bool is_there;
    LATCH_TRY_BUT(LATCH_CONFLICT, is_there, create(cx, j));
    *created = !is_there || cx->err.maybe_applied;
    return wait_until(cx, j, wants_active);
}

static latch_status ensure_ttl(latch_ctx *cx, const job *j, latch_dynamodb_ensured *out) {
    const char *want = j->schema->ttl;
    if (want == NULL || is(out->info.ttl, want)) return LATCH_OK;
    if (out->info.ttl.len > 0) return say_other_ttl(cx, j, out->info.ttl, want);
    LATCH_TRY(turn_ttl_on(cx, j, want, &out->ttl_turned));
    out->info.ttl = latch_str_of(want);
    out->info.ttl_status = LATCH_STR("ENABLING");
    return LATCH_OK;
}

static latch_status ensure(latch_ctx *cx, const job *j, latch_dynamodb_ensured *out) {
    bool missing;
    LATCH_TRY_BUT(LATCH_MISSING, missing, describe(cx, j, &out->info));
    bool going = is(out->info.status, "DELETING"), coming = is(out->info.status, "CREATING");
    if (going) LATCH_TRY(wait_until(cx, j, wants_gone));
    if (missing || going) LATCH_TRY(make(cx, j, &out->created));
    if (coming) LATCH_TRY(wait_until(cx, j, wants_active));
    if (missing || going || coming) LATCH_TRY(describe(cx, j, &out->info));
    LATCH_TRY(latch_dynamodb_table_fits(cx, &out->info, j->schema));
    return ensure_ttl(cx, j, out);
}

latch_status latch_dynamodb_table_ensure(latch_ctx *cx, const char *table, const latch_dynamodb_schema *schema,
                                         const latch_dynamodb_wait *wait, latch_dynamodb_ensured *out) {
    latch_str unsent;
    job j;
    *out = (latch_dynamodb_ensured){0};
    LATCH_TRY(begin(cx, table, schema, wait, &j));
    size_t mark = latch_arena_mark(cx->arena);
    LATCH_TRY(latch_dynamodb_schema_request(cx, j.table, j.schema, &unsent)); /* a bad schema is refused before anything is sent */
    latch_arena_rewind(cx->arena, mark);
    latch_status status = ensure(cx, &j, out);
    if (status != LATCH_OK) out->info = (latch_dynamodb_table_info){0};
    return status;
}

/* ── health ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_status latch_dynamodb_table_health(latch_ctx *cx, const char *table, latch_dynamodb_health *out) {
    latch_answer answer;
    job j;
    *out = (latch_dynamodb_health){0};
    LATCH_TRY(begin(cx, table, NULL, NULL, &j));
    latch_instant from = latch_clock_instant(&cx->clock);
    latch_status status = ask_by_name(cx, &j, "DescribeTable", &answer);
    out->ms = latch_clock_since_ms(&cx->clock, from);
    out->reachable = status == LATCH_OK || answer.error.len > 0;
    LATCH_TRY(status);
    LATCH_TRY(latch_read(answer.body, "Table.TableStatus", &out->status));
    out->active = is(out->status, "ACTIVE") || is(out->status, "UPDATING");
    if (out->active) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_CONFLICT, "table %s is %.*s: it takes no items", j.table, LATCH_ARG(out->status));
}
