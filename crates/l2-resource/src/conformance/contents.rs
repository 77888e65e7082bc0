//! What is in the blocks: kept by resizing, zero where promised.

use alloc::vec::Vec;

use super::session::Session;
use super::{Failure, Property};
use crate::MemoryResource;

/// From each of these sizes to each other one: within a class, over class edges, over pages.
fn ladder(max: usize) -> Vec<usize> {
    [1, 7, 16, 17, 40, 100, 128, 1000, 4096, 5000, 20_000, 70_000, 300_000, 2_000_000]
        .into_iter()
        .filter(|&size| size < max)
        .chain([max])
        .collect()
}

/// Growing and shrinking, with a neighbour on either side so that not all of it happens in place.
pub(super) fn reallocate<R: MemoryResource + ?Sized>(session: &mut Session<'_, R>) -> Result<(), Failure> {
    session.enter("reallocation", None);
    let sizes = ladder(session.config.max_size);
    for align in session.config.alignments() {
        for (index, &from) in sizes.iter().enumerate() {
            let to = sizes[(index * 5 + align.log2() as usize) % sizes.len()];
            let mut blocks = Vec::new();
            blocks.extend(session.allocate(from, align, false)?);
            let Some(live) = session.allocate(from, align, false)? else {
                session.release_all(&mut blocks)?;
                continue;
            };
            blocks.extend(session.allocate(from, align, false)?);
            let (live, _) = session.reallocate(live, to)?;
            let (live, _) = session.reallocate(live, from)?;
            let (live, _) = session.reallocate(live, from / 2 + 1)?;
            blocks.push(live);
            session.release_all(&mut blocks)?;
        }
    }
    Ok(())
}

/// Zeroed blocks where dirty ones were just released.
pub(super) fn zeroed<R: MemoryResource + ?Sized>(session: &mut Session<'_, R>) -> Result<(), Failure> {
    session.enter("zeroed blocks", None);
    session.checked.insert(Property::Zeroed);
    for align in session.config.alignments() {
        for size in ladder(session.config.max_size) {
            let mut dirty = Vec::new();
            for _ in 0..3 {
                dirty.extend(session.allocate(size, align, false)?);
            }
            session.release_all(&mut dirty)?;
            let mut clean = Vec::new();
            for _ in 0..4 {
                clean.extend(session.allocate(size, align, true)?);
            }
            // Again at once: what was zeroed, written and released is dirty too.
            if let Some(live) = clean.pop() {
                session.release(&live)?;
                clean.extend(session.allocate(size, align, true)?);
            }
            session.release_all(&mut clean)?;
        }
    }
    Ok(())
}
