/*
 * Random operations on the engine and on a model of it, an array of items; pages of every size; threads on one item.
 *
 * The harnesses are also run against broken twins: a model or a transport that forgets something has to be noticed.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"
#include "tests/embedded/engine_rig.h"

static engine_rig r;
static uint32_t dice;

static uint32_t roll(uint32_t sides) {
    dice ^= dice << 13, dice ^= dice >> 17, dice ^= dice << 5;
    return dice % sides;
}

#define TABLE                                                                                                                              \
    "{'TableName':'tab','BillingMode':'PAY_PER_REQUEST','AttributeDefinitions':[{'AttributeName':'pk','AttributeType':'S'},"               \
    "{'AttributeName':'sk','AttributeType':'N'},{'AttributeName':'g','AttributeType':'S'},{'AttributeName':'h','AttributeType':'N'}],"     \
    "'KeySchema':[{'AttributeName':'pk','KeyType':'HASH'},{'AttributeName':'sk','KeyType':'RANGE'}],"                                      \
    "'GlobalSecondaryIndexes':[{'IndexName':'gsi','KeySchema':[{'AttributeName':'g','KeyType':'HASH'},"                                    \
    "{'AttributeName':'h','KeyType':'RANGE'}],'Projection':{'ProjectionType':'ALL'}}],"                                                    \
    "'LocalSecondaryIndexes':[{'IndexName':'lsi','KeySchema':[{'AttributeName':'pk','KeyType':'HASH'},"                                    \
    "{'AttributeName':'h','KeyType':'RANGE'}],'Projection':{'ProjectionType':'KEYS_ONLY'}}]}"

static int set_up(void **state) {
    (void)state;
    dice = 2463534242;
    engine_rig_init(&r, NULL);
    engine_do(&r, "CreateTable", TABLE);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    engine_rig_clean_up(&r);
    return 0;
}

/* ── the model ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define PARTITIONS 8
#define SORTS 24
#define GROUPS 5
#define HEIGHTS 9

typedef struct item {
    bool exists;
    int g, h; /* -1: it has none */
    int v;
} item;

static item model[PARTITIONS][SORTS];

static bool in_group(const item *i, int g) { return i->exists && i->g == g && i->h >= 0; }

static void put(int p, int s) {
    item *i = &model[p][s];
    char g[32] = "", h[32] = "";
    *i = (item){true, (int)roll(GROUPS + 1) - 1, (int)roll(HEIGHTS + 1) - 1, (int)roll(1000)};
    if (i->g >= 0) snprintf(g, sizeof g, ",'g':{'S':'g%d'}", i->g);
    if (i->h >= 0) snprintf(h, sizeof h, ",'h':{'N':'%d'}", i->h);
    assert_int_equal(engine_send_format(&r, "PutItem", "{'TableName':'tab','Item':{'pk':{'S':'p%d'},'sk':{'N':'%d'},'v':{'N':'%d'}%s%s}}",
                                        p, s, i->v, g, h),
                     200);
}

/* Moves it in one index or out of it, where its condition holds. */
static void update(int p, int s) {
    item *i = &model[p][s];
    int limit = (int)roll(1000), h = (int)roll(HEIGHTS);
    bool remove = roll(3) == 0, holds = i->exists && i->v < limit;
    char value[64];
    snprintf(value, sizeof value, ",':h':{'N':'%d'}", h);
    int status = engine_send_format(&r, "UpdateItem",
                                    "{'TableName':'tab','Key':{'pk':{'S':'p%d'},'sk':{'N':'%d'}},'UpdateExpression':'SET v = v + :one%s',"
                                    "'ConditionExpression':'v < :limit','ExpressionAttributeValues':{':limit':{'N':'%d'},"
                                    "':one':{'N':'1'}%s}}",
                                    p, s, remove ? " REMOVE h" : ", h = :h", limit, remove ? "" : value);
    assert_int_equal(status, holds ? 200 : 400);
    if (!holds) return;
    i->v++;
    i->h = remove ? -1 : h;
}

static void erase(int p, int s) {
    assert_int_equal(engine_send_format(&r, "DeleteItem", "{'TableName':'tab','Key':{'pk':{'S':'p%d'},'sk':{'N':'%d'}}}", p, s), 200);
    model[p][s].exists = false;
}

/* Both or none: the second one's condition is about one in two times false. */
static void transact(int p, int s) {
    int other = (s + 1 + (int)roll(SORTS - 1)) % SORTS;
    bool wanted = roll(2) == 0, holds = model[p][other].exists == wanted;
    int status = engine_send_format(&r, "TransactWriteItems",
                                    "{'TransactItems':[{'Delete':{'TableName':'tab','Key':{'pk':{'S':'p%d'},'sk':{'N':'%d'}}}},"
                                    "{'Put':{'TableName':'tab','Item':{'pk':{'S':'p%d'},'sk':{'N':'%d'},'v':{'N':'7'},'g':{'S':'g0'},"
                                    "'h':{'N':'3'}},'ConditionExpression':'attribute_%s(pk)'}}]}",
                                    p, s, p, other, wanted ? "exists" : "not_exists");
    assert_int_equal(status, holds ? 200 : 400);
    if (!holds) return;
    model[p][s].exists = false;
    model[p][other] = (item){true, 0, 3, 7};
}

/* ── comparing: the number of differences ──────────────────────────────────────────────────────────────────────────── */

static int64_t at(size_t i, const char *path) {
    char pointer[64];
    snprintf(pointer, sizeof pointer, "/Items/%zu/%s", i, path);
    return engine_int(&r, pointer);
}

/* Items of a partition whose sort key is in [low, high], in this order. */
static size_t check_query(int p) {
    int low = (int)roll(SORTS), high = low + (int)roll((uint32_t)(SORTS - low));
    bool backward = roll(2) == 0;
    size_t found = 0, differ = 0;
    assert_int_equal(
        engine_send_format(&r, "Query",
                           "{'TableName':'tab','KeyConditionExpression':'pk = :p AND sk BETWEEN :l AND :h','ScanIndexForward':%s,"
                           "'ExpressionAttributeValues':{':p':{'S':'p%d'},':l':{'N':'%d'},':h':{'N':'%d'}}}",
                           backward ? "false" : "true", p, low, high),
        200);
    size_t count = engine_size(&r, "/Items");
    for (int i = 0; i <= high - low; i++) {
        int s = backward ? high - i : low + i;
        if (!model[p][s].exists) continue;
        differ += found >= count || at(found, "sk/N") != s || at(found, "v/N") != model[p][s].v;
        found++;
    }
    return differ + (found != count);
}

/* A global index's items of one group: as many as the model's, by height, each as it is in the model. */
static size_t check_group(int g) {
    size_t want = 0, differ = 0;
    int64_t last = -1;
    for (int p = 0; p < PARTITIONS; p++)
        for (int s = 0; s < SORTS; s++)
            want += in_group(&model[p][s], g);
    assert_int_equal(engine_send_format(&r, "Query",
                                        "{'TableName':'tab','IndexName':'gsi','KeyConditionExpression':'g = :g',"
                                        "'ExpressionAttributeValues':{':g':{'S':'g%d'}}}",
                                        g),
                     200);
    yyjson_doc *doc = yyjson_read(r.reply.body.ptr, r.reply.body.len, 0);
    yyjson_val *items = yyjson_obj_get(yyjson_doc_get_root(doc), "Items"), *one;
    size_t i, max;
    yyjson_arr_foreach(items, i, max, one) {
        int p = atoi(yyjson_get_str(yyjson_ptr_get(one, "/pk/S")) + 1), s = atoi(yyjson_get_str(yyjson_ptr_get(one, "/sk/N")));
        int64_t h = atoi(yyjson_get_str(yyjson_ptr_get(one, "/h/N")));
        differ += !in_group(&model[p][s], g) || h != model[p][s].h || h < last;
        last = h;
    }
    differ += yyjson_arr_size(items) != want;
    yyjson_doc_free(doc);
    return differ;
}

static size_t check_local(int p) {
    size_t want = 0;
    for (int s = 0; s < SORTS; s++)
        want += model[p][s].exists && model[p][s].h >= 2;
    assert_int_equal(
        engine_send_format(&r, "Query",
                           "{'TableName':'tab','IndexName':'lsi','KeyConditionExpression':'pk = :p AND h >= :h','Select':'COUNT',"
                           "'ExpressionAttributeValues':{':p':{'S':'p%d'},':h':{'N':'2'}}}",
                           p),
        200);
    return engine_int(&r, "/Count") != (int64_t)want;
}

static size_t check_scan(void) {
    size_t want = 0;
    for (int p = 0; p < PARTITIONS; p++)
        for (int s = 0; s < SORTS; s++)
            want += model[p][s].exists && model[p][s].v > 500;
    engine_do(&r, "Scan",
              "{'TableName':'tab','FilterExpression':'v > :v','Select':'COUNT','ExpressionAttributeValues':{':v':{'N':'500'}}}");
    return engine_int(&r, "/Count") != (int64_t)want;
}

static size_t check_get(int p, int s) {
    const item *i = &model[p][s];
    assert_int_equal(engine_send_format(&r, "GetItem", "{'TableName':'tab','Key':{'pk':{'S':'p%d'},'sk':{'N':'%d'}}}", p, s), 200);
    return engine_int(&r, "/Item/v/N") != (i->exists ? i->v : -1);
}

typedef enum flaw { SOUND, FORGETS_THE_INDEX } flaw;

/* The differences that were seen. A flaw is the model's: what it forgets is as if the engine had made it up. */
static size_t compare(flaw has, int rounds) {
    size_t differ = 0;
    memset(model, 0, sizeof model);
    for (int i = 0; i < rounds; i++) {
        int p = (int)roll(PARTITIONS), s = (int)roll(SORTS);
        item before = model[p][s];
        switch (roll(8)) {
        case 0:
        case 1:
        case 2:
            put(p, s);
            break;
        case 3:
            update(p, s);
            break;
        case 4:
            erase(p, s);
            break;
        case 5:
            transact(p, s);
            break;
        default:
            differ += check_get(p, s) + check_query(p) + check_local(p);
            break;
        }
        if (has == FORGETS_THE_INDEX && before.exists && model[p][s].exists) model[p][s].g = before.g;
        if (i % 8 == 0) differ += check_group((int)roll(GROUPS));
        if (i % 32 == 0) differ += check_scan();
        if (has != SOUND && differ > 0) break;
    }
    return differ;
}

static void agrees_with_a_model(void **state) {
    (void)state;
    assert_int_equal(compare(SOUND, 6000), 0);
}

static void notices_a_model_that_forgets(void **state) {
    (void)state;
    assert_true(compare(FORGETS_THE_INDEX, 2000) > 0);
}

/* A model that keeps what was deleted: its updates expect an item, so only reads are looked at. */
static void notices_an_item_that_should_be_gone(void **state) {
    (void)state;
    memset(model, 0, sizeof model);
    for (int s = 0; s < SORTS; s++)
        put(0, s);
    erase(0, 3);
    model[0][3].exists = true;
    size_t differ = 0;
    for (int i = 0; i < 50; i++)
        differ += check_get(0, 3) + check_query(0);
    assert_true(differ > 50);
}

/* ── pages ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define MANY 150

typedef struct walk {
    const char *operation, *rest; /* of the request */
    bool index;
} walk;

#define BETWEEN                                                                                                                            \
    ",'KeyConditionExpression':'pk = :p AND sk BETWEEN :s AND :t',"                                                                        \
    "'ExpressionAttributeValues':{':p':{'S':'p1'},':s':{'N':'5'},':t':{'N':'15'}}"

static const walk walks[] = {
    {"Scan", "", false},
    {"Scan", ",'IndexName':'gsi'", true},
    {"Scan", ",'IndexName':'lsi'", true},
    {"Scan", ",'Segment':1,'TotalSegments':3", false},
    {"Query", ",'KeyConditionExpression':'pk = :p','ExpressionAttributeValues':{':p':{'S':'p1'}}", false},
    {"Query", ",'KeyConditionExpression':'pk = :p','ExpressionAttributeValues':{':p':{'S':'p1'}},'ScanIndexForward':false", false},
    {"Query", ",'KeyConditionExpression':'pk = :p AND sk > :s','ExpressionAttributeValues':{':p':{'S':'p1'},':s':{'N':'4'}}", false},
    {"Query", BETWEEN, false},
    {"Query", BETWEEN ",'ScanIndexForward':false", false},
    {"Query", ",'IndexName':'gsi','KeyConditionExpression':'g = :g','ExpressionAttributeValues':{':g':{'S':'g1'}}", true},
    {"Query", ",'IndexName':'gsi','KeyConditionExpression':'g = :g','ExpressionAttributeValues':{':g':{'S':'g1'}},'ScanIndexForward':false",
     true},
    {"Query", ",'IndexName':'lsi','KeyConditionExpression':'pk = :p','ExpressionAttributeValues':{':p':{'S':'p1'}}", true},
    {"Query",
     ",'IndexName':'lsi','KeyConditionExpression':'pk = :p AND h = :h','ExpressionAttributeValues':{':p':{'S':'p1'},':h':{'N':'2'}}", true},
};

/* Everything, as "pk/sk " texts one after the other, page by page; `after` each page something may be done. */
static char *all_pages(const walk *w, size_t limit, void (*after)(void), size_t *pages) {
    char *seen = calloc(1, 65536), *last = strdup("null");
    for (*pages = 0; last != NULL; ++*pages) {
        char limited[64] = "";
        if (limit > 0) snprintf(limited, sizeof limited, ",'Limit':%zu", limit);
        assert_int_equal(engine_send_format(&r, w->operation, "{'TableName':'tab'%s%s,'ExclusiveStartKey':%s}", w->rest, limited, last),
                         200);
        yyjson_doc *doc = yyjson_read(r.reply.body.ptr, r.reply.body.len, 0);
        yyjson_val *root = yyjson_doc_get_root(doc), *items = yyjson_obj_get(root, "Items"), *one;
        size_t i, max;
        if (limit > 0) assert_true(yyjson_arr_size(items) <= limit);
        yyjson_arr_foreach(items, i, max, one) {
            size_t len = strlen(seen);
            snprintf(seen + len, 65536 - len, "%s/%s ", yyjson_get_str(yyjson_ptr_get(one, "/pk/S")),
                     yyjson_get_str(yyjson_ptr_get(one, "/sk/N")));
        }
        free(last);
        yyjson_val *key = yyjson_obj_get(root, "LastEvaluatedKey");
        last = key != NULL ? yyjson_val_write(key, 0, NULL) : NULL;
        yyjson_doc_free(doc);
        if (after != NULL) after();
        assert_true(*pages < 1000);
    }
    return seen;
}

static void put_many(void) {
    memset(model, 0, sizeof model);
    for (int i = 0; i < MANY; i++)
        put((int)roll(PARTITIONS), (int)roll(SORTS));
    put(1, 5);
    put(1, 15);
}

static void gives_the_same_in_pages_of_every_size(void **state) {
    (void)state;
    put_many();
    for (size_t i = 0; i < COUNT_OF(walks); i++) {
        size_t pages, count = 0;
        char *whole = all_pages(&walks[i], 0, NULL, &pages);
        assert_int_equal(pages, 1);
        for (const char *c = whole; *c != '\0'; c++)
            count += *c == ' ';
        assert_true(count > 0);
        for (size_t limit = 1; limit <= count + 1; limit++) {
            char *paged = all_pages(&walks[i], limit, NULL, &pages);
            if (strcmp(whole, paged) != 0) fail_msg("%s%s by %zu:\n  %s\n  %s", walks[i].operation, walks[i].rest, limit, whole, paged);
            bool bounded = strstr(walks[i].rest, "BETWEEN") != NULL; /* its last key ends it: no empty page follows */
            assert_int_equal(pages, bounded ? (count + limit - 1) / limit : count / limit + 1);
            free(paged);
        }
        free(whole);
    }
}

static int grown;

/* Between two pages the table grows by much. */
static void grow(void) {
    for (int i = 0; i < 40 && grown < 600; i++, grown++)
        assert_int_equal(engine_send_format(&r, "PutItem", "{'TableName':'tab','Item':{'pk':{'S':'q%d'},'sk':{'N':'1'}}}", grown), 200);
}

/* Scan's order stays the same while the hash grows: what was there from the beginning comes once. */
static void scans_on_while_the_table_grows(void **state) {
    size_t pages;
    (void)state;
    put_many();
    grown = 0;
    char *seen = all_pages(&walks[0], 4, grow, &pages);
    assert_int_equal(grown, 600);
    for (int p = 0; p < PARTITIONS; p++)
        for (int s = 0; s < SORTS; s++) {
            char name[32];
            if (!model[p][s].exists) continue;
            snprintf(name, sizeof name, "p%d/%d ", p, s);
            const char *first = strstr(seen, name);
            assert_non_null(first);
            assert_null(strstr(first + 1, name));
        }
    free(seen);
}

/* Of every number of segments, each item is in one. */
static void segments_share_out_the_table(void **state) {
    (void)state;
    put_many();
    size_t pages, whole_len;
    char *whole = all_pages(&walks[0], 0, NULL, &pages);
    whole_len = strlen(whole);
    for (int total = 1; total <= 17; total += 4) {
        char *at_whole = whole;
        for (int segment = 0; segment < total; segment++) {
            char rest[64];
            snprintf(rest, sizeof rest, ",'Segment':%d,'TotalSegments':%d", segment, total);
            char *part = all_pages(&(walk){"Scan", rest, false}, 3, NULL, &pages);
            assert_memory_equal(at_whole, part, strlen(part)); /* segments are ranges of the one order */
            at_whole += strlen(part);
            free(part);
        }
        assert_int_equal(at_whole - whole, whole_len);
    }
    free(whole);
}

/* A page of 1 MB ends with the item that fills it; an index's page counts what the index has. */
static void ends_a_page_at_a_megabyte(void **state) {
    static const struct {
        size_t item_bytes;
        int64_t in_page;
    } rows[] = {{262144, 4}, {262143, 5}, {349525, 4}, {349526, 3}, {409594, 3}};
    char *request = malloc(450000), *text = malloc(450000);
    (void)state;
    for (size_t row = 0; row < COUNT_OF(rows); row++) {           /* the largest has room for its entry in the local index */
        size_t filler = rows[row].item_bytes - 3 - 4 - 3 - 3 - 1; /* pk: 2+1, sk: 2+2, g: 1+2, h: 1+2, x: 1 + this */
        memset(text, 'x', filler);
        text[filler] = '\0';
        for (int s = 1; s <= 8; s++) {
            snprintf(request, 450000,
                     "{'TableName':'tab','Item':{'pk':{'S':'m'},'sk':{'N':'%d'},'g':{'S':'gg'},'h':{'N':'%d'},'x':{'S':'%s'}}}", s, s,
                     text);
            engine_do(&r, "PutItem", request);
        }
        engine_do(&r, "Query",
                  "{'TableName':'tab','KeyConditionExpression':'pk = :p','ExpressionAttributeValues':{':p':{'S':'m'}},'Select':'COUNT'}");
        assert_int_equal(engine_int(&r, "/Count"), rows[row].in_page);
        assert_int_equal(engine_int(&r, "/LastEvaluatedKey/sk/N"), rows[row].in_page);
        engine_do(&r, "Query",
                  "{'TableName':'tab','KeyConditionExpression':'pk = :p','FilterExpression':'attribute_not_exists(x)',"
                  "'ExpressionAttributeValues':{':p':{'S':'m'}}}");
        assert_int_equal(engine_int(&r, "/Count"), 0);
        assert_int_equal(engine_int(&r, "/ScannedCount"), rows[row].in_page);
        engine_do(&r, "Query",
                  "{'TableName':'tab','IndexName':'lsi','KeyConditionExpression':'pk = :p','ExpressionAttributeValues':{':p':{'S':'m'}}}");
        assert_int_equal(engine_int(&r, "/Count"), 8);
        engine_do(&r, "Query",
                  "{'TableName':'tab','IndexName':'gsi','KeyConditionExpression':'g = :g','ExpressionAttributeValues':{':g':{'S':'gg'}}}");
        assert_int_equal(engine_int(&r, "/Count"), rows[row].in_page);
    }
    free(request);
    free(text);
}

/* ── threads ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define THREADS 8
#define INCREMENTS 400

typedef struct worker {
    bool checked; /* the write asks whether the value is still the one that was read; the broken twin doesn't */
    int done, other;
    _Alignas(16) char memory[1 << 16];
} worker;

static latch_reply ask(worker *w, const char *operation, const char *request) {
    latch_arena arena;
    latch_reply reply;
    latch_err err;
    latch_arena_init(&arena, w->memory, sizeof w->memory);
    latch_status status =
        r.transport.call(r.transport.self, &(latch_send){.operation = operation, .request = latch_str_of(request)}, &arena, &reply, &err);
    latch_arena_clean_up(&arena);
    return status == LATCH_OK ? reply : (latch_reply){0};
}

static int value_of(latch_reply reply) {
    yyjson_doc *doc = yyjson_read(reply.body.ptr, reply.body.len, 0);
    const char *n = yyjson_get_str(yyjson_ptr_get(yyjson_doc_get_root(doc), "/Item/n/N"));
    int value = n != NULL ? atoi(n) : -1;
    yyjson_doc_free(doc);
    return value;
}

/* Read, add one, write if nobody else has: a lost increment is a write that overtook another. */
static void *increment(void *arg) {
    worker *w = arg;
    char request[512];
    while (w->done < INCREMENTS) {
        int n = value_of(
            ask(w, "GetItem", "{\"TableName\":\"tab\",\"ConsistentRead\":true,\"Key\":{\"pk\":{\"S\":\"n\"},\"sk\":{\"N\":\"1\"}}}"));
        if (!w->checked) sched_yield();
        snprintf(request, sizeof request,
                 "{\"TableName\":\"tab\",\"Item\":{\"pk\":{\"S\":\"n\"},\"sk\":{\"N\":\"1\"},\"n\":{\"N\":\"%d\"},\"g\":{\"S\":\"g%d\"},"
                 "\"h\":{\"N\":\"%d\"}}%s%s}",
                 n + 1, n % 3, n % 5, w->checked ? ",\"ConditionExpression\":\"n = :n\",\"ExpressionAttributeValues\":" : "",
                 w->checked ? "{\":n\":{\"N\":\"@\"}}" : "");
        char *hole = strchr(request, '@'), whole[640];
        if (hole != NULL) {
            *hole = '\0';
            snprintf(whole, sizeof whole, "%s%d%s", request, n, hole + 1);
        }
        int status = ask(w, "PutItem", hole != NULL ? whole : request).http_status;
        w->done += status == 200;
        w->other += status != 200 && status != 400;
    }
    return NULL;
}

/* The sum that is stored in the end. */
static int64_t race(bool checked) {
    pthread_t threads[THREADS];
    static worker workers[THREADS];
    engine_do(&r, "PutItem", "{'TableName':'tab','Item':{'pk':{'S':'n'},'sk':{'N':'1'},'n':{'N':'0'}}}");
    for (size_t i = 0; i < THREADS; i++) {
        workers[i].checked = checked, workers[i].done = workers[i].other = 0;
        assert_int_equal(pthread_create(&threads[i], NULL, increment, &workers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(workers[i].other, 0);
    engine_do(&r, "GetItem", "{'TableName':'tab','ConsistentRead':true,'Key':{'pk':{'S':'n'},'sk':{'N':'1'}}}");
    return engine_int(&r, "/Item/n/N");
}

static void loses_no_increment(void **state) {
    (void)state;
    assert_int_equal(race(true), THREADS * INCREMENTS);
    engine_do(&r, "Scan", "{'TableName':'tab','IndexName':'gsi','Select':'COUNT'}");
    assert_int_equal(engine_int(&r, "/Count"), 1);
}

static void the_race_notices_a_write_without_its_condition(void **state) {
    (void)state;
    assert_true(race(false) < THREADS * INCREMENTS);
}

static _Atomic bool moving;

/* Two accounts of one sum: a transfer is a transaction, and so is a look. */
static void *transfer(void *arg) {
    worker *w = arg;
    for (int i = 0; moving || i < INCREMENTS; i++) {
        int from = i % 2;
        char request[1024];
        snprintf(request, sizeof request,
                 "{\"TransactItems\":[{\"Update\":{\"TableName\":\"tab\",\"Key\":{\"pk\":{\"S\":\"a%d\"},\"sk\":{\"N\":\"1\"}},"
                 "\"UpdateExpression\":\"ADD n :n\",\"ExpressionAttributeValues\":{\":n\":{\"N\":\"-1\"}}}},"
                 "{\"Update\":{\"TableName\":\"tab\",\"Key\":{\"pk\":{\"S\":\"a%d\"},\"sk\":{\"N\":\"1\"}},"
                 "\"UpdateExpression\":\"ADD n :n\",\"ExpressionAttributeValues\":{\":n\":{\"N\":\"1\"}}}}]}",
                 from, 1 - from);
        w->other += ask(w, "TransactWriteItems", request).http_status != 200;
    }
    return NULL;
}

static void a_transaction_is_seen_whole_or_not_at_all(void **state) {
    static worker movers[2];
    pthread_t threads[2];
    (void)state;
    engine_do(&r, "PutItem", "{'TableName':'tab','Item':{'pk':{'S':'a0'},'sk':{'N':'1'},'n':{'N':'1000'}}}");
    engine_do(&r, "PutItem", "{'TableName':'tab','Item':{'pk':{'S':'a1'},'sk':{'N':'1'},'n':{'N':'1000'}}}");
    moving = true;
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, transfer, &movers[i]), 0);
    int64_t wrong = 0;
    for (int looks = 0; looks < 1000; looks++) {
        if (engine_send(&r, "TransactGetItems",
                        "{'TransactItems':[{'Get':{'TableName':'tab','Key':{'pk':{'S':'a0'},'sk':{'N':'1'}}}},"
                        "{'Get':{'TableName':'tab','Key':{'pk':{'S':'a1'},'sk':{'N':'1'}}}}]}") != 200)
            wrong++;
        wrong += engine_int(&r, "/Responses/0/Item/n/N") + engine_int(&r, "/Responses/1/Item/n/N") != 2000;
    }
    moving = false;
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(wrong, 0);
    assert_int_equal(movers[0].other + movers[1].other, 0);
}

/* There, or gone just now. */
static bool is_fine(latch_reply reply) {
    static const char gone[] = "ResourceNotFoundException";
    if (reply.http_status == 200) return true;
    return reply.http_status == 400 && memmem(reply.body.ptr, reply.body.len, gone, sizeof gone - 1) != NULL;
}

/* Readers, writers, and one who drops and makes the table: every answer is one that DynamoDB could give. */
static void *disturb(void *arg) {
    worker *w = arg;
    for (int i = 0; i < 300; i++) {
        char request[256];
        snprintf(request, sizeof request,
                 "{\"TableName\":\"tab\",\"Item\":{\"pk\":{\"S\":\"d%d\"},\"sk\":{\"N\":\"%d\"},\"g\":{\"S\":\"g\"}}}", i % 5, i);
        w->other += !is_fine(ask(w, "PutItem", request));
        w->other += !is_fine(ask(w, "Scan", "{\"TableName\":\"tab\",\"Select\":\"COUNT\"}"));
    }
    return NULL;
}

static void survives_a_table_that_is_dropped_under_its_users(void **state) {
    static worker workers[4];
    pthread_t threads[4];
    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, disturb, &workers[i]), 0);
    for (int i = 0; i < 50; i++) {
        engine_do(&r, "DeleteTable", "{'TableName':'tab'}");
        engine_do(&r, "CreateTable", TABLE);
    }
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(workers[i].other, 0);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    ROW(agrees_with_a_model),
    ROW(notices_a_model_that_forgets),
    ROW(notices_an_item_that_should_be_gone),
    ROW(gives_the_same_in_pages_of_every_size),
    ROW(scans_on_while_the_table_grows),
    ROW(segments_share_out_the_table),
    ROW(ends_a_page_at_a_megabyte),
    ROW(loses_no_increment),
    ROW(the_race_notices_a_write_without_its_condition),
    ROW(a_transaction_is_seen_whole_or_not_at_all),
    ROW(survives_a_table_that_is_dropped_under_its_users),
};

CHECK_MAIN(tests)
