/* Ends in the way that its first argument names, where it can with status 7; ends.sh looks at the status and at what is left. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int is(const char *name, const char *way) { return strcmp(name, way) == 0; }

static void in_exit_handler(void) { _exit(7); }
static void in_quick_handler(void) { free(malloc(100)); }
static void *in_thread(void *unused) { (void)unused; _exit(7); }
static void in_handler(int signal) { (void)signal; _exit(7); }
static void *last_thread(void *unused) { (void)unused; return malloc(100); }

/* Only this is common to the children: they end at once, and the parent tells how. */
static int end_of(pid_t child) {
    int status;
    if (waitpid(child, &status, 0) != child) return 99;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

/* _exit on an alternate stack of the least size that the kernel takes, with a page below it that ends the process by a signal. */
static void on_a_small_stack(void) {
    long least = sysconf(_SC_MINSIGSTKSZ), page = sysconf(_SC_PAGESIZE), size = (least + 1024 + page - 1) / page * page;
    char *memory = mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(memory, page, PROT_NONE);
    stack_t stack = {.ss_sp = memory + page + size - least - 1024, .ss_size = least + 1024};
    struct sigaction action = {.sa_handler = in_handler, .sa_flags = SA_ONSTACK};
    sigaltstack(&stack, NULL);
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
}

/* Children made by vfork share our memory: neither they nor what they leave there may change what we say at our own end. */
static void vfork_children(void) {
    for (int i = 0; i < 3; i++) {
        pid_t child = vfork();
        if (child == 0) _exit(3);
        if (end_of(child) != 3) abort();
    }
}

static void fork_child(void (*end)(int)) {
    pid_t child = fork();
    if (child == 0) {
        memset(malloc(1 << 20), 1, 1 << 20);
        end(3);
    }
    if (end_of(child) != 3) abort();
}

int main(int argc, char **argv) {
    const char *way = argc > 1 ? argv[1] : "";
    for (int i = 0; i < 50; i++) memset(malloc(1000), 1, 1000);
    if (is(way, "return")) return 7;
    if (is(way, "exit")) exit(7);
    if (is(way, "_exit")) _exit(7);
    if (is(way, "_Exit")) _Exit(7);
    if (is(way, "quick_exit")) { at_quick_exit(in_quick_handler); quick_exit(7); }
    if (is(way, "_exit-in-exit")) { atexit(in_exit_handler); exit(0); }
    if (is(way, "small-stack")) on_a_small_stack();
    if (is(way, "thread")) { pthread_t id; pthread_create(&id, NULL, in_thread, NULL); pthread_join(id, NULL); }
    if (is(way, "pthread_exit")) { pthread_t id; pthread_create(&id, NULL, last_thread, NULL); pthread_exit(NULL); }
    if (is(way, "vfork")) { vfork_children(); _exit(7); }
    if (is(way, "fork-_exit")) { fork_child(_exit); return 7; }
    if (is(way, "fork-quick_exit")) { fork_child(quick_exit); return 7; }
    if (is(way, "fork-exit")) { fork_child(exit); _exit(7); }
    if (is(way, "exec")) { execl("/bin/true", "true", (char *)NULL); }
    if (is(way, "exit_group")) syscall(SYS_exit_group, 7);
    if (is(way, "term")) raise(SIGTERM);
    if (is(way, "segv")) *(volatile int *)8 = 1;
    return 99;
}
