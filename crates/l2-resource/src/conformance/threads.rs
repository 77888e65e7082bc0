//! Several threads at once, each for itself and for each other.

use alloc::string::String;
use alloc::vec::Vec;
use std::sync::Barrier;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use super::live::Live;
use super::property::PropertySet;
use super::session::Session;
use super::{Failure, Property, sequence};
use crate::MemoryResource;

/// What a thread brings home.
struct Tally {
    outcome: Result<(), Failure>,
    checked: PropertySet,
    requests: u64,
    refusals: u64,
}

impl Tally {
    fn new<R: ?Sized>(outcome: Result<(), Failure>, session: &Session<'_, R>) -> Self {
        let Session { checked, requests, refusals, .. } = *session;
        Self { outcome, checked, requests, refusals }
    }
}

/// Runs one closure per thread and adds up what they saw; the first failure by thread number wins.
fn together<R, W, F>(session: &mut Session<'_, R>, workers: Vec<W>, work: F) -> Result<(), Failure>
where
    R: MemoryResource + Sync + ?Sized,
    W: Send,
    F: Fn(&mut Session<'_, R>, W) -> Result<(), Failure> + Sync,
{
    let origin = session.origin();
    let (origin, work) = (&origin, &work);
    let tallies = thread::scope(|scope| {
        let spawn = |(thread, worker)| {
            scope.spawn(move || {
                let mut own = origin.session(thread);
                let outcome = own.guarded(|own| work(own, worker));
                Tally::new(outcome, &own)
            })
        };
        let handles: Vec<_> = workers.into_iter().enumerate().map(spawn).collect();
        handles.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    let mut outcome = Ok(());
    for tally in tallies {
        let Ok(tally) = tally else {
            return Err(session.failure(Property::ErrorsValue, String::from("a thread panicked twice")));
        };
        session.checked.union(tally.checked);
        session.requests += tally.requests;
        session.refusals += tally.refusals;
        outcome = outcome.and(tally.outcome);
    }
    outcome
}

/// Random operations on every thread, over one shadow.
///
/// ```text
///   thread 0   allocate ▮▮▮ │ barrier │ random operations, release
///   thread 1   allocate ▮▮▮ │         │ random operations, release
/// ```
///
/// All threads hold blocks at the barrier, so two arenas over the same memory are found on every run, however the
/// threads are scheduled.
pub(super) fn parallel<R: MemoryResource + Sync + ?Sized>(
    session: &mut Session<'_, R>,
) -> Result<(), Failure> {
    session.enter("parallel threads", Some(Property::ThreadsParallel));
    let threads = session.config.threads;
    let barrier = Barrier::new(threads);
    together(session, (0..threads).collect(), |own, _| {
        let mut blocks = Vec::new();
        // Caught, because a thread that unwinds past the barrier would leave the others waiting at it.
        let started = own.guarded(|own| {
            for _ in 0..own.config.live / 2 {
                let size = own.random.size(own.config.max_size.min(1024));
                let align = sequence::alignment(own);
                blocks.extend(own.allocate(size, align, false)?);
            }
            Ok(())
        });
        barrier.wait();
        started?;
        for _ in 0..own.config.operations {
            sequence::step(own, &mut blocks)?;
        }
        own.release_all(&mut blocks)
    })
}

/// Blocks requested in one thread, checked and released in the next; one in four is resized there first.
///
/// ```text
///        ┌──► thread 0 ──► thread 1 ──► thread 2 ──┐
///        └─────────────────────────────────────────┘
/// ```
pub(super) fn remote<R: MemoryResource + Sync + ?Sized>(session: &mut Session<'_, R>) -> Result<(), Failure> {
    session.enter("remote releases", Some(Property::ThreadsRemote));
    let (senders, inboxes): (Vec<_>, Vec<_>) = (0..session.config.threads).map(|_| mpsc::channel()).unzip();
    // Each sends to the next: the senders are shifted by one against the inboxes.
    let shifted = senders.iter().cycle().skip(1).cloned();
    let ends: Vec<(Sender<Live>, Receiver<Live>)> = shifted.zip(inboxes).collect();
    drop(senders);
    together(session, ends, |own, (next, inbox)| {
        for _ in 0..own.config.operations {
            let size = own.random.size(own.config.max_size.min(4096));
            let align = sequence::alignment(own);
            if let Some(live) = own.allocate(size, align, false)? {
                // The next thread may have failed and gone; its report counts, the block is lost.
                let _ = next.send(live);
            }
            while let Ok(live) = inbox.try_recv() {
                receive(own, live)?;
            }
        }
        drop(next);
        inbox.into_iter().try_for_each(|live| receive(own, live))
    })
}

fn receive<R: MemoryResource + ?Sized>(own: &mut Session<'_, R>, live: Live) -> Result<(), Failure> {
    let live = if own.random.below(4) == 0 {
        let size = own.random.size(own.config.max_size.min(4096));
        own.reallocate(live, size)?.0
    } else {
        live
    };
    own.release(&live)
}
