//! Granules of a chunk: claimed once, handed over with their contents and their `dirty` and `ends` bits.
//!
//! The chunk is used in two halves of 32 granules; each has a cell that its owner touches.

use loom::cell::UnsafeCell;
use loom::sync::Arc;

use super::super::{check, run};
use super::chunk::Chunk;

const HALF: u32 = 32;
const LOW: u64 = 0xffff_ffff;
const HIGH: u64 = !LOW;

struct World {
    chunk: Chunk,
    /// Whether the half holds old bytes: what its `dirty` bits must tell the next owner.
    halves: [UnsafeCell<bool>; 2],
}

// SAFETY: the cells are touched by owners only, which is what the models check.
unsafe impl Sync for World {}
// SAFETY: as above.
unsafe impl Send for World {}

impl World {
    /// A split chunk of the process heap, in which the halves in `taken` are runs in use.
    fn new(taken: u64) -> Arc<Self> {
        let world = Self { chunk: Chunk::new(), halves: core::array::from_fn(|_| UnsafeCell::new(false)) };
        world.chunk.split(0, taken);
        for half in [LOW, HIGH] {
            if half & taken != 0 {
                world.use_run(half);
            }
        }
        Arc::new(world)
    }

    /// The owner of the granules of `mask` compares them with what `dirty_mask` showed, and leaves them with or without bytes.
    fn touch(&self, mask: u64, dirty: u64, leave: impl Fn(bool) -> bool) {
        for (half, cell) in [LOW, HIGH].into_iter().zip(&self.halves) {
            if half & mask != 0 {
                cell.with_mut(|cell| {
                    // SAFETY: the caller owns the granules (C1); loom reports it if not.
                    let cell = unsafe { &mut *cell };
                    assert_eq!(dirty & half, if *cell { half } else { 0 }, "C3: dirty = holds old bytes");
                    *cell = leave(*cell);
                });
            }
        }
    }

    /// What the owner of a new run does with it. It ends inside its half, so that the end of a former run is noticed.
    fn use_run(&self, mask: u64) {
        self.touch(mask, self.chunk.dirty_mask(), |_| true);
        let first = mask.trailing_zeros();
        assert_eq!(self.chunk.ends_mask() & mask, 0, "former runs in these granules have no end any more");
        self.chunk.set_end(first + 7);
        assert_eq!(self.chunk.end_of(first), Some(first + 7));
    }

    /// Allocates half a chunk, as `run::allocate` does.
    fn take(&self) -> u64 {
        let Some(claim) = self.chunk.claim(HALF, HALF, false) else { return 0 };
        let mask = LOW << claim.start;
        assert_eq!(claim.dirty, self.chunk.dirty_mask() & mask, "only the owner changes these bits");
        self.use_run(mask);
        mask
    }

    /// Frees half a chunk, as `run::free` does; the word of free granules afterwards.
    fn free(&self, mask: u64) -> u64 {
        self.chunk.clear_end(mask.trailing_zeros() + 7);
        self.chunk.mark_dirty(mask);
        self.touch(mask, mask, |_| true);
        self.chunk.release(mask, false)
    }

    /// The same; a chunk that is empty then is the caller's, as in `slice::give_granules`. Returns what the caller got.
    fn free_and_claim_whole(&self, mask: u64) -> u64 {
        if self.free(mask) != !0 || !self.chunk.claim_whole(false) {
            return 0;
        }
        self.touch(!0, self.chunk.dirty_mask(), |old| old);
        !0
    }

    /// Gives the pages of a free half back to the system, as `purge_split` does.
    fn purge(&self, mask: u64) {
        let Some(dirty) = self.chunk.claim_exact(mask, false) else { return };
        self.touch(mask, dirty, |_| false);
        self.chunk.mark_clean(mask);
        self.chunk.release(mask, false);
    }

    /// When all is quiet: what nobody claimed is free, and nothing was claimed twice.
    fn settle(&self, claimed: &[u64]) {
        let all = claimed.iter().fold(0, |all, mask| {
            assert_eq!(all & mask, 0, "claimed twice");
            all | mask
        });
        assert_eq!(self.chunk.free_mask(false), !all, "free = not claimed");
    }
}

/// Two claimers and a releaser.
///
/// Seen failing with: `claim` Relaxed, `release` with Acquire only (data race on a half); a run that leaves
/// its end behind.
#[test]
fn two_claimers_and_a_releaser() {
    check(Some(3), || {
        let world = World::new(LOW);
        let taken = run(
            &world,
            [
                |w| w.take(),
                |w| w.take(),
                |w| {
                    w.free(LOW);
                    0
                },
            ],
        );
        world.settle(&taken);
    });
}

/// A run grows into the half behind it, which another thread frees and a third wants.
///
/// Seen failing with: `claim_exact` Relaxed, `release` with Acquire only (data race on a half).
#[test]
fn a_run_grows_while_its_neighbour_is_freed() {
    check(Some(3), || {
        let world = World::new(!0);
        let taken = run(
            &world,
            [
                |w| {
                    w.free(HIGH);
                    0
                },
                |w| match w.chunk.claim_exact(HIGH, false) {
                    Some(dirty) => {
                        w.touch(HIGH, dirty, |_| true);
                        HIGH
                    }
                    None => 0,
                },
                |w| w.take(),
            ],
        );
        world.settle(&[LOW, taken[1], taken[2]]);
    });
}

/// Both halves are freed: one of the two threads sees the chunk empty. A third wants a half meanwhile: it gets one, or the whole
/// chunk goes, and with it what both wrote.
///
/// Seen failing with: `claim_whole` as a load and a store (data race on a half, claimed twice).
#[test]
fn the_last_release_takes_the_chunk_or_a_claim_prevents_it() {
    check(Some(3), || {
        let world = World::new(!0);
        let taken =
            run(&world, [|w| w.free_and_claim_whole(LOW), |w| w.free_and_claim_whole(HIGH), |w| w.take()]);
        world.settle(&taken);
        assert!(taken.iter().any(|mask| *mask != 0), "an empty chunk was left behind");
    });
}

/// The chunk goes and is split again, for an independent heap: who comes with an outdated hint finds nothing (C2), or was faster.
///
/// Seen failing with: `split` making a private chunk's granules free for all ("claimed twice").
#[test]
fn an_outdated_hint_finds_nothing_in_a_private_chunk() {
    check(Some(3), || {
        let world = World::new(HIGH);
        let taken = run(
            &world,
            [
                |w| {
                    if w.free_and_claim_whole(HIGH) != 0 {
                        w.chunk.split(1, LOW);
                        return !0;
                    }
                    0
                },
                |w| w.take(),
                |w| {
                    w.chunk.claim_exact(HIGH, false).map_or(0, |dirty| {
                        w.touch(HIGH, dirty, |_| true);
                        HIGH
                    })
                },
            ],
        );
        world.settle(&taken);
        assert_eq!(world.chunk.free_mask(true), if taken[0] != 0 { HIGH } else { 0 });
    });
}

/// The chunk goes and is split again for the process heap, while a claimer holds an outdated word.
///
/// Seen failing with: the store of `split` Relaxed (data race on a half).
#[test]
fn a_second_life_of_the_chunk() {
    check(Some(4), || {
        let world = World::new(HIGH);
        let taken = run(
            &world,
            [
                |w| {
                    if w.free_and_claim_whole(HIGH) == 0 {
                        return 0;
                    }
                    w.chunk.split(0, LOW);
                    LOW
                },
                |w| w.take(),
            ],
        );
        world.settle(&taken);
    });
}

/// Pages of a free half are purged while it is wanted, and while the other half is freed.
///
/// Seen failing with: `claim` Relaxed, `release` with Acquire only (data race on a half).
#[test]
fn purge_against_claim_and_release() {
    check(Some(3), || {
        let world = World::new(!0);
        world.free(LOW);
        let taken = run(
            &world,
            [
                |w| {
                    w.purge(LOW);
                    0
                },
                |w| w.take(),
                |w| {
                    w.free(HIGH);
                    0
                },
            ],
        );
        world.settle(&taken);
    });
}

/// Between the release that empties the chunk and taking it whole, somebody claims a half and gives it back: whoever gets the chunk
/// sees what that one did.
///
/// Seen failing with: `claim_whole` Relaxed (data race on a half).
#[test]
fn a_claim_comes_and_goes_before_the_chunk_does() {
    check(None, || {
        let world = World::new(HIGH);
        let taken = run(
            &world,
            [
                |w| w.free_and_claim_whole(HIGH),
                |w| match w.take() {
                    0 => 0,
                    mask => w.free_and_claim_whole(mask),
                },
            ],
        );
        world.settle(&taken);
        assert!(taken.contains(&!0), "an empty chunk was left behind");
    });
}
