//! Releases of anything at all: what is no live block is refused and changes nothing.

use core::ptr;

use stratalloc_resource::abi::{ErrorCode, RawBlock, RawResource, ResourceV1};

use super::{KINDS, Kind, Made, memory};
use crate::config::RawConfig;
use crate::kinds::stratalloc_pool_return;

/// A linear congruential generator, after Knuth's MMIX.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

struct Live {
    block: RawBlock,
    size: usize,
    align: usize,
}

/// A resource with what must be live in it.
struct Model {
    made: Made,
    table: ResourceV1,
    live: Vec<Live>,
}

impl Model {
    fn of(kind: &Kind, config: &RawConfig) -> Self {
        let made = kind.make(config);
        // SAFETY: just made.
        let table = unsafe { ResourceV1::of(made.raw) }.unwrap();
        Self { made, table, live: Vec::new() }
    }

    fn raw(&self) -> *mut RawResource {
        self.made.raw.as_ptr()
    }

    fn allocate(&mut self, size: usize, align: usize) {
        let mut block = RawBlock::NULL;
        // SAFETY: a place for a block.
        if unsafe { self.table.allocate.unwrap()(self.raw(), size, align, &raw mut block) } == ErrorCode::OK {
            self.live.push(Live { block, size, align });
        }
    }

    fn release(&self, start: *mut u8, len: usize, align: usize) -> ErrorCode {
        // SAFETY: what is live is not used; the rest is to be refused, which is what is tested.
        unsafe { self.table.release.unwrap()(self.raw(), start, len, align) }
    }

    /// The live block that begins there, if there is one which fits.
    fn find(&self, start: *mut u8, len: usize, align: usize) -> Option<usize> {
        self.live.iter().position(|live| {
            let fits = len <= live.block.len && align <= live.align;
            live.block.start == start && fits
        })
    }

    /// Releases a block that need not be one. Whether the model and the resource agree about it.
    fn try_release(&mut self, start: *mut u8, len: usize, align: usize) {
        match self.find(start, len, align) {
            // Lengths below the request's and alignments below it may pass for others: nobody can tell for sure.
            Some(index) => {
                let (size, exact) = (self.live[index].size, self.live[index].align);
                if len >= size && align == exact {
                    assert_eq!(self.release(start, len, align), ErrorCode::OK);
                    self.live.swap_remove(index);
                }
            }
            None if self.live.iter().all(|live| live.block.start != start) => {
                let code = self.release(start, len, align);
                assert!((32..=39).contains(&code.get()), "{start:p}, {len} bytes: {}", code.get());
            }
            None => {}
        }
        // SAFETY: nothing else runs.
        assert_eq!(unsafe { self.table.validate.unwrap()(self.raw()) }, ErrorCode::OK);
    }
}

/// All kinds that promise to recognise everything in any order.
#[test]
fn what_is_not_live_is_refused() {
    const SIZE: usize = 64 * 1024;
    for kind in KINDS.iter().filter(|kind| !["frame", "stack"].contains(&kind.name)) {
        for seed in 0..if cfg!(miri) { 1 } else { 5 } {
            let mut memory = memory(SIZE);
            let mut model = Model::of(kind, &kind.over(&mut memory));
            let mut random = Random(seed);
            let mut released = vec![ptr::null_mut::<u8>().wrapping_add(64)];
            for _ in 0..if cfg!(miri) { 25 } else { 600 } {
                let align = 1 << random.below(5);
                match random.below(5) {
                    0 | 1 => model.allocate(random.below(500), align),
                    2 if !model.live.is_empty() => {
                        let live = &model.live[random.below(model.live.len())];
                        let (start, len, align) = (live.block.start, live.block.len, live.align);
                        released.push(start);
                        model.try_release(start, len, align);
                    }
                    3 => {
                        let start = released[random.below(released.len())];
                        model.try_release(start, random.below(600), align);
                    }
                    _ => {
                        let anywhere = memory.as_mut_ptr().cast::<u8>().wrapping_add(random.below(SIZE));
                        model.try_release(anywhere, random.below(600), align);
                    }
                }
            }
            assert!(model.live.len() > 1, "{}: nothing was live", kind.name);
        }
    }
}

/// The bits of a lock-free pool: of many threads that release the same block, one does.
#[test]
fn one_of_many_releases_at_once_succeeds() {
    struct Shared(Model);
    // SAFETY: the pool is for any number of threads, and the model is only read.
    unsafe impl Sync for Shared {}

    let kind = &KINDS[3];
    let mut model = Model::of(kind, &kind.config());
    let blocks = if cfg!(miri) { 4 } else { 200 };
    (0..blocks).for_each(|_| model.allocate(100, 8));
    let shared = Shared(model);
    let released: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let Shared(model) = &shared;
                    let release = |live: &&Live| {
                        model.release(live.block.start, live.block.len, live.align) == ErrorCode::OK
                    };
                    model.live.iter().filter(release).count()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(released, blocks);
}

/// A pool's blocks come home from other threads, and count as released once the owner looks.
#[test]
fn other_threads_return_a_pools_blocks() {
    struct Sent(*mut RawResource, Vec<*mut u8>);
    // SAFETY: `stratalloc_pool_return` is for any thread; the blocks are nobody else's.
    unsafe impl Send for Sent {}

    for over in [false, true] {
        let (kind, mut memory) = (&KINDS[2], memory(1 << 16));
        let config = if over { kind.over(&mut memory) } else { kind.config() };
        let mut model = Model::of(kind, &config);
        (0..50).for_each(|_| model.allocate(500, 8));
        let sent = Sent(model.raw(), model.live.iter().map(|live| live.block.start).collect());
        let codes = std::thread::spawn(move || {
            let Sent(raw, blocks) = { sent };
            // SAFETY: live, and not used any more.
            let give = |block| unsafe { stratalloc_pool_return(raw, block) };
            blocks.into_iter().map(give).collect::<Vec<_>>()
        });
        assert_eq!(codes.join().unwrap(), [ErrorCode::OK; 50]);
        let first = model.live[0].block;
        assert_eq!(model.release(first.start, first.len, 8), ErrorCode::DOUBLE_RELEASE);
        // SAFETY: nothing else runs.
        assert_eq!(unsafe { model.table.validate.unwrap()(model.raw()) }, ErrorCode::OK);
    }
}
