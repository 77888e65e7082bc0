/* What the preload costs the smallest program: resident memory of /bin/true under the library is at most 120 KB above none.
 * Read exactly, from the page tables, when the process is about to end: the kernel's own peak (ru_maxrss) is a sum of
 * per-CPU counters that lag by up to 128 KB, as much as is to be measured. */
#include "torture.h"
#include <signal.h>
#include <sys/ptrace.h>

static long resident_at_end(const char *library) {
    pid_t pid = fork();
    CHECK(pid >= 0, "fork");
    if (pid == 0) {
        if (library) setenv("LD_PRELOAD", library, 1);
        else unsetenv("LD_PRELOAD");
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        execl("/bin/true", "true", (char *)NULL);
        _exit(9);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status), "the child does not stop");
    if (ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_TRACEEXIT) != 0) SKIP("ptrace is not allowed here");
    long resident = -1;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    ptrace(PTRACE_CONT, pid, NULL, NULL);
    while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
        if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8)) resident = proc_number(path, "Rss:");
        ptrace(PTRACE_CONT, pid, NULL, NULL);
    }
    CHECK(!bad_end(status), "/bin/true: %s", bad_end(status));
    CHECK(resident > 0, "no smaps_rollup here");
    return resident;
}

int main(void) {
    if (!preloaded()) SKIP("nothing is preloaded");
    const char *library = getenv("LD_PRELOAD");
    /* Where the loader puts things decides which 64 KiB windows of libc a page fault maps: means of many starts. And right after the
     * library was linked all starts may have some ten pages more, for seconds (tests/capi/run.sh): such a mean is taken again. */
    long runs = 150, with = 0, without = 0;
    for (int attempt = 0; attempt < 5; attempt++) {
        if (attempt) sleep(3);
        with = without = 0;
        for (long i = 0; i < runs; i++) {
            with += resident_at_end(library);
            without += resident_at_end(NULL);
        }
        with /= runs, without /= runs;
        if (with - without <= 120) break;
    }
    CHECK(with - without <= 120, "/bin/true: %ld KiB without, %ld with, above 120 more", without, with);
    PASS("/bin/true: %ld KiB without, %ld with", without, with);
}
