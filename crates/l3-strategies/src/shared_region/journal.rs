//! The journal: every operation happens wholly, or not at all, whoever dies in it.
//!
//! ```text
//!   count │ (number, old value) │ (number, old value) │ …          undo: from the last entry to the first, old values back
//! ```
//!
//! Invariants:
//! * **JOURNAL-1** Before a word changes, its number and old value are in an entry below `count`.
//! * **JOURNAL-2** `count` is 0 exactly when no operation is under way: it becomes 0 by the one store that commits.
//! * **JOURNAL-3** Undoing may be cut short and done again: it only stores old values, and `count` becomes 0 last.
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | entry, `count`, word: stores of one operation | Release each | the death of the process | that they are executed in program order, so that what a dead process did is a prefix of them |
//! | all loads | Relaxed | – | made under the lock; its acquisition, or the answer that its holder is dead, made everything visible |
//!
//! A dead process stores nothing any more, and the kernel's answer that it is dead comes after its last store (`Mark::is_running`).

use super::layout::{AT_JOURNAL, AT_JOURNAL_COUNT, JOURNAL};
use super::words::Words;

/// An operation under way: changes through it are undone unless it is committed. One exists per lock that is held.
#[derive(Debug)]
pub(super) struct Change<'w, 'r> {
    words: &'w Words<'r>,
    count: u64,
}

impl<'w, 'r> Change<'w, 'r> {
    /// Begins; nothing is under way (JOURNAL-2), since this thread has the lock and its last holder left nothing behind.
    pub(super) fn new(words: &'w Words<'r>) -> Self {
        Self { words, count: 0 }
    }

    pub(super) fn get(&self, index: u64) -> u64 {
        self.words.get(index)
    }

    /// Changes a word, so that it can be undone.
    pub(super) fn set(&mut self, index: u64, value: u64) {
        let old = self.words.get(index);
        if old == value {
            return;
        }
        // No operation has so many changes; `deepest` in the tests counts. The last entry would only be overwritten.
        debug_assert!(self.count < JOURNAL, "the journal is full");
        let entry = AT_JOURNAL + 2 * self.count.min(JOURNAL - 1);
        self.words.set(entry, index);
        self.words.set(entry + 1, old);
        self.count = (self.count + 1).min(JOURNAL);
        self.words.set(AT_JOURNAL_COUNT, self.count);
        self.words.set(index, value);
    }

    pub(super) fn add(&mut self, index: u64, difference: i64) {
        self.set(index, self.get(index).wrapping_add_signed(difference));
    }

    /// Makes all changes so far final.
    pub(super) fn commit(&mut self) {
        #[cfg(test)]
        deepest::note(self.count);
        self.count = 0;
        self.words.set(AT_JOURNAL_COUNT, 0);
    }
}

/// Undoes what the last operation left, if it was not committed; for whoever has the lock.
///
/// A word that has its old value already is not stored to. The last one of a journal may never have been written, because there was no
/// memory for its page, which killed the writer (`SIGBUS`): storing there would kill everybody who comes to undo it.
pub(super) fn undo(words: &Words<'_>) {
    let mut count = words.get(AT_JOURNAL_COUNT).min(JOURNAL);
    while count > 0 {
        count -= 1;
        let entry = AT_JOURNAL + 2 * count;
        let (index, old) = (words.get(entry), words.get(entry + 1));
        if words.get(index) != old {
            words.set(index, old);
        }
    }
    words.set(AT_JOURNAL_COUNT, 0);
}

#[cfg(test)]
pub(super) mod deepest {
    //! The most entries that an operation has had, on this thread.
    use core::cell::Cell;

    extern crate std;

    std::thread_local! { static MOST: Cell<u64> = const { Cell::new(0) }; }

    pub(super) fn note(count: u64) {
        MOST.with(|most| most.set(most.get().max(count)));
    }

    #[cfg(not(loom))]
    pub(crate) fn most() -> u64 {
        MOST.with(Cell::get)
    }
}
