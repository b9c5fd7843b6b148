#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "core/ctx.h"
#include "store/items.h"
#include "store/lock.h"
#include "subject.h"

#define LISTED 100
#define LISTED_MOST 100000
#define READ 10000
#define READ_MOST 100000000
#define PAGE_ITEMS 1000
#define TIMEOUT_MS (10 * LATCH_SECOND_MS)
#define FACTS 11

static const latch_subject_words words_of_lock = {
    .of = {.store = "lock", .prefix = "LOCK", .max_bytes = 2048},
    .absent = "nobody has taken this lock, or its last lease ended a week ago",
};

typedef struct held { /* what an item says */
    latch_str owner, version;
    int64_t until_ms, fence;
    int64_t lease_ms; /* as it was taken; 0: it doesn't say */
    bool released, expired;
} held;

/* ── what an item says ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Text of digits, as leaseDuration is; 0 for any other. */
static int64_t digits(latch_str s) {
    int64_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (i == 12 || s.ptr[i] < '0' || s.ptr[i] > '9') return 0;
        n = n * 10 + (s.ptr[i] - '0');
    }
    return n;
}

static latch_status read_lock(latch_ctx *cx, latch_json item, held *out) {
    latch_str lease;
    *out = (held){.released = latch_has(item, "isReleased")};
    LATCH_TRY(latch_read(item, "ownerName", &out->owner, "recordVersionNumber", &out->version, "expiresAt",
                         latch_range(&out->until_ms, 0, LATCH_AT_MS_MAX), "fence", &out->fence, "leaseDuration", latch_optional(&lease)));
    out->lease_ms = digits(lease);
    out->expired = out->until_ms + latch_table_skew_ms(cx) < latch_now_ms(cx);
    return LATCH_OK;
}

static const char *state_of(const held *h) { return h->released ? "released" : h->expired ? "expired" : "held"; }

static const char *note_of(const held *h, const latch_ctx *cx) {
    bool waits = !h->released && !h->expired && h->until_ms < latch_now_ms(cx);
    if (h->released) return " (given back, or broken, before)";
    return h->expired ? " (whoever asks gets it)" : waits ? " (taken over 2 s later: clocks may differ)" : NULL;
}

/* Extending moves the end alone, so that the taking is known from it only as far as this. */
static void tell(const latch_ctx *cx, latch_str name, latch_str key, latch_str pk, const held *h, latch_fact facts[FACTS]) {
    const latch_fact told[FACTS] = {
        {.name = "pk", .text = pk},
        {.name = "name", .text = name},
        {.name = "key", .text = key},
        {.name = "state", .text = latch_str_of(state_of(h))},
        {.label = "owner", .name = "owner", .text = h->owner},
        {.label = "lease until", .name = "until", .kind = LATCH_FACT_AT, .number = h->until_ms, .note = note_of(h, cx)},
        {.name = "left", .kind = LATCH_FACT_SPAN, .number = h->until_ms - latch_now_ms(cx), .absent = h->released},
        {.label = "lease",
         .name = "lease",
         .kind = LATCH_FACT_SPAN,
         .number = h->lease_ms,
         .absent = h->lease_ms == 0,
         .note = ", as it was taken"},
        {.label = "taken",
         .name = "taken_at_latest",
         .kind = LATCH_FACT_AT,
         .number = h->until_ms - h->lease_ms,
         .absent = h->lease_ms == 0,
         .note = ", or earlier where its owner has extended it"},
        {.label = "token", .name = "fence", .kind = LATCH_FACT_NUMBER, .number = h->fence, .note = " (fence)"},
        {.label = "version", .name = "version", .text = h->version},
    };
    memcpy(facts, told, sizeof told);
}

/* ── show ───────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status look(latch_subject *s, held *h, latch_fact facts[FACTS]) {
    latch_json item, plain;
    LATCH_TRY(latch_subject_connect(s));
    LATCH_TRY(latch_subject_read(s, &item, &plain));
    LATCH_TRY(read_lock(&s->session.cx, plain, h));
    tell(&s->session.cx, latch_str_of(s->name), s->key, s->pk, h, facts);
    return LATCH_OK;
}

static latch_status show(latch_subject *s) {
    held h;
    latch_fact facts[FACTS];
    LATCH_TRY(look(s, &h, facts));
    return latch_subject_show(s, state_of(&h), facts, FACTS);
}

int latch_command_lock_show(int argc, char **argv) {
    latch_subject s = {.command = "lock show", .help = latch_help_lock_show, .words = &words_of_lock};
    const latch_option options[] = {LATCH_SUBJECT_OPTIONS(&s)};
    return latch_subject_run(&s, options, sizeof options / sizeof *options, argc, argv, show);
}

/* ── break ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status nothing_to_break(latch_subject *s, const held *h) {
    char at[LATCH_TIMESTAMP_BYTES];
    latch_clock_format(h->until_ms, at);
    return latch_err_set(&s->session.cx.err, LATCH_MISSING, "nobody holds %.*s, nothing was broken: %.*s %s %s", LATCH_ARG(s->pk),
                         LATCH_ARG(h->owner), h->released ? "released it, and had it until" : "had it until", at);
}

static latch_status say_broken(latch_subject *s, const held *h, const latch_fact facts[FACTS]) {
    char at[LATCH_TIMESTAMP_BYTES], when[LATCH_SPAN_BYTES + 8];
    if (s->json) return latch_facts_print_json(&s->session.cx, facts, FACTS);
    latch_clock_format(h->until_ms, at);
    latch_facts_when(&s->session.cx, h->until_ms, when);
    printf("broke ");
    latch_facts_put(stdout, s->pk);
    printf(", in table %s %.*s. It was held by ", s->session.stores.table.name, LATCH_ARG(latch_subject_place(s)));
    latch_facts_put(stdout, h->owner);
    printf(" until %s (%s) under token %" PRId64 ".\n", at, when, h->fence);
    puts("Whoever asks next gets it, with a greater token. Its owner isn't told: from now on extending and releasing it is refused, and so "
         "is\n"
         "what it writes by latch_lock_guard, or by latch_lock_update once the next holder has marked the item. What it writes otherwise "
         "isn't.");
    return LATCH_OK;
}

/* The condition is the holder that was shown: whoever has it by now keeps it. */
static latch_status break_it(latch_subject *s) {
    held h;
    latch_fact facts[FACTS];
    LATCH_TRY(look(s, &h, facts));
    if (h.released || h.expired) return nothing_to_break(s, &h);
    LATCH_TRY(latch_subject_ask(s, state_of(&h), facts, FACTS, "Break it?", "nothing was broken"));
    const latch_lock lock = {.name = s->name, .timeout_ms = TIMEOUT_MS};
    const latch_lock_holder holder = {.owner = h.owner, .until_ms = h.until_ms, .fence = h.fence, .version = h.version};
    LATCH_TRY(latch_lock_break(&s->session.cx, &lock, s->key, &holder));
    return say_broken(s, &h, facts);
}

int latch_command_lock_break(int argc, char **argv) {
    latch_subject s = {.command = "lock break", .help = latch_help_lock_break, .words = &words_of_lock};
    const latch_option options[] = {LATCH_SUBJECT_OPTIONS(&s), LATCH_SUBJECT_YES(&s)};
    return latch_subject_run(&s, options, sizeof options / sizeof *options, argc, argv, break_it);
}

/* ── list ───────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct listing {
    latch_subject *s;
    const char *name; /* of the locks; NULL: all */
    bool held_only;
    int64_t limit, read; /* the most that are listed, and that are read for it */
    int64_t listed;
    latch_dynamodb_cost cost;
} listing;

static void print_row(const latch_ctx *cx, latch_str pk, const held *h) {
    char at[LATCH_TIMESTAMP_BYTES], when[LATCH_SPAN_BYTES + 8] = "";
    latch_clock_format(h->until_ms, at);
    if (!h->released) latch_facts_when(cx, h->until_ms, when);
    printf("%-8s  %s  %-16s  %-36.*s  ", state_of(h), at, when, LATCH_ARG(h->owner));
    latch_facts_put(stdout, pk);
    putchar('\n');
}

/* A lock that isn't as the store writes it is told, and passed over. */
static latch_status list_one(listing *l, latch_json item) {
    latch_ctx *cx = &l->s->session.cx;
    latch_str pk, name, key;
    latch_fact facts[FACTS];
    held h;
    if (!latch_has(item, "pk"))
        return latch_err_set(&cx->err, LATCH_E_MISUSE,
                             "table %.100s isn't the stores' own, its items have no pk: `latch table describe` says what it is like, and "
                             "`latch item get` shows its items",
                             l->s->session.stores.table.name);
    LATCH_TRY(latch_read(item, "pk", &pk));
    if (read_lock(cx, item, &h) != LATCH_OK || !latch_subject_split(cx, "LOCK", pk, &name, &key)) {
        fprintf(stderr, "%.*s can't be read: %s\n", LATCH_ARG(pk), cx->err.message);
        return LATCH_OK;
    }
    if (l->held_only && (h.released || h.expired)) return LATCH_OK;
    if (l->listed == 0 && !l->s->json) printf("%-8s  %-24s  %-16s  %-36s  %s\n", "STATE", "LEASE UNTIL", "", "OWNER", "LOCK");
    l->listed++;
    tell(cx, name, key, pk, &h, facts);
    if (l->s->json) return latch_facts_print_json(cx, facts, FACTS);
    print_row(cx, pk, &h);
    return LATCH_OK;
}

static latch_status list_pages(listing *l, latch_dynamodb_pages *pages, bool *more) {
    for (*more = true; *more && l->listed < l->limit && pages->scanned < l->read;) {
        LATCH_TRY(latch_dynamodb_next_page(pages, more));
        if (!*more) break;
        for (latch_each each = latch_each_in(pages->items); l->listed < l->limit && latch_each_next(&each);)
            LATCH_TRY(list_one(l, latch_each_value(&each)));
    }
    return LATCH_OK;
}

static int64_t tenfold(int64_t n, int64_t most) { return n < most / 10 ? n * 10 : most; }

/* With JSON, standard output is for locks alone. */
static void sum_up(const listing *l, const latch_dynamodb_pages *pages, bool more) {
    FILE *out = l->s->json ? stderr : stdout;
    fprintf(out, "%" PRId64 " lock%s%s, of %" PRId64 " items read for %g read units, in table %s %.*s\n", l->listed,
            l->listed == 1 ? "" : "s", l->held_only ? " held" : "", pages->scanned, (double)l->cost.read_milli_units / 1000,
            l->s->session.stores.table.name, LATCH_ARG(latch_subject_place(l->s)));
    if (!more) return;
    if (l->listed < l->limit)
        fprintf(out, "There may be more items: --read %" PRId64 " reads on\n", tenfold(l->read, READ_MOST));
    else
        fprintf(out, "There may be more: --limit %" PRId64 " lists more of them, or name the locks: latch lock list NAME\n",
                tenfold(l->limit, LISTED_MOST));
}

/* Those without a pk come too: a table that isn't the stores' own is told so, and not that it has no locks. */
static latch_status list(listing *l) {
    static const char any[] = "(#sk = :sk AND begins_with(#pk, :prefix)) OR attribute_not_exists(#pk)";
    static const char held_now[] =
        "(#sk = :sk AND begins_with(#pk, :prefix) AND attribute_not_exists(#isReleased) AND #expiresAt >= :from) "
        "OR attribute_not_exists(#pk)";
    latch_ctx *cx = &l->s->session.cx;
    latch_dynamodb_pages pages;
    bool more;
    LATCH_TRY(latch_subject_connect(l->s));
    latch_str prefix = l->name != NULL ? latch_key(cx, LATCH_STR("LOCK"), latch_str_of(l->name), LATCH_STR("")) : LATCH_STR("LOCK#");
    const latch_pair *of_any = LATCH_VALUES(":sk", "LOCK", ":prefix", prefix);
    const latch_pair *of_held = LATCH_VALUES(":sk", "LOCK", ":prefix", prefix, ":from", latch_now_ms(cx) - latch_table_skew_ms(cx));
    const latch_dynamodb_scan_request request = {.filter = l->held_only ? held_now : any,
                                                 .values = l->held_only ? of_held : of_any,
                                                 .consistency = LATCH_DYNAMODB_EVENTUAL,
                                                 .page_items = l->read < PAGE_ITEMS ? l->read : PAGE_ITEMS,
                                                 .passing = true,
                                                 .cost = &l->cost};
    LATCH_TRY(latch_dynamodb_scan(cx, &request, &pages));
    LATCH_TRY(list_pages(l, &pages, &more));
    sum_up(l, &pages, more);
    return LATCH_OK;
}

int latch_command_lock_list(int argc, char **argv) {
    latch_subject s = {.command = "lock list", .help = latch_help_lock_list, .words = &words_of_lock};
    listing l = {.s = &s, .limit = LISTED, .read = READ};
    const char *words[1];
    size_t count;
    int exit_status;
    const latch_option options[] = {
        LATCH_SUBJECT_OPTIONS(&s),
        {"--held", LATCH_OPTION_FLAG, &l.held_only, 0, 0},
        {"--limit", LATCH_OPTION_NUMBER, &l.limit, 1, LISTED_MOST},
        {"--read", LATCH_OPTION_NUMBER, &l.read, 1, READ_MOST},
    };
    if (!latch_subject_arguments(&s, options, sizeof options / sizeof *options, argc, argv, words, 0, 1, "takes one NAME", &count,
                                 &exit_status))
        return exit_status;
    l.name = count == 1 ? words[0] : NULL;
    return latch_subject_end(&s, list(&l));
}
