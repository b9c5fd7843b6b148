#include "store/dynamodb/settings.h"

#include <fcntl.h>

#include "core/log.h"
#include "store/dynamodb/endpoint.h"
#include "tests/check.h"
#include "tests/core/room.h"
#include "tests/dynamodb/files.h"

/* The environment is `pairs` alone, the config file `config`, where there is one. */
static latch_status read_with(room *r, const char *pairs, const char *config, latch_settings *out) {
    environment_clear();
    if (config != NULL) setenv("AWS_CONFIG_FILE", files_write("config", config, strlen(config)), 1);
    environment_set(pairs);
    return latch_settings_from_environment(&r->cx, out);
}

#define R "AWS_REGION=eu-west-1"
#define LAMBDA " AWS_LAMBDA_INITIALIZATION_TYPE=on-demand"
#define AWS_URL "https://dynamodb.eu-west-1.amazonaws.com"
#define LOCAL "http://localhost:8000"

static void finds_the_endpoint(void **state) {
    (void)state;
    static const struct {
        const char *environment, *config, *url;
        bool local;
    } rows[] = {
        {R, NULL, AWS_URL, false},
        {R " AWS_ENDPOINT_URL=https://a.example", NULL, "https://a.example", false},
        {R " AWS_ENDPOINT_URL=https://a.example AWS_ENDPOINT_URL_DYNAMODB=https://b.example", NULL, "https://b.example", false},
        {R " AWS_ENDPOINT_URL=https://a.example AWS_ENDPOINT_URL_DYNAMODB=", NULL, "https://a.example", false},
        {R " AWS_ENDPOINT_URL=https://a.example AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true", NULL, AWS_URL, false},
        {R " AWS_ENDPOINT_URL=https://a.example AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=FALSE", NULL, "https://a.example", false},
        {R " AWS_ENDPOINT_URL=https://a.example DYNAMODB_LOCAL_ENDPOINT=http://c.example", NULL, "https://a.example", false},
        {R " DYNAMODB_LOCAL_ENDPOINT=http://c.example:8000", NULL, "http://c.example:8000", true},
        {R " DYNAMODB_LOCAL_ENDPOINT=http://c.example:8000 AWS_ENDPOINT_URL=https://a.example AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true",
         NULL, "http://c.example:8000", true},
        {"DYNAMODB_LOCAL_ENDPOINT=local", NULL, LOCAL, true},
        {"NODE_ENV=development", NULL, LOCAL, true},
        {"NODE_ENV=development DYNAMODB_LOCAL_ENDPOINT=http://c.example", NULL, "http://c.example", true},
        {R " NODE_ENV=production", NULL, AWS_URL, false},
        {"AWS_REGION=local", NULL, LOCAL, true},
        {"AWS_REGION=local AWS_ENDPOINT_URL=http://c.example", NULL, "http://c.example", false},
        {R LAMBDA " DYNAMODB_LOCAL_ENDPOINT=local NODE_ENV=development", NULL, AWS_URL, false},
        {R LAMBDA " AWS_SAM_LOCAL=true DYNAMODB_LOCAL_ENDPOINT=local", NULL, LOCAL, true},
        {R " AWS_SAM_LOCAL=true DYNAMODB_LOCAL_ENDPOINT=local AWS_LAMBDA_INITIALIZATION_TYPE=", NULL, LOCAL, true},
        {R " AWS_ENDPOINT_URL=http://127.0.0.1:4566", NULL, "http://127.0.0.1:4566", true},
        {"AWS_ENDPOINT_URL=http://[::1]:4566", NULL, "http://[::1]:4566", true},
        {R LAMBDA " AWS_ENDPOINT_URL=http://127.0.0.1:4566", NULL, "http://127.0.0.1:4566", false},
        {R, "[default]\nendpoint_url = http://d.example\n", "http://d.example", false},
        {R " AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true", "[default]\nendpoint_url = http://d.example\n", AWS_URL, false},
        {R, "[default]\nignore_configured_endpoint_urls = true\nendpoint_url = http://d.example\n", AWS_URL, false},
        {R " DYNAMODB_LOCAL_ENDPOINT=local", "[default]\nendpoint_url = http://d.example\n", LOCAL, true},
        {R " AWS_PROFILE=x",
         "[profile x]\nendpoint_url = http://d.example\nservices = s\n[services s]\ndynamodb =\n  endpoint_url = http://e.example\n",
         "http://e.example", false},
        {R " AWS_USE_FIPS_ENDPOINT=true", NULL, "https://dynamodb-fips.eu-west-1.amazonaws.com", false},
        {R, "[default]\nuse_dualstack_endpoint = true\n", "https://dynamodb.eu-west-1.api.aws", false},
        {R " AWS_USE_DUALSTACK_ENDPOINT=false", "[default]\nuse_dualstack_endpoint = true\n", AWS_URL, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        room r;
        latch_settings s;
        room_open(&r, 65536);
        if (read_with(&r, rows[i].environment, rows[i].config, &s) != LATCH_OK) fail_msg("row %zu: %s", i, r.cx.err.message);
        if (strcmp(s.url, rows[i].url) != 0) fail_msg("row %zu: %s, want %s", i, s.url, rows[i].url);
        if (s.local != rows[i].local) fail_msg("row %zu: local is %d", i, s.local);
        assert_int_equal(s.tls, strncmp(s.url, "https", 5) == 0);
        assert_string_equal(s.host, strstr(s.url, "://") + 3);
        room_close(&r);
    }
}

static void finds_the_region(void **state) {
    (void)state;
    static const struct {
        const char *environment, *config, *region;
    } rows[] = {
        {"AWS_REGION=eu-west-1 AWS_DEFAULT_REGION=eu-west-2", "[default]\nregion = eu-west-3\n", "eu-west-1"},
        {"AWS_REGION= AWS_DEFAULT_REGION=eu-west-2", "[default]\nregion = eu-west-3\n", "eu-west-2"},
        {"", "[default]\nregion = eu-west-3\n", "eu-west-3"},
        {"AWS_PROFILE=x", "[default]\nregion = eu-west-3\n[profile x]\nregion = eu-north-1\n", "eu-north-1"},
        {"AWS_DEFAULT_PROFILE=x", "[profile x]\nregion = eu-north-1\n", "eu-north-1"},
        {"AWS_PROFILE=y AWS_DEFAULT_PROFILE=x", "[profile x]\nregion = eu-north-1\n[profile y]\nregion = sa-east-1\n", "sa-east-1"},
        {"DYNAMODB_LOCAL_ENDPOINT=local", NULL, "us-east-1"},
        {"DYNAMODB_LOCAL_ENDPOINT=local AWS_REGION=eu-west-1", NULL, "eu-west-1"},
        {"AWS_ENDPOINT_URL=http://localhost:1", NULL, "us-east-1"},
        {"AWS_REGION=local", NULL, "us-east-1"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        room r;
        latch_settings s;
        room_open(&r, 65536);
        if (read_with(&r, rows[i].environment, rows[i].config, &s) != LATCH_OK) fail_msg("row %zu: %s", i, r.cx.err.message);
        if (strcmp(s.region, rows[i].region) != 0) fail_msg("row %zu: %s, want %s", i, s.region, rows[i].region);
        room_close(&r);
    }
}

/* Each is refused, and the message names what to change. */
static void says_what_to_set(void **state) {
    (void)state;
    static const struct {
        const char *environment, *config, *says;
    } rows[] = {
        {"", NULL, "no AWS region: set AWS_REGION (or AWS_DEFAULT_REGION, or region in the profile \"default\")"},
        {"AWS_ENDPOINT_URL=https://a.example", NULL, "no AWS region"},
        {"AWS_REGION=eu_west_1", NULL, "AWS_REGION is \"eu_west_1\", want a region"},
        {"AWS_REGION=EU-WEST-1", NULL, "small letters"},
        {"AWS_REGION=-eu", NULL, "AWS_REGION is"},
        {"AWS_REGION=eu-", NULL, "AWS_REGION is"},
        {"AWS_REGION=eu.example/", NULL, "AWS_REGION is"},
        {"AWS_REGION=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL, "AWS_REGION is"},
        {"AWS_DEFAULT_REGION=x@y", NULL, "AWS_DEFAULT_REGION is \"x@y\""},
        {"", "[default]\nregion = x y\n", "region is \"x y\""},
        {"", "[default]\nregion = eu\n  west\n", "region has a control byte"},
        {R " AWS_PROFILE=x", "[default]\nregion = eu-west-1\n", "the profile \"x\" (AWS_PROFILE) is neither in"},
        {R " AWS_DEFAULT_PROFILE=x", NULL, "(AWS_DEFAULT_PROFILE)"},
        {R, "[default]\nbroken\n", "line 2"},
        {R " DYNAMODB_CONNECTION_TIMEOUT=0", NULL, "DYNAMODB_CONNECTION_TIMEOUT is \"0\", want milliseconds, 1 to 2147483647"},
        {R " DYNAMODB_CONNECTION_TIMEOUT=5s", NULL, "\"5s\""},
        {R " DYNAMODB_CONNECTION_TIMEOUT=-1", NULL, "\"-1\""},
        {R " DYNAMODB_CONNECTION_TIMEOUT=+1", NULL, "\"+1\""},
        {R " DYNAMODB_CONNECTION_TIMEOUT=1.5", NULL, "\"1.5\""},
        {R " DYNAMODB_CONNECTION_TIMEOUT=2147483648", NULL, "\"2147483648\""},
        {R " DYNAMODB_CONNECTION_TIMEOUT=99999999999999999999", NULL, "milliseconds"},
        {R " AWS_USE_FIPS_ENDPOINT=yes", NULL, "AWS_USE_FIPS_ENDPOINT is \"yes\", want true or false"},
        {R, "[default]\nuse_fips_endpoint = 1\n", "use_fips_endpoint is \"1\""},
        {R " AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=1", NULL, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is \"1\""},
        {R " AWS_USE_FIPS_ENDPOINT=true AWS_ENDPOINT_URL=https://a.example", NULL,
         "AWS_ENDPOINT_URL and AWS_USE_FIPS_ENDPOINT are both set"},
        {R " AWS_USE_DUALSTACK_ENDPOINT=true DYNAMODB_LOCAL_ENDPOINT=local", NULL, "AWS_USE_DUALSTACK_ENDPOINT are both set"},
        {R " AWS_ACCOUNT_ID_ENDPOINT_MODE=always", NULL, "want preferred, disabled or required"},
        {R " AWS_ACCOUNT_ID_ENDPOINT_MODE=required AWS_USE_FIPS_ENDPOINT=true", NULL, "FIPS has no endpoints of accounts"},
        {"AWS_REGION=cn-north-1 AWS_ACCOUNT_ID_ENDPOINT_MODE=required", NULL, "cn-north-1 has no endpoints of accounts"},
        {R " DYNAMODB_LOCAL_ENDPOINT=localhost:8000", NULL, "DYNAMODB_LOCAL_ENDPOINT is \"localhost:8000\", want http:// or https://"},
        {R " AWS_ENDPOINT_URL_DYNAMODB=https://a.example/x", NULL,
         "AWS_ENDPOINT_URL_DYNAMODB is \"https://a.example/x\": DynamoDB has no path"},
        {R, "[default]\nendpoint_url = ftp://a.example\n", "endpoint_url is \"ftp://a.example\""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        room r;
        latch_settings s = {.local = true};
        room_open(&r, 65536);
        if (read_with(&r, rows[i].environment, rows[i].config, &s) != LATCH_E_MISUSE) fail_msg("row %zu isn't refused", i);
        if (strstr(r.cx.err.message, rows[i].says) == NULL)
            fail_msg("row %zu: \"%s\" doesn't say \"%s\"", i, r.cx.err.message, rows[i].says);
        assert_true(s.url == NULL && !s.local);
        room_close(&r);
    }
}

#define LABEL_63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void takes_urls_apart(void **state) {
    (void)state;
    static const struct {
        const char *given, *url, *host;
        bool loopback;
    } rows[] = {
        {"http://a", "http://a", "a", false},
        {"HTTPS://A.Example/", "https://a.example", "a.example", false},
        {"http://a:80", "http://a", "a", false},
        {"https://a:443/", "https://a", "a", false},
        {"https://a:80", "https://a:80", "a:80", false},
        {"http://a:443", "http://a:443", "a:443", false},
        {"http://a:00080", "http://a", "a", false},
        {"http://a:1", "http://a:1", "a:1", false},
        {"http://a:65535", "http://a:65535", "a:65535", false},
        {"http://dynamodb_local:8000", "http://dynamodb_local:8000", "dynamodb_local:8000", false},
        {"http://" LABEL_63, "http://" LABEL_63, LABEL_63, false},
        {"http://localhost", "http://localhost", "localhost", true},
        {"http://LOCALHOST", "http://localhost", "localhost", true},
        {"http://ddb.localhost:8000", "http://ddb.localhost:8000", "ddb.localhost:8000", true},
        {"http://notlocalhost", "http://notlocalhost", "notlocalhost", false},
        {"http://127.9.9.9", "http://127.9.9.9", "127.9.9.9", true},
        {"http://128.0.0.1", "http://128.0.0.1", "128.0.0.1", false},
        {"http://127.example", "http://127.example", "127.example", false},
        {"http://[::1]", "http://[::1]", "[::1]", true},
        {"https://[0:0:0:0:0:0:0:1]:8443/", "https://[0:0:0:0:0:0:0:1]:8443", "[0:0:0:0:0:0:0:1]:8443", true},
        {"http://[FD00:EC2::23]:80", "http://[fd00:ec2::23]", "[fd00:ec2::23]", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        room r;
        latch_endpoint e;
        room_open(&r, 4096);
        latch_status status = latch_endpoint_parse(&r.arena, "X", at_the_edge(latch_str_of(rows[i].given)), &e, &r.cx.err);
        if (status != LATCH_OK) fail_msg("row %zu: %s", i, r.cx.err.message);
        assert_string_equal(e.url, rows[i].url);
        assert_string_equal(e.host, rows[i].host);
        if (e.loopback != rows[i].loopback) fail_msg("row %zu: loopback is %d", i, e.loopback);
        assert_int_equal(e.tls, rows[i].url[4] == 's');
        room_close(&r);
    }
}

static void refuses_urls(void **state) {
    (void)state;
    static const struct {
        const char *given, *says;
    } rows[] = {
        {"", "want http:// or https://"},
        {"a.example", "want http:// or https://"},
        {"ftp://a", "want http:// or https://"},
        {"http:/a", "want http:// or https://"},
        {"unix:///run/x", "want http:// or https://"},
        {"http://", "no name and no address"},
        {"http:///", "no name and no address"},
        {"http://:80", "no name and no address"},
        {"http://a..b", "no name and no address"},
        {"http://.a", "no name and no address"},
        {"http://a.", "no name and no address"},
        {"http://a%41", "no name and no address"},
        {"http://caf\xC3\xA9", "no name and no address"},
        {"http://a\\b", "no name and no address"},
        {"http://" LABEL_63 "a", "no name and no address"},
        {"http://" LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63, "no name and no address"},
        {"http://[::1", "no name and no address"},
        {"http://[]", "no name and no address"},
        {"http://[::1%25eth0]", "no name and no address"},
        {"http://[1.2.3.4]", "no name and no address"},
        {"http://::1", "no name and no address"},
        {"http://a:", "a port is 1 to 65535"},
        {"http://a:0", "a port is 1 to 65535"},
        {"http://a:65536", "a port is 1 to 65535"},
        {"http://a:999999", "a port is 1 to 65535"},
        {"http://a:4294967376", "a port is 1 to 65535"},
        {"http://a:+80", "a port is 1 to 65535"},
        {"http://a:80:80", "a port is 1 to 65535"},
        {"http://[::1]x", "a port is 1 to 65535"},
        {"http://a/b", "no path but /"},
        {"http://a//", "no path but /"},
        {"http://a?token=hush", "has a query in it"},
        {"http://a#hush", "has a query in it"},
        {"http://me:hush@a", "has a user or a password"},
        {"http://a b", "a space or a control byte"},
        {"http://a\r\nx: hush", "a space or a control byte"},
        {"http://a\x7F", "a space or a control byte"},
        {"http://a\t", "a space or a control byte"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        room r;
        latch_endpoint e;
        room_open(&r, 4096);
        latch_status status = latch_endpoint_parse(&r.arena, "AWS_ENDPOINT_URL", at_the_edge(latch_str_of(rows[i].given)), &e, &r.cx.err);
        if (status != LATCH_E_MISUSE) fail_msg("row %zu isn't refused", i);
        if (strstr(r.cx.err.message, rows[i].says) == NULL) fail_msg("row %zu: \"%s\"", i, r.cx.err.message);
        assert_non_null(strstr(r.cx.err.message, "AWS_ENDPOINT_URL"));
        assert_null(strstr(r.cx.err.message, "hush"));
        assert_null(e.url);
        room_close(&r);
    }
}

/* Which of them are AWS's, and by whom their certificates are signed. */
static void recognises_aws(void **state) {
    (void)state;
    static const struct {
        const char *url;
        bool aws, amazon_roots;
    } rows[] = {
        {"https://dynamodb.eu-west-1.amazonaws.com", true, true},
        {"https://vpce-1.dynamodb.eu-west-1.vpce.amazonaws.com", true, true},
        {"https://123456789012.ddb.eu-west-1.amazonaws.com", true, true},
        {"https://dynamodb-fips.us-east-1.amazonaws.com", true, true},
        {"https://dynamodb.eu-west-1.api.aws", true, true},
        {"https://dynamodb.cn-north-1.amazonaws.com.cn", true, false},
        {"https://dynamodb.us-iso-east-1.c2s.ic.gov", true, false},
        {"https://dynamodb.eusc-de-east-1.amazonaws.eu", true, false},
        {"http://dynamodb.eu-west-1.amazonaws.com", false, false},
        {"https://ec2-1.compute.amazonaws.com", false, false},
        {"https://dynamodb.example.com", false, false},
        {"https://dynamodb.xamazonaws.com", false, false},
        {"https://dynamodbs.eu-west-1.amazonaws.com", false, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        room r;
        latch_endpoint e;
        room_open(&r, 4096);
        assert_int_equal(latch_endpoint_parse(&r.arena, "X", latch_str_of(rows[i].url), &e, &r.cx.err), LATCH_OK);
        if (e.aws != rows[i].aws || e.amazon_roots != rows[i].amazon_roots) fail_msg("row %zu", i);
        room_close(&r);
    }
}

typedef struct oracle_row {
    char region[64], account[16], mode[16], url[128];
    int fips, dualstack;
} oracle_row;

/* What we say, as endpoints.txt would have it. */
static void resolve(const oracle_row *row, char *out, size_t size) {
    char pairs[512];
    room r;
    latch_settings s;
    room_open(&r, 65536);
    snprintf(pairs, sizeof pairs, "AWS_REGION=%s AWS_USE_FIPS_ENDPOINT=%s AWS_USE_DUALSTACK_ENDPOINT=%s AWS_ACCOUNT_ID_ENDPOINT_MODE=%s",
             row->region, row->fips ? "true" : "false", row->dualstack ? "true" : "false", row->mode);
    latch_str account = latch_str_of(row->account[0] != '-' ? row->account : "");
    latch_status status = read_with(&r, pairs, NULL, &s);
    if (status == LATCH_OK) status = latch_settings_for_account(&r.cx, &s, account);
    if (status == LATCH_OK) assert_int_equal(latch_settings_for_account(&r.cx, &s, account), LATCH_OK); /* once more: nothing */
    snprintf(out, size, "%s", status == LATCH_OK ? s.url : "error");
    room_close(&r);
}

/* Compared with what botocore's own resolver says, of every region and each way to reach it. */
static void agrees_with_botocore(void **state) {
    (void)state;
    char line[512], url[256];
    size_t rows = 0, errors = 0, accounts = 0;
    FILE *f = fopen(LATCH_SOURCE_DIR "/tests/dynamodb/endpoints.txt", "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        oracle_row row;
        if (line[0] == '#') continue;
        assert_int_equal(sscanf(line, "%63s %d %d %15s %15s %127s", row.region, &row.fips, &row.dualstack, row.account, row.mode, row.url),
                         6);
        resolve(&row, url, sizeof url);
        if (strcmp(url, row.url) != 0) fail_msg("%s: %s, botocore says %s", row.region, url, row.url);
        rows++;
        errors += strcmp(url, "error") == 0;
        accounts += strstr(url, ".ddb.") != NULL;
    }
    fclose(f);
    assert_true(rows >= 1000 && errors >= 100 && accounts >= 100);
    static const oracle_row broken = {
        .region = "cn-north-1", .account = "-", .mode = "preferred", .url = "https://dynamodb.cn-north-1.amazonaws.com"};
    resolve(&broken, url, sizeof url); /* a table with a wrong suffix is noticed */
    assert_string_not_equal(url, broken.url);
}

static void asks_the_account(void **state) {
    (void)state;
    static const struct {
        const char *environment, *account, *url, *says;
    } rows[] = {
        {R, "", AWS_URL, NULL},
        {R, "123456789012", "https://123456789012.ddb.eu-west-1.amazonaws.com", NULL},
        {R " AWS_ACCOUNT_ID_ENDPOINT_MODE=DISABLED", "123456789012", AWS_URL, NULL},
        {R " AWS_USE_FIPS_ENDPOINT=true", "123456789012", "https://dynamodb-fips.eu-west-1.amazonaws.com", NULL},
        {R " AWS_ENDPOINT_URL=https://a.example", "123456789012", "https://a.example", NULL},
        {R " AWS_ENDPOINT_URL=https://a.example AWS_ACCOUNT_ID_ENDPOINT_MODE=required", "", "https://a.example", NULL},
        {"DYNAMODB_LOCAL_ENDPOINT=local", "123456789012", LOCAL, NULL},
        {R " AWS_ACCOUNT_ID_ENDPOINT_MODE=required", "", AWS_URL, "came without an account id: set AWS_ACCOUNT_ID"},
        {R, "12345678901", AWS_URL, "want 12 digits"},
        {R, "12345678901x", AWS_URL, "want 12 digits"},
        {R, "a.example.com/x", AWS_URL, "want 12 digits"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        room r;
        latch_settings s;
        room_open(&r, 65536);
        if (read_with(&r, rows[i].environment, NULL, &s) != LATCH_OK) fail_msg("row %zu: %s", i, r.cx.err.message);
        latch_status status = latch_settings_for_account(&r.cx, &s, latch_str_of(rows[i].account));
        if (status != (rows[i].says == NULL ? LATCH_OK : LATCH_E_MISUSE)) fail_msg("row %zu: %s", i, r.cx.err.message);
        if (rows[i].says != NULL && strstr(r.cx.err.message, rows[i].says) == NULL) fail_msg("row %zu: %s", i, r.cx.err.message);
        assert_string_equal(s.url, rows[i].url);
        assert_string_equal(s.host, strstr(rows[i].url, "://") + 3);
        room_close(&r);
    }
}

static void options_beat_variables(void **state) {
    (void)state;
    room r;
    latch_settings s;
    static const char config[] = "[profile x]\nca_bundle = /ca\n";
    room_open(&r, 65536);
    setenv("AWS_CONFIG_FILE", files_write("config", config, strlen(config)), 1);
    environment_set("AWS_REGION=eu-west-1 AWS_ENDPOINT_URL=https://a.example AWS_PROFILE=nowhere AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true");
    const latch_settings_options options = {.endpoint = "https://b.example", .region = "sa-east-1", .profile = "x"};
    if (latch_settings_read(&r.cx, &options, &s) != LATCH_OK) fail_msg("%s", r.cx.err.message);
    assert_string_equal(s.url, "https://b.example");
    assert_string_equal(s.region, "sa-east-1");
    assert_string_equal(s.profile, "x");
    assert_string_equal(s.ca_file, "/ca");
    assert_true(s.profile_named && !s.local);
    const latch_settings_options local = {.endpoint = "local", .profile = "x"};
    assert_int_equal(latch_settings_read(&r.cx, &local, &s), LATCH_OK);
    assert_string_equal(s.url, LOCAL);
    assert_true(s.local);
    const latch_settings_options wrong = {.region = "x y", .profile = "x"};
    assert_int_equal(latch_settings_read(&r.cx, &wrong, &s), LATCH_E_MISUSE);
    assert_non_null(strstr(r.cx.err.message, "the option region is \"x y\""));
    room_close(&r);
}

static void reads_the_rest(void **state) {
    (void)state;
    static const struct {
        const char *environment, *config, *ca_file;
        int64_t connect_ms;
    } rows[] = {
        {R, NULL, NULL, 5000},
        {R " DYNAMODB_CONNECTION_TIMEOUT=", NULL, NULL, 5000},
        {R " DYNAMODB_CONNECTION_TIMEOUT=1", NULL, NULL, 1},
        {R " DYNAMODB_CONNECTION_TIMEOUT=2147483647", NULL, NULL, 2147483647},
        {R " SSL_CERT_FILE=/s", NULL, "/s", 5000},
        {R " SSL_CERT_FILE=/s", "[default]\nca_bundle = /p\n", "/p", 5000},
        {R " SSL_CERT_FILE=/s AWS_CA_BUNDLE=/a", "[default]\nca_bundle = /p\n", "/a", 5000},
        {R " SSL_CERT_FILE= AWS_CA_BUNDLE=", NULL, NULL, 5000},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        room r;
        latch_settings s;
        room_open(&r, 65536);
        if (read_with(&r, rows[i].environment, rows[i].config, &s) != LATCH_OK) fail_msg("row %zu: %s", i, r.cx.err.message);
        assert_int_equal(s.connect_timeout_ms, rows[i].connect_ms);
        assert_true((s.ca_file == NULL) == (rows[i].ca_file == NULL));
        if (s.ca_file != NULL) assert_string_equal(s.ca_file, rows[i].ca_file);
        assert_string_equal(s.profile, "default");
        assert_false(s.profile_named);
        room_close(&r);
    }
}

/* One line where a desk's variables are ignored, none where they hold or aren't there. */
static void tells_what_is_ignored(void **state) {
    (void)state;
    static const struct {
        const char *environment, *names;
    } rows[] = {
        {R LAMBDA " DYNAMODB_LOCAL_ENDPOINT=local NODE_ENV=development", "DYNAMODB_LOCAL_ENDPOINT"},
        {R LAMBDA " NODE_ENV=development", "NODE_ENV"},
        {R LAMBDA " AWS_ENDPOINT_URL=https://a.example DYNAMODB_LOCAL_ENDPOINT=local", "DYNAMODB_LOCAL_ENDPOINT"},
        {R LAMBDA " NODE_ENV=production", NULL},
        {R LAMBDA, NULL},
        {R " DYNAMODB_LOCAL_ENDPOINT=local", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        room r;
        latch_settings s;
        char seen[1024] = "";
        latch_log log = {.fd = open(files_path("log"), O_RDWR | O_CREAT | O_TRUNC, 0600), .format = LATCH_LOG_TEXT};
        room_open(&r, 65536);
        r.cx.log = &log;
        assert_int_equal(read_with(&r, rows[i].environment, NULL, &s), LATCH_OK);
        ssize_t n = pread(log.fd, seen, sizeof seen - 1, 0);
        close(log.fd);
        if (rows[i].names == NULL && n != 0) fail_msg("row %zu: %s", i, seen);
        if (rows[i].names != NULL && (strstr(seen, rows[i].names) == NULL || strchr(seen, '\n') != seen + n - 1))
            fail_msg("row %zu: %s", i, seen);
        room_close(&r);
    }
}

static const char *or_none(const char *s) { return s != NULL ? s : "none"; }

static void says_where_it_is_from(void **state) {
    (void)state;
    static const char config[] = "[default]\nregion = eu-west-1\nca_bundle = /ca\nendpoint_url = https://d.example\n";
    static const struct {
        const char *environment, *config, *region, *endpoint, *ca;
    } rows[] = {
        {R, NULL, "AWS_REGION", "none", "none"},
        {"AWS_DEFAULT_REGION=eu-west-1 AWS_CA_BUNDLE=/a SSL_CERT_FILE=/b", NULL, "AWS_DEFAULT_REGION", "none", "AWS_CA_BUNDLE"},
        {R " AWS_ENDPOINT_URL=https://a.example SSL_CERT_FILE=/b", NULL, "AWS_REGION", "AWS_ENDPOINT_URL", "SSL_CERT_FILE"},
        {"AWS_ENDPOINT_URL_DYNAMODB=http://localhost:1", NULL, "none", "AWS_ENDPOINT_URL_DYNAMODB", "none"},
        {"NODE_ENV=development", NULL, "none", "NODE_ENV", "none"},
        {"AWS_REGION=local", NULL, "AWS_REGION", "the region local", "none"},
        {"", config, "region", "endpoint_url", "ca_bundle"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        room r;
        latch_settings s;
        room_open(&r, 65536);
        if (read_with(&r, rows[i].environment, rows[i].config, &s) != LATCH_OK) fail_msg("row %zu: %s", i, r.cx.err.message);
        assert_string_equal(or_none(s.region_from), rows[i].region);
        assert_string_equal(or_none(s.endpoint_from), rows[i].endpoint);
        assert_string_equal(or_none(s.ca_from), rows[i].ca);
        room_close(&r);
    }
}

/* With every size of the arena: settings, or that there is no memory. */
static void survives_full_arenas(void **state) {
    (void)state;
    static const char config[] = "[default]\nregion = eu-west-1\nca_bundle = /ca\n";
    static const char *const environments[] = {"", "AWS_ENDPOINT_URL=https://a.example"};
    for (size_t i = 0; i < COUNT_OF(environments); i++) {
        bool enough = false;
        for (size_t size = 0; size < 1024; size += 16) {
            room r;
            latch_settings s;
            room_open(&r, size);
            latch_status status = read_with(&r, environments[i], config, &s);
            if (status == LATCH_OK) status = latch_settings_for_account(&r.cx, &s, LATCH_STR("123456789012"));
            if (status != LATCH_OK && status != LATCH_E_NOMEM) fail_msg("%zu bytes: %s", size, r.cx.err.message);
            if (enough && status != LATCH_OK) fail_msg("%zu bytes are not enough, less were", size);
            enough = status == LATCH_OK;
            room_close(&r);
        }
        assert_true(enough);
    }
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, files_set_up, files_tear_down)
static const struct CMUnitTest tests[] = {
    ROW(finds_the_endpoint),    ROW(finds_the_region),      ROW(says_what_to_set),     ROW(takes_urls_apart),       ROW(refuses_urls),
    ROW(recognises_aws),        ROW(agrees_with_botocore),  ROW(asks_the_account),     ROW(options_beat_variables), ROW(reads_the_rest),
    ROW(tells_what_is_ignored), ROW(says_where_it_is_from), ROW(survives_full_arenas),
};

CHECK_MAIN(tests)
