//! Stacks: the kit, generated operations against a shadow map, order, markers.
//!
//! Not covered here: misuse (`misuse.rs`), timing (`bench/`).

extern crate alloc;

#[allow(dead_code, reason = "each test crate uses a part of it")]
mod support;

use std::alloc::System;

use proptest::prelude::*;
use stratalloc_resource::conformance;
use stratalloc_resource::{Alignment, AllocError, Allocator, FromGlobal, MemoryResource, Validate};
use stratalloc_strategies::stack::{AnyOrder, Order, Stack, StackMarker, Strict};
use support::{Op, Shadow, config, layout, memory, ops, passed, range_of};

#[test]
fn conforms_over_memory_and_over_an_upstream() {
    let mut bytes = memory(1 << 20);
    let stack: Stack<AnyOrder> = Stack::over(&mut bytes);
    passed(conformance::local_resource(&stack, &config()));
    passed(conformance::ownership(&stack, &config()));
    assert_eq!((stack.used(), stack.depth()), (0, 0));

    let upstream: Stack = Stack::over(&mut bytes);
    {
        let stack = Stack::<AnyOrder, _>::within(&upstream, 1 << 18).unwrap();
        passed(conformance::validated(&stack, &config()));
    }
    assert_eq!(upstream.used(), 0);
    let refused = Stack::<Strict, _>::within(&upstream, 1 << 21);
    assert_eq!(refused.err(), Some(AllocError::CapacityExhausted));
    assert!(Stack::<Strict, _>::within(FromGlobal::new(&System), usize::MAX).is_err());
}

#[test]
fn two_are_not_equal_and_one_stays_itself_when_it_moves() {
    let (mut first, mut second) = (memory(1 << 16), memory(1 << 16));
    let first: Stack<AnyOrder> = Stack::over(&mut first);
    let second: Stack<AnyOrder> = Stack::over(&mut second);
    assert!(!conformance::pair(&first, &second, &config()).unwrap());
    let before = first.identity();
    let moved = Box::new(first);
    assert_eq!(moved.identity(), before);
}

#[test]
fn every_buffer_serves_or_refuses() {
    let mut bytes = memory(200);
    for start in 0..20 {
        for len in 0..100 {
            let inside = range_of(&bytes[start..start + len]);
            let stack: Stack = Stack::over(&mut bytes[start..start + len]);
            let mut blocks = Vec::new();
            while let Ok(block) = stack.allocate(layout(5, 4)) {
                assert!(inside.start <= block.address() && block.end_address() <= inside.end);
                blocks.push(block);
            }
            assert!(stack.validate().is_ok() && (len < 32 || !blocks.is_empty()));
            while let Some(block) = blocks.pop() {
                // SAFETY: live, of this stack, in order.
                unsafe { stack.deallocate(block, Alignment::constant::<4>()) };
            }
            assert_eq!(stack.used(), 0);
        }
    }
}

#[test]
fn released_blocks_wait_for_what_is_above_them() {
    let mut bytes = memory(1000);
    let stack: Stack<AnyOrder> = Stack::over(&mut bytes);
    let handle = Allocator::new(&stack);
    let mut blocks: Vec<_> = (0..5).map(|_| Some(handle.try_alloc_block(50).unwrap())).collect();
    let used = stack.used();
    for (index, depth, waiting) in [(1, 5, 1), (3, 5, 2), (4, 3, 1), (0, 3, 2), (2, 0, 0)] {
        blocks[index] = None;
        stack.validate().unwrap();
        assert_eq!((stack.depth(), stack.waiting()), (depth, waiting), "{index}");
    }
    assert_eq!((stack.used(), stack.peak()), (0, used));
}

#[test]
fn a_rewind_uncovers_what_was_waiting() {
    let mut bytes = memory(1000);
    let stack: Stack<AnyOrder> = Stack::over(&mut bytes);
    let align = Alignment::ONE;
    let bottom = stack.allocate(layout(10, 1)).unwrap();
    let used = stack.used();
    let waiting = stack.allocate(layout(10, 1)).unwrap();
    let marker = stack.marker();
    let above = stack.allocate(layout(100, 64)).unwrap();
    // SAFETY: live, of this stack; `above` is given up.
    unsafe { stack.deallocate(waiting, align) };
    assert_eq!(stack.waiting(), 1);
    // SAFETY: as above.
    unsafe { stack.rewind(marker) };
    assert_eq!((stack.used(), stack.depth(), stack.waiting()), (used, 1, 0));
    assert!(above.address() > bottom.address());
    stack.validate().unwrap();
}

#[test]
fn the_top_block_grows_and_shrinks_in_place_and_others_move() {
    let mut bytes = memory(1000);
    let stack: Stack = Stack::over(&mut bytes);
    let (first, second) = (stack.allocate(layout(10, 1)).unwrap(), stack.allocate(layout(10, 1)).unwrap());
    // SAFETY: live, of this stack; likewise below.
    let grown = unsafe { stack.reallocate(second, 500, Alignment::ONE) }.unwrap();
    assert_eq!(grown.address(), second.address());
    // SAFETY: as above.
    let moved = unsafe { stack.reallocate(first, 20, Alignment::ONE) }.unwrap();
    assert_eq!((stack.depth(), stack.waiting()), (3, 1));
    for block in [moved, grown] {
        // SAFETY: as above.
        unsafe { stack.deallocate(block, Alignment::ONE) };
    }
    assert_eq!((stack.used(), stack.depth()), (0, 0));
}

/// Runs `ops` over a stack; special ones are markers and rewinds.
fn run<O: Order, U: MemoryResource>(stack: &Stack<'_, O, U>, ops: &[Op]) -> Result<(), TestCaseError> {
    let mut shadow = Shadow::default();
    // Releases and moves of blocks older than a marker would make it stale; so such operations wait until it is used.
    let mut marker: Option<(StackMarker, usize, usize)> = None;
    for op in ops {
        match (op, marker) {
            (Op::Special { .. }, None) => {
                marker = Some((stack.marker(), shadow.numbers(), stack.used()));
            }
            (Op::Special { .. }, Some((position, number, used))) => {
                shadow.all_intact()?;
                shadow.forget_from(number);
                // SAFETY: of this stack, all older blocks are there, and the younger ones are gone from the shadow.
                unsafe { stack.rewind(position) };
                prop_assert_eq!(stack.used(), used);
                marker = None;
            }
            (Op::Deallocate { .. } | Op::Reallocate { .. }, Some(_)) => {}
            _ => shadow.step(stack, op)?,
        }
        shadow.check(stack)?;
        prop_assert_eq!(stack.depth() - stack.waiting(), shadow.len());
        prop_assert!(stack.used() <= stack.peak() && stack.used() >= shadow.bytes());
    }
    shadow.release_all(stack)?;
    prop_assert_eq!((stack.used(), stack.depth()), (0, 0));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: conformance::cases(100), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_configuration_matches_the_shadow(
        offset in 0_usize..70, len in 0_usize..30_000, upstream in any::<bool>(), ops in ops(8_000),
    ) {
        if upstream {
            run(&Stack::<AnyOrder, _>::within(FromGlobal::new(&System), len).unwrap(), &ops)?;
        } else {
            let mut bytes = memory(offset + len);
            run(&Stack::<AnyOrder>::over(&mut bytes[offset..]), &ops)?;
        }
    }
}
