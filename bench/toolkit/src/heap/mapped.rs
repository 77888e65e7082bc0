//! What the kernel gives: pages, and memory that processes share behind a mutex that survives its owner.

use core::alloc::Layout;
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};
use std::io;

use super::{Heap, Rlsf};

/// `mmap` and `munmap`, called as a C program calls them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mapped;

impl Heap for Mapped {
    #[inline(always)]
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        map(layout.size(), libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1)
    }

    #[inline(always)]
    unsafe fn give(&self, start: NonNull<u8>, layout: Layout) {
        // SAFETY: mapped by `take` with this length: this function's contract.
        let status = unsafe { libc::munmap(start.as_ptr().cast(), layout.size()) };
        assert_eq!(status, 0, "{}", io::Error::last_os_error());
    }
}

#[inline(always)]
fn map(len: usize, flags: i32, file: i32) -> Option<NonNull<u8>> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: fresh addresses, wherever the kernel likes.
    let start = unsafe { libc::mmap(ptr::null_mut(), len, access, flags, file, 0) };
    NonNull::new(start.cast()).filter(|_| start != libc::MAP_FAILED)
}

/// `rlsf` over shared memory, behind a mutex of the C library's that the kernel releases when its owner dies (whose half-done
/// change to the heap nobody repairs): what one writes without [`stratalloc_strategies::shared_region`].
pub(crate) struct RobustRlsf {
    mutex: NonNull<libc::pthread_mutex_t>,
    heap: Rlsf,
}

impl RobustRlsf {
    /// The first page is the mutex's. For as long as the process lives.
    pub(crate) fn new(bytes: usize) -> Self {
        const PAGE: usize = 4096;
        // SAFETY: a string that ends with zero.
        let file = unsafe { libc::memfd_create(c"bench-robust".as_ptr(), 0) };
        // SAFETY: a file of ours, or -1, which is refused.
        let status = unsafe { libc::ftruncate(file, (PAGE + bytes) as libc::off_t) };
        assert_eq!(status, 0, "{}", io::Error::last_os_error());
        let start = map(PAGE + bytes, libc::MAP_SHARED, file).expect("shared memory");
        let mutex = start.cast();
        // SAFETY: at the start of a page of ours that nobody uses yet.
        unsafe { make_robust(mutex) };
        let first = start.as_ptr().wrapping_add(PAGE);
        // SAFETY: mapped above behind the first page, nobody else's, never unmapped; any bytes will do.
        let memory = unsafe { core::slice::from_raw_parts_mut(first.cast::<MaybeUninit<u8>>(), bytes) };
        Self { mutex, heap: Rlsf::over(memory) }
    }

    #[inline(always)]
    fn locked<T>(&self, work: impl FnOnce(&Rlsf) -> T) -> T {
        // SAFETY: initialised by `new`.
        let status = unsafe { libc::pthread_mutex_lock(self.mutex.as_ptr()) };
        assert_eq!(status, 0, "nobody dies with it here");
        let result = work(&self.heap);
        // SAFETY: locked above by this thread.
        unsafe { libc::pthread_mutex_unlock(self.mutex.as_ptr()) };
        result
    }
}

/// # Safety
///
/// `mutex` may be written.
unsafe fn make_robust(mutex: NonNull<libc::pthread_mutex_t>) {
    let mut attributes = MaybeUninit::uninit();
    // SAFETY: room for attributes.
    let mut status = unsafe { libc::pthread_mutexattr_init(attributes.as_mut_ptr()) };
    // SAFETY: initialised above.
    status |=
        unsafe { libc::pthread_mutexattr_setpshared(attributes.as_mut_ptr(), libc::PTHREAD_PROCESS_SHARED) };
    // SAFETY: as above.
    status |=
        unsafe { libc::pthread_mutexattr_setrobust(attributes.as_mut_ptr(), libc::PTHREAD_MUTEX_ROBUST) };
    // SAFETY: attributes as above; the place is this function's contract.
    status |= unsafe { libc::pthread_mutex_init(mutex.as_ptr(), attributes.as_ptr()) };
    assert_eq!(status, 0, "a robust mutex is there on every Linux");
}

impl Heap for RobustRlsf {
    #[inline(always)]
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        self.locked(|heap| heap.take(layout))
    }

    #[inline(always)]
    unsafe fn give(&self, start: NonNull<u8>, layout: Layout) {
        self.locked(|heap| {
            // SAFETY: this function's contract.
            unsafe { heap.give(start, layout) };
        });
    }
}
