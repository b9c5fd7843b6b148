#include "store/tree.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "core/text.h"
#include "store/bulk.h"
#include "store/client.h"
#include "store/crew.h"
#include "store/marshal.h"
#include "store/table.h"

#define SLOT_BYTES ((size_t)64 << 20)
#define FLAT_DEPTH_MAX 1000
#define ID_MAX_BYTES 2048
#define NOWHERE SIZE_MAX

typedef struct node {   /* by its place in the list of all, in which the levels follow each other */
    latch_str id, text; /* the plain item; in the caller's arena */
    size_t parent, first, last, next;
    int depth;
    bool gone;
} node;

typedef struct child { /* as a query found it; in the caller's arena */
    latch_str id, text;
    struct child *next;
} child;

typedef struct children { /* of one parent, in the query's order */
    child *first, *last;
} children;

typedef struct tree {
    latch_ctx *cx;
    const latch_dynamodb_tree_request *r;
    latch_dynamodb_tree *out;
    const char *table, *key, *parent, *index;
    size_t max_nodes;
    int max_depth;
    int64_t until_at_ms;
    node *nodes;
    size_t count, room;
    size_t *places, places_room; /* ids to nodes: 1 + place; 0: empty */
    latch_crew *crew;
    latch_crew_slot *callers; /* the slot of what the caller's thread does itself */

    size_t from, to; /* the level that is read: its nodes */
    children *found; /* of each of them */
    atomic_size_t next, read;
    pthread_mutex_t mutex; /* over the caller's arena, and what follows */
    latch_status failed;
    latch_err err;
} tree;

typedef struct job {
    tree *of;
} job;

/* ── nodes ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static uint64_t hash_of(latch_str id) {
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < id.len; i++)
        h = (h ^ (unsigned char)id.ptr[i]) * UINT64_C(0x100000001b3);
    return h ^ (h >> 32);
}

/* Where the id's node is written down, or would be. */
static size_t *place_of(tree *t, latch_str id) {
    size_t mask = t->places_room - 1, at = (size_t)hash_of(id) & mask;
    while (t->places[at] != 0 && !latch_str_eq(t->nodes[t->places[at] - 1].id, id))
        at = (at + 1) & mask;
    return &t->places[at];
}

static latch_status no_memory(tree *t) { return latch_err_set(&t->cx->err, LATCH_E_NOMEM, "tree: no memory for %zu nodes", t->count); }

static latch_status make_room(tree *t) {
    if (t->count < t->room) return LATCH_OK;
    size_t room = t->room > 0 ? 2 * t->room : 64;
    node *nodes = realloc(t->nodes, room * sizeof *nodes);
    if (nodes == NULL) return no_memory(t);
    t->nodes = nodes;
    size_t *places = calloc(2 * room, sizeof *places);
    if (places == NULL) return no_memory(t);
    free(t->places);
    t->places = places;
    t->places_room = 2 * room;
    t->room = room;
    for (size_t i = 0; i < t->count; i++)
        *place_of(t, t->nodes[i].id) = i + 1;
    return LATCH_OK;
}

/* Whether the id stands above this node, or is the node's own. */
static bool is_above(const tree *t, size_t at, latch_str id) {
    for (; at != NOWHERE; at = t->nodes[at].parent)
        if (latch_str_eq(t->nodes[at].id, id)) return true;
    return false;
}

/* A node more, under its parent; one that is there already is counted, and not added. `id` and `text` are in the caller's arena. */
static latch_status add_node(tree *t, size_t parent, latch_str id, latch_str text) {
    LATCH_TRY(make_room(t));
    size_t *place = place_of(t, id);
    if (*place != 0) {
        bool above = is_above(t, parent, id);
        t->out->cycles += above;
        t->out->shared += !above;
        return LATCH_OK;
    }
    if (t->count == t->max_nodes) {
        t->out->cut = true;
        return LATCH_OK;
    }
    int depth = parent == NOWHERE ? 0 : t->nodes[parent].depth + 1;
    t->nodes[t->count] =
        (node){.id = id, .text = text, .parent = parent, .first = NOWHERE, .last = NOWHERE, .next = NOWHERE, .depth = depth};
    *place = ++t->count;
    if (parent == NOWHERE) return LATCH_OK;
    node *p = &t->nodes[parent];
    if (p->first == NOWHERE) {
        p->first = t->count - 1;
    } else {
        t->nodes[p->last].next = t->count - 1;
    }
    p->last = t->count - 1;
    return LATCH_OK;
}

/* An error of what the caller's thread did with its slot is the caller's. */
static latch_status hand_over(tree *t, latch_status status) {
    if (status != LATCH_OK) t->cx->err = t->callers->cx.err;
    return status;
}

static latch_status full(latch_ctx *cx) { return latch_err_set(&cx->err, LATCH_E_NOMEM, "tree: the arena is full"); }

/* ── requests ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void put_id(latch_text_writer *w, const tree *t, latch_str id) {
    latch_text_put(w, t->r->numbers ? LATCH_STR("{\"N\":") : LATCH_STR("{\"S\":"));
    latch_text_json_string(w, id);
    latch_text_char(w, '}');
}

static latch_status ask(tree *t, latch_ctx *cx, const char *operation, latch_text_writer *w, latch_answer *answer) {
    latch_client_put_capacity(cx, w);
    latch_text_char(w, '}');
    latch_str request = latch_text_end(w);
    if (request.ptr == NULL) return latch_err_set(&cx->err, w->failed, "tree: %s", w->why);
    const latch_call call = {
        .operation = operation, .request = request, .deadline_at_ms = t->until_at_ms, .item = *operation == 'G', .reads = true};
    latch_status status = latch_client_call(cx, &call, answer);
    pthread_mutex_lock(&t->mutex);
    t->out->requests += (uint64_t)answer->tries;
    pthread_mutex_unlock(&t->mutex);
    return status;
}

/* The plain item's text, and its id, in cx's arena. */
static latch_status read_item(tree *t, latch_ctx *cx, latch_json attributes, latch_str *id, latch_str *text) {
    latch_json item;
    latch_status status = LATCH_E_DATA;
    LATCH_TRY(latch_unmarshal_item(cx, attributes, &item));
    LATCH_TRY(latch_json_text(cx, item, text));
    *id = LATCH_STR("");
    for (latch_each each = latch_each_in(attributes); id->len == 0 && latch_each_next(&each);) {
        if (!latch_str_eq(each.name, latch_str_of(t->key))) continue;
        status = latch_read_(latch_each_value(&each),
                             (const latch_field[]){{t->r->numbers ? "N" : "S", latch_i_str_(id)}, {NULL, latch_i_str_(NULL)}});
    }
    if (id->len > 0 || status == LATCH_E_NOMEM) return status;
    return latch_err_set(&cx->err, LATCH_E_DATA, "tree: an item of table %s has no %s in the attribute %s", t->table,
                         t->r->numbers ? "number" : "text", t->key);
}

/* Into the caller's memory, whoever's thread this is. */
static latch_status keep_texts(tree *t, latch_ctx *cx, latch_str *id, latch_str *text) {
    *id = latch_arena_copy(t->cx->arena, *id);
    *text = latch_arena_copy(t->cx->arena, *text);
    return id->ptr != NULL && text->ptr != NULL ? LATCH_OK : full(cx);
}

/* ,"sk": */
static void put_sort_key(latch_text_writer *w, const tree *t) {
    latch_text_char(w, ',');
    latch_text_json_string(w, latch_str_of(t->r->sort_key));
    latch_text_char(w, ':');
}

static latch_status read_root(tree *t) {
    latch_ctx *cx = &t->callers->cx;
    latch_answer answer;
    latch_json item;
    latch_str id, text;
    latch_text_writer w = latch_text_begin(cx->arena);
    latch_text_put(&w, LATCH_STR("{\"TableName\":"));
    latch_text_json_string(&w, latch_str_of(t->table));
    latch_text_put(&w, LATCH_STR(",\"ConsistentRead\":true,\"Key\":{"));
    latch_text_json_string(&w, latch_str_of(t->key));
    latch_text_char(&w, ':');
    put_id(&w, t, t->r->root);
    if (t->r->sort_key != NULL) {
        put_sort_key(&w, t);
        latch_text_put(&w, LATCH_STR("{\"S\":"));
        latch_text_json_string(&w, latch_str_of(t->r->sort));
        latch_text_char(&w, '}');
    }
    latch_text_char(&w, '}');
    LATCH_TRY(ask(t, cx, "GetItem", &w, &answer));
    LATCH_TRY(latch_read(answer.body, "Item", latch_optional(&item)));
    t->out->found = item.node != NULL;
    if (!t->out->found) return LATCH_OK;
    LATCH_TRY(read_item(t, cx, item, &id, &text));
    LATCH_TRY(keep_texts(t, cx, &id, &text));
    latch_status status = add_node(t, NOWHERE, id, text);
    if (status != LATCH_OK) cx->err = t->cx->err;
    return status; /* the slot's error, as all that fails above */
}

/* ── a level by queries: on several threads ─────────────────────────────────────────────────────────────────────────────── */

/* {"TableName":…,"IndexName":…,"KeyConditionExpression":"#p = :p",…,"Limit":…}; no more is asked for than may still be read, and one. */
static void put_query(latch_text_writer *w, const tree *t, latch_str id, latch_str start, size_t limit) {
    latch_text_put(w, LATCH_STR("{\"TableName\":"));
    latch_text_json_string(w, latch_str_of(t->table));
    latch_text_put(w, LATCH_STR(",\"IndexName\":"));
    latch_text_json_string(w, latch_str_of(t->index));
    latch_text_put(w, LATCH_STR(",\"KeyConditionExpression\":\"#p = :p\",\"ExpressionAttributeNames\":{\"#p\":"));
    latch_text_json_string(w, latch_str_of(t->parent));
    latch_text_put(w, LATCH_STR("},\"ExpressionAttributeValues\":{\":p\":"));
    put_id(w, t, id);
    latch_text_put(w, LATCH_STR("},\"Limit\":"));
    latch_text_uint(w, limit);
    if (start.len > 0) latch_text_put(w, LATCH_STR(",\"ExclusiveStartKey\":"));
    latch_text_put(w, start);
}

static latch_status keep_child(tree *t, latch_ctx *cx, size_t parent, latch_str id, latch_str text) {
    children *of = &t->found[parent - t->from];
    child *c = latch_arena_alloc(t->cx->arena, sizeof *c);
    if (c == NULL) return full(cx);
    *c = (child){.id = id, .text = text};
    LATCH_TRY(keep_texts(t, cx, &c->id, &c->text));
    if (of->first == NULL) {
        of->first = c;
    } else {
        of->last->next = c;
    }
    of->last = c;
    atomic_fetch_add(&t->read, 1);
    return LATCH_OK;
}

static latch_status keep_page(tree *t, latch_ctx *cx, size_t parent, latch_json items) {
    for (latch_each each = latch_each_in(items); latch_each_next(&each);) {
        latch_str id, text;
        LATCH_TRY(read_item(t, cx, latch_each_value(&each), &id, &text));
        pthread_mutex_lock(&t->mutex);
        latch_status status = keep_child(t, cx, parent, id, text);
        pthread_mutex_unlock(&t->mutex);
        LATCH_TRY(status);
    }
    return LATCH_OK;
}

static latch_status query_page(tree *t, latch_crew_slot *slot, size_t parent, size_t limit, latch_str *start) {
    latch_answer answer;
    latch_json items, last;
    latch_text_writer w = latch_text_begin(&slot->arena);
    put_query(&w, t, t->nodes[parent].id, *start, limit);
    *start = LATCH_STR("");
    LATCH_TRY(ask(t, &slot->cx, "Query", &w, &answer));
    LATCH_TRY(latch_read(answer.body, "Items", &items, "LastEvaluatedKey", latch_optional(&last)));
    LATCH_TRY(keep_page(t, &slot->cx, parent, items));
    return last.node != NULL ? latch_json_text(&slot->cx, last, start) : LATCH_OK;
}

/* All pages of one parent's children, while there may be more nodes. A page's memory goes back but for where the next one begins. */
static latch_status query_children(tree *t, latch_crew_slot *slot, size_t parent) {
    latch_str start = LATCH_STR("");
    latch_crew_reset(slot);
    do {
        size_t read = atomic_load(&t->read);
        if (read > t->max_nodes || latch_crew_stopped(slot->crew)) return LATCH_OK;
        LATCH_TRY(query_page(t, slot, parent, t->max_nodes + 1 - read, &start));
        if (start.len > 0) start.ptr = latch_arena_keep(&slot->arena, 0, start.ptr, start.len);
    } while (start.len > 0);
    return LATCH_OK;
}

static void fail(tree *t, latch_status status, const latch_ctx *cx) {
    pthread_mutex_lock(&t->mutex);
    if (t->failed == LATCH_OK) t->err = cx->err;
    if (t->failed == LATCH_OK) t->failed = status;
    pthread_mutex_unlock(&t->mutex);
    latch_crew_stop(t->crew);
}

static latch_status query_level(latch_crew_slot *slot) {
    tree *t = ((job *)slot->job)->of;
    while (!latch_crew_stopped(t->crew)) {
        size_t parent = atomic_fetch_add(&t->next, 1);
        if (parent >= t->to) break;
        latch_status status = query_children(t, slot, parent);
        if (status != LATCH_OK) fail(t, status, &slot->cx);
    }
    return LATCH_OK;
}

static latch_status query_all(tree *t) {
    size_t threads = t->crew->threaded ? t->crew->lines : 0, parents = t->to - t->from;
    if (threads >= parents) threads = parents - 1;
    t->found = calloc(parents, sizeof *t->found);
    if (t->found == NULL) return no_memory(t);
    atomic_store(&t->next, t->from);
    atomic_store(&t->read, t->count);
    for (size_t i = 0; i < threads; i++)
        latch_crew_submit(t->crew, &t->crew->slots[i], i);
    (void)query_level(t->callers);
    for (size_t i = 0; i < threads; i++)
        latch_crew_wait(t->crew, &t->crew->slots[i]);
    latch_status status = t->failed;
    if (status != LATCH_OK) t->cx->err = t->err;
    if (atomic_load(&t->read) > t->max_nodes) t->out->cut = true;
    for (size_t i = 0; status == LATCH_OK && i < parents; i++)
        for (const child *c = t->found[i].first; status == LATCH_OK && c != NULL; c = c->next)
            status = add_node(t, t->from + i, c->id, c->text);
    free(t->found);
    t->found = NULL;
    return status;
}

/* ── a level by batches, where nodes list their children ────────────────────────────────────────────────────────────────── */

static latch_status no_list(const tree *t, latch_str id) {
    return latch_err_set(&t->cx->err, LATCH_E_DATA, "tree: %s of item %.*s is no list of ids, which are %s", t->r->children,
                         LATCH_ARG(latch_str_cut(id, 60)), t->r->numbers ? "numbers" : "text");
}

/* An id as a list or a set has it. */
static latch_str id_of(const tree *t, const latch_each *each) {
    latch_str text = latch_each_text(each);
    if (!t->r->numbers || text.len > 0) return text;
    text = latch_text(latch_each_value(each));
    return text.len > 0 && (text.ptr[0] == '-' || (text.ptr[0] >= '0' && text.ptr[0] <= '9')) ? text : LATCH_STR("");
}

static latch_status add_listed(tree *t, size_t parent, latch_json list) {
    const char *set = t->r->numbers ? "$numbers" : "$strings";
    if (latch_has(list, set)) LATCH_TRY(latch_read_(list, (const latch_field[]){{set, latch_i_json_(&list)}, {NULL, latch_i_str_(NULL)}}));
    latch_str shape = latch_text(list);
    if (shape.len == 0 || shape.ptr[0] != '[') return no_list(t, t->nodes[parent].id);
    for (latch_each each = latch_each_in(list); latch_each_next(&each);) {
        latch_str id = id_of(t, &each);
        if (id.len == 0) return no_list(t, t->nodes[parent].id);
        id = latch_arena_copy(t->cx->arena, id);
        if (id.ptr == NULL) return full(t->cx);
        LATCH_TRY(add_node(t, parent, id, LATCH_STR("")));
    }
    return LATCH_OK;
}

/* The children that one node lists become nodes, whose items aren't known yet. */
static latch_status list_children(tree *t, size_t parent) {
    latch_ctx *cx = &t->callers->cx;
    latch_json item;
    latch_crew_reset(t->callers);
    LATCH_TRY(hand_over(t, latch_json_parse(cx, LATCH_E_DATA, "item", t->nodes[parent].text, &item)));
    for (latch_each each = latch_each_in(item); latch_each_next(&each);) {
        if (!latch_str_eq(each.name, latch_str_of(t->r->children))) continue;
        latch_json list = latch_each_value(&each);
        if (latch_has(list, "")) return add_listed(t, parent, list);
    }
    return LATCH_OK;
}

static latch_status list_level(tree *t) {
    for (size_t i = t->from; i < t->to; i++)
        if (!t->nodes[i].gone) LATCH_TRY(list_children(t, i));
    return LATCH_OK;
}

typedef struct level {
    tree *t;
    size_t next, to, answered; /* nodes: asked for, and answered */
} level;

static latch_status next_key(latch_ctx *cx, void *arg, latch_dynamodb_read *out) {
    level *l = arg;
    out->end = l->next == l->to;
    if (out->end) return LATCH_OK;
    latch_text_writer w = latch_text_begin(cx->arena);
    latch_text_char(&w, '{');
    latch_text_json_string(&w, latch_str_of(l->t->key));
    latch_text_char(&w, ':');
    if (l->t->r->numbers) {
        latch_text_put(&w, LATCH_STR("{\"$number\":"));
        latch_text_json_string(&w, l->t->nodes[l->next].id);
        latch_text_char(&w, '}');
    } else {
        latch_text_json_string(&w, l->t->nodes[l->next].id);
    }
    if (l->t->r->sort_key != NULL) {
        put_sort_key(&w, l->t);
        latch_text_json_string(&w, latch_str_of(l->t->r->sort));
    }
    latch_text_char(&w, '}');
    latch_str key = latch_text_end(&w);
    if (key.ptr == NULL) return latch_err_set(&cx->err, w.failed, "tree: an id: %s", w.why);
    l->next++;
    return latch_parse_data(cx, "key", key, &out->key);
}

static latch_status keep_node(latch_ctx *cx, void *arg, uint64_t index, bool found, latch_json item) {
    level *l = arg;
    node *n = &l->t->nodes[l->answered++];
    latch_str text;
    (void)index;
    n->gone = !found;
    l->t->out->gone += !found;
    if (!found) return LATCH_OK;
    LATCH_TRY(latch_json_text(cx, item, &text));
    n->text = latch_arena_copy(l->t->cx->arena, text);
    return n->text.ptr != NULL ? LATCH_OK : full(cx);
}

/* For a call that is a part of this one; 0: the deadline alone counts. */
static int64_t left_ms(const tree *t) {
    int64_t left = t->until_at_ms - latch_now_ms(t->cx);
    return t->until_at_ms == INT64_MAX ? 0 : left > 0 ? left : 1;
}

static latch_status batch_level(tree *t) {
    level l = {.t = t, .next = t->to, .answered = t->to};
    latch_dynamodb_gotten got;
    LATCH_TRY(list_level(t));
    l.to = t->count;
    if (l.next == l.to) return LATCH_OK;
    bool several = l.to - l.next > LATCH_DYNAMODB_READS_MAX;
    const latch_dynamodb_keys keys = {t->table, t->key, t->r->sort_key};
    const latch_dynamodb_batch_get_request request = {.next = next_key,
                                                      .item = keep_node,
                                                      .arg = &l,
                                                      .count = l.to - l.next,
                                                      .table = t->table,
                                                      .keys = &keys,
                                                      .keys_count = 1,
                                                      .connections = several ? t->r->connections : 1,
                                                      .timeout_ms = left_ms(t)};
    latch_status status = latch_dynamodb_batch_get(t->cx, &request, &got);
    t->out->requests += got.requests;
    return status;
}

/* ── the levels ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status tell(tree *t, size_t at) {
    const node *n = &t->nodes[at];
    latch_ctx *cx = &t->callers->cx;
    latch_dynamodb_node told = {.id = n->id, .depth = n->depth};
    latch_crew_reset(t->callers);
    latch_crew_lend(t->crew, t->callers);
    if (n->parent != NOWHERE) told.parent_id = t->nodes[n->parent].id;
    latch_status status = latch_json_parse(cx, LATCH_E_DATA, "item", n->text, &told.item);
    if (status == LATCH_OK) status = t->r->node(cx, t->r->arg, &told);
    if (status != LATCH_OK && cx->err.status == status) t->cx->err = cx->err;
    if (status != LATCH_OK && t->cx->err.status != status)
        return latch_err_set(&t->cx->err, status, "tree: ended by .node: %s", latch_status_name(status));
    return status;
}

/* What a level brought: counted, and told where somebody wants to know. */
static latch_status take_level(tree *t, size_t from) {
    for (size_t i = from; i < t->count; i++) {
        if (t->nodes[i].gone) continue;
        t->out->nodes++;
        t->out->depth = t->nodes[i].depth;
        if (t->r->node != NULL) LATCH_TRY(tell(t, i));
    }
    return LATCH_OK;
}

/* Whether what lies below the last level could be more. Nodes that list their children say so themselves. */
static latch_status look_below(tree *t) {
    if (t->r->children == NULL) {
        t->out->cut = t->out->cut || t->to > t->from;
        return LATCH_OK;
    }
    size_t before = t->count;
    LATCH_TRY(list_level(t));
    t->out->cut = t->out->cut || t->count > before;
    for (size_t i = before; i < t->count; i++)
        t->nodes[i].gone = true;
    return LATCH_OK;
}

static latch_status read_levels(tree *t) {
    t->from = 0;
    t->to = t->count;
    LATCH_TRY(take_level(t, 0));
    for (int depth = 0; t->from < t->to; depth++) {
        if (depth == t->max_depth) return look_below(t);
        if (latch_left_ms(t->cx) <= 0 || latch_now_ms(t->cx) >= t->until_at_ms)
            return latch_err_set(&t->cx->err, LATCH_E_TIMEOUT, "tree: the time is up after %zu nodes", t->count);
        LATCH_TRY(t->r->children == NULL ? query_all(t) : batch_level(t));
        LATCH_TRY(take_level(t, t->to));
        t->from = t->to;
        t->to = t->count;
    }
    return LATCH_OK;
}

/* ── the tree as one value ──────────────────────────────────────────────────────────────────────────────────────────────── */

/* {…the item's members, "children":[ */
static latch_status open_node(tree *t, latch_text_writer *w, const node *n) {
    latch_json item;
    latch_crew_reset(t->callers);
    LATCH_TRY(latch_json_parse(&t->callers->cx, LATCH_E_DATA, "item", n->text, &item));
    latch_text_char(w, '{');
    for (latch_each each = latch_each_in(item); latch_each_next(&each);) {
        if (latch_str_eq(each.name, LATCH_STR("children"))) continue;
        latch_text_json_string(w, each.name);
        latch_text_char(w, ':');
        latch_text_json(w, latch_each_value(&each));
        latch_text_char(w, ',');
    }
    latch_text_put(w, LATCH_STR("\"children\":["));
    return LATCH_OK;
}

/* A sibling that has an item; NOWHERE: none. */
static size_t there(const tree *t, size_t at) {
    while (at != NOWHERE && t->nodes[at].gone)
        at = t->nodes[at].next;
    return at;
}

/* Down to a node's first child, else on to its next sibling, else up: without recursion. */
static latch_status put_tree(tree *t, latch_text_writer *w) {
    for (size_t at = 0; at != NOWHERE;) {
        LATCH_TRY(open_node(t, w, &t->nodes[at]));
        size_t down = there(t, t->nodes[at].first);
        if (down != NOWHERE) {
            at = down;
            continue;
        }
        for (; at != NOWHERE; at = t->nodes[at].parent) {
            size_t next = there(t, t->nodes[at].next);
            latch_text_put(w, LATCH_STR("]}"));
            if (next == NOWHERE) continue;
            latch_text_char(w, ',');
            at = next;
            break;
        }
    }
    return LATCH_OK;
}

static latch_status build(tree *t) {
    latch_text_writer w = latch_text_begin(t->cx->arena);
    LATCH_TRY(hand_over(t, put_tree(t, &w)));
    latch_str text = latch_text_end(&w);
    if (text.ptr == NULL) return latch_err_set(&t->cx->err, w.failed, "tree: %s", w.why);
    return latch_json_parse(t->cx, LATCH_E_DATA, "tree", text, &t->out->root);
}

/* ── the call ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The root's id may have come with the event: what no key may be is refused as such. */
static latch_status check_root(latch_ctx *cx, const latch_dynamodb_tree_request *r) {
    latch_decimal n;
    const char *wrong = r->numbers && r->root.len > 0 ? latch_marshal_fault(latch_decimal_read(r->root, &n)) : NULL;
    if (r->root.len == 0) return latch_err_set(&cx->err, LATCH_E_INPUT, "tree: the root's id is empty");
    if (wrong != NULL) return latch_err_set(&cx->err, LATCH_E_INPUT, "tree: the root's id %s", wrong);
    if (r->numbers) return LATCH_OK;
    if (r->root.len > ID_MAX_BYTES)
        return latch_err_set(&cx->err, LATCH_E_INPUT, "tree: the root's id has %zu bytes, want at most %d", r->root.len, ID_MAX_BYTES);
    return latch_str_is_utf8(r->root) ? LATCH_OK : latch_err_set(&cx->err, LATCH_E_INPUT, "tree: the root's id is not UTF-8");
}

static latch_status check(latch_ctx *cx, const latch_dynamodb_tree_request *r) {
    int most = r->node != NULL ? FLAT_DEPTH_MAX : LATCH_DYNAMODB_TREE_DEPTH_MAX;
    LATCH_TRY(latch_client_check_open(cx, "tree"));
    LATCH_TRY(check_root(cx, r));
    if (r->max_depth < 0 || r->max_depth > most)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "tree: .max_depth is %d, want 0 to %d", r->max_depth, most);
    if (r->max_nodes > LATCH_DYNAMODB_TREE_NODES_MAX)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "tree: .max_nodes is %zu, want 0 to %d", r->max_nodes,
                             LATCH_DYNAMODB_TREE_NODES_MAX);
    if ((r->sort_key != NULL) != (r->sort != NULL && r->sort[0] != '\0'))
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "tree: .sort_key and .sort come together, and neither is empty");
    if (r->connections >= 0) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "tree: .connections is %d, want 0 or more", r->connections);
}

static const char *or_default(const char *name, const char *fallback) { return name != NULL ? name : fallback; }

static latch_status open_tree(latch_ctx *cx, tree *t) {
    const latch_dynamodb_tree_request *r = t->r;
    t->table = or_default(r->table, cx->table->name);
    t->key = or_default(r->key, "id");
    t->parent = or_default(r->parent, "parent");
    t->index = or_default(r->index, "parent-index");
    t->max_depth = r->max_depth > 0 ? r->max_depth : LATCH_DYNAMODB_TREE_DEPTH;
    t->max_nodes = r->max_nodes > 0 ? r->max_nodes : LATCH_DYNAMODB_TREE_NODES;
    LATCH_TRY(latch_ctx_deadline(cx, r->timeout_ms, INT64_MAX, &t->until_at_ms));
    if (r->timeout_ms == 0) t->until_at_ms = INT64_MAX;
    size_t more = r->children == NULL ? latch_crew_more(cx, r->connections - 1) : 0;
    const latch_crew_options options = {
        .work = query_level, .connections = more, .slots = more + 1, .slot_bytes = SLOT_BYTES, .job_bytes = sizeof(job)};
    LATCH_TRY(latch_crew_open(cx, &options, &t->crew));
    for (size_t i = 0; i <= more; i++)
        ((job *)t->crew->slots[i].job)->of = t;
    t->callers = &t->crew->slots[more];
    latch_crew_lend(t->crew, t->callers);
    return LATCH_OK;
}

static latch_status read_tree(tree *t) {
    LATCH_TRY(hand_over(t, read_root(t)));
    if (!t->out->found) return LATCH_OK;
    LATCH_TRY(read_levels(t));
    return t->r->node == NULL ? build(t) : LATCH_OK;
}

latch_status latch_dynamodb_read_tree(latch_ctx *cx, const latch_dynamodb_tree_request *r, latch_dynamodb_tree *out) {
    tree t = {.cx = cx, .r = r, .out = out};
    *out = (latch_dynamodb_tree){.root = {cx, NULL}};
    LATCH_TRY(check(cx, r));
    LATCH_TRY(open_tree(cx, &t));
    pthread_mutex_init(&t.mutex, NULL);
    latch_status status = read_tree(&t);
    pthread_mutex_destroy(&t.mutex);
    latch_crew_close(t.crew);
    free(t.nodes);
    free(t.places);
    return status;
}
