#include "store/embedded/paths.h"

#include "core/err.h"

/* The path below that was added first: new names are put before the others. */
static const latch_path *oldest(const latch_path_node *node) {
    while (node->path == NULL)
        for (node = node->first; node->next != NULL;)
            node = node->next;
    return node->path;
}

static bool refuse(latch_parser *p, const char *how, const latch_path *one, const latch_path *two, latch_fault *fault) {
    latch_str a = latch_path_text(p->arena, *one), b = latch_path_text(p->arena, *two);
    if (a.ptr == NULL || b.ptr == NULL) return latch_fault_full(fault);
    return latch_invalid(
        fault, p->arena,
        "Invalid %s: Two document paths %s with each other; must remove or rewrite one of these paths; path one: %.*s, path "
        "two: %.*s",
        p->kind, how, LATCH_ARG(a), LATCH_ARG(b));
}

/* Where the part is among its siblings, or where it belongs. */
static latch_path_node **find(latch_path_node *above, const latch_path_part *part, bool *found) {
    latch_path_node **at = &above->first;
    for (; *at != NULL; at = &(*at)->next) {
        *found = part->indexed ? (*at)->part->index == part->index : latch_str_eq((*at)->part->name, part->name);
        if (*found || (part->indexed && (*at)->part->index > part->index)) return at;
    }
    *found = false;
    return part->indexed ? at : &above->first;
}

bool latch_paths_add(latch_parser *p, latch_path_node *root, const latch_path *path, size_t place, latch_fault *fault) {
    latch_path_node *above = root;
    bool found = true;
    for (size_t i = 0; i < path->count; i++) {
        const latch_path_part *part = &path->parts[i];
        if (above->first != NULL && above->first->part->indexed != part->indexed) return refuse(p, "conflict", path, oldest(above), fault);
        latch_path_node **at = find(above, part, &found);
        if (!found) {
            latch_path_node *made = latch_arena_alloc(p->arena, sizeof *made);
            if (made == NULL) return latch_fault_full(fault);
            *made = (latch_path_node){.part = part, .next = *at};
            *at = made;
        }
        above = *at;
        if (above->path != NULL) return refuse(p, "overlap", path, above->path, fault);
    }
    if (found) return refuse(p, "overlap", path, oldest(above), fault);
    above->path = path;
    above->place = place;
    return true;
}

size_t latch_paths_below(const latch_path_node *node) {
    size_t count = 0;
    for (const latch_path_node *n = node->first; n != NULL; n = n->next)
        count++;
    return count;
}
