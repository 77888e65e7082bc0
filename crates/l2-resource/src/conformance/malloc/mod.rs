//! C's interface: the functions under test, the resource that they make, and the rules of their own.

mod aligned;
mod functions;
mod resource;
mod semantics;

pub use functions::{MallocFamily, ReallocZero};

use alloc::vec::Vec;

use super::session::Session;
use super::{Config, Failure, Property, Report, run};
use resource::MallocResource;

/// The functions that a family has beyond the four that it must have, and what is not checked without them.
fn missing(family: &MallocFamily) -> impl Iterator<Item = (Property, &'static str)> {
    let absent = "the family has no such function";
    let releases = [family.free_sized.is_some(), family.free_aligned_sized.is_some(), family.cfree.is_some()];
    [
        (family.posix_memalign.is_some(), Property::CPosixMemalign),
        (family.posix_memalign.is_some(), Property::CPosixInvalid),
        (family.posix_memalign.is_some(), Property::CPosixNoMemory),
        (family.memalign.is_some(), Property::CMemalign),
        (family.aligned_alloc.is_some(), Property::CAlignedAlloc),
        (family.valloc.is_some() || family.pvalloc.is_some(), Property::CPages),
        (family.malloc_usable_size.is_some(), Property::CUsableNull),
        (family.errno.is_some(), Property::CFreeErrno),
        (releases.contains(&true), Property::CFreeSized),
    ]
    .into_iter()
    .filter_map(move |(present, property)| (!present).then_some((property, absent)))
}

pub(super) fn check(family: &MallocFamily, config: &Config) -> Result<Report, Failure> {
    let resource = MallocResource::new(family);
    let stages = |session: &mut Session<'_, MallocResource<'_>>, skipped: &mut Vec<_>| {
        skipped.extend(missing(family));
        semantics::all(session)?;
        super::alone(session, skipped)?;
        super::with_threads(session)
    };
    run(&resource, config, stages)
}
