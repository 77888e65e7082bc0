//! The depot between threads' caches: two threads leave chains and take them; each arrives whole, once, or stays with its owner.

use alloc::vec::Vec;
use core::ptr::NonNull;

use loom::sync::Arc;
use loom::thread;
use stratalloc_primitives::primitive::cell::UnsafeCell;

use crate::thread_cached::Exchange;

/// What a chain of one block costs.
const BYTES: usize = 10;

struct Node {
    number: usize,
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
    exchange: Exchange<Node, 1, 2>,
    nodes: Vec<Node>,
}

// SAFETY: cells of a node are touched by its owner only, which is what the models check.
unsafe impl Sync for World {}
// SAFETY: as above.
unsafe impl Send for World {}

impl World {
    fn new(nodes: usize, most: usize) -> Arc<Self> {
        let node = |number| Node { number, payload: UnsafeCell::new(0) };
        Arc::new(Self { exchange: Exchange::new(most), nodes: (0..nodes).map(node).collect() })
    }

    /// Uses a node and leaves it; whether there was room.
    fn put(&self, number: usize) -> bool {
        let node = &self.nodes[number];
        node.touch();
        let left = self.exchange.put(0, NonNull::from(node), BYTES);
        if !left {
            // Still ours.
            node.touch();
        }
        left
    }

    /// Takes a node and uses it; which one it was.
    fn take(&self) -> Option<usize> {
        let node = self.exchange.take(0, BYTES)?;
        // SAFETY: all nodes are the world's, which is borrowed.
        let node = unsafe { node.as_ref() };
        node.touch();
        Some(node.number)
    }
}

/// Both threads leave one and take one; the exchange has room for two.
///
/// Weakened and seen failing: exchange in `put` relaxed, swap in `take` relaxed: "Causality violation: Concurrent write accesses".
#[test]
fn loom_chains_arrive_whole_and_once() {
    loom::model(|| {
        let world = World::new(2, 2 * BYTES);
        let run = |number: usize| {
            let world = world.clone();
            thread::spawn(move || (world.put(number), world.take()))
        };
        let answers = [run(0), run(1)].map(|thread| thread.join().unwrap());
        assert!(answers.iter().all(|(left, _)| *left), "there is room for both");
        let mut found: Vec<_> = answers.iter().filter_map(|(_, taken)| *taken).collect();
        while let Some(number) = world.take() {
            found.push(number);
        }
        found.sort_unstable();
        assert_eq!(found, [0, 1]);
        assert_eq!(world.exchange.bytes(), 0);
    });
}

/// Two leave one each where there is room for the bytes of one; a third takes. What was refused stayed with its owner, and the bound was kept.
#[test]
fn loom_the_bound_is_kept_and_the_sum_is_right() {
    loom::model(|| {
        let world = World::new(2, BYTES);
        let put = |number: usize| {
            let world = world.clone();
            thread::spawn(move || world.put(number))
        };
        let taker = {
            let world = world.clone();
            thread::spawn(move || {
                let taken = world.take();
                assert!(world.exchange.bytes() <= BYTES);
                taken
            })
        };
        let left = [put(0), put(1)].map(|thread| thread.join().unwrap());
        let taken = taker.join().unwrap();
        let mut found: Vec<_> = taken.into_iter().collect();
        while let Some(number) = world.take() {
            found.push(number);
        }
        found.sort_unstable();
        let expected: Vec<_> = (0..2).filter(|&number| left[number]).collect();
        assert_eq!(found, expected);
        assert_eq!(world.exchange.bytes(), 0);
    });
}
