/* Timer signals at a few kilohertz into four threads that allocate: the handler touches no heap, but every system call of
 * the allocator may be interrupted, and errno must survive. */
#include "torture.h"
#include <signal.h>

enum { THREADS = 4 };
static volatile long signals;
static long rounds;

static void on_signal(int number) {
    (void)number;
    errno = EINTR;
    signals++;
}

static void *body(void *argument) {
    uint64_t random = (uint64_t)(uintptr_t)argument;
    struct { void *block; size_t size; } table[128] = {{0}};
    for (long i = 0; i < rounds; i++) {
        size_t at = next_random(&random) % 128;
        if (table[at].block) must_hold(table[at].block, table[at].size < 256 ? table[at].size : 256, at, "signal storm");
        free(table[at].block);
        table[at].size = random_size(&random, i % 20 == 0 ? 21 : 13);
        table[at].block = malloc(table[at].size);
        CHECK(table[at].block, "malloc(%zu): errno %d", table[at].size, errno);
        mark(table[at].block, table[at].size < 256 ? table[at].size : 256, at);
    }
    for (int i = 0; i < 128; i++) free(table[i].block);
    return NULL;
}

int main(void) {
    rounds = scaled(500000, 2000);
    struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: interrupted calls do fail */
    sigaction(SIGRTMIN, &action, NULL);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    timer_t timers[3];
    for (int i = 0; i < 3; i++) {
        CHECK(timer_create(CLOCK_MONOTONIC, &event, &timers[i]) == 0, "timer_create");
        struct itimerspec period = {{0, 300000 + i * 70000}, {0, 300000}};
        timer_settime(timers[i], 0, &period, NULL);
    }
    pthread_t threads[THREADS];
    /* Signals to the process go to any thread that lets them in; main keeps them out. */
    for (uintptr_t i = 0; i < THREADS; i++) threads[i] = start(body, (void *)(i + 1));
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    for (int i = 0; i < THREADS; i++) join(threads[i]);
    for (int i = 0; i < 3; i++) timer_delete(timers[i]);
    CHECK(signals > 0, "no signal arrived");
    PASS("%ld signals during %ld replacements", signals, rounds * THREADS);
}
