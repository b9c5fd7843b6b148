#include "runtime/route.h"

#include <string.h>

#include "core/coding.h"

#define SEGMENTS_MAX LATCH_ROUTE_SEGMENTS_MAX

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

/* Walks route and path side by side. */
static bool match(const latch_route *route, latch_route_path request) {
    latch_str pattern = bare(latch_str_of(route->path)), path = bare(request.text);
    bool open_ended = path.len > 0 && path.ptr[path.len - 1] == '/'; /* an empty segment comes last */
    while (pattern.len > 0) {
        segment s = segment_of(part_of(&pattern));
        latch_str part = part_of(&path);
        if (part.len == 0) return false;
        if (s.kind == GREEDY) return true;
        if (s.kind == PARAM) continue;
        bool same = request.encoded ? latch_percent_is(part, false, s.text) : latch_str_eq(s.text, part);
        if (!same) return false;
    }
    return path.len == 0 && !open_ended;
}

/* What the names of a route that matches stand for. False: the arena is full. */
static bool read_params(latch_arena *arena, latch_route_path request, latch_route_found *out) {
    latch_str pattern = bare(latch_str_of(out->route->path)), path = bare(request.text);
    while (pattern.len > 0) {
        segment s = segment_of(part_of(&pattern));
        latch_str rest = path, value = part_of(&path);
        if (s.kind == LITERAL) continue;
        if (s.kind == GREEDY) value = rest;
        if (request.encoded) value = latch_percent_decode(arena, value, false);
        if (value.ptr == NULL) return false;
        out->params[out->param_count++] = (latch_route_value){s.text, value};
    }
    return true;
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

latch_status latch_route_find(latch_ctx *cx, const latch_handler *handler, latch_str method, latch_route_path path,
                              latch_route_found *out) {
    int best = 0;
    bool fits = true;
    *out = (latch_route_found){.allow = LATCH_STR("")};
    for (size_t i = 0; i < handler->route_count; i++) {
        const latch_route *route = &handler->routes[i];
        if (!match(route, path)) continue;
        fits = fits && add_method(cx, &out->allow, route->method);
        if (strcmp(route->method, "GET") == 0) fits = fits && add_method(cx, &out->allow, "HEAD");
        int suit = suits(route, method);
        if (suit == 0) continue;
        if (out->route != NULL && (beats(out->route, route) || (!beats(route, out->route) && suit < best))) continue;
        out->route = route;
        best = suit;
    }
    out->without_body = best == 2;
    if (out->route != NULL) fits = fits && read_params(cx->arena, path, out);
    if (!fits) return latch_err_set(&cx->err, LATCH_E_NOMEM, "routes: the arena is full");
    if (out->route != NULL) out->allow = LATCH_STR("");
    return LATCH_OK;
}

latch_str latch_route_param(const latch_route_found *found, const char *name) {
    for (size_t i = 0; i < found->param_count; i++) {
        if (latch_str_eq(found->params[i].name, latch_str_of(name))) return found->params[i].value;
    }
    return LATCH_STR("");
}

/* ── a REST API behind a custom domain ───────────────────────────────────────────────────────────────────────────── */

/* The part behind the last slash; *rest ends before it. */
static latch_str last_part(latch_str *rest) {
    const char *slash = rest->len > 0 ? memrchr(rest->ptr, '/', rest->len) : NULL;
    size_t from = slash != NULL ? (size_t)(slash - rest->ptr) : 0, skip = slash != NULL;
    latch_str part = {rest->ptr + from + skip, rest->len - from - skip};
    rest->len = from;
    return part;
}

/* As many last parts as `value` has; empty where they are another text. */
static latch_str last_parts(latch_str *rest, latch_str value) {
    latch_str whole = *rest;
    for (size_t i = 0; i < value.len; i++) {
        if (i == 0 || value.ptr[i] == '/') (void)last_part(rest);
    }
    if (rest->len == whole.len) return LATCH_STR("");
    latch_str part = {whole.ptr + rest->len + 1, whole.len - rest->len - 1};
    return latch_str_eq(part, value) || latch_percent_is(part, false, value) ? part : LATCH_STR("");
}

static latch_str value_of(latch_json values, latch_str name) {
    for (latch_each each = latch_each_in(values); latch_each_next(&each);) {
        if (!latch_str_eq(each.name, name)) continue;
        latch_str value = latch_each_text(&each);
        if (value.len > 1 && value.ptr[value.len - 1] == '/') value.len--;
        return value;
    }
    return LATCH_STR("");
}

latch_str latch_route_without_base(latch_str resource, latch_json values, latch_str path) {
    latch_str pattern = resource, rest = path;
    if (resource.len == 0 || resource.ptr[0] != '/' || path.len == 0 || path.ptr[0] != '/') return path;
    if (rest.ptr[rest.len - 1] == '/') rest.len--;
    if (pattern.ptr[pattern.len - 1] == '/') pattern.len--;
    while (pattern.len > 0) {
        segment s = segment_of(last_part(&pattern));
        latch_str part = s.kind == GREEDY ? last_parts(&rest, value_of(values, s.text)) : last_part(&rest);
        bool same = part.len > 0 && (s.kind != LITERAL || latch_str_eq(part, s.text) || latch_percent_is(part, false, s.text));
        if (!same) return path;
    }
    return rest.len < path.len ? (latch_str){path.ptr + rest.len, path.len - rest.len} : LATCH_STR("/");
}
