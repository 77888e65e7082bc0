//! What C, POSIX and glibc say beyond the contract.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use core::ffi::{c_int, c_void};
use core::hint::black_box;
use core::ptr;

use super::ReallocZero;
use super::aligned;
use super::resource::MallocResource;
use crate::conformance::session::Session;
use crate::conformance::{Failure, Property};

pub(super) type Subject<'s, 'f> = Session<'s, MallocResource<'f>>;
pub(super) type Checked = Result<(), Failure>;

/// The same number on every system.
pub(super) const ENOMEM: c_int = 12;
/// A value of `errno` that no call of the family sets.
pub(super) const UNTOUCHED: c_int = 4321;
/// More than `PTRDIFF_MAX`, by little and by much, and so that rounding up wraps.
pub(super) const TOO_LARGE: [usize; 4] =
    [1 << (usize::BITS - 1), usize::MAX - 4096, usize::MAX - 7, usize::MAX];
/// Two factors whose product wraps to something small.
const WRAPS: [(usize, usize); 4] = [
    (1 << (usize::BITS / 2), 1 << (usize::BITS / 2)),
    ((1 << (usize::BITS - 4)) + 1, 16),
    (2, (1 << (usize::BITS - 1)) + 8),
    (usize::MAX, usize::MAX),
];

/// All of them; each is skipped where the family lacks the function.
pub(super) fn all(session: &mut Subject<'_, '_>) -> Checked {
    session.enter("C semantics", None);
    zero(session)?;
    huge(session)?;
    overflow(session)?;
    free_errno(session)?;
    realloc_null(session)?;
    realloc_zero(session)?;
    aligned::all(session)?;
    usable_null(session)?;
    free_sized(session)
}

/// Calls with `errno` set to [`UNTOUCHED`]; the result and what `errno` is then (as set, if there is no access to it).
pub(super) fn errno_of<T>(resource: &MallocResource<'_>, call: impl FnOnce() -> T) -> (T, Option<c_int>) {
    let Some(location) = resource.family.errno else { return (call(), None) };
    // SAFETY: FAMILY.
    let errno = unsafe { location() };
    // SAFETY: the calling thread's `errno`: FAMILY.
    unsafe { errno.write(UNTOUCHED) };
    let result = call();
    // SAFETY: as above.
    (result, Some(unsafe { errno.read() }))
}

/// Null and `ENOMEM`, or a failure of `property`.
fn out_of_memory(
    session: &mut Subject<'_, '_>,
    property: Property,
    call: impl FnOnce() -> *mut c_void,
    what: impl Fn() -> String,
) -> Checked {
    session.place.operation += 1;
    let (block, errno) = errno_of(session.resource, call);
    session.check(property, block.is_null(), || format!("{} returned {block:p}", what()))?;
    session.check(property, errno.is_none_or(|errno| errno == ENOMEM), || {
        format!("{} left errno {}", what(), errno.unwrap_or(0))
    })
}

/// # Safety
///
/// As for [`MallocResource::free`].
pub(super) unsafe fn release(session: &Subject<'_, '_>, block: *mut c_void) {
    // SAFETY: this function's contract.
    unsafe { session.resource.free(block) };
}

fn zero(session: &mut Subject<'_, '_>) -> Checked {
    let mut blocks = BTreeSet::new();
    for round in 0..30 {
        let block = match round % 3 {
            0 => session.resource.malloc(0),
            1 => session.resource.calloc(0, 8),
            _ => session.resource.calloc(8, 0),
        };
        let name = ["malloc(0)", "calloc(0, 8)", "calloc(8, 0)"][round % 3];
        session.check(Property::CZero, !block.is_null(), || format!("{name} returned null"))?;
        session
            .check(Property::CZero, blocks.insert(block), || format!("{name} returned {block:p} again"))?;
    }
    for block in blocks {
        // SAFETY: live, of this family, not used.
        unsafe { release(session, block) };
    }
    Ok(())
}

fn huge(session: &mut Subject<'_, '_>) -> Checked {
    let property = Property::CHuge;
    let resource = session.resource;
    let live = resource.malloc(100);
    for size in TOO_LARGE {
        out_of_memory(session, property, || resource.malloc(size), || format!("malloc({size})"))?;
        out_of_memory(session, property, || resource.calloc(1, size), || format!("calloc(1, {size})"))?;
        // SAFETY: null is allowed.
        let from_null = || unsafe { resource.realloc(ptr::null_mut(), size) };
        out_of_memory(session, property, from_null, || format!("realloc(NULL, {size})"))?;
        // SAFETY: live, and it stays so, because this fails.
        let from_live = || unsafe { resource.realloc(live, size) };
        out_of_memory(session, property, from_live, || format!("realloc(p, {size})"))?;
        let aligned =
            [("aligned_alloc", resource.family.aligned_alloc), ("memalign", resource.family.memalign)];
        for (name, function) in aligned {
            let Some(function) = function else { continue };
            // SAFETY: FAMILY.
            let call = || black_box(unsafe { black_box(function)(64, size) });
            out_of_memory(session, property, call, || format!("{name}(64, {size})"))?;
        }
        for (name, function) in [("valloc", resource.family.valloc), ("pvalloc", resource.family.pvalloc)] {
            let Some(function) = function else { continue };
            // SAFETY: FAMILY.
            let call = || black_box(unsafe { black_box(function)(size) });
            out_of_memory(session, property, call, || format!("{name}({size})"))?;
        }
    }
    // SAFETY: still live.
    unsafe { release(session, live) };
    Ok(())
}

fn overflow(session: &mut Subject<'_, '_>) -> Checked {
    let property = Property::COverflow;
    let resource = session.resource;
    for (count, size) in WRAPS {
        let call = || resource.calloc(count, size);
        out_of_memory(session, property, call, || format!("calloc({count}, {size})"))?;
    }
    let Some(reallocarray) = resource.family.reallocarray else { return Ok(()) };
    let live = resource.malloc(100);
    for (count, size) in WRAPS {
        // SAFETY: FAMILY; live, and it stays so, because this fails.
        let call = || black_box(unsafe { black_box(reallocarray)(live, count, size) });
        out_of_memory(session, property, call, || format!("reallocarray(p, {count}, {size})"))?;
    }
    // SAFETY: FAMILY; still live.
    let grown = black_box(unsafe { black_box(reallocarray)(live, 30, 40) });
    session.check(property, !grown.is_null(), || String::from("reallocarray(p, 30, 40) returned null"))?;
    // SAFETY: live.
    unsafe { release(session, grown) };
    Ok(())
}

fn free_errno(session: &mut Subject<'_, '_>) -> Checked {
    let resource = session.resource;
    // Large ones too: those are unmapped, and a failing or careless system call would show.
    for size in [0, 16, 1000, 70_000, 3 << 20, 40 << 20] {
        for block in [ptr::null_mut(), resource.malloc(size)] {
            // SAFETY: null or live, not used any more.
            let ((), errno) = errno_of(resource, || unsafe { resource.free(block) });
            let Some(errno) = errno else { return Ok(()) };
            session.check(Property::CFreeErrno, errno == UNTOUCHED, || {
                format!("free({block:p}) of {size} bytes left errno {errno}")
            })?;
        }
    }
    Ok(())
}

fn realloc_null(session: &mut Subject<'_, '_>) -> Checked {
    for size in [0, 1, 100, 100_000] {
        // SAFETY: null is allowed.
        let block = unsafe { session.resource.realloc(ptr::null_mut(), size) };
        session.check(Property::CReallocNull, !block.is_null(), || {
            format!("realloc(NULL, {size}) returned null")
        })?;
        // SAFETY: live.
        unsafe { release(session, block) };
    }
    Ok(())
}

fn realloc_zero(session: &mut Subject<'_, '_>) -> Checked {
    let expected = session.resource.family.realloc_zero;
    for size in [1, 100, 100_000] {
        let block = session.resource.malloc(size);
        // SAFETY: live; not used any more, whatever the family does with it.
        let left = unsafe { session.resource.realloc(block, 0) };
        session.check(
            Property::CReallocZero,
            left.is_null() == (expected == ReallocZero::FreesAndReturnsNull),
            || format!("realloc(p, 0) returned {left:p}, {expected:?} is declared"),
        )?;
        // SAFETY: null or live.
        unsafe { release(session, left) };
    }
    Ok(())
}

fn usable_null(session: &mut Subject<'_, '_>) -> Checked {
    let Some(usable) = session.resource.family.malloc_usable_size else { return Ok(()) };
    // SAFETY: FAMILY; null is allowed.
    let len = unsafe { black_box(usable)(ptr::null_mut()) };
    session.check(Property::CUsableNull, len == 0, || format!("it is {len}"))
}

/// A release that does not release is seen by addresses that never come back.
fn free_sized(session: &mut Subject<'_, '_>) -> Checked {
    const ROUNDS: usize = 4096;
    const SIZE: usize = 1024;
    let family = *session.resource.family;
    let again = |session: &mut Subject<'_, '_>, name: &str, release: &dyn Fn(*mut c_void)| {
        let mut seen = BTreeSet::new();
        for _ in 0..ROUNDS {
            let block = session.resource.malloc(SIZE);
            seen.insert(block);
            release(block);
        }
        session.check(Property::CFreeSized, seen.len() < ROUNDS, || {
            format!("{ROUNDS} blocks were released by {name} and none was used again")
        })
    };
    if let Some(function) = family.free_sized {
        // SAFETY: FAMILY; live, its size.
        again(session, "free_sized", &|block| unsafe { black_box(function)(block, SIZE) })?;
    }
    if let Some(function) = family.cfree {
        // SAFETY: FAMILY; live.
        again(session, "cfree", &|block| unsafe { black_box(function)(block) })?;
    }
    let (Some(function), Some(aligned_alloc)) = (family.free_aligned_sized, family.aligned_alloc) else {
        return Ok(());
    };
    let mut seen = BTreeSet::new();
    for _ in 0..ROUNDS {
        // SAFETY: FAMILY.
        let block = black_box(unsafe { black_box(aligned_alloc)(64, SIZE) });
        seen.insert(block);
        // SAFETY: FAMILY; live, its alignment and size.
        unsafe { black_box(function)(block, 64, SIZE) };
    }
    session.check(Property::CFreeSized, seen.len() < ROUNDS, || {
        format!("{ROUNDS} blocks were released by free_aligned_sized and none was used again")
    })
}
