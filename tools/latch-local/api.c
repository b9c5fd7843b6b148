#include "api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <yyjson.h>

#include "url.h"

#define PREFIX "/2018-06-01/runtime/"
#define INVALID_STATE "InvalidStateTransition"

struct latch_api {
    latch_api_config config;
    latch_server *server;
    latch_exchange *waiting;   /* a GET of /next that has no event yet */
    latch_invocation *current; /* handed out, and not over */
    bool asked;                /* this process has asked for its first event: initialisation is over */
    bool init_failed;
};

/* ── answers ── */

static void reply_json(latch_exchange *x, unsigned status, const char *body) {
    static const latch_field headers[] = {{"Content-Type", "application/json"}};
    latch_exchange_reply(x, &(latch_reply){.status = status, .headers = headers, .header_count = 1, .body = latch_str_of(body)});
}

static void refuse(latch_exchange *x, unsigned status, const char *type, const char *message) {
    latch_invocation error = {0};
    latch_invocation_fail(&error, LATCH_FAILED, type, message);
    reply_json(x, status, error.error.ptr);
    latch_invocation_clean_up(&error);
}

static void accept_post(latch_exchange *x) { reply_json(x, 202, "{\"status\":\"OK\"}\n"); }

/* ── /runtime/invocation/next ── */

static void make_uuid(char out[37]) {
    unsigned char b[16];
    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b) abort();
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40); /* RFC 9562: version 4 */
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0, at = 0; i < sizeof b; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) out[at++] = '-';
        out[at++] = digits[b[i] >> 4];
        out[at++] = digits[b[i] & 15];
    }
    out[36] = '\0';
}

static void make_trace(char *out, size_t cap) {
    unsigned char b[20];
    char hex[41];
    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b) abort();
    for (size_t i = 0; i < sizeof b; i++)
        snprintf(hex + 2 * i, 3, "%02x", b[i]);
    snprintf(out, cap, "Root=1-%08llx-%.24s;Parent=%.16s;Sampled=0", (unsigned long long)(latch_now_ms() / 1000), hex, hex + 24);
}

void latch_api_give(latch_api *api, latch_invocation *inv, int64_t deadline_ms) {
    char deadline[24], trace[96];
    make_uuid(inv->id);
    make_trace(trace, sizeof trace);
    snprintf(deadline, sizeof deadline, "%lld", (long long)deadline_ms);
    const latch_field headers[] = {
        {"Content-Type", "application/json"},     {"Lambda-Runtime-Aws-Request-Id", inv->id},
        {"Lambda-Runtime-Deadline-Ms", deadline}, {"Lambda-Runtime-Invoked-Function-Arn", api->config.function_arn},
        {"Lambda-Runtime-Trace-Id", trace},
    };
    latch_exchange *x = api->waiting;
    api->waiting = NULL;
    api->current = inv;
    inv->given_at_ns = latch_now_ns();
    latch_exchange_reply(x, &(latch_reply){.status = 200,
                                           .headers = headers,
                                           .header_count = sizeof headers / sizeof *headers,
                                           .body = inv->event,
                                           .keeping = inv->give_event ? LATCH_GIVEN : LATCH_KEPT});
    if (inv->give_event) inv->event = (latch_str){0};
    inv->give_event = false;
}

static void drop_waiting(latch_api *api, const char *why) {
    if (api->waiting == NULL) return;
    latch_exchange *x = api->waiting;
    api->waiting = NULL;
    refuse(x, 403, INVALID_STATE, why);
}

bool latch_api_is_waiting(latch_api *api) {
    if (api->waiting != NULL && latch_exchange_is_gone(api->waiting)) drop_waiting(api, "the connection was closed");
    return api->waiting != NULL;
}

static void on_next(latch_api *api, latch_exchange *x) {
    if (api->init_failed) {
        refuse(x, 403, INVALID_STATE, "this process has posted an init error");
        return;
    }
    if (api->current != NULL && api->current->outcome == LATCH_PENDING) {
        refuse(x, 403, INVALID_STATE, "the invocation that was handed out has no answer yet");
        return;
    }
    drop_waiting(api, "a later request for the next event took the place of this one");
    api->current = NULL;
    api->asked = true;
    api->waiting = x;
    api->config.on_next(api->config.arg);
}

/* ── /runtime/invocation/{id}/response and /error ── */

/* The current invocation, or NULL and the request is answered. */
static latch_invocation *find_current(latch_api *api, latch_exchange *x, latch_str encoded_id) {
    latch_buffer id = {0};
    latch_url_decode(&id, encoded_id, false);
    bool known = api->current != NULL && latch_str_eq(latch_buffer_str(&id), latch_str_of(api->current->id));
    latch_buffer_clean_up(&id);
    if (!known) {
        refuse(x, 400, "InvalidRequestID", "no invocation of this request id is running");
        return NULL;
    }
    if (api->current->outcome == LATCH_PENDING) return api->current;
    refuse(x, 403, INVALID_STATE, "this invocation was answered before");
    return NULL;
}

static bool is_too_large(latch_invocation *inv, latch_exchange *x, const char *what) {
    size_t bytes = latch_exchange_body_bytes(x);
    char message[128];
    if (bytes <= LATCH_PAYLOAD_BYTES) return false;
    snprintf(message, sizeof message, "the %s of %zu bytes is larger than the %zu that Lambda takes", what, bytes, LATCH_PAYLOAD_BYTES);
    latch_invocation_fail(inv, LATCH_TOO_LARGE, "Function.ResponseSizeTooLarge", message);
    refuse(x, 413, "RequestEntityTooLarge", message);
    return true;
}

static void on_response(latch_api *api, latch_exchange *x, latch_str id) {
    latch_invocation *inv = find_current(api, x, id);
    if (inv == NULL) return;
    const char *mode = latch_exchange_header(x, "Lambda-Runtime-Function-Response-Mode");
    if (mode != NULL && strcasecmp(mode, "streaming") != 0) {
        refuse(x, 400, "InvalidResponseMode", "the only response mode that has a name is streaming");
        return;
    }
    inv->duration_ns = latch_now_ns() - inv->given_at_ns;
    if (!is_too_large(inv, x, "response")) {
        const char *type = latch_exchange_header(x, "Content-Type");
        if (type != NULL) inv->content_type = latch_copy(latch_str_of(type));
        inv->answer = latch_exchange_take_body(x);
        inv->outcome = LATCH_ANSWERED;
        accept_post(x);
    }
    api->config.on_answer(api->config.arg);
}

static void on_error(latch_api *api, latch_exchange *x, latch_str id) {
    latch_invocation *inv = find_current(api, x, id);
    if (inv == NULL) return;
    inv->duration_ns = latch_now_ns() - inv->given_at_ns;
    if (!is_too_large(inv, x, "error")) {
        latch_api_error_type(latch_exchange_header(x, "Lambda-Runtime-Function-Error-Type"), inv->error_type, sizeof inv->error_type);
        inv->error = latch_exchange_take_body(x);
        inv->outcome = LATCH_FAILED;
        accept_post(x);
    }
    api->config.on_answer(api->config.arg);
}

static void on_init_error(latch_api *api, latch_exchange *x) {
    char type[128];
    if (api->asked || api->init_failed) {
        refuse(x, 403, INVALID_STATE, "initialisation is over");
        return;
    }
    api->init_failed = true;
    latch_api_error_type(latch_exchange_header(x, "Lambda-Runtime-Function-Error-Type"), type, sizeof type);
    accept_post(x);
    api->config.on_init_error(api->config.arg, latch_exchange_take_body(x), type);
}

/* Length of the letters from `at` on: the form is an upper-case letter, then at least one more of any case. */
static size_t name_length(const char *at) {
    size_t len = 0;
    while ((at[len] >= 'a' && at[len] <= 'z') || (at[len] >= 'A' && at[len] <= 'Z'))
        len++;
    return len >= 2 && at[0] >= 'A' && at[0] <= 'Z' ? len : 0;
}

void latch_api_error_type(const char *header, char *out, size_t cap) {
    static const char *const prefixes[] = {"Runtime.", "Function."};
    out[0] = '\0';
    for (const char *at = header; at != NULL && *at != '\0'; at++)
        for (size_t i = 0; i < 2; i++) {
            size_t len = strlen(prefixes[i]), name = strncmp(at, prefixes[i], len) == 0 ? name_length(at + len) : 0;
            if (name == 0) continue;
            snprintf(out, cap, "%.*s", (int)(len + name < cap ? len + name : cap - 1), at);
            return;
        }
    if (header != NULL) snprintf(out, cap, "%s", strncmp(header, "Function.", 9) == 0 ? "Function.Unknown" : "Runtime.Unknown");
}

/* ── the paths ── */

static void wrong_method(latch_exchange *x) { refuse(x, 405, "MethodNotAllowed", "this path has another method"); }

static void no_such_path(latch_exchange *x) { refuse(x, 404, "NotFound", "the Runtime API has no such path"); }

/* The rest of /runtime/invocation/ */
static void on_invocation(latch_api *api, latch_exchange *x, bool is_post, latch_str rest) {
    latch_str id = {0}, what = {0};
    bool is_next = latch_str_eq(rest, LATCH_STR("next"));
    latch_url_next(&rest, '/', &id);
    latch_url_next(&rest, '/', &what);
    bool is_response = latch_str_eq(what, LATCH_STR("response")), is_error = latch_str_eq(what, LATCH_STR("error"));
    if (rest.ptr != NULL || !(is_next || is_response || is_error))
        no_such_path(x);
    else if (is_post == is_next)
        wrong_method(x);
    else if (is_next)
        on_next(api, x);
    else if (is_response)
        on_response(api, x, id);
    else
        on_error(api, x, id);
}

static void on_request(void *arg, latch_exchange *x) {
    latch_api *api = arg;
    const char *target = latch_exchange_target(x), *method = latch_exchange_method(x);
    bool is_post = strcmp(method, "POST") == 0, is_ours = strncmp(target, PREFIX, strlen(PREFIX)) == 0;
    const char *path = is_ours ? target + strlen(PREFIX) : "";
    if (!is_post && strcmp(method, "GET") != 0)
        wrong_method(x);
    else if (strncmp(path, "invocation/", 11) == 0)
        on_invocation(api, x, is_post, latch_str_of(path + 11));
    else if (strcmp(path, "init/error") != 0)
        no_such_path(x);
    else if (!is_post)
        wrong_method(x);
    else
        on_init_error(api, x);
}

/* ── start and stop ── */

latch_status latch_api_start(latch_loop *loop, const latch_api_config *config, latch_api **out, latch_err *err) {
    latch_api *api = latch_alloc(sizeof *api);
    api->config = *config;
    *out = NULL;
    latch_server_config server = {.host = "127.0.0.1", .max_body_bytes = LATCH_PAYLOAD_BYTES, .on_request = on_request, .arg = api};
    latch_status status = latch_server_start(loop, &server, &api->server, err);
    if (status == LATCH_OK)
        *out = api;
    else
        free(api);
    return status;
}

void latch_api_stop(latch_api *api) {
    if (api == NULL) return;
    latch_server_stop(api->server);
    free(api);
}

uint16_t latch_api_port(const latch_api *api) { return latch_server_port(api->server); }

void latch_api_begin(latch_api *api) {
    drop_waiting(api, "this process was stopped");
    api->current = NULL;
    api->asked = api->init_failed = false;
}
