#include "store/embedded/paths.h"

struct latch_projection {
    latch_path_node root;
};

/* A path of the list, the last one first. */
typedef struct entry {
    latch_path path;
    latch_fault fault; /* of this path */
    struct entry *next;
} entry;

static bool parse_list(latch_parser *p, entry **last) {
    for (;;) {
        entry *e = latch_arena_alloc(p->arena, sizeof *e);
        if (e == NULL) return latch_fault_full(p->fault);
        *e = (entry){.next = *last};
        if (!latch_parse_path(p, &e->path)) return false;
        e->fault = p->late;
        p->late = (latch_fault){0};
        *last = e;
        if (p->token.kind != TOKEN_COMMA) return true;
        latch_parser_next(p);
    }
}

static bool plant(latch_parser *p, latch_path_node *root, const entry *last) {
    size_t place = 0;
    for (const entry *e = last; e != NULL; e = e->next) {
        if (e->fault.name != NULL) {
            *p->fault = e->fault;
            return false;
        }
        if (!latch_paths_add(p, root, &e->path, place++, p->fault)) return false;
    }
    return true;
}

bool latch_projection_parse(latch_str text, latch_placeholders *placeholders, const latch_projection **out, latch_fault *fault) {
    latch_parser p;
    entry *last = NULL;
    *out = NULL;
    if (!latch_parser_begin(&p, text, "ProjectionExpression", placeholders, fault)) return false;
    if (!parse_list(&p, &last) || !latch_parser_end(&p)) return false;
    latch_projection *projection = latch_arena_alloc(p.arena, sizeof *projection);
    if (projection == NULL) return latch_fault_full(fault);
    *projection = (latch_projection){0};
    if (!plant(&p, &projection->root, last)) return false;
    *out = projection;
    return true;
}

static bool project_value(const latch_path_node *node, const latch_av *from, latch_av *out, bool *found, latch_arena *arena);

static bool project_map(const latch_path_node *node, const latch_item *from, latch_item *out, latch_arena *arena) {
    out->count = 0;
    out->attributes = latch_arena_alloc(arena, latch_paths_below(node) * sizeof(latch_attribute));
    if (out->attributes == NULL) return false;
    for (const latch_path_node *n = node->first; n != NULL; n = n->next) {
        const latch_av *value = latch_item_get(from, n->part->name);
        latch_attribute *to = &out->attributes[out->count];
        bool found = false;
        if (value != NULL && !project_value(n, value, &to->value, &found, arena)) return false;
        if (!found) continue;
        to->name = n->part->name;
        out->count++;
    }
    return true;
}

static bool project_list(const latch_path_node *node, const latch_av *from, latch_av *out, latch_arena *arena) {
    latch_av *values = latch_arena_alloc(arena, latch_paths_below(node) * sizeof *values);
    size_t count = 0;
    if (values == NULL) return false;
    for (const latch_path_node *n = node->first; n != NULL && n->part->index < from->as.list.count; n = n->next) {
        bool found = false;
        if (!project_value(n, &from->as.list.values[n->part->index], &values[count], &found, arena)) return false;
        count += found;
    }
    *out = (latch_av){.type = LATCH_TYPE_L};
    out->as.list.values = values;
    out->as.list.count = count;
    return true;
}

/* A map or list of which nothing was asked that is there is itself not there. Goes as deep as a path. */
static bool project_value(const latch_path_node *node, const latch_av *from, latch_av *out, bool *found, latch_arena *arena) {
    *found = node->path != NULL;
    if (*found) {
        *out = *from;
        return true;
    }
    if (from->type != (node->first->part->indexed ? LATCH_TYPE_L : LATCH_TYPE_M)) return true;
    if (from->type == LATCH_TYPE_L) {
        if (!project_list(node, from, out, arena)) return false;
        *found = out->as.list.count > 0;
        return true;
    }
    *out = (latch_av){.type = LATCH_TYPE_M};
    if (!project_map(node, &from->as.map, &out->as.map, arena)) return false;
    *found = out->as.map.count > 0;
    return true;
}

bool latch_project(const latch_projection *projection, const latch_item *item, latch_item *out, latch_arena *arena) {
    return project_map(&projection->root, item, out, arena);
}

bool latch_projection_attribute(const latch_projection *projection, size_t i, latch_str *out) {
    const latch_path_node *n = projection->root.first;
    while (n != NULL && i-- > 0)
        n = n->next;
    if (n != NULL) *out = n->part->name;
    return n != NULL;
}
