//! The record for the browser: one file, no network, no script; style and charts are those of `stratalloc-measure`.

use std::slice;

use maud::{Markup, html};
use stratalloc_measure::page::{Bar, Part, bar_chart, document, links};

use crate::cases::Unit;
use crate::record::{Cell, Record};
use crate::sample::Latency;
use crate::text::typical;
use crate::verdict::{beside, count, median, number, verdicts};

/// `among`: whether it lies in the folder of a record of the workloads, which it links then.
pub(crate) fn render(record: &Record, among: bool) -> String {
    let workloads = Part {
        file: "index.html".to_owned(),
        title: "The workloads".to_owned(),
        content: "the same programs on the global allocators: the first page of this record".to_owned(),
    };
    let body = html! {
        header {
            p.kicker { "The toolkit: every strategy beside what one would take in its place" }
            h1 { "stratalloc's strategies and their peers" }
            p.lead {
                (record.cells.len()) " cases, " (record.rounds) " rounds, interleaved; each sample is a fresh process. Medians; thin lines are intervals of 95 % confidence. \
                 Less is better in every chart."
            }
        }
        (links("The other parts of this record", if among { slice::from_ref(&workloads) } else { &[] }))
        main {
            (targets(record))
            section {
                h2 { "All cases" }
                div.charts { @for cell in &record.cells { (chart(cell)) } }
            }
            section {
                h2 { "Single operations" }
                p.soft { "How many samples in which doubling of time, on a scale of logarithms; the clock's own cost is subtracted. The far right is preemption." }
                div.charts {
                    @for cell in &record.cells { @for row in &cell.rows { @for one in typical(row) { (histogram(cell, &row.name, row.ours, one)) } } }
                }
            }
            (how(record))
        }
    };
    document("stratalloc – the toolkit's bench", &body)
}

/// What was missed first; what was reached on demand.
fn targets(record: &Record) -> Markup {
    let all = || {
        record.cells.iter().flat_map(|cell| verdicts(cell).into_iter().map(move |verdict| (cell, verdict)))
    };
    let item = |cell: &Cell, text: &str| html! { li { b { (cell.name) } " " (text) } };
    let (reached, missed) = record.targets();
    html! {
        section.losses.none[missed == 0] {
            h2 { "Targets: " (reached) " reached, " (missed) " missed" }
            ul { @for (cell, verdict) in all() { @if !verdict.reached { (item(cell, &verdict.text(cell.unit))) } } }
            details {
                summary { "The targets that were reached" }
                ul { @for (cell, verdict) in all() { @if verdict.reached { (item(cell, &verdict.text(cell.unit))) } } }
            }
            @for note in &record.notes { p { (note) } }
        }
    }
}

fn chart(cell: &Cell) -> Markup {
    let bars = cell.rows.iter().filter_map(|row| {
        let (value, interval) = median(row)?;
        let more: String = beside(cell, row).iter().map(|one| format!(" · {one}")).collect();
        let instructions = row.instructions.map(|each| format!(" · {} instr.", count(each)));
        let shown = number(cell.unit, value);
        Some(Bar {
            name: row.name.clone(),
            ours: row.ours,
            value,
            interval,
            title: format!("{}: {shown}{more}", row.name),
            // A chart has room for as much; the price over a baseline is in the title and in the text.
            shown: format!("{shown}{}", instructions.unwrap_or_default()),
        })
    });
    let mut bars: Vec<_> = bars.collect();
    bars.sort_by(|a, b| a.value.total_cmp(&b.value));
    let ours = cell.rows.iter().find(|row| row.ours).map(|row| row.name.as_str());
    let what = if cell.unit == Unit::Latency {
        format!("P99.9 of the slower operation. {}", cell.models)
    } else {
        cell.models.clone()
    };
    bar_chart(&cell.name, &what, &bars, ours)
}

/// One bar per doubling; lengths are logarithms of counts, so that a single sample is still seen.
fn histogram(cell: &Cell, name: &str, ours: bool, latency: &Latency) -> Markup {
    let border = |doubling: usize| match doubling {
        0 => "below 1 ns".to_owned(),
        _ => format!("{} to {} ns", 1_u64 << (doubling - 1), 1_u64 << doubling),
    };
    let first = latency.doublings.iter().position(|&count| count > 0).unwrap_or(0);
    let bars: Vec<_> = (first..latency.doublings.len())
        .map(|doubling| {
            let count = latency.doublings[doubling];
            Bar {
                name: border(doubling),
                ours,
                value: ((count + 1) as f64).log10(),
                interval: None,
                shown: count.to_string(),
                title: format!("{count} samples {}", border(doubling)),
            }
        })
        .collect();
    let label = format!("{}: {name}, {}", cell.name, latency.operation);
    bar_chart(&label, &format!("clock: {:.1} ns, subtracted", latency.clock_ns), &bars, None)
}

fn how(record: &Record) -> Markup {
    html! {
        section {
            h2 { "How this was made" }
            dl { @for fact in &record.machine { dt { (fact.name) } dd { (fact.text) } } }
            h3 { "To make it again" }
            pre { @for line in &record.reproduce { (line) "\n" } }
            p {
                "In every round all contestants of a case run one after the other, each in a process of its own, in an order that is shifted by one from round to \
                 round. Times are CPU time of the thread (of all threads, where there are several)."
            }
            p {
                "Instructions are callgrind's, per operation: the program's own, not the kernel's in system calls and page faults. Those of the latency cases are of the \
                 same work without the clock."
            }
            p {
                "Fragmentation: a long run keeps 32 MiB of requested bytes live; the figure is (least memory in which no request is refused − peak of requested bytes) \
                 / peak, the least memory found by bisection. Headers, rounding, the heap's tables and scattered free memory all count."
            }
        }
    }
}
