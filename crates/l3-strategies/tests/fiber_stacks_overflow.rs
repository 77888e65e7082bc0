//! What reaches a guard: a child process, which must end by the signal and say which fiber it was.
#![cfg(all(target_os = "linux", target_has_atomic = "64", not(miri)))]

use core::ptr::NonNull;
use core::sync::atomic::{AtomicPtr, Ordering};
use std::os::unix::process::ExitStatusExt;

#[path = "../../l1-platform/tests/this_program/mod.rs"]
mod this_program;

use stratalloc_platform::stack::call_on;
use stratalloc_strategies::fiber_stacks::{
    FiberStack, FiberStacks, FiberStacksConfig, Guards, report_overflows,
};
use this_program::this_program;

const SIGSEGV: i32 = 11;
/// Names the test whose overflow this process is to commit.
const VARIABLE: &str = "STRATALLOC_OVERFLOW";

/// Ten stacks, with guards of the kind of this name.
fn config_of(kind: &str) -> FiberStacksConfig {
    let kind = if kind == "markers" { Guards::Automatic } else { Guards::Mappings };
    FiberStacksConfig::new().with_class(64 << 10, 10).with_guards(kind)
}

/// Runs `fault` in a child process for each kind of guard; returns what it said. It has to die by the signal.
fn last_words(test: &str, fault: impl Fn(FiberStacks)) -> [String; 2] {
    if let Ok(value) = std::env::var(VARIABLE) {
        fault(FiberStacks::new(config_of(&value)).unwrap());
        std::process::exit(0);
    }
    ["markers", "mappings"].map(|kind| {
        let mut child = this_program();
        let output = child.args(["--exact", test, "--nocapture"]).env(VARIABLE, kind).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.signal(), Some(SIGSEGV), "{said}");
        said
    })
}

/// Three stacks in a row, so that guards have neighbours; the fiber on the middle one is number 4242.
fn three(stacks: &FiberStacks) -> [FiberStack<'_>; 3] {
    let all = [(); 3].map(|()| stacks.get(0).unwrap());
    assert_eq!(all[1].lower_guard(), all[0].top(), "neighbours");
    all[1].set_fiber(4242);
    all
}

fn run_on(stack: &FiberStack<'_>, work: extern "C" fn()) {
    // SAFETY: a stack of ours, on which nothing runs.
    unsafe { call_on(stack.top().as_ptr(), work) };
}

#[expect(unconditional_recursion, reason = "the overflow is the test's purpose")]
fn deeper(depth: usize) -> usize {
    core::hint::black_box([depth; 100])[depth % 100] + deeper(depth + 1)
}

extern "C" fn overflow() {
    core::hint::black_box(deeper(0));
}

/// What `scribble` writes to.
static TARGET: AtomicPtr<u8> = AtomicPtr::new(core::ptr::null_mut());

extern "C" fn scribble() {
    // SAFETY: not given: the fault is the test's purpose.
    unsafe { TARGET.load(Ordering::Relaxed).write_volatile(1) };
}

fn aim(start: NonNull<u8>, offset: usize) {
    TARGET.store(start.as_ptr().wrapping_add(offset), Ordering::Relaxed);
}

#[test]
fn an_overflow_is_reported_as_that_of_its_fiber() {
    for said in last_words("an_overflow_is_reported_as_that_of_its_fiber", |stacks| {
        // Stacks that are gone take no place among those that reports can find.
        let gone = FiberStacksConfig::new().with_class(4 << 10, 1);
        (0..1000).for_each(|_| drop(FiberStacks::new(gone).unwrap()));
        // Made after them, so in one of their places; of the kind that the child was asked for.
        let late = FiberStacks::new(config_of(&std::env::var(VARIABLE).unwrap())).unwrap();
        let _reports = report_overflows().unwrap();
        run_on(&three(&late)[1], overflow);
        drop(stacks);
    }) {
        assert_eq!(
            said.matches("stratalloc: stack overflow of fiber 4242: access to 0x").count(),
            1,
            "{said}"
        );
        assert!(said.contains("bytes below its stack of 65536 bytes"), "{said}");
    }
}

#[test]
fn an_overflow_on_a_thread_of_its_own_is_reported_too() {
    for said in last_words("an_overflow_on_a_thread_of_its_own_is_reported_too", |stacks| {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _reports = report_overflows().unwrap();
                run_on(&three(&stacks)[1], overflow);
            });
        });
    }) {
        assert!(said.contains("stratalloc: stack overflow of fiber 4242"), "{said}");
    }
}

#[test]
fn access_above_a_stack_is_told_from_an_overflow_of_its_neighbour() {
    for said in last_words("access_above_a_stack_is_told_from_an_overflow_of_its_neighbour", |stacks| {
        let _reports = report_overflows().unwrap();
        let three = three(&stacks);
        aim(three[1].top(), 99);
        run_on(&three[1], scribble);
    }) {
        let line = "stratalloc: fiber 4242 reached above its stack: access to 0x";
        assert!(said.contains(line) && said.contains(", 100 bytes above its stack"), "{said}");
    }
}

#[test]
fn access_from_another_stack_is_told_as_such() {
    for said in last_words("access_from_another_stack_is_told_as_such", |stacks| {
        let _reports = report_overflows().unwrap();
        aim(three(&stacks)[1].lower_guard(), 0);
        scribble();
    }) {
        assert!(
            said.contains("stratalloc: the guard of fiber 4242's stack was reached from elsewhere"),
            "{said}"
        );
    }
}

#[test]
fn without_the_reports_the_process_ends_all_the_same() {
    for said in last_words("without_the_reports_the_process_ends_all_the_same", |stacks| {
        run_on(&three(&stacks)[1], overflow);
    }) {
        assert!(!said.contains("stratalloc:"), "{said}");
    }
}

#[test]
fn other_faults_are_not_claimed() {
    for said in last_words("other_faults_are_not_claimed", |_| {
        let _reports = report_overflows().unwrap();
        aim(NonNull::dangling(), 0);
        scribble();
    }) {
        assert!(!said.contains("stratalloc:"), "{said}");
    }
}

#[test]
fn a_guard_stays_one_when_its_stack_was_used_again_and_shrunk() {
    use stratalloc_resource::Collect;
    for said in last_words("a_guard_stays_one_when_its_stack_was_used_again_and_shrunk", |stacks| {
        extern "C" fn nothing() {}
        let _reports = report_overflows().unwrap();
        for _ in 0..3 {
            three(&stacks).iter().for_each(|stack| run_on(stack, nothing));
            stacks.collect();
        }
        let all = [(); 3].map(|()| stacks.get(0).unwrap());
        all[0].set_fiber(1);
        run_on(&all[0], overflow);
    }) {
        assert!(said.contains("stratalloc: stack overflow of fiber 1:"), "{said}");
    }
}
