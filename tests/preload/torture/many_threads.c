/* 64 threads, however few cores: each replaces random blocks in its own table and in one shared by all; every block is marked. */
#include "torture.h"

enum { THREADS = 64, OWN = 400, SHARED = 4096 };

/* A block begins with its size and seed, so that whoever takes it out of the shared table can check it. */
struct block { size_t size; uint64_t seed; unsigned char bytes[]; };
static struct block *_Atomic shared[SHARED];
static long rounds;

static struct block *make(uint64_t *random) {
    size_t size = random_size(random, next_random(random) % 64 == 0 ? 18 : 12);
    struct block *b = malloc(sizeof *b + size);
    CHECK(b, "malloc(%zu)", size);
    b->size = size;
    b->seed = next_random(random);
    mark(b->bytes, size, b->seed);
    return b;
}

static void unmake(struct block *b) {
    if (!b) return;
    must_hold(b->bytes, b->size, b->seed, "block");
    free(b);
}

static void *body(void *argument) {
    uint64_t random = (uint64_t)(uintptr_t)argument;
    struct block *own[OWN] = {0};
    for (long i = 0; i < rounds; i++) {
        struct block **cell = &own[next_random(&random) % OWN];
        unmake(*cell);
        *cell = make(&random);
        if (i % 4 == 0) unmake(__atomic_exchange_n(&shared[next_random(&random) % SHARED], make(&random), __ATOMIC_ACQ_REL));
    }
    for (int i = 0; i < OWN; i++) unmake(own[i]);
    return NULL;
}

int main(void) {
    rounds = scaled(60000, 200);
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) threads[i] = start(body, (void *)(i + 1));
    for (int i = 0; i < THREADS; i++) join(threads[i]);
    for (int i = 0; i < SHARED; i++) unmake(shared[i]);
    PASS("%d threads, %ld replacements each", THREADS, rounds);
}
