#include "runtime/observe.h"

#include "core/ctx.h"
#include "core/env.h"
#include "core/usage.h"
#include "runtime/invocation.h"
#include "runtime/metrics.h"

void latch_observer_open(latch_observer *o, latch_ctx *cx, const char *handler, atomic_bool *warm, bool several) {
    latch_log_open(cx, &o->line);
    latch_xray_open(&o->xray, cx);
    if (several && cx->metrics != NULL) {
        o->metrics = latch_metrics_copy(cx->metrics);
        if (o->metrics == NULL) latch_warn(cx, "this worker counts no metrics: there is no memory for them");
        cx->metrics = o->metrics;
    }
    o->handler = handler;
    o->warm = warm;
    o->reports = latch_env_is_on("LATCH_LOG_REPORT");
    o->on = o->reports || o->xray.on || cx->metrics != NULL;
    o->open = true;
}

void latch_observer_close(latch_observer *o, latch_ctx *cx) {
    if (!o->open) return;
    o->open = false;
    if (o->metrics != NULL) cx->metrics = NULL;
    latch_metrics_close(o->metrics);
    o->metrics = NULL;
    latch_xray_close(&o->xray);
    latch_log_close(cx, &o->line);
}

void latch_observer_begin(latch_observer *o, latch_ctx *cx) {
    cx->tenant_id = cx->invocation->tenant_id;
    cx->trace_id = cx->invocation->trace_id;
    o->cold = !atomic_load_explicit(o->warm, memory_order_relaxed) && !atomic_exchange(o->warm, true);
    if (!o->on) return;
    latch_metrics_begin(cx->metrics);
    latch_xray_begin(&o->xray, cx);
    o->from_us = o->to_us = cx->clock.boot_us(cx->clock.self);
}

void latch_observer_handled(latch_observer *o, const latch_ctx *cx) {
    if (o->on) o->to_us = cx->clock.boot_us(cx->clock.self);
}

static double units(uint64_t milli) { return (double)milli / 1000; }
static double ms(int64_t us) { return (double)us / 1000; }

static void report(const latch_observer *o, latch_ctx *cx, latch_status status) {
    const latch_usage none = {0}, *u = cx->usage != NULL ? cx->usage : &none;
    latch_info(cx, "invocation", "handler_ms", ms(o->to_us - o->from_us), "status", latch_status_name(status), "cold_start",
               latch_bool(o->cold), "requests", u->requests, "retries", u->retries, "throttled", u->throttled, "read_units",
               units(u->read_milli_units), "write_units", units(u->write_milli_units), "dynamodb_ms", ms(u->request_us), "waited_ms",
               ms(u->waited_us), "arena_peak_bytes", (uint64_t)cx->arena->peak);
}

static void count(const latch_observer *o, latch_ctx *cx) {
    if (o->cold) latch_metrics_cold_start(cx);
    latch_metrics_flush(cx);
}

static void trace(latch_observer *o, const latch_ctx *cx, latch_status status) {
    const latch_xray_invocation of = {.handler = o->handler, .from_us = o->from_us, .to_us = o->to_us, .status = status, .cold = o->cold};
    latch_xray_end(&o->xray, cx, &of);
}

void latch_observer_end(latch_observer *o, latch_ctx *cx, latch_status status) {
    if (!o->on) return;
    count(o, cx);
    if (o->reports) report(o, cx, status);
    trace(o, cx, status);
}

void latch_observer_cut_off(latch_observer *o, latch_ctx *cx) {
    if (!o->on) return;
    latch_observer_handled(o, cx);
    count(o, cx);
    trace(o, cx, LATCH_E_HANDLER);
}
