#include "store/dynamodb/settings.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/ctx_private.h"
#include "core/env.h"
#include "store/dynamodb/endpoint.h"
#include "store/dynamodb/profile.h"

#define LOCAL_URL "http://localhost:8000" /* where DynamoDB Local listens unless it is told otherwise */
#define LOCAL_REGION "us-east-1"
#define DEFAULT_CONNECT_MS INT64_C(5000)
#define MAX_CONNECT_MS 2147483647L

typedef struct reading {
    latch_ctx *cx;
    const latch_settings_options *options;
    latch_profile profile;
    bool on_lambda;
    latch_str region;          /* empty: none yet */
    const char *region_name;   /* where it is from; NULL: nobody said it */
    latch_endpoint_kind kind;  /* of AWS's own endpoint */
    const char *endpoint_name; /* where `endpoint` is from, for messages; NULL: none was given */
    latch_str endpoint;
    bool local;
} reading;

bool latch_settings_on_lambda(void) {
    return latch_env_get("AWS_LAMBDA_INITIALIZATION_TYPE") != NULL && latch_env_get("AWS_SAM_LOCAL") == NULL;
}

static bool given(const char *option) { return option != NULL && *option != '\0'; }

/* Of the variable, else of the profile; *name says which, for a message. */
static latch_str look_up(const reading *r, const char *variable, const char *key, const char **name) {
    const char *value = latch_env_get(variable);
    *name = value != NULL ? variable : key;
    return value != NULL ? latch_str_of(value) : latch_profile_find(&r->profile, key);
}

static latch_status read_bool(reading *r, const char *variable, const char *key, bool *out) {
    const char *name;
    latch_str value = look_up(r, variable, key, &name);
    *out = value.len == 4 && strncasecmp(value.ptr, "true", 4) == 0;
    if (*out || value.len == 0 || (value.len == 5 && strncasecmp(value.ptr, "false", 5) == 0)) return LATCH_OK;
    return latch_err_set(&r->cx->err, LATCH_E_MISUSE, "%s is \"%.*s\", want true or false", name, LATCH_ARG(latch_str_cut(value, 40)));
}

/* ── profile ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status open_profile(reading *r, latch_settings *out) {
    const char *variable = latch_env_get("AWS_PROFILE") != NULL ? "AWS_PROFILE" : "AWS_DEFAULT_PROFILE";
    const char *name = given(r->options->profile) ? r->options->profile : latch_env_get(variable);
    out->profile_named = name != NULL;
    out->profile = latch_copy(r->cx, latch_str_of(name != NULL ? name : "default")).ptr;
    if (out->profile == NULL) return latch_err_set(&r->cx->err, LATCH_E_NOMEM, "DynamoDB: the arena is full");
    LATCH_TRY(latch_profile_open(&r->profile, out->profile, &r->cx->err));
    if (name == NULL || r->profile.exists) return LATCH_OK;
    const char *credentials = r->profile.paths[LATCH_PROFILE_CREDENTIALS], *config = r->profile.paths[LATCH_PROFILE_CONFIG];
    return latch_err_set(&r->cx->err, LATCH_E_MISUSE, "the profile \"%.40s\" (%s) is neither in \"%.60s\" nor in \"%.60s\"", name,
                         given(r->options->profile) ? "an option" : variable, credentials != NULL ? credentials : "~/.aws/credentials",
                         config != NULL ? config : "~/.aws/config");
}

/* ── region ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status find_region(reading *r) {
    const char *name = "the option region";
    r->region = latch_str_of(r->options->region);
    if (r->region.len == 0) {
        const char *first = latch_env_get("AWS_REGION") != NULL ? "AWS_REGION" : "AWS_DEFAULT_REGION";
        r->region = look_up(r, first, "region", &name);
    }
    r->region_name = r->region.len > 0 ? name : NULL;
    if (r->region.len == 0 || latch_endpoint_is_region(r->region)) return LATCH_OK;
    if (latch_str_has_control(r->region))
        return latch_err_set(&r->cx->err, LATCH_E_MISUSE, "%s has a control byte in it, want a region, as eu-west-1", name);
    return latch_err_set(&r->cx->err, LATCH_E_MISUSE, "%s is \"%.*s\", want a region, as eu-west-1: small letters, digits and -", name,
                         LATCH_ARG(latch_str_cut(r->region, 63)));
}

/* Only now: a local endpoint needs none. */
static latch_status need_region(reading *r, latch_settings *out) {
    latch_str local = LATCH_STR(LOCAL_REGION);
    if (r->region.len == 0 && !r->local)
        return latch_err_set(
            &r->cx->err, LATCH_E_MISUSE,
            "no AWS region: set AWS_REGION (or AWS_DEFAULT_REGION, or region in the profile \"%.40s\") to where the table is, as "
            "eu-west-1",
            out->profile);
    out->region_from = r->region_name;
    out->region = latch_copy(r->cx, r->region.len > 0 ? r->region : local).ptr;
    return out->region != NULL ? LATCH_OK : latch_err_set(&r->cx->err, LATCH_E_NOMEM, "DynamoDB: the arena is full");
}

/* ── endpoint ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void take_local(reading *r, const char *name, const char *value) {
    bool word = strcasecmp(value, "local") == 0;
    r->local = true;
    r->endpoint_name = name;
    r->endpoint = latch_str_of(word ? LOCAL_URL : value);
}

/* A desk's variables don't count on Lambda, where they came by mistake; whoever set them is told. */
static void find_local(reading *r) {
    const char *at = latch_env_get("DYNAMODB_LOCAL_ENDPOINT"), *node = latch_env_get("NODE_ENV");
    bool develops = node != NULL && strcmp(node, "development") == 0;
    if (r->on_lambda && (at != NULL || develops)) {
        latch_warn(r->cx, "ignored on Lambda: it names a DynamoDB on a developer's machine", "variable",
                   at != NULL ? "DYNAMODB_LOCAL_ENDPOINT" : "NODE_ENV");
    } else if (r->endpoint_name == NULL && (at != NULL || develops)) {
        take_local(r, at != NULL ? "DYNAMODB_LOCAL_ENDPOINT" : "NODE_ENV", at != NULL ? at : "local");
    }
}

static void find_in_profile(reading *r) {
    latch_str service =
        latch_profile_service(&r->profile, latch_profile_get(&r->profile, LATCH_PROFILE_CONFIG, "services"), "dynamodb", "endpoint_url");
    latch_str url = service.len > 0 ? service : latch_profile_find(&r->profile, "endpoint_url");
    if (url.len == 0) return;
    r->endpoint_name = "endpoint_url";
    r->endpoint = url;
}

static latch_status find_endpoint(reading *r) {
    static const char *const variables[] = {"AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"};
    bool ignore;
    LATCH_TRY(read_bool(r, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls", &ignore));
    if (given(r->options->endpoint) && strcasecmp(r->options->endpoint, "local") == 0) {
        take_local(r, "the option endpoint", "local");
    } else if (given(r->options->endpoint)) {
        r->endpoint_name = "the option endpoint";
        r->endpoint = latch_str_of(r->options->endpoint);
    }
    for (size_t i = 0; i < 2 && !ignore && r->endpoint_name == NULL; i++) {
        if (latch_env_get(variables[i]) == NULL) continue;
        r->endpoint_name = variables[i];
        r->endpoint = latch_str_of(latch_env_get(variables[i]));
    }
    find_local(r);
    if (r->endpoint_name == NULL && !ignore) find_in_profile(r);
    if (r->endpoint_name == NULL && latch_str_eq(r->region, LATCH_STR("local"))) take_local(r, "the region local", "local");
    if (latch_str_eq(r->region, LATCH_STR("local"))) r->region = LATCH_STR(LOCAL_REGION); /* as AWS's SDKs sign there */
    return LATCH_OK;
}

static void use(const latch_endpoint *e, latch_settings *out) {
    out->url = e->url;
    out->host = e->host;
    out->tls = e->tls;
    out->aws = e->aws;
    out->amazon_roots = e->amazon_roots;
}

static latch_status use_given(reading *r, latch_settings *out) {
    latch_endpoint endpoint;
    if (r->kind.fips || r->kind.dualstack)
        return latch_err_set(&r->cx->err, LATCH_E_MISUSE,
                             "%s and %s are both set: an endpoint that is given has no %s variant, unset one of them", r->endpoint_name,
                             r->kind.fips ? "AWS_USE_FIPS_ENDPOINT" : "AWS_USE_DUALSTACK_ENDPOINT", r->kind.fips ? "FIPS" : "dual-stack");
    LATCH_TRY(latch_endpoint_parse(r->cx->arena, r->endpoint_name, r->endpoint, &endpoint, &r->cx->err));
    r->local = r->local || (endpoint.loopback && !r->on_lambda);
    use(&endpoint, out);
    return LATCH_OK;
}

static latch_status read_account_mode(reading *r, latch_account_mode *out) {
    static const char *const words[] = {"disabled", "preferred", "required"};
    const char *name;
    latch_str value = look_up(r, "AWS_ACCOUNT_ID_ENDPOINT_MODE", "account_id_endpoint_mode", &name);
    *out = LATCH_ACCOUNT_PREFERRED;
    if (value.len == 0) return LATCH_OK;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (value.len != strlen(words[i]) || strncasecmp(value.ptr, words[i], value.len) != 0) continue;
        *out = (latch_account_mode)i;
        return LATCH_OK;
    }
    return latch_err_set(&r->cx->err, LATCH_E_MISUSE, "%s is \"%.*s\", want preferred, disabled or required", name,
                         LATCH_ARG(latch_str_cut(value, 40)));
}

static latch_status use_regions(reading *r, latch_settings *out) {
    latch_endpoint endpoint;
    latch_str region = latch_str_of(out->region);
    LATCH_TRY(read_account_mode(r, &out->account));
    LATCH_TRY(latch_endpoint_of_region(r->cx->arena, region, &r->kind, &endpoint, &r->cx->err));
    use(&endpoint, out);
    if (!r->kind.fips && latch_endpoint_has_accounts(region)) return LATCH_OK;
    if (out->account == LATCH_ACCOUNT_REQUIRED)
        return latch_err_set(&r->cx->err, LATCH_E_MISUSE,
                             "AWS_ACCOUNT_ID_ENDPOINT_MODE is required, and %s has no endpoints of accounts: set preferred",
                             r->kind.fips ? "FIPS" : out->region);
    out->account = LATCH_ACCOUNT_DISABLED;
    return LATCH_OK;
}

latch_status latch_settings_for_account(latch_ctx *cx, latch_settings *settings, latch_str account_id) {
    static const char regions[] = "https://dynamodb.";
    if (settings->account == LATCH_ACCOUNT_DISABLED) return LATCH_OK;
    if (account_id.len == 0 && settings->account == LATCH_ACCOUNT_PREFERRED) return LATCH_OK;
    if (account_id.len == 0)
        return latch_err_set(
            &cx->err, LATCH_E_MISUSE,
            "AWS_ACCOUNT_ID_ENDPOINT_MODE is required, and the credentials came without an account id: set AWS_ACCOUNT_ID (or "
            "aws_account_id in the profile) beside them, or the mode to preferred");
    latch_endpoint endpoint;
    const char *suffix = settings->url + sizeof regions - 1 + strlen(settings->region) + 1;
    latch_endpoint_kind kind = {.account_id = account_id, .dualstack = strcmp(suffix, "api.aws") == 0};
    LATCH_TRY(latch_endpoint_of_region(cx->arena, latch_str_of(settings->region), &kind, &endpoint, &cx->err));
    use(&endpoint, settings);
    settings->account = LATCH_ACCOUNT_DISABLED;
    return LATCH_OK;
}

/* ── the rest ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status read_connect_timeout(reading *r, int64_t *out) {
    const char *text = latch_env_get("DYNAMODB_CONNECTION_TIMEOUT");
    char *end = NULL;
    *out = DEFAULT_CONNECT_MS;
    if (text == NULL) return LATCH_OK;
    long ms = text[0] >= '0' && text[0] <= '9' && strlen(text) <= 10 ? strtol(text, &end, 10) : 0;
    *out = ms;
    if (ms >= 1 && ms <= MAX_CONNECT_MS && *end == '\0') return LATCH_OK;
    return latch_err_set(&r->cx->err, LATCH_E_MISUSE, "DYNAMODB_CONNECTION_TIMEOUT is \"%.40s\", want milliseconds, 1 to %ld", text,
                         MAX_CONNECT_MS);
}

static latch_status find_ca_file(reading *r, latch_settings *out) {
    const char *name, *system = latch_env_get("SSL_CERT_FILE");
    latch_str path = look_up(r, "AWS_CA_BUNDLE", "ca_bundle", &name);
    if (path.len == 0 && system != NULL) {
        path = latch_str_of(system);
        name = "SSL_CERT_FILE";
    }
    if (path.len == 0) return LATCH_OK;
    out->ca_from = name;
    out->ca_file = latch_copy(r->cx, path).ptr;
    return out->ca_file != NULL ? LATCH_OK : latch_err_set(&r->cx->err, LATCH_E_NOMEM, "DynamoDB: the arena is full");
}

static latch_status read_all(reading *r, latch_settings *out) {
    LATCH_TRY(open_profile(r, out));
    LATCH_TRY(read_connect_timeout(r, &out->connect_timeout_ms));
    LATCH_TRY(find_ca_file(r, out));
    LATCH_TRY(find_region(r));
    LATCH_TRY(find_endpoint(r));
    LATCH_TRY(read_bool(r, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint", &r->kind.fips));
    LATCH_TRY(read_bool(r, "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint", &r->kind.dualstack));
    if (r->endpoint_name != NULL) LATCH_TRY(use_given(r, out));
    LATCH_TRY(need_region(r, out));
    if (r->endpoint_name == NULL) LATCH_TRY(use_regions(r, out));
    out->local = r->local;
    out->endpoint_from = r->endpoint_name;
    return LATCH_OK;
}

latch_status latch_settings_read(latch_ctx *cx, const latch_settings_options *options, latch_settings *out) {
    reading r = {.cx = cx, .options = options, .on_lambda = latch_settings_on_lambda()};
    *out = (latch_settings){0};
    latch_status status = read_all(&r, out);
    if (status != LATCH_OK) *out = (latch_settings){0};
    latch_profile_close(&r.profile);
    return status;
}

latch_status latch_settings_from_environment(latch_ctx *cx, latch_settings *out) {
    static const latch_settings_options none = {0};
    return latch_settings_read(cx, &none, out);
}
