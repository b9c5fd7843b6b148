/* fleet.h - what `invoke` and `serve` have in common: a template's functions, each in its sandbox, one bootstrap for all of them. */
#ifndef LATCH_LOCAL_FLEET_H
#define LATCH_LOCAL_FLEET_H

#include "environment.h"
#include "options.h"
#include "sandbox.h"

#define LATCH_FLEET_CONCURRENCY 1024

typedef struct latch_fleet_options {
    const char *template_path; /* NULL: template.yaml or template.yml here */
    const char *function;      /* without a template: the one function there is; NULL: not given */
    const char *env_file;
    latch_variables variables; /* --env */
    int64_t timeout_ms;        /* 0: each function's own */
    int64_t init_timeout_ms;
    int64_t concurrency; /* of each function */
    bool debug, snapstart, throttle;
    latch_api_caller caller;
    latch_fault_plan faults;
    int64_t seed; /* of the faults; 0: another one each time */
    /* no option of the command line's */
    void (*on_late_log)(void *arg, latch_str id, latch_str line);
    void *arg;
} latch_fleet_options;

#define LATCH_FLEET_DEFAULTS ((latch_fleet_options){.init_timeout_ms = 10000, .concurrency = 1})

/* The rows of an options' table for what is above. */
#define LATCH_FLEET_OPTIONS(o)                                                                                                             \
    {"--template", LATCH_OPTION_TEXT, &(o)->template_path, 0, 0}, {"--function", LATCH_OPTION_TEXT, &(o)->function, 0, 0},                 \
        {"--env-file", LATCH_OPTION_TEXT, &(o)->env_file, 0, 0},                                                                           \
        {"--env", LATCH_OPTION_EACH, &(latch_option_each){latch_environment_add, &(o)->variables, "NAME=VALUE"}, 0, 0},                    \
        {"--timeout", LATCH_OPTION_SECONDS, &(o)->timeout_ms, 1, 900000},                                                                  \
        {"--init-timeout", LATCH_OPTION_SECONDS, &(o)->init_timeout_ms, 1, 900000},                                                        \
        {"--concurrency", LATCH_OPTION_NUMBER, &(o)->concurrency, 1, LATCH_FLEET_CONCURRENCY},                                             \
        {"--snapstart", LATCH_OPTION_FLAG, &(o)->snapstart, 0, 0}, {"--throttle-stream", LATCH_OPTION_FLAG, &(o)->throttle, 0, 0},         \
        {"--tenant", LATCH_OPTION_TEXT, &(o)->caller.tenant_id, 0, 0},                                                                     \
        {"--client-context", LATCH_OPTION_TEXT, &(o)->caller.client_context, 0, 0},                                                        \
        {"--cognito-identity", LATCH_OPTION_TEXT, &(o)->caller.cognito_identity, 0, 0},                                                    \
        {"--sampled", LATCH_OPTION_FLAG, &(o)->caller.sampled, 0, 0},                                                                      \
        {"--fault", LATCH_OPTION_EACH,                                                                                                     \
         &(latch_option_each){latch_fault_add, &(o)->faults, "KIND, KIND@N or KIND%P; latch-local faults lists the kinds"}, 0, 0},         \
        {"--seed", LATCH_OPTION_NUMBER, &(o)->seed, 1, INT64_MAX}, {                                                                       \
        "--debug", LATCH_OPTION_FLAG, &(o)->debug, 0, 0                                                                                    \
    }

typedef struct latch_fleet {
    latch_loop loop;
    latch_processes processes;
    latch_template functions;
    latch_variables given;
    latch_sandbox **sandboxes; /* of each function; NULL: not needed so far */
    latch_sandbox **old;       /* of programs that were built anew: they end what they have in hand */
    size_t old_count;
    latch_timer wind_down;
    char **argv; /* of the bootstrap */
    const char *region;
    latch_fleet_options options;
    int stop_signal; /* that asked us to end; 0 */
    bool stopped;    /* what latch_loop_run waits for may be this */
    bool started;
} latch_fleet;

/* `program` is the bootstrap and its arguments. LATCH_E_MISUSE, LATCH_E_INPUT: what is missing or wrong, and what to do. clean_up either way. */
latch_status latch_fleet_start(latch_fleet *fleet, const latch_fleet_options *options, char **program, latch_err *err);

latch_status latch_fleet_sandbox(latch_fleet *fleet, size_t function, latch_sandbox **out, latch_err *err);

/* The program was built anew: what comes from now on, and what waits, runs in new processes. LATCH_OK, or why none can be started. */
latch_status latch_fleet_renew(latch_fleet *fleet, latch_err *err);

/* With snapstart: each function's process starts, and waits in its snapshot. Else nothing. */
latch_status latch_fleet_take_snapshots(latch_fleet *fleet, latch_err *err);

size_t latch_fleet_complaints(const latch_fleet *fleet); /* what processes did that no runtime may do */

void latch_fleet_stop(latch_fleet *fleet);     /* the processes; what waits for them is not called any more */
void latch_fleet_clean_up(latch_fleet *fleet); /* stop, and everything else */

#endif
