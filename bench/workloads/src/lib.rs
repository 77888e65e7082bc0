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
//! | `handover` | `handover` |
//! | `server` | `server-mix` |
//! | `cache_lines` | `cache-thrash`, `cache-scratch` |
//! | `vectors` | `vectors-small`, `vectors-large`, `large-blocks` |
//! | `data` | `strings`, `btree-churn`, `hash-churn`, `tree-teardown` |
//! | `builder` | `string-building` |
//! | `interpreter` | `interpreter` |
//! | `order_book` | `order-book` |
//! | `frames` | `frames` |
//! | `resources` | `resources` |
//! | `threads` | `thread-churn` |
//! | `catalogue` | the list of all of them |
//! | `block`, `rng`, `task` | marked buffers; random numbers; how much to do and how to split it |

mod block;
mod builder;
mod cache_lines;
mod catalogue;
mod churn;
mod data;
mod exchange;
mod frames;
mod handover;
mod interpreter;
mod order_book;
mod resources;
mod rng;
mod server;
mod small;
mod task;
mod threads;
mod vectors;

pub use catalogue::{WORKLOADS, Workload, find};
pub use rng::Rng;
pub use task::{Tally, Task};

use std::time::Instant;

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
