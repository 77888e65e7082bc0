//! Reserved ranges: the kit, a frame that grows in one, memory that goes back, guards, generated operations against a shadow map.
#![cfg(any(target_os = "linux", windows))]

extern crate alloc;

#[cfg(not(miri))]
mod child;
#[allow(dead_code, reason = "each test crate uses a part of it")]
mod model;
#[allow(dead_code, reason = "each test crate uses a part of it")]
mod support;

use proptest::prelude::*;
use stratalloc_resource::conformance;
use stratalloc_resource::{Alignment, AllocError, Collect, MemoryBlock, MemoryResource, Owns, Validate};
use stratalloc_strategies::frame::{Chunks, Frame, Speed};
use stratalloc_strategies::reserved::ReservedRange;
use support::{config, layout, passed};

const LEN: usize = if cfg!(miri) { 1 << 20 } else { 64 << 20 };

fn give(range: &ReservedRange, block: MemoryBlock) {
    // SAFETY: live, requested without alignment, not used.
    unsafe { range.deallocate(block, Alignment::ONE) };
}

#[test]
fn conforms() {
    let range = ReservedRange::new(LEN).unwrap();
    passed(conformance::local_resource(&range, &config()));
    passed(conformance::ownership(&range, &config()));
    range.validate().unwrap();
    let other = ReservedRange::new(5000).unwrap();
    passed(conformance::local_resource(&other, &config()));
    assert!(!conformance::pair(&range, &other, &config()).unwrap());
}

#[test]
fn a_frame_grows_to_the_end_of_the_range_and_gives_its_memory_back() {
    let mut frame: Frame<'_, Chunks<4096, 65_536>, _> = Frame::growing(ReservedRange::new(LEN).unwrap());
    assert_eq!(frame.upstream().committed(), 0, "addresses only");
    let (mut last, mut blocks) = (0, 0);
    while let Ok(block) = frame.try_alloc([7_u8; 1000]) {
        let address = block.as_ptr().addr();
        assert!(last == 0 || (1000..3100).contains(&(address - last)), "one behind the other");
        (last, blocks) = (address, blocks + 1);
    }
    assert!(blocks * 1000 > LEN * 9 / 10, "{blocks}");
    assert_eq!(frame.upstream().committed(), frame.upstream().len());

    frame.reset();
    assert_eq!(frame.upstream().collect(), 0, "the frame keeps its chunks");
    frame.collect();
    assert!(frame.upstream().is_empty());
    assert_eq!(frame.upstream().collect(), LEN);
    assert_eq!(frame.upstream().committed(), 0);
    assert_eq!(frame.try_alloc_slice_fill_copy(1000, 3_u8).unwrap(), [3; 1000]);
    frame.upstream().validate().unwrap();
}

#[test]
fn memory_that_went_back_reads_as_zero() {
    let range = ReservedRange::new(LEN).unwrap();
    let (kept, block) = (range.allocate(layout(10, 1)).unwrap(), range.allocate(layout(200_000, 1)).unwrap());
    // SAFETY: live.
    unsafe { block.as_ptr().write_bytes(9, block.len()) };
    give(&range, block);
    assert!(range.collect() >= 180_000 && range.owns(kept.as_ptr()));
    let again = range.allocate(layout(200_000, 1)).unwrap();
    assert_eq!(again, block);
    // SAFETY: live, and committed, so it has a value.
    assert_eq!(unsafe { again.as_ptr().wrapping_add(150_000).read() }, 0);
}

#[test]
fn lengths_that_cannot_be_are_refused() {
    assert_eq!(ReservedRange::new(usize::MAX).err(), Some(AllocError::SizeOverflow));
    assert_eq!(ReservedRange::new(isize::MAX.unsigned_abs()).err(), Some(AllocError::SizeOverflow));
    #[cfg(target_pointer_width = "64")]
    assert_eq!(ReservedRange::new(1 << 55).err(), Some(AllocError::OutOfMemory));
    let range = ReservedRange::new(0).unwrap();
    assert_eq!(range.allocate(layout(1 << 20, 1)), Err(AllocError::CapacityExhausted));
    assert!(range.allocate(layout(1, 1)).is_ok());
}

/// Each access is one too far; the child dies of it.
#[cfg(not(miri))]
mod guards {
    use super::*;

    /// The first address of a new range, and the first beyond its memory and beyond its end.
    fn edges() -> [*mut u8; 3] {
        let range = core::mem::ManuallyDrop::new(ReservedRange::new(1 << 20).unwrap());
        let start = range.allocate(layout(1, 1)).unwrap().as_ptr();
        // SAFETY: live.
        unsafe { start.write(1) };
        [start.wrapping_sub(1), start.wrapping_add(range.committed()), start.wrapping_add(range.len())]
    }

    fn touch(name: &str, edge: usize) {
        let said = child::last_words(name, || {
            let place = edges()[edge];
            println!("touched");
            // SAFETY: not memory: the mistake.
            unsafe { place.write_volatile(1) };
        });
        assert!(said.contains("touched"), "{said}");
    }

    #[test]
    fn before_the_start() {
        touch("guards::before_the_start", 0);
    }

    #[test]
    fn behind_what_is_committed() {
        touch("guards::behind_what_is_committed", 1);
    }

    #[test]
    fn behind_the_end() {
        touch("guards::behind_the_end", 2);
    }
}

#[cfg(all(any(debug_assertions, feature = "checked"), not(miri)))]
mod reports {
    use super::*;

    fn two_blocks() -> (ReservedRange, MemoryBlock) {
        let range = ReservedRange::new(1 << 20).unwrap();
        let (_, second) = (range.allocate(layout(100, 1)), range.allocate(layout(100, 1)).unwrap());
        (range, second)
    }

    #[test]
    fn double_release() {
        let said = child::last_words("reports::double_release", || {
            let (range, block) = two_blocks();
            (0..2).for_each(|_| give(&range, block));
        });
        assert!(said.contains("is released, but not live"), "{said}");
    }

    #[test]
    fn foreign_block() {
        let said = child::last_words("reports::foreign_block", || give(&two_blocks().0, two_blocks().1));
        assert!(said.contains("is released here, but came from elsewhere"), "{said}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: conformance::cases(60),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_operations_match_the_shadow(ops in model::ops(), len in 1_usize..3_000_000, below in any::<bool>()) {
        let range = ReservedRange::new(len).unwrap();
        if below {
            let frame: Frame<'_, Speed, _> = Frame::growing(&range);
            model::run(&frame, ops, |_| (), |shadow| model::sound(&frame, shadow))?;
            drop(frame);
        } else {
            model::run(&range, ops, |_| { range.collect(); }, |shadow| model::sound(&range, shadow))?;
        }
        prop_assert!(range.is_empty());
        range.collect();
        prop_assert_eq!(range.committed(), 0);
    }
}
