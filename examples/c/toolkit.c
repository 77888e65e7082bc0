/* A level of a game, in C: four strategies over one static buffer, and a resource of the program's own above the system.
 *
 *     cc -I crates/l4-capi-toolkit/include examples/c/toolkit.c -L target/release -lstratalloc_toolkit -o toolkit
 *     LD_LIBRARY_PATH=target/release ./toolkit
 *
 * (libstratalloc_toolkit.so is made by `cargo build --release -p stratalloc-capi-toolkit`.) */
#include "stratalloc_toolkit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIB ((size_t)1024)

/* Ends the program over what it was not written for. */
static void must(stratalloc_error error, const char *what) {
    if (error != STRATALLOC_OK) {
        fprintf(stderr, "%s: %s\n", what, stratalloc_error_text(error));
        exit(1);
    }
}

/* ---- A resource of our own: counts what passes through it to the system. ---- */

typedef struct counting {
    stratalloc_resource resource; /* first, so that a pointer to it is one to us */
    stratalloc_resource *upstream;
    size_t calls, bytes, most;
} counting;

static stratalloc_error counting_allocate(stratalloc_resource *self, size_t size, size_t align, stratalloc_block *out) {
    counting *us = (counting *)self;
    stratalloc_error error = stratalloc_resource_allocate(us->upstream, size, align, out);
    if (error == STRATALLOC_OK) {
        us->calls++;
        us->bytes += out->len;
        if (us->bytes > us->most) us->most = us->bytes;
    }
    return error;
}

static stratalloc_error counting_release(stratalloc_resource *self, void *start, size_t len, size_t align) {
    counting *us = (counting *)self;
    stratalloc_error error = stratalloc_resource_release(us->upstream, start, len, align);
    if (error == STRATALLOC_OK) us->bytes -= len;
    return error;
}

/* No resize: the library moves blocks by these two then. No other functions: nobody asks this resource for them. */
static const stratalloc_resource_v1 counting_table = {
    STRATALLOC_ABI, sizeof(stratalloc_resource_v1), counting_allocate, counting_release,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
};

/* ---- The level ---- */

typedef struct particle {
    float position[3], velocity[3];
    struct particle *next;
} particle;

static void row(const char *what, stratalloc_resource *resource) {
    stratalloc_info info = STRATALLOC_INFO_INIT;
    stratalloc_usage usage = STRATALLOC_USAGE_INIT;
    must(stratalloc_resource_info(resource, &info), what);
    must(stratalloc_resource_usage(resource, &usage), what);
    printf("%-28s %-13s %8zu %9zu %8zu\n", what, info.name, usage.live_blocks, usage.used, usage.reserved);
}

static particle *burst(stratalloc_resource *pool, size_t count) {
    particle *first = NULL;
    while (count-- > 0) {
        stratalloc_block block;
        particle *made;
        must(stratalloc_resource_allocate_zeroed(pool, sizeof(particle), sizeof(void *), &block), "particle");
        made = (particle *)block.start;
        made->velocity[1] = (float)count;
        made->next = first;
        first = made;
    }
    return first;
}

/* What one picture needs: made, used and forgotten, without a single release. */
static void draw(stratalloc_resource *frame, const particle *first) {
    for (; first != NULL; first = first->next) {
        stratalloc_block vertices;
        must(stratalloc_resource_allocate(frame, 4 * 4 * sizeof(float), 64, &vertices), "vertices");
        memcpy(vertices.start, first->position, sizeof first->position);
    }
}

static unsigned char memory[192 * 1024];

int main(void) {
    stratalloc_resource *frame, *pool, *heap;
    stratalloc_config config = STRATALLOC_CONFIG_INIT;
    counting counted = {{&counting_table}, NULL, 0, 0, 0};
    stratalloc_block name, texture;
    stratalloc_error error;
    particle *particles;
    int picture;

    printf("libstratalloc_toolkit %s, tables of version %u\n\n", stratalloc_toolkit_version(), (unsigned)stratalloc_toolkit_abi());
    counted.upstream = stratalloc_system();

    /* 32 KiB of the buffer for a frame, whose overflow goes to the system, past our counter. */
    config.memory = memory;
    config.memory_size = 32 * KIB;
    config.upstream = &counted.resource;
    must(stratalloc_frame_create(&config, &frame), "frame");

    /* 64 KiB for particles; every release of one is checked. */
    config.memory = memory + 32 * KIB;
    config.memory_size = 64 * KIB;
    config.upstream = NULL;
    config.flags = STRATALLOC_CHECKED;
    config.block_size = sizeof(particle);
    must(stratalloc_pool_create(&config, &pool), "pool");

    /* The rest for whatever has no other place. */
    config.flags = 0;
    config.block_size = 0;
    config.memory = memory + 96 * KIB;
    config.memory_size = 96 * KIB;
    must(stratalloc_tlsf_create(&config, &heap), "tlsf");

    must(stratalloc_resource_allocate(heap, 20, 1, &name), "name");
    strcpy((char *)name.start, "level 1");
    must(stratalloc_resource_resize(heap, name.start, name.len, 1, 2000, &name), "a longer name");
    must(stratalloc_resource_allocate(heap, 20 * KIB, 4096, &texture), "texture");
    particles = burst(pool, 600);

    printf("%-28s %-13s %8s %9s %8s\n", "", "kind", "blocks", "used", "of");
    for (picture = 0; picture < 3; picture++) {
        draw(frame, particles);
        if (picture == 2) row("frame, third picture", frame);
        must(stratalloc_resource_reset(frame), "reset");
    }
    row("frame, after its reset", frame);
    row("particles", pool);
    row(strcat((char *)name.start, ", everything else"), heap);
    printf("\nthe frame asked the system %zu times in three pictures, for %zu bytes\n", counted.calls, counted.most);

    /* Refusals and mistakes are values. */
    error = stratalloc_resource_allocate(heap, 1024 * KIB, 16, &texture);
    printf("a megabyte of 96 KiB:        %s\n", stratalloc_error_text(error));
    error = stratalloc_resource_allocate(pool, 24, 48, &texture);
    printf("an alignment of 48:          %s\n", stratalloc_error_text(error));
    must(stratalloc_resource_release(pool, particles, sizeof(particle), sizeof(void *)), "release");
    error = stratalloc_resource_release(pool, particles, sizeof(particle), sizeof(void *));
    printf("a particle released twice:   %s\n", stratalloc_error_text(error));
    error = stratalloc_resource_release(pool, name.start, 24, 1);
    printf("a name among the particles:  %s\n", stratalloc_error_text(error));

    must(stratalloc_tlsf_destroy(heap), "tlsf");
    must(stratalloc_pool_destroy(pool), "pool");
    must(stratalloc_frame_destroy(frame), "frame");
    printf("\nafter the end %zu bytes of the system's are left\n", counted.bytes);
    return counted.bytes != 0;
}
