//! Tags, accounts and budgets: small cases, generated operations with generated limits, threads that must reconcile.
//!
//! Not covered here: damage (`damage.rs`), compositions through the kit (`compositions.rs`).
#![cfg(not(loom))]

use core::alloc::Layout;
use core::mem::MaybeUninit;
use std::alloc::System as Global;

use proptest::prelude::*;
use stratalloc_modifiers::{Budget, Fallback, Tagged};
use stratalloc_resource::conformance::{self, Config};
use stratalloc_resource::{
    Alignment, AllocError, FromGlobal, MemoryBlock, MemoryResource, MemoryTag, OwnedBlock, Owns, Validate,
};
use stratalloc_strategies::frame::Frame;
use stratalloc_strategies::tlsf::Tlsf;

#[path = "../../l3-strategies/tests/model/mod.rs"]
mod model;

const AUDIO: MemoryTag = MemoryTag::new(1);
const VIDEO: MemoryTag = MemoryTag::new(2);

fn memory(len: usize) -> Vec<MaybeUninit<u8>> {
    Box::new_uninit_slice(len).into_vec()
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 1).unwrap()
}

fn release<R: MemoryResource>(resource: &R, block: MemoryBlock) {
    // SAFETY: callers pass live blocks of the resource, requested at alignment one.
    unsafe { resource.deallocate(block, Alignment::ONE) };
}

fn resize<R: MemoryResource>(
    resource: &R,
    block: MemoryBlock,
    size: usize,
) -> Result<MemoryBlock, AllocError> {
    // SAFETY: as for `release`.
    unsafe { resource.reallocate(block, size, Alignment::ONE) }
}

fn over_the_global(budget: Budget) -> Tagged<FromGlobal<'static, Global>> {
    Tagged::new(FromGlobal::new(&Global)).with_tag(AUDIO, "audio", budget)
}

#[test]
fn a_release_relieves_whose_block_it_is_whatever_tag_is_current() {
    let tagged = over_the_global(Budget::UNLIMITED);
    let scope = tagged.enter(AUDIO);
    let block = tagged.allocate(layout(100)).unwrap();
    drop(scope);
    let _video = tagged.enter(VIDEO);
    let grown = resize(&tagged, block, 300).unwrap();
    assert_eq!((tagged.usage(AUDIO).live_bytes, tagged.usage(VIDEO).live_bytes), (300, 0));
    release(&tagged, grown);
    let audio = tagged.usage(AUDIO);
    assert_eq!((audio.live_blocks(), audio.live_bytes, audio.peak_bytes, audio.resizes), (0, 0, 300, 1));
    assert_eq!(tagged.usage(VIDEO).releases, 0);
    tagged.validate_accounts();
}

/// `validate`, where the resource below has none.
trait Accounts {
    fn validate_accounts(&self);
}

impl<R> Accounts for Tagged<R> {
    fn validate_accounts(&self) {
        for usage in self.usages() {
            assert!(usage.releases <= usage.allocations && usage.live_bytes <= usage.peak_bytes, "{usage:?}");
            assert!(usage.live_blocks() > 0 || usage.live_bytes == 0, "{usage:?}");
        }
    }
}

#[test]
fn the_hard_limit_refuses_names_the_tag_and_recovers() {
    let tagged = over_the_global(Budget::UNLIMITED.with_hard(1000));
    let over = Err(AllocError::OverBudget(AUDIO));
    let _scope = tagged.enter(AUDIO);
    let a = tagged.allocate(layout(600)).unwrap();
    let b = tagged.allocate(layout(400)).unwrap();
    assert_eq!(tagged.allocate(layout(1)), over, "one byte more than the limit");
    assert_eq!(resize(&tagged, b, 401), over, "growth too");
    assert_eq!(tagged.usage(AUDIO).over_budget, 2);
    let b = resize(&tagged, b, 399).unwrap();
    let c = tagged.allocate_zeroed(layout(1)).unwrap();
    assert!(tagged.allocate(layout(0)).map(|block| release(&tagged, block)).is_ok(), "no bytes cost nothing");
    for block in [a, b, c] {
        release(&tagged, block);
    }
    let again = tagged.allocate(layout(1000)).unwrap();
    release(&tagged, again);
    assert_eq!(tagged.usage(AUDIO).peak_bytes, 1000);
    let others = tagged.handle(VIDEO).allocate(layout(5000)).unwrap();
    release(&tagged, others);
}

#[test]
fn an_event_each_time_that_the_soft_limit_is_crossed() {
    let tagged = over_the_global(Budget::UNLIMITED.with_soft(100));
    let _scope = tagged.enter(AUDIO);
    let events = || tagged.usage(AUDIO).soft_events;
    let a = tagged.allocate(layout(100)).unwrap();
    assert_eq!(events(), 0, "at the limit is not above");
    let b = tagged.allocate(layout(1)).unwrap();
    let c = tagged.allocate(layout(50)).unwrap();
    assert_eq!(events(), 1, "once, however far");
    release(&tagged, c);
    release(&tagged, b);
    let a = resize(&tagged, a, 200).unwrap();
    assert_eq!(events(), 2);
    release(&tagged, a);
}

#[test]
fn what_the_resource_below_refuses_is_not_charged() {
    let mut bytes = memory(1000);
    let tagged: Tagged<Tlsf<'_>> = Tagged::new(Tlsf::over(&mut bytes).unwrap());
    let block = tagged.allocate(layout(100)).unwrap();
    assert_eq!(tagged.allocate(layout(5000)), Err(AllocError::CapacityExhausted));
    assert!(resize(&tagged, block, 5000).is_err());
    assert!(resize(&tagged, block, usize::MAX).is_err());
    assert!(tagged.allocate(Layout::from_size_align(isize::MAX as usize, 1).unwrap()).is_err());
    let usage = tagged.usage(MemoryTag::UNTAGGED);
    assert_eq!((usage.live_bytes, usage.refused_below, usage.over_budget), (100, 2, 0));
    release(&tagged, block);
    tagged.validate().unwrap();
    assert_eq!(tagged.inner().usage().used, 0);
}

#[test]
fn tags_beyond_the_last_are_untagged() {
    let tagged: Tagged<_, 2> = Tagged::new(FromGlobal::new(&Global));
    tagged.set_budget(MemoryTag::UNTAGGED, Budget::UNLIMITED.with_hard(10));
    let refused = tagged.handle(MemoryTag::new(u16::MAX)).allocate(layout(11));
    assert_eq!(refused, Err(AllocError::OverBudget(MemoryTag::UNTAGGED)));
    assert_eq!(tagged.usage(MemoryTag::new(7)).tag, MemoryTag::UNTAGGED);
}

#[test]
fn a_lower_limit_stops_growth_and_nothing_else() {
    let tagged = over_the_global(Budget::UNLIMITED);
    let _scope = tagged.enter(AUDIO);
    let block = tagged.allocate(layout(1000)).unwrap();
    tagged.set_budget(AUDIO, Budget::UNLIMITED.with_hard(500));
    assert!(tagged.allocate(layout(1)).is_err());
    let block = resize(&tagged, block, 400).unwrap();
    let more = tagged.allocate(layout(100)).unwrap();
    release(&tagged, more);
    release(&tagged, block);
}

#[test]
fn a_budgeted_frame_with_a_tlsf_behind_it() {
    let (mut first, mut second) = (memory(4096), memory(16_384));
    let frame: Tagged<Frame<'_>> =
        Tagged::new(Frame::over(&mut first)).with_tag(AUDIO, "audio", Budget::UNLIMITED.with_hard(1000));
    let mut whole: Fallback<Tagged<Frame<'_>>, Tlsf<'_>> =
        Fallback::new(frame, Tlsf::over(&mut second).unwrap());
    for round in 0..3 {
        let scope = whole.first().enter(AUDIO);
        let inside = whole.allocate(layout(900)).unwrap();
        let over = whole.allocate(layout(200)).unwrap();
        assert!(whole.first().owns(inside.as_ptr()) && !whole.first().owns(over.as_ptr()));
        drop(scope);
        let untagged = whole.allocate(layout(2000)).unwrap();
        assert!(whole.first().owns(untagged.as_ptr()), "the frame has room for others");
        let full = whole.allocate(layout(2000)).unwrap();
        assert!(!whole.first().owns(full.as_ptr()));
        let dry = whole.try_allocate(layout(50_000)).unwrap_err();
        let said: Vec<_> = dry.links().map(|link| (link.name, link.error)).collect();
        let full_error = AllocError::CapacityExhausted;
        assert_eq!(said, [("tagged", full_error), ("tlsf", full_error)]);
        release(&whole, over);
        release(&whole, full);
        assert_eq!(whole.second().usage().used, 0, "each block went home");
        whole.first().validate().unwrap();
        whole.parts_mut().0.reset_by(Frame::reset);
        assert_eq!(whole.first().usage(AUDIO).live_bytes, 0);
        assert_eq!(whole.first().usage(AUDIO).over_budget, round + 1);
    }
}

#[test]
fn a_dry_chain_says_that_it_was_the_budget() {
    let mut bytes = memory(4096);
    let tagged: Tagged<Tlsf<'_>> = Tagged::new(Tlsf::over(&mut bytes).unwrap());
    tagged.set_budget(MemoryTag::UNTAGGED, Budget::UNLIMITED.with_hard(50));
    let chain = Fallback::new(tagged, Tlsf::<'_, 24, 32>::new());
    let said = chain.try_allocate(layout(100)).unwrap_err().to_string();
    assert_eq!(
        said,
        "every link refused: 1 tagged: tag 0 is over its budget; 2 tlsf: the fixed capacity is exhausted"
    );
}

#[test]
fn handles_are_the_same_resource_and_values_are_not() {
    let global = FromGlobal::new(&Global);
    let (one, other): (Tagged<_>, Tagged<_>) = (Tagged::new(global), Tagged::new(global));
    let config = Config { operations: 50, ..Config::default() };
    assert!(conformance::pair(&one.handle(AUDIO), &one.handle(VIDEO), &config).unwrap());
    assert!(conformance::pair(&one, &one.handle(VIDEO), &config).unwrap());
    assert!(!conformance::pair(&one, &other, &config).unwrap(), "the accounts are its own");
    assert!(!conformance::pair(&one, &global, &config).unwrap());
    for usage in one.usages() {
        assert_eq!((usage.live_blocks(), usage.live_bytes), (0, 0), "{usage:?}");
    }
}

#[test]
fn racing_threads_reconcile_and_never_exceed_the_limit() {
    const LIMIT: usize = 2000;
    const ROUNDS: usize = if cfg!(miri) { 50 } else { 20_000 };
    let tagged = over_the_global(Budget::UNLIMITED.with_hard(LIMIT).with_soft(LIMIT / 2));
    let refused: usize = std::thread::scope(|scope| {
        let work = |thread: usize| {
            let mine = tagged.handle(AUDIO);
            let (mut held, mut refused) = (Vec::new(), 0);
            for round in 0..ROUNDS {
                match OwnedBlock::new(&mine, layout(1 + (round * 31 + thread * 17) % 400)) {
                    Ok(block) => held.push(block),
                    Err(error) => {
                        assert_eq!(error, AllocError::OverBudget(AUDIO));
                        refused += 1;
                        held.clear();
                    }
                }
                if held.len() > 3 {
                    held.swap_remove(round % 3);
                }
            }
            refused
        };
        let threads: Vec<_> = (0..4).map(|thread| scope.spawn(move || work(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let usage = tagged.usage(AUDIO);
    assert_eq!(usage.allocations + usage.over_budget, 4 * ROUNDS);
    assert_eq!((usage.live_blocks(), usage.live_bytes, usage.over_budget), (0, 0, refused));
    assert!(usage.peak_bytes <= LIMIT && usage.soft_events > 0, "{usage:?}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: conformance::cases(60),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Capacity, limits and the changes of tag are generated; the shadow map says what each account must hold.
    #[test]
    fn accounts_are_the_sums_of_what_is_live(
        len in 200_usize..60_000,
        (soft, hard) in (0_usize..20_000, 0_usize..40_000),
        ops in model::ops(),
    ) {
        let mut bytes = memory(len);
        let tagged: Tagged<Tlsf<'_>, 3> = Tagged::new(Tlsf::over(&mut bytes).unwrap())
            .with_tag(VIDEO, "video", Budget::UNLIMITED.with_soft(soft).with_hard(hard));
        let handle = tagged.handle(AUDIO);
        let entered = core::cell::RefCell::new(Vec::new());
        model::run(&handle, ops, |number| {
            // Scopes open and close at random, innermost first.
            let mut entered = entered.borrow_mut();
            if number % 3 == 0 {
                entered.pop();
            } else {
                entered.push(handle.enter(MemoryTag::new(u16::try_from(number % 4).unwrap())));
            }
        }, |shadow| {
            let usages: Vec<_> = (0..3).map(|tag| tagged.usage(MemoryTag::new(tag))).collect();
            let blocks: usize = usages.iter().map(|usage| usage.live_blocks()).sum();
            let bytes: usize = usages.iter().map(|usage| usage.live_bytes).sum();
            let live: usize = shadow.live.values().map(|live| live.block.len()).sum();
            prop_assert_eq!((blocks, bytes), (shadow.live.len(), live));
            prop_assert!(usages[2].peak_bytes <= hard);
            model::sound(&handle, shadow)
        })?;
        prop_assert_eq!(tagged.inner().usage().used, 0);
    }
}
