/*
 * store/dynamodb/sigv4.h - AWS's Signature Version 4: what stands in a request's Authorization header.
 *
 *     latch_sigv4_stamp(latch_clock_wall_ms(&clock), stamp);
 *     const latch_sigv4_header headers[] = {{"host", host}, {"x-amz-date", latch_str_of(stamp)}, …};
 *     LATCH_TRY(latch_sigv4_put(&signer, &keys, stamp, &request, &text, err));
 *
 * Source: "Create a signed AWS API request" in AWS's IAM user guide. A signer belongs to one connection: not thread-safe. The signing key
 * is derived once per day and keys, and kept as two begun hashes; a request costs four short hashes and allocates nothing of ours.
 */
#ifndef LATCH_STORE_DYNAMODB_SIGV4_H
#define LATCH_STORE_DYNAMODB_SIGV4_H

#include "core/text.h"
#include "store/dynamodb/credentials.h"

#define LATCH_SIGV4_HEADERS_MAX 32
#define LATCH_SIGV4_STAMP_BYTES 17 /* "20261121T093000Z" and its NUL */

struct evp_md_st;
struct evp_md_ctx_st;

typedef struct latch_sigv4 { /* all of it private; zero: nothing to clean up */
    const char *region, *service;
    struct evp_md_st *sha256;
    struct evp_md_ctx_st *work, *inner, *outer; /* inner and outer: HMAC's, begun with the signing key */
    uint64_t generation;                        /* of the keys that it was derived from */
    char day[9];                                /* "20261121"; empty: there is no signing key yet */
} latch_sigv4;

typedef struct latch_sigv4_header {
    const char *name; /* in any case */
    latch_str value;  /* spaces and tabs around it don't count, and a run of them inside counts as one space */
} latch_sigv4_header;

typedef struct latch_sigv4_request {
    const char *method;
    const char *path, *query;          /* in canonical form: "/" and "" are */
    const latch_sigv4_header *headers; /* all that are signed, host and x-amz-date among them, in any order; of one name several */
    size_t header_count;
    latch_str body;
} latch_sigv4_request;

/* Borrows both names. LATCH_E_NOMEM: OpenSSL has no memory, or no SHA-256. Its configuration file is not read. */
LATCH_NODISCARD latch_status latch_sigv4_init(latch_sigv4 *s, const char *region, const char *service, latch_err *err);
void latch_sigv4_clean_up(latch_sigv4 *s); /* wipes the signing key */

void latch_sigv4_stamp(int64_t at_ms, char out[LATCH_SIGV4_STAMP_BYTES]); /* what x-amz-date says, in UTC */

/*
 * Puts the value of the Authorization header: "AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…". `stamp` is the time that the
 * header x-amz-date has. LATCH_E_MISUSE: more headers than LATCH_SIGV4_HEADERS_MAX. LATCH_E_DENIED: the keys are empty or have a control
 * byte in them. LATCH_E_NOMEM: OpenSSL's, or `out` is full.
 */
LATCH_NODISCARD latch_status latch_sigv4_put(latch_sigv4 *s, const latch_keys *keys, const char *stamp, const latch_sigv4_request *request,
                                             latch_text_writer *out, latch_err *err);

#endif
