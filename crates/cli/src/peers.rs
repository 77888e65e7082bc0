//! The allocators of a comparison: ours, the system's, and the libraries that this machine has.
//!
//! ```text
//! --with NAME=PATH          must work, or nothing runs
//! STRATALLOC_PEERS          a folder, every lib*.so* in it  ─┐
//! ldconfig -p, usual folders  the known families            ─┴▶ tried in a process of our own; what does not
//!                                                              provide malloc there is left out, and said so
//! ```
//! Of two with the same name the first one counts, in the order of this picture.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use stratalloc_measure::Allocator;
use stratalloc_measure::comparison::SYSTEM;

use crate::args::AllocatorArguments;
use crate::failure::Failure;
use crate::scratch::Scratch;
use crate::{library, probe};

/// The variable that names a folder of libraries.
pub(crate) const FOLDER: &str = "STRATALLOC_PEERS";
/// The name of our own row.
const OURS: &str = "stratalloc";
/// Families of allocators by the beginnings of their files' names.
const FAMILIES: [&str; 6] = ["jemalloc", "mimalloc", "tcmalloc", "snmalloc", "rpmalloc", "hoard"];
/// Builds for other purposes than speed, by parts of their files' names.
const NOT_FOR_SPEED: [&str; 6] = ["debug", "profiler", "checks", "secure", "valgrind", "dbg"];
/// Where libraries lie that the loader's cache does not know.
const FOLDERS: [&str; 4] = ["/usr/local/lib", "/usr/local/lib64", "/usr/lib64", "/usr/lib"];

/// One row: an allocator and how a program gets it.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its name in tables.
    pub(crate) name: String,
    /// What is preloaded; nothing for the system's.
    pub(crate) library: Option<PathBuf>,
}

impl Row {
    /// The row as the record describes it.
    pub(crate) fn described(&self) -> Allocator {
        let detail = match &self.library {
            None => "the C library's, nothing preloaded".to_owned(),
            // Links hide the version; the file behind them tells it.
            Some(path) => fs::canonicalize(path).unwrap_or_else(|_| path.clone()).display().to_string(),
        };
        Allocator { name: self.name.clone(), detail, ours: self.name == OURS }
    }
}

/// A library that may be an allocator.
#[derive(Debug, PartialEq, Eq)]
struct Candidate {
    name: String,
    path: PathBuf,
}

/// The rows that were asked for; what is left out goes to the notes.
pub(crate) fn select(
    arguments: &AllocatorArguments,
    scratch: &Scratch,
    notes: &mut Vec<String>,
) -> Result<Vec<Row>, Failure> {
    let wanted = |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|one| one == name);
    let mut rows = Vec::new();
    if wanted(OURS) {
        let asked = library::asked(arguments.library.clone());
        let path = library::locate(asked.as_deref(), scratch)?;
        probe::provides_malloc(&path, None).map_err(Failure::Own)?;
        rows.push(Row { name: OURS.to_owned(), library: Some(path) });
    }
    if wanted(SYSTEM) {
        rows.push(Row { name: SYSTEM.to_owned(), library: None });
    }
    for (name, path) in &arguments.with {
        if rows.iter().any(|row| row.name == *name) {
            return Err(Failure::Own(format!("--with {name}=…: there is already an allocator of that name")));
        }
        let path =
            usable(name, path, scratch).map_err(|why| Failure::Own(format!("--with {name}: {why}")))?;
        rows.push(Row { name: name.clone(), library: Some(path) });
    }
    let mut others = Vec::new();
    for Candidate { name, path } in candidates() {
        if rows.iter().any(|row| row.name == name) {
            continue;
        }
        if !wanted(&name) {
            others.push(name);
            continue;
        }
        match usable(&name, &path, scratch) {
            Ok(path) => rows.push(Row { name, library: Some(path) }),
            Err(why) => notes.push(format!("{name} is left out: {why}")),
        }
    }
    check(&arguments.only, rows, others)
}

/// Every name that was asked for must be there.
fn check(only: &[String], rows: Vec<Row>, others: Vec<String>) -> Result<Vec<Row>, Failure> {
    let missing = only.iter().find(|name| rows.iter().all(|row| row.name != **name));
    let Some(missing) = missing else { return Ok(rows) };
    let mut there: Vec<String> = [OURS, SYSTEM].map(str::to_owned).into();
    there.extend(rows.into_iter().map(|row| row.name).chain(others));
    there.sort();
    there.dedup();
    Err(Failure::Own(format!("no allocator '{missing}' here; there are: {}", there.join(", "))))
}

/// A path that can be preloaded, of a library that provides `malloc` when it is.
fn usable(name: &str, path: &Path, scratch: &Scratch) -> Result<PathBuf, String> {
    let path = library::check(path).map_err(|failure| failure.to_string())?;
    // The name comes from a user or a file: only its letters and digits may be part of a file's name.
    let safe: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let path = library::preloadable(path, scratch, &format!("lib{safe}.so"))
        .map_err(|failure| failure.to_string())?;
    probe::provides_malloc(&path, None).map(|()| path)
}

/// What may be an allocator, each under a name of its own, sorted by name.
fn candidates() -> Vec<Candidate> {
    let own = env::var_os(FOLDER).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let mut found = named(libraries_in(own.iter().map(PathBuf::as_path)), false);
    let system = known_to_the_loader().into_iter().chain(libraries_in(FOLDERS.iter().map(Path::new)));
    for candidate in named(system, true) {
        if found.iter().all(|other| other.name != candidate.name && other.path != candidate.path) {
            found.push(candidate);
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn libraries_in<'a>(folders: impl Iterator<Item = &'a Path>) -> impl Iterator<Item = PathBuf> {
    let entries = folders.filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_file())
}

/// The libraries in the loader's cache.
fn known_to_the_loader() -> Vec<PathBuf> {
    let output = ["ldconfig", "/sbin/ldconfig"].into_iter().find_map(|program| {
        Command::new(program).arg("-p").output().ok().filter(|output| output.status.success())
    });
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split_once(" => "))
        .map(|(_, path)| PathBuf::from(path.trim()))
        .collect()
}

/// Gives each library a name. Several versions of one family carry their version in it.
fn named(paths: impl IntoIterator<Item = PathBuf>, known_only: bool) -> Vec<Candidate> {
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    for path in paths {
        let Some(stem) = path.file_name().and_then(|name| stem(name.to_str()?, known_only)) else { continue };
        // A library for another machine (32-bit ones lie beside the others) is none of ours.
        let Ok(real) = library::check(&path) else { continue };
        if found.iter().all(|(_, other)| *other != real) {
            found.push((stem, real));
        }
    }
    found.sort();
    let versions = |stem: &str| found.iter().filter(|(other, _)| other == stem).count();
    let name = |(stem, path): &(String, PathBuf)| match (versions(stem), version(path)) {
        (2.., Some(version)) => format!("{stem}-{version}"),
        _ => stem.clone(),
    };
    let mut named: Vec<Candidate> =
        found.iter().map(|pair| Candidate { name: name(pair), path: pair.1.clone() }).collect();
    named.dedup_by(|a, b| a.name == b.name);
    named
}

/// The allocator's name from its file's: `libtcmalloc_minimal.so.4` is `tcmalloc`.
fn stem(file: &str, known_only: bool) -> Option<String> {
    let (stem, rest) = file.strip_prefix("lib")?.split_once(".so")?;
    if !(rest.is_empty() || rest.starts_with('.')) {
        return None;
    }
    if !known_only {
        return (stem != OURS).then(|| stem.to_owned());
    }
    let family = FAMILIES.into_iter().find(|family| stem.starts_with(family))?;
    NOT_FOR_SPEED.iter().all(|part| !stem.contains(part)).then(|| family.to_owned())
}

/// `2.0` of `libmimalloc.so.2.0`.
fn version(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()?.split_once(".so.").map(|(_, version)| version)
}

#[cfg(test)]
mod tests {
    //! Covers names; what is found and tried is in `tests/compare_allocators.rs`.
    use super::*;

    #[test]
    fn files_are_named_after_their_family() {
        let name = |file| stem(file, true);
        assert_eq!(name("libjemalloc.so.2").as_deref(), Some("jemalloc"));
        assert_eq!(name("libtcmalloc_minimal.so.4.5.9").as_deref(), Some("tcmalloc"));
        assert_eq!(name("libsnmallocshim.so").as_deref(), Some("snmalloc"));
        for other in [
            "libtcmalloc_and_profiler.so.4",
            "libmimalloc-debug.so",
            "libc_malloc_debug.so.0",
            "libabsl_malloc_internal.so.20220623",
            "libjemalloc.a",
            "libjemalloc.sofa",
            "jemalloc.so",
        ] {
            assert_eq!(name(other), None, "{other}");
        }
        assert_eq!(stem("libanything-else.so", false).as_deref(), Some("anything-else"));
        assert_eq!(stem("libstratalloc.so", false), None, "that is ours");
    }

    #[test]
    fn versions_are_behind_the_suffix() {
        assert_eq!(version(Path::new("/x/libmimalloc.so.2.0")), Some("2.0"));
        assert_eq!(version(Path::new("/x/libmimalloc.so")), None);
    }

    #[test]
    fn a_name_that_is_not_there_is_answered_with_those_that_are() {
        let rows = vec![Row { name: "a".to_owned(), library: None }];
        let failure = check(&["a".to_owned(), "x".to_owned()], rows, vec!["b".to_owned()]).unwrap_err();
        assert_eq!(failure.to_string(), "no allocator 'x' here; there are: a, b, stratalloc, system");
    }
}
