//! Random operations, for what nobody thought of.

use alloc::vec::Vec;

use super::live::{Length, Live};
use super::session::Session;
use super::{Failure, Property};
use crate::{Alignment, MemoryResource};

/// A random alignment; small ones more often, as in programs.
pub(super) fn alignment<R: MemoryResource + ?Sized>(session: &mut Session<'_, R>) -> Alignment {
    let choices = session.config.max_align.log2() as usize + 1;
    let log2 = session.random.below(choices).min(session.random.below(choices));
    Alignment::new(1 << log2).unwrap_or(Alignment::ONE)
}

/// One random operation on `blocks`.
pub(super) fn step<R: MemoryResource + ?Sized>(
    session: &mut Session<'_, R>,
    blocks: &mut Vec<Live>,
) -> Result<(), Failure> {
    let full = blocks.len() >= session.config.live;
    // Of ten: four requests, two reallocations, four releases; so the number of live blocks wanders over its range.
    let choice = session.random.below(10);
    if blocks.is_empty() || (choice < 4 && !full) {
        let size = session.random.size(session.config.max_size);
        let align = alignment(session);
        let zeroed = session.random.below(4) == 0;
        blocks.extend(session.allocate(size, align, zeroed)?);
        return Ok(());
    }
    let index = session.random.below(blocks.len());
    let live = blocks.swap_remove(index);
    if choice < 6 {
        let size = session.random.size(session.config.max_size);
        let (live, _) = session.reallocate(live, size)?;
        blocks.push(live);
    } else {
        session.release(&live)?;
    }
    Ok(())
}

/// Many of them on one thread: first with blocks handed back at their real length, then at any that fits.
pub(super) fn random<R: MemoryResource + ?Sized>(session: &mut Session<'_, R>) -> Result<(), Failure> {
    session.enter("random operations", None);
    many(session)?;
    session.enter("random lengths of release", Some(Property::FitRelease));
    session.length = Length::Any;
    many(session)
}

fn many<R: MemoryResource + ?Sized>(session: &mut Session<'_, R>) -> Result<(), Failure> {
    let mut blocks = Vec::new();
    for _ in 0..session.config.operations {
        step(session, &mut blocks)?;
    }
    session.release_all(&mut blocks)
}
