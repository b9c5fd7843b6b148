/* What the engine does that DynamoDB Local doesn't, or does otherwise; and what hostile requests, a small arena and the bound do. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"
#include "tests/embedded/engine_rig.h"

static engine_rig r;

#define TABLE                                                                                                                              \
    "{'TableName':'tab','BillingMode':'PAY_PER_REQUEST','AttributeDefinitions':[{'AttributeName':'pk','AttributeType':'S'},"               \
    "{'AttributeName':'sk','AttributeType':'N'},{'AttributeName':'g','AttributeType':'S'},{'AttributeName':'l','AttributeType':'S'}],"     \
    "'KeySchema':[{'AttributeName':'pk','KeyType':'HASH'},{'AttributeName':'sk','KeyType':'RANGE'}],"                                      \
    "'GlobalSecondaryIndexes':[{'IndexName':'gsi','KeySchema':[{'AttributeName':'g','KeyType':'HASH'}],"                                   \
    "'Projection':{'ProjectionType':'KEYS_ONLY'}}],"                                                                                       \
    "'LocalSecondaryIndexes':[{'IndexName':'lsi','KeySchema':[{'AttributeName':'pk','KeyType':'HASH'},"                                    \
    "{'AttributeName':'l','KeyType':'RANGE'}],'Projection':{'ProjectionType':'ALL'}}]}"
#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X256 X64 X64 X64 X64
#define X1024 X256 X256 X256 X256
#define KEY(sk) "'TableName':'tab','Key':{'pk':{'S':'a'},'sk':{'N':'" #sk "'}}"

static int set_up(void **state) {
    (void)state;
    engine_rig_init(&r, NULL);
    engine_do(&r, "CreateTable", TABLE);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    engine_rig_clean_up(&r);
    return 0;
}

static void begin_again(latch_embedded_options options) {
    engine_rig_again(&r, &options);
    engine_do(&r, "CreateTable", TABLE);
}

/* ── differences from Local ────────────────────────────────────────────────────────────────────────────────────────── */

static void says_as_documented_where_local_differs(void **state) {
    static const struct {
        const char *operation, *request, *error;
    } rows[] = {
        /* Local takes a number for a text, and answers 500 to the rest. */
        {"DescribeTable", "{'TableName':5}", "SerializationException: NUMBER_VALUE cannot be converted to String"},
        {"DescribeTable", "{'TableName':true}", "SerializationException: TRUE_VALUE cannot be converted to String"},
        {"DescribeTable", "{'TableName':['tab']}", "SerializationException: Start of list found where not expected"},
        {"DescribeTable", "{'TableName':{'S':'tab'}}", "SerializationException: Start of structure or map found where not expected"},
        {"ListTables", "{'Limit':'5'}", "SerializationException: STRING_VALUE cannot be converted to Integer"},
        {"ListTables", "{'Limit':1.5}", "SerializationException: DECIMAL_VALUE cannot be converted to Integer"},
        {"ListTables", "{'Limit':99999999999}", "SerializationException: NUMBER_VALUE cannot be converted to Integer"},
        {"GetItem", "{" KEY(1) ",'ConsistentRead':'yes'}", "SerializationException: STRING_VALUE cannot be converted to Boolean"},
        {"PutItem", "{'TableName':'tab','Item':'x'}", "SerializationException: Unexpected field type"},
        {"PutItem", "{'TableName':'tab','Item':['x']}", "SerializationException: Start of list found where not expected"},
        {"TransactWriteItems", "{'TransactItems':{}}", "SerializationException: Start of structure or map found where not expected"},
        {"TransactWriteItems", "{'TransactItems':['x']}", "SerializationException: Unexpected field type"},
        {"TransactWriteItems", "{'TransactItems':[{'Put':[]}]}", "SerializationException: Start of list found where not expected"},
        {"BatchWriteItem", "{'RequestItems':{'tab':'x'}}", "SerializationException: Unexpected field type"},
        {"BatchWriteItem", "{'RequestItems':{'tab':[{'PutRequest':1}]}}", "SerializationException: Unexpected field type"},
        {"BatchGetItem", "{'RequestItems':{'tab':[]}}", "SerializationException: Start of list found where not expected"},
        {"BatchGetItem", "{'RequestItems':{'tab':{'Keys':5}}}", "SerializationException: Unexpected field type"},
        {"CreateTable", "{'TableName':'two','KeySchema':['x']}", "SerializationException: Unexpected field type"},
        /* Local's text for an unknown value here is another operation's. */
        {"PutItem", "{'TableName':'tab','Item':{'pk':{'S':'a'},'sk':{'N':'1'}},'ReturnConsumedCapacity':'FOO'}",
         "ValidationException: 1 validation error detected: Value 'FOO' at 'returnConsumedCapacity' failed to satisfy constraint: Member "
         "must satisfy enum value set: [INDEXES, TOTAL, NONE]"},
        /* Local lets an update give an index key a type or a size that a put may not give it. */
        {"UpdateItem", "{" KEY(1) ",'UpdateExpression':'SET l = :x','ExpressionAttributeValues':{':x':{'N':'1'}}}",
         "ValidationException: One or more parameter values were invalid: Type mismatch for Index Key"},
        {"UpdateItem", "{" KEY(1) ",'UpdateExpression':'SET l = :x','ExpressionAttributeValues':{':x':{'S':'" X1024 "x'}}}",
         "ValidationException: One or more parameter values were invalid: Size limit exceeded"},
        {"UpdateItem", "{" KEY(1) ",'UpdateExpression':'SET g = :x','ExpressionAttributeValues':{':x':{'S':'" X1024 X1024 "x'}}}",
         "ValidationException: One or more parameter values were invalid: Size limit exceeded"},
        /* An action says what it does; of a null one Local fails. */
        {"TransactWriteItems", "{'TransactItems':[{'Delete':{" KEY(1) "}},null]}",
         "ValidationException: Invalid Request: TransactWriteRequest should contain Delete or Put or Update request"},
        /* Local's bounds of segments are the wrong way round. */
        {"Scan", "{'TableName':'tab','Segment':-1,'TotalSegments':1}",
         "ValidationException: 1 validation error detected: Value '-1' at 'segment' failed to satisfy constraint: Member must have value "
         "greater than or equal to 0"},
        {"Scan", "{'TableName':'tab','Segment':0,'TotalSegments':0}",
         "ValidationException: 1 validation error detected: Value '0' at 'totalSegments' failed to satisfy constraint: Member must have "
         "value greater than or equal to 1"},
        /* An update of a transaction has to say what it does. */
        {"TransactWriteItems", "{'TransactItems':[{'Update':{" KEY(1) "}}]}",
         "ValidationException: Value null at 'transactItems.1.member.update.updateExpression' failed to satisfy constraint: Member must "
         "not "
         "be null"},
        {"TransactGetItems", "{'TransactItems':[{'Get':{'Key':{'pk':{'S':'a'}}}}]}",
         "ValidationException: Value null at 'transactItems.1.member.get.tableName' failed to satisfy constraint: Member must not be null"},
        /* A token has a character at least; Local remembers an empty one too. */
        {"TransactWriteItems", "{'TransactItems':[{'Delete':{" KEY(1) "}}],'ClientRequestToken':''}",
         "ValidationException: Value '' at 'clientRequestToken' failed to satisfy constraint: Member must have length greater than or "
         "equal to "
         "1"},
        {"CreateTable",
         "{'TableName':'two','BillingMode':'PAY_PER_REQUEST','ProvisionedThroughput':{'ReadCapacityUnits':1,'WriteCapacityUnits':1},"
         "'AttributeDefinitions':[{'AttributeName':'pk','AttributeType':'S'}],'KeySchema':[{'AttributeName':'pk','KeyType':'HASH'}]}",
         "ValidationException: One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be "
         "specified "
         "when BillingMode is PAY_PER_REQUEST"},
        {"CreateTable",
         "{'TableName':'two','BillingMode':'FREE','AttributeDefinitions':[{'AttributeName':'pk','AttributeType':'S'}],"
         "'KeySchema':[{'AttributeName':'pk','KeyType':'HASH'}]}",
         "ValidationException: 1 validation error detected: Value 'FREE' at 'billingMode' failed to satisfy constraint: Member must "
         "satisfy "
         "enum value set: [PROVISIONED, PAY_PER_REQUEST]"},
        {"CreateTable",
         "{'TableName':'two','BillingMode':'PAY_PER_REQUEST','StreamSpecification':{'StreamEnabled':true},"
         "'AttributeDefinitions':[{'AttributeName':'pk','AttributeType':'S'}],'KeySchema':[{'AttributeName':'pk','KeyType':'HASH'}]}",
         "ValidationException: The embedded store has no streams: leave StreamSpecification out"},
        {"UpdateGlobalTable", "{'TableName':'tab'}", "UnknownOperationException: An unknown operation was requested."},
        {"getItem", "{}", "UnknownOperationException: An unknown operation was requested."},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        engine_expect_error(&r, rows[i].operation, rows[i].request, rows[i].error);
}

static void names_the_expression_instead_of_a_legacy_parameter(void **state) {
    static const struct {
        const char *operation, *request, *legacy, *instead;
    } rows[] = {
        {"PutItem", "{'TableName':'tab','Item':{},'Expected':{}}", "Expected", "ConditionExpression"},
        {"UpdateItem", "{" KEY(1) ",'AttributeUpdates':{}}", "AttributeUpdates", "UpdateExpression"},
        {"DeleteItem", "{" KEY(1) ",'ConditionalOperator':'AND'}", "ConditionalOperator", "AND and OR in expressions"},
        {"GetItem", "{" KEY(1) ",'AttributesToGet':['a']}", "AttributesToGet", "ProjectionExpression"},
        {"Query", "{'TableName':'tab','KeyConditions':{}}", "KeyConditions", "KeyConditionExpression"},
        {"Query", "{'TableName':'tab','QueryFilter':{}}", "QueryFilter", "FilterExpression"},
        {"Scan", "{'TableName':'tab','ScanFilter':{}}", "ScanFilter", "FilterExpression"},
        {"BatchGetItem", "{'RequestItems':{'tab':{'Keys':[{'pk':{'S':'a'}}],'AttributesToGet':['a']}}}", "AttributesToGet",
         "ProjectionExpression"},
        {"TransactWriteItems", "{'TransactItems':[{'Put':{'TableName':'tab','Item':{},'Expected':{}}}]}", "Expected",
         "ConditionExpression"},
    };
    char error[256];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        snprintf(error, sizeof error, "ValidationException: The embedded store doesn't know the legacy parameter %s: use %s",
                 rows[i].legacy, rows[i].instead);
        engine_expect_error(&r, rows[i].operation, rows[i].request, error);
    }
}

/* A key lies in one of the segments. */
static void scans_on_in_the_segment_of_the_page_before(void **state) {
    size_t taken = 0;
    (void)state;
    for (int segment = 0; segment < 4; segment++) {
        int status = engine_send_format(&r, "Scan",
                                        "{'TableName':'tab','ExclusiveStartKey':{'pk':{'S':'a'},'sk':{'N':'1'}},'Segment':%d,"
                                        "'TotalSegments':4}",
                                        segment);
        taken += status == 200;
        if (status == 200) continue;
        char *got = engine_normal(r.reply.body);
        assert_true(
            engine_same_json("{\"__type\":\"ValidationException\",\"message\":\"Exclusive start key must lie within the segment\"}", got));
        free(got);
    }
    assert_int_equal(taken, 1);
}

static void answers_as_documented_where_local_differs(void **state) {
    static const struct {
        const char *operation, *request;
        int http_status;
        const char *answer;
    } rows[] = {
        /* The total has the indexes' share, also where the answer doesn't list it. */
        {"PutItem",
         "{'TableName':'tab','Item':{'pk':{'S':'a'},'sk':{'N':'1'},'g':{'S':'g'},'l':{'S':'l'}},'ReturnConsumedCapacity':'TOTAL'}", 200,
         "{'ConsumedCapacity':{'TableName':'tab','CapacityUnits':3.0}}"},
        /* A read that finds nothing costs what the smallest item costs. */
        {"Query",
         "{'TableName':'tab','KeyConditionExpression':'pk = :p','ExpressionAttributeValues':{':p':{'S':'none'}},"
         "'ReturnConsumedCapacity':'TOTAL'}",
         200, "{'Items':[],'Count':0,'ScannedCount':0,'ConsumedCapacity':{'TableName':'tab','CapacityUnits':0.5}}"},
        {"BatchGetItem", "{'RequestItems':{'tab':{'Keys':[{'pk':{'S':'none'},'sk':{'N':'1'}}]}},'ReturnConsumedCapacity':'TOTAL'}", 200,
         "{'Responses':{'tab':[]},'UnprocessedKeys':{},'ConsumedCapacity':[{'TableName':'tab','CapacityUnits':0.5}]}"},
        /* An update without an expression returns nothing that it updated; Local fails. */
        {"UpdateItem", "{" KEY(1) ",'ReturnValues':'UPDATED_NEW','ConditionExpression':'attribute_exists(pk)'}", 200, "{}"},
        /* What an update makes of an item cancels a transaction, with a reason. */
        {"TransactWriteItems", "{'TransactItems':[{'Update':{" KEY(1) ",'UpdateExpression':'SET x = nothing'}},{'Delete':{" KEY(2) "}}]}",
         400,
         "{'__type':'TransactionCanceledException','message':'Transaction cancelled, please refer cancellation reasons for specific "
         "reasons "
         "[ValidationError, None]','CancellationReasons':[{'Code':'ValidationError','Message':'The provided expression refers to an "
         "attribute that does not exist in the item'},{'Code':'None'}]}"},
        /* A condition check costs what a write costs. */
        {"TransactWriteItems",
         "{'TransactItems':[{'ConditionCheck':{" KEY(
             1) ",'ConditionExpression':'attribute_exists(pk)'}}],'ReturnConsumedCapacity':'TOTAL'}",
         200, "{'ConsumedCapacity':[{'TableName':'tab','CapacityUnits':2.0,'WriteCapacityUnits':2.0}]}"},
        /* A transaction costs the table twice what a write does, and each index once. */
        {"TransactWriteItems",
         "{'TransactItems':[{'Put':{'TableName':'tab','Item':{'pk':{'S':'t'},'sk':{'N':'1'},'g':{'S':'g'},'l':{'S':'l'}}}}],"
         "'ReturnConsumedCapacity':'TOTAL'}",
         200, "{'ConsumedCapacity':[{'TableName':'tab','CapacityUnits':4.0,'WriteCapacityUnits':4.0}]}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        engine_expect(&r, rows[i].operation, rows[i].request, rows[i].http_status, rows[i].answer);
}

/* ── hostile requests ──────────────────────────────────────────────────────────────────────────────────────────────── */

static const char *const all_operations[] = {
    "GetItem",      "PutItem",        "UpdateItem",       "DeleteItem",         "Query",       "Scan",
    "BatchGetItem", "BatchWriteItem", "TransactGetItems", "TransactWriteItems", "CreateTable", "DescribeTable",
    "DeleteTable",  "ListTables",     "UpdateTimeToLive", "DescribeTimeToLive",
};

static void refuses_what_is_no_request(void **state) {
    static const struct {
        const char *text;
        size_t len;
    } rows[] = {
        {"", 0},
        {"{", 1},
        {"[]", 2},
        {"null", 4},
        {"\"x\"", 3},
        {"{\"a\":}", 6},
        {"{}x", 3},
        {"\xff\xfe", 2},
        {"{\"a\":\"\xff\"}", 9},
        {"{\"a\":\"\xed\xa0\x80\"}", 11},
        {"\0", 1},
        {"{\"TableName\"", 12},
    };
    (void)state;
    for (size_t o = 0; o < COUNT_OF(all_operations); o++) {
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            assert_int_equal(engine_send_raw(&r, all_operations[o], (latch_str){rows[i].text, rows[i].len}, SIZE_MAX), 400);
            assert_non_null(strstr(r.reply.body.ptr, "com.amazon.coral.service#SerializationException"));
        }
    }
}

/* 10,000 levels, of lists, of maps, of attribute values, closed or not. */
static void refuses_nesting_before_it_is_read(void **state) {
    static const char *const parts[][2] = {{"[", "]"}, {"{\"a\":", "}"}, {"{\"M\":{\"a\":", "}}"}, {"{\"L\":[", "]}"}};
    char *text = malloc(1 << 20);
    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < 2 * COUNT_OF(parts); i++) {
        char *at = text + sprintf(text, "{\"TableName\":\"tab\",\"Item\":");
        for (int d = 0; d < 10000; d++)
            at = stpcpy(at, parts[i / 2][0]);
        for (int d = 0; d < 10000 && i % 2 == 0; d++)
            at = stpcpy(at, parts[i / 2][1]);
        at = stpcpy(at, "}");
        for (size_t o = 0; o < COUNT_OF(all_operations); o++) {
            assert_int_equal(engine_send_raw(&r, all_operations[o], (latch_str){text, (size_t)(at - text)}, SIZE_MAX), 400);
            assert_non_null(strstr(r.reply.body.ptr, "nested too deeply"));
        }
    }
    free(text);
}

/* Each member of good requests is replaced by values of every type: an answer, never a crash; what is left is a good engine. */
static void survives_every_type_everywhere(void **state) {
    static const char *const members[] = {
        "TableName",
        "Item",
        "Key",
        "ConditionExpression",
        "UpdateExpression",
        "ProjectionExpression",
        "FilterExpression",
        "KeyConditionExpression",
        "ExpressionAttributeNames",
        "ExpressionAttributeValues",
        "ReturnValues",
        "ReturnConsumedCapacity",
        "ReturnItemCollectionMetrics",
        "ReturnValuesOnConditionCheckFailure",
        "ConsistentRead",
        "ScanIndexForward",
        "Select",
        "Limit",
        "Segment",
        "TotalSegments",
        "ExclusiveStartKey",
        "ExclusiveStartTableName",
        "ClientRequestToken",
        "RequestItems",
        "TransactItems",
        "BillingMode",
        "AttributeDefinitions",
        "KeySchema",
        "GlobalSecondaryIndexes",
        "LocalSecondaryIndexes",
        "ProvisionedThroughput",
        "TimeToLiveSpecification",
        "StreamSpecification",
        "IndexName",
        "Keys",
        "Expected",
    };
    static const char *const values[] = {
        "null",
        "true",
        "0",
        "-1",
        "1e400",
        "123456789012345678901234567890",
        "''",
        "'x'",
        "'tab'",
        "[]",
        "[null]",
        "['x']",
        "[[]]",
        "[{}]",
        "[{'Put':{}}]",
        "[{'Put':null}]",
        "{}",
        "{'':null}",
        "{'a':null}",
        "{'tab':null}",
        "{'tab':[null]}",
        "{'tab':{'Keys':[null]}}",
        "{'tab':{'Keys':[{}]}}",
        "{'a':{'S':null}}",
        "{'a':{'N':''}}",
        "{'pk':{'M':{'x':{'L':[{'NULL':false}]}}}}",
        "{'#a':5}",
        "{':a':[]}",
        "[{'AttributeName':null}]",
        "[{'AttributeName':'pk','KeyType':'HASH','AttributeType':'S'}]",
        "[{'IndexName':'abc','KeySchema':[{}],'Projection':{'NonKeyAttributes':[null]}}]",
    };
    size_t answered = 0;
    (void)state;
    for (size_t o = 0; o < COUNT_OF(all_operations); o++)
        for (size_t m = 0; m < COUNT_OF(members); m++)
            for (size_t v = 0; v < COUNT_OF(values); v++) {
                if (strcmp(all_operations[o], "DeleteTable") == 0 && strcmp(values[v], "'tab'") == 0) continue;
                int status = engine_send_format(&r, all_operations[o],
                                                "{'%s':%s,'TableName':'tab','Key':{'pk':{'S':'a'},'sk':{'N':'1'}},"
                                                "'Item':{'pk':{'S':'a'},'sk':{'N':'1'}},'KeyConditionExpression':'pk = :p'}",
                                                members[m], values[v]);
                assert_true(status == 200 || status == 400);
                answered++;
                if (strcmp(all_operations[o], "DeleteTable") == 0 && status == 200) engine_do(&r, "CreateTable", TABLE);
            }
    print_message("%zu requests\n", answered);
    engine_expect(&r, "PutItem", "{'TableName':'tab','Item':{'pk':{'S':'a'},'sk':{'N':'1'}}}", 200, "{}");
    engine_expect(&r, "GetItem", "{" KEY(1) "}", 200, "{'Item':{'pk':{'S':'a'},'sk':{'N':'1'}}}");
}

/* ── a small arena ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static const struct {
    const char *operation, *request;
    bool writes;
} in_small_arenas[] = {
    {"GetItem", "{" KEY(1) ",'ProjectionExpression':'pk','ReturnConsumedCapacity':'INDEXES'}", false},
    {"PutItem", "{'TableName':'tab','Item':{'pk':{'S':'new'},'sk':{'N':'1'},'g':{'S':'g'}},'ReturnValues':'ALL_OLD'}", true},
    {"UpdateItem",
     "{'TableName':'tab','Key':{'pk':{'S':'new'},'sk':{'N':'1'}},'UpdateExpression':'SET x = "
     ":x','ExpressionAttributeValues':{':x':{'S':'x'}},"
     "'ReturnValues':'ALL_NEW','ReturnConsumedCapacity':'INDEXES'}",
     true},
    {"Query", "{'TableName':'tab','KeyConditionExpression':'pk = :p','ExpressionAttributeValues':{':p':{'S':'a'}},'Limit':1}", false},
    {"Scan", "{'TableName':'tab','IndexName':'gsi','Limit':1}", false},
    {"BatchGetItem", "{'RequestItems':{'tab':{'Keys':[{'pk':{'S':'a'},'sk':{'N':'1'}}]}}}", false},
    {"BatchWriteItem", "{'RequestItems':{'tab':[{'PutRequest':{'Item':{'pk':{'S':'new'},'sk':{'N':'1'}}}}]}}", true},
    {"TransactGetItems", "{'TransactItems':[{'Get':{" KEY(1) "}}]}", false},
    {"TransactWriteItems",
     "{'TransactItems':[{'Put':{'TableName':'tab','Item':{'pk':{'S':'new'},'sk':{'N':'1'}}}}],'ClientRequestToken':'t',"
     "'ReturnConsumedCapacity':'INDEXES'}",
     true},
    {"TransactWriteItems",
     "{'TransactItems':[{'Put':{'TableName':'tab','Item':{'pk':{'S':'a'},'sk':{'N':'1'}},'ConditionExpression':"
     "'attribute_not_exists(pk)','ReturnValuesOnConditionCheckFailure':'ALL_OLD'}}]}",
     false},
    {"DescribeTable", "{'TableName':'tab'}", false},
    {"ListTables", "{}", false},
    {"DescribeTable", "{'TableName':'nope'}", false},
};

/* Every arena size up to the one that does: no answer, and whether it may have been applied is told truly. */
static void fits_or_says_so_at_every_arena_size(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(in_small_arenas); i++) {
        size_t refused = 0, bytes = 0;
        int status = 0;
        for (; status == 0; bytes += 64) {
            begin_again((latch_embedded_options){.seed = 1});
            engine_do(&r, "PutItem", "{'TableName':'tab','Item':{'pk':{'S':'a'},'sk':{'N':'1'},'g':{'S':'g'},'l':{'S':'l'}}}");
            char json[1024];
            snprintf(json, sizeof json, "%s", in_small_arenas[i].request);
            for (char *at = json; *at != '\0'; at++)
                if (*at == '\'') *at = '"';
            status = engine_send_raw(&r, in_small_arenas[i].operation, latch_str_of(json), bytes);
            bool maybe_applied = status == 0 && r.err.maybe_applied;
            bool applied = in_small_arenas[i].writes && latch_embedded_measure(r.engine).items == 2;
            if (status == 0) assert_int_equal(maybe_applied, applied);
            refused += status == 0;
            assert_true(bytes < 1 << 20);
        }
        assert_true(refused > 5);
    }
}

/* ── the bound ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define FULL_BYTES ((size_t)4 << 20)

static size_t fill(size_t size) {
    char filler[1500];
    memset(filler, 'x', sizeof filler);
    for (size_t i = 0;; i++) {
        if (engine_send_format(&r, "PutItem",
                               "{'TableName':'tab','Item':{'pk':{'S':'p%zu'},'sk':{'N':'1'},'g':{'S':'g%zu'},'x':{'S':'%.*s'}}}", i, i % 7,
                               (int)size, filler) != 200)
            return i;
    }
}

static void refuses_a_write_past_the_bound(void **state) {
    (void)state;
    begin_again((latch_embedded_options){.max_bytes = FULL_BYTES, .seed = 1});
    size_t items = fill(1000);
    latch_embedded_stats stats = latch_embedded_measure(r.engine);
    assert_true(items > FULL_BYTES / 4000);
    assert_non_null(strstr(r.reply.body.ptr, "com.amazonaws.dynamodb.v20120810#LimitExceededException"));
    assert_non_null(strstr(r.reply.body.ptr, "Raise LATCH_EMBEDDED_MAX_MB"));
    assert_int_equal(stats.items, items);
    assert_int_equal(stats.max_bytes, FULL_BYTES);
    assert_in_range(stats.bytes, FULL_BYTES / 10 * 9, FULL_BYTES);
    /* Nothing changed: not the item, not the index, not the first of two writes. */
    engine_expect(&r, "GetItem", "{'TableName':'tab','Key':{'pk':{'S':'none'},'sk':{'N':'1'}}}", 200, "{}");
    char big[3000], request[8000];
    memset(big, 'y', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    snprintf(request, sizeof request,
             "{'RequestItems':{'tab':[{'DeleteRequest':{'Key':{'pk':{'S':'p0'},'sk':{'N':'1'}}}},"
             "{'PutRequest':{'Item':{'pk':{'S':'n1'},'sk':{'N':'1'},'x':{'S':'%s'}}}},"
             "{'PutRequest':{'Item':{'pk':{'S':'n2'},'sk':{'N':'1'},'x':{'S':'%s'}}}}]}}",
             big, big);
    assert_int_equal(engine_send(&r, "BatchWriteItem", request), 400);
    snprintf(request, sizeof request,
             "{'TransactItems':[{'Delete':{'TableName':'tab','Key':{'pk':{'S':'p0'},'sk':{'N':'1'}}}},"
             "{'Put':{'TableName':'tab','Item':{'pk':{'S':'n1'},'sk':{'N':'1'},'x':{'S':'%s'}}}}]}",
             big);
    assert_int_equal(engine_send(&r, "TransactWriteItems", request), 400);
    assert_int_equal(latch_embedded_measure(r.engine).items, items);
    assert_int_equal(latch_embedded_measure(r.engine).bytes, stats.bytes);
    /* What is there may be changed and deleted, and then there is room again. */
    engine_do(&r, "UpdateItem",
              "{'TableName':'tab','Key':{'pk':{'S':'p1'},'sk':{'N':'1'}},'UpdateExpression':'SET g = :g',"
              "'ExpressionAttributeValues':{':g':{'S':'gx'}}}");
    engine_do(&r, "DeleteItem", "{'TableName':'tab','Key':{'pk':{'S':'p0'},'sk':{'N':'1'}}}");
    engine_do(&r, "PutItem", "{'TableName':'tab','Item':{'pk':{'S':'again'},'sk':{'N':'1'}}}");
}

/* What was taken is given back: a table that is dropped leaves nothing behind. */
static void gives_everything_back(void **state) {
    (void)state;
    size_t empty;
    begin_again((latch_embedded_options){.max_bytes = FULL_BYTES, .seed = 1, .lag_ms = 0});
    engine_do(&r, "DeleteTable", "{'TableName':'tab'}");
    empty = latch_embedded_measure(r.engine).bytes;
    for (int i = 0; i < 3; i++) {
        engine_do(&r, "CreateTable", TABLE);
        assert_true(fill((size_t)(i + 1) * 300) > 500);
        engine_do(&r, "DeleteTable", "{'TableName':'tab'}");
        assert_int_equal(latch_embedded_measure(r.engine).bytes, empty);
        assert_int_equal(latch_embedded_measure(r.engine).tables, 0);
    }
}

/* The bound is of real memory: what malloc hands out for items of all sizes, replaced at random, stays near what is counted. */
static void counts_what_malloc_takes(void **state) {
    char filler[1500];
    uint32_t dice = 1;
    (void)state;
    begin_again((latch_embedded_options){.max_bytes = (size_t)24 << 20, .seed = 1});
#ifndef __SANITIZE_ADDRESS__
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
#endif
    memset(filler, 'x', sizeof filler);
    for (int i = 0; i < 20000; i++) {
        dice = dice * 1664525 + 1013904223;
        (void)engine_send_format(&r, "PutItem", "{'TableName':'tab','Item':{'pk':{'S':'p%u'},'sk':{'N':'1'},'x':{'S':'%.*s'}}}",
                                 (dice >> 8) % 12000, (int)((dice >> 4) % 1400), filler);
    }
    latch_embedded_stats stats = latch_embedded_measure(r.engine);
    assert_true(stats.bytes <= stats.max_bytes && stats.items > 5000);
#ifndef __SANITIZE_ADDRESS__
    size_t held = mallinfo2().uordblks + mallinfo2().hblkhd - before;
    assert_in_range(stats.bytes, held / 10 * 9, held / 10 * 12);
#endif
}

/* ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define NOW_S (ENGINE_T0 / 1000)

static void put_expiring(const char *pk, int64_t at_s) {
    assert_int_equal(engine_send_format(&r, "PutItem",
                                        "{'TableName':'tab','Item':{'pk':{'S':'%s'},'sk':{'N':'1'},'g':{'S':'g'},'ttl':{'N':'%lld'}}}", pk,
                                        (long long)at_s),
                     200);
}

static size_t count_items(void) {
    engine_do(&r, "Scan", "{'TableName':'tab','Select':'COUNT'}");
    return (size_t)engine_int(&r, "/Count");
}

static void removes_what_has_expired(void **state) {
    (void)state;
    engine_do(&r, "UpdateTimeToLive", "{'TableName':'tab','TimeToLiveSpecification':{'AttributeName':'ttl','Enabled':true}}");
    put_expiring("soon", NOW_S + 10);
    put_expiring("later", NOW_S + 20);
    put_expiring("never", 0);
    put_expiring("old", NOW_S - INT64_C(6) * 365 * 86400);
    put_expiring("far", INT64_C(9000000000000000000));
    engine_do(&r, "PutItem", "{'TableName':'tab','Item':{'pk':{'S':'text'},'sk':{'N':'1'},'ttl':{'S':'1'}}}");
    engine_do(&r, "PutItem", "{'TableName':'tab','Item':{'pk':{'S':'half'},'sk':{'N':'1'},'ttl':{'N':'1.5'}}}");
    assert_int_equal(count_items(), 7);
    r.now_ms += 10999; /* within the second that it names */
    assert_int_equal(count_items(), 7);
    r.now_ms += 1;
    assert_int_equal(count_items(), 6);
    engine_expect(&r, "GetItem", "{'TableName':'tab','Key':{'pk':{'S':'soon'},'sk':{'N':'1'}}}", 200, "{}");
    engine_do(&r, "Query",
              "{'TableName':'tab','IndexName':'gsi','KeyConditionExpression':'g = :g','ExpressionAttributeValues':{':g':{'S':'g'}}}");
    assert_int_equal(engine_int(&r, "/Count"), 4);
    put_expiring("past", NOW_S); /* past when it is put: the next request doesn't see it */
    assert_int_equal(count_items(), 6);
    /* An item that is changed expires when it now says. */
    engine_do(&r, "UpdateItem",
              "{'TableName':'tab','Key':{'pk':{'S':'later'},'sk':{'N':'1'}},'UpdateExpression':'REMOVE #t',"
              "'ExpressionAttributeNames':{'#t':'ttl'}}");
    r.now_ms += 100000;
    assert_int_equal(count_items(), 6);
    assert_int_equal(latch_embedded_measure(r.engine).items, 6);
}

static void looks_at_what_is_there_when_ttl_is_turned_on(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++) {
        char pk[16];
        snprintf(pk, sizeof pk, "p%d", i);
        put_expiring(pk, NOW_S + i);
    }
    r.now_ms += 50000;
    assert_int_equal(count_items(), 100);
    engine_do(&r, "UpdateTimeToLive", "{'TableName':'tab','TimeToLiveSpecification':{'AttributeName':'ttl','Enabled':true}}");
    assert_int_equal(count_items(), 50);
    engine_do(&r, "UpdateTimeToLive", "{'TableName':'tab','TimeToLiveSpecification':{'AttributeName':'ttl','Enabled':false}}");
    r.now_ms += 50000;
    assert_int_equal(count_items(), 50);
}

/* `what` of the item's v; -1: there is no item. */
static int64_t value_seen(bool consistent) {
    assert_int_equal(engine_send_format(&r, "GetItem", "{" KEY(1) ",'ConsistentRead':%s}", consistent ? "true" : "false"), 200);
    return engine_int(&r, "/Item/v/N");
}

static void put_value(int v) {
    assert_int_equal(engine_send_format(&r, "PutItem",
                                        "{'TableName':'tab','Item':{'pk':{'S':'a'},'sk':{'N':'1'},'g':{'S':'g%d'},'v':{'N':'%d'}}}", v, v),
                     200);
}

static int64_t seen_in_index(int g) {
    assert_int_equal(engine_send_format(&r, "Query",
                                        "{'TableName':'tab','IndexName':'gsi','KeyConditionExpression':'g = :g',"
                                        "'ExpressionAttributeValues':{':g':{'S':'g%d'}}}",
                                        g),
                     200);
    return engine_int(&r, "/Count");
}

static void shows_old_state_while_it_lags(void **state) {
    (void)state;
    begin_again((latch_embedded_options){.seed = 1, .lag_ms = 100});
    put_value(1);
    assert_int_equal(value_seen(true), 1);
    assert_int_equal(value_seen(false), -1);
    assert_int_equal(seen_in_index(1), 0);
    r.now_ms += 60;
    put_value(2);
    r.now_ms += 40;
    assert_int_equal(value_seen(false), 1);
    assert_int_equal(value_seen(true), 2);
    assert_int_equal(seen_in_index(1), 1);
    assert_int_equal(seen_in_index(2), 0);
    engine_do(&r, "DeleteItem", "{" KEY(1) "}");
    r.now_ms += 60;
    assert_int_equal(value_seen(false), 2);
    assert_int_equal(value_seen(true), -1);
    assert_int_equal(seen_in_index(1), 0);
    assert_int_equal(seen_in_index(2), 1);
    r.now_ms += 40;
    assert_int_equal(value_seen(false), -1);
    assert_int_equal(seen_in_index(2), 0);
    /* A condition, a transaction's read and a local index's consistent one look at the present. */
    put_value(3);
    engine_expect_error(&r, "PutItem",
                        "{'TableName':'tab','Item':{'pk':{'S':'a'},'sk':{'N':'1'}},'ConditionExpression':'attribute_not_exists(pk)'}",
                        "ConditionalCheckFailedException: The conditional request failed");
    engine_do(&r, "TransactGetItems", "{'TransactItems':[{'Get':{" KEY(1) "}}]}");
    assert_int_equal(engine_int(&r, "/Responses/0/Item/v/N"), 3);
    engine_do(&r, "UpdateItem", "{" KEY(1) ",'UpdateExpression':'SET l = :l','ExpressionAttributeValues':{':l':{'S':'l'}}}");
    engine_do(&r, "Scan", "{'TableName':'tab','IndexName':'lsi','ConsistentRead':true,'Select':'COUNT'}");
    assert_int_equal(engine_int(&r, "/Count"), 1);
    engine_do(&r, "Scan", "{'TableName':'tab','IndexName':'lsi','Select':'COUNT'}");
    assert_int_equal(engine_int(&r, "/Count"), 0);
    engine_do(&r, "DeleteTable", "{'TableName':'tab'}"); /* with changes that nobody has seen */
}

/* ── tokens ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define ADD_ONE(token, by)                                                                                                                 \
    "{'TransactItems':[{'Update':{" KEY(1) ",'UpdateExpression':'ADD n :n','ExpressionAttributeValues':{':n':{'N':'" by "'}}}}],"          \
                                           "'ClientRequestToken':'" token "'}"

static int64_t counted(void) {
    engine_do(&r, "GetItem", "{" KEY(1) ",'ConsistentRead':true}");
    return engine_int(&r, "/Item/n/N");
}

static void does_a_tokens_transaction_once_in_ten_minutes(void **state) {
    (void)state;
    engine_do(&r, "TransactWriteItems", ADD_ONE("t1", "1"));
    engine_do(&r, "TransactWriteItems", ADD_ONE("t1", "1"));
    assert_int_equal(counted(), 1);
    engine_expect_error(&r, "TransactWriteItems", ADD_ONE("t1", "2"), "IdempotentParameterMismatchException: ");
    engine_do(&r, "TransactWriteItems", ADD_ONE("t2", "1"));
    assert_int_equal(counted(), 2);
    r.now_ms += 10 * LATCH_MINUTE_MS - 1;
    engine_do(&r, "TransactWriteItems", ADD_ONE("t1", "1"));
    assert_int_equal(counted(), 2);
    r.now_ms += 1;
    engine_do(&r, "TransactWriteItems", ADD_ONE("t1", "2"));
    assert_int_equal(counted(), 4);
}

/* ── options ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void checks_its_options(void **state) {
    latch_embedded *engine;
    latch_err err;
    (void)state;
    assert_int_equal(latch_embedded_init(&engine, &(latch_embedded_options){.lag_ms = -1}, &err), LATCH_E_MISUSE);
    assert_null(engine);
    assert_int_equal(latch_embedded_init(&engine, NULL, NULL), LATCH_OK);
    assert_int_equal(latch_embedded_measure(engine).max_bytes, (size_t)256 << 20);
    latch_embedded_clean_up(engine);
    latch_embedded_clean_up(NULL);
}

/* ── UpdateTable ───────────────────────────────────────────────────────────────────────────────────────────────────── */

#define UPDATE(what) "{'TableName':'upd'," what "}"
#define UNITS(read, write) "'ProvisionedThroughput':{'ReadCapacityUnits':" #read ",'WriteCapacityUnits':" #write "}"
#define INDEX(units) "'GlobalSecondaryIndexUpdates':[{'Update':{'IndexName':'gsi'," units "}}]"
#define SAME "ValidationException: The requested throughput value equals the current value"
#define NO_UNITS                                                                                                                           \
    "ValidationException: One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be specified "   \
    "when BillingMode is PAY_PER_REQUEST"

typedef struct update_row {
    const char *request;
    const char *error;         /* NULL: it is done */
    const char *mode;          /* of the answer, and of DescribeTable's; NULL: there is no summary */
    int64_t read, index_write; /* -1: an index has no units */
    bool is_protected;
} update_row;

static void check_description(const char *root, const update_row *row) {
    char path[128];
    yyjson_doc *doc = yyjson_read(r.reply.body.ptr, r.reply.body.len, YYJSON_READ_NOFLAG);
    snprintf(path, sizeof path, "%s/BillingModeSummary/BillingMode", root);
    const char *mode = yyjson_get_str(yyjson_doc_ptr_get(doc, path));
    if (row->mode == NULL) assert_null(mode);
    if (row->mode != NULL) assert_string_equal(mode != NULL ? mode : "", row->mode);
    snprintf(path, sizeof path, "%s/DeletionProtectionEnabled", root);
    assert_int_equal(yyjson_is_true(yyjson_doc_ptr_get(doc, path)), row->is_protected);
    yyjson_doc_free(doc);
    snprintf(path, sizeof path, "%s/ProvisionedThroughput/ReadCapacityUnits", root);
    assert_int_equal(engine_int(&r, path), row->read);
    snprintf(path, sizeof path, "%s/GlobalSecondaryIndexes/0/ProvisionedThroughput/WriteCapacityUnits", root);
    assert_int_equal(engine_int(&r, path), row->index_write);
}

static void updates_a_table(void **state) {
    (void)state;
    static const update_row rows[] = {
        {UPDATE("'DeletionProtectionEnabled':true"), NULL, NULL, 1, 2, true},
        {"{'TableName':'upd'}", "ValidationException: Nothing to update", NULL, 1, 2, true},
        {UPDATE("'AttributeDefinitions':[]"), "ValidationException: Nothing to update", NULL, 1, 2, true},
        {UPDATE("'GlobalSecondaryIndexUpdates':[]"), "ValidationException: Nothing to update", NULL, 1, 2, true},
        {UPDATE("'TableClass':'STANDARD'"), NULL, NULL, 1, 2, true},
        {UPDATE(UNITS(1, 1)), SAME, NULL, 1, 2, true},
        {UPDATE(UNITS(0, 1)), "ValidationException: Table read and write throughput must be at least 1, and cannot be null", NULL, 1, 2,
         true},
        {UPDATE(UNITS(3, 1) ",'DeletionProtectionEnabled':false"), NULL, NULL, 3, 2, false},
        {UPDATE(INDEX(UNITS(2, 2))), SAME, NULL, 3, 2, false},
        {UPDATE(INDEX(UNITS(2, 4))), NULL, NULL, 3, 4, false},
        /* one wrong part, and nothing is changed */
        {UPDATE(UNITS(9, 9) "," INDEX(UNITS(2, 4))), SAME, NULL, 3, 4, false},
        {UPDATE("'BillingMode':'FREE'"),
         "ValidationException: 1 validation error detected: Value 'FREE' at 'billingMode' failed to satisfy constraint: Member must "
         "satisfy "
         "enum value set: [PROVISIONED, PAY_PER_REQUEST]",
         NULL, 3, 4, false},
        {UPDATE("'BillingMode':'PAY_PER_REQUEST'," UNITS(5, 5)), NO_UNITS, NULL, 3, 4, false},
        {UPDATE("'BillingMode':'PAY_PER_REQUEST'"), NULL, "PAY_PER_REQUEST", 0, -1, false},
        {UPDATE("'BillingMode':'PAY_PER_REQUEST'"), NULL, "PAY_PER_REQUEST", 0, -1, false},
        {UPDATE(UNITS(5, 5)), NO_UNITS, "PAY_PER_REQUEST", 0, -1, false},
        {UPDATE(INDEX(UNITS(5, 5))), NO_UNITS, "PAY_PER_REQUEST", 0, -1, false},
        {UPDATE("'BillingMode':'PROVISIONED'"), "ValidationException: No provisioned throughput specified for the table", "PAY_PER_REQUEST",
         0, -1, false},
        {UPDATE("'BillingMode':'PROVISIONED'," UNITS(6, 6)),
         "ValidationException: No provisioned throughput specified for the global secondary index", "PAY_PER_REQUEST", 0, -1, false},
        {UPDATE("'BillingMode':'PROVISIONED'," UNITS(6, 6) "," INDEX(UNITS(7, 8))), NULL, "PROVISIONED", 6, 8, false},
        {UPDATE("'GlobalSecondaryIndexUpdates':[{'Update':{'IndexName':'lsi'," UNITS(1, 1) "}}]"),
         "ResourceNotFoundException: Requested resource not found", "PROVISIONED", 6, 8, false},
        {UPDATE("'GlobalSecondaryIndexUpdates':[{}]"), "ValidationException: Update global secondary index action is null", "PROVISIONED",
         6, 8, false},
        {UPDATE("'GlobalSecondaryIndexUpdates':[{'Delete':{'IndexName':'gsi'}}]"),
         "ValidationException: The embedded store can't create or delete an index of a table that is there: create the table anew with the "
         "indexes that it is to have",
         "PROVISIONED", 6, 8, false},
        {UPDATE("'GlobalSecondaryIndexUpdates':[1]"), "SerializationException: Unexpected field type", "PROVISIONED", 6, 8, false},
        {UPDATE("'StreamSpecification':{'StreamEnabled':true}"),
         "ValidationException: The embedded store has no streams and no replicas: leave StreamSpecification out", "PROVISIONED", 6, 8,
         false},
        {"{'TableName':'none','BillingMode':'PROVISIONED'}", "ResourceNotFoundException: Cannot do operations on a non-existent table",
         "PROVISIONED", 6, 8, false},
    };
    engine_do(
        &r, "CreateTable",
        "{'TableName':'upd','AttributeDefinitions':[{'AttributeName':'a','AttributeType':'S'},{'AttributeName':'b','AttributeType':'S'}],"
        "'KeySchema':[{'AttributeName':'a','KeyType':'HASH'},{'AttributeName':'b','KeyType':'RANGE'}]," UNITS(
            1, 1) ",'GlobalSecondaryIndexes':[{'IndexName':'gsi','KeySchema':[{'AttributeName':'b','KeyType':'HASH'}],'Projection':"
                  "{'ProjectionType':'ALL'}," UNITS(
                      2, 2) "}],'LocalSecondaryIndexes':[{'IndexName':'lsi','KeySchema':[{"
                            "'AttributeName':'a','KeyType':'HASH'},{'AttributeName':'b','KeyType':'RANGE'}],'Projection':{'ProjectionType':"
                            "'ALL'}}]}");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (rows[i].error != NULL) engine_expect_error(&r, "UpdateTable", rows[i].request, rows[i].error);
        if (rows[i].error == NULL) engine_do(&r, "UpdateTable", rows[i].request);
        if (rows[i].error == NULL) check_description("/TableDescription", &rows[i]);
        engine_do(&r, "DescribeTable", "{'TableName':'upd'}");
        check_description("/Table", &rows[i]);
    }
}

static void deletes_a_table_when_its_protection_ends(void **state) {
    (void)state;
    static const char protected[] =
        "ValidationException: Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.";
    engine_do(&r, "UpdateTable", "{'TableName':'tab','DeletionProtectionEnabled':true}");
    engine_expect_error(&r, "DeleteTable", "{'TableName':'tab'}", protected);
    engine_do(&r, "DescribeTable", "{'TableName':'tab'}");
    engine_do(&r, "UpdateTable", "{'TableName':'tab','DeletionProtectionEnabled':false}");
    engine_do(&r, "DeleteTable", "{'TableName':'tab'}");
    engine_expect_error(&r, "UpdateTable", "{'TableName':'tab','DeletionProtectionEnabled':true}",
                        "ResourceNotFoundException: Cannot do operations on a non-existent table");
    engine_expect(&r, "DescribeLimits", "{}", 200,
                  "{'AccountMaxReadCapacityUnits':80000,'AccountMaxWriteCapacityUnits':80000,'TableMaxReadCapacityUnits':40000,"
                  "'TableMaxWriteCapacityUnits':40000}");
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    ROW(says_as_documented_where_local_differs),
    ROW(names_the_expression_instead_of_a_legacy_parameter),
    ROW(answers_as_documented_where_local_differs),
    ROW(scans_on_in_the_segment_of_the_page_before),
    ROW(refuses_what_is_no_request),
    ROW(refuses_nesting_before_it_is_read),
    ROW(survives_every_type_everywhere),
    ROW(fits_or_says_so_at_every_arena_size),
    ROW(refuses_a_write_past_the_bound),
    ROW(gives_everything_back),
    ROW(counts_what_malloc_takes),
    ROW(removes_what_has_expired),
    ROW(looks_at_what_is_there_when_ttl_is_turned_on),
    ROW(shows_old_state_while_it_lags),
    ROW(does_a_tokens_transaction_once_in_ten_minutes),
    ROW(checks_its_options),
    ROW(updates_a_table),
    ROW(deletes_a_table_when_its_protection_ends),
};

CHECK_MAIN(tests)
