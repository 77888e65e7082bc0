//! Collections of `allocator-api2` 0.2 and 0.4 and hashbrown's map over resources, beside those of `std`.
//!
//! Each case runs on a heap, a frame, a TLSF heap and a composition, with `Counted` in between: it must see every block come back. What
//! reaches a resource is checked call by call in `crates/l2-resource/tests/standard_traits.rs`; uses that must not compile are in
//! `src/collections.md`.
#![allow(clippy::std_instead_of_alloc, reason = "a test, with std")]

use core::hash::BuildHasherDefault;
use core::mem::MaybeUninit;
use std::collections::HashMap;
use std::hash::DefaultHasher;
use std::thread;

use allocator_api2::alloc::Allocator as Api;
use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec as VecIn;
use proptest::prelude::*;
use stratalloc::modifiers::{Counted, Fallback, Segregate};
use stratalloc::strategies::buddy::Buddy;
use stratalloc::strategies::frame::{Frame, Safety};
use stratalloc::strategies::system::System;
use stratalloc::strategies::tlsf::Tlsf;
use stratalloc::{Alignment, Allocator, Heap, MemoryResource, ProcessHeap, Validate};

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

#[derive(Clone, Debug)]
enum VecOp {
    Push(u32),
    Pop,
    Insert(usize, u32),
    Remove(usize),
    Extend(Vec<u32>),
    Truncate(usize),
    Reserve(usize),
    Shrink,
    Clone,
    Boxed,
}

fn vec_ops() -> impl Strategy<Value = Vec<VecOp>> {
    let op = prop_oneof![
        4 => any::<u32>().prop_map(VecOp::Push),
        1 => Just(VecOp::Pop),
        2 => any::<(usize, u32)>().prop_map(|(at, value)| VecOp::Insert(at, value)),
        1 => any::<usize>().prop_map(VecOp::Remove),
        2 => prop::collection::vec(any::<u32>(), 0..200).prop_map(VecOp::Extend),
        1 => (0..100_usize).prop_map(VecOp::Truncate),
        1 => (0..1000_usize).prop_map(VecOp::Reserve),
        1 => Just(VecOp::Shrink),
        1 => Just(VecOp::Clone),
        1 => Just(VecOp::Boxed),
    ];
    prop::collection::vec(op, 1..40)
}

/// The steps on a vector of one version of the crate and on std's.
struct Vectors(Vec<VecOp>);

macro_rules! vectors_beside_std {
    ($function:ident, $api:ident) => {
        fn $function(ops: &[VecOp], handle: impl $api::alloc::Allocator + Clone, align: usize) {
            let mut real = $api::vec::Vec::new_in(handle);
            let mut model: Vec<u32> = Vec::new();
            for op in ops {
                let len = model.len();
                match *op {
                    VecOp::Push(value) => {
                        real.push(value);
                        model.push(value);
                    }
                    VecOp::Pop => assert_eq!(real.pop(), model.pop()),
                    VecOp::Insert(at, value) => {
                        real.insert(at % (len + 1), value);
                        model.insert(at % (len + 1), value);
                    }
                    VecOp::Remove(at) if len > 0 => {
                        assert_eq!(real.remove(at % len), model.remove(at % len));
                    }
                    VecOp::Remove(_) => {}
                    VecOp::Extend(ref values) => {
                        real.extend_from_slice(values);
                        model.extend_from_slice(values);
                    }
                    VecOp::Truncate(to) => {
                        real.truncate(to);
                        model.truncate(to);
                    }
                    VecOp::Reserve(more) => {
                        real.reserve(more);
                        assert!(real.capacity() >= len + more);
                    }
                    VecOp::Shrink => real.shrink_to_fit(),
                    VecOp::Clone => real = real.clone(),
                    VecOp::Boxed => real = real.into_boxed_slice().into_vec(),
                }
                assert_eq!(real[..], model[..]);
                assert!(real.capacity() == 0 || real.as_ptr().addr() % align == 0);
            }
        }
    };
}

vectors_beside_std!(vectors_02, allocator_api2);
vectors_beside_std!(vectors_04, allocator_api2_04);

impl Case for Vectors {
    fn run(&self, handle: Allocator<&Counted<impl MemoryResource>>) {
        let align = handle.alignment().bytes();
        // Of both versions, one beside the other.
        vectors_02(&self.0, handle, align);
        vectors_04(&self.0, handle, align);
    }
}

#[derive(Clone, Debug)]
enum MapOp {
    Insert(u8, Vec<u8>),
    Append(u8, Vec<u8>),
    Remove(u8),
    Retain(u8),
    Reserve(usize),
    Shrink,
    Clone,
    Drain,
}

fn map_ops() -> impl Strategy<Value = Vec<MapOp>> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..60);
    let op = prop_oneof![
        6 => (any::<u8>(), bytes()).prop_map(|(key, value)| MapOp::Insert(key, value)),
        4 => (any::<u8>(), bytes()).prop_map(|(key, value)| MapOp::Append(key, value)),
        3 => any::<u8>().prop_map(MapOp::Remove),
        1 => (2..5_u8).prop_map(MapOp::Retain),
        1 => (0..100_usize).prop_map(MapOp::Reserve),
        1 => Just(MapOp::Shrink),
        1 => Just(MapOp::Clone),
        1 => Just(MapOp::Drain),
    ];
    prop::collection::vec(op, 1..60)
}

/// The steps on hashbrown's map, values in the same resource, and on std's.
struct Maps(Vec<MapOp>);

fn vec_in<A: Api>(bytes: &[u8], handle: A) -> VecIn<u8, A> {
    let mut value = VecIn::new_in(handle);
    value.extend_from_slice(bytes);
    value
}

fn step<A: Api + Clone>(real: &mut MapIn<A>, model: &mut HashMap<u8, Vec<u8>>, op: &MapOp, handle: &A) {
    match *op {
        MapOp::Insert(key, ref value) => {
            let old = real.insert(key, vec_in(value, handle.clone()));
            assert_eq!(old.as_deref(), model.insert(key, value.clone()).as_deref());
        }
        MapOp::Append(key, ref more) => {
            real.entry(key).or_insert_with(|| VecIn::new_in(handle.clone())).extend_from_slice(more);
            model.entry(key).or_default().extend_from_slice(more);
        }
        MapOp::Remove(key) => assert_eq!(real.remove(&key).as_deref(), model.remove(&key).as_deref()),
        MapOp::Retain(divisor) => {
            real.retain(|key, _| !key.is_multiple_of(divisor));
            model.retain(|key, _| !key.is_multiple_of(divisor));
        }
        MapOp::Reserve(more) => real.reserve(more),
        MapOp::Shrink => real.shrink_to_fit(),
        MapOp::Clone => *real = real.clone(),
        MapOp::Drain => {
            let drained = real.drain().filter(|(key, value)| model[key] == value[..]).count();
            assert_eq!(drained, model.drain().count());
        }
    }
}

impl Case for Maps {
    fn run(&self, handle: Allocator<&Counted<impl MemoryResource>>) {
        let mut real = MapIn::with_hasher_in(Hasher::default(), handle);
        let mut model = HashMap::new();
        for op in &self.0 {
            step(&mut real, &mut model, op, &handle);
            assert_eq!(real.len(), model.len());
            assert!(real.iter().all(|(key, value)| model[key] == value[..]));
        }
    }
}

/// Fewer where each step costs a thousandfold.
const CASES: u32 = if cfg!(miri) { 2 } else { 100 };

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) })]

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
