//! How much to do, how to split it among threads, and what came out.

use std::thread;

/// The scale of the full work, in thousandths.
pub(crate) const FULL: u64 = 1000;

/// The order to a workload.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    threads: usize,
    scale: u64,
}

impl Task {
    /// Work for `threads` threads at `scale` thousandths of the full amount.
    #[must_use]
    pub fn new(threads: usize, scale: u64) -> Self {
        Self { threads, scale }
    }

    /// Among how many threads the work is split.
    pub(crate) fn threads(self) -> usize {
        self.threads
    }

    /// `full` scaled down, at least one.
    pub(crate) fn scaled(self, full: usize) -> usize {
        ((full as u128 * u128::from(self.scale) / u128::from(FULL)) as usize).max(1)
    }

    /// One thread's part of `full`, scaled down, at least one.
    pub(crate) fn share(self, full: usize) -> usize {
        (self.scaled(full) / self.threads).max(1)
    }

    /// Runs `work` once per thread, with the thread's number, and adds up the tallies. One thread means the main
    /// thread: a program that never starts a second one.
    pub(crate) fn split(self, work: impl Fn(usize) -> Tally + Sync) -> Tally {
        if self.threads == 1 {
            return work(0);
        }
        let work = &work;
        thread::scope(|scope| {
            let workers: Vec<_> = (0..self.threads).map(|index| scope.spawn(move || work(index))).collect();
            workers.into_iter().map(|worker| worker.join().expect("a worker failed")).sum()
        })
    }
}

/// What a workload did. Tallies of threads add up in any order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Allocations asked for (a reallocation counts as one).
    pub operations: u64,
    /// Made of what was read back from allocated memory.
    pub checksum: u64,
}

impl Tally {
    /// Counts one allocation whose contents read back as `value`.
    #[inline]
    pub(crate) fn count(&mut self, value: u64) {
        self.operations += 1;
        self.add(value);
    }

    /// Folds in `value`. Rotation would depend on the order of threads; a product and a sum do not.
    #[inline]
    pub(crate) fn add(&mut self, value: u64) {
        self.checksum =
            self.checksum.wrapping_add((value ^ (value >> 29)).wrapping_mul(0x9fb2_1c65_1e98_df25));
    }
}

impl std::iter::Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |a, b| Self {
            operations: a.operations + b.operations,
            checksum: a.checksum.wrapping_add(b.checksum),
        })
    }
}

/// The peak resident size of this process as the kernel counts it, in KiB; 0 where it cannot be read.
pub(crate) fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
