//! Reads what the library writes when a process ends: `<prefix>.<pid>`, lines of `key value`.
//!
//! The protocol grows without a version war: unknown keys are kept and ignored, missing ones stay missing, and a line
//! that makes no sense is passed over. Only `version` must be one that we know.

use alloc::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// The protocol that this reader knows.
const VERSION: u64 = 1;
/// The four domains of the heap, from small to huge blocks.
pub(crate) const DOMAINS: [&str; 4] = ["small", "medium", "large", "huge"];

/// What one process said about its heap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// The number of the process.
    pub(crate) process: u32,
    /// The name of the program, as the kernel cuts it.
    pub(crate) program: Option<String>,
    numbers: BTreeMap<String, u64>,
}

/// One domain; what the library did not tell is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Domain {
    /// Bytes in use at the end.
    pub(crate) live_bytes: Option<u64>,
    /// The most bytes in use at one time.
    pub(crate) peak_bytes: Option<u64>,
    /// Blocks handed out.
    pub(crate) allocations: Option<u64>,
    /// Blocks given back.
    pub(crate) releases: Option<u64>,
}

/// One size class of the small domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Class {
    /// The size of its blocks.
    pub(crate) size: u64,
    /// Blocks handed out.
    pub(crate) allocations: u64,
    /// Blocks in use at the end.
    pub(crate) live: u64,
    /// Bytes in use at the end.
    pub(crate) bytes: u64,
}

impl Summary {
    /// Understands the text; `None` when it is of another version or cut off before its version.
    pub(crate) fn parse(process: u32, text: &str) -> Option<Summary> {
        let mut summary = Summary { process, ..Summary::default() };
        for line in text.lines() {
            let Some((key, value)) = line.trim().split_once(' ') else { continue };
            if key == "program" {
                summary.program = Some(value.to_owned());
            } else if let Ok(number) = value.trim().parse() {
                summary.numbers.insert(key.to_owned(), number);
            }
        }
        (summary.number("version") == Some(VERSION)).then_some(summary)
    }

    /// The summaries that processes left under `prefix`, in the order of their numbers. A file that cannot be understood is
    /// left out.
    pub(crate) fn read_all(prefix: &Path) -> io::Result<Vec<Summary>> {
        let folder = prefix.parent().unwrap_or(Path::new("."));
        let name = prefix.file_name().unwrap_or_default();
        let mut all = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let process = path.extension().and_then(|number| number.to_str()?.parse().ok());
            let (Some(process), true) = (process, path.file_stem() == Some(name)) else { continue };
            all.extend(Summary::parse(process, &String::from_utf8_lossy(&fs::read(&path)?)));
        }
        all.sort_by_key(|summary| summary.process);
        Ok(all)
    }

    /// A figure by its key.
    pub(crate) fn number(&self, key: &str) -> Option<u64> {
        self.numbers.get(key).copied()
    }

    /// The figures that have no dot in their key: those of the whole process.
    pub(crate) fn plain(&self) -> impl Iterator<Item = (&str, u64)> {
        self.numbers.iter().filter(|(key, _)| !key.contains('.')).map(|(key, value)| (key.as_str(), *value))
    }

    /// One domain, by its name in [`DOMAINS`].
    pub(crate) fn domain(&self, name: &str) -> Domain {
        let number = |field| self.number(&format!("{name}.{field}"));
        Domain {
            live_bytes: number("live_bytes"),
            peak_bytes: number("peak_bytes"),
            allocations: number("allocations"),
            releases: number("releases"),
        }
    }

    /// The bytes in use over all domains: a sum for `live_bytes`, and an upper bound for `peak_bytes`, whose domains need
    /// not have peaked together.
    pub(crate) fn over_domains(&self, field: impl Fn(&Domain) -> Option<u64>) -> Option<u64> {
        let known = DOMAINS.iter().filter_map(|name| field(&self.domain(name)));
        known.reduce(u64::saturating_add)
    }

    /// The size classes that were used, by size.
    pub(crate) fn classes(&self) -> Vec<Class> {
        let mut classes = BTreeMap::new();
        for (key, &value) in &self.numbers {
            let parts = key.strip_prefix("class.").and_then(|rest| rest.split_once('.'));
            let Some((Ok(size), field)) = parts.map(|(size, field)| (size.parse(), field)) else { continue };
            let class = classes.entry(size).or_insert(Class { size, allocations: 0, live: 0, bytes: 0 });
            match field {
                "allocations" => class.allocations = value,
                "live" => class.live = value,
                "bytes" => class.bytes = value,
                _ => {}
            }
        }
        classes.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "version 1\nprogram my prog\ntime_ms 12\nsmall.live_bytes 64\nsmall.peak_bytes 128\nsmall.allocations 9\n\
                        huge.live_bytes 1\nclass.64.allocations 3\nclass.64.live 1\nclass.64.bytes 64\nclass.1024.live 2\n\
                        class.x.live 2\nfuture.thing 5\nnonsense\nbad -1\n";

    #[test]
    fn figures_are_found_by_domain_and_class() {
        let summary = Summary::parse(7, TEXT).unwrap();
        assert_eq!(summary.program.as_deref(), Some("my prog"));
        assert_eq!(summary.domain("small").peak_bytes, Some(128));
        assert_eq!(summary.over_domains(|domain| domain.live_bytes), Some(65));
        assert_eq!(summary.classes().iter().map(|class| class.size).collect::<Vec<_>>(), [64, 1024]);
        assert_eq!(summary.classes()[0], Class { size: 64, allocations: 3, live: 1, bytes: 64 });
    }

    #[test]
    fn missing_is_absent_and_unknown_is_ignored() {
        let summary = Summary::parse(7, TEXT).unwrap();
        assert_eq!(summary.domain("medium"), Domain::default());
        assert_eq!(summary.over_domains(|domain| domain.releases), None);
        assert_eq!(summary.number("bad"), None);
        assert_eq!(summary.plain().map(|(key, _)| key).collect::<Vec<_>>(), ["time_ms", "version"]);
    }

    #[test]
    fn another_version_is_refused() {
        assert_eq!(Summary::parse(7, "version 2\nsmall.live_bytes 1\n"), None);
        assert_eq!(Summary::parse(7, ""), None);
    }
}
