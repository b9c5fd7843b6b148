/*
 * play.h - the one stage of a test file whose rows each play on it, and what they look at when the play is over.
 *
 *     for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
 *         PLAY(&play, echoes, rows[i].script);
 *         assert_string_equal(asked(1), RESPONSE_LINE("r-1"));
 *     }
 *     …
 *     #define ROW(test) cmocka_unit_test_setup_teardown(test, play_set_up, play_tear_down)
 */
#ifndef TESTS_RUNTIME_PLAY_H
#define TESTS_RUNTIME_PLAY_H

#include <string.h>

#include "tests/check.h"
#include "tests/runtime/stage.h"

static stage play;

static inline int play_set_up(void **state) {
    (void)state;
    stage_set(&play);
    return 0;
}

static inline int play_tear_down(void **state) {
    (void)state;
    stage_strike(&play);
    return 0;
}

/* For the next row of a table. */
static inline void again(void) {
    stage_strike(&play);
    stage_set(&play);
}

/* Of the request with this number, from 0. */
static inline const char *asked(size_t i) { return server_line(&play.server.requests[i]); }
static inline const char *header(size_t i, const char *name) { return server_header(&play.server.requests[i], name); }
static inline char *body(size_t i) { return play.server.requests[i].body; }

static inline size_t count_asked(const char *line) {
    size_t n = 0;
    for (size_t i = 0; i < play.server.count && i < SERVER_REQUESTS_MAX; i++)
        n += strcmp(asked(i), line) == 0;
    return n;
}

#define assert_logged(text)                                                                                                                \
    do {                                                                                                                                   \
        if (strstr(play.written, (text)) == NULL) fail_msg("\"%s\" is not in the log:\n%s", (text), play.written);                         \
    } while (0)

#endif
