//! Every function of `vm` can be refused, leaves things as they were, and works again afterwards.
//!
//! One test in a process of its own: the injection is process-wide, and the harness's threads would be counted.

#![cfg(feature = "fault-injection")]

use core::ptr::NonNull;

use stratalloc_platform::fault::{self, Call};
use stratalloc_platform::page;
use stratalloc_platform::vm::{self, Access, OsError};

/// The call with this number is refused, and no other.
#[test]
fn faults_hit_the_call_they_were_armed_for() {
    the_nth_is_refused_and_the_following();
    kinds_are_independent();
    every_function_can_be_refused();
    a_refused_trim_does_not_spoil_the_reservation();
}

fn reserve(pages: usize) -> Result<NonNull<u8>, OsError> {
    vm::reserve(pages * page::size(), page::size(), Access::ReadWrite)
}

fn release(ptr: NonNull<u8>, pages: usize) -> Result<(), OsError> {
    // SAFETY: these tests release what they reserved and use it no more.
    unsafe { vm::release(ptr, pages * page::size()) }
}

fn the_nth_is_refused_and_the_following() {
    fault::arm(Call::Map, 3, 2);
    let outcomes: [bool; 6] =
        core::array::from_fn(|_| reserve(1).map(|ptr| release(ptr, 1).unwrap()).is_ok());
    assert_eq!(outcomes, [true, true, false, false, true, true]);
    assert_eq!(fault::count(Call::Map), 6);

    fault::arm(Call::Map, 1, usize::MAX);
    assert!((0..5).all(|_| reserve(1) == Err(OsError::OUT_OF_MEMORY)));
    fault::disarm();
    release(reserve(1).unwrap(), 1).unwrap();
    assert_eq!(fault::count(Call::Map), 6);
}

fn kinds_are_independent() {
    for armed in Call::ALL {
        fault::arm(armed, 1, usize::MAX);
        let map = reserve(1);
        assert_eq!(map.is_err(), armed == Call::Map);
        if let Ok(ptr) = map {
            // SAFETY: this test's page, unused.
            let purge = unsafe { vm::purge(ptr, page::size()) };
            assert_eq!(purge.is_err(), armed == Call::Advise);
            assert_eq!(release(ptr, 1).is_err(), armed == Call::Unmap);
            fault::disarm();
            if armed == Call::Unmap {
                release(ptr, 1).unwrap();
            }
        }
        fault::disarm();
    }
}

fn every_function_can_be_refused() {
    let size = page::size();
    let ptr = reserve(4).unwrap();
    // SAFETY: inside the reservation, here and below.
    let other = unsafe { ptr.add(2 * size) };
    // SAFETY: as above.
    unsafe { ptr.write(1) };
    let refused = |call: Call, f: &dyn Fn() -> Result<(), OsError>| {
        fault::arm(call, 1, 1);
        assert_eq!(f(), Err(OsError::OUT_OF_MEMORY), "{call:?}");
        assert_eq!(fault::count(call), 1, "{call:?}");
        // SAFETY: the page is still there: the call was refused.
        assert_eq!(unsafe { ptr.read() }, 1, "{call:?}");
    };
    // SAFETY: refused before anything happens, as all of these.
    refused(Call::Map, &|| unsafe { vm::map_at(size << 16, size) }.map(drop));
    refused(Call::Unmap, &|| release(ptr, 4));
    // SAFETY: as above.
    refused(Call::Protect, &|| unsafe { vm::commit(ptr, size) });
    // SAFETY: as above.
    refused(Call::Protect, &|| unsafe { vm::protect(ptr, size) });
    // SAFETY: as above.
    refused(Call::Advise, &|| unsafe { vm::purge(ptr, size) });
    // SAFETY: as above.
    refused(Call::Advise, &|| unsafe { vm::advise_huge(ptr, size, false) });
    // SAFETY: as above.
    refused(Call::Advise, &|| unsafe { vm::prefault(ptr, size) });
    // SAFETY: as above.
    refused(Call::Remap, &|| unsafe { vm::remap(ptr, size, 2 * size, true) }.map(drop));
    // SAFETY: as above.
    refused(Call::Remap, &|| unsafe { vm::move_pages(ptr, other, size) });
    fault::disarm();
    release(ptr, 4).unwrap();
}

fn a_refused_trim_does_not_spoil_the_reservation() {
    let (size, align) = (page::size(), 1 << 26);
    fault::arm(Call::Unmap, 1, usize::MAX);
    let ptr = vm::reserve(size, align, Access::ReadWrite).unwrap();
    fault::disarm();
    assert!(ptr.addr().get().is_multiple_of(align));
    // SAFETY: just reserved, readable and writable.
    unsafe { ptr.write(1) };
    release(ptr, 1).unwrap();
}
