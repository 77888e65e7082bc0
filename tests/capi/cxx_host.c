/* A C program without a C++ runtime, until it loads a module that needs one. */
#include "check.h"
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

void *_Znwm(size_t) __attribute__((weak));
void *_ZnwmRKSt9nothrow_t(size_t, const void *) __attribute__((weak));

int main(int argc, char **argv) {
    volatile size_t impossible = (size_t)PTRDIFF_MAX + 1;
    if (argc == 1) { _Znwm(impossible); return 0; } /* no runtime to throw with: a message and abort */
    CHECK(_ZnwmRKSt9nothrow_t(impossible, NULL) == NULL);
    void *module = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (!module) { puts(dlerror()); return 2; }
    int (*catches)(void), (*handler)(void);
    *(void **)&catches = dlsym(module, "catches_bad_alloc");
    *(void **)&handler = dlsym(module, "handler_is_called");
    CHECK(catches());
    CHECK(handler());
    return REPORT();
}
