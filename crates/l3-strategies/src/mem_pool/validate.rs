//! The equations of two levels of pools; they are listed at the struct.

use stratalloc_resource::{MemoryResource, Validate, Violation};

use super::MemPool;

impl<U: MemoryResource, const SMALLEST: usize, const LARGEST: usize, const CHUNK: usize, const PAGE: usize>
    MemPool<U, SMALLEST, LARGEST, CHUNK, PAGE>
{
    /// Whether an index names a block of a chunk of the class that was used before.
    fn is_used(&self, index: u32, class: usize) -> bool {
        let (number, block) = (index >> Self::BLOCK_BITS, index & Self::BLOCK_MASK);
        let (fresh_in, left) = self.classes[class].fresh();
        let count = Self::PLANS[class].count;
        let used = if number == fresh_in { count - left.min(count) } else { count };
        number < self.directory.used() && self.class_of_chunk(number) == Some(class) && block < used
    }

    /// Counts the free blocks of a class, `most` at most. The caller has entered, and has left after it.
    fn check_free(&self, class: usize, most: usize) -> Result<usize, Violation> {
        let (mut count, mut strange) = (0, None);
        self.classes[class].look(
            |index| self.link(index),
            |index| {
                if !self.is_used(index, class) || count == most {
                    strange = Some(index);
                } else {
                    count += 1;
                }
                strange.is_none()
            },
        );
        match strange {
            None => Ok(count),
            Some(index) => {
                let terms = &["index", "class", "before"];
                Err(Violation::new(
                    "MEM-1",
                    "free blocks are used ones of the class",
                    terms,
                    &[index as usize, class, count],
                ))
            }
        }
    }

    /// Checks a class if nobody holds it closed: its blocks and links are there while the caller is counted in (LIST-IN).
    fn check_class(&self, class: usize) -> Result<(), Violation> {
        let lists = &self.classes[class];
        if !lists.enter() {
            return Ok(());
        }
        let chunks = (0..self.directory.used()).filter(|number| self.class_of_chunk(*number) == Some(class));
        let total = chunks.count() * Self::PLANS[class].count as usize;
        // The caller is a user without a block.
        let (live, (_, fresh)) = (lists.users() - 1, lists.fresh());
        let (free, fresh) = (self.check_free(class, total)?, fresh as usize);
        if live + free + fresh == total {
            return Ok(());
        }
        let (formula, terms) =
            ("live + free + fresh == total", &["class", "live", "free", "fresh", "total"][..]);
        Err(Violation::new("MEM-2", formula, terms, &[class, live, free, fresh, total]))
    }
}

impl<U: MemoryResource, const S: usize, const L: usize, const C: usize, const P: usize> Validate
    for MemPool<U, S, L, C, P>
{
    fn validate(&self) -> Result<(), Violation> {
        (0..Self::COUNT).try_for_each(|class| self.check_class(class))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    extern crate std;

    use core::alloc::Layout;

    use stratalloc_resource::{Alignment, FromGlobal};

    use super::*;

    #[test]
    fn a_class_that_somebody_holds_closed_is_left_alone() {
        let pool: MemPool<_> = MemPool::new(FromGlobal::new(&std::alloc::System)).unwrap();
        let block = pool.allocate(Layout::new::<u64>()).unwrap();
        // SAFETY: live, not used.
        unsafe { pool.deallocate(block, Alignment::of::<u64>()) };
        assert!(pool.classes[0].close());
        // Its chunk is another's to write now, or gone.
        pool.validate().expect("no look at the emptied lists");
        pool.spare(0);
        pool.classes[0].open();
        pool.validate().unwrap();
        assert_eq!(pool.usage().live_small, 0, "it has left");
    }
}
