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

typedef struct run { /* all events, one after the other */
    invoke_options options;
    latch_arguments args;
    latch_fleet fleet;
    latch_events events;
    latch_report report;
    latch_invocation inv; /* the one that is running */
    size_t at;            /* its event */
    size_t play;          /* from 1 */
    latch_err err;        /* what ended the run early; LATCH_OK */
} run;

static void start_next(run *r);

static void on_over(void *arg, latch_invocation *inv) {
    run *r = arg;
    const latch_event *e = &r->events.items[r->at];
    latch_mismatches mismatches = {0};
    if (e->expect.doc != NULL) latch_expect_check(&e->expect, r->play, inv, &mismatches);
    latch_report_add(&r->report,
                     &(latch_report_row){.function = r->fleet.functions.functions[e->function].name,
                                         .event = e->name,
                                         .play = r->play,
                                         .inv = inv,
                                         .mismatches = &mismatches,
                                         .is_expected = e->expect.doc != NULL,
                                         .wants_error = e->expect.doc != NULL && latch_expect_wants_error(&e->expect, r->play)});
    latch_mismatches_clean_up(&mismatches);
    latch_invocation_clean_up(inv);
    r->at++;
    start_next(r);
}

static void start_next(run *r) {
    latch_sandbox *sandbox;
    if (r->at == r->events.count) r->at = 0, r->play++;
    if (r->play > (size_t)r->options.plays || ferror(r->report.out) != 0) { /* nobody reads it any more: | head */
        r->fleet.stopped = true;
        return;
    }
    const latch_event *e = &r->events.items[r->at];
    if (latch_fleet_sandbox(&r->fleet, e->function, &sandbox, &r->err) != LATCH_OK) {
        r->fleet.stopped = true;
        return;
    }
    r->inv = (latch_invocation){.event = latch_buffer_str(&e->bytes), .on_over = on_over, .arg = r};
    latch_sandbox_invoke(sandbox, &r->inv);
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
    latch_report_end(&r->report);
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
    r->play = 1;
    start_next(r);
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
    latch_invocation_clean_up(&r.inv);
    latch_events_clean_up(&r.events);
    latch_variables_clean_up(&r.options.fleet.variables);
    latch_arguments_clean_up(&r.args);
    return exit_status;
}
