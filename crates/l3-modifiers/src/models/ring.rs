//! The ring of records: writers and a reader; no record is torn, lost or read twice, and what is dropped is counted.
//!
//! Records are cells that loom watches: whoever touches one without being ordered after the last is a reported race.

use alloc::vec;
use alloc::vec::Vec;

use loom::sync::Arc;
use loom::thread;
use stratalloc_resource::Alignment;

use crate::traced::{Event, Record, Ring};

fn record(number: usize) -> Record {
    Record::new(Event::Released { address: number, size: number, align: Alignment::ONE })
}

/// The number of a record, which is whole.
fn number_of(record: Record) -> usize {
    match record.event() {
        Some(Event::Released { address, size, .. }) if address == size => address,
        other => panic!("torn: {other:?}"),
    }
}

fn write(ring: &Arc<Ring<2>>, numbers: Vec<usize>) -> thread::JoinHandle<Vec<usize>> {
    let ring = ring.clone();
    thread::spawn(move || numbers.into_iter().filter(|&number| ring.push(record(number))).collect())
}

fn read(ring: &Arc<Ring<2>>, most: usize) -> thread::JoinHandle<Vec<usize>> {
    let ring = ring.clone();
    thread::spawn(move || ring.drain().take(most).map(number_of).collect())
}

fn bounded(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

/// What the writers wrote is what was read, each writer's in its order; the rest was counted.
fn reconcile(ring: &Ring<2>, written: [Vec<usize>; 2], mut found: Vec<usize>, pushes: usize) {
    found.extend(ring.drain().map(number_of));
    for one in &written {
        let theirs: Vec<_> = found.iter().filter(|number| one.contains(number)).copied().collect();
        assert_eq!(&theirs, one, "in order, once each");
    }
    let all: usize = written.iter().map(Vec::len).sum();
    assert_eq!(found.len(), all);
    assert_eq!((ring.written(), ring.read(), ring.dropped()), (all, all, pushes - all));
}

/// Two writers, of one and two records, and a reader of two; the ring has room for two.
///
/// Weakened and seen failing: the writer's store of the turn relaxed, the load of the turn relaxed: "Causality violation".
#[test]
fn loom_records_are_read_whole_and_once() {
    bounded(3, || {
        let ring = Arc::new(Ring::<2>::new());
        let writers = [write(&ring, vec![1]), write(&ring, vec![2, 3])];
        let reader = read(&ring, 2);
        let written = writers.map(|writer| writer.join().unwrap());
        let found = reader.join().unwrap();
        reconcile(&ring, written, found, 3);
    });
}

/// A writer that comes round while the reader reads: the slot's second record must not overtake the look at the first.
///
/// Weakened and seen failing: the reader's store of the turn relaxed: "Causality violation".
#[test]
fn loom_a_slot_is_written_again_only_after_it_was_read() {
    bounded(3, || {
        let ring = Arc::new(Ring::<2>::new());
        let writers = [write(&ring, vec![1, 2, 3]), write(&ring, vec![])];
        let reader = read(&ring, 3);
        let written = writers.map(|writer| writer.join().unwrap());
        let found = reader.join().unwrap();
        reconcile(&ring, written, found, 3);
    });
}

/// Two readers of two records: nobody reads one twice.
#[test]
fn loom_two_readers_share_the_records() {
    bounded(3, || {
        let ring = Arc::new(Ring::<2>::new());
        assert!(ring.push(record(1)) && ring.push(record(2)));
        let readers = [read(&ring, 2), read(&ring, 2)];
        let found = readers.map(|reader| reader.join().unwrap());
        let mut all = found.concat();
        all.sort_unstable();
        assert_eq!(all, [1, 2]);
        assert_eq!((ring.read(), ring.pop()), (2, None));
    });
}
