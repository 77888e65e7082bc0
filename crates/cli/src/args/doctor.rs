//! `stratalloc doctor` and `stratalloc config`: questions that run no program.

use std::path::PathBuf;

use clap::Args;

use super::color::Color;

/// Below the options in the help of `doctor`.
pub(super) const EXIT_STATUS: &str = "Exit status: 0 when programs can be run on this heap here, 1 when not.";

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// Write JSON to standard output (schema: docs/summary-schema.md)
    #[arg(long)]
    pub(crate) json: bool,

    /// Try this library instead of the one inside the command [env: STRATALLOC_LIBRARY]
    #[arg(long, value_name = "PATH")]
    pub(crate) library: Option<PathBuf>,

    /// Colours: auto, always or never; auto is for terminals, and never with NO_COLOR set
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto, alias = "colour")]
    #[arg(hide_possible_values = true)]
    pub(crate) color: Color,
}

/// Arguments of `config`.
#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    /// Write JSON to standard output
    #[arg(long)]
    pub(crate) json: bool,
}
