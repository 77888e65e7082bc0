//! Where there is no Linux: Miri, Windows. Names without a meaning, for calls that are refused.

/// Placeholders: no call is made.
#[cfg_attr(windows, allow(dead_code, reason = "most of what asks by number asks Windows by other means"))]
pub(crate) mod nr {
    pub(crate) const READ: usize = 0;
    pub(crate) const CLOSE: usize = 0;
    pub(crate) const GETRUSAGE: usize = 0;
    pub(crate) const SCHED_GETAFFINITY: usize = 0;
    pub(crate) const MBIND: usize = 0;
    pub(crate) const OPENAT: usize = 0;
    pub(crate) const MOVE_PAGES: usize = 0;
    pub(crate) const PRLIMIT64: usize = 0;
    pub(crate) const GETCPU: usize = 0;
    pub(crate) const RT_SIGPROCMASK: usize = 0;
    pub(crate) const MMAP: usize = 0;
    pub(crate) const FSTAT: usize = 0;
    pub(crate) const FALLOCATE: usize = 0;
    pub(crate) const UNLINKAT: usize = 0;
    pub(crate) const KILL: usize = 0;
    pub(crate) const FCNTL: usize = 0;
    pub(crate) const FTRUNCATE: usize = 0;
    pub(crate) const MEMFD_CREATE: usize = 0;
    pub(crate) const RT_SIGACTION: usize = 0;
    pub(crate) const SIGALTSTACK: usize = 0;
    pub(crate) const TGKILL: usize = 0;
}

/// Nobody fills a `struct stat`.
#[cfg(not(windows))]
pub(crate) const SIZE_IN_STAT: usize = 0;

/// There are no signals.
pub(crate) const STACK_POINTER_IN_CONTEXT: usize = 0;

/// There are no signals.
pub(crate) fn signal_return() -> Option<*const ()> {
    None
}
