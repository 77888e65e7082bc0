//! The handle as an `Allocator` of allocator-api2, both versions, and of `core` where there is one: its promises to collections, and that what reaches the resource
//! keeps the resource's contract, which `Audit` checks at each call.
//!
//! Not covered: allocation from several threads (the handle adds no state) and collections (`crates/stratalloc/tests`).

#![cfg_attr(core_allocator_unstable, feature(allocator_api))]

extern crate alloc;

#[path = "support/audit.rs"]
mod audit;

use core::alloc::Layout;

use audit::{Audit, STALE};
use proptest::prelude::*;
use stratalloc_resource::{Alignment, Allocator};

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

/// A step of the property test. Indices wrap around the live blocks; `excess` picks the length that names a block, between the requested
/// and the returned one.
#[derive(Clone, Debug)]
enum Op {
    Allocate { size: usize, align: u32, zeroed: bool },
    Grow { index: usize, by: usize, align: u32, zeroed: bool, excess: usize, refused: bool },
    Shrink { index: usize, by: usize, align: u32, excess: usize, refused: bool },
    Release { index: usize, excess: usize },
}

fn op() -> impl Strategy<Value = Op> {
    let size = || prop_oneof![Just(0_usize), 1..300_usize];
    let align = || prop_oneof![3 => Just(3_u32), 2 => 0..8_u32];
    let refused = || prop::bool::weighted(0.1);
    let excess = || 0..=audit::SLACK;
    prop_oneof![
        2 => (size(), align(), any::<bool>())
            .prop_map(|(size, align, zeroed)| Op::Allocate { size, align, zeroed }),
        3 => (any::<usize>(), size(), align(), any::<bool>(), excess(), refused()).prop_map(
            |(index, by, align, zeroed, excess, refused)| Op::Grow { index, by, align, zeroed, excess, refused }
        ),
        2 => (any::<usize>(), size(), align(), excess(), refused())
            .prop_map(|(index, by, align, excess, refused)| Op::Shrink { index, by, align, excess, refused }),
        1 => (any::<usize>(), excess()).prop_map(|(index, excess)| Op::Release { index, excess }),
    ]
}

macro_rules! tests_for {
    ($version:ident, $api:ident) => {
        mod $version {
            use core::ptr::NonNull;

            use $api::alloc::Allocator as Api;

            use super::*;

            /// A live block, as its owner knows it.
            struct Block {
                start: NonNull<u8>,
                returned: usize,
                layout: Layout,
                contents: Vec<u8>,
            }

            impl Block {
                /// Takes over what the allocator returned: checks size and alignment, fills all of it.
                fn new(bytes: NonNull<[u8]>, layout: Layout, least: Alignment, mark: u8) -> Self {
                    let start = bytes.cast::<u8>();
                    assert!(bytes.len() >= layout.size());
                    assert_eq!(start.addr().get() % layout.align().max(least.bytes()), 0);
                    // SAFETY: the caller owns every byte of a returned block.
                    unsafe { start.write_bytes(mark, bytes.len()) };
                    Self { start, returned: bytes.len(), layout, contents: vec![mark; bytes.len()] }
                }

                /// A layout that fits, longer than the one of the request by up to `excess`.
                fn fitting(&self, excess: usize) -> Layout {
                    layout((self.layout.size() + excess).min(self.returned), self.layout.align())
                }

                fn check(&self) {
                    assert_eq!(read(self.start, self.returned), self.contents);
                }
            }

            fn read(start: NonNull<u8>, len: usize) -> Vec<u8> {
                // SAFETY: the tests read live blocks, in their length.
                unsafe { core::slice::from_raw_parts(start.as_ptr(), len) }.to_vec()
            }

            fn run(handle: Allocator<&Audit>, ops: Vec<Op>) {
                let audit = *handle.resource();
                let mut blocks: Vec<Block> = Vec::new();
                for (step, op) in ops.into_iter().enumerate() {
                    let mark = u8::try_from(step % 100 + 1).unwrap();
                    // Clones are interchangeable: each step uses another one.
                    apply(handle.clone(), &mut blocks, op, mark);
                    audit.refuse.set(false);
                    blocks.iter().for_each(Block::check);
                    let without_bytes = blocks.iter().filter(|block| block.layout.size() == 0).count();
                    assert_eq!(audit.live(), blocks.len() - without_bytes);
                }
                for block in blocks {
                    // SAFETY: live; not used any more.
                    unsafe { handle.deallocate(block.start, block.layout) };
                }
                assert_eq!(audit.live(), 0);
            }

            fn apply(handle: Allocator<&Audit>, blocks: &mut Vec<Block>, op: Op, mark: u8) {
                let (audit, least, count) = (*handle.resource(), handle.alignment(), blocks.len());
                match op {
                    Op::Allocate { size, align, zeroed } => {
                        let layout = layout(size, 1 << align);
                        let bytes =
                            if zeroed { handle.allocate_zeroed(layout) } else { handle.allocate(layout) };
                        let bytes = bytes.unwrap();
                        let first = if zeroed { 0 } else { STALE };
                        assert!(read(bytes.cast(), bytes.len()).iter().all(|&byte| byte == first));
                        blocks.push(Block::new(bytes, layout, least, mark));
                    }
                    _ if blocks.is_empty() => {}
                    Op::Grow { index, by, align, zeroed, excess, refused } => {
                        audit.refuse.set(refused);
                        let block = &mut blocks[index % count];
                        let old = block.fitting(excess);
                        let new = layout(old.size() + by, 1 << align);
                        let bytes = if zeroed {
                            // SAFETY: live, the old layout fits, the new one is not smaller.
                            unsafe { handle.grow_zeroed(block.start, old, new) }
                        } else {
                            // SAFETY: as above.
                            unsafe { handle.grow(block.start, old, new) }
                        };
                        let Ok(bytes) = bytes else { return assert!(refused) };
                        let found = read(bytes.cast(), bytes.len());
                        assert_eq!(found[..old.size()], block.contents[..old.size()]);
                        assert!(!zeroed || found[old.size()..].iter().all(|&byte| byte == 0), "{found:?}");
                        *block = Block::new(bytes, new, least, mark);
                    }
                    Op::Shrink { index, by, align, excess, refused } => {
                        audit.refuse.set(refused);
                        let block = &mut blocks[index % count];
                        let old = block.fitting(excess);
                        let new = layout(old.size().saturating_sub(by), 1 << align);
                        // SAFETY: live, the old layout fits, the new one is not larger.
                        let bytes = unsafe { handle.shrink(block.start, old, new) };
                        let Ok(bytes) = bytes else { return assert!(refused) };
                        assert_eq!(read(bytes.cast(), new.size()), block.contents[..new.size()]);
                        *block = Block::new(bytes, new, least, mark);
                    }
                    Op::Release { index, excess } => {
                        let block = blocks.swap_remove(index % count);
                        // SAFETY: live, the layout fits; not used any more.
                        unsafe { handle.deallocate(block.start, block.fitting(excess)) };
                    }
                }
            }

            proptest! {
                #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(stratalloc_resource::conformance::cases(300)) })]

                #[test]
                fn blocks_keep_their_bytes_and_every_call_fits(
                    least in 0..8_u32,
                    ops in prop::collection::vec(op(), 1..60),
                ) {
                    let audit = Audit::default();
                    let least = Alignment::new(1 << least).unwrap();
                    run(Allocator::new(&audit).with_alignment(least), ops);
                }
            }

            #[test]
            fn zero_bytes_ask_for_nothing() {
                let audit = Audit::default();
                let handle = Allocator::new(&audit).with_alignment(Alignment::constant::<64>());
                let nothing = layout(0, 128);
                let bytes = handle.allocate(nothing).unwrap();
                assert_eq!((bytes.len(), bytes.cast::<u8>().addr().get() % 128), (0, 0));
                // SAFETY: live, and the layouts fit.
                let moved = unsafe { handle.grow_zeroed(bytes.cast(), nothing, layout(0, 8)) }.unwrap();
                assert_eq!((moved.len(), moved.cast::<u8>().addr().get() % 64), (0, 0));
                // SAFETY: live; not used any more.
                unsafe { handle.deallocate(moved.cast(), layout(0, 8)) };
                assert_eq!((audit.requests.get(), audit.live()), (0, 0));
            }

            #[test]
            fn the_same_alignment_goes_to_reallocate_and_another_one_moves() {
                let audit = Audit::default();
                let handle = Allocator::new(&audit).with_alignment(Alignment::constant::<16>());
                let block = handle.allocate(layout(10, 1)).unwrap();
                // SAFETY: live, and the layouts fit. Both alignments are raised to 16.
                let block = unsafe { handle.grow(block.cast(), layout(10, 1), layout(100, 8)) }.unwrap();
                assert_eq!(audit.reallocations.get(), 1);
                // SAFETY: as above.
                let block = unsafe { handle.shrink(block.cast(), layout(100, 8), layout(50, 32)) }.unwrap();
                assert_eq!((audit.reallocations.get(), audit.live()), (1, 1));
                // SAFETY: live; not used any more.
                unsafe { handle.deallocate(block.cast(), layout(50, 32)) };
                assert_eq!(audit.live(), 0);
            }

            #[test]
            fn refused_requests_are_errors_and_leave_the_block() {
                let audit = Audit::default();
                // A policy has no say here: this one would end the test.
                let handle = Allocator::new(&audit).or_diverge(|_, error| panic!("asked: {error}"));
                let huge = layout(isize::MAX.unsigned_abs() - 4095, 4096);
                assert!(handle.allocate(huge).is_err() && handle.allocate_zeroed(huge).is_err());
                let small = layout(40, 8);
                let block = handle.allocate_zeroed(small).unwrap();
                // SAFETY: live, and the layouts fit.
                let grown = unsafe { handle.grow(block.cast(), small, huge) };
                assert!(grown.is_err() && audit.live() == 1);
                assert_eq!(read(block.cast(), block.len()), vec![0; block.len()]);
                // SAFETY: live; not used any more.
                unsafe { handle.deallocate(block.cast(), small) };

                // The handle's own alignment can make a layout impossible.
                let page = Allocator::new(&audit).with_alignment(Alignment::constant::<4096>());
                assert!(page.allocate(layout(isize::MAX.unsigned_abs() - 7, 8)).is_err());
                assert_eq!(audit.live(), 0);
            }
        }
    };
}

tests_for!(v02, allocator_api2);
tests_for!(v04, allocator_api2_04);
#[cfg(core_allocator)]
tests_for!(of_core, core);
