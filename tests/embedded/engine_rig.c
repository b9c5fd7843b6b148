#include "tests/embedded/engine_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"

#define ARENA_BYTES ((size_t)64 << 20)

static int64_t wall_us(void *self) {
    const engine_rig *r = self;
    return r->now_ms * 1000;
}

void engine_rig_again(engine_rig *r, const latch_embedded_options *options) {
    latch_embedded_options mine = options != NULL ? *options : (latch_embedded_options){.seed = 1};
    latch_embedded_clean_up(r->engine);
    r->now_ms = ENGINE_T0;
    r->clock = (latch_clock){.wall_us = wall_us, .boot_us = wall_us, .self = r};
    mine.clock = &r->clock;
    assert_int_equal(latch_embedded_init(&r->engine, &mine, &r->err), LATCH_OK);
    r->transport = latch_embedded_transport(r->engine);
}

void engine_rig_init(engine_rig *r, const latch_embedded_options *options) {
    *r = (engine_rig){.memory = malloc(ARENA_BYTES)};
    assert_non_null(r->memory);
    latch_arena_init(&r->arena, r->memory, ARENA_BYTES);
    engine_rig_again(r, options);
}

void engine_rig_clean_up(engine_rig *r) {
    latch_embedded_clean_up(r->engine);
    latch_arena_clean_up(&r->arena);
    free(r->memory);
    *r = (engine_rig){0};
}

int engine_send_raw(engine_rig *r, const char *operation, latch_str request, size_t arena_bytes) {
    latch_arena_rewind(&r->arena, 0);
    r->arena.cap = arena_bytes < ARENA_BYTES ? arena_bytes : ARENA_BYTES;
    latch_status status =
        r->transport.call(r->transport.self, &(latch_send){.operation = operation, .request = request}, &r->arena, &r->reply, &r->err);
    if (status != LATCH_OK) assert_int_equal(status, LATCH_E_NOMEM);
    return status == LATCH_OK ? r->reply.http_status : 0;
}

/* A copy with " for '. */
static char *quoted(const char *text) {
    char *copy = strdup(text);
    assert_non_null(copy);
    for (char *at = copy; *at != '\0'; at++)
        if (*at == '\'') *at = '"';
    return copy;
}

int engine_send(engine_rig *r, const char *operation, const char *request) {
    char *json = quoted(request);
    int status = engine_send_raw(r, operation, latch_str_of(json), ARENA_BYTES);
    free(json);
    return status;
}

int engine_send_format(engine_rig *r, const char *operation, const char *format, ...) {
    char request[4096];
    va_list ap;
    va_start(ap, format);
    int len = vsnprintf(request, sizeof request, format, ap);
    va_end(ap);
    assert_in_range(len, 0, sizeof request - 1);
    return engine_send(r, operation, request);
}

static void leave_out_dates(yyjson_mut_val *v) {
    static const char *const dates[] = {"CreationDateTime", "LastUpdateToPayPerRequestDateTime", "LastIncreaseDateTime",
                                        "LastDecreaseDateTime"};
    size_t i, max;
    yyjson_mut_val *key, *value;
    for (size_t d = 0; yyjson_mut_is_obj(v) && d < COUNT_OF(dates); d++)
        yyjson_mut_obj_remove_key(v, dates[d]);
    if (yyjson_mut_is_obj(v)) yyjson_mut_obj_foreach(v, i, max, key, value) leave_out_dates(value);
    if (yyjson_mut_is_arr(v)) yyjson_mut_arr_foreach(v, i, max, value) leave_out_dates(value);
}

char *engine_normal(latch_str body) {
    yyjson_doc *doc = yyjson_read(body.ptr, body.len, 0);
    assert_non_null(doc);
    yyjson_mut_doc *copy = yyjson_doc_mut_copy(doc, NULL);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(copy), *type = yyjson_mut_obj_get(root, "__type");
    const char *name = yyjson_mut_get_str(type) != NULL ? strchr(yyjson_mut_get_str(type), '#') : NULL;
    if (name != NULL) yyjson_mut_obj_put(root, yyjson_mut_str(copy, "__type"), yyjson_mut_strcpy(copy, name + 1));
    leave_out_dates(root);
    char *text = yyjson_mut_write(copy, 0, NULL);
    assert_non_null(text);
    yyjson_mut_doc_free(copy);
    yyjson_doc_free(doc);
    return text;
}

bool engine_same_json(const char *a, const char *b) {
    yyjson_doc *one = yyjson_read(a, strlen(a), 0), *other = yyjson_read(b, strlen(b), 0);
    bool same = one != NULL && other != NULL && yyjson_equals(yyjson_doc_get_root(one), yyjson_doc_get_root(other));
    yyjson_doc_free(one);
    yyjson_doc_free(other);
    return same;
}

void engine_expect(engine_rig *r, const char *operation, const char *request, int http_status, const char *answer) {
    int status = engine_send(r, operation, request);
    char *want = quoted(answer), *got = engine_normal(r->reply.body);
    if (status != http_status || !engine_same_json(want, got))
        fail_msg("%s %.600s\n  answers %d %.900s\n  wanted  %d %.900s", operation, request, status, got, http_status, want);
    free(want);
    free(got);
}

void engine_expect_error(engine_rig *r, const char *operation, const char *request, const char *error) {
    char says[2048];
    assert_int_equal(engine_send(r, operation, request), 400);
    yyjson_doc *doc = yyjson_read(r->reply.body.ptr, r->reply.body.len, 0);
    const char *type = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "__type"));
    const char *message = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "message"));
    if (type == NULL || message == NULL) fail_msg("%s %.600s\n  has an error without its parts", operation, request);
    const char *name = strchr(type, '#');
    snprintf(says, sizeof says, "%s: %s", name != NULL ? name + 1 : type, message != NULL ? message : "");
    yyjson_doc_free(doc);
    if (strcmp(says, error) != 0) fail_msg("%s %.600s\n  answers %s\n  wanted  %s", operation, request, says, error);
}

void engine_do(engine_rig *r, const char *operation, const char *request) {
    int status = engine_send(r, operation, request);
    if (status != 200) fail_msg("%s %.600s\n  answers %d %.600s", operation, request, status, r->reply.body.ptr);
}

int64_t engine_int(const engine_rig *r, const char *pointer) {
    yyjson_doc *doc = yyjson_read(r->reply.body.ptr, r->reply.body.len, 0);
    yyjson_val *v = yyjson_doc_ptr_get(doc, pointer);
    int64_t n = v == NULL ? -1 : yyjson_is_str(v) ? strtoll(yyjson_get_str(v), NULL, 10) : (int64_t)yyjson_get_num(v);
    yyjson_doc_free(doc);
    return n;
}

size_t engine_size(const engine_rig *r, const char *pointer) {
    yyjson_doc *doc = yyjson_read(r->reply.body.ptr, r->reply.body.len, 0);
    yyjson_val *v = yyjson_doc_ptr_get(doc, pointer);
    size_t n = yyjson_is_arr(v) || yyjson_is_obj(v) ? unsafe_yyjson_get_len(v) : 0;
    yyjson_doc_free(doc);
    return n;
}
