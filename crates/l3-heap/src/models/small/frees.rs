//! Remote frees: nothing is lost, nothing comes home twice, a record is in one mailbox at most, whoever owns it meanwhile.

use super::super::{check, run};
use super::remote::{Directory, Owners};
use super::world::World;

/// (a) Two threads free into a slab that its owner drains.
#[test]
fn two_freeing_threads_and_their_owner() {
    check(Some(3), || {
        let world = World::new();
        run(&world, [|w| w.free(0, 0, 1), |w| w.free(0, 2, 2), |w| w.drain(0)]);
        world.settle(0, 3);
    });
}

/// (a) One thread frees twice, so that the token goes off and on again between its frees.
#[test]
fn frees_around_a_drain() {
    check(None, || {
        let world = World::new();
        run(&world, [
            |w| {
                w.free(0, 0, 1);
                w.free(0, 1, 1);
            },
            |w| {
                w.drain(0);
                w.drain(0);
            },
        ]);
        world.settle(0, 2);
    });
}

/// (b) A free while the slab's owner gives it to the depot and another heap takes it there.
#[test]
fn free_while_the_slab_changes_hands() {
    check(Some(3), || {
        let world = World::new();
        run(&world, [
            |w| w.free(0, 0, 1),
            |w| w.put(0, 0),
            |w| {
                w.take(1, 0);
                w.drain(1);
            },
        ]);
        world.settle(0, 1);
    });
}

/// (b) Two frees into a slab of the depot while it is adopted: who delivers finds no owner, puts the token down, and looks again.
#[test]
fn frees_into_the_depot_while_a_slab_is_adopted() {
    check(Some(3), || {
        let world = World::new();
        world.put(0, 0);
        run(&world, [
            |w| w.free(0, 0, 1),
            |w| w.free(0, 1, 1),
            |w| {
                w.take(1, 0);
                w.drain(1);
            },
        ]);
        // Not by adopting again: the slab has an owner, which must hear of every block.
        world.settle(0, 2);
    });
}

/// (b) The adopter gives the slab up again while the token is on its way.
#[test]
fn free_while_a_slab_is_adopted_and_given_up_again() {
    check(Some(4), || {
        let world = World::new();
        world.put(0, 0);
        run(&world, [
            |w| w.free(0, 0, 1),
            |w| {
                if let Some(record) = w.take(1, 0) {
                    w.put(0, record);
                    w.drain(1);
                }
            },
        ]);
        world.settle(0, 1);
    });
}

/// (c) The token outlives the slab: the record lies in the old owner's mailbox while its new owner retires the slab and begins another
/// one on the same slice, whose first block a third thread frees.
#[test]
fn token_outlives_the_slab() {
    check(Some(3), || {
        let world = World::new();
        world.free(0, 0, 1);
        world.put(0, 0);
        world.take(1, 0);
        assert_eq!(world.owner(0), Some(1), "the token is in the mailbox of heap 0, the chain came home to heap 1");
        run(&world, [
            |w| w.drain(0),
            |w| {
                w.retire(0);
                w.begin(1, 0);
                let other = w.clone();
                // Not before: nobody else has a block of the new slab.
                let freeing = loom::thread::spawn(move || other.free(0, 1, 1));
                w.drain(1);
                freeing.join().unwrap();
            },
        ]);
        world.settle(0, 2);
    });
}

/// (c) The same where the new life begins in the depot's way: retired, begun, given up, adopted by the heap that drains.
#[test]
fn token_meets_its_old_owner_again() {
    check(Some(4), || {
        let world = World::new();
        world.free(0, 0, 1);
        world.set_owner(0, None);
        world.begin(1, 0);
        run(&world, [
            |w| w.put(0, 0),
            |w| {
                w.drain(0);
                w.take(0, 0);
                w.drain(0);
            },
            |w| w.free(0, 1, 1),
        ]);
        world.settle(0, 2);
    });
}
