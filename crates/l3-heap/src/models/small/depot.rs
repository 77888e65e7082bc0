//! The depot's use of its stacks: links and plain fields live in records that are used again for other slabs and other stacks.

use super::super::{check, run};
use super::world::World;

/// One thread is inside a pop while another takes the same slab, empties and retires it, uses the record for a slab of another
/// class, in another stack, takes it from there and brings it back to the first: its link has changed twice meanwhile.
///
/// Seen failing with: a stack whose pushes leave the version as it is; its push or pop Relaxed (data race
/// on the plain fields).
#[test]
fn a_record_leaves_serves_elsewhere_and_comes_back() {
    check(Some(4), || {
        let world = World::new();
        world.put(0, 1);
        world.put(0, 0);
        run(
            &world,
            [
                |w| {
                    if let Some(record) = w.take(1, 0) {
                        w.touch(record);
                    }
                },
                |w| {
                    let (Some(first), _) = (w.take(0, 0), w.take(0, 0)) else { return };
                    w.retire(first);
                    w.begin(0, first, 4);
                    w.put(1, first);
                    if let Some(again) = w.take(0, 1) {
                        w.retire(again);
                        w.begin(0, again, 4);
                        w.put(0, again);
                    }
                },
            ],
        );
        world.settle(0, [0; 3]);
    });
}

/// Two heaps take, one gives: a slab and all that its last owner wrote belong to exactly one.
///
/// Seen failing with: the push or the pop of the stack Relaxed (data race on the plain fields).
#[test]
fn two_takers_and_a_giver() {
    check(Some(3), || {
        let world = World::new();
        world.put(0, 1);
        run(
            &world,
            [
                |w| w.put(0, 0),
                |w| {
                    w.take(0, 0);
                },
                |w| {
                    w.take(1, 0);
                },
            ],
        );
        world.settle(0, [0; 3]);
    });
}
