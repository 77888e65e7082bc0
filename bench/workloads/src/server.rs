//! A server: short-lived requests, long-lived sessions, sessions that change hands, threads that end.
//!
//! ```text
//!   epoch n      worker 0 ──packet──► worker 1 ──packet──► worker 2 ──┐   (a packet: some sessions, each step)
//!                   ▲                                                 │
//!                   └─────────────────────────────────────────────────┘
//!   epoch n+1    new threads take over the tables of the old ones
//! ```
//!
//! A session is thus made by one thread, changed by others that free its old parts, and dropped by yet another. Every
//! worker sends and receives one packet at each step, so the contents of every table are the same in every run.

use crate::block::Block;
use crate::rng::Rng;
use crate::task::{Tally, Task};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// Sessions over all workers.
const SESSIONS: usize = 8_000;

/// How often the threads are replaced by new ones.
const EPOCHS: usize = 10;

/// Packets sent in an epoch by each worker.
const STEPS: usize = 10;

/// One packet carries this part of a worker's sessions.
const PACKET_PART: usize = 20;

/// What the server remembers of a client.
struct Session {
    name: String,
    buffers: [Block; 4],
    history: Vec<String>,
}

/// A worker's table and its source of requests; it outlives the thread that works on it.
struct Worker {
    rng: Rng,
    #[expect(clippy::vec_box, reason = "a session keeps its address while it changes hands")]
    sessions: Vec<Box<Session>>,
    tally: Tally,
}

/// Serves a fixed number of requests.
pub(crate) fn server_mix(task: Task) -> Tally {
    let count = task.threads();
    let requests = (task.share(300_000) / (EPOCHS * STEPS)).max(1);
    let mut workers: Vec<Worker> = (0..count).map(|index| Worker::new(index, SESSIONS / count)).collect();
    for _ in 0..EPOCHS {
        let (mut senders, receivers): (Vec<_>, Vec<_>) = (0..count).map(|_| channel()).unzip();
        // Worker i sends to worker i + 1; the last to the first.
        senders.rotate_left(1);
        workers = thread::scope(|scope| {
            let threads: Vec<_> = workers
                .into_iter()
                .zip(senders.into_iter().zip(receivers))
                .map(|(worker, (next, previous))| {
                    scope.spawn(move || worker.epoch(requests, &next, &previous))
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("a worker failed")).collect()
        });
    }
    workers.into_iter().map(Worker::finish).sum()
}

type Packet = Vec<Box<Session>>;

impl Worker {
    fn new(index: usize, sessions: usize) -> Self {
        let mut worker =
            Self { rng: Rng::new(0x5eed_0005, index), sessions: Vec::new(), tally: Tally::default() };
        for _ in 0..sessions {
            let session = worker.new_session();
            worker.sessions.push(session);
        }
        worker
    }

    /// The life of one thread.
    fn epoch(mut self, requests: usize, next: &Sender<Packet>, previous: &Receiver<Packet>) -> Self {
        for _ in 0..STEPS {
            for _ in 0..requests {
                self.serve();
            }
            let kept = self.sessions.len() - self.sessions.len() / PACKET_PART;
            next.send(self.sessions.split_off(kept)).expect("the next worker went away");
            let packet = previous.recv().expect("the previous worker went away");
            // To the front, so that the next packet holds others.
            self.sessions.splice(0..0, packet);
        }
        self
    }

    fn new_session(&mut self) -> Box<Session> {
        self.tally.operations += 6;
        let name = format!("client-{:016x}", self.rng.word());
        let buffers = std::array::from_fn(|_| Block::new(self.rng.size(32, 5), self.rng.word()));
        Box::new(Session { name, buffers, history: Vec::new() })
    }

    /// One request: headers parsed into strings, a body, a response that grows, a change to a session.
    fn serve(&mut self) {
        let index = self.rng.below(self.sessions.len());
        let body = Block::new(self.rng.size(64, 6), self.rng.word());
        let fields = 4 + self.rng.below(8);
        let headers: Vec<String> =
            (0..fields).map(|field| format!("field-{field}: {}", self.rng.word())).collect();
        let mut response = Vec::new();
        for header in &headers {
            response.extend_from_slice(header.as_bytes());
        }
        self.tally.operations += 1 + fields as u64 + 4;

        let session = &mut self.sessions[index];
        response.extend_from_slice(session.name.as_bytes());
        let part = self.rng.below(session.buffers.len());
        let new = Block::new(self.rng.size(32, 5), body.mark() ^ response.len() as u64);
        let old = std::mem::replace(&mut session.buffers[part], new);
        self.tally.count(old.mark());
        session.history.push(format!("{:x} {}", old.mark(), response.len()));
        self.tally.operations += 1;
        if session.history.len() == 32 {
            let history = std::mem::take(&mut session.history);
            self.tally
                .add(history.iter().map(|event| u64::from(event.as_bytes()[0]) + event.len() as u64).sum());
        }
        self.tally.add(u64::from(response[response.len() / 2]));
        // One client in fifty leaves and another comes.
        if self.rng.below(50) == 0 {
            self.sessions[index] = self.new_session();
        }
    }

    fn finish(mut self) -> Tally {
        for session in &self.sessions {
            self.tally
                .add(session.buffers.iter().fold(session.name.len() as u64, |sum, part| sum ^ part.mark()));
        }
        self.tally
    }
}
