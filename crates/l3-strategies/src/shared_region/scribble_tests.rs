//! A region in which somebody wrote who should not: every answer is checked before it is believed, and none leads out of the region.

extern crate alloc;
extern crate std;

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::ptr::NonNull;

use stratalloc_primitives::primitive::atomic::{AtomicU64, Ordering};

use super::block::{self, BACK, LINK, State};
use super::crash_tests::{Dead, Image, VICTIM, WITNESS, perform, random_op};
use super::journal::Change;
use super::layout::{
    AT_BINS, AT_BLOCKS, AT_COLUMN_MAPS, AT_JOURNAL_COUNT, AT_LIVE_BLOCKS, AT_LIVE_WORDS, AT_LOCK, AT_QUEUES,
    AT_ROW_MAP, COLUMNS, HEADER, MIN_BLOCK, MIN_WORDS, QUEUES, ROWS,
};
use super::validate::validate;
use super::words::Words;
use super::{heap, lock, participant};

/// A copy of a region between words that are nobody's.
struct Fenced(Vec<AtomicU64>);

/// Words on each side, and what is in them.
const FENCE: usize = 64;
const UNTOUCHED: u64 = 0xFE7C_E0FE_7CE0_FE7C;

impl Fenced {
    fn new(image: &Image) -> Self {
        let fence = || [UNTOUCHED; FENCE].into_iter();
        let inside = image.0.iter().map(|word| word.load(Ordering::Relaxed));
        Self(fence().chain(inside).chain(fence()).map(AtomicU64::new).collect())
    }

    fn words(&self) -> Words<'_> {
        let inside = &self.0[FENCE..self.0.len() - FENCE];
        // SAFETY: words of the vector, which are accessed as atomics only; there is no payload.
        unsafe { Words::new(NonNull::from(inside).cast(), inside.len() as u64) }
    }

    fn is_intact(&self) -> bool {
        let end = self.0.len() - FENCE;
        self.0[..FENCE].iter().chain(&self.0[end..]).all(|word| word.load(Ordering::Relaxed) == UNTOUCHED)
    }
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 ^ self.0 >> 29
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 20) % end
    }
}

/// The words about which `validate` says something, in a region that is sound.
fn described(words: &Words<'_>) -> BTreeSet<u64> {
    let mut found = BTreeSet::from([AT_JOURNAL_COUNT, AT_LIVE_BLOCKS, AT_LIVE_WORDS, AT_ROW_MAP]);
    found.extend(AT_COLUMN_MAPS..AT_COLUMN_MAPS + ROWS);
    found.extend(AT_BINS..AT_BINS + ROWS * COLUMNS);
    found.extend(AT_QUEUES..AT_QUEUES + 2 * QUEUES);
    let mut end = AT_BLOCKS;
    for (at, head) in block::walk(words) {
        found.extend([at, at + 1]);
        match head.state {
            State::Free => found.extend([at + LINK, at + BACK]),
            State::Queued => found.extend([at + LINK]),
            _ => {}
        }
        end = at + head.size;
    }
    found.extend([end, end + 1]);
    found
}

/// The words of all headers.
fn headers<'w>(words: &'w Words<'_>) -> impl Iterator<Item = u64> + 'w {
    block::walk(words).flat_map(|(at, _)| at..at + HEADER)
}

/// A region after some operations.
fn used(random: &mut Random) -> Image {
    let image = Image::new(MIN_WORDS + 400);
    for _ in 0..random.below(20) {
        perform(&image.words(), VICTIM, 1, random_op(&mut random.0));
    }
    image
}

/// Allocates, and looks at what it gets: a request is answered with enough words inside the region, or not.
fn allocate(words: &Words<'_>, random: &mut Random) {
    let (size, align) = (heap::block_words(random.below(3000)).unwrap(), 1 << random.below(11));
    let _lock = lock::acquire(words, WITNESS, &Dead(&[]));
    if let Some((at, kept)) = heap::allocate(words, (size, align), 1, 2) {
        assert!(kept >= size && at >= AT_BLOCKS && at + kept <= words.count(), "{at} {kept} for {size}");
        assert!(((at + HEADER) * 8).is_multiple_of(align), "{at} for {align}");
    }
}

#[test]
fn what_somebody_scribbled_over_a_region_is_found() {
    let mut random = Random(9);
    let mut counts = [0; 2];
    for _ in 0..if cfg!(miri) { 5 } else { 5_000 } {
        let image = used(&mut random);
        let words = image.words();
        assert_eq!(validate(&words), Ok(()));
        let (index, value) = (random.below(words.count()), random.next());
        let expected = described(&words).contains(&index);
        words.set(index, value);
        assert_eq!(validate(&words).is_err(), expected, "word {index}: {value:#x}");
        counts[usize::from(expected)] += 1;
    }
    assert!(cfg!(miri) || counts.iter().all(|&count| count > 500), "{counts:?}");
}

#[test]
fn what_somebody_scribbled_over_a_region_leads_nowhere() {
    let mut random = Random(10);
    for _ in 0..if cfg!(miri) { 5 } else { 8_000 } {
        let image = Fenced::new(&used(&mut random));
        let words = image.words();
        let targets: Vec<_> = headers(&words).collect();
        for _ in 0..=random.below(4) {
            // The more a word looks as if it belonged there, the further it leads.
            let index = match random.below(2) {
                0 => random.below(words.count()),
                _ => targets[usize::try_from(random.below(targets.len() as u64)).unwrap()],
            };
            let value = match random.below(4) {
                0 => random.next(),
                1 => words.get(random.below(words.count())),
                2 => words.get(index) ^ 1 << random.below(64),
                _ => words.get(index).wrapping_add(random.below(64)).wrapping_sub(32),
            };
            words.set(index, value);
        }
        // Whoever waits for a lock that nobody has waits for ever; that is another matter.
        words.set(AT_LOCK, 0);
        let _ = validate(&words);
        assert!(block::walk(&words).all(|(at, head)| at + head.size <= words.count()));
        perform(&words, WITNESS, 2, random_op(&mut random.0));
        allocate(&words, &mut random);
        participant::reclaim(&words, WITNESS, &Dead(&[VICTIM]));
        allocate(&words, &mut random);
        // None of these was for ever, or panicked over a sum that is none.
        assert!(image.is_intact());
    }
}

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
        std::panic::resume_unwind(alloc::boxed::Box::new(()));
    }));
    assert!(unwound.is_err());
    assert_eq!(words.get(AT_JOURNAL_COUNT), 0);
    assert_eq!(words.get(AT_LIVE_BLOCKS), 0);
    drop(lock::acquire(&words, WITNESS, &Dead(&[])));
    assert_eq!(validate(&words), Ok(()));
}
