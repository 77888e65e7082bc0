//! [`Replica`]: one copy of a value, in two slots by turns; many readers, one writer at a time.
//!
//! ```text
//!   stripe 0 │ current: entries since the turn : 63 │ slot : 1 │ left[0] │ left[1] │      departures per slot
//!   stripe 1 │ current                                     │   │ left[0] │ left[1] │      a line for the readers of each stripe
//!   …                                                      │
//!                 ┌────────────────────────────────────────┴──┐
//!   slots[0] │ value, version 7 │             slots[1] │ value, version 8 │      readers enter the one that `current` names
//!
//!   turn:  for each stripe: old = current.swap(other slot, 0 entries)
//!          then `old.slot` is quiet once left[old.slot] == old.entries in every stripe
//! ```
//!
//! Readers of different stripes write different lines. Stripes turn one after the other: what one reader sees goes back never, as long as it stays
//! with its stripe; readers of two stripes may see two versions meanwhile. A reader's entry and the writer's turn are read-modify-writes of one word, so each entry is counted for the slot that it got, and a turn
//! learns exactly how many there were. No reader repeats anything, and none waits.
//!
//! # Invariants
//!
//! * **REPLICA-WRITER** [`stage`](Replica::stage) and [`turn`](Replica::turn) are called by one thread at a time, and the next one
//!   sees what the last one did. (Caller: a lock.)
//! * **REPLICA-SPARE** The slot that no stripe's `current` names (between two turns they agree) is written only while it is quiet: in each stripe as
//!   many readers have left it as entered it.
//! * **REPLICA-FULL** A slot that a stripe's `current` names holds a value.
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

/// Stripes of a replica: as many readers count themselves without disturbing each other.
pub(crate) const STRIPES: usize = if cfg!(loom) { 2 } else { 8 };

/// The counters of some of the readers, on lines of their own.
#[repr(align(128))]
#[derive(Debug)]
struct Stripe {
    current: AtomicU64,
    left: [AtomicU64; 2],
    /// How many entered each slot before the turn that left it. The writer's.
    entered: UnsafeCell<[u64; 2]>,
}

impl Stripe {
    const_unless_loom! {
        fn new() -> Self {
            Self {
                current: AtomicU64::new(0),
                left: [AtomicU64::new(0), AtomicU64::new(0)],
                entered: UnsafeCell::new([0, 0]),
            }
        }
    }
}

/// One copy, and the one that is made next; see the [module](self).
#[derive(Debug)]
pub(crate) struct Replica<T> {
    stripes: [Stripe; STRIPES],
    slots: [UnsafeCell<Option<T>>; 2],
}

impl<T> Replica<T> {
    /// A copy whose readers find `value`.
    pub(crate) fn new(value: T) -> Self {
        Self {
            stripes: core::array::from_fn(|_| Stripe::new()),
            slots: [UnsafeCell::new(Some(value)), UnsafeCell::new(None)],
        }
    }

    /// Enters the stripe's present slot, which stays as it is until the [`leave`](Self::leave) with the same numbers.
    #[inline]
    pub(crate) fn enter(&self, stripe: usize) -> usize {
        // Acquire: the value that the turn released.
        slot_of(self.stripes[stripe % STRIPES].current.fetch_add(ENTRY, Ordering::Acquire))
    }

    /// Leaves a slot; once for each entry.
    #[inline]
    pub(crate) fn leave(&self, stripe: usize, slot: usize) {
        // Release: this reader is done with the value before the writer sees that it left.
        self.stripes[stripe % STRIPES].left[slot & 1].fetch_add(1, Ordering::Release);
    }

    /// Shows the slot's value. For those who entered it, and for the writer. `None` never for a reader (REPLICA-FULL).
    #[inline]
    pub(crate) fn with<R>(&self, slot: usize, f: impl FnOnce(*const Option<T>) -> R) -> R {
        self.slots[slot & 1].with(f)
    }

    /// The writer's: the slot that readers enter now.
    pub(crate) fn present(&self) -> usize {
        slot_of(self.stripes[0].current.load(Ordering::Relaxed))
    }

    /// The writer's: whether nobody is in the spare slot any more.
    ///
    /// # Safety
    ///
    /// REPLICA-WRITER.
    pub(crate) unsafe fn is_quiet(&self) -> bool {
        let spare = 1 - self.present();
        self.stripes.iter().all(|stripe| {
            // SAFETY: only the writer touches it, and that is the caller.
            let entered = stripe.entered.with(|entered| unsafe { (*entered)[spare] });
            // Acquire: what the readers looked at may be written to from here on.
            stripe.left[spare].load(Ordering::Acquire) == entered
        })
    }

    /// The writer's: puts `value`, or nothing, into the spare slot, and returns what was there.
    ///
    /// # Safety
    ///
    /// REPLICA-WRITER, and [`is_quiet`](Self::is_quiet) said so since the last turn.
    pub(crate) unsafe fn stage(&self, value: Option<T>) -> Option<T> {
        let spare = 1 - self.present();
        for stripe in &self.stripes {
            stripe.left[spare].store(0, Ordering::Relaxed);
            // SAFETY: as in `is_quiet`.
            stripe.entered.with_mut(|entered| unsafe { (*entered)[spare] = 0 });
        }
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
        for stripe in &self.stripes {
            // Release: the value and the reset of `left`, for everybody who enters from here on.
            let old = stripe.current.swap(next, Ordering::Release);
            // SAFETY: as in `is_quiet`.
            stripe.entered.with_mut(|entered| unsafe { (*entered)[present] = old / ENTRY });
        }
    }
}

#[inline]
fn slot_of(word: u64) -> usize {
    usize::from(word & SLOT != 0)
}
