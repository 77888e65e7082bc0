//! Strategies with operations of their own, each beside the shadow of its property tests.

use stratalloc_resource::FromGlobal;
use stratalloc_strategies::compacting_pool::CompactingPool;
use stratalloc_strategies::fiber_stacks::{FiberStacks, FiberStacksConfig, GiveBack, Guards};
use stratalloc_strategies::tlsf::Tlsf;

use crate::input::Input;
use crate::support::memory;
use crate::{compacting, fibers, replicas, settle};

/// Values of three sizes, in chunks of any size, over memory that runs out or does not; compacted at any moment, some of them pinned.
pub fn compacting_pool(data: &[u8]) {
    let mut input = Input::new(data);
    let (shape, len) = (input.number(0..3), input.number(0..40_000));
    let cells = u32::try_from(input.number(0..40)).unwrap_or(1);
    // Several values at once and few steps at a time: short inputs fill chunks, and stop in the middle of one.
    let ops = input.steps(|input| match input.number(0..24) {
        0..=5 => vec![compacting::Op::Insert; input.number(1..17)],
        6..=10 => vec![compacting::Op::Remove(input.index())],
        11..=12 => vec![compacting::Op::RemoveMany(input.number(2..6))],
        13 => vec![compacting::Op::Get(input.index())],
        14..=15 => vec![compacting::Op::Pin(input.index())],
        16 => vec![compacting::Op::Unpin(input.index())],
        17..=22 => vec![compacting::Op::Compact(input.number(0..8))],
        _ => vec![compacting::Op::Stale(input.index())],
    });
    let ops = ops.concat();
    let system = FromGlobal::new(&std::alloc::System);
    match shape {
        0 => settle(compacting::run::<0, _>(CompactingPool::new(system).with_chunk_cells(cells), &ops)),
        1 => settle(compacting::run::<200, _>(CompactingPool::new(system).with_chunk_cells(cells), &ops)),
        _ => {
            let mut bytes = memory(len);
            let heap: Result<Tlsf<'_>, _> = Tlsf::over(&mut bytes);
            let Ok(heap) = heap else { return };
            settle(compacting::run::<5, _>(CompactingPool::new(&heap).with_chunk_cells(cells), &ops));
            assert_eq!(heap.usage().used, 0, "chunks are left");
        }
    }
}

/// Any classes and guards, with and without a cache, by owner and by address.
pub fn fiber_stacks(data: &[u8]) {
    const PAGE: usize = 4096;
    let mut input = Input::new(data);
    let guards = if input.flag() { Guards::Automatic } else { Guards::Mappings };
    let when = [GiveBack::Never, GiveBack::WhenShared, GiveBack::Always][input.number(0..3)];
    let mut config = FiberStacksConfig::new()
        .with_guards(guards)
        .with_guard_bytes(input.number(0..20_000))
        .with_give_back(when, input.number(0..40_000));
    let mut size = 0;
    for _ in 0..input.number(1..5) {
        size += input.number(1..20_000).next_multiple_of(PAGE);
        config = config.with_class(size, input.number(1..12));
    }
    let steps = input.steps(|input| match input.number(0..14) {
        0..=4 => fibers::Step::Get { size: input.number(0..100_000), cached: input.flag() },
        5..=8 => fibers::Step::Return { index: input.index(), way: [0, 1, 2][input.number(0..3)] },
        9..=10 => fibers::Step::Touch { index: input.index(), depth: input.number(0..100_000) },
        11 => fibers::Step::Collect,
        12 => fibers::Step::ReturnAll,
        _ => fibers::Step::DropCache,
    });
    let stacks = FiberStacks::new(config).expect("classes that ascend");
    settle(fibers::play(&stacks, &steps));
}

/// Any number of places, of which fewer have a copy; guards held across publications. One thread (a model of loom has the others).
pub fn replicated(data: &[u8]) {
    let mut input = Input::new(data);
    let (room, places) = (input.number(0..3), input.number(0..7));
    let ops = input.steps(|input| match input.number(0..11) {
        0..=3 => replicas::Op::Read { place: input.number(0..20) },
        4..=6 => replicas::Op::Release { guard: input.index() },
        7..=9 => replicas::Op::Publish,
        _ => replicas::Op::Reclaim,
    });
    settle(match room {
        0 => replicas::run::<16>(places, &ops),
        1 => replicas::run::<3>(places, &ops),
        _ => replicas::run::<1>(places, &ops),
    });
}
