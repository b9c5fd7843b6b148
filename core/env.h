/* core/env.h - the process's environment, as everything that is set by it reads it. */
#ifndef LATCH_CORE_ENV_H
#define LATCH_CORE_ENV_H

#include <stdlib.h>

/* NULL: it isn't set, or set to nothing, which is how a template unsets one. Borrowed: good until the environment is changed. */
static inline const char *latch_env_get(const char *name) {
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : NULL;
}

#endif
