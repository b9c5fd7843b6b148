#include "tests/embedded/language.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/err.h"
#include "tests/check.h"

#define ARENA_BYTES ((size_t)4 << 20)
#define DOCUMENTS 64
#define PAGES 20 /* of text before the guard */

latch_arena language_arena;
latch_fault language_fault;

static void *memory;
static char *guarded; /* PAGES pages, then one that can't be read */
static yyjson_doc *documents[DOCUMENTS];
static char *texts[DOCUMENTS];
static size_t document_count, text_count;

static size_t page(void) { return (size_t)sysconf(_SC_PAGESIZE); }

int language_set_up(void **state) {
    (void)state;
    memory = malloc(ARENA_BYTES);
    guarded = mmap(NULL, (PAGES + 1) * page(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == NULL || guarded == MAP_FAILED || mprotect(guarded + PAGES * page(), page(), PROT_NONE) != 0) return -1;
    latch_arena_init(&language_arena, memory, ARENA_BYTES);
    language_fault = (latch_fault){0};
    return 0;
}

static void forget(void) {
    while (document_count > 0)
        yyjson_doc_free(documents[--document_count]);
    while (text_count > 0)
        free(texts[--text_count]);
}

int language_tear_down(void **state) {
    (void)state;
    forget();
    latch_arena_clean_up(&language_arena);
    free(memory);
    return munmap(guarded, (PAGES + 1) * page());
}

void language_again(size_t arena_bytes) {
    forget();
    latch_arena_clean_up(&language_arena);
    latch_arena_init(&language_arena, memory, arena_bytes != 0 ? arena_bytes : ARENA_BYTES);
    language_fault = (latch_fault){0};
}

yyjson_val *language_json(const char *text) {
    if (text == NULL) return NULL;
    yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
    if (doc == NULL || document_count == DOCUMENTS) fail_msg("no JSON, or too many: %.200s", text);
    documents[document_count++] = doc;
    return yyjson_doc_get_root(doc);
}

latch_str language_guarded(const char *text) {
    size_t len = strlen(text);
    assert_true(len <= PAGES * page());
    char *at = guarded + PAGES * page() - len;
    memcpy(at, text, len);
    return (latch_str){at, len};
}

latch_item language_item(const char *json) {
    latch_item item;
    if (!latch_item_read(language_json(json), &item, &language_arena, &language_fault)) fail_msg("%s: %s", json, language_fault_text());
    return item;
}

latch_av language_value(const char *json) {
    latch_av v;
    if (!latch_av_read(language_json(json), &v, &language_arena, &language_fault)) fail_msg("%s: %s", json, language_fault_text());
    return v;
}

static const char *written(yyjson_mut_doc *doc, yyjson_mut_val *root) {
    yyjson_mut_doc_set_root(doc, root);
    char *text = yyjson_mut_write(doc, 0, NULL);
    yyjson_mut_doc_free(doc);
    if (text == NULL || text_count == DOCUMENTS) fail_msg("not written, or too many");
    return texts[text_count++] = text;
}

const char *language_text(const latch_av *v) {
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    return written(doc, latch_av_write(doc, v));
}

const char *language_item_text(const latch_item *item) {
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    return written(doc, latch_item_write(doc, item));
}

const char *language_fault_text(void) {
    static char text[70000];
    if (language_fault.name == NULL) return "(no fault)";
    if (strcmp(language_fault.name, "ValidationException") == 0)
        snprintf(text, sizeof text, "%.*s", LATCH_ARG(language_fault.message));
    else
        snprintf(text, sizeof text, "%s: %.*s", language_fault.name, LATCH_ARG(language_fault.message));
    return text;
}
