//! What a child says about its work, and the clocks that it reads.

use std::time::Instant;

use bench_probes::distribution::Summary;
use serde::{Deserialize, Serialize};

/// What one contestant made of one case, once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// The case's figure: nanoseconds of CPU time per operation, unless the case says otherwise.
    pub(crate) figure: f64,
    /// Nanoseconds by the wall per operation, where threads wait for each other.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) wall: Option<f64>,
    /// What was read back from the blocks: the same for every contestant.
    pub(crate) checksum: u64,
    /// Single operations, where the case is about them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) latencies: Vec<Latency>,
}

/// The latency of one kind of operation, timed one by one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) operation: String,
    /// What timing nothing takes, in nanoseconds; subtracted from every sample.
    pub(crate) clock_ns: f64,
    pub(crate) summary: Summary,
    /// Samples below 1 ns, from 1 to 2, from 2 to 4, ….
    pub(crate) doublings: Vec<u64>,
}

/// Times `work`, which does `operations` and returns its checksum, by this thread's CPU time: what other processes take of the
/// machine is not in it, but for the caches.
pub(crate) fn timed(operations: u64, work: impl FnOnce() -> u64) -> Sample {
    let start = cpu_nanoseconds(libc::CLOCK_THREAD_CPUTIME_ID);
    let checksum = work();
    let spent = cpu_nanoseconds(libc::CLOCK_THREAD_CPUTIME_ID) - start;
    Sample { figure: per(spent, operations), checksum, ..Sample::default() }
}

/// The same over all threads of the process, and by the wall.
pub(crate) fn timed_threads(operations: u64, work: impl FnOnce() -> u64) -> Sample {
    let (wall, start) = (Instant::now(), cpu_nanoseconds(libc::CLOCK_PROCESS_CPUTIME_ID));
    let checksum = work();
    let spent = cpu_nanoseconds(libc::CLOCK_PROCESS_CPUTIME_ID) - start;
    let waited = wall.elapsed().as_nanos() as f64;
    Sample {
        figure: per(spent, operations),
        wall: Some(per(waited, operations)),
        checksum,
        ..Sample::default()
    }
}

fn per(nanoseconds: f64, operations: u64) -> f64 {
    // A thousandth is far below what can be told apart.
    (nanoseconds / operations as f64 * 1000.0).round() / 1000.0
}

fn cpu_nanoseconds(clock: libc::clockid_t) -> f64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes a `timespec`, which this is.
    let status = unsafe { libc::clock_gettime(clock, &raw mut now) };
    assert_eq!(status, 0, "the clock is there on every Linux");
    now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
}
