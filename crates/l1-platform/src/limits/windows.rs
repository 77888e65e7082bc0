//! `GlobalMemoryStatusEx`, and what is the same on every Windows.

use super::Overcommit;
use crate::kernel32::{self, MemoryStatus};

pub(super) fn address_space() -> Option<u64> {
    None
}

pub(super) fn overcommit() -> Overcommit {
    Overcommit::Never
}

pub(super) fn total_memory() -> u64 {
    let length = u32::try_from(size_of::<MemoryStatus>()).unwrap_or(0);
    let mut status = MemoryStatus { length, ..MemoryStatus::default() };
    // SAFETY: writes one record of the length that it states.
    let answer = unsafe { kernel32::GlobalMemoryStatusEx(&raw mut status) };
    if answer != 0 { status.total_physical } else { 0 }
}

pub(super) fn cgroup_memory() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_has_memory() {
        assert!(total_memory() > 16 << 20);
    }
}
