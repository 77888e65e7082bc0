//! Models of the lock-free structures, checked by loom: every interleaving and every stale read of small cases, on the real code:
//! its files are compiled again here, with loom's atomics. (The models of the buddy tree lie beside it.)
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p stratalloc-heap --lib --release models`
//!
//! - [`small`]: remote frees, the depot. [`region`]: granules of a chunk, hints of an area. [`os`]: the slots of the table of
//!   mappings.
//!
//! How they are built
//! - What a thread owns by the protocol is an `UnsafeCell` that it touches: two owners at once, or a new owner who cannot
//!   see the last one's access, is a data race that loom reports. So a missing happens-before fails even where the atomics
//!   happen to show the right values.
//! - The main thread only prepares, joins, and settles what is left. Loom runs it first where it can, and its reduction then never
//!   tries the order in which a plain load comes after the others' exchanges.
//! - Each model says with which change it was seen failing, and what loom said then.

mod os;
mod region;
mod small;

/// Checks `body` with at most `preemptions` involuntary thread switches (`None`: in all orders there are).
fn check(preemptions: Option<usize>, body: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = preemptions;
    model.check(body);
}

/// Runs `bodies` as threads over `world`; returns what each returned.
fn run<W: Send + Sync + 'static, R: 'static, const N: usize>(
    world: &loom::sync::Arc<W>,
    bodies: [fn(&loom::sync::Arc<W>) -> R; N],
) -> [R; N] {
    let threads = bodies.map(|body| {
        let world = world.clone();
        loom::thread::spawn(move || body(&world))
    });
    threads.map(|thread| thread.join().unwrap())
}
