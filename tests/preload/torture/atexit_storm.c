/* 8 000 atexit handlers that free what main allocated and allocate anew, a library-style destructor after them: the heap is
 * alive until the last instruction of the process. */
#include "torture.h"

static long handlers, ran;
static void **blocks;

static void handler(void) {
    size_t size = 16 + (size_t)(ran % 500) * 16;
    must_hold(blocks[ran], 64, (uint64_t)ran, "block of main");
    free(blocks[ran]);
    char *fresh = malloc(size);
    CHECK(fresh, "malloc in an atexit handler");
    mark(fresh, size, (uint64_t)ran);
    fresh = realloc(fresh, size * 3);
    CHECK(fresh, "realloc in an atexit handler");
    must_hold(fresh, size, (uint64_t)ran, "realloc in a handler");
    if (ran % 2) free(fresh);
    ran++;
}

__attribute__((destructor)) static void last(void) {
    CHECK(ran == handlers, "%ld of %ld handlers ran", ran, handlers);
    free(blocks);
    void *large = malloc(5 * MIB);
    CHECK(large, "malloc in the last destructor");
    memset(large, 1, 5 * MIB);
    free(large);
    PASS("%ld handlers", ran);
}

int main(void) {
    handlers = scaled(8000, 100);
    blocks = malloc((size_t)handlers * sizeof *blocks);
    for (long i = 0; i < handlers; i++) {
        blocks[i] = malloc(64);
        mark(blocks[i], 64, (uint64_t)i);
        CHECK(atexit(handler) == 0, "atexit number %ld", i);
    }
    return 0;
}
