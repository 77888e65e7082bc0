//! An exchange's order book.
//!
//! ```text
//!   buy  side: price ──► Level ──► queue of orders, oldest first      a new order first takes from the other side,
//!   sell side: price ──► Level ──► …                                  then rests at its price
//!   index:     order number ──► side and price                        for cancels
//! ```
//!
//! Orders live from no time at all to very long, levels come and go with the price, trades are reported in batches.

use crate::data::{Fold, text_sum};
use crate::rng::Rng;
use crate::task::{Tally, Task};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::BuildHasherDefault;

/// Trades that are reported together.
const REPORT: usize = 500;

/// Prices wander around this one.
const START_PRICE: u64 = 100_000;

/// An order that waits at its price.
struct Order {
    number: u64,
    quantity: u64,
    account: String,
}

/// One price: its orders, oldest first.
#[derive(Default)]
struct Level {
    orders: VecDeque<Box<Order>>,
}

/// What happened when two orders met.
struct Trade {
    price: u64,
    quantity: u64,
    accounts: [String; 2],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Buy,
    Sell,
}

/// The book of one symbol.
struct Book {
    rng: Rng,
    tally: Tally,
    price: u64,
    buy: BTreeMap<u64, Level>,
    sell: BTreeMap<u64, Level>,
    index: HashMap<u64, (Side, u64), BuildHasherDefault<Fold>>,
    #[expect(clippy::vec_box, reason = "a trade is handed to the report as a box")]
    trades: Vec<Box<Trade>>,
}

/// Places orders, one third of which are cancelled if they still wait; each thread has a symbol of its own.
pub(crate) fn order_book(task: Task) -> Tally {
    let orders = task.share(1_600_000) as u64;
    // Orders further back than this are cancelled, so that the books together keep a size.
    let window = (60_000 / task.threads()) as u64;
    task.split(|thread| {
        let mut book = Book::new(thread);
        for number in 0..orders {
            book.place(number);
            let victim = number.saturating_sub(1 + book.rng.below(window as usize) as u64);
            if number % 3 == 0 {
                book.cancel(victim);
            }
            book.cancel(number.saturating_sub(window));
        }
        book.finish()
    })
}

impl Book {
    fn new(symbol: usize) -> Self {
        Self {
            rng: Rng::new(0x5eed_000f, symbol),
            tally: Tally::default(),
            price: START_PRICE,
            buy: BTreeMap::new(),
            sell: BTreeMap::new(),
            index: HashMap::default(),
            trades: Vec::new(),
        }
    }

    /// A new order near the price, which wanders.
    fn place(&mut self, number: u64) {
        let random = self.rng.word();
        let side = if random & 1 == 0 { Side::Buy } else { Side::Sell };
        self.price = self.price + (random >> 8 & 3) - (random >> 16 & 3);
        // Mostly away from the price, so that it waits; sometimes through it, so that it trades.
        let away = self.rng.below(400) as u64;
        let price = match side {
            Side::Buy => self.price + 60 - away,
            Side::Sell => self.price - 60 + away,
        };
        let account = format!("account-{:0width$x}", random >> 40, width = 4 + self.rng.below(24));
        let mut order = Box::new(Order { number, quantity: 1 + (random >> 32 & 0xff), account });
        self.tally.operations += 2;
        self.match_order(side, price, &mut order);
        if order.quantity > 0 {
            self.index.insert(number, (side, price));
            self.levels(side).entry(price).or_default().orders.push_back(order);
        }
    }

    fn levels(&mut self, side: Side) -> &mut BTreeMap<u64, Level> {
        match side {
            Side::Buy => &mut self.buy,
            Side::Sell => &mut self.sell,
        }
    }

    /// Takes from the best levels of the other side while they are good enough.
    fn match_order(&mut self, side: Side, limit: u64, order: &mut Order) {
        while order.quantity > 0 {
            let best = match side {
                Side::Buy => self.sell.first_entry().filter(|level| *level.key() <= limit),
                Side::Sell => self.buy.last_entry().filter(|level| *level.key() >= limit),
            };
            let Some(mut level) = best else { return };
            let price = *level.key();
            let waiting = level.get_mut().orders.front_mut().expect("a level has orders");
            let quantity = waiting.quantity.min(order.quantity);
            waiting.quantity -= quantity;
            order.quantity -= quantity;
            let accounts = [waiting.account.clone(), order.account.clone()];
            if waiting.quantity == 0 {
                self.index.remove(&waiting.number);
                level.get_mut().orders.pop_front();
                if level.get().orders.is_empty() {
                    level.remove();
                }
            }
            self.trades.push(Box::new(Trade { price, quantity, accounts }));
            self.tally.operations += 3;
            if self.trades.len() == REPORT {
                self.report();
            }
        }
    }

    /// Removes an order that waits.
    fn cancel(&mut self, number: u64) {
        let Some((side, price)) = self.index.remove(&number) else { return };
        let levels = self.levels(side);
        let level = levels.get_mut(&price).expect("an order in the index has a level");
        let at = level.orders.iter().position(|order| order.number == number).expect("and waits there");
        let order = level.orders.remove(at).expect("just found");
        if level.orders.is_empty() {
            levels.remove(&price);
        }
        self.tally.add(order.quantity ^ text_sum(&order.account));
    }

    /// Writes the trades into one text and drops them.
    fn report(&mut self) {
        let mut text = String::new();
        for trade in self.trades.drain(..) {
            text.push_str(&trade.accounts[0]);
            text.push_str(&trade.accounts[1]);
            self.tally.add(trade.price * trade.quantity);
        }
        self.tally.operations += 1;
        self.tally.add(text_sum(&text));
    }

    fn finish(mut self) -> Tally {
        self.report();
        for (price, level) in self.buy.iter().chain(&self.sell) {
            for order in &level.orders {
                self.tally.add(price ^ order.number << 20 ^ order.quantity ^ text_sum(&order.account));
            }
        }
        self.tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sides_never_cross_and_the_index_knows_all_that_wait() {
        let mut book = Book::new(0);
        for number in 0..20_000 {
            book.place(number);
            book.cancel(number / 2);
            let (buy, sell) = (book.buy.last_key_value(), book.sell.first_key_value());
            if let (Some((buy, _)), Some((sell, _))) = (buy, sell) {
                assert!(buy < sell, "order {number}: {buy} waits to buy, {sell} to sell");
            }
        }
        let waiting: usize =
            book.buy.values().chain(book.sell.values()).map(|level| level.orders.len()).sum();
        assert_eq!(waiting, book.index.len());
        assert!(waiting > 1000, "only {waiting} orders wait");
        // Two allocations an order; what is beyond are three for each trade.
        let trades = (book.tally.operations - 2 * 20_000) / 3;
        assert!(trades > 5000, "only {trades} trades");
    }
}
