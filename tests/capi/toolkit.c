/* The strategies through the C header: every kind over memory of ours, of the system and of a resource written here. */
#include "check.h"
#include "stratalloc_toolkit.h"
#include <string.h>

#define IMPOSSIBLE ((size_t)PTRDIFF_MAX + 1)

typedef stratalloc_error create_function(const stratalloc_config *, stratalloc_resource **);
typedef stratalloc_error destroy_function(stratalloc_resource *);

/* What is known of a kind. */
typedef struct kind {
    const char *name;
    create_function *create;
    destroy_function *destroy;
    size_t block_size; /* of blocks of one size, else 0 */
    size_t room;       /* what it wants of upstream at once, 0 if it asks for chunks */
    int positions;     /* whether it has mark, rewind, reset */
    int threads;
} kind;

static const kind kinds[] = {
    {"frame", stratalloc_frame_create, stratalloc_frame_destroy, 0, 0, 1, 0},
    {"stack", stratalloc_stack_create, stratalloc_stack_destroy, 0, 200000, 1, 0},
    {"pool", stratalloc_pool_create, stratalloc_pool_destroy, 256, 0, 0, 0},
    {"lock-free pool", stratalloc_lock_free_pool_create, stratalloc_lock_free_pool_destroy, 256, 200000, 0, 1},
    {"slab", stratalloc_slab_create, stratalloc_slab_destroy, 256, 0, 0, 0},
    {"tlsf", stratalloc_tlsf_create, stratalloc_tlsf_destroy, 0, 0, 0, 0},
    {"buddy", stratalloc_buddy_create, stratalloc_buddy_destroy, 0, 200000, 0, 0},
};
#define KINDS (sizeof kinds / sizeof *kinds)

static unsigned char memory[256 * 1024 + 7];

/* ---- a resource of our own, with the smallest table there may be: over a bump buffer, counting ---- */
typedef struct ours {
    stratalloc_resource resource;
    size_t live, next;
    int spoil; /* 1: answers with null, 2: misaligned, 3: with an error of a later version */
} ours;
static unsigned char heap[1 << 20];

static stratalloc_error ours_allocate(stratalloc_resource *self, size_t size, size_t align, stratalloc_block *out) {
    ours *us = (ours *)self;
    uintptr_t at = ((uintptr_t)heap + us->next + align - 1) & ~((uintptr_t)align - 1);
    if (us->spoil == 3) return 200;
    if (us->spoil == 1) return out->start = NULL, out->len = size, STRATALLOC_OK;
    if (at - (uintptr_t)heap + size > sizeof heap) return STRATALLOC_OUT_OF_MEMORY;
    us->next = at - (uintptr_t)heap + size;
    us->live++;
    out->start = (unsigned char *)at + (us->spoil == 2);
    out->len = size;
    return STRATALLOC_OK;
}
static stratalloc_error ours_release(stratalloc_resource *self, void *start, size_t len, size_t align) {
    (void)start, (void)len, (void)align;
    ((ours *)self)->live--;
    return STRATALLOC_OK;
}
/* As an older program would have it: it ends after `release`. */
static const struct { uint32_t version, size; void *functions[2]; } smallest_table = {
    1, offsetof(stratalloc_resource_v1, resize), {(void *)ours_allocate, (void *)ours_release}};
static const stratalloc_resource_v1 later_version = {2, sizeof(stratalloc_resource_v1), ours_allocate, ours_release,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL};
static const stratalloc_resource_v1 without_release = {1, sizeof(stratalloc_resource_v1), ours_allocate, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL};
static ours fresh_ours(void) {
    ours us = {{(const stratalloc_resource_v1 *)(const void *)&smallest_table}, 0, 0, 0};
    return us;
}

static stratalloc_config config_of(const kind *kind, uint32_t flags) {
    stratalloc_config config = STRATALLOC_CONFIG_INIT;
    config.flags = flags;
    config.block_size = kind->block_size;
    return config;
}
static stratalloc_config over_memory(const kind *kind, uint32_t flags) {
    stratalloc_config config = config_of(kind, flags);
    config.memory = memory + 7; /* no alignment is asked for */
    config.memory_size = sizeof memory - 7;
    return config;
}

/* ---- what holds for all ---- */
static void requests(const kind *kind, stratalloc_resource *resource) {
    stratalloc_block blocks[20], other = {memory, 77};
    stratalloc_info info = STRATALLOC_INFO_INIT;
    stratalloc_usage usage = STRATALLOC_USAGE_INIT;
    size_t number;
    CHECK(stratalloc_resource_info(resource, &info) == STRATALLOC_OK);
    CHECK(strstr(info.name, kind->name) != NULL && strlen(info.name) < STRATALLOC_NAME_LEN);
    CHECK(info.threads == (uint32_t)kind->threads);
    /* Sizes from 0, alignments from 1; all of a block can be written. */
    for (number = 0; number < 20; number++) {
        size_t size = number * 12, align = (size_t)1 << number % 5;
        CHECK(stratalloc_resource_allocate(resource, size, align, &blocks[number]) == STRATALLOC_OK);
        CHECK(blocks[number].start != NULL && blocks[number].len >= size && (uintptr_t)blocks[number].start % align == 0);
        CHECK(stratalloc_resource_owns(resource, blocks[number].start) == 1);
        memset(blocks[number].start, (int)number, blocks[number].len);
    }
    CHECK(stratalloc_resource_usage(resource, &usage) == STRATALLOC_OK);
    CHECK(usage.live_blocks == 20 && usage.used >= 12 * 190 && usage.reserved >= usage.used);
    CHECK(stratalloc_resource_validate(resource) == STRATALLOC_OK);
    for (number = 20; number-- > 0;) {
        size_t byte, size = number * 12, align = (size_t)1 << number % 5;
        for (byte = 0; byte < blocks[number].len; byte++) CHECK(((unsigned char *)blocks[number].start)[byte] == number);
        /* With the size asked for as well as with the one returned. */
        CHECK(stratalloc_resource_release(resource, blocks[number].start, number % 2 ? size : blocks[number].len, align) == STRATALLOC_OK);
    }
    /* What cannot be served leaves the answer alone. */
    CHECK(stratalloc_resource_allocate(resource, IMPOSSIBLE, 1, &other) == STRATALLOC_SIZE_OVERFLOW);
    CHECK(stratalloc_resource_allocate(resource, SIZE_MAX, 16, &other) == STRATALLOC_SIZE_OVERFLOW);
    CHECK(stratalloc_resource_allocate(resource, 1, 0, &other) == STRATALLOC_BAD_ALIGNMENT);
    CHECK(stratalloc_resource_allocate(resource, 1, 48, &other) == STRATALLOC_BAD_ALIGNMENT);
    CHECK(stratalloc_resource_allocate(resource, PTRDIFF_MAX - 100, 1, &other) != STRATALLOC_OK);
    CHECK(stratalloc_resource_allocate(resource, 1, 1, NULL) == STRATALLOC_INVALID_ARGUMENT);
    CHECK(other.start == memory && other.len == 77);
    CHECK(stratalloc_resource_release(resource, NULL, 0, 1) == STRATALLOC_OK);
    CHECK(stratalloc_resource_owns(resource, &other) == 0 && stratalloc_resource_owns(resource, NULL) == 0);
}

static void resizes(const kind *kind, stratalloc_resource *resource) {
    stratalloc_block block, before;
    size_t byte, larger = kind->block_size ? kind->block_size : 5000;
    CHECK(stratalloc_resource_allocate_zeroed(resource, 100, 8, &block) == STRATALLOC_OK);
    for (byte = 0; byte < block.len; byte++) CHECK(((unsigned char *)block.start)[byte] == 0);
    memset(block.start, 9, 100);
    CHECK(stratalloc_resource_resize(resource, block.start, block.len, 8, larger, &block) == STRATALLOC_OK);
    CHECK(block.len >= larger && (uintptr_t)block.start % 8 == 0);
    for (byte = 0; byte < 100; byte++) CHECK(((unsigned char *)block.start)[byte] == 9);
    before = block;
    CHECK(stratalloc_resource_resize(resource, block.start, block.len, 8, IMPOSSIBLE, &block) == STRATALLOC_SIZE_OVERFLOW);
    CHECK(stratalloc_resource_resize(resource, block.start, block.len, 3, 10, &block) == STRATALLOC_BAD_ALIGNMENT);
    CHECK(stratalloc_resource_resize(resource, NULL, 0, 8, 10, &block) == STRATALLOC_INVALID_ARGUMENT);
    CHECK(stratalloc_resource_resize(resource, block.start, block.len, 8, 10, NULL) == STRATALLOC_INVALID_ARGUMENT);
    CHECK(block.start == before.start && block.len == before.len && ((unsigned char *)block.start)[99] == 9);
    CHECK(stratalloc_resource_resize(resource, block.start, block.len, 8, 0, &block) == STRATALLOC_OK);
    CHECK(stratalloc_resource_release(resource, block.start, block.len, 8) == STRATALLOC_OK);
}

static void positions(const kind *kind, stratalloc_resource *resource) {
    stratalloc_marker marker, empty = {{NULL}};
    stratalloc_block kept, block;
    stratalloc_usage usage = STRATALLOC_USAGE_INIT, then = STRATALLOC_USAGE_INIT;
    if (!kind->positions) {
        CHECK(stratalloc_resource_mark(resource, &marker) == STRATALLOC_UNSUPPORTED);
        CHECK(stratalloc_resource_rewind(resource, &empty) == STRATALLOC_UNSUPPORTED);
        CHECK(stratalloc_resource_reset(resource) == STRATALLOC_UNSUPPORTED);
        return;
    }
    CHECK(stratalloc_resource_allocate(resource, 10, 1, &kept) == STRATALLOC_OK);
    memset(kept.start, 5, 10);
    CHECK(stratalloc_resource_mark(resource, &marker) == STRATALLOC_OK);
    CHECK(stratalloc_resource_usage(resource, &then) == STRATALLOC_OK);
    CHECK(stratalloc_resource_allocate(resource, 1000, 1, &block) == STRATALLOC_OK);
    CHECK(stratalloc_resource_usage(resource, &usage) == STRATALLOC_OK && usage.used >= then.used + 1000);
    CHECK(stratalloc_resource_rewind(resource, &marker) == STRATALLOC_OK);
    CHECK(stratalloc_resource_usage(resource, &usage) == STRATALLOC_OK && usage.used == then.used && usage.peak >= then.used + 1000);
    CHECK(usage.live_blocks == then.live_blocks);
    CHECK(((unsigned char *)kept.start)[9] == 5);
    CHECK(stratalloc_resource_rewind(resource, &empty) == STRATALLOC_STALE_MARKER);
    CHECK(stratalloc_resource_rewind(resource, NULL) == STRATALLOC_INVALID_ARGUMENT);
    CHECK(stratalloc_resource_mark(resource, NULL) == STRATALLOC_INVALID_ARGUMENT);
    CHECK(stratalloc_resource_reset(resource) == STRATALLOC_OK);
    CHECK(stratalloc_resource_usage(resource, &usage) == STRATALLOC_OK && usage.used == 0);
}

/* Everything that a resource without limits of ours has to be able to do, and then to end. */
static void whole_life(const kind *kind, const stratalloc_config *config) {
    stratalloc_resource *resource = NULL;
    CHECK(kind->create(config, &resource) == STRATALLOC_OK && resource != NULL);
    if (resource == NULL) return;
    requests(kind, resource);
    resizes(kind, resource);
    positions(kind, resource);
    CHECK(kind->destroy(resource) == STRATALLOC_OK);
    if (config->memory != NULL) CHECK(kind->destroy(resource) == STRATALLOC_WRONG_KIND); /* the table is gone */
}

static void until_full(const kind *kind) {
    stratalloc_config config = over_memory(kind, STRATALLOC_CHECKED);
    stratalloc_resource *resource;
    stratalloc_block block;
    stratalloc_error error;
    size_t bytes = 0;
    config.memory_size = 64 * 1024;
    CHECK(kind->create(&config, &resource) == STRATALLOC_OK);
    while ((error = stratalloc_resource_allocate(resource, 256, 16, &block)) == STRATALLOC_OK) bytes += block.len;
    CHECK(error == STRATALLOC_CAPACITY_EXHAUSTED);
    CHECK(bytes > 40 * 1024 && bytes < 64 * 1024);
    CHECK(kind->destroy(resource) == STRATALLOC_OK);
}

static void configurations(const kind *kind) {
    stratalloc_config config = over_memory(kind, 0);
    stratalloc_resource *resource = (stratalloc_resource *)memory;
    CHECK(kind->create(NULL, &resource) == STRATALLOC_INVALID_ARGUMENT && resource == NULL);
    CHECK(kind->create(&config, NULL) == STRATALLOC_INVALID_ARGUMENT);
    config.size = 0;
    CHECK(kind->create(&config, &resource) == STRATALLOC_BAD_VERSION);
    config = over_memory(kind, 0x100);
    CHECK(kind->create(&config, &resource) == STRATALLOC_INVALID_ARGUMENT);
    config = over_memory(kind, 0);
    config.memory_size = IMPOSSIBLE;
    CHECK(kind->create(&config, &resource) == STRATALLOC_INVALID_ARGUMENT);
    config = over_memory(kind, 0);
    config.memory_size = 40;
    CHECK(kind->create(&config, &resource) == STRATALLOC_CAPACITY_EXHAUSTED && resource == NULL);
    /* Sizes that belong to others; block sizes of nothing, alignments of nothing. */
    config = over_memory(kind, 0);
    config.block_size = kind->block_size ? 0 : 64;
    CHECK(kind->create(&config, &resource) == STRATALLOC_INVALID_ARGUMENT);
    config = over_memory(kind, 0);
    config.block_align = 48;
    CHECK(kind->create(&config, &resource) == STRATALLOC_BAD_ALIGNMENT);
    config = config_of(kind, 0);
    config.memory_size = kind->room ? 0 : 5000;
    if (kind->create != stratalloc_frame_create) CHECK(kind->create(&config, &resource) == STRATALLOC_INVALID_ARGUMENT);
    /* A program compiled with a later header, which wants something that is not known here, and one that wants nothing. */
    {
        struct { stratalloc_config known; size_t later; } wider = {over_memory(kind, 0), 1};
        wider.known.size = sizeof wider;
        CHECK(kind->create(&wider.known, &resource) == STRATALLOC_BAD_VERSION);
        wider.later = 0;
        CHECK(kind->create(&wider.known, &resource) == STRATALLOC_OK && kind->destroy(resource) == STRATALLOC_OK);
    }
}

static void upstreams(const kind *kind) {
    ours us = fresh_ours();
    stratalloc_config config = config_of(kind, STRATALLOC_CHECKED);
    stratalloc_resource *resource;
    config.memory_size = kind->room;
    config.upstream = &us.resource;
    whole_life(kind, &config);
    CHECK(us.next > 0 && us.live == 0); /* everything went back */
    for (us = fresh_ours(), us.spoil = 1; us.spoil <= 3; us.spoil++)
        CHECK(kind->create(&config, &resource) == STRATALLOC_UNSUPPORTED && resource == NULL && us.live == 0);
    us = fresh_ours();
    us.next = sizeof heap - 100;
    CHECK(kind->create(&config, &resource) == STRATALLOC_OUT_OF_MEMORY && us.live == 0);
    us.resource.table = &later_version;
    CHECK(kind->create(&config, &resource) == STRATALLOC_BAD_VERSION);
    us.resource.table = &without_release;
    CHECK(kind->create(&config, &resource) == STRATALLOC_INVALID_ARGUMENT);
    us.resource.table = NULL;
    CHECK(kind->create(&config, &resource) == STRATALLOC_INVALID_ARGUMENT);
}

/* ---- misuse ---- */
static void misuse(const kind *kind) {
    stratalloc_config config = over_memory(kind, STRATALLOC_CHECKED);
    stratalloc_resource *resource, *another;
    stratalloc_block below, block;
    static unsigned char elsewhere[64];
    int frame = kind->create == stratalloc_frame_create;
    CHECK(kind->create(&config, &resource) == STRATALLOC_OK);
    CHECK(stratalloc_resource_allocate(resource, 100, 8, &below) == STRATALLOC_OK);
    CHECK(stratalloc_resource_allocate(resource, 100, 8, &block) == STRATALLOC_OK);
    CHECK(stratalloc_resource_release(resource, elsewhere, 10, 1) == STRATALLOC_FOREIGN_BLOCK);
    CHECK(stratalloc_resource_resize(resource, elsewhere, 10, 1, 5, &below) != STRATALLOC_OK);
    CHECK(stratalloc_resource_release(resource, block.start, block.len, 7) == STRATALLOC_BAD_ALIGNMENT);
    CHECK(stratalloc_resource_release(resource, block.start, IMPOSSIBLE, 8) == STRATALLOC_INVALID_ARGUMENT);
    if (!frame) { /* which has no headers, so it knows less */
        CHECK(stratalloc_resource_release(resource, (char *)block.start + 16, 10, 8) == STRATALLOC_INTERIOR_POINTER);
        CHECK(stratalloc_resource_release(resource, block.start, 4000, 8) == STRATALLOC_WRONG_SIZE);
    }
    if (kind->create == stratalloc_stack_create)
        CHECK(stratalloc_resource_release(resource, below.start, below.len, 8) == STRATALLOC_OUT_OF_ORDER);
    /* None of that did anything. */
    CHECK(stratalloc_resource_validate(resource) == STRATALLOC_OK);
    CHECK(stratalloc_resource_release(resource, block.start, block.len, 8) == STRATALLOC_OK);
    CHECK(stratalloc_resource_release(resource, block.start, block.len, 8) == STRATALLOC_DOUBLE_RELEASE);
    CHECK(stratalloc_resource_resize(resource, block.start, block.len, 8, 5, &block) == STRATALLOC_DOUBLE_RELEASE);
    CHECK(stratalloc_resource_release(resource, below.start, below.len, 8) == STRATALLOC_OK);
    CHECK(stratalloc_resource_validate(resource) == STRATALLOC_OK);
    /* A resource of another kind lives on. */
    config = config_of(&kinds[0], 0);
    CHECK(stratalloc_frame_create(&config, &another) == STRATALLOC_OK);
    CHECK(kind->destroy(stratalloc_system()) == STRATALLOC_WRONG_KIND);
    if (!frame) CHECK(kind->destroy(another) == STRATALLOC_WRONG_KIND);
    CHECK(stratalloc_resource_destroy(another) == STRATALLOC_OK);
    CHECK(kind->destroy(NULL) == STRATALLOC_OK && kind->destroy(resource) == STRATALLOC_OK);
}

static void stale_markers(uint32_t flags) {
    size_t number;
    for (number = 0; number < 2; number++) {
        const kind *kind = &kinds[number];
        stratalloc_config config = over_memory(kind, flags), other = config_of(kind, 0);
        stratalloc_resource *first, *second;
        stratalloc_marker marker;
        stratalloc_block block;
        other.memory_size = kind->room;
        CHECK(kind->create(&config, &first) == STRATALLOC_OK && kind->create(&other, &second) == STRATALLOC_OK);
        CHECK(stratalloc_resource_mark(second, &marker) == STRATALLOC_OK);
        CHECK(stratalloc_resource_rewind(first, &marker) == STRATALLOC_STALE_MARKER);
        if (flags && kind->create == stratalloc_stack_create) { /* whose marker names the block under it */
            CHECK(stratalloc_resource_allocate(first, 100, 8, &block) == STRATALLOC_OK);
            CHECK(stratalloc_resource_mark(first, &marker) == STRATALLOC_OK);
            CHECK(stratalloc_resource_reset(first) == STRATALLOC_OK);
            CHECK(stratalloc_resource_rewind(first, &marker) == STRATALLOC_STALE_MARKER);
        }
        CHECK(kind->destroy(first) == STRATALLOC_OK && kind->destroy(second) == STRATALLOC_OK);
    }
}

/* A stack where a frame was, and the other way round: the marker names the right place, and is another structure. */
static void markers_of_another_kind(uint32_t flags) {
    size_t number;
    for (number = 0; number < 2; number++) {
        const kind *before = &kinds[number], *after = &kinds[1 - number];
        stratalloc_config first = over_memory(before, flags), second = over_memory(after, flags);
        stratalloc_resource *one, *other;
        stratalloc_marker marker;
        CHECK(before->create(&first, &one) == STRATALLOC_OK && stratalloc_resource_mark(one, &marker) == STRATALLOC_OK);
        CHECK(before->destroy(one) == STRATALLOC_OK && after->create(&second, &other) == STRATALLOC_OK && one == other);
        CHECK(stratalloc_resource_rewind(other, &marker) == STRATALLOC_STALE_MARKER);
        CHECK(stratalloc_resource_validate(other) == STRATALLOC_OK && after->destroy(other) == STRATALLOC_OK);
    }
}

/* Where nobody asks for the order: a block under a live one waits for it. */
static void a_stack_waits(void) {
    stratalloc_config config = over_memory(&kinds[1], 0);
    stratalloc_resource *stack;
    stratalloc_usage usage = STRATALLOC_USAGE_INIT;
    stratalloc_block below, above;
    CHECK(stratalloc_stack_create(&config, &stack) == STRATALLOC_OK);
    CHECK(stratalloc_resource_allocate(stack, 100, 8, &below) == STRATALLOC_OK);
    CHECK(stratalloc_resource_allocate(stack, 100, 8, &above) == STRATALLOC_OK);
    CHECK(stratalloc_resource_release(stack, below.start, below.len, 8) == STRATALLOC_OK);
    CHECK(stratalloc_resource_usage(stack, &usage) == STRATALLOC_OK && usage.used >= 200 && usage.live_blocks == 1);
    CHECK(stratalloc_resource_release(stack, above.start, above.len, 8) == STRATALLOC_OK);
    CHECK(stratalloc_resource_usage(stack, &usage) == STRATALLOC_OK && usage.used == 0 && usage.live_blocks == 0);
    CHECK(stratalloc_stack_destroy(stack) == STRATALLOC_OK);
}

/* ---- the rest ---- */
static void the_system(void) {
    stratalloc_resource *system = stratalloc_system();
    stratalloc_block block;
    stratalloc_info info = STRATALLOC_INFO_INIT;
    stratalloc_usage usage = STRATALLOC_USAGE_INIT;
    size_t given = 77;
    CHECK(system == stratalloc_system() && stratalloc_resource_info(system, &info) == STRATALLOC_OK);
    CHECK(strcmp(info.name, "system") == 0 && info.threads == 1 && info.capacity == STRATALLOC_UNKNOWN);
    CHECK(stratalloc_resource_allocate_zeroed(system, 10000, 65536, &block) == STRATALLOC_OK);
    CHECK(block.len >= 10000 && (uintptr_t)block.start % 65536 == 0 && ((char *)block.start)[9999] == 0);
    CHECK(stratalloc_resource_release(system, (char *)block.start + 8, 100, 8) == STRATALLOC_INTERIOR_POINTER);
    CHECK(stratalloc_resource_resize(system, block.start, block.len, 65536, 200000, &block) == STRATALLOC_OK && block.len >= 200000);
    CHECK(stratalloc_resource_release(system, block.start, block.len, 65536) == STRATALLOC_OK);
    CHECK(stratalloc_resource_owns(system, &block) == -1);
    CHECK(stratalloc_resource_usage(system, &usage) == STRATALLOC_UNSUPPORTED);
    CHECK(stratalloc_resource_collect(system, &given) == STRATALLOC_OK && given == 0);
    CHECK(stratalloc_resource_destroy(system) == STRATALLOC_UNSUPPORTED);
}

static void growth_and_collect(void) {
    stratalloc_config config = config_of(&kinds[4], 0);
    stratalloc_resource *slab;
    stratalloc_block blocks[100];
    size_t number, given;
    CHECK(stratalloc_slab_create(&config, &slab) == STRATALLOC_OK);
    for (number = 0; number < 100; number++) CHECK(stratalloc_resource_allocate(slab, 256, 16, &blocks[number]) == STRATALLOC_OK);
    for (number = 0; number < 100; number++)
        CHECK(stratalloc_resource_release(slab, blocks[number].start, 256, 16) == STRATALLOC_OK);
    CHECK(stratalloc_resource_collect(slab, &given) == STRATALLOC_OK && given == 6 * 4096);
    CHECK(stratalloc_resource_collect(slab, NULL) == STRATALLOC_OK);
    CHECK(stratalloc_slab_destroy(slab) == STRATALLOC_OK);
}

/* The resource itself takes no more than the header says, wherever the memory begins; a block or a slab has to fit behind it. */
static void states_fit(void) {
    size_t number, at;
    for (number = 0; number < KINDS; number++)
        for (at = 0; at < 130; at += 13) {
            const kind *kind = &kinds[number];
            int tlsf = kind->create == stratalloc_tlsf_create, slab = kind->create == stratalloc_slab_create;
            stratalloc_config config = over_memory(kind, 0);
            stratalloc_resource *resource;
            config.memory = memory + at;
            config.memory_size = (tlsf ? STRATALLOC_TLSF_STATE : STRATALLOC_STATE) + (slab ? 8192 : 512);
            CHECK(kind->create(&config, &resource) == STRATALLOC_OK);
            CHECK(kind->destroy(resource) == STRATALLOC_OK);
        }
}

static void arguments(void) {
    stratalloc_block block;
    ours us = fresh_ours();
    CHECK(stratalloc_toolkit_abi() == STRATALLOC_ABI);
    CHECK(stratalloc_resource_allocate(NULL, 1, 1, &block) == STRATALLOC_INVALID_ARGUMENT);
    CHECK(stratalloc_resource_release(NULL, &block, 1, 1) == STRATALLOC_INVALID_ARGUMENT);
    CHECK(stratalloc_resource_owns(NULL, &block) == -1 && stratalloc_resource_destroy(NULL) == STRATALLOC_OK);
    /* Ours has no resize: by moving. And nothing else. */
    CHECK(stratalloc_resource_allocate(&us.resource, 10, 4, &block) == STRATALLOC_OK);
    memset(block.start, 3, 10);
    CHECK(stratalloc_resource_resize(&us.resource, block.start, 10, 4, 100, &block) == STRATALLOC_OK);
    CHECK(block.len == 100 && ((char *)block.start)[9] == 3 && us.live == 1);
    CHECK(stratalloc_resource_info(&us.resource, NULL) == STRATALLOC_UNSUPPORTED);
    CHECK(stratalloc_resource_destroy(&us.resource) == STRATALLOC_UNSUPPORTED);
    us.resource.table = &later_version;
    CHECK(stratalloc_resource_allocate(&us.resource, 10, 4, &block) == STRATALLOC_BAD_VERSION);
    CHECK(stratalloc_pool_return(stratalloc_system(), &block) == STRATALLOC_WRONG_KIND);
    CHECK(stratalloc_pool_return(NULL, &block) == STRATALLOC_WRONG_KIND && stratalloc_pool_return(NULL, NULL) == STRATALLOC_OK);
    /* Answers are cut to what the asker knows. */
    {
        struct { stratalloc_usage usage; size_t beyond; } place = {STRATALLOC_USAGE_INIT, 99};
        stratalloc_config config = config_of(&kinds[0], 0);
        stratalloc_resource *frame;
        CHECK(stratalloc_frame_create(&config, &frame) == STRATALLOC_OK);
        place.usage.size = sizeof place;
        CHECK(stratalloc_resource_usage(frame, &place.usage) == STRATALLOC_OK && place.beyond == 99);
        CHECK(place.usage.size == sizeof place.usage); /* what was filled */
        place.usage.size = offsetof(stratalloc_usage, reserved);
        place.usage.reserved = 98;
        CHECK(stratalloc_resource_usage(frame, &place.usage) == STRATALLOC_OK && place.usage.reserved == 98);
        place.usage.size = 0;
        CHECK(stratalloc_resource_usage(frame, &place.usage) == STRATALLOC_BAD_VERSION);
        CHECK(stratalloc_resource_usage(frame, NULL) == STRATALLOC_INVALID_ARGUMENT);
        CHECK(stratalloc_frame_destroy(frame) == STRATALLOC_OK);
    }
}

static void texts(void) {
    static const int known[] = {0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 32, 33, 34, 35, 36, 37, 38, 39};
    size_t number, other;
    for (number = 0; number < sizeof known / sizeof *known; number++)
        for (other = 0; other < number; other++)
            CHECK(strcmp(stratalloc_error_text(known[number]), stratalloc_error_text(known[other])) != 0);
    CHECK(strstr(stratalloc_error_text(200), "does not know") != NULL && strstr(stratalloc_error_text(-1), "does not know") != NULL);
    CHECK(strcmp(stratalloc_error_text(STRATALLOC_OVER_BUDGET + (7 << 8)), stratalloc_error_text(STRATALLOC_OVER_BUDGET)) == 0);
}

int main(void) {
    size_t number;
    for (number = 0; number < KINDS; number++) {
        const kind *kind = &kinds[number];
        uint32_t flags;
        for (flags = 0; flags <= STRATALLOC_CHECKED; flags++) {
            stratalloc_config config = over_memory(kind, flags);
            whole_life(kind, &config);
            config = config_of(kind, flags);
            config.memory_size = kind->room;
            whole_life(kind, &config);
        }
        until_full(kind);
        configurations(kind);
        upstreams(kind);
        misuse(kind);
    }
    stale_markers(0);
    stale_markers(STRATALLOC_CHECKED);
    markers_of_another_kind(0);
    markers_of_another_kind(STRATALLOC_CHECKED);
    a_stack_waits();
    the_system();
    growth_and_collect();
    states_fit();
    arguments();
    texts();
    return REPORT();
}
