#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/err.h"

/* Header blocks, and the pieces a body comes in: room for X-Ray's 64 KiB cause, few wake-ups for 6 MiB. Pages untouched cost nothing. */
#define CONNECTION_BYTES ((size_t)512 * 1024)
#define PRESIZED_BYTES ((size_t)8 * 1024 * 1024) /* a Content-Length is believed up to here */

struct latch_server {
    latch_loop *loop;
    latch_server_config config;
    struct MHD_Daemon *daemon;
    uint16_t port;
    latch_watch watch;
    latch_task run;
    latch_exchange *open;
    bool stopping;
};

struct latch_exchange {
    latch_server *server;
    struct MHD_Connection *connection;
    const char *method;
    char *target;
    latch_buffer body;
    size_t body_bytes;
    struct MHD_Response *response; /* NULL: not answered yet */
    unsigned status;
    bool started, asked, held;
    latch_intake intake; /* of its body; data NULL: it is kept */
    bool asleep;         /* part of its body waits for latch_exchange_resume */
    bool hung_up;        /* to be closed as soon as libmicrohttpd asks */
    latch_writer writer; /* of a streamed reply */
    latch_buffer out;    /* what it waits to send */
    bool streamed, wants_room, finished, whole;
    latch_exchange *next, **at;
};

static void *begin(void *arg, const char *target, struct MHD_Connection *connection) {
    latch_server *server = arg;
    latch_exchange *x = latch_alloc(sizeof *x);
    *x = (latch_exchange){
        .server = server, .connection = connection, .target = latch_copy(latch_str_of(target)), .next = server->open, .at = &server->open};
    if (x->next != NULL) x->next->at = &x->next;
    server->open = x;
    return x;
}

static void end(void *arg, struct MHD_Connection *connection, void **request, enum MHD_RequestTerminationCode why) {
    latch_exchange *x = *request;
    (void)arg, (void)connection, (void)why;
    if (x == NULL) return;
    *x->at = x->next;
    if (x->next != NULL) x->next->at = x->at;
    if (x->intake.data != NULL && !x->asked && !x->hung_up && !x->server->stopping) x->intake.cut(x->intake.arg);
    if (x->streamed && !x->finished) x->writer.on_gone(x->writer.arg);
    if (x->response != NULL) MHD_destroy_response(x->response);
    latch_buffer_clean_up(&x->out);
    latch_buffer_clean_up(&x->body);
    free(x->target);
    free(x);
    *request = NULL;
}

static enum MHD_Result send_reply(latch_exchange *x) {
    enum MHD_Result queued = MHD_queue_response(x->connection, x->status, x->response);
    MHD_destroy_response(x->response);
    x->response = NULL;
    return queued;
}

static void start_body(latch_exchange *x, const char *method) {
    x->started = true;
    x->method = method;
    const char *length = latch_exchange_header(x, MHD_HTTP_HEADER_CONTENT_LENGTH);
    size_t bytes = length != NULL ? strtoul(length, NULL, 10) : 0;
    if (x->server->config.on_head != NULL) x->server->config.on_head(x->server->config.arg, x);
    bool is_kept = x->intake.data == NULL && !x->hung_up && bytes <= x->server->config.max_body_bytes;
    if (bytes > 0 && bytes <= PRESIZED_BYTES && is_kept) latch_buffer_reserve(&x->body, bytes);
}

/* How much of it is taken. */
static size_t add_body(latch_exchange *x, const char *bytes, size_t len) {
    if (x->intake.data != NULL) {
        size_t taken = x->intake.data(x->intake.arg, bytes, len);
        x->body_bytes += taken;
        return taken;
    }
    x->body_bytes += len;
    if (x->body_bytes <= x->server->config.max_body_bytes) latch_buffer_add(&x->body, bytes, len);
    return len;
}

static enum MHD_Result take_piece(latch_exchange *x, const char *data, size_t *data_bytes) {
    *data_bytes -= add_body(x, data, *data_bytes);
    if (x->hung_up) return MHD_NO;
    if (*data_bytes == 0) return MHD_YES;
    x->asleep = true;
    MHD_suspend_connection(x->connection);
    return MHD_YES;
}

/* Called once for the headers, once for each piece of the body, once at its end, and once more when a held request was answered. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
                                  const char *data, size_t *data_bytes, void **request) {
    latch_exchange *x = *request;
    (void)arg, (void)connection, (void)url, (void)version;
    if (x->hung_up) return MHD_NO;
    if (!x->started) {
        start_body(x, method);
        return x->hung_up ? MHD_NO : MHD_YES;
    }
    if (*data_bytes > 0) return take_piece(x, data, data_bytes);
    if (!x->asked) {
        x->asked = true;
        x->server->config.on_request(x->server->config.arg, x);
    }
    if (x->hung_up) return MHD_NO;
    if (x->response != NULL) return send_reply(x);
    x->held = true;
    MHD_suspend_connection(x->connection);
    return MHD_YES;
}

static void run(void *arg) {
    latch_server *server = arg;
    MHD_UNSIGNED_LONG_LONG wait_ms;
    MHD_run(server->daemon);
    if (MHD_get_timeout(server->daemon, &wait_ms) == MHD_YES && wait_ms == 0) latch_loop_post(&server->run);
}

/* What it logs is about broken clients: theirs to say. */
static void quiet(void *arg, const char *fmt, va_list ap) { (void)arg, (void)fmt, (void)ap; }

static bool parse_address(const latch_server_config *config, struct sockaddr_storage *out, unsigned *flags) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    if (inet_pton(AF_INET, config->host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(config->port);
        return true;
    }
    if (inet_pton(AF_INET6, config->host, &v6->sin6_addr) != 1) return false;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(config->port);
    *flags |= MHD_USE_IPv6;
    return true;
}

static latch_status watch(latch_server *server, latch_err *err) {
    const union MHD_DaemonInfo *epoll = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    const union MHD_DaemonInfo *port = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    if (epoll == NULL || port == NULL) return latch_err_set(err, LATCH_E_NETWORK, "the HTTP server has no epoll descriptor or port");
    server->port = port->port;
    server->watch = (latch_watch){epoll->epoll_fd, run, server};
    server->run = (latch_task){.fn = run, .arg = server};
    if (!latch_loop_watch(server->loop, &server->watch))
        return latch_err_set(err, LATCH_E_NETWORK, "the HTTP server can't be watched: %s", strerror(errno));
    latch_loop_add(server->loop, &server->run);
    return LATCH_OK;
}

latch_status latch_server_start(latch_loop *loop, const latch_server_config *config, latch_server **out, latch_err *err) {
    struct sockaddr_storage address = {0};
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_SUPPRESS_DATE_NO_CLOCK | MHD_USE_ERROR_LOG;
    *out = NULL;
    if (!parse_address(config, &address, &flags))
        return latch_err_set(err, LATCH_E_MISUSE, "host %s is no address: give one as 127.0.0.1 or ::1", config->host);
    latch_server *server = latch_alloc(sizeof *server);
    *server = (latch_server){.loop = loop, .config = *config};
    size_t connection_bytes = config->connection_bytes != 0 ? config->connection_bytes : CONNECTION_BYTES;
    errno = 0;
    server->daemon =
        MHD_start_daemon(flags, config->port, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, quiet, NULL, MHD_OPTION_SOCK_ADDR,
                         (struct sockaddr *)&address, MHD_OPTION_CONNECTION_MEMORY_LIMIT, connection_bytes, MHD_OPTION_URI_LOG_CALLBACK,
                         begin, server, MHD_OPTION_NOTIFY_COMPLETED, end, server, MHD_OPTION_END);
    latch_status status = LATCH_OK;
    if (server->daemon == NULL)
        status = latch_err_set(err, LATCH_E_NETWORK, "can't listen on %s port %u: %s", config->host, config->port,
                               errno != 0 ? strerror(errno) : "refused");
    else
        status = watch(server, err);
    if (status == LATCH_OK)
        *out = server;
    else
        latch_server_stop(server);
    return status;
}

uint16_t latch_server_port(const latch_server *server) { return server->port; }

static void let_go_of_held(latch_server *server) {
    static const latch_reply stopping = {.status = MHD_HTTP_SERVICE_UNAVAILABLE, .close = true};
    for (latch_exchange *x = server->open; x != NULL; x = x->next) {
        if (x->streamed && !x->finished) latch_exchange_finish(x, false);
        if (!x->streamed && x->held) latch_exchange_reply(x, &stopping);
        if (x->asleep) latch_exchange_hang_up(x);
    }
    MHD_run(server->daemon);
}

void latch_server_stop(latch_server *server) {
    if (server == NULL) return;
    server->stopping = true;
    if (server->run.fn != NULL) {
        let_go_of_held(server); /* MHD ends the process rather than stop with a connection asleep */
        latch_loop_remove(server->loop, &server->run);
        latch_loop_unwatch(server->loop, &server->watch);
    }
    if (server->daemon != NULL) MHD_stop_daemon(server->daemon);
    free(server);
}

const char *latch_exchange_method(const latch_exchange *x) { return x->method; }

const char *latch_exchange_target(const latch_exchange *x) { return x->target; }

const char *latch_exchange_header(const latch_exchange *x, const char *name) {
    return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

typedef struct visit {
    void (*each)(void *arg, const char *name, const char *value);
    void *arg;
} visit;

static enum MHD_Result visit_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value) {
    const visit *v = arg;
    (void)kind;
    v->each(v->arg, name, value != NULL ? value : "");
    return MHD_YES;
}

void latch_exchange_headers(const latch_exchange *x, void (*each)(void *arg, const char *name, const char *value), void *arg) {
    visit v = {each, arg};
    MHD_get_connection_values(x->connection, MHD_HEADER_KIND, visit_header, &v);
}

size_t latch_exchange_body_bytes(const latch_exchange *x) { return x->body_bytes; }

latch_buffer latch_exchange_take_body(latch_exchange *x) {
    latch_buffer body = x->body;
    x->body = (latch_buffer){0};
    return body;
}

const char *latch_exchange_client(const latch_exchange *x, char *out, size_t cap) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info != NULL ? info->client_addr : NULL;
    const void *bytes = address == NULL                  ? NULL
                        : address->sa_family == AF_INET6 ? (const void *)&((const struct sockaddr_in6 *)info->client_addr)->sin6_addr
                                                         : (const void *)&((const struct sockaddr_in *)info->client_addr)->sin_addr;
    return bytes != NULL && inet_ntop(address->sa_family, bytes, out, (socklen_t)cap) != NULL ? out : "127.0.0.1";
}

bool latch_exchange_is_gone(const latch_exchange *x) {
    char byte;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info == NULL) return true;
    ssize_t got = recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

static void wake(latch_exchange *x) {
    if (!x->held && !x->asleep) return; /* MHD is at it: it looks by itself */
    x->held = x->asleep = false;
    MHD_resume_connection(x->connection);
    latch_loop_post(&x->server->run);
}

void latch_exchange_intake(latch_exchange *x, latch_intake intake) { x->intake = intake; }

void latch_exchange_resume(latch_exchange *x) {
    if (x->asleep) wake(x);
}

bool latch_exchange_is_asleep(const latch_exchange *x) { return x->asleep; }

const char *latch_exchange_trailer(const latch_exchange *x, const char *name) {
    return MHD_lookup_connection_value(x->connection, MHD_FOOTER_KIND, name);
}

int latch_exchange_fd(const latch_exchange *x) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info != NULL ? info->connect_fd : -1;
}

/* Asleep or held, it is asked once more, and refuses; awake, it finds the end of its input. */
void latch_exchange_hang_up(latch_exchange *x) {
    int fd = latch_exchange_fd(x);
    x->hung_up = true;
    if (!x->held && !x->asleep && fd >= 0) shutdown(fd, SHUT_RD);
    wake(x);
}

typedef struct pieces { /* of a chunked body */
    size_t len;
    char bytes[];
} pieces;

static ssize_t next_piece(void *arg, uint64_t at, char *out, size_t room) {
    const pieces *p = arg;
    size_t left = at < p->len ? p->len - (size_t)at : 0, n = left < room ? left : room;
    if (n == 0) return MHD_CONTENT_READER_END_OF_STREAM;
    memcpy(out, p->bytes + at, n);
    return (ssize_t)n;
}

static struct MHD_Response *make_chunked(latch_str body) {
    pieces *p = latch_alloc(sizeof *p + body.len);
    p->len = body.len;
    if (body.len > 0) memcpy(p->bytes, body.ptr, body.len);
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, next_piece, p, free);
}

static struct MHD_Response *make_response(const latch_reply *reply) {
    if (reply->chunked) return make_chunked(reply->body);
    char *bytes = reply->keeping == LATCH_COPIED ? latch_copy(reply->body) : (char *)(uintptr_t)reply->body.ptr;
    enum MHD_ResponseMemoryMode mode = reply->keeping == LATCH_KEPT ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_FREE;
    return MHD_create_response_from_buffer(reply->body.len, bytes, mode);
}

static void set_head(latch_exchange *x, const latch_reply *reply) {
    x->status = reply->status;
    for (size_t i = 0; i < reply->header_count; i++)
        MHD_add_response_header(x->response, reply->headers[i].name, reply->headers[i].value);
    if (reply->close) MHD_add_response_header(x->response, MHD_HTTP_HEADER_CONNECTION, "close");
}

void latch_exchange_reply(latch_exchange *x, const latch_reply *reply) {
    x->response = make_response(reply);
    set_head(x, reply);
    wake(x);
}

/* ── streamed replies ── */

/* MHD asks for what comes next. A connection with nothing to send sleeps: else it would be asked again at once, for ever. */
static ssize_t read_stream(void *arg, uint64_t position, char *to, size_t cap) {
    latch_exchange *x = arg;
    (void)position;
    size_t len = x->out.len < cap ? x->out.len : cap;
    if (len > 0) {
        memcpy(to, x->out.ptr, len);
        memmove(x->out.ptr, x->out.ptr + len, x->out.len - len);
        x->out.len -= len;
        bool is_wanted = x->wants_room && !x->finished;
        x->wants_room = false;
        if (is_wanted) x->writer.on_room(x->writer.arg);
        return (ssize_t)len;
    }
    if (x->finished) return x->whole ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
    x->held = true;
    MHD_suspend_connection(x->connection);
    return 0;
}

void latch_exchange_stream(latch_exchange *x, const latch_reply *head, const latch_writer *writer) {
    x->writer = *writer;
    x->streamed = true;
    x->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, LATCH_WRITER_BYTES, read_stream, x, NULL);
    set_head(x, head);
    wake(x);
}

size_t latch_exchange_write(latch_exchange *x, const char *bytes, size_t len) {
    size_t room = LATCH_WRITER_BYTES - x->out.len, taken = len < room ? len : room;
    if (taken > 0) latch_buffer_add(&x->out, bytes, taken);
    x->wants_room = taken < len;
    wake(x);
    return taken;
}

void latch_exchange_finish(latch_exchange *x, bool whole) {
    x->finished = true;
    x->whole = whole;
    wake(x);
}
