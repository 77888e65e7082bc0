//! A comparison for the browser: one file, no network, no script.
//!
//! ```text
//!   header: what, verdict in four cards        ─┐
//!   where stratalloc loses                      │ what a reader needs who stays ten seconds
//!   bars: every figure, with intervals         ─┘
//!   RSS over time (one program; for workloads folded, one chart each)
//!   heat tables: ratio of every cell and allocator to the best of the cell
//!   all figures, folded · what was measured on and how · how to make it again
//! ```
//! Charts are inline SVG whose colours are variables of the style sheet, so they follow light and dark. Everything that
//! comes from outside goes through `maud`, which escapes it.

mod bars;
mod curves;
mod figures;
mod heat;
mod losses;
mod scale;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::comparison::{Comparison, Kind};
use crate::statistics::{ENOUGH_RUNS, Ratio};
use crate::summary::Summary;
use crate::tables::{self, plural};
use crate::usage::Figure;

pub use bars::{Bar, bar_chart};

const STYLE: &str = include_str!("style.css");

/// Another part of the same record, in the same folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The file's name.
    pub file: String,
    /// What it is.
    pub title: String,
    /// What is in it, in half a line.
    pub content: String,
}

/// The page, complete.
#[must_use]
pub fn render(comparison: &Comparison) -> String {
    render_among(comparison, &[])
}

/// The page of a record that has further parts, which it links.
#[must_use]
pub fn render_among(comparison: &Comparison, parts: &[Part]) -> String {
    let summary = Summary::of(comparison);
    let body = html! {
        (header(&summary))
        (links("The other parts of this record", parts))
        main {
            (problems(comparison))
            (losses::section(&summary))
            (bars::section(&summary))
            (curves::section(comparison))
            (heat::section(&summary))
            (figures::section(&summary))
            (how(comparison))
        }
    };
    document(&format!("{} – allocators compared", comparison.title), &body)
}

/// A page with the style of all records around `body`: one file, no network, no script. For records whose figures are not a
/// process's (see [`bar_chart`]).
#[must_use]
pub fn document(title: &str, body: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content={ "stratalloc-measure " (env!("CARGO_PKG_VERSION")) };
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    }
    .into_string()
}

/// Links to other parts of a record; nothing without any.
#[must_use]
pub fn links(label: &str, parts: &[Part]) -> Markup {
    html! {
        @if !parts.is_empty() {
            nav.parts aria-label=(label) {
                @for part in parts { a href=(part.file) { b { (part.title) } " " span.soft { (part.content) } } }
            }
        }
    }
}

fn header(summary: &Summary<'_>) -> Markup {
    let comparison = summary.comparison();
    let what = match comparison.kind {
        Kind::Program => "One program, several allocators",
        Kind::Workloads => "The bench: the same work on several allocators",
    };
    html! {
        header {
            p.kicker { (what) }
            h1 { (comparison.title) }
            p.lead {
                (plural(comparison.allocators.len(), "allocator")) ", "
                @if comparison.kind == Kind::Workloads { (plural(comparison.cells.len(), "cell")) " (workload × threads), " }
                (plural(comparison.rounds, "round")) ", interleaved. Less is better in every figure."
            }
            @for ours in summary.ours() {
                @if summary.ours().count() > 1 { h2 { (comparison.allocators[ours].name) } }
                div.cards { @for figure in Figure::HEADLINE { (card(summary, figure, ours)) } }
            }
        }
    }
}

/// How one of our rows does in one figure, in a glance.
fn card(summary: &Summary<'_>, figure: Figure, ours: usize) -> Markup {
    let table = summary.table(figure);
    let ranking = table.ranking();
    let place = ranking.iter().position(|&row| row == ours);
    let ratio = summary.mean_ratio(figure, ours);
    let (Some(reference), Some(place), Some(ratio)) = (table.reference, place, ratio) else {
        return html! { div.card { h3 { (figure.label()) } p.figure { "–" } p.soft { "no common figures" } } };
    };
    let name = &summary.comparison().allocators[reference].name;
    html! {
        div.card.(verdict(&ratio)) {
            h3 { (figure.label()) }
            p.figure { "× " (format!("{:.2}", ratio.value)) }
            p.soft {
                @if summary.comparison().kind == Kind::Workloads { "of the best peer, " (name) } @else { "of " (name) }
                @if let Some(all) = ratio.interval { br; (format!("{:.2} to {:.2}", all.low, all.high)) }
            }
            p.place { "place " (place + 1) " of " (ranking.len()) }
        }
    }
}

/// The class of a ratio.
fn verdict(ratio: &Ratio) -> &'static str {
    if ratio.is_surely_below_one() {
        "good"
    } else if ratio.is_surely_above_one() {
        "bad"
    } else {
        "even"
    }
}

fn problems(comparison: &Comparison) -> Markup {
    let problems: Vec<_> = comparison.problems().collect();
    html! {
        @if !problems.is_empty() || !comparison.notes.is_empty() {
            section.notes {
                @if !problems.is_empty() {
                    h2 { "What went wrong" }
                    ul { @for (cell, allocator, problem) in problems {
                        li { b { (cell) } " on " b { (allocator) } ": " (problem) }
                    } }
                }
                @if !comparison.notes.is_empty() {
                    h2 { "To be kept in mind" }
                    ul { @for note in &comparison.notes { li { (note) } } }
                }
            }
        }
    }
}

/// Machine, method, command lines.
fn how(comparison: &Comparison) -> Markup {
    html! {
        section {
            h2 { "How this was made" }
            div.columns {
                div {
                    h3 { "The machine" }
                    dl { @for fact in &comparison.machine { dt { (fact.name) } dd { (fact.text) } } }
                }
                div {
                    h3 { "The allocators" }
                    dl { @for allocator in &comparison.allocators {
                        dt.ours[allocator.ours] { (allocator.name) } dd { (allocator.detail) }
                    } }
                    h3 { "To make it again" }
                    pre { @for line in &comparison.reproduce { (line) "\n" } }
                    h3 { "The method" }
                    (method(comparison))
                }
            }
        }
    }
}

fn method(comparison: &Comparison) -> Markup {
    html! {
        p {
            "Each run is a fresh process. In every round all allocators run one after the other, in an order that is shifted by \
             one from round to round, so that what the machine does meanwhile meets all alike. Times, peak RSS, faults and \
             context switches are what the kernel counted for the whole life of the process. Shown are medians."
        }
        p {
            @match comparison.rounds {
                1 => { "There was one round: no uncertainty can be given, and small differences mean nothing." },
                ..ENOUGH_RUNS => {
                    "Intervals span all that the runs allow (least by most to most by least): with fewer than six runs no \
                     method gives 95 % confidence. Those of geometric means are from a bootstrap."
                },
                _ => { "Intervals are of 95 % confidence, from a bootstrap of the medians." },
            }
        }
        @if comparison.kind == Kind::Workloads {
            p {
                "Summaries are geometric means over the cells that every allocator has done, without those where a figure is 0. Among so many lines, a few differ by \
                 chance alone, whatever their intervals say."
            }
        }
    }
}

/// A ratio and its interval, as in the terminal.
fn ratio_text(ratio: &Ratio) -> String {
    format!("× {}", tables::ratio(ratio))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::tests::of_times;
    use crate::curve::Curve;

    #[test]
    fn what_comes_from_outside_is_escaped() {
        let mut comparison = of_times(&[&[&[10, 11, 12], &[20, 21, 22], &[]]]);
        let evil = "</title><script>alert('x')</script>&\"";
        comparison.title = evil.to_owned();
        comparison.reproduce = vec![evil.to_owned()];
        comparison.machine[0].text = evil.to_owned();
        comparison.notes = vec![evil.to_owned()];
        comparison.allocators[1].name = evil.to_owned();
        comparison.allocators[1].detail = evil.to_owned();
        comparison.cells[0].name = evil.to_owned();
        comparison.cells[0].outcomes[0].curve = Some(Curve { points: vec![(1, 2), (3, 4)] });
        comparison.cells[0].outcomes[1].curve = Some(Curve { points: vec![(1, 2), (3, 4)] });
        comparison.cells[0].outcomes[2].problem = Some(evil.to_owned());
        let page = render(&comparison);
        assert!(!page.contains("<script") && page.contains("&lt;script&gt;"), "markup from outside");
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        let comparison = of_times(&[&[&[10, 11, 12], &[20, 21, 22]], &[&[30, 31, 32], &[20, 21, 22]]]);
        let page = render(&comparison);
        for word in ["http:", "https:", "src=", "@import", "url("] {
            assert!(!page.contains(word), "{word}");
        }
        assert!(page.contains("<svg") && page.contains("prefers-color-scheme: dark"));
    }

    #[test]
    fn losses_have_a_section_of_their_own_before_the_charts() {
        let page = render(&of_times(&[&[&[30, 31, 32], &[20, 21, 22]]]));
        let (losses, charts) = (page.find("Where stratalloc loses").unwrap(), page.find("<svg").unwrap());
        assert!(losses < charts);
        assert!(page.contains("× 1.48 [1.36 – 1.60]"));
    }

    #[test]
    fn nothing_measured_is_still_a_page() {
        let page = render(&of_times(&[&[&[], &[]]]));
        assert!(page.contains("What went wrong") && page.ends_with("</html>"));
        assert!(!page.contains("NaN") && !page.contains("inf"));
    }
}
