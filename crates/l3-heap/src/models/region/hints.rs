//! Hints where split chunks have room: at rest, each level that the free granules of a chunk support is named in the area.
//!
//! Loom does not model the total order of sequentially consistent accesses: where the protocol relies on it, that is where
//! a load must see the latest write, `Chunk::free_mask` and `Chunk::named` are read-modify-writes under loom. The orders of the other
//! read-modify-writes are not tested by that: loom's always see the latest value, whatever their order.

use loom::sync::Arc;

use super::super::{check, run};
use super::area::{Area, WIDE_LEVEL};
use super::chunk::Chunk;

/// The chunk's number in its area.
const NUMBER: u32 = 70;

struct World {
    area: Area,
    chunk: Chunk,
}

impl World {
    /// A split chunk with nothing free, of which the area says that it has room at `level`: its last granules were just taken.
    fn new(stale: u64) -> Arc<Self> {
        let world = Self { area: Area::new(), chunk: Chunk::new() };
        world.chunk.split(0, !0);
        world.area.announce(&world.chunk, NUMBER, stale);
        Arc::new(world)
    }

    /// `slice::give_granules` for a chunk that is not empty then.
    fn free(&self, mask: u64) {
        let free = self.chunk.release(mask, false);
        self.area.announce(&self.chunk, NUMBER, free);
    }

    /// A search at `level` that was led here. What it claimed.
    fn search(&self, level: usize, count: u32) -> u64 {
        match self.chunk.claim(count, count, false) {
            Some(claim) => ((1 << count) - 1) << claim.start,
            None => {
                self.area.refresh(&self.chunk, NUMBER, level);
                0
            }
        }
    }

    /// When all is quiet.
    fn settle(&self) {
        let free = self.chunk.free_mask(false);
        let pairs = free & free >> 1;
        let fours = pairs & pairs >> 2;
        for (level, room) in [(0, free), (1, pairs), (2, fours), (WIDE_LEVEL, fours & 1)] {
            assert!(
                room == 0 || self.area.names(NUMBER, level),
                "free granules {free:#b}, but nobody will look for level {level}"
            );
        }
    }
}

/// A granule comes back while a search finds nothing and takes the hint back.
///
/// Seen failing with: `refresh` without the second look, or clearing the summary before the hint; `named`
/// or `free_mask` as a load that may be stale ("free granules 0b1, but nobody will look for level 0").
#[test]
fn release_while_the_hint_is_taken_back() {
    check(None, || {
        let world = World::new(1);
        run(
            &world,
            [
                |w| w.free(1),
                |w| {
                    w.search(0, 1);
                },
            ],
        );
        world.settle();
    });
}

/// Two searches in vain.
///
/// Seen failing with: `refresh` without the second look; `free_mask` as a load that may be stale.
#[test]
fn release_between_two_searches() {
    check(Some(3), || {
        let world = World::new(1);
        run(
            &world,
            [
                |w| w.free(1),
                |w| {
                    w.search(0, 1);
                },
                |w| {
                    w.search(0, 1);
                },
            ],
        );
        world.settle();
    });
}

/// Two releases that only together make room for a slab, and a search for that.
///
/// Seen failing with: `refresh` clearing the summary before the hint ("… 0b1111, but nobody will look for
/// level 7").
#[test]
fn two_releases_that_make_a_slice() {
    check(Some(3), || {
        let world = World::new(0b1111);
        run(
            &world,
            [
                |w| w.free(0b0011),
                |w| w.free(0b1100),
                |w| {
                    w.search(WIDE_LEVEL, 4);
                },
            ],
        );
        world.settle();
    });
}

/// What a search found comes back at once.
///
/// Seen failing with: `named` as a load that may be stale.
#[test]
fn a_search_that_releases() {
    check(Some(3), || {
        let world = World::new(1);
        run(
            &world,
            [
                |w| w.free(1),
                |w| {
                    w.search(0, 1);
                },
                |w| {
                    let found = w.search(0, 1);
                    if found != 0 {
                        w.free(found);
                    }
                },
            ],
        );
        world.settle();
    });
}
