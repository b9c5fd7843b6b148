#include "page.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "journal.h"
#include "page_files.h"

#define TELL_MS 50         /* changes are gathered that long */
#define HEARTBEAT_MS 15000 /* a reader that is gone is noticed by a write */

typedef struct reader {
    latch_page *page;
    latch_exchange *x;   /* NULL: this place is free */
    uint64_t seen;       /* changes up to this one were sent */
    latch_buffer unsent; /* the rest of an event that had no room */
} reader;

struct latch_page {
    latch_page_config config;
    latch_journal journal;
    latch_timer tell, heartbeat;
    reader readers[LATCH_PAGE_READERS];
    char run[17]; /* of this process: a page that was there before has to begin anew */
};

/* ── readers ── */

static void let_go(reader *r) {
    r->x = NULL;
    latch_buffer_clean_up(&r->unsent);
}

static bool flush(reader *r) {
    if (r->unsent.len == 0) return true;
    size_t sent = latch_exchange_write(r->x, r->unsent.ptr, r->unsent.len);
    memmove(r->unsent.ptr, r->unsent.ptr + sent, r->unsent.len - sent);
    r->unsent.len -= sent;
    return r->unsent.len == 0;
}

/* What changed since, oldest first, until it has no more room. What changes again in the meantime it is told once. */
static void tell(reader *r) {
    while (r->x != NULL && flush(r)) {
        const latch_record *record = latch_journal_changed(&r->page->journal, r->seen);
        if (record == NULL) return;
        char *json = latch_journal_summary(record, NULL);
        latch_buffer_format(&r->unsent, "data: %s\n\n", json);
        r->seen = record->changed;
        free(json);
    }
}

static void on_room(void *arg) { tell(arg); }

static void on_gone(void *arg) { let_go(arg); }

static void tell_all(void *arg) {
    latch_page *p = arg;
    for (size_t i = 0; i < LATCH_PAGE_READERS; i++)
        tell(&p->readers[i]);
}

static void beat(void *arg) {
    latch_page *p = arg;
    for (size_t i = 0; i < LATCH_PAGE_READERS; i++) {
        reader *r = &p->readers[i];
        if (r->x == NULL || r->unsent.len > 0) continue;
        latch_buffer_text(&r->unsent, ":\n\n");
        tell(r);
    }
    latch_loop_arm(p->config.loop, &p->heartbeat, HEARTBEAT_MS);
}

static void changed(latch_page *p) {
    if (!p->tell.armed) latch_loop_arm(p->config.loop, &p->tell, TELL_MS);
}

/* ── replies ── */

/* Nothing may be run in it but its own script, nothing loaded from elsewhere, and no other site may show it in a frame. */
#define POLICY                                                                                                                             \
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "    \
    "frame-ancestors 'none'"

#define HEADERS(type)                                                                                                                      \
    {"Content-Type", type}, {"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"},                                          \
        {"Cross-Origin-Resource-Policy", "same-origin"}, {                                                                                 \
        "Content-Security-Policy", POLICY                                                                                                  \
    }
#define HEADER_COUNT 5

static void reply(latch_exchange *x, unsigned status, const char *type, latch_str body, latch_keeping keeping) {
    const latch_field headers[HEADER_COUNT] = {HEADERS(type)};
    latch_exchange_reply(
        x, &(latch_reply){.status = status, .headers = headers, .header_count = HEADER_COUNT, .body = body, .keeping = keeping});
}

static void refuse(latch_exchange *x, unsigned status, const char *message) {
    reply(x, status, "text/plain; charset=utf-8", latch_str_of(message), LATCH_COPIED);
}

/* ── who asks ── */

bool latch_page_is_loopback(const char *address) {
    struct in6_addr v6;
    struct in_addr v4;
    if (strncmp(address, "::ffff:", 7) == 0) address += 7;
    if (inet_pton(AF_INET, address, &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, address, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* "localhost:3000", "127.0.0.1", "[::1]:3000" */
static bool is_loopback_name(const char *host) {
    char name[64];
    if (host == NULL) return false;
    bool is_v6 = host[0] == '[';
    size_t len = is_v6 ? strcspn(++host, "]") : strcspn(host, ":");
    if (len == 0 || len >= sizeof name) return false;
    memcpy(name, host, len);
    name[len] = '\0';
    return latch_page_is_loopback(name) || (!is_v6 && strcasecmp(name, "localhost") == 0);
}

static bool may_look(const latch_exchange *x) {
    char client[64];
    const char *site = latch_exchange_header(x, "Sec-Fetch-Site");
    return latch_page_is_loopback(latch_exchange_client(x, client, sizeof client)) && is_loopback_name(latch_exchange_header(x, "Host")) &&
           (site == NULL || strcasecmp(site, "cross-site") != 0);
}

/* A browser says where a POST comes from. Whoever says nothing is none, and has curl for it. */
static bool is_from_the_page(const latch_exchange *x) {
    const char *origin = latch_exchange_header(x, "Origin"), *host = latch_exchange_header(x, "Host"),
               *site = latch_exchange_header(x, "Sec-Fetch-Site");
    if (site != NULL && strcasecmp(site, "same-origin") != 0) return false;
    if (origin == NULL) return site != NULL;
    return strncmp(origin, "http://", 7) == 0 && strcasecmp(origin + 7, host) == 0;
}

/* ── what is asked ── */

/* A page that was reloaded has left its place, which else would be noticed at the next write only. */
static reader *find_place(latch_page *p) {
    for (reader *r = p->readers; r < p->readers + LATCH_PAGE_READERS; r++) {
        if (r->x != NULL && latch_exchange_is_gone(r->x)) {
            latch_exchange_finish(r->x, false);
            let_go(r);
        }
        if (r->x == NULL) return r;
    }
    return NULL;
}

static void answer_events(latch_page *p, latch_exchange *x) {
    static const latch_field headers[HEADER_COUNT] = {HEADERS("text/event-stream")};
    reader *r = find_place(p);
    if (r == NULL) {
        refuse(x, 503, "too many pages are open\n");
        return;
    }
    *r = (reader){.page = p, .x = x};
    latch_exchange_stream(x, &(latch_reply){.status = 200, .headers = headers, .header_count = HEADER_COUNT},
                          &(latch_writer){on_room, on_gone, r});
    latch_buffer_format(&r->unsent, "retry: 1000\nevent: run\ndata: %s\n\n", p->run);
    tell(r);
}

/* "17"; 0: it is no number. */
static uint64_t id_of(latch_str s) {
    uint64_t id = 0;
    if (s.len == 0 || s.len > 18) return 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9') return 0;
        id = id * 10 + (uint64_t)(s.ptr[i] - '0');
    }
    return id;
}

static void answer_invocation(latch_page *p, latch_exchange *x, latch_str id) {
    const latch_record *r = latch_journal_find(&p->journal, id_of(id));
    if (r == NULL) {
        refuse(x, 404, "this invocation is not kept any more\n");
        return;
    }
    size_t len = 0;
    char *json = latch_journal_whole(r, &len);
    reply(x, 200, "application/json", (latch_str){json, len}, LATCH_GIVEN);
}

static void answer_again(latch_page *p, latch_exchange *x, latch_str id) {
    const latch_record *r = latch_journal_find(&p->journal, id_of(id));
    char json[40];
    if (!is_from_the_page(x)) {
        refuse(x, 403, "only the page at /_latch plays events again\n");
        return;
    }
    if (r == NULL) {
        refuse(x, 404, "this invocation is not kept any more\n");
        return;
    }
    uint64_t again = p->config.again(p->config.arg, r->function, r->title, latch_buffer_str(&r->event));
    snprintf(json, sizeof json, "{\"id\":%llu}", (unsigned long long)again);
    if (again == 0)
        refuse(x, 500, "the function can't be started\n");
    else
        reply(x, 202, "application/json", latch_str_of(json), LATCH_COPIED);
}

static bool takes(latch_str *path, const char *begin) {
    size_t len = strlen(begin);
    if (path->len < len || memcmp(path->ptr, begin, len) != 0) return false;
    *path = (latch_str){path->ptr + len, path->len - len};
    return true;
}

static const struct {
    const char *path, *type;
    const unsigned char *bytes;
    const size_t *len;
} files[] = {
    {"", "text/html; charset=utf-8", page_html, &page_html_bytes},
    {"/", "text/html; charset=utf-8", page_html, &page_html_bytes},
    {"/page.css", "text/css; charset=utf-8", page_css, &page_css_bytes},
    {"/page.js", "text/javascript; charset=utf-8", page_js, &page_js_bytes},
};

static bool answer_file(latch_exchange *x, latch_str rest) {
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (!latch_str_eq(rest, latch_str_of(files[i].path))) continue;
        reply(x, 200, files[i].type, (latch_str){(const char *)files[i].bytes, *files[i].len}, LATCH_KEPT);
        return true;
    }
    return false;
}

bool latch_page_is_its(latch_str path) { return takes(&path, LATCH_PAGE_ROOT) && (path.len == 0 || path.ptr[0] == '/'); }

void latch_page_answer(latch_page *p, latch_exchange *x, latch_str path) {
    const char *method = latch_exchange_method(x);
    bool is_get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0, is_post = strcmp(method, "POST") == 0;
    takes(&path, LATCH_PAGE_ROOT);
    bool is_again = takes(&path, "/again/");
    if (!may_look(x))
        refuse(x, 403, "/_latch shows what is in requests: it is for this machine alone, as http://127.0.0.1 or http://localhost\n");
    else if (is_again ? !is_post : !is_get)
        refuse(x, 405, is_again ? "POST it\n" : "GET it\n");
    else if (is_again)
        answer_again(p, x, path);
    else if (latch_str_eq(path, LATCH_STR("/events")))
        answer_events(p, x);
    else if (takes(&path, "/invocations/"))
        answer_invocation(p, x, path);
    else if (!answer_file(x, path))
        refuse(x, 404, "there is nothing here; the page is /_latch\n");
}

/* ── what is written down ── */

uint64_t latch_page_begin(latch_page *p, const latch_page_begun *what) {
    if (p == NULL) return 0;
    changed(p);
    return latch_journal_begin(&p->journal, what->function, what->name, what->title, what->event)->id;
}

static latch_record *find(latch_page *p, uint64_t id) {
    latch_record *r = p != NULL ? latch_journal_find(&p->journal, id) : NULL;
    if (r != NULL) changed(p);
    return r;
}

void latch_page_log(latch_page *p, uint64_t id, latch_str line) {
    latch_record *r = find(p, id);
    if (r != NULL) latch_journal_log(&p->journal, r, line);
}

void latch_page_log_late(latch_page *p, latch_str request_id, latch_str line) {
    const latch_record *r = p != NULL ? latch_journal_find_request(&p->journal, request_id) : NULL;
    if (r != NULL) latch_page_log(p, r->id, line);
}

void latch_page_bytes(latch_page *p, uint64_t id, latch_str bytes) {
    latch_record *r = find(p, id);
    if (r != NULL) latch_journal_bytes(&p->journal, r, bytes);
}

void latch_page_end(latch_page *p, uint64_t id, const latch_invocation *inv, unsigned status, const char *problem) {
    latch_record *r = find(p, id);
    if (r != NULL) latch_journal_end(&p->journal, r, inv, status, problem);
}

/* ── start and stop ── */

static void make_run(char out[17]) {
    unsigned char b[8];
    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b) abort();
    for (size_t i = 0; i < sizeof b; i++)
        snprintf(out + 2 * i, 3, "%02x", b[i]);
}

latch_page *latch_page_start(const latch_page_config *config) {
    latch_page *p = latch_alloc(sizeof *p);
    p->config = *config;
    p->tell = (latch_timer){.fn = tell_all, .arg = p};
    p->heartbeat = (latch_timer){.fn = beat, .arg = p};
    make_run(p->run);
    latch_loop_arm(config->loop, &p->heartbeat, HEARTBEAT_MS);
    return p;
}

void latch_page_stop(latch_page *p) {
    if (p == NULL) return;
    for (size_t i = 0; i < LATCH_PAGE_READERS; i++)
        if (p->readers[i].x != NULL) latch_exchange_finish(p->readers[i].x, true), let_go(&p->readers[i]);
    latch_loop_disarm(p->config.loop, &p->tell);
    latch_loop_disarm(p->config.loop, &p->heartbeat);
    latch_journal_clean_up(&p->journal);
    free(p);
}
