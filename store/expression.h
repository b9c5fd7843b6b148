/*
 * store/expression.h - what stands behind the placeholders of DynamoDB's expressions: "#name" and ":value" are found by reading the
 * expressions, so nobody lists what can be seen. For whoever writes requests.
 */
#ifndef LATCH_STORE_EXPRESSION_H
#define LATCH_STORE_EXPRESSION_H

#include "core/text.h"

#define LATCH_EXPRESSION_NAMES_MAX 64 /* of each sigil, in all expressions of a request */

typedef struct latch_expression_names { /* "#created" or ":now", each once, in the order they come in; they point into the expressions */
    latch_str names[LATCH_EXPRESSION_NAMES_MAX];
    size_t count;
} latch_expression_names;

/* Adds those of one expression; NULL has none. Fails the writer where they are too many, or where a sigil has no name behind it. */
void latch_expression_collect(const char *expression, char sigil, latch_expression_names *names, latch_text_writer *t);

typedef struct latch_expression_set { /* of one request; NULL: it has no such */
    const char *update, *condition, *key_condition, *filter, *projection;
    const latch_pair *names;  /* "#st" to "status"; a "#name" that isn't here stands for `name` */
    const latch_pair *values; /* ":v" to a value of any kind */
} latch_expression_set;

/*
 * ,"UpdateExpression":"…", … ,"ExpressionAttributeNames":{…},"ExpressionAttributeValues":{…}: what there is of them. LATCH_E_MISUSE: a
 * placeholder without a value, a name or a value that no expression uses, a value that DynamoDB would refuse.
 */
void latch_expression_put(latch_text_writer *t, const latch_expression_set *x);

#endif
