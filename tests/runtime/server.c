#include "tests/runtime/server.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/runtime/wire.h"

#define HEAD_MAX ((size_t)1 << 17)
#define CONNECTIONS_MAX 512

typedef struct connection {
    server *server;
    int fd, number;
    size_t len; /* bytes of buffer that are in use */
    char *buffer;
    char *body; /* of the request at hand; NULL: none */
    size_t body_len, body_cap;
    char *answer; /* being sent; the buffer stays, so that a long run allocates nothing */
    size_t answer_cap;
} connection;

/* Waits for bytes, or for the end of the test; what has come by then is still read. */
static bool readable(const server *s, int fd) {
    struct pollfd at = {.fd = fd, .events = POLLIN};
    do {
        if (poll(&at, 1, 20) > 0) return true;
    } while (!atomic_load(&s->stopping));
    return false;
}

static bool dribble(int fd, const char *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (!wire_send(fd, bytes + i, 1)) return false;
        if (i % 16 == 0) usleep(1); /* lets the reader see a part */
    }
    return true;
}

/* ── requests ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Reads up to the empty line; what comes behind it stays in the buffer. The head's length, or 0. */
static size_t read_head(connection *c) {
    for (;;) {
        c->buffer[c->len] = '\0';
        char *end = strstr(c->buffer, "\r\n\r\n");
        if (end != NULL) return (size_t)(end - c->buffer) + 4;
        if (c->len + 1 >= HEAD_MAX || !readable(c->server, c->fd)) return 0;
        ssize_t n = recv(c->fd, c->buffer + c->len, HEAD_MAX - 1 - c->len, 0);
        if (n <= 0) return 0;
        c->len += (size_t)n;
    }
}

static void reserve(char **buffer, size_t *cap, size_t len) {
    if (*buffer != NULL && *cap >= len) return;
    free(*buffer);
    *buffer = malloc(len);
    if (*buffer == NULL) wire_fail("malloc");
    *cap = len;
}

static bool read_body(connection *c, size_t head_len, size_t body_len) {
    size_t have = c->len - head_len;
    if (have > body_len) have = body_len;
    reserve(&c->body, &c->body_cap, body_len + 1);
    memcpy(c->body, c->buffer + head_len, have);
    c->body_len = body_len;
    memmove(c->buffer, c->buffer + head_len + have, c->len - head_len - have);
    c->len -= head_len + have;
    while (have < body_len) {
        if (!readable(c->server, c->fd)) return false;
        ssize_t n = recv(c->fd, c->body + have, body_len - have, 0);
        if (n <= 0) return false;
        have += (size_t)n;
    }
    c->body[body_len] = '\0';
    return true;
}

/* ── bodies in chunks, as they come ──────────────────────────────────────────────────────────────────────────────── */

typedef struct dechunker { /* where in the body the next byte is */
    enum { IN_SIZE, IN_DATA, BEHIND_DATA, IN_TRAILER, AT_END } in;
    size_t left, line; /* of the chunk, in bytes; of this line, so far */
    bool last;
} dechunker;

static unsigned digit_of(char c) { return c >= '0' && c <= '9' ? (unsigned)(c - '0') : ((unsigned)c | 32) - 'a' + 10; }

/* How many of the bytes are the body's: all of them, or up to its end. */
static size_t dechunk(dechunker *d, const char *bytes, size_t len) {
    size_t i = 0;
    while (i < len && d->in != AT_END) {
        char c = bytes[i];
        if (d->in == IN_DATA) {
            size_t n = d->left < len - i ? d->left : len - i;
            d->left -= n;
            i += n;
            if (d->left == 0) d->in = BEHIND_DATA;
            continue;
        }
        i++;
        if (c == '\r') continue;
        if (c != '\n') {
            d->line++;
            if (d->in == IN_SIZE) d->left = d->left * 16 + digit_of(c);
        } else if (d->in == IN_TRAILER) {
            d->in = d->line == 0 ? AT_END : IN_TRAILER;
            d->line = 0;
        } else {
            d->in = d->in == BEHIND_DATA ? IN_SIZE : d->left > 0 ? IN_DATA : IN_TRAILER;
            d->line = 0;
        }
    }
    return i;
}

static void append(connection *c, const char *bytes, size_t len) {
    if (c->server->forgets) return;
    if (c->body == NULL || c->body_len + len + 1 > c->body_cap) {
        c->body_cap = 2 * (c->body_len + len) + 1024;
        char *grown = realloc(c->body, c->body_cap);
        if (grown == NULL) wire_fail("realloc");
        c->body = grown;
    }
    memcpy(c->body + c->body_len, bytes, len);
    c->body_len += len;
    c->body[c->body_len] = '\0';
}

static void be_stuck(const server_step *step) {
    const struct timespec until = {.tv_sec = step->stuck_until_ms / 1000, .tv_nsec = (long)(step->stuck_until_ms % 1000) * 1000000};
    if (step->stuck_ms > 0) usleep((unsigned)step->stuck_ms * 1000);
    if (step->stuck_until_ms > 0) clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL);
}

/* Up to its end, or to `most` bytes of the request. What was read is in the buffer's place behind the head, and goes from there. */
static bool read_chunks(connection *c, size_t head_len, const server_step *step, size_t most) {
    dechunker d = {.in = IN_SIZE};
    size_t used = head_len, taken = head_len;
    bool stuck = false;
    c->body_len = 0;
    append(c, "", 0);
    for (;;) {
        size_t here = c->len - used < most - taken ? c->len - used : most - taken, n = dechunk(&d, c->buffer + used, here);
        append(c, c->buffer + used, n);
        atomic_fetch_add(&c->server->received, n);
        used += n;
        taken += n;
        if (d.in == AT_END || taken >= most) break;
        c->len = used = head_len; /* all of it is the body's, and gone */
        if (step->pauses_us > 0) usleep((unsigned)step->pauses_us);
        if (!stuck) be_stuck(step);
        stuck = true;
        if (!readable(c->server, c->fd)) return false;
        size_t room = HEAD_MAX - 1 - head_len, left = most - taken;
        ssize_t got = recv(c->fd, c->buffer + head_len, room < left ? room : left, 0);
        if (got <= 0) return false;
        c->len += (size_t)got;
    }
    memmove(c->buffer, c->buffer + used, c->len - used);
    c->len -= used;
    return d.in == AT_END;
}

/* Keeps head and body for the test. */
static void remember(connection *c, const char *head, bool whole) {
    server *s = c->server;
    pthread_mutex_lock(&s->lock);
    size_t i = atomic_load(&s->count);
    if (!s->forgets && i < SERVER_REQUESTS_MAX) {
        bool kept = whole && c->body != NULL;
        s->requests[i].head = strdup(head);
        s->requests[i].body = kept ? c->body : strdup("");
        s->requests[i].body_len = kept ? c->body_len : 0;
        s->requests[i].connection = c->number;
        if (kept) c->body = NULL;
    }
    atomic_fetch_add(&s->count, 1);
    pthread_mutex_unlock(&s->lock);
}

/* What comes next, before the request is read; NULL: the script is over. */
static const server_step *current_step(server *s) {
    pthread_mutex_lock(&s->lock);
    const server_step *step = s->at < s->step_count ? &s->steps[s->at] : NULL;
    pthread_mutex_unlock(&s->lock);
    return step;
}

static const server_step *next_step(server *s, bool asks_for_event) {
    static const server_step shutdown_step = {.answer = SHUTDOWN}, accepted_step = {.answer = ACCEPTED};
    const server_step *step = asks_for_event ? &shutdown_step : &accepted_step;
    pthread_mutex_lock(&s->lock);
    if (s->at < s->step_count) {
        step = &s->steps[s->at];
        if (++s->done >= step->times) s->at++, s->done = 0;
    }
    pthread_mutex_unlock(&s->lock);
    return step;
}

/* The step's answer, whole, in c->answer; its length. */
static size_t write_answer(connection *c, const server_step *step) {
    const char *headers = step->headers != NULL ? step->headers : REQUEST_1, *event = step->event != NULL ? step->event : "";
    size_t event_len = step->event_len > 0 ? step->event_len : strlen(event), len = step->answer != NULL ? strlen(step->answer) : 0;
    reserve(&c->answer, &c->answer_cap, len + event_len + strlen(headers) + 128);
    if (step->answer != NULL) {
        memcpy(c->answer, step->answer, len);
        return len;
    }
    len = (size_t)snprintf(c->answer, c->answer_cap, "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n", headers, event_len);
    memcpy(c->answer + len, event, event_len);
    return len + event_len;
}

static void hold(const connection *c, int most_ms) {
    struct pollfd at = {.fd = c->fd, .events = POLLIN};
    char byte;
    for (int ms = 0; !atomic_load(&c->server->stopping) && (most_ms == 0 || ms < most_ms); ms += 20) {
        if (poll(&at, 1, 20) > 0 && recv(c->fd, &byte, 1, 0) <= 0) return;
    }
}

static void disturb(const server_step *step) {
    if (step->signal != 0) kill(getpid(), step->signal);
    if (step->pause_ms > 0 && step->stall != HOLDS) usleep((unsigned)step->pause_ms * 1000);
}

/* True: the connection goes on. */
static bool answer(connection *c, const server_step *step) {
    size_t half = step->stall == HALFWAY ? write_answer(c, step) / 2 : 0;
    if (half > 0 && !wire_send(c->fd, c->answer, half)) return false;
    disturb(step);
    if (step->stall == HOLDS) {
        hold(c, step->pause_ms);
        return false;
    }
    if (half > 0) return wire_send(c->fd, c->answer + half, write_answer(c, step) - half);
    size_t len = write_answer(c, step);
    bool sent = false;
    if (step->way == DRIBBLES) sent = dribble(c->fd, c->answer, len);
    if (step->way == CUTS_ANSWER) (void)wire_send(c->fd, c->answer, len - 1);
    if (step->way == ANSWERS || step->way == CUTS_AFTER || step->way == ANSWERS_UNREAD || step->way == ANSWERS_AT)
        sent = wire_send(c->fd, c->answer, len);
    return sent && (step->way == ANSWERS || step->way == DRIBBLES);
}

/* Not a byte more than `most` of the request is taken from the connection. */
static void read_part(connection *c, size_t most) {
    while (c->len < most && most < HEAD_MAX && readable(c->server, c->fd)) {
        ssize_t n = recv(c->fd, c->buffer + c->len, most - c->len, 0);
        if (n <= 0) return;
        c->len += (size_t)n;
    }
}

static bool serve_part(connection *c, const server_step *step) {
    char head[8192];
    read_part(c, step->at);
    if (step->pauses_us > 0) usleep((unsigned)step->pauses_us);
    snprintf(head, sizeof head, "%.*s", (int)c->len, c->buffer);
    remember(c, head, false);
    if (step->way == ANSWERS_AT) (void)answer(c, step);
    return false;
}

static bool serve_one(connection *c) {
    const server_step *now = current_step(c->server);
    bool part = now != NULL && (now->way == CUTS_AT || now->way == ANSWERS_AT);
    if (part) return readable(c->server, c->fd) && serve_part(c, next_step(c->server, false));
    size_t head_len = read_head(c), value_len, body_len = 0;
    char head[32768];
    if (head_len == 0) return false;
    snprintf(head, sizeof head, "%.*s", (int)head_len, c->buffer);
    bool asks = strncmp(head, "GET ", 4) == 0;
    static const server_step parked = {.stall = HOLDS};
    const server_step *step = strstr(head, "/extension/event/next ") != NULL ? &parked : next_step(c->server, asks);
    const char *length = wire_header(head, "Content-Length", &value_len);
    if (length != NULL) body_len = strtoul(length, NULL, 10);
    bool unread = step->way == CUTS_UNREAD || step->way == ANSWERS_UNREAD;
    bool chunked = wire_header(head, "Transfer-Encoding", &value_len) != NULL;
    bool whole = !unread && (chunked ? read_chunks(c, head_len, step, SIZE_MAX) : read_body(c, head_len, body_len));
    remember(c, head, whole || chunked);
    return (whole || unread) && answer(c, step);
}

static void *serve(void *arg) {
    connection *c = arg;
    int on = 1;
    c->buffer = malloc(HEAD_MAX);
    if (c->buffer == NULL) wire_fail("malloc");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    while (serve_one(c))
        continue;
    close(c->fd);
    atomic_fetch_add(&c->server->closed, 1);
    free(c->body);
    free(c->answer);
    free(c->buffer);
    free(c);
    return NULL;
}

/* A thread for each connection: a crash is reported on one of its own, beside the one that waits. */
static void *run(void *arg) {
    server *s = arg;
    pthread_t threads[CONNECTIONS_MAX];
    size_t count = 0;
    while (readable(s, s->listener)) {
        connection *c = calloc(1, sizeof *c);
        if (c == NULL || count == CONNECTIONS_MAX) wire_fail("too many connections");
        *c = (connection){.server = s, .fd = accept(s->listener, NULL, NULL)};
        if (c->fd < 0) wire_fail("accept");
        c->number = atomic_fetch_add(&s->connections, 1) + 1;
        if (pthread_create(&threads[count++], NULL, serve, c) != 0) wire_fail("pthread_create");
    }
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    return NULL;
}

/* ── for the test ────────────────────────────────────────────────────────────────────────────────────────────────── */

/* What is stuck has little room: a client that isn't read from stands within a chunk then, not between two. */
static void give_little_room(int listener, const server_step *steps, size_t count) {
    int bytes = 4096;
    for (size_t i = 0; i < count; i++) {
        if (steps[i].stuck_ms > 0 || steps[i].stuck_until_ms > 0) setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    }
}

void server_start(server *s, const server_step *steps, size_t count) {
    pthread_mutex_init(&s->lock, NULL);
    s->steps = steps;
    s->step_count = count;
    s->listener = wire_listen(16, s->address);
    give_little_room(s->listener, steps, count);
    if (pthread_create(&s->thread, NULL, run, s) != 0) wire_fail("pthread_create");
}

void server_stop(server *s) {
    atomic_store(&s->stopping, true);
    pthread_join(s->thread, NULL);
    close(s->listener);
    pthread_mutex_destroy(&s->lock);
}

void server_forget(server *s) {
    for (size_t i = 0; i < SERVER_REQUESTS_MAX; i++) {
        free(s->requests[i].head);
        free(s->requests[i].body);
        s->requests[i] = (server_request){0};
    }
}

const char *server_header(const server_request *request, const char *name) {
    static char value[8192];
    size_t len = 0;
    const char *at = request->head != NULL ? wire_header(request->head, name, &len) : NULL;
    snprintf(value, sizeof value, "%.*s", (int)len, at != NULL ? at : "");
    return value;
}

const char *server_line(const server_request *request) {
    static char line[4096];
    const char *head = request->head != NULL ? request->head : "", *end = strstr(head, " HTTP/1.1\r\n");
    snprintf(line, sizeof line, "%.*s", end != NULL ? (int)(end - head) : 0, head);
    return line;
}
