//! Bars: one chart per figure, a bar per allocator, best first, with its interval.

use maud::{Markup, html};

use super::scale::{Scale, cut, place};
use crate::comparison::Kind;
use crate::statistics::{Interval, interval_of_median};
use crate::summary::{FigureTable, Summary};
use crate::usage::Figure;

const WIDTH: f64 = 400.0;
const ROW: f64 = 25.0;
const BAR: f64 = 13.0;
/// The longest bar ends here.
const END: f64 = 274.0;
/// Short names end here and bars begin, so that the bars of most charts are of one scale.
const LEFT: f64 = 112.0;
/// What a character of a name takes at most.
const CHARACTER: f64 = 8.0;
const NAME_CHARACTERS: u32 = 24;

/// A bar, ready to be drawn.
#[derive(Debug, Clone)]
pub struct Bar {
    /// Whose it is.
    pub name: String,
    /// Whether it is stratalloc's.
    pub ours: bool,
    /// Its length, on the scale of the chart.
    pub value: f64,
    /// Where the value lies.
    pub interval: Option<Interval>,
    /// What stands beside it.
    pub shown: String,
    /// All of it in words.
    pub title: String,
}

/// The charts of all figures that somebody has.
pub(super) fn section(summary: &Summary<'_>) -> Markup {
    let kind = summary.comparison().kind;
    html! {
        section {
            h2 { @match kind { Kind::Program => "Every figure", Kind::Workloads => "Over all workloads" } }
            p.soft {
                @match kind {
                    Kind::Program => "Medians. The dashed line is the system's allocator; × is the ratio to it. ",
                    Kind::Workloads => "Geometric means, relative to the best peer (the dashed line). ",
                }
                "Thin lines are intervals; an arrow: beyond the chart."
            }
            div.charts {
                @for table in &summary.tables {
                    @if let Some(bars) = bars(summary, table) { (chart(summary, table.figure, &bars)) }
                }
            }
        }
    }
}

fn bars(summary: &Summary<'_>, table: &FigureTable) -> Option<Vec<Bar>> {
    let reference = table.reference?;
    let rows = table.ranking();
    let bar = |&row: &usize| match (summary.comparison().kind, table.common.as_slice()) {
        (Kind::Program, &[cell]) => of_program(summary, table, row, cell, reference),
        _ => of_workloads(summary, table, row),
    };
    let bars: Vec<Bar> = rows.iter().filter_map(bar).collect();
    (!bars.is_empty()).then_some(bars)
}

fn of_program(
    summary: &Summary<'_>,
    table: &FigureTable,
    row: usize,
    cell: usize,
    reference: usize,
) -> Option<Bar> {
    let allocator = &summary.comparison().allocators[row];
    let median = table.samples[cell][row]?.median;
    let interval = interval_of_median(&summary.comparison().values(cell, row, table.figure));
    let ratio = summary.ratio(table.figure, cell, row, reference);
    let value = table.figure.show(median);
    let range =
        interval.map(|all| format!(" ({} to {})", table.figure.show(all.low), table.figure.show(all.high)));
    let against = ratio.as_ref().map(super::ratio_text).unwrap_or_default();
    Some(Bar {
        name: allocator.name.clone(),
        ours: allocator.ours,
        value: median,
        interval,
        shown: match &ratio {
            Some(ratio) if row != reference => format!("{value} · × {:.2}", ratio.value),
            _ => value.clone(),
        },
        title: format!("{}: {value}{} {against}", allocator.name, range.unwrap_or_default()),
    })
}

fn of_workloads(summary: &Summary<'_>, table: &FigureTable, row: usize) -> Option<Bar> {
    let allocator = &summary.comparison().allocators[row];
    let ratio = summary.mean_ratio(table.figure, row)?;
    let mean = table.figure.show(table.means[row]?);
    Some(Bar {
        name: allocator.name.clone(),
        ours: allocator.ours,
        value: ratio.value,
        interval: ratio.interval.filter(|_| Some(row) != table.reference),
        shown: format!("{mean} · × {:.2}", ratio.value),
        title: format!("{}: {mean}, {}", allocator.name, super::ratio_text(&ratio)),
    })
}

fn chart(summary: &Summary<'_>, figure: Figure, bars: &[Bar]) -> Markup {
    let table = summary.table(figure);
    let more =
        if table.common.len() > 1 { format!("over {} cells", table.common.len()) } else { String::new() };
    let reference = table.reference.map(|row| summary.comparison().allocators[row].name.as_str());
    bar_chart(figure.label(), &more, bars, reference)
}

/// A chart of bars, one below the other, under a heading and what is softly said beside it. A dashed line goes through the end of
/// the bar whose name is `reference`.
#[must_use]
pub fn bar_chart(label: &str, more: &str, bars: &[Bar], reference: Option<&str>) -> Markup {
    let most = bars.iter().map(|bar| bar.interval.map_or(bar.value, |all| all.high.max(bar.value)));
    // One far outlier's whisker must not make everybody else's bar invisible.
    let longest = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
    let left = names_end(bars);
    let scale = Scale::new(most.fold(0.0, f64::max).min(longest * 1.3), END - left);
    let rows = u32::try_from(bars.len()).unwrap_or(u32::MAX);
    let height = f64::from(rows) * ROW;
    let at =
        bars.iter().find(|bar| Some(bar.name.as_str()) == reference).map(|bar| left + scale.at(bar.value));
    html! {
        figure {
            figcaption { (label) " " span.soft { (more) } }
            svg viewBox={ "0 0 " (WIDTH) " " (place(height)) } role="img" aria-label={ (label) " per allocator" } {
                line.zero x1=(left) x2=(left) y1="0" y2=(place(height)) {}
                @for (index, bar) in (0_u32..).zip(bars) { (drawn(bar, f64::from(index) * ROW, left, scale, index == 0)) }
                @if let Some(at) = at { line.reference x1=(place(at)) x2=(place(at)) y1="0" y2=(place(height)) {} }
            }
        }
    }
}

/// Where names end and bars begin: further to the right for long names, which would be cut otherwise.
fn names_end(bars: &[Bar]) -> f64 {
    let longest = bars.iter().map(|bar| bar.name.chars().count()).max().unwrap_or(0);
    let longest = u32::try_from(longest).unwrap_or(NAME_CHARACTERS).min(NAME_CHARACTERS);
    (f64::from(longest) * CHARACTER).max(LEFT)
}

fn drawn(bar: &Bar, top: f64, left: f64, scale: Scale, best: bool) -> Markup {
    let middle = top + ROW / 2.0;
    let text = place(middle + 4.5);
    html! {
        g {
            title { (bar.title) }
            text.name.ours[bar.ours] x="0" y=(text) { (cut(&bar.name, NAME_CHARACTERS as usize)) }
            rect.bar.ours[bar.ours] x=(left) y=(place(middle - BAR / 2.0)) width=(place(scale.at(bar.value))) height=(BAR) rx="2" {}
            @if let Some(all) = bar.interval { (whisker(all, middle, left, scale)) }
            text.value.best[best] x=(WIDTH) y=(text) { (bar.shown) }
        }
    }
}

fn whisker(interval: Interval, middle: f64, left: f64, scale: Scale) -> Markup {
    let [low, high] = [interval.low, interval.high].map(|value| left + scale.at(value));
    let [above, below] = [middle - 3.5, middle + 3.5].map(place);
    // An arrow instead of an end: the interval goes on where the chart does not.
    let tip = if scale.is_beyond(interval.high) { high - 4.0 } else { high };
    let [low, high, tip, middle] = [low, high, tip, middle].map(place);
    html! {
        path.whisker d={
            "M" (low) " " (above) "V" (below) "M" (low) " " (middle) "H" (high)
            "M" (tip) " " (above) "L" (high) " " (middle) "L" (tip) " " (below)
        } {}
    }
}
