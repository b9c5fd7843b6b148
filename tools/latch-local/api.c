#include "api_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "core/err.h"
#include "url.h"

#define PREFIX "/2018-06-01/runtime/"
#define INVALID_ID "InvalidRequestID"

/* ── answers ── */

void latch_api_json(latch_exchange *x, unsigned status, const char *body) {
    static const latch_field headers[] = {{"Content-Type", "application/json"}};
    latch_exchange_reply(x, &(latch_reply){.status = status, .headers = headers, .header_count = 1, .body = latch_str_of(body)});
}

void latch_api_refuse(latch_exchange *x, unsigned status, const char *type, const char *message) {
    latch_invocation error = {0};
    latch_invocation_fail(&error, LATCH_FAILED, type, message);
    latch_api_json(x, status, error.error.ptr);
    latch_invocation_clean_up(&error);
}

static void complain(const latch_api *api, latch_invocation *inv, const char *what) {
    api->config.on_complaint(api->config.arg, inv, what);
}

/* ── what an event is handed out with ── */

void latch_api_uuid(char out[37]) {
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

static void make_trace(char *out, size_t cap, bool sampled) {
    unsigned char b[20];
    char hex[41];
    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b) abort();
    for (size_t i = 0; i < sizeof b; i++)
        snprintf(hex + 2 * i, 3, "%02x", b[i]);
    snprintf(out, cap, "Root=1-%08llx-%.24s;Parent=%.16s;Sampled=%d", (unsigned long long)(latch_now_ms() / 1000), hex, hex + 24, sampled);
}

typedef struct head { /* of an answer to /next */
    latch_field fields[10];
    size_t count;
    char deadline[24];
} head;

static void put(head *h, const char *name, const char *value) {
    if (value != NULL && *value != '\0') h->fields[h->count++] = (latch_field){name, value};
}

static latch_exchange *take_waiting(latch_api *api) {
    latch_exchange *x = api->waiting[0];
    memmove(api->waiting, api->waiting + 1, --api->waiting_count * sizeof *api->waiting);
    return x;
}

static void end_process(latch_api *api, latch_invocation *inv) {
    api->fatal = true;
    api->config.on_fatal(api->config.arg, inv);
}

static void fill_head(const latch_api *api, const latch_invocation *inv, latch_fault fault, head *h) {
    const latch_api_caller *caller = &api->config.caller;
    int64_t deadline_at_ms = fault == LATCH_NEXT_PAST_DEADLINE ? latch_now_ms() - 1000 : inv->deadline_at_ms;
    snprintf(h->deadline, sizeof h->deadline, "%lld", (long long)deadline_at_ms);
    put(h, "Content-Type", "application/json");
    if (fault != LATCH_NEXT_SHUTDOWN) put(h, "Lambda-Runtime-Aws-Request-Id", inv->id);
    if (fault != LATCH_NEXT_NO_DEADLINE) put(h, "Lambda-Runtime-Deadline-Ms", h->deadline);
    put(h, "Lambda-Runtime-Invoked-Function-Arn", api->config.function_arn);
    put(h, "Lambda-Runtime-Trace-Id", inv->trace);
    put(h, "Lambda-Runtime-Aws-Tenant-Id", caller->tenant_id);
    put(h, "Lambda-Runtime-Client-Context", caller->client_context);
    put(h, "Lambda-Runtime-Cognito-Identity", caller->cognito_identity);
    put(h, "Lambda-Runtime-Invocation-Id", inv->invocation_id);
}

/* To the one that has waited longest. */
static void deliver(latch_api *api, latch_invocation *inv) {
    latch_exchange *x = take_waiting(api);
    latch_fault fault = latch_api_fault_take(inv, true);
    unsigned refused = latch_fault_status(fault);
    bool is_lost = fault == LATCH_NEXT_CUT || fault == LATCH_NEXT_CUT_HEAD || fault == LATCH_NEXT_CUT_BODY || fault == LATCH_NEXT_GARBAGE;
    bool is_empty = fault == LATCH_NEXT_EMPTY || fault == LATCH_NEXT_SHUTDOWN;
    head h = {0};
    fill_head(api, inv, fault, &h);
    inv->undelivered = is_lost || refused != 0 || fault == LATCH_NEXT_SHUTDOWN;
    if (refused != 0)
        latch_api_refuse(x, refused, "LatchLocal.Fault", latch_fault_text(fault));
    else
        latch_api_fault_reply(api, x, fault,
                              &(latch_reply){.status = 200,
                                             .headers = h.fields,
                                             .header_count = h.count,
                                             .body = is_empty ? LATCH_STR("") : inv->event,
                                             .keeping = inv->give_event || is_empty ? LATCH_COPIED : LATCH_KEPT});
    if (latch_fault_ends_process(fault)) end_process(api, inv);
    if (!inv->undelivered) api->served = true;
}

void latch_api_give(latch_api *api, latch_invocation *inv, int64_t deadline_ms) {
    latch_api_uuid(inv->id);
    make_trace(inv->trace, sizeof inv->trace, api->config.caller.sampled);
    if (latch_api_is_managed(api)) latch_api_uuid(inv->invocation_id);
    inv->deadline_at_ms = deadline_ms;
    inv->given_at_ns = latch_loop_now_ns(api->loop);
    api->given[api->given_count++] = inv;
    if (inv->fault == LATCH_FAULT_NONE && !inv->fault_is_done && api->config.faults != NULL)
        inv->fault = latch_fault_choose(api->config.faults, ++api->handed_out);
    if (!api->served && !inv->fault_is_done && latch_fault_is_of_next(inv->fault)) inv->fault = LATCH_FAULT_NONE;
    latch_api_life_tell(api, inv);
    deliver(api, inv);
}

void latch_api_release(latch_api *api, latch_invocation *inv) {
    for (size_t i = 0; i < api->given_count; i++) {
        if (api->given[i] != inv) continue;
        api->given[i] = api->given[--api->given_count];
        latch_api_over *over = &api->over[api->over_count++ % LATCH_API_OVER];
        *over = (latch_api_over){.late = inv->outcome == LATCH_TIMED_OUT, .answer_lost = inv->answer_lost};
        memcpy(over->id, inv->id, sizeof over->id);
    }
    latch_api_stream_leave(api, inv);
}

/* ── /runtime/invocation/next ── */

static void drop_waiting(latch_api *api, const char *why) {
    while (api->waiting_count > 0)
        latch_api_refuse(take_waiting(api), 403, LATCH_API_INVALID_STATE, why);
}

/* Those that have closed their connections don't wait any more. */
bool latch_api_is_waiting(latch_api *api) {
    while (api->waiting_count > 0 && latch_exchange_is_gone(api->waiting[0]))
        latch_api_refuse(take_waiting(api), 403, LATCH_API_INVALID_STATE, "the connection was closed");
    return api->waiting_count > 0 && latch_api_life_is_ready(api);
}

void latch_api_announce(latch_api *api) {
    if (api->waiting_count == 0 || !latch_api_life_is_ready(api)) return;
    api->announced = true;
    api->config.on_next(api->config.arg);
}

/* The one whose event the process is to get again: it was lost; or, one at a time, it has no outcome yet. */
static latch_invocation *find_again(const latch_api *api) {
    for (size_t i = 0; i < api->given_count; i++) {
        latch_invocation *inv = api->given[i];
        if (inv->outcome == LATCH_PENDING && (inv->undelivered || !latch_api_is_managed(api))) return inv;
    }
    return NULL;
}

static void on_next(latch_api *api, latch_exchange *x) {
    latch_api_streams_conclude(api);
    latch_invocation *again = find_again(api);
    if (api->init_failed) {
        latch_api_refuse(x, 403, LATCH_API_INVALID_STATE, "this process has posted an error of its initialisation");
        return;
    }
    if (again != NULL && again->mode_lost) {
        latch_api_refuse(x, 403, LATCH_API_INVALID_STATE, "the invocation that was handed out was answered in a mode that there isn't");
        return;
    }
    if (!latch_api_is_managed(api)) drop_waiting(api, "a later request for the next event took the place of this one");
    if (!api->asked && api->config.snapstart && !api->restored)
        complain(api, NULL, "asked for an event without GET /runtime/restore/next before: Lambda would have no snapshot of it");
    api->asked = true;
    api->waiting = latch_realloc(api->waiting, (api->waiting_count + 1) * sizeof(latch_exchange *));
    api->waiting[api->waiting_count++] = x;
    if (api->fatal) { /* nothing is handed out any more; of several workers, the others may not have heard of it */
        if (!latch_api_is_managed(api))
            complain(api, api->given_count > 0 ? api->given[0] : NULL, "asked for another event after it was told to end");
    } else if (again != NULL) {
        deliver(api, again);
    } else {
        latch_api_announce(api);
    }
}

/* ── /runtime/invocation/{id}/response and /error ── */

/* "0.id/response" of a path behind /runtime/invocation/; false: it is neither a response nor an error. */
static bool split(latch_str rest, latch_str *id, bool *is_error) {
    latch_str what = {0};
    *id = (latch_str){0};
    latch_url_next(&rest, '/', id);
    latch_url_next(&rest, '/', &what);
    *is_error = latch_str_eq(what, LATCH_STR("error"));
    return rest.ptr == NULL && (*is_error || latch_str_eq(what, LATCH_STR("response")));
}

static latch_invocation *peek(const latch_api *api, latch_str encoded_id) {
    latch_buffer id = {0};
    latch_invocation *found = NULL;
    latch_url_decode(&id, encoded_id, false);
    for (size_t i = 0; i < api->given_count; i++)
        if (latch_str_eq(latch_buffer_str(&id), latch_str_of(api->given[i]->id))) found = api->given[i];
    latch_buffer_clean_up(&id);
    return found;
}

static const latch_api_over *find_over(const latch_api *api, latch_str id) {
    for (size_t i = 0; i < LATCH_API_OVER && i < api->over_count; i++)
        if (latch_str_eq(id, latch_str_of(api->over[i].id))) return &api->over[i];
    return NULL;
}

bool latch_api_is_over(const latch_api *api, latch_str id) { return find_over(api, id) != NULL; }

static void refuse_stranger(latch_api *api, latch_exchange *x, latch_str id) {
    const latch_api_over *over = find_over(api, id);
    if (over != NULL && over->late && latch_api_is_managed(api)) {
        latch_api_refuse(x, 410, "InvokeTimeout", "Invoke timeout");
        return;
    }
    if (over != NULL && !over->answer_lost && !over->late) complain(api, NULL, "posted another outcome for an invocation that had one");
    latch_api_refuse(x, 400, INVALID_ID, "Invalid request ID");
}

/* The invocation that this post is the outcome of, or NULL and the request is answered. */
static latch_invocation *find(latch_api *api, latch_exchange *x, latch_str encoded_id) {
    latch_api_streams_conclude(api);
    latch_invocation *inv = peek(api, encoded_id);
    const char *invocation_id = latch_exchange_header(x, "Lambda-Runtime-Invocation-Id");
    if (inv == NULL) {
        refuse_stranger(api, x, encoded_id);
        return NULL;
    }
    if (invocation_id != NULL && inv->invocation_id[0] != '\0' && strcmp(invocation_id, inv->invocation_id) != 0) {
        latch_api_refuse(x, 410, "InvokeTimeout", "Invoke timeout");
        return NULL;
    }
    if (latch_api_is_streaming(api, inv)) {
        latch_api_refuse(x, 403, LATCH_API_INVALID_STATE, "this invocation's response is still coming");
        return NULL;
    }
    if (inv->outcome == LATCH_PENDING && !inv->mode_lost) return inv;
    if (inv->outcome != LATCH_PENDING && !inv->answer_lost) complain(api, inv, "posted another outcome for an invocation that had one");
    latch_api_refuse(x, 403, LATCH_API_INVALID_STATE, "this invocation was answered before");
    return NULL;
}

/* The outcome is another: what the service had refused. */
static void fail_by_fault(latch_invocation *inv, latch_fault fault) {
    char message[128];
    snprintf(message, sizeof message, "the outcome was refused with %u, by --fault %s", latch_fault_status(fault), latch_fault_name(fault));
    latch_invocation_fail(inv, LATCH_FAILED, "LatchLocal.Fault", message);
}

void latch_api_settle(latch_api *api, latch_exchange *x, latch_invocation *inv) {
    static const latch_field headers[] = {{"Content-Type", "application/json"}};
    latch_fault fault = latch_api_fault_take(inv, false);
    unsigned status = latch_fault_status(fault);
    if (status != 0) {
        fail_by_fault(inv, fault);
        latch_api_refuse(x, status, "LatchLocal.Fault", latch_fault_text(fault));
    } else if (inv->outcome == LATCH_TOO_LARGE) {
        latch_api_refuse(x, 413, "RequestEntityTooLarge", "Exceeded maximum allowed payload size (6291556 bytes).");
    } else {
        inv->answer_lost = fault == LATCH_POST_CUT_AFTER || fault == LATCH_POST_CUT_ANSWER || fault == LATCH_POST_GARBAGE;
        latch_api_fault_reply(
            api, x, fault,
            &(latch_reply){.status = 202, .headers = headers, .header_count = 1, .body = LATCH_STR("{\"status\":\"OK\"}\n")});
    }
    if (latch_fault_ends_process(fault)) end_process(api, inv);
    api->config.on_answer(api->config.arg, inv);
}

static bool is_too_large(latch_invocation *inv, const latch_exchange *x, const char *what) {
    size_t bytes = latch_exchange_body_bytes(x);
    char message[128];
    if (bytes <= LATCH_PAYLOAD_BYTES) return false;
    snprintf(message, sizeof message, "the %s of %zu bytes is larger than the %zu that Lambda takes", what, bytes, LATCH_PAYLOAD_BYTES);
    latch_invocation_fail(inv, LATCH_TOO_LARGE, "Function.ResponseSizeTooLarge", message);
    return true;
}

/* One at a time it isn't over: nothing is taken of it any more, until its deadline. */
static void refuse_mode(latch_api *api, latch_exchange *x, latch_invocation *inv) {
    latch_api_refuse(x, 400, "InvalidFunctionResponseMode", "Invalid function response mode");
    complain(api, inv, "posted a response in a mode that there isn't: the only one that has a name is streaming");
    inv->mode_lost = true;
    if (!latch_api_is_managed(api)) return;
    latch_api_stop_watch(api, inv);
    latch_buffer_clean_up(&inv->error);
    latch_buffer_text(&inv->error, "{\"errorType\":\"Runtime.InvalidResponseModeHeader\"}");
    inv->composed = "Runtime.InvalidResponseModeHeader";
    inv->outcome = LATCH_FAILED;
    api->config.on_answer(api->config.arg, inv);
}

static bool is_streaming(const latch_exchange *x) {
    const char *mode = latch_exchange_header(x, "Lambda-Runtime-Function-Response-Mode");
    return mode != NULL && strcasecmp(mode, "streaming") == 0;
}

static void on_response(latch_api *api, latch_exchange *x, latch_str id) {
    latch_invocation *inv = find(api, x, id);
    if (inv == NULL) return;
    if (latch_exchange_header(x, "Lambda-Runtime-Function-Response-Mode") != NULL && !is_streaming(x)) {
        refuse_mode(api, x, inv);
        return;
    }
    latch_api_stop_watch(api, inv);
    if (!is_too_large(inv, x, "response")) {
        const char *type = latch_exchange_header(x, "Content-Type");
        free(inv->content_type);
        inv->content_type = type != NULL ? latch_copy(latch_str_of(type)) : NULL;
        latch_buffer_clean_up(&inv->answer);
        inv->answer = latch_exchange_take_body(x);
        inv->answer_bytes = inv->answer.len;
        inv->outcome = LATCH_ANSWERED;
    }
    latch_api_settle(api, x, inv);
}

static void on_error(latch_api *api, latch_exchange *x, latch_str id) {
    latch_invocation *inv = find(api, x, id);
    if (inv == NULL) return;
    latch_api_stop_watch(api, inv);
    if (!is_too_large(inv, x, "error")) {
        latch_api_error_type(latch_exchange_header(x, "Lambda-Runtime-Function-Error-Type"), inv->error_type, sizeof inv->error_type);
        latch_buffer_clean_up(&inv->error);
        inv->error = latch_exchange_take_body(x);
        inv->outcome = LATCH_FAILED;
    }
    latch_api_settle(api, x, inv);
}

void latch_api_take_failure(latch_api *api, latch_exchange *x, void (*tell)(void *arg, latch_buffer body, const char *type)) {
    char type[128];
    api->init_failed = true;
    latch_api_error_type(latch_exchange_header(x, "Lambda-Runtime-Function-Error-Type"), type, sizeof type);
    latch_api_json(x, 202, "{\"status\":\"OK\"}\n");
    tell(api->config.arg, latch_exchange_take_body(x), type);
}

static void on_init_error(latch_api *api, latch_exchange *x) {
    if (api->announced || api->init_failed) {
        latch_api_refuse(x, 403, LATCH_API_INVALID_STATE, "initialisation is over");
        return;
    }
    latch_api_take_failure(api, x, api->config.on_init_error);
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

void latch_api_wrong_method(latch_exchange *x) { latch_api_refuse(x, 405, "MethodNotAllowed", "this path has another method"); }

void latch_api_no_such_path(latch_exchange *x) { latch_api_refuse(x, 404, "NotFound", "the Runtime API has no such path"); }

/* The rest of /runtime/invocation/ */
static void on_invocation(latch_api *api, latch_exchange *x, bool is_post, latch_str rest) {
    latch_str id;
    bool is_error, is_next = latch_str_eq(rest, LATCH_STR("next")), is_outcome = split(rest, &id, &is_error);
    if (!is_next && !is_outcome)
        latch_api_no_such_path(x);
    else if (is_post == is_next)
        latch_api_wrong_method(x);
    else if (is_next)
        on_next(api, x);
    else if (is_error)
        on_error(api, x, id);
    else
        on_response(api, x, id);
}

/* Streams and what is cut before it was read: the body isn't here yet. */
static void on_head(void *arg, latch_exchange *x) {
    static const char prefix[] = PREFIX "invocation/";
    latch_api *api = arg;
    const char *target = latch_exchange_target(x);
    latch_str id;
    bool is_error;
    if (strcmp(latch_exchange_method(x), "POST") != 0 || strncmp(target, prefix, sizeof prefix - 1) != 0) return;
    if (!split(latch_str_of(target + sizeof prefix - 1), &id, &is_error)) return;
    latch_invocation *inv = peek(api, id);
    if (inv == NULL || latch_api_fault_at_head(api, x, inv)) return;
    const char *invocation_id = latch_exchange_header(x, "Lambda-Runtime-Invocation-Id");
    bool is_his = invocation_id == NULL || inv->invocation_id[0] == '\0' || strcmp(invocation_id, inv->invocation_id) == 0;
    if (!is_error && is_his && is_streaming(x) && inv->outcome == LATCH_PENDING && !inv->mode_lost) latch_api_stream_begin(api, x, inv);
}

static void on_request(void *arg, latch_exchange *x) {
    latch_api *api = arg;
    const char *target = latch_exchange_target(x), *method = latch_exchange_method(x);
    bool is_post = strcmp(method, "POST") == 0, is_ours = strncmp(target, PREFIX, strlen(PREFIX)) == 0;
    const char *path = is_ours ? target + strlen(PREFIX) : "";
    if (latch_api_stream_end(api, x)) return;
    if (!is_post && strcmp(method, "GET") != 0)
        latch_api_wrong_method(x);
    else if (latch_api_life(api, x, target, is_post))
        return;
    else if (strncmp(path, "invocation/", 11) == 0)
        on_invocation(api, x, is_post, latch_str_of(path + 11));
    else if (strcmp(path, "init/error") != 0)
        latch_api_no_such_path(x);
    else if (!is_post)
        latch_api_wrong_method(x);
    else
        on_init_error(api, x);
}

/* ── start and stop ── */

latch_status latch_api_start(latch_loop *loop, const latch_api_config *config, latch_api **out, latch_err *err) {
    latch_api *api = latch_alloc(sizeof *api);
    api->config = *config;
    api->loop = loop;
    api->given = latch_alloc((config->concurrency + 1) * sizeof(latch_invocation *));
    latch_api_uuid(api->token);
    *out = api;
    latch_server_config server = {
        .host = "127.0.0.1", .max_body_bytes = LATCH_PAYLOAD_BYTES, .on_request = on_request, .on_head = on_head, .arg = api};
    latch_status status = latch_server_start(loop, &server, &api->server, err);
    if (status == LATCH_OK) return status;
    latch_api_stop(api);
    *out = NULL;
    return status;
}

void latch_api_stop(latch_api *api) {
    if (api == NULL) return;
    latch_api_begin(api);
    latch_server_stop(api->server);
    latch_api_streams_clean_up(api);
    free(api->waiting);
    free(api->given);
    free(api);
}

uint16_t latch_api_port(const latch_api *api) { return latch_server_port(api->server); }

const char *latch_api_token(const latch_api *api) { return api->token; }

void latch_api_begin(latch_api *api) {
    drop_waiting(api, "this process was stopped");
    latch_api_faults_clean_up(api, true);
    latch_api_life_begin(api);
    api->given_count = 0;
    api->asked = api->announced = api->served = api->init_failed = api->fatal = false;
}
