//! Running callgrind, and the part of its profile format that counting needs.

use std::path::Path;
use std::process::Command;

use crate::cargo;

/// Instructions executed at one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) object: String,
    pub(super) function: String,
    pub(super) address: u64,
    pub(super) instructions: u64,
}

/// Calls from one place, with everything executed until they returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) from: String,
    pub(super) object: String,
    pub(super) to: String,
    pub(super) instructions: u64,
}

/// What callgrind wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Profile {
    pub(super) costs: Vec<Cost>,
    pub(super) calls: Vec<Call>,
}

/// Runs `program` under callgrind with `preload`, collecting inside functions whose name matches `only`.
pub(super) fn run(
    program: &Path,
    arguments: &[&str],
    preload: Option<&Path>,
    only: Option<&str>,
) -> Result<Profile, String> {
    let file = std::env::temp_dir().join(format!("golden.{}.callgrind", std::process::id()));
    let mut command = Command::new("valgrind");
    command.args(["--quiet", "--tool=callgrind", "--dump-instr=yes", "--dump-line=no"]);
    command.args(["--compress-strings=no", "--compress-pos=no"]);
    command.arg(format!("--callgrind-out-file={}", file.display()));
    command.args(only.map(|pattern| format!("--toggle-collect={pattern}")));
    command.arg(program).args(arguments).env_clear();
    // Valgrind itself is a program: the library goes to the guest only.
    command.envs(preload.map(|library| ("LD_PRELOAD", library)));
    let outcome = cargo::output(&mut command);
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()));
    let _ = std::fs::remove_file(&file);
    outcome?;
    parse(&text?)
}

/// Reads a profile with `positions: instr` and `events: Ir`, names and positions not compressed.
fn parse(text: &str) -> Result<Profile, String> {
    let mut profile = Profile::default();
    let (mut object, mut function) = (String::new(), String::new());
    let (mut callee_object, mut callee) = (None, String::new());
    let mut in_call = false;
    for line in text.lines() {
        if line.starts_with("0x") {
            let (address, instructions) = cost(line)?;
            if core::mem::take(&mut in_call) {
                let object = callee_object.take().unwrap_or_else(|| object.clone());
                let to = core::mem::take(&mut callee);
                profile.calls.push(Call { from: function.clone(), object, to, instructions });
            } else {
                let (object, function) = (object.clone(), function.clone());
                profile.costs.push(Cost { object, function, address, instructions });
            }
        } else if let Some(name) = line.strip_prefix("ob=") {
            name.clone_into(&mut object);
        } else if let Some(name) = line.strip_prefix("fn=") {
            name.clone_into(&mut function);
        } else if let Some(name) = line.strip_prefix("cob=") {
            callee_object = Some(name.to_owned());
        } else if let Some(name) = line.strip_prefix("cfn=") {
            name.clone_into(&mut callee);
        } else if line.starts_with("calls=") {
            in_call = true;
        } else if line.starts_with("events:") && line != "events: Ir"
            || line.starts_with("positions:") && line != "positions: instr"
        {
            return Err(format!("callgrind's profile has another form: {line}"));
        }
    }
    Ok(profile)
}

fn cost(line: &str) -> Result<(u64, u64), String> {
    let parts = line.split_once(' ').and_then(|(address, count)| {
        let address = u64::from_str_radix(address.strip_prefix("0x")?, 16).ok()?;
        Some((address, count.trim().parse().ok()?))
    });
    parts.ok_or_else(|| format!("callgrind's profile: cannot read {line:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_costs_and_calls() {
        let text = "positions: instr\nevents: Ir\nsummary: 9\n\nob=/probe\nfl=???\nfn=probe_free\n0x10 1\ncob=/library.so\n\
            cfi=/free.rs\ncfn=free\ncalls=1 0x98f0 \n0x11 7\n0x17 1\n\nob=/library.so\nfl=/x.rs\nfn=free\n0x98f0 7\n";
        let cost = |object: &str, function: &str, address, instructions| Cost {
            object: object.to_owned(),
            function: function.to_owned(),
            address,
            instructions,
        };
        let call = Call {
            from: "probe_free".to_owned(),
            object: "/library.so".to_owned(),
            to: "free".to_owned(),
            instructions: 7,
        };
        let costs = vec![
            cost("/probe", "probe_free", 0x10, 1),
            cost("/probe", "probe_free", 0x17, 1),
            cost("/library.so", "free", 0x98f0, 7),
        ];
        assert_eq!(parse(text), Ok(Profile { costs, calls: vec![call] }));
    }

    #[test]
    fn a_profile_of_another_form_is_an_error() {
        assert!(parse("positions: line\nevents: Ir\n").is_err());
        assert!(parse("positions: instr\nevents: Ir Dr\n").is_err());
        assert!(parse("fn=f\n0x10 many\n").is_err());
    }
}
