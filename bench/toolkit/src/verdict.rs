//! What the samples say: medians, ratios with their intervals, and whether the targets are reached.

use stratalloc_measure::statistics::{Interval, Ratio, Sample, interval_of_median, ratio_of_medians};

use crate::cases::{Target, Unit};
use crate::record::{Cell, Row};

/// The median of a row's figure and where it lies.
pub(crate) fn median(row: &Row) -> Option<(f64, Option<Interval>)> {
    let figures = row.figures();
    Some((Sample::of(figures.iter().copied())?.median, interval_of_median(&figures)))
}

/// How a target was met.
pub(crate) struct Verdict<'a> {
    pub(crate) target: &'a Target,
    /// Ours by the peer's; ours alone, if the target has no peer.
    pub(crate) value: Ratio,
    pub(crate) reached: bool,
}

impl Verdict<'_> {
    /// Whether the interval leaves it open.
    pub(crate) fn is_open(&self) -> bool {
        self.value
            .interval
            .is_some_and(|all| all.low <= self.target.at_most && all.high > self.target.at_most)
    }

    /// In words.
    pub(crate) fn text(&self, unit: Unit) -> String {
        let range = |show: &dyn Fn(f64) -> String| {
            self.value
                .interval
                .map_or_else(String::new, |all| format!(" [{} – {}]", show(all.low), show(all.high)))
        };
        let mark = match (self.reached, self.is_open()) {
            (true, false) => "reached",
            (true, true) => "reached, within the noise",
            (false, true) => "missed, within the noise",
            (false, false) => "missed",
        };
        match &self.target.peer {
            Some(peer) => {
                let value = format!("× {}{} of {peer}'s", times(self.value.value), range(&times));
                format!("{mark}: {value}; the target is at most × {:.2}", self.target.at_most)
            }
            None => {
                let show = |value: f64| number(unit, value);
                let value = format!("{}{}", show(self.value.value), range(&show));
                format!("{mark}: {value}; the target is below {}", show(self.target.at_most))
            }
        }
    }
}

/// The verdicts on all targets of a case.
pub(crate) fn verdicts(cell: &Cell) -> Vec<Verdict<'_>> {
    cell.targets.iter().filter_map(|target| verdict(cell, target)).collect()
}

fn verdict<'a>(cell: &Cell, target: &'a Target) -> Option<Verdict<'a>> {
    let ours = cell.rows.iter().find(|row| row.ours)?;
    let value = match &target.peer {
        Some(peer) => {
            let peer = cell.rows.iter().find(|row| row.name == *peer)?;
            ratio_of_medians(&ours.figures(), &peer.figures())?
        }
        None => {
            let (value, interval) = median(ours)?;
            Ratio { value, interval }
        }
    };
    Some(Verdict { target, reached: value.value <= target.at_most, value })
}

/// A ratio as people read it.
pub(crate) fn times(ratio: f64) -> String {
    if ratio < 0.1 { format!("{ratio:.4}") } else { format!("{ratio:.2}") }
}

/// A figure as people read it.
pub(crate) fn number(unit: Unit, value: f64) -> String {
    let digits = match value {
        ..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    let name = match unit {
        Unit::Nanoseconds | Unit::PerByte | Unit::Latency => "ns",
        Unit::Microseconds => "µs",
        Unit::PerCent => "%",
    };
    format!("{value:.digits$} {name}")
}

/// What a row has beside its figure: instructions, its price over the baseline, the time by the wall.
pub(crate) fn beside(cell: &Cell, row: &Row) -> Vec<String> {
    let mut more = Vec::new();
    let below = cell.baseline_of(row);
    if let Some(price) = below.and_then(|below| Some(median(row)?.0 - median(below)?.0)) {
        more.push(format!("{}{}", sign(price), number(cell.unit, price.abs())));
    }
    if let Some(each) = row.instructions {
        let price = below.and_then(|below| below.instructions).map(|below| each - below);
        let price =
            price.map_or_else(String::new, |price| format!(" ({}{})", sign(price), count(price.abs())));
        more.push(format!("{}{price} instructions", count(each)));
    }
    if let Some(wall) = Sample::of(row.walls()) {
        more.push(format!("{} by the wall", number(Unit::Nanoseconds, wall.median)));
    }
    more
}

fn sign(value: f64) -> &'static str {
    if value < 0.0 { "−" } else { "+" }
}

/// A count of instructions as people read it.
pub(crate) fn count(value: f64) -> String {
    match value {
        ..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        100.0..1e5 => format!("{value:.0}"),
        1e5..1e7 => format!("{:.1} k", value / 1e3),
        _ => format!("{:.1} M", value / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, ours: bool, figures: &[f64]) -> Row {
        let sample = |&figure: &f64| crate::sample::Sample { figure, ..Default::default() };
        Row { name: name.to_owned(), ours, instructions: None, samples: figures.iter().map(sample).collect() }
    }

    fn cell(peer: Option<&str>, at_most: f64) -> Cell {
        Cell {
            name: "case".to_owned(),
            models: String::new(),
            unit: Unit::Nanoseconds,
            operations: 1,
            targets: vec![Target { peer: peer.map(str::to_owned), at_most }],
            baseline: None,
            rows: vec![row("ours", true, &[1.0, 2.0, 3.0]), row("theirs", false, &[4.0, 5.0, 6.0])],
        }
    }

    #[test]
    fn a_target_beside_a_peer_is_about_the_ratio() {
        let cell = cell(Some("theirs"), 0.5);
        let verdict = &verdicts(&cell)[0];
        assert_eq!((verdict.value.value, verdict.reached, verdict.is_open()), (0.4, true, true));
        let text = verdict.text(cell.unit);
        assert_eq!(
            text,
            "reached, within the noise: × 0.40 [0.17 – 0.75] of theirs's; the target is at most × 0.50"
        );
    }

    #[test]
    fn a_target_alone_is_about_the_figure() {
        let cell = cell(None, 0.9);
        let verdict = &verdicts(&cell)[0];
        assert!(!verdict.reached && !verdict.is_open());
        assert_eq!(
            verdict.text(cell.unit),
            "missed: 2.00 ns [1.00 ns – 3.00 ns]; the target is below 0.90 ns"
        );
    }

    #[test]
    fn what_a_row_has_more_than_the_baseline_is_its_price() {
        let mut cell = cell(None, 1.0);
        cell.baseline = Some("ours".to_owned());
        (cell.rows[0].instructions, cell.rows[1].instructions) = (Some(10.0), Some(250.0));
        assert_eq!(beside(&cell, &cell.rows[0]), ["10.0 instructions"]);
        assert_eq!(beside(&cell, &cell.rows[1]), ["+3.00 ns", "250 (+240) instructions"]);
    }

    #[test]
    fn a_peer_that_was_not_measured_gives_no_verdict() {
        assert!(verdicts(&cell(Some("nobody"), 1.0)).is_empty());
    }
}
