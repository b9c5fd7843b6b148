#include "store/naming.h"

#include <string.h>

#include "core/ctx_private.h"

#define TABLE_MAX_BYTES 255

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

static bool is_word(const char *s, bool dots) {
    size_t len = strlen(s);
    for (size_t i = 0; i < len; i++)
        if (strchr(letters, s[i]) == NULL && !(dots && s[i] == '.')) return false;
    return len > 0;
}

static latch_status check_env(latch_ctx *cx, const char *env) {
    if (is_word(env, false)) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "table name: the environment is \"%s\", want letters, digits, _ and -", env);
}

latch_status latch_dynamo_table_name(latch_ctx *cx, const char *env, const char *name, latch_str *out) {
    *out = LATCH_STR("");
    LATCH_TRY(check_env(cx, env));
    if (!is_word(name, true)) return latch_err_set(&cx->err, LATCH_E_MISUSE, "table name: \"%s\" wants letters, digits, _, - and .", name);
    latch_str made = latch_ctx_text(cx, "paradox.%s.%s", strcmp(env, "local") == 0 ? "dev" : env, name);
    if (made.ptr == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "table name: the arena is full");
    if (made.len > TABLE_MAX_BYTES)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "table name: has %zu bytes, want at most %d: %s", made.len, TABLE_MAX_BYTES,
                             made.ptr);
    *out = made;
    return LATCH_OK;
}

latch_status latch_dynamo_table_check(latch_ctx *cx, const char *env, const char *table) {
    size_t len = strlen(env);
    LATCH_TRY(check_env(cx, env));
    if (strcmp(env, "local") == 0) return LATCH_OK;
    for (const char *at = strchr(table, '.'); at != NULL; at = strchr(at + 1, '.'))
        if (strncmp(at + 1, env, len) == 0 && at[1 + len] == '.') return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "table name: %s is not of the environment %s: want paradox.%s.<name>", table, env, env);
}
