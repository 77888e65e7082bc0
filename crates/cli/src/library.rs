//! Finds the shared library that is preloaded: the one asked for, or the one inside this binary.
//!
//! ```text
//! --library PATH / STRATALLOC_LIBRARY ─────────────────────────────┐
//! embedded bytes ─▶ cache folder/<hash>/libstratalloc.so, compared ─┼─▶ a path that the loader can read
//!        └────────▶ folder of this run, when no cache will do ──────┘    (no space, colon or dollar)
//! ```
//! A file in the cache is used only if all of its bytes are the embedded ones, it is ours, and nobody else may write to
//! its folder. It appears under its name only when complete: written beside, then renamed.

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::elf;
use crate::failure::Failure;
use crate::posix;
use crate::scratch::Scratch;

// `EMBEDDED`, the bytes of the library, and `HASH`, a name for them: written by `build.rs`.
include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

const FILE_NAME: &str = "libstratalloc.so";
/// Writable by the group or by others.
const SHARED_WRITE: u32 = 0o022;

/// The library that the user named, by option or by variable.
pub(crate) fn asked(option: Option<PathBuf>) -> Option<PathBuf> {
    option.or_else(|| env::var_os("STRATALLOC_LIBRARY").filter(|path| !path.is_empty()).map(PathBuf::from))
}

/// The library to preload, at a path that can stand in `LD_PRELOAD`.
pub(crate) fn locate(asked: Option<&Path>, scratch: &Scratch) -> Result<PathBuf, Failure> {
    let path = match asked {
        Some(path) => check(path)?,
        None => extract(scratch)?,
    };
    preloadable(path, scratch, FILE_NAME)
}

/// The library itself, or a link to it that can stand in `LD_PRELOAD`.
pub(crate) fn preloadable(path: PathBuf, scratch: &Scratch, file_name: &str) -> Result<PathBuf, Failure> {
    if is_preloadable(&path) {
        return Ok(path);
    }
    // The loader splits LD_PRELOAD at spaces and colons and expands dollars; a link has a harmless name.
    let link = scratch.path().join(file_name);
    match symlink(&path, &link) {
        Ok(()) => Ok(link),
        Err(error) => Err(Failure::own(format_args!("cannot link {}", path.display()), error)),
    }
}

fn is_preloadable(path: &Path) -> bool {
    !path.as_os_str().as_bytes().iter().any(|byte| b" \t\n:$".contains(byte))
}

/// A library that the user named: it must be there and be a library for this machine, or the loader would only grumble
/// and run the program without it.
pub(crate) fn check(path: &Path) -> Result<PathBuf, Failure> {
    let failure =
        |error: &dyn core::fmt::Display| Failure::own(format_args!("library {}", path.display()), error);
    let real = fs::canonicalize(path).map_err(|error| failure(&error))?;
    let file = File::open(&real).map_err(|error| failure(&error))?;
    let mut magic = [0u8; 4];
    let is_elf = io::Read::read_exact(&mut &file, &mut magic).is_ok() && magic == elf::MAGIC;
    if !is_elf {
        return Err(failure(&"not a shared library"));
    }
    let head = elf::inspect(&file).map_err(|error| failure(&error))?;
    match head.foreign {
        Some(machine) => Err(failure(&format_args!("a library for another machine ({machine})"))),
        None if !head.loadable => Err(failure(&"not a shared library")),
        None => Ok(real),
    }
}

fn extract(scratch: &Scratch) -> Result<PathBuf, Failure> {
    if EMBEDDED.is_empty() {
        return Err(Failure::Own(
            "this binary was built without libstratalloc.so; name one with --library PATH or STRATALLOC_LIBRARY".to_owned(),
        ));
    }
    for base in cache_folders() {
        if let Ok(path) = extract_into(&base.join("stratalloc").join(HASH)) {
            return Ok(path);
        }
    }
    extract_into(scratch.path()).map_err(|error| {
        Failure::own(format_args!("cannot write {FILE_NAME} to {}", scratch.path().display()), error)
    })
}

fn cache_folders() -> impl Iterator<Item = PathBuf> {
    let named = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    named.into_iter().chain(home).filter(|path| path.is_absolute())
}

fn extract_into(folder: &Path) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let data = fs::metadata(folder)?;
    if data.uid() != posix::effective_user() || data.mode() & SHARED_WRITE != 0 {
        return Err(io::Error::other("others may write to the folder"));
    }
    if posix::mount_flags(folder) & libc::ST_NOEXEC != 0 {
        return Err(io::Error::other("nothing may be executed from the folder"));
    }
    let path = folder.join(FILE_NAME);
    if !is_current(&path) {
        let beside = folder.join(format!(".{FILE_NAME}.{}", std::process::id()));
        let written = write_new(&beside).and_then(|()| fs::rename(&beside, &path));
        if written.is_err() {
            // What is half written helps nobody; that it cannot be removed changes nothing either.
            let _ = fs::remove_file(&beside);
        }
        written?;
    }
    Ok(path)
}

fn is_current(path: &Path) -> bool {
    let ours = fs::symlink_metadata(path).is_ok_and(|data| {
        data.is_file()
            && data.uid() == posix::effective_user()
            && data.permissions().mode() & SHARED_WRITE == 0
    });
    ours && fs::read(path).is_ok_and(|content| content == EMBEDDED)
}

fn write_new(path: &Path) -> io::Result<()> {
    // A file of the same name can only be the rest of a dead process that had our number.
    let _ = fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o755).open(path)?;
    file.write_all(EMBEDDED)
}

#[cfg(test)]
mod tests {
    //! Covers the file in the cache; the search order and the links are in `tests/library.rs`.
    use super::*;

    #[test]
    fn damaged_file_is_replaced_and_shared_folder_refused() {
        let scratch = Scratch::new().unwrap();
        let folder = scratch.path().join("cache");
        let path = extract_into(&folder).unwrap();
        fs::write(&path, b"tampered").unwrap();
        assert_eq!(extract_into(&folder).unwrap(), path);
        assert_eq!(fs::read(&path).unwrap(), EMBEDDED);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left beside the file");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(extract_into(&folder).is_err());
    }

    #[test]
    fn separators_of_the_loader_are_not_preloadable() {
        assert!(is_preloadable(Path::new("/a-b/c_d.so")));
        for path in ["/a b.so", "/a:b.so", "/a$ORIGIN.so"] {
            assert!(!is_preloadable(Path::new(path)), "{path}");
        }
    }
}
