//! One copy of read-mostly data per memory node: readers read their own node's copy, writers publish to all.
//!
//! ```text
//!   node 0   │ replica │ slot 0: version 7 │ slot 1: version 8 ◄── present │     readers on node 0
//!   node 1   │ replica │ slot 0: version 7 │ slot 1: version 8 ◄── present │     readers on node 1
//!                          ▲ the next version is made here, once the readers of version 7 have left
//!
//!   publish:  lock ─► spare slots quiet? ─► make a copy in each ─► turn each replica ─► unlock
//! ```
//!
//! A reader enters the present slot of its node's replica, by one atomic addition, and leaves it by another, both on one of eight lines of
//! counters; nothing is written that readers of other lines, or of other nodes, look at. A writer makes the next version in the other slot of every replica before it turns the first, so readers go on
//! meanwhile, and a failure on the way (of `clone`, for instance) changes nothing. This is read-copy-update with two copies per
//! node and exact counts in place of epochs; `replica.rs` has the invariants and the memory orderings.
//!
//! | operation | cost |
//! | --- | --- |
//! | [`read`](Replicated::read) | where the thread runs (a system call with several nodes, nothing with one), then as below |
//! | [`Reader::read`] | one atomic addition; another when the guard is dropped; wait-free |
//! | [`publish`](Replicated::publish), [`update`](Replicated::update) | one clone and eight exchanges per node; waits for readers of the version before the last |
//! | [`try_publish`](Replicated::try_publish) | the same, and never waits |
//! | memory | two values and 1 KiB of counters per node, each in memory of the node |
//! | one node | one replica; no system call, no other cost than above |
//!
//! # What is guaranteed
//!
//! * A guard shows one version, whole, for as long as it lives.
//! * Reads that begin after a publication has returned, on any node, show that version or a later one.
//! * While it runs, some readers show the new version and others still the last, on one node too: replicas turn one after the other, and so do a
//!   replica's eight lines of counters. So the versions that a [`Reader`] sees never go back until it refreshes. They may, by one, from one reader to another (of
//!   another thread, or of the same one), and from one [`Replicated::read`] to the next in a thread that is moved to another node meanwhile;
//!   [`Guard::version`] tells.
//! * Writers follow each other: versions are numbered from 0, without gaps, and [`update`](Replicated::update) builds on the last one.
//! * An old version is dropped by the writer that needs its slot, by [`reclaim`](Replicated::reclaim), or with the value.
//!
//! **Threads.** Everything from every thread. A writer that waits gives way ([`Places::wait`]). A guard that is never dropped makes the second
//! writer after it wait for ever: so does one that the writing thread itself holds. [`try_publish`](Replicated::try_publish) says so instead.
//!
//! **When to use it.** Tables that all threads read all the time and somebody replaces now and then: routes, rules, configurations, symbol tables,
//! prices of the day. On one node it is a safe way to replace a value under its readers.
//!
//! **When not.** For what changes as often as it is read, or is larger than the caches of a node can gain: each version is copied to each node. Calls of
//! [`read`](Replicated::read) on one node share a line for counting, which costs ten times as much when two threads do it at once: let each thread have a
//! [`Reader`], which are dealt out to eight lines.
//!
//! **Misuse.** In safe code there are ways to wait for ever, and no others: the guard above; and a writer that calls `publish`, `publish_with` or `update`
//! of the same value once more from within, which is from a closure that it was given, or from `clone` or `drop` of a value. `try_publish` and `reclaim`
//! say there that a writer is at work.
//!
//! **Source:** McKenney and Slingwine, *Read-copy update*, PDCS 1998; Ramalhete and Correia, *Left-Right: a concurrency control technique
//! with wait-free population oblivious reads*, 2013 (two copies, readers that count themselves in and out); Calciu et al., *Black-box
//! concurrent data structures for NUMA architectures*, ASPLOS 2017 (a replica per node).
//!
//! ```
//! use stratalloc_strategies::replicated::{Machine, Replicated};
//!
//! let rules: Replicated<Vec<&str>> = Replicated::new(Machine, vec!["allow"])?;
//! std::thread::scope(|scope| {
//!     scope.spawn(|| {
//!         let reader = rules.reader();
//!         while reader.read().len() < 2 {
//!             std::thread::yield_now();
//!         }
//!     });
//!     rules.update(|old| [old.as_slice(), &["log"]].concat());
//! });
//! assert_eq!(*rules.read(), ["allow", "log"]);
//! # Ok::<(), stratalloc_resource::AllocError>(())
//! ```

mod guard;
mod places;
mod replica;
mod writer;

use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;

use stratalloc_primitives::primitive::atomic::{AtomicBool, AtomicUsize};
use stratalloc_resource::{Alignment, AllocError, MemoryBlock, MemoryResource};

pub use guard::{Guard, Reader};
#[cfg(all(any(target_os = "linux", windows), not(loom)))]
pub use places::Machine;
pub use places::{OnePlace, Places};
pub(crate) use replica::Replica;
pub use writer::{Busy, Unpublished};

/// What a slot holds.
#[derive(Debug)]
struct Versioned<T> {
    version: u64,
    value: T,
}

#[cfg(all(any(target_os = "linux", windows), not(loom)))]
type DefaultPlaces = Machine;
#[cfg(not(all(any(target_os = "linux", windows), not(loom))))]
type DefaultPlaces = OnePlace<crate::Fixed>;

/// A value with a copy per memory node; see the [module](self).
///
/// `NODES` is the most copies that there are; nodes beyond share those of others.
pub struct Replicated<T, P: Places = DefaultPlaces, const NODES: usize = 16> {
    // Invariant COPIES: the first `count` (at least one) are replicas in blocks of the memories with the same index, which live until the drop.
    replicas: [NonNull<Replica<Versioned<T>>>; NODES],
    // Kept, because blocks live no longer than their resource, and `Places` may make a new one at each call.
    memories: [Option<P::Memory>; NODES],
    count: usize,
    places: P,
    // Whoever made it true is the writer: REPLICA-WRITER.
    writing: AtomicBool,
    // Readers that were made, to deal them out to the stripes.
    readers: AtomicUsize,
}

// SAFETY: the replicas are this value's alone; values are dropped where it is, and memories used.
unsafe impl<T: Send, P: Places<Memory: Send> + Send, const NODES: usize> Send for Replicated<T, P, NODES> {}
// SAFETY: readers share values (`T: Sync`), a writer drops and moves them (`T: Send`) and shows memories to closures; the rest is
// atomics, and what REPLICA-WRITER and COPIES say.
unsafe impl<T: Send + Sync, P: Places<Memory: Sync> + Sync, const NODES: usize> Sync
    for Replicated<T, P, NODES>
{
}

impl<T: Clone, P: Places, const NODES: usize> Replicated<T, P, NODES> {
    /// Version 0 on every node: `value` on the first, clones of it on the others. An example is at the [module](self).
    ///
    /// # Errors
    ///
    /// Those of the places' memories.
    pub fn new(places: P, value: T) -> Result<Self, AllocError> {
        let (mut value, wanted) = (Some(value), Self::wanted(&places));
        let last = wanted - 1;
        Self::make(places, wanted, |place, _| if place == last { value.take() } else { value.clone() })
    }
}

impl<T, P: Places, const NODES: usize> Replicated<T, P, NODES> {
    const LAYOUT: Layout = Layout::new::<Replica<Versioned<T>>>();
    const SOME: () = assert!(NODES > 0, "a Replicated needs room for at least one copy: NODES > 0");

    /// Version 0, made by `make` for each node, which may use the node's memory; `None` gives up.
    ///
    /// ```
    /// use stratalloc_resource::Allocator;
    /// use stratalloc_strategies::node_pages::NodePages;
    /// use stratalloc_strategies::replicated::{Machine, Replicated};
    ///
    /// // What the value points to lies on the node, too.
    /// let sums: Replicated<(usize, NodePages)> = Replicated::new_with(Machine, |node, memory| Some((node, *memory)))?;
    /// assert!(sums.read().0 < sums.copies());
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of the places' memories, and [`AllocError::OutOfMemory`] if `make` gives up.
    pub fn new_with(places: P, make: impl FnMut(usize, &P::Memory) -> Option<T>) -> Result<Self, AllocError> {
        let wanted = Self::wanted(&places);
        Self::make(places, wanted, make)
    }

    /// How many copies there shall be, 1 to `NODES`. Asks the places: once for each value.
    fn wanted(places: &P) -> usize {
        const { Self::SOME };
        places.count().clamp(1, NODES)
    }

    fn make(
        places: P,
        wanted: usize,
        mut make: impl FnMut(usize, &P::Memory) -> Option<T>,
    ) -> Result<Self, AllocError> {
        let replicas = [NonNull::dangling(); NODES];
        // Dropped with as many copies as there are, should one fail.
        let memories = [const { None }; NODES];
        let (writing, readers) = (AtomicBool::new(false), AtomicUsize::new(0));
        let mut this = Self { replicas, memories, count: 0, places, writing, readers };
        while this.count < wanted {
            let memory = this.places.memory(this.count);
            let value = make(this.count, &memory).ok_or(AllocError::OutOfMemory)?;
            let place = memory.allocate(Self::LAYOUT)?.as_non_null().cast::<Replica<Versioned<T>>>();
            // SAFETY: a live block for this layout, ours.
            unsafe { place.write(Replica::new(Versioned { version: 0, value })) };
            this.replicas[this.count] = place;
            this.memories[this.count] = Some(memory);
            this.count += 1;
        }
        Ok(this)
    }

    /// How many copies there are: one per node, at most `NODES`. See [`reclaim`](Self::reclaim) for an example.
    #[must_use]
    pub const fn copies(&self) -> usize {
        self.count
    }

    /// The places of the copies. See [`Places`] for an example.
    #[must_use]
    pub const fn places(&self) -> &P {
        &self.places
    }

    /// The memory of one of the copies.
    fn memory(&self, copy: usize) -> &P::Memory {
        self.memories[copy].as_ref().expect("a memory for each copy")
    }

    fn replica(&self, place: usize) -> &Replica<Versioned<T>> {
        let index = if place < self.count { place } else { place % self.count };
        // SAFETY: one of the first `count`, alive as long as `self`: COPIES.
        unsafe { self.replicas[index].as_ref() }
    }
}

impl<T, P: Places, const NODES: usize> Drop for Replicated<T, P, NODES> {
    fn drop(&mut self) {
        for (replica, memory) in self.replicas.iter().zip(self.memories.iter().flatten()) {
            // SAFETY: alive until here, and nobody reads: COPIES, `&mut self`.
            unsafe { replica.drop_in_place() };
            let block = MemoryBlock::new(replica.cast(), Self::LAYOUT.size());
            // SAFETY: live in this memory, with this layout; not used any more.
            unsafe { memory.deallocate(block, Alignment::from_layout(Self::LAYOUT)) };
        }
    }
}

impl<T: fmt::Debug, P: Places, const NODES: usize> fmt::Debug for Replicated<T, P, NODES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let guard = self.read();
        f.debug_struct("Replicated")
            .field("copies", &self.count)
            .field("version", &guard.version())
            .field("value", &*guard)
            .finish_non_exhaustive()
    }
}
