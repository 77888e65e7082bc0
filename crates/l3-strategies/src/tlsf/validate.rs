//! The equations of TLSF, checked from the pools to the bins.
//!
//! | id | equation |
//! | --- | --- |
//! | TLSF-SIZE | every block is a multiple of GRANULE, at least MIN_BLOCK, and ends at or before its pool's sentinel |
//! | TLSF-FLAG | the flag P of a block tells whether the block before it is free |
//! | TLSF-FOOT | the footer of a free block is its size |
//! | TLSF-MERGED | no two neighbours are both free |
//! | TLSF-MAP | a list is marked in the bitmaps ⟺ it is not empty |
//! | TLSF-BIN | every block in a list lies in a pool, is free, has the list's bin, and is linked back |
//! | TLSF-ALL | blocks in lists == free blocks in pools |

use stratalloc_resource::Violation;

use super::algorithm::Core;
use super::bins::Bins;
use super::block::{Block, GRANULE, HEADER, MIN_BLOCK};
use super::pool::Pool;

impl<const FLI: usize, const SLI: usize> Core<FLI, SLI> {
    pub(super) fn validate(&self) -> Result<(), Violation> {
        let mut free = 0;
        for pool in self.pools() {
            free += validate_pool(&pool)?;
        }
        let mut listed = 0;
        for (bin, head, marked) in self.bins.iter() {
            if marked != head.is_some() {
                let terms = &["marked", "filled"];
                let values = [usize::from(marked), usize::from(head.is_some())];
                return Err(Violation::new("TLSF-MAP", "marked == filled", terms, &values));
            }
            let (mut next, mut before) = (head, None);
            while let Some(block) = next {
                if listed == free || !self.could_be(block) {
                    return Err(bin_violation(block));
                }
                // SAFETY: a header of a pool that was walked above: `could_be`.
                let (size, is_free) = unsafe { block.state() };
                if !is_free || size < MIN_BLOCK || size > Self::MAX_BLOCK || Bins::<FLI, SLI>::of(size) != bin
                {
                    return Err(bin_violation(block));
                }
                // SAFETY: free, so it has links.
                let [after, previous] = unsafe { block.read_links() };
                if previous != before {
                    return Err(bin_violation(block));
                }
                (next, before) = (after, Some(block));
                listed += 1;
            }
        }
        if self.bins.has_hollow_row() {
            return Err(Violation::new("TLSF-MAP", "marked row ⟹ marked column", &[], &[]));
        }
        if listed == free {
            return Ok(());
        }
        Err(Violation::new("TLSF-ALL", "listed == free", &["listed", "free"], &[listed, free]))
    }

    /// Whether a header may stand there, without looking.
    fn could_be(&self, block: Block) -> bool {
        let address = block.address();
        (address + HEADER).is_multiple_of(GRANULE) && self.pools().any(|pool| pool.contains(address))
    }
}

fn bin_violation(block: Block) -> Violation {
    Violation::new("TLSF-BIN", "a listed block is free and in its bin", &["block"], &[block.address()])
}

/// Walks a pool; how many blocks are free.
fn validate_pool(pool: &Pool) -> Result<usize, Violation> {
    let (mut block, mut before, mut free) = (pool.first, None, 0);
    loop {
        let flagged =
            // SAFETY: the first block, the sentinel, or where the block before ends, which was checked to be in the pool.
            unsafe { block.previous_is_free() };
        if flagged != before.is_some() {
            let values = [block.address(), usize::from(flagged), usize::from(before.is_some())];
            let terms = &["block", "flag", "previous_free"];
            return Err(Violation::new("TLSF-FLAG", "flag == previous_free", terms, &values));
        }
        if let Some(size) = before {
            // SAFETY: the block before is free: just checked.
            let footer = unsafe { block.previous_footer() };
            if footer != size {
                let values = [block.address(), footer, size];
                return Err(Violation::new(
                    "TLSF-FOOT",
                    "footer == size",
                    &["behind", "footer", "size"],
                    &values,
                ));
            }
        }
        if block == pool.sentinel {
            return Ok(free);
        }
        // SAFETY: as above.
        let (size, is_free) = unsafe { block.state() };
        let room = pool.sentinel.address() - block.address();
        if size < MIN_BLOCK || !size.is_multiple_of(GRANULE) || size > room {
            let terms = &["block", "size", "room"];
            let values = [block.address(), size, room];
            return Err(Violation::new("TLSF-SIZE", "MIN_BLOCK <= size <= room", terms, &values));
        }
        if is_free && before.is_some() {
            return Err(Violation::new("TLSF-MERGED", "not both free", &["block"], &[block.address()]));
        }
        free += usize::from(is_free);
        before = is_free.then_some(size);
        // SAFETY: `size <= room`.
        block = unsafe { block.shifted(size) };
    }
}
