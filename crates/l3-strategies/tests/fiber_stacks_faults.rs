//! Fiber stacks when the kernel refuses: an error is returned, nothing is lost. One test: the armed calls are the process's.
#![cfg(any(target_os = "linux", windows))]

use stratalloc_platform::fault::{self, Call};
use stratalloc_platform::page;
use stratalloc_resource::{AllocError, Collect, MemoryResource, Validate};
use stratalloc_strategies::fiber_stacks::{
    FiberStacks, FiberStacksConfig, FiberStacksError, GiveBack, Guards,
};

const KINDS: [Guards; 2] = [Guards::Automatic, Guards::Mappings];

fn config(guards: Guards) -> FiberStacksConfig {
    FiberStacksConfig::new().with_class(16 << 10, 20).with_class(1 << 20, 20).with_guards(guards)
}

fn is_refusal(error: FiberStacksError) -> bool {
    matches!(error, FiberStacksError::System(error) if error.is_out_of_memory())
}

/// Calls of one kind while `work` runs, without a refusal.
fn count(call: Call, work: impl FnOnce()) -> usize {
    fault::disarm();
    let before = fault::count(call);
    work();
    fault::count(call) - before
}

/// Lines of `/proc/self/maps`: whether something stayed mapped.
fn mappings() -> usize {
    if cfg!(any(miri, windows)) {
        0
    } else {
        std::fs::read_to_string("/proc/self/maps").unwrap().lines().count()
    }
}

/// Each call of `FiberStacks::new` is refused in turn.
fn making_is_refused(guards: Guards) {
    let baseline = mappings();
    for call in [Call::Map, Call::Protect, Call::Advise] {
        let calls = count(call, || drop(FiberStacks::new(config(guards)).unwrap()));
        for nth in 1..=calls {
            fault::arm(call, nth, 1);
            let made = FiberStacks::new(config(guards));
            fault::disarm();
            match made {
                // Only advice about huge pages is missed by nobody.
                Ok(stacks) => {
                    assert_eq!(call, Call::Advise);
                    let all: Vec<_> = (0..20).map(|_| stacks.get(0).unwrap()).collect();
                    stacks.validate().unwrap();
                    drop(all);
                }
                Err(error) => assert!(is_refusal(error), "{error}"),
            }
            assert!(mappings() <= baseline + 1, "{call:?} {nth}: something stayed mapped");
        }
    }
}

/// Each call of the first use of a stack is refused in turn; then it is the next to be used.
fn first_use_is_refused(guards: Guards) {
    for call in [Call::Protect, Call::Advise] {
        let stacks = FiberStacks::new(config(guards)).unwrap();
        let calls = count(call, || drop(stacks.get(1 << 20).unwrap()));
        let mut held = vec![stacks.get(1 << 20).unwrap()];
        for nth in 1..=calls {
            // Until the stack comes whose first use makes so many calls.
            fault::arm(call, nth, usize::MAX);
            while let Ok(stack) = stacks.get(1 << 20) {
                held.push(stack);
            }
            assert!(held.len() < 20, "{call:?}: never refused");
            assert!(is_refusal(stacks.get(1 << 20).unwrap_err()));
            let layout = core::alloc::Layout::from_size_align(1 << 20, 1).unwrap();
            assert_eq!(stacks.allocate(layout), Err(AllocError::OutOfMemory));
            fault::disarm();
            stacks.validate().unwrap();
            held.push(stacks.get(1 << 20).unwrap());
            assert_eq!(held.last().unwrap().number(), 20 + held.len() as u64 - 1);
        }
        drop(held);
        stacks.validate().unwrap();
    }
}

/// A stack whose pages the kernel keeps is returned all the same, and the pages can go later.
fn giving_back_is_refused(guards: Guards) {
    let stacks = FiberStacks::new(config(guards).with_give_back(GiveBack::Always, 0)).unwrap();
    let stack = stacks.get(0).unwrap();
    let last = stack.top().as_ptr().wrapping_sub(1);
    // SAFETY: ours; nothing runs there.
    unsafe { last.write(1) };
    fault::arm(Call::Advise, 1, usize::MAX);
    drop(stack);
    let kept = stacks.collect();
    fault::disarm();
    assert_eq!((kept, stacks.usage().next().unwrap().shared), (0, 1));
    assert!(cfg!(miri) || (stacks.collect(), stacks.measure().resident) == (page::size(), 0));
    stacks.validate().unwrap();
}

/// The kernel's own refusal: no mapping is left. (Some systems allow more than are asked for here.)
fn mappings_run_out() {
    const COUNT: usize = 40_000;
    let config = FiberStacksConfig::new().with_class(4 << 10, COUNT).with_guards(Guards::Mappings);
    let stacks = FiberStacks::new(config).unwrap();
    let mut held = Vec::with_capacity(COUNT);
    let refusal = loop {
        match stacks.get(0) {
            Ok(stack) => held.push(stack),
            Err(error) => break error,
        }
    };
    assert!(is_refusal(refusal) || refusal == FiberStacksError::Exhausted, "{refusal}");
    assert_eq!(is_refusal(refusal), held.len() < COUNT);
    assert!(held.len() > 20_000, "{} stacks", held.len());
    // What is there goes on.
    let last = held.pop().map(|stack| stack.number());
    assert_eq!(stacks.get(0).map(|stack| stack.number()).ok(), last);
    drop(held);
    stacks.validate().unwrap();
}

#[test]
fn refusals_of_the_kernel_lose_nothing() {
    // Windows sets no limit to mappings. (Wine, which has Linux' limit, says what it likes.)
    if cfg!(not(any(miri, windows))) {
        mappings_run_out();
    }
    for guards in KINDS {
        making_is_refused(guards);
        first_use_is_refused(guards);
        giving_back_is_refused(guards);
    }
}
