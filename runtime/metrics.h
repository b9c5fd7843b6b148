/*
 * runtime/metrics.h - CloudWatch metrics without a request: a line on stdout in CloudWatch's embedded metric format.
 *
 *     latch_metric(cx, "OrdersPlaced", LATCH_COUNT, 1);
 *     latch_metric(cx, "PriceLookup", LATCH_MILLISECONDS, took_ms);
 *     latch_metric_dimension(cx, "Shop", LATCH_STR("berlin"));
 *
 * Off until there is a namespace: LATCH_METRICS_NAMESPACE, or latch_metrics_use in the handler's init. While off, each call is a compare.
 * What an invocation counted goes out after its answer was posted, and before, as often as 100 metrics, or 100 values of one, are together:
 * one line each, on stdout whatever the log's format and level are, which CloudWatch Logs reads. No call here fails a handler: what
 * CloudWatch would refuse is dropped, with a WARN record that says why (at most 10 of an invocation). Of an invocation that crashes, hangs or calls
 * exit() goes out what it had counted by then, but where another thread of the handler's did so. In a function that latch_parallel_run calls nothing is counted.
 *
 *   metric      a name of 1 to 255 bytes, that isn't "_aws", "requestId", nor a dimension's; at most 100 in a line; one unit each
 *   value       finite, at most 2^360 from 0
 *   dimension   a name of 1 to 250 bytes, not beginning with ':', a value of 1 to 1024; at most 30, in at most 8 sets; no control bytes, and
 *               not only spaces
 *   namespace   1 to 255 letters, digits and . - _ / # : or space; not beginning with ':' or "AWS/"
 *
 * Each line also has the request id, as "requestId", which CloudWatch Logs Insights finds and which isn't a dimension.
 * Source: "Specification: Embedded metric format" of Amazon CloudWatch, whose limits these are, and PutMetricData's where it has none;
 * checked beside Powertools for AWS Lambda (Python) 3.37.0.
 */
#ifndef LATCH_RUNTIME_METRICS_H
#define LATCH_RUNTIME_METRICS_H

#include "core/pairs.h"
#include "core/status.h"

LATCH_BEGIN_C

typedef enum latch_unit { /* CloudWatch's */
                          LATCH_NO_UNIT,
                          LATCH_COUNT,
                          LATCH_PERCENT,
                          LATCH_SECONDS,
                          LATCH_MILLISECONDS,
                          LATCH_MICROSECONDS,
                          LATCH_BYTES,
                          LATCH_KILOBYTES,
                          LATCH_MEGABYTES,
                          LATCH_GIGABYTES,
                          LATCH_TERABYTES,
                          LATCH_BITS,
                          LATCH_KILOBITS,
                          LATCH_MEGABITS,
                          LATCH_GIGABITS,
                          LATCH_TERABITS,
                          LATCH_COUNT_PER_SECOND,
                          LATCH_BYTES_PER_SECOND,
                          LATCH_KILOBYTES_PER_SECOND,
                          LATCH_MEGABYTES_PER_SECOND,
                          LATCH_GIGABYTES_PER_SECOND,
                          LATCH_TERABYTES_PER_SECOND,
                          LATCH_BITS_PER_SECOND,
                          LATCH_KILOBITS_PER_SECOND,
                          LATCH_MEGABITS_PER_SECOND,
                          LATCH_GIGABITS_PER_SECOND,
                          LATCH_TERABITS_PER_SECOND
} latch_unit;

/* One value more of a metric; `name` is a literal. The second is kept by CloudWatch second by second instead of minute by minute. */
#define latch_metric(cx, name, unit, value) latch_metric_((cx), "" name, (unit), (value), 0)
#define latch_metric_high(cx, name, unit, value) latch_metric_((cx), "" name, (unit), (value), 1)
void latch_metric_(latch_ctx *cx, const char *name, latch_unit unit, double value, int high) LATCH_NONNULL;

/*
 * A dimension of all metrics of this invocation that haven't gone out; in init: of each invocation. `name` is a literal, the value is
 * copied. Given again, the last value counts.
 */
#define latch_metric_dimension(cx, name, value) latch_metric_dimension_((cx), "" name, (value))
void latch_metric_dimension_(latch_ctx *cx, const char *name, latch_str value) LATCH_NONNULL;

/*
 * latch_metric_dimensions(cx, "Shop", shop, "Till", till): the same metrics once more, by these beside the dimensions that all have. A first
 * set: the metrics by the common ones alone are still counted. Values are text, numbers or truth.
 */
#define latch_metric_dimensions(cx, ...) latch_metric_dimensions_((cx), LATCH_PAIRS_(0, __VA_ARGS__))
void latch_metric_dimensions_(latch_ctx *cx, const latch_pair *pairs) LATCH_NONNULL;

void latch_metrics_flush(latch_ctx *cx) LATCH_NONNULL; /* what was counted goes out now */

typedef struct latch_metrics_settings {
    const char *name_space; /* borrowed; NULL: LATCH_METRICS_NAMESPACE */
    bool cold_start;        /* counts ColdStart, by FunctionName, once a process; false: LATCH_METRICS_COLD_START=1 does */
} latch_metrics_settings;

/* In a handler's init. LATCH_E_MISUSE: the namespace is none, or it isn't init. LATCH_E_NOMEM. */
LATCH_NODISCARD latch_status latch_metrics_use(latch_ctx *cx, const latch_metrics_settings *settings) LATCH_NONNULL;

/* ── for the runtime ── */

typedef struct latch_metrics latch_metrics;
LATCH_NODISCARD latch_status latch_metrics_open(latch_ctx *cx) LATCH_NONNULL; /* as the environment says; cx->metrics NULL: off */
latch_metrics *latch_metrics_copy(const latch_metrics *from);                 /* another worker's; NULL: off, or no memory */
void latch_metrics_close(latch_metrics *metrics);                             /* NULL: nothing */
void latch_metrics_begin(latch_metrics *metrics);                             /* the dimensions are init's again. NULL: nothing */
void latch_metrics_cold_start(latch_ctx *cx) LATCH_NONNULL;                   /* where it is asked for */
const char *latch_unit_name(latch_unit unit);                                 /* NULL: it is none */

LATCH_END_C

#endif
