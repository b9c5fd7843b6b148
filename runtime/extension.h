/*
 * runtime/extension.h - the process as an internal extension of Lambda's: registered for no event, it is sent SIGTERM before it is killed.
 *
 *   POST /2020-01-01/extension/register   Lambda-Extension-Name: latch, {"events":[]}; over the Runtime API's connection
 *   GET  /2020-01-01/extension/event/next Lambda-Extension-Identifier: what that answered; over a connection of its own, which is left alone:
 *                                         no event was asked for, so no answer comes, and without this request initialisation isn't over
 *
 * Source: AWS's document "Extensions API"; its emulator (registered, TERM comes, and KILL 600 ms later; not registered, KILL at once).
 */
#ifndef LATCH_RUNTIME_EXTENSION_H
#define LATCH_RUNTIME_EXTENSION_H

#include "runtime/api.h"

typedef struct latch_extension {
    bool parked;
    int fd; /* of event/next, where it is parked */
} latch_extension;

/*
 * Before the first /next.
 *
 * GO_ON  registered and parked; or the service would not have it (any answer but 200 and 500), or gave no answer in 5 tries within 2 s: that is
 *        logged, nothing is parked, and the process works without: it is killed without a SIGTERM
 * EXIT   a 500, after which nothing is worth trying; or it is registered and can't go on as such (the answer with its identifier was lost, or
 *        event/next could not be sent): initialisation would never be over. A line was logged
 */
LATCH_NODISCARD latch_api_verdict latch_extension_register(latch_api *api, latch_extension *out);
void latch_extension_clean_up(latch_extension *extension); /* zero: nothing */

#endif
