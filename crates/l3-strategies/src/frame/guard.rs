//! The canaries of a frame whose policy has them.
//!
//! ```text
//!  │ pad │ previous │ len │ align │ front │ block: len bytes │ rear │
//!        ▲                                ▲
//!        Guard                            what the caller gets, aligned as asked
//!
//!  front   LIVE or RELEASED, each xored with the block's address
//!  rear    one word, read byte by byte: a block may end anywhere
//! ```
//!
//! Invariant GUARDS: guards form a list from the frame's `youngest` to its oldest; each lies in the used part of a region, with
//! its block and rear behind it. All bytes of entered regions are initialised (policies with canaries fill), so a guard may be
//! looked for, though not found, before any address.

use core::alloc::Layout;
use core::ptr::NonNull;

use stratalloc_resource::{Alignment, AllocError, MemoryBlock, MemoryResource};

use super::Frame;
use super::bump::GIVEN_UP;
use super::policy::Policy;
use crate::misuse::{self, Misuse, MisuseKind};

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Guard {
    previous: Option<NonNull<Guard>>,
    len: usize,
    align: usize,
    // Last, so that writes before the block meet it first.
    front: usize,
}

const LIVE: usize = 0x5AFE_B10C_u32 as usize;
const RELEASED: usize = 0xDEAD_B10C_u32 as usize;
const REAR: [u8; size_of::<usize>()] = [0xFD; size_of::<usize>()];
const SIZE: usize = size_of::<Guard>();

impl Guard {
    /// The block behind a guard.
    ///
    /// # Safety
    ///
    /// `guard` was written by `guarded`.
    unsafe fn block(guard: NonNull<Self>) -> MemoryBlock {
        // SAFETY: initialised: this function's contract.
        let len = unsafe { guard.as_ref() }.len;
        // SAFETY: the block follows in the same region: GUARDS.
        MemoryBlock::new(unsafe { guard.cast::<u8>().add(SIZE) }, len)
    }
}

/// The bytes of `block` that differ from `expected`: whether there are any.
fn differs(block: MemoryBlock, expected: u8) -> bool {
    (0..block.len()).any(|index| {
        // SAFETY: inside an entered region, so initialised: GUARDS.
        unsafe { block.as_ptr().wrapping_add(index).read() != expected }
    })
}

/// The rear of a block.
fn rear(block: MemoryBlock) -> MemoryBlock {
    // SAFETY: the rear follows its block: GUARDS.
    MemoryBlock::new(unsafe { block.as_non_null().add(block.len()) }, REAR.len())
}

impl<P: Policy, U: MemoryResource> Frame<'_, P, U> {
    /// A block between canaries.
    pub(super) fn guarded(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let align = layout.align().max(align_of::<Guard>());
        let before = SIZE.checked_next_multiple_of(align).ok_or(AllocError::SizeOverflow)?;
        let size = (before + REAR.len()).checked_add(layout.size()).ok_or(AllocError::SizeOverflow)?;
        let whole = Layout::from_size_align(size, align).map_err(|_| AllocError::SizeOverflow)?;
        let raw = self.raw(whole)?;
        // SAFETY: `before` is at most `whole.size()`.
        let start = unsafe { raw.add(before) };
        // SAFETY: `before` is at least SIZE.
        let guard = unsafe { start.sub(SIZE) }.cast::<Guard>();
        let value = Guard {
            previous: self.youngest.get(),
            len: layout.size(),
            align: layout.align(),
            front: LIVE ^ start.addr().get(),
        };
        // SAFETY: inside `whole`; aligned, because the block is aligned at least as a guard, and SIZE is a multiple of that.
        unsafe { guard.write(value) };
        let rear = rear(MemoryBlock::new(start, layout.size()));
        // SAFETY: `whole` ends after the rear.
        unsafe { rear.as_ptr().copy_from_nonoverlapping(REAR.as_ptr(), REAR.len()) };
        self.youngest.set(Some(guard));
        Ok(start)
    }

    /// The guard of a block that is handed back, or what is wrong with it.
    pub(super) fn guard_of(
        &self,
        block: MemoryBlock,
        align: Alignment,
    ) -> Result<NonNull<Guard>, MisuseKind> {
        let place = block.as_ptr().wrapping_sub(SIZE);
        let Some(place) = NonNull::new(place).filter(|place| self.holds(place.addr().get(), SIZE)) else {
            return Err(MisuseKind::ForeignBlock);
        };
        let guard = place.cast::<Guard>();
        if !guard.is_aligned() {
            return Err(MisuseKind::InteriorPointer);
        }
        // SAFETY: in an entered region, which is initialised; aligned; any bytes are a `Guard`, but for `previous`, which
        // accepts any address too.
        let Guard { len, align: asked, front, .. } = unsafe { guard.read() };
        if front == RELEASED ^ block.address() {
            return Err(MisuseKind::DoubleRelease);
        }
        if front != LIVE ^ block.address() {
            let known = self.guards(None).any(|other| other == guard);
            return Err(if known { MisuseKind::Underflow } else { MisuseKind::InteriorPointer });
        }
        let whole = MemoryBlock::new(block.as_non_null(), len);
        if !self.holds(block.address(), len) || differs(rear(whole), REAR[0]) {
            return Err(MisuseKind::Overflow);
        }
        if len != block.len() {
            return Err(MisuseKind::WrongSize);
        }
        if asked != align.bytes() { Err(MisuseKind::WrongAlignment) } else { Ok(guard) }
    }

    /// Moves the rear of a live block that was checked.
    pub(super) fn shrink_guarded(&self, block: MemoryBlock, new_size: usize) -> MemoryBlock {
        let shrunk = MemoryBlock::new(block.as_non_null(), new_size);
        // SAFETY: its guard lies before it.
        let guard = unsafe { block.as_non_null().sub(SIZE) }.cast::<Guard>();
        // SAFETY: found by `guard_of`; nobody holds a reference to it.
        unsafe { (*guard.as_ptr()).len = new_size };
        // SAFETY: before the old rear's end.
        unsafe { rear(shrunk).as_ptr().copy_from_nonoverlapping(REAR.as_ptr(), REAR.len()) };
        shrunk
    }

    /// Marks a live block as released, and fills it.
    pub(super) fn mark_released(&self, guard: NonNull<Guard>) {
        // SAFETY: found by `guard_of`.
        let block = unsafe { Guard::block(guard) };
        // SAFETY: the block was handed back.
        unsafe { block.as_non_null().write_bytes(GIVEN_UP, block.len()) };
        // SAFETY: found by `guard_of`; nobody holds a reference to it.
        unsafe { (*guard.as_ptr()).front = RELEASED ^ block.address() };
    }

    /// The guards from the youngest to the one before `oldest`.
    fn guards(&self, oldest: Option<NonNull<Guard>>) -> impl Iterator<Item = NonNull<Guard>> + '_ {
        let stop = move |guard: &NonNull<Guard>| Some(*guard) != oldest && self.is_plausible(*guard);
        // SAFETY: plausible, so in an entered region and aligned, hence readable: GUARDS.
        let previous = |guard: &NonNull<Guard>| unsafe { guard.read() }.previous;
        core::iter::successors(self.youngest.get().filter(stop), move |guard| previous(guard).filter(stop))
    }

    /// Whether a guard may be read there: a link may have been overwritten.
    fn is_plausible(&self, guard: NonNull<Guard>) -> bool {
        guard.is_aligned() && self.holds(guard.addr().get(), SIZE)
    }

    /// Checks all canaries, and that released blocks were not written to. Finds nothing under policies without canaries. See
    /// [`Safety`](super::Safety).
    ///
    /// # Errors
    ///
    /// The first damage from the youngest block on.
    pub fn verify(&self) -> Result<(), Misuse> {
        if P::CANARIES { self.verify_from(None) } else { Ok(()) }
    }

    fn verify_from(&self, oldest: Option<NonNull<Guard>>) -> Result<(), Misuse> {
        self.guards(oldest).try_for_each(|guard| {
            // SAFETY: as in `guards`.
            let Guard { len, front, .. } = unsafe { guard.read() };
            // SAFETY: readable; whether `len` is right is looked at next.
            let block = unsafe { Guard::block(guard) };
            let damage = |kind| Err(Misuse::new("frame", kind, block.address()));
            let released = front == RELEASED ^ block.address();
            if !released && front != LIVE ^ block.address() {
                return damage(MisuseKind::Underflow);
            }
            if !self.holds(block.address(), len) || differs(rear(block), REAR[0]) {
                return damage(MisuseKind::Overflow);
            }
            if released && differs(block, GIVEN_UP) {
                return damage(MisuseKind::WriteAfterRelease);
            }
            Ok(())
        })
    }

    /// Damage is reported once: whoever catches the panic meets the drop of the frame next, and a second panic would abort.
    pub(super) fn expect_damage(&self, kind: MisuseKind) {
        if matches!(kind, MisuseKind::Overflow | MisuseKind::Underflow) {
            self.youngest.set(None);
        }
    }

    /// Reports the first damage among blocks that are about to be given up.
    pub(super) fn report_damage(&self, oldest: Option<NonNull<Guard>>) {
        if let Err(misuse) = self.verify_from(oldest) {
            // Reported once, as above.
            self.youngest.set(oldest);
            misuse::report("frame", misuse.kind(), misuse.address());
        }
    }
}
