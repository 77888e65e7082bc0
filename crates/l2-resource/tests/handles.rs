//! `Allocator` and `OwnedBlock`: what they give back, and when.

extern crate alloc;

mod support;

use core::alloc::Layout;
use core::cell::Cell;
use core::mem::MaybeUninit;
use core::panic::AssertUnwindSafe;
use core::ptr::NonNull;
use std::panic;
use std::thread;

use stratalloc_resource::{Alignment, AllocError, Allocator, MemoryBlock, MemoryResource, OwnedBlock};
use support::Bounded;

const LEN: usize = 64 * 1024;

/// Counts its drops.
struct Dropped<'a>(&'a Cell<usize>);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

#[test]
fn a_value_is_dropped_once_and_its_memory_returns() {
    let (bounded, drops) = (Bounded::new(LEN), Cell::new(0));
    let allocator = Allocator::new(&bounded);
    let value = allocator.try_new_in(Dropped(&drops)).unwrap();
    assert!(bounded.free_bytes() < LEN);
    assert_eq!(drops.get(), 0);
    // SAFETY: made by this handle, not used any more.
    unsafe { allocator.drop_in(value) };
    assert_eq!((drops.get(), bounded.free_bytes()), (1, LEN));
}

#[test]
fn a_value_without_memory_is_dropped_and_the_error_returned() {
    let (bounded, drops) = (Bounded::new(4096), Cell::new(0));
    let allocator = Allocator::new(&bounded);
    let refused = allocator.try_new_in((Dropped(&drops), [0_u8; 8192]));
    assert_eq!((refused.err(), drops.get()), (Some(AllocError::CapacityExhausted), 1));
    let refused = allocator.try_new_in_with(|| -> [u8; 8192] { unreachable!("made without memory") });
    assert_eq!(refused, Err(AllocError::CapacityExhausted));
}

#[test]
fn unwinding_constructors_and_destructors_lose_nothing() {
    struct Bomb<'a>(&'a Cell<usize>, bool);
    impl Drop for Bomb<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            assert!(!self.1, "a destructor unwinds");
        }
    }
    let (bounded, drops) = (Bounded::new(LEN), Cell::new(0));
    let allocator = Allocator::new(&bounded);
    let unwinds = |work: &mut dyn FnMut()| assert!(panic::catch_unwind(AssertUnwindSafe(work)).is_err());
    unwinds(&mut || {
        let _ = allocator.try_new_in_with(|| -> u64 { panic!("a constructor unwinds") });
    });
    assert_eq!(bounded.free_bytes(), LEN);
    unwinds(&mut || {
        let _ = allocator.try_alloc_slice_with(10, |index| {
            assert!(index < 7, "the eighth constructor unwinds");
            Dropped(&drops)
        });
    });
    assert_eq!((drops.replace(0), bounded.free_bytes()), (7, LEN));
    unwinds(&mut || {
        let value = allocator.try_new_in(Bomb(&drops, true)).unwrap();
        // SAFETY: made by this handle, not used any more.
        unsafe { allocator.drop_in(value) };
    });
    assert_eq!((drops.get(), bounded.free_bytes()), (1, LEN));
}

#[test]
fn the_alignment_of_the_handle_applies_to_all_it_makes() {
    let bounded = Bounded::new(LEN);
    let mut allocator = Allocator::new(&bounded);
    allocator.set_alignment(Alignment::new(256).unwrap());
    let filler = OwnedBlock::new(&bounded, layout(16, 16)).unwrap();
    let byte = allocator.try_new_in(1_u8).unwrap();
    let slice = allocator.try_alloc_slice_copy(&[1_u16, 2, 3]).unwrap();
    let nothing = allocator.try_new_in(()).unwrap();
    let block = allocator.try_alloc_block(100).unwrap();
    let addresses =
        [byte.addr().get(), slice.cast::<u8>().addr().get(), nothing.addr().get(), block.as_ptr().addr()];
    assert!(addresses.iter().all(|address| address % 256 == 0), "{addresses:x?}");
    // SAFETY: initialised by `try_alloc_slice_copy`.
    assert_eq!(unsafe { slice.as_ref() }, [1, 2, 3]);
    drop((filler, block));
    // SAFETY: made by this handle with this alignment, not used any more.
    unsafe { allocator.drop_in(byte) };
    // SAFETY: as above.
    unsafe { allocator.drop_in(slice) };
    // SAFETY: as above.
    unsafe { allocator.drop_in(nothing) };
    assert_eq!(bounded.free_bytes(), LEN);
}

#[test]
fn slices_resize_through_nothing_and_refuse_overflow() {
    let bounded = Bounded::new(LEN);
    let allocator = Allocator::new(&bounded);
    let mut slice: NonNull<[MaybeUninit<u32>]> = allocator.try_alloc_slice(0).unwrap();
    assert_eq!(bounded.free_bytes(), LEN, "nothing takes no memory");
    for len in [10, 1000, 3, 0, 0, 5] {
        let kept = slice.len().min(len);
        // SAFETY: made by this handle with this length; nobody else uses it.
        let values = unsafe { slice.as_mut() };
        for (value, number) in values.iter_mut().zip(0..) {
            value.write(number);
        }
        // SAFETY: made by this handle with this length.
        slice = unsafe { allocator.try_reallocate(slice, len) }.unwrap();
        assert_eq!(slice.len(), len);
        // SAFETY: as above.
        let values = unsafe { slice.as_ref() };
        for (value, number) in values.iter().take(kept).zip(0..) {
            // SAFETY: inside both slices, written above, kept by `try_reallocate`.
            assert_eq!(unsafe { value.assume_init() }, number);
        }
    }
    // SAFETY: made by this handle with this length; it fails, so the slice stays.
    let refused = unsafe { allocator.try_reallocate(slice, usize::MAX / 2) };
    assert_eq!(refused, Err(AllocError::SizeOverflow));
    // SAFETY: as above.
    let refused = unsafe { allocator.try_reallocate(slice, LEN) };
    assert_eq!(refused, Err(AllocError::CapacityExhausted));
    // SAFETY: made by this handle, not used any more.
    unsafe { allocator.release_slice(slice) };
    assert_eq!(bounded.free_bytes(), LEN);
}

#[test]
fn the_policy_learns_what_was_refused() {
    let bounded = Bounded::new(4096);
    let seen = Cell::new(None);
    let allocator = Allocator::new(&bounded).or_diverge(|layout, error| {
        seen.set(Some((layout.size(), error)));
        panic!("refused")
    });
    let value = allocator.new_in(7_u64);
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| allocator.alloc_slice::<u64>(1000)));
    assert!(outcome.is_err());
    assert_eq!(seen.get(), Some((8000, AllocError::CapacityExhausted)));
    // SAFETY: made by this handle, not used any more.
    unsafe { allocator.drop_in(value) };
}

#[test]
fn an_owned_block_releases_itself_wherever_it_is_dropped() {
    let bounded = Bounded::new(LEN);
    OwnedBlock::new(&bounded, layout(100, 64)).unwrap().as_uninit_mut().fill(MaybeUninit::new(0xDD));
    let mut block = OwnedBlock::new_zeroed(&bounded, layout(100, 64)).unwrap();
    // SAFETY: zeroed, so initialised.
    let zero = |byte: &MaybeUninit<u8>| unsafe { byte.assume_init() } == 0;
    assert!(block.as_uninit().iter().all(zero), "recycled memory is zeroed");
    block.as_uninit_mut()[99].write(9);
    block.try_resize(10_000).unwrap();
    assert!(block.len() >= 10_000 && block.as_ptr().addr().is_multiple_of(64));
    // SAFETY: written above, kept by `try_resize`.
    assert_eq!(unsafe { block.as_uninit()[99].assume_init() }, 9);
    assert_eq!(block.try_resize(LEN + 1), Err(AllocError::CapacityExhausted));
    assert!(block.len() >= 10_000, "unchanged by the failure");
    thread::scope(|scope| {
        scope.spawn(move || drop(block));
    });
    assert_eq!(bounded.free_bytes(), LEN);
}

#[test]
fn parts_of_an_owned_block_can_be_taken_and_given_back() {
    let bounded = Bounded::new(LEN);
    let block = OwnedBlock::new(&bounded, layout(100, 64)).unwrap();
    let (raw, align, resource): (MemoryBlock, _, _) = block.into_parts();
    assert!(bounded.free_bytes() < LEN, "nobody has released it");
    // SAFETY: just taken from their owner.
    drop(unsafe { OwnedBlock::from_parts(raw, align, resource) });
    assert_eq!(bounded.free_bytes(), LEN);
}

#[test]
fn handles_work_over_dyn_resources() {
    let bounded = Bounded::new(LEN);
    let dynamic: &dyn MemoryResource = &bounded;
    let allocator = Allocator::new(dynamic);
    assert_eq!(allocator.info().capacity, Some(LEN));
    let names = allocator.try_alloc_slice_with(4, |index| index.to_string()).unwrap();
    // SAFETY: initialised.
    assert_eq!(unsafe { names.as_ref() }, ["0", "1", "2", "3"]);
    // SAFETY: made by this handle, not used any more.
    unsafe { allocator.drop_in(names) };
    assert_eq!(bounded.free_bytes(), LEN);
}
