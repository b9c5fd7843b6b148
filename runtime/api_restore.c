#include <stdio.h>

#include "runtime/api_private.h"

static latch_status ask(latch_api *api) {
    latch_api_exchange x = {.waits = true, .arena = &api->answers, .limits = {LATCH_API_ANSWER_BYTES / 4, LATCH_API_ANSWER_BYTES / 4}};
    latch_arena_rewind(&api->answers, 0);
    latch_text_writer t = latch_api_begin_request(api, "GET", LATCH_STR(LATCH_API_RUNTIME "restore/next"));
    LATCH_TRY(latch_api_end_request(api, &t, &x.head));
    LATCH_TRY(latch_api_perform(api, &x));
    if (x.wire.status == 200) return LATCH_OK;
    return latch_err_set(latch_api_err(api), x.wire.status == 500 ? LATCH_E_DENIED : LATCH_E_NETWORK, "answered %d %.*s", x.wire.status,
                         LATCH_ARG(latch_str_cut(latch_wire_body(&x.wire), 150)));
}

static latch_api_verdict give_up(latch_api *api) {
    char where[sizeof api->address + 64];
    snprintf(where, sizeof where, "http://%s" LATCH_API_RUNTIME "restore/next", api->address);
    latch_log(api->cx, LATCH_FATAL, "the process can't be restored, it ends", "url", where, "why", latch_api_err(api)->message);
    return LATCH_API_EXIT;
}

latch_api_verdict latch_api_restore_next(latch_api *api) {
    for (unsigned tries = 0;; tries++) {
        latch_status status = ask(api);
        if (status == LATCH_OK) break;
        if (latch_api_is_stopping(api)) return LATCH_API_END;
        if (status == LATCH_E_DENIED || tries + 1 == LATCH_API_TRIES) return give_up(api);
        latch_api_pause(api, latch_api_pause_ms(LATCH_API_FIRST_PAUSE_MS, tries));
    }
    latch_api_hang_up(api); /* it is the snapshot's, and others have it too */
    return LATCH_API_GO_ON;
}

void latch_api_restore_error(latch_api *api, const latch_failure *failure) {
    latch_text_writer t = latch_api_begin_request(api, "POST", LATCH_STR(LATCH_API_RUNTIME "restore/error"));
    latch_api_put_failure(&t, failure);
    (void)latch_api_post(api, &t, latch_str_of(failure->body), latch_now_ms(api->cx) + LATCH_SECOND_MS, "restore error");
}
