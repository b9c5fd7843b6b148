#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/ctx_private.h"
#include "core/env.h"
#include "core/span.h"
#include "core/usage.h"
#include "runtime/context.h"
#include "runtime/event.h"
#include "runtime/metrics.h"
#include "tests/runtime/crowd.h"
#include "tests/runtime/daemon.h"
#include "tests/runtime/play.h"

#define TRACE "Lambda-Runtime-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1\r\n"

static int daemon_fd;

static int set_up(void **state) {
    static const char *const unset[] = {"LATCH_METRICS_NAMESPACE", "LATCH_METRICS_COLD_START", "LATCH_LOG_REPORT", "LATCH_TRACE",
                                        "AWS_LAMBDA_FUNCTION_NAME"};
    for (size_t i = 0; i < COUNT_OF(unset); i++)
        unsetenv(unset[i]);
    daemon_fd = daemon_open();
    return play_set_up(state);
}

static int tear_down(void **state) {
    close(daemon_fd);
    return play_tear_down(state);
}

static size_t count_of(const char *text) {
    size_t found = 0;
    for (const char *at = play.written; (at = strstr(at, text)) != NULL; at++)
        found++;
    return found;
}

#define assert_written(n, text)                                                                                                            \
    do {                                                                                                                                   \
        if (count_of(text) != (n)) fail_msg("%zu times, not %d: %s\n%s", count_of(text), (n), (text), play.written);                       \
    } while (0)

static latch_status shop(latch_ctx *cx, latch_event *event) {
    latch_span span = latch_span_begin(cx, "price", LATCH_STR("sku-1"));
    latch_clock_sleep_ms(&cx->clock, 25);
    latch_span_end(cx, span, LATCH_OK);
    cx->usage->requests = 3;
    cx->usage->retries = 1;
    cx->usage->read_milli_units = 1500;
    cx->usage->request_us = 2500;
    latch_metric(cx, "OrdersPlaced", LATCH_COUNT, 1);
    if (latch_tenant_id(cx).len > 0) return latch_fail(cx, "NoSuchTenant", "no such tenant");
    return latch_event_reply_bytes(event, latch_event_bytes(event));
}

static const server_step script[] = {
    {.event = "{}", .headers = "Lambda-Runtime-Aws-Request-Id: r-1\r\n" TRACE STAGE_DEADLINE},
    {.answer = ACCEPTED},
    {.event = "{}", .headers = "Lambda-Runtime-Aws-Request-Id: r-2\r\nLambda-Runtime-Aws-Tenant-Id: blue\r\n" TRACE STAGE_DEADLINE},
    {.answer = ACCEPTED},
};

static void tells_nothing_unless_asked_to(void **state) {
    char datagram[8];
    (void)state;
    PLAY(&play, (latch_handler){.event = shop}, script);
    assert_written(0, "_aws");
    assert_written(0, "\"message\":\"invocation\"");
    assert_written(1, "\"requestId\":\"r-2\",\"tenantId\":\"blue\",\"message\":\"invocation failed\"");
    assert_true(recv(daemon_fd, datagram, sizeof datagram, MSG_DONTWAIT) < 0);
}

static void reports_each_invocation(void **state) {
    (void)state;
    setenv("LATCH_LOG_REPORT", "1", 1);
    PLAY(&play, (latch_handler){.event = shop}, script);
    assert_written(
        1, "\"requestId\":\"r-1\",\"message\":\"invocation\",\"handler_ms\":25.0,\"status\":\"OK\",\"cold_start\":true,\"requests\":3,"
           "\"retries\":1,\"throttled\":0,\"read_units\":1.5,\"write_units\":0.0,\"dynamodb_ms\":2.5,\"waited_ms\":0.0,"
           "\"arena_peak_bytes\":");
    assert_written(1, "\"tenantId\":\"blue\",\"message\":\"invocation\",\"handler_ms\":25.0,\"status\":\"Handler\",\"cold_start\":false,");
}

static latch_status init_counts(latch_ctx *cx) {
    latch_metric_dimension(cx, "Stage", LATCH_STR("test"));
    latch_metric(cx, "Started", LATCH_COUNT, 1);
    return LATCH_OK;
}

static void counts_by_invocation(void **state) {
    (void)state;
    setenv("LATCH_METRICS_NAMESPACE", "Shop", 1);
    setenv("LATCH_METRICS_COLD_START", "1", 1);
    setenv("AWS_LAMBDA_FUNCTION_NAME", "orders", 1);
    PLAY(&play, ((latch_handler){.event = shop, .init = init_counts}), script);
    assert_written(4, "\"_aws\":");
    assert_written(1, "\"Stage\":\"test\",\"Started\":1}\n");
    assert_written(1, "\"Stage\":\"test\",\"OrdersPlaced\":1,\"requestId\":\"r-1\"}\n");
    assert_written(1, "\"Stage\":\"test\",\"OrdersPlaced\":1,\"requestId\":\"r-2\"}\n");
    assert_written(1, "\"ColdStart\":1,\"FunctionName\":\"orders\",\"requestId\":\"r-1\"}\n");
}

static void a_switch_is_off_by_these_words(void **state) {
    static const struct {
        const char *text;
        bool on;
    } rows[] = {{"", false},    {"0", false}, {"false", false}, {"False", false}, {"off", false},
                {"OFF", false}, {"1", true},  {"true", true},   {"on", true},     {"yes", true}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        setenv("LATCH_METRICS_COLD_START", rows[i].text, 1);
        if (latch_env_is_on("LATCH_METRICS_COLD_START") != rows[i].on)
            fail_msg("\"%s\" is taken for %s", rows[i].text, rows[i].on ? "off" : "on");
    }
    unsetenv("LATCH_METRICS_COLD_START");
    assert_false(latch_env_is_on("LATCH_METRICS_COLD_START"));
    setenv("LATCH_METRICS_NAMESPACE", "Shop", 1);
    setenv("LATCH_METRICS_COLD_START", "off", 1);
    setenv("LATCH_LOG_REPORT", "Off", 1);
    PLAY(&play, ((latch_handler){.event = shop, .init = init_counts}), script);
    assert_written(0, "ColdStart");
    assert_written(0, "handler_ms");
}

static void fails_init_where_the_namespace_is_none(void **state) {
    static const server_step refused[] = {{.answer = ACCEPTED}};
    (void)state;
    setenv("LATCH_METRICS_NAMESPACE", "AWS/Mine", 1);
    PLAY(&play, (latch_handler){.event = shop}, refused);
    assert_int_equal(play.exit_status, 1);
    assert_string_equal(server_line(&play.server.requests[0]), INIT_ERROR_LINE);
    assert_written(1, "the namespace \\\"AWS/Mine\\\" is none");
}

/* Both in one document: the handler, and in it what it named. */
static void sends_a_trace(void **state) {
    char datagram[4000];
    (void)state;
    setenv("LATCH_TRACE", "xray", 1);
    PLAY(&play, (latch_handler){.event = shop}, script);
    for (int i = 0; i < 2; i++) {
        ssize_t n = recv(daemon_fd, datagram, sizeof datagram - 1, MSG_DONTWAIT);
        assert_true(n > 0);
        datagram[n] = '\0';
        assert_non_null(strstr(datagram, "\"name\":\"## h\""));
        assert_non_null(strstr(datagram, "\"subsegments\":[{\"id\":\""));
        assert_non_null(strstr(datagram, "\"name\":\"price\""));
        assert_int_equal(strstr(datagram, "\"type\":\"NoSuchTenant\"") != NULL, i == 1);
    }
    assert_true(recv(daemon_fd, datagram, sizeof datagram, MSG_DONTWAIT) < 0);
}

static void leaves_records_below_the_level_out(void **state) {
    (void)state;
    setenv("LATCH_LOG_REPORT", "1", 1);
    play.log.least = LATCH_WARN;
    PLAY(&play, (latch_handler){.event = shop}, script);
    assert_written(0, "\"message\":\"invocation\"");
    assert_written(1, "\"message\":\"invocation failed\"");
}

/* ── several workers ─────────────────────────────────────────────────────────────────────────────────────────────── */

#define WORKERS 4
#define EVENTS 40

/* The provider of managed instances: what came over each connection. It asserts nothing. */
typedef struct provider {
    int fd;
    char path[108];
    struct {
        int fd;
        size_t len;
        char text[65536];
    } lines[2 * WORKERS];
    size_t count;
} provider;

static provider provided;

static void *provide(void *arg) {
    provider *p = arg;
    for (int fd; p->count < 2 * WORKERS && (fd = accept(p->fd, NULL, NULL)) >= 0;)
        p->lines[p->count++].fd = fd; /* the kernel keeps what is written meanwhile */
    return NULL;
}

static void read_lines(provider *p) {
    for (size_t i = 0; i < p->count; i++) {
        for (ssize_t n; (n = read(p->lines[i].fd, p->lines[i].text + p->lines[i].len, sizeof p->lines[i].text - 1 - p->lines[i].len)) > 0;)
            p->lines[i].len += (size_t)n;
        close(p->lines[i].fd);
    }
}

static latch_status tell(latch_ctx *cx, latch_event *event) {
    latch_info(cx, "told");
    latch_metric(cx, "Told", LATCH_COUNT, 1);
    return latch_event_reply_bytes(event, latch_event_bytes(event));
}

static size_t count_in(const char *text, const char *what) {
    size_t found = 0;
    for (; (text = strstr(text, what)) != NULL; text++)
        found++;
    return found;
}

/* Each invocation's record and metrics, over the connection of the worker that had it; one cold start in all. */
static void each_worker_has_a_line_of_its_own(void **state) {
    static crowd service;
    char folder[80];
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const latch_handler handler = {.name = "h", .event = tell};
    latch_loop_options options = {.handlers = &handler, .count = 1, .clock = latch_clock_system(), .log = &play.log};
    const char *base = getenv("TMPDIR");
    pthread_t thread;
    size_t told = 0, counted = 0, cold = 0;
    (void)state;
    memset(&provided, 0, sizeof provided);
    snprintf(folder, sizeof folder, "%s/latch-XXXXXX", base != NULL && strlen(base) < 60 ? base : "/tmp");
    assert_non_null(mkdtemp(folder));
    snprintf(provided.path, sizeof provided.path, "%s/log", folder);
    memcpy(at.sun_path, provided.path, sizeof at.sun_path);
    provided.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(provided.fd, (struct sockaddr *)&at, sizeof at) | listen(provided.fd, 16), 0);
    assert_int_equal(pthread_create(&thread, NULL, provide, &provided), 0);
    service = (crowd){.count = EVENTS};
    crowd_start(&service);
    setenv("AWS_LAMBDA_RUNTIME_API", service.address, 1);
    setenv("AWS_LAMBDA_MAX_CONCURRENCY", "4", 1);
    setenv("LATCH_METRICS_NAMESPACE", "Shop", 1);
    setenv("LATCH_METRICS_COLD_START", "1", 1);
    play.log.provider = provided.path;
    int exit_status = latch_loop_run(&options);
    unsetenv("AWS_LAMBDA_MAX_CONCURRENCY");
    crowd_stop(&service);
    crowd_forget(&service);
    shutdown(provided.fd, SHUT_RDWR); /* ends its accept */
    pthread_join(thread, NULL);
    close(provided.fd);
    unlink(provided.path);
    rmdir(folder);
    read_lines(&provided);
    assert_int_equal(exit_status, 0);
    assert_int_equal(provided.count, WORKERS);
    for (size_t i = 0; i < provided.count; i++) {
        const char *text = provided.lines[i].text;
        told += count_in(text, "\"message\":\"told\"");
        counted += count_in(text, "\"Told\":1");
        cold += count_in(text, "\"ColdStart\":1");
        assert_int_equal(count_in(text, "\"message\":\"told\""), count_in(text, "\"Told\":1"));
        assert_int_equal(count_in(text, "\n"), count_in(text, "\"requestId\":\"r-"));
    }
    assert_true(told == EVENTS && counted == EVENTS && cold == 1);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
// clang-format off
static const struct CMUnitTest tests[] = {
    ROW(tells_nothing_unless_asked_to),
    ROW(reports_each_invocation),
    ROW(counts_by_invocation), ROW(a_switch_is_off_by_these_words),
    ROW(fails_init_where_the_namespace_is_none),
    ROW(sends_a_trace),
    ROW(leaves_records_below_the_level_out),
    ROW(each_worker_has_a_line_of_its_own),
};
// clang-format on

CHECK_MAIN(tests)
