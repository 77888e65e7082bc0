//! What a resource says about itself, and whom it takes for itself.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::alloc::Layout;

use super::session::Session;
use super::{Failure, Property};
use crate::{Alignment, AllocError, MemoryBlock, MemoryResource, ResourceId, ResourceInfo, ThreadSafety};

/// A resource that is equal to nothing else.
struct Stranger;

// SAFETY: it never returns a block, so there is nothing to keep.
unsafe impl MemoryResource for Stranger {
    fn allocate(&self, _: Layout) -> Result<MemoryBlock, AllocError> {
        Err(AllocError::Unsupported)
    }

    unsafe fn deallocate(&self, _: MemoryBlock, _: Alignment) {}

    fn identity(&self) -> ResourceId {
        ResourceId::new::<Self>(0)
    }

    fn info(&self) -> ResourceInfo<'_> {
        ResourceInfo::new("stranger", ThreadSafety::Shared)
    }
}

/// Name and classes, twice the same.
pub(super) fn info<R: MemoryResource + ?Sized>(session: &mut Session<'_, R>) -> Result<(), Failure> {
    session.enter("info", None);
    let (info, again) = (session.resource.info(), session.resource.info());
    session.check(Property::Info, !info.name.is_empty(), || "the name is empty".to_string())?;
    let same = info.name == again.name
        && (info.threads, info.reuse) == (again.threads, again.reuse)
        && (info.capacity, info.max_size, info.max_align)
            == (again.capacity, again.max_size, again.max_align);
    session.check(Property::Info, same, || format!("{info:?} became {again:?}"))?;
    let ascending =
        info.size_classes.iter().zip(info.size_classes.iter().skip(1)).all(|(low, high)| low < high);
    session.check(Property::Info, ascending, || format!("{:?} do not ascend", info.size_classes))
}

/// Equal to itself and its references, not to a stranger; the same with blocks live and without.
pub(super) fn equality<R: MemoryResource + ?Sized>(session: &mut Session<'_, R>) -> Result<(), Failure> {
    session.enter("equality", None);
    let direct: &R = session.resource;
    let reference: &&R = &direct;
    let before = direct.identity();
    session.check(Property::EqualReflexive, direct.is_equal(reference), || {
        format!("it differs from itself: {before:?}")
    })?;
    session.check(Property::EqualReflexive, reference.is_equal(reference), || {
        format!("a reference to it differs from itself: {before:?}")
    })?;
    let (forth, back) = (direct.is_equal(&Stranger), Stranger.is_equal(reference));
    session.check(Property::EqualSymmetric, forth == back, || {
        format!("it says {forth} of another resource, which says {back} of it")
    })?;
    let mut blocks = Vec::new();
    for size in [1, session.config.max_size.min(4096)] {
        blocks.extend(session.allocate(size, Alignment::ONE, false)?);
    }
    let with_blocks = direct.identity();
    session.check(Property::EqualStable, before == with_blocks, || {
        format!("{before:?} became {with_blocks:?} with the first blocks")
    })?;
    session.release_all(&mut blocks)
}

/// Two resources: the same answer both ways, and each other's blocks released if they are equal.
pub(super) fn pair<A, B>(a: &mut Session<'_, A>, b: &mut Session<'_, B>) -> Result<bool, Failure>
where
    A: MemoryResource + ?Sized,
    B: MemoryResource + ?Sized,
{
    a.enter("equality of two", None);
    b.enter("equality of two", None);
    let (forth, back) = (a.resource.is_equal(&b.resource), b.resource.is_equal(&a.resource));
    a.check(Property::EqualSymmetric, forth == back, || {
        format!("it says {forth} of the other, which says {back} of it")
    })?;
    if !forth {
        return Ok(false);
    }
    a.suspect = Some(Property::EqualRelease);
    b.suspect = Some(Property::EqualRelease);
    a.checked.insert(Property::EqualRelease);
    for _ in 0..a.config.operations {
        exchange(a, b)?;
        exchange(b, a)?;
    }
    Ok(true)
}

/// Blocks of one, every second of which the other releases; the rest must not suffer from that.
fn exchange<A, B>(from: &mut Session<'_, A>, to: &mut Session<'_, B>) -> Result<(), Failure>
where
    A: MemoryResource + ?Sized,
    B: MemoryResource + ?Sized,
{
    let mut own = Vec::new();
    let mut others = Vec::new();
    for index in 0..from.config.live.min(8) {
        let size = from.random.size(from.config.max_size.min(1024));
        let align = super::sequence::alignment(from);
        let blocks = if index % 2 == 0 { &mut own } else { &mut others };
        blocks.extend(from.allocate(size, align, false)?);
    }
    while let Some(live) = others.pop() {
        to.release(&live)?;
        from.forget_one();
    }
    from.release_all(&mut own)
}

/// `Owns` says yes to live blocks and no to memory of the kit's own.
pub(super) fn ownership<R: MemoryResource + crate::Owns + ?Sized>(
    session: &mut Session<'_, R>,
) -> Result<(), Failure> {
    /// Memory that no resource handed out.
    static FOREIGN: [u8; 64] = [0xF0; 64];
    session.enter("ownership", None);
    let mut blocks = Vec::new();
    for align in session.config.alignments() {
        for _ in 0..4 {
            let size = session.random.size(session.config.max_size).max(1);
            blocks.extend(session.allocate(size, align, false)?);
        }
        for live in &blocks {
            let owned = session.resource.owns(live.block.as_ptr());
            session
                .check(Property::Owns, owned, || format!("{:#x} is live and denied", live.block.address()))?;
        }
        let foreign = FOREIGN.iter().find(|&byte| session.resource.owns(byte));
        let found = foreign.is_some();
        session.check(Property::Owns, !found, || "a static of the kit is claimed".to_string())?;
        // Any answer will do, as long as there is one.
        session.resource.owns(core::ptr::null());
        session.resource.owns(core::ptr::without_provenance(usize::MAX));
        session.release_all(&mut blocks)?;
    }
    Ok(())
}
