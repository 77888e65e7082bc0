//! The equations of a region, checked with the lock held.
//!
//! SHR-1 a check, a state and a size stand where each block begins; SHR-2 each says the size of the one before; SHR-3 no two free
//! ones are neighbours; SHR-4 the blocks end where the region does; SHR-5 exactly the free blocks are in bins, each in its own, and the maps
//! say which bins are empty; SHR-6 exactly the queued blocks are in queues; SHR-7 live blocks and words are counted; SHR-8 no operation is
//! under way; SHR-9 who holds a block is attached.

use stratalloc_resource::Violation;

use super::bins::{self, Bin};
use super::block::{self, BACK, LINK, State};
use super::layout::{
    AT_BLOCKS, AT_JOURNAL_COUNT, AT_LIVE_BLOCKS, AT_LIVE_WORDS, AT_PARTICIPANTS, AT_QUEUES, COLUMNS, HEADER,
    KEPT, PARTICIPANTS, QUEUES,
};
use super::words::Words;

/// What a walk over all blocks counts.
#[derive(Default)]
struct Counts {
    free: u64,
    queued: u64,
    live: u64,
    live_words: u64,
}

fn broken(
    id: &'static str,
    formula: &'static str,
    terms: &'static [&'static str],
    values: &[u64],
) -> Violation {
    let mut numbers = [0; Violation::TERMS];
    for (place, value) in numbers.iter_mut().zip(values) {
        *place = usize::try_from(*value).unwrap_or(usize::MAX);
    }
    Violation::new(id, formula, terms, &numbers)
}

pub(super) fn validate(words: &Words<'_>) -> Result<(), Violation> {
    let under_way = words.get(AT_JOURNAL_COUNT);
    if under_way != 0 {
        return Err(broken("SHR-8", "journal == 0", &["journal"], &[under_way]));
    }
    let counts = walk(words)?;
    let listed = check_bins(words, counts.free)?;
    if listed != counts.free {
        return Err(broken("SHR-5", "listed == free", &["listed", "free"], &[listed, counts.free]));
    }
    let queued = check_queues(words, counts.queued)?;
    if queued != counts.queued {
        return Err(broken(
            "SHR-6",
            "in queues == queued",
            &["in_queues", "queued"],
            &[queued, counts.queued],
        ));
    }
    let stated = [words.get(AT_LIVE_BLOCKS), words.get(AT_LIVE_WORDS)];
    if stated != [counts.live, counts.live_words] {
        let values = [stated[0], counts.live, stated[1], counts.live_words];
        let terms = &["blocks", "found", "words", "found_words"];
        return Err(broken("SHR-7", "blocks == found, words == found", terms, &values));
    }
    Ok(())
}

/// Walks all blocks: SHR-1 to 4, and 9.
fn walk(words: &Words<'_>) -> Result<Counts, Violation> {
    let (mut counts, mut end, mut before) = (Counts::default(), AT_BLOCKS, (0, State::Held));
    for (at, head) in block::walk(words) {
        check_previous(words, at, before.0)?;
        if head.state == State::Free && before.1 == State::Free {
            return Err(broken("SHR-3", "not both free", &["block"], &[at]));
        }
        let attached = head.owner == KEPT
            || head
                .owner
                .checked_sub(1)
                .is_some_and(|slot| slot < PARTICIPANTS && words.get(AT_PARTICIPANTS + slot) != 0);
        if attached != (head.state == State::Held) {
            return Err(broken("SHR-9", "held <=> owner attached", &["block", "owner"], &[at, head.owner]));
        }
        match head.state {
            State::Free => counts.free += 1,
            state => {
                counts.queued += u64::from(state == State::Queued);
                counts.live += 1;
                counts.live_words += head.size;
            }
        }
        before = (head.size, head.state);
        end = at + head.size;
    }
    let last = (words.count() - HEADER) / HEADER * HEADER;
    if end != last || block::read(words, end).is_none_or(|head| head.state != State::End) {
        return Err(broken("SHR-1", "a block or the end", &["place", "end"], &[end, last]));
    }
    check_previous(words, end, before.0)?;
    Ok(counts)
}

fn check_previous(words: &Words<'_>, at: u64, size: u64) -> Result<(), Violation> {
    let stated = block::previous_size(words, at);
    if stated == size {
        return Ok(());
    }
    Err(broken("SHR-2", "previous == size", &["block", "previous", "size"], &[at, stated, size]))
}

/// Walks all bins: SHR-5; how many blocks are in them.
fn check_bins(words: &Words<'_>, free: u64) -> Result<u64, Violation> {
    for (columns, marked) in bins::rows(words) {
        if columns >> COLUMNS != 0 || marked != (columns != 0) {
            return Err(broken(
                "SHR-5",
                "columns < 2^COLUMNS, marked <=> columns != 0",
                &["columns", "marked"],
                &[columns, u64::from(marked)],
            ));
        }
    }
    let mut listed = 0;
    for (bin, first, marked) in bins::all(words) {
        if marked != (first != 0) {
            return Err(broken(
                "SHR-5",
                "marked <=> filled",
                &["marked", "first"],
                &[u64::from(marked), first],
            ));
        }
        let (mut at, mut before) = (first, 0);
        while at != 0 {
            let head =
                block::read(words, at).filter(|head| head.state == State::Free && Bin::of(head.size) == bin);
            if listed == free || head.is_none() || words.get(at + BACK) != before {
                return Err(broken("SHR-5", "a listed block is free and in its bin", &["block"], &[at]));
            }
            (before, at) = (at, words.get(at + LINK));
            listed += 1;
        }
    }
    Ok(listed)
}

/// Walks all queues: SHR-6; how many blocks are in them.
fn check_queues(words: &Words<'_>, queued: u64) -> Result<u64, Violation> {
    let mut found = 0;
    for queue in 0..QUEUES {
        let (mut at, mut last) = (words.get(AT_QUEUES + 2 * queue), 0);
        while at != 0 {
            let head = block::read(words, at).filter(|head| head.state == State::Queued);
            if found == queued || head.is_none() {
                return Err(broken("SHR-6", "a block in a queue is queued", &["block"], &[at]));
            }
            (last, at) = (at, words.get(at + LINK));
            found += 1;
        }
        let stated = words.get(AT_QUEUES + 2 * queue + 1);
        if stated != last {
            return Err(broken("SHR-6", "tail == last", &["tail", "last"], &[stated, last]));
        }
    }
    Ok(found)
}
