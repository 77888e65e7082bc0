//! hashbrown's maps beside those of `std`.

use std::collections::HashMap;

use allocator_api2::alloc::Allocator as Api;
use allocator_api2::vec::Vec as VecIn;
use proptest::prelude::*;
use stratalloc::modifiers::Counted;
use stratalloc::{Allocator, MemoryResource};

use crate::{Case, Hasher, MapIn};

#[derive(Clone, Debug)]
pub(crate) enum MapOp {
    Insert(u8, Vec<u8>),
    Append(u8, Vec<u8>),
    Remove(u8),
    Retain(u8),
    Reserve(usize),
    Shrink,
    Clone,
    Drain,
}

pub(crate) fn map_ops() -> impl Strategy<Value = Vec<MapOp>> {
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
pub(crate) struct Maps(pub(crate) Vec<MapOp>);

pub(crate) fn vec_in<A: Api>(bytes: &[u8], handle: A) -> VecIn<u8, A> {
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
