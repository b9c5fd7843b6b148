/*
 * fake_bootstrap - a function's process for latch-local's own tests: the Runtime API on raw sockets, doing what each event says.
 *
 * The event's text holds one or more of the words below, each behind an @. argv[1] is what it does before its first /next.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

extern char **environ;

#define LIMIT 6291556

static char event[16 * 1024 * 1024];
static size_t event_bytes;
static char request_id[64], head[16384];

static int dial(void) {
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API"), *colon = api != NULL ? strchr(api, ':') : NULL;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (colon == NULL) exit(90);
    at.sin_port = htons((unsigned short)strtoul(colon + 1, NULL, 10));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0) exit(91);
    return fd;
}

static void send_all(int fd, const char *bytes, size_t len) {
    for (size_t sent = 0; sent < len;) {
        ssize_t n = send(fd, bytes + sent, len - sent, MSG_NOSIGNAL);
        if (n <= 0) exit(92);
        sent += (size_t)n;
    }
}

/* Reads a whole answer: its head into `head`, its body into `event`. Its status. */
static int read_answer(int fd) {
    size_t have = 0;
    char *end = NULL;
    while (end == NULL) {
        ssize_t n = recv(fd, head + have, sizeof head - 1 - have, 0);
        if (n <= 0) exit(93);
        have += (size_t)n;
        head[have] = '\0';
        end = strstr(head, "\r\n\r\n");
    }
    const char *length = strcasestr(head, "content-length:");
    event_bytes = length != NULL ? strtoul(length + 15, NULL, 10) : 0;
    size_t got = have - (size_t)(end + 4 - head);
    memcpy(event, end + 4, got);
    while (got < event_bytes) {
        ssize_t n = recv(fd, event + got, event_bytes - got, 0);
        if (n <= 0) exit(94);
        got += (size_t)n;
    }
    event[event_bytes] = '\0';
    end[2] = '\0';
    return atoi(head + 9);
}

static int post(int fd, const char *path, const char *headers, const char *body, size_t len) {
    static char kept[sizeof event]; /* the event, which the answer would overwrite */
    char out[4096];
    size_t kept_bytes = event_bytes;
    memcpy(kept, event, event_bytes + 1);
    int n =
        snprintf(out, sizeof out, "POST /2018-06-01/runtime/%s HTTP/1.1\r\nHost: api\r\n%sContent-Length: %zu\r\n\r\n", path, headers, len);
    send_all(fd, out, (size_t)n);
    send_all(fd, body, len);
    int status = read_answer(fd);
    memcpy(event, kept, kept_bytes + 1);
    event_bytes = kept_bytes;
    return status;
}

static int post_for(int fd, const char *id, const char *what, const char *headers, const char *body, size_t len) {
    char path[256];
    snprintf(path, sizeof path, "invocation/%s/%s", id, what);
    return post(fd, path, headers, body, len);
}

static int next(int fd) {
    static const char get[] = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: api\r\n\r\n";
    send_all(fd, get, sizeof get - 1);
    return read_answer(fd);
}

static const char *header(const char *name) {
    static char value[1024];
    const char *at = strcasestr(head, name);
    value[0] = '\0';
    if (at == NULL) return value;
    at += strlen(name) + 1;
    at += strspn(at, " ");
    size_t len = strcspn(at, "\r\n");
    snprintf(value, sizeof value, "%.*s", (int)(len < sizeof value ? len : sizeof value - 1), at);
    return value;
}

/* The event holds "@word". */
static bool says(const char *word) {
    char wanted[64];
    int len = snprintf(wanted, sizeof wanted, "@%s", word);
    return memmem(event, event_bytes, wanted, (size_t)len) != NULL;
}

static int answer(int fd, const char *body) {
    return post_for(fd, request_id, "response", "Content-Type: application/json\r\n", body, strlen(body));
}

static void answer_with_headers(int fd) {
    char out[4096];
    size_t len = (size_t)snprintf(out, sizeof out, "{");
    static const char *const names[] = {"Lambda-Runtime-Aws-Request-Id", "Lambda-Runtime-Deadline-Ms",
                                        "Lambda-Runtime-Invoked-Function-Arn", "Lambda-Runtime-Trace-Id", "Content-Type"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        len += (size_t)snprintf(out + len, sizeof out - len, "\"%s\":\"%s\",", names[i], header(names[i]));
    snprintf(out + len, sizeof out - len, "\"pid\":%d}", (int)getpid());
    answer(fd, out);
}

static void answer_with_environment(int fd) {
    static char out[65536];
    size_t len = (size_t)snprintf(out, sizeof out, "{");
    for (char **e = environ; *e != NULL; e++) {
        const char *equals = strchr(*e, '=');
        if (equals == NULL || strpbrk(*e, "\"\\\n\t") != NULL || len > 60000) continue;
        len += (size_t)snprintf(out + len, sizeof out - len, "\"%.*s\":\"%s\",", (int)(equals - *e), *e, equals + 1);
    }
    snprintf(out + len, sizeof out - len, "\"last\":1}");
    answer(fd, out);
}

static void answer_of_size(int fd, size_t bytes) {
    char *body = malloc(bytes);
    if (body == NULL) exit(95);
    memset(body, 'x', bytes);
    body[0] = body[bytes - 1] = '"';
    printf("posted %zu: %d\n", bytes, post_for(fd, request_id, "response", "", body, bytes));
    printf("then an error: %d\n", post_for(fd, request_id, "error", "", "{}", 2));
    fflush(stdout);
    free(body);
}

static void fail(int fd) {
    static const char body[] = "{\"errorType\":\"CardDeclined\",\"errorMessage\":\"no funds\"}";
    post_for(fd, request_id, "error", "Lambda-Runtime-Function-Error-Type: Function.CardDeclined\r\n", body, sizeof body - 1);
}

/* Posts where it shouldn't, and answers with the statuses that it got. */
static void answer_with_refusals(int fd) {
    char out[256];
    int unknown = post_for(fd, "no-such-id", "response", "", "1", 1);
    int init = post(fd, "init/error", "", "{}", 2);
    int path = post(fd, "nowhere", "", "{}", 2);
    int method = post(fd, "invocation/next", "", "{}", 2);
    int early = next(fd);
    int same = strcmp(header("Lambda-Runtime-Aws-Request-Id"), request_id) == 0;
    snprintf(out, sizeof out, "{\"unknown_id\":%d,\"init_error\":%d,\"path\":%d,\"method\":%d,\"early_next\":%d,\"same\":%d}", unknown,
             init, path, method, early, same);
    answer(fd, out);
    printf("second answer: %d\n", answer(fd, "2"));
    fflush(stdout);
}

/* ── streams ── */

#define STREAM_HEADERS                                                                                                                     \
    "Lambda-Runtime-Function-Response-Mode: streaming\r\nContent-Type: application/vnd.awslambda.http-integration-response\r\n"            \
    "Transfer-Encoding: chunked\r\nTrailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n"

static void send_chunk(int fd, const char *bytes, size_t len) {
    char size[32];
    send_all(fd, size, (size_t)snprintf(size, sizeof size, "%zx\r\n", len));
    send_all(fd, bytes, len);
    send_all(fd, "\r\n", 2);
}

static void wait_for(const char *file) {
    while (access(file, F_OK) != 0)
        usleep(2000); /* the test makes it */
}

/* "first;", and once there is a file "more" "second;", or 64 MiB; then its end, a failure, or death. */
static void stream(int fd) {
    static const char prelude[] = "{\"statusCode\":201,\"headers\":{\"X-Kind\":\"stream\"},\"cookies\":[\"a=1\",\"b=2\"]}\0\0\0\0\0\0\0\0";
    static const char failure[] = "0\r\nLambda-Runtime-Function-Error-Type: Function.CardDeclined\r\nLambda-Runtime-Function-Error-Body: "
                                  "eyJlcnJvclR5cGUiOiJDYXJkRGVjbGluZWQiLCJlcnJvck1lc3NhZ2UiOiJubyBmdW5kcyJ9\r\n\r\n";
    static char block[65536];
    char out[1024];
    int n = snprintf(out, sizeof out, "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: api\r\n" STREAM_HEADERS "\r\n",
                     request_id);
    send_all(fd, out, (size_t)n);
    send_chunk(fd, prelude, sizeof prelude - 1);
    send_chunk(fd, "first;", 6);
    wait_for("more");
    if (says("stream-die")) exit(3);
    for (int i = 0; says("stream-much") && i < 1024; i++)
        send_chunk(fd, block, sizeof block);
    send_chunk(fd, "second;", 7);
    printf("all is written\n");
    fflush(stdout);
    send_all(fd, says("stream-fail") ? failure : "0\r\n\r\n", says("stream-fail") ? sizeof failure - 1 : 5);
    read_answer(fd);
}

static void leave_a_child(void) {
    if (fork() != 0) return;
    setsid();
    for (int fd = 0; fd < 64; fd++)
        close(fd);
    for (;;)
        pause();
}

static void handle(int fd) {
    snprintf(request_id, sizeof request_id, "%s", header("Lambda-Runtime-Aws-Request-Id"));
    if (says("log")) {
        printf("to standard output\n");
        fprintf(stderr, "to standard error, ");
        fprintf(stderr, "in two pieces\n");
        fflush(stdout);
    }
    if (says("long-line")) {
        for (int i = 0; i < 40000; i++)
            putchar('y');
        fflush(stdout);
    }
    if (says("leave-a-child")) leave_a_child();
    if (says("reported-crash")) fail(fd);
    if (says("crash")) raise(SIGSEGV);
    if (says("exit-3")) exit(3);
    if (says("hang")) pause();
    if (says("wait-for-go")) wait_for("go");
    if (says("stream"))
        stream(fd);
    else if (says("fail"))
        fail(fd);
    else if (says("headers"))
        answer_with_headers(fd);
    else if (says("environment"))
        answer_with_environment(fd);
    else if (says("too-large"))
        answer_of_size(fd, LIMIT + 1);
    else if (says("large"))
        answer_of_size(fd, LIMIT);
    else if (says("refusals"))
        answer_with_refusals(fd);
    else if (says("garbage"))
        post_for(fd, request_id, "response", "", "\xff\xfe{", 3);
    else if (says("pid"))
        answer_with_headers(fd);
    else if (says("teapot"))
        answer(fd, "{\"statusCode\":418,\"headers\":{\"X-Pot\":\"tea\"},\"cookies\":[\"a=1\",\"b=2\"],\"body\":\"c2hvcnQ=\","
                   "\"isBase64Encoded\":true}");
    else
        post_for(fd, request_id, "response", "Content-Type: application/json\r\n", event, event_bytes);
    if (says("then-leave")) exit(4);
    if (says("then-stay")) pause();
}

int main(int argc, char **argv) {
    const char *first = argc > 1 ? argv[1] : "";
    if (strcmp(first, "exit-in-init") == 0) return 5;
    if (strcmp(first, "crash-in-init") == 0) raise(SIGSEGV);
    if (strcmp(first, "hang-in-init") == 0) pause();
    if (strcmp(first, "ignore-sigterm") == 0) signal(SIGTERM, SIG_IGN);
    if (strcmp(first, "twice") == 0 && fork() < 0) return 95; /* two that ask for events */
    int fd = dial();
    if (strcmp(first, "init-error") == 0) {
        static const char body[] = "{\"errorType\":\"NoConfig\",\"errorMessage\":\"SHOP is not set\"}";
        post(fd, "init/error", "Lambda-Runtime-Function-Error-Type: Function.NoConfig\r\n", body, sizeof body - 1);
        return 1;
    }
    for (;;) {
        if (next(fd) != 200) return 96;
        handle(fd);
    }
}
