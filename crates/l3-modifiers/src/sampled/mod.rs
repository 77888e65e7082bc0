//! A few blocks, chosen by their bytes without bias, and somebody who is told of them.
//!
//! ```text
//!   allocate ──► draw: p = 1 − e^(−size/N) ── no, nearly always ──► the caller
//!                 └─ yes: noted in the table ──► observer.allocated(sample)
//!   release  ──► in the table? ── no, nearly always
//!                 └─ yes: forgotten ──► observer.released(the same sample)
//! ```
//!
//! | operation | cost |
//! | --- | --- |
//! | `allocate` | one atomic addition, four multiplications, a comparison |
//! | `deallocate` | a multiplication, eight loads, of two cache lines |
//! | `reallocate` | both: a release and a request |
//! | a sample | a look for a free slot, and the observer |
//! | memory | two words for each of `SLOTS` slots (16 KiB unless said otherwise), none a block; nothing is allocated |
//!
//! Every byte that is requested has the same chance of one in `N` to make its request a sample, whoever asks and whatever came before. A
//! sample stands for [`blocks`](Sample::blocks) requests and [`bytes`](Sample::bytes) bytes; sums of those are unbiased estimates. A
//! resized block is released and requested anew, also where it stays in place. If a sample finds no free slot it is not one: its release could not be
//! told; [`SampleCounts::skipped`] says how many there were, so that nobody takes the estimate for better than it is.
//!
//! **Threads.** As the resource and the observer; the counter's cache line is shared by all that allocate.
//!
//! **When to use it.** To know in production what a program's memory consists of, at a price that does not depend on how much there is.
//!
//! **When not.** To find one leaked block: it may not be a sample; [`Tracked`](crate::Tracked) sees each. For sums alone [`Counted`](crate::Counted) is
//! exact.
//!
//! The call stacks and formats of a profiler are an observer's; it is called in the thread that asks, with no lock held.
//!
//! After the samplers of tcmalloc and of Go's heap profiler, where each thread counts down to the next point of the process; a draw of its own
//! for each request needs no thread-local state, and no two threads wait for the same point.

mod draw;
mod resource;
mod table;

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use stratalloc_resource::{Alignment, MemoryBlock};

use crate::numbered::Number;
use draw::Draw;
use table::Table;

/// A block that was chosen. An example is at [`Sampled`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sample {
    /// Where it starts.
    pub address: usize,
    /// Its size, as requested.
    pub size: usize,
    /// Its alignment, as requested.
    pub align: Alignment,
    /// How many requests of this size it stands for: 1 / p.
    pub blocks: f64,
}

impl Sample {
    /// How many requested bytes it stands for.
    ///
    /// An example is at [`Sampled`].
    #[must_use]
    pub fn bytes(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let size = self.size as f64;
        size * self.blocks
    }
}

/// Who is told of samples. An example is at [`Sampled`].
///
/// Both calls come in the middle of an operation: they must not use the resource that is sampled, nor the global allocator if that is it,
/// and must not unwind.
pub trait SampleObserver {
    /// A block was chosen; its bytes are not the caller's yet. See [`Sampled`] for an example.
    fn allocated(&self, sample: &Sample);

    /// A chosen block is given back, or resized; the sample is the one of before. See [`Sampled`] for an example.
    fn released(&self, sample: &Sample);
}

impl<O: SampleObserver + ?Sized> SampleObserver for &O {
    fn allocated(&self, sample: &Sample) {
        (**self).allocated(sample);
    }

    fn released(&self, sample: &Sample) {
        (**self).released(sample);
    }
}

/// A resource whose blocks are sampled, `SLOTS` of them at a time at most; see the [module](self).
///
/// ```
/// use core::alloc::Layout;
/// use core::cell::Cell;
/// use stratalloc_modifiers::{Sample, SampleObserver, Sampled};
/// use stratalloc_resource::{FromGlobal, OwnedBlock};
///
/// #[derive(Default)]
/// struct Estimate(Cell<f64>);
/// impl SampleObserver for Estimate {
///     fn allocated(&self, sample: &Sample) {
///         self.0.set(self.0.get() + sample.bytes());
///     }
///     fn released(&self, sample: &Sample) {
///         self.0.set(self.0.get() - sample.bytes());
///     }
/// }
/// let estimate = Estimate::default();
/// let sampled: Sampled<_, _> = Sampled::new(FromGlobal::new(&std::alloc::System), &estimate, 4096);
/// let blocks: Vec<_> = (0..10_000)
///     .map(|_| OwnedBlock::new(&sampled, Layout::new::<[u8; 100]>()))
///     .collect::<Result<_, _>>()?;
/// assert!((900_000.0..1_100_000.0).contains(&estimate.0.get()), "a million bytes are live: {:?}", estimate.0);
/// drop(blocks);
/// assert!(estimate.0.get().abs() < 1.0);
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
#[derive(Debug)]
pub struct Sampled<R, O, const SLOTS: usize = 1024> {
    inner: R,
    observer: O,
    draw: Draw,
    taken: AtomicUsize,
    released: AtomicUsize,
    skipped: AtomicUsize,
    number: Number,
    table: Table<SLOTS>,
}

/// The kind of the identity.
struct SampledKind;

/// How many samples there were. An example is at [`Sampled::counts`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SampleCounts {
    /// Samples that the observer was told of.
    pub taken: usize,
    /// Those whose release it was told of.
    pub released: usize,
    /// Requests that were chosen, but found no free slot. Estimates miss what these stood for.
    pub skipped: usize,
}

impl SampleCounts {
    /// Samples that are live: taken − released.
    ///
    /// An example is at [`Sampled::counts`].
    #[must_use]
    pub const fn live(&self) -> usize {
        self.taken.wrapping_sub(self.released)
    }
}

impl<R, O, const SLOTS: usize> Sampled<R, O, SLOTS> {
    /// One sample in `interval` bytes on average; 0 for each block. See [`Sampled`] for an example.
    #[must_use]
    pub const fn new(inner: R, observer: O, interval: usize) -> Self {
        Self::with_seed(inner, observer, interval, 0x5A3D_1E57_0B1A_5ED5)
    }

    /// The same with another choice of blocks.
    ///
    /// The choice depends on seed, interval, and the order and sizes of requests only.
    ///
    /// ```
    /// # struct Deaf;
    /// # impl stratalloc_modifiers::SampleObserver for Deaf {
    /// #     fn allocated(&self, _: &stratalloc_modifiers::Sample) {}
    /// #     fn released(&self, _: &stratalloc_modifiers::Sample) {}
    /// # }
    /// use stratalloc_modifiers::Sampled;
    ///
    /// let sampled: Sampled<_, _, 256> = Sampled::with_seed("below", Deaf, 512 * 1024, 42);
    /// assert_eq!(sampled.counts().taken, 0);
    /// ```
    #[must_use]
    pub const fn with_seed(inner: R, observer: O, interval: usize, seed: u64) -> Self {
        let zero = AtomicUsize::new;
        Self {
            inner,
            observer,
            draw: Draw::new(interval, seed),
            taken: zero(0),
            released: zero(0),
            skipped: zero(0),
            number: Number::new(),
            table: Table::new(),
        }
    }

    /// The resource below.
    ///
    /// ```
    /// use stratalloc_modifiers::Sampled;
    ///
    /// assert_eq!(Sampled::<_, _>::new("below", "observer", 1000).inner(), &"below");
    /// ```
    #[must_use]
    pub const fn inner(&self) -> &R {
        &self.inner
    }

    /// Who is told.
    ///
    /// ```
    /// use stratalloc_modifiers::Sampled;
    ///
    /// assert_eq!(Sampled::<_, _>::new("below", "observer", 1000).observer(), &"observer");
    /// ```
    #[must_use]
    pub const fn observer(&self) -> &O {
        &self.observer
    }

    /// How many samples there were.
    ///
    /// ```
    /// use stratalloc_modifiers::Sampled;
    ///
    /// let counts = Sampled::<_, _>::new("below", "observer", 1000).counts();
    /// assert_eq!((counts.taken, counts.live(), counts.skipped), (0, 0, 0));
    /// ```
    #[must_use]
    pub fn counts(&self) -> SampleCounts {
        SampleCounts {
            // Releases first: nobody then sees more of them than of samples.
            released: self.released.load(Relaxed),
            taken: self.taken.load(Relaxed),
            skipped: self.skipped.load(Relaxed),
        }
    }
}

impl<R, O: SampleObserver, const SLOTS: usize> Sampled<R, O, SLOTS> {
    fn sample(&self, address: usize, size: usize, align: Alignment) -> Sample {
        Sample { address, size, align, blocks: 1.0 / self.draw.probability(size) }
    }

    /// Draws for a fresh block.
    #[inline]
    fn draw(&self, block: MemoryBlock, size: usize, align: Alignment) {
        if self.draw.next(size) {
            self.take(block, size, align);
        }
    }

    #[cold]
    #[inline(never)]
    fn take(&self, block: MemoryBlock, size: usize, align: Alignment) {
        // A block without bytes may share its address with another one.
        if size == 0 || !self.table.insert(block.address(), size) {
            self.skipped.fetch_add(1, Relaxed);
            return;
        }
        self.taken.fetch_add(1, Relaxed);
        self.observer.allocated(&self.sample(block.address(), size, align));
    }

    #[cold]
    #[inline(never)]
    fn tell_release(&self, address: usize, size: usize, align: Alignment) {
        self.released.fetch_add(1, Relaxed);
        self.observer.released(&self.sample(address, size, align));
    }
}
