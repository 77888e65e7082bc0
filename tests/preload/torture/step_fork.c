/* The exact form of fork_in_signal: the processor's trap flag raises SIGTRAP after every instruction of a script of calls
 * (first call of a new thread, small, medium, large, realloc, the burst that empties and refills); at evenly spread
 * instructions the handler forks, and the child must be able to use the heap as the interrupted call left it. */
#include "torture.h"
#include <signal.h>
#ifndef __x86_64__
int main(void) { SKIP("single steps are x86-64 only"); }
#else
#include <ucontext.h>

enum { TRAP_FLAG = 0x100 };
static long steps, stride, forks, bad;
static void *inherited, *bad_at;
static char reason[64];

static void on_step(int number, siginfo_t *info, void *context) {
    (void)number, (void)info;
    steps++;
    if (stride == 0 || steps % stride != 0) return;
    int saved = errno;
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGALRM, SIG_DFL);
        alarm(20);
        use_heap_in_child(inherited);
        _exit(0);
    }
    int status = 0;
    if (pid > 0 && waitpid(pid, &status, 0) == pid) {
        const char *why = bad_end(status);
        forks++;
        if (why) {
            bad++;
            snprintf(reason, sizeof reason, "%s", why);
            bad_at = (void *)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
        }
    }
    errno = saved;
}

/* volatile: the trap flag must be set before and cleared after the calls, whatever the compiler thinks of them. */
static void set_trap_flag(int on) {
    unsigned long flags = __builtin_ia32_readeflags_u64();
    __builtin_ia32_writeeflags_u64(on ? flags | TRAP_FLAG : flags & ~(unsigned long)TRAP_FLAG);
}

static void *volatile sink;
static void *script(void *argument) {
    (void)argument;
    static const size_t sizes[] = {1, 48, 700, 5000, 20000, 140 * KIB, 2 * MIB};
    void *burst[96];
    set_trap_flag(1);
    for (int i = 0; i < 7; i++) { sink = malloc(sizes[i]); free(sink); }
    for (int i = 0; i < 96; i++) burst[i] = malloc(1000);
    for (int i = 0; i < 96; i++) free(burst[i]);
    sink = malloc(10);
    sink = realloc(sink, 100);
    sink = realloc(sink, 3000);
    free(sink);
    sink = calloc(3, 50);
    free(sink);
    sink = memalign(4096, 100);
    free(sink);
    set_trap_flag(0);
    return NULL;
}

int main(void) {
    if (!on_trial()) SKIP("an interrupted malloc of glibc leaves its heap unusable");
    struct sigaction action = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
    sigaction(SIGTRAP, &action, NULL);
    inherited = malloc(300);
    join(start(script, NULL)); /* counts only */
    long total = steps;
    CHECK(total > 1000, "the trap flag has no effect");
    stride = total / scaled(3000, 50) + 1;
    /* The second pass is a new thread: the first call's heap creation (or adoption) is among the steps. */
    steps = 0;
    join(start(script, NULL));
    CHECK(bad == 0, "%ld of %ld children bad, the last: %s, after the instruction at %p", bad, forks, reason, bad_at);
    PASS("%ld forks, one every %ld of %ld instructions", forks, stride, total);
}
#endif
