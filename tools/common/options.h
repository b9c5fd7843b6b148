/* options.h - a command's arguments: options, what they are about, and the program after "--". */
#ifndef LATCH_TOOLS_OPTIONS_H
#define LATCH_TOOLS_OPTIONS_H

#include "core/status.h"

typedef enum latch_option_kind {
    LATCH_OPTION_FLAG,    /* bool */
    LATCH_OPTION_TEXT,    /* const char *, borrowed from argv */
    LATCH_OPTION_NUMBER,  /* int64_t, within min and max */
    LATCH_OPTION_SECONDS, /* int64_t of milliseconds; min and max too; "2.5" is taken */
    LATCH_OPTION_EACH,    /* latch_option_each: may be given more than once */
} latch_option_kind;

typedef struct latch_option {
    const char *name; /* "--plays" */
    latch_option_kind kind;
    void *at;
    int64_t min, max;
} latch_option;

/* Called for each value of a LATCH_OPTION_EACH. False: it is none, and `want` says what would be one. */
typedef struct latch_option_each {
    bool (*add)(void *to, latch_str value);
    void *to;
    const char *want; /* "NAME=VALUE" */
} latch_option_each;

typedef struct latch_arguments {
    char **items; /* what is no option, in order; "-" is one of them */
    size_t count;
    char **program; /* what stands after "--", NULL-terminated; NULL: there is no "--" */
    bool help;      /* --help or -h stands before "--": nothing else was looked at */
} latch_arguments;

/* argv after the command's name. LATCH_E_MISUSE: one sentence with what is wrong and what was perhaps meant. clean_up either way. */
latch_status latch_options_parse(const latch_option *options, size_t count, int argc, char **argv, latch_arguments *out, latch_err *err);
void latch_arguments_clean_up(latch_arguments *args);

/* The one of `names` that `word` was perhaps meant to be; NULL where none is near. */
const char *latch_options_nearest(const char *word, const char *const *names, size_t count);

#endif
