//! The workloads of the bench: one source, linked once per allocator.
//!
//! **Card.** May use: `std` and nothing else, so that no dependency brings an allocator or an allocation pattern of its
//! own. Used by: every program under `runners/` (runs one workload) and the driver (lists them). Never does: call an
//! allocator directly (a workload is an ordinary Rust program, whatever `#[global_allocator]` is linked serves it),
//! read a clock to decide how much to do, or depend on addresses.
//!
//! ```text
//!   runner NAME THREADS SCALE ──► catalogue ──► workload(Task) ──► Tally {operations, checksum}
//!                                                                     │
//!                                           stdout: `operations N`, `checksum X`, `peak_kib N` …
//! ```
//!
//! The amount of work is fixed and split among the threads: more threads do the same work, so CPU time compares
//! across the thread counts too. The checksum is made of what was *read back* from allocated memory; it is the same for
//! every allocator, or the run is void.
//!
//! | module | workloads |
//! | --- | --- |
//! | `small` | `pairs-32`, `pairs-256`, `pairs-2k`, `batch-lifo`, `batch-fifo`, `permuted-free` |
//! | `churn` | `random-replace`, `phases` |
//! | `exchange` | `producer-consumer` |
//! | `server` | `server-mix` |
//! | `vectors` | `vectors-small`, `vectors-large`, `large-blocks` |
//! | `data` | `strings`, `btree-churn`, `hash-churn`, `tree-teardown` |
//! | `threads` | `thread-churn` |
//! | `block`, `rng`, `task` | marked buffers; random numbers; how much to do and how to split it |

mod block;
mod churn;
mod data;
mod exchange;
mod rng;
mod server;
mod small;
mod task;
mod threads;
mod vectors;

pub use task::{Tally, Task};

use std::time::Instant;

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

const ONE_TO_FOUR: &[usize] = &[1, 2, 4];

/// All workloads, in the order of the tables.
pub const WORKLOADS: &[Workload] = &[
    Workload {
        name: "pairs-32",
        models: "a temporary box of 32 bytes made and dropped at once: the shortest path through an allocator",
        threads: ONE_TO_FOUR,
        run: small::pairs::<3>,
    },
    Workload {
        name: "pairs-256",
        models: "the same with 256 bytes",
        threads: ONE_TO_FOUR,
        run: small::pairs::<31>,
    },
    Workload {
        name: "pairs-2k",
        models: "the same with 2 KiB",
        threads: ONE_TO_FOUR,
        run: small::pairs::<255>,
    },
    Workload {
        name: "batch-lifo",
        models: "nested scopes: 1000 objects of 24 to 160 bytes made, then dropped newest first",
        threads: ONE_TO_FOUR,
        run: small::batch_lifo,
    },
    Workload {
        name: "batch-fifo",
        models: "a work queue: 1000 objects of 24 to 160 bytes made, then dropped oldest first",
        threads: ONE_TO_FOUR,
        run: small::batch_fifo,
    },
    Workload {
        name: "permuted-free",
        models: "a graph torn down in an order unrelated to its making: 60 000 boxes of 64 bytes",
        threads: ONE_TO_FOUR,
        run: small::permuted_free,
    },
    Workload {
        name: "random-replace",
        models: "a cache in steady state: 50 000 live objects of 16 B to 4 KiB, a random one replaced each time",
        threads: ONE_TO_FOUR,
        run: churn::random_replace,
    },
    Workload {
        name: "phases",
        models: "a program whose object sizes drift from phase to phase while a tenth of each phase survives",
        threads: ONE_TO_FOUR,
        run: churn::phases,
    },
    Workload {
        name: "producer-consumer",
        models: "a pipeline: half of the threads make messages, the other half check every byte and drop them",
        threads: &[2, 4],
        run: exchange::producer_consumer,
    },
    Workload {
        name: "server-mix",
        models: "a server: requests with temporary strings, long-lived sessions handed to other threads, threads that end",
        threads: ONE_TO_FOUR,
        run: server::server_mix,
    },
    Workload {
        name: "vectors-small",
        models: "many small vectors growing side by side, push by push, to at most 4 KiB",
        threads: ONE_TO_FOUR,
        run: vectors::vectors_small,
    },
    Workload {
        name: "vectors-large",
        models: "two vectors growing side by side, push by push, to 64 and 16 MiB",
        threads: ONE_TO_FOUR,
        run: vectors::vectors_large,
    },
    Workload {
        name: "large-blocks",
        models: "an image or tensor program: 20 live buffers of 5 to 25 MiB, a random one replaced, every page touched",
        threads: &[1],
        run: vectors::large_blocks,
    },
    Workload {
        name: "strings",
        models: "text processing: lines formatted, split, sorted, joined",
        threads: ONE_TO_FOUR,
        run: data::strings,
    },
    Workload {
        name: "btree-churn",
        models: "an ordered index: a B-tree map of 60 000 strings under inserts and removals",
        threads: ONE_TO_FOUR,
        run: data::btree_churn,
    },
    Workload {
        name: "hash-churn",
        models: "a key-value store: a hash map of up to 60 000 owned keys and values, growing, replacing, cleared",
        threads: ONE_TO_FOUR,
        run: data::hash_churn,
    },
    Workload {
        name: "tree-teardown",
        models: "a compiler's trees: many short-lived binary trees beside a long-lived one",
        threads: ONE_TO_FOUR,
        run: data::tree_teardown,
    },
    Workload {
        name: "thread-churn",
        models: "a thread per task: each allocates a little, leaves a few results to others, and ends",
        threads: ONE_TO_FOUR,
        run: threads::thread_churn,
    },
];

/// Finds a workload by its name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Workload> {
    WORKLOADS.iter().find(|workload| workload.name == name)
}

/// The whole of a runner: `runner WORKLOAD THREADS SCALE`, where `SCALE` is in thousandths of the full work.
///
/// Prints one `key value` line per fact, for the driver.
pub fn main(allocator: &str) {
    let mut arguments = std::env::args().skip(1);
    let workload = arguments.next().and_then(|name| find(&name));
    let threads = arguments.next().map_or(Some(1), |text| text.parse().ok());
    let scale = arguments.next().map_or(Some(task::FULL), |text| text.parse().ok());
    let (Some(workload), Some(threads @ 1..), Some(scale @ 1..)) = (workload, threads, scale) else {
        eprintln!("usage: runner-{allocator} WORKLOAD [THREADS [SCALE in thousandths]]");
        for workload in WORKLOADS {
            eprintln!("  {:18} {:?} {}", workload.name, workload.threads, workload.models);
        }
        std::process::exit(2);
    };
    let start = Instant::now();
    let tally = (workload.run)(Task::new(threads, scale));
    let wall = start.elapsed();
    println!("operations {}", tally.operations);
    println!("checksum {:016x}", tally.checksum);
    println!("work_ns {}", wall.as_nanos());
    println!("peak_kib {}", task::peak_kib());
}
