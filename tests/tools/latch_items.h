/* latch_items.h - latch on a table of the stores, which this process has open as a function has it: what is shown, it did. */
#ifndef TESTS_LATCH_ITEMS_H
#define TESTS_LATCH_ITEMS_H

#include "core/json.h"
#include "latch_run.h"

#define LATCH_TWIN LATCH_BUILD_DIR "/tests/tools/latch_without_condition" /* changes things whatever they are by now: latch_twin.c */

/* As latch_run's, and the table is there; LATCH_TABLE and its like name it. */
int latch_items_set_up(void **state);
int latch_items_tear_down(void **state);
latch_ctx *latch_items_cx(void); /* the stores are open in it; as long as the test */

/* An item as plain JSON is put into the table; the item of a key as such text, "" where there is none. */
void latch_items_put(const char *item);
const char *latch_items_get(const char *pk, const char *sk);

#endif
