//! What else lies in a record's folder: the toolkit's figures, which a full run takes after the workloads, and the tables of `record.sh`.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use stratalloc_measure::page::Part;

/// The toolkit's program, beside this one.
const TOOLKIT: &str = "bench-toolkit";

/// Files that are parts of a record when they are there, with what they are.
const TABLES: [(&str, &str, &str); 5] = [
    ("latency.md", "Latency", "malloc and free one by one: quantiles"),
    ("drift.md", "Drift", "resident by live bytes while sizes change"),
    ("overhead.md", "Overhead", "peak resident by peak live bytes"),
    ("cache.md", "Cache", "misses of caches and TLB by simulation"),
    ("programs.md", "Real programs", "CPU time, memory, faults"),
];

/// The parts that are there.
pub(crate) fn beside(directory: &Path) -> Vec<Part> {
    let there = |file: &str| directory.join(file).exists();
    let toolkit = there("toolkit.html").then(|| Part {
        file: "toolkit.html".to_owned(),
        title: "The toolkit".to_owned(),
        content: of_toolkit(&fs::read_to_string(directory.join("toolkit.json")).unwrap_or_default()),
    });
    let tables = TABLES.into_iter().filter(|(file, ..)| there(file)).map(|(file, title, content)| Part {
        file: file.to_owned(),
        title: title.to_owned(),
        content: content.to_owned(),
    });
    toolkit.into_iter().chain(tables).collect()
}

/// What the toolkit's record says, in a line.
fn of_toolkit(json: &str) -> String {
    let record: Value = serde_json::from_str(json).unwrap_or_default();
    let mut text = "every strategy beside its peers, with histograms".to_owned();
    if let Some(cells) = record["cells"].as_array() {
        text += &format!(": {} cases", cells.len());
    }
    let targets = &record["summary"];
    if let (Some(reached), Some(missed)) = (targets["reached"].as_u64(), targets["missed"].as_u64()) {
        text += &format!(", {reached} targets reached, {missed} missed");
    }
    text
}

/// Takes the toolkit's figures into the folder; whether all its contestants did the same work.
pub(crate) fn measure_toolkit(programs: &Path, directory: &Path, quick: bool) -> Result<bool, String> {
    let program = programs.join(TOOLKIT);
    if !program.exists() {
        eprintln!("left out, not built: {TOOLKIT}");
        return Ok(true);
    }
    let quick = quick.then_some("--quick");
    let status = Command::new(program).arg("--out").arg(directory).args(quick).status();
    status.map(|status| status.success()).map_err(|error| format!("{TOOLKIT}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_listed_when_its_file_is_there() {
        let directory = std::env::temp_dir().join(format!("stratalloc-parts-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a folder");
        assert_eq!(beside(&directory), []);
        fs::write(directory.join("drift.md"), "").expect("written");
        fs::write(directory.join("toolkit.html"), "").expect("written");
        let files: Vec<_> = beside(&directory).into_iter().map(|part| part.file).collect();
        fs::remove_dir_all(&directory).expect("removed");
        assert_eq!(files, ["toolkit.html", "drift.md"]);
    }

    #[test]
    fn the_toolkit_is_summed_up_as_far_as_its_record_tells() {
        assert_eq!(of_toolkit(""), "every strategy beside its peers, with histograms");
        let text = of_toolkit(r#"{"cells": [{}, {}], "summary": {"reached": 3, "missed": 1}}"#);
        assert!(text.ends_with(": 2 cases, 3 targets reached, 1 missed"), "{text}");
    }
}
