#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/ctx_private.h"
#include "tests/check.h"
#include "tests/runtime/daemon.h"
#include "tests/runtime/stage.h"

static server service;

static int set_up(void **state) {
    (void)state;
    memset(&service, 0, sizeof service);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    server_forget(&service);
    return 0;
}

static char said[16384]; /* by the child, on both */
static int64_t gone_at_ms;

static int64_t now_ms(void) {
    const latch_clock clock = latch_clock_system();
    return latch_clock_wall_ms(&clock);
}

/* Plays the script to the child; its wait status. */
static int run_child(const char *path, const char *handler, const server_step *steps, size_t count) {
    int status = 0, out = memfd_create("said", MFD_CLOEXEC);
    assert_true(out >= 0);
    server_start(&service, steps, count);
    pid_t child = fork();
    if (child == 0) {
        dup2(out, STDOUT_FILENO);
        dup2(out, STDERR_FILENO);
        setenv("AWS_LAMBDA_RUNTIME_API", service.address, 1);
        setenv("_HANDLER", handler, 1);
        unsetenv("LATCH_ARENA_MB");
        setenv("ASAN_OPTIONS",
               "handle_segv=0:handle_abort=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:allow_user_segv_handler=1:detect_leaks=0", 1);
        execl(path, path, (char *)NULL);
        _exit(127);
    }
    waitpid(child, &status, 0);
    gone_at_ms = now_ms();
    server_stop(&service);
    ssize_t len = pread(out, said, sizeof said - 1, 0);
    said[len > 0 ? len : 0] = '\0';
    close(out);
    return status;
}

/* A debug and an optimised one, the latter without frame pointers. */
static const char *const children[] = {CRASH_CHILD, CRASH_CHILD_O2, CRASH_CHILD_BARE};

static void reports_each_signal_with_a_stack_trace(void **state) {
    static const struct {
        const char *way;
        int signal;
        const char *message, *frames[3];
    } rows[] = {
        {"segv", SIGSEGV, "SIGSEGV at address 0x0 in the handler crash", {"write_nowhere+0x", "crash_as_asked+0x", "latch_event_run+0x"}},
        {"jump", SIGSEGV, "SIGSEGV at address 0x0 in the handler crash", {"call_nowhere+0x", NULL, NULL}},
        {"fpe", SIGFPE, "SIGFPE in the handler crash", {"divide_by_zero+0x", "crash_as_asked+0x", NULL}},
        {"ill", SIGILL, "SIGILL in the handler crash", {"run_into_nonsense+0x", "crash_as_asked+0x", NULL}},
        {"trap", SIGTRAP, "SIGTRAP in the handler crash", {"trap+0x", "crash_as_asked+0x", NULL}},
        {"sys", SIGSYS, "SIGSYS in the handler crash", {"call_what_is_forbidden+0x", "crash_as_asked+0x", NULL}},
        {"abort", SIGABRT, "SIGABRT in the handler crash", {"give_up+0x", "crash_as_asked+0x", NULL}},
        {"bus", SIGBUS, "SIGBUS at address 0x", {"read_past_a_file+0x", "crash_as_asked+0x", NULL}},
        {"stack", SIGSEGV, "SIGSEGV at address 0x", {"recurse_for_ever+0x", NULL, NULL}},
        {"library",
         SIGSEGV,
         "SIGSEGV at address 0x8 in the handler crash",
         {"curl_easy_setopt+0x", "mislead_a_library+0x", "crash_as_asked+0x"}},
        {"thread", SIGSEGV, "SIGSEGV at address 0x0 in the handler crash", {"write_nowhere+0x", "crash_in_a_thread+0x", NULL}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (size_t k = 0; k < COUNT_OF(children); k++) {
            const server_step script[] = {
                {.event = rows[i].way, .headers = "Lambda-Runtime-Aws-Request-Id: r/1\r\nLambda-Runtime-Invocation-Id: i-7\r\n"}};
            int status = run_child(children[k], "crash", script, 1);
            const server_request *report = &service.requests[1];
            if (!WIFSIGNALED(status) || WTERMSIG(status) != rows[i].signal)
                fail_msg("%s %s: wait status %x", rows[i].way, children[k], (unsigned)status);
            assert_int_equal(service.count, 2);
            assert_int_equal(report->connection, 2); /* not libcurl's */
            assert_string_equal(server_line(report), ERROR_LINE("r%2F1"));
            assert_string_equal(server_header(report, "Lambda-Runtime-Function-Error-Type"), "Function.Crash");
            assert_string_equal(server_header(report, "Lambda-Runtime-Invocation-Id"), "i-7");
            assert_int_equal(strncmp(server_header(report, "User-Agent"), "latch/", 6), 0);
            if (strstr(report->body, rows[i].message) == NULL) fail_msg("%s: %s", rows[i].way, report->body);
            for (size_t f = 0; f < COUNT_OF(rows[i].frames) && rows[i].frames[f] != NULL; f++) {
                if (strstr(report->body, rows[i].frames[f]) == NULL)
                    fail_msg("%s %s: no %s in %s", rows[i].way, children[k], rows[i].frames[f], report->body);
            }
            server_forget(&service);
            memset(&service, 0, sizeof service);
        }
    }
}

/* However many a program has: libcurl alone brings more than thirty along. */
static void names_the_library_that_was_loaded_last(void **state) {
    static const server_step script[] = {{.event = "last_library"}};
    static const char begins[] = "{\"errorMessage\":\"SIGTRAP in the handler crash\",\"errorType\":\"Crash\",\"stackTrace\":[\"";
    (void)state;
    int status = run_child(CRASH_CHILD, "crash", script, 1);
    const char *report = service.requests[1].body;
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGTRAP) fail_msg("wait status %x: %s", (unsigned)status, said);
    if (strncmp(report, begins, strlen(begins)) != 0) fail_msg("%s", report);
    size_t len = strcspn(report + strlen(begins), "\"");
    if (report[strlen(begins)] == '?' || memmem(report + strlen(begins), len, ".so", 3) == NULL) fail_msg("%s", report);
}

/* One report, whole, of whichever thread came first: the others neither send their own nor end the process under it. */
static void reports_once_where_several_threads_crash(void **state) {
    static const server_step script[] = {{.event = "threads"}};
    (void)state;
    for (int run = 0; run < 12; run++) {
        int status = run_child(children[run % 2], "crash", script, 1);
        const server_request *report = &service.requests[1];
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
        if (service.count != 2) fail_msg("run %d: %zu requests", run, (size_t)service.count);
        assert_string_equal(server_line(report), ERROR_LINE("r-1"));
        size_t len = strlen(report->body);
        if (len < 3 || strcmp(report->body + len - 3, "\"]}") != 0) fail_msg("run %d: cut: %s", run, report->body);
        static const char begins[] = "{\"errorMessage\":\"SIGSEGV at address 0x0 in the handler crash\"";
        assert_int_equal(strncmp(report->body, begins, strlen(begins)), 0);
        if (strstr(report->body, "\"write_nowhere+0x") == NULL || strstr(report->body, "\"crash_together+0x") == NULL)
            fail_msg("run %d: %s", run, report->body);
        server_forget(&service);
        memset(&service, 0, sizeof service);
    }
}

/* The report is JSON, its cause too, and both name the function. */
static void writes_a_report_that_can_be_read(void **state) {
    static _Alignas(16) char memory[1 << 17];
    static const server_step script[] = {{.event = "segv"}};
    latch_arena arena;
    latch_json body, cause, trace;
    latch_str message, type, first, label;
    (void)state;
    latch_arena_init(&arena, memory, sizeof memory);
    latch_ctx cx = {.arena = &arena, .deadline_at_ms = INT64_MAX};
    run_child(CRASH_CHILD_O2, "crash", script, 1);
    assert_int_equal(latch_parse(&cx, "body", latch_str_of(service.requests[1].body), &body), LATCH_OK);
    assert_int_equal(latch_read(body, "errorMessage", &message, "errorType", &type, "stackTrace", &trace, "stackTrace[0]", &first),
                     LATCH_OK);
    assert_true(latch_str_eq(type, LATCH_STR("Crash")));
    assert_in_range(latch_count(trace), 3, 40);
    assert_int_equal(strncmp(first.ptr, "write_nowhere+0x", 16), 0);
    assert_non_null(strstr(first.ptr, " (bootstrap+0x"));
    const char *header = server_header(&service.requests[1], "Lambda-Runtime-Function-XRay-Error-Cause");
    assert_int_equal(latch_parse(&cx, "cause", latch_str_of(header), &cause), LATCH_OK);
    assert_int_equal(
        latch_read(cause, "exceptions[0].message", &message, "exceptions[0].type", &type, "exceptions[0].stack[0].label", &label),
        LATCH_OK);
    assert_true(latch_str_eq(label, LATCH_STR("write_nowhere")));
    latch_arena_clean_up(&arena);
}

/* The path of a request up to its last part, and what stands in the head behind `name`. */
static void note_where(const server_request *request, char *path, size_t cap, size_t *id_bytes) {
    const char *line = server_line(request), *last = strrchr(line, '/');
    const char *id = request->head != NULL ? strstr(request->head, "\r\nLambda-Runtime-Invocation-Id: ") : NULL;
    snprintf(path, cap, "%.*s", last != NULL ? (int)(last - line) : 0, line);
    *id_bytes = id != NULL ? strcspn(id + 32, "\r") : 0;
}

/* Whatever the ids are, it goes where an answer would have gone, with all that goes back. */
static void goes_where_an_answer_would(void **state) {
    static const struct {
        char with; /* of what the request id is made */
        size_t request_bytes, invocation_bytes;
    } rows[] = {{'x', 36, 0},    {'/', 341, 0},  {'/', 342, 0},   {'/', 1000, 36}, {'x', 1024, 36},
                {'x', 1500, 36}, {'/', 1025, 0}, {'x', 36, 8000}, {'x', 36, 15000}};
    static const char *const ways[] = {"none", "segv", "stack"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char paths[COUNT_OF(ways)][4096], headers[20480];
        size_t bytes[COUNT_OF(ways)];
        int n = snprintf(headers, sizeof headers, "Lambda-Runtime-Aws-Request-Id: ");
        memset(headers + n, rows[i].with, rows[i].request_bytes);
        n += (int)rows[i].request_bytes;
        if (rows[i].invocation_bytes > 0) n += snprintf(headers + n, sizeof headers - (size_t)n, "\r\nLambda-Runtime-Invocation-Id: ");
        memset(headers + n, 'i', rows[i].invocation_bytes);
        snprintf(headers + (size_t)n + rows[i].invocation_bytes, 3, "\r\n");
        for (size_t k = 0; k < COUNT_OF(ways); k++) {
            const server_step script[] = {{.event = ways[k], .headers = headers}};
            run_child(CRASH_CHILD, "crash", script, 1);
            if (service.count != (k == 0 ? 3 : 2)) fail_msg("row %zu, %s: %zu requests: %s", i, ways[k], (size_t)service.count, said);
            note_where(&service.requests[1], paths[k], sizeof paths[k], &bytes[k]);
            assert_string_equal(paths[k], paths[0]);
            assert_int_equal(bytes[k], rows[i].invocation_bytes);
            server_forget(&service);
            memset(&service, 0, sizeof service);
        }
    }
}

/* As any record in JSON: what isn't there has no name. */
static void logs_whose_it_is(void **state) {
    static const struct {
        const char *handler, *headers, *says;
    } rows[] = {
        {"crash", "Lambda-Runtime-Aws-Request-Id: r-1\r\nLambda-Runtime-Aws-Tenant-Id: blue\r\n",
         "\"level\":\"FATAL\",\"requestId\":\"r-1\",\"tenantId\":\"blue\",\"message\":\"the handler has ended the "
         "process\",\"errorMessage\":"},
        {"crash", "Lambda-Runtime-Aws-Request-Id: r-1\r\n",
         "\"level\":\"FATAL\",\"requestId\":\"r-1\",\"message\":\"the handler has ended the process\",\"errorMessage\":"},
        {"init", NULL, "\"level\":\"FATAL\",\"message\":\"the handler has ended the process\",\"errorMessage\":"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const server_step script[] = {{.event = "segv", .headers = rows[i].headers}};
        run_child(CRASH_CHILD, rows[i].handler, script, rows[i].headers != NULL ? 1 : 0);
        if (strstr(said, rows[i].says) == NULL) fail_msg("row %zu: %s", i, said);
        server_forget(&service);
        memset(&service, 0, sizeof service);
    }
}

#define ROOT "5759e988-bd862e3fe1be46a994272793"

static void assert_told(const char *document, const char *way, const char *type, const char *says) {
    const char *const parts[] = {"\"name\":\"## crash\"",
                                 "\"trace_id\":\"1-" ROOT "\",\"parent_id\":\"53995c3f42cd8ad8\"",
                                 "\"fault\":true,\"cause\":",
                                 type,
                                 says,
                                 strcmp(way, "wait") == 0 ? "\"name\":\"price\"" : ""};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (strstr(document, parts[i]) == NULL) fail_msg("%s: no %s in %s", way, parts[i], document);
    }
    assert_non_null(strstr(said, "\"ColdStart\":1"));
    assert_null(strstr(strstr(said, "\"Tried\":1") + 1, "\"Tried\":1"));
}

/* What was counted, once, and a trace with the error: of whatever ends there, and on whatever thread but another's, on which it may be half said. */
static void tells_its_metrics_and_its_trace(void **state) {
    static const struct {
        const char *way, *type, *says;
        bool own_thread;
    } rows[] = {
        {"segv", "Crash", "SIGSEGV at address 0x0 in the handler crash", true},
        {"exit3", "Exit", "exit(3) was called in the handler crash", true},
        {"wait", "DeadlineExceeded", "it waits for price sku-7, for ", true},
        {"thread_exit", "Exit", "pthread_exit() or its like was called in the handler crash", true},
        {"thread", "Crash", "SIGSEGV at address 0x0 in the handler crash", false},
        {"exit_thread", "Exit", "exit(4) was called in the handler crash", false},
    };
    static char document[65536];
    (void)state;
    int daemon = daemon_open();
    setenv("LATCH_METRICS_NAMESPACE", "Crashes", 1);
    setenv("LATCH_METRICS_COLD_START", "1", 1);
    setenv("LATCH_TRACE", "xray", 1);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char headers[512];
        snprintf(headers, sizeof headers,
                 REQUEST_1 "Lambda-Runtime-Deadline-Ms: %lld\r\nLambda-Runtime-Trace-Id: Root=1-" ROOT
                           ";Parent=53995c3f42cd8ad8;Sampled=1\r\n",
                 (long long)now_ms() + 2000);
        const server_step script[] = {{.event = rows[i].way, .headers = headers}};
        run_child(CRASH_CHILD, "crash", script, 1);
        ssize_t len = recv(daemon, document, sizeof document - 1, MSG_DONTWAIT);
        const char *counted = strstr(said, "\"Tried\":1,\"requestId\":\"r-1\"}\n");
        document[len > 0 ? len : 0] = '\0';
        if ((counted != NULL) != rows[i].own_thread || (len > 0) != rows[i].own_thread)
            fail_msg("%s: %zd bytes of a trace, %s", rows[i].way, len, said);
        if (rows[i].own_thread) assert_told(document, rows[i].way, rows[i].type, rows[i].says);
        server_forget(&service);
        memset(&service, 0, sizeof service);
    }
    close(daemon);
    unsetenv("LATCH_METRICS_NAMESPACE");
    unsetenv("LATCH_METRICS_COLD_START");
    unsetenv("LATCH_TRACE");
    unsetenv("AWS_XRAY_DAEMON_ADDRESS");
}

static void reports_a_crash_of_init_as_an_init_error(void **state) {
    int status = run_child(CRASH_CHILD, "init", NULL, 0);
    (void)state;
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    assert_int_equal(service.count, 1);
    assert_string_equal(server_line(&service.requests[0]), INIT_ERROR_LINE);
    assert_non_null(strstr(service.requests[0].body, "in the init of the handler init"));
    assert_non_null(strstr(service.requests[0].body, "crash_in_init+0x"));
}

/* Nobody's invocation has failed, and nobody is told; but the log says what the process died of. */
static void logs_what_ends_it_between_two_invocations(void **state) {
    static const struct {
        const char *way, *says;
        int signal, status;
    } rows[] = {
        {"crash_apart", "\"errorMessage\":\"SIGSEGV at address 0x0 in a thread that runs no invocation\"", SIGSEGV, 0},
        {"exit_apart", "\"errorMessage\":\"exit(4) was called in the handler crash\"", 0, 4},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const server_step script[] = {{.event = rows[i].way}, {.answer = ACCEPTED}, {.stall = HOLDS}};
        int status = run_child(CRASH_CHILD, "crash", script, 3);
        bool as_it_would = rows[i].signal != 0 ? WIFSIGNALED(status) && WTERMSIG(status) == rows[i].signal
                                               : WIFEXITED(status) && WEXITSTATUS(status) == rows[i].status;
        if (!as_it_would) fail_msg("%s: wait status %x: %s", rows[i].way, (unsigned)status, said);
        assert_int_equal(service.count, 3);
        assert_string_equal(server_line(&service.requests[1]), RESPONSE_LINE("r-1"));
        if (strstr(said, rows[i].says) == NULL) fail_msg("%s: %s", rows[i].way, said);
        server_forget(&service);
        memset(&service, 0, sizeof service);
    }
}

static void leaves_the_crash_of_a_child_to_the_child(void **state) {
    static const server_step script[] = {{.event = "child"}};
    int status = run_child(CRASH_CHILD, "crash", script, 1);
    (void)state;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(service.count, 3);
    assert_string_equal(server_line(&service.requests[1]), RESPONSE_LINE("r-1"));
    assert_string_equal(service.requests[1].body, "\"alive\"");
}

/* A child that comes back from the handler answers nothing and asks for nothing. */
static void a_child_that_returns_from_the_handler_ends(void **state) {
    static const server_step script[] = {{.event = "both_return"}};
    int status = run_child(CRASH_CHILD, "crash", script, 1);
    (void)state;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (service.count != 3) fail_msg("%zu requests: %s", (size_t)service.count, said);
    assert_string_equal(server_line(&service.requests[1]), RESPONSE_LINE("r-1"));
    assert_non_null(strstr(said, "a child process that the handler has forked came back from it"));
}

/* The watchdog's timer goes off while the report of a crash waits for its answer: it still waits. */
static void a_report_hears_its_answer_across_a_signal(void **state) {
    int64_t from_ms = now_ms();
    char headers[128];
    (void)state;
    snprintf(headers, sizeof headers, REQUEST_1 "Lambda-Runtime-Deadline-Ms: %lld\r\n", (long long)(from_ms + 1100));
    const server_step script[] = {{.event = "segv", .headers = headers}, {.answer = ACCEPTED, .pause_ms = 980}};
    int status = run_child(CRASH_CHILD, "crash", script, 2);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    if (gone_at_ms - from_ms < 980) fail_msg("it was gone after %lld ms", (long long)(gone_at_ms - from_ms));
}

/* A service that doesn't answer the report doesn't keep the process alive. */
static void dies_even_if_the_report_is_not_taken(void **state) {
    static const server_way ways[] = {CUTS, CUTS_UNREAD};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        const server_step script[] = {{.event = "segv"}, {.way = ways[i]}};
        int status = run_child(CRASH_CHILD, "crash", script, 2);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
        assert_int_equal(service.count, 2);
        server_forget(&service);
        memset(&service, 0, sizeof service);
    }
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    ROW(reports_each_signal_with_a_stack_trace),
    ROW(names_the_library_that_was_loaded_last),
    ROW(reports_once_where_several_threads_crash),
    ROW(writes_a_report_that_can_be_read),
    ROW(goes_where_an_answer_would),
    ROW(logs_whose_it_is),
    ROW(tells_its_metrics_and_its_trace),
    ROW(reports_a_crash_of_init_as_an_init_error),
    ROW(logs_what_ends_it_between_two_invocations),
    ROW(leaves_the_crash_of_a_child_to_the_child),
    ROW(a_child_that_returns_from_the_handler_ends),
    ROW(a_report_hears_its_answer_across_a_signal),
    ROW(dies_even_if_the_report_is_not_taken),
};

CHECK_MAIN(tests)
