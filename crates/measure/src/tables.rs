//! A comparison for the terminal: what matters last, where the eye is.

use std::io::{self, Write};

use crate::comparison::Kind;
use crate::statistics::Ratio;
use crate::summary::{FigureTable, Standing, Summary};
use crate::text::{ABSENT, Align, Cell, Mark, Style, Table};
use crate::usage::Figure;

/// So many losses of each figure are listed; the page has all.
const LOSSES_SHOWN: usize = 5;
/// The figures that have a table of all cells.
const IN_FULL: [Figure; 2] = [Figure::Cpu, Figure::PeakRss];

/// Everything: cells, means, losses, problems, notes.
pub fn print(summary: &Summary<'_>, out: &mut dyn Write, style: Style) -> io::Result<()> {
    let comparison = summary.comparison();
    let title = format!(
        "{}: {} allocators, {} interleaved",
        comparison.title,
        comparison.allocators.len(),
        plural(comparison.rounds, "round"),
    );
    writeln!(out, "{}", style.title(&title))?;
    if comparison.kind == Kind::Workloads {
        for figure in IN_FULL {
            cells(summary, summary.table(figure), out, style)?;
        }
    }
    for figure in Figure::HEADLINE {
        ranking(summary, summary.table(figure), out, style)?;
    }
    losses(summary, out, style)?;
    for (cell, allocator, problem) in comparison.problems() {
        writeln!(out, "{} {cell} on {allocator}: {problem}", style.bad("  failed:"))?;
    }
    for note in &comparison.notes {
        writeln!(out, "{}", style.faint(&format!("  note: {note}")))?;
    }
    Ok(())
}

/// `1 run`, `2 runs`.
#[must_use]
pub fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A ratio with its interval.
#[must_use]
pub fn ratio(ratio: &Ratio) -> String {
    let interval = ratio.interval.map(|all| format!(" [{:.2} – {:.2}]", all.low, all.high));
    format!("{:.2}{}", ratio.value, interval.unwrap_or_default())
}

fn mark(ratio: &Ratio) -> Mark {
    match ratio {
        _ if ratio.is_surely_below_one() => Mark::Good,
        _ if ratio.is_surely_above_one() => Mark::Bad,
        _ => Mark::None,
    }
}

/// Every cell: the best median, and the ratio of each allocator to it.
fn cells(summary: &Summary<'_>, table: &FigureTable, out: &mut dyn Write, style: Style) -> io::Result<()> {
    let comparison = summary.comparison();
    let fixed = [
        (format!("{}, × of the best", table.figure.label()), Align::Left),
        ("best".to_owned(), Align::Right),
    ];
    let names = comparison.allocators.iter().map(|allocator| (allocator.name.clone(), Align::Right));
    let mut text = Table::new(fixed.into_iter().chain(names));
    for (index, cell) in comparison.cells.iter().enumerate() {
        let best = table.best_of(index, |_| true);
        let shown = best.and_then(|row| table.samples[index][row]).map(|best| table.figure.show(best.median));
        let mut row = vec![cell.name.clone().into(), Cell::from(shown.unwrap_or_else(|| ABSENT.to_owned()))];
        for allocator in 0..comparison.allocators.len() {
            row.push(to_best(summary, table, index, allocator, best));
        }
        text.row(row);
    }
    writeln!(out)?;
    text.print(out, style)
}

fn to_best(summary: &Summary<'_>, table: &FigureTable, cell: usize, row: usize, best: Option<usize>) -> Cell {
    if table.samples[cell][row].is_none() {
        return Cell::marked("failed".to_owned(), Mark::Bad);
    }
    let ratio = best.and_then(|best| summary.ratio(table.figure, cell, row, best));
    match ratio {
        Some(_) if best == Some(row) => Cell::marked("1*".to_owned(), Mark::Good),
        Some(ratio) => Cell::from(format!("{:.2}", ratio.value)),
        None => Cell::from(ABSENT.to_owned()),
    }
}

/// One figure over all cells: the allocators, best first.
fn ranking(summary: &Summary<'_>, table: &FigureTable, out: &mut dyn Write, style: Style) -> io::Result<()> {
    let comparison = summary.comparison();
    let rows = table.ranking();
    let Some(reference) = table.reference.filter(|_| !rows.is_empty()) else { return Ok(()) };
    let (value, ratios) = match comparison.kind {
        Kind::Program => ("median", format!("× {}", comparison.allocators[reference].name)),
        Kind::Workloads => ("geometric mean", "× best peer".to_owned()),
    };
    let mut text = Table::new([
        (table.figure.label().to_owned(), Align::Left),
        (value.to_owned(), Align::Right),
        (if comparison.kind == Kind::Program { "spread".to_owned() } else { String::new() }, Align::Right),
        (ratios, Align::Left),
        (String::new(), Align::Left),
    ]);
    for (place, &row) in rows.iter().enumerate() {
        let against = summary.mean_ratio(table.figure, row).filter(|_| row != reference);
        let spread = match table.common.as_slice() {
            &[cell] if comparison.kind == Kind::Program => {
                table.samples[cell][row].and_then(|all| all.spread())
            }
            _ => None,
        };
        text.row([
            comparison.allocators[row].name.clone().into(),
            table.means[row].map_or_else(|| ABSENT.to_owned(), |mean| table.figure.show(mean)).into(),
            Cell::from(spread.map_or_else(String::new, |part| format!("±{:.0} %", part * 100.0))),
            against.as_ref().map_or_else(|| "1".to_owned().into(), |all| Cell::marked(ratio(all), mark(all))),
            if place == 0 { Cell::marked("best".to_owned(), Mark::Good) } else { String::new().into() },
        ]);
    }
    writeln!(out)?;
    text.print(out, style)?;
    if comparison.kind == Kind::Workloads {
        let over = format!("  over {} of {} cells", table.common.len(), comparison.cells.len());
        writeln!(out, "{}", style.faint(&over))?;
    }
    Ok(())
}

fn losses(summary: &Summary<'_>, out: &mut dyn Write, style: Style) -> io::Result<()> {
    let losses = summary.losses();
    if summary.ours().next().is_none() || summary.standings().is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    if losses.is_empty() {
        return writeln!(out, "  {}", style.good("stratalloc is behind no other allocator here"));
    }
    writeln!(out, "  {}", style.title("where stratalloc loses, against the best other one of each line"))?;
    let mut text = Table::new([("", Align::Left); 4]);
    let mut left_out = 0;
    for figure in Figure::HEADLINE {
        let of_figure: Vec<_> = losses.iter().filter(|loss| loss.figure == figure).collect();
        of_figure.iter().take(LOSSES_SHOWN).for_each(|loss| text.row(loss_cells(summary, loss)));
        left_out += of_figure.len().saturating_sub(LOSSES_SHOWN);
    }
    text.print(out, style)?;
    if left_out > 0 {
        writeln!(out, "{}", style.faint(&format!("  … and {left_out} more, less bad (--html FILE)")))?;
    }
    Ok(())
}

fn loss_cells(summary: &Summary<'_>, loss: &Standing) -> [Cell; 4] {
    let comparison = summary.comparison();
    let doubt = if loss.ratio.is_surely_above_one() { "" } else { ", not certain" };
    [
        loss.figure.label().to_owned().into(),
        comparison.cells[loss.cell].name.clone().into(),
        Cell::marked(format!("× {}{doubt}", ratio(&loss.ratio)), mark(&loss.ratio)),
        format!("{} is best", comparison.allocators[loss.peer].name).into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::tests::of_times;

    fn printed(times: &[&[&[u32]]]) -> String {
        let comparison = of_times(times);
        let mut out = Vec::new();
        print(&Summary::of(&comparison), &mut out, Style::new(false)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_program_shows_ratios_intervals_and_the_winner() {
        let text = printed(&[&[&[10, 10, 10], &[20, 20, 21], &[]]]);
        assert!(text.contains("test: 3 allocators, 3 rounds interleaved"), "{text}");
        let line = text.lines().find(|line| line.trim_start().starts_with("stratalloc  ")).unwrap();
        assert!(
            line.contains("10.0 ms") && line.contains("0.50 [0.48 – 0.50]") && line.ends_with("best"),
            "{text}"
        );
        assert!(text.contains("failed: work-0 on peer: killed"), "{text}");
        assert!(text.contains("behind no other allocator"), "{text}");
    }

    #[test]
    fn losses_are_named_with_who_is_better() {
        let text = printed(&[&[&[30, 31, 32], &[20, 20, 20]], &[&[1, 1, 1], &[2, 2, 2]]]);
        assert!(text.contains("where stratalloc loses"), "{text}");
        assert!(text.contains("× 1.55 [1.50 – 1.60]   system is best"), "{text}");
        let row = text.lines().find(|line| line.trim_start().starts_with("work-1")).unwrap();
        assert!(row.contains("1*") && row.contains("2.00"), "{text}");
    }
}
