/* Strict accounting (vm.overcommit_memory = 2): a large reservation must not be charged, memory ends by null with ENOMEM,
 * not by a kill, and comes back after frees. Sets the sysctl itself when TORTURE_SYSCTL=1 (in the emulated machine). */
#include "torture.h"

static int write_sysctl(const char *path, const char *value) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t length = write(fd, value, strlen(value));
    close(fd);
    return length > 0;
}

int main(int argc, char **argv) {
    const char *allowed = getenv("TORTURE_SYSCTL");
    const char *mode = "/proc/sys/vm/overcommit_memory";
    if (argc < 2) {
        if (proc_number(mode, "") != 2 && !(allowed && *allowed == '1' && write_sysctl(mode, "2"))) SKIP("vm.overcommit_memory is not 2");
        execl("/proc/self/exe", argv[0], "again", (char *)NULL); /* now the allocator starts under it */
        FAIL("exec under strict accounting: %s", strerror(errno));
    }
    size_t limit = (size_t)proc_number("/proc/meminfo", "CommitLimit:") * KIB;
    size_t before = (size_t)proc_number("/proc/meminfo", "Committed_AS:") * KIB;
    CHECK(before < limit, "nothing left to commit");
    size_t room = limit - before, taken = 0;
    struct link { struct link *next; } *chain = NULL, *link;
    while (taken < room * 2 && (errno = 0, link = malloc(64 * KIB))) {
        link->next = chain;
        chain = link;
        taken += 64 * KIB;
    }
    CHECK(taken < room * 2, "more than twice the limit was handed out");
    CHECK(errno == ENOMEM, "errno %d", errno);
    CHECK(taken > room / 10 * 8, "only %zu of %zu MiB to be had", taken / MIB, room / MIB);
    size_t freed = 0;
    while (freed < taken / 2) {
        struct link *next = chain->next;
        free(chain);
        chain = next;
        freed += 64 * KIB;
    }
    void *blocks[1000];
    for (int i = 0; i < 1000; i++) {
        blocks[i] = malloc(2000);
        CHECK(blocks[i], "after %zu MiB were freed malloc(2000) fails at %d", freed / MIB, i);
        memset(blocks[i], 1, 2000);
    }
    for (int i = 0; i < 1000; i++) free(blocks[i]);
    while (chain) {
        struct link *next = chain->next;
        free(chain);
        chain = next;
    }
    /* Freed memory must be given back to the account on request: others live from it. */
    malloc_trim(0);
    size_t after = (size_t)proc_number("/proc/meminfo", "Committed_AS:") * KIB;
    PASS("%zu of %zu MiB handed out, then null with ENOMEM; %zu MiB stay charged", taken / MIB, room / MIB, after > before ? (after - before) / MIB : 0);
}
