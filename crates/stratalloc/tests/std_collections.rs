//! The collections of `std` over resources, by `core::alloc::Allocator` (a nightly compiler and the feature `nightly`).
//!
//! What reaches the resource is checked call by call in `crates/l2-resource/tests/standard_traits.rs`.
#![cfg(feature = "nightly")]
#![feature(allocator_api)]
#![allow(clippy::std_instead_of_alloc, reason = "a test, with std")]

use std::collections::VecDeque;

use stratalloc::modifiers::{Counted, Fallback};
use stratalloc::strategies::frame::Frame;
use stratalloc::strategies::tlsf::Tlsf;
use stratalloc::{Allocator, Heap, MemoryResource};

/// Grows, shrinks, moves and drops collections beside those of the global allocator; every block comes back.
fn used_by_collections(resource: impl MemoryResource) {
    let counted = Counted::new(resource);
    let handle = Allocator::new(&counted);
    let (mut own, mut plain) = (Vec::new_in(handle.clone()), Vec::new());
    let (mut queue, mut expected) = (VecDeque::new_in(handle.clone()), VecDeque::new());
    for number in 0..2000_u32 {
        own.push(Box::new_in(number, handle.clone()));
        plain.push(number);
        queue.push_back([u64::from(number); 3]);
        expected.push_back([u64::from(number); 3]);
        if number % 3 == 0 {
            assert_eq!(queue.pop_front(), expected.pop_front());
        }
    }
    own.truncate(700);
    own.shrink_to_fit();
    plain.truncate(700);
    assert!(own.iter().map(|number| **number).eq(plain));
    assert!(queue.iter().eq(&expected));
    assert!(counted.counts().live_blocks() > 700);
    drop((own, queue));
    assert_eq!(counted.counts().live_blocks(), 0);
}

#[test]
fn vectors_boxes_and_queues_live_in_any_resource() {
    used_by_collections(&Heap::new().expect("a heap"));
    let mut memory = [core::mem::MaybeUninit::uninit(); 8 << 10];
    let heap = Heap::new().expect("a heap");
    // The small memory runs dry, and the heap behind it serves the rest.
    let small: Tlsf<'_> = Tlsf::over(&mut memory).expect("room for a TLSF");
    used_by_collections(Fallback::new(small, &heap));
    used_by_collections(Frame::<stratalloc::strategies::frame::Speed, _>::growing(&heap));
}
