#include "yaml_tree.h"

#include <string.h>

#include "core/err.h"

static latch_status refuse(const yaml_parser_t *parser, const char *path, latch_err *err) {
    const char *problem = parser->problem != NULL ? parser->problem : "it is no YAML";
    const char *context = parser->context != NULL ? parser->context : "";
    bool is_reader = parser->error == YAML_READER_ERROR; /* which knows an offset, not a line */
    if (is_reader) return latch_err_set(err, LATCH_E_INPUT, "%s: byte %zu: %s", path, parser->problem_offset, problem);
    return latch_err_set(err, LATCH_E_INPUT, "%s:%zu:%zu: %s%s%s", path, parser->problem_mark.line + 1, parser->problem_mark.column + 1,
                         problem, *context != '\0' ? ", " : "", context);
}

latch_status latch_yaml_parse(latch_yaml *y, const char *path, latch_str text, latch_err *err) {
    yaml_parser_t parser;
    latch_status status = LATCH_OK;
    *y = (latch_yaml){.path = path};
    if (yaml_parser_initialize(&parser) == 0) return latch_err_set(err, LATCH_E_NOMEM, "%s: no memory to read it", path);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.ptr, text.len);
    if (yaml_parser_load(&parser, &y->document) != 0)
        y->loaded = true;
    else
        status = refuse(&parser, path, err);
    yaml_parser_delete(&parser);
    return status;
}

void latch_yaml_clean_up(latch_yaml *y) {
    if (y->loaded) yaml_document_delete(&y->document);
    y->loaded = false;
}

static yaml_node_t *node_at(latch_yaml *y, int node) { return y->loaded && node > 0 ? yaml_document_get_node(&y->document, node) : NULL; }

int latch_yaml_root(latch_yaml *y) { return node_at(y, 1) != NULL ? 1 : 0; }

bool latch_yaml_is_mapping(latch_yaml *y, int node) {
    const yaml_node_t *n = node_at(y, node);
    return n != NULL && n->type == YAML_MAPPING_NODE;
}

bool latch_yaml_pair(latch_yaml *y, int mapping, size_t i, int *key, int *value) {
    if (!latch_yaml_is_mapping(y, mapping)) return false;
    const yaml_node_t *n = node_at(y, mapping);
    const yaml_node_pair_t *pair = n->data.mapping.pairs.start + i;
    if (i >= (size_t)(n->data.mapping.pairs.top - n->data.mapping.pairs.start)) return false;
    *key = pair->key;
    *value = pair->value;
    return true;
}

int latch_yaml_get(latch_yaml *y, int mapping, const char *key) {
    int k, v;
    for (size_t i = 0; latch_yaml_pair(y, mapping, i, &k, &v); i++)
        if (latch_str_eq(latch_yaml_text(y, k), latch_str_of(key))) return v;
    return 0;
}

latch_str latch_yaml_text(latch_yaml *y, int node) {
    const yaml_node_t *n = node_at(y, node);
    if (n == NULL || n->type != YAML_SCALAR_NODE) return (latch_str){0};
    return (latch_str){(const char *)n->data.scalar.value, n->data.scalar.length};
}

const char *latch_yaml_tag(latch_yaml *y, int node) {
    const yaml_node_t *n = node_at(y, node);
    const char *tag = n != NULL ? (const char *)n->tag : NULL;
    return tag != NULL && tag[0] == '!' ? tag : "";
}

int latch_yaml_item(latch_yaml *y, int sequence, size_t i) {
    const yaml_node_t *n = node_at(y, sequence);
    if (n == NULL || n->type != YAML_SEQUENCE_NODE) return 0;
    return i < (size_t)(n->data.sequence.items.top - n->data.sequence.items.start) ? n->data.sequence.items.start[i] : 0;
}

size_t latch_yaml_line(latch_yaml *y, int node) {
    const yaml_node_t *n = node_at(y, node);
    return n != NULL ? n->start_mark.line + 1 : 1;
}

size_t latch_yaml_column(latch_yaml *y, int node) {
    const yaml_node_t *n = node_at(y, node);
    return n != NULL ? n->start_mark.column + 1 : 1;
}
