//! The record as text: short for the terminal, in full as Markdown.

use crate::arguments::Resolved;
use crate::record::Record;
use crate::summary::{Measure, Summary, Table};
use std::fmt::Write as _;

/// What the terminal shows: CPU time and peak RSS of every cell, and the summary last, where the eye is.
pub(crate) fn terminal(record: &Record, summary: &Summary) -> String {
    let mut text = String::new();
    let width = (0..record.cells.len()).map(|cell| record.cell_name(cell).chars().count()).max().unwrap_or(0);
    for table in summary.tables.iter().filter(|table| matches!(table.measure, Measure::Cpu | Measure::Peak)) {
        let _ = write!(text, "\n{:width$}", table.measure.title());
        for row in &record.rows {
            let _ = write!(text, " {:>15}", row.name);
        }
        for cell in 0..record.cells.len() {
            let _ = write!(text, "\n{:width$}", record.cell_name(cell));
            for figure in &table.figures[cell] {
                let shown = figure.map_or("failed".to_owned(), |figure| short(figure.median));
                let _ = write!(text, " {shown:>15}");
            }
        }
        text.push('\n');
    }
    let _ = write!(text, "\n{:18}", "geometric means");
    for table in &summary.tables {
        let _ = write!(text, " {:>24}", table.measure.title());
    }
    for (index, row) in record.rows.iter().enumerate() {
        let _ = write!(text, "\n{:18}", row.name);
        for table in &summary.tables {
            let _ = write!(text, " {:>24}", mean(table, index, record));
        }
    }
    let _ = writeln!(
        text,
        "\n\nRatios (×) are to the best peer's geometric mean over {} of {} cells.",
        summary.common.len(),
        record.cells.len()
    );
    text
}

/// The full record.
pub(crate) fn markdown(
    plan: &Resolved,
    facts: &[(&str, String)],
    record: &Record,
    summary: &Summary,
) -> String {
    let mut text = String::from("# Record of a bench run\n\n");
    let _ = writeln!(
        text,
        "{} rounds, interleaved, each run in a fresh process; medians, ± half of the range. Scale {} ‰.\n\
         Written by `stratalloc-bench`; all samples are in `record.json`; what is measured and how, in `bench/README.md`.\n",
        plan.rounds, plan.scale
    );
    text.push_str("| machine | |\n| --- | --- |\n");
    for (key, value) in facts {
        let _ = writeln!(text, "| {key} | {value} |");
    }
    if !record.complaints.is_empty() {
        text.push_str("\n## Failed\n\n");
        for complaint in &record.complaints {
            let _ = writeln!(text, "- {complaint}");
        }
    }
    let _ = writeln!(text, "\n## Geometric means over {} cells (× best peer)\n", summary.common.len());
    heading(&mut text, "allocator", summary.tables.iter().map(|table| table.measure.title()));
    for (index, row) in record.rows.iter().enumerate() {
        let _ = write!(text, "| {}", row.name);
        for table in &summary.tables {
            let _ = write!(text, " | {}", mean(table, index, record));
        }
        text.push_str(" |\n");
    }
    for (index, row) in record.rows.iter().enumerate().filter(|(_, row)| row.is_ours()) {
        standing(&mut text, record, summary, index, &row.name);
    }
    for table in &summary.tables {
        let _ = writeln!(text, "\n## {}\n", table.measure.title());
        heading(&mut text, "workload × threads", record.rows.iter().map(|row| row.name.as_str()));
        for cell in 0..record.cells.len() {
            let _ = write!(text, "| {}", record.cell_name(cell));
            let best = table.best_peer_of(record, cell).map(|(row, _)| row);
            for (row, figure) in table.figures[cell].iter().enumerate() {
                let shown = figure.map_or("failed".to_owned(), |figure| {
                    let mark = if best == Some(row) { "**" } else { "" };
                    format!("{mark}{}{mark} ±{:.0}%", short(figure.median), figure.spread * 100.0)
                });
                let _ = write!(text, " | {shown}");
            }
            text.push_str(" |\n");
        }
    }
    text.push_str("\nBold: the best peer.\n\n## What the workloads model\n\n");
    let mut last = "";
    for cell in record.cells.iter() {
        if cell.workload.name != last {
            last = cell.workload.name;
            let _ = writeln!(text, "- `{last}`: {}", cell.workload.models);
        }
    }
    text
}

/// How one of our rows stands in each cell: worst first, for that is what has to be worked on or explained.
fn standing(text: &mut String, record: &Record, summary: &Summary, ours: usize, name: &str) {
    let _ = writeln!(text, "\n## {name} against the best peer of each cell, worst first\n");
    for table in summary.tables.iter().filter(|table| matches!(table.measure, Measure::Cpu | Measure::Peak)) {
        let mut ratios: Vec<(f64, usize, usize)> = (0..record.cells.len())
            .filter_map(|cell| {
                let (peer, best) = table.best_peer_of(record, cell)?;
                table.figures[cell][ours].map(|figure| (figure.median / best.max(1e-3), cell, peer))
            })
            .collect();
        ratios.sort_by(|a, b| b.0.total_cmp(&a.0));
        let shown: Vec<String> = ratios
            .iter()
            .map(|&(ratio, cell, peer)| {
                format!("{} {ratio:.2} ({})", record.cell_name(cell), record.rows[peer].name)
            })
            .collect();
        let _ = writeln!(text, "- {}: {}", table.measure.title(), shown.join(", "));
    }
}

fn heading<'a>(text: &mut String, first: &str, rest: impl Iterator<Item = &'a str>) {
    let rest: Vec<&str> = rest.collect();
    let _ = writeln!(text, "| {first} | {} |\n| --- |{}", rest.join(" | "), " ---: |".repeat(rest.len()));
}

/// A geometric mean and its ratio.
fn mean(table: &Table, row: usize, record: &Record) -> String {
    let value = table.geometric_means[row];
    if value.is_nan() {
        return "–".to_owned();
    }
    let best = if table.best_peer == Some(row) && record.rows.len() > 1 { " best peer" } else { "" };
    table.ratio(row).map_or_else(|| short(value), |ratio| format!("{} (×{ratio:.2}{best})", short(value)))
}

/// Three significant digits, or whole numbers.
fn short(value: f64) -> String {
    match value {
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_shown() {
        assert_eq!([0.004, 9.994, 10.0, 99.94, 123.4].map(short), ["0.00", "9.99", "10.0", "99.9", "123"]);
    }
}
