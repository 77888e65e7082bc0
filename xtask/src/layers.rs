//! The layer check. What it holds the tree to:
//!
//! 1. every folder of `crates/` is `l<layer>-<room>`, `stratalloc` (the façade), `measure` or `cli`, and the package of a
//!    layer is called `stratalloc-<room>`: the folder carries the layer, the name does not;
//! 2. a crate depends on smaller layers only; its tests may put neighbours of its own layer to work as well;
//! 3. `l1` and `l2` do not know each other;
//! 4. the layers and the façade depend on nothing from outside, except loom under `cfg(loom)` and in their tests; the
//!    contract may also know, if a feature asks for it, crates that hold nothing but traits (`rules::TRAITS`);
//! 5. nothing that the bench compares with is in the lock file.

mod metadata;
mod rules;

use std::path::Path;

use crate::cargo;

/// Checks the tree at `root`; returns what is wrong with it.
pub(crate) fn run(root: &Path) -> Result<Vec<String>, String> {
    let members = metadata::packages(&cargo::metadata(root, "Cargo.toml")?)?;
    let bench = metadata::packages(&cargo::metadata(root, "bench/Cargo.toml")?)?;
    let lock = root.join("Cargo.lock");
    let lock = std::fs::read_to_string(&lock).map_err(|error| format!("{}: {error}", lock.display()))?;
    let mut violations = rules::check_members(&members);
    violations.extend(rules::check_peers(&bench, &metadata::locked_names(&lock)));
    if violations.is_empty() {
        let edges: usize = members.iter().map(|member| member.dependencies.len()).sum();
        println!("layers: {} packages, {edges} dependencies, no violation", members.len());
    }
    Ok(violations)
}
