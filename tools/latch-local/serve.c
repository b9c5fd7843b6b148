#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "core/err.h"
#include "fleet.h"
#include "http_answer.h"
#include "http_event.h"
#include "page.h"
#include "report.h"
#include "routes.h"
#include "server.h"
#include "url.h"
#include "url_stream.h"
#include "watch.h"

#define URL_PREFIX "/_url/"
#define TARGET_COLUMNS 200                       /* of a request's target, for people */
#define REQUEST_BYTES ((size_t)10 * 1024 * 1024) /* API Gateway takes no more */

typedef struct serving {
    latch_fleet_options options;
    int64_t port;
    const char *host;
    bool no_page, watch;
    bool takes_either; /* streamed answers and others */
    latch_arguments args;
    latch_fleet fleet;
    latch_server *server;
    latch_page *page;       /* NULL: there is none */
    latch_watcher *watcher; /* NULL: not asked for */
    struct request *first;  /* of those that wait for their answers */
    bool colour;
    latch_err err;
} serving;

typedef struct request {
    serving *s;
    latch_exchange *x; /* until it is answered; not there where the page plays an event again */
    latch_invocation inv;
    latch_url_stream stream;
    uint64_t record; /* the page's */
    size_t function; /* LATCH_NO_FUNCTION: nobody's */
    bool is_url, is_head, is_again;
    char *title;           /* "GET /products/tea?sort=price" */
    const char *route_key; /* borrowed from route_text, or literal */
    char *route_text;
    latch_str path; /* what the function sees */
    latch_variables params;
    int64_t began_at_ns;
    char id[32];
    struct request *next, **at;
} request;

/* ── which function ── */

static size_t only_url_function(const latch_template *t) {
    size_t found = LATCH_NO_FUNCTION;
    for (size_t i = 0; i < t->function_count; i++) {
        if (!t->functions[i].has_url) continue;
        if (found != LATCH_NO_FUNCTION) return LATCH_NO_FUNCTION;
        found = i;
    }
    return found;
}

/* "/_url/Function/rest" */
static bool find_url(request *q, latch_str path) {
    const latch_template *t = &q->s->fleet.functions;
    latch_str name, rest = {path.ptr + strlen(URL_PREFIX), path.len - strlen(URL_PREFIX)};
    latch_url_next(&rest, '/', &name);
    char *copy = latch_copy(name);
    q->function = latch_template_find(t, copy);
    free(copy);
    if (q->function == LATCH_NO_FUNCTION || !t->functions[q->function].has_url) return false;
    q->path = rest.ptr != NULL ? (latch_str){rest.ptr - 1, rest.len + 1} : LATCH_STR("/");
    q->is_url = true;
    return true;
}

static bool find_route(request *q, latch_str path) {
    const latch_template *t = &q->s->fleet.functions;
    size_t route = latch_routes_find(t, latch_exchange_method(q->x), path, &q->params);
    if (route == LATCH_NO_ROUTE) return false;
    const latch_route *r = &t->routes[route];
    q->function = r->function;
    if (r->path != NULL) q->route_text = latch_format("%s %s", r->method, r->path);
    if (r->path != NULL) q->route_key = q->route_text;
    return true;
}

static bool find_function(request *q, latch_str path) {
    const latch_template *t = &q->s->fleet.functions;
    q->route_key = "$default";
    q->path = path;
    if (path.len > strlen(URL_PREFIX) && memcmp(path.ptr, URL_PREFIX, strlen(URL_PREFIX)) == 0) return find_url(q, path);
    if (t->route_count > 0) return find_route(q, path);
    q->is_url = true;
    q->function = only_url_function(t);
    return q->function != LATCH_NO_FUNCTION;
}

/* ── the answer ── */

static const char *time_of_day(char out[16]) {
    time_t now = time(NULL);
    struct tm t;
    localtime_r(&now, &t);
    strftime(out, 16, "%H:%M:%S", &t);
    return out;
}

/* A handler's own words may have line ends and more in them. */
static void print_text(const char *text) {
    latch_buffer line = {0};
    latch_report_shorten(&line, latch_str_of(text), 0);
    printf("  %s", line.ptr);
    latch_buffer_clean_up(&line);
}

static void print_line(const request *q, unsigned status, const char *problem) {
    const serving *s = q->s;
    char clock[16], shown[16] = "cut off";
    if (status != 0) snprintf(shown, sizeof shown, "%u", status);
    const char *colour = !s->colour ? "" : status == 0 || status >= 500 ? "\033[31m" : status >= 400 ? "\033[33m" : "\033[32m";
    size_t method = strcspn(q->title, " ");
    printf("%s  %-6.*s%s  %s%s%s  %.2f ms", time_of_day(clock), (int)method, q->title, q->title + method, colour, shown,
           s->colour ? "\033[0m" : "", (double)(latch_now_ns() - q->began_at_ns) / 1e6);
    if (q->function != LATCH_NO_FUNCTION) printf("  %s", s->fleet.functions.functions[q->function].name);
    if (q->is_again) printf("  again");
    if (q->stream.begun) printf("  %llu bytes streamed", (unsigned long long)q->stream.body_bytes);
    if (q->stream.left && !q->is_head) printf("  the client left");
    if (problem != NULL) print_text(problem);
    putchar('\n');
    fflush(stdout);
}

static void forget(request *q) {
    *q->at = q->next;
    if (q->next != NULL) q->next->at = q->at;
    latch_invocation_clean_up(&q->inv);
    latch_url_stream_clean_up(&q->stream);
    latch_variables_clean_up(&q->params);
    free(q->route_text);
    free(q->title);
    free(q);
}

/* The gateway's own answer. */
static void refuse(request *q, unsigned status, const char *message, const char *problem) {
    static const latch_field headers[] = {{"Content-Type", "application/json"}};
    char *body = latch_format("{\"message\":\"%s\"}", message);
    print_line(q, status, problem);
    latch_exchange_reply(q->x, &(latch_reply){.status = status, .headers = headers, .header_count = 1, .body = latch_str_of(body)});
    free(body);
    forget(q);
}

static void send_answer(const request *q, const latch_http_answer *a) {
    latch_field *fields = latch_alloc((a->header_count + 1) * sizeof *fields);
    for (size_t i = 0; i < a->header_count; i++)
        fields[i] = (latch_field){a->headers[i].name, a->headers[i].value};
    fields[a->header_count] = (latch_field){q->is_url ? "x-amzn-RequestId" : "apigw-requestid", q->id};
    latch_exchange_reply(
        q->x,
        &(latch_reply){.status = a->status, .headers = fields, .header_count = a->header_count + 1, .body = latch_buffer_str(&a->body)});
    free(fields);
}

/* Without a template nothing says how the URL is to be: it takes either kind of answer. */
static latch_http_where where(const request *q) {
    bool streams = q->inv.sink != NULL && !q->s->takes_either;
    return streams ? LATCH_AT_STREAM_URL : q->is_url ? LATCH_AT_URL : LATCH_AT_API;
}

static void on_over(void *arg, latch_invocation *inv) {
    request *q = arg;
    latch_http_answer a = {.status = q->stream.status, .problem = q->stream.problem};
    bool was_sent = q->stream.begun; /* all of it, as it came */
    if (!was_sent) latch_http_answer_make(&a, inv, where(q));
    print_line(q, a.status, a.problem);
    latch_page_end(q->s->page, q->record, inv, a.status, a.problem);
    if (!was_sent && !q->is_again) send_answer(q, &a);
    if (!was_sent) latch_http_answer_clean_up(&a);
    forget(q);
}

static void on_log(void *arg, latch_invocation *inv, latch_str line) {
    const request *q = arg;
    (void)inv;
    latch_page_log(q->s->page, q->record, line);
}

static void on_late_log(void *arg, latch_str id, latch_str line) {
    const serving *s = arg;
    latch_page_log_late(s->page, id, line);
}

static void on_stream_bytes(void *arg, latch_str bytes) {
    const request *q = arg;
    latch_page_bytes(q->s->page, q->record, bytes);
}

/* ── the request ── */

typedef struct gathering {
    latch_http_header *items;
    size_t count;
} gathering;

static void gather_header(void *arg, const char *name, const char *value) {
    gathering *g = arg;
    g->items = latch_realloc(g->items, (g->count + 1) * sizeof *g->items);
    g->items[g->count++] = (latch_http_header){latch_copy(latch_str_of(name)), latch_copy(latch_str_of(value))};
}

static void make_event(request *q, latch_str query) {
    gathering headers = {0};
    char client[64];
    size_t len = 0;
    latch_buffer body = latch_exchange_take_body(q->x);
    latch_exchange_headers(q->x, gather_header, &headers);
    latch_http_request r = {.method = latch_exchange_method(q->x),
                            .path = q->path,
                            .query = query,
                            .headers = headers.items,
                            .header_count = headers.count,
                            .body = latch_buffer_str(&body),
                            .client = latch_exchange_client(q->x, client, sizeof client),
                            .route_key = q->route_key,
                            .params = &q->params,
                            .region = q->s->fleet.region,
                            .request_id = q->id,
                            .is_url = q->is_url,
                            .now_ms = latch_now_ms()};
    char *event = latch_http_event_make(&r, &len);
    q->inv = (latch_invocation){.event = {event, len}, .give_event = true};
    for (size_t i = 0; i < headers.count; i++)
        free(headers.items[i].name), free(headers.items[i].value);
    free(headers.items);
    latch_buffer_clean_up(&body);
}

static request *begin(serving *s, latch_exchange *x, char *title) {
    static unsigned number; /* one serving a process */
    request *q = latch_alloc(sizeof *q);
    *q = (request){
        .s = s, .x = x, .title = title, .function = LATCH_NO_FUNCTION, .began_at_ns = latch_now_ns(), .next = s->first, .at = &s->first};
    snprintf(q->id, sizeof q->id, "local-%010u", ++number);
    if (q->next != NULL) q->next->at = &q->next;
    s->first = q;
    return q;
}

/* Only a function URL streams: API Gateway's HTTP APIs wait for the whole answer. */
static void invoke(request *q, latch_sandbox *sandbox) {
    const latch_function *f = &q->s->fleet.functions.functions[q->function];
    latch_page_begun what = {.function = q->function, .name = f->name, .title = q->title, .event = q->inv.event};
    q->record = latch_page_begin(q->s->page, &what);
    latch_url_stream_init(&q->stream, q->x, q->id, on_stream_bytes, q);
    q->inv.on_over = on_over;
    q->inv.on_log = q->s->page != NULL ? on_log : NULL;
    q->inv.sink = q->is_url && f->streams ? &q->stream.sink : NULL;
    q->inv.arg = q;
    latch_sandbox_invoke(sandbox, &q->inv);
}

/* The caller's to free. */
static char *make_title(const latch_exchange *x) {
    latch_buffer title = {0};
    latch_report_shorten(&title, latch_str_of(latch_exchange_method(x)), 0);
    latch_buffer_text(&title, " ");
    latch_report_shorten(&title, latch_str_of(latch_exchange_target(x)), TARGET_COLUMNS);
    return title.ptr;
}

static void on_request(void *arg, latch_exchange *x) {
    serving *s = arg;
    latch_sandbox *sandbox;
    latch_str query = latch_str_of(latch_exchange_target(x)), path;
    latch_url_next(&query, '?', &path);
    if (s->page != NULL && latch_page_is_its(path)) {
        latch_page_answer(s->page, x, path);
        return;
    }
    request *q = begin(s, x, make_title(x));
    q->is_head = strcmp(latch_exchange_method(x), "HEAD") == 0;
    if (s->fleet.stopped) {
        refuse(q, 503, "Service Unavailable", "latch-local is being stopped");
        return;
    }
    if (!find_function(q, path)) {
        q->function = LATCH_NO_FUNCTION;
        refuse(q, 404, "Not Found", "no route");
        return;
    }
    if (latch_exchange_body_bytes(x) > REQUEST_BYTES) {
        refuse(q, 413, "Request Entity Too Large", "the body is over 10 MiB");
        return;
    }
    make_event(q, query);
    if (q->inv.event.ptr == NULL || q->inv.event.len > LATCH_PAYLOAD_BYTES) {
        refuse(q, 413, "Request Too Long", "the event is over Lambda's 6 MiB");
        return;
    }
    if (latch_fleet_sandbox(&s->fleet, q->function, &sandbox, &s->err) != LATCH_OK) {
        refuse(q, 502, "Internal Server Error", s->err.message);
        return;
    }
    invoke(q, sandbox);
}

/* The page's button: the same event, and nobody waits for the answer. */
static uint64_t play_again(void *arg, size_t function, const char *title, latch_str event) {
    serving *s = arg;
    latch_sandbox *sandbox;
    if (s->fleet.stopped || latch_fleet_sandbox(&s->fleet, function, &sandbox, &s->err) != LATCH_OK) return 0;
    request *q = begin(s, NULL, latch_copy(latch_str_of(title)));
    q->function = function;
    q->is_again = true;
    q->is_url = s->fleet.functions.functions[function].has_url;
    q->inv = (latch_invocation){.event = {latch_copy(event), event.len}, .give_event = true};
    invoke(q, sandbox);
    return q->record;
}

/* ── --watch ── */

static void on_change(void *arg, const char *path) {
    serving *s = arg;
    char clock[16];
    bool ok = latch_fleet_renew(&s->fleet, &s->err) == LATCH_OK;
    printf("%s  %s was built anew: %s\n", time_of_day(clock), path, ok ? "the next request starts it" : s->err.message);
    fflush(stdout);
}

static void on_wait(void *arg, const char *path, const char *why) {
    char clock[16];
    (void)arg;
    printf("%s  %s %s: what runs goes on, the next whole one takes its place\n", time_of_day(clock), path, why);
    fflush(stdout);
}

static latch_status start_watching(serving *s) {
    char *const *argv = s->fleet.argv;
    const latch_watcher_config config = {
        .loop = &s->fleet.loop, .program = argv[0], .more = argv + 1, .on_change = on_change, .on_wait = on_wait, .arg = s};
    return s->watch ? latch_watcher_start(&config, &s->watcher, &s->err) : LATCH_OK;
}

/* ── the command ── */

static void print_page(const serving *s, bool v6) {
    bool everywhere = strcmp(s->host, "0.0.0.0") == 0 || strcmp(s->host, "::") == 0, here = latch_page_is_loopback(s->host);
    if (s->page == NULL) return;
    if (here || everywhere)
        printf("invocations, as they come: http://%s%s%s:%u" LATCH_PAGE_ROOT "%s\n", v6 ? "[" : "",
               here ? s->host
               : v6 ? "::1"
                    : "127.0.0.1",
               v6 ? "]" : "", latch_server_port(s->server), everywhere ? " (for this machine alone, whatever --host says)" : "");
    else
        printf("no page at " LATCH_PAGE_ROOT ": it is for this machine alone, and --host %s is no loopback address\n", s->host);
}

static void print_routes(const serving *s) {
    const latch_template *t = &s->fleet.functions;
    bool v6 = strchr(s->host, ':') != NULL;
    printf("latch-local serves http://%s%s%s:%u\n", v6 ? "[" : "", s->host, v6 ? "]" : "", latch_server_port(s->server));
    for (size_t i = 0; i < t->route_count; i++)
        printf("  %-6s %-30s %s\n", t->routes[i].path != NULL ? t->routes[i].method : "ANY",
               t->routes[i].path != NULL ? t->routes[i].path : "$default", t->functions[t->routes[i].function].name);
    for (size_t i = 0; i < t->function_count; i++) {
        if (!t->functions[i].has_url) continue;
        bool everywhere = t->route_count == 0 && only_url_function(t) == i;
        char *path = everywhere ? latch_copy(LATCH_STR("/ and all below")) : latch_format(URL_PREFIX "%s/", t->functions[i].name);
        printf("  %-6s %-30s %s (function URL%s)\n", "ANY", path, t->functions[i].name, t->functions[i].streams ? ", streamed" : "");
        free(path);
    }
    print_page(s, v6);
    fflush(stdout);
}

static latch_status parse(serving *s, int argc, char **argv) {
    s->options = LATCH_FLEET_DEFAULTS;
    s->options.on_late_log = on_late_log;
    s->options.arg = s;
    s->port = 3000;
    s->host = "127.0.0.1";
    const latch_option table[] = {
        LATCH_FLEET_OPTIONS(&s->options),
        {"--port", LATCH_OPTION_NUMBER, &s->port, 0, 65535},
        {"--host", LATCH_OPTION_TEXT, &s->host, 0, 0},
        {"--no-page", LATCH_OPTION_FLAG, &s->no_page, 0, 0},
        {"--watch", LATCH_OPTION_FLAG, &s->watch, 0, 0},
    };
    LATCH_TRY(latch_options_parse(table, sizeof table / sizeof *table, argc, argv, &s->args, &s->err));
    if (s->args.count == 0) return LATCH_OK;
    const char *hint =
        access(s->args.items[0], X_OK) == 0 ? "is it the bootstrap? Then put -- before it" : "events are `latch-local invoke`'s";
    return latch_err_set(&s->err, LATCH_E_MISUSE, "%s: serve takes no such argument; %s", s->args.items[0], hint);
}

/* Without a template there is one function, and every path is its. With one, a function that nothing leads to is no reason to start. */
static latch_status check_routes(serving *s) {
    latch_template *t = &s->fleet.functions;
    bool has_urls = false;
    if (s->options.template_path == NULL && t->function_count == 1 && s->options.function != NULL && t->route_count == 0)
        t->functions[0].has_url = t->functions[0].streams = s->takes_either = true;
    for (size_t i = 0; i < t->function_count; i++)
        has_urls = has_urls || t->functions[i].has_url;
    if (t->route_count > 0 || has_urls) return LATCH_OK;
    return latch_err_set(&s->err, LATCH_E_INPUT, "the template has no HttpApi event and no FunctionUrlConfig: there is no path to serve");
}

/* What the page tells of the stores is in the record at an invocation's end. Whoever says otherwise, here or in the template, has it so. */
static void ask_for_reports(serving *s) {
    latch_template *t = &s->fleet.functions;
    for (size_t i = 0; i < t->function_count; i++)
        if (latch_variables_get(&t->functions[i].variables, "LATCH_LOG_REPORT") == NULL)
            latch_variables_set(&t->functions[i].variables, LATCH_STR("LATCH_LOG_REPORT"), LATCH_STR("1"));
}

static int serve(serving *s) {
    latch_server_config config = {
        .host = s->host, .port = (uint16_t)s->port, .max_body_bytes = REQUEST_BYTES, .on_request = on_request, .arg = s};
    latch_status status = latch_fleet_start(&s->fleet, &s->options, s->args.program, &s->err);
    if (status == LATCH_OK) status = check_routes(s);
    if (status == LATCH_OK) status = start_watching(s);
    if (status == LATCH_OK) status = latch_fleet_take_snapshots(&s->fleet, &s->err);
    if (status == LATCH_OK) status = latch_server_start(&s->fleet.loop, &config, &s->server, &s->err);
    if (status != LATCH_OK) return latch_command_complain("serve", s->err.message);
    if (!s->no_page) ask_for_reports(s);
    if (!s->no_page) s->page = latch_page_start(&(latch_page_config){.loop = &s->fleet.loop, .again = play_again, .arg = s});
    s->colour = isatty(STDOUT_FILENO) == 1 && getenv("NO_COLOR") == NULL;
    print_routes(s);
    latch_loop_run(&s->fleet.loop, &s->fleet.stopped);
    return LATCH_EXIT_OK;
}

/* Functions first, then clients; what was under way is forgotten once nothing can tell of it any more. */
static void stop(serving *s) {
    latch_watcher_stop(s->watcher);
    latch_fleet_stop(&s->fleet);
    for (request *q = s->first; q != NULL; q = q->next)
        latch_url_stream_let_go(&q->stream);
    latch_page_stop(s->page);
    s->page = NULL; /* a request that comes while the server stops finds none */
    latch_server_stop(s->server);
    latch_fleet_clean_up(&s->fleet);
    while (s->first != NULL)
        forget(s->first);
}

int latch_command_serve(int argc, char **argv) {
    serving s = {0};
    int exit_status = LATCH_EXIT_OK;
    if (parse(&s, argc, argv) != LATCH_OK)
        exit_status = latch_command_complain("serve", s.err.message);
    else if (s.args.help)
        fputs(latch_help_serve, stdout);
    else
        exit_status = serve(&s);
    stop(&s);
    latch_variables_clean_up(&s.options.variables);
    latch_arguments_clean_up(&s.args);
    return exit_status;
}
