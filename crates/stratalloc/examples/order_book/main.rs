//! An exchange's order book without a general-purpose heap: orders in a `Pool`, price levels in an `ObjectCache` of slabs, queues and
//! index in a `Tlsf` heap, the trades of a batch in a `Frame`. While the market is open nothing asks the operating system.
//!
//! `cargo run --release --example order_book`

mod book;

use core::mem::MaybeUninit;
use core::time::Duration;
use std::time::Instant;

use book::{Book, Counts, Level, Order, Outcome};
use stratalloc::strategies::frame::Frame;
use stratalloc::strategies::pool::{Pool, PoolConfig};
use stratalloc::strategies::slab::{ObjectCache, SlabConfig};
use stratalloc::strategies::tlsf::Tlsf;

const MESSAGES: u64 = 200_000;
const BATCH: u64 = 100;

fn memory(len: usize) -> &'static mut [MaybeUninit<u8>] {
    Box::leak(vec![MaybeUninit::uninit(); len].into_boxed_slice())
}

/// Median, 99th and 99.9th percentile, and the worst.
fn latencies(name: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let [median, most, nearly_all] = [500, 990, 999].map(|part| times[times.len() * part / 1000]);
    let worst = times[times.len() - 1];
    println!("{name} {:7} times: {median:>6.0?} {most:>6.0?} {nearly_all:>6.0?} {worst:>8.0?}", times.len());
}

fn main() -> Outcome<()> {
    let index: Tlsf<'static> = Tlsf::over(memory(64 << 20))?;
    let pool = Pool::over(PoolConfig::of::<Order>(), memory(8 << 20))?;
    let cache = ObjectCache::over(|| Level::new(&index), SlabConfig::of::<Level<'_>>(), memory(1 << 20))?;
    let mut trades: Frame<'static> = Frame::over(memory(1 << 20));
    let mut book = Book::new(&pool, &cache, &index);

    let (mut submits, mut cancels) = (Vec::new(), Vec::new());
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    for id in 0..MESSAGES {
        random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        let [.., d, c, b, a] = random.to_le_bytes();
        let (side, started) = (usize::from(a % 2), Instant::now());
        if a < 90 {
            let recent = id.saturating_sub(u64::from(b) * u64::from(c) / 8);
            book.counts.cancelled += usize::from(book.orders.remove(&recent).is_some());
            cancels.push(started.elapsed());
        } else {
            // Bids around 120, offers around 136; the spread is crossed now and then.
            let price = usize::from(b % 32) + if a % 2 == 0 { 104 } else { 120 };
            book.submit(id, Order { side, price, quantity: u32::from(d) + 1 }, &trades)?;
            submits.push(started.elapsed());
        }
        if id % BATCH == 0 {
            trades.reset();
        }
    }
    let (resting, live) = (book.orders.len(), pool.usage().live);
    let Counts { filled, cancelled, trades: count, volume } = book.counts;
    println!("{} orders = {filled} filled + {cancelled} cancelled + {resting} resting", submits.len());
    println!("{count} trades of {volume} shares, at most {} bytes of them in a batch", trades.peak());
    println!(
        "{live} orders live in the pool; {} levels, {} kept for later",
        cache.usage().live,
        cache.usage().free
    );
    println!("{} KiB of queues and index in {} blocks", index.usage().used >> 10, index.usage().live_blocks);
    println!("                        median    99 %  99.9 %    worst");
    latencies("submit", &mut submits);
    latencies("cancel", &mut cancels);
    if (filled + cancelled + resting, live) != (submits.len(), resting) {
        return Err("the counts do not agree".into());
    }
    Ok(())
}
