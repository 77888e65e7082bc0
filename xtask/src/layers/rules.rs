//! The rules of the layer check, as functions from packages to complaints.

use super::metadata::{Dependency, Kind, Package};

/// What the name of a folder says about the crate in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place<'folder> {
    /// `crates/l<number>-<room>`.
    Layer(u8, &'folder str),
    /// `crates/stratalloc`: above every layer.
    Facade,
    /// `crates/measure`: what programs of this project share on the machine where they are run. The library knows nothing
    /// of it, and it may use crates from outside.
    Tool,
    /// `crates/cli` and `xtask`: programs, above the façade.
    Program,
    /// A folder that has no place in the tree.
    Nowhere,
}

impl Place<'_> {
    fn of(folder: &str) -> Place<'_> {
        match folder.strip_prefix("crates/") {
            Some("stratalloc") => Place::Facade,
            Some("measure") => Place::Tool,
            Some("cli") => Place::Program,
            Some(name) => layer_of(name).map_or(Place::Nowhere, |(layer, room)| Place::Layer(layer, room)),
            None if folder == "xtask" => Place::Program,
            None => Place::Nowhere,
        }
    }

    fn height(self) -> u8 {
        match self {
            Place::Layer(layer, _) => layer,
            Place::Facade | Place::Tool => 10,
            Place::Program | Place::Nowhere => 11,
        }
    }
}

/// Crates of traits that others write their collections against. The contract implements them where a feature asks for it. Without
/// their own features they bring neither code nor further crates; three are the most that this list may have.
const TRAITS: &[&str] = &["allocator-api2"];
const _: () = assert!(TRAITS.len() <= 3);

/// `l3-heap` is layer 3, room `heap`.
fn layer_of(name: &str) -> Option<(u8, &str)> {
    let (layer, room) = name.strip_prefix('l')?.split_once('-')?;
    match layer.as_bytes() {
        [digit @ b'0'..=b'9'] if !room.is_empty() => Some((digit - b'0', room)),
        _ => None,
    }
}

/// Rules 1 to 4 for the members of the library's workspace.
pub(super) fn check_members(members: &[Package]) -> Vec<String> {
    let mut violations = Vec::new();
    for member in members {
        violations.extend(check_name(member));
        for dependency in &member.dependencies {
            violations.extend(check_dependency(member, dependency, members));
        }
    }
    violations
}

fn check_name(member: &Package) -> Option<String> {
    let Package { name, folder, .. } = member;
    match Place::of(folder) {
        Place::Nowhere => Some(format!("{folder}: not l<layer>-<room>, stratalloc, measure, cli or xtask")),
        Place::Layer(_, room) if *name != format!("stratalloc-{room}") => {
            Some(format!("{folder}: its package is called {name}, not stratalloc-{room}"))
        }
        _ => None,
    }
}

fn check_dependency(member: &Package, dependency: &Dependency, members: &[Package]) -> Option<String> {
    let (from, name) = (&member.folder, &dependency.name);
    let place = Place::of(from);
    let Some(to) = members.iter().find(|other| dependency.local && other.name == *name) else {
        let for_loom = name == "loom" && dependency.target.as_deref() == Some("cfg(loom)");
        let outside_is_free = matches!(place, Place::Program | Place::Tool);
        let traits = matches!(place, Place::Layer(2, _)) && dependency.kind == Kind::Normal;
        let for_traits = traits && dependency.optional && TRAITS.contains(&name.as_str());
        let allowed = outside_is_free || dependency.kind == Kind::Dev || for_loom || for_traits;
        return (!allowed).then(|| format!("{from}: depends on {name}, which is not of this project"));
    };
    // Its own tests may use a crate with other features switched on.
    if to.name == member.name && dependency.kind == Kind::Dev {
        return None;
    }
    let target = Place::of(&to.folder);
    // Nor does a test that puts two neighbours together: the library built from them knows nothing of it.
    let neighbours =
        target.height() == place.height() && matches!((place, target), (Place::Layer(..), Place::Layer(..)));
    if neighbours && dependency.kind == Kind::Dev {
        return None;
    }
    if target.height() >= place.height() {
        return Some(format!("{from}: depends on {}, which is not a smaller layer", to.folder));
    }
    if (place.height(), target.height()) == (2, 1) {
        return Some(format!("{from}: depends on {}; the contract knows no operating system", to.folder));
    }
    None
}

/// Rule 5: `bench` are the members of the bench's workspace, `locked` the names in the library's lock file.
pub(super) fn check_peers(bench: &[Package], locked: &[&str]) -> Vec<String> {
    let runners = bench.iter().filter(|package| package.folder.starts_with("runners/"));
    let dependencies = runners.flat_map(|runner| &runner.dependencies);
    let peers: Vec<&str> =
        dependencies.filter(|dependency| !dependency.local).map(|peer| peer.name.as_str()).collect();
    if peers.is_empty() {
        return vec!["bench/runners: no peer found; this check has nothing to look for".to_owned()];
    }
    // Peers bring their C sources in crates of other names, but all of them say malloc.
    let found = locked.iter().filter(|name| peers.contains(name) || name.contains("malloc"));
    found.map(|name| format!("Cargo.lock: holds {name}, a peer of the bench")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(folder: &str, name: &str, dependencies: &[Dependency]) -> Package {
        Package { name: name.to_owned(), folder: folder.to_owned(), dependencies: dependencies.to_vec() }
    }

    fn local(name: &str) -> Dependency {
        Dependency { name: name.to_owned(), kind: Kind::Normal, target: None, optional: false, local: true }
    }

    fn foreign(name: &str) -> Dependency {
        Dependency { local: false, ..local(name) }
    }

    /// A small tree that obeys every rule, with one more dependency of the crate in `folder`.
    fn tree_with(folder: &str, more: Dependency) -> Vec<String> {
        let mut members = vec![
            package("crates/l0-primitives", "stratalloc-primitives", &[]),
            package("crates/l1-platform", "stratalloc-platform", &[]),
            package("crates/l2-resource", "stratalloc-resource", &[local("stratalloc-primitives")]),
            package("crates/l3-heap", "stratalloc-heap", &[local("stratalloc-resource")]),
            package("crates/l3-pool", "stratalloc-pool", &[local("stratalloc-resource")]),
            package("crates/stratalloc", "stratalloc", &[local("stratalloc-heap")]),
            package("crates/measure", "stratalloc-measure", &[foreign("serde")]),
            package(
                "crates/cli",
                "stratalloc-cli",
                &[local("stratalloc"), local("stratalloc-measure"), foreign("clap")],
            ),
            package("xtask", "xtask", &[foreign("serde_json")]),
        ];
        let member = members.iter_mut().find(|member| member.folder == folder).expect("the folder is there");
        member.dependencies.push(more);
        check_members(&members)
    }

    #[test]
    fn smaller_layers_are_allowed() {
        assert_eq!(tree_with("crates/l3-heap", local("stratalloc-platform")), [""; 0]);
        assert_eq!(
            tree_with("crates/l2-resource", Dependency { kind: Kind::Dev, ..local("stratalloc-resource") }),
            [""; 0]
        );
    }

    #[test]
    fn the_same_layer_and_larger_ones_are_not() {
        for (folder, name) in [
            ("crates/l3-heap", "stratalloc-pool"),
            ("crates/l0-primitives", "stratalloc-heap"),
            ("crates/l3-heap", "stratalloc"),
            ("crates/stratalloc", "stratalloc-cli"),
            ("crates/stratalloc", "stratalloc-measure"),
            ("crates/l3-heap", "stratalloc-measure"),
            ("crates/measure", "stratalloc-cli"),
        ] {
            let violations = tree_with(folder, local(name));
            assert_eq!(violations.len(), 1, "{folder} on {name}: {violations:?}");
            assert!(violations[0].ends_with("which is not a smaller layer"), "{violations:?}");
        }
    }

    #[test]
    fn tests_obey_the_layers_too() {
        let upwards = Dependency { kind: Kind::Dev, ..local("stratalloc-heap") };
        assert_eq!(tree_with("crates/l2-resource", upwards).len(), 1);
        let neighbour = Dependency { kind: Kind::Dev, ..local("stratalloc-pool") };
        assert_eq!(tree_with("crates/l3-heap", neighbour), [""; 0]);
    }

    #[test]
    fn contract_and_platform_do_not_know_each_other() {
        assert_eq!(tree_with("crates/l2-resource", local("stratalloc-platform")).len(), 1);
        assert_eq!(tree_with("crates/l1-platform", local("stratalloc-resource")).len(), 1);
    }

    #[test]
    fn layers_depend_on_nothing_from_outside() {
        assert_eq!(tree_with("crates/l3-heap", foreign("libc")).len(), 1);
        assert_eq!(tree_with("crates/stratalloc", foreign("libc")).len(), 1);
        assert_eq!(
            tree_with("crates/l1-platform", Dependency { kind: Kind::Build, ..foreign("cc") }).len(),
            1
        );
        assert_eq!(tree_with("crates/l3-heap", foreign("loom")).len(), 1);
        let under_loom = Dependency { target: Some("cfg(loom)".to_owned()), ..foreign("loom") };
        assert_eq!(tree_with("crates/l3-heap", under_loom), [""; 0]);
        assert_eq!(
            tree_with("crates/l3-heap", Dependency { kind: Kind::Dev, ..foreign("proptest") }),
            [""; 0]
        );
    }

    #[test]
    fn traits_from_outside_are_optional_and_for_the_contract_only() {
        let traits = Dependency { optional: true, ..foreign("allocator-api2") };
        assert_eq!(tree_with("crates/l2-resource", traits.clone()), [""; 0]);
        for (folder, dependency) in [
            ("crates/l2-resource", foreign("allocator-api2")),
            ("crates/l2-resource", Dependency { name: "hashbrown".to_owned(), ..traits.clone() }),
            ("crates/l2-resource", Dependency { kind: Kind::Build, ..traits.clone() }),
            ("crates/l3-heap", traits.clone()),
            ("crates/stratalloc", traits),
        ] {
            assert_eq!(tree_with(folder, dependency.clone()).len(), 1, "{folder}: {dependency:?}");
        }
    }

    #[test]
    fn names_follow_folders() {
        for (folder, name, good) in [
            ("crates/l3-heap", "stratalloc-heap", true),
            ("crates/l3-heap", "stratalloc-l3-heap", false),
            ("crates/heap", "stratalloc-heap", false),
            ("crates/l-heap", "stratalloc-heap", false),
            ("crates/l10-heap", "stratalloc-heap", false),
            ("crates/l3-", "stratalloc-", false),
            ("elsewhere", "stratalloc-heap", false),
        ] {
            assert_eq!(check_members(&[package(folder, name, &[])]).is_empty(), good, "{folder} {name}");
        }
    }

    #[test]
    fn peers_stay_out_of_the_lock_file() {
        let bench = [
            package("driver", "stratalloc-bench", &[foreign("libc")]),
            package(
                "runners/mimalloc3",
                "runner-mimalloc3",
                &[local("bench-workloads"), foreign("mimalloc")],
            ),
            package("runners/snmalloc", "runner-snmalloc", &[foreign("snmalloc-rs")]),
        ];
        assert_eq!(check_peers(&bench, &["libc", "stratalloc", "stratalloc-heap"]), [""; 0]);
        assert_eq!(check_peers(&bench, &["loom", "snmalloc-rs", "libmimalloc-sys"]).len(), 2);
    }

    #[test]
    fn a_bench_without_peers_is_suspicious() {
        assert_eq!(check_peers(&[package("driver", "stratalloc-bench", &[foreign("libc")])], &[]).len(), 1);
    }
}
