#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "core/err.h"
#include "fleet.h"
#include "report.h"

typedef struct invoke_options {
    latch_fleet_options fleet;
    int64_t plays;
    const char *events, *expect;
    bool json, full;
} invoke_options;

typedef struct series { /* events that are played one after the other */
    size_t *events;
    size_t count, at;
    size_t play; /* from 1 */
    bool busy;
    bool is_numbered;
} series;

typedef struct run {
    invoke_options options;
    latch_arguments args;
    latch_fleet fleet;
    latch_events events;
    latch_report report;
    series *series;
    size_t series_count, next_series;
    struct flight *flights; /* as many as may run at once */
    size_t flying;
    latch_err err; /* what ended the run early; LATCH_OK */
} run;

typedef struct flight { /* an event that is being played */
    run *r;
    series *of; /* NULL: none is */
    latch_invocation inv;
} flight;

/* ── what is played at once ── */

/* "api-checkout" of "api-checkout-2-again": what is numbered happens in this order. */
static latch_str series_name(const char *name) {
    for (const char *at = name; (at = strchr(at, '-')) != NULL; at++) {
        size_t digits = strspn(at + 1, "0123456789");
        if (digits > 0 && (at[1 + digits] == '-' || at[1 + digits] == '\0')) return (latch_str){name, (size_t)(at - name)};
    }
    return latch_str_of(name);
}

static series *find_series(run *r, const latch_event *e) {
    for (size_t i = 0; i < r->series_count; i++) {
        const latch_event *first = &r->events.items[r->series[i].events[0]];
        bool same = first->function == e->function && latch_str_eq(series_name(first->name), series_name(e->name));
        if (same || r->options.fleet.concurrency == 1) return &r->series[i];
    }
    r->series = latch_realloc(r->series, (r->series_count + 1) * sizeof *r->series);
    r->series[r->series_count] = (series){.play = 1, .is_numbered = series_name(e->name).len < strlen(e->name)};
    return &r->series[r->series_count++];
}

static void sort_into_series(run *r) {
    for (size_t i = 0; i < r->events.count; i++) {
        series *of = find_series(r, &r->events.items[i]);
        of->events = latch_realloc(of->events, (of->count + 1) * sizeof *of->events);
        of->events[of->count++] = i;
    }
    r->flights = latch_alloc((size_t)r->options.fleet.concurrency * sizeof *r->flights);
}

/* ── playing ── */

static void start_more(run *r);

static void on_over(void *arg, latch_invocation *inv) {
    flight *f = arg;
    run *r = f->r;
    const latch_event *e = &r->events.items[f->of->events[f->of->at]];
    latch_mismatches mismatches = {0};
    if (e->expect.doc != NULL) latch_expect_check(&e->expect, f->of->play, inv, &mismatches);
    latch_report_add(&r->report,
                     &(latch_report_row){.function = r->fleet.functions.functions[e->function].name,
                                         .event = e->name,
                                         .play = f->of->play,
                                         .inv = inv,
                                         .mismatches = &mismatches,
                                         .is_expected = e->expect.doc != NULL,
                                         .wants_error = e->expect.doc != NULL && latch_expect_wants_error(&e->expect, f->of->play)});
    latch_mismatches_clean_up(&mismatches);
    latch_invocation_clean_up(inv);
    if (++f->of->at == f->of->count) f->of->at = 0, f->of->play++;
    f->of->busy = false;
    f->of = NULL;
    r->flying--;
    start_more(r);
}

/* An event without a number may look at what the numbered ones before it did: it waits for their play to be over. */
static bool must_wait(const run *r, const series *of) {
    size_t event = of->events[of->at];
    for (size_t i = 0; !of->is_numbered && i < r->series_count; i++) {
        const series *other = &r->series[i];
        bool is_before = other->is_numbered && other->events[0] < event;
        if (is_before && other->play <= of->play && r->events.items[other->events[0]].function == r->events.items[event].function)
            return true;
    }
    return false;
}

/* In turn; NULL: each is busy, has to wait, or is at its end. */
static series *choose(run *r) {
    for (size_t i = 0; i < r->series_count; i++) {
        series *of = &r->series[(r->next_series + i) % r->series_count];
        if (of->busy || of->play > (size_t)r->options.plays || must_wait(r, of)) continue;
        r->next_series = (size_t)(of - r->series) + 1;
        return of;
    }
    return NULL;
}

static bool start(run *r, series *of) {
    latch_sandbox *sandbox;
    const latch_event *e = &r->events.items[of->events[of->at]];
    flight *f = r->flights;
    if (latch_fleet_sandbox(&r->fleet, e->function, &sandbox, &r->err) != LATCH_OK) return false;
    while (f->of != NULL)
        f++;
    *f = (flight){.r = r, .of = of, .inv = {.event = latch_buffer_str(&e->bytes), .on_over = on_over, .arg = f}};
    of->busy = true;
    r->flying++;
    latch_sandbox_invoke(sandbox, &f->inv);
    return true;
}

static void start_more(run *r) {
    bool ok = !r->fleet.stopped && ferror(r->report.out) == 0; /* else nobody reads it any more: | head */
    series *of;
    while (ok && r->flying < (size_t)r->options.fleet.concurrency && (of = choose(r)) != NULL)
        ok = start(r, of);
    if (!ok || r->flying == 0) r->fleet.stopped = true;
}

static latch_status parse(run *r, int argc, char **argv) {
    invoke_options *o = &r->options;
    *o = (invoke_options){.fleet = LATCH_FLEET_DEFAULTS, .plays = 1};
    const latch_option table[] = {
        LATCH_FLEET_OPTIONS(&o->fleet),
        {"--plays", LATCH_OPTION_NUMBER, &o->plays, 1, 1000000000},
        {"--events", LATCH_OPTION_TEXT, &o->events, 0, 0},
        {"--expect", LATCH_OPTION_TEXT, &o->expect, 0, 0},
        {"--json", LATCH_OPTION_FLAG, &o->json, 0, 0},
        {"--full", LATCH_OPTION_FLAG, &o->full, 0, 0},
    };
    return latch_options_parse(table, sizeof table / sizeof *table, argc, argv, &r->args, &r->err);
}

static latch_status check_arguments(run *r) {
    size_t count = r->args.count;
    const char *last = count > 0 ? r->args.items[count - 1] : "";
    if (r->args.program == NULL && count > 1 && access(last, X_OK) == 0 && strstr(last, ".json") == NULL)
        return latch_err_set(&r->err, LATCH_E_MISUSE, "is %s the bootstrap? Then put -- before it: latch-local invoke … -- %s", last, last);
    if (count == 0 && r->options.events == NULL)
        return latch_err_set(&r->err, LATCH_E_MISUSE,
                             "no events: name files or a folder of them before --, as in: latch-local invoke events -- ./bootstrap");
    return LATCH_OK;
}

static latch_status load_events(run *r) {
    char *folder = (char *)(uintptr_t)(r->options.events != NULL ? r->options.events : "events");
    bool whole_folder = r->args.count == 0;
    latch_events_from from = {.paths = whole_folder ? &folder : r->args.items,
                              .path_count = whole_folder ? 1 : r->args.count,
                              .folder = folder,
                              .expect = r->options.expect,
                              .function = r->options.fleet.function};
    return latch_events_load(&r->events, &from, &r->fleet.functions, &r->err);
}

static int finish(run *r) {
    latch_fleet_stop(&r->fleet);
    latch_report_end(&r->report, latch_fleet_complaints(&r->fleet));
    bool all = r->report.ok == r->events.count * (size_t)r->options.plays;
    if (r->fleet.stop_signal != 0)
        fprintf(stderr, "latch-local invoke: stopped by SIG%s before the end\n", sigabbrev_np(r->fleet.stop_signal));
    return all && r->fleet.stop_signal == 0 ? LATCH_EXIT_OK : LATCH_EXIT_FAILED;
}

static int run_all(run *r) {
    latch_status status = check_arguments(r);
    if (status == LATCH_OK) status = latch_fleet_start(&r->fleet, &r->options.fleet, r->args.program, &r->err);
    if (status == LATCH_OK) status = load_events(r);
    if (status != LATCH_OK) return latch_command_complain("invoke", r->err.message);
    latch_report_begin(&r->report, stdout, r->options.json, r->options.full, &r->events, &r->fleet.functions);
    sort_into_series(r);
    start_more(r);
    latch_loop_run(&r->fleet.loop, &r->fleet.stopped);
    int exit_status = finish(r);
    if (r->err.status == LATCH_OK) return exit_status;
    fprintf(stderr, "latch-local invoke: %s\n", r->err.message);
    return LATCH_EXIT_FAILED;
}

int latch_command_invoke(int argc, char **argv) {
    run r = {0};
    int exit_status = LATCH_EXIT_OK;
    if (parse(&r, argc, argv) != LATCH_OK)
        exit_status = latch_command_complain("invoke", r.err.message);
    else if (r.args.help)
        fputs(latch_help_invoke, stdout);
    else
        exit_status = run_all(&r);
    latch_fleet_clean_up(&r.fleet);
    for (size_t i = 0; r.flights != NULL && i < (size_t)r.options.fleet.concurrency; i++)
        latch_invocation_clean_up(&r.flights[i].inv);
    for (size_t i = 0; i < r.series_count; i++)
        free(r.series[i].events);
    free(r.series);
    free(r.flights);
    latch_events_clean_up(&r.events);
    latch_variables_clean_up(&r.options.fleet.variables);
    latch_arguments_clean_up(&r.args);
    return exit_status;
}
