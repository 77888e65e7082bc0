//! The way home of a pool's blocks: two threads return, the owner takes all and reuses.
//!
//! Links and payloads are cells, as plain as in the pool, so whatever is not ordered is a reported race.

use alloc::vec;
use alloc::vec::Vec;
use core::ptr::NonNull;

use loom::sync::Arc;
use loom::thread;
use stratalloc_primitives::primitive::cell::UnsafeCell;

use crate::pool::ReturnList;

struct Node {
    number: usize,
    next: UnsafeCell<Option<NonNull<Node>>>,
    payload: UnsafeCell<u32>,
}

impl Node {
    /// What an owner does to its block.
    fn touch(&self) {
        // SAFETY: the calling thread owns the node; loom reports it if that is wrong.
        self.payload.with_mut(|payload| unsafe { *payload += 1 });
    }
}

struct World {
    list: ReturnList<Node>,
    nodes: Vec<Node>,
}

// SAFETY: cells of a node are touched by its owner only, which is what the models check.
unsafe impl Sync for World {}
// SAFETY: as above.
unsafe impl Send for World {}

impl World {
    fn new(count: usize) -> Arc<Self> {
        let node = |number| Node { number, next: UnsafeCell::new(None), payload: UnsafeCell::new(0) };
        Arc::new(Self { list: ReturnList::new(), nodes: (0..count).map(node).collect() })
    }

    fn give(&self, number: usize) {
        let node = &self.nodes[number];
        node.touch();
        // SAFETY: ours until it is pushed.
        self.list.push(NonNull::from(node), |next| node.next.with_mut(|place| unsafe { *place = next }));
    }

    /// Takes all that is there, uses each as a new block, and says which they were.
    fn take_all(&self) -> Vec<usize> {
        let mut taken = vec![];
        let mut next = self.list.take_all();
        while let Some(node) = next
            && taken.len() <= self.nodes.len()
        {
            // SAFETY: all nodes are the world's, which is borrowed.
            let node = unsafe { node.as_ref() };
            // SAFETY: taken, so ours.
            next = node.next.with(|place| unsafe { *place });
            node.touch();
            taken.push(node.number);
        }
        taken
    }
}

/// Two threads return one and two blocks; the owner takes all twice, and gives nothing of it up.
///
/// Weakened and seen failing: `push` exchange relaxed, `take_all` swap relaxed: "Concurrent read and write accesses"
/// (of a link).
#[test]
fn loom_returned_blocks_arrive_whole() {
    let mut model = loom::model::Builder::new();
    // Unbounded it takes minutes.
    model.preemption_bound = Some(3);
    model.check(|| {
        let world = World::new(3);
        let threads: [fn(&World) -> Vec<usize>; 3] = [
            |world| {
                world.give(0);
                vec![]
            },
            |world| {
                world.give(1);
                world.give(2);
                vec![]
            },
            |world| {
                let mut taken = world.take_all();
                taken.extend(world.take_all());
                taken
            },
        ];
        let threads = threads.map(|body| {
            let world = world.clone();
            thread::spawn(move || body(&world))
        });
        let mut held: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        held.extend(world.take_all());
        held.sort_unstable();
        assert_eq!(held, [0, 1, 2], "lost or doubled");
    });
}

/// A block comes home, is handed out again and returned again, while another thread is inside a push that has seen it as
/// the head: an equal head must do no harm.
///
/// Weakened and seen failing: `push` exchange relaxed, `take_all` swap relaxed.
#[test]
fn loom_an_equal_head_is_as_good() {
    loom::model(|| {
        let world = World::new(2);
        world.give(0);
        let (owner, other) = (world.clone(), world.clone());
        let owner = thread::spawn(move || {
            let taken = owner.take_all();
            if taken.contains(&0) {
                owner.give(0);
            }
            taken.into_iter().filter(|&number| number != 0).collect::<Vec<_>>()
        });
        let other = thread::spawn(move || other.give(1));
        other.join().unwrap();
        let mut held = owner.join().unwrap();
        held.extend(world.take_all());
        held.sort_unstable();
        assert_eq!(held, [0, 1], "lost or doubled");
    });
}
