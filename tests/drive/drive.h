/*
 * drive.h - what the driver's calls are made of: a process that makes any store's calls for whoever writes to its standard input, so that a
 * harness in any language has Latch's processes beside those of other libraries. tests/interop/README.md has the lines.
 */
#ifndef TESTS_DRIVE_H
#define TESTS_DRIVE_H

#include "latch.h"

#define DRIVE_HOLDS 64 /* of one session */

/* How a member of a policy's JSON becomes one of its struct. The list ends with a NULL name. */
typedef enum drive_kind {
    DRIVE_TEXT,
    DRIVE_TEXTS, /* a list, ends with NULL */
    DRIVE_INT,   /* int64_t, size_t */
    DRIVE_UINT32,
    DRIVE_NUMBER,
    DRIVE_TRUTH,
    DRIVE_WORD,     /* one of `words`: an enum's */
    DRIVE_PART,     /* a struct that a pointer leads to */
    DRIVE_CONSTANT, /* `constant`, where it is true */
    DRIVE_WORK      /* drive_work, where it is true */
} drive_kind;
typedef struct drive_field {
    const char *name;
    drive_kind kind;
    size_t offset;
    const char *const *words; /* its values from 0 on, ends with NULL */
    const struct drive_field *part;
    size_t part_bytes;
    const void *constant;
} drive_field;

#define DRIVE_END                                                                                                                          \
    { .name = NULL }

/* One line. */
typedef struct drive_call {
    latch_ctx *cx;
    latch_json line;    /* whole, for what else the call wants */
    const void *policy; /* of the store's type; the same text is the same policy */
    latch_str key;      /* empty where there is none */
    struct drive_session *session;
} drive_call;

/* *out: what the call gave, whatever its status; null: nothing. */
typedef latch_status drive_fn(drive_call *call, latch_json *out);
typedef struct drive_verb {
    const char *name;
    drive_fn *call;
} drive_verb;

typedef struct drive_store {
    const char *name;
    size_t policy_bytes;
    const drive_field *fields;
    const drive_verb *verbs; /* ends with a NULL name */
} drive_store;

extern const drive_store drive_adaptive, drive_attempts, drive_cache, drive_cooldown, drive_counter, drive_dedupe, drive_kv, drive_lock,
    drive_once, drive_pcounter, drive_pkv, drive_rate, drive_saga;

/* The work that a policy's "work": true or "load": true asks for: does what the line's "work" says. */
latch_status drive_work(latch_ctx *cx, latch_work *work);

/* What the work of this line did: {"runs", "takeovers", "overlaps"}; null where it didn't run. */
latch_json drive_worked(latch_ctx *cx);

/* The session's hold that the line's "hold" names ("" where it names none), made where it isn't there; NULL: there are too many. */
latch_hold *drive_hold(drive_call *call);

/* For latch_read: text that may be empty, or not be there. */
static inline latch_into drive_text(latch_str *at) { return latch_optional(latch_bytes(at, 0, INT64_MAX)); }

/* A member of the line, of any kind; LATCH_NULL where it isn't there. */
latch_json drive_json(drive_call *call, const char *name);

/* A list of texts; they live as long as cx. LATCH_E_INPUT: it is none. */
latch_status drive_texts(drive_call *call, const char *name, const latch_str **out, size_t *count);

/* `sweep` of the line: {"scope", "all", "segments"}; and what came of it. */
latch_status drive_sweep(drive_call *call, latch_sweep *out);
latch_json drive_swept(latch_ctx *cx, const latch_swept *swept);

#endif
