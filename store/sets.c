#include "store/sets.h"

#include <inttypes.h>
#include <string.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "core/node.h"
#include "store/pkv_private.h"
#include "store/wait.h"

#define PAUSE_MS 10
#define PAUSE_MOST_MS 250

/*
 * By what was read: md5 and ver where there is an md5, else the data itself, else that there is nothing. An item of the model's has no ver;
 * one without data is a counter's, or half-written, and holds no set yet.
 */
static const char if_seen[] = "#md5 = :seen_md5 AND #ver = :seen_ver";
static const char if_seen_without_ver[] = "#md5 = :seen_md5 AND attribute_not_exists(#ver)";
static const char if_same_data[] = "#data = :seen_data AND attribute_not_exists(#md5) AND #ver = :seen_ver";
static const char if_same_data_without_ver[] = "#data = :seen_data AND attribute_not_exists(#md5) AND attribute_not_exists(#ver)";
static const char if_no_data[] = "attribute_not_exists(#data)";
static const char if_no_item[] = "attribute_not_exists(#pk)";

typedef struct element {
    latch_json json;
    latch_str canon; /* empty where a rule compares */
    uint32_t hash;   /* of that: each is compared with each */
} element;

typedef struct change {
    const latch_pkv *pkv;
    latch_keyed_item item;
    const element *given;
    size_t given_count;
    const latch_set_rule *rule; /* NULL: by their canonical texts */
    latch_set_match_fn *match;  /* NULL: what equals one that is given */
    void *arg;
    bool adds, removes; /* both: an update */
} change;

typedef struct seen { /* what the item said */
    bool item, data, md5, ver;
    latch_str text, md5_text, ver_text;
} seen;

typedef struct next { /* what it is to say */
    latch_pkv_write write;
    latch_set_change counts;
    bool changed;
} next;

static latch_status full(latch_ctx *cx) { return latch_err_set(&cx->err, LATCH_E_NOMEM, "set: the arena is full"); }

/* ── elements ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* FNV-1a. */
static uint32_t hash_of(latch_str s) {
    uint32_t hash = 2166136261;
    for (size_t i = 0; i < s.len; i++)
        hash = (hash ^ (uint8_t)s.ptr[i]) * 16777619;
    return hash;
}

static latch_status elements_of(latch_ctx *cx, latch_json list, bool canonical, element **out, size_t *count) {
    size_t n = latch_count(list), i = 0;
    element *made = latch_arena_alloc(cx->arena, (n + 1) * sizeof *made);
    *out = made;
    *count = n;
    if (made == NULL) return full(cx);
    for (latch_each each = latch_each_in(list); latch_each_next(&each); i++) {
        made[i] = (element){.json = latch_each_value(&each)};
        if (canonical) LATCH_TRY(latch_canon_text(cx, made[i].json, &made[i].canon));
        made[i].hash = hash_of(made[i].canon);
    }
    return i == n ? LATCH_OK : full(cx);
}

static latch_status read_given(latch_ctx *cx, change *c, latch_value given, bool one) {
    latch_text_writer t = latch_text_begin(cx->arena);
    latch_json parsed;
    element *made;
    latch_text_value(&t, given, false);
    latch_str text = latch_text_end(&t);
    if (text.ptr == NULL) return latch_err_set(&cx->err, t.failed, "set: the element: %s", t.why);
    if (one || text.ptr[0] != '[') text = latch_ctx_text(cx, "[%.*s]", LATCH_ARG(text));
    if (text.ptr == NULL) return full(cx);
    LATCH_TRY(latch_json_parse(cx, LATCH_E_MISUSE, "element", text, &parsed));
    LATCH_TRY(elements_of(cx, parsed, true, &made, &c->given_count));
    c->given = made;
    return LATCH_OK;
}

static bool same(const change *c, const element *a, const element *given) {
    if (c->rule != NULL) return c->rule->same(c->rule->arg, a->json, given->json);
    return a->hash == given->hash && latch_str_eq(a->canon, given->canon);
}

static bool is_among(const change *c, const element *of, size_t count, const element *given) {
    for (size_t i = 0; i < count; i++)
        if (same(c, &of[i], given)) return true;
    return false;
}

/* In an update what equals the new element goes too: it comes back at the end, once, also when a lost try was applied. */
static bool goes(const change *c, const element *e) {
    if (!c->removes) return false;
    if (c->match != NULL && c->match(c->arg, e->json)) return true;
    for (size_t i = 0; i < c->given_count; i++)
        if (same(c, e, &c->given[i])) return true;
    return false;
}

/* ── what the set is to be ──────────────────────────────────────────────────────────────────────────────────────────────── */

static void put_element(latch_text_writer *t, const element *e) {
    if (t->len > 1) latch_text_char(t, ',');
    latch_text_json(t, e->json);
}

/* What is given, and neither there nor given before, comes behind; in an update it does whatever was there. */
static void put_added(const change *c, latch_text_writer *t, const element *had, size_t had_count, latch_set_change *counts) {
    for (size_t i = 0; c->adds && i < c->given_count; i++) {
        bool again = is_among(c, c->given, i, &c->given[i]);
        bool there = !c->removes && is_among(c, had, had_count, &c->given[i]);
        counts->present += there && !again;
        if (there || again) continue;
        put_element(t, &c->given[i]);
        counts->added++;
    }
}

static void count_absent(const change *c, const element *had, size_t had_count, latch_set_change *counts) {
    for (size_t i = 0; !c->adds && c->match == NULL && i < c->given_count; i++)
        counts->absent += !is_among(c, had, had_count, &c->given[i]) && !is_among(c, c->given, i, &c->given[i]);
}

static latch_status fingerprint(latch_ctx *cx, next *out) {
    latch_json list;
    size_t mark = latch_arena_mark(cx->arena);
    if (out->write.data.len > LATCH_VALUE_MAX_BYTES)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "set: it would have %zu bytes as JSON, want at most %zu", out->write.data.len,
                             LATCH_VALUE_MAX_BYTES);
    LATCH_TRY(latch_json_parse(cx, LATCH_E_DATA, "data", out->write.data, &list));
    LATCH_TRY(latch_canon_md5(cx, list, out->write.md5));
    latch_arena_rewind(cx->arena, mark);
    out->write.ver = latch_uuid(cx); /* of this write alone: that of one which was refused may yet come */
    return out->write.ver.ptr != NULL ? LATCH_OK : full(cx);
}

static latch_status read_set(latch_ctx *cx, const change *c, const seen *s, element **out, size_t *count) {
    latch_json list = {cx, NULL};
    if (s->data) LATCH_TRY(latch_keyed_blame(cx, &c->item, latch_json_parse(cx, LATCH_E_DATA, "data", s->text, &list)));
    if (s->data && s->text.ptr[strspn(s->text.ptr, " \t\r\n")] != '[')
        return latch_err_set(&cx->err, LATCH_E_DATA, "%.*s, %.*s: what is stored is no list", LATCH_ARG(c->item.pk), LATCH_ARG(c->item.sk));
    return elements_of(cx, list, c->rule == NULL && c->given_count > 0, out, count);
}

static latch_status work_out(latch_ctx *cx, const change *c, const seen *s, next *out) {
    element *had;
    size_t had_count, kept = 0;
    *out = (next){.changed = false};
    LATCH_TRY(read_set(cx, c, s, &had, &had_count));
    latch_text_writer t = latch_text_begin(cx->arena);
    latch_text_char(&t, '[');
    for (size_t i = 0; i < had_count; i++) {
        if (goes(c, &had[i])) continue;
        put_element(&t, &had[i]);
        kept++;
    }
    out->counts.removed = had_count - kept;
    put_added(c, &t, had, had_count, &out->counts);
    count_absent(c, had, had_count, &out->counts);
    latch_text_char(&t, ']');
    out->counts.size = kept + out->counts.added;
    out->changed = out->counts.added > 0 || out->counts.removed > 0;
    out->write.data = latch_text_end(&t);
    if (out->write.data.ptr == NULL) return latch_err_set(&cx->err, t.failed, "set: %s", t.why);
    return out->changed ? fingerprint(cx, out) : LATCH_OK;
}

/* ── requests ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status read_item(latch_json item, seen *out) {
    *out = (seen){.item = item.node != NULL};
    if (!out->item) return LATCH_OK;
    out->data = latch_item_has(item, "data");
    out->md5 = latch_item_has(item, "md5");
    out->ver = latch_item_has(item, "ver");
    if (out->data) LATCH_TRY(latch_item_text(item, "data", &out->text));
    if (out->md5) LATCH_TRY(latch_item_text(item, "md5", &out->md5_text));
    return out->ver ? latch_item_text(item, "ver", &out->ver_text) : LATCH_OK;
}

static latch_status look(latch_ctx *cx, const change *c, seen *out) {
    latch_json item;
    LATCH_TRY(latch_pkv_call(cx, c->pkv, &c->item, &(latch_request){.operation = LATCH_GET_ITEM}, &item));
    return read_item(item, out);
}

static const char *condition_on(const seen *s) {
    if (!s->item) return if_no_item;
    if (!s->data) return if_no_data;
    if (s->md5) return s->ver ? if_seen : if_seen_without_ver;
    return s->ver ? if_same_data : if_same_data_without_ver;
}

/* *applied, or what stands there instead in *s. */
static latch_status put(latch_ctx *cx, const change *c, const next *n, seen *s, bool *applied) {
    latch_json item;
    bool refused;
    latch_request r = {.operation = LATCH_UPDATE_ITEM,
                       .update = latch_pkv_update,
                       .condition = condition_on(s),
                       .values = LATCH_VALUES(":data", n->write.data, ":md5", (const char *)n->write.md5, ":ver", n->write.ver, ":seen_md5",
                                              s->md5_text, ":seen_ver", s->ver_text, ":seen_data", s->text),
                       .returns = LATCH_RETURNS_REFUSED,
                       .repeatable = true};
    *applied = false;
    LATCH_TRY_BUT(LATCH_CONFLICT, refused, latch_pkv_call(cx, c->pkv, &c->item, &r, &item));
    *applied = !refused;
    if (!refused) return LATCH_OK;
    LATCH_TRY(read_item(item, s));
    *applied = latch_str_eq(s->ver_text, n->write.ver);
    return LATCH_OK;
}

/* *applied: it is as asked for, and `n` says how. Else another came between, and *s is what it made. */
static latch_status try_once(latch_ctx *cx, const change *c, seen *s, next *n, bool *applied) {
    *applied = false;
    if (c->adds && c->removes && !s->data)
        return latch_err_set(&cx->err, LATCH_MISSING, "%.*s, %.*s: there is no such set", LATCH_ARG(c->item.pk), LATCH_ARG(c->item.sk));
    LATCH_TRY(work_out(cx, c, s, n));
    *applied = !n->changed;
    return n->changed ? put(cx, c, n, s, applied) : LATCH_OK;
}

/* A refusal shows the set as it is, so the next try goes by that at once; whoever is refused again waits, for a while that grows. */
static latch_status look_again(latch_ctx *cx, const change *c, latch_wait *wait, size_t mark, size_t conflicts, seen *s) {
    if (conflicts == 1) return LATCH_OK;
    if (conflicts >= LATCH_SET_TRIES_MAX || !latch_wait_more(cx, wait, 0))
        return latch_err_set(&cx->err, LATCH_CONFLICT, "%.*s, %.*s: changed by others before each of %zu tries", LATCH_ARG(c->item.pk),
                             LATCH_ARG(c->item.sk), conflicts);
    latch_arena_rewind(cx->arena, mark);
    return look(cx, c, s);
}

/* What a try left open stays so, whatever the next one meets. */
static latch_status apply(latch_ctx *cx, const change *c, latch_set_change *out) {
    latch_wait wait = latch_wait_begin(cx, LATCH_SPAN_MS_MAX, PAUSE_MS, PAUSE_MOST_MS);
    bool unsure = false;
    size_t mark = latch_arena_mark(cx->arena), conflicts = 0;
    seen s;
    LATCH_TRY(look(cx, c, &s));
    for (;;) {
        next n;
        bool applied;
        latch_status status = try_once(cx, c, &s, &n, &applied);
        if (applied) {
            *out = n.counts;
            out->conflicts = conflicts;
            out->unsure = unsure;
            return LATCH_OK;
        }
        unsure = unsure || cx->err.maybe_applied;
        if (status == LATCH_OK) status = look_again(cx, c, &wait, mark, ++conflicts, &s);
        if (status == LATCH_OK) continue;
        cx->err.maybe_applied = unsure;
        return status;
    }
}

static latch_status find(latch_ctx *cx, const latch_pkv *pkv, latch_pkv_key key, change *c) {
    const latch_keyed k = latch_pkv_keyed(pkv);
    c->pkv = pkv;
    return latch_keyed_find_two(cx, &k, key, &c->item);
}

latch_status latch_pkv_add_to_set_(latch_ctx *cx, const latch_pkv *pkv, latch_pkv_key key, latch_value given, const latch_set_rule *rule,
                                   latch_set_change *out) {
    change c = {.rule = rule != NULL && rule->same != NULL ? rule : NULL, .adds = true};
    *out = (latch_set_change){0};
    LATCH_TRY(find(cx, pkv, key, &c));
    LATCH_TRY(read_given(cx, &c, given, false));
    return apply(cx, &c, out);
}

latch_status latch_pkv_remove_from_set_(latch_ctx *cx, const latch_pkv *pkv, latch_pkv_key key, latch_value given,
                                        const latch_set_rule *rule, latch_set_change *out) {
    change c = {.rule = rule != NULL && rule->same != NULL ? rule : NULL, .removes = true};
    *out = (latch_set_change){0};
    LATCH_TRY(find(cx, pkv, key, &c));
    LATCH_TRY(read_given(cx, &c, given, false));
    return apply(cx, &c, out);
}

latch_status latch_pkv_remove_from_set_if(latch_ctx *cx, const latch_pkv *pkv, latch_pkv_key key, latch_set_match_fn *match, void *arg,
                                          latch_set_change *out) {
    change c = {.match = match, .arg = arg, .removes = true};
    *out = (latch_set_change){0};
    LATCH_TRY(find(cx, pkv, key, &c));
    return apply(cx, &c, out);
}

latch_status latch_pkv_update_in_set_(latch_ctx *cx, const latch_pkv *pkv, latch_pkv_key key, latch_value given, latch_set_match_fn *match,
                                      void *arg, latch_set_change *out) {
    change c = {.match = match, .arg = arg, .adds = true, .removes = true};
    *out = (latch_set_change){0};
    LATCH_TRY(find(cx, pkv, key, &c));
    LATCH_TRY(read_given(cx, &c, given, true));
    return apply(cx, &c, out);
}

latch_status latch_pkv_exists_in_set_(latch_ctx *cx, const latch_pkv *pkv, latch_pkv_key key, latch_value given, const latch_set_rule *rule,
                                      bool *out) {
    change c = {.rule = rule != NULL && rule->same != NULL ? rule : NULL};
    element *had;
    size_t count;
    seen s;
    *out = false;
    LATCH_TRY(find(cx, pkv, key, &c));
    LATCH_TRY(read_given(cx, &c, given, true));
    LATCH_TRY(look(cx, &c, &s));
    LATCH_TRY(read_set(cx, &c, &s, &had, &count));
    *out = is_among(&c, had, count, c.given);
    return LATCH_OK;
}
