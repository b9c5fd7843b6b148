/*
 * store/naming.h - names of tables that carry their environment, as @paradoxical-io/common-aws (dynamoTableName, assertTableNameValid) has
 * them: a function that is deployed with the wrong variable doesn't write into another environment's table.
 */
#ifndef LATCH_STORE_NAMING_H
#define LATCH_STORE_NAMING_H

#include "core/status.h"

LATCH_BEGIN_C

/*
 * *out = paradox.<env>.<name>, with a NUL behind it; `local` is called `dev`. In cx's memory. LATCH_E_MISUSE: `env` or `name` is empty or
 * has anything but a-z, A-Z, 0-9, _ and - (`name` also .), or both are too long for a table's 255 bytes. LATCH_E_NOMEM.
 */
LATCH_NODISCARD latch_status latch_dynamo_table_name(latch_ctx *cx, const char *env, const char *name, latch_str *out) LATCH_NONNULL;

/* LATCH_E_MISUSE unless `table` has `.<env>.` in it, or env is `local`, where any name will do. */
LATCH_NODISCARD latch_status latch_dynamo_table_check(latch_ctx *cx, const char *env, const char *table) LATCH_NONNULL;

LATCH_END_C

#endif
