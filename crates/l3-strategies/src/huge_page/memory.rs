//! The memory: got from the best kind of pages that there is.

use core::fmt;
use core::mem::MaybeUninit;
use core::slice;

use stratalloc_platform::vm::{self, OsError};
use stratalloc_platform::{page, thp};
use stratalloc_resource::{AllocError, MemoryBlock};

use super::config::{Huge, HugePageConfig};
use super::report::{Declined, HugePageReport, PageKind, WhyNot};
use crate::reservation::GuardedReservation;

/// Memory in huge pages, if there are any; see the [module](super).
///
/// ```
/// use core::alloc::Layout;
/// use stratalloc_resource::MemoryResource;
/// use stratalloc_strategies::huge_page::{HugePageConfig, HugePages};
/// use stratalloc_strategies::tlsf::Tlsf;
///
/// let mut pages = HugePages::new(HugePageConfig::new(4 << 20))?;
/// assert!(pages.memory().len() >= 4 << 20);
/// let heap: Tlsf<'_> = Tlsf::over(pages.as_uninit_mut())?;
/// heap.allocate(Layout::new::<[u64; 100_000]>())?;
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
// Invariant MEMORY: all memory of `reservation` is committed.
pub struct HugePages {
    reservation: GuardedReservation,
    kind: PageKind,
    declined: [Option<Declined>; 3],
}

// SAFETY: the pointers lead to mappings that only this value uses.
unsafe impl Send for HugePages {}
// SAFETY: shared references read what never changes, and ask the kernel.
unsafe impl Sync for HugePages {}

impl HugePages {
    /// Gets memory of the best kind that the configuration allows and the machine has. See [`HugePages`] for an example.
    ///
    /// # Errors
    ///
    /// [`AllocError::SizeOverflow`] for a size that no address space holds, [`AllocError::OutOfMemory`] if not even plain pages were granted,
    /// or none could be made resident. That better pages were declined is no error; see [`declined`](Self::declined).
    pub fn new(config: HugePageConfig) -> Result<Self, AllocError> {
        let mut declined = [None; 3];
        for (place, (huge, allowed)) in declined.iter_mut().zip(config.kinds()) {
            let kind = huge.kind();
            // Nobody wants to hear of 1 GiB pages who did not ask for them.
            let silent = !allowed && kind == PageKind::Explicit(1 << 30);
            match if allowed { attempt(config.bytes, huge) } else { Err(WhyNot::NotAsked) } {
                Ok(reservation) => return Self::finish(reservation, kind, declined, config),
                Err(why) if !silent => *place = Some(Declined { kind, why }),
                Err(_) => {}
            }
        }
        let len = rounded(config.bytes, page::size()).ok_or(AllocError::SizeOverflow)?;
        let reservation = committed(len).map_err(|_| AllocError::OutOfMemory)?;
        Self::finish(reservation, PageKind::Plain, declined, config)
    }

    fn finish(
        reservation: GuardedReservation,
        kind: PageKind,
        declined: [Option<Declined>; 3],
        config: HugePageConfig,
    ) -> Result<Self, AllocError> {
        let this = Self { reservation, kind, declined };
        if config.populate {
            this.populate()?;
        }
        Ok(this)
    }

    /// Makes every page resident.
    fn populate(&self) -> Result<(), AllocError> {
        // SAFETY: MEMORY: committed, and ours.
        match unsafe { vm::prefault(self.memory().as_non_null(), self.memory().len()) } {
            Ok(()) => Ok(()),
            Err(error) if error.is_out_of_memory() => Err(AllocError::OutOfMemory),
            // A kernel that cannot (before 5.14): one write per page does the same.
            Err(_) => {
                for offset in (0..self.memory().len()).step_by(page::size()) {
                    // SAFETY: MEMORY: inside.
                    let place = unsafe { self.memory().as_non_null().add(offset) };
                    // SAFETY: as above; nobody has the memory yet.
                    unsafe { place.write_volatile(0) };
                }
                Ok(())
            }
        }
    }

    /// Where it lies, and how much it is: at least what was asked for. See [`HugePages`] for an example.
    #[must_use]
    pub const fn memory(&self) -> MemoryBlock {
        self.reservation.memory()
    }

    /// The memory, for a strategy over a slice. See [`HugePages`] for an example.
    #[must_use]
    pub const fn as_uninit_mut(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: MEMORY: valid, and `&mut self` makes it the only access.
        unsafe { slice::from_raw_parts_mut(self.memory().as_ptr().cast(), self.memory().len()) }
    }

    /// The kind of pages that was got. See [`HugePageConfig`] for an example.
    #[must_use]
    pub const fn kind(&self) -> PageKind {
        self.kind
    }

    /// The better kinds that it is not, best first, and why; see [`HugePageConfig`].
    pub fn declined(&self) -> impl Iterator<Item = Declined> + '_ {
        self.declined.iter().copied().flatten()
    }

    /// Asks the kernel what is huge now; see [`HugePageArena`](super::HugePageArena).
    #[must_use]
    pub fn report(&self) -> HugePageReport {
        let range = self.memory().address()..self.memory().end_address();
        let (kind, bytes) = (self.kind, self.memory().len());
        HugePageReport { kind, bytes, mapped: thp::mapped(range), declined: self.declined }
    }
}

/// Memory in huge pages of one kind, or why not.
fn attempt(bytes: usize, kind: Huge) -> Result<GuardedReservation, WhyNot> {
    // What no address space holds is refused by the last attempt, for plain pages.
    let round = |page| rounded(bytes, page).ok_or(WhyNot::Refused(OsError::OUT_OF_MEMORY));
    match kind {
        Huge::Explicit(page) => match round(page)? {
            len if len - bytes > bytes => Err(WhyNot::RequestTooSmall),
            len => explicit(len, page),
        },
        Huge::Transparent if bytes < page::huge_size() => Err(WhyNot::RequestTooSmall),
        // Not rounded to huge pages: the kernel uses small ones for the rest.
        Huge::Transparent => transparent(round(page::size())?),
    }
}

/// `bytes` in whole pages, if an address space can hold that and more.
fn rounded(bytes: usize, page: usize) -> Option<usize> {
    bytes.max(1).checked_next_multiple_of(page).filter(|&len| len <= isize::MAX.unsigned_abs() / 2)
}

fn explicit(len: usize, page: usize) -> Result<GuardedReservation, WhyNot> {
    GuardedReservation::huge(len, page).map_err(|error| match thp::explicit_of(page) {
        // Windows asks for a privilege, and has no pool.
        None if error == OsError::NOT_PERMITTED => WhyNot::Refused(error),
        None => WhyNot::NoSuchPages,
        Some(pool) if error.is_out_of_memory() => {
            let free = usize::try_from(pool.free).unwrap_or(usize::MAX);
            let needed = len / page;
            if free < needed { WhyNot::TooFewFree { needed, free } } else { WhyNot::Refused(error) }
        }
        Some(_) => WhyNot::Refused(error),
    })
}

fn transparent(len: usize) -> Result<GuardedReservation, WhyNot> {
    if thp::mode() == thp::Mode::Never {
        return Err(WhyNot::SwitchedOff);
    }
    let reservation = committed(len).map_err(WhyNot::Refused)?;
    // SAFETY: the memory just mapped.
    unsafe { vm::advise_huge(reservation.memory().as_non_null(), len, true) }.map_err(WhyNot::Refused)?;
    Ok(reservation)
}

/// Maps `len` bytes, aligned to huge pages, between two guards.
fn committed(len: usize) -> Result<GuardedReservation, OsError> {
    // Guards as large as a huge page, so that the memory keeps the alignment of the reservation.
    let reservation = GuardedReservation::new(len, page::huge_size(), page::huge_size())?;
    // SAFETY: inside the reservation just made.
    unsafe { vm::commit(reservation.memory().as_non_null(), len) }?;
    Ok(reservation)
}

impl fmt::Debug for HugePages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HugePages")
            .field("memory", &self.memory())
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
