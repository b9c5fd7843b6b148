#include "watch.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/err.h"
#include "url.h"

#define LOOK_MS 50      /* after a change, and until it is settled */
#define PATIENCE_MS 500 /* what isn't whole for so long is told of, and looked at less often */
#define LINKS_MAX 40    /* as the kernel has it */
#define EVENTS                                                                                                                             \
    (IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

typedef struct identity { /* of a file's content, as far as its outside tells */
    dev_t device;
    ino_t inode;
    off_t bytes;
    struct timespec changed_at;
} identity;

typedef struct watched {
    char *path;
    bool must_be_executable;
    identity running, seen; /* what the process runs; what was there at the last look */
    bool is_settled;        /* what is there is whole, and was there before */
} watched;

struct latch_watcher {
    latch_watcher_config config;
    watched files[LATCH_WATCH_FILES];
    size_t count;
    latch_watch events;
    latch_timer timer;
    int64_t unsettled_since_ns; /* 0: nothing is */
    const char *told;           /* why, as it was told of last; NULL: it wasn't */
};

/* ── is it whole? ── */

/* A read lease is granted only where nobody has the file open for writing; who may not take one (another's file) is believed. */
static bool is_being_written(int fd) {
    if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
        fcntl(fd, F_SETLEASE, F_UNLCK);
        return false;
    }
    return errno == EAGAIN;
}

/* The section headers are what a linker places last. A file that isn't ELF is taken as it is. */
static bool is_cut(int fd, const struct stat *st) {
    Elf64_Ehdr head;
    if (pread(fd, &head, sizeof head, 0) != (ssize_t)sizeof head) return st->st_size == 0;
    if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0) return head.e_ident[0] == 0; /* room that was made, not yet filled */
    if (head.e_ident[EI_CLASS] != ELFCLASS64) return false;
    uint64_t end = head.e_shoff + (uint64_t)head.e_shnum * head.e_shentsize;
    return head.e_shoff > (uint64_t)st->st_size || end > (uint64_t)st->st_size;
}

const char *latch_watch_flaw(const char *path, bool must_be_executable) {
    struct stat st;
    if (stat(path, &st) != 0) return "is gone";
    if (!S_ISREG(st.st_mode)) return "is no file";
    if (must_be_executable && access(path, X_OK) != 0) return "is not executable";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return errno == ENOENT ? "is gone" : NULL; /* it may be executable and no more */
    const char *why = fstat(fd, &st) == 0 && is_cut(fd, &st) ? "is not whole" : is_being_written(fd) ? "is being written" : NULL;
    close(fd);
    return why;
}

static identity identify(const char *path) {
    struct stat st;
    if (stat(path, &st) != 0) return (identity){0};
    return (identity){st.st_dev, st.st_ino, st.st_size, st.st_mtim};
}

static bool is_same(const identity *a, const identity *b) {
    return a->device == b->device && a->inode == b->inode && a->bytes == b->bytes && a->changed_at.tv_sec == b->changed_at.tv_sec &&
           a->changed_at.tv_nsec == b->changed_at.tv_nsec;
}

/* ── the folders ── */

static char *target_of(const char *link) {
    char target[4096];
    ssize_t len = readlink(link, target, sizeof target);
    return len > 0 && len < (ssize_t)sizeof target ? latch_copy((latch_str){target, (size_t)len}) : NULL;
}

/*
 * Each folder whose entries decide where the path leads: those with a symbolic link on the way, the one of the file, and the last one there
 * is where a part of the way is missing. Asking again for a folder that is watched costs nothing and changes nothing.
 */
static bool watch_way(int inotify, const char *path) {
    char *rest = latch_copy(latch_str_of(path)), *folder = latch_copy(path[0] == '/' ? LATCH_STR("/") : LATCH_STR("."));
    bool ok = true, more = true;
    for (int links = 0; more && links <= LINKS_MAX;) {
        latch_str left = latch_str_of(rest), part = {0};
        while (part.len == 0 && (more = latch_url_next(&left, '/', &part)))
            ;
        if (!more) break;
        struct stat st;
        char *here = latch_format("%s/%.*s", folder, (int)part.len, part.ptr);
        bool is_there = lstat(here, &st) == 0, is_link = is_there && S_ISLNK(st.st_mode), is_last = left.len == 0;
        if (!is_there || is_link || is_last) ok = inotify_add_watch(inotify, folder, EVENTS) >= 0 || errno != ENOSPC;
        char *target = is_link ? target_of(here) : NULL;
        char *next = target != NULL ? latch_format("%s/%.*s", target, (int)left.len, left.len > 0 ? left.ptr : "") : latch_copy(left);
        if (target != NULL && target[0] == '/') free(folder), folder = latch_copy(LATCH_STR("/"));
        if (target == NULL) free(folder), folder = latch_copy(latch_str_of(here));
        more = is_there && ok && (target != NULL || !is_last);
        links += is_link;
        free(rest), free(here), free(target);
        rest = next;
    }
    free(rest), free(folder);
    return ok;
}

static bool watch_all(latch_watcher *w) {
    bool ok = true;
    for (size_t i = 0; i < w->count; i++)
        ok = watch_way(w->events.fd, w->files[i].path) && ok;
    return ok;
}

/* ── what changed ── */

static const char *look_at(watched *f) {
    const char *why = latch_watch_flaw(f->path, f->must_be_executable);
    identity now = identify(f->path);
    f->is_settled = why == NULL && is_same(&now, &f->seen);
    f->seen = now;
    return why;
}

static void tell_change(latch_watcher *w) {
    const watched *first = NULL;
    for (size_t i = 0; i < w->count; i++) {
        watched *f = &w->files[i];
        if (first == NULL && !is_same(&f->seen, &f->running)) first = f;
        f->running = f->seen;
    }
    w->unsettled_since_ns = 0;
    w->told = NULL;
    if (first != NULL) w->config.on_change(w->config.arg, first->path);
}

static void tell_wait(latch_watcher *w, const watched *f, const char *why) {
    if (why == NULL || why == w->told) return;
    w->told = why;
    w->config.on_wait(w->config.arg, f->path, why);
}

/* The folders first: what happens after the look wakes us. */
static void look(void *arg) {
    latch_watcher *w = arg;
    const watched *unsettled = NULL;
    const char *why = NULL;
    watch_all(w);
    for (size_t i = 0; i < w->count; i++) {
        const char *flaw = look_at(&w->files[i]);
        if (!w->files[i].is_settled && (unsettled == NULL || (why == NULL && flaw != NULL))) unsettled = &w->files[i], why = flaw;
    }
    if (unsettled == NULL) {
        tell_change(w);
        return;
    }
    int64_t now = latch_loop_now_ns(w->config.loop);
    if (w->unsettled_since_ns == 0) w->unsettled_since_ns = now;
    bool is_long = now - w->unsettled_since_ns >= PATIENCE_MS * INT64_C(1000000);
    if (is_long) tell_wait(w, unsettled, why);
    latch_loop_arm(w->config.loop, &w->timer, is_long && why != NULL ? PATIENCE_MS : LOOK_MS);
}

static void on_event(void *arg) {
    latch_watcher *w = arg;
    char events[4096];
    while (read(w->events.fd, events, sizeof events) > 0)
        ; /* what it says is of no use: only a look tells what is there now */
    if (!w->timer.armed || w->timer.at_ns - latch_loop_now_ns(w->config.loop) > LOOK_MS * INT64_C(1000000))
        latch_loop_arm(w->config.loop, &w->timer, LOOK_MS);
}

/* ── start and stop ── */

static void add(latch_watcher *w, const char *path, bool must_be_executable) {
    identity now = identify(path);
    w->files[w->count++] = (watched){
        .path = latch_copy(latch_str_of(path)), .must_be_executable = must_be_executable, .running = now, .seen = now, .is_settled = true};
}

/* Who opens the file for writing in the moment of our lease sends us one: it has nothing to say. Not ignored: that would be inherited. */
static void block_sigio(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGIO);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static bool is_file(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

latch_status latch_watcher_start(const latch_watcher_config *config, latch_watcher **out, latch_err *err) {
    latch_watcher *w = latch_alloc(sizeof *w);
    block_sigio();
    w->config = *config;
    w->timer = (latch_timer){.fn = look, .arg = w};
    add(w, config->program, true);
    for (size_t i = 0; config->more != NULL && config->more[i] != NULL && w->count < LATCH_WATCH_FILES; i++)
        if (is_file(config->more[i])) add(w, config->more[i], false);
    w->events = (latch_watch){inotify_init1(IN_CLOEXEC | IN_NONBLOCK), on_event, w};
    *out = w;
    if (w->events.fd >= 0 && watch_all(w) && latch_loop_watch(config->loop, &w->events)) return LATCH_OK;
    int why = errno;
    latch_watcher_stop(w);
    *out = NULL;
    return latch_err_set(err, LATCH_E_MISUSE, "%s can't be watched: %s (see fs.inotify.max_user_watches and max_user_instances)",
                         config->program, strerror(why));
}

void latch_watcher_stop(latch_watcher *w) {
    if (w == NULL) return;
    latch_loop_disarm(w->config.loop, &w->timer);
    if (w->events.fd >= 0) {
        latch_loop_unwatch(w->config.loop, &w->events);
        close(w->events.fd);
    }
    for (size_t i = 0; i < w->count; i++)
        free(w->files[i].path);
    free(w);
}
