//! The heap's small domain as the small side of compositions: the kit, routing, several threads.
//!
//! Not covered: the resource by itself (`stratalloc-heap`'s tests), compositions of other strategies (`stratalloc-modifiers`').
#![allow(missing_docs, clippy::std_instead_of_alloc, reason = "a test, with std")]

use core::alloc::Layout;
use core::mem::MaybeUninit;

use proptest::prelude::*;
use stratalloc::modifiers::{Counted, Fallback, FallbackChain, Guarded, Locked, Segregate};
use stratalloc::resource::conformance::{self, Config, Failure, Report};
use stratalloc::strategies::system::System;
use stratalloc::strategies::tlsf::Tlsf;
use stratalloc::{Alignment, AllocError, MemoryResource, Owns, ProcessHeap, SmallObject};

/// The composition that the toolkit's description names.
type Named<'m> = Fallback<Segregate<256, SmallObject, Tlsf<'m>>, System>;

fn passed(outcome: Result<Report, Failure>) -> Report {
    outcome.unwrap_or_else(|failure| panic!("{failure}"))
}

fn config() -> Config {
    Config { operations: 700, max_size: 16 * 1024, ..Config::default() }
}

fn memory(len: usize) -> Vec<MaybeUninit<u8>> {
    vec![MaybeUninit::uninit(); len]
}

fn tlsf(memory: &mut [MaybeUninit<u8>]) -> Tlsf<'_> {
    Tlsf::over(memory).unwrap()
}

fn named(memory: &mut [MaybeUninit<u8>]) -> Named<'_> {
    Fallback::new(Segregate::new(SmallObject::new().unwrap(), tlsf(memory)), System)
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

#[test]
fn small_objects_and_tlsf_over_the_system() {
    let mut bytes = memory(100_000);
    let whole = named(&mut bytes);
    passed(conformance::local_resource(&whole, &config()));
    assert_eq!(whole.first().large().usage().used, 0, "each block went home");
}

#[test]
fn each_request_goes_to_its_link() {
    let mut bytes = memory(10_000);
    let whole = named(&mut bytes);
    let (small, large) = (whole.first().small(), whole.first().large());
    let block = |size, align| whole.allocate(layout(size, align)).unwrap();
    let (a, b, c) = (block(256, 8), block(257, 8), block(20_000, 8));
    assert!(small.owns(a.as_ptr()) && large.owns(b.as_ptr()));
    assert!(!small.owns(c.as_ptr()) && !large.owns(c.as_ptr()));
    // Over-aligned for the small side, which says so; the fallback has it.
    let mut other = memory(10_000);
    let limited = SmallObject::new().unwrap().with_max_size(256);
    let strict: Segregate<256, _, _> = Segregate::new(limited, tlsf(&mut other));
    assert_eq!(strict.allocate(layout(10, 512)), Err(AllocError::BadAlignment));
    let with_fallback = Fallback::new(strict, System);
    let aligned = with_fallback.allocate(layout(10, 512)).unwrap();
    assert!(aligned.is_aligned(Alignment::constant::<512>()));
    // SAFETY: live, with this alignment; not used any more.
    unsafe { with_fallback.deallocate(aligned, Alignment::constant::<512>()) };
    // Growth crosses both borders and takes the bytes along.
    // SAFETY: live.
    unsafe { a.as_ptr().write_bytes(9, 256) };
    // SAFETY: live, with its alignment.
    let grown = unsafe { whole.reallocate(a, 20_000, Alignment::constant::<8>()) }.unwrap();
    // SAFETY: live, 256 bytes were written and kept.
    assert!((0..256).all(|at| unsafe { grown.as_ptr().wrapping_add(at).read() } == 9));
    assert!(!small.owns(grown.as_ptr()) && !large.owns(grown.as_ptr()));
    for block in [b, c, grown] {
        // SAFETY: live, with its alignment; not used any more.
        unsafe { whole.deallocate(block, Alignment::constant::<8>()) };
    }
    assert_eq!(large.usage().used, 0);
}

#[test]
fn without_segregate_the_refusal_routes() {
    let chain = FallbackChain::new((SmallObject::new().unwrap().with_max_size(512), System));
    passed(conformance::resource(&chain, &config()));
    let large = chain.allocate(layout(513, 1)).unwrap();
    assert!(!chain.links().0.owns(large.as_ptr()));
    // SAFETY: live, with this alignment; not used any more.
    unsafe { chain.deallocate(large, Alignment::ONE) };
}

#[test]
fn many_threads_share_one() {
    let mut bytes = memory(200_000);
    let large = Locked::new(Fallback::new(tlsf(&mut bytes), System));
    let counted = Counted::new(Segregate::<256, _, _>::new(SmallObject::process(), large));
    passed(conformance::resource(&counted, &config()));
    assert_eq!((counted.counts().live_blocks(), counted.counts().live_bytes), (0, 0));
}

#[test]
fn guarded_small_objects() {
    passed(conformance::resource(
        &Guarded::new(Fallback::new(SmallObject::new().unwrap(), System)),
        &config(),
    ));
}

#[test]
fn the_domain_of_the_process_heap_before_that_heap_itself() {
    // One heap behind both links: either may release the other's blocks, so the first claims all.
    let both = Fallback::new(SmallObject::process().with_max_size(1024), ProcessHeap);
    passed(conformance::resource(&both, &config()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: conformance::cases(40), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_limit_keeps_the_contract(
        (max_size, len, seed) in (0..2_000_usize, 4_000..100_000_usize, any::<u64>()),
        (live, largest) in (1..100_usize, 1..30_000_usize),
    ) {
        let mut bytes = memory(len);
        let small = SmallObject::new().unwrap().with_max_size(max_size);
        let first = Fallback::new(small, tlsf(&mut bytes));
        let whole = Fallback::new(first, System);
        let config = Config { operations: 200, seed, live, max_size: largest, ..Config::default() };
        let outcome = conformance::local_resource(&whole, &config);
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
        prop_assert_eq!(whole.first().second().usage().used, 0);
    }
}
