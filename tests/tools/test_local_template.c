#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "template.h"
#include "tests/check.h"

static latch_template t;
static latch_err err;

static int tear_down(void **state) {
    (void)state;
    latch_template_clean_up(&t);
    return 0;
}

static latch_status parse(const char *text) {
    latch_template_clean_up(&t);
    return latch_template_parse(&t, "t.yaml", latch_str_of(text), "eu-west-1", &err);
}

static void reads_functions_and_globals(void **state) {
    (void)state;
    assert_int_equal(
        parse("Globals:\n  Function: {Timeout: 7, MemorySize: 512, Environment: {Variables: {A: global, B: global}}}\n"
              "Resources:\n"
              "  One:\n    Type: AWS::Serverless::Function\n"
              "    Properties: {Handler: one, Timeout: 9, Environment: {Variables: {B: own, N: 1.50, T: true}}}\n"
              "  Two:\n    Type: AWS::Lambda::Function\n    Properties: {FunctionName: second, FunctionUrlConfig: {AuthType: NONE}}\n"
              "  Table:\n    Type: AWS::DynamoDB::Table\n"),
        LATCH_OK);
    assert_int_equal(t.function_count, 2);
    assert_string_equal(t.functions[0].id, "One");
    assert_string_equal(t.functions[0].name, "One");
    assert_string_equal(t.functions[0].handler, "one");
    assert_int_equal(t.functions[0].timeout_ms, 9000);
    assert_int_equal(t.functions[0].memory_mb, 512);
    assert_string_equal(latch_variables_get(&t.functions[0].variables, "A"), "global");
    assert_string_equal(latch_variables_get(&t.functions[0].variables, "B"), "own");
    assert_string_equal(latch_variables_get(&t.functions[0].variables, "N"), "1.50");
    assert_string_equal(latch_variables_get(&t.functions[0].variables, "T"), "true");
    assert_false(t.functions[0].has_url);
    assert_string_equal(t.functions[1].name, "second");
    assert_string_equal(t.functions[1].handler, "Two");
    assert_int_equal(t.functions[1].timeout_ms, 7000);
    assert_true(t.functions[1].has_url);
}

static void has_lambdas_defaults(void **state) {
    (void)state;
    assert_int_equal(parse("Resources: {F: {Type: 'AWS::Serverless::Function'}}"), LATCH_OK);
    assert_int_equal(t.functions[0].timeout_ms, 3000);
    assert_int_equal(t.functions[0].memory_mb, 128);
    assert_string_equal(t.functions[0].handler, "F");
    assert_int_equal(t.functions[0].variables.count, 0);
}

/* A value of the template, as a variable; NULL: it was left out. */
static const char *value_of(const char *yaml) {
    char text[1024];
    snprintf(
        text, sizeof text,
        "Parameters: {P: {Type: String, Default: default}, Q: {Type: String}}\n"
        "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      Environment:\n        Variables:\n          V: %s\n",
        yaml);
    assert_int_equal(parse(text), LATCH_OK);
    return latch_variables_get(&t.functions[0].variables, "V");
}

static void resolves_what_a_desk_can_know(void **state) {
    static const struct {
        const char *yaml, *value;
    } rows[] = {
        {"plain", "plain"},
        {"'quoted: text'", "quoted: text"},
        {"\"\"", ""},
        {"!Ref P", "default"},
        {"{Ref: P}", "default"},
        {"!Ref Q", NULL},
        {"!Ref Table", NULL},
        {"!Ref AWS::Region", "eu-west-1"},
        {"!Ref AWS::AccountId", "123456789012"},
        {"!Sub 'a-${P}-${AWS::Region}'", "a-default-eu-west-1"},
        {"!Sub '${!P}-${P'", "${P}-${P"},
        {"!Sub 'a-${Table}'", NULL},
        {"!Sub 'a-${Table.Arn}'", NULL},
        {"{'Fn::Sub': '${P}!'}", "default!"},
        {"!GetAtt Table.Arn", NULL},
        {"!If [A, b, c]", NULL},
        {"!ImportValue x", NULL},
        {"[1, 2]", NULL},
        {"{a: b}", NULL},
        {"!Join ['-', [a, b]]", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *value = value_of(rows[i].yaml);
        if (rows[i].value == NULL)
            assert_null(value);
        else
            assert_string_equal(value, rows[i].value);
    }
}

static void reads_routes(void **state) {
    static const struct {
        const char *properties, *method, *path; /* path NULL: $default */
    } rows[] = {
        {"{Path: '/a/{id}', Method: get}", "GET", "/a/{id}"},
        {"{Path: '/{proxy+}', Method: ANY}", "ANY", "/{proxy+}"},
        {"{Path: /a, Method: '*'}", "ANY", "/a"},
        {"{Path: /a}", "ANY", "/a"},
        {"{Path: /a, Method: x-amazon-apigateway-any-method}", "ANY", "/a"},
        {"{}", "ANY", NULL},
        {"{Path: $default}", "ANY", NULL},
    };
    char text[512];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        snprintf(
            text, sizeof text,
            "Resources:\n  Q: {Type: 'AWS::SQS::Queue'}\n  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      Events:\n"
            "        S: {Type: SQS, Properties: {Queue: !GetAtt Q.Arn}}\n        E:\n          Type: HttpApi\n          Properties: %s\n",
            i == 0 ? "{Path: '/a/{id}', Method: get}" : rows[i].properties);
        assert_int_equal(parse(text), LATCH_OK);
        assert_int_equal(t.route_count, 1);
        assert_string_equal(t.routes[0].method, rows[i].method);
        assert_int_equal(t.routes[0].function, 0);
        if (rows[i].path == NULL)
            assert_null(t.routes[0].path);
        else
            assert_string_equal(t.routes[0].path, rows[i].path);
    }
}

static void knows_which_urls_stream(void **state) {
    static const struct {
        const char *config;
        bool streams;
    } rows[] = {
        {"{AuthType: NONE}", false},
        {"{AuthType: NONE, InvokeMode: BUFFERED}", false},
        {"{AuthType: NONE, InvokeMode: RESPONSE_STREAM}", true},
        {"{AuthType: NONE, InvokeMode: !If [A, BUFFERED, RESPONSE_STREAM]}", false}, /* only a deployment knows */
    };
    char text[512];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        snprintf(text, sizeof text, "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      FunctionUrlConfig: %s\n",
                 rows[i].config);
        assert_int_equal(parse(text), LATCH_OK);
        assert_true(t.functions[0].has_url);
        assert_int_equal(t.functions[0].streams, rows[i].streams);
    }
    assert_int_equal(parse("Resources: {F: {Type: 'AWS::Serverless::Function', Properties: {FunctionUrlConfig: {InvokeMode: stream}}}}"),
                     LATCH_E_INPUT);
    assert_non_null(strstr(err.message, "InvokeMode is BUFFERED or RESPONSE_STREAM"));
}

static void takes_the_log_settings(void **state) {
    (void)state;
    assert_int_equal(parse("Globals: {Function: {LoggingConfig: {LogFormat: JSON, ApplicationLogLevel: WARN}}}\n"
                           "Resources: {F: {Type: 'AWS::Serverless::Function'}}"),
                     LATCH_OK);
    assert_string_equal(latch_variables_get(&t.functions[0].variables, "AWS_LAMBDA_LOG_FORMAT"), "JSON");
    assert_string_equal(latch_variables_get(&t.functions[0].variables, "AWS_LAMBDA_LOG_LEVEL"), "WARN");
}

#define FUNCTION "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      "

static void says_where_a_template_is_wrong(void **state) {
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "t.yaml:1:1: there are no Resources"},
        {"just text", "t.yaml:1:1: there are no Resources"},
        {"Resources: 1", "t.yaml:1:12: Resources is no mapping"},
        {"Resources:\n  A: [1\n  B: 2\n", "t.yaml:3:"},
        {"Resources:\n\t- a\n", "t.yaml:2:1: "},
        {"a: 'open", "t.yaml:1:"},
        {"a: *none", "t.yaml:1:4: "},
        {"Resources:\n  Q: {Type: 'AWS::SQS::Queue'}\n", "there is no function among the Resources"},
        {"Resources: {F: text}", "there is no function among the Resources"},
        {FUNCTION "Timeout: soon\n", "t.yaml:5:16: Timeout is \"soon\", want a whole number from 1 to 900"},
        {FUNCTION "Timeout: 901\n", "Timeout is \"901\""},
        {FUNCTION "Timeout: 99999999999999999999\n", "Timeout is \"99999999999999999999\""},
        {FUNCTION "MemorySize: 64\n", "MemorySize is \"64\", want a whole number from 128 to 10240"},
        {FUNCTION "Environment: {Variables: [a]}\n", "t.yaml:5:32: Variables is no mapping"},
        {FUNCTION "Environment: {Variables: {a=b: c}}\n", "this is no name of a variable"},
        {FUNCTION "Events: {E: {Type: HttpApi, Properties: {Path: a}}}\n", "t.yaml:5:54: a path begins with /"},
        {"a: \"\\xff\xff\"", "t.yaml: byte "},
        {"a: {b: &x [*x, *x]}\n", "there are no Resources"},
        {"&a Resources: *a", "t.yaml:1:1: Resources is no mapping"},
        {"Resources: &r\n  F: {Type: 'AWS::Serverless::Function', Properties: &p {Environment: {Variables: *r}, Events: *p}}\n", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_status status = parse(rows[i].text);
        if (rows[i].says == NULL) continue; /* contains itself: it is read, or refused, and ends */
        assert_int_equal(status, LATCH_E_INPUT);
        if (strstr(err.message, rows[i].says) == NULL) fail_msg("row %zu: %s", i, err.message);
    }
}

static void survives_depth_and_size(void **state) {
    static const char *const openings[] = {"[", "{a: ", "- ", "? ", "!Sub ["};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(openings); i++) {
        latch_buffer text = {0};
        latch_buffer_text(&text, "Resources: ");
        for (int n = 0; n < 20000; n++)
            latch_buffer_text(&text, openings[i]);
        assert_int_equal(parse(text.ptr), LATCH_E_INPUT);
        latch_buffer_clean_up(&text);
    }
}

static void survives_any_bytes(void **state) {
    static const char sound[] =
        FUNCTION "Handler: h\n      Timeout: 5\n      Environment: {Variables: {A: !Sub '${AWS::Region}', B: &b text, C: *b}}\n"
                 "      Events:\n        E: {Type: HttpApi, Properties: {Path: /a, Method: GET}}\n";
    char text[sizeof sound];
    uint32_t seed = 88172645;
    size_t refused = 0;
    (void)state;
    for (int i = 0; i < 4000; i++) {
        memcpy(text, sound, sizeof sound);
        for (int n = 0; n < 3; n++) {
            seed ^= seed << 13, seed ^= seed >> 17, seed ^= seed << 5;
            text[seed % (sizeof sound - 1)] = (char)(seed >> 24);
        }
        latch_template_clean_up(&t);
        refused += latch_template_parse(&t, "t.yaml", (latch_str){text, sizeof sound - 1}, "r", &err) != LATCH_OK;
    }
    assert_in_range(refused, 500, 3999);
}

static void reads_the_shops_own(void **state) {
    (void)state;
    assert_int_equal(latch_template_load(&t, LATCH_SOURCE_DIR "/template.yaml", "us-east-1", &err), LATCH_OK);
    assert_true(t.route_count > 0);
    assert_int_not_equal(latch_template_find(&t, "api"), LATCH_NO_FUNCTION);
    latch_template_clean_up(&t);
    assert_int_equal(latch_template_load(&t, "no/such/template.yaml", "us-east-1", &err), LATCH_E_INPUT);
    assert_string_equal(err.message, "no/such/template.yaml can't be read: No such file or directory");
}

#define ROW(test) cmocka_unit_test_teardown(test, tear_down)

// clang-format off
static const struct CMUnitTest tests[] = {
    ROW(reads_functions_and_globals),
    ROW(has_lambdas_defaults),
    ROW(resolves_what_a_desk_can_know),
    ROW(reads_routes),
    ROW(knows_which_urls_stream),
    ROW(takes_the_log_settings),
    ROW(says_where_a_template_is_wrong),
    ROW(survives_depth_and_size),
    ROW(survives_any_bytes),
    ROW(reads_the_shops_own),
};
// clang-format on

CHECK_MAIN(tests)
