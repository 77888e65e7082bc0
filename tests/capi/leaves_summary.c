/* Allocates, forks a child that exits too, and spoils its environment as programs do that change their title. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int main(void) {
    for (char **entry = environ; *entry; entry++) memset(*entry, 'X', strlen(*entry));
    clearenv();
    char *blocks[100];
    for (int i = 0; i < 100; i++) memset(blocks[i] = malloc(1000), 1, 1000);
    for (int i = 0; i < 50; i++) free(blocks[i]);
    memset(malloc(3 << 20), 1, 3 << 20);
    if (fork() == 0) exit(0);
    wait(NULL);
    return 0;
}
