#include <string.h>

#include "core/span.h"
#include "kit/inside.h"
#include "runtime/outcome.h"

static bool has_failed(const latch_span_kept *s) { return s->status != LATCH_OK && !latch_is_refusal(s->status); }

latch_test_step latch_test_stepped(const latch_test_outcome *outcome, const char *name) {
    kit_outcome *o = latch_kit_inside(outcome);
    latch_test_step step = {.detail = ""};
    const uint32_t count = o->steps.count, first = count == LATCH_SPANS_MAX ? o->steps.next : 0; /* a full ring begins at the oldest */
    for (uint32_t n = 0; n < count; n++) {
        const latch_span_kept *s = &o->steps.at[(first + n) % LATCH_SPANS_MAX];
        if (strcmp(s->name, name) != 0) continue;
        if (step.count++ == 0) step.detail = s->detail;
        step.failed += !s->open && has_failed(s);
        step.left_open += s->open;
        step.took_ms += ((s->open ? o->steps_end_us : s->to_us) - s->from_us) / 1000;
    }
    return step;
}
