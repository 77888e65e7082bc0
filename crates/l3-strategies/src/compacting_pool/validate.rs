//! The equations of a compacting pool; they are listed at [`CompactingPool`].

use stratalloc_resource::{MemoryResource, Validate, Violation};

use super::CompactingPool;
use super::chunk::{Cell, Chunk, FREE};
use super::lists::{LISTS, SOURCE, home};

impl<T, U: MemoryResource> Validate for CompactingPool<T, U> {
    fn validate(&self) -> Result<(), Violation> {
        let (mut live, mut pinned, mut chunks) = (0, 0, 0);
        for list in 0..LISTS {
            let mut next = self.lists.head(list);
            while let Some(chunk) = next
                && chunks <= self.chunks
            {
                // SAFETY: in a list, so a chunk of ours.
                let head = unsafe { chunk.as_ref() };
                next = head.next;
                chunks += 1;
                let source = self.source.as_ref().is_some_and(|source| source.chunk == chunk);
                check_place(head, list, source)?;
                let mut found = 0;
                for number in 0..head.cells {
                    // SAFETY: below the count.
                    let cell = unsafe { Chunk::cell(chunk, number) };
                    // SAFETY: a cell of a chunk.
                    let owner = unsafe { Cell::owner(cell) };
                    if owner == FREE {
                        continue;
                    }
                    found += 1;
                    let entry = self.entries.entry(owner);
                    if entry.and_then(|entry| entry.cell) != Some(cell) {
                        let terms = &["cell", "owner"];
                        let values = [cell.addr().get(), owner as usize];
                        return Err(Violation::new("COMPACT-2", "entry(owner).cell == cell", terms, &values));
                    }
                    pinned += entry.map_or(0, |entry| usize::from(entry.pins != 0));
                }
                check("COMPACT-1", "live(chunk) == Σ cells with a value", head.live as usize, found)?;
                live += found;
            }
        }
        check("COMPACT-1", "chunks == Σ chunks in lists", self.chunks, chunks)?;
        check("COMPACT-1", "live == Σ live of chunks", self.live, live)?;
        let used = self.entries.all().filter(|entry| entry.cell.is_some()).count();
        check("COMPACT-1", "live == entries in use", self.live, used)?;
        check("COMPACT-1", "pinned == entries with pins", self.pinned, pinned)
    }
}

/// COMPACT-3 for one chunk.
fn check_place<T>(head: &Chunk<T>, list: usize, source: bool) -> Result<(), Violation> {
    let belongs = if source { SOURCE } else { home(head) };
    if list == belongs && head.list == list {
        return Ok(());
    }
    let terms = &["list", "belongs", "live", "pinned"];
    let values = [list, belongs, head.live as usize, head.pinned as usize];
    Err(Violation::new("COMPACT-3", "list(chunk) == home(live, pinned)", terms, &values))
}

fn check(id: &'static str, formula: &'static str, left: usize, right: usize) -> Result<(), Violation> {
    if left == right {
        return Ok(());
    }
    Err(Violation::new(id, formula, &["left", "right"], &[left, right]))
}
