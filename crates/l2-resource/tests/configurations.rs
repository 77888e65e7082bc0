//! Generated configurations: the kit must neither accuse the innocent nor trip over its own limits.

extern crate alloc;

#[path = "support/faulty.rs"]
mod faulty;
mod support;

use faulty::{Defect, Faulty};
use proptest::prelude::*;
use std::alloc::System;
use stratalloc_resource::conformance::{self, Config, Property};
use stratalloc_resource::{Alignment, MemoryResource};
use support::Bounded;

fn configs() -> impl Strategy<Value = Config> {
    let sizes = prop_oneof![0_usize..64, 64_usize..5000, 5000_usize..300_000];
    (any::<u64>(), 0_usize..200, 0_usize..80, sizes, 0_u32..=13, 0_usize..5, any::<bool>()).prop_map(
        |(seed, operations, live, max_size, align, threads, exhaust)| Config {
            seed,
            operations,
            live,
            max_size,
            max_align: Alignment::new(1 << align).unwrap(),
            threads,
            exhaust: if exhaust { usize::MAX } else { 0 },
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: conformance::cases(24), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_system_allocator_passes(config in configs()) {
        let outcome = conformance::global_alloc(&System, &config);
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }

    #[test]
    fn a_bounded_resource_of_any_size_passes_and_is_whole_again(config in configs(), pages in 1_usize..40) {
        let bounded = Bounded::new(pages * 4096);
        let outcome = conformance::resource(&bounded, &config);
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
        prop_assert_eq!(bounded.free_bytes(), bounded.len());
    }

    #[test]
    fn a_validated_resource_passes(config in configs(), pages in 1_usize..20) {
        let bounded = Bounded::new(pages * 4096);
        let outcome = conformance::validated(&bounded, &config);
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
        prop_assert!(conformance::pair(&bounded, &(&bounded as &dyn MemoryResource), &config).is_ok());
    }

    #[test]
    fn a_defect_in_the_fixed_stages_is_caught_under_any_configuration(config in configs()) {
        let faulty = Faulty::new(Defect::EqualToAll, 64 * 1024);
        let failure = conformance::resource(&faulty, &config).unwrap_err();
        prop_assert_eq!(failure.property(), Property::EqualSymmetric);
        let faulty = Faulty::new(Defect::HugeWraps, 64 * 1024);
        let failure = conformance::resource(&faulty, &config).unwrap_err();
        prop_assert_eq!(failure.property(), Property::HugeRequest);
    }
}
