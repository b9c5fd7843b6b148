#include "runtime/metrics.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "core/env.h"
#include "core/log.h"
#include "core/text.h"
#include "runtime/context.h"

#define METRICS_MAX 100
#define VALUES_MAX 100
#define DIMENSIONS_MAX 30
#define SETS_MAX 8
#define NAME_MAX_BYTES 255
#define NAMESPACE_MAX_BYTES 255
#define DIMENSION_NAME_MAX_BYTES 250
#define DIMENSION_VALUE_MAX_BYTES 1024
#define VALUE_MAX 0x1p360
#define COMPLAINTS_MAX 10
#define LINE_BYTES ((size_t)1 << 20) /* 100 × 100 numbers of 25 bytes, and the names */

typedef struct metric {
    const char *name;
    latch_unit unit;
    bool high;
    size_t count;
    double values[VALUES_MAX];
} metric;

typedef struct dimension {
    const char *name;
    size_t len;
    char value[DIMENSION_VALUE_MAX_BYTES];
} dimension;

typedef struct by { /* what metrics are counted by */
    dimension all[DIMENSIONS_MAX];
    size_t count;
    uint32_t common; /* of `all`, those that each set has: bit by bit */
    uint32_t sets[SETS_MAX];
    size_t set_count;
} by;

/* Pages that aren't touched cost nothing: it has its bounds' worth of room. */
struct latch_metrics {
    const char *name_space;
    bool cold_start;
    int complaints; /* of this invocation */
    size_t count;
    by by, of_init;
    metric metrics[METRICS_MAX];
    char line[LINE_BYTES];
};

static const char *const unit_names[] = {
    [LATCH_NO_UNIT] = "None",
    [LATCH_COUNT] = "Count",
    [LATCH_PERCENT] = "Percent",
    [LATCH_SECONDS] = "Seconds",
    [LATCH_MILLISECONDS] = "Milliseconds",
    [LATCH_MICROSECONDS] = "Microseconds",
    [LATCH_BYTES] = "Bytes",
    [LATCH_KILOBYTES] = "Kilobytes",
    [LATCH_MEGABYTES] = "Megabytes",
    [LATCH_GIGABYTES] = "Gigabytes",
    [LATCH_TERABYTES] = "Terabytes",
    [LATCH_BITS] = "Bits",
    [LATCH_KILOBITS] = "Kilobits",
    [LATCH_MEGABITS] = "Megabits",
    [LATCH_GIGABITS] = "Gigabits",
    [LATCH_TERABITS] = "Terabits",
    [LATCH_COUNT_PER_SECOND] = "Count/Second",
    [LATCH_BYTES_PER_SECOND] = "Bytes/Second",
    [LATCH_KILOBYTES_PER_SECOND] = "Kilobytes/Second",
    [LATCH_MEGABYTES_PER_SECOND] = "Megabytes/Second",
    [LATCH_GIGABYTES_PER_SECOND] = "Gigabytes/Second",
    [LATCH_TERABYTES_PER_SECOND] = "Terabytes/Second",
    [LATCH_BITS_PER_SECOND] = "Bits/Second",
    [LATCH_KILOBITS_PER_SECOND] = "Kilobits/Second",
    [LATCH_MEGABITS_PER_SECOND] = "Megabits/Second",
    [LATCH_GIGABITS_PER_SECOND] = "Gigabits/Second",
    [LATCH_TERABITS_PER_SECOND] = "Terabits/Second",
};

const char *latch_unit_name(latch_unit unit) { return (size_t)unit < sizeof unit_names / sizeof unit_names[0] ? unit_names[unit] : NULL; }

/* ── on and off ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool is_namespace(const char *s) {
    static const char of_it[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_/#: ";
    size_t len = strspn(s, of_it);
    return len > 0 && len <= NAMESPACE_MAX_BYTES && s[len] == '\0' && strspn(s, " ") < len && *s != ':' && strncmp(s, "AWS/", 4) != 0;
}

static latch_metrics *make(void) {
    void *at = mmap(NULL, sizeof(latch_metrics), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at != MAP_FAILED ? at : NULL;
}

static latch_status set_up(latch_ctx *cx, const char *name_space, bool cold_start) {
    if (!is_namespace(name_space))
        return latch_err_set(
            &cx->err, LATCH_E_MISUSE,
            "metrics: the namespace \"%.60s\" is none: want 1 to %d letters, digits and .-_/#: or space, without ':' or AWS/ "
            "at its beginning",
            name_space, NAMESPACE_MAX_BYTES);
    if (cx->metrics == NULL) cx->metrics = make();
    if (cx->metrics == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "metrics: no memory for them");
    cx->metrics->name_space = name_space;
    cx->metrics->cold_start = cold_start;
    return LATCH_OK;
}

latch_status latch_metrics_open(latch_ctx *cx) {
    const char *name_space = latch_env_get("LATCH_METRICS_NAMESPACE");
    cx->metrics = NULL;
    return name_space != NULL ? set_up(cx, name_space, latch_env_is_on("LATCH_METRICS_COLD_START")) : LATCH_OK;
}

latch_status latch_metrics_use(latch_ctx *cx, const latch_metrics_settings *settings) {
    const char *name_space = settings->name_space != NULL ? settings->name_space : latch_env_get("LATCH_METRICS_NAMESPACE");
    if (cx->invocation != NULL) return latch_err_set(&cx->err, LATCH_E_MISUSE, "metrics: latch_metrics_use is for a handler's init");
    return set_up(cx, name_space != NULL ? name_space : "", settings->cold_start || latch_env_is_on("LATCH_METRICS_COLD_START"));
}

void latch_metrics_close(latch_metrics *metrics) {
    if (metrics != NULL) munmap(metrics, sizeof *metrics);
}

static void take_dimensions(by *to, const by *from) {
    memcpy(to->all, from->all, from->count * sizeof from->all[0]);
    to->count = from->count;
    to->common = from->common;
    memcpy(to->sets, from->sets, sizeof to->sets);
    to->set_count = from->set_count;
}

latch_metrics *latch_metrics_copy(const latch_metrics *from) {
    latch_metrics *m = from != NULL ? make() : NULL;
    if (m == NULL) return NULL;
    m->name_space = from->name_space;
    m->cold_start = from->cold_start;
    take_dimensions(&m->by, &from->by);
    take_dimensions(&m->of_init, &from->of_init);
    return m;
}

void latch_metrics_begin(latch_metrics *m) {
    if (m == NULL) return;
    m->complaints = 0;
    m->count = 0;
    take_dimensions(&m->by, &m->of_init);
}

/* ── what is counted ─────────────────────────────────────────────────────────────────────────────────────────────── */

static void drop(latch_ctx *cx, const char *name, const char *why) {
    if (cx->metrics->complaints++ >= COMPLAINTS_MAX) return;
    latch_warn(cx, "a metric is dropped", "name", latch_str_cut(latch_str_of(name), NAME_MAX_BYTES), "why", why);
}

static bool is_of_line(const char *name) { return strcmp(name, "_aws") == 0 || strcmp(name, "requestId") == 0; }

static bool is_taken(const latch_metrics *m, const char *name) {
    if (is_of_line(name)) return true;
    for (size_t i = 0; i < m->by.count; i++) {
        if (strcmp(m->by.all[i].name, name) == 0) return true;
    }
    return false;
}

/* NULL: the value is fine. */
static const char *wrong_with_value(double value) {
    if (value != value) return "its value is not a number";
    return value > VALUE_MAX || value < -VALUE_MAX ? "its value is too large" : NULL;
}

static const char *wrong_with_name(latch_str name, size_t max_bytes) {
    if (name.len == 0) return "its name is empty";
    if (name.len > max_bytes) return "its name is too long";
    return latch_str_is_utf8(name) && !latch_str_has_control(name) ? NULL : "its name has bytes that no name has";
}

static metric *find(latch_metrics *m, const char *name) {
    for (size_t i = 0; i < m->count; i++) {
        if (strcmp(m->metrics[i].name, name) == 0) return &m->metrics[i];
    }
    return NULL;
}

/* The metric, with room for a value; where there is none, what is counted goes out first. `found`: NULL, it is new. */
static metric *place(latch_ctx *cx, metric *found, const char *name, latch_unit unit) {
    latch_metrics *m = cx->metrics;
    if ((found == NULL && m->count == METRICS_MAX) || (found != NULL && found->count == VALUES_MAX)) {
        latch_metrics_flush(cx);
        found = NULL;
    }
    if (found != NULL) return found;
    found = &m->metrics[m->count];
    found->name = name;
    found->unit = unit;
    found->high = false;
    found->count = 0;
    atomic_signal_fence(memory_order_release); /* whoever ends the process in a signal finds whole ones */
    m->count++;
    return found;
}

void latch_metric_(latch_ctx *cx, const char *name, latch_unit unit, double value, int high) {
    latch_metrics *m = cx->metrics;
    if (m == NULL) return;
    const char *wrong = wrong_with_name(latch_str_of(name), NAME_MAX_BYTES);
    if (wrong == NULL) wrong = wrong_with_value(value);
    if (wrong == NULL && latch_unit_name(unit) == NULL) wrong = "its unit is none of CloudWatch's";
    if (wrong == NULL && is_taken(m, name)) wrong = "its name is that of a dimension, or one of the line's own";
    if (wrong != NULL) {
        drop(cx, name, wrong);
        return;
    }
    metric *known = find(m, name);
    if (known != NULL && known->unit != unit) {
        drop(cx, name, "it has another unit already");
        return;
    }
    metric *at = place(cx, known, name, unit);
    at->high = at->high || high != 0;
    at->values[at->count] = value;
    atomic_signal_fence(memory_order_release);
    at->count++;
}

/* ── by what ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static const char *wrong_with_dimension(latch_metrics *m, const char *name, latch_str value) {
    const char *wrong = wrong_with_name(latch_str_of(name), DIMENSION_NAME_MAX_BYTES);
    if (wrong != NULL) return wrong;
    if (*name == ':') return "its name begins with ':'";
    if (is_of_line(name)) return "its name is one of the line's own";
    if (find(m, name) != NULL) return "a metric has its name";
    size_t spaces = 0;
    while (spaces < value.len && value.ptr[spaces] == ' ')
        spaces++;
    if (spaces == value.len) return "its value is empty";
    if (value.len > DIMENSION_VALUE_MAX_BYTES) return "its value has over 1024 bytes";
    return latch_str_is_utf8(value) && !latch_str_has_control(value) ? NULL : "its value has bytes that none may have";
}

/* Its bit; 0: it was dropped. */
static uint32_t put_dimension(latch_ctx *cx, const char *name, latch_str value) {
    by *b = &cx->metrics->by;
    const char *wrong = wrong_with_dimension(cx->metrics, name, value);
    size_t i = 0;
    while (i < b->count && strcmp(b->all[i].name, name) != 0)
        i++;
    if (wrong == NULL && i == DIMENSIONS_MAX) wrong = "there are 30 dimensions already";
    if (wrong != NULL) {
        drop(cx, name, wrong);
        return 0;
    }
    dimension *d = &b->all[i];
    d->name = name;
    d->len = value.len;
    memcpy(d->value, value.ptr, value.len);
    if (i == b->count) b->count++;
    return UINT32_C(1) << i;
}

static void keep_those_of_init(latch_ctx *cx) {
    if (cx->invocation == NULL) take_dimensions(&cx->metrics->of_init, &cx->metrics->by);
}

void latch_metric_dimension_(latch_ctx *cx, const char *name, latch_str value) {
    if (cx->metrics == NULL) return;
    cx->metrics->by.common |= put_dimension(cx, name, value);
    keep_those_of_init(cx);
}

/* Of a number or a truth value in `room`; empty where it is neither, nor text. */
static latch_str text_of(const latch_value *v, char *room, size_t bytes) {
    latch_text_writer t = {.at = room, .cap = bytes};
    if (v->kind == LATCH_V_STR) return v->as.str;
    if (v->kind == LATCH_V_BOOL) return v->as.b ? LATCH_STR("true") : LATCH_STR("false");
    if (v->kind == LATCH_V_INT) latch_text_int(&t, v->as.i);
    if (v->kind == LATCH_V_UINT) latch_text_uint(&t, v->as.u);
    if (v->kind == LATCH_V_NUM) latch_text_double(&t, v->as.d);
    return (latch_str){room, t.failed == LATCH_OK ? t.len : 0};
}

void latch_metric_dimensions_(latch_ctx *cx, const latch_pair *pairs) {
    latch_metrics *m = cx->metrics;
    uint32_t set = 0;
    if (m == NULL) return;
    if (m->by.set_count == SETS_MAX) {
        drop(cx, pairs->name != NULL ? pairs->name : "", "there are 8 sets of dimensions already");
        return;
    }
    for (; pairs->name != NULL; pairs++) {
        char text[40];
        set |= put_dimension(cx, pairs->name, text_of(&pairs->value, text, sizeof text));
    }
    if (set != 0) m->by.sets[m->by.set_count++] = set;
    keep_those_of_init(cx);
}

/* ── the line ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void put(latch_text_writer *t, const char *text) { latch_text_put(t, latch_str_of(text)); }

static void put_string(latch_text_writer *t, const char *before, const char *text) {
    put(t, before);
    latch_text_json_lossy(t, latch_str_of(text));
}

static void put_set(latch_text_writer *t, const by *b, uint32_t set, const char *before) {
    const char *between = "[";
    put(t, before);
    if (set == 0) put(t, "[");
    for (size_t i = 0; i < b->count; i++) {
        if ((set >> i & 1) == 0) continue;
        put_string(t, between, b->all[i].name);
        between = ",";
    }
    put(t, "]");
}

static void begin_line(latch_text_writer *t, const latch_ctx *cx) {
    put(t, "{\"_aws\":{\"Timestamp\":");
    latch_text_int(t, latch_clock_wall_ms(&cx->clock));
    put_string(t, ",\"CloudWatchMetrics\":[{\"Namespace\":", cx->metrics->name_space);
}

static void put_metric(latch_text_writer *t, const metric *m, const char *before) {
    put(t, before);
    put_string(t, "{\"Name\":", m->name);
    put_string(t, ",\"Unit\":", latch_unit_name(m->unit));
    put(t, m->high ? ",\"StorageResolution\":1}" : "}");
}

static void put_number(latch_text_writer *t, double d) {
    if (d > -1e15 && d < 1e15 && d == (double)(int64_t)d) { /* "3", as a person writes it */
        latch_text_int(t, (int64_t)d);
    } else {
        latch_text_double(t, d);
    }
}

static void put_values(latch_text_writer *t, const metric *m) {
    put_string(t, ",", m->name);
    put(t, m->count > 1 ? ":[" : ":");
    for (size_t i = 0; i < m->count; i++) {
        if (i > 0) put(t, ",");
        put_number(t, m->values[i]);
    }
    if (m->count > 1) put(t, "]");
}

static void put_dimensions(latch_text_writer *t, const by *b) {
    for (size_t i = 0; i < b->count; i++) {
        put_string(t, ",", b->all[i].name);
        put(t, ":");
        latch_text_json_lossy(t, (latch_str){b->all[i].value, b->all[i].len});
    }
}

static void end_line(latch_ctx *cx, latch_text_writer *t) {
    if (cx->request_id.len > 0) {
        put(t, ",\"requestId\":");
        latch_text_json_lossy(t, cx->request_id);
    }
    put(t, "}");
    if (t->failed == LATCH_OK && cx->log != NULL) latch_log_emit_line(cx->log, t->at, t->len);
}

static latch_text_writer writer_of(latch_metrics *m) { return (latch_text_writer){.at = m->line, .cap = sizeof m->line}; }

void latch_metrics_flush(latch_ctx *cx) {
    latch_metrics *m = cx->metrics;
    if (m == NULL || m->count == 0) return;
    latch_text_writer t = writer_of(m);
    const by *b = &m->by;
    begin_line(&t, cx);
    put_set(&t, b, b->common, ",\"Dimensions\":[");
    for (size_t i = 0; i < b->set_count; i++)
        put_set(&t, b, b->common | b->sets[i], ",");
    put(&t, "],\"Metrics\":[");
    for (size_t i = 0; i < m->count; i++)
        put_metric(&t, &m->metrics[i], i > 0 ? "," : "");
    put(&t, "]}]}");
    put_dimensions(&t, b);
    for (size_t i = 0; i < m->count; i++)
        put_values(&t, &m->metrics[i]);
    m->count = 0; /* first: what a signal interrupts here is not to be counted twice */
    end_line(cx, &t);
}

/* A line of its own: it is counted by the function alone. */
void latch_metrics_cold_start(latch_ctx *cx) {
    latch_metrics *m = cx->metrics;
    if (m == NULL || !m->cold_start) return;
    latch_text_writer t = writer_of(m);
    latch_str function = latch_function_name();
    begin_line(&t, cx);
    put(&t, function.len > 0 ? ",\"Dimensions\":[[\"FunctionName\"]]" : ",\"Dimensions\":[[]]");
    put(&t, ",\"Metrics\":[{\"Name\":\"ColdStart\",\"Unit\":\"Count\"}]}]},\"ColdStart\":1");
    if (function.len > 0) {
        put(&t, ",\"FunctionName\":");
        latch_text_json_lossy(&t, function);
    }
    end_line(cx, &t);
}
