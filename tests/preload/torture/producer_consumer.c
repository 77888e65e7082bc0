/* Producers fill blocks with 0xDEADBEEF, consumers (other threads) verify every word, blot it out and free: a block handed
 * out twice, or a link written into a live block, breaks a mark. */
#include "torture.h"

enum { PRODUCERS = 3, CONSUMERS = 3, RING = 1024 };

struct item { uint32_t *words; size_t count; };
static struct item ring[RING];
static size_t head, tail; /* tail - head items wait */
static int open_producers = PRODUCERS;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER, emptied = PTHREAD_COND_INITIALIZER;
static long items, consumed;

static void *produce(void *argument) {
    uint64_t random = (uint64_t)(uintptr_t)argument;
    for (long i = 0; i < items;) {
        struct item batch[32];
        for (int j = 0; j < 32; j++, i++) {
            size_t count = random_size(&random, next_random(&random) % 256 == 0 ? 16 : 9);
            uint32_t *words = malloc(count * 4);
            CHECK(words, "malloc(%zu)", count * 4);
            for (size_t k = 0; k < count; k++) words[k] = 0xDEADBEEF;
            batch[j] = (struct item){words, count};
        }
        pthread_mutex_lock(&lock);
        for (int j = 0; j < 32; j++) {
            while (tail - head == RING) pthread_cond_wait(&emptied, &lock);
            ring[tail++ % RING] = batch[j];
            pthread_cond_signal(&filled);
        }
        pthread_mutex_unlock(&lock);
    }
    pthread_mutex_lock(&lock);
    open_producers--;
    pthread_cond_broadcast(&filled);
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void *consume(void *argument) {
    (void)argument;
    for (;;) {
        struct item batch[32];
        size_t count = 0;
        pthread_mutex_lock(&lock);
        while (tail == head && open_producers) pthread_cond_wait(&filled, &lock);
        while (count < 32 && head != tail) batch[count++] = ring[head++ % RING];
        consumed += (long)count;
        pthread_cond_broadcast(&emptied);
        pthread_mutex_unlock(&lock);
        if (count == 0) return NULL;
        for (size_t j = 0; j < count; j++) {
            for (size_t k = 0; k < batch[j].count; k++) {
                CHECK(batch[j].words[k] == 0xDEADBEEF, "word %zu of %zu is %08x", k, batch[j].count, batch[j].words[k]);
                batch[j].words[k] = 0xFEEDFACE;
            }
            free(batch[j].words);
        }
    }
}

int main(void) {
    items = scaled(1000000, 3200) / 32 * 32;
    pthread_t threads[PRODUCERS + CONSUMERS];
    for (uintptr_t i = 0; i < PRODUCERS; i++) threads[i] = start(produce, (void *)(i + 1));
    for (int i = 0; i < CONSUMERS; i++) threads[PRODUCERS + i] = start(consume, NULL);
    for (int i = 0; i < PRODUCERS + CONSUMERS; i++) join(threads[i]);
    CHECK(consumed == items * PRODUCERS, "%ld blocks produced, %ld consumed", items * PRODUCERS, consumed);
    PASS("%ld blocks handed from %d producers to %d consumers", consumed, PRODUCERS, CONSUMERS);
}
