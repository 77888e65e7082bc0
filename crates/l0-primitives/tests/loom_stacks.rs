//! All interleavings of small cases of [`IndexStack`] and of [`TaggedStack`] over its fallback double word.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p stratalloc-primitives --release loom`
//!
//! The code under test is the shipped one; only its atomics are loom's. The owner of a record writes its
//! payload cell before a push and after a pop, so a missing happens-before is a reported data race. Its
//! `birth` cell is written once, by whoever makes it, and read by every `next_of`: that a record can be
//! looked at before it is owned is part of the contract.
//!
//! The main thread only joins. Loom runs it first where it can, and its reduction then never tries the order
//! in which a plain load comes after the others' exchanges: models written that way pass with every ordering
//! relaxed.
#![cfg(loom)]

use core::ptr::NonNull;
use loom::sync::Arc;
use loom::thread;
use stratalloc_primitives::lockfree::double_word::Locked;
use stratalloc_primitives::lockfree::{IndexStack, TaggedStack, link};
use stratalloc_primitives::primitive::atomic::{AtomicPtr, AtomicU32, Ordering};
use stratalloc_primitives::primitive::cell::UnsafeCell;

struct Record {
    index: u32,
    link: AtomicU32,
    pointer: AtomicPtr<Record>,
    birth: UnsafeCell<bool>,
    payload: UnsafeCell<u32>,
}

impl Record {
    /// What a thread relies on that reads a link: the record has been made.
    fn assert_born(&self) {
        // SAFETY: written before the first push and never again; loom reports it if that is not ordered.
        self.birth.with(|birth| assert!(unsafe { *birth }, "a link was read before its record was made"));
    }
}

/// A stack with the records that its elements are.
struct World<S> {
    stack: S,
    records: Vec<Record>,
}

// SAFETY: payloads are touched by the record's owner only, which is what the models check.
unsafe impl<S: Sync> Sync for World<S> {}
// SAFETY: as above.
unsafe impl<S: Send> Send for World<S> {}

trait Stack: Sized + Send + Sync + 'static {
    fn new() -> Self;
    fn push(world: &World<Self>, index: u32);
    fn pop(world: &World<Self>) -> Option<u32>;
    fn take_all(world: &World<Self>) -> Vec<u32>;
}

impl<S: Stack> World<S> {
    /// Records 0 .. `count`, none made, an empty stack.
    fn new(count: u32) -> Arc<Self> {
        let records = (0..count).map(|index| Record {
            index,
            link: AtomicU32::new(link::END),
            pointer: AtomicPtr::new(core::ptr::null_mut()),
            birth: UnsafeCell::new(false),
            payload: UnsafeCell::new(0),
        });
        Arc::new(Self { stack: S::new(), records: records.collect() })
    }

    /// Records 0 .. `count`, of which the first `pushed` lie in the stack, the last of them on top.
    fn filled(count: u32, pushed: u32) -> Arc<Self> {
        let world = Self::new(count);
        (0..pushed).for_each(|index| world.make(index));
        world
    }

    /// Makes a record and pushes it.
    fn make(&self, index: u32) {
        // SAFETY: the record is in no list yet.
        self.records[index as usize].birth.with_mut(|birth| unsafe { *birth = true });
        self.push(index);
    }

    fn touch(&self, index: u32) {
        // SAFETY: the calling thread owns the record; loom reports it if that is wrong.
        self.records[index as usize].payload.with_mut(|payload| unsafe { *payload += 1 });
    }

    fn push(&self, index: u32) {
        self.touch(index);
        S::push(self, index);
    }

    fn pop(&self) -> Option<u32> {
        let index = S::pop(self)?;
        self.touch(index);
        Some(index)
    }

    fn take_all(&self) -> Vec<u32> {
        let taken = S::take_all(self);
        taken.iter().for_each(|&index| self.touch(index));
        taken
    }

    /// What the threads hold and what the stack holds are all records, each once.
    fn assert_conserved(&self, mut held: Vec<u32>) {
        while let Some(index) = self.pop()
            && held.len() <= self.records.len()
        {
            held.push(index);
        }
        held.sort_unstable();
        assert!((0..).zip(&held).all(|(expected, index)| expected == *index), "lost or doubled: {held:?}");
        assert_eq!(held.len(), self.records.len(), "lost: {held:?}");
    }
}

impl Stack for IndexStack {
    fn new() -> Self {
        Self::new()
    }

    fn push(world: &World<Self>, index: u32) {
        let link = &world.records[index as usize].link;
        world.stack.push(index, |next| link.store(next, Ordering::Relaxed));
    }

    fn pop(world: &World<Self>) -> Option<u32> {
        world.stack.pop(|index| {
            let record = &world.records[index as usize];
            record.assert_born();
            record.link.load(Ordering::Relaxed)
        })
    }

    fn take_all(world: &World<Self>) -> Vec<u32> {
        let next_of = |index: u32| world.records[index as usize].link.load(Ordering::Relaxed);
        let first = world.stack.take_all().map_or(link::END, link::to);
        link::walk(first, next_of).take(world.records.len() + 1).collect()
    }
}

impl Stack for TaggedStack<Record, Locked> {
    fn new() -> Self {
        Self::over(Locked::null())
    }

    fn push(world: &World<Self>, index: u32) {
        let record = &world.records[index as usize];
        world.stack.push(NonNull::from(record), |next| record.pointer.store(next, Ordering::Relaxed));
    }

    fn pop(world: &World<Self>) -> Option<u32> {
        let node = world.stack.pop(|node| {
            // SAFETY: all nodes are records of the world, which is borrowed.
            let record = unsafe { node.as_ref() };
            record.assert_born();
            record.pointer.load(Ordering::Relaxed)
        })?;
        // SAFETY: as above.
        Some(unsafe { node.as_ref() }.index)
    }

    fn take_all(world: &World<Self>) -> Vec<u32> {
        let mut taken = vec![];
        let mut node = world.stack.take_all();
        while let Some(current) = node
            && taken.len() <= world.records.len()
        {
            // SAFETY: as above.
            let record = unsafe { current.as_ref() };
            taken.push(record.index);
            node = NonNull::new(record.pointer.load(Ordering::Relaxed));
        }
        taken
    }
}

/// What a thread does; it returns what it keeps.
type Body<S> = fn(&World<S>) -> Vec<u32>;

/// Runs two or three threads.
fn run<S: Stack, const N: usize>(world: &Arc<World<S>>, threads: [Body<S>; N]) {
    let threads = threads.map(|body| {
        let world = world.clone();
        thread::spawn(move || body(&world))
    });
    let held = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    world.assert_conserved(held);
}

fn keep(index: Option<u32>) -> Vec<u32> {
    index.into_iter().collect()
}

/// One thread takes both elements and puts the first back, while another is inside a pop.
///
/// Weakened and seen failing:
/// * `IndexStack` without the version: "Concurrent write accesses to `UnsafeCell`" (one element with two
///   owners).
/// * `IndexStack::push` exchange relaxed, `pop` first load relaxed, `pop` failed exchange relaxed: the same.
/// * `Versioned::next` without the version, `Locked`: "lost or doubled: [0, 0, 1]".
/// * `Locked`, version loaded relaxed by `observe`, or stored relaxed: "lost or doubled: [0, 0, 1]" (an old
///   link read under a new version).
/// * `Locked`, lock taken relaxed, or given back relaxed: "Concurrent write accesses to `UnsafeCell`".
/// * `Locked`, only the versions compared: "lost or doubled: [0, 0]" (a torn observation accepted).
fn aba<S: Stack>() {
    let pop_both_push_one = |world: &World<S>| {
        let (first, second) = (world.pop(), world.pop());
        first.into_iter().for_each(|index| world.push(index));
        keep(second)
    };
    run(&World::<S>::filled(2, 2), [pop_both_push_one, |world| keep(world.pop())]);
}

/// The same with `take_all`, after which as many pushes as before lead to an equal top: the version must not
/// have started again.
///
/// Weakened and seen failing: `IndexStack::take_all` as a swap with 0: "Concurrent write accesses to
/// `UnsafeCell`"; no other model notices. `Locked`, pointer loaded relaxed by `observe`, or stored relaxed:
/// "Concurrent read and write accesses" (of `birth`).
fn aba_over_take_all<S: Stack>() {
    let take_all_push_two = |world: &World<S>| {
        let mut taken = world.take_all();
        world.make(2);
        if let Some(one) = taken.iter().position(|&index| index == 1) {
            world.push(taken.remove(one));
        }
        taken
    };
    run(&World::<S>::filled(3, 2), [take_all_push_two, |world| keep(world.pop())]);
}

/// Two threads push; a third pops meanwhile.
///
/// Weakened and seen failing: `IndexStack::push` exchange relaxed, `pop` first load relaxed ("Concurrent read
/// and write accesses" of `birth`), `pop` failed exchange relaxed.
fn push_push_pop<S: Stack>() {
    run(
        &World::<S>::new(2),
        [
            |world| {
                world.make(0);
                vec![]
            },
            |world| {
                world.make(1);
                vec![]
            },
            |world| keep(world.pop()),
        ],
    );
}

fn make_two<S: Stack>(world: &World<S>) -> Vec<u32> {
    world.make(0);
    world.make(1);
    vec![]
}

/// One thread pushes two elements; another takes all.
///
/// Weakened and seen failing: `IndexStack::take_all` relaxed, `push` exchange relaxed: "Concurrent write
/// accesses to `UnsafeCell`". `Locked` with its lock taken or given back relaxed: the same.
fn push_take_all<S: Stack>() {
    run(&World::<S>::new(2), [make_two, |world| world.take_all()]);
}

/// The element on top is popped by one thread, so that another one reaches the element below, which it has
/// from a third: every exchange of the head must hand on what the pushes before it released.
///
/// Weakened and seen failing: `IndexStack::push` exchange relaxed, `pop` first load relaxed, `pop` failed
/// exchange relaxed: "Concurrent write accesses to `UnsafeCell`", "Concurrent read and write accesses".
fn deeper_element<S: Stack>() {
    run(&World::<S>::new(2), [make_two, |world| keep(world.pop()), |world| keep(world.pop())]);
}

/// One thread pushes two elements; another pops twice.
///
/// Weakened and seen failing: all that [`push_push_pop`] notices. `Locked`, pointer loaded relaxed by
/// `observe`, or stored relaxed: "Concurrent read and write accesses" (of `birth`).
fn push_push_against_pop_pop<S: Stack>() {
    let pop_two = |world: &World<S>| world.pop().into_iter().chain(world.pop()).collect();
    run(&World::<S>::new(2), [make_two, pop_two]);
}

/// Both threads pop and push what they got.
///
/// Weakened and seen failing: `IndexStack` without the version, `Locked` with its lock taken or given back
/// relaxed: "Concurrent write accesses to `UnsafeCell`".
fn both_put_back<S: Stack>() {
    let put_back = |world: &World<S>| {
        world.pop().into_iter().for_each(|index| world.push(index));
        vec![]
    };
    run(&World::<S>::filled(2, 2), [put_back, put_back]);
}

/// Checks `body` with at most `preemptions` involuntary thread switches (`None`: in all orders there are).
fn check(preemptions: Option<usize>, body: fn()) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = preemptions;
    model.check(body);
}

macro_rules! models {
    ($($name:ident: $model:ident::<$stack:ty>, $preemptions:expr;)*) => {
        $(#[test] fn $name() { check($preemptions, $model::<$stack>); })*
    };
}

type OverLocked = TaggedStack<Record, Locked>;

// The fallback's models have two threads: loom wakes all threads that yielded whenever one does, so that two
// waiting for the spin lock starve its holder. Where a bound stands, the unbounded model takes minutes.
models! {
    loom_index_stack_aba: aba::<IndexStack>, None;
    loom_index_stack_aba_over_take_all: aba_over_take_all::<IndexStack>, None;
    loom_index_stack_both_put_back: both_put_back::<IndexStack>, None;
    loom_index_stack_push_push_pop: push_push_pop::<IndexStack>, Some(3);
    loom_index_stack_push_take_all: push_take_all::<IndexStack>, None;
    loom_index_stack_deeper_element: deeper_element::<IndexStack>, Some(3);
    loom_index_stack_push_push_against_pop_pop: push_push_against_pop_pop::<IndexStack>, None;
    loom_tagged_stack_aba: aba::<OverLocked>, Some(3);
    loom_tagged_stack_aba_over_take_all: aba_over_take_all::<OverLocked>, Some(3);
    loom_tagged_stack_both_put_back: both_put_back::<OverLocked>, Some(3);
    loom_tagged_stack_push_take_all: push_take_all::<OverLocked>, Some(3);
    loom_tagged_stack_push_push_against_pop_pop: push_push_against_pop_pop::<OverLocked>, Some(3);
}
