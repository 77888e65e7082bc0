/* peak_rss COUNT PRELOAD PROGRAM [ARGS...]: two figures in KiB, each the smallest of COUNT runs: the resident size at
 * exit, and the peak that the kernel reports. PRELOAD "-" means none.
 *
 * Static and small on purpose: the reported peak of a child begins with the resident size of whoever called exec. It
 * is also inexact by up to 32 pages per processor since Linux 6.2 (counters per processor, added up late). The resident
 * size at exit is exact: the child is stopped there and /proc/PID/smaps_rollup walks its page tables. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static long rss_of(pid_t child) {
    char path[64], line[256];
    long rss = -1;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", child);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) sscanf(line, "Rss: %ld", &rss);
    if (file) fclose(file);
    return rss;
}

/* Runs to the end, with a look at the exit stop. */
static int watch(pid_t child, long *rss, long *peak) {
    int status;
    struct rusage usage;
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return 1; /* stops at its exec */
    ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL);
    for (;;) {
        ptrace(PTRACE_CONT, child, 0, 0);
        if (wait4(child, &status, 0, &usage) != child) return 1;
        if (WIFEXITED(status)) break;
        if (!WIFSTOPPED(status) || status >> 8 != (SIGTRAP | PTRACE_EVENT_EXIT << 8)) return 1;
        *rss = rss_of(child);
    }
    *peak = usage.ru_maxrss;
    return WEXITSTATUS(status) != 0;
}

int main(int argc, char **argv) {
    long best_rss = -1, best_peak = -1, rss = -1, peak = -1;
    if (argc < 4) return 2;
    for (int i = atoi(argv[1]); i > 0; i--) {
        pid_t child = fork();
        if (child == 0) {
            static char variable[4096];
            snprintf(variable, sizeof variable, "LD_PRELOAD=%s", argv[2]);
            char *environment[] = {variable, NULL};
            if (argv[2][0] == '-') environment[0] = NULL;
            ptrace(PTRACE_TRACEME, 0, 0, 0);
            execve(argv[3], argv + 3, environment);
            _exit(127);
        }
        if (watch(child, &rss, &peak)) return 1;
        if (best_rss < 0 || rss < best_rss) best_rss = rss;
        if (best_peak < 0 || peak < best_peak) best_peak = peak;
    }
    printf("%ld %ld\n", best_rss, best_peak);
    return 0;
}
