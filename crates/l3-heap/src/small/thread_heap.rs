//! A thread's heap: bins of free blocks, the slabs they come from, and the mail that other threads send.
//!
//! ```text
//!   thread ──► slot (one thread-local word) ──► ThreadHeap (one page, out of line, pooled for ever)
//!                                               bins[class]    chain of free blocks of …
//!                                               cur[class]     … this slab
//!                                               partial[class] slabs with room, doubly linked
//!                                               mailbox        records with blocks that others freed
//!                                               rings          blocks of others, not yet published
//! ```
//!
//! Two heaps are statics with empty bins. [`EMPTY`] serves every thread before its first allocation and [`EXITED`] after its exit
//! hook ran: both make every request miss and own no slab, so the fast paths need no test for either. Neither is
//! ever written to.
//!
//! Invariants
//! - **T1** A heap is held by exactly one of: the thread whose slot points to it, the holder of a [`Borrowed`](super::pool::Borrowed),
//!   the holder of a shard's lock (independent heaps), or the pool. Only the holder touches its plain fields.
//! - **T2** Every block in `bins[c]` belongs to slab `cur[c]`, which is Current and owned by this heap, and is counted as out by it. Of the
//!   classes of mixed slabs one bin, that of `kept`, may hold one block of any such slab of this heap.
//! - **T3** While `busy` is set, the holder is inside a slow path: a signal handler on the same thread uses another heap.
//! - **T4** Thread heaps are never unmapped: a late push on a mailbox is always safe.

use core::cell::Cell;
use core::ptr;

use stratalloc_primitives::lockfree::Mailbox;
use stratalloc_primitives::primitive::atomic::{AtomicU8, AtomicU32, Ordering};

use super::class::{self, BINS};
use super::ring::Rings;
use super::slab::{Block, Slab};
use crate::layout::{SLICE, SLICE_SHIFT};

/// What a heap pointer stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// The thread has not allocated yet. Zero, so that the static takes no room in the library's file.
    Empty = 0,
    /// The thread's exit hook ran.
    Exited = 1,
    /// A real heap.
    Live = 2,
}

/// A heap's own copy of the region's geometry. It spares the fast paths atomic loads, which compilers do not fold into other
/// instructions; in the two statics `size` is 0, so that every pointer fails the range test and takes the slow path.
#[repr(C)]
pub(crate) struct View {
    pub(crate) base: Cell<usize>,
    pub(crate) size: Cell<usize>,
    /// Address of the first slab record.
    pub(crate) records: Cell<usize>,
}

/// The state of one thread's allocations; valid when all bytes are zero.
#[repr(C, align(64))]
pub(crate) struct ThreadHeap {
    /// The region as `free` sees it.
    pub(crate) view: View,
    /// Free blocks per class, ready to hand out.
    bins: [Cell<*mut Block>; BINS],
    /// Slab (number + 1) whose blocks are in the bin.
    cur: [Cell<u32>; BINS],
    /// Slabs (number + 1) with room, most recent first.
    partial: [Cell<u32>; BINS],
    /// Blocks that were put into bins, per class, since the heap exists.
    handed: [Cell<u64>; BINS],
    /// Requests per class that were served by another one, since the heap has its thread.
    shared: [Cell<u8>; BINS],
    /// One empty slab (number + 1).
    pub(crate) spare: Cell<u32>,
    /// Refills so far: the clock of everything that happens now and then.
    pub(crate) ticks: Cell<u32>,
    /// Which lists of mixed slabs have one ([`room`](super::class::room)).
    pub(crate) rooms: Cell<u32>,
    /// The class whose bin holds a block of a mixed slab, or held one until it was taken.
    pub(crate) kept: Cell<usize>,
    /// Full slabs (number + 1) that woke while the heap was busy, linked by `prev`.
    pub(crate) missed: Cell<u32>,
    /// Change of live bytes not yet added to the global figure.
    pub(crate) live_delta: Cell<isize>,
    /// Chains and blocks published to other threads' slabs.
    pub(crate) remote_batches: Cell<u64>,
    pub(crate) remote_blocks: Cell<u64>,
    /// Number in the pool.
    pub(crate) index: Cell<u32>,
    /// Family of the independent heap that this one serves; 0 is the process heap. Atomic because who frees a block of another
    /// heap's slab asks.
    family: AtomicU32,
    pub(crate) busy: Cell<bool>,
    kind: Cell<Kind>,
    /// Slabs of this heap that others reclaimed: their records may still lie in the mailbox.
    pub(crate) reclaimed: AtomicU32,
    /// In the pool: nobody looks into its mailbox unless told.
    pub(crate) pooled: AtomicU8,
    /// Link of the pool's stacks.
    pub(crate) next: AtomicU32,
    /// Records with blocks that other threads freed; on its own line, since others write it.
    pub(crate) mailbox: Aligned<Mailbox>,
    /// Blocks of other threads' slabs. Last: threads that free only what they made never touch the second page.
    pub(crate) rings: Rings,
}

/// A value on a cache line of its own.
#[repr(align(64))]
pub(crate) struct Aligned<T>(pub(crate) T);

// SAFETY: plain fields are touched only by the holder (T1); the statics are never written; the rest is atomic.
unsafe impl Sync for ThreadHeap {}

impl ThreadHeap {
    /// Distance between heaps in the pool, in bytes; the second half holds most of the rings.
    pub(crate) const STRIDE: usize = 8192;

    const fn fixed(kind: Kind) -> Self {
        Self {
            view: View { base: Cell::new(0), size: Cell::new(0), records: Cell::new(0) },
            bins: [const { Cell::new(ptr::null_mut()) }; BINS],
            cur: [const { Cell::new(0) }; BINS],
            partial: [const { Cell::new(0) }; BINS],
            handed: [const { Cell::new(0) }; BINS],
            shared: [const { Cell::new(0) }; BINS],
            spare: Cell::new(0),
            ticks: Cell::new(0),
            rooms: Cell::new(0),
            kept: Cell::new(0),
            missed: Cell::new(0),
            live_delta: Cell::new(0),
            remote_batches: Cell::new(0),
            remote_blocks: Cell::new(0),
            index: Cell::new(0),
            family: AtomicU32::new(0),
            busy: Cell::new(false),
            kind: Cell::new(kind),
            reclaimed: AtomicU32::new(0),
            pooled: AtomicU8::new(0),
            next: AtomicU32::new(0),
            mailbox: Aligned(Mailbox::new()),
            rings: Rings::new(),
        }
    }

    /// Turns zeroed memory into heap number `index` of the pool.
    pub(crate) fn begin(&self, index: u32) {
        self.index.set(index);
        self.kind.set(Kind::Live);
    }

    /// Family of the independent heap that this one serves; 0 is the process heap. Constant while any slab is the heap's.
    #[inline]
    pub(crate) fn family(&self) -> u32 {
        self.family.load(Ordering::Relaxed)
    }

    /// Makes the heap, which owns no slab, serve another family.
    pub(crate) fn set_family(&self, family: u32) {
        self.family.store(family, Ordering::Relaxed);
    }

    /// What this heap stands for.
    #[inline]
    pub(crate) fn kind(&self) -> Kind {
        self.kind.get()
    }

    /// Record of the slice that holds `ptr`, if `ptr` lies in the region as this heap sees it.
    #[inline(always)]
    pub(crate) fn record_of(&self, ptr: *const u8) -> Option<&'static Slab> {
        let offset = ptr.addr().wrapping_sub(self.view.base.get());
        if offset < self.view.size.get() { Some(self.record_at(offset)) } else { None }
    }

    /// Record of the slice at `offset`.
    #[inline(always)]
    fn record_at(&self, offset: usize) -> &'static Slab {
        let distance = (offset >> SLICE_SHIFT) * size_of::<Slab>();
        let record = ptr::with_exposed_provenance::<Slab>(in_register(self.view.records.get() + distance));
        // SAFETY: the offset lies in the region, which has a record per slice: mapped, zero-initialised, never unmapped.
        unsafe { &*record }
    }

    /// The bin of `class`.
    #[inline(always)]
    pub(crate) fn bin(&self, class: usize) -> &Cell<*mut Block> {
        debug_assert!(class < BINS);
        // SAFETY: classes come from `class::of*`, which yield less than `CLASSES <= BINS`.
        unsafe { self.bins.get_unchecked(class) }
    }

    /// Puts a block that its caller frees by size straight into the bin of `class`, if it lies in the same slab as the block in
    /// front: then it belongs there (T2), whoever asks. A temporary object comes and goes without a look at its record, and no
    /// other slab is kept from becoming empty. (A bin that takes blocks of any slab was measured: temporaries gain no more, and
    /// frees in random order lose 50 %, because each slab has a block caught there.)
    #[inline(always)]
    pub(crate) fn push_sized(&self, class: usize, block: *mut Block) -> bool {
        let bin = self.bin(class);
        let front = bin.get();
        if front.addr() ^ block.addr() >= SLICE {
            return false;
        }
        // SAFETY: the caller frees `block`: it is writable and nobody else uses it.
        let block_ref = unsafe { &*block };
        block_ref.next.set(front);
        bin.set(block);
        true
    }

    /// Slab (number + 1) whose blocks are in the bin of `class`.
    #[inline]
    pub(crate) fn cur(&self, class: usize) -> &Cell<u32> {
        &self.cur[class % BINS]
    }

    /// Head (number + 1) of the partial list of `class`.
    #[inline]
    pub(crate) fn partial(&self, class: usize) -> &Cell<u32> {
        &self.partial[class % BINS]
    }

    /// Blocks of `class` that were put into the bin so far.
    #[inline]
    pub(crate) fn handed(&self, class: usize) -> &Cell<u64> {
        &self.handed[class % BINS]
    }

    /// Requests of `class` that were served by another class.
    #[inline]
    pub(crate) fn shared(&self, class: usize) -> &Cell<u8> {
        &self.shared[class % BINS]
    }

    /// Pops a block of a class that may be one of mixed slabs, or null. Their bins are not for a signal handler that interrupted a slow path, which may be
    /// about to take the block home (M3 in [`mixed`](super::mixed)).
    #[inline]
    pub(crate) fn pop_any(&self, class: usize) -> *mut Block {
        if class::is_mixed(class) && self.busy.get() { ptr::null_mut() } else { self.pop(class) }
    }

    /// Pops a block of `class`, or null.
    #[inline(always)]
    pub(crate) fn pop(&self, class: usize) -> *mut Block {
        let bin = self.bin(class);
        let block = bin.get();
        if !block.is_null() {
            // SAFETY: a bin holds free blocks of a slab that this heap owns (T2); they are linked by their first word.
            bin.set(unsafe { &*block }.next.get());
        }
        block
    }
}

/// The same number, computed once: compilers else keep base and distance apart and add them in every access that follows, which makes
/// each of them longer.
#[inline(always)]
fn in_register(number: usize) -> usize {
    #[cfg(miri)]
    return number;
    #[cfg(not(miri))]
    {
        let mut number = number;
        // SAFETY: no instruction at all; the number stays what it is.
        unsafe {
            core::arch::asm!("/* {0} */", inout(reg) number, options(pure, nomem, nostack, preserves_flags));
        }
        number
    }
}

const _: () = assert!(size_of::<ThreadHeap>() <= ThreadHeap::STRIDE);

/// The heap of threads that have not allocated yet.
pub(crate) static EMPTY: ThreadHeap = ThreadHeap::fixed(Kind::Empty);
/// The heap of threads whose exit hook ran.
pub(crate) static EXITED: ThreadHeap = ThreadHeap::fixed(Kind::Exited);

#[cfg(feature = "initial-exec-tls")]
stratalloc_platform::thread_slot_initial_exec! {
    pub(super) mod slot("stratalloc_thread_heap"): crate::small::thread_heap::ThreadHeap = crate::small::thread_heap::EMPTY
}
#[cfg(not(feature = "initial-exec-tls"))]
stratalloc_platform::thread_slot_portable! {
    pub(super) mod slot: crate::small::thread_heap::ThreadHeap = crate::small::thread_heap::EMPTY
}

/// The heap of the current thread; never null.
#[inline(always)]
pub(crate) fn current() -> &'static ThreadHeap {
    // SAFETY: the slot holds the address of a static or of a pooled heap, both alive for ever (T4).
    unsafe { &*slot::get() }
}

/// Makes `heap` the current thread's.
pub(crate) fn set_current(heap: &'static ThreadHeap) {
    slot::set(heap);
}
