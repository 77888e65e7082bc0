//! The list of workloads: names, what they model, on how many threads they mean something.

use crate::task::{Tally, Task};
use crate::{
    builder, cache_lines, churn, data, exchange, frames, handover, interpreter, order_book, resources,
    server, small, threads, vectors,
};

/// One workload: what it is called, what it stands for, and how to run it.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// The name on the command line and in the tables.
    pub name: &'static str,
    /// What it models.
    pub models: &'static str,
    /// The thread counts at which it means something.
    pub threads: &'static [usize],
    /// Does the work.
    pub run: fn(Task) -> Tally,
}

const ONE_TO_SIXTEEN: &[usize] = &[1, 2, 4, 8, 16];

/// Both ends of a pipeline need a thread.
const TWO_TO_SIXTEEN: &[usize] = &[2, 4, 8, 16];

/// A workload for any number of threads.
const fn workload(name: &'static str, run: fn(Task) -> Tally, models: &'static str) -> Workload {
    Workload { name, models, threads: ONE_TO_SIXTEEN, run }
}

/// All workloads, in the order of the tables.
pub const WORKLOADS: &[Workload] = &[
    workload(
        "pairs-32",
        small::pairs::<3>,
        "a temporary box of 32 bytes made and dropped at once: the shortest path through an allocator",
    ),
    workload("pairs-256", small::pairs::<31>, "the same with 256 bytes"),
    workload("pairs-2k", small::pairs::<255>, "the same with 2 KiB"),
    workload(
        "batch-lifo",
        small::batch_lifo,
        "nested scopes: 1000 objects of 24 to 160 bytes made, then dropped newest first",
    ),
    workload(
        "batch-fifo",
        small::batch_fifo,
        "a work queue: 1000 objects of 24 to 160 bytes made, then dropped oldest first",
    ),
    workload(
        "permuted-free",
        small::permuted_free,
        "a graph torn down in an order unrelated to its making: 60 000 boxes of 64 bytes",
    ),
    workload(
        "random-replace",
        churn::random_replace,
        "a cache in steady state: 50 000 live objects of 16 B to 4 KiB, a random one replaced each time",
    ),
    workload(
        "phases",
        churn::phases,
        "a program whose object sizes drift from phase to phase while a tenth of each phase survives",
    ),
    Workload {
        name: "producer-consumer",
        models: "a pipeline: half of the threads make messages, the other half check every marked word and drop them",
        threads: TWO_TO_SIXTEEN,
        run: exchange::producer_consumer,
    },
    workload(
        "handover",
        handover::handover,
        "a server whose threads end: each replaces random blocks of a table, then hands the table to its successor",
    ),
    workload(
        "server-mix",
        server::server_mix,
        "a server: requests with temporary strings, long-lived sessions handed to other threads, threads that end",
    ),
    workload(
        "cache-thrash",
        cache_lines::cache_thrash,
        "counters that each thread makes and writes to: an allocator that cuts one cache line among threads is slow",
    ),
    workload(
        "cache-scratch",
        cache_lines::cache_scratch,
        "the same after each thread has dropped a counter that the main thread made beside those of the others",
    ),
    workload(
        "vectors-small",
        vectors::vectors_small,
        "many small vectors growing side by side, push by push, to at most 4 KiB",
    ),
    workload(
        "vectors-large",
        vectors::vectors_large,
        "two vectors growing side by side, push by push, to 64 and 16 MiB",
    ),
    workload(
        "large-blocks",
        vectors::large_blocks,
        "an image or tensor program: 20 live buffers of 5 to 25 MiB, a random one replaced, every page touched",
    ),
    workload("strings", data::strings, "text processing: lines formatted, split, sorted, joined"),
    workload(
        "string-building",
        builder::string_building,
        "a template engine: documents of some 100 KiB grown append by append from fragments grown the same way",
    ),
    workload(
        "btree-churn",
        data::btree_churn,
        "an ordered index: a B-tree map of 60 000 strings under inserts and removals",
    ),
    workload(
        "hash-churn",
        data::hash_churn,
        "a key-value store: a hash map of up to 60 000 owned keys and values, growing, replacing, cleared",
    ),
    workload(
        "tree-teardown",
        data::tree_teardown,
        "a compiler's trees: many short-lived binary trees beside a long-lived one",
    ),
    workload(
        "interpreter",
        interpreter::interpreter,
        "a scripting language: every number, pair, closure and call frame is a counted box on the heap",
    ),
    workload(
        "order-book",
        order_book::order_book,
        "an exchange: orders queue at price levels, are matched, cancelled, and reported as trades",
    ),
    workload(
        "frames",
        frames::frames,
        "a game: the mixed objects of each frame are dropped together, some frames later, beside long-lived assets",
    ),
    workload(
        "resources",
        resources::resources,
        "a loader: large files decoded into smaller parts, kept in a cache of fixed size, the oldest evicted",
    ),
    workload(
        "thread-churn",
        threads::thread_churn,
        "a thread per task: each allocates a little, leaves a few results to others, and ends",
    ),
];

/// Finds a workload by its name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Workload> {
    WORKLOADS.iter().find(|workload| workload.name == name)
}
