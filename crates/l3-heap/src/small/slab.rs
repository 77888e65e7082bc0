//! The record of a slab: 64 bytes, out of line, one per 16 KiB slice of the region.
//!
//! ```text
//! records  │ slab 0 │ slab 1 │ slab 2 │ …        64 B each, dense: a free touches one line of this array
//!              │         │
//! region   │ 16 KiB │ 16 KiB │ 16 KiB │ …        no header in the slice: blocks start at its base
//! ```
//!
//! A narrow slab is one slice. A wide one is four, described by the record of the first; the others are [`State::Body`], without an
//! owner, so that a free of a block there leaves the fast path and looks for the first.
//!
//! Life of a slab, as its owner sees it:
//! ```text
//!             chain taken            last block carved, chain used up
//!   slice ──► Current ──────────────► Full ── `wake` blocks came home ──► Partial ── all home ──► spare or slice
//!                ▲                                                           │
//!                └───────────────────── bin ran dry ─────────────────────────┘
//! ```
//!
//! Invariants (`in_free` = blocks in the list `free`; `out` = blocks carved, not in `free`: in use, in a bin, or on their way
//! home in `remote` or a ring)
//! - **S1** Only the thread that holds the owner heap touches the plain fields; `owner` itself changes only null→heap (adopt, new
//!   slab) or heap→null (depot, retire), by whoever has the slab exclusively; or heap→[`ORPHANED`] by the owner of a slab that just
//!   became Full, and [`ORPHANED`]→heap by one compare-and-swap of whoever holds a block of it.
//! - **S2** `carved = in_free + out` and `in_free = start - needed`.
//! - **S3** Current and Partial: `start = carved`, so `needed = out`, and 0 means that every block is home. Full: `start` is
//!   `wake` after the chain was taken, so 0 means that `wake` blocks came home.
//! - **S4** A Full slab is in no list; a Partial one is in exactly one: its owner's `partial[class]`, or the depot's (owner null).
//! - **S5** `class`, and with it the block size, is constant while any block is in use: whoever holds a block may read it.
//!
//! Slabs of class [`MIXED`](super::class::MIXED) hold blocks of several sizes; what the fields mean there, and what holds instead of S2
//! and S3, is in [`mixed`](super::mixed).

use core::cell::Cell;
use core::ptr;

use stratalloc_primitives::primitive::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering};

use super::class::{self, Class};
use super::remote::RemoteWord;
use super::thread_heap::ThreadHeap;

/// A free block: its first word links to the next one.
#[repr(C)]
pub(crate) struct Block {
    pub(crate) next: Cell<*mut Block>,
}

/// Where a slab is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum State {
    /// Not a slab: the slice is free, or part of a run or a medium block.
    None = 0,
    Current = 1,
    Full = 2,
    Partial = 3,
    /// Empty, kept by its heap for the next class that needs one.
    Spare = 4,
    /// Any slice but the first of a wide slab.
    Body = 5,
}

/// Record of one slice; valid when all bytes are zero.
#[repr(C, align(64))]
pub(crate) struct Slab {
    owner: AtomicPtr<ThreadHeap>,
    /// Blocks that came home, most recent first.
    pub(crate) free: Cell<*mut Block>,
    /// Blocks freed by other threads.
    pub(crate) remote: RemoteWord,
    /// Of a mixed slab: the units that are free.
    pub(crate) vacant: Cell<u64>,
    /// Of a mixed slab: the last unit of each block. Written by the owner, read by whoever holds a block.
    pub(crate) ends: AtomicU64,
    /// Neighbours in the partial list (slab number + 1), or the depot's link.
    pub(crate) next: AtomicU32,
    pub(crate) prev: Cell<u32>,
    /// Link of the mailbox that holds this record.
    pub(crate) mail: AtomicU32,
    /// Frees until somebody must look (S3).
    pub(crate) needed: Cell<u16>,
    /// Value of `needed` when it was last set; of a mixed slab the list that it is in.
    pub(crate) start: Cell<u16>,
    class: AtomicU8,
    state: AtomicU8,
    /// Blocks carved so far are `0..carved`.
    pub(crate) carved: Cell<u16>,
    /// Blocks that the usage statistics count as in use.
    pub(crate) counted: Cell<u16>,
    /// Never carved bytes read as zero.
    pub(crate) fresh: Cell<bool>,
    /// Blocks that came home went out again: the slab's owner frees here, too.
    reused: Cell<bool>,
}

// SAFETY: the plain fields are touched only by the thread that holds the owner heap (S1); the rest is atomic.
unsafe impl Sync for Slab {}

const _: () = assert!(size_of::<Slab>() == 64);

/// Its address stands for the owner of full slabs that wait for whoever frees a block of them; there is no heap behind it.
static ORPHANED: u8 = 0;

fn nobody() -> *mut ThreadHeap {
    (&raw const ORPHANED).cast_mut().cast::<ThreadHeap>()
}

impl Slab {
    /// The owning heap, null, or the mark of an orphan: for comparing.
    #[inline(always)]
    pub(crate) fn owner(&self) -> *mut ThreadHeap {
        self.owner.load(Ordering::Relaxed)
    }

    /// Hands the slab to `heap`, or to nobody (S1).
    pub(crate) fn set_owner(&self, heap: *const ThreadHeap) {
        self.owner.store(heap.cast_mut(), Ordering::Relaxed);
    }

    /// The owning heap.
    pub(crate) fn owning_heap(&self) -> Option<&'static ThreadHeap> {
        let owner = self.owner();
        if ptr::eq(owner, nobody()) {
            return None;
        }
        // SAFETY: null or a pooled heap, which is never unmapped (T4).
        unsafe { owner.as_ref() }
    }

    /// Whether the slab is full and waits for whoever frees a block of it next.
    pub(crate) fn is_orphan(&self) -> bool {
        ptr::eq(self.owner(), nobody())
    }

    /// Notes who is about to make this slab Full, in the link of lists that it will not be in.
    pub(crate) fn sign(&self, owner: &ThreadHeap) {
        self.next.store(owner.index.get(), Ordering::Relaxed);
    }

    /// The owner of a slab that has just become Full leaves it to whoever frees a block of it next, unless it was reclaimed since.
    pub(crate) fn orphan(&self, owner: &ThreadHeap) {
        let owner = ptr::from_ref(owner).cast_mut();
        // Release: the claimer goes on with the plain fields.
        let _ = self.owner.compare_exchange(owner, nobody(), Ordering::Release, Ordering::Relaxed);
    }

    /// Whether `heap` filled this orphan. A hint: the slab may be somebody else's by now.
    pub(crate) fn filled_by(&self, heap: &ThreadHeap) -> bool {
        self.next.load(Ordering::Relaxed) == heap.index.get()
    }

    /// Makes `heap` the owner of an orphan. The caller has a block of the slab in hand, so it cannot be reclaimed meanwhile.
    pub(crate) fn claim(&self, heap: &ThreadHeap) -> bool {
        let heap = ptr::from_ref(heap).cast_mut();
        self.owner.compare_exchange(nobody(), heap, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Notes that blocks which came home go out again.
    pub(crate) fn note_reuse(&self) {
        self.reused.set(true);
    }

    /// Whether blocks of this slab went out a second time.
    pub(crate) fn was_reused(&self) -> bool {
        self.reused.get()
    }

    /// The class; meaningful while the slab is one (S5).
    #[inline]
    pub(crate) fn class(&self) -> usize {
        self.class.load(Ordering::Relaxed) as usize
    }

    /// Facts of the class.
    #[inline]
    pub(crate) fn facts(&self) -> &'static Class {
        class::facts(self.class())
    }

    #[inline]
    pub(crate) fn state(&self) -> State {
        // Acquire for `remote::send`, which looks at other heaps' slabs; free on x86.
        match self.state.load(Ordering::Acquire) {
            1 => State::Current,
            2 => State::Full,
            3 => State::Partial,
            4 => State::Spare,
            5 => State::Body,
            _ => State::None,
        }
    }

    #[inline]
    pub(crate) fn set_state(&self, state: State) {
        self.state.store(state as u8, Ordering::Release);
    }

    /// True for a slice that is cut into blocks; readable by whoever holds a block in it (S5).
    #[inline]
    pub(crate) fn is_slab(&self) -> bool {
        self.state.load(Ordering::Relaxed) != State::None as u8
    }

    /// Size of the blocks of a slab that has but one; readable by whoever holds a block in it (S5). Of a wide slab this says nothing.
    #[inline(always)]
    pub(crate) fn one_size(&self) -> Option<usize> {
        let state = self.state.load(Ordering::Relaxed);
        let none = state == State::None as u8 || state == State::Body as u8 || self.class() == class::MIXED;
        if none { None } else { Some(self.facts().size as usize) }
    }

    /// Blocks in `free` (S2).
    #[inline]
    pub(crate) fn in_free(&self) -> u32 {
        u32::from(self.start.get().wrapping_sub(self.needed.get()))
    }

    /// Starts a life as a slab of `class`. `fresh`: the slice reads as zero.
    pub(crate) fn begin(&self, class: usize, fresh: bool) {
        // The remote word is left alone: its token may outlive the slab (rule R2 of `remote`).
        #[allow(clippy::cast_possible_truncation, reason = "class numbers are below 128")]
        self.class.store(class as u8, Ordering::Relaxed);
        self.set_state(State::Current);
        self.free.set(ptr::null_mut());
        self.count_from(0);
        self.carved.set(0);
        self.counted.set(0);
        self.fresh.set(fresh);
        self.reused.set(false);
    }

    /// Of a mixed slab: how many units are vacant. 0 for any other.
    pub(crate) fn vacant_units(&self) -> u32 {
        if self.class() == class::MIXED { self.vacant.get().count_ones() } else { 0 }
    }

    /// Starts a countdown of so many frees.
    pub(crate) fn count_from(&self, frees: u16) {
        self.start.set(frees);
        self.needed.set(frees);
    }

    /// So many blocks came home.
    #[allow(clippy::cast_possible_truncation, reason = "a slab holds at most 1024 blocks")]
    pub(crate) fn count_down(&self, blocks: u32) {
        self.needed.set(self.needed.get().wrapping_sub(blocks as u16));
    }

    /// Takes all of `free` for a bin; the slab is Current afterwards. Returns the chain and its length.
    pub(crate) fn take_chain(&self) -> (*mut Block, u32) {
        self.reused.set(true);
        let chain = self.free.replace(ptr::null_mut());
        let length = self.in_free();
        self.count_from(self.carved.get());
        (chain, length)
    }

    /// One block of the owner comes home; true when somebody must look.
    #[inline(always)]
    pub(crate) fn push_local(&self, block: *mut Block) -> bool {
        // SAFETY: the caller frees `block`, so it is writable and nobody else uses it.
        let block_ref = unsafe { &*block };
        block_ref.next.set(self.free.get());
        self.free.set(block);
        let needed = self.needed.get().wrapping_sub(1);
        self.needed.set(needed);
        needed == 0
    }
}
