#include "runtime/xray.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/ctx.h"
#include "core/env.h"
#include "core/log.h"
#include "runtime/outcome.h"

#define SPAN_BYTES 2900 /* the most that one may need: its texts escaped, six bytes each */
#define TAIL_BYTES 200  /* what follows the last one */
#define NAME_MAX_BYTES 200

/* ── the daemon's address ────────────────────────────────────────────────────────────────────────────────────────── */

/* Behind "udp:" where the text has it; "tcp:" alone is none. */
static const char *udp_part(const char *text) {
    const char *udp = strstr(text, "udp:");
    if (udp != NULL) return udp + 4;
    return strncmp(text, "tcp:", 4) == 0 ? "" : text;
}

static bool read_port(const char *text, in_port_t *out) {
    char *end;
    if (*text < '1' || *text > '9') return false;
    unsigned long port = strtoul(text, &end, 10);
    if ((*end != '\0' && *end != ' ') || port > 65535) return false;
    *out = htons((uint16_t)port);
    return true;
}

void latch_xray_read_address(const char *text, struct sockaddr_storage *to, socklen_t *len) {
    char host[64];
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    *len = 0;
    text = udp_part(text);
    size_t in_brackets = *text == '[' ? strcspn(text, "]") : 0;
    if (in_brackets > 0 && text[in_brackets] == '\0') return;
    size_t host_len = in_brackets > 0 ? in_brackets + 1 : strcspn(text, ":");
    if (host_len >= sizeof host || text[host_len] != ':') return;
    memcpy(host, text, host_len);
    host[host_len] = '\0';
    if (strcmp(host, "localhost") == 0) memcpy(host, "127.0.0.1", 10);
    if (in_brackets > 0) {
        host[in_brackets] = '\0';
        if (inet_pton(AF_INET6, host + 1, &v6.sin6_addr) != 1 || !read_port(text + host_len + 1, &v6.sin6_port)) return;
        memcpy(to, &v6, *len = sizeof v6);
    } else {
        if (inet_pton(AF_INET, host, &v4.sin_addr) != 1 || !read_port(text + host_len + 1, &v4.sin_port)) return;
        memcpy(to, &v4, *len = sizeof v4);
    }
}

/* ── on and off ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/* NULL, or why it can't be. */
static const char *dial(latch_xray *trace) {
    const char *address = latch_env_get("AWS_XRAY_DAEMON_ADDRESS");
    struct sockaddr_storage to;
    socklen_t len;
    latch_xray_read_address(address != NULL ? address : "127.0.0.1:2000", &to, &len);
    if (len == 0) return "AWS_XRAY_DAEMON_ADDRESS is no IP:PORT, as 127.0.0.1:2000";
    trace->fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (trace->fd < 0) return strerror(errno);
    if (connect(trace->fd, (const struct sockaddr *)&to, len) == 0) return NULL;
    const char *why = strerror(errno);
    close(trace->fd);
    trace->fd = -1;
    return why;
}

void latch_xray_open(latch_xray *trace, latch_ctx *cx) {
    const char *kind = latch_env_get("LATCH_TRACE"), *why = NULL;
    *trace = (latch_xray){.fd = -1};
    if (kind == NULL) return;
    if (strcmp(kind, "xray") != 0) why = "LATCH_TRACE is not \"xray\"";
    if (why == NULL) why = dial(trace);
    if (why == NULL && (trace->datagram = malloc(LATCH_TRACE_DATAGRAM_BYTES)) == NULL) why = "no memory";
    if (why != NULL) {
        latch_xray_close(trace);
        latch_warn(cx, "traces stay off", "why", why);
        return;
    }
    latch_trace_random_seed(&trace->random);
    trace->on = true;
}

void latch_xray_close(latch_xray *trace) {
    if (trace->fd >= 0) close(trace->fd);
    free(trace->datagram);
    *trace = (latch_xray){.fd = -1};
}

void latch_xray_begin(latch_xray *trace, latch_ctx *cx) {
    cx->trace_seed = 0;
    if (!trace->on) return;
    trace->sampled = latch_trace_context_read(cx->trace_id, &trace->context) && trace->context.parent != 0 && trace->context.sampled;
    if (trace->sampled) cx->trace_seed = latch_trace_random_next(&trace->random);
}

/* ── the document ────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct document {
    latch_text_writer *t;
    const latch_xray *trace;
    const latch_ctx *cx;
    int64_t wall_minus_boot_us;
    int64_t end_us; /* of the handler: what is still open ends there */
    uint64_t left_out;
} document;

static void put(document *d, const char *text) { latch_text_put(d->t, latch_str_of(text)); }

static void put_text(document *d, const char *before, const char *text) {
    put(d, before);
    latch_text_json_lossy(d->t, latch_str_of(text));
}

static void put_id(document *d, const char *before, uint64_t id) {
    char hex[17];
    latch_trace_hex(id, hex);
    put_text(d, before, hex);
}

/* Seconds since the epoch, to the microsecond. */
static void put_time(document *d, const char *before, int64_t boot_us) {
    int64_t us = boot_us + d->wall_minus_boot_us, fraction_us = us >= 0 ? us % 1000000 : 0;
    put(d, before);
    latch_text_int(d->t, us / 1000000);
    latch_text_char(d->t, '.');
    for (int64_t digit_us = 100000; digit_us > 0; digit_us /= 10)
        latch_text_char(d->t, (char)('0' + fraction_us / digit_us % 10));
}

static uint64_t id_of(const document *d, uint64_t span) { return latch_trace_span_id(d->cx->trace_seed, span); }

static void put_status(document *d, int http_status) {
    if (http_status == 0) return;
    put(d, "\"response\":{\"status\":");
    latch_text_int(d->t, http_status);
    put(d, "}");
}

static void put_dynamodb(document *d, const latch_span_kept *s) {
    const char *region = latch_env_get("AWS_REGION");
    put(d, ",\"namespace\":\"aws\",\"aws\":{");
    put_text(d, "\"operation\":", s->name);
    if (s->detail[0] != '\0') put_text(d, ",\"table_name\":", s->detail);
    if (region != NULL && strlen(region) < 64) put_text(d, ",\"region\":", region);
    if (s->request_id[0] != '\0') put_text(d, ",\"request_id\":", s->request_id);
    if (s->requests > 1) {
        put(d, ",\"retries\":");
        latch_text_uint(d->t, s->requests - 1);
    }
    put(d, "}");
    if (s->http_status == 0) return;
    put(d, ",\"http\":{");
    put_status(d, s->http_status);
    put(d, "}");
}

static void put_fetch(document *d, const latch_span_kept *s) {
    put(d, ",\"namespace\":\"remote\",\"http\":{\"request\":{");
    put_text(d, "\"method\":", s->name);
    put_text(d, ",\"url\":", s->detail);
    put(d, s->http_status != 0 ? "}," : "}");
    put_status(d, s->http_status);
    put(d, "}");
}

static void put_cause(document *d, uint64_t id, const char *type, const char *message) {
    put_id(d, ",\"cause\":{\"working_directory\":\"\",\"exceptions\":[{\"id\":", id);
    put_text(d, ",\"type\":", type);
    put_text(d, ",\"message\":", message);
    put(d, "}]}");
}

/* A refusal is an answer; what the other side calls the caller's is an error, all else a fault. */
static void put_outcome(document *d, const latch_span_kept *s) {
    bool failed = s->status != LATCH_OK && !latch_is_refusal(s->status), is_callers = s->http_status >= 400 && s->http_status < 500;
    if (s->throttled > 0) put(d, ",\"throttle\":true");
    if (!failed && (s->kind != LATCH_SPAN_FETCH || s->http_status < 400)) return;
    put(d, is_callers ? ",\"error\":true" : ",\"fault\":true");
    if (s->error[0] != '\0') put_cause(d, latch_trace_span_id(id_of(d, s->id), 1), s->error, "");
}

/* Of a URL, as a service map has one circle for each name. "://" is a scheme's end before the first slash alone: a path may have it too. */
static latch_str host_of(const char *url) {
    size_t slash = strcspn(url, "/");
    bool has_scheme = slash > 0 && url[slash - 1] == ':' && strncmp(url + slash, "//", 2) == 0;
    const char *host = has_scheme ? url + slash + 2 : url;
    if (*host == '[') return (latch_str){host + 1, strcspn(host + 1, "]")};
    return (latch_str){host, strcspn(host, ":/?#")};
}

static latch_str name_of(const latch_span_kept *s) {
    if (s->kind == LATCH_SPAN_DYNAMODB) return LATCH_STR("DynamoDB");
    return s->kind == LATCH_SPAN_FETCH ? host_of(s->detail) : latch_str_of(s->name);
}

/* X-Ray takes letters, digits, spaces and _ . : / % & # = + \ - @ in a name, 200 of them. */
static void put_name(document *d, const char *before, latch_str name) {
    put(d, before);
    put(d, "\"");
    for (size_t i = 0; i < name.len && i < NAME_MAX_BYTES; i++) {
        char c = name.ptr[i];
        bool is_fine = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || strchr(" _.:/%&#=+-@", c) != NULL ||
                       (unsigned char)c >= 0x80;
        latch_text_char(d->t, is_fine ? c : '_');
    }
    put(d, "\"");
}

static bool lies_in(const latch_spans *spans, const latch_span_kept *s, uint64_t outer) {
    if (s->outer_id == outer) return true;
    if (outer != 0) return false;
    for (uint32_t i = 0; i < spans->count; i++) {
        if (spans->at[i].id == s->outer_id) return false;
    }
    return true; /* what it lay in isn't kept any more */
}

static void put_spans(document *d, uint64_t outer);

static void put_span(document *d, const latch_span_kept *s) {
    put_id(d, "{\"id\":", id_of(d, s->id));
    put_name(d, ",\"name\":", name_of(s));
    put_time(d, ",\"start_time\":", s->from_us);
    put_time(d, ",\"end_time\":", s->open ? d->end_us : s->to_us);
    if (s->kind == LATCH_SPAN_DYNAMODB) put_dynamodb(d, s);
    if (s->kind == LATCH_SPAN_FETCH) put_fetch(d, s);
    if (s->kind == LATCH_SPAN_OWN && s->detail[0] != '\0') {
        put_text(d, ",\"metadata\":{\"latch\":{\"detail\":", s->detail);
        put(d, "}}");
    }
    put_outcome(d, s);
    put_spans(d, s->id);
    put(d, "}");
}

/* Those that lie in `outer`, oldest first; what has no room is counted. As deep as the ring is long, at most. */
static void put_spans(document *d, uint64_t outer) {
    const latch_spans *spans = d->cx->spans;
    const char *before = ",\"subsegments\":[";
    uint32_t first = spans->count == LATCH_SPANS_MAX ? spans->next : 0;
    for (uint32_t n = 0; n < spans->count; n++) {
        const latch_span_kept *s = &spans->at[(first + n) % LATCH_SPANS_MAX];
        if (!lies_in(spans, s, outer)) continue;
        if (d->t->cap - d->t->len < SPAN_BYTES + TAIL_BYTES) {
            d->left_out++;
            continue;
        }
        put(d, before);
        put_span(d, s);
        before = ",";
    }
    if (*before == ',' && before[1] == '\0') put(d, "]");
}

static void put_handler(document *d, const latch_xray_invocation *invocation) {
    char name[NAME_MAX_BYTES + 1];
    latch_text_writer t = {.at = name, .cap = sizeof name};
    latch_text_put(&t, LATCH_STR("## "));
    latch_text_put(&t, latch_str_cut(latch_str_of(invocation->handler), NAME_MAX_BYTES - 3));
    put_id(d, "{\"id\":", id_of(d, 0));
    put_name(d, ",\"name\":", latch_text_end(&t));
    put_time(d, ",\"start_time\":", invocation->from_us);
    put_time(d, ",\"end_time\":", invocation->to_us);
    put(d, ",\"trace_id\":\"1-");
    latch_text_put(d->t, (latch_str){d->trace->context.root, 8});
    put(d, "-");
    put(d, d->trace->context.root + 8);
    put_id(d, "\",\"parent_id\":", d->trace->context.parent);
    put(d, ",\"type\":\"subsegment\",\"annotations\":{\"ColdStart\":");
    put(d, invocation->cold ? "true}" : "false}");
    if (invocation->status == LATCH_OK) return;
    put(d, ",\"fault\":true");
    put_cause(d, latch_trace_span_id(id_of(d, 0), 1), d->cx->err.type, d->cx->err.message);
}

/* Behind the daemon's header line. */
static void put_document(latch_text_writer *t, const latch_xray *trace, const latch_ctx *cx, const latch_xray_invocation *invocation) {
    const latch_instant now = latch_clock_instant(&cx->clock);
    document d = {.t = t, .trace = trace, .cx = cx, .wall_minus_boot_us = now.wall_us - now.boot_us, .end_us = invocation->to_us};
    latch_text_put(t, LATCH_STR("{\"format\": \"json\", \"version\": 1}\n"));
    put_handler(&d, invocation);
    if (cx->spans != NULL) put_spans(&d, 0);
    uint64_t lost = d.left_out + (cx->spans != NULL ? cx->spans->lost : 0);
    if (lost > 0) {
        put(&d, ",\"metadata\":{\"latch\":{\"spans_left_out\":");
        latch_text_uint(t, lost);
        put(&d, "}}");
    }
    put(&d, "}");
}

void latch_xray_end(latch_xray *trace, const latch_ctx *cx, const latch_xray_invocation *invocation) {
    if (!trace->on || !trace->sampled) return;
    latch_text_writer t = {.at = trace->datagram, .cap = LATCH_TRACE_DATAGRAM_BYTES};
    trace->sampled = false;
    put_document(&t, trace, cx, invocation);
    if (t.failed != LATCH_OK) return;
    size_t len = latch_redact_text(latch_log_redact(cx), t.at, t.len);
    (void)(send(trace->fd, t.at, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0); /* a trace has nowhere to complain */
}
