//! Every figure of every cell, for those who want the numbers.

use maud::{Markup, html};

use crate::statistics::Sample;
use crate::summary::{FigureTable, Summary};
use crate::usage::Figure;

/// One table for a single program, a folded one per figure for many cells.
pub(super) fn section(summary: &Summary<'_>) -> Markup {
    html! {
        section {
            h2 { "All medians" }
            p.soft { "± is half of the range of the runs. Each single sample is in the JSON." }
            @if summary.comparison().cells.len() == 1 {
                (table_of(summary, summary.tables.iter().map(|table| (table.figure.label(), "", table, 0))))
            } @else {
                @for table in &summary.tables {
                    @let cells = summary.comparison().cells.iter().enumerate();
                    @let lines = cells.map(|(index, cell)| (cell.name.as_str(), cell.models.as_str(), table, index));
                    details { summary { (table.figure.label()) } (table_of(summary, lines)) }
                }
            }
        }
    }
}

/// A line per entry: its name, a longer text, and the cell of the table whose medians it shows.
fn table_of<'a>(
    summary: &Summary<'_>,
    lines: impl Iterator<Item = (&'a str, &'a str, &'a FigureTable, usize)>,
) -> Markup {
    html! {
        div.scroll { table {
            thead { tr {
                th {}
                @for allocator in &summary.comparison().allocators { th.ours[allocator.ours] { (allocator.name) } }
            } }
            tbody { @for (name, more, table, cell) in lines {
                // Where all have the same (mostly zero), none is the best.
                @let same = table.samples[cell].iter().flatten().all(|sample| Some(*sample) == table.samples[cell][0]);
                @let best = table.best_of(cell, |_| !same);
                tr {
                    th title=[(!more.is_empty()).then_some(more)] { (name) }
                    @for (row, sample) in table.samples[cell].iter().enumerate() {
                        td.best[best == Some(row)] { (sample.map_or_else(|| "failed".to_owned(), |all| shown(table.figure, &all))) }
                    }
                }
            } }
        } }
    }
}

fn shown(figure: Figure, sample: &Sample) -> String {
    let spread = sample.spread().filter(|_| sample.least != sample.most);
    let spread = spread.map(|part| format!(" ±{:.0} %", part * 100.0));
    format!("{}{}", figure.show(sample.median), spread.unwrap_or_default())
}
