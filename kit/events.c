#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/coding.h"
#include "core/err.h"
#include "kit/inside.h"

static void put(latch_text_writer *t, const char *text) { latch_text_put(t, latch_str_of(text)); }

/* {"name":  or ,"name":  and a string that may be anything: what is no UTF-8 can't come in an event. */
static void put_text(latch_text_writer *t, const char *before, latch_str value) {
    put(t, before);
    latch_text_json_lossy(t, value);
}

/* ── as it is ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

const latch_test_outcome *latch_test_event_bytes(latch_test *t, const char *handler, latch_str bytes) {
    latch_text_writer w = latch_kit_begin(t);
    latch_text_put(&w, bytes);
    return latch_kit_run(t, handler, latch_text_end(&w));
}

const latch_test_outcome *latch_test_event(latch_test *t, const char *handler, const char *json) {
    return latch_test_event_bytes(t, handler, latch_str_of(json));
}

static void read_file(latch_text_writer *w, FILE *file) {
    char block[4096];
    size_t n;
    while ((n = fread(block, 1, sizeof block, file)) > 0)
        latch_text_put(w, (latch_str){block, n});
}

const latch_test_outcome *latch_test_file(latch_test *t, const char *handler, const char *path) {
    latch_text_writer w = latch_kit_begin(t);
    FILE *file = fopen(path, "re");
    if (file != NULL) read_file(&w, file);
    bool is_read = file != NULL && !ferror(file);
    int why = errno;
    if (file != NULL) fclose(file);
    if (is_read) return latch_kit_run(t, handler, latch_text_end(&w));
    kit_outcome *outcome = latch_kit_outcome_new(t, false, false, LATCH_STR(""));
    latch_err err;
    outcome->public.status = latch_err_set(&err, LATCH_E_INPUT, "the event's file %s can't be read: %s", path, strerror(why));
    outcome->public.error_message = latch_kit_keep(outcome, latch_str_of(err.message));
    return &outcome->public;
}

/* ── HTTP ───────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct filled { /* with what it leaves open filled in */
    const latch_test_request *of;
    const char *method, *client;
    latch_str path, query, body;
    bool encoded; /* the body is in base64 */
    int64_t now_ms;
} filled;

/* How many of the first `n` names and values have this name. */
static size_t count_header(const latch_test_request *of, size_t n, const char *name) {
    size_t found = 0;
    for (size_t i = 0; i < n && of->headers[i] != NULL; i += 2)
        found += strcasecmp(of->headers[i], name) == 0;
    return found;
}

static void check_headers(const latch_test_request *of) {
    for (size_t i = 0; of->headers[i] != NULL; i += 2) {
        kit_need(i < 2 * (size_t)LATCH_TEST_HEADERS_MAX && of->headers[i + 1] != NULL, "a request's headers come as name and value");
        kit_need(count_header(of, i, of->headers[i]) == 0, "a request has each header once: its values are joined by commas");
    }
}

static filled fill(latch_test *t, const latch_test_request *of) {
    check_headers(of);
    const char *path = of->path != NULL ? of->path : "/", *query = strchr(path, '?');
    filled r = {.of = of,
                .method = of->method != NULL ? of->method
                          : of->body != NULL ? "POST"
                                             : "GET",
                .client = of->client != NULL ? of->client : "192.0.2.1",
                .path = {path, query != NULL ? (size_t)(query - path) : strlen(path)},
                .query = latch_str_of(query != NULL ? query + 1 : ""),
                .body = {of->body, of->body == NULL     ? 0
                                   : of->body_bytes > 0 ? of->body_bytes
                                                        : strlen(of->body)},
                .now_ms = latch_test_now_ms(t)};
    r.encoded = !latch_str_is_utf8(r.body);
    return r;
}

/* A block of the arena would move the text that grows there: what is converted goes through memory of its own. */
static void put_converted(latch_text_writer *w, latch_str text, latch_str (*convert)(latch_arena *arena, latch_str text)) {
    size_t bytes = 2 * text.len + 1024;
    void *memory = malloc(bytes);
    latch_arena arena;
    kit_need(memory != NULL, "there is no memory");
    latch_arena_init(&arena, memory, bytes);
    latch_str converted = convert(&arena, text);
    latch_text_json_lossy(w, converted);
    latch_arena_clean_up(&arena);
    free(memory);
}

static latch_str of_path(latch_arena *arena, latch_str text) { return latch_percent_decode(arena, text, false); }
static latch_str of_query(latch_arena *arena, latch_str text) { return latch_percent_decode(arena, text, true); }

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

static void put_header(latch_text_writer *w, const char *name, const char *value, bool list, bool first, bool lowers) {
    if (!first) latch_text_char(w, ',');
    latch_text_char(w, '"');
    for (; *name != '\0'; name++)
        latch_text_char(w, lowers ? lower(*name) : *name);
    put(w, list ? "\":[" : "\":");
    latch_text_json_lossy(w, latch_str_of(value));
    if (list) latch_text_char(w, ']');
}

static void put_headers(latch_text_writer *w, const filled *r, const char *member, bool list) {
    bool lowers = r->of->form != LATCH_TEST_REST_API;
    put(w, member);
    const char *const own[][2] = {
        {"Host", "api.example.com"}, {"X-Forwarded-For", r->client}, {r->body.len > 0 ? "Content-Type" : NULL, "application/json"}};
    bool first = true;
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (own[i][0] == NULL || count_header(r->of, SIZE_MAX, own[i][0]) > 0) continue;
        put_header(w, own[i][0], own[i][1], list, first, lowers);
        first = false;
    }
    for (size_t i = 0; r->of->headers[i] != NULL; i += 2, first = false)
        put_header(w, r->of->headers[i], r->of->headers[i + 1], list, first, lowers);
    latch_text_char(w, '}');
}

static void put_body(latch_text_writer *w, const filled *r) {
    put(w, ",\"body\":");
    if (r->of->body == NULL) {
        put(w, "null");
    } else if (r->encoded) {
        put_converted(w, r->body, latch_base64_encode);
    } else {
        latch_text_json_lossy(w, r->body);
    }
    put(w, r->encoded ? ",\"isBase64Encoded\":true}" : ",\"isBase64Encoded\":false}");
}

/* HTTP API and function URL, payload format 2.0. */
static void put_v2(latch_text_writer *w, const filled *r) {
    bool url = r->of->form == LATCH_TEST_FUNCTION_URL;
    put(w, "{\"version\":\"2.0\",\"routeKey\":\"$default\",\"rawPath\":");
    if (url) {
        latch_text_json_lossy(w, r->path);
    } else {
        put_converted(w, r->path, of_path);
    }
    put_text(w, ",\"rawQueryString\":", r->query);
    put_headers(w, r, ",\"headers\":{", false);
    put_text(w, ",\"requestContext\":{\"accountId\":\"123456789012\",\"apiId\":\"api-id\",\"domainName\":",
             url ? LATCH_STR("api-id.lambda-url.us-east-1.on.aws") : LATCH_STR("api.example.com"));
    put_text(w, ",\"http\":{\"method\":", latch_str_of(r->method));
    put_text(w, ",\"path\":", r->path);
    put_text(w, ",\"protocol\":\"HTTP/1.1\",\"userAgent\":\"latch_test\",\"sourceIp\":", latch_str_of(r->client));
    put(w, "},\"requestId\":\"request-id\",\"routeKey\":\"$default\",\"stage\":\"$default\",\"timeEpoch\":");
    latch_text_int(w, r->now_ms);
    latch_text_char(w, '}');
    put_body(w, r);
}

/* A REST API decodes the query, a load balancer doesn't. Of a name that comes twice the list has both, the object the last. */
static void put_queries(latch_text_writer *w, const filled *r, bool lists) {
    bool decodes = r->of->form == LATCH_TEST_REST_API;
    put(w, lists ? ",\"multiValueQueryStringParameters\":{" : ",\"queryStringParameters\":{");
    latch_str rest = r->query;
    for (bool first = true; rest.len > 0;) {
        const char *end = memchr(rest.ptr, '&', rest.len);
        size_t len = end != NULL ? (size_t)(end - rest.ptr) : rest.len;
        const char *equals = memchr(rest.ptr, '=', len);
        latch_str name = {rest.ptr, equals != NULL ? (size_t)(equals - rest.ptr) : len}, value = {"", 0};
        if (equals != NULL) value = (latch_str){equals + 1, len - name.len - 1};
        rest = (latch_str){rest.ptr + len + (end != NULL), rest.len - len - (end != NULL)};
        if (len == 0) continue;
        if (!first) latch_text_char(w, ',');
        first = false;
        if (decodes) {
            put_converted(w, name, of_query);
        } else {
            latch_text_json_lossy(w, name);
        }
        put(w, lists ? ":[" : ":");
        if (decodes) {
            put_converted(w, value, of_query);
        } else {
            latch_text_json_lossy(w, value);
        }
        if (lists) latch_text_char(w, ']');
    }
    latch_text_char(w, '}');
}

static void put_rest(latch_text_writer *w, const filled *r) {
    latch_str below = r->path.len > 1 ? (latch_str){r->path.ptr + 1, r->path.len - 1} : LATCH_STR("");
    put(w, "{\"resource\":\"/{proxy+}\"");
    put_text(w, ",\"path\":", r->path);
    put_text(w, ",\"httpMethod\":", latch_str_of(r->method));
    put_headers(w, r, ",\"headers\":{", false);
    put_headers(w, r, ",\"multiValueHeaders\":{", true);
    put_queries(w, r, true);
    put(w, ",\"pathParameters\":{\"proxy\":");
    put_converted(w, below, of_path);
    put_text(w, "},\"requestContext\":{\"accountId\":\"123456789012\",\"apiId\":\"api-id\",\"stage\":\"Prod\",\"httpMethod\":",
             latch_str_of(r->method));
    put_text(w, ",\"path\":", r->path);
    put_text(w, ",\"requestId\":\"request-id\",\"identity\":{\"userAgent\":\"latch_test\",\"sourceIp\":", latch_str_of(r->client));
    put(w, "},\"requestTimeEpoch\":");
    latch_text_int(w, r->now_ms);
    latch_text_char(w, '}');
    put_body(w, r);
}

static void put_balancer(latch_text_writer *w, const filled *r) {
    put(w, "{\"requestContext\":{\"elb\":{\"targetGroupArn\":"
           "\"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/test/0123456789abcdef\"}}");
    put_text(w, ",\"httpMethod\":", latch_str_of(r->method));
    put_text(w, ",\"path\":", r->path);
    put_queries(w, r, false);
    put_headers(w, r, ",\"headers\":{", false);
    put_body(w, r);
}

const latch_test_outcome *latch_test_http(latch_test *t, const char *handler, const latch_test_request *request) {
    latch_text_writer w = latch_kit_begin(t);
    const filled r = fill(t, request);
    switch (request->form) {
    case LATCH_TEST_HTTP_API:
    case LATCH_TEST_FUNCTION_URL:
        put_v2(&w, &r);
        break;
    case LATCH_TEST_REST_API:
        put_rest(&w, &r);
        break;
    case LATCH_TEST_BALANCER:
        put_balancer(&w, &r);
        break;
    }
    return latch_kit_run(t, handler, latch_text_end(&w));
}

/* ── SQS, EventBridge ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static void put_message(latch_text_writer *w, const latch_test_message *m, size_t place, int64_t now_ms) {
    char id[32], times[128];
    snprintf(id, sizeof id, "message-%zu", place + 1);
    snprintf(times, sizeof times, "\",\"SentTimestamp\":\"%" PRId64 "\",\"ApproximateFirstReceiveTimestamp\":\"%" PRId64 "\"", now_ms,
             now_ms);
    put_text(w, "{\"messageId\":", latch_str_of(m->id != NULL ? m->id : id));
    put_text(w, ",\"receiptHandle\":\"handle\",\"body\":", latch_str_of(m->body));
    put(w, ",\"attributes\":{\"SenderId\":\"123456789012\",\"ApproximateReceiveCount\":\"");
    latch_text_int(w, m->receives > 0 ? m->receives : 1);
    put(w, times);
    if (m->group != NULL) put_text(w, ",\"MessageGroupId\":", latch_str_of(m->group));
    put(w, "},\"messageAttributes\":{},\"eventSource\":\"aws:sqs\",\"eventSourceARN\":\"arn:aws:sqs:us-east-1:123456789012:queue");
    put(w, m->group != NULL ? ".fifo\",\"awsRegion\":\"us-east-1\"}" : "\",\"awsRegion\":\"us-east-1\"}");
}

const latch_test_outcome *latch_test_queue(latch_test *t, const char *handler, const latch_test_message *messages, size_t count) {
    latch_text_writer w = latch_kit_begin(t);
    put(&w, "{\"Records\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) latch_text_char(&w, ',');
        put_message(&w, &messages[i], i, latch_test_now_ms(t));
    }
    put(&w, "]}");
    return latch_kit_run(t, handler, latch_text_end(&w));
}

const latch_test_outcome *latch_test_schedule(latch_test *t, const char *handler) {
    latch_text_writer w = latch_kit_begin(t);
    char time[LATCH_TIMESTAMP_BYTES];
    latch_clock_format(latch_test_now_ms(t), time);
    memcpy(time + strlen("2026-01-01T00:00:00"), "Z", 2); /* a schedule's has whole seconds */
    put(&w, "{\"version\":\"0\",\"id\":\"event-id\",\"detail-type\":\"Scheduled Event\",\"source\":\"aws.events\","
            "\"account\":\"123456789012\",\"region\":\"us-east-1\",\"resources\":[\"arn:aws:events:us-east-1:123456789012:rule/test\"],"
            "\"detail\":{}");
    put_text(&w, ",\"time\":", latch_str_of(time));
    latch_text_char(&w, '}');
    return latch_kit_run(t, handler, latch_text_end(&w));
}
