//! Which library is preloaded, and where it is put.

mod harness;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use harness::{Folder, complaint, refused};

/// What the program finds in its `LD_PRELOAD`.
const SHOW: [&str; 5] = ["run", "-q", "sh", "-c", "printf %s \"$LD_PRELOAD\""];

fn preloaded(command: &mut std::process::Command) -> PathBuf {
    let output = command.output().unwrap();
    assert_eq!((output.status.code(), complaint(&output)), (Some(0), String::new()));
    PathBuf::from(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn embedded_library_is_cached_and_mended() {
    let folder = Folder::new("cache");
    let path = preloaded(&mut folder.stratalloc(SHOW));
    assert!(path.starts_with(folder.path("cache/stratalloc")), "{}", path.display());
    let good = fs::read(&path).unwrap();
    fs::write(&path, b"damaged").unwrap();
    assert_eq!(preloaded(&mut folder.stratalloc(SHOW)), path);
    assert!(fs::read(&path).unwrap() == good);
}

#[test]
fn folder_that_others_may_write_to_is_not_trusted() {
    let folder = Folder::new("trust");
    let path = preloaded(&mut folder.stratalloc(SHOW));
    fs::set_permissions(path.parent().unwrap(), fs::Permissions::from_mode(0o777)).unwrap();
    let other = preloaded(folder.stratalloc(SHOW).env("HOME", folder.path("home")));
    assert!(other.starts_with(folder.path("home/.cache")), "{}", other.display());
}

#[test]
fn without_a_cache_the_folder_of_the_run_serves() {
    let folder = Folder::new("nocache");
    let mut command = folder.stratalloc(SHOW);
    let path = preloaded(command.env("XDG_CACHE_HOME", "/dev/null/cache").env("HOME", "/dev/null"));
    assert!(path.starts_with(folder.path("")), "{}", path.display());
    assert!(!path.exists(), "removed with the run");
}

#[test]
fn named_library_is_used_by_option_before_variable() {
    let folder = Folder::new("named");
    let embedded = preloaded(&mut folder.stratalloc(SHOW));
    let (first, second) = (folder.path("first.so"), folder.path("second.so"));
    for copy in [&first, &second] {
        fs::copy(&embedded, copy).unwrap();
    }
    assert_eq!(preloaded(folder.stratalloc(SHOW).env("STRATALLOC_LIBRARY", &first)), first);
    let words = ["run", "--library", second.to_str().unwrap()].into_iter().chain(SHOW.into_iter().skip(1));
    assert_eq!(preloaded(folder.stratalloc(words).env("STRATALLOC_LIBRARY", &first)), second);
}

#[test]
fn path_that_the_loader_would_split_is_linked() {
    let folder = Folder::new("split");
    let embedded = preloaded(&mut folder.stratalloc(SHOW));
    for name in ["a b.so", "a:b.so", "a$b.so"] {
        let copy = folder.path(name);
        fs::copy(&embedded, &copy).unwrap();
        let output = folder.stratalloc(["run", "true"]).env("STRATALLOC_LIBRARY", &copy).output().unwrap();
        let text = complaint(&output);
        assert!(!text.contains("ld.so") && text.contains("committed"), "{name}: {text}");
    }
}

#[test]
fn what_is_no_library_is_refused() {
    let folder = Folder::new("nolibrary");
    for (path, why) in [
        ("/etc/passwd", "not a shared library"),
        ("/dev/null", "not a shared library"),
        ("/no/file", "No such file"),
    ] {
        let output = folder.stratalloc(["run", "true"]).env("STRATALLOC_LIBRARY", path).output().unwrap();
        refused(&output, 125, why);
    }
}
