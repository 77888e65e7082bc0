//! `doctor` and `config`: valid JSON, readable text, and a healthy verdict only where the heap really serves.

mod harness;

use harness::Folder;
use serde_json::Value;

#[test]
fn healthy_machine_is_told() {
    let folder = Folder::new("healthy");
    let output = folder.stratalloc(["doctor"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    for part in
        ["page size", "transparent huge pages", "NUMA", "overcommit", "address space limit", "can be run"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn json_has_facts_and_verdict() {
    let folder = Folder::new("doctor-json");
    let output = folder.stratalloc(["doctor", "--json"]).output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["schema"], "stratalloc-doctor/1");
    assert_eq!(document["preload"]["works"], true);
    let facts = document["facts"].as_array().unwrap();
    let page = facts.iter().find(|fact| fact["key"] == "page_size_bytes").unwrap();
    assert!(page["value"].as_u64().unwrap() >= 4096);
}

#[test]
fn library_without_malloc_is_found_out() {
    let folder = Folder::new("sick");
    let Some(library) = folder.compile("empty.so", "int nothing;", &["-shared", "-fPIC"]) else { return };
    let output =
        folder.stratalloc(["doctor", "--json"]).env("STRATALLOC_LIBRARY", &library).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(document["preload"]["problem"].as_str().unwrap().contains("gets malloc from"), "{document}");
}

#[test]
fn library_that_crashes_is_found_out() {
    let folder = Folder::new("crash");
    let source = "__attribute__((constructor)) static void start(void) { __builtin_trap(); }";
    let Some(library) = folder.compile("crash.so", source, &["-shared", "-fPIC"]) else { return };
    let output = folder.stratalloc(["doctor"]).env("STRATALLOC_LIBRARY", &library).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).unwrap().contains("failed with SIG"));
}

#[test]
fn configuration_is_listed() {
    let folder = Folder::new("config");
    let output = folder.stratalloc(["config", "--json"]).output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(document["variables"].as_array().unwrap().iter().any(|entry| entry["name"] == "STRATALLOC_CONF"));
    let keys = document["keys"].as_array().unwrap();
    assert!(keys.iter().any(|entry| entry["variable"] == "STRATALLOC_PURGE_DELAY"), "{keys:?}");
    let text = folder.stratalloc(["config"]).output().unwrap().stdout;
    assert!(String::from_utf8(text).unwrap().contains("STRATALLOC_CONF"));
}

#[test]
fn settings_reach_the_program() {
    let folder = Folder::new("settings");
    let words = ["run", "-q", "--set", "b=2", "--set", "c:3", "sh", "-c", "printf %s \"$STRATALLOC_CONF\""];
    let output = folder.stratalloc(words).env("STRATALLOC_CONF", "a:1").output().unwrap();
    assert_eq!(output.stdout, b"a:1,b:2,c:3");
}

#[test]
fn reader_that_has_gone_is_no_failure() {
    let folder = Folder::new("gone");
    for command in [["doctor", "--json"].as_slice(), &["config"], &["bench", "--list", "--only", "system"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = folder.stratalloc(command).stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{command:?}: {}", harness::complaint(&output));
    }
}
