//! Starting the test program again.

use std::process::Command;

/// This test program; under an emulator, where cargo starts tests by one.
pub(crate) fn this_program() -> Command {
    let architecture = std::env::consts::ARCH.to_uppercase();
    let runner = std::env::var(format!("CARGO_TARGET_{architecture}_UNKNOWN_LINUX_GNU_RUNNER"));
    let runner = runner.unwrap_or_default();
    let program = std::env::current_exe().unwrap();
    let Some((emulator, arguments)) = runner.split_once(' ') else { return Command::new(program) };
    let mut command = Command::new(emulator);
    command.args(arguments.split(' ')).arg(program);
    command
}
