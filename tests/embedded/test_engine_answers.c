/*
 * Requests and what DynamoDB Local 2.6.1 answered to them, recorded: each file is a conversation with an empty engine.
 *
 * Local says ACTIVE of a table that is deleted, where DynamoDB says DELETING: the latter is written here.
 *
 * A file has a line "Operation request", then a line "status answer", and so on; $n(x) in either stands for x n times. Where the engine
 * answers otherwise on purpose, the request isn't here but in test_engine.c, with the reason.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"
#include "tests/embedded/engine_rig.h"

#define LINE_MAX_BYTES ((size_t)12 << 20)

static char *line, *request, *answer; /* of LINE_MAX_BYTES each */

/* Writes out $n(x). */
static void expand(const char *from, char *to) {
    while (*from != '\0' && *from != '\n') {
        char x, *end;
        unsigned long n = *from == '$' ? strtoul(from + 1, &end, 10) : 0;
        if (n == 0 || end[0] != '(') {
            *to++ = *from++;
            continue;
        }
        x = end[1];
        from = end + 3;
        for (; n > 0; n--)
            *to++ = x;
    }
    *to = '\0';
}

static bool next_line(FILE *file, char *into) {
    if (fgets(line, (int)LINE_MAX_BYTES, file) == NULL) return false;
    expand(line, into);
    return true;
}

/* The number of answers that differ; `flaw` changes what is expected, to see that the comparison sees it. */
static size_t play(const char *name, bool flaw, size_t *played) {
    char path[512];
    engine_rig r;
    size_t differ = 0;
    snprintf(path, sizeof path, "%s/tests/embedded/answers/%s.txt", LATCH_SOURCE_DIR, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    engine_rig_init(&r, NULL);
    for (*played = 0; next_line(file, request) && next_line(file, answer); ++*played) {
        char *json = strchr(request, ' '), *want = strchr(answer, ' ');
        *json++ = *want++ = '\0';
        if (flaw && *played % 2 == 0) answer[0] = '5';
        int status = engine_send_raw(&r, request, latch_str_of(json), SIZE_MAX);
        char *got = engine_normal(r.reply.body);
        bool same = status == atoi(answer) && engine_same_json(want, got);
        if (!same && !flaw)
            print_message("%s %.400s\n  answers %d %.400s\n  wanted  %s %.400s\n", request, json, status, got, answer, want);
        differ += !same;
        free(got);
    }
    engine_rig_clean_up(&r);
    fclose(file);
    return differ;
}

static void check(const char *name, size_t at_least) {
    size_t played;
    line = malloc(LINE_MAX_BYTES), request = malloc(LINE_MAX_BYTES), answer = malloc(LINE_MAX_BYTES);
    assert_true(line != NULL && request != NULL && answer != NULL);
    assert_int_equal(play(name, false, &played), 0);
    print_message("%s: %zu answers\n", name, played);
    assert_true(played >= at_least);
    assert_int_equal(play(name, true, &played), (played + 1) / 2);
    free(line), free(request), free(answer);
}

static void tables(void **state) {
    (void)state;
    check("tables", 80);
}

static void items(void **state) {
    (void)state;
    check("items", 120);
}

static void queries(void **state) {
    (void)state;
    check("queries", 120);
}

static void batches(void **state) {
    (void)state;
    check("batches", 40);
}

static void transactions(void **state) {
    (void)state;
    check("transactions", 50);
}

/* What the differential found first (tests/differential). */
static void found(void **state) {
    (void)state;
    check("found", 24);
}

#define ROW(test) cmocka_unit_test(test)

static const struct CMUnitTest tests[] = {
    ROW(tables), ROW(items), ROW(queries), ROW(batches), ROW(transactions), ROW(found),
};

CHECK_MAIN(tests)
