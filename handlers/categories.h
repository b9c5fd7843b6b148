/* handlers/categories.h - the shop's categories: a tree of items, planted when they are first asked for. */
#ifndef HANDLERS_CATEGORIES_H
#define HANDLERS_CATEGORIES_H

#include "latch.h"

/* `node` gets the category and all below it, level by level; never anything where there is none of that id: LATCH_MISSING. */
LATCH_NODISCARD latch_status categories_read(latch_ctx *cx, latch_str id, latch_dynamodb_node_fn *node, void *arg);

#endif
