//! A word per thread in the slots that Windows keeps for each thread.
//!
//! ```text
//!   gs ──► the thread's block (TEB) │ … │ slot 0 │ slot 1 │ … │ slot 63 │ …     at 0x1480; more slots lie elsewhere
//! ```
//!
//! The first 64 slots are read in place: two loads, and the thread's last error stays what it is, which `TlsGetValue` sets to zero.

use core::ffi::c_void;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::kernel32;

/// Slots in the thread's block.
const IN_BLOCK: u32 = 64;

/// A slot, had at its first use and never given back.
#[derive(Debug)]
pub struct Slot {
    /// The index plus one; zero until a thread sets its word. Relaxed: the system synchronises for itself, and a thread that sees no
    /// index has not set its word.
    key: AtomicU32,
}

impl Slot {
    /// A slot that no thread has used.
    #[must_use]
    pub const fn new() -> Self {
        Self { key: AtomicU32::new(0) }
    }

    /// The calling thread's word; `initial` if it has set none.
    #[inline]
    pub fn get<T>(&self, initial: *const T) -> *const T {
        let word: *const T = match self.key.load(Ordering::Relaxed).checked_sub(1) {
            None => return initial,
            Some(index) => read(index).cast(),
        };
        if word.is_null() { initial } else { word }
    }

    /// Sets the calling thread's word, which is not null. Should a process have none of its 1088 slots left, it stays what it was.
    pub fn set<T>(&self, word: *const T) {
        if let Some(index) = self.key.load(Ordering::Relaxed).checked_sub(1).or_else(|| self.install()) {
            // SAFETY: an index of `TlsAlloc`.
            let _ = unsafe { kernel32::TlsSetValue(index, word.cast()) };
        }
    }

    #[cold]
    fn install(&self) -> Option<u32> {
        const NONE_LEFT: u32 = u32::MAX;
        let index = kernel32::TlsAlloc();
        if index == NONE_LEFT {
            return None;
        }
        match self.key.compare_exchange(0, index + 1, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Some(index),
            Err(other) => {
                // SAFETY: had just now, and known to nobody.
                let _ = unsafe { kernel32::TlsFree(index) };
                Some(other - 1)
            }
        }
    }
}

impl Default for Slot {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn read(index: u32) -> *mut c_void {
    if index >= IN_BLOCK {
        return kernel32::TlsGetValue(index);
    }
    let word;
    // SAFETY: reads slot `index` of the thread's block, which has so many.
    unsafe {
        core::arch::asm!(
            "mov {word}, qword ptr gs:[8 * {index} + 0x1480]",
            word = out(reg) word,
            index = in(reg) u64::from(index),
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    word
}

#[cfg(not(target_arch = "x86_64"))]
fn read(index: u32) -> *mut c_void {
    kernel32::TlsGetValue(index)
}

#[cfg(test)]
mod tests {
    extern crate alloc;
    extern crate std;

    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn each_thread_has_its_own_word_and_the_initial_one_until_it_sets_it() {
        static WORDS: [u8; 3] = [1, 2, 3];
        static SLOT: Slot = Slot::new();
        let [initial, mine, other] = WORDS.each_ref().map(core::ptr::from_ref);
        assert_eq!(SLOT.get(initial), initial);
        SLOT.set(mine);
        assert_eq!(SLOT.get(initial), mine);
        let thread = std::thread::spawn(|| {
            let [initial, _, other] = WORDS.each_ref().map(core::ptr::from_ref);
            let before = SLOT.get(initial) == initial;
            SLOT.set(other);
            before && SLOT.get(initial) == other
        });
        assert!(thread.join().unwrap());
        assert_eq!(SLOT.get(other), mine);
    }

    /// More slots than the block has.
    #[test]
    fn slots_outside_of_the_block_are_the_same() {
        static SLOTS: [Slot; 80] = [const { Slot::new() }; 80];
        let words: Vec<usize> = (0..80).collect();
        for (slot, word) in SLOTS.iter().zip(&words) {
            slot.set(word);
        }
        assert!(SLOTS.iter().any(|slot| slot.key.load(Ordering::Relaxed) > IN_BLOCK));
        for (slot, word) in SLOTS.iter().zip(&words) {
            assert_eq!(slot.get(core::ptr::null()), core::ptr::from_ref(word));
        }
    }
}
