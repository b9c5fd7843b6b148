#include "store/table.h"

#include <inttypes.h>
#include <string.h>

#include "core/ctx_private.h"

#define TRIES 3
#define PLACEHOLDERS_MAX 16

/* A list of pairs that grows, for the maps whose names the expressions decide. */
typedef struct map {
    latch_pair pairs[PLACEHOLDERS_MAX + 1]; /* the last one ends it */
    size_t count;
} map;

static bool has(const map *m, const char *name) {
    for (size_t i = 0; i < m->count; i++) {
        if (strcmp(m->pairs[i].name, name) == 0) return true;
    }
    return false;
}

static latch_status add(latch_ctx *cx, map *m, const char *name, latch_value value) {
    if (m->count == PLACEHOLDERS_MAX) return latch_err_set(&cx->err, LATCH_E_MISUSE, "an expression has over %d names", PLACEHOLDERS_MAX);
    m->pairs[m->count++] = (latch_pair){name, value};
    return LATCH_OK;
}

/* The next "#name" or ":name" from *at on, copied; *at moves past it. NULL in ptr: there are no more, or the arena is full. */
static latch_status next_placeholder(latch_ctx *cx, const char **at, char sigil, latch_str *out) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    const char *from = strchr(*at, sigil);
    *out = (latch_str){NULL, 0};
    if (from == NULL) return LATCH_OK;
    *at = from + 1 + strspn(from + 1, letters);
    *out = latch_arena_copy(cx->arena, (latch_str){from, (size_t)(*at - from)});
    return out->ptr != NULL ? LATCH_OK : latch_err_set(&cx->err, LATCH_E_NOMEM, "table: the arena is full");
}

static const char *or_default(const char *name, const char *fallback) { return name != NULL ? name : fallback; }

/* "#created" is the attribute "created"; three names are the table's to choose. */
static const char *attribute_of(const latch_table *table, const char *placeholder) {
    if (strcmp(placeholder, "#pk") == 0) return or_default(table->pk, "pk");
    if (strcmp(placeholder, "#sk") == 0) return or_default(table->sk, "sk");
    if (strcmp(placeholder, "#ttl") == 0) return or_default(table->ttl, "ttl");
    return placeholder + 1;
}

static latch_status collect_names(latch_ctx *cx, const char *expression, map *names) {
    for (const char *at = expression; at != NULL;) {
        latch_str name;
        LATCH_TRY(next_placeholder(cx, &at, '#', &name));
        if (name.ptr == NULL) break;
        if (!has(names, name.ptr)) LATCH_TRY(add(cx, names, name.ptr, latch_v_cstr_(attribute_of(cx->table, name.ptr))));
    }
    return LATCH_OK;
}

/* {"S": text} or {"N": digits} */
static latch_json typed(latch_ctx *cx, latch_value v) {
    if (v.kind == LATCH_V_STR) return latch_object(cx, "S", v);
    latch_str digits = v.kind == LATCH_V_UINT ? latch_ctx_text(cx, "%" PRIu64, v.as.u) : latch_ctx_text(cx, "%" PRId64, v.as.i);
    return latch_object(cx, "N", digits);
}

static latch_status collect_values(latch_ctx *cx, const char *expression, const latch_pair *given, map *values) {
    for (const char *at = expression; at != NULL;) {
        latch_str name;
        LATCH_TRY(next_placeholder(cx, &at, ':', &name));
        if (name.ptr == NULL) break;
        if (has(values, name.ptr)) continue;
        const latch_pair *pair = given;
        while (pair->name != NULL && strcmp(pair->name, name.ptr) != 0)
            pair++;
        if (pair->name == NULL) return latch_err_set(&cx->err, LATCH_E_MISUSE, "table: %s is in an expression and has no value", name.ptr);
        LATCH_TRY(add(cx, values, name.ptr, latch_v_json_(typed(cx, pair->value))));
    }
    return LATCH_OK;
}

/* The request as DynamoDB takes it. */
static latch_status document(latch_ctx *cx, const latch_request *r, latch_str *out) {
    const latch_table *table = cx->table;
    map key = {0}, names = {0}, values = {0}, members = {0};
    LATCH_TRY(collect_names(cx, r->update, &names));
    LATCH_TRY(collect_names(cx, r->condition, &names));
    LATCH_TRY(collect_values(cx, r->update, r->values, &values));
    LATCH_TRY(collect_values(cx, r->condition, r->values, &values));
    LATCH_TRY(add(cx, &key, or_default(table->pk, "pk"), latch_v_json_(latch_object(cx, "S", r->pk))));
    LATCH_TRY(add(cx, &key, or_default(table->sk, "sk"), latch_v_json_(latch_object(cx, "S", r->sk))));
    LATCH_TRY(add(cx, &members, "TableName", latch_v_cstr_(table->name)));
    LATCH_TRY(add(cx, &members, "Key", latch_v_json_(latch_object_(cx, key.pairs))));
    if (r->update != NULL) {
        LATCH_TRY(add(cx, &members, "UpdateExpression", latch_v_cstr_(r->update)));
        LATCH_TRY(add(cx, &members, "ReturnValues", latch_v_cstr_("ALL_NEW")));
    }
    LATCH_TRY(add(cx, &members, "ConditionExpression", latch_v_cstr_(r->condition)));
    LATCH_TRY(add(cx, &members, "ReturnValuesOnConditionCheckFailure", latch_v_cstr_("ALL_OLD")));
    LATCH_TRY(add(cx, &members, "ExpressionAttributeNames", latch_v_json_(latch_object_(cx, names.pairs))));
    LATCH_TRY(add(cx, &members, "ExpressionAttributeValues", latch_v_json_(latch_object_(cx, values.pairs))));
    return latch_json_text(cx, latch_object_(cx, members.pairs), out);
}

static const struct {
    const char *name; /* after the '#' of "__type" */
    latch_status status;
} errors[] = {
    {"ConditionalCheckFailedException", LATCH_CONFLICT},
    {"ValidationException", LATCH_E_MISUSE},
    {"ResourceNotFoundException", LATCH_E_MISUSE},
    {"ThrottlingException", LATCH_E_THROTTLED},
    {"ProvisionedThroughputExceededException", LATCH_E_THROTTLED},
    {"RequestLimitExceeded", LATCH_E_THROTTLED},
    {"AccessDeniedException", LATCH_E_DENIED},
    {"UnrecognizedClientException", LATCH_E_DENIED},
    {"ExpiredTokenException", LATCH_E_DENIED},
    {"MissingAuthenticationTokenException", LATCH_E_DENIED},
};

static latch_status status_of(latch_str type) {
    const char *hash = type.len > 0 ? memchr(type.ptr, '#', type.len) : NULL;
    latch_str name = hash != NULL ? (latch_str){hash + 1, type.len - (size_t)(hash + 1 - type.ptr)} : type;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (latch_str_eq(name, latch_str_of(errors[i].name))) return errors[i].status;
    }
    return LATCH_E_NETWORK;
}

/* DynamoDB writes "message" or "Message". */
static latch_status understand_error(latch_ctx *cx, const latch_request *r, const latch_reply *reply, latch_json body, latch_json *item) {
    latch_str type, message, message_too;
    latch_status status = latch_read(body, "__type", latch_optional(&type), "message", latch_optional(&message), "Message",
                                     latch_optional(&message_too), "Item", latch_optional(item));
    if (status == LATCH_OK) {
        status = status_of(type);
        (void)latch_err_set(&cx->err, status, "%s: HTTP %d %.*s: %.*s", r->operation, reply->http_status, LATCH_ARG(type),
                            LATCH_ARG(message.len > 0 ? message : message_too));
    }
    cx->err.maybe_applied = reply->http_status >= 500;
    return status;
}

static latch_status understand(latch_ctx *cx, const latch_request *r, const latch_reply *reply, latch_json *item) {
    latch_json body;
    latch_status status = latch_json_parse(cx, LATCH_E_DATA, "answer", reply->body, &body);
    if (status == LATCH_OK && reply->http_status != 200) return understand_error(cx, r, reply, body, item);
    if (status == LATCH_OK) status = latch_read(body, "Attributes", latch_optional(item));
    if (status != LATCH_OK) cx->err.maybe_applied = true;
    return status;
}

static latch_status try_once(latch_ctx *cx, const latch_request *r, latch_str request, latch_json *item) {
    const latch_transport *transport = &cx->table->transport;
    latch_reply reply;
    if (latch_clock_wall_ms(&cx->clock) >= r->deadline_at_ms) {
        return latch_err_set(&cx->err, LATCH_E_TIMEOUT, "%s: no time left to send it", r->operation);
    }
    LATCH_TRY(transport->call(transport->self, r->operation, request, r->deadline_at_ms, cx->arena, &reply, &cx->err));
    return understand(cx, r, &reply, item);
}

/* After a lost reply, every end but LATCH_OK leaves open whether the lost try was applied, or still will be. */
latch_status latch_table_call(latch_ctx *cx, const latch_request *r, latch_json *item) {
    latch_str request;
    bool lost = false;
    *item = LATCH_NULL;
    LATCH_TRY(document(cx, r, &request));
    latch_status status = LATCH_OK;
    for (int tries = 0; tries < (r->repeatable ? TRIES : 1); tries++) {
        status = try_once(cx, r, request, item);
        if (status == LATCH_OK) return status;
        lost = lost || cx->err.maybe_applied;
        if (!cx->err.maybe_applied || status == LATCH_E_NOMEM) break;
    }
    cx->err.maybe_applied = lost;
    return status;
}

latch_status latch_item_text(latch_json item, const char *attribute, latch_str *out) {
    latch_str path = latch_ctx_text(item.cx, "%s.S", attribute);
    *out = (latch_str){"", 0};
    if (path.ptr == NULL) return latch_err_set(&item.cx->err, LATCH_E_NOMEM, "item: the arena is full");
    return latch_read_(item, (const latch_field[]){{path.ptr, latch_i_str_(out)}, {NULL, latch_i_str_(NULL)}});
}

/* Digits to a number that fits: the sum is checked before it is made, on the side of the negatives, which reach one further. */
static bool whole_number(latch_str digits, int64_t *out) {
    bool negative = digits.len > 0 && digits.ptr[0] == '-';
    int64_t n = 0;
    for (size_t i = negative; i < digits.len; i++) {
        int digit = digits.ptr[i] - '0';
        if (digit < 0 || digit > 9 || n < (INT64_MIN + digit) / 10) return false;
        n = n * 10 - digit;
    }
    if (digits.len == (size_t)negative || (!negative && n == INT64_MIN)) return false;
    *out = negative ? n : -n;
    return true;
}

latch_status latch_item_int(latch_json item, const char *attribute, int64_t *out) {
    latch_str path = latch_ctx_text(item.cx, "%s.N", attribute), digits;
    *out = 0;
    if (path.ptr == NULL) return latch_err_set(&item.cx->err, LATCH_E_NOMEM, "item: the arena is full");
    LATCH_TRY(latch_read_(item, (const latch_field[]){{path.ptr, latch_i_str_(&digits)}, {NULL, latch_i_str_(NULL)}}));
    if (whole_number(digits, out)) return LATCH_OK;
    return latch_err_set(&item.cx->err, LATCH_E_DATA, "item.%s: is %.*s, want a whole number of 64 bits", path.ptr, LATCH_ARG(digits));
}

latch_status latch_table_check_key(latch_ctx *cx, const char *what, latch_str part, size_t max_bytes) {
    if (part.len == 0) return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s is empty", what);
    if (part.len > max_bytes)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s has %zu bytes, want at most %zu", what, part.len, max_bytes);
    for (size_t i = 0; i < part.len; i++) {
        unsigned char c = (unsigned char)part.ptr[i];
        if (c < 0x20 || c == 0x7F) return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s has the control byte 0x%02x at %zu", what, c, i);
    }
    if (!latch_str_is_utf8(part)) return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s is not UTF-8", what);
    return LATCH_OK;
}
