//! `--compare`: how often, in which order, with which input and output the program runs.

mod harness;

use std::fs::{self, File};

use harness::{Folder, complaint, feed};
use serde_json::Value;

/// Appends a line that tells the heap from the system to `$LOG`, copies its input, writes one line.
const PROGRAM: &str = r#"case "$LD_PRELOAD" in *stratalloc*) echo heap;; *) echo system;; esac >> "$LOG"; cat >> "$LOG"; echo out"#;

#[test]
fn runs_alternate_and_only_the_first_writes() {
    let folder = Folder::new("alternate");
    let (log, json) = (folder.path("log"), folder.path("json"));
    let words = ["run", "--compare", "--runs", "3", "--json", json.to_str().unwrap(), "sh", "-c", PROGRAM];
    let output =
        folder.stratalloc(words).env("LOG", &log).stdin(std::process::Stdio::null()).output().unwrap();
    assert_eq!(fs::read_to_string(&log).unwrap(), "heap\nsystem\n".repeat(3));
    assert_eq!(output.stdout, b"out\n");
    let text = complaint(&output);
    assert!(text.starts_with("stratalloc: comparing runs") && text.contains(" 6 times"), "{text}");
    assert!(text.contains("medians of 3 runs each") && text.contains("ratio"), "{text}");
    let document: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    for side in ["stratalloc", "system"] {
        assert_eq!(document["comparison"][side]["runs"].as_array().unwrap().len(), 3);
        assert!(document["comparison"][side]["median"]["peak_rss_bytes"].as_f64().unwrap() > 0.0);
    }
    assert!(document["comparison"]["ratio"]["peak_rss_bytes"].as_f64().unwrap() > 0.0);
}

#[test]
fn input_from_a_file_is_read_by_every_run() {
    let folder = Folder::new("input");
    let (log, input) = (folder.path("log"), folder.path("input"));
    fs::write(&input, "skipped\nbytes\n").unwrap();
    let mut file = File::open(&input).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(8)).unwrap();
    let status = folder
        .stratalloc(["run", "-q", "--compare", "sh", "-c", PROGRAM])
        .env("LOG", &log)
        .stdin(file)
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(fs::read_to_string(&log).unwrap(), "heap\nbytes\nsystem\nbytes\n");
}

#[test]
fn input_from_a_pipe_is_for_the_first_run_and_that_is_said() {
    let folder = Folder::new("pipe");
    let log = folder.path("log");
    let mut command = folder.stratalloc(["run", "--compare", "--show-output", "sh", "-c", PROGRAM]);
    let output = feed(command.env("LOG", &log), b"bytes\n");
    assert_eq!(fs::read_to_string(&log).unwrap(), "heap\nbytes\nsystem\n");
    assert_eq!(output.stdout, b"out\nout\n");
    assert!(complaint(&output).contains("only the first run could read it"));
}

#[test]
fn different_ends_are_said_and_the_first_counts() {
    let folder = Folder::new("ends");
    let output = folder
        .stratalloc([
            "run",
            "--compare",
            "sh",
            "-c",
            r#"case "$LD_PRELOAD" in "") exit 3;; *) exit 4;; esac"#,
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(complaint(&output).contains("did not end alike (heap first, then system): status 4, status 3"));
}
