//! The golden file: numbers by section and key, in the small part of TOML that they need.

use alloc::collections::BTreeMap;
use core::fmt::Write;

use super::TOLERANCE_PERCENT;

/// Sections that may move by [`TOLERANCE_PERCENT`]; the others are exact.
const TOLERANT: [&str; 2] = ["instructions", "faults"];
/// A few page faults more or less are the kernel's and the C library's, whatever the percentage says.
const FAULTS_SLACK: u64 = 4;

const HEADER: &str = "\
# Golden numbers of x86-64 Linux, compared by `cargo xtask golden` in each CI run. A change that moves one edits this file
# (`cargo xtask golden --bless` writes it) and says why. tests/golden/README.md says how each is counted.
";

fn comment(section: &str) -> &'static str {
    match section {
        "library" => "Instructions of one call inside libstratalloc.so, by request in bytes; exact.",
        "rust" => {
            "Instructions that an inlined allocation or drop adds to a Rust program built with fat LTO; exact."
        }
        "instructions" => {
            "Instructions inside libstratalloc.so over a workload, start and exit included; within 2 %."
        }
        "faults" => "Minor page faults that a workload causes, transparent huge pages off; within 2 %, or 4.",
        _ => "Nobody knows this section.",
    }
}

/// Counts by section and key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts(BTreeMap<(String, String), u64>);

impl Counts {
    pub(super) fn set(&mut self, section: &str, key: &str, count: u64) {
        self.0.insert((section.to_owned(), key.to_owned()), count);
    }

    fn get(&self, section: &str, key: &str) -> Option<u64> {
        self.0.get(&(section.to_owned(), key.to_owned())).copied()
    }

    /// Reads `[section]`, `key = number`, comments and empty lines.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut counts = Self::default();
        let mut section = "";
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name;
                continue;
            }
            let entry = line.split_once('=').and_then(|(key, value)| {
                let digits: String = value.trim().chars().filter(|&digit| digit != '_').collect();
                Some((key.trim(), digits.parse().ok()?))
            });
            let (key, count) = entry.ok_or_else(|| format!("counts.toml: cannot read {line:?}"))?;
            counts.set(section, key, count);
        }
        Ok(counts)
    }

    pub(super) fn to_toml(&self) -> String {
        let mut text = HEADER.to_owned();
        let mut last = "";
        for ((section, key), count) in &self.0 {
            if section != last {
                let _ = write!(text, "\n# {}\n[{section}]\n", comment(section));
                last = section;
            }
            let _ = writeln!(text, "{key} = {count}");
        }
        text
    }

    /// What must be edited for the file to be true again.
    pub(super) fn differences(&self, golden: &Self) -> Vec<String> {
        let mut found = Vec::new();
        for ((section, key), &count) in &self.0 {
            match golden.get(section, key) {
                None => found.push(format!("{section}.{key} is {count}, and not in counts.toml")),
                Some(expected) if !close(section, count, expected) => {
                    let change = percent(count, expected);
                    found.push(format!(
                        "{section}.{key} is {count}, counts.toml has {expected} ({change:+.1} %)"
                    ));
                }
                Some(_) => (),
            }
        }
        let gone = golden.0.keys().filter(|(section, key)| self.get(section, key).is_none());
        found.extend(
            gone.map(|(section, key)| format!("{section}.{key} is in counts.toml, and was not counted")),
        );
        found
    }

    /// Counts above their limit, by section and start of the key. A limit that meets no count is a mistake.
    pub(super) fn above(&self, limits: &[(&str, &str, u64)]) -> Vec<String> {
        let mut found = Vec::new();
        for &(section, start, limit) in limits {
            let mut limited =
                self.0.iter().filter(|((of, key), _)| of == section && key.starts_with(start)).peekable();
            if limited.peek().is_none() {
                found.push(format!("{section}.{start}* was not counted"));
            }
            for ((_, key), count) in limited.filter(|(_, count)| **count > limit) {
                found.push(format!("{section}.{key} is {count}, the limit is {limit}"));
            }
        }
        found
    }

    /// A table for people.
    pub(super) fn beside(&self, golden: &Self) -> String {
        let mut text = format!("{:<32}{:>12}{:>12}\n", "golden", "counted", "file");
        for ((section, key), count) in &self.0 {
            let expected = golden.get(section, key);
            let shown = expected.map_or_else(|| "-".to_owned(), |expected| expected.to_string());
            let change = match expected {
                Some(expected) if expected != *count => format!("  {:+.1} %", percent(*count, expected)),
                _ => String::new(),
            };
            let _ = writeln!(text, "{:<32}{count:>12}{shown:>12}{change}", format!("{section}.{key}"));
        }
        text
    }
}

fn close(section: &str, count: u64, expected: u64) -> bool {
    let slack = if section == "faults" { FAULTS_SLACK } else { 0 };
    let allowed =
        if TOLERANT.contains(&section) { (expected * TOLERANCE_PERCENT / 100).max(slack) } else { 0 };
    count.abs_diff(expected) <= allowed
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn percent(count: u64, expected: u64) -> f64 {
    (count as f64 / expected as f64 - 1.0) * 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(entries: &[(&str, &str, u64)]) -> Counts {
        let mut counts = Counts::default();
        for &(section, key, count) in entries {
            counts.set(section, key, count);
        }
        counts
    }

    #[test]
    fn what_is_written_is_read_again() {
        let some =
            counts(&[("faults", "grow", 4170), ("library", "free_1", 18), ("library", "malloc_1", 12)]);
        assert_eq!(Counts::parse(&some.to_toml()), Ok(some));
    }

    #[test]
    fn underscores_and_comments_are_read() {
        let read = Counts::parse("# c\n[instructions]\nreplace = 6_971_546\n");
        assert_eq!(read, Ok(counts(&[("instructions", "replace", 6_971_546)])));
        assert!(Counts::parse("[a]\nreplace = many\n").is_err());
    }

    #[test]
    fn exact_sections_have_no_tolerance() {
        let golden = counts(&[("library", "malloc_1", 12)]);
        assert_eq!(counts(&[("library", "malloc_1", 12)]).differences(&golden), [""; 0]);
        assert_eq!(counts(&[("library", "malloc_1", 13)]).differences(&golden).len(), 1);
        assert_eq!(counts(&[("library", "malloc_1", 11)]).differences(&golden).len(), 1);
    }

    #[test]
    fn the_others_may_move_by_two_percent() {
        let golden = counts(&[("instructions", "grow", 1000), ("faults", "batch", 36)]);
        let measured = |instructions, faults| {
            counts(&[("instructions", "grow", instructions), ("faults", "batch", faults)])
                .differences(&golden)
                .len()
        };
        assert_eq!([measured(1020, 40), measured(980, 32)], [0, 0]);
        assert_eq!(
            [measured(1021, 40), measured(979, 32), measured(1000, 41), measured(1000, 31)],
            [1, 1, 1, 1]
        );
    }

    #[test]
    fn a_number_on_one_side_only_is_a_difference() {
        let (one, none) = (counts(&[("library", "malloc_1", 12)]), Counts::default());
        assert_eq!([one.differences(&none).len(), none.differences(&one).len()], [1, 1]);
    }

    #[test]
    fn limits() {
        let measured = counts(&[("rust", "box_new_8", 8), ("rust", "box_new_128", 6)]);
        assert_eq!(measured.above(&[("rust", "box_new_", 8)]), [""; 0]);
        assert_eq!(measured.above(&[("rust", "box_new_", 7)]), ["rust.box_new_8 is 8, the limit is 7"]);
        assert_eq!(measured.above(&[("rust", "box_drop_", 7)]), ["rust.box_drop_* was not counted"]);
    }
}
