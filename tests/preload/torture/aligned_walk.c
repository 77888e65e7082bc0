/* Alignments of 1 B to 1 GiB with all kinds of sizes, through every entry point that takes one: address, usable size,
 * contents, realloc and free of the result; and errno where POSIX says so. */
#include "torture.h"

static void use(void *block, size_t size, size_t alignment, const char *call) {
    CHECK(block, "%s(%zu, %zu): %s", call, alignment, size, strerror(errno));
    CHECK((uintptr_t)block % alignment == 0, "%s(%zu, %zu) = %p", call, alignment, size, block);
    CHECK((uintptr_t)block % 16 == 0 || size < 16, "%s(%zu, %zu) = %p: below 16", call, alignment, size, block);
    CHECK(malloc_usable_size(block) >= size, "%s(%zu, %zu): usable %zu", call, alignment, size, malloc_usable_size(block));
    mark(block, size, alignment);
}

int main(void) {
    long count = 0, refused = 0;
    /* A machine with less memory than the alignment may refuse: the kernel does, when asked for so much at once. */
    size_t memory = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    for (size_t alignment = 1; alignment <= ((size_t)1 << 30); alignment *= 2) {
        if (alignment * 2 > memory) {
            void *block = (void *)8;
            if (posix_memalign(&block, alignment, 1) == ENOMEM && block == (void *)8) { refused++; continue; }
            free(block);
        }
        void *blocks[4096];
        size_t sizes[4096];
        int live = 0;
        for (size_t size = 1; size <= (alignment < MIB ? 4 * MIB : 64 * KIB); size = size * 5 / 3 + 1) {
            void *block = NULL;
            errno = 0;
            if (alignment >= sizeof(void *)) {
                int error = posix_memalign(&block, alignment, size);
                CHECK(error == 0 && errno == 0, "posix_memalign(%zu, %zu): %d", alignment, size, error);
            } else {
                block = memalign(alignment, size);
            }
            use(block, size, alignment, "posix_memalign");
            sizes[live] = size, blocks[live++] = block;
            block = aligned_alloc(alignment, size);
            use(block, size, alignment, "aligned_alloc");
            sizes[live] = size, blocks[live++] = block;
            block = memalign(alignment, size);
            use(block, size, alignment, "memalign");
            block = realloc(block, size * 2);
            CHECK(block, "realloc of an aligned block to %zu", size * 2);
            must_hold(block, size, alignment, "realloc of an aligned block");
            mark(block, size, alignment);
            sizes[live] = size, blocks[live++] = block;
        }
        for (int i = 0; i < live; i++) {
            must_hold(blocks[i], sizes[i], alignment, "aligned block");
            errno = 77;
            free(blocks[i]);
            CHECK(errno == 77, "free changed errno to %d", errno);
            count++;
        }
    }
    void *kept = (void *)16;
    CHECK(posix_memalign(&kept, 24, 100) == EINVAL && kept == (void *)16, "posix_memalign(24) must be EINVAL");
    CHECK(posix_memalign(&kept, 4, 100) == EINVAL && kept == (void *)16, "posix_memalign(4) must be EINVAL");
    CHECK(posix_memalign(&kept, 0, 100) == EINVAL && kept == (void *)16, "posix_memalign(0) must be EINVAL");
    CHECK(posix_memalign(&kept, 64, SIZE_MAX - 100) == ENOMEM && kept == (void *)16, "posix_memalign(64, huge) must be ENOMEM");
    void *page = valloc(10);
    CHECK(page && (uintptr_t)page % (size_t)sysconf(_SC_PAGESIZE) == 0, "valloc(10) = %p", page);
    free(page);
    PASS("%ld blocks, alignments 1 B to 1 GiB (%ld beyond the machine's memory refused)", count, refused);
}
