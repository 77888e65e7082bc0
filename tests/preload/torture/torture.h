/* What every torture program shares: the scale, resident memory, marked contents, the closing line.
 *
 * A program prints exactly one line and ends with 0 (passed), 1 (failed) or 77 (cannot be tried here).
 * Nothing in this file allocates: a test must not disturb the heap that it measures.
 * The amount of work is multiplied by the environment variable SCALE (default 1).
 */
#ifndef TORTURE_H
#define TORTURE_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)

/* Prints the closing line and ends at once: no atexit handler, no destructor runs. */
__attribute__((format(printf, 2, 3), noreturn, unused)) static void end(int status, const char *format, ...) {
    char line[512];
    const char *word = status == 0 ? "ok" : status == 77 ? "skip" : "FAIL";
    int at = snprintf(line, sizeof line, "%s: %s ", program_invocation_short_name, word);
    va_list arguments;
    va_start(arguments, format);
    at += vsnprintf(line + at, sizeof line - (size_t)at - 1, format, arguments);
    va_end(arguments);
    if (at > (int)sizeof line - 2) at = (int)sizeof line - 2;
    line[at++] = '\n';
    ssize_t written = write(1, line, (size_t)at);
    _exit(written == at ? status : 1);
}
#define PASS(...) end(0, __VA_ARGS__)
#define FAIL(...) end(1, __VA_ARGS__)
#define SKIP(...) end(77, __VA_ARGS__)
#define CHECK(condition, ...) do { if (!(condition)) FAIL(__VA_ARGS__); } while (0)

/* `count` at the asked scale, never below `least`. */
__attribute__((unused)) static long scaled(long count, long least) {
    const char *scale = getenv("SCALE");
    double wanted = (double)count * (scale && *scale ? atof(scale) : 1.0);
    return wanted < (double)least ? least : (long)wanted;
}

/* A number in a /proc file behind `label` (in KiB there), or -1. */
__attribute__((unused)) static long proc_number(const char *path, const char *label) {
    char text[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    if (length <= 0) return -1;
    text[length] = 0;
    const char *at = strstr(text, label);
    return at ? strtol(at + strlen(label), NULL, 10) : -1;
}

/* Resident memory in KiB. smaps_rollup walks the page tables and is exact; statm lags by up to 64 pages a CPU. */
__attribute__((unused)) static long resident_kib(void) {
    long exact = proc_number("/proc/self/smaps_rollup", "Rss:");
    return exact >= 0 ? exact : proc_number("/proc/self/status", "VmRSS:");
}

__attribute__((unused)) static int preloaded(void) {
    const char *list = getenv("LD_PRELOAD");
    return list && *list;
}

/* Is an allocator preloaded, whose promises are on trial? For what glibc's own malloc does not promise. TORTURE_STRICT=1
 * asks the same of glibc: a way to see the test fail. */
__attribute__((unused)) static int on_trial(void) {
    const char *strict = getenv("TORTURE_STRICT");
    return preloaded() || (strict && *strict == '1');
}

__attribute__((unused)) static double now_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

__attribute__((unused)) static void pause_ms(long ms) {
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* xorshift64*: the same sequence for the same seed, on every run. */
__attribute__((unused)) static uint64_t next_random(uint64_t *state) {
    uint64_t x = *state ? *state : 0x9e3779b97f4a7c15u;
    x ^= x >> 12, x ^= x << 25, x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1du;
}

/* A size between 1 and 2^bits whose logarithm is evenly spread: small ones are as frequent as large ones. */
__attribute__((unused)) static size_t random_size(uint64_t *state, unsigned bits) {
    unsigned order = (unsigned)(next_random(state) % bits);
    return ((size_t)1 << order) + next_random(state) % ((size_t)1 << order);
}

/* Marks `size` bytes so that a lost, moved or shared byte is seen: the word at offset i is a mix of seed and i. */
static inline uint64_t mark_word(uint64_t seed, size_t i) { return (seed + i) * 0x9e3779b97f4a7c15u; }
__attribute__((unused)) static void mark(void *block, size_t size, uint64_t seed) {
    unsigned char *bytes = (unsigned char *)block;
    size_t i = 0;
    for (; i + 8 <= size; i += 8) { uint64_t word = mark_word(seed, i); memcpy(bytes + i, &word, 8); }
    for (; i < size; i++) bytes[i] = (unsigned char)(mark_word(seed, i & ~(size_t)7) >> (i % 8 * 8));
}
/* The first offset where the mark is broken, or `size`. */
__attribute__((unused)) static size_t broken_at(const void *block, size_t size, uint64_t seed) {
    const unsigned char *bytes = (const unsigned char *)block;
    size_t i = 0;
    for (; i + 8 <= size; i += 8) { uint64_t word; memcpy(&word, bytes + i, 8); if (word != mark_word(seed, i)) return i; }
    for (; i < size; i++) if (bytes[i] != (unsigned char)(mark_word(seed, i & ~(size_t)7) >> (i % 8 * 8))) return i;
    return size;
}
__attribute__((unused)) static void must_hold(const void *block, size_t size, uint64_t seed, const char *where) {
    size_t at = broken_at(block, size, seed);
    CHECK(at == size, "%s: block %p of %zu bytes is damaged at offset %zu", where, block, size, at);
}

__attribute__((unused)) static pthread_t start(void *(*body)(void *), void *argument) {
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 128 * KIB);
    int error = pthread_create(&thread, &attributes, body, argument);
    CHECK(error == 0, "pthread_create: %s", strerror(error));
    pthread_attr_destroy(&attributes);
    return thread;
}
__attribute__((unused)) static void *join(pthread_t thread) {
    void *result = NULL;
    CHECK(pthread_join(thread, &result) == 0, "pthread_join");
    return result;
}

/* Why a child ended badly, in words; NULL when it ended with 0. */
__attribute__((unused)) static const char *bad_end(int status) {
    static char text[64];
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return NULL;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) return "hung (killed by its alarm)";
    if (WIFSIGNALED(status)) snprintf(text, sizeof text, "killed by signal %d", WTERMSIG(status));
    else snprintf(text, sizeof text, "exit status %d", WEXITSTATUS(status));
    return text;
}

/* What a forked child does with the heap it inherited: blocks of every domain, and a block of its parent. */
__attribute__((unused)) static void use_heap_in_child(void *inherited) {
    static const size_t sizes[] = {1, 16, 100, 1000, 8000, 33000, 140 * KIB, 3 * MIB};
    void *blocks[8][4];
    free(inherited);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 8; i++)
            for (int j = 0; j < 4; j++) {
                blocks[i][j] = malloc(sizes[i]);
                if (!blocks[i][j]) _exit(2);
                mark(blocks[i][j], sizes[i] < 4096 ? sizes[i] : 4096, (uint64_t)(i * 4 + j));
            }
        for (int i = 0; i < 8; i++)
            for (int j = 0; j < 4; j++) {
                size_t length = sizes[i] < 4096 ? sizes[i] : 4096;
                if (broken_at(blocks[i][j], length, (uint64_t)(i * 4 + j)) != length) _exit(3);
                free(blocks[i][j]);
            }
    }
}
#endif
