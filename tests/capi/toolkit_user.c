/* A shared object that uses resources which it has not made: through the table alone, without the library, as a plug-in would. */
#include "stratalloc_toolkit.h"
#include <string.h>

/* Looks whether all bytes of a block are `mark`, makes it longer, and releases it. The number of the step that went wrong, or 0. */
int finish(stratalloc_resource *resource, unsigned char mark, stratalloc_block block) {
    const stratalloc_resource_v1 *table = resource->table;
    size_t byte;
    if (table->version != STRATALLOC_ABI || table->size < sizeof(stratalloc_resource_v1)) return 1;
    for (byte = 0; byte < block.len; byte++)
        if (((unsigned char *)block.start)[byte] != mark) return 2;
    if (table->resize(resource, block.start, block.len, 16, 500, &block) != STRATALLOC_OK || block.len < 500) return 3;
    for (byte = 0; byte < 300; byte++)
        if (((unsigned char *)block.start)[byte] != mark) return 4;
    if (table->release(resource, block.start, block.len, 16) != STRATALLOC_OK) return 5;
    /* The system does not look so closely, and would have nothing to look at any more. */
    if (table->destroy != NULL && table->release(resource, block.start, block.len, 16) != STRATALLOC_DOUBLE_RELEASE) return 6;
    return 0;
}

/* Ends it. */
int end(stratalloc_resource *resource) {
    return resource->table->destroy == NULL ? STRATALLOC_OK : resource->table->destroy(resource);
}
