//! A worker: runs its share of the fibers, a bounded number of them at a time, round robin.

use alloc::collections::VecDeque;
use core::ops::Range;
use std::sync::mpsc::Sender;

use corosensei::{Coroutine, CoroutineResult};
use stratalloc::AllocError;
use stratalloc::strategies::fiber_stacks::{FiberStacks, FiberStacksError, StackCache, report_overflows};

use super::pooled_stack::PooledStack;
use super::task::{self, Message, Pools};

type Fiber = Coroutine<(), (), Result<(), AllocError>, PooledStack<'static>>;

/// What a fiber may need at most.
pub(crate) const STACK: usize = 64 << 10;
/// Every so many finished fibers one is asked how deep its stack was ever used: the question costs a system call.
const SAMPLE: u64 = 20;

/// What a worker has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) finished: u64,
    pub(crate) switches: u64,
    pub(crate) most_live: usize,
    /// High-water marks of stacks, in pages: how many had `index + 1`.
    pub(crate) depths: [u64; 16],
}

/// What may go wrong; the first is kept, and no fiber is started after it.
type Failure = Box<dyn core::error::Error + Send + Sync>;

/// One worker's fibers. All that were started are run to their end, whatever happens to others: a fiber cannot be dropped half-way where
/// panics abort.
struct Worker {
    cache: StackCache<'static, 64>,
    ready: VecDeque<Fiber>,
    seen: Seen,
}

/// Runs the fibers with these numbers, at most `live` at a time.
pub(crate) fn run(
    stacks: &'static FiberStacks,
    pools: Pools,
    mut numbers: Range<u64>,
    live: usize,
    outbox: &Sender<Message>,
) -> Result<Seen, Failure> {
    let _reports = report_overflows()?;
    let mut worker =
        Worker { cache: stacks.cache(), ready: VecDeque::with_capacity(live), seen: Seen::default() };
    let mut outcome = Ok(());
    loop {
        while outcome.is_ok()
            && worker.ready.len() < live
            && let Some(number) = numbers.next()
        {
            outcome = worker.start(number, pools, outbox.clone()).map_err(Failure::from);
        }
        worker.seen.most_live = worker.seen.most_live.max(worker.ready.len());
        let Some(fiber) = worker.ready.pop_front() else { return outcome.map(|()| worker.seen) };
        outcome = outcome.and(worker.resume(fiber));
    }
}

impl Worker {
    fn start(&mut self, number: u64, pools: Pools, outbox: Sender<Message>) -> Result<(), FiberStacksError> {
        let stack = self.cache.get(STACK)?;
        stack.set_fiber(number);
        let body = move |yielder: &_, ()| task::run(number, pools, &outbox, yielder);
        self.ready.push_back(Coroutine::with_stack(PooledStack(stack), body));
        Ok(())
    }

    fn resume(&mut self, mut fiber: Fiber) -> Result<(), Failure> {
        self.seen.switches += 1;
        let outcome = match fiber.resume(()) {
            CoroutineResult::Yield(()) => {
                self.ready.push_back(fiber);
                return Ok(());
            }
            CoroutineResult::Return(outcome) => outcome,
        };
        let PooledStack(stack) = fiber.into_stack();
        self.seen.finished += 1;
        if self.seen.finished.is_multiple_of(SAMPLE) {
            let pages = stack.high_water()? / 4096;
            self.seen.depths[pages.clamp(1, 16) - 1] += 1;
        }
        self.cache.put(stack)?;
        Ok(outcome?)
    }
}
