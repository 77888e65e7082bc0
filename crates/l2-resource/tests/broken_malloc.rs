//! The kit, seen failing on malloc families: the C library's, with one function replaced by a wrong one.
#![cfg(target_os = "linux")]

#[path = "support/libc.rs"]
mod libc;

use core::ffi::{c_int, c_void};
use core::ptr;

use stratalloc_resource::conformance::{self, Config, MallocFamily, Property, ReallocZero};

const EINVAL: c_int = 22;
const ENOMEM: c_int = 12;

fn config() -> Config {
    Config { operations: 300, ..Config::default() }
}

fn set_errno(value: c_int) {
    // SAFETY: no precondition.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: the calling thread's.
    unsafe { errno.write(value) };
}

unsafe extern "C" fn malloc_of_nothing_is_null(size: usize) -> *mut c_void {
    if size == 0 {
        return ptr::null_mut();
    }
    // SAFETY: no precondition.
    unsafe { libc::malloc(size) }
}

unsafe extern "C" fn malloc_of_nothing_is_shared(size: usize) -> *mut c_void {
    static NOTHING: [u64; 2] = [0; 2];
    if size == 0 {
        return ptr::from_ref(&NOTHING).cast_mut().cast();
    }
    // SAFETY: no precondition.
    unsafe { libc::malloc(size) }
}

unsafe extern "C" fn malloc_without_errno(size: usize) -> *mut c_void {
    if size > isize::MAX.unsigned_abs() {
        return ptr::null_mut();
    }
    // SAFETY: no precondition.
    unsafe { libc::malloc(size) }
}

unsafe extern "C" fn malloc_wraps(size: usize) -> *mut c_void {
    let size = if size > isize::MAX.unsigned_abs() { size.wrapping_add(5000) } else { size };
    // SAFETY: no precondition.
    unsafe { libc::malloc(size & isize::MAX.unsigned_abs()) }
}

unsafe extern "C" fn calloc_wraps(count: usize, size: usize) -> *mut c_void {
    // SAFETY: no precondition.
    unsafe { libc::calloc(count.wrapping_mul(size), 1) }
}

unsafe extern "C" fn reallocarray_wraps(block: *mut c_void, count: usize, size: usize) -> *mut c_void {
    // SAFETY: the same contract.
    unsafe { libc::realloc(block, count.wrapping_mul(size).max(1)) }
}

unsafe extern "C" fn calloc_is_malloc(count: usize, size: usize) -> *mut c_void {
    let Some(size) = count.checked_mul(size).filter(|&size| size <= isize::MAX.unsigned_abs()) else {
        set_errno(ENOMEM);
        return ptr::null_mut();
    };
    // SAFETY: no precondition.
    let block = unsafe { libc::malloc(size) };
    // Not left to chance: recycled memory is dirty.
    // SAFETY: `size` bytes were just allocated.
    unsafe { block.cast::<u8>().write_bytes(0xDD, size) };
    block
}

unsafe extern "C" fn free_sets_errno(block: *mut c_void) {
    // SAFETY: the same contract.
    unsafe { libc::free(block) };
    set_errno(EINVAL);
}

unsafe extern "C" fn realloc_refuses_null(block: *mut c_void, size: usize) -> *mut c_void {
    if block.is_null() {
        set_errno(if size > isize::MAX.unsigned_abs() { ENOMEM } else { EINVAL });
        return ptr::null_mut();
    }
    // SAFETY: the same contract.
    unsafe { libc::realloc(block, size) }
}

unsafe extern "C" fn realloc_keeps_nothing(block: *mut c_void, size: usize) -> *mut c_void {
    if block.is_null() || size == 0 || size > isize::MAX.unsigned_abs() {
        // SAFETY: the same contract.
        return unsafe { libc::realloc(block, size) };
    }
    // SAFETY: no precondition.
    let moved = unsafe { libc::malloc(size) };
    // SAFETY: `size` bytes were just allocated.
    unsafe { moved.cast::<u8>().write_bytes(0xDD, size) };
    // SAFETY: live, not used any more.
    unsafe { libc::free(block) };
    moved
}

unsafe extern "C" fn posix_forgets_alignment(out: *mut *mut c_void, align: usize, size: usize) -> c_int {
    if !align.is_power_of_two() || align < size_of::<usize>() || size > isize::MAX.unsigned_abs() {
        // SAFETY: the same contract.
        return unsafe { libc::posix_memalign(out, align, size) };
    }
    // SAFETY: no precondition.
    let block = unsafe { libc::malloc(size) };
    // SAFETY: `out` may be written.
    unsafe { out.write(block) };
    0
}

unsafe extern "C" fn posix_sets_errno(out: *mut *mut c_void, align: usize, size: usize) -> c_int {
    // SAFETY: the same contract.
    let status = unsafe { libc::posix_memalign(out, align, size) };
    if status == ENOMEM {
        set_errno(EINVAL);
    }
    status
}

unsafe extern "C" fn posix_clears_out(out: *mut *mut c_void, align: usize, size: usize) -> c_int {
    // SAFETY: `out` may be written.
    unsafe { out.write(ptr::null_mut()) };
    // SAFETY: the same contract.
    unsafe { libc::posix_memalign(out, align, size) }
}

unsafe extern "C" fn posix_takes_any_power(out: *mut *mut c_void, align: usize, size: usize) -> c_int {
    let align = if align.is_power_of_two() { align.max(size_of::<usize>()) } else { align };
    // SAFETY: the same contract.
    unsafe { libc::posix_memalign(out, align, size) }
}

unsafe extern "C" fn memalign_wants_powers(align: usize, size: usize) -> *mut c_void {
    if align & align.wrapping_sub(1) != 0 {
        set_errno(EINVAL);
        return ptr::null_mut();
    }
    // SAFETY: no precondition.
    unsafe { libc::memalign(align, size) }
}

unsafe extern "C" fn aligned_alloc_wants_multiples(align: usize, size: usize) -> *mut c_void {
    // Huge sizes are left to the original, which refuses them with the right error.
    if size <= isize::MAX.unsigned_abs() && !size.is_multiple_of(align) {
        set_errno(EINVAL);
        return ptr::null_mut();
    }
    // SAFETY: no precondition.
    unsafe { libc::aligned_alloc(align, size) }
}

unsafe extern "C" fn valloc_is_malloc(size: usize) -> *mut c_void {
    // SAFETY: no precondition.
    unsafe { libc::malloc(size) }
}

unsafe extern "C" fn pvalloc_is_memalign(size: usize) -> *mut c_void {
    // SAFETY: no precondition.
    unsafe { libc::memalign(4096, size) }
}

unsafe extern "C" fn usable_of_null(block: *mut c_void) -> usize {
    if block.is_null() {
        return 16;
    }
    // SAFETY: the same contract.
    unsafe { libc::malloc_usable_size(block) }
}

unsafe extern "C" fn usable_too_small(block: *mut c_void) -> usize {
    // SAFETY: the same contract.
    let len = unsafe { libc::malloc_usable_size(block) };
    // Small ones only, so that it is not noticed where `pvalloc` is looked at.
    if len < 2000 { len.saturating_sub(16) } else { len }
}

unsafe extern "C" fn free_sized_forgets(_: *mut c_void, _: usize) {}

unsafe extern "C" fn free_aligned_sized_forgets(_: *mut c_void, _: usize, _: usize) {}

unsafe extern "C" fn cfree_forgets(_: *mut c_void) {}

type Break = fn(&mut MallocFamily);

/// What is replaced, and which property the kit must name.
const EXPECTED: &[(&str, Break, Property)] = &[
    ("malloc(0) is null", |libc| libc.malloc = malloc_of_nothing_is_null, Property::CZero),
    ("malloc(0) is shared", |libc| libc.malloc = malloc_of_nothing_is_shared, Property::CZero),
    ("malloc without ENOMEM", |libc| libc.malloc = malloc_without_errno, Property::CHuge),
    ("malloc wraps", |libc| libc.malloc = malloc_wraps, Property::CHuge),
    ("calloc wraps", |libc| libc.calloc = calloc_wraps, Property::COverflow),
    ("reallocarray wraps", |libc| libc.reallocarray = Some(reallocarray_wraps), Property::COverflow),
    ("calloc leaves dirt", |libc| libc.calloc = calloc_is_malloc, Property::Zeroed),
    ("free sets errno", |libc| libc.free = free_sets_errno, Property::CFreeErrno),
    ("realloc of null fails", |libc| libc.realloc = realloc_refuses_null, Property::CReallocNull),
    (
        "realloc to 0 as declared",
        |libc| libc.realloc_zero = ReallocZero::ReturnsBlock,
        Property::CReallocZero,
    ),
    ("realloc keeps nothing", |libc| libc.realloc = realloc_keeps_nothing, Property::ReallocateShrink),
    (
        "posix_memalign unaligned",
        |libc| libc.posix_memalign = Some(posix_forgets_alignment),
        Property::CPosixMemalign,
    ),
    (
        "posix_memalign sets errno",
        |libc| libc.posix_memalign = Some(posix_sets_errno),
        Property::CPosixNoMemory,
    ),
    (
        "posix_memalign clears out",
        |libc| libc.posix_memalign = Some(posix_clears_out),
        Property::CPosixInvalid,
    ),
    (
        "posix_memalign of 2",
        |libc| libc.posix_memalign = Some(posix_takes_any_power),
        Property::CPosixInvalid,
    ),
    ("memalign of 24", |libc| libc.memalign = Some(memalign_wants_powers), Property::CMemalign),
    (
        "aligned_alloc(64, 100)",
        |libc| libc.aligned_alloc = Some(aligned_alloc_wants_multiples),
        Property::CAlignedAlloc,
    ),
    ("valloc unaligned", |libc| libc.valloc = Some(valloc_is_malloc), Property::CPages),
    ("pvalloc unrounded", |libc| libc.pvalloc = Some(pvalloc_is_memalign), Property::CPages),
    ("usable size of null", |libc| libc.malloc_usable_size = Some(usable_of_null), Property::CUsableNull),
    ("usable size too small", |libc| libc.malloc_usable_size = Some(usable_too_small), Property::FitLength),
    ("free_sized leaks", |libc| libc.free_sized = Some(free_sized_forgets), Property::CFreeSized),
    (
        "free_aligned_sized leaks",
        |libc| libc.free_aligned_sized = Some(free_aligned_sized_forgets),
        Property::CFreeSized,
    ),
    ("cfree leaks", |libc| libc.cfree = Some(cfree_forgets), Property::CFreeSized),
];

#[test]
fn the_c_library_keeps_all_of_it() {
    let report =
        conformance::malloc_family(&libc::family(), &config()).unwrap_or_else(|failure| panic!("{failure}"));
    let of_c = Property::ALL.iter().filter(|property| property.section() == "C");
    for property in of_c {
        assert!(report.checked().any(|checked| checked == *property), "{property} was not exercised");
    }
}

#[test]
fn a_family_of_four_is_checked_as_far_as_it_goes() {
    // SAFETY: the C library's functions are what C says.
    let four = unsafe { MallocFamily::new("four", libc::malloc, libc::free, libc::calloc, libc::realloc) };
    let report = conformance::malloc_family(&four, &config()).unwrap_or_else(|failure| panic!("{failure}"));
    assert!(report.skipped().iter().any(|(property, _)| *property == Property::CMemalign));
    assert_eq!(report.config().max_align, four.min_align);
}

#[test]
fn each_wrong_function_is_caught_and_named() {
    let mut wrong = Vec::new();
    for &(name, replace, property) in EXPECTED {
        let mut family = libc::family();
        replace(&mut family);
        match conformance::malloc_family(&family, &config()) {
            Err(failure) if failure.property() == property => {}
            Err(failure) => wrong.push(format!("{name}: expected `{property}`, got {failure}")),
            Ok(_) => wrong.push(format!("{name}: not caught")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_property_of_c_has_a_wrong_function() {
    for property in Property::ALL.iter().filter(|property| property.section() == "C") {
        assert!(
            EXPECTED.iter().any(|(_, _, expected)| expected == property),
            "{property} was never seen failing"
        );
    }
}
