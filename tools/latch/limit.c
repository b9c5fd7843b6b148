#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "core/ctx.h"
#include "store/rate.h"
#include "subject.h"

#define TIMEOUT_MS (10 * LATCH_SECOND_MS)
#define FACTS 14

static const latch_subject_words words_of_rate = {
    .of = {.store = "rate", .prefix = "RATE", .max_bytes = 2048},
    .absent = "nothing was taken of this limit, or not for so long that it was deleted, or it was reset",
};

typedef struct limit {
    latch_subject subject;           /* first: a latch_subject_fn gets it */
    int64_t limit, window_ms, burst; /* options: what the policy says; 0: not given */
    /* what the item says: */
    bool gcra, told;
    int64_t grants, oldest_us, newest_us, low_us, tat_us;
    latch_rate_state state; /* by the options; `told` */
} limit;

/* ── what an item says ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void count(limit *l, int64_t at_us) {
    if (l->grants++ == 0 || at_us < l->oldest_us) l->oldest_us = at_us;
    if (at_us > l->newest_us) l->newest_us = at_us;
}

static latch_status read_limit(latch_ctx *cx, latch_json item, limit *l) {
    latch_json stamps = LATCH_NULL;
    int64_t at_us;
    l->gcra = latch_item_has(item, "tat");
    LATCH_TRY(latch_item_int_or(item, "tat", 0, &l->tat_us));
    LATCH_TRY(latch_item_int_or(item, "low", 0, &l->low_us));
    if (!latch_item_has(item, "ts")) return LATCH_OK;
    LATCH_TRY(latch_read(item, "ts.L", &stamps));
    for (latch_each each = latch_each_in(stamps); latch_each_next(&each);) {
        LATCH_TRY(latch_item_int(latch_object(cx, "stamp", latch_each_value(&each)), "stamp", &at_us));
        count(l, at_us);
    }
    return LATCH_OK;
}

/* What the item leaves open, the policy's numbers say: how much there is now. */
static latch_status ask_state(limit *l) {
    const latch_subject *s = &l->subject;
    const latch_rate policy = {.name = s->name,
                               .limit = l->limit,
                               .window_ms = l->window_ms,
                               .burst = l->burst,
                               .algorithm = l->gcra ? LATCH_RATE_GCRA : LATCH_RATE_SLIDING,
                               .large = l->limit > LATCH_RATE_SLIDING_MAX,
                               .known_ms = LATCH_RATE_KNOWN_NEVER,
                               .timeout_ms = TIMEOUT_MS};
    l->told = l->limit > 0;
    return l->told ? latch_rate_status(&l->subject.session.cx, &policy, s->key, &l->state) : LATCH_OK;
}

static void tell(const limit *l, latch_fact facts[FACTS]) {
    const latch_subject *s = &l->subject;
    bool free_now = l->tat_us / 1000 <= latch_now_ms(&s->session.cx), can = l->state.retry_at_ms == 0;
    const latch_fact told[FACTS] = {
        {.name = "pk", .text = s->pk},
        {.name = "name", .text = latch_str_of(s->name)},
        {.name = "key", .text = s->key},
        {.label = "algorithm", .name = "algorithm", .text = l->gcra ? LATCH_STR("GCRA") : LATCH_STR("sliding")},
        {.label = "grants",
         .name = "grants",
         .kind = LATCH_FACT_NUMBER,
         .number = l->grants,
         .absent = l->gcra,
         .note = " listed, the policy's .limit at most; those older than its .window_ms don't count"},
        {.label = "oldest", .name = "oldest_at", .kind = LATCH_FACT_AT, .number = l->oldest_us / 1000, .absent = l->grants == 0},
        {.label = "newest", .name = "newest_at", .kind = LATCH_FACT_AT, .number = l->newest_us / 1000, .absent = l->grants == 0},
        {.label = "forgotten to",
         .name = "low_at",
         .kind = LATCH_FACT_AT,
         .number = l->low_us / 1000,
         .absent = l->low_us == 0,
         .note = ", as the limit was lowered"},
        {.label = free_now ? "all free since" : "all free",
         .name = "free_at",
         .kind = LATCH_FACT_AT,
         .number = (l->tat_us + 999) / 1000,
         .absent = !l->gcra},
        {.label = "limit", .name = "limit", .kind = LATCH_FACT_NUMBER, .number = l->state.limit, .absent = !l->told, .note = ", as given"},
        {.label = "window", .name = "window", .kind = LATCH_FACT_SPAN, .number = l->window_ms, .absent = !l->told, .note = ", as given"},
        {.label = "remaining", .name = "remaining", .kind = LATCH_FACT_NUMBER, .number = l->state.remaining, .absent = !l->told},
        {.label = "next", .name = "retry_at", .kind = LATCH_FACT_AT, .number = l->state.retry_at_ms, .absent = !l->told || can},
        {.label = "next", .text = LATCH_STR("now"), .absent = !l->told || !can},
    };
    memcpy(facts, told, sizeof told);
}

static latch_status look(limit *l, latch_fact facts[FACTS]) {
    latch_subject *s = &l->subject;
    latch_json item, plain;
    LATCH_TRY(latch_subject_connect(s));
    LATCH_TRY(latch_subject_read(s, &item, &plain));
    LATCH_TRY(read_limit(&s->session.cx, item, l));
    LATCH_TRY(ask_state(l));
    tell(l, facts);
    return LATCH_OK;
}

static const char *state_of(const limit *l) { return l->told && l->state.retry_at_ms != 0 ? "used up" : "in use"; }

/* ── show ───────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status check(latch_subject *s) {
    const limit *l = (const limit *)(const void *)s;
    if ((l->limit > 0) == (l->window_ms > 0) && (l->burst == 0 || l->limit > 0)) return LATCH_OK;
    return latch_err_set(&s->session.cx.err, LATCH_E_MISUSE, "--limit and --window are given both, or none, and --burst with them");
}

static latch_status show(latch_subject *s) {
    limit *l = (limit *)(void *)s;
    latch_fact facts[FACTS];
    LATCH_TRY(look(l, facts));
    return latch_subject_show(s, state_of(l), facts, FACTS);
}

int latch_command_limit_show(int argc, char **argv) {
    limit l = {.subject = {.command = "limit show", .help = latch_help_limit_show, .words = &words_of_rate, .check = check}};
    const latch_option options[] = {
        LATCH_SUBJECT_OPTIONS(&l.subject),
        {"--limit", LATCH_OPTION_NUMBER, &l.limit, 1, INT64_C(1000000000)},
        {"--window", LATCH_OPTION_SECONDS, &l.window_ms, 1, LATCH_SPAN_MS_MAX},
        {"--burst", LATCH_OPTION_NUMBER, &l.burst, 1, INT64_C(1000000000)},
    };
    return latch_subject_run(&l.subject, options, sizeof options / sizeof *options, argc, argv, show);
}

/* ── reset ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* A limit changes with each grant: what was granted since it was shown is forgotten too, or who is refused most could not be helped. */
static latch_status reset(latch_subject *s) {
    limit *l = (limit *)(void *)s;
    latch_fact facts[FACTS];
    LATCH_TRY(look(l, facts));
    LATCH_TRY(latch_subject_ask(s, state_of(l), facts, FACTS, "Reset it?", "nothing was reset"));
    const latch_rate policy = {.name = s->name, .known_ms = LATCH_RATE_KNOWN_NEVER, .timeout_ms = TIMEOUT_MS};
    LATCH_TRY(latch_rate_reset(&s->session.cx, &policy, s->key));
    if (s->json) return latch_facts_print_json(&s->session.cx, facts, FACTS);
    printf("reset ");
    latch_facts_put(stdout, s->pk);
    printf(", in table %s %.*s. It was:\n", s->session.stores.table.name, LATCH_ARG(latch_subject_place(s)));
    latch_facts_print(&s->session.cx, stdout, facts, FACTS);
    puts("All of it is free. A process that refused a moment ago may do so for the policy's .known_ms (1 s where it says nothing).");
    return LATCH_OK;
}

int latch_command_limit_reset(int argc, char **argv) {
    limit l = {.subject = {.command = "limit reset", .help = latch_help_limit_reset, .words = &words_of_rate}};
    const latch_option options[] = {LATCH_SUBJECT_OPTIONS(&l.subject), LATCH_SUBJECT_YES(&l.subject)};
    return latch_subject_run(&l.subject, options, sizeof options / sizeof *options, argc, argv, reset);
}
