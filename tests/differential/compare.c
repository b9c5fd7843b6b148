#include "tests/differential/compare.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/differential/text.h"

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/* ── differences that are known ────────────────────────────────────────────────────────────────────────────────────────── */

#define LISTED(operation, engine, other, why)                                                                                              \
    { operation, engine, other, why, 0, false }
#define UNSEEN(engine, other, why)                                                                                                         \
    { NULL, engine, other, why, 0, true }
#define UPDATE_FAULT                                                                                                                       \
    "400 ValidationException: @(The provided expression refers to an attribute that does not exist in the item|The document path "         \
    "provided in the update expression is invalid for update|An operand in the update expression has an incorrect data type|DynamoDB "     \
    "only supports precision up to 38 digits|Number overflow*|Number underflow*|Nesting Levels have exceeded*|One or more parameter "      \
    "values are not valid. The update expression attempted to update a secondary index key*|Invalid attribute value type)"

const listed compare_listed[] = {
    UNSEEN(
        "400 SerializationException:*", "*",
        "a member of a wrong JSON type is a SerializationException (API reference, common errors); Local takes some and fails at others"),
    UNSEEN("400 ValidationException: The embedded store doesn't know the legacy parameter*", "*",
           "legacy parameters aren't understood, and each is named with its successor (docs/embedded.md)"),
    LISTED("TransactWriteItems", "400 TransactionCanceledException:*ValidationError*", "400 ValidationException:*",
           "an update that its item doesn't allow cancels with ValidationError (TransactWriteItems, cancellation reasons); Local refuses "
           "the whole"),
    LISTED(
        "UpdateItem",
        "400 ValidationException: @(One or more parameter values were invalid: Type mismatch for Index Key|Invalid attribute value type)",
        "@(200 *|400 ValidationException: Invalid attribute value type|400 ValidationException: *attempted to update a secondary index "
        "key*)",
        "an index key's type holds for updates too (UpdateItem: attributes that are index keys); Local writes it"),
    LISTED("UpdateItem", "400 ValidationException: One or more parameter values were invalid: Size limit exceeded", "200 *",
           "an index's key has at most 2048 bytes, its sort key 1024 (Constraints), in updates too; Local writes it"),
    LISTED("TransactWriteItems", "400 ValidationException:*", "500 InternalFailure:*",
           "a request that is at fault is told so (API reference, common errors); at an action that is null, or has a key of a wrong JSON "
           "type behind another fault, Local fails"),
    LISTED("CreateTable", "400 ValidationException: @(Attribute name must be specified.|Invalid table/index name*)",
           "500 InternalFailure:*", "a definition names its attribute, an index has a name (CreateTable); at a null one Local fails"),
    LISTED("CreateTable", "400 ValidationException: One or more keys is not specified as being hash or range.",
           "400 ValidationException: Projection type must be INCLUDE, ALL, or KEYS_ONLY",
           "of an index with two faults Local tells of the projection's"),
    LISTED(NULL, "400 ValidationException: Invalid @(Update|Projection)Expression: Two document paths overlap with each other;*",
           "400 ValidationException: Invalid @(Update|Projection)Expression: Two document paths overlap with each other;*",
           "where an expression has overlapping paths and others, Local names the last path of the expression in its place"),
    LISTED("CreateTable", "400 ValidationException: 1 validation error detected: Value '*' at 'billingMode'*", "500 InternalFailure:*",
           "a billing mode is one of two (CreateTable, BillingMode); Local fails"),
    LISTED("UpdateItem", "200 *", "500 InternalFailure:*",
           "UPDATED_OLD and UPDATED_NEW of an update without an expression return nothing (UpdateItem, ReturnValues); Local fails"),
    UNSEEN("400 ValidationException: 1 validation error detected: Value '*' at 'returnConsumedCapacity'*", "*",
           "a value of ReturnConsumedCapacity is one of three (API reference); Local takes any, or has another text"),
    LISTED("TransactWriteItems", "400 ValidationException: Value '' at 'clientRequestToken'*", "*",
           "a token has at least one character (TransactWriteItems, ClientRequestToken); Local takes an empty one"),
    LISTED("UpdateItem", "400 ValidationException: Item size to update has exceeded the maximum allowed size", "200 *",
           "an item's entries in local indexes count towards its 400 KB (developer guide, local secondary indexes); Local counts them in "
           "puts alone"),
    LISTED("TransactWriteItems", "400 TransactionCanceledException:*ValidationError*", "200 *",
           "an index key's type holds for updates too (UpdateItem: attributes that are index keys); Local writes it"),
    LISTED("TransactWriteItems", "400 ValidationException: Transaction request cannot include multiple operations on one item",
           "400 TransactionCanceledException:*",
           "no two actions are on one item (TransactWriteItems); Local looks at their conditions first"),
    LISTED("TransactWriteItems", "400 ValidationException: Transaction request cannot include multiple operations on one item", "200 *",
           "no two actions are on one item (TransactWriteItems); Local doesn't see that where the later key is a number with an exponent"),
    LISTED("TransactWriteItems", "400 @(ValidationException|ResourceNotFoundException):*", "400 IdempotentParameterMismatchException:*",
           "a request that is invalid, and of a used token, is told of either"),
    LISTED("Scan", "400 ValidationException: 1 validation error detected: Value '*' at '@(segment|totalSegments)'*",
           "400 ValidationException: 1 validation error detected: Value '*' at 'segment'*",
           "a segment is 0 or more, their number 1 or more (Scan); Local has the bounds the wrong way round"),
    LISTED("TransactWriteItems", "400 ValidationException:*", "400 TransactionCanceledException:*ValidationError*",
           "what is wrong with a key of an action is a ValidationException; Local cancels (docs/embedded.md)"),
    LISTED("TransactWriteItems", "400 TransactionCanceledException:*ValidationError*", "400 TransactionCanceledException:*",
           "an index key's type holds for updates too (UpdateItem: attributes that are index keys); Local writes it"),
    LISTED("TransactWriteItems", "400 @(ValidationException|ResourceNotFoundException):*",
           "400 ValidationException: Invalid attribute value type",
           "where several actions are invalid, Local tells of an update's index key first"),
    LISTED("TransactWriteItems", "400 @(ValidationException|ResourceNotFoundException):*", UPDATE_FAULT,
           "where one action is invalid and another's update fails, Local tells of the latter"),
    LISTED("TransactWriteItems", "400 @(ResourceNotFoundException:*|ValidationException: !(Invalid @(Update|Condition)Expression:*))",
           "400 ValidationException: @(Invalid @(Update|Condition)Expression:*|Value provided in ExpressionAttribute@(Names|Values) unused "
           "in expressions*|ExpressionAttribute@(Names|Values) can only be specified when using expressions*)",
           "of two faults in a transaction Local tells of the expression's, whatever the order of the actions; the engine looks at each "
           "action's members first, as the API's model does"),
    LISTED(
        "TransactWriteItems", "400 ValidationException: 1 validation error detected: Value '*' at 'returnValuesOnConditionCheckFailure'*",
        "400 TransactionCanceledException:*",
        "what a failed condition returns is one of two (TransactWriteItems, ReturnValuesOnConditionCheckFailure); Local looks at it only "
        "at the action that fails"),
    LISTED("TransactGetItems", "400 ValidationException:*", "400 TransactionCanceledException: *",
           "what is wrong with a key is a ValidationException; Local cancels, without reasons"),
    LISTED("TransactGetItems", "400 ValidationException: Value null at 'transactItems.*.member.get.tableName'*",
           "400 ValidationException: Requested resource not found",
           "a get names its table (TransactGetItems, Get); Local looks for the one that isn't named"),
    LISTED("UpdateItem", "400 ValidationException: Invalid UpdateExpression: Syntax error; token: \":*\", near: \".*",
           "400 ValidationException: Invalid UpdateExpression: Syntax error;*",
           "behind a path that ends with a dot Local's parser goes on, and stumbles later"),
    LISTED("TransactGetItems", "400 ValidationException: Invalid table/index name*", "400 ResourceNotFoundException:*",
           "no table can have such a name (naming rules); Local looks for it"),
    LISTED("Query", "400 ValidationException: One or more parameter values were invalid: Size of hashkey has exceeded*", "200 *",
           "a partition key has at most 2048 bytes (Constraints); Local finds nothing under a longer one"),
    LISTED(NULL, "400 ValidationException: The provided starting key is invalid",
           "400 ValidationException: @(The query can return at most one row|The provided starting key is invalid: )*",
           "an empty key begins no page; Local's words are of another query"),
    {"UpdateItem", UPDATE_FAULT, UPDATE_FAULT, "which of an update's several faults is told of is the order of a hash in Local", OF_SEVERAL,
     false},
    {NULL, "400 @(ValidationException|ResourceNotFoundException):*", "400 @(ValidationException|ResourceNotFoundException):*",
     COMPARE_FAULTS, CHANGED, false},
};
const size_t compare_listed_count = COUNT_OF(compare_listed);

/* ── values ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool left_out(const char *name) {
    static const char *const names[] = {"ConsumedCapacity",     "ItemCollectionMetrics",
                                        "CreationDateTime",     "TableId",
                                        "IndexSizeBytes",       "LastUpdateToPayPerRequestDateTime",
                                        "LastIncreaseDateTime", "LastDecreaseDateTime"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

static bool is_unordered(const char *name) {
    static const char *const names[] = {
        "SS", "NS", "BS", "GlobalSecondaryIndexes", "LocalSecondaryIndexes", "AttributeDefinitions", "NonKeyAttributes"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

/* A number as its digits without zeros at either end, and what they are to be multiplied by. */
typedef struct decimal {
    char digits[160];
    size_t count;
    long power;
    bool negative;
} decimal;

static bool read_decimal(const char *at, decimal *out) {
    bool fraction = false, any = false;
    *out = (decimal){.negative = *at == '-'};
    for (at += *at == '-' || *at == '+'; (*at >= '0' && *at <= '9') || (*at == '.' && !fraction); at++) {
        fraction |= *at == '.';
        if (*at == '.') continue;
        any = true;
        out->power -= fraction;
        if (out->count == 0 && *at == '0') continue;
        if (out->count == sizeof out->digits) return false;
        out->digits[out->count++] = *at;
    }
    char *end = NULL;
    if (any && (*at == 'e' || *at == 'E')) out->power += strtol(at + 1, &end, 10);
    for (; out->count > 0 && out->digits[out->count - 1] == '0'; out->power++)
        out->count--;
    if (out->count == 0) out->power = 0, out->negative = false;
    return any && *(end != NULL ? end : at) == '\0';
}

/* Local keeps the text of a number that lies in a list or a map; DynamoDB doesn't. */
static bool same_number(yyjson_val *a, yyjson_val *b) {
    decimal one, other;
    if (!yyjson_is_str(a) || !yyjson_is_str(b) || !read_decimal(yyjson_get_str(a), &one) || !read_decimal(yyjson_get_str(b), &other))
        return false;
    return one.negative == other.negative && one.power == other.power && one.count == other.count &&
           memcmp(one.digits, other.digits, one.count) == 0;
}

static bool same_number_set(yyjson_val *a, yyjson_val *b) {
    size_t i, j, count, others;
    yyjson_val *one, *other;
    if (yyjson_arr_size(a) != yyjson_arr_size(b)) return false;
    yyjson_arr_foreach(a, i, count, one) {
        bool found = false;
        yyjson_arr_foreach(b, j, others, other) found |= same_number(one, other);
        if (!found) return false;
    }
    return true;
}

static bool same_list(yyjson_val *a, yyjson_val *b) {
    if (yyjson_arr_size(a) != yyjson_arr_size(b)) return false;
    yyjson_arr_iter one = yyjson_arr_iter_with(a), other = yyjson_arr_iter_with(b);
    for (size_t i = yyjson_arr_size(a); i > 0; i--)
        if (!compare_values(yyjson_arr_iter_next(&one), yyjson_arr_iter_next(&other))) return false;
    return true;
}

bool compare_as_sets(yyjson_val **a, size_t a_count, yyjson_val **b, size_t b_count) {
    if (a_count != b_count) return false;
    bool *taken = need_memory(calloc(b_count + 1, sizeof *taken)), same = true;
    for (size_t i = 0; i < a_count && same; i++) {
        size_t j = i; /* most are at the same place */
        for (size_t n = 0; n < b_count && (taken[j] || !compare_values(a[i], b[j])); n++)
            j = n;
        if (taken[j] || !compare_values(a[i], b[j])) same = false;
        taken[j] = true;
    }
    free(taken);
    return same;
}

static yyjson_val **members_of(yyjson_val *list) {
    size_t i, max;
    yyjson_val *value, **members = need_memory(calloc(yyjson_arr_size(list) + 1, sizeof(yyjson_val *)));
    yyjson_arr_foreach(list, i, max, value) members[i] = value;
    return members;
}

static bool same_set(yyjson_val *a, yyjson_val *b) {
    yyjson_val **one = members_of(a), **other = members_of(b);
    bool same = compare_as_sets(one, yyjson_arr_size(a), other, yyjson_arr_size(b));
    free(one);
    free(other);
    return same;
}

static size_t count_members(yyjson_val *object) {
    size_t i, max, count = 0;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, max, key, value) count += !left_out(yyjson_get_str(key));
    return count;
}

static bool same_member(const char *name, yyjson_val *a, yyjson_val *b) {
    bool lists = yyjson_is_arr(a) && yyjson_is_arr(b);
    if (strcmp(name, "N") == 0 && same_number(a, b)) return true;
    if (strcmp(name, "NS") == 0 && lists && same_number_set(a, b)) return true;
    return is_unordered(name) && lists ? same_set(a, b) : compare_values(a, b);
}

static bool same_object(yyjson_val *a, yyjson_val *b) {
    size_t i, max;
    yyjson_val *key, *value;
    if (count_members(a) != count_members(b)) return false;
    yyjson_obj_foreach(a, i, max, key, value) {
        yyjson_val *other = yyjson_obj_getn(b, yyjson_get_str(key), yyjson_get_len(key));
        if (left_out(yyjson_get_str(key))) continue;
        if (other == NULL) return false;
        if (!same_member(yyjson_get_str(key), value, other)) return false;
    }
    return true;
}

bool compare_values(yyjson_val *a, yyjson_val *b) {
    if (yyjson_is_obj(a) && yyjson_is_obj(b)) return same_object(a, b);
    if (yyjson_is_arr(a) && yyjson_is_arr(b)) return same_list(a, b);
    if (yyjson_is_num(a) && yyjson_is_num(b)) return yyjson_get_num(a) == yyjson_get_num(b);
    return a != NULL && b != NULL && yyjson_equals(a, b);
}

/* ── answers ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

void compare_line(const reply *r, char *out, size_t bytes) {
    snprintf(out, bytes, "%d %s: %s", r->http_status, reply_error(r), reply_message(r));
}

/* By table, in any order within one. */
static bool same_batch(yyjson_val *a, yyjson_val *b) {
    size_t i, max;
    yyjson_val *table, *items, *one = yyjson_obj_get(a, "Responses"), *other = yyjson_obj_get(b, "Responses");
    if (yyjson_obj_size(one) != yyjson_obj_size(other)) return false;
    yyjson_obj_foreach(one, i, max, table, items) {
        yyjson_val *others = yyjson_obj_get(other, yyjson_get_str(table));
        if (!yyjson_is_arr(others) || !same_set(items, others)) return false;
    }
    return compare_values(yyjson_obj_get(a, "UnprocessedKeys"), yyjson_obj_get(b, "UnprocessedKeys"));
}

static size_t own_names(yyjson_val *answer, const char *prefix, const char **into, size_t max_count) {
    size_t i, max, count = 0;
    yyjson_val *name;
    yyjson_arr_foreach(yyjson_obj_get(answer, "TableNames"), i, max, name) {
        if (strncmp(yyjson_get_str(name), prefix, strlen(prefix)) == 0 && count < max_count) into[count++] = yyjson_get_str(name);
    }
    return count;
}

/* The page begins with others' tables, which sort before ours. */
static bool begins_before(yyjson_val *answer, const char *prefix) {
    const char *first = yyjson_get_str(yyjson_arr_get_first(yyjson_obj_get(answer, "TableNames")));
    return first != NULL && strncmp(first, prefix, strlen(prefix)) < 0;
}

/* The names with this prefix; Local has others' tables too. Those behind make a next page; those before (where the request was mutated)
 * leave ours less room on this one. */
static bool same_names(yyjson_val *a, yyjson_val *b, const char *prefix) {
    const char *one[100], *other[100];
    size_t count = own_names(a, prefix, one, 100), theirs = own_names(b, prefix, other, 100);
    const char *next = yyjson_get_str(yyjson_obj_get(a, "LastEvaluatedTableName")),
               *others = yyjson_get_str(yyjson_obj_get(b, "LastEvaluatedTableName"));
    bool before = begins_before(b, prefix);
    if (theirs != count && (!before || theirs > count || others == NULL)) return false;
    for (size_t i = 0; i < theirs; i++)
        if (strcmp(one[i], other[i]) != 0) return false;
    return next == NULL || before || (others != NULL && strcmp(next, others) == 0);
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* "[b, a]" and "{b, a}" as "[a,b]": lists of names come in the order of a hash. */
static void sort_names(char *says) {
    char *names[64], *save = NULL, copy[2048], *at = strpbrk(says, "[{");
    size_t count = 0, len = 0;
    char *end = at != NULL ? strpbrk(at, "]}") : NULL;
    if (end == NULL || strchr(at, ',') == NULL || (size_t)(end - at) >= sizeof copy) return;
    memcpy(copy, at + 1, (size_t)(end - at - 1));
    copy[end - at - 1] = '\0';
    for (char *name = strtok_r(copy, ", ", &save); name != NULL && count < COUNT_OF(names); name = strtok_r(NULL, ", ", &save))
        names[count++] = name;
    qsort(names, count, sizeof names[0], by_text);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) at[++len] = ','; /* never more than there was */
        memcpy(at + len + 1, names[i], strlen(names[i]));
        len += strlen(names[i]);
    }
    memmove(at + len + 1, end, strlen(end) + 1);
}

static bool same_message(const char *a, const char *b) {
    char one[4096], other[4096];
    if (strcmp(a, b) == 0) return true;
    if (strlen(a) >= sizeof one || strlen(b) >= sizeof other) return false;
    memcpy(one, a, strlen(a) + 1);
    memcpy(other, b, strlen(b) + 1);
    sort_names(one);
    sort_names(other);
    return strcmp(one, other) == 0;
}

/* What is deleted is DELETING (DeleteTable); Local says ACTIVE. */
static bool same_but_status(yyjson_val *a, yyjson_val *b) {
    size_t i, max;
    yyjson_val *key, *value, *one = yyjson_obj_get(a, "TableDescription"), *other = yyjson_obj_get(b, "TableDescription");
    if (!yyjson_equals_str(yyjson_obj_get(one, "TableStatus"), "DELETING") || count_members(one) != count_members(other)) return false;
    yyjson_obj_foreach(one, i, max, key, value) {
        const char *name = yyjson_get_str(key);
        if (!left_out(name) && strcmp(name, "TableStatus") != 0 && !same_member(name, value, yyjson_obj_get(other, name))) return false;
    }
    return true;
}

static bool same_answer(const char *operation, const char *prefix, const reply *engine, const reply *other) {
    yyjson_val *a = reply_root(engine), *b = reply_root(other);
    if (engine->http_status != other->http_status) return false;
    if (engine->http_status != 200)
        return strcmp(reply_error(engine), reply_error(other)) == 0 && same_message(reply_message(engine), reply_message(other)) &&
               compare_values(yyjson_obj_get(a, "Item"), yyjson_obj_get(b, "Item")) == (yyjson_obj_get(a, "Item") != NULL) &&
               compare_values(yyjson_obj_get(a, "CancellationReasons"), yyjson_obj_get(b, "CancellationReasons")) ==
                   (yyjson_obj_get(a, "CancellationReasons") != NULL) &&
               (yyjson_obj_get(a, "Item") != NULL) == (yyjson_obj_get(b, "Item") != NULL);
    if (strcmp(operation, "BatchGetItem") == 0) return same_batch(a, b);
    if (strcmp(operation, "ListTables") == 0) return same_names(a, b, prefix);
    if (strcmp(operation, "DeleteTable") == 0) return same_but_status(a, b);
    return compare_values(a, b);
}

verdict compare_replies(const char *operation, const char *prefix, const reply *engine, const reply *other, unsigned known, size_t *row) {
    char one[4096], two[4096];
    if (same_answer(operation, prefix, engine, other)) return SAME;
    compare_line(engine, one, sizeof one);
    compare_line(other, two, sizeof two);
    for (*row = 0; *row < compare_listed_count; ++*row) {
        const listed *l = &compare_listed[*row];
        if (l->operation != NULL && strcmp(l->operation, operation) != 0) continue;
        if (l->only != 0 && (l->only & known) == 0) continue;
        if (fnmatch(l->engine, one, FNM_EXTMATCH) == 0 && fnmatch(l->other, two, FNM_EXTMATCH) == 0) return LISTED;
    }
    return DIFFERENT;
}
