//! Random operations against a shadow of what every block must contain; the heap's equations are checked along the way.
#![allow(missing_docs, reason = "a test")]

use std::sync::mpsc;

use stratalloc_heap::{
    allocate, allocate_aligned, allocate_zeroed, collect, deallocate, reallocate, usable_size, validate,
};

struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: u64) -> usize {
        usize::try_from(self.next() % n).expect("below n")
    }

    /// Sizes of all domains, small ones more often.
    fn size(&mut self) -> usize {
        match self.next() % 100 {
            0..=59 => self.below(300),
            60..=79 => self.below(5000),
            80..=91 => self.below(40_000),
            92..=96 => self.below(300_000),
            97..=98 => self.below(1_500_000),
            _ => self.below(6_000_000),
        }
    }
}

/// A block with a pattern that depends on its seed.
struct Block {
    ptr: *mut u8,
    size: usize,
    seed: u8,
}

// SAFETY: the block is only a number until somebody uses it.
unsafe impl Send for Block {}

/// Bytes looked at: both ends and a few between, so that large blocks stay cheap.
fn positions(size: usize) -> impl Iterator<Item = usize> {
    (0..size.min(64)).chain((64..size).step_by(509)).chain(size.saturating_sub(1)..size)
}

impl Block {
    fn fill(&self) {
        for at in positions(self.size) {
            // SAFETY: `at < size`, and the block is ours.
            unsafe { self.ptr.add(at).write(self.seed.wrapping_add((at % 251) as u8)) };
        }
    }

    fn check(&self, len: usize) {
        for at in positions(self.size).filter(|at| *at < len) {
            // SAFETY: `at < size`, and the block is ours.
            let found = unsafe { self.ptr.add(at).read() };
            assert_eq!(
                found,
                self.seed.wrapping_add((at % 251) as u8),
                "byte {at} of {} at {:p}",
                self.size,
                self.ptr
            );
        }
    }
}

fn new_block(rng: &mut Rng) -> Block {
    let size = rng.size();
    let seed = rng.next() as u8;
    let ptr = match rng.next() % 8 {
        0 => {
            let ptr = allocate_zeroed(size);
            for at in positions(size) {
                // SAFETY: `at < size`, and the block is ours.
                assert_eq!(unsafe { ptr.add(at).read() }, 0, "byte {at} of {size} is not zero");
            }
            ptr
        }
        1 => {
            let align = 1usize << rng.below(20);
            let ptr = allocate_aligned(size, align);
            assert_eq!(ptr.addr() % align, 0, "align {align} size {size}");
            ptr
        }
        _ => allocate(size),
    };
    assert!(!ptr.is_null());
    assert_eq!(ptr.addr() % 16, 0);
    // SAFETY: the block was just allocated.
    assert!(unsafe { usable_size(ptr) } >= size);
    let block = Block { ptr, size, seed };
    block.fill();
    block
}

fn free(block: Block) {
    block.check(block.size);
    // SAFETY: the block is ours and is not used afterwards.
    unsafe { deallocate(block.ptr) };
}

fn churn(seed: u64, rounds: usize, mut exchange: impl FnMut(Block) -> Option<Block>) {
    let mut rng = Rng(seed);
    let mut live: Vec<Block> = Vec::new();
    for _ in 0..rounds {
        match rng.next() % 16 {
            0..=6 => live.push(new_block(&mut rng)),
            7..=12 if !live.is_empty() => free(live.swap_remove(rng.below(live.len() as u64))),
            13..=14 if !live.is_empty() => {
                let at = rng.below(live.len() as u64);
                let old = &live[at];
                let size = rng.size().max(1);
                // SAFETY: the block is ours; the returned pointer replaces it.
                let ptr = unsafe { reallocate(old.ptr, size) };
                assert!(!ptr.is_null());
                let moved = Block { ptr, size: old.size, seed: old.seed };
                moved.check(old.size.min(size));
                let grown = Block { ptr, size, seed: old.seed };
                grown.fill();
                live[at] = grown;
            }
            _ => {
                if let Some(block) = live.pop() {
                    live.extend(exchange(block));
                }
            }
        }
        if live.len() > 400 {
            for _ in 0..300 {
                free(live.swap_remove(rng.below(live.len() as u64)));
            }
        }
    }
    live.into_iter().for_each(free);
}

fn rounds(n: usize) -> usize {
    if cfg!(miri) { n / 200 } else { n }
}

#[test]
fn one_thread() {
    for seed in 1..4 {
        churn(seed * 7919, rounds(60_000), Some);
        validate().expect("after a churn");
        collect();
        validate().expect("after collecting");
    }
}

#[test]
fn threads_exchange_blocks_and_end() {
    for round in 0..3u64 {
        std::thread::scope(|scope| {
            let (first, mut inbox) = mpsc::channel::<Block>();
            for thread in 0..4u64 {
                let (to, next) = mpsc::channel::<Block>();
                let mine = std::mem::replace(&mut inbox, next);
                scope.spawn(move || {
                    churn(round * 100 + thread + 1, rounds(20_000), |block| {
                        drop(to.send(block).map_err(|e| free(e.0)));
                        mine.try_recv().ok()
                    });
                    drop(to);
                    mine.into_iter().for_each(free);
                });
            }
            drop(first);
            inbox.into_iter().for_each(free);
        });
        collect();
    }
}
