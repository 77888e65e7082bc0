//! Running out, and being whole again afterwards.

use alloc::format;
use alloc::vec::Vec;

use super::live::{Length, Live};
use super::random::Random;
use super::session::Session;
use super::{Failure, Property};
use crate::{Alignment, MemoryResource, Reuse};

/// Requests that fail in a row before the blocks are released: each is a chance to lose something.
const FAILING: usize = 16;
/// Blocks of the rounds with many, and the capacity up to which those are worth their time.
const SMALL: usize = 100;
const FEW: usize = 256 * 1024;
/// The stream of the sizes, the same in each round.
const STREAM: u64 = 0xE4A5;

/// Fills a bounded resource several times over. In each round the same requests come in the same order, so each
/// must get at least as far as the first.
pub(super) fn run<R: MemoryResource + ?Sized>(session: &mut Session<'_, R>) -> Result<(), Failure> {
    session.enter("exhaustion", None);
    rounds(session, session.config.max_size)?;
    session.enter("exhaustion by small blocks", None);
    if session.resource.info().capacity.is_some_and(|capacity| capacity <= FEW) {
        rounds(session, session.config.max_size.min(SMALL))?;
    }
    session.length = Length::Any;
    Ok(())
}

fn rounds<R: MemoryResource + ?Sized>(session: &mut Session<'_, R>, max_size: usize) -> Result<(), Failure> {
    let first = round(session, max_size, Release::LastFirst, None)?;
    if session.resource.info().reuse == Reuse::AllTogether {
        return Ok(());
    }
    let again = |session: &mut Session<'_, R>, property, release| {
        round(session, max_size, release, Some((property, first))).map(|_| ())
    };
    // Each round shows what the releases of the round before were worth.
    again(session, Property::Recovery, Release::Requested)?;
    again(session, Property::FitRelease, Release::LastFirst)?;
    again(session, Property::Recovery, Release::Shuffled)?;
    again(session, Property::Recovery, Release::FirstFirst)?;
    again(session, Property::Recovery, Release::Shuffled)
}

/// In which order, and with which length, a full resource is emptied.
#[derive(Clone, Copy)]
enum Release {
    FirstFirst,
    LastFirst,
    Shuffled,
    /// Last first, with the requested sizes.
    Requested,
}

/// One filling and emptying; how many requests were served.
fn round<R: MemoryResource + ?Sized>(
    session: &mut Session<'_, R>,
    max_size: usize,
    release: Release,
    expected: Option<(Property, usize)>,
) -> Result<usize, Failure> {
    let mut sizes = Random::new(session.config.seed, STREAM);
    let mut blocks = Vec::new();
    let mut held = 0_usize;
    loop {
        let size = sizes.size(max_size).max(1);
        let align = Alignment::new(1 << sizes.below(session.config.max_align.log2().min(6) as usize + 1));
        let Some(live) = session.allocate(size, align.unwrap_or(Alignment::ONE), false)? else { break };
        held = held.saturating_add(live.block.len());
        blocks.push(live);

        let capacity = session.resource.info().capacity.unwrap_or(usize::MAX);
        session.check(Property::Capacity, held <= capacity, || {
            format!("{held} bytes are live, the stated capacity is {capacity}")
        })?;
    }
    if let Some((property, first)) = expected {
        let served = blocks.len();
        session.check(property, served >= first, || {
            format!("{first} requests were served at first, the same requests fail now after {served}")
        })?;
    }
    let served = blocks.len();
    press(session, &mut blocks)?;
    empty(session, blocks, release)?;
    Ok(served)
}

/// Requests and growth while nothing, or next to nothing, is left.
fn press<R: MemoryResource + ?Sized>(
    session: &mut Session<'_, R>,
    blocks: &mut Vec<Live>,
) -> Result<(), Failure> {
    for _ in 0..FAILING {
        blocks.extend(session.allocate(session.config.max_size, Alignment::ONE, false)?);
        if let Some(live) = blocks.pop() {
            let (live, _) = session.reallocate(live, session.config.max_size)?;
            blocks.push(live);
        }
    }
    Ok(())
}

fn empty<R: MemoryResource + ?Sized>(
    session: &mut Session<'_, R>,
    mut blocks: Vec<Live>,
    release: Release,
) -> Result<(), Failure> {
    let stack = session.resource.info().reuse == Reuse::LastFirst;
    while !blocks.is_empty() {
        let (index, length) = match release {
            _ if stack => (blocks.len() - 1, Length::Any),
            Release::FirstFirst => (0, Length::Real),
            Release::LastFirst => (blocks.len() - 1, Length::Real),
            Release::Shuffled => (session.random.below(blocks.len()), Length::Real),
            Release::Requested => (blocks.len() - 1, Length::Requested),
        };
        let live = blocks.remove(index);
        session.length = length;
        session.release(&live)?;
    }
    Ok(())
}
