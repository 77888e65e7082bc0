/* 5 000 times dlopen and dlclose of sixteen libraries with constructors, destructors and thread-locals, touched from the
 * main thread and from new ones, beside threads that allocate: the loader's own blocks come from us, before and after. */
#include "torture.h"
#include <dlfcn.h>

enum { COPIES = 8, BUSY = 2 };
static volatile int stop;

static void *busy(void *argument) {
    uint64_t random = (uint64_t)(uintptr_t)argument;
    void *blocks[32] = {0};
    while (!stop) {
        size_t i = next_random(&random) % 32;
        free(blocks[i]);
        blocks[i] = malloc(random_size(&random, 12));
    }
    for (int i = 0; i < 32; i++) free(blocks[i]);
    return NULL;
}

static void *call(void *function) {
    return (void *)(intptr_t)((int (*)(void))(uintptr_t)function)();
}

int main(void) {
    char folder[400];
    ssize_t length = readlink("/proc/self/exe", folder, sizeof folder - 1);
    CHECK(length > 0, "readlink");
    folder[length] = 0;
    *strrchr(folder, '/') = 0;
    long rounds = scaled(5000, 64), warm = rounds / 5, base = 0, highest = 0;
    pthread_t threads[BUSY];
    for (uintptr_t i = 0; i < BUSY; i++) threads[i] = start(busy, (void *)(i + 1));
    for (long i = 0; i < rounds; i++) {
        char path[512];
        int object = i % 4 == 3;
        snprintf(path, sizeof path, "%s/dl_%s_%ld.so", folder, object ? "object" : "plain", i / 4 % COPIES);
        void *handle = dlopen(path, i % 2 ? RTLD_NOW : RTLD_LAZY);
        CHECK(handle, "dlopen: %s", dlerror());
        void *touch = dlsym(handle, "touch");
        CHECK(touch, "dlsym");
        /* A C++ thread_local pins its library until its thread ends: only short-lived threads touch those. */
        void *result = object || i % 3 == 0 ? join(start(call, touch)) : call(touch);
        CHECK(result == NULL, "%s: touch says %ld", path, (long)(intptr_t)result);
        CHECK(dlclose(handle) == 0, "dlclose: %s", dlerror());
        if (i % 50 == 49) {
            long now = resident_kib();
            if (i < warm) { if (now > base) base = now; }
            else if (now > highest) highest = now;
        }
    }
    stop = 1;
    for (int i = 0; i < BUSY; i++) join(threads[i]);
    CHECK(base == 0 || highest < base + 4096, "%ld rounds: resident %ld -> %ld KiB", rounds, base, highest);
    PASS("%ld rounds, resident %ld -> %ld KiB", rounds, base, highest);
}
