/* Initialised before libstratalloc, so its destructor runs behind that of libstratalloc: a second end. */
#include <unistd.h>

__attribute__((destructor)) static void late(void) { _exit(7); }
