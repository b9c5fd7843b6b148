#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/coding.h"
#include "kit/inside.h"

#define MEMORY_BYTES ((size_t)64 << 10) /* beside what the parsed reply and one log record need */
#define MEMORY_PER_BYTE 32

kit_outcome *latch_kit_inside(const latch_test_outcome *outcome) { return (kit_outcome *)(uintptr_t)outcome; }

const char *latch_kit_keep(kit_outcome *outcome, latch_str text) {
    if (text.len == 0) return "";
    kit_kept *kept = malloc(sizeof *kept + text.len + 1);
    kit_need(kept != NULL, "there is no memory");
    memcpy(kept->text, text.ptr, text.len);
    kept->text[text.len] = '\0';
    kept->next = outcome->kept;
    outcome->kept = kept;
    return kept->text;
}

/* ── what the reply says ────────────────────────────────────────────────────────────────────────────────────────────────── */

/* null where it is no JSON. */
static latch_json parse(kit_outcome *outcome, const char *name, latch_str text) {
    latch_json json;
    return latch_parse(&outcome->cx, name, text, &json) == LATCH_OK ? json : LATCH_NULL;
}

static void read_http(kit_outcome *o) {
    int64_t status;
    latch_str body, bytes;
    bool encoded;
    if (latch_read(o->event, "statusCode", &status, "body", latch_optional(latch_bytes(&body, 0, INT64_MAX)), "isBase64Encoded",
                   latch_optional(&encoded)) != LATCH_OK)
        return;
    if (encoded && latch_base64_decode(&o->arena, body, &bytes) && bytes.ptr != NULL) body = bytes;
    o->public.http_status = (int)status;
    o->public.body = latch_kit_keep(o, body);
    o->public.body_bytes = body.len;
    o->body = body.len > 0 ? parse(o, "body", body) : LATCH_NULL;
}

/* {"statusCode", "headers", "cookies"}, eight NULs, the body; an event of no HTTP has its body alone. */
static void read_stream(kit_outcome *o, bool is_http, latch_str payload) {
    static const char nuls[8];
    const char *at = is_http && payload.len > 0 ? memmem(payload.ptr, payload.len, nuls, sizeof nuls) : NULL;
    int64_t status;
    latch_str body = payload;
    o->public.reply = latch_kit_keep(o, payload);
    o->public.body = "";
    if (is_http && at == NULL) return; /* it broke off before that */
    if (is_http) {
        o->event = parse(o, "prelude", (latch_str){payload.ptr, (size_t)(at - payload.ptr)});
        body = (latch_str){at + sizeof nuls, payload.len - (size_t)(at - payload.ptr) - sizeof nuls};
        if (latch_read(o->event, "statusCode", &status) == LATCH_OK) o->public.http_status = (int)status;
    }
    o->public.body = latch_kit_keep(o, body);
    o->public.body_bytes = body.len;
    o->body = body.len > 0 ? parse(o, "body", body) : LATCH_NULL;
}

static void read_reply(kit_outcome *o, bool is_http, latch_str payload) {
    latch_json failures;
    o->public.reply = o->public.body = latch_kit_keep(o, payload);
    o->public.body_bytes = payload.len;
    if (payload.len == 0) return;
    o->body = o->event = parse(o, "reply", payload);
    if (is_http) {
        o->public.body = "";
        o->public.body_bytes = 0;
        o->body = LATCH_NULL;
        read_http(o);
    } else if (latch_has(o->event, "batchItemFailures") && latch_read(o->event, "batchItemFailures", &failures) == LATCH_OK) {
        o->public.failed_count = latch_count(failures);
    }
}

kit_outcome *latch_kit_outcome_new(latch_test *t, bool is_http, bool streamed, latch_str payload) {
    off_t log = lseek(t->log.fd, 0, SEEK_END);
    size_t bytes = MEMORY_BYTES + MEMORY_PER_BYTE * (payload.len + (log > 0 ? (size_t)log : 0));
    kit_outcome *o = calloc(1, sizeof *o);
    void *memory = malloc(bytes);
    kit_need(o != NULL && memory != NULL, "there is no memory");
    o->memory = memory;
    latch_arena_init(&o->arena, memory, bytes);
    o->cx = (latch_ctx){.arena = &o->arena, .clock = t->world->clock, .deadline_at_ms = INT64_MAX, .request_id = LATCH_STR("")};
    o->public.error_type = o->public.error_message = o->public.log = "";
    o->public.streamed = streamed;
    o->public.trailer_type = o->public.trailer_error = "";
    if (streamed) {
        read_stream(o, is_http, payload);
    } else {
        read_reply(o, is_http, payload);
    }
    o->next = t->outcomes;
    t->outcomes = o;
    return o;
}

void latch_kit_forget(latch_test *t) {
    while (t->outcomes != NULL) {
        kit_outcome *o = t->outcomes;
        t->outcomes = o->next;
        while (o->kept != NULL) {
            kit_kept *next = o->kept->next;
            free(o->kept);
            o->kept = next;
        }
        latch_arena_clean_up(&o->arena);
        free(o->memory);
        free(o);
    }
}

void latch_test_forget(latch_test *t) { latch_kit_forget(t); }

/* ── looking at it ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool read_one(latch_json in, const char *path, latch_into into) {
    const latch_field fields[] = {{path, into}, {NULL, {LATCH_INTO_STR, false, 0, 0, 0, NULL}}};
    return latch_read_(in, fields) == LATCH_OK;
}

/* A number as JSON writes it. */
static const char *number_at(kit_outcome *o, latch_json in, const char *path, double number) {
    int64_t whole;
    bool is_whole = read_one(in, path, latch_i_int_(&whole));
    latch_str list = latch_text(latch_append(latch_array(&o->cx), is_whole ? latch_int(whole) : latch_v_num_(number))); /* "[1.5]" */
    return list.len > 2 ? latch_kit_keep(o, (latch_str){list.ptr + 1, list.len - 2}) : "";
}

/* Text as it is, all else as JSON; what is looked at in between goes back to the outcome's memory. */
static const char *value_at(kit_outcome *o, latch_json in, const char *path) {
    latch_str text;
    latch_json value;
    double number;
    bool truth;
    const char *found = "";
    size_t mark = latch_arena_mark(&o->arena);
    if (!latch_has(in, path)) return found;
    if (read_one(in, path, latch_bytes(&text, 0, INT64_MAX))) {
        found = latch_kit_keep(o, text);
    } else if (read_one(in, path, latch_i_json_(&value))) {
        found = latch_kit_keep(o, latch_text(value));
    } else if (read_one(in, path, latch_i_bool_(&truth))) {
        found = truth ? "true" : "false";
    } else if (read_one(in, path, latch_i_num_(&number))) {
        found = number_at(o, in, path, number);
    }
    latch_arena_rewind(&o->arena, mark);
    return found;
}

const char *latch_test_text(const latch_test_outcome *outcome, const char *path) {
    kit_outcome *o = latch_kit_inside(outcome);
    return o->body.node != NULL ? value_at(o, o->body, path) : "";
}

latch_json latch_test_body(const latch_test_outcome *outcome) { return latch_kit_inside(outcome)->body; }

static bool is_name(latch_str a, const char *b) { return a.len == strlen(b) && strncasecmp(a.ptr, b, a.len) == 0; }

/* Looks at each value of that name, lists or not; `*i` more are to be passed over. */
static bool find_value(latch_json values, const char *name, size_t *i, latch_str *found) {
    for (latch_each each = latch_each_in(values); latch_each_next(&each);) {
        if (!is_name(each.name, name)) continue;
        latch_json list = latch_each_value(&each);
        if (latch_count(list) == 0) {
            *found = latch_each_text(&each);
            if ((*i)-- == 0) return true;
        }
        for (latch_each value = latch_each_in(list); latch_each_next(&value);) {
            *found = latch_each_text(&value);
            if ((*i)-- == 0) return true;
        }
    }
    return false;
}

static bool find_cookie(latch_json cookies, size_t *i, latch_str *found) {
    for (latch_each each = latch_each_in(cookies); latch_each_next(&each);) {
        *found = latch_each_text(&each);
        if ((*i)-- == 0) return true;
    }
    return false;
}

const char *latch_test_header_at(const latch_test_outcome *outcome, const char *name, size_t i) {
    kit_outcome *o = latch_kit_inside(outcome);
    latch_json single, lists, cookies;
    latch_str found = {"", 0};
    const char *text = "";
    size_t mark = latch_arena_mark(&o->arena);
    if (o->event.node == NULL || o->public.http_status == 0) return text;
    if (latch_read(o->event, "headers", latch_optional(&single), "multiValueHeaders", latch_optional(&lists), "cookies",
                   latch_optional(&cookies)) != LATCH_OK)
        return text;
    bool is_cookie = strcasecmp(name, "set-cookie") == 0;
    if ((is_cookie && find_cookie(cookies, &i, &found)) || find_value(single, name, &i, &found) || find_value(lists, name, &i, &found))
        text = latch_kit_keep(o, found);
    latch_arena_rewind(&o->arena, mark);
    return text;
}

const char *latch_test_header(const latch_test_outcome *outcome, const char *name) { return latch_test_header_at(outcome, name, 0); }

bool latch_test_record_failed(const latch_test_outcome *outcome, const char *id) {
    kit_outcome *o = latch_kit_inside(outcome);
    latch_json failures;
    bool found = false;
    size_t mark = latch_arena_mark(&o->arena);
    if (o->public.failed_count == 0 || latch_read(o->event, "batchItemFailures", &failures) != LATCH_OK) return false;
    for (latch_each each = latch_each_in(failures); !found && latch_each_next(&each);) {
        latch_str failed;
        found = latch_read(latch_each_value(&each), "itemIdentifier", &failed) == LATCH_OK && latch_str_eq(failed, latch_str_of(id));
    }
    latch_arena_rewind(&o->arena, mark);
    return found;
}

/* ── the log ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The next record with that message, from *at on; null: there is none. */
static latch_json next_record(kit_outcome *o, const char **at, const char *message) {
    while (**at != '\0') {
        size_t len = strcspn(*at, "\n");
        latch_str text, line = {*at, len};
        *at += len + ((*at)[len] == '\n');
        latch_json record = parse(o, "record", line);
        if (record.node != NULL && latch_read(record, "message", &text) == LATCH_OK && latch_str_eq(text, latch_str_of(message)))
            return record;
    }
    return LATCH_NULL;
}

size_t latch_test_logged(const latch_test_outcome *outcome, const char *message) {
    kit_outcome *o = latch_kit_inside(outcome);
    const char *at = o->public.log;
    size_t mark = latch_arena_mark(&o->arena), count = 0;
    while (next_record(o, &at, message).node != NULL) {
        count++;
        latch_arena_rewind(&o->arena, mark);
    }
    latch_arena_rewind(&o->arena, mark);
    return count;
}

const char *latch_test_logged_text(const latch_test_outcome *outcome, const char *message, const char *name) {
    kit_outcome *o = latch_kit_inside(outcome);
    const char *at = o->public.log;
    size_t mark = latch_arena_mark(&o->arena);
    latch_json record = next_record(o, &at, message);
    const char *text = record.node != NULL ? value_at(o, record, name) : "";
    latch_arena_rewind(&o->arena, mark);
    return text;
}
