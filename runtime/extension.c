#include "runtime/extension.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/api_private.h"

#define EXTENSION "/2020-01-01/extension/"
#define IDENTIFIER_MAX_BYTES 256
#define NO_SIGTERM "this process will be killed without a SIGTERM, and its shutdown hooks don't run then"

/* One try. *sent: the service may have read it, whatever became of its answer. */
static latch_status ask(latch_api *api, latch_api_exchange *x, bool *sent) {
    struct iovec parts[2] = {{(char *)(uintptr_t)x->head.ptr, x->head.len}, {(char *)(uintptr_t)x->body.ptr, x->body.len}};
    latch_arena_rewind(x->arena, 0);
    if (latch_api_is_stopping(api)) latch_api_hang_up(api); /* its reading side may be shut down */
    LATCH_TRY(latch_api_dial(api));
    *sent = true;
    latch_status status = latch_api_send(api, parts, 2);
    if (status == LATCH_OK) status = latch_api_receive(api, x);
    if (status != LATCH_OK || !x->wire.keep_alive) latch_api_hang_up(api);
    return status;
}

static latch_status register_it(latch_api *api, latch_api_exchange *x, bool *lost) {
    latch_text_writer t = latch_api_begin_request(api, "POST", LATCH_STR(EXTENSION "register"));
    x->body = LATCH_STR("{\"events\":[]}");
    latch_api_put_header(&t, "Lambda-Extension-Name", LATCH_STR("latch"));
    latch_text_put(&t, LATCH_STR("Content-Type: application/json\r\nContent-Length: 13\r\n"));
    LATCH_TRY(latch_api_end_request(api, &t, &x->head));
    for (unsigned tries = 0;; tries++) {
        bool sent = false;
        latch_status status = ask(api, x, &sent);
        if (status == LATCH_OK || tries + 1 == LATCH_API_TRIES) return status;
        *lost = *lost || sent;
        latch_clock_sleep_ms(&api->cx->clock, latch_api_pause_ms(LATCH_API_FIRST_PAUSE_MS, tries));
    }
}

static latch_api_verdict go_on_without(const latch_api *api) {
    latch_log(api->cx, LATCH_WARN, NO_SIGTERM, "why", latch_api_err(api)->message);
    return LATCH_API_GO_ON;
}

static latch_api_verdict give_up(const latch_api *api, const char *message) {
    latch_log(api->cx, LATCH_FATAL, message, "why", latch_api_err(api)->message);
    return LATCH_API_EXIT;
}

/* Sent, and nothing else: who waits for the answer is the service. The address is the one that the register just went to. */
static latch_status park(latch_api *api, const char *identifier, latch_extension *out) {
    latch_str head;
    latch_text_writer t = latch_api_begin_request(api, "GET", LATCH_STR(EXTENSION "event/next"));
    latch_api_put_header(&t, "Lambda-Extension-Identifier", latch_str_of(identifier));
    LATCH_TRY(latch_api_end_request(api, &t, &head));
    int fd = socket(api->peer.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&api->peer, api->peer_len) == 0 &&
        send(fd, head.ptr, head.len, MSG_NOSIGNAL) == (ssize_t)head.len) {
        *out = (latch_extension){.parked = true, .fd = fd};
        return LATCH_OK;
    }
    (void)latch_err_set(latch_api_err(api), LATCH_E_NETWORK, "extension/event/next: %s", strerror(errno));
    if (fd >= 0) close(fd);
    return LATCH_E_NETWORK;
}

latch_api_verdict latch_extension_register(latch_api *api, latch_extension *out) {
    latch_api_exchange x = {.arena = &api->answers, .limits = {LATCH_API_ANSWER_BYTES / 4, LATCH_API_ANSWER_BYTES / 4}};
    char identifier[IDENTIFIER_MAX_BYTES];
    bool lost = false;
    *out = (latch_extension){0};
    if (register_it(api, &x, &lost) != LATCH_OK) return go_on_without(api);
    latch_str id = latch_wire_header(&x.wire, "Lambda-Extension-Identifier");
    if (x.wire.status != 200 || id.len == 0 || id.len >= sizeof identifier) {
        (void)latch_err_set(latch_api_err(api), LATCH_E_NETWORK, "extension/register answered %d %.*s", x.wire.status,
                            LATCH_ARG(latch_str_cut(latch_wire_body(&x.wire), 150)));
        if (x.wire.status == 500) return give_up(api, "the Extensions API can't go on, this process ends");
        return lost ? give_up(api, "the process is an extension, and doesn't know its identifier: it ends") : go_on_without(api);
    }
    snprintf(identifier, sizeof identifier, "%.*s", LATCH_ARG(id));
    if (park(api, identifier, out) == LATCH_OK) return LATCH_API_GO_ON;
    return give_up(api, "the process is an extension, and can't wait as one: it ends");
}

void latch_extension_clean_up(latch_extension *extension) {
    if (extension->parked) close(extension->fd);
    *extension = (latch_extension){0};
}
