//! The table of cases: who does what, how much of it, and what is aimed at.

mod arenas;
mod blocks;
mod bumpalo_shapes;
mod compacting;
mod fibers;
mod heaps;
mod latencies;
mod modifiers;
mod pages;
mod partition;
mod processes;
mod replicated;
mod shared;
mod small_objects;

use core::mem::MaybeUninit;

use serde::{Deserialize, Serialize};

use crate::sample::Sample;

/// What a case's figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Unit {
    /// Nanoseconds of CPU time per operation.
    #[serde(rename = "ns/op")]
    Nanoseconds,
    /// Nanoseconds of CPU time per byte.
    #[serde(rename = "ns/byte")]
    PerByte,
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

/// Operations that are counted as a rule: whole batches, and ten times the largest mix.
const COUNTED: u64 = 100_000;

/// How a case's instructions are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counting {
    /// Not: several threads, or a figure that is no time.
    No,
    /// Each operation takes as many: this many are counted, and twice as many, after a tenth of them as everywhere.
    Operations(u64),
    /// One moment, divided by the case's operations; asked for no operation, the contestants do all but the moment.
    Moment,
}

/// So many operations, and what came of them.
type Run = Box<dyn Fn(u64) -> Sample>;

/// One row of a case.
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    pub(crate) ours: bool,
    /// Does so many operations.
    pub(crate) run: Run,
    /// The same operations for counting, where timing each of them would be counted too.
    pub(crate) unclocked: Option<Run>,
}

/// Work that all its contestants do.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) models: &'static str,
    pub(crate) unit: Unit,
    pub(crate) operations: u64,
    pub(crate) contestants: Vec<Contestant>,
    pub(crate) targets: Vec<Target>,
    pub(crate) counting: Counting,
    /// The contestant whose figure is part of all others': what they have more is their price.
    pub(crate) baseline: Option<&'static str>,
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
            counting: Counting::Operations(COUNTED),
            baseline: None,
        }
    }

    fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    fn counting(mut self, how: Counting) -> Self {
        self.counting = how;
        self
    }

    fn over(mut self, baseline: &'static str) -> Self {
        self.baseline = Some(baseline);
        self
    }

    fn ours(mut self, name: &'static str, run: impl Fn(u64) -> Sample + 'static) -> Self {
        self.contestants.push(Contestant { name, ours: true, run: Box::new(run), unclocked: None });
        self
    }

    fn peer(self, name: &'static str, run: impl Fn(u64) -> Sample + 'static) -> Self {
        let mut case = self.ours(name, run);
        case.last().ours = false;
        case
    }

    /// The operations of the last contestant without a clock.
    fn unclocked(mut self, run: impl Fn(u64) -> Sample + 'static) -> Self {
        self.last().unclocked = Some(Box::new(run));
        self
    }

    fn last(&mut self) -> &mut Contestant {
        self.contestants.last_mut().expect("a contestant was named before")
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
    let parts = [
        bumpalo_shapes::cases(),
        arenas::cases(),
        blocks::cases(),
        shared::cases(),
        heaps::cases(),
        latencies::cases(),
        fibers::cases(),
        pages::cases(),
        partition::cases(),
        processes::cases(),
        replicated::cases(),
        compacting::cases(),
        small_objects::cases(),
        modifiers::cases(),
    ];
    parts.into_iter().flatten().collect()
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
