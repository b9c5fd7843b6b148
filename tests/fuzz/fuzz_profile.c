/* fuzz_profile.c - any bytes as a file of AWS profiles: read to the end, each entry inside the text and after the one before. */
#include <stdlib.h>
#include <string.h>

#include "store/dynamodb/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
    if (!holds) abort();
}

static void inside(latch_str part, latch_str text) {
    if (part.ptr == NULL) return;
    must(part.ptr >= text.ptr && part.len <= (size_t)(text.ptr + text.len - part.ptr));
}

static void read_all(latch_str text) {
    latch_profile_reader reader = latch_profile_read(text);
    latch_profile_entry e;
    size_t line = 0;
    while (latch_profile_next(&reader, &e)) {
        must(e.section.len > 0 && reader.line > line && !reader.broken);
        must(e.sub.len == 0 || e.key.len > 0);
        inside(e.section, text);
        inside(e.key, text);
        inside(e.sub, text);
        inside(e.value, text);
        line = reader.line;
    }
    must(!latch_profile_next(&reader, &e) && e.section.len == 0);
    must(reader.broken || reader.at == text.len || text.len < 3);
}

/* What is looked up was there; and in both files the text is the same, so `find` is what the credentials file says, where it says something. */
static void look_up(latch_str text) {
    const latch_profile p = {.name = "default", .texts = {text, text}};
    latch_str credentials = latch_profile_get(&p, LATCH_PROFILE_CREDENTIALS, "region");
    latch_str config = latch_profile_get(&p, LATCH_PROFILE_CONFIG, "region"), found = latch_profile_find(&p, "region");
    must(latch_str_eq(found, credentials.len > 0 ? credentials : config));
    if (found.len > 0) inside(found, text);
    (void)latch_profile_service(&p, LATCH_STR("desk"), "dynamodb", "endpoint_url");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *copy = malloc(size > 0 ? size : 1); /* reading on behind it is seen */
    if (copy == NULL) abort();
    if (size > 0) memcpy(copy, data, size);
    read_all((latch_str){copy, size});
    look_up((latch_str){copy, size});
    free(copy);
    return 0;
}
