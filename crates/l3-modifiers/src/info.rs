//! What a composition says of itself, from what its links say.

use stratalloc_resource::{Alignment, ResourceInfo, Reuse, ThreadSafety};

/// The largest request that a resource can ever serve.
pub(crate) fn reach(info: &ResourceInfo<'_>) -> (Option<usize>, Option<Alignment>) {
    (info.max_size.or(info.capacity), info.max_align)
}

/// Name, threads and reuse of something that holds both: as careful as the more careful one.
pub(crate) fn both<'a>(name: &'a str, a: &ResourceInfo<'_>, b: &ResourceInfo<'_>) -> ResourceInfo<'a> {
    let confined = a.threads == ThreadSafety::Confined || b.threads == ThreadSafety::Confined;
    let threads = if confined { ThreadSafety::Confined } else { ThreadSafety::Shared };
    let either = |reuse| a.reuse == reuse || b.reuse == reuse;
    let reuse = [Reuse::AllTogether, Reuse::LastFirst].into_iter().find(|&reuse| either(reuse));
    ResourceInfo::new(name, threads).with_reuse(reuse.unwrap_or(Reuse::EachBlock))
}

/// `info` with the limits that there are.
pub(crate) fn limited<'a>(
    mut info: ResourceInfo<'a>,
    capacity: Option<usize>,
    (max_size, max_align): (Option<usize>, Option<Alignment>),
) -> ResourceInfo<'a> {
    info.capacity = capacity;
    info.max_size = max_size;
    info.max_align = max_align;
    info
}
