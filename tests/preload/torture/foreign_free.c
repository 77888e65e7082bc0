/* Pointers that are not ours: from a private mapping, glibc's own malloc, static data, the stack, nowhere. free forwards
 * or ignores them with at most one warning, malloc_usable_size says 0 or the truth, and the heap stays sound. */
#include "torture.h"
#include <dlfcn.h>
#include <sys/mman.h>

static char data[4096] __attribute__((aligned(4096)));
static int warnings[2], released;

static void release(void *pointer) {
    released++; /* threads are joined one by one */
    errno = 91;
    free(pointer);
    CHECK(errno == 91, "free of the foreign %p changed errno", pointer);
}

static void use_heap(uint64_t seed) {
    void *blocks[300];
    for (size_t i = 0; i < 300; i++) { blocks[i] = malloc(i * 37 + 1); CHECK(blocks[i], "malloc"); mark(blocks[i], i * 37 + 1, seed + i); }
    for (size_t i = 0; i < 300; i++) { must_hold(blocks[i], i * 37 + 1, seed + i, "after a foreign free"); free(blocks[i]); }
}

static void *foreign_thread(void *pointer) {
    release(pointer); /* the first call of a thread that has no heap yet */
    return NULL;
}

int main(void) {
    if (!preloaded()) SKIP("glibc aborts on a foreign pointer, as it may");
    CHECK(pipe2(warnings, O_NONBLOCK) == 0 && dup2(warnings[1], 2) == 2, "pipe");
    char *mapping = mmap(NULL, 16 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(mapping, 0x41, 16 * MIB); /* a private heap: non-zero bytes where an allocator may look for a header */
    char on_stack[256] __attribute__((aligned(64)));
    memset(on_stack, 0x41, sizeof on_stack);
    /* free first of all, before any malloc of this thread or process could set up a heap */
    release(mapping + 4096);
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    void *(*other_malloc)(size_t) = libc ? (void *(*)(size_t))(uintptr_t)dlsym(libc, "malloc") : NULL;
    for (int round = 0; round < 50; round++) {
        release(mapping + 16 * (round + 1));
        release(mapping + 2 * MIB * (size_t)(round % 8));
        release(mapping + 100000 + round * 1000 + 8);
        release(data + 64 * round);
        release(on_stack + 64);
        release((void *)(uintptr_t)16);
        release((void *)(uintptr_t)0x10000);
        release((void *)(uintptr_t)0xdead000000000000u);
        release((void *)(uintptr_t)0xfffffffffffffff0u);
        release((void *)(uintptr_t)0x00007ffffffff000u);
        CHECK(malloc_usable_size(mapping + 4096) == 0, "usable size of a foreign block");
        if (other_malloc && other_malloc != malloc) {
            /* "allocated before the preload took over" */
            char *small = other_malloc(100), *large = other_malloc(MIB);
            memset(small, 1, 100);
            release(small);
            release(large);
        }
        join(start(foreign_thread, mapping + 8192));
        use_heap((uint64_t)round);
    }
    char text[4096];
    ssize_t length = read(warnings[0], text, sizeof text);
    int lines = 0;
    for (ssize_t i = 0; i < length; i++) lines += text[i] == '\n';
    CHECK(lines <= 1, "%d warnings; one is enough", lines);
    for (size_t i = 0; i < 16 * MIB; i++) CHECK(mapping[i] == 0x41, "the private mapping was written at %zu", i);
    PASS("%d foreign pointers, %d warning", released, lines);
}
