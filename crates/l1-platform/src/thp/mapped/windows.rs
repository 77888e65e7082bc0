//! `QueryWorkingSetEx`, page by page.

use core::ops::Range;

use super::Mapped;
use crate::kernel32::WorkingSetPage;
use crate::{page, vm};

pub(super) fn mapped(range: Range<usize>) -> Option<Mapped> {
    let page = page::size();
    let mut addresses = (range.start & !(page - 1)..range.end).step_by(page).peekable();
    let mut mapped = Mapped::default();
    while addresses.peek().is_some() {
        let mut pages = [WorkingSetPage { address: 0, attributes: 0 }; 64];
        let mut asked = 0;
        for (page, address) in pages.iter_mut().zip(&mut addresses) {
            page.address = address;
            asked += 1;
        }
        let pages = pages.get_mut(..asked)?;
        vm::working_set(pages).ok()?;
        for answer in pages.iter().filter(|answer| answer.is_resident()) {
            mapped.resident += page as u64;
            mapped.explicit += if answer.is_large() { page as u64 } else { 0 };
        }
    }
    Some(mapped)
}
