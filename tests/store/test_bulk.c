#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "store/bulk.h"
#include "tests/check.h"
#include "tests/store/lone.h"

#define ARENA_BYTES ((size_t)8 << 20)

static const char *other; /* a table with a number as its sort key */

static int set_up(void **state) {
    (void)state;
    lone_open(12345, ARENA_BYTES);
    other = unique_table("bulk");
    world_ask(&world, "CreateTable",
              "{\"TableName\":\"%s\",\"BillingMode\":\"PAY_PER_REQUEST\",\"AttributeDefinitions\":[{\"AttributeName\":\"id\","
              "\"AttributeType\":\"S\"},{\"AttributeName\":\"at\",\"AttributeType\":\"N\"}],\"KeySchema\":[{\"AttributeName\":\"id\","
              "\"KeyType\":\"HASH\"},{\"AttributeName\":\"at\",\"KeyType\":\"RANGE\"}]}",
              other);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    world_ask(&world, "DeleteTable", "{\"TableName\":\"%s\"}", other);
    lone_close();
    return 0;
}

/* ── batches that a test gives ──────────────────────────────────────────────────────────────────────────────────────────── */

#define KEYS_MAX 4096

typedef struct source { /* of writes: `count` of them, each to the key that `key_of` says */
    uint64_t count, at;
    uint32_t seed;
    uint32_t keys;
    bool deletes;                                  /* some of them are */
    uint64_t fails_at;                             /* returns LATCH_CONFLICT there; UINT64_MAX: never */
    bool asks;                                     /* makes a request of its own between them, over the caller's connection */
    int64_t wanted[KEYS_MAX];                      /* what each key has in the end; -1: nothing */
    latch_dynamodb_outcome outcomes[KEYS_MAX * 4]; /* by index */
    uint8_t told[KEYS_MAX * 4];
    uint64_t last_done, progresses;
    bool went_back;
} source;

static void source_init(source *s, uint64_t count, uint32_t keys, uint32_t seed) {
    memset(s, 0, sizeof *s);
    s->count = count;
    s->keys = keys;
    s->seed = seed;
    s->fails_at = UINT64_MAX;
    for (size_t i = 0; i < KEYS_MAX; i++)
        s->wanted[i] = -1;
}

/* Odd keys lie in the other table, where 1.50e1 and 15 are one key. */
static latch_json key_of(latch_ctx *cx, uint32_t key, bool again, int64_t value) {
    bool puts = value >= 0;
    latch_str pk = latch_ctx_text(cx, "p%u", key / 2);
    if (key % 2 == 0) return puts ? latch_object(cx, "pk", pk, "sk", "s", "v", value) : latch_object(cx, "pk", pk, "sk", "s");
    latch_json at = LATCH_NULL;
    assert_int_equal(latch_parse(cx, "at", again ? LATCH_STR("{\"$number\":\"1.50e1\"}") : LATCH_STR("{\"$number\":\"15\"}"), &at),
                     LATCH_OK);
    return puts ? latch_object(cx, "v", value, "at", at, "id", pk) : latch_object(cx, "at", at, "id", pk);
}

static void roll_write(latch_ctx *cx, source *s, latch_dynamodb_write *out) {
    uint32_t key = dice_roll(&s->seed, s->keys);
    bool deletes = s->deletes && dice_roll(&s->seed, 4) == 0, again = dice_roll(&s->seed, 2) == 0;
    int64_t value = deletes ? -1 : (int64_t)s->at;
    latch_json json = key_of(cx, key, again, value);
    if (deletes) out->delete_key = json;
    if (!deletes) out->put = json;
    out->table = key % 2 == 0 ? NULL : other;
    s->wanted[key] = value;
    s->at++;
}

static latch_status next_write(latch_ctx *cx, void *arg, latch_dynamodb_write *out) {
    source *s = arg;
    out->end = s->at == s->count;
    if (out->end) return LATCH_OK;
    if (s->at == s->fails_at) return latch_refuse(cx, LATCH_CONFLICT, "the source broke");
    if (s->asks && s->at % 100 == 0) {
        latch_answer answer;
        LATCH_TRY(latch_dynamodb_call(cx, "DescribeTable", latch_object(cx, "TableName", "latch"), &answer));
    }
    roll_write(cx, s, out);
    return LATCH_OK;
}

static void on_outcome(void *arg, uint64_t index, latch_dynamodb_outcome outcome) {
    source *s = arg;
    if (index >= COUNT_OF(s->told)) return;
    s->told[index]++;
    s->outcomes[index] = outcome;
}

static void on_progress(void *arg, const latch_dynamodb_progress *progress) {
    source *s = arg;
    s->went_back = s->went_back || progress->done < s->last_done;
    s->last_done = progress->done;
    s->progresses++;
}

static latch_dynamodb_batch_write_request request_of(source *s) {
    return (latch_dynamodb_batch_write_request){
        .next = next_write, .arg = s, .count = s->count, .outcome = on_outcome, .progress = on_progress};
}

/* What the table has under a key, past the network; -1: nothing. */
static int64_t stored(uint32_t key) {
    char pk[16];
    int64_t v = -1;
    snprintf(pk, sizeof pk, "p%u", key / 2);
    if (key % 2 == 0) return rig_has(&world, pk, "s", "pk") ? rig_number(&world, pk, "s", "v") : -1;
    latch_arena_rewind(&world.arena, 0);
    latch_str request = latch_ctx_text(
        &world.cx, "{\"TableName\":\"%s\",\"Key\":{\"id\":{\"S\":\"%s\"},\"at\":{\"N\":\"15\"}},\"ConsistentRead\":true}", other, pk);
    latch_reply reply;
    latch_json body;
    assert_int_equal(world.inner.call(world.inner.self,
                                      &(latch_send){.operation = "GetItem", .request = request, .deadline_at_ms = INT64_MAX}, &world.arena,
                                      &reply, &world.cx.err),
                     LATCH_OK);
    assert_int_equal(latch_parse_data(&world.cx, "answer", reply.body, &body), LATCH_OK);
    if (latch_has(body, "Item")) {
        latch_json item;
        assert_int_equal(latch_read(body, "Item", &item), LATCH_OK);
        assert_int_equal(latch_item_int(item, "v", &v), LATCH_OK);
    }
    return v;
}

static size_t differing(const source *s) {
    size_t wrong = 0;
    for (uint32_t key = 0; key < s->keys; key++)
        wrong += stored(key) != s->wanted[key];
    return wrong;
}

static void clear(const source *s) {
    for (uint32_t key = 0; key < s->keys; key++) {
        if (key % 2 == 0) {
            char pk[16];
            snprintf(pk, sizeof pk, "p%u", key / 2);
            rig_delete(&world, pk, "s");
        } else {
            world_ask(&world, "DeleteItem", "{\"TableName\":\"%s\",\"Key\":{\"id\":{\"S\":\"p%u\"},\"at\":{\"N\":\"15\"}}}", other,
                      key / 2);
        }
    }
}

/* Every write is told once, and the counts are what was told. */
static void adds_up(const source *s, const latch_dynamodb_written *w) {
    uint64_t counts[4] = {0};
    assert_true(w->given <= COUNT_OF(s->told));
    for (uint64_t i = 0; i < w->given; i++) {
        assert_int_equal(s->told[i], 1);
        counts[s->outcomes[i]]++;
    }
    for (uint64_t i = w->given; i < COUNT_OF(s->told); i++)
        assert_int_equal(s->told[i], 0);
    assert_int_equal(counts[LATCH_DYNAMODB_WRITTEN], w->written);
    assert_int_equal(counts[LATCH_DYNAMODB_SUPERSEDED], w->superseded);
    assert_int_equal(counts[LATCH_DYNAMODB_UNSURE], w->unsure);
    assert_int_equal(counts[LATCH_DYNAMODB_LEFT] + counts[LATCH_DYNAMODB_UNSURE], w->left);
    assert_int_equal(w->written + w->superseded + w->left, w->given);
    assert_false(s->went_back);
}

/* ── writing ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static source s; /* too large for a stack */

static void writes_in_batches_of_25(void **state) {
    latch_dynamodb_written out;
    latch_dynamodb_write writes[60] = {{0}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(writes); i++) {
        latch_str pk = latch_ctx_text(&ann.cx, "w%zu", i);
        writes[i].put = latch_object(&ann.cx, "pk", pk, "sk", "s", "v", (int64_t)i);
    }
    size_t before = latch_arena_mark(&ann.arena);
    latch_dynamodb_batch_write_request request = {.writes = writes, .count = COUNT_OF(writes)};
    assert_int_equal(latch_dynamodb_batch_write(&ann.cx, &request, &out), LATCH_OK);
    assert_int_equal(latch_arena_mark(&ann.arena), before); /* what reading the items took went back */
    assert_int_equal(out.given, 60);
    assert_int_equal(out.written, 60);
    assert_int_equal(out.requests, 3);
    assert_int_equal(net.requests, 3);
    assert_int_equal(net.largest_batch, 25);
    assert_int_equal(out.connections, 1);
    assert_int_equal(net.opened, 0);
    assert_int_equal(ann.usage.requests, 3);
    for (int i = 0; i < 60; i++) {
        char pk[16];
        snprintf(pk, sizeof pk, "w%d", i);
        assert_int_equal(rig_number(&world, pk, "s", "v"), i);
    }
}

static void an_empty_batch_sends_nothing(void **state) {
    latch_dynamodb_written out;
    latch_dynamodb_gotten got;
    (void)state;
    source_init(&s, 0, 1, 1);
    latch_dynamodb_batch_write_request request = request_of(&s);
    assert_int_equal(latch_dynamodb_batch_write(&ann.cx, &request, &out), LATCH_OK);
    request = (latch_dynamodb_batch_write_request){0};
    assert_int_equal(latch_dynamodb_batch_write(&ann.cx, &request, &out), LATCH_OK);
    assert_int_equal(latch_dynamodb_batch_get(&ann.cx, &(latch_dynamodb_batch_get_request){0}, &got), LATCH_OK);
    assert_int_equal(out.given + got.read + net.requests, 0);
}

/* A round of random writes over a network that fails now and then; the number of keys that differ from the model. */
static size_t play(uint32_t seed, int connections, bool forgets, latch_dynamodb_written *out) {
    source_init(&s, 100 + seed * 37 % 900, 1 + seed * 53 % 300, seed);
    s.deletes = true;
    s.asks = connections > 1;
    network_well(&net);
    net.gives_back_in = 3 + seed % 5;
    net.throttles_in = 9;
    net.refuses_connection_in = 15;
    net.loses_after_in = 20;
    net.forgets = forgets;
    latch_dynamodb_batch_write_request request = request_of(&s);
    request.connections = connections;
    ann.client.options.max_retries = 9; /* which call meets which failure is the threads' doing: none may meet them all */
    latch_status status = latch_dynamodb_batch_write(&ann.cx, &request, out);
    if (status != LATCH_OK) fprintf(stderr, "seed %u: %s\n", seed, ann.cx.err.message);
    assert_int_equal(status, LATCH_OK);
    adds_up(&s, out);
    assert_int_equal(out->left, 0);
    assert_int_equal(s.last_done, s.count);
    assert_int_equal(net.opened, net.closed);
    size_t wrong = differing(&s);
    clear(&s);
    caller_again(&ann);
    return wrong;
}

static void what_is_written_is_what_the_model_says(void **state) {
    latch_dynamodb_written out;
    uint64_t superseded = 0, resent = 0, lost = 0;
    (void)state;
    for (uint32_t seed = 1; seed <= 24; seed++) {
        assert_int_equal(play(seed, seed % 2 == 0 ? 1 : 4, false, &out), 0);
        assert_true(out.resent <= net.given_back && (net.lost > 0 || out.resent == net.given_back));
        superseded += out.superseded;
        resent += out.resent;
        lost += net.lost;
    }
    assert_true(superseded > 100 && resent > 100 && lost > 10);
}

static void a_client_that_forgets_what_is_unprocessed_is_found(void **state) {
    latch_dynamodb_written out;
    size_t found = 0;
    (void)state;
    for (uint32_t seed = 1; seed <= 4; seed++)
        found += play(seed, seed % 2 == 0 ? 1 : 4, true, &out) > 0;
    assert_int_equal(found, 4);
}

static void the_last_write_of_a_key_wins(void **state) {
    static const struct {
        uint64_t count;
        uint32_t keys;
        bool counts_repeats;
        uint64_t superseded, repeated;
    } rows[] = {
        {10, 1, false, 9, 9},   /* all in one batch: it never fills */
        {100, 1, true, 99, 99}, /* */
        {50, 50, false, 0, 0},  /* below: keys one after another */
        {100, 50, false, 0, 0}, /* each twice, in different batches */
        {100, 50, true, 0, 50},
    };
    (void)state;
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        latch_dynamodb_write writes[100] = {{0}};
        latch_dynamodb_written out;
        for (uint64_t i = 0; i < rows[row].count; i++) {
            latch_str pk = latch_ctx_text(&ann.cx, "k%u", (unsigned)(i % rows[row].keys));
            writes[i].put = latch_object(&ann.cx, "pk", pk, "sk", "s", "v", i);
        }
        latch_dynamodb_batch_write_request request = {
            .writes = writes, .count = rows[row].count, .counts_repeats = rows[row].counts_repeats};
        assert_int_equal(latch_dynamodb_batch_write(&ann.cx, &request, &out), LATCH_OK);
        assert_int_equal(out.superseded, rows[row].superseded);
        assert_int_equal(out.repeated, rows[row].repeated);
        assert_int_equal(out.written, rows[row].count - rows[row].superseded);
        for (uint32_t key = 0; key < rows[row].keys; key++) {
            char pk[16];
            snprintf(pk, sizeof pk, "k%u", key);
            assert_int_equal(rig_number(&world, pk, "s", "v"), rows[row].count - rows[row].keys + key);
        }
        caller_again(&ann);
    }
}

static latch_json parsed(const char *text) {
    latch_json v;
    assert_int_equal(latch_parse(&ann.cx, "item", latch_str_of(text), &v), LATCH_OK);
    return v;
}

static char *big_item(size_t bytes) {
    char *text = malloc(bytes + 64);
    assert_non_null(text);
    int head = snprintf(text, 64, "{\"pk\":\"big\",\"sk\":\"s\",\"text\":\"");
    memset(text + head, 'x', bytes);
    strcpy(text + (size_t)head + bytes, "\"}");
    return text;
}

static void bad_writes_are_refused_and_named(void **state) {
    static const struct {
        const char *put, *delete_key;
        latch_status status;
        const char *says;
    } rows[] = {
        {NULL, NULL, LATCH_E_MISUSE, "write 1: want one of .put, .delete_key and .end"},
        {"{\"pk\":\"p\",\"sk\":\"s\"}", "{\"pk\":\"p\",\"sk\":\"s\"}", LATCH_E_MISUSE, "write 1: want one of .put"},
        {"{\"sk\":\"s\"}", NULL, LATCH_E_MISUSE, "write 1: the key attribute pk of table latch is missing"},
        {"{\"pk\":\"p\"}", NULL, LATCH_E_MISUSE, "write 1: the key attribute sk of table latch is missing"},
        {"{\"pk\":\"\",\"sk\":\"s\"}", NULL, LATCH_E_INPUT, "write 1: the key attribute pk is empty"},
        {"{\"pk\":true,\"sk\":\"s\"}", NULL, LATCH_E_MISUSE, "write 1: the key attribute pk is true, want text, a number or"},
        {"{\"pk\":[1],\"sk\":\"s\"}", NULL, LATCH_E_MISUSE, "write 1: the key attribute pk is [1], want text"},
        {"[1]", NULL, LATCH_E_MISUSE, "write 1: item"},
        {"{\"pk\":\"p\",\"sk\":\"s\",\"v\":123456789012345678901234567890123456789}", NULL, LATCH_E_MISUSE, "write 1: item.v"},
        {NULL, "{\"pk\":\"p\",\"sk\":\"s\",\"v\":\"w\"}", LATCH_E_MISUSE, "write 1: "},
        {NULL, "{\"pk\":\"p\",\"v\":\"s\"}", LATCH_E_MISUSE, "write 1: v is no key attribute of table latch"},
        {NULL, "{\"pk\":\"p\"}", LATCH_E_MISUSE, "write 1: the key attribute sk of table latch is missing"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_dynamodb_write writes[3] = {{.put = parsed("{\"pk\":\"before\",\"sk\":\"s\"}")},
                                          {.put = rows[i].put != NULL ? parsed(rows[i].put) : LATCH_NULL,
                                           .delete_key = rows[i].delete_key != NULL ? parsed(rows[i].delete_key) : LATCH_NULL},
                                          {.put = parsed("{\"pk\":\"after\",\"sk\":\"s\"}")}};
        latch_dynamodb_written out;
        latch_dynamodb_batch_write_request request = {.writes = writes, .count = 3};
        assert_int_equal(latch_dynamodb_batch_write(&ann.cx, &request, &out), rows[i].status);
        if (strncmp(ann.cx.err.message, rows[i].says, strlen(rows[i].says)) != 0)
            fail_msg("row %zu: \"%s\", want \"%s\"", i, ann.cx.err.message, rows[i].says);
        assert_int_equal(out.given, 1);
        assert_int_equal(out.left, 1);
        assert_int_equal(net.requests, 0);
        caller_again(&ann);
    }
}

static void an_item_over_400_kb_is_refused(void **state) {
    char *fits = big_item(400 * 1024 - 2 - 3 - 2 - 1 - 4), *over = big_item(400 * 1024 - 2 - 3 - 2 - 1 - 4 + 1);
    latch_dynamodb_written out;
    (void)state;
    latch_dynamodb_write write = {.put = parsed(fits)};
    latch_dynamodb_batch_write_request request = {.writes = &write, .count = 1};
    net.room_bytes = (size_t)8 << 20;
    assert_int_equal(latch_dynamodb_batch_write(&ann.cx, &request, &out), LATCH_OK);
    write.put = parsed(over);
    assert_int_equal(latch_dynamodb_batch_write(&ann.cx, &request, &out), LATCH_E_MISUSE);
    assert_int_equal(net.requests, 1);
    free(fits);
    free(over);
}

static latch_status next_large(latch_ctx *cx, void *arg, latch_dynamodb_write *out) {
    size_t *at = arg;
    out->end = *at == 40;
    if (out->end) return LATCH_OK;
    char *item = big_item(350 * 1024);
    memcpy(strstr(item, "big"), "bxx", 3);
    item[strcspn(item, "x")] = (char)('a' + *at / 20);
    item[strcspn(item, "x")] = (char)('a' + *at % 20);
    latch_status status = latch_parse(cx, "item", latch_str_of(item), &out->put);
    free(item);
    ++*at;
    return status;
}

static void large_items_go_in_smaller_batches(void **state) {
    size_t at = 0;
    latch_dynamodb_written out;
    latch_dynamodb_batch_write_request request = {.next = next_large, .arg = &at};
    (void)state;
    net.room_bytes = (size_t)32 << 20;
    assert_int_equal(latch_dynamodb_batch_write(&ann.cx, &request, &out), LATCH_OK);
    assert_int_equal(out.written, 40);
    assert_true(net.largest_bytes < ((size_t)4 << 20) + 512 * 1024);
    assert_int_equal(out.requests, 4);
    assert_true(ann.arena.peak < 64 * 1024);
}

/* ── what goes wrong ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void what_died_midway_is_told(void **state) {
    (void)state;
    for (int connections = 1; connections <= 3; connections += 2) {
        latch_dynamodb_written out;
        source_init(&s, 500, KEYS_MAX, 7);
        network_well(&net);
        net.fails_from = 6;
        latch_dynamodb_batch_write_request request = request_of(&s);
        request.connections = connections;
        request.table = "latch";
        assert_int_equal(latch_dynamodb_batch_write(&ann.cx, &request, &out), LATCH_E_NETWORK);
        adds_up(&s, &out);
        assert_true(out.written > 0 && out.left > 0 && out.given < 500);
        assert_int_equal(out.unsure, 0); /* there was no connection: it is certain */
        assert_false(ann.cx.err.maybe_applied);
        uint64_t there = 0;
        for (uint32_t key = 0; key < KEYS_MAX; key++)
            there += stored(key) >= 0;
        assert_true(there <= out.written); /* a key may have been written twice */
        assert_true(there + out.superseded + 60 >= out.written);
        clear(&s);
        caller_again(&ann);
    }
}

static void a_lost_answer_is_repeated_unless_asked_not_to(void **state) {
    latch_dynamodb_written out;
    (void)state;
    ann.options.max_retries = 3;
    caller_again(&ann);
    source_init(&s, 10, 100, 3);
    net.loses_after_in = 1; /* all of them */
    latch_dynamodb_batch_write_request request = request_of(&s);
    request.keys = &(latch_dynamodb_keys){other, "id", "at"};
    request.keys_count = 1;
    assert_int_equal(latch_dynamodb_batch_write(&ann.cx, &request, &out), LATCH_E_NETWORK);
    adds_up(&s, &out);
    assert_true(ann.cx.err.maybe_applied);
    assert_true(out.unsure > 0 && out.unsure == out.left);
    assert_int_equal(net.requests, 4);
    assert_int_equal(differing(&s), 0);
    network_well(&net);
    caller_again(&ann);
    source_init(&s, 10, 100, 3);
    net.loses_before_in = 1;
    request.once = true;
    assert_int_equal(latch_dynamodb_batch_write(&ann.cx, &request, &out), LATCH_E_NETWORK);
    assert_int_equal(out.unsure, out.left);
    assert_int_equal(net.requests, 1);
}

/* The first request is applied, and its answer lost; all others give everything back. */
static latch_status loses_the_first(void *self, const latch_send *send, latch_arena *arena, latch_reply *out, latch_err *err) {
    const latch_transport *real = self;
    bool first = net.requests == 0;
    latch_status status = real->call(real->self, send, arena, out, err);
    net.takes_nothing = true;
    if (!first) return status;
    *out = (latch_reply){0};
    (void)latch_err_set(err, LATCH_E_NETWORK, "the answer was lost");
    err->maybe_applied = true;
    return LATCH_E_NETWORK;
}

static void what_is_given_back_after_a_lost_answer_is_unsure(void **state) {
    latch_dynamodb_written out;
    latch_transport real = ann.client.transport;
    (void)state;
    source_init(&s, 10, 2, 5); /* in LATCH_TABLE and another */
    ann.client.transport = (latch_transport){.call = loses_the_first, .self = &real};
    latch_dynamodb_batch_write_request request = request_of(&s);
    request.keys = (const latch_dynamodb_keys[]){{other, "id", "at"}};
    request.keys_count = 1;
    assert_int_equal(latch_dynamodb_batch_write(&ann.cx, &request, &out), LATCH_E_THROTTLED);
    adds_up(&s, &out);
    assert_int_equal(out.unsure, 2);
    assert_true(ann.cx.err.maybe_applied);
    assert_int_equal(differing(&s), 0); /* as it was: written */
}

static void ends_in_time_and_says_what_is_left(void **state) {
    static const struct {
        int connections;
        bool takes_nothing;
        uint64_t throttles_from;
        int64_t timeout_ms, deadline_ms; /* 0: none */
        latch_status status;
    } rows[] = {
        {1, true, 0, 0, 0, LATCH_E_THROTTLED},   {1, true, 0, 3000, 0, LATCH_E_TIMEOUT}, {1, true, 0, 0, 3000, LATCH_E_TIMEOUT},
        {3, true, 0, 0, 3000, LATCH_E_TIMEOUT},  {3, true, 0, 0, 0, LATCH_E_THROTTLED},  {1, false, 3, 0, 0, LATCH_E_THROTTLED},
        {1, false, 3, 0, 2000, LATCH_E_TIMEOUT}, {1, false, 0, 1, 0, LATCH_OK},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_dynamodb_written out;
        source_init(&s, 100, 200, 5);
        network_well(&net);
        net.takes_nothing = rows[i].takes_nothing;
        net.throttles_from = rows[i].throttles_from;
        int64_t from_ms = rig_now_ms(&world);
        if (rows[i].deadline_ms > 0) ann.cx.deadline_at_ms = from_ms + rows[i].deadline_ms;
        latch_dynamodb_batch_write_request request = request_of(&s);
        request.connections = rows[i].connections;
        request.timeout_ms = rows[i].timeout_ms;
        request.keys = &(latch_dynamodb_keys){other, "id", "at"};
        request.keys_count = 1;
        latch_status status = latch_dynamodb_batch_write(&ann.cx, &request, &out);
        if (status != rows[i].status && !(rows[i].status == LATCH_E_TIMEOUT && status == LATCH_E_THROTTLED))
            fail_msg("row %zu: %d, %s", i, (int)status, ann.cx.err.message);
        adds_up(&s, &out);
        int64_t took_ms = rig_now_ms(&world) - from_ms;
        if (rows[i].deadline_ms > 0) assert_true(took_ms <= rows[i].deadline_ms);
        if (rows[i].timeout_ms > 0) assert_true(took_ms <= rows[i].timeout_ms);
        assert_true((out.left > 0) == (status != LATCH_OK));
        assert_int_equal(out.unsure, 0);
        if (rows[i].takes_nothing) assert_int_equal(out.written, 0);
        clear(&s);
        caller_again(&ann);
    }
}

static void a_source_that_breaks_ends_it(void **state) {
    (void)state;
    for (int connections = 1; connections <= 3; connections += 2) {
        latch_dynamodb_written out;
        source_init(&s, 200, 100, 5);
        s.fails_at = 120;
        latch_dynamodb_batch_write_request request = request_of(&s);
        request.connections = connections;
        assert_int_equal(latch_dynamodb_batch_write(&ann.cx, &request, &out), LATCH_CONFLICT);
        assert_string_equal(ann.cx.err.message, "the source broke");
        assert_int_equal(out.given, 120);
        adds_up(&s, &out);
        clear(&s);
        caller_again(&ann);
    }
}

static void dynamodb_refuses_a_batch(void **state) {
    latch_dynamodb_written out;
    latch_dynamodb_write write = {.table = "latch", .put = parsed("{\"pk\":5,\"sk\":\"s\"}")};
    latch_dynamodb_batch_write_request request = {.writes = &write, .count = 1};
    (void)state;
    assert_int_equal(latch_dynamodb_batch_write(&ann.cx, &request, &out), LATCH_E_MISUSE); /* a number, where the key is text */
    assert_int_equal(out.left, 1);
    assert_int_equal(out.unsure, 0);
    write.table = "nobody-made-this-table";
    assert_int_equal(latch_dynamodb_batch_write(&ann.cx, &request, &out), LATCH_E_MISUSE);
    assert_non_null(strstr(ann.cx.err.message, "DescribeTable"));
    assert_int_equal(out.given, 0);
}

static void keys_of_other_tables_are_learnt_once(void **state) {
    latch_dynamodb_written out;
    (void)state;
    source_init(&s, 100, 100, 5);
    latch_dynamodb_batch_write_request request = request_of(&s);
    assert_int_equal(latch_dynamodb_batch_write(&ann.cx, &request, &out), LATCH_OK);
    uint64_t with = out.requests;
    source_init(&s, 100, 100, 5);
    request.keys = &(latch_dynamodb_keys){other, "id", "at"};
    request.keys_count = 1;
    assert_int_equal(latch_dynamodb_batch_write(&ann.cx, &request, &out), LATCH_OK);
    assert_int_equal(out.requests, with - 1);
}

/* ── several connections ────────────────────────────────────────────────────────────────────────────────────────────────── */

static void connections_are_as_many_as_can_be_had(void **state) {
    static const struct {
        int asked, most;
        bool none_more, shares;
        size_t used;
    } rows[] = {{0, 50, false, false, 1}, {1, 50, false, false, 1}, {4, 50, false, false, 4}, {8, 4, false, false, 3},
                {8, 1, false, false, 1},  {4, 50, true, false, 1},  {4, 50, false, true, 4}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_dynamodb_written out;
        source_init(&s, 1000, KEYS_MAX, 5);
        network_well(&net);
        net.has_no_more = rows[i].none_more;
        net.shares = rows[i].shares;
        net.holds_us = 2000;
        caller bob;
        caller_init(&bob, &net, ARENA_BYTES);
        bob.client.options.max_connections = rows[i].most;
        latch_dynamodb_batch_write_request request = request_of(&s);
        request.connections = rows[i].asked;
        assert_int_equal(latch_dynamodb_batch_write(&bob.cx, &request, &out), LATCH_OK);
        assert_int_equal(out.connections, rows[i].used);
        assert_int_equal(net.opened, net.closed);
        assert_int_equal(net.opened, rows[i].used > 1 && !rows[i].shares ? rows[i].used : 0);
        assert_true(net.most_running <= rows[i].used);
        assert_true((net.most_running > 1) == (rows[i].used > 1));
        assert_int_equal(bob.usage.requests, out.requests);
        caller_clean_up(&bob);
        net.shares = false;
    }
}

/* ── memory ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status swallow(void *self, const latch_send *send, latch_arena *arena, latch_reply *out, latch_err *err) {
    (void)send, (void)err;
    atomic_fetch_add((atomic_uint_least64_t *)self, 1);
    *out = (latch_reply){.http_status = 200, .body = latch_arena_copy(arena, LATCH_STR("{\"UnprocessedItems\":{}}"))};
    return LATCH_OK;
}

static long rss_kb(void) {
    char line[128];
    long kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "RssAnon:", 8) == 0) kb = strtol(line + 8, NULL, 10);
    fclose(f);
    return kb;
}

static latch_status next_of_many(latch_ctx *cx, void *arg, latch_dynamodb_write *out) {
    uint64_t *left = arg;
    out->end = *left == 0;
    if (out->end) return LATCH_OK;
    latch_str pk = latch_ctx_text(cx, "item-%llu", (unsigned long long)--*left);
    out->put = latch_object(cx, "pk", pk, "sk", "s", "text", "some text that an item has, as items do", "left", *left);
    return LATCH_OK;
}

/*
 * AddressSanitizer keeps an eighth of each arena's address space as its shadow, and an arena may be at another address each time: 64 MB
 * are 8 MB of shadow more, whatever the number of items. Only other builds can tell. e2e does so of the release build.
 */
#if defined(__SANITIZE_ADDRESS__)
static const bool counts_shadows = true;
#else
static const bool counts_shadows = false;
#endif

static void memory_does_not_grow_with_the_items(void **state) {
    atomic_uint_least64_t requests = 0;
    latch_client client;
    (void)state;
    latch_client_init(&client, (latch_transport){.call = swallow, .self = &requests}, NULL);
    ann.table.client = &client;
    for (int connections = 1; connections <= 4; connections += 3) {
        long after_few = 0;
        for (int round = 0; round < 2; round++) {
            uint64_t count = round == 0 ? 2500 : 25000, left = count;
            latch_dynamodb_written out;
            latch_dynamodb_batch_write_request request = {.next = next_of_many, .arg = &left, .connections = connections};
            ann.arena.peak = latch_arena_mark(&ann.arena);
            assert_int_equal(latch_dynamodb_batch_write(&ann.cx, &request, &out), LATCH_OK);
            assert_int_equal(out.written, count);
            assert_int_equal(ann.arena.peak, latch_arena_mark(&ann.arena)); /* nothing of the caller's */
            if (round == 0) after_few = rss_kb();
        }
        long grown_kb = rss_kb() - after_few;
        if (counts_shadows) continue;
        if (grown_kb >= 2048) fail_msg("%ld KB more after 25,000 items than after 2,500", grown_kb);
    }
    assert_true(requests >= 2 * (100 + 1000));
    latch_client_clean_up(&client);
    ann.table.client = &ann.client;
}

/* ── reading ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct reader {
    uint64_t count, at, next_index, found;
    uint32_t seed, keys;
    const source *model; /* what is there */
    size_t wrong;
    uint32_t asked[KEYS_MAX * 4]; /* the key of each read */
    uint64_t stops_at;
} reader;

static latch_status next_read(latch_ctx *cx, void *arg, latch_dynamodb_read *out) {
    reader *r = arg;
    out->end = r->at == r->count;
    if (out->end) return LATCH_OK;
    uint32_t key = r->asked[r->at++] = dice_roll(&r->seed, r->keys);
    out->key = key_of(cx, key, dice_roll(&r->seed, 2) == 0, -1);
    out->table = key % 2 == 0 ? NULL : other;
    return LATCH_OK;
}

static latch_status on_item(latch_ctx *cx, void *arg, uint64_t index, bool found, latch_json item) {
    reader *r = arg;
    int64_t v = -1;
    if (index == r->stops_at) return latch_fail(cx, "Enough", "enough was read");
    if (found && latch_read(item, "v", &v) != LATCH_OK) r->wrong++;
    r->wrong += index != r->next_index || index >= r->at || v != r->model->wanted[r->asked[index]];
    r->next_index = index + 1;
    r->found += found;
    return LATCH_OK;
}

static void write_some(uint32_t keys, uint32_t seed) {
    latch_dynamodb_written out;
    source_init(&s, keys, keys, seed);
    latch_dynamodb_batch_write_request request = request_of(&s);
    network_well(&net);
    assert_int_equal(latch_dynamodb_batch_write(&ann.cx, &request, &out), LATCH_OK);
    caller_again(&ann);
    network_well(&net);
}

static reader r;

static latch_dynamodb_batch_get_request reading(uint64_t count, uint32_t seed) {
    memset(&r, 0, sizeof r);
    r = (reader){.count = count, .seed = seed, .keys = s.keys, .model = &s, .stops_at = UINT64_MAX};
    return (latch_dynamodb_batch_get_request){.next = next_read, .item = on_item, .arg = &r, .count = count};
}

static void reads_answer_in_order(void **state) {
    (void)state;
    write_some(300, 9);
    for (uint32_t seed = 1; seed <= 16; seed++) {
        latch_dynamodb_gotten out;
        latch_dynamodb_batch_get_request request = reading(seed * 97 % 1200, seed);
        network_well(&net);
        net.gives_back_in = seed % 4 == 0 ? 0 : 2 + seed % 4;
        net.throttles_in = 9;
        net.loses_after_in = 12;
        net.fits_keys = seed % 5 == 0 ? 7 : 0;
        request.connections = seed % 2 == 0 ? 1 : 4;
        request.eventual = seed % 3 == 0;
        latch_status status = latch_dynamodb_batch_get(&ann.cx, &request, &out);
        if (status != LATCH_OK) fail_msg("seed %u: %s", seed, ann.cx.err.message);
        assert_int_equal(r.wrong, 0);
        assert_int_equal(out.read, r.count);
        assert_int_equal(out.found, r.found);
        assert_int_equal(out.missing, r.count - r.found);
        assert_int_equal(out.left, 0);
        assert_true(out.resent <= net.given_back && (net.lost > 0 || out.resent == net.given_back));
        assert_true(net.largest_batch <= 100);
        caller_again(&ann);
    }
}

static void a_reader_that_forgets_keys_is_found(void **state) {
    latch_dynamodb_gotten out;
    (void)state;
    write_some(300, 9);
    latch_dynamodb_batch_get_request request = reading(500, 3);
    net.gives_back_in = 3;
    net.forgets = true;
    assert_int_equal(latch_dynamodb_batch_get(&ann.cx, &request, &out), LATCH_OK);
    assert_true(r.wrong > 50);
}

static void collects_and_folds(void **state) {
    latch_dynamodb_read reads[250] = {{0}};
    latch_dynamodb_gotten out;
    int64_t v;
    (void)state;
    rig_put(&world, "{\"pk\":{\"S\":\"a\"},\"sk\":{\"S\":\"s\"},\"v\":{\"N\":\"1\"},\"list\":{\"L\":[{\"S\":\"x\"},{\"N\":\"2\"}]}}");
    for (size_t i = 0; i < COUNT_OF(reads); i++)
        reads[i].key = latch_object(&ann.cx, "sk", "s", "pk", i % 3 == 0 ? "none" : "a");
    latch_dynamodb_batch_get_request request = {.reads = reads, .count = COUNT_OF(reads)};
    assert_int_equal(latch_dynamodb_batch_get(&ann.cx, &request, &out), LATCH_OK);
    assert_int_equal(out.requests, 1); /* two keys */
    assert_int_equal(net.largest_batch, 2);
    assert_int_equal(out.read, 250);
    assert_int_equal(out.missing, 84);
    for (size_t i = 0; i < COUNT_OF(reads); i++) {
        assert_int_equal(out.items[i].found, i % 3 != 0);
        if (i % 3 == 0) continue;
        assert_int_equal(latch_read(out.items[i].item, "v", &v), LATCH_OK);
        assert_int_equal(v, 1);
        assert_true(latch_has(out.items[i].item, "list[1]"));
    }
}

/* One key in two forms, and as DynamoDB gives it back: it is one write, and one answer. */
static void a_key_is_the_same_in_every_form(void **state) {
    static const struct {
        const char *type, *one, *again;
    } rows[] = {
        {"N", "1e70", "{\"$number\":\"10000000000000000000000000000000000000000000000000000000000000000000000\"}"},
        {"N", "-1.50e-70", "{\"$number\":\"-.00000000000000000000000000000000000000000000000000000000000000000000015\"}"},
        {"N", "0", "{\"$number\":\"-0.0\"}"},
        {"B", "{\"$binary\":\"QR==\"}", "{\"$binary\":\"QQ==\"}"}, /* bits that padding leaves over */
        {"B", "{\"$binary\":\"QUJ=\"}", "{\"$binary\":\"QUI=\"}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *table = unique_table("forms"), *forms[] = {rows[i].one, rows[i].again};
        latch_dynamodb_write writes[2] = {{0}};
        latch_dynamodb_read reads[2] = {{0}};
        latch_dynamodb_written written;
        latch_dynamodb_gotten gotten;
        world_ask(&world, "CreateTable",
                  "{\"TableName\":\"%s\",\"BillingMode\":\"PAY_PER_REQUEST\",\"AttributeDefinitions\":[{\"AttributeName\":\"at\","
                  "\"AttributeType\":\"%s\"}],\"KeySchema\":[{\"AttributeName\":\"at\",\"KeyType\":\"HASH\"}]}",
                  table, rows[i].type);
        for (size_t k = 0; k < 2; k++) {
            latch_str text = latch_ctx_text(&ann.cx, "{\"at\":%s}", forms[k]);
            writes[k].put = reads[k].key = parsed(text.ptr);
        }
        latch_status status = latch_dynamodb_batch_write(
            &ann.cx, &(latch_dynamodb_batch_write_request){.writes = writes, .count = 2, .table = table}, &written);
        if (status != LATCH_OK) fail_msg("row %zu: %s", i, ann.cx.err.message);
        assert_int_equal(written.superseded, 1);
        status =
            latch_dynamodb_batch_get(&ann.cx, &(latch_dynamodb_batch_get_request){.reads = reads, .count = 2, .table = table}, &gotten);
        if (status != LATCH_OK) fail_msg("row %zu: %s", i, ann.cx.err.message);
        assert_int_equal(gotten.found, 2);
        world_ask(&world, "DeleteTable", "{\"TableName\":\"%s\"}", table);
        caller_again(&ann);
    }
}

static void projections_bring_the_key_along(void **state) {
    static const struct {
        const char *projection;
        bool title, city, street;
        latch_status status;
    } rows[] = {
        {"title", true, false, false, LATCH_OK},
        {"#t, address.city", true, true, false, LATCH_OK},
        {"pk, sk, #t", true, false, false, LATCH_OK},
        {" #p,address ", false, true, true, LATCH_OK},
        {"pk", false, false, false, LATCH_OK},
        {"title,", false, false, false, LATCH_E_MISUSE},
        {"title, title", false, false, false, LATCH_E_MISUSE},
    };
    (void)state;
    rig_put(&world, "{\"pk\":{\"S\":\"a\"},\"sk\":{\"S\":\"s\"},\"title\":{\"S\":\"t\"},\"address\":{\"M\":{\"city\":{\"S\":\"c\"},"
                    "\"street\":{\"S\":\"d\"}}}}");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_dynamodb_read read = {.key = latch_object(&ann.cx, "sk", "s", "pk", "a")};
        latch_dynamodb_gotten out;
        bool t = strstr(rows[i].projection, "#t") != NULL, p = strstr(rows[i].projection, "#p") != NULL;
        latch_dynamodb_batch_get_request request = {.reads = &read, .count = 1, .projection = rows[i].projection};
        request.names = t ? LATCH_VALUES("#t", "title") : p ? LATCH_VALUES("#p", "pk") : NULL;
        latch_status status = latch_dynamodb_batch_get(&ann.cx, &request, &out);
        if (status != rows[i].status) fail_msg("row %zu: %d, %s", i, (int)status, ann.cx.err.message);
        if (status == LATCH_OK) {
            assert_true(out.items[0].found);
            assert_true(latch_has(out.items[0].item, "pk") && latch_has(out.items[0].item, "sk"));
            assert_int_equal(latch_has(out.items[0].item, "title"), rows[i].title);
            assert_int_equal(latch_has(out.items[0].item, "address.city"), rows[i].city);
            assert_int_equal(latch_has(out.items[0].item, "address.street"), rows[i].street);
        }
        caller_again(&ann);
    }
}

static void reads_that_end_early_have_no_gap(void **state) {
    static const struct {
        int connections;
        uint64_t fails_from, stops_at;
        bool takes_nothing;
        int64_t deadline_ms;
        latch_status status;
    } rows[] = {
        {1, 4, UINT64_MAX, false, 0, LATCH_E_NETWORK},  {4, 6, UINT64_MAX, false, 0, LATCH_E_NETWORK},
        {1, 0, 250, false, 0, LATCH_E_HANDLER},         {4, 0, 250, false, 0, LATCH_E_HANDLER},
        {1, 0, UINT64_MAX, true, 0, LATCH_E_THROTTLED}, {4, 0, UINT64_MAX, true, 2000, LATCH_E_TIMEOUT},
    };
    (void)state;
    write_some(1000, 9);
    for (size_t n = 0; n < 8 * COUNT_OF(rows); n++) { /* threads meet otherwise each time */
        size_t i = n % COUNT_OF(rows);
        latch_dynamodb_gotten out;
        latch_dynamodb_batch_get_request request = reading(1000, 11);
        network_well(&net);
        net.fails_from = rows[i].fails_from;
        net.takes_nothing = rows[i].takes_nothing;
        net.gives_back_in = rows[i].connections > 1 ? 2 : 0; /* batches that are stopped before all of them was answered */
        r.stops_at = rows[i].stops_at;
        request.connections = rows[i].connections;
        int64_t from_ms = rig_now_ms(&world);
        if (rows[i].deadline_ms > 0) ann.cx.deadline_at_ms = from_ms + rows[i].deadline_ms;
        latch_status status = latch_dynamodb_batch_get(&ann.cx, &request, &out);
        if (status != rows[i].status) fail_msg("row %zu: %d, %s", i, (int)status, ann.cx.err.message);
        if (rows[i].deadline_ms > 0) assert_true(rig_now_ms(&world) - from_ms <= rows[i].deadline_ms);
        assert_int_equal(r.wrong, 0);
        assert_int_equal(r.next_index, out.read);
        assert_true(out.read + out.left == r.at || out.read + out.left + 1 == r.at);
        if (rows[i].stops_at == 250) assert_int_equal(out.read, 250);
        caller_again(&ann);
    }
}

static void a_full_arena_is_told(void **state) {
    size_t refused = 0;
    (void)state;
    write_some(120, 9);
    for (size_t bytes = 256; bytes <= (size_t)1 << 20; bytes *= 2) {
        latch_dynamodb_gotten out;
        caller small;
        caller_init(&small, &net, bytes);
        latch_dynamodb_batch_get_request request = reading(120, 11);
        request.item = NULL;
        request.projection = "v";
        latch_status status = latch_dynamodb_batch_get(&small.cx, &request, &out);
        assert_true(status == LATCH_OK || status == LATCH_E_NOMEM);
        refused += status == LATCH_E_NOMEM;
        if (status == LATCH_OK) assert_int_equal(out.read, 120);
        caller_clean_up(&small);
    }
    assert_true(refused > 2 && refused < 12);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    ROW(writes_in_batches_of_25),
    ROW(an_empty_batch_sends_nothing),
    ROW(what_is_written_is_what_the_model_says),
    ROW(a_client_that_forgets_what_is_unprocessed_is_found),
    ROW(the_last_write_of_a_key_wins),
    ROW(bad_writes_are_refused_and_named),
    ROW(an_item_over_400_kb_is_refused),
    ROW(large_items_go_in_smaller_batches),
    ROW(what_died_midway_is_told),
    ROW(a_lost_answer_is_repeated_unless_asked_not_to),
    ROW(what_is_given_back_after_a_lost_answer_is_unsure),
    ROW(ends_in_time_and_says_what_is_left),
    ROW(a_source_that_breaks_ends_it),
    ROW(dynamodb_refuses_a_batch),
    ROW(keys_of_other_tables_are_learnt_once),
    ROW(connections_are_as_many_as_can_be_had),
    ROW(memory_does_not_grow_with_the_items),
    ROW(reads_answer_in_order),
    ROW(a_reader_that_forgets_keys_is_found),
    ROW(collects_and_folds),
    ROW(a_key_is_the_same_in_every_form),
    ROW(projections_bring_the_key_along),
    ROW(reads_that_end_early_have_no_gap),
    ROW(a_full_arena_is_told),
};

CHECK_MAIN(tests)
