/* store/values.h - lists of pairs for a request's .values and .names; they live to the end of the block they are written in. */
#ifndef LATCH_STORE_VALUES_H
#define LATCH_STORE_VALUES_H

#include "core/pairs.h"

#define LATCH_VALUES(...) LATCH_PAIRS_(NULL, __VA_ARGS__)
#define LATCH_NAMES(...) LATCH_PAIRS_(NULL, __VA_ARGS__)

#endif
