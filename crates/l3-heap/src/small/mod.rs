//! The small domain: requests up to 1 MiB.
//!
//! Up to 32 KiB from slabs, through bins that hold chains of free blocks; above from runs of granules. The fast halves live in
//! [`crate::api`]; here are the slow ones.
//!
//! - [`class`]: sizes to classes. [`slab`]: the record of a slab. [`mixed`]: slabs of blocks of several sizes. [`thread_heap`]: bins, and how a thread reaches them.
//! - [`refill`]: a bin runs dry. [`home`]: blocks come home. [`mod@slice`]: slabs come from and go to the region.
//! - [`remote`]: the protocol of remote frees. [`ring`]: batching them. [`free`]: the freeing side.
//! - [`depot`]: slabs that nobody owns. [`pool`]: heaps that nobody holds. [`exit`]: what a heap gives up before that.
//! - [`run`]: 32 KiB to 1 MiB.

pub(crate) mod class;
pub(crate) mod depot;
pub(crate) mod exit;
pub(crate) mod free;
pub(crate) mod home;
pub(crate) mod mixed;
pub(crate) mod pool;
pub(crate) mod refill;
pub(crate) mod remote;
pub(crate) mod ring;
pub(crate) mod run;
pub(crate) mod slab;
pub(crate) mod slice;
pub(crate) mod thread_heap;

use core::ptr;
use core::sync::atomic::{Ordering, compiler_fence};

use stratalloc_primitives::lockfree::link;

use self::pool::Borrowed;
use self::refill::Refilled;
use self::thread_heap::{Kind, ThreadHeap, current};

/// Runs `f` with the current thread's own heap marked busy; `None` when the thread has none to use now.
pub(crate) fn with_own_heap<R>(f: impl FnOnce(&'static ThreadHeap) -> R) -> Option<R> {
    let mut heap = current();
    match heap.kind() {
        Kind::Live if !heap.busy.get() => {}
        Kind::Live | Kind::Exited => return None,
        Kind::Empty => heap = pool::attach()?,
    }
    Some(busy(heap, f))
}

/// Runs `f` with `heap` marked busy (T3), after what a signal handler may have left to do.
pub(crate) fn busy<R>(heap: &'static ThreadHeap, f: impl FnOnce(&'static ThreadHeap) -> R) -> R {
    heap.busy.set(true);
    compiler_fence(Ordering::SeqCst);
    if heap.missed.get() != link::END {
        home::missed_events(heap);
    }
    let result = f(heap);
    compiler_fence(Ordering::SeqCst);
    heap.busy.set(false);
    result
}

/// Takes a block of `class` from `heap`: its address, and whether all but its first word reads as zero. In a class of mixed slabs it is
/// aligned to `align`; in any other as its size is.
pub(crate) fn take_from(heap: &'static ThreadHeap, class: usize, align: usize) -> Option<(*mut u8, bool)> {
    let mixed = class::is_mixed(class);
    let block = if mixed && align > class::UNIT { ptr::null_mut() } else { heap.pop(class) };
    let Refilled { block, zero } = if !block.is_null() {
        Refilled { block, zero: false }
    } else if mixed {
        mixed::take(heap, class, align)?
    } else {
        refill::refill(heap, class)?
    };
    Some((block.cast(), zero))
}

/// Takes a block of `class` by the slow path. See [`take_from`].
pub(crate) fn take(class: usize, align: usize) -> Option<(*mut u8, bool)> {
    match with_own_heap(|heap| take_from(heap, class, align)) {
        Some(taken) => taken,
        None => busy(Borrowed::new()?.heap(), |heap| take_from(heap, class, align)),
    }
}

/// Gives up what the current thread and the pool keep for later.
pub(crate) fn collect() {
    let all = |heap: &'static ThreadHeap| {
        free::publish_rings(heap);
        exit::surrender(heap);
        pool::reap_all();
        depot::sweep(heap);
        exit::surrender(heap);
    };
    if current().kind() == Kind::Empty {
        // Nothing to give up, and no reason to make a heap.
        return;
    }
    if with_own_heap(all).is_none()
        && let Some(borrowed) = Borrowed::new()
    {
        busy(borrowed.heap(), all);
    }
}
