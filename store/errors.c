#include "store/errors.h"

#include <string.h>

typedef enum kind {
    UNKNOWN,   /* no DynamoDB, or something before it */
    WRONG,     /* the request, or what it names */
    CONDITION, /* was false */
    DENIED,
    THROTTLED,
    CONTENDED, /* with another transaction or Region: over in a moment, and no matter of speed */
    TRANSIENT, /* no answer, in words */
    CLOCK,
    KEYS,
    FULL /* LimitExceededException: too many changes of tables at once, or the embedded store's bound */
} kind;

static const struct {
    const char *name; /* after the '#' of "__type" */
    kind is;
} errors[] = {
    {"ConditionalCheckFailedException", CONDITION},
    {"DuplicateItemException", CONDITION},
    {"ValidationException", WRONG},
    {"ResourceNotFoundException", WRONG},
    {"ItemCollectionSizeLimitExceededException", WRONG},
    {"SerializationException", WRONG},
    {"UnknownOperationException", WRONG},
    {"IdempotentParameterMismatchException", WRONG},
    {"LimitExceededException", FULL},
    {"ProvisionedThroughputExceededException", THROTTLED},
    {"ThrottlingException", THROTTLED},
    {"RequestLimitExceeded", THROTTLED},
    {"Throttling", THROTTLED},
    {"ThrottledException", THROTTLED},
    {"RequestThrottled", THROTTLED},
    {"RequestThrottledException", THROTTLED},
    {"TooManyRequestsException", THROTTLED},
    {"BandwidthLimitExceeded", THROTTLED},
    {"SlowDown", THROTTLED},
    {"PriorRequestNotComplete", THROTTLED},
    {"EC2ThrottledException", THROTTLED},
    {"TransactionInProgressException", THROTTLED},
    {"TransactionConflictException", CONTENDED},
    {"ReplicatedWriteConflictException", CONTENDED},
    {"InternalServerError", TRANSIENT},
    {"InternalFailure", TRANSIENT},
    {"ServiceUnavailable", TRANSIENT},
    {"RequestTimeout", TRANSIENT},
    {"RequestTimeoutException", TRANSIENT},
    {"InvalidSignatureException", CLOCK},
    {"SignatureDoesNotMatch", CLOCK},
    {"RequestTimeTooSkewed", CLOCK},
    {"RequestExpired", CLOCK},
    {"RequestInTheFuture", CLOCK},
    {"AuthFailure", CLOCK},
    {"ExpiredTokenException", KEYS},
    {"ExpiredToken", KEYS},
    {"UnrecognizedClientException", KEYS},
    {"InvalidClientTokenId", KEYS},
    {"AccessDeniedException", DENIED},
    {"IncompleteSignatureException", DENIED},
    {"IncompleteSignature", DENIED},
    {"MissingAuthenticationToken", DENIED},
    {"MissingAuthenticationTokenException", DENIED},
    {"OptInRequired", DENIED},
    {"SubscriptionRequiredException", DENIED},
};

/* CancellationReasons' codes, those first that decide over the others. */
static const struct {
    const char *code;
    kind is;
} reasons[] = {
    {"ConditionalCheckFailed", CONDITION},        {"DuplicateItem", CONDITION},       {"ValidationError", WRONG},
    {"ItemCollectionSizeLimitExceeded", WRONG},   {"AccessDenied", DENIED},           {"ThrottlingError", THROTTLED},
    {"ProvisionedThroughputExceeded", THROTTLED}, {"TransactionConflict", CONTENDED},
};
#define REASONS (sizeof reasons / sizeof reasons[0])

latch_str latch_error_name(latch_str type) {
    const char *hash = type.len > 0 ? memchr(type.ptr, '#', type.len) : NULL;
    if (hash != NULL) type = (latch_str){hash + 1, type.len - (size_t)(hash + 1 - type.ptr)};
    const char *colon = type.len > 0 ? memchr(type.ptr, ':', type.len) : NULL;
    if (colon != NULL) type.len = (size_t)(colon - type.ptr);
    return type;
}

/* A reason that isn't known is the request's own fault, unless one that is known decides before it. */
static kind class_of_cancelled(latch_json body) {
    latch_json list = {body.cx, NULL};
    size_t first = REASONS;
    latch_str code;
    if (body.node == NULL || latch_read(body, "CancellationReasons", latch_optional(&list)) != LATCH_OK) return WRONG;
    for (size_t k = 0; k < latch_count(list); k++) {
        if (latch_read(latch_at(list, k), "Code", latch_optional(&code)) != LATCH_OK) continue;
        for (size_t i = 0; i < first; i++) {
            if (latch_str_eq(code, latch_str_of(reasons[i].code))) first = i;
        }
    }
    return first < REASONS ? reasons[first].is : WRONG;
}

static kind class_of_unnamed(int http_status) {
    if (http_status == 429) return THROTTLED;
    if (http_status == 401 || http_status == 403 || http_status == 407) return DENIED;
    return http_status == 408 ? TRANSIENT : UNKNOWN;
}

static kind class_of(int http_status, latch_str name, latch_json body) {
    if (latch_str_eq(name, LATCH_STR("TransactionCanceledException"))) return class_of_cancelled(body);
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (latch_str_eq(name, latch_str_of(errors[i].name))) return errors[i].is;
    }
    return name.len > 0 ? WRONG : class_of_unnamed(http_status);
}

/* What creates, changes and deletes tables: there a limit is one of how many at once, and passes. */
static bool changes_tables(const char *operation) {
    return strstr(operation, "Table") != NULL || strstr(operation, "Backup") != NULL || strcmp(operation, "UpdateTimeToLive") == 0;
}

static bool is_transient(int http_status) { return http_status == 500 || (http_status >= 502 && http_status <= 504); }

static latch_verdict of_class(kind is, const char *operation) {
    switch (is) {
    case UNKNOWN:
        return (latch_verdict){.status = LATCH_E_NETWORK};
    case CONDITION:
        return (latch_verdict){.status = LATCH_CONFLICT};
    case DENIED:
        return (latch_verdict){.status = LATCH_E_DENIED};
    case THROTTLED:
        return (latch_verdict){.status = LATCH_E_THROTTLED, .again = true, .throttled = true};
    case CONTENDED:
        return (latch_verdict){.status = LATCH_E_THROTTLED, .again = true};
    case TRANSIENT:
        return (latch_verdict){.status = LATCH_E_NETWORK, .again = true, .lost = true};
    case CLOCK:
        return (latch_verdict){.status = LATCH_E_DENIED, .remedy = LATCH_REMEDY_CLOCK};
    case KEYS:
        return (latch_verdict){.status = LATCH_E_DENIED, .remedy = LATCH_REMEDY_KEYS};
    case FULL:
        if (changes_tables(operation)) return (latch_verdict){.status = LATCH_E_THROTTLED, .again = true, .throttled = true};
        break;
    case WRONG:
        break;
    }
    return (latch_verdict){.status = LATCH_E_MISUSE};
}

latch_verdict latch_error_judge(const char *operation, int http_status, latch_str name, latch_json body) {
    latch_verdict v = of_class(class_of(http_status, name, body), operation);
    if (body.node == NULL) {
        v.status = LATCH_E_DATA;
        v.lost = true;
        v.again = http_status == 200 || http_status == 408 || http_status == 429 || is_transient(http_status);
    }
    if (http_status < 400) v.lost = true; /* whoever that is, it refused nothing */
    if (http_status >= 500) {
        v.status = body.node == NULL ? LATCH_E_DATA : v.throttled ? LATCH_E_THROTTLED : LATCH_E_NETWORK;
        v.lost = true;
        v.again = is_transient(http_status);
        v.remedy = LATCH_REMEDY_NONE;
    }
    return v;
}
