//! The equations of two levels of pools; they are listed at the struct.

use stratalloc_resource::{MemoryResource, Validate, Violation};

use super::MemPool;

impl<U: MemoryResource, const SMALLEST: usize, const LARGEST: usize, const CHUNK: usize, const PAGE: usize>
    MemPool<U, SMALLEST, LARGEST, CHUNK, PAGE>
{
    /// Counts the free blocks of a class, `most` at most.
    fn check_free(&self, index: usize, most: usize) -> Result<usize, Violation> {
        let (mut count, mut next) = (0, self.classes[index].free.get());
        while let Some(block) = next {
            let address = block.addr().get();
            let place = self.find(address);
            let right = place.is_some_and(|(class, offset)| {
                class == index && offset < CHUNK && offset.is_multiple_of(SMALLEST << index)
            });
            if !right || self.is_fresh(address, index) || count == most {
                let terms = &["block", "class", "before"];
                return Err(Violation::new(
                    "MEM-1",
                    "free blocks are blocks",
                    terms,
                    &[address, index, count],
                ));
            }
            count += 1;
            // SAFETY: a block of a chunk of the class: just checked. It is free, so it holds a link.
            next = unsafe { block.read() }.next;
        }
        Ok(count)
    }
}

impl<U: MemoryResource, const S: usize, const L: usize, const C: usize, const P: usize> Validate
    for MemPool<U, S, L, C, P>
{
    fn validate(&self) -> Result<(), Violation> {
        let total: usize = self.chunks().map(|(_, chunk)| Self::count(chunk.class)).sum();
        let (mut free, mut fresh) = (0, 0);
        for index in 0..self.classes.len() {
            fresh += self.classes[index].fresh_count.get();
            if self.classes[index].free.get().is_some() {
                free += self.check_free(index, total)?;
            }
        }
        let live = self.live_small.get();
        if live + free + fresh != total {
            let terms = &["live", "free", "fresh", "total"];
            return Err(Violation::new(
                "MEM-2",
                "live + free + fresh == total",
                terms,
                &[live, free, fresh, total],
            ));
        }
        Ok(())
    }
}
