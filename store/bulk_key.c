#include "store/bulk_key.h"

#include <stdio.h>
#include <string.h>

#include "core/coding.h"
#include "core/ctx_private.h"
#include "core/text.h"
#include "store/client.h"
#include "store/marshal.h"
#include "store/table.h"

#define PK_MAX_BYTES 2048
#define SK_MAX_BYTES 1024

/* ── tables ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool copy_name(char to[LATCH_BULK_NAME_BYTES], latch_str name) {
    if (name.len >= LATCH_BULK_NAME_BYTES) return false;
    if (name.len > 0) memcpy(to, name.ptr, name.len);
    to[name.len] = '\0';
    return true;
}

static latch_status add(latch_ctx *cx, latch_bulk_tables *tables, const char *name, latch_str pk, latch_str sk) {
    if (tables->count == LATCH_DYNAMODB_TABLES_MAX)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "batch: over %d tables in one call: split it", LATCH_DYNAMODB_TABLES_MAX);
    latch_bulk_table *t = &tables->of[tables->count];
    t->name = name;
    if (pk.len == 0 || !copy_name(t->pk, pk) || !copy_name(t->sk, sk))
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "batch: the key attributes of table %s want names of 1 to %d bytes", name,
                             LATCH_BULK_NAME_BYTES - 1);
    tables->count++;
    return LATCH_OK;
}

static latch_str or_usual(const char *name, const char *usual) { return latch_str_of(name != NULL ? name : usual); }

static bool is_known(const latch_bulk_tables *tables, latch_str name, size_t *place) {
    for (*place = 0; *place < tables->count; (*place)++)
        if (latch_str_eq(name, latch_str_of(tables->of[*place].name))) return true;
    return false;
}

latch_status latch_bulk_tables_init(latch_ctx *cx, latch_bulk_tables *tables, const char *table, const latch_dynamodb_keys *keys,
                                    size_t keys_count) {
    size_t unused;
    LATCH_TRY(latch_client_check_open(cx, "batch"));
    tables->count = 0;
    tables->usual = table != NULL ? table : cx->table->name;
    for (size_t i = 0; i < keys_count; i++) {
        if (keys[i].table == NULL || keys[i].pk == NULL)
            return latch_err_set(&cx->err, LATCH_E_MISUSE, "batch: .keys[%zu] wants .table and .pk", i);
        LATCH_TRY(add(cx, tables, keys[i].table, latch_str_of(keys[i].pk), latch_str_of(keys[i].sk)));
    }
    if (is_known(tables, latch_str_of(cx->table->name), &unused)) return LATCH_OK;
    if (tables->count == LATCH_DYNAMODB_TABLES_MAX) return LATCH_OK; /* all are given: this one isn't among them */
    return add(cx, tables, cx->table->name, or_usual(cx->table->pk, "pk"), or_usual(cx->table->sk, "sk"));
}

/* {"Table":{"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},…]}} */
static latch_status learn(latch_ctx *cx, latch_bulk_tables *tables, const char *name, int64_t deadline_at_ms, uint64_t *requests) {
    latch_answer answer;
    latch_str first, second;
    latch_text_writer t = latch_text_begin(cx->arena);
    latch_text_put(&t, LATCH_STR("{\"TableName\":"));
    latch_text_json_string(&t, latch_str_of(name));
    latch_text_char(&t, '}');
    latch_str request = latch_text_end(&t);
    if (request.ptr == NULL) return latch_err_set(&cx->err, t.failed, "batch: the table's name: %s", t.why);
    const latch_call call = {.operation = "DescribeTable", .request = request, .deadline_at_ms = deadline_at_ms, .reads = true};
    latch_status status = latch_client_call(cx, &call, &answer);
    *requests += (uint64_t)answer.tries;
    if (status != LATCH_OK) return status;
    LATCH_TRY(
        latch_read(answer.body, "Table.KeySchema[0].AttributeName", &first, "Table.KeySchema[1].AttributeName", latch_optional(&second)));
    return add(cx, tables, name, first, second);
}

latch_status latch_bulk_table_find(latch_ctx *cx, latch_bulk_tables *tables, const char *name, int64_t deadline_at_ms, size_t *place,
                                   uint64_t *requests) {
    if (name == NULL) name = tables->usual;
    if (is_known(tables, latch_str_of(name), place)) return LATCH_OK;
    size_t mark = latch_arena_mark(cx->arena);
    latch_status status = learn(cx, tables, name, deadline_at_ms, requests);
    latch_arena_rewind(cx->arena, mark);
    *place = tables->count - 1;
    return status;
}

/* ── what tells keys apart ──────────────────────────────────────────────────────────────────────────────────────────────── */

/* FNV-1a, its bits mixed once more (the finish of MurmurHash3): it spreads keys over connections, and nothing depends on its secrecy. */
static uint64_t hash_of(latch_str text, size_t table) {
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ table;
    for (size_t i = 0; i < text.len; i++)
        h = (h ^ (unsigned char)text.ptr[i]) * UINT64_C(0x100000001b3);
    h = (h ^ (h >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    h = (h ^ (h >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ (h >> 33);
}

bool latch_bulk_key_same(const latch_bulk_key *a, const latch_bulk_key *b) {
    return a->hash == b->hash && a->table == b->table && latch_str_eq(a->text, b->text);
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* By its value: 100, 1e2 and 100.0 are one. What is no number of DynamoDB's stays as it is written. */
static void put_number(latch_text_writer *t, latch_str s) {
    latch_decimal n;
    if (latch_decimal_read(s, &n) != LATCH_DECIMAL_FITS) {
        latch_text_put(t, s);
        return;
    }
    if (n.sign < 0) latch_text_char(t, '-');
    for (size_t i = 0; i < n.count; i++)
        latch_text_char(t, (char)('0' + n.digits[i]));
    latch_text_char(t, 'e');
    latch_text_int(t, n.exponent);
}

typedef struct part { /* of a key: a value of one of the three types that it may have */
    char type;        /* 'S', 'N', 'B'; 0: it isn't there */
    latch_str raw;
} part;

/* Each part with its length in front: no two keys give one text. */
static void put_part(latch_text_writer *t, const part *p) {
    latch_text_char(t, p->type);
    if (p->type == 'N') {
        put_number(t, p->raw);
        latch_text_char(t, ';');
        return;
    }
    latch_str same = p->type == 'B' ? latch_marshal_binary_identity(t->arena, p->raw) : p->raw;
    if (same.ptr == NULL && p->raw.len > 0) latch_text_fail(t, LATCH_E_NOMEM, "the arena is full");
    latch_text_uint(t, p->raw.len);
    latch_text_char(t, ':');
    latch_text_put(t, same);
}

static latch_status finish(latch_ctx *cx, size_t table, const part *pk, const part *sk, latch_bulk_key *out) {
    latch_text_writer t = latch_text_begin(cx->arena);
    put_part(&t, pk);
    if (sk->type != 0) put_part(&t, sk);
    out->text = latch_text_end(&t);
    out->table = table;
    if (out->text.ptr == NULL) return latch_err_set(&cx->err, t.failed, "batch: %s", t.why);
    out->hash = hash_of(out->text, table);
    return LATCH_OK;
}

/* ── of a plain item ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Text; a number, or its text behind a tag; base64 behind a tag. Nothing else is a key. */
static part plain_part(const latch_each *each) {
    latch_str text = latch_each_text(each), tagged = LATCH_STR("");
    if (text.ptr != NULL && text.len > 0) return (part){'S', text};
    latch_json value = latch_each_value(each);
    text = latch_text(value);
    if (text.len > 0 && (text.ptr[0] == '-' || is_digit(text.ptr[0]))) return (part){'N', text};
    if (text.len == 2 && text.ptr[0] == '"') return (part){'S', LATCH_STR("")};
    if (text.len == 0 || text.ptr[0] != '{') return (part){0, text};
    bool binary = latch_has(value, "$binary"), number = latch_has(value, "$number");
    if (binary && latch_read(value, "$binary", latch_bytes(&tagged, 0, INT64_MAX)) == LATCH_OK) return (part){'B', tagged};
    if (number && latch_read(value, "$number", latch_bytes(&tagged, 0, INT64_MAX)) == LATCH_OK) return (part){'N', tagged};
    return (part){0, text};
}

static latch_status check_part(latch_ctx *cx, const latch_bulk_table *t, const char *name, const part *p, size_t max_bytes) {
    if (p->type == 0 && p->raw.ptr == NULL)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "the key attribute %s of table %s is missing", name, t->name);
    if (p->type == 0) {
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "the key attribute %s is %.*s, want text, a number or {\"$binary\": base64}", name,
                             LATCH_ARG(latch_str_cut(p->raw, 40)));
    }
    if (p->raw.len == 0) return latch_err_set(&cx->err, LATCH_E_INPUT, "the key attribute %s is empty", name);
    size_t bytes = p->raw.len;
    if (p->type == 'N' || (p->type == 'B' && !latch_base64_is(p->raw, &bytes)) || bytes <= max_bytes) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_INPUT, "the key attribute %s has %zu bytes, want at most %zu", name, bytes, max_bytes);
}

latch_status latch_bulk_key_of(latch_ctx *cx, const latch_bulk_tables *tables, size_t table, latch_json item, bool alone,
                               latch_bulk_key *out) {
    const latch_bulk_table *t = &tables->of[table];
    latch_str pk_name = latch_str_of(t->pk), sk_name = latch_str_of(t->sk);
    part pk = {0}, sk = {0};
    *out = (latch_bulk_key){.table = table};
    for (latch_each each = latch_each_in(item); latch_each_next(&each);) {
        bool is_pk = latch_str_eq(each.name, pk_name), is_sk = sk_name.len > 0 && latch_str_eq(each.name, sk_name);
        if (is_pk) pk = plain_part(&each);
        if (is_sk) sk = plain_part(&each);
        if (alone && !is_pk && !is_sk)
            return latch_err_set(&cx->err, LATCH_E_MISUSE, "%.*s is no key attribute of table %s", LATCH_ARG(latch_str_cut(each.name, 60)),
                                 t->name);
        if (!alone && pk.type != 0 && (sk.type != 0 || sk_name.len == 0)) break;
    }
    LATCH_TRY(check_part(cx, t, t->pk, &pk, PK_MAX_BYTES));
    if (sk_name.len > 0) LATCH_TRY(check_part(cx, t, t->sk, &sk, SK_MAX_BYTES));
    return finish(cx, table, &pk, &sk, out);
}

/* ── of an item as DynamoDB gives it ────────────────────────────────────────────────────────────────────────────────────── */

static part attribute_part(const latch_each *each) {
    static const char *const types[] = {"S", "N", "B"};
    latch_json value = latch_each_value(each);
    latch_str raw;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (!latch_has(value, types[i])) continue;
        if (latch_read_(value, (const latch_field[]){{types[i], latch_bytes(&raw, 0, INT64_MAX)}, {NULL, latch_i_str_(NULL)}}) == LATCH_OK)
            return (part){types[i][0], raw};
    }
    return (part){0};
}

latch_status latch_bulk_key_of_attributes(latch_ctx *cx, const latch_bulk_tables *tables, size_t table, latch_json item,
                                          latch_bulk_key *out) {
    const latch_bulk_table *t = &tables->of[table];
    latch_str pk_name = latch_str_of(t->pk), sk_name = latch_str_of(t->sk);
    part pk = {0}, sk = {0};
    *out = (latch_bulk_key){.table = table};
    for (latch_each each = latch_each_in(item); latch_each_next(&each);) {
        if (latch_str_eq(each.name, pk_name)) pk = attribute_part(&each);
        if (sk_name.len > 0 && latch_str_eq(each.name, sk_name)) sk = attribute_part(&each);
    }
    if (pk.type == 0 || (sk_name.len > 0 && sk.type == 0))
        return latch_err_set(&cx->err, LATCH_E_DATA, "batch: DynamoDB's answer has an item without its key in table %s", t->name);
    return finish(cx, table, &pk, &sk, out);
}
