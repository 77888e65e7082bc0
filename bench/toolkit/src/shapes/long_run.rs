//! Fragmentation over a long run.
//!
//! **How it is computed.** The run keeps as many requested bytes live as its budget allows: it ends a random block, then makes blocks
//! of random sizes while they fit the budget. The figure is what the *whole* memory that a heap needs exceeds the peak of requested
//! bytes by, in per cent of that peak: `(least memory in which no request is refused − peak) / peak`. The least memory is found by
//! bisection over the length of the buffer that the heap is given, to a thousandth of the peak. So everything counts: headers, rounding, the heap's
//! own tables where they lie in the buffer, and free memory that is too scattered to serve a request. (This is the measure
//! of Johnstone and Wilson, *The memory fragmentation problem: solved?*, 1998, number 3: the most memory used, relative to the most live.)

use core::alloc::Layout;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use crate::heap::Heap;

const SEED: u64 = 0xF7A6;

/// What a long run is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LongRun {
    /// Requested bytes that may be live.
    pub(crate) budget: usize,
    /// Sizes are spread evenly on the scale of logarithms between these.
    pub(crate) sizes: (usize, usize),
    /// Blocks ended and replaced.
    pub(crate) steps: u64,
}

impl LongRun {
    /// Runs on `heap`; `None` if a request was refused. Otherwise the peak of live requested bytes.
    pub(crate) fn on<H: Heap>(&self, heap: &H) -> Option<usize> {
        let mut random = fastrand::Rng::with_seed(SEED);
        let (low, high) = ((self.sizes.0 as f64).ln(), (self.sizes.1 as f64).ln());
        let mut draw = || {
            let size = (low + (high - low) * random.f64()).exp() as usize;
            (Layout::from_size_align(size.max(1), align_of::<usize>()).expect("small"), random.u64(..))
        };
        let mut blocks: Vec<(NonNull<u8>, Layout)> = Vec::new();
        let (mut live, mut peak) = (0, 0);
        let mut next = draw();
        for _ in 0..self.steps {
            while live + next.0.size() <= self.budget {
                blocks.push((heap.take(next.0)?, next.0));
                live += next.0.size();
                next = draw();
            }
            peak = peak.max(live);
            let victim = (next.1 % blocks.len() as u64) as usize;
            let (start, layout) = blocks.swap_remove(victim);
            // SAFETY: live, and nobody uses it.
            unsafe { heap.give(start, layout) };
            live -= layout.size();
            // Another victim next time, should the size not fit yet.
            next.1 = draw().1;
        }
        Some(peak)
    }
}

/// The fragmentation of the heaps that `over` makes, in per cent.
pub(crate) fn smallest_memory<H: Heap>(
    run: LongRun,
    over: impl Fn(&'static mut [MaybeUninit<u8>]) -> H,
) -> f64 {
    let memory = super::super::cases::memory(run.budget * 2);
    let start: *mut MaybeUninit<u8> = memory.as_mut_ptr();
    let attempt = |len: usize| {
        // SAFETY: the whole is ours, and the heap over it before this one is gone.
        let part = unsafe { core::slice::from_raw_parts_mut(start, len) };
        run.on(&over(part))
    };
    let peak = attempt(run.budget * 2).expect("twice the peak is enough");
    let (mut too_small, mut enough) = (peak, run.budget * 2);
    while enough - too_small > peak / 2000 {
        let middle = usize::midpoint(too_small, enough);
        if attempt(middle).is_some() {
            enough = middle;
        } else {
            too_small = middle;
        }
    }
    (enough - peak) as f64 / peak as f64 * 100.0
}
