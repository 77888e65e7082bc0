//! Single operations of heaps over given memory, timed one by one: what a real-time program asks.

use super::heaps::{MEMORY, buddy, in_pairs, in_replacements, tlsf};
use super::{Case, Unit, memory};
use crate::heap::{BuddySystem, C, Rlsf, Talc};
use crate::shapes::{self, Mix};

/// Contestants in a steady state. Instructions are counted in the same work without the clock.
macro_rules! steady {
    ($case:expr, $mix:expr; $($side:ident $name:literal: $heap:expr),+) => {
        $case.unit(Unit::Latency)$(
            .$side($name, move |n| shapes::latencies(&$heap, &$mix, n))
            .unclocked(move |n| in_replacements($heap, $mix, n))
        )+
    };
}

/// Contestants on their longest ways. Instructions are counted in the same work without the clock, and without filling the cache.
macro_rules! worst {
    ($case:expr; $($side:ident $name:literal: $heap:expr),+) => {
        $case.unit(Unit::Latency)$(
            .$side($name, |n| shapes::worst_latencies(&$heap, n))
            .unclocked(|n| {
                let heap = $heap;
                shapes::only_a_large_block(&heap);
                in_pairs(heap, 64, n)
            })
        )+
    };
}

fn of_a_mix() -> Case {
    steady!(
        Case::new(
            "latency-mixed",
            "10 000 live blocks of 16 to 4096 bytes, a random one replaced; each operation timed",
            300_000,
        ),
        Mix::of_sizes(10_000, 16, 4096).shuffled();
        ours "Tlsf": tlsf(memory(MEMORY)),
        ours "Buddy": buddy(memory(MEMORY)),
        peer "rlsf": Rlsf::over(memory(MEMORY)),
        peer "talc": Talc::over(memory(MEMORY)),
        peer "glibc": C
    )
}

fn of_powers() -> Case {
    steady!(
        Case::new(
            "latency-powers",
            "5 000 live powers of two, a random one replaced; each operation timed",
            100_000,
        ),
        Mix::of_powers(5_000, 64, 8192).shuffled();
        ours "Buddy": buddy(memory(MEMORY)),
        peer "buddy_system_allocator": BuddySystem::over(memory(MEMORY))
    )
}

fn of_the_longest_ways() -> Case {
    worst!(
        Case::new(
            "latency-worst",
            "the longest splits and merges there are, the cache filled with other memory before each",
            400,
        );
        ours "Tlsf": tlsf(memory(MEMORY)),
        ours "Buddy": buddy(memory(MEMORY)),
        peer "rlsf": Rlsf::over(memory(MEMORY)),
        peer "talc": Talc::over(memory(MEMORY)),
        peer "buddy_system_allocator": BuddySystem::over(memory(MEMORY))
    )
}

pub(super) fn cases() -> Vec<Case> {
    vec![of_a_mix(), of_powers(), of_the_longest_ways()]
}
