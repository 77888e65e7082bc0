//! Huge pages: the kit, what is got where, and what is said about it. Run here (no explicit pages) and in emulated machines with
//! `hugepages=` and each mode of transparent ones; the refusals of the kernel are in `huge_page_faults.rs`.
//!
//! Not covered: pages of 1 GiB, which no machine here has set aside.
#![cfg(any(target_os = "linux", windows))]

use core::alloc::Layout;

use proptest::prelude::*;
use stratalloc_platform::{page, probe, thp, vm};
use stratalloc_resource::conformance::{self, Config, Failure, Report};
use stratalloc_resource::{Alignment, AllocError, MemoryResource, Owns, Validate};
use stratalloc_strategies::huge_page::{HugePageArena, HugePageConfig, HugePages, PageKind, WhyNot};
use stratalloc_strategies::tlsf::Tlsf;

#[cfg(not(miri))]
mod child;
mod model;

fn passed(outcome: Result<Report, Failure>) -> Report {
    outcome.unwrap_or_else(|failure| panic!("{failure}"))
}

fn config() -> Config {
    Config { operations: if cfg!(miri) { 40 } else { 1_000 }, ..Config::default() }
}

/// Each subset of what may be allowed.
fn configurations(bytes: usize) -> impl Iterator<Item = HugePageConfig> {
    (0..16).map(move |bits| {
        let config = HugePageConfig::new(bytes);
        let config = if bits & 1 != 0 { config.without_explicit() } else { config };
        let config = if bits & 2 != 0 { config.without_transparent() } else { config };
        let config = if bits & 4 != 0 { config.populated() } else { config };
        if bits & 8 != 0 { config.with_gigantic() } else { config }
    })
}

#[test]
fn arenas_of_every_kind_conform() {
    // Several runs use it up: a frame gives nothing back.
    for config_of_pages in [
        HugePageConfig::new(64 << 20),
        HugePageConfig::new(64 << 20).without_explicit().without_transparent(),
    ] {
        let new = || HugePageArena::new(config_of_pages).unwrap();
        passed(conformance::local_resource(&new(), &Config { exhaust: 0, ..config() }));
        passed(conformance::ownership(&new(), &Config { operations: 200, ..config() }));
        passed(conformance::validated(&new(), &Config { operations: 200, exhaust: 0, ..config() }));
    }
    let arena = HugePageArena::new(HugePageConfig::new(1 << 20)).unwrap();
    passed(conformance::local_resource(&arena, &config()));
}

#[test]
fn a_strategy_over_the_memory_conforms() {
    let mut pages = HugePages::new(HugePageConfig::new(4 << 20)).unwrap();
    let heap: Tlsf<'_> = Tlsf::over(pages.as_uninit_mut()).unwrap();
    passed(conformance::local_resource(&heap, &config()));
}

#[test]
#[cfg_attr(miri, ignore = "no /proc")]
fn every_better_kind_is_got_or_declined_for_a_reason() {
    let huge = page::huge_size();
    for config in configurations(8 * huge) {
        let pages = HugePages::new(config).unwrap();
        let declined: Vec<_> = pages.declined().collect();
        assert!(pages.memory().len() >= 8 * huge);
        for declined in &declined {
            match (declined.kind, declined.why) {
                (PageKind::Explicit(size), WhyNot::TooFewFree { needed, free }) => {
                    assert!(size == huge && needed == 8 && free < 8);
                }
                (PageKind::Explicit(1_073_741_824), WhyNot::RequestTooSmall | WhyNot::NoSuchPages) => {}
                // 1 GiB of addresses are more than 32 bits have to spare.
                (PageKind::Explicit(1_073_741_824), WhyNot::Refused(_))
                    if cfg!(target_pointer_width = "32") => {}
                // No pool there; a privilege that most have not, or an emulator that knows no large pages.
                (PageKind::Explicit(_), WhyNot::NoSuchPages | WhyNot::Refused(_)) if cfg!(windows) => {}
                (PageKind::Transparent, WhyNot::SwitchedOff) => assert_eq!(thp::mode(), thp::Mode::Never),
                (_, WhyNot::NotAsked) => {}
                other => panic!("{config:?}: {other:?}"),
            }
        }
        let expected = match pages.kind() {
            PageKind::Explicit(_) => 0,
            PageKind::Transparent => 1,
            PageKind::Plain => 2,
        };
        let silent = declined.iter().filter(|declined| declined.kind == PageKind::Explicit(1 << 30)).count();
        assert_eq!(declined.len() - silent, expected, "{config:?}: {declined:?}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "no /proc")]
fn the_report_is_the_kernel_s() {
    let huge = page::huge_size();
    for config in configurations(8 * huge) {
        let mut pages = HugePages::new(config).unwrap();
        let len = pages.memory().len();
        pages.as_uninit_mut().fill(core::mem::MaybeUninit::new(1));
        let report = pages.report();
        let (huge_bytes, resident) = (report.huge().unwrap(), report.resident().unwrap());
        assert_eq!(resident, len, "{report}");
        match report.kind() {
            PageKind::Explicit(size) => assert_eq!((huge_bytes, size), (len, huge), "{report}"),
            // The kernel may find no piece, but not more than there is.
            PageKind::Transparent => {
                assert!(huge_bytes.is_multiple_of(huge) && huge_bytes <= len, "{report}")
            }
            PageKind::Plain if thp::mode() != thp::Mode::Always => assert_eq!(huge_bytes, 0, "{report}"),
            PageKind::Plain => {}
        }
        let text = report.to_string();
        assert!(text.starts_with("16 MiB of ") && text.contains(" are huge of 16 MiB resident"), "{text}");
        for declined in pages.declined() {
            assert!(text.contains(&format!("\nnot {declined}")), "{text}");
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "no /proc")]
fn transparent_pages_come_where_the_machine_has_them() {
    if thp::mode() == thp::Mode::Never {
        return;
    }
    let config = HugePageConfig::new(32 << 20).without_explicit().populated();
    let pages = HugePages::new(config).unwrap();
    assert_eq!(pages.kind(), PageKind::Transparent);
    assert!(pages.report().huge().unwrap() > 0, "of 16 pages not one: {}", pages.report());
    assert_eq!(pages.report().resident(), Some(32 << 20));
}

#[test]
#[cfg_attr(miri, ignore = "no /proc")]
fn nothing_is_resident_before_it_is_touched_but_what_is_populated() {
    let plain = HugePageConfig::new(1 << 20).without_explicit().without_transparent();
    assert_eq!(HugePages::new(plain).unwrap().report().resident(), Some(0));
    assert_eq!(HugePages::new(plain.populated()).unwrap().report().resident(), Some(1 << 20));
}

#[test]
#[cfg_attr(miri, ignore = "Miri's pages are blocks of the system allocator")]
fn guards_lie_on_both_sides() {
    let pages = HugePages::new(HugePageConfig::new(1 << 20).without_explicit()).unwrap();
    let memory = pages.memory();
    assert!(probe::word_at(memory.address()).is_some() && probe::word_at(memory.end_address() - 8).is_some());
    for guard in [memory.as_ptr().wrapping_sub(page::size()), memory.as_ptr().wrapping_add(memory.len())] {
        // SAFETY: only asked about.
        let mapped = unsafe { vm::resident(core::ptr::NonNull::new(guard).unwrap(), page::size()) };
        assert_eq!((mapped, probe::word_at(guard.addr())), (Ok(0), None), "reserved, and no access");
    }
}

#[test]
fn small_requests_get_plain_pages_and_absurd_ones_an_error() {
    let small = HugePages::new(HugePageConfig::new(1)).unwrap();
    assert_eq!((small.kind(), small.memory().len()), (PageKind::Plain, page::size()));
    assert!(small.declined().all(|declined| declined.why == WhyNot::RequestTooSmall));
    for bytes in [usize::MAX, isize::MAX.unsigned_abs()] {
        assert_eq!(HugePages::new(HugePageConfig::new(bytes)).err(), Some(AllocError::SizeOverflow));
    }
}

#[cfg(not(miri))]
#[test]
fn an_overrun_faults() {
    let said = child::last_words("an_overrun_faults", || {
        let arena = HugePageArena::new(HugePageConfig::new(4096).without_explicit()).unwrap();
        let block = arena.allocate(Layout::from_size_align(4096, 1).unwrap()).unwrap();
        println!("about to leave");
        // SAFETY: not given: the mistake.
        unsafe { block.as_ptr().wrapping_add(page::size()).write_volatile(1) };
        println!("left");
    });
    assert!(said.contains("about to leave") && !said.contains("left\n"), "{said}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: conformance::cases(30), failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn any_arena_matches_the_shadow(bytes in 1_usize..6_000_000, which in 0_usize..16, ops in model::ops()) {
        let config = configurations(bytes).nth(which).unwrap();
        let mut arena = HugePageArena::new(config).unwrap();
        prop_assert!(arena.pages().memory().len() >= bytes);
        model::run(&arena, ops, |_| (), |shadow| {
            prop_assert!(shadow.live.values().all(|live| arena.pages().memory().overlaps(live.block) || live.block.is_empty()));
            model::sound(&arena, shadow)
        })?;
        arena.reset();
        prop_assert_eq!(arena.used(), 0);
        prop_assert!(arena.validate().is_ok() && !arena.owns(core::ptr::null()));
        let whole = Layout::from_size_align(bytes, 1).unwrap();
        let block = arena.allocate(whole).unwrap();
        // SAFETY: live.
        unsafe { arena.deallocate(block, Alignment::ONE) };
    }
}
