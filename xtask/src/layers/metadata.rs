//! What the layer check needs of `cargo metadata` and of the lock file.

use serde_json::Value;

/// A package of a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Package {
    pub(super) name: String,
    /// Folder, relative to the root of its workspace.
    pub(super) folder: String,
    pub(super) dependencies: Vec<Dependency>,
}

/// One dependency as the manifest declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// The condition, as in `[target."cfg(loom)".dependencies]`.
    pub(super) target: Option<String>,
    /// Only there if a feature asks for it.
    pub(super) optional: bool,
    /// A folder of this project, not something from a registry.
    pub(super) local: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    Build,
    Dev,
}

/// The packages in the output of `cargo metadata --no-deps`.
pub(super) fn packages(metadata: &Value) -> Result<Vec<Package>, String> {
    let root = text(metadata, "workspace_root")?;
    list(metadata, "packages")?.iter().map(|package| read_package(package, root)).collect()
}

fn read_package(package: &Value, root: &str) -> Result<Package, String> {
    let manifest = text(package, "manifest_path")?;
    let folder = manifest.strip_suffix("/Cargo.toml").unwrap_or(manifest);
    let folder = folder.strip_prefix(root).unwrap_or(folder).trim_start_matches('/');
    let dependencies =
        list(package, "dependencies")?.iter().map(read_dependency).collect::<Result<_, _>>()?;
    Ok(Package { name: text(package, "name")?.to_owned(), folder: folder.to_owned(), dependencies })
}

fn read_dependency(dependency: &Value) -> Result<Dependency, String> {
    let kind = match dependency["kind"].as_str() {
        None => Kind::Normal,
        Some("build") => Kind::Build,
        Some("dev") => Kind::Dev,
        Some(other) => return Err(format!("cargo metadata: dependency of unknown kind {other}")),
    };
    Ok(Dependency {
        name: text(dependency, "name")?.to_owned(),
        kind,
        target: dependency["target"].as_str().map(str::to_owned),
        optional: dependency["optional"] == true,
        local: dependency["path"].is_string(),
    })
}

fn text<'value>(value: &'value Value, key: &str) -> Result<&'value str, String> {
    value[key].as_str().ok_or_else(|| format!("cargo metadata: no text {key}"))
}

fn list<'value>(value: &'value Value, key: &str) -> Result<&'value Vec<Value>, String> {
    value[key].as_array().ok_or_else(|| format!("cargo metadata: no list {key}"))
}

/// Names of all packages in a lock file.
pub(super) fn locked_names(lock: &str) -> Vec<&str> {
    lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_cargo_writes() {
        let metadata = serde_json::json!({
            "workspace_root": "/w",
            "packages": [{
                "name": "stratalloc-heap",
                "manifest_path": "/w/crates/l3-heap/Cargo.toml",
                "dependencies": [
                    { "name": "stratalloc-platform", "kind": null, "target": null, "path": "/w/crates/l1-platform" },
                    { "name": "loom", "kind": "dev", "target": "cfg(loom)", "optional": false },
                    { "name": "allocator-api2", "rename": "api", "kind": null, "target": null, "optional": true },
                ],
            }],
        });
        let expected = Package {
            name: "stratalloc-heap".to_owned(),
            folder: "crates/l3-heap".to_owned(),
            dependencies: vec![
                Dependency {
                    name: "stratalloc-platform".to_owned(),
                    kind: Kind::Normal,
                    target: None,
                    optional: false,
                    local: true,
                },
                Dependency {
                    name: "loom".to_owned(),
                    kind: Kind::Dev,
                    target: Some("cfg(loom)".to_owned()),
                    optional: false,
                    local: false,
                },
                Dependency {
                    name: "allocator-api2".to_owned(),
                    kind: Kind::Normal,
                    target: None,
                    optional: true,
                    local: false,
                },
            ],
        };
        assert_eq!(packages(&metadata), Ok(vec![expected]));
    }

    #[test]
    fn metadata_of_another_shape_is_an_error() {
        assert!(packages(&serde_json::json!({ "workspace_root": "/w" })).is_err());
    }

    #[test]
    fn lock_file_names() {
        let lock = "version = 4\n\n[[package]]\nname = \"loom\"\nversion = \"0.7.2\"\n\n[[package]]\nname = \"xtask\"\n";
        assert_eq!(locked_names(lock), ["loom", "xtask"]);
    }
}
