//! A list of what is live, and from where.
//!
//! ```text
//!   Tracked ── list ──► │next│prev│state│size│align│serial│from│·│ block │ ◄──► │ … │ block │ ◄──► …       youngest first
//!                       └────────────── record, 8 words ─────────┘
//! ```
//!
//! Each block has its record before it. A request through [`Tracked::here`] leaves the line of the program in it.
//!
//! | operation | cost |
//! | --- | --- |
//! | `allocate`, `deallocate` | a lock, and two links |
//! | `reallocate` | always moves; the new block keeps the line of the old one |
//! | `live`, `for_each`, `validate` | O(live blocks), under the lock |
//! | memory | 8 words a block; with alignments above that the front grows to the alignment |
//!
//! **Threads.** As the resource; the list has a lock of its own, which is not held while the resource below works. As with
//! [`Locked`](crate::Locked), a signal handler that interrupts its own thread's update, and the child of a `fork` during one, wait forever.
//!
//! **When to use it.** To find what leaks from a subsystem or a test, and which line asked for it.
//!
//! **When not.** In production: the records cost memory and a shared cache line. Bytes before a block that are overwritten destroy the record; it is
//! then reported and the block left alone. Put [`Guarded`](crate::Guarded) around, so that its canaries are hit first.

mod here;
mod record;
mod resource;

use core::cell::Cell;
use core::fmt;
use core::panic::Location;
use core::ptr::NonNull;

use stratalloc_resource::Violation;

use crate::locked::{RawLock, SpinLock};
use crate::numbered::Number;

pub use here::Here;
pub use record::LiveBlock;

use record::Record;

/// The source line of a request, if it came through [`Tracked::here`].
type Source = Option<&'static Location<'static>>;

/// A resource that knows what is live; see the [module](self).
///
/// ```
/// use core::alloc::Layout;
/// use stratalloc_modifiers::Tracked;
/// use stratalloc_resource::{Alignment, FromGlobal, MemoryResource};
///
/// let tracked = Tracked::new(FromGlobal::new(&std::alloc::System));
/// let block = tracked.here().allocate(Layout::new::<[u8; 100]>())?;
/// let mut leaks = vec![];
/// tracked.for_each(|live| leaks.push(live.to_string()));
/// assert!(leaks[0].starts_with("block 1: 100 bytes at 0x") && leaks[0].contains(".rs:"), "{leaks:?}");
/// // SAFETY: live, with this alignment; not used any more.
/// unsafe { tracked.deallocate(block, Alignment::ONE) };
/// assert_eq!(tracked.live(), (0, 0));
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
pub struct Tracked<R, L: RawLock = SpinLock> {
    inner: R,
    // Invariant TRACKED: `list`, the links of the records in it, and the counts are touched only while `lock` is held; every live block has
    // its record in the list, linked both ways; `blocks` and `bytes` are what a walk would count.
    lock: L,
    list: Cell<Option<NonNull<Record>>>,
    blocks: Cell<usize>,
    bytes: Cell<usize>,
    serial: Cell<usize>,
    /// Tells this value from others; 0 until somebody asks.
    number: Number,
    at_drop: Option<fn(&LiveBlock)>,
}

// SAFETY: what threads would share beside inner resource and lock is touched under the lock (TRACKED), or atomic.
unsafe impl<R: Sync, L: RawLock + Sync> Sync for Tracked<R, L> {}
// SAFETY: records lie in blocks of the inner resource, which belong to no thread if that may be sent.
unsafe impl<R: Send, L: RawLock + Send> Send for Tracked<R, L> {}

impl<R> Tracked<R> {
    stratalloc_primitives::const_unless_loom! {
        /// Tracks what `inner` hands out. See [`Tracked`] for an example.
        #[must_use]
        pub fn new(inner: R) -> Self {
            Self::with_lock(inner, SpinLock::new())
        }
    }
}

impl<R, L: RawLock> Tracked<R, L> {
    /// The same with a lock of the caller's choice.
    ///
    /// ```
    /// use stratalloc_modifiers::{SpinLock, Tracked};
    ///
    /// let tracked = Tracked::with_lock("below", SpinLock::new());
    /// assert_eq!(tracked.live(), (0, 0));
    /// ```
    #[must_use]
    pub const fn with_lock(inner: R, lock: L) -> Self {
        Self {
            inner,
            lock,
            list: Cell::new(None),
            blocks: Cell::new(0),
            bytes: Cell::new(0),
            serial: Cell::new(0),
            number: Number::new(),
            at_drop: None,
        }
    }

    /// The same, telling `hook` of each block that is live when it is dropped.
    ///
    /// ```
    /// use core::alloc::Layout;
    /// use core::sync::atomic::{AtomicUsize, Ordering};
    /// use stratalloc_modifiers::{LiveBlock, Tracked};
    /// use stratalloc_resource::{FromGlobal, MemoryResource};
    ///
    /// static LEAKED: AtomicUsize = AtomicUsize::new(0);
    /// fn leaked(block: &LiveBlock) {
    ///     LEAKED.fetch_add(block.size, Ordering::Relaxed);
    /// }
    /// let tracked = Tracked::new(FromGlobal::new(&std::alloc::System)).at_drop(leaked);
    /// tracked.allocate(Layout::new::<[u8; 100]>())?;
    /// drop(tracked);
    /// assert_eq!(LEAKED.load(Ordering::Relaxed), 100);
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    #[must_use]
    pub fn at_drop(mut self, hook: fn(&LiveBlock)) -> Self {
        self.at_drop = Some(hook);
        self
    }

    /// The resource below.
    ///
    /// ```
    /// use stratalloc_modifiers::Tracked;
    ///
    /// assert_eq!(Tracked::new("below").inner(), &"below");
    /// ```
    #[must_use]
    pub const fn inner(&self) -> &R {
        &self.inner
    }

    /// Live blocks and their bytes, as requested. See [`Tracked`] for an example.
    #[must_use]
    pub fn live(&self) -> (usize, usize) {
        self.locked(|| (self.blocks.get(), self.bytes.get()))
    }

    /// Tells `look` of each live block, the youngest first.
    ///
    /// Under the lock: `look` must not come back to this resource, not even to allocate. See [`Tracked`] for an example.
    pub fn for_each(&self, mut look: impl FnMut(&LiveBlock)) {
        self.locked(|| {
            let mut next = self.list.get();
            while let Some(record) = next {
                // SAFETY: in the list: TRACKED, and nothing of it is written while the reference lives.
                let record = unsafe { record.as_ref() };
                look(&record.describe());
                next = record.next();
            }
        });
    }

    /// Checks the list, whatever the resource below can check: TRACK-LINK, each record is live and linked back; TRACK-SUM, the counts are
    /// those of the list.
    ///
    /// ```
    /// use stratalloc_modifiers::Tracked;
    ///
    /// assert!(Tracked::new("below").validate_list().is_ok());
    /// ```
    ///
    /// # Errors
    ///
    /// The first equation that does not hold.
    pub fn validate_list(&self) -> Result<(), Violation> {
        self.locked(|| {
            let (mut next, mut before, mut blocks, mut bytes) = (self.list.get(), None, 0, 0_usize);
            while let Some(record) = next {
                // SAFETY: in the list, up to which every record was found sound.
                let here = unsafe { record.as_ref() };
                if blocks == self.blocks.get() || !here.is_sound(before) {
                    let formula = "a listed record is live and linked back";
                    return Err(Violation::new("TRACK-LINK", formula, &["record"], &[record.addr().get()]));
                }
                (blocks, bytes) = (blocks + 1, bytes + here.describe().size);
                (before, next) = (next, here.next());
            }
            if (blocks, bytes) != (self.blocks.get(), self.bytes.get()) {
                let values = [blocks, self.blocks.get(), bytes, self.bytes.get()];
                let terms = &["listed", "blocks", "listed bytes", "bytes"];
                return Err(Violation::new(
                    "TRACK-SUM",
                    "listed == blocks, in number and bytes",
                    terms,
                    &values,
                ));
            }
            Ok(())
        })
    }

    /// The same resource for requests of the line that calls this.
    ///
    /// ```
    /// use stratalloc_modifiers::Tracked;
    /// use stratalloc_resource::{Allocator, FromGlobal};
    ///
    /// let tracked = Tracked::new(FromGlobal::new(&std::alloc::System));
    /// let here = tracked.here();
    /// assert!(here.location().file().ends_with(".rs"));
    /// ```
    #[must_use]
    #[track_caller]
    pub const fn here(&self) -> Here<'_, R, L> {
        Here::new(self, Location::caller())
    }

    /// Runs `work` under the lock; gives it back also when a caller's closure in it unwinds.
    fn locked<T>(&self, work: impl FnOnce() -> T) -> T {
        struct Held<'a, L: RawLock>(&'a L);
        impl<L: RawLock> Drop for Held<'_, L> {
            fn drop(&mut self) {
                // SAFETY: acquired below.
                unsafe { self.0.release() };
            }
        }
        self.lock.acquire();
        let _held = Held(&self.lock);
        work()
    }
}

impl<R, L: RawLock> Drop for Tracked<R, L> {
    fn drop(&mut self) {
        if let Some(hook) = self.at_drop {
            self.for_each(hook);
        }
    }
}

impl<R, L: RawLock> fmt::Debug for Tracked<R, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (blocks, bytes) = self.live();
        f.debug_struct("Tracked").field("blocks", &blocks).field("bytes", &bytes).finish_non_exhaustive()
    }
}
