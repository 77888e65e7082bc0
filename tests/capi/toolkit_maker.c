/* A shared object that makes resources and blocks, and releases none. Built twice: with the shared library, and with the archive, which
 * gives it a copy of the strategies of its own. */
#include "stratalloc_toolkit.h"
#include <string.h>

typedef stratalloc_error create_function(const stratalloc_config *, stratalloc_resource **);
static create_function *const kinds[] = {
    stratalloc_frame_create, stratalloc_stack_create, stratalloc_pool_create, stratalloc_lock_free_pool_create,
    stratalloc_slab_create, stratalloc_tlsf_create, stratalloc_buddy_create,
};

/* The resource with this number, over nothing or over `upstream`; null if there is none. */
stratalloc_resource *make(unsigned number, stratalloc_resource *upstream) {
    stratalloc_config config = STRATALLOC_CONFIG_INIT;
    stratalloc_resource *made = NULL;
    int blocks = number >= 2 && number <= 4;
    if (number == sizeof kinds / sizeof *kinds) return upstream ? NULL : stratalloc_system();
    if (number > sizeof kinds / sizeof *kinds) return NULL;
    config.flags = STRATALLOC_CHECKED;
    config.upstream = upstream;
    config.block_size = blocks ? 512 : 0;
    config.memory_size = number == 1 || number == 3 || number == 6 ? 64 * 1024 : 0;
    return kinds[number](&config, &made) == STRATALLOC_OK ? made : NULL;
}

/* A block of it, full of `mark`. */
int fill(stratalloc_resource *resource, unsigned char mark, stratalloc_block *out) {
    stratalloc_error error = stratalloc_resource_allocate(resource, 300, 16, out);
    if (error == STRATALLOC_OK) memset(out->start, mark, out->len);
    return error;
}

/* Where this object's copy of the library is. */
const void *copy(void) { return (const void *)stratalloc_system()->table; }
