//! The contract as a test, for any resource, any global allocator and any malloc family.
//!
//! ```
//! use std::alloc::System;
//! use stratalloc_resource::FromGlobal;
//! use stratalloc_resource::conformance::{self, Config, Property};
//!
//! let config = Config { operations: 200, ..Config::default() };
//! let report = conformance::resource(&FromGlobal::new(&System), &config).unwrap_or_else(|failure| panic!("{failure}"));
//! assert!(report.checked().any(|property| property == Property::ThreadsRemote));
//! ```
//!
//! A run is a row of stages, each over the same resource and the same shadow map of what is live:
//!
//! ```text
//!   info, equality                                        what it says of itself
//!   grid, reallocation, zeroed, zero sizes, huge sizes    each size at each alignment
//!   random operations, random lengths of release          what nobody thought of
//!   exhaustion                                            only with a capacity
//!   parallel threads, remote releases                     only if `Sync`
//! ```
//!
//! The first property that does not hold ends it with a [`Failure`]: the property, the sentence of the contract, the
//! seed, stage and number of the operation, and what was seen. Everything but the order in which threads run follows from
//! [`Config::seed`].
//!
//! The kit writes only into memory that it was given and whose place it has checked, so most broken resources
//! fail in it and not around it. After a failure it leaves the resource alone; live blocks are leaked.
//!
//! What it cannot see: reads of released memory, calls back into the global allocator, and whatever needs an unlucky schedule.
//! Sanitizers, Miri and model checking are for those.
//!
//! Modules: `property` (what), `config` and `report` (in and out), `session` (every call and its checks), `live`, `shadow`, `mark`,
//! `random` (witnesses and choices), one module per stage, and [`malloc`](self::MallocFamily) for C.

mod config;
mod contents;
mod exhaustion;
mod identity;
mod live;
mod malloc;
mod mark;
mod property;
mod random;
mod report;
mod requests;
mod sequence;
mod session;
mod shadow;
mod threads;

use alloc::string::ToString;
use alloc::vec::Vec;
use core::alloc::GlobalAlloc;

pub use config::{Config, cases};
pub use malloc::{MallocFamily, ReallocZero};
pub use property::Property;
pub use report::{Failure, Report};

use session::{Session, Validator};
use shadow::Shadow;

use crate::{FromGlobal, MemoryResource, Owns, Reuse, Validate};

/// Properties left out, and why.
type Skipped = Vec<(Property, &'static str)>;

/// Checks a resource that threads may share.
///
/// # Errors
///
/// The first property that does not hold.
pub fn resource<R: MemoryResource + Sync + ?Sized>(resource: &R, config: &Config) -> Result<Report, Failure> {
    run(resource, config, |session, skipped| {
        alone(session, skipped)?;
        with_threads(session)
    })
}

/// Checks a resource that one thread uses, leaving out what needs several.
///
/// # Errors
///
/// The first property that does not hold.
pub fn local_resource<R: MemoryResource + ?Sized>(resource: &R, config: &Config) -> Result<Report, Failure> {
    run(resource, config, |session, skipped| {
        let reason = "the resource is confined to one thread";
        skipped.push((Property::ThreadsParallel, reason));
        skipped.push((Property::ThreadsRemote, reason));
        alone(session, skipped)
    })
}

/// As [`local_resource`], and the resource checks its own equations after every operation.
///
/// # Errors
///
/// The first property that does not hold; [`Property::Validate`] with the equation if it is one of those.
pub fn validated<R: MemoryResource + Validate + ?Sized>(
    resource: &R,
    config: &Config,
) -> Result<Report, Failure> {
    let validator = || resource.validate();
    run_with(resource, config, Some(&validator), alone)
}

/// Checks only whether the resource knows its own blocks.
///
/// # Errors
///
/// [`Property::Owns`], or what was met on the way.
pub fn ownership<R: MemoryResource + Owns + ?Sized>(
    resource: &R,
    config: &Config,
) -> Result<Report, Failure> {
    run(resource, config, |session, _| identity::ownership(session))
}

/// Checks whether two resources agree on being equal, and release each other's blocks if they are.
///
/// Returns whether they are.
///
/// # Errors
///
/// [`Property::EqualSymmetric`], [`Property::EqualRelease`], or what was met on the way.
pub fn pair<A, B>(a: &A, b: &B, config: &Config) -> Result<bool, Failure>
where
    A: MemoryResource + ?Sized,
    B: MemoryResource + ?Sized,
{
    let shadow = Shadow::default();
    let config = config.fitted(&a.info()).fitted(&b.info());
    let (mut first, mut second) =
        (Session::new(a, config, &shadow, None), Session::new(b, config, &shadow, None));
    let mut equal = false;
    first.guarded(|first| {
        equal = identity::pair(first, &mut second)?;
        Ok(())
    })?;
    Ok(equal)
}

/// Checks a global allocator, as the resource that [`FromGlobal`] makes of it.
///
/// ```
/// use stratalloc_resource::conformance::{self, Config};
///
/// let config = Config { operations: 200, ..Config::default() };
/// assert!(conformance::global_alloc(&std::alloc::System, &config).is_ok());
/// ```
///
/// # Errors
///
/// The first property that does not hold.
pub fn global_alloc<A: GlobalAlloc + Sync + 'static>(
    allocator: &A,
    config: &Config,
) -> Result<Report, Failure> {
    resource(&FromGlobal::new(allocator), config)
}

/// Checks a malloc family: all that a resource has to keep, and what C, POSIX and glibc add.
///
/// # Errors
///
/// The first property that does not hold.
pub fn malloc_family(family: &MallocFamily, config: &Config) -> Result<Report, Failure> {
    malloc::check(family, config)
}

fn run<R: MemoryResource + ?Sized>(
    resource: &R,
    config: &Config,
    stages: impl FnOnce(&mut Session<'_, R>, &mut Skipped) -> Result<(), Failure>,
) -> Result<Report, Failure> {
    run_with(resource, config, None, stages)
}

/// One run: a session, some stages, a report.
fn run_with<R: MemoryResource + ?Sized>(
    resource: &R,
    config: &Config,
    validator: Option<Validator<'_>>,
    stages: impl FnOnce(&mut Session<'_, R>, &mut Skipped) -> Result<(), Failure>,
) -> Result<Report, Failure> {
    let shadow = Shadow::default();
    let config = config.fitted(&resource.info());
    let mut session = Session::new(resource, config, &shadow, None);
    session.validator = validator;
    let mut skipped = Vec::new();
    session.guarded(|session| stages(session, &mut skipped))?;
    Ok(Report {
        subject: resource.info().name.to_string(),
        config,
        checked: session.checked,
        skipped,
        requests: session.requests,
        refusals: session.refusals,
    })
}

/// The stages that one thread can do.
fn alone<R: MemoryResource + ?Sized>(
    session: &mut Session<'_, R>,
    skipped: &mut Skipped,
) -> Result<(), Failure> {
    identity::info(session)?;
    identity::equality(session)?;
    requests::grid(session)?;
    contents::reallocate(session)?;
    contents::zeroed(session)?;
    requests::zero(session)?;
    requests::huge(session)?;
    requests::huge_reallocate(session)?;
    sequence::random(session)?;
    let info = session.resource.info();
    let reason = match info.capacity {
        None => Some("only the system sets a limit"),
        Some(capacity) if capacity > session.config.exhaust => Some("the capacity is larger than `exhaust`"),
        Some(_) => None,
    };
    match reason {
        Some(reason) => skipped.extend([(Property::Capacity, reason), (Property::Recovery, reason)]),
        None => exhaustion::run(session)?,
    }
    if info.reuse == Reuse::AllTogether && reason.is_none() {
        skipped.push((Property::Recovery, "nothing is reused before a reset"));
    }
    Ok(())
}

fn with_threads<R: MemoryResource + Sync + ?Sized>(session: &mut Session<'_, R>) -> Result<(), Failure> {
    threads::parallel(session)?;
    threads::remote(session)
}
