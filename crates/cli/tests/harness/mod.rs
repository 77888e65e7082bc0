//! What the tests of the command share: a private folder per test, the command itself, small programs from C.

#![allow(dead_code, reason = "each test file uses its part")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder of one test, removed when it ends well.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Folder {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder for the test");
        Folder(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The command, with a cache and a temporary folder of this test and nothing inherited that changes what it does.
    pub(crate) fn stratalloc<A: AsRef<std::ffi::OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stratalloc"));
        command.args(arguments).env("XDG_CACHE_HOME", self.path("cache")).env("TMPDIR", &self.0);
        for name in [
            "STRATALLOC_CONF",
            "STRATALLOC_LIBRARY",
            "STRATALLOC_SUMMARY",
            "STRATALLOC_PEERS",
            "LD_PRELOAD",
            "NO_COLOR",
        ] {
            command.env_remove(name);
        }
        command
    }

    /// A file with this content that may be executed.
    pub(crate) fn executable(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).expect("write a program");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("make it executable");
        path
    }

    /// A program or library from C; `None`, with a message, where there is no C compiler.
    pub(crate) fn compile(&self, name: &str, source: &str, flags: &[&str]) -> Option<PathBuf> {
        let (code, binary) = (self.path(&format!("{name}.c")), self.path(name));
        fs::write(&code, source).expect("write the source");
        let output = Command::new("cc").arg("-o").arg(&binary).arg(&code).args(flags).output();
        match output {
            Ok(output) if output.status.success() => Some(binary),
            Ok(output) => panic!("cc: {}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "skipped: no C compiler ({error})");
                None
            }
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// Runs to the end with these bytes as input.
pub(crate) fn feed(command: &mut Command, input: &[u8]) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("start");
    let mut pipe = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || pipe.write_all(&input));
    let output = child.wait_with_output().expect("wait");
    writer.join().expect("join").expect("write");
    output
}

/// Standard error, as text.
pub(crate) fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Asserts the exit status, and that standard error says why.
#[track_caller]
pub(crate) fn refused(output: &Output, status: i32, why: &str) {
    let text = complaint(output);
    assert_eq!(output.status.code(), Some(status), "{text}");
    assert!(text.starts_with("stratalloc: ") && text.contains(why), "{text}");
    assert_eq!(text.lines().count(), 1, "one line says it: {text}");
}
