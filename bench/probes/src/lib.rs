//! What a runner measures about itself: latency of single operations, fragmentation over time.
//!
//! **Card.** May use: crates, for none of them runs while something is timed. Used by: every program under `runners/`; clock and histogram also by `toolkit/`.
//! Never does: anything while a workload runs (`main` passes a workload's name straight on to `bench_workloads`), or
//! know which allocator it is linked to, but for its name in the output.
//!
//! ```text
//!   runner-X latency [ROUNDS]  ──► cases ──► timer ──► distribution ──► a JSON object per line
//!   runner-X drift [SCALE]     ──► drift ──► live and resident bytes ──► a JSON object per line
//!   runner-X WORKLOAD …        ──► bench_workloads::main
//! ```
//!
//! | module | what |
//! | --- | --- |
//! | [`timer`] | the processor's clock between fences, what reading it costs, and how fast it ticks |
//! | [`distribution`] | a histogram of ticks, the timer's cost subtracted, printed in nanoseconds |
//! | `blocks` | raw blocks from the global allocator |
//! | `local` | one thread: the hit path, a mixed working set, the same beside busy threads |
//! | `remote` | blocks freed by another thread, one by one and a slab at a time |
//! | `latency` | the cases in order |
//! | `drift` | a long mix whose sizes and amount change: live and resident bytes |
//! | `process` | what the kernel says about this process and this thread |

mod blocks;
pub mod distribution;
mod drift;
mod latency;
mod local;
mod process;
mod remote;
pub mod timer;

/// The whole of a runner; `allocator` is its name in the output.
pub fn main(allocator: &'static str) {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |default: usize| match arguments.get(1).map(|text| text.parse()) {
        None => default,
        Some(Ok(number @ 1..)) => number,
        Some(_) => {
            eprintln!(
                "usage: runner-{allocator} latency [ROUNDS] | drift [SCALE in thousandths] | WORKLOAD …"
            );
            std::process::exit(2);
        }
    };
    match arguments.first().map(String::as_str) {
        Some("latency") => latency::print(allocator, number(latency::ROUNDS)),
        Some("drift") => drift::print(allocator, number(1000)),
        _ => bench_workloads::main(allocator),
    }
}
