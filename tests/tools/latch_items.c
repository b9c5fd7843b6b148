#include "latch_items.h"

#include <stdlib.h>

#include "core/ctx.h"
#include "session.h"
#include "store/items.h"
#include "tests/check.h"

static latch_session session;

int latch_items_set_up(void **state) {
    latch_run_set_up(state);
    setenv("AWS_ENDPOINT_URL_DYNAMODB", latch_run_url, 1);
    setenv("AWS_REGION", LATCH_REGION, 1);
    setenv("LATCH_TABLE", latch_run_table, 1);
    latch_run_expect(latch_run(LATCH_RUN_WORDS("table", "create")), 0, "created", NULL);
    latch_session_begin(&session);
    if (latch_session_connect(&session, &(latch_connection){0}, NULL) != LATCH_OK) fail_msg("%s", session.cx.err.message);
    return 0;
}

int latch_items_tear_down(void **state) {
    latch_session_end(&session);
    return latch_run_tear_down(state);
}

latch_ctx *latch_items_cx(void) { return &session.cx; }

void latch_items_put(const char *item) {
    latch_json plain;
    latch_ctx *cx = &session.cx;
    bool ok = latch_parse(cx, "item", latch_str_of(item), &plain) == LATCH_OK &&
              latch_dynamodb_put(cx, &(latch_dynamodb_put_request){.item = plain}, NULL) == LATCH_OK;
    if (!ok) fail_msg("%s: %s", item, cx->err.message);
}

const char *latch_items_get(const char *pk, const char *sk) {
    latch_json item;
    latch_ctx *cx = &session.cx;
    latch_status status = latch_dynamodb_get(cx, &(latch_dynamodb_get_request){.key = latch_object(cx, "pk", pk, "sk", sk)}, &item);
    if (status != LATCH_OK && status != LATCH_MISSING) fail_msg("%s", cx->err.message);
    return status == LATCH_OK ? latch_copy(cx, latch_text(item)).ptr : "";
}
