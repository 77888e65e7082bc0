//! The standard library's own containers, as programs use them.

use crate::rng::Rng;
use crate::task::{Tally, Task};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::hint::black_box;

pub(crate) const WORDS: [&str; 12] = [
    "slab",
    "depot",
    "chunk",
    "page",
    "a",
    "thread",
    "heap",
    "of",
    "remote",
    "allocation",
    "in",
    "fragmentation",
];

/// Formats lines, splits them into owned words, sorts and joins them, and cuts the result into lines again.
pub(crate) fn strings(task: Task) -> Tally {
    let documents = task.share(8_000);
    task.split(|thread| {
        let mut rng = Rng::new(0x5eed_0008, thread);
        let mut tally = Tally::default();
        for _ in 0..documents {
            let lines: Vec<String> = (0..40).map(|_| line(&mut rng)).collect();
            let mut words: Vec<String> =
                lines.iter().flat_map(|line| line.split(' ')).map(str::to_uppercase).collect();
            words.sort_unstable();
            let text = words.join("\n");
            let replaced = text.replace("HEAP", "pile");
            tally.operations += (lines.len() + words.len() + 4) as u64;
            tally.add(text_sum(&replaced));
        }
        tally
    })
}

fn line(rng: &mut Rng) -> String {
    let mut line = format!("{:08x}", rng.word() as u32);
    for _ in 0..4 + rng.below(8) {
        line.push(' ');
        line.push_str(WORDS[rng.below(WORDS.len())]);
    }
    line
}

pub(crate) fn text_sum(text: &str) -> u64 {
    text.bytes().fold(text.len() as u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)))
}

/// Entries that a map holds in the steady state, over all threads.
const ENTRIES: usize = 60_000;

/// Inserts and removes random keys of a B-tree map whose values are strings.
pub(crate) fn btree_churn(task: Task) -> Tally {
    let rounds = task.share(1_200_000);
    // Half of the possible keys are present in the long run.
    let keys = 2 * ENTRIES / task.threads();
    task.split(|thread| {
        let mut rng = Rng::new(0x5eed_0009, thread);
        let mut tally = Tally::default();
        let mut map: BTreeMap<usize, String> = BTreeMap::new();
        for _ in 0..rounds {
            let key = rng.below(keys);
            if let Some(old) = map.remove(&key) {
                tally.add(text_sum(&old));
            } else {
                map.insert(key, WORDS[key % WORDS.len()].repeat(rng.size(2, 4)));
                tally.operations += 1;
            }
        }
        tally.add(map.iter().fold(0, |sum, (key, value)| sum ^ (key * value.len()) as u64));
        tally
    })
}

/// Fills hash maps with owned keys and values, replaces and removes entries, clears, and starts again with a new map.
pub(crate) fn hash_churn(task: Task) -> Tally {
    const MAPS: usize = 6;
    let rounds = task.share(1_200_000 / MAPS);
    let keys = 3 * ENTRIES / task.threads();
    task.split(|thread| {
        let mut rng = Rng::new(0x5eed_000a, thread);
        let mut tally = Tally::default();
        for _ in 0..MAPS {
            let mut map: HashMap<String, Vec<u8>, BuildHasherDefault<Fold>> = HashMap::default();
            for _ in 0..rounds {
                let key = format!("key/{:x}", rng.below(keys));
                tally.operations += 1;
                if rng.below(4) == 0 {
                    tally.add(map.remove(&key).map_or(0, |value| value.len() as u64));
                } else {
                    let value = vec![rng.word() as u8; rng.size(16, 5)];
                    tally.operations += 1;
                    let old = map.insert(key, value);
                    tally.add(old.map_or(0, |value| u64::from(value[value.len() / 2])));
                }
            }
            tally.add(map.values().fold(0, |sum, value| sum + u64::from(value[0]) + value.len() as u64));
        }
        tally
    })
}

/// A hasher without a random seed: every run has the same collisions and the same growth.
#[derive(Default)]
pub(crate) struct Fold(u64);

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = (self.0.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
    }
}

/// A node of a binary tree.
struct Tree {
    value: u64,
    children: Option<(Box<Tree>, Box<Tree>)>,
}

/// Builds and drops trees of several depths while one large tree stays.
pub(crate) fn tree_teardown(task: Task) -> Tally {
    const LONG_LIVED: usize = 17;
    let nodes = task.share(16_000_000);
    task.split(|thread| {
        let mut rng = Rng::new(0x5eed_000b, thread);
        let mut tally = Tally::default();
        // Fewer levels for more threads: the long-lived trees together have the same size.
        let depth = LONG_LIVED - task.threads().ilog2() as usize;
        let long_lived = tree(depth, &mut rng);
        let mut built = 0;
        while built < nodes {
            let tree = tree(4 + rng.below(11), &mut rng);
            let (count, sum) = tree.walk();
            built += count;
            tally.operations += count as u64;
            tally.add(sum);
        }
        tally.add(long_lived.walk().1);
        tally
    })
}

fn tree(depth: usize, rng: &mut Rng) -> Box<Tree> {
    let children = (depth > 0).then(|| (tree(depth - 1, rng), tree(depth - 1, rng)));
    let mut tree = Box::new(Tree { value: rng.word(), children });
    black_box(&mut *tree);
    tree
}

impl Tree {
    /// The number of nodes and a sum over their values.
    fn walk(&self) -> (usize, u64) {
        self.children.as_ref().map_or((1, self.value), |(left, right)| {
            let ((left_count, left_sum), (right_count, right_sum)) = (left.walk(), right.walk());
            (1 + left_count + right_count, self.value.wrapping_add(left_sum ^ right_sum.rotate_left(1)))
        })
    }
}
