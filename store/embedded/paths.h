/*
 * store/embedded/paths.h - the paths of a projection or an update as a tree: no two overlap, none takes a map for a list.
 *
 * DynamoDB goes through a list of paths from its end, and so do its errors: the last path is added first. Elements are sorted by index.
 */
#ifndef LATCH_STORE_EMBEDDED_PATHS_H
#define LATCH_STORE_EMBEDDED_PATHS_H

#include "store/embedded/parser.h"

typedef struct latch_path_node latch_path_node;
struct latch_path_node {
    const latch_path_part *part;
    const latch_path *path; /* that ends here; NULL: it goes on below */
    size_t place;           /* of that path among all */
    latch_path_node *first; /* below: all names or all elements */
    latch_path_node *next;  /* beside */
};

/*
 * Adds a path below `root`. False: *fault, where one added before is part of it or it of that one, or the arena is full. The text names
 * the two that meet; Local's second one is often another of its hash map.
 */
bool latch_paths_add(latch_parser *p, latch_path_node *root, const latch_path *path, size_t place, latch_fault *fault);

size_t latch_paths_below(const latch_path_node *node); /* how many nodes, one level down */

#endif
