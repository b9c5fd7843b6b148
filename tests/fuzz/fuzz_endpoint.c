/*
 * fuzz_endpoint.c - any bytes as an endpoint's URL, as a time, and as what a container or a process answers: taken as what they are, or refused
 * by a message that is UTF-8. The input: one byte for the arena, the text.
 */
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "store/dynamodb/endpoint.h"
#include "store/dynamodb/sources.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
    if (!holds) abort();
}

static void must_tell(const latch_err *err, latch_status status) {
    must(err->status == status && err->message[0] != '\0' && latch_str_is_utf8(latch_str_of(err->message)));
}

/* What is taken is a URL that is taken again as the same. */
static void parse_url(latch_arena *arena, latch_str text) {
    latch_endpoint e, again;
    latch_err err = {0};
    latch_status status = latch_endpoint_parse(arena, "it", text, &e, &err);
    must(status == LATCH_OK || status == LATCH_E_MISUSE || status == LATCH_E_NOMEM);
    if (status != LATCH_OK) {
        must_tell(&err, status);
        return;
    }
    must(strncmp(e.url, e.tls ? "https://" : "http://", e.tls ? 8 : 7) == 0 && strcmp(strstr(e.url, "://") + 3, e.host) == 0);
    must(!latch_str_has_control(latch_str_of(e.url)) && strpbrk(e.host, "/@?# ") == NULL && (!e.amazon_roots || e.aws) &&
         (!e.aws || e.tls));
    status = latch_endpoint_parse(arena, "it", latch_str_of(e.url), &again, NULL);
    must(status == LATCH_E_NOMEM ||
         (status == LATCH_OK && strcmp(e.url, again.url) == 0 && e.aws == again.aws && e.loopback == again.loopback));
}

static void parse_region(latch_arena *arena, latch_str text) {
    latch_endpoint e, again;
    const latch_endpoint_kind kind = {.dualstack = text.len % 2 == 1};
    if (!latch_endpoint_is_region(text) || latch_endpoint_of_region(arena, text, &kind, &e, NULL) != LATCH_OK) return;
    latch_status status = latch_endpoint_parse(arena, "it", latch_str_of(e.url), &again, NULL);
    must(status == LATCH_E_NOMEM || (status == LATCH_OK && strcmp(e.url, again.url) == 0 && again.aws));
}

static void parse_keys(latch_arena *arena, latch_str text) {
    for (latch_keys_form form = LATCH_KEYS_OF_CONTAINER; form <= LATCH_KEYS_OF_PROCESS; form++) {
        latch_given_keys keys;
        latch_err err = {0};
        latch_status status = latch_keys_parse(arena, "it", form, text, 0, &keys, &err);
        if (status != LATCH_OK) {
            must_tell(&err, status);
            must(keys.secret_access_key.ptr == NULL);
            continue;
        }
        must(keys.access_key_id.len > 0 && keys.secret_access_key.len > 0 && !latch_str_has_control(keys.session_token));
        must(!keys.expire || keys.expire_at_ms > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    size_t cap = data[0] < 64 ? (size_t)data[0] * 64 : (size_t)1 << 18;
    latch_str text = {NULL, size - 1};
    char *memory = malloc(cap + 1), *input = malloc(text.len > 0 ? text.len : 1); /* reading on behind it is seen */
    if (memory == NULL || input == NULL) abort();
    if (text.len > 0) memcpy(input, data + 1, text.len);
    text.ptr = input;
    latch_arena arena;
    int64_t at_ms;
    latch_arena_init(&arena, memory, cap);
    parse_url(&arena, text);
    parse_region(&arena, text);
    if (latch_keys_time(text, &at_ms)) must(at_ms >= -LATCH_DAY_MS && at_ms <= INT64_C(253402387200000));
    parse_keys(&arena, text);
    latch_arena_clean_up(&arena);
    free(input);
    free(memory);
    return 0;
}
