//! The program cannot tell that it is run by the command: input, output, arguments, descriptors, signal settings.

mod harness;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use harness::{Folder, complaint, feed};

/// What `program` writes directly, and through the command.
fn both(folder: &Folder, program: &[&OsStr], prepare: fn(&mut Command)) -> (Vec<u8>, Vec<u8>) {
    let mut direct = Command::new(program[0]);
    direct.args(&program[1..]);
    let mut through = folder.stratalloc([OsStr::new("run"), OsStr::new("--")].iter().chain(program));
    prepare(&mut direct);
    prepare(&mut through);
    let (direct, through) = (direct.output().unwrap(), through.output().unwrap());
    assert_eq!(direct.status, through.status, "{}", complaint(&through));
    (direct.stdout, through.stdout)
}

#[test]
fn input_and_output_are_exact_to_the_byte() {
    let folder = Folder::new("bytes");
    let mut state = 1u64;
    let bytes: Vec<u8> = core::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    })
    .take(1 << 20)
    .collect();
    let output = feed(&mut folder.stratalloc(["run", "cat"]), &bytes);
    assert!(output.status.success());
    assert!(output.stdout == bytes, "{} bytes came back", output.stdout.len());
    assert!(complaint(&output).contains("stratalloc: "));
}

#[test]
fn arguments_of_any_bytes_and_the_name_are_kept() {
    let folder = Folder::new("arguments");
    let words = [
        OsStr::new("cat"),
        OsStr::new("/proc/self/cmdline"),
        OsStr::new("-"),
        OsStr::from_bytes(b"\xff --x"),
    ];
    let (direct, through) = both(&folder, &words, |_| {});
    assert_eq!(direct, through);
}

#[test]
fn descriptors_and_folder_are_kept() {
    let folder = Folder::new("descriptors");
    let script = "exec 2>/dev/null; ls /proc/self/fd; pwd; umask";
    let (direct, through) = both(&folder, &["sh", "-c", script].map(OsStr::new), |command| {
        command.current_dir("/usr");
    });
    assert_eq!(String::from_utf8(direct), String::from_utf8(through));
}

#[test]
fn signal_mask_and_dispositions_are_kept() {
    let folder = Folder::new("dispositions");
    let words = ["grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status"].map(OsStr::new);
    let (direct, through) = both(&folder, &words, |_| {});
    assert_eq!(String::from_utf8(direct), String::from_utf8(through));
    let (direct, through) = both(&folder, &words, |command| {
        let unusual = || {
            for signal in [libc::SIGHUP, libc::SIGPIPE, libc::SIGCHLD, libc::SIGUSR1] {
                // SAFETY: between fork and exec, an async-signal-safe call with constants.
                unsafe { libc::signal(signal, libc::SIG_IGN) };
            }
            Ok(())
        };
        // SAFETY: the closure makes only async-signal-safe calls.
        unsafe { command.pre_exec(unusual) };
    });
    assert_eq!(String::from_utf8(direct), String::from_utf8(through));
}

#[test]
fn existing_preload_keeps_its_place() {
    let folder = Folder::new("preload");
    let other = "/no/such/other.so";
    let output = folder
        .stratalloc(["run", "-q", "sh", "-c", "echo $LD_PRELOAD"])
        .env("LD_PRELOAD", other)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with(&format!("{other}:/")) && text.trim().ends_with("libstratalloc.so"), "{text}");
}

#[test]
fn quiet_writes_nothing_and_output_writes_elsewhere() {
    let folder = Folder::new("quiet");
    let output = folder.stratalloc(["run", "--quiet", "--", "echo", "hello"]).output().unwrap();
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"hello\n"[..], &b""[..]));
    let file = folder.path("text");
    let output = folder.stratalloc(["run", "-o", file.to_str().unwrap(), "echo", "hello"]).output().unwrap();
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"hello\n"[..], &b""[..]));
    assert!(fs::read_to_string(&file).unwrap().starts_with("stratalloc: "));
}

#[test]
fn nothing_is_left_behind() {
    let folder = Folder::new("left");
    assert!(folder.stratalloc(["run", "-q", "--json", "/dev/null", "true"]).status().unwrap().success());
    let mut names: Vec<_> =
        fs::read_dir(folder.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["cache"]);
}
