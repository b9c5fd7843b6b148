#include "store/embedded/parser.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/err.h"

#define REDUNDANT "The expression has redundant parentheses;"

/* ── tokens ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef enum class { OTHER, BLANK, LETTER, DIGIT, LINE /* _ */ } class;

static class class_of(char c) {
    unsigned char u = (unsigned char)c;
    if ((unsigned char)((u | 0x20) - 'a') < 26) return LETTER;
    if ((unsigned char)(u - '0') < 10) return DIGIT;
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') return BLANK;
    return c == '_' ? LINE : OTHER;
}

static size_t word_end(latch_str text, size_t at) {
    while (at < text.len && class_of(text.ptr[at]) >= LETTER)
        at++;
    return at;
}

static bool is_keyword(const char *word, size_t len, const char *keyword) {
    for (size_t i = 0; i < len; i++)
        if ((word[i] | 0x20) != keyword[i]) return false; /* words are letters, digits and _, and 0x20 makes none of these a letter */
    return true;
}

static latch_token_kind word_kind(const char *word, size_t len) {
    switch (len) {
    case 2:
        return is_keyword(word, len, "or") ? TOKEN_OR : is_keyword(word, len, "in") ? TOKEN_IN : TOKEN_WORD;
    case 3:
        return is_keyword(word, len, "and")   ? TOKEN_AND
               : is_keyword(word, len, "not") ? TOKEN_NOT
               : is_keyword(word, len, "set") ? TOKEN_SET
               : is_keyword(word, len, "add") ? TOKEN_ADD
                                              : TOKEN_WORD;
    case 6:
        return is_keyword(word, len, "remove") ? TOKEN_REMOVE : is_keyword(word, len, "delete") ? TOKEN_DELETE : TOKEN_WORD;
    case 7:
        return is_keyword(word, len, "between") ? TOKEN_BETWEEN : TOKEN_WORD;
    default:
        return TOKEN_WORD;
    }
}

/* A character that begins no token is one by itself, all its bytes. */
static size_t character_end(latch_str text, size_t at) {
    do
        at++;
    while (at < text.len && ((unsigned char)text.ptr[at] & 0xC0) == 0x80);
    return at;
}

static latch_token punctuation(latch_str text, size_t at) {
    char c = text.ptr[at], next = at + 1 < text.len ? text.ptr[at + 1] : '\0';
    switch (c) {
    case '.':
        return (latch_token){TOKEN_DOT, at, at + 1};
    case ',':
        return (latch_token){TOKEN_COMMA, at, at + 1};
    case '(':
        return (latch_token){TOKEN_OPEN, at, at + 1};
    case ')':
        return (latch_token){TOKEN_CLOSE, at, at + 1};
    case '[':
        return (latch_token){TOKEN_INDEX, at, at + 1};
    case ']':
        return (latch_token){TOKEN_INDEX_END, at, at + 1};
    case '+':
        return (latch_token){TOKEN_PLUS, at, at + 1};
    case '-':
        return (latch_token){TOKEN_MINUS, at, at + 1};
    case '=':
        return (latch_token){TOKEN_EQ, at, at + 1};
    case '<':
        if (next == '>') return (latch_token){TOKEN_NE, at, at + 2};
        return next == '=' ? (latch_token){TOKEN_LE, at, at + 2} : (latch_token){TOKEN_LT, at, at + 1};
    case '>':
        return next == '=' ? (latch_token){TOKEN_GE, at, at + 2} : (latch_token){TOKEN_GT, at, at + 1};
    default:
        return (latch_token){TOKEN_UNKNOWN, at, character_end(text, at)};
    }
}

/* A number is 0 or begins with another digit: 00 is two. */
static latch_token number_token(latch_str text, size_t at) {
    size_t end = at + 1;
    while (text.ptr[at] != '0' && end < text.len && class_of(text.ptr[end]) == DIGIT)
        end++;
    return (latch_token){TOKEN_NUMBER, at, end};
}

static latch_token token_at(latch_str text, size_t at) {
    size_t end;
    while (at < text.len && class_of(text.ptr[at]) == BLANK)
        at++;
    if (at == text.len) return (latch_token){TOKEN_END, at, at};
    class first = class_of(text.ptr[at]);
    if (first == LETTER) {
        end = word_end(text, at);
        return (latch_token){word_kind(text.ptr + at, end - at), at, end};
    }
    if (first == DIGIT) return number_token(text, at);
    if ((text.ptr[at] == '#' || text.ptr[at] == ':') && (end = word_end(text, at + 1)) > at + 1)
        return (latch_token){text.ptr[at] == '#' ? TOKEN_NAME : TOKEN_VALUE, at, end};
    return punctuation(text, at);
}

static latch_str token_text(const latch_parser *p) { return (latch_str){p->text.ptr + p->token.start, p->token.end - p->token.start}; }

bool latch_parser_next(latch_parser *p) {
    p->before = p->token.start;
    p->token = token_at(p->text, p->token.end);
    return true;
}

/* "near" is from the token before to the token behind; the text's end belongs to the token that ends it. */
bool latch_parser_unexpected(latch_parser *p) {
    if (p->redundant) return latch_parser_refuse(p, REDUNDANT);
    latch_token behind = p->token.kind == TOKEN_END ? p->token : token_at(p->text, p->token.end);
    latch_str near = {p->text.ptr + p->before, behind.end - p->before};
    latch_str token = p->token.kind == TOKEN_END ? LATCH_STR("<EOF>") : token_text(p);
    return latch_parser_refuse(p, "Syntax error; token: \"%.*s\", near: \"%.*s\"", LATCH_ARG(token), LATCH_ARG(near));
}

bool latch_parser_expect(latch_parser *p, latch_token_kind kind) {
    return p->token.kind == kind ? latch_parser_next(p) : latch_parser_unexpected(p);
}

bool latch_parser_open(latch_parser *p) {
    if (++p->depth > LATCH_PARENTHESES_MAX) return latch_parser_refuse(p, REDUNDANT);
    return latch_parser_next(p);
}

void latch_parser_note_redundant(latch_parser *p, bool redundant) {
    if (p->undecided)
        p->tentative |= redundant;
    else
        p->redundant |= redundant;
}

void latch_parser_decide(latch_parser *p) {
    p->redundant |= p->tentative;
    p->undecided = p->tentative = false;
}

/* ── faults ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

__attribute__((format(printf, 3, 0))) static void note(latch_parser *p, latch_fault *slot, const char *fmt, va_list ap) {
    va_list again;
    va_copy(again, ap);
    int len = vsnprintf(NULL, 0, fmt, ap);
    char *text = len < 0 ? NULL : latch_arena_alloc(p->arena, (size_t)len + 1);
    if (text == NULL) {
        (void)latch_fault_full(slot);
    } else {
        vsnprintf(text, (size_t)len + 1, fmt, again);
        (void)latch_invalid(slot, p->arena, "Invalid %s: %s", p->kind, text);
    }
    va_end(again);
}

__attribute__((format(printf, 3, 4))) static void note_early(latch_parser *p, size_t at, const char *fmt, ...) {
    va_list ap;
    if (p->early.name != NULL && p->early_at <= at) return;
    p->early = (latch_fault){0};
    p->early_at = at;
    va_start(ap, fmt);
    note(p, &p->early, fmt, ap);
    va_end(ap);
}

void latch_parser_late(latch_parser *p, const char *fmt, ...) {
    va_list ap;
    if (p->late.name != NULL) return;
    va_start(ap, fmt);
    note(p, &p->late, fmt, ap);
    va_end(ap);
}

bool latch_parser_refuse(latch_parser *p, const char *fmt, ...) {
    va_list ap;
    if (p->fault->name != NULL) return false;
    va_start(ap, fmt);
    note(p, p->fault, fmt, ap);
    va_end(ap);
    return false;
}

/* ── begin and end ─────────────────────────────────────────────────────────────────────────────────────────────────── */

bool latch_parser_begin(latch_parser *p, latch_str text, const char *kind, latch_placeholders *placeholders, latch_fault *fault) {
    *p = (latch_parser){.text = text, .kind = kind, .placeholders = placeholders, .arena = placeholders->arena, .fault = fault};
    if (text.len == 0) return latch_parser_refuse(p, "The expression can not be empty;");
    if (text.len > LATCH_EXPRESSION_MAX_BYTES && (kind[0] == 'U' || kind[0] == 'P')) /* updates and projections don't tell */
        return latch_parser_refuse(p, "Expression size has exceeded the maximum allowed size;");
    if (text.len > LATCH_EXPRESSION_MAX_BYTES)
        return latch_parser_refuse(p, "Expression size has exceeded the maximum allowed size; expression size: %zu", text.len);
    p->token = token_at(text, 0); /* `before` stays 0: what leads the first token is near it */
    return true;
}

static bool take(latch_parser *p, latch_fault found) {
    if (p->fault->name == NULL) *p->fault = found;
    return false;
}

bool latch_parser_end(latch_parser *p) {
    if (p->token.kind != TOKEN_END) return latch_parser_unexpected(p);
    latch_parser_decide(p);
    if (p->redundant) return latch_parser_refuse(p, REDUNDANT);
    if (p->early.name != NULL) return take(p, p->early);
    if (p->late.name != NULL) return take(p, p->late);
    if (p->operators > LATCH_OPERATORS_MAX)
        return latch_parser_refuse(p, "The expression contains too many operators; operator count: %d",
                                   LATCH_OPERATORS_MAX + 1); /* it stops counting */
    return true;
}

/* ── paths ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* A word or #name as an attribute's name. */
static bool path_name(latch_parser *p, latch_str *out) {
    *out = token_text(p);
    if (p->token.kind == TOKEN_WORD) {
        if (latch_is_reserved(*out))
            note_early(p, p->token.start, "Attribute name is a reserved keyword; reserved keyword: %.*s", LATCH_ARG(*out));
        return latch_parser_next(p);
    }
    if (p->token.kind != TOKEN_NAME) return latch_parser_unexpected(p);
    const struct latch_placeholder_name *name = latch_placeholders_name(p->placeholders, *out);
    if (name == NULL)
        latch_parser_late(p, "An expression attribute name used in the document path is not defined; attribute name: %.*s",
                          LATCH_ARG(*out));
    else
        *out = name->name;
    return latch_parser_next(p);
}

static bool path_index(latch_parser *p, latch_path_part *out) {
    uint64_t index = 0;
    latch_parser_next(p);
    if (p->token.kind != TOKEN_NUMBER) return latch_parser_unexpected(p);
    latch_str digits = token_text(p);
    for (size_t i = 0; i < digits.len && index <= INT32_MAX; i++)
        index = index * 10 + (uint64_t)(digits.ptr[i] - '0');
    if (index > INT32_MAX) note_early(p, p->token.start, "List index is not within the allowable range; index: [%.*s]", LATCH_ARG(digits));
    *out = (latch_path_part){.name = digits, .index = (uint32_t)index, .indexed = true};
    latch_parser_next(p);
    return latch_parser_expect(p, TOKEN_INDEX_END);
}

static bool keep_path(latch_parser *p, const latch_path_part *parts, size_t count, latch_path *out) {
    if (count > LATCH_PATH_MAX) {
        latch_parser_late(p, "The document path has too many nesting levels; nesting levels: %zu", count);
        count = LATCH_PATH_MAX;
    }
    latch_path_part *kept = latch_arena_alloc(p->arena, count * sizeof *kept);
    if (kept == NULL) return latch_fault_full(p->fault);
    memcpy(kept, parts, count * sizeof *kept);
    *out = (latch_path){kept, count};
    return true;
}

bool latch_parse_path(latch_parser *p, latch_path *out) {
    latch_path_part parts[LATCH_PATH_MAX], part;
    size_t count = 1;
    parts[0] = (latch_path_part){0};
    if (!path_name(p, &parts[0].name)) return false;
    for (; p->token.kind == TOKEN_DOT || p->token.kind == TOKEN_INDEX; count++) {
        part = (latch_path_part){0};
        if (p->token.kind == TOKEN_INDEX) {
            if (!path_index(p, &part)) return false;
        } else {
            latch_parser_next(p);
            if (!path_name(p, &part.name)) return false;
        }
        if (count < LATCH_PATH_MAX) parts[count] = part;
    }
    return keep_path(p, parts, count, out);
}

latch_str latch_path_text(latch_arena *arena, latch_path path) {
    size_t bytes = 2, at = 1;
    for (size_t i = 0; i < path.count; i++)
        bytes += path.parts[i].name.len + 4;
    char *text = latch_arena_alloc(arena, bytes);
    if (text == NULL) return (latch_str){NULL, 0};
    text[0] = '[';
    for (size_t i = 0; i < path.count; i++) {
        const latch_path_part *part = &path.parts[i];
        if (i > 0) {
            text[at++] = ',';
            text[at++] = ' ';
        }
        if (part->indexed) text[at++] = '[';
        if (part->name.len > 0) memcpy(text + at, part->name.ptr, part->name.len);
        at += part->name.len;
        if (part->indexed) text[at++] = ']';
    }
    text[at++] = ']';
    return (latch_str){text, at};
}

const latch_av *latch_path_find(latch_path path, const latch_item *item) {
    const latch_av *at = latch_item_get(item, path.parts[0].name);
    for (size_t i = 1; i < path.count && at != NULL; i++) {
        const latch_path_part *part = &path.parts[i];
        if (part->indexed)
            at = at->type == LATCH_TYPE_L && part->index < at->as.list.count ? &at->as.list.values[part->index] : NULL;
        else
            at = at->type == LATCH_TYPE_M ? latch_item_get(&at->as.map, part->name) : NULL;
    }
    return at;
}

static bool same_path(latch_path a, latch_path b) {
    if (a.count != b.count) return false;
    for (size_t i = 0; i < a.count; i++)
        if (a.parts[i].indexed != b.parts[i].indexed || !latch_str_eq(a.parts[i].name, b.parts[i].name)) return false;
    return true;
}

/* ── operands ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define ANY_TYPE (~0u)
#define BIT(type) (1u << (type))

static const struct {
    const char *name;
    latch_use use;
    uint32_t count; /* of operands */
    bool needs_path;
    unsigned types; /* of operands */
} functions[] = {
    [FUNCTION_ATTRIBUTE_EXISTS] = {"attribute_exists", USE_CONDITION, 1, true, ANY_TYPE},
    [FUNCTION_ATTRIBUTE_NOT_EXISTS] = {"attribute_not_exists", USE_CONDITION, 1, true, ANY_TYPE},
    [FUNCTION_ATTRIBUTE_TYPE] = {"attribute_type", USE_CONDITION, 2, false, ANY_TYPE},
    [FUNCTION_BEGINS_WITH] = {"begins_with", USE_CONDITION, 2, false, BIT(LATCH_TYPE_S) | BIT(LATCH_TYPE_B)},
    [FUNCTION_CONTAINS] = {"contains", USE_CONDITION, 2, false, ANY_TYPE},
    [FUNCTION_SIZE] = {"size", USE_OPERAND, 1, false, ~(BIT(LATCH_TYPE_N) | BIT(LATCH_TYPE_BOOL) | BIT(LATCH_TYPE_NULL))},
    [FUNCTION_IF_NOT_EXISTS] = {"if_not_exists", USE_OPERAND, 2, true, ANY_TYPE},
    [FUNCTION_LIST_APPEND] = {"list_append", USE_VALUE, 2, false, BIT(LATCH_TYPE_L)},
};

static latch_function function_named(latch_str name) {
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (strlen(functions[i].name) == name.len && memcmp(functions[i].name, name.ptr, name.len) == 0) return (latch_function)i;
    return FUNCTION_NONE;
}

static bool is_of_update(latch_function f) { return f == FUNCTION_IF_NOT_EXISTS || f == FUNCTION_LIST_APPEND; }

void latch_parser_check_use(latch_parser *p, const latch_operand *operand, latch_use use) {
    if (operand->kind != OPERAND_CALL) return;
    latch_function f = operand->as.call.function;
    latch_str name = operand->as.call.name;
    bool updates = p->kind[0] == 'U';
    if (f == FUNCTION_NONE) {
        note_early(p, operand->as.call.at, "Invalid function name; function: %.*s", LATCH_ARG(name));
        return;
    }
    if (updates != is_of_update(f)) {
        note_early(p, operand->as.call.at, "The function is not allowed in %s expression; function: %.*s",
                   updates ? "an update" : "a condition", LATCH_ARG(name));
        return;
    }
    if (functions[f].use == use || (functions[f].use == USE_OPERAND && use == USE_VALUE)) return;
    note_early(p, operand->as.call.at, "The function is not allowed to be used this way in an expression; function: %.*s", LATCH_ARG(name));
}

int latch_operand_type(const latch_operand *operand) {
    if (operand->kind == OPERAND_VALUE) return operand->as.value != NULL ? (int)operand->as.value->value.type : -1;
    return operand->kind == OPERAND_CALL && operand->as.call.function == FUNCTION_SIZE ? (int)LATCH_TYPE_N : -1;
}

bool latch_parser_check_type(latch_parser *p, const latch_operand *operand, const char *name, unsigned allowed) {
    int type = latch_operand_type(operand);
    if (type < 0 || (allowed & BIT(type)) != 0) return true;
    latch_parser_late(p, "Incorrect operand type for operator or function; operator or function: %s, operand type: %s", name,
                      latch_type_name((latch_type)type));
    return false;
}

void latch_parser_check_distinct(latch_parser *p, const latch_operand *first, const latch_operand *others, const char *name) {
    if (first->kind != OPERAND_PATH || p->late.name != NULL) return;
    for (; others != NULL; others = others->next) {
        if (others->kind != OPERAND_PATH || !same_path(first->as.path, others->as.path)) continue;
        latch_str path = latch_path_text(p->arena, first->as.path);
        latch_parser_late(p,
                          "The first operand must be distinct from the remaining operands for this operator or function; operator: %s, "
                          "first operand: %.*s",
                          name, LATCH_ARG(path));
        return;
    }
}

/* The second operand of attribute_type: S, N … A path has no type yet, and Local names them all. */
static void check_type_name(latch_parser *p, const latch_operand *operand) {
    static const char any[] = "{NS,DECIMALSET,DICT,INT,L,S,HDS,BOOL,N,M,DOUBLE,BS,NULL,FS,INTSET,FLOAT,HD,B,SS,DECIMAL,DOUBLESET}";
    int type = latch_operand_type(operand);
    if (operand->kind == OPERAND_VALUE && type < 0) return; /* not defined, which was noted */
    if (operand->kind != OPERAND_VALUE || type != LATCH_TYPE_S) {
        latch_parser_late(p, "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: %s",
                          type < 0 ? any : latch_type_name((latch_type)type));
        return;
    }
    latch_str name = operand->as.value->value.as.text;
    for (int i = 0; i <= LATCH_TYPE_BS; i++)
        if (latch_str_eq(latch_str_of(latch_type_name((latch_type)i)), name)) return;
    latch_parser_late(p, "Invalid attribute type name found; type: %.*s, valid types: {N,BS,L,B,NULL,M,S,SS,NS,BOOL}", LATCH_ARG(name));
}

static void check_call(latch_parser *p, const latch_operand *call) {
    latch_function f = call->as.call.function;
    const latch_operand *first = call->as.call.operands;
    if (f == FUNCTION_NONE || p->late.name != NULL) return;
    const char *name = functions[f].name;
    if (call->as.call.count != functions[f].count) {
        latch_parser_late(p, "Incorrect number of operands for operator or function; operator or function: %s, number of operands: %u",
                          name, (unsigned)call->as.call.count);
        return;
    }
    if (functions[f].needs_path && first->kind != OPERAND_PATH) {
        latch_parser_late(p, "Operator or function requires a document path; operator or function: %s", name);
        return;
    }
    for (const latch_operand *o = first; o != NULL; o = o->next)
        if (!latch_parser_check_type(p, o, name, functions[f].types)) return;
    if (f != FUNCTION_LIST_APPEND) latch_parser_check_distinct(p, first, first->next, name);
    if (f == FUNCTION_ATTRIBUTE_TYPE) check_type_name(p, first->next);
}

static latch_operand *new_operand(latch_parser *p, latch_operand_kind kind) {
    latch_operand *o = latch_arena_alloc(p->arena, sizeof *o);
    if (o == NULL) {
        (void)latch_fault_full(p->fault);
        return NULL;
    }
    *o = (latch_operand){.kind = kind};
    return o;
}

static latch_operand *call_operand(latch_parser *p, latch_str name, size_t at) {
    latch_operand *call = new_operand(p, OPERAND_CALL);
    if (call == NULL) return NULL;
    call->as.call.function = function_named(name);
    call->as.call.name = name;
    call->as.call.at = at;
    latch_operand **end = &call->as.call.operands;
    bool unused;
    do {
        if (p->token.kind == TOKEN_OPEN && call->as.call.count == 0 ? !latch_parser_open(p) : !latch_parser_next(p)) return NULL;
        if ((*end = latch_parse_operand(p, &unused)) == NULL) return NULL;
        latch_parser_check_use(p, *end, USE_OPERAND);
        end = &(*end)->next;
        call->as.call.count++;
    } while (p->token.kind == TOKEN_COMMA);
    if (!latch_parser_expect(p, TOKEN_CLOSE)) return NULL;
    p->depth--;
    p->operators++;
    check_call(p, call);
    return call;
}

static latch_operand *value_operand(latch_parser *p) {
    latch_operand *o = new_operand(p, OPERAND_VALUE);
    if (o == NULL) return NULL;
    latch_str key = token_text(p);
    o->as.value = latch_placeholders_value(p->placeholders, key);
    if (o->as.value == NULL)
        latch_parser_late(p, "An expression attribute value used in expression is not defined; attribute value: %.*s", LATCH_ARG(key));
    latch_parser_next(p);
    return o;
}

/* A parenthesis behind this word makes it a function's name. */
static bool is_called(const latch_parser *p) {
    size_t at = p->token.end;
    while (at < p->text.len && class_of(p->text.ptr[at]) == BLANK)
        at++;
    return at < p->text.len && p->text.ptr[at] == '(';
}

latch_operand *latch_parse_plain_operand(latch_parser *p) {
    if (p->token.kind == TOKEN_VALUE) return value_operand(p);
    if (p->token.kind == TOKEN_WORD && is_called(p)) {
        latch_token name = p->token;
        latch_str text = token_text(p);
        latch_parser_next(p);
        return call_operand(p, text, name.start);
    }
    if (p->token.kind != TOKEN_WORD && p->token.kind != TOKEN_NAME) {
        (void)latch_parser_unexpected(p);
        return NULL;
    }
    latch_operand *o = new_operand(p, OPERAND_PATH);
    if (o == NULL || !latch_parse_path(p, &o->as.path)) return NULL;
    o->other_path = p->paths;
    p->paths = o;
    return o;
}

latch_operand *latch_parse_operand(latch_parser *p, bool *parenthesised) {
    bool inner;
    *parenthesised = p->token.kind == TOKEN_OPEN;
    if (!*parenthesised) return latch_parse_plain_operand(p);
    if (!latch_parser_open(p)) return NULL;
    latch_operand *o = latch_parse_operand(p, &inner);
    if (o == NULL || !latch_parser_expect(p, TOKEN_CLOSE)) return NULL;
    latch_parser_note_redundant(p, inner);
    p->depth--;
    return o;
}
