//! Coroutines of a real context-switch library on pooled stacks: what the example `fibers` is made of.
//!
//! Not covered: stacks themselves (`stratalloc-strategies/tests/fiber_stacks*.rs`).
#![cfg(all(target_os = "linux", target_has_atomic = "64", not(miri)))]

extern crate alloc;

#[path = "../examples/fibers/pooled_stack.rs"]
mod pooled_stack;
#[path = "../examples/fibers/scheduler.rs"]
mod scheduler;
#[path = "../examples/fibers/task.rs"]
mod task;

use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::mpsc;

use corosensei::{Coroutine, CoroutineResult};
use pooled_stack::PooledStack;
use stratalloc::strategies::fiber_stacks::{FiberStacks, FiberStacksConfig, Guards, report_overflows};
use stratalloc::strategies::pool::PoolConfig;
use stratalloc::{Alignment, ProcessHeap, Validate};
use task::{BlockPool, Pools};

fn stacks(count: usize, guards: Guards) -> &'static FiberStacks {
    let config = FiberStacksConfig::new().with_class(scheduler::STACK, count).with_guards(guards);
    Box::leak(Box::new(FiberStacks::new(config).unwrap()))
}

fn blocks(size: usize, count: usize) -> &'static BlockPool {
    let config = PoolConfig::new(size, Alignment::constant::<16>());
    Box::leak(Box::new(BlockPool::within(config, ProcessHeap, count).unwrap()))
}

#[test]
fn a_coroutine_keeps_its_locals_on_a_pooled_stack_that_comes_back() {
    let stacks = stacks(1, Guards::Automatic);
    let stack = stacks.get(0).unwrap();
    let range = stack.limit().addr()..stack.top().addr();
    let mut fiber = Coroutine::with_stack(PooledStack(stack), move |yielder, start: usize| {
        let local = [start; 100];
        let address = core::hint::black_box(&raw const local).addr();
        assert!(range.start.get() <= address && address < range.end.get());
        let more = yielder.suspend(local[99] + 1);
        local[0] + more
    });
    assert!(stacks.get(0).is_err(), "the only stack is in use");
    assert!(matches!(fiber.resume(10), CoroutineResult::Yield(11)));
    assert!(matches!(fiber.resume(5), CoroutineResult::Return(15)));
    drop(fiber);
    assert!(stacks.get(0).is_ok());
}

#[test]
fn the_scheduler_runs_every_fiber_and_returns_every_stack() {
    const TOTAL: u64 = 2000;
    for guards in [Guards::Automatic, Guards::Mappings] {
        let stacks = stacks(200, guards);
        // So few messages that fibers may have to wait for the reader.
        let pools = Pools { chunks: blocks(2048, 100), messages: blocks(128, 8) };
        let (outbox, inbox) = mpsc::channel();
        let (seen, (count, sum)) = std::thread::scope(|scope| {
            let worker = scope.spawn(move || scheduler::run(stacks, pools, 0..TOTAL, 100, &outbox).unwrap());
            let numbers = inbox.iter().map(|message| message.number().unwrap());
            let read = numbers.fold((0, 0), |(count, sum), number| (count + 1, sum + number));
            (worker.join().unwrap(), read)
        });
        assert_eq!((seen.finished, seen.most_live), (TOTAL, 100));
        // Each waits once for its input, and as often as it takes for a message to be free.
        assert!(seen.switches >= 2 * TOTAL);
        assert_eq!((count, sum), (TOTAL, (0..TOTAL).map(task::expected).sum()));
        let usage = stacks.usage().next().unwrap();
        assert_eq!((usage.live, usage.cached, usage.shared), (0, 0, 100));
        let deepest = stacks.measure().high_water;
        assert!(seen.depths.iter().sum::<u64>() > 0 && deepest > 16 << 10 && deepest <= scheduler::STACK);
        stacks.validate().unwrap();
    }
}

#[test]
fn a_coroutine_that_overflows_is_reported_by_its_number() {
    const NAME: &str = "a_coroutine_that_overflows_is_reported_by_its_number";
    const SIGSEGV: i32 = 11;

    #[expect(unconditional_recursion, reason = "the overflow is the test's purpose")]
    fn deeper(depth: usize) -> usize {
        core::hint::black_box([depth; 100])[depth % 100] + deeper(depth + 1)
    }

    if std::env::var_os("STRATALLOC_FIBERS_OVERFLOW").is_some() {
        let _reports = report_overflows().unwrap();
        let stacks = stacks(3, Guards::Automatic);
        let all = [(); 3].map(|()| stacks.get(0).unwrap());
        let mut fibers = Vec::new();
        for (number, stack) in (70_001..).zip(all) {
            stack.set_fiber(number);
            let body = move |yielder: &corosensei::Yielder<(), ()>, ()| {
                yielder.suspend(());
                if number == 70_002 { deeper(0) } else { 0 }
            };
            fibers.push(Coroutine::with_stack(PooledStack(stack), body));
        }
        for _ in 0..2 {
            fibers.iter_mut().for_each(|fiber| {
                let _ = fiber.resume(());
            });
        }
        std::process::exit(0);
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    let child = child.args(["--exact", NAME, "--nocapture"]).env("STRATALLOC_FIBERS_OVERFLOW", "1");
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(SIGSEGV), "{said}");
    assert!(said.contains("stratalloc: stack overflow of fiber 70002: access to 0x"), "{said}");
}

#[test]
fn what_fails_in_one_fiber_ends_the_scheduler_but_no_other_fiber() {
    let stacks = stacks(200, Guards::Automatic);
    // Chunks for half of the fibers that live at a time: the others fail.
    let pools = Pools { chunks: blocks(2048, 50), messages: blocks(128, 1000) };
    let (outbox, inbox) = mpsc::channel();
    let failure = scheduler::run(stacks, pools, 0..1000, 100, &outbox).unwrap_err();
    assert_eq!(failure.to_string(), "the fixed capacity is exhausted");
    drop(outbox);
    assert_eq!(inbox.iter().count(), 50);
    assert_eq!(stacks.usage().next().unwrap().live, 0);
}
