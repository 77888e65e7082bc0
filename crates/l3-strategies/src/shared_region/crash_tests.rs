//! Every operation, cut off after each of its stores: what is left is the state before it or the state after it.
//!
//! Processes are values here: a region is a vector of words, a process a mark and a fuse that ends it after so many stores. The image is
//! copied for each death, to another address. Real processes and real kills are in `tests/shared_region.rs`.

extern crate alloc;

use alloc::vec::Vec;
use core::ptr::NonNull;

use stratalloc_primitives::primitive::atomic::{AtomicU64, Ordering};

use super::block::{self, Head, LENGTH, LINK};
use super::fuse::Fuse;
use super::heap;
use super::journal::deepest;
use super::layout::{
    AT_JOURNAL_COUNT, AT_PARTICIPANTS, AT_QUEUES, AT_TAKEOVERS, JOURNAL, KEPT, MIN_WORDS, QUEUES,
};
use super::lock::{self, Processes};
use super::validate::validate;
use super::words::Words;
use super::{participant, words};

/// Where a block is, what its head says, its message's length.
type Entry = (u64, Head, u64);

/// A region's bytes.
pub(super) struct Image(pub(super) Vec<AtomicU64>);

impl Image {
    pub(super) fn new(count: u64) -> Self {
        let image = Self((0..count).map(|_| AtomicU64::new(0)).collect());
        heap::lay_out(&image.words());
        for (slot, mark) in [VICTIM, WITNESS, THIRD].into_iter().enumerate() {
            image.words().set(AT_PARTICIPANTS + slot as u64, mark);
        }
        image
    }

    fn copy(&self) -> Self {
        Self(self.0.iter().map(|word| AtomicU64::new(word.load(Ordering::Relaxed))).collect())
    }

    pub(super) fn words(&self) -> Words<'_> {
        // SAFETY: the vector's words, which are accessed as atomics only; there is no payload.
        unsafe { words::Words::new(NonNull::from(self.0.as_slice()).cast(), self.0.len() as u64) }
    }

    /// All that an operation may change, as its callers see it: blocks with owners and lengths, queues, counts.
    fn state(&self) -> (Vec<Entry>, Vec<Vec<u64>>) {
        let words = self.words();
        let blocks = block::walk(&words).map(|(at, head)| (at, head, words.get(at + LENGTH)));
        // Word 3 of a free block is a link, whose order may differ.
        let blocks =
            blocks.map(|(at, head, length)| (at, head, if head.owner == 0 { 0 } else { length })).collect();
        let queue = |queue| {
            let first = words.get(AT_QUEUES + 2 * queue);
            core::iter::successors((first != 0).then_some(first), |at| {
                Some(words.get(at + LINK)).filter(|next| *next != 0)
            })
            .collect()
        };
        (blocks, (0..QUEUES).map(queue).collect())
    }
}

pub(super) const VICTIM: u64 = 11;
pub(super) const WITNESS: u64 = 22;
const THIRD: u64 = 33;

/// A world in which these processes have died.
pub(super) struct Dead<'a>(pub(super) &'a [u64]);

impl Processes for Dead<'_> {
    fn is_alive(&self, mark: u64) -> bool {
        !self.0.contains(&mark)
    }

    fn wait(&self, attempts: u32) {
        assert!(attempts < 10_000, "the lock is held by a process that lives");
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    Allocate { size: u64, align: u64 },
    Free { index: usize },
    Resize { index: usize, size: u64 },
    Send { index: usize, queue: u64 },
    Receive { queue: u64 },
    Keep { index: usize },
    Adopt { index: usize },
    Leave,
}

/// The `index`-th block of an owner.
fn pick(words: &Words<'_>, owner: u64, index: usize) -> Option<(u64, Head)> {
    let mine: Vec<_> = block::walk(words).filter(|(_, head)| head.owner == owner).collect();
    mine.get(index.checked_rem(mine.len())?).copied()
}

/// Performs one operation as the process `mark`, whose blocks have `owner`.
pub(super) fn perform(words: &Words<'_>, mark: u64, owner: u64, op: Op) {
    let _lock = lock::acquire(words, mark, &Dead(&[]));
    match op {
        Op::Allocate { size, align } => {
            let words_needed = heap::block_words(size).unwrap();
            heap::allocate(words, (words_needed, align), size, owner);
        }
        Op::Free { index } => {
            if let Some((at, head)) = pick(words, owner, index) {
                heap::free(words, at, head);
            }
        }
        Op::Resize { index, size } => {
            if let Some((at, head)) = pick(words, owner, index) {
                heap::resize(words, at, head, heap::block_words(size).unwrap(), size);
            }
        }
        Op::Send { index, queue } => {
            if let Some((at, head)) = pick(words, owner, index) {
                heap::send(words, at, head, queue);
            }
        }
        Op::Receive { queue } => {
            heap::receive(words, queue, owner);
        }
        Op::Keep { index } => {
            if let Some((at, _)) = pick(words, owner, index) {
                assert!(heap::hand_over(words, at, owner, KEPT));
            }
        }
        Op::Adopt { index } => {
            if let Some((at, _)) = pick(words, KEPT, index) {
                assert!(heap::hand_over(words, at, KEPT, owner));
            }
        }
        Op::Leave => {
            heap::reclaim(words, owner);
        }
    }
}

pub(super) fn random_op(random: &mut u64) -> Op {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let number = *random >> 20;
    let (index, queue) = ((number >> 8 & 0xFFF) as usize, number >> 9 & 1);
    let size = if number >> 30 & 3 == 0 { number >> 32 & 0x7FF } else { number >> 32 & 0xFF };
    match number & 15 {
        0..=4 => Op::Allocate { size, align: 1 << (number >> 24 & 15).min(10) },
        5..=7 => Op::Free { index },
        8..=9 => Op::Resize { index, size },
        10..=11 => Op::Send { index, queue },
        12..=13 => Op::Receive { queue },
        14 if number >> 40 & 1 == 0 => Op::Keep { index },
        14 => Op::Adopt { index },
        _ if number >> 40 & 7 == 0 => Op::Leave,
        _ => Op::Free { index },
    }
}

/// The region after a process died in `op` after `stores` stores, recovered by another; whether it died.
fn died_and_recovered(before: &Image, op: Op, stores: u64) -> (Image, bool) {
    let image = before.copy();
    let fuse = Fuse::new(stores);
    perform(&image.words().with_fuse(&fuse), VICTIM, 1, op);
    let words = image.words();
    let dead: &[u64] = if fuse.is_burnt() { &[VICTIM] } else { &[] };
    drop(lock::acquire(&words, WITNESS, &Dead(dead)));
    (image, fuse.is_burnt())
}

/// An operation that is committed in pieces has several states between the first and the last.
fn is_single(op: Op) -> bool {
    !matches!(op, Op::Leave)
}

fn check_deaths(before: &Image, op: Op) -> u64 {
    let after = before.copy();
    perform(&after.words(), VICTIM, 1, op);
    let (first, last) = (before.state(), after.state());
    let mut stores = 0;
    loop {
        let (image, died) = died_and_recovered(before, op, stores);
        let words = image.words();
        assert_eq!(validate(&words), Ok(()), "{op:?} after {stores} stores");
        let state = image.state();
        assert!(
            !is_single(op) || state == first || state == last,
            "{op:?} after {stores}: neither before nor after"
        );
        assert!(words.get(AT_TAKEOVERS) <= before.words().get(AT_TAKEOVERS) + 1);
        if !died {
            assert_eq!(state, last);
            return stores;
        }
        // What the dead held goes, and nobody else's.
        let others = |state: &[Entry]| -> Vec<_> {
            state.iter().filter(|(_, head, _)| head.owner > 1).map(|(at, head, _)| (*at, *head)).collect()
        };
        let kept = others(&state.0);
        participant::reclaim(&words, WITNESS, &Dead(&[VICTIM]));
        assert_eq!(validate(&words), Ok(()), "{op:?} after {stores} stores, reclaimed");
        assert_eq!(others(&image.state().0), kept);
        assert!(!block::walk(&words).any(|(_, head)| head.owner == 1));
        stores += 1;
    }
}

#[test]
fn an_operation_that_is_cut_off_happened_or_did_not() {
    let (mut random, mut deaths) = (1, 0);
    let runs = if cfg!(miri) { 1 } else { 6 };
    for run in 0..runs {
        let mut image = Image::new(MIN_WORDS + 700 + 97 * run);
        for step in 0..if cfg!(miri) { 12 } else { 90 } {
            let op = random_op(&mut random);
            // Now and then somebody else works too.
            if step % 5 == 4 {
                perform(&image.words(), WITNESS, 2, op);
                continue;
            }
            deaths += check_deaths(&image, op);
            let next = image.copy();
            perform(&next.words(), VICTIM, 1, op);
            image = next;
            assert_eq!(validate(&image.words()), Ok(()), "{op:?}");
        }
    }
    assert!(cfg!(miri) || deaths > 10_000, "{deaths}");
    let most = deepest::most();
    assert!(most <= JOURNAL / 2, "an operation changed {most} words");
}

#[test]
fn a_recovery_that_is_cut_off_is_done_again() {
    let image = Image::new(MIN_WORDS + 600);
    let sizes = [100, 300, 50];
    for size in sizes {
        perform(&image.words(), VICTIM, 1, Op::Allocate { size, align: 1 });
    }
    let (op, before) = (Op::Free { index: 1 }, image.state());
    let after = image.copy();
    perform(&after.words(), VICTIM, 1, op);
    let mut twice = 0;
    for stores in 1..40 {
        for of_recovery in 1..40 {
            let image = image.copy();
            let (first, second) = (Fuse::new(stores), Fuse::new(of_recovery));
            perform(&image.words().with_fuse(&first), VICTIM, 1, op);
            if !first.is_burnt() {
                continue;
            }
            drop(lock::acquire(&image.words().with_fuse(&second), WITNESS, &Dead(&[VICTIM])));
            let dead: &[u64] = if second.is_burnt() { &[VICTIM, WITNESS] } else { &[VICTIM] };
            drop(lock::acquire(&image.words(), THIRD, &Dead(dead)));
            assert_eq!(validate(&image.words()), Ok(()), "{stores}, {of_recovery}");
            assert!([&before, &after.state()].contains(&&image.state()), "{stores}, {of_recovery}");
            assert_eq!(image.words().get(AT_JOURNAL_COUNT), 0);
            twice += usize::from(second.is_burnt());
        }
    }
    assert!(twice > 100, "{twice}");
}
