/* Cache and dedupe in the table of npm's @http-client-toolkit/store-dynamodb 4.2: its items, as the package leaves them, and ours. */
#include <stdio.h>
#include <string.h>

#include "core/ctx.h"
#include "store/cache.h"
#include "store/dedupe.h"
#include "tests/check.h"
#include "tests/store/pair.h"

#define CACHED "\"pk\":{\"S\":\"CACHE#a/b?c=#1%\"},\"sk\":{\"S\":\"CACHE#a/b?c=#1%\"}"
#define JOB "\"pk\":{\"S\":\"DEDUPE#a/b?c=#1%\"},\"sk\":{\"S\":\"DEDUPE#a/b?c=#1%\"}"
#define CACHE_PK "CACHE#a/b?c=#1%"
#define JOB_PK "DEDUPE#a/b?c=#1%"

static int64_t runs;

static latch_status load_value(latch_ctx *cx, latch_work *work) {
    runs++;
    work->result = latch_object(cx, "n", runs);
    return LATCH_OK;
}

static const latch_cache cache = {.name = "price", .toolkit_table = "latch"};
static const latch_cache loading = {.name = "price", .toolkit_table = "latch", .load = load_value};
static const latch_dedupe dedupe = {.name = "orders", .toolkit_table = "latch"};
static latch_str key;

/* The stores' own table is another, with other names: whatever goes there is not found. */
static int set_up(void **state) {
    (void)state;
    pair_open((size_t)2 << 20);
    ann.table.name = bob.table.name = "elsewhere";
    ann.table.pk = bob.table.pk = "id";
    ann.table.ttl = bob.table.ttl = "ends";
    key = LATCH_STR("a/b?c=#1%");
    runs = 0;
    return 0;
}

static void put(const char *key_text, const char *attributes) {
    char item[1024];
    snprintf(item, sizeof item, "{%s%s}", key_text, attributes);
    rig_put(&world, item);
}

/* ── cache ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void caches_as_the_package_does(void **state) {
    static const char sends[] =
        "{\"TableName\":\"latch\",\"Item\":{" CACHED
        ",\"value\":{\"S\":\"{\\\"n\\\":1}\"},\"ttl\":{\"N\":\"1767225900\"},\"createdAt\":{\"N\":\"1767225600000\"}}}";
    latch_json v;
    (void)state;
    assert_int_equal(latch_cache_set(&ann.cx, &cache, key, latch_object(&ann.cx, "n", latch_int(1))), LATCH_OK);
    assert_string_equal(ann.last_request, sends);
    assert_int_equal(latch_cache_get(&bob.cx, &cache, key, &v), LATCH_OK);
    assert_int_equal(latch_cache_delete(&bob.cx, &cache, key), LATCH_OK);
    assert_false(rig_has(&world, CACHE_PK, CACHE_PK, "pk"));
}

static void reads_what_the_package_cached(void **state) {
    static const struct {
        const char *value, *ttl;
        latch_status status;
        const char *text;
    } rows[] = {
        {"{\\\"a\\\":[1,null]}", "0", LATCH_OK, "{\"a\":[1,null]}"},
        {"null", "1767225601", LATCH_OK, "null"},
        {"\\\"__UNDEFINED__\\\"", "0", LATCH_OK, "\"__UNDEFINED__\""},
        {"__UNDEFINED__", "0", LATCH_MISSING, NULL},
        {"1", "1767225600", LATCH_MISSING, NULL},
        {"1", "1767225600.5", LATCH_OK, "1"}, /* a ttl of 0.5 s: expired from the next whole second on */
        {"1", "1767225599.999", LATCH_MISSING, NULL},
        {"{\\\"a\\\":", "0", LATCH_MISSING, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char attributes[256];
        latch_json v;
        snprintf(attributes, sizeof attributes, ",\"value\":{\"S\":\"%s\"},\"ttl\":{\"N\":\"%s\"},\"createdAt\":{\"N\":\"1767225599000\"}",
                 rows[i].value, rows[i].ttl);
        put(CACHED, attributes);
        assert_int_equal(latch_cache_get(&ann.cx, &cache, key, &v), rows[i].status);
        if (rows[i].text != NULL) assert_true(latch_str_eq(latch_text(v), latch_str_of(rows[i].text)));
        runs = 0;
        latch_status status = latch_cache_get(&ann.cx, &loading, key, &v); /* a miss is loaded over what is there */
        bool known = strcmp(rows[i].value, "__UNDEFINED__") == 0;
        assert_int_equal(status, known ? LATCH_MISSING : LATCH_OK);
        assert_int_equal(runs, rows[i].text == NULL && !known);
        if (runs > 0) assert_true(rig_has_text(&world, CACHE_PK, CACHE_PK, "value", "{\"n\":1}"));
    }
}

static void loads_through_a_job_beside_it(void **state) {
    latch_json v;
    (void)state;
    assert_int_equal(latch_cache_get(&ann.cx, &loading, key, &v), LATCH_OK);
    assert_int_equal(ann.requests, 5);
    assert_true(rig_has_text(&world, "DEDUPE#" CACHE_PK, "DEDUPE#" CACHE_PK, "status", "completed"));
    assert_int_equal(latch_cache_get(&bob.cx, &loading, key, &v), LATCH_OK);
    assert_int_equal(runs, 1);
}

static void clears_caches_and_tags_of_the_package(void **state) {
    static const latch_sweep all = {.all = true};
    latch_swept swept;
    (void)state;
    put(CACHED, ",\"value\":{\"S\":\"1\"}");
    put("\"pk\":{\"S\":\"TAG#t\"},\"sk\":{\"S\":\"" CACHE_PK "\"}", "");
    put(JOB, ",\"status\":{\"S\":\"failed\"}");
    put("\"pk\":{\"S\":\"RATELIMIT#a\"},\"sk\":{\"S\":\"x\"}", "");
    assert_int_equal(latch_cache_clear(&ann.cx, &cache, &(latch_sweep){.scope = LATCH_STR("a/b?c=#")}, &swept), LATCH_OK);
    assert_int_equal(swept.removed, 1);
    assert_true(rig_has(&world, "TAG#t", CACHE_PK, "pk")); /* as the package leaves it */
    assert_int_equal(latch_cache_clear(&ann.cx, &cache, &all, &swept), LATCH_OK);
    assert_int_equal(swept.removed, 1);
    assert_int_equal(latch_dedupe_clear(&ann.cx, &dedupe, &all, &swept), LATCH_OK);
    assert_int_equal(swept.removed, 1);
    assert_true(rig_has(&world, "RATELIMIT#a", "x", "pk"));
}

/* ── dedupe ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void registers_as_the_package_does(void **state) {
    latch_job job, other;
    (void)state;
    assert_int_equal(latch_dedupe_register_or_join(&ann.cx, &dedupe, key, &job), LATCH_OK);
    assert_true(rig_has_text(&world, JOB_PK, JOB_PK, "status", "pending"));
    assert_int_equal(rig_number(&world, JOB_PK, JOB_PK, "createdAt"), T0);
    assert_int_equal(rig_number(&world, JOB_PK, JOB_PK, "ttl"), T0 / 1000 + 300 + 2 + 60);
    assert_true(rig_has(&world, JOB_PK, JOB_PK, "result")); /* NULL, as the package has it */
    assert_int_equal(latch_dedupe_register_or_join(&bob.cx, &dedupe, key, &other), LATCH_BUSY);
    assert_true(latch_str_eq(other.id, job.id));
    assert_int_equal(latch_dedupe_complete(&ann.cx, &dedupe, key, job.id, LATCH_NULL), LATCH_OK);
    assert_true(rig_has_text(&world, JOB_PK, JOB_PK, "result", "__NULL__"));
    assert_int_equal(latch_dedupe_wait_for(&bob.cx, &dedupe, key, &other), LATCH_OK);
    assert_null(other.result.node);
}

static void joins_what_the_package_registered(void **state) {
    static const struct {
        const char *attributes;
        latch_status registers, waits;
        const char *result;
        bool in_progress;
    } rows[] = {
        {",\"jobId\":{\"S\":\"npm\"},\"status\":{\"S\":\"pending\"},\"ttl\":{\"N\":\"1767225900\"}", LATCH_BUSY, LATCH_BUSY, NULL, true},
        {",\"jobId\":{\"S\":\"npm\"},\"status\":{\"S\":\"pending\"},\"ttl\":{\"N\":\"0\"}", LATCH_BUSY, LATCH_BUSY, NULL, true},
        {",\"jobId\":{\"S\":\"npm\"},\"status\":{\"S\":\"pending\"},\"ttl\":{\"N\":\"1767225597\"}", LATCH_OK, LATCH_CONFLICT, NULL, false},
        {",\"jobId\":{\"S\":\"npm\"},\"status\":{\"S\":\"pending\"},\"ttl\":{\"N\":\"1767225598\"}", LATCH_BUSY, LATCH_BUSY, NULL, true},
        {",\"jobId\":{\"S\":\"npm\"},\"status\":{\"S\":\"completed\"},\"result\":{\"S\":\"{\\\"a\\\":1}\"},\"error\":{\"NULL\":true},"
         "\"ttl\":"
         "{\"N\":\"1767225900\"}",
         LATCH_SEEN, LATCH_OK, "{\"a\":1}", false},
        {",\"jobId\":{\"S\":\"npm\"},\"status\":{\"S\":\"completed\"},\"result\":{\"S\":\"__UNDEFINED__\"},\"ttl\":{\"N\":\"1767225900\"}",
         LATCH_SEEN, LATCH_OK, "null", false},
        {",\"jobId\":{\"S\":\"npm\"},\"status\":{\"S\":\"completed\"},\"result\":{\"S\":\"__NULL__\"},\"ttl\":{\"N\":\"0\"}", LATCH_SEEN,
         LATCH_OK, "null", false},
        {",\"jobId\":{\"S\":\"npm\"},\"status\":{\"S\":\"completed\"},\"result\":{\"S\":\"1\"},\"ttl\":{\"N\":\"1767225600\"}", LATCH_OK,
         LATCH_MISSING, NULL, false},
        {",\"jobId\":{\"S\":\"npm\"},\"status\":{\"S\":\"failed\"},\"error\":{\"S\":\"Job failed\"},\"ttl\":{\"N\":\"1767225900\"}",
         LATCH_OK, LATCH_CONFLICT, NULL, false},
        /* the package's own ghost: it fails a job that isn't there */
        {",\"status\":{\"S\":\"failed\"},\"error\":{\"S\":\"Job failed\"},\"updatedAt\":{\"N\":\"1767225600000\"}", LATCH_OK,
         LATCH_CONFLICT, NULL, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_job job;
        bool in_progress;
        put(JOB, rows[i].attributes);
        assert_int_equal(latch_dedupe_wait_for(&ann.cx, &dedupe, key, &job), rows[i].waits);
        if (rows[i].result != NULL) assert_true(latch_str_eq(latch_text(job.result), latch_str_of(rows[i].result)));
        assert_int_equal(latch_dedupe_is_in_progress(&ann.cx, &dedupe, key, &in_progress), LATCH_OK);
        assert_int_equal(in_progress, rows[i].in_progress);
        assert_int_equal(latch_dedupe_register_or_join(&ann.cx, &dedupe, key, &job), rows[i].registers);
        if (rows[i].registers != LATCH_OK) assert_true(latch_str_eq(job.id, LATCH_STR("npm")));
    }
}

/* The package completes and fails what is another's: the owner is told. */
static void tells_what_the_package_did_to_a_job(void **state) {
    static const struct {
        const char *attributes;
        latch_status completes;
    } rows[] = {
        {"\"status\":{\"S\":\"failed\"},\"error\":{\"S\":\"Job timed out\"}", LATCH_CONFLICT},
        {"\"status\":{\"S\":\"completed\"},\"result\":{\"S\":\"1\"}", LATCH_OK}, /* ours, as it should be */
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_job job;
        char attributes[256];
        rig_delete(&world, JOB_PK, JOB_PK);
        assert_int_equal(latch_dedupe_register_or_join(&ann.cx, &dedupe, key, &job), LATCH_OK);
        snprintf(attributes, sizeof attributes, ",\"jobId\":{\"S\":\"%.*s\"},%s", (int)job.id.len, job.id.ptr, rows[i].attributes);
        put(JOB, attributes);
        assert_int_equal(latch_dedupe_complete(&ann.cx, &dedupe, key, job.id, LATCH_NULL), rows[i].completes);
    }
    rig_delete(&world, JOB_PK, JOB_PK);
    latch_job job;
    assert_int_equal(latch_dedupe_register_or_join(&ann.cx, &dedupe, key, &job), LATCH_OK);
    rig_delete(&world, JOB_PK, JOB_PK);
    assert_int_equal(latch_dedupe_fail(&ann.cx, &dedupe, key, job.id, LATCH_STR("x")), LATCH_CONFLICT);
    assert_false(rig_has(&world, JOB_PK, JOB_PK, "pk")); /* and no ghost of ours */
}

/* ── dedupe beside the contract ─────────────────────────────────────────────────────────────────────────────────────────── */

static void gives_the_id_alone(void **state) {
    static const latch_dedupe native = {.name = "orders"};
    latch_str mine, others;
    (void)state;
    ann.table = bob.table = (latch_table){.name = "latch", .client = ann.table.client};
    bob.table.client = &bob.client;
    assert_int_equal(latch_dedupe_register(&ann.cx, &native, key, &mine), LATCH_OK);
    assert_int_equal(latch_dedupe_register(&bob.cx, &native, key, &others), LATCH_BUSY);
    assert_true(latch_str_eq(mine, others));
    assert_int_equal(latch_dedupe_complete(&ann.cx, &native, key, mine, LATCH_NULL), LATCH_OK);
    assert_int_equal(latch_dedupe_register(&bob.cx, &native, key, &others), LATCH_SEEN);
    assert_true(latch_str_eq(mine, others));
    assert_int_equal(latch_dedupe_register(&bob.cx, &native, LATCH_STR(""), &others), LATCH_E_INPUT);
    assert_int_equal(others.len, 0);
    assert_int_equal(bob.requests, 2);
}

static void counts_clears_and_cleans_up_jobs(void **state) {
    static const latch_dedupe native = {.name = "orders", .job_timeout_ms = 1000}, others = {.name = "orders2"};
    static const latch_sweep all = {.all = true};
    latch_swept swept;
    latch_str id;
    (void)state;
    ann.table = (latch_table){.name = "latch", .client = &ann.client};
    assert_int_equal(latch_dedupe_register(&ann.cx, &native, LATCH_STR("eu#1"), &id), LATCH_OK);
    assert_int_equal(latch_dedupe_register(&ann.cx, &native, LATCH_STR("eu#2"), &id), LATCH_OK);
    assert_int_equal(latch_dedupe_register(&ann.cx, &native, LATCH_STR("us"), &id), LATCH_OK);
    assert_int_equal(latch_dedupe_register(&ann.cx, &others, LATCH_STR("eu#1"), &id), LATCH_OK);
    assert_int_equal(latch_dedupe_stats(&ann.cx, &native, &all, &swept), LATCH_OK);
    assert_int_equal(swept.items, 3);
    assert_int_equal(swept.expired, 0);
    assert_int_equal(latch_dedupe_clear(&ann.cx, &native, &(latch_sweep){.scope = LATCH_STR("eu#")}, &swept), LATCH_OK);
    assert_int_equal(swept.removed, 2);
    rig_pass(&world, 1000 + 2000 + 60000 + 3000);
    assert_int_equal(latch_dedupe_cleanup(&ann.cx, &native, &all, &swept), LATCH_OK);
    assert_int_equal(swept.removed, 1);
    assert_int_equal(latch_dedupe_register(&ann.cx, &others, LATCH_STR("eu#1"), &id), LATCH_BUSY);
    assert_int_equal(latch_dedupe_clear(&ann.cx, &native, &(latch_sweep){0}, &swept), LATCH_E_MISUSE);
}

static void refuses_bad_tables_and_keys(void **state) {
    static char long_key[1025];
    static const latch_cache nowhere = {.name = "price", .toolkit_table = ""}, odd = {.name = "price", .toolkit_table = "a/b"},
                             missing = {.name = "price", .toolkit_table = "no-such-table"};
    static const latch_dedupe nobody = {.name = "orders", .toolkit_table = ""};
    latch_json v;
    latch_job job;
    (void)state;
    assert_int_equal(latch_cache_get(&ann.cx, &nowhere, key, &v), LATCH_E_MISUSE);
    assert_int_equal(latch_cache_get(&ann.cx, &odd, key, &v), LATCH_E_MISUSE);
    assert_int_equal(latch_cache_get(&ann.cx, &missing, key, &v), LATCH_E_MISUSE);
    assert_int_equal(latch_dedupe_register_or_join(&ann.cx, &nobody, key, &job), LATCH_E_MISUSE);
    memset(long_key, 'k', sizeof long_key - 1);
    rig_again(&ann, 0);
    assert_int_equal(latch_cache_get(&ann.cx, &cache, (latch_str){long_key, 1019}, &v), LATCH_E_INPUT);
    assert_string_equal(latch_error(&ann.cx)->message, "cache price: the key has 1019 bytes, want at most 1018");
    assert_int_equal(latch_cache_get(&ann.cx, &cache, LATCH_STR("a\n"), &v), LATCH_E_INPUT);
    assert_int_equal(latch_cache_get(&ann.cx, &cache, LATCH_STR(""), &v), LATCH_E_INPUT);
    assert_int_equal(latch_dedupe_register_or_join(&ann.cx, &dedupe, (latch_str){long_key, 1018}, &job), LATCH_E_INPUT);
    assert_int_equal(ann.requests, 0);
    assert_int_equal(latch_cache_get(&ann.cx, &cache, (latch_str){long_key, 1018}, &v), LATCH_MISSING);
    assert_int_equal(latch_dedupe_register_or_join(&ann.cx, &dedupe, (latch_str){long_key, 1017}, &job), LATCH_OK);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, pair_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(caches_as_the_package_does),          ROW(reads_what_the_package_cached),
    ROW(loads_through_a_job_beside_it),       ROW(clears_caches_and_tags_of_the_package),
    ROW(registers_as_the_package_does),       ROW(joins_what_the_package_registered),
    ROW(tells_what_the_package_did_to_a_job), ROW(gives_the_id_alone),
    ROW(counts_clears_and_cleans_up_jobs),    ROW(refuses_bad_tables_and_keys),
};

CHECK_MAIN(tests)
