/* The functions that libstratalloc has and glibc 2.36 has not (or no longer). */
#define _GNU_SOURCE
#include "check.h"
#include "stratalloc.h"
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void cfree(void *);
void vfree(void *);
void free_sized(void *, size_t);
void free_aligned_sized(void *, size_t, size_t);
void *reallocf(void *, size_t);
int reallocarr(void *, size_t, size_t);
size_t malloc_size(const void *);
size_t malloc_good_size(size_t);
void *__libc_malloc(size_t);
void __libc_free(void *);
void __libc_cfree(void *);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void *__libc_valloc(size_t);
void *__libc_pvalloc(size_t);
int __posix_memalign(void **, size_t, size_t);

#define IMPOSSIBLE ((size_t)PTRDIFF_MAX + 1)
static volatile size_t impossible = IMPOSSIBLE; /* hides the size from gcc's warnings */

static void releases(void) {
    errno = 77;
    cfree(malloc(100)); vfree(valloc(100)); free_sized(malloc(100), 100); free_aligned_sized(aligned_alloc(64, 128), 64, 128);
    cfree(NULL); vfree(NULL); free_sized(NULL, 0); free_aligned_sized(NULL, 0, 0);
    free_sized(malloc(100), 5000); free_aligned_sized(malloc(100), 4096, 1); /* wrong hints do no harm */
    CHECK(errno == 77);
}

static void resizing(void) {
    char *p = reallocf(NULL, 100);
    CHECK(p != NULL);
    memset(p, 5, 100);
    p = reallocf(p, 100000);
    CHECK(p && p[0] == 5 && p[99] == 5);
    errno = 0;
    CHECK(reallocf(p, impossible) == NULL && errno == ENOMEM); /* has freed p: */
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < 100; i++) CHECK(reallocf(malloc(100000), impossible) == NULL);
    CHECK(mallinfo2().uordblks < before + 1000000);
    CHECK(reallocf(malloc(10), 0) == NULL);
    CHECK(reallocf(NULL, 0) != NULL);

    char *q = NULL;
    errno = 77;
    CHECK(reallocarr(&q, 10, 10) == 0 && q);
    memset(q, 6, 100);
    char *old = q;
    CHECK(reallocarr(&q, SIZE_MAX, 2) == EOVERFLOW && q == old);
    CHECK(reallocarr(&q, impossible, 1) == ENOMEM && q == old && q[99] == 6);
    CHECK(reallocarr(&q, 1000, 100) == 0 && q[0] == 6 && q[99] == 6);
    CHECK(reallocarr(&q, 0, 100) == 0 && q == NULL);
    CHECK(reallocarr(&q, 0, 0) == 0 && q == NULL); /* of null: no block, as on NetBSD */
    CHECK(errno == 77);
}

static void sizes(void) {
    CHECK(malloc_size(NULL) == 0);
    for (size_t n = 1; n < 3000000; n += 1 + n / 7) {
        void *p = malloc(n);
        CHECK(malloc_size(p) == malloc_usable_size(p) && malloc_size(p) >= n);
        CHECK(malloc_good_size(n) <= malloc_usable_size(p));
        free(p);
    }
    CHECK(malloc_good_size(0) >= 1);
    CHECK(malloc_good_size(IMPOSSIBLE) == IMPOSSIBLE || malloc_good_size(IMPOSSIBLE) == 0);
}

static void names_of_glibc(void) {
    void *out = NULL;
    void *blocks[] = {__libc_malloc(10), __libc_calloc(2, 5), __libc_realloc(NULL, 10), __libc_memalign(64, 10), __libc_valloc(10), __libc_pvalloc(10)};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        CHECK(blocks[i] && stratalloc_owns(blocks[i]));
        i % 2 ? __libc_free(blocks[i]) : __libc_cfree(blocks[i]);
    }
    CHECK(__posix_memalign(&out, 64, 10) == 0 && stratalloc_owns(out));
    free(out);
    CHECK(__posix_memalign(&out, 3, 10) == EINVAL);
    errno = 0;
    CHECK(__libc_malloc(impossible) == NULL && errno == ENOMEM);
}

static void functions_of_our_own(void) {
    int on_stack;
    char *copy = strdup("the C library's own strdup");
    CHECK(stratalloc_owns(copy));
    free(copy);
    CHECK(!stratalloc_owns(&on_stack) && !stratalloc_owns(NULL) && !stratalloc_owns(sizes));
    CHECK(strchr(stratalloc_version(), '.') != NULL);
    CHECK(stratalloc_validate() == 0);
    void *blocks[100];
    for (int i = 0; i < 100; i++) memset(blocks[i] = malloc(100000), 1, 100000);
    for (int i = 0; i < 100; i++) free(blocks[i]);
    CHECK(stratalloc_collect() >= 5000000);
    CHECK(stratalloc_validate() == 0);
    int ends[2];
    char text[60000];
    CHECK(pipe(ends) == 0);
    stratalloc_statistics_print(ends[1]);
    close(ends[1]);
    size_t length = 0;
    for (ssize_t n; (n = read(ends[0], text + length, sizeof text - 1 - length)) > 0;) length += n;
    text[length] = 0;
    CHECK(strstr(text, "small.allocations ") && strstr(text, "\nhuge.live_bytes ") && strstr(text, "\ncommitted_bytes "));
    CHECK(strstr(text, "class.16.allocations ") != NULL);
}

int main(void) {
    releases();
    resizing();
    sizes();
    names_of_glibc();
    functions_of_our_own();
    return REPORT();
}
