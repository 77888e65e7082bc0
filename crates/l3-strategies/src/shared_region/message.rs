//! Messages: blocks that go from hand to hand.

use core::alloc::Layout;
use core::fmt;
use core::ops::{Deref, DerefMut};
use core::slice;

use stratalloc_resource::{AllocError, MemoryBlock};

use super::block::{self, Head, LENGTH};
use super::heap;
use super::layout::{KEPT, QUEUES};
use super::words::Words;
use super::{Offset, SharedRegion};

/// A block that this process holds: to be filled and sent, or received and read. Released when dropped.
///
/// Aligned to 32 bytes in every process. See [`SharedRegion`] for an example.
// Invariant HELD: the block at `at` is held by `region`'s participant, its payload is at `bytes`, and no other value knows it.
pub struct Message<'r> {
    region: &'r SharedRegion,
    at: u64,
    bytes: MemoryBlock,
}

impl SharedRegion {
    /// A message of `len` bytes, to be written: they are what somebody left there. See [`SharedRegion`] for an example.
    ///
    /// # Errors
    ///
    /// [`AllocError::CapacityExhausted`] if there is no room, even after cleaning up behind dead processes; [`AllocError::Unsupported`] in a child of `fork`.
    pub fn message(&self, len: usize) -> Result<Message<'_>, AllocError> {
        let layout = Layout::from_size_align(len, 1).map_err(|_| AllocError::SizeOverflow)?;
        let (at, block) = self.take(layout, len as u64)?;
        let bytes = block.truncated(len).ok_or(AllocError::CapacityExhausted)?;
        Ok(Message { region: self, at, bytes })
    }

    /// The oldest message of a queue (0 to 31), if there is one. It is this process's from now on. See [`SharedRegion`] for an example.
    #[must_use]
    pub fn receive(&self, queue: usize) -> Option<Message<'_>> {
        let queue = (queue as u64) % QUEUES;
        // Without the lock: an empty queue costs one load. A message that comes just now is found by the next look.
        if self.words().get_acquire(super::layout::AT_QUEUES + 2 * queue) == 0 {
            return None;
        }
        self.locked(|words| {
            let (at, _) = heap::receive(words, queue, self.owner)?;
            self.held(at, words)
        })?
    }

    /// Takes a block that was [kept](Message::keep). Only one process gets it. See [`root`](Self::root) for an example.
    #[must_use]
    pub fn adopt(&self, offset: Offset<u8>) -> Option<Message<'_>> {
        let at = self.block_at(self.pointer(offset)?.addr().get())?;
        self.locked(|words| heap::hand_over(words, at, KEPT, self.owner).then(|| self.held(at, words)))??
    }

    /// The message in a block that became this process's just now.
    fn held(&self, at: u64, words: &Words<'_>) -> Option<Message<'_>> {
        let whole = self.payload(at, block::read(words, at)?.size)?;
        let length = usize::try_from(words.get(at + LENGTH)).unwrap_or(usize::MAX).min(whole.len());
        Some(Message { region: self, at, bytes: MemoryBlock::new(whole.as_non_null(), length) })
    }
}

impl Message<'_> {
    /// The block's head, if it is this process's still. It is (HELD), unless somebody released it who did not have it: then it may be another
    /// process's by now, and stays that.
    fn head(&self, words: &Words<'_>) -> Option<Head> {
        heap::live(words, self.at).ok().filter(|head| head.owner == self.region.owner)
    }

    /// Puts it into a queue (0 to 31; higher numbers wrap). From then on it is whoever's receives it, even if this process dies.
    /// See [`SharedRegion`] for an example.
    pub fn send(self, queue: usize) {
        let queue = (queue as u64) % QUEUES;
        self.region.locked(|words| {
            if let Some(head) = self.head(words) {
                heap::send(words, self.at, head, queue);
            }
        });
        // It is not this value's to release any more. (In a child of `fork` it never was.)
        core::mem::forget(self);
    }

    /// Gives it to the region: it outlives this process, and all of them if the region does. [`SharedRegion::adopt`] takes it; see [`SharedRegion::root`].
    #[must_use = "nobody finds it without the offset"]
    pub fn keep(self) -> Offset<u8> {
        let offset = self.offset();
        self.region.locked(|words| heap::hand_over(words, self.at, self.region.owner, KEPT));
        core::mem::forget(self);
        offset
    }

    /// Where it is, for every process. An example is at [`SharedRegion::root`].
    #[must_use]
    pub fn offset(&self) -> Offset<u8> {
        let bytes = self.bytes.address() - self.region.map.block().address();
        // A payload never lies at the start of the region.
        Offset::new(bytes as u64).unwrap_or_else(|| unreachable!("a header lies before it"))
    }
}

impl Deref for Message<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: HELD: mapped, nobody else's; every byte of a file has a value.
        unsafe { slice::from_raw_parts(self.bytes.as_ptr(), self.bytes.len()) }
    }
}

impl DerefMut for Message<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `deref`; `&mut self` makes it the only access.
        unsafe { slice::from_raw_parts_mut(self.bytes.as_ptr(), self.bytes.len()) }
    }
}

impl Drop for Message<'_> {
    fn drop(&mut self) {
        self.region.locked(|words| {
            if let Some(head) = self.head(words) {
                heap::free(words, self.at, head);
            }
        });
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({} bytes at {:#x})", self.bytes.len(), self.offset().get())
    }
}
