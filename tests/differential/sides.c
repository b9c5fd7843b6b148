#include "tests/differential/sides.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "tests/differential/text.h"
#include "tests/endpoint.h"

#define ARENA_BYTES ((size_t)160 << 20) /* an answer of 16 MB, as text and as what the engine makes it of */

const char *const twin_names[TWIN_COUNT] = {"none", "text", "condition", "lost", "order"};

static void side_init(side *s, latch_transport transport, twin broken) {
    *s = (side){.transport = transport, .memory = need_memory(malloc(ARENA_BYTES)), .twin = broken};
    latch_arena_init(&s->arena, s->memory, ARENA_BYTES);
}

static void side_clean_up(side *s) {
    latch_arena_clean_up(&s->arena);
    free(s->memory);
}

void sides_open(sides *s, const char *url, twin broken) {
    latch_err err;
    *s = (sides){.endpoint = endpoint_open(url, "us-east-1")};
    if (s->endpoint == NULL || latch_embedded_init(&s->embedded, &(latch_embedded_options){.seed = 7}, &err) != LATCH_OK) exit(2);
    side_init(&s->engine, latch_embedded_transport(s->embedded), broken);
    side_init(&s->other, endpoint_transport(s->endpoint), NO_TWIN);
}

void sides_close(sides *s) {
    side_clean_up(&s->engine);
    side_clean_up(&s->other);
    latch_embedded_clean_up(s->embedded);
    endpoint_close(s->endpoint);
}

void reply_free(reply *r) {
    yyjson_doc_free(r->doc);
    *r = (reply){0};
}

yyjson_val *reply_root(const reply *r) { return yyjson_doc_get_root(r->doc); }

const char *reply_error(const reply *r) {
    const char *type = yyjson_get_str(yyjson_obj_get(reply_root(r), "__type"));
    const char *name = type != NULL ? strchr(type, '#') : NULL;
    return name != NULL ? name + 1 : type != NULL ? type : "";
}

const char *reply_message(const reply *r) {
    const char *message = yyjson_get_str(yyjson_obj_get(reply_root(r), "message"));
    if (message == NULL) message = yyjson_get_str(yyjson_obj_get(reply_root(r), "Message"));
    return message != NULL ? message : "";
}

/* ── twins ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static char *rewritten(const char *operation, const char *request, size_t len, twin broken) {
    yyjson_doc *doc = yyjson_read(request, len, 0);
    yyjson_mut_doc *copy = yyjson_doc_mut_copy(doc, NULL);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(copy);
    if (broken == TWIN_CONDITION && strcmp(operation, "PutItem") == 0) {
        yyjson_mut_obj_remove_key(root, "ConditionExpression");
        yyjson_mut_obj_remove_key(root, "ExpressionAttributeNames");
        yyjson_mut_obj_remove_key(root, "ExpressionAttributeValues");
    }
    if (broken == TWIN_ORDER && strcmp(operation, "Query") == 0) {
        bool forward = !yyjson_mut_is_false(yyjson_mut_obj_get(root, "ScanIndexForward"));
        yyjson_mut_obj_put(root, yyjson_mut_str(copy, "ScanIndexForward"), yyjson_mut_bool(copy, !forward));
    }
    char *json = yyjson_mut_write(copy, 0, NULL);
    yyjson_mut_doc_free(copy);
    yyjson_doc_free(doc);
    return json;
}

static void break_text(latch_reply *r) {
    static const char says[] = "The conditional request failed";
    char *found = r->http_status == 400 ? memmem(r->body.ptr, r->body.len, says, sizeof says - 1) : NULL;
    if (found != NULL) memcpy(found, "the", 3);
}

static latch_status send_to(side *s, const latch_send *send, latch_reply *out, latch_err *err) {
    latch_send other = *send;
    if (s->twin == TWIN_LOST && strcmp(send->operation, "DeleteItem") == 0 && ++s->deletes % 4 == 0) {
        *out = (latch_reply){.http_status = 200, .body = LATCH_STR("{}")};
        return LATCH_OK;
    }
    char *own = s->twin == TWIN_CONDITION || s->twin == TWIN_ORDER
                    ? rewritten(send->operation, send->request.ptr, send->request.len, s->twin)
                    : NULL;
    if (own != NULL) other.request = latch_str_of(own);
    latch_status status = s->transport.call(s->transport.self, &other, &s->arena, out, err);
    free(own);
    if (s->twin == TWIN_TEXT && status == LATCH_OK) break_text(out);
    return status;
}

reply side_ask(side *s, const char *operation, const char *request, size_t len) {
    latch_reply answer;
    latch_err err = {0};
    latch_arena_rewind(&s->arena, 0);
    latch_send send = {.operation = operation, .request = {request, len}, .deadline_at_ms = INT64_MAX};
    if (send_to(s, &send, &answer, &err) != LATCH_OK) {
        fprintf(stderr, "differential: %s %.400s: %s\n", operation, request, err.message);
        exit(2);
    }
    return (reply){.http_status = answer.http_status, .doc = yyjson_read(answer.body.ptr, answer.body.len, 0)};
}
