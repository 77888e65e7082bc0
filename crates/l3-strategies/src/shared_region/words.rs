//! The region as words: the only way in which the structures in it are read and written.
//!
//! Everything in the region is a 64-bit word, and every reference is a word's number: the same in each process, at whatever address it
//! has mapped the region, with 32 bits or with 64.

use core::ptr::NonNull;

use stratalloc_primitives::primitive::atomic::{AtomicU64, Ordering};

/// The words of a mapped region.
///
/// A number beyond the end reads as 0, and a write to it is ignored: numbers come out of memory that other processes write, and a
/// process that scribbled in it must not make this one write elsewhere.
// Invariant WORDS: `count` words from `base` on are mapped as long as this value is used, aligned, and accessed as atomics only, but for
// the payload of live blocks, which is their holders'.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words<'r> {
    base: NonNull<AtomicU64>,
    count: u64,
    #[cfg(test)]
    fuse: Option<&'r super::fuse::Fuse>,
    region: core::marker::PhantomData<&'r AtomicU64>,
}

impl<'r> Words<'r> {
    /// # Safety
    ///
    /// `count` words from `base` on are mapped and aligned for `'r`, and nobody accesses them but through values like this one, except
    /// the payload of live blocks.
    pub(super) const unsafe fn new(base: NonNull<AtomicU64>, count: u64) -> Self {
        Self {
            base,
            count,
            #[cfg(test)]
            fuse: None,
            region: core::marker::PhantomData,
        }
    }

    /// The same, for a process that dies after so many stores.
    #[cfg(test)]
    pub(super) const fn with_fuse(mut self, fuse: &'r super::fuse::Fuse) -> Self {
        self.fuse = Some(fuse);
        self
    }

    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    fn word(&self, index: u64) -> Option<&AtomicU64> {
        if index >= self.count {
            return None;
        }
        // The region is mapped, so a number within it fits an address.
        #[expect(clippy::cast_possible_truncation, reason = "below `count`, which is mapped")]
        let index = index as usize;
        // SAFETY: WORDS: inside.
        let word = unsafe { self.base.add(index) };
        // SAFETY: WORDS: mapped, aligned, accessed as an atomic.
        Some(unsafe { word.as_ref() })
    }

    /// Whether this process still executes stores. Always, outside of tests.
    #[inline(always)]
    fn lives(&self) -> bool {
        #[cfg(test)]
        return self.fuse.is_none_or(super::fuse::Fuse::burn);
        #[cfg(not(test))]
        true
    }

    /// Plain: for whoever holds the lock, under which everything changes.
    #[inline]
    pub(super) fn get(&self, index: u64) -> u64 {
        self.word(index).map_or(0, |word| word.load(Ordering::Relaxed))
    }

    /// For words that are read without the lock.
    #[inline]
    pub(super) fn get_acquire(&self, index: u64) -> u64 {
        self.word(index).map_or(0, |word| word.load(Ordering::Acquire))
    }

    /// A store that happens after all earlier ones. The order is what a crash preserves: a process that dies has executed a
    /// prefix of its stores (table in `journal`).
    #[inline]
    pub(super) fn set(&self, index: u64, value: u64) {
        if let Some(word) = self.word(index)
            && self.lives()
        {
            word.store(value, Ordering::Release);
        }
    }

    /// Exchanges `old` for `new`; what was there if that was not `old`.
    pub(super) fn exchange(&self, index: u64, old: u64, new: u64) -> Result<(), u64> {
        let Some(word) = self.word(index) else { return Err(0) };
        #[cfg(test)]
        if self.fuse.is_some_and(super::fuse::Fuse::is_burnt) {
            return Ok(());
        }
        word.compare_exchange(old, new, Ordering::Acquire, Ordering::Relaxed).map(|_| {
            // An attempt that fails is no store.
            self.lives();
        })
    }
}
