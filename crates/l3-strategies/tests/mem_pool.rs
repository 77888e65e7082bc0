//! Two levels of pools: the kit, classes, large blocks, recovery, threads, generated operations against a shadow map.
//!
//! Not covered here: misuse (`misuse.rs`), all interleavings (`src/models`), timing (`bench/`).
#![cfg(target_has_atomic = "64")]

#[allow(dead_code, reason = "each test crate uses a part of it")]
mod model;
#[allow(dead_code, reason = "each test crate uses a part of it")]
mod support;

extern crate alloc;

use core::alloc::Layout;
use core::sync::atomic::AtomicUsize;
use core::sync::atomic::Ordering::Relaxed;
use std::sync::Barrier;
use std::sync::mpsc::{self, TrySendError};
use std::thread;

use proptest::prelude::*;
use stratalloc_resource::conformance;
use stratalloc_resource::{
    Alignment, AllocError, FromGlobal, MemoryBlock, MemoryResource, ResourceId, ResourceInfo, ThreadSafety,
    Validate,
};
use stratalloc_strategies::mem_pool::{MemPool, MemPoolUsage};
use stratalloc_strategies::tlsf::Tlsf;
use support::{config, layout, memory, passed};

/// Classes from 8 to 256, chunks of 1 KiB, pages of 128 bytes.
type Small<U> = MemPool<U, 8, 256, 1024, 128>;

fn give(resource: &impl MemoryResource, block: MemoryBlock) {
    // SAFETY: live, requested without alignment, not used.
    unsafe { resource.deallocate(block, Alignment::ONE) };
}

#[test]
fn conforms() {
    let pool: MemPool<_> = MemPool::new(FromGlobal::new(&std::alloc::System)).unwrap();
    passed(conformance::resource(&pool, &config()));
    passed(conformance::validated(&pool, &config()));
    assert_eq!((pool.usage().live_small, pool.usage().live_large), (0, 0));

    let mut bytes = memory(1 << 16);
    let upstream: Tlsf<'_> = Tlsf::over(&mut bytes).unwrap();
    let pool = Small::new(&upstream).unwrap();
    passed(conformance::local_resource(&pool, &config()));
    pool.validate().unwrap();
    assert_eq!((pool.usage().live_small, pool.usage().live_large), (0, 0));
    drop(pool);
    assert_eq!(upstream.usage().live_blocks, 0);
}

#[test]
fn each_size_has_its_class_and_large_ones_whole_pages() {
    let pool: MemPool<_> = MemPool::new(FromGlobal::new(&std::alloc::System)).unwrap();
    for size in 0..9000 {
        let block = pool.allocate(layout(size, 1)).unwrap();
        let expected =
            if size <= 4096 { size.next_power_of_two().max(16) } else { size.next_multiple_of(4096) };
        assert_eq!(
            (block.len(), block.address() % expected.min(4096).min(1 << expected.trailing_zeros())),
            (expected, 0)
        );
        give(&pool, block);
    }
    assert_eq!(pool.allocate(layout(3, 64)).map(MemoryBlock::len), Ok(64));
    assert_eq!(pool.allocate(layout(usize::MAX >> 1, 1)).err(), Some(AllocError::SizeOverflow));
    assert_eq!(pool.usage(), MemPoolUsage { live_small: 1, live_large: 0, chunks: 9 });
}

#[test]
fn chunks_that_nobody_uses_make_room_when_upstream_has_none() {
    let mut bytes = memory(16_000);
    let upstream: Tlsf<'_> = Tlsf::over(&mut bytes).unwrap();
    let pool = Small::new(&upstream).unwrap();
    let large = pool.allocate(layout(7000, 1)).unwrap();
    give(&pool, large);
    let small: Vec<_> = core::iter::from_fn(|| pool.allocate(layout(20, 1)).ok()).collect();
    assert!(pool.usage().chunks > 3);
    assert!(pool.allocate(layout(7000, 1)).is_err());
    let identity = pool.identity();
    small.into_iter().for_each(|block| give(&pool, block));
    let again = pool.allocate(layout(7000, 1)).unwrap();
    assert_eq!((pool.usage().chunks, pool.identity()), (1, identity));
    let hundred = pool.allocate(layout(100, 1)).expect("of another class than before");
    give(&pool, again);
    let small: Vec<_> = core::iter::from_fn(|| pool.allocate(layout(20, 1)).ok()).collect();
    assert!(pool.allocate(layout(200, 1)).is_err());
    small.into_iter().for_each(|block| give(&pool, block));
    give(&pool, hundred);
    assert!(pool.allocate(layout(200, 1)).is_ok(), "a class without a chunk gets one that nobody uses");
    pool.validate().unwrap();
}

/// The system, up to a number of bytes.
#[derive(Debug)]
struct Bounded {
    left: AtomicUsize,
}

// SAFETY: blocks are the system's, which keeps the contract; a refusal is one more reason for an error. One value, one identity.
unsafe impl MemoryResource for Bounded {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let pay = |left: usize| left.checked_sub(layout.size());
        self.left.fetch_update(Relaxed, Relaxed, pay).map_err(|_| AllocError::CapacityExhausted)?;
        FromGlobal::new(&std::alloc::System).allocate(layout)
    }

    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        self.left.fetch_add(block.len(), Relaxed);
        // SAFETY: this function's contract.
        unsafe { FromGlobal::new(&std::alloc::System).deallocate(block, align) };
    }

    fn identity(&self) -> ResourceId {
        ResourceId::new::<Self>((&raw const *self).addr())
    }

    fn info(&self) -> ResourceInfo<'_> {
        ResourceInfo::new("bounded", ThreadSafety::Shared)
    }
}

#[test]
fn a_large_block_grows_into_what_nobody_uses() {
    let pool = Small::new(Bounded { left: AtomicUsize::new(4 * 1024) }).unwrap();
    let small: Vec<_> = (0..5).map(|_| pool.allocate(layout(200, 1)).unwrap()).collect();
    assert_eq!(pool.usage().chunks, 2);
    small.into_iter().for_each(|block| give(&pool, block));
    let block = pool.allocate(layout(1000, 1)).unwrap();
    // SAFETY: live, of this length and alignment.
    let grown = unsafe { pool.reallocate(block, 2000, Alignment::ONE) };
    let grown = grown.expect("two pages beside the old one, where the idle chunk was");
    assert_eq!((grown.len(), pool.usage().chunks, pool.usage().live_large), (2048, 1, 1));
    give(&pool, grown);
}

/// A block on its way from the thread that made it to the one that ends it.
struct Message {
    block: MemoryBlock,
    align: Alignment,
    mark: u32,
}

// SAFETY: the block is with whoever has the message.
unsafe impl Send for Message {}

impl Message {
    fn words(&self) -> impl Iterator<Item = *mut u32> + use<> {
        let start = self.block.as_ptr().cast::<u32>();
        (0..self.block.len() / 4).map(move |word| start.wrapping_add(word))
    }

    /// Marks all of a new block.
    fn new(block: MemoryBlock, align: Alignment, mark: u32) -> Self {
        let message = Self { block, align, mark: 0xDEAD_BEEF ^ mark };
        for word in message.words() {
            // SAFETY: ours; every block is aligned to at least 8.
            unsafe { word.write(message.mark) };
        }
        message
    }

    /// Looks whether the marks are all there, and releases the block.
    fn end(self, pool: &impl MemoryResource) {
        for word in self.words() {
            // SAFETY: as in `new`, and written there.
            assert_eq!(unsafe { word.read() }, self.mark, "somebody else wrote");
        }
        // SAFETY: live, requested with this alignment, not used any more.
        unsafe { pool.deallocate(self.block, self.align) };
    }
}

/// Every thread makes blocks of all classes and large ones, and passes each on to its neighbour, over an upstream that runs dry again and
/// again: chunks change their class, and go upstream, while other threads are at work.
#[test]
fn blocks_go_through_many_hands_and_all_counts_agree() {
    // More than the first chunks' numbers may be had, or fewer than one full channel needs.
    many_hands(40 << 10);
    let refused = many_hands(14 << 10);
    assert!(cfg!(miri) || refused > 0, "upstream never ran dry");
}

/// How many requests were refused.
fn many_hands(bytes: usize) -> usize {
    const ROUNDS: u32 = if cfg!(miri) { 60 } else { 60_000 };
    const THREADS: usize = 4;
    let upstream = Bounded { left: AtomicUsize::new(bytes) };
    let begin = Barrier::new(THREADS);
    let pool = MemPool::<_, 8, 256, 1024, 128>::new(&upstream).unwrap();
    let (made, refused, ended) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let (senders, receivers): (Vec<_>, Vec<_>) =
        (0..THREADS).map(|_| mpsc::sync_channel::<Message>(40)).unzip();
    thread::scope(|scope| {
        let mut to_next = senders.into_iter().cycle().skip(1);
        let (pool, made, refused, ended, begin) = (&pool, &made, &refused, &ended, &begin);
        for (thread, receiver) in (1_u32..).zip(receivers) {
            let next = to_next.next().unwrap();
            scope.spawn(move || {
                let end = |message: Message| {
                    message.end(pool);
                    ended.fetch_add(1, Relaxed);
                };
                let mut random = 0x9E37_79B9_u32.wrapping_mul(thread);
                begin.wait();
                for round in 0..ROUNDS {
                    random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let choice = usize::try_from(random >> 16).unwrap();
                    // Phases of different sizes, so that what was free is of the wrong class.
                    let most = [16, 300, 64, 600, 256][usize::try_from(round / 500 + thread).unwrap() % 5];
                    let request = layout(choice % most, 8);
                    match pool.allocate(request) {
                        Ok(block) => {
                            made.fetch_add(1, Relaxed);
                            let message =
                                Message::new(block, Alignment::from_layout(request), round ^ thread << 24);
                            // A neighbour that does not keep up gets none.
                            if let Err(error) = next.try_send(message) {
                                end(match error {
                                    TrySendError::Full(message) | TrySendError::Disconnected(message) => {
                                        message
                                    }
                                });
                            }
                        }
                        Err(error) => {
                            assert!(error.is_transient());
                            refused.fetch_add(1, Relaxed);
                        }
                    }
                    if choice % 16 > 7 {
                        receiver.try_iter().take(3).for_each(end);
                    }
                }
                drop(next);
                receiver.into_iter().for_each(end);
            });
        }
        drop(to_next);
    });
    let (made, refused, ended) = (made.into_inner(), refused.into_inner(), ended.into_inner());
    assert_eq!((made, made + refused), (ended, THREADS * usize::try_from(ROUNDS).unwrap()));
    pool.validate().unwrap();
    let usage = pool.usage();
    assert_eq!((usage.live_small, usage.live_large), (0, 0));
    // Nothing is lost: what is not the first chunk's, or the directory's, can be had in one request after another.
    let mut all = Vec::new();
    while let Ok(block) = pool.allocate(layout(1024, 1)) {
        all.push(block);
    }
    assert_eq!(pool.usage().chunks, 1);
    assert!((all.len() + 1) * 1024 + 4096 > bytes, "{}", all.len());
    all.into_iter().for_each(|block| give(&pool, block));
    drop(pool);
    assert_eq!(upstream.left.into_inner(), bytes);
    refused
}

proptest! {
    #![proptest_config(ProptestConfig { cases: conformance::cases(100), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_operations_match_the_shadow(ops in model::ops(), len in 3000_usize..300_000, narrow in any::<bool>()) {
        let mut bytes = memory(len);
        let upstream: Tlsf<'_> = Tlsf::over(&mut bytes).unwrap();
        fn run(
            pool: &(impl MemoryResource + Validate),
            ops: Vec<model::Op>,
            live: impl Fn() -> usize,
        ) -> Result<(), TestCaseError> {
            model::run(pool, ops, |_| (), |shadow| {
                prop_assert_eq!(live(), shadow.live.len());
                pool.validate().map_err(|violation| TestCaseError::fail(violation.to_string()))
            })
        }
        if narrow {
            let pool = Small::new(&upstream).unwrap();
            run(&pool, ops, || pool.usage().live_small + pool.usage().live_large)?;
        } else if let Ok(pool) = MemPool::<_>::new(&upstream) {
            run(&pool, ops, || pool.usage().live_small + pool.usage().live_large)?;
        }
        prop_assert_eq!(upstream.usage().live_blocks, 0);
    }
}
