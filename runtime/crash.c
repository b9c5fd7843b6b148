#include "runtime/crash.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include "core/coding.h"
#include "core/text.h"

/*
 * Whatever runs after the signal uses system calls and plain memory only: no malloc, no stdio, no lock, no libcurl. core/text.h on a buffer
 * of its own is plain memory.
 */

#define STACK_BYTES ((size_t)128 << 10)
#define STACK_LIMIT_BYTES ((uintptr_t)64 << 20) /* of the thread that crashes, where none is set */
#define FRAMES_MAX 40
#define OBJECTS_MAX 24
#define GIVE_UP_S 2

static const struct {
    int number;
    const char *name;
} signals[] = {{SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"}, {SIGABRT, "SIGABRT"}, {SIGFPE, "SIGFPE"}, {SIGILL, "SIGILL"}};
#define SIGNALS (sizeof signals / sizeof signals[0])

typedef struct object { /* a file that is mapped and runs: the executable, shared libraries */
    uintptr_t base, from, to;
    const char *path;
    const char *file; /* mapped after the crash, for its symbols; NULL: not yet */
    size_t file_bytes;
} object;

static struct { /* filled before, read after the signal */
    pid_t pid;
    void *stack;
    struct sigaction before[SIGNALS];
    object objects[OBJECTS_MAX];
    size_t object_count;
} prepared;

typedef struct arming {            /* of a thread that runs handlers */
    const latch_api *volatile api; /* NULL: not armed */
    const latch_invocation *volatile invocation;
    const char *volatile handler;
    uintptr_t stack_from, stack_to;
} arming;
static _Thread_local arming armed;
static const arming *volatile latest; /* for a crash of a thread that the handler started */

static struct {                             /* one report: the first crash's */
    atomic_int reporter;                    /* the thread that writes it, by its kernel id; 0: none yet */
    volatile sig_atomic_t tracing, sending; /* the reporter's own: no other thread looks */
    const void *context;                    /* of the crash, on the signal's stack */
    volatile size_t frame_count;
    uintptr_t frames[FRAMES_MAX];
    arming of;
    char head[12288], body[8192], cause[6144], message[256];
} report;

/* ── before ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static int note_object(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)size, (void)unused;
    if (prepared.object_count == OBJECTS_MAX) return 1;
    bool program = prepared.object_count == 0; /* the first one is the executable, whose name is empty */
    object o = {.base = info->dlpi_addr, .from = UINTPTR_MAX, .path = program ? "/proc/self/exe" : info->dlpi_name};
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || (part->p_flags & PF_X) == 0) continue;
        uintptr_t from = o.base + part->p_vaddr, to = from + part->p_memsz;
        if (from < o.from) o.from = from;
        if (to > o.to) o.to = to;
    }
    if (o.to > 0) prepared.objects[prepared.object_count++] = o;
    return 0;
}

static _Unwind_Reason_Code visit_once(struct _Unwind_Context *context, void *unused) {
    (void)context, (void)unused;
    return _URC_END_OF_STACK;
}

/* The program's name is at the stack's very top. musl would ask the kernel about each page below it. */
static void note_stack(void) {
    struct rlimit limit = {0};
    uintptr_t top = getauxval(AT_EXECFN);
    if (top == 0 || getrlimit(RLIMIT_STACK, &limit) != 0) return;
    armed.stack_to = top;
    armed.stack_from = limit.rlim_cur < STACK_LIMIT_BYTES ? top - limit.rlim_cur : top - STACK_LIMIT_BYTES;
}

static void on_signal(int number, siginfo_t *info, void *context);

/*
 * A handler returns through two instructions. On arm64 musl has its own right behind another function, whose they seem to be to an unwinder,
 * which looks a byte before each return address; the kernel's, in its vDSO, are known to it.
 */
static void return_by_kernel(int number) {
#if defined(__aarch64__) && !defined(__GLIBC__)
    enum { RESTORER = 0x04000000 }; /* SA_RESTORER, which musl's headers don't have */
    struct {
        void (*handler)(int);
        unsigned long flags;
        void (*restorer)(void);
        unsigned long mask;
    } action;
    if (syscall(SYS_rt_sigaction, number, NULL, &action, sizeof action.mask) != 0) return;
    action.flags &= ~(unsigned long)RESTORER;
    action.restorer = NULL;
    syscall(SYS_rt_sigaction, number, &action, NULL, sizeof action.mask);
#else
    (void)number;
#endif
}

void latch_crash_init(void) {
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    prepared.pid = getpid();
    prepared.object_count = 0;
    dl_iterate_phdr(note_object, NULL);
    note_stack();
    (void)_Unwind_Backtrace(visit_once, NULL); /* what it loads and allocates the first time, it does now */
    prepared.stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (prepared.stack == MAP_FAILED) prepared.stack = NULL;
    if (prepared.stack != NULL) sigaltstack(&(stack_t){.ss_sp = prepared.stack, .ss_size = STACK_BYTES}, NULL);
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < SIGNALS; i++) {
        sigaction(signals[i].number, &action, &prepared.before[i]);
        return_by_kernel(signals[i].number);
    }
}

void latch_crash_clean_up(void) {
    latch_crash_disarm();
    latest = NULL;
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(signals[i].number, &prepared.before[i], NULL);
    sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
    if (prepared.stack != NULL) munmap(prepared.stack, STACK_BYTES);
    prepared.stack = NULL;
}

void latch_crash_arm(const latch_api *api, const latch_invocation *invocation, const char *handler) {
    armed.invocation = invocation;
    armed.handler = handler;
    atomic_signal_fence(memory_order_seq_cst);
    armed.api = api;
    latest = &armed;
}

void latch_crash_disarm(void) { armed.api = NULL; }

/* ── the frames ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void add_frame(uintptr_t pc) {
    if (pc != 0 && report.frame_count < FRAMES_MAX) report.frames[report.frame_count++] = pc;
}

#if defined(__x86_64__)
#define FRAME_POINTER 6 /* DWARF's number of it */
#else
#define FRAME_POINTER 29
#endif

typedef struct walk {
    uintptr_t pc; /* where it crashed: the frames before it are the signal's */
    uintptr_t fp; /* of the last frame that the unwinder came to */
    bool found;
} walk;

static _Unwind_Reason_Code visit(struct _Unwind_Context *context, void *arg) {
    walk *w = arg;
    uintptr_t pc = _Unwind_GetIP(context);
    if (pc == w->pc) w->found = true;
    if (w->found) add_frame(pc);
    w->fp = (uintptr_t)_Unwind_GetGR(context, FRAME_POINTER);
    return report.frame_count < FRAMES_MAX ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static bool on_stack(uintptr_t at) {
    return at >= armed.stack_from && at <= armed.stack_to - 2 * sizeof at && at % sizeof at == 0 && armed.stack_to > 0;
}

typedef struct registers {
    uintptr_t pc, sp, fp;
} registers;

static registers registers_of(const void *context) {
    const ucontext_t *u = context;
#if defined(__x86_64__)
    return (registers){(uintptr_t)u->uc_mcontext.gregs[REG_RIP], (uintptr_t)u->uc_mcontext.gregs[REG_RSP],
                       (uintptr_t)u->uc_mcontext.gregs[REG_RBP]};
#elif defined(__aarch64__)
    return (registers){u->uc_mcontext.pc, u->uc_mcontext.sp, u->uc_mcontext.regs[29]};
#else
    (void)u;
    return (registers){0, 0, 0};
#endif
}

static const object *object_of(uintptr_t pc) {
    for (size_t i = 0; i < prepared.object_count; i++) {
        if (pc >= prepared.objects[i].from && pc < prepared.objects[i].to) return &prepared.objects[i];
    }
    return NULL;
}

/* Along the chain of frame pointers, which ends with 0 where a thread begins. */
__attribute__((no_sanitize("address"))) static void follow(uintptr_t at) {
    while (on_stack(at) && report.frame_count < FRAMES_MAX) {
        const uintptr_t *frame = (const uintptr_t *)at;
        add_frame(frame[1]);
        if (frame[0] <= at) return;
        at = frame[0];
    }
}

/* Where the unwinder finds nothing (a jump to nowhere): the return address of that call, then the chain. */
__attribute__((no_sanitize("address"))) static void walk_by_hand(const void *context, registers r) {
    add_frame(r.pc);
#if defined(__x86_64__)
    (void)context;
    if (object_of(r.pc) == NULL && on_stack(r.sp)) add_frame(*(const uintptr_t *)r.sp);
#elif defined(__aarch64__)
    if (object_of(r.pc) == NULL) add_frame(((const ucontext_t *)context)->uc_mcontext.regs[30]);
#else
    (void)context;
#endif
    follow(r.fp);
}

/* In what is deployed, OpenSSL and libcurl keep frame pointers and have no tables for the unwinder: it ends there, and the chain goes on. */
static void trace(const void *context) {
    registers r = registers_of(context);
    walk w = {.pc = r.pc};
    if (armed.stack_to == 0) { /* a thread that the handler started: its chain ends with 0, and a fault on the way there is outlived */
        armed.stack_from = r.sp;
        armed.stack_to = r.sp + STACK_LIMIT_BYTES;
    }
    (void)_Unwind_Backtrace(visit, &w);
    if (report.frame_count == 0)
        walk_by_hand(context, r);
    else
        follow(w.fp);
}

/* ── their names ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static void map_file(object *o) {
    struct stat about;
    int fd = open(o->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    if (fstat(fd, &about) == 0 && about.st_size > 0) {
        void *file = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        o->file = file != MAP_FAILED ? file : NULL;
        o->file_bytes = file != MAP_FAILED ? (size_t)about.st_size : 0;
    }
    close(fd);
}

static bool lies_within(const object *o, uint64_t at, uint64_t size) { return at <= o->file_bytes && size <= o->file_bytes - at; }

/* The table of all symbols, or of those that are exported. */
static const ElfW(Shdr) * symbols_of(const object *o, const ElfW(Shdr) * sections, size_t count) {
    const ElfW(Shdr) *found = NULL;
    (void)o;
    for (size_t i = 0; i < count; i++) {
        if (sections[i].sh_type == SHT_SYMTAB) return &sections[i];
        if (sections[i].sh_type == SHT_DYNSYM) found = &sections[i];
    }
    return found;
}

/* The function that `offset` lies in; *into is how far. NULL: the file says nothing. */
static const char *name_of(object *o, uintptr_t offset, uintptr_t *into) {
    if (o->file == NULL) map_file(o);
    if (o->file_bytes < sizeof(ElfW(Ehdr))) return NULL;
    const ElfW(Ehdr) *head = (const void *)o->file;
    if (memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 || head->e_shentsize != sizeof(ElfW(Shdr)) || head->e_shoff % 8 != 0) return NULL;
    if (!lies_within(o, head->e_shoff, (uint64_t)head->e_shnum * sizeof(ElfW(Shdr)))) return NULL;
    const ElfW(Shdr) *sections = (const void *)(o->file + head->e_shoff), *table = symbols_of(o, sections, head->e_shnum);
    if (table == NULL || table->sh_link >= head->e_shnum || table->sh_offset % 8 != 0) return NULL;
    const ElfW(Shdr) *names = &sections[table->sh_link];
    if (!lies_within(o, table->sh_offset, table->sh_size) || !lies_within(o, names->sh_offset, names->sh_size) || names->sh_size == 0)
        return NULL;
    const ElfW(Sym) *all = (const void *)(o->file + table->sh_offset), *best = NULL;
    for (size_t i = 0; i < table->sh_size / sizeof *all; i++) {
        if ((all[i].st_info & 15) != STT_FUNC || all[i].st_shndx == SHN_UNDEF || all[i].st_value > offset) continue;
        if (all[i].st_size > 0 && offset - all[i].st_value >= all[i].st_size) continue;
        if (best == NULL || all[i].st_value > best->st_value) best = &all[i];
    }
    if (best == NULL || best->st_name >= names->sh_size || o->file[names->sh_offset + names->sh_size - 1] != '\0') return NULL;
    *into = offset - best->st_value;
    return o->file + names->sh_offset + best->st_name;
}

static void put(latch_text_writer *t, const char *text) { latch_text_put(t, latch_str_of(text)); }

static void put_hex(latch_text_writer *t, uintptr_t n) {
    char digits[2 * sizeof n];
    size_t from = sizeof digits;
    do {
        digits[--from] = "0123456789abcdef"[n & 15];
        n >>= 4;
    } while (n > 0);
    latch_text_put(t, LATCH_STR("0x"));
    latch_text_put(t, (latch_str){digits + from, sizeof digits - from});
}

/* For a JSON string: printable ASCII only. */
static void put_plain(latch_text_writer *t, const char *text, size_t max) {
    for (; *text != '\0' && max > 0; text++, max--) {
        unsigned char c = (unsigned char)*text;
        latch_text_char(t, c < 0x20 || c > 0x7E || c == '"' || c == '\\' ? '?' : (char)c);
    }
}

static const char *file_of(const object *o) {
    if (o == &prepared.objects[0]) return "bootstrap";
    const char *slash = strrchr(o->path, '/');
    return slash != NULL ? slash + 1 : o->path;
}

/* A return address is behind the call: one less lies in the function that called. */
static const char *look_up(size_t i, object **o, uintptr_t *offset, uintptr_t *into) {
    *o = (object *)(uintptr_t)object_of(report.frames[i]);
    if (*o == NULL) return NULL;
    *offset = report.frames[i] - (*o)->base;
    const char *name = name_of(*o, *offset - (i > 0), into);
    *into += i > 0;
    return name;
}

/* "place_order+0x1f (bootstrap+0x41c3)" */
static void put_frame(latch_text_writer *t, size_t i) {
    object *o;
    uintptr_t offset = 0, into = 0;
    const char *name = look_up(i, &o, &offset, &into);
    if (name != NULL) {
        put_plain(t, name, 100);
        latch_text_char(t, '+');
        put_hex(t, into);
        put(t, " (");
    }
    put(t, o != NULL ? file_of(o) : "?");
    latch_text_char(t, '+');
    put_hex(t, o != NULL ? offset : report.frames[i]);
    if (name != NULL) latch_text_char(t, ')');
}

/* ── the report ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void write_message(int number, const siginfo_t *info) {
    latch_text_writer t = {.at = report.message, .cap = sizeof report.message};
    const char *name = "a signal";
    for (size_t i = 0; i < SIGNALS; i++) {
        if (signals[i].number == number) name = signals[i].name;
    }
    put(&t, name);
    if (info->si_code > 0 && (number == SIGSEGV || number == SIGBUS)) {
        put(&t, " at address ");
        put_hex(&t, (uintptr_t)info->si_addr);
    }
    put(&t, report.of.invocation != NULL ? " in the handler " : " in the init of the handler ");
    put_plain(&t, report.of.handler, 100);
    if (latch_text_end(&t).ptr == NULL) report.message[0] = '\0';
}

static latch_str write_body(void) {
    latch_text_writer t = {.at = report.body, .cap = sizeof report.body};
    put(&t, "{\"errorMessage\":\"");
    put(&t, report.message);
    put(&t, "\",\"errorType\":\"Crash\",\"stackTrace\":[");
    for (size_t i = 0; i < report.frame_count && t.len + 512 < sizeof report.body; i++) {
        put(&t, i > 0 ? ",\"" : "\"");
        put_frame(&t, i);
        latch_text_char(&t, '"');
    }
    put(&t, "]}");
    return latch_text_end(&t);
}

static void write_cause(void) {
    latch_text_writer t = {.at = report.cause, .cap = sizeof report.cause};
    put(&t, "{\"working_directory\":\"\",\"exceptions\":[{\"type\":\"Crash\",\"message\":\"");
    put(&t, report.message);
    put(&t, "\",\"stack\":[");
    for (size_t i = 0; i < report.frame_count && t.len + 512 < sizeof report.cause; i++) {
        object *o;
        uintptr_t offset = 0, into = 0;
        const char *name = look_up(i, &o, &offset, &into);
        put(&t, i > 0 ? ",{\"path\":\"" : "{\"path\":\"");
        put(&t, o != NULL ? file_of(o) : "?");
        put(&t, "\",\"line\":0,\"label\":\"");
        put_plain(&t, name != NULL ? name : "?", 100);
        put(&t, "\"}");
    }
    put(&t, "]}],\"paths\":[]}");
    if (latch_text_end(&t).ptr == NULL) report.cause[0] = '\0';
}

static latch_str write_head(size_t body_bytes) {
    const latch_invocation *invocation = report.of.invocation;
    latch_text_writer t = {.at = report.head, .cap = sizeof report.head};
    char id[1024];
    put(&t, "POST /2018-06-01/runtime/");
    if (invocation != NULL) {
        size_t len = latch_percent_encode(id, sizeof id, invocation->request_id);
        put(&t, "invocation/");
        latch_text_put(&t, (latch_str){id, len < sizeof id ? len : sizeof id});
        put(&t, "/error");
    } else {
        put(&t, "init/error");
    }
    put(&t, " HTTP/1.1\r\nHost: ");
    put(&t, report.of.api->address);
    put(&t, "\r\nUser-Agent: latch/" LATCH_VERSION "\r\nContent-Type: application/json\r\nConnection: close\r\n");
    if (invocation != NULL && invocation->invocation_id.len > 0) {
        put(&t, "Lambda-Runtime-Invocation-Id: ");
        latch_text_put(&t, invocation->invocation_id);
        put(&t, "\r\n");
    }
    put(&t, "Lambda-Runtime-Function-Error-Type: Function.Crash\r\nLambda-Runtime-Function-XRay-Error-Cause: ");
    put(&t, report.cause);
    put(&t, "\r\nContent-Length: ");
    latch_text_uint(&t, body_bytes);
    put(&t, "\r\n\r\n");
    return latch_text_end(&t);
}

static bool send_all(int fd, latch_str text) {
    while (text.len > 0) {
        ssize_t n = send(fd, text.ptr, text.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        text = (latch_str){text.ptr + n, text.len - (size_t)n};
    }
    return true;
}

/* Waits for the answer: a process that dies with the request half read would take it along. */
static void send_report(latch_str head, latch_str body) {
    struct timeval patience = {.tv_sec = 1};
    char answer[512];
    const latch_api *api = report.of.api;
    if (api->peer_len == 0 || head.ptr == NULL || body.ptr == NULL) return;
    int fd = socket(api->peer.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (const struct sockaddr *)&api->peer, api->peer_len) == 0 && send_all(fd, head) && send_all(fd, body))
        (void)!recv(fd, answer, sizeof answer, 0);
    close(fd);
}

static void tell(void) {
    report.tracing = 0;
    report.sending = 1;
    latch_str body = write_body();
    write_cause();
    send_report(write_head(body.len), body);
    if (body.ptr != NULL) (void)!write(STDERR_FILENO, body.ptr, body.len);
    (void)!write(STDERR_FILENO, "\n", 1);
}

/* A fault happens again on return, with its own registers for a core file; what was sent is sent again. */
static void die(int number, const siginfo_t *info) {
    signal(number, SIG_DFL);
    if (info->si_code <= 0 || number == SIGABRT) raise(number);
}

/* Whether this thread is the one that reports. pthread_self is not promised after a signal; gettid is a system call. */
static bool is_reporter(void) {
    int none = 0, self = (int)syscall(SYS_gettid);
    return atomic_compare_exchange_strong(&report.reporter, &none, self) || none == self;
}

static void on_signal(int number, siginfo_t *info, void *context) {
    int before = errno;
    const arming *of = armed.api != NULL ? &armed : latest;
    if (of == NULL || of->api == NULL || getpid() != prepared.pid) {
        die(number, info);
        return;
    }
    while (!is_reporter())
        pause(); /* another thread reports already, and the process ends with it */
    if (report.sending != 0) {
        die(number, info);
        return;
    }
    signal(SIGALRM, SIG_DFL);
    alarm(GIVE_UP_S);
    if (report.tracing == 0) {
        report.tracing = 1;
        report.of = *of;
        report.context = context;
        write_message(number, info);
        trace(context);
    } else if (report.tracing == 1 && report.frame_count == 0) { /* the unwinder met bad memory before it came to the crash */
        report.tracing = 2;
        walk_by_hand(report.context, registers_of(report.context));
    } /* else what is there must do */
    tell();
    errno = before;
    die(number, info);
}
