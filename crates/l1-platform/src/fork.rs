//! Which copy of the address space is this?
//!
//! A lock that names its holder's process can be told from one that was merely inherited: `fork` copies the word, but not
//! the thread that would give it back. The name must be the same for everybody who shares the memory, children of
//! `vfork` included, and cheap, since it is asked at every attempt. So it lies in a page that the kernel empties in the
//! child of a fork (`MADV_WIPEONFORK`, Linux 4.14), and nowhere else:
//!
//! ```text
//!             fork                        first question
//!   │ 4711 │ ──────► child: │ 0 │ ─────────────────────► │ 4712 │
//!        └── vfork: the same page, the same answer
//! ```
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | `PAGE`: install | Release | load | that the page is there and is emptied by a fork |
//! | `PAGE`: load | Acquire | install | same |
//! | the word in the page | Relaxed | – | the number itself; everybody writes the same one |

use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use crate::{page, process, vm};

/// The page, once there is one.
static PAGE: AtomicPtr<AtomicU32> = AtomicPtr::new(ptr::null_mut());
/// Stands in `PAGE` where the kernel has no such pages: the kernel is asked for the process id each time then. Never changes.
static REFUSED: AtomicU32 = AtomicU32::new(0);

/// A number, not 0, that all threads of this address space get, and no copy of it made by `fork`.
///
/// *Cost*: a load; some system calls the first time. Where the kernel cannot empty pages (before Linux 4.14, or when it refuses
/// memory), `getpid` each time, which a `vfork` child answers with another number. May be called before `main`, in a signal
/// handler, after `fork`.
#[inline]
#[must_use]
pub fn identity() -> u32 {
    let page = PAGE.load(Ordering::Acquire);
    // SAFETY: null, or the page, which is never unmapped, or the static.
    let known = unsafe { page.as_ref() }.map_or(0, |word| word.load(Ordering::Relaxed));
    if known != 0 { known } else { identity_slow(page) }
}

/// The first question in this address space.
#[cold]
fn identity_slow(mut page: *mut AtomicU32) -> u32 {
    let id = process::id();
    if page.is_null() {
        page = install();
    }
    if !ptr::eq(page, &raw const REFUSED) {
        // SAFETY: not null: the page, mapped writable and never unmapped.
        unsafe { &*page }.store(id, Ordering::Relaxed);
    }
    id
}

/// Makes the page, unless another thread is faster.
fn install() -> *mut AtomicU32 {
    let fresh = map().unwrap_or((&raw const REFUSED).cast_mut());
    match PAGE.compare_exchange(ptr::null_mut(), fresh, Ordering::Release, Ordering::Acquire) {
        Ok(_) => fresh,
        Err(other) => {
            if let Some(lost) =
                ptr::NonNull::new(fresh.cast::<u8>()).filter(|_| !ptr::eq(fresh, &raw const REFUSED))
            {
                // SAFETY: mapped just now, and nobody else knows it. If the kernel refuses, a page of addresses is lost.
                let _ = unsafe { vm::release(lost, page::size()) };
            }
            other
        }
    }
}

fn map() -> Option<*mut AtomicU32> {
    let size = page::size();
    let start = vm::reserve(size, size, vm::Access::ReadWrite).ok()?;
    // SAFETY: mapped just now.
    if unsafe { vm::wipe_on_fork(start, size) }.is_err() {
        // SAFETY: as above; nobody else knows it.
        let _ = unsafe { vm::release(start, size) };
        return None;
    }
    Some(start.as_ptr().cast())
}

// Not covered: a kernel without such pages (Miri's platform refuses them, so the other way is taken there).
#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn threads_agree() {
        let mine = identity();
        assert_ne!(mine, 0);
        assert_eq!(std::thread::spawn(identity).join().unwrap(), mine);
        assert_eq!(identity(), mine);
    }

    #[cfg(not(any(miri, windows)))]
    #[test]
    fn a_fork_is_another_and_keeps_its_own_number() {
        unsafe extern "C" {
            safe fn fork() -> i32;
            safe fn _exit(status: i32) -> !;
            fn waitpid(child: i32, status: *mut i32, options: i32) -> i32;
        }
        let mine = identity();
        let child = fork();
        if child == 0 {
            // Not the page's word of the parent: emptied, then asked for anew.
            let (first, second) = (identity(), identity());
            _exit(i32::from(first == mine || first != second || first != process::id()));
        }
        let mut status = -1;
        // SAFETY: our own child and our own word.
        assert_eq!(unsafe { waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0);
        assert_eq!(identity(), mine);
    }
}
