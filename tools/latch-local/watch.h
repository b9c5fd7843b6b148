/*
 * watch.h - tells when a program was built anew.
 *
 * The folders on the way to a file are watched (inotify), not the file: linkers delete and make it, package managers rename one over it,
 * and a symbolic link, its own or a folder's, may come to lead elsewhere. A change is told of once the file is whole: nobody has it open
 * for writing, an ELF file has all of its sections, it is executable, and it was the same twice, 50 ms apart. Until then nothing is told,
 * so that a build that fails changes nothing.
 */
#ifndef LATCH_LOCAL_WATCH_H
#define LATCH_LOCAL_WATCH_H

#include "buffer.h"
#include "core/status.h"
#include "loop.h"

#define LATCH_WATCH_FILES 8 /* more are not watched */

typedef struct latch_watcher latch_watcher;

typedef struct latch_watcher_config {
    latch_loop *loop;
    const char *program; /* must be executable */
    char *const *more;   /* files that it is given, a script or a jar: up to NULL; what isn't there at the start isn't watched; NULL */
    void (*on_change)(void *arg, const char *path);                /* all of them are whole, and this one, at least, is another */
    void (*on_wait)(void *arg, const char *path, const char *why); /* for half a second by now: "is gone", "is not executable" … */
    void *arg;
} latch_watcher_config;

/* What is there now is what runs. LATCH_E_MISUSE: the system has no more inotify watches. */
latch_status latch_watcher_start(const latch_watcher_config *config, latch_watcher **out, latch_err *err);
void latch_watcher_stop(latch_watcher *w); /* NULL: nothing */

/* NULL: it can be run as it stands; else why not: "is being written". */
const char *latch_watch_flaw(const char *path, bool must_be_executable);

#endif
