#include "store/paradoxical.h"

#include <string.h>

#include "core/ctx.h"
#include "core/ctx_private.h"

#define PARTITION_MAX_BYTES 2048
#define SORT_MAX_BYTES 1024

latch_place latch_paradoxical_place(const char *table) { return (latch_place){.table = table, .pk = "partitionKey", .sk = "sortKey"}; }

/* latch_key escapes '#' and '%' alone, as %23 and %25. */
static latch_str unescaped(latch_ctx *cx, latch_str part) {
    latch_text_writer t = latch_text_begin(cx->arena);
    for (size_t i = 0; i < part.len; i++) {
        bool escape =
            part.ptr[i] == '%' && part.len - i >= 3 && part.ptr[i + 1] == '2' && (part.ptr[i + 2] == '3' || part.ptr[i + 2] == '5');
        latch_text_char(&t, escape ? (part.ptr[i + 2] == '3' ? '#' : '%') : part.ptr[i]);
        if (escape) i += 2;
    }
    return latch_text_end(&t);
}

latch_status latch_paradoxical_split(latch_ctx *cx, const latch_paradoxical_key *of, latch_str key, latch_str *partition, latch_str *sort) {
    const latch_table_key first = {.store = of->store, .max_bytes = PARTITION_MAX_BYTES};
    const latch_table_key second = {.store = of->store, .max_bytes = SORT_MAX_BYTES - of->namespaced_bytes};
    const char *bar = key.len > 0 ? memchr(key.ptr, '#', key.len) : NULL;
    latch_str left = {key.ptr, bar != NULL ? (size_t)(bar - key.ptr) : 0}, right = {bar, 0};
    if (bar != NULL) right = (latch_str){bar + 1, key.len - left.len - 1};
    if (bar == NULL || memchr(right.ptr, '#', right.len) != NULL)
        return latch_err_set(&cx->err, LATCH_E_INPUT, "%s %s: the key wants two parts: latch_key(cx, partition, sort)", of->store,
                             of->name);
    *partition = unescaped(cx, left);
    *sort = unescaped(cx, right);
    if (partition->ptr == NULL || sort->ptr == NULL)
        return latch_err_set(&cx->err, LATCH_E_NOMEM, "%s %s: the arena is full", of->store, of->name);
    LATCH_TRY(latch_table_check_key(cx, &first, of->name, *partition));
    return latch_table_check_key(cx, &second, of->name, *sort);
}
