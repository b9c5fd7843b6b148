#include <stdlib.h>
#include <string.h>

#include "kit/inside.h"

/* Metrics are lines of CloudWatch's embedded format in the log. Their members' names are the author's, with whatever dots in them: no paths. */

typedef struct line { /* of the log, as far as it is one of metrics */
    latch_json all, directive;
} line;

static latch_json member(latch_json object, const char *name) {
    for (latch_each each = latch_each_in(object); latch_each_next(&each);) {
        if (latch_str_eq(each.name, latch_str_of(name))) return latch_each_value(&each);
    }
    return LATCH_NULL;
}

/* The next line of metrics, from *at on. What is read in it goes with the caller's mark of the arena. */
static bool next_line(kit_outcome *o, const char **at, line *out) {
    while (**at != '\0') {
        size_t len = strcspn(*at, "\n");
        latch_json all, directives;
        latch_status status = latch_parse(&o->cx, "line", (latch_str){*at, len}, &all);
        *at += len + ((*at)[len] == '\n');
        if (status != LATCH_OK || latch_read(all, "_aws.CloudWatchMetrics", &directives) != LATCH_OK) continue;
        *out = (line){all, latch_at(directives, 0)};
        return true;
    }
    return false;
}

/* The metric's entry in the line's list; null: it isn't counted there. */
static latch_json entry_of(const line *in, const char *name) {
    for (latch_each each = latch_each_in(member(in->directive, "Metrics")); latch_each_next(&each);) {
        latch_json entry = latch_each_value(&each);
        latch_str found;
        if (latch_read(entry, "Name", &found) == LATCH_OK && latch_str_eq(found, latch_str_of(name))) return entry;
    }
    return LATCH_NULL;
}

static void add_value(latch_test_metric *m, latch_json number) {
    m->last = strtod(latch_text(number).ptr, NULL);
    m->sum += m->last;
    m->count++;
}

static void add_line(kit_outcome *o, latch_test_metric *m, const line *in, const char *name) {
    latch_json entry = entry_of(in, name);
    latch_str unit;
    int64_t resolution;
    if (latch_read(entry, "Unit", &unit, "StorageResolution", latch_range_or(&resolution, 1, 60, 60)) != LATCH_OK) return;
    if (m->count == 0) m->unit = latch_kit_keep(o, unit);
    m->high = m->high || resolution == 1;
    latch_json values = member(in->all, name);
    if (latch_count(values) == 0) add_value(m, values);
    for (latch_each each = latch_each_in(values); latch_each_next(&each);)
        add_value(m, latch_each_value(&each));
}

latch_test_metric latch_test_counted(const latch_test_outcome *outcome, const char *name) {
    kit_outcome *o = latch_kit_inside(outcome);
    latch_test_metric m = {.unit = ""};
    const char *at = outcome->log;
    size_t mark = latch_arena_mark(&o->arena);
    for (line in; next_line(o, &at, &in); latch_arena_rewind(&o->arena, mark))
        add_line(o, &m, &in, name);
    latch_arena_rewind(&o->arena, mark);
    return m;
}

static bool goes_by(const line *in, const char *dimension) {
    for (latch_each sets = latch_each_in(member(in->directive, "Dimensions")); latch_each_next(&sets);) {
        for (latch_each each = latch_each_in(latch_each_value(&sets)); latch_each_next(&each);) {
            if (latch_str_eq(latch_each_text(&each), latch_str_of(dimension))) return true;
        }
    }
    return false;
}

static const char *text_of(kit_outcome *o, const line *in, const char *name) {
    for (latch_each each = latch_each_in(in->all); latch_each_next(&each);) {
        if (latch_str_eq(each.name, latch_str_of(name))) return latch_kit_keep(o, latch_each_text(&each));
    }
    return "";
}

const char *latch_test_counted_by(const latch_test_outcome *outcome, const char *name, const char *dimension) {
    kit_outcome *o = latch_kit_inside(outcome);
    const char *at = outcome->log, *found = "";
    size_t mark = latch_arena_mark(&o->arena);
    for (line in; *found == '\0' && next_line(o, &at, &in); latch_arena_rewind(&o->arena, mark)) {
        if (entry_of(&in, name).node != NULL && goes_by(&in, dimension)) found = text_of(o, &in, dimension);
    }
    latch_arena_rewind(&o->arena, mark);
    return found;
}
