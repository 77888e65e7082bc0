//! Buffers that grow, and buffers that are large from the start.

use crate::rng::Rng;
use crate::task::{Tally, Task};
use std::hint::black_box;
use std::mem::MaybeUninit;

/// Vectors that grow at the same time.
const SIDE_BY_SIDE: usize = 64;

/// Pushes numbers to a random one of many vectors; a vector that has reached its length is summed and starts anew.
pub(crate) fn vectors_small(task: Task) -> Tally {
    let pushes = task.share(100_000_000);
    task.split(|thread| {
        let mut rng = Rng::new(0x5eed_0006, thread);
        let mut tally = Tally::default();
        let mut vectors: Vec<(Vec<u32>, usize)> = vec![(Vec::new(), 8); SIDE_BY_SIDE];
        let mut pushed = 0;
        while pushed < pushes {
            let (vector, length) = &mut vectors[rng.below(SIDE_BY_SIDE)];
            // A run of pushes, so that finding the vector does not cost more than growing it.
            for _ in 0..8 {
                if vector.len() == vector.capacity() {
                    tally.operations += 1;
                }
                vector.push(pushed as u32);
                pushed += 1;
            }
            if vector.len() >= *length {
                tally.add(vector.iter().map(|&value| u64::from(value)).sum());
                *vector = Vec::new();
                *length = rng.size(8, 7);
            }
        }
        tally
    })
}

/// The length at which the larger of the two vectors stops, in bytes.
const LARGE: usize = 64 << 20;

/// Pairs of vectors that grow one after the other, over all threads.
const ROUNDS: usize = 8;

/// Two vectors grow in step, so that neither is alone at the end of the heap; then both are read and dropped.
pub(crate) fn vectors_large(task: Task) -> Tally {
    let rounds = (ROUNDS / task.threads()).max(1);
    // With more threads than rounds every thread has one round, and the vectors are shorter: the pushes stay the same.
    let words = task.scaled(LARGE / 8) * ROUNDS / task.threads().max(ROUNDS);
    task.split(|thread| {
        let mut tally = Tally::default();
        for round in 0..rounds {
            let (mut wide, mut narrow) = (Vec::<u64>::new(), Vec::<u16>::new());
            for index in 0..words {
                if wide.len() == wide.capacity() {
                    tally.operations += 2;
                }
                wide.push((index ^ round ^ thread << 32) as u64);
                narrow.push(index as u16);
            }
            black_box((wide.as_mut_ptr(), narrow.as_mut_ptr()));
            tally.add(wide.iter().fold(0, |sum, &value| sum ^ value.wrapping_mul(3)));
            tally.add(narrow.iter().map(|&value| u64::from(value)).sum());
        }
        tally
    })
}

/// Live buffers, over all threads.
const BUFFERS: usize = 20;

/// A buffer's size lies between five of these and twenty-five.
const MEBIBYTE: usize = 1 << 20;

/// Pages are touched at this distance.
const PAGE: usize = 4096;

/// Replaces a random buffer of 5 to 25 MiB, again and again, and touches every page of the new one.
pub(crate) fn large_blocks(task: Task) -> Tally {
    let rounds = task.share(1000);
    let own = BUFFERS / task.threads();
    task.split(|thread| {
        let mut rng = Rng::new(0x5eed_0007, thread);
        let mut tally = Tally::default();
        let mut buffers: Vec<Touched> = (0..own).map(|_| Touched::new(&mut rng)).collect();
        for _ in 0..rounds {
            let slot = rng.below(own);
            tally.count(buffers[slot].sum());
            // As an assignment does it: the old buffer goes when the new one is there.
            buffers[slot] = Touched::new(&mut rng);
        }
        for buffer in &buffers {
            tally.count(buffer.sum());
        }
        tally
    })
}

/// A buffer of which the first byte of every page is written.
struct Touched(Box<[MaybeUninit<u8>]>);

impl Touched {
    fn new(rng: &mut Rng) -> Self {
        let size = 5 * MEBIBYTE + rng.below(20 * MEBIBYTE);
        let mut bytes = Box::new_uninit_slice(size);
        let mark = rng.word();
        for (page, byte) in bytes.iter_mut().step_by(PAGE).enumerate() {
            byte.write((mark >> (page % 8 * 8)) as u8);
        }
        black_box(bytes.as_mut_ptr());
        Self(bytes)
    }

    /// The sum over every sixteenth page: enough to notice a lost one, without making reading the main work.
    fn sum(&self) -> u64 {
        // SAFETY: the first byte of every page was written by `new`; the step is a multiple of the page.
        let read = |byte: &MaybeUninit<u8>| unsafe { byte.assume_init() };
        self.0.iter().step_by(PAGE * 16).map(|byte| u64::from(read(byte))).sum::<u64>() ^ self.0.len() as u64
    }
}
