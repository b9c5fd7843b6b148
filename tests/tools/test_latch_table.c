/* latch table, as a person runs it: on latch-local dynamodb, and where LATCH_TEST_ENDPOINT_FILE names one, on DynamoDB Local. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "latch_run.h"
#include "tests/check.h"
#include "yaml_tree.h"

static const char *const name = latch_run_table, *const url = latch_run_url;

static local_run table(const char *verb, const char *a, const char *b, const char *c) {
    return local_play((const char *const[]){"table", verb, "--endpoint", url, "--region", "eu-west-1", a, b, c, NULL}, NULL, NULL);
}

#define expect latch_run_expect

/* ── against a DynamoDB ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static void creates_describes_and_deletes(void **state) {
    (void)state;
    expect(table("describe", name, NULL, NULL), 1, NULL, "`latch table create latch-table-");
    expect(table("create", name, NULL, NULL), 0, "created latch-table-", NULL);
    expect(table("create", name, NULL, NULL), 0, "is there already", NULL);
    expect(table("describe", name, NULL, NULL), 0, "is ACTIVE", NULL);
    expect(table("describe", name, NULL, NULL), 0, "fits           the stores can use it", NULL);
    expect(table("delete", name, NULL, NULL), 1, NULL, "nothing was deleted");
    expect(table("describe", name, NULL, NULL), 0, "is ACTIVE", NULL);
    expect(table("delete", name, "--yes", NULL), 0, "deleted latch-table-", NULL);
    expect(table("delete", name, "--yes", NULL), 1, NULL, "there is no table");
}

static const char *text_at(yyjson_val *doc, const char *pointer) {
    const char *s = yyjson_get_str(yyjson_ptr_get(doc, pointer));
    return s != NULL ? s : "";
}

static void describes_as_json(void **state) {
    (void)state;
    expect(table("create", name, NULL, NULL), 0, "created", NULL);
    local_run run = table("describe", name, "--json", NULL);
    assert_int_equal(run.exit_status, 0);
    yyjson_val *doc = local_line(&run, 0);
    assert_string_equal(text_at(doc, "/name"), name);
    assert_string_equal(text_at(doc, "/pk/name"), "pk");
    assert_string_equal(text_at(doc, "/sk/type"), "S");
    assert_string_equal(text_at(doc, "/ttl/attribute"), "ttl");
    assert_string_equal(text_at(doc, "/indexes/1/projection"), "ALL");
    assert_true(yyjson_get_bool(yyjson_ptr_get(doc, "/fits")));
    assert_true(yyjson_get_bool(yyjson_ptr_get(doc, "/capacity/on_demand")));
    assert_int_equal(yyjson_get_int(yyjson_ptr_get(doc, "/items")), 0);
    local_forget(&run);
}

/* The whole round: what one describes, another doesn't accept; what was asked for under other names, it does. */
static void a_table_that_does_not_fit_is_told(void **state) {
    (void)state;
    expect(table("create", name, "--pk=id", "--no-indexes"), 0, "created", NULL);
    expect(table("create", name, NULL, NULL), 1, NULL, "has the key id (S) and sk (S), want pk (S) and sk (S)");
    expect(table("describe", name, NULL, NULL), 0, "does not fit   table latch-table-", NULL);
    expect(table("create", name, "--pk=id", "--no-indexes"), 0, "is there already", NULL);
    expect(table("create", name, "--pk=id", NULL), 1, NULL, "has no index gsi1");
    expect(table("describe", name, "--pk=id", "--no-indexes"), 0, "fits           the stores can use it", NULL);
}

static void other_attributes_are_created(void **state) {
    (void)state;
    expect(table("create", name, "--pk=p k", "--ttl=ex\"pires"), 0, "created", NULL);
    expect(table("describe", name, NULL, NULL), 0, "time to live   ex\"pires", NULL);
    expect(table("create", name, "--pk=p k", NULL), 1, NULL, "goes by ex\"pires, want ttl");
}

/* Each layout, made and found to fit; the next one's isn't taken for it. */
static void tables_of_others_are_created(void **state) {
    static const struct {
        const char *layout, *keys, *ttl;
    } rows[] = {
        {"--layout=latch", "keys           pk (S), sk (S)", "time to live   ttl"},
        {"--layout=toolkit", "keys           pk (S), sk (S)", "time to live   ttl"},
        {"--layout=saga-bus", "keys           PK (S), SK (S)", "time to live   off\n"},
        {"--layout=powertools", "keys           id (S)\n", "time to live   expiration"},
        {"--layout=lock-client", "keys           key (S)\n", "time to live   off\n"},
        {"--layout=paradoxical-locks", "keys           key (S)\n", "time to live   off\n"},
        {"--layout=paradoxical-keys", "keys           key (S)\n", "time to live   off\n"},
        {"--layout=paradoxical-partitioned-keys", "keys           partitionKey (S), sortKey (S)", "time to live   off\n"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect(table("create", name, rows[i].layout, NULL), 0, "created", NULL);
        local_run run = table("describe", name, rows[i].layout, NULL);
        bool ok = strstr(run.out, rows[i].keys) != NULL && strstr(run.out, rows[i].ttl) != NULL && strstr(run.out, "\n  fits ") != NULL;
        if (!ok) fail_msg("%s: %s", rows[i].layout, run.out);
        local_forget(&run);
        if (i == 0) expect(table("describe", name, "--layout=saga-bus", NULL), 0, "does not fit", NULL);
        expect(table("delete", name, "--yes", NULL), 0, "deleted", NULL);
    }
}

/* What describe says is missing, the command that it names adds: on a DynamoDB, for the embedded store's tables can't get indexes. */
static void missing_indexes_are_named_and_added(void **state) {
    char remedy[192];
    (void)state;
    snprintf(remedy, sizeof remedy, "has no index GSI1: `latch table create %s --layout saga-bus --add-indexes` adds it", name);
    expect(table("create", name, "--layout=saga-bus", "--no-indexes"), 0, "created", NULL);
    expect(table("describe", name, "--layout=saga-bus", NULL), 0, remedy, NULL);
    expect(table("create", name, "--layout=saga-bus", NULL), 1, NULL, "has no index GSI1");
    expect(table("create", name, "--layout=toolkit", "--add-indexes"), 1, NULL, "has the key PK (S) and SK (S), want pk (S) and sk (S)");
    if (latch_run_server > 0) {
        expect(table("create", name, "--layout=saga-bus", "--add-indexes"), 1, NULL, "latch table create: ");
        return;
    }
    local_run run = table("create", name, "--layout=saga-bus", "--add-indexes");
    if (run.exit_status != 0) fail_msg("%s", run.err);
    local_forget(&run);
    expect(table("describe", name, "--layout=saga-bus", NULL), 0, "fits           the layout saga-bus", NULL);
    expect(table("create", name, "--layout=saga-bus", "--add-indexes"), 0, "is there already", NULL);
}

static void time_to_live_that_is_off_is_named_and_turned_on(void **state) {
    char remedy[192];
    (void)state;
    snprintf(remedy, sizeof remedy, "time to live   off: what has expired stays; `latch table create %s` turns it on", name);
    local_run run = local_play((const char *const[]){"table", "create", name, "--endpoint", url, "--region", "eu-west-1",
                                                     "--layout=saga-bus", "--pk=pk", "--sk=sk", "--no-indexes", NULL},
                               NULL, NULL);
    assert_int_equal(run.exit_status, 0);
    local_forget(&run);
    expect(table("describe", name, "--no-indexes", NULL), 0, remedy, NULL);
    expect(table("create", name, "--no-indexes", NULL), 0, "time to live turned on", NULL);
    expect(table("describe", name, "--no-indexes", NULL), 0, "time to live   ttl\n", NULL);
}

static void the_name_is_latch_tables_where_it_is_not_given(void **state) {
    char variable[96], endpoint[96];
    (void)state;
    snprintf(variable, sizeof variable, "LATCH_TABLE=%s", name);
    snprintf(endpoint, sizeof endpoint, "AWS_ENDPOINT_URL_DYNAMODB=%s", url);
    const char *const env[] = {variable, endpoint, "AWS_REGION=eu-west-1", "LATCH_STORE=embedded", NULL};
    expect(local_play((const char *const[]){"table", "create", NULL}, env, NULL), 0, name, NULL);
    expect(local_play((const char *const[]){"table", "describe", NULL}, env, NULL), 0, name, NULL);
    expect(local_play((const char *const[]){"table", "delete", "--yes", NULL}, env, NULL), 2, NULL, "which table?");
}

/* Each is told within the time that it is given, and says what to do. */
static void what_can_not_be_reached_is_told(void **state) {
    static const char *const env[] = {"DYNAMODB_MAX_RETRIES=0", "DYNAMODB_REQUEST_TIMEOUT=2000", NULL};
    (void)state;
    expect(
        local_play((const char *const[]){"table", "describe", name, "--endpoint", "http://127.0.0.1:1", "--region", "x", NULL}, env, NULL),
        1, NULL, "latch table describe: ");
    expect(local_play((const char *const[]){"table", "describe", name, "--endpoint", "ftp://x", "--region", "x", NULL}, env, NULL), 1, NULL,
           "ftp://x");
    expect(local_play((const char *const[]){"table", "describe", name, NULL}, env, NULL), 1, NULL, "AWS_REGION");
    expect(local_play((const char *const[]){"table", "describe", name, "--region", "eu-west-1", "--profile", "nobody", NULL}, env, NULL), 1,
           NULL, "nobody");
}

/* ── schemas ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static local_run schema(const char *format, const char *a, const char *b) {
    return local_play((const char *const[]){"table", "schema", "orders", "--format", format, a, b, NULL}, NULL, NULL);
}

static int down(latch_yaml *y, int node, const char *const *path) {
    for (; *path != NULL && node != 0; path++)
        node = latch_yaml_get(y, node, *path);
    return node;
}

static const char *yaml_text(latch_yaml *y, int node) {
    latch_str s = latch_yaml_text(y, node);
    return s.ptr != NULL ? s.ptr : "";
}

/* A list of {AttributeName: NAME, of: VALUE}, as "NAME:VALUE NAME:VALUE". */
static const char *pairs(latch_yaml *y, int list, const char *of, char *out, size_t room) {
    size_t len = 0;
    *out = '\0';
    for (size_t i = 0; latch_yaml_item(y, list, i) != 0; i++) {
        int item = latch_yaml_item(y, list, i);
        len += (size_t)snprintf(out + len, room - len, "%s%s:%s", i > 0 ? " " : "", yaml_text(y, latch_yaml_get(y, item, "AttributeName")),
                                yaml_text(y, latch_yaml_get(y, item, of)));
    }
    return out;
}

static void check_index(latch_yaml *y, int list, size_t i, const char *index, const char *keys) {
    char text[128];
    int item = latch_yaml_item(y, list, i);
    assert_string_equal(yaml_text(y, latch_yaml_get(y, item, "IndexName")), index);
    assert_string_equal(pairs(y, latch_yaml_get(y, item, "KeySchema"), "KeyType", text, sizeof text), keys);
    assert_string_equal(yaml_text(y, down(y, item, (const char *const[]){"Projection", "ProjectionType", NULL})), "ALL");
}

static void cloudformation_is_the_resource(void **state) {
    char text[256];
    latch_yaml y;
    latch_err err;
    (void)state;
    local_run run = schema("cloudformation", NULL, NULL);
    assert_int_equal(run.exit_status, 0);
    assert_int_equal(latch_yaml_parse(&y, "schema", latch_str_of(run.out), &err), LATCH_OK);
    int resource = down(&y, latch_yaml_root(&y), (const char *const[]){"Resources", "LatchTable", NULL});
    int properties = latch_yaml_get(&y, resource, "Properties"), indexes = latch_yaml_get(&y, properties, "GlobalSecondaryIndexes");
    assert_string_equal(yaml_text(&y, latch_yaml_get(&y, resource, "Type")), "AWS::DynamoDB::Table");
    assert_string_equal(yaml_text(&y, latch_yaml_get(&y, resource, "DeletionPolicy")), "Retain");
    assert_string_equal(yaml_text(&y, latch_yaml_get(&y, resource, "UpdateReplacePolicy")), "Retain");
    assert_string_equal(yaml_text(&y, latch_yaml_get(&y, properties, "TableName")), "orders");
    assert_string_equal(yaml_text(&y, latch_yaml_get(&y, properties, "BillingMode")), "PAY_PER_REQUEST");
    assert_string_equal(pairs(&y, latch_yaml_get(&y, properties, "AttributeDefinitions"), "AttributeType", text, sizeof text),
                        "pk:S sk:S gsi1pk:S gsi1sk:S gsi2pk:S gsi2sk:S");
    assert_string_equal(pairs(&y, latch_yaml_get(&y, properties, "KeySchema"), "KeyType", text, sizeof text), "pk:HASH sk:RANGE");
    check_index(&y, indexes, 0, "gsi1", "gsi1pk:HASH gsi1sk:RANGE");
    check_index(&y, indexes, 1, "gsi2", "gsi2pk:HASH gsi2sk:RANGE");
    assert_int_equal(latch_yaml_item(&y, indexes, 2), 0);
    assert_string_equal(yaml_text(&y, down(&y, properties, (const char *const[]){"TimeToLiveSpecification", "AttributeName", NULL})),
                        "ttl");
    assert_string_equal(yaml_text(&y, down(&y, properties, (const char *const[]){"TimeToLiveSpecification", "Enabled", NULL})), "true");
    assert_string_equal(
        yaml_text(&y, down(&y, properties, (const char *const[]){"PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled", NULL})),
        "true");
    latch_yaml_clean_up(&y);
    local_forget(&run);
}

/* The resource's own properties, as text: every difference between two tables shows. */
static void put_properties(latch_yaml *y, int properties, char *out, size_t room) {
    static const char *const lists[][2] = {{"AttributeDefinitions", "AttributeType"}, {"KeySchema", "KeyType"}};
    char text[256];
    size_t len = 0;
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        len += (size_t)snprintf(out + len, room - len, "%s\n",
                                pairs(y, latch_yaml_get(y, properties, lists[i][0]), lists[i][1], text, sizeof text));
    int indexes = latch_yaml_get(y, properties, "GlobalSecondaryIndexes");
    for (size_t i = 0; latch_yaml_item(y, indexes, i) != 0; i++) {
        int index = latch_yaml_item(y, indexes, i);
        len += (size_t)snprintf(out + len, room - len, "%s %s %s\n", yaml_text(y, latch_yaml_get(y, index, "IndexName")),
                                pairs(y, latch_yaml_get(y, index, "KeySchema"), "KeyType", text, sizeof text),
                                yaml_text(y, down(y, index, (const char *const[]){"Projection", "ProjectionType", NULL})));
    }
    snprintf(out + len, room - len, "%s %s", yaml_text(y, latch_yaml_get(y, properties, "BillingMode")),
             yaml_text(y, down(y, properties, (const char *const[]){"TimeToLiveSpecification", "AttributeName", NULL})));
}

static void put_resource(const char *yaml, const char *resource, char *out, size_t room) {
    latch_yaml y;
    latch_err err;
    if (latch_yaml_parse(&y, "schema", latch_str_of(yaml), &err) != LATCH_OK) fail_msg("%s", err.message);
    put_properties(&y, down(&y, latch_yaml_root(&y), (const char *const[]){"Resources", resource, "Properties", NULL}), out, room);
    latch_yaml_clean_up(&y);
}

static void the_template_has_this_table(void **state) {
    char ours[1024], templates[1024];
    char *yaml = local_read(LATCH_SOURCE_DIR "/template.yaml", NULL);
    (void)state;
    local_run run = schema("cloudformation", NULL, NULL);
    put_resource(run.out, "LatchTable", ours, sizeof ours);
    put_resource(yaml, "Table", templates, sizeof templates);
    assert_string_equal(templates, ours);
    local_forget(&run);
    free(yaml);
}

static void layouts_have_their_schemas(void **state) {
    static const struct {
        const char *layout, *text;
    } rows[] = {
        {"--layout=toolkit", "pk:S sk:S gsi1pk:S gsi1sk:S\npk:HASH sk:RANGE\ngsi1 gsi1pk:HASH gsi1sk:RANGE ALL\nPAY_PER_REQUEST ttl"},
        {"--layout=saga-bus", "PK:S SK:S GSI1PK:S GSI1SK:S GSI2PK:S GSI2SK:S\nPK:HASH SK:RANGE\nGSI1 GSI1PK:HASH GSI1SK:RANGE ALL\n"
                              "GSI2 GSI2PK:HASH GSI2SK:RANGE KEYS_ONLY\nPAY_PER_REQUEST "},
        {"--layout=powertools", "id:S\nid:HASH\nPAY_PER_REQUEST expiration"},
        {"--layout=lock-client", "key:S\nkey:HASH\nPAY_PER_REQUEST "},
        {"--layout=paradoxical-locks", "key:S\nkey:HASH\nPAY_PER_REQUEST "},
        {"--layout=paradoxical-keys", "key:S\nkey:HASH\nPAY_PER_REQUEST "},
        {"--layout=paradoxical-partitioned-keys", "partitionKey:S sortKey:S\npartitionKey:HASH sortKey:RANGE\nPAY_PER_REQUEST "},
    };
    static const char *const formats[] = {"terraform", "cdk", "aws-cli", "json"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[1024];
        local_run run = schema("cloudformation", rows[i].layout, NULL);
        put_resource(run.out, "LatchTable", text, sizeof text);
        assert_string_equal(text, rows[i].text);
        local_forget(&run);
        for (size_t k = 0; k < COUNT_OF(formats); k++) {
            run = schema(formats[k], rows[i].layout, NULL);
            assert_int_equal(run.exit_status, 0);
            bool has_ttl = strstr(run.out, "ttl {") != NULL || strstr(run.out, "timeToLive") != NULL ||
                           strstr(run.out, "update-time-to-live") != NULL || strstr(run.out, "UpdateTimeToLive") != NULL;
            if (has_ttl == (text[strlen(text) - 1] == ' ')) fail_msg("%s: %s", formats[k], run.out);
            local_forget(&run);
        }
        run = local_play((const char *const[]){"table", "schema", "--help", NULL}, NULL, NULL);
        assert_non_null(strstr(run.out, rows[i].layout + strlen("--layout=")));
        local_forget(&run);
    }
    expect(local_play((const char *const[]){"table", "schema", "--layout=toolkit", NULL}, NULL, NULL), 0,
           "TableName: http-client-toolkit\n", NULL);
}

/* Names that YAML takes for something else, or for the end of a value. */
static void odd_names_survive_yaml(void **state) {
    static const char *const names[] = {"yes",    "No",  "null", "1",     "a: b", "#a",  "a #b", "a'b",
                                        "a\"b\\", "{a}", "~",    "Grüße", "-",    "a,b", "*a"};
    char option[64], text[128], want[128];
    latch_yaml y;
    latch_err err;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(option, sizeof option, "--pk=%s", names[i]);
        snprintf(want, sizeof want, "%s:HASH sk:RANGE", names[i]);
        local_run run = schema("cloudformation", option, "--no-indexes");
        assert_int_equal(latch_yaml_parse(&y, "schema", latch_str_of(run.out), &err), LATCH_OK);
        int properties = down(&y, latch_yaml_root(&y), (const char *const[]){"Resources", "LatchTable", "Properties", NULL});
        assert_string_equal(pairs(&y, latch_yaml_get(&y, properties, "KeySchema"), "KeyType", text, sizeof text), want);
        assert_int_equal(latch_yaml_get(&y, properties, "GlobalSecondaryIndexes"), 0);
        latch_yaml_clean_up(&y);
        local_forget(&run);
    }
}

static void json_is_the_requests(void **state) {
    (void)state;
    local_run run = schema("json", "--ttl=it's", NULL);
    yyjson_doc *doc = yyjson_read(run.out, strlen(run.out), 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    assert_non_null(doc);
    assert_string_equal(text_at(root, "/CreateTable/TableName"), "orders");
    assert_string_equal(text_at(root, "/CreateTable/GlobalSecondaryIndexes/1/IndexName"), "gsi2");
    assert_string_equal(text_at(root, "/UpdateTimeToLive/TimeToLiveSpecification/AttributeName"), "it's");
    assert_true(
        yyjson_get_bool(yyjson_ptr_get(root, "/UpdateContinuousBackups/PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled")));
    yyjson_doc_free(doc);
    local_forget(&run);
}

/* A shell runs it, with an `aws` that writes down its arguments, a line each. */
static void the_aws_cli_gets_what_the_api_takes(void **state) {
    static const char shell[] = "aws() { for word; do printf '%s\\n' \"$word\"; done >>words; }\n";
    (void)state;
    local_run run = schema("aws-cli", "--ttl=it's", NULL), requests = schema("json", "--ttl=it's", NULL);
    char *script = malloc(sizeof shell + strlen(run.out));
    assert_non_null(script);
    stpcpy(stpcpy(script, shell), run.out);
    local_write("script", script);
    assert_int_equal(system("sh ./script"), 0);
    char *words = local_read("words", NULL);
    yyjson_doc *doc = yyjson_read(requests.out, strlen(requests.out), 0);
    static const char *const operations[] = {"/CreateTable", "/UpdateTimeToLive", "/UpdateContinuousBackups"};
    for (size_t i = 0; i < COUNT_OF(operations); i++) {
        char *request = yyjson_val_write(yyjson_ptr_get(yyjson_doc_get_root(doc), operations[i]), 0, NULL);
        assert_non_null(request);
        if (strstr(words, request) == NULL) fail_msg("%s is not in\n%s", request, words);
        free(request);
    }
    static const char *const commands[] = {"create-table\n--cli-input-json\n{", "wait\ntable-exists\n--table-name\norders\n",
                                           "update-time-to-live\n--cli-input-json\n{", "update-continuous-backups\n--cli-input-json\n{"};
    const char *at = words;
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        at = strstr(at, commands[i]);
        assert_non_null(at);
    }
    yyjson_doc_free(doc);
    free(words);
    free(script);
    local_forget(&run);
    local_forget(&requests);
}

static const struct {
    const char *format, *option, *has;
} texts[] = {
    {"terraform", "--no-indexes", "resource \"aws_dynamodb_table\" \"latch\" {\n  name         = \"orders\"\n"},
    {"terraform", "--pk=a", "  hash_key     = \"a\"\n  range_key    = \"sk\"\n\n  attribute {\n    name = \"a\"\n    type = \"S\"\n  }\n"},
    {"terraform", "--pk=${a}\"%{", "  hash_key     = \"$${a}\\\"%%{\"\n"},
    {"terraform", "--ttl=b", "  ttl {\n    attribute_name = \"b\"\n    enabled        = true\n  }\n"},
    {"terraform", "--ttl=b", "  global_secondary_index {\n    name            = \"gsi2\"\n    hash_key        = \"gsi2pk\"\n"},
    {"terraform", "--ttl=b", "  point_in_time_recovery {\n    enabled = true\n  }\n"},
    {"terraform", "--ttl=b", "    prevent_destroy = true\n"},
    {"cdk", "--pk=a\"b", "  partitionKey: { name: \"a\\\"b\", type: dynamodb.AttributeType.STRING },\n"},
    {"cdk", "--ttl=b", "  timeToLiveAttribute: \"b\",\n"},
    {"cdk", "--ttl=b",
     "  pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },\n  removalPolicy: RemovalPolicy.RETAIN,\n"},
    {"cdk", "--ttl=b", "table.addGlobalSecondaryIndex({\n  indexName: \"gsi2\",\n  partitionKey: { name: \"gsi2pk\","},
};

static void other_formats_have_all_of_it(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        expect(schema(texts[i].format, texts[i].option, NULL), 0, texts[i].has, NULL);
    for (size_t i = 0; i < 2; i++) {
        local_run run = schema(i == 0 ? "terraform" : "cdk", "--no-indexes", NULL);
        assert_null(strstr(run.out, "gsi"));
        local_forget(&run);
    }
}

/* ── arguments ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static const latch_run_row arguments[] = {
    {{NULL}, 2, NULL, "latch table create [NAME]"},
    {{"--help"}, 0, "latch table create [NAME]", NULL},
    {{"help"}, 0, "latch table create [NAME]", NULL},
    {{"--version"}, 0, "latch 0.", NULL},
    {{"table"}, 2, NULL, "latch table: which command?"},
    {{"table", "--help"}, 0, "latch table create [NAME]", NULL},
    {{"help", "table", "create"}, 0, "latch table create: make the table", NULL},
    {{"table", "create", "--help"}, 0, "latch table create: make the table", NULL},
    {{"table", "describe", "-h"}, 0, "latch table describe: what", NULL},
    {{"table", "delete", "abc", "--help"}, 0, "latch table delete: delete", NULL},
    {{"table", "schema", "--help"}, 0, "latch table schema: what", NULL},
    {{"tables"}, 2, NULL, "unknown command tables: did you mean table?"},
    {{"table", "creat"}, 2, NULL, "latch table: unknown command creat: did you mean create?"},
    {{"table", "drop"}, 2, NULL, "unknown command drop"},
    {{"--versoin"}, 2, NULL, "unknown option --versoin: did you mean --version?"},
    {{"table", "create", "--regoin", "x"}, 2, NULL, "unknown option --regoin: did you mean --region?"},
    {{"table", "create", "a", "b"}, 2, NULL, "takes one name, found a and b"},
    {{"table", "create", "abc", "--", "x"}, 2, NULL, "takes nothing after --"},
    {{"table", "create", "ab"}, 2, NULL, "\"ab\" is no table's name"},
    {{"table", "create", "a/b"}, 2, NULL, "\"a/b\" is no table's name"},
    {{"table", "create", "abc", "--pk", "sk"}, 2, NULL, "sk is two of them"},
    {{"table", "create", "abc", "--ttl", "gsi1pk"}, 2, NULL, "gsi1pk is an attribute of the indexes: name another, or give --no-indexes"},
    {{"table", "schema", "abc", "--pk=gsi2sk"}, 2, NULL, "gsi2sk is an attribute of the indexes"},
    {{"table", "schema", "abc", "--pk=gsi2sk", "--no-indexes"}, 0, "gsi2sk", NULL},
    {{"table", "create", "abc", "--pk", "a\nb"}, 2, NULL, "is no attribute's name"},
    {{"table", "create", "abc", "--pk", "\xff"}, 2, NULL, "is no attribute's name"},
    {{"table", "create", "abc", "--pk", ""}, 2, NULL, "--pk has an empty value"},
    {{"table", "create", "abc", "--wait", "0"}, 2, NULL, "--wait 0: want seconds"},
    {{"table", "create", "abc", "--yes"}, 2, NULL, "unknown option --yes"},
    {{"table", "delete", "--yes"}, 2, NULL, "which table?"},
    {{"table", "schema", "abc", "--format", "xml"}, 2, NULL, "--format xml: want cloudformation, terraform, cdk, aws-cli or json"},
    {{"table", "schema", "abc", "--endpoint", "x"}, 2, NULL, "unknown option --endpoint"},
    {{"table", "schema", "abc", "--layout", "tools"},
     2,
     NULL,
     "--layout tools: want one of latch, toolkit, saga-bus, powertools, lock-client"},
    {{"table", "create", "--layout", "saga-bus"}, 2, NULL, "which table? One of the layout saga-bus is called as its owner says"},
    {{"table", "schema", "abc", "--layout", "powertools", "--sk=id"}, 2, NULL, "id is two of them"},
    {{"table", "schema", "abc", "--layout", "saga-bus", "--ttl=GSI2SK"}, 2, NULL, "GSI2SK is an attribute of the indexes"},
    {{"table", "schema", "abc", "--layout", "lock-client", "--sk=part"}, 0, "{AttributeName: part, KeyType: RANGE}", NULL},
};

static void arguments_are_checked_before_anything_is_asked(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(arguments); i++)
        expect(local_play(arguments[i].words, NULL, NULL), arguments[i].exit_status, arguments[i].out, arguments[i].err);
    static const char *const env[] = {"LATCH_TABLE=a b", NULL};
    expect(local_play((const char *const[]){"table", "schema", NULL}, env, NULL), 2, NULL, "LATCH_TABLE: \"a b\" is no table's name");
    expect(local_play((const char *const[]){"table", "schema", NULL}, NULL, NULL), 0, "TableName: latch\n", NULL);
}

static void output_that_can_not_be_written_is_a_failure(void **state) {
    (void)state;
    assert_int_equal(system(LATCH_TOOL " table schema >/dev/full 2>full"), 256);
    char *err = local_read("full", NULL);
    assert_non_null(strstr(err, "standard output can't be written"));
    free(err);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, latch_run_set_up, latch_run_tear_down)
static const struct CMUnitTest tests[] = {
    ROW(creates_describes_and_deletes),
    ROW(describes_as_json),
    ROW(a_table_that_does_not_fit_is_told),
    ROW(other_attributes_are_created),
    ROW(tables_of_others_are_created),
    ROW(missing_indexes_are_named_and_added),
    ROW(time_to_live_that_is_off_is_named_and_turned_on),
    ROW(the_name_is_latch_tables_where_it_is_not_given),
    ROW(what_can_not_be_reached_is_told),
    ROW(cloudformation_is_the_resource),
    ROW(the_template_has_this_table),
    ROW(layouts_have_their_schemas),
    ROW(odd_names_survive_yaml),
    ROW(json_is_the_requests),
    ROW(the_aws_cli_gets_what_the_api_takes),
    ROW(other_formats_have_all_of_it),
    ROW(arguments_are_checked_before_anything_is_asked),
    ROW(output_that_can_not_be_written_is_a_failure),
};

CHECK_MAIN(tests)
