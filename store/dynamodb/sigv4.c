#include "store/dynamodb/sigv4.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

#include "core/err.h"

#define HASH_BYTES 32
#define BLOCK_BYTES 64 /* of SHA-256, which HMAC fills with its key */
#define PIECE_BYTES 512
#define ALGORITHM "AWS4-HMAC-SHA256"
#define SECRET_MAX_BYTES 256

/* ── hashes ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* A hash that is fed many short pieces: they are put together before OpenSSL sees them. */
typedef struct sink {
    struct evp_md_ctx_st *md;
    bool failed;
    size_t len;
    char piece[PIECE_BYTES];
} sink;

static void begin(sink *s, struct evp_md_ctx_st *md) {
    s->md = md;
    s->failed = false;
    s->len = 0;
}

static void flush(sink *s) {
    if (s->len > 0 && EVP_DigestUpdate(s->md, s->piece, s->len) != 1) s->failed = true;
    s->len = 0;
}

static void put(sink *s, latch_str text) {
    if (text.len > sizeof s->piece - s->len) flush(s);
    if (text.len > sizeof s->piece) {
        s->failed = s->failed || EVP_DigestUpdate(s->md, text.ptr, text.len) != 1;
        return;
    }
    if (text.len > 0) memcpy(s->piece + s->len, text.ptr, text.len);
    s->len += text.len;
}

static void put_text(sink *s, const char *text) { put(s, latch_str_of(text)); }

static void put_char(sink *s, char c) {
    if (s->len == sizeof s->piece) flush(s);
    s->piece[s->len++] = c;
}

static bool finish(sink *s, unsigned char out[HASH_BYTES]) {
    flush(s);
    return !s->failed && EVP_DigestFinal_ex(s->md, out, NULL) == 1;
}

static void put_hex(const unsigned char hash[HASH_BYTES], char out[2 * HASH_BYTES]) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < HASH_BYTES; i++) {
        out[2 * i] = digits[hash[i] >> 4];
        out[2 * i + 1] = digits[hash[i] & 15];
    }
}

static latch_status no_hash(latch_err *err) { return latch_err_set(err, LATCH_E_NOMEM, "signing: OpenSSL can't make a SHA-256"); }

/* ── the signing key ─────────────────────────────────────────────────────────────────────────────────────────────── */

latch_status latch_sigv4_init(latch_sigv4 *s, const char *region, const char *service, latch_err *err) {
    *s = (latch_sigv4){.region = region, .service = service};
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL); /* nobody configured a signature; and reading a file costs a cold start */
    s->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    s->work = EVP_MD_CTX_new();
    s->inner = EVP_MD_CTX_new();
    s->outer = EVP_MD_CTX_new();
    if (s->sha256 != NULL && s->work != NULL && s->inner != NULL && s->outer != NULL) return LATCH_OK;
    latch_sigv4_clean_up(s);
    return no_hash(err);
}

void latch_sigv4_clean_up(latch_sigv4 *s) {
    EVP_MD_CTX_free(s->work); /* a context wipes what it hashed */
    EVP_MD_CTX_free(s->inner);
    EVP_MD_CTX_free(s->outer);
    EVP_MD_free(s->sha256);
    *s = (latch_sigv4){0};
}

/* One half of an HMAC, as far as it depends on the key alone: RFC 2104. */
static bool begin_half(const latch_sigv4 *s, struct evp_md_ctx_st *half, const unsigned char key[BLOCK_BYTES], unsigned char pad) {
    unsigned char block[BLOCK_BYTES];
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = key[i] ^ pad;
    bool ok = EVP_DigestInit_ex(half, s->sha256, NULL) == 1 && EVP_DigestUpdate(half, block, sizeof block) == 1;
    OPENSSL_cleanse(block, sizeof block);
    return ok;
}

static bool begin_halves(const latch_sigv4 *s, const unsigned char key[BLOCK_BYTES]) {
    return begin_half(s, s->inner, key, 0x36) && begin_half(s, s->outer, key, 0x5C);
}

/* Of a key that is filled up with zeroes. OpenSSL's own HMAC has to be looked up first, which costs a cold start more than this does. */
static bool hmac(const latch_sigv4 *s, const unsigned char key[BLOCK_BYTES], latch_str text, unsigned char out[HASH_BYTES]) {
    unsigned char hash[HASH_BYTES];
    bool ok = begin_halves(s, key) && EVP_DigestUpdate(s->inner, text.ptr, text.len) == 1 &&
              EVP_DigestFinal_ex(s->inner, hash, NULL) == 1 && EVP_DigestUpdate(s->outer, hash, sizeof hash) == 1 &&
              EVP_DigestFinal_ex(s->outer, out, NULL) == 1;
    OPENSSL_cleanse(hash, sizeof hash);
    return ok;
}

/* "AWS4" and the secret; where that is longer than a block, its hash: RFC 2104. */
static bool first_key(const latch_sigv4 *s, latch_str secret, unsigned char key[BLOCK_BYTES]) {
    unsigned char text[4 + SECRET_MAX_BYTES] = "AWS4";
    size_t len = 4 + secret.len;
    bool ok = true;
    memset(key, 0, BLOCK_BYTES);
    memcpy(text + 4, secret.ptr, secret.len);
    if (len <= BLOCK_BYTES) {
        memcpy(key, text, len);
    } else {
        ok = EVP_DigestInit_ex(s->work, s->sha256, NULL) == 1 && EVP_DigestUpdate(s->work, text, len) == 1 &&
             EVP_DigestFinal_ex(s->work, key, NULL) == 1;
    }
    OPENSSL_cleanse(text, sizeof text);
    return ok;
}

static bool derive(latch_sigv4 *s, latch_str secret) {
    const latch_str texts[] = {latch_str_of(s->day), latch_str_of(s->region), latch_str_of(s->service), LATCH_STR("aws4_request")};
    unsigned char key[BLOCK_BYTES], next[HASH_BYTES];
    bool ok = first_key(s, secret, key);
    for (size_t i = 0; ok && i < sizeof texts / sizeof texts[0]; i++) {
        ok = hmac(s, key, texts[i], next);
        memset(key, 0, sizeof key);
        memcpy(key, next, sizeof next);
    }
    ok = ok && begin_halves(s, key);
    OPENSSL_cleanse(key, sizeof key);
    OPENSSL_cleanse(next, sizeof next);
    return ok;
}

/* A control byte would end the header, and begin one that nobody meant to send. */
static latch_status check_keys(const latch_keys *keys, latch_err *err) {
    if (keys->access_key_id.len == 0 || keys->secret_access_key.len == 0)
        return latch_err_set(err, LATCH_E_DENIED, "signing: the access key is empty");
    if (latch_str_has_control(keys->access_key_id) || latch_str_has_control(keys->session_token))
        return latch_err_set(err, LATCH_E_DENIED, "signing: the access key or the session token has a control byte in it");
    if (keys->secret_access_key.len > SECRET_MAX_BYTES)
        return latch_err_set(err, LATCH_E_DENIED, "signing: the secret access key has over %d bytes", SECRET_MAX_BYTES);
    return LATCH_OK;
}

static latch_status ready_key(latch_sigv4 *s, const latch_keys *keys, const char *stamp, latch_err *err) {
    if (s->generation == keys->generation && memcmp(s->day, stamp, 8) == 0) return LATCH_OK;
    s->day[0] = '\0';
    LATCH_TRY(check_keys(keys, err));
    memcpy(s->day, stamp, 8);
    if (!derive(s, keys->secret_access_key)) {
        s->day[0] = '\0';
        return no_hash(err);
    }
    s->generation = keys->generation;
    return LATCH_OK;
}

/* ── the request ─────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct sorted { /* by name; those of one name in the order they came */
    const latch_sigv4_header *at[LATCH_SIGV4_HEADERS_MAX];
    size_t count;
} sorted;

static void sort(const latch_sigv4_request *r, sorted *out) {
    for (out->count = 0; out->count < r->header_count; out->count++) {
        const latch_sigv4_header *h = &r->headers[out->count];
        size_t i = out->count;
        for (; i > 0 && strcasecmp(out->at[i - 1]->name, h->name) > 0; i--)
            out->at[i] = out->at[i - 1];
        out->at[i] = h;
    }
}

static bool repeats(const sorted *headers, size_t i) { return i > 0 && strcasecmp(headers->at[i - 1]->name, headers->at[i]->name) == 0; }

static char lower(char c) { return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c); }

static bool is_space(char c) { return c == ' ' || c == '\t'; }

static bool is_plain(latch_str value) {
    for (size_t i = 0; i < value.len; i++) {
        if (is_space(value.ptr[i])) return false;
    }
    return true;
}

static void put_value(sink *s, latch_str value) {
    bool space = false, any = false;
    if (is_plain(value)) {
        put(s, value);
        return;
    }
    for (size_t i = 0; i < value.len; i++) {
        if (is_space(value.ptr[i])) {
            space = true;
            continue;
        }
        if (space && any) put_char(s, ' ');
        put_char(s, value.ptr[i]);
        space = false;
        any = true;
    }
}

/* "name:value", values of one name behind each other. */
static void put_headers(sink *s, const sorted *headers) {
    for (size_t i = 0; i < headers->count; i++) {
        const latch_sigv4_header *h = headers->at[i];
        bool more = i + 1 < headers->count && repeats(headers, i + 1);
        for (const char *c = h->name; *c != '\0' && !repeats(headers, i); c++)
            put_char(s, lower(*c));
        put_char(s, repeats(headers, i) ? ',' : ':');
        put_value(s, h->value);
        if (!more) put_char(s, '\n');
    }
}

/* "content-type;host;x-amz-date" */
static latch_str names_of(const sorted *headers, latch_text_writer *t) {
    size_t from = t->len;
    for (size_t i = 0; i < headers->count; i++) {
        if (repeats(headers, i)) continue;
        if (i > 0) latch_text_char(t, ';');
        for (const char *c = headers->at[i]->name; *c != '\0'; c++)
            latch_text_char(t, lower(*c));
    }
    return (latch_str){t->at + from, t->failed == LATCH_OK ? t->len - from : 0};
}

static bool hash_request(const latch_sigv4 *s, const latch_sigv4_request *r, const sorted *headers, latch_str names,
                         char out[2 * HASH_BYTES]) {
    sink to;
    unsigned char hash[HASH_BYTES];
    if (EVP_DigestInit_ex(s->work, s->sha256, NULL) != 1 ||
        EVP_DigestUpdate(s->work, r->body.len > 0 ? r->body.ptr : "", r->body.len) != 1 || EVP_DigestFinal_ex(s->work, hash, NULL) != 1 ||
        EVP_DigestInit_ex(s->work, s->sha256, NULL) != 1)
        return false;
    put_hex(hash, out);
    begin(&to, s->work);
    put_text(&to, r->method);
    put_char(&to, '\n');
    put_text(&to, r->path);
    put_char(&to, '\n');
    put_text(&to, r->query);
    put_char(&to, '\n');
    put_headers(&to, headers);
    put_char(&to, '\n');
    put(&to, names);
    put_char(&to, '\n');
    put(&to, (latch_str){out, 2 * HASH_BYTES});
    if (!finish(&to, hash)) return false;
    put_hex(hash, out);
    return true;
}

static bool sign(const latch_sigv4 *s, const char *stamp, latch_str request_hash, char out[2 * HASH_BYTES]) {
    sink to;
    unsigned char hash[HASH_BYTES];
    if (EVP_MD_CTX_copy_ex(s->work, s->inner) != 1) return false;
    begin(&to, s->work);
    put(&to, LATCH_STR(ALGORITHM "\n"));
    put_text(&to, stamp);
    put_char(&to, '\n');
    put(&to, latch_str_of(s->day));
    put_char(&to, '/');
    put_text(&to, s->region);
    put_char(&to, '/');
    put_text(&to, s->service);
    put(&to, LATCH_STR("/aws4_request\n"));
    put(&to, request_hash);
    if (!finish(&to, hash) || EVP_MD_CTX_copy_ex(s->work, s->outer) != 1) return false;
    if (EVP_DigestUpdate(s->work, hash, sizeof hash) != 1 || EVP_DigestFinal_ex(s->work, hash, NULL) != 1) return false;
    put_hex(hash, out);
    return true;
}

static void put_credential(latch_text_writer *out, const latch_sigv4 *s, latch_str access_key_id) {
    latch_text_put(out, LATCH_STR(ALGORITHM " Credential="));
    latch_text_put(out, access_key_id);
    latch_text_char(out, '/');
    latch_text_put(out, latch_str_of(s->day));
    latch_text_char(out, '/');
    latch_text_put(out, latch_str_of(s->region));
    latch_text_char(out, '/');
    latch_text_put(out, latch_str_of(s->service));
    latch_text_put(out, LATCH_STR("/aws4_request, SignedHeaders="));
}

latch_status latch_sigv4_put(latch_sigv4 *s, const latch_keys *keys, const char *stamp, const latch_sigv4_request *request,
                             latch_text_writer *out, latch_err *err) {
    char hex[2 * HASH_BYTES];
    sorted headers;
    if (request->header_count > LATCH_SIGV4_HEADERS_MAX)
        return latch_err_set(err, LATCH_E_MISUSE, "signing: %zu headers, at most %d", request->header_count, LATCH_SIGV4_HEADERS_MAX);
    LATCH_TRY(ready_key(s, keys, stamp, err));
    sort(request, &headers);
    put_credential(out, s, keys->access_key_id);
    latch_str names = names_of(&headers, out);
    if (out->failed == LATCH_OK) {
        if (!hash_request(s, request, &headers, names, hex)) return no_hash(err);
        if (!sign(s, stamp, (latch_str){hex, sizeof hex}, hex)) return no_hash(err);
    }
    latch_text_put(out, LATCH_STR(", Signature="));
    latch_text_put(out, (latch_str){hex, sizeof hex});
    return out->failed == LATCH_OK ? LATCH_OK : latch_err_set(err, out->failed, "signing: no room for the signature");
}

void latch_sigv4_stamp(int64_t at_ms, char out[LATCH_SIGV4_STAMP_BYTES]) {
    char full[LATCH_TIMESTAMP_BYTES]; /* 2026-11-21T09:30:00.123Z */
    size_t len = 0;
    latch_clock_format(at_ms, full);
    for (size_t i = 0; i < 19; i++) {
        if (full[i] != '-' && full[i] != ':') out[len++] = full[i];
    }
    out[len++] = 'Z';
    out[len] = '\0';
}
