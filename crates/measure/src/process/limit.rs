//! When a run takes too long.

use core::time::Duration;
use std::time::Instant;

use libc::pid_t;

use super::signals;

/// The end of our patience.
pub(super) struct Limit {
    at: Option<Instant>,
    /// Whether the run was killed for it.
    pub(super) reached: bool,
}

impl Limit {
    /// So long after `start`; `None` is never.
    pub(super) fn after(start: Instant, limit: Option<Duration>) -> Limit {
        Limit { at: limit.map(|limit| start + limit), reached: false }
    }

    /// How long until then; `None` when there is nothing to wait for (any more).
    pub(super) fn patience(&self) -> Option<Duration> {
        self.at.filter(|_| !self.reached).map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Kills the child when it is time.
    pub(super) fn enforce(&mut self, child: pid_t) {
        if self.patience() == Some(Duration::ZERO) {
            self.reached = true;
            signals::send(child, libc::SIGKILL);
        }
    }
}
