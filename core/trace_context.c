#include "core/trace_context.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

/* ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_str trimmed(latch_str s) {
    while (s.len > 0 && (*s.ptr == ' ' || *s.ptr == '\t'))
        s.ptr++, s.len--;
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Up to `end` or the end, which *s is behind then. */
static latch_str part(latch_str *s, char end) {
    const char *at = s->len > 0 ? memchr(s->ptr, end, s->len) : NULL;
    latch_str first = {s->ptr, at != NULL ? (size_t)(at - s->ptr) : s->len};
    size_t taken = first.len + (at != NULL);
    s->ptr += taken;
    s->len -= taken;
    return first;
}

/* All of `s` are hexadecimal digits, `n` of them; into `out` in small letters. */
static bool read_hex(latch_str s, size_t n, char *out) {
    if (s.len != n) return false;
    for (size_t i = 0; i < n; i++) {
        char c = s.ptr[i];
        bool is_hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (!is_hex) return false;
        out[i] = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
    }
    return true;
}

/* "1-" 8 digits "-" 24 digits */
static bool read_root(latch_str s, char out[33]) {
    static const char zeros[] = "00000000000000000000000000000000";
    latch_str version = part(&s, '-'), at = part(&s, '-');
    out[32] = '\0';
    return latch_str_eq(version, LATCH_STR("1")) && read_hex(at, 8, out) && read_hex(s, 24, out + 8) && strcmp(out, zeros) != 0;
}

static bool read_parent(latch_str s, uint64_t *out) {
    char digits[16];
    *out = 0;
    if (!read_hex(s, sizeof digits, digits)) return false;
    for (size_t i = 0; i < sizeof digits; i++)
        *out = *out << 4 | (uint64_t)(digits[i] <= '9' ? digits[i] - '0' : digits[i] - 'a' + 10);
    return *out != 0;
}

static bool is_named(latch_str name, const char *want) { return name.len == strlen(want) && strncasecmp(name.ptr, want, name.len) == 0; }

bool latch_trace_context_read(latch_str header, latch_trace_context *out) {
    bool ok = true, has_root = false;
    *out = (latch_trace_context){0};
    while (header.len > 0 && ok) {
        latch_str value = part(&header, ';'), name = trimmed(part(&value, '='));
        value = trimmed(value);
        if (is_named(name, "Root")) ok = has_root = read_root(value, out->root);
        if (is_named(name, "Parent")) ok = read_parent(value, &out->parent);
        if (is_named(name, "Sampled")) out->sampled = latch_str_eq(value, LATCH_STR("1"));
    }
    if (ok && has_root) return true;
    *out = (latch_trace_context){0};
    return false;
}

/* ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

void latch_trace_hex(uint64_t id, char out[17]) {
    static const char digits[] = "0123456789abcdef";
    for (int i = 15; i >= 0; i--, id >>= 4)
        out[i] = digits[id & 15];
    out[16] = '\0';
}

void latch_trace_context_xray(const latch_trace_context *c, char out[LATCH_TRACE_HEADER_BYTES]) {
    char parent[17];
    latch_trace_hex(c->parent, parent);
    out[0] = '\0';
    if (c->parent == 0) return;
    snprintf(out, LATCH_TRACE_HEADER_BYTES, "Root=1-%.8s-%s;Parent=%s;Sampled=%d", c->root, c->root + 8, parent, c->sampled ? 1 : 0);
}

void latch_trace_context_w3c(const latch_trace_context *c, char out[LATCH_TRACE_HEADER_BYTES]) {
    char parent[17];
    latch_trace_hex(c->parent, parent);
    out[0] = '\0';
    if (c->parent == 0) return;
    snprintf(out, LATCH_TRACE_HEADER_BYTES, "00-%s-%s-%02d", c->root, parent, c->sampled ? 1 : 0);
}

/* ── ids ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* A bijection of 64 bits (the finalizer of SplitMix64): what differs before differs after. */
static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

#define STEP UINT64_C(0x9E3779B97F4A7C15)

uint64_t latch_trace_span_id(uint64_t seed, uint64_t n) {
    uint64_t id = mix(seed + n * STEP);
    return id != 0 ? id : 1;
}

void latch_trace_random_seed(latch_trace_random *random) {
    struct timespec now = {0};
    if (getentropy(&random->state, sizeof random->state) == 0) return;
    clock_gettime(CLOCK_REALTIME, &now); /* ids of traces are no secrets */
    random->state = mix((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec) ^ (uint64_t)(uintptr_t)random;
}

uint64_t latch_trace_random_next(latch_trace_random *random) {
    random->state += STEP;
    uint64_t next = mix(random->state);
    return next != 0 ? next : 1;
}
