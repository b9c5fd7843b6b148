/* fuzz_value - the reader of attribute values and items, on any JSON: what it takes is written and read again, and must be equal. */
#include <stdlib.h>
#include <string.h>

#include "store/embedded/value.h"

#define ARENA_BYTES ((size_t)8 << 20)
#define MUST(what)                                                                                                                         \
    do {                                                                                                                                   \
        if (!(what)) abort();                                                                                                              \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_pair(const latch_av *a, const latch_av *b) {
    bool comparable, back;
    MUST(latch_av_equal(a, b) && latch_av_equal(b, a));
    MUST(latch_av_bytes(a) == latch_av_bytes(b));
    MUST(latch_av_compare(a, b, &comparable) == 0 && latch_av_compare(b, a, &back) == 0 && comparable == back);
}

/* Read again from what was written; *text is kept by the caller. */
static void check_text(const latch_av *v, latch_arena *arena) {
    latch_fault fault = {0};
    latch_av again;
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = latch_av_write(doc, v);
    MUST(root != NULL);
    yyjson_mut_doc_set_root(doc, root);
    size_t len;
    char *text = yyjson_mut_write(doc, 0, &len);
    MUST(text != NULL);
    yyjson_doc *read = yyjson_read(text, len, 0);
    MUST(read != NULL);
    if (latch_av_read(yyjson_doc_get_root(read), &again, arena, &fault))
        check_pair(v, &again);
    else
        MUST(strcmp(fault.name, "Arena") == 0);
    yyjson_doc_free(read);
    free(text);
    yyjson_mut_doc_free(doc);
}

static void check_packed(const latch_item *item) {
    size_t bytes = latch_item_pack_bytes(item);
    void *block = malloc(bytes > 0 ? bytes : 1);
    MUST(block != NULL);
    latch_item packed = latch_item_pack(item, block);
    latch_av a = {.type = LATCH_TYPE_M, .as.map = *item}, b = {.type = LATCH_TYPE_M, .as.map = packed};
    check_pair(&a, &b);
    MUST(latch_item_bytes(item) == latch_item_bytes(&packed));
    free(block);
}

static void check(yyjson_val *json, latch_arena *arena) {
    latch_av v;
    latch_item item;
    latch_fault fault = {0};
    bool ok = latch_av_read(json, &v, arena, &fault);
    MUST(ok == (fault.name == NULL));
    if (ok) check_text(&v, arena);
    fault = (latch_fault){0};
    ok = latch_item_read(json, &item, arena, &fault);
    MUST(ok == (fault.name == NULL));
    if (!ok) return;
    check_packed(&item);
    for (size_t i = 0; i < item.count; i++)
        MUST(latch_item_get(&item, item.attributes[i].name) == &item.attributes[i].value);
}

/* Once with room for all, once with as much as the input's length happens to give. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static _Alignas(16) char memory[ARENA_BYTES];
    yyjson_doc *doc = yyjson_read((const char *)data, size, YYJSON_READ_BIGNUM_AS_RAW);
    for (int again = 0; again < 2 && doc != NULL; again++) {
        latch_arena arena;
        latch_arena_init(&arena, memory, again == 0 ? sizeof memory : size * 7 % 4096);
        check(yyjson_doc_get_root(doc), &arena);
        latch_arena_clean_up(&arena);
    }
    yyjson_doc_free(doc);
    return 0;
}
