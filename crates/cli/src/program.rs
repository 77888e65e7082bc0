//! Finds the program that a command line means and refuses, with a reason, what cannot run on this heap.
//!
//! ```text
//! name ──PATH──▶ file ──#!──▶ interpreter ──▶ ELF file: dynamic? for this machine and C library? not privileged?
//! ```
//! The checks look ahead at what the kernel and the loader will do; whoever answers in the end is `exec`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::elf;
use crate::failure::Failure;
use crate::posix;

/// What `execvp` searches when there is no `PATH`.
const DEFAULT_PATH: &str = "/bin:/usr/bin";
/// How much of a `#!` line the kernel reads.
const SHEBANG_LIMIT: u64 = 256;
/// How many interpreters of interpreters the kernel follows.
const INTERPRETER_DEPTH: usize = 4;
const SET_USER_ID: u32 = 0o4000;
const SET_GROUP_ID: u32 = 0o2000;
const GROUP_EXECUTE: u32 = 0o010;

/// A program that can be started on the heap.
#[derive(Debug)]
pub(crate) struct Program {
    /// The file to execute.
    pub(crate) path: PathBuf,
    /// What the program is told that it was called.
    pub(crate) name: OsString,
    /// Its arguments, without the name.
    pub(crate) arguments: Vec<OsString>,
    /// Set when the program is a script of a shell: its work is mostly done by children.
    pub(crate) is_shell_script: bool,
}

/// Resolves `command` (name and arguments).
pub(crate) fn resolve(command: &[OsString]) -> Result<Program, Failure> {
    let (name, arguments) =
        command.split_first().ok_or_else(|| Failure::Own("no program given".to_owned()))?;
    let path = find(name)?;
    let mut program =
        Program { path, name: name.clone(), arguments: arguments.to_vec(), is_shell_script: false };
    let mut file = program.path.clone();
    for _ in 0..=INTERPRETER_DEPTH {
        match kind_of(&file)? {
            Kind::Binary(elf) => return check_binary(&file, &elf).map(|()| program),
            Kind::Text => {
                // `execvp` hands a text without `#!` to the shell, and so do we.
                program.is_shell_script = true;
                file = PathBuf::from("/bin/sh");
            }
            Kind::Script(interpreter) => {
                program.is_shell_script |= is_shell(&interpreter);
                check_interpreter(&file, &interpreter)?;
                file = interpreter;
            }
            Kind::Unreadable => return Ok(program),
        }
    }
    Err(Failure::NotRunnable(format!(
        "{} has too many interpreters, one behind the other",
        shown(&program.path)
    )))
}

/// Where the program lies, by the rules of `execvp`.
fn find(name: &OsStr) -> Result<PathBuf, Failure> {
    if name.is_empty() {
        return Err(Failure::NotFound("the program's name is empty".to_owned()));
    }
    if name.as_bytes().contains(&b'/') {
        let path = PathBuf::from(name);
        check_file(&path)?;
        return Ok(path);
    }
    let search = env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
    let mut refused = None;
    for folder in env::split_paths(&search) {
        // An empty element of PATH means the current folder.
        let path = if folder.as_os_str().is_empty() { Path::new(".").join(name) } else { folder.join(name) };
        match check_file(&path) {
            Ok(()) => return Ok(path),
            Err(reason @ Failure::NotRunnable(_)) if !path.is_dir() => refused = refused.or(Some(reason)),
            Err(_) => {}
        }
    }
    Err(refused
        .unwrap_or_else(|| Failure::NotFound(format!("{}: no such program in PATH", shown(Path::new(name))))))
}

/// Whether there is a file that we may execute.
fn check_file(path: &Path) -> Result<(), Failure> {
    let data = match fs::metadata(path) {
        Ok(data) => data,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Err(Failure::NotFound(format!("{}: no such file", shown(path))));
        }
        Err(error) => return Err(Failure::NotRunnable(format!("{}: {}", shown(path), reason(&error)))),
    };
    if data.is_dir() {
        return Err(Failure::NotRunnable(format!("{} is a directory, not a program", shown(path))));
    }
    if !data.is_file() {
        return Err(Failure::NotRunnable(format!("{} is not a regular file", shown(path))));
    }
    if !posix::may_execute(path) {
        return Err(Failure::NotRunnable(format!("{} is not executable: permission denied", shown(path))));
    }
    Ok(())
}

fn check_interpreter(script: &Path, interpreter: &Path) -> Result<(), Failure> {
    check_file(interpreter).map_err(|reason| {
        Failure::NotRunnable(format!(
            "{} cannot be run by the interpreter that it names: {reason}",
            shown(script)
        ))
    })
}

enum Kind {
    Binary(elf::Elf),
    /// A text whose first line names this interpreter.
    Script(PathBuf),
    /// A text without such a line.
    Text,
    /// May be run and not read: only `exec` can tell.
    Unreadable,
}

fn kind_of(path: &Path) -> Result<Kind, Failure> {
    let unreadable = |error: io::Error| Failure::NotRunnable(format!("{}: {}", shown(path), reason(&error)));
    let Ok(file) = File::open(path) else { return Ok(Kind::Unreadable) };
    let mut head = Vec::new();
    Read::by_ref(&mut &file).take(SHEBANG_LIMIT).read_to_end(&mut head).map_err(unreadable)?;
    if head.starts_with(elf::MAGIC) {
        let truncated =
            |_| Failure::NotRunnable(format!("{} is a truncated or damaged program", shown(path)));
        return elf::inspect(&file).map(Kind::Binary).map_err(truncated);
    }
    if let Some(line) = head.strip_prefix(b"#!") {
        return shebang(line).map(Kind::Script).ok_or_else(|| {
            Failure::NotRunnable(format!("{} names no interpreter after its #!", shown(path)))
        });
    }
    if head.contains(&0) {
        return Err(Failure::NotRunnable(format!("{} is not a program that this system knows", shown(path))));
    }
    Ok(Kind::Text)
}

/// The interpreter that a `#!` line names.
fn shebang(line: &[u8]) -> Option<PathBuf> {
    let line = line.split(|&byte| byte == b'\n').next()?.trim_ascii_start();
    let interpreter = line.split(u8::is_ascii_whitespace).next()?;
    (!interpreter.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(interpreter)))
}

fn is_shell(path: &Path) -> bool {
    const SHELLS: [&str; 8] = ["sh", "bash", "dash", "zsh", "ksh", "ash", "mksh", "fish"];
    path.file_name().is_some_and(|name| SHELLS.iter().any(|shell| name == *shell))
}

fn check_binary(path: &Path, elf: &elf::Elf) -> Result<(), Failure> {
    let refuse = |why: String| Err(Failure::NotRunnable(format!("{} {why}", shown(path))));
    if let Some(machine) = &elf.foreign {
        return refuse(format!(
            "is a program for another machine ({machine}); this is {}",
            env::consts::ARCH
        ));
    }
    if !elf.loadable {
        return refuse("is an object file or a core dump, not a program".to_owned());
    }
    let Some(loader) = &elf.interpreter else {
        if is_loader(path) {
            return Ok(());
        }
        return refuse(
            "is statically linked: nothing can be preloaded into it. Link the program with stratalloc instead, or build it dynamically"
                .to_owned(),
        );
    };
    if fs::metadata(loader).is_err() {
        return refuse(format!("needs the loader {}, which is not on this system", loader.display()));
    }
    if is_musl(loader) != cfg!(target_env = "musl") {
        return refuse(format!("uses another C library (loader {}) than libstratalloc.so", loader.display()));
    }
    match privilege(path) {
        Some(what) => refuse(format!(
            "{what}: the loader ignores preloaded libraries there. Run a copy without that, or run it as the user that it would become"
        )),
        None => Ok(()),
    }
}

/// Why the kernel would start the file in secure mode, where the loader ignores `LD_PRELOAD`.
fn privilege(path: &Path) -> Option<String> {
    if posix::no_new_privileges() || posix::mount_flags(path) & libc::ST_NOSUID != 0 {
        return None;
    }
    let data = fs::metadata(path).ok()?;
    let (user, group) = posix::real_ids();
    let mode = data.mode();
    if mode & SET_USER_ID != 0 && data.uid() != user {
        return Some("is set-user-id".to_owned());
    }
    if mode & SET_GROUP_ID != 0 && mode & GROUP_EXECUTE != 0 && data.gid() != group {
        return Some("is set-group-id".to_owned());
    }
    // Root already has what a capability would give: the kernel sees no gain and stays in normal mode.
    (user != 0 && posix::has_file_capabilities(path)).then(|| "carries file capabilities".to_owned())
}

/// The loader itself, run as a program, looks like a static one and still honours `LD_PRELOAD`.
fn is_loader(path: &Path) -> bool {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    real.file_name()
        .is_some_and(|name| name.as_bytes().starts_with(b"ld-") || name.as_bytes().starts_with(b"ld.so"))
}

fn is_musl(loader: &Path) -> bool {
    loader.file_name().is_some_and(|name| name.as_bytes().starts_with(b"ld-musl"))
}

fn shown(path: &Path) -> String {
    format!("'{}'", path.display())
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    //! Covers the `#!` line; files on disk are covered by `tests/preflight.rs`.
    use super::*;

    #[test]
    fn shebang_names_the_interpreter() {
        let interpreter = |line: &str| shebang(line.as_bytes()).map(|path| path.display().to_string());
        assert_eq!(interpreter(" /bin/sh -e -u\nrest").as_deref(), Some("/bin/sh"));
        assert_eq!(interpreter("/bin/sh").as_deref(), Some("/bin/sh"));
        assert_eq!(interpreter("  \n/bin/sh"), None);
    }
}
