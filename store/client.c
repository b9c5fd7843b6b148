#include "store/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "core/span.h"
#include "store/errors.h"
#include "store/table.h"

#define IDLE_TRY_MS 250                     /* on a connection that may be dead: what a call that may be repeated spends to find out */
#define SKEW_LEAST_MS (4 * LATCH_MINUTE_MS) /* below, a refused signature has another reason: DynamoDB allows 5 minutes */
#define NAME_MAX_BYTES 64                   /* of an error's, in the log */
#define FAIR_TRY_MS 100                     /* silence for less says nothing about the other side */

latch_client_options latch_client_defaults(void) {
    return (latch_client_options){.max_retries = 3,
                                  .request_timeout_ms = 30 * LATCH_SECOND_MS,
                                  .item_try_ms = LATCH_SECOND_MS,
                                  .retry_base_ms = 25,
                                  .max_connections = 50,
                                  .capacity = true,
                                  .waits = true,
                                  .breaker = true,
                                  .breaker_failures = 5,
                                  .breaker_open_ms = LATCH_MINUTE_MS};
}

void latch_client_init(latch_client *client, latch_transport transport, const latch_client_options *options) {
    const latch_client_options o = options != NULL ? *options : latch_client_defaults();
    *client = (latch_client){.transport = transport, .options = o, .pace = &client->own};
    latch_pace_init(&client->own, &(latch_pace_options){.base_ms = o.retry_base_ms,
                                                        .breaker = o.breaker,
                                                        .failures = o.breaker_failures,
                                                        .open_ms = o.breaker_open_ms,
                                                        .waits = o.waits});
}

void latch_client_clean_up(latch_client *client) {
    if (client->pace != NULL) latch_pace_clean_up(&client->own);
    client->pace = NULL;
    free(client->rate);
    client->rate = NULL;
    free(client->watch);
    client->watch = NULL;
}

void latch_client_put_capacity(const latch_ctx *cx, latch_text_writer *t) {
    if (cx->table != NULL && cx->table->client->options.capacity) latch_text_put(t, LATCH_STR(",\"ReturnConsumedCapacity\":\"TOTAL\""));
}

/* One call, from its first try to what is told of it. */
typedef struct run {
    latch_ctx *cx;
    latch_client *client;
    const latch_call *call;
    latch_answer *answer;
    latch_pace_ticket ticket;
    int64_t deadline_at_ms;
    int64_t request_us, waited_us;
    int64_t retry_after_ms, moved_ms; /* of the last answer */
    int64_t try_ms;                   /* that the last try had */
    latch_verdict verdict;            /* of the last try */
    int retries;                      /* that were paid for */
    int throttled;                    /* tries */
    bool lost;                        /* a try of it may have been applied, or may still be */
    bool clock_mended, keys_renewed;
    bool outdated;       /* the clock was put right, and the document has times of the wrong one */
    const char *gave_up; /* why it isn't tried again though it might help; "" else */
} run;

static bool may_repeat(const latch_call *call) { return call->reads || call->repeatable; }

/* ── what an answer means ───────────────────────────────────────────────────────────────────────────────────────────────── */

/* "UpdateItem after 4 tries, no time for another" */
typedef struct what {
    char text[128];
} what;
static what what_of(const run *r) {
    what w;
    const char *operation = r->call->operation;
    int tries = r->answer->tries;
    if (tries == 1 && *r->gave_up == '\0') {
        snprintf(w.text, sizeof w.text, "%.64s", operation);
    } else {
        snprintf(w.text, sizeof w.text, "%.64s after %d %s%s", operation, tries, tries == 1 ? "try" : "tries", r->gave_up);
    }
    return w;
}

static const char *or_default(const char *name, const char *fallback) { return name != NULL ? name : fallback; }

/* The one table that a request names; empty: it names several, or none. */
static latch_str table_of(const latch_call *call) {
    static const char member[] = "\"TableName\":\"";
    if (strncmp(call->operation, "Transact", 8) == 0 || strncmp(call->operation, "Batch", 5) == 0) return LATCH_STR("");
    const char *found = memmem(call->request.ptr, call->request.len, member, sizeof member - 1);
    if (found == NULL) return LATCH_STR("");
    const char *from = found + sizeof member - 1, *to = memchr(from, '"', call->request.len - (size_t)(from - call->request.ptr));
    return to != NULL ? (latch_str){from, (size_t)(to - from)} : LATCH_STR("");
}

static bool say_missing_table(const run *r, const char *begin) {
    const latch_table *table = r->cx->table;
    latch_str name = table_of(r->call);
    if (name.len == 0 || !latch_str_eq(r->answer->error, LATCH_STR("ResourceNotFoundException"))) return false;
    if (!latch_str_eq(name, latch_str_of(table->name))) {
        (void)latch_err_set(&r->cx->err, r->verdict.status, "%s: there is no table %.*s: create it, or look at region and endpoint", begin,
                            LATCH_ARG(name));
        return true;
    }
    (void)latch_err_set(&r->cx->err, r->verdict.status,
                        "%s: there is no table %s: latch table create %s makes it (string keys %s and %s, time to live %s); or let "
                        "LATCH_TABLE name another",
                        begin, table->name, table->name, or_default(table->pk, "pk"), or_default(table->sk, "sk"),
                        or_default(table->ttl, "ttl"));
    return true;
}

static void say_answer(const run *r) {
    const latch_answer *a = r->answer;
    latch_err *err = &r->cx->err;
    latch_status status = r->verdict.status;
    what w = what_of(r);
    if (a->body.node == NULL) {
        (void)latch_err_set(err, status, "%s: HTTP %d, and its body is no JSON of DynamoDB's: %s", w.text, a->http_status, err->message);
    } else if (latch_str_eq(a->error, LATCH_STR("LimitExceededException")) && status == LATCH_E_MISUSE) {
        (void)latch_err_set(err, status, "%s: the store is full: delete, shorten times to live, or give it more bytes: %.*s", w.text,
                            LATCH_ARG(a->message));
    } else if (a->error.len == 0) {
        (void)latch_err_set(err, status, "%s: HTTP %d, without an error's name: does DynamoDB answer at this endpoint?", w.text,
                            a->http_status);
    } else if (!say_missing_table(r, w.text)) {
        (void)latch_err_set(err, status, "%s: HTTP %d %.*s: %.*s", w.text, a->http_status, LATCH_ARG(a->error), LATCH_ARG(a->message));
    }
    if (a->error.len > 0 && a->error.len < sizeof err->type) snprintf(err->type, sizeof err->type, "%.*s", LATCH_ARG(a->error));
}

/* DynamoDB answers with an object, whatever it says: other JSON is somebody else's. */
static latch_status parse(latch_ctx *cx, latch_str text, latch_json *out) {
    size_t i = 0;
    LATCH_TRY(latch_json_parse(cx, LATCH_E_DATA, "answer", text, out));
    while (i < text.len && strchr(" \t\r\n", text.ptr[i]) != NULL)
        i++;
    return i < text.len && text.ptr[i] == '{' ? LATCH_OK : latch_err_set(&cx->err, LATCH_E_DATA, "answer: is no object");
}

/* DynamoDB writes "message" or "Message", and may have nothing to say in it. */
static latch_status understand(run *r, const latch_reply *reply) {
    latch_answer *a = r->answer;
    latch_str type, message, message_too;
    a->http_status = reply->http_status;
    a->request_id = reply->request_id;
    latch_status status = parse(r->cx, reply->body, &a->body);
    if (status == LATCH_OK && reply->http_status == 200) return status;
    if (status == LATCH_OK)
        status = latch_read(a->body, "__type", latch_optional(&type), "message", latch_optional(latch_bytes(&message, 0, INT64_MAX)),
                            "Message", latch_optional(latch_bytes(&message_too, 0, INT64_MAX)));
    if (status == LATCH_E_NOMEM) {
        r->verdict = (latch_verdict){.status = status, .lost = true};
        return status;
    }
    if (status != LATCH_OK) a->body.node = NULL;
    if (status == LATCH_OK) {
        a->error = latch_error_name(type);
        a->message = message.len > 0 ? message : message_too;
    }
    r->verdict = latch_error_judge(r->call->operation, reply->http_status, a->error, a->body);
    return r->verdict.status;
}

/* ── one try ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* What the transport needed beside its answer goes back to the arena; the id, which is short, is kept behind the body. */
static void keep(latch_ctx *cx, size_t mark, latch_reply *reply) {
    char id[sizeof((latch_usage_failure *)NULL)->request_id];
    size_t id_len = reply->request_id.len < sizeof id ? reply->request_id.len : 0;
    if (id_len > 0) memcpy(id, reply->request_id.ptr, id_len);
    if (reply->body.ptr == NULL) {
        latch_arena_rewind(cx->arena, mark);
        reply->body = LATCH_STR("");
    } else {
        reply->body.ptr = latch_arena_keep(cx->arena, mark, reply->body.ptr, reply->body.len);
    }
    reply->request_id = id_len > 0 ? latch_arena_copy(cx->arena, (latch_str){id, id_len}) : LATCH_STR("");
    if (reply->request_id.ptr == NULL) reply->request_id = LATCH_STR("");
}

static void move(int64_t *at_ms, int64_t by_ms) {
    if (*at_ms != INT64_MAX) *at_ms += by_ms;
}

/* Another context of the same invocation (a record of a batch has its own) has seen the clock move: this one's deadline does too. */
static void catch_up(latch_ctx *cx) {
    if (cx->usage == NULL || cx->usage->moved_ms == cx->moved_ms) return;
    move(&cx->deadline_at_ms, cx->usage->moved_ms - cx->moved_ms);
    cx->moved_ms = cx->usage->moved_ms;
}

/* Points in time are the clock's: what moves it moves them. */
static void move_with_clock(run *r, int64_t moved_ms) {
    r->moved_ms = moved_ms;
    if (moved_ms == 0) return;
    move(&r->deadline_at_ms, moved_ms);
    if (r->cx->usage == NULL) {
        move(&r->cx->deadline_at_ms, moved_ms);
        return;
    }
    r->cx->usage->moved_ms += moved_ms;
    catch_up(r->cx);
}

static latch_send send_of(run *r) {
    int64_t now_ms = latch_clock_wall_ms(&r->cx->clock), left_ms = r->deadline_at_ms - now_ms;
    int tries_left = may_repeat(r->call) ? r->client->options.max_retries + 1 - r->retries : 1;
    bool is_last = tries_left <= 1;
    int64_t most_ms = r->call->item ? r->client->options.item_try_ms : 0;
    r->try_ms = left_ms / (is_last ? 1 : tries_left);
    if (most_ms > 0 && r->try_ms > most_ms) r->try_ms = most_ms;
    if (r->try_ms < 1) r->try_ms = 1;
    int64_t idle_ms = r->try_ms < IDLE_TRY_MS ? r->try_ms : IDLE_TRY_MS;
    return (latch_send){.operation = r->call->operation,
                        .request = r->call->request,
                        .deadline_at_ms = now_ms + r->try_ms,
                        .idle_deadline_at_ms = is_last || !latch_pace_affords(r->client->pace) ? 0 : now_ms + idle_ms};
}

static latch_status try_once(run *r) {
    latch_ctx *cx = r->cx;
    const latch_transport *transport = &r->client->transport;
    size_t mark = latch_arena_mark(cx->arena);
    const latch_send send = send_of(r);
    latch_reply reply;
    *r->answer = (latch_answer){.body = {cx, NULL}, .tries = r->answer->tries + 1};
    int64_t from_us = cx->clock.boot_us(cx->clock.self);
    latch_status status = transport->call(transport->self, &send, cx->arena, &reply, &cx->err);
    r->request_us += cx->clock.boot_us(cx->clock.self) - from_us;
    r->retry_after_ms = status == LATCH_OK ? reply.retry_after_ms : 0;
    move_with_clock(r, status == LATCH_OK ? reply.moved_ms : 0);
    if (status != LATCH_OK) {
        latch_arena_rewind(cx->arena, mark);
        bool again = status == LATCH_E_TIMEOUT || status == LATCH_E_NETWORK;
        r->verdict = (latch_verdict){.status = status, .again = again, .lost = cx->err.maybe_applied};
        return status;
    }
    keep(cx, mark, &reply);
    status = understand(r, &reply);
    if (r->verdict.remedy == LATCH_REMEDY_KEYS && transport->keys_refused != NULL) transport->keys_refused(transport->self);
    return status;
}

/* ── and the next ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool sleep_for(run *r, int64_t ms) {
    if (ms >= r->deadline_at_ms - latch_clock_wall_ms(&r->cx->clock)) return false;
    latch_clock_sleep_ms(&r->cx->clock, ms);
    r->waited_us += ms * 1000;
    return true;
}

/* A mistake that is mended by now, as the transport saw it too: the same bytes, signed anew, go at once, cost nothing. Each once a call. */
static bool is_mended(run *r) {
    int64_t moved_ms = r->moved_ms < 0 ? -r->moved_ms : r->moved_ms;
    if (r->verdict.remedy == LATCH_REMEDY_CLOCK && !r->clock_mended && moved_ms >= SKEW_LEAST_MS) {
        r->clock_mended = true;
        r->outdated = r->call->timed;
        return !r->outdated;
    }
    if (r->verdict.remedy != LATCH_REMEDY_KEYS || r->keys_renewed) return false;
    return r->keys_renewed = true;
}

static bool goes_again(run *r) {
    const latch_verdict *v = &r->verdict;
    if (is_mended(r)) return latch_clock_wall_ms(&r->cx->clock) < r->deadline_at_ms;
    if (!v->again || (v->lost && !may_repeat(r->call)) || r->retries >= r->client->options.max_retries) return false;
    int64_t delay_ms = latch_pace_delay_ms(r->client->pace, v->throttled, r->retries, r->retry_after_ms);
    if (delay_ms >= r->deadline_at_ms - latch_clock_wall_ms(&r->cx->clock)) {
        r->gave_up = ", no time for another";
        return false;
    }
    if (!latch_pace_spend(r->client->pace, v->throttled, &r->ticket)) {
        r->gave_up = ", too many calls need another";
        return false;
    }
    r->retries++;
    return sleep_for(r, delay_ms);
}

static latch_status send_until_answered(run *r) {
    size_t mark = latch_arena_mark(r->cx->arena);
    for (;;) {
        r->verdict = (latch_verdict){.status = LATCH_OK};
        latch_status status = try_once(r);
        if (status == LATCH_OK) return status;
        r->lost = r->lost || r->verdict.lost;
        r->throttled += r->verdict.throttled;
        r->ticket.throttled = r->throttled > 0;
        if (!goes_again(r)) return status;
        latch_arena_rewind(r->cx->arena, mark); /* an answer that can't be used takes nothing from the next */
    }
}

/* ── what is told of it ─────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Only silence and 5xx count against the other side, and silence only where there was time to speak. */
static latch_pace_outcome outcome_of(const run *r) {
    int http_status = r->answer->http_status;
    latch_status status = r->verdict.status;
    if (http_status == 0 && status == LATCH_E_TIMEOUT) return r->try_ms < FAIR_TRY_MS ? LATCH_PACE_UNDECIDED : LATCH_PACE_FAILED;
    if (http_status == 0) return status == LATCH_E_NETWORK ? LATCH_PACE_FAILED : LATCH_PACE_UNDECIDED;
    if (status == LATCH_OK) return LATCH_PACE_SERVED;
    return http_status >= 500 || (http_status == 200 && status == LATCH_E_DATA) ? LATCH_PACE_FAILED : LATCH_PACE_ANSWERED;
}

/* A transport may begin its messages with the operation, as this file does. */
static const char *without_operation(const char *message, const char *operation) {
    size_t len = strlen(operation);
    return strncmp(message, operation, len) == 0 && strncmp(message + len, ": ", 2) == 0 ? message + len + 2 : message;
}

static void say_failure(run *r) {
    latch_err *err = &r->cx->err;
    what w = what_of(r);
    if (r->answer->http_status != 0 && r->verdict.status != LATCH_E_NOMEM) {
        say_answer(r);
    } else if (r->answer->tries > 0) {
        (void)latch_err_set(err, r->verdict.status, "%s: %s", w.text, without_operation(err->message, r->call->operation));
    }
    err->maybe_applied = r->lost && !r->call->reads;
    if (r->outdated) err->retry_at_ms = latch_clock_wall_ms(&r->cx->clock);
}

static void copy_text(char *to, size_t room, latch_str s) {
    latch_str cut = latch_str_cut(s, room - 1);
    snprintf(to, room, "%.*s", LATCH_ARG(cut));
}

static void keep_failure(const run *r, latch_usage_failure *out) {
    const latch_answer *a = r->answer;
    const latch_err *err = &r->cx->err;
    bool named = strcmp(err->type, latch_status_name(err->status)) != 0;
    *out = (latch_usage_failure){.status = err->status, .http_status = a->http_status, .tries = a->tries};
    out->retryable = r->verdict.again || err->retry_at_ms != 0 || err->status == LATCH_E_TIMEOUT;
    copy_text(out->name, sizeof out->name, a->error.len > 0 ? a->error : latch_str_of(named ? err->type : ""));
    if (err->status == LATCH_E_TIMEOUT) copy_text(out->name, sizeof out->name, LATCH_STR("OperationTimeout"));
    copy_text(out->message, sizeof out->message, a->message.len > 0 ? a->message : latch_str_of(err->message));
    copy_text(out->request_id, sizeof out->request_id, a->request_id);
}

/* What is no figure of DynamoDB's counts for nothing. */
static uint64_t milli(double units) { return units > 0 && units < 1e9 ? (uint64_t)(units * 1000 + 0.5) : 0; }

static void add_capacity(latch_answer *a, latch_json consumed, bool reads) {
    double units, read, write;
    if (latch_read(consumed, "CapacityUnits", latch_optional(&units), "ReadCapacityUnits", latch_optional(&read), "WriteCapacityUnits",
                   latch_optional(&write)) != LATCH_OK)
        return;
    if (read == 0 && write == 0) *(reads ? &read : &write) = units; /* of one item, DynamoDB gives the sum alone */
    a->read_milli_units += milli(read);
    a->write_milli_units += milli(write);
}

/* One object, or a list of one a table. Where it can't be read, nothing is counted: the call stands. */
static void read_capacity(const run *r) {
    latch_answer *a = r->answer;
    const latch_err before = r->cx->err;
    latch_json consumed;
    if (!latch_has(a->body, "ConsumedCapacity")) return;
    if (latch_read(a->body, "ConsumedCapacity", &consumed) == LATCH_OK) {
        size_t count = latch_count(consumed);
        for (size_t i = 0; i < count; i++)
            add_capacity(a, latch_at(consumed, i), r->call->reads);
        if (count == 0) add_capacity(a, consumed, r->call->reads);
    }
    r->cx->err = before;
}

static void account(const run *r, latch_status status) {
    latch_usage *u = r->cx->usage;
    const latch_answer *a = r->answer;
    if (u == NULL) return;
    u->calls++;
    u->requests += (uint64_t)a->tries;
    u->retries += a->tries > 1 ? (uint64_t)a->tries - 1 : 0;
    u->throttled += (uint64_t)r->throttled;
    u->read_milli_units += a->read_milli_units;
    u->write_milli_units += a->write_milli_units;
    u->request_us += r->request_us;
    u->waited_us += r->waited_us;
    if (status != LATCH_OK) keep_failure(r, &u->failure);
}

static void end_span(const run *r, latch_span span, latch_status status) {
    const latch_answer *a = r->answer;
    latch_span_facts facts = {.requests = (uint32_t)a->tries,
                              .throttled = (uint32_t)r->throttled,
                              .milli_units = a->read_milli_units + a->write_milli_units,
                              .http_status = a->http_status,
                              .error = a->error,
                              .request_id = a->request_id};
    if (status != LATCH_OK && a->error.len == 0) facts.error = latch_str_of(r->cx->err.type);
    latch_span_tell(r->cx, span, &facts);
    latch_span_end(r->cx, span, status);
}

/* Never a key or a value: an error's message may have some, its name has none, and whoever answers isn't to fill the log with one. */
static void log_call(const run *r, latch_status status) {
    const latch_answer *a = r->answer;
    latch_info(r->cx, "dynamodb", "operation", r->call->operation, "outcome",
               a->error.len > 0 ? latch_str_cut(a->error, NAME_MAX_BYTES) : latch_str_of(latch_status_name(status)), "ms",
               (double)r->request_us / 1000, "waited_ms", (double)r->waited_us / 1000, "tries", (int64_t)a->tries, "read_units",
               (double)a->read_milli_units / 1000, "write_units", (double)a->write_milli_units / 1000, "dynamodb_request_id",
               a->request_id);
}

/* ── calls ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static int64_t deadline_of(const latch_ctx *cx, const latch_call *call, int64_t timeout_ms) {
    int64_t at_ms = cx->deadline_at_ms, until_ms;
    if (call->deadline_at_ms != 0 && call->deadline_at_ms < at_ms) at_ms = call->deadline_at_ms;
    bool overflows = __builtin_add_overflow(latch_clock_wall_ms(&cx->clock), timeout_ms, &until_ms);
    return timeout_ms > 0 && !overflows && until_ms < at_ms ? until_ms : at_ms;
}

static latch_status refuse_open(run *r) {
    latch_err *err = &r->cx->err;
    int64_t in_ms = r->ticket.retry_at_ms - latch_clock_wall_ms(&r->cx->clock);
    const latch_breaker b = latch_pace_look(r->client->pace, &r->cx->clock);
    (void)latch_err_set(err, LATCH_E_NETWORK,
                        "%s: not sent: DynamoDB didn't answer the last %d calls, the next one may try in %" PRId64 " ms; the last: %s",
                        r->call->operation, b.failures, in_ms > 0 ? in_ms : 0, b.last_failure);
    snprintf(err->type, sizeof err->type, "CircuitOpen");
    err->retry_at_ms = r->ticket.retry_at_ms;
    return LATCH_E_NETWORK;
}

/* The wait after throttling takes at most half of the time that is left: what isn't sent is never served, and would never speed up. */
static latch_status wait_and_send(run *r) {
    int64_t left_ms = r->deadline_at_ms - latch_clock_wall_ms(&r->cx->clock);
    if (left_ms > 0 && r->ticket.wait_ms > 0) (void)sleep_for(r, r->ticket.wait_ms < left_ms / 2 ? r->ticket.wait_ms : left_ms / 2);
    if (latch_clock_wall_ms(&r->cx->clock) < r->deadline_at_ms) return send_until_answered(r);
    r->verdict.status = LATCH_E_TIMEOUT;
    return latch_err_set(&r->cx->err, LATCH_E_TIMEOUT, "%s: no time left to send it", r->call->operation);
}

latch_status latch_client_check_open(latch_ctx *cx, const char *shown) {
    if (cx->table != NULL) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE,
                         "%s: no table is open: the handler's entry doesn't say .stores = true, or this call is not made from a handler",
                         shown);
}

latch_status latch_client_call(latch_ctx *cx, const latch_call *call, latch_answer *answer) {
    *answer = (latch_answer){.body = {cx, NULL}};
    LATCH_TRY(latch_client_check_open(cx, call->operation));
    latch_client *client = cx->table->client;
    catch_up(cx);
    run r = {.cx = cx, .client = client, .call = call, .answer = answer, .gave_up = ""};
    r.deadline_at_ms = deadline_of(cx, call, client->options.request_timeout_ms);
    latch_span span = {0};
    if (cx->spans != NULL) span = latch_span_begin_kind(cx, LATCH_SPAN_DYNAMODB, call->operation, table_of(call));
    bool admitted = latch_pace_begin(client->pace, &cx->clock, &r.ticket);
    latch_status status = admitted ? wait_and_send(&r) : refuse_open(&r);
    if (status == LATCH_OK) read_capacity(&r);
    answer->lost = r.lost && !call->reads;
    if (status != LATCH_OK && answer->tries > 0) say_failure(&r);
    r.ticket.why = cx->err.message;
    if (admitted) latch_pace_end(client->pace, &cx->clock, &r.ticket, answer->tries > 0 ? outcome_of(&r) : LATCH_PACE_UNDECIDED);
    account(&r, status);
    end_span(&r, span, status);
    if (client->options.logs) log_call(&r, status);
    return status;
}
