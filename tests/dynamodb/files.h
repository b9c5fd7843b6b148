/* files.h - a folder of files for one test, and the environment that AWS's tools read, empty but for what the test sets. */
#ifndef TESTS_DYNAMODB_FILES_H
#define TESTS_DYNAMODB_FILES_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char files_dir[256];

static inline void files_open(void) {
    const char *in = getenv("TMPDIR");
    snprintf(files_dir, sizeof files_dir, "%s/latch-test-XXXXXX", in != NULL && *in != '\0' ? in : "/tmp");
    if (mkdtemp(files_dir) == NULL) abort();
}

static inline const char *files_path(const char *name) {
    static char paths[4][512];
    static size_t turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", files_dir, name);
    return path;
}

static inline const char *files_write(const char *name, const char *bytes, size_t len) {
    const char *path = files_path(name);
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(bytes, 1, len, f) != len || fclose(f) != 0) abort();
    return path;
}

static inline void files_close(void) {
    DIR *dir = opendir(files_dir);
    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.') continue;
        if (unlink(files_path(e->d_name)) != 0) rmdir(files_path(e->d_name));
    }
    if (dir != NULL) closedir(dir);
    rmdir(files_dir);
}

/* Nothing of the machine's own set-up; HOME is the folder, so that there is no profile but the test's. */
static inline void environment_clear(void) {
    for (size_t i = 0; environ[i] != NULL;) {
        char name[128] = "";
        size_t len = strcspn(environ[i], "=");
        bool matters = strncmp(environ[i], "AWS_", 4) == 0 || strncmp(environ[i], "DYNAMODB_", 9) == 0;
        if (matters && len < sizeof name) {
            memcpy(name, environ[i], len);
            unsetenv(name);
            continue;
        }
        i++;
    }
    unsetenv("NODE_ENV");
    unsetenv("SSL_CERT_FILE");
    setenv("HOME", files_dir, 1);
}

/* A set-up and a tear-down for cmocka, where a test needs nothing else. */
static inline int files_set_up(void **state) {
    (void)state;
    files_open();
    environment_clear();
    return 0;
}

static inline int files_tear_down(void **state) {
    (void)state;
    files_close();
    return 0;
}

/* "NAME=value NAME=value": single spaces, none inside. "%s" in a value is the folder. */
static inline void environment_set(const char *pairs) {
    char text[2048], one[1024];
    for (const char *at = pairs; at != NULL && *at != '\0';) {
        size_t len = strcspn(at, " ");
        if (len >= sizeof one) abort();
        snprintf(one, sizeof one, "%.*s", (int)len, at);
        char *value = strchr(one, '=');
        if (value == NULL) abort();
        *value++ = '\0';
        const char *mark = strstr(value, "%s");
        if (mark != NULL) snprintf(text, sizeof text, "%.*s%s%s", (int)(mark - value), value, files_dir, mark + 2);
        setenv(one, mark != NULL ? text : value, 1);
        at += len + (at[len] == ' ');
    }
}

#endif
