//! Address space is accounted for to the page. One test in a process of its own: other threads would map, too.

// Windows tells no size of a process's address space that wine would tell, too.
#![cfg(not(any(miri, windows)))]

use stratalloc_platform::vm::{self, Access};
use stratalloc_platform::{page, report};

/// Pages of address space of this process: the first number of `/proc/self/statm`.
fn mapped_pages() -> usize {
    let mut buffer = [0; 128];
    let file = report::file_open(b"/proc/self/statm\0").unwrap();
    let length = file.read(&mut buffer).unwrap();
    let text = core::str::from_utf8(&buffer[..length]).unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn reservations_take_what_they_say_and_give_it_all_back() {
    // qemu's user mode shows the emulator's own mappings, and reserves as it likes.
    let emulated = std::fs::read_to_string("/proc/self/stat").is_ok_and(|stat| stat.split(' ').count() < 50);
    if emulated {
        return;
    }
    let page = page::size();
    let before = mapped_pages();
    for access in [Access::None, Access::ReadWrite] {
        for (pages, align) in [(1, page), (1, 1 << 26), (3, 1 << 21), (1000, 1 << 24), (1 << 12, 1 << 28)] {
            // The second one does not find the place that the first one's trimming has left aligned.
            let ranges: [_; 3] = core::array::from_fn(|_| vm::reserve(pages * page, align, access).unwrap());
            assert_eq!(mapped_pages(), before + 3 * pages, "{pages} pages aligned to {align:#x}");
            for ptr in ranges {
                // SAFETY: just reserved and not used.
                unsafe { vm::release(ptr, pages * page) }.unwrap();
            }
            assert_eq!(mapped_pages(), before);
        }
    }
}
