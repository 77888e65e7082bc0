//! The bits of a checked lock-free pool: one for each block, and not many more.

use core::alloc::Layout;

use stratalloc_resource::abi::{ErrorCode, ResourceV1};
use stratalloc_resource::{Alignment, MemoryResource};
use stratalloc_strategies::lock_free_pool::LockFreePool;
use stratalloc_strategies::pool::PoolConfig;

use super::{KINDS, memory};
use crate::config::{CHECKED, RawConfig};

/// A bit for each block that there is room for, however much longer alignment makes it than what was asked for.
#[test]
fn bits_are_as_many_as_blocks() {
    const ALIGN: usize = 4096;
    let mut memory = memory(64 * ALIGN);
    for size in [1, ALIGN / 2, ALIGN, ALIGN + 1] {
        let config =
            RawConfig { flags: CHECKED, block_size: size, block_align: ALIGN, ..KINDS[3].over(&mut memory) };
        let checked = KINDS[3].make(&config).foreign().info().capacity;
        let blocks = PoolConfig::new(size, Alignment::new(ALIGN).unwrap());
        let plain = LockFreePool::over(blocks, &mut memory).unwrap();
        // The resource itself and a hundred bits take no more than the padding of two blocks.
        let least = plain.info().capacity.map(|bytes| bytes - 2 * plain.block_len());
        assert!(
            checked >= least,
            "blocks of {size}: {checked:?} bytes, without bits {least:?} and two blocks"
        );
    }
}

/// Also blocks that are shorter than a word, and the last one.
#[test]
fn each_block_has_a_bit() {
    let mut memory = memory(2048);
    for (size, align) in [(1, 1), (3, 1), (5, 4), (20, 16), (1, 64)] {
        let config =
            RawConfig { flags: CHECKED, block_size: size, block_align: align, ..KINDS[3].over(&mut memory) };
        let made = KINDS[3].make(&config);
        let foreign = made.foreign();
        let layout = Layout::from_size_align(size, align).unwrap();
        let blocks: Vec<_> = core::iter::from_fn(|| foreign.allocate(layout).ok()).collect();
        assert!(!blocks.is_empty());
        // SAFETY: made by this library.
        let release = unsafe { ResourceV1::of(made.raw) }.unwrap().release.unwrap();
        for code in [ErrorCode::OK, ErrorCode::DOUBLE_RELEASE] {
            for block in &blocks {
                // SAFETY: live, and the second time to be refused, which is what is tested.
                let said = unsafe { release(made.raw.as_ptr(), block.as_ptr(), size, align) };
                assert_eq!(said, code, "block {:#x} of {size} bytes", block.address());
            }
        }
    }
}
