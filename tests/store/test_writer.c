#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/ctx.h"
#include "core/log.h"
#include "store/writer.h"
#include "tests/check.h"
#include "tests/store/lone.h"

static int set_up(void **state) {
    (void)state;
    lone_open(777, (size_t)1 << 20);
    return 0;
}

static latch_dynamodb_writer *open_writer(const latch_dynamodb_writer_options *options) {
    latch_dynamodb_writer *w = NULL;
    assert_int_equal(latch_dynamodb_writer_open(&ann.cx, options, &w), LATCH_OK);
    assert_non_null(w);
    return w;
}

static latch_json item_of(uint32_t key, int64_t v) {
    latch_str pk = latch_ctx_text(&ann.cx, "k%u", key);
    return v >= 0 ? latch_object(&ann.cx, "pk", pk, "sk", "s", "v", v) : latch_object(&ann.cx, "pk", pk, "sk", "s");
}

static latch_status put(latch_dynamodb_writer *w, uint32_t key, int64_t v) {
    return v >= 0 ? latch_dynamodb_writer_put(&ann.cx, w, item_of(key, v)) : latch_dynamodb_writer_delete(&ann.cx, w, item_of(key, v));
}

static int64_t stored(uint32_t key) {
    char pk[16];
    snprintf(pk, sizeof pk, "k%u", key);
    return rig_has(&world, pk, "s", "pk") ? rig_number(&world, pk, "s", "v") : -1;
}

static void flushes_when_it_is_full(void **state) {
    static const struct {
        size_t capacity, adds, requests_before_close, requests;
    } rows[] = {{0, 25, 0, 1}, {0, 26, 1, 2}, {0, 60, 2, 3}, {3, 7, 2, 3}, {100, 101, 4, 5}, {0, 0, 0, 0}};
    (void)state;
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        latch_dynamodb_written all;
        network_well(&net);
        latch_dynamodb_writer *w = open_writer(&(latch_dynamodb_writer_options){.capacity = rows[row].capacity});
        for (uint32_t i = 0; i < rows[row].adds; i++)
            assert_int_equal(put(w, i, i), LATCH_OK);
        assert_int_equal(net.requests, rows[row].requests_before_close);
        assert_int_equal(latch_dynamodb_writer_close(&ann.cx, w, &all), LATCH_OK);
        assert_int_equal(net.requests, rows[row].requests);
        assert_int_equal(all.requests, rows[row].requests);
        assert_int_equal(all.given, rows[row].adds);
        assert_int_equal(all.written, rows[row].adds);
        assert_int_equal(all.left, 0);
        for (uint32_t i = 0; i < rows[row].adds; i++)
            assert_int_equal(stored(i), i);
        caller_again(&ann);
    }
}

static void what_is_added_is_copied(void **state) {
    latch_dynamodb_written all;
    (void)state;
    latch_dynamodb_writer *w = open_writer(&(latch_dynamodb_writer_options){0});
    size_t mark = latch_arena_mark(&ann.arena);
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(put(w, i, i), LATCH_OK);
        latch_arena_rewind(&ann.arena, mark);
    }
    memset(latch_arena_alloc(&ann.arena, 4096), 'x', 4096);
    assert_int_equal(latch_dynamodb_writer_close(&ann.cx, w, &all), LATCH_OK);
    for (uint32_t i = 0; i < 20; i++)
        assert_int_equal(stored(i), i);
}

/* Random puts and deletes with flushes between them, over a network that fails so that calls do, too; keys that differ from the model. */
static size_t play(uint32_t seed, bool forgets) {
    enum { KEYS = 40 };
    int64_t wanted[KEYS];
    latch_dynamodb_written all;
    size_t wrong = 0, failures = 0;
    network_well(&net);
    net.gives_back_in = 3;
    net.refuses_connection_in = 2; /* four in a row: a call in 16 */
    net.loses_after_in = 7;
    net.forgets = forgets;
    ann.options.max_retries = 3;
    caller_again(&ann);
    for (size_t i = 0; i < KEYS; i++)
        wanted[i] = -1;
    latch_dynamodb_writer *w =
        open_writer(&(latch_dynamodb_writer_options){.capacity = 10 + seed % 60, .connections = seed % 3 == 0 ? 3 : 1});
    for (uint32_t i = 0; i < 500; i++) {
        uint32_t key = dice_roll(&seed, KEYS);
        int64_t v = dice_roll(&seed, 4) == 0 ? -1 : (int64_t)i;
        for (int tries = 0; put(w, key, v) != LATCH_OK; tries++, failures++)
            assert_true(tries < 50);
        wanted[key] = v;
        if (dice_roll(&seed, 30) == 0) failures += latch_dynamodb_writer_flush(&ann.cx, w) != LATCH_OK;
        latch_arena_rewind(&ann.arena, 8192);
    }
    while (latch_dynamodb_writer_flush(&ann.cx, w) != LATCH_OK)
        failures++;
    assert_int_equal(latch_dynamodb_writer_close(&ann.cx, w, &all), LATCH_OK);
    assert_int_equal(all.given, 500);
    assert_int_equal(all.written + all.superseded, 500);
    assert_int_equal(net.opened, net.closed);
    if (!forgets) assert_true(failures > 0);
    for (uint32_t key = 0; key < KEYS; key++) {
        char pk[16];
        wrong += stored(key) != wanted[key];
        snprintf(pk, sizeof pk, "k%u", key);
        rig_delete(&world, pk, "s");
    }
    caller_again(&ann);
    return wrong;
}

static void what_failed_is_written_by_the_next_flush(void **state) {
    (void)state;
    for (uint32_t seed = 1; seed <= (rig_is_engine() ? 12 : 3); seed++) /* DynamoDB Local is a thousand times as slow */
        assert_int_equal(play(seed, false), 0);
}

static void a_writer_that_forgets_is_found(void **state) {
    size_t found = 0, rounds = rig_is_engine() ? 4 : 1;
    (void)state;
    for (uint32_t seed = 1; seed <= rounds; seed++)
        found += play(seed, true) > 0;
    assert_int_equal(found, rounds);
}

static void what_is_left_is_told_and_can_be_discarded(void **state) {
    latch_dynamodb_written all;
    (void)state;
    latch_dynamodb_writer *w = open_writer(&(latch_dynamodb_writer_options){0});
    net.fails_from = 1;
    for (uint32_t i = 0; i < 25; i++)
        assert_int_equal(put(w, i, i), LATCH_OK);
    assert_int_equal(put(w, 99, 99), LATCH_E_NETWORK); /* not taken over */
    assert_int_equal(latch_dynamodb_writer_held(w), 25);
    assert_int_equal(latch_dynamodb_writer_flush(&ann.cx, w), LATCH_E_NETWORK);
    latch_dynamodb_writer_discard(w);
    assert_int_equal(latch_dynamodb_writer_held(w), 0);
    net.fails_from = 0;
    assert_int_equal(put(w, 7, 7), LATCH_OK);
    net.loses_before_in = 1;
    assert_int_equal(latch_dynamodb_writer_close(&ann.cx, w, &all), LATCH_E_NETWORK);
    assert_int_equal(all.given, 26);
    assert_int_equal(all.left, 26);
    assert_int_equal(all.unsure, 1);
    assert_int_equal(stored(99), -1);
}

/* What one flush lost, a later one that sends nothing, and a discard, don't unsay. */
static void what_may_have_been_written_stays_told(void **state) {
    (void)state;
    for (int discards = 0; discards < 2; discards++) {
        latch_dynamodb_written all;
        network_well(&net);
        caller_again(&ann);
        latch_dynamodb_writer *w = open_writer(&(latch_dynamodb_writer_options){.capacity = 50});
        net.loses_after_in = 1;
        for (uint32_t i = 0; i < 25; i++)
            assert_int_equal(put(w, i, i), LATCH_OK);
        assert_int_equal(latch_dynamodb_writer_flush(&ann.cx, w), LATCH_E_NETWORK);
        assert_true(ann.cx.err.maybe_applied);
        network_well(&net);
        net.fails_from = 1; /* no connection: nothing is sent */
        assert_int_equal(put(w, 90, 90), LATCH_OK);
        assert_int_equal(latch_dynamodb_writer_flush(&ann.cx, w), LATCH_E_NETWORK);
        assert_true(ann.cx.err.maybe_applied);
        if (discards) latch_dynamodb_writer_discard(w);
        assert_int_equal(latch_dynamodb_writer_close(&ann.cx, w, &all), discards ? LATCH_OK : LATCH_E_NETWORK);
        assert_int_equal(all.given, 26);
        assert_int_equal(all.left, 26);
        assert_int_equal(all.unsure, 25);
    }
}

static void bad_writes_are_refused_when_they_come(void **state) {
    latch_dynamodb_written all;
    (void)state;
    latch_dynamodb_writer *w = open_writer(&(latch_dynamodb_writer_options){0});
    assert_int_equal(latch_dynamodb_writer_put(&ann.cx, w, latch_object(&ann.cx, "pk", "p")), LATCH_E_MISUSE);
    assert_non_null(strstr(ann.cx.err.message, "sk"));
    assert_int_equal(latch_dynamodb_writer_put(&ann.cx, w, latch_object(&ann.cx, "pk", "", "sk", "s")), LATCH_E_INPUT);
    assert_int_equal(latch_dynamodb_writer_put(&ann.cx, w, LATCH_NULL), LATCH_E_MISUSE);
    assert_int_equal(latch_dynamodb_writer_delete(&ann.cx, w, latch_object(&ann.cx, "pk", "p", "sk", "s", "v", "x")), LATCH_E_MISUSE);
    assert_int_equal(latch_dynamodb_writer_held(w), 0);
    assert_int_equal(latch_dynamodb_writer_close(&ann.cx, w, &all), LATCH_OK);
    assert_int_equal(all.given + net.requests, 0);
}

static void bad_options_are_refused(void **state) {
    const latch_dynamodb_writer_options rows[] = {{.capacity = LATCH_DYNAMODB_WRITER_MAX + 1},
                                                  {.connections = -1},
                                                  {.timeout_ms = -1},
                                                  {.keys_count = 1, .keys = &(latch_dynamodb_keys){0}}};
    latch_dynamodb_writer *w;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(latch_dynamodb_writer_open(&ann.cx, &rows[i], &w), LATCH_E_MISUSE);
        assert_null(w);
    }
    ann.cx.scope = NULL;
    assert_int_equal(latch_dynamodb_writer_open(&ann.cx, &(latch_dynamodb_writer_options){0}, &w), LATCH_E_MISUSE);
    ann.cx.table = NULL;
    assert_int_equal(latch_dynamodb_writer_open(&ann.cx, &(latch_dynamodb_writer_options){0}, &w), LATCH_E_MISUSE);
}

/* ── a sink of the caller's ─────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct sink {
    size_t calls, count, fails_at;
    char seen[4096];
} sink;

static latch_status pour(latch_ctx *cx, void *arg, const latch_dynamodb_write *writes, size_t count) {
    sink *to = arg;
    if (++to->calls == to->fails_at) return latch_fail(cx, "Blocked", "the sink is blocked");
    for (size_t i = 0; i < count; i++) {
        latch_str text = latch_text(writes[i].put.node != NULL ? writes[i].put : writes[i].delete_key);
        size_t at = strlen(to->seen);
        snprintf(to->seen + at, sizeof to->seen - at, "%s%.*s", writes[i].put.node != NULL ? "+" : "-", LATCH_ARG(text));
    }
    to->count += count;
    return LATCH_OK;
}

static void a_sink_gets_each_write_once(void **state) {
    latch_dynamodb_written all;
    sink to = {.fails_at = 2};
    (void)state;
    latch_dynamodb_writer *w = open_writer(&(latch_dynamodb_writer_options){.capacity = 2, .sink = pour, .arg = &to});
    assert_int_equal(latch_dynamodb_writer_put(&ann.cx, w, latch_object(&ann.cx, "any", "thing")), LATCH_OK);
    assert_int_equal(put(w, 1, 1), LATCH_OK);
    assert_int_equal(put(w, 2, -1), LATCH_OK); /* flushes */
    assert_int_equal(put(w, 3, 3), LATCH_OK);
    assert_int_equal(put(w, 4, 4), LATCH_E_HANDLER); /* not taken over */
    assert_string_equal(ann.cx.err.message, "the sink is blocked");
    assert_int_equal(put(w, 5, 5), LATCH_OK);
    assert_int_equal(latch_dynamodb_writer_close(&ann.cx, w, &all), LATCH_OK);
    assert_string_equal(to.seen, "+{\"any\":\"thing\"}+{\"pk\":\"k1\",\"sk\":\"s\",\"v\":1}-{\"pk\":\"k2\",\"sk\":\"s\"}"
                                 "+{\"pk\":\"k3\",\"sk\":\"s\",\"v\":3}+{\"pk\":\"k5\",\"sk\":\"s\",\"v\":5}");
    assert_int_equal(all.written, 5);
    assert_int_equal(net.requests, 0);
}

/* ── the end of the handler ─────────────────────────────────────────────────────────────────────────────────────────────── */

static void ends_with_the_handler_and_says_what_was_lost(void **state) {
    char line[512] = "";
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    latch_log log = {.fd = ends[1]};
    ann.cx.log = &log;
    latch_dynamodb_writer *w = open_writer(&(latch_dynamodb_writer_options){0});
    assert_int_equal(put(w, 1, 1), LATCH_OK);
    latch_scope_end(&ann.cx, LATCH_OK);
    assert_true(read(ends[0], line, sizeof line - 1) > 0);
    assert_non_null(strstr(line, "a batch writer was never closed"));
    assert_non_null(strstr(line, "\"writes\":1"));
    assert_non_null(strstr(line, "r-1"));
    assert_int_equal(net.requests, 0);
    close(ends[0]);
    close(ends[1]);
}

static void memory_is_the_writers_own(void **state) {
    latch_dynamodb_written all;
    (void)state;
    latch_dynamodb_writer *w = open_writer(&(latch_dynamodb_writer_options){0});
    size_t mark = latch_arena_mark(&ann.arena);
    for (uint32_t i = 0; i < 5000; i++) {
        assert_int_equal(put(w, i % 50, i), LATCH_OK);
        latch_arena_rewind(&ann.arena, mark);
    }
    assert_true(ann.arena.peak < 64 * 1024);
    assert_int_equal(latch_dynamodb_writer_close(&ann.cx, w, &all), LATCH_OK);
    assert_int_equal(all.written, 5000);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, lone_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(flushes_when_it_is_full),
    ROW(what_is_added_is_copied),
    ROW(what_failed_is_written_by_the_next_flush),
    ROW(a_writer_that_forgets_is_found),
    ROW(what_is_left_is_told_and_can_be_discarded),
    ROW(what_may_have_been_written_stays_told),
    ROW(bad_writes_are_refused_when_they_come),
    ROW(bad_options_are_refused),
    ROW(a_sink_gets_each_write_once),
    ROW(ends_with_the_handler_and_says_what_was_lost),
    ROW(memory_is_the_writers_own),
};

CHECK_MAIN(tests)
