#include "events.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/err.h"

/* ── names ── */

/* Bytes of `prefix` where it begins `name` and ends at a separator or the end; 0. */
static size_t begins(const char *name, const char *prefix) {
    size_t len = strlen(prefix);
    if (len == 0 || strncmp(name, prefix, len) != 0) return 0;
    return name[len] == '\0' || strchr("-_.", name[len]) != NULL ? len : 0;
}

size_t latch_events_function(const latch_template *t, const char *name) {
    size_t best = LATCH_NO_FUNCTION, longest = 0;
    for (size_t i = 0; i < t->function_count; i++) {
        const latch_function *f = &t->functions[i];
        const char *const names[] = {f->handler, f->id, f->name};
        for (size_t n = 0; n < 3; n++) {
            size_t len = begins(name, names[n]);
            if (len <= longest) continue;
            longest = len;
            best = i;
        }
    }
    return best == LATCH_NO_FUNCTION && t->function_count == 1 ? 0 : best;
}

static char *name_of(const char *path) {
    if (strcmp(path, "-") == 0) return latch_copy(LATCH_STR("stdin"));
    const char *slash = strrchr(path, '/');
    latch_str name = latch_str_of(slash != NULL ? slash + 1 : path);
    if (name.len > 5 && memcmp(name.ptr + name.len - 5, ".json", 5) == 0) name.len -= 5;
    return latch_copy(name);
}

static char *list_handlers(const latch_template *t) {
    latch_buffer list = {0};
    latch_buffer_add(&list, "", 0);
    for (size_t i = 0; i < t->function_count; i++)
        latch_buffer_format(&list, "%s%s", i > 0 ? ", " : "", t->functions[i].handler);
    return list.ptr;
}

/* ── one event ── */

static latch_status find_function(latch_event *e, const latch_events_from *from, const latch_template *t, latch_err *err) {
    e->function = from->function != NULL ? latch_template_find(t, from->function) : latch_events_function(t, e->name);
    if (e->function != LATCH_NO_FUNCTION) return LATCH_OK;
    char *handlers = list_handlers(t);
    latch_status status =
        from->function != NULL
            ? latch_err_set(err, LATCH_E_MISUSE, "--function %s: the template has no such function; its handlers are %s", from->function,
                            handlers)
            : latch_err_set(err, LATCH_E_MISUSE,
                            "%s: which function is it for? Say --function NAME, or begin its name with a handler's: %s", e->path, handlers);
    free(handlers);
    return status;
}

static latch_status load_expectation(latch_event *e, const latch_events_from *from, latch_err *err) {
    const char *slash = strrchr(e->path, '/');
    char *path = from->expect != NULL ? latch_format("%s/%s.json", from->expect, e->name)
                 : slash != NULL      ? latch_format("%.*s/expect/%s.json", (int)(slash - e->path), e->path, e->name)
                                      : latch_format("expect/%s.json", e->name);
    bool none = from->expect == NULL && strcmp(e->path, "-") == 0;
    latch_status status = none ? LATCH_MISSING : latch_expect_load(&e->expect, path, err);
    free(path);
    return status == LATCH_MISSING ? LATCH_OK : status;
}

static latch_status add_file(latch_events *events, const char *path, const latch_events_from *from, const latch_template *t,
                             latch_err *err) {
    events->items = latch_realloc(events->items, (events->count + 1) * sizeof *events->items);
    latch_event *e = &events->items[events->count++];
    *e = (latch_event){.path = latch_copy(latch_str_of(path)), .name = name_of(path)};
    if (!latch_buffer_read_file(&e->bytes, path, LATCH_PAYLOAD_BYTES)) {
        if (errno != EFBIG) return latch_err_set(err, LATCH_E_INPUT, "event %s can't be read: %s", path, strerror(errno));
        return latch_err_set(err, LATCH_E_INPUT, "event %s is larger than the %zu bytes that Lambda takes", path, LATCH_PAYLOAD_BYTES);
    }
    LATCH_TRY(find_function(e, from, t, err));
    return load_expectation(e, from, err);
}

/* ── folders ── */

static int is_event(const struct dirent *entry) {
    size_t len = strlen(entry->d_name);
    return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static latch_status add_folder(latch_events *events, const char *path, const latch_events_from *from, const latch_template *t,
                               latch_err *err) {
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, is_event, by_bytes);
    latch_status status = LATCH_OK;
    if (count < 0) return latch_err_set(err, LATCH_E_INPUT, "folder %s can't be read: %s", path, strerror(errno));
    if (count == 0) status = latch_err_set(err, LATCH_E_INPUT, "folder %s has no *.json in it", path);
    size_t len = strlen(path);
    for (int i = 0; i < count; i++) {
        char *file = latch_format("%s%s%s", path, len > 0 && path[len - 1] == '/' ? "" : "/", entries[i]->d_name);
        if (status == LATCH_OK) status = add_file(events, file, from, t, err);
        free(file);
        free(entries[i]);
    }
    free(entries);
    return status;
}

static latch_status add_path(latch_events *events, const char *path, const latch_events_from *from, const latch_template *t,
                             latch_err *err) {
    struct stat st;
    if (strcmp(path, "-") == 0) return add_file(events, path, from, t, err);
    if (stat(path, &st) == 0) return S_ISDIR(st.st_mode) ? add_folder(events, path, from, t, err) : add_file(events, path, from, t, err);
    char *named = latch_format("%s/%s.json", from->folder, path);
    latch_status status = strchr(path, '/') == NULL && stat(named, &st) == 0
                              ? add_file(events, named, from, t, err)
                              : latch_err_set(err, LATCH_E_INPUT, "event %s: there is no such file, nor %s", path, named);
    free(named);
    return status;
}

latch_status latch_events_load(latch_events *events, const latch_events_from *from, const latch_template *t, latch_err *err) {
    *events = (latch_events){0};
    for (size_t i = 0; i < from->path_count; i++)
        LATCH_TRY(add_path(events, from->paths[i], from, t, err));
    return LATCH_OK;
}

void latch_events_clean_up(latch_events *events) {
    for (size_t i = 0; i < events->count; i++) {
        latch_event *e = &events->items[i];
        free(e->path);
        free(e->name);
        latch_buffer_clean_up(&e->bytes);
        latch_expect_clean_up(&e->expect);
    }
    free(events->items);
    *events = (latch_events){0};
}
