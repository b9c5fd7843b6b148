#include "tests/local_store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yyjson.h>

#include "tests/endpoint.h"

#define PLACES 16
#define ARENA_BYTES ((size_t)1 << 20)
#define SENTINEL "only-in-the-first-region"

typedef struct place {
    endpoint *endpoint;
    int fd; /* holds the lock */
} place;

static char url[256];

static void need(bool ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "local_store: %s\n", what);
    abort();
}

/* The answer's document, whatever its status; to be freed. */
static yyjson_doc *ask(endpoint *e, const char *operation, const char *request) {
    latch_arena arena;
    latch_reply reply;
    latch_err err;
    char *memory = malloc(ARENA_BYTES);
    need(memory != NULL, "no memory");
    latch_arena_init(&arena, memory, ARENA_BYTES);
    latch_transport t = endpoint_transport(e);
    latch_send send = {.operation = operation, .request = latch_str_of(request)};
    need(t.call(t.self, &send, &arena, &reply, &err) == LATCH_OK, err.message);
    yyjson_doc *doc = yyjson_read(reply.body.ptr, reply.body.len, 0);
    latch_arena_clean_up(&arena);
    free(memory);
    return doc;
}

/* A region that was left by another test is emptied; of a server that doesn't keep regions apart, nothing is. */
static void empty(endpoint *e) {
    size_t i, max;
    yyjson_val *name;
    char request[512];
    yyjson_doc *doc = ask(e, "ListTables", "{}");
    yyjson_val *names = yyjson_obj_get(yyjson_doc_get_root(doc), "TableNames");
    need(yyjson_is_arr(names), "ListTables failed");
    yyjson_arr_foreach(names, i, max, name)
        need(!yyjson_equals_str(name, SENTINEL), "the server was started with -sharedDb: it is others' too");
    yyjson_arr_foreach(names, i, max, name) {
        snprintf(request, sizeof request, "{\"TableName\":\"%s\"}", yyjson_get_str(name));
        yyjson_doc_free(ask(e, "DeleteTable", request));
    }
    yyjson_doc_free(doc);
}

/* A table that only the first region has. */
static void set_sentinel(void) {
    static const char table[] = "{\"TableName\":\"" SENTINEL "\",\"BillingMode\":\"PAY_PER_REQUEST\",\"AttributeDefinitions\":[{"
                                "\"AttributeName\":\"pk\",\"AttributeType\":\"S\"}],\"KeySchema\":[{\"AttributeName\":\"pk\",\"KeyType\":"
                                "\"HASH\"}]}";
    static bool set;
    if (set) return;
    endpoint *e = endpoint_open(url, "us-east-1");
    need(e != NULL, "no endpoint");
    yyjson_doc *doc = ask(e, "CreateTable", table);
    const char *type = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "__type"));
    need(doc != NULL && (type == NULL || strstr(type, "ResourceInUseException") != NULL), "CreateTable failed");
    yyjson_doc_free(doc);
    endpoint_close(e);
    set = true;
}

/* A region of this server that nobody else uses; its lock ends with the process at the latest. */
static int lock_region(char *region, size_t bytes) {
    char path[512];
    const char *folder = getenv("TMPDIR"), *port = strrchr(url, ':');
    need(port != NULL, "the endpoint's URL has no port");
    for (int i = 0;; i = (i + 1) % PLACES) {
        snprintf(region, bytes, "world-%d", i);
        snprintf(path, sizeof path, "%s/latch-%u-%s-%s", folder != NULL && *folder != '\0' ? folder : "/tmp", (unsigned)getuid(), port + 1,
                 region);
        int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
        need(fd >= 0, "can't make a lock file in TMPDIR");
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
        close(fd);
        if (i == PLACES - 1) usleep(20000);
    }
}

static void *open_place(const latch_clock *clock, latch_transport *out) {
    char region[32];
    (void)clock; /* a server has a clock of its own */
    place *p = malloc(sizeof *p);
    need(p != NULL, "no memory");
    set_sentinel();
    p->fd = lock_region(region, sizeof region);
    p->endpoint = endpoint_open(url, region);
    need(p->endpoint != NULL, "no endpoint");
    empty(p->endpoint);
    *out = endpoint_transport(p->endpoint);
    return p;
}

static void close_place(void *self) {
    place *p = self;
    empty(p->endpoint);
    endpoint_close(p->endpoint);
    close(p->fd);
    free(p);
}

const rig_hook *local_store(void) {
    static const rig_hook hook = {open_place, close_place, false};
    return endpoint_given(url, sizeof url) ? &hook : NULL;
}
