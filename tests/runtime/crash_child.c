/*
 * crash_child.c - a function whose handler crashes, hangs or exits in the way that the event says; test_crash.c and test_ending.c start it and
 * look at what was reported.
 */
#include <curl/curl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include "core/ctx.h"
#include "core/log.h"
#include "core/span.h"
#include "runtime/context.h"
#include "runtime/event.h"
#include "runtime/loop.h"
#include "runtime/metrics.h"

/* The sanitizers would see these faults before the processor does. */
#define UNWATCHED __attribute__((noinline, no_sanitize("address", "undefined")))

static volatile int zero;
static int *volatile nowhere;
static void (*volatile no_function)(void);

UNWATCHED static void write_nowhere(void) { *nowhere = 1; }
UNWATCHED static void call_nowhere(void) {
    no_function();
    zero++;
}
UNWATCHED static void divide_by_zero(void) {
#if defined(__x86_64__)
    zero = 7 / zero; /* of 1 / x the compiler makes a comparison */
#else
    raise(SIGFPE);
#endif
    zero++;
}
UNWATCHED static void run_into_nonsense(void) { __builtin_trap(); }
UNWATCHED static void trap(void) {
#if defined(__x86_64__)
    __asm__ volatile("int3"); /* behind which it would go on */
#else
    __asm__ volatile("brk #1000");
#endif
    zero++;
}
UNWATCHED static void call_what_is_forbidden(void) {
    raise(SIGSYS);
    zero++;
}
UNWATCHED static void give_up(void) {
    abort();
    zero++;
}
UNWATCHED static void read_past_a_file(void) {
    int fd = memfd_create("empty", 0);
    volatile char *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    zero = page[0];
}
UNWATCHED static int recurse_for_ever(volatile char *from) {
    volatile char frame[4096];
    frame[0] = from[0];
    if (zero != 0) return 0; /* it never is, and no compiler knows */
    return recurse_for_ever(frame) + frame[0];
}
/* libcurl reads the URL. */
UNWATCHED static void mislead_a_library(void) {
    CURL *easy = curl_easy_init();
    zero = curl_easy_setopt(easy, CURLOPT_URL, (const char *)(uintptr_t)8) != CURLE_OK;
}
/* Of the libraries that are loaded the one that comes last, but for the loader; `at` becomes where its code begins: that has run already. */
static int note_code(struct dl_phdr_info *info, size_t size, void *at) {
    (void)size;
    if (strstr(info->dlpi_name, ".so") == NULL || strstr(info->dlpi_name, "/ld-") != NULL) return 0;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X) != 0)
            *(uintptr_t *)at = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
    }
    return 0;
}
UNWATCHED static void crash_in_the_last_library(void) {
    static const uint32_t trap_of_arm64 = 0xD4200000;
    uintptr_t at = 0, page;
    dl_iterate_phdr(note_code, &at);
    page = at & ~(uintptr_t)4095;
    if (at == 0 || mprotect((void *)page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) _exit(3);
#if defined(__x86_64__)
    memset((void *)at, 0xCC, sizeof trap_of_arm64); /* int3 */
#else
    memcpy((void *)at, &trap_of_arm64, sizeof trap_of_arm64);
#endif
    __builtin___clear_cache((char *)at, (char *)at + sizeof trap_of_arm64);
    ((void (*)(void))at)();
    zero++;
}
UNWATCHED static void *crash_in_a_thread(void *unused) {
    write_nowhere();
    return unused;
}

static void start_a_thread(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, crash_in_a_thread, NULL) == 0) pthread_join(thread, NULL);
}

static pthread_barrier_t together;
UNWATCHED static void *crash_together(void *unused) {
    pthread_barrier_wait(&together);
    write_nowhere();
    return unused;
}

static void start_four_threads(void) {
    pthread_t threads[4];
    pthread_barrier_init(&together, NULL, 4);
    for (size_t i = 0; i < 4; i++)
        if (pthread_create(&threads[i], NULL, crash_together, NULL) != 0) _exit(3);
    pthread_join(threads[0], NULL);
}

/* Not this process's crash: the invocation goes on. */
static void crash_in_a_child(void) {
    pid_t child = fork();
    if (child == 0) write_nowhere();
    waitpid(child, NULL, 0);
}

static void recurse(void) {
    char start = 1;
    zero = recurse_for_ever(&start);
}

static void nap_ms(int64_t ms) { nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL); }

UNWATCHED static void wait_for_ever(void) {
    while (zero == 0)
        nap_ms(20);
}
UNWATCHED static void spin_for_ever(void) {
    while (zero == 0)
        continue;
}
/* Whoever follows the frames from here meets memory that isn't there. */
#if defined(__x86_64__)
#define LOSE_FRAME "mov $8, %%rbp\n"
#define HANG_LOST LOSE_FRAME "1: jmp 1b"
#define EXIT_LOST LOSE_FRAME "mov $3, %%edi\ncall *%0"
#else
#define LOSE_FRAME "mov x29, #8\n"
#define HANG_LOST LOSE_FRAME "1: b 1b"
#define EXIT_LOST LOSE_FRAME "mov w0, #3\nblr %0"
#endif
UNWATCHED static void hang_lost(void) { __asm__ volatile(HANG_LOST : : : "memory"); }
UNWATCHED static void exit_lost(void) { __asm__ volatile(EXIT_LOST : : "r"(exit) : "memory"); }
UNWATCHED static void exit_with_three(void) { exit(3); }
UNWATCHED static void exit_well(void) { exit(0); }
UNWATCHED static void *exit_in_a_thread(void *unused) {
    exit(4);
    return unused;
}
static void *wait_in_a_thread(void *unused) {
    wait_for_ever();
    return unused;
}
static void start_one_that_exits(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, exit_in_a_thread, NULL) == 0) wait_for_ever();
}
/* When the handler has returned. */
static void *crash_later(void *unused) {
    nap_ms(300);
    write_nowhere();
    return unused;
}
static void *exit_later(void *unused) {
    nap_ms(300);
    exit(4);
    return unused;
}
static void start_apart(void *(*run)(void *)) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, NULL) == 0) pthread_detach(thread);
}
static void crash_apart(void) { start_apart(crash_later); }
static void exit_apart(void) { start_apart(exit_later); }
static void leave_the_thread(void) { pthread_exit(NULL); }
static void leave_the_thread_to_another(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, wait_in_a_thread, NULL) == 0) thrd_exit(0);
}
static void exit_in_a_child(void) {
    pid_t child = fork();
    if (child == 0) exit(5);
    waitpid(child, NULL, 0);
}
static void return_from_a_child_too(void) {
    pid_t child = fork();
    if (child > 0) waitpid(child, NULL, 0);
}
static void say_bye(void) { (void)!write(STDOUT_FILENO, "bye\n", 4); }
static void exit_with_a_handler(void) {
    atexit(say_bye);
    exit(6);
}
static void nap_200(void) { nap_ms(200); }
static void nap_500(void) { nap_ms(500); }
static void nap_900(void) { nap_ms(900); }

static const struct {
    const char *name;
    void (*run)(void);
} ways[] = {
    {"segv", write_nowhere},
    {"jump", call_nowhere},
    {"fpe", divide_by_zero},
    {"ill", run_into_nonsense},
    {"trap", trap},
    {"sys", call_what_is_forbidden},
    {"abort", give_up},
    {"bus", read_past_a_file},
    {"stack", recurse},
    {"thread", start_a_thread},
    {"threads", start_four_threads},
    {"child", crash_in_a_child},
    {"library", mislead_a_library},
    {"last_library", crash_in_the_last_library},
    {"hang", wait_for_ever},
    {"spin", spin_for_ever},
    {"hang_lost", hang_lost},
    {"exit_lost", exit_lost},
    {"both_return", return_from_a_child_too},
    {"exit3", exit_with_three},
    {"exit0", exit_well},
    {"exit_thread", start_one_that_exits},
    {"crash_apart", crash_apart},
    {"exit_apart", exit_apart},
    {"exit_child", exit_in_a_child},
    {"thread_exit", leave_the_thread},
    {"thrd_exit", leave_the_thread_to_another},
    {"exit_handler", exit_with_a_handler},
    {"nap200", nap_200},
    {"nap500", nap_500},
    {"nap900", nap_900},
};

/* Returns when the watchdog barks, or a little before or after. */
static void return_late(latch_ctx *cx) {
    int64_t left_ms = latch_deadline_ms(cx) - latch_now_ms(cx) - 200;
    nap_ms(left_ms > 3 ? left_ms - 3 : 0);
    int64_t until_ms = 200 + latch_request_id(cx).ptr[2] % 3;
    while (latch_deadline_ms(cx) - latch_now_ms(cx) > until_ms)
        continue;
}

UNWATCHED static latch_status crash_as_asked(latch_ctx *cx, latch_event *event) {
    latch_str way = latch_event_bytes(event);
    latch_metric(cx, "Tried", LATCH_COUNT, 1);
    if (way.len > 0 && *way.ptr == '+') { /* when all the others have their events, too */
        nap_ms(150);
        way = (latch_str){way.ptr + 1, way.len - 1};
    }
    if (latch_str_eq(way, LATCH_STR("late"))) return_late(cx);
    if (latch_str_eq(way, LATCH_STR("wait"))) {
        (void)latch_span_begin(cx, "price", LATCH_STR("sku-7"));
        wait_for_ever();
    }
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        if (latch_str_eq(way, latch_str_of(ways[i].name))) ways[i].run();
    }
    return latch_event_reply_bytes(event, LATCH_STR("\"alive\""));
}

static latch_status crash_in_init(latch_ctx *cx) {
    (void)cx;
    write_nowhere();
    return LATCH_OK;
}

static latch_status leave_in_init(latch_ctx *cx) {
    (void)cx;
    leave_the_thread();
    return LATCH_OK;
}

static latch_status exit_in_init(latch_ctx *cx) {
    (void)cx;
    exit_with_three();
    return LATCH_OK;
}

int main(void) {
    const latch_handler handlers[] = {{.name = "crash", .event = crash_as_asked},
                                      {.name = "init", .event = crash_as_asked, .init = crash_in_init},
                                      {.name = "exit", .event = crash_as_asked, .init = exit_in_init},
                                      {.name = "leave", .event = crash_as_asked, .init = leave_in_init}};
    const latch_log log = latch_log_from_environment();
    return latch_loop_run(&(latch_loop_options){.handlers = handlers, .count = 4, .clock = latch_clock_system(), .log = &log});
}
