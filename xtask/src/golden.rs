//! Golden numbers: what the fast paths cost, in instructions that callgrind saw executed.
//!
//! ```text
//!   tests/golden/library.rs ──► example, libstratalloc.so preloaded ──► [library]       malloc and free, one call each
//!                                                                      [instructions]  workloads, inside the library
//!                                                                      [faults]        workloads, without valgrind
//!   tests/golden/rust.rs    ──► example, global allocator, fat LTO ───► [rust]          Box::new and drop, inlined
//! ```
//!
//! `[library]` and `[rust]` are exact, and the paths they count contain no call and no locked instruction. The other two
//! may move by [`TOLERANCE_PERCENT`]. What must hold whatever the file says is in [`LIMITS`].
//!
//! - [`callgrind`]: running it, reading its profile. - [`disassembly`]: which instructions may not be on a fast path.
//! - [`paths`]: single calls. - [`workloads`]: the rest. - [`counts`]: the file, and the comparison.

mod callgrind;
mod counts;
mod disassembly;
mod paths;
mod workloads;

use std::path::{Path, PathBuf};

use crate::cargo;
use counts::Counts;

/// How far a workload may move before a change must say so.
const TOLERANCE_PERCENT: u64 = 2;

/// Upper limits, by section and start of the key (issue "The heap", "Must hold").
const LIMITS: [(&str, &str, u64); 4] = [
    ("library", "malloc_", 14),
    ("library", "free_", 18),
    ("rust", "box_new_", 8),
    ("rust", "box_drop_", 10),
];

/// What is built before anything is counted.
struct Programs {
    library: PathBuf,
    library_probe: PathBuf,
    rust_probe: PathBuf,
}

/// Counts, and compares with the file or, with `bless`, writes it.
pub(crate) fn run(root: &Path, bless: bool) -> Result<Vec<String>, String> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err("golden numbers are those of x86-64 Linux".to_owned());
    }
    let programs = build(root)?;
    let mut measured = Counts::default();
    let mut violations = Vec::new();
    paths::library(&programs.library, &programs.library_probe, &mut measured, &mut violations)?;
    paths::rust(&programs.rust_probe, &mut measured, &mut violations)?;
    workloads::count(&programs.library, &programs.library_probe, &mut measured)?;
    violations.extend(measured.above(&LIMITS));
    let file = root.join("tests/golden/counts.toml");
    let golden = match std::fs::read_to_string(&file) {
        Ok(text) => Counts::parse(&text)?,
        Err(_) if bless => Counts::default(),
        Err(error) => return Err(format!("{}: {error}", file.display())),
    };
    print!("{}", measured.beside(&golden));
    if bless {
        std::fs::write(&file, measured.to_toml()).map_err(|error| format!("{}: {error}", file.display()))?;
    } else {
        violations.extend(measured.differences(&golden));
    }
    Ok(violations)
}

fn build(root: &Path) -> Result<Programs, String> {
    let library = cargo::build_release(root, &["--package", "stratalloc-capi"])?;
    let examples = cargo::build_release(root, &["--package", "xtask", "--examples"])?.join("examples");
    Ok(Programs {
        library: library.join("libstratalloc.so"),
        library_probe: examples.join("golden_library"),
        rust_probe: examples.join("golden_rust"),
    })
}
