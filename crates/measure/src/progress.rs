//! How far a measurement is, on a terminal's standard error; anywhere else, silence.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A line that is drawn over itself.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// For so many runs.
    #[must_use]
    pub fn new(runs: usize) -> Progress {
        let target = if io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(runs as u64), target);
        let form = "  {bar:24} {pos}/{len} runs, about {eta} left   {msg}";
        // The form is a constant of ours; were it wrong, the usual bar would do.
        bar.set_style(ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar()));
        Progress { bar }
    }

    /// What runs now. Drawn at once: the bar has no thread of its own, which would run beside what is measured.
    pub fn now(&self, what: &str) {
        self.bar.set_message(what.to_owned());
        self.bar.tick();
    }

    /// One run is over.
    pub fn advance(&self) {
        self.bar.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
