//! Resources that map their memory themselves: a frame in a reserved range, `Partition`, `NodePages`, `HugePageArena`.

use core::alloc::Layout;

use proptest::prelude::*;
use stratalloc_resource::{Alignment, Collect, MemoryBlock, MemoryResource, Owns, Validate};
use stratalloc_strategies::frame::{Chunks, Frame};
use stratalloc_strategies::huge_page::{HugePageArena, HugePageConfig};
use stratalloc_strategies::node_pages::NodePages;
use stratalloc_strategies::partition::{Partition, PartitionConfig, PartitionRange};
use stratalloc_strategies::reserved::ReservedRange;
use stratalloc_strategies::slab::SlabConfig;

use crate::alone::Alone;
use crate::input::Input;
use crate::support::Op;
use crate::{plain, run, run_beside, settle};

/// A range by itself, and a frame that grows in one.
pub fn reserved(data: &[u8]) {
    let mut input = Input::new(data);
    let (framed, bytes) = (input.flag(), input.number(1..400_000));
    let ops = input.ops(40_000);
    let Ok(range) = ReservedRange::new(bytes) else { return };
    if framed {
        let mut frame: Frame<'_, Chunks<512, 4096>, _> = Frame::growing(range);
        settle(run(&frame, &ops, plain));
        frame.reset();
        frame.collect();
        assert!(frame.upstream().is_empty(), "chunks are left");
        frame.upstream().collect();
        assert_eq!(frame.upstream().committed(), 0);
    } else {
        settle(collected(&range, &ops));
        assert!(range.is_empty(), "blocks are left");
    }
}

/// Pages, blocks of any size and of one, with and without guards, collected now and then.
pub fn partition(data: &[u8]) {
    let mut input = Input::new(data);
    let shape = input.number(0..3);
    let config = PartitionConfig::new(input.number(1..2_000_000)).with_guards(input.number(0..3));
    match shape {
        0 => {
            let Ok(range) = PartitionRange::new(config) else { return };
            settle(run(&range, &input.ops(40_000), plain));
            assert_eq!(range.committed(), 0, "pages are left");
        }
        1 => {
            let Ok(partition) = Partition::general(config) else { return };
            settle(collected(&partition, &input.ops(40_000)));
        }
        _ => {
            let align = Alignment::new(1 << input.number(0..9)).expect("a power of two");
            let blocks = SlabConfig::new(input.number(0..300), align);
            let Ok(partition) = Partition::of_blocks(config, blocks) else { return };
            settle(collected(&partition, &input.ops(300)));
        }
    }
}

fn collected<R: MemoryResource + Owns + Validate + Collect>(
    resource: &R,
    ops: &[Op],
) -> Result<(), TestCaseError> {
    run(resource, ops, |_, _| {
        resource.collect();
        Ok(())
    })
}

/// Pages of the first node, and of all by turns.
pub fn node_pages(data: &[u8]) {
    let mut input = Input::new(data);
    let pages = if input.flag() { NodePages::interleaved() } else { NodePages::on(0) };
    let Ok(pages) = pages else { return };
    settle(run(&Alone::new(&pages, &|| Ok(())), &input.ops(200_000), plain));
}

/// Any length and any kinds of pages; the whole memory is free again after a reset.
pub fn huge_page(data: &[u8]) {
    let mut input = Input::new(data);
    let bytes = input.number(1..6_000_000);
    let config = HugePageConfig::new(bytes);
    let config = if input.flag() { config.without_explicit() } else { config };
    let config = if input.flag() { config.without_transparent() } else { config };
    let config = if input.flag() { config.populated() } else { config };
    let config = if input.flag() { config.with_gigantic() } else { config };
    let Ok(mut arena) = HugePageArena::new(config) else { return };
    let inside = |arena: &HugePageArena, block: MemoryBlock| {
        let memory = arena.pages().memory();
        block.address() >= memory.address() && block.end_address() <= memory.end_address()
    };
    settle(run_beside(&arena, &input.ops(200_000), plain, |shadow| {
        prop_assert!(shadow.blocks().all(|live| inside(&arena, live.block)), "a block outside");
        Ok(())
    }));
    arena.reset();
    assert_eq!(arena.used(), 0);
    let whole = Layout::from_size_align(bytes, 1).expect("six million bytes");
    let block = arena.allocate(whole).expect("empty, and as long as it was asked to be");
    // SAFETY: live.
    unsafe { arena.deallocate(block, Alignment::ONE) };
}
