//! What was measured on: facts that anybody needs who wants to compare figures with theirs.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What it is about.
    pub name: String,
    /// What there is.
    pub text: String,
}

impl Fact {
    /// A fact.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Fact {
        Fact { name: name.into(), text: text.into() }
    }
}

const UNKNOWN: &str = "unknown";

/// Facts in the order in which they are shown.
#[must_use]
pub fn facts() -> Vec<Fact> {
    vec![
        Fact::new("date", today()),
        Fact::new("CPU", cpu()),
        Fact::new("logical CPUs", cpus().to_string()),
        Fact::new("memory", memory()),
        Fact::new("kernel", read("/proc/sys/kernel/osrelease")),
        Fact::new("architecture", std::env::consts::ARCH),
        Fact::new("transparent huge pages", read("/sys/kernel/mm/transparent_hugepage/enabled")),
        Fact::new("huge page defragmentation", read("/sys/kernel/mm/transparent_hugepage/defrag")),
        Fact::new("overcommit", read("/proc/sys/vm/overcommit_memory")),
        Fact::new("C library", first_line(Command::new("ldd").arg("--version"))),
    ]
}

/// The load averages now: other work on the machine makes times (not faults or RSS) doubtful.
#[must_use]
pub fn load() -> String {
    read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// The model of the processor; the architecture where it is not told.
#[must_use]
pub fn cpu() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = info.lines().find(|line| line.starts_with("model name"));
    let model = line.and_then(|line| line.split_once(": ")).map(|(_, model)| model.trim().to_owned());
    model.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

/// How many processors this process may use.
#[must_use]
pub fn cpus() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn memory() -> String {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib: Option<u64> = total.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok());
    kib.map_or_else(|| UNKNOWN.to_owned(), |kib| format!("{} MiB", kib / 1024))
}

fn read(path: &str) -> String {
    fs::read_to_string(path).map_or_else(|_| UNKNOWN.to_owned(), |text| text.trim().to_owned())
}

/// The first line that a program says about itself.
#[must_use]
pub fn first_line(command: &mut Command) -> String {
    let output = command.output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    output.ok().and_then(|text| text.lines().next().map(str::to_owned)).unwrap_or_else(|| UNKNOWN.to_owned())
}

/// The date as `yyyy-mm-dd`, in UTC.
#[must_use]
pub fn today() -> String {
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
    fn a_program_that_is_not_there_is_unknown() {
        assert_eq!(first_line(&mut Command::new("/no/such/program")), UNKNOWN);
    }
}
