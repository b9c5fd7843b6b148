/* What AWS's emulator is asked to run: a handler for each thing it knows. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "latch.h"

static void sleep_ms(int64_t ms) { nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000}, NULL); }

/* {"do": "slow", "ms": 300}: what the event says, then who was asked. */
static latch_status act(latch_ctx *cx, latch_event *event) {
    latch_json body;
    latch_str what;
    int64_t ms = 0, bytes = 0;
    LATCH_TRY(latch_event_json(event, &body));
    LATCH_TRY(latch_read(body, "do", latch_optional(&what), "ms", latch_optional(&ms), "bytes", latch_optional(&bytes)));
    latch_info(cx, "asked", "do", what);
    if (latch_str_eq(what, LATCH_STR("fail"))) return latch_fail(cx, "CardDeclined", "the card was declined", "card", 7L);
    if (latch_str_eq(what, LATCH_STR("crash"))) raise(SIGSEGV);
    if (latch_str_eq(what, LATCH_STR("exit"))) exit(3);
    if (latch_str_eq(what, LATCH_STR("slow"))) sleep_ms(ms);
    if (latch_str_eq(what, LATCH_STR("hang"))) sleep_ms(60000);
    if (latch_str_eq(what, LATCH_STR("large"))) {
        char *text = malloc((size_t)bytes);
        if (text == NULL) return latch_fail(cx, "NoMemory", "no memory");
        memset(text, 'x', (size_t)bytes);
        text[0] = text[bytes - 1] = '"';
        latch_str copy = latch_copy(cx, (latch_str){text, (size_t)bytes});
        free(text);
        return latch_event_reply_bytes(event, copy);
    }
    latch_json context;
    LATCH_TRY(latch_client_context(cx, &context));
    return latch_event_reply(event, latch_object(cx, "id", latch_request_id(cx), "event", body, "context", context, "arn",
                                                 latch_function_arn(cx), "left", latch_left_ms(cx)));
}

/* {"pieces": 3, "fails": true}: so many pieces of 10 bytes, each sent on its own; or it "crashes" behind them. */
static latch_status stream(latch_ctx *cx, latch_event *event) {
    latch_json body;
    latch_stream *out;
    int64_t pieces;
    bool fails = false, crashes = false;
    LATCH_TRY(latch_event_json(event, &body));
    LATCH_TRY(latch_read(body, "pieces", &pieces, "fails", latch_optional(&fails), "crashes", latch_optional(&crashes)));
    LATCH_TRY(latch_event_stream(event, "text/plain", &out));
    for (int64_t i = 0; i < pieces; i++) {
        LATCH_TRY(latch_stream_write(out, LATCH_STR("0123456789")));
        LATCH_TRY(latch_stream_flush(out));
    }
    if (crashes) raise(SIGSEGV);
    return fails ? latch_fail(cx, "HalfDone", "not all of it is here") : LATCH_OK;
}

static latch_status say_goodbye(latch_ctx *cx, void *arg) {
    (void)arg;
    latch_info(cx, "goodbye");
    return LATCH_OK;
}

static latch_status init(latch_ctx *cx) { return latch_on_shutdown(cx, say_goodbye, NULL); }

static const latch_handler handlers[] = {
    {.name = "act", .event = act}, {.name = "stream", .event = stream}, {.name = "polite", .event = act, .init = init}};

int main(void) { return LATCH_RUN(handlers); }
