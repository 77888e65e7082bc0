/* One of the libraries that dlopen_storm loads: a constructor and a destructor that use the heap, a thread-local block. */
#include <stdlib.h>
#include <string.h>

static __thread char local[3000];
static __thread void *kept;
static void *blocks[20];

__attribute__((constructor)) static void load(void) {
    for (int i = 0; i < 20; i++) blocks[i] = calloc(1, (size_t)(16 << (i % 10)));
}
__attribute__((destructor)) static void unload(void) {
    for (int i = 0; i < 20; i++) free(blocks[i]);
}

/* 0 when everything holds. */
int touch(void) {
    for (int i = 0; i < 3000; i++) if (local[i] != 0 && local[i] != 42) return 1;
    memset(local, 42, sizeof local);
    free(kept);
    kept = malloc(500);
    if (!kept) return 2;
    for (int i = 0; i < 20; i++) if (!blocks[i]) return 3;
    free(kept);
    kept = NULL;
    return 0;
}
