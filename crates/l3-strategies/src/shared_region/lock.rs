//! The lock of a region: it names its holder, so a dead holder's can be taken over.
//!
//! ```text
//!   word   0        free                              0 ──► own mark      a thread of this process has it
//!          mark     held by a thread of that process  dead's mark ──► own mark, then undo what it was doing
//! ```
//!
//! Invariants:
//! * **LOCK-ONE** One thread at a time has the lock: it made the word its process's mark, by a CAS from 0 or from the mark of a process that
//!   does not run. A mark is never another process's, so no CAS mistakes a later holder for the dead one.
//! * **LOCK-REST** Whoever gets it finds no operation under way: its last holder committed or undid before it stored 0 (also while unwinding), or is dead,
//!   and then its operation is undone before anything else.
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | `acquire` CAS from 0 | Acquire | `release` | all words as the last holder left them |
//! | `acquire` CAS from a dead mark | Acquire | – | what the dead process stored comes with `is_alive` (its contract) |
//! | `release` store of 0 | Release | both CAS | all words as this holder left them |
//!
//! Not fair: whoever is first has it. Threads of one process wait for each other without a question to the kernel. A *stopped* holder (`SIGSTOP`, a debugger) is alive, and everybody waits for it.

use super::journal;
use super::layout::{AT_JOURNAL_COUNT, AT_LOCK, AT_TAKEOVERS};
use super::words::Words;

/// What the lock wants to know of the world.
pub(super) trait Processes {
    /// Whether the process of a mark still runs. "No" is for ever, and synchronises with everything that it stored.
    fn is_alive(&self, mark: u64) -> bool;

    /// Called while the lock is somebody else's, with the number of attempts so far; lets others run.
    fn wait(&self, attempts: u32);
}

/// Attempts before the first question whether the holder still runs, which costs some ten microseconds. Most operations are over before;
/// a long one (`reclaim`, `validate`) or an interrupted holder is asked about in vain, which costs time and nothing else.
pub(super) const PATIENCE: u32 = 128;
/// Attempts between two questions: each lets others run, if any want to.
const INTERVAL: u32 = 8;

/// Whether to ask now. Loom, whose time is precious, always does.
fn worth_asking(attempts: u32) -> bool {
    cfg!(loom) || (attempts >= PATIENCE && attempts.is_multiple_of(INTERVAL))
}

/// The lock, held.
#[derive(Debug)]
pub(super) struct Guard<'w, 'r> {
    words: &'w Words<'r>,
}

/// Waits until the calling thread, of the process `mark`, has the lock.
pub(super) fn acquire<'w, 'r>(words: &'w Words<'r>, mark: u64, world: &impl Processes) -> Guard<'w, 'r> {
    let mut attempts = 0;
    loop {
        match words.exchange(AT_LOCK, 0, mark) {
            Ok(()) => return Guard { words },
            // A thread of this process has it who asks, so that one runs.
            Err(holder) if holder != mark && worth_asking(attempts) && !world.is_alive(holder) => {
                if words.exchange(AT_LOCK, holder, mark).is_ok() {
                    return take_over(words);
                }
            }
            Err(_) => world.wait(attempts),
        }
        attempts = attempts.wrapping_add(1);
    }
}

/// The lock is this thread's, after a process that died with it: LOCK-REST.
#[cold]
fn take_over<'w, 'r>(words: &'w Words<'r>) -> Guard<'w, 'r> {
    journal::undo(words);
    words.set(AT_TAKEOVERS, words.get(AT_TAKEOVERS).wrapping_add(1));
    Guard { words }
}

impl Drop for Guard<'_, '_> {
    /// Gives the lock back, after undoing what was begun and not committed (a panic): LOCK-REST.
    fn drop(&mut self) {
        if self.words.get(AT_JOURNAL_COUNT) != 0 {
            journal::undo(self.words);
        }
        self.words.set(AT_LOCK, 0);
    }
}
