#include "latch_run.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/check.h"

char latch_run_url[64], latch_run_table[64];
pid_t latch_run_server;

static FILE *server_log; /* its standard output, which the next program that runs here takes the name of */

/* ── where ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void start_latch_local(void) {
    local_program = LATCH_LOCAL;
    latch_run_server = local_start((const char *const[]){"dynamodb", "--port", "0", "--verbose", NULL});
    char *out = local_await("out", "\n"), *at = out != NULL ? strstr(out, "http://127.0.0.1:") : NULL;
    assert_non_null(at);
    snprintf(latch_run_url, sizeof latch_run_url, "%.*s", (int)strspn(at, "htp:/.0123456789"), at);
    free(out);
    server_log = fopen("out", "r");
    assert_non_null(server_log);
}

static void use_the_one_of_the_run(const char *file) {
    char *text = local_read(file, NULL);
    assert_non_null(text);
    snprintf(latch_run_url, sizeof latch_run_url, "%.*s", (int)strcspn(text, "\n"), text);
    free(text);
}

int latch_run_set_up(void **state) {
    static const char *const unset[] = {"LATCH_TABLE",
                                        "LATCH_STORE",
                                        "AWS_PROFILE",
                                        "AWS_REGION",
                                        "AWS_DEFAULT_REGION",
                                        "AWS_SESSION_TOKEN",
                                        "AWS_ENDPOINT_URL",
                                        "AWS_ENDPOINT_URL_DYNAMODB",
                                        "DYNAMODB_LOCAL_ENDPOINT",
                                        "NODE_ENV"};
    const char *file = getenv("LATCH_TEST_ENDPOINT_FILE");
    (void)state;
    for (size_t i = 0; i < COUNT_OF(unset); i++)
        unsetenv(unset[i]);
    setenv("AWS_ACCESS_KEY_ID", "test", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "test", 1);
    setenv("AWS_CONFIG_FILE", "none", 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "none", 1);
    local_init();
    if (file == NULL) start_latch_local();
    if (file != NULL) use_the_one_of_the_run(file);
    local_program = LATCH_TOOL;
    snprintf(latch_run_table, sizeof latch_run_table, "latch-table-%ld", (long)getpid());
    return 0;
}

int latch_run_tear_down(void **state) {
    (void)state;
    local_program = LATCH_TOOL;
    local_run run =
        latch_run(LATCH_RUN_WORDS("table", "delete", latch_run_table, "--yes", "--endpoint", latch_run_url, "--region", LATCH_REGION));
    local_forget(&run);
    if (latch_run_server > 0) {
        kill(latch_run_server, SIGTERM);
        assert_int_equal(local_wait(latch_run_server), 0);
        fclose(server_log);
    }
    latch_run_server = 0;
    local_clean_up();
    return 0;
}

/* ── run ────────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

local_run latch_run(const char *const *words) { return local_play(words, NULL, NULL); }

void latch_run_operations(const char *const *known, char *out, size_t room) {
    char line[512], name[64];
    uint64_t seen = 0;
    size_t len = 0;
    clearerr(server_log);
    while (fgets(line, sizeof line, server_log) != NULL) {
        if (sscanf(line, "%*d:%*d:%*d %63s", name) != 1 || strcmp(name, "GET") == 0) continue; /* a look at the clock, as the store opens */
        size_t i = 0;
        while (known[i] != NULL && strcmp(known[i], name) != 0)
            i++;
        if (known[i] == NULL) fail_msg("%s: is no operation that is known here", name);
        seen |= UINT64_C(1) << i;
    }
    *out = '\0';
    for (size_t i = 0; known[i] != NULL; i++)
        if ((seen >> i & 1) != 0) len += (size_t)snprintf(out + len, room - len, "%s%s", len > 0 ? " " : "", known[i]);
}

void latch_run_expect(local_run run, int exit_status, const char *out, const char *err) {
    bool ok = run.exit_status == exit_status && (out != NULL ? strstr(run.out, out) != NULL : *run.out == '\0') &&
              (err != NULL ? strstr(run.err, err) != NULL : *run.err == '\0');
    if (!ok) fail_msg("status %d\n%s\n%s\nwant status %d, \"%s\", \"%s\"", run.exit_status, run.out, run.err, exit_status, out, err);
    local_forget(&run);
}

void latch_run_expect_each(const latch_run_row *rows, size_t count) {
    for (size_t i = 0; i < count; i++)
        latch_run_expect(latch_run(rows[i].words), rows[i].exit_status, rows[i].out, rows[i].err);
}

latch_run_asked latch_run_until_asked(const char *const *words) {
    latch_run_asked asked = {.terminal = posix_openpt(O_RDWR | O_NOCTTY)};
    char name[64];
    assert_true(asked.terminal >= 0 && grantpt(asked.terminal) == 0 && unlockpt(asked.terminal) == 0);
    assert_int_equal(ptsname_r(asked.terminal, name, sizeof name), 0);
    unlink("err"); /* the run before it may have asked too */
    asked.pid = local_start_on(words, name);
    char *err = local_await("err", "[yes/no] ");
    if (err == NULL) fail_msg("%s didn't ask", local_program);
    free(err);
    return asked;
}

local_run latch_run_answered(latch_run_asked asked, const char *answer) {
    local_run run = {0};
    assert_int_equal(write(asked.terminal, answer, strlen(answer)), strlen(answer));
    run.exit_status = local_wait(asked.pid);
    close(asked.terminal);
    run.out = local_read("out", NULL);
    run.err = local_read("err", NULL);
    assert_true(run.out != NULL && run.err != NULL);
    if (strstr(run.err, "Sanitizer") != NULL || strstr(run.err, "runtime error:") != NULL) fail_msg("%s", run.err);
    return run;
}
