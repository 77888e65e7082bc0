//! A scheduler that runs 100 000 fibers over pooled, guarded stacks: task data in frames, messages in pools.
//!
//! `cargo run --release --example fibers [FIBERS] [LIVE]`
//!
//! By default 10 000 fibers live at a time. With guards by markers (Linux 6.13) the number is bounded by memory only, some 12 KiB
//! a fiber: try `fibers 100000 100000`. With guards by mappings each stack takes two of the 65 530 mappings that a process may
//! have, so some 32 000 can live.

#[cfg(target_os = "linux")]
extern crate alloc;

#[cfg(target_os = "linux")]
#[path = "fibers/pooled_stack.rs"]
mod pooled_stack;
#[cfg(target_os = "linux")]
#[path = "fibers/scheduler.rs"]
mod scheduler;
#[cfg(target_os = "linux")]
#[path = "fibers/task.rs"]
mod task;

#[cfg(target_os = "linux")]
mod program {
    use core::time::Duration;
    use std::sync::OnceLock;
    use std::sync::mpsc::{self, Receiver};
    use std::time::Instant;

    use stratalloc::strategies::fiber_stacks::{FiberStacks, FiberStacksConfig};
    use stratalloc::strategies::pool::PoolConfig;
    use stratalloc::{Alignment, Collect, ProcessHeap};

    use super::scheduler::{self, STACK, Seen};
    use super::task::{self, BlockPool, Message, Pools};

    type Outcome<T> = Result<T, Box<dyn core::error::Error + Send + Sync>>;

    const WORKERS: u8 = 2;

    /// A value for the rest of the program: fibers outlive every scope.
    fn forever<T: Send + Sync>(place: &'static OnceLock<T>, value: T) -> &'static T {
        place.get_or_init(|| value)
    }

    fn pools(live: usize) -> Outcome<Pools> {
        static CHUNKS: OnceLock<BlockPool> = OnceLock::new();
        static MESSAGES: OnceLock<BlockPool> = OnceLock::new();
        let chunk = PoolConfig::new(2048, Alignment::constant::<16>());
        let message = PoolConfig::new(128, Alignment::constant::<16>());
        Ok(Pools {
            chunks: forever(&CHUNKS, BlockPool::within(chunk, ProcessHeap, live)?),
            // As many as fibers may send before they have to wait for the reader.
            messages: forever(&MESSAGES, BlockPool::within(message, ProcessHeap, 32 << 10)?),
        })
    }

    /// Reads messages until the last sender is gone: how many, and the sum of what they say.
    fn read_all(inbox: &Receiver<Message>) -> (u64, u64) {
        let numbers = inbox.iter().filter_map(|message| message.number());
        numbers.fold((0, 0), |(count, sum), number| (count + 1, sum + number))
    }

    /// Runs fibers `0 .. total` on two threads; what they have seen, and how long it took.
    fn run(
        stacks: &'static FiberStacks,
        pools: Pools,
        total: u64,
        live: usize,
    ) -> Outcome<(Vec<Seen>, Duration)> {
        let (outbox, inbox) = mpsc::channel();
        let start = Instant::now();
        let (seen, (count, sum)) = std::thread::scope(|scope| {
            let share = |number: u8| total * u64::from(number) / u64::from(WORKERS);
            let worker = |number: u8| {
                let numbers = share(number)..share(number + 1);
                let outbox = outbox.clone();
                move || scheduler::run(stacks, pools, numbers, live / usize::from(WORKERS), &outbox)
            };
            let workers: Vec<_> = (0..WORKERS).map(|number| scope.spawn(worker(number))).collect();
            drop(outbox);
            let read = read_all(&inbox);
            let seen: Outcome<Vec<_>> =
                workers.into_iter().map(|worker| worker.join().expect("a worker ends")).collect();
            seen.map(|seen| (seen, read))
        })?;
        let took = start.elapsed();
        assert_eq!((count, sum), (total, (0..total).map(task::expected).sum()), "every message arrived");
        Ok((seen, took))
    }

    fn print_depths(seen: &[Seen]) {
        let depth = |index: usize| seen.iter().map(|worker| worker.depths[index]).sum::<u64>();
        let sampled: u64 = (0..16).map(depth).sum();
        println!("how deep stacks were used, of {sampled} asked:");
        for (index, count) in (0..16).map(|index| (index, depth(index))).filter(|(_, count)| *count > 0) {
            let bar = (0..(count * 50).div_ceil(sampled.max(1))).map(|_| '█').collect::<String>();
            println!("  {:>3} KiB {count:>6}  {bar}", (index + 1) * 4);
        }
    }

    pub(crate) fn main() -> Outcome<()> {
        let mut arguments = std::env::args().skip(1);
        let total: u64 = arguments.next().map_or(Ok(100_000), |text| text.parse())?;
        let live: usize = arguments.next().map_or(Ok(10_000), |text| text.parse())?;
        let live = live.max(usize::from(WORKERS));

        static STACKS: OnceLock<FiberStacks> = OnceLock::new();
        // Room for what waits in the caches of the workers, too.
        let config = FiberStacksConfig::new().with_class(STACK, live + 200);
        let stacks = forever(&STACKS, FiberStacks::new(config)?);
        let (seen, took) = run(stacks, pools(live)?, total, live)?;

        let (finished, switches): (u64, u64) =
            seen.iter().fold((0, 0), |(f, s), worker| (f + worker.finished, s + worker.switches));
        let most_live: usize = seen.iter().map(|worker| worker.most_live).sum();
        let usage = stacks.usage().next().ok_or("no class")?;
        let measured = stacks.measure();
        println!("{finished} fibers, {most_live} at a time, on {WORKERS} threads in {took:.2?}:");
        println!(
            "  {:.0} fibers/s, {:.0} ns per switch and its work",
            finished as f64 / took.as_secs_f64(),
            took.as_secs_f64() * 1e9 * f64::from(WORKERS) / switches as f64
        );
        println!("stacks of {} KiB with a guard on either side:", STACK >> 10);
        println!(
            "  {} made for {finished} fibers, in {} mappings (a process may have 65530)",
            usage.shared + usage.cached + usage.live,
            usage.mappings
        );
        println!(
            "  {} MiB of addresses, {} MiB of memory: {:.1} KiB a stack; deepest use {} KiB",
            (usage.count * (STACK + 4096)) >> 20,
            measured.resident >> 20,
            measured.resident as f64 / 1024.0 / (usage.shared.max(1)) as f64,
            measured.high_water >> 10
        );
        print_depths(&seen);
        let given = stacks.collect();
        println!("given back when all was done: {} MiB, {} left", given >> 20, stacks.measure().resident);
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn core::error::Error + Send + Sync>> {
    #[cfg(target_os = "linux")]
    return program::main();
    #[cfg(not(target_os = "linux"))]
    return Err("fiber stacks know Linux only so far".into());
}
