/* stratalloc_toolkit.h: allocation strategies as resources, for C and C++.
 *
 *     stratalloc_config config = STRATALLOC_CONFIG_INIT;
 *     stratalloc_resource *frame;
 *     stratalloc_block block;
 *     config.memory = buffer, config.memory_size = sizeof buffer;        or leave both: memory from the system
 *     if (stratalloc_frame_create(&config, &frame) == STRATALLOC_OK &&
 *         stratalloc_resource_allocate(frame, 100, 16, &block) == STRATALLOC_OK)
 *         memset(block.start, 0, block.len);                              all block.len bytes are yours: 100 or more
 *     stratalloc_resource_reset(frame);
 *     stratalloc_frame_destroy(frame);
 *
 * A resource is a pointer to a structure whose first word leads to a table of functions. Programs can write their own (see
 * stratalloc_resource_v1) and use them wherever a resource is wanted, also as the upstream of another. A block may be released in
 * another shared object, or in another language, than it was made in: the call goes through the table, to the code that made it.
 *
 * Sizes, lengths and alignments are in bytes. An alignment is a power of two, from 1. Every request and every release carries it, and
 * every release and resize carries the block's length: the one that was asked for, the one that was returned, or any between.
 *
 * | kind           | allocate, release    | reset, rewind | one thread at a time | threads at once | recognised always, at O(1)   | with STRATALLOC_CHECKED, and its cost             |
 * |----------------|----------------------|---------------|----------------------|-----------------|------------------------------|---------------------------------------------------|
 * | frame          | O(1), together       | yes           | yes                  | no              | foreign blocks (O(chunks))   | + released before, of the youngest; O(chunks)     |
 * | stack          | O(1), last in first  | yes           | yes                  | no              | foreign blocks               | + everything, also the order; O(depth)            |
 * | pool           | O(1), O(1)           | no            | yes; any may return  | no              | foreign, unless it grows     | + everything; O(chunks + free blocks)             |
 * | lock-free pool | O(1) unless contended| no            |                      | yes             | foreign, inside a block, size| + released before; O(1), one bit a block          |
 * | slab           | O(1), O(1)           | no            | yes                  | no              | nothing                      | + everything; O(slabs)                            |
 * | tlsf           | O(1), O(1)           | no            | yes                  | no              | foreign, unless it grows     | + everything; O(blocks of a chunk)                |
 * | buddy          | O(log n), O(log n)   | no            | yes                  | no              | everything                   |                                                   |
 * | system         | a system call        | no            |                      | yes             | what begins at no page       |                                                   |
 *
 * "everything": foreign blocks, blocks released before, pointers into blocks, lengths and alignments that no request had. A misuse that is
 * recognised returns its code and changes nothing; one that is not is undefined behaviour, as with free. (A block that was released
 * and whose place is a live block again is live.)
 *
 * Threads. "One at a time" means that calls for one resource must not overlap; which thread makes them does not matter. Where several
 * may call at once, usage, validate and destroy are still for when nobody else does.
 *
 * Nothing here calls malloc, unwinds, throws, or ends the program; nothing changes errno but the system's calls. No function may be called
 * from a signal handler, but for allocate and release of a lock-free pool. */
#ifndef STRATALLOC_TOOLKIT_H
#define STRATALLOC_TOOLKIT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Errors -------------------------------------------------------------------------------------------------------- */

/* 0, or why not. The low eight bits are one of the codes below; above them stands the tag of STRATALLOC_OVER_BUDGET. */
typedef int32_t stratalloc_error;
#define STRATALLOC_ERROR_KIND(error) ((error) & 0xff)
#define STRATALLOC_ERROR_TAG(error) ((error) >> 8)

enum {
    STRATALLOC_OK = 0,
    /* Refusals: the request was right, and cannot be served. */
    STRATALLOC_OUT_OF_MEMORY = 1,      /* upstream or the system has none; it may have later */
    STRATALLOC_SIZE_OVERFLOW = 2,      /* no address space holds it: above PTRDIFF_MAX, rounded up to the alignment */
    STRATALLOC_BAD_ALIGNMENT = 3,      /* no power of two, or more than the resource can give */
    STRATALLOC_OVER_BUDGET = 4,        /* of a tag: see STRATALLOC_ERROR_TAG */
    STRATALLOC_CAPACITY_EXHAUSTED = 5, /* a fixed resource is full; only releasing helps */
    STRATALLOC_NOT_OWNED = 6,          /* the block belongs to another resource */
    STRATALLOC_UNSUPPORTED = 7,        /* never served here: a size no pool's block has, a function that the table lacks */
    /* Mistakes in a call. */
    STRATALLOC_INVALID_ARGUMENT = 16, /* null where something is needed, or a field that this kind does not know */
    STRATALLOC_BAD_VERSION = 17,      /* of a table, or the size in front of a structure was not set */
    STRATALLOC_WRONG_KIND = 18,       /* a destroy of another kind, or of a resource that this library did not make */
    STRATALLOC_BROKEN_INVARIANT = 19, /* what validate found: the resource's own state was overwritten */
    /* Misuse of a block: what was handed back is not what it has to be. */
    STRATALLOC_FOREIGN_BLOCK = 32,
    STRATALLOC_DOUBLE_RELEASE = 33,
    STRATALLOC_INTERIOR_POINTER = 34,
    STRATALLOC_WRONG_SIZE = 35,
    STRATALLOC_WRONG_ALIGNMENT = 36,
    STRATALLOC_OUT_OF_ORDER = 37, /* a stack's block under a live one */
    STRATALLOC_STALE_MARKER = 38, /* another resource's, or of memory that was given up since */
    STRATALLOC_OVERWRITTEN = 39   /* bytes beside the block, which tell what it is, are not what they were */
};

/* An English sentence for any error, without the tag; never null, never freed. O(1). Any thread. */
const char *stratalloc_error_text(stratalloc_error error);

/* The library's version as "major.minor.patch". Any thread. */
const char *stratalloc_toolkit_version(void);

/* The version of the tables that the library makes and takes. A program compiled with this header needs STRATALLOC_ABI. Any thread. */
uint32_t stratalloc_toolkit_abi(void);
#define STRATALLOC_ABI 1u

/* ---- The table ----------------------------------------------------------------------------------------------------- */

/* What stands for "not known" and for "no limit". */
#define STRATALLOC_UNKNOWN SIZE_MAX

typedef struct stratalloc_resource stratalloc_resource;

typedef struct stratalloc_block {
    void *start; /* never null in an answer */
    size_t len;  /* the real length, at least what was asked for; 0 only if that was 0 */
} stratalloc_block;

/* A saved position. Copy it freely; only its resource reads it. */
typedef struct stratalloc_marker {
    void *words[8];
} stratalloc_marker;

#define STRATALLOC_NAME_LEN 24

typedef struct stratalloc_info {
    uint32_t size;    /* set by the asker: sizeof(stratalloc_info); no more is written. In the answer: how many bytes were */
    uint32_t threads; /* 0: one at a time; 1: any number at once */
    uint32_t reuse;   /* memory comes back 0: with each release; 1: once all younger blocks are released; 2: with a reset */
    uint32_t spare;   /* 0 */
    char name[STRATALLOC_NAME_LEN];
    size_t capacity;  /* the most bytes live at once, or STRATALLOC_UNKNOWN */
    size_t max_size;  /* the largest request ever served, or STRATALLOC_UNKNOWN */
    size_t max_align; /* the largest alignment ever served, or STRATALLOC_UNKNOWN */
} stratalloc_info;
#define STRATALLOC_INFO_INIT { sizeof(stratalloc_info), 0, 0, 0, { 0 }, 0, 0, 0 }

/* Each figure may be STRATALLOC_UNKNOWN. */
typedef struct stratalloc_usage {
    uint32_t size;       /* set by the asker: sizeof(stratalloc_usage); no more is written. In the answer: how many bytes were */
    uint32_t spare;      /* 0 */
    size_t used;         /* bytes that live blocks take, with headers, rounding and gaps */
    size_t peak;         /* the most that was ever */
    size_t reserved;     /* bytes of memory that the resource has for blocks */
    size_t live_blocks;  /* of a frame: the requests since the reset or the marker that was gone back to */
    size_t largest_free; /* bytes in the largest free piece; of a frame or stack: up to the end of the current one */
} stratalloc_usage;
#define STRATALLOC_USAGE_INIT { sizeof(stratalloc_usage), 0, 0, 0, 0, 0, 0 }

/* The functions of a resource. `version` is 1; `size` is sizeof(stratalloc_resource_v1) as whoever made the table knew it. Later headers
 * append functions: who knows fewer ignores them, who knows more looks at `size` first. A function may be null where the
 * resource has none, but for allocate and release. The table does not change while the resource lives.
 *
 * Whoever writes a resource promises for each block: it has at least the requested bytes at a multiple of the alignment; no other live
 * block overlaps it; nobody but the caller touches it until it is released. Failures leave `out` as it was, and a failed resize leaves
 * the block as it was. No function throws, longjmps, or calls back into who called it. The library checks answers, also for programs
 * that call stratalloc_resource_*: a block that is null, too short or misaligned goes back at once, and the request fails with
 * STRATALLOC_UNSUPPORTED. Not so for a resize, whose success means that the old block is gone: an answer at the old place stays there, and
 * the resize fails; one elsewhere is moved to a block that fits.
 *
 * Programs rather call stratalloc_resource_*, which check for null, for the version, and for functions that are not there. */
typedef struct stratalloc_resource_v1 {
    uint32_t version; /* STRATALLOC_ABI */
    uint32_t size;    /* sizeof(stratalloc_resource_v1) */
    stratalloc_error (*allocate)(stratalloc_resource *, size_t size, size_t align, stratalloc_block *out);
    stratalloc_error (*release)(stratalloc_resource *, void *start, size_t len, size_t align);
    stratalloc_error (*resize)(stratalloc_resource *, void *start, size_t len, size_t align, size_t new_size, stratalloc_block *out);
    int (*owns)(const stratalloc_resource *, const void *address);
    stratalloc_error (*info)(const stratalloc_resource *, stratalloc_info *out);
    stratalloc_error (*usage)(stratalloc_resource *, stratalloc_usage *out);
    stratalloc_error (*mark)(stratalloc_resource *, stratalloc_marker *out);
    stratalloc_error (*rewind)(stratalloc_resource *, const stratalloc_marker *marker);
    stratalloc_error (*reset)(stratalloc_resource *);
    stratalloc_error (*collect)(stratalloc_resource *, size_t *out);
    stratalloc_error (*validate)(stratalloc_resource *);
    stratalloc_error (*destroy)(stratalloc_resource *);
} stratalloc_resource_v1;

/* A resource: this first, then whatever its maker needs. */
struct stratalloc_resource {
    const stratalloc_resource_v1 *table;
};

/* ---- Using a resource, whoever made it ----------------------------------------------------------------------------- */
/* Threads and costs are the kind's. All of them return STRATALLOC_INVALID_ARGUMENT for a null resource or one without a table,
 * STRATALLOC_BAD_VERSION for a table of another version, STRATALLOC_UNSUPPORTED where the table lacks the function. */

/* A block of at least `size` bytes at a multiple of `align`, with any contents. Size 0 is a request like any other: the block has an
 * address of its own, and has to be released. */
stratalloc_error stratalloc_resource_allocate(stratalloc_resource *resource, size_t size, size_t align, stratalloc_block *out);

/* The same, all block.len bytes 0. Costs a pass over them; not for the system's pages, which are 0 when they are new. */
stratalloc_error stratalloc_resource_allocate_zeroed(stratalloc_resource *resource, size_t size, size_t align, stratalloc_block *out);

/* Takes a block back. `len`: from the size asked for to the length returned; `align`: that of the request. Null is a release of nothing.
 * For misuse see the table on top. */
stratalloc_error stratalloc_resource_release(stratalloc_resource *resource, void *start, size_t len, size_t align);

/* Makes a block larger or smaller, at its place or by moving; the first bytes stay. In place: a frame's or stack's youngest block, all
 * within a pool's block, tlsf and buddy where there is room behind. Otherwise a copy. On failure the block is as it was.
 * `new_size` 0 leaves a block that has still to be released. A null `start` is STRATALLOC_INVALID_ARGUMENT: allocate. */
stratalloc_error stratalloc_resource_resize(stratalloc_resource *resource, void *start, size_t len, size_t align, size_t new_size,
                                            stratalloc_block *out);

/* 1 if a live block of this resource may lie at the address and of no other one does, 0 if not, -1 if the resource cannot tell.
 * O(chunks), of slabs O(slabs). Reads nothing there. */
int stratalloc_resource_owns(const stratalloc_resource *resource, const void *address);

/* Name, limits, habits. Set out->size first (STRATALLOC_INFO_INIT). O(1); of tlsf O(chunks). */
stratalloc_error stratalloc_resource_info(const stratalloc_resource *resource, stratalloc_info *out);

/* How full it is, now. Set out->size first (STRATALLOC_USAGE_INIT). Frame: O(chunks); stack: O(depth); pools: O(free blocks); slab:
 * O(slabs); tlsf: O(blocks); buddy: O(blocks log n). */
stratalloc_error stratalloc_resource_usage(stratalloc_resource *resource, stratalloc_usage *out);

/* Saves the position of a frame or stack. O(1). */
stratalloc_error stratalloc_resource_mark(stratalloc_resource *resource, stratalloc_marker *out);

/* Gives up all blocks that are younger than the marker: they are not used or released any more. Frame: O(1); stack: O(1) and what was
 * released under them. A marker of another resource is STRATALLOC_STALE_MARKER; with STRATALLOC_CHECKED, O(chunks) or O(depth), also one
 * that is younger than the position or of memory given back. Going back to a marker ends all that were made after it. */
stratalloc_error stratalloc_resource_rewind(stratalloc_resource *resource, const stratalloc_marker *marker);

/* Gives up all blocks of a frame or stack, and all markers. O(1); the memory stays for the next round. */
stratalloc_error stratalloc_resource_reset(stratalloc_resource *resource);

/* Gives memory that no block needs upstream, and stores the number of bytes unless `out` is null. Frames (what a reset left behind), slabs
 * (empty ones), growing tlsf (empty chunks), the system (what it refused to take earlier). One upstream release per chunk. */
stratalloc_error stratalloc_resource_collect(stratalloc_resource *resource, size_t *out);

/* Checks the resource's own equations, as far as it has any: STRATALLOC_BROKEN_INVARIANT if somebody wrote where he must not. O(everything). */
stratalloc_error stratalloc_resource_validate(stratalloc_resource *resource);

/* Ends a resource of any kind, as the kind's own destroy does. Null is nothing. */
stratalloc_error stratalloc_resource_destroy(stratalloc_resource *resource);

/* ---- Making resources ---------------------------------------------------------------------------------------------- */

/* Look at every release, resize and rewind; see the table on top. Stacks also insist on their order. */
#define STRATALLOC_CHECKED 1u

/* What a new resource is to be like. Begin with STRATALLOC_CONFIG_INIT; what a kind does not know has to stay 0. */
typedef struct stratalloc_config {
    uint32_t size;  /* sizeof(stratalloc_config) */
    uint32_t flags; /* STRATALLOC_CHECKED or 0 */
    /* The resource's memory, with any alignment, for nothing else until it is destroyed; the resource itself lies in its first
     * STRATALLOC_STATE bytes (tlsf: STRATALLOC_TLSF_STATE), or fewer. Null: memory comes from `upstream`. */
    void *memory;
    /* Its length. Without memory: how many bytes to ask upstream for at once. Stack, lock-free pool and buddy never get more, and need it;
     * a frame begins with it; pool, slab and tlsf ask for chunks instead, and it has to be 0. */
    size_t memory_size;
    /* Where memory comes from, and goes to in the end; null: the system. It has to outlive the resource, and serves it on the threads
     * that call it. Beside `memory` only frames take one: for what does not fit. */
    stratalloc_resource *upstream;
    /* Growing pools and tlsf: bytes to ask for at a time. Slabs, also over memory: the length of a slab, rounded up to a power of two, to
     * which slabs are aligned. 0: pool 64 KiB or eight blocks; slab 4 KiB or eight blocks; tlsf 64 KiB. */
    size_t chunk_size;
    /* Pools and slab: the size of a block, which is rounded up to its alignment; it has to be set. */
    size_t block_size;
    /* Pools and slab: the alignment of a block; 0: that of malloc. */
    size_t block_align;
    /* Pools: the most blocks there may be; 0: as many as there is memory for. */
    size_t max_blocks;
} stratalloc_config;
#define STRATALLOC_CONFIG_INIT { sizeof(stratalloc_config), 0, NULL, 0, NULL, 0, 0, 0, 0 }

/* How much of the memory a resource takes for itself, at most, and however that is aligned. */
#define STRATALLOC_STATE 2048
#define STRATALLOC_TLSF_STATE 8192

/* Each create returns STRATALLOC_OK and stores the resource, or stores null: STRATALLOC_CAPACITY_EXHAUSTED for memory that is too small for a
 * block (of frame and stack: for the resource itself), STRATALLOC_INVALID_ARGUMENT, STRATALLOC_BAD_VERSION or STRATALLOC_BAD_ALIGNMENT for a
 * configuration that makes no sense, STRATALLOC_SIZE_OVERFLOW, or why upstream refused. Any thread. O(1), and lock-free pools clear four bytes
 * a block, buddies four bits per 64 bytes.
 *
 * Each destroy ends a resource of its kind: what came from upstream goes back, the caller's memory is the caller's again, and blocks are
 * gone with it, released or not. Another kind of resource is STRATALLOC_WRONG_KIND, and goes on living; null is nothing. A second
 * destroy is recognised over memory of the caller's that was not used since (STRATALLOC_WRONG_KIND), and undefined elsewhere.
 * One upstream release per chunk. */

/* Frame: a pointer that moves. Blocks go together, by reset or rewind; a release takes back the youngest block only. */
stratalloc_error stratalloc_frame_create(const stratalloc_config *config, stratalloc_resource **out);
stratalloc_error stratalloc_frame_destroy(stratalloc_resource *frame);

/* Stack: last in, first out. A block under a live one that is released waits for those above it. Two words a block. */
stratalloc_error stratalloc_stack_create(const stratalloc_config *config, stratalloc_resource **out);
stratalloc_error stratalloc_stack_destroy(stratalloc_resource *stack);

/* Pool: blocks of one size, for one thread at a time; any thread may give them back by stratalloc_pool_return. Chunks stay until the end. */
stratalloc_error stratalloc_pool_create(const stratalloc_config *config, stratalloc_resource **out);
stratalloc_error stratalloc_pool_destroy(stratalloc_resource *pool);

/* Gives a pool's block back, on any thread and at any time before the destroy. One compare-and-swap. What is not a live block of the pool
 * is not recognised; a resource that is no pool is STRATALLOC_WRONG_KIND, a null `start` nothing. */
stratalloc_error stratalloc_pool_return(stratalloc_resource *pool, void *start);

/* Lock-free pool: blocks of one size, for any number of threads at once; a fixed number, at most 2^32 - 4. */
stratalloc_error stratalloc_lock_free_pool_create(const stratalloc_config *config, stratalloc_resource **out);
stratalloc_error stratalloc_lock_free_pool_destroy(stratalloc_resource *pool);

/* Slab: blocks of one size in slabs that come and go. Upstream has to serve slabs at multiples of their length. */
stratalloc_error stratalloc_slab_create(const stratalloc_config *config, stratalloc_resource **out);
stratalloc_error stratalloc_slab_destroy(stratalloc_resource *slab);

/* Two-level segregated fit: any sizes, in bounded time. A word a block. */
stratalloc_error stratalloc_tlsf_create(const stratalloc_config *config, stratalloc_resource **out);
stratalloc_error stratalloc_tlsf_destroy(stratalloc_resource *tlsf);

/* Buddy: powers of two from 64 bytes to 2 GiB, each aligned to its size. */
stratalloc_error stratalloc_buddy_create(const stratalloc_config *config, stratalloc_resource **out);
stratalloc_error stratalloc_buddy_destroy(stratalloc_resource *buddy);

/* Pages of the operating system: the same resource at each call; it is there from the start, for any thread, and never ends. */
stratalloc_resource *stratalloc_system(void);

#ifdef __cplusplus
}
#endif
#endif
