#include "store/dynamodb.h"

#include <string.h>

#include "core/ctx_private.h"
#include "store/client.h"
#include "store/table.h"

#define OPERATION_MAX_BYTES 64

static bool begins(const char *operation, const char *with) { return strncmp(operation, with, strlen(with)) == 0; }

static bool reads(const char *operation) {
    static const char *const verbs[] = {"Get", "BatchGet", "TransactGet", "Query", "Scan", "Describe", "List"};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (begins(operation, verbs[i])) return true;
    }
    return false;
}

static bool is_item(const char *operation) {
    static const char *const names[] = {"GetItem", "PutItem", "UpdateItem", "DeleteItem"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(operation, names[i]) == 0) return true;
    }
    return false;
}

/* It becomes part of a header. */
static latch_status check_operation(latch_ctx *cx, const char *operation) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t len = strnlen(operation, OPERATION_MAX_BYTES + 1);
    if (len > 0 && len <= OPERATION_MAX_BYTES && strspn(operation, letters) >= len) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "\"%.64s\" is no operation of DynamoDB's: want a name such as GetItem", operation);
}

latch_status latch_dynamodb_call(latch_ctx *cx, const char *operation, latch_json request, latch_answer *answer) {
    latch_call call = {.operation = operation, .reads = reads(operation), .item = is_item(operation)};
    *answer = (latch_answer){.body = {cx, NULL}};
    LATCH_TRY(check_operation(cx, operation));
    LATCH_TRY(latch_json_text(cx, request, &call.request));
    call.repeatable = strcmp(operation, "TransactWriteItems") == 0 && latch_has(request, "ClientRequestToken");
    return latch_client_call(cx, &call, answer);
}

static const latch_usage nothing = {0};

const latch_usage *latch_dynamodb_usage(const latch_ctx *cx) { return cx->usage != NULL ? cx->usage : &nothing; }
const latch_usage_failure *latch_dynamodb_failure(const latch_ctx *cx) { return &latch_dynamodb_usage(cx)->failure; }

latch_breaker latch_dynamodb_breaker(const latch_ctx *cx) {
    return cx->table != NULL ? latch_pace_look(cx->table->client->pace, &cx->clock) : (latch_breaker){.state = LATCH_BREAKER_CLOSED};
}

void latch_dynamodb_breaker_reset(latch_ctx *cx) {
    if (cx->table != NULL) latch_pace_reset(cx->table->client->pace);
}
