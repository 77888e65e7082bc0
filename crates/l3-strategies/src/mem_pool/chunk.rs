//! Memory that blocks of one class are cut from.

use core::alloc::Layout;
use core::ptr::NonNull;

use stratalloc_primitives::primitive::atomic::{AtomicU32, Ordering};
use stratalloc_resource::{AllocError, MemoryBlock, MemoryResource};

use super::directory::{List, NO_CLASS};
use super::{CLASSES, MemPool};

/// The head of a chunk; a link for each block follows, then the blocks.
///
/// Invariant MEM-CHUNK: the chunk of a number that has a class is `CHUNK` bytes from upstream, at a multiple of that, with an
/// initialised head and links for that class at its start. It stays so while anybody is in the class (LIST-CLOSED).
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) number: u32,
}

/// Where links begin.
pub(super) const LINKS: usize = size_of::<Head>().next_multiple_of(align_of::<AtomicU32>());

/// Where the blocks of a class lie in its chunks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// The first block, a multiple of the blocks' length.
    pub(super) first: usize,
    pub(super) count: u32,
}

impl Plan {
    /// The most blocks of `len` bytes that fit into `chunk` bytes with their links.
    pub(super) const fn of(len: usize, chunk: usize) -> Self {
        let mut count = (chunk - LINKS) / (len + size_of::<AtomicU32>());
        loop {
            let first = (LINKS + count * size_of::<AtomicU32>()).next_multiple_of(len);
            if first + count * len <= chunk {
                #[expect(clippy::cast_possible_truncation, reason = "a chunk is at most 1 GiB: BOUNDS")]
                return Self { first, count: count as u32 };
            }
            // Without the rounding one more fitted.
            count -= 1;
        }
    }
}

impl<U: MemoryResource, const SMALLEST: usize, const LARGEST: usize, const CHUNK: usize, const PAGE: usize>
    MemPool<U, SMALLEST, LARGEST, CHUNK, PAGE>
{
    /// The plan of each class.
    pub(super) const PLANS: [Plan; CLASSES] = {
        let mut plans = [Plan { first: 0, count: 0 }; CLASSES];
        let mut class = 0;
        while class < Self::COUNT {
            plans[class] = Plan::of(SMALLEST << class, CHUNK);
            class += 1;
        }
        plans
    };

    /// The start of the chunk of a block of a class that the caller has entered.
    #[inline(always)]
    pub(super) fn chunk_of(&self, index: u32) -> *mut u8 {
        self.directory.place(index >> Self::BLOCK_BITS).start.load(Ordering::Acquire)
    }

    /// The link of a block of a class that the caller has entered.
    pub(super) fn link(&self, index: u32) -> &AtomicU32 {
        // SAFETY: its chunk, which is there while the caller is in its class: MEM-CHUNK.
        unsafe { self.link_in(self.chunk_of(index), index) }
    }

    /// The same without a look at the directory.
    ///
    /// # Safety
    ///
    /// `chunk` is the start of the block's chunk, which is there as long as the link is used: MEM-CHUNK.
    #[inline(always)]
    pub(super) unsafe fn link_in(&self, chunk: *mut u8, index: u32) -> &AtomicU32 {
        let block = (index & Self::BLOCK_MASK) as usize;
        // SAFETY: a link of the chunk: this function's contract.
        unsafe { &*chunk.wrapping_add(LINKS).cast::<AtomicU32>().wrapping_add(block) }
    }

    /// A new chunk from upstream, in nobody's list.
    pub(super) fn request_chunk(&self) -> Result<u32, AllocError> {
        let layout = Layout::from_size_align(CHUNK, CHUNK).map_err(|_| AllocError::SizeOverflow)?;
        let block = self.upstream.allocate(layout)?;
        match self.directory.number(&self.upstream, Self::MOST_CHUNKS) {
            Ok(number) => {
                self.directory.place(number).start.store(block.as_ptr(), Ordering::Release);
                Ok(number)
            }
            Err(error) => {
                // SAFETY: just allocated, and in nobody's hands.
                unsafe { self.give_back(block.as_non_null()) };
                Err(error)
            }
        }
    }

    /// A chunk for a class that the caller has entered, with head and links: a spare one, or a new one.
    pub(super) fn chunk_for(&self, class: usize) -> Result<u32, AllocError> {
        let number = match self.directory.pop(List::Spare) {
            Some(number) => number,
            None => self.request_chunk().or_else(|error| {
                self.close_idle();
                self.directory.pop(List::Spare).ok_or(error)
            })?,
        };
        let place = self.directory.place(number);
        let start = place.start.load(Ordering::Acquire);
        // SAFETY: the start of a chunk in no class, so ours alone; as aligned as it is long.
        unsafe { start.cast::<Head>().write(Head { number }) };
        let links = start.wrapping_add(LINKS).cast::<AtomicU32>();
        for block in 0..Self::PLANS[class].count as usize {
            // SAFETY: as above; there is room for as many links: `Plan::of`.
            unsafe { links.wrapping_add(block).write(AtomicU32::new(0)) };
        }
        #[expect(clippy::cast_possible_truncation, reason = "below CLASSES")]
        place.class.store(class as u32 + 1, Ordering::Release);
        Ok(number)
    }

    /// Makes a chunk belong to no class. The caller alone has it.
    pub(super) fn spare(&self, number: u32) {
        self.directory.place(number).class.store(NO_CLASS, Ordering::Release);
        self.directory.push(List::Spare, number);
    }

    /// Takes the chunks of all classes in which nobody is.
    fn close_idle(&self) {
        for (class, lists) in self.classes.iter().enumerate().take(Self::COUNT) {
            if lists.users() > 0 || !lists.close() {
                continue;
            }
            // LIST-CLOSED: no chunk enters or leaves the class meanwhile.
            for number in 0..self.directory.used() {
                if self.class_of_chunk(number) == Some(class) {
                    self.spare(number);
                }
            }
            lists.open();
        }
    }

    /// Gives the chunks upstream that nobody uses, except for the first one, which is the pool's identity; how many.
    pub(super) fn release_chunks(&self) -> usize {
        self.close_idle();
        let (mut released, mut kept) = (0, None);
        while let Some(number) = self.directory.pop(List::Spare) {
            if number == 0 {
                kept = Some(number);
                continue;
            }
            // Out of the directory first: upstream may make it a large block at once, which `find` must not mistake.
            let start = self.directory.place(number).start.swap(core::ptr::null_mut(), Ordering::AcqRel);
            self.directory.push(List::Vacant, number);
            if let Some(start) = NonNull::new(start) {
                // SAFETY: from `request_chunk`, in no class.
                unsafe { self.give_back(start) };
                released += 1;
            }
        }
        kept.into_iter().for_each(|number| self.directory.push(List::Spare, number));
        released
    }

    /// Asks upstream, and once more without the chunks that nobody uses if it refuses.
    pub(super) fn ask<T>(&self, request: impl Fn(&U) -> Result<T, AllocError>) -> Result<T, AllocError> {
        match request(&self.upstream) {
            Err(_) if self.release_chunks() > 0 => request(&self.upstream),
            answer => answer,
        }
    }

    /// The class of the chunk of a number.
    pub(super) fn class_of_chunk(&self, number: u32) -> Option<usize> {
        self.directory.place(number).class.load(Ordering::Acquire).checked_sub(1).map(|class| class as usize)
    }

    /// The numbers that have a chunk, and where it is.
    pub(super) fn chunks(&self) -> impl Iterator<Item = (u32, usize)> + '_ {
        let start = |number| self.directory.place(number).start.load(Ordering::Acquire).addr();
        (0..self.directory.used()).map(move |number| (number, start(number))).filter(|(_, start)| *start != 0)
    }

    /// # Safety
    ///
    /// `start` came from [`request_chunk`](Self::request_chunk), and nobody uses it any more.
    pub(super) unsafe fn give_back(&self, start: NonNull<u8>) {
        // SAFETY: upstream's block, with the requested length and alignment: this function's contract.
        unsafe { self.upstream.deallocate(MemoryBlock::new(start, CHUNK), Self::CHUNK_ALIGN) };
    }
}
