//! Heat tables: every cell and allocator, as the ratio to the best of the cell.

use maud::{Markup, html};

use crate::summary::{FigureTable, Summary};
use crate::usage::Figure;

/// From these ratios on a cell is hotter: the classes `h2` to `h6` of the style sheet.
const STEPS: [f64; 5] = [1.03, 1.10, 1.25, 1.5, 2.0];

/// A table per judged figure; nothing for a single program, whose bars say it all.
pub(super) fn section(summary: &Summary<'_>) -> Markup {
    if summary.comparison().cells.len() < 2 {
        return html! {};
    }
    html! {
        section {
            h2 { "Workload by workload" }
            p.soft {
                "Ratio to the best allocator of each line, which is marked; the warmer, the further behind. \
                 Hover a cell for its value and interval."
            }
            @for (index, figure) in Figure::HEADLINE.into_iter().enumerate() {
                details open[index < 2] {
                    summary { (figure.label()) }
                    (heat(summary, summary.table(figure)))
                }
            }
        }
    }
}

fn heat(summary: &Summary<'_>, table: &FigureTable) -> Markup {
    let comparison = summary.comparison();
    html! {
        div.scroll { table {
            thead { tr {
                th { "workload × threads" } th { "best" }
                @for allocator in &comparison.allocators { th.ours[allocator.ours] { (allocator.name) } }
            } }
            tbody {
                @for (index, cell) in comparison.cells.iter().enumerate() {
                    @let best = table.best_of(index, |_| true);
                    tr {
                        th title=(cell.models) { (cell.name) }
                        td { @if let Some(sample) = best.and_then(|row| table.samples[index][row]) { (table.figure.show(sample.median)) } }
                        @for row in 0..comparison.allocators.len() { (one(summary, table, index, row, best)) }
                    }
                }
                (means(summary, table))
            }
        } }
    }
}

fn one(summary: &Summary<'_>, table: &FigureTable, cell: usize, row: usize, best: Option<usize>) -> Markup {
    let allocator = &summary.comparison().allocators[row];
    let Some(sample) = table.samples[cell][row] else {
        return html! { td.failed.ours[allocator.ours] { "failed" } };
    };
    let value = table.figure.show(sample.median);
    let Some(ratio) = best.and_then(|best| summary.ratio(table.figure, cell, row, best)) else {
        return html! { td.ours[allocator.ours] title=(value) { "–" } };
    };
    let (class, shown) = match best == Some(row) {
        true => ("best", "1".to_owned()),
        false => (heat_of(ratio.value), format!("{:.2}", ratio.value)),
    };
    html! {
        td.(class).ours[allocator.ours] title={ (allocator.name) ": " (value) ", " (super::ratio_text(&ratio)) } { (shown) }
    }
}

/// The last line: geometric means, relative to the best of them.
fn means(summary: &Summary<'_>, table: &FigureTable) -> Markup {
    let ranking = table.ranking();
    let Some(&first) = ranking.first() else { return html! {} };
    let Some(best) = table.means[first] else { return html! {} };
    html! {
        tr.mean {
            th { "geometric mean" }
            td { (table.figure.show(best)) }
            @for (row, mean) in table.means.iter().enumerate() {
                @let ours = summary.comparison().allocators[row].ours;
                @match mean {
                    Some(_) if row == first => td.best.ours[ours] { "1" },
                    Some(mean) => td.(heat_of(mean / best)).ours[ours] { (format!("{:.2}", mean / best)) },
                    None => td.ours[ours] { "–" },
                }
            }
        }
    }
}

fn heat_of(ratio: f64) -> &'static str {
    const CLASSES: [&str; 6] = ["h1", "h2", "h3", "h4", "h5", "h6"];
    CLASSES[STEPS.iter().filter(|&&step| ratio >= step).count()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heat_grows_with_the_ratio() {
        assert_eq!([1.0, 1.03, 1.2, 1.3, 1.99, 50.0].map(heat_of), ["h1", "h2", "h3", "h4", "h5", "h6"]);
    }

    #[test]
    fn the_best_of_each_line_is_marked_and_failures_are_shown() {
        let times: &[&[&[u32]]] = &[&[&[10], &[20]], &[&[30], &[]]];
        let page = section(&Summary::of(&crate::comparison::tests::of_times(times))).into_string();
        assert!(
            page.contains(">1</td>") && page.contains(">2.00</td>") && page.contains(">failed</td>"),
            "{page}"
        );
    }
}
