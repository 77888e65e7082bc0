/* Every function of the malloc family that glibc has too, on bad and extreme input.
 *
 * The program prints what a caller can observe and no address, so that the transcript under libstratalloc can be
 * compared with the one under glibc, line by line (run.sh). Each line is "call => result". */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#define UNTOUCHED 77 /* no errno that any of the calls sets */
#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *error_name(int code) {
    switch (code) {
    case 0: return "0";
    case ENOMEM: return "ENOMEM";
    case EINVAL: return "EINVAL";
    case UNTOUCHED: return "same";
    default: return "OTHER";
    }
}

static int all_bytes(const unsigned char *p, size_t from, size_t to, unsigned char value) {
    for (size_t i = from; i < to; i++)
        if (p[i] != value) return 0;
    return 1;
}

/* The ends of a block: all of a small one, the first and last 64 bytes of a large one. */
static void fill(unsigned char *p, size_t n, unsigned char value) {
    if (n <= 4096) { memset(p, value, n); return; }
    memset(p, value, 64);
    memset(p + n - 64, value, 64);
}

static int filled(const unsigned char *p, size_t n, unsigned char value) {
    if (n <= 4096) return all_bytes(p, 0, n, value);
    return all_bytes(p, 0, 64, value) && all_bytes(p, n - 64, n, value);
}

/* Prints the result of an allocating call and uses and frees the block. */
static void show(unsigned char *p, size_t n, size_t align, int zero) {
    int code = errno;
    if (!p) { printf("null errno=%s\n", error_name(code)); return; }
    printf("block errno=%s aligned=%d usable=%d", error_name(code), (uintptr_t)p % align == 0,
           malloc_usable_size(p) >= n);
    if (zero) printf(" zero=%d", filled(p, n, 0));
    fill(p, n, 0xa5);
    printf(" holds=%d", filled(p, n, 0xa5));
    errno = UNTOUCHED;
    free(p);
    printf(" free-errno=%s\n", error_name(errno));
}

/* Sizes: edges of classes with 4 and 8 steps per doubling, page and domain edges, and what no block can have. */
static size_t sizes[4096];
static size_t size_count;

static void add_size(size_t n) {
    for (size_t i = 0; i < size_count; i++)
        if (sizes[i] == n) return;
    sizes[size_count++] = n;
}

static void collect_sizes(void) {
    for (size_t n = 0; n <= 64; n++) add_size(n);
    for (size_t order = 64; order <= (size_t)1 << 30; order *= 2)
        for (size_t step = 0; step < 8; step++) {
            size_t edge = order + order / 8 * step;
            if (edge > (size_t)1 << 30) break;
            add_size(edge - 1); add_size(edge); add_size(edge + 1);
        }
}

static const size_t impossible[] = {
    PTRDIFF_MAX - 1, PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1, (size_t)PTRDIFF_MAX + 2, PTRDIFF_MAX - 4096,
    SIZE_MAX - 65536, SIZE_MAX - 4096, SIZE_MAX - 4095, SIZE_MAX - 64, SIZE_MAX - 16, SIZE_MAX - 15, SIZE_MAX - 1, SIZE_MAX,
    SIZE_MAX / 4, SIZE_MAX / 2 - 4095,
};
static const size_t few[] = {0, 1, 15, 16, 17, 24, 100, 1000, 1024, 1025, 4095, 4096, 4097, 32768, 32769, 65536, 100000, 1 << 20, (1 << 20) + 1, 5000000};

static void plain(size_t n) {
    errno = UNTOUCHED; printf("malloc(%zu) => ", n); show(malloc(n), n, 16, 0);
    errno = UNTOUCHED; printf("calloc(1,%zu) => ", n); show(calloc(1, n), n, 16, 1);
    errno = UNTOUCHED; printf("calloc(%zu,1) => ", n); show(calloc(n, 1), n, 16, 1);
    errno = UNTOUCHED; printf("realloc(0,%zu) => ", n); show(realloc(NULL, n), n, 16, 0);
    errno = UNTOUCHED; printf("reallocarray(0,%zu,1) => ", n); show(reallocarray(NULL, n, 1), n, 16, 0);
    errno = UNTOUCHED; printf("valloc(%zu) => ", n); show(valloc(n), n, 4096, 0);
    errno = UNTOUCHED; printf("pvalloc(%zu) => ", n); show(pvalloc(n), n, 4096, 0);
}

static void products(void) {
    const size_t half = (size_t)1 << 32;
    const size_t pairs[][2] = {
        {0, 0}, {0, SIZE_MAX}, {SIZE_MAX, 0}, {1, SIZE_MAX}, {SIZE_MAX, 1}, {2, SIZE_MAX}, {SIZE_MAX, 2}, {half, half},
        {half, half - 1}, {half - 1, half + 1}, {half + 1, half + 1}, {SIZE_MAX, SIZE_MAX}, {PTRDIFF_MAX, 2}, {2, PTRDIFF_MAX},
        {3, SIZE_MAX / 3}, {3, SIZE_MAX / 3 + 1}, {16, SIZE_MAX / 16 + 1}, {SIZE_MAX / 16 + 2, 16}, {7, 11}, {1000, 1000}, {4096, 1025},
    };
    for (size_t i = 0; i < COUNT(pairs); i++) {
        size_t a = pairs[i][0], b = pairs[i][1];
        errno = UNTOUCHED; printf("calloc(%zu,%zu) => ", a, b); show(calloc(a, b), a * b, 16, 1);
        errno = UNTOUCHED; printf("reallocarray(0,%zu,%zu) => ", a, b); show(reallocarray(NULL, a, b), a * b, 16, 0);
        unsigned char *old = malloc(100);
        memset(old, 7, 100);
        errno = UNTOUCHED;
        printf("reallocarray(p,%zu,%zu) => ", a, b);
        unsigned char *p = reallocarray(old, a, b);
        int code = errno;
        /* A product of zero, without overflow, has freed the block. */
        if (!p && (a == 0 || b == 0)) { printf("null errno=%s freed\n", error_name(code)); continue; }
        if (!p) { printf("null errno=%s old-intact=%d\n", error_name(code), all_bytes(old, 0, 100, 7)); free(old); continue; }
        printf("kept=%d ", all_bytes(p, 0, a * b < 100 ? a * b : 100, 7));
        errno = code;
        show(p, a * b, 16, 0);
    }
}

static void resize(size_t from, size_t to) {
    unsigned char *p = malloc(from);
    fill(p, from, 0x3c);
    errno = UNTOUCHED;
    printf("realloc(%zu->%zu) => ", from, to);
    unsigned char *q = realloc(p, to);
    int code = errno;
    if (!q && to == 0) { printf("null errno=%s freed\n", error_name(code)); return; }
    if (!q) { printf("null errno=%s old-intact=%d\n", error_name(code), filled(p, from, 0x3c)); free(p); return; }
    size_t common = from < to ? from : to, head = common < 64 ? common : 64;
    if (from <= 4096) head = common;
    printf("kept=%d ", all_bytes(q, 0, head, 0x3c));
    errno = code;
    show(q, to, 16, 0);
}

static void resizes(void) {
    for (size_t i = 0; i < COUNT(few); i++) {
        for (size_t j = 0; j < COUNT(few); j++) resize(few[i], few[j]);
        for (size_t j = 0; j < COUNT(impossible); j++) resize(few[i], impossible[j]);
    }
}

/* One alignment that a call must give: a power of two, at least 16, at most what is asked for. */
static size_t promised(size_t alignment) {
    size_t power = 16;
    while (power < alignment && power < (size_t)1 << 62) power *= 2;
    return power;
}

static void aligned(size_t alignment, size_t n) {
    size_t want = promised(alignment);
    errno = UNTOUCHED; printf("memalign(%zu,%zu) => ", alignment, n); show(memalign(alignment, n), n, want, 0);
    errno = UNTOUCHED; printf("aligned_alloc(%zu,%zu) => ", alignment, n); show(aligned_alloc(alignment, n), n, want, 0);
    void *const mark = (void *)0x1234;
    void *out = mark;
    errno = UNTOUCHED;
    printf("posix_memalign(%zu,%zu) => ", alignment, n);
    int code = posix_memalign(&out, alignment, n);
    if (code) printf("%s out-untouched=%d errno=%s\n", error_name(code), out == mark, error_name(errno));
    else show(out, n, want, 0);
}

static void alignments(void) {
    static const size_t odd[] = {0, 3, 5, 6, 7, 9, 10, 12, 15, 17, 20, 24, 31, 33, 40, 48, 63, 65, 96, 100, 1000, 1023, 1025, 3000, 4095, 4097, 10000, 65535, 65537, 100000, 1 << 20 | 1, 3 << 20};
    static const size_t extreme[] = {(size_t)1 << 62, ((size_t)1 << 62) + 1, ((size_t)1 << 63) - 1, (size_t)1 << 63, ((size_t)1 << 63) + 1, SIZE_MAX - 15, SIZE_MAX};
    static const size_t some[] = {0, 1, 8, 24, 100, 4096, 5000, 65536, 70000, 1 << 20, 3000000};
    for (size_t a = 1; a <= (size_t)1 << 30; a *= 2) {
        for (size_t i = 0; i < COUNT(some); i++) aligned(a, some[i]);
        for (size_t i = 0; i < COUNT(impossible); i++) aligned(a, impossible[i]);
        aligned(a, SIZE_MAX - a);
        aligned(a, SIZE_MAX - a + 1);
        aligned(a, PTRDIFF_MAX - a);
    }
    for (size_t k = 0; k < COUNT(odd); k++) {
        for (size_t i = 0; i < COUNT(some); i++) aligned(odd[k], some[i]);
        aligned(odd[k], PTRDIFF_MAX);
        aligned(odd[k], SIZE_MAX);
    }
    for (size_t k = 0; k < COUNT(extreme); k++)
        for (size_t i = 0; i < 3; i++) aligned(extreme[k], some[i]);
}

/* Blocks with a larger alignment may go through realloc and free as all others. */
static void aligned_then_resized(void) {
    for (size_t a = 32; a <= (size_t)1 << 22; a *= 4)
        for (size_t i = 0; i < COUNT(few); i++) {
            unsigned char *p = memalign(a, 300);
            memset(p, 9, 300);
            errno = UNTOUCHED;
            printf("realloc(memalign(%zu,300),%zu) => ", a, few[i]);
            unsigned char *q = realloc(p, few[i]);
            if (!q) { printf("null errno=%s freed\n", error_name(errno)); continue; }
            printf("kept=%d ", all_bytes(q, 0, few[i] < 300 ? few[i] : 300, 9));
            show(q, few[i], 16, 0);
        }
}

static void zero_sizes_are_distinct(void) {
    void *p[64];
    int distinct = 1;
    for (int i = 0; i < 64; i++) {
        p[i] = malloc(0);
        for (int j = 0; j < i; j++) distinct &= p[i] && p[i] != p[j];
    }
    for (int i = 0; i < 64; i++) free(p[i]);
    printf("64 times malloc(0) => distinct=%d\n", distinct);
}

/* Functions of the C library that return blocks. */
static void through_libc(void) {
    char *line = NULL, *text = NULL, *name;
    size_t capacity = 0, length = 0;
    printf("strdup => %s\n", name = strdup("copied")); free(name);
    printf("strndup => %s\n", name = strndup("copied", 3)); free(name);
    printf("asprintf => %d\n", asprintf(&name, "%0500d", 1)); free(name);
    printf("realpath => %s\n", name = realpath("/usr/../usr", NULL)); free(name);
    printf("getcwd => %d\n", (name = getcwd(NULL, 0)) != NULL); free(name);
    FILE *memory = open_memstream(&text, &length);
    for (int i = 0; i < 10000; i++) fprintf(memory, "%d\n", i);
    fclose(memory);
    printf("open_memstream => %zu\n", length);
    memory = fmemopen(text, length, "r");
    int lines = 0;
    while (getline(&line, &capacity, memory) > 0) lines++;
    printf("getline => %d\n", lines);
    fclose(memory); free(line); free(text);
}

static void about_the_heap(void) {
    printf("malloc_usable_size(0) => %zu\n", malloc_usable_size(NULL));
    errno = UNTOUCHED;
    free(NULL);
    printf("free(0) => errno=%s\n", error_name(errno));
    printf("mallopt(M_ARENA_MAX,1) => %d\n", mallopt(M_ARENA_MAX, 1));
    printf("mallopt(M_TRIM_THRESHOLD,131072) => %d\n", mallopt(M_TRIM_THRESHOLD, 131072));
    printf("mallopt(-1000,0) => %d\n", mallopt(-1000, 0));
    void *blocks[256];
    struct mallinfo2 before = mallinfo2();
    struct mallinfo before_old = mallinfo();
    for (int i = 0; i < 256; i++) memset(blocks[i] = malloc(20000), 1, 20000);
    struct mallinfo2 during = mallinfo2();
    struct mallinfo during_old = mallinfo();
    for (int i = 0; i < 256; i++) free(blocks[i]);
    struct mallinfo2 after = mallinfo2();
    printf("mallinfo2 => up=%d down=%d arena=%d\n", during.uordblks >= before.uordblks + 256 * 20000,
           after.uordblks + 200 * 20000 <= during.uordblks, during.arena >= during.uordblks);
    printf("mallinfo => up=%d\n", during_old.uordblks >= before_old.uordblks + 256 * 20000);
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);
    fputs("before\n", memory);
    int code = malloc_info(0, memory);
    fputs("after\n", memory);
    printf("malloc_info(0) => %d\n", code);
    printf("malloc_info(1) => %s\n", error_name(malloc_info(1, memory)));
    fclose(memory);
    printf("malloc_info text => %d %d %d\n", !strncmp(text, "before\n<malloc version=\"1\">", 27),
           strstr(text, "</malloc>\n") != NULL, !strcmp(text + length - 6, "after\n"));
    free(text);
    for (int i = 0; i < 256; i++) memset(blocks[i] = malloc(100000), 1, 100000);
    for (int i = 0; i < 256; i++) free(blocks[i]);
    printf("malloc_trim after 25 MB => %d\n", malloc_trim(0));
    printf("malloc_trim again => %d\n", malloc_trim(0));
}

int main(void) {
    static char buffer[1 << 16];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    collect_sizes();
    for (size_t i = 0; i < size_count; i++) plain(sizes[i]);
    for (size_t i = 0; i < COUNT(impossible); i++) plain(impossible[i]);
    products();
    resizes();
    alignments();
    aligned_then_resized();
    zero_sizes_are_distinct();
    through_libc();
    about_the_heap();
    return 0;
}
