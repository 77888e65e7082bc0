/* Short address space. The program starts itself again under the limit, so that the allocator starts under it too.
 * RLIMIT_AS of 64 MB: starts, gives 16 MB. 768 MB: at least 90 % usable as small blocks, then null with ENOMEM from every
 * entry point, then after some frees it goes on; nothing that was live is lost. */
#include "torture.h"
#include <sys/resource.h>

struct link { struct link *next; uint64_t seed; };

/* Small blocks until null, chained through themselves; the number of bytes taken from the limit. */
static size_t fill_up(struct link **chain, size_t size) {
    size_t taken = 0;
    for (uint64_t i = 0;; i++) {
        errno = 0;
        struct link *block = malloc(size);
        if (!block) break;
        block->next = *chain;
        block->seed = i ^ size;
        *chain = block;
        /* glibc puts 8 bytes before each block; its 90 % are of what it can hand out at all. */
        taken += preloaded() ? size : malloc_usable_size(block) + 8;
    }
    CHECK(errno == ENOMEM, "null with errno %d", errno);
    return taken;
}

static size_t release(struct link **chain, size_t most) {
    size_t count = 0;
    for (; *chain && count < most; count++) {
        struct link *next = (*chain)->next;
        errno = 55;
        free(*chain);
        CHECK(errno == 55, "free changed errno to %d when memory is short", errno);
        *chain = next;
    }
    return count;
}

static void refused(void) {
    errno = 0; CHECK(!malloc(500 * MIB) && errno == ENOMEM, "malloc beyond the limit: errno %d", errno);
    errno = 0; CHECK(!calloc(500, MIB) && errno == ENOMEM, "calloc beyond the limit: errno %d", errno);
    errno = 0; CHECK(!aligned_alloc(64, 500 * MIB) && errno == ENOMEM, "aligned_alloc beyond the limit: errno %d", errno);
    void *out = (void *)8;
    CHECK(posix_memalign(&out, 64, 500 * MIB) == ENOMEM && out == (void *)8, "posix_memalign beyond the limit");
}

static void under_limit(size_t limit, size_t size) {
    struct link *chain = NULL;
    size_t taken = fill_up(&chain, size);
    size_t percent = taken * 100 / limit;
    refused();
    /* A block that cannot grow stays as it is. */
    struct link *survivor = chain;
    chain = chain->next;
    uint64_t seed = survivor->seed;
    CHECK(!realloc(survivor, 600 * MIB) && survivor->seed == seed, "a refused realloc must leave its block intact");
    free(survivor);
    CHECK(limit < 700 * MIB || percent >= 90, "blocks of %zu B: only %zu %% of the limit", size, percent);
    size_t freed = release(&chain, taken / size / 2);
    struct link *again = NULL;
    size_t retaken = fill_up(&again, size);
    CHECK(retaken >= freed * size / 10 * 9, "after %zu MiB were freed only %zu MiB can be had", freed * size / MIB, retaken / MIB);
    release(&again, SIZE_MAX);
    release(&chain, SIZE_MAX);
    /* Freed memory must be usable for another size and another thread's stack. */
    void *large = malloc(limit / 4);
    CHECK(large, "%zu MiB in one piece after everything was freed", limit / 4 / MIB);
    free(large);
    printf("%zu %% as %zu B", percent, size);
    fflush(stdout);
}

static int run_limited(char *self, size_t limit, size_t size, char *output, size_t room) {
    int channel[2];
    CHECK(pipe(channel) == 0, "pipe");
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit r = {limit, limit};
        setrlimit(RLIMIT_AS, &r);
        dup2(channel[1], 1);
        char limit_text[32], size_text[32];
        snprintf(limit_text, sizeof limit_text, "%zu", limit);
        snprintf(size_text, sizeof size_text, "%zu", size);
        execl("/proc/self/exe", self, limit_text, size_text, (char *)NULL);
        _exit(9);
    }
    close(channel[1]);
    ssize_t length, total = 0;
    while ((length = read(channel[0], output + total, room - 1 - (size_t)total)) > 0) total += length;
    while (total > 0 && output[total - 1] == '\n') total--;
    output[total] = 0;
    close(channel[0]);
    int status;
    waitpid(pid, &status, 0);
    return status;
}

static void *idle(void *argument) { return argument; }

int main(int argc, char **argv) {
    if (argc == 3) {
        size_t limit = strtoull(argv[1], NULL, 10), size = strtoull(argv[2], NULL, 10);
        if (size) under_limit(limit, size);
        else {
            void *blocks[256];
            for (int i = 0; i < 256; i++) { blocks[i] = malloc(64 * KIB); CHECK(blocks[i], "16 MB under 64 MB: stopped at block %d", i); memset(blocks[i], 1, 64 * KIB); }
            join(start(idle, NULL));
            for (int i = 0; i < 256; i++) free(blocks[i]);
            fputs("64 MB starts", stdout);
        }
        return 0;
    }
    static const size_t cases[][2] = {{64000000, 0}, {64 * MIB, 512}, {768 * MIB, 64}, {768 * MIB, 256}, {768 * MIB, 1024}, {768 * MIB, 8192}};
    char line[400] = "", output[300];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        /* Where there is little memory (SCALE below 0.1) the 768 MB would be the machine's, not the limit's. */
        if (cases[i][0] > 100 * MIB && scaled(10, 0) < 1) continue;
        int status = run_limited(argv[0], cases[i][0], cases[i][1], output, sizeof output);
        CHECK(!bad_end(status), "limit %zu MB, size %zu: %s %s", cases[i][0] / 1000000, cases[i][1], bad_end(status), output);
        snprintf(line + strlen(line), sizeof line - strlen(line), "%s%s", i ? ", " : "", output);
    }
    PASS("%s", line);
}
