/*
 * latch_test.h - the test kit for handlers: an event goes in, its outcome is looked at; a clock that you move; a store in memory that fails
 * when it is told to. Nothing is started, nothing is slept, nothing leaves the process. Asserting is your test framework's.
 *
 *     latch_test *t = latch_test_open(&(latch_test_options){.main = latch_function_main});
 *     const latch_test_outcome *o = latch_test_http(t, "hello", &(latch_test_request){.path = "/hello", .body = "{\"name\":\"Ada\"}"});
 *     assert(o->http_status == 200 && strcmp(latch_test_text(o, "hello"), "Ada") == 0);
 *     latch_test_close(t);
 *
 * Link latch::test (CMake) or -llatch_test in front of -llatch. There LATCH_RUN doesn't poll, it hands its table to the kit; so the test is
 * made of the function's own files, whose main has been renamed: -Dmain=latch_function_main, which CMake's latch_add_test does.
 *
 * A latch_test is one sandbox of Lambda: a process for each handler, warm from its first call on. It is used by one thread. What ends the
 * program with a line on standard error: no memory, and the kit used against its words. What is wrong with a handler or its table is an
 * outcome, as on Lambda.
 */
#ifndef LATCH_TEST_H
#define LATCH_TEST_H

#include "latch.h"

LATCH_BEGIN_C

typedef struct latch_test latch_test;

int latch_function_main(void); /* the main of your function, renamed */

typedef struct latch_test_options {
    int (*main)(void);             /* latch_function_main; it is called once, and what it gives LATCH_RUN is tested */
    const latch_handler *handlers; /* where `main` is NULL: the table itself; borrowed */
    size_t handler_count;
    int64_t now_ms;     /* when the clock begins; 0: 2026-01-01T00:00:00Z */
    int64_t timeout_ms; /* the function's Timeout; 0: 10 s */
    size_t arena_bytes; /* memory of one invocation; 0: 16 MiB. On Lambda it is LATCH_ARENA_MB */
    latch_test *beside; /* one more sandbox on the clock and the store of this one, which is closed later; NULL: its own, and empty */

    /* What each event brings along, for runtime/context.h; borrowed. NULL: it doesn't. A sandbox is one tenant's, another's is `beside`. */
    const char *tenant_id;
    const char *client_context;   /* JSON, as the next */
    const char *cognito_identity; /* "{\"cognitoIdentityId\":\"id\",\"cognitoIdentityPoolId\":\"pool\"}" */
    const char *function_arn;
    const char *trace_id; /* "Root=1-…;Parent=…;Sampled=1": what latch_fetch passes on */
} latch_test_options;

latch_test *latch_test_open(const latch_test_options *options) LATCH_NONNULL;
void latch_test_close(latch_test *t); /* its outcomes and their text end with it; NULL: nothing */

/*
 * ── time ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
 *
 * It stands still but for this, for what the stores wait before they repeat a request, and for requests that are never answered.
 */
int64_t latch_test_now_ms(const latch_test *t) LATCH_NONNULL;
void latch_test_pass(latch_test *t, int64_t ms) LATCH_NONNULL; /* never back */

/*
 * ── outcomes ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
 *
 * Every text is NUL-terminated, empty where there is none, and lives until latch_test_close or latch_test_forget.
 */
typedef struct latch_test_outcome {
    latch_status status;       /* LATCH_OK: the event was answered, whatever its HTTP status; else why the invocation failed */
    bool init_failed;          /* the entry is wrong, or its .init failed: the event reached no handler; the next call begins anew */
    const char *error_type;    /* "CardDeclined"; "Sandbox.Timedout": the clock has passed the Timeout */
    const char *error_message; /* as the log has it */
    const char *reply;         /* what Lambda is answered */
    int http_status;           /* of a handler of HTTP; 0 where the invocation failed: API Gateway then answers 500 or 502 of its own */
    const char *body;          /* of a handler of HTTP, base64 undone; else the reply */
    size_t body_bytes;
    bool streamed;             /* the answer went out as a stream (runtime/stream.h): its status, headers and body are above, as far as they
                                  were sent, also where `status` says that it broke off */
    const char *trailer_type;  /* of a stream that broke off: "Function.CardDeclined" */
    const char *trailer_error; /* and the error's JSON, base64 undone */
    size_t failed_count;       /* of a batch: its records in batchItemFailures */
    uint64_t requests;         /* to the store, repeats among them */
    int64_t took_ms;           /* by the kit's clock */
    const char *log;           /* a JSON record a line; what was counted (runtime/metrics.h) is a line of it too, as on Lambda */
} latch_test_outcome;

/* A value in the body, "receipt" or "items[0].sku": text as it is, anything else as JSON. Empty where there is none. */
const char *latch_test_text(const latch_test_outcome *outcome, const char *path) LATCH_NONNULL;

/* The body for latch_read; null where it is no JSON. */
latch_json latch_test_body(const latch_test_outcome *outcome) LATCH_NONNULL;

/* A header of an HTTP reply in whatever form it went out; "set-cookie" comes as often as there are cookies. Names compare without case. */
const char *latch_test_header(const latch_test_outcome *outcome, const char *name) LATCH_NONNULL;
const char *latch_test_header_at(const latch_test_outcome *outcome, const char *name, size_t i) LATCH_NONNULL;

/* Whether a record is in batchItemFailures: its messageId or sequence number. */
bool latch_test_record_failed(const latch_test_outcome *outcome, const char *id) LATCH_NONNULL;

/* How many records of the log have this message; and a field of the first that does. */
size_t latch_test_logged(const latch_test_outcome *outcome, const char *message) LATCH_NONNULL;
const char *latch_test_logged_text(const latch_test_outcome *outcome, const char *message, const char *name) LATCH_NONNULL;

/*
 * What the event counted by latch_metric, all lines of it together; all zero, and no unit, where it has no such metric. A handler under test
 * always counts: where neither LATCH_METRICS_NAMESPACE nor latch_metrics_use in its init says it, its namespace is "latch_test". Lines go out
 * after the event; of one that ran into the Timeout (Sandbox.Timedout) only those that went out before. What CloudWatch would refuse isn't counted,
 * and is in the log: "a metric is dropped". ColdStart, where it is asked for, is counted with a handler's first event.
 */
typedef struct latch_test_metric {
    size_t count; /* of its values */
    double sum;
    double last;
    const char *unit; /* "Count"; empty: there is no such metric */
    bool high;        /* kept second by second */
} latch_test_metric;
latch_test_metric latch_test_counted(const latch_test_outcome *outcome, const char *name) LATCH_NONNULL;

/* The dimension's value by which the metric was counted, in the first line that has it; empty where it goes by no such dimension. */
const char *latch_test_counted_by(const latch_test_outcome *outcome, const char *name, const char *dimension) LATCH_NONNULL;

/*
 * What the event's trace would have under this name (core/span.h): a step of the handler's own, "price"; a call of the store by its operation,
 * "UpdateItem", whose detail is its table; a fetch by its method, whose detail is its URL. All of that name together; all zero where there is
 * none. Of more than 64 steps an event, the last are known.
 */
typedef struct latch_test_step {
    size_t count;
    size_t failed;      /* neither LATCH_OK nor a refusal */
    size_t left_open;   /* at the event's end; those of a record end with it */
    int64_t took_ms;    /* by the kit's clock, one added to the other */
    const char *detail; /* of the first; empty: it has none */
} latch_test_step;
latch_test_step latch_test_stepped(const latch_test_outcome *outcome, const char *name) LATCH_NONNULL;

void latch_test_forget(latch_test *t) LATCH_NONNULL; /* all outcomes so far are gone: for a test that makes very many */

/*
 * ── events ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
 *
 * `handler` is a name in the table. No outcome is NULL.
 */
const latch_test_outcome *latch_test_event(latch_test *t, const char *handler, const char *json) LATCH_NONNULL;
const latch_test_outcome *latch_test_event_bytes(latch_test *t, const char *handler, latch_str bytes) LATCH_NONNULL;

/* A file of JSON; LATCH_E_INPUT where it can't be read. */
const latch_test_outcome *latch_test_file(latch_test *t, const char *handler, const char *path) LATCH_NONNULL;

typedef enum latch_test_form { LATCH_TEST_HTTP_API, LATCH_TEST_FUNCTION_URL, LATCH_TEST_REST_API, LATCH_TEST_BALANCER } latch_test_form;
#define LATCH_TEST_HEADERS_MAX 32

typedef struct latch_test_request {
    const char *path;                                    /* "/products/tea?colour=green%20tea", encoded as a client sends it; NULL: "/" */
    const char *method;                                  /* NULL: GET, or POST where there is a body */
    const char *body;                                    /* NULL: none. What is no UTF-8 goes in base64, as API Gateway has it */
    size_t body_bytes;                                   /* 0: up to its NUL */
    const char *headers[2 * LATCH_TEST_HEADERS_MAX + 1]; /* "Idempotency-Key", "k-1", …; each name once. What isn't there is added: a host,
                                                            the client's address, for a body a content type of JSON */
    const char *client;                                  /* its address; NULL: "192.0.2.1" */
    latch_test_form form;
} latch_test_request;
const latch_test_outcome *latch_test_http(latch_test *t, const char *handler, const latch_test_request *request) LATCH_NONNULL;

typedef struct latch_test_message {
    const char *body;
    const char *id;    /* NULL: "message-1" for the first of the batch, "message-2", … */
    const char *group; /* the queue is a FIFO queue, and this is the message's group; NULL: none */
    int64_t receives;  /* how often it was received, this time included; 0: 1 */
} latch_test_message;
const latch_test_outcome *latch_test_queue(latch_test *t, const char *handler, const latch_test_message *messages,
                                           size_t count) LATCH_NONNULL;

/* What a schedule of EventBridge sends, its time the clock's. */
const latch_test_outcome *latch_test_schedule(latch_test *t, const char *handler) LATCH_NONNULL;

/*
 * ── a store that fails, and another caller ─────────────────────────────────────────────────────────────────────────────────
 *
 * Both are of the next event alone. Its requests count from 1, repeats among them: what fails once is repeated by the client where that is
 * safe, so an outage needs a count of 0. A handler whose entry doesn't say .stores = true has no store, as on Lambda.
 */
typedef enum latch_test_fault {
    LATCH_TEST_NOT_SENT,    /* no connection: nothing was applied */
    LATCH_TEST_LOST,        /* never answered, not applied, which nobody can know; the clock goes on to the request's end */
    LATCH_TEST_ANSWER_LOST, /* the same, and applied */
    LATCH_TEST_DOWN,        /* answered with 500, not applied */
    LATCH_TEST_THROTTLED,   /* told to slow down */
    LATCH_TEST_DENIED       /* the policy doesn't allow it */
} latch_test_fault;

/* `count` requests from the `first` on; 0: all of them. Up to 8 at once, of which the first that fits counts. */
void latch_test_fail(latch_test *t, latch_test_fault fault, size_t first, size_t count) LATCH_NONNULL;

/*
 * The client of the next event's stream is gone as soon as it has had `bytes` of it: whoever writes more hears LATCH_E_NETWORK, and nothing
 * more arrives.
 */
void latch_test_hang_up(latch_test *t, size_t bytes) LATCH_NONNULL;

/* `run` is called just before the `nth` request: another sandbox's event (`beside`), or time that passes. A race without threads. */
void latch_test_meanwhile(latch_test *t, size_t nth, void (*run)(void *arg), void *arg) __attribute__((nonnull(1, 3)));

/*
 * A context of another caller's, for calls of the stores by hand: to put something there before, to look at it afterwards. Nothing of it
 * fails. Locks taken through it are held until latch_test_context_end, which is called before the next latch_test_context.
 */
latch_ctx *latch_test_context(latch_test *t) LATCH_NONNULL;
void latch_test_context_end(latch_test *t) LATCH_NONNULL;

LATCH_END_C

#endif
