#include "store/cooldown.h"

#include <inttypes.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/schema.h"
#include "store/table.h"

static const latch_table_key key_of = {.store = "cooldown", .prefix = "COOLDOWN", .max_bytes = 1024};
static const latch_table_key shared_key_of = {.store = "cooldown", .prefix = "", .max_bytes = 1024 - (sizeof "COOLDOWN#" - 1)};

typedef struct call {
    latch_place at;
    latch_request request; /* without an operation */
} call;

static latch_status begin_shared(latch_ctx *cx, const latch_cooldown *policy, latch_str origin, call *c) {
    if (!latch_dynamodb_is_table(policy->toolkit_table))
        return latch_err_set(&cx->err, LATCH_E_MISUSE,
                             "cooldown %s: .toolkit_table is \"%.60s\", want 3 to 255 of a-z, A-Z, 0-9, _, - and .", policy->name,
                             policy->toolkit_table);
    c->at = (latch_place){.table = policy->toolkit_table, .pk = "pk", .sk = "sk", .ttl = "ttl"};
    c->request.at = &c->at;
    c->request.pk = c->request.sk = latch_ctx_text(cx, "COOLDOWN#%.*s", LATCH_ARG(origin));
    if (c->request.pk.ptr != NULL) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_NOMEM, "cooldown %s: the arena is full", policy->name);
}

/* `c` stays where it is. */
static latch_status begin(latch_ctx *cx, const latch_cooldown *policy, latch_str origin, call *c) {
    *c = (call){.request.sk = LATCH_STR("COOLDOWN")};
    if (policy->toolkit_table == NULL) {
        LATCH_TRY(latch_table_pk(cx, &key_of, policy->name, origin, &c->request.pk));
    } else {
        LATCH_TRY(latch_table_check_key(cx, &shared_key_of, policy->name, origin));
        LATCH_TRY(begin_shared(cx, policy, origin, c));
    }
    return latch_ctx_deadline(cx, policy->timeout_ms, LATCH_TABLE_TIMEOUT_MS, &c->request.deadline_at_ms);
}

static int64_t ttl_s(const latch_ctx *cx, int64_t until_ms) {
    return latch_seconds_up(until_ms + latch_table_skew_ms(cx) + LATCH_MINUTE_MS);
}

latch_status latch_cooldown_set(latch_ctx *cx, const latch_cooldown *policy, latch_str origin, int64_t until_ms) {
    call c;
    latch_json item;
    int64_t now_ms = latch_now_ms(cx);
    LATCH_TRY(begin(cx, policy, origin, &c));
    if (until_ms <= now_ms || until_ms - now_ms > LATCH_SPAN_MS_MAX)
        return latch_err_set(&cx->err, LATCH_E_MISUSE,
                             "cooldown %s: until_ms is %" PRId64 ", want a time to come within 366 days, now is %" PRId64, policy->name,
                             until_ms, now_ms);
    c.request.operation = LATCH_UPDATE_ITEM;
    c.request.update = "SET #cooldownUntil = :until, #ttl = :ttl";
    c.request.condition = "attribute_not_exists(#cooldownUntil) OR #cooldownUntil < :until";
    c.request.values = LATCH_VALUES(":until", until_ms, ":ttl", ttl_s(cx, until_ms));
    c.request.returns = LATCH_RETURNS_NOTHING;
    c.request.repeatable = true;
    latch_status status = latch_table_call(cx, &c.request, &item);
    return status == LATCH_CONFLICT ? LATCH_OK : status; /* there is a longer one */
}

latch_status latch_cooldown_get(latch_ctx *cx, const latch_cooldown *policy, latch_str origin, int64_t *until_ms) {
    call c;
    latch_json item;
    int64_t until = 0;
    *until_ms = 0;
    LATCH_TRY(begin(cx, policy, origin, &c));
    c.request.operation = LATCH_GET_ITEM;
    LATCH_TRY(latch_table_call(cx, &c.request, &item));
    if (item.node != NULL) LATCH_TRY(latch_item_at_ms(item, "cooldownUntil", &until));
    if (until <= latch_now_ms(cx))
        return latch_err_set(&cx->err, LATCH_MISSING, "cooldown %s: there is none for %.*s", policy->name, LATCH_ARG(origin));
    *until_ms = until;
    return LATCH_OK;
}

latch_status latch_cooldown_clear(latch_ctx *cx, const latch_cooldown *policy, latch_str origin) {
    call c;
    latch_json item;
    LATCH_TRY(begin(cx, policy, origin, &c));
    c.request.operation = LATCH_DELETE_ITEM;
    return latch_table_call(cx, &c.request, &item);
}
