/* calloc returns zeros also from memory that was used, freed, purged, split, merged or moved before. */
#include "torture.h"

static void must_be_zero(const unsigned char *block, size_t size, const char *where) {
    for (size_t i = 0; i < size; i++) CHECK(block[i] == 0, "%s: byte %zu of %zu is %02x", where, i, size, block[i]);
}

static void *dirty(size_t size) {
    void *block = malloc(size);
    CHECK(block, "malloc(%zu)", size);
    memset(block, 0xA5, malloc_usable_size(block)); /* the slack too */
    return block;
}

static void *body(void *argument) {
    uint64_t random = (uint64_t)(uintptr_t)argument;
    struct { void *block; } table[200] = {{0}};
    long rounds = scaled(40000, 500);
    for (long i = 0; i < rounds; i++) {
        size_t at = next_random(&random) % 200, size = random_size(&random, i % 100 == 0 ? 23 : 14);
        free(table[at].block);
        switch (next_random(&random) % 4) {
        case 0: table[at].block = dirty(size); break;
        case 1: { /* shrunk and grown in place: what lies behind is dirty */
            char *block = realloc(dirty(size), size / 2 + 1);
            table[at].block = realloc(block, size / 2 + 1 + size / 4);
            memset(table[at].block, 0x5A, malloc_usable_size(table[at].block));
            break;
        }
        default: {
            size_t count = 1 + next_random(&random) % 8;
            size_t each = size / count + 1;
            table[at].block = calloc(count, each);
            CHECK(table[at].block, "calloc(%zu, %zu)", count, each);
            must_be_zero(table[at].block, count * each, "calloc");
            memset(table[at].block, 0xFF, count * each);
        }
        }
        if (i % 4000 == 1999) malloc_trim(0); /* purged pages come back as zeros, kept ones do not */
    }
    for (int i = 0; i < 200; i++) free(table[i].block);
    return NULL;
}

int main(void) {
    for (size_t size = 1; size <= 16 * MIB; size += size / 7 + 1) {
        free(dirty(size));
        unsigned char *block = calloc(1, size);
        CHECK(block, "calloc(1, %zu)", size);
        must_be_zero(block, size, "after free of the same size");
        memset(block, 0xEE, size);
        free(block);
    }
    pthread_t threads[4];
    for (uintptr_t i = 0; i < 4; i++) threads[i] = start(body, (void *)(i + 1));
    for (int i = 0; i < 4; i++) join(threads[i]);
    PASS("sizes 1 B to 16 MiB, 4 threads on recycled memory");
}
