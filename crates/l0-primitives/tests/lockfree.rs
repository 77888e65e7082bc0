//! The lists between threads, by what goes in and comes out: order alone, conservation under threads.
//!
//! Not covered here: memory orderings, which `loom_*.rs` check in all interleavings of small cases. Each list
//! is tried through the same small interface; a payload is written plainly before a push and read after a
//! pop, for Miri and ThreadSanitizer to see.
//!
//! Broken once each and noticed here: the versions of both stacks, a push that forgets the next element, the
//! fallback without its lock, `cmpxchg16b` without its `lock` prefix, `Mailbox::take_all` as a load and a
//! store (which hangs).
#![cfg(all(not(loom), target_has_atomic = "64"))]

use core::cell::{Cell, UnsafeCell};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use stratalloc_primitives::lockfree::double_word::{DoubleWord, Locked, Native};
use stratalloc_primitives::lockfree::{IndexStack, Mailbox, TaggedStack, link};

const RECORDS: u32 = 16;
/// A broken stack can become a ring; its walk ends here instead of filling the memory.
const TOO_MANY: usize = RECORDS as usize + 1;
const ROUNDS: u32 = if cfg!(miri) { 40 } else { 200_000 };

#[derive(Default)]
struct Record {
    index: u32,
    link: AtomicU32,
    pointer: AtomicPtr<Record>,
    payload: UnsafeCell<u64>,
}

// SAFETY: the payload is touched by the record's owner only, and the lists pass ownership on.
unsafe impl Sync for Record {}

struct Table(Vec<Record>);

impl Table {
    fn new() -> Self {
        Self((0..RECORDS).map(|index| Record { index, ..Record::default() }).collect())
    }

    fn next(&self, index: u32) -> u32 {
        self.0[index as usize].link.load(Ordering::Relaxed)
    }

    fn set_next(&self, index: u32, link: u32) {
        self.0[index as usize].link.store(link, Ordering::Relaxed);
    }

    /// The owner of `index` adds one to its payload.
    fn touch(&self, index: u32) {
        // SAFETY: the calling thread owns the record: it took it from a list, or nobody pushed it yet.
        unsafe { *self.0[index as usize].payload.get() += 1 };
    }

    fn touches(self) -> u64 {
        self.0.into_iter().map(|record| record.payload.into_inner()).sum()
    }
}

/// What a stack is to these tests.
trait Stack: Sync {
    fn push(&self, table: &Table, index: u32);
    /// `indices` become a chain, the first on top.
    fn push_chain(&self, table: &Table, indices: &[u32]);
    fn pop(&self, table: &Table) -> Option<u32>;
    fn take_all(&self, table: &Table) -> Vec<u32>;
    fn is_empty(&self) -> bool;
}

impl Stack for IndexStack {
    fn push(&self, table: &Table, index: u32) {
        self.push(index, |link| table.set_next(index, link));
    }

    fn push_chain(&self, table: &Table, indices: &[u32]) {
        for pair in indices.windows(2) {
            table.set_next(pair[0], link::to(pair[1]));
        }
        let last = indices[indices.len() - 1];
        self.push_chain(indices[0], |link| table.set_next(last, link));
    }

    fn pop(&self, table: &Table) -> Option<u32> {
        self.pop(|index| table.next(index))
    }

    fn take_all(&self, table: &Table) -> Vec<u32> {
        self.take_all()
            .map_or(vec![], |first| link::walk(link::to(first), |index| table.next(index)).collect())
    }

    fn is_empty(&self) -> bool {
        self.is_empty()
    }
}

impl<D: DoubleWord> Stack for TaggedStack<Record, D> {
    fn push(&self, table: &Table, index: u32) {
        self.push_chain(NonNull::from(&table.0[index as usize]), |next| {
            table.0[index as usize].pointer.store(next, Ordering::Relaxed);
        });
    }

    fn push_chain(&self, table: &Table, indices: &[u32]) {
        let record = |index: u32| &table.0[index as usize];
        for pair in indices.windows(2) {
            let next = NonNull::from(record(pair[1])).as_ptr();
            record(pair[0]).pointer.store(next, Ordering::Relaxed);
        }
        let last = record(indices[indices.len() - 1]);
        self.push_chain(NonNull::from(record(indices[0])), |next| {
            last.pointer.store(next, Ordering::Relaxed)
        });
    }

    fn pop(&self, _: &Table) -> Option<u32> {
        // SAFETY: all nodes are records of the table, which outlives the stack.
        let node = self.pop(|node| unsafe { node.as_ref() }.pointer.load(Ordering::Relaxed))?;
        // SAFETY: as above.
        Some(unsafe { node.as_ref() }.index)
    }

    fn take_all(&self, _: &Table) -> Vec<u32> {
        let mut taken = vec![];
        let mut node = self.take_all();
        while let Some(current) = node
            && taken.len() < TOO_MANY
        {
            // SAFETY: all nodes are records of the table, which outlives the stack.
            let record = unsafe { current.as_ref() };
            taken.push(record.index);
            node = NonNull::new(record.pointer.load(Ordering::Relaxed));
        }
        taken
    }

    fn is_empty(&self) -> bool {
        self.is_empty()
    }
}

fn last_in_first_out(stack: &impl Stack) {
    let table = Table::new();
    assert!(stack.is_empty());
    assert_eq!(stack.pop(&table), None);
    assert_eq!(stack.take_all(&table), []);
    stack.push(&table, 3);
    stack.push_chain(&table, &[7, 0, 5]);
    assert!(!stack.is_empty());
    assert_eq!(stack.pop(&table), Some(7));
    stack.push(&table, 7);
    assert_eq!(stack.take_all(&table), [7, 0, 5, 3]);
    assert!(stack.is_empty());
    assert_eq!(stack.pop(&table), None);
    stack.push(&table, 9);
    assert_eq!((stack.pop(&table), stack.pop(&table)), (Some(9), None));
}

/// Threads take records (one, two or all), touch and put them back; none may be lost, doubled or shared.
fn threads_conserve_the_records(stack: &impl Stack) {
    let table = Table::new();
    stack.push_chain(&table, &(0..RECORDS).collect::<Vec<_>>());
    let touches = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let (table, touches) = (&table, &touches);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let taken = match (round + thread) % 8 {
                        0 => stack.take_all(table),
                        1..4 => stack.pop(table).into_iter().chain(stack.pop(table)).collect(),
                        _ => stack.pop(table).into_iter().collect(),
                    };
                    taken.iter().for_each(|&index| table.touch(index));
                    touches.fetch_add(taken.len(), Ordering::Relaxed);
                    match taken.as_slice() {
                        [] => {}
                        [one] => stack.push(table, *one),
                        chain => stack.push_chain(table, chain),
                    }
                }
            });
        }
    });
    let mut left = stack.take_all(&table);
    left.sort_unstable();
    assert_eq!(left, (0..RECORDS).collect::<Vec<_>>());
    assert_eq!(table.touches(), touches.into_inner() as u64);
}

/// The ABA case without a second thread: between `pop`'s look at the link and its exchange, the top leaves,
/// the element under it leaves, and the top comes back.
#[test]
fn a_top_that_left_and_came_back_is_noticed() {
    let table = Table::new();
    let index_stack = IndexStack::new();
    Stack::push_chain(&index_stack, &table, &[1, 0]);
    let interrupted = Cell::new(false);
    let popped = index_stack.pop(|index| {
        let next = table.next(index);
        if !interrupted.replace(true) {
            assert_eq!(
                (Stack::pop(&index_stack, &table), Stack::pop(&index_stack, &table)),
                (Some(1), Some(0))
            );
            Stack::push(&index_stack, &table, 1);
        }
        next
    });
    assert_eq!((popped, index_stack.is_empty()), (Some(1), true));

    fn tagged<D: DoubleWord>(stack: &TaggedStack<Record, D>) {
        let table = Table::new();
        Stack::push_chain(stack, &table, &[1, 0]);
        let interrupted = Cell::new(false);
        let popped = stack.pop(|node| {
            // SAFETY: all nodes are records of the table, which outlives the stack.
            let next = unsafe { node.as_ref() }.pointer.load(Ordering::Relaxed);
            if !interrupted.replace(true) {
                assert_eq!((Stack::pop(stack, &table), Stack::pop(stack, &table)), (Some(1), Some(0)));
                Stack::push(stack, &table, 1);
            }
            next
        });
        assert_eq!(popped, Some(NonNull::from(&table.0[1])));
        assert!(stack.is_empty());
    }
    tagged(&TaggedStack::over(Native::null()));
    tagged(&TaggedStack::over(Locked::null()));
}

#[test]
fn index_stack_is_last_in_first_out() {
    last_in_first_out(&IndexStack::new());
}

#[test]
fn index_stack_conserves() {
    threads_conserve_the_records(&IndexStack::new());
}

#[test]
fn index_stack_takes_the_largest_index() {
    let (stack, next) = (IndexStack::new(), AtomicU32::new(9));
    stack.push(link::MAX_INDEX, |link| next.store(link, Ordering::Relaxed));
    assert_eq!(next.load(Ordering::Relaxed), link::END);
    assert_eq!(stack.pop(|_| next.load(Ordering::Relaxed)), Some(link::MAX_INDEX));
    assert!(stack.is_empty());
}

#[test]
fn index_stack_counts_its_pushes_a_chain_once() {
    let (stack, table) = (IndexStack::new(), Table::new());
    assert_eq!(stack.pushes(), 0);
    stack.push(3, |link| table.set_next(3, link));
    Stack::push_chain(&stack, &table, &[5, 6, 7]);
    assert_eq!(stack.pushes(), 2);
    assert_eq!((Stack::pop(&stack, &table), Stack::take_all(&stack, &table).len()), (Some(5), 3));
    assert_eq!(stack.pushes(), 2, "nothing else changes it");
}

#[test]
fn tagged_stack_is_last_in_first_out() {
    last_in_first_out(&TaggedStack::<Record>::new());
    last_in_first_out(&TaggedStack::over(Locked::null()));
}

#[test]
fn tagged_stack_conserves_with_the_native_exchange() {
    threads_conserve_the_records(&TaggedStack::over(Native::null()));
}

#[test]
fn tagged_stack_conserves_with_the_fallback() {
    threads_conserve_the_records(&TaggedStack::over(Locked::null()));
}

#[test]
fn mailbox_gives_everything_at_once_the_last_first() {
    let (mailbox, table) = (Mailbox::new(), Table::new());
    assert_eq!(mailbox.take_all(), link::END);
    assert!(mailbox.push(4, |link| table.set_next(4, link)));
    assert!(!mailbox.push(2, |link| table.set_next(2, link)));
    assert!(!mailbox.is_empty());
    let list = link::walk(mailbox.take_all(), |index| table.next(index)).collect::<Vec<_>>();
    assert_eq!(list, [2, 4]);
    assert!(mailbox.is_empty());
    assert!(mailbox.push(4, |link| table.set_next(4, link)));
}

/// Two producers share the records; one consumer takes, and hands each record back through a flag.
#[test]
fn mailbox_delivers_each_push_once() {
    let (mailbox, table) = (Mailbox::new(), Table::new());
    let free: Vec<_> = (0..RECORDS).map(|_| AtomicU32::new(1)).collect();
    let mut delivered = 0;
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut pushed = 0;
                while pushed < ROUNDS {
                    for index in 0..RECORDS {
                        // The right to push (MAIL-OWN).
                        if pushed < ROUNDS && free[index as usize].swap(0, Ordering::Acquire) == 1 {
                            table.touch(index);
                            mailbox.push(index, |link| table.set_next(index, link));
                            pushed += 1;
                        }
                    }
                    std::thread::yield_now();
                }
            });
        }
        while delivered < 2 * u64::from(ROUNDS) {
            for index in link::walk(mailbox.take_all(), |index| table.next(index)) {
                table.touch(index);
                delivered += 1;
                free[index as usize].store(1, Ordering::Release);
            }
            std::thread::yield_now();
        }
    });
    assert!(mailbox.is_empty());
    assert_eq!(table.touches(), 2 * delivered);
}
