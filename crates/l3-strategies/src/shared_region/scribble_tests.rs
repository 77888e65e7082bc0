//! A region in which somebody wrote who should not: every answer is checked before it is believed, and none leads out of the region.

extern crate std;
use super::block::{self, State};
use super::crash_tests::{Dead, Image, VICTIM, WITNESS};
use super::heap;
use super::journal::Change;
use super::layout::{AT_BLOCKS, AT_JOURNAL_COUNT, AT_LIVE_BLOCKS, MIN_BLOCK, MIN_WORDS};
use super::lock;
use super::validate::validate;

/// The low half of a header's first word: the size.
fn scribble_size(image: &Image, at: u64, size: u64) {
    let words = image.words();
    words.set(at, words.get(at) & !0xFFFF_FFFF | size);
}

#[test]
fn a_free_block_that_somebody_made_small_is_not_handed_out_for_a_large_one() {
    for (size, align) in [(500, 8), (100, 4096), (MIN_BLOCK * 2, 8)] {
        let image = Image::new(MIN_WORDS + 2000);
        let words = image.words();
        scribble_size(&image, AT_BLOCKS, MIN_BLOCK);
        assert_eq!(
            block::read(&words, AT_BLOCKS).map(|head| (head.size, head.state)),
            Some((MIN_BLOCK, State::Free))
        );
        let _lock = lock::acquire(&words, VICTIM, &Dead(&[]));
        assert_eq!(heap::allocate(&words, (size, align), 1, 1), None, "{size}, {align}");
    }
}

#[test]
fn what_was_begun_and_not_committed_is_undone_when_the_lock_goes() {
    let image = Image::new(MIN_WORDS);
    let words = image.words();
    let unwound = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| {
        let _lock = lock::acquire(&words, VICTIM, &Dead(&[]));
        let mut change = Change::new(&words);
        change.add(AT_LIVE_BLOCKS, 7);
        std::panic::resume_unwind(std::boxed::Box::new(()));
    }));
    assert!(unwound.is_err());
    assert_eq!(words.get(AT_JOURNAL_COUNT), 0);
    assert_eq!(words.get(AT_LIVE_BLOCKS), 0);
    drop(lock::acquire(&words, WITNESS, &Dead(&[])));
    assert_eq!(validate(&words), Ok(()));
}
