//! The contract of [`vm`](super), the same on every port. What a port cannot do it has to refuse, and the rest must
//! still hold. That nothing is left over is tested in `tests/exact.rs`. Not covered: limits of the whole machine, overcommit mode 2 (see the emulated machine's suite).

use super::*;
use crate::{page, thp};

const ALLOWED: Access = Access::ReadWrite;

/// A reservation of `pages` pages that goes away at the end of the test.
struct Range {
    ptr: NonNull<u8>,
    size: usize,
}

impl Range {
    fn new(pages: usize, access: Access) -> Self {
        let size = pages * page::size();
        Self { ptr: reserve(size, page::size(), access).unwrap(), size }
    }

    /// The start of page `index` and the size of one page.
    fn page(&self, index: usize) -> (NonNull<u8>, usize) {
        (self.at(index * page::size()), page::size())
    }

    /// A byte of the reservation.
    fn at(&self, offset: usize) -> NonNull<u8> {
        assert!(offset < self.size);
        // SAFETY: within the reservation.
        unsafe { self.ptr.add(offset) }
    }

    fn write(&self, offset: usize, value: u8) {
        // SAFETY: inside the committed reservation of this test, which no other thread knows.
        unsafe { self.at(offset).write(value) }
    }

    fn read(&self, offset: usize) -> u8 {
        // SAFETY: as in `write`.
        unsafe { self.at(offset).read() }
    }
}

impl Drop for Range {
    fn drop(&mut self) {
        // SAFETY: reserved by `new`; the test is over.
        let _ = unsafe { release(self.ptr, self.size) };
    }
}

/// Several at once on one range, whose first page is a guard, where there are any, and whose last one is in use.
#[test]
fn commits_guards_and_a_purge_at_the_same_time_come_to_what_they_come_to_by_turns() {
    extern crate std;
    const ROUNDS: u8 = if cfg!(miri) { 2 } else { 200 };
    let range = &Range::new(4, Access::None);
    let page = page::size();
    // SAFETY: the test's range.
    unsafe { commit(range.ptr, range.size) }.unwrap();
    let guard = range.ptr.as_ptr().expose_provenance();
    // SAFETY: as above; nobody accesses the first page.
    let has_guards =
        unsafe { install_guard(range.ptr, page) }.is_ok() && crate::probe::word_at(guard).is_none();
    range.write(page, 1);
    let start = core::sync::atomic::AtomicPtr::new(range.ptr.as_ptr());
    let work = |purges: bool| {
        let start = NonNull::new(start.load(core::sync::atomic::Ordering::Relaxed)).unwrap();
        for _ in 0..ROUNDS {
            // SAFETY: the test's range, which lives longer; each of these calls may be made beside the others.
            unsafe { commit(start, 4 * page) }.unwrap();
            // SAFETY: as above; nobody accesses the first page.
            let _ = unsafe { install_guard(start, page) };
            // SAFETY: as above.
            unsafe { first_resident(start, 4 * page) }.unwrap();
            if purges {
                // SAFETY: the second page.
                let second = unsafe { start.add(page) };
                // SAFETY: as above; nobody accesses it meanwhile, and no other thread purges.
                unsafe { purge(second, page) }.unwrap();
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| work(true));
        scope.spawn(|| work(false));
        for round in 0..ROUNDS {
            let last = start.load(core::sync::atomic::Ordering::Relaxed).wrapping_add(3 * page);
            // SAFETY: committed above, and only this thread's.
            unsafe { last.write(round) };
            // SAFETY: as above.
            assert_eq!(unsafe { last.read() }, round);
        }
    });
    assert_eq!(range.read(page), 0);
    assert!(!has_guards || crate::probe::word_at(guard).is_none(), "a guard that was committed over");
}

#[test]
fn reserved_pages_are_aligned_and_read_as_zero() {
    let page = page::size();
    for align in [1, page, 4 * page, 1 << 20, 32 << 20] {
        for pages in [1, 3, 64] {
            let ptr = reserve(pages * page, align, ALLOWED).unwrap();
            assert!(ptr.addr().get().is_multiple_of(align.max(page)));
            let range = Range { ptr, size: pages * page };
            assert_eq!((range.read(0), range.read(range.size - 1)), (0, 0));
            range.write(0, 1);
            range.write(range.size - 1, 2);
            assert_eq!((range.read(0), range.read(range.size - 1)), (1, 2));
        }
    }
}

#[test]
fn senseless_reservations_are_refused_as_invalid() {
    let page = page::size();
    for (size, align) in [(0, page), (page + 1, page), (page, 0), (page, 3 * page)] {
        assert_eq!(reserve(size, align, ALLOWED), Err(OsError::INVALID), "{size} {align}");
    }
}

#[test]
fn more_than_the_address_space_is_out_of_memory() {
    let page = page::size();
    let most = usize::MAX - page + 1;
    let half = 1 << (usize::BITS - 1);
    for (size, align) in [(most, 1), (most - page, 1), (most - (1 << 21), 1 << 21), (half, half)] {
        let error = reserve(size, align, Access::None).unwrap_err();
        assert!(error.is_out_of_memory(), "{size:x} {align:x}: {error}");
    }
}

#[test]
fn reserved_then_committed_pages_are_writable() {
    let range = Range::new(4, Access::None);
    let (second, size) = range.page(1);
    // SAFETY: a page of the reservation.
    unsafe { commit(second, size) }.unwrap();
    assert_eq!(range.read(size), 0);
    range.write(size, 7);
    // SAFETY: nobody accesses it until the commit below.
    unsafe { protect(second, size) }.unwrap();
    // SAFETY: a page of the reservation.
    unsafe { commit(second, size) }.unwrap();
    assert_eq!(range.read(size), 7, "protect keeps the contents");
}

#[test]
fn purged_pages_read_as_zero_and_their_neighbours_do_not() {
    let range = Range::new(3, ALLOWED);
    let size = page::size();
    for index in 0..3 {
        range.write(index * size, 9);
        range.write(index * size + size - 1, 9);
    }
    // SAFETY: the contents of the middle page are not needed.
    unsafe { purge(range.page(1).0, size) }.unwrap();
    let ends = [0, 1, 2].map(|index| (range.read(index * size), range.read(index * size + size - 1)));
    assert_eq!(ends, [(9, 9), (0, 0), (9, 9)]);
}

#[test]
#[cfg_attr(miri, ignore = "everything is resident there")]
fn residence_follows_touch_prefault_and_purge() {
    // More pages than one answer of mincore holds, and no huge pages, which would make neighbours resident.
    let range = Range::new(1500, ALLOWED);
    let page = page::size();
    // SAFETY: the test's own range, here and below.
    let _ = unsafe { advise_huge(range.ptr, range.size, false) };
    // SAFETY: as above.
    let count = || unsafe { resident(range.ptr, range.size) }.unwrap() / page;
    assert_eq!(count(), 0);
    for index in [0, 5, 1023, 1024, 1499] {
        range.write(index * page, 1);
    }
    assert_eq!(count(), 5);
    // SAFETY: as above.
    match unsafe { prefault(range.page(10).0, 20 * page) } {
        #[cfg(not(any(miri, windows)))]
        Ok(()) if crate::env::first_stack::emulated() => {}
        Ok(()) => assert_eq!(count(), 25),
        // Before Linux 5.14.
        Err(error) => assert!(error.is_unsupported()),
    }
    assert_eq!(range.read(5 * page), 1, "prefault keeps the contents");
    // SAFETY: as above.
    unsafe { purge(range.ptr, range.size) }.unwrap();
    assert_eq!(count(), 0);
}

#[cfg(windows)]
#[test]
fn a_reservation_is_released_as_a_whole_and_nothing_less() {
    let range = Range::new(5, ALLOWED);
    range.write(0, 1);
    range.write(range.size - 1, 2);
    let size = page::size();
    // Pages in several states are one reservation all the same.
    // SAFETY: the test's own page, not accessed any more.
    unsafe { decommit(range.page(3).0, size) }.unwrap();
    for (from, pages) in [(0, 1), (0, 4), (1, 4), (2, 1), (0, 6)] {
        // SAFETY: refused: nothing is unmapped.
        let answer = unsafe { release(range.page(from).0, pages * size) };
        assert_eq!(answer, Err(OsError::UNSUPPORTED), "{pages} from {from}");
    }
    assert_eq!((range.read(0), range.read(range.size - 1)), (1, 2));
    let start = range.ptr;
    core::mem::forget(range);
    // SAFETY: the test's own range, no longer used.
    unsafe { release(start, 5 * size) }.unwrap();
    // SAFETY: nothing is there, or somebody else's range since: refused, as it begins elsewhere or has another length.
    assert!(unsafe { release(start, 3 * size) }.is_err());
}

#[cfg(windows)]
#[test]
fn a_purge_leaves_each_page_in_its_state() {
    let range = Range::new(4, Access::None);
    let size = page::size();
    // SAFETY: the test's own pages, here and below.
    unsafe { commit(range.ptr, 3 * size) }.unwrap();
    for index in 0..3 {
        range.write(index * size, 9);
    }
    // SAFETY: as above.
    unsafe { protect(range.page(1).0, size) }.unwrap();
    // SAFETY: as above.
    unsafe { purge(range.ptr, range.size) }.unwrap();
    let readable =
        [0, 1, 2, 3].map(|index| crate::probe::word_at(range.page(index).0.addr().get()).is_some());
    assert_eq!(readable, [true, false, true, false]);
    // SAFETY: as above.
    unsafe { commit(range.page(1).0, size) }.unwrap();
    assert_eq!([0, 1, 2].map(|index| range.read(index * size)), [0; 3]);
}

#[test]
fn what_is_taken_out_or_reset_reads_as_zero_when_it_is_committed() {
    let range = Range::new(3, ALLOWED);
    let size = page::size();
    for index in 0..3 {
        range.write(index * size, 9);
    }
    // SAFETY: the test's own pages, whose contents are not needed.
    unsafe { decommit(range.page(0).0, size) }.unwrap();
    // SAFETY: as above.
    unsafe { reset(range.page(1).0, size) }.unwrap();
    // SAFETY: as above.
    unsafe { commit(range.ptr, size) }.unwrap();
    assert_eq!([0, 1, 2].map(|index| range.read(index * size)), [0, 0, 9]);
}

#[cfg(not(windows))]
#[test]
fn any_part_of_a_reservation_can_be_released() {
    let range = Range::new(5, ALLOWED);
    range.write(0, 1);
    range.write(range.size - 1, 2);
    let (middle, size) = range.page(1);
    // SAFETY: the test's own pages, no longer used.
    unsafe { release(middle, 3 * size) }.unwrap();
    assert_eq!((range.read(0), range.read(range.size - 1)), (1, 2));
    let last = range.page(4).0;
    // SAFETY: as above.
    unsafe { release(last, size) }.unwrap();
    let rest = Range { ptr: range.ptr, size };
    core::mem::forget(range);
    assert_eq!(rest.read(0), 1);
}

/// As the next one, with whole reservations.
#[cfg(windows)]
#[test]
fn map_at_finds_a_reserved_range_occupied_and_a_released_one_free() {
    let granularity = page::allocation_granularity();
    let size = 2 * granularity;
    let range = Range { ptr: reserve(size, granularity, Access::None).unwrap(), size };
    let start = range.ptr.addr().get();
    for (addr, size) in [(start, page::size()), (start + granularity, granularity), (start, 2 * size)] {
        // SAFETY: nobody else counts on the range, which is this test's own.
        assert_eq!(unsafe { map_at(addr, size) }, Err(OsError::OCCUPIED));
    }
    // SAFETY: refused at once.
    let within = unsafe { map_at(start + page::size(), page::size()) };
    assert_eq!(within, Err(OsError::INVALID), "no multiple of the granularity");
    drop(range);
    // SAFETY: as above. The place may be another test's by now.
    match unsafe { map_at(start, size) } {
        Ok(ptr) => {
            let again = Range { ptr, size };
            assert_eq!(ptr.addr().get(), start);
            again.write(size - 1, 1);
        }
        Err(error) => assert!(error.is_occupied(), "{error}"),
    }
}

#[cfg(not(windows))]
#[test]
fn map_at_finds_a_mapped_range_occupied_and_a_released_one_free() {
    let range = Range::new(4, ALLOWED);
    range.write(2 * page::size(), 5);
    let (hole, size) = range.page(1);
    // SAFETY: nobody else counts on the range, which is this test's own.
    let answer = unsafe { map_at(hole.addr().get(), size) };
    assert_eq!(answer, Err(OsError::OCCUPIED));
    if cfg!(miri) {
        return;
    }
    // SAFETY: the test's own page.
    unsafe { release(hole, size) }.unwrap();
    // Two pages of which one is free: still occupied. The hole may by now be another test's; then it is occupied, too.
    // SAFETY: as above.
    let answer = unsafe { map_at(hole.addr().get(), 2 * size) };
    assert_eq!(answer, Err(OsError::OCCUPIED));
    assert_eq!(range.read(2 * size), 5);
    // SAFETY: as above.
    match unsafe { map_at(hole.addr().get(), size) } {
        Ok(ptr) => {
            assert_eq!(ptr, hole);
            assert_eq!(range.read(size), 0);
            range.write(size, 1);
        }
        Err(error) => {
            assert!(error.is_occupied());
            // The hole is somebody else's now: release what is left beside it.
            let ends = [Range { ptr: range.ptr, size }, Range { ptr: range.page(2).0, size: 2 * size }];
            core::mem::forget(range);
            drop(ends);
        }
    }
}

#[test]
fn map_at_refuses_null_and_nothing() {
    // SAFETY: refused at once.
    assert!(unsafe { map_at(0, page::size()) }.is_err());
    if !cfg!(miri) {
        let somewhere = page::size() << 16;
        // SAFETY: refused at once.
        assert_eq!(unsafe { map_at(somewhere, 0) }, Err(OsError::INVALID));
    }
}

#[cfg(windows)]
#[test]
fn what_this_system_cannot_do_it_says() {
    let size = page::size();
    let range = Range::new(4, ALLOWED);
    range.write(0, 3);
    let (to, _) = range.page(2);
    let answers = [
        // SAFETY: refused, here and below: nothing changes.
        unsafe { remap(range.ptr, 4 * size, 8 * size, true) }.map(drop),
        // SAFETY: as above.
        unsafe { remap(range.ptr, 4 * size, 2 * size, false) }.map(drop),
        // SAFETY: as above.
        unsafe { move_pages(range.ptr, to, size) },
        // SAFETY: as above.
        unsafe { advise_huge(range.ptr, size, true) },
        // SAFETY: as above.
        unsafe { wipe_on_fork(range.ptr, size) },
        // SAFETY: as above.
        unsafe { prefault(range.ptr, size) },
        // SAFETY: as above.
        unsafe { install_guard(to, size) },
    ];
    assert_eq!(answers, [Err(OsError::UNSUPPORTED); 7]);
    assert_eq!(range.read(0), 3);
}

#[cfg(not(windows))]
#[test]
fn remap_grows_with_contents_and_zeros_behind() {
    let size = page::size();
    let old = Range::new(2, ALLOWED);
    old.write(0, 3);
    old.write(2 * size - 1, 4);
    // SAFETY: the test's own range; only the new one is used afterwards.
    let ptr = unsafe { remap(old.ptr, 2 * size, 64 * size, true) }.unwrap();
    core::mem::forget(old);
    let new = Range { ptr, size: 64 * size };
    assert_eq!((new.read(0), new.read(2 * size - 1)), (3, 4));
    assert_eq!((new.read(2 * size), new.read(64 * size - 1)), (0, 0));
    new.write(64 * size - 1, 1);
}

#[cfg(not(windows))]
#[test]
fn remap_in_place_keeps_the_address_or_refuses() {
    let size = page::size();
    let range = Range::new(4, ALLOWED);
    range.write(0, 3);
    // SAFETY: shrinks the test's own range.
    let shrunk = unsafe { remap(range.ptr, 4 * size, 2 * size, false) }.unwrap();
    assert_eq!(shrunk, range.ptr);
    let range = {
        core::mem::forget(range);
        Range { ptr: shrunk, size: 2 * size }
    };
    assert_eq!(range.read(0), 3);
    // The first page cannot grow: the second is in the way.
    // SAFETY: refused, or else the test's own range.
    let answer = unsafe { remap(range.ptr, size, 2 * size, false) };
    assert!(answer.unwrap_err().is_out_of_memory());
    assert_eq!(range.read(0), 3);
    for (old, new) in [(0, size), (size, 0)] {
        // SAFETY: refused at once.
        assert_eq!(unsafe { remap(range.ptr, old, new, true) }, Err(OsError::INVALID));
    }
}

#[test]
fn moved_pages_are_there_and_gone_here() {
    let size = page::size();
    let from = Range::new(2, ALLOWED);
    let to = Range::new(4, ALLOWED);
    from.write(0, 1);
    from.write(2 * size - 1, 2);
    for index in 0..4 {
        to.write(index * size, 9);
    }
    // SAFETY: two ranges of this test that do not overlap.
    match unsafe { move_pages(from.ptr, to.page(1).0, 2 * size) } {
        Ok(()) => {
            assert_eq!((to.read(size), to.read(3 * size - 1)), (1, 2));
            assert_eq!((from.read(0), from.read(2 * size - 1)), (0, 0));
        }
        // Before Linux 5.7, and qemu's user mode: nothing may have happened.
        Err(error) => {
            assert!(error.is_unsupported(), "{error}");
            assert_eq!((from.read(0), from.read(2 * size - 1)), (1, 2));
        }
    }
    assert_eq!((to.read(0), to.read(3 * size)), (9, 9));
    from.write(0, 5);
    assert_eq!(from.read(0), 5, "the source stays usable");
}

#[test]
#[cfg_attr(miri, ignore = "always possible there")]
fn a_refused_move_leaves_the_target_mapped() {
    let size = page::size();
    // A source of two mappings with different protection: `mremap` says no after it has unmapped the target.
    let from = Range::new(2, ALLOWED);
    from.write(0, 1);
    // SAFETY: the test's own page, not accessed any more.
    unsafe { protect(from.page(1).0, size) }.unwrap();
    let to = Range::new(2, ALLOWED);
    // SAFETY: two ranges of this test that do not overlap.
    let answer = unsafe { move_pages(from.ptr, to.ptr, 2 * size) };
    // A kernel may learn to move several mappings.
    if answer.is_err() {
        assert_eq!(from.read(0), 1);
        to.write(0, 1);
        to.write(size, 1);
    }
}

#[test]
fn advice_is_accepted_where_the_kernel_has_huge_pages() {
    let size = 2 * page::huge_size();
    let range = Range { ptr: reserve(size, page::huge_size(), ALLOWED).unwrap(), size };
    for on in [true, false] {
        // SAFETY: the test's own range.
        let answer = unsafe { advise_huge(range.ptr, range.size, on) };
        if thp::mode() != thp::Mode::Never {
            assert_eq!(answer, Ok(()));
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "the fake accepts ranges of its own only")]
fn unmapped_ranges_are_out_of_memory() {
    let range = Range::new(1, ALLOWED);
    let (ptr, size) = range.page(0);
    drop(range);
    // Another test may take the address meanwhile: the advice that is asked for harms nobody.
    // SAFETY: mincore and prefault change no contents.
    let answers = [unsafe { resident(ptr, size) }.map(drop), unsafe { prefault(ptr, size) }];
    for answer in answers {
        assert!(
            answer.is_ok() || answer.is_err_and(|error| error.is_out_of_memory() || error.is_unsupported())
        );
    }
}

#[test]
#[cfg_attr(miri, ignore = "everything is resident")]
fn the_first_resident_page_is_found_wherever_it_is() {
    const PAGES: usize = 2500;
    let page = page::size();
    let range = Range::new(PAGES, ALLOWED);
    let first = || {
        // SAFETY: reserved above.
        unsafe { first_resident(range.ptr, range.size) }.unwrap()
    };
    assert_eq!(first(), None);
    // Each in another piece of the kernel's answer.
    for index in [PAGES - 1, 1024, 1023, 0] {
        range.write(index * page + 5, 1);
        assert_eq!(first(), Some(index * page));
    }
}

#[test]
#[cfg_attr(miri, ignore = "no kernel")]
fn an_installed_guard_refuses_access_and_stays_over_purge_and_commit() {
    let range = Range::new(3, ALLOWED);
    range.write(page::size(), 1);
    let (guard, size) = range.page(1);
    // SAFETY: this test's page, not used any more.
    match unsafe { install_guard(guard, size) } {
        Err(error) => assert!(error.is_unsupported(), "kernels before 6.13 do not know guards: {error}"),
        Ok(()) => {
            let readable = || crate::probe::word_at(guard.as_ptr().expose_provenance()).is_some();
            // qemu-user accepts any advice and does nothing.
            if readable() {
                return;
            }
            // SAFETY: this test's page.
            assert_eq!(unsafe { install_guard(guard, size) }, Ok(()));
            // SAFETY: this test's range.
            assert_eq!(unsafe { purge(range.ptr, range.size) }, Ok(()));
            // SAFETY: as above.
            assert_eq!(unsafe { commit(range.ptr, range.size) }, Ok(()));
            assert!(!readable());
            range.write(0, 2);
            range.write(2 * page::size(), 3);
            // SAFETY: as above.
            assert_eq!(unsafe { resident(guard, size) }, Ok(0));
        }
    }
}
