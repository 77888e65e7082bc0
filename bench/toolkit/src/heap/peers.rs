//! What one would take in place of a strategy.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::NonNull;
use std::sync::Mutex;

use stratalloc_resource::FromGlobal;
use stratalloc_strategies::pool::{Pool, PoolConfig};

use super::Heap;

/// glibc's `malloc` and `free`, called as a C program calls them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct C;

impl Heap for C {
    #[inline(always)]
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        debug_assert!(layout.align() <= 16);
        // SAFETY: any size may be asked for.
        let start = unsafe { libc::malloc(layout.size()) };
        NonNull::new(start.cast())
    }

    #[inline(always)]
    unsafe fn give(&self, start: NonNull<u8>, _: Layout) {
        // SAFETY: from `malloc`: this function's contract.
        unsafe { libc::free(start.as_ptr().cast()) };
    }
}

/// mimalloc, through its Rust crate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mimalloc;

impl Heap for Mimalloc {
    #[inline(always)]
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        // SAFETY: no shape asks for nothing.
        NonNull::new(unsafe { mimalloc::MiMalloc.alloc(layout) })
    }

    #[inline(always)]
    unsafe fn give(&self, start: NonNull<u8>, layout: Layout) {
        // SAFETY: this function's contract.
        unsafe { mimalloc::MiMalloc.dealloc(start.as_ptr(), layout) };
    }
}

/// A heap of mimalloc's with pages of its own: what one takes there to keep a subsystem's blocks apart.
pub(crate) struct MimallocHeap(*mut libmimalloc_sys::mi_heap_t);

impl MimallocHeap {
    /// For as long as the process lives.
    pub(crate) fn new() -> Self {
        // SAFETY: no condition.
        Self(unsafe { libmimalloc_sys::mi_heap_new() })
    }
}

impl Heap for MimallocHeap {
    #[inline(always)]
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        debug_assert!(layout.align() <= 16);
        // SAFETY: a heap of this thread's.
        let start = unsafe { libmimalloc_sys::mi_heap_malloc(self.0, layout.size()) };
        NonNull::new(start.cast())
    }

    #[inline(always)]
    unsafe fn give(&self, start: NonNull<u8>, _: Layout) {
        // SAFETY: from mimalloc: this function's contract.
        unsafe { libmimalloc_sys::mi_free(start.as_ptr().cast()) };
    }
}

/// `bumpalo`; single blocks are not taken back.
#[derive(Debug)]
pub(crate) struct Bumpalo(pub(crate) bumpalo::Bump);

impl Heap for Bumpalo {
    #[inline(always)]
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        self.0.try_alloc_layout(layout).ok()
    }

    #[inline(always)]
    unsafe fn give(&self, _: NonNull<u8>, _: Layout) {}
}

/// `rlsf` with 64 bins a row, for pools of up to 4 GiB: what [`stratalloc_strategies::tlsf::Tlsf`] has by default.
pub(crate) struct Rlsf(UnsafeCell<rlsf::Tlsf<'static, u32, u64, 27, 64>>);

impl Rlsf {
    pub(crate) fn over(memory: &'static mut [core::mem::MaybeUninit<u8>]) -> Self {
        let mut heap = rlsf::Tlsf::new();
        let _ = heap.insert_free_block(memory);
        Self(UnsafeCell::new(heap))
    }
}

impl Heap for Rlsf {
    #[inline(always)]
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        // SAFETY: not `Sync`, and no reference is left behind.
        unsafe { &mut *self.0.get() }.allocate(layout)
    }

    #[inline(always)]
    unsafe fn give(&self, start: NonNull<u8>, layout: Layout) {
        // SAFETY: as above.
        let heap = unsafe { &mut *self.0.get() };
        // SAFETY: this function's contract.
        unsafe { heap.deallocate(start, layout.align()) };
    }
}

/// `talc` with its default bins.
pub(crate) struct Talc(talc::TalcCell<talc::source::Manual>);

impl Talc {
    pub(crate) fn over(memory: &'static mut [core::mem::MaybeUninit<u8>]) -> Self {
        let heap = talc::TalcCell::new(talc::source::Manual);
        // SAFETY: the memory is the heap's alone from now on.
        let claimed = unsafe { heap.claim(memory.as_mut_ptr().cast(), memory.len()) };
        assert!(claimed.is_some(), "too little memory");
        Self(heap)
    }
}

impl Heap for Talc {
    #[inline(always)]
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        // SAFETY: no shape asks for nothing.
        NonNull::new(unsafe { self.0.alloc(layout) })
    }

    #[inline(always)]
    unsafe fn give(&self, start: NonNull<u8>, layout: Layout) {
        // SAFETY: this function's contract.
        unsafe { self.0.dealloc(start.as_ptr(), layout) };
    }
}

/// `buddy_system_allocator` with 32 orders.
pub(crate) struct BuddySystem(UnsafeCell<buddy_system_allocator::Heap<32>>);

impl BuddySystem {
    pub(crate) fn over(memory: &'static mut [core::mem::MaybeUninit<u8>]) -> Self {
        let mut heap = buddy_system_allocator::Heap::new();
        // SAFETY: the memory is the heap's alone from now on.
        unsafe { heap.init(memory.as_mut_ptr().expose_provenance(), memory.len()) };
        Self(UnsafeCell::new(heap))
    }
}

impl Heap for BuddySystem {
    #[inline(always)]
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        // SAFETY: not `Sync`, and no reference is left behind.
        unsafe { &mut *self.0.get() }.alloc(layout).ok()
    }

    #[inline(always)]
    unsafe fn give(&self, start: NonNull<u8>, layout: Layout) {
        // SAFETY: as above.
        let heap = unsafe { &mut *self.0.get() };
        // SAFETY: this function's contract.
        unsafe { heap.dealloc(start, layout) };
    }
}

/// Our pool for one thread behind std's mutex: what one writes without a lock-free one.
#[derive(Debug)]
pub(crate) struct MutexPool(Mutex<Pool<'static, FromGlobal<'static, std::alloc::System>>>);

impl MutexPool {
    pub(crate) fn new(config: PoolConfig) -> Self {
        let pool = Pool::growing(config, FromGlobal::new(&std::alloc::System));
        Self(Mutex::new(pool.expect("there is memory")))
    }
}

impl Heap for MutexPool {
    #[inline(always)]
    fn take(&self, _: Layout) -> Option<NonNull<u8>> {
        self.0.lock().ok()?.take().ok().map(|block| block.as_non_null())
    }

    #[inline(always)]
    unsafe fn give(&self, start: NonNull<u8>, _: Layout) {
        if let Ok(pool) = self.0.lock() {
            // SAFETY: this function's contract.
            unsafe { pool.give(start) };
        }
    }
}
