//! Memory made by one thread and dropped by another.

use crate::block::Block;
use crate::rng::Rng;
use crate::task::{Tally, Task};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Messages that travel together: enough that the channel's own cost does not decide.
const BATCH: usize = 256;

/// Batches that may wait at each consumer.
const WAITING: usize = 8;

/// Half of the threads make batches of messages of 16 B to 2 KiB and deal them out in turn; the others check every
/// marked word and drop them, and the vector that carried them.
pub(crate) fn producer_consumer(task: Task) -> Tally {
    let pairs = (task.threads() / 2).max(1);
    let batches = (task.scaled(16_000) / pairs).max(1);
    thread::scope(|scope| {
        let mut senders = Vec::new();
        let mut consumers = Vec::new();
        for _ in 0..pairs {
            let (sender, receiver) = sync_channel(WAITING);
            senders.push(sender);
            consumers.push(scope.spawn(move || consume(&receiver)));
        }
        for producer in 0..pairs {
            let senders = senders.clone();
            scope.spawn(move || produce(producer, batches, &senders));
        }
        drop(senders);
        consumers.into_iter().map(|consumer| consumer.join().expect("a consumer failed")).sum()
    })
}

fn produce(producer: usize, batches: usize, consumers: &[SyncSender<Vec<Block>>]) {
    let mut rng = Rng::new(0x5eed_0004, producer);
    for batch in 0..batches {
        let messages = (0..BATCH).map(|_| Block::new(rng.size(16, 7), rng.word())).collect();
        consumers[batch % consumers.len()].send(messages).expect("a consumer went away");
    }
}

fn consume(receiver: &Receiver<Vec<Block>>) -> Tally {
    let mut tally = Tally::default();
    for batch in receiver {
        tally.operations += 1;
        for message in batch {
            tally.count(message.mark_checked());
        }
    }
    tally
}
