//! The pool of thread heaps: where a thread gets one, and where it leaves it.
//!
//! ```text
//!             attach                       exit hook
//!   pool ───────────────► held by a thread ──────────► cold stack
//!     ▲                                     │             │   ▲ reap
//!     ├───────────────────── attach, borrow ┼─────────────┤   │
//!     └──────────────── end of a borrowing ─┴ if few ── warm stack
//! ```
//!
//! The heaps of the last [`KEPT_HEAPS`] threads that ended wait whole on the **warm** stack, with at most [`KEPT_BYTES`] in slabs each, and the
//! next threads go on with them: a program that starts a thread per task finds its bins filled. Every other exiting thread
//! surrenders what its heap holds: empty slabs go to the region, slabs with room to the depot, where any thread finds them; the empty heap goes
//! to the **cold** stack. (Without these bounds a heap collects a slab of each class: docs/experiments/thread-exit.md.)
//! Slabs whose blocks are all in use stay the heap's own; those blocks come home through its mailbox. Whoever is about to touch new
//! memory takes what waits in both stacks first (**reap**). Heaps are never freed (T4).
//!
//! A thread without a heap of its own, because its exit hook has run or because it was interrupted inside a slow path, borrows
//! one from the pool for a single operation and leaves it on the warm stack, slabs included, for the next such call. So late
//! calls never build a heap that nobody tears down.

use core::ffi::c_void;
use core::mem::ManuallyDrop;
use core::ptr;

use stratalloc_platform::thread::{self, ExitHook};
use stratalloc_primitives::lockfree::{IndexStack, link};
use stratalloc_primitives::primitive::atomic::{AtomicU32, Ordering, fence};

use super::thread_heap::{EXITED, Kind, ThreadHeap, current, set_current};
use super::{exit, free, home};
use crate::region;

static WARM: IndexStack = IndexStack::new();
static COLD: IndexStack = IndexStack::new();
/// Heaps on the warm stack, and those about to join it. A fork may catch one in between: then the child keeps one heap less.
static KEPT: AtomicU32 = AtomicU32::new(0);
/// An ending thread leaves its heap whole if fewer than so many are waiting.
const KEPT_HEAPS: u32 = 2;
/// What the slabs of such a heap may take, in bytes. All of them together hold no more than the dirty memory that is never purged.
const KEPT_BYTES: usize = 1 << 20;
/// Heaps that were shards: they own no slab at all.
static RETIRED: IndexStack = IndexStack::new();
/// Heaps ever made; numbers below it are valid.
static MADE: AtomicU32 = AtomicU32::new(0);
/// Mail that arrived in heaps of the pool since the cold ones were last looked through.
static POOL_MAIL: AtomicU32 = AtomicU32::new(0);
static EXIT: ExitHook = ExitHook::new();

fn pop(stack: &IndexStack) -> Option<&'static ThreadHeap> {
    if stack.is_empty() {
        return None;
    }
    stack.pop(|index| region::heap(index).next.load(Ordering::Relaxed)).map(region::heap)
}

fn push(stack: &IndexStack, heap: &'static ThreadHeap) {
    stack.push(heap.index.get(), |next| heap.next.store(next, Ordering::Relaxed));
}

/// The heap that was kept last.
fn pop_warm() -> Option<&'static ThreadHeap> {
    let heap = pop(&WARM)?;
    KEPT.fetch_sub(1, Ordering::Relaxed);
    Some(heap)
}

/// A heap nobody holds. `None`: out of memory.
fn acquire() -> Option<&'static ThreadHeap> {
    let heap = match pop_warm().or_else(|| pop(&COLD)) {
        Some(heap) => heap,
        None => make()?,
    };
    heap.pooled.store(0, Ordering::Relaxed);
    Some(heap)
}

/// A new heap.
pub(crate) fn make() -> Option<&'static ThreadHeap> {
    if !region::ready() {
        return None;
    }
    // The memory first: whoever counts to `MADE` reads every heap below it.
    let mut index = MADE.load(Ordering::Relaxed);
    let heap = loop {
        let heap = region::heap_slot(index)?;
        match MADE.compare_exchange(index, index + 1, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => break heap,
            Err(now) => index = now,
        }
    };
    heap.begin(index);
    region::view(&heap.view);
    Some(heap)
}

/// Gives a heap back to the pool; nothing of it waits in rings afterwards.
fn give_back(heap: &'static ThreadHeap) {
    free::publish_rings(heap);
    crate::usage::flush(heap);
    heap.pooled.store(1, Ordering::Relaxed);
    push(&WARM, heap);
}

/// Takes one of the places of heaps that wait whole. Whoever loses a race for it does without.
fn may_keep() -> bool {
    let kept = KEPT.load(Ordering::Relaxed);
    kept < KEPT_HEAPS && KEPT.compare_exchange(kept, kept + 1, Ordering::Relaxed, Ordering::Relaxed).is_ok()
}

/// Gives the current thread, which has none, a heap of its own.
#[cold]
pub(crate) fn attach() -> Option<&'static ThreadHeap> {
    let heap = acquire()?;
    // In this order: setting up the exit hook may call `calloc`, which must find the heap.
    set_current(heap);
    let value = ptr::from_ref(heap).cast_mut().cast::<c_void>();
    // SAFETY: `on_exit` takes any value and may run at any time in this thread.
    if !(EXIT.install(on_exit) && unsafe { EXIT.arm(value) }) {
        // A process without a key left: C++'s way runs earlier, which only means more late calls.
        // SAFETY: as above; code that serves as the allocator is never unloaded.
        unsafe { thread::at_thread_exit(on_exit, value) };
    }
    Some(heap)
}

/// Runs when a thread ends, after its thread-local destructors.
unsafe extern "C" fn on_exit(_heap: *mut c_void) {
    let heap = current();
    // A thread that ends from within a slow path (a signal handler that calls `pthread_exit`) leaves lists half changed: then its
    // heap stays behind.
    if heap.kind() == Kind::Live && !heap.busy.get() {
        // First the slot, then the heap: from the push on it belongs to others.
        set_current(&EXITED);
        // Publishing may take slabs over, so it comes before they are given up.
        free::publish_rings(heap);
        if may_keep() {
            exit::lighten(heap, KEPT_BYTES);
            give_back(heap);
            return;
        }
        exit::surrender(heap);
        heap.pooled.store(1, Ordering::Relaxed);
        // With the fence in `mail_arrived`: either the sender sees the mark, or the mail is seen here.
        fence(Ordering::SeqCst);
        if !heap.mailbox.0.is_empty() {
            // It came between the last look and the mark that makes senders tell.
            POOL_MAIL.fetch_add(1, Ordering::Release);
        }
        push(&COLD, heap);
    }
}

/// A heap of the pool in use for one operation.
pub(crate) struct Borrowed(ManuallyDrop<&'static ThreadHeap>);

impl Borrowed {
    /// Takes a heap out of the pool, or makes one.
    pub(crate) fn new() -> Option<Self> {
        acquire().map(|heap| Self(ManuallyDrop::new(heap)))
    }

    /// The heap.
    pub(crate) fn heap(&self) -> &'static ThreadHeap {
        *self.0
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        KEPT.fetch_add(1, Ordering::Relaxed);
        give_back(self.heap());
    }
}

/// A record was pushed on the empty mailbox of `owner`.
pub(crate) fn mail_arrived(owner: &ThreadHeap) {
    fence(Ordering::SeqCst);
    if owner.pooled.load(Ordering::Relaxed) != 0 {
        POOL_MAIL.fetch_add(1, Ordering::Release);
    }
}

/// Takes what one exited thread left, or what came home to such heaps since. True if something may have been found.
pub(crate) fn reap() -> bool {
    if let Some(heap) = pop_warm() {
        exit::surrender(heap);
        push(&COLD, heap);
        return true;
    }
    POOL_MAIL.load(Ordering::Relaxed) != 0 && reap_cold()
}

fn reap_cold() -> bool {
    POOL_MAIL.swap(0, Ordering::Acquire);
    let mut found = false;
    for stack in [&COLD, &RETIRED] {
        let mut next = stack.take_all().map_or(link::END, link::to);
        while let Some(index) = link::index(next) {
            let heap = region::heap(index);
            next = heap.next.load(Ordering::Relaxed);
            if !heap.mailbox.0.is_empty() {
                exit::surrender(heap);
                found = true;
            }
            push(stack, heap);
        }
    }
    found
}

/// Takes what all exited threads left.
pub(crate) fn reap_all() {
    while reap() {}
}

/// A shard of an independent heap that is being destroyed joins the pool, empty: its slabs vanish with their chunks.
pub(crate) fn retire_shard(heap: &'static ThreadHeap) {
    free::publish_rings(heap);
    home::discard_mail(heap);
    for class in 0..super::class::BINS {
        let mut block = heap.bin(class).replace(ptr::null_mut());
        let mut left = 0;
        while !block.is_null() {
            // SAFETY: a bin links free blocks of a slab of this heap (T2), whose chunk is still its own.
            block = unsafe { &*block }.next.get();
            // (A block of a mixed slab had been handed out.)
            left += u64::from(!super::class::is_mixed(class));
        }
        // What was never handed out does not count.
        heap.handed(class).set(heap.handed(class).get().wrapping_sub(left));
    }
    forget_slabs(heap);
    crate::usage::flush(heap);
    heap.set_family(0);
    heap.pooled.store(1, Ordering::Relaxed);
    push(&RETIRED, heap);
}

/// A shard's heap whose lists may be half changed, since a thread of the process from which this one was forked was inside: its mail
/// is discarded, for its slabs vanish with their chunks, and it serves no more.
pub(crate) fn abandon(heap: &'static ThreadHeap) {
    home::discard_mail(heap);
    forget_slabs(heap);
    heap.set_family(0);
}

/// Leaves a heap without slabs; its slabs vanish with their chunks.
fn forget_slabs(heap: &ThreadHeap) {
    for class in 0..super::class::BINS {
        heap.bin(class).set(ptr::null_mut());
        heap.cur(class).set(link::END);
        heap.partial(class).set(link::END);
    }
    heap.rooms.set(0);
    heap.kept.set(0);
    heap.spare.set(link::END);
    heap.missed.set(link::END);
    // An interrupted holder does not come back.
    heap.busy.set(false);
}

/// A heap for a shard: none of the cold stack, whose heaps may own full slabs of the process heap.
pub(crate) fn acquire_shard() -> Option<&'static ThreadHeap> {
    let heap = match pop(&RETIRED) {
        Some(heap) => heap,
        None => make()?,
    };
    heap.pooled.store(0, Ordering::Relaxed);
    Some(heap)
}

/// Every heap ever made, for statistics and checks.
pub(crate) fn all() -> impl Iterator<Item = &'static ThreadHeap> {
    (0..MADE.load(Ordering::Relaxed)).map(region::heap)
}
