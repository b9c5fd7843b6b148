#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#include "core/env.h"
#include "core/http_private.h"
#include "doctor.h"
#include "store/dynamodb/credentials.h"
#include "store/dynamodb/dynamodb.h"
#include "store/dynamodb/trust.h"

#define KEYS_MS (30 * LATCH_SECOND_MS)
#define CONNECT_MS (10 * LATCH_SECOND_MS)
#define CLOCK_US (5 * LATCH_SECOND_MS * 1000)

/* What stands in for a region or an endpoint that is wrong, so that what doesn't need it is looked at all the same. */
#define SOME_REGION "us-east-1"
#define SOME_ENDPOINT "https://dynamodb.us-east-1.amazonaws.com"

#define WITHOUT_ACCOUNT                                                                                                                    \
    "without an account of AWS:\n"                                                                                                         \
    "latch-local dynamodb --port 8000 &\n"                                                                                                 \
    "export AWS_ENDPOINT_URL_DYNAMODB=http://localhost:8000\n"                                                                             \
    "latch table create latch\n"                                                                                                           \
    "latch doctor latch"

/* ── store ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool is_asked(const latch_doctor *d) {
    return d->table != NULL || d->connection.region != NULL || d->connection.profile != NULL || d->connection.endpoint != NULL;
}

static void tell_embedded(latch_doctor *d, latch_report *r) {
    const char *why = latch_env_get("LATCH_STORE") != NULL ? "LATCH_STORE says so" : "neither LATCH_TABLE nor LATCH_STORE is set";
    d->idle = true;
    latch_report_ok(r, "embedded (%s): functions keep their state in their process, and need no table, region or credentials", why);
    latch_report_advise(r, "to look at DynamoDB: latch doctor TABLE, or set LATCH_TABLE; " WITHOUT_ACCOUNT);
}

static void tell_dynamodb(const latch_doctor *d, latch_stores_where where, latch_report *r) {
    const char *name = latch_doctor_table_name(d), *named = latch_env_get("LATCH_TABLE");
    const char *from = d->table != NULL ? "asked for" : named != NULL ? "LATCH_TABLE" : "the name where none is given";
    latch_report_ok(r, "DynamoDB, table %s (%s)", name, from);
    if (where == LATCH_STORES_EMBEDDED)
        latch_report_advise(r, "functions use the embedded store here: for this table, export LATCH_TABLE=%s LATCH_STORE=dynamodb", name);
}

void latch_doctor_store(latch_doctor *d, latch_report *r) {
    latch_stores_where where;
    if (latch_stores_choose(&d->session.cx, &where) != LATCH_OK) {
        latch_report_wrong(r, "%s", d->session.cx.err.message);
        latch_report_advise(r, "unset LATCH_STORE: LATCH_TABLE alone says that it is DynamoDB");
    } else if (where == LATCH_STORES_NOWHERE && !is_asked(d)) {
        latch_report_wrong(r, "neither LATCH_TABLE nor LATCH_STORE is set, and this is Lambda, where that is an init error");
        latch_report_advise(r, "set LATCH_TABLE to the table's name in the function's configuration");
    } else if (where == LATCH_STORES_EMBEDDED && !is_asked(d)) {
        tell_embedded(d, r);
        return;
    } else {
        tell_dynamodb(d, where, r);
    }
    latch_session_set(&d->connection, d->table);
}

/* ── settings ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool is_readable(latch_doctor *d, const latch_settings_options *options) {
    return latch_settings_read(&d->session.cx, options, &d->session.settings) == LATCH_OK;
}

/* The settings are read as a whole, and one sentence tells what is wrong: it is of whatever it goes away with. */
static bool blame(latch_doctor *d, latch_settings_options *options, const char **option, const char *instead, latch_check check) {
    char why[sizeof d->blamed[0]];
    snprintf(why, sizeof why, "%s", d->session.cx.err.message);
    if (*option != NULL) return false;
    *option = instead;
    if (!is_readable(d, options) && strcmp(why, d->session.cx.err.message) == 0) {
        *option = NULL;
        return false;
    }
    snprintf(d->blamed[check], sizeof d->blamed[check], "%s", why);
    return true;
}

static void read_settings(latch_doctor *d) {
    latch_settings_options options = {0};
    while (!is_readable(d, &options)) {
        if (blame(d, &options, &options.region, SOME_REGION, LATCH_CHECK_REGION)) continue;
        if (blame(d, &options, &options.endpoint, SOME_ENDPOINT, LATCH_CHECK_ENDPOINT)) continue;
        bool told = d->blamed[LATCH_CHECK_ENDPOINT][0] != '\0'; /* one that contradicts other settings, as any would */
        if (!told) snprintf(d->blamed[LATCH_CHECK_SETTINGS], sizeof d->blamed[0], "%s", d->session.cx.err.message);
        return;
    }
}

void latch_doctor_settings(latch_doctor *d, latch_report *r) {
    latch_ctx *cx = &d->session.cx;
    latch_client_options options;
    const latch_settings *s = &d->session.settings;
    latch_skew_init(&d->session.stores.skew, cx->clock); /* before anything reads the clock, as in a function's process */
    cx->clock = latch_skew_clock(&d->session.stores.skew);
    read_settings(d);
    if (d->blamed[LATCH_CHECK_SETTINGS][0] == '\0' && latch_stores_options(cx, &options) != LATCH_OK)
        snprintf(d->blamed[LATCH_CHECK_SETTINGS], sizeof d->blamed[0], "%s", cx->err.message);
    if (d->blamed[LATCH_CHECK_SETTINGS][0] != '\0') {
        latch_report_wrong(r, "%s", d->blamed[LATCH_CHECK_SETTINGS]);
        latch_report_advise(r, "%s",
                            strstr(r->found, "profile") != NULL
                                ? "name a profile that is there (aws configure list-profiles), or unset AWS_PROFILE and AWS_DEFAULT_PROFILE"
                                : "set what it names as docs/dynamodb.md says, or unset it");
        return;
    }
    if (s->profile == NULL) {
        latch_report_ok(r, "the environment");
        return;
    }
    latch_report_ok(r, "the environment, and the profile %s where it is there%s", s->profile, s->profile_named ? " (named)" : "");
}

/* ── region, endpoint ───────────────────────────────────────────────────────────────────────────────────────────────────── */

void latch_doctor_region(latch_doctor *d, latch_report *r) {
    const latch_settings *s = &d->session.settings;
    if (d->blamed[LATCH_CHECK_REGION][0] != '\0') {
        latch_report_wrong(r, "%s", d->blamed[LATCH_CHECK_REGION]);
        latch_report_advise(r, "export AWS_REGION=eu-west-1, or whichever the table is in; " WITHOUT_ACCOUNT);
        return;
    }
    if (s->region == NULL) {
        latch_report_unseen(r, "needs endpoint first");
        return;
    }
    const char *from = d->connection.region != NULL ? "--region" : s->region_from;
    if (from == NULL) from = "a local DynamoDB needs none: the default";
    latch_report_ok(r, "%s (%s%s)", s->region, from, strcmp(from, "region") == 0 ? ", of the profile" : "");
}

/* Which of them libcurl would ask; what its URL says is nobody's business here, a password among it. */
static const char *proxy_of(const latch_settings *s) {
    static const char *const names[2][4] = {{"http_proxy", "all_proxy", "ALL_PROXY", NULL},
                                            {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}};
    bool is_url;
    if (!latch_http_may_use_proxy(s->url, &is_url)) return NULL;
    for (size_t i = 0; i < 4 && names[s->tls][i] != NULL; i++)
        if (latch_env_get(names[s->tls][i]) != NULL) return names[s->tls][i];
    return NULL;
}

void latch_doctor_endpoint(latch_doctor *d, latch_report *r) {
    const latch_settings *s = &d->session.settings;
    if (d->blamed[LATCH_CHECK_ENDPOINT][0] != '\0') {
        latch_report_wrong(r, "%s", d->blamed[LATCH_CHECK_ENDPOINT]);
        latch_report_advise(r, "give it as scheme, host and port (http://localhost:8000), or unset it: the region's own is used then");
        return;
    }
    if (s->endpoint_from == NULL && d->findings[LATCH_CHECK_REGION] != LATCH_FOUND_OK) {
        latch_report_unseen(r, "needs region first");
        return;
    }
    const char *from = d->connection.endpoint != NULL ? "--endpoint" : s->endpoint_from, *proxy = proxy_of(s);
    latch_report_ok(r, "%s (%s), %s TLS%s%s%s", s->url, from != NULL ? from : "the region's", s->tls ? "with" : "without",
                    proxy != NULL ? ", by the proxy that " : "", proxy != NULL ? proxy : "",
                    proxy != NULL ? " names, unless NO_PROXY has the host" : "");
}

/* ── credentials ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define SHOWN_ID 4 /* characters at either end of a key's id, where that leaves most of it unsaid */

static void put_id(latch_str id, char out[32]) {
    if (id.len < 4 * SHOWN_ID)
        snprintf(out, 32, "(short)");
    else
        snprintf(out, 32, "%.*s...%.*s", SHOWN_ID, id.ptr, SHOWN_ID, id.ptr + id.len - SHOWN_ID);
}

static void put_source(const latch_keys_origin *o, char *out, size_t room) {
    switch (o->source) {
    case LATCH_KEYS_OF_ENVIRONMENT:
        snprintf(out, room, "the environment (AWS_ACCESS_KEY_ID)");
        break;
    case LATCH_KEYS_OF_PROFILE:
        snprintf(out, room, "profile %.60s of %s", o->profile, o->where);
        break;
    case LATCH_KEYS_OF_COMMAND:
        snprintf(out, room, "credential_process of profile %.60s", o->profile);
        break;
    case LATCH_KEYS_OF_ENDPOINT:
        snprintf(out, room, "the container's endpoint %s", o->where);
        break;
    case LATCH_KEYS_OF_NOBODY:
        snprintf(out, room, "local and local, which a local DynamoDB takes as any others");
        break;
    }
}

static void tell_keys(latch_doctor *d, const latch_keys *keys, latch_report *r) {
    char source[400], id[32], until[LATCH_TIMESTAMP_BYTES + 8] = "", at[LATCH_TIMESTAMP_BYTES];
    latch_keys_origin o = latch_credentials_origin(d->session.stores.credentials);
    put_source(&o, source, sizeof source);
    put_id(keys->access_key_id, id);
    latch_clock_format(o.expire_at_ms, at);
    if (o.expire) snprintf(until, sizeof until, ", until %s", at);
    if (o.source == LATCH_KEYS_OF_NOBODY)
        latch_report_ok(r, "%s", source);
    else
        latch_report_ok(r, "%s, key %s%s%s%s%.12s", source, id, keys->session_token.len > 0 ? ", with a session token" : "", until,
                        keys->account_id.len > 0 ? ", account " : "", keys->account_id.len > 0 ? keys->account_id.ptr : "");
}

static latch_status get_keys(latch_doctor *d, latch_report *r) {
    latch_ctx *cx = &d->session.cx;
    latch_stores *stores = &d->session.stores;
    latch_keys keys;
    LATCH_TRY(latch_credentials_open(&stores->credentials, &d->session.settings, cx->clock, &cx->err));
    LATCH_TRY(latch_credentials_get(stores->credentials, latch_clock_wall_ms(&cx->clock) + KEYS_MS, &keys, &cx->err));
    latch_status status = LATCH_OK;
    if (d->findings[LATCH_CHECK_ENDPOINT] == LATCH_FOUND_OK) status = latch_settings_for_account(cx, &d->session.settings, keys.account_id);
    tell_keys(d, &keys, r);
    latch_credentials_release(stores->credentials, &keys);
    return status;
}

void latch_doctor_credentials(latch_doctor *d, latch_report *r) {
    if (d->findings[LATCH_CHECK_ENDPOINT] == LATCH_FOUND_WRONG) { /* a local one needs none */
        latch_report_unseen(r, "needs endpoint first");
        return;
    }
    latch_status status = get_keys(d, r);
    if (status == LATCH_OK) return;
    latch_report_wrong(r, "%s", d->session.cx.err.message);
    if (strstr(r->found, "expired") != NULL)
        latch_report_advise(r, "fetch new ones from where these came: aws sso login, or whatever fills it; then once more");
    else
        latch_report_advise(
            r, "aws configure, or eval \"$(aws configure export-credentials --format env)\"; on Lambda the function's role gives "
               "them; " WITHOUT_ACCOUNT);
}

/* ── CA ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static int count_certificates(BIO *bio, int *expired) {
    int count = 0;
    for (X509 *one; bio != NULL && (one = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)) != NULL; count++) {
        *expired += X509_cmp_current_time(X509_get0_notAfter(one)) < 0;
        X509_free(one);
    }
    BIO_free(bio);
    return count;
}

void latch_doctor_ca(latch_doctor *d, latch_report *r) {
    const latch_settings *s = &d->session.settings;
    latch_trust trust;
    int expired = 0;
    if (!s->tls) {
        latch_report_ok(r, "not used: the endpoint is without TLS");
        return;
    }
    if (latch_trust_of(s, &trust, &d->session.cx.err) != LATCH_OK) {
        latch_report_wrong(r, "%s", d->session.cx.err.message);
        latch_report_advise(r, "let %s name a PEM file that can be read, or unset it", s->ca_from);
        return;
    }
    if (trust.file == NULL && trust.pem.len == 0) {
        latch_report_ok(r, "libcurl's own default: no bundle of the system was found");
        return;
    }
    int count = count_certificates(trust.file != NULL ? BIO_new_file(trust.file, "r") : BIO_new_mem_buf(trust.pem.ptr, (int)trust.pem.len),
                                   &expired);
    const char *file = trust.file != NULL ? trust.file : "Amazon's roots, which the functions have in them", *from = s->ca_from;
    if (count == 0) {
        latch_report_wrong(r, "%s has no certificate in it (%s)", file, from != NULL ? from : "the system's bundle");
        if (from != NULL)
            latch_report_advise(r, "it must be PEM (-----BEGIN CERTIFICATE-----); where no proxy opens TLS, unset %s", from);
        else
            latch_report_advise(r, "install the system's ca-certificates, or let AWS_CA_BUNDLE name a PEM file");
        return;
    }
    latch_report_ok(r, "%s%s%s%s: %d certificate%s", file, from != NULL ? " (" : "", from != NULL ? from : "", from != NULL ? ")" : "",
                    count, count == 1 ? "" : "s");
    if (expired > 0) latch_report_advise(r, "%d of them expired: what they signed is refused", expired);
}

/* ── connection ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* By words of connection.h's messages. */
static void advise_connection(const latch_settings *s, latch_report *r) {
    static const struct {
        const char *says, *advice;
    } rows[] = {
        {"could not resolve the proxy", "correct HTTPS_PROXY, or add the host to NO_PROXY"},
        {"could not resolve", "check the region's and the endpoint's spelling, and DNS: getent hosts the name above"},
        {"unknown CA",
         "where a proxy or a private CA signs for it, let AWS_CA_BUNDLE name a PEM file with that CA; else somebody is in between"},
        {"wrong host", "call it by a name that its certificate has"},
        {"has expired", "renew the server's certificate, or set this machine's clock: timedatectl set-ntp true"},
        {"not valid yet", "set this machine's clock: timedatectl set-ntp true"},
        {"speaks no TLS", "say http:// in the endpoint"},
        {"shaking hands", "is it a plain server? say http:// in the endpoint; else a firewall drops TLS"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strstr(r->found, rows[i].says) != NULL) {
            latch_report_advise(r, "%s", rows[i].advice);
            return;
        }
    if (s->local)
        latch_report_advise(r, "start it: latch-local dynamodb --port %s &",
                            strrchr(s->host, ':') != NULL ? strrchr(s->host, ':') + 1 : "80");
    else
        latch_report_advise(
            r, "something drops or refuses it: a security group, a firewall, a proxy that must be asked (HTTPS_PROXY); in a VPC "
               "without a way out, a gateway endpoint for DynamoDB");
}

static latch_status connect_now(latch_doctor *d) {
    latch_ctx *cx = &d->session.cx;
    latch_stores *stores = &d->session.stores;
    latch_client_options options;
    const latch_dynamodb_options wire = {
        .settings = &d->session.settings, .credentials = stores->credentials, .clock = cx->clock, .skew = &stores->skew};
    LATCH_TRY(latch_dynamodb_open(&stores->dynamodb, &wire, &cx->err));
    LATCH_TRY(latch_stores_options(cx, &options));
    options.breaker = false; /* each check asks for itself */
    latch_client_init(&stores->client, latch_dynamodb_transport(stores->dynamodb), &options);
    stores->table = (latch_table){.name = latch_doctor_table_name(d), .client = &stores->client};
    cx->table = &stores->table;
    return latch_dynamodb_warm(stores->dynamodb, latch_clock_wall_ms(&cx->clock) + CONNECT_MS, &cx->err);
}

void latch_doctor_connection(latch_doctor *d, latch_report *r) {
    const latch_settings *s = &d->session.settings;
    if (connect_now(d) != LATCH_OK) {
        latch_report_wrong(r, "%s", d->session.cx.err.message);
        advise_connection(s, r);
        return;
    }
    latch_contact c = latch_dynamodb_contact(d->session.stores.dynamodb);
    char tls[64] = "";
    if (!c.open) { /* it answered, and closed */
        latch_report_ok(r, "%s answers", s->host);
        return;
    }
    if (c.tls != NULL) snprintf(tls, sizeof tls, ", %.16s in %.1f ms", c.tls, (double)c.tls_us / 1000);
    latch_report_ok(r, "%s at %s%s: name in %.1f ms, connected in %.1f ms%s", s->host, c.address, c.proxied ? ", a proxy" : "",
                    (double)c.name_us / 1000, (double)c.tcp_us / 1000, tls);
}

/* ── clock ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

void latch_doctor_clock(latch_doctor *d, latch_report *r) {
    const latch_skew *skew = &d->session.stores.skew;
    int64_t off_us = skew->offset_us, by_us = off_us < 0 ? -off_us : off_us;
    if (skew->low_us > skew->high_us) {
        latch_report_unseen(r, "the answer had no Date");
        return;
    }
    if (by_us == 0)
        latch_report_ok(r, "within a second of DynamoDB's");
    else if (by_us <= CLOCK_US)
        latch_report_ok(r, "%.1f s %s DynamoDB's", (double)by_us / 1e6, off_us > 0 ? "behind" : "ahead of");
    if (by_us <= CLOCK_US) return;
    latch_report_wrong(r, "this machine's clock is %.0f s %s DynamoDB's", (double)by_us / 1e6, off_us > 0 ? "behind" : "ahead of");
    latch_report_advise(
        r, "timedatectl set-ntp true; of a container or a virtual machine, on its host. The stores go by DynamoDB's clock meanwhile; "
           "TLS, logs and other tools don't");
}
