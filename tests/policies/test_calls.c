/* What each call costs and what rights it needs, measured, beside what docs/costs.md and docs/permissions.md say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "tests/check.h"
#include "tests/policies/calls.h"

#define ARENA_BYTES ((size_t)1 << 20)
#define PAGE_BYTES ((size_t)64 * 1024)
#define OPERATIONS_MAX 32

/* ── what the transport sees of ann ── */

static const char *const operations[] = {/* and below, what IAM calls the parts of a transaction */
                                         "GetItem",     "PutItem",          "UpdateItem",         "DeleteItem",        "Query",
                                         "Scan",        "BatchGetItem",     "BatchWriteItem",     "CreateTable",       "DescribeTable",
                                         "DeleteTable", "UpdateTimeToLive", "DescribeTimeToLive", "ConditionCheckItem"};

typedef struct measured {
    size_t requests;
    uint64_t read_milli_units, write_milli_units;
    bool used[COUNT_OF(operations)]; /* IAM's actions */
} measured;

static rig_world world;
static rig anns, bobs;
static latch_transport inner;
static latch_usage usage; /* what the client counts of hers */
static measured seen;
static const play *playing;

static void use(const char *operation) {
    for (size_t i = 0; i < COUNT_OF(operations); i++) {
        if (strcmp(operation, operations[i]) != 0) continue;
        seen.used[i] = true;
        return;
    }
    fail_msg("%s: which right is that?", operation);
}

static size_t count_of(latch_str text, const char *what) {
    size_t count = 0, len = strlen(what);
    for (const char *at = text.ptr; (at = memmem(at, (size_t)(text.ptr + text.len - at), what, len)) != NULL; at += len)
        count++;
    return count;
}

/* A transaction needs the rights of its parts, and has none of its own. How many parts there are. */
static size_t use_parts(latch_str request) {
    static const struct {
        const char *part, *action;
    } parts[] = {{"{\"Put\":", "PutItem"},
                 {"{\"Update\":", "UpdateItem"},
                 {"{\"Delete\":", "DeleteItem"},
                 {"{\"ConditionCheck\":", "ConditionCheckItem"},
                 {"{\"Get\":", "GetItem"}};
    size_t all = 0;
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        size_t count = count_of(request, parts[i].part);
        if (count > 0) use(parts[i].action);
        all += count;
    }
    return all;
}

/* DynamoDB tells no capacity of what it refuses, and takes it: a write unit for each item whose condition was looked at, a transaction's two. */
static latch_status record(void *self, const latch_send *send, latch_arena *arena, latch_reply *out, latch_err *err) {
    bool transacts = strncmp(send->operation, "Transact", 8) == 0;
    size_t parts = 1;
    (void)self;
    seen.requests++;
    if (transacts)
        parts = use_parts(send->request);
    else
        use(send->operation);
    if (playing->meanwhile != NULL && seen.requests == playing->at) playing->meanwhile();
    latch_status status = inner.call(inner.self, send, arena, out, err);
    bool refused =
        status == LATCH_OK && (count_of(out->body, "ConditionalCheckFailedException") + count_of(out->body, "TransactionCanceled") > 0);
    if (refused) seen.write_milli_units += parts * (transacts ? 2000 : 1000);
    return status;
}

static void measure(const play *p, size_t number, measured *out) {
    char text[16];
    snprintf(text, sizeof text, "k%zu", number);
    plays_begin(p, text);
    seen = (measured){0};
    playing = p;
    if (p->prepare != NULL && p->prepare() != LATCH_OK) fail_msg("%s, %s: can't be prepared: %s", p->call, p->when, bobs.cx.err.message);
    seen = (measured){0};
    usage = (latch_usage){0};
    latch_status status = p->go(&anns);
    if (status != p->wants) fail_msg("%s, %s: status %d: %s", p->call, p->when, (int)status, anns.cx.err.message);
    seen.read_milli_units += usage.read_milli_units;
    seen.write_milli_units += usage.write_milli_units;
    assert_int_equal(seen.requests, usage.requests);
    *out = seen;
}

static measured results[PLAYS_MAX];

static int set_up(void **state) {
    (void)state;
    rig_open(&world);
    rig_init(&anns, &world, ARENA_BYTES);
    rig_init(&bobs, &world, ARENA_BYTES);
    anns.client.options.capacity = true;
    anns.cx.usage = &usage;
    inner = anns.client.transport;
    plays_open(&anns, &bobs);
    anns.client.transport = (latch_transport){.call = record};
    for (size_t i = 0; i < play_count; i++)
        measure(&plays[i], i, &results[i]);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    rig_clean_up(&anns);
    rig_clean_up(&bobs);
    rig_close(&world);
    return 0;
}

/* ── the pages ── */

static char page[PAGE_BYTES];

static void read_page(const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/docs/%s", LATCH_SOURCE_DIR, name);
    FILE *file = fopen(path, "r");
    if (file == NULL) fail_msg("%s can't be read", path);
    size_t len = fread(page, 1, sizeof page - 1, file);
    fclose(file);
    assert_in_range(len, 100, sizeof page - 2);
    page[len] = '\0';
}

/* The table's row that begins with `cells`; NULL: there is none. *after is what follows them. */
static const char *find_row(const char *text, const char *cells, const char **after) {
    size_t len = strlen(cells);
    for (const char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n'), line += line != NULL) {
        if (strncmp(line, cells, len) != 0) continue;
        *after = line + len;
        return line;
    }
    return NULL;
}

static size_t rows_of(const char *text, const char *begins) {
    size_t count = strncmp(text, begins, strlen(begins)) == 0;
    for (const char *line = strchr(text, '\n'); line != NULL; line = strchr(line + 1, '\n'))
        count += strncmp(line + 1, begins, strlen(begins)) == 0;
    return count;
}

static void write_units(char *out, size_t size, uint64_t milli) {
    snprintf(out, size, milli % 1000 == 0 ? "%llu" : "%llu.%llu", (unsigned long long)(milli / 1000),
             (unsigned long long)(milli % 1000 / 100));
}

/* "| `latch_cache_get` | a hit |" and " 1 | 0.5 | 0 |" */
static void row_of_cost(const play *p, const measured *m, char cells[256], char rest[64]) {
    char reads[24], writes[24];
    write_units(reads, sizeof reads, m->read_milli_units);
    write_units(writes, sizeof writes, m->write_milli_units);
    snprintf(cells, 256, "| `%s` | %s |", p->call, p->when);
    snprintf(rest, 64, " %zu | %s | %s |\n", m->requests, reads, writes);
}

/* How many plays the page tells otherwise, or not at all; said on standard output, where `says`. */
static size_t differences_of_costs(const char *text, bool says) {
    size_t differ = 0;
    for (size_t i = 0; i < play_count; i++) {
        char cells[256], rest[64];
        const char *after = NULL;
        row_of_cost(&plays[i], &results[i], cells, rest);
        bool requests_alone = plays[i].local_counts_otherwise && !rig_is_engine();
        size_t compared = requests_alone ? (size_t)(strchr(rest, '|') - rest) : strlen(rest);
        if (find_row(text, cells, &after) != NULL && strncmp(after, rest, compared) == 0) continue;
        differ++;
        if (says) printf("docs/costs.md wants: %s%s", cells, rest);
    }
    return differ;
}

static void costs_are_the_pages(void **state) {
    (void)state;
    read_page("costs.md");
    assert_int_equal(differences_of_costs(page, true), 0);
    assert_int_equal(rows_of(page, "| `latch_"), play_count); /* no row that nothing measures */
}

/* Each number of each row, changed. */
static void a_changed_cost_is_found_by_its_twin(void **state) {
    static char twin[PAGE_BYTES + 1];
    (void)state;
    read_page("costs.md");
    for (size_t i = 0; i < play_count; i++) {
        char cells[256], rest[64];
        const char *after = NULL;
        row_of_cost(&plays[i], &results[i], cells, rest);
        assert_non_null(find_row(page, cells, &after));
        for (int column = 0; column < 3; column++) {
            size_t at = (size_t)(after + 1 - page);
            snprintf(twin, sizeof twin, "%.*s9%s", (int)at, page, page + at);
            assert_int_equal(differences_of_costs(twin, false), 1);
            after = strchr(after, '|') + 1;
        }
    }
}

/* ── rights ── */

/* The row of one call, or of all whose name begins so: "| `latch_cache_get` | `dynamodb:GetItem` |" */
static void row_of_rights(const char *grant, bool (*belongs)(const play *, const char *), char out[512]) {
    bool used[COUNT_OF(operations)] = {0};
    for (size_t i = 0; i < play_count; i++)
        for (size_t k = 0; belongs(&plays[i], grant) && k < COUNT_OF(operations); k++)
            used[k] = used[k] || results[i].used[k];
    const char *end = strchr(grant, ' ');
    int name = end != NULL ? (int)(end - grant) : (int)strlen(grant);
    size_t at = (size_t)snprintf(out, 512, "| `%.*s`%s |", name, grant, grant + name);
    for (size_t k = 0, count = 0; k < COUNT_OF(operations); k++)
        if (used[k]) at += (size_t)snprintf(out + at, 512 - at, "%s `dynamodb:%s`", count++ > 0 ? "," : "", operations[k]);
    snprintf(out + at, 512 - at, " |\n");
}

static const char *grant_of(const play *p) { return p->grant != NULL ? p->grant : p->call; }
static bool is_granted(const play *p, const char *grant) { return strcmp(grant_of(p), grant) == 0; }
static bool is_of_store(const play *p, const char *store) { return p->store != NULL && strcmp(p->store, store) == 0; }

/* Whether play i is the first of its store. */
static bool begins_store(size_t i) { return plays[i].store != NULL && (i == 0 || !is_of_store(&plays[i - 1], plays[i].store)); }

static size_t stores(void) {
    size_t count = 0;
    for (size_t i = 0; i < play_count; i++)
        count += begins_store(i);
    return count;
}

static size_t difference_of_rights(const char *text, const char *row, bool says) {
    const char *after;
    if (find_row(text, row, &after) != NULL) return 0;
    if (says) printf("docs/permissions.md wants: %s", row);
    return 1;
}

static size_t differences_of_rights(const char *text, bool says) {
    size_t differ = 0;
    char row[512];
    for (size_t i = 0; i < play_count; i++) {
        row_of_rights(grant_of(&plays[i]), is_granted, row);
        differ += difference_of_rights(text, row, says);
        if (!begins_store(i)) continue;
        row_of_rights(plays[i].store, is_of_store, row);
        differ += difference_of_rights(text, row, says);
    }
    return differ;
}

static size_t distinct_grants(void) {
    size_t count = 0;
    for (size_t i = 0; i < play_count; i++) {
        bool came_before = false;
        for (size_t k = 0; k < i; k++)
            came_before = came_before || is_granted(&plays[k], grant_of(&plays[i]));
        count += !came_before;
    }
    return count;
}

static void rights_are_the_pages(void **state) {
    (void)state;
    read_page("permissions.md");
    assert_int_equal(differences_of_rights(page, true), 0);
    assert_int_equal(rows_of(page, "| `latch_"), distinct_grants());
    assert_int_equal(rows_of(page, "| `store/"), stores());
}

static void a_changed_right_is_found_by_its_twin(void **state) {
    static char twin[PAGE_BYTES];
    size_t rows = 0;
    (void)state;
    read_page("permissions.md");
    for (char *at = page; (at = strstr(at, "\n| `")) != NULL;) {
        char *end = strchr(++at, '\n'), *right = strstr(at, "`dynamodb:");
        bool ours = strncmp(at, "| `latch_", 9) == 0 || strncmp(at, "| `store/", 9) == 0;
        if (!ours) continue;
        assert_true(right != NULL && right < end);
        snprintf(twin, sizeof twin, "%.*s`dynamodb:Other`, %s", (int)(right - page), page, right); /* one more */
        assert_true(differences_of_rights(twin, false) > 0);
        const char *left_out = strchr(right + 1, '`') + 1;
        snprintf(twin, sizeof twin, "%.*s%s", (int)(right - page), page, left_out); /* one less */
        assert_true(differences_of_rights(twin, false) > 0);
        rows++;
    }
    assert_int_equal(rows, distinct_grants() + stores());
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
// clang-format off
static const struct CMUnitTest tests[] = {
    ROW(costs_are_the_pages),
    ROW(a_changed_cost_is_found_by_its_twin),
    ROW(rights_are_the_pages),
    ROW(a_changed_right_is_found_by_its_twin),
};
// clang-format on

CHECK_MAIN(tests)
