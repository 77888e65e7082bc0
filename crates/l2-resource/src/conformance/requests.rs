//! Single requests: every size at every alignment, none, too many.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec::Vec;
use core::alloc::Layout;

use super::live::Live;
use super::session::Session;
use super::{Failure, Property};
use crate::{Alignment, MemoryBlock, MemoryResource};

/// All small sizes up to here, then those around powers of two.
const EVERY_SIZE_TO: usize = 40;

fn sizes(max: usize) -> Vec<usize> {
    let mut sizes: Vec<usize> = (1..=EVERY_SIZE_TO.min(max)).collect();
    let powers = (0..usize::BITS - 1).map(|log2| 1_usize << log2).take_while(|&power| power <= max);
    for power in powers.filter(|&power| power > EVERY_SIZE_TO) {
        sizes.extend([power - 1, power, power + 1, power + power / 2].map(|size| size.min(max)));
    }
    sizes.push(max);
    sizes
}

/// Each size at each alignment, plain and zeroed, with a window of live blocks behind it.
pub(super) fn grid<R: MemoryResource + ?Sized>(session: &mut Session<'_, R>) -> Result<(), Failure> {
    session.enter("grid", None);
    let mut window = VecDeque::new();
    for align in session.config.alignments() {
        for size in sizes(session.config.max_size) {
            for zeroed in [false, true] {
                window.extend(session.allocate(size, align, zeroed)?);
                if window.len() > session.config.live
                    && let Some(oldest) = window.pop_front()
                {
                    session.release(&oldest)?;
                }
            }
        }
        while let Some(youngest) = window.pop_back() {
            session.release(&youngest)?;
        }
    }
    Ok(())
}

/// Nothing at each alignment, and blocks that shrink to nothing and grow again.
pub(super) fn zero<R: MemoryResource + ?Sized>(session: &mut Session<'_, R>) -> Result<(), Failure> {
    session.enter("zero sizes", Some(Property::FitZero));
    for align in session.config.alignments() {
        let mut blocks = Vec::new();
        for zeroed in [false, true, false] {
            blocks.extend(session.allocate(0, align, zeroed)?);
        }
        if let Some(empty) = blocks.pop() {
            let (grown, _) = session.reallocate(empty, session.config.max_size.min(64))?;
            let (empty, _) = session.reallocate(grown, 0)?;
            blocks.push(empty);
        }
        session.release_all(&mut blocks)?;
    }
    Ok(())
}

/// So many blocks of nearly half an address space no program has at once: with 32 bits there may be one.
const TOO_MANY: usize = if usize::BITS < 64 { 2 } else { 1 };

/// More than any address space has.
pub(super) fn huge<R: MemoryResource + ?Sized>(session: &mut Session<'_, R>) -> Result<(), Failure> {
    session.enter("huge sizes", None);
    for align in session.config.alignments() {
        let most = isize::MAX.unsigned_abs() & !align.mask();
        for size in [most, most - align.mask(), (most - 4096) & !align.mask()] {
            huge_once(session, size, align)?;
        }
    }
    Ok(())
}

fn huge_once<R: MemoryResource + ?Sized>(
    session: &mut Session<'_, R>,
    size: usize,
    align: Alignment,
) -> Result<(), Failure> {
    session.place.operation += 1;
    session.requests += 2;
    let Ok(layout) = Layout::from_size_align(size, align.bytes()) else { return Ok(()) };
    // Zeroed second: where one may be served it is the first, so that nothing clears gigabytes.
    let answers = [session.resource.allocate(layout), session.resource.allocate_zeroed(layout)];
    let served = answers.iter().flatten().count();
    session.check(Property::HugeRequest, served < TOO_MANY, || {
        format!("{size} bytes at alignment {} were served, {served} times of two", align.bytes())
    })?;
    for block in answers.into_iter().flatten() {
        // SAFETY: live, returned length and alignment, never used.
        unsafe { session.resource.deallocate(block, align) };
    }
    Ok(())
}

/// Growth to more than any address space has: refused, and the block as before, also while others come and go.
pub(super) fn huge_reallocate<R: MemoryResource + ?Sized>(
    session: &mut Session<'_, R>,
) -> Result<(), Failure> {
    session.enter("huge reallocations", None);
    for align in session.config.alignments() {
        let size = session.config.max_size.min(200);
        let most = isize::MAX.unsigned_abs();
        // With 32 bits one block of `isize::MAX` may exist.
        let first = if usize::BITS < 64 { most + 1 } else { most & !align.mask() };
        for new_size in [first, most + 1, usize::MAX - 15, usize::MAX - 1, usize::MAX] {
            let Some(live) = session.allocate(size, align, false)? else { continue };
            let address = live.block.address();
            let live = refuse(session, live, new_size)?;
            session.suspect = Some(Property::FailureIntact);
            session.check(Property::FailureIntact, live.block.address() == address, || {
                format!("the block moved from {address:#x}")
            })?;
            let mut others = Vec::new();
            for _ in 0..3 {
                others.extend(session.allocate(size, align, false)?);
            }
            session.inspect(&live)?;
            session.release_all(&mut others)?;
            session.suspect = None;
            session.release(&live)?;
        }
    }
    Ok(())
}

/// A reallocation that must be refused. Called raw, because a granted one must not be looked at: its memory is not there.
fn refuse<R: MemoryResource + ?Sized>(
    session: &mut Session<'_, R>,
    live: Live,
    new_size: usize,
) -> Result<Live, Failure> {
    session.place.operation += 1;
    session.requests += 1;
    let handed = MemoryBlock::new(live.block.as_non_null(), live.block.len());
    // SAFETY: live, real length, its alignment; nobody else uses it.
    let answer = unsafe { session.resource.reallocate(handed, new_size, live.align) };
    session.check(Property::HugeReallocate, answer.is_err(), || {
        format!("{} bytes were resized to {new_size}", live.size)
    })?;
    session.refusals += 1;
    session.suspect = Some(Property::FailureIntact);
    session.checked.insert(Property::FailureIntact);
    session.inspect(&live)?;
    session.suspect = None;
    Ok(live)
}
