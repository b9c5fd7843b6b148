/* api_private.h - what the files of the Runtime API's side share. Not for others. */
#ifndef LATCH_LOCAL_API_PRIVATE_H
#define LATCH_LOCAL_API_PRIVATE_H

#include "api.h"

#define LATCH_API_EXTENSIONS 10 /* Lambda takes no more */
#define LATCH_API_OVER 256      /* invocations that are over and whose outcome may still come */
#define LATCH_API_INVALID_STATE "InvalidStateTransition"

typedef struct latch_api_extension {
    char *name;
    char id[37];
    bool invoke; /* it wants to hear of invocations */
    bool asked;  /* for its first event: until then initialisation goes on */
    latch_exchange *waiting;
} latch_api_extension;

typedef struct latch_api_over { /* what became of an invocation that is over */
    char id[37];
    bool late;        /* it had no outcome */
    bool answer_lost; /* the same post may come again */
} latch_api_over;

typedef struct latch_api_stream { /* a response that is coming */
    latch_api *api;
    latch_exchange *x;     /* NULL: its connection ended before it did */
    latch_invocation *inv; /* NULL: it is over, and what still comes is dropped */
    size_t bytes;
    int64_t capped_since_ns; /* 0: not throttled so far */
    latch_timer tick;        /* the next bytes may come */
    latch_timer look;        /* is its connection still there? libmicrohttpd 0.9.75 may miss an end that comes along with bytes */
    struct latch_api_stream *next;
} latch_api_stream;

typedef struct latch_api_slow { /* an answer that goes out in pieces */
    latch_api *api;
    latch_exchange *x;
    latch_buffer raw;
    size_t sent;
    latch_timer tick;
    struct latch_api_slow *next;
} latch_api_slow;

struct latch_api {
    latch_api_config config;
    latch_loop *loop;
    latch_server *server;
    latch_exchange **waiting; /* GETs of /next that have no event yet, the oldest first */
    size_t waiting_count;
    latch_invocation **given; /* handed out, and not over: config.concurrency of them */
    size_t given_count;
    uint64_t handed_out; /* since the start: what a fault's @N counts */
    bool asked;          /* this process has asked for its first event */
    bool announced;      /* and on_next was called: initialisation is over */
    bool served;         /* and was handed one */
    bool init_failed;
    bool fatal; /* it was told to end, by a 500 or an event without a request id */
    latch_api_extension extensions[LATCH_API_EXTENSIONS];
    size_t extension_count;
    latch_exchange *snapshot; /* a GET of /restore/next */
    bool restored;
    char token[37];
    latch_api_over over[LATCH_API_OVER]; /* a ring */
    size_t over_count;
    latch_api_stream *streams;
    latch_api_slow *slow;
};

static inline bool latch_api_is_managed(const latch_api *api) { return api->config.concurrency > 1; }

void latch_api_uuid(char out[37]);
void latch_api_json(latch_exchange *x, unsigned status, const char *body);
void latch_api_refuse(latch_exchange *x, unsigned status, const char *type, const char *message);
void latch_api_wrong_method(latch_exchange *x);
void latch_api_no_such_path(latch_exchange *x);
void latch_api_announce(latch_api *api); /* on_next, if somebody waits and every extension has asked for its first event */

/* A process that can't begin has posted why: answered, and told to one of the config's. */
void latch_api_take_failure(latch_api *api, latch_exchange *x, void (*tell)(void *arg, latch_buffer body, const char *type));

/* It took so long, by the loop's time, whatever became of it. */
static inline void latch_api_stop_watch(const latch_api *api, latch_invocation *inv) {
    inv->duration_ns = latch_loop_now_ns(api->loop) - inv->given_at_ns;
}

/*
 * The end of a post whose invocation was found: `inv` has its outcome in it, and keeps it unless its fault refuses the post. Answers,
 * as the fault says, and tells who waits for it.
 */
void latch_api_settle(latch_api *api, latch_exchange *x, latch_invocation *inv);

/* api_stream.c */
bool latch_api_stream_begin(latch_api *api, latch_exchange *x, latch_invocation *inv); /* in on_head. False: one is coming already */
bool latch_api_stream_end(latch_api *api, latch_exchange *x);                          /* in on_request. False: it is no stream */
void latch_api_stream_leave(latch_api *api, latch_invocation *inv);                    /* `inv` is over */
bool latch_api_is_streaming(const latch_api *api, const latch_invocation *inv);
void latch_api_streams_conclude(latch_api *api); /* those whose connections have ended: they failed */
void latch_api_streams_clean_up(latch_api *api); /* after the server's end */

/* api_life.c: extensions, SnapStart, credentials. False: the path is none of theirs. */
bool latch_api_life(latch_api *api, latch_exchange *x, const char *target, bool is_post);
void latch_api_life_tell(latch_api *api, const latch_invocation *inv); /* extensions, of an invocation */
void latch_api_life_begin(latch_api *api);
bool latch_api_life_is_ready(const latch_api *api);

/* api_fault.c */
latch_fault latch_api_fault_take(latch_invocation *inv, bool of_next);                  /* that is to happen now; NONE */
bool latch_api_fault_at_head(latch_api *api, latch_exchange *x, latch_invocation *inv); /* true: the post was cut */
void latch_api_fault_reply(latch_api *api, latch_exchange *x, latch_fault fault, const latch_reply *reply);
void latch_api_faults_clean_up(latch_api *api, bool hang_up);

#endif
