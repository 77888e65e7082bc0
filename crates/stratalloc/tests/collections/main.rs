//! Collections of `allocator-api2` 0.2 and 0.4 and hashbrown's map over resources, beside those of `std`.
//!
//! Each case runs on a heap, a frame, a TLSF heap and a composition, with `Counted` in between: it must see every block come back. What
//! reaches a resource is checked call by call in `crates/l2-resource/tests/standard_traits.rs`; uses that must not compile are in
//! `src/collections.md`.
#![allow(clippy::std_instead_of_alloc, reason = "a test, with std")]

mod maps;
mod vectors;

use core::hash::BuildHasherDefault;
use core::mem::MaybeUninit;
use std::hash::DefaultHasher;
use std::thread;

use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec as VecIn;
use maps::{Maps, map_ops, vec_in};
use proptest::prelude::*;
use stratalloc::modifiers::{Counted, Fallback, Segregate};
use stratalloc::strategies::buddy::Buddy;
use stratalloc::strategies::frame::{Frame, Safety};
use stratalloc::strategies::system::System;
use stratalloc::strategies::tlsf::Tlsf;
use stratalloc::{Alignment, Allocator, Heap, MemoryResource, ProcessHeap, Validate};
use vectors::{Vectors, vec_ops};

/// Seeds are fixed, so that a failing case fails again.
type Hasher = BuildHasherDefault<DefaultHasher>;
type MapIn<A> = hashbrown::HashMap<u8, VecIn<u8, A>, Hasher, A>;

fn memory(len: usize) -> Vec<MaybeUninit<u8>> {
    vec![MaybeUninit::uninit(); len]
}

/// A case, run over one resource; a trait, since closures cannot be generic.
trait Case {
    fn run(&self, handle: Allocator<&Counted<impl MemoryResource>>);
}

/// Runs the case over `resource`, and asks for all blocks back.
fn over(case: &impl Case, resource: impl MemoryResource, align: Alignment) {
    let counted = Counted::new(resource);
    case.run(Allocator::new(&counted).with_alignment(align));
    let counts = counted.counts();
    assert_eq!((counts.live_blocks(), counts.live_bytes), (0, 0), "{counts:?}");
}

fn everywhere(case: &impl Case, align: Alignment) {
    let heap = Heap::new().unwrap();
    over(case, &heap, align);

    // Once over its own memory and then chunks, once with canaries.
    let mut first = memory(512);
    let frame = Frame::<stratalloc::strategies::frame::Speed, _>::over_then(&mut first, ProcessHeap);
    over(case, &frame, align);
    frame.validate().unwrap();
    let checked: Frame<'_, Safety, &Heap> = Frame::growing(&heap);
    over(case, &checked, align);
    checked.validate().unwrap();

    let mut pool = memory(1 << 18);
    let tlsf: Tlsf<'_> = Tlsf::over(&mut pool).unwrap();
    over(case, &tlsf, align);
    tlsf.validate().unwrap();
    assert_eq!(tlsf.usage().used, 0);

    // Small enough to spill from link to link.
    let (mut small, mut large) = (memory(2_000), memory(6_000));
    let own: Segregate<256, Buddy<'_>, Tlsf<'_>> =
        Segregate::new(Buddy::over(&mut small).unwrap(), Tlsf::over(&mut large).unwrap());
    let whole = Fallback::new(own, System);
    over(case, &whole, align);
    assert_eq!((whole.first().small().usage().used, whole.first().large().usage().used), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(stratalloc::resource::conformance::cases(100)) })]

    #[test]
    fn vectors_are_like_those_of_std(ops in vec_ops(), align in 0..8_u32) {
        everywhere(&Vectors(ops), Alignment::new(1 << align).unwrap());
    }

    #[test]
    fn maps_are_like_those_of_std(ops in map_ops(), align in 0..8_u32) {
        everywhere(&Maps(ops), Alignment::new(1 << align).unwrap());
    }
}

/// Values of every kind in boxes: large, of size zero, unsized, more aligned than the handle.
struct Boxes;

#[derive(Debug, PartialEq)]
#[repr(align(256))]
struct Aligned(u8);

impl Case for Boxes {
    fn run(&self, handle: Allocator<&Counted<impl MemoryResource>>) {
        let large = Box::new_in([7_u64; 512], handle);
        let aligned = Box::new_in(Aligned(1), handle);
        assert_eq!((&raw const *aligned).addr() % 256, 0);
        let before = handle.resource().counts().live_blocks();
        let nothing = Box::new_in((), handle);
        assert_eq!((*nothing, handle.resource().counts().live_blocks()), ((), before));
        let slice = vec_in(b"in a box", handle).into_boxed_slice();
        assert_eq!((large[511], &*aligned, &*slice), (7, &Aligned(1), &b"in a box"[..]));
        assert_eq!((*Box::clone(&large))[0], 7);
        let newer = allocator_api2_04::boxed::Box::new_in(9_u128, handle);
        assert_eq!(*newer, 9);
    }
}

#[test]
fn boxes_of_every_kind() {
    everywhere(&Boxes, Alignment::ONE);
    everywhere(&Boxes, Alignment::constant::<64>());
}

#[test]
fn a_vector_in_a_frame_grows_in_place() {
    let mut all = memory(4096);
    let frame: Frame = Frame::over(&mut all);
    let mut numbers = VecIn::new_in(Allocator::new(&frame));
    numbers.push(0_u32);
    let first = numbers.as_ptr();
    numbers.extend(1..1000);
    assert_eq!((numbers.as_ptr(), frame.used()), (first, numbers.capacity() * 4));
    numbers.shrink_to_fit();
    assert_eq!((numbers.as_ptr(), frame.used()), (first, 4000));
    assert!(numbers.iter().copied().eq(0..1000));
}

#[test]
fn a_full_resource_is_an_error_and_the_collection_stays() {
    let mut pool = memory(4096);
    let tlsf: Tlsf<'_, 8, 8> = Tlsf::over(&mut pool).unwrap();
    let handle = Allocator::new(&tlsf);
    let mut numbers = VecIn::new_in(handle);
    numbers.extend(0..100_u32);
    assert!(numbers.try_reserve(10_000).is_err());
    assert!(numbers.iter().copied().eq(0..100));
    let mut map = hashbrown::HashMap::<u32, u32, Hasher, _>::with_hasher_in(Hasher::default(), handle);
    map.insert(1, 2);
    assert!(map.try_reserve(10_000).is_err());
    assert_eq!(map.get(&1), Some(&2));
    assert!(Box::try_new_in([0_u8; 5000], handle).is_err());
    drop((numbers, map));
    assert_eq!(tlsf.usage().used, 0);
}

#[test]
fn what_one_thread_fills_another_drops() {
    let heap = Heap::new().unwrap();
    let counted = Counted::new(&heap);
    let handle = Allocator::new(&counted);
    thread::scope(|threads| {
        let makers: Vec<_> = (0..4_u8)
            .map(|seed| {
                threads.spawn(move || {
                    let mut map = MapIn::with_hasher_in(Hasher::default(), handle);
                    map.extend((0..200).map(|key| (key, vec_in(&[seed; 300], handle))));
                    map
                })
            })
            .collect();
        for (seed, maker) in (0_u8..).zip(makers) {
            let map = maker.join().unwrap();
            assert!(map.len() == 200 && map.values().all(|value| value[..] == [seed; 300]));
        }
    });
    assert_eq!(counted.counts().live_blocks(), 0);
}

/// What the trait demands of clones: the contract's Identity section, for every resource here that is `Clone`.
#[test]
fn clones_are_equal() {
    fn check<R: MemoryResource + Clone>(resource: &R) {
        let clone = resource.clone();
        assert!(resource.is_equal(&clone) && clone.is_equal(resource), "{}", resource.info().name);
        let mut numbers = VecIn::new_in(Allocator::new(resource.clone()));
        numbers.extend(0..50_u32);
        let (start, len, capacity, _) = numbers.into_raw_parts_with_alloc();
        // SAFETY: the parts of a vector whose allocator was a clone of the same resource.
        let numbers = unsafe { VecIn::from_raw_parts_in(start, len, capacity, Allocator::new(clone)) };
        assert!(numbers.iter().copied().eq(0..50));
    }
    let (heap, mut pool) = (Heap::new().unwrap(), memory(1 << 16));
    let tlsf: Tlsf<'_> = Tlsf::over(&mut pool).unwrap();
    check(&ProcessHeap);
    check(&System);
    check(&&heap);
    check(&stratalloc::modifiers::Guarded::new(&heap));
    check(&Segregate::<256, _, _>::new(&heap, &tlsf));
    check(&Fallback::new(&tlsf, System));
    check(&Fallback::new(Segregate::<64, _, _>::new(&tlsf, &tlsf), &heap));
    check(&(&heap as &dyn MemoryResource));
    assert_eq!(tlsf.usage().used, 0);
}
