//! The lock and the journal, in what the other tests do not count: questions to the kernel, and stores.

use core::cell::Cell;

use super::crash_tests::{Dead, Image, VICTIM, WITNESS};
use super::fuse::Fuse;
use super::journal::Change;
use super::layout::{AT_LIVE_BLOCKS, AT_LOCK, AT_TAKEOVERS, MIN_WORDS};
use super::lock::{self, PATIENCE, Processes};
use super::words::Words;

/// A world in which whoever has the lock gives it back after some time.
struct Slow<'a> {
    words: Words<'a>,
    questions: Cell<u32>,
}

impl Processes for Slow<'_> {
    fn is_alive(&self, _mark: u64) -> bool {
        self.questions.set(self.questions.get() + 1);
        true
    }

    fn wait(&self, attempts: u32) {
        if attempts >= 2 * PATIENCE {
            self.words.set(AT_LOCK, 0);
        }
    }
}

#[test]
fn nobody_asks_whether_his_own_process_runs() {
    let image = Image::new(MIN_WORDS);
    let words = image.words();
    for (holder, asked) in [(WITNESS, true), (VICTIM, false)] {
        words.set(AT_LOCK, holder);
        let world = Slow { words: image.words(), questions: Cell::new(0) };
        drop(lock::acquire(&words, VICTIM, &world));
        assert_eq!(world.questions.get() > 0, asked, "{holder}");
    }
}

/// A process that dies of the store itself has the entry in the journal; the word's page is one that nobody can write to.
#[test]
fn a_word_that_was_never_changed_is_not_stored_to() {
    let image = Image::new(MIN_WORDS);
    let words = image.words();
    // The lock, number, old value, count: the fifth store would be the word.
    let fuse = Fuse::new(4);
    {
        let dying = words.with_fuse(&fuse);
        let _lock = lock::acquire(&dying, VICTIM, &Dead(&[]));
        Change::new(&dying).add(AT_LIVE_BLOCKS, 7);
    }
    assert_eq!((words.get(AT_LOCK), words.get(AT_LIVE_BLOCKS)), (VICTIM, 0));
    // The lock, count, takeovers, the lock: four, and the fuse holds one more.
    let fuse = Fuse::new(5);
    drop(lock::acquire(&words.with_fuse(&fuse), WITNESS, &Dead(&[VICTIM])));
    assert_eq!((words.get(AT_LOCK), words.get(AT_TAKEOVERS)), (0, 1));
    assert!(!fuse.is_burnt(), "a fifth store");
}
