//! Small objects: pairs, batches, and a permuted tear-down.

use crate::block::Block;
use crate::rng::Rng;
use crate::task::{Tally, Task};
use std::hint::black_box;
use std::mem::MaybeUninit;

/// A boxed object of a size known when compiled: one word of contents and `REST` words nobody writes.
struct Object<const REST: usize> {
    value: u64,
    #[expect(dead_code, reason = "it stands for fields that are not written yet")]
    rest: [MaybeUninit<u64>; REST],
}

impl<const REST: usize> Object<REST> {
    /// A box that the optimiser must believe in.
    #[inline]
    fn boxed(value: u64) -> Box<Self> {
        let mut object = Box::new(Self { value, rest: [const { MaybeUninit::uninit() }; REST] });
        black_box(&mut *object);
        object
    }
}

/// Makes a box and drops it, again and again.
pub(crate) fn pairs<const REST: usize>(task: Task) -> Tally {
    let rounds = task.share(50_000_000);
    task.split(|thread| {
        let mut tally = Tally::default();
        for round in 0..rounds {
            let object = Object::<REST>::boxed((round ^ thread) as u64);
            tally.count(object.value);
        }
        tally
    })
}

/// How many objects a batch has.
const BATCH: usize = 1000;

/// The sizes in a batch, in turn.
const BATCH_SIZES: [usize; 8] = [24, 48, 64, 32, 96, 40, 160, 80];

/// One batch after the other; `drain` drops the objects and folds them into the tally.
fn batches(task: Task, drain: impl Fn(&mut Vec<Block>, &mut Tally) + Sync) -> Tally {
    let rounds = task.share(16_000);
    task.split(|thread| {
        let mut tally = Tally::default();
        let mut batch = Vec::with_capacity(BATCH);
        for round in 0..rounds {
            for index in 0..BATCH {
                let mark = (thread << 48 | round << 16 | index) as u64;
                batch.push(Block::new(BATCH_SIZES[index % BATCH_SIZES.len()], mark));
            }
            drain(&mut batch, &mut tally);
        }
        tally
    })
}

/// Batches dropped newest first.
pub(crate) fn batch_lifo(task: Task) -> Tally {
    batches(task, |batch, tally| {
        while let Some(block) = batch.pop() {
            tally.count(block.mark());
        }
    })
}

/// Batches dropped oldest first.
pub(crate) fn batch_fifo(task: Task) -> Tally {
    batches(task, |batch, tally| {
        for block in batch.drain(..) {
            tally.count(block.mark());
        }
    })
}

/// How many boxes the permuted tear-down has, over all threads.
const GRAPH: usize = 60_000;

/// Fills a table with boxes in order, and empties it in an order that has nothing to do with it.
pub(crate) fn permuted_free(task: Task) -> Tally {
    let rounds = task.scaled(120);
    let nodes = GRAPH / task.threads();
    task.split(|thread| {
        let mut order: Vec<usize> = (0..nodes).collect();
        Rng::new(0x5eed_0001, thread).shuffle(&mut order);
        let mut table: Vec<Option<Box<Object<7>>>> = Vec::new();
        table.resize_with(nodes, || None);
        let mut tally = Tally::default();
        for round in 0..rounds {
            for (index, slot) in table.iter_mut().enumerate() {
                *slot = Some(Object::boxed((round << 32 | index) as u64));
            }
            for &index in &order {
                if let Some(object) = table[index].take() {
                    tally.count(object.value);
                }
            }
        }
        tally
    })
}
