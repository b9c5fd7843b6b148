/*
 * metrics_writer.c - what metrics.py has counted: one command a line, its words separated by tabs.
 *   dimension NAME VALUE · set NAME VALUE [NAME VALUE] · metric NAME UNIT VALUE standard|high · end: flush, and begin again
 */
#include <stdio.h>

#include "core/log.h"
#include "runtime/invocation.h"
#include "runtime/metrics.h"
#include "tests/core/room.h"

#define WORDS_MAX 6

static room r;
static char kept[4000][64]; /* names are literals to the metrics: these live as long */
static size_t kept_count;

static const char *keep(const char *text) {
    for (size_t i = 0; i < kept_count; i++) {
        if (strcmp(kept[i], text) == 0) return kept[i];
    }
    if (kept_count == sizeof kept / sizeof kept[0] || strlen(text) >= sizeof kept[0]) exit(2);
    memcpy(kept[kept_count], text, strlen(text) + 1);
    return kept[kept_count++];
}

static latch_unit unit_of(const char *name) {
    for (int i = 0; latch_unit_name((latch_unit)i) != NULL; i++) {
        if (strcmp(latch_unit_name((latch_unit)i), name) == 0) return (latch_unit)i;
    }
    exit(2);
}

static void put_set(char **words) {
    latch_pair pairs[3] = {{keep(words[1]), latch_v_cstr_(words[2])}};
    if (words[3] != NULL) pairs[1] = (latch_pair){keep(words[3]), latch_v_cstr_(words[4])};
    latch_metric_dimensions_(&r.cx, pairs);
}

static void obey(char **words) {
    if (strcmp(words[0], "dimension") == 0) latch_metric_dimension_(&r.cx, keep(words[1]), latch_str_of(words[2]));
    if (strcmp(words[0], "set") == 0) put_set(words);
    if (strcmp(words[0], "metric") == 0)
        latch_metric_(&r.cx, keep(words[1]), unit_of(words[2]), strtod(words[3], NULL), strcmp(words[4], "high") == 0);
    if (strcmp(words[0], "end") != 0) return;
    latch_metrics_flush(&r.cx);
    latch_metrics_begin(r.cx.metrics);
}

int main(void) {
    static const latch_log log = {.fd = STDOUT_FILENO, .format = LATCH_LOG_JSON};
    static const latch_invocation invocation;
    char line[4096];
    room_open(&r, (size_t)1 << 20);
    r.cx.log = &log;
    r.cx.invocation = &invocation;
    if (latch_metrics_open(&r.cx) != LATCH_OK || r.cx.metrics == NULL) return 2;
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *words[WORDS_MAX + 1] = {NULL}, *rest = line;
        line[strcspn(line, "\n")] = '\0';
        for (size_t i = 0; i < WORDS_MAX && rest != NULL; i++)
            words[i] = strsep(&rest, "\t");
        obey(words);
    }
    latch_metrics_close(r.cx.metrics);
    room_close(&r);
    return 0;
}
