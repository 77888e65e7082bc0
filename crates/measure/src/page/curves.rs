//! Resident memory over time: lines, one per allocator, ours the thick one.

use core::fmt::Write;

use maud::{Markup, html};

use super::scale::{Scale, place};
use crate::comparison::{Allocator, Cell, Comparison, Kind};
use crate::curve::Curve;
use crate::units;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 84.0;
const BOTTOM: f64 = 34.0;
const TOP: f64 = 12.0;
const RIGHT: f64 = 18.0;
/// Colours in the style sheet; 0 is ours.
const COLORS: usize = 10;

/// The charts; nothing where nobody looked.
pub(super) fn section(comparison: &Comparison) -> Markup {
    let cells: Vec<&Cell> =
        comparison.cells.iter().filter(|cell| cell.outcomes.iter().any(has_curve)).collect();
    if cells.is_empty() {
        return html! {};
    }
    html! {
        section {
            h2 { "Resident memory over time" }
            p.soft { "The first measured run of each allocator, looked at from outside; the process itself, without its children. \
                      A run that was over before the second look has no line." }
            @if comparison.kind == Kind::Program {
                @for cell in &cells { (chart(comparison, cell, None)) }
            } @else {
                details {
                    summary { (cells.len()) " charts, one per workload and thread count" }
                    div.charts { @for cell in &cells { (chart(comparison, cell, Some(&cell.name))) } }
                }
            }
        }
    }
}

fn has_curve(outcome: &crate::comparison::Outcome) -> bool {
    outcome.curve.as_ref().is_some_and(|curve| curve.points.len() > 1)
}

/// The class that carries the colour of a row.
fn color(comparison: &Comparison, row: usize) -> String {
    let allocators = &comparison.allocators;
    if allocators[row].ours {
        return "k0".to_owned();
    }
    let peers_before = allocators[..row].iter().filter(|allocator| !allocator.ours).count();
    format!("k{}", 1 + peers_before % (COLORS - 1))
}

fn chart(comparison: &Comparison, cell: &Cell, name: Option<&str>) -> Markup {
    let rows = || cell.outcomes.iter().enumerate().filter(|(_, outcome)| has_curve(outcome));
    let curves: Vec<(usize, &Curve)> =
        rows().filter_map(|(row, outcome)| Some((row, outcome.curve.as_ref()?))).collect();
    let longest = curves.iter().map(|(_, curve)| curve.duration()).max().unwrap_or(0);
    let highest = curves.iter().map(|(_, curve)| curve.peak()).max().unwrap_or(0);
    let across = Scale::new(units::approximate(longest), WIDTH - LEFT - RIGHT);
    let up = Scale::new(units::approximate(highest) * 1.05, HEIGHT - TOP - BOTTOM);
    let ours_last = curves.iter().filter(|(row, _)| !comparison.allocators[*row].ours);
    let ours_last = ours_last.chain(curves.iter().filter(|(row, _)| comparison.allocators[*row].ours));
    html! {
        figure {
            @if let Some(name) = name { figcaption { (name) } }
            svg.time viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label="resident memory over time per allocator" {
                (memory_axis(units::approximate(highest) * 1.05, up))
                (time_axis(units::approximate(longest), across))
                @for (row, curve) in ours_last { (line(&comparison.allocators[*row], &color(comparison, *row), curve, across, up)) }
            }
            ul.legend { @for (row, curve) in &curves {
                li.(color(comparison, *row)).ours[comparison.allocators[*row].ours] {
                    (comparison.allocators[*row].name) " " span.soft { "peak " (units::bytes(curve.peak())) }
                }
            } }
        }
    }
}

fn line(allocator: &Allocator, color: &str, curve: &Curve, across: Scale, up: Scale) -> Markup {
    let mut path = String::new();
    for (index, &(time, bytes)) in curve.points.iter().enumerate() {
        let x = LEFT + across.at(units::approximate(time));
        let y = HEIGHT - BOTTOM - up.at(units::approximate(bytes));
        // Writing to a string cannot fail.
        let _ = write!(path, "{}{} {}", if index == 0 { 'M' } else { 'L' }, place(x), place(y));
    }
    html! { path.curve.(color).ours[allocator.ours] d=(path) { title { (allocator.name) } } }
}

/// Horizontal lines at round sizes.
fn memory_axis(most: f64, up: Scale) -> Markup {
    let unit = [30.0, 20.0, 10.0].map(f64::exp2).into_iter().find(|unit| most >= *unit).unwrap_or(1.0);
    let ticks = Scale::new(most / unit, 1.0).ticks(4.0);
    html! {
        @for tick in ticks {
            @let y = HEIGHT - BOTTOM - up.at(tick * unit);
            line.grid x1=(LEFT) x2=(WIDTH - RIGHT) y1=(place(y)) y2=(place(y)) {}
            text.axis x=(LEFT - 8.0) y=(place(y + 4.0)) text-anchor="end" { (size(tick, unit)) }
        }
    }
}

fn size(tick: f64, unit: f64) -> String {
    let name = [(30.0, "GiB"), (20.0, "MiB"), (10.0, "KiB")]
        .into_iter()
        .find(|(power, _)| f64::exp2(*power) == unit);
    format!("{} {}", number(tick), name.map_or("B", |(_, name)| name))
}

/// Round times below.
fn time_axis(most: f64, across: Scale) -> Markup {
    let (unit, name) = match most {
        ..5e5 => (1e3, "ms"),
        ..3e8 => (1e6, "s"),
        _ => (6e7, "min"),
    };
    let ticks = Scale::new(most / unit, 1.0).ticks(5.0);
    html! {
        @for tick in ticks {
            @let x = LEFT + across.at(tick * unit);
            text.axis x=(place(x)) y=(HEIGHT - 10.0) text-anchor="middle" { (number(tick)) " " (name) }
        }
    }
}

/// A round number without the noise of its last binary digits.
fn number(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_labels() {
        assert_eq!([number(0.30000000000000004), number(20.0), number(0.0)], ["0.3", "20", "0"]);
        assert_eq!(size(2.0, f64::exp2(20.0)), "2 MiB");
        assert_eq!(size(512.0, 1.0), "512 B");
    }

    #[test]
    fn peers_have_colors_of_their_own_and_ours_has_its_own() {
        let comparison = crate::comparison::tests::of_times(&[&[&[1], &[1], &[1]]]);
        assert_eq!([0, 1, 2].map(|row| color(&comparison, row)), ["k0", "k1", "k2"]);
    }
}
