/* core/env.h - the process's environment, as everything that is set by it reads it. */
#ifndef LATCH_CORE_ENV_H
#define LATCH_CORE_ENV_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* NULL: it isn't set, or set to nothing, which is how a template unsets one. Borrowed: good until the environment is changed. */
static inline const char *latch_env_get(const char *name) {
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : NULL;
}

/* A switch: set, to anything but 0, false or off. */
static inline bool latch_env_is_on(const char *name) {
    const char *value = latch_env_get(name);
    return value != NULL && strcmp(value, "0") != 0 && strcasecmp(value, "false") != 0 && strcasecmp(value, "off") != 0;
}

#endif
