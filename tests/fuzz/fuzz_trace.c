/*
 * fuzz_trace.c - any bytes as a trace header, and as the address of X-Ray's daemon. What a header says survives being written and read again.
 * The input: the header, then behind a NUL the address.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/xray.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
    if (!holds) abort();
}

static void look_at_header(latch_str header) {
    latch_trace_context c, again;
    char text[LATCH_TRACE_HEADER_BYTES];
    if (!latch_trace_context_read(header, &c)) {
        must(c.root[0] == '\0' && c.parent == 0 && !c.sampled);
        return;
    }
    must(strlen(c.root) == 32 && strspn(c.root, "0123456789abcdef") == 32);
    latch_trace_context_xray(&c, text);
    if (c.parent == 0) {
        must(text[0] == '\0');
        return;
    }
    must(latch_trace_context_read(latch_str_of(text), &again));
    must(strcmp(again.root, c.root) == 0 && again.parent == c.parent && again.sampled == c.sampled);
    latch_trace_context_w3c(&c, text);
    must(strlen(text) == 55 && memcmp(text, "00-", 3) == 0 && memcmp(text + 3, c.root, 32) == 0 && text[35] == '-' && text[52] == '-');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *nul = size > 0 ? memchr(data, '\0', size) : NULL;
    size_t header_len = nul != NULL ? (size_t)(nul - data) : size;
    char *header = malloc(header_len + 1); /* its own block: an over-read shows */
    must(header != NULL);
    if (header_len > 0) memcpy(header, data, header_len);
    look_at_header((latch_str){header, header_len});
    free(header);
    if (nul == NULL) return 0;
    size_t len = size - header_len - 1;
    char *address = malloc(len + 1);
    must(address != NULL);
    if (len > 0) memcpy(address, nul + 1, len);
    address[len] = '\0';
    struct sockaddr_storage to;
    socklen_t to_len;
    latch_xray_read_address(address, &to, &to_len);
    must(to_len == 0 || ((to.ss_family == AF_INET || to.ss_family == AF_INET6) && to_len <= sizeof to));
    free(address);
    return 0;
}
