//! `/proc`, `/sys`, `prlimit`.

use core::ffi::CStr;

use super::Overcommit;
use crate::sys::{self, nr};
use crate::{text, thp};

pub(super) fn address_space() -> Option<u64> {
    const RLIMIT_AS: usize = 9;
    const INFINITY: u64 = u64::MAX;
    // `struct rlimit64`: the soft limit and the hard one.
    let mut limit = [INFINITY; 2];
    let args = [0, RLIMIT_AS, 0, limit.as_mut_ptr().expose_provenance(), 0, 0];
    // SAFETY: prlimit64 writes one `struct rlimit64` and, with a null new limit, changes nothing.
    let asked = unsafe { sys::call(nr::PRLIMIT64, args) };
    asked.ok().map(|_| limit[0]).filter(|&bytes| bytes != INFINITY)
}

pub(super) fn overcommit() -> Overcommit {
    match text::number_file(c"/proc/sys/vm/overcommit_memory") {
        Some(1) => Overcommit::Always,
        Some(2) => Overcommit::Never,
        _ => Overcommit::Heuristic,
    }
}

pub(super) fn total_memory() -> u64 {
    thp::memory_field(b"MemTotal:").unwrap_or(0) << 10
}

pub(super) fn cgroup_memory() -> Option<u64> {
    let mut buffer = [0; 4096];
    let group = unified_path(text::read_file(c"/proc/self/cgroup", &mut buffer)?)?;
    // Where version 2 is mounted: alone, or beside version 1.
    let roots: [&[u8]; 2] = [b"/sys/fs/cgroup", b"/sys/fs/cgroup/unified"];
    roots.into_iter().filter_map(|root| smallest_limit(root, group)).min()
}

/// The path of the unified hierarchy, whose line is `0::/path`. May be `/../..` in a container that lies outside of its
/// own root.
fn unified_path(text: &[u8]) -> Option<&[u8]> {
    text.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"0::"))
}

/// The smallest `memory.max` from `root/group` up to `root`.
fn smallest_limit(root: &[u8], group: &[u8]) -> Option<u64> {
    let mut group = group.strip_suffix(b"/").unwrap_or(group);
    let mut smallest = None;
    loop {
        let limit = limit_of(root, group);
        smallest = match (smallest, limit) {
            (Some(a), Some(b)) => Some(u64::min(a, b)),
            (a, b) => a.or(b),
        };
        let Some(slash) = group.iter().rposition(|&byte| byte == b'/') else { return smallest };
        group = group.get(..slash)?;
    }
}

/// `memory.max` of one group; `None` for `max`, for a group without the file, and for a path that is too long.
fn limit_of(root: &[u8], group: &[u8]) -> Option<u64> {
    let mut path = [0; 1024];
    let parts = [root, group, b"/memory.max\0"];
    let mut length = 0;
    for part in parts {
        path.get_mut(length..length + part.len())?.copy_from_slice(part);
        length += part.len();
    }
    text::number_file(CStr::from_bytes_with_nul(path.get(..length)?).ok()?)
}

#[cfg(test)]
mod tests {
    extern crate alloc;
    extern crate std;
    use super::*;

    #[test]
    fn the_unified_group_is_found_among_others() {
        assert_eq!(unified_path(b"0::/user.slice/a\n"), Some(&b"/user.slice/a"[..]));
        assert_eq!(unified_path(b"4:memory:/x\n0::/y\n"), Some(&b"/y"[..]));
        assert_eq!(unified_path(b"4:memory:/x\n10::/y\n"), None);
    }

    #[test]
    #[cfg_attr(miri, ignore = "no files")]
    fn the_smallest_limit_on_the_way_up_counts() {
        let root = std::env::temp_dir().join(alloc::format!("stratalloc-cgroup-{}", std::process::id()));
        let group = root.join("a/b");
        std::fs::create_dir_all(&group).unwrap();
        std::fs::write(root.join("a/memory.max"), "1000\n").unwrap();
        std::fs::write(group.join("memory.max"), "max\n").unwrap();
        let root_bytes = root.to_str().unwrap().as_bytes();
        assert_eq!(smallest_limit(root_bytes, b"/a/b"), Some(1000));
        assert_eq!(smallest_limit(root_bytes, b"/a/b/"), Some(1000));
        assert_eq!(smallest_limit(root_bytes, b"/"), None);
        std::fs::write(group.join("memory.max"), "200\n").unwrap();
        assert_eq!(smallest_limit(root_bytes, b"/a/b"), Some(200));
        assert_eq!(smallest_limit(root_bytes, b"/a"), Some(1000));
        std::fs::write(root.join("memory.max"), "50\n").unwrap();
        assert_eq!(smallest_limit(root_bytes, b"/a/b"), Some(50));
        assert_eq!(smallest_limit(root_bytes, b"/"), Some(50));
        assert_eq!(smallest_limit(root_bytes, b"/absent"), Some(50));
        let long = alloc::format!("/{}", "x".repeat(2000));
        assert_eq!(
            smallest_limit(root_bytes, long.as_bytes()),
            Some(50),
            "too long a path has no limit of its own"
        );
        std::fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    #[cfg_attr(miri, ignore = "no kernel")]
    fn answers_agree_with_the_kernel_s_files() {
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
        let line = limits.lines().find(|line| line.starts_with("Max address space")).unwrap();
        assert_eq!(line.split_whitespace().nth(3).unwrap().parse().ok(), address_space());
        let mode = std::fs::read_to_string("/proc/sys/vm/overcommit_memory").unwrap();
        assert_eq!(mode.trim().parse(), Ok(overcommit() as u8));
        assert!(total_memory() > 16 << 20);
        assert!(cgroup_memory().is_none_or(|limit| limit > 0));
    }
}
