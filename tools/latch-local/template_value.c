#include "template_value.h"

#include <string.h>

static const char *pseudo_parameter(latch_str name, const char *region) {
    static const struct {
        const char *name, *value;
    } known[] = {
        {"AWS::AccountId", "123456789012"},
        {"AWS::Partition", "aws"},
        {"AWS::StackName", "local"},
        {"AWS::URLSuffix", "amazonaws.com"},
    };
    if (latch_str_eq(name, LATCH_STR("AWS::Region"))) return region;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (latch_str_eq(name, latch_str_of(known[i].name))) return known[i].value;
    return NULL;
}

static bool add_ref(latch_yaml *y, latch_str name, const char *region, latch_buffer *out) {
    const char *pseudo = pseudo_parameter(name, region);
    if (pseudo != NULL) {
        latch_buffer_text(out, pseudo);
        return true;
    }
    char *key = latch_copy(name);
    int parameter = latch_yaml_get(y, latch_yaml_get(y, latch_yaml_root(y), "Parameters"), key);
    latch_str value = latch_yaml_text(y, latch_yaml_get(y, parameter, "Default"));
    free(key);
    if (value.ptr != NULL) latch_buffer_add(out, value.ptr, value.len);
    return value.ptr != NULL;
}

/* "${Name}" is a reference, "${!Name}" the text "${Name}". */
static bool add_sub(latch_yaml *y, latch_str text, const char *region, latch_buffer *out) {
    size_t at = 0;
    while (at < text.len) {
        const char *open = memmem(text.ptr + at, text.len - at, "${", 2);
        const char *close = open != NULL ? memchr(open, '}', (size_t)(text.ptr + text.len - open)) : NULL;
        size_t plain = close != NULL ? (size_t)(open - text.ptr) - at : text.len - at;
        latch_buffer_add(out, text.ptr + at, plain);
        if (close == NULL) return true;
        latch_str name = {open + 2, (size_t)(close - open) - 2};
        if (name.len > 0 && name.ptr[0] == '!')
            latch_buffer_format(out, "${%.*s}", (int)name.len - 1, name.ptr + 1);
        else if (!add_ref(y, name, region, out))
            return false;
        at = (size_t)(close - text.ptr) + 1;
    }
    return true;
}

static bool add_value(latch_yaml *y, int node, const char *region, latch_buffer *out) {
    const char *tag = latch_yaml_tag(y, node);
    latch_str text = latch_yaml_text(y, node);
    if (text.ptr != NULL && strcmp(tag, "!Ref") == 0) return add_ref(y, text, region, out);
    if (text.ptr != NULL && strcmp(tag, "!Sub") == 0) return add_sub(y, text, region, out);
    if (*tag != '\0') return false;
    if (text.ptr != NULL) {
        latch_buffer_add(out, text.ptr, text.len);
        return true;
    }
    latch_str ref = latch_yaml_text(y, latch_yaml_get(y, node, "Ref"));
    latch_str sub = latch_yaml_text(y, latch_yaml_get(y, node, "Fn::Sub"));
    if (ref.ptr != NULL) return add_ref(y, ref, region, out);
    return sub.ptr != NULL && add_sub(y, sub, region, out);
}

bool latch_template_value(latch_yaml *y, int node, const char *region, latch_buffer *out) {
    size_t before = out->len;
    latch_buffer_reserve(out, 1);
    if (node != 0 && add_value(y, node, region, out)) return true;
    out->len = before;
    return false;
}
