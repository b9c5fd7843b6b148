/* latch-local dynamodb, as SDKs meet it: its protocol, its options, its end. What the operations answer is tests/judges' and the engine's. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "local.h"
#include "tests/check.h"

#define SIGNED "Authorization: AWS4-HMAC-SHA256 Credential=any/20260101/any/dynamodb/aws4_request, SignedHeaders=host, Signature=any"
#define TARGET "X-Amz-Target: DynamoDB_20120810."
#define CREATE                                                                                                                             \
    "{\"TableName\":\"things\",\"BillingMode\":\"PAY_PER_REQUEST\",\"AttributeDefinitions\":[{\"AttributeName\":\"id\",\"AttributeType\":" \
    "\"S\"}],\"KeySchema\":[{\"AttributeName\":\"id\",\"KeyType\":\"HASH\"}]}"

static pid_t server;
static unsigned port;

static void start(const char *const *options) {
    const char *words[16] = {"dynamodb", "--port", "0"};
    for (size_t i = 0; options != NULL && options[i] != NULL; i++)
        words[i + 3] = options[i];
    server = local_start(words);
    char *out = local_await("out", "\n");
    assert_non_null(out);
    const char *url = strstr(out, "http://127.0.0.1:");
    assert_non_null(url);
    assert_int_equal(sscanf(url, "http://127.0.0.1:%u", &port), 1);
    free(out);
}

static void stop_by(int signal) {
    kill(server, signal);
    pid_t pid = server;
    server = 0;
    assert_int_equal(local_wait(pid), 0);
    char *err = local_read("err", NULL);
    assert_string_equal(err, ""); /* and what a sanitizer found would be there */
    free(err);
}

static int set_up(void **state) {
    (void)state;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    local_init();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    if (server > 0) stop_by(SIGTERM);
    local_clean_up();
    curl_global_cleanup();
    return 0;
}

/* ── a client ── */

typedef struct answer {
    long status;
    char *body;
    size_t body_bytes, room;
    char headers[4096];
    size_t header_bytes;
} answer;

static size_t keep_body(char *bytes, size_t size, size_t n, void *arg) {
    answer *a = arg;
    size_t len = size * n;
    if (a->body_bytes + len >= a->room) {
        a->room = 2 * (a->body_bytes + len) + 1;
        char *body = realloc(a->body, a->room);
        if (body == NULL) return 0;
        a->body = body;
    }
    memcpy(a->body + a->body_bytes, bytes, len);
    a->body_bytes += len;
    a->body[a->body_bytes] = '\0';
    return len;
}

static size_t keep_header(char *bytes, size_t size, size_t n, void *arg) {
    answer *a = arg;
    if (a->header_bytes + size * n >= sizeof a->headers) return 0;
    memcpy(a->headers + a->header_bytes, bytes, size * n);
    a->header_bytes += size * n;
    return size * n;
}

/* `headers` up to NULL. The body is POSTed where there is one and the method is POST or PUT. */
static void perform(CURL *curl, const char *method, const char *const *headers, const char *body, size_t len, answer *a) {
    char url[64];
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    *a = (answer){0};
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", port);
    for (size_t i = 0; headers[i] != NULL; i++)
        list = curl_slist_append(list, headers[i]);
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 30L);
    if (body != NULL) curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
    if (body != NULL) curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    if (strcmp(method, "HEAD") == 0) curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, a);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, keep_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, a);
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK) fail_msg("%s: %s", method, curl_easy_strerror(code));
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &a->status);
    curl_slist_free_all(list);
}

static void call_bytes(const char *operation, const char *body, size_t len, answer *a) {
    char target[128];
    snprintf(target, sizeof target, TARGET "%s", operation);
    const char *const headers[] = {SIGNED, target, "Content-Type: application/x-amz-json-1.0", NULL};
    CURL *curl = curl_easy_init();
    assert_non_null(curl);
    perform(curl, "POST", headers, body, len, a);
    curl_easy_cleanup(curl);
}

static void call(const char *operation, const char *body, answer *a) { call_bytes(operation, body, strlen(body), a); }

static void check_call(const char *operation, const char *body, long status, const char *part) {
    answer a;
    call(operation, body, &a);
    if (a.status != status || strstr(a.body, part) == NULL)
        fail_msg("%s: %ld %.600s\nwant %ld and %s", operation, a.status, a.body, status, part);
    free(a.body);
}

/* ── the protocol ── */

typedef struct protocol_row {
    const char *method;
    const char *headers[4];
    const char *body;
    long status;
    const char *answer; /* all of it; NULL: none */
} protocol_row;

#define ERROR(name, message) "{\"__type\":\"com.amazonaws.dynamodb.v20120810#" name "\",\"message\":\"" message "\"}"
#define CORAL(name, message) "{\"__type\":\"com.amazon.coral.service#" name "\",\"message\":\"" message "\"}"
#define UNSIGNED                                                                                                                           \
    ERROR("MissingAuthenticationToken", "Request must contain either a valid (registered) AWS access key ID or X.509 certificate.")
#define HEALTHY "healthy: latch-local dynamodb\n"

static void speaks_the_protocol(void **state) {
    (void)state;
    static const protocol_row rows[] = {
        {"GET", {NULL}, NULL, 200, HEALTHY},
        {"HEAD", {NULL}, NULL, 200, NULL},
        {"POST", {SIGNED, TARGET "ListTables"}, "{}", 200, "{\"TableNames\":[]}"},
        {"POST", {"Authorization: whatever", TARGET "ListTables"}, "{}", 200, "{\"TableNames\":[]}"},
        {"POST", {SIGNED, TARGET "ListTables", "Content-Encoding: identity"}, "{}", 200, "{\"TableNames\":[]}"},
        {"POST", {TARGET "ListTables"}, "{}", 400, UNSIGNED},
        {"GET", {TARGET "ListTables"}, NULL, 400, UNSIGNED},
        {"OPTIONS", {NULL}, NULL, 400, UNSIGNED},
        {"PUT", {SIGNED, TARGET "ListTables"}, "{}", 405, ERROR("UnknownOperationException", "DynamoDB's requests are POSTs.")},
        {"POST",
         {SIGNED, TARGET "ListTables", "Content-Encoding: gzip"},
         "\x1f\x8b",
         415,
         ERROR("SerializationException", "Content-Encoding is not taken: send the JSON as it is.")},
        {"POST",
         {SIGNED},
         "{}",
         400,
         ERROR("UnknownOperationException", "X-Amz-Target is missing: DynamoDB's JSON 1.0 protocol is spoken here, and no other.")},
        {"POST",
         {SIGNED, "X-Amz-Target: Other_20120810.ListTables"},
         "{}",
         400,
         ERROR("UnknownOperationException", "X-Amz-Target is none of DynamoDB_20120810's.")},
        {"POST",
         {SIGNED, "X-Amz-Target: DynamoDBStreams_20120810.ListStreams"},
         "{}",
         400,
         ERROR("UnknownOperationException", "latch-local has no streams.")},
        {"POST", {SIGNED, TARGET "NoSuch"}, "{}", 400, CORAL("UnknownOperationException", "An unknown operation was requested.")},
        {"POST", {SIGNED, TARGET}, "{}", 400, CORAL("UnknownOperationException", "An unknown operation was requested.")},
        {"POST",
         {SIGNED, TARGET "DescribeTable"},
         "{\"TableName\":\"nope\"}",
         400,
         ERROR("ResourceNotFoundException", "Cannot do operations on a non-existent table")},
    };
    start(NULL);
    CURL *curl = curl_easy_init();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        answer a;
        const char *headers[5] = {rows[i].headers[0], rows[i].headers[1], rows[i].headers[2], rows[i].headers[3], NULL};
        perform(curl, rows[i].method, headers, rows[i].body, rows[i].body != NULL ? strlen(rows[i].body) : 0, &a);
        const char *want = rows[i].answer != NULL ? rows[i].answer : "", *got = a.body != NULL ? a.body : "";
        if (a.status != rows[i].status || strcmp(got, want) != 0)
            fail_msg("row %zu: %ld %s\nwant %ld %s", i, a.status, got, rows[i].status, want);
        free(a.body);
    }
    curl_easy_cleanup(curl);
}

static void refuses_what_is_no_json(void **state) {
    (void)state;
    static const char *const bodies[] = {"", "{", "[]", "null", "{\"Limit\":\"x\"}", "{\"Limit\":1}x", "{\"TableName\":\"\xff\"}"};
    start(NULL);
    for (size_t i = 0; i < COUNT_OF(bodies); i++)
        check_call("ListTables", bodies[i], 400, "\"__type\":\"com.amazon.coral.service#SerializationException\"");
}

/* The textbook's: a bit at a time. */
static uint32_t crc32_of(const char *bytes, size_t len) {
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned char)bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? 0xEDB88320 : 0);
    }
    return ~crc;
}

static void header_of(const answer *a, const char *name, char out[128]) {
    char line[64];
    snprintf(line, sizeof line, "\r\n%s: ", name);
    const char *at = strstr(a->headers, line);
    if (at == NULL) fail_msg("no %s in %s", name, a->headers);
    at += strlen(line);
    snprintf(out, 128, "%.*s", (int)strcspn(at, "\r"), at);
}

static void sends_awss_headers(void **state) {
    (void)state;
    static const char *const bodies[] = {"{}", "{\"Limit\":0}", "{\"ExclusiveStartTableName\":\"a\"}"};
    char id[128], last_id[128] = "", text[128];
    assert_int_equal(crc32_of("123456789", 9), 0xCBF43926); /* the check value of its catalogue */
    start(NULL);
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        answer a;
        struct tm t = {0};
        unsigned parts[5];
        call("ListTables", bodies[i], &a);
        header_of(&a, "x-amz-crc32", text);
        assert_int_equal(strtoul(text, NULL, 10), crc32_of(a.body, a.body_bytes));
        header_of(&a, "x-amzn-RequestId", id);
        assert_int_equal(sscanf(id, "%8x-%4x-%4x-%4x-%4x", &parts[0], &parts[1], &parts[2], &parts[3], &parts[4]), 5);
        assert_int_equal(strlen(id), 36);
        assert_string_not_equal(id, last_id);
        strcpy(last_id, id);
        header_of(&a, "Content-Type", text);
        assert_string_equal(text, "application/x-amz-json-1.0");
        header_of(&a, "Date", text);
        assert_non_null(strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &t));
        assert_in_range(timegm(&t) + 60, time(NULL), time(NULL) + 120);
        free(a.body);
    }
}

static void takes_16_mb_and_no_more(void **state) {
    (void)state;
    const size_t most = (size_t)16 << 20;
    char *body = malloc(most + 1);
    answer a;
    assert_non_null(body);
    memset(body, ' ', most + 1);
    body[0] = '{', body[1] = '}';
    start(NULL);
    call_bytes("ListTables", body, most, &a);
    assert_int_equal(a.status, 200);
    free(a.body);
    call_bytes("ListTables", body, most + 1, &a);
    assert_int_equal(a.status, 413);
    assert_string_equal(a.body, ERROR("RequestEntityTooLargeException", "The request is over DynamoDB's 16 MB."));
    free(a.body);
    free(body);
    check_call("ListTables", "{}", 200, "TableNames");
}

/* ── connections ── */

static void keeps_a_connection_through_errors(void **state) {
    (void)state;
    static const char *const headers[] = {SIGNED, TARGET "ListTables", NULL};
    long made = 0;
    start(NULL);
    CURL *curl = curl_easy_init();
    for (size_t i = 0; i < 500; i++) {
        answer a;
        long new = 0;
        perform(curl, "POST", headers, i % 2 == 0 ? "{}" : "{\"Limit\":0}", i % 2 == 0 ? 2 : 11, &a);
        assert_int_equal(a.status, i % 2 == 0 ? 200 : 400);
        curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &new);
        made += new;
        free(a.body);
    }
    curl_easy_cleanup(curl);
    assert_int_equal(made, 1);
}

static int dial(void) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval patience = {.tv_sec = 20};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void answers_many_connections(void **state) {
    (void)state;
    enum { COUNT = 400 };
    static const char request[] = "POST / HTTP/1.1\r\nHost: x\r\n" SIGNED "\r\n" TARGET "ListTables\r\nContent-Length: 2\r\n\r\n{}";
    static int fds[COUNT];
    char heard[2048];
    start(NULL);
    for (size_t i = 0; i < COUNT; i++)
        fds[i] = dial();
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(send(fds[i], request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
    for (size_t i = COUNT; i-- > 0;) {
        size_t len = 0;
        ssize_t got = 1;
        heard[0] = '\0';
        while (got > 0 && strstr(heard, "{\"TableNames\":[]}") == NULL && len < sizeof heard - 1) {
            got = recv(fds[i], heard + len, sizeof heard - 1 - len, 0);
            len += got > 0 ? (size_t)got : 0;
            heard[len] = '\0';
        }
        assert_non_null(strstr(heard, "HTTP/1.1 200 OK\r\n"));
        assert_non_null(strstr(heard, "{\"TableNames\":[]}"));
        close(fds[i]);
    }
}

/* What is no HTTP, and who goes away in the middle. */
static void survives_bad_clients(void **state) {
    (void)state;
    static const char *const parts[] = {
        "",
        "\r\n\r\n",
        "GET",
        "NONSENSE\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\n" SIGNED "\r\n" TARGET "ListTables\r\nContent-Length: 100\r\n\r\n{",
        "POST / HTTP/1.1\r\nHost: x\r\n" SIGNED "\r\n" TARGET "ListTables\r\nContent-Length: -1\r\n\r\n{}",
        "POST / HTTP/1.1\r\nHost: x\r\n" SIGNED "\r\n" TARGET "ListTables\r\nContent-Length: 99999999999999999999999\r\n\r\n{}",
        "POST / HTTP/1.1\r\nHost: x\r\n" SIGNED "\r\n" TARGET "ListTables\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\n" SIGNED "\r\n" TARGET "ListTables\r\nContent-Length: 2\r\n\r\n{}", /* and doesn't wait */
    };
    start(NULL);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        int fd = dial();
        size_t len = strlen(parts[i]);
        assert_int_equal(send(fd, parts[i], len, MSG_NOSIGNAL), len);
        close(fd);
    }
    check_call("ListTables", "{}", 200, "{\"TableNames\":[]}");
    static char header[70000];
    int fd = dial();
    memset(header, 'h', sizeof header);
    memcpy(header, "GET / HTTP/1.1\r\nX: ", 19);
    (void)send(fd, header, sizeof header, MSG_NOSIGNAL); /* more than a connection takes */
    close(fd);
    check_call("ListTables", "{}", 200, "{\"TableNames\":[]}");
}

/* ── answers that are large ── */

#define NULLS 190000

/* An item near DynamoDB's bound whose document takes thirty times its size: a list of nulls. */
static char *make_dense(const char *id, size_t *len) {
    static const char element[] = "{\"NULL\":true},";
    char *body = malloc(256 + NULLS * (sizeof element - 1));
    assert_non_null(body);
    *len = (size_t)sprintf(body, "{\"TableName\":\"things\",\"Item\":{\"id\":{\"S\":\"%s\"},\"v\":{\"L\":[", id);
    for (size_t i = 0; i < NULLS; i++, *len += sizeof element - 1)
        memcpy(body + *len, element, sizeof element - 1);
    *len += (size_t)sprintf(body + *len - 1, "]}}}") - 1;
    return body;
}

static void answers_a_batch_of_dense_items(void **state) {
    (void)state;
    enum { COUNT = 9 };
    char keys[1024] = "{\"RequestItems\":{\"things\":{\"Keys\":[", id[8];
    answer a;
    start(NULL);
    check_call("CreateTable", CREATE, 200, "ACTIVE");
    for (int i = 0; i < COUNT; i++) {
        size_t len;
        snprintf(id, sizeof id, "k%d", i);
        char *body = make_dense(id, &len);
        call_bytes("PutItem", body, len, &a);
        assert_int_equal(a.status, 200);
        free(a.body);
        free(body);
        snprintf(keys + strlen(keys), sizeof keys - strlen(keys), "%s{\"id\":{\"S\":\"%s\"}}", i > 0 ? "," : "", id);
    }
    snprintf(keys + strlen(keys), sizeof keys - strlen(keys), "]}}}");
    call("BatchGetItem", keys, &a);
    if (a.status != 200) fail_msg("%ld %.300s", a.status, a.body);
    assert_true(a.body_bytes > (size_t)COUNT * NULLS * 14);
    free(a.body);
    check_call("ListTables", "{}", 200, "{\"TableNames\":[\"things\"]}"); /* and goes on in its usual room */
}

/* ── options ── */

static void lags_where_asked(void **state) {
    (void)state;
    static const char *const options[] = {"--lag-ms", "3600000", NULL};
    start(options);
    check_call("CreateTable", CREATE, 200, "ACTIVE");
    check_call("PutItem", "{\"TableName\":\"things\",\"Item\":{\"id\":{\"S\":\"a\"}}}", 200, "{}");
    check_call("GetItem", "{\"TableName\":\"things\",\"Key\":{\"id\":{\"S\":\"a\"}}}", 200, "{}");
    check_call("GetItem", "{\"TableName\":\"things\",\"Key\":{\"id\":{\"S\":\"a\"}},\"ConsistentRead\":true}", 200, "{\"Item\":");
}

static void creates_the_stores_table(void **state) {
    (void)state;
    static const char *const options[] = {"--table", "shop", NULL};
    start(options);
    check_call("ListTables", "{}", 200, "{\"TableNames\":[\"shop\"]}");
    check_call("DescribeTable", "{\"TableName\":\"shop\"}", 200, "\"IndexName\":\"gsi2\"");
    check_call("DescribeTimeToLive", "{\"TableName\":\"shop\"}", 200, "\"TimeToLiveStatus\":\"ENABLED\",\"AttributeName\":\"ttl\"");
    check_call("PutItem", "{\"TableName\":\"shop\",\"Item\":{\"pk\":{\"S\":\"a\"},\"sk\":{\"S\":\"b\"}}}", 200, "{}");
}

static void stays_under_its_bound(void **state) {
    (void)state;
    static const char *const options[] = {"--max-mb", "1", NULL};
    static char body[350000];
    long status = 200;
    start(options);
    check_call("CreateTable", CREATE, 200, "ACTIVE");
    for (int i = 0; i < 4 && status == 200; i++) {
        answer a;
        int len = sprintf(body, "{\"TableName\":\"things\",\"Item\":{\"id\":{\"S\":\"%d\"},\"v\":{\"S\":\"", i);
        memset(body + len, 'x', 340000);
        sprintf(body + len + 340000, "\"}}}");
        call("PutItem", body, &a);
        status = a.status;
        if (status != 200) assert_non_null(strstr(a.body, "LimitExceededException"));
        if (status != 200) assert_int_equal(i, 3);
        free(a.body);
    }
    assert_int_equal(status, 400);
}

static char *scan_with_seed(const char *seed) {
    const char *const options[] = {"--seed", seed, NULL};
    char body[128];
    answer a;
    start(options);
    check_call("CreateTable", CREATE, 200, "ACTIVE");
    for (int i = 0; i < 20; i++) {
        snprintf(body, sizeof body, "{\"TableName\":\"things\",\"Item\":{\"id\":{\"S\":\"%d\"}}}", i);
        check_call("PutItem", body, 200, "{}");
    }
    call("Scan", "{\"TableName\":\"things\"}", &a);
    stop_by(SIGTERM);
    return a.body;
}

static void scans_in_the_seeds_order(void **state) {
    (void)state;
    char *first = scan_with_seed("7"), *again = scan_with_seed("7"), *other = scan_with_seed("8");
    assert_string_equal(first, again);
    assert_string_not_equal(first, other);
    free(first), free(again), free(other);
}

static void says_where_it_listens(void **state) {
    (void)state;
    static const char *const quiet[] = {"--quiet", NULL};
    char want[128];
    for (int i = 0; i < 2; i++) {
        start(i == 0 ? NULL : quiet);
        check_call("ListTables", "{}", 200, "TableNames");
        snprintf(want, sizeof want, "%shttp://127.0.0.1:%u\n", i == 0 ? "latch-local dynamodb listens on " : "", port);
        stop_by(i == 0 ? SIGINT : SIGTERM);
        char *out = local_read("out", NULL);
        assert_string_equal(out, want);
        free(out);
    }
}

static void logs_requests_where_asked(void **state) {
    (void)state;
    static const char *const verbose[] = {"--verbose", NULL};
    start(verbose);
    check_call("ListTables", "{}", 200, "TableNames");
    check_call("\033[2JGet", "{}", 400, "UnknownOperationException");
    check_call("DescribeTable", "{\"TableName\":\"nope\"}", 400, "ResourceNotFoundException");
    char *out = local_await("out", "non-existent table");
    assert_non_null(out);
    assert_non_null(strstr(out, "  ListTables           200  "));
    assert_non_null(strstr(out, "  2 in  17 out\n"));
    assert_non_null(strstr(out, "  ?[2JGet              400  ")); /* no escape sequence */
    assert_non_null(strstr(out, "  DescribeTable        400  "));
    assert_non_null(strstr(out, "out  {\"__type\":\"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException\""));
    free(out);
}

static void complains(const char *const *words, const char *what) {
    local_run run = local_play(words, NULL, NULL);
    if (run.exit_status != 2 || strstr(run.err, what) == NULL) fail_msg("%d %s\nwant 2 %s", run.exit_status, run.err, what);
    assert_string_equal(run.out, "");
    local_forget(&run);
}

static void complains_about_its_arguments(void **state) {
    (void)state;
    static const struct {
        const char *words[6], *what;
    } rows[] = {
        {{"dynamodb", "--port"}, "--port"},
        {{"dynamodb", "--port", "65536"}, "--port"},
        {{"dynamodb", "--prot", "1"}, "did you mean --port?"},
        {{"dynamodb", "--max-mb", "0"}, "--max-mb"},
        {{"dynamodb", "--lag-ms", "-1"}, "--lag-ms"},
        {{"dynamodb", "--port", "0", "--table", "a b"}, "\"a b\" is no table's name: want 3 to 255 of"},
        {{"dynamodb", "--port", "0", "--host", "localhost"}, "host localhost is no address: give one as 127.0.0.1 or ::1"},
        {{"dynamodb", "things"}, "latch-local dynamodb: things: dynamodb takes options only\nSee: latch-local dynamodb --help\n"},
        {{"dynamodb", "--", "./bootstrap"}, "latch-local dynamodb: --: dynamodb takes options only"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        complains(rows[i].words, rows[i].what);
}

static void complains_about_a_port_in_use(void **state) {
    (void)state;
    char number[8], what[64];
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    snprintf(number, sizeof number, "%u", ntohs(at.sin_port));
    snprintf(what, sizeof what, "can't listen on 127.0.0.1 port %s: Address already in use", number);
    const char *const words[] = {"dynamodb", "--port", number, NULL};
    complains(words, what);
    close(fd);
}

static void explains_itself(void **state) {
    (void)state;
    static const char *const rows[][3] = {{"dynamodb", "--help"}, {"help", "dynamodb"}};
    for (size_t i = 0; i < 2; i++) {
        local_run run = local_play(rows[i], NULL, NULL);
        assert_int_equal(run.exit_status, 0);
        assert_non_null(strstr(run.out, "latch-local dynamodb [OPTION…]"));
        assert_string_equal(run.err, "");
        local_forget(&run);
    }
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
static const struct CMUnitTest tests[] = {
    ROW(speaks_the_protocol),
    ROW(refuses_what_is_no_json),
    ROW(sends_awss_headers),
    ROW(takes_16_mb_and_no_more),
    ROW(keeps_a_connection_through_errors),
    ROW(answers_many_connections),
    ROW(survives_bad_clients),
    ROW(answers_a_batch_of_dense_items),
    ROW(lags_where_asked),
    ROW(creates_the_stores_table),
    ROW(stays_under_its_bound),
    ROW(scans_in_the_seeds_order),
    ROW(says_where_it_listens),
    ROW(logs_requests_where_asked),
    ROW(complains_about_its_arguments),
    ROW(complains_about_a_port_in_use),
    ROW(explains_itself),
};

CHECK_MAIN(tests)
