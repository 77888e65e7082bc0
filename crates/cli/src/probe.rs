//! Whether preloading works here: this command starts itself under the library and asks itself who provides `malloc`.

use core::hint::black_box;
use core::time::Duration;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Instant;

use stratalloc_measure::process::signal_name;

use crate::failure::Failure;
use crate::posix;
use crate::scratch::Scratch;
use crate::summary::Summary;

/// More than any machine needs to start a process, and less than a person waits.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often the end of the child is looked for.
const INTERVAL: Duration = Duration::from_millis(5);
/// Block sizes that reach every domain below the ones that only a large program uses.
const SIZES: [usize; 6] = [16, 1000, 20_000, 300_000, 3 << 20, 40 << 20];

/// What the hidden subcommand does: works with memory, in two threads, and prints the file that provides `malloc`.
pub(crate) fn answer() -> Result<(), Failure> {
    let work = || SIZES.iter().map(|&size| black_box(vec![1u8; size]).len()).sum::<usize>();
    let there =
        thread::spawn(work).join().map_err(|_| Failure::Own("the second thread failed".to_owned()))?;
    if there != work() {
        return Err(Failure::Own("the blocks do not have the sizes asked for".to_owned()));
    }
    let provider = posix::provider_of_malloc().unwrap_or_default();
    writeln!(io::stdout(), "{}", provider.display()).map_err(|error| Failure::own("cannot answer", error))
}

/// Starts the hidden subcommand under our library, which also has to leave a summary. `Err` says, for a person, what is
/// wrong.
pub(crate) fn ask(library: &Path, scratch: &Scratch) -> Result<(), String> {
    let prefix = scratch.path().join("probe");
    provides_malloc(library, Some(&prefix))?;
    match Summary::read_all(&prefix) {
        Ok(summaries) if !summaries.is_empty() => Ok(()),
        _ => Err("programs run under the library, but it leaves no summary".to_owned()),
    }
}

/// Starts the hidden subcommand under any library: whether it works there, and gets `malloc` from the library. (The loader
/// only grumbles about a library that it cannot load, and starts the program without it.)
pub(crate) fn provides_malloc(library: &Path, summary: Option<&Path>) -> Result<(), String> {
    let own = std::env::current_exe().map_err(|error| format!("this command cannot find itself: {error}"))?;
    let mut child = Command::new(own)
        .arg("__probe")
        .env("LD_PRELOAD", library)
        .envs(summary.map(|prefix| ("STRATALLOC_SUMMARY", prefix)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("no process could be started: {error}"))?;
    let status = wait(&mut child)?;
    let (output, complaint) = (text(child.stdout.take()), text(child.stderr.take()));
    if !status.success() {
        return Err(format!("a program under the library failed with {}. {complaint}", ended(status))
            .trim()
            .to_owned());
    }
    let same = fs::canonicalize(output.trim()).ok() == fs::canonicalize(library).ok();
    if !same {
        return Err(format!(
            "a program started with the library gets malloc from {}. {complaint}",
            output.trim()
        )
        .trim()
        .to_owned());
    }
    Ok(())
}

/// Waits with a limit: under a broken library a program may hang, and the doctor must not. The answer is one line, so the
/// pipes cannot fill up meanwhile.
fn wait(child: &mut Child) -> Result<ExitStatus, String> {
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if start.elapsed() < PATIENCE => thread::sleep(INTERVAL),
            Ok(None) => {
                // Whether it can be killed or not, the answer is the same.
                let _ = child.kill().and_then(|()| child.wait());
                return Err("a program under the library does not end".to_owned());
            }
            Err(error) => return Err(format!("the program under the library is lost: {error}")),
        }
    }
}

fn ended(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status.signal() {
        Some(signal) => signal_name(signal),
        None => format!("status {}", status.code().unwrap_or_default()),
    }
}

fn text(stream: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        // What can be read of a complaint is better than none.
        let _ = stream.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).trim().to_owned()
}
