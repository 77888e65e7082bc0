//! The memory summary, for people.

use std::io::{self, Write};

use stratalloc_measure::statistics::Sample;
use stratalloc_measure::text::{ABSENT, Align, Cell, Mark, Style, Table};
use stratalloc_measure::{Figure, Usage, units};

use crate::run::{self, Outcome};
use crate::summary::{Class, DOMAINS, Domain, Summary};

/// A ratio that differs less from one is not worth a colour.
const WORTH_A_COLOR: f64 = 0.03;
/// How many children are shown one by one.
const CHILDREN_SHOWN: usize = 20;

/// By how much the kernel's two figures for one process may differ: each processor keeps a part of the count to itself.
const NOISE_KIB: u64 = 1024;

/// Writes the whole summary.
pub(crate) fn write(outcome: &Outcome, top: usize, out: &mut dyn Write, style: Style) -> io::Result<()> {
    let first = &outcome.heap[0];
    let name = outcome.program.display();
    writeln!(
        out,
        "{}",
        style.title(&format!("stratalloc: {name} (process {}) ended with {}", first.process, first.end))
    )?;
    if let Some(summary) = &outcome.summary {
        domains(summary, out, style)?;
        classes(summary, top, out, style)?;
    }
    writeln!(out)?;
    totals(outcome.summary.as_ref(), &first.usage).print(out, style)?;
    children(&outcome.children, out, style)?;
    comparison(outcome, out, style)?;
    for note in &outcome.notes {
        writeln!(out, "{}", style.faint(&format!("  note: {note}")))?;
    }
    Ok(())
}

fn shown(value: Option<u64>, how: fn(u64) -> String) -> String {
    value.map_or_else(|| ABSENT.to_owned(), how)
}

fn domains(summary: &Summary, out: &mut dyn Write, style: Style) -> io::Result<()> {
    let mut table = Table::new([
        ("blocks", Align::Left),
        ("peak", Align::Right),
        ("live at end", Align::Right),
        ("allocations", Align::Right),
        ("releases", Align::Right),
    ]);
    for name in DOMAINS {
        let Domain { live_bytes, peak_bytes, allocations, releases } = summary.domain(name);
        table.row([
            name.to_owned(),
            shown(peak_bytes, units::bytes),
            shown(live_bytes, units::bytes),
            shown(allocations, units::count),
            shown(releases, units::count),
        ]);
    }
    writeln!(out)?;
    table.print(out, style)
}

/// The classes through which most bytes went: what a program with other sizes would change first.
fn classes(summary: &Summary, top: usize, out: &mut dyn Write, style: Style) -> io::Result<()> {
    let volume = |class: &Class| class.size.saturating_mul(class.allocations);
    let mut classes = summary.classes();
    classes.retain(|class| class.allocations > 0 || class.live > 0);
    classes.sort_by_key(|class| core::cmp::Reverse((volume(class), class.bytes)));
    let all = classes.len();
    let mut table = Table::new([
        ("size class", Align::Right),
        ("allocations", Align::Right),
        ("bytes in all", Align::Right),
        ("live blocks", Align::Right),
        ("live bytes", Align::Right),
    ]);
    for class in classes.iter().take(top) {
        table.row([
            units::bytes(class.size),
            units::count(class.allocations),
            units::bytes(volume(class)),
            units::count(class.live),
            units::bytes(class.bytes),
        ]);
    }
    if table.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    table.print(out, style)?;
    if all > top {
        writeln!(
            out,
            "{}",
            style.faint(&format!("  … and {} other size classes (--top N, --json FILE)", all - top))
        )?;
    }
    Ok(())
}

fn totals(summary: Option<&Summary>, usage: &Usage) -> Table {
    let number = |key| summary.and_then(|summary| summary.number(key));
    let mut table = Table::new([("", Align::Left), ("", Align::Left)]);
    let mut row = |name: &str, text: String| table.row([name.to_owned(), text]);
    if let Some(bytes) = number("committed_bytes") {
        row("committed by the heap", units::bytes(bytes));
    }
    if let Some(bytes) = number("resident_bytes") {
        row("resident at the end", units::bytes(bytes));
    }
    row("peak RSS", peak_rss(number("peak_rss_kib"), usage.peak_rss_kib));
    let faults = |count: u64, kind: &str| format!("{} {kind}", units::count(count));
    row(
        "page faults",
        format!("{}, {}", faults(usage.minor_faults, "minor"), faults(usage.major_faults, "major")),
    );
    if let Some(purges) = number("purges") {
        let bytes = shown(number("purged_bytes"), units::bytes);
        row("purges", format!("{}, {bytes} given back", units::count(purges)));
    }
    if let Some(frees) = number("remote_frees") {
        let batches = shown(number("remote_batches"), units::count);
        row("remote frees", format!("{} in {batches} batches", units::count(frees)));
    }
    for (name, key) in
        [("thread heaps", "thread_heaps"), ("slabs", "slabs"), ("huge-page chunks", "huge_page_chunks")]
    {
        if let Some(count) = number(key) {
            row(name, units::count(count));
        }
    }
    let [wall, user, system] = [usage.wall, usage.user, usage.system].map(units::time);
    row("time", format!("{wall} wall, {user} user, {system} system"));
    table
}

/// The process's own peak, and beside it the kernel's figure when a child that it waited for was larger.
fn peak_rss(own: Option<u64>, accounted: u64) -> String {
    match own {
        Some(own) if accounted > own + NOISE_KIB => {
            format!("{} ({} with its children)", units::kibibytes(own), units::kibibytes(accounted))
        }
        _ => units::kibibytes(accounted),
    }
}

fn children(children: &[Summary], out: &mut dyn Write, style: Style) -> io::Result<()> {
    if children.is_empty() {
        return Ok(());
    }
    let mut largest: Vec<&Summary> = children.iter().collect();
    largest.sort_by_key(|child| core::cmp::Reverse(child.number("peak_rss_kib")));
    let mut table = Table::new([
        ("child", Align::Left),
        ("process", Align::Right),
        ("peak RSS", Align::Right),
        ("peak blocks ≤", Align::Right),
        ("allocations", Align::Right),
        ("time", Align::Right),
    ]);
    for child in largest.iter().take(CHILDREN_SHOWN) {
        let milliseconds = child.number("time_ms").map(core::time::Duration::from_millis);
        table.row([
            child.program.clone().unwrap_or_else(|| ABSENT.to_owned()),
            child.process.to_string(),
            shown(child.number("peak_rss_kib"), units::kibibytes),
            shown(child.over_domains(|domain| domain.peak_bytes), units::bytes),
            shown(child.over_domains(|domain| domain.allocations), units::count),
            milliseconds.map_or_else(|| ABSENT.to_owned(), units::time),
        ]);
    }
    writeln!(out)?;
    table.print(out, style)?;
    if let Some(rest) = largest.len().checked_sub(CHILDREN_SHOWN).filter(|&rest| rest > 0) {
        writeln!(out, "{}", style.faint(&format!("  … and {rest} other children (--json FILE)")))?;
    }
    Ok(())
}

fn comparison(outcome: &Outcome, out: &mut dyn Write, style: Style) -> io::Result<()> {
    if outcome.system.is_empty() {
        return Ok(());
    }
    let runs = outcome.system.len();
    let heading = match runs {
        1 => "beside the system allocator, one run each".to_owned(),
        _ => format!("beside the system allocator, medians of {runs} runs each, alternating"),
    };
    let mut table = Table::new([
        ("", Align::Left),
        ("stratalloc", Align::Right),
        ("system", Align::Right),
        ("ratio", Align::Right),
    ]);
    for figure in Figure::ALL {
        let heap = run::sample(figure, &outcome.heap);
        let (Some(heap), Some(system)) = (heap, run::sample(figure, &outcome.system)) else { continue };
        let value = |sample: Sample| match sample.spread() {
            Some(spread) if runs > 1 => format!("{} ±{:.0} %", figure.show(sample.median), spread * 100.0),
            _ => figure.show(sample.median),
        };
        let ratio = units::ratio(heap.median, system.median);
        let mark = match ratio {
            Some(ratio) if ratio < 1.0 - WORTH_A_COLOR => Mark::Good,
            Some(ratio) if ratio > 1.0 + WORTH_A_COLOR => Mark::Bad,
            _ => Mark::None,
        };
        let ratio = ratio.map_or_else(|| ABSENT.to_owned(), |ratio| format!("{ratio:.2}"));
        let name = Cell::from(figure.label().to_owned());
        table.row([name, value(heap).into(), value(system).into(), Cell::marked(ratio, mark)]);
    }
    writeln!(out, "\n  {}", style.title(&heading))?;
    table.print(out, style)
}
