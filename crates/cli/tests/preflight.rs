//! Programs that nothing can be preloaded into are refused with a reason, before anything runs.

mod harness;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Output;

use harness::{Folder, complaint, refused};

fn run(folder: &Folder, program: &Path) -> Output {
    folder.stratalloc([Path::new("run"), Path::new("-q"), program]).output().unwrap()
}

/// A copy of a small dynamic program.
fn copy_of_true(folder: &Folder, name: &str) -> std::path::PathBuf {
    let original =
        ["/usr/bin/true", "/bin/true"].map(Path::new).into_iter().find(|path| path.exists()).expect("true");
    folder.executable(name, &fs::read(original).unwrap())
}

#[test]
fn static_program_is_refused() {
    let folder = Folder::new("static");
    // No C library: a static one need not be installed.
    let source = "void _start(void) { for (;;) ; }";
    for (name, flags) in
        [("static", &["-static", "-nostdlib"][..]), ("static-pie", &["-static-pie", "-fPIE", "-nostdlib"])]
    {
        let Some(program) = folder.compile(name, source, flags) else { return };
        refused(&run(&folder, &program), 126, "statically linked");
        let script = folder.executable("script", format!("#!{}\n", program.display()).as_bytes());
        refused(&run(&folder, &script), 126, "statically linked");
    }
}

#[test]
fn set_user_id_and_set_group_id_programs_are_refused() {
    let folder = Folder::new("setuid");
    let program = copy_of_true(&folder, "privileged");
    let nobody = 65_534;
    if chown(&program, Some(nobody), Some(nobody)).is_err() {
        eprintln!("skipped: only root can give a file away");
        return;
    }
    for (mode, why) in [(0o4755, Some("set-user-id")), (0o2755, Some("set-group-id")), (0o755, None)] {
        fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
        let output = run(&folder, &program);
        match why {
            Some(why) => refused(&output, 126, why),
            None => assert!(output.status.success(), "{}", complaint(&output)),
        }
    }
}

#[test]
fn program_for_another_machine_is_refused() {
    let folder = Folder::new("foreign");
    let own = fs::read(copy_of_true(&folder, "own")).unwrap();
    let mut foreign = own.clone();
    foreign[18..20].copy_from_slice(&258u16.to_le_bytes());
    refused(&run(&folder, &folder.executable("foreign", &foreign)), 126, "another machine (LoongArch)");
    refused(&run(&folder, &folder.executable("cut", &own[..40])), 126, "truncated");
    let mut object = own;
    object[16] = 1;
    refused(&run(&folder, &folder.executable("object", &object)), 126, "object file");
    refused(&run(&folder, &folder.executable("junk", b"\0\x01\x02junk")), 126, "not a program");
}

#[test]
fn missing_loader_is_named() {
    let folder = Folder::new("loader");
    let flags = ["-Wl,--dynamic-linker=/no/such/loader.so"];
    let Some(program) = folder.compile("orphan", "int main(void) { return 0; }", &flags) else { return };
    refused(&run(&folder, &program), 126, "/no/such/loader.so");
}

#[test]
fn scripts_are_judged_by_their_interpreter() {
    let folder = Folder::new("scripts");
    let good = folder.executable("good", b"#! /bin/sh -e\nexit 5\n");
    assert_eq!(run(&folder, &good).status.code(), Some(5));
    let none = folder.executable("none", b"exit 6\n");
    assert_eq!(run(&folder, &none).status.code(), Some(6), "a text without #! is for the shell");
    let nested = folder.executable("nested", format!("#!{}\n", good.display()).as_bytes());
    assert_eq!(run(&folder, &nested).status.code(), Some(5));
    let bad = folder.executable("bad", b"#!/no/such/interpreter\n");
    refused(&run(&folder, &bad), 126, "/no/such/interpreter");
    refused(&run(&folder, &folder.executable("empty", b"#!\n")), 126, "names no interpreter");
    let circle = folder.path("circle");
    folder.executable("circle", format!("#!{}\n", circle.display()).as_bytes());
    refused(&run(&folder, &circle), 126, "too many interpreters");
}
