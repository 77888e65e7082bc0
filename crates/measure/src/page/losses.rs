//! Where stratalloc loses, as plainly as where it wins.

use maud::{Markup, html};

use crate::summary::{Standing, Summary};
use crate::tables::plural;
use crate::usage::Figure;

/// So many of each figure are shown at once; the others are folded.
const SHOWN: usize = 6;

/// Always there when one of our rows was measured, with losses or without.
pub(super) fn section(summary: &Summary<'_>) -> Markup {
    let (standings, losses) = (summary.standings(), summary.losses());
    if standings.is_empty() {
        return html! {};
    }
    html! {
        section.losses.none[losses.is_empty()] {
            h2 { "Where stratalloc loses" }
            @if losses.is_empty() {
                p { "Nowhere here: in none of the " (Figure::HEADLINE.len()) " figures above is another allocator better by a hundredth." }
            } @else {
                p { (counted(summary, &standings, &losses)) }
                @if summary.comparison().cells.len() == 1 { (table(summary, &losses)) }
                @else { div.pairs { @for figure in Figure::HEADLINE { (of_figure(summary, &losses, figure)) } } }
            }
        }
    }
}

/// The losses in one figure, the worst at once.
fn of_figure(summary: &Summary<'_>, losses: &[Standing], figure: Figure) -> Markup {
    let losses: Vec<Standing> = losses.iter().filter(|loss| loss.figure == figure).cloned().collect();
    let (first, rest) = losses.split_at(losses.len().min(SHOWN));
    html! {
        @if !first.is_empty() {
            div {
                h3 { (figure.label()) }
                (table(summary, first))
                @if !rest.is_empty() { details { summary { "and " (rest.len()) " more" } (table(summary, rest)) } }
            }
        }
    }
}

/// In how many comparisons of each figure ours is behind.
fn counted(summary: &Summary<'_>, standings: &[Standing], losses: &[Standing]) -> Markup {
    let of = |all: &[Standing], figure: Figure| all.iter().filter(|one| one.figure == figure).count();
    let sure = losses.iter().filter(|loss| loss.ratio.is_surely_above_one()).count();
    html! {
        "Against the best other allocator of each line, not against one rival throughout. Behind in "
        @if summary.comparison().cells.len() > 1 {
            @for (index, figure) in Figure::HEADLINE.into_iter().enumerate() {
                @if index > 0 { ", " }
                (of(losses, figure)) " of " (of(standings, figure)) " (" (figure.label()) ")"
            }
        } @else { (losses.len()) " of " (plural(standings.len(), "figure")) }
        @match (losses.len() - sure, sure) {
            _ if losses.iter().all(|loss| loss.ratio.interval.is_none()) => ". There is one run of each, so none of it is certain.",
            (0, _) => ", each with its whole interval above 1.",
            (_, 0) => ", none with its whole interval above 1.",
            (_, sure) => { "; in " (sure) " of these " (losses.len()) " the whole interval is above 1." }
        }
    }
}

fn table(summary: &Summary<'_>, losses: &[Standing]) -> Markup {
    let comparison = summary.comparison();
    let several = comparison.cells.len() > 1;
    let rows_of_ours = summary.ours().count() > 1;
    html! {
        div.scroll { table {
            thead { tr {
                @if several { th { "workload × threads" } }
                @if rows_of_ours { th { "row" } }
                @if !several { th { "figure" } }
                th { "× of the best" } th { "best" }
            } }
            tbody { @for loss in losses {
                @let sure = loss.ratio.is_surely_above_one();
                tr {
                    @if several { td { (comparison.cells[loss.cell].name) } }
                    @if rows_of_ours { td { (comparison.allocators[loss.ours].name) } }
                    @if !several { td { (loss.figure.label()) } }
                    td.(if sure { "sure" } else { "doubt" }) {
                        (super::ratio_text(&loss.ratio)) @if !sure && loss.ratio.interval.is_some() { " not certain" }
                    }
                    td { (comparison.allocators[loss.peer].name) }
                }
            } }
        } }
    }
}
