//! The lock-free pool's indices: threads take blocks, use them, and give them back.
//!
//! A block's payload is a cell that its holder writes, so two holders, or one whose predecessor's writes have not arrived, are
//! a reported race.

use alloc::vec::Vec;

use loom::sync::Arc;
use loom::thread;
use stratalloc_primitives::primitive::atomic::AtomicU32;
use stratalloc_primitives::primitive::cell::UnsafeCell;

use crate::lock_free_pool::Indices;

struct World {
    indices: Indices,
    links: Vec<AtomicU32>,
    payloads: Vec<UnsafeCell<u32>>,
}

// SAFETY: a payload is touched by its block's holder only, which is what the models check.
unsafe impl Sync for World {}
// SAFETY: as above.
unsafe impl Send for World {}

impl World {
    fn new(count: u32) -> Arc<Self> {
        Arc::new(Self {
            indices: Indices::new(count),
            links: (0..count).map(|_| AtomicU32::new(0)).collect(),
            payloads: (0..count).map(|_| UnsafeCell::new(0)).collect(),
        })
    }

    fn take(&self) -> Option<u32> {
        self.take_at(0)
    }

    fn take_at(&self, lane: usize) -> Option<u32> {
        let index = self.indices.take(&self.links, lane)?;
        self.touch(index);
        Some(index)
    }

    fn give(&self, index: u32) {
        self.give_at(0, index);
    }

    fn give_at(&self, lane: usize, index: u32) {
        self.touch(index);
        assert!(self.indices.give(&self.links, lane, index), "{index} was free already");
    }

    fn touch(&self, index: u32) {
        // SAFETY: held by the calling thread; loom reports it if that is wrong.
        self.payloads[index as usize].with_mut(|payload| unsafe { *payload += 1 });
    }
}

fn check<const N: usize>(world: fn() -> Arc<World>, bodies: [fn(&World); N], preemptions: Option<usize>) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = preemptions;
    model.check(move || {
        let world = world();
        let threads = bodies.map(|body| {
            let world = world.clone();
            thread::spawn(move || body(&world))
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let look = world.indices.look(&world.links);
        assert_eq!((look.free, look.strange), (look.used, None), "all came back");
    });
}

/// Two threads, each with a block for itself, take and give twice: none is ever refused, none has another's block.
///
/// Weakened and seen failing: the stack's `push` exchange relaxed, its first `pop` load relaxed, no version: "Concurrent write
/// accesses to `UnsafeCell`".
#[test]
fn loom_as_many_blocks_as_threads_are_enough() {
    let twice = |world: &World| {
        for _ in 0..2 {
            let index = world.take().expect("none is refused");
            world.give(index);
        }
    };
    check(|| World::new(2), [twice, twice], Some(3));
}

/// Two blocks, of which one thread takes at most one. The other one holds at most one at a time too, but moves them: it gives its block to lane 0, that the
/// first has looked at already, and takes the one in lane 1. Nobody is refused: FREE-FULL.
///
/// Then the same with a fresh one in lane 1.
///
/// Weakened and seen failing: no second look (`None` after the fresh ones), the stack's `pop` exchange relaxed, the exchange of `used` or its load relaxed:
/// "none is refused".
#[test]
fn loom_nobody_is_refused_while_blocks_change_lanes() {
    let filled = || {
        let world = World::new(2);
        let (first, second) = (world.take().unwrap(), world.take().unwrap());
        world.give_at(1, second);
        world.give_at(1, first);
        world
    };
    let with_fresh = || {
        let world = World::new(2);
        let first = world.take_at(0).unwrap();
        world.give_at(1, first);
        world
    };
    let moves = |world: &World| {
        let first = world.take_at(1).expect("none is refused");
        world.give_at(0, first);
        let second = world.take_at(1).expect("none is refused");
        world.give_at(1, second);
    };
    let takes = |world: &World| {
        let index = world.take_at(0).expect("none is refused");
        world.give_at(1, index);
    };
    check(filled, [moves, takes], None);
    check(with_fresh, [moves, takes], None);
}

/// One block, two threads: whoever has it gets what the other wrote.
///
/// Weakened and seen failing: the stack's `push` exchange relaxed, its `pop` load relaxed: "Concurrent write accesses to
/// `UnsafeCell`".
#[test]
fn loom_a_block_goes_from_hand_to_hand() {
    let once = |world: &World| {
        if let Some(index) = world.take() {
            world.give(index);
        }
    };
    check(|| World::new(1), [once, once], None);
    check(|| World::new(1), [once, once, once], Some(2));
}

/// One thread takes two and gives the first back, while another is inside a take: the ABA case.
///
/// Weakened and seen failing: the stack without its version: "Concurrent write accesses to `UnsafeCell`".
#[test]
fn loom_a_block_that_left_and_came_back() {
    let filled = || {
        let world = World::new(2);
        let (first, second) = (world.take().unwrap(), world.take().unwrap());
        world.give(first);
        world.give(second);
        world
    };
    let two = |world: &World| {
        let (first, second) = (world.take(), world.take());
        first.into_iter().for_each(|index| world.give(index));
        second.into_iter().for_each(|index| world.give(index));
    };
    let one = |world: &World| world.take().into_iter().for_each(|index| world.give(index));
    check(filled, [two, one], None);
}
