#include "fault.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *text;
    unsigned status;
} kinds[LATCH_FAULTS] = {
    [LATCH_FAULT_NONE] = {"", "", 0},
    [LATCH_NEXT_500] = {"next-500", "/next answers 500: the process must end within a second; another one gets the event", 500},
    [LATCH_NEXT_403] = {"next-403", "/next answers 403 once", 403},
    [LATCH_NEXT_EMPTY] = {"next-empty", "the event has no bytes", 0},
    [LATCH_NEXT_CUT] = {"next-cut", "the connection is cut instead of an answer", 0},
    [LATCH_NEXT_CUT_HEAD] = {"next-cut-head", "it is cut within the answer's head", 0},
    [LATCH_NEXT_CUT_BODY] = {"next-cut-body", "it is cut within the event", 0},
    [LATCH_NEXT_SLOW] = {"next-slow", "the answer comes in pieces, over 0.2 s", 0},
    [LATCH_NEXT_GARBAGE] = {"next-garbage", "the answer is no HTTP", 0},
    [LATCH_NEXT_SHUTDOWN] = {"next-shutdown", "200 without a request id: the process must end with status 0; another one gets the event",
                             0},
    [LATCH_NEXT_CHUNKED] = {"next-chunked", "the event comes in a chunked body", 0},
    [LATCH_NEXT_CLOSE] = {"next-close", "Connection: close, and it is", 0},
    [LATCH_NEXT_NO_DEADLINE] = {"next-no-deadline", "no Lambda-Runtime-Deadline-Ms", 0},
    [LATCH_NEXT_PAST_DEADLINE] = {"next-past-deadline", "a deadline of a second ago", 0},
    [LATCH_POST_400] = {"post-400", "the outcome is refused with 400", 400},
    [LATCH_POST_403] = {"post-403", "the outcome is refused with 403", 403},
    [LATCH_POST_410] = {"post-410", "the outcome is refused with 410", 410},
    [LATCH_POST_413] = {"post-413", "the outcome is refused with 413", 413},
    [LATCH_POST_500] = {"post-500", "the outcome is refused with 500: the process must end within a second", 500},
    [LATCH_POST_CUT_BEFORE] = {"post-cut-before", "the connection is cut before the outcome was read", 0},
    [LATCH_POST_CUT_AFTER] = {"post-cut-after", "the outcome is accepted, and the connection cut instead of an answer", 0},
    [LATCH_POST_CUT_ANSWER] = {"post-cut-answer", "it is accepted, and the answer cut", 0},
    [LATCH_POST_SLOW] = {"post-slow", "it is accepted, and the answer comes in pieces, over 0.2 s", 0},
    [LATCH_POST_EARLY] = {"post-early", "it is refused with 413 before it was read, and the connection closed", 413},
    [LATCH_POST_CLOSE] = {"post-close", "it is accepted with Connection: close", 0},
    [LATCH_POST_CHUNKED] = {"post-chunked", "it is accepted, in a chunked body", 0},
    [LATCH_POST_GARBAGE] = {"post-garbage", "it is accepted, and the answer is no HTTP", 0},
};

const char *latch_fault_name(latch_fault fault) { return kinds[fault].name; }

const char *latch_fault_text(latch_fault fault) { return kinds[fault].text; }

unsigned latch_fault_status(latch_fault fault) { return kinds[fault].status; }

bool latch_fault_is_of_next(latch_fault fault) { return fault > LATCH_FAULT_NONE && fault < LATCH_POST_400; }

bool latch_fault_ends_process(latch_fault fault) {
    return fault == LATCH_NEXT_500 || fault == LATCH_POST_500 || fault == LATCH_NEXT_SHUTDOWN;
}

static bool find(latch_str name, latch_fault *out) {
    *out = LATCH_FAULT_NONE;
    if (latch_str_eq(name, LATCH_STR("any"))) return true;
    for (latch_fault i = LATCH_FAULT_NONE + 1; i < LATCH_FAULTS; i++) {
        if (!latch_str_eq(name, latch_str_of(kinds[i].name))) continue;
        *out = i;
        return true;
    }
    return false;
}

/* What stands behind @ or %. */
static bool read_number(latch_fault_rule *rule, char mark, latch_str text) {
    char digits[24], *end;
    if (text.len == 0 || text.len >= sizeof digits || text.ptr[0] < '0' || text.ptr[0] > '9') return false;
    memcpy(digits, text.ptr, text.len);
    digits[text.len] = '\0';
    rule->at = 0;
    if (mark == '@')
        rule->at = strtoull(digits, &end, 10);
    else
        rule->percent = strtod(digits, &end);
    if (*end != '\0') return false;
    return mark == '@' ? rule->at > 0 : rule->percent > 0 && rule->percent <= 100;
}

bool latch_fault_add(void *plan, latch_str text) {
    latch_fault_plan *p = plan;
    latch_fault_rule rule = {.percent = 100};
    size_t name = 0;
    while (name < text.len && text.ptr[name] != '@' && text.ptr[name] != '%')
        name++;
    if (p->count == LATCH_FAULT_RULES || !find((latch_str){text.ptr, name}, &rule.fault)) return false;
    if (name < text.len && !read_number(&rule, text.ptr[name], (latch_str){text.ptr + name + 1, text.len - name - 1})) return false;
    p->rules[p->count++] = rule;
    return true;
}

/* splitmix64: each (seed, nth, draw) has its own number, whatever was drawn before. */
static uint64_t mix(uint64_t z) {
    z += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static latch_fault any(uint64_t number) {
    latch_fault fault = (latch_fault)(1 + number % (LATCH_FAULTS - 2)); /* all but one */
    return fault < LATCH_NEXT_SHUTDOWN ? fault : fault + 1;
}

latch_fault latch_fault_choose(const latch_fault_plan *plan, uint64_t nth) {
    for (size_t i = 0; i < plan->count; i++) {
        const latch_fault_rule *rule = &plan->rules[i];
        uint64_t draw = mix(mix(mix(plan->seed) + nth) + i), kind = mix(draw);
        bool applies = rule->at > 0 ? rule->at == nth : (double)(draw >> 11) / 9007199254740992.0 * 100 < rule->percent; /* 2^53 */
        if (applies) return rule->fault != LATCH_FAULT_NONE ? rule->fault : any(kind);
    }
    return LATCH_FAULT_NONE;
}
