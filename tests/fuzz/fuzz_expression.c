/*
 * fuzz_expression - an expression of each kind against an item, both from the input:
 *
 *   c s = :s AND size(l) > :n        kind (c condition, u update, p projection, k key condition) and expression
 *   {"s":{"S":"a"}}                  item; missing or no item: none
 *   {"#n":"name"}                    ExpressionAttributeNames; missing or empty: none
 *   {":s":{"S":"a"}}                 ExpressionAttributeValues; missing or empty: none
 *
 * What must hold of any input is asserted; that nothing is read or written out of place is the sanitizers' part.
 */
#include <stdlib.h>
#include <string.h>

#include "store/embedded/expression.h"

#define PARTS 4
#define ARENA_BYTES ((size_t)2 << 20)
#define MUST(what)                                                                                                                         \
    do {                                                                                                                                   \
        if (!(what)) abort();                                                                                                              \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct input {
    latch_str parts[PARTS];
    yyjson_doc *docs[PARTS];
    char *expression; /* of its own, so that a byte beyond it is seen */
    latch_arena arena;
    latch_fault fault;
    latch_placeholders placeholders;
    latch_item item;
    bool there; /* an item */
} input;

static void split(input *in, const char *data, size_t size) {
    for (size_t i = 0; i < PARTS; i++) {
        const char *end = i + 1 < PARTS && size > 0 ? memchr(data, '\n', size) : NULL;
        size_t len = end != NULL ? (size_t)(end - data) : size;
        in->parts[i] = (latch_str){data, len};
        data += len + (end != NULL);
        size -= len + (end != NULL);
    }
}

static yyjson_val *json(input *in, size_t part) {
    latch_str text = in->parts[part];
    if (text.len == 0) return NULL;
    in->docs[part] = yyjson_read(text.ptr, text.len, 0);
    return yyjson_doc_get_root(in->docs[part]);
}

static latch_av as_value(const latch_item *item) { return (latch_av){.type = LATCH_TYPE_M, .as.map = *item}; }

/* An item that came out of an update or projection is one: it can be written, read again and packed. */
static void check_item(const latch_item *item) {
    static _Alignas(16) char memory[ARENA_BYTES];
    latch_arena arena;
    latch_fault fault = {0};
    latch_item again;
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = latch_item_write(doc, item);
    MUST(root != NULL);
    yyjson_doc *read = yyjson_mut_val_imut_copy(root, NULL);
    latch_arena_init(&arena, memory, sizeof memory);
    if (latch_item_read(yyjson_doc_get_root(read), &again, &arena, &fault)) {
        latch_av a = as_value(item), b = as_value(&again);
        MUST(latch_av_equal(&a, &b));
        MUST(latch_item_bytes(item) == latch_item_bytes(&again));
    } else {
        MUST(strcmp(fault.name, "Arena") == 0);
    }
    latch_arena_clean_up(&arena);
    yyjson_doc_free(read);
    yyjson_mut_doc_free(doc);
    size_t bytes = latch_item_pack_bytes(item);
    void *block = malloc(bytes > 0 ? bytes : 1);
    MUST(block != NULL);
    latch_item packed = latch_item_pack(item, block);
    MUST(packed.count == item->count);
    free(block);
}

static bool parse_condition(input *in, latch_str text, const latch_condition **c) {
    bool ok = latch_condition_parse(text, "ConditionExpression", &in->placeholders, c, &in->fault);
    MUST(ok == (in->fault.name == NULL));
    return ok;
}

/* NOT (c) holds where c doesn't. */
static void check_negation(input *in, latch_str text, bool holds) {
    char *negated = malloc(text.len + 7);
    const latch_condition *c;
    MUST(negated != NULL);
    memcpy(negated, "NOT (", 5);
    memcpy(negated + 5, text.ptr, text.len);
    negated[text.len + 5] = ')';
    if (parse_condition(in, (latch_str){negated, text.len + 6}, &c)) MUST(latch_condition_holds(c, in->there ? &in->item : NULL) == !holds);
    free(negated);
}

static void condition(input *in, latch_str text) {
    const latch_condition *c;
    if (!parse_condition(in, text, &c)) return;
    bool holds = latch_condition_holds(c, in->there ? &in->item : NULL);
    (void)latch_condition_holds(c, NULL);
    for (size_t i = 0; i < in->item.count; i++)
        (void)latch_condition_names(c, in->item.attributes[i].name);
    check_negation(in, text, holds);
}

static void update(input *in, latch_str text) {
    const latch_update *u;
    latch_item out, touched;
    bool ok = latch_update_parse(text, &in->placeholders, &u, &in->fault);
    MUST(ok == (in->fault.name == NULL));
    if (!ok) return;
    ok = latch_update_apply(u, in->there ? &in->item : NULL, &in->item, &out, &in->arena, &in->fault);
    MUST(ok == (in->fault.name == NULL));
    if (!ok) return;
    check_item(&out);
    for (size_t i = 0; i < out.count; i++) { /* what no path names is as it was */
        const latch_av *was = latch_item_get(&in->item, out.attributes[i].name);
        if (!latch_update_writes(u, out.attributes[i].name)) MUST(was != NULL && latch_av_equal(was, &out.attributes[i].value));
    }
    if (latch_update_touched(u, &out, &touched, &in->arena)) MUST(touched.count <= out.count);
    (void)latch_update_touched(u, &in->item, &touched, &in->arena);
}

static void projection(input *in, latch_str text) {
    const latch_projection *p;
    latch_item out;
    bool ok = latch_projection_parse(text, &in->placeholders, &p, &in->fault);
    MUST(ok == (in->fault.name == NULL));
    if (ok && latch_project(p, &in->item, &out, &in->arena)) check_item(&out);
}

static void key_condition(input *in, latch_str text) {
    latch_key_condition c;
    bool ok = latch_key_condition_parse(text, LATCH_STR("pk"), LATCH_STR("sk"), &in->placeholders, &c, &in->fault);
    MUST(ok == (in->fault.name == NULL));
    for (size_t i = 0; ok && i < in->item.count; i++)
        (void)latch_key_condition_holds(&c, &in->item.attributes[i].value);
}

static void run(input *in) {
    yyjson_val *item = json(in, 1), *names = json(in, 2), *values = json(in, 3);
    in->there = item != NULL && latch_item_read(item, &in->item, &in->arena, &in->fault);
    if (!in->there) in->item = (latch_item){0};
    in->fault = (latch_fault){0};
    bool ok = latch_placeholders_read(names, values, &in->placeholders, &in->arena, &in->fault);
    MUST(ok == (in->fault.name == NULL));
    if (!ok || in->parts[0].len < 2) return;
    size_t len = in->parts[0].len - 2;
    in->expression = malloc(len > 0 ? len : 1);
    MUST(in->expression != NULL);
    memcpy(in->expression, in->parts[0].ptr + 2, len);
    latch_str text = {in->expression, len};
    if (in->parts[0].ptr[0] == 'c') condition(in, text);
    if (in->parts[0].ptr[0] == 'u') update(in, text);
    if (in->parts[0].ptr[0] == 'p') projection(in, text);
    if (in->parts[0].ptr[0] == 'k') key_condition(in, text);
    in->fault = (latch_fault){0};
    (void)latch_placeholders_all_used(&in->placeholders, &in->fault);
}

/* Once with room for all, once with as much as the input's length happens to give: every allocation fails in turn. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static _Alignas(16) char memory[ARENA_BYTES];
    for (int again = 0; again < 2; again++) {
        input in = {0};
        split(&in, (const char *)data, size);
        latch_arena_init(&in.arena, memory, again == 0 ? sizeof memory : size * 7 % 4096);
        run(&in);
        latch_arena_clean_up(&in.arena);
        free(in.expression);
        for (size_t i = 0; i < PARTS; i++)
            yyjson_doc_free(in.docs[i]);
    }
    return 0;
}
