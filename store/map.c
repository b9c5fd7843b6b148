#include "store/map.h"

#include "core/node.h"

/* A zero of the member's own type. */
static void clear(const latch_map *m, latch_ctx *cx, void *at) {
    switch (m->type) {
    case LATCH_MAP_TEXT:
        *(latch_str *)at = (latch_str){NULL, 0};
        return;
    case LATCH_MAP_INT:
        *(int64_t *)at = 0;
        return;
    case LATCH_MAP_DOUBLE:
        *(double *)at = 0;
        return;
    case LATCH_MAP_BOOL:
        *(bool *)at = false;
        return;
    case LATCH_MAP_JSON:
        *(latch_json *)at = (latch_json){cx, NULL};
        return;
    }
}

static latch_into into_of(const latch_map *m, void *at) {
    switch (m->type) {
    case LATCH_MAP_TEXT:
        return latch_bytes(at, 0, INT64_MAX);
    case LATCH_MAP_INT:
        return latch_range(at, INT64_MIN, INT64_MAX);
    case LATCH_MAP_DOUBLE:
        return latch_i_num_(at);
    case LATCH_MAP_BOOL:
        return latch_i_bool_(at);
    case LATCH_MAP_JSON:
        break;
    }
    return latch_i_json_(at);
}

static size_t members_of(const latch_map *map) {
    size_t n = 0;
    while (n <= LATCH_MAP_MAX && map[n].attribute != NULL)
        n++;
    return n;
}

static const char no_end[] = "a latch_map has over 64 members, or no LATCH_MAP_END";

/* What is absent is left as it was cleared: text that is absent and text that is empty are told apart. */
latch_status latch_map_read(latch_ctx *cx, const latch_map *map, latch_json item, void *out) {
    latch_field fields[LATCH_MAP_MAX + 1];
    size_t n = members_of(map), present = 0;
    if (n > LATCH_MAP_MAX) return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s", no_end);
    for (size_t i = 0; i < n; i++) {
        void *at = (char *)out + map[i].offset;
        clear(&map[i], cx, at);
        if (latch_has(item, map[i].attribute)) fields[present++] = (latch_field){map[i].attribute, into_of(&map[i], at)};
    }
    fields[present] = (latch_field){NULL, latch_i_str_(NULL)};
    if (present == 0) return LATCH_OK;
    latch_status status = latch_read_(item, fields);
    for (size_t i = 0; status != LATCH_OK && i < n; i++)
        clear(&map[i], cx, (char *)out + map[i].offset);
    return status;
}

static latch_value value_of(const latch_map *m, const void *at) {
    switch (m->type) {
    case LATCH_MAP_TEXT:
        return LATCH_V_(*(const latch_str *)at);
    case LATCH_MAP_INT:
        return LATCH_V_(*(const int64_t *)at);
    case LATCH_MAP_DOUBLE:
        return LATCH_V_(*(const double *)at);
    case LATCH_MAP_BOOL:
        return LATCH_V_(*(const bool *)at);
    case LATCH_MAP_JSON:
        break;
    }
    return LATCH_V_(*(const latch_json *)at);
}

latch_json latch_map_write(latch_ctx *cx, const latch_map *map, const void *from) {
    latch_pair pairs[LATCH_MAP_MAX + 1];
    size_t n = members_of(map), put = 0;
    for (size_t i = 0; i < n && n <= LATCH_MAP_MAX; i++) {
        latch_value v = value_of(&map[i], (const char *)from + map[i].offset);
        bool absent = (v.kind == LATCH_V_STR && v.as.str.ptr == NULL) || (v.kind == LATCH_V_JSON && v.as.json.node == NULL);
        if (!absent) pairs[put++] = (latch_pair){map[i].attribute, v};
    }
    if (n > LATCH_MAP_MAX)
        return latch_node_json(cx, (struct latch_node){.kind = LATCH_E_DATA, .broken = LATCH_E_MISUSE, .why = no_end, .path = "value"});
    pairs[put] = (latch_pair){NULL, {LATCH_V_NULL, {.i = 0}}};
    return latch_object_(cx, pairs);
}
