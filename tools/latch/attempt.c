#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "core/ctx.h"
#include "store/attempts.h"
#include "subject.h"

#define TIMEOUT_MS (10 * LATCH_SECOND_MS)
#define FACTS 9

static const latch_subject_words words_of_attempts = {
    .of = {.store = "attempts", .prefix = "ATTEMPT", .max_bytes = 2048},
    .absent = "nobody has tried, or the window ended a day ago, or it was cleared",
};

typedef struct window { /* what an item says */
    int64_t used, created_at_ms;
    int64_t ends_at_ms; /* at the latest, by its time to live, which is in whole seconds and a day longer; 0: it doesn't say */
    latch_str id, last, context;
    bool over;
} window;

/* ── what an item says ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status read_window(latch_ctx *cx, latch_json item, window *out) {
    int64_t ttl_s;
    *out = (window){0};
    LATCH_TRY(latch_read(item, "attempts", &out->used, "created", latch_range(&out->created_at_ms, 0, LATCH_AT_MS_MAX), "win", &out->id,
                         "last", &out->last, "context", latch_optional(&out->context), "ttl",
                         latch_range_or(&ttl_s, 0, LATCH_AT_MS_MAX / 1000, 0)));
    if (ttl_s > 0) out->ends_at_ms = ttl_s * 1000 - LATCH_DAY_MS;
    out->over = out->ends_at_ms != 0 && out->ends_at_ms <= latch_now_ms(cx);
    return LATCH_OK;
}

static const char *state_of(const window *w) { return w->over ? "over" : "open"; }

static void tell(latch_subject *s, const window *w, latch_fact facts[FACTS]) {
    latch_json context = LATCH_NULL;
    if (w->context.len > 0 && latch_parse_data(&s->session.cx, "context", w->context, &context) != LATCH_OK) context = LATCH_NULL;
    const latch_fact told[FACTS] = {
        {.name = "pk", .text = s->pk},
        {.name = "name", .text = latch_str_of(s->name)},
        {.name = "key", .text = s->key},
        {.name = "state", .text = latch_str_of(state_of(w))},
        {.label = "attempts",
         .name = "attempts",
         .kind = LATCH_FACT_NUMBER,
         .number = w->used,
         .note = " counted; how many are allowed is the policy's .max"},
        {.label = "window began", .name = "began_at", .kind = LATCH_FACT_AT, .number = w->created_at_ms},
        {.label = "window ends",
         .name = "ends_at_latest",
         .kind = LATCH_FACT_AT,
         .number = w->ends_at_ms,
         .absent = w->ends_at_ms == 0,
         .note = ", by the policy that it began under"},
        {.label = "window", .name = "window", .text = w->id},
        {.label = "context", .name = "context", .kind = LATCH_FACT_JSON, .json = context, .absent = context.node == NULL},
    };
    memcpy(facts, told, sizeof told);
}

static latch_status look(latch_subject *s, window *w, latch_fact facts[FACTS]) {
    latch_json item, plain;
    LATCH_TRY(latch_subject_connect(s));
    LATCH_TRY(latch_subject_read(s, &item, &plain));
    LATCH_TRY(read_window(&s->session.cx, plain, w));
    tell(s, w, facts);
    return LATCH_OK;
}

/* ── show ───────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status show(latch_subject *s) {
    window w;
    latch_fact facts[FACTS];
    LATCH_TRY(look(s, &w, facts));
    return latch_subject_show(s, state_of(&w), facts, FACTS);
}

int latch_command_attempt_show(int argc, char **argv) {
    latch_subject s = {.command = "attempt show", .help = latch_help_attempt_show, .words = &words_of_attempts};
    const latch_option options[] = {LATCH_SUBJECT_OPTIONS(&s)};
    return latch_subject_run(&s, options, sizeof options / sizeof *options, argc, argv, show);
}

/* ── clear ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The window that was shown, with what was counted in it meanwhile; another one stays. Of the policy only the name matters. */
static latch_status clear(latch_subject *s) {
    window w;
    latch_fact facts[FACTS];
    LATCH_TRY(look(s, &w, facts));
    LATCH_TRY(latch_subject_ask(s, state_of(&w), facts, FACTS, "Clear it?", "nothing was cleared"));
    const latch_attempts policy = {.name = s->name, .max = 1, .window_ms = LATCH_SECOND_MS, .timeout_ms = TIMEOUT_MS};
    const latch_attempt shown = {.window = w.id};
    LATCH_TRY(latch_attempts_clear(&s->session.cx, &policy, s->key, &shown));
    if (s->json) return latch_facts_print_json(&s->session.cx, facts, FACTS);
    printf("cleared ");
    latch_facts_put(stdout, s->pk);
    printf(", in table %s %.*s. It had %" PRId64 " attempts:\n", s->session.stores.table.name, LATCH_ARG(latch_subject_place(s)), w.used);
    latch_facts_print(&s->session.cx, stdout, facts, FACTS);
    puts("The next attempt opens a new window.");
    return LATCH_OK;
}

int latch_command_attempt_clear(int argc, char **argv) {
    latch_subject s = {.command = "attempt clear", .help = latch_help_attempt_clear, .words = &words_of_attempts};
    const latch_option options[] = {LATCH_SUBJECT_OPTIONS(&s), LATCH_SUBJECT_YES(&s)};
    return latch_subject_run(&s, options, sizeof options / sizeof *options, argc, argv, clear);
}
