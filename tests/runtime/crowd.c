#include "tests/runtime/crowd.h"

#include <inttypes.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/runtime/wire.h"

#define CONNECTIONS_MAX 1024
#define HEAD_MAX ((size_t)1 << 15)
#define STACK_BYTES ((size_t)256 << 10)

typedef struct connection {
    crowd *crowd;
    int fd, number;
    char buffer[HEAD_MAX]; /* NUL-terminated: a request, head and body */
    size_t len;
} connection;

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool readable(const crowd *c, int fd) {
    struct pollfd at = {.fd = fd, .events = POLLIN};
    while (!atomic_load(&c->stopping)) {
        if (poll(&at, 1, 20) > 0) return true;
    }
    return false;
}

static bool say_status(connection *k, int status) {
    char text[128];
    int len = snprintf(text, sizeof text, "HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n", status);
    return wire_send(k->fd, text, (size_t)len);
}

/* "" where it isn't there; into `room`. */
static const char *header(const connection *k, const char *name, char *room, size_t size) {
    size_t len = 0;
    const char *value = wire_header(k->buffer, name, &len);
    snprintf(room, size, "%.*s", (int)len, value != NULL ? value : "");
    return room;
}

/* One whole request; its body, NUL-terminated, in the buffer. NULL: the other side has gone. */
static const char *take(connection *k) {
    char length[32];
    k->len = 0;
    for (;;) {
        k->buffer[k->len] = '\0';
        const char *end = strstr(k->buffer, "\r\n\r\n");
        if (end != NULL) {
            size_t head = (size_t)(end - k->buffer) + 4, body = strtoul(header(k, "Content-Length", length, sizeof length), NULL, 10);
            if (head + body >= HEAD_MAX) wire_fail("a request is too long");
            if (k->len >= head + body) return k->buffer + head;
        }
        if (!readable(k->crowd, k->fd)) return NULL;
        ssize_t n = recv(k->fd, k->buffer + k->len, HEAD_MAX - 1 - k->len, 0);
        if (n <= 0) return NULL;
        k->len += (size_t)n;
    }
}

/* ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool is_over(const crowd *c) {
    size_t all = c->count + (c->more != CROWD_NO_MORE);
    return atomic_load(&c->release) || atomic_load(&c->stopping) || atomic_load(&c->answered) >= all;
}

/* The worker has gone meanwhile: nobody is told. */
static bool has_gone(const connection *k) {
    struct pollfd at = {.fd = k->fd, .events = POLLIN};
    return poll(&at, 1, 2) > 0;
}

static bool say_in_halves(connection *k, const char *text, size_t len) {
    static const struct timespec later = {.tv_nsec = 60000000};
    size_t first = k->crowd->more == CROWD_MORE_BEFORE ? len : k->crowd->more == CROWD_MORE_HALF ? len / 2 : 0;
    bool said = wire_send(k->fd, text, first);
    atomic_store(&k->crowd->more_at, 3);
    if (first < len) nanosleep(&later, NULL);
    return said && wire_send(k->fd, text + first, len - first);
}

/* Whether this one, which waits, is to have the event beside the others. */
static bool takes_more(crowd *c) {
    int wanted = 1;
    return atomic_compare_exchange_strong(&c->more_at, &wanted, 2);
}

static bool hand_out(connection *k) {
    crowd *c = k->crowd;
    if (k->number == c->refuses) {
        atomic_fetch_add(&c->refused, 1);
        return say_status(k, 403);
    }
    if (c->cut_every > 0 && (atomic_fetch_add(&c->asked, 1) + 1) % c->cut_every == 0) return false;
    char text[2048], number[32], deadline[80] = "";
    size_t i = atomic_fetch_add(&c->handed, 1);
    if (i >= c->count || atomic_load(&c->release)) {
        bool more = false;
        while (!is_over(c) && !more) {
            if (has_gone(k)) return false;
            more = takes_more(c);
        }
        if (!more) return say_status(k, 200);
        i = c->count;
    }
    snprintf(number, sizeof number, "%zu", i);
    const char *event = c->event != NULL ? c->event(i) : number;
    c->from_ms[i] = now_ms();
    if (c->timeout_ms > 0)
        snprintf(deadline, sizeof deadline, "Lambda-Runtime-Deadline-Ms: %" PRId64 "\r\n", c->from_ms[i] + c->timeout_ms);
    int len = snprintf(text, sizeof text,
                       "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: r-%zu\r\nLambda-Runtime-Invocation-Id: i-%zu\r\n"
                       "Lambda-Runtime-Trace-Id: Root=1-%zu\r\n%sContent-Length: %zu\r\n\r\n%s",
                       i, i, i, deadline, strlen(event), event);
    int running = atomic_fetch_add(&c->running, 1) + 1, most = atomic_load(&c->running_max);
    while (running > most && !atomic_compare_exchange_weak(&c->running_max, &most, running))
        continue;
    return i == c->count ? say_in_halves(k, text, (size_t)len) : wire_send(k->fd, text, (size_t)len);
}

/* The first error's answer waits until the event beside the others is on its way, as far as it is to be. */
static void send_more(crowd *c) {
    int none = 0;
    if (c->more == CROWD_NO_MORE || !atomic_compare_exchange_strong(&c->more_at, &none, 1)) return;
    while (atomic_load(&c->more_at) != 3 && !is_over(c))
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

/* ── outcomes ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void keep(connection *k, crowd_outcome *o, size_t i, const char *body, bool is_error) {
    char text[HEAD_MAX];
    crowd *c = k->crowd;
    o->after_ms = now_ms() - c->from_ms[i];
    snprintf(text, 32, "i-%zu", i);
    char id[64];
    o->mismatched = strcmp(header(k, "Lambda-Runtime-Invocation-Id", id, sizeof id), text) != 0;
    if (is_error) o->type = strdup(header(k, "Lambda-Runtime-Function-Error-Type", text, sizeof text));
    if (is_error) o->cause = strdup(header(k, "Lambda-Runtime-Function-XRay-Error-Cause", text, sizeof text));
    if (!is_error && c->checks != NULL) {
        if (!c->checks(i, body)) atomic_fetch_add(&c->wrong, 1);
    } else {
        o->body = strdup(body);
    }
}

static bool take_outcome(connection *k, const char *body) {
    crowd *c = k->crowd;
    size_t i = strtoul(strstr(k->buffer, "/r-") != NULL ? strstr(k->buffer, "/r-") + 3 : "", NULL, 10);
    bool known = i < c->count ? i < atomic_load(&c->handed) : i == c->count && atomic_load(&c->more_at) > 1;
    if (!known) {
        atomic_fetch_add(&c->wrong, 1);
        return say_status(k, 400);
    }
    crowd_outcome *o = &c->outcomes[i];
    const char *line_end = strstr(k->buffer, "\r\n");
    bool is_error = memmem(k->buffer, (size_t)(line_end - k->buffer), "/error ", 7) != NULL;
    pthread_mutex_lock(&c->lock);
    bool first = atomic_load(&o->responses) + atomic_load(&o->errors) == 0;
    if (first) keep(k, o, i, body, is_error);
    atomic_fetch_add(is_error ? &o->errors : &o->responses, 1);
    pthread_mutex_unlock(&c->lock);
    if (first) atomic_fetch_sub(&c->running, 1);
    if (first) atomic_fetch_add(&c->answered, 1);
    if (is_error) send_more(c);
    return say_status(k, !first && c->only_one_outcome ? 400 : c->status != NULL ? c->status(i) : 202);
}

static bool take_init_error(connection *k, const char *body) {
    crowd *c = k->crowd;
    char type[256];
    if (atomic_fetch_add(&c->init_errors, 1) == 0) {
        c->init_error = strdup(body);
        c->init_type = strdup(header(k, "Lambda-Runtime-Function-Error-Type", type, sizeof type));
    }
    return say_status(k, 202);
}

/* ── connections ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static void *serve(void *arg) {
    connection *k = arg;
    int on = 1;
    setsockopt(k->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (const char *body = take(k); body != NULL; body = take(k)) {
        bool went = false;
        if (strncmp(k->buffer, "GET ", 4) == 0) {
            went = hand_out(k);
        } else if (strstr(k->buffer, "/init/error ") != NULL) {
            went = take_init_error(k, body);
        } else {
            went = take_outcome(k, body);
        }
        if (!went) break;
    }
    close(k->fd);
    free(k);
    return NULL;
}

static void *run(void *arg) {
    crowd *c = arg;
    static pthread_t threads[CONNECTIONS_MAX];
    pthread_attr_t attr;
    size_t count = 0;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    while (readable(c, c->listener)) {
        connection *k = calloc(1, sizeof *k);
        if (k == NULL || count == CONNECTIONS_MAX) wire_fail("too many connections");
        k->crowd = c;
        k->fd = accept(c->listener, NULL, NULL);
        if (k->fd < 0) wire_fail("accept");
        k->number = atomic_fetch_add(&c->connections, 1) + 1;
        if (pthread_create(&threads[count++], &attr, serve, k) != 0) wire_fail("pthread_create");
    }
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    pthread_attr_destroy(&attr);
    return NULL;
}

/* ── for the test ────────────────────────────────────────────────────────────────────────────────────────────────── */

void crowd_start(crowd *c) {
    c->outcomes = calloc(c->count + 1, sizeof *c->outcomes);
    c->from_ms = calloc(c->count + 1, sizeof *c->from_ms);
    if (c->outcomes == NULL || c->from_ms == NULL) wire_fail("calloc");
    pthread_mutex_init(&c->lock, NULL);
    c->listener = wire_listen(256, c->address);
    if (pthread_create(&c->thread, NULL, run, c) != 0) wire_fail("pthread_create");
}

void crowd_stop(crowd *c) {
    atomic_store(&c->stopping, true);
    pthread_join(c->thread, NULL);
    close(c->listener);
    pthread_mutex_destroy(&c->lock);
}

void crowd_forget(crowd *c) {
    for (size_t i = 0; c->outcomes != NULL && i <= c->count; i++) {
        free(c->outcomes[i].body);
        free(c->outcomes[i].type);
        free(c->outcomes[i].cause);
    }
    free(c->outcomes);
    free(c->from_ms);
    free(c->init_error);
    free(c->init_type);
    c->outcomes = NULL;
    c->from_ms = NULL;
    c->init_error = c->init_type = NULL;
}
