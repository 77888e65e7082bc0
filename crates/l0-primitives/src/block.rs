//! [`MemoryBlock`]: where a block lies and how large it really is.

use crate::Alignment;
use core::ptr::NonNull;

/// The name of a range of memory: its first byte and its real length, which may exceed the request.
///
/// ```text
///  start                         start + len
///    │◄────────────  len  ───────────►│
///    ├────────────────┬───────────────┤
///    │ split_at(n).0  │ split_at(n).1 │
/// ```
///
/// It is `Copy` and owns nothing: whoever made it says how long the memory lives and who may touch it, and
/// reading or writing through it is the reader's or writer's `unsafe`. Everything here is arithmetic on the
/// name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemoryBlock {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: a block is a pair of numbers with provenance; no method of it touches the memory, and what others
// do through its pointer is `unsafe` at their place, where they answer for the thread.
unsafe impl Send for MemoryBlock {}
// SAFETY: as for `Send`; a shared block can only be copied.
unsafe impl Sync for MemoryBlock {}

impl MemoryBlock {
    /// Names the `len` bytes from `start`.
    #[inline(always)]
    #[must_use]
    pub const fn new(start: NonNull<u8>, len: usize) -> Self {
        Self { start, len }
    }

    /// Names the bytes of a raw slice, as `core`'s allocator interface uses it.
    #[inline(always)]
    #[must_use]
    pub const fn from_slice_ptr(slice: NonNull<[u8]>) -> Self {
        Self { start: slice.cast(), len: slice.len() }
    }

    /// A block without bytes, at an address that is aligned and not null.
    #[inline(always)]
    #[must_use]
    pub const fn empty(alignment: Alignment) -> Self {
        let pointer = core::ptr::without_provenance_mut(alignment.bytes());
        match NonNull::new(pointer) {
            Some(start) => Self { start, len: 0 },
            // Cannot happen: an alignment is at least 1.
            None => Self { start: NonNull::dangling(), len: 0 },
        }
    }

    /// The first byte.
    #[inline(always)]
    #[must_use]
    pub const fn as_ptr(self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// The first byte, known not to be null.
    #[inline(always)]
    #[must_use]
    pub const fn as_non_null(self) -> NonNull<u8> {
        self.start
    }

    /// The bytes as a raw slice.
    #[inline(always)]
    #[must_use]
    pub const fn as_slice_ptr(self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.start, self.len)
    }

    /// The number of bytes.
    #[inline(always)]
    #[must_use]
    pub const fn len(self) -> usize {
        self.len
    }

    /// Whether there is no byte in it.
    #[inline(always)]
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The address of the first byte.
    #[inline(always)]
    #[must_use]
    pub fn address(self) -> usize {
        self.start.addr().get()
    }

    /// The address after the last byte (wrapped to 0 by a block that ends with the address space).
    #[inline(always)]
    #[must_use]
    pub fn end_address(self) -> usize {
        self.address().wrapping_add(self.len)
    }

    /// Whether `pointer` points at one of the bytes.
    #[inline(always)]
    #[must_use]
    pub fn contains<T>(self, pointer: *const T) -> bool {
        // One comparison: below `start` the difference wraps to something above any length.
        pointer.addr().wrapping_sub(self.address()) < self.len
    }

    /// Whether the two have a byte in common.
    #[inline]
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        other.address().wrapping_sub(self.address()) < self.len && !other.is_empty()
            || self.address().wrapping_sub(other.address()) < other.len && !self.is_empty()
    }

    /// Whether the first byte lies on a multiple of `alignment`.
    #[inline(always)]
    #[must_use]
    pub fn is_aligned(self, alignment: Alignment) -> bool {
        alignment.is_aligned(self.address())
    }

    /// The first `at` bytes and the rest, or `None` if there are fewer.
    #[inline]
    #[must_use]
    pub fn split_at(self, at: usize) -> Option<(Self, Self)> {
        let rest = self.len.checked_sub(at)?;
        // `wrapping_add` stays inside the range or at its end and keeps the provenance. It gives null only
        // for a block that ends with the address space.
        let middle = NonNull::new(self.start.as_ptr().wrapping_add(at))?;
        Some((Self::new(self.start, at), Self::new(middle, rest)))
    }

    /// The same start with the first `len` bytes only, or `None` if there are fewer.
    #[inline]
    #[must_use]
    pub fn truncated(self, len: usize) -> Option<Self> {
        (len <= self.len).then_some(Self::new(self.start, len))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn block_of(bytes: &mut [u8]) -> MemoryBlock {
        MemoryBlock::from_slice_ptr(NonNull::from(bytes))
    }

    #[test]
    fn names_a_slice_and_gives_it_back() {
        let mut bytes = [7u8; 10];
        let block = block_of(&mut bytes);
        assert_eq!(block.len(), 10);
        assert_eq!(block.end_address() - block.address(), 10);
        assert_eq!(MemoryBlock::from_slice_ptr(block.as_slice_ptr()), block);
        // SAFETY: the block names `bytes`, which lives and is not borrowed here.
        assert_eq!(unsafe { block.as_ptr().read() }, 7);
    }

    #[test]
    fn splits_without_gap_or_overlap() {
        let mut bytes = [0u8; 10];
        let block = block_of(&mut bytes);
        for at in 0..=10 {
            let (low, high) = block.split_at(at).unwrap();
            assert_eq!((low.len(), high.len()), (at, 10 - at));
            assert_eq!((low.address(), low.end_address()), (block.address(), high.address()));
            assert!(!low.overlaps(high) && !high.overlaps(low));
            assert_eq!(low.overlaps(block), at > 0);
            assert_eq!(block.overlaps(high), at < 10);
        }
        assert_eq!(block.split_at(11), None);
        assert_eq!(block.truncated(11), None);
        assert_eq!(block.truncated(3), Some(block.split_at(3).unwrap().0));
    }

    #[test]
    fn contains_its_bytes_and_no_others() {
        let mut bytes = [0u8; 10];
        let whole = block_of(&mut bytes);
        let middle = whole.split_at(2).unwrap().1.truncated(5).unwrap();
        for i in 0..10 {
            assert_eq!(middle.contains(whole.as_ptr().wrapping_add(i)), (2..7).contains(&i), "{i}");
        }
        assert!(!middle.contains(core::ptr::null::<u8>()));
    }

    #[test]
    fn an_empty_block_is_aligned_and_contains_nothing() {
        let alignment = Alignment::new(4096).unwrap();
        let empty = MemoryBlock::empty(alignment);
        assert!(empty.is_empty() && empty.is_aligned(alignment) && !empty.contains(empty.as_ptr()));
    }
}
