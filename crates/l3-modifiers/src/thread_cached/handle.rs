//! [`CacheHandle`]: the cache of one thread.
//!
//! Invariant CACHE-BIN: a bin's list has `count` blocks of its class, all CACHE-LINK; `bytes` is the sum over all bins.

use core::cell::Cell;
use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;

use stratalloc_resource::{MemoryBlock, MemoryResource};

use super::ThreadCached;
use super::class::{CLASSES, length};
use super::free::{Free, Link, link, next_of};
use crate::damage::{Damage, DamageKind, report};

/// The blocks of a class that wait.
#[derive(Debug, Default)]
pub(super) struct Bin {
    pub(super) first: Cell<Link>,
    pub(super) count: Cell<usize>,
}

/// The cache of one thread in front of a [`ThreadCached`], and a resource itself. An example is there; the [module](super) says what happens
/// at its drop.
pub struct CacheHandle<'a, R: MemoryResource> {
    pub(super) shared: &'a ThreadCached<R>,
    pub(super) bins: [Bin; CLASSES],
    pub(super) bytes: Cell<usize>,
    /// The class that has to go first when there are too many bytes.
    hand: Cell<usize>,
    /// The pressure that was answered last.
    pressure: Cell<usize>,
    /// Blocks that were allocated here less those that were released here.
    balance: Cell<isize>,
    /// Whether there was a refusal since the balance was last even.
    was_refused: Cell<bool>,
}

// SAFETY: waiting blocks are nobody's (CACHE-LINK), and the resource below takes them back on any thread, since it is shared by threads.
unsafe impl<R: MemoryResource + Sync> Send for CacheHandle<'_, R> {}

impl<'a, R: MemoryResource> CacheHandle<'a, R> {
    pub(super) fn new(shared: &'a ThreadCached<R>) -> Self {
        let bins = core::array::from_fn(|_| Bin::default());
        let pressure = Cell::new(shared.pressure.load(Relaxed));
        let (bytes, hand, balance) = (Cell::new(0), Cell::new(0), Cell::new(0));
        Self { shared, bins, bytes, hand, pressure, balance, was_refused: Cell::new(false) }
    }

    /// Whose cache this is.
    ///
    /// ```
    /// use stratalloc_modifiers::ThreadCached;
    /// use stratalloc_resource::FromGlobal;
    ///
    /// let cached = ThreadCached::new(FromGlobal::new(&std::alloc::System));
    /// assert!(core::ptr::eq(cached.handle().shared(), &cached));
    /// ```
    #[must_use]
    pub const fn shared(&self) -> &'a ThreadCached<R> {
        self.shared
    }

    /// Blocks that wait here, and their bytes. An example is at [`ThreadCached`].
    #[must_use]
    pub fn waiting(&self) -> (usize, usize) {
        (self.bins.iter().map(|bin| bin.count.get()).sum(), self.bytes.get())
    }

    /// Gives all that waits here to the resource below; how many bytes that was.
    ///
    /// ```
    /// use core::alloc::Layout;
    /// use stratalloc_modifiers::ThreadCached;
    /// use stratalloc_resource::{FromGlobal, OwnedBlock};
    ///
    /// let cached = ThreadCached::new(FromGlobal::new(&std::alloc::System));
    /// let mine = cached.handle();
    /// drop(OwnedBlock::new(&mine, Layout::new::<u64>())?);
    /// assert_eq!((mine.flush(), mine.waiting()), (16, (0, 0)));
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    pub fn flush(&self) -> usize {
        self.pressure.set(self.shared.pressure.load(Relaxed));
        (0..CLASSES).map(|class| self.flush_class(class)).sum()
    }

    fn flush_class(&self, class: usize) -> usize {
        let (chain, bytes) = self.empty(class);
        self.shared.give_back(class, chain);
        bytes
    }

    /// Takes all out of a bin.
    fn empty(&self, class: usize) -> (Link, usize) {
        let bin = &self.bins[class];
        let bytes = bin.count.replace(0) * length(class);
        self.bytes.set(self.bytes.get() - bytes);
        (bin.first.take(), bytes)
    }

    /// The answer to a refusal, one's own or another handle's.
    pub(super) fn flush_under_pressure(&self) -> usize {
        self.was_refused.set(true);
        self.flush()
    }

    /// A block more in callers' hands.
    #[inline]
    pub(super) fn count_allocation(&self) {
        self.balance.set(self.balance.get().wrapping_add(1));
    }

    /// A block less. When as much was released as allocated, after a refusal, all goes back: what the resource below served when it was fresh it
    /// then serves again, with no waiting block in between.
    #[inline]
    pub(super) fn count_release(&self) {
        self.balance.set(self.balance.get().wrapping_sub(1));
        if self.balance.get() <= 0 && self.was_refused.get() {
            self.start_afresh();
        }
    }

    #[cold]
    #[inline(never)]
    fn start_afresh(&self) {
        self.was_refused.set(false);
        self.flush();
        self.shared.flush();
    }

    /// Whether another thread met a refusal, and this one has not given back yet.
    #[inline]
    fn is_pressed(&self) -> bool {
        self.shared.pressure.load(Relaxed) != self.pressure.get()
    }

    /// A block that waits here.
    #[inline]
    pub(super) fn pop(&self, class: usize) -> Option<MemoryBlock> {
        let bin = &self.bins[class];
        let place = bin.first.get()?;
        // SAFETY: CACHE-LINK.
        match unsafe { next_of(place) } {
            Ok(next) => bin.first.set(next),
            Err(broken) => {
                // The others cannot be found any more.
                self.empty(class);
                broken.report(length(class));
                return None;
            }
        }
        bin.count.set(bin.count.get() - 1);
        self.bytes.set(self.bytes.get() - length(class));
        Some(MemoryBlock::new(place.cast(), length(class)))
    }

    /// A block that waits here, or in the depot.
    #[inline]
    pub(super) fn take(&self, class: usize) -> Option<MemoryBlock> {
        self.pop(class).or_else(|| self.refill(class))
    }

    /// A batch from the depot, of which the first block is returned.
    #[cold]
    #[inline(never)]
    fn refill(&self, class: usize) -> Option<MemoryBlock> {
        let (batch, bytes) = (self.shared.batch(class), self.shared.batch_bytes(class));
        // More than may wait here would come back at the next release.
        if self.bytes.get() + bytes > self.shared.limits.handle_bytes {
            return None;
        }
        let bin = &self.bins[class];
        if bin.count.get() > 0 {
            return None;
        }
        bin.first.set(Some(self.shared.depot.take(class, bytes)?));
        bin.count.set(batch);
        self.bytes.set(self.bytes.get() + bytes);
        self.pop(class)
    }

    /// Lets a block wait here, or somewhere, or gives it back.
    ///
    /// # Safety
    ///
    /// A block of the class that was allocated with its layout, and that nobody uses.
    #[inline]
    pub(super) unsafe fn put(&self, class: usize, place: NonNull<u8>) {
        if !self.has_room(class) || self.is_pressed() {
            self.make_room(class);
            if !self.has_room(class) {
                // SAFETY: this function's contract.
                unsafe { self.shared.release(class, place) };
                return;
            }
        }
        let bin = &self.bins[class];
        if cfg!(any(debug_assertions, feature = "checked")) && self.waits(class, place) {
            report(&Damage::new(
                "thread cached",
                DamageKind::DoubleRelease,
                place.addr().get(),
                length(class),
            ));
            return;
        }
        // SAFETY: this function's contract; blocks of classes are aligned to words and have room for two.
        unsafe { link(place.cast(), bin.first.get()) };
        bin.first.set(Some(place.cast()));
        bin.count.set(bin.count.get() + 1);
        self.bytes.set(self.bytes.get() + length(class));
    }

    #[inline]
    fn has_room(&self, class: usize) -> bool {
        self.bins[class].count.get() < 2 * self.shared.batch(class)
            && self.bytes.get() + length(class) <= self.shared.limits.handle_bytes
    }

    /// Sends away what is too much, if that helps.
    #[cold]
    #[inline(never)]
    fn make_room(&self, class: usize) {
        if self.is_pressed() {
            self.flush_under_pressure();
        }
        if self.bins[class].count.get() >= 2 * self.shared.batch(class) {
            self.send_batch(class);
        }
        if length(class) > self.shared.limits.handle_bytes {
            return;
        }
        // Too many bytes: class by class, so that none stays for ever. One round empties all.
        for _ in 0..CLASSES {
            if self.has_room(class) || self.bytes.get() == 0 {
                return;
            }
            let hand = self.hand.get();
            self.hand.set((hand + 1) % CLASSES);
            self.send_away(hand);
        }
    }

    /// Leaves a bin's whole batches in the depot where there is room, and gives the rest back.
    fn send_away(&self, class: usize) {
        while self.bins[class].count.get() >= self.shared.batch(class) {
            self.send_batch(class);
        }
        self.flush_class(class);
    }

    /// Takes one batch, which there is, out of a bin, and leaves it in the depot or gives it back.
    fn send_batch(&self, class: usize) {
        let (batch, bin) = (self.shared.batch(class), &self.bins[class]);
        let Some(first) = bin.first.get() else { return };
        let mut last = first;
        for _ in 1..batch {
            // SAFETY: CACHE-LINK.
            match unsafe { next_of(last) } {
                Ok(Some(next)) => last = next,
                Ok(None) => break,
                Err(broken) => return self.lose(class, broken),
            }
        }
        // SAFETY: CACHE-LINK.
        let rest = match unsafe { next_of(last) } {
            Ok(rest) => rest,
            Err(broken) => return self.lose(class, broken),
        };
        // SAFETY: CACHE-LINK: ours.
        unsafe { link(last, None) };
        bin.first.set(rest);
        bin.count.set(bin.count.get() - batch);
        let bytes = self.shared.batch_bytes(class);
        self.bytes.set(self.bytes.get() - bytes);
        if !self.shared.depot.put(class, first, bytes) {
            self.shared.give_back(class, Some(first));
        }
    }

    /// A bin whose blocks cannot be found any more.
    #[cold]
    fn lose(&self, class: usize, broken: super::free::Broken) {
        self.empty(class);
        broken.report(length(class));
    }

    /// Whether a block waits in the bin of its class.
    fn waits(&self, class: usize, place: NonNull<u8>) -> bool {
        let mut next = self.bins[class].first.get();
        while let Some(here) = next {
            if here == place.cast::<Free>() {
                return true;
            }
            // SAFETY: CACHE-LINK.
            next = unsafe { next_of(here) }.ok().flatten();
        }
        false
    }
}

impl<R: MemoryResource> Drop for CacheHandle<'_, R> {
    fn drop(&mut self) {
        (0..CLASSES).for_each(|class| self.send_away(class));
    }
}

impl<R: MemoryResource> fmt::Debug for CacheHandle<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (blocks, bytes) = self.waiting();
        f.debug_struct("CacheHandle").field("blocks", &blocks).field("bytes", &bytes).finish_non_exhaustive()
    }
}
