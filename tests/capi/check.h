/* Counting checks: CHECK prints a line only when it fails; REPORT ends main. */
#include <stdio.h>

static int checks_passed, checks_failed;

#define CHECK(condition) \
    ((condition) ? (void)checks_passed++ \
                 : (void)(checks_failed++, printf("%s:%d: not true: %s\n", __FILE__, __LINE__, #condition)))
#define REPORT() (printf("%d checks passed, %d failed\n", checks_passed, checks_failed), checks_failed != 0)
