/* story.h - a play whose handler and hooks tell when they are called: in their order, in play.story, which again() empties. */
#ifndef TESTS_RUNTIME_STORY_H
#define TESTS_RUNTIME_STORY_H

#include "runtime/event.h"
#include "tests/runtime/play.h"

static inline void tell(const char *word) { strncat(play.story, word, sizeof play.story - strlen(play.story) - 1); }

/* A hook, and its argument. */
#define WORD(text) ((void *)(uintptr_t)(text))
static inline latch_status say(latch_ctx *cx, void *word) {
    (void)cx;
    tell(word);
    return LATCH_OK;
}

/* A handler. */
static inline latch_status answer(latch_ctx *cx, latch_event *event) {
    (void)cx;
    tell("event ");
    return latch_event_reply_bytes(event, LATCH_STR("\"ok\""));
}

#endif
