//! What POSIX and glibc say of the functions that take an alignment.

use alloc::format;
use core::ffi::{c_int, c_void};
use core::hint::black_box;
use core::ptr;

use super::resource::MallocResource;
use super::semantics::{Checked, ENOMEM, Subject, TOO_LARGE, UNTOUCHED, errno_of, release};
use crate::conformance::Property;

/// The same number on every system.
const EINVAL: c_int = 22;

pub(super) fn all(session: &mut Subject<'_, '_>) -> Checked {
    posix_memalign(session)?;
    posix_invalid(session)?;
    posix_no_memory(session)?;
    memalign(session)?;
    aligned_alloc(session)?;
    pages(session)
}

fn is_aligned(block: *mut c_void, align: usize) -> bool {
    !block.is_null() && block.addr().is_multiple_of(align)
}

/// Status, out-parameter and `errno` of one call, the out-parameter set to `before`.
fn posix(
    resource: &MallocResource<'_>,
    before: *mut c_void,
    align: usize,
    size: usize,
) -> Option<(c_int, *mut c_void, Option<c_int>)> {
    let function = resource.family.posix_memalign?;
    let mut out = before;
    // SAFETY: FAMILY; `out` may be written.
    let (status, errno) = errno_of(resource, || unsafe { black_box(function)(&raw mut out, align, size) });
    Some((status, black_box(out), errno))
}

fn posix_memalign(session: &mut Subject<'_, '_>) -> Checked {
    let property = Property::CPosixMemalign;
    for log2 in size_of::<usize>().trailing_zeros()..=20 {
        for size in [0, 1, 100, 5000] {
            let align = 1 << log2;
            let Some((status, out, errno)) = posix(session.resource, ptr::null_mut(), align, size) else {
                return Ok(());
            };
            let what = || format!("posix_memalign(&p, {align}, {size})");
            session.check(property, status == 0, || format!("{} returned {status}", what()))?;
            session.check(property, is_aligned(out, align), || format!("{} stored {out:p}", what()))?;
            session.check(property, errno.is_none_or(|errno| errno == UNTOUCHED), || {
                format!("{} left errno {}", what(), errno.unwrap_or(0))
            })?;
            // SAFETY: live.
            unsafe { release(session, out) };
        }
    }
    Ok(())
}

/// An error of `posix_memalign`: the status, and nothing else touched.
fn posix_refuses(
    session: &mut Subject<'_, '_>,
    property: Property,
    expected: c_int,
    align: usize,
    size: usize,
) -> Checked {
    let before = ptr::without_provenance_mut(0x5EA1);
    let Some((status, out, errno)) = posix(session.resource, before, align, size) else { return Ok(()) };
    let what = || format!("posix_memalign(&p, {align}, {size})");
    session
        .check(property, status == expected, || format!("{} returned {status}, not {expected}", what()))?;
    session.check(property, out == before, || format!("{} overwrote p with {out:p}", what()))?;
    // glibc does set it when memory is short, though its manual says otherwise.
    let lawful = |errno| errno == UNTOUCHED || (errno == ENOMEM && expected == ENOMEM);
    session
        .check(property, errno.is_none_or(lawful), || format!("{} left errno {}", what(), errno.unwrap_or(0)))
}

fn posix_invalid(session: &mut Subject<'_, '_>) -> Checked {
    let pointer = size_of::<usize>();
    let aligns =
        [0, 1, 2, 3, pointer / 2, pointer + 1, pointer * 3, pointer * 5, 4097, usize::MAX - 7, usize::MAX];
    for align in aligns {
        for size in [0, 100, usize::MAX] {
            posix_refuses(session, Property::CPosixInvalid, EINVAL, align, size)?;
        }
    }
    Ok(())
}

fn posix_no_memory(session: &mut Subject<'_, '_>) -> Checked {
    for size in TOO_LARGE {
        for align in [size_of::<usize>(), 64, 1 << 20] {
            posix_refuses(session, Property::CPosixNoMemory, ENOMEM, align, size)?;
        }
    }
    posix_refuses(session, Property::CPosixNoMemory, ENOMEM, 1 << (usize::BITS - 1), 1)
}

fn memalign(session: &mut Subject<'_, '_>) -> Checked {
    let Some(function) = session.resource.family.memalign else { return Ok(()) };
    for align in [0_usize, 1, 2, 3, 8, 24, 48, 64, 100, 1000, 4096, 5000, 1 << 20] {
        for size in [0, 1, 100, 5000] {
            // SAFETY: FAMILY.
            let block = black_box(unsafe { black_box(function)(align, size) });
            session.check(Property::CMemalign, is_aligned(block, align.next_power_of_two()), || {
                format!("memalign({align}, {size}) returned {block:p}")
            })?;
            // SAFETY: live.
            unsafe { release(session, block) };
        }
    }
    Ok(())
}

fn aligned_alloc(session: &mut Subject<'_, '_>) -> Checked {
    let Some(function) = session.resource.family.aligned_alloc else { return Ok(()) };
    for align in [1_usize, 8, 16, 24, 64, 100, 4096, 1 << 20] {
        for size in [0, 1, 17, 100, 5000] {
            // SAFETY: FAMILY.
            let call = || black_box(unsafe { black_box(function)(align, size) });
            let (block, errno) = errno_of(session.resource, call);
            let refused = block.is_null() && errno.is_none_or(|errno| errno == EINVAL);
            let right = is_aligned(block, align.next_power_of_two()) || (!align.is_power_of_two() && refused);
            session.check(Property::CAlignedAlloc, right, || {
                format!("aligned_alloc({align}, {size}) returned {block:p}, errno {errno:?}")
            })?;
            // SAFETY: null or live.
            unsafe { release(session, block) };
        }
    }
    Ok(())
}

fn pages(session: &mut Subject<'_, '_>) -> Checked {
    let page = session.resource.family.page_size;
    let usable = session.resource.family.malloc_usable_size;
    let functions = [
        ("valloc", session.resource.family.valloc, false),
        ("pvalloc", session.resource.family.pvalloc, true),
    ];
    for (name, function, whole) in functions {
        let Some(function) = function else { continue };
        for size in [1, 100, page, page + 1, 3 * page - 1] {
            // SAFETY: FAMILY.
            let block = black_box(unsafe { black_box(function)(size) });
            session.check(Property::CPages, is_aligned(block, page), || {
                format!("{name}({size}) returned {block:p}")
            })?;
            if let (Some(usable), true) = (usable, whole) {
                // SAFETY: FAMILY; live.
                let len = unsafe { black_box(usable)(block) };
                let least = size.next_multiple_of(page);
                session.check(Property::CPages, len >= least, || {
                    format!("{name}({size}) has {len} usable bytes, not {least}")
                })?;
            }
            // SAFETY: live.
            unsafe { release(session, block) };
        }
    }
    Ok(())
}
