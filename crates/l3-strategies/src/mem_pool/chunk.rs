//! Memory that blocks of one class are cut from.

use core::alloc::Layout;
use core::ptr::NonNull;

use stratalloc_resource::{AllocError, MemoryBlock, MemoryResource};

use super::MemPool;

/// The head of a chunk.
///
/// Invariant MEM-CHUNK: a `NonNull<Chunk>` that a pool holds points to an initialised head at the start of `CHUNK` bytes from upstream,
/// which are the pool's until it gives them back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    pub(super) next: Option<NonNull<Chunk>>,
    pub(super) class: usize,
}

impl<U: MemoryResource, const SMALLEST: usize, const LARGEST: usize, const CHUNK: usize, const PAGE: usize>
    MemPool<U, SMALLEST, LARGEST, CHUNK, PAGE>
{
    /// Where the first block of a class lies in its chunks.
    pub(super) const fn first(class: usize) -> usize {
        size_of::<Chunk>().next_multiple_of(SMALLEST << class)
    }

    /// How many blocks a chunk of a class has.
    pub(super) const fn count(class: usize) -> usize {
        (CHUNK - Self::first(class)) / (SMALLEST << class)
    }

    pub(super) fn request_chunk(upstream: &U) -> Result<NonNull<u8>, AllocError> {
        let layout = Layout::from_size_align(CHUNK, Self::CHUNK_ALIGN.bytes())
            .map_err(|_| AllocError::SizeOverflow)?;
        upstream.allocate(layout).map(MemoryBlock::as_non_null)
    }

    /// Asks upstream, and once more without the chunks that nobody uses if it refuses.
    pub(super) fn ask<T>(&self, request: impl Fn(&U) -> Result<T, AllocError>) -> Result<T, AllocError> {
        match request(&self.upstream) {
            Err(_) if self.live_small.get() == 0 && self.release_chunks() > 0 => request(&self.upstream),
            answer => answer,
        }
    }

    /// Gets a chunk for a class that has neither free nor fresh blocks.
    pub(super) fn grow(&self, class: usize) -> Result<(), AllocError> {
        let start = match self.spare.take() {
            Some(first) => first,
            None => match Self::request_chunk(&self.upstream) {
                Ok(start) => start,
                Err(error) if self.live_small.get() > 0 => return Err(error),
                Err(error) => {
                    self.release_chunks();
                    self.spare.take().ok_or(error)?
                }
            },
        };
        let chunk = start.cast::<Chunk>();
        // SAFETY: `CHUNK` bytes, aligned, ours alone: from `request_chunk`.
        unsafe { chunk.write(Chunk { next: self.chunks.get(), class }) };
        self.chunks.set(Some(chunk));
        // SAFETY: the first block lies in the chunk: BOUNDS.
        self.classes[class].fresh.set(Some(unsafe { start.add(Self::first(class)) }));
        self.classes[class].fresh_count.set(Self::count(class));
        Ok(())
    }

    /// All chunks with a class, the youngest first.
    pub(super) fn chunks(&self) -> impl Iterator<Item = (usize, Chunk)> + '_ {
        core::iter::successors(self.chunks.get().map(read), |(_, chunk)| chunk.next.map(read))
    }

    /// Gives all chunks upstream except for the first one, which then belongs to no class; how many. No small block is live, or
    /// the pool ends.
    pub(super) fn release_chunks(&self) -> usize {
        for class in &self.classes {
            class.free.set(None);
            class.fresh.set(None);
            class.fresh_count.set(0);
        }
        let (mut released, mut next) = (0, self.chunks.take());
        while let Some(chunk) = next {
            let (address, head) = read(chunk);
            next = head.next;
            if address == self.name {
                self.spare.set(Some(chunk.cast()));
            } else {
                // SAFETY: from `request_chunk`, in no list, without live blocks.
                unsafe { self.give_back(chunk.cast()) };
                released += 1;
            }
        }
        released
    }

    /// # Safety
    ///
    /// `start` came from [`request_chunk`](Self::request_chunk), and nobody uses it any more.
    pub(super) unsafe fn give_back(&self, start: NonNull<u8>) {
        let block = MemoryBlock::new(start, CHUNK);
        // SAFETY: upstream's block, with the requested length and alignment: this function's contract.
        unsafe { self.upstream.deallocate(block, Self::CHUNK_ALIGN) };
    }
}

/// A chunk's address and head.
fn read(chunk: NonNull<Chunk>) -> (usize, Chunk) {
    // SAFETY: MEM-CHUNK.
    (chunk.addr().get(), unsafe { chunk.read() })
}
