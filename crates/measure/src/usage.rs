//! What the kernel counted for a run, and the figures that are compared.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::units;

/// What the kernel accounted to a program, and to the children that it waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// From just before the start to the end.
    #[serde(rename = "wall_s", with = "seconds")]
    pub wall: Duration,
    /// Time in user mode.
    #[serde(rename = "user_s", with = "seconds")]
    pub user: Duration,
    /// Time in the kernel.
    #[serde(rename = "system_s", with = "seconds")]
    pub system: Duration,
    /// The largest resident size of one process, in KiB.
    #[serde(rename = "peak_rss_bytes", with = "bytes")]
    pub peak_rss_kib: u64,
    /// Page faults that needed no disk.
    pub minor_faults: u64,
    /// Page faults that did.
    pub major_faults: u64,
    /// Context switches, given up or taken away.
    #[serde(rename = "context_switches")]
    pub switches: u64,
}

impl Usage {
    /// Time in user mode and in the kernel, on all processors together.
    #[must_use]
    pub fn cpu(&self) -> Duration {
        self.user + self.system
    }
}

/// Times are seconds in JSON.
mod seconds {
    use core::time::Duration;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_f64(value.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(input)?).map_err(D::Error::custom)
    }
}

/// Sizes are bytes in JSON; the kernel counts in KiB.
mod bytes {
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    pub(super) fn serialize<S: Serializer>(value: &u64, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_u64(value.saturating_mul(1024))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<u64, D::Error> {
        Ok(u64::deserialize(input)? / 1024)
    }
}

/// A figure that can be compared. Less is better in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// User and system time: what the work costs.
    Cpu,
    /// The largest resident size.
    PeakRss,
    /// From start to end: what a person waits for.
    Wall,
    /// Page faults that needed no disk.
    MinorFaults,
    /// Time in user mode.
    User,
    /// Time in the kernel.
    System,
    /// Page faults that needed the disk.
    MajorFaults,
    /// Context switches.
    Switches,
}

impl Figure {
    /// Every figure, in the order in which they are shown.
    pub const ALL: [Figure; 8] = [
        Figure::Cpu,
        Figure::PeakRss,
        Figure::Wall,
        Figure::MinorFaults,
        Figure::User,
        Figure::System,
        Figure::MajorFaults,
        Figure::Switches,
    ];

    /// Those that an allocator is judged by.
    pub const HEADLINE: [Figure; 4] = [Figure::Cpu, Figure::PeakRss, Figure::Wall, Figure::MinorFaults];

    /// Its name in JSON.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Figure::Cpu => "cpu_s",
            Figure::PeakRss => "peak_rss_bytes",
            Figure::Wall => "wall_s",
            Figure::MinorFaults => "minor_faults",
            Figure::User => "user_s",
            Figure::System => "system_s",
            Figure::MajorFaults => "major_faults",
            Figure::Switches => "context_switches",
        }
    }

    /// Its name for people.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Figure::Cpu => "CPU time",
            Figure::PeakRss => "peak RSS",
            Figure::Wall => "wall time",
            Figure::MinorFaults => "minor faults",
            Figure::User => "user time",
            Figure::System => "system time",
            Figure::MajorFaults => "major faults",
            Figure::Switches => "context switches",
        }
    }

    /// The figure of one run, in its base unit: seconds, bytes, a count.
    #[must_use]
    pub fn of(self, usage: &Usage) -> f64 {
        match self {
            Figure::Cpu => usage.cpu().as_secs_f64(),
            Figure::PeakRss => units::approximate(usage.peak_rss_kib.saturating_mul(1024)),
            Figure::Wall => usage.wall.as_secs_f64(),
            Figure::MinorFaults => units::approximate(usage.minor_faults),
            Figure::User => usage.user.as_secs_f64(),
            Figure::System => usage.system.as_secs_f64(),
            Figure::MajorFaults => units::approximate(usage.major_faults),
            Figure::Switches => units::approximate(usage.switches),
        }
    }

    /// A value of this figure as people read it.
    #[must_use]
    pub fn show(self, value: f64) -> String {
        match self {
            Figure::Cpu | Figure::Wall | Figure::User | Figure::System => units::seconds(value),
            Figure::PeakRss => units::bytes(units::whole(value)),
            Figure::MinorFaults | Figure::MajorFaults | Figure::Switches => units::count(units::whole(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_base_units_and_reads_back() {
        let usage = Usage {
            wall: Duration::from_micros(1_500_000),
            user: Duration::from_millis(20),
            system: Duration::from_millis(5),
            peak_rss_kib: 3,
            minor_faults: 7,
            major_faults: 1,
            switches: 9,
        };
        let text = serde_json::to_string(&usage).unwrap();
        assert!(text.contains("\"wall_s\":1.5") && text.contains("\"peak_rss_bytes\":3072"), "{text}");
        assert_eq!(serde_json::from_str::<Usage>(&text).unwrap(), usage);
        assert_eq!(Figure::Cpu.of(&usage), 0.025);
        assert_eq!(Figure::PeakRss.show(Figure::PeakRss.of(&usage)), "3.00 KiB");
    }

    #[test]
    fn negative_time_is_no_time() {
        let text = r#"{"wall_s":-1.0,"user_s":0,"system_s":0,"peak_rss_bytes":0,"minor_faults":0,"major_faults":0,"context_switches":0}"#;
        assert!(serde_json::from_str::<Usage>(text).is_err());
    }
}
