//! Resident memory over time, looked at from outside.
//!
//! ```text
//!   every 1 ms … until 256 points are full ──▶ drop every other one, look half as often ──▶ …
//! ```
//! So a run of a millisecond and a run of an hour both leave 128 to 256 points, evenly spread, and a long run is hardly
//! disturbed. The figure is the second one of `/proc/PID/statm`: it costs the kernel a few counters (`smaps_rollup` would
//! walk all page tables under the lock that page faults need), and may be off by some pages per processor. It is about
//! the process that was started, not about its children.

use core::time::Duration;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// So many points are kept at most.
const CAPACITY: usize = 256;
/// The interval at the beginning.
const SHORTEST: Duration = Duration::from_millis(1);

/// What was seen: pairs of microseconds since the start and resident bytes, in the order of time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Curve {
    /// The pairs.
    pub points: Vec<(u64, u64)>,
}

impl Curve {
    /// When the last point was seen, in microseconds.
    #[must_use]
    pub fn duration(&self) -> u64 {
        self.points.last().map_or(0, |point| point.0)
    }

    /// The most that was seen, in bytes.
    #[must_use]
    pub fn peak(&self) -> u64 {
        self.points.iter().map(|point| point.1).max().unwrap_or(0)
    }
}

/// Looks at one process from time to time.
#[derive(Debug)]
pub(crate) struct Sampler {
    statm: File,
    page: u64,
    start: Instant,
    points: Thinned,
    due: Instant,
}

impl Sampler {
    /// `None` when the process cannot be looked at: it is gone, or `/proc` is not there.
    pub(crate) fn new(process: u32, start: Instant, page: u64) -> Option<Sampler> {
        let statm = File::open(format!("/proc/{process}/statm")).ok()?;
        let points = Thinned { points: Vec::with_capacity(CAPACITY), interval: SHORTEST };
        Some(Sampler { statm, page, start, points, due: start })
    }

    /// How long until the next look.
    pub(crate) fn patience(&self) -> Duration {
        self.due.saturating_duration_since(Instant::now())
    }

    /// Looks, if it is time.
    pub(crate) fn look(&mut self) {
        let now = Instant::now();
        if now < self.due {
            return;
        }
        if let Some(pages) = self.resident_pages()
            && pages > 0
        {
            let micros = u64::try_from(now.duration_since(self.start).as_micros()).unwrap_or(u64::MAX);
            self.points.push((micros, pages * self.page));
        }
        self.due = now + self.points.interval;
    }

    fn resident_pages(&mut self) -> Option<u64> {
        let mut text = [0; 128];
        self.statm.seek(SeekFrom::Start(0)).ok()?;
        let length = self.statm.read(&mut text).ok()?;
        core::str::from_utf8(&text[..length]).ok()?.split(' ').nth(1)?.parse().ok()
    }

    /// What was seen.
    pub(crate) fn finish(self) -> Curve {
        Curve { points: self.points.points }
    }
}

/// Points that make room for themselves.
#[derive(Debug)]
struct Thinned {
    points: Vec<(u64, u64)>,
    interval: Duration,
}

impl Thinned {
    fn push(&mut self, point: (u64, u64)) {
        if self.points.len() == CAPACITY {
            let mut index = 0;
            self.points.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.interval *= 2;
        }
        self.points.push(point);
    }
}

#[cfg(test)]
mod tests {
    //! Covers the thinning; looking at a live process is in `tests/process.rs`.
    use super::*;

    #[test]
    fn a_long_run_keeps_evenly_spread_points() {
        let mut thinned = Thinned { points: Vec::new(), interval: SHORTEST };
        let mut time = 0;
        while time < 1_000_000 {
            thinned.push((time, 1));
            time += u64::try_from(thinned.interval.as_millis()).unwrap();
        }
        assert!((CAPACITY / 2..=CAPACITY).contains(&thinned.points.len()), "{}", thinned.points.len());
        let gaps: Vec<u64> = thinned.points.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        let widest = *gaps.iter().max().unwrap();
        assert!(gaps.iter().all(|&gap| gap * 2 >= widest), "{gaps:?}");
        assert_eq!(thinned.points[0].0, 0);
    }
}
