#include "store/client.h"

#include <string.h>

#include "core/ctx_private.h"
#include "store/table.h"

#define TRIES 3

latch_client_options latch_client_defaults(void) {
    return (latch_client_options){.max_retries = 3,
                                  .request_timeout_ms = 30 * LATCH_SECOND_MS,
                                  .item_try_ms = LATCH_SECOND_MS,
                                  .retry_base_ms = 25,
                                  .max_connections = 50,
                                  .breaker = true,
                                  .breaker_failures = 5,
                                  .breaker_open_ms = LATCH_MINUTE_MS};
}

void latch_client_init(latch_client *client, latch_transport transport, const latch_client_options *options) {
    *client = (latch_client){.transport = transport, .options = options != NULL ? *options : latch_client_defaults()};
}

void latch_client_clean_up(latch_client *client) { *client = (latch_client){0}; }

/* ── what an answer means ───────────────────────────────────────────────────────────────────────────────────────────────── */

static const struct {
    const char *name; /* after the '#' of "__type" */
    latch_status status;
} errors[] = {
    {"ConditionalCheckFailedException", LATCH_CONFLICT},
    {"ValidationException", LATCH_E_MISUSE},
    {"ResourceNotFoundException", LATCH_E_MISUSE},
    {"ItemCollectionSizeLimitExceededException", LATCH_E_MISUSE},
    {"LimitExceededException", LATCH_E_MISUSE},
    {"SerializationException", LATCH_E_MISUSE},
    {"UnknownOperationException", LATCH_E_MISUSE},
    {"ThrottlingException", LATCH_E_THROTTLED},
    {"ProvisionedThroughputExceededException", LATCH_E_THROTTLED},
    {"RequestLimitExceeded", LATCH_E_THROTTLED},
    {"TransactionConflictException", LATCH_E_THROTTLED},
    {"AccessDeniedException", LATCH_E_DENIED},
    {"UnrecognizedClientException", LATCH_E_DENIED},
    {"ExpiredTokenException", LATCH_E_DENIED},
    {"InvalidSignatureException", LATCH_E_DENIED},
    {"IncompleteSignatureException", LATCH_E_DENIED},
    {"InvalidClientTokenId", LATCH_E_DENIED},
    {"MissingAuthenticationToken", LATCH_E_DENIED},
    {"MissingAuthenticationTokenException", LATCH_E_DENIED},
};

/* "com.amazonaws.dynamodb.v20120810#Name" */
static latch_str name_of(latch_str type) {
    const char *hash = type.len > 0 ? memchr(type.ptr, '#', type.len) : NULL;
    return hash != NULL ? (latch_str){hash + 1, type.len - (size_t)(hash + 1 - type.ptr)} : type;
}

static latch_status status_of(latch_str name) {
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (latch_str_eq(name, latch_str_of(errors[i].name))) return errors[i].status;
    }
    return LATCH_E_NETWORK;
}

static latch_status say(latch_ctx *cx, const latch_call *call, const latch_answer *a) {
    latch_status status = status_of(a->error);
    if (latch_str_eq(a->error, LATCH_STR("ResourceNotFoundException"))) {
        return latch_err_set(&cx->err, status,
                             "%s: there is no table %s: aws dynamodb create-table, with the string keys %s (HASH) and %s (RANGE), "
                             "PAY_PER_REQUEST, time to live on %s; or LATCH_TABLE names another",
                             call->operation, cx->table->name, cx->table->pk != NULL ? cx->table->pk : "pk",
                             cx->table->sk != NULL ? cx->table->sk : "sk", cx->table->ttl != NULL ? cx->table->ttl : "ttl");
    }
    if (latch_str_eq(a->error, LATCH_STR("LimitExceededException"))) {
        return latch_err_set(&cx->err, status, "%s: the store is full: delete, shorten times to live, or give it more bytes: %.*s",
                             call->operation, LATCH_ARG(a->message));
    }
    return latch_err_set(&cx->err, status, "%s: HTTP %d %.*s: %.*s", call->operation, a->http_status, LATCH_ARG(a->error),
                         LATCH_ARG(a->message));
}

/* DynamoDB writes "message" or "Message". */
static latch_status understand(latch_ctx *cx, const latch_call *call, const latch_reply *reply, latch_answer *a) {
    latch_str type, message, message_too;
    a->http_status = reply->http_status;
    a->request_id = reply->request_id;
    latch_status status = latch_json_parse(cx, LATCH_E_DATA, "answer", reply->body, &a->body);
    if (status == LATCH_OK && reply->http_status == 200) return status;
    if (status == LATCH_OK)
        status = latch_read(a->body, "__type", latch_optional(&type), "message", latch_optional(&message), "Message",
                            latch_optional(&message_too));
    if (status == LATCH_OK) {
        a->error = name_of(type);
        a->message = message.len > 0 ? message : message_too;
        status = say(cx, call, a);
        cx->err.maybe_applied = reply->http_status >= 500;
        return status;
    }
    cx->err.maybe_applied = true;
    return status;
}

/* ── sending ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* What the transport needed beside its answer goes back to the arena. */
static void keep_body(latch_ctx *cx, size_t mark, latch_reply *reply) {
    if (reply->body.ptr == NULL) {
        latch_arena_rewind(cx->arena, mark);
        reply->body = LATCH_STR("");
        return;
    }
    reply->body.ptr = latch_arena_keep(cx->arena, mark, reply->body.ptr, reply->body.len);
}

static latch_status try_once(latch_ctx *cx, const latch_call *call, latch_answer *answer) {
    const latch_transport *transport = &cx->table->client->transport;
    size_t mark = latch_arena_mark(cx->arena);
    const latch_send send = {.operation = call->operation, .request = call->request, .deadline_at_ms = call->deadline_at_ms};
    latch_reply reply;
    *answer = (latch_answer){.body = {cx, NULL}};
    if (latch_clock_wall_ms(&cx->clock) >= call->deadline_at_ms)
        return latch_err_set(&cx->err, LATCH_E_TIMEOUT, "%s: no time left to send it", call->operation);
    latch_status status = transport->call(transport->self, &send, cx->arena, &reply, &cx->err);
    if (status != LATCH_OK) latch_arena_rewind(cx->arena, mark);
    if (status != LATCH_OK) return status;
    reply.request_id = LATCH_STR("");
    keep_body(cx, mark, &reply);
    return understand(cx, call, &reply, answer);
}

latch_status latch_client_call(latch_ctx *cx, const latch_call *asked, latch_answer *answer) {
    latch_call call = *asked;
    bool lost = false;
    *answer = (latch_answer){.body = {cx, NULL}};
    if (cx->table == NULL) return latch_err_set(&cx->err, LATCH_E_MISUSE, "no table is open: this call is not made from a handler");
    if (call.deadline_at_ms == 0) call.deadline_at_ms = cx->deadline_at_ms;
    size_t mark = latch_arena_mark(cx->arena);
    latch_status status = LATCH_OK;
    for (int tries = 0; tries < TRIES; tries++) {
        if (tries > 0) latch_arena_rewind(cx->arena, mark); /* an answer that can't be used takes nothing from the next */
        status = try_once(cx, &call, answer);
        if (status == LATCH_OK) return status;
        lost = lost || cx->err.maybe_applied;
        if (!(call.reads || call.repeatable) || !cx->err.maybe_applied || status == LATCH_E_NOMEM) break;
    }
    cx->err.maybe_applied = lost && !call.reads;
    return status;
}
