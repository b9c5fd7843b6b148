/* latch_run.h - latch, as a person runs it: on latch-local dynamodb, and where LATCH_TEST_ENDPOINT_FILE names one, on DynamoDB Local. */
#ifndef TESTS_LATCH_RUN_H
#define TESTS_LATCH_RUN_H

#include "local.h"

#define LATCH_TOOL LATCH_BUILD_DIR "/latch"
#define LATCH_REGION "eu-west-1"

extern char latch_run_url[64], latch_run_table[64]; /* of the DynamoDB, and a table's name that nobody else uses */
extern pid_t latch_run_server;                      /* latch-local dynamodb; 0: another's is used */

/* Nothing of the caller's environment but keys; tear_down deletes the table, where there is one. */
int latch_run_set_up(void **state);
int latch_run_tear_down(void **state);

/* Words up to NULL; where DynamoDB is comes from the environment. */
local_run latch_run(const char *const *words);
#define LATCH_RUN_WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/*
 * DynamoDB's operations that latch-local dynamodb was asked for since the last call of this, each once, in the order of `known` (up to NULL),
 * which has them all: "GetItem UpdateItem".
 */
void latch_run_operations(const char *const *known, char *out, size_t room);

/* The run ended with the status, and each of the texts stands where it should; NULL: nothing does. */
void latch_run_expect(local_run run, int exit_status, const char *out, const char *err);

typedef struct latch_run_row { /* a run, and how it ends */
    const char *words[12];     /* up to NULL */
    int exit_status;
    const char *out, *err;
} latch_run_row;
void latch_run_expect_each(const latch_run_row *rows, size_t count);

/* Begins it on a terminal, and waits until it asks: latch_run_answered gives the answer, and is how it ended. */
typedef struct latch_run_asked {
    pid_t pid;
    int terminal;
} latch_run_asked;
latch_run_asked latch_run_until_asked(const char *const *words);
local_run latch_run_answered(latch_run_asked asked, const char *answer);

#endif
