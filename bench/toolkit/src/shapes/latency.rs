//! Single operations, timed one by one by the processor's clock. What reading the clock costs is measured by timing nothing, and
//! its median is subtracted from every sample.

use core::alloc::Layout;
use core::ptr::NonNull;

use bench_probes::distribution::Distribution;
use bench_probes::timer::{self, Timer};

use super::{Mix, end, look, make, only_a_large_block};
use crate::heap::Heap;
use crate::sample::{Latency, Sample};

/// Both operations.
struct Both {
    timer: Timer,
    allocate: Distribution,
    release: Distribution,
}

impl Both {
    fn new() -> Self {
        Self { timer: Timer::calibrated(), allocate: Distribution::new(), release: Distribution::new() }
    }

    #[inline(always)]
    fn make<H: Heap>(&mut self, heap: &H, layout: Layout, word: usize) -> NonNull<u8> {
        let start = timer::begin();
        let block = heap.take(layout);
        let stop = timer::end();
        self.allocate.record(self.timer.ticks(start, stop));
        let block = block.expect("the heap is large enough for the case");
        // SAFETY: a fresh block of at least a word.
        unsafe { block.cast::<usize>().write_unaligned(word) };
        block
    }

    #[inline(always)]
    fn end<H: Heap>(&mut self, heap: &H, block: NonNull<u8>, layout: Layout) -> u64 {
        // The line is in the cache, as after a last use.
        let word = look(block);
        let start = timer::begin();
        // SAFETY: a live block of this heap, not used any more.
        unsafe { heap.give(block, layout) };
        let stop = timer::end();
        self.release.record(self.timer.ticks(start, stop));
        word
    }

    /// The figure is the 99.9th percentile of the slower operation: maxima are preemptions.
    fn sample(self, checksum: u64) -> Sample {
        let timer = &self.timer;
        let latency = |operation: &str, distribution: &Distribution| Latency {
            operation: operation.to_owned(),
            clock_ns: timer.nanoseconds(timer.cost as f64),
            summary: distribution.summary(timer),
            doublings: distribution.doublings(timer),
        };
        let latencies = vec![latency("allocate", &self.allocate), latency("release", &self.release)];
        let figure = latencies.iter().map(|latency| latency.summary.p999).fold(0.0, f64::max);
        Sample { figure, checksum, latencies, ..Sample::default() }
    }
}

/// The steady state of [`replacements`](super::replacements), each operation timed.
pub(crate) fn latencies<H: Heap>(heap: &H, mix: &Mix, operations: u64) -> Sample {
    let layouts = mix.layouts();
    let mut live: Vec<_> =
        layouts.iter().enumerate().map(|(index, &layout)| (make(heap, layout, index), layout)).collect();
    let mut both = Both::new();
    let mut sum = 0_u64;
    for (index, &slot) in (0..operations).zip(mix.order().iter().cycle()) {
        let layout = super::next_layout(layouts, index as usize);
        let (old, old_layout) = live[slot as usize];
        sum = sum.wrapping_add(both.end(heap, old, old_layout));
        live[slot as usize] = (both.make(heap, layout, index as usize), layout);
    }
    for (start, layout) in live {
        sum = sum.wrapping_add(end(heap, start, layout));
    }
    both.sample(sum)
}

/// The longest ways that the algorithms have, provoked: [`only_a_large_block`] is free, and between two pairs of operations the cache
/// is filled with other memory, so the figures include the misses.
pub(crate) fn worst_latencies<H: Heap>(heap: &H, operations: u64) -> Sample {
    const OTHER: usize = 4 << 20;
    only_a_large_block(heap);
    let layout = Layout::new::<[u64; 8]>();
    let mut other = vec![1_u8; OTHER];
    let mut both = Both::new();
    let mut sum = 0_u64;
    for index in 0..operations {
        for line in other.iter_mut().step_by(64) {
            *line = line.wrapping_add(1);
        }
        let block = both.make(heap, layout, index as usize);
        sum = sum.wrapping_add(both.end(heap, block, layout));
    }
    std::hint::black_box(&other);
    both.sample(sum)
}
