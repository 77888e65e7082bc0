//! What happened, in order, as records that somebody else reads.
//!
//! ```text
//!   thread ──► allocate ──► the resource below ──► the caller
//!   thread ──► …                └─► record ──► sink: a Ring ──► reader: a file, a pipe, a live view
//!                                               └─ no room: dropped, and counted
//! ```
//!
//! | operation | cost |
//! | --- | --- |
//! | `allocate`, `deallocate` | a record: with a [`Ring`], one exchange and four words written |
//! | `reallocate` | two records |
//! | `Ring::pop` | one exchange, four words read and one written |
//! | memory | four words for each record that the ring has room for, none a block; nothing is allocated |
//!
//! In the order of records no address is live twice, so a reader can follow the resource's state exactly as long as nothing was dropped; and
//! [`dropped`](Traced::dropped) says whether: events = records written + records dropped. No operation waits for a reader.
//!
//! **Threads.** As the resource and the sink; a [`Ring`] is for any number of writers and readers, whose writers meet at one word.
//!
//! **When to use it.** To see why a workload is slow or fragments, to replay it elsewhere, to follow a heap live.
//!
//! **When not.** All the time: each operation pays. [`Sampled`](crate::Sampled) sees a few blocks at a fixed price.
//!
//! Times and call stacks can join the third word of a record, which only the end of a resize uses; files and replay are the instruments' work.

mod event;
mod ring;

use core::alloc::Layout;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use stratalloc_resource::{
    Alignment, AllocError, Collect, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo, Validate,
    Violation,
};

use crate::numbered::Number;

pub use event::{Event, Record};
pub use ring::Ring;

/// Where records go. [`Ring`] is one.
///
/// ```
/// use core::cell::RefCell;
/// use stratalloc_modifiers::{Record, TraceSink};
///
/// struct Upto100(RefCell<Vec<Record>>);
///
/// impl TraceSink for Upto100 {
///     fn record(&self, record: Record) -> bool {
///         let mut records = self.0.borrow_mut();
///         // (Allocates, so it must not trace the global allocator.)
///         records.len() < 100 && { records.push(record); true }
///     }
/// }
/// # assert!(Upto100(RefCell::default()).record(Record::default()));
/// ```
///
/// It is called in the middle of an operation: it must not use the resource that is traced, and must not unwind.
pub trait TraceSink {
    /// Takes a record; `false` if it is dropped. See [`TraceSink`] for an example.
    fn record(&self, record: Record) -> bool;
}

impl<S: TraceSink + ?Sized> TraceSink for &S {
    #[inline]
    fn record(&self, record: Record) -> bool {
        (**self).record(record)
    }
}

/// A resource whose operations are recorded; see the [module](self).
///
/// ```
/// use core::alloc::Layout;
/// use stratalloc_modifiers::{Event, Ring, Traced};
/// use stratalloc_resource::{FromGlobal, OwnedBlock};
///
/// static RING: Ring<64> = Ring::new();
/// let traced = Traced::new(FromGlobal::new(&std::alloc::System), &RING);
/// drop(OwnedBlock::new(&traced, Layout::new::<[u64; 5]>())?);
/// let mut live = 0;
/// for event in RING.drain().filter_map(|record| record.event()) {
///     match event {
///         Event::Allocated { size, .. } => live += size,
///         Event::Released { size, .. } => live -= size,
///         _ => {}
///     }
/// }
/// assert_eq!((live, RING.read(), traced.dropped()), (0, 2, 0));
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
#[derive(Debug)]
pub struct Traced<R, S> {
    inner: R,
    sink: S,
    dropped: AtomicUsize,
    number: Number,
}

/// The kind of the identity.
struct TracedKind;

impl<R, S> Traced<R, S> {
    /// Records what `inner` does in `sink`. See [`Traced`] for an example.
    #[must_use]
    pub const fn new(inner: R, sink: S) -> Self {
        Self { inner, sink, dropped: AtomicUsize::new(0), number: Number::new() }
    }

    /// The resource below.
    ///
    /// ```
    /// use stratalloc_modifiers::Traced;
    ///
    /// assert_eq!(Traced::new("below", "sink").inner(), &"below");
    /// ```
    #[must_use]
    pub const fn inner(&self) -> &R {
        &self.inner
    }

    /// Where the records go.
    ///
    /// ```
    /// use stratalloc_modifiers::Traced;
    ///
    /// assert_eq!(Traced::new("below", "sink").sink(), &"sink");
    /// ```
    #[must_use]
    pub const fn sink(&self) -> &S {
        &self.sink
    }

    /// Records of this resource that the sink dropped, ever. See [`Traced`] for an example.
    #[must_use]
    pub fn dropped(&self) -> usize {
        self.dropped.load(Relaxed)
    }
}

impl<R, S: TraceSink> Traced<R, S> {
    #[inline]
    fn tell(&self, event: Event) {
        if !self.sink.record(Record::new(event)) {
            self.dropped.fetch_add(1, Relaxed);
        }
    }

    /// Records the answer to a request.
    #[inline]
    fn answered(&self, layout: Layout, answer: Result<MemoryBlock, AllocError>) {
        let (size, align) = (layout.size(), Alignment::from_layout(layout));
        self.tell(match answer {
            Ok(block) => Event::Allocated { address: block.address(), size, align },
            Err(error) => Event::Refused { size, align, error },
        });
    }
}

// SAFETY: every block is the inner resource's, and every operation its own; nothing of a block is read or written.
unsafe impl<R: MemoryResource, S: TraceSink> MemoryResource for Traced<R, S> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let answer = self.inner.allocate(layout);
        self.answered(layout, answer);
        answer
    }

    #[inline]
    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        // Before it goes back: its address may be somebody else's at once.
        self.tell(Event::Released { address: block.address(), size: block.len(), align });
        // SAFETY: this function's contract.
        unsafe { self.inner.deallocate(block, align) };
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        let from = block.address();
        self.tell(Event::ResizeBegun { address: from, size: block.len(), align });
        // SAFETY: this function's contract.
        let answer = unsafe { self.inner.reallocate(block, new_size, align) };
        match answer {
            Ok(moved) => self.tell(Event::Resized { from, address: moved.address(), size: new_size, align }),
            Err(error) => {
                self.tell(Event::Resized { from, address: from, size: block.len(), align });
                self.tell(Event::Refused { size: new_size, align, error });
            }
        }
        answer
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let answer = self.inner.allocate_zeroed(layout);
        self.answered(layout, answer);
        answer
    }

    fn identity(&self) -> ResourceId {
        self.number.identity::<TracedKind>(self.inner.identity())
    }

    fn info(&self) -> ResourceInfo<'_> {
        self.inner.info()
    }
}

// SAFETY: the blocks are the inner resource's.
unsafe impl<R: Owns, S> Owns for Traced<R, S> {
    fn owns(&self, ptr: *const u8) -> bool {
        self.inner.owns(ptr)
    }
}

impl<R: Collect, S> Collect for Traced<R, S> {
    fn collect(&self) -> usize {
        self.inner.collect()
    }
}

impl<R: Validate, S> Validate for Traced<R, S> {
    fn validate(&self) -> Result<(), Violation> {
        self.inner.validate()
    }
}
