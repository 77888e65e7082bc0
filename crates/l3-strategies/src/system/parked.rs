//! Ranges that the kernel would not unmap.
//!
//! `munmap` of a piece out of the middle of what the kernel keeps as one mapping makes two, and a process may have only so many (65 530
//! by default). The range is then still ours. Its pages are given back, and it waits here, described in its own first words:
//!
//! ```text
//!   PARKED ──► │next│len│ … zeros … │ ──► │next│len│ … │ ──► null
//! ```
//!
//! Only pushed to and taken as a whole, so no thread reads the link of a node that another one took (TAG-LINK is not needed), and a
//! range is unmapped by the thread that took it alone (TAG-OWN).

use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicUsize, Ordering};

use stratalloc_platform::vm;
use stratalloc_primitives::lockfree::TaggedStack;

/// The first words of a parked range.
#[derive(Debug)]
pub(super) struct Parked {
    next: *mut Parked,
    len: usize,
}

static PARKED: TaggedStack<Parked> = TaggedStack::new();
/// Bytes in the list; relaxed, because it is only told.
static BYTES: AtomicUsize = AtomicUsize::new(0);

/// What the resource's identity is the address of.
pub(super) fn anchor() -> &'static TaggedStack<Parked> {
    &PARKED
}

pub(super) fn bytes() -> usize {
    BYTES.load(Ordering::Relaxed)
}

/// Keeps a range for [`retry`].
///
/// # Safety
///
/// Whole pages, mapped and writable, at least one, and nobody uses them any more.
#[cold]
pub(super) unsafe fn park(start: NonNull<u8>, len: usize) {
    // Locked pages are refused; they then stay resident until the range goes.
    // SAFETY: this function's contract.
    let _ = unsafe { vm::purge(start, len) };
    let node = start.cast::<Parked>();
    // SAFETY: page-aligned, larger than the record, ours: this function's contract.
    unsafe { node.write(Parked { next: null_mut(), len }) };
    BYTES.fetch_add(len, Ordering::Relaxed);
    PARKED.push(node, |next| {
        // SAFETY: ours until the push succeeds.
        unsafe { (*node.as_ptr()).next = next };
    });
}

/// Tries to unmap every parked range; how many bytes went.
#[cold]
pub(super) fn retry() -> usize {
    let (mut gone, mut next) = (0, PARKED.take_all());
    while let Some(node) = next {
        // SAFETY: taken with the whole list, so it is this thread's alone, and `park` wrote it.
        let Parked { next: link, len } = unsafe { node.read() };
        next = NonNull::new(link);
        BYTES.fetch_sub(len, Ordering::Relaxed);
        // SAFETY: mapped by this resource and nobody's.
        if unsafe { vm::release(node.cast(), len) }.is_ok() {
            gone += len;
        } else {
            // SAFETY: still mapped, since the release was refused.
            unsafe { park(node.cast(), len) };
        }
    }
    gone
}
