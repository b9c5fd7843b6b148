#include "core/wire.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "core/err.h"

#define FIRST_BYTES ((size_t)8192) /* a small event comes whole in one read */
#define STEP_BYTES ((size_t)65536) /* of a body whose length isn't known */
#define LEAST_BYTES ((size_t)1024) /* less room isn't worth asking the arena for */
#define CHUNK_LINE_MAX_BYTES ((size_t)1024)

typedef enum step { AGAIN, WAIT, DONE, BROKEN } step;

void latch_wire_begin(latch_wire *wire, latch_arena *arena, const latch_wire_limits *limits) {
    memset(wire, 0, offsetof(latch_wire, headers)); /* what header_count doesn't count needs no zeroes */
    wire->arena = arena;
    wire->limits = *limits;
}

bool latch_wire_heard(const latch_wire *wire) { return wire->filled > 0; }

static step broken(latch_wire *w, latch_err *err, const char *what) {
    w->state = LATCH_WIRE_FAILED;
    (void)latch_err_set(err, LATCH_E_NETWORK, "the answer is no HTTP/1.1: %s", what);
    return BROKEN;
}

/* ── the block: head | body as far as it is kept | what isn't looked at yet ──────────────────────────────────────────── */

static bool in_head(const latch_wire *w) { return w->state <= LATCH_WIRE_HEADERS; }

/* In place, as nothing else is taken from the arena meanwhile. */
static bool grow(latch_wire *w, size_t cap) {
    if (cap <= w->cap) return true;
    char *base = w->base == NULL ? latch_arena_alloc(w->arena, cap) : latch_arena_grow(w->arena, w->base, w->cap, cap);
    if (base == NULL) return false;
    w->base = base;
    w->cap = cap;
    return true;
}

/* For what has no known length: twice the block, or as much as there is. */
static void make_room(latch_wire *w) {
    size_t more = in_head(w) ? FIRST_BYTES : w->cap > STEP_BYTES ? w->cap : STEP_BYTES;
    if (w->cap - w->filled >= LEAST_BYTES) return;
    for (; more >= LEAST_BYTES; more /= 2) {
        if (w->cap <= SIZE_MAX - more && grow(w, w->cap + more)) return;
    }
}

/* Moves what isn't looked at yet to the end of the body. */
static void close_gap(latch_wire *w) {
    size_t gap = w->at - w->body_to, raw = w->filled - w->at;
    if (in_head(w) || gap == 0) return;
    if (raw > 0) memmove(w->base + w->body_to, w->base + w->at, raw);
    w->at -= gap;
    w->filled -= gap;
    w->scanned = w->scanned > gap ? w->scanned - gap : 0;
}

/* From here on the body is counted and dropped. */
static void drop_body(latch_wire *w) {
    w->too_large = true;
    w->body_to = w->body_at;
    close_gap(w);
}

char *latch_wire_space(latch_wire *wire, size_t *len) {
    bool sized = wire->state == LATCH_WIRE_LENGTH && !wire->too_large;
    if (!sized) make_room(wire);
    if (wire->filled == wire->cap && !in_head(wire)) drop_body(wire);
    *len = wire->cap - wire->filled;
    return *len > 0 ? wire->base + wire->filled : NULL;
}

/* ── lines ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The next line without its CR LF. Its bytes count for the head, which has a limit however they come. */
static step take_line(latch_wire *w, size_t max_bytes, latch_str *line, latch_err *err) {
    const char *from = w->base + w->at;
    size_t seen = w->scanned > w->at ? w->scanned - w->at : 0, raw = w->filled - w->at;
    const char *end = raw > seen ? memchr(from + seen, '\n', raw - seen) : NULL;
    size_t len = end != NULL ? (size_t)(end - from) + 1 : raw;
    if (len > max_bytes) return broken(w, err, "a line is too long");
    if (w->state != LATCH_WIRE_CHUNK_SIZE && len > w->limits.head_bytes - w->head_len) return broken(w, err, "the headers are too long");
    w->scanned = w->at + len;
    if (end == NULL) return WAIT;
    if (len < 2 || from[len - 2] != '\r') return broken(w, err, "a line ends without CR");
    *line = (latch_str){from, len - 2};
    w->at += len;
    if (w->state != LATCH_WIRE_CHUNK_SIZE) w->head_len += len;
    return AGAIN;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* "HTTP/1.1 200 OK" */
static step read_status(latch_wire *w, latch_err *err) {
    latch_str line;
    step got = take_line(w, w->limits.head_bytes, &line, err);
    if (got != AGAIN) return got;
    const char *p = line.ptr;
    if (line.len < 12 || memcmp(p, "HTTP/1.", 7) != 0 || (p[7] != '1' && p[7] != '0')) return broken(w, err, "no status line");
    if (p[8] != ' ' || !is_digit(p[9]) || !is_digit(p[10]) || !is_digit(p[11])) return broken(w, err, "no status in its first line");
    if (line.len > 12 && p[12] != ' ') return broken(w, err, "a status of more than three digits");
    w->old = p[7] == '0';
    w->status = (p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0');
    if (w->status < 100 || w->status > 599 || w->status == 101) return broken(w, err, "a status that was not asked for");
    w->state = LATCH_WIRE_HEADERS;
    return AGAIN;
}

/* ── headers ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool is_token_byte(unsigned char c) {
    if (is_digit((char)c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-') return true;
    return c != '\0' && strchr("!#$%&'*+.^_`|~", c) != NULL;
}

static bool is_control(unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7F; }

static latch_str trimmed(latch_str s) {
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = (latch_str){s.ptr + 1, s.len - 1};
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Mostly as it is written everywhere: that is soon seen. */
static bool is(latch_str s, latch_str text) {
    return s.len == text.len && (memcmp(s.ptr, text.ptr, s.len) == 0 || strncasecmp(s.ptr, text.ptr, s.len) == 0);
}

/* Digits only: no sign, no list, nothing beyond 64 bits. */
static bool read_length(latch_str s, uint64_t *out) {
    *out = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned char)s.ptr[i] - (unsigned)'0';
        if (digit > 9 || *out > (UINT64_MAX - digit) / 10) return false;
        *out = *out * 10 + digit;
    }
    return s.len > 0;
}

static step note_length(latch_wire *w, latch_str value, latch_err *err) {
    uint64_t length;
    if (!read_length(value, &length)) return broken(w, err, "a Content-Length that is no length");
    if (w->has_length && length != w->left) return broken(w, err, "two Content-Lengths that differ");
    w->has_length = true;
    w->left = length;
    return AGAIN;
}

static void note_connection(latch_wire *w, latch_str value) {
    while (value.len > 0) {
        const char *comma = memchr(value.ptr, ',', value.len);
        size_t len = comma != NULL ? (size_t)(comma - value.ptr) : value.len;
        latch_str option = trimmed((latch_str){value.ptr, len});
        if (is(option, LATCH_STR("close"))) w->connection = -1;
        if (is(option, LATCH_STR("keep-alive")) && w->connection == 0) w->connection = 1;
        size_t used = comma != NULL ? len + 1 : len;
        value = (latch_str){value.ptr + used, value.len - used};
    }
}

static step note_header(latch_wire *w, latch_str name, latch_str value, latch_err *err) {
    if (is(name, LATCH_STR("Connection"))) note_connection(w, value);
    if (is(name, LATCH_STR("Content-Length"))) return note_length(w, value, err);
    if (!is(name, LATCH_STR("Transfer-Encoding"))) return AGAIN;
    if (!is(value, LATCH_STR("chunked")) || w->chunked || w->old) return broken(w, err, "a Transfer-Encoding other than chunked");
    w->chunked = true;
    return AGAIN;
}

static step check_header(latch_wire *w, latch_str line, latch_str *name, latch_str *value, latch_err *err) {
    const char *colon = memchr(line.ptr, ':', line.len);
    if (colon == NULL || colon == line.ptr) return broken(w, err, "a header without a name");
    *name = (latch_str){line.ptr, (size_t)(colon - line.ptr)};
    *value = trimmed((latch_str){colon + 1, line.len - name->len - 1});
    for (size_t i = 0; i < name->len; i++) {
        if (!is_token_byte((unsigned char)name->ptr[i])) return broken(w, err, "a header's name is no token");
    }
    for (size_t i = 0; i < value->len; i++) {
        if (is_control((unsigned char)value->ptr[i])) return broken(w, err, "a control byte in a header");
    }
    return AGAIN;
}

static step add_header(latch_wire *w, latch_str line, latch_err *err) {
    latch_str name, value;
    step got = check_header(w, line, &name, &value, err);
    if (got != AGAIN) return got;
    if (w->header_count == LATCH_WIRE_HEADERS_MAX) return broken(w, err, "too many headers");
    w->headers[w->header_count].name_at = (uint32_t)(name.ptr - w->base);
    w->headers[w->header_count].name_len = (uint32_t)name.len;
    w->headers[w->header_count].value_at = (uint32_t)(value.ptr - w->base);
    w->headers[w->header_count++].value_len = (uint32_t)value.len;
    return note_header(w, name, value, err);
}

/* The head is read: how does the body come? RFC 9112, 6.3. */
static step begin_body(latch_wire *w, latch_err *err) {
    bool interim = w->status < 200;
    w->body_at = w->body_to = w->at;
    w->keep_alive = w->connection > 0 || (w->connection == 0 && !w->old);
    if (w->chunked && w->has_length) return broken(w, err, "both a Content-Length and chunks");
    if (interim) { /* 100 Continue and its like: the answer is still to come */
        w->state = LATCH_WIRE_STATUS;
        w->header_count = 0;
        w->has_length = w->chunked = false;
        w->connection = 0;
        return AGAIN;
    }
    if (w->status == 204 || w->status == 304) return DONE;
    if (w->chunked) {
        w->state = LATCH_WIRE_CHUNK_SIZE;
        return AGAIN;
    }
    w->state = w->has_length ? LATCH_WIRE_LENGTH : LATCH_WIRE_TO_CLOSE;
    if (!w->has_length) {
        w->keep_alive = false;
        return AGAIN;
    }
    if (w->left > (uint64_t)LATCH_WIRE_DROP_MAX_BYTES) return broken(w, err, "a Content-Length over 1 GiB");
    if (w->left > w->limits.body_bytes || !grow(w, w->at + (size_t)w->left)) drop_body(w);
    return AGAIN;
}

static step read_header(latch_wire *w, latch_err *err) {
    latch_str line;
    step got = take_line(w, w->limits.head_bytes, &line, err);
    if (got != AGAIN) return got;
    return line.len == 0 ? begin_body(w, err) : add_header(w, line, err);
}

/* ── the body ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Up to `most` of the bytes at hand become body, or are dropped. */
static step keep(latch_wire *w, uint64_t most, latch_err *err) {
    size_t raw = w->filled - w->at, n = raw < most ? raw : (size_t)most;
    if (n > w->limits.body_bytes - (w->body_to - w->body_at)) w->too_large = true;
    if (w->too_large) w->body_to = w->body_at;
    if (!w->too_large && w->body_to != w->at) memmove(w->base + w->body_to, w->base + w->at, n);
    if (!w->too_large) w->body_to += n;
    w->at += n;
    w->body_bytes += n;
    if (w->body_bytes > (uint64_t)LATCH_WIRE_DROP_MAX_BYTES) return broken(w, err, "a body over 1 GiB");
    return AGAIN;
}

static step read_sized(latch_wire *w, latch_err *err) {
    uint64_t before = w->body_bytes;
    step got = keep(w, w->left, err);
    if (got != AGAIN) return got;
    w->left -= w->body_bytes - before;
    return w->left == 0 ? DONE : WAIT;
}

static int hex(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* "1a;extension": what follows the size says nothing to us. */
static step read_chunk_size(latch_wire *w, latch_err *err) {
    latch_str line;
    step got = take_line(w, CHUNK_LINE_MAX_BYTES, &line, err);
    if (got != AGAIN) return got;
    size_t i = 0;
    for (w->left = 0; i < line.len && hex(line.ptr[i]) >= 0; i++) {
        w->left = w->left << 4 | (uint64_t)hex(line.ptr[i]);
        if (w->left > (uint64_t)LATCH_WIRE_DROP_MAX_BYTES) return broken(w, err, "a chunk over 1 GiB");
    }
    if (i == 0) return broken(w, err, "a chunk without a size");
    if (i < line.len && line.ptr[i] != ';' && line.ptr[i] != ' ' && line.ptr[i] != '\t')
        return broken(w, err, "a chunk's size is no number");
    w->state = w->left > 0 ? LATCH_WIRE_CHUNK_DATA : LATCH_WIRE_TRAILERS;
    return AGAIN;
}

static step read_chunk(latch_wire *w, latch_err *err) {
    uint64_t before = w->body_bytes;
    step got = keep(w, w->left, err);
    if (got != AGAIN) return got;
    w->left -= w->body_bytes - before;
    if (w->left > 0) return WAIT;
    w->state = LATCH_WIRE_CHUNK_END;
    return AGAIN;
}

static step read_chunk_end(latch_wire *w, latch_err *err) {
    if (w->filled - w->at < 2) return WAIT;
    if (memcmp(w->base + w->at, "\r\n", 2) != 0) return broken(w, err, "a chunk is longer than its size");
    w->at += 2;
    w->state = LATCH_WIRE_CHUNK_SIZE;
    return AGAIN;
}

static step read_trailer(latch_wire *w, latch_err *err) {
    latch_str line, name, value;
    step got = take_line(w, w->limits.head_bytes, &line, err);
    if (got != AGAIN) return got;
    return line.len == 0 ? DONE : check_header(w, line, &name, &value, err);
}

static step take(latch_wire *w, latch_err *err) {
    step got = WAIT;
    switch (w->state) {
    case LATCH_WIRE_STATUS:
        return read_status(w, err);
    case LATCH_WIRE_HEADERS:
        return read_header(w, err);
    case LATCH_WIRE_LENGTH:
        return read_sized(w, err);
    case LATCH_WIRE_TO_CLOSE:
        got = keep(w, UINT64_MAX, err);
        return got == AGAIN ? WAIT : got;
    case LATCH_WIRE_CHUNK_SIZE:
        return read_chunk_size(w, err);
    case LATCH_WIRE_CHUNK_DATA:
        return read_chunk(w, err);
    case LATCH_WIRE_CHUNK_END:
        return read_chunk_end(w, err);
    case LATCH_WIRE_TRAILERS:
        return read_trailer(w, err);
    case LATCH_WIRE_COMPLETE:
    case LATCH_WIRE_FAILED:
        break;
    }
    return broken(w, err, "bytes after its end");
}

/* What lies behind the body goes back to the arena; bytes that nobody asked for make the connection suspect. */
static latch_wire_progress complete(latch_wire *w) {
    w->state = LATCH_WIRE_COMPLETE;
    if (w->at < w->filled) w->keep_alive = false;
    latch_arena_shrink(w->arena, w->base, w->cap, w->body_to);
    w->cap = w->filled = w->at = w->body_to;
    return LATCH_WIRE_DONE;
}

latch_wire_progress latch_wire_fed(latch_wire *wire, size_t n, latch_err *err) {
    step got;
    wire->filled += n;
    do {
        got = take(wire, err);
    } while (got == AGAIN);
    if (got == BROKEN) return LATCH_WIRE_BROKEN;
    if (got == DONE) return complete(wire);
    close_gap(wire);
    return LATCH_WIRE_MORE;
}

latch_wire_progress latch_wire_ended(latch_wire *wire, latch_err *err) {
    if (wire->state == LATCH_WIRE_TO_CLOSE) return complete(wire);
    wire->state = LATCH_WIRE_FAILED;
    (void)latch_err_set(err, LATCH_E_NETWORK, "the connection was closed %s",
                        wire->filled > 0 ? "in the middle of an answer" : "without an answer");
    return LATCH_WIRE_BROKEN;
}

latch_str latch_wire_find(const latch_wire *wire, latch_str name) {
    for (size_t i = 0; i < wire->header_count; i++) {
        if (is((latch_str){wire->base + wire->headers[i].name_at, wire->headers[i].name_len}, name))
            return (latch_str){wire->base + wire->headers[i].value_at, wire->headers[i].value_len};
    }
    return (latch_str){"", 0};
}

latch_str latch_wire_body(const latch_wire *wire) { return (latch_str){wire->base + wire->body_at, wire->body_to - wire->body_at}; }
