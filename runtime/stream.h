/*
 * runtime/stream.h - an answer that goes out while it is made: up to 200 MB in constant memory, its first bytes before its last are known.
 *
 *     latch_status export_rows(latch_ctx *cx, latch_http *http) {
 *         latch_stream *stream;
 *         LATCH_TRY(latch_http_stream(http, 200, "text/csv", &stream));
 *         for (size_t i = 0; i < ROWS; i++)
 *             LATCH_TRY(latch_stream_write(stream, row_text(cx, i)));
 *         return LATCH_OK;
 *     }
 *
 * What is written gathers in a buffer of 32 KiB. Whoever writes what doesn't fit there any more sends both, the buffer and the new bytes, without a
 * copy, in chunks of at most 64 KiB, a system call each. Sending blocks while the client is slower than the handler, up to latch_left_ms.
 *
 * The handler's return ends the stream, and says how:
 *
 *                              nothing was sent yet               something was
 *   LATCH_OK                   all of it goes out, and its end    the rest, and the end
 *   .skip_if                   {"skipped": why}, as ever          the rest, and the end
 *   a refusal, LATCH_E_INPUT   the reply that it ever is          an error
 *   a failure, a crash         an error, as ever                  an error
 *
 * "an error" of a stream that has begun is the type and the message in its trailers: the client, which has its status and half a body, sees
 * a body that was broken off. One ERROR record is logged. What was in the buffer goes out before it; a crash, a hang or exit() loses it, and what
 * of a write no chunk was begun for. A chunk, of at most 64 KiB, that has begun is sent to its end even then, where the client takes it in time.
 *
 * Where it streams: function URLs whose InvokeMode is RESPONSE_STREAM; REST APIs whose integration streams (responseTransferMode STREAM); the
 * API InvokeWithResponseStream. An event doesn't say whether its answer may stream. LATCH_INVOKE_MODE, in the function's environment, does:
 *
 *                      function URL       REST API           HTTP API, load balancer   an event of no HTTP
 *   not set            streams            collected          collected                 streams
 *   RESPONSE_STREAM    streams            streams            collected                 streams
 *   BUFFERED           collected          collected          collected                 collected
 *
 * "collected": it becomes a reply like any other when the handler returns, of at most 6 MB. With RESPONSE_STREAM a handler's other replies go
 * out in the form that a stream has, too, where they may: such a URL knows no other. Set it where the template says InvokeMode.
 *
 * LATCH_E_NETWORK from a write means that nobody reads any more. The invocation is over for the service, and what it will be told is settled:
 * return. So it is after LATCH_E_TIMEOUT, for which the time is up; the trailers say so to a client that reads on.
 *
 * One stream an invocation, for the thread that has its cx. It ends with the handler: a call after that is LATCH_E_MISUSE.
 * Source: "Lambda runtime API", "Custom runtimes: response streaming"; "Response streaming for Lambda functions": 200 MB a response, which the
 * service itself holds to, the first 6 MB as fast as they come, then 2 MiB/s.
 */
#ifndef LATCH_RUNTIME_STREAM_H
#define LATCH_RUNTIME_STREAM_H

#include "runtime/handler.h"

LATCH_BEGIN_C

#define LATCH_STREAM_BUFFER_BYTES ((size_t)32768)

typedef struct latch_stream latch_stream;

/*
 * Status, headers and cookies that were set before go in front; what is set afterwards is logged and lost. Nothing is sent yet, but where the
 * headers alone don't fit the buffer: then it may fail as a write does, too, and no reply follows. `content_type` may be empty; one that was
 * set as a header counts. A reply before it, or after it, doesn't fit it.
 *
 * LATCH_E_MISUSE  there is a reply, or a stream, already; a status outside 200 to 599; a header or cookie that can't go out; a content type with
 *                 a control byte
 * LATCH_E_NOMEM   the arena is full: it takes LATCH_STREAM_BUFFER_BYTES, 6 MB of address space where it is collected
 * *out is NULL then, and a reply may still follow.
 */
LATCH_NODISCARD latch_status latch_http_stream(latch_http *http, int status, const char *content_type, latch_stream **out) LATCH_NONNULL;

/* The same for any event: the bytes are the answer, there are no headers. Empty: application/octet-stream. */
LATCH_NODISCARD latch_status latch_event_stream(latch_event *event, const char *content_type, latch_stream **out) LATCH_NONNULL;

/*
 * In order, each byte once. No bytes are fine. They may be changed as soon as it returns. To HEAD nothing but the headers is sent, whatever is
 * written.
 *
 * LATCH_E_TIMEOUT  the time is up and not all was taken: make the answer smaller, or give the function a longer Timeout
 * LATCH_E_NETWORK  nobody reads any more: the service ended the invocation, or the connection to it is gone
 * LATCH_E_MISUSE   the stream has ended; the status is 204 or 304, which have no body
 * LATCH_E_HANDLER  collected: over 6 MB, of the type ResponseSizeTooLarge; LATCH_E_NOMEM: or more than half of the arena that was free
 * Repeating a write that failed sends nothing: it fails again.
 */
LATCH_NODISCARD latch_status latch_stream_write(latch_stream *stream, latch_str bytes) LATCH_NONNULL;

/*
 * Sends what is in the buffer: a line of progress, an event of server-sent events. The status and the headers alone, too, where nothing was
 * written. Collected: nothing happens. Statuses as of a write.
 */
LATCH_NODISCARD latch_status latch_stream_flush(latch_stream *stream) LATCH_NONNULL;

LATCH_END_C

#endif
