#include "core/err.h"
#include "store/embedded/parser.h"

#define IN_KEY_CONDITION "Invalid condition in KeyConditionExpression: "

/* What is read: the conditions joined by AND, each about one key. */
typedef struct reader {
    latch_str hash, sort;
    latch_arena *arena;
    latch_fault *fault;
    const latch_condition_node *found[2]; /* as they came */
    latch_str names[2];
    size_t count;
} reader;

static bool is_comparison(const latch_condition_node *n) { return n->op >= CONDITION_EQ && n->op <= CONDITION_GE; }

static bool is_begins_with(const latch_condition_node *n) {
    return n->op == CONDITION_CALL && n->operands->as.call.function == FUNCTION_BEGINS_WITH;
}

static const latch_operand *operands_of(const latch_condition_node *n) {
    return n->op == CONDITION_CALL ? n->operands->as.call.operands : n->operands;
}

/* Keys are no maps and no lists, wherever in the expression they are named. Local tells of the first. */
static bool check_scalars(const latch_operand *paths, reader *r) {
    const latch_operand *first = NULL;
    for (; paths != NULL; paths = paths->other_path) {
        latch_str name = paths->as.path.parts[0].name;
        if (paths->as.path.count > 1 && (latch_str_eq(name, r->hash) || (r->sort.len > 0 && latch_str_eq(name, r->sort)))) first = paths;
    }
    if (first == NULL) return true;
    return latch_invalid(r->fault, r->arena,
                         "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: %.*s",
                         LATCH_ARG(first->as.path.parts[0].name));
}

static bool check_operands(const latch_condition_node *n, reader *r, latch_str *name) {
    const latch_operand *first = operands_of(n), *path = NULL;
    size_t paths = 0;
    for (const latch_operand *o = first; o != NULL; o = o->next) {
        if (o->kind == OPERAND_CALL) return latch_invalid(r->fault, r->arena, "KeyConditionExpressions cannot contain nested operations");
        if (o->kind != OPERAND_PATH) continue;
        if (path == NULL) path = o;
        paths++;
    }
    if (!is_comparison(n) && first->kind != OPERAND_PATH)
        return latch_invalid(r->fault, r->arena, IN_KEY_CONDITION "%s operator must have the key attribute as its first operand",
                             latch_condition_name(n));
    if (paths == 0) return latch_invalid(r->fault, r->arena, IN_KEY_CONDITION "No key attribute specified");
    if (paths > 1) return latch_invalid(r->fault, r->arena, IN_KEY_CONDITION "Multiple attribute names used in one condition");
    if (path->as.path.count > 1)
        return latch_invalid(r->fault, r->arena, "KeyConditionExpressions cannot have conditions on nested attributes");
    *name = path->as.path.parts[0].name;
    return true;
}

/* Conditions beyond the second are only counted, once their names are known to differ. */
static bool add(const latch_condition_node *n, reader *r) {
    latch_str name;
    if (n->op == CONDITION_NE || !(is_comparison(n) || n->op == CONDITION_BETWEEN || is_begins_with(n)))
        return latch_invalid(r->fault, r->arena, "Invalid operator used in KeyConditionExpression: %s", latch_condition_name(n));
    if (!check_operands(n, r, &name)) return false;
    for (size_t i = 0; i < r->count && i < 2; i++)
        if (latch_str_eq(r->names[i], name))
            return latch_invalid(r->fault, r->arena, "KeyConditionExpressions must only contain one condition per key");
    if (r->count < 2) {
        r->found[r->count] = n;
        r->names[r->count] = name;
    }
    r->count++;
    return true;
}

/* ANDs within ANDs, as deep as the expression's parentheses. */
static bool collect(const latch_condition_node *n, reader *r) {
    if (n->op != CONDITION_AND) return add(n, r);
    for (const latch_condition_node *each = n->first; each != NULL; each = each->next)
        if (!collect(each, r)) return false;
    return true;
}

/* "a" < sk is sk > "a". */
static latch_key_operator mirrored(latch_key_operator op) {
    return op == LATCH_KEY_LT   ? LATCH_KEY_GT
           : op == LATCH_KEY_LE ? LATCH_KEY_GE
           : op == LATCH_KEY_GT ? LATCH_KEY_LT
           : op == LATCH_KEY_GE ? LATCH_KEY_LE
                                : op;
}

static void take(const latch_condition_node *n, latch_key_condition *out) {
    const latch_operand *first = operands_of(n), *second = first->next;
    static const latch_key_operator operators[] = {
        [CONDITION_EQ] = LATCH_KEY_EQ, [CONDITION_LT] = LATCH_KEY_LT, [CONDITION_LE] = LATCH_KEY_LE,
        [CONDITION_GT] = LATCH_KEY_GT, [CONDITION_GE] = LATCH_KEY_GE, [CONDITION_BETWEEN] = LATCH_KEY_BETWEEN,
    };
    out->op = n->op == CONDITION_CALL ? LATCH_KEY_BEGINS_WITH : operators[n->op];
    if (first->kind == OPERAND_VALUE) {
        out->op = mirrored(out->op);
        second = first;
    }
    out->low = second->as.value->value;
    if (out->op == LATCH_KEY_BETWEEN) out->high = second->next->as.value->value;
}

static bool settle(reader *r, latch_key_condition *out) {
    size_t hash = 0;
    latch_key_condition of_hash = {0};
    if (r->count > 2) return latch_invalid(r->fault, r->arena, "Conditions can be of length 1 or 2 only");
    if (r->count == 2 && r->sort.len == 0) return latch_invalid(r->fault, r->arena, "Query key condition not supported");
    while (hash < r->count && !latch_str_eq(r->names[hash], r->hash))
        hash++;
    if (hash == r->count) return latch_invalid(r->fault, r->arena, "Query condition missed key schema element");
    take(r->found[hash], &of_hash);
    if (of_hash.op != LATCH_KEY_EQ) return latch_invalid(r->fault, r->arena, "Query key condition not supported");
    if (r->count == 2 && !latch_str_eq(r->names[1 - hash], r->sort))
        return latch_invalid(r->fault, r->arena, "Query condition missed key schema element");
    *out = (latch_key_condition){.op = LATCH_KEY_ANY};
    if (r->count == 2) take(r->found[1 - hash], out);
    out->hash = of_hash.low;
    return true;
}

bool latch_key_condition_parse(latch_str text, latch_str hash, latch_str sort, latch_placeholders *p, latch_key_condition *out,
                               latch_fault *fault) {
    const latch_condition *c;
    *out = (latch_key_condition){0};
    return latch_condition_parse(text, "KeyConditionExpression", p, &c, fault) &&
           latch_key_condition_of(c, hash, sort, p->arena, out, fault);
}

bool latch_key_condition_of(const latch_condition *c, latch_str hash, latch_str sort, latch_arena *arena, latch_key_condition *out,
                            latch_fault *fault) {
    reader r = {.hash = hash, .sort = sort, .arena = arena, .fault = fault};
    *out = (latch_key_condition){0};
    return check_scalars(c->paths, &r) && collect(c->root, &r) && settle(&r, out);
}

bool latch_key_condition_holds(const latch_key_condition *c, const latch_av *sort) {
    bool comparable, with_high;
    if (c->op == LATCH_KEY_ANY) return true;
    if (c->op == LATCH_KEY_BEGINS_WITH) return latch_av_begins_with(sort, &c->low);
    int order = latch_av_compare(sort, &c->low, &comparable);
    if (!comparable) return false;
    switch (c->op) {
    case LATCH_KEY_EQ:
        return order == 0;
    case LATCH_KEY_LT:
        return order < 0;
    case LATCH_KEY_LE:
        return order <= 0;
    case LATCH_KEY_GT:
        return order > 0;
    case LATCH_KEY_GE:
        return order >= 0;
    case LATCH_KEY_BETWEEN:
        return order >= 0 && latch_av_compare(sort, &c->high, &with_high) <= 0 && with_high;
    case LATCH_KEY_ANY:
    case LATCH_KEY_BEGINS_WITH:
        break;
    }
    return false;
}
