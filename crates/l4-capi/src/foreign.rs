//! Pointers that are not blocks of this heap.
//!
//! They reach us from libraries loaded with `RTLD_DEEPBIND` (which keep calling glibc's `malloc`), from private heaps
//! linked into a library, from a second C library in another namespace (`dlmopen`), and from mistakes.
//!
//! glibc's `free` aborts, or worse, quietly corrupts its heap, when the pointer is not its own. So a pointer is
//! **forwarded only if it is provably a block of glibc's allocator**; any other is **ignored, with one warning** per
//! process: a leak is the smallest possible harm. The proof reads the block's header (`size | flags` in the word before
//! it) only after the kernel has confirmed that the word can be read, and accepts three kinds of blocks:
//!
//! ```text
//!   main heap     between the break at our start and now; next header marks this block as used
//!   own mapping   flag 2; header and length end on pages
//!   thread heap   flag 4; 64 MiB-aligned header in front whose lengths contain the block
//! ```
//!
//! `realloc` moves a forwarded block into our heap, so that it is foreign no more.

use crate::dynamic::next;
use crate::{errno, os, text};
use core::ffi::CStr;
use core::mem::transmute;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use stratalloc_heap as heap;
use stratalloc_platform::{page, probe::word_at};

/// Header word of a glibc block: size, and these flags in the low bits.
const PREVIOUS_IN_USE: usize = 1;
const IS_MAPPED: usize = 2;
const NOT_MAIN: usize = 4;
const FLAGS: usize = 7;
/// Smallest block of glibc, headers included.
const SMALLEST: usize = 32;
/// Size and alignment of glibc's thread heaps (`HEAP_MAX_SIZE` on 64-bit machines).
const THREAD_HEAP: usize = 64 << 20;
/// Sizes of glibc's blocks, and their addresses, are multiples of this.
const GRAIN: usize = 16;

/// The program break when this library was loaded: glibc's main heap cannot begin below it.
static BREAK_AT_START: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Remembers where the program break stands; called once, at load.
pub(crate) fn remember_break() {
    BREAK_AT_START.store(program_break(), Relaxed);
}

/// Frees a foreign pointer or ignores it; the heap calls this. `errno` stays.
pub(crate) unsafe extern "C" fn release(ptr: *mut u8) {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    errno::keeping(|| {
        let free = function(ptr, &NEXT, c"free");
        if free == 0 {
            return warn_once("free", ptr);
        }
        // SAFETY: `free` of the next allocator.
        let free = unsafe { transmute::<usize, unsafe extern "C" fn(*mut u8)>(free) };
        // SAFETY: proved by `function` to be a block of that allocator; the caller gives it up.
        unsafe { free(ptr) }
    });
}

/// Usable size of a foreign block, 0 if its origin is unknown.
#[cold]
#[inline(never)]
pub(crate) unsafe fn usable_size(ptr: *mut u8) -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let size = errno::keeping(|| function(ptr, &NEXT, c"malloc_usable_size"));
    if size == 0 {
        return 0;
    }
    // SAFETY: `malloc_usable_size` of the next allocator.
    let size = unsafe { transmute::<usize, unsafe extern "C" fn(*mut u8) -> usize>(size) };
    // SAFETY: proved by `function` to be a block of that allocator.
    unsafe { size(ptr) }
}

/// Moves a foreign block into our heap with `size` bytes; null, and the old block intact, if that cannot be done.
pub(crate) unsafe fn reallocate(ptr: *mut u8, size: usize) -> *mut u8 {
    // SAFETY: contract of this function.
    let old = unsafe { usable_size(ptr) };
    if old == 0 {
        warn_once("realloc", ptr);
        return core::ptr::null_mut();
    }
    let block = heap::allocate(size);
    if !block.is_null() {
        // SAFETY: `old` bytes of the foreign block can be read, `size` bytes of the new one written; both are live.
        unsafe { block.copy_from_nonoverlapping(ptr, old.min(size)) };
        // SAFETY: the caller gives the old block up.
        unsafe { release(ptr) };
    }
    block
}

/// The next allocator's `name` if `ptr` is a block of that allocator, else 0.
fn function(ptr: *mut u8, cache: &AtomicUsize, name: &CStr) -> usize {
    if !is_glibc_block(ptr.addr()) {
        return 0;
    }
    let mut found = cache.load(Relaxed);
    if found == 0 {
        found = next(name);
        cache.store(found, Relaxed);
    }
    found
}

/// One line on standard error, the first time.
fn warn_once(function: &str, ptr: *mut u8) {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !SAID.swap(true, Relaxed) {
        text::complaint()
            .str(function)
            .str(" of ")
            .address(ptr)
            .str(", which is no block of this heap: ignored (said once)\n");
    }
}

/// Is there a block of glibc's allocator at `address`? See the module for what counts as proof.
fn is_glibc_block(address: usize) -> bool {
    if !address.is_multiple_of(GRAIN) || address < SMALLEST {
        return false;
    }
    let Some(header) = word_at(address - 8) else {
        return false;
    };
    let size = header & !FLAGS;
    let chunk = address - GRAIN;
    if size < SMALLEST || !size.is_multiple_of(GRAIN) {
        return false;
    }
    let Some(end) = chunk.checked_add(size) else {
        return false;
    };
    if header & IS_MAPPED != 0 {
        return is_mapping_of_its_own(chunk, end);
    }
    let inside = if header & NOT_MAIN != 0 {
        in_thread_heap(chunk, end)
    } else {
        BREAK_AT_START.load(Relaxed) <= chunk && end < program_break()
    };
    inside && word_at(end + 8).is_some_and(|next_header| next_header & PREVIOUS_IN_USE != 0)
}

/// The check that glibc's `munmap_chunk` makes too: the mapping begins and ends on pages.
fn is_mapping_of_its_own(chunk: usize, end: usize) -> bool {
    let Some(before) = word_at(chunk) else {
        return false;
    };
    end.is_multiple_of(page::size()) && before < chunk && (chunk - before).is_multiple_of(page::size())
}

/// The header of a thread heap holds: arena, previous heap, length, length that can be written.
fn in_thread_heap(chunk: usize, end: usize) -> bool {
    let base = chunk & !(THREAD_HEAP - 1);
    let (Some(arena), Some(length), Some(writable)) = (word_at(base), word_at(base + 16), word_at(base + 24))
    else {
        return false;
    };
    arena != 0 && length <= writable && writable <= THREAD_HEAP && end < base + length
}

/// Where the program break stands.
fn program_break() -> usize {
    // SAFETY: a step of 0 only asks.
    unsafe { os::sbrk(0) }.addr()
}
