#include <stddef.h>

#include "tests/drive/drive.h"

static latch_json show(latch_ctx *cx, const latch_job *job) {
    return latch_object(cx, "id", job->id, "deadline_at_ms", job->deadline_at_ms, "result", job->result, "error", job->error);
}

static latch_status enter(drive_call *call, latch_json *out) {
    *out = LATCH_NULL;
    return latch_dedupe_enter(call->cx, call->policy, call->key);
}

static latch_status register_or_join(drive_call *call, latch_json *out) {
    latch_job job;
    latch_status status = latch_dedupe_register_or_join(call->cx, call->policy, call->key, &job);
    *out = show(call->cx, &job);
    return status;
}

static latch_status wait_for(drive_call *call, latch_json *out) {
    latch_job job;
    latch_status status = latch_dedupe_wait_for(call->cx, call->policy, call->key, &job);
    *out = show(call->cx, &job);
    return status;
}

static latch_status complete(drive_call *call, latch_json *out) {
    latch_str job;
    latch_json result;
    *out = LATCH_NULL;
    LATCH_TRY(latch_read(call->line, "job", &job));
    result = drive_json(call, "result");
    return latch_dedupe_complete(call->cx, call->policy, call->key, job, result);
}

static latch_status fail(drive_call *call, latch_json *out) {
    latch_str job, error;
    *out = LATCH_NULL;
    LATCH_TRY(latch_read(call->line, "job", &job, "error", drive_text(&error)));
    return latch_dedupe_fail(call->cx, call->policy, call->key, job, error);
}

static latch_status is_in_progress(drive_call *call, latch_json *out) {
    bool in_progress;
    latch_status status = latch_dedupe_is_in_progress(call->cx, call->policy, call->key, &in_progress);
    *out = latch_object(call->cx, "in_progress", in_progress);
    return status;
}

static const drive_field fields[] = {
    {.name = "name", .kind = DRIVE_TEXT, .offset = offsetof(latch_dedupe, name)},
    {.name = "job_timeout_ms", .kind = DRIVE_INT, .offset = offsetof(latch_dedupe, job_timeout_ms)},
    {.name = "result_ms", .kind = DRIVE_INT, .offset = offsetof(latch_dedupe, result_ms)},
    {.name = "wait_ms", .kind = DRIVE_INT, .offset = offsetof(latch_dedupe, wait_ms)},
    {.name = "timeout_ms", .kind = DRIVE_INT, .offset = offsetof(latch_dedupe, timeout_ms)},
    {.name = "rerun_completed", .kind = DRIVE_TRUTH, .offset = offsetof(latch_dedupe, rerun_completed)},
    {.name = "toolkit_table", .kind = DRIVE_TEXT, .offset = offsetof(latch_dedupe, toolkit_table)},
    DRIVE_END,
};
static const drive_verb verbs[] = {{"enter", enter},
                                   {"register_or_join", register_or_join},
                                   {"wait_for", wait_for},
                                   {"complete", complete},
                                   {"fail", fail},
                                   {"is_in_progress", is_in_progress},
                                   {NULL, NULL}};

const drive_store drive_dedupe = {"dedupe", sizeof(latch_dedupe), fields, verbs};
