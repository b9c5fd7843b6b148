#include "runtime/route.h"

#include <string.h>

#include "runtime/coding.h"

#define SEGMENTS_MAX 32 /* of a route */

typedef enum kind { GREEDY, PARAM, LITERAL } kind; /* the more literal, the larger */

typedef struct segment {
    kind kind;
    latch_str text; /* the literal, or the name between the braces */
} segment;

/* The part up to the next slash; *rest begins behind it. */
static latch_str part_of(latch_str *rest) {
    const char *slash = rest->len > 0 ? memchr(rest->ptr, '/', rest->len) : NULL;
    latch_str part = {rest->ptr, slash != NULL ? (size_t)(slash - rest->ptr) : rest->len};
    size_t used = slash != NULL ? part.len + 1 : part.len;
    *rest = (latch_str){rest->ptr + used, rest->len - used};
    return part;
}

/* Without the slash in front, and without one at the end. */
static latch_str bare(latch_str path) {
    if (path.len > 0 && path.ptr[0] == '/') path = (latch_str){path.ptr + 1, path.len - 1};
    if (path.len > 1 && path.ptr[path.len - 1] == '/') path.len--;
    return path;
}

static segment segment_of(latch_str part) {
    bool param = part.len > 2 && part.ptr[0] == '{' && part.ptr[part.len - 1] == '}';
    if (!param) return (segment){LITERAL, part};
    bool greedy = part.ptr[part.len - 2] == '+';
    return (segment){greedy ? GREEDY : PARAM, {part.ptr + 1, part.len - (greedy ? 3 : 2)}};
}

/* ── before the first event ──────────────────────────────────────────────────────────────────────────────────────── */

static bool has_brace(latch_str s) { return s.len > 0 && (memchr(s.ptr, '{', s.len) != NULL || memchr(s.ptr, '}', s.len) != NULL); }

/* NULL, or what is wrong with the path. */
static const char *fault_of(const char *path) {
    latch_str names[SEGMENTS_MAX], rest = bare(latch_str_of(path));
    size_t count = 0;
    if (*path != '/') return "begins with no slash";
    while (rest.len > 0) {
        segment s = segment_of(part_of(&rest));
        if (s.text.len == 0) return "has an empty segment";
        if (has_brace(s.text)) return "has braces that are not around a whole segment";
        if (s.kind == GREEDY && rest.len > 0) return "has a {name+} before its end";
        if (count == SEGMENTS_MAX) return "has over 32 segments";
        for (size_t i = 0; i < count && s.kind != LITERAL; i++) {
            if (latch_str_eq(names[i], s.text)) return "has a {name} twice";
        }
        names[count++] = s.kind == LITERAL ? LATCH_STR("") : s.text;
    }
    return NULL;
}

static bool is_method(const char *method) {
    return method != NULL && *method != '\0' && method[strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

/* Whether both match the same paths. */
static bool same_shape(const char *a, const char *b) {
    latch_str one = bare(latch_str_of(a)), other = bare(latch_str_of(b));
    while (one.len > 0 && other.len > 0) {
        segment s = segment_of(part_of(&one)), t = segment_of(part_of(&other));
        if (s.kind != t.kind || (s.kind == LITERAL && !latch_str_eq(s.text, t.text))) return false;
    }
    return one.len == other.len;
}

#define BAD(...) latch_err_set(&cx->err, LATCH_E_MISUSE, __VA_ARGS__)

latch_status latch_route_check(latch_ctx *cx, const latch_handler *handler) {
    if (handler->route_count == 0) return BAD("the handler %s has no routes", handler->name);
    for (size_t i = 0; i < handler->route_count; i++) {
        const latch_route *r = &handler->routes[i];
        if (!is_method(r->method)) return BAD("the handler %s: routes[%zu] has no method such as GET", handler->name, i);
        if (r->path == NULL) return BAD("the handler %s: routes[%zu] has no path", handler->name, i);
        const char *fault = fault_of(r->path);
        if (fault != NULL) return BAD("the handler %s: the route %s %s %s", handler->name, r->method, r->path, fault);
        if (r->run == NULL) return BAD("the handler %s: the route %s %s has no function", handler->name, r->method, r->path);
        for (size_t k = 0; k < i; k++) {
            const latch_route *o = &handler->routes[k];
            if (strcmp(o->method, r->method) == 0 && same_shape(o->path, r->path))
                return BAD("the handler %s: the routes %s %s and %s match the same", handler->name, r->method, o->path, r->path);
        }
    }
    return LATCH_OK;
}

/* ── a request ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/* An escaped letter is that letter. Where the arena is full nothing is equal: the request ends in an error soon enough. */
static bool equals(latch_arena *arena, latch_str literal, latch_str part) {
    if (memchr(part.ptr, '%', part.len) == NULL) return latch_str_eq(literal, part);
    size_t mark = latch_arena_mark(arena);
    bool equal = latch_str_eq(literal, latch_percent_decode(arena, part, false));
    latch_arena_rewind(arena, mark);
    return equal;
}

/* Walks route and path side by side; *value is what stands for {name}, as it is in the path. */
static bool match(latch_arena *arena, const latch_route *route, latch_str path, const char *name, latch_str *value) {
    latch_str pattern = bare(latch_str_of(route->path));
    path = bare(path);
    bool open_ended = path.len > 0 && path.ptr[path.len - 1] == '/'; /* an empty segment comes last */
    while (pattern.len > 0) {
        segment s = segment_of(part_of(&pattern));
        latch_str rest = path, part = part_of(&path);
        if (part.len == 0) return false;
        if (s.kind == LITERAL && !equals(arena, s.text, part)) return false;
        if (s.kind == GREEDY) part = rest;
        if (s.kind != LITERAL && name != NULL && latch_str_eq(s.text, latch_str_of(name))) *value = part;
        if (s.kind == GREEDY) return true;
    }
    return path.len == 0 && !open_ended;
}

/* Of two routes that match one path: whether `a` is the more literal one, from the left. */
static bool beats(const latch_route *a, const latch_route *b) {
    latch_str one = bare(latch_str_of(a->path)), other = bare(latch_str_of(b->path));
    while (one.len > 0 && other.len > 0) {
        kind s = segment_of(part_of(&one)).kind, t = segment_of(part_of(&other)).kind;
        if (s != t) return s > t;
    }
    return false;
}

/* How well a route's method suits: 3 its own, 2 GET for HEAD, 1 ANY, 0 not at all. */
static int suits(const latch_route *route, latch_str method) {
    latch_str own = latch_str_of(route->method);
    if (latch_str_eq(own, method)) return 3;
    if (latch_str_eq(own, LATCH_STR("GET")) && latch_str_eq(method, LATCH_STR("HEAD"))) return 2;
    return latch_str_eq(own, LATCH_STR("ANY")) ? 1 : 0;
}

static bool is_listed(const char *list, const char *method) {
    size_t len = strlen(method);
    for (const char *at = list; (at = strstr(at, method)) != NULL; at += len) {
        if ((at == list || at[-1] == ' ') && (at[len] == ',' || at[len] == '\0')) return true;
    }
    return false;
}

static bool add_method(latch_ctx *cx, latch_str *allow, const char *method) {
    if (allow->len > 0 && is_listed(allow->ptr, method)) return true;
    *allow = latch_ctx_text(cx, "%.*s%s%s", LATCH_ARG(*allow), allow->len > 0 ? ", " : "", method);
    return allow->ptr != NULL;
}

latch_status latch_route_find(latch_ctx *cx, const latch_handler *handler, latch_str method, latch_str path, latch_route_found *out) {
    int best = 0;
    bool fits = true;
    *out = (latch_route_found){.allow = LATCH_STR("")};
    for (size_t i = 0; i < handler->route_count; i++) {
        const latch_route *route = &handler->routes[i];
        if (!match(cx->arena, route, path, NULL, NULL)) continue;
        fits = fits && add_method(cx, &out->allow, route->method);
        if (strcmp(route->method, "GET") == 0) fits = fits && add_method(cx, &out->allow, "HEAD");
        int suit = suits(route, method);
        if (suit == 0) continue;
        if (out->route != NULL && (beats(out->route, route) || (!beats(route, out->route) && suit < best))) continue;
        out->route = route;
        best = suit;
    }
    if (!fits) return latch_err_set(&cx->err, LATCH_E_NOMEM, "routes: the arena is full");
    out->without_body = best == 2;
    if (out->route != NULL) out->allow = LATCH_STR("");
    return LATCH_OK;
}

latch_str latch_route_param(latch_arena *arena, const latch_route *route, latch_str path, const char *name) {
    latch_str value = {"", 0};
    if (!match(arena, route, path, name, &value)) return LATCH_STR("");
    value = latch_percent_decode(arena, value, false);
    return value.ptr != NULL ? value : LATCH_STR("");
}
