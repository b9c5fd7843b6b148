#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "core/ctx.h"
#include "store/once_private.h"
#include "subject.h"

#define TIMEOUT_MS (10 * LATCH_SECOND_MS)
#define SHOWN_BYTES 400 /* of a response, to a person */
#define FACTS 12

static const latch_subject_words words_of_once = {
    .of = {.store = "once", .prefix = "ONCE", .max_bytes = 2048},
    .absent = "it was never done, or its record has ended",
};

typedef struct looked_at { /* what is to be shown, and cleared as it was shown */
    latch_once once;
    latch_once_call call;
    latch_once_seen seen;
    const char *state, *next; /* "done", "its answer is replayed" */
    bool busy;
} looked_at;

/* ── what an item says ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void judge(const latch_ctx *cx, looked_at *l) {
    const latch_once_seen *seen = &l->seen;
    int64_t now_ms = latch_now_ms(cx), until_ms = seen->in_progress_until_ms;
    if (seen->completed) {
        bool ended = seen->expiration_s < latch_seconds_passed(now_ms);
        l->state = ended ? "ended" : "done";
        l->next = ended ? "the next call does the work again" : "the next call is answered as this one was";
    } else if (until_ms == 0) {
        bool given_back = seen->validation.len == 0;
        l->state = given_back ? "given back" : "abandoned";
        l->next = given_back ? "nothing was done; the next call does the work" : "it failed half done; the next call does it, and is told";
    } else {
        l->busy = until_ms >= now_ms - latch_table_skew_ms(cx);
        l->state = l->busy ? "in progress" : "overdue";
        l->next = l->busy ? "the next call is refused as busy until then, and 2 s longer" : "the next call does the work, and is told";
    }
}

/* JSON as it was stored; null where it is none. */
static latch_json response_of(latch_ctx *cx, const latch_once_seen *seen) {
    latch_str text = LATCH_STR("null");
    latch_json response = LATCH_NULL;
    bool is_json =
        latch_item_text_or(seen->item, "data", text, &text) == LATCH_OK && latch_parse_data(cx, "response", text, &response) == LATCH_OK;
    return is_json ? response : LATCH_NULL;
}

static latch_str shown(latch_ctx *cx, latch_json response) {
    latch_str text = latch_text(response), cut = latch_str_cut(text, SHOWN_BYTES);
    if (cut.len == text.len) return text;
    latch_str made = latch_ctx_text(cx, "%.*s… (%zu bytes: --json has them all)", LATCH_ARG(cut), text.len);
    return made.ptr != NULL ? made : cut;
}

static void tell(latch_subject *s, const looked_at *l, latch_fact facts[FACTS]) {
    const latch_once_seen *seen = &l->seen;
    latch_ctx *cx = &s->session.cx;
    bool claimed = !seen->completed && seen->in_progress_until_ms != 0;
    latch_json response = response_of(cx, seen);
    const latch_fact told[FACTS] = {
        {.name = "pk", .text = s->pk},
        {.name = "name", .text = latch_str_of(s->name)},
        {.name = "key", .text = s->key},
        {.name = "state", .text = latch_str_of(l->state)},
        {.label = "done", .name = "done_at", .kind = LATCH_FACT_AT, .number = seen->done_at_ms, .absent = !seen->has_done_at},
        {.label = "in progress", .name = "until", .kind = LATCH_FACT_AT, .number = seen->in_progress_until_ms, .absent = !claimed},
        {.label = "next", .text = latch_str_of(l->next)},
        {.label = "record ends", .name = "ends_at", .kind = LATCH_FACT_AT, .number = seen->expiration_s * 1000},
        {.label = "takeovers",
         .name = "takeovers",
         .kind = LATCH_FACT_NUMBER,
         .number = seen->takeovers,
         .absent = !seen->counts_takeovers,
         .note = " (how often it was begun without being ended)"},
        {.label = "claim", .name = "owner", .text = seen->owner, .absent = seen->owner.len == 0},
        {.label = "payload", .name = "payload_sha256", .text = seen->validation, .absent = seen->validation.len == 0, .note = " (SHA-256)"},
        {.label = "response", .text = shown(cx, response), .absent = !seen->has_data},
    };
    memcpy(facts, told, sizeof told);
    if (s->json) facts[FACTS - 1] = (latch_fact){.name = "response", .kind = LATCH_FACT_JSON, .json = response, .absent = !seen->has_data};
}

static latch_status look(latch_subject *s, looked_at *l, latch_fact facts[FACTS]) {
    latch_json item, plain;
    latch_ctx *cx = &s->session.cx;
    *l = (looked_at){.once = {.name = s->name, .timeout_ms = TIMEOUT_MS}};
    LATCH_TRY(latch_subject_connect(s));
    LATCH_TRY(latch_once_begin(cx, &l->once, s->key, &l->call));
    LATCH_TRY(latch_subject_read(s, &item, &plain));
    LATCH_TRY(latch_once_read(item, &l->seen));
    judge(cx, l);
    tell(s, l, facts);
    return LATCH_OK;
}

/* ── show ───────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status show(latch_subject *s) {
    looked_at l;
    latch_fact facts[FACTS];
    LATCH_TRY(look(s, &l, facts));
    return latch_subject_show(s, l.state, facts, FACTS);
}

int latch_command_once_show(int argc, char **argv) {
    latch_subject s = {.command = "once show", .help = latch_help_once_show, .words = &words_of_once};
    const latch_option options[] = {LATCH_SUBJECT_OPTIONS(&s)};
    return latch_subject_run(&s, options, sizeof options / sizeof *options, argc, argv, show);
}

/* ── clear ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status in_progress(latch_subject *s, const looked_at *l) {
    char at[LATCH_TIMESTAMP_BYTES];
    latch_clock_format(l->seen.in_progress_until_ms, at);
    return latch_err_set(&s->session.cx.err, LATCH_BUSY, "%.*s is in progress until %s at most, nothing was cleared: wait for that",
                         LATCH_ARG(s->pk), at);
}

/* A lost answer is repeated with the same condition: then what is gone may be this call's own doing, and it is gone. */
static latch_status clear(latch_subject *s) {
    looked_at l;
    latch_fact facts[FACTS];
    LATCH_TRY(look(s, &l, facts));
    if (l.busy) return in_progress(s, &l);
    LATCH_TRY(latch_subject_ask(s, l.state, facts, FACTS, "Clear it?", "nothing was cleared"));
    LATCH_TRY(latch_once_delete(&s->session.cx, &l.call, &l.seen));
    if (s->json) return latch_facts_print_json(&s->session.cx, facts, FACTS);
    printf("cleared ");
    latch_facts_put(stdout, s->pk);
    printf(", in table %s %.*s. It was %s:\n", s->session.stores.table.name, LATCH_ARG(latch_subject_place(s)), l.state);
    latch_facts_print(&s->session.cx, stdout, facts, FACTS);
    puts("The next call with this key does the work, whatever its payload. What was done outside of the table stays done.");
    return LATCH_OK;
}

int latch_command_once_clear(int argc, char **argv) {
    latch_subject s = {.command = "once clear", .help = latch_help_once_clear, .words = &words_of_once};
    const latch_option options[] = {LATCH_SUBJECT_OPTIONS(&s), LATCH_SUBJECT_YES(&s)};
    return latch_subject_run(&s, options, sizeof options / sizeof *options, argc, argv, clear);
}
