//! How much memory there is, and how much of it this process may have.

#[cfg(not(windows))]
#[path = "limits/linux.rs"]
mod port;
#[cfg(windows)]
#[path = "limits/windows.rs"]
mod port;

/// How the kernel treats promises of memory (`vm.overcommit_memory`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overcommit {
    /// 0: refuses what could not possibly be kept. Reservations with `MAP_NORESERVE` pass.
    Heuristic,
    /// 1: promises everything.
    Always,
    /// 2: counts every writable page against a limit, `MAP_NORESERVE` or not: reserve with
    /// [`Access::None`](crate::vm::Access::None).
    Never,
}

/// The limit of the process's address space in bytes (`RLIMIT_AS`, soft); `None` if there is none.
///
/// On Windows there is none.
#[must_use]
pub fn address_space() -> Option<u64> {
    port::address_space()
}

/// The mode of the system; heuristic, which is the kernel's default, if it does not say.
///
/// Windows counts what is committed and refuses what it has not: never.
#[must_use]
pub fn overcommit() -> Overcommit {
    port::overcommit()
}

/// Physical memory of the machine in bytes; 0 if the kernel does not say.
#[must_use]
pub fn total_memory() -> u64 {
    port::total_memory()
}

/// The smallest memory limit of the process's control group (version 2) and the groups above it, in bytes; `None`
/// without a limit or without control groups.
///
/// On Windows none is seen: limits of jobs are not asked for.
#[must_use]
pub fn cgroup_memory() -> Option<u64> {
    port::cgroup_memory()
}
