//! A record as `stratalloc-measure` understands it: for summaries, tables and the page.

use crate::allocators::Row;
use crate::record::{Record, Runs, Sample};
use bench_workloads::find;
use std::time::Duration;
use stratalloc_measure::comparison::SCHEMA;
use stratalloc_measure::machine::Fact;
use stratalloc_measure::{Allocator, Cell, Comparison, Kind, Outcome, Usage};

/// The same content; what a workload models is what it models today.
pub(crate) fn compared(record: &Record) -> Comparison {
    let rows = record.allocators.len().max(1);
    let cells: Vec<Cell> =
        record.runs.chunks(rows).enumerate().map(|(index, runs)| cell(record, index * rows, runs)).collect();
    let mut workloads: Vec<&str> = record.runs.iter().map(|runs| runs.workload.as_str()).collect();
    workloads.dedup();
    workloads.sort_unstable();
    workloads.dedup();
    let mut machine = record.facts();
    machine.push(Fact::new("amount of work", format!("{} thousandths of the full amount", record.scale)));
    Comparison {
        schema: SCHEMA.to_owned(),
        kind: Kind::Workloads,
        title: format!("{} workloads as Rust programs", workloads.len()),
        reproduce: vec![format!("bench/run.sh --rounds {} --scale {}", record.rounds, record.scale)],
        machine,
        rounds: record.rounds,
        allocators: record.allocators.iter().map(allocator).collect(),
        cells,
        notes: Vec::new(),
    }
}

fn allocator(row: &Row) -> Allocator {
    let settings: String = row.environment.iter().map(|(key, value)| format!(" {key}={value}")).collect();
    Allocator {
        name: row.name.clone(),
        detail: format!("runner-{}{settings}", row.runner),
        ours: row.is_ours(),
    }
}

fn cell(record: &Record, first: usize, runs: &[Runs]) -> Cell {
    let models = find(&runs[0].workload).map_or("", |workload| workload.models);
    let outcome = |(row, runs): (usize, &Runs)| Outcome {
        samples: runs.samples.iter().map(usage).collect(),
        curve: None,
        problem: record.problem(first + row).map(str::to_owned),
    };
    Cell {
        name: runs[0].cell(),
        models: models.to_owned(),
        outcomes: runs.iter().enumerate().map(outcome).collect(),
    }
}

fn usage(sample: &Sample) -> Usage {
    Usage {
        wall: Duration::from_micros(sample.wall_us),
        user: Duration::from_micros(sample.user_us),
        system: Duration::from_micros(sample.system_us),
        peak_rss_kib: sample.peak_kib,
        minor_faults: sample.minor_faults,
        major_faults: sample.major_faults,
        switches: sample.voluntary_switches + sample.involuntary_switches,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::of_checksums;
    use stratalloc_measure::{Figure, Summary, page};

    #[test]
    fn rows_cells_and_failures_carry_over() {
        let record = of_checksums([Some("a"), Some("a"), None]);
        let comparison = compared(&record);
        assert_eq!(comparison.cells[0].name, "pairs-32 × 1");
        assert!(comparison.cells[0].models.contains("32 bytes"));
        assert!(comparison.allocators[0].ours && !comparison.allocators[1].ours);
        assert_eq!(comparison.allocators[2].detail, "runner-mimalloc3 MIMALLOC_ALLOW_THP=0");
        let problems: Vec<_> = comparison.problems().collect();
        assert_eq!(problems, [("pairs-32 × 1", "mimalloc3-nothp", "killed by signal 9")]);
        assert_eq!(Summary::of(&comparison).mean_ratio(Figure::Cpu, 0).expect("common").value, 0.5);
        assert!(page::render(&comparison).contains("killed by signal 9"));
    }
}
