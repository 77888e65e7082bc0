//! [`Replica`]: one copy of a value, in two slots by turns; many readers, one writer at a time.
//!
//! ```text
//!   current │ entries since the turn : 63 │ slot : 1 │          left[0]   left[1]      departures per slot, a cache line away
//!                                            │
//!                 ┌──────────────────────────┴───┐
//!   slots[0] │ value, version 7 │      slots[1] │ value, version 8 │      readers enter the one that `current` names
//!
//!   turn:  old = current.swap(other slot, 0 entries)   then `old.slot` is quiet once left[old.slot] == old.entries
//! ```
//!
//! A reader's entry and the writer's turn are read-modify-writes of one word, so each entry is counted for the slot that it got, and a turn
//! learns exactly how many there were. No reader repeats anything, and none waits.
//!
//! # Invariants
//!
//! * **REPLICA-WRITER** [`stage`](Replica::stage) and [`turn`](Replica::turn) are called by one thread at a time, and the next one
//!   sees what the last one did. (Caller: a lock.)
//! * **REPLICA-SPARE** The slot that `current` does not name is written only while it is quiet: as many readers have left it as entered it.
//! * **REPLICA-FULL** The slot that `current` names holds a value.
//! * **REPLICA-RMW** `current` and `left` change by read-modify-write; only a quiet spare slot's `left` is stored to.
//!
//! # Memory ordering
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | `enter`: `current` add | **acquire** | `turn` swap, by REPLICA-RMW past other readers | the value in the slot, and its `left` set to 0 |
//! | `leave`: `left` add | **release** | `is_quiet` load | the reader's last look at the value |
//! | `is_quiet`: `left` load | **acquire** | `leave` of every reader (REPLICA-RMW) | the right to write into the slot |
//! | `stage`: `left` store 0 | relaxed | – | carried by the swap |
//! | `turn`: `current` swap | **release** | `enter` | the value |
//! | the writer's own look at `current` | relaxed | – | it wrote the slot's bit itself (REPLICA-WRITER) |
//!
//! # No ABA
//!
//! A reader keeps no value of `current` beyond its own add. Entries and departures are counted from 0 after each turn; 63 bits do not wrap.
//!
//! # Progress
//!
//! `enter` and `leave` are wait-free. The writer waits for readers of the slot that it wants: those of the version before the last one.

use stratalloc_primitives::const_unless_loom;
use stratalloc_primitives::primitive::atomic::{AtomicU64, Ordering};
use stratalloc_primitives::primitive::cell::UnsafeCell;

/// What a reader adds to `current`: one entry, above the slot's bit.
const ENTRY: u64 = 2;
const SLOT: u64 = 1;

/// A line of its own, so that entries and departures do not share one with each other or with the values.
#[repr(align(128))]
#[derive(Debug)]
struct Padded<T>(T);

/// One copy, and the one that is made next; see the [module](self).
#[derive(Debug)]
pub(crate) struct Replica<T> {
    current: Padded<AtomicU64>,
    left: Padded<[AtomicU64; 2]>,
    slots: [UnsafeCell<Option<T>>; 2],
    /// How many entered each slot before the turn that left it. The writer's.
    entered: UnsafeCell<[u64; 2]>,
}

impl<T> Replica<T> {
    const_unless_loom! {
        /// A copy whose readers find `value`.
        pub(crate) fn new(value: T) -> Self {
            Self {
                current: Padded(AtomicU64::new(0)),
                left: Padded([AtomicU64::new(0), AtomicU64::new(0)]),
                slots: [UnsafeCell::new(Some(value)), UnsafeCell::new(None)],
                entered: UnsafeCell::new([0, 0]),
            }
        }
    }

    /// Enters the present slot, which stays as it is until the [`leave`](Self::leave) with the same number.
    #[inline]
    pub(crate) fn enter(&self) -> usize {
        // Acquire: the value that the turn released.
        slot_of(self.current.0.fetch_add(ENTRY, Ordering::Acquire))
    }

    /// Leaves a slot; once for each entry.
    #[inline]
    pub(crate) fn leave(&self, slot: usize) {
        // Release: this reader is done with the value before the writer sees that it left.
        self.left.0[slot & 1].fetch_add(1, Ordering::Release);
    }

    /// Shows the slot's value. For those who entered it, and for the writer. `None` never for a reader (REPLICA-FULL).
    #[inline]
    pub(crate) fn with<R>(&self, slot: usize, f: impl FnOnce(*const Option<T>) -> R) -> R {
        self.slots[slot & 1].with(f)
    }

    /// The writer's: the slot that readers enter now.
    pub(crate) fn present(&self) -> usize {
        slot_of(self.current.0.load(Ordering::Relaxed))
    }

    /// The writer's: whether nobody is in the spare slot any more.
    ///
    /// # Safety
    ///
    /// REPLICA-WRITER.
    pub(crate) unsafe fn is_quiet(&self) -> bool {
        let spare = 1 - self.present();
        // SAFETY: only the writer touches it, and that is the caller.
        let entered = self.entered.with(|entered| unsafe { (*entered)[spare] });
        // Acquire: what the readers looked at may be written to from here on.
        self.left.0[spare].load(Ordering::Acquire) == entered
    }

    /// The writer's: puts `value`, or nothing, into the spare slot, and returns what was there.
    ///
    /// # Safety
    ///
    /// REPLICA-WRITER, and [`is_quiet`](Self::is_quiet) said so since the last turn.
    pub(crate) unsafe fn stage(&self, value: Option<T>) -> Option<T> {
        let spare = 1 - self.present();
        self.left.0[spare].store(0, Ordering::Relaxed);
        // SAFETY: as in `is_quiet`.
        self.entered.with_mut(|entered| unsafe { (*entered)[spare] = 0 });
        // SAFETY: nobody else is in the spare slot: REPLICA-SPARE.
        self.slots[spare].with_mut(|slot| unsafe { core::mem::replace(&mut *slot, value) })
    }

    /// The writer's: from now on readers enter the slot that was staged.
    ///
    /// # Safety
    ///
    /// REPLICA-WRITER, and [`stage`](Self::stage) put a value there since the last turn.
    pub(crate) unsafe fn turn(&self) {
        let present = self.present();
        let next = SLOT ^ u64::try_from(present).unwrap_or(0);
        // Release: the value and the reset of `left`, for everybody who enters from here on.
        let old = self.current.0.swap(next, Ordering::Release);
        // SAFETY: as in `is_quiet`.
        self.entered.with_mut(|entered| unsafe { (*entered)[present] = old / ENTRY });
    }
}

#[inline]
fn slot_of(word: u64) -> usize {
    usize::from(word & SLOT != 0)
}
