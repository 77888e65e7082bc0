//! Who is attached: one word each, the mark of its process.
//!
//! Invariant **PLACE**: a word that is not 0 is the mark of the process whose blocks have its number, plus 1, as owner. It becomes 0 only when no
//! block has that owner any more, so a newcomer never finds blocks that it did not make.

use stratalloc_platform::process::Mark;
use stratalloc_platform::thread;

use super::heap;
use super::layout::{AT_PARTICIPANTS, AT_RECLAIMED, PARTICIPANTS, SharedError};
use super::lock::{self, Processes};
use super::words::Words;

/// The world as the kernel tells it.
#[derive(Debug)]
pub(super) struct Kernel;

/// Attempts before the processor is left to others: the holder may be waiting for it.
const SPINS: u32 = lock::PATIENCE - lock::PATIENCE / 8;

impl Processes for Kernel {
    fn is_alive(&self, mark: u64) -> bool {
        // What is no mark was written by nobody who could give the lock back.
        Mark::from_bits(mark).is_some_and(Mark::is_running)
    }

    fn wait(&self, attempts: u32) {
        if attempts < SPINS {
            core::hint::spin_loop();
        } else {
            thread::yield_now();
        }
    }
}

/// Takes a place; its number, plus 1.
pub(super) fn join(words: &Words<'_>, mark: Mark) -> Result<u64, SharedError> {
    let place = || {
        let _lock = lock::acquire(words, mark.bits(), &Kernel);
        let slot = (0..PARTICIPANTS).find(|slot| words.get(AT_PARTICIPANTS + slot) == 0)?;
        words.set(AT_PARTICIPANTS + slot, mark.bits());
        Some(slot + 1)
    };
    place()
        .or_else(|| {
            reclaim(words, mark.bits(), &Kernel);
            place()
        })
        .ok_or(SharedError::Crowded)
}

/// Gives a place up, with the lock held; how many bytes it still had.
pub(super) fn leave(words: &Words<'_>, owner: u64) -> u64 {
    let bytes = heap::reclaim(words, owner);
    words.set(AT_PARTICIPANTS + owner - 1, 0);
    bytes
}

/// Frees what dead participants hold; how many bytes.
pub(super) fn reclaim(words: &Words<'_>, mark: u64, world: &impl Processes) -> u64 {
    let mut bytes = 0;
    for slot in 0..PARTICIPANTS {
        let found = words.get_acquire(AT_PARTICIPANTS + slot);
        // Asked without the lock: a system call or three.
        if found == 0 || world.is_alive(found) {
            continue;
        }
        let _lock = lock::acquire(words, mark, world);
        // Not reclaimed and taken anew meanwhile; a dead mark does not come back.
        if words.get(AT_PARTICIPANTS + slot) == found {
            bytes += leave(words, slot + 1);
            words.set(AT_RECLAIMED, words.get(AT_RECLAIMED).wrapping_add(1));
        }
    }
    bytes
}
