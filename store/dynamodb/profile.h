/*
 * store/dynamodb/profile.h - the shared files of AWS's tools: ~/.aws/config and ~/.aws/credentials, or what AWS_CONFIG_FILE and
 * AWS_SHARED_CREDENTIALS_FILE name (`~/` in front is HOME).
 *
 *     [default]                      a section; in the config file others are [profile NAME], [services NAME], in the credentials file [NAME]
 *     region = eu-west-1             a key, without case, and its value; space around both doesn't count
 *     endpoint_url = …  # why        a comment begins a line, or follows a space
 *     services = desk
 *     [services desk]
 *     dynamodb =                     an empty value, below which
 *       endpoint_url = …             deeper lines are keys of its own
 *
 * Of a key that is there twice the last counts; a deeper line below a value goes on with it (and no value that is used here may).
 * Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files"; where it is silent, botocore.
 */
#ifndef LATCH_STORE_DYNAMODB_PROFILE_H
#define LATCH_STORE_DYNAMODB_PROFILE_H

#include "core/status.h"

#define LATCH_PROFILE_MAX_BYTES ((size_t)1 << 20) /* of a file */

/* ── the text: a parser that is fed bytes and knows no files ── */

typedef struct latch_profile_entry { /* all of it points into the text */
    latch_str section;               /* what stands between the brackets */
    latch_str key;                   /* empty: the section begins here */
    latch_str sub;                   /* of a key below a key; empty: none */
    latch_str value;                 /* with the line ends inside, where it goes on over several lines */
} latch_profile_entry;

typedef struct latch_profile_reader {
    latch_str text; /* borrowed */
    size_t line;    /* 1 for the first */
    bool broken;    /* that line is no section, key or comment */

    size_t at, indent; /* private from here on */
    latch_str section, key;
    bool nests;
} latch_profile_reader;

latch_profile_reader latch_profile_read(latch_str text);
bool latch_profile_next(latch_profile_reader *reader, latch_profile_entry *out); /* false: the end, or it is broken */

/* ── a profile of both files ── */

typedef enum latch_profile_file { LATCH_PROFILE_CREDENTIALS, LATCH_PROFILE_CONFIG } latch_profile_file;

typedef struct latch_profile {
    const char *name;   /* borrowed */
    char *paths[2];     /* by latch_profile_file; NULL: neither variable nor HOME */
    latch_str texts[2]; /* their bytes; empty: there is no such file */
    bool exists;        /* one of them has the profile */
} latch_profile;

/*
 * Reads both files; one that isn't there is as if it were empty. LATCH_E_MISUSE: a file that can't be read, that is larger than
 * LATCH_PROFILE_MAX_BYTES, or a line that makes no sense (its number, never its text); LATCH_E_NOMEM. Zero unless LATCH_OK.
 */
LATCH_NODISCARD latch_status latch_profile_open(latch_profile *out, const char *name, latch_err *err);
void latch_profile_close(latch_profile *profile); /* wipes what was read; a zero one: nothing */

/* The value, in the bytes of the profile; empty: there is none. find: of the credentials file, else of the config file. */
latch_str latch_profile_get(const latch_profile *profile, latch_profile_file file, const char *key);
latch_str latch_profile_find(const latch_profile *profile, const char *key);

/* The same of the config file's section `[services NAME]`: sub of key. */
latch_str latch_profile_service(const latch_profile *profile, latch_str name, const char *key, const char *sub);

#endif
