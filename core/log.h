/*
 * core/log.h - where log records go, and how they look. Handlers write them with latch_info and its like (core/ctx.h).
 *
 * TEXT  time<TAB>request id<TAB>LEVEL<TAB>message {"name":value}     a newline inside a record becomes \r
 * JSON  {"timestamp","level","requestId","tenantId","message", then the pairs}  a pair that has a reserved name gets an underscore behind it
 *
 * What JSON can't hold doesn't lose a record: bytes that are no UTF-8 become U+FFFD, NaN and values that could not be built null. Secrets are
 * taken out (core/redact.h says which). One record is one write; a process that logs into a pipe ignores SIGPIPE.
 * Source: contracts of AWS_LAMBDA_LOG_FORMAT, AWS_LAMBDA_LOG_LEVEL; the record formats of AWS's Node.js client (aws-lambda-ric 3.3.0), which
 * leaves requestId out where there is none and tenantId where the invocation has none. Frames: the same, and awslambdaric 4.2.2.
 *
 * Managed instances: _LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET is the path of a unix stream socket. Each worker connects to it by itself and
 * writes its records there as on stdout: a line each, no frame, nothing is read back; always JSON. The process's own records, before the
 * first event, go to stdout. So does awslambdaric 4.2.2, whose workers are processes and make the connection their stdout and stderr.
 */
#ifndef LATCH_CORE_LOG_H
#define LATCH_CORE_LOG_H

#include "core/ctx.h"
#include "core/redact.h"

typedef enum latch_log_format { LATCH_LOG_TEXT, LATCH_LOG_JSON } latch_log_format;

typedef struct latch_log {
    int fd;                  /* default: 1 */
    bool framed;             /* Lambda's telemetry frames in front of each record */
    latch_log_format format; /* default: TEXT */
    latch_level least;       /* what is below isn't written; default: everything is */
    const char *provider;    /* the path of the socket that each worker connects to; borrowed from the environment; NULL: none */
    latch_redact redact;
} latch_log;

/*
 * From AWS_LAMBDA_LOG_FORMAT, AWS_LAMBDA_LOG_LEVEL, _LAMBDA_TELEMETRY_LOG_FD, which it unsets, _LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET, and
 * what core/redact.h reads. A value that is none of the known ones is as if it were unset, and so is a descriptor that can't be written to.
 * Not thread-safe: call it once, at the start.
 */
latch_log latch_log_from_environment(void);

/* What is secret in this context's log, and in what else is made of it; NULL: it has none, and the built-in names hold. */
const latch_redact *latch_log_redact(const latch_ctx *cx) LATCH_NONNULL;

/*
 * A worker's own log, from its context's, which is the process's: over a connection of its own where there is a provider, else the same. It
 * becomes the context's. Where the provider can't be reached, that is one WARN record, and the records go where the process's go.
 * close undoes it; the context has the process's log again.
 */
typedef struct latch_log_line {
    latch_log own;
    const latch_log *process;
} latch_log_line;
void latch_log_open(latch_ctx *cx, latch_log_line *line);
void latch_log_close(latch_ctx *cx, latch_log_line *line);

const char *latch_level_name(latch_level level); /* "INFO" */

/*
 * One record, built in cx's arena (given back); where that is full, its message cut to 512 bytes, with the pairs where they fit too.
 * The error in cx stays as it is. What can't be written is lost: a log has nowhere to complain.
 */
void latch_log_write(latch_ctx *cx, latch_level level, const char *message, const latch_pair *pairs);

/*
 * A line that is no record, of `len` bytes without a newline, and with room for one more byte behind them: what reads stdout for itself
 * (CloudWatch's embedded metrics) finds it there as it is, whatever the format, the level and the frames.
 */
void latch_log_emit_line(const latch_log *log, char *text, size_t len);

#endif
