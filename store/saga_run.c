#include "store/saga_run.h"

#include <inttypes.h>
#include <string.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "core/text.h"
#include "store/hash.h"
#include "store/table.h"

#define DEFAULT_IN_PROGRESS_MS LATCH_MINUTE_MS
#define CLAIMS_MAX 4

typedef struct call { /* what is known of the saga, as it is saved */
    const latch_saga_plan *plan;
    latch_saga_instance saga; /* its state is made anew for each save */
    latch_str owner;          /* this call's */
    latch_str input, results; /* JSON text */
    latch_str validation, failed_step, failure;
    int64_t step, takeovers, until_ms;
    bool undoing;
    const char *expected; /* the hash of the payload that came with the call; NULL: none did */
} call;

/* ── the plan ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status full(latch_ctx *cx, const latch_saga_plan *plan) {
    return latch_err_set(&cx->err, LATCH_E_NOMEM, "saga %s: the arena is full", plan->saga->name);
}

static latch_status check_step(latch_ctx *cx, const latch_saga_plan *plan, size_t i) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    const char *name = plan->steps[i].name != NULL ? plan->steps[i].name : "";
    size_t len = strspn(name, letters);
    if (len < 1 || len > 64 || name[len] != '\0')
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "saga %s: step %zu has the name \"%.70s\", want 1 to 64 letters, digits, _ and -",
                             plan->saga->name, i, name);
    for (size_t k = 0; k < i; k++)
        if (strcmp(plan->steps[k].name, name) == 0)
            return latch_err_set(&cx->err, LATCH_E_MISUSE, "saga %s: two steps are called %s", plan->saga->name, name);
    if (plan->steps[i].run != NULL) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "saga %s: step %s has no run", plan->saga->name, name);
}

static latch_status check_plan(latch_ctx *cx, const latch_saga_plan *plan) {
    if (plan->saga == NULL) return latch_err_set(&cx->err, LATCH_E_MISUSE, "saga: a plan has no .saga");
    const char *name = plan->saga->name != NULL ? plan->saga->name : "";
    if (plan->step_count < 1 || plan->step_count > LATCH_SAGA_STEPS_MAX)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "saga %s: the plan has %zu steps, want 1 to %d", name, plan->step_count,
                             LATCH_SAGA_STEPS_MAX);
    for (size_t i = 0; i < plan->step_count; i++)
        LATCH_TRY(check_step(cx, plan, i));
    return latch_table_check_span(cx, "saga", name, ".in_progress_ms", plan->in_progress_ms, 0);
}

static latch_status begin(latch_ctx *cx, const latch_saga_plan *plan, latch_str key, call *c) {
    *c = (call){.plan = plan, .saga = {.id = key, .correlation_id = key}, .results = LATCH_STR("{}")};
    LATCH_TRY(check_plan(cx, plan));
    c->owner = latch_uuid(cx);
    return c->owner.ptr != NULL ? LATCH_OK : full(cx, plan);
}

/* When another may go on: as the plan says, or at the deadline. */
static latch_status in_progress_until(latch_ctx *cx, const call *c, int64_t now_ms, int64_t *out) {
    int64_t span_ms = c->plan->in_progress_ms, left_ms = latch_left_ms(cx);
    if (span_ms == 0) span_ms = left_ms != INT64_MAX ? left_ms : DEFAULT_IN_PROGRESS_MS;
    *out = now_ms + (span_ms < LATCH_SPAN_MS_MAX ? span_ms : LATCH_SPAN_MS_MAX);
    if (left_ms > 0) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_TIMEOUT, "saga %s: the deadline has passed, there is no time to go on", c->plan->saga->name);
}

/* ── what is saved ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_json state_of(latch_ctx *cx, const call *c) {
    return latch_object(cx, "step", c->step, "undoing", c->undoing, "owner", c->owner, "until", c->until_ms, "takeovers", c->takeovers,
                        "input", c->input, "results", c->results, "validation", c->validation, "failedStep", c->failed_step, "failure",
                        c->failure);
}

/* Another may go on from `until` and the skew on: that is the saga's timeout, so that what nobody asks for again is found. */
static void set_timeout(latch_ctx *cx, call *c) {
    int64_t at_ms = c->until_ms + latch_table_skew_ms(cx), now_ms = latch_now_ms(cx);
    if (c->until_ms == 0) at_ms = now_ms;
    c->saga.timeout_at_ms = c->saga.completed ? 0 : at_ms;
    c->saga.timeout_ms = c->saga.completed || at_ms <= now_ms ? 0 : at_ms - now_ms < LATCH_SPAN_MS_MAX ? at_ms - now_ms : LATCH_SPAN_MS_MAX;
}

/* `actual`: NULL, or what is there where the save is refused. */
static latch_status save(latch_ctx *cx, call *c, latch_saga_instance *actual) {
    set_timeout(cx, c);
    c->saga.state = state_of(cx, c);
    latch_status status = latch_saga_update(cx, c->plan->saga, &c->saga, actual);
    c->saga.state = LATCH_NULL;
    return status;
}

/* The steps that were done are the plan's first ones, by name and in order. */
static latch_status check_results(latch_ctx *cx, const call *c, latch_json results) {
    size_t done = 0;
    for (latch_each each = latch_each_in(results); latch_each_next(&each); done++) {
        const char *name = done < c->plan->step_count ? c->plan->steps[done].name : "none";
        if (latch_str_eq(each.name, latch_str_of(name))) continue;
        return latch_err_set(&cx->err, LATCH_E_MISUSE,
                             "saga %s: %.*s has done step %.*s, where the plan has %s: steps were changed while it ran",
                             c->plan->saga->name, LATCH_ARG(latch_str_cut(c->saga.id, 64)), LATCH_ARG(latch_str_cut(each.name, 64)), name);
    }
    bool fits = c->undoing ? (size_t)c->step <= done : (size_t)c->step == done;
    if (fits) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_DATA, "state.step: is %" PRId64 " of %zu steps with results", c->step, done);
}

/* What is there; owner and until are the other's. */
static latch_status load(latch_ctx *cx, const latch_saga_instance *found, call *c) {
    latch_str owner;
    latch_json results;
    LATCH_TRY(latch_read(found->state, "step", latch_range(&c->step, 0, LATCH_SAGA_STEPS_MAX), "undoing", &c->undoing, "owner", &owner,
                         "until", latch_range(&c->until_ms, 0, LATCH_AT_MS_MAX), "takeovers",
                         latch_range(&c->takeovers, -1, UINT32_MAX - 1), "input", &c->input, "results", &c->results, "validation",
                         &c->validation, "failedStep", latch_optional(latch_bytes(&c->failed_step, 0, 64)), "failure",
                         latch_optional(latch_bytes(&c->failure, 0, 512))));
    LATCH_TRY(latch_parse_data(cx, "state.results", c->results, &results));
    c->saga = *found;
    c->saga.state = LATCH_NULL;
    return check_results(cx, c, results);
}

/* ── taking it over ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status busy(latch_ctx *cx, const call *c) {
    (void)latch_err_set(&cx->err, LATCH_BUSY, "saga %s: another is at %.*s until %" PRId64 " ms", c->plan->saga->name,
                        LATCH_ARG(latch_str_cut(c->saga.id, 80)), c->until_ms);
    cx->err.retry_at_ms = c->until_ms + latch_table_skew_ms(cx);
    return LATCH_BUSY;
}

static latch_status mismatch(latch_ctx *cx, const call *c) {
    (void)latch_err_set(&cx->err, LATCH_MISMATCH, "saga %s: %.*s was begun with another payload", c->plan->saga->name,
                        LATCH_ARG(latch_str_cut(c->saga.id, 80)));
    return LATCH_MISMATCH;
}

static bool is_over(latch_ctx *cx, const call *c) { return c->until_ms < latch_now_ms(cx) - latch_table_skew_ms(cx); }

/*
 * What was read is judged here, and the version is what says that it is still so: whoever else claims it, or saves a step, makes another.
 * Refused by such a one, its item is what there is to judge.
 */
static latch_status claim(latch_ctx *cx, call *c, latch_saga_instance *found) {
    for (int tries = 0; tries < CLAIMS_MAX; tries++) {
        bool moved;
        LATCH_TRY(load(cx, found, c));
        if (c->expected != NULL && !latch_str_eq(c->validation, latch_str_of(c->expected))) return mismatch(cx, c);
        if (c->saga.completed) return LATCH_OK;
        if (!is_over(cx, c)) return busy(cx, c);
        LATCH_TRY(in_progress_until(cx, c, latch_now_ms(cx), &c->until_ms));
        c->takeovers++;
        LATCH_TRY_BUT(LATCH_CONFLICT, moved, save(cx, c, found));
        if (!moved) return LATCH_OK;
    }
    return latch_err_set(&cx->err, LATCH_CONFLICT, "saga %s: %.*s was changed by others between each two of %d tries", c->plan->saga->name,
                         LATCH_ARG(latch_str_cut(c->saga.id, 80)), CLAIMS_MAX);
}

/* ── one step ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef enum said { DONE, NO, NOT_NOW, WHO_KNOWS } said;

static said what_it_said(latch_status status, bool maybe_applied) {
    if (status == LATCH_OK) return DONE;
    if (maybe_applied || status == LATCH_CONFLICT) return WHO_KNOWS;
    if (status == LATCH_HELD || status == LATCH_BUSY || status == LATCH_LIMITED) return NOT_NOW;
    bool refused = status >= LATCH_MISSING && status <= LATCH_UNDONE;
    return refused || status == LATCH_E_INPUT || status == LATCH_E_HANDLER ? NO : WHO_KNOWS;
}

static latch_status run_work(latch_ctx *cx, const call *c, latch_work_fn *fn, latch_json *result) {
    latch_work work = {.key = c->saga.id, .takeovers = c->takeovers > 0 ? (uint32_t)c->takeovers : 0, .result = LATCH_NULL};
    latch_str text = latch_ctx_text(cx, "{\"input\":%.*s,\"results\":%.*s}", LATCH_ARG(c->input), LATCH_ARG(c->results));
    if (text.ptr == NULL) return full(cx, c->plan);
    LATCH_TRY(latch_parse(cx, "payload", text, &work.payload)); /* what a step doesn't find in it is bad input: it says no */
    cx->err = (latch_err){0};                                   /* what a request left in it says nothing about the step */
    latch_status status = fn(cx, &work);
    *result = work.result;
    return status;
}

/* {"payment":…} and one more. */
static latch_status add_result(latch_ctx *cx, call *c, const char *name, latch_json result) {
    latch_str text;
    LATCH_TRY(latch_json_text(cx, result, &text));
    if (text.len > LATCH_SAGA_RESULT_MAX_BYTES)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "saga %s: the result of step %s has %zu bytes, want at most %zu",
                             c->plan->saga->name, name, text.len, LATCH_SAGA_RESULT_MAX_BYTES);
    latch_str with = latch_ctx_text(cx, "%.*s%s\"%s\":%.*s}", (int)c->results.len - 1, c->results.ptr, c->results.len > 2 ? "," : "", name,
                                    LATCH_ARG(text));
    if (with.ptr == NULL) return full(cx, c->plan);
    c->results = with;
    return LATCH_OK;
}

/* It ran, and isn't saved, or not for certain: whoever calls this from work of its own has done something. */
static latch_status not_saved(latch_ctx *cx, const call *c, latch_status status) {
    if (status == LATCH_CONFLICT || status == LATCH_MISSING)
        status = latch_err_set(&cx->err, LATCH_CONFLICT, "saga %s: another took %.*s over while a step ran here", c->plan->saga->name,
                               LATCH_ARG(latch_str_cut(c->saga.id, 80)));
    cx->err.maybe_applied = true;
    return status;
}

/* Steps without an undo are behind us as soon as we come to them. */
static void skip_what_has_no_undo(call *c) {
    while (c->step > 0 && c->plan->steps[c->step - 1].undo == NULL)
        c->step--;
    c->saga.completed = c->step == 0;
}

/* For the next step, or the end: the claim goes on with it. */
static latch_status advance(latch_ctx *cx, call *c) {
    int64_t now_ms = latch_now_ms(cx);
    c->takeovers = 0;
    if (in_progress_until(cx, c, now_ms, &c->until_ms) != LATCH_OK) c->until_ms = now_ms; /* saved all the same; nothing follows here */
    latch_status status = save(cx, c, NULL);
    return status == LATCH_OK ? LATCH_OK : not_saved(cx, c, status);
}

/* The step's own error stands, whatever becomes of the claim: at worst it is in progress until its time is over, and then it is told. */
static latch_status leave(latch_ctx *cx, call *c, latch_status ended, bool nothing_is_done) {
    latch_err why = cx->err;
    c->until_ms = 0;
    if (nothing_is_done) c->takeovers--;
    latch_status status = save(cx, c, NULL);
    if (status != LATCH_OK && status != LATCH_CONFLICT)
        latch_warn(cx, "a saga was not given back", "saga", c->plan->saga->name, "id", c->saga.id, "why", cx->err.message);
    cx->err = why;
    return ended;
}

static latch_status turn_back(latch_ctx *cx, call *c, const latch_saga_step *step) {
    c->undoing = true;
    c->failed_step = latch_str_of(step->name);
    c->failure = latch_copy(cx, latch_str_of(cx->err.message));
    if (c->failure.ptr == NULL) return full(cx, c->plan);
    skip_what_has_no_undo(c);
    return advance(cx, c);
}

static latch_status run_step(latch_ctx *cx, call *c) {
    const latch_saga_step *step = &c->plan->steps[c->step];
    latch_json result;
    latch_status status = run_work(cx, c, step->run, &result);
    if (status == LATCH_OK) status = add_result(cx, c, step->name, result);
    said it = what_it_said(status, cx->err.maybe_applied);
    if (it == NO) return turn_back(cx, c, step);
    if (it != DONE) return leave(cx, c, status, it == NOT_NOW);
    c->step++;
    c->saga.completed = (size_t)c->step == c->plan->step_count;
    return advance(cx, c);
}

static latch_status undo_step(latch_ctx *cx, call *c) {
    latch_json dropped;
    latch_status status = run_work(cx, c, c->plan->steps[c->step - 1].undo, &dropped);
    said it = what_it_said(status, cx->err.maybe_applied);
    if (it != DONE) return leave(cx, c, status, it == NOT_NOW);
    c->step--;
    skip_what_has_no_undo(c);
    return advance(cx, c);
}

/* ── all of them ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status end(latch_ctx *cx, const call *c, latch_saga_outcome *out) {
    LATCH_TRY(latch_parse_data(cx, "results", c->results, &out->results));
    out->refused = c->failed_step;
    out->why = c->failure;
    if (!c->undoing) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_UNDONE, "saga %s: %.*s was undone: step %.*s said no: %.*s", c->plan->saga->name,
                         LATCH_ARG(latch_str_cut(c->saga.id, 64)), LATCH_ARG(c->failed_step), LATCH_ARG(c->failure));
}

static latch_status go_on(latch_ctx *cx, call *c, latch_saga_outcome *out) {
    while (!c->saga.completed) {
        if (latch_now_ms(cx) >= c->until_ms)
            return latch_err_set(&cx->err, LATCH_E_TIMEOUT, "saga %s: the time of %.*s was over before its next step could begin",
                                 c->plan->saga->name, LATCH_ARG(latch_str_cut(c->saga.id, 80)));
        LATCH_TRY(c->undoing ? undo_step(cx, c) : run_step(cx, c));
        out->did = c->saga.completed;
    }
    return end(cx, c, out);
}

/* A new one, or what is there: *found, whose id is empty where this call's insert made it. */
static latch_status insert(latch_ctx *cx, call *c, latch_json payload, latch_saga_instance *found) {
    bool there;
    LATCH_TRY(latch_json_text(cx, payload, &c->input));
    if (c->input.len > LATCH_SAGA_INPUT_MAX_BYTES)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "saga %s: the payload has %zu bytes, want at most %zu", c->plan->saga->name,
                             c->input.len, LATCH_SAGA_INPUT_MAX_BYTES);
    c->validation = latch_str_of(c->expected);
    LATCH_TRY(in_progress_until(cx, c, latch_now_ms(cx), &c->until_ms));
    set_timeout(cx, c);
    c->saga.state = state_of(cx, c);
    LATCH_TRY_BUT(LATCH_CONFLICT, there, latch_saga_insert(cx, c->plan->saga, &c->saga, found));
    return there && found->state.node == NULL ? LATCH_CONFLICT : LATCH_OK; /* another saga has the key for its correlation id */
}

latch_status latch_saga_run(latch_ctx *cx, const latch_saga_plan *plan, latch_str key, latch_json payload, latch_saga_outcome *out) {
    char hash[LATCH_HASH_BYTES];
    latch_saga_instance found = {0};
    call c;
    *out = (latch_saga_outcome){0};
    LATCH_TRY(begin(cx, plan, key, &c));
    LATCH_TRY(latch_hash_json(cx, payload, hash));
    c.expected = hash;
    LATCH_TRY(insert(cx, &c, payload, &found));
    if (found.id.len > 0) LATCH_TRY(claim(cx, &c, &found));
    return go_on(cx, &c, out);
}

latch_status latch_saga_resume(latch_ctx *cx, const latch_saga_plan *plan, latch_str key, latch_saga_outcome *out) {
    latch_saga_instance found;
    call c;
    *out = (latch_saga_outcome){0};
    LATCH_TRY(begin(cx, plan, key, &c));
    LATCH_TRY(latch_saga_get_by_id(cx, plan->saga, key, &found));
    LATCH_TRY(claim(cx, &c, &found));
    return go_on(cx, &c, out);
}
