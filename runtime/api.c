#include "runtime/api.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "core/coding.h"
#include "runtime/api_private.h"

#define NEXT_HEAD_BYTES ((size_t)65536) /* a client context alone may have 3.5 KB */
#define CONNECT_MS 1000L
#define START_CONNECT_MS 100L
#define PAUSE_MS INT64_C(50)
#define PAUSE_MAX_MS INT64_C(5000)
#define POSTS_WITHOUT_DEADLINE 10
#define HURRY_MS 200 /* for what was under way when the process was stopped, of the 500 that Lambda gives it */

static bool has_started(const latch_api *api) {
    return api->started || (api->any_started != NULL && atomic_load_explicit(api->any_started, memory_order_relaxed));
}

/* ── the address ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool is_port(const char *text) {
    char *end;
    if (*text < '1' || *text > '9') return false;
    unsigned long port = strtoul(text, &end, 10);
    return *end == '\0' && port <= 65535;
}

/* A name, an IPv4 address, or an IPv6 address in brackets; a port; nothing else. */
static bool is_address(const char *text) {
    static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
    bool bracket = *text == '[';
    size_t len = bracket ? strspn(text + 1, "0123456789abcdefABCDEF:.") + 2 : strspn(text, name);
    if (strlen(text) >= sizeof((latch_api *)NULL)->address || len == 0 || strlen(text) < len) return false;
    if (bracket && (len < 4 || text[len - 1] != ']')) return false;
    return text[len] == ':' && is_port(text + len + 1);
}

latch_status latch_api_init(latch_api *api, const char *address, latch_ctx *cx) {
    api->easy = NULL;
    api->fd = -1;
    atomic_init(&api->stoppers, 0);
    api->started = false;
    api->any_started = NULL;
    api->stopping = NULL;
    api->restoring = false;
    api->peer_len = 0;
    api->cx = cx;
    latch_api_stream_init(api);
    if (address == NULL || *address == '\0')
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "AWS_LAMBDA_RUNTIME_API is not set: Lambda sets it, and so does latch-local invoke");
    if (!is_address(address))
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "AWS_LAMBDA_RUNTIME_API is \"%.100s\", want HOST:PORT as in 127.0.0.1:9001",
                             address);
    snprintf(api->address, sizeof api->address, "%s", address);
    if (curl_global_init(CURL_GLOBAL_NOTHING) != CURLE_OK) return latch_err_set(&cx->err, LATCH_E_NOMEM, "libcurl could not start");
    latch_arena_init(&api->answers, api->memory, sizeof api->memory);
    return LATCH_OK;
}

/* ── the connection ──────────────────────────────────────────────────────────────────────────────────────────────── */

void latch_api_hang_up(latch_api *api) {
    api->fd = -1; /* first: who stops the process shuts it down, and must not meet another's */
    while (atomic_load(&api->stoppers) > 0)
        sched_yield();
    if (api->easy != NULL) curl_easy_cleanup(api->easy);
    api->easy = NULL;
}

void latch_api_clean_up(latch_api *api) {
    latch_api_hang_up(api);
    latch_arena_clean_up(&api->answers);
    curl_global_cleanup();
}

/* How long a read or a write blocks. */
static void limit(const latch_api *api, int64_t ms) {
    struct timeval patience = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
    setsockopt(api->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(api->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

void latch_api_hurry(latch_api *api) {
    if (api->fd >= 0) limit(api, HURRY_MS);
}

/* Reads and writes block, but not for ever: /next waits again, a POST gives up. A child of the handler doesn't inherit it. */
static void prepare(latch_api *api) {
    int flags = fcntl(api->fd, F_GETFL);
    if (flags >= 0) fcntl(api->fd, F_SETFL, flags & ~O_NONBLOCK);
    fcntl(api->fd, F_SETFD, FD_CLOEXEC);
    limit(api, LATCH_API_ANSWER_S * LATCH_SECOND_MS);
    if (latch_api_is_stopping(api)) limit(api, HURRY_MS); /* behind it: who stops the process may have said so in the middle */
    api->peer_len = sizeof api->peer;
    if (getpeername(api->fd, (struct sockaddr *)&api->peer, &api->peer_len) != 0) api->peer_len = 0;
}

latch_status latch_api_dial(latch_api *api) {
    char url[sizeof api->address + 16], detail[CURL_ERROR_SIZE] = "";
    curl_socket_t fd = CURL_SOCKET_BAD;
    if (api->easy != NULL) return LATCH_OK;
    CURL *easy = curl_easy_init();
    if (easy == NULL) return latch_err_set(latch_api_err(api), LATCH_E_NOMEM, "libcurl has no memory");
    snprintf(url, sizeof url, "http://%s/", api->address);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, has_started(api) ? CONNECT_MS : START_CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
    CURLcode code = curl_easy_perform(easy);
    if (code == CURLE_OK) code = curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
    if (code != CURLE_OK || fd == CURL_SOCKET_BAD) {
        curl_easy_cleanup(easy);
        return latch_err_set(latch_api_err(api), LATCH_E_NETWORK, "%s", *detail != '\0' ? detail : curl_easy_strerror(code));
    }
    api->easy = easy;
    api->fd = (int)fd;
    prepare(api);
    return LATCH_OK;
}

void latch_api_connect(latch_api *api) {
    if (latch_api_dial(api) != LATCH_OK) api->cx->err = (latch_err){0};
}

/* ── one exchange ────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status lost(latch_api *api, const char *at) {
    int code = errno;
    bool slow = code == EAGAIN || code == EWOULDBLOCK;
    latch_status status = slow ? LATCH_E_TIMEOUT : LATCH_E_NETWORK;
    double waited_s = latch_api_is_stopping(api) ? HURRY_MS / 1000.0 : LATCH_API_ANSWER_S;
    if (slow) return latch_err_set(latch_api_err(api), status, "%s: nothing for %.15g s", at, waited_s);
    return latch_err_set(latch_api_err(api), status, "%s: %s", at, strerror(code));
}

void latch_api_advance(struct msghdr *message, size_t sent) {
    while (message->msg_iovlen > 0 && sent >= message->msg_iov->iov_len) {
        sent -= message->msg_iov->iov_len;
        message->msg_iov++, message->msg_iovlen--;
    }
    if (message->msg_iovlen == 0) return;
    message->msg_iov->iov_base = (char *)message->msg_iov->iov_base + sent;
    message->msg_iov->iov_len -= sent;
}

latch_status latch_api_send(latch_api *api, struct iovec *parts, size_t count) {
    struct msghdr message = {.msg_iov = parts};
    for (size_t i = 0; i < count; i++)
        message.msg_iovlen++; /* an int in musl, a size_t in glibc */
    while (message.msg_iovlen > 0) {
        ssize_t n = sendmsg(api->fd, &message, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return lost(api, "sending");
        latch_api_advance(&message, (size_t)n);
    }
    return LATCH_OK;
}

static latch_status send_request(latch_api *api, const latch_api_exchange *x) {
    struct iovec parts[2] = {{(char *)(uintptr_t)x->head.ptr, x->head.len}, {(char *)(uintptr_t)x->body.ptr, x->body.len}};
    return latch_api_send(api, parts, x->body.len > 0 ? 2 : 1);
}

/* An event had begun to come when the process was stopped: what is sent still arrives, but no read waits for it any more. */
static bool is_to_come(const latch_api *api, const latch_api_exchange *x, int naps) {
    if (!x->waits || !latch_wire_heard(&x->wire) || !latch_api_is_stopping(api) || naps >= HURRY_MS) return false;
    (void)poll(NULL, 0, 1);
    return true;
}

int latch_api_patience_ms(const latch_api *api, int64_t deadline_at_ms) {
    if (deadline_at_ms == INT64_MAX) return LATCH_API_ANSWER_S * 1000;
    int64_t left_ms = deadline_at_ms - latch_now_ms(api->cx);
    return left_ms <= 0 ? 0 : left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

/* In slices, as a signal that comes just before a poll doesn't end it. */
bool latch_api_await(const latch_api *api, int64_t deadline_at_ms) {
    struct pollfd at = {.fd = api->fd, .events = POLLIN};
    bool hurries = false;
    for (int left_ms = latch_api_patience_ms(api, deadline_at_ms); left_ms >= 0;) {
        bool stopping = latch_api_is_stopping(api);
        if (stopping && !hurries && left_ms > HURRY_MS) left_ms = HURRY_MS;
        hurries = stopping;
        int slice_ms = api->stopping != NULL && left_ms > PAUSE_MS ? (int)PAUSE_MS : left_ms;
        int ready = poll(&at, 1, slice_ms), now_left_ms = latch_api_patience_ms(api, deadline_at_ms);
        if (ready > 0 || (ready < 0 && errno != EINTR)) return true;
        if (slice_ms == left_ms && ready == 0) break;
        left_ms -= ready == 0 ? slice_ms : 1;
        if (now_left_ms < left_ms) left_ms = now_left_ms;
    }
    return false;
}

latch_status latch_api_receive(latch_api *api, latch_api_exchange *x) {
    latch_wire_progress progress = LATCH_WIRE_MORE;
    int naps = 0;
    latch_wire_begin(&x->wire, x->arena, &x->limits);
    while (progress == LATCH_WIRE_MORE) {
        size_t room;
        char *at = latch_wire_space(&x->wire, &room);
        if (at == NULL) return latch_err_set(latch_api_err(api), LATCH_E_NOMEM, "the answer's headers don't fit into the arena");
        ssize_t n = recv(api->fd, at, room, x->until_at_ms != 0 ? MSG_DONTWAIT : 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && x->until_at_ms != 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            if (latch_api_await(api, x->until_at_ms)) continue;
            return latch_err_set(latch_api_err(api), LATCH_E_TIMEOUT, "the time is up in the middle of the answer");
        }
        if (n == 0 && is_to_come(api, x, naps++)) continue;
        bool patient = x->waits && !latch_wire_heard(&x->wire) && !latch_api_is_stopping(api);
        if (n < 0 && patient && (errno == EAGAIN || errno == EWOULDBLOCK)) continue;
        if (n < 0) return lost(api, "waiting for the answer");
        progress = n > 0 ? latch_wire_fed(&x->wire, (size_t)n, latch_api_err(api)) : latch_wire_ended(&x->wire, latch_api_err(api));
    }
    return progress == LATCH_WIRE_DONE ? LATCH_OK : latch_api_err(api)->status;
}

/* A service that refuses a large body may answer and close before it is sent: the answer counts then. */
static latch_status receive_unasked(latch_api *api, latch_api_exchange *x, latch_status sent) {
    latch_err why = *latch_api_err(api);
    latch_status status = sent == LATCH_E_TIMEOUT ? sent : latch_api_receive(api, x);
    if (status != LATCH_OK) *latch_api_err(api) = why;
    return status;
}

static latch_status try_once(latch_api *api, latch_api_exchange *x) {
    size_t mark = latch_arena_mark(x->arena);
    latch_wire_begin(&x->wire, x->arena, &x->limits);
    if (!x->waits && latch_api_is_stopping(api)) latch_api_hang_up(api); /* its reading side may be shut down */
    LATCH_TRY(latch_api_dial(api));
    if (x->waits && latch_api_is_stopping(api))
        return latch_err_set(latch_api_err(api), LATCH_E_NETWORK, "not sent: the process is stopping");
    latch_status sent = send_request(api, x);
    latch_status status = sent == LATCH_OK ? latch_api_receive(api, x) : receive_unasked(api, x, sent);
    if (sent != LATCH_OK || status != LATCH_OK || !x->wire.keep_alive) latch_api_hang_up(api);
    if (status != LATCH_OK) latch_arena_rewind(x->arena, mark);
    return status;
}

latch_status latch_api_perform(latch_api *api, latch_api_exchange *x) {
    bool kept = api->easy != NULL;
    latch_status status = try_once(api, x);
    if (status == LATCH_OK || status == LATCH_E_TIMEOUT || status == LATCH_E_NOMEM || !kept || latch_wire_heard(&x->wire)) return status;
    if (x->waits && latch_api_is_stopping(api)) return status;
    return try_once(api, x); /* a kept connection that was dead says nothing about the service */
}

/* ── requests ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void put(latch_text_writer *t, const char *text) { latch_text_put(t, latch_str_of(text)); }

/* Values come from the service or from latch_failure_of: no line ends in them; an empty one isn't sent. */
void latch_api_put_header(latch_text_writer *t, const char *name, latch_str value) {
    if (value.len == 0) return;
    put(t, name);
    latch_text_put(t, LATCH_STR(": "));
    latch_text_put(t, value);
    latch_text_put(t, LATCH_STR("\r\n"));
}

void latch_api_put_request(latch_text_writer *t, const latch_api *api, const char *method, latch_str path) {
    put(t, method);
    latch_text_put(t, LATCH_STR(" "));
    latch_text_put(t, path);
    latch_text_put(t, LATCH_STR(" HTTP/1.1\r\nHost: "));
    put(t, api->address);
    latch_text_put(t, LATCH_STR("\r\nUser-Agent: latch/" LATCH_VERSION "\r\n"));
}

latch_text_writer latch_api_begin_request(latch_api *api, const char *method, latch_str path) {
    latch_text_writer t = {.at = api->head, .cap = sizeof api->head};
    latch_api_put_request(&t, api, method, path);
    return t;
}

latch_str latch_api_write_path(char at[LATCH_API_PATH_BYTES], const latch_invocation *invocation, const char *outcome) {
    latch_text_writer t = {.at = at, .cap = LATCH_API_PATH_BYTES};
    latch_text_put(&t, LATCH_STR(LATCH_API_RUNTIME "invocation/"));
    t.len += latch_percent_encode(at + t.len, t.cap - t.len, latch_str_cut(invocation->request_id, LATCH_REQUEST_ID_MAX_BYTES));
    latch_text_char(&t, '/');
    put(&t, outcome);
    return latch_text_end(&t);
}

latch_status latch_api_end_request(latch_api *api, latch_text_writer *t, latch_str *head) {
    latch_text_put(t, LATCH_STR("\r\n"));
    *head = latch_text_end(t);
    if (head->ptr != NULL) return LATCH_OK;
    return latch_err_set(latch_api_err(api), LATCH_E_MISUSE, "the request's head has over %d bytes", LATCH_API_HEAD_BYTES);
}

int64_t latch_api_pause_ms(int64_t first_ms, unsigned tries) {
    return tries < 7 && first_ms << tries < PAUSE_MAX_MS ? first_ms << tries : PAUSE_MAX_MS;
}

/* ── next ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* LATCH_OK: an event, or the end. LATCH_E_DENIED: a 500, after which nothing is worth trying. */
static latch_status ask_once(latch_api *api, latch_arena *arena, latch_invocation *out) {
    size_t mark = latch_arena_mark(arena);
    latch_api_exchange x = {.waits = true, .arena = arena, .limits = {NEXT_HEAD_BYTES, LATCH_API_EVENT_MAX_BYTES}};
    latch_text_writer t = latch_api_begin_request(api, "GET", LATCH_STR(LATCH_API_RUNTIME "invocation/next"));
    LATCH_TRY(latch_api_end_request(api, &t, &x.head));
    LATCH_TRY(latch_api_perform(api, &x));
    if (x.wire.status == 200) {
        latch_invocation_read(api->cx, &x.wire, out);
        return LATCH_OK;
    }
    latch_str body = latch_wire_body(&x.wire);
    latch_status status = x.wire.status == 500 ? LATCH_E_DENIED : LATCH_E_NETWORK;
    (void)latch_err_set(latch_api_err(api), status, "answered %d %.*s", x.wire.status, LATCH_ARG(latch_str_cut(body, 150)));
    latch_arena_rewind(arena, mark);
    return status;
}

static latch_api_verdict give_up(latch_api *api, const char *message) {
    char where[sizeof api->address + 64];
    snprintf(where, sizeof where, "http://%s" LATCH_API_RUNTIME "invocation/next", api->address);
    latch_log(api->cx, LATCH_FATAL, message, "url", where, "why", latch_api_err(api)->message);
    return LATCH_API_EXIT;
}

static void note_start(latch_api *api) {
    if (api->started) return;
    api->started = true;
    if (api->any_started != NULL) atomic_store(api->any_started, true);
}

/* In slices, where somebody may stop the process meanwhile. */
void latch_api_pause(latch_api *api, int64_t ms) {
    int64_t slice_ms = api->stopping != NULL ? PAUSE_MS : ms;
    for (; ms > 0 && !latch_api_is_stopping(api); ms -= slice_ms)
        latch_clock_sleep_ms(&api->cx->clock, ms < slice_ms ? ms : slice_ms);
}

latch_api_verdict latch_api_next(latch_api *api, latch_arena *arena, latch_invocation *out) {
    for (unsigned tries = 0; !latch_api_is_stopping(api); tries++) {
        latch_status status = ask_once(api, arena, out);
        if (status == LATCH_OK) {
            note_start(api);
            return out->request_id.len > 0 ? LATCH_API_GO_ON : LATCH_API_END;
        }
        if (latch_api_is_stopping(api)) break;
        if (status == LATCH_E_DENIED) return give_up(api, "the Runtime API can't go on, this process ends");
        if (!has_started(api) && tries + 1 == LATCH_API_TRIES)
            return give_up(api, "no answer from the Runtime API in 5 tries, this process ends");
        int64_t wait_ms = latch_api_pause_ms(has_started(api) ? PAUSE_MS : LATCH_API_FIRST_PAUSE_MS, tries);
        latch_log(api->cx, LATCH_WARN, "no event, asking again", "why", latch_api_err(api)->message, "in_ms", wait_ms);
        latch_api_pause(api, wait_ms);
    }
    return LATCH_API_END;
}

/* ── posts ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_api_verdict latch_api_judge(latch_api *api, const latch_wire *answer, const char *what) {
    int64_t status = answer->status;
    latch_str body = latch_str_cut(latch_wire_body(answer), 500);
    if (status >= 200 && status < 300) return LATCH_API_GO_ON;
    if (status == 500) {
        latch_log(api->cx, LATCH_FATAL, "the Runtime API can't go on, this process ends", "post", what, "status", status, "answer", body);
        return LATCH_API_EXIT;
    }
    latch_log(api->cx, LATCH_WARN, "the Runtime API refused a post, the invocation is over for it", "post", what, "status", status,
              "answer", body);
    return LATCH_API_GO_ON;
}

/* Whether another try makes sense: not after the deadline, by which the service has given up, too. */
static bool may_repeat(const latch_api *api, int64_t deadline_at_ms, unsigned tries, int64_t wait_ms) {
    if (latch_api_is_stopping(api) && tries > 0) return false;
    if (deadline_at_ms == INT64_MAX) return tries + 1 < POSTS_WITHOUT_DEADLINE;
    return latch_now_ms(api->cx) + wait_ms < deadline_at_ms;
}

latch_api_verdict latch_api_deliver(latch_api *api, latch_api_exchange *x, int64_t deadline_at_ms, const char *what) {
    latch_status status = LATCH_E_MISUSE;
    x->arena = &api->answers;
    x->limits = (latch_wire_limits){LATCH_API_ANSWER_BYTES / 4, LATCH_API_ANSWER_BYTES / 4};
    for (unsigned tries = 0;; tries++) {
        latch_arena_rewind(&api->answers, 0);
        if (x->head.ptr != NULL) status = latch_api_perform(api, x);
        if (status == LATCH_OK) return latch_api_judge(api, &x->wire, what);
        int64_t wait_ms = latch_api_pause_ms(PAUSE_MS, tries);
        bool again = x->head.ptr != NULL && may_repeat(api, deadline_at_ms, tries, wait_ms);
        latch_log(api->cx, again ? LATCH_WARN : LATCH_ERROR,
                  again ? "a post got no answer, sending it again" : "a post could not be delivered", "post", what, "why",
                  latch_api_err(api)->message);
        if (!again) return LATCH_API_GO_ON;
        latch_api_pause(api, wait_ms);
    }
}

latch_api_verdict latch_api_post(latch_api *api, latch_text_writer *t, latch_str body, int64_t deadline_at_ms, const char *what) {
    latch_api_exchange x = {.body = body};
    latch_text_put(t, LATCH_STR("Content-Type: application/json\r\nContent-Length: "));
    latch_text_uint(t, body.len);
    latch_text_put(t, LATCH_STR("\r\n"));
    (void)!latch_api_end_request(api, t, &x.head);
    return latch_api_deliver(api, &x, deadline_at_ms, what);
}

latch_text_writer latch_api_begin_outcome(latch_api *api, const latch_invocation *invocation, const char *outcome) {
    char path[LATCH_API_PATH_BYTES];
    latch_text_writer t = latch_api_begin_request(api, "POST", latch_api_write_path(path, invocation, outcome));
    latch_api_put_header(&t, LATCH_INVOCATION_ID, invocation->invocation_id);
    return t;
}

void latch_api_put_failure(latch_text_writer *t, const latch_failure *failure) {
    latch_api_put_header(t, LATCH_API_ERROR_TYPE, latch_str_of(failure->type));
    latch_api_put_header(t, LATCH_API_ERROR_CAUSE, latch_str_of(failure->cause));
}

latch_api_verdict latch_api_response(latch_api *api, const latch_invocation *invocation, latch_str payload) {
    latch_text_writer t = latch_api_begin_outcome(api, invocation, "response");
    return latch_api_post(api, &t, payload, invocation->deadline_at_ms, "response");
}

latch_api_verdict latch_api_error(latch_api *api, const latch_invocation *invocation, const latch_failure *failure) {
    latch_text_writer t = latch_api_begin_outcome(api, invocation, "error");
    latch_api_put_failure(&t, failure);
    return latch_api_post(api, &t, latch_str_of(failure->body), invocation->deadline_at_ms, "error");
}

void latch_api_init_error(latch_api *api, const latch_failure *failure) {
    latch_text_writer t = latch_api_begin_request(api, "POST", LATCH_STR(LATCH_API_RUNTIME "init/error"));
    latch_api_put_failure(&t, failure);
    (void)latch_api_post(api, &t, latch_str_of(failure->body), latch_now_ms(api->cx) + LATCH_SECOND_MS, "init error");
}
