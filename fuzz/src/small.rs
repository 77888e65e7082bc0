//! The heap's small domain as a resource.

use proptest::prelude::*;
use stratalloc_heap::SmallObject;
use stratalloc_resource::{MemoryResource, Owns, Validate};

use crate::input::Input;
use crate::support::Op;
use crate::{run_beside, settle};

/// Any limit, over a heap of its own or the process's; every block is as its classes say, and the heap's equations hold.
pub fn small_object(data: &[u8]) {
    let mut input = Input::new(data);
    let (process, max_size) = (input.flag(), input.number(0..40_000));
    let ops = input.ops(40_000);
    if process {
        in_small(&SmallObject::process().with_max_size(max_size), &ops);
    } else if let Ok(small) = SmallObject::new() {
        in_small(&small.with_max_size(max_size), &ops);
    }
}

fn in_small<R: MemoryResource + Owns + Validate>(small: &R, ops: &[Op]) {
    let largest = small.info().size_classes.iter().last().expect("classes");
    settle(run_beside(
        small,
        ops,
        |_, _| Ok(()),
        |shadow| {
            for live in shadow.blocks() {
                prop_assert!(small.owns(live.block.as_ptr()), "a live block is denied");
                prop_assert!(live.block.len() <= largest, "{:?} is longer than any class", live.block);
            }
            Ok(())
        },
    ));
}
