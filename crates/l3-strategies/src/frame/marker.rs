//! A saved position, and going back to it.

use core::ptr::NonNull;

use stratalloc_resource::{MemoryBlock, MemoryResource};

use super::bump::GIVEN_UP;
use super::chunk::{self, Chunk};
use super::guard::Guard;
use super::policy::Policy;
use super::{Frame, min_align};
use crate::misuse::{self, CHECKED, MisuseKind};

/// A position of a [`Frame`], made by [`Frame::marker`]. See [`Frame::rewind`] for an example.
#[derive(Clone, Copy, Debug)]
pub struct Marker {
    pub(super) current: Option<NonNull<Chunk>>,
    cursor: NonNull<u8>,
    bias: usize,
    count: usize,
    youngest: Option<NonNull<Guard>>,
    left: usize,
}

impl<P: Policy, U: MemoryResource> Frame<'_, P, U> {
    /// Where the frame is now. [`rewind`](Self::rewind) gives up what comes after. See [`rewind`](Self::rewind) for an example.
    #[must_use]
    pub fn marker(&self) -> Marker {
        Marker {
            current: self.current.get(),
            cursor: self.cursor(),
            bias: self.bias.get(),
            count: self.count.get(),
            youngest: self.youngest.get(),
            left: self.left.get(),
        }
    }

    /// Gives up all blocks that are younger than `marker`. [`scope`](Self::scope) does the same without `unsafe`.
    ///
    /// In a checked build a marker that is not of this frame's memory is a [`Misuse`](crate::Misuse).
    ///
    /// ```
    /// use stratalloc_strategies::frame::Frame;
    ///
    /// let mut memory = [core::mem::MaybeUninit::uninit(); 64];
    /// let frame: Frame = Frame::over(&mut memory);
    /// let kept = frame.alloc(1_u8);
    /// let marker = frame.marker();
    /// frame.alloc([2_u8; 50]);
    /// assert!(frame.vouches_for(&marker));
    /// // SAFETY: the marker is this frame's, and the array is not used any more.
    /// unsafe { frame.rewind(marker) };
    /// assert_eq!((*kept, frame.used()), (1, 1));
    /// ```
    ///
    /// # Safety
    ///
    /// * `marker` was made by this frame, and since then the frame was neither reset nor rewound to an older marker (`collect` is allowed);
    /// * nobody uses blocks that were made, moved or grown after it.
    pub unsafe fn rewind(&self, marker: Marker) {
        let marker = self.present(&marker);
        if CHECKED && !self.vouches_for(&marker) {
            misuse::report("frame", MisuseKind::StaleMarker, marker.cursor.addr().get());
            return;
        }
        // SAFETY: this function's contract.
        unsafe { self.rewind_to(&marker) };
    }

    /// Where a marker is now. Invariant LEFT: when `collect` gave the chunks of an empty frame back, no block was live, so whatever a marker from before
    /// then kept is gone, its chunk too, and all blocks there are now are younger than it: it means the start.
    #[inline]
    fn present(&self, marker: &Marker) -> Marker {
        if marker.left == self.left.get() { *marker } else { self.start() }
    }

    /// The position of an empty frame.
    pub(super) fn start(&self) -> Marker {
        let cursor = self.base.as_non_null();
        let bias = cursor.addr().get().wrapping_neg();
        Marker { current: None, cursor, bias, count: 0, youngest: None, left: self.left.get() }
    }

    /// # Safety
    ///
    /// As for [`rewind`](Self::rewind).
    #[inline]
    pub(super) unsafe fn rewind_to(&self, marker: &Marker) {
        let marker = &self.present(marker);
        self.note_peak();
        if P::CANARIES {
            self.report_damage(marker.youngest);
        }
        if P::FILL {
            self.fill_given_up(marker);
        }
        self.current.set(marker.current);
        self.limit.set(self.region_of(marker.current).end_address());
        self.bias.set(marker.bias);
        self.set_cursor(marker.cursor);
        self.count.set(marker.count);
        self.youngest.set(marker.youngest);
    }

    /// The bytes that blocks may have in a chunk, or in the base.
    pub(super) fn region_of(&self, chunk: Option<NonNull<Chunk>>) -> MemoryBlock {
        match chunk {
            None => self.base,
            // SAFETY: chunks that are named in frame or marker are in the chain: CHUNK.
            Some(chunk) => unsafe { chunk::room(chunk) },
        }
    }

    /// The base (`None`) and the chunks in use.
    pub(super) fn regions_in_use(&self) -> impl Iterator<Item = Option<NonNull<Chunk>>> + '_ {
        let current = self.current.get();
        // From `None` to the first, from each to the next, until after the current one.
        let after = move |place: Option<NonNull<Chunk>>| match place {
            None => self.first.get(),
            // SAFETY: in the chain: CHUNK.
            Some(chunk) => unsafe { chunk.as_ref() }.next.get(),
        };
        core::iter::successors(Some(None), move |&place| (place != current).then(|| after(place)))
    }

    /// Whether `marker` leads to a place of this frame where it may have been made. O(chunks). One that was made before a reset, or
    /// that a rewind has passed, may be taken for a good one; one from before a `collect` of the empty frame is good, and means the start. See
    /// [`rewind`](Self::rewind).
    #[must_use]
    pub fn vouches_for(&self, marker: &Marker) -> bool {
        let marker = self.present(marker);
        let mut regions = self.regions_in_use();
        regions.any(|region| region == marker.current) && {
            let region = self.region_of(marker.current);
            let offset = marker.cursor.addr().get().wrapping_sub(region.address());
            offset <= region.len() && min_align::<P>().is_aligned(marker.cursor.addr().get())
        }
    }

    /// Fills everything between the marker and the cursor.
    fn fill_given_up(&self, marker: &Marker) {
        let newer = self.regions_in_use().skip_while(|&region| region != marker.current);
        for place in newer {
            let region = self.region_of(place);
            let from = if place == marker.current { marker.cursor } else { region.as_non_null() };
            let end =
                if place == self.current.get() { self.cursor().addr().get() } else { region.end_address() };
            let len = end.saturating_sub(from.addr().get());
            if len > 0 {
                // SAFETY: inside the region; its blocks are given up: the callers' contract.
                unsafe { from.write_bytes(GIVEN_UP, len) };
            }
        }
    }
}
