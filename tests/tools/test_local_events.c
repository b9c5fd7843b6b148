#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "core/err.h"
#include "environment.h"
#include "events.h"
#include "options.h"
#include "process.h"
#include "report.h"
#include "tests/check.h"

/* ── names ── */

static latch_template functions(const char *const *handlers) {
    latch_template t = {0};
    for (; *handlers != NULL; handlers++)
        latch_template_add_function(&t, *handlers);
    return t;
}

static void finds_the_function_by_the_events_name(void **state) {
    static const char *const three[] = {"api", "api-admin", "orders", NULL}, *const one[] = {"api", NULL};
    static const struct {
        const char *name;
        size_t of_three, of_one;
    } rows[] = {
        {"api", 0, 0},
        {"api-checkout", 0, 0},
        {"api_checkout", 0, 0},
        {"api.v2", 0, 0},
        {"api-admin-list", 1, 0},
        {"api-administrator", 0, 0},
        {"orders-sqs", 2, 0},
        {"apicheckout", LATCH_NO_FUNCTION, 0},
        {"order", LATCH_NO_FUNCTION, 0},
        {"", LATCH_NO_FUNCTION, 0},
    };
    latch_template t3 = functions(three), t1 = functions(one);
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(latch_events_function(&t3, rows[i].name), rows[i].of_three);
        assert_int_equal(latch_events_function(&t1, rows[i].name), rows[i].of_one);
    }
    latch_template_clean_up(&t3);
    latch_template_clean_up(&t1);
}

/* ── options ── */

typedef struct parsed {
    int64_t plays, timeout_ms;
    bool json;
    const char *template_path;
    latch_variables variables;
    latch_arguments args;
    latch_err err;
} parsed;

static latch_status parse(parsed *p, const char *line) {
    static char words[512];
    static char *argv[32];
    int argc = 0;
    snprintf(words, sizeof words, "%s", line);
    for (char *rest = words, *word; (word = strsep(&rest, " ")) != NULL;)
        if (*word != '\0') argv[argc++] = word;
    argv[argc] = NULL;
    *p = (parsed){0};
    const latch_option table[] = {
        {"--plays", LATCH_OPTION_NUMBER, &p->plays, 1, 100},
        {"--timeout", LATCH_OPTION_SECONDS, &p->timeout_ms, 1, 900000},
        {"--json", LATCH_OPTION_FLAG, &p->json, 0, 0},
        {"--template", LATCH_OPTION_TEXT, &p->template_path, 0, 0},
        {"--env", LATCH_OPTION_EACH, &(latch_option_each){latch_environment_add, &p->variables, "NAME=VALUE"}, 0, 0},
    };
    return latch_options_parse(table, COUNT_OF(table), argc, argv, &p->args, &p->err);
}

static void forget(parsed *p) {
    latch_arguments_clean_up(&p->args);
    latch_variables_clean_up(&p->variables);
}

static void parses_options(void **state) {
    parsed p;
    (void)state;
    assert_int_equal(parse(&p, "a.json --plays 2 --json --timeout=0.25 - --template t.yaml --env A=1 --env B= -- ./bootstrap --plays x"),
                     LATCH_OK);
    assert_int_equal(p.plays, 2);
    assert_int_equal(p.timeout_ms, 250);
    assert_true(p.json);
    assert_string_equal(p.template_path, "t.yaml");
    assert_string_equal(latch_variables_get(&p.variables, "A"), "1");
    assert_string_equal(latch_variables_get(&p.variables, "B"), "");
    assert_int_equal(p.args.count, 2);
    assert_string_equal(p.args.items[1], "-");
    assert_string_equal(p.args.program[2], "x");
    forget(&p);
    assert_int_equal(parse(&p, "--wrong --help"), LATCH_OK);
    assert_true(p.args.help);
    forget(&p);
    assert_int_equal(parse(&p, "-- --help"), LATCH_OK);
    assert_false(p.args.help);
    forget(&p);
}

static void says_which_option_is_wrong(void **state) {
    static const struct {
        const char *line, *says;
    } rows[] = {
        {"--play 2", "unknown option --play: did you mean --plays?"},
        {"--temp x", "unknown option --temp: did you mean --template?"},
        {"--josn", "unknown option --josn: did you mean --json?"},
        {"--jsno=1", "unknown option --jsno: did you mean --json?"},
        {"--hlep", "unknown option --hlep: did you mean --help?"},
        {"--quetzalcoatl", "unknown option --quetzalcoatl"},
        {"-x", "unknown option -x"},
        {"--plays", "--plays needs a value"},
        {"--plays -- x", "--plays needs a value"},
        {"--plays two", "--plays two: want a whole number from 1 to 100"},
        {"--plays 0", "--plays 0: want a whole number from 1 to 100"},
        {"--plays 99999999999999999999", "--plays 99999999999999999999: want a whole number from 1 to 100"},
        {"--timeout 1e3", "--timeout 1e3: want seconds from 0.001 to 900"},
        {"--timeout nan", "--timeout nan: want seconds from 0.001 to 900"},
        {"--timeout 901", "--timeout 901: want seconds from 0.001 to 900"},
        {"--json=yes", "--json takes no value"},
        {"--template=", "--template has an empty value"},
        {"--env A", "--env A: want NAME=VALUE"},
        {"--env =1", "--env =1: want NAME=VALUE"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        parsed p;
        assert_int_equal(parse(&p, rows[i].line), LATCH_E_MISUSE);
        assert_string_equal(p.err.message, rows[i].says);
        forget(&p);
    }
}

/* ── the environment ── */

static void makes_lambdas_environment(void **state) {
    char *const own[] = {(char[]){"PATH=/bin"},
                         (char[]){"AWS_SAM_LOCAL=true"},
                         (char[]){"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand"},
                         (char[]){"_X_AMZN_TRACE_ID=Root=1"},
                         (char[]){"AWS_LAMBDA_LOG_LEVEL=DEBUG"},
                         (char[]){"SHELL_WINS=shell"},
                         (char[]){"GIVEN_WINS=shell"},
                         (char[]){"_HANDLER=evil"},
                         NULL};
    latch_template t = {0};
    latch_variables given = {0};
    size_t shop = latch_template_add_function(&t, "shop");
    latch_function *f = &t.functions[shop];
    (void)state;
    latch_variables_set(&f->variables, LATCH_STR("SHELL_WINS"), LATCH_STR("template"));
    latch_variables_set(&f->variables, LATCH_STR("GIVEN_WINS"), LATCH_STR("template"));
    latch_variables_set(&f->variables, LATCH_STR("OWN"), LATCH_STR("template"));
    latch_variables_set(&given, LATCH_STR("GIVEN_WINS"), LATCH_STR("given"));
    latch_environment e = {.function = f, .given = &given, .region = "eu-west-1", .bootstrap = "./bootstrap", .api_port = 1234};
    char **env = latch_environment_make(&e, own);
    static const char *const there[] = {"PATH=/bin",
                                        "AWS_LAMBDA_LOG_LEVEL=DEBUG",
                                        "SHELL_WINS=shell",
                                        "GIVEN_WINS=given",
                                        "OWN=template",
                                        "_HANDLER=shop",
                                        "AWS_LAMBDA_RUNTIME_API=127.0.0.1:1234",
                                        "AWS_LAMBDA_FUNCTION_NAME=shop",
                                        "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
                                        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128",
                                        "AWS_REGION=eu-west-1",
                                        "AWS_DEFAULT_REGION=eu-west-1",
                                        "LAMBDA_TASK_ROOT=.",
                                        "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/shop"};
    static const char *const absent[] = {
        "AWS_SAM_LOCAL=", "AWS_LAMBDA_INITIALIZATION_TYPE=", "_X_AMZN_TRACE_ID=", "AWS_LAMBDA_MAX_CONCURRENCY=", "_HANDLER=evil"};
    for (size_t i = 0; i < COUNT_OF(there); i++) {
        size_t found = 0;
        for (char **at = env; *at != NULL; at++)
            found += strcmp(*at, there[i]) == 0;
        if (found != 1) fail_msg("%s: %zu times", there[i], found);
    }
    for (size_t i = 0; i < COUNT_OF(absent); i++)
        for (char **at = env; *at != NULL; at++)
            assert_int_not_equal(strncmp(*at, absent[i], strlen(absent[i])), 0);
    latch_environment_free(env);
    latch_variables_clean_up(&given);
    latch_template_clean_up(&t);
}

static latch_status read_env(const char *text, latch_variables *out, latch_err *err) {
    char path[64] = "/tmp/latch-env-XXXXXX";
    const char *tmp = getenv("TMPDIR");
    if (tmp != NULL && strlen(tmp) < 30) snprintf(path, sizeof path, "%s/latch-env-XXXXXX", tmp);
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    latch_status status = latch_environment_read(path, out, err);
    remove(path);
    return status;
}

static void reads_env_files(void **state) {
    latch_variables v = {0};
    latch_err err;
    (void)state;
    assert_int_equal(read_env("# shop\n\nA=1\r\n export B = ignored\n", &v, &err), LATCH_E_INPUT);
    assert_non_null(strstr(err.message, ":4: want NAME=VALUE, found \"B = ignored\""));
    latch_variables_clean_up(&v);
    assert_int_equal(read_env("A=1\nexport B=\"two words\"\nC='it''s'\nD=\nE=a=b#c\nA=2", &v, &err), LATCH_OK);
    static const struct { const char *name, *value; } rows[] = {{"A", "2"}, {"B", "two words"}, {"C", "it''s"}, {"D", ""}, {"E", "a=b#c"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_string_equal(latch_variables_get(&v, rows[i].name), rows[i].value);
    latch_variables_clean_up(&v);
    assert_int_equal(latch_environment_read("no/such.env", &v, &err), LATCH_E_INPUT);
    assert_string_equal(err.message, "--env-file no/such.env can't be read: No such file or directory");
}

/* ── what people see ── */

static void shortens_to_columns(void **state) {
    static const struct {
        const char *text;
        size_t columns;
        const char *shown;
    } rows[] = {
        {"abc", 3, "abc"},
        {"abcd", 3, "ab…"},
        {"abcd", 0, "abcd"},
        {"", 3, ""},
        {"a\nb\tc\x1b[31m", 0, "a b c [31m"},
        {"gr\xc3\xb6\xc3\x9f"
         "e",
         5,
         "gr\xc3\xb6\xc3\x9f"
         "e"},
        {"gr\xc3\xb6\xc3\x9f"
         "er",
         5, "gr\xc3\xb6\xc3\x9f…"},
        {"\xe8\x8c\xb6\xe8\x8c\xb6", 4, "\xe8\x8c\xb6\xe8\x8c\xb6"},
        {"\xe8\x8c\xb6\xe8\x8c\xb6", 3, "\xe8\x8c\xb6…"},
        {"a\xff\xc3", 0, "a??"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_buffer shown = {0};
        latch_report_shorten(&shown, latch_str_of(rows[i].text), rows[i].columns);
        assert_string_equal(shown.ptr, rows[i].shown);
        latch_buffer_clean_up(&shown);
    }
}

static void shows_answers_as_people_read_them(void **state) {
    static const struct {
        latch_outcome outcome;
        const char *text, *shown;
    } rows[] = {
        {LATCH_ANSWERED, "{\"statusCode\":201,\"body\":\"{\\\"a\\\":1}\"}", "201 {\"a\":1}"},
        {LATCH_ANSWERED, "{\"statusCode\":204}", "204 "},
        {LATCH_ANSWERED, "{ \"a\" : [ 1 ] }", "{\"a\":[1]}"},
        {LATCH_ANSWERED, "{\"statusCode\":\"201\",\"body\":1}", "{\"statusCode\":\"201\",\"body\":1}"},
        {LATCH_ANSWERED, "no json", "no json"},
        {LATCH_ANSWERED, "", ""},
        {LATCH_FAILED, "{\"errorType\":\"T\",\"errorMessage\":\"m\"}", "T: m"},
        {LATCH_FAILED, "{\"errorMessage\":\"m\"}", "m"},
        {LATCH_FAILED, "{\"errorType\":1}", "{\"errorType\":1}"},
        {LATCH_FAILED, "", "an error without a body"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_invocation inv = {.outcome = rows[i].outcome};
        latch_buffer_text(rows[i].outcome == LATCH_ANSWERED ? &inv.answer : &inv.error, rows[i].text);
        char *shown = latch_report_answer(&inv);
        assert_string_equal(shown, rows[i].shown);
        free(shown);
        latch_invocation_clean_up(&inv);
    }
}

static void keeps_error_types_as_the_service_does(void **state) {
    static const struct {
        const char *header, *kept;
    } rows[] = {
        {NULL, ""},
        {"Function.CardDeclined", "Function.CardDeclined"},
        {"Runtime.Exit_Error", "Runtime.Exit"},
        {"x Function.Abc2", "Function.Abc"},
        {"Function.lower", "Function.Unknown"},
        {"Function.A", "Function.Unknown"},
        {"CardDeclined", "Runtime.Unknown"},
        {"", "Runtime.Unknown"},
    };
    char kept[32], longest[256] = "Function.";
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_api_error_type(rows[i].header, kept, sizeof kept);
        assert_string_equal(kept, rows[i].kept);
    }
    memset(longest + 9, 'A', sizeof longest - 10);
    latch_api_error_type(longest, kept, sizeof kept);
    assert_int_equal(strlen(kept), sizeof kept - 1);
}

static void describes_how_a_process_ended(void **state) {
    static const struct {
        int wait_status;
        const char *says;
    } rows[] = {
        {0, "exited with status 0"},
        {3 << 8, "exited with status 3"},
        {11, "killed by signal 11 (SIGSEGV, Segmentation fault)"},
        {9, "killed by signal 9 (SIGKILL, Killed)"},
        {40, "killed by signal 40 (SIG?, unknown)"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char *says = latch_process_describe(rows[i].wait_status);
        assert_string_equal(says, rows[i].says);
        free(says);
    }
}

#define ROW(test) cmocka_unit_test(test)

static const struct CMUnitTest tests[] = {
    ROW(finds_the_function_by_the_events_name),
    ROW(parses_options),
    ROW(says_which_option_is_wrong),
    ROW(makes_lambdas_environment),
    ROW(reads_env_files),
    ROW(shortens_to_columns),
    ROW(shows_answers_as_people_read_them),
    ROW(keeps_error_types_as_the_service_does),
    ROW(describes_how_a_process_ended),
};

CHECK_MAIN(tests)
