//! Whole workloads: instructions inside the library, and page faults.

use std::path::Path;
use std::process::Command;

use super::callgrind;
use super::counts::Counts;
use crate::cargo;

/// Arguments that `tests/golden/library.rs` knows.
const WORKLOADS: [&str; 5] = ["replace", "batch", "grow", "buffers", "handover"];

/// `[instructions]` and `[faults]`. What the C library executes (`memcpy` above all) depends on the processor and is not
/// counted; valgrind has pages of its own, so faults are counted without it.
pub(super) fn count(library: &Path, probe: &Path, counts: &mut Counts) -> Result<(), String> {
    let object = library.to_string_lossy();
    for workload in WORKLOADS {
        let profile = callgrind::run(probe, &[workload], Some(library), None)?;
        let inside = profile.costs.iter().filter(|cost| cost.object == object);
        counts.set("instructions", workload, inside.map(|cost| cost.instructions).sum());
        let mut command = Command::new(probe);
        command.arg(workload).env_clear().env("LD_PRELOAD", library);
        let said = cargo::output(&mut command)?;
        let faults =
            said.trim().parse().map_err(|_| format!("{workload}: {said:?} is not a number of faults"))?;
        counts.set("faults", workload, faults);
    }
    Ok(())
}
