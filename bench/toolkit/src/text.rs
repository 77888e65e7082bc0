//! The record as text: for the terminal, and as Markdown.

use std::fmt::Write as _;
use std::io::{self, Write};

use stratalloc_measure::statistics::ratio_of_medians;

use crate::cases::Unit;
use crate::record::{Cell, Record, Row};
use crate::sample::Latency;
use crate::verdict::{beside, median, number, times, verdicts};

/// A table per case, then the targets.
pub(crate) fn print(record: &Record, out: &mut dyn Write) -> io::Result<()> {
    for cell in &record.cells {
        writeln!(out, "\n{}: {}", cell.name, cell.models)?;
        for row in &cell.rows {
            let line = line_of(cell, row);
            writeln!(out, "  {:24} {:>12}  {:22} {:>10} {}", line[0], line[1], line[2], line[3], line[4])?;
        }
        for verdict in verdicts(cell) {
            writeln!(out, "  {}", verdict.text(cell.unit))?;
        }
    }
    for note in &record.notes {
        writeln!(out, "\n{note}")?;
    }
    let all: Vec<_> = record.cells.iter().flat_map(verdicts).collect();
    writeln!(out, "\n{} of {} targets reached", all.iter().filter(|one| one.reached).count(), all.len())
}

/// Name, median, its interval, ratio of ours to it, and what else there is.
fn line_of(cell: &Cell, row: &Row) -> [String; 5] {
    let Some((value, interval)) = median(row) else {
        return [row.name.clone(), "–".into(), String::new(), String::new(), String::new()];
    };
    let range = interval.map_or_else(String::new, |all| {
        format!("[{} – {}]", number(cell.unit, all.low), number(cell.unit, all.high))
    });
    let first = cell.rows.iter().find(|row| row.ours).filter(|first| first.name != row.name);
    let ratio = first.and_then(|first| ratio_of_medians(&first.figures(), &row.figures()));
    let ratio = ratio.map_or_else(String::new, |ratio| format!("× {}", times(ratio.value)));
    [row.name.clone(), number(cell.unit, value), range, ratio, beside(cell, row).join(", ")]
}

/// The whole record.
pub(crate) fn document(record: &Record) -> String {
    let mut text = String::from("# Record of the toolkit's bench\n\n");
    let _ = writeln!(
        text,
        "{} rounds, interleaved, each sample from a fresh process; medians of CPU time with intervals of 95 % confidence (bootstrap). \
         Written by `bench-toolkit`; all samples are in `toolkit.json`, charts in `toolkit.html`; what is measured and how, in \
         `bench/README.md`.\n",
        record.rounds
    );
    text.push_str("| machine | |\n| --- | --- |\n");
    for fact in &record.machine {
        let _ = writeln!(text, "| {} | {} |", fact.name, fact.text);
    }
    for note in &record.notes {
        let _ = writeln!(text, "\n{note}");
    }
    targets(&mut text, record);
    for cell in &record.cells {
        let _ = writeln!(text, "\n## {}\n\n{}.\n", cell.name, cell.models);
        text.push_str("| | median | 95 % | ours to it | |\n| --- | --- | --- | --- | --- |\n");
        for row in &cell.rows {
            let [name, value, range, ratio, more] = line_of(cell, row);
            let name = if row.ours { format!("**{name}**") } else { name };
            let _ = writeln!(text, "| {name} | {value} | {range} | {ratio} | {more} |");
        }
        latencies(&mut text, cell);
    }
    text
}

fn targets(text: &mut String, record: &Record) {
    text.push_str("\n## Targets\n\n");
    for cell in &record.cells {
        for verdict in verdicts(cell) {
            let _ = writeln!(text, "- `{}` {}", cell.name, verdict.text(cell.unit));
        }
    }
}

/// A table of quantiles, of the round whose 99.9th percentile is the median one.
fn latencies(text: &mut String, cell: &Cell) {
    let rows: Vec<_> =
        cell.rows.iter().flat_map(|row| typical(row).iter().map(move |one| (row, one))).collect();
    let Some((_, first)) = rows.first() else { return };
    let _ = writeln!(
        text,
        "\nOf one round each, the one with the median P99.9. Reading the clock takes {:.1} ns, which is subtracted from every sample.\n",
        first.clock_ns
    );
    text.push_str("| | operation | samples | P50 | P99 | P99.9 | largest |\n| --- | --- | --- | --- | --- | --- | --- |\n");
    for (row, Latency { operation, summary, .. }) in rows {
        let show = |value| number(Unit::Latency, value);
        let _ = writeln!(
            text,
            "| {} | {operation} | {} | {} | {} | {} | {} |",
            row.name,
            summary.count,
            show(summary.p50),
            show(summary.p99),
            show(summary.p999),
            show(summary.max)
        );
    }
}

/// The latencies of the round whose figure is the median one.
pub(crate) fn typical(row: &Row) -> &[Latency] {
    let mut samples: Vec<_> = row.samples.iter().collect();
    samples.sort_by(|a, b| a.figure.total_cmp(&b.figure));
    samples.get(samples.len() / 2).map_or(&[], |sample| &sample.latencies)
}
