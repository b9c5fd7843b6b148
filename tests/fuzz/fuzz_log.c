/*
 * fuzz_log.c - any message and any values in a log record: it is one line, in JSON it is JSON, in a frame it is as long as the frame says;
 * and of no secret by its name is anything left. The input: one byte for format and frame, one for the arena, then message and values, cut at
 * 0xFE, and behind 0xFF the text of a parsed value.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <yyjson.h>

#include "core/log.h"
#include "tests/core/room.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
    if (!holds) abort();
}

#define PIECES 4

/* Up to the next 0xFE. */
static latch_str piece(const uint8_t **at, size_t *left) {
    const uint8_t *end = *left > 0 ? memchr(*at, 0xFE, *left) : NULL;
    size_t len = end != NULL ? (size_t)(end - *at) : *left, taken = len + (end != NULL);
    latch_str s = {(const char *)*at, len};
    *at += taken;
    *left -= taken;
    return s;
}

static uint32_t read_u32(const char *at) {
    const unsigned char *b = (const unsigned char *)at;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* The record in `text`; where it ends, there is nothing more. */
static void look(const latch_log *log, const char *text, size_t len) {
    if (log->framed) {
        must(len >= 16 && read_u32(text) >> 16 == 0xa55a && read_u32(text + 4) == len - 16);
        text += 16, len -= 16;
    } else {
        must(len > 0 && text[--len] == '\n');
    }
    must(memchr(text, '\n', len) == NULL);
    if (log->format != LATCH_LOG_JSON) return;
    yyjson_doc *doc = yyjson_read(text, len, YYJSON_READ_NUMBER_AS_RAW); /* a number may be past any double */
    must(doc != NULL);
    yyjson_val *root = yyjson_doc_get_root(doc), *secret = yyjson_obj_get(root, "password");
    must(yyjson_is_str(yyjson_obj_get(root, "message")));
    const char *left = yyjson_get_str(secret);
    must(left == NULL || strcmp(left, "***") == 0 || strspn(left, "*") == strlen(left));
    yyjson_doc_free(doc);
}

static void write_record(latch_ctx *cx, const latch_str *pieces, latch_json parsed) {
    char message[256];
    size_t len = pieces[0].len < sizeof message ? pieces[0].len : sizeof message - 1;
    if (len > 0) memcpy(message, pieces[0].ptr, len);
    message[len] = '\0';
    cx->request_id = pieces[1];
    cx->tenant_id = pieces[2];
    latch_log_(
        cx, LATCH_INFO, message,
        LATCH_PAIRS_(0, "password", pieces[3], "text", pieces[1], "parsed", parsed, "userToken", parsed, "n", -1.5, "b", latch_bool(true)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static int fd = -1;
    static char written[1 << 20];
    room r;
    if (size < 2) return 0;
    if (fd < 0) fd = memfd_create("log", MFD_CLOEXEC);
    latch_log log = {.fd = fd, .format = data[0] & 1 ? LATCH_LOG_JSON : LATCH_LOG_TEXT, .framed = (data[0] & 2) != 0};
    memcpy(log.redact.secret[0], "planted-secret-0123", 20);
    room_open(&r, data[1] < 128 ? (size_t)data[1] * 64 : (size_t)1 << 20);
    r.cx.log = &log;
    const uint8_t *at = data + 2, *json_at = memchr(at, 0xFF, size - 2);
    size_t left = json_at != NULL ? (size_t)(json_at - at) : size - 2;
    latch_json parsed = LATCH_NULL;
    if (json_at != NULL) {
        latch_str text = {(const char *)json_at + 1, size - 3 - left};
        if (latch_parse(&r.cx, "value", text, &parsed) != LATCH_OK) parsed = LATCH_NULL;
    }
    latch_str pieces[PIECES];
    for (size_t i = 0; i < PIECES; i++)
        pieces[i] = piece(&at, &left);
    must(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
    size_t mark = latch_arena_mark(&r.arena);
    write_record(&r.cx, pieces, parsed);
    must(latch_arena_mark(&r.arena) == mark);
    ssize_t n = pread(fd, written, sizeof written, 0);
    must(n > 0);
    look(&log, written, (size_t)n);
    must(memmem(written, (size_t)n, "planted-secret-0123", 19) == NULL);
    room_close(&r);
    return 0;
}
