//! Vectors beside those of `std`.

use proptest::prelude::*;
use stratalloc::modifiers::Counted;
use stratalloc::{Allocator, MemoryResource};

use crate::Case;

#[derive(Clone, Debug)]
pub(crate) enum VecOp {
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

pub(crate) fn vec_ops() -> impl Strategy<Value = Vec<VecOp>> {
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
pub(crate) struct Vectors(pub(crate) Vec<VecOp>);

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
