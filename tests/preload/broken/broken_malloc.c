/* A preload library that puts one fault (environment variable FAULT) into glibc's malloc: the test of the tests.
 * seen_failing.sh lists which torture programs must notice which fault. */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

enum fault { UNKNOWN, NONE, ERRNO, DIRTY, ALIGN, SCRIBBLE, HALF, LEAK, SILENT, MAPPINGS, LOCK, GREEDY, KILL };
static enum fault fault_cache;
static enum fault fault(void) {
    static const char *const names[] = {"", "none", "errno", "dirty", "align", "scribble", "half", "leak", "silent", "mappings", "lock", "greedy", "kill"};
    if (fault_cache == UNKNOWN) {
        const char *name = environ ? getenv("FAULT") : NULL;
        if (!name) return NONE;
        for (unsigned i = 1; i < sizeof names / sizeof *names; i++) if (strcmp(name, names[i]) == 0) fault_cache = (enum fault)i;
        if (fault_cache == UNKNOWN) _exit(100);
    }
    return fault_cache;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long calls, frees;
static char *volatile recent;

void *malloc(size_t size) {
    void *block;
    switch (fault()) {
    case LOCK: /* one lock that no fork handler knows */
        pthread_mutex_lock(&lock);
        block = __libc_malloc(size);
        for (volatile int i = 0; i < 300; i++) {}
        pthread_mutex_unlock(&lock);
        return block;
    case SCRIBBLE: /* now and then a byte of another block is written */
        block = __libc_malloc(size);
        if (__atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) % 1500 == 1499 && recent) recent[1] ^= 0x40;
        if (size >= 16 && size <= 512) recent = block;
        return block;
    case GREEDY: /* twice the memory */
        return size < SIZE_MAX / 4 ? __libc_malloc(size * 2) : NULL;
    case MAPPINGS: /* a mapping with a guard page for each large block (never released) */
        if (size >= 100000) {
            size_t whole = (size + 8191) & ~(size_t)4095;
            char *map = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (map == MAP_FAILED) return NULL;
            mprotect(map + whole - 4096, 4096, PROT_NONE);
            return map;
        }
        return __libc_malloc(size);
    default:
        block = __libc_malloc(size);
        if (!block && fault() == SILENT) errno = 0;
        if (!block && fault() == KILL) abort();
        return block;
    }
}

void free(void *block) {
    switch (fault()) {
    case LEAK:
        if (__atomic_add_fetch(&frees, 1, __ATOMIC_RELAXED) % 16 == 15) return;
        break;
    case LOCK:
        pthread_mutex_lock(&lock);
        __libc_free(block);
        pthread_mutex_unlock(&lock);
        return;
    case MAPPINGS:
        if (((uintptr_t)block & 4095) == 0) return;
        break;
    default: break;
    }
    __libc_free(block);
    if (fault() == ERRNO) errno = EAGAIN;
}

void *calloc(size_t count, size_t size) {
    size_t bytes;
    if (fault() != DIRTY || __builtin_mul_overflow(count, size, &bytes) || bytes < 32) return __libc_calloc(count, size);
    char *block = __libc_calloc(1, bytes);
    if (block && __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) > 100) block[bytes / 2] = 1;
    return block;
}

void *realloc(void *block, size_t size) {
    if (fault() == KILL && size > 500u << 20) abort();
    size_t old = block ? malloc_usable_size(block) : 0;
    block = __libc_realloc(block, size);
    if (block && fault() == HALF && old > 64) ((char *)block)[(old < size ? old : size) / 2] ^= 1;
    return block;
}

void *memalign(size_t alignment, size_t size) {
    if (fault() != ALIGN || alignment < 64) return __libc_memalign(alignment, size);
    return (char *)__libc_memalign(alignment, size + 32) + 32;
}
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
