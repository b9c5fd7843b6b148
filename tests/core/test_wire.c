#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/err.h"
#include "core/wire.h"
#include "tests/check.h"

#define MEMORY_BYTES ((size_t)1 << 20)
#define OK "HTTP/1.1 200 OK\r\n"

static const latch_wire_limits limits = {.head_bytes = 4096, .body_bytes = 65536};

static void *memory;
static latch_arena arena;
static latch_wire wire;
static latch_err err;

static int set_up(void **state) {
    (void)state;
    memory = malloc(MEMORY_BYTES);
    if (memory == NULL) return -1;
    latch_arena_init(&arena, memory, MEMORY_BYTES);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    latch_arena_clean_up(&arena);
    free(memory);
    return 0;
}

static void begin(void) {
    latch_arena_rewind(&arena, 0);
    latch_wire_begin(&wire, &arena, &limits);
    err = (latch_err){0};
}

/* Feeds `bytes` in pieces of at most `piece`; ends the connection behind them where the answer isn't whole by then. */
static latch_wire_progress feed_limited(const char *bytes, size_t len, size_t piece) {
    latch_wire_progress progress = LATCH_WIRE_MORE;
    while (len > 0 && progress == LATCH_WIRE_MORE) {
        size_t room;
        char *at = latch_wire_space(&wire, &room);
        assert_non_null(at);
        size_t n = len < piece ? len : piece;
        if (n > room) n = room;
        memcpy(at, bytes, n);
        progress = latch_wire_fed(&wire, n, &err);
        bytes += n;
        len -= n;
    }
    return progress == LATCH_WIRE_MORE ? latch_wire_ended(&wire, &err) : progress;
}

static latch_wire_progress feed(const char *text, size_t piece) {
    begin();
    return feed_limited(text, strlen(text), piece);
}

static bool is(latch_str s, const char *text) { return latch_str_eq(s, latch_str_of(text)); }

static void reads_answers_in_pieces_of_any_size(void **state) {
    static const struct {
        const char *text, *body, *header;
        int status;
        bool keep_alive;
    } rows[] = {
        {OK "Content-Length: 2\r\nA: b\r\n\r\n{}", "{}", "b", 200, true},
        {OK "content-length:2\r\na:b\r\n\r\n{}", "{}", "b", 200, true},
        {OK "CONTENT-LENGTH: \t 2 \t\r\nA:  b \r\n\r\n{}", "{}", "b", 200, true},
        {OK "Content-Length: 2\r\nContent-Length: 2\r\nA:\r\n\r\n{}", "{}", "", 200, true},
        {OK "Content-Length: 0\r\n\r\n", "", "", 200, true},
        {OK "Content-Length: 0002\r\n\r\n{}", "{}", "", 200, true},
        {OK "A: b\r\nA: c\r\nContent-Length: 0\r\n\r\n", "", "b", 200, true},
        {OK "A: \xC3\xA9 \x80\r\nContent-Length: 0\r\n\r\n", "", "\xC3\xA9 \x80", 200, true},
        {"HTTP/1.1 202\r\nContent-Length: 0\r\n\r\n", "", "", 202, true},
        {"HTTP/1.1 202 \r\nContent-Length: 0\r\n\r\n", "", "", 202, true},
        {"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 3\r\n\r\nbad", "bad", "", 500, true},
        {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", "{}", "", 200, false},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}", "{}", "", 200, true},
        {OK "Connection: close\r\nContent-Length: 2\r\n\r\n{}", "{}", "", 200, false},
        {OK "Connection: Keep-Alive, CLOSE\r\nContent-Length: 2\r\n\r\n{}", "{}", "", 200, false},
        {OK "Connection: upgrade, keep-alive\r\nContent-Length: 2\r\n\r\n{}", "{}", "", 200, true},
        {OK "\r\nto the end", "to the end", "", 200, false},
        {OK "\r\n", "", "", 200, false},
        {OK "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "{}", "", 200, true},
        {OK "transfer-encoding: CHUNKED\r\n\r\n1\r\n{\r\n1\r\n}\r\n00\r\n\r\n", "{}", "", 200, true},
        {OK "Transfer-Encoding: chunked\r\n\r\nA;x=\"y\"\r\n0123456789\r\n0a \r\nabcdefghij\r\n0\r\nT: v\r\n\r\n", "0123456789abcdefghij",
         "", 200, true},
        {OK "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "", "", 200, true},
        {"HTTP/1.1 204 No Content\r\n\r\n", "", "", 204, true},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "", "", 304, true},
        {"HTTP/1.1 100 Continue\r\n\r\n" OK "A: b\r\nContent-Length: 2\r\n\r\n{}", "{}", "b", 200, true},
        {"HTTP/1.1 103 Early Hints\r\nA: x\r\nContent-Length: 7\r\nConnection: close\r\n\r\n" OK "Content-Length: 2\r\n\r\n{}", "{}", "",
         200, true},
    };
    static const size_t pieces[] = {1, 2, 3, 7, 64, 1 << 16};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (size_t k = 0; k < COUNT_OF(pieces); k++) {
            latch_wire_progress progress = feed(rows[i].text, pieces[k]);
            if (progress != LATCH_WIRE_DONE) fail_msg("row %zu, pieces of %zu: %s", i, pieces[k], err.message);
            assert_int_equal(wire.status, rows[i].status);
            assert_int_equal(wire.keep_alive, rows[i].keep_alive);
            assert_false(wire.too_large);
            assert_true(is(latch_wire_body(&wire), rows[i].body));
            assert_int_equal(wire.body_bytes, strlen(rows[i].body));
            assert_true(is(latch_wire_header(&wire, "a"), rows[i].header));
        }
    }
}

static void refuses_what_is_no_http(void **state) {
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "closed without an answer"},
        {"HTTP/1.1 200 OK", "closed in the middle"},
        {OK "Content-Length: 2\r\n\r\n{", "closed in the middle"},
        {OK "Content-Length: 2\r\n", "closed in the middle"},
        {OK "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", "closed in the middle"},
        {OK "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", "closed in the middle"},
        {"HTTP/2 200 OK\r\n\r\n", "no status line"},
        {"HTTP/1.2 200 OK\r\n\r\n", "no status line"},
        {"http/1.1 200 OK\r\n\r\n", "no status line"},
        {"\r\nHTTP/1.1 200 OK\r\n\r\n", "no status line"},
        {"GET / HTTP/1.1\r\n\r\n", "no status line"},
        {"HTTP/1.1 2x0 OK\r\n\r\n", "no status in its first line"},
        {"HTTP/1.1  200 OK\r\n\r\n", "no status in its first line"},
        {"HTTP/1.1 2000 OK\r\n\r\n", "more than three digits"},
        {"HTTP/1.1 099 OK\r\n\r\n", "not asked for"},
        {"HTTP/1.1 600 OK\r\n\r\n", "not asked for"},
        {"HTTP/1.1 101 Switching\r\n\r\n", "not asked for"},
        {"HTTP/1.1 200 OK\n\n", "ends without CR"},
        {OK "A: b\n\r\n", "ends without CR"},
        {OK "A: b\r\n\n", "ends without CR"},
        {OK "no colon\r\n\r\n", "without a name"},
        {OK ": b\r\n\r\n", "without a name"},
        {OK "A : b\r\n\r\n", "is no token"},
        {OK " A: b\r\n\r\n", "is no token"},
        {OK "A: b\r\n c\r\n\r\n", "without a name"},
        {OK "A\x80: b\r\n\r\n", "is no token"},
        {OK "A: b\rc\r\n\r\n", "a control byte"},
        {OK "A: b\x01\r\n\r\n", "a control byte"},
        {OK "A: b\x7F\r\n\r\n", "a control byte"},
        {OK "Content-Length: -1\r\n\r\n", "no length"},
        {OK "Content-Length: +1\r\n\r\n", "no length"},
        {OK "Content-Length: 0x2\r\n\r\n", "no length"},
        {OK "Content-Length: 2.0\r\n\r\n", "no length"},
        {OK "Content-Length: 2, 2\r\n\r\n", "no length"},
        {OK "Content-Length:\r\n\r\n", "no length"},
        {OK "Content-Length: 2 2\r\n\r\n", "no length"},
        {OK "Content-Length: 18446744073709551616\r\n\r\n", "no length"},
        {OK "Content-Length: 99999999999999999999999999\r\n\r\n", "no length"},
        {OK "Content-Length: 18446744073709551615\r\n\r\n", "over 1 GiB"},
        {OK "Content-Length: 1073741825\r\n\r\n", "over 1 GiB"},
        {OK "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "two Content-Lengths"},
        {OK "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", "both a Content-Length and chunks"},
        {OK "Transfer-Encoding: gzip\r\n\r\n", "other than chunked"},
        {OK "Transfer-Encoding: gzip, chunked\r\n\r\n", "other than chunked"},
        {OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "other than chunked"},
        {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "other than chunked"},
        {OK "Transfer-Encoding: chunked\r\n\r\n\r\n", "without a size"},
        {OK "Transfer-Encoding: chunked\r\n\r\n-2\r\n", "without a size"},
        {OK "Transfer-Encoding: chunked\r\n\r\n;x\r\n", "without a size"},
        {OK "Transfer-Encoding: chunked\r\n\r\n2g\r\n{}\r\n", "size is no number"},
        {OK "Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n", "ends without CR"},
        {OK "Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n", "longer than its size"},
        {OK "Transfer-Encoding: chunked\r\n\r\n40000001\r\n", "over 1 GiB"},
        {OK "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFFFFFFFF\r\n", "over 1 GiB"},
        {OK "Transfer-Encoding: chunked\r\n\r\n0\r\nbad trailer\r\n\r\n", "without a name"},
    };
    static const size_t pieces[] = {1, 5, 1 << 16};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (size_t k = 0; k < COUNT_OF(pieces); k++) {
            assert_int_equal(feed(rows[i].text, pieces[k]), LATCH_WIRE_BROKEN);
            assert_int_equal(err.status, LATCH_E_NETWORK);
            if (strstr(err.message, rows[i].says) == NULL) fail_msg("row %zu: %s", i, err.message);
        }
    }
}

/* NUL can't be in a row of text. */
static void refuses_nul_in_a_head(void **state) {
    static const char *const rows[] = {OK "A: b@c\r\n\r\n", OK "A@: b\r\n\r\n", "HTTP/1.1@200 OK\r\n\r\n"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[64];
        size_t len = strlen(rows[i]);
        memcpy(text, rows[i], len);
        *(char *)memchr(text, '@', len) = '\0';
        begin();
        assert_int_equal(feed_limited(text, len, 64), LATCH_WIRE_BROKEN);
    }
}

static void keeps_bytes_of_any_value_in_a_body(void **state) {
    char text[512];
    int head = sprintf(text, OK "Content-Length: 256\r\n\r\n");
    (void)state;
    for (int i = 0; i < 256; i++)
        text[head + i] = (char)i;
    begin();
    assert_int_equal(feed_limited(text, (size_t)head + 256, 100), LATCH_WIRE_DONE);
    assert_memory_equal(latch_wire_body(&wire).ptr, text + head, 256);
}

/* A head of exactly `len` bytes. */
static void write_head(char *to, size_t len) {
    static const char first[] = OK "Content-Length: 0\r\n", name[] = "A: ";
    memcpy(to, first, sizeof first - 1);
    memcpy(to + sizeof first - 1, name, sizeof name - 1);
    memset(to + sizeof first + sizeof name - 2, 'x', len - sizeof first - sizeof name + 2 - 4);
    memcpy(to + len - 4, "\r\n\r\n", 4);
}

static void limits_the_head(void **state) {
    static const struct {
        size_t len;
        latch_wire_progress progress;
    } rows[] = {{4095, LATCH_WIRE_DONE}, {4096, LATCH_WIRE_DONE}, {4097, LATCH_WIRE_BROKEN}, {60000, LATCH_WIRE_BROKEN}};
    static const size_t pieces[] = {1, 1000, 1 << 16};
    static char text[60000];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (size_t k = 0; k < COUNT_OF(pieces); k++) {
            write_head(text, rows[i].len);
            begin();
            assert_int_equal(feed_limited(text, rows[i].len, pieces[k]), rows[i].progress);
        }
    }
}

static void limits_headers_trailers_and_interim_answers(void **state) {
    char text[16384];
    (void)state;
    for (int count = LATCH_WIRE_HEADERS_MAX - 1; count <= LATCH_WIRE_HEADERS_MAX; count++) {
        int n = sprintf(text, OK "Content-Length: 0\r\n");
        for (int i = 0; i < count; i++)
            n += sprintf(text + n, "H%d: v\r\n", i);
        sprintf(text + n, "\r\n");
        assert_int_equal(feed(text, 1 << 16), count < LATCH_WIRE_HEADERS_MAX ? LATCH_WIRE_DONE : LATCH_WIRE_BROKEN);
    }
    int n = sprintf(text, OK "Transfer-Encoding: chunked\r\n\r\n0\r\n");
    for (int i = 0; i < 500; i++)
        n += sprintf(text + n, "Trailer-%d: v\r\n", i);
    sprintf(text + n, "\r\n");
    assert_int_equal(feed(text, 1 << 16), LATCH_WIRE_BROKEN);
    assert_non_null(strstr(err.message, "too long"));
    n = 0;
    for (int i = 0; i < 500; i++)
        n += sprintf(text + n, "HTTP/1.1 100 Go\r\n\r\n");
    assert_int_equal(feed(text, 1 << 16), LATCH_WIRE_BROKEN);
    assert_non_null(strstr(err.message, "too long"));
}

static void limits_a_line_of_a_chunk(void **state) {
    char text[4096];
    (void)state;
    int n = sprintf(text, OK "Transfer-Encoding: chunked\r\n\r\n0;");
    memset(text + n, 'x', 2000);
    text[n + 2000] = '\0';
    assert_int_equal(feed(text, 1), LATCH_WIRE_BROKEN);
    assert_non_null(strstr(err.message, "a line is too long"));
}

/* The three ways in which a body comes: by its length, in chunks of `chunk`, to the end. */
static size_t write_body(char *to, int way, size_t len, size_t chunk) {
    size_t n = (size_t)sprintf(to,
                               way == 0   ? OK "Content-Length: %zu\r\n\r\n"
                               : way == 1 ? OK "Transfer-Encoding: chunked\r\n\r\n"
                                          : OK "\r\n",
                               len);
    for (size_t at = 0; at < len;) {
        size_t piece = way == 1 && chunk < len - at ? chunk : len - at;
        if (way == 1) n += (size_t)sprintf(to + n, "%zx\r\n", piece);
        for (size_t i = 0; i < piece; i++, at++)
            to[n++] = (char)('a' + at % 23);
        if (way == 1) n += (size_t)sprintf(to + n, "\r\n");
    }
    if (way == 1) n += (size_t)sprintf(to + n, "0\r\n\r\n");
    return n;
}

static void reads_a_body_up_to_its_limit_and_drops_one_past_it(void **state) {
    static char text[1 << 20];
    static const size_t sizes[] = {1, 8191, 8192, 8193, 65535, 65536, 65537, 70000, 200000}, pieces[] = {100, 4000, 1 << 20};
    (void)state;
    for (int way = 0; way < 3; way++) {
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            for (size_t k = 0; k < COUNT_OF(pieces); k++) {
                size_t len = write_body(text, way, sizes[i], 777);
                begin();
                assert_int_equal(feed_limited(text, len, pieces[k]), LATCH_WIRE_DONE);
                assert_int_equal(wire.too_large, sizes[i] > limits.body_bytes);
                assert_int_equal(wire.body_bytes, sizes[i]);
                assert_int_equal(latch_wire_body(&wire).len, wire.too_large ? 0 : sizes[i]);
                for (size_t b = 0; b < latch_wire_body(&wire).len; b++)
                    assert_int_equal(latch_wire_body(&wire).ptr[b], 'a' + b % 23);
            }
        }
    }
}

/* Whatever the arena has: a whole body, a dropped one with the head in place, or no room for a head. Never a crash. */
static void fits_or_drops_at_every_arena_size(void **state) {
    static char text[1 << 16];
    size_t whole = 0, dropped = 0, refused = 0;
    (void)state;
    for (int way = 0; way < 3; way++) {
        size_t len = write_body(text, way, 20000, 3000);
        for (size_t bytes = 64; bytes < 120000; bytes += 480) {
            latch_arena_clean_up(&arena);
            latch_arena_init(&arena, memory, bytes);
            begin();
            size_t at = 0, room = 0;
            latch_wire_progress progress = LATCH_WIRE_MORE;
            while (progress == LATCH_WIRE_MORE && at < len) {
                char *to = latch_wire_space(&wire, &room);
                if (to == NULL) break;
                size_t n = len - at < room ? len - at : room;
                memcpy(to, text + at, n);
                at += n;
                progress = latch_wire_fed(&wire, n, &err);
            }
            if (progress == LATCH_WIRE_MORE && at == len) progress = latch_wire_ended(&wire, &err);
            refused += progress != LATCH_WIRE_DONE;
            dropped += progress == LATCH_WIRE_DONE && wire.too_large;
            whole += progress == LATCH_WIRE_DONE && !wire.too_large;
            if (progress == LATCH_WIRE_DONE) assert_int_equal(wire.body_bytes, 20000);
        }
    }
    assert_true(whole > 100 && dropped > 20 && refused >= 3);
}

/* The body lies where it was received, and what the answer didn't need goes back to the arena. */
static void puts_the_body_into_the_arena_once(void **state) {
    static char text[1 << 18];
    (void)state;
    size_t len = write_body(text, 0, 60000, 0), room;
    begin();
    char *first = latch_wire_space(&wire, &room);
    memcpy(first, text, 100);
    assert_int_equal(latch_wire_fed(&wire, 100, &err), LATCH_WIRE_MORE);
    char *second = latch_wire_space(&wire, &room);
    assert_ptr_equal(second, first + 100);
    assert_true(room >= len - 100);
    memcpy(second, text + 100, len - 100);
    assert_int_equal(latch_wire_fed(&wire, len - 100, &err), LATCH_WIRE_DONE);
    assert_ptr_equal(latch_wire_body(&wire).ptr + 60000, first + len);
    assert_int_equal(arena.used, len);
}

static void distrusts_bytes_behind_an_answer(void **state) {
    static const char *const rows[] = {
        OK "Content-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n",
        OK "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nx",
        "HTTP/1.1 204 No Content\r\n\r\nx",
    };
    size_t room;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(feed(rows[i], 1 << 16), LATCH_WIRE_DONE);
        assert_false(wire.keep_alive);
    }
    assert_non_null(latch_wire_space(&wire, &room));
    assert_int_equal(latch_wire_fed(&wire, 1, &err), LATCH_WIRE_BROKEN);
    assert_non_null(strstr(err.message, "after its end"));
}

static void tells_no_answer_from_half_an_answer(void **state) {
    (void)state;
    begin();
    assert_false(latch_wire_heard(&wire));
    assert_int_equal(feed("H", 1), LATCH_WIRE_BROKEN);
    assert_true(latch_wire_heard(&wire));
}

/* Of the answer alone: what comes from the socket ends at a page that can't be read. */
static void reads_nothing_behind_what_came(void **state) {
    static const char text[] = OK "Content-Length: 10\r\nA: b\r\n\r\n0123456789";
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)state;
    assert_ptr_not_equal(pages, MAP_FAILED);
    assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
    for (size_t len = 1; len < sizeof text; len++) {
        /* the arena ends at the guard page: a block of exactly the answer's size is its last */
        latch_arena tight;
        latch_arena_init(&tight, pages + page - 1024, 1024);
        latch_wire_begin(&wire, &tight, &limits);
        size_t room, at = 0;
        latch_wire_progress progress = LATCH_WIRE_MORE;
        while (at < len && progress == LATCH_WIRE_MORE) {
            char *to = latch_wire_space(&wire, &room);
            assert_non_null(to);
            to[0] = text[at++];
            progress = latch_wire_fed(&wire, 1, &err);
        }
        assert_int_equal(progress, len == sizeof text - 1 ? LATCH_WIRE_DONE : LATCH_WIRE_MORE);
        latch_arena_clean_up(&tight);
    }
    munmap(pages, 2 * page);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    ROW(reads_answers_in_pieces_of_any_size),
    ROW(refuses_what_is_no_http),
    ROW(refuses_nul_in_a_head),
    ROW(keeps_bytes_of_any_value_in_a_body),
    ROW(limits_the_head),
    ROW(limits_headers_trailers_and_interim_answers),
    ROW(limits_a_line_of_a_chunk),
    ROW(reads_a_body_up_to_its_limit_and_drops_one_past_it),
    ROW(fits_or_drops_at_every_arena_size),
    ROW(puts_the_body_into_the_arena_once),
    ROW(distrusts_bytes_behind_an_answer),
    ROW(tells_no_answer_from_half_an_answer),
    ROW(reads_nothing_behind_what_came),
};

CHECK_MAIN(tests)
