#include <string.h>

#include "core/err.h"
#include "store/embedded/parser.h"

#define BIT(type) (1u << (type))
#define ORDERED (BIT(LATCH_TYPE_S) | BIT(LATCH_TYPE_N) | BIT(LATCH_TYPE_B))

typedef latch_condition_node node;

const char *latch_condition_name(const latch_condition_node *n) {
    static const char *const names[] = {"AND", "OR", "NOT", "=", "<>", "<", "<=", ">", ">=", "BETWEEN", "IN"};
    static const char *const calls[] = {"attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains", "size",
                                        "if_not_exists",    "list_append"};
    if (n->op != CONDITION_CALL) return names[n->op];
    return n->operands->as.call.function < FUNCTION_NONE ? calls[n->operands->as.call.function] : "";
}

/* ── parsing ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

/*
 * What a pair of parentheses may hold isn't known before its end: a condition, or an operand of the comparison behind it. A call may be
 * either. So the parser carries both: `condition` is NULL as long as it is an operand.
 */
typedef struct term {
    node *condition;
    latch_operand *operand;
    bool parenthesised;
} term;

static bool parse_or(latch_parser *p, term *out);

static node *new_node(latch_parser *p, latch_condition_op op) {
    node *n = latch_arena_alloc(p->arena, sizeof *n);
    if (n == NULL) {
        (void)latch_fault_full(p->fault);
        return NULL;
    }
    *n = (node){.op = op};
    return n;
}

/* The term as a condition; a path or value is none, and what follows it is unexpected. */
static bool as_condition(latch_parser *p, term *t) {
    if (t->condition != NULL) return true;
    if (t->operand->kind != OPERAND_CALL) return latch_parser_unexpected(p);
    latch_parser_decide(p);
    latch_parser_check_use(p, t->operand, USE_CONDITION);
    if ((t->condition = new_node(p, CONDITION_CALL)) == NULL) return false;
    t->condition->operands = t->operand;
    return true;
}

static bool parse_primary(latch_parser *p, term *out) {
    *out = (term){0};
    p->undecided = true;
    if (p->token.kind != TOKEN_OPEN) {
        out->operand = latch_parse_plain_operand(p);
        return out->operand != NULL;
    }
    term inner;
    if (!latch_parser_open(p) || !parse_or(p, &inner) || !latch_parser_expect(p, TOKEN_CLOSE)) return false;
    latch_parser_note_redundant(p, inner.parenthesised);
    *out = (term){inner.condition, inner.operand, true};
    p->depth--;
    return true;
}

/* ── comparisons ── */

static latch_operand *operand_after(latch_parser *p) {
    bool parenthesised;
    latch_parser_next(p);
    latch_operand *o = latch_parse_operand(p, &parenthesised);
    if (o != NULL) latch_parser_check_use(p, o, USE_OPERAND);
    return o;
}

static latch_str shown(latch_parser *p, const latch_operand *o) {
    const latch_av *v = &o->as.value->value;
    yyjson_val *sent = yyjson_obj_get(o->as.value->json, latch_type_name(v->type));
    if (v->type != LATCH_TYPE_B) return (latch_str){yyjson_get_str(sent), yyjson_get_len(sent)};
    latch_fault text = {0}; /* as DynamoDB shows bytes */
    (void)latch_invalid(&text, p->arena, "java.nio.HeapByteBuffer[pos=0 lim=%zu cap=%zu]", v->as.text.len, v->as.text.len);
    return text.message;
}

/* BETWEEN's bounds, where both are values. */
static void check_bounds(latch_parser *p, const latch_operand *low, const latch_operand *high) {
    bool comparable;
    if (latch_operand_type(low) < 0 || latch_operand_type(high) < 0 || p->late.name != NULL) return;
    if (low->kind != OPERAND_VALUE || high->kind != OPERAND_VALUE) return;
    const latch_av *a = &low->as.value->value, *b = &high->as.value->value;
    if (latch_av_compare(a, b, &comparable) <= 0 && comparable) return;
    latch_str x = shown(p, low), y = shown(p, high);
    latch_parser_late(
        p,
        "The BETWEEN operator requires %s; lower bound operand: AttributeValue: {%s:%.*s}, upper bound operand: AttributeValue: {%s:%.*s}",
        comparable ? "upper bound to be greater than or equal to lower bound" : "same data type for lower and upper bounds",
        latch_type_name(a->type), LATCH_ARG(x), latch_type_name(b->type), LATCH_ARG(y));
}

/* Types of operands for which there is an order, and the first operand other than the rest. */
static void check_operands(latch_parser *p, const node *n) {
    const char *name = latch_condition_name(n);
    bool ordered = n->op >= CONDITION_LT && n->op <= CONDITION_BETWEEN;
    for (const latch_operand *o = n->operands; ordered && o != NULL; o = o->next)
        if (!latch_parser_check_type(p, o, name, ORDERED)) return;
    latch_parser_check_distinct(p, n->operands, n->operands->next, name);
    if (n->op == CONDITION_BETWEEN) check_bounds(p, n->operands->next, n->operands->next->next);
}

static bool parse_between(latch_parser *p, latch_operand *left) {
    if ((left->next = operand_after(p)) == NULL) return false;
    if (p->token.kind != TOKEN_AND) return latch_parser_unexpected(p);
    return (left->next->next = operand_after(p)) != NULL;
}

static bool parse_in(latch_parser *p, latch_operand *left) {
    latch_operand **end = &left->next;
    unsigned count = 0;
    latch_parser_next(p);
    if (p->token.kind != TOKEN_OPEN) return latch_parser_unexpected(p);
    do {
        if ((*end = operand_after(p)) == NULL) return false;
        end = &(*end)->next;
        count++;
    } while (p->token.kind == TOKEN_COMMA);
    if (!latch_parser_expect(p, TOKEN_CLOSE)) return false;
    if (count > LATCH_IN_MAX) latch_parser_late(p, "The IN operator is provided with too many operands; number of operands: %u", count);
    return true;
}

static bool is_comparison(latch_token_kind kind, latch_condition_op *op) {
    *op = kind == TOKEN_BETWEEN ? CONDITION_BETWEEN : kind == TOKEN_IN ? CONDITION_IN : CONDITION_EQ;
    if (kind >= TOKEN_EQ && kind <= TOKEN_GE) *op = (latch_condition_op)(CONDITION_EQ + (kind - TOKEN_EQ));
    return (kind >= TOKEN_EQ && kind <= TOKEN_GE) || kind == TOKEN_BETWEEN || kind == TOKEN_IN;
}

static bool parse_comparison(latch_parser *p, term *out) {
    latch_condition_op op;
    if (!parse_primary(p, out)) return false;
    if (out->condition != NULL || !is_comparison(p->token.kind, &op)) return true;
    latch_parser_decide(p);
    latch_operand *left = out->operand;
    node *n = new_node(p, op);
    if (n == NULL) return false;
    latch_parser_check_use(p, left, USE_OPERAND);
    n->operands = left;
    *out = (term){.condition = n};
    p->operators++;
    if (op == CONDITION_BETWEEN ? !parse_between(p, left)
        : op == CONDITION_IN    ? !parse_in(p, left)
                                : (left->next = operand_after(p)) == NULL)
        return false;
    check_operands(p, n);
    return true;
}

/* ── NOT, AND, OR ── */

/* Any number of NOTs: an even one is none, but each counts. The key condition must see it, so one or two are kept. */
static bool parse_not(latch_parser *p, term *out) {
    unsigned count = 0;
    for (; p->token.kind == TOKEN_NOT; count++)
        latch_parser_next(p);
    if (!parse_comparison(p, out)) return false;
    if (count == 0) return true;
    if (!as_condition(p, out)) return false;
    p->operators += count;
    for (unsigned kept = count % 2 == 0 ? 2 : 1; kept > 0; kept--) {
        node *n = new_node(p, CONDITION_NOT);
        if (n == NULL) return false;
        n->first = out->condition;
        *out = (term){.condition = n};
    }
    return true;
}

/* Terms joined by AND, or by OR: one node for all of them. */
static bool parse_joined(latch_parser *p, latch_condition_op op, term *out) {
    latch_token_kind joint = op == CONDITION_AND ? TOKEN_AND : TOKEN_OR;
    node *all = NULL, **end = NULL;
    for (;;) {
        term t;
        if (op == CONDITION_AND ? !parse_not(p, &t) : !parse_joined(p, CONDITION_AND, &t)) return false;
        if (all == NULL && p->token.kind != joint) {
            *out = t;
            return true;
        }
        if (!as_condition(p, &t)) return false;
        if (all == NULL) {
            if ((all = new_node(p, op)) == NULL) return false;
            end = &all->first;
        }
        *end = t.condition;
        end = &t.condition->next;
        if (p->token.kind != joint) break;
        p->operators++;
        latch_parser_next(p);
    }
    *out = (term){.condition = all};
    return true;
}

static bool parse_or(latch_parser *p, term *out) { return parse_joined(p, CONDITION_OR, out); }

bool latch_condition_parse(latch_str text, const char *kind, latch_placeholders *placeholders, const latch_condition **out,
                           latch_fault *fault) {
    latch_parser p;
    term t;
    *out = NULL;
    if (!latch_parser_begin(&p, text, kind, placeholders, fault)) return false;
    if (!parse_or(&p, &t) || !as_condition(&p, &t) || !latch_parser_end(&p)) return false;
    latch_condition *c = latch_arena_alloc(p.arena, sizeof *c);
    if (c == NULL) return latch_fault_full(fault);
    *c = (latch_condition){t.condition, p.paths};
    *out = c;
    return true;
}

/* ── holding ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Room for what size() gives. */
typedef struct sized {
    latch_av value;
    latch_number number;
} sized;

static void set_number(latch_number *n, size_t value) {
    uint8_t digits[20];
    int count = 0;
    *n = (latch_number){0};
    for (; value > 0; value /= 10)
        digits[count++] = (uint8_t)(value % 10);
    n->exponent = (int16_t)count;
    n->sign = count > 0;
    int last = 0;
    while (last < count && digits[last] == 0)
        last++;
    n->count = (uint8_t)(count - last);
    for (int i = 0; i < n->count; i++)
        n->digits[i] = digits[count - 1 - i];
}

/* In UTF-16's units, as DynamoDB counts: one more for what takes four bytes in UTF-8. */
static size_t text_length(latch_str text) {
    size_t length = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        length += (c & 0xC0) == 0x80 ? 0 : c >= 0xF0 ? 2 : 1;
    }
    return length;
}

/* False: it has no size. */
static bool size_of(const latch_av *v, size_t *out) {
    switch (v->type) {
    case LATCH_TYPE_S:
        *out = text_length(v->as.text);
        return true;
    case LATCH_TYPE_B:
        *out = v->as.text.len;
        return true;
    case LATCH_TYPE_M:
        *out = v->as.map.count;
        return true;
    case LATCH_TYPE_L:
    case LATCH_TYPE_SS:
    case LATCH_TYPE_NS:
    case LATCH_TYPE_BS:
        *out = v->as.list.count;
        return true;
    case LATCH_TYPE_N:
    case LATCH_TYPE_BOOL:
    case LATCH_TYPE_NULL:
        break;
    }
    return false;
}

/* NULL: there is no such thing in the item. size() of a size has been refused, so this goes one call deep. */
static const latch_av *value_of(const latch_operand *o, const latch_item *item, sized *room) {
    size_t size;
    if (o->kind == OPERAND_VALUE) return &o->as.value->value;
    if (o->kind == OPERAND_PATH) return latch_path_find(o->as.path, item);
    const latch_operand *of = o->as.call.operands;
    const latch_av *v = of->kind == OPERAND_VALUE  ? &of->as.value->value
                        : of->kind == OPERAND_PATH ? latch_path_find(of->as.path, item)
                                                   : NULL;
    if (v == NULL || !size_of(v, &size)) return NULL;
    set_number(&room->number, size);
    room->value = (latch_av){.type = LATCH_TYPE_N, .as.number = &room->number};
    return &room->value;
}

static bool compares(latch_condition_op op, const latch_av *a, const latch_av *b) {
    bool comparable;
    int order = latch_av_compare(a, b, &comparable);
    if (!comparable) return false;
    if (op == CONDITION_LT) return order < 0;
    if (op == CONDITION_LE) return order <= 0;
    return op == CONDITION_GT ? order > 0 : order >= 0;
}

static bool compared(const node *n, const latch_item *item) {
    sized left, right;
    const latch_av *a = value_of(n->operands, item, &left), *b = value_of(n->operands->next, item, &right);
    bool both = a != NULL && b != NULL;
    if (n->op == CONDITION_EQ) return both && latch_av_equal(a, b);
    if (n->op == CONDITION_NE) return !both || !latch_av_equal(a, b);
    return both && compares(n->op, a, b);
}

static bool between(const node *n, const latch_item *item) {
    sized rooms[3];
    const latch_av *v = value_of(n->operands, item, &rooms[0]), *low = value_of(n->operands->next, item, &rooms[1]),
                   *high = value_of(n->operands->next->next, item, &rooms[2]);
    return v != NULL && low != NULL && high != NULL && compares(CONDITION_GE, v, low) && compares(CONDITION_LE, v, high);
}

static bool one_of(const node *n, const latch_item *item) {
    sized left, right;
    const latch_av *v = value_of(n->operands, item, &left), *other;
    for (const latch_operand *o = n->operands->next; o != NULL && v != NULL; o = o->next)
        if ((other = value_of(o, item, &right)) != NULL && latch_av_equal(v, other)) return true;
    return false;
}

/* A part of text or bytes, a member of a set, an element of a list. */
static bool contains(const latch_av *v, const latch_av *what) {
    if (v->type == LATCH_TYPE_S || v->type == LATCH_TYPE_B) {
        if (what->type != v->type) return false;
        return what->as.text.len == 0 ||
               (v->as.text.len > 0 && memmem(v->as.text.ptr, v->as.text.len, what->as.text.ptr, what->as.text.len) != NULL);
    }
    if (v->type < LATCH_TYPE_L) return false;
    for (size_t i = 0; i < v->as.list.count; i++)
        if (latch_av_equal(&v->as.list.values[i], what)) return true;
    return false;
}

static bool called(const latch_operand *call, const latch_item *item) {
    sized left, right;
    const latch_operand *first = call->as.call.operands;
    const latch_av *a = value_of(first, item, &left), *b = first->next != NULL ? value_of(first->next, item, &right) : NULL;
    if (call->as.call.function == FUNCTION_ATTRIBUTE_EXISTS) return a != NULL;
    if (call->as.call.function == FUNCTION_ATTRIBUTE_NOT_EXISTS) return a == NULL;
    if (a == NULL || b == NULL) return false;
    if (call->as.call.function == FUNCTION_ATTRIBUTE_TYPE) return latch_str_eq(latch_str_of(latch_type_name(a->type)), b->as.text);
    return call->as.call.function == FUNCTION_CONTAINS ? contains(a, b) : latch_av_begins_with(a, b);
}

/* Goes as deep as the expression's parentheses. */
static bool holds(const node *n, const latch_item *item) {
    const node *each;
    switch (n->op) {
    case CONDITION_AND:
        for (each = n->first; each != NULL; each = each->next)
            if (!holds(each, item)) return false;
        return true;
    case CONDITION_OR:
        for (each = n->first; each != NULL; each = each->next)
            if (holds(each, item)) return true;
        return false;
    case CONDITION_NOT:
        return !holds(n->first, item);
    case CONDITION_BETWEEN:
        return between(n, item);
    case CONDITION_IN:
        return one_of(n, item);
    case CONDITION_CALL:
        return called(n->operands, item);
    case CONDITION_EQ:
    case CONDITION_NE:
    case CONDITION_LT:
    case CONDITION_LE:
    case CONDITION_GT:
    case CONDITION_GE:
        break;
    }
    return compared(n, item);
}

bool latch_condition_holds(const latch_condition *c, const latch_item *item) {
    static const latch_item none = {0};
    return holds(c->root, item != NULL ? item : &none);
}

bool latch_condition_names(const latch_condition *c, latch_str attribute) {
    for (const latch_operand *o = c->paths; o != NULL; o = o->other_path)
        if (latch_str_eq(o->as.path.parts[0].name, attribute)) return true;
    return false;
}

bool latch_condition_attribute(const latch_condition *c, size_t i, latch_str *out) {
    const latch_operand *o = c->paths;
    while (o != NULL && i-- > 0)
        o = o->other_path;
    if (o != NULL) *out = o->as.path.parts[0].name;
    return o != NULL;
}
