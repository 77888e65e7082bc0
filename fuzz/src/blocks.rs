//! Blocks of one size, and the pools of `MemPool`.

use proptest::prelude::*;
use stratalloc_resource::{Alignment, Collect, MemoryResource, Validate};
use stratalloc_strategies::lock_free_pool::LockFreePool;
use stratalloc_strategies::mem_pool::MemPool;
use stratalloc_strategies::pool::{Pool, PoolConfig};
use stratalloc_strategies::slab::{Slab, SlabConfig};
use stratalloc_strategies::tlsf::Tlsf;

use crate::alone::Alone;
use crate::input::Input;
use crate::support::{Op, memory};
use crate::{plain, run, settle};

/// An alignment up to 256.
fn alignment(input: &mut Input<'_>) -> Alignment {
    Alignment::new(1 << input.number(0..9)).expect("a power of two")
}

/// Any block size, over any buffer or growing; some releases go through the remote handle.
pub fn pool(data: &[u8]) {
    let mut input = Input::new(data);
    let config = PoolConfig::new(input.number(0..300), alignment(&mut input))
        .with_chunk_blocks(input.number(0..20))
        .with_max_blocks(input.number(0..80));
    let (growing, offset, len) = (input.flag(), input.number(0..70), input.number(0..30_000));
    let ops = input.ops(300);
    let mut bytes = memory(offset + len);
    if growing {
        let upstream: Tlsf<'_> = Tlsf::new();
        let _ = upstream.add_pool(&mut bytes);
        if let Ok(pool) = Pool::growing(config, &upstream) {
            in_pool(&pool, &ops);
        }
        assert_eq!(upstream.usage().live_blocks, 0, "chunks are left");
    } else if let Ok(pool) = Pool::over(config, &mut bytes[offset..]) {
        in_pool(&pool, &ops);
    }
}

fn in_pool<U: MemoryResource>(pool: &Pool<'_, U>, ops: &[Op]) {
    settle(run(pool, ops, |shadow, choice| {
        if let Some(block) = shadow.remove(choice)? {
            // SAFETY: live, and the shadow has forgotten it.
            unsafe { pool.remote().deallocate(block, pool.align()) };
        }
        prop_assert_eq!(pool.usage().live, shadow.len());
        Ok(())
    }));
}

/// Any block size and count, by one thread (loom's models have the others).
pub fn lock_free_pool(data: &[u8]) {
    let mut input = Input::new(data);
    let config =
        PoolConfig::new(input.number(0..300), alignment(&mut input)).with_max_blocks(input.number(0..80));
    let (offset, len) = (input.number(0..70), input.number(0..30_000));
    let ops = input.ops(300);
    let mut bytes = memory(offset + len);
    if let Ok(pool) = LockFreePool::over(config, &mut bytes[offset..]) {
        settle(run(&pool, &ops, plain));
    }
}

/// Any geometry, over any buffer or growing, reaped now and then.
pub fn slab(data: &[u8]) {
    let mut input = Input::new(data);
    let config = SlabConfig::new(input.number(0..300), alignment(&mut input))
        .with_slab_bytes(input.number(0..3000))
        .with_max_slabs(input.number(0..80));
    let (growing, offset, len) = (input.flag(), input.number(0..70), input.number(0..30_000));
    let ops = input.ops(300);
    let mut bytes = memory(offset + len);
    if growing {
        let upstream: Tlsf<'_> = Tlsf::new();
        let _ = upstream.add_pool(&mut bytes);
        if let Ok(slab) = Slab::growing(config, &upstream) {
            in_slab(&slab, &ops);
        }
        assert_eq!(upstream.usage().live_blocks, 0, "slabs are left");
    } else if let Ok(slab) = Slab::over(config, &mut bytes[offset..]) {
        in_slab(&slab, &ops);
    }
}

fn in_slab<U: MemoryResource>(slab: &Slab<'_, U>, ops: &[Op]) {
    settle(run(slab, ops, |shadow, _| {
        slab.collect();
        prop_assert_eq!(slab.usage().live, shadow.len());
        Ok(())
    }));
}

/// Default and small classes, over an upstream that may run dry.
pub fn mem_pool(data: &[u8]) {
    let mut input = Input::new(data);
    let (narrow, len) = (input.flag(), input.number(3000..300_000));
    let ops = input.ops(20_000);
    let mut bytes = memory(len);
    let upstream: Tlsf<'_> = Tlsf::over(&mut bytes).expect("3000 bytes are enough");
    if narrow {
        if let Ok(pool) = MemPool::<_, 32, 256, 1024, 512>::new(&upstream) {
            settle(run(&Alone::new(&pool, &|| pool.validate()), &ops, plain));
        }
    } else if let Ok(pool) = MemPool::<_>::new(&upstream) {
        settle(run(&Alone::new(&pool, &|| pool.validate()), &ops, plain));
    }
    assert_eq!(upstream.usage().live_blocks, 0, "chunks are left");
}
