//! The kit, seen failing: for each property a resource that breaks it, and the kit's verdict.
//!
//! Not covered: that a failure is found at the first possible operation, and defects that need an unlucky schedule.

extern crate alloc;

#[path = "support/faulty.rs"]
mod faulty;
mod support;

use faulty::{Defect, Faulty};
use stratalloc_resource::conformance::{self, Config, Failure, Property};

const LEN: usize = 64 * 1024;

fn config() -> Config {
    Config { operations: 400, ..Config::default() }
}

/// Which property the kit must name for each defect.
const EXPECTED: &[(Defect, Property)] = &[
    (Defect::RefusesMiddleAlignments, Property::Served),
    (Defect::OneByteShort, Property::FitLength),
    (Defect::IgnoresAlignment, Property::FitAlignment),
    (Defect::AccountsHandedLength, Property::FitRelease),
    (Defect::RefusesZero, Property::FitZero),
    (Defect::HandsOutTwice, Property::Disjoint),
    (Defect::WritesToNeighbour, Property::Stable),
    (Defect::GrowLosesTail, Property::ReallocateGrow),
    (Defect::ShrinkLosesTail, Property::ReallocateShrink),
    (Defect::ResizedShort, Property::ReallocateLength),
    (Defect::ResizedUnaligned, Property::ReallocateAlignment),
    (Defect::ZeroesNothing, Property::Zeroed),
    (Defect::ZeroesRequestOnly, Property::Zeroed),
    (Defect::ArenaPerThread, Property::ThreadsParallel),
    (Defect::RemoteReleaseTwice, Property::ThreadsRemote),
    (Defect::Panics, Property::ErrorsValue),
    (Defect::HugeWraps, Property::HugeRequest),
    (Defect::ResizeWraps, Property::HugeReallocate),
    (Defect::FailedResizeReleases, Property::FailureIntact),
    (Defect::FailedResizeScribbles, Property::FailureIntact),
    (Defect::UnderstatesCapacity, Property::Capacity),
    (Defect::WrongReasonWhenFull, Property::Capacity),
    (Defect::LeaksWhenFull, Property::Recovery),
    (Defect::EqualToNothing, Property::EqualReflexive),
    (Defect::EqualToAll, Property::EqualSymmetric),
    (Defect::IdentityMoves, Property::EqualStable),
    (Defect::EqualButSeparate, Property::EqualRelease),
    (Defect::NoName, Property::Info),
    (Defect::UnorderedClasses, Property::Info),
    (Defect::OwnsNothing, Property::Owns),
    (Defect::OwnsAll, Property::Owns),
    (Defect::BrokenEquation, Property::Validate),
];

/// The kit's verdict on a defect, by the entry that is for such a resource.
fn verdict(defect: Defect, property: Property, config: &Config) -> Option<Failure> {
    let faulty = Faulty::new(defect, LEN);
    match property {
        Property::Owns => conformance::ownership(&faulty, config).err(),
        Property::Validate => conformance::validated(&faulty, config).err(),
        Property::EqualRelease => {
            let other = Faulty::new(defect, LEN);
            conformance::pair(&faulty, &other, config).err()
        }
        _ => conformance::resource(&faulty, config).err(),
    }
}

#[test]
fn without_a_defect_everything_holds() {
    let sound = Faulty::new(Defect::None, LEN);
    let report = conformance::resource(&sound, &config()).unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(report.skipped(), []);
    conformance::ownership(&sound, &config()).unwrap_or_else(|failure| panic!("{failure}"));
    conformance::validated(&sound, &config()).unwrap_or_else(|failure| panic!("{failure}"));
    let other = Faulty::new(Defect::None, LEN);
    assert!(!conformance::pair(&sound, &other, &config()).unwrap_or_else(|failure| panic!("{failure}")));
    assert!(conformance::pair(&sound, &&sound, &config()).unwrap_or_else(|failure| panic!("{failure}")));
}

#[test]
fn each_defect_is_caught_and_named() {
    let mut wrong = Vec::new();
    for &(defect, property) in EXPECTED {
        match verdict(defect, property, &config()) {
            Some(failure) if failure.property() == property => {}
            Some(failure) => wrong.push(format!("{defect:?}: expected `{property}`, got {failure}")),
            None => wrong.push(format!("{defect:?}: not caught")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_defect_is_caught_under_other_seeds_too() {
    for seed in 1..=3 {
        for &(defect, property) in EXPECTED {
            let failure = verdict(defect, property, &Config { seed, ..config() });
            assert_eq!(failure.map(|failure| failure.property()), Some(property), "{defect:?}, seed {seed}");
        }
    }
}

#[test]
fn each_property_of_resources_has_a_defect() {
    let of_resources = Property::ALL.iter().filter(|property| property.section() != "C");
    for property in of_resources {
        assert!(
            EXPECTED.iter().any(|(_, expected)| expected == property),
            "{property} was never seen failing"
        );
    }
}

#[test]
fn a_failure_names_property_seed_operation_and_clause_and_repeats() {
    let config = Config { seed: 77, ..config() };
    let verdict = || verdict(Defect::HandsOutTwice, Property::Disjoint, &config).unwrap();
    let (first, second) = (verdict(), verdict());
    assert_eq!(first.operation(), second.operation());
    assert!(first.operation() > 0);
    let message = first.to_string();
    for part in ["`disjoint`", "seed 0x000000000000004d", &format!("operation {}", first.operation()), "grid"]
    {
        assert!(message.contains(part), "{part} is missing in {message}");
    }
    assert!(message.contains(Property::Disjoint.quote()), "{message}");
}
