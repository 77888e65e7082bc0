//! What several tests of the heap share: blocks that know what they must contain.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test uses a part")]
#![allow(clippy::std_instead_of_alloc, reason = "a test, with std")]

use std::sync::{Mutex, MutexGuard, PoisonError};

use stratalloc_heap::{Statistics, collect, deallocate, statistics, usable_size};

/// Bytes of a mebibyte.
pub const MIB: usize = 1 << 20;

/// One test at a time: statistics are the process's, and a check of the whole heap wants everybody else to rest.
///
/// The harness runs each test on a thread of its own, whose end hands its heap over while the next test runs already. So the guard
/// gives up what the thread holds before it lets the next one in: afterwards its end has nothing left to hand over.
pub struct Alone(#[expect(dead_code, reason = "held, not read")] MutexGuard<'static, ()>);

/// Waits until no other test of this process runs.
pub fn alone() -> Alone {
    static ALONE: Mutex<()> = Mutex::new(());
    Alone(ALONE.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Drop for Alone {
    fn drop(&mut self) {
        collect();
    }
}

/// How many times the usual amount of work is done: `SCALE` in the environment.
pub fn scale() -> usize {
    std::env::var("SCALE").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// `n` times the scale; less under Miri.
pub fn rounds(n: usize) -> usize {
    if cfg!(miri) { (n / 200).max(2) } else { n * scale() }
}

/// The low byte of a number.
pub fn low_byte(n: usize) -> u8 {
    n.to_le_bytes()[0]
}

/// The statistics at this moment.
pub fn statistics_now() -> Statistics {
    let mut out = Statistics::default();
    statistics(&mut out);
    out
}

/// Ends the process by a signal after so many seconds: a hang becomes a failure.
#[cfg(not(miri))]
pub fn end_after(seconds: u32) {
    unsafe extern "C" {
        safe fn alarm(seconds: u32) -> u32;
    }
    alarm(seconds);
}

/// Xorshift.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).expect("below n")
    }
}

/// A block of the process heap, with a pattern that depends on its seed and its address.
#[derive(Debug)]
pub struct Block {
    ptr: *mut u8,
    size: usize,
    seed: u8,
}

// SAFETY: the block is owned and only bytes.
unsafe impl Send for Block {}

/// The bytes looked at: the whole of small blocks, else both ends and a few between.
fn positions(size: usize) -> impl Iterator<Item = usize> {
    let step = (size / 16).max(61);
    (0..size.min(64)).chain((64..size).step_by(step)).chain(size.saturating_sub(8)..size)
}

impl Block {
    /// Takes charge of a block that was just handed out.
    pub fn new(ptr: *mut u8, size: usize, seed: u8) -> Self {
        // SAFETY: the caller was just given the block.
        let usable = unsafe { usable_size(ptr) };
        assert!(usable >= size, "{usable} usable bytes of {size} at {ptr:p}");
        Self { ptr, size, seed }
    }

    /// No block.
    pub fn none() -> Self {
        Self { ptr: core::ptr::null_mut(), size: 0, seed: 0 }
    }

    pub fn ptr(&self) -> *mut u8 {
        self.ptr
    }

    pub fn size(&self) -> usize {
        self.size
    }

    fn byte(&self, at: usize) -> u8 {
        self.seed.wrapping_add(low_byte(at % 251))
    }

    /// Address of the byte at `at`, which is below `size`.
    fn place(&self, at: usize) -> *mut u8 {
        // SAFETY: `at < size`, and the block is live.
        unsafe { self.ptr.add(at) }
    }

    /// Writes the pattern.
    pub fn fill(&self) {
        for at in positions(self.size) {
            // SAFETY: inside the block, which is ours.
            unsafe { self.place(at).write(self.byte(at)) };
        }
    }

    /// Reads the pattern.
    pub fn check(&self) {
        self.check_at(positions(self.size));
    }

    fn check_at(&self, places: impl Iterator<Item = usize>) {
        for at in places {
            // SAFETY: inside the block, which is ours.
            let found = unsafe { self.place(at).read() };
            assert_eq!(found, self.byte(at), "byte {at} of {} at {:p}", self.size, self.ptr);
        }
    }

    /// Reads zeros.
    pub fn check_zero(&self) {
        for at in positions(self.size) {
            // SAFETY: inside the block, which is ours.
            let found = unsafe { self.place(at).read() };
            assert_eq!(found, 0, "byte {at} of {} at {:p} is not zero", self.size, self.ptr);
        }
    }

    /// The block after a reallocation: what fits must have been kept; filled for its new size.
    pub fn resized(self, ptr: *mut u8, size: usize) -> Self {
        let (old, seed) = (self.size, self.seed);
        let new = Self::new(ptr, size, seed);
        new.check_at(positions(old).filter(|at| *at < size));
        new.fill();
        new
    }

    /// Checks and frees.
    pub fn free(self) {
        self.check();
        // SAFETY: the block is ours (or null) and gone afterwards.
        unsafe { deallocate(self.ptr) };
    }
}
