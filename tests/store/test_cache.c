#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "store/cache.h"
#include "tests/check.h"
#include "tests/store/pair.h"

#define SKEW_MS INT64_C(2000)
#define PK "CACHE#price#tea"
#define JOB "DEDUPE#CACHE#price#tea"

/* ── the load: what it is asked for, and what it answers ────────────────────────────────────────────────────────────────── */

static struct load {
    latch_status ends;
    int64_t runs, takes_ms;
    size_t value_bytes; /* 0: {"n":<runs>} */
    void (*meanwhile)(void);
    bool fills_arena, breaks_value;
} load;

static latch_status load_price(latch_ctx *cx, latch_work *work) {
    int64_t run = ++load.runs;
    assert_true(latch_str_eq(work->key, LATCH_STR("tea")));
    assert_int_equal(work->takeovers, 0);
    rig_pass(&world, load.takes_ms);
    void (*meanwhile)(void) = load.meanwhile;
    load.meanwhile = NULL;
    if (meanwhile != NULL) meanwhile();
    work->result = latch_object(cx, "n", run);
    if (load.breaks_value) work->result = latch_object(cx, "n", LATCH_STR("\xFF"));
    if (load.value_bytes > 0) {
        char *text = malloc(load.value_bytes);
        memset(text, 'x', load.value_bytes);
        latch_str t = {text, load.value_bytes - (sizeof "{\"t\":\"\"}" - 1)};
        work->result = latch_object(cx, "t", t);
        free(text);
    }
    while (load.fills_arena && latch_arena_alloc(cx->arena, 16) != NULL)
        continue;
    if (load.ends == LATCH_MISSING) return latch_refuse(cx, LATCH_MISSING, "no such price");
    if (load.ends == LATCH_E_HANDLER) return latch_fail(cx, "Down", "the price list is down");
    return load.ends;
}

static const latch_cache plain = {.name = "price"};
static const latch_cache prices = {.name = "price", .load = load_price};
static const latch_cache remembering = {.name = "price", .load = load_price, .missing_ttl_ms = 30000};

static const rig_twin sound = {NULL, NULL};
static const rig_twin forgets_jobs = {"#deadlineAt < :now_minus_skew", "(#deadlineAt < :now_minus_skew OR attribute_exists(#deadlineAt))"};

static int set_up(void **state) {
    (void)state;
    pair_open((size_t)8 << 20);
    load = (struct load){0};
    return 0;
}

static void begin_again(rig_twin twin) {
    rig_delete(&world, PK, PK);
    rig_delete(&world, JOB, JOB);
    load = (struct load){0};
    pair_again(twin);
}

static latch_status get(rig *r, const latch_cache *cache, latch_json *out) { return latch_cache_get(&r->cx, cache, LATCH_STR("tea"), out); }
static latch_status set(rig *r, const latch_cache *cache, int64_t n) {
    return latch_cache_set(&r->cx, cache, LATCH_STR("tea"), latch_object(&r->cx, "n", n));
}
static bool says(latch_json v, const char *text) { return latch_str_eq(latch_text(v), latch_str_of(text)); }
static bool job_is(const char *status) { return rig_has_text(&world, JOB, JOB, "status", status); }

/* ── what is sent and stored ────────────────────────────────────────────────────────────────────────────────────────────── */

static void sent(const char *operation, const char *text) {
    assert_string_equal(ann.operation, operation);
    assert_string_equal(ann.last_request, text);
}

#define KEY "\"pk\":{\"S\":\"CACHE#price#tea\"},\"sk\":{\"S\":\"CACHE#price#tea\"}"

static void sends_exactly_this(void **state) {
    static const latch_cache strong = {.name = "price", .strong = true};
    latch_json v;
    (void)state;
    assert_int_equal(set(&ann, &plain, 1), LATCH_OK);
    sent("PutItem", "{\"TableName\":\"latch\",\"Item\":{" KEY ",\"value\":{\"S\":\"{\\\"n\\\":1}\"},\"ttl\":{\"N\":\"1767225900\"},"
                    "\"createdAt\":{\"N\":\"1767225600000\"}}}");
    assert_int_equal(get(&ann, &plain, &v), LATCH_OK);
    sent("GetItem", "{\"TableName\":\"latch\",\"Key\":{" KEY "}}");
    assert_int_equal(get(&ann, &strong, &v), LATCH_OK);
    sent("GetItem", "{\"TableName\":\"latch\",\"Key\":{" KEY "},\"ConsistentRead\":true}");
    assert_int_equal(latch_cache_delete(&ann.cx, &plain, LATCH_STR("tea")), LATCH_OK);
    sent("DeleteItem", "{\"TableName\":\"latch\",\"Key\":{" KEY "}}");
    assert_int_equal(ann.requests, 4);
}

static void gives_back_what_was_set(void **state) {
    static const char *const rows[] = {
        "null",
        "true",
        "0",
        "-1.5e-7",
        "\"\"",
        "\"a\\u0000\\n\\\"\\\\é\xF0\x9F\x8D\xB5\"",
        "[]",
        "{}",
        "[1,[2,{\"a\":null}]]",
        "12345678901234567890123456789",
        "\"__UNDEFINED__\"",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_json v, got;
        assert_int_equal(latch_parse(&ann.cx, "v", latch_str_of(rows[i]), &v), LATCH_OK);
        assert_int_equal(latch_cache_set(&ann.cx, &plain, LATCH_STR("tea"), v), LATCH_OK);
        assert_int_equal(get(&bob, &plain, &got), LATCH_OK);
        assert_true(latch_str_eq(latch_text(got), latch_text(v)));
    }
    latch_json got;
    assert_int_equal(latch_cache_set(&ann.cx, &plain, LATCH_STR("tea"), LATCH_NULL), LATCH_OK);
    assert_int_equal(get(&bob, &plain, &got), LATCH_OK);
    assert_true(says(got, "null"));
}

static void misses_what_is_not_there(void **state) {
    latch_json v;
    (void)state;
    assert_int_equal(get(&ann, &plain, &v), LATCH_MISSING);
    assert_string_equal(latch_error(&ann.cx)->message, "CACHE#price#tea: is not in the cache");
    assert_int_equal(set(&ann, &plain, 1), LATCH_OK);
    assert_int_equal(latch_cache_delete(&ann.cx, &plain, LATCH_STR("tea")), LATCH_OK);
    assert_int_equal(get(&ann, &plain, &v), LATCH_MISSING);
    assert_null(v.node);
    assert_int_equal(latch_cache_delete(&ann.cx, &plain, LATCH_STR("tea")), LATCH_OK);
    assert_int_equal(ann.requests, 5);
}

static void expires_to_the_second(void **state) {
    static const struct {
        int64_t ttl_ms, ttl_s, after_ms;
        latch_status status;
    } rows[] = {
        {0, T0 / 1000 + 300, 299999, LATCH_OK},
        {0, T0 / 1000 + 300, 300000, LATCH_MISSING},
        {1000, T0 / 1000 + 1, 999, LATCH_OK},
        {1000, T0 / 1000 + 1, 1000, LATCH_MISSING},
        {1, T0 / 1000 + 1, 999, LATCH_OK},
        {1500, T0 / 1000 + 2, 1999, LATCH_OK},
        {1500, T0 / 1000 + 2, 2000, LATCH_MISSING},
        {LATCH_CACHE_NEVER_EXPIRES, 0, 1000 * LATCH_SPAN_MS_MAX, LATCH_OK},
        {LATCH_SPAN_MS_MAX, T0 / 1000 + 31622400, LATCH_SPAN_MS_MAX - 1, LATCH_OK},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_cache policy = {.name = "price", .ttl_ms = rows[i].ttl_ms};
        latch_json v;
        begin_again(sound);
        assert_int_equal(set(&ann, &policy, 1), LATCH_OK);
        assert_int_equal(rig_number(&world, PK, PK, "ttl"), rows[i].ttl_s);
        rig_pass(&world, rows[i].after_ms);
        assert_int_equal(get(&ann, &policy, &v), rows[i].status);
        assert_int_equal(ann.requests, 2); /* what has expired is not deleted */
    }
}

static void tells_of_what_is_too_large(void **state) {
    static const struct {
        size_t bytes;
        latch_status status;
    } rows[] = {{LATCH_CACHE_ENTRY_MAX_BYTES, LATCH_OK}, {LATCH_CACHE_ENTRY_MAX_BYTES + 1, LATCH_E_MISUSE}};
    static char text[LATCH_CACHE_ENTRY_MAX_BYTES + 2];
    (void)state;
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_str s = {text, rows[i].bytes - 8};
        latch_json v;
        begin_again(sound);
        assert_int_equal(set(&bob, &plain, 7), LATCH_OK);
        assert_int_equal(latch_cache_set(&ann.cx, &plain, LATCH_STR("tea"), latch_object(&ann.cx, "t", s)), rows[i].status);
        assert_int_equal(ann.requests, rows[i].status == LATCH_OK);
        rig_again(&bob, 0);
        assert_int_equal(get(&bob, &plain, &v), LATCH_OK);
        assert_int_equal(latch_text(v).len, rows[i].status == LATCH_OK ? rows[i].bytes : sizeof "{\"n\":7}" - 1);
        if (rows[i].status != LATCH_OK)
            assert_string_equal(latch_error(&ann.cx)->message,
                                "CACHE#price#tea: the value has 399361 bytes, want at most 399360: it is not cached");
    }
}

/* As npm's package has it, or as nobody should. */
static void reads_what_others_wrote(void **state) {
    static const struct {
        const char *attributes;
        latch_status status;
        const char *text;
    } rows[] = {
        {",\"value\":{\"S\":\"{\\\"a\\\":1}\"},\"ttl\":{\"N\":\"0\"},\"createdAt\":{\"N\":\"1\"}", LATCH_OK, "{\"a\":1}"},
        {",\"value\":{\"S\":\"2\"}", LATCH_OK, "2"},
        {",\"value\":{\"S\":\"__UNDEFINED__\"},\"ttl\":{\"N\":\"0\"}", LATCH_MISSING, NULL},
        {",\"value\":{\"S\":\"{\"},\"ttl\":{\"N\":\"0\"}", LATCH_MISSING, NULL},
        {",\"value\":{\"N\":\"2\"}", LATCH_MISSING, NULL},
        {",\"value\":{\"S\":\"2\"},\"ttl\":{\"S\":\"soon\"}", LATCH_MISSING, NULL},
        {",\"value\":{\"S\":\"2\"},\"ttl\":{\"N\":\"1767225600\"}", LATCH_MISSING, NULL},
        {"", LATCH_MISSING, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char item[512];
        latch_json v;
        snprintf(item, sizeof item, "{" KEY "%s}", rows[i].attributes);
        rig_put(&world, item);
        assert_int_equal(get(&ann, &plain, &v), rows[i].status);
        if (rows[i].text != NULL) assert_true(says(v, rows[i].text));
        if (rows[i].text == NULL) assert_null(v.node);
    }
}

/* In a table whose time to live has another name it is written and read by that, and a stray "ttl" says nothing. */
static void reads_the_tables_own_ttl(void **state) {
    static const latch_cache brief = {.name = "price", .ttl_ms = 1000};
    latch_json v;
    (void)state;
    ann.table.ttl = "expires";
    assert_int_equal(set(&ann, &brief, 1), LATCH_OK);
    assert_int_equal(rig_number(&world, PK, PK, "expires"), T0 / 1000 + 1);
    rig_pass(&world, 999);
    assert_int_equal(get(&ann, &plain, &v), LATCH_OK);
    rig_pass(&world, 1);
    assert_int_equal(get(&ann, &plain, &v), LATCH_MISSING);
    rig_put(&world, "{" KEY ",\"value\":{\"S\":\"2\"},\"ttl\":{\"N\":\"1\"}}");
    assert_int_equal(get(&ann, &plain, &v), LATCH_OK);
}

/* ── loading ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void loads_once_and_keeps(void **state) {
    latch_json v;
    (void)state;
    assert_int_equal(get(&ann, &prices, &v), LATCH_OK);
    assert_true(says(v, "{\"n\":1}"));
    assert_int_equal(ann.requests, 5);
    assert_true(job_is("completed"));
    assert_int_equal(get(&bob, &prices, &v), LATCH_OK);
    assert_true(says(v, "{\"n\":1}"));
    assert_int_equal(bob.requests, 1);
    rig_pass(&world, 300000);
    assert_int_equal(get(&bob, &prices, &v), LATCH_OK);
    assert_true(says(v, "{\"n\":2}"));
    assert_int_equal(latch_cache_delete(&bob.cx, &prices, LATCH_STR("tea")), LATCH_OK);
    assert_int_equal(get(&ann, &prices, &v), LATCH_OK);
    assert_true(says(v, "{\"n\":3}"));
}

static latch_status bobs_status;
static latch_json bobs_value;

static void bob_gets(void) { bobs_status = get(&bob, &prices, &bobs_value); }

/* While ann loads, bob is kept waiting: in one thread for ever, so his deadline ends it. */
static void keeps_others_waiting_while_one_loads(void **state) {
    latch_json v;
    (void)state;
    bob.cx.deadline_at_ms = T0 + 3000;
    load.meanwhile = bob_gets;
    assert_int_equal(get(&ann, &prices, &v), LATCH_OK);
    assert_int_equal(bobs_status, LATCH_BUSY);
    assert_int_equal(load.runs, 1);
    assert_in_range(bob.slept_ms, 2000, 2999);
    assert_true(bob.requests < 20);
}

static latch_json anns_value;

/* Bob's third request comes when ann is done: what she loaded is his. */
static void ann_finishes(void *arg) {
    (void)arg;
    if (bob.requests != 3) return;
    bob.before = NULL;
    rig_put(&world, "{" KEY ",\"value\":{\"S\":\"{\\\"n\\\":9}\"},\"ttl\":{\"N\":\"0\"}}");
    rig_put(&world, "{\"pk\":{\"S\":\"" JOB "\"},\"sk\":{\"S\":\"" JOB "\"},\"jobId\":{\"S\":\"anns\"},\"status\":{\"S\":\"completed\"},"
                    "\"ttl\":{\"N\":\"9999999999\"}}");
}

static void ann_is_loading(void) {
    rig_put(&world, "{\"pk\":{\"S\":\"" JOB "\"},\"sk\":{\"S\":\"" JOB "\"},\"jobId\":{\"S\":\"anns\"},\"status\":{\"S\":\"pending\"},"
                    "\"deadlineAt\":{\"N\":\"1767225610000\"},\"ttl\":{\"N\":\"9999999999\"}}");
}

static void gives_what_another_loaded(void **state) {
    (void)state;
    ann_is_loading();
    bob.before = ann_finishes;
    assert_int_equal(get(&bob, &prices, &anns_value), LATCH_OK);
    assert_true(says(anns_value, "{\"n\":9}"));
    assert_int_equal(load.runs, 0);
    assert_int_equal(bob.requests, 4); /* a miss, the job, a look at it after a pause, and the value */
    assert_in_range(bob.slept_ms, 12, 25);
}

static void ann_fails(void *arg) {
    (void)arg;
    if (bob.requests != 4) return;
    bob.before = NULL;
    rig_put(&world, "{\"pk\":{\"S\":\"" JOB "\"},\"sk\":{\"S\":\"" JOB "\"},\"jobId\":{\"S\":\"anns\"},\"status\":{\"S\":\"failed\"},"
                    "\"error\":{\"S\":\"Down\"},\"ttl\":{\"N\":\"9999999999\"}}");
}

static void loads_when_another_failed_or_is_gone(void **state) {
    latch_json v;
    (void)state;
    ann_is_loading();
    bob.before = ann_fails;
    assert_int_equal(get(&bob, &prices, &v), LATCH_OK);
    assert_int_equal(load.runs, 1);
    begin_again(sound);
    ann_is_loading(); /* and is never heard of again */
    bob.slept_ms = 0;
    assert_int_equal(get(&bob, &prices, &v), LATCH_OK);
    assert_int_equal(load.runs, 1);
    assert_int_equal(bob.slept_ms, 10000 + SKEW_MS + 1);
}

static void bob_sets_before_the_third(void *arg) {
    (void)arg;
    if (ann.requests == 3) assert_int_equal(set(&bob, &plain, 7), LATCH_OK);
}

/* Between ann's miss and her turn to load another had loaded it. */
/* What is there when a load begins: nothing, what has expired, or what can't be read. */
static const struct {
    const char *attributes;
} stale[] = {
    {NULL},
    {",\"value\":{\"S\":\"0\"},\"ttl\":{\"N\":\"1767225600\"},\"createdAt\":{\"N\":\"1767225500000\"}"},
    {",\"value\":{\"S\":\"0\"},\"ttl\":{\"N\":\"1767225600\"}"},
    {",\"value\":{\"S\":\"{\"},\"ttl\":{\"N\":\"0\"},\"createdAt\":{\"N\":\"1767225500000\"}"},
    {",\"value\":{\"N\":\"0\"}"},
    {",\"value\":{\"S\":\"0\"},\"ttl\":{\"S\":\"soon\"}"},
    {""},
};

static void begin_with_stale(size_t i, rig_twin twin) {
    char item[512];
    begin_again(twin);
    if (stale[i].attributes == NULL) return;
    snprintf(item, sizeof item, "{" KEY "%s}", stale[i].attributes);
    rig_put(&world, item);
}

static const latch_cache for_ever = {.name = "price", .ttl_ms = LATCH_CACHE_NEVER_EXPIRES};
static const latch_cache slow = {.name = "price", .load = load_price, .load_ms = 1000, .ttl_ms = LATCH_CACHE_NEVER_EXPIRES};

static void bob_sets(void) { assert_int_equal(set(&bob, &for_ever, 7), LATCH_OK); }

static void bob_takes_the_load_over(void) {
    latch_json v;
    rig_pass(&world, 10000);
    assert_int_equal(get(&bob, &slow, &v), LATCH_OK);
    assert_true(says(v, "{\"n\":2}"));
}

static void item_goes(void) { rig_delete(&world, PK, PK); }

/* What ann loads while bob stores something newer. True: bob's stays. */
static bool newer_value_stays(size_t i, void (*meanwhile)(void), const char *text, rig_twin twin) {
    latch_json v;
    begin_with_stale(i, twin);
    load.meanwhile = meanwhile;
    assert_int_equal(get(&ann, &slow, &v), LATCH_OK);
    assert_true(job_is("completed"));
    return rig_has_text(&world, PK, PK, "value", text);
}

static void replaces_nothing_newer_than_its_load(void **state) {
    static const rig_twin overwrites[] = {{"\"attribute_not_exists(#pk)\"", "\"(attribute_not_exists(#pk) OR attribute_exists(#pk))\""},
                                          {"#createdAt = :created)", "#createdAt = :created) OR attribute_exists(#pk)"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(stale); i++) {
        assert_true(newer_value_stays(i, bob_sets, "{\"n\":7}", sound));
        assert_true(newer_value_stays(i, bob_takes_the_load_over, "{\"n\":2}", sound));
        assert_true(newer_value_stays(i, NULL, "{\"n\":1}", sound));      /* the stale one doesn't: it is replaced */
        assert_true(newer_value_stays(i, item_goes, "{\"n\":1}", sound)); /* as DynamoDB removes what has expired */
    }
    for (size_t i = 0; i < COUNT_OF(overwrites); i++) {
        assert_false(newer_value_stays(i, bob_sets, "{\"n\":7}", overwrites[i]));
        assert_false(newer_value_stays(i, bob_takes_the_load_over, "{\"n\":2}", overwrites[i]));
        assert_true(world.twisted > 0);
    }
}

/* Whoever waited registers for what is left to it: nobody waits for a loader that is gone. */
static void counts_the_loads_time_from_its_registration(void **state) {
    latch_json v;
    (void)state;
    ann_is_loading(); /* and is never heard of again: 12 s */
    bob.cx.deadline_at_ms = T0 + 60000;
    assert_int_equal(get(&bob, &prices, &v), LATCH_OK);
    assert_in_range(bob.slept_ms, 12000, 12500);
    assert_int_equal(rig_number(&world, JOB, JOB, "deadlineAt"), T0 + 60000);
}

static void ann_fails_and_bobs_first_arrives(void *arg) {
    (void)arg;
    if (bob.requests != 4) return;
    ann_fails(NULL);
    rig_deliver(&bob);
}

/* Bob's registration was late: the job he would wait for is his own. */
static void loads_by_its_own_late_registration(void **state) {
    latch_json v;
    (void)state;
    ann_is_loading();
    bob.faults[1] = LATE;
    bob.before = ann_fails_and_bobs_first_arrives;
    assert_int_equal(get(&bob, &prices, &v), LATCH_OK);
    assert_int_equal(load.runs, 1);
    assert_in_range(bob.slept_ms, 12, 25);
    assert_true(job_is("completed"));
}

static void looks_again_before_it_loads(void **state) {
    latch_json v;
    (void)state;
    ann.before = bob_sets_before_the_third;
    assert_int_equal(get(&ann, &prices, &v), LATCH_OK);
    assert_true(says(v, "{\"n\":7}"));
    assert_int_equal(load.runs, 0);
    assert_true(job_is("completed"));
}

static void remembers_what_is_missing(void **state) {
    latch_json v;
    (void)state;
    load.ends = LATCH_MISSING;
    assert_int_equal(get(&ann, &remembering, &v), LATCH_MISSING);
    assert_string_equal(latch_error(&ann.cx)->message, "no such price");
    assert_true(latch_error(&ann.cx)->for_client);
    assert_int_equal(get(&bob, &remembering, &v), LATCH_MISSING);
    assert_string_equal(latch_error(&bob.cx)->message, "CACHE#price#tea: is known to be missing");
    assert_int_equal(bob.requests, 1);
    rig_pass(&world, 29999);
    assert_int_equal(get(&bob, &remembering, &v), LATCH_MISSING);
    assert_int_equal(load.runs, 1);
    rig_pass(&world, 1);
    load.ends = LATCH_OK;
    assert_int_equal(get(&bob, &remembering, &v), LATCH_OK);
    assert_int_equal(load.runs, 2);
    begin_again(sound);
    load.ends = LATCH_MISSING;
    assert_int_equal(get(&ann, &prices, &v), LATCH_MISSING); /* not remembered */
    assert_int_equal(get(&bob, &prices, &v), LATCH_MISSING);
    assert_int_equal(load.runs, 2);
}

static void says_what_the_load_said(void **state) {
    static const latch_status rows[] = {LATCH_E_HANDLER, LATCH_E_NETWORK, LATCH_LIMITED};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_json v;
        begin_again(sound);
        load.ends = rows[i];
        assert_int_equal(get(&ann, &prices, &v), rows[i]);
        assert_null(v.node);
        if (rows[i] == LATCH_E_HANDLER) assert_string_equal(latch_error(&ann.cx)->type, "Down");
        assert_true(job_is("failed"));
        assert_false(rig_has(&world, PK, PK, "value"));
        load.ends = LATCH_OK;
        assert_int_equal(get(&bob, &prices, &v), LATCH_OK); /* at once */
        assert_int_equal(load.runs, 2);
    }
}

/* What was loaded is right, whether or not the table takes it. */
static void gives_what_can_not_be_kept(void **state) {
    static const struct {
        size_t value_bytes;
        fault sets;
        bool breaks;
    } rows[] = {{LATCH_CACHE_ENTRY_MAX_BYTES + 1, NO_FAULT, false}, {0, FAILS_THROTTLED, false}, {0, NOT_SENT, false}, {0, NO_FAULT, true}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_json v;
        begin_again(sound);
        load.value_bytes = rows[i].value_bytes;
        load.breaks_value = rows[i].breaks;
        ann.faults[3] = rows[i].sets;
        assert_int_equal(get(&ann, &prices, &v), LATCH_OK);
        assert_non_null(v.node);
        assert_true(job_is("completed"));
        assert_false(rig_has(&world, PK, PK, "value"));
        assert_int_equal(get(&bob, &prices, &v), LATCH_OK);
        assert_int_equal(load.runs, 2);
    }
}

static void another_may_load_after_the_loads_time(void **state) {
    static const struct { int64_t load_ms, left_ms, deadline_ms; } rows[] = {{0, 0, 60000}, {0, 5000, 5000}, {700, 5000, 700}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_cache policy = {.name = "price", .load = load_price, .load_ms = rows[i].load_ms};
        latch_json v;
        begin_again(sound);
        if (rows[i].left_ms > 0) ann.cx.deadline_at_ms = T0 + rows[i].left_ms;
        assert_int_equal(get(&ann, &policy, &v), LATCH_OK);
        assert_int_equal(rig_number(&world, JOB, JOB, "deadlineAt"), T0 + rows[i].deadline_ms);
    }
}

static void settles_though_the_load_filled_the_arena(void **state) {
    latch_json v;
    (void)state;
    load.fills_arena = true;
    load.ends = LATCH_E_NOMEM;
    assert_int_equal(get(&ann, &prices, &v), LATCH_E_NOMEM);
    assert_true(job_is("failed"));
}

/* A handler's own dedupe under the same name and key is another item. */
static void keeps_its_jobs_apart(void **state) {
    static const latch_cache tricky = {.name = "price#tea", .load = load_price};
    latch_json v;
    (void)state;
    assert_int_equal(latch_cache_get(&ann.cx, &tricky, LATCH_STR("tea"), &v), LATCH_OK);
    assert_true(rig_has(&world, "DEDUPE#CACHE#price%23tea#tea", "DEDUPE#CACHE#price%23tea#tea", "jobId"));
    assert_false(rig_has(&world, JOB, JOB, "jobId"));
}

/* ── answers that don't come ────────────────────────────────────────────────────────────────────────────────────────────── */

static void survives_a_failure_at_every_request(void **state) {
    static const struct {
        fault fails;
        bool repeated;
        latch_status status;
    } rows[] = {
        {NO_FAULT, false, LATCH_OK},
        {NOT_SENT, false, LATCH_E_NETWORK},
        {LOST_BEFORE, true, LATCH_OK},
        {LOST_AFTER, true, LATCH_OK},
        {LATE, true, LATCH_OK},
        {FAILS_500, true, LATCH_OK},
        {ANSWERS_NO_JSON, true, LATCH_OK},
        {FAILS_THROTTLED, false, LATCH_E_THROTTLED},
    };
    (void)state;
    assert_int_equal(COUNT_OF(rows), FAULT_COUNT);
    for (size_t i = 0; i < 5 * COUNT_OF(rows); i++) {
        size_t row = i / 5, at = i % 5; /* read, register, read again, set, complete */
        latch_json v;
        begin_again(sound);
        ann.faults[at] = rows[row].fails;
        latch_status status = get(&ann, &prices, &v);
        assert_int_equal(status, at < 3 ? rows[row].status : LATCH_OK); /* what was loaded is given */
        assert_int_equal(v.node != NULL, status == LATCH_OK);
        if (status == LATCH_OK) assert_int_equal(ann.requests, 5 + rows[row].repeated);
        if (status != LATCH_OK) assert_false(latch_error(&ann.cx)->maybe_applied);
        assert_int_equal(load.runs, status == LATCH_OK);
    }
}

static void tells_what_the_answers_said(void **state) {
    static const struct {
        fault faults[1];
        latch_status status;
        bool maybe_applied;
        size_t requests;
    } rows[] = {
        {{NO_FAULT}, LATCH_OK, false, 1},
        {{LOST_BEFORE}, LATCH_E_TIMEOUT, true, 1}, /* not repeated: a late first try would come over another's set */
        {{LOST_AFTER}, LATCH_E_TIMEOUT, true, 1},
        {{LATE}, LATCH_E_TIMEOUT, true, 1},
        {{FAILS_500}, LATCH_E_NETWORK, true, 1},
        {{FAILS_THROTTLED}, LATCH_E_THROTTLED, false, 1},
        {{NOT_SENT}, LATCH_E_NETWORK, false, 1},
    };
    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
        size_t row = i / 2;
        begin_again(sound);
        memcpy(ann.faults, rows[row].faults, sizeof rows[row].faults);
        assert_int_equal(i % 2 == 0 ? set(&ann, &plain, 1) : latch_cache_delete(&ann.cx, &plain, LATCH_STR("tea")), rows[row].status);
        assert_int_equal(ann.requests, rows[row].requests);
        if (rows[row].status != LATCH_OK) assert_int_equal(latch_error(&ann.cx)->maybe_applied, rows[row].maybe_applied);
    }
}

/* ── one loads at a time ────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool one_loads_at_a_time(rig_twin twin) {
    latch_json v;
    begin_again(twin);
    bob.cx.deadline_at_ms = T0 + 1000;
    load.meanwhile = bob_gets;
    assert_int_equal(get(&ann, &prices, &v), LATCH_OK);
    return load.runs == 1;
}

static void finds_the_broken_twin(void **state) {
    (void)state;
    assert_true(one_loads_at_a_time(sound));
    assert_false(one_loads_at_a_time(forgets_jobs));
    assert_true(world.twisted > 0);
}

/* ── bad arguments, little memory ───────────────────────────────────────────────────────────────────────────────────────── */

static void refuses_bad_arguments_without_sending(void **state) {
    static char long_key[1013];
    static const struct {
        latch_cache policy;
        const char *key, *says;
    } rows[] = {
        {{.name = ""}, "k", "cache: .name is empty"},
        {{.name = "price", .ttl_ms = -2}, "k", "cache price: .ttl_ms is -2, want 0 to 31622400000"},
        {{.name = "price", .missing_ttl_ms = -2}, "k", "cache price: .missing_ttl_ms is -2, want 0 to 31622400000"},
        {{.name = "price", .load_ms = -1}, "k", "cache price: .load_ms is -1, want 0 to 31622400000"},
        {{.name = "price", .timeout_ms = -1}, "k", "timeout_ms is -1, want 0 or more"},
        {{.name = "price"}, "", "cache price: the key is empty"},
        {{.name = "price"}, "a\x1F", "cache price: the key has the control byte 0x1f at 1"},
        {{.name = "price"}, "\xC1\x80", "cache price: the key is not UTF-8"},
        {{.name = "price", .load = load_price},
         long_key,
         "cache price: the key has 1012 bytes, escaped and with the store's name 1024, want at most 1017"},
    };
    latch_json v;
    (void)state;
    memset(long_key, 'k', sizeof long_key - 1);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(latch_cache_get(&ann.cx, &rows[i].policy, latch_str_of(rows[i].key), &v), rig_blames(rows[i].says));
        assert_string_equal(latch_error(&ann.cx)->message, rows[i].says);
        assert_int_equal(latch_cache_set(&ann.cx, &rows[i].policy, latch_str_of(rows[i].key), LATCH_NULL), rig_blames(rows[i].says));
        assert_int_equal(latch_cache_delete(&ann.cx, &rows[i].policy, latch_str_of(rows[i].key)), rig_blames(rows[i].says));
    }
    assert_int_equal(latch_cache_set(&ann.cx, &plain, LATCH_STR("tea"), latch_object(&ann.cx, "a", "\xFF")), LATCH_E_MISUSE);
    assert_int_equal(ann.requests, 0);
    assert_int_equal(latch_cache_get(&ann.cx, &plain, latch_str_of(long_key), &v), LATCH_MISSING);
}

static void fits_or_refuses_at_every_arena_size(void **state) {
    size_t bytes = 16, refused = 0;
    latch_status status;
    (void)state;
    do {
        latch_json v;
        begin_again(sound);
        rig_again(&ann, bytes);
        status = get(&ann, &prices, &v);
        if (status != LATCH_OK) assert_int_equal(status, LATCH_E_NOMEM);
        if (status != LATCH_OK && ann.requests == 0) assert_false(latch_error(&ann.cx)->maybe_applied);
        refused += status != LATCH_OK;
        bytes += bytes < 12000 ? 256 : 16;
    } while (status != LATCH_OK && bytes <= RIG_ARENA_BYTES);
    assert_int_equal(status, LATCH_OK);
    assert_true(refused > 20);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, pair_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(sends_exactly_this),
    ROW(gives_back_what_was_set),
    ROW(misses_what_is_not_there),
    ROW(expires_to_the_second),
    ROW(tells_of_what_is_too_large),
    ROW(reads_what_others_wrote),
    ROW(reads_the_tables_own_ttl),
    ROW(loads_once_and_keeps),
    ROW(keeps_others_waiting_while_one_loads),
    ROW(gives_what_another_loaded),
    ROW(loads_when_another_failed_or_is_gone),
    ROW(replaces_nothing_newer_than_its_load),
    ROW(counts_the_loads_time_from_its_registration),
    ROW(loads_by_its_own_late_registration),
    ROW(looks_again_before_it_loads),
    ROW(remembers_what_is_missing),
    ROW(says_what_the_load_said),
    ROW(gives_what_can_not_be_kept),
    ROW(another_may_load_after_the_loads_time),
    ROW(settles_though_the_load_filled_the_arena),
    ROW(keeps_its_jobs_apart),
    ROW(survives_a_failure_at_every_request),
    ROW(tells_what_the_answers_said),
    ROW(finds_the_broken_twin),
    ROW(refuses_bad_arguments_without_sending),
    ROW(fits_or_refuses_at_every_arena_size),
};

CHECK_MAIN(tests)
