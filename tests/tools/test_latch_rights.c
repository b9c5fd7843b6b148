/* What rights each command on items needs, by what latch-local dynamodb is asked for, beside what docs/permissions.md says. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/ctx.h"
#include "latch_items.h"
#include "tests/check.h"

#define MARK "| `latch "

static const char *const operations[] = {
    "GetItem",       "PutItem",     "UpdateItem",         "DeleteItem",       "Query", "Scan", "BatchGetItem", "BatchWriteItem",
    "DescribeTable", "CreateTable", "DescribeTimeToLive", "UpdateTimeToLive", NULL};

static const struct {
    const char *row; /* of the page: the command, and in which case */
    const char *words[7];
} plays[] = {
    {"`latch lock list`", {"lock", "list"}},
    {"`latch lock show`", {"lock", "show", "orders", "x"}},
    {"`latch lock break`", {"lock", "break", "orders", "x", "--yes"}},
    {"`latch once show`", {"once", "show", "payments", "x"}},
    {"`latch once clear`", {"once", "clear", "payments", "x", "--yes"}},
    {"`latch attempt show`", {"attempt", "show", "login", "x"}},
    {"`latch attempt clear`", {"attempt", "clear", "login", "x", "--yes"}},
    {"`latch limit show`", {"limit", "show", "api", "x", "--limit=5", "--window=60"}},
    {"`latch limit reset`", {"limit", "reset", "api", "x", "--yes"}},
    {"`latch item get` with PK and SK", {"item", "get", "other", "item"}},
    {"`latch item get` with PK alone", {"item", "get", "other"}},
};

static char rows[COUNT_OF(plays)][256];

static void put_items(void) {
    char lock[512];
    int64_t now_ms = latch_now_ms(latch_items_cx());
    snprintf(lock, sizeof lock,
             "{\"pk\":\"LOCK#orders#x\",\"sk\":\"LOCK\",\"ownerName\":\"o\",\"recordVersionNumber\":\"v\",\"leaseDuration\":\"60000\","
             "\"expiresAt\":%" PRId64 ",\"fence\":7}",
             now_ms + LATCH_HOUR_MS);
    latch_items_put(lock);
    latch_items_put("{\"pk\":\"ONCE#payments#x\",\"sk\":\"ONCE\",\"owner\":\"o\",\"status\":\"COMPLETED\",\"expiration\":4000000000}");
    latch_items_put(
        "{\"pk\":\"ATTEMPT#login#x\",\"sk\":\"ATTEMPT\",\"attempts\":1,\"created\":1,\"win\":\"w\",\"last\":\"l\",\"context\":\"null\"}");
    latch_items_put("{\"pk\":\"RATE#api#x\",\"sk\":\"RATE\",\"ts\":[1]}");
    latch_items_put("{\"pk\":\"other\",\"sk\":\"item\"}");
}

static void play(size_t i) {
    char used[256];
    latch_run_operations(operations, used, sizeof used); /* what came before it */
    local_run run = latch_run(plays[i].words);
    if (run.exit_status != 0) fail_msg("%s: %s", plays[i].row, run.err);
    local_forget(&run);
    latch_run_operations(operations, used, sizeof used);
    size_t len = (size_t)snprintf(rows[i], sizeof rows[i], "| %s |", plays[i].row);
    for (char *rest = used, *name; (name = strsep(&rest, " ")) != NULL;)
        len += (size_t)snprintf(rows[i] + len, sizeof rows[i] - len, "%s `dynamodb:%s`", name == used ? "" : ",", name);
    snprintf(rows[i] + len, sizeof rows[i] - len, " |\n");
}

static size_t differences(const char *page, bool says) {
    size_t differ = 0;
    for (size_t i = 0; i < COUNT_OF(plays); i++) {
        bool there = strstr(page, rows[i]) != NULL;
        if (!there && says) printf("docs/permissions.md wants: %s", rows[i]);
        differ += !there;
    }
    return differ;
}

/* Of the commands that are played here. */
static size_t rows_of(const char *page) {
    static const char *const groups[] = {MARK "lock ", MARK "once ", MARK "attempt ", MARK "limit ", MARK "item "};
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(groups); i++)
        for (const char *at = strstr(page, groups[i]); at != NULL; at = strstr(at + 1, groups[i]))
            count++;
    return count;
}

static void rights_are_the_pages(void **state) {
    static char twin[64 * 1024];
    (void)state;
    put_items();
    for (size_t i = 0; i < COUNT_OF(plays); i++)
        play(i);
    char *page = local_read(LATCH_SOURCE_DIR "/docs/permissions.md", NULL);
    assert_non_null(page);
    assert_int_equal(differences(page, true), 0);
    assert_int_equal(rows_of(page), COUNT_OF(plays));
    for (size_t i = 0; i < COUNT_OF(plays); i++) {
        const char *row = strstr(page, rows[i]), *right = strstr(row, "`dynamodb:");
        assert_true((size_t)snprintf(twin, sizeof twin, "%.*s`dynamodb:Other`, %s", (int)(right - page), page, right) < sizeof twin);
        assert_int_equal(differences(twin, false), 1);
    }
    free(page);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, latch_items_set_up, latch_items_tear_down)
static const struct CMUnitTest tests[] = {
    ROW(rights_are_the_pages),
};

CHECK_MAIN(tests)
