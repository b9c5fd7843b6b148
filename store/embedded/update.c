#include <string.h>

#include "core/err.h"
#include "store/embedded/paths.h"

#define BIT(type) (1u << (type))
#define SETS (BIT(LATCH_TYPE_SS) | BIT(LATCH_TYPE_NS) | BIT(LATCH_TYPE_BS))

#define WRONG_TYPE "An operand in the update expression has an incorrect data type"
#define NO_ATTRIBUTE "The provided expression refers to an attribute that does not exist in the item"
#define NO_PATH "The document path provided in the update expression is invalid for update"
#define TOO_DEEP "Nesting Levels have exceeded supported limits"

typedef enum verb { SET, REMOVE, ADD, DELETE } verb;

typedef struct action {
    verb verb;
    char sign; /* of a SET of two operands: + or -; else NUL */
    latch_path path;
    const latch_operand *left, *right; /* SET's operands; ADD's and DELETE's value is left */
    latch_fault fault;                 /* of the path */
    struct action *next;
} action;

struct latch_update {
    const action *last; /* the last one first, as DynamoDB goes through them: their places are 0, 1 … */
    size_t count;
    latch_path_node root;
};

/* ── parsing ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct builder {
    latch_parser p;
    latch_update *update;
    action *last;
    const char *repeated; /* a section that comes twice */
    latch_fault values;   /* of the last action whose value has one: paths that are written are looked at before any value */
} builder;

/* What the parser has noted since the last action began is of that one's value. */
static void keep_value_fault(builder *b) {
    if (b->p.late.name != NULL) b->values = b->p.late;
    b->p.late = (latch_fault){0};
}

static action *new_action(builder *b, verb v) {
    action *a = latch_arena_alloc(b->p.arena, sizeof *a);
    if (a == NULL) {
        (void)latch_fault_full(b->p.fault);
        return NULL;
    }
    *a = (action){.verb = v};
    keep_value_fault(b);
    if (!latch_parse_path(&b->p, &a->path)) return NULL;
    a->fault = b->p.late;
    b->p.late = (latch_fault){0};
    a->next = b->last;
    b->last = a;
    b->update->count++;
    return a;
}

static bool check_number(latch_parser *p, const latch_operand *o, char sign) {
    return latch_parser_check_type(p, o, sign == '+' ? "+" : "-", BIT(LATCH_TYPE_N));
}

static bool parse_set_value(latch_parser *p, action *a, bool *parenthesised);

/* What stands in parentheses: an operand, or the whole of a sum. */
static bool parse_left(latch_parser *p, action *a, bool *parenthesised) {
    bool inner;
    *parenthesised = p->token.kind == TOKEN_OPEN;
    p->undecided = true;
    if (!*parenthesised) {
        a->left = latch_parse_plain_operand(p);
    } else {
        if (!latch_parser_open(p) || !parse_set_value(p, a, &inner) || !latch_parser_expect(p, TOKEN_CLOSE)) return false;
        latch_parser_note_redundant(p, inner);
        p->depth--;
    }
    if (a->left != NULL) latch_parser_decide(p);
    return a->left != NULL;
}

/* operand, operand + operand, operand - operand: no more than two. */
static bool parse_set_value(latch_parser *p, action *a, bool *parenthesised) {
    bool unused;
    if (!parse_left(p, a, parenthesised)) return false;
    if (a->sign != '\0' || (p->token.kind != TOKEN_PLUS && p->token.kind != TOKEN_MINUS)) return true;
    a->sign = p->token.kind == TOKEN_PLUS ? '+' : '-';
    *parenthesised = false;
    p->operators++;
    latch_parser_next(p);
    latch_parser_check_use(p, a->left, USE_OPERAND);
    if ((a->right = latch_parse_operand(p, &unused)) == NULL) return false;
    latch_parser_check_use(p, a->right, USE_OPERAND);
    if (check_number(p, a->left, a->sign)) (void)check_number(p, a->right, a->sign);
    return true;
}

static bool parse_set(builder *b) {
    bool parenthesised;
    action *a = new_action(b, SET);
    if (a == NULL || !latch_parser_expect(&b->p, TOKEN_EQ) || !parse_set_value(&b->p, a, &parenthesised)) return false;
    if (a->sign == '\0') latch_parser_check_use(&b->p, a->left, USE_VALUE);
    return true;
}

/* ADD and DELETE take a value, of some types. */
static bool parse_change(builder *b, verb v) {
    static const char *const names[] = {"STRING", "NUMBER", "BINARY",     "BOOLEAN",    "NULL",
                                        "MAP",    "LIST",   "STRING_SET", "NUMBER_SET", "BINARY_SET"};
    const char *verb_name = v == ADD ? "ADD" : "DELETE";
    action *a = new_action(b, v);
    if (a == NULL) return false;
    if (b->p.token.kind != TOKEN_VALUE) return latch_parser_unexpected(&b->p);
    if ((a->left = latch_parse_plain_operand(&b->p)) == NULL) return false;
    int type = latch_operand_type(a->left);
    if (type >= 0 && (BIT(type) & (v == ADD ? SETS | BIT(LATCH_TYPE_N) : SETS)) == 0)
        latch_parser_late(
            &b->p, "Incorrect operand type for operator or function; operator: %s, operand type: %s, typeSet: ALLOWED_FOR_%s_OPERAND",
            verb_name, names[type], verb_name);
    return true;
}

static bool parse_section(builder *b, verb v) {
    do {
        latch_parser_next(&b->p); /* past the section's name, or a comma */
        if (v == SET ? !parse_set(b) : v == REMOVE ? new_action(b, v) == NULL : !parse_change(b, v)) return false;
    } while (b->p.token.kind == TOKEN_COMMA);
    return true;
}

static bool parse_sections(builder *b) {
    static const char *const names[] = {"SET", "REMOVE", "ADD", "DELETE"};
    bool seen[4] = {false};
    do {
        if (b->p.token.kind < TOKEN_SET || b->p.token.kind > TOKEN_DELETE) return latch_parser_unexpected(&b->p);
        verb v = (verb)(b->p.token.kind - TOKEN_SET);
        if (seen[v] && b->repeated == NULL) b->repeated = names[v];
        seen[v] = true;
        if (!parse_section(b, v)) return false;
    } while (b->p.token.kind != TOKEN_END);
    return true;
}

static bool plant(builder *b) {
    size_t place = 0;
    for (const action *a = b->last; a != NULL; a = a->next) {
        if (a->fault.name != NULL) {
            *b->p.fault = a->fault;
            return false;
        }
        if (!latch_paths_add(&b->p, &b->update->root, &a->path, place++, b->p.fault)) return false;
    }
    return true;
}

/* Faults of the whole text, then repeated sections, then of paths, then of values. */
static bool finish(builder *b) {
    uint32_t operators = b->p.operators;
    keep_value_fault(b);
    b->p.operators = 0;
    if (!latch_parser_end(&b->p)) return false;
    if (b->repeated != NULL)
        return latch_parser_refuse(&b->p, "The \"%s\" section can only be used once in an update expression;", b->repeated);
    if (!plant(b)) return false;
    b->p.late = b->values;
    b->p.operators = operators;
    return latch_parser_end(&b->p);
}

bool latch_update_parse(latch_str text, latch_placeholders *placeholders, const latch_update **out, latch_fault *fault) {
    builder b = {0};
    *out = NULL;
    if (!latch_parser_begin(&b.p, text, "UpdateExpression", placeholders, fault)) return false;
    b.update = latch_arena_alloc(b.p.arena, sizeof *b.update);
    if (b.update == NULL) return latch_fault_full(fault);
    *b.update = (latch_update){0};
    if (!parse_sections(&b) || !finish(&b)) return false;
    b.update->last = b.last;
    *out = b.update;
    return true;
}

bool latch_update_writes(const latch_update *u, latch_str attribute) {
    for (const latch_path_node *n = u->root.first; n != NULL; n = n->next)
        if (latch_str_eq(n->part->name, attribute)) return true;
    return false;
}

/* ── applying ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* What becomes of one path. */
typedef struct outcome {
    enum { KEEP, PUT, DROP } what;
    latch_av value; /* PUT */
} outcome;

typedef struct run {
    const latch_item *item; /* before the update */
    outcome *outcomes;      /* by the path's place */
    latch_arena *arena;
    latch_fault *fault;
} run;

static bool invalid(run *r, const char *text) { return latch_invalid(r->fault, r->arena, "%s", text); }

/* ── values ── */

/* An operand of SET. A call's operands are operands, as deep as the expression's parentheses. */
static bool evaluate(run *r, const latch_operand *o, latch_av *out);

static bool if_not_exists(run *r, const latch_operand *path, latch_av *out) {
    const latch_av *there = latch_path_find(path->as.path, r->item);
    if (!evaluate(r, path->next, out)) return false; /* it must be there, needed or not */
    if (there != NULL) *out = *there;
    return true;
}

/* Calls come first; then a path that leads nowhere and a wrong type, operand by operand. */
static bool evaluate_two(run *r, const latch_operand *first, const latch_operand *second, latch_type type, latch_av out[2]) {
    const latch_operand *const operands[] = {first, second};
    for (size_t i = 0; i < 2; i++)
        if (operands[i]->kind == OPERAND_CALL && !evaluate(r, operands[i], &out[i])) return false;
    for (size_t i = 0; i < 2; i++) {
        if (operands[i]->kind != OPERAND_CALL && !evaluate(r, operands[i], &out[i])) return false;
        if (out[i].type != type) return invalid(r, WRONG_TYPE);
    }
    return true;
}

static bool list_append(run *r, const latch_operand *first, latch_av *out) {
    latch_av lists[2];
    if (!evaluate_two(r, first, first->next, LATCH_TYPE_L, lists)) return false;
    size_t head = lists[0].as.list.count, tail = lists[1].as.list.count;
    latch_av *values = latch_arena_alloc(r->arena, (head + tail) * sizeof *values);
    if (values == NULL) return latch_fault_full(r->fault);
    if (head > 0) memcpy(values, lists[0].as.list.values, head * sizeof *values);
    if (tail > 0) memcpy(values + head, lists[1].as.list.values, tail * sizeof *values);
    *out = (latch_av){.type = LATCH_TYPE_L};
    out->as.list.values = values;
    out->as.list.count = head + tail;
    return true;
}

static bool evaluate(run *r, const latch_operand *o, latch_av *out) {
    if (o->kind == OPERAND_CALL) {
        const latch_operand *operands = o->as.call.operands;
        return o->as.call.function == FUNCTION_LIST_APPEND ? list_append(r, operands, out) : if_not_exists(r, operands, out);
    }
    const latch_av *v = o->kind == OPERAND_VALUE ? &o->as.value->value : latch_path_find(o->as.path, r->item);
    if (v == NULL) return invalid(r, NO_ATTRIBUTE);
    *out = *v;
    return true;
}

static bool sum(run *r, const latch_av *a, const latch_av *b, char sign, latch_av *out) {
    latch_number *n = latch_arena_alloc(r->arena, sizeof *n);
    if (n == NULL) return latch_fault_full(r->fault);
    *out = (latch_av){.type = LATCH_TYPE_N, .as.number = n};
    return (sign == '+' ? latch_number_add : latch_number_subtract)(a->as.number, b->as.number, n, r->arena, r->fault);
}

static bool evaluate_sum(run *r, const action *a, latch_av *out) {
    latch_av numbers[2];
    if (!evaluate_two(r, a->left, a->right, LATCH_TYPE_N, numbers)) return false;
    return sum(r, &numbers[0], &numbers[1], a->sign, out);
}

/* ── sets: both in order, walked side by side ── */

static int order_of(const latch_av *a, const latch_av *b) {
    bool comparable;
    return latch_av_compare(a, b, &comparable);
}

static bool change_set(run *r, const latch_av *a, const latch_av *b, verb v, latch_av *out) {
    size_t i = 0, k = 0, count = 0, na = a->as.list.count, nb = b->as.list.count;
    latch_av *values = latch_arena_alloc(r->arena, (v == ADD ? na + nb : na) * sizeof *values);
    if (values == NULL) return latch_fault_full(r->fault);
    while (i < na || (v == ADD && k < nb)) {
        int order = i == na ? 1 : k == nb ? -1 : order_of(&a->as.list.values[i], &b->as.list.values[k]);
        if (order < 0 || (order == 0 && v == ADD)) values[count++] = a->as.list.values[i];
        if (order > 0 && v == ADD) values[count++] = b->as.list.values[k];
        i += order <= 0;
        k += order >= 0;
    }
    *out = (latch_av){.type = a->type};
    out->as.list.values = values;
    out->as.list.count = count;
    return true;
}

static bool add(run *r, const action *a, const latch_av *there, outcome *out) {
    const latch_av *by = &a->left->as.value->value;
    out->what = PUT;
    out->value = *by;
    if (there == NULL) return true;
    if (there->type != by->type) return invalid(r, WRONG_TYPE);
    return by->type == LATCH_TYPE_N ? sum(r, there, by, '+', &out->value) : change_set(r, there, by, ADD, &out->value);
}

/* A set of which nothing is left is removed. */
static bool take_away(run *r, const action *a, const latch_av *there, outcome *out) {
    const latch_av *what = &a->left->as.value->value;
    if (there == NULL) return true;
    if (there->type != what->type) return invalid(r, WRONG_TYPE);
    if (!change_set(r, there, what, DELETE, &out->value)) return false;
    out->what = out->value.as.list.count > 0 ? PUT : DROP;
    return true;
}

/* ── paths and depth ── */

/* What holds the path's end must be there, and be a map or list as the path says. */
static bool check_path(run *r, const action *a) {
    if (a->path.count == 1) return true;
    latch_path above = {a->path.parts, a->path.count - 1};
    const latch_av *v = latch_path_find(above, r->item);
    if (v != NULL && v->type == (a->path.parts[above.count].indexed ? LATCH_TYPE_L : LATCH_TYPE_M)) return true;
    return invalid(r, NO_PATH);
}

/* Whether the value's maps and lists go at most `levels` deep. */
static bool fits(const latch_av *v, size_t levels) {
    bool ok = true;
    if (v->type != LATCH_TYPE_M && v->type != LATCH_TYPE_L) return true;
    if (levels == 0) return false;
    if (v->type == LATCH_TYPE_L)
        for (size_t i = 0; i < v->as.list.count && ok; i++)
            ok = fits(&v->as.list.values[i], levels - 1);
    else
        for (size_t i = 0; i < v->as.map.count && ok; i++)
            ok = fits(&v->as.map.attributes[i].value, levels - 1);
    return ok;
}

static bool find_outcome(run *r, const action *a, outcome *out) {
    *out = (outcome){.what = KEEP};
    if (a->verb == ADD) return add(r, a, latch_path_find(a->path, r->item), out);
    if (a->verb == DELETE) return take_away(r, a, latch_path_find(a->path, r->item), out);
    out->what = a->verb == REMOVE ? DROP : PUT;
    if (a->verb == REMOVE) return true;
    if (a->sign != '\0' ? !evaluate_sum(r, a, &out->value) : !evaluate(r, a->left, &out->value)) return false;
    return fits(&out->value, LATCH_NESTING_MAX - a->path.count) || invalid(r, TOO_DEEP); /* the item itself is a level */
}

/* Paths of REMOVE are looked at last, as Local does. */
static bool find_outcomes(run *r, const latch_update *u) {
    size_t place = 0;
    for (const action *a = u->last; a != NULL; a = a->next)
        if (a->verb != REMOVE && !check_path(r, a)) return false;
    for (const action *a = u->last; a != NULL; a = a->next)
        if (!find_outcome(r, a, &r->outcomes[place++])) return false;
    for (const action *a = u->last; a != NULL; a = a->next)
        if (a->verb == REMOVE && !check_path(r, a)) return false;
    return true;
}

/* ── the new item: what paths name is made anew, the rest is shared ── */

static bool rebuild(run *r, const latch_path_node *node, const latch_av *old, outcome *out);

static const latch_path_node *named(const latch_path_node *node, latch_str name) {
    const latch_path_node *n = node->first;
    while (n != NULL && !latch_str_eq(n->part->name, name))
        n = n->next;
    return n;
}

static bool rebuild_map(run *r, const latch_path_node *node, const latch_item *old, latch_item *out) {
    outcome o;
    *out = (latch_item){latch_arena_alloc(r->arena, (old->count + latch_paths_below(node)) * sizeof(latch_attribute)), 0};
    if (out->attributes == NULL) return latch_fault_full(r->fault);
    for (size_t i = 0; i < old->count; i++) {
        const latch_attribute *a = &old->attributes[i];
        const latch_path_node *n = named(node, a->name);
        o = (outcome){.what = KEEP};
        if (n != NULL && !rebuild(r, n, &a->value, &o)) return false;
        if (o.what == DROP) continue;
        out->attributes[out->count++] = (latch_attribute){a->name, o.what == PUT ? o.value : a->value};
    }
    for (const latch_path_node *n = node->first; n != NULL; n = n->next) {
        if (n->path == NULL || r->outcomes[n->place].what != PUT || latch_item_get(old, n->part->name) != NULL) continue;
        out->attributes[out->count++] = (latch_attribute){n->part->name, r->outcomes[n->place].value};
    }
    return true;
}

/* Indexes are those before the update; what is set past the end is appended in their order. */
static bool rebuild_list(run *r, const latch_path_node *node, const latch_av *old, latch_av *out) {
    size_t count = 0;
    const latch_path_node *n = node->first;
    latch_av *values = latch_arena_alloc(r->arena, (old->as.list.count + latch_paths_below(node)) * sizeof *values);
    if (values == NULL) return latch_fault_full(r->fault);
    for (size_t i = 0; i < old->as.list.count; i++) {
        outcome o = {.what = KEEP};
        if (n != NULL && n->part->index == i) {
            if (!rebuild(r, n, &old->as.list.values[i], &o)) return false;
            n = n->next;
        }
        if (o.what != DROP) values[count++] = o.what == PUT ? o.value : old->as.list.values[i];
    }
    for (; n != NULL; n = n->next)
        if (n->path != NULL && r->outcomes[n->place].what == PUT) values[count++] = r->outcomes[n->place].value;
    *out = (latch_av){.type = LATCH_TYPE_L};
    out->as.list.values = values;
    out->as.list.count = count;
    return true;
}

/* Goes as deep as a path. Its paths have been checked: what goes on below is a map or a list. */
static bool rebuild(run *r, const latch_path_node *node, const latch_av *old, outcome *out) {
    if (node->path != NULL) {
        *out = r->outcomes[node->place];
        return true;
    }
    *out = (outcome){.what = PUT, .value = {.type = old->type}};
    return old->type == LATCH_TYPE_M ? rebuild_map(r, node, &old->as.map, &out->value.as.map) : rebuild_list(r, node, old, &out->value);
}

bool latch_update_apply(const latch_update *u, const latch_item *old, const latch_item *key, latch_item *out, latch_arena *arena,
                        latch_fault *fault) {
    run r = {.item = old != NULL ? old : key, .arena = arena, .fault = fault};
    *out = (latch_item){0};
    r.outcomes = latch_arena_alloc(arena, u->count * sizeof *r.outcomes);
    if (r.outcomes == NULL) return latch_fault_full(fault);
    return find_outcomes(&r, u) && rebuild_map(&r, &u->root, r.item, out);
}

/* ── UPDATED_OLD, UPDATED_NEW ──────────────────────────────────────────────────────────────────────────────────────── */

static bool finds_any(const latch_path_node *node, const latch_item *item) {
    if (node->path != NULL) return latch_path_find(*node->path, item) != NULL;
    for (const latch_path_node *n = node->first; n != NULL; n = n->next)
        if (finds_any(n, item)) return true;
    return false;
}

bool latch_update_touched(const latch_update *u, const latch_item *item, latch_item *out, latch_arena *arena) {
    *out = (latch_item){latch_arena_alloc(arena, latch_paths_below(&u->root) * sizeof(latch_attribute)), 0};
    if (out->attributes == NULL) return false;
    for (const latch_path_node *n = u->root.first; n != NULL; n = n->next)
        if (finds_any(n, item)) out->attributes[out->count++] = (latch_attribute){n->part->name, *latch_item_get(item, n->part->name)};
    return true;
}
