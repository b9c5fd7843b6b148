#include "runtime/backtrace.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#define OBJECTS_MAX 128 /* Debian's libcurl alone brings more than 30 */
#define SCAN_BYTES 1024

typedef struct object { /* a file that is mapped and runs: the executable, shared libraries */
    uintptr_t base, from, to;
    const char *path;
    const char *file; /* mapped after the crash, for its symbols; NULL: not yet */
    size_t file_bytes;
} object;

static struct { /* filled before, read after */
    object objects[OBJECTS_MAX];
    size_t object_count;
} known;

static struct { /* one at a time: whoever takes it is the reporter */
    volatile size_t count;
    uintptr_t frames[LATCH_BACKTRACE_MAX];
} trace;
typedef struct place {
    object *object; /* NULL: none that is known */
    uintptr_t offset, into;
    const char *name; /* NULL: the file doesn't say */
} place;

static struct {
    place at[LATCH_BACKTRACE_MAX];
    volatile size_t count; /* of the trace's frames, those that have been looked for: names take a while, and are told twice */
} places;

static latch_backtrace_stack stack; /* that the frames lie on */

/* ── before ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static int note_object(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)size, (void)unused;
    if (known.object_count == OBJECTS_MAX) return 1;
    bool program = known.object_count == 0; /* the first one is the executable, whose name is empty */
    object o = {.base = info->dlpi_addr, .from = UINTPTR_MAX, .path = program ? "/proc/self/exe" : info->dlpi_name};
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || (part->p_flags & PF_X) == 0) continue;
        uintptr_t from = o.base + part->p_vaddr, to = from + part->p_memsz;
        if (from < o.from) o.from = from;
        if (to > o.to) o.to = to;
    }
    if (o.to > 0) known.objects[known.object_count++] = o;
    return 0;
}

static _Unwind_Reason_Code visit_once(struct _Unwind_Context *context, void *unused) {
    (void)context, (void)unused;
    return _URC_END_OF_STACK;
}

void latch_backtrace_init(void) {
    known.object_count = 0;
    dl_iterate_phdr(note_object, NULL);
    (void)_Unwind_Backtrace(visit_once, NULL); /* what it loads and allocates the first time, it does now */
}

/* The program's name is at the stack's very top. musl would ask the kernel about each page below it. */
latch_backtrace_stack latch_backtrace_main_stack(void) {
    struct rlimit limit = {0};
    uintptr_t top = getauxval(AT_EXECFN);
    if (top == 0 || getrlimit(RLIMIT_STACK, &limit) != 0) return (latch_backtrace_stack){0, 0};
    return (latch_backtrace_stack){limit.rlim_cur < LATCH_BACKTRACE_STACK_BYTES ? top - limit.rlim_cur : top - LATCH_BACKTRACE_STACK_BYTES,
                                   top};
}

/* ── the frames ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void add_frame(uintptr_t pc) {
    if (pc != 0 && trace.count < LATCH_BACKTRACE_MAX) trace.frames[trace.count++] = pc;
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
    return trace.count < LATCH_BACKTRACE_MAX ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static bool on_stack(uintptr_t at) { return at >= stack.from && at <= stack.to - 2 * sizeof at && at % sizeof at == 0 && stack.to > 0; }

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
    for (size_t i = 0; i < known.object_count; i++) {
        if (pc >= known.objects[i].from && pc < known.objects[i].to) return &known.objects[i];
    }
    return NULL;
}

/* Along the chain of frame pointers, which ends with 0 where a thread begins. */
__attribute__((no_sanitize("address"))) static void follow(uintptr_t at) {
    while (on_stack(at) && trace.count < LATCH_BACKTRACE_MAX) {
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

static void begin(latch_backtrace_stack of) {
    trace.count = places.count = 0;
    stack = of;
}

/* In what is deployed, OpenSSL and libcurl keep frame pointers and have no tables for the unwinder: it ends there, and the chain goes on. */
void latch_backtrace_take(const void *context, latch_backtrace_stack of) {
    registers r = registers_of(context);
    walk w = {.pc = r.pc};
    begin(of);
    if (stack.to == 0) { /* a thread that the handler started: its chain ends with 0, and a fault on the way there is outlived */
        stack.from = r.sp;
        stack.to = r.sp + LATCH_BACKTRACE_STACK_BYTES;
    }
    (void)_Unwind_Backtrace(visit, &w);
    if (trace.count == 0)
        walk_by_hand(context, r);
    else
        follow(w.fp);
}

void latch_backtrace_take_by_hand(const void *context) { walk_by_hand(context, registers_of(context)); }

/*
 * Between two frame pointers lie the frames of functions that keep none, as a libc's: what looks like a return address there is taken for one.
 */
__attribute__((no_sanitize("address"))) static void scan(uintptr_t at) {
    if (!on_stack(at)) return;
    uintptr_t next = *(const uintptr_t *)at, to = next > at && on_stack(next) ? next : at;
    for (at += 2 * sizeof at; at + sizeof at <= to && to - at < SCAN_BYTES; at += sizeof at) {
        if (object_of(*(const uintptr_t *)at) != NULL) add_frame(*(const uintptr_t *)at);
    }
    follow(to);
}

void latch_backtrace_take_here(size_t skip, latch_backtrace_stack of) {
    walk w = {.found = true};
    begin(of);
    (void)_Unwind_Backtrace(visit, &w);
    if (trace.count <= skip + 1) {
        if (on_stack(w.fp)) add_frame(((const uintptr_t *)w.fp)[1]);
        scan(w.fp);
    } else {
        follow(w.fp);
    }
    if (skip > trace.count) skip = trace.count;
    for (size_t i = skip; i < trace.count; i++)
        trace.frames[i - skip] = trace.frames[i];
    trace.count -= skip;
}

size_t latch_backtrace_count(void) { return trace.count; }

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

void latch_backtrace_put_hex(latch_text_writer *t, uintptr_t n) {
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
void latch_backtrace_put_plain(latch_text_writer *t, const char *text, size_t max) {
    for (; *text != '\0' && max > 0; text++, max--) {
        unsigned char c = (unsigned char)*text;
        latch_text_char(t, c < 0x20 || c > 0x7E || c == '"' || c == '\\' ? '?' : (char)c);
    }
}

static const char *file_of(const object *o) {
    if (o == &known.objects[0]) return "bootstrap";
    const char *slash = strrchr(o->path, '/');
    return slash != NULL ? slash + 1 : o->path;
}

/* A return address is behind the call: one less lies in the function that called. */
static place look_up(size_t i) {
    place p = {.object = (object *)(uintptr_t)object_of(trace.frames[i])};
    if (p.object == NULL) return p;
    p.offset = trace.frames[i] - p.object->base;
    p.name = name_of(p.object, p.offset - (i > 0), &p.into);
    p.into += i > 0;
    return p;
}

static const place *place_of(size_t i) {
    for (; places.count <= i; places.count++)
        places.at[places.count] = look_up(places.count);
    return &places.at[i];
}

/* "place_order+0x1f (bootstrap+0x41c3)" */
void latch_backtrace_put_frame(latch_text_writer *t, size_t i) {
    const place *p = place_of(i);
    if (p->name != NULL) {
        latch_backtrace_put_plain(t, p->name, 100);
        latch_text_char(t, '+');
        latch_backtrace_put_hex(t, p->into);
        put(t, " (");
    }
    put(t, p->object != NULL ? file_of(p->object) : "?");
    latch_text_char(t, '+');
    latch_backtrace_put_hex(t, p->object != NULL ? p->offset : trace.frames[i]);
    if (p->name != NULL) latch_text_char(t, ')');
}

/* {"path":"bootstrap","line":0,"label":"place_order"} */
void latch_backtrace_put_cause(latch_text_writer *t, size_t i) {
    const place *p = place_of(i);
    put(t, "{\"path\":\"");
    put(t, p->object != NULL ? file_of(p->object) : "?");
    put(t, "\",\"line\":0,\"label\":\"");
    latch_backtrace_put_plain(t, p->name != NULL ? p->name : "?", 100);
    put(t, "\"}");
}
