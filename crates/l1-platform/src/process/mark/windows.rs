//! What Windows tells of a process.

use crate::error::OsError;
use crate::kernel32::{self, Handle, refusal};
use crate::process::port::times;

/// When the calling process began.
pub(super) fn own_start(_id: u32) -> Option<u32> {
    start(kernel32::GetCurrentProcess())
}

/// In units of 10 ms.
fn start(process: Handle) -> Option<u32> {
    let start = times(process).ok()?.start.units() / 100_000;
    u32::try_from(start & 0xffff_ffff).ok()
}

/// An open process, closed when dropped.
struct Process(Handle);

impl Process {
    fn open(id: u32) -> Result<Self, OsError> {
        const SYNCHRONIZE: u32 = 0x10_0000;
        const QUERY_LIMITED_INFORMATION: u32 = 0x1000;
        let process = kernel32::OpenProcess(SYNCHRONIZE | QUERY_LIMITED_INFORMATION, 0, id);
        if process.is_null() { Err(refusal()) } else { Ok(Self(process)) }
    }

    fn has_ended(&self) -> bool {
        // SAFETY: an open process; nothing is waited for.
        unsafe { kernel32::WaitForSingleObject(self.0, 0) == 0 }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SAFETY: opened by `open`.
        let _ = unsafe { kernel32::CloseHandle(self.0) };
    }
}

pub(super) fn is_running(id: u32, began: u32) -> bool {
    match Process::open(id) {
        Ok(process) => start(process.0).is_none_or(|start| start == began) && !process.has_ended(),
        // "Invalid" is said of ids that nobody has.
        Err(error) => error != OsError::INVALID,
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::process::{Command, Stdio};

    use super::super::Mark;
    use super::*;

    /// Tells this program that it is the process to be killed.
    const VARIABLE: &str = "STRATALLOC_TO_BE_KILLED";

    #[test]
    fn a_killed_process_does_not_run_before_and_after_it_is_closed() {
        if std::env::var_os(VARIABLE).is_some() {
            // Until its input ends.
            let _ = std::io::read_to_string(std::io::stdin());
            return;
        }
        let name = "process::mark::port::tests::a_killed_process_does_not_run_before_and_after_it_is_closed";
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", name]).env(VARIABLE, "1").stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        let process = Process::open(child.id()).unwrap();
        let mark = Mark::of(child.id(), start(process.0).unwrap()).unwrap();
        assert!(mark.is_running());
        child.kill().unwrap();
        child.wait().unwrap();
        // Its id is nobody else's as long as it is open.
        assert!(!mark.is_running());
        drop(process);
        drop(child);
        assert!(!mark.is_running());
    }
}
