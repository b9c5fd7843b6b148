#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <yyjson.h>

#include "core/log.h"
#include "runtime/invocation.h"
#include "runtime/metrics.h"
#include "tests/check.h"
#include "tests/core/logged.h"

#define LINE_BYTES ((size_t)1 << 20)

static char line[LINE_BYTES];
static latch_invocation invocation;

static int set_up(void **state) {
    (void)state;
    if (logged_open((size_t)1 << 16) != 0) return -1;
    int bytes = (int)LINE_BYTES;
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    logs.format = LATCH_LOG_JSON;
    setenv("AWS_LAMBDA_FUNCTION_NAME", "shop", 1);
    unsetenv("LATCH_METRICS_COLD_START");
    setenv("LATCH_METRICS_NAMESPACE", "Shop", 1);
    if (latch_metrics_open(&r.cx) != LATCH_OK) return -1;
    r.cx.invocation = &invocation;
    latch_metrics_begin(r.cx.metrics);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    latch_metrics_close(r.cx.metrics);
    return logged_close();
}

static size_t next_write(void) { return logged_read(line, sizeof line); }

#define HEAD "{\"_aws\":{\"Timestamp\":1795253400123,\"CloudWatchMetrics\":[{\"Namespace\":\"Shop\",\"Dimensions\":["

#define assert_line(expected)                                                                                                              \
    do {                                                                                                                                   \
        next_write();                                                                                                                      \
        assert_string_equal(line, expected);                                                                                               \
    } while (0)

static void writes_one_line(void **state) {
    (void)state;
    latch_metric(&r.cx, "OrdersPlaced", LATCH_COUNT, 1);
    assert_int_equal(next_write(), 0); /* not before its end */
    latch_metrics_flush(&r.cx);
    assert_line(HEAD "[]],\"Metrics\":[{\"Name\":\"OrdersPlaced\",\"Unit\":\"Count\"}]}]},\"OrdersPlaced\":1,\"requestId\":\"r-1\"}\n");
    latch_metrics_flush(&r.cx);
    assert_int_equal(next_write(), 0);
    latch_metric(&r.cx, "Took", LATCH_MILLISECONDS, 1.5);
    latch_metric(&r.cx, "Took", LATCH_MILLISECONDS, -2);
    latch_metric_high(&r.cx, "Left", LATCH_NO_UNIT, 1e100);
    latch_metrics_flush(&r.cx);
    assert_line(
        HEAD
        "[]],\"Metrics\":[{\"Name\":\"Took\",\"Unit\":\"Milliseconds\"},{\"Name\":\"Left\",\"Unit\":\"None\",\"StorageResolution\":1}]}]},"
        "\"Took\":[1.5,-2],\"Left\":1e100,\"requestId\":\"r-1\"}\n");
}

static void goes_by_dimensions(void **state) {
    (void)state;
    latch_metric_dimension(&r.cx, "Shop", LATCH_STR("berlin \"1\""));
    latch_metric_dimension(&r.cx, "Stage", LATCH_STR("test"));
    latch_metric_dimension(&r.cx, "Stage", LATCH_STR("prod"));
    latch_metric_dimensions(&r.cx, "Till", latch_int(7), "Night", latch_bool(true));
    latch_metric(&r.cx, "N", LATCH_COUNT, 1);
    latch_metrics_flush(&r.cx);
    assert_line(HEAD "[\"Shop\",\"Stage\"],[\"Shop\",\"Stage\",\"Till\",\"Night\"]],\"Metrics\":[{\"Name\":\"N\",\"Unit\":\"Count\"}]}]},"
                     "\"Shop\":\"berlin \\\"1\\\"\",\"Stage\":\"prod\",\"Till\":\"7\",\"Night\":\"true\",\"N\":1,\"requestId\":\"r-1\"}\n");
    latch_metrics_begin(r.cx.metrics); /* another invocation: these were the last one's */
    latch_metric(&r.cx, "N", LATCH_COUNT, 1);
    latch_metrics_flush(&r.cx);
    assert_line(HEAD "[]],\"Metrics\":[{\"Name\":\"N\",\"Unit\":\"Count\"}]}]},\"N\":1,\"requestId\":\"r-1\"}\n");
}

static void keeps_the_dimensions_of_init(void **state) {
    (void)state;
    r.cx.invocation = NULL;
    latch_metric_dimension(&r.cx, "Stage", LATCH_STR("prod"));
    r.cx.invocation = &invocation;
    for (int i = 0; i < 2; i++) {
        latch_metrics_begin(r.cx.metrics);
        if (i == 0) latch_metric_dimension(&r.cx, "Stage", LATCH_STR("once"));
        latch_metric(&r.cx, "N", LATCH_COUNT, 1);
        latch_metrics_flush(&r.cx);
        next_write();
        assert_non_null(strstr(line, i == 0 ? "\"Stage\":\"once\"" : "\"Stage\":\"prod\""));
    }
    latch_metrics *mine = r.cx.metrics, *other = latch_metrics_copy(mine); /* another worker's */
    r.cx.metrics = other;
    latch_metrics_begin(other);
    latch_metric(&r.cx, "N", LATCH_COUNT, 2);
    latch_metrics_flush(&r.cx);
    next_write();
    assert_true(strstr(line, "\"Stage\":\"prod\"") && strstr(line, "\"N\":2"));
    latch_metrics_close(other);
    r.cx.metrics = mine;
    assert_null(latch_metrics_copy(NULL));
}

static size_t lines_written(void) {
    size_t lines = 0;
    while (next_write() > 0)
        lines++;
    return lines;
}

static void goes_out_at_a_hundred(void **state) {
    static char names[101][8];
    (void)state;
    for (int i = 0; i < 100; i++)
        latch_metric(&r.cx, "Same", LATCH_COUNT, (double)i);
    assert_int_equal(lines_written(), 0);
    latch_metric(&r.cx, "Same", LATCH_COUNT, 100);
    next_write();
    assert_non_null(strstr(line, "\"Same\":[0,1,2,"));
    assert_non_null(strstr(line, ",98,99],"));
    latch_metrics_flush(&r.cx);
    next_write();
    assert_non_null(strstr(line, "\"Same\":100,"));
    for (int i = 0; i < 101; i++) {
        snprintf(names[i], sizeof names[i], "m%d", i);
        if (i == 100) assert_int_equal(lines_written(), 0);
        latch_metric_(&r.cx, names[i], LATCH_COUNT, 1, 0);
    }
    next_write();
    assert_true(strstr(line, "\"m99\":1") && !strstr(line, "\"m100\""));
    latch_metrics_flush(&r.cx);
    next_write();
    assert_true(strstr(line, "\"m100\":1") && !strstr(line, "\"m99\""));
}

/* As large as it may be: it fits, and is JSON. */
static void holds_its_bounds(void **state) {
    static char names[100][256], value[1025], dimensions[30][32];
    (void)state;
    memset(value, '"', 1024);
    for (int i = 0; i < 30; i++) {
        snprintf(dimensions[i], sizeof dimensions[i], "dimension-%d", i);
        latch_metric_dimension_(&r.cx, dimensions[i], latch_str_of(value));
    }
    for (int i = 0; i < 100; i++) {
        memset(names[i], '"', 255);
        names[i][0] = (char)('0' + i / 10);
        names[i][1] = (char)('0' + i % 10);
        for (int k = 0; k < 100; k++)
            latch_metric_(&r.cx, names[i], LATCH_GIGABITS_PER_SECOND, -1.2345678901234567e-300, 1);
    }
    assert_int_equal(lines_written(), 0);
    char *whole = NULL;
    size_t len = 0;
    FILE *file = tmpfile();
    assert_non_null(file);
    logs.fd = fileno(file);
    latch_metrics_flush(&r.cx);
    len = (size_t)lseek(fileno(file), 0, SEEK_END);
    whole = malloc(len);
    assert_int_equal(pread(fileno(file), whole, len, 0), (ssize_t)len);
    assert_true(len > 300000 && len < 1000000);
    yyjson_doc *doc = yyjson_read(whole, len, 0);
    assert_non_null(doc);
    assert_int_equal(yyjson_obj_size(yyjson_doc_get_root(doc)), 1 + 30 + 100 + 1);
    yyjson_doc_free(doc);
    free(whole);
    fclose(file);
}

static char long_name[300], long_value[1100];

static void drops_what_cloudwatch_refuses(void **state) {
    static const double zero = 0;
    const struct {
        const char *name;
        latch_unit unit;
        double value;
        const char *why; /* NULL: it is taken */
    } rows[] = {
        {"ok", LATCH_COUNT, 0x1p360, NULL},
        {"ok2", LATCH_COUNT, -0x1p360, NULL},
        {"nan", LATCH_COUNT, zero / zero, "not a number"},
        {"inf", LATCH_COUNT, 1 / zero, "too large"},
        {"-inf", LATCH_COUNT, -1 / zero, "too large"},
        {"large", LATCH_COUNT, 0x1.8p360, "too large"},
        {"", LATCH_COUNT, 1, "is empty"},
        {long_name, LATCH_COUNT, 1, "too long"},
        {long_name + 1, LATCH_COUNT, 1, NULL},
        {"a\nb", LATCH_COUNT, 1, "bytes"},
        {"\xFF", LATCH_COUNT, 1, "bytes"},
        {"_aws", LATCH_COUNT, 1, "own"},
        {"requestId", LATCH_COUNT, 1, "own"},
        {"Shop", LATCH_COUNT, 1, "dimension"},
        {"unit", (latch_unit)27, 1, "unit"},
        {"unit", (latch_unit)-1, 1, "unit"},
        {"ok", LATCH_BYTES, 1, "another unit"},
    };
    (void)state;
    memset(long_name, 'n', 256);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_metrics_begin(r.cx.metrics);
        latch_metric_dimension(&r.cx, "Shop", LATCH_STR("x"));
        latch_metric(&r.cx, "ok", LATCH_COUNT, 5);
        latch_metric_(&r.cx, rows[i].name, rows[i].unit, rows[i].value, 0);
        size_t len = next_write();
        if ((len > 0) != (rows[i].why != NULL)) fail_msg("row %zu: \"%s\"", i, line);
        if (len > 0 && (!strstr(line, rows[i].why) || !strstr(line, "\"level\":\"WARN\""))) fail_msg("row %zu: %s", i, line);
        latch_metrics_flush(&r.cx);
        next_write();
        assert_non_null(strstr(line, rows[i].why == NULL && strcmp(rows[i].name, "ok") == 0 ? "\"ok\":[5," : "\"ok\":5"));
    }
}

static void drops_dimensions_that_are_none(void **state) {
    const struct {
        const char *name, *value, *why;
    } rows[] = {
        {"D", long_value + 1, NULL}, {"D", long_value, "1024"}, {"D", "", "empty"},     {"D", "  ", "empty"},
        {"D", "a\nb", "bytes"},      {"D", "\xFF", "bytes"},    {"", "v", "empty"},     {":D", "v", "':'"},
        {"_aws", "v", "own"},        {"requestId", "v", "own"}, {"N", "v", "a metric"}, {long_name, "v", "too long"},
        {long_name + 6, "v", NULL},  {"D\x01", "v", "bytes"},
    };
    (void)state;
    memset(long_name, 'n', 256);
    memset(long_value, 'v', 1025);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_metrics_begin(r.cx.metrics);
        latch_metric(&r.cx, "N", LATCH_COUNT, 5);
        latch_metric_dimension_(&r.cx, rows[i].name, latch_str_of(rows[i].value));
        size_t len = next_write();
        if ((len > 0) != (rows[i].why != NULL)) fail_msg("row %zu: \"%s\"", i, line);
        if (len > 0 && !strstr(line, rows[i].why)) fail_msg("row %zu: %s", i, line);
        latch_metrics_flush(&r.cx);
        next_write();
        assert_int_equal(strstr(line, "\"Dimensions\":[[]]") != NULL, rows[i].why != NULL);
    }
}

static void bounds_dimensions_sets_and_complaints(void **state) {
    static char names[40][8];
    (void)state;
    for (int i = 0; i < 40; i++) {
        snprintf(names[i], sizeof names[i], "d%d", i);
        latch_metric_dimension_(&r.cx, names[i], LATCH_STR("v"));
    }
    size_t complaints = 0;
    while (next_write() > 0)
        complaints += strstr(line, "30 dimensions") != NULL;
    assert_int_equal(complaints, 10);
    latch_metric_dimension_(&r.cx, "d41", LATCH_STR("v")); /* the 11th is silent */
    assert_int_equal(lines_written(), 0);
    latch_metrics_begin(r.cx.metrics);
    for (int i = 0; i < 9; i++)
        latch_metric_dimensions(&r.cx, "A", latch_int(i), "bad", LATCH_NULL);
    latch_metric(&r.cx, "N", LATCH_COUNT, 1);
    lines_written();
    latch_metrics_flush(&r.cx);
    next_write();
    size_t sets = 0;
    for (const char *at = line; (at = strstr(at, "[\"A\"]")) != NULL; at++)
        sets++;
    assert_int_equal(sets, 8);
    assert_null(strstr(line, "bad"));
}

static void counts_a_cold_start_where_it_is_asked_for(void **state) {
    (void)state;
    latch_metrics_cold_start(&r.cx);
    assert_int_equal(next_write(), 0);
    r.cx.invocation = NULL;
    assert_int_equal(latch_metrics_use(&r.cx, &(latch_metrics_settings){.name_space = "Shop", .cold_start = true}), LATCH_OK);
    latch_metrics_cold_start(&r.cx);
    assert_line(HEAD "[\"FunctionName\"]],\"Metrics\":[{\"Name\":\"ColdStart\",\"Unit\":\"Count\"}]}]},\"ColdStart\":1,"
                     "\"FunctionName\":\"shop\",\"requestId\":\"r-1\"}\n");
}

static void is_off_without_a_namespace(void **state) {
    (void)state;
    latch_metrics_close(r.cx.metrics);
    unsetenv("LATCH_METRICS_NAMESPACE");
    assert_int_equal(latch_metrics_open(&r.cx), LATCH_OK);
    assert_null(r.cx.metrics);
    latch_metric(&r.cx, "N", LATCH_COUNT, 1);
    latch_metric(&r.cx, "", LATCH_COUNT, 1);
    latch_metric_dimension(&r.cx, "D", LATCH_STR("v"));
    latch_metric_dimensions(&r.cx, "D", "v");
    latch_metrics_flush(&r.cx);
    latch_metrics_cold_start(&r.cx);
    latch_metrics_begin(NULL);
    latch_metrics_close(NULL);
    assert_int_equal(next_write(), 0);
    assert_int_equal(latch_metrics_use(&r.cx, &(latch_metrics_settings){.name_space = "Late"}), LATCH_E_MISUSE);
    r.cx.invocation = NULL;
    assert_int_equal(latch_metrics_use(&r.cx, &(latch_metrics_settings){0}), LATCH_E_MISUSE);
    assert_int_equal(latch_metrics_use(&r.cx, &(latch_metrics_settings){.name_space = "Now"}), LATCH_OK);
    latch_metric(&r.cx, "N", LATCH_COUNT, 1);
    latch_metrics_flush(&r.cx);
    next_write();
    assert_non_null(strstr(line, "\"Namespace\":\"Now\""));
}

static void looks_at_the_namespace(void **state) {
    static char longest[257];
    static const char *const good[] = {"a", "Shop/Web_1.2-3#4:x", "a b", longest + 1};
    static const char *const bad[] = {" ", ":a", "AWS/Lambda", "a\"b", "ä", longest};
    (void)state;
    memset(longest, 'n', 256);
    for (size_t i = 0; i < COUNT_OF(good) + COUNT_OF(bad); i++) {
        const char *name = i < COUNT_OF(good) ? good[i] : bad[i - COUNT_OF(good)];
        latch_metrics_close(r.cx.metrics);
        setenv("LATCH_METRICS_NAMESPACE", name, 1);
        latch_status status = latch_metrics_open(&r.cx);
        if ((status == LATCH_OK) != (i < COUNT_OF(good))) fail_msg("%s: %d", name, (int)status);
    }
}

static void names_every_unit(void **state) {
    static const char *const names[] = {"None",
                                        "Count",
                                        "Percent",
                                        "Seconds",
                                        "Milliseconds",
                                        "Microseconds",
                                        "Bytes",
                                        "Kilobytes",
                                        "Megabytes",
                                        "Gigabytes",
                                        "Terabytes",
                                        "Bits",
                                        "Kilobits",
                                        "Megabits",
                                        "Gigabits",
                                        "Terabits",
                                        "Count/Second",
                                        "Bytes/Second",
                                        "Kilobytes/Second",
                                        "Megabytes/Second",
                                        "Gigabytes/Second",
                                        "Terabytes/Second",
                                        "Bits/Second",
                                        "Kilobits/Second",
                                        "Megabits/Second",
                                        "Gigabits/Second",
                                        "Terabits/Second"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_string_equal(latch_unit_name((latch_unit)i), names[i]);
    assert_null(latch_unit_name((latch_unit)COUNT_OF(names)));
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
// clang-format off
static const struct CMUnitTest tests[] = {
    ROW(writes_one_line),
    ROW(goes_by_dimensions),
    ROW(keeps_the_dimensions_of_init),
    ROW(goes_out_at_a_hundred),
    ROW(holds_its_bounds),
    ROW(drops_what_cloudwatch_refuses),
    ROW(drops_dimensions_that_are_none),
    ROW(bounds_dimensions_sets_and_complaints),
    ROW(counts_a_cold_start_where_it_is_asked_for),
    ROW(is_off_without_a_namespace),
    ROW(looks_at_the_namespace),
    ROW(names_every_unit),
};
// clang-format on

CHECK_MAIN(tests)
