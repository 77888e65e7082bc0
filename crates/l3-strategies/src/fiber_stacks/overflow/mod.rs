//! "Stack overflow of fiber 7": what a signal handler says when a fiber reaches a guard.
//!
//! The processor names the address that was accessed and the stack pointer of the code that did it. A guard lies between two stacks; the stack pointer
//! says whose it was:
//!
//! ```text
//!   │ guard │ stack 4  ▲ sp │ guard 5 │ sp ▼  stack 5 │ guard │
//!                      └── above its ──┘   └── overflow: below its stack
//! ```

pub(super) mod ranges;

use core::fmt::{self, Write};
use stratalloc_primitives::primitive::atomic::Ordering;

use stratalloc_platform::access_fault::{self, AccessFault};
use stratalloc_platform::alternative_stack::AlternativeStack;
use stratalloc_platform::report;

use super::FiberStacksError;
use super::shape::{Place, Shape};

/// Overflows of fibers that run on this thread are reported as long as this value lives; see [`report_overflows`].
#[derive(Debug)]
#[must_use = "without its stack for signal handlers a thread dies silently of an overflow"]
pub struct OverflowReports {
    /// Kept for its drop.
    _stack: AlternativeStack,
}

/// From now on an overflow of a fiber on this thread is told on standard error before the process ends by the signal:
///
/// ```text
/// stratalloc: stack overflow of fiber 7: access to 0x7f60c2a00ff8, 8 bytes below its stack of 65536 bytes
/// ```
///
/// Opt in once per thread that runs fibers. The first call of the process installs a handler for `SIGSEGV`, which stays; the handler from
/// before (a crash reporter's, Rust's own) is called after the report, and gets all faults that are no guards of fiber stacks. Each call gives
/// its thread a stack of 64 KiB for signal handlers, for an overflowing stack has no room for one; of several on a thread, one that is dropped
/// before a later one leaves its stack behind. The handler reads a table, formats into a buffer of its own and writes: no allocation, no lock.
///
/// ```
/// use stratalloc_strategies::fiber_stacks::{FiberStacks, FiberStacksConfig, report_overflows};
///
/// let stacks = FiberStacks::new(FiberStacksConfig::default())?;
/// std::thread::scope(|scope| {
///     scope.spawn(|| {
///         let _reports = report_overflows()?;
///         stacks.get(10_000)?.set_fiber(7);
///         Ok::<(), stratalloc_strategies::fiber_stacks::FiberStacksError>(())
///     });
/// });
/// # Ok::<(), stratalloc_strategies::fiber_stacks::FiberStacksError>(())
/// ```
///
/// # Errors
///
/// [`FiberStacksError::System`]: no memory for the handler's stack, or no signals on this system.
pub fn report_overflows() -> Result<OverflowReports, FiberStacksError> {
    let stack = AlternativeStack::install().map_err(FiberStacksError::System)?;
    access_fault::watch(tell).map_err(FiberStacksError::System)?;
    Ok(OverflowReports { _stack: stack })
}

/// The watcher, in a signal handler.
fn tell(fault: AccessFault) {
    let Some((shape, records)) = ranges::find(fault.address) else { return };
    let Some((stack, reach)) = attribute(&shape, fault) else { return };
    // SAFETY: the table of a range has `count` records, and `stack` is less.
    let record = unsafe { records.add(stack) };
    // SAFETY: as above; the table stays mapped as long as the range (see `ranges`).
    let record = unsafe { &*record };
    let fiber = record.fiber.load(Ordering::Relaxed);
    // There is nobody to tell if standard error is closed.
    let _ = writeln!(report::stderr(), "stratalloc: {}", Told { fiber, reach, fault, shape, stack });
}

/// How a guard was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// By code on the stack above it.
    Overflow,
    /// By code on the stack below it.
    Above,
    /// By code on another stack.
    Elsewhere,
}

/// Which stack's guard was reached, and how; `None` if the address is in no guard.
fn attribute(shape: &Shape, fault: AccessFault) -> Option<(usize, Reach)> {
    let Some(Place::Guard(guard)) = shape.place(fault.address) else { return None };
    // The stack pointer may have gone below its stack, or stand at its very top.
    let (below, above) = (guard.checked_sub(1), (guard < shape.count).then_some(guard));
    let on = |stack: &usize| (shape.limit(*stack)..=shape.top(*stack)).contains(&fault.stack_pointer);
    let in_guard = shape.place(fault.stack_pointer) == Some(Place::Guard(guard));
    if let Some(stack) = below.filter(on) {
        return Some((stack, Reach::Above));
    }
    match above {
        Some(stack) if in_guard || on(&stack) => Some((stack, Reach::Overflow)),
        _ => above.or(below).map(|stack| (stack, Reach::Elsewhere)),
    }
}

/// The line of a report.
struct Told {
    fiber: u64,
    reach: Reach,
    fault: AccessFault,
    shape: Shape,
    stack: usize,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fiber, fault: AccessFault { address, .. }, shape, stack, .. } = self;
        match self.reach {
            Reach::Overflow => write!(f, "stack overflow of fiber {fiber}")?,
            Reach::Above => write!(f, "fiber {fiber} reached above its stack")?,
            Reach::Elsewhere => write!(f, "the guard of fiber {fiber}'s stack was reached from elsewhere")?,
        }
        write!(f, ": access to {address:#x}, ")?;
        let (limit, top, size) = (shape.limit(*stack), shape.top(*stack), shape.size);
        if *address < limit {
            write!(f, "{} bytes below its stack of {size} bytes", limit - address)
        } else {
            write!(f, "{} bytes above its stack of {size} bytes", address - top + 1)
        }
    }
}

#[cfg(test)]
mod tests {
    //! Not covered here: real faults (`tests/fiber_stacks_overflow.rs`).
    extern crate std;
    use super::*;
    use std::format;

    const SHAPE: Shape = Shape { base: 0x10_0000, guard: 0x1000, size: 0x4000, count: 2 };

    fn told(address: usize, stack_pointer: usize) -> Option<(usize, Reach)> {
        attribute(&SHAPE, AccessFault { address, stack_pointer })
    }

    #[test]
    fn the_stack_pointer_says_whose_fault_a_shared_guard_s_is() {
        let shared = SHAPE.top(0) + 0x10;
        assert_eq!(told(shared, SHAPE.limit(1) + 0x20), Some((1, Reach::Overflow)));
        assert_eq!(told(shared, shared + 8), Some((1, Reach::Overflow)), "below its stack already");
        assert_eq!(told(shared, SHAPE.top(0) - 0x20), Some((0, Reach::Above)));
        assert_eq!(told(shared, SHAPE.top(0)), Some((0, Reach::Above)), "nothing pushed yet");
        assert_eq!(told(shared, 0x9999), Some((1, Reach::Elsewhere)));
    }

    #[test]
    fn outer_guards_have_one_stack_each() {
        assert_eq!(told(SHAPE.base, SHAPE.limit(0)), Some((0, Reach::Overflow)));
        assert_eq!(told(SHAPE.top(1), SHAPE.limit(1)), Some((1, Reach::Above)));
        assert_eq!(told(SHAPE.top(1), SHAPE.limit(0)), Some((1, Reach::Elsewhere)));
        assert_eq!(told(SHAPE.base, SHAPE.limit(1)), Some((0, Reach::Elsewhere)));
    }

    #[test]
    fn what_is_in_no_guard_is_not_told() {
        assert_eq!(told(SHAPE.limit(0), SHAPE.limit(0)), None);
        assert_eq!(told(SHAPE.base - 1, SHAPE.limit(0)), None);
    }

    #[test]
    fn a_report_names_fiber_address_and_distance() {
        let line = |address, reach| {
            let fault = AccessFault { address, stack_pointer: 0 };
            format!("{}", Told { fiber: 7, reach, fault, shape: SHAPE, stack: 1 })
        };
        assert_eq!(
            line(SHAPE.limit(1) - 8, Reach::Overflow),
            "stack overflow of fiber 7: access to 0x105ff8, 8 bytes below its stack of 16384 bytes"
        );
        assert_eq!(
            line(SHAPE.top(1), Reach::Above),
            "fiber 7 reached above its stack: access to 0x10a000, 1 bytes above its stack of 16384 bytes"
        );
    }
}
