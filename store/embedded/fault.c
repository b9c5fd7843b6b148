#include "store/embedded/fault.h"

#include <stdarg.h>
#include <stdio.h>

bool latch_fault_full(latch_fault *fault) {
    if (fault->name == NULL) *fault = (latch_fault){"Arena", {"the arena is full", 17}};
    return false;
}

__attribute__((format(printf, 4, 0))) static bool set(latch_fault *fault, latch_arena *arena, const char *name, const char *fmt,
                                                      va_list ap) {
    va_list again;
    if (fault->name != NULL) return false;
    va_copy(again, ap);
    int len = vsnprintf(NULL, 0, fmt, ap);
    char *text = len < 0 ? NULL : latch_arena_alloc(arena, (size_t)len + 1);
    if (text != NULL) {
        vsnprintf(text, (size_t)len + 1, fmt, again);
        *fault = (latch_fault){name, {text, (size_t)len}};
    }
    va_end(again);
    return text != NULL ? false : latch_fault_full(fault);
}

bool latch_fault_set(latch_fault *fault, latch_arena *arena, const char *name, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    bool ok = set(fault, arena, name, fmt, ap);
    va_end(ap);
    return ok;
}

bool latch_invalid(latch_fault *fault, latch_arena *arena, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    bool ok = set(fault, arena, "ValidationException", fmt, ap);
    va_end(ap);
    return ok;
}
