//! The summary itself, for people and for programs.

mod harness;

use std::fs;

use harness::{Folder, complaint};
use serde_json::Value;

fn json(folder: &Folder, words: &[&str]) -> Value {
    let file = folder.path("summary.json");
    let file = file.to_str().unwrap();
    let output = folder.stratalloc(["run", "-q", "--json", file].iter().chain(words)).output().unwrap();
    assert_eq!(complaint(&output), "");
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

#[test]
fn text_names_domains_and_totals() {
    let folder = Folder::new("text");
    let text = complaint(&folder.stratalloc(["run", "ls", "/"]).output().unwrap());
    for part in [
        "ended with status 0",
        "peak",
        "live at end",
        "small",
        "medium",
        "large",
        "huge",
        "size class",
        "committed",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    for part in ["peak RSS", "page faults", "purges", "remote frees", "wall"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains('\x1b'), "no colours in a pipe");
}

#[test]
fn colours_can_be_forced() {
    let folder = Folder::new("colours");
    let output =
        folder.stratalloc(["run", "--color", "always", "true"]).env("NO_COLOR", "1").output().unwrap();
    assert!(complaint(&output).contains("\x1b[1m"));
}

#[test]
fn json_follows_its_schema() {
    let folder = Folder::new("json");
    let document = json(&folder, &["sh", "-c", "exec ls -l /"]);
    assert_eq!(document["schema"], "stratalloc-summary/1");
    assert_eq!(document["command"], serde_json::json!(["sh", "-c", "exec ls -l /"]));
    assert_eq!(
        document["status"],
        serde_json::json!({ "exit_status": 0, "signal": null, "signal_name": null })
    );
    assert_eq!(document["comparison"], Value::Null);
    assert_eq!(document["children"], serde_json::json!([]));
    for key in
        ["wall_s", "user_s", "system_s", "peak_rss_bytes", "minor_faults", "major_faults", "context_switches"]
    {
        assert!(document["usage"][key].is_number(), "{key}");
    }
    let heap = &document["heap"];
    assert_eq!(heap["program"], "ls", "the process as it was at its end");
    for domain in ["small", "medium", "large", "huge"] {
        assert!(heap["domains"][domain].is_object(), "{domain}");
    }
    assert!(heap["domains"]["small"]["allocations"].as_u64().unwrap() > 0);
    assert!(heap["classes"][0]["size"].as_u64().unwrap() > 0);
    assert!(heap["counters"]["committed_bytes"].as_u64().unwrap() > 0);
}

#[test]
fn json_tells_an_end_by_signal() {
    let folder = Folder::new("json-signal");
    let document = json(&folder, &["sh", "-c", "kill -9 $$"]);
    assert_eq!(
        document["status"],
        serde_json::json!({ "exit_status": null, "signal": 9, "signal_name": "SIGKILL" })
    );
    assert_eq!(document["heap"], Value::Null);
    assert_eq!(document["notes"].as_array().unwrap().len(), 1);
}

#[test]
fn children_are_summarised_if_asked() {
    let folder = Folder::new("follow");
    let script = "ls / > /dev/null; ls / > /dev/null; exec cat /dev/null";
    let with = json(&folder, &["--follow", "sh", "-c", script]);
    let names: Vec<_> =
        with["children"].as_array().unwrap().iter().map(|child| child["program"].clone()).collect();
    assert_eq!(names, ["ls", "ls"]);
    assert_eq!(with["heap"]["program"], "cat");
    let without = json(&folder, &["sh", "-c", script]);
    assert_eq!(without["children"], serde_json::json!([]));
    assert_eq!(without["heap"]["program"], "cat");
}

#[test]
fn shell_script_gets_a_hint() {
    let folder = Folder::new("hint");
    let script = folder.executable("script", b"#!/bin/sh\nls / > /dev/null\n");
    let script = script.to_str().unwrap();
    assert!(complaint(&folder.stratalloc(["run", script]).output().unwrap()).contains("--follow"));
    assert!(
        !complaint(&folder.stratalloc(["run", "--follow", script]).output().unwrap()).contains("--follow")
    );
}
