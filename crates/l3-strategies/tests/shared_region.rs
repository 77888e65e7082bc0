//! Shared regions: the kit, generated operations through two mappings, wrong files, misuse. Processes that die are in
//! `shared_region_processes.rs`, every point of death in `src/shared_region/crash_tests.rs`.
#![cfg(target_os = "linux")]
#![cfg_attr(miri, allow(dead_code, unused_imports, reason = "Miri has no shared files"))]

extern crate alloc;

use alloc::ffi::CString;
use core::alloc::Layout;
use std::io::{Seek, SeekFrom, Write};

use proptest::prelude::*;
use stratalloc_resource::conformance::{self, Config, Failure, Report};
use stratalloc_resource::{Alignment, AllocError, MemoryResource, Owns, Validate};
use stratalloc_strategies::shared_region::{Offset, SharedError, SharedRegion};

#[cfg(not(miri))]
mod child;
mod model;

fn passed(outcome: Result<Report, Failure>) -> Report {
    outcome.unwrap_or_else(|failure| panic!("{failure}"))
}

fn config() -> Config {
    Config { operations: 1_000, ..Config::default() }
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

fn region(bytes: usize) -> SharedRegion {
    SharedRegion::create(c"test", bytes).unwrap()
}

fn again(region: &SharedRegion) -> SharedRegion {
    SharedRegion::attach_descriptor(region.descriptor().unwrap()).unwrap()
}

/// A file that is gone when the test is over.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("stratalloc-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        Self(path)
    }

    fn path(&self) -> CString {
        CString::new(self.0.to_str().unwrap()).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
#[cfg_attr(miri, ignore)]
fn conforms() {
    let region = region(2 << 20);
    let _other = again(&region);
    passed(conformance::resource(&region, &config()));
    passed(conformance::ownership(&region, &config()));
    region.validate().unwrap();
    assert_eq!(region.usage().live_blocks, 0);
    let small = self::region(200 << 10);
    passed(conformance::validated(&small, &Config { operations: 200, ..config() }));
}

#[test]
#[cfg_attr(miri, ignore)]
fn messages_arrive_in_order_with_length_and_contents() {
    let sender = region(1 << 16);
    let receiver = again(&sender);
    for round in 0..50_u8 {
        for number in 0..20_u8 {
            let mut message = sender.message(usize::from(number) * 7).unwrap();
            message.fill(round ^ number);
            message.send(usize::from(number % 3));
        }
        for number in (0..20).step_by(3).chain((1..20).step_by(3)).chain((2..20).step_by(3)) {
            let message = receiver.receive(usize::from(number % 3)).unwrap();
            assert_eq!(message.len(), usize::from(number) * 7);
            assert!(message.iter().all(|&byte| byte == round ^ number));
        }
        assert!((0..32).all(|queue| receiver.receive(queue).is_none()));
    }
    assert_eq!(sender.usage().live_blocks, 0);
    sender.validate().unwrap();
}

#[test]
#[cfg_attr(miri, ignore)]
fn what_is_held_goes_with_its_holder_and_what_is_sent_or_kept_stays() {
    let scratch = Scratch::new("stays");
    let kept = {
        let region = SharedRegion::create_file(&scratch.path(), 1 << 16).unwrap();
        region.allocate(layout(1000, 8)).unwrap();
        let mut sent = region.message(3).unwrap();
        sent.copy_from_slice(b"one");
        sent.send(7);
        let mut kept = region.message(3).unwrap();
        kept.copy_from_slice(b"two");
        let kept = kept.keep();
        region.set_root(0, Some(kept));
        region.validate().unwrap();
        kept
    };
    let region = SharedRegion::attach(&scratch.path()).unwrap();
    assert_eq!(region.usage().live_blocks, 2);
    assert_eq!(region.root::<u8>(0), Some(kept));
    assert_eq!(&*region.receive(7).unwrap(), b"one");
    let adopted = region.adopt(kept).unwrap();
    assert_eq!(&*adopted, b"two");
    assert!(region.adopt(kept).is_none(), "one gets it");
    drop(adopted);
    assert!(region.adopt(kept).is_none(), "it is gone");
    assert_eq!(region.usage().live_blocks, 0);
    region.validate().unwrap();
}

#[test]
#[cfg_attr(miri, ignore)]
fn a_block_that_is_somebody_else_s_by_now_is_left_alone() {
    for send in [false, true] {
        let here = region(1 << 16);
        let there = again(&here);
        let stale = here.message(100).unwrap();
        let start = there.pointer(stale.offset()).unwrap();
        // SAFETY: not given: the other process's block, which is the mistake.
        unsafe { there.deallocate(stratalloc_resource::MemoryBlock::new(start, 100), Alignment::ONE) };
        let mut message = there.message(100).unwrap();
        assert_eq!(message.offset(), stale.offset(), "the same place");
        message.fill(7);
        if send {
            stale.send(0)
        } else {
            drop(stale)
        }
        assert_eq!(here.usage().live_blocks, 1, "the other's");
        assert!(here.receive(0).is_none());
        drop(message);
        assert_eq!(here.usage().live_blocks, 0);
        here.validate().unwrap();
    }
}

#[test]
#[cfg_attr(miri, ignore)]
fn offsets_are_checked() {
    /// Eight bytes at multiples of eight, also where a `u64` asks for less.
    #[repr(C, align(8))]
    struct Word([u8; 8]);

    let region = region(1 << 16);
    let end = region.map_len();
    assert_eq!(region.pointer(Offset::<u8>::new(8).unwrap()), None, "the tables are nobody's");
    assert_eq!(region.pointer(Offset::<Word>::new(end - 4).unwrap()), None, "not whole");
    assert_eq!(region.pointer(Offset::<Word>::new(end - 12).unwrap()), None, "not aligned");
    assert_eq!(region.pointer(Offset::<u8>::new(u64::MAX).unwrap()), None);
    assert!(region.pointer(Offset::<Word>::new(end - 8).unwrap()).is_some());
    assert!(Offset::<u8>::new(0).is_none());
    assert_eq!(region.offset_of(core::ptr::NonNull::<Word>::dangling()), None);
    assert_eq!(region.root::<u8>(99), None);
    region.set_root(99, Offset::<u8>::new(8));
    region.validate().unwrap();
}

/// The length of the mapping, as the tests compute it.
trait MapLen {
    fn map_len(&self) -> u64;
}

impl MapLen for SharedRegion {
    fn map_len(&self) -> u64 {
        // Tables of 640 words and an end of 4.
        self.usage().total_bytes + 644 * 8
    }
}

#[test]
#[cfg_attr(miri, ignore)]
fn files_that_are_no_regions_are_refused_for_what_they_are() {
    let scratch = Scratch::new("wrong");
    let attach = || SharedRegion::attach(&scratch.path()).err();
    let whole = {
        drop(SharedRegion::create_file(&scratch.path(), 100_000).unwrap());
        std::fs::read(&scratch.0).unwrap()
    };
    let len = whole.len() as u64;
    assert_eq!(
        SharedRegion::create_file(&scratch.path(), 100_000).err().map(|error| error.to_string()).unwrap(),
        "the kernel refused: address range occupied (error 17)"
    );
    let change = |at: u64, bytes: &[u8]| {
        let mut file = std::fs::File::create(&scratch.0).unwrap();
        file.write_all(&whole).unwrap();
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(bytes).unwrap();
    };
    change(0, b"");
    assert_eq!(attach(), None, "a good one");
    change(0, b"X");
    assert_eq!(attach(), Some(SharedError::NotARegion));
    change(8, &[9]);
    assert_eq!(attach(), Some(SharedError::OtherVersion { found: 9 }));
    change(16, &[whole[16] ^ 1]);
    assert_eq!(attach(), Some(SharedError::OtherLayout));
    change(24, &u64::MAX.to_le_bytes());
    assert_eq!(attach(), Some(SharedError::OtherLayout));
    change(32, &[0; 8]);
    assert_eq!(attach(), Some(SharedError::Unfinished));
    for found in [len - 1, len - 4096, 4096, 100, 48] {
        std::fs::write(&scratch.0, &whole[..usize::try_from(found).unwrap()]).unwrap();
        assert_eq!(attach(), Some(SharedError::Truncated { stated: len, found }));
    }
    std::fs::write(&scratch.0, b"").unwrap();
    assert_eq!(attach(), Some(SharedError::Unfinished), "not even its length");
    std::fs::write(&scratch.0, vec![0; 100_000]).unwrap();
    assert_eq!(attach(), Some(SharedError::Unfinished), "nothing but its length");
    change(0, &[0; 8]);
    assert_eq!(attach(), Some(SharedError::Unfinished), "the magic number comes after its neighbours");
    assert!(matches!(SharedRegion::attach(c"/nowhere/at/all"), Err(SharedError::System(_))));
    assert!(matches!(SharedRegion::attach_descriptor(-1), Err(SharedError::System(_))));
}

#[test]
#[cfg_attr(miri, ignore)]
fn sizes_that_no_region_has_are_refused() {
    for bytes in [0, usize::MAX, isize::MAX.unsigned_abs()] {
        assert_eq!(SharedRegion::create(c"x", bytes).err(), Some(SharedError::BadSize { bytes }));
    }
    #[cfg(target_pointer_width = "64")]
    assert_eq!(SharedRegion::create(c"x", 32 << 30).err(), Some(SharedError::BadSize { bytes: 32 << 30 }));
    // A size is rounded up before it is judged.
    let page = stratalloc_platform::page::size();
    assert_eq!(SharedRegion::create(c"x", page).is_ok(), page > 644 * 8);
    assert!(SharedRegion::create(c"x", (644 * 8_usize).next_multiple_of(page) - page + 1).is_ok());
    let least = region(5 << 10);
    let block = least.allocate(layout(2000, 1)).unwrap();
    assert_eq!(least.allocate(layout(2000, 1)), Err(AllocError::CapacityExhausted));
    assert_eq!(least.allocate(layout(1, 8192)), Err(AllocError::BadAlignment));
    // SAFETY: live.
    unsafe { least.deallocate(block, Alignment::ONE) };
}

#[test]
#[cfg_attr(miri, ignore)]
fn no_more_attach_than_there_are_places() {
    let region = region(1 << 16);
    let others: Vec<_> = (0..63).map(|_| again(&region)).collect();
    let crowded = SharedRegion::attach_descriptor(region.descriptor().unwrap());
    assert_eq!(crowded.err(), Some(SharedError::Crowded));
    drop(others);
    again(&region);
}

#[cfg(all(not(miri), any(debug_assertions, feature = "checked")))]
mod reports {
    use super::*;

    fn reported(test: &str, what: &str, mistake: fn(&SharedRegion)) {
        let said = child::last_words(&format!("reports::{test}"), || mistake(&region(1 << 16)));
        assert!(said.contains("shared region: the block at") && said.contains(what), "{said}");
    }

    fn give(region: &SharedRegion, block: stratalloc_resource::MemoryBlock) {
        // SAFETY: not given: the mistake.
        unsafe { region.deallocate(block, Alignment::ONE) };
    }

    #[test]
    fn double_release() {
        reported("double_release", "is released, but not live", |region| {
            let block = region.allocate(layout(100, 1)).unwrap();
            (0..2).for_each(|_| give(region, block));
        });
    }

    #[test]
    fn release_of_what_was_merged() {
        reported("release_of_what_was_merged", "is released, but not live", |region| {
            let blocks = [(); 3].map(|()| region.allocate(layout(100, 1)).unwrap());
            blocks.into_iter().for_each(|block| give(region, block));
            give(region, blocks[1]);
        });
    }

    #[test]
    fn release_of_what_was_sent() {
        reported("release_of_what_was_sent", "is released, but not live", |region| {
            let message = region.message(10).unwrap();
            let start = region.pointer(message.offset()).unwrap();
            message.send(0);
            give(region, stratalloc_resource::MemoryBlock::new(start, 10));
        });
    }

    #[test]
    fn foreign_block() {
        reported("foreign_block", "is released here, but came from elsewhere", |region| {
            let other = self::region(1 << 16);
            give(region, other.allocate(layout(1, 1)).unwrap());
        });
    }

    #[test]
    fn interior_pointer() {
        reported("interior_pointer", "is released, but no block starts there", |region| {
            let block = region.allocate(layout(200, 1)).unwrap();
            // SAFETY: live.
            unsafe { block.as_ptr().write_bytes(0x77, block.len()) };
            give(region, block.split_at(64).unwrap().1);
        });
    }

    #[test]
    fn too_long() {
        reported("too_long", "is released with a length that it never had", |region| {
            let block = region.allocate(layout(100, 1)).unwrap();
            let longer = stratalloc_resource::MemoryBlock::new(block.as_non_null(), block.len() + 1);
            give(region, longer);
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 0 } else { conformance::cases(60) }, failure_persistence: None, ..ProptestConfig::default() })]

    /// Operations through one mapping, messages and other blocks through another one of the same region.
    #[test]
    fn any_region_matches_the_shadow(bytes in 5_500_usize..400_000, ops in model::ops()) {
        let region = region(bytes);
        let other = again(&region);
        let mut held = Vec::new();
        model::run(&region, ops, |number| match number % 4 {
            0 => if let Ok(message) = other.message(number) { message.send(number % 32) },
            1 => held.extend(other.receive(number % 32)),
            2 => held.extend(other.message(number % 300)),
            _ => held.truncate(number % 3),
        }, |shadow| {
            prop_assert!(region.usage().live_blocks >= shadow.live.len() as u64);
            prop_assert!(shadow.live.values().all(|live| !other.owns(live.block.as_ptr())));
            other.validate().map_err(|violation| TestCaseError::fail(violation.to_string()))?;
            model::sound(&region, shadow)
        })?;
        drop(held);
        (0..32).for_each(|queue| while let Some(message) = region.receive(queue) { drop(message) });
        prop_assert_eq!(region.usage().live_blocks, 0);
        let whole = layout(region.info().max_size.unwrap(), 1);
        let block = region.allocate(whole);
        prop_assert!(block.is_ok(), "everything merged");
    }
}
