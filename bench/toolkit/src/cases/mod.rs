//! The table of cases: who does what, how much of it, and what is aimed at.

mod arenas;
mod blocks;
mod bumpalo_shapes;
mod heaps;
mod shared;

use core::mem::MaybeUninit;

use serde::{Deserialize, Serialize};

use crate::sample::Sample;

/// What a case's figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Unit {
    /// Nanoseconds of CPU time per operation.
    #[serde(rename = "ns/op")]
    Nanoseconds,
    /// Microseconds of CPU time for one operation.
    #[serde(rename = "µs")]
    Microseconds,
    /// Per cent.
    #[serde(rename = "%")]
    PerCent,
    /// Nanoseconds that 999 of 1000 single operations do not exceed.
    #[serde(rename = "ns, P99.9")]
    Latency,
}

/// What is aimed at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Target {
    /// Ours by this peer's figure; without a peer, ours alone.
    pub(crate) peer: Option<String>,
    pub(crate) at_most: f64,
}

/// One row of a case.
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    pub(crate) ours: bool,
    /// Does so many operations.
    pub(crate) run: Box<dyn Fn(u64) -> Sample>,
}

/// Work that all its contestants do.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) models: &'static str,
    pub(crate) unit: Unit,
    pub(crate) operations: u64,
    pub(crate) contestants: Vec<Contestant>,
    pub(crate) targets: Vec<Target>,
    /// Whether instructions are counted: by one thread, as many for each operation.
    pub(crate) counted: bool,
}

impl Case {
    fn new(name: impl Into<String>, models: &'static str, operations: u64) -> Self {
        Self {
            name: name.into(),
            models,
            unit: Unit::Nanoseconds,
            operations,
            contestants: Vec::new(),
            targets: Vec::new(),
            counted: true,
        }
    }

    fn unit(mut self, unit: Unit) -> Self {
        (self.unit, self.counted) = (unit, false);
        self
    }

    fn ours(mut self, name: &'static str, run: impl Fn(u64) -> Sample + 'static) -> Self {
        self.contestants.push(Contestant { name, ours: true, run: Box::new(run) });
        self
    }

    fn peer(mut self, name: &'static str, run: impl Fn(u64) -> Sample + 'static) -> Self {
        self.contestants.push(Contestant { name, ours: false, run: Box::new(run) });
        self
    }

    /// Ours (the first contestant) takes at most `part` of what `peer` takes.
    fn at_most(mut self, part: f64, peer: &'static str) -> Self {
        self.targets.push(Target { peer: Some(peer.to_owned()), at_most: part });
        self
    }

    /// Ours stays below this.
    fn below(mut self, limit: f64) -> Self {
        self.targets.push(Target { peer: None, at_most: limit });
        self
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = bumpalo_shapes::cases();
    cases.extend(arenas::cases());
    cases.extend(blocks::cases());
    cases.extend(shared::cases());
    cases.extend(heaps::cases());
    cases
}

/// Those whose names begin with one of the prefixes; all without prefixes.
pub(crate) fn named(prefixes: &[String]) -> Vec<Case> {
    let mut cases = all();
    cases.retain(|case| prefixes.is_empty() || prefixes.iter().any(|prefix| case.name.starts_with(prefix)));
    cases
}

pub(crate) fn list() {
    for case in all() {
        let names: Vec<_> = case.contestants.iter().map(|contestant| contestant.name).collect();
        println!("{:28} {:44} {}", case.name, names.join(", "), case.models);
    }
}

/// Memory for a heap, touched, for as long as the process lives.
pub(crate) fn memory(len: usize) -> &'static mut [MaybeUninit<u8>] {
    vec![MaybeUninit::new(0xA5); len].leak()
}
