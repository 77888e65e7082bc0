//! Memory that nobody else gets: `Partition` beside the heaps of mimalloc, which have pages of their own, and beside plain `malloc`.

use core::alloc::Layout;

use stratalloc_resource::Alignment;
use stratalloc_strategies::partition::{Partition, PartitionConfig};
use stratalloc_strategies::slab::SlabConfig;

use super::Case;
use super::heaps::in_replacements;
use crate::heap::{Blocks, C, Heap, MimallocHeap, Stratalloc};
use crate::shapes::Mix;

const SESSION: usize = 96;

fn config() -> PartitionConfig {
    PartitionConfig::new(256 << 20).with_guards(1)
}

fn general() -> impl Heap {
    Stratalloc(Partition::general(config()).expect("addresses"))
}

fn of_blocks() -> impl Heap {
    let slab = SlabConfig::new(SESSION, Alignment::of::<usize>());
    Blocks(Partition::of_blocks(config(), slab).expect("addresses"))
}

pub(super) fn cases() -> Vec<Case> {
    let mix = || Mix::of_sizes(10_000, 16, 4096).shuffled();
    let sessions = || {
        let layout = Layout::from_size_align(SESSION, align_of::<usize>()).expect("small");
        Mix::of_one(10_000, layout).shuffled()
    };
    vec![
        Case::new(
            "partition-replace",
            "10 000 live blocks of a subsystem, 16 to 4096 bytes, in a range of their own; a random one replaced",
            1_000_000,
        )
        .ours("Partition", move |n| in_replacements(general(), mix(), n))
        .peer("mimalloc's mi_heap", move |n| in_replacements(MimallocHeap::new(), mix(), n))
        .peer("glibc, not apart", move |n| in_replacements(C, mix(), n)),
        Case::new(
            "partition-blocks",
            "10 000 live sessions of 96 bytes in a range of their own, a random one replaced",
            1_000_000,
        )
        .ours("Partition of blocks", move |n| in_replacements(of_blocks(), sessions(), n))
        .peer("mimalloc's mi_heap", move |n| in_replacements(MimallocHeap::new(), sessions(), n))
        .peer("glibc, not apart", move |n| in_replacements(C, sessions(), n)),
    ]
}
