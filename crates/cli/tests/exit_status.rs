//! The exit status of the command is the program's, and our own numbers are told apart from it.

mod harness;

use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};

use harness::{Folder, complaint, refused};

#[test]
fn status_of_the_program_passes_through() {
    let folder = Folder::new("status");
    for status in [0, 1, 7, 125, 127, 255] {
        let output =
            folder.stratalloc(["run", "-q", "sh", "-c", &format!("exit {status}")]).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{}", complaint(&output));
    }
}

#[test]
fn end_by_signal_is_an_end_by_the_same_signal() {
    let folder = Folder::new("signal");
    for signal in [libc::SIGTERM, libc::SIGKILL, libc::SIGSEGV, libc::SIGINT, libc::SIGPIPE, libc::SIGRTMIN()]
    {
        let mut command = folder.stratalloc(["run", "sh", "-c", &format!("kill -{signal} $$")]);
        // Whoever started the tests may ignore the signal (`nohup`, a shell's background job), and children inherit that.
        let by_default = move || {
            // SAFETY: no handler is installed, and nothing else of the child depends on the disposition.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
            Ok(())
        };
        // SAFETY: one async-signal-safe call between fork and exec.
        unsafe { command.pre_exec(by_default) };
        let output = command.output().unwrap();
        assert_eq!(output.status.signal(), Some(signal), "{}", complaint(&output));
        assert!(complaint(&output).contains("a signal ended the program"), "{}", complaint(&output));
    }
}

#[test]
fn missing_program_is_127() {
    let folder = Folder::new("missing");
    refused(
        &folder.stratalloc(["run", "no-such-program-here"]).output().unwrap(),
        127,
        "no such program in PATH",
    );
    refused(&folder.stratalloc(["run", "/no/such/file"]).output().unwrap(), 127, "no such file");
    refused(&folder.stratalloc(["run", ""]).output().unwrap(), 127, "empty");
}

#[test]
fn what_cannot_be_executed_is_126() {
    let folder = Folder::new("not-executable");
    let plain = folder.path("plain");
    fs::write(&plain, "#!/bin/sh\n").unwrap();
    refused(&folder.stratalloc(["run".as_ref(), plain.as_os_str()]).output().unwrap(), 126, "not executable");
    refused(&folder.stratalloc(["run", "/tmp/"]).output().unwrap(), 126, "is a directory");
    refused(&folder.stratalloc(["run", "/dev/null"]).output().unwrap(), 126, "not a regular file");
    let output = folder.stratalloc(["run", "plain"]).env("PATH", plain.parent().unwrap()).output().unwrap();
    refused(&output, 126, "not executable");
}

#[test]
fn own_failures_are_125_and_nothing_runs() {
    let folder = Folder::new("own");
    let trace = folder.path("ran");
    let trace = trace.to_str().unwrap();
    let json = folder.stratalloc(["run", "--json", "/no/such/folder/x", "touch", trace]).output().unwrap();
    refused(&json, 125, "cannot write /no/such/folder/x");
    let library = folder.stratalloc(["run", "--library", "/no/such.so", "touch", trace]).output().unwrap();
    refused(&library, 125, "library /no/such.so");
    for wrong in [
        &["run", "--bogus", "touch", trace][..],
        &["run"],
        &["bogus"],
        &["run", "--runs", "2", "touch", trace],
    ] {
        assert_eq!(folder.stratalloc(wrong).output().unwrap().status.code(), Some(125), "{wrong:?}");
    }
    assert!(!fs::exists(trace).unwrap());
}

#[test]
fn help_and_version_are_no_failures() {
    let folder = Folder::new("help");
    for words in [&["--help"][..], &["help", "run"], &["run", "--help"], &["--version"]] {
        let output = folder.stratalloc(words).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{words:?}");
    }
}
