/*
 * core/wire.h - one HTTP/1.1 answer, read from bytes as they come. It knows no sockets: whoever has the bytes puts them where
 * latch_wire_space says, and tells how many there are.
 *
 *     latch_wire_begin(&wire, &arena, &limits);
 *     do {
 *         char *at = latch_wire_space(&wire, &len);
 *         n = recv(fd, at, len, 0);
 *     } while ((progress = n > 0 ? latch_wire_fed(&wire, n, err) : latch_wire_ended(&wire, err)) == LATCH_WIRE_MORE);
 *
 * Head and body lie in one block of the arena, the body received straight into its place; chunks are put together there. Strict: what
 * RFC 9112 doesn't allow, and what leaves the length of the body in doubt, is an error and not a guess.
 */
#ifndef LATCH_CORE_WIRE_H
#define LATCH_CORE_WIRE_H

#include "core/arena.h"
#include "core/status.h"

#define LATCH_WIRE_HEADERS_MAX 64
#define LATCH_WIRE_DROP_MAX_BYTES (INT64_C(1) << 30) /* of a body that is too large: a longer one isn't worth waiting for */

typedef enum latch_wire_progress {
    LATCH_WIRE_MORE,  /* go on */
    LATCH_WIRE_DONE,  /* the answer is whole */
    LATCH_WIRE_BROKEN /* LATCH_E_NETWORK, or LATCH_E_NOMEM when not even the head fits: the connection is of no use any more */
} latch_wire_progress;

typedef struct latch_wire_limits {
    size_t head_bytes; /* status line, headers, trailers */
    size_t body_bytes;
} latch_wire_limits;

typedef enum latch_wire_state {
    LATCH_WIRE_STATUS,
    LATCH_WIRE_HEADERS,
    LATCH_WIRE_LENGTH,
    LATCH_WIRE_TO_CLOSE,
    LATCH_WIRE_CHUNK_SIZE,
    LATCH_WIRE_CHUNK_DATA,
    LATCH_WIRE_CHUNK_END,
    LATCH_WIRE_TRAILERS,
    LATCH_WIRE_COMPLETE,
    LATCH_WIRE_FAILED
} latch_wire_state;

typedef struct latch_wire {
    /* What was read; of use when it is done, and the head of it as soon as `state` is past LATCH_WIRE_HEADERS. */
    int status;
    bool keep_alive;     /* the connection may be used again */
    bool too_large;      /* the body is over the limit or doesn't fit into the arena: it was read and dropped */
    uint64_t body_bytes; /* of the body as it was sent, chunks put together */

    latch_arena *arena; /* private from here on; offsets count from base */
    latch_wire_limits limits;
    latch_wire_state state;
    char *base;
    size_t cap, filled;      /* bytes of the block; of them received and not yet dropped */
    size_t at, scanned;      /* what comes next; up to where it was looked through for the end of a line */
    size_t body_at, body_to; /* the body, as far as it is kept */
    size_t head_len;         /* bytes that count for the head's limit */
    uint64_t left;           /* of the body, or of the chunk */
    bool old, has_length, chunked;
    int connection; /* what the Connection header says: -1 close, 1 keep-alive, 0 nothing */
    size_t header_count;
    struct {
        uint32_t name_at, name_len, value_at, value_len;
    } headers[LATCH_WIRE_HEADERS_MAX];
} latch_wire;

/* Allocates nothing yet. While an answer is read, nothing else is taken from the arena. */
void latch_wire_begin(latch_wire *wire, latch_arena *arena, const latch_wire_limits *limits);

/* Where the next bytes go, at least 1; NULL when the arena has no room for a head. */
LATCH_NODISCARD char *latch_wire_space(latch_wire *wire, size_t *len);

/* `n` bytes were put there. */
LATCH_NODISCARD latch_wire_progress latch_wire_fed(latch_wire *wire, size_t n, latch_err *err);

/* The other side closed: the end of a body without a length, else an answer cut short. */
LATCH_NODISCARD latch_wire_progress latch_wire_ended(latch_wire *wire, latch_err *err);

/* Of an answer that is done. Names compare without case; the first of that name; empty where there is none. */
latch_str latch_wire_find(const latch_wire *wire, latch_str name);
#define latch_wire_header(wire, name) latch_wire_find((wire), LATCH_STR(name))
latch_str latch_wire_body(const latch_wire *wire);

/* Bytes received since begin, so that "no answer" can be told from "half an answer". */
bool latch_wire_heard(const latch_wire *wire);

#endif
