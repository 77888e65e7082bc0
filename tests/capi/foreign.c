/* Blocks of glibc's allocator are forwarded to it; other foreign pointers are ignored with one warning (run.sh counts
 * the lines on standard error). */
#define _GNU_SOURCE
#include "check.h"
#include "stratalloc.h"
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#pragma GCC diagnostic ignored "-Wfree-nonheap-object"
#pragma GCC diagnostic ignored "-Wuse-after-free"

static void *(*foreign_malloc)(size_t);
static void *(*foreign_memalign)(size_t, size_t);
static void *(*foreign_thread_malloc)(size_t);

static void through_every_function(char *(*make)(size_t), size_t n) {
    char *p = make(n);
    CHECK(p && !stratalloc_owns(p));
    CHECK(malloc_usable_size(p) >= n && malloc_usable_size(p) < n + 4200);
    errno = 77;
    free(p);
    CHECK(errno == 77);
    p = make(n);
    memset(p, 7, n);
    p = realloc(p, 2 * n);
    CHECK(p && stratalloc_owns(p) && p[0] == 7 && p[n - 1] == 7);
    free(p);
    p = make(n);
    memset(p, 8, n);
    p = realloc(p, n / 2);
    CHECK(p && stratalloc_owns(p) && p[0] == 8 && p[n / 2 - 1] == 8);
    free(p);
    p = make(n);
    memset(p, 9, n);
    errno = 0;
    volatile size_t impossible = (size_t)PTRDIFF_MAX + 1;
    CHECK(realloc(p, impossible) == NULL && errno == ENOMEM && p[n - 1] == 9);
    CHECK(realloc(p, 0) == NULL);
}

static char *plain(size_t n) { return foreign_malloc(n); }
static char *aligned(size_t n) { return foreign_memalign(256, n); }
static char *of_thread(size_t n) { return foreign_thread_malloc(n); }

/* If forwarding worked, glibc uses the memory again: 2 GB in all, a little at any time. */
static void nothing_leaks(void) {
    void *first = sbrk(0);
    for (int i = 0; i < 20000; i++) free(foreign_malloc(100000));
    CHECK((char *)sbrk(0) - (char *)first < 2000000);
}

static void unknown(void *p) {
    errno = 77;
    free(p);
    CHECK(errno == 77);
    CHECK(malloc_usable_size(p) == 0);
    CHECK(realloc(p, 100) == NULL && errno == ENOMEM);
}

static char in_data[4096] __attribute__((aligned(4096)));

int main(int argc, char **argv) {
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (argc < 3 || !library) { puts(dlerror()); return 2; }
    *(void **)&foreign_malloc = dlsym(library, "foreign_malloc");
    *(void **)&foreign_memalign = dlsym(library, "foreign_memalign");
    *(void **)&foreign_thread_malloc = dlsym(library, "foreign_thread_malloc");
    static const size_t sizes[] = {24, 100, 1000, 20000, 120000, 140000, 5000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        through_every_function(plain, sizes[i]);
        through_every_function(aligned, sizes[i]);
        through_every_function(of_thread, sizes[i]);
    }
    nothing_leaks();
    if (!strcmp(argv[2], "known")) return REPORT();

    char on_stack[256] __attribute__((aligned(64)));
    memset(on_stack, 0, sizeof on_stack);
    char *hole = mmap(NULL, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *block = foreign_malloc(1000);
    memset(block, 0, 1000);
    unknown(on_stack + 64);
    unknown(in_data); unknown(in_data + 16); unknown(in_data + 17);
    unknown(hole); unknown(hole + 4096); unknown(hole + 16);
    unknown(pages); unknown(pages + 64);
    unknown(block + 160); unknown(block + 8);
    unknown((void *)16); unknown((void *)4096); unknown((void *)-16); unknown((void *)((uintptr_t)1 << 63));
    *(size_t *)(on_stack + 56) = 0x45; /* flag "thread heap": its header would lie in no mapping */
    unknown(on_stack + 64);
    *(size_t *)(on_stack + 56) = 0x1002; /* flag "own mapping", but not on pages */
    unknown(on_stack + 64);
    *(size_t *)(on_stack + 56) = 0x41;
    unknown(on_stack + 64);
    free(block);
    /* Another C library in a namespace of its own: none of its blocks is glibc's of this one. */
    void *other = dlmopen(LM_ID_NEWLM, argv[1], RTLD_NOW);
    CHECK(other != NULL);
    if (other) {
        void *(*other_malloc)(size_t);
        void (*other_free)(void *);
        *(void **)&other_malloc = dlsym(other, "foreign_malloc");
        *(void **)&other_free = dlsym(other, "foreign_free");
        void *theirs = other_malloc(100);
        unknown(theirs);
        other_free(theirs);
    }
    return REPORT();
}
