//! Every edge between classes and domains, extreme sizes and alignments, reallocation in place, zeroed memory after dirty reuse.
#![allow(missing_docs, clippy::std_instead_of_alloc, reason = "a test, with std")]

mod support;

use std::collections::BTreeSet;

use stratalloc_heap::{
    allocate, allocate_aligned, allocate_aligned_zeroed, allocate_zeroed, collect, deallocate,
    deallocate_sized, good_size, owns, reallocate, reallocate_aligned, reallocate_sized, usable_size,
    validate,
};
use support::{Block, MIB, alone, statistics_now};

const GIB: usize = 1 << 30;
/// Where domains end: slabs, runs, medium, large.
const DOMAINS: [usize; 4] = [32 << 10, MIB, 512 * MIB, GIB];

/// Every class size, every domain's end, and one byte to both sides.
fn edges() -> BTreeSet<usize> {
    let classes = statistics_now().classes.map(|class| class.size as usize);
    classes
        .into_iter()
        .chain(DOMAINS)
        .chain([4096, 65_536, 2 * MIB, 3 * MIB])
        .flat_map(|edge| [edge.saturating_sub(1), edge, edge + 1])
        .filter(|size| !cfg!(miri) || *size < 2 * MIB)
        .collect()
}

fn make(ptr: *mut u8, size: usize) -> Block {
    let block = Block::new(ptr, size, 7);
    block.fill();
    block
}

#[test]
fn every_edge_is_served_with_its_good_size() {
    let _alone = alone();
    assert!(edges().len() > 250, "{}", edges().len());
    for size in edges() {
        let block = make(allocate(size), size);
        // SAFETY: the block is live.
        let usable = unsafe { usable_size(block.ptr()) };
        // The first blocks of a class may come from one that is a quarter larger; above 4 KiB a block has the rest behind it into which no other
        // fits.
        let good = good_size(size);
        let more = if (4097..=32 << 10).contains(&size) { 4 << 10 } else { good / 4 };
        assert!((good..=good + more).contains(&usable), "{size}: {usable} bytes, {good} expected");
        assert_eq!(good_size(good), good, "{size}: a good size is its own good size");
        assert_eq!(block.ptr().addr() % 16, 0, "{size}");
        assert!(owns(block.ptr()));
        // All of it may be written.
        bytes(block.ptr(), usable)[usable - 1] = 1;
        // SAFETY: as above; nobody looks at the pattern any more.
        unsafe { deallocate(block.ptr()) };
        let zeroed = allocate_zeroed(size);
        let zeroed = Block::new(zeroed, size, 1);
        zeroed.check_zero();
        zeroed.fill();
        zeroed.free();
    }
    assert_eq!(validate(), Ok(()));
}

#[test]
fn good_sizes_grow_with_the_request() {
    let mut last = 0;
    for size in edges() {
        let good = good_size(size);
        assert!(good >= size && good >= last && good >= 16, "{size}: {good} after {last}");
        last = good;
    }
    for size in [usize::MAX, usize::MAX - 1, isize::MAX as usize] {
        assert!(good_size(size) >= size);
    }
}

#[test]
fn impossible_sizes_are_refused() {
    let _alone = alone();
    let most = isize::MAX as usize;
    let kept = make(allocate(100), 100);
    for size in [most - 4096, most - 1, most, most + 1, usize::MAX - 4096, usize::MAX - 1, usize::MAX] {
        assert!(allocate(size).is_null(), "{size}");
        assert!(allocate_zeroed(size).is_null(), "{size}");
        for align in
            [1, 16, 64, 4096, 1 << 16, 1 << 20, 1 << 30, 1 << (usize::BITS - 2), 1 << (usize::BITS - 1)]
        {
            assert!(allocate_aligned(size, align).is_null(), "{size} at {align}");
            assert!(allocate_aligned_zeroed(size, align).is_null(), "{size} at {align}");
        }
        // SAFETY: the block is live; a refused reallocation leaves it.
        assert!(unsafe { reallocate(kept.ptr(), size) }.is_null(), "{size}");
        // SAFETY: as above.
        assert!(unsafe { reallocate_aligned(kept.ptr(), size, 4096) }.is_null(), "{size}");
    }
    for size in [0, 1, 4096, 3 * MIB] {
        assert!(allocate_aligned(size, 1 << (usize::BITS - 1)).is_null());
        // A quarter of the addresses is too much to ask for in 64 bits, but not in 32.
        if cfg!(target_pointer_width = "64") {
            assert!(allocate_aligned(size, 1 << (usize::BITS - 2)).is_null());
        }
    }
    kept.free();
    // SAFETY: null is no block.
    unsafe { deallocate(core::ptr::null_mut()) };
    assert_eq!(validate(), Ok(()));
}

#[test]
fn nothing_is_the_smallest_block() {
    let _alone = alone();
    for align in (0..20).map(|log2| 1usize << log2) {
        let (first, second) = (allocate_aligned(0, align), allocate_aligned(0, align));
        assert!(!first.is_null() && first != second, "{align}");
        assert_eq!(first.addr() % align, 0);
        make(first, 0).free();
        make(second, 0).free();
    }
    // SAFETY: a live block, replaced by what is returned.
    let shrunk = unsafe { reallocate(allocate(5000), 1) };
    make(shrunk, 1).free();
}

#[test]
#[cfg(not(miri))]
fn every_alignment_up_to_a_gibibyte() {
    let _alone = alone();
    for align in (0..=30).map(|log2| 1usize << log2) {
        for size in [1, 17, 1000, 5000, 32 << 10, 40_000, 300_000, MIB + 1] {
            for zeroed in [false, true] {
                let ptr =
                    if zeroed { allocate_aligned_zeroed(size, align) } else { allocate_aligned(size, align) };
                assert!(!ptr.is_null(), "{size} at {align}");
                assert_eq!(ptr.addr() % align, 0, "{size} at {align}");
                let block = Block::new(ptr, size, 3);
                if zeroed {
                    block.check_zero();
                }
                block.fill();
                // Growing and shrinking keep the alignment.
                let mut block = block;
                for next in [size * 3, size / 2 + 1] {
                    // SAFETY: live, and replaced by what is returned.
                    let ptr = unsafe { reallocate_aligned(block.ptr(), next, align) };
                    assert_eq!(ptr.addr() % align, 0, "{size} to {next} at {align}");
                    block = block.resized(ptr, next);
                }
                block.free();
            }
        }
    }
    assert_eq!(validate(), Ok(()));
}

/// Every way between small classes, by size and without: the contents come along, and a block that stayed longer than its size is one like others.
#[test]
fn small_blocks_change_between_all_classes() {
    let _alone = alone();
    let sizes = || {
        (1..=1100)
            .step_by(if cfg!(miri) { 190 } else { 7 })
            .chain([16, 17, 1023, 1024, 1025, 2048, 4096, 4097])
    };
    let change = |block: &Block, size, by_size| {
        if by_size {
            // SAFETY: live, of this size and alignment, and replaced by what is returned.
            unsafe { reallocate_sized(block.ptr(), block.size(), size, 8) }
        } else {
            // SAFETY: live, and replaced by what is returned.
            unsafe { reallocate(block.ptr(), size) }
        }
    };
    for (from, to) in sizes().flat_map(|from| sizes().map(move |to| (from, to))) {
        for by_size in [true, false] {
            let first = make(allocate(from), from);
            let changed = change(&first, to, by_size);
            // The first blocks of a class may be a quarter larger.
            let stays = to <= from && to >= good_size(from) * 5 / 8;
            assert!(!stays || changed == first.ptr(), "{from} to {to}: at least half is used");
            let second = first.resized(changed, to);
            let changed = change(&second, from, by_size);
            let third = second.resized(changed, from);
            third.check();
            // SAFETY: live, and ended here with the size that it was last asked for.
            unsafe { deallocate_sized(third.ptr(), from, 8) };
        }
    }
    assert_eq!(validate(), Ok(()));
}

#[test]
fn runs_and_medium_blocks_grow_in_place_into_free_space() {
    let _alone = alone();
    collect();
    for (small, large) in [(40_000, 200_000), (100_000, 600_000), (2 * MIB, 3 * MIB), (3 * MIB, 7 * MIB)] {
        // The space behind is free, because what had it is gone.
        let whole = make(allocate(large), large);
        let place = whole.ptr();
        // SAFETY: live; shrinking these stays in place.
        let cut = unsafe { reallocate(place, small) };
        assert_eq!(cut, place, "{large} to {small}");
        let cut = whole.resized(cut, small);
        // SAFETY: live, and replaced by what is returned.
        let grown = unsafe { reallocate(cut.ptr(), large) };
        assert_eq!(grown, place, "{small} to {large}");
        cut.resized(grown, large).free();
    }
    assert_eq!(validate(), Ok(()));
}

#[test]
fn blocks_grow_and_shrink_through_all_domains() {
    let _alone = alone();
    let sizes: Vec<usize> = edges().into_iter().filter(|size| *size > 0 && *size <= 4 * MIB).collect();
    let mut block = make(allocate(1), 1);
    // Up one by one; down; then in leaps.
    let leaps = (0..sizes.len()).map(|step| sizes[step * 37 % sizes.len()]);
    for size in sizes.iter().copied().chain(sizes.iter().rev().copied()).chain(leaps) {
        // SAFETY: live, and replaced by what is returned.
        let ptr = unsafe { reallocate(block.ptr(), size) };
        assert!(!ptr.is_null());
        block = block.resized(ptr, size);
    }
    block.free();
    assert_eq!(validate(), Ok(()));
}

#[test]
#[cfg(all(not(miri), target_pointer_width = "64"))]
fn large_blocks_grow_shrink_and_change_domain() {
    let _alone = alone();
    let mut block = make(allocate(100), 100);
    for size in [600 * MIB, 700 * MIB, GIB + 1, 513 * MIB, 2 * MIB, 40_000, 10] {
        // SAFETY: live, and replaced by what is returned.
        let ptr = unsafe { reallocate(block.ptr(), size) };
        assert!(!ptr.is_null());
        block = block.resized(ptr, size);
    }
    block.free();
    collect();
    let now = statistics_now();
    assert_eq!((now.large.live_bytes, now.huge.live_bytes), (0, 0));
}

/// All bytes of a live block.
fn bytes<'block>(ptr: *mut u8, size: usize) -> &'block mut [u8] {
    // SAFETY: the caller holds the block and drops the slice before it frees it.
    unsafe { core::slice::from_raw_parts_mut(ptr, size) }
}

#[test]
fn zeroed_memory_is_zero_after_dirty_reuse() {
    let _alone = alone();
    for size in [16, 100, 1000, 4096, 9000, 32 << 10, 40_000, 200_000, MIB, 2 * MIB + 5, 5 * MIB] {
        for align in [16, 4096, 1 << 17] {
            for purged in [false, true] {
                let dirty: Vec<*mut u8> = (0..4).map(|_| allocate_aligned(size, align)).collect();
                for ptr in dirty {
                    // SAFETY: live.
                    let usable = unsafe { usable_size(ptr) };
                    bytes(ptr, usable).fill(0xaa);
                    // SAFETY: ours, and gone.
                    unsafe { deallocate(ptr) };
                }
                if purged {
                    collect();
                }
                let clean: Vec<*mut u8> = (0..5).map(|_| allocate_aligned_zeroed(size, align)).collect();
                for ptr in clean {
                    let wrong = bytes(ptr, size).iter().position(|byte| *byte != 0);
                    assert_eq!(wrong, None, "{size} at {align}, purged: {purged}");
                    // SAFETY: ours, and gone.
                    unsafe { deallocate(ptr) };
                }
            }
        }
    }
}

/// A medium block whose pages move leaves its old place clean only where pages went: not behind its end, where an earlier block's
/// bytes lie in the same granule.
#[test]
fn zeroed_memory_is_zero_where_moved_pages_were() {
    let _alone = alone();
    for size in [2 * MIB + 0x5000, 2 * MIB + 1, 2 * MIB + 0x3fff, 3 * MIB] {
        let place = allocate(3 * MIB);
        let behind = allocate(2 * MIB);
        bytes(place, 3 * MIB).fill(0xaa);
        // SAFETY: ours, and gone.
        unsafe { deallocate(place) };
        let block = allocate(size);
        assert_eq!(block, place, "the lowest place that fits");
        bytes(block, size).fill(0xbb);
        // SAFETY: live, and replaced.
        let moved = unsafe { reallocate(block, 8 * MIB) };
        assert!(moved != block && bytes(moved, size).iter().all(|byte| *byte == 0xbb));
        let zeroed = allocate_zeroed(3 * MIB);
        assert_eq!(zeroed, place, "the lowest place again");
        let wrong = bytes(zeroed, 3 * MIB).iter().position(|byte| *byte != 0);
        assert_eq!(wrong, None, "{size}");
        for ptr in [behind, moved, zeroed] {
            // SAFETY: ours, and gone.
            unsafe { deallocate(ptr) };
        }
    }
    collect();
    assert_eq!(statistics_now().dirty_bytes, 0, "nothing is free and dirty after collecting");
    assert_eq!(validate(), Ok(()));
}

/// A block whose pages were moved here is mapped afresh when it goes: what was dirty behind its end is clean then, and counted so.
#[test]
fn moved_blocks_keep_the_count_of_dirty_memory() {
    let _alone = alone();
    collect();
    let dirty = allocate(40 * MIB);
    bytes(dirty, 40 * MIB).fill(0xaa);
    // SAFETY: ours, and gone.
    unsafe { deallocate(dirty) };
    let (block, behind) = (make(allocate(2 * MIB), 2 * MIB), allocate(2 * MIB));
    // SAFETY: live, and replaced.
    let moved = unsafe { reallocate(block.ptr(), 8 * MIB + 5) };
    block.resized(moved, 8 * MIB + 5).free();
    // SAFETY: ours, and gone.
    unsafe { deallocate(behind) };
    collect();
    assert_eq!(statistics_now().dirty_bytes, 0, "nothing is free and dirty after collecting");
}

/// What lies dirty between a block's end and the end of its last chunk is nobody's while the block lives: counted as free it would
/// call for a purge, at each growth, that can give nothing back.
#[test]
fn dirty_memory_behind_a_block_does_not_count_as_free() {
    let _alone = alone();
    collect();
    let dirty = allocate(4 * MIB);
    bytes(dirty, 4 * MIB).fill(0xaa);
    // SAFETY: ours, and gone.
    unsafe { deallocate(dirty) };
    assert_eq!(statistics_now().dirty_bytes, 4 * MIB as u64);
    let block = make(allocate(2 * MIB + 1), 2 * MIB + 1);
    assert_eq!(statistics_now().dirty_bytes, MIB as u64, "one chunk is free");
    // SAFETY: live, and replaced.
    let shrunk = unsafe { reallocate(block.ptr(), MIB + 1) };
    let block = block.resized(shrunk, MIB + 1);
    assert_eq!(statistics_now().dirty_bytes, 2 * MIB as u64, "and the one that the block no longer needs");
    collect();
    assert_eq!(statistics_now().dirty_bytes, 0, "nothing is free and dirty while the block lives");
    block.free();
    assert_eq!(statistics_now().dirty_bytes, 2 * MIB as u64, "its own granules and those behind it");
    collect();
    assert_eq!(statistics_now().dirty_bytes, 0, "nor afterwards");
}
