#include <ctype.h>
#include <elf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "local.h"
#include "tests/check.h"

#define LIMIT 6291556

static const char template[] = "Globals: {Function: {Timeout: 1}}\n"
                               "Resources:\n"
                               "  One: {Type: 'AWS::Serverless::Function', Properties: {Handler: one, MemorySize: 256,\n"
                               "    Environment: {Variables: {FROM_TEMPLATE: yes, TABLE: !Ref Table}}}}\n"
                               "  Two: {Type: 'AWS::Serverless::Function', Properties: {Handler: two, Timeout: 20}}\n";

static int set_up(void **state) {
    (void)state;
    local_init();
    local_write("template.yaml", template);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    local_clean_up();
    return 0;
}

/* An event of function One that has the fake bootstrap do this. */
static void event(const char *name, const char *words) {
    char path[128], text[256];
    snprintf(path, sizeof path, "events/one-%s.json", name);
    snprintf(text, sizeof text, "{\"do\":\"%s\"}", words);
    local_write(path, text);
}

#define PLAY(...) local_play((const char *const[]){"invoke", "--json", __VA_ARGS__, NULL}, NULL, NULL)

static yyjson_doc *answer(const local_run *run, size_t line) {
    const char *text = local_text(run, line, "answer");
    yyjson_doc *doc = yyjson_read(text, strlen(text), YYJSON_READ_NOFLAG);
    if (doc == NULL) fail_msg("line %zu has no answer:\n%s%s", line, run->out, run->err);
    return doc;
}

static int64_t pid_in(const local_run *run, size_t line) {
    yyjson_doc *doc = answer(run, line);
    int64_t pid = yyjson_get_sint(yyjson_obj_get(yyjson_doc_get_root(doc), "pid"));
    yyjson_doc_free(doc);
    return pid;
}

static bool is_ok(const local_run *run, size_t line) { return yyjson_get_bool(yyjson_obj_get(local_line(run, line), "ok")); }

static void keeps_one_warm_process_a_function(void **state) {
    (void)state;
    event("a", "@pid");
    event("b", "@pid");
    local_write("events/two-a.json", "\"@pid\"");
    local_run run = PLAY("--plays", "2", "events", "--", FAKE);
    assert_int_equal(run.exit_status, 0);
    assert_int_equal(run.count, 7);
    static const char *const order[] = {"one-a", "one-b", "two-a", "one-a", "one-b", "two-a"};
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        assert_string_equal(local_text(&run, i, "event"), order[i]);
        assert_int_equal(yyjson_get_sint(yyjson_obj_get(local_line(&run, i), "play")), i < 3 ? 1 : 2);
        assert_int_equal(pid_in(&run, i), pid_in(&run, i % 3 == 2 ? 2 : 0));
        assert_int_equal(yyjson_obj_get(local_line(&run, i), "init_ms") != NULL, i == 0 || i == 2);
    }
    assert_true(pid_in(&run, 0) != pid_in(&run, 2));
    assert_string_equal(local_text(&run, 2, "function"), "Two");
    assert_string_equal(strrchr(run.out, '{'), "{\"events\":6,\"ok\":6}\n");
    local_forget(&run);
}

static void gives_the_headers_of_next(void **state) {
    (void)state;
    event("a", "@headers");
    local_run run = PLAY("one-a", "--", FAKE);
    yyjson_doc *doc = answer(&run, 0);
    yyjson_val *headers = yyjson_doc_get_root(doc);
    const char *id = yyjson_get_str(yyjson_obj_get(headers, "Lambda-Runtime-Aws-Request-Id"));
    const char *trace = yyjson_get_str(yyjson_obj_get(headers, "Lambda-Runtime-Trace-Id"));
    const char *deadline = yyjson_get_str(yyjson_obj_get(headers, "Lambda-Runtime-Deadline-Ms"));
    assert_string_equal(id, local_text(&run, 0, "request_id"));
    assert_int_equal(strlen(id), 36);
    assert_int_equal(strspn(id, "0123456789abcdef-"), 36);
    assert_true(id[14] == '4' && strchr("89ab", id[19]) != NULL);
    unsigned root;
    int at = 0;
    assert_int_equal(sscanf(trace, "Root=1-%8x-%*24[0-9a-f];Parent=%*16[0-9a-f];Sampled=0%n", &root, &at), 1);
    assert_int_equal((size_t)at, strlen(trace));
    double left_s = (double)strtoll(deadline, NULL, 10) / 1000 - (double)time(NULL);
    assert_true(left_s > -20 && left_s < 3);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(headers, "Lambda-Runtime-Invoked-Function-Arn")),
                        "arn:aws:lambda:us-east-1:123456789012:function:One");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(headers, "Content-Type")), "application/json");
    assert_string_equal(local_text(&run, 0, "content_type"), "application/json");
    yyjson_doc_free(doc);
    local_forget(&run);
}

static void gives_lambdas_environment(void **state) {
    static const char *const own[] = {"AWS_SAM_LOCAL=true", "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand", "AWS_REGION=eu-north-1", NULL};
    static const struct {
        const char *name, *value;
    } rows[] = {
        {"_HANDLER", "one"},
        {"AWS_LAMBDA_FUNCTION_NAME", "One"},
        {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"},
        {"FROM_TEMPLATE", "yes"},
        {"TABLE", NULL},
        {"AWS_SAM_LOCAL", NULL},
        {"AWS_REGION", "eu-north-1"},
        {"FROM_FILE", "file"},
        {"FROM_LINE", "line"},
        {"_X_AMZN_TRACE_ID", NULL},
        {"AWS_LAMBDA_INITIALIZATION_TYPE", NULL},
        {"LAMBDA_TASK_ROOT", LATCH_BUILD_DIR "/tests/tools"},
    };
    static const char *const words[] = {"invoke", "--json", "--env-file", "dev.env", "--env", "FROM_LINE=line", "one-a", "--", FAKE, NULL};
    (void)state;
    event("a", "@environment");
    local_write("dev.env", "FROM_FILE=file\nFROM_LINE=file\n");
    local_run run = local_play(words, own, NULL);
    yyjson_doc *doc = answer(&run, 0);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *value = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), rows[i].name));
        if (rows[i].value == NULL)
            assert_null(value);
        else
            assert_string_equal(value, rows[i].value);
    }
    yyjson_doc_free(doc);
    local_forget(&run);
}

/* What becomes of each, and that the event after it is answered: by the same process, or by a fresh one. */
static void tells_what_became_of_each(void **state) {
    static const struct {
        const char *words, *outcome, *error, *note;
        bool same_process;
    } rows[] = {
        {"@answer", "answered", "", "", true},
        {"@fail", "failed", "{\"errorType\":\"CardDeclined\",\"errorMessage\":\"no funds\"}", "", true},
        {"@crash", "exited",
         "{\"errorType\":\"Runtime.ExitError\",\"errorMessage\":\"killed by signal 11 (SIGSEGV, Segmentation fault) during the "
         "invocation\"}",
         "", false},
        {"@exit-3", "exited", "{\"errorType\":\"Runtime.ExitError\",\"errorMessage\":\"exited with status 3 during the invocation\"}", "",
         false},
        {"@reported-crash @crash", "failed", "{\"errorType\":\"CardDeclined\",\"errorMessage\":\"no funds\"}",
         "after that its process ended: killed by signal 11 (SIGSEGV, Segmentation fault)", false},
        {"@hang", "timed_out", "{\"errorType\":\"Sandbox.Timedout\",\"errorMessage\":\"Task timed out after 1.00 seconds\"}", "", false},
        {"@then-leave", "answered", "", "after that its process ended: exited with status 4", false},
        {"@then-stay", "answered", "", "after that its process was killed: it did not ask for the next event before the deadline", false},
        {"@too-large", "response_too_large",
         "{\"errorType\":\"Function.ResponseSizeTooLarge\",\"errorMessage\":\"the response of 6291557 bytes is larger than the 6291556 "
         "that Lambda takes\"}",
         "", true},
        {"@garbage", "answered", "", "", true},
    };
    (void)state;
    event("a", "@pid");
    event("c", "@pid");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        event("b", rows[i].words);
        local_run run = PLAY("events", "--", FAKE);
        bool answered = strcmp(rows[i].outcome, "answered") == 0;
        assert_int_equal(run.exit_status, answered ? 0 : 1);
        assert_string_equal(local_text(&run, 1, "outcome"), rows[i].outcome);
        assert_int_equal(is_ok(&run, 1), answered);
        assert_string_equal(local_text(&run, 1, "error"), rows[i].error);
        assert_string_equal(local_text(&run, 1, "note"), rows[i].note);
        assert_true(is_ok(&run, 2));
        assert_int_equal(pid_in(&run, 0) == pid_in(&run, 2), rows[i].same_process);
        local_forget(&run);
    }
}

static void keeps_answers_as_sent(void **state) {
    (void)state;
    event("a", "@garbage");
    event("b", "@fail");
    local_write("events/one-c.json", " {\"b\" : 1.0e0,\n\"a\":\"\\u00e4\xc3\xa4\"}\n");
    local_run run = PLAY("events", "--", FAKE);
    assert_string_equal(local_text(&run, 0, "answer_base64"), "//57");
    assert_string_equal(local_text(&run, 1, "error_type"), "Function.CardDeclined");
    assert_string_equal(local_text(&run, 2, "answer"), " {\"b\" : 1.0e0,\n\"a\":\"\\u00e4\xc3\xa4\"}\n");
    local_forget(&run);
}

static void tells_what_went_wrong_in_init(void **state) {
    static const struct {
        const char *first, *outcome, *error;
    } rows[] = {
        {"exit-in-init", "init_failed", "{\"errorType\":\"Runtime.ExitError\",\"errorMessage\":\"exited with status 5 during init\"}"},
        {"crash-in-init", "init_failed",
         "{\"errorType\":\"Runtime.ExitError\",\"errorMessage\":\"killed by signal 11 (SIGSEGV, Segmentation fault) during init\"}"},
        {"hang-in-init", "init_timed_out", "{\"errorType\":\"Sandbox.Timedout\",\"errorMessage\":\"Init timed out after 0.20 seconds\"}"},
        {"init-error", "init_failed", "{\"errorType\":\"NoConfig\",\"errorMessage\":\"SHOP is not set\"}"},
    };
    (void)state;
    event("a", "@answer");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        local_run run = PLAY("--plays", "2", "--init-timeout", "0.2", "events", "--", FAKE, rows[i].first);
        assert_int_equal(run.exit_status, 1);
        assert_int_equal(run.count, 3);
        for (size_t play = 0; play < 2; play++) {
            assert_string_equal(local_text(&run, play, "outcome"), rows[i].outcome);
            assert_string_equal(local_text(&run, play, "error"), rows[i].error);
        }
        local_forget(&run);
    }
}

static void refuses_what_the_service_refuses(void **state) {
    (void)state;
    event("a", "@refusals");
    event("b", "@large");
    event("c", "@too-large");
    local_run run = PLAY("events", "--", FAKE);
    assert_string_equal(local_text(&run, 0, "answer"),
                        "{\"unknown_id\":400,\"init_error\":403,\"path\":404,\"method\":405,\"early_next\":200,\"same\":1}");
    assert_non_null(strstr(run.err, "] second answer: 403\n"));
    assert_non_null(strstr(run.err, "] posted 6291556: 202\n"));
    assert_int_equal(strlen(local_text(&run, 1, "answer")), LIMIT);
    assert_non_null(strstr(run.err, "] posted 6291557: 413\n"));
    assert_non_null(strstr(strstr(run.err, "413"), "] then an error: 403\n"));
    local_forget(&run);
}

static void carries_events_up_to_the_limit(void **state) {
    char *bytes = malloc(LIMIT + 1);
    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i <= LIMIT; i++)
        bytes[i] = (char)('a' + i % 23);
    local_write_bytes("events/one-a.json", bytes, LIMIT);
    local_run run = PLAY("one-a", "--", FAKE);
    assert_true(is_ok(&run, 0));
    assert_memory_equal(local_text(&run, 0, "answer"), bytes, LIMIT);
    local_forget(&run);
    local_write_bytes("events/one-a.json", bytes, LIMIT + 1);
    run = PLAY("one-a", "--", FAKE);
    assert_int_equal(run.exit_status, 2);
    assert_non_null(strstr(run.err, "is larger than the 6291556 bytes that Lambda takes"));
    local_forget(&run);
    free(bytes);
}

static void prefixes_each_line_of_the_log(void **state) {
    char prefix[64], wanted[128];
    (void)state;
    event("a", "@log @answer");
    event("b", "@long-line @answer");
    local_run run = PLAY("events", "--", FAKE);
    snprintf(prefix, sizeof prefix, "[One %s] ", local_text(&run, 0, "request_id"));
    snprintf(wanted, sizeof wanted, "%sto standard error, in two pieces\n", prefix);
    assert_non_null(strstr(run.err, wanted));
    snprintf(wanted, sizeof wanted, "%sto standard output\n", prefix);
    assert_non_null(strstr(run.err, wanted));
    snprintf(prefix, sizeof prefix, "[One %s] ", local_text(&run, 1, "request_id"));
    size_t ys = 0, pieces = 0;
    for (const char *at = run.err; *at != '\0'; at++)
        ys += *at == 'y' && strchr("y\n", at[1]) != NULL;
    for (const char *at = run.err; (at = strstr(at, prefix)) != NULL; at++)
        pieces++;
    assert_int_equal(ys, 40000);
    assert_in_range(pieces, 1, 40000 / 4096 + 1); /* as many as it came in */
    local_forget(&run);
}

static void checks_first_and_second_plays(void **state) {
    (void)state;
    event("a", "@pid");
    event("b", "@fail");
    event("c", "@answer");
    local_write("events/expect/one-a.json", "{\"first\":{\"pid\":\"<number>\"},\"second\":{\"pid\":\"none\"}}");
    local_write("events/expect/one-b.json", "{\"first\":{\"error\":{\"errorType\":\"CardDeclined\"}}}");
    local_run run = PLAY("--plays", "2", "events", "--", FAKE);
    assert_int_equal(run.exit_status, 1);
    static const bool ok[] = {true, true, true, false, true, true};
    for (size_t i = 0; i < COUNT_OF(ok); i++)
        assert_int_equal(is_ok(&run, i), ok[i]);
    yyjson_val *mismatch = yyjson_arr_get(yyjson_obj_get(local_line(&run, 3), "mismatches"), 0);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(mismatch, "path")), "pid");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(mismatch, "expected")), "\"none\"");
    local_forget(&run);
    local_write("other/one-c.json", "{\"first\":{\"do\":\"@something\"}}");
    run = PLAY("--expect", "other", "events", "--", FAKE);
    static const bool others_ok[] = {true, false, false};
    for (size_t i = 0; i < COUNT_OF(others_ok); i++)
        assert_int_equal(is_ok(&run, i), others_ok[i]);
    local_forget(&run);
}

static void takes_events_from_everywhere(void **state) {
    static const char *const from_input[] = {"invoke", "--json", "--function", "two", "-", "--", FAKE, NULL};
    static const char *const no_template[] = {"invoke", "--json", "--template", "none.yaml", "-", "--", FAKE, NULL};
    static const struct {
        const char *words[5];
        size_t events;
    } rows[] = {
        {{"one-a"}, 1},
        {{"events/one-a.json"}, 1},
        {{"./events/"}, 2},
        {{"--events", "events"}, 2},
        {{"--events", "events", "one-b"}, 1},
        {{"one-b", "one-a", "one-b"}, 3},
    };
    (void)state;
    event("a", "@answer");
    event("b", "@answer");
    local_write("events/.hidden.json", "1");
    local_write("events/readme.txt", "1");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *words[12] = {"invoke", "--json"};
        size_t n = 2;
        for (size_t w = 0; w < 5 && rows[i].words[w] != NULL; w++)
            words[n++] = rows[i].words[w];
        words[n++] = "--", words[n++] = FAKE, words[n] = NULL;
        local_run run = local_play(words, NULL, NULL);
        assert_int_equal(run.exit_status, 0);
        assert_int_equal(run.count, rows[i].events + 1);
        local_forget(&run);
    }
    local_run run = local_play(from_input, NULL, "{\"in\":\"put\"}");
    assert_string_equal(local_text(&run, 0, "answer"), "{\"in\":\"put\"}");
    assert_string_equal(local_text(&run, 0, "function"), "Two");
    local_forget(&run);
    run = local_play(no_template, NULL, "1");
    assert_int_equal(run.exit_status, 2);
    local_forget(&run);
    remove("template.yaml");
    run = local_play(from_input, NULL, "1");
    assert_string_equal(local_text(&run, 0, "function"), "two");
    assert_int_equal(run.exit_status, 0);
    local_forget(&run);
}

static void says_what_is_wrong_and_what_to_do(void **state) {
    static const struct {
        const char *words[8];
        const char *says;
    } rows[] = {
        {{"invok"}, "latch-local: unknown command invok: did you mean invoke?"},
        {{"--verson"}, "latch-local: unknown option --verson: did you mean --version?"},
        {{"invoke", "--play", "2"}, "latch-local invoke: unknown option --play: did you mean --plays?\nSee: latch-local invoke --help"},
        {{"invoke", "--", FAKE}, "no events: name files or a folder of them before --"},
        {{"invoke", "events"}, "no bootstrap: name it after --"},
        {{"invoke", "events", "--"}, "no bootstrap: name it after --"},
        {{"invoke", "events", FAKE}, "is " FAKE " the bootstrap? Then put -- before it"},
        {{"invoke", "events", "--", "./none"}, "./none: No such file or directory; build it first"},
        {{"invoke", "events", "--", "./text"}, "./text is not executable: chmod +x ./text"},
        {{"invoke", "events", "--", "./events"}, "./events is no file"},
        {{"invoke", "events", "--", "text"}, "text is not in PATH, but here: say ./text"},
        {{"invoke", "none", "--", FAKE}, "event none: there is no such file, nor events/none.json"},
        {{"invoke", "empty", "--", FAKE}, "folder empty has no *.json in it"},
        {{"invoke", "stray.json", "--", FAKE},
         "stray.json: which function is it for? Say --function NAME, or begin its name with a handler's: one, two"},
        {{"invoke", "--function", "three", "events", "--", FAKE},
         "--function three: the template has no such function; its handlers are one, two"},
        {{"invoke", "--template", "bad.yaml", "events", "--", FAKE}, "bad.yaml:3:1: did not find expected node content"},
        {{"invoke", "--expect", "bad", "one-a", "--", FAKE}, "bad/one-a.json: \"first\" is missing"},
        {{"invoke", "--env-file", "none.env", "one-a", "--", FAKE}, "--env-file none.env can't be read"},
        {{"serve", "--port", "70000", "--", FAKE}, "--port 70000: want a whole number from 0 to 65535"},
        {{"serve", "--host", "nowhere", "--template", "routes.yaml", "--", FAKE}, "host nowhere is no address"},
        {{"serve", "--", FAKE}, "the template has no HttpApi event and no FunctionUrlConfig"},
        {{"serve", FAKE}, "is it the bootstrap? Then put -- before it"},
        {{"faults", "--sed", "7"}, "latch-local faults: unknown option --sed"},
        {{"faults", "post-410"}, "latch-local faults: it takes no arguments"},
    };
    (void)state;
    event("a", "@answer");
    local_write("text", "no program");
    local_write("stray.json", "1");
    local_write("empty/readme", "1");
    local_write("bad.yaml", "Resources:\n  - [\n");
    local_write("bad/one-a.json", "{}");
    local_write("routes.yaml", "Resources: {F: {Type: 'AWS::Serverless::Function', Properties: {FunctionUrlConfig: {AuthType: NONE}}}}");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        local_run run = local_play(rows[i].words, NULL, NULL);
        if (run.exit_status != 2 || strstr(run.err, rows[i].says) == NULL) fail_msg("row %zu: %d %s", i, run.exit_status, run.err);
        assert_string_equal(run.out, "");
        local_forget(&run);
    }
    remove("template.yaml");
    local_run run = PLAY("one-a", "--", FAKE);
    assert_non_null(strstr(run.err, "no template.yaml here: give one with --template FILE, or name the one function with --function NAME"));
    local_forget(&run);
}

/* An ELF file's head and nothing else. */
static void write_head(const char *path, unsigned machine) {
    Elf64_Ehdr head = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                       .e_type = ET_EXEC,
                       .e_machine = (Elf64_Half)machine,
                       .e_version = EV_CURRENT,
                       .e_ehsize = sizeof head};
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(&head, sizeof head, 1, file), 1);
    assert_int_equal(fclose(file), 0);
}

#if defined(__aarch64__)
#define HERE EM_AARCH64, "it is built for arm64, as this machine is, but isn't whole"
#define ELSEWHERE                                                                                                                          \
    EM_X86_64, "it is built for x86_64, and this machine is arm64: name build/package/arm64/bootstrap (./dev package arm64), or put "      \
               "qemu-x86_64-static before it"
#else
#define HERE EM_X86_64, "it is built for x86_64, as this machine is, but isn't whole"
#define ELSEWHERE                                                                                                                          \
    EM_AARCH64, "it is built for arm64, and this machine is x86_64: name build/package/x86_64/bootstrap (./dev package x86_64), or put "   \
                "qemu-aarch64-static before it"
#endif

static void cannot_run_what_is_no_program(void **state) {
    static const struct {
        unsigned machine; /* EM_NONE: a text */
        const char *says;
    } rows[] = {{EM_NONE, "it is neither an executable nor a script that begins with #!"},
                {EM_IA_64, "it is built for ELF machine 50, and this machine is "},
                {HERE},
                {ELSEWHERE}};
    (void)state;
    event("a", "@answer");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (rows[i].machine == EM_NONE)
            local_write("wrong", "no program");
        else
            write_head("wrong", rows[i].machine);
        assert_int_equal(chmod("wrong", 0755), 0);
        local_run run = PLAY("one-a", "--", "./wrong");
        assert_int_equal(run.exit_status, 1);
        assert_string_equal(local_text(&run, 0, "outcome"), "not_started");
        const char *error = local_text(&run, 0, "error");
        if (strstr(error, "./wrong can't be run: ") == NULL || strstr(error, rows[i].says) == NULL) fail_msg("row %zu: %s", i, error);
        local_forget(&run);
    }
}

static void helps(void **state) {
    static const struct {
        const char *words[3];
        const char *says;
    } rows[] = {
        {{"--help"}, "latch-local invoke EVENT"},
        {{"help"}, "latch-local serve --port N"},
        {{"faults"}, "  next-past-deadline  "},
        {{"faults", "--help"}, "  post-garbage "},
        {{"faults"}, "\n  post-403              the outcome is refused with 403\n"},
        {{"invoke", "--help"}, "--plays N"},
        {{"invoke", "--nonsense", "-h"}, "--init-timeout S"},
        {{"serve", "--help"}, "--host ADDRESS"},
        {{"help", "serve"}, "--host ADDRESS"},
        {{"--version"}, "latch-local 0."},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *words[4] = {rows[i].words[0], rows[i].words[1], rows[i].words[2], NULL};
        local_run run = local_play(words, NULL, NULL);
        assert_int_equal(run.exit_status, 0);
        assert_non_null(strstr(run.out, rows[i].says));
        for (const char *line = run.out; *line != '\0'; line += strcspn(line, "\n") + 1)
            assert_true(strcspn(line, "\n") <= 130); /* bytes; "…" and "·" are several */
        local_forget(&run);
    }
    local_run run = local_play((const char *const[]){NULL}, NULL, NULL);
    assert_int_equal(run.exit_status, 2);
    assert_non_null(strstr(run.err, "latch-local COMMAND --help"));
    local_forget(&run);
}

static size_t columns_of(const char *line) {
    size_t n = 0;
    for (; *line != '\0' && *line != '\n'; line++)
        n += ((unsigned char)*line & 0xC0) != 0x80;
    return n;
}

static void prints_a_table_as_wide_as_the_terminal(void **state) {
    static const char *const widths[] = {"COLUMNS=80", "COLUMNS=120"};
    static const char *const words[] = {"invoke", "events", "--", FAKE, NULL}, *const full[] = {"invoke", "--full", "events",
                                                                                                "--",     FAKE,     NULL};
    (void)state;
    event("a-name-that-is-longer-than-what-there-is-room-for",
          "@answer, and then a text that is so long that it won't fit into any table at all, however wide");
    event("b", "@environment");
    for (size_t i = 0; i < COUNT_OF(widths); i++) {
        local_run run = local_play(words, (const char *const[]){widths[i], NULL}, NULL);
        assert_int_equal(run.exit_status, 0);
        assert_memory_equal(run.out, "FUNCTION  EVENT ", 16);
        assert_null(strchr(run.out, '\033'));
        size_t lines = 0;
        for (const char *line = run.out; *line != '\0'; line += strcspn(line, "\n") + 1, lines++)
            if (columns_of(line) > strtoul(widths[i] + 8, NULL, 10)) fail_msg("%zu columns: %s", columns_of(line), line);
        assert_int_equal(lines, 5);
        assert_non_null(strstr(run.out, "…\n"));
        assert_non_null(strstr(run.out, "\n2 events, 2 ok\n"));
        local_forget(&run);
    }
    local_run run = local_play(full, NULL, NULL);
    assert_non_null(strstr(run.out, "however wide\"}\n"));
    local_forget(&run);
}

static void shows_under_a_row_what_was_wrong(void **state) {
    static const char *const words[] = {"invoke", "events", "--", FAKE, NULL};
    (void)state;
    event("a", "@answer");
    event("b", "@crash");
    local_write("events/expect/one-a.json", "{\"first\":{\"do\":\"@other\",\"more\":1}}");
    local_run run = local_play(words, NULL, NULL);
    assert_non_null(strstr(run.out, "\n    do: expected \"@other\", found \"@answer\"\n    more: expected 1, found nothing\n"));
    assert_non_null(strstr(run.out, "  crashed  "));
    assert_non_null(strstr(run.out, "\n2 events, 0 ok\n"));
    assert_int_equal(run.exit_status, 1);
    local_forget(&run);
}

/* ── what it started is gone ── */

/* The pid in the first answer of a run that hangs in its second event. */
static pid_t start_and_hang(pid_t *latch_local) {
    static const char *const words[] = {"invoke", "--json", "one-a", "one-b", "--timeout", "60", "--", FAKE, "ignore-sigterm", NULL};
    event("a", "@leave-a-child @pid");
    event("b", "@hang");
    *latch_local = local_start(words);
    char *out = local_await("out", "\\\"pid\\\":");
    assert_non_null(out);
    pid_t pid = (pid_t)strtol(strstr(out, "\\\"pid\\\":") + 8, NULL, 10);
    free(out);
    return pid;
}

static pid_t child_of(pid_t pid) {
    char path[64];
    int child = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *f = fopen(path, "r");
    if (f == NULL) return 0;
    if (fscanf(f, "%d", &child) != 1) child = 0;
    fclose(f);
    return child;
}

static void leaves_nothing_when_it_is_stopped(void **state) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        pid_t latch_local, pid = start_and_hang(&latch_local), child = child_of(pid);
        assert_true(child > 0);
        kill(latch_local, signals[i]);
        assert_int_equal(local_wait(latch_local), 1);
        assert_true(local_is_gone(pid));
        assert_true(local_is_gone(child));
        char *err = local_await("err", "latch-local invoke: stopped by SIG");
        assert_non_null(err);
        free(err);
    }
}

static void leaves_nothing_when_it_is_killed(void **state) {
    (void)state;
    pid_t latch_local, pid = start_and_hang(&latch_local), child = child_of(pid);
    kill(latch_local, SIGKILL);
    assert_int_equal(local_wait(latch_local), -1);
    assert_true(local_is_gone(pid));
    if (child > 0) kill(child, SIGKILL); /* in a session of its own: nobody is left to end it */
}

static void leaves_nothing_at_the_end(void **state) {
    (void)state;
    event("a", "@leave-a-child @pid");
    local_run run = PLAY("one-a", "--", FAKE, "ignore-sigterm");
    assert_int_equal(run.exit_status, 0);
    assert_true(local_is_gone((pid_t)pid_in(&run, 0)));
    local_forget(&run);
}

static void ends_when_nobody_reads_its_table(void **state) {
    (void)state;
    event("a", "@answer");
    FILE *shell = popen(LATCH_LOCAL " invoke --plays 1000000 one-a -- " FAKE " | head -n 2", "r");
    char line[256];
    size_t lines = 0;
    assert_non_null(shell);
    while (fgets(line, sizeof line, shell) != NULL)
        lines++;
    assert_int_equal(pclose(shell), 0); /* sooner than the minutes that so many plays take: ctest's TIMEOUT sees to it */
    assert_int_equal(lines, 2);
}

static void waits_for_a_debugger(void **state) {
    static const char *const words[] = {"invoke", "--json", "--debug", "--timeout", "0.001", "one-a", "--", FAKE, NULL};
    (void)state;
    event("a", "@pid");
    pid_t latch_local = local_start(words);
    char *err = local_await("err", "kill -CONT ");
    assert_non_null(err);
    pid_t pid = (pid_t)strtol(strstr(err, "kill -CONT ") + 11, NULL, 10);
    free(err);
    assert_true(local_reaches(pid, 'T', "fake_bootstrap")); /* it is the function already, and hasn't run an instruction of it */
    kill(pid, SIGCONT);
    assert_int_equal(local_wait(latch_local), 0);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    ROW(keeps_one_warm_process_a_function),
    ROW(gives_the_headers_of_next),
    ROW(gives_lambdas_environment),
    ROW(tells_what_became_of_each),
    ROW(keeps_answers_as_sent),
    ROW(tells_what_went_wrong_in_init),
    ROW(refuses_what_the_service_refuses),
    ROW(carries_events_up_to_the_limit),
    ROW(prefixes_each_line_of_the_log),
    ROW(checks_first_and_second_plays),
    ROW(takes_events_from_everywhere),
    ROW(says_what_is_wrong_and_what_to_do),
    ROW(cannot_run_what_is_no_program),
    ROW(helps),
    ROW(prints_a_table_as_wide_as_the_terminal),
    ROW(shows_under_a_row_what_was_wrong),
    ROW(leaves_nothing_when_it_is_stopped),
    ROW(leaves_nothing_when_it_is_killed),
    ROW(leaves_nothing_at_the_end),
    ROW(ends_when_nobody_reads_its_table),
    ROW(waits_for_a_debugger),
};

CHECK_MAIN(tests)
