//! Remote frees: nothing is lost, nothing comes home twice, a record is in one mailbox at most, whoever owns it meanwhile.

use super::super::{check, run};
use super::remote::{Directory, Owners};
use super::world::World;

/// (a) Two threads free into a slab that its owner drains.
///
/// Seen failing with: `publish` with Acquire only (data race on a block), with Release only (data race on
/// `posted`); `take` with Acquire only, with Release only (the same).
#[test]
fn two_freeing_threads_and_their_owner() {
    check(Some(3), || {
        let world = World::new();
        run(&world, [|w| w.free(0, 0, 1), |w| w.free(0, 2, 2), |w| _ = w.drain(0)]);
        world.settle(0, [1, 1, 1]);
    });
}

/// (a) One thread frees twice, so that the token goes off and on again between its frees.
///
/// Seen failing with: `take` with Acquire only: the next holder of the token does not see the last one
/// (data race on `posted`).
#[test]
fn frees_around_a_drain() {
    check(None, || {
        let world = World::new();
        run(
            &world,
            [
                |w| {
                    w.free(0, 0, 1);
                    w.free(0, 1, 1);
                },
                |w| {
                    w.drain(0);
                    w.drain(0);
                },
            ],
        );
        world.settle(0, [1, 1, 0]);
    });
}

/// (b) A free while the slab's owner gives it to the depot and another heap takes it there.
///
/// Seen failing with: `fold` with Acquire only (the block never comes home: the adopter's owner store is
/// not seen), with Release only (data race on the block); `adopt` folding before it stores the owner (never
/// home).
#[test]
fn free_while_the_slab_changes_hands() {
    check(Some(3), || {
        let world = World::new();
        run(
            &world,
            [
                |w| w.free(0, 0, 1),
                |w| w.put(0, 0),
                |w| {
                    w.take(1, 0);
                    w.drain(1);
                },
            ],
        );
        world.settle(0, [1, 0, 0]);
    });
}

/// (b) Two frees into a slab of the depot while it is adopted: who delivers finds no owner, puts the token down, and looks again.
///
/// Seen failing with: `deliver` without the second look at the owner; `drop_token` with Release only (never
/// home). Not seen failing: `retake_token` Relaxed, which needs a fourth thread to matter.
#[test]
fn frees_into_the_depot_while_a_slab_is_adopted() {
    check(Some(2), || {
        let world = World::new();
        world.put(0, 0);
        run(
            &world,
            [
                |w| w.free(0, 0, 1),
                |w| w.free(0, 1, 1),
                |w| {
                    w.take(1, 0);
                    w.drain(1);
                },
            ],
        );
        // Not by adopting again: the slab has an owner, which must hear of every block.
        world.settle(0, [1, 1, 0]);
    });
}

/// (b) The adopter gives the slab up again while the token is on its way.
///
/// Seen failing with: `fold` with Release only (data race on the block).
#[test]
fn free_while_a_slab_is_adopted_and_given_up_again() {
    check(Some(4), || {
        let world = World::new();
        world.put(0, 0);
        run(
            &world,
            [
                |w| w.free(0, 0, 1),
                |w| {
                    if let Some(record) = w.take(1, 0) {
                        w.put(0, record);
                        w.drain(1);
                    }
                },
            ],
        );
        world.settle(0, [1, 0, 0]);
    });
}

/// (c) The token outlives the slab: the record lies in the old owner's mailbox while its new owner retires the slab and begins another
/// one on the same slice, of which a third thread frees a block.
///
/// Seen failing with: `drop_token` with Acquire only (data race on `posted`), with Release only (never
/// home).
#[test]
fn token_outlives_the_slab() {
    check(Some(3), || {
        let world = World::new();
        world.free(0, 0, 1);
        world.put(0, 0);
        world.take(1, 0);
        assert_eq!(
            world.owner(0),
            Some(1),
            "the chain came home to heap 1, the token is in the mailbox of heap 0"
        );
        run(
            &world,
            [
                |w| _ = w.drain(0),
                |w| {
                    w.retire(0);
                    assert!(w.begin(1, 0, 4));
                    let other = w.clone();
                    // Not before: nobody else has a block of the new slab.
                    let freeing = loom::thread::spawn(move || other.free(0, 1, 1));
                    w.drain(1);
                    freeing.join().unwrap();
                },
            ],
        );
        world.settle(0, [1, 1, 0]);
    });
}

/// (c) The heap in whose mailbox the stale token lies adopts the slab itself.
///
/// Seen failing with: `drop_token` with Acquire only (data race on `posted`), `fold` with Acquire only
/// (never home).
#[test]
fn token_meets_its_old_owner_again() {
    check(Some(3), || {
        let world = World::new();
        world.free(0, 0, 1);
        world.put(0, 0);
        world.take(1, 0);
        run(
            &world,
            [
                |w| w.put(0, 0),
                |w| {
                    w.drain(0);
                    w.take(0, 0);
                    w.drain(0);
                },
                |w| w.free(0, 1, 1),
            ],
        );
        world.settle(0, [1, 1, 0]);
    });
}

/// A full slab with two blocks; the first was freed, and its record lies in the owner's mailbox.
fn full_slab_with_mail() -> loom::sync::Arc<World> {
    let world = World::new();
    world.retire(0);
    assert!(world.begin(0, 0, 2));
    world.fill(0);
    world.free(0, 0, 1);
    world
}

/// The last freer takes the whole slab from an owner that is about to read its mail; the slice then serves another heap, whose
/// slab gets a remote free at once, under the old token.
///
/// Seen failing with: `drain` without the second look at the owner ("S1: a chain of another heap's slab").
#[test]
fn reclaim_while_the_owner_drains() {
    check(Some(4), || {
        let world = full_slab_with_mail();
        run(
            &world,
            [
                |w| _ = w.drain(0),
                |w| {
                    w.free(0, 1, 1);
                    if w.begin(1, 0, 4) {
                        w.free(0, 0, 1);
                        w.touch(0);
                    }
                },
            ],
        );
        let again = world.owner(0) == Some(1);
        world.settle(0, [if again { 2 } else { 1 }, 1, 0]);
    });
}

/// The last freer looks at a slab that its owner empties, retires, and replaces by a larger one on the same slice, of which as many
/// blocks wait as the old one had.
///
/// Seen failing with: `send` without the second look at the capacity ("S5: … left: 2, right: 3": a
/// block is in use); `fold_exact` with Release only (data race on a block).
#[test]
fn reclaim_of_an_earlier_slab() {
    check(Some(3), || {
        let world = full_slab_with_mail();
        run(
            &world,
            [
                |w| w.free(0, 1, 1),
                |w| {
                    if w.drain(0) == 2 {
                        w.retire(0);
                        assert!(w.begin(0, 0, 3));
                        w.fill(0);
                        // Two of three come back.
                        w.free(0, 1, 2);
                    }
                },
            ],
        );
        let times = if world.capacity(0) == 3 { 2 } else { 1 };
        world.settle(0, [times, times, 0]);
    });
}

/// The last freer looks at a full slab that its owner empties, retires and begins again, equally large. All its blocks come back while
/// it is current: the owner still works on the record, so it may not be reclaimed.
///
/// Seen failing with: `send` without the second look at the state (data race on the plain fields).
#[test]
fn reclaim_of_a_current_slab() {
    check(Some(3), || {
        let world = full_slab_with_mail();
        run(
            &world,
            [
                |w| w.free(0, 1, 1),
                |w| {
                    if w.drain(0) == 2 {
                        w.retire(0);
                        assert!(w.begin(0, 0, 2));
                        w.free(0, 1, 2);
                        w.touch(0);
                    }
                },
            ],
        );
        let times = world.times_begun(0);
        world.settle(0, [times, times, 0]);
    });
}

/// The owner fills the slab while its last block comes back: it is reclaimed, or the owner has mail.
///
/// Seen failing with: `fill` storing the state Relaxed, `is_full` reading it Relaxed (data race on the
/// plain fields).
#[test]
fn reclaim_while_the_owner_fills() {
    check(Some(4), || {
        let world = World::new();
        world.retire(0);
        assert!(world.begin(0, 0, 2));
        run(&world, [|w| w.free(0, 0, 1), |w| w.free(0, 1, 1), |w| w.fill(0)]);
        world.settle(0, [1, 1, 0]);
    });
}

/// A slab of three blocks that heap 0 is about to fill for the first time.
fn about_to_be_full(capacity: u16) -> loom::sync::Arc<World> {
    let world = World::new();
    world.retire(0);
    assert!(world.begin(0, 0, capacity));
    world
}

/// The owner leaves a full slab while one thread frees a block and would take it over, and another one frees a block remotely.
///
/// Seen failing with: `claim` or the owner's compare-and-swap Relaxed (data race on the plain fields); `take_over` taking the chain before it
/// claims, or not at all (never home).
#[test]
fn free_while_an_orphan_is_taken_over() {
    check(Some(3), || {
        let world = about_to_be_full(4);
        run(
            &world,
            [
                |w| w.fill_and_leave(0, 0),
                |w| {
                    if w.free_or_take_over(1, 0, 0) {
                        w.touch(0);
                        w.drain(1);
                    }
                },
                |w| w.free(0, 1, 1),
            ],
        );
        world.settle(0, [1, 1, 0]);
    });
}

/// Two threads would take over the same orphan: one does, the other's block comes home to it.
///
/// Seen failing with: `claim` as a load and a store (data race on the plain fields).
#[test]
fn two_would_take_over() {
    check(None, || {
        let world = about_to_be_full(4);
        world.fill_and_leave(0, 0);
        run(
            &world,
            [
                |w| {
                    if w.free_or_take_over(0, 0, 0) {
                        w.touch(0);
                    }
                },
                |w| {
                    if w.free_or_take_over(1, 0, 1) {
                        w.touch(0);
                    }
                },
            ],
        );
        world.settle(0, [1, 1, 0]);
    });
}

/// The owner leaves a slab whose two blocks are both on their way: it may be reclaimed before, and be another heap's slab by then.
///
/// Seen failing with: the owner storing `ORPHAN` without comparing ("S1: only the slab's own owner leaves it"); `claim` Relaxed.
#[test]
fn reclaim_before_a_slab_is_left() {
    check(Some(3), || {
        let world = about_to_be_full(2);
        run(
            &world,
            [
                |w| w.fill_and_leave(0, 0),
                |w| {
                    if w.free_or_take_over(1, 0, 0) {
                        w.touch(0);
                    }
                },
                |w| {
                    w.free(0, 1, 1);
                    if w.begin(1, 0, 4) {
                        w.touch(0);
                    }
                },
            ],
        );
        if world.times_begun(0) == 2 {
            assert_eq!(world.owner(0), Some(1), "S1: only the slab's own owner leaves it");
        }
        world.settle(0, [1, 1, 0]);
    });
}
