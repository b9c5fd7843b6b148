/*
 * fuzz_marshal - plain JSON to attribute values and back, on any JSON: what is taken is what the engine takes, of the size that it counts,
 * and comes back as the same values; what is refused says why. And any JSON as attribute values: taken or refused, and what was taken goes
 * there again as the same.
 */
#include <stdlib.h>
#include <string.h>

#include "core/ctx_private.h"
#include "core/text.h"
#include "store/embedded/value.h"
#include "store/marshal.h"
#include "store/token.h"

#define ARENA_BYTES ((size_t)16 << 20)
#define MUST(what)                                                                                                                         \
    do {                                                                                                                                   \
        if (!(what)) abort();                                                                                                              \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As the engine reads it. False: it refuses; the arena's end is no refusal. */
static bool engine_reads(latch_arena *arena, latch_str text, latch_item *out, bool *full) {
    latch_fault fault = {0};
    yyjson_alc alc;
    size_t room = yyjson_read_max_memory_usage(text.len, 0);
    void *memory = latch_arena_alloc(arena, room);
    *full = memory == NULL;
    if (memory == NULL) return false;
    MUST(yyjson_alc_pool_init(&alc, memory, room));
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)text.ptr, text.len, 0, &alc, NULL);
    MUST(doc != NULL);
    bool ok = latch_item_read(yyjson_doc_get_root(doc), out, arena, &fault);
    *full = !ok && strcmp(fault.name, "Arena") == 0;
    return ok;
}

/* An item went there as `text`: the same there and back again. */
static void check_back(latch_ctx *cx, latch_str text, const latch_item *item, size_t bytes) {
    latch_json attributes, plain;
    latch_item again;
    bool full;
    latch_status status = latch_parse_data(cx, "answer", text, &attributes);
    if (status == LATCH_OK) status = latch_unmarshal_item(cx, attributes, &plain);
    if (status == LATCH_E_NOMEM) return;
    MUST(status == LATCH_OK);
    latch_text_writer t = latch_text_begin(cx->arena);
    size_t bytes_again = latch_marshal_item(&t, plain);
    latch_str text_again = latch_text_end(&t);
    if (t.failed == LATCH_E_NOMEM) return;
    MUST(text_again.ptr != NULL && bytes_again == bytes);
    if (!engine_reads(cx->arena, text_again, &again, &full)) {
        MUST(full);
        return;
    }
    const latch_av a = {.type = LATCH_TYPE_M, .as.map = *item}, b = {.type = LATCH_TYPE_M, .as.map = again};
    MUST(latch_av_equal(&a, &b));
}

static void check_there(latch_ctx *cx, latch_json v) {
    latch_item item;
    bool full;
    latch_text_writer t = latch_text_begin(cx->arena);
    size_t bytes = latch_marshal_item(&t, v);
    latch_str text = latch_text_end(&t);
    MUST((text.ptr == NULL) == (t.failed != LATCH_OK));
    MUST(t.failed == LATCH_OK || t.failed == LATCH_E_NOMEM || t.failed == LATCH_E_MISUSE);
    MUST(t.failed == LATCH_OK || (t.why != NULL && bytes == 0));
    if (t.failed != LATCH_OK) return;
    if (!engine_reads(cx->arena, text, &item, &full)) {
        MUST(full);
        return;
    }
    MUST(latch_item_bytes(&item) == bytes && bytes <= LATCH_ITEM_MAX_BYTES);
    check_back(cx, text, &item, bytes);
}

/* Any JSON as an answer's item: what comes back of it goes there again, if DynamoDB would have stored it. */
static void check_answer(latch_ctx *cx, latch_str data, latch_json attributes) {
    latch_json plain;
    latch_item item;
    bool full;
    latch_status status = latch_unmarshal_item(cx, attributes, &plain);
    MUST(status == LATCH_OK || status == LATCH_E_NOMEM || status == LATCH_E_DATA);
    MUST(status == LATCH_OK || plain.node == NULL);
    if (status != LATCH_OK || plain.node == NULL || !engine_reads(cx->arena, data, &item, &full)) return;
    latch_text_writer t = latch_text_begin(cx->arena);
    size_t bytes = latch_marshal_item(&t, plain);
    if (t.failed == LATCH_OK) MUST(bytes == latch_item_bytes(&item));
    (void)latch_text_end(&t);
}

static void check_token(latch_arena *arena, latch_str data) {
    latch_str bytes;
    bool full;
    latch_str text = latch_token_write(arena, data);
    if (text.ptr != NULL && latch_token_read(arena, text, &bytes, &full)) MUST(latch_str_eq(bytes, data));
    if (latch_token_read(arena, data, &bytes, &full)) {
        text = latch_token_write(arena, bytes);
        MUST(text.ptr == NULL || latch_str_eq(text, data));
    }
}

/* Once with room for all, once with as much as the input's length happens to give. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static _Alignas(16) char memory[ARENA_BYTES];
    latch_str text = {(const char *)data, size};
    for (int again = 0; again < 2; again++) {
        latch_arena arena;
        latch_arena_init(&arena, memory, again == 0 ? sizeof memory : size * 37 % 16384);
        latch_ctx cx = {.arena = &arena, .deadline_at_ms = INT64_MAX};
        latch_json v;
        check_token(&arena, text);
        if (size > 0 && latch_parse(&cx, "body", text, &v) == LATCH_OK) {
            check_there(&cx, v);
            check_answer(&cx, text, v);
            latch_text_writer t = latch_text_begin(&arena);
            (void)latch_marshal_key(&t, v);
            (void)latch_text_end(&t);
        }
        latch_arena_clean_up(&arena);
    }
    return 0;
}
