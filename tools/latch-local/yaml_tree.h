/* yaml_tree.h - finding one's way in a parsed YAML document. A node is an index as libyaml has it; 0 is no node. */
#ifndef LATCH_LOCAL_YAML_TREE_H
#define LATCH_LOCAL_YAML_TREE_H

#include <yaml.h>

#include "buffer.h"
#include "core/status.h"

typedef struct latch_yaml {
    yaml_document_t document;
    const char *path; /* begins its messages */
    bool loaded;
} latch_yaml;

/* LATCH_E_INPUT: "template.yaml:3:7: …". Aliases may make a document that contains itself: nothing here follows one to its end. */
latch_status latch_yaml_parse(latch_yaml *y, const char *path, latch_str text, latch_err *err);
void latch_yaml_clean_up(latch_yaml *y);

int latch_yaml_root(latch_yaml *y);
int latch_yaml_get(latch_yaml *y, int mapping, const char *key); /* 0: no mapping, or no such key */
bool latch_yaml_pair(latch_yaml *y, int mapping, size_t i, int *key,
                     int *value);                    /* the i-th; false past the end and for what is no mapping */
latch_str latch_yaml_text(latch_yaml *y, int node);  /* of a scalar; ptr is NULL for anything else */
const char *latch_yaml_tag(latch_yaml *y, int node); /* "!Ref"; "" where there is none of that kind */
bool latch_yaml_is_mapping(latch_yaml *y, int node);
int latch_yaml_item(latch_yaml *y, int sequence, size_t i); /* 0 past the end and for what is no sequence */
size_t latch_yaml_line(latch_yaml *y, int node);            /* from 1 */
size_t latch_yaml_column(latch_yaml *y, int node);          /* from 1 */

#endif
