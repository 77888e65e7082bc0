//! Canaries and fill patterns around every block.
//!
//! ```text
//!   inner block   │ unused │ canary │ size │ state │ canary │ the caller's bytes │ canary │ canary │
//!                                                           │ 0xCD when fresh    │ at the very next byte
//!                                                           │ 0xDD when released │
//! ```
//!
//! The state word says live or released; like the canaries it holds the block's address too, so a copy of a header elsewhere is not
//! taken for one. The block is shown exactly as long as requested, so an overflow by one byte hits a canary.
//!
//! | operation | cost |
//! | --- | --- |
//! | `allocate`, `deallocate` | six words written or compared, and a pass over the bytes for the pattern |
//! | `reallocate` | always moves, which finds pointers that were kept too long |
//! | memory | six words a block; with alignments above four words the front grows to the alignment |
//!
//! **Threads.** As the resource.
//!
//! **When to use it.** In tests and in the debug build of a subsystem, around any resource.
//!
//! **When not.** It finds writes next to a block at its release (or when [`check`](Guarded::check) is called), not reads, not writes far away,
//! and not writes after the release: the released bytes go back to the resource below at once. A second release is recognised as long as
//! that has not handed the memory out again.

use core::alloc::Layout;
use core::ptr::NonNull;

use stratalloc_resource::{
    Alignment, AllocError, Collect, MemoryBlock, MemoryResource, ResourceId, ResourceInfo, Validate,
    Violation, reallocate_by_moving,
};

use crate::damage::{Damage, DamageKind, report};
use crate::padded::Padding;

const WORD: usize = size_of::<usize>();
/// The words before the caller's bytes.
type Head = [usize; 4];
/// Where in the head the size and the state are. A list that the resource below keeps in what was released begins at the first word, so the
/// state comes late.
const SIZE: usize = 1;
const STATE: usize = 2;
/// The words behind the caller's bytes.
type Tail = [usize; 2];
const PADDING: Padding = Padding { head: size_of::<Head>(), tail: size_of::<Tail>() };

// With an address these differ in every bit from text, small numbers, pointers and the patterns: hardly anything writes them by accident.
#[expect(clippy::cast_possible_truncation, reason = "the lower half will do on 32-bit machines")]
const CANARY: usize = 0x9B5D_C3A7_E18F_64D3_u64 as usize;
#[expect(clippy::cast_possible_truncation, reason = "as above")]
const LIVE: usize = 0x6C1F_A0B7_5E92_D84B_u64 as usize;
const RELEASED: usize = !LIVE;
/// What fresh and released bytes are filled with.
const FRESH: u8 = 0xCD;
const STALE: u8 = 0xDD;

/// A resource with canaries around its blocks; see the [module](self).
///
/// What it finds goes to the [hook](crate::set_damage_hook), in every build.
///
/// ```
/// use core::alloc::Layout;
/// use stratalloc_modifiers::{DamageKind, Guarded};
/// use stratalloc_resource::{Alignment, FromGlobal, MemoryResource};
///
/// let guarded = Guarded::new(FromGlobal::new(&std::alloc::System));
/// let block = guarded.allocate(Layout::new::<[u8; 13]>())?;
/// // SAFETY: the byte behind the block is one of ours, so this example stays in bounds.
/// let behind = unsafe { block.as_ptr().add(13) };
/// // SAFETY: as above.
/// let canary = unsafe { behind.replace(0) };
/// // SAFETY: a live block of this resource.
/// let damage = unsafe { guarded.check(block) }.unwrap_err();
/// assert_eq!((damage.kind(), damage.offset()), (DamageKind::Overflow, Some(13)));
/// // SAFETY: as above; repaired, so that the release finds nothing.
/// unsafe { behind.write(canary) };
/// // SAFETY: live, with this alignment; not used any more.
/// unsafe { guarded.deallocate(block, Alignment::ONE) };
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Guarded<R> {
    inner: R,
}

/// The kind of the identity, which is composed of the inner one's: without state of its own, two over one resource are one.
struct GuardedKind;

impl<R> Guarded<R> {
    /// Guards what `inner` hands out. See [`Guarded`] for an example.
    #[must_use]
    pub const fn new(inner: R) -> Self {
        Self { inner }
    }

    /// The resource below.
    ///
    /// ```
    /// use stratalloc_modifiers::Guarded;
    ///
    /// assert_eq!(Guarded::new("below").inner(), &"below");
    /// ```
    #[must_use]
    pub const fn inner(&self) -> &R {
        &self.inner
    }

    /// Whether a live block is undamaged. See [`Guarded`] for an example.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    ///
    /// # Safety
    ///
    /// `block` is a live block of this resource, or the place of one that was released and whose memory is still the resource's below.
    pub unsafe fn check(&self, block: MemoryBlock) -> Result<(), Damage> {
        let damage = |kind| Damage::new("guarded", kind, block.address(), block.len());
        // SAFETY: this function's contract.
        let head = unsafe { head_of(block) };
        // SAFETY: this function's contract: the memory is the resource's, and the head was written when the block was made.
        let found = unsafe { head.read() };
        let expected = head_words(block.address(), found[SIZE]);
        if found[STATE] == expected[STATE] ^ LIVE ^ RELEASED {
            return Err(damage(DamageKind::DoubleRelease));
        }
        // The byte next to the block first: that is where most underflows are.
        if let Some(at) = differing(found, expected).last() {
            let offset = at.cast_signed() - size_of::<Head>().cast_signed();
            return Err(damage(DamageKind::Underflow).with_offset(offset));
        }
        if found[SIZE] != block.len() {
            return Err(damage(DamageKind::WrongSize));
        }
        // SAFETY: this function's contract, and this is the length.
        let tail = unsafe { tail_of(block) };
        // SAFETY: as above; it may begin at any byte.
        let found = unsafe { tail.read_unaligned() };
        match differing(found, tail_words(block.address())).next() {
            None => Ok(()),
            Some(at) => Err(damage(DamageKind::Overflow).with_offset((block.len() + at).cast_signed())),
        }
    }

    /// Whether the block may be released or moved. What is wrong with it is reported.
    ///
    /// # Safety
    ///
    /// As for [`check`](Self::check).
    unsafe fn admits(&self, block: MemoryBlock) -> bool {
        // SAFETY: this function's contract.
        match unsafe { self.check(block) } {
            Ok(()) => true,
            Err(damage) => {
                report(&damage);
                false
            }
        }
    }
}

fn head_words(address: usize, size: usize) -> Head {
    [CANARY ^ address, size, LIVE ^ address, !CANARY ^ address]
}

fn tail_words(address: usize) -> Tail {
    [CANARY ^ address, !CANARY ^ address]
}

/// The places of the bytes that differ, ascending.
fn differing<const N: usize>(
    found: [usize; N],
    expected: [usize; N],
) -> impl DoubleEndedIterator<Item = usize> {
    let differs = move |&at: &usize| {
        let byte = |words: [usize; N]| words[at / WORD].to_ne_bytes()[at % WORD];
        byte(found) != byte(expected)
    };
    (0..N * WORD).filter(differs)
}

/// # Safety
///
/// The block was made with [`PADDING`].
unsafe fn head_of(block: MemoryBlock) -> NonNull<Head> {
    // SAFETY: the head stands before the block: this function's contract.
    unsafe { block.as_non_null().cast::<Head>().sub(1) }
}

/// # Safety
///
/// As for [`head_of`].
unsafe fn tail_of(block: MemoryBlock) -> NonNull<Tail> {
    // SAFETY: the tail stands behind the block: this function's contract.
    unsafe { block.as_non_null().add(block.len()) }.cast()
}

impl<R: MemoryResource> Guarded<R> {
    /// A block with its canaries, full of `fill`.
    fn allocate_filled(&self, layout: Layout, fill: u8) -> Result<MemoryBlock, AllocError> {
        let block = PADDING.allocate(&self.inner, layout)?;
        // SAFETY: made with the padding.
        let head = unsafe { head_of(block) };
        // SAFETY: ours; aligned to words, as the inner block and its front are.
        unsafe { head.write(head_words(block.address(), layout.size())) };
        // SAFETY: made with the padding.
        let tail = unsafe { tail_of(block) };
        // SAFETY: ours.
        unsafe { tail.write_unaligned(tail_words(block.address())) };
        // SAFETY: ours until it is returned.
        unsafe { block.as_ptr().write_bytes(fill, block.len()) };
        Ok(block)
    }
}

// SAFETY:
// * Fit: `Padding` leaves the requested bytes at an aligned place; the length shown is the only one that fits;
// * Disjoint, Stable: inside the inner resource's blocks; a live block's bytes are not touched;
// * Threads: as the inner resource; there is no other state;
// * Errors: the inner resource's; a damaged block is reported and left alone;
// * Identity: composed of the inner one's, and all of the same identity guard alike.
unsafe impl<R: MemoryResource> MemoryResource for Guarded<R> {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.allocate_filled(layout, FRESH)
    }

    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        // SAFETY: this function's contract.
        if !unsafe { self.admits(block) } {
            return;
        }
        // SAFETY: made with the padding.
        let head = unsafe { head_of(block) };
        let mut words = head_words(block.address(), block.len());
        words[STATE] ^= LIVE ^ RELEASED;
        // SAFETY: ours.
        unsafe { head.write(words) };
        // SAFETY: nobody uses the bytes any more: this function's contract.
        unsafe { block.as_ptr().write_bytes(STALE, block.len()) };
        // SAFETY: this function's contract, and `admits` compared the length.
        unsafe { PADDING.deallocate(&self.inner, block, align) };
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        // SAFETY: this function's contract.
        if !unsafe { self.admits(block) } {
            return Err(AllocError::NotOwned);
        }
        // SAFETY: this function's contract.
        unsafe { reallocate_by_moving(self, block, new_size, align) }
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.allocate_filled(layout, 0)
    }

    fn identity(&self) -> ResourceId {
        ResourceId::composed::<GuardedKind>(&[self.inner.identity()])
    }

    fn info(&self) -> ResourceInfo<'_> {
        PADDING.limits("guarded", &self.inner.info())
    }
}

impl<R: Collect> Collect for Guarded<R> {
    fn collect(&self) -> usize {
        self.inner.collect()
    }
}

impl<R: Validate> Validate for Guarded<R> {
    fn validate(&self) -> Result<(), Violation> {
        self.inner.validate()
    }
}
