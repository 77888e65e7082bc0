//! Readers: [`Guard`] shows one version, [`Reader`] remembers where it reads.

use core::fmt;
use core::ops::Deref;

use stratalloc_primitives::primitive::atomic::Ordering;

use super::replica::STRIPES;
use super::{Places, Replica, Replicated, Versioned};

impl<T, P: Places, const NODES: usize> Replicated<T, P, NODES> {
    /// The present version of the copy that is nearest to the calling thread. An example is at the [module](super).
    #[inline]
    pub fn read(&self) -> Guard<'_, T> {
        Guard::enter(self.replica(self.places.here()), 0)
    }

    /// A handle that reads the copy of the node on which the calling thread runs now, without asking again. For a thread that stays on a node,
    /// or seldom leaves it; [`Reader::refresh`] asks again. Readers are dealt out to eight lines of counters ([`read`](Self::read) uses the
    /// first of them), so that those of a few threads do not disturb each other: make one for each thread. See the [module](super) for an example.
    pub fn reader(&self) -> Reader<'_, T, P, NODES> {
        // Relaxed: only the spread matters.
        let stripe = (self.readers.fetch_add(1, Ordering::Relaxed) + 1) % STRIPES;
        Reader { replicated: self, place: self.places.here(), stripe }
    }
}

/// Reads one node's copy; see [`Replicated::reader`].
///
/// ```
/// use stratalloc_strategies::replicated::{Machine, Replicated};
///
/// let limits: Replicated<[u32; 4]> = Replicated::new(Machine, [1, 2, 3, 4])?;
/// let mut reader = limits.reader();
/// assert_eq!(reader.read()[3], 4);
/// // Now and then, say once per batch of work:
/// reader.refresh();
/// assert!(reader.place() < limits.copies());
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
pub struct Reader<'r, T, P: Places, const NODES: usize> {
    replicated: &'r Replicated<T, P, NODES>,
    place: usize,
    stripe: usize,
}

impl<'r, T, P: Places, const NODES: usize> Reader<'r, T, P, NODES> {
    /// The present version of the copy. See [`Reader`] for an example.
    #[inline]
    pub fn read(&self) -> Guard<'r, T> {
        Guard::enter(self.replicated.replica(self.place), self.stripe)
    }

    /// Asks where the thread runs now. See [`Reader`] for an example.
    pub fn refresh(&mut self) {
        self.place = self.replicated.places.here();
    }

    /// The place whose copy is read. See [`Reader`] for an example.
    #[must_use]
    pub const fn place(&self) -> usize {
        self.place
    }
}

impl<T, P: Places, const NODES: usize> fmt::Debug for Reader<'_, T, P, NODES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("place", &self.place).finish_non_exhaustive()
    }
}

/// One version of the value, which stays while this lives.
///
/// ```
/// use stratalloc_strategies::replicated::{Busy, Machine, Replicated};
///
/// let name: Replicated<String> = Replicated::new(Machine, "old".to_string())?;
/// let guard = name.read();
/// name.publish("new".to_string());
/// assert_eq!((guard.as_str(), guard.version()), ("old", 0));
/// // The version after that would need the slot that is still read.
/// let refused = name.try_publish("newer".to_string()).unwrap_err();
/// assert!(matches!(refused.reason(), Busy::Readers { .. }));
/// drop(guard);
/// assert_eq!(name.try_publish(refused.into_value()).unwrap(), 2);
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
#[must_use = "the version is left again at once"]
pub struct Guard<'r, T> {
    replica: &'r Replica<Versioned<T>>,
    // Invariant ENTERED: this value has entered the slot by the stripe, and leaves it when it is dropped.
    stripe: usize,
    slot: usize,
}

// SAFETY: whoever has the guard shares the value, and leaves the slot from wherever it is.
unsafe impl<T: Send + Sync> Send for Guard<'_, T> {}
// SAFETY: shared, it only shows the value.
unsafe impl<T: Sync> Sync for Guard<'_, T> {}

impl<'r, T> Guard<'r, T> {
    #[inline]
    fn enter(replica: &'r Replica<Versioned<T>>, stripe: usize) -> Self {
        Self { replica, stripe, slot: replica.enter(stripe) }
    }

    #[inline]
    fn versioned(&self) -> &Versioned<T> {
        let slot = self.replica.with(self.slot, |slot| slot);
        // SAFETY: not written to while this is in it: ENTERED, REPLICA-SPARE; and the replica outlives the guard.
        let value = unsafe { (*slot).as_ref() };
        // SAFETY: a slot that was entered holds a value: REPLICA-FULL.
        unsafe { value.unwrap_unchecked() }
    }

    /// Which version it is: 0 from the beginning, one more with each publication. See [`Guard`] for an example.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.versioned().version
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.versioned().value
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.replica.leave(self.stripe, self.slot);
    }
}

impl<T: fmt::Debug> fmt::Debug for Guard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
