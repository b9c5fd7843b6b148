/*
 * core/log.h - where log records go, and how they look. Handlers write them with latch_info and its like (core/ctx.h).
 *
 * TEXT  time<TAB>request id<TAB>LEVEL<TAB>message {"name":value}     a newline inside a record becomes \r
 * JSON  {"timestamp","level","requestId","message", then the pairs}  a pair that has a reserved name gets an underscore behind it
 *
 * What JSON can't hold doesn't lose a record: bytes that are no UTF-8 become U+FFFD, NaN and values that could not be built null.
 * One record is one write; a process that logs into a pipe ignores SIGPIPE. Source: contracts of AWS_LAMBDA_LOG_FORMAT, AWS_LAMBDA_LOG_LEVEL; the record formats of AWS's Node.js client.
 */
#ifndef LATCH_CORE_LOG_H
#define LATCH_CORE_LOG_H

#include "core/ctx.h"

typedef enum latch_log_format { LATCH_LOG_TEXT, LATCH_LOG_JSON } latch_log_format;

typedef struct latch_log {
    int fd;                  /* default: 1 */
    bool framed;             /* Lambda's telemetry frames in front of each record */
    latch_log_format format; /* default: TEXT */
    latch_level least;       /* what is below isn't written; default: everything is */
} latch_log;

/*
 * From AWS_LAMBDA_LOG_FORMAT, AWS_LAMBDA_LOG_LEVEL and _LAMBDA_TELEMETRY_LOG_FD, which it unsets. A value that is none of the known ones
 * is as if it were unset. Not thread-safe: call it once, at the start.
 */
latch_log latch_log_from_environment(void);

const char *latch_level_name(latch_level level); /* "INFO" */

/*
 * One record, built in cx's arena (given back); where that is full, its message cut to 512 bytes, with the pairs where they fit too.
 * The error in cx stays as it is. What can't be written is lost: a log has nowhere to complain.
 */
void latch_log_write(latch_ctx *cx, latch_level level, const char *message, const latch_pair *pairs);

#endif
