/*
 * fuzz_wire.c - any bytes as an HTTP answer: in pieces of one size, and of another; in an arena of any size. Pieces change nothing. The
 * input: one byte for the size of the pieces, one for the arena, the answer.
 */
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const latch_wire_limits limits = {.head_bytes = 8192, .body_bytes = 16384};

static void must(bool holds) {
    if (!holds) abort();
}

/* Feeds the answer, then the end of the connection. NOMEM: the arena has no room for a head. */
static latch_status feed(latch_wire *wire, const uint8_t *bytes, size_t len, size_t piece, latch_err *err) {
    latch_wire_progress progress = LATCH_WIRE_MORE;
    while (len > 0 && progress == LATCH_WIRE_MORE) {
        size_t room;
        char *at = latch_wire_space(wire, &room);
        if (at == NULL) return LATCH_E_NOMEM;
        size_t n = len < piece ? len : piece;
        if (n > room) n = room;
        must(n > 0);
        memcpy(at, bytes, n);
        progress = latch_wire_fed(wire, n, err);
        bytes += n;
        len -= n;
    }
    if (progress == LATCH_WIRE_MORE) progress = latch_wire_ended(wire, err);
    must(progress != LATCH_WIRE_MORE);
    must(progress == LATCH_WIRE_DONE || (err->status == LATCH_E_NETWORK && err->message[0] != '\0'));
    return progress == LATCH_WIRE_DONE ? LATCH_OK : LATCH_E_NETWORK;
}

/* Reads each byte of what the answer says it has. */
static void look(const latch_wire *wire) {
    static const char *const names[] = {"Content-Length", "lambda-runtime-aws-request-id", "A", ""};
    unsigned sum = 0;
    latch_str body = latch_wire_body(wire);
    for (size_t i = 0; i < body.len; i++)
        sum += (unsigned char)body.ptr[i];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        latch_str value = latch_wire_find(wire, latch_str_of(names[i]));
        for (size_t k = 0; k < value.len; k++)
            must(value.ptr[k] != '\r' && value.ptr[k] != '\n' && value.ptr[k] != '\0');
    }
    must(wire->status >= 200 && wire->status <= 599);
    must(body.len <= limits.body_bytes && (wire->too_large ? body.len == 0 : body.len == wire->body_bytes));
    static volatile unsigned sink;
    sink = sum;
    (void)sink;
}

static bool same(latch_str a, latch_str b) { return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static _Alignas(16) char memory[1 << 18], other_memory[1 << 18];
    if (size < 2) return 0;
    size_t piece = (size_t)data[0] + 1, cap = data[1] < 128 ? (size_t)data[1] * 256 : sizeof memory;
    latch_arena arena, other_arena;
    latch_wire wire, other;
    latch_err err = {0}, other_err = {0};
    latch_arena_init(&arena, memory, cap);
    latch_arena_init(&other_arena, other_memory, sizeof other_memory);
    latch_wire_begin(&wire, &arena, &limits);
    latch_wire_begin(&other, &other_arena, &limits);
    latch_status status = feed(&wire, data + 2, size - 2, piece, &err);
    latch_status other_status = feed(&other, data + 2, size - 2, (size_t)1 << 16, &other_err);
    if (status == LATCH_OK) look(&wire);
    if (other_status == LATCH_OK) look(&other);
    if (cap == sizeof memory) {
        must(status == other_status);
        if (status == LATCH_OK)
            must(wire.status == other.status && wire.too_large == other.too_large && wire.body_bytes == other.body_bytes);
        if (status == LATCH_OK) must(same(latch_wire_body(&wire), latch_wire_body(&other)));
    }
    latch_arena_clean_up(&arena);
    latch_arena_clean_up(&other_arena);
    return 0;
}
