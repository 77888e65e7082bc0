//! `compare`: who runs when, what is compared, what a failure of one allocator does, which statuses come out.
//!
//! Not covered: that the figures are right (`stratalloc-measure`), and how the page looks.

mod harness;

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use harness::{Folder, complaint, refused};
use serde_json::Value;

/// What a shell script under `compare` knows about its allocator.
const WHO: &str =
    r#"case "$LD_PRELOAD" in *stratalloc*) who=ours;; *fake*) who=fake;; *) who=system;; esac; "#;

/// Everything that a program needs, from memory that is never given back.
const FAKE: &str = r#"
#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
static char *next, *end;
void *aligned_alloc(size_t alignment, size_t size) {
    if (alignment < 16) alignment = 16;
    for (;;) {
        char *here = next;
        char *block = (char *)(((uintptr_t)here + 16 + alignment - 1) & ~(alignment - 1));
        if (here && block + size <= end) {
            if (!__sync_bool_compare_and_swap(&next, here, block + size)) continue;
            ((size_t *)block)[-1] = size;
            DAMAGE(block, size);
            return block;
        }
        size_t fresh = (size + alignment + (64 << 20)) & ~(size_t)4095;
        char *more = mmap(0, fresh, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (more == MAP_FAILED) return 0;
        end = more + fresh;
        next = more;
    }
}
void *memalign(size_t alignment, size_t size) { return aligned_alloc(alignment, size); }
int posix_memalign(void **out, size_t alignment, size_t size) { return (*out = aligned_alloc(alignment, size)) ? 0 : 12; }
void *malloc(size_t size) { return aligned_alloc(16, size); }
void *calloc(size_t count, size_t size) { return malloc(count * size); }
void free(void *block) { (void)block; }
void *realloc(void *block, size_t size) {
    void *fresh = malloc(size);
    if (block && fresh) { size_t old = ((size_t *)block)[-1]; memcpy(fresh, block, old < size ? old : size); }
    return fresh;
}
"#;

/// A library that provides `malloc`, in a folder for `STRATALLOC_PEERS`; `None` where there is no C compiler.
fn fake(folder: &Folder, damage: &str) -> Option<PathBuf> {
    fs::create_dir_all(folder.path("peers")).unwrap();
    let damage = format!("-DDAMAGE(block,size)={damage}");
    folder.compile("peers/libfake.so", FAKE, &["-shared", "-fPIC", "-fno-builtin", &damage])
}

fn compare(folder: &Folder, options: &[&str], script: &str) -> Output {
    let script = format!("{WHO}{script}");
    let words = ["compare"].iter().chain(options).copied().chain(["--", "sh", "-c", &script]);
    folder.stratalloc(words).env("LOG", folder.path("log")).stdin(Stdio::null()).output().unwrap()
}

const BOTH: [&str; 4] = ["--only", "stratalloc,system", "--runs", "2"];

#[test]
fn rounds_are_interleaved_and_only_the_first_run_is_heard() {
    let folder = Folder::new("compare-order");
    let [json, html] = ["x.json", "x.html"].map(|name| folder.path(name));
    let options = [&BOTH[..], &["--json", json.to_str().unwrap(), "--html", html.to_str().unwrap()]].concat();
    let output = compare(&folder, &options, r#"echo $who >> "$LOG"; echo out; echo error >&2"#);
    let text = complaint(&output);
    assert!(output.status.success(), "{text}");
    let log = fs::read_to_string(folder.path("log")).unwrap();
    assert_eq!(log, "system\nours\nsystem\nsystem\nours\n", "first run, then two rounds, the order shifted");
    assert_eq!(output.stdout, b"out\n");
    assert_eq!(text.matches("error\n").count(), 1, "{text}");
    assert!(
        text.starts_with("stratalloc: compare runs '") && text.contains("2 times on stratalloc, system"),
        "{text}"
    );
    assert!(text.contains("× system") && text.contains("CPU time") && text.contains("best"), "{text}");
    let document: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    assert_eq!(document["schema"], "stratalloc-compare/1");
    for (row, name) in ["stratalloc", "system"].into_iter().enumerate() {
        assert_eq!(document["allocators"][row]["name"], name);
        let outcome = &document["cells"][0]["outcomes"][row];
        assert_eq!(outcome["samples"].as_array().unwrap().len(), 2);
        assert!(outcome["samples"][0]["peak_rss_bytes"].as_u64().unwrap() > 100_000);
        assert!(outcome["problem"].is_null());
    }
    let page = fs::read_to_string(html).unwrap();
    assert!(page.contains("<svg") && page.contains("stratalloc compare") && !page.contains("http"));
}

#[test]
fn the_end_of_the_program_is_passed_on() {
    let folder = Folder::new("compare-ends");
    assert_eq!(compare(&folder, &BOTH, "exit 3").status.code(), Some(3));
    assert_eq!(compare(&folder, &BOTH, "kill -TERM $$").status.signal(), Some(libc::SIGTERM));
}

#[test]
fn another_end_under_one_allocator_is_a_disagreement() {
    let folder = Folder::new("compare-differs");
    let output = compare(
        &folder,
        &BOTH,
        r#"echo $who >> "$LOG"; [ $who = ours ] && { echo it hurts >&2; exit 9; }; exit 2"#,
    );
    let text = complaint(&output);
    assert_eq!(output.status.code(), Some(124), "{text}");
    assert!(
        text.contains("sh on stratalloc: ended with status 9, not with status 2; it said: it hurts"),
        "{text}"
    );
    assert_eq!(
        fs::read_to_string(folder.path("log")).unwrap().matches("ours").count(),
        1,
        "it is not tried again"
    );
}

#[test]
fn other_output_under_one_allocator_is_a_disagreement() {
    let folder = Folder::new("compare-output");
    let script = "echo same; [ $who = ours ] && echo mine; exit 0";
    let output = compare(&folder, &BOTH, script);
    let text = complaint(&output);
    assert_eq!(output.status.code(), Some(124), "{text}");
    assert!(
        text.contains("sh on stratalloc: wrote something else to standard output, from byte 5 on"),
        "{text}"
    );
    let ignoring = compare(&folder, &[&BOTH[..], &["--ignore-output"]].concat(), script);
    assert!(ignoring.status.success(), "{}", complaint(&ignoring));
}

#[test]
fn output_that_always_differs_is_no_disagreement() {
    let folder = Folder::new("compare-random");
    let output = compare(&folder, &BOTH, "echo $$");
    let text = complaint(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("writes something else in every run, so outputs cannot be compared"), "{text}");
}

#[test]
fn a_run_that_takes_too_long_is_killed_and_counts_as_failed() {
    let folder = Folder::new("compare-timeout");
    let options = [&BOTH[..], &["--timeout", "2"]].concat();
    let output =
        compare(&folder, &options, "ulimit -S -t 30; [ $who = ours ] && while :; do :; done; exit 0");
    let text = complaint(&output);
    assert_eq!(output.status.code(), Some(124), "{text}");
    assert!(text.contains("sh on stratalloc: took too long and was killed"), "{text}");
}

#[test]
fn input_from_a_file_is_read_by_every_run() {
    let folder = Folder::new("compare-input");
    let input = folder.path("input");
    fs::write(&input, "bytes\n").unwrap();
    let words = ["compare", "-q", "--only", "stratalloc,system", "--runs", "1", "cat"];
    let output = folder.stratalloc(words).stdin(File::open(&input).unwrap()).output().unwrap();
    assert!(output.status.success(), "{}", complaint(&output));
    assert_eq!(output.stdout, b"bytes\n");
    assert_eq!(complaint(&output), "", "--quiet is quiet");
}

#[test]
fn libraries_of_the_peers_folder_take_part_and_others_are_left_out() {
    let folder = Folder::new("compare-peers");
    if fake(&folder, "(void)0").is_none() {
        return;
    }
    let harmless = "int nothing(void) { return 0; }";
    folder.compile("peers/libharmless.so", harmless, &["-shared", "-fPIC"]).unwrap();
    let run = |only: &str| {
        let mut command = folder.stratalloc([
            "compare",
            "--runs",
            "1",
            "--only",
            only,
            "sh",
            "-c",
            &format!("{WHO}echo $who >> $LOG"),
        ]);
        command.env("LOG", folder.path("log")).env("STRATALLOC_PEERS", folder.path("peers")).output().unwrap()
    };
    let output = run("stratalloc,system,fake");
    assert!(output.status.success(), "{}", complaint(&output));
    assert_eq!(fs::read_to_string(folder.path("log")).unwrap(), "system\nours\nsystem\nfake\n");
    let output = run("stratalloc,harmless");
    refused(&output, 125, "no allocator 'harmless' here");
    let output = folder
        .stratalloc(["compare", "--runs", "1", "--with"])
        .arg(format!("x={}", folder.path("peers/libharmless.so").display()))
        .arg("true")
        .output()
        .unwrap();
    refused(&output, 125, "--with x: a program started with the library gets malloc from");
}

/// What a program sends to its parent is not sent back to it, and still asks the command to stop.
#[test]
fn an_interrupted_comparison_reports_what_there_is() {
    let folder = Folder::new("compare-interrupted");
    let output =
        compare(&folder, &BOTH, r#"echo $who >> "$LOG"; [ $who = ours ] && kill -INT $PPID; exit 4"#);
    let text = complaint(&output);
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(text.contains("note: interrupted: 0 of 2 rounds were made"), "{text}");
    assert_eq!(fs::read_to_string(folder.path("log")).unwrap(), "system\nours\n");
}

#[test]
fn a_static_program_is_refused() {
    let folder = Folder::new("compare-static");
    let flags = ["-static", "-nostdlib"];
    let Some(program) = folder.compile("static", "void _start(void) { for (;;) ; }", &flags) else { return };
    let output = folder.stratalloc(["compare", program.to_str().unwrap()]).output().unwrap();
    refused(&output, 126, "statically linked");
}

#[test]
fn wrong_wishes_are_refused_before_anything_runs() {
    let folder = Folder::new("compare-wrong");
    let run = |words: &[&str]| folder.stratalloc(["compare"].iter().chain(words)).output().unwrap();
    refused(&run(&["/no/such/program"]), 127, "no such file");
    refused(&run(&["--only", "nobody", "true"]), 125, "no allocator 'nobody' here; there are: ");
    refused(&run(&["--with", "x=/no/such/library", "true"]), 125, "/no/such/library");
    refused(&run(&["--with", "system=/bin/true", "true"]), 125, "already an allocator of that name");
    refused(&run(&["--html", "/no/such/folder/x.html", "true"]), 125, "cannot write /no/such/folder/x.html");
}

#[test]
fn the_bench_runs_its_workloads_and_compares_what_they_read_back() {
    let folder = Folder::new("bench");
    let [json, html] = ["x.json", "x.html"].map(|name| folder.path(name));
    let common =
        ["bench", "--workloads", "batch-lifo,strings", "--threads", "1", "--scale", "1", "--rounds", "2"];
    let mut command = folder.stratalloc(common);
    command.args(["--only", "stratalloc,system", "--json"]).arg(&json).arg("--html").arg(&html);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", complaint(&output));
    assert!(
        text.contains("batch-lifo × 1") && text.contains("geometric mean") && text.contains("best"),
        "{text}"
    );
    let document: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    assert_eq!(document["kind"], "workloads");
    assert_eq!(document["cells"].as_array().unwrap().len(), 2);
    assert_eq!(document["summary"][0]["figure"], "cpu_s");
    assert!(fs::read_to_string(html).unwrap().contains("Workload by workload"));
    // Every thousandth small block has a byte changed while it is in use.
    let damage = "({static void *last; static int n; if (++n % 1000 == 0 && last) ((char *)last)[20] ^= 1; \
                  last = size >= 24 && size <= 160 ? block : 0;})";
    if fake(&folder, damage).is_some() {
        let mut command = folder.stratalloc(common);
        command.args(["--only", "stratalloc,system,fake"]).env("STRATALLOC_PEERS", folder.path("peers"));
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{text}{}", complaint(&output));
        assert!(text.contains("failed: strings × 1 on fake: read back other contents"), "{text}");
        assert!(!text.contains("on stratalloc: "), "{text}");
    }
}

#[test]
fn the_bench_lists_and_refuses() {
    let folder = Folder::new("bench-list");
    let run = |words: &[&str]| {
        folder.stratalloc(["bench", "--only", "system"].iter().chain(words)).output().unwrap()
    };
    let output = run(&["--list", "--workloads", "pairs"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("pairs-32 ") && !text.contains("strings"), "{text}");
    assert!(text.contains("1,2"), "each workload once, with its numbers of threads: {text}");
    assert!(text.contains("system "), "{text}");
    refused(&run(&["--workloads", "nothing"]), 125, "no workload begins with 'nothing'");
    refused(&run(&["--threads", "77"]), 125, "no workload has such a number of threads");
}
