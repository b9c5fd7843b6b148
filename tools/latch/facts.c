#include "facts.h"

#include <inttypes.h>

#include "core/ctx_private.h"
#include "core/text.h"

/* ── to a person ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

void latch_facts_put(FILE *out, latch_str s) {
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        fputc(c < 0x20 || c == 0x7F ? '?' : c, out);
    }
}

void latch_facts_span(int64_t ms, char out[LATCH_SPAN_BYTES]) {
    if (ms < LATCH_SECOND_MS) {
        snprintf(out, LATCH_SPAN_BYTES, "%" PRId64 " ms", ms);
    } else if (ms < LATCH_MINUTE_MS) {
        snprintf(out, LATCH_SPAN_BYTES, "%g s", (double)(ms / 100) / 10);
    } else if (ms < LATCH_HOUR_MS) {
        snprintf(out, LATCH_SPAN_BYTES, "%" PRId64 " min %" PRId64 " s", ms / LATCH_MINUTE_MS, ms % LATCH_MINUTE_MS / LATCH_SECOND_MS);
    } else if (ms < LATCH_DAY_MS) {
        snprintf(out, LATCH_SPAN_BYTES, "%" PRId64 " h %" PRId64 " min", ms / LATCH_HOUR_MS, ms % LATCH_HOUR_MS / LATCH_MINUTE_MS);
    } else {
        snprintf(out, LATCH_SPAN_BYTES, "%" PRId64 " d %" PRId64 " h", ms / LATCH_DAY_MS, ms % LATCH_DAY_MS / LATCH_HOUR_MS);
    }
}

void latch_facts_when(const latch_ctx *cx, int64_t at_ms, char out[LATCH_SPAN_BYTES + 8]) {
    char span[LATCH_SPAN_BYTES];
    int64_t off_ms = at_ms - latch_now_ms(cx);
    latch_facts_span(off_ms < 0 ? -off_ms : off_ms, span);
    snprintf(out, LATCH_SPAN_BYTES + 8, off_ms < 0 ? "%s ago" : "in %s", span);
}

static void put_value(latch_ctx *cx, FILE *out, const latch_fact *fact) {
    char at[LATCH_TIMESTAMP_BYTES], span[LATCH_SPAN_BYTES + 8];
    switch (fact->kind) {
    case LATCH_FACT_TEXT:
        latch_facts_put(out, fact->text);
        return;
    case LATCH_FACT_NUMBER:
        fprintf(out, "%" PRId64, fact->number);
        return;
    case LATCH_FACT_AT:
        latch_clock_format(fact->number, at);
        latch_facts_when(cx, fact->number, span);
        fprintf(out, "%s, %s", at, span);
        return;
    case LATCH_FACT_SPAN:
        latch_facts_span(fact->number, span);
        fputs(span, out);
        return;
    case LATCH_FACT_JSON:
        latch_facts_put(out, latch_text(fact->json));
        return;
    }
}

void latch_facts_print(latch_ctx *cx, FILE *out, const latch_fact *facts, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (facts[i].label == NULL || facts[i].absent) continue;
        fprintf(out, "  %-14s ", facts[i].label);
        put_value(cx, out, &facts[i]);
        fprintf(out, "%s\n", facts[i].note != NULL ? facts[i].note : "");
    }
}

/* ── as JSON ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void put_name(latch_text_writer *t, const char *name, const char *unit) {
    latch_text_put(t, t->len > 1 ? LATCH_STR(",\"") : LATCH_STR("\""));
    latch_text_put(t, latch_str_of(name));
    latch_text_put(t, latch_str_of(unit));
    latch_text_put(t, LATCH_STR("\":"));
}

static void put_number(latch_text_writer *t, const latch_fact *fact) {
    if (fact->absent)
        latch_text_put(t, LATCH_STR("null"));
    else
        latch_text_int(t, fact->number);
}

/* A text that isn't there is null, as is a point in time. */
static void put_text(latch_text_writer *t, const latch_fact *fact, latch_str text) {
    if (fact->absent)
        latch_text_put(t, LATCH_STR("null"));
    else
        latch_text_json_lossy(t, text);
}

static void put_fact(latch_text_writer *t, const latch_fact *fact) {
    char at[LATCH_TIMESTAMP_BYTES] = "";
    switch (fact->kind) {
    case LATCH_FACT_TEXT:
        put_name(t, fact->name, "");
        put_text(t, fact, fact->text);
        return;
    case LATCH_FACT_AT:
        if (!fact->absent) latch_clock_format(fact->number, at);
        put_name(t, fact->name, "");
        put_text(t, fact, latch_str_of(at));
        put_name(t, fact->name, "_ms");
        put_number(t, fact);
        return;
    case LATCH_FACT_NUMBER:
    case LATCH_FACT_SPAN:
        put_name(t, fact->name, fact->kind == LATCH_FACT_SPAN ? "_ms" : "");
        put_number(t, fact);
        return;
    case LATCH_FACT_JSON:
        put_name(t, fact->name, "");
        latch_text_json(t, fact->absent ? LATCH_NULL : fact->json);
        return;
    }
}

latch_status latch_facts_print_json(latch_ctx *cx, const latch_fact *facts, size_t count) {
    latch_text_writer t = latch_text_begin(cx->arena);
    latch_text_char(&t, '{');
    for (size_t i = 0; i < count; i++)
        if (facts[i].name != NULL) put_fact(&t, &facts[i]);
    latch_text_put(&t, LATCH_STR("}\n"));
    latch_str text = latch_text_end(&t);
    if (text.ptr == NULL) return latch_err_set(&cx->err, t.failed, "%s", t.why);
    fwrite(text.ptr, 1, text.len, stdout);
    return LATCH_OK;
}
