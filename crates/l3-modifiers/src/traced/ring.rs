//! [`Ring`]: any thread writes records, any thread reads them, nobody waits; what finds no room is dropped and counted.
//!
//! ```text
//!            head: next to read         tail: next to write
//!              ▼                          ▼
//!   │  free  │ full │ full │ being written │  free  │  …        N slots, each with its turn
//! ```
//!
//! A slot's turn tells whose it is. Position p (they count up, and wrap) has the slot p mod N in the round p / N; of that slot:
//!
//! * turn = p: free, for the writer of position p;
//! * turn = p + 1: full, for the reader of position p;
//! * turn = p + N: free again, for the writer of the next round.
//!
//! (Stored is the turn less the slot's number, so that an empty ring is all zeros.)
//!
//! # Invariants
//!
//! * **RING-TURN** Only who holds position p, by the exchange that moved tail or head from p to p + 1, touches the record, and then advances the turn.
//! * **RING-ORDER** Positions are given in one order: a writer whose exchange happens after another one's has the later position.
//! * **RING-SUM** Records written are those read and those in the ring; those dropped are counted apart.
//!
//! # Memory ordering
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | turn: load by writers | **acquire** | store by the reader of the round before | that the record is no longer read |
//! | turn: store by the writer | **release** | load by readers | the record |
//! | turn: load by readers | **acquire** | store by the writer | the record |
//! | turn: store by the reader | **release** | load by writers | that the record is no longer read |
//! | head, tail: all | relaxed | – | a position; whoever has it has read its turn with acquire |
//!
//! # No ABA
//!
//! An exchange of the tail from p succeeds late only if the tail is p again, after 2^bits positions (2³² on 32-bit machines) while the thread slept
//! between its load of the turn and the exchange.
//!
//! # Progress
//!
//! An exchange fails only because another succeeded. A writer that sleeps between exchange and store leaves a slot that is being written: readers
//! find nothing there, though younger records are behind it, and writers find the ring full when they come round. Nobody waits for it.
//!
//! After D. Vyukov's bounded queue for many producers and consumers, 2010.

use core::fmt;

use stratalloc_primitives::primitive::atomic::{AtomicUsize, Ordering};
use stratalloc_primitives::primitive::cell::UnsafeCell;

use super::{Record, TraceSink};
use crate::line::Line;

struct Slot {
    turn: AtomicUsize,
    // RING-TURN.
    record: UnsafeCell<Record>,
}

/// Room for `N` records, a power of two; see the source for how it works. An example is at [`Traced`](super::Traced).
///
/// A `static` will do: `static RING: Ring<4096> = Ring::new();` (a slot is four words).
pub struct Ring<const N: usize> {
    // Readers do not disturb writers.
    head: Line<AtomicUsize>,
    tail: Line<AtomicUsize>,
    dropped: Line<AtomicUsize>,
    slots: [Slot; N],
}

// SAFETY: records are touched by one thread at a time, in an order: RING-TURN.
unsafe impl<const N: usize> Sync for Ring<N> {}

impl<const N: usize> Ring<N> {
    // A ring of one slot would have one turn for "full" and for "free again".
    const POWER: () = assert!(N.is_power_of_two() && N > 1, "records: a power of two, and more than one");

    /// An empty one. An example is at [`Traced`](super::Traced).
    #[cfg(not(loom))]
    #[must_use]
    pub const fn new() -> Self {
        let () = Self::POWER;
        let slots = [const { Slot { turn: AtomicUsize::new(0), record: UnsafeCell::new(Record::EMPTY) } }; N];
        let [head, tail, dropped] = [const { Line(AtomicUsize::new(0)) }; 3];
        Self { head, tail, dropped, slots }
    }

    /// An empty one.
    #[cfg(loom)]
    #[must_use]
    pub fn new() -> Self {
        let () = Self::POWER;
        let slot = |_| Slot { turn: AtomicUsize::new(0), record: UnsafeCell::new(Record::EMPTY) };
        let line = || Line(AtomicUsize::new(0));
        Self { head: line(), tail: line(), dropped: line(), slots: core::array::from_fn(slot) }
    }

    /// The slot of a position, and how far its turn is ahead of the position: 0 for the writer, 1 for the reader.
    #[inline]
    fn slot(&self, position: usize) -> (&Slot, usize) {
        let index = position & (N - 1);
        let slot = &self.slots[index];
        let turn = slot.turn.load(Ordering::Acquire).wrapping_add(index);
        (slot, turn.wrapping_sub(position))
    }

    /// Whether `ahead` is that of a turn that has not come yet.
    const fn is_early(ahead: usize) -> bool {
        ahead.cast_signed() < 0
    }

    /// Writes a record; `false` if there is no room, which is counted. See [`pop`](Self::pop) for an example.
    pub fn push(&self, record: Record) -> bool {
        let tail = &self.tail.0;
        let mut position = tail.load(Ordering::Relaxed);
        loop {
            let (slot, ahead) = self.slot(position);
            if Self::is_early(ahead) {
                self.dropped.0.fetch_add(1, Ordering::Relaxed);
                return false;
            }
            if ahead != 0 {
                // Somebody has this position already.
                position = tail.load(Ordering::Relaxed);
                continue;
            }
            let next = position.wrapping_add(1);
            match tail.compare_exchange_weak(position, next, Ordering::Relaxed, Ordering::Relaxed) {
                Err(found) => position = found,
                Ok(_) => {
                    // SAFETY: RING-TURN: the position is ours.
                    slot.record.with_mut(|place| unsafe { place.write(record) });
                    slot.turn.store(next.wrapping_sub(position & (N - 1)), Ordering::Release);
                    return true;
                }
            }
        }
    }

    /// Takes the oldest record, if it is written.
    ///
    /// ```
    /// use stratalloc_modifiers::{Record, Ring};
    ///
    /// let ring = Ring::<2>::new();
    /// assert!(ring.push(Record::default()) && ring.push(Record::default()));
    /// assert!(!ring.push(Record::default()), "no room for a third");
    /// assert_eq!(ring.pop(), Some(Record::default()));
    /// assert_eq!((ring.written(), ring.read(), ring.dropped()), (2, 1, 1));
    /// ```
    pub fn pop(&self) -> Option<Record> {
        let head = &self.head.0;
        let mut position = head.load(Ordering::Relaxed);
        loop {
            let (slot, ahead) = self.slot(position);
            if Self::is_early(ahead.wrapping_sub(1)) {
                return None;
            }
            if ahead != 1 {
                position = head.load(Ordering::Relaxed);
                continue;
            }
            let next = position.wrapping_add(1);
            match head.compare_exchange_weak(position, next, Ordering::Relaxed, Ordering::Relaxed) {
                Err(found) => position = found,
                Ok(_) => {
                    // SAFETY: RING-TURN: the position is ours, and written.
                    let record = slot.record.with(|place| unsafe { place.read() });
                    let free = position.wrapping_add(N).wrapping_sub(position & (N - 1));
                    slot.turn.store(free, Ordering::Release);
                    return Some(record);
                }
            }
        }
    }

    /// Takes all records that are written, the oldest first, until there is none. An example is at [`Traced`](super::Traced).
    pub fn drain(&self) -> impl Iterator<Item = Record> + '_ {
        core::iter::from_fn(|| self.pop())
    }

    /// Records that found room, ever. Wraps, as the others do. An example is at [`pop`](Self::pop).
    #[must_use]
    pub fn written(&self) -> usize {
        self.tail.0.load(Ordering::Relaxed)
    }

    /// Records that were taken, ever. An example is at [`pop`](Self::pop).
    #[must_use]
    pub fn read(&self) -> usize {
        self.head.0.load(Ordering::Relaxed)
    }

    /// Records that found no room, ever. An example is at [`pop`](Self::pop).
    #[must_use]
    pub fn dropped(&self) -> usize {
        self.dropped.0.load(Ordering::Relaxed)
    }
}

impl<const N: usize> Default for Ring<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> TraceSink for Ring<N> {
    #[inline]
    fn record(&self, record: Record) -> bool {
        self.push(record)
    }
}

impl<const N: usize> fmt::Debug for Ring<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (written, read, dropped) = (self.written(), self.read(), self.dropped());
        f.debug_struct("Ring")
            .field("written", &written)
            .field("read", &read)
            .field("dropped", &dropped)
            .finish_non_exhaustive()
    }
}
