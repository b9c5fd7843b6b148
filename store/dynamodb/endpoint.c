#include "store/dynamodb/endpoint.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "core/err.h"
#include "core/text.h"

#define SHOWN_BYTES 80
#define LABEL_MAX 63

/* ── AWS's partitions ────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct partition {
    const char *prefixes[2]; /* of its regions */
    const char *suffix, *dualstack;
    bool amazon_roots;
    bool plain_fips;   /* its usual endpoints are FIPS's */
    bool has_accounts; /* each account has an endpoint of its own */
} partition;

/* botocore's partitions.json; the last is of all other regions. */
static const partition partitions[] = {
    {{"cn-", "aws-cn-"}, "amazonaws.com.cn", "api.amazonwebservices.com.cn", false, false, false},
    {{"us-gov-", "aws-us-gov-"}, "amazonaws.com", "api.aws", true, true, false},
    {{"us-iso-", "aws-iso-global"}, "c2s.ic.gov", "api.aws.ic.gov", false, false, false},
    {{"us-isob-", "aws-iso-b-"}, "sc2s.sgov.gov", "api.aws.scloud", false, false, false},
    {{"eu-isoe-", "aws-iso-e-"}, "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", false, false, false},
    {{"us-isof-", "aws-iso-f-"}, "csp.hci.ic.gov", "api.aws.hci.ic.gov", false, false, false},
    {{"eusc-", "aws-eusc-"}, "amazonaws.eu", "api.amazonwebservices.eu", false, false, false},
    {{"", ""}, "amazonaws.com", "api.aws", true, false, true},
};
#define PARTITIONS (sizeof partitions / sizeof partitions[0])

static bool begins(latch_str s, const char *with) { return s.len >= strlen(with) && strncmp(s.ptr, with, strlen(with)) == 0; }

static bool ends(latch_str s, const char *with) {
    size_t len = strlen(with);
    return s.len > len && s.ptr[s.len - len - 1] == '.' && memcmp(s.ptr + s.len - len, with, len) == 0;
}

static const partition *partition_of(latch_str region) {
    const partition *p = partitions;
    while (!begins(region, p->prefixes[0]) && !begins(region, p->prefixes[1]))
        p++;
    return p;
}

static bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool latch_endpoint_is_region(latch_str s) {
    if (s.len == 0 || s.len > LABEL_MAX || s.ptr[0] == '-' || s.ptr[s.len - 1] == '-') return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!is_letter_or_digit(s.ptr[i]) && s.ptr[i] != '-') return false;
    }
    return true;
}

bool latch_endpoint_has_accounts(latch_str region) { return partition_of(region)->has_accounts; }

static bool is_account_id(latch_str s) {
    bool digits = s.len == 12;
    for (size_t i = 0; i < s.len && digits; i++)
        digits = s.ptr[i] >= '0' && s.ptr[i] <= '9';
    return digits;
}

static latch_status check_account(latch_str region, const latch_endpoint_kind *kind, latch_err *err) {
    if (kind->account_id.len == 0) return LATCH_OK;
    if (kind->fips || !latch_endpoint_has_accounts(region))
        return latch_err_set(err, LATCH_E_MISUSE, "DynamoDB: %s has no endpoints of accounts",
                             kind->fips ? "FIPS" : "the region's partition");
    if (is_account_id(kind->account_id)) return LATCH_OK;
    return latch_err_set(err, LATCH_E_MISUSE, "DynamoDB: the credentials' account id has %zu bytes, want 12 digits", kind->account_id.len);
}

latch_status latch_endpoint_of_region(latch_arena *arena, latch_str region, const latch_endpoint_kind *kind, latch_endpoint *out,
                                      latch_err *err) {
    static const char scheme[] = "https://";
    const partition *p = partition_of(region);
    *out = (latch_endpoint){0};
    LATCH_TRY(check_account(region, kind, err));
    latch_text_writer t = latch_text_begin(arena);
    latch_text_put(&t, latch_str_of(scheme));
    latch_text_put(&t, kind->account_id);
    latch_text_put(&t, latch_str_of(kind->account_id.len > 0                            ? ".ddb."
                                    : kind->fips && (kind->dualstack || !p->plain_fips) ? "dynamodb-fips."
                                                                                        : "dynamodb."));
    latch_text_put(&t, region);
    latch_text_char(&t, '.');
    latch_text_put(&t, latch_str_of(kind->dualstack ? p->dualstack : p->suffix));
    latch_str url = latch_text_end(&t);
    if (url.ptr == NULL) return latch_err_set(err, LATCH_E_NOMEM, "DynamoDB: the arena is full");
    *out = (latch_endpoint){url.ptr, url.ptr + sizeof scheme - 1, .tls = true, .aws = true, .amazon_roots = p->amazon_roots};
    return LATCH_OK;
}

/* ── a given one ─────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct parts {
    bool tls;
    latch_str host; /* an address of IPv6 without its brackets */
    bool six;
    unsigned int port; /* 0: the scheme's */
} parts;

/* What follows the scheme, which is one of two; false: another, or none. */
static bool take_scheme(latch_str *rest, bool *tls) {
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(schemes[i]);
        if (rest->len < len || strncasecmp(rest->ptr, schemes[i], len) != 0) continue;
        *rest = (latch_str){rest->ptr + len, rest->len - len};
        *tls = i == 1;
        return true;
    }
    return false;
}

/* Labels of letters, digits, '-' and '_' (Docker's names have it), with a '.' between two. */
static bool is_name(latch_str host) {
    size_t label = 0;
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        bool dot = c == '.', good = is_letter_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
        if (dot ? label == 0 : !good) return false;
        label = dot ? 0 : label + 1;
        if (label > LABEL_MAX) return false;
    }
    return label > 0 && host.len <= LATCH_ENDPOINT_HOST_MAX;
}

static bool is_six(latch_str host, unsigned char bytes[16]) {
    char text[INET6_ADDRSTRLEN] = "";
    if (host.len >= sizeof text) return false;
    memcpy(text, host.ptr, host.len);
    return inet_pton(AF_INET6, text, bytes) == 1;
}

/* Up to the port. */
static bool take_host(latch_str *rest, parts *out) {
    unsigned char bytes[16];
    out->six = rest->len > 0 && rest->ptr[0] == '[';
    const char *from = rest->ptr + out->six, *end = rest->ptr + rest->len;
    const char *to = end > from ? memchr(from, out->six ? ']' : ':', (size_t)(end - from)) : NULL;
    if (to == NULL && out->six) return false;
    if (to == NULL) to = end;
    out->host = (latch_str){from, (size_t)(to - from)};
    to += out->six;
    *rest = (latch_str){to, (size_t)(end - to)};
    return out->six ? is_six(out->host, bytes) : is_name(out->host);
}

static bool take_port(latch_str rest, unsigned int *port) {
    *port = 0;
    if (rest.len == 0) return true;
    if (rest.ptr[0] != ':' || rest.len < 2 || rest.len > 6) return false;
    for (size_t i = 1; i < rest.len; i++) {
        if (rest.ptr[i] < '0' || rest.ptr[i] > '9') return false;
        *port = *port * 10 + (unsigned int)(rest.ptr[i] - '0');
    }
    return *port >= 1 && *port <= 65535;
}

static bool has(latch_str s, char c) { return s.len > 0 && memchr(s.ptr, c, s.len) != NULL; }

/* The first thing that is wrong with it. */
static latch_status take_apart(const char *what, latch_str url, parts *out, latch_err *err) {
    latch_str rest = url, shown = latch_str_cut(url, SHOWN_BYTES);
    if (latch_str_has_control(url) || has(url, ' ') || has(url, '\t'))
        return latch_err_set(err, LATCH_E_MISUSE, "%s has a space or a control byte in it", what);
    if (has(url, '@')) return latch_err_set(err, LATCH_E_MISUSE, "%s has a user or a password in it: requests are signed instead", what);
    if (has(url, '?') || has(url, '#')) return latch_err_set(err, LATCH_E_MISUSE, "%s has a query in it, want http(s)://host:port", what);
    if (!take_scheme(&rest, &out->tls))
        return latch_err_set(err, LATCH_E_MISUSE, "%s is \"%.*s\", want http:// or https:// in front", what, LATCH_ARG(shown));
    if (rest.len > 0 && rest.ptr[rest.len - 1] == '/') rest.len--;
    if (has(rest, '/')) return latch_err_set(err, LATCH_E_MISUSE, "%s is \"%.*s\": DynamoDB has no path but /", what, LATCH_ARG(shown));
    if (!take_host(&rest, out))
        return latch_err_set(err, LATCH_E_MISUSE, "%s is \"%.*s\": that host is no name and no address", what, LATCH_ARG(shown));
    if (!take_port(rest, &out->port))
        return latch_err_set(err, LATCH_E_MISUSE, "%s is \"%.*s\": a port is 1 to 65535", what, LATCH_ARG(shown));
    return LATCH_OK;
}

static bool is_loopback(latch_str host, bool six) {
    unsigned char v4[4], v6[16], one[16] = {[15] = 1};
    char text[16] = "";
    if (six) return is_six(host, v6) && memcmp(v6, one, sizeof one) == 0;
    if (latch_str_eq(host, LATCH_STR("localhost")) || ends(host, "localhost")) return true;
    if (host.len >= sizeof text) return false;
    memcpy(text, host.ptr, host.len);
    return inet_pton(AF_INET, text, v4) == 1 && v4[0] == 127;
}

/* Other hosts below AWS's suffixes may be anybody's: a load balancer with the certificate of its owner. */
static bool is_dynamodb(latch_str host) {
    static const char *const labels[] = {"dynamodb", "dynamodb-fips", "ddb"};
    for (size_t from = 0; from < host.len;) {
        const char *dot = memchr(host.ptr + from, '.', host.len - from);
        latch_str label = {host.ptr + from, dot != NULL ? (size_t)(dot - host.ptr) - from : host.len - from};
        for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
            if (latch_str_eq(label, latch_str_of(labels[i]))) return true;
        }
        from += label.len + 1;
    }
    return false;
}

static void recognise(latch_str host, latch_endpoint *out) {
    for (size_t i = 0; i < PARTITIONS && out->tls && is_dynamodb(host); i++) {
        if (!ends(host, partitions[i].suffix) && !ends(host, partitions[i].dualstack)) continue;
        out->aws = true;
        out->amazon_roots = partitions[i].amazon_roots;
    }
}

latch_status latch_endpoint_parse(latch_arena *arena, const char *what, latch_str url, latch_endpoint *out, latch_err *err) {
    parts p = {0};
    *out = (latch_endpoint){0};
    LATCH_TRY(take_apart(what, url, &p, err));
    latch_text_writer t = latch_text_begin(arena);
    latch_text_put(&t, p.tls ? LATCH_STR("https://") : LATCH_STR("http://"));
    size_t host_at = t.len, name_at = host_at + p.six;
    if (p.six) latch_text_char(&t, '[');
    for (size_t i = 0; i < p.host.len; i++)
        latch_text_char(&t, (char)(p.host.ptr[i] >= 'A' && p.host.ptr[i] <= 'Z' ? p.host.ptr[i] | 0x20 : p.host.ptr[i]));
    if (p.six) latch_text_char(&t, ']');
    if (p.port != 0 && p.port != (p.tls ? 443 : 80)) {
        latch_text_char(&t, ':');
        latch_text_uint(&t, p.port);
    }
    latch_str whole = latch_text_end(&t);
    if (whole.ptr == NULL) return latch_err_set(err, LATCH_E_NOMEM, "DynamoDB: the arena is full");
    latch_str host = {whole.ptr + name_at, p.host.len};
    *out = (latch_endpoint){whole.ptr, whole.ptr + host_at, .tls = p.tls, .loopback = is_loopback(host, p.six)};
    recognise(host, out);
    return LATCH_OK;
}
