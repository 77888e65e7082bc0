//! How hard the kit looks.

use crate::{Alignment, ResourceInfo};

/// The extent of one run. Everything random in it follows from `seed`.
///
/// The limits are lowered by the kit where the resource's `info` states smaller ones, so one configuration serves a heap
/// and a pool.
///
/// ```
/// use stratalloc_resource::conformance::Config;
///
/// let thorough = Config { operations: 100_000, ..Config::default() };
/// assert_eq!(thorough.seed, Config::default().seed);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where all choices come from.
    pub seed: u64,
    /// Operations of each random stage, and of each thread in it.
    pub operations: usize,
    /// The most blocks that a thread keeps live at once.
    pub live: usize,
    /// The largest ordinary request. (Absurdly large ones are tried as well, and must be refused.)
    pub max_size: usize,
    /// The largest alignment.
    pub max_align: Alignment,
    /// Threads of the parallel stages; at least two are used.
    pub threads: usize,
    /// A resource with a larger capacity than this many bytes is not driven to exhaustion.
    pub exhaust: usize,
}

/// How many generated cases a property test should try that usually tries `usual`: `SCALE` times as many where the environment sets
/// that, a twentieth under Miri.
///
/// ```
/// use stratalloc_resource::conformance;
///
/// // Where neither is the case, as many as were asked for.
/// assert!(conformance::cases(60) >= 2);
/// ```
#[must_use]
pub fn cases(usual: u32) -> u32 {
    if cfg!(miri) {
        return (usual / 20).max(2);
    }
    let scale = std::env::var("SCALE").ok().and_then(|text| text.parse().ok());
    usual.saturating_mul(scale.unwrap_or(1))
}

impl Default for Config {
    /// Well under a second for a fast resource in a debug build.
    fn default() -> Self {
        Self {
            seed: 0x5EED_0F57_4A7A_110C,
            operations: 4_000,
            live: 64,
            max_size: 64 * 1024,
            max_align: Alignment::constant::<4096>(),
            threads: 4,
            exhaust: 16 * 1024 * 1024,
        }
    }
}

impl Config {
    /// The same, with the limits that the resource states.
    pub(super) fn fitted(mut self, info: &ResourceInfo<'_>) -> Self {
        if let Some(capacity) = info.capacity {
            // An eighth leaves room for several blocks, and for the gaps that alignment costs between them.
            self.max_size = self.max_size.min(capacity / 8);
            if let Some(align) = Alignment::new((capacity / 8 + 1).next_power_of_two() / 2) {
                self.max_align = self.max_align.min(align);
            }
        }
        self.max_size = info.max_size.map_or(self.max_size, |size| size.min(self.max_size)).max(1);
        self.max_align = info.max_align.map_or(self.max_align, |align| align.min(self.max_align));
        self.live = self.live.max(2);
        self.threads = self.threads.max(2);
        if cfg!(miri) { self.interpreted() } else { self }
    }

    /// What ends in seconds under Miri, where filling or checking a byte costs a microsecond: every stage, less of each.
    fn interpreted(self) -> Self {
        Self {
            operations: self.operations.min(30),
            live: self.live.min(8),
            max_size: self.max_size.min(1024),
            max_align: self.max_align.min(Alignment::constant::<256>()),
            threads: 2,
            exhaust: self.exhaust.min(16 * 1024),
            ..self
        }
    }

    /// The alignments to try, ascending.
    pub(super) fn alignments(&self) -> impl Iterator<Item = Alignment> + use<> {
        let max = self.max_align;
        (0..=max.log2()).filter_map(|log2| Alignment::new(1 << log2))
    }
}
