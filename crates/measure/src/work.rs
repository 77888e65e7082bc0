//! What a workload's process says about its work, and whether all allocators did the same.
//!
//! The process prints lines `key value`; needed are `operations`, `checksum` (made of what it read back from allocated
//! memory) and `peak_kib` (its own reading of its peak). Others are ignored.

/// What one run of a workload did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Allocations asked for.
    pub operations: u64,
    /// The same for every allocator, or something lost memory's contents.
    pub checksum: String,
    /// The process's own reading of its peak, towards its end. The kernel updates the counter lazily, so the larger of this
    /// and what is read when it is over is the nearer to the truth.
    pub peak_kib: u64,
}

impl Done {
    /// Reads what the process printed; an error says what is missing.
    pub fn parse(text: &str) -> Result<Done, String> {
        let value = |key: &str| {
            let found = text.lines().filter_map(|line| line.split_once(' ')).find(|(name, _)| *name == key);
            found.map(|(_, value)| value).ok_or_else(|| format!("no {key} reported"))
        };
        let number = |key: &str| value(key)?.parse().map_err(|_| format!("its {key} is not a number"));
        Ok(Done {
            operations: number("operations")?,
            checksum: value("checksum")?.to_owned(),
            peak_kib: number("peak_kib")?,
        })
    }
}

/// The rows whose work differs from what most runs agree on, given all runs of each row.
#[must_use]
pub fn deviating(rows: &[Vec<Done>]) -> Vec<usize> {
    let same = |a: &Done, b: &Done| a.operations == b.operations && a.checksum == b.checksum;
    let all = || rows.iter().flatten();
    let Some(usual) = all().max_by_key(|one| all().filter(|other| same(one, other)).count()) else {
        return Vec::new();
    };
    (0..rows.len()).filter(|&row| rows[row].iter().any(|done| !same(done, usual))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_in_any_order_and_missing_ones_named() {
        let text = "work_ns 5\nchecksum 00ff\npeak_kib 300\noperations 12\n";
        let done = Done { operations: 12, checksum: "00ff".to_owned(), peak_kib: 300 };
        assert_eq!(Done::parse(text), Ok(done));
        assert_eq!(Done::parse(&text.replace("checksum", "check")), Err("no checksum reported".to_owned()));
        assert_eq!(Done::parse(&text.replace("12", "x")), Err("its operations is not a number".to_owned()));
    }

    #[test]
    fn who_differs_from_most_is_found() {
        let done = |checksum: &str| Done {
            operations: 1,
            checksum: checksum.to_owned(),
            peak_kib: checksum.len() as u64,
        };
        let rows = |texts: &[&[&str]]| -> Vec<Vec<Done>> {
            texts.iter().map(|row| row.iter().copied().map(done).collect()).collect()
        };
        assert_eq!(deviating(&rows(&[&["a", "a"], &["a", "b"], &[], &["a"]])), [1]);
        assert_eq!(deviating(&rows(&[&["a"], &["a"]])), [0; 0]);
        assert_eq!(deviating(&[]), [0; 0]);
    }
}
