//! The cases of the latency measurement, in order.

use crate::distribution::{Distribution, Summary};
use crate::local::{Pair, hit, mixed, mixed_beside_another};
use crate::process::preemptions;
use crate::remote::{SLAB, each, slab};
use crate::timer::Timer;
use serde::Serialize;

/// Samples of each operation, unless told otherwise.
pub(crate) const ROUNDS: usize = 1_000_000;

/// Batches of a slab take longer, and there are fewer of them.
const ROUNDS_PER_SLAB: usize = 500;

/// One line of output: an operation of a case.
#[derive(Serialize)]
struct Line<'a> {
    kind: &'static str,
    allocator: &'a str,
    case: &'a str,
    operation: &'static str,
    unit: &'static str,
    /// Blocks in one sample.
    blocks: usize,
    #[serde(flatten)]
    summary: Summary,
    /// How often the thread that prints lost its processor during the case: what the largest values may come from.
    preemptions: u64,
    timer_min: f64,
    timer_p50: f64,
    timer_p99: f64,
    ticks_per_ns: f64,
}

/// Runs all cases and prints a line for each operation.
pub(crate) fn print(allocator: &str, rounds: usize) {
    let printer = Printer { allocator, timer: Timer::calibrated() };
    let timer = &printer.timer;
    // The first pass warms caches and the allocator up; its samples go.
    hit::<64>(timer, rounds / 10);
    printer.pair("hit-16", || hit::<16>(timer, rounds));
    printer.pair("hit-64", || hit::<64>(timer, rounds));
    printer.pair("hit-256", || hit::<256>(timer, rounds));
    printer.pair("hit-1024", || hit::<1024>(timer, rounds));
    printer.pair("mixed", || mixed(timer, rounds));
    printer.pair("mixed-beside-thread", || mixed_beside_another(timer, rounds));
    printer.pair("remote", || each(timer, rounds));
    let slabs = (rounds / ROUNDS_PER_SLAB).max(1);
    printer.slab("remote-slab-64", SLAB / 64, || slab::<64>(timer, slabs));
    printer.slab("remote-slab-256", SLAB / 256, || slab::<256>(timer, slabs));
    printer.slab("remote-slab-1024", SLAB / 1024, || slab::<1024>(timer, slabs));
}

struct Printer<'a> {
    allocator: &'a str,
    timer: Timer,
}

impl Printer<'_> {
    fn pair(&self, case: &str, measure: impl FnOnce() -> Pair) {
        let before = preemptions();
        let pair = measure();
        let preempted = preemptions() - before;
        self.line(case, "malloc", 1, &pair.malloc, preempted);
        self.line(case, "free", 1, &pair.free, preempted);
    }

    fn slab(&self, case: &str, blocks: usize, measure: impl FnOnce() -> Distribution) {
        let before = preemptions();
        let distribution = measure();
        self.line(case, "free all", blocks, &distribution, preemptions() - before);
    }

    fn line(
        &self,
        case: &str,
        operation: &'static str,
        blocks: usize,
        distribution: &Distribution,
        preemptions: u64,
    ) {
        let timer = &self.timer;
        let nanoseconds = |ticks: u64| (timer.nanoseconds(ticks as f64) * 10.0).round() / 10.0;
        let line = Line {
            kind: "latency",
            allocator: self.allocator,
            case,
            operation,
            unit: "ns",
            blocks,
            summary: distribution.summary(timer),
            preemptions,
            timer_min: nanoseconds(timer.least_cost),
            timer_p50: nanoseconds(timer.cost),
            timer_p99: nanoseconds(timer.p99_cost),
            ticks_per_ns: (timer.rate * 10_000.0).round() / 10_000.0,
        };
        println!("{}", serde_json::to_string(&line).expect("plain data"));
    }
}
