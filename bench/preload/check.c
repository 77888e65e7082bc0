/* Does this process really use the allocator that is preloaded? Prints the file that malloc and free come from. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *what) {
  fprintf(stderr, "check: %s\n", what);
  exit(1);
}

/* Every function of the family once, on blocks of many sizes; contents must survive. */
static void *family(void *unused) {
  (void)unused;
  for (size_t size = 1; size < (8u << 20); size = size * 3 / 2 + 1) {
    unsigned char *block = malloc(size), *zero = calloc(1, size), *aligned = NULL;
    if (!block || !zero || posix_memalign((void **)&aligned, 256, size)) fail("no memory");
    if (((uintptr_t)aligned & 255) || ((uintptr_t)block & 7)) fail("not aligned");
    for (size_t i = 0; i < size; i++)
      if (zero[i]) fail("calloc is not zero");
    memset(block, 0x5a, size), memset(zero, 0x11, size), memset(aligned, 0x22, size);
    block = realloc(block, size * 2);
    if (!block || malloc_usable_size(block) < size * 2) fail("realloc is too small");
    for (size_t i = 0; i < size; i++)
      if (block[i] != 0x5a) fail("contents lost");
    free(block), free(zero), free(aligned);
  }
  return NULL;
}

int main(void) {
  pthread_t threads[4];
  for (int i = 0; i < 4; i++)
    if (pthread_create(&threads[i], NULL, family, NULL)) fail("no thread");
  family(NULL);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  Dl_info of_malloc, of_free;
  if (!dladdr(dlsym(RTLD_DEFAULT, "malloc"), &of_malloc) || !dladdr(dlsym(RTLD_DEFAULT, "free"), &of_free)) fail("no malloc");
  if (strcmp(of_malloc.dli_fname, of_free.dli_fname)) fail("malloc and free come from different files");
  puts(of_malloc.dli_fname);
  return 0;
}
