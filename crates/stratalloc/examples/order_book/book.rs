//! The book: orders by number, and for each price the queue of those that wait there.

use allocator_api2::{boxed::Box as BoxIn, vec::Vec as VecIn};
use hashbrown::{DefaultHashBuilder, HashMap};
use stratalloc::Allocator;
use stratalloc::strategies::frame::Frame;
use stratalloc::strategies::pool::Pool;
use stratalloc::strategies::slab::{Object, ObjectCache};
use stratalloc::strategies::tlsf::Tlsf;

pub(crate) type Outcome<T> = Result<T, Box<dyn core::error::Error>>;
type OrderIn<'m> = BoxIn<Order, Allocator<&'m Pool<'static>>>;

/// Prices are whole numbers below this.
const PRICES: usize = 256;

pub(crate) struct Order {
    pub(crate) side: usize,
    pub(crate) price: usize,
    pub(crate) quantity: u32,
}

/// The orders at one price, the oldest first. A cancelled one leaves the book's index at once, and the queue at its turn.
pub(crate) struct Level<'m> {
    queue: VecIn<u64, Allocator<&'m Tlsf<'static>>>,
    front: usize,
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) filled: usize,
    pub(crate) cancelled: usize,
    pub(crate) trades: usize,
    pub(crate) volume: u64,
}

pub(crate) struct Book<'c, 'm, F: Fn() -> Level<'m>> {
    pool: &'m Pool<'static>,
    cache: &'c ObjectCache<'static, Level<'m>, F>,
    pub(crate) orders: HashMap<u64, OrderIn<'m>, DefaultHashBuilder, Allocator<&'m Tlsf<'static>>>,
    /// For bids and for offers: the level of each price that has one.
    ladders: [VecIn<Option<Object<'c, Level<'m>>>, Allocator<&'m Tlsf<'static>>>; 2],
    pub(crate) counts: Counts,
}

impl<'m> Level<'m> {
    pub(crate) fn new(index: &'m Tlsf<'static>) -> Self {
        Self { queue: VecIn::new_in(Allocator::new(index)), front: 0 }
    }
}

impl<'c, 'm, F: Fn() -> Level<'m>> Book<'c, 'm, F> {
    /// A book without orders, whose orders come from `pool`, levels from `cache`, and the rest from `index`.
    pub(crate) fn new(
        pool: &'m Pool<'static>,
        cache: &'c ObjectCache<'static, Level<'m>, F>,
        index: &'m Tlsf<'static>,
    ) -> Self {
        let ladders = [0, 1].map(|_| {
            let mut ladder = VecIn::with_capacity_in(PRICES, Allocator::new(index));
            ladder.resize_with(PRICES, || None);
            ladder
        });
        let orders = HashMap::with_hasher_in(DefaultHashBuilder::default(), Allocator::new(index));
        Self { pool, cache, orders, ladders, counts: Counts::default() }
    }
}

impl<'m, F: Fn() -> Level<'m>> Book<'_, 'm, F> {
    /// The best price on a side that trades with `limit`: the highest bid (side 0), or the lowest offer (side 1).
    fn best(&self, side: usize, limit: usize) -> Option<usize> {
        let there = |price: &usize| self.ladders[side][*price].is_some();
        if side == 0 { (limit..PRICES).rev().find(there) } else { (0..=limit).find(there) }
    }

    /// Takes from the other side what the order pays for; what is left of it rests.
    pub(crate) fn submit(&mut self, id: u64, mut order: Order, trades: &Frame<'_>) -> Outcome<()> {
        while order.quantity > 0
            && let Some(price) = self.best(1 - order.side, order.price)
        {
            self.trade_at(price, &mut order, trades)?;
        }
        if order.quantity == 0 {
            self.counts.filled += 1;
            return Ok(());
        }
        let place = &mut self.ladders[order.side][order.price];
        if place.is_none() {
            *place = Some(self.cache.take()?);
        }
        place.as_mut().ok_or("no level")?.queue.push(id);
        let order = BoxIn::try_new_in(order, Allocator::new(self.pool)).map_err(|_| "the pool is full")?;
        self.orders.insert(id, order);
        Ok(())
    }

    fn trade_at(&mut self, price: usize, taker: &mut Order, trades: &Frame<'_>) -> Outcome<()> {
        let place = &mut self.ladders[1 - taker.side][price];
        let level = place.as_mut().ok_or("no level")?;
        while let Some(maker) = level.queue.get(level.front) {
            if let Some(resting) = self.orders.get_mut(maker) {
                let quantity = resting.quantity.min(taker.quantity);
                resting.quantity -= quantity;
                taker.quantity -= quantity;
                trades.try_alloc((*maker, quantity))?;
                self.counts.trades += 1;
                self.counts.volume += u64::from(quantity);
                if resting.quantity > 0 {
                    return Ok(());
                }
                self.orders.remove(maker);
                self.counts.filled += 1;
            }
            level.front += 1;
        }
        level.queue.clear();
        level.front = 0;
        *place = None; // back to the cache, with the queue's buffer
        Ok(())
    }
}
