#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "core/err.h"
#include "dynamodb_protocol.h"
#include "options.h"
#include "server.h"

#define DEFAULT_PORT 8000 /* DynamoDB Local's */
#define DEFAULT_MB 256
#define CONNECTION_BYTES ((size_t)32 * 1024) /* SDKs' headers have 2 KB at most, and half of the time would go into clearing more */
#define SHOWN_BYTES 240                      /* of an error, in its log line */

typedef struct serving {
    int64_t port, max_mb, lag_ms, seed;
    const char *host, *table;
    bool quiet, verbose;
    latch_arguments args;
    latch_dynamodb_local *local;
    latch_loop loop;
    latch_watch signals;
    latch_server *server;
    sigset_t before;
    char date[32]; /* of date_s */
    time_t date_s;
    bool looping, stopped;
    latch_err err;
} serving;

/* ── requests ── */

static void print_line(const latch_exchange *x, const latch_dynamodb_answer *a, int64_t began_at_ns) {
    char clock[16];
    time_t now = time(NULL);
    struct tm t;
    localtime_r(&now, &t);
    strftime(clock, sizeof clock, "%H:%M:%S", &t);
    const char *what = a->operation[0] != '\0' ? a->operation : latch_exchange_method(x);
    printf("%s  %-20s %u  %.2f ms  %zu in  %zu out", clock, what, a->status, (double)(latch_now_ns() - began_at_ns) / 1e6,
           latch_exchange_body_bytes(x), a->body.len);
    if (a->status != 200) printf("  %.*s", a->body.len < SHOWN_BYTES ? (int)a->body.len : SHOWN_BYTES, a->body.ptr);
    putchar('\n');
    fflush(stdout);
}

/* HTTP's own form of now; made once a second. */
static const char *date_of(serving *s) {
    time_t now = time(NULL);
    struct tm t;
    if (now == s->date_s) return s->date;
    s->date_s = now;
    gmtime_r(&now, &t);
    strftime(s->date, sizeof s->date, "%a, %d %b %Y %H:%M:%S GMT", &t);
    return s->date;
}

static const char *header(const void *arg, const char *name) { return latch_exchange_header(arg, name); }

static void on_request(void *arg, latch_exchange *x) {
    serving *s = arg;
    int64_t began_at_ns = latch_now_ns();
    latch_buffer body = latch_exchange_take_body(x);
    latch_dynamodb_answer a;
    const latch_dynamodb_request request = {.method = latch_exchange_method(x),
                                            .header = header,
                                            .arg = x,
                                            .body = latch_buffer_str(&body),
                                            .body_bytes = latch_exchange_body_bytes(x)};
    latch_dynamodb_local_answer(s->local, &request, &a);
    const latch_field fields[] = {
        {"Content-Type", a.content_type}, {"Date", date_of(s)}, {"x-amzn-RequestId", a.request_id}, {"x-amz-crc32", a.crc32}};
    if (s->verbose) print_line(x, &a, began_at_ns);
    latch_exchange_reply(
        x, &(latch_reply){.status = a.status, .headers = fields, .header_count = sizeof fields / sizeof *fields, .body = a.body});
    latch_buffer_clean_up(&body);
}

/* ── the command ── */

/* Taken out of the queue: it would be delivered when signals are let through again. */
static void on_signal(void *arg) {
    serving *s = arg;
    struct signalfd_siginfo taken;
    s->stopped = read(s->signals.fd, &taken, sizeof taken) == (ssize_t)sizeof taken;
}

static latch_status watch_signals(serving *s) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, &s->before);
    s->signals = (latch_watch){signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), on_signal, s};
    if (s->signals.fd >= 0 && latch_loop_watch(&s->loop, &s->signals)) return LATCH_OK;
    return latch_err_set(&s->err, LATCH_E_MISUSE, "signals can't be watched: %s", strerror(errno));
}

static latch_status parse(serving *s, int argc, char **argv) {
    s->port = DEFAULT_PORT;
    s->host = "127.0.0.1";
    s->max_mb = DEFAULT_MB;
    const latch_option table[] = {
        {"--port", LATCH_OPTION_NUMBER, &s->port, 0, 65535},
        {"--host", LATCH_OPTION_TEXT, &s->host, 0, 0},
        {"--table", LATCH_OPTION_TEXT, &s->table, 0, 0},
        {"--max-mb", LATCH_OPTION_NUMBER, &s->max_mb, 1, 1 << 20},
        {"--lag-ms", LATCH_OPTION_NUMBER, &s->lag_ms, 0, 86400000},
        {"--seed", LATCH_OPTION_NUMBER, &s->seed, 0, INT64_MAX},
        {"--quiet", LATCH_OPTION_FLAG, &s->quiet, 0, 0},
        {"--verbose", LATCH_OPTION_FLAG, &s->verbose, 0, 0},
    };
    LATCH_TRY(latch_options_parse(table, sizeof table / sizeof *table, argc, argv, &s->args, &s->err));
    if (s->args.help || (s->args.count == 0 && s->args.program == NULL)) return LATCH_OK;
    return latch_err_set(&s->err, LATCH_E_MISUSE, "%s: dynamodb takes options only", s->args.count > 0 ? s->args.items[0] : "--");
}

static latch_status start(serving *s) {
    const latch_dynamodb_local_options options = {.max_bytes = (size_t)s->max_mb << 20, .lag_ms = s->lag_ms, .seed = (uint64_t)s->seed};
    const latch_server_config config = {.host = s->host,
                                        .port = (uint16_t)s->port,
                                        .max_body_bytes = LATCH_DYNAMODB_REQUEST_BYTES,
                                        .connection_bytes = CONNECTION_BYTES,
                                        .on_request = on_request,
                                        .arg = s};
    LATCH_TRY(latch_dynamodb_local_init(&s->local, &options, &s->err));
    if (s->table != NULL) LATCH_TRY(latch_dynamodb_local_create_table(s->local, s->table, &s->err));
    if (!latch_loop_init(&s->loop)) return latch_err_set(&s->err, LATCH_E_MISUSE, "no epoll: %s", strerror(errno));
    s->looping = true;
    LATCH_TRY(watch_signals(s));
    return latch_server_start(&s->loop, &config, &s->server, &s->err);
}

static void print_ready(const serving *s) {
    bool v6 = strchr(s->host, ':') != NULL;
    printf("%shttp://%s%s%s:%u\n", s->quiet ? "" : "latch-local dynamodb listens on ", v6 ? "[" : "", s->host, v6 ? "]" : "",
           latch_server_port(s->server));
    fflush(stdout);
}

static void clean_up(serving *s) {
    latch_server_stop(s->server);
    if (s->signals.fd > 0) {
        close(s->signals.fd);
        sigprocmask(SIG_SETMASK, &s->before, NULL);
    }
    if (s->looping) latch_loop_clean_up(&s->loop);
    latch_dynamodb_local_clean_up(s->local);
    latch_arguments_clean_up(&s->args);
}

int latch_command_dynamodb(int argc, char **argv) {
    serving s = {0};
    int exit_status = LATCH_EXIT_OK;
    latch_status status = parse(&s, argc, argv);
    if (status == LATCH_OK && !s.args.help) status = start(&s);
    if (status != LATCH_OK) {
        exit_status = latch_command_complain("dynamodb", s.err.message);
    } else if (s.args.help) {
        fputs(latch_help_dynamodb, stdout);
    } else {
        print_ready(&s);
        latch_loop_run(&s.loop, &s.stopped);
    }
    clean_up(&s);
    return exit_status;
}
