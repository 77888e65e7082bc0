//! Fragmentation over time: what stays resident while sizes and amounts change.
//!
//! ```text
//!   live bytes   ████████▆▆▆▆▆▃▃▃▃▃███████▄▄▄▄▄  …    segments, each with its own target …
//!   sizes        16…  64…  256… 1k… 4k… 16k… 32…  …    … and its own sizes
//! ```
//!
//! In each segment the program first shrinks or grows to the target, then replaces blocks until it has written a
//! multiple of it. One block in 32 is long-lived: it stays for several segments, wherever it happens to lie. Every block
//! is written whole, so live bytes are an honest lower bound of resident bytes.

use crate::process::resident_bytes;
use bench_workloads::Rng;
use serde::Serialize;
use std::collections::VecDeque;

/// Live bytes at the highest target.
const BUDGET: usize = 64 << 20;

/// Targets of the segments, in tenths, in turn.
const TARGETS: [usize; 6] = [10, 6, 9, 3, 10, 4];

/// The smallest size of each segment's blocks, in turn; the largest is eight times that.
const SMALLEST: [usize; 8] = [16, 64, 256, 32, 1024, 128, 4096, 16];

/// Combinations of both repeat after this many segments.
const SEGMENTS: usize = 24;

/// Bytes written in a segment beyond reaching the target, in tenths of the budget.
const TURNOVER: usize = 8;

/// Long-lived blocks take at most this part of the target.
const OLD_PART: usize = 5;

/// Lines printed per segment.
const REPORTS: usize = 4;

/// One line of output.
#[derive(Serialize)]
struct Line<'a> {
    kind: &'static str,
    allocator: &'a str,
    segment: usize,
    smallest_size: usize,
    /// Bytes allocated so far.
    turnover_bytes: usize,
    /// Of the blocks and of the vectors that refer to them.
    live_bytes: usize,
    /// Of the process, without what was resident before the first block.
    resident_bytes: u64,
    /// Resident by live bytes.
    ratio: f64,
}

/// Runs the mix at `scale` thousandths of its size and prints a line from time to time, one more when all is freed.
pub(crate) fn print(allocator: &str, scale: usize) {
    let at_start = resident_bytes();
    let mut heap = Drift::new(BUDGET * scale / 1000);
    let report = |segment: usize, heap: &Drift| {
        let resident_bytes = resident_bytes().saturating_sub(at_start);
        let live_bytes = heap.live + heap.table_bytes();
        let line = Line {
            kind: "drift",
            allocator,
            segment,
            smallest_size: SMALLEST[segment % SMALLEST.len()],
            turnover_bytes: heap.turnover,
            live_bytes,
            resident_bytes,
            ratio: (resident_bytes as f64 * 1000.0 / live_bytes.max(1) as f64).round() / 1000.0,
        };
        println!("{}", serde_json::to_string(&line).expect("plain data"));
    };
    for segment in 0..SEGMENTS {
        for _ in 0..REPORTS {
            heap.run(segment);
            report(segment, &heap);
        }
    }
    heap.clear();
    report(SEGMENTS, &heap);
}

/// The program: its blocks, and what they sum up to.
struct Drift {
    budget: usize,
    rng: Rng,
    young: Vec<Vec<u8>>,
    old: VecDeque<Vec<u8>>,
    old_bytes: usize,
    live: usize,
    turnover: usize,
}

impl Drift {
    fn new(budget: usize) -> Self {
        let rng = Rng::new(0xd41f_7001, 0);
        Self { budget, rng, young: Vec::new(), old: VecDeque::new(), old_bytes: 0, live: 0, turnover: 0 }
    }

    /// One report's part of a segment.
    fn run(&mut self, segment: usize) {
        let target = self.budget * TARGETS[segment % TARGETS.len()] / 10;
        let until = self.turnover + self.budget * TURNOVER / 10 / REPORTS;
        while self.turnover < until {
            while self.live > target && !self.young.is_empty() {
                self.drop_one();
            }
            self.make(SMALLEST[segment % SMALLEST.len()], target);
        }
    }

    fn make(&mut self, smallest: usize, target: usize) {
        let size = self.rng.size(smallest, 3);
        let mark = self.rng.word().to_le_bytes()[0];
        let block = vec![mark; size];
        self.live += size;
        self.turnover += size;
        if self.rng.below(32) > 0 {
            self.young.push(block);
            return;
        }
        self.old_bytes += size;
        self.old.push_back(block);
        while self.old_bytes > target / OLD_PART {
            if let Some(block) = self.old.pop_front() {
                self.old_bytes -= block.len();
                self.forget(block);
            }
        }
    }

    /// Drops one of the young blocks, more likely one of the younger.
    fn drop_one(&mut self) {
        let count = self.young.len();
        let slot = self.rng.below(count).max(self.rng.below(count));
        let block = self.young.swap_remove(slot);
        self.forget(block);
    }

    /// What the vectors of blocks take themselves.
    fn table_bytes(&self) -> usize {
        (self.young.capacity() + self.old.capacity()) * size_of::<Vec<u8>>()
    }

    fn forget(&mut self, block: Vec<u8>) {
        assert_eq!(block[0], block[block.len() - 1], "a live block was overwritten");
        self.live -= block.len();
    }

    fn clear(&mut self) {
        for block in std::mem::take(&mut self.young).into_iter().chain(std::mem::take(&mut self.old)) {
            self.forget(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_live_bytes_follow_the_targets_and_end_at_nothing() {
        const SMALL: usize = 1 << 20;
        let mut heap = Drift::new(SMALL);
        for segment in 0..SEGMENTS {
            (0..REPORTS).for_each(|_| heap.run(segment));
            let target = SMALL * TARGETS[segment % TARGETS.len()] / 10;
            let live = heap.live;
            // One block may be beyond the target; large ones count.
            assert!(live <= target + (64 << 10), "segment {segment}: {live} live of {target}");
            assert!(live >= target / 2, "segment {segment}: {live} live of {target}");
            let counted: usize = heap.young.iter().chain(&heap.old).map(Vec::len).sum();
            assert_eq!(counted, live);
        }
        heap.clear();
        assert_eq!(heap.live, 0);
    }
}
