/* 60 000 live blocks of 140 KB need fewer than 100 mappings more than the program had (the kernel's limit is 65 530). */
#include "torture.h"

static long mappings(void) {
    char text[4096];
    long lines = 0;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0, "/proc/self/maps");
    for (ssize_t length; (length = read(fd, text, sizeof text)) > 0;)
        for (ssize_t i = 0; i < length; i++) lines += text[i] == '\n';
    close(fd);
    return lines;
}

int main(void) {
    long count = scaled(60000, 500), start_lines = mappings();
    char **blocks = malloc((size_t)count * sizeof *blocks);
    CHECK(blocks, "malloc");
    for (long i = 0; i < count; i++) {
        blocks[i] = malloc(140 * 1000);
        CHECK(blocks[i], "block %ld of 140 KB: %s", i, strerror(errno));
        blocks[i][0] = (char)i;
    }
    long full = mappings() - start_lines;
    for (long i = 0; i < count; i += 2) free(blocks[i]);
    long holes = mappings() - start_lines;
    for (long i = 1; i < count; i += 2) {
        CHECK(blocks[i][0] == (char)i, "block %ld is damaged", i);
        free(blocks[i]);
    }
    free(blocks);
    CHECK(full < 100, "%ld blocks: %ld mappings (%ld with every second one freed)", count, full, holes);
    /* A program that frees every second block must not reach the limit either; glibc's 30 000 are only told. */
    CHECK(holes < 200 || !on_trial(), "every second of %ld blocks freed: %ld mappings", count, holes);
    PASS("%ld blocks: %ld mappings, %ld with every second one freed", count, full, holes);
}
