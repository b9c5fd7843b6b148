/*
 * environment.h - the environment that a function's process gets.
 *
 * Least to most: latch-local's own (without what Lambda reserves), the template's Environment where latch-local's own doesn't have the
 * name (as SAM does: so that LOG_LEVEL=DEBUG latch-local … works), --env-file, --env, and what Lambda itself sets.
 *
 * Several at once, and SnapStart, are what only Lambda's own environment has: a runtime takes it for Lambda, where a store in memory must be
 * asked for. So LATCH_STORE is embedded there, unless it is set to something else or LATCH_TABLE is.
 */
#ifndef LATCH_LOCAL_ENVIRONMENT_H
#define LATCH_LOCAL_ENVIRONMENT_H

#include "template.h"

typedef struct latch_environment {
    const latch_function *function;
    const latch_variables *given; /* --env-file, --env */
    const char *region;
    const char *bootstrap; /* its path: LAMBDA_TASK_ROOT is its folder */
    uint16_t api_port;
    size_t concurrency;            /* above 1: as on Lambda Managed Instances */
    const char *credentials_token; /* NULL: no SnapStart */
} latch_environment;

char **latch_environment_make(const latch_environment *e, char *const *own); /* NULL-terminated */
void latch_environment_free(char **env);

/* A region for everybody: AWS_REGION, AWS_DEFAULT_REGION, us-east-1. */
const char *latch_environment_region(const latch_variables *given);

/* An option's "NAME=VALUE" into a latch_variables; false where it is none. */
bool latch_environment_add(void *variables, latch_str pair);

/* Lines of NAME=VALUE; '#' begins a comment line, `export ` is skipped, a value may stand in quotes. LATCH_E_INPUT: "dev.env:3: …". */
latch_status latch_environment_read(const char *path, latch_variables *out, latch_err *err);

#endif
