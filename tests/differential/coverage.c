#include "tests/differential/coverage.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PER_OPERATION 200
#define PER_ERROR 20
#define SHARE 5 /* each truth at least in a fifth */

static const char *const operations[] = {
    "GetItem",      "PutItem",        "UpdateItem",       "DeleteItem",         "Query",       "Scan",
    "BatchGetItem", "BatchWriteItem", "TransactGetItems", "TransactWriteItems", "CreateTable", "DescribeTable",
    "DeleteTable",  "ListTables",     "UpdateTimeToLive", "DescribeTimeToLive"};

/* Those that a DynamoDB of one's own can give; the others are of credentials, quotas and load. */
static const char *const errors[] = {"ValidationException",    "ConditionalCheckFailedException", "ResourceNotFoundException",
                                     "ResourceInUseException", "TransactionCanceledException",    "IdempotentParameterMismatchException",
                                     "SerializationException", "UnknownOperationException"};

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static size_t find(const counts *c, const char *name) {
    size_t i = 0;
    while (i < c->len && strcmp(c->of[i].name, name) != 0)
        i++;
    return i;
}

static uint64_t count_of(const counts *c, const char *name) {
    size_t at = find(c, name);
    return at < c->len ? c->of[at].count : 0;
}

void coverage_add(counts *c, const char *name, uint64_t n) {
    size_t at = find(c, name);
    if (at == COVERED_MAX) return;
    if (at == c->len) c->of[c->len++] = (counted){.name = need_memory(strdup(name))};
    c->of[at].count += n;
}

void coverage_template(const char *says, char *out, size_t bytes) {
    size_t len = 0;
    for (const char *at = says; *at != '\0' && len + 2 < bytes; at++) {
        if (isdigit((unsigned char)*at) && len > 0 && out[len - 1] == '0') continue;
        out[len++] = isdigit((unsigned char)*at) ? '0' : *at;
        if (*at == ':' && at[1] == ' ' && strchr("#:[{", at[2]) != NULL) break; /* what follows is the request's own */
    }
    out[len] = '\0';
}

void coverage_answer(coverage *c, const char *operation, const reply *r) {
    char line[512];
    coverage_add(&c->operations, operation, 1);
    if (r->http_status == 200) coverage_add(&c->good, operation, 1);
    if (r->http_status == 200) return;
    coverage_add(&c->errors, reply_error(r), 1);
    coverage_template(reply_message(r), line, sizeof line);
    coverage_add(&c->texts, line, 1);
}

static void merge_counts(counts *into, const counts *from) {
    for (size_t i = 0; i < from->len; i++)
        coverage_add(into, from->of[i].name, from->of[i].count);
}

void coverage_merge(coverage *into, const coverage *from) {
    merge_counts(&into->operations, &from->operations);
    merge_counts(&into->good, &from->good);
    merge_counts(&into->errors, &from->errors);
    merge_counts(&into->texts, &from->texts);
    merge_counts(&into->rows, &from->rows);
    for (size_t f = 0; f < FUNCTION_COUNT; f++)
        for (size_t truth = 0; truth < 2; truth++)
            into->functions[f][truth] += from->functions[f][truth];
    into->requests += from->requests;
    into->pages += from->pages;
    into->checks += from->checks;
}

static void free_counts(counts *c) {
    for (size_t i = 0; i < c->len; i++)
        free(c->of[i].name);
    c->len = 0;
}

void coverage_free(coverage *c) {
    counts *const all[] = {&c->operations, &c->good, &c->errors, &c->texts, &c->rows};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        free_counts(all[i]);
}

void coverage_print(const coverage *c) {
    printf("requests %llu, answers with pages %llu, whole tables compared %llu times\n", (unsigned long long)c->requests,
           (unsigned long long)c->pages, (unsigned long long)c->checks);
    printf("%-22s %10s %10s\n", "operation", "answers", "of them 200");
    for (size_t i = 0; i < COUNT_OF(operations); i++)
        printf("%-22s %10llu %10llu\n", operations[i], (unsigned long long)count_of(&c->operations, operations[i]),
               (unsigned long long)count_of(&c->good, operations[i]));
    printf("%-22s %10s %10s\n", "function", "true", "false");
    for (size_t f = 0; f < FUNCTION_COUNT; f++)
        printf("%-22s %10llu %10llu\n", function_names[f], (unsigned long long)c->functions[f][1], (unsigned long long)c->functions[f][0]);
    printf("%-44s %10s\n", "error", "answers");
    for (size_t i = 0; i < c->errors.len; i++)
        printf("%-44s %10llu\n", c->errors.of[i].name, (unsigned long long)c->errors.of[i].count);
    printf("error texts, numbers and names aside: %zu\n", c->texts.len);
    for (size_t i = 0; i < c->rows.len; i++)
        printf("listed difference, %llu times: %s\n", (unsigned long long)c->rows.of[i].count, c->rows.of[i].name);
}

static size_t below(const char *what, const char *name, uint64_t count, uint64_t floor) {
    if (count >= floor) return 0;
    fprintf(stderr, "differential: %s %s was covered %llu times, at least %llu are wanted\n", what, name, (unsigned long long)count,
            (unsigned long long)floor);
    return 1;
}

size_t coverage_missing(const coverage *c) {
    size_t missing = 0;
    for (size_t i = 0; i < COUNT_OF(operations); i++)
        missing += below("operation", operations[i], count_of(&c->operations, operations[i]), PER_OPERATION);
    for (size_t i = 0; i < COUNT_OF(errors); i++)
        missing += below("error", errors[i], count_of(&c->errors, errors[i]), PER_ERROR);
    for (size_t f = 0; f < FUNCTION_COUNT; f++) {
        uint64_t uses = c->functions[f][0] + c->functions[f][1], floor = uses / SHARE + 1;
        missing += below("true", function_names[f], c->functions[f][1], floor);
        missing += below("false", function_names[f], c->functions[f][0], floor);
    }
    return missing;
}
