/*
 * differential - the embedded engine and DynamoDB Local are sent the same random requests, and have to answer the same.
 *
 *     differential [REQUESTS [SEED]] [--workers N] [--check N] [--endpoint URL] [--twin text|condition|lost|order]
 *
 * Whole tables are compared after every 500 requests, or as --check says: with 1, a write that was answered alike and done differently is
 * the one before the difference.
 *
 * The endpoint is LATCH_TEST_ENDPOINT_FILE's where none is given. Each worker has tables of its own and a seed of its own: a difference is
 * printed with what makes it again, and with the request cut down to what still differs. It ends with 0 where nothing differed and all
 * floors of coverage were reached; with a twin, where something differed.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/differential/coverage.h"
#include "tests/endpoint.h"

#define PAGES_MAX 400
#define SHRINKS_MAX 300
#define WORKERS_MAX 8
#define SHOWN_EACH 2
#define TRIES_MAX 10

typedef struct run {
    uint64_t requests, seed, check_every;
    unsigned workers;
    char url[256];
    twin twin;
    pthread_mutex_t printing;
    coverage coverage;
    counts differences; /* by operation and both texts */
} run;

typedef struct worker {
    run *run;
    unsigned number;
    uint64_t at; /* the request's number */
    char prefix[32];
    sides sides;
    gen gen;
    coverage *coverage;
} worker;

/* ── both sides ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct both {
    reply engine, other;
} both;

/* A server's failure is met by asking again (developer guide, "Error handling"): Local's CreateTable with capacity fails now and then while
 * another worker's tables come and go, and has made nothing. */
static reply ask_other(worker *w, const char *operation, const char *request, size_t len) {
    reply r = side_ask(&w->sides.other, operation, request, len);
    for (unsigned tries = 0; r.http_status == 500 && strcmp(operation, "CreateTable") == 0 && tries < TRIES_MAX; tries++) {
        reply_free(&r);
        r = side_ask(&w->sides.other, operation, request, len);
    }
    return r;
}

static both ask(worker *w, const char *operation, const char *request, size_t len) {
    return (both){side_ask(&w->sides.engine, operation, request, len), ask_other(w, operation, request, len)};
}

static void both_free(both *b) {
    reply_free(&b->engine);
    reply_free(&b->other);
}

/* Preparation and repair: both sides as they are, without the twin; what they answer is not looked at. */
static void tell(worker *w, const char *operation, const text *request) {
    w->sides.engine.twin = NO_TWIN;
    both b = ask(w, operation, text_of(request), request->len);
    w->sides.engine.twin = w->run->twin;
    both_free(&b);
}

static void drop_tables(worker *w) {
    text request = {0};
    for (size_t i = 0; i < LAYOUT_COUNT; i++) {
        text_clear(&request);
        text_add(&request, "{\"TableName\":\"%s%s\"}", w->prefix, layouts[i].name);
        tell(w, "DeleteTable", &request);
    }
    for (unsigned i = 0; i < 4; i++) {
        text_clear(&request);
        text_add(&request, "{\"TableName\":\"%st%u\"}", w->prefix, i);
        tell(w, "DeleteTable", &request);
    }
    text_free(&request);
}

static void make_tables(worker *w) {
    text request = {0};
    for (size_t i = 0; i < LAYOUT_COUNT; i++) {
        text_clear(&request);
        text_add(&request, "{\"TableName\":\"%s%s\"", w->prefix, layouts[i].name);
        table_create(&w->gen, &request, &layouts[i]);
        text_add(&request, "}");
        tell(w, "CreateTable", &request);
    }
    text_free(&request);
}

/* ── pages ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* All that a Query or Scan returns on one side, over its pages. */
typedef struct harvest {
    yyjson_doc *docs[PAGES_MAX]; /* owned */
    size_t pages;
    yyjson_val **items;
    size_t count, cap;
    uint64_t counted, scanned;
    reply failed; /* the page that was no 200; owned */
} harvest;

static void harvest_free(harvest *h) {
    for (size_t i = 0; i < h->pages; i++)
        yyjson_doc_free(h->docs[i]);
    free(h->items);
    reply_free(&h->failed);
}

static void harvest_add(harvest *h, yyjson_doc *doc) {
    size_t i, max;
    yyjson_val *item, *root = yyjson_doc_get_root(doc);
    h->docs[h->pages++] = doc;
    h->counted += yyjson_get_uint(yyjson_obj_get(root, "Count"));
    h->scanned += yyjson_get_uint(yyjson_obj_get(root, "ScannedCount"));
    yyjson_arr_foreach(yyjson_obj_get(root, "Items"), i, max, item) {
        if (h->count == h->cap) {
            h->cap = 2 * h->cap + 64;
            h->items = need_memory(realloc(h->items, h->cap * sizeof *h->items));
        }
        h->items[h->count++] = item;
    }
}

/* `request` from where it begins to the last page. */
static void reap(side *s, const char *operation, const char *request, size_t len, harvest *h) {
    text page = {0};
    text_put(&page, request, len);
    while (h->pages < PAGES_MAX) {
        reply r = side_ask(s, operation, text_of(&page), page.len);
        if (r.http_status != 200) {
            h->failed = r;
            break;
        }
        harvest_add(h, r.doc);
        yyjson_val *next = yyjson_obj_get(reply_root(&r), "LastEvaluatedKey");
        if (next == NULL) break;
        text_clear(&page);
        text_put(&page, request, len - 1);
        text_add(&page, ",\"ExclusiveStartKey\":");
        value_copy(&page, next);
        text_add(&page, "}");
    }
    text_free(&page);
}

/* Where a request names one of at most eight segments, *of of them: what is before its number and behind it. Which items are in a segment is
 * each side's own matter. */
static bool names_segment(const char *request, const char **number, const char **behind, unsigned long *of) {
    static const char name[] = "\"Segment\":", next[] = ",\"TotalSegments\":";
    char *end;
    if ((*number = strstr(request, name)) == NULL) return false;
    *number += sizeof name - 1;
    unsigned long segment = strtoul(*number, &end, 10);
    *behind = end;
    if (end == *number || strncmp(end, next, sizeof next - 1) != 0) return false;
    *of = strtoul(end + sizeof next - 1, NULL, 10);
    return segment < *of && *of <= 8;
}

/* A parallel scan is all its segments. */
static void reap_all(side *s, const char *operation, const char *request, size_t len, harvest *h) {
    const char *number, *behind;
    unsigned long segments;
    if (!names_segment(request, &number, &behind, &segments)) {
        reap(s, operation, request, len, h);
        return;
    }
    for (unsigned long i = 0; i < segments && h->failed.doc == NULL && h->failed.http_status == 0; i++) {
        text one = {0};
        text_put(&one, request, (size_t)(number - request));
        text_add(&one, "%lu%s", i, behind);
        reap(s, operation, text_of(&one), one.len, h);
        text_free(&one);
    }
}

static bool same_order(const harvest *a, const harvest *b, const order *o) {
    for (size_t i = 0; o->range.name != NULL && i < a->count; i++) {
        yyjson_val *one = yyjson_obj_get(a->items[i], o->range.name), *other = yyjson_obj_get(b->items[i], o->range.name);
        if ((one != NULL || other != NULL) && !compare_values(one, other)) return false;
    }
    return true;
}

static bool same_pages(const harvest *a, const harvest *b) {
    if (a->pages != b->pages) return false;
    for (size_t i = 0; i < a->pages; i++)
        if (!compare_values(yyjson_doc_get_root(a->docs[i]), yyjson_doc_get_root(b->docs[i]))) return false;
    return true;
}

static bool same_harvest(const char *operation, const harvest *a, const harvest *b, const order *o) {
    bool queries = strcmp(operation, "Query") == 0;
    if (queries && o->index == NULL) return same_pages(a, b);
    return a->counted == b->counted && a->scanned == b->scanned && compare_as_sets(a->items, a->count, b->items, b->count) &&
           (!queries || same_order(a, b, o));
}

/* ── one request ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct outcome {
    verdict verdict;
    size_t row;
    char engine[1024], other[1024]; /* a line of each answer */
    bool changes;                   /* one side may have done what the other didn't */
    int http_status;                /* of the engine */
    uint64_t counted, scanned;      /* of a Query or Scan */
} outcome;

static void describe(const harvest *h, char *out, size_t bytes) {
    size_t len = (size_t)snprintf(out, bytes, "200 : %zu pages, %zu items, Count %llu, ScannedCount %llu ", h->pages, h->count,
                                  (unsigned long long)h->counted, (unsigned long long)h->scanned);
    for (size_t i = 0; i < h->pages && len + 1 < bytes; i++) {
        char *page = yyjson_write(h->docs[i], 0, NULL);
        len += (size_t)snprintf(out + len, bytes - len, "%.400s ", page != NULL ? page : "");
        if (len >= bytes) len = bytes - 1;
        free(page);
    }
}

static unsigned known_of(const worker *w) { return (w->gen.actions > 1 ? OF_SEVERAL : 0u) | (w->gen.spoil == MUTATED ? CHANGED : 0u); }

static bool is_paged(const char *operation) { return strcmp(operation, "Query") == 0 || strcmp(operation, "Scan") == 0; }

static void play_pages(worker *w, const char *operation, const char *request, size_t len, outcome *o, coverage *c) {
    harvest a = {0}, b = {0};
    reap_all(&w->sides.engine, operation, request, len, &a);
    reap_all(&w->sides.other, operation, request, len, &b);
    bool failed = a.failed.http_status != 0 || b.failed.http_status != 0;
    reply engine = a.failed.http_status != 0 ? a.failed : (reply){.http_status = 200};
    reply other = b.failed.http_status != 0 ? b.failed : (reply){.http_status = 200};
    if (failed)
        o->verdict = compare_replies(operation, w->prefix, &engine, &other, known_of(w), &o->row);
    else
        o->verdict = same_harvest(operation, &a, &b, w->gen.order) ? SAME : DIFFERENT;
    o->http_status = engine.http_status;
    o->counted = a.counted;
    o->scanned = a.scanned;
    if (o->verdict != SAME) {
        compare_line(&engine, o->engine, sizeof o->engine);
        compare_line(&other, o->other, sizeof o->other);
        if (a.failed.http_status == 0) describe(&a, o->engine, sizeof o->engine);
        if (b.failed.http_status == 0) describe(&b, o->other, sizeof o->other);
    }
    if (c != NULL) {
        coverage_answer(c, operation, &engine);
        coverage_add(&c->operations, operation, a.pages > 0 ? a.pages - 1 : 0);
        c->pages += a.pages > 1;
    }
    harvest_free(&a);
    harvest_free(&b);
}

static void whole_line(const reply *r, char *out, size_t bytes) {
    char *body = yyjson_write(r->doc, 0, NULL);
    snprintf(out, bytes, "%d %s", r->http_status, body != NULL ? body : "no JSON");
    free(body);
}

static void play_one(worker *w, const char *operation, const char *request, size_t len, outcome *o, coverage *c) {
    both b = ask(w, operation, request, len);
    o->verdict = compare_replies(operation, w->prefix, &b.engine, &b.other, known_of(w), &o->row);
    o->http_status = b.engine.http_status;
    o->changes = b.engine.http_status == 200 || b.other.http_status != 400 || (o->verdict == LISTED && compare_listed[o->row].unseen);
    if (o->verdict != SAME) {
        whole_line(&b.engine, o->engine, sizeof o->engine);
        whole_line(&b.other, o->other, sizeof o->other);
    }
    if (c != NULL) coverage_answer(c, operation, &b.engine);
    both_free(&b);
}

static outcome play(worker *w, const char *operation, const char *request, size_t len, coverage *c) {
    outcome o = {0};
    if (is_paged(operation))
        play_pages(w, operation, request, len, &o, c);
    else
        play_one(w, operation, request, len, &o, c);
    return o;
}

/* ── a difference ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The item that the request is about, as it was before. */
static void restore(worker *w) {
    text request = {0};
    if (w->gen.key.len == 0) return;
    text_add(&request, "{\"TableName\":\"%s%s\",\"%s\":", w->prefix, w->gen.layout->name, w->gen.item != NULL ? "Item" : "Key");
    if (w->gen.item != NULL)
        value_copy(&request, w->gen.item);
    else
        text_add(&request, "%s", text_of(&w->gen.key));
    text_add(&request, "}");
    tell(w, w->gen.item != NULL ? "PutItem" : "DeleteItem", &request);
    text_free(&request);
}

static size_t count_nodes(yyjson_mut_val *at) {
    size_t i, max, count = 0;
    yyjson_mut_val *key, *value;
    if (yyjson_mut_is_obj(at)) yyjson_mut_obj_foreach(at, i, max, key, value) count += 1 + count_nodes(value);
    if (yyjson_mut_is_arr(at)) yyjson_mut_arr_foreach(at, i, max, value) count += 1 + count_nodes(value);
    return count;
}

/* Takes out the nth member or element, counted as count_nodes does. */
static bool take_out(yyjson_mut_val *at, size_t *n) {
    size_t i, max;
    yyjson_mut_val *key, *value;
    if (yyjson_mut_is_obj(at)) yyjson_mut_obj_foreach(at, i, max, key, value) {
            if ((*n)-- == 0) return yyjson_mut_obj_remove_key(at, yyjson_mut_get_str(key)) != NULL;
            if (take_out(value, n)) return true;
        }
    if (yyjson_mut_is_arr(at)) yyjson_mut_arr_foreach(at, i, max, value) {
            if ((*n)-- == 0) return yyjson_mut_arr_remove(at, i) != NULL;
            if (take_out(value, n)) return true;
        }
    return false;
}

static char *without(const char *request, size_t n, size_t *nodes) {
    yyjson_doc *doc = yyjson_read(request, strlen(request), 0);
    yyjson_mut_doc *copy = yyjson_doc_mut_copy(doc, NULL);
    *nodes = count_nodes(yyjson_mut_doc_get_root(copy));
    char *less = take_out(yyjson_mut_doc_get_root(copy), &n) ? yyjson_mut_write(copy, 0, NULL) : NULL;
    yyjson_mut_doc_free(copy);
    yyjson_doc_free(doc);
    return less;
}

static void kind_of(const outcome *o, const char *operation, char *out, size_t bytes);

/* What can be left out of the request while it makes the same kind of difference. NULL: nothing, or its state can't be made again. */
static char *shrink(worker *w, const char *operation, const char *request, const outcome *first) {
    char kind[2048], now[2048];
    size_t nodes = 1, tries = 0;
    bool several = strstr(operation, "Write") != NULL || strstr(operation, "Table") != NULL || strstr(operation, "Time") != NULL;
    if (several && first->changes) return NULL;
    kind_of(first, operation, kind, sizeof kind);
    char *best = need_memory(strdup(request));
    for (size_t n = 0; n < nodes && tries < SHRINKS_MAX; tries++) {
        char *less = without(best, n, &nodes);
        if (less == NULL) break;
        restore(w);
        outcome o = play(w, operation, less, strlen(less), NULL);
        kind_of(&o, operation, now, sizeof now);
        if (o.verdict == DIFFERENT && strcmp(kind, now) == 0) {
            free(best);
            best = less;
            continue;
        }
        free(less);
        n++;
    }
    restore(w);
    return best;
}

static void short_line(const char *line, char *out, size_t bytes) {
    const char *type = strstr(line, "\"__type\":\""), *message = strstr(line, "essage\":\"");
    char said[600];
    if (message == NULL) {
        snprintf(out, bytes, "%.3s", line);
        return;
    }
    const char *name = type != NULL && strchr(type, '#') != NULL ? strchr(type, '#') + 1 : "";
    snprintf(said, sizeof said, "%.40s|%.500s", name, strchr(message, ':') + 2);
    coverage_template(said, out, bytes);
}

static void kind_of(const outcome *o, const char *operation, char *out, size_t bytes) {
    char one[600], two[600];
    if (is_paged(operation)) {
        coverage_template(o->engine, one, 120);
        coverage_template(o->other, two, 120);
    } else {
        short_line(o->engine, one, sizeof one);
        short_line(o->other, two, sizeof two);
    }
    snprintf(out, bytes, "%s\n    engine %s\n    other  %s", operation, one, two);
}

static void report(worker *w, const char *operation, const char *request, const outcome *o) {
    char kind[2048];
    kind_of(o, operation, kind, sizeof kind);
    pthread_mutex_lock(&w->run->printing);
    uint64_t seen = 0;
    for (size_t i = 0; i < w->run->differences.len; i++)
        if (strcmp(w->run->differences.of[i].name, kind) == 0) seen = w->run->differences.of[i].count;
    coverage_add(&w->run->differences, kind, 1);
    pthread_mutex_unlock(&w->run->printing);
    if (seen >= SHOWN_EACH || w->run->twin != NO_TWIN) return;
    char *less = shrink(w, operation, request, o), *item = NULL;
    if (w->gen.item != NULL) item = yyjson_val_write(w->gen.item, 0, NULL);
    pthread_mutex_lock(&w->run->printing);
    printf("DIFFERENT seed %llu workers %u worker %u request %llu: %s\n  item    %.1500s\n  request %.3000s\n  engine  %s\n  other   %s\n",
           (unsigned long long)w->run->seed, w->run->workers, w->number, (unsigned long long)w->at, operation, item != NULL ? item : "none",
           request, o->engine, o->other);
    if (request != text_of(&w->gen.out)) printf("  behind  %s %.3000s\n", w->gen.operation, text_of(&w->gen.out));
    if (less != NULL) printf("  shrunk  %.2000s\n", less);
    fflush(stdout);
    pthread_mutex_unlock(&w->run->printing);
    free(less);
    free(item);
}

/* ── many requests ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void note_truth(worker *w, const outcome *o, const char *error) {
    const gen *g = &w->gen;
    uint64_t *of = g->only < FUNCTION_COUNT ? w->coverage->functions[g->only] : NULL;
    if (g->absent >= 0 && o->http_status == 200) w->coverage->functions[F_IF_NOT_EXISTS][g->absent == 0 ? 1 : 0]++;
    if (of == NULL) return;
    if (is_paged(g->operation) && o->http_status == 200) {
        of[!g->negated] += o->counted > 0;
        of[g->negated] += o->scanned > o->counted;
    } else if (o->http_status == 200) {
        of[!g->negated]++;
    } else if (strcmp(error, "failed") == 0) {
        of[g->negated]++;
    }
}

/* Behind a difference that one side may have written something at: Local writes what it then refuses for its ReturnConsumedCapacity, or
 * fails at telling of. Looking for less of a difference changes things too. */
static void start_again(worker *w) {
    drop_tables(w);
    make_tables(w);
    text_clear(&w->gen.last_transaction);
}

/* Whether both sides have the same items; `reports` what differs. */
static bool compare_tables(worker *w, bool reports) {
    const char *const operation = "Scan";
    bool same = true;
    text request = {0};
    for (size_t i = 0; i < LAYOUT_COUNT; i++) {
        text_clear(&request);
        text_add(&request, "{\"TableName\":\"%s%s\",\"ConsistentRead\":true}", w->prefix, layouts[i].name);
        w->gen.order = &layouts[i].orders[0];
        outcome o = play(w, operation, text_of(&request), request.len, NULL);
        if (o.verdict == DIFFERENT && reports) report(w, operation, text_of(&request), &o);
        same &= o.verdict != DIFFERENT;
    }
    text_free(&request);
    return same;
}

static void check_tables(worker *w) {
    if (!compare_tables(w, true)) start_again(w);
    w->coverage->checks++;
}

static uint64_t failures(const coverage *c) {
    for (size_t i = 0; i < c->errors.len; i++)
        if (strcmp(c->errors.of[i].name, "ConditionalCheckFailedException") == 0) return c->errors.of[i].count;
    return 0;
}

/* What these change isn't seen in items: a table's settings, whether it is there. */
static bool changes_settings(const char *operation) {
    return strstr(operation, "Table") != NULL || strstr(operation, "TimeToLive") != NULL;
}

static void step(worker *w) {
    gen_next(&w->gen);
    uint64_t before = failures(w->coverage);
    outcome o = play(w, w->gen.operation, text_of(&w->gen.out), w->gen.out.len, w->coverage);
    w->coverage->requests++;
    note_truth(w, &o, failures(w->coverage) > before ? "failed" : "");
    if (o.verdict == LISTED) coverage_add(&w->coverage->rows, compare_listed[o.row].why, 1);
    if (o.verdict == DIFFERENT) report(w, w->gen.operation, text_of(&w->gen.out), &o);
    if (o.verdict == SAME) return;
    if (strcmp(w->gen.operation, "TransactWriteItems") == 0) text_clear(&w->gen.last_transaction); /* one side may know its token alone */
    if (o.verdict == LISTED && !o.changes) return;
    if (o.verdict == LISTED && !changes_settings(w->gen.operation) && compare_tables(w, false)) return;
    start_again(w);
}

static void *work(void *arg) {
    worker *w = arg;
    run *r = w->run;
    uint64_t mine = r->requests / r->workers + (w->number < r->requests % r->workers);
    snprintf(w->prefix, sizeof w->prefix, "diff%08x%c.", (unsigned)((uint64_t)time(NULL) ^ (uint64_t)getpid() << 12), 'a' + (int)w->number);
    sides_open(&w->sides, r->url, r->twin);
    gen_init(&w->gen, r->seed * 1000 + w->number, &w->sides, w->prefix);
    make_tables(w);
    for (w->at = 0; w->at < mine; w->at++) {
        step(w);
        if (w->at % r->check_every == r->check_every - 1) check_tables(w);
    }
    check_tables(w);
    drop_tables(w);
    gen_clean_up(&w->gen);
    sides_close(&w->sides);
    pthread_mutex_lock(&r->printing);
    coverage_merge(&r->coverage, w->coverage);
    pthread_mutex_unlock(&r->printing);
    coverage_free(w->coverage);
    free(w->coverage);
    return NULL;
}

static void run_all(run *r) {
    worker *workers = need_memory(calloc(r->workers, sizeof *workers));
    pthread_t threads[WORKERS_MAX];
    for (unsigned i = 0; i < r->workers; i++) {
        workers[i].run = r;
        workers[i].number = i;
        workers[i].coverage = need_memory(calloc(1, sizeof(coverage)));
        if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0) abort();
    }
    for (unsigned i = 0; i < r->workers; i++)
        pthread_join(threads[i], NULL);
    free(workers);
}

/* ── the program ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool option(run *r, const char *name, const char *value) {
    if (value == NULL) return false;
    if (strcmp(name, "--workers") == 0) r->workers = (unsigned)strtoul(value, NULL, 10);
    if (strcmp(name, "--check") == 0) r->check_every = strtoull(value, NULL, 10);
    if (strcmp(name, "--endpoint") == 0) snprintf(r->url, sizeof r->url, "%s", value);
    for (int t = 1; t < TWIN_COUNT && strcmp(name, "--twin") == 0; t++)
        if (strcmp(twin_names[t], value) == 0) r->twin = (twin)t;
    return strcmp(name, "--twin") != 0 || r->twin != NO_TWIN;
}

static bool arguments(run *r, int argc, char **argv) {
    int plain = 0;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0) {
            if (!option(r, argv[i], argv[i + 1])) return false;
            i++;
            continue;
        }
        *(plain++ == 0 ? &r->requests : &r->seed) = strtoull(argv[i], NULL, 10);
    }
    if (r->url[0] == '\0' && !endpoint_given(r->url, sizeof r->url)) return false;
    return plain <= 2 && r->requests > 0 && r->check_every > 0 && r->workers > 0 && r->workers <= WORKERS_MAX;
}

static uint64_t print_differences(const run *r) {
    uint64_t all = 0;
    for (size_t i = 0; i < r->differences.len; i++) {
        all += r->differences.of[i].count;
        printf("%6llu times: %s\n", (unsigned long long)r->differences.of[i].count, r->differences.of[i].name);
    }
    return all;
}

/* What COMPARE_FAULTS excuses is rare: more of it is a text that is wrong. */
static size_t too_many_faults(const run *r) {
    uint64_t most = r->requests / 20000 + 3;
    for (size_t i = 0; i < r->coverage.rows.len; i++) {
        const counted *c = &r->coverage.rows.of[i];
        if (strcmp(c->name, COMPARE_FAULTS) != 0 || c->count <= most) continue;
        printf("%llu times \"%s\", where at most %llu are expected\n", (unsigned long long)c->count, c->name, (unsigned long long)most);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv) {
    run *r = need_memory(calloc(1, sizeof *r));
    r->requests = 50000;
    r->seed = 1;
    r->check_every = 500;
    r->workers = 2;
    pthread_mutex_init(&r->printing, NULL);
    if (!arguments(r, argc, argv)) {
        fprintf(stderr,
                "usage: differential [REQUESTS [SEED]] [--workers 1-%d] [--check N] [--endpoint URL] [--twin NAME]\n"
                "The endpoint is a DynamoDB Local's, else the one in the file that LATCH_TEST_ENDPOINT_FILE names.\n",
                WORKERS_MAX);
        free(r);
        return 2;
    }
    run_all(r);
    bool broken = r->twin != NO_TWIN;
    if (!broken) coverage_print(&r->coverage);
    uint64_t different = print_differences(r);
    size_t missing = broken ? 0 : coverage_missing(&r->coverage) + too_many_faults(r);
    printf("%llu requests, seed %llu: %llu different\n", (unsigned long long)r->requests, (unsigned long long)r->seed,
           (unsigned long long)different);
    coverage_free(&r->coverage);
    for (size_t i = 0; i < r->differences.len; i++)
        free(r->differences.of[i].name);
    pthread_mutex_destroy(&r->printing);
    free(r);
    return (broken ? different > 0 : different == 0 && missing == 0) ? 0 : 1;
}
