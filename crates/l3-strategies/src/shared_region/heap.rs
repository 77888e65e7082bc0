//! What is done with blocks. Each function is one operation: called with the lock held, it commits or changes nothing.

use super::bins;
use super::block::{self, Head, LENGTH, LINK, State};
use super::journal::Change;
use super::layout::{
    AT_BLOCKS, AT_LIVE_BLOCKS, AT_LIVE_WORDS, AT_QUEUES, HEADER, MAX_WORDS, MIN_BLOCK, QUEUES,
};
use super::words::Words;
use crate::misuse::MisuseKind;

const WORD: u64 = 8;

/// The words of a block for so many bytes; `None` above what a region can have.
pub(super) fn block_words(bytes: u64) -> Option<u64> {
    let payload = bytes.div_ceil(WORD).checked_next_multiple_of(HEADER)?;
    let size = payload.checked_add(HEADER)?.max(MIN_BLOCK);
    (size <= MAX_WORDS).then_some(size)
}

/// The words to look for, so that a block of `size` fits behind a gap that aligns its payload.
pub(super) fn search_words(size: u64, align: u64) -> u64 {
    // A gap is 0 or a block of its own.
    if align <= HEADER * WORD { size } else { size + align / WORD + MIN_BLOCK }
}

fn difference(words: u64) -> i64 {
    words.cast_signed()
}

/// Makes one free block of everything, in a region of zeros.
pub(super) fn lay_out(words: &Words<'_>) {
    let mut change = Change::new(words);
    let end = (words.count() - HEADER) / HEADER * HEADER;
    let size = end - AT_BLOCKS;
    change.write_header(AT_BLOCKS, Head::free(size), 0);
    change.write_header(end, Head { size: HEADER, state: State::End, owner: 0 }, size);
    change.insert(AT_BLOCKS, size);
    change.commit();
}

/// A block of at least `size` words for `owner`, its payload aligned to `align` bytes; where it begins, and its size.
///
/// Both are computed from one reading of one header: what a process that scribbles makes of the words meanwhile does not change them.
pub(super) fn allocate(
    words: &Words<'_>,
    (size, align): (u64, u64),
    length: u64,
    owner: u64,
) -> Option<(u64, u64)> {
    let needed = search_words(size, align);
    let found = bins::find(words, needed)?;
    // A bin says how large its blocks are at least, the header how large this one is. They may differ after somebody scribbled.
    let head = block::read(words, found).filter(|head| head.state == State::Free && head.size >= needed)?;
    let mut change = Change::new(words);
    change.remove(found, head.size);
    let (at, room) = cut_gap(&mut change, words, found, head.size, align);
    let kept = occupy(&mut change, words, (at, room), size, owner);
    change.set(at + LENGTH, length);
    change.add(AT_LIVE_BLOCKS, 1);
    change.add(AT_LIVE_WORDS, difference(kept));
    change.commit();
    Some((at, kept))
}

/// Frees what lies before the first aligned payload; where the block begins then, and its size.
fn cut_gap(change: &mut Change<'_, '_>, words: &Words<'_>, at: u64, size: u64, align: u64) -> (u64, u64) {
    let payload = at + HEADER;
    let mut gap = payload.next_multiple_of((align / WORD).max(1)) - payload;
    if gap == 0 {
        return (at, size);
    }
    if gap < MIN_BLOCK {
        gap += align / WORD;
    }
    change.write_header(at, Head::free(gap), block::previous_size(words, at));
    change.insert(at, gap);
    change.write_previous(at + gap, gap);
    (at + gap, size - gap)
}

/// Gives `size` words of a range that is in no bin to `owner`, and frees the rest, if it is worth it; what was kept.
fn occupy(
    change: &mut Change<'_, '_>,
    words: &Words<'_>,
    (at, room): (u64, u64),
    size: u64,
    owner: u64,
) -> u64 {
    let kept = if room - size >= MIN_BLOCK { size } else { room };
    change.write_header(at, Head { size: kept, state: State::Held, owner }, block::previous_size(words, at));
    if kept < room {
        let rest = at + kept;
        change.write_header(rest, Head::free(room - kept), kept);
        change.insert(rest, room - kept);
    }
    change.write_previous(at + room, if kept < room { room - kept } else { kept });
    kept
}

/// The live block whose header is at `at`, or what is wrong with the question.
pub(super) fn live(words: &Words<'_>, at: u64) -> Result<Head, MisuseKind> {
    match block::read(words, at) {
        Some(head) if head.state == State::Held => Ok(head),
        Some(_) => Err(MisuseKind::DoubleRelease),
        // The first word of a block that was merged is erased; its check is not.
        None if words.get(at) == 0 && at.is_multiple_of(HEADER) => Err(MisuseKind::DoubleRelease),
        None => Err(MisuseKind::InteriorPointer),
    }
}

/// Takes a block back and merges it with free neighbours; where the merged one ends.
pub(super) fn free(words: &Words<'_>, at: u64, head: Head) -> u64 {
    let mut change = Change::new(words);
    let (mut first, mut size) = (at, head.size);
    change.add(AT_LIVE_BLOCKS, -1);
    change.add(AT_LIVE_WORDS, -difference(head.size));
    let next = at + head.size;
    size += detach(&mut change, words, next);
    let previous = block::previous_size(words, at);
    if previous != 0
        && let Some(before) = at.checked_sub(previous)
    {
        let merged = detach(&mut change, words, before);
        if merged != 0 {
            // `detach` erased the header that now describes the whole.
            change.erase(at);
            (first, size) = (before, size + merged);
        }
    }
    change.write_header(first, Head::free(size), block::previous_size(words, first));
    change.write_previous(first + size, size);
    change.insert(first, size);
    change.commit();
    first + size
}

/// Takes the block at `at` out of its bin if it is free; its size, or 0. Its header is erased.
fn detach(change: &mut Change<'_, '_>, words: &Words<'_>, at: u64) -> u64 {
    let size = free_size(words, at);
    if size != 0 {
        take_out(change, at, size);
    }
    size
}

/// The size of the block at `at` if it is free, or 0.
fn free_size(words: &Words<'_>, at: u64) -> u64 {
    block::read(words, at).filter(|head| head.state == State::Free).map_or(0, |head| head.size)
}

/// Takes a free block out of its bin and erases its header.
fn take_out(change: &mut Change<'_, '_>, at: u64, size: u64) {
    change.remove(at, size);
    change.erase(at);
}

/// Changes a held block's size in place to at least `size`; what it is then, or `None` if there is no room.
pub(super) fn resize(words: &Words<'_>, at: u64, head: Head, size: u64, length: u64) -> Option<u64> {
    let next = at + head.size;
    // Read once: see `allocate`.
    let behind = free_size(words, next);
    let room = head.size + behind;
    if size > room {
        return None;
    }
    let mut change = Change::new(words);
    if behind != 0 {
        take_out(&mut change, next, behind);
    }
    let kept = occupy(&mut change, words, (at, room), size, head.owner);
    change.set(at + LENGTH, length);
    change.add(AT_LIVE_WORDS, difference(kept) - difference(head.size));
    change.commit();
    Some(kept)
}

/// Hands a held block to a queue: it is nobody's until somebody receives it.
pub(super) fn send(words: &Words<'_>, at: u64, head: Head, queue: u64) {
    debug_assert!(queue < QUEUES);
    let (first, last) = (AT_QUEUES + 2 * queue, AT_QUEUES + 2 * queue + 1);
    let mut change = Change::new(words);
    change.write_head(at, Head { state: State::Queued, owner: 0, ..head });
    change.set(at + LINK, 0);
    match change.get(last) {
        0 => change.set(first, at),
        tail => change.set(block::beside(tail, LINK), at),
    }
    change.set(last, at);
    change.commit();
}

/// Gives the first block of a queue to `owner`; where it begins.
pub(super) fn receive(words: &Words<'_>, queue: u64, owner: u64) -> Option<(u64, Head)> {
    let (first, last) = (AT_QUEUES + 2 * queue, AT_QUEUES + 2 * queue + 1);
    let at = words.get(first);
    let head = block::read(words, at).filter(|head| head.state == State::Queued)?;
    let head = Head { state: State::Held, owner, ..head };
    let mut change = Change::new(words);
    let next = change.get(at + LINK);
    change.set(first, next);
    if next == 0 {
        change.set(last, 0);
    }
    change.write_head(at, head);
    change.commit();
    Some((at, head))
}

/// Gives a held block from one owner to another; false if it is not `from`'s.
pub(super) fn hand_over(words: &Words<'_>, at: u64, from: u64, to: u64) -> bool {
    let Some(head) = block::read(words, at).filter(|head| head.state == State::Held && head.owner == from)
    else {
        return false;
    };
    let mut change = Change::new(words);
    change.write_head(at, Head { owner: to, ..head });
    change.commit();
    true
}

/// Frees everything that `owner` holds; how many bytes. Each block is an operation of its own, so this may be cut short and done again.
pub(super) fn reclaim(words: &Words<'_>, owner: u64) -> u64 {
    let (mut at, mut bytes) = (AT_BLOCKS, 0);
    while let Some(head) = block::read(words, at).filter(|head| head.state != State::End) {
        at = if head.state == State::Held && head.owner == owner {
            bytes += head.size * WORD;
            // (Onward in any case, should the block before say something wrong.)
            free(words, at, head).max(at + HEADER)
        } else {
            at + head.size
        };
    }
    bytes
}
