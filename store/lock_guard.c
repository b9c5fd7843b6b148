#include <inttypes.h>
#include <string.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/lock_private.h"

#define VALUES_MAX 64 /* of an author's own request */

static const char unmarked[] = "attribute_not_exists(#fence) OR #fence <= :fence";

static latch_status no_memory(latch_ctx *cx, const latch_hold_state *s) {
    return latch_err_set(&cx->err, LATCH_E_NOMEM, "lock %s: the arena is full", s->lock->name);
}

/* ── in a transaction ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static void put_member(latch_text_writer *t, const char *name, latch_str value) {
    latch_text_json_string(t, latch_str_of(name));
    latch_text_char(t, ':');
    latch_text_json_string(t, value);
}

/* The item's key, under the names that its table has for it. */
static latch_status key_of(latch_ctx *cx, const latch_hold_state *s, latch_json *out) {
    const char *pk = s->place.pk != NULL ? s->place.pk : cx->table->pk, *sk = s->place.sk != NULL ? s->place.sk : cx->table->sk;
    latch_text_writer t = latch_text_begin(cx->arena);
    latch_text_char(&t, '{');
    put_member(&t, pk != NULL ? pk : "pk", s->pk);
    if (sk == NULL || sk[0] != '\0') {
        latch_text_char(&t, ',');
        put_member(&t, sk != NULL ? sk : "sk", s->sk);
    }
    latch_text_char(&t, '}');
    latch_str text = latch_text_end(&t);
    return text.ptr != NULL ? latch_parse_data(cx, "key", text, out) : no_memory(cx, s);
}

latch_status latch_lock_guard(latch_ctx *cx, const latch_hold *hold, latch_dynamodb_action *out) {
    latch_hold_state *s = hold->state;
    latch_json key;
    *out = (latch_dynamodb_action){.kind = LATCH_ACTION_NONE};
    LATCH_TRY(latch_lock_check(cx, hold));
    if (s->over) return latch_lock_lost(cx, s, NULL);
    LATCH_TRY(key_of(cx, s, &key));
    const latch_pair all[] = {{":o", latch_v_str_(s->owner)},
                              {":v", latch_v_str_(s->version)},
                              {":n", latch_v_str_(s->next.len > 0 ? s->next : s->version)},
                              {":f", latch_v_llong_(s->fence)}};
    latch_pair *values = latch_arena_alloc(cx->arena, sizeof all + sizeof *values);
    size_t count = 0;
    if (values == NULL) return no_memory(cx, s);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) /* a value that no expression uses is refused */
        if (strstr(s->kind->guard, all[i].name) != NULL) values[count++] = all[i];
    values[count] = (latch_pair){.name = NULL};
    *out = (latch_dynamodb_action){
        .kind = LATCH_ACTION_CHECK, .table = s->place.table, .key = key, .condition = s->kind->guard, .values = values};
    return LATCH_OK;
}

/* ── by the token ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status check_token(latch_ctx *cx, const latch_hold *hold) {
    latch_hold_state *s = hold->state;
    LATCH_TRY(latch_lock_check(cx, hold));
    if (s->over) return latch_lock_lost(cx, s, NULL);
    if (s->fence > 0) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "lock %s: a table of others has no token: guard a transaction instead", s->lock->name);
}

/* A refusal by the token says that a later holder was here; err stays as it is where the author's own condition may have refused. */
static latch_status refused_by_token(latch_ctx *cx, const latch_hold_state *s, latch_json item, latch_status status) {
    int64_t fence;
    if (status != LATCH_CONFLICT || item.node == NULL || !latch_has(item, "fence")) return status;
    if (latch_read(item, "fence", &fence) != LATCH_OK) {
        return latch_err_set(&cx->err, LATCH_E_DATA, "the guarded item's fence is no whole number");
    }
    bool lost = cx->err.maybe_applied;
    if (fence > s->fence)
        (void)latch_err_set(&cx->err, LATCH_CONFLICT, "%.*s: token %" PRId64 " is guarded by a later one, %" PRId64 "%s", LATCH_ARG(s->pk),
                            s->fence, fence, lost ? "; a try of this write got no answer" : "");
    cx->err.maybe_applied = lost;
    return LATCH_CONFLICT;
}

latch_status latch_lock_mark(latch_ctx *cx, const latch_hold *hold, const char *table, latch_json key, latch_json *item) {
    *item = LATCH_NULL;
    LATCH_TRY(check_token(cx, hold));
    const latch_dynamodb_update_request request = {.table = table,
                                                   .key = key,
                                                   .update = "SET #fence = :fence",
                                                   .condition = unmarked,
                                                   .values = LATCH_VALUES(":fence", hold->state->fence),
                                                   .returns = LATCH_DYNAMODB_ALL_NEW,
                                                   .timeout_ms = hold->state->lock->timeout_ms,
                                                   .repeatable = true};
    latch_status status = latch_dynamodb_update(cx, &request, item);
    return refused_by_token(cx, hold->state, *item, status);
}

/* Where a SET clause begins: the word, which nobody's attribute can be, as it is reserved; NULL: there is none. */
static const char *set_clause(const char *update) {
    for (const char *at = update; *at != '\0';) {
        size_t word = strspn(at, "#:_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
        if (word == 3 && (at[0] | 32) == 's' && (at[1] | 32) == 'e' && (at[2] | 32) == 't') return at + word;
        at += word > 0 ? word : 1;
    }
    return NULL;
}

/* The author's update, and the token stored by it. */
static latch_str with_token(latch_ctx *cx, const char *update) {
    const char *set = update != NULL ? set_clause(update) : NULL;
    if (set == NULL) return latch_ctx_text(cx, "SET #fence = :fence %s", update != NULL ? update : "");
    return latch_ctx_text(cx, "%.*s #fence = :fence,%s", (int)(set - update), update, set);
}

static latch_str guarded(latch_ctx *cx, const char *condition) {
    if (condition == NULL) return latch_str_of(unmarked);
    return latch_ctx_text(cx, "(%s) AND (%s)", condition, unmarked);
}

latch_status latch_lock_update(latch_ctx *cx, const latch_hold *hold, const latch_dynamodb_update_request *request, latch_json *item) {
    latch_dynamodb_update_request r = *request;
    latch_pair values[VALUES_MAX + 2];
    size_t count = 0;
    *item = LATCH_NULL;
    LATCH_TRY(check_token(cx, hold));
    for (; r.values != NULL && r.values[count].name != NULL && count < VALUES_MAX; count++)
        values[count] = r.values[count];
    values[count++] = (latch_pair){":fence", latch_v_llong_(hold->state->fence)};
    values[count] = (latch_pair){.name = NULL};
    latch_str update = with_token(cx, r.update), condition = guarded(cx, r.condition);
    if (update.ptr == NULL || condition.ptr == NULL) return no_memory(cx, hold->state);
    r.update = update.ptr;
    r.condition = condition.ptr;
    r.values = values;
    latch_status status = latch_dynamodb_update(cx, &r, item);
    return refused_by_token(cx, hold->state, *item, status);
}
