//! `--color`.

use std::env;
use std::io::IsTerminal;

use clap::ValueEnum;
use stratalloc_measure::text::Style;

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// The style for a stream, from what was asked, what the stream is, and `NO_COLOR` (any non-empty value, as
    /// no-color.org says).
    pub(crate) fn style(self, stream: &impl IsTerminal) -> Style {
        let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|value| value == "dumb");
        Style::new(match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => stream.is_terminal() && !refused && !dumb,
        })
    }
}
