/* 1 000 forks while other threads are inside the allocator: a child inherits their half-done work, their locks and none of
 * the threads; it must still allocate, free (also its parent's blocks), start a thread, and end with 0. */
#include "torture.h"
#include <signal.h>

enum { BUSY = 4, AT_ONCE = 8 };
static volatile int stop;

static void *busy(void *argument) {
    uint64_t random = (uint64_t)(uintptr_t)argument;
    void *blocks[64] = {0};
    while (!stop) {
        size_t i = next_random(&random) % 64;
        free(blocks[i]);
        blocks[i] = malloc(random_size(&random, next_random(&random) % 16 == 0 ? 20 : 13));
        CHECK(blocks[i], "malloc in a busy thread");
    }
    for (int i = 0; i < 64; i++) free(blocks[i]);
    return NULL;
}

static void *thread_of_child(void *argument) {
    use_heap_in_child(argument);
    return NULL;
}

static void child(long number, void *inherited) {
    signal(SIGALRM, SIG_DFL);
    alarm(30); /* a child that hangs ends by this signal and is counted as bad */
    use_heap_in_child(inherited);
    if (number % 8 == 0) join(start(thread_of_child, malloc(100)));
    if (number % 2) exit(0); /* with atexit handlers and library destructors */
    _exit(0);
}

int main(void) {
    long forks = scaled(1000, 20), bad = 0;
    char reason[64] = "";
    pthread_t threads[BUSY];
    for (uintptr_t i = 0; i < BUSY; i++) threads[i] = start(busy, (void *)(i + 1));
    for (long i = 0, running = 0; i < forks || running;) {
        if (bad >= AT_ONCE) forks = i; /* enough: each that hangs costs half a minute */
        if (i < forks && running < AT_ONCE) {
            void *inherited = malloc(500);
            pid_t pid = fork();
            CHECK(pid >= 0, "fork: %s", strerror(errno));
            if (pid == 0) child(i, inherited);
            free(inherited);
            i++, running++;
            continue;
        }
        int status;
        CHECK(wait(&status) > 0, "wait");
        running--;
        const char *why = bad_end(status);
        if (why) bad++, snprintf(reason, sizeof reason, "%s", why);
    }
    stop = 1;
    for (int i = 0; i < BUSY; i++) join(threads[i]);
    CHECK(bad == 0, "%ld of %ld children ended badly, the last: %s", bad, forks, reason);
    PASS("%ld forks beside %d busy threads", forks, BUSY);
}
