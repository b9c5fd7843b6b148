/* latch lock, as a person runs it, on locks that this process takes as a function does. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "latch_items.h"
#include "latch_run.h"
#include "store/items.h"
#include "store/lock.h"
#include "tests/check.h"

static const latch_lock orders = {.name = "orders", .lease_ms = 5 * LATCH_MINUTE_MS, .keep = true};
static const latch_lock sweep = {.name = "sweep", .lease_ms = LATCH_HOUR_MS, .keep = true};

static latch_hold take(const latch_lock *lock, const char *key, const char *owner) {
    latch_ctx *cx = latch_items_cx();
    latch_hold hold;
    cx->request_id = latch_str_of(owner);
    if (latch_lock_take(cx, lock, latch_str_of(key), &hold) != LATCH_OK) fail_msg("%s: %s", key, cx->err.message);
    return hold;
}

static void release(latch_hold *hold) {
    if (latch_lock_release(latch_items_cx(), hold) != LATCH_OK) fail_msg("%s", latch_items_cx()->err.message);
}

/* A lock whose lease ended an hour ago, as nobody gave it back. */
static void put_expired(const char *key) {
    char item[512];
    int64_t until_ms = latch_now_ms(latch_items_cx()) - LATCH_HOUR_MS;
    snprintf(
        item, sizeof item,
        "{\"pk\":\"LOCK#orders#%s\",\"sk\":\"LOCK\",\"ownerName\":\"req-dead\",\"recordVersionNumber\":\"v\",\"leaseDuration\":\"60000\","
        "\"expiresAt\":%" PRId64 ",\"fence\":7,\"ttl\":%" PRId64 "}",
        key, until_ms, until_ms / 1000 + 604800);
    latch_items_put(item);
}

/* ── show ───────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void a_held_lock_is_shown(void **state) {
    char fence[64], until[64];
    (void)state;
    latch_hold hold = take(&orders, "order-17", "req-1");
    snprintf(fence, sizeof fence, "  token          %" PRId64 " (fence)\n", hold.fence);
    latch_run_expect(latch_run(LATCH_RUN_WORDS("lock", "show", "orders", "order-17")), 0, "LOCK#orders#order-17 is held, in table ", NULL);
    latch_run_expect(latch_run(LATCH_RUN_WORDS("lock", "show", "LOCK#orders#order-17")), 0, "  owner          req-1\n", NULL);
    latch_run_expect(latch_run(LATCH_RUN_WORDS("lock", "show", "orders", "order-17")), 0, fence, NULL);
    latch_run_expect(latch_run(LATCH_RUN_WORDS("lock", "show", "orders", "order-17")), 0, "5 min 0 s, as it was taken\n", NULL);
    local_run run = latch_run(LATCH_RUN_WORDS("lock", "show", "orders", "order-17", "--json"));
    snprintf(until, sizeof until, "\"until_ms\":%" PRId64 ",", hold.until_ms);
    assert_non_null(strstr(run.out, until));
    assert_string_equal(local_text(&run, 0, "pk"), "LOCK#orders#order-17");
    assert_string_equal(local_text(&run, 0, "name"), "orders");
    assert_string_equal(local_text(&run, 0, "key"), "order-17");
    assert_string_equal(local_text(&run, 0, "state"), "held");
    assert_string_equal(local_text(&run, 0, "owner"), "req-1");
    assert_int_equal(yyjson_get_sint(yyjson_obj_get(local_line(&run, 0), "fence")), hold.fence);
    assert_int_equal(yyjson_get_sint(yyjson_obj_get(local_line(&run, 0), "lease_ms")), orders.lease_ms);
    assert_int_equal(yyjson_get_sint(yyjson_obj_get(local_line(&run, 0), "taken_at_latest_ms")), hold.until_ms - orders.lease_ms);
    assert_int_equal(strlen(local_text(&run, 0, "until")), 24);
    local_forget(&run);
}

static void what_is_no_longer_held_is_told(void **state) {
    (void)state;
    latch_hold hold = take(&orders, "given-back", "req-1");
    release(&hold);
    put_expired("dead");
    latch_run_expect(latch_run(LATCH_RUN_WORDS("lock", "show", "orders", "given-back")), 0, " is released, in table ", NULL);
    latch_run_expect(latch_run(LATCH_RUN_WORDS("lock", "show", "orders", "dead")), 0, " is expired, in table ", NULL);
    latch_run_expect(latch_run(LATCH_RUN_WORDS("lock", "show", "orders", "dead")), 0, "1 h 0 min ago (whoever asks gets it)", NULL);
    latch_run_expect(latch_run(LATCH_RUN_WORDS("lock", "show", "orders", "other")), 1, NULL, "there is no LOCK#orders#other in table ");
    latch_run_expect(latch_run(LATCH_RUN_WORDS("lock", "break", "orders", "other", "--yes")), 1, NULL, "there is no LOCK#orders#other in ");
    latch_run_expect(latch_run(LATCH_RUN_WORDS("lock", "break", "orders", "dead", "--yes")), 1, NULL,
                     "nobody holds LOCK#orders#dead, nothing was broken: req-dead had it until ");
    latch_run_expect(latch_run(LATCH_RUN_WORDS("lock", "break", "orders", "given-back", "--yes")), 1, NULL, "req-1 released it");
}

/* As a handler gives them, and as they are stored. */
static void odd_keys_are_taken(void **state) {
    static const struct {
        const char *key, *stored, *words[5];
    } rows[] = {
        {"a#b", "LOCK#orders#a%23b", {"lock", "show", "orders", "a#b"}},
        {"a#b", "LOCK#orders#a%23b", {"lock", "show", "LOCK#orders#a%23b"}},
        {"50%23", "LOCK#orders#50%2523", {"lock", "show", "orders", "50%23"}},
        {"50%23", "LOCK#orders#50%2523", {"lock", "show", "LOCK#orders#50%2523"}},
        {"-dash", "LOCK#orders#-dash", {"lock", "show", "orders", "--", "-dash"}},
        {"Grüße, Welt", "LOCK#orders#Grüße, Welt", {"lock", "show", "orders", "Grüße, Welt"}},
        {"\"q\"\\", "LOCK#orders#\"q\"\\", {"lock", "show", "orders", "\"q\"\\"}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *words[8] = {"lock", "show", "--json"};
        for (size_t k = 2; k < 5; k++)
            words[k + 1] = rows[i].words[k];
        latch_hold hold = take(&orders, rows[i].key, "req-1");
        local_run run = latch_run(words);
        if (run.exit_status != 0) fail_msg("%s: %s", rows[i].key, run.err);
        assert_string_equal(local_text(&run, 0, "pk"), rows[i].stored);
        assert_string_equal(local_text(&run, 0, "key"), rows[i].key);
        assert_string_equal(local_text(&run, 0, "name"), "orders");
        local_forget(&run);
        release(&hold);
    }
}

/* ── break ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void a_broken_lock_is_the_next_ones(void **state) {
    char said[128];
    (void)state;
    latch_hold hold = take(&orders, "order-17", "req-dead");
    latch_run_expect(latch_run(LATCH_RUN_WORDS("lock", "break", "orders", "order-17")), 1, NULL, "add --yes where that is meant; nothing");
    latch_run_expect(latch_run(LATCH_RUN_WORDS("lock", "show", "orders", "order-17")), 0, " is held, ", NULL);
    snprintf(said, sizeof said, " under token %" PRId64 ".\nWhoever asks next gets it", hold.fence);
    local_run run = latch_run(LATCH_RUN_WORDS("lock", "break", "orders", "order-17", "--yes"));
    bool says = run.exit_status == 0 && strstr(run.out, "broke LOCK#orders#order-17, in table ") != NULL &&
                strstr(run.out, "It was held by req-dead until ") != NULL && strstr(run.out, said) != NULL;
    if (!says) fail_msg("%d: %s%s", run.exit_status, run.out, run.err);
    local_forget(&run);
    latch_hold next = take(&orders, "order-17", "req-2");
    assert_true(next.fence > hold.fence);
    assert_int_equal(latch_lock_extend(latch_items_cx(), &hold, LATCH_MINUTE_MS), LATCH_CONFLICT);
    latch_run_expect(latch_run(LATCH_RUN_WORDS("lock", "break", "LOCK#orders#order-17", "--yes", "--json")), 0, "\"owner\":\"req-2\"",
                     NULL);
    latch_run_expect(latch_run(LATCH_RUN_WORDS("lock", "break", "LOCK#orders#order-17", "--yes", "--json")), 1, NULL, "nobody holds");
}

/* Whether the one who holds it now was spared, by whatever program was asked. */
static bool spares_another(const char *program, const char *key) {
    local_program = program;
    latch_hold dead = take(&orders, key, "req-dead");
    latch_run_asked asked = latch_run_until_asked(LATCH_RUN_WORDS("lock", "break", "orders", key));
    release(&dead);
    latch_hold next = take(&orders, key, "req-next");
    local_run run = latch_run_answered(asked, "yes\n");
    bool refused = run.exit_status == 1 && strstr(run.err, "is not held any more as it was seen") != NULL && *run.out == '\0';
    local_forget(&run);
    return refused && latch_lock_extend(latch_items_cx(), &next, LATCH_HOUR_MS) == LATCH_OK;
}

static void a_lock_that_changes_hands_is_spared(void **state) {
    (void)state;
    assert_true(spares_another(LATCH_TOOL, "spared"));
    assert_false(spares_another(LATCH_TWIN, "not-spared"));
}

static void only_a_yes_breaks(void **state) {
    static const struct {
        const char *answer;
        int exit_status;
    } rows[] = {{"yes\n", 0}, {"y\n", 0}, {"no\n", 1}, {"\n", 1}, {"yes please\n", 1}, {"\x04", 1}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_hold hold = take(&orders, "order-17", "req-1");
        latch_run_asked asked = latch_run_until_asked(LATCH_RUN_WORDS("lock", "break", "orders", "order-17"));
        local_run run = latch_run_answered(asked, rows[i].answer);
        assert_non_null(strstr(run.err, "  owner          req-1\n"));
        assert_non_null(strstr(run.err, "Break it? [yes/no] "));
        assert_int_equal(run.exit_status, rows[i].exit_status);
        assert_true((strstr(run.err, "nothing was broken") != NULL) == (rows[i].exit_status == 1));
        local_forget(&run);
        latch_status extended = latch_lock_extend(latch_items_cx(), &hold, LATCH_HOUR_MS);
        assert_int_equal(extended, rows[i].exit_status == 1 ? LATCH_OK : LATCH_CONFLICT);
        if (extended == LATCH_OK) release(&hold);
    }
}

/* ── a race ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define ROUNDS 12
#define BROKEN_MAX 16

typedef struct race {
    int64_t broken[BROKEN_MAX]; /* tokens under which a holder found its lock broken */
    size_t count;
} race;

static void look_whether_broken(race *r, const char *pk, int64_t fence) {
    if (strstr(latch_items_get(pk, "LOCK"), "\"isReleased\"") != NULL && r->count < BROKEN_MAX) r->broken[r->count++] = fence;
}

/* The lock goes from hand to hand for as long as the program runs: each holder looks whether it has it still, then gives it back. */
static race pass_on(const char *key, const char *pk, pid_t pid, int *exit_status) {
    race r = {.count = 0};
    int status = 0;
    for (bool runs = true; runs;) {
        size_t mark = latch_arena_mark(latch_items_cx()->arena);
        latch_hold hold = take(&orders, key, "req-one-of-many");
        look_whether_broken(&r, pk, hold.fence);
        runs = waitpid(pid, &status, WNOHANG) == 0;
        look_whether_broken(&r, pk, hold.fence);
        release(&hold);
        latch_arena_rewind(latch_items_cx()->arena, mark);
    }
    *exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return r;
}

/* Begun while `first` holds it; it goes on while the lock goes from hand to hand. */
static pid_t start_breaking(const char *key, bool asks, int *terminal) {
    *terminal = -1;
    if (!asks) return local_start(LATCH_RUN_WORDS("lock", "break", "orders", key, "--yes"));
    latch_run_asked asked = latch_run_until_asked(LATCH_RUN_WORDS("lock", "break", "orders", key));
    assert_int_equal(write(asked.terminal, "yes\n", 4), 4);
    *terminal = asked.terminal;
    return asked.pid;
}

static int play_round(const char *key, bool asks) {
    char pk[64], under[64];
    int wrong = 0, exit_status, terminal;
    snprintf(pk, sizeof pk, "LOCK#orders#%s", key);
    latch_hold first = take(&orders, key, "req-first");
    pid_t pid = start_breaking(key, asks, &terminal);
    release(&first);
    race r = pass_on(key, pk, pid, &exit_status);
    char *out = local_read("out", NULL), *err = local_read("err", NULL);
    assert_true(out != NULL && err != NULL && (exit_status == 0 || exit_status == 1));
    if (strstr(err, "Sanitizer") != NULL) fail_msg("%s", err);
    for (size_t k = 0; k < r.count; k++) {
        snprintf(under, sizeof under, "under token %" PRId64 ".", r.broken[k]);
        wrong += strstr(out, under) == NULL;
    }
    if (terminal >= 0) close(terminal);
    free(out);
    free(err);
    return wrong;
}

/* Rounds in which a hold was broken that the program didn't name, or where it named none. */
static int play_rounds(const char *program, bool asks) {
    char key[32];
    int wrong = 0;
    local_program = program;
    for (int i = 0; i < ROUNDS; i++) {
        snprintf(key, sizeof key, "race-%d", i);
        wrong += play_round(key, asks);
    }
    return wrong;
}

static void a_race_never_breaks_another(void **state) {
    (void)state;
    assert_int_equal(play_rounds(LATCH_TOOL, false), 0);
    assert_int_equal(play_rounds(LATCH_TOOL, true), 0);
}

/* That a race may pass by chance is why it is played more than once. */
static void a_twin_in_the_race_is_reported(void **state) {
    int wrong = 0;
    (void)state;
    for (int again = 0; again < 10 && wrong == 0; again++)
        wrong = play_rounds(LATCH_TWIN, true);
    assert_true(wrong > 0);
}

/* ── list ───────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static local_run list(const char *a, const char *b, const char *c) { return latch_run(LATCH_RUN_WORDS("lock", "list", a, b, c)); }

static int lines_with(const local_run *run, const char *text) {
    int n = 0;
    for (const char *at = strstr(run->out, text); at != NULL; at = strstr(at + 1, text))
        n++;
    return n;
}

static void locks_are_listed(void **state) {
    (void)state;
    latch_run_expect(list("--json", NULL, NULL), 0, NULL, "0 locks, of 0 items read for 0");
    latch_hold given_back = take(&orders, "given-back", "req-2");
    release(&given_back);
    put_expired("dead");
    (void)take(&orders, "a#b", "req-1");
    (void)take(&sweep, "all", "req-3");
    latch_items_put("{\"pk\":\"ONCE#orders#x\",\"sk\":\"ONCE\"}");
    latch_items_put("{\"pk\":\"LOCKSMITH#x\",\"sk\":\"LOCK\"}");
    local_run run = list(NULL, NULL, NULL);
    assert_int_equal(run.exit_status, 0);
    assert_non_null(strstr(run.out, "4 locks, of 6 items read for 0.5 read units, in table "));
    assert_int_equal(lines_with(&run, "\nheld "), 2);
    assert_int_equal(lines_with(&run, "\nexpired "), 1);
    assert_int_equal(lines_with(&run, "\nreleased "), 1);
    assert_int_equal(lines_with(&run, "  LOCK#orders#a%23b\n"), 1);
    local_forget(&run);
    run = list("orders", "--held", "--json");
    assert_int_equal(run.count, 1);
    assert_string_equal(local_text(&run, 0, "key"), "a#b");
    assert_string_equal(local_text(&run, 0, "owner"), "req-1");
    assert_non_null(strstr(run.err, "1 lock held, of 6 items read"));
    local_forget(&run);
    latch_run_expect(list("sweep", NULL, NULL), 0, "1 lock, of 6 items read", NULL);
    latch_run_expect(list("swee", NULL, NULL), 0, "0 locks, of 6 items read", NULL);
    latch_run_expect(list("--limit", "3", NULL), 0, "\nThere may be more: --limit 30 lists more of them", NULL);
    latch_run_expect(list("--read", "2", NULL), 0, "of 2 items read for 0.5 read units", NULL);
    latch_run_expect(list("--read", "2", NULL), 0, "\nThere may be more items: --read 20 reads on\n", NULL);
}

static void an_item_that_is_no_lock_is_passed_over(void **state) {
    (void)state;
    latch_items_put("{\"pk\":\"LOCK#orders#odd\",\"sk\":\"LOCK\",\"ownerName\":5}");
    (void)take(&orders, "order-17", "req-1");
    latch_run_expect(list(NULL, NULL, NULL), 0, "1 lock, of 2 items read", "LOCK#orders#odd can't be read: ");
    latch_run_expect(latch_run(LATCH_RUN_WORDS("lock", "show", "orders", "odd")), 1, NULL, "ownerName");
    latch_run_expect(latch_run(LATCH_RUN_WORDS("lock", "break", "orders", "odd", "--yes")), 1, NULL, "ownerName");
}

/* Many pages: memory stays flat, and all are found. */
static void many_are_listed(void **state) {
    char key[1024], counted[64];
    const int many = 1500;
    (void)state;
    memset(key, 'k', sizeof key);
    for (int i = 0; i < many; i++) {
        size_t mark = latch_arena_mark(latch_items_cx()->arena);
        key[snprintf(key + 1000, 24, "%d", i) + 1000] = '\0';
        put_expired(key + 1000 - 100);
        latch_arena_rewind(latch_items_cx()->arena, mark);
    }
    snprintf(counted, sizeof counted, "\n%d locks, of %d items read for ", many, many);
    latch_run_expect(list("--limit", "100000", NULL), 0, counted, NULL);
    latch_run_expect(list(NULL, NULL, NULL), 0, "\n100 locks, of ", NULL);
}

/* ── what can't be ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void tables_of_others_are_refused(void **state) {
    static const char *const commands[] = {"show", "break"};
    static const char *const layouts[] = {"--layout=lock-client", "--layout=paradoxical-locks"};
    char theirs[80];
    (void)state;
    snprintf(theirs, sizeof theirs, "%s-theirs", latch_run_table);
    for (size_t i = 0; i < COUNT_OF(layouts); i++) {
        latch_run_expect(latch_run(LATCH_RUN_WORDS("table", "create", theirs, layouts[i])), 0, "created", NULL);
        for (size_t k = 0; k < COUNT_OF(commands); k++)
            latch_run_expect(latch_run(LATCH_RUN_WORDS("lock", commands[k], "orders", "x", "--table", theirs)), 1, NULL,
                             "isn't the stores' own, its key is another: `latch table describe` says which");
        latch_ctx *cx = latch_items_cx();
        const latch_dynamodb_put_request put = {.table = theirs, .item = latch_object(cx, "key", "x", "ownerName", "them")};
        assert_int_equal(latch_dynamodb_put(cx, &put, NULL), LATCH_OK);
        latch_run_expect(list("--table", theirs, NULL), 1, NULL, "isn't the stores' own, its items have no pk");
        latch_run_expect(latch_run(LATCH_RUN_WORDS("table", "delete", theirs, "--yes")), 0, "deleted", NULL);
    }
}

static void failures_are_told(void **state) {
    static const char *const env[] = {"DYNAMODB_MAX_RETRIES=0", "DYNAMODB_REQUEST_TIMEOUT=2000", NULL};
    static const char *const commands[][5] = {{"lock", "list"}, {"lock", "show", "orders", "x"}, {"lock", "break", "orders", "x", "--yes"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        const char *words[10];
        size_t n = 0;
        for (; n < 5 && commands[i][n] != NULL; n++)
            words[n] = commands[i][n];
        words[n] = "--table", words[n + 1] = "nobodys", words[n + 2] = NULL;
        latch_run_expect(latch_run(words), 1, NULL, "there is no table nobodys: latch table create nobodys makes it");
        words[n] = "--endpoint", words[n + 1] = "http://127.0.0.1:1";
        latch_run_expect(local_play(words, env, NULL), 1, NULL, "latch lock ");
        words[n] = "--profile", words[n + 1] = "nobody";
        latch_run_expect(local_play(words, env, NULL), 1, NULL, "nobody");
    }
}

static const latch_run_row arguments[] = {
    {{"lock"}, 2, NULL, "latch lock: which command?"},
    {{"lock", "--help"}, 0, "latch lock list [NAME]", NULL},
    {{"lock", "list", "--help"}, 0, "latch lock list: the locks", NULL},
    {{"lock", "show", "-h"}, 0, "latch lock show: whose", NULL},
    {{"help", "lock", "break"}, 0, "latch lock break: take", NULL},
    {{"lock", "brake"}, 2, NULL, "unknown command brake: did you mean break?"},
    {{"lock", "show"}, 2, NULL, "want NAME KEY, found 0 words"},
    {{"lock", "show", "a", "b", "c"}, 2, NULL, "want NAME KEY, found 3 words"},
    {{"lock", "show", "orders"}, 2, NULL, "want NAME KEY, or a key as it is stored, LOCK#NAME#KEY; found orders"},
    {{"lock", "show", "LOCK#orders"}, 2, NULL, "or a key as it is stored"},
    {{"lock", "show", "ONCE#orders#x"}, 2, NULL, "or a key as it is stored"},
    {{"lock", "show", "LOCK#orders#a#b"}, 2, NULL, "LOCK#orders#a#b is no key that Latch writes: it would be LOCK#orders#a%23b"},
    {{"lock", "show", "orders", ""}, 2, NULL, "the key is empty"},
    {{"lock", "show", "", "x"}, 2, NULL, "lock"},
    {{"lock", "show", "orders", "a\nb"}, 2, NULL, "control byte"},
    {{"lock", "show", "orders", "\xff"}, 2, NULL, "UTF-8"},
    {{"lock", "show", "orders", "-x"}, 2, NULL, "unknown option -x"},
    {{"lock", "show", "orders", "x", "--yes"}, 2, NULL, "unknown option --yes"},
    {{"lock", "show", "orders", "x", "--table", "a/b"}, 2, NULL, "--table: \"a/b\" is no table's name"},
    {{"lock", "break", "orders", "x", "--jsno"}, 2, NULL, "unknown option --jsno: did you mean --json?"},
    {{"lock", "list", "a", "b"}, 2, NULL, "takes one NAME, found 2 words"},
    {{"lock", "list", "--limit", "0"}, 2, NULL, "--limit 0: want a whole number from 1 to 100000"},
};

static void arguments_are_checked_before_anything_is_asked(void **state) {
    (void)state;
    latch_run_expect_each(arguments, COUNT_OF(arguments));
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, latch_items_set_up, latch_items_tear_down)
static const struct CMUnitTest tests[] = {
    ROW(a_held_lock_is_shown),
    ROW(what_is_no_longer_held_is_told),
    ROW(odd_keys_are_taken),
    ROW(a_broken_lock_is_the_next_ones),
    ROW(a_lock_that_changes_hands_is_spared),
    ROW(only_a_yes_breaks),
    ROW(a_race_never_breaks_another),
    ROW(a_twin_in_the_race_is_reported),
    ROW(locks_are_listed),
    ROW(an_item_that_is_no_lock_is_passed_over),
    ROW(many_are_listed),
    ROW(tables_of_others_are_refused),
    ROW(failures_are_told),
    ROW(arguments_are_checked_before_anything_is_asked),
};

CHECK_MAIN(tests)
