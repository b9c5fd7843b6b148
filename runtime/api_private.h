/*
 * runtime/api_private.h - how a request is written, sent over the kept connection, and answered. For the files runtime/api*.c and
 * what tells of an end, runtime/ending.c.
 *
 *     latch_text_writer t = latch_api_begin_request(api, "GET", LATCH_STR(LATCH_API_RUNTIME "restore/next"));
 *     latch_api_exchange x = {.waits = true, .arena = arena, .limits = {…}};
 *     LATCH_TRY(latch_api_end_request(api, &t, &x.head));
 *     LATCH_TRY(latch_api_perform(api, &x));
 *     … x.wire.status, latch_wire_header(&x.wire, …)
 *
 * Each failure is in api->cx's error.
 */
#ifndef LATCH_RUNTIME_API_PRIVATE_H
#define LATCH_RUNTIME_API_PRIVATE_H

#include <sys/uio.h>

#include "core/ctx_private.h"
#include "core/text.h"
#include "core/wire.h"
#include "runtime/api.h"

#define LATCH_API_RUNTIME "/2018-06-01/runtime/"
#define LATCH_API_TRIES 5                     /* before the service was ever heard: with 100, 200, 400 and 800 ms between them */
#define LATCH_API_FIRST_PAUSE_MS INT64_C(100) /* of latch_api_pause_ms then */
#define LATCH_API_ANSWER_S 10                 /* for a POST; a service on loopback that is silent so long is gone */

typedef struct latch_api_exchange {
    latch_str head, body;
    bool waits;          /* for the answer, as long as it takes: /next and its like */
    int64_t until_at_ms; /* a receive that doesn't: until then, by cx's clock; 0: each read has LATCH_API_ANSWER_S */
    latch_arena *arena;  /* the answer's; api->answers for what is looked at at once */
    latch_wire_limits limits;
    latch_wire wire; /* the answer */
} latch_api_exchange;

static inline latch_err *latch_api_err(const latch_api *api) { return &api->cx->err; }

/* ── the connection: libcurl's, in api->fd; LATCH_E_NETWORK says why there is none. Connected already: nothing to do ─────────────────── */

LATCH_NODISCARD latch_status latch_api_dial(latch_api *api);
void latch_api_hang_up(latch_api *api);

/* ── what a head is made of: async-signal-safe where `t` is on a buffer. `path` is the whole one ──────────────────────────── */

/* Its line, whom it is to, whom it is from. */
void latch_api_put_request(latch_text_writer *t, const latch_api *api, const char *method, latch_str path);
void latch_api_put_header(latch_text_writer *t, const char *name, latch_str value); /* no line ends in it; an empty one isn't sent */

/* "…/invocation/ID/response", or another outcome. */
#define LATCH_API_PATH_BYTES (3 * LATCH_REQUEST_ID_MAX_BYTES + 64)
latch_str latch_api_write_path(char at[LATCH_API_PATH_BYTES], const latch_invocation *invocation, const char *outcome);

/* ── a head: in api->head, one at a time ───────────────────────────────────────────────────────────────────────────────────── */

latch_text_writer latch_api_begin_request(latch_api *api, const char *method, latch_str path);
void latch_api_put_failure(latch_text_writer *t, const latch_failure *failure); /* the two headers of an error */

/* To latch_api_write_path, with what goes back with every outcome. */
latch_text_writer latch_api_begin_outcome(latch_api *api, const latch_invocation *invocation, const char *outcome);

/* LATCH_E_MISUSE: it has over LATCH_API_HEAD_BYTES. */
LATCH_NODISCARD latch_status latch_api_end_request(latch_api *api, latch_text_writer *t, latch_str *head);

/* ── exchanges ───────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/*
 * Once, or a second time where a kept connection was dead. LATCH_OK: answered, whatever the answer. Else the connection is closed and the
 * arena is as it was: LATCH_E_NETWORK, LATCH_E_TIMEOUT, LATCH_E_NOMEM.
 */
LATCH_NODISCARD latch_status latch_api_perform(latch_api *api, latch_api_exchange *x);

/* All of `parts`, which are used up; their halves. The connection stays open whatever happens. */
LATCH_NODISCARD latch_status latch_api_send(latch_api *api, struct iovec *parts, size_t count);
LATCH_NODISCARD latch_status latch_api_receive(latch_api *api, latch_api_exchange *x);

/* Up to deadline_at_ms, as cx's clock is now; LATCH_API_ANSWER_S where there is none. */
int latch_api_patience_ms(const latch_api *api, int64_t deadline_at_ms);

/* Whether there is something to read; false: not in that time, or not 200 ms after the process was told to stop. */
bool latch_api_await(const latch_api *api, int64_t deadline_at_ms);

/* What was sent of `message` is used up. */
void latch_api_advance(struct msghdr *message, size_t sent);

/* `x` is whole, its head NULL where it was too long. Again as api.h says, until deadline_at_ms; `what` is for the log. */
latch_api_verdict latch_api_deliver(latch_api *api, latch_api_exchange *x, int64_t deadline_at_ms, const char *what);

/* The same, with Content-Type and -Length put behind what is in *t. */
latch_api_verdict latch_api_post(latch_api *api, latch_text_writer *t, latch_str body, int64_t deadline_at_ms, const char *what);

/* What the answer of a POST means, logged where it isn't good. */
LATCH_NODISCARD latch_api_verdict latch_api_judge(latch_api *api, const latch_wire *answer, const char *what);

void latch_api_stream_init(latch_api *api);

/*
 * For an ending, async-signal-safe: from here on it alone sends of this worker's stream, and a worker that comes to a send waits for the
 * process's end. False: the worker is in the middle of one that doesn't end; then nothing is known of the stream.
 */
LATCH_NODISCARD bool latch_api_take_line(latch_api *api);

/* In the handler of a signal, on the worker's own thread. True: it can't be acted upon yet, and comes again as soon as it can. */
static inline bool latch_api_holds_signal(latch_api *api, int number) {
    if (atomic_load(&api->line) != LATCH_API_LINE_WORKER) return false;
    api->held = number;
    return true;
}

/* Before try `tries` + 1: first_ms doubled so often, up to 5 s. */
int64_t latch_api_pause_ms(int64_t first_ms, unsigned tries);
void latch_api_pause(latch_api *api, int64_t ms); /* ends early where the process is stopping */

static inline bool latch_api_is_stopping(const latch_api *api) { return api->stopping != NULL && atomic_load(api->stopping); }

#endif
