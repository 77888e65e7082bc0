//! Blocks of more than 4 and up to 32 KiB, which share slabs whatever their sizes are: resizing in place, reuse across sizes, misuse.
//!
//! Not covered here: generated operations (`properties.rs`), blocks of other threads (`threads.rs`), edges of sizes (`edges.rs`).

mod support;

use proptest::prelude::*;
use stratalloc_heap::{
    allocate, allocate_aligned, collect, deallocate, reallocate, reallocate_aligned, usable_size, validate,
};
use stratalloc_resource::conformance;
use support::{Block, Random, alone, statistics_now};

const KIB: usize = 1 << 10;

fn block(size: usize) -> Block {
    let block = Block::new(allocate(size), size, 5);
    block.fill();
    block
}

fn usable(block: &Block) -> usize {
    // SAFETY: live.
    unsafe { usable_size(block.ptr()) }
}

/// As a sibling of the block's slab sees it: where a block lies in its 64 KiB.
fn place(ptr: *mut u8) -> usize {
    ptr.addr() % (64 * KIB)
}

#[test]
fn a_block_grows_into_what_its_neighbour_left_and_gives_it_back() {
    let _alone = alone();
    collect();
    // Neighbours in one slab: the first empty one is cut from its lower end.
    let [first, second, third] = [(); 3].map(|()| allocate(8 * KIB));
    assert_eq!((place(second), place(third)), (place(first) + 8 * KIB, place(first) + 16 * KIB));
    // SAFETY: 8 KiB, live.
    unsafe { first.write_bytes(7, 8 * KIB) };
    // SAFETY: live; it waits in its bin, so another block has to follow before it is really free.
    unsafe { deallocate(second) };
    // SAFETY: live.
    unsafe { deallocate(third) };
    // SAFETY: live, and the result replaces it.
    let grown = unsafe { reallocate(first, 15 * KIB) };
    assert_eq!(grown, first, "there is room behind it");
    // SAFETY: live.
    let usable = unsafe { usable_size(grown) };
    assert_eq!(usable, 16 * KIB, "nothing fits into the last KiB, so the block has it");
    // SAFETY: 16 KiB, live; at least the first 8 were written.
    let kept = unsafe { core::slice::from_raw_parts(grown, 8 * KIB) };
    assert!(kept.iter().all(|byte| *byte == 7));
    // SAFETY: live, and the result replaces it.
    let shrunk = unsafe { reallocate(grown, 5 * KIB) };
    assert_eq!(shrunk, first);
    // SAFETY: live.
    assert_eq!(unsafe { usable_size(shrunk) }, 5 * KIB);
    let behind = allocate(11 * KIB);
    assert_eq!(place(behind), place(first) + 5 * KIB, "what it gave back is the lowest place that fits");
    for block in [shrunk, behind] {
        // SAFETY: live.
        unsafe { deallocate(block) };
    }
    assert_eq!(validate(), Ok(()));
}

#[test]
fn every_size_reuses_the_memory_of_every_other() {
    let _alone = alone();
    collect();
    let before = statistics_now();
    let (mut random, mut live) = (Random(0x5eed), Vec::new());
    let mut most = 0;
    for _ in 0..support::rounds(40_000) {
        let size = 4 * KIB + 1 + random.below(28 * KIB);
        live.push(block(size));
        while live.iter().map(Block::size).sum::<usize>() > 1 << 20 {
            let at = random.below(live.len());
            live.swap_remove(at).free();
        }
        most = most.max(statistics_now().in_use_bytes - before.in_use_bytes);
    }
    assert_eq!(validate(), Ok(()));
    // With a slab for each of 28 sizes it would be 1.7 MiB more.
    assert!(most < 1600 << 10, "{most} bytes for at most 1 MiB");
    live.into_iter().for_each(Block::free);
    collect();
    assert_eq!(statistics_now().in_use_bytes, before.in_use_bytes);
}

#[test]
fn statistics_know_the_sizes() {
    let _alone = alone();
    let of = |size: u32| {
        let now = statistics_now();
        let class = now.classes.iter().find(|class| class.size == size).copied().expect("a class");
        (class.allocations, class.live)
    };
    let sizes = [5 * KIB, 9 * KIB, 20 * KIB, 32 * KIB];
    let before = sizes.map(|size| of(u32::try_from(size).expect("small")));
    let blocks: Vec<Block> = sizes.iter().flat_map(|size| (0..10).map(|_| block(*size))).collect();
    for (size, (made, live)) in sizes.iter().zip(before) {
        let exact = blocks.iter().filter(|block| usable(block) == *size).count() as u64;
        let now = of(u32::try_from(*size).expect("small"));
        assert_eq!(now, (made + exact, live + exact), "{size}");
    }
    blocks.into_iter().for_each(Block::free);
    assert_eq!(sizes.map(|size| of(u32::try_from(size).expect("small")).1), before.map(|(_, live)| live));
}

#[test]
fn alignments_are_kept_beside_any_neighbours() {
    let _alone = alone();
    let mut random = Random(11);
    let mut live: Vec<Block> = Vec::new();
    for _ in 0..support::rounds(4_000) {
        let (size, align) = (random.below(32 * KIB) + 1, 1 << random.below(16));
        let ptr = allocate_aligned(size, align);
        assert!(ptr.addr().is_multiple_of(align), "{size} bytes at {align}: {ptr:p}");
        let block = Block::new(ptr, size, 9);
        block.fill();
        live.push(block);
        if live.len() > 60 {
            let at = random.below(live.len());
            live.swap_remove(at).free();
        }
    }
    live.into_iter().for_each(Block::free);
    assert_eq!(validate(), Ok(()));
}

/// What a slab has left is too little for any block, but the one before it grows by just that.
#[test]
fn a_block_grows_into_the_last_rest_of_a_full_slab() {
    let _alone = alone();
    collect();
    let first = allocate(5 * KIB);
    // Three units stay between them.
    let second = allocate_aligned(8 * KIB, 8 * KIB);
    // This memory goes out twice, so the slab will be no orphan.
    let third = allocate(32 * KIB);
    // SAFETY: live.
    unsafe { deallocate(third) };
    let (third, fourth) = (allocate(32 * KIB), allocate(16 * KIB));
    assert_eq!((place(second), place(fourth)), (place(first) + 8 * KIB, place(first) + 48 * KIB));
    // Whoever asks now finds that nothing fits any more.
    let other = allocate(5 * KIB);
    // SAFETY: live, and the result replaces it.
    let grown = unsafe { reallocate(first, 8 * KIB) };
    assert_eq!((grown, validate()), (first, Ok(())));
    for block in [grown, second, third, fourth, other] {
        // SAFETY: live.
        unsafe { deallocate(block) };
    }
    assert_eq!(validate(), Ok(()));
}

#[test]
fn holes_that_aligned_blocks_leave_are_found_again() {
    for (size, align) in
        [(8 * KIB, 4 * KIB), (16 * KIB, 16 * KIB), (5 * KIB, 4 * KIB), (100, 8 * KIB), (32 * KIB, 4 * KIB)]
    {
        let _alone = alone();
        collect();
        let blocks: Vec<*mut u8> = (0..512).map(|_| allocate_aligned(size, align)).collect();
        let before = statistics_now().in_use_bytes;
        for block in blocks.iter().step_by(2) {
            // SAFETY: live.
            unsafe { deallocate(*block) };
        }
        let again: Vec<*mut u8> = (0..256).map(|_| allocate_aligned(size, align)).collect();
        let after = statistics_now().in_use_bytes;
        for block in blocks.iter().skip(1).step_by(2).chain(&again) {
            // SAFETY: live.
            unsafe { deallocate(*block) };
        }
        assert!(after <= before + 2 * 65_536, "{size} at {align}: {before} bytes in use, then {after}");
    }
}

#[test]
fn a_resized_block_counts_with_its_new_size() {
    let _alone = alone();
    collect();
    let before = statistics_now().small;
    let block = allocate(7 * KIB);
    // SAFETY: live, and the result replaces it.
    let grown = unsafe { reallocate(block, 9 * KIB) };
    let now = statistics_now().small;
    assert_eq!((grown, now.live_bytes - before.live_bytes), (block, 9 * KIB as u64));
    // SAFETY: live.
    unsafe { deallocate(grown) };
    let after = statistics_now().small;
    assert_eq!((after.live_bytes, after.allocations), (before.live_bytes, now.allocations));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: conformance::cases(60), failure_persistence: None, ..ProptestConfig::default()
    })]

    /// Blocks around and above the sizes of mixed slabs, at any alignment, grown and shrunk, some freed as by a thread without a heap; the heap's
    /// equations after each step.
    #[test]
    fn any_operations_keep_the_equations(
        ops in proptest::collection::vec((0..4_u8, 0..38 * KIB, 0..16_u32, any::<usize>()), 1..200),
    ) {
        let _alone = alone();
        let mut live: Vec<(Block, usize)> = Vec::new();
        for (what, size, align, which) in ops {
            let at = which % live.len().max(1);
            match what {
                0 if !live.is_empty() => live.swap_remove(at).0.free(),
                1 if !live.is_empty() => {
                    let (block, align) = live.swap_remove(at);
                    let size = size.max(1);
                    block.check();
                    // SAFETY: live, and the result replaces it.
                    let ptr = unsafe { reallocate_aligned(block.ptr(), size, align) };
                    prop_assert!(ptr.addr().is_multiple_of(align));
                    let resized = Block::new(ptr, size, 9);
                    resized.fill();
                    live.push((resized, align));
                }
                _ => {
                    let align = if what == 2 { 1 } else { 1 << align };
                    let ptr = allocate_aligned(size, align);
                    prop_assert!(ptr.addr().is_multiple_of(align));
                    let block = Block::new(ptr, size, 9);
                    block.fill();
                    live.push((block, align));
                }
            }
            prop_assert_eq!(validate(), Ok(()));
        }
        live.into_iter().for_each(|(block, _)| block.free());
        prop_assert_eq!(validate(), Ok(()));
    }
}

/// Broken contracts that the fast build happens to bear: the heap stays whole, and no block is handed out twice.
#[test]
#[cfg(not(miri))]
fn a_block_that_is_freed_twice_is_free_once() {
    let _alone = alone();
    let others: Vec<Block> = (0..6).map(|_| block(7 * KIB)).collect();
    for wait in [false, true] {
        let (twice, other) = (allocate(9 * KIB), allocate(6 * KIB));
        // SAFETY: live.
        unsafe { deallocate(twice) };
        if wait {
            // Now the first does not wait in its bin any more, but is part of the slab's free units.
            // SAFETY: live.
            unsafe { deallocate(other) };
        }
        // SAFETY: not given; this is what the test is about. The memory is mapped.
        unsafe { deallocate(twice) };
        let mut more: Vec<*mut u8> = (0..20).map(|_| allocate(9 * KIB)).collect();
        more.sort_unstable();
        let before = more.len();
        more.dedup();
        assert_eq!(more.len(), before, "a block was handed out twice");
        assert_eq!(validate(), Ok(()));
        let last = if wait { core::ptr::null_mut() } else { other };
        for block in more.into_iter().chain([last]) {
            // SAFETY: live, or null.
            unsafe { deallocate(block) };
        }
    }
    others.into_iter().for_each(Block::free);
    assert_eq!(validate(), Ok(()));
}
