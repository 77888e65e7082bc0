//! Markers that are not the resource's own.

use core::alloc::Layout;

use stratalloc_resource::abi::{ErrorCode, RawMarker, ResourceV1};
use stratalloc_resource::{Alignment, MemoryResource};

use super::{KINDS, Made, memory};

fn mark(made: &Made) -> RawMarker {
    let mut marker = RawMarker::EMPTY;
    // SAFETY: a table.
    let table = unsafe { ResourceV1::of(made.raw) }.unwrap();
    // SAFETY: a place for a marker.
    assert_eq!(unsafe { table.mark.unwrap()(made.raw.as_ptr(), &raw mut marker) }, ErrorCode::OK);
    marker
}

fn rewind(made: &Made, marker: &RawMarker) -> ErrorCode {
    // SAFETY: a table.
    let table = unsafe { ResourceV1::of(made.raw) }.unwrap();
    // SAFETY: a marker of some resource, and there are no blocks.
    unsafe { table.rewind.unwrap()(made.raw.as_ptr(), marker) }
}

/// A stack where a frame was, and the other way round: the marker names the right place, but nothing that the resource could read.
#[test]
fn a_marker_of_what_lay_there_before_is_stale() {
    let mut memory = memory(1 << 12);
    for kinds in [[KINDS[0], KINDS[1]], [KINDS[1], KINDS[0]]] {
        let before = kinds[0].make(&kinds[0].over(&mut memory));
        let (place, marker) = (before.raw, mark(&before));
        drop(before);
        let after = kinds[1].make(&kinds[1].over(&mut memory));
        assert_eq!(after.raw, place, "it does not lie where the other one did");
        assert_eq!(
            rewind(&after, &marker),
            ErrorCode::STALE_MARKER,
            "{} after {}",
            kinds[1].name,
            kinds[0].name
        );

        // Nor if its words mean something here by accident: a marker of this one, but for the type.
        let own = mark(&after);
        let mut disguised = own;
        disguised.words[1] = marker.words[1];
        assert_eq!(rewind(&after, &disguised), ErrorCode::STALE_MARKER);
        assert_eq!(rewind(&after, &own), ErrorCode::OK);
    }
}

/// One from before the frame was empty means the start; a checked frame has to know it, although its chunk is gone.
#[test]
fn a_marker_outlives_the_collection_of_an_empty_frame() {
    let frame = KINDS[0].make(&KINDS[0].config());
    let resource = frame.foreign();
    let block = resource.allocate(Layout::new::<[u64; 1000]>()).unwrap();
    let marker = mark(&frame);
    // SAFETY: live.
    unsafe { resource.deallocate(block, Alignment::of::<u64>()) };
    // SAFETY: a table.
    let table = unsafe { ResourceV1::of(frame.raw) }.unwrap();
    let mut given = 0;
    // SAFETY: a place for a number.
    unsafe { table.collect.unwrap()(frame.raw.as_ptr(), &raw mut given) };
    assert!(given > 0, "nothing was given back");
    assert_eq!(rewind(&frame, &marker), ErrorCode::OK);
}
