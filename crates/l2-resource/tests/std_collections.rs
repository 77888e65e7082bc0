//! The collections of `std` over a resource, by `core::alloc::Allocator` (where the compiler has it: see `build.rs`).
//!
//! What reaches the resource is checked call by call in `standard_traits.rs`.
#![cfg(core_allocator)]
#![cfg_attr(core_allocator_unstable, feature(allocator_api))]
#![allow(clippy::std_instead_of_alloc, reason = "a test, with std")]

use std::alloc::System;
use std::cell::Cell;
use std::collections::VecDeque;

use core::alloc::Layout;
use stratalloc_resource::{
    Alignment, AllocError, Allocator, FromGlobal, MemoryBlock, MemoryResource, ResourceId, ResourceInfo,
};

/// The system's allocator, with the number of live blocks.
struct Counting {
    inner: FromGlobal<'static, System>,
    live: Cell<usize>,
}

// SAFETY: every clause is the inner resource's, to which all is passed on.
unsafe impl MemoryResource for Counting {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let block = self.inner.allocate(layout)?;
        self.live.set(self.live.get() + 1);
        Ok(block)
    }

    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        self.live.set(self.live.get() - 1);
        // SAFETY: this function's contract.
        unsafe { self.inner.deallocate(block, align) };
    }

    fn identity(&self) -> ResourceId {
        self.inner.identity()
    }

    fn info(&self) -> ResourceInfo<'_> {
        self.inner.info()
    }
}

/// Grows, shrinks, moves and drops collections beside those of the global allocator; every block comes back.
#[test]
fn vectors_boxes_and_queues_live_in_a_resource() {
    let counting = Counting { inner: FromGlobal::new(&System), live: Cell::new(0) };
    let handle = Allocator::new(&counting);
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
    assert_eq!(counting.live.get(), 702);
    drop((own, queue));
    assert_eq!(counting.live.get(), 0);
}
