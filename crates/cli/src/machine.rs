//! What the machine offers to a heap: facts read from `/proc` and `/sys`, with advice where a setting costs something.
//!
//! A file that is missing is a fact too: the value is then `null`, and shown as "not offered".

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use serde::Serialize;
use serde_json::{Value, json};

use stratalloc_measure::units;

use crate::posix;

/// Something that the machine offers or limits.
#[derive(Debug, Serialize)]
pub(crate) struct Fact {
    /// Its name for programs.
    pub(crate) key: &'static str,
    /// Its name for people.
    #[serde(skip)]
    pub(crate) label: &'static str,
    /// Its value for programs.
    pub(crate) value: Value,
    /// Its value for people.
    pub(crate) text: String,
    /// What to do about it, if anything.
    pub(crate) advice: Option<String>,
}

/// Every fact, in the order in which it is shown.
pub(crate) fn facts() -> Vec<Fact> {
    vec![
        kernel(),
        c_library(),
        processors(),
        memory(),
        page_size(),
        transparent_huge_pages(),
        defragmentation(),
        explicit_huge_pages(),
        nodes(),
        overcommit(),
        limit("address_space_limit", "address space limit", posix::soft_limit(libc::RLIMIT_AS)),
        limit("data_limit", "data limit", posix::soft_limit(libc::RLIMIT_DATA)),
        control_group(),
        mappings(),
    ]
}

const THP: &str = "/sys/kernel/mm/transparent_hugepage";
const HUGE_PAGES: &str = "/sys/kernel/mm/hugepages";
const NODES: &str = "/sys/devices/system/node";
const GROUPS: &str = "/sys/fs/cgroup";
/// What the kernel allows when nobody changed it.
const USUAL_MAPPINGS: u64 = 65_530;
/// Below this, a heap of a usual program comes near the limit.
const TIGHT_LIMIT: u64 = 4 << 30;

fn read(path: impl AsRef<Path>) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn number(path: impl AsRef<Path>) -> Option<u64> {
    read(path)?.parse().ok()
}

/// The choice that is in brackets: `always [madvise] never`.
fn chosen(text: &str) -> Option<&str> {
    text.split_once('[')?.1.split_once(']').map(|(choice, _)| choice)
}

/// A field of a file like `/proc/meminfo`, in bytes: `Name:   123 kB`.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.split_once(':').filter(|(key, _)| key.ends_with(name)))?.1;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

impl Fact {
    fn new(key: &'static str, label: &'static str, value: impl Into<Value>, text: impl Into<String>) -> Fact {
        Fact { key, label, value: value.into(), text: text.into(), advice: None }
    }

    fn missing(key: &'static str, label: &'static str) -> Fact {
        Fact::new(key, label, Value::Null, "not offered")
    }

    fn advise(mut self, advice: Option<&str>) -> Fact {
        self.advice = advice.map(str::to_owned);
        self
    }
}

fn kernel() -> Fact {
    let release = read("/proc/sys/kernel/osrelease").unwrap_or_default();
    let text = format!("Linux {release}, {}", std::env::consts::ARCH);
    Fact::new("kernel", "kernel", json!({ "release": release, "machine": std::env::consts::ARCH }), text)
}

fn c_library() -> Fact {
    match posix::c_library() {
        Some(name) => Fact::new("c_library", "C library", name.clone(), name),
        None => Fact::new("c_library", "C library", Value::Null, "does not tell its version"),
    }
}

fn processors() -> Fact {
    let count = thread::available_parallelism().map_or(1, core::num::NonZero::get);
    Fact::new("processors", "processors", count, count.to_string())
}

fn memory() -> Fact {
    let text = read("/proc/meminfo").unwrap_or_default();
    let (total, available) = (field(&text, "MemTotal"), field(&text, "MemAvailable"));
    let (Some(all), Some(free)) = (total, available) else { return Fact::missing("memory", "memory") };
    let shown = format!("{}, of which {} available", units::bytes(all), units::bytes(free));
    Fact::new("memory", "memory", json!({ "total_bytes": total, "available_bytes": available }), shown)
}

fn page_size() -> Fact {
    let size = posix::page_size();
    Fact::new("page_size_bytes", "page size", size, units::bytes(size))
}

fn transparent_huge_pages() -> Fact {
    const KEY: &str = "transparent_huge_pages";
    const LABEL: &str = "transparent huge pages";
    let text = read(format!("{THP}/enabled"));
    let Some(mode) = text.as_deref().and_then(chosen) else {
        return Fact::missing(KEY, LABEL)
            .advise(Some("the kernel has none: large heaps take more page faults"));
    };
    let size = number(format!("{THP}/hpage_pmd_size"));
    let shown = size.map_or_else(|| mode.to_owned(), |size| format!("{mode}, {} each", units::bytes(size)));
    let advice = match mode {
        "never" => Some(
            "heaps of many megabytes take more page faults; 'madvise' lets only those who ask use huge pages",
        ),
        "always" => Some(
            "other memory of a program gets huge pages unasked, which raises its resident size; the heap itself opts out until it is large",
        ),
        _ => None,
    };
    Fact::new(KEY, LABEL, json!({ "mode": mode, "size_bytes": size }), shown).advise(advice)
}

fn defragmentation() -> Fact {
    let text = read(format!("{THP}/defrag"));
    let Some(mode) = text.as_deref().and_then(chosen) else {
        return Fact::missing("huge_page_defrag", "  defragmentation");
    };
    let advice = (mode == "always")
        .then_some("a page fault may wait for memory to be moved; 'madvise' or 'defer+madvise' avoids that");
    Fact::new("huge_page_defrag", "  defragmentation", mode, mode).advise(advice)
}

fn explicit_huge_pages() -> Fact {
    let mut sizes: Vec<(u64, u64, u64)> = Vec::new();
    for entry in fs::read_dir(HUGE_PAGES).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let size = name
            .to_str()
            .and_then(|name| name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse::<u64>().ok());
        let count = |file| number(entry.path().join(file)).unwrap_or(0);
        sizes.extend(size.map(|size| (size * 1024, count("nr_hugepages"), count("free_hugepages"))));
    }
    if sizes.is_empty() {
        return Fact::missing("explicit_huge_pages", "explicit huge pages");
    }
    sizes.sort_unstable();
    let value: Vec<Value> = sizes
        .iter()
        .map(|&(size, reserved, free)| json!({ "size_bytes": size, "reserved": reserved, "free": free }))
        .collect();
    let parts: Vec<String> = sizes
        .iter()
        .map(|&(size, reserved, free)| match reserved {
            0 => format!("{}: none reserved", units::bytes(size)),
            _ => format!("{}: {reserved} reserved, {free} free", units::bytes(size)),
        })
        .collect();
    Fact::new("explicit_huge_pages", "explicit huge pages", value, parts.join("; "))
}

fn nodes() -> Fact {
    let mut nodes: Vec<(u32, PathBuf)> = Vec::new();
    for entry in fs::read_dir(NODES).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let index = name.to_str().and_then(|name| name.strip_prefix("node")?.parse().ok());
        nodes.extend(index.map(|index| (index, entry.path())));
    }
    if nodes.is_empty() {
        return Fact::missing("numa_nodes", "NUMA nodes");
    }
    nodes.sort_unstable();
    let describe = |(index, path): &(u32, PathBuf)| {
        let total = read(path.join("meminfo")).and_then(|text| field(&text, "MemTotal"));
        let cpus = read(path.join("cpulist")).unwrap_or_default();
        (json!({ "node": index, "cpus": cpus, "total_bytes": total }), total.unwrap_or(0), cpus)
    };
    let described: Vec<_> = nodes.iter().map(describe).collect();
    let parts: Vec<String> = described
        .iter()
        .map(|(_, total, cpus)| match cpus.as_str() {
            "" => units::bytes(*total),
            cpus => format!("{} with cpu {cpus}", units::bytes(*total)),
        })
        .collect();
    let text = match nodes.len() {
        1 => "1".to_owned(),
        count => format!("{count}: {}", parts.join("; ")),
    };
    let values: Vec<Value> = described.into_iter().map(|(value, ..)| value).collect();
    Fact::new("numa_nodes", "NUMA nodes", values, text)
}

fn overcommit() -> Fact {
    let Some(mode) = number("/proc/sys/vm/overcommit_memory") else {
        return Fact::missing("overcommit", "overcommit");
    };
    let ratio = number("/proc/sys/vm/overcommit_ratio");
    let text = match mode {
        0 => "0 (by the kernel's estimate)".to_owned(),
        1 => "1 (always granted)".to_owned(),
        2 => format!("2 (strict, {} % of memory and swap)", ratio.unwrap_or(0)),
        other => other.to_string(),
    };
    let advice = (mode == 2).then_some("address space counts as memory here: the heap reserves less at a time, and large programs may be refused memory early");
    Fact::new("overcommit", "overcommit", json!({ "mode": mode, "ratio": ratio }), text).advise(advice)
}

fn limit(key: &'static str, label: &'static str, bytes: Option<u64>) -> Fact {
    let text = bytes.map_or_else(|| "none".to_owned(), units::bytes);
    let advice = bytes.filter(|&bytes| bytes < TIGHT_LIMIT).map(
        |_| "the heap reserves less address space at a time under this limit (`ulimit -v`, `ulimit -d`)",
    );
    Fact::new(key, label, bytes, text).advise(advice)
}

fn control_group() -> Fact {
    let groups = read("/proc/self/cgroup").unwrap_or_default();
    // Either version: "0::/path" or "4:memory:/path"; a limit of a group above holds for the groups in it.
    let limits = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (controllers, path) = (parts.nth(1)?, parts.next()?.trim_start_matches('/'));
        match controllers {
            "" => smallest_limit(Path::new(GROUPS), path, "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                smallest_limit(&Path::new(GROUPS).join("memory"), path, "memory.limit_in_bytes")
            }
            _ => None,
        }
    });
    let limit = limits.min();
    let text = limit.map_or_else(|| "none".to_owned(), units::bytes);
    Fact::new("cgroup_limit_bytes", "control group limit", limit, text)
}

fn smallest_limit(root: &Path, path: &str, file: &str) -> Option<u64> {
    /// How version 1 writes "no limit": the largest multiple of a page.
    const UNLIMITED: u64 = 1 << 62;
    let path = root.join(path);
    let folders = path.ancestors().take_while(|folder| folder.starts_with(root));
    folders.filter_map(|folder| number(folder.join(file))).filter(|&limit| limit < UNLIMITED).min()
}

fn mappings() -> Fact {
    let Some(most) = number("/proc/sys/vm/max_map_count") else {
        return Fact::missing("max_map_count", "mappings per process");
    };
    let advice = (most < USUAL_MAPPINGS)
        .then_some("fewer than usual (65 530): programs with very many large blocks may be refused memory");
    Fact::new("max_map_count", "mappings per process", most, format!("at most {}", units::count(most)))
        .advise(advice)
}

#[cfg(test)]
mod tests {
    //! Covers the reading of texts; what this machine really says is whatever it is.
    use super::*;

    #[test]
    fn choice_stands_in_brackets() {
        assert_eq!(chosen("always [madvise] never"), Some("madvise"));
        assert_eq!(chosen("always defer [defer+madvise]"), Some("defer+madvise"));
        assert_eq!(chosen("nothing"), None);
    }

    #[test]
    fn fields_are_in_kibibytes() {
        let text = "MemTotal:       16 kB\nMemFree:  3 kB\n";
        assert_eq!(field(text, "MemTotal"), Some(16 * 1024));
        assert_eq!(field("Node 0 MemTotal:  4 kB", "MemTotal"), Some(4096));
        assert_eq!(field(text, "MemAvailable"), None);
    }

    #[test]
    fn keys_are_unique() {
        let mut keys: Vec<_> = facts().iter().map(|fact| fact.key).collect();
        keys.sort_unstable();
        assert!(keys.is_sorted_by(|a, b| a < b), "{keys:?}");
    }
}
