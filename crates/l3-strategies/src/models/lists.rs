//! The lists of a class of two-level pools: threads take and give blocks, bring chunks, and take the chunks of an idle class away.
//!
//! What a chunk holds (its head, each block's payload) is a cell: touched by whoever may, so that whoever may not is a reported race.

use alloc::vec::Vec;

use loom::sync::Arc;
use loom::thread;
use stratalloc_primitives::primitive::atomic::AtomicU32;
use stratalloc_primitives::primitive::cell::UnsafeCell;

use crate::mem_pool::Lists;

/// Blocks in a chunk; the index of a block is `chunk * BLOCKS + block`.
const BLOCKS: u32 = 2;

struct World {
    lists: Lists,
    links: Vec<AtomicU32>,
    heads: Vec<UnsafeCell<u32>>,
    payloads: Vec<UnsafeCell<u32>>,
}

// SAFETY: heads and payloads are touched by those who may only, which is what the models check.
unsafe impl Sync for World {}
// SAFETY: as above.
unsafe impl Send for World {}

fn write(cell: &UnsafeCell<u32>) {
    // SAFETY: the calling thread may; loom reports it if that is wrong.
    cell.with_mut(|value| unsafe { *value += 1 });
}

fn read(cell: &UnsafeCell<u32>) {
    // SAFETY: as in `write`.
    cell.with(|value| assert_eq!(unsafe { *value } % 2, 1, "a head in the middle of being made"));
}

impl World {
    /// Room for `chunks` chunks, of which number 0 is the class's.
    fn new(chunks: u32) -> Arc<Self> {
        let cells = |count| (0..count).map(|_| UnsafeCell::new(0)).collect::<Vec<_>>();
        let world = Self {
            lists: Lists::new(),
            links: (0..chunks * BLOCKS).map(|_| AtomicU32::new(0)).collect(),
            heads: cells(chunks),
            payloads: cells(chunks * BLOCKS),
        };
        world.bring(0);
        Arc::new(world)
    }

    /// Makes the head of a chunk, and all its blocks fresh ones. False if another thread was faster.
    fn bring(&self, chunk: u32) -> bool {
        assert!(self.lists.enter());
        let used_up = self.lists.take_fresh().unwrap_err();
        write(&self.heads[chunk as usize]);
        let brought = self.lists.install(used_up, chunk, BLOCKS);
        self.lists.leave();
        brought
    }

    /// As `MemPool::take_fresh`: a chunk is brought if nothing is left. Whether it was this thread's.
    fn bring_or_take(&self, chunk: u32) -> bool {
        if !self.lists.enter() {
            return false;
        }
        let brought = match self.lists.take_fresh() {
            Ok((other, left)) => {
                let index = other * BLOCKS + (BLOCKS - left);
                write(&self.payloads[index as usize]);
                self.lists.push(index, self.link(index));
                return false;
            }
            Err(used_up) => {
                write(&self.heads[chunk as usize]);
                let brought = self.lists.install(used_up, chunk, BLOCKS);
                if !brought {
                    // Still nobody else's.
                    write(&self.heads[chunk as usize]);
                }
                brought
            }
        };
        self.lists.leave();
        brought
    }

    /// As `MemPool::link`: it needs the chunk's head.
    fn link(&self, index: u32) -> &AtomicU32 {
        read(&self.heads[(index / BLOCKS) as usize]);
        &self.links[index as usize]
    }

    fn take(&self) -> Option<u32> {
        if !self.lists.enter() {
            return None;
        }
        let index = self
            .lists
            .pop(|index| self.link(index))
            .or_else(|| self.lists.take_fresh().ok().map(|(chunk, left)| chunk * BLOCKS + (BLOCKS - left)));
        match index {
            Some(index) => {
                self.link(index);
                write(&self.payloads[index as usize]);
            }
            None => self.lists.leave(),
        }
        index
    }

    fn give(&self, index: u32) {
        write(&self.payloads[index as usize]);
        self.lists.push(index, self.link(index));
    }

    fn once(&self) {
        self.take().into_iter().for_each(|index| self.give(index));
    }

    /// Takes all chunks away if nobody uses them, as `MemPool::close_idle` does: another class writes over everything.
    fn take_away(&self) -> bool {
        if !self.lists.close() {
            return false;
        }
        for cell in self.heads.iter().chain(&self.payloads) {
            write(cell);
            write(cell);
        }
        self.lists.open();
        true
    }

    /// As `MemPool::check_class`.
    fn inspect(&self) {
        if self.lists.enter() {
            assert!(self.free_within() <= BLOCKS);
        }
    }

    fn free(&self) -> u32 {
        assert!(self.lists.enter());
        self.free_within()
    }

    /// The caller has entered, and has left after it.
    fn free_within(&self) -> u32 {
        let mut free = 0;
        self.lists.look(
            |index| self.link(index),
            |_| {
                free += 1;
                true
            },
        );
        free + self.lists.fresh().1
    }
}

fn check<const N: usize>(chunks: u32, bodies: [fn(&World); N], preemptions: Option<usize>, end: fn(&World)) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = preemptions;
    model.check(move || {
        let world = World::new(chunks);
        let threads = bodies.map(|body| {
            let world = world.clone();
            thread::spawn(move || body(&world))
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(world.lists.users(), 0);
        end(&world);
    });
}

/// Two threads take and give twice; nobody has another's block, and all are there at the end.
///
/// Weakened and seen failing: the stack's `push` exchange relaxed: "Concurrent write accesses to `UnsafeCell`".
#[test]
fn loom_blocks_of_a_class_go_from_hand_to_hand() {
    let twice = |world: &World| (0..2).for_each(|_| world.once());
    check(1, [twice, twice], Some(3), |world| assert_eq!(world.free(), BLOCKS));
}

/// A class is closed while others take and give: who closes it is alone with its chunks, and nobody finds one there afterwards.
///
/// Weakened and seen failing: the stack's `push` relaxed, `close` without a look at the count: "Concurrent read and write accesses to
/// `UnsafeCell`"; `leave` relaxed, `close` relaxed: "Concurrent write accesses"; `open` relaxed, `enter` relaxed: "Concurrent read and
/// write accesses".
#[test]
fn loom_who_closes_a_class_is_alone() {
    let away = |world: &World| {
        world.take_away();
    };
    let end = |world: &World| assert!([0, BLOCKS].contains(&world.free()));
    check(1, [World::once, away], None, end);
    check(1, [World::once, World::once, away], Some(2), end);
    // A block that is there comes out of the stack, whose links lie in the chunk.
    let twice = |world: &World| (0..2).for_each(|_| world.once());
    check(1, [twice, away], None, end);
    // Who leaves without a block has touched a chunk as well.
    let bring = |world: &World| {
        let blocks = [world.take(), world.take()];
        blocks.into_iter().flatten().for_each(|index| world.give(index));
        world.bring_or_take(1);
    };
    check(2, [bring, away], None, |world| assert!(world.free().is_multiple_of(BLOCKS)));
}

/// Nobody sees fewer users than none; who came in the middle of the look may be counted beside who was there before.
///
/// Weakened and seen failing: the load of the pushes relaxed: "4294967295 users".
#[test]
fn loom_users_are_never_fewer_than_none() {
    let count = |world: &World| {
        let users = world.lists.users();
        assert!(users <= 2, "{users} users");
    };
    let twice = |world: &World| (0..2).for_each(|_| world.once());
    check(1, [twice, count], None, |world| assert_eq!(world.free(), BLOCKS));
}

/// A class is validated while another thread closes it: who counts its free blocks follows links in chunks that may go.
///
/// Weakened and seen failing: `inspect` without `enter` and `leave`: "Concurrent read and write accesses to `UnsafeCell`".
#[test]
fn loom_who_counts_free_blocks_has_entered() {
    let give_and_inspect = |world: &World| {
        world.once();
        world.inspect();
    };
    let away = |world: &World| {
        world.take_away();
    };
    let end = |world: &World| assert!([0, BLOCKS].contains(&world.free()));
    check(1, [give_and_inspect, away], None, end);
    check(1, [World::once, World::inspect, away], Some(2), end);
}

/// Two threads find nothing left and bring a chunk each: one is taken, and the other one stays with who brought it.
///
/// Weakened and seen failing: `install` relaxed, the load of `take_fresh` relaxed: "Concurrent read and write accesses".
#[test]
fn loom_one_of_two_chunks_is_taken() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let world = World::new(3);
        let held = [world.take().unwrap(), world.take().unwrap()];
        let threads = [1, 2].map(|chunk| {
            let world = world.clone();
            thread::spawn(move || world.bring_or_take(chunk))
        });
        let brought = threads.map(|thread| thread.join().unwrap());
        assert_eq!(brought.iter().filter(|brought| **brought).count(), 1);
        held.into_iter().for_each(|index| world.give(index));
        assert_eq!(world.free(), 2 * BLOCKS);
    });
}
