//! A name for a process that no later process can have, and whether it still runs.

use core::num::NonZero;

use super::id;

#[cfg(not(windows))]
#[path = "mark/linux.rs"]
mod port;
#[cfg(windows)]
#[path = "mark/windows.rs"]
mod port;

/// A process, by its id and the moment of its start: an id alone is given to another process some time.
///
/// ```text
///   63            32 31            0
///   │ start (ticks) │ id           │     start: the low 32 bits (on Windows in units of 10 ms); two processes of one id would have to start 500 days apart, to a tick
/// ```
///
/// Both sides have to be in one namespace of process ids. A time namespace shifts what the kernel says about starts, so that a process
/// that runs would pass for another one; whoever is in one with a shift gets no mark.
///
/// Ids and ticks begin anew when the machine does: a mark that outlived a reboot, in a file, may be that of a process of now, which then counts
/// as the one that was marked. (`boot_id` could tell, but containers have it replaced, and then processes that run would pass for dead.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mark(NonZero<u64>);

impl Mark {
    /// The calling process; `None` if the kernel does not say (no `/proc`), or not to everybody the same (a time namespace with a shift).
    /// Some system calls: keep the answer, but not across a `fork`.
    #[must_use]
    pub fn own() -> Option<Self> {
        let id = id();
        Self::of(id, port::own_start(id)?)
    }

    fn of(id: u32, start: u32) -> Option<Self> {
        NonZero::new(u64::from(start) << 32 | u64::from(id)).map(Self)
    }

    /// As a number, to be stored where other processes read it; never 0.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0.get()
    }

    /// From what [`bits`](Self::bits) told.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Option<Self> {
        match NonZero::new(bits) {
            Some(bits) => Some(Self(bits)),
            None => None,
        }
    }

    /// Whether the process still runs. "No" is for ever, and then whatever it stored in shared memory is there: the kernel
    /// passed through locks between its last instruction and this answer. A process that could not be asked about counts as running.
    /// Three system calls.
    #[must_use]
    pub fn is_running(self) -> bool {
        let [id, start] =
            [self.0.get(), self.0.get() >> 32].map(|half| u32::try_from(half & 0xffff_ffff).unwrap_or(0));
        port::is_running(id, start)
    }
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn this_process_runs_and_another_of_its_id_does_not() {
        let own = Mark::own().unwrap();
        assert!(own.is_running());
        assert_eq!(Mark::from_bits(own.bits()), Some(own));
        assert_eq!(Mark::own(), Some(own));
        let earlier = Mark::from_bits(own.bits() ^ 1 << 32).unwrap();
        assert!(!earlier.is_running());
        assert!(!Mark::from_bits(1 << 32).unwrap().is_running(), "id 0");
    }
}
