#include "core/usage.h"

#include <stddef.h>

void latch_usage_add(latch_usage *into, const latch_usage *from) {
    if (into == NULL || from == NULL) return;
    into->calls += from->calls;
    into->requests += from->requests;
    into->retries += from->retries;
    into->throttled += from->throttled;
    into->read_milli_units += from->read_milli_units;
    into->write_milli_units += from->write_milli_units;
    into->request_us += from->request_us;
    into->waited_us += from->waited_us;
    into->moved_ms += from->moved_ms;
    if (from->failure.status != LATCH_OK) into->failure = from->failure;
}
