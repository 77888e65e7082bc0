/* A signal handler that interrupted malloc or free forks; the child allocates, frees and ends with 0. First one thread
 * with SIGALRM of a timer, then four threads shot at with SIGPROF. An allocator that takes its own locks before a fork
 * waits for itself here (jemalloc, tcmalloc, hardened_malloc; glibc too, once there are threads). */
#include "torture.h"
#include <signal.h>
#include <sys/time.h>

enum { THREADS = 4 };
static volatile long started, good, bad;
static volatile int stop;
static char reason[64];
static __thread void *inherited;

/* One tick. A timer that repeats would leave the program no time at all where a fork takes longer than the interval (an
 * emulated machine): the next signal would be there before the handler returns. */
static void arm_timer(void) {
    struct itimerval tick = {{0, 0}, {0, 700}};
    setitimer(ITIMER_REAL, &tick, NULL);
}

static void on_signal(int number) {
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
        if (why) __atomic_add_fetch(&bad, 1, __ATOMIC_RELAXED), snprintf(reason, sizeof reason, "%s", why);
        else __atomic_add_fetch(&good, 1, __ATOMIC_RELAXED);
    }
    if (number == SIGALRM && !stop) arm_timer();
    errno = saved;
}

/* Nearly all time is spent inside the allocator, much of it in its slow paths: bursts, then all freed. */
static void allocate_until(volatile int *flag, long forks, uint64_t seed) {
    uint64_t random = seed;
    void *blocks[256];
    while (!*flag && good + bad < forks) {
        unsigned bits = 4 + (unsigned)(next_random(&random) % 16);
        int count = bits > 14 ? 8 : 256;
        for (int i = 0; i < count; i++) {
            blocks[i] = malloc(random_size(&random, bits));
            CHECK(blocks[i], "malloc");
        }
        for (int i = 0; i < count; i++) free(blocks[i]);
    }
}

static void *body(void *argument) {
    inherited = malloc(300);
    allocate_until(&stop, 1L << 60, (uint64_t)(uintptr_t)argument);
    free(inherited);
    return NULL;
}

int main(void) {
    if (!on_trial()) SKIP("an interrupted malloc of glibc leaves its heap unusable");
    long forks = scaled(400, 20);
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGPROF, &action, NULL);

    inherited = malloc(300);
    struct itimerval none = {{0, 0}, {0, 0}};
    arm_timer();
    allocate_until(&stop, forks, 1);
    stop = 1; /* a tick that comes now arms no other */
    setitimer(ITIMER_REAL, &none, NULL);
    stop = 0;
    CHECK(bad == 0, "one thread: %ld of %ld children bad, the last: %s", bad, bad + good, reason);

    good = 0;
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) threads[i] = start(body, (void *)(i + 2));
    uint64_t random = 7;
    for (long i = 0; good + bad < forks; i++) {
        pthread_kill(threads[i % THREADS], SIGPROF);
        struct timespec t = {0, (long)(next_random(&random) % 1000000)};
        nanosleep(&t, NULL);
    }
    stop = 1;
    for (int i = 0; i < THREADS; i++) join(threads[i]);
    CHECK(bad == 0, "%d threads: %ld of %ld children bad, the last: %s", THREADS, bad, bad + good, reason);
    PASS("%ld forks from a handler in one thread, %ld in %d threads", forks, good, THREADS);
}
