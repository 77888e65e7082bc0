//! The record as JSON, for programs: every sample, unrounded.
//!
//! ```text
//! { "format": 1, "machine": {fact: text}, "rounds": n, "scale": n, "complaints": [text],
//!   "allocators": [{"name", "runner", "environment": {key: value}}],
//!   "runs": [{"workload", "threads", "allocator", "samples": [{…}]}],
//!   "summary": [{"measure", "cells", "best_peer", "geometric_means": {allocator: number}}] }
//! ```

use crate::arguments::Resolved;
use crate::child::Sample;
use crate::record::Record;
use crate::summary::Summary;
use std::fmt::Write as _;

pub(crate) fn document(
    plan: &Resolved,
    facts: &[(&str, String)],
    record: &Record,
    summary: &Summary,
) -> String {
    let machine = object(facts.iter().map(|(key, value)| (*key, string(value))));
    let allocators = array(record.rows.iter().map(|row| {
        let environment = object(row.environment.iter().map(|(key, value)| (key.as_str(), string(value))));
        object([("name", string(&row.name)), ("runner", string(&row.runner)), ("environment", environment)])
    }));
    let runs = array(record.cells.iter().zip(&record.samples).flat_map(|(cell, samples)| {
        record.rows.iter().zip(samples).map(|(row, samples)| {
            object([
                ("workload", string(cell.workload.name)),
                ("threads", cell.threads.to_string()),
                ("allocator", string(&row.name)),
                ("samples", array(samples.iter().map(sample))),
            ])
        })
    }));
    let tables = array(summary.tables.iter().map(|table| {
        let means = record.rows.iter().zip(&table.geometric_means);
        object([
            ("measure", string(table.measure.title())),
            ("cells", summary.common.len().to_string()),
            ("best_peer", table.best_peer.map_or("null".to_owned(), |row| string(&record.rows[row].name))),
            ("geometric_means", object(means.map(|(row, &mean)| (row.name.as_str(), number(mean))))),
        ])
    }));
    let mut text = object([
        ("format", "1".to_owned()),
        ("machine", machine),
        ("rounds", plan.rounds.to_string()),
        ("scale", plan.scale.to_string()),
        ("complaints", array(record.complaints.iter().map(|complaint| string(complaint)))),
        ("allocators", allocators),
        ("runs", runs),
        ("summary", tables),
    ]);
    text.push('\n');
    text
}

fn sample(sample: &Sample) -> String {
    object([
        ("user_us", sample.user_us.to_string()),
        ("system_us", sample.system_us.to_string()),
        ("wall_us", sample.wall_us.to_string()),
        ("peak_kib", sample.peak_kib.to_string()),
        ("minor_faults", sample.minor_faults.to_string()),
        ("major_faults", sample.major_faults.to_string()),
        ("voluntary_switches", sample.voluntary_switches.to_string()),
        ("involuntary_switches", sample.involuntary_switches.to_string()),
        ("operations", sample.operations.to_string()),
        ("checksum", string(&sample.checksum)),
    ])
}

fn object<'a>(members: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let members: Vec<String> =
        members.into_iter().map(|(key, value)| format!("{}:{value}", string(key))).collect();
    format!("{{{}}}", members.join(","))
}

/// One element a line, so that records can be compared with line tools.
fn array(elements: impl IntoIterator<Item = String>) -> String {
    let elements: Vec<String> = elements.into_iter().collect();
    format!("[{}]", elements.join(",\n"))
}

/// JSON has no word for "not a number".
fn number(value: f64) -> String {
    if value.is_finite() { value.to_string() } else { "null".to_owned() }
}

fn string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(character);
            }
            ..' ' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted() {
        assert_eq!(string("a\"b\\c\nd…"), "\"a\\\"b\\\\c\\u000ad…\"");
        assert_eq!(object([("k", array(["1".to_owned(), number(f64::NAN)]))]), "{\"k\":[1,\nnull]}");
    }
}
