/* Loaded with RTLD_DEEPBIND: its malloc is glibc's, whatever is preloaded. */
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

void *foreign_malloc(size_t n) { return malloc(n); }
void foreign_free(void *p) { free(p); }
void *foreign_memalign(size_t a, size_t n) { return memalign(a, n); }

static void *in_thread(void *n) { return malloc((size_t)n); }

/* A block of another arena than the main one. */
void *foreign_thread_malloc(size_t n) {
    pthread_t thread;
    void *block = NULL;
    pthread_create(&thread, NULL, in_thread, (void *)n);
    pthread_join(thread, &block);
    return block;
}
