/*
 * subject.h - the one item that a command is about: named as a handler names it, read, shown, and asked about before it is changed.
 *
 *     latch lock show orders order-17                 the policy's .name, and the key that the handler gives
 *     latch lock show 'LOCK#orders#order-17'          as logs and messages say it
 */
#ifndef LATCH_TOOL_SUBJECT_H
#define LATCH_TOOL_SUBJECT_H

#include "facts.h"
#include "session.h"
#include "store/table.h"

typedef struct latch_subject_words { /* of a store, for messages */
    latch_table_key of;              /* its name, and what its pk begins with, which is its sk too */
    const char *absent;              /* what it means that there is no item */
} latch_subject_words;

struct latch_subject;
typedef latch_status latch_subject_fn(struct latch_subject *s);

typedef struct latch_subject {
    const char *command; /* "lock show" */
    const char *help;
    const latch_subject_words *words;
    latch_subject_fn *check;     /* whether the options fit together; NULL: any do */
    latch_connection connection; /* options, as all below to `yes` */
    const char *table;           /* NULL: not given */
    bool json, yes;
    const char *name; /* the policy's; ends with a NUL */
    latch_str key;    /* as a handler gives it */
    latch_str pk;     /* as it is stored */
    latch_session session;
} latch_subject;

/* The rows of an options' table for what is above; of whatever is changed LATCH_SUBJECT_YES too. */
#define LATCH_SUBJECT_OPTIONS(s)                                                                                                           \
    LATCH_CONNECTION_OPTIONS(&(s)->connection), {"--table", LATCH_OPTION_TEXT, &(s)->table, 0, 0}, {                                       \
        "--json", LATCH_OPTION_FLAG, &(s)->json, 0, 0                                                                                      \
    }
#define LATCH_SUBJECT_YES(s)                                                                                                               \
    { "--yes", LATCH_OPTION_FLAG, &(s)->yes, 0, 0 }

/*
 * Reads the arguments into `words`, at least `least` and at most `most` of them: what begins with - stands behind "--". `usage` is said where
 * there are too few. *count is how many. False: *exit_status is what to end with, for help was printed, or a complaint; nothing is to be ended.
 * True: the session has begun, and latch_subject_end ends it. Nothing is asked yet.
 */
bool latch_subject_arguments(latch_subject *s, const latch_option *options, size_t option_count, int argc, char **argv, const char **words,
                             size_t least, size_t most, const char *usage, size_t *count, int *exit_status);

/* The same of NAME KEY or of a stored key, into name, key and pk, and `run` with what they say; what to exit with. */
int latch_subject_run(latch_subject *s, const latch_option *options, size_t option_count, int argc, char **argv, latch_subject_fn *run);

/* Says what failed, on standard error, and what to exit with; standard output that can't be written is a failure too. */
int latch_subject_end(latch_subject *s, latch_status status);

LATCH_NODISCARD latch_status latch_subject_connect(latch_subject *s);

/* One consistent read. LATCH_MISSING: there is none, and which was looked for. *item is in DynamoDB's types, *plain as handlers write it. */
LATCH_NODISCARD latch_status latch_subject_read(latch_subject *s, latch_json *item, latch_json *plain);

/* "in eu-west-1", "at http://127.0.0.1:8000" */
latch_str latch_subject_place(latch_subject *s);

/* "LOCK#orders#order-17 is held, in table latch …" and the facts: on standard output as JSON where that is asked for. */
LATCH_NODISCARD latch_status latch_subject_show(latch_subject *s, const char *is, const latch_fact *facts, size_t count);

/*
 * LATCH_OK: --yes, or somebody at the terminal says so, who is shown the facts first. LATCH_E_MISUSE: not so, and nothing was done.
 * `question` "Break it?"; `undone` "nothing was broken".
 */
LATCH_NODISCARD latch_status latch_subject_ask(latch_subject *s, const char *is, const latch_fact *facts, size_t count,
                                               const char *question, const char *undone);

/* The two parts of a stored key with this prefix, as a handler gives them. False: it is none, or the arena is full. */
bool latch_subject_split(latch_ctx *cx, const char *prefix, latch_str pk, latch_str *name, latch_str *key);

#endif
