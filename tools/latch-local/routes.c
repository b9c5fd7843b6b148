#include "routes.h"

#include <string.h>

#include "url.h"

typedef enum kind { GREEDY = '0', PARAMETER = '1', LITERAL = '2' } kind; /* in the order of their ranks */

/* "{name}", "{name+}" or a literal; *out is the name or the literal. */
static kind kind_of(latch_str segment, latch_str *out) {
    *out = segment;
    if (segment.len < 3 || segment.ptr[0] != '{' || segment.ptr[segment.len - 1] != '}') return LITERAL;
    bool greedy = segment.ptr[segment.len - 2] == '+';
    *out = (latch_str){segment.ptr + 1, segment.len - 2 - greedy};
    return greedy ? GREEDY : PARAMETER;
}

static bool is_literal(latch_str wanted, latch_str sent) {
    latch_buffer decoded = {0};
    latch_url_decode(&decoded, sent, false);
    bool same = latch_str_eq(wanted, latch_buffer_str(&decoded));
    latch_buffer_clean_up(&decoded);
    return same;
}

static void set_param(latch_variables *params, latch_str name, latch_str sent) {
    latch_buffer decoded = {0};
    latch_url_decode(&decoded, sent, false);
    latch_variables_set(params, name, latch_buffer_str(&decoded));
    latch_buffer_clean_up(&decoded);
}

/* Adds a letter a segment to *rank, so that the larger text is the more specific route. */
static bool match_path(latch_str route, latch_str path, latch_variables *params, latch_buffer *rank) {
    latch_str wanted, sent, name;
    while (latch_url_next(&route, '/', &wanted)) {
        kind k = kind_of(wanted, &name);
        char letter = (char)k;
        latch_buffer_add(rank, &letter, 1);
        if (k == GREEDY) {
            if (path.len > 0) set_param(params, name, path);
            return path.len > 0;
        }
        if (!latch_url_next(&path, '/', &sent)) return false;
        if (k == LITERAL ? !is_literal(name, sent) : sent.len == 0) return false;
        if (k == PARAMETER) set_param(params, name, sent);
    }
    return path.ptr == NULL;
}

static bool match_route(const latch_route *route, const char *method, latch_str path, latch_variables *params, latch_buffer *rank) {
    bool any = strcmp(route->method, "ANY") == 0;
    if (!any && strcmp(route->method, method) != 0) return false;
    latch_buffer_add(rank, "", 0);
    if (route->path != NULL && !match_path(latch_str_of(route->path), path, params, rank)) return false;
    latch_buffer_text(rank, any ? "." : "/"); /* both before the letters: a longer route is never the less specific one */
    return true;
}

size_t latch_routes_find(const latch_template *t, const char *method, latch_str path, latch_variables *params) {
    size_t best = LATCH_NO_ROUTE;
    latch_buffer best_rank = {0};
    *params = (latch_variables){0};
    for (size_t i = 0; i < t->route_count; i++) {
        latch_variables found = {0};
        latch_buffer rank = {0};
        if (match_route(&t->routes[i], method, path, &found, &rank) && (best == LATCH_NO_ROUTE || strcmp(rank.ptr, best_rank.ptr) > 0)) {
            latch_variables previous = *params;
            latch_buffer previous_rank = best_rank;
            best = i;
            *params = found, found = previous;
            best_rank = rank, rank = previous_rank;
        }
        latch_variables_clean_up(&found);
        latch_buffer_clean_up(&rank);
    }
    latch_buffer_clean_up(&best_rank);
    return best;
}
