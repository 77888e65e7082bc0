//! Huge pages when the kernel refuses: the next kind is taken, with the reason. One test: the armed calls are the process's.
#![cfg(any(target_os = "linux", windows))]

use stratalloc_platform::fault::{self, Call};
use stratalloc_platform::thp;
use stratalloc_resource::AllocError;
use stratalloc_strategies::huge_page::{HugePageConfig, HugePages, PageKind, WhyNot};

fn refused(why: WhyNot) -> bool {
    matches!(why, WhyNot::Refused(error) if error.is_out_of_memory())
}

#[test]
fn refusals_of_the_kernel_lead_to_the_next_kind() {
    let config = HugePageConfig::new(4 << 20).without_explicit();
    // The reservation, its commit, the advice: each alone leads to plain pages, and each attempt is undone.
    if thp::mode() != thp::Mode::Never {
        for call in [Call::Map, Call::Protect, Call::Advise] {
            let unmapped = fault::count(Call::Unmap);
            fault::arm(call, 1, 1);
            let pages = HugePages::new(config).unwrap();
            fault::disarm();
            assert_eq!(pages.kind(), PageKind::Plain, "{call:?}");
            let undone = fault::count(Call::Unmap) - unmapped;
            assert!(undone >= usize::from(call != Call::Map), "{call:?}: what was mapped for nothing goes");
            assert!(pages.declined().any(|other| other.kind == PageKind::Transparent && refused(other.why)));
        }
    }
    // No memory at all.
    for call in [Call::Map, Call::Protect] {
        fault::arm(call, 1, usize::MAX);
        assert_eq!(HugePages::new(config).err(), Some(AllocError::OutOfMemory), "{call:?}");
        fault::disarm();
    }
    // Pages that cannot be made resident.
    fault::arm(Call::Advise, 1, usize::MAX);
    let refused = HugePages::new(config.without_transparent().populated()).err();
    assert_eq!(refused, Some(AllocError::OutOfMemory));
    fault::disarm();
    // A mapping that the kernel does not take back: nothing to see but that nothing breaks.
    let pages = HugePages::new(config.populated()).unwrap();
    let address = pages.memory().address();
    fault::arm(Call::Unmap, 1, 1);
    drop(pages);
    fault::disarm();
    let left = thp::mapped(address..address + (4 << 20)).unwrap();
    assert_eq!(left.resident, 0, "its memory went all the same");
}
