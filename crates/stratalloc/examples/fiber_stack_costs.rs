//! What a fiber stack costs: from a pool, and from the system with the same guards.
//!
//! `cargo run --release --example fiber_stack_costs`
//!
//! Medians of interleaved rounds; each round makes and gives back one stack of 64 KiB many times, without touching it and with one
//! byte written at its top (as a fiber does at once), on one thread and on two at the same time.

#[cfg(target_os = "linux")]
mod program {
    use std::sync::Barrier;
    use std::time::Instant;

    use corosensei::stack::{DefaultStack, Stack};
    use stratalloc::strategies::fiber_stacks::{FiberStacks, FiberStacksConfig, GiveBack, StackCache};
    use stratalloc_platform::page;
    use stratalloc_platform::vm::{self, Access};

    pub(crate) type Outcome<T> = Result<T, Box<dyn core::error::Error>>;

    const SIZE: usize = 64 << 10;
    const ROUNDS: usize = 31;
    const REPEATS: u32 = 2000;

    /// One stack, there and back; `touch` says whether its top is written.
    type Once<'a> = Box<dyn FnMut(bool) + Send + 'a>;

    fn write_below(top: *mut u8) {
        // SAFETY: the top of a stack that the caller has just got and nobody else knows.
        unsafe { top.wrapping_sub(1).write_volatile(1) };
    }

    /// `mmap`, `mprotect`, `munmap`: a guard at both ends.
    fn system(touch: bool) {
        let guard = page::size();
        let whole = SIZE + 2 * guard;
        let range = vm::reserve(whole, guard, Access::None).expect("addresses");
        // SAFETY: inside the reservation.
        let start = unsafe { range.add(guard) };
        // SAFETY: as above.
        unsafe { vm::commit(start, SIZE) }.expect("a commitment");
        if touch {
            write_below(start.as_ptr().wrapping_add(SIZE));
        }
        // SAFETY: reserved above, not used any more.
        unsafe { vm::release(range, whole) }.expect("a release");
    }

    /// What `corosensei` does by default: a guard below only.
    fn default_stack(touch: bool) {
        let stack = DefaultStack::new(SIZE).expect("a stack");
        if touch {
            write_below(core::ptr::with_exposed_provenance_mut(stack.base().get()));
        }
    }

    fn cached(stacks: &FiberStacks) -> Once<'_> {
        let mut cache: StackCache<'_> = stacks.cache();
        Box::new(move |touch| {
            let stack = cache.get(SIZE).expect("a stack");
            if touch {
                write_below(stack.top().as_ptr());
            }
            cache.put(stack).expect("a return");
        })
    }

    fn shared(stacks: &FiberStacks) -> Once<'_> {
        Box::new(move |touch| {
            let stack = stacks.get(SIZE).expect("a stack");
            if touch {
                write_below(stack.top().as_ptr());
            }
        })
    }

    /// Nanoseconds for one stack, on `threads` threads at once.
    fn round(make: &dyn Fn() -> Vec<Once<'static>>, threads: usize, touch: bool) -> f64 {
        let barrier = Barrier::new(threads);
        let run = |mut once: Once<'static>| {
            barrier.wait();
            let start = Instant::now();
            (0..REPEATS).for_each(|_| once(touch));
            start.elapsed().as_secs_f64() * 1e9 / f64::from(REPEATS)
        };
        let mut work = make();
        work.truncate(threads);
        let times: Vec<f64> = std::thread::scope(|scope| {
            let spawned: Vec<_> = work.into_iter().map(|once| scope.spawn(|| run(once))).collect();
            spawned.into_iter().map(|thread| thread.join().expect("a round")).collect()
        });
        times.iter().sum::<f64>() / times.len() as f64
    }

    fn median(mut values: Vec<f64>) -> f64 {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    }

    /// A way to get a stack: its name, and a maker of one user per thread.
    type Way = (&'static str, Box<dyn Fn() -> Vec<Once<'static>>>);

    fn ways() -> Outcome<Vec<Way>> {
        let config = FiberStacksConfig::new().with_class(SIZE, 1000);
        let pool: &'static FiberStacks = Box::leak(Box::new(FiberStacks::new(config)?));
        let giving = config.with_give_back(GiveBack::Always, page::size());
        let giving: &'static FiberStacks = Box::leak(Box::new(FiberStacks::new(giving)?));
        let plain = |once: fn(bool)| move || (0..2).map(|_| Box::new(once) as Once<'static>).collect();
        Ok(vec![
            ("pool, by a thread's cache", Box::new(move || (0..2).map(|_| cached(pool)).collect())),
            ("pool, by the shared list", Box::new(move || (0..2).map(|_| shared(pool)).collect())),
            ("pool, giving back each time", Box::new(move || (0..2).map(|_| cached(giving)).collect())),
            ("mmap, mprotect, munmap", Box::new(plain(system))),
            ("corosensei's default stack", Box::new(plain(default_stack))),
        ])
    }

    pub(crate) fn main() -> Outcome<()> {
        const CASES: [(usize, bool); 4] = [(1, false), (1, true), (2, false), (2, true)];
        let ways = ways()?;
        let mut all = vec![[const { Vec::new() }; CASES.len()]; ways.len()];
        for _ in 0..ROUNDS {
            for (case, (threads, touch)) in CASES.into_iter().enumerate() {
                for (way, (_, make)) in ways.iter().enumerate() {
                    all[way][case].push(round(make, threads, touch));
                }
            }
        }
        let medians: Vec<_> = all.into_iter().map(|cases| cases.map(median)).collect();
        let system = medians[3];
        println!(
            "ns for a stack of 64 KiB, there and back ({ROUNDS} rounds of {REPEATS}); in brackets: times faster than mmap"
        );
        println!(
            "{:<30}{:>18}{:>18}{:>18}{:>18}",
            "", "untouched", "touched", "2 threads", "2 thr., touched"
        );
        for ((name, _), cases) in ways.iter().zip(&medians) {
            print!("{name:<30}");
            for (time, system) in cases.iter().zip(system) {
                print!("{:>18}", format!("{time:.1} ({:.1})", system / time));
            }
            println!();
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn core::error::Error>> {
    #[cfg(target_os = "linux")]
    return program::main();
    #[cfg(not(target_os = "linux"))]
    return Err("fiber stacks know Linux only so far".into());
}
