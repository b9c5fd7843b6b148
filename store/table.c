#include "store/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/client.h"
#include "store/request.h"

/* ── sending ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* A lost reply stays open whatever a later try says: the lost one may have been applied, or may still be. A read applies nothing. */
latch_status latch_table_call(latch_ctx *cx, const latch_request *r, latch_json *item) {
    bool reads = r->operation == LATCH_GET_ITEM;
    latch_answer answer;
    latch_str request;
    *item = (latch_json){cx, NULL};
    LATCH_TRY(latch_client_check_open(cx, latch_operation_name(r->operation)));
    LATCH_TRY(latch_request_text(cx, r, &request));
    const latch_call call = {.operation = latch_operation_name(r->operation),
                             .request = request,
                             .deadline_at_ms = r->deadline_at_ms,
                             .item = true,
                             .reads = reads,
                             .repeatable = r->repeatable,
                             .timed = r->timed};
    latch_status status = latch_client_call(cx, &call, &answer);
    if (status != LATCH_OK && status != LATCH_CONFLICT) return status;
    bool is_item = status == LATCH_CONFLICT || reads;
    latch_status found =
        is_item ? latch_read(answer.body, "Item", latch_optional(item)) : latch_read(answer.body, "Attributes", latch_optional(item));
    *item = latch_json_named(cx, "item", *item);
    if (found != LATCH_OK) cx->err.maybe_applied = !reads;
    return found != LATCH_OK ? found : status;
}

/* Of all that is denied, this alone may be tried again. */
bool latch_table_outdated(const latch_ctx *cx, latch_status status) { return status == LATCH_E_DENIED && cx->err.retry_at_ms != 0; }

/* ── reading an item ────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define ATTRIBUTE_MAX 64

typedef struct path {
    char text[ATTRIBUTE_MAX + sizeof ".NULL"];
} path;

/* "created" and "N": "created.N" */
static path path_of(const char *attribute, const char *type) {
    path p;
    size_t len = strnlen(attribute, ATTRIBUTE_MAX), type_len = strlen(type);
    memcpy(p.text, attribute, len);
    if (type_len > 0) p.text[len++] = '.';
    memcpy(p.text + len, type, type_len + 1);
    return p;
}

bool latch_item_has(latch_json item, const char *attribute) { return latch_has(item, path_of(attribute, "").text); }

static bool has_value(latch_json item, const char *attribute) {
    return latch_item_has(item, attribute) && !latch_has(item, path_of(attribute, "NULL").text);
}

latch_status latch_item_text(latch_json item, const char *attribute, latch_str *out) {
    path p = path_of(attribute, "S");
    return latch_read_(item, (const latch_field[]){{p.text, latch_bytes(out, 0, INT64_MAX)}, {NULL, latch_i_str_(NULL)}});
}

/* Digits to a number that fits: the sum is checked before it is made, on the side of the negatives, which reach one further. */
static bool whole_number(latch_str digits, int64_t *out) {
    bool negative = digits.len > 0 && digits.ptr[0] == '-';
    int64_t n = 0;
    for (size_t i = negative; i < digits.len; i++) {
        int digit = digits.ptr[i] - '0';
        if (digit < 0 || digit > 9 || n < (INT64_MIN + digit) / 10) return false;
        n = n * 10 - digit;
    }
    if (digits.len == (size_t)negative || (!negative && n == INT64_MIN)) return false;
    *out = negative ? n : -n;
    return true;
}

latch_status latch_item_int(latch_json item, const char *attribute, int64_t *out) {
    path p = path_of(attribute, "N");
    latch_str digits;
    *out = 0;
    LATCH_TRY(latch_read_(item, (const latch_field[]){{p.text, latch_i_str_(&digits)}, {NULL, latch_i_str_(NULL)}}));
    if (whole_number(digits, out)) return LATCH_OK;
    return latch_err_set(&item.cx->err, LATCH_E_DATA, "item.%s: is %.*s, want a whole number of 64 bits", p.text, LATCH_ARG(digits));
}

latch_status latch_item_text_or(latch_json item, const char *attribute, latch_str missing, latch_str *out) {
    *out = missing;
    return has_value(item, attribute) ? latch_item_text(item, attribute, out) : LATCH_OK;
}

latch_status latch_item_int_or(latch_json item, const char *attribute, int64_t missing, int64_t *out) {
    *out = missing;
    return has_value(item, attribute) ? latch_item_int(item, attribute, out) : LATCH_OK;
}

latch_status latch_item_at_ms(latch_json item, const char *attribute, int64_t *out) {
    LATCH_TRY(latch_item_int(item, attribute, out));
    if (*out >= 0 && *out <= LATCH_AT_MS_MAX) return LATCH_OK;
    return latch_err_set(&item.cx->err, LATCH_E_DATA, "item.%s: is %" PRId64 ", want Unix milliseconds", attribute, *out);
}

latch_status latch_item_at_ms_or(latch_json item, const char *attribute, int64_t missing, int64_t *out) {
    *out = missing;
    return has_value(item, attribute) ? latch_item_at_ms(item, attribute, out) : LATCH_OK;
}

/* ── what stores have in common ─────────────────────────────────────────────────────────────────────────────────────────── */

#define NAME_MAX_BYTES 64
#define SKEW_MS (2 * LATCH_SECOND_MS)

/* `which` part of a key, of store `of` under `name`: "attempts login: the key". A name is the author's, a key comes with the event. */
static latch_status complain(latch_ctx *cx, const latch_table_key *of, const char *name, const char *which, const char *wrong) {
    return latch_err_set(&cx->err, name != NULL ? LATCH_E_INPUT : LATCH_E_MISUSE, "%s%s%s: %s %s", of->store, name != NULL ? " " : "",
                         name != NULL ? name : "", which, wrong);
}

static latch_status check_part(latch_ctx *cx, const latch_table_key *of, const char *name, const char *which, latch_str part,
                               size_t max_bytes) {
    char wrong[80];
    if (part.len == 0) return complain(cx, of, name, which, "is empty");
    if (part.len > max_bytes) {
        snprintf(wrong, sizeof wrong, "has %zu bytes, want at most %zu", part.len, max_bytes);
        return complain(cx, of, name, which, wrong);
    }
    for (size_t i = 0; i < part.len; i++) {
        unsigned char c = (unsigned char)part.ptr[i];
        if (c >= 0x20 && c != 0x7F) continue;
        snprintf(wrong, sizeof wrong, "has the control byte 0x%02x at %zu", c, i);
        return complain(cx, of, name, which, wrong);
    }
    return latch_str_is_utf8(part) ? LATCH_OK : complain(cx, of, name, which, "is not UTF-8");
}

latch_status latch_table_check_key(latch_ctx *cx, const latch_table_key *of, const char *name, latch_str key) {
    LATCH_TRY(check_part(cx, of, NULL, ".name", latch_str_of(name), NAME_MAX_BYTES));
    return check_part(cx, of, name, "the key", key, of->max_bytes);
}

latch_status latch_table_pk(latch_ctx *cx, const latch_table_key *of, const char *name, latch_str key, latch_str *pk) {
    char wrong[128];
    *pk = (latch_str){NULL, 0};
    LATCH_TRY(latch_table_check_key(cx, of, name, key));
    latch_str made = latch_key(cx, latch_str_of(of->prefix), latch_str_of(name), key);
    if (made.ptr == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "%s %s: the arena is full", of->store, name);
    if (made.len <= of->max_bytes) {
        *pk = made;
        return LATCH_OK;
    }
    snprintf(wrong, sizeof wrong, "has %zu bytes, escaped and with the store's name %zu, want at most %zu", key.len, made.len,
             of->max_bytes);
    return complain(cx, of, name, "the key", wrong);
}

latch_status latch_table_check_span(latch_ctx *cx, const char *store, const char *name, const char *field, int64_t span_ms, int64_t least) {
    if (span_ms >= least && span_ms <= LATCH_SPAN_MS_MAX) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s %s: %s is %" PRId64 ", want %" PRId64 " to %" PRId64, store, name, field, span_ms,
                         least, LATCH_SPAN_MS_MAX);
}

int64_t latch_table_skew_ms(const latch_ctx *cx) {
    return cx->table != NULL && cx->table->max_clock_skew_ms > 0 ? cx->table->max_clock_skew_ms : SKEW_MS;
}

/*
 * What the embedded engine needs for an update of a few attributes that is refused and gives back the item, and for the key where it stands
 * in request, item and answer, as pk and as sk, each byte escaped.
 */
latch_status latch_spare_init(latch_ctx *cx, latch_spare *spare, latch_str pk) {
    size_t bytes = (size_t)16 * 1024 + 32 * pk.len;
    void *memory = latch_arena_alloc(cx->arena, bytes);
    *spare = (latch_spare){.outer = NULL};
    if (memory == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "store: the arena is full");
    latch_arena_init(&spare->arena, memory, bytes);
    return LATCH_OK;
}

void latch_spare_begin(latch_ctx *cx, latch_spare *spare) {
    spare->outer = cx->arena;
    cx->arena = &spare->arena;
}

void latch_spare_end(latch_ctx *cx, latch_spare *spare) {
    cx->arena = spare->outer;
    latch_arena_rewind(&spare->arena, 0);
}
