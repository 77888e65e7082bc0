//! [`Lists`]: chunks by how full they are.

use core::ptr::NonNull;

use super::chunk::Chunk;

/// Chunks with room and pinned values: they cannot go, so they are filled first.
pub(super) const HELD: usize = 0;
/// Chunks with room, from the sparsest to the fullest eighth.
pub(super) const SPARSEST: usize = 1;
pub(super) const FULLEST: usize = 8;
pub(super) const EMPTY: usize = 9;
/// The chunk that a compaction empties.
pub(super) const SOURCE: usize = 10;
pub(super) const FULL: usize = 11;
pub(super) const LISTS: usize = 12;

/// The heads of the lists; which chunk belongs where is [`home`]'s word.
pub(super) struct Lists<T> {
    heads: [Option<NonNull<Chunk<T>>>; LISTS],
}

/// The list that a chunk belongs to, unless it is the source of a compaction.
pub(super) fn home<T>(chunk: &Chunk<T>) -> usize {
    if chunk.live == chunk.cells {
        FULL
    } else if chunk.live == 0 {
        EMPTY
    } else if chunk.pinned != 0 {
        HELD
    } else {
        SPARSEST + (chunk.live as usize * (FULLEST - SPARSEST + 1)) / chunk.cells as usize
    }
}

impl<T> Lists<T> {
    pub(super) const fn new() -> Self {
        Self { heads: [None; LISTS] }
    }

    pub(super) fn head(&self, list: usize) -> Option<NonNull<Chunk<T>>> {
        self.heads.get(list).copied().flatten()
    }

    /// The chunk that takes the next value.
    #[inline]
    pub(super) fn with_room(&self) -> Option<NonNull<Chunk<T>>> {
        self.target().or_else(|| self.head(EMPTY)).or_else(|| self.head(SOURCE))
    }

    /// The chunk that takes the next value that moves.
    #[inline]
    pub(super) fn target(&self) -> Option<NonNull<Chunk<T>>> {
        self.head(HELD).or_else(|| (SPARSEST..=FULLEST).rev().find_map(|list| self.head(list)))
    }

    /// The chunk that is emptied next.
    pub(super) fn sparsest(&self) -> Option<NonNull<Chunk<T>>> {
        (SPARSEST..=FULLEST).find_map(|list| self.head(list))
    }

    pub(super) fn any(&self) -> Option<NonNull<Chunk<T>>> {
        self.heads.iter().find_map(|head| *head)
    }

    /// # Safety
    ///
    /// A chunk in no list, nobody else's; `list < LISTS`.
    pub(super) unsafe fn push(&mut self, mut chunk: NonNull<Chunk<T>>, list: usize) {
        let next = self.heads[list].replace(chunk);
        // SAFETY: this function's contract.
        let head = unsafe { chunk.as_mut() };
        (head.next, head.previous, head.list) = (next, None, list);
        if let Some(mut next) = next {
            // SAFETY: in the list, so a chunk; another one.
            unsafe { next.as_mut() }.previous = Some(chunk);
        }
    }

    /// # Safety
    ///
    /// A chunk in one of these lists.
    pub(super) unsafe fn remove(&mut self, mut chunk: NonNull<Chunk<T>>) {
        // SAFETY: this function's contract.
        let head = unsafe { chunk.as_mut() };
        let (next, previous, list) = (head.next.take(), head.previous.take(), head.list);
        if let Some(mut next) = next {
            // SAFETY: in the list, so a chunk; another one.
            unsafe { next.as_mut() }.previous = previous;
        }
        match previous {
            // SAFETY: as above.
            Some(mut previous) => unsafe { previous.as_mut() }.next = next,
            None => self.heads[list] = next,
        }
    }
}
