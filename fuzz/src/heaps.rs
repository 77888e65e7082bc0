//! Blocks of any size: `Tlsf`, `Buddy`, `System`.

use stratalloc_resource::Collect;
use stratalloc_strategies::buddy::Buddy;
use stratalloc_strategies::system::System;
use stratalloc_strategies::tlsf::{GrowingTlsf, Tlsf};

use crate::alone::Alone;
use crate::input::Input;
use crate::support::{Op, memory};
use crate::{plain, run, settle};

/// Several geometries over any buffer, or growing from another one.
pub fn tlsf(data: &[u8]) {
    let mut input = Input::new(data);
    let (shape, chunk) = (input.number(0..6), input.number(100..20_000));
    let (offset, len) = (input.number(0..40), input.number(0..100_000));
    let ops = input.ops(20_000);
    match shape {
        0 => fixed_tlsf::<24, 32>(offset, len, &ops),
        1 => fixed_tlsf::<1, 2>(offset, len, &ops),
        2 => fixed_tlsf::<3, 4>(offset, len, &ops),
        3 => fixed_tlsf::<8, 8>(offset, len, &ops),
        4 => fixed_tlsf::<12, 16>(offset, len, &ops),
        _ => growing_tlsf(chunk, len, &ops),
    }
}

fn fixed_tlsf<const FLI: usize, const SLI: usize>(offset: usize, len: usize, ops: &[Op]) {
    let mut bytes = memory(offset + len);
    if let Ok(heap) = Tlsf::<'_, FLI, SLI>::over(&mut bytes[offset..]) {
        settle(run(&heap, ops, plain));
        assert_eq!(heap.usage().live_blocks, 0);
    }
}

fn growing_tlsf(chunk: usize, len: usize, ops: &[Op]) {
    let mut bytes = memory(len);
    let upstream: Tlsf<'_> = Tlsf::new();
    let _ = upstream.add_pool(&mut bytes);
    if let Ok(heap) = GrowingTlsf::<_, 16, 16>::new(&upstream, chunk) {
        settle(run(&heap, ops, |_, _| {
            heap.collect();
            Ok(())
        }));
    }
    assert_eq!(upstream.usage().live_blocks, 0, "pools are left");
}

/// Several geometries over any range.
pub fn buddy(data: &[u8]) {
    let mut input = Input::new(data);
    let (shape, offset, len) = (input.number(0..5), input.number(0..300), input.number(0..100_000));
    let ops = input.ops(20_000);
    match shape {
        0 => in_buddy::<26, 64>(offset, len, &ops),
        1 => in_buddy::<1, 16>(offset, len, &ops),
        2 => in_buddy::<5, 16>(offset, len, &ops),
        3 => in_buddy::<4, 1024>(offset, len, &ops),
        _ => in_buddy::<12, 32>(offset, len, &ops),
    }
}

fn in_buddy<const ORDERS: usize, const MIN: usize>(offset: usize, len: usize, ops: &[Op]) {
    let mut bytes = memory(offset + len);
    if let Ok(buddy) = Buddy::<'_, ORDERS, MIN>::over(&mut bytes[offset..]) {
        settle(run(&buddy, ops, plain));
        assert_eq!(buddy.usage().used, 0);
    }
}

/// Pages of the system.
pub fn system(data: &[u8]) {
    let ops = Input::new(data).ops(200_000);
    settle(run(&Alone::new(&System, &|| Ok(())), &ops, plain));
}
