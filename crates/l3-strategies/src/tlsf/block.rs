//! One block of TLSF memory: the header word, the footer and the links of a free block.
//!
//! ```text
//!   header word            payload                                        next header
//!   │ size │ · │P│F│ ◄──── size − HEADER bytes, aligned to GRANULE ────► │ size │ · │P│F│
//!
//!   used   │ header │ the caller's bytes ………………………………………………………… │
//!   free   │ header │ next │ previous │ …………………… nobody's …………… │ footer = size │
//!
//!   bit 0 F  this block is free        bits 2 ..= log2(GRANULE) − 1: zero
//!   bit 1 P  the block before is free, so its footer stands in the word before this header
//! ```
//!
//! All methods are arithmetic on, or one access to, words of the block; which words may be read is said in the
//! invariant BLOCK, which every caller upholds by taking blocks from bins, from neighbours, or from live payloads.
//!
//! **BLOCK** A `Block` lies in a pool at an address ≡ HEADER (mod GRANULE), its header word tells its size, and unless it
//! is the sentinel of size 0 another block begins `size` bytes further. Link words and footer are valid while it is free.

use core::ptr::NonNull;

/// Bytes of one machine word.
const WORD: usize = size_of::<usize>();
/// What every block costs, and nothing else does.
pub(super) const HEADER: usize = WORD;
/// Sizes of blocks and addresses of payloads are multiples of this: 16 bytes with 64-bit words, 8 with 32-bit ones.
pub(super) const GRANULE: usize = 2 * WORD;
/// A free block holds header, two links and footer.
pub(super) const MIN_BLOCK: usize = 4 * WORD;

const FREE: usize = 1;
const PREVIOUS_FREE: usize = 2;
const FLAGS: usize = FREE | PREVIOUS_FREE;

// The flags live in bits that no size has.
const _: () = assert!(FLAGS < GRANULE && GRANULE.is_power_of_two() && MIN_BLOCK.is_multiple_of(GRANULE));

/// The bytes of a block whose payload holds `size` bytes, or `None` if that is more than an address space.
#[inline(always)]
pub(super) const fn block_size(size: usize) -> Option<usize> {
    match size.checked_add(HEADER + GRANULE - 1) {
        Some(sum) => {
            let rounded = sum & !(GRANULE - 1);
            Some(if rounded < MIN_BLOCK { MIN_BLOCK } else { rounded })
        }
        None => None,
    }
}

/// A place where a block begins (BLOCK).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Block {
    header: NonNull<usize>,
}

impl Block {
    /// The block whose header word is at `header`.
    #[inline(always)]
    pub(super) const fn at(header: NonNull<u8>) -> Self {
        Self { header: header.cast() }
    }

    /// The block whose payload begins at `payload`.
    ///
    /// # Safety
    ///
    /// `payload` is the start of a payload in a pool (BLOCK).
    #[inline(always)]
    pub(super) unsafe fn of_payload(payload: NonNull<u8>) -> Self {
        // SAFETY: a header stands before every payload, in the same pool: this function's contract.
        Self::at(unsafe { payload.sub(HEADER) })
    }

    #[inline(always)]
    pub(super) fn address(self) -> usize {
        self.header.addr().get()
    }

    /// The first byte of the header.
    #[inline(always)]
    pub(super) const fn start(self) -> NonNull<u8> {
        self.header.cast()
    }

    /// The first byte of the payload.
    ///
    /// # Safety
    ///
    /// BLOCK, as for all methods below.
    #[inline(always)]
    pub(super) unsafe fn payload(self) -> NonNull<u8> {
        // SAFETY: the byte after the header is in the pool, or one past it behind the sentinel: BLOCK.
        unsafe { self.start().add(HEADER) }
    }

    /// The place `offset` bytes further; the caller knows what is there.
    ///
    /// # Safety
    ///
    /// BLOCK, and `offset` bytes further is still in the pool.
    #[inline(always)]
    pub(super) unsafe fn shifted(self, offset: usize) -> Self {
        // SAFETY: inside the pool: this function's contract.
        Self::at(unsafe { self.start().add(offset) })
    }

    /// # Safety
    ///
    /// BLOCK.
    #[inline(always)]
    unsafe fn word(self) -> usize {
        // SAFETY: the header is initialised and aligned: BLOCK.
        unsafe { self.header.read() }
    }

    /// # Safety
    ///
    /// The address is one where a block may begin (BLOCK but for the word that is written here).
    #[inline(always)]
    unsafe fn set_word(self, word: usize) {
        // SAFETY: in the pool and aligned: this function's contract.
        unsafe { self.header.write(word) };
    }

    /// The distance to the next header; 0 for the sentinel.
    ///
    /// # Safety
    ///
    /// BLOCK.
    #[inline(always)]
    pub(super) unsafe fn size(self) -> usize {
        // SAFETY: BLOCK.
        unsafe { self.word() & !FLAGS }
    }

    /// # Safety
    ///
    /// BLOCK.
    #[inline(always)]
    pub(super) unsafe fn is_free(self) -> bool {
        // SAFETY: BLOCK.
        unsafe { self.word() & FREE != 0 }
    }

    /// Size, and whether it is free.
    ///
    /// # Safety
    ///
    /// BLOCK.
    #[inline(always)]
    pub(super) unsafe fn state(self) -> (usize, bool) {
        // SAFETY: BLOCK.
        let word = unsafe { self.word() };
        (word & !FLAGS, word & FREE != 0)
    }

    /// # Safety
    ///
    /// BLOCK.
    #[inline(always)]
    pub(super) unsafe fn previous_is_free(self) -> bool {
        // SAFETY: BLOCK.
        unsafe { self.word() & PREVIOUS_FREE != 0 }
    }

    /// Makes this a used block of `size` bytes behind a used one or behind what `previous_free` says.
    ///
    /// # Safety
    ///
    /// The range is the caller's alone, and a block begins where it ends, or is about to be written there.
    #[inline(always)]
    pub(super) unsafe fn make_used(self, size: usize, previous_free: bool) {
        // SAFETY: this function's contract.
        unsafe { self.set_word(size | if previous_free { PREVIOUS_FREE } else { 0 }) };
    }

    /// Makes this a free block of `size` bytes: header, footer, and the flag in the next header. The block before is used:
    /// free neighbours are merged first.
    ///
    /// # Safety
    ///
    /// The range is the caller's alone and at least `MIN_BLOCK` long; a block begins where it ends.
    #[inline(always)]
    pub(super) unsafe fn make_free(self, size: usize) {
        // SAFETY: this function's contract.
        unsafe { self.make_free_as_before(size) };
        // SAFETY: the next block begins there: this function's contract.
        let next = unsafe { self.shifted(size) };
        // SAFETY: BLOCK for the next one.
        unsafe { next.set_previous_free(true) };
    }

    /// As [`make_free`](Self::make_free) for the end of a free block, whose next one knows already that what is before it is free.
    ///
    /// # Safety
    ///
    /// As for `make_free`; the range was the end of a free block.
    #[inline(always)]
    pub(super) unsafe fn make_free_as_before(self, size: usize) {
        // SAFETY: this function's contract.
        unsafe { self.set_word(size | FREE) };
        // SAFETY: the next block begins there: this function's contract.
        let next = unsafe { self.shifted(size) };
        // SAFETY: the word before the next header is the last of this range.
        let footer = unsafe { next.header.sub(1) };
        // SAFETY: in this range, which is the caller's, and not one of the first three words.
        unsafe { footer.write(size) };
    }

    /// Sets the header's flag alone, ahead of [`make_free`](Self::make_free).
    ///
    /// # Safety
    ///
    /// BLOCK, and the block is the caller's.
    #[inline(always)]
    pub(super) unsafe fn mark_free(self) {
        // SAFETY: BLOCK.
        let word = unsafe { self.word() };
        // SAFETY: BLOCK; size and other flag are unchanged.
        unsafe { self.set_word(word | FREE) };
    }

    /// # Safety
    ///
    /// BLOCK.
    #[inline(always)]
    pub(super) unsafe fn set_previous_free(self, free: bool) {
        // SAFETY: BLOCK.
        let word = unsafe { self.word() };
        let word = if free { word | PREVIOUS_FREE } else { word & !PREVIOUS_FREE };
        // SAFETY: BLOCK; the size is unchanged.
        unsafe { self.set_word(word) };
    }

    /// The block after this one; not for the sentinel.
    ///
    /// # Safety
    ///
    /// BLOCK, and the size is not 0.
    #[inline(always)]
    pub(super) unsafe fn next(self) -> Self {
        // SAFETY: BLOCK.
        let size = unsafe { self.size() };
        // SAFETY: a block begins there: BLOCK.
        unsafe { self.shifted(size) }
    }

    /// The footer of the block before this one.
    ///
    /// # Safety
    ///
    /// BLOCK, and `previous_is_free`.
    #[inline(always)]
    pub(super) unsafe fn previous_footer(self) -> usize {
        // SAFETY: the block before is free, so its footer is valid: BLOCK.
        let footer = unsafe { self.header.sub(1) };
        // SAFETY: as above.
        unsafe { footer.read() }
    }

    /// The block before this one.
    ///
    /// # Safety
    ///
    /// BLOCK, and `previous_is_free`.
    #[inline(always)]
    pub(super) unsafe fn previous(self) -> Self {
        // SAFETY: this function's contract.
        let size = unsafe { self.previous_footer() };
        // SAFETY: the footer tells where the free block before begins: BLOCK.
        Self::at(unsafe { self.start().sub(size) })
    }

    /// The two link words, next and previous of a bin's list.
    ///
    /// # Safety
    ///
    /// The range is at least `MIN_BLOCK` long, and free or the caller's alone.
    #[inline(always)]
    unsafe fn links(self) -> NonNull<[Option<Block>; 2]> {
        // SAFETY: the words after the header are in the block: this function's contract.
        unsafe { self.header.add(1) }.cast()
    }

    /// Next and previous block in the list of its bin.
    ///
    /// # Safety
    ///
    /// BLOCK, and the block is in a bin.
    #[inline(always)]
    pub(super) unsafe fn read_links(self) -> [Option<Block>; 2] {
        // SAFETY: this function's contract.
        let links = unsafe { self.links() };
        // SAFETY: links of a block in a bin are initialised: BLOCK.
        unsafe { links.read() }
    }

    /// Sets both links.
    ///
    /// # Safety
    ///
    /// The block is free and the caller's.
    #[inline(always)]
    pub(super) unsafe fn write_links(self, next: Option<Block>, previous: Option<Block>) {
        // SAFETY: this function's contract.
        let links = unsafe { self.links() };
        // SAFETY: both words are in the free block: this function's contract.
        unsafe { links.write([next, previous]) };
    }

    /// Sets the link to the next block of the list and keeps the other.
    ///
    /// # Safety
    ///
    /// BLOCK, and the block is in a bin.
    #[inline(always)]
    pub(super) unsafe fn set_list_next(self, next: Option<Block>) {
        // SAFETY: this function's contract.
        let links = unsafe { self.links() };
        // SAFETY: the first link word of a free block.
        unsafe { links.cast::<Option<Block>>().write(next) };
    }

    /// Where the link to the previous block of the list is.
    ///
    /// # Safety
    ///
    /// BLOCK, and the block is in a bin.
    #[inline(always)]
    pub(super) unsafe fn previous_link(self) -> NonNull<Option<Self>> {
        // SAFETY: this function's contract.
        let links = unsafe { self.links() };
        // SAFETY: the second link word follows the first in the free block.
        unsafe { links.cast::<Option<Self>>().add(1) }
    }

    /// Sets the link to the previous block of the list and keeps the other.
    ///
    /// # Safety
    ///
    /// BLOCK, and the block is in a bin.
    #[inline(always)]
    pub(super) unsafe fn set_list_previous(self, previous: Option<Self>) {
        // SAFETY: this function's contract.
        let link = unsafe { self.previous_link() };
        // SAFETY: the second link word of a free block.
        unsafe { link.write(previous) };
    }
}
