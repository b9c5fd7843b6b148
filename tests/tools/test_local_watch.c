#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/err.h"
#include "local.h"
#include "tests/check.h"
#include "watch.h"

static latch_loop loop;
static latch_watcher *watcher;
static latch_err err;
static unsigned changes, waits;
static char why[64];

static void on_change(void *arg, const char *path) {
    (void)arg;
    assert_non_null(path);
    changes++;
}

static void on_wait(void *arg, const char *path, const char *reason) {
    (void)arg, (void)path;
    snprintf(why, sizeof why, "%s", reason);
    waits++;
}

static int set_up(void **state) {
    (void)state;
    local_init();
    changes = waits = 0;
    assert_true(latch_loop_init(&loop));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    latch_watcher_stop(watcher);
    watcher = NULL;
    latch_loop_clean_up(&loop);
    local_clean_up();
    return 0;
}

static void make(const char *path, const char *text) {
    local_write(path, text);
    assert_int_equal(chmod(path, 0755), 0);
}

static void watch(const char *path, char *const *more) {
    const latch_watcher_config config = {.loop = &loop, .program = path, .more = more, .on_change = on_change, .on_wait = on_wait};
    assert_int_equal(latch_watcher_start(&config, &watcher, &err), LATCH_OK);
}

static void wake(void *arg) { *(bool *)arg = true; }

/* Lets the watcher look for so long, or until it has told of one more thing. */
static bool is_told(unsigned *counter, int64_t ms) {
    unsigned before = *counter;
    bool over = false;
    latch_timer timer = {.fn = wake, .arg = &over};
    latch_loop_arm(&loop, &timer, ms);
    while (!over && *counter == before)
        latch_loop_step(&loop);
    latch_loop_disarm(&loop, &timer);
    return *counter > before;
}

#define CHANGED is_told(&changes, 5000)
#define UNCHANGED (!is_told(&changes, 250))
#define WAITS is_told(&waits, 5000)

static void rename_over(void) {
    make("build/new", "two");
    assert_int_equal(rename("build/new", "build/bootstrap"), 0);
}

static void delete_and_make(void) {
    assert_int_equal(unlink("build/bootstrap"), 0);
    make("build/bootstrap", "two");
}

static void write_over(void) { local_write("build/bootstrap", "two!"); }

static void remove_the_folder(void) {
    assert_int_equal(unlink("build/bootstrap"), 0);
    assert_int_equal(rmdir("build"), 0);
    make("build/bootstrap", "two");
}

static void move_the_folder(void) {
    make("next/bootstrap", "two");
    assert_int_equal(rename("build", "old"), 0);
    assert_int_equal(rename("next", "build"), 0);
}

static void touch(void) { assert_int_equal(utimensat(AT_FDCWD, "build/bootstrap", (struct timespec[2]){{1, 2}, {3, 4}}, 0), 0); }

static void tells_of_every_way_to_build(void **state) {
    static void (*const rows[])(void) = {rename_over, delete_and_make, write_over, remove_the_folder, move_the_folder, touch};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        make("build/bootstrap", "one");
        watch("build/bootstrap", NULL);
        rows[i]();
        if (!CHANGED) fail_msg("row %zu was not told of", i);
        assert_true(UNCHANGED); /* once */
        latch_watcher_stop(watcher);
    }
    watcher = NULL;
    assert_int_equal(waits, 0);
}

static void follows_symbolic_links(void **state) {
    (void)state;
    make("v1/bootstrap", "one");
    make("v2/bootstrap", "two");
    make("v2/other", "three");
    assert_int_equal(symlink("v1", "current"), 0);
    assert_int_equal(symlink("current/bootstrap", "link"), 0);
    watch("./link", NULL);
    make("v1/bootstrap", "one, again"); /* behind both */
    assert_true(CHANGED);
    assert_int_equal(symlink("v2", "next"), 0);
    assert_int_equal(rename("next", "current"), 0); /* the folder's */
    assert_true(CHANGED);
    make("v1/bootstrap", "nobody's"); /* where it led before */
    assert_true(UNCHANGED);
    make("v2/bootstrap", "two, again");
    assert_true(CHANGED);
    assert_int_equal(symlink("v2/other", "next"), 0);
    assert_int_equal(rename("next", "link"), 0); /* its own */
    assert_true(CHANGED);
}

static void ignores_what_is_beside_it(void **state) {
    (void)state;
    make("build/bootstrap", "one");
    watch("build/bootstrap", NULL);
    make("build/other", "two");
    assert_int_equal(rename("build/other", "build/another"), 0);
    assert_int_equal(chmod("build/bootstrap", 0700), 0); /* it runs as it did */
    assert_true(UNCHANGED);
}

/* While a linker has it open nothing is told, however long that takes. */
static void waits_until_it_is_written(void **state) {
    (void)state;
    make("build/bootstrap", "one");
    watch("build/bootstrap", NULL);
    int fd = open("build/bootstrap", O_WRONLY | O_TRUNC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "tw", 2), 2);
    assert_true(UNCHANGED);
    assert_int_equal(write(fd, "o", 1), 1);
    make("build/map", "the linker's"); /* something wakes the watcher in between */
    assert_true(WAITS);
    assert_string_equal(why, "is being written");
    assert_int_equal(changes, 0);
    close(fd);
    assert_true(CHANGED);
}

/* A build writes, strips, signs: told of is what nobody touched for 50 ms. */
static void waits_until_it_is_quiet(void **state) {
    int64_t changed_at_ns = 0;
    (void)state;
    make("build/bootstrap", "one");
    watch("build/bootstrap", NULL);
    for (int i = 0; i < 12 && changes == 0; i++) {
        make("build/new", "another");
        changed_at_ns = latch_now_ns();
        assert_int_equal(rename("build/new", "build/bootstrap"), 0);
        is_told(&changes, 20);
    }
    if (changes == 0) assert_true(CHANGED);
    assert_true(latch_now_ns() - changed_at_ns >= 50 * 1000000);
}

static void waits_until_it_is_there(void **state) {
    (void)state;
    make("build/bootstrap", "one");
    watch("build/bootstrap", NULL);
    unlink("build/bootstrap");
    assert_true(WAITS);
    assert_string_equal(why, "is gone");
    rmdir("build");
    assert_false(is_told(&waits, 700)); /* that it is gone is said once */
    local_write("build/bootstrap", "two");
    assert_true(WAITS);
    assert_string_equal(why, "is not executable");
    assert_int_equal(changes, 0);
    chmod("build/bootstrap", 0755);
    assert_true(CHANGED);
}

/* It comes back as it was: a build that failed, and an undo. */
static void the_old_one_is_no_change(void **state) {
    (void)state;
    make("build/bootstrap", "one");
    watch("build/bootstrap", NULL);
    assert_int_equal(rename("build/bootstrap", "build/kept"), 0);
    assert_true(WAITS);
    assert_int_equal(rename("build/kept", "build/bootstrap"), 0);
    assert_true(UNCHANGED);
    make("build/bootstrap", "two");
    assert_true(CHANGED);
}

static void files_that_it_is_given_count_too(void **state) {
    static char flag[] = "--flag", app[] = "src/app.py", missing[] = "no-such-file";
    char *const more[] = {flag, app, missing, NULL};
    (void)state;
    make("build/python", "one");
    local_write("src/app.py", "print(1)\n");
    watch("build/python", more);
    local_write("src/app.py", "print(2)\n");
    assert_true(CHANGED);
}

static void write_elf(size_t bytes) {
    static char file[4096];
    const Elf64_Ehdr head = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64}, .e_shoff = 4096 - 128, .e_shnum = 2, .e_shentsize = 64};
    memcpy(file, &head, sizeof head);
    local_write_bytes("elf", file, bytes);
    chmod("elf", 0755);
}

static void knows_what_is_whole(void **state) {
    (void)state;
    assert_string_equal(latch_watch_flaw("elf", true), "is gone");
    for (size_t bytes = 0; bytes <= 4096; bytes += 64) {
        write_elf(bytes);
        const char *flaw = latch_watch_flaw("elf", true);
        /* less than a header is no ELF file, but for the empty one */
        bool is_cut = bytes == 0 || (bytes >= sizeof(Elf64_Ehdr) && bytes < 4096);
        if ((flaw != NULL) != is_cut) fail_msg("%zu bytes: %s", bytes, flaw != NULL ? flaw : "whole");
    }
    local_write_bytes("zeros", (const char[4096]){0}, 4096);
    assert_string_equal(latch_watch_flaw("zeros", false), "is not whole");
    local_write("script", "#!/bin/sh\n");
    assert_string_equal(latch_watch_flaw("script", true), "is not executable");
    assert_null(latch_watch_flaw("script", false));
    assert_string_equal(latch_watch_flaw(".", true), "is no file");
    assert_null(latch_watch_flaw("/proc/self/exe", true));
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    ROW(tells_of_every_way_to_build), ROW(follows_symbolic_links),           ROW(ignores_what_is_beside_it),
    ROW(waits_until_it_is_written),   ROW(waits_until_it_is_quiet),          ROW(waits_until_it_is_there),
    ROW(the_old_one_is_no_change),    ROW(files_that_it_is_given_count_too), ROW(knows_what_is_whole),
};

CHECK_MAIN(tests)
