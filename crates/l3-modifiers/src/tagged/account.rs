//! [`Account`]: the counters of one tag, and the only place where bytes are charged.
//!
//! ```text
//!   charge(n) ──► live + n ≤ hard? ── no ──► over_budget        live, peak, soft_events
//!                  └─ yes: live += n ──► the resource below ── refuses ──► live −= n, refused_below
//!                                          └─ serves: allocations or resizes
//! ```
//!
//! # Invariants
//!
//! * **BUDGET-HARD** `live` grows only by an exchange that has compared the sum with the hard limit, so threads that race never exceed it
//!   together. (A limit that is lowered later may be below what is live; then nothing more is served.)
//! * **BUDGET-LIVE** `live` is the sum of the requested sizes of the live blocks and of the charges under way.

use core::mem::offset_of;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use stratalloc_resource::{MemoryTag, Violation};

use super::budget::{Budget, TagUsage};

/// The counters of one tag, on cache lines of their own: threads with different tags do not meet. What every request and release touches
/// is on the first.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Account {
    live: AtomicUsize,
    peak: AtomicUsize,
    soft: AtomicUsize,
    hard: AtomicUsize,
    allocations: AtomicUsize,
    releases: AtomicUsize,
    resizes: AtomicUsize,
    soft_events: AtomicUsize,
    over_budget: AtomicUsize,
    refused_below: AtomicUsize,
    name: &'static str,
}

const _: () =
    assert!(offset_of!(Account, soft_events) < 64 && size_of::<Account>() <= 128, "two lines a tag");

fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Relaxed);
}

impl Account {
    pub(super) const fn new(name: &'static str, budget: Budget) -> Self {
        Self {
            name,
            soft: AtomicUsize::new(budget.soft),
            hard: AtomicUsize::new(budget.hard),
            live: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            allocations: AtomicUsize::new(0),
            releases: AtomicUsize::new(0),
            resizes: AtomicUsize::new(0),
            over_budget: AtomicUsize::new(0),
            refused_below: AtomicUsize::new(0),
            soft_events: AtomicUsize::new(0),
        }
    }

    pub(super) const fn define(&mut self, name: &'static str, budget: Budget) {
        self.name = name;
        (self.soft, self.hard) = (AtomicUsize::new(budget.soft), AtomicUsize::new(budget.hard));
    }

    pub(super) fn set_budget(&self, budget: Budget) {
        self.soft.store(budget.soft, Relaxed);
        self.hard.store(budget.hard, Relaxed);
    }

    /// Makes `bytes` live if the hard limit allows it: BUDGET-HARD. No bytes are always allowed: a block may shrink when too much is live.
    pub(super) fn charge(&self, bytes: usize) -> bool {
        let hard = self.hard.load(Relaxed);
        let within = |live: usize| live.checked_add(bytes).filter(|&sum| bytes == 0 || sum <= hard);
        let Ok(before) = self.live.fetch_update(Relaxed, Relaxed, within) else {
            count(&self.over_budget);
            return false;
        };
        let live = before + bytes;
        let soft = self.soft.load(Relaxed);
        if before <= soft && live > soft {
            count(&self.soft_events);
        }
        // Most charges reach no new peak: the load spares the line to others.
        if live > self.peak.load(Relaxed) {
            self.peak.fetch_max(live, Relaxed);
        }
        true
    }

    /// A charge that the resource below did not serve.
    #[cold]
    pub(super) fn refund(&self, bytes: usize) {
        self.live.fetch_sub(bytes, Relaxed);
        count(&self.refused_below);
    }

    /// A charge that became a block.
    pub(super) fn served(&self) {
        count(&self.allocations);
    }

    pub(super) fn released(&self, bytes: usize) {
        count(&self.releases);
        self.live.fetch_sub(bytes, Relaxed);
    }

    /// A block that lost `bytes`, perhaps none.
    pub(super) fn resized(&self, bytes: usize) {
        count(&self.resizes);
        self.live.fetch_sub(bytes, Relaxed);
    }

    /// Nothing is live any more.
    pub(super) fn start_over(&mut self) {
        *self.live.get_mut() = 0;
        *self.releases.get_mut() = *self.allocations.get_mut();
    }

    pub(super) fn usage(&self, tag: MemoryTag) -> TagUsage {
        TagUsage {
            tag,
            name: self.name,
            // Releases first: nobody then sees more of them than of allocations.
            releases: self.releases.load(Relaxed),
            allocations: self.allocations.load(Relaxed),
            resizes: self.resizes.load(Relaxed),
            live_bytes: self.live.load(Relaxed),
            peak_bytes: self.peak.load(Relaxed),
            over_budget: self.over_budget.load(Relaxed),
            refused_below: self.refused_below.load(Relaxed),
            soft_events: self.soft_events.load(Relaxed),
            budget: Budget { soft: self.soft.load(Relaxed), hard: self.hard.load(Relaxed) },
        }
    }

    /// TAG-BLOCKS: `releases <= allocations`, and no bytes are live without a block. TAG-PEAK: `live <= peak`.
    pub(super) fn validate(&self) -> Result<(), Violation> {
        let usage = self.usage(MemoryTag::UNTAGGED);
        let (blocks, live) = (usage.live_blocks(), usage.live_bytes);
        if usage.releases > usage.allocations || (blocks == 0 && live != 0) {
            let values = [usage.allocations, usage.releases, live];
            let formula = "releases <= allocations, and no live bytes without a block";
            return Err(Violation::new(
                "TAG-BLOCKS",
                formula,
                &["allocations", "releases", "live_bytes"],
                &values,
            ));
        }
        if live > usage.peak_bytes {
            let values = [live, usage.peak_bytes];
            return Err(Violation::new("TAG-PEAK", "live <= peak", &["live", "peak"], &values));
        }
        Ok(())
    }
}
