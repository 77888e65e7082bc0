/* stratalloc.h: what libstratalloc offers beside the malloc family.
 *
 * The malloc family and the C++ operators need no header of their own: include <stdlib.h>, <malloc.h>, <new>.
 * All functions are thread-safe; none allocates, and none may be called from a signal handler. */
#ifndef STRATALLOC_H
#define STRATALLOC_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version as "major.minor.patch". */
const char *stratalloc_version(void);

/* Gives all empty memory back to the operating system now; returns the number of bytes. */
size_t stratalloc_collect(void);

/* Writes the heap's figures as lines "key value" to a file descriptor. */
void stratalloc_statistics_print(int fd);

/* Checks every invariant of the heap: 0 if all hold, else -1 and one line on standard error.
 * Other threads should not allocate meanwhile. */
int stratalloc_validate(void);

/* 1 if the pointer is a block of this heap, else 0. */
int stratalloc_owns(const void *ptr);

#ifdef __cplusplus
}
#endif
#endif
