//! The equations of the buddy system, checked from the range to the lists.
//!
//! | id | equation |
//! | --- | --- |
//! | BUDDY-TILE | a block begins at the start and wherever one ends, and the last ends at the end |
//! | BUDDY-ONE | marks in the map == blocks in the range, so none begins inside another |
//! | BUDDY-MERGED | no two buddies are both free |
//! | BUDDY-MAP | a list is marked ⟺ it is not empty |
//! | BUDDY-LIST | every block in a list lies in the range, is free at the list's order, and is linked back |
//! | BUDDY-KEPT | every kept block lies in the range and is live at its stack's order, and a stack is as long as it says |
//! | BUDDY-ALL | blocks in lists == free blocks in the range |

use stratalloc_resource::Violation;

use super::kept::{KEPT, Link};
use super::lists::Links;
use super::map::State;
use super::tree::Tree;

impl<const ORDERS: usize, const MIN: usize> Tree<ORDERS, MIN> {
    pub(super) fn validate(&self) -> Result<(), Violation> {
        let free = self.validate_range()?;
        let mut listed = 0;
        for order in 0..ORDERS {
            listed += self.validate_list(order, free)?;
            self.validate_kept(order)?;
        }
        if listed == free {
            return Ok(());
        }
        Err(Violation::new("BUDDY-ALL", "listed == free", &["listed", "free"], &[listed, free]))
    }

    /// Walks the range; how many blocks are free.
    fn validate_range(&self) -> Result<usize, Violation> {
        let (mut address, mut blocks, mut free) = (self.start.addr().get(), 0, 0);
        while address < self.end {
            let block = self.block_at(address).filter(|&(order, _)| self.end - address >= Self::size(order));
            let Some((order, state)) = block else {
                let terms = &["address", "end"];
                return Err(Violation::new("BUDDY-TILE", "a block begins", terms, &[address, self.end]));
            };
            blocks += 1;
            if state == State::Free {
                free += 1;
                // SAFETY: in the range.
                let place = unsafe { self.place(address, order) };
                // SAFETY: MAP.
                if order < self.top && unsafe { place.buddy_is_free() } {
                    let values = [address, Self::size(order)];
                    return Err(Violation::new("BUDDY-MERGED", "not both free", &["block", "size"], &values));
                }
            }
            address += Self::size(order);
        }
        let marked = self.map.count();
        if marked == blocks {
            return Ok(free);
        }
        Err(Violation::new("BUDDY-ONE", "marked == blocks", &["marked", "blocks"], &[marked, blocks]))
    }

    /// Walks a list, of at most `free` blocks; how many there are.
    fn validate_list(&self, order: usize, free: usize) -> Result<usize, Violation> {
        let (head, marked) = self.lists.look(order);
        if marked != head.is_some() {
            let values = [order, usize::from(marked), usize::from(head.is_some())];
            return Err(Violation::new(
                "BUDDY-MAP",
                "marked == filled",
                &["order", "marked", "filled"],
                &values,
            ));
        }
        let (mut next, mut before, mut listed) = (head, None, 0);
        while let Some(block) = next {
            let address = block.addr().get();
            let found = if self.contains(address) && address.is_multiple_of(MIN) {
                self.block_at(address)
            } else {
                None
            };
            let violation = || {
                let formula = "a listed block is free and of the list's order";
                Violation::new("BUDDY-LIST", formula, &["block", "order"], &[address, order])
            };
            if listed == free || found != Some((order, State::Free)) {
                return Err(violation());
            }
            // SAFETY: a free block of the range, whose first words are its links; they may have been overwritten, but not unwritten.
            let links: Links = unsafe { block.read() };
            if links.previous != before {
                return Err(violation());
            }
            (next, before) = (links.next, Some(block));
            listed += 1;
        }
        Ok(listed)
    }

    fn validate_kept(&self, order: usize) -> Result<(), Violation> {
        let (first, len) = self.kept.look(order);
        let (mut next, mut walked) = (first, 0);
        while let Some(block) = next {
            let address = block.addr().get();
            let in_range = self.contains(address) && address.is_multiple_of(MIN);
            if walked == len || !in_range || self.block_at(address) != Some((order, State::Live)) {
                let formula = "a kept block is live and of the stack's order";
                return Err(Violation::new("BUDDY-KEPT", formula, &["block", "order"], &[address, order]));
            }
            // SAFETY: a kept block of the range, whose first word is its link; it may have been overwritten, but not unwritten.
            let link: Link = unsafe { block.read() };
            next = link.next;
            walked += 1;
        }
        if walked == len && len <= KEPT {
            return Ok(());
        }
        let terms = &["kept", "length", "KEPT"];
        Err(Violation::new("BUDDY-KEPT", "kept == length <= KEPT", terms, &[walked, len, KEPT]))
    }
}
