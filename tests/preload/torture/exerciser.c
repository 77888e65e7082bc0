/* The program that fault_injection.sh runs while system calls are refused: a few thousand calls over every domain, each
 * null with ENOMEM accepted, every block that was handed out marked and checked. The calls of `getppid` enclose the part
 * in which refusals count; whatever the script still holds in store is then used up by calls of our own, memory is back, and
 * all must work again. */
#include "torture.h"
#include <sys/mman.h>
#include <sys/syscall.h>

enum { CELLS = 64 };
static long nulls;

static void *check(void *block, size_t size, const char *call) {
    if (block) return block;
    CHECK(errno == ENOMEM, "%s(%zu): null with errno %d", call, size, errno);
    nulls++;
    return NULL;
}

static void *exercise(void *argument) {
    uint64_t random = (uint64_t)(uintptr_t)argument;
    static const size_t tops[] = {300, 4000, 40000, 400000, 6000000};
    struct { void *block; size_t size; } table[CELLS] = {{0}};
    for (int i = 0; i < 900; i++) {
        size_t at = next_random(&random) % CELLS, size = 1 + next_random(&random) % tops[i % 5], kind = next_random(&random) % 8;
        size_t old = table[at].size, seed = at;
        void *block = table[at].block;
        if (block) must_hold(block, old < 512 ? old : 512, seed, "exerciser");
        errno = 0;
        if (block && kind < 3) { /* null leaves the old block as it was; the next visit checks it */
            void *moved = check(realloc(block, size), size, "realloc");
            if (!moved) { must_hold(block, old < 512 ? old : 512, seed, "refused realloc"); continue; }
            size_t both = old < size ? old : size;
            must_hold(moved, both < 512 ? both : 512, seed, "realloc");
            table[at].block = moved;
        } else {
            errno = 44;
            free(block);
            CHECK(errno == 44, "free changed errno to %d", errno);
            errno = 0;
            if (kind < 5) {
                unsigned char *zeros = check(calloc(1, size), size, "calloc");
                for (size_t k = 0; zeros && k < size; k += k < 512 ? 1 : 1000) CHECK(zeros[k] == 0, "calloc: byte %zu of %zu", k, size);
                table[at].block = zeros;
            } else if (kind == 5) {
                table[at].block = check(memalign((size_t)4096 << i % 6, size), size, "memalign");
            } else {
                table[at].block = check(malloc(size), size, "malloc");
            }
        }
        table[at].size = size;
        if (table[at].block) mark(table[at].block, size < 512 ? size : 512, seed);
        if (i % 300 == 299) malloc_trim(0);
    }
    for (size_t at = 0; at < CELLS; at++) {
        if (table[at].block) must_hold(table[at].block, table[at].size < 512 ? table[at].size : 512, at, "end");
        free(table[at].block);
    }
    return NULL;
}

/* As many harmless calls of each kind as the script refuses at most in a row. */
static void use_up_refusals(void) {
    for (int i = 0; i < 200; i++) {
        long page = syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == -1) continue;
        syscall(SYS_mprotect, page, 4096, PROT_READ);
        syscall(SYS_madvise, page, 4096, MADV_DONTNEED);
        long moved = syscall(SYS_mremap, page, 4096, 8192, MREMAP_MAYMOVE);
        if (moved == -1) syscall(SYS_munmap, page, 4096);
        else syscall(SYS_munmap, moved, 8192);
    }
}

int main(void) {
    char *first = malloc(10000); /* before main's part: the loader's own mapping must have gone well */
    CHECK(first, "malloc before the refusals begin");
    syscall(SYS_getppid);
    exercise((void *)1);
    pthread_t thread;
    if (pthread_create(&thread, NULL, exercise, (void *)2) == 0) pthread_join(thread, NULL);
    free(first);
    syscall(SYS_getppid);
    use_up_refusals();
    for (size_t size = 1; size < 8 * MIB; size = size * 2 + 1) {
        void *block = malloc(size);
        CHECK(block, "malloc(%zu) once memory is back", size);
        mark(block, size, size);
        must_hold(block, size, size, "once memory is back");
        free(block);
    }
    PASS("%ld calls got null", nulls);
}
