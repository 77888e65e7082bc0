//! What was measured on, and with which versions.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// Facts in the order in which they are shown.
pub(crate) fn facts(bench: &Path) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("date", today()),
        ("CPU", cpu()),
        ("logical CPUs", cpus().to_string()),
        ("memory", memory()),
        ("kernel", read("/proc/sys/kernel/osrelease")),
        ("architecture", std::env::consts::ARCH.to_owned()),
        ("transparent huge pages", read("/sys/kernel/mm/transparent_hugepage/enabled")),
        ("huge page defragmentation", read("/sys/kernel/mm/transparent_hugepage/defrag")),
        ("overcommit", read("/proc/sys/vm/overcommit_memory")),
        ("C library", first_line(Command::new("ldd").arg("--version"))),
        ("rustc", first_line(Command::new("rustc").arg("--version"))),
        ("cc", first_line(Command::new("cc").arg("--version"))),
        ("stratalloc", revision(bench)),
    ];
    facts.push(("peers", versions(&fs::read_to_string(bench.join("Cargo.lock")).unwrap_or_default())));
    facts
}

/// The load averages now: other work on the machine makes times (not faults or RSS) doubtful.
pub(crate) fn load() -> String {
    read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// `<date>-<machine>` for the folder of a record.
pub(crate) fn run_name() -> String {
    let words: String =
        cpu().chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let words: Vec<&str> =
        words.split('-').filter(|word| !word.is_empty() && !["r", "tm"].contains(word)).collect();
    format!("{}-{}-{}cpu", today(), words.join("-"), cpus())
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

fn cpu() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = info.lines().find(|line| line.starts_with("model name"));
    let model = line.and_then(|line| line.split_once(": ")).map(|(_, model)| model.trim().to_owned());
    model.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn memory() -> String {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib: u64 = total.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0);
    format!("{} MiB", kib / 1024)
}

fn read(path: &str) -> String {
    fs::read_to_string(path).map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

fn first_line(command: &mut Command) -> String {
    let output = command.output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    output
        .ok()
        .and_then(|text| text.lines().next().map(str::to_owned))
        .unwrap_or_else(|| "unknown".to_owned())
}

/// The commit that was measured, and whether the tree differs from it.
fn revision(bench: &Path) -> String {
    let git = |words: &[&str]| first_line(Command::new("git").arg("-C").arg(bench).args(words));
    let dirty = git(&["status", "--porcelain"]);
    let commit = git(&["rev-parse", "--short=12", "HEAD"]);
    format!("{commit}{}", if dirty == "unknown" { "" } else { " with changes" })
}

/// The date as `yyyy-mm-dd`, in UTC.
fn today() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = civil(i64::try_from(seconds / 86_400).unwrap_or(0));
    format!("{year:04}-{month:02}-{day:02}")
}

/// Day number to date in the proleptic Gregorian calendar: years counted from March, in eras of 400.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(11_017), (2000, 3, 1));
        assert_eq!(civil(20_453), (2025, 12, 31));
    }

    #[test]
    fn versions_name_peers_only() {
        let lock = "[[package]]\nname = \"cc\"\nversion = \"1\"\n\n[[package]]\nname = \"rpmalloc\"\nversion = \"0.2.2\"\n\n\
                    [[package]]\nname = \"runner-rpmalloc\"\nversion = \"0.0.0\"\n";
        assert_eq!(versions(lock), "rpmalloc 0.2.2");
    }
}
