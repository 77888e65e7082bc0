//! What really lies behind a range of addresses.

use core::ops::Range;

#[cfg(not(windows))]
#[path = "mapped/smaps.rs"]
mod port;
#[cfg(windows)]
#[path = "mapped/windows.rs"]
mod port;

/// Bytes of physical memory behind a range, by the kind of page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mapped {
    /// All of them; each huge page counts with all of its bytes.
    pub resident: u64,
    /// Those in transparent huge pages.
    pub transparent: u64,
    /// Those in explicit huge pages.
    pub explicit: u64,
}

impl Mapped {
    /// Those in huge pages of either kind.
    #[must_use]
    pub const fn huge(&self) -> u64 {
        self.transparent + self.explicit
    }
}

/// Asks the kernel what lies behind the mappings that `range` touches; `None` if it does not say.
///
/// Linux answers by mapping: one that reaches beyond the range counts as a whole. A range between two guards has mappings of
/// its own. *Cost*: proportional to the number of mappings of the process, some microseconds each.
///
/// Windows answers by page, one system call for each 64, and its large pages count as explicit ones.
#[must_use]
pub fn mapped(range: Range<usize>) -> Option<Mapped> {
    port::mapped(range)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{page, vm};

    #[test]
    #[cfg_attr(miri, ignore = "no /proc")]
    fn touched_pages_are_resident() {
        let page = page::size();
        let outer = vm::reserve(10 * page, page, vm::Access::None).unwrap();
        // SAFETY: inside the reservation.
        let start = unsafe { outer.add(page) };
        // SAFETY: reserved above.
        unsafe { vm::commit(start, 8 * page) }.unwrap();
        let range = start.addr().get()..start.addr().get() + 8 * page;
        assert_eq!(mapped(range.clone()), Some(Mapped::default()));
        // SAFETY: committed above.
        unsafe { start.write_bytes(1, 3 * page) };
        let now = mapped(range).unwrap();
        assert_eq!((now.resident, now.huge()), (3 * page as u64, 0));
        // SAFETY: reserved above, not used any more.
        unsafe { vm::release(outer, 10 * page) }.unwrap();
    }

    #[test]
    #[cfg_attr(miri, ignore = "no kernel")]
    fn explicit_pages_are_told_from_others() {
        let huge = page::huge_size();
        assert_eq!(vm::reserve_huge(huge, 3).err(), Some(vm::OsError::INVALID));
        assert_eq!(vm::reserve_huge(huge + 1, huge).err(), Some(vm::OsError::INVALID));
        assert_eq!(vm::reserve_huge(0, huge).err(), Some(vm::OsError::INVALID));
        // Only where some are set aside: the emulated machine with `hugepages=`.
        let Ok(start) = vm::reserve_huge(huge, huge) else {
            assert!(crate::thp::explicit_of(huge).is_none_or(|pool| pool.free == 0));
            return;
        };
        // SAFETY: mapped above.
        unsafe { start.write(1) };
        let now = mapped(start.addr().get()..start.addr().get() + huge).unwrap();
        assert_eq!((now.explicit, now.resident), (huge as u64, huge as u64));
        // SAFETY: as above.
        unsafe { vm::release(start, huge) }.unwrap();
    }
}
