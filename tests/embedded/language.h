/* language.h - what the tests of values and expressions share: an arena, JSON, text that ends at a guard page. */
#ifndef TESTS_EMBEDDED_LANGUAGE_H
#define TESTS_EMBEDDED_LANGUAGE_H

#include "store/embedded/expression.h"

extern latch_arena language_arena;
extern latch_fault language_fault;

/* For cmocka's set-up and tear-down. */
int language_set_up(void **state);
int language_tear_down(void **state);

/* Everything given out so far is gone, and no fault is set. `arena_bytes` 0: all there are. */
void language_again(size_t arena_bytes);

yyjson_val *language_json(const char *text);  /* in memory of its own, not the arena's: until the next language_again */
latch_str language_guarded(const char *text); /* a byte beyond it is a fault; until the next call */
latch_item language_item(const char *json);   /* in the arena */
latch_av language_value(const char *json);    /* in the arena */
const char *language_text(const latch_av *v); /* as JSON */
const char *language_item_text(const latch_item *item);

/* "ValidationException" is left off, as most faults are: "the text", "SerializationException: the text". */
const char *language_fault_text(void);

#endif
