//! Single calls, counted exactly.

use alloc::collections::BTreeSet;
use std::path::Path;

use super::callgrind::{self, Profile};
use super::counts::Counts;
use super::disassembly::{self, Disassembly};

/// Functions of the probe programs in which callgrind collects.
const PROBES: &str = "probe_";
/// Iterations by which the two runs of a `probe_*_pairs` loop differ.
const MORE_PAIRS: u64 = 1000;

/// `[library]`: everything that one call of `malloc` or `free` executes inside the shared library.
pub(super) fn library(
    library: &Path,
    probe: &Path,
    counts: &mut Counts,
    violations: &mut Vec<String>,
) -> Result<(), String> {
    let profile = callgrind::run(probe, &[], Some(library), Some(&format!("{PROBES}*")))?;
    let object = library.to_string_lossy();
    for call in profile.calls.iter().filter(|call| call.object == object) {
        if let Some(name) = call.from.strip_prefix(PROBES) {
            counts.set("library", name, call.instructions);
        }
    }
    for function in functions_in(&profile, &object) {
        if !["malloc", "free"].contains(&function) {
            violations.push(format!("library: a counted call left the fast path for {function}"));
        }
    }
    inspect("library", &profile, &object, &Disassembly::of(library)?, violations);
    Ok(())
}

/// `[rust]`: everything that a probe function executes, without what makes it a function.
pub(super) fn rust(probe: &Path, counts: &mut Counts, violations: &mut Vec<String>) -> Result<(), String> {
    let profile = callgrind::run(probe, &[], None, Some(&format!("{PROBES}*")))?;
    let object = probe.to_string_lossy();
    let disassembly = Disassembly::of(probe)?;
    for function in functions_in(&profile, &object) {
        let Some(name) = function.strip_prefix(PROBES) else { continue };
        if name.ends_with("_pairs") {
            counts.set("rust", name, pairs(&profile, function)?);
            continue;
        }
        let own = profile.costs.iter().filter(|cost| cost.object == object && cost.function == function);
        let body = own.filter(|cost| !disassembly.at(cost.address).is_some_and(disassembly::frame));
        counts.set("rust", name, body.map(|cost| cost.instructions).sum());
    }
    for call in profile.calls.iter().filter(|call| call.from.starts_with(PROBES)) {
        violations.push(format!("rust: {} left the fast path for {}", call.from, call.to));
    }
    inspect("rust", &profile, &object, &disassembly, violations);
    Ok(())
}

/// What one turn of a loop costs on average: the loop was run twice, with lengths that differ by [`MORE_PAIRS`].
fn pairs(profile: &Profile, function: &str) -> Result<u64, String> {
    let mut runs: Vec<u64> =
        profile.calls.iter().filter(|call| call.to == function).map(|call| call.instructions).collect();
    runs.sort_unstable();
    match *runs {
        [short, long] => Ok((long - short) / MORE_PAIRS),
        _ => Err(format!("{function} was called {} times, not twice", runs.len())),
    }
}

/// Names of the functions of `object` in which something was executed.
fn functions_in<'profile>(profile: &'profile Profile, object: &str) -> BTreeSet<&'profile str> {
    let own = profile.costs.iter().filter(|cost| cost.object == object);
    own.map(|cost| cost.function.as_str()).collect()
}

/// No executed instruction of `object` may be a call or locked.
fn inspect(
    section: &str,
    profile: &Profile,
    object: &str,
    disassembly: &Disassembly,
    violations: &mut Vec<String>,
) {
    for cost in profile.costs.iter().filter(|cost| cost.object == object) {
        match disassembly.at(cost.address) {
            None => {
                violations.push(format!("{section}: objdump knows no instruction at {:#x}", cost.address))
            }
            Some(instruction) if disassembly::forbidden(instruction) => {
                violations.push(format!("{section}: {} executes `{instruction}`", cost.function));
            }
            Some(_) => (),
        }
    }
}
