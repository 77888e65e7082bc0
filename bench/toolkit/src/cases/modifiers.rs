//! What a modifier adds to each operation: all over the same strategy, which is the baseline.

use stratalloc_modifiers::{
    Counted, Guarded, Locked, Record, Ring, Sample as Chosen, SampleObserver, Sampled, Tagged, ThreadCached,
    TraceSink, Traced, Tracked,
};
use stratalloc_resource::MemoryResource;
use stratalloc_strategies::tlsf::Tlsf;

use super::heaps::{MEMORY, in_pairs, in_replacements, tlsf};
use super::{Case, memory};
use crate::heap::{Heap, Stratalloc};
use crate::sample::Sample;
use crate::shapes::Mix;

/// One sample in so many bytes: what profilers of production use.
const INTERVAL: usize = 512 << 10;

fn below() -> Tlsf<'static> {
    tlsf(memory(MEMORY)).0
}

/// Somebody who is told of samples and does nothing.
struct Nobody;

impl SampleObserver for Nobody {
    fn allocated(&self, _: &Chosen) {}
    fn released(&self, _: &Chosen) {}
}

/// A ring whose reader comes when it is full, so that what reading costs is part of the figure.
struct Emptied(Ring<4096>);

impl TraceSink for Emptied {
    #[inline]
    fn record(&self, record: Record) -> bool {
        self.0.push(record) || {
            self.0.drain().for_each(|record| {
                std::hint::black_box(record);
            });
            self.0.push(record)
        }
    }
}

/// Work on any resource.
trait Work: Copy + 'static {
    fn on<H: Heap>(self, heap: H, operations: u64) -> Sample;
}

#[derive(Clone, Copy)]
struct Pairs;

impl Work for Pairs {
    #[inline(always)]
    fn on<H: Heap>(self, heap: H, operations: u64) -> Sample {
        in_pairs(heap, 64, operations)
    }
}

#[derive(Clone, Copy)]
struct Replacements;

impl Work for Replacements {
    #[inline(always)]
    fn on<H: Heap>(self, heap: H, operations: u64) -> Sample {
        in_replacements(heap, Mix::of_sizes(10_000, 16, 1024).shuffled(), operations)
    }
}

fn over<R: MemoryResource>(work: impl Work, make: impl Fn(Tlsf<'static>) -> R) -> impl Fn(u64) -> Sample {
    move |operations| work.on(Stratalloc(make(below())), operations)
}

fn case(name: &'static str, models: &'static str, work: impl Work) -> Case {
    Case::new(name, models, 1_000_000)
        .over("Tlsf")
        .ours("Tlsf", over(work, |tlsf| tlsf))
        .ours("Counted", over(work, Counted::new))
        .ours("Tagged", over(work, Tagged::<_>::new))
        .ours("Sampled", over(work, |tlsf| Sampled::<_, _>::new(tlsf, Nobody, INTERVAL)))
        .ours("Traced", over(work, |tlsf| Traced::new(tlsf, Emptied(Ring::new()))))
        .ours("Guarded", over(work, Guarded::new))
        .ours("Tracked", over(work, Tracked::new))
        .ours("Locked", over(work, Locked::new))
        .ours("ThreadCached<Locked>", move |operations| {
            let cached = ThreadCached::new(Locked::new(below()));
            work.on(Stratalloc(cached.handle()), operations)
        })
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        case(
            "modifiers-pairs-64",
            "one block of 64 bytes made and ended, through a modifier over Tlsf: what it adds to an operation",
            Pairs,
        ),
        case(
            "modifiers-replace",
            "10 000 live blocks of 16 to 1024 bytes, a random one replaced, through a modifier over Tlsf",
            Replacements,
        ),
    ]
}
