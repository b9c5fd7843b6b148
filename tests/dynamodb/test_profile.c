#include "store/dynamodb/profile.h"

#include <sys/stat.h>

#include "core/err.h"
#include "tests/check.h"
#include "tests/core/room.h"
#include "tests/dynamodb/files.h"

/* Every entry of a text on one line: "[section]", "key=value", "key.sub=value"; "!n" where line n is broken. */
static void write_down(latch_str text, char *out, size_t size) {
    latch_profile_reader reader = latch_profile_read(at_the_edge(text));
    latch_profile_entry e;
    size_t len = 0;
    out[0] = '\0';
    while (latch_profile_next(&reader, &e)) {
        assert_true(e.section.len > 0 && len < size);
        if (e.key.len == 0) {
            len += (size_t)snprintf(out + len, size - len, "[%.*s]", LATCH_ARG(e.section));
            continue;
        }
        len += (size_t)snprintf(out + len, size - len, "%.*s%s%.*s=%.*s;", LATCH_ARG(e.key), e.sub.len > 0 ? "." : "", LATCH_ARG(e.sub),
                                LATCH_ARG(e.value));
    }
    if (reader.broken) (void)snprintf(out + len, size - len, "!%zu", reader.line);
}

static void reads_entries(void **state) {
    (void)state;
    static const struct {
        const char *text, *entries;
    } rows[] = {
        {"", ""},
        {"\n\n  \t\n", ""},
        {"# a\n; b\n  # c\n", ""},
        {"[default]", "[default]"},
        {"[default]\nregion=eu-west-1", "[default]region=eu-west-1;"},
        {"[default]\r\nregion = eu-west-1\r\n\r\noutput = json\r\n", "[default]region=eu-west-1;output=json;"},
        {"\xEF\xBB\xBF[default]\na=b\n", "[default]a=b;"},
        {" [ profile  a b ] ; why\na=b\n", "[profile  a b]a=b;"},
        {"[a]\nb\t=\tc d\t\n", "[a]b=c d;"},
        {"[a]\nb=c=d\n", "[a]b=c=d;"},
        {"[a]\nb = c # d\ne = f#g\nh = i ; j\nk = l;m\n", "[a]b=c;e=f#g;h=i;k=l;m;"},
        {"[a]\nb = # c\nd =#e\n", "[a]b=;d=#e;"},
        {"[a]\nb =\n  c = d\n\n  # x\n  e = f # g\nh = i\n", "[a]b=;b.c=d;b.e=f;h=i;"},
        {"[a]\nb = c\n  d\n\n  e = f\nh = i\n", "[a]b=c\n  d\n\n  e = f;h=i;"},
        {"[a]\n  b = c\n  d = e\n   f\n", "[a]b=c;d=e\n   f;"}, /* deeper counts, not deep */
        {"[a]\nb =\n[c]\n  d = e\n", "[a]b=;[c]d=e;"},
        {"[a]\nb = c\n  [d]\n", "[a]b=c\n  [d];"},
        {"[a]\nb = c\n[a]\nb = d\n", "[a]b=c;[a]b=d;"},
        {"[a]\nb = c\n  d\n[\n", "[a]b=c\n  d;!4"}, /* the lines of a value are counted */
        {"a = b\n", "!1"},
        {"[default]\n\nregion\n", "[default]!3"},
        {"[default]\n= x\n", "[default]!2"},
        {"[default\nregion = x\n", "!1"},
        {"[]\n", "!1"},
        {"[ ]\n", "!1"},
        {"[a]\nb =\n  c\n", "[a]b=;!3"},
        {"[a]\nb =\n  = c\n", "[a]b=;!3"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char seen[512];
        write_down(latch_str_of(rows[i].text), seen, sizeof seen);
        if (strcmp(seen, rows[i].entries) != 0) fail_msg("row %zu: \"%s\", want \"%s\"", i, seen, rows[i].entries);
    }
}

/* Every beginning of a text, and every text with one byte changed, is read to its end. */
static void survives_cuts_and_flips(void **state) {
    (void)state;
    static const char text[] = "# x\r\n[profile \"a\"]\r\nb = c ; d\n  e\nf =\n  g = h\n[services i]\n";
    char seen[512], copy[sizeof text];
    for (size_t len = 0; len < sizeof text; len++)
        write_down((latch_str){text, len}, seen, sizeof seen);
    for (size_t i = 0; i < sizeof text - 1; i++) {
        for (size_t j = 0; j < 8; j++) {
            memcpy(copy, text, sizeof text);
            copy[i] = "\n\r\t []=\0"[j];
            write_down((latch_str){copy, sizeof text - 1}, seen, sizeof seen);
        }
    }
}

static void open_profile(latch_profile *out, const char *name, const char *credentials, const char *config) {
    latch_err err = {0};
    if (credentials != NULL) setenv("AWS_SHARED_CREDENTIALS_FILE", files_write("credentials", credentials, strlen(credentials)), 1);
    if (config != NULL) setenv("AWS_CONFIG_FILE", files_write("config", config, strlen(config)), 1);
    if (latch_profile_open(out, name, &err) != LATCH_OK) fail_msg("%s", err.message);
}

static void finds_the_profile(void **state) {
    (void)state;
    static const struct {
        const char *name, *credentials, *config, *region; /* region: "" where there is none, NULL where there is no such profile */
    } rows[] = {
        {"default", NULL, "[default]\nregion = a\n", "a"},
        {"default", NULL, "[profile default]\nregion = a\n[default]\nregion = b\n", "a"},
        {"default", NULL, "[default]\nregion = b\n[profile default]\nregion = a\n", "a"},
        {"default", "[default]\nregion = a\n", "[default]\nregion = b\n", "a"},
        {"default", "[profile default]\nregion = a\n", "[other]\n", NULL},
        {"x", NULL, "[x]\nregion = a\n", NULL},
        {"x", NULL, "[profile x]\nREGION = a\n", "a"},
        {"x", NULL, "[profile\tx]\nregion = a\nregion = b\n", "b"},
        {"x", NULL, "[profile x]\nregion = a\n[profile y]\nregion = b\n[profile x]\noutput = c\n", "a"},
        {"x", NULL, "[profilex]\nregion = a\n", NULL},
        {"x y", NULL, "[profile \"x y\"]\nregion = a\n", "a"},
        {"x y", NULL, "[profile 'x y']\nregion = a\n", "a"},
        {"x y", NULL, "[profile x y]\nregion = a\n", "a"},
        {"x", "[x]\nregion = a\n", NULL, "a"},
        {"x", "[x]\nregion =\n  region = b\n", NULL, ""},
        {"x", "[X]\nregion = a\n", NULL, NULL},
        {"x", "[x]\n", "[profile x]\nregion = a\n", "a"},
        {"services", NULL, "[services services]\nregion = a\n", NULL},
        {"", NULL, "[profile ]\nregion = a\n", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_profile p;
        environment_clear();
        open_profile(&p, rows[i].name, rows[i].credentials, rows[i].config);
        latch_str region = latch_profile_find(&p, "region");
        if (p.exists != (rows[i].region != NULL)) fail_msg("row %zu: exists is %d", i, p.exists);
        if (!latch_str_eq(region, latch_str_of(rows[i].region))) fail_msg("row %zu: \"%.*s\"", i, LATCH_ARG(region));
        latch_profile_close(&p);
    }
}

static void reads_each_file_alone(void **state) {
    (void)state;
    latch_profile p;
    open_profile(&p, "x", "[x]\nkey = a\n", "[profile x]\nkey = b\nonly = c\n");
    assert_text(latch_profile_get(&p, LATCH_PROFILE_CREDENTIALS, "key"), "a");
    assert_text(latch_profile_get(&p, LATCH_PROFILE_CONFIG, "key"), "b");
    assert_text(latch_profile_get(&p, LATCH_PROFILE_CREDENTIALS, "only"), "");
    assert_text(latch_profile_find(&p, "only"), "c");
    latch_profile_close(&p);
}

static void finds_services(void **state) {
    (void)state;
    latch_profile p;
    open_profile(&p, "x", NULL,
                 "[profile x]\nservices = desk\ndynamodb =\n  endpoint_url = no\n[services desk]\nsqs =\n  endpoint_url = no\ndynamodb =\n"
                 "  endpoint_url = yes\n[services other]\ndynamodb =\n  endpoint_url = no\n");
    assert_text(latch_profile_service(&p, LATCH_STR("desk"), "dynamodb", "endpoint_url"), "yes");
    assert_text(latch_profile_service(&p, LATCH_STR("none"), "dynamodb", "endpoint_url"), "");
    assert_text(latch_profile_service(&p, LATCH_STR(""), "dynamodb", "endpoint_url"), "");
    latch_profile_close(&p);
}

static void finds_the_files(void **state) {
    (void)state;
    static const struct {
        const char *environment, *region;
    } rows[] = {
        {"", ""},                            /* HOME has none */
        {"AWS_CONFIG_FILE=%s/b", "b"},       /* as it stands */
        {"AWS_CONFIG_FILE=~/b", "b"},        /* ~ is HOME */
        {"AWS_CONFIG_FILE=%s/nowhere", ""},  /* not there */
        {"AWS_CONFIG_FILE=%s/b/c", ""},      /* not even a folder */
        {"AWS_CONFIG_FILE= HOME=%s/h", "h"}, /* empty is unset */
        {"HOME=%s/h", "h"},
        {"HOME=", ""}, /* nowhere to look */
        {"HOME=%s/h AWS_SHARED_CREDENTIALS_FILE=%s/b", "b"},
    };
    mkdir(files_path("h"), 0700);
    mkdir(files_path("h/.aws"), 0700);
    files_write("h/.aws/config", "[default]\nregion = h\n", 21);
    files_write("b", "[default]\nregion = b\n", 21);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_profile p;
        environment_clear();
        environment_set(rows[i].environment);
        open_profile(&p, "default", NULL, NULL);
        latch_str region = latch_profile_find(&p, "region");
        if (!latch_str_eq(region, latch_str_of(rows[i].region))) fail_msg("row %zu: \"%.*s\"", i, LATCH_ARG(region));
        latch_profile_close(&p);
    }
    unlink(files_path("h/.aws/config"));
    rmdir(files_path("h/.aws"));
}

static void must_fail(const char *says, const char *says_not) {
    latch_profile p;
    latch_err err = {0};
    assert_int_equal(latch_profile_open(&p, "default", &err), LATCH_E_MISUSE);
    if (strstr(err.message, says) == NULL) fail_msg("\"%s\" doesn't say \"%s\"", err.message, says);
    if (strstr(err.message, says_not) != NULL) fail_msg("\"%s\" says \"%s\"", err.message, says_not);
    assert_null(p.paths[0]);
    assert_null(p.texts[0].ptr);
}

static void says_what_cannot_be_read(void **state) {
    (void)state;
    static char large[LATCH_PROFILE_MAX_BYTES + 1];
    setenv("AWS_CONFIG_FILE", files_dir, 1);
    must_fail("can't be read: Is a directory", "?");
    setenv("AWS_CONFIG_FILE", files_write("broken", "[default]\nSECRET\n", 17), 1);
    must_fail("broken\", line 2", "SECRET");
    memset(large, '\n', sizeof large);
    setenv("AWS_CONFIG_FILE", files_write("large", large, sizeof large), 1);
    must_fail("has over 1048576 bytes", "?");
    latch_profile p;
    latch_err err = {0};
    setenv("AWS_CONFIG_FILE", files_write("large", large, sizeof large - 1), 1);
    assert_int_equal(latch_profile_open(&p, "default", &err), LATCH_OK); /* the largest that is allowed */
    assert_int_equal(p.texts[LATCH_PROFILE_CONFIG].len, LATCH_PROFILE_MAX_BYTES);
    latch_profile_close(&p);
    unsetenv("HOME");
    setenv("AWS_CONFIG_FILE", "~/config", 1);
    must_fail("HOME isn't set", "?");
}

/* A file without the right to read it is an error; one in a folder that may not be looked into is as if it weren't there. */
static void says_what_may_not_be_read(void **state) {
    (void)state;
    bool is_root = geteuid() == 0;
    files_write("config", "[default]\nregion = a\n", 21);
    if (chmod(files_path("config"), 0) != 0 || chmod(files_dir, 0755) != 0) fail();
    setenv("AWS_CONFIG_FILE", files_path("config"), 1);
    if (is_root && seteuid(65534) != 0) fail(); /* nobody */
    latch_profile p;
    latch_err err = {0};
    latch_status unreadable = latch_profile_open(&p, "default", &err);
    if (is_root && seteuid(0) != 0) fail();
    assert_int_equal(unreadable, LATCH_E_MISUSE);
    assert_non_null(strstr(err.message, "can't be read: Permission denied"));
    if (chmod(files_dir, 0) != 0 || (is_root && seteuid(65534) != 0)) fail();
    latch_status hidden = latch_profile_open(&p, "default", &err);
    if (is_root && seteuid(0) != 0) fail();
    if (chmod(files_dir, 0700) != 0) fail();
    assert_int_equal(hidden, LATCH_OK);
    assert_false(p.exists);
    latch_profile_close(&p);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, files_set_up, files_tear_down)
static const struct CMUnitTest tests[] = {
    ROW(reads_entries),  ROW(survives_cuts_and_flips), ROW(finds_the_profile),        ROW(reads_each_file_alone),
    ROW(finds_services), ROW(finds_the_files),         ROW(says_what_cannot_be_read), ROW(says_what_may_not_be_read),
};

CHECK_MAIN(tests)
