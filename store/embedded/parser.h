/*
 * store/embedded/parser.h - what the five kinds of expression share: tokens, paths, operands, functions, and which error comes first.
 *
 * One pass, no backtracking, no copy of the text. DynamoDB looks at an expression several times and reports the first error of the
 * earliest look: syntax and redundant parentheses; function names, reserved words and list indexes by their place in the text; then
 * what operands stand for. So a fault found on the way is kept in the slot of its look, and latch_parser_end takes the first.
 */
#ifndef LATCH_STORE_EMBEDDED_PARSER_H
#define LATCH_STORE_EMBEDDED_PARSER_H

#include "store/embedded/expression.h"

#define LATCH_EXPRESSION_MAX_BYTES 4096
#define LATCH_OPERATORS_MAX 300
#define LATCH_PATH_MAX 32
#define LATCH_IN_MAX 100
#define LATCH_PARENTHESES_MAX 320 /* deeper, there are over 300 operators or redundant parentheses */

/* What both kinds of placeholder begin with. */
typedef struct latch_placeholder_head {
    latch_str key;  /* "#n", ":v" */
    uint32_t order; /* as sent: many are kept sorted by key */
    bool used;
} latch_placeholder_head;

struct latch_placeholder_name {
    latch_placeholder_head head;
    latch_str name;
};

struct latch_placeholder_value {
    latch_placeholder_head head;
    latch_av value;
    yyjson_val *json; /* as sent: BETWEEN's texts show a number as it was written */
};

/* NULL: not defined. Marks it as used. */
const struct latch_placeholder_name *latch_placeholders_name(latch_placeholders *p, latch_str key);
const struct latch_placeholder_value *latch_placeholders_value(latch_placeholders *p, latch_str key);

bool latch_is_reserved(latch_str word); /* whatever its case */

typedef enum latch_token_kind {
    TOKEN_END,
    TOKEN_UNKNOWN,
    TOKEN_WORD,
    TOKEN_NAME,  /* #n */
    TOKEN_VALUE, /* :v */
    TOKEN_NUMBER,
    TOKEN_DOT,
    TOKEN_COMMA,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_INDEX, /* [ */
    TOKEN_INDEX_END,
    TOKEN_PLUS,
    TOKEN_MINUS,
    TOKEN_EQ,
    TOKEN_NE,
    TOKEN_LT,
    TOKEN_LE,
    TOKEN_GT,
    TOKEN_GE,
    TOKEN_AND,
    TOKEN_OR,
    TOKEN_NOT,
    TOKEN_BETWEEN,
    TOKEN_IN,
    TOKEN_SET,
    TOKEN_REMOVE,
    TOKEN_ADD,
    TOKEN_DELETE
} latch_token_kind;

typedef struct latch_token {
    latch_token_kind kind;
    size_t start, end;
} latch_token;

typedef struct latch_path_part {
    latch_str name; /* of an element: its digits */
    uint32_t index;
    bool indexed;
} latch_path_part;

typedef struct latch_path {
    const latch_path_part *parts;
    size_t count;
} latch_path;

typedef enum latch_function {
    FUNCTION_ATTRIBUTE_EXISTS,
    FUNCTION_ATTRIBUTE_NOT_EXISTS,
    FUNCTION_ATTRIBUTE_TYPE,
    FUNCTION_BEGINS_WITH,
    FUNCTION_CONTAINS,
    FUNCTION_SIZE,
    FUNCTION_IF_NOT_EXISTS,
    FUNCTION_LIST_APPEND,
    FUNCTION_NONE /* no such function */
} latch_function;

typedef enum latch_operand_kind { OPERAND_PATH, OPERAND_VALUE, OPERAND_CALL } latch_operand_kind;

typedef struct latch_operand latch_operand;
struct latch_operand {
    latch_operand_kind kind;
    latch_operand *next;       /* of a function's or IN's operands */
    latch_operand *other_path; /* of all paths in the expression, last one first */
    union {
        latch_path path;
        const struct latch_placeholder_value *value; /* NULL only in an expression that is refused */
        struct {
            latch_function function;
            uint32_t count;
            size_t at; /* of its name in the text */
            latch_str name;
            latch_operand *operands;
        } call;
    } as;
};

/* Where a function stands: each may stand in one of them. */
typedef enum latch_use { USE_CONDITION, USE_OPERAND, USE_VALUE /* the whole right side of a SET */ } latch_use;

typedef struct latch_parser {
    latch_str text;
    const char *kind; /* "ConditionExpression" */
    latch_placeholders *placeholders;
    latch_arena *arena;
    latch_fault *fault; /* of syntax, or a full arena: it ends the parsing */
    latch_token token;
    size_t before; /* where the token before this one starts */
    latch_operand *paths;
    uint32_t operators;
    int depth;
    bool redundant; /* parentheses: they count before a fault of syntax behind them */
    bool undecided; /* it may still become a comparison or not: redundant ones are noted in `tentative` until then */
    bool tentative;
    size_t early_at;   /* place of `early` in the text */
    latch_fault early; /* function names, reserved words, list indexes: the leftmost */
    latch_fault late;  /* operands: the first one found */
} latch_parser;

/* False: *fault (empty, too long). Then `token` is the first one. */
bool latch_parser_begin(latch_parser *p, latch_str text, const char *kind, latch_placeholders *placeholders, latch_fault *fault);
/* Nothing may follow. False: *fault, of the earliest look. */
bool latch_parser_end(latch_parser *p);

bool latch_parser_next(latch_parser *p);                          /* true */
bool latch_parser_unexpected(latch_parser *p);                    /* false: "Syntax error" at this token */
bool latch_parser_expect(latch_parser *p, latch_token_kind kind); /* and past it */
bool latch_parser_open(latch_parser *p);                          /* past a parenthesis that begins; false: too many */
void latch_parser_note_redundant(latch_parser *p, bool redundant);
void latch_parser_decide(latch_parser *p); /* what was undecided is known */

/* Notes a fault, prefixed with "Invalid <kind>: ". */
void latch_parser_late(latch_parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool latch_parser_refuse(latch_parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* at once; false */

bool latch_parse_path(latch_parser *p, latch_path *out);
/* NULL: *fault. A path, a value or a call; *parenthesised says whether it stood in parentheses. */
latch_operand *latch_parse_operand(latch_parser *p, bool *parenthesised);
latch_operand *latch_parse_plain_operand(latch_parser *p); /* one that begins with no parenthesis; its use isn't checked */
void latch_parser_check_use(latch_parser *p, const latch_operand *operand, latch_use use);

/* -1: not known before there is an item. */
int latch_operand_type(const latch_operand *operand);
/* Notes "Incorrect operand type" where the type is known and not in `allowed` (bits 1 << type). False: noted. */
bool latch_parser_check_type(latch_parser *p, const latch_operand *operand, const char *name, unsigned allowed);
/* Notes where one of `others` is the path that `first` is. */
void latch_parser_check_distinct(latch_parser *p, const latch_operand *first, const latch_operand *others, const char *name);

/* "[m, l, [1]]"; ptr NULL: the arena is full. */
latch_str latch_path_text(latch_arena *arena, latch_path path);
const latch_av *latch_path_find(latch_path path, const latch_item *item); /* NULL: not there */

/*
 * A condition's syntax tree, for key_condition.c as well. AND and OR have any number of conditions, NOT one.
 */
typedef enum latch_condition_op {
    CONDITION_AND,
    CONDITION_OR,
    CONDITION_NOT,
    CONDITION_EQ,
    CONDITION_NE,
    CONDITION_LT,
    CONDITION_LE,
    CONDITION_GT,
    CONDITION_GE,
    CONDITION_BETWEEN,
    CONDITION_IN,
    CONDITION_CALL
} latch_condition_op;

typedef struct latch_condition_node latch_condition_node;
struct latch_condition_node {
    latch_condition_op op;
    latch_condition_node *next;  /* of its parent's conditions */
    latch_condition_node *first; /* of AND, OR, NOT */
    latch_operand *operands;     /* of a comparison, BETWEEN, IN: linked; of a call: the call itself */
};

struct latch_condition {
    const latch_condition_node *root;
    const latch_operand *paths;
};

/* "=", "BETWEEN", "contains" … */
const char *latch_condition_name(const latch_condition_node *node);

#endif
