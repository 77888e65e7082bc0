//! The record as Markdown.

use std::fmt::Write as _;
use stratalloc_measure::page::Part;
use stratalloc_measure::summary::FigureTable;
use stratalloc_measure::text::ABSENT;
use stratalloc_measure::{Figure, Summary, tables};

/// The figures that the record shows; the JSON has all.
const SHOWN: [Figure; 5] =
    [Figure::Cpu, Figure::PeakRss, Figure::MinorFaults, Figure::Wall, Figure::Switches];
/// Those in which ours is held against the best peer of each cell.
const JUDGED: [Figure; 2] = [Figure::Cpu, Figure::PeakRss];

/// The full record.
pub(crate) fn document(scale: u64, summary: &Summary<'_>, parts: &[Part]) -> String {
    let comparison = summary.comparison();
    let mut text = String::from("# Record of a bench run\n\n");
    let _ = writeln!(
        text,
        "{} rounds, interleaved, each run in a fresh process; medians, ± half of the range. Scale {scale} ‰.\n\
         Written by `stratalloc-bench`; all samples are in `record.json`, charts in `index.html`; what is measured and how, in \
         `bench/README.md`.\n",
        comparison.rounds
    );
    if !parts.is_empty() {
        text.push_str("The other parts of this record:\n\n");
        for part in parts {
            let _ = writeln!(text, "- [{}]({}): {}", part.title, part.file, part.content);
        }
        text.push('\n');
    }
    text.push_str("| machine | |\n| --- | --- |\n");
    for fact in &comparison.machine {
        let _ = writeln!(text, "| {} | {} |", fact.name, fact.text);
    }
    if comparison.problems().next().is_some() {
        text.push_str("\n## Failed\n\n");
        for (cell, allocator, problem) in comparison.problems() {
            let _ = writeln!(text, "- {cell} on {allocator}: {problem}");
        }
    }
    means(&mut text, summary);
    for ours in summary.ours() {
        standing(&mut text, summary, ours);
    }
    for figure in SHOWN {
        medians(&mut text, summary, summary.table(figure));
    }
    text.push_str("\nBold: the best peer.\n\n## What the workloads model\n\n");
    let mut last = "";
    for cell in &comparison.cells {
        let name = cell.name.split(" × ").next().unwrap_or_default();
        if name != last {
            last = name;
            let _ = writeln!(text, "- `{last}`: {}", cell.models);
        }
    }
    text
}

/// Geometric means, with their ratios to the best peer's and the intervals of these.
fn means(text: &mut String, summary: &Summary<'_>) {
    let cells = summary.table(Figure::Cpu).common.len();
    let _ = writeln!(text, "\n## Geometric means over {cells} cells (× best peer)\n");
    heading(text, "allocator", SHOWN.into_iter().map(Figure::label));
    for (row, allocator) in summary.comparison().allocators.iter().enumerate() {
        let _ = write!(text, "| {}", allocator.name);
        for figure in SHOWN {
            let table = summary.table(figure);
            let value = table.means[row].map_or_else(|| ABSENT.to_owned(), |mean| figure.show(mean));
            let ratio = match summary.mean_ratio(figure, row) {
                _ if table.best_peer == Some(row) => " (best peer)".to_owned(),
                Some(ratio) => format!(" (×{})", tables::ratio(&ratio)),
                None => String::new(),
            };
            let _ = write!(text, " | {value}{ratio}");
        }
        text.push_str(" |\n");
    }
}

/// How one of our rows stands in each cell: worst first, for that is what has to be worked on or explained.
fn standing(text: &mut String, summary: &Summary<'_>, ours: usize) {
    let comparison = summary.comparison();
    let name = &comparison.allocators[ours].name;
    let _ = writeln!(text, "\n## {name} against the best peer of each cell, worst first\n");
    let standings = summary.standings();
    for figure in JUDGED {
        let of_figure = standings.iter().filter(|one| one.figure == figure && one.ours == ours);
        let shown: Vec<String> = of_figure
            .map(|one| {
                let (cell, peer) = (&comparison.cells[one.cell].name, &comparison.allocators[one.peer].name);
                format!("{cell} {:.2} ({peer})", one.ratio.value)
            })
            .collect();
        let _ = writeln!(text, "- {}: {}", figure.label(), shown.join(", "));
    }
}

fn medians(text: &mut String, summary: &Summary<'_>, table: &FigureTable) {
    let comparison = summary.comparison();
    let _ = writeln!(text, "\n## {}\n", table.figure.label());
    let names = comparison.allocators.iter().map(|allocator| allocator.name.as_str());
    heading(text, "workload × threads", names);
    for (index, cell) in comparison.cells.iter().enumerate() {
        let _ = write!(text, "| {}", cell.name);
        let best = summary.best_peer_of(table, index);
        for (row, sample) in table.samples[index].iter().enumerate() {
            let shown = sample.map_or_else(
                || "failed".to_owned(),
                |sample| {
                    let mark = if best == Some(row) { "**" } else { "" };
                    let spread = sample.spread().unwrap_or(0.0) * 100.0;
                    format!("{mark}{}{mark} ±{spread:.0}%", table.figure.show(sample.median))
                },
            );
            let _ = write!(text, " | {shown}");
        }
        text.push_str(" |\n");
    }
}

fn heading<'a>(text: &mut String, first: &str, rest: impl Iterator<Item = &'a str>) {
    let rest: Vec<&str> = rest.collect();
    let _ = writeln!(text, "| {first} | {} |\n| --- |{}", rest.join(" | "), " ---: |".repeat(rest.len()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::compared;
    use crate::record::tests::of_checksums;

    #[test]
    fn the_document_names_failures_ratios_and_the_best_peer() {
        let comparison = compared(&of_checksums([Some("a"), Some("a"), None]));
        let part =
            Part { file: "toolkit.html".into(), title: "The toolkit".into(), content: "figures".into() };
        let text = document(1000, &Summary::of(&comparison), &[part]);
        assert!(text.contains("\n- [The toolkit](toolkit.html): figures\n"), "{text}");
        assert!(text.contains("- pairs-32 × 1 on mimalloc3-nothp: killed by signal 9"), "{text}");
        assert!(text.contains("| stratalloc | 1.0 ms (×0.50)"), "{text}");
        assert!(text.contains("- CPU time: pairs-32 × 1 0.50 (mimalloc3)"), "{text}");
        assert!(text.contains("| pairs-32 × 1 | 1.0 ms ±0% | **2.0 ms** ±0% | failed |"), "{text}");
    }
}
