#include "latch.h"

/* POST /hello {"name": "Ada"}: greets each name twice a minute, and answers 429 with Retry-After after that. */

static const latch_attempts greetings = {.name = "greeting", .max = 2, .window_ms = LATCH_MINUTE_MS};

static latch_status hello(latch_ctx *cx, latch_http *http) {
    latch_json body;
    latch_str name;
    latch_attempt attempt;
    LATCH_TRY(latch_http_json(http, &body));                                    /* no JSON: 400 */
    LATCH_TRY(latch_read(body, "name", latch_bytes(&name, 1, 80)));             /* "body.name: is missing, …": 400 */
    LATCH_TRY(latch_attempts_take(cx, &greetings, name, LATCH_NULL, &attempt)); /* used up: 429 */
    latch_info(cx, "greeted", "name", name, "used", attempt.used);
    return latch_http_reply(http, 200, latch_object(cx, "hello", name, "used", attempt.used));
}

static const latch_route routes[] = {{"POST", "/hello", hello}};

/* One bootstrap serves every function of template.yaml: its Handler picks a row. */
static const latch_handler handlers[] = {{.name = "hello", LATCH_ROUTES(routes), .stores = true}};

int main(void) { return LATCH_RUN(handlers); }
