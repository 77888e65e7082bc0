//! What was measured, and with which versions; what any machine tells is in `stratalloc-measure`.

use std::fs;
use std::path::Path;
use std::process::Command;
use stratalloc_measure::machine::{self, Fact, first_line};

/// Facts in the order in which they are shown.
pub(crate) fn facts(bench: &Path) -> Vec<Fact> {
    let mut facts = machine::facts();
    facts.extend([
        Fact::new("rustc", first_line(Command::new("rustc").arg("--version"))),
        Fact::new("cc", first_line(Command::new("cc").arg("--version"))),
        Fact::new("stratalloc", revision(bench)),
        Fact::new("peers", versions(&fs::read_to_string(bench.join("Cargo.lock")).unwrap_or_default())),
    ]);
    facts
}

/// `<date>-<machine>` for the folder of a record.
pub(crate) fn run_name() -> String {
    let lower = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let words: String = machine::cpu().chars().map(lower).collect();
    let words: Vec<&str> =
        words.split('-').filter(|word| !word.is_empty() && !["r", "tm"].contains(word)).collect();
    format!("{}-{}-{}cpu", machine::today(), words.join("-"), machine::cpus())
}

/// The allocator crates in a lock file, with their versions (which for `-sys` crates often name the C library's).
fn versions(lock: &str) -> String {
    const PEERS: [&str; 6] = ["mimalloc", "snmalloc", "jemalloc", "rpmalloc", "tcmalloc", "dlmalloc"];
    let field = |line: &str, key: &str| {
        line.strip_prefix(key).map(|rest| rest.trim_matches([' ', '=', '"']).to_owned())
    };
    let mut found = Vec::new();
    let mut name = String::new();
    for line in lock.lines() {
        if let Some(value) = field(line, "name") {
            name = value;
        } else if let Some(version) = field(line, "version") {
            // The runners are ours and are called after their peers.
            if PEERS.iter().any(|peer| name.contains(peer)) && !name.starts_with("runner-") {
                found.push(format!("{name} {version}"));
            }
        }
    }
    found.join(", ")
}

/// The commit that was measured, and whether the tree differs from it.
fn revision(bench: &Path) -> String {
    let git = |words: &[&str]| first_line(Command::new("git").arg("-C").arg(bench).args(words));
    let dirty = git(&["status", "--porcelain"]);
    let commit = git(&["rev-parse", "--short=12", "HEAD"]);
    format!("{commit}{}", if dirty == "unknown" { "" } else { " with changes" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_name_peers_only() {
        let lock = "[[package]]\nname = \"cc\"\nversion = \"1\"\n\n[[package]]\nname = \"rpmalloc\"\nversion = \"0.2.2\"\n\n\
                    [[package]]\nname = \"runner-rpmalloc\"\nversion = \"0.0.0\"\n";
        assert_eq!(versions(lock), "rpmalloc 0.2.2");
    }
}
