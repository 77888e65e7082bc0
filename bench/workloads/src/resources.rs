//! A loader with a cache of decoded files.
//!
//! ```text
//!   request id ──► in the cache? ──yes──► touch it
//!                       │no
//!                       ▼
//!   file (256 KiB … 4 MiB) ──decode──► name, directory, parts of 1 … 64 KiB ──► cache, oldest evicted by bytes
//!   └── dropped when decoded
//! ```
//!
//! The large buffer and the small parts alternate: an allocator that keeps large memory for large requests only, or that
//! spreads parts over it, shows here.

use crate::data::text_sum;
use crate::rng::Rng;
use crate::task::{Tally, Task};
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasherDefault;

/// What the caches of all threads may hold together, in bytes.
const BUDGET: usize = 32 << 20;

/// Files that exist, for all threads together: each thread has its own part, as it has its part of the budget.
const FILES: usize = 400;

/// The smallest part in bytes: a power of two, as is the ratio of the largest to it.
const PART: usize = 1 << 10;

type Map<V> = HashMap<usize, V, BuildHasherDefault<crate::data::Fold>>;

/// A decoded file.
struct Resource {
    name: String,
    parts: Vec<Box<[u64]>>,
    /// When it was last asked for; the key in the order of eviction.
    used: u64,
}

/// Resources by number, and their numbers by age.
#[derive(Default)]
struct Cache {
    resources: Map<Resource>,
    by_age: BTreeMap<u64, usize>,
    bytes: usize,
    clock: u64,
}

/// Asks for files; each thread has a cache of its own.
pub(crate) fn resources(task: Task) -> Tally {
    let requests = task.share(10_000);
    let (budget, files) = (BUDGET / task.threads(), FILES / task.threads());
    task.split(|thread| {
        let mut rng = Rng::new(0x5eed_0011, thread);
        let mut tally = Tally::default();
        let mut cache = Cache::default();
        for _ in 0..requests {
            // Four of five requests go to the eighth of the files that is popular.
            let among = if rng.below(5) == 0 { files } else { files / 8 };
            let sum = cache.request(rng.below(among), budget, &mut tally);
            tally.add(sum);
        }
        for resource in cache.resources.values() {
            tally.add(resource.checksum());
        }
        tally
    })
}

impl Cache {
    /// Looks a file up, or loads it; a number made of its contents.
    fn request(&mut self, file: usize, budget: usize, tally: &mut Tally) -> u64 {
        self.clock += 1;
        if let Some(resource) = self.resources.get_mut(&file) {
            self.by_age.remove(&resource.used);
            self.by_age.insert(self.clock, file);
            resource.used = self.clock;
            return resource.parts[self.clock as usize % resource.parts.len()][0]
                ^ resource.name.len() as u64;
        }
        let resource = load(file, self.clock, tally);
        let sum = resource.checksum();
        self.bytes += resource.bytes();
        self.by_age.insert(self.clock, file);
        self.resources.insert(file, resource);
        while self.bytes > budget {
            let (_, oldest) = self.by_age.pop_first().expect("something fills the cache");
            let evicted = self.resources.remove(&oldest).expect("what has an age is there");
            self.bytes -= evicted.bytes();
            tally.add(evicted.checksum());
        }
        sum
    }
}

impl Resource {
    fn bytes(&self) -> usize {
        self.parts.iter().map(|part| size_of_val(&**part)).sum()
    }

    /// Reads the ends of every part, and the name.
    fn checksum(&self) -> u64 {
        let ends = self.parts.iter().map(|part| part[0].rotate_left(1) ^ part[part.len() - 1]);
        ends.fold(text_sum(&self.name), |sum, ends| sum.wrapping_mul(31).wrapping_add(ends))
    }
}

/// Reads the whole file, then decodes it part by part. The file's contents depend on its number alone.
fn load(file: usize, used: u64, tally: &mut Tally) -> Resource {
    let mut rng = Rng::new(0x5eed_0012, file);
    let contents: Vec<u64> = {
        let words = rng.size(256 << 10, 4) / 8;
        let mark = rng.word();
        (0..words as u64).map(|word| mark ^ word).collect()
    };
    let name = format!("resources/{file:04}/{:0width$x}.pack", contents[0], width = 16 + rng.below(40));
    let (mut parts, mut rest) = (Vec::new(), &contents[..]);
    while !rest.is_empty() {
        // Four words of the file make one of the part.
        let length = rng.size(PART, 6) / 8;
        let (source, after) = rest.split_at(rest.len().min(length * 4));
        let part: Box<[u64]> =
            source.chunks(4).map(|chunk| chunk.iter().fold(0, |sum, word| sum ^ word)).collect();
        parts.push(part);
        rest = after;
    }
    tally.operations += 2 + parts.len() as u64;
    Resource { name, parts, used }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_keeps_to_its_budget_and_its_ages() {
        let (mut cache, mut tally) = (Cache::default(), Tally::default());
        for file in (0..40).chain([5, 38, 39]) {
            cache.request(file, 4 << 20, &mut tally);
            assert!(cache.bytes <= 4 << 20, "{} bytes after file {file}", cache.bytes);
            assert_eq!(cache.by_age.len(), cache.resources.len());
            assert_eq!(cache.resources[&file].used, cache.clock, "file {file} is the youngest");
        }
        assert!(cache.resources.len() > 2, "several files fit the budget");
        assert_eq!(cache.bytes, cache.resources.values().map(Resource::bytes).sum::<usize>());
    }
}
