//! Instructions by address, as objdump prints them, and what a fast path may not contain.

use alloc::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::cargo;

/// The instructions of an object, by address.
pub(super) struct Disassembly(BTreeMap<u64, String>);

impl Disassembly {
    pub(super) fn of(object: &Path) -> Result<Self, String> {
        let mut command = Command::new("objdump");
        command.args(["--disassemble", "--no-show-raw-insn"]).arg(object);
        Ok(Self::parse(&cargo::output(&mut command)?))
    }

    /// Lines are `  address:<tab>instruction`.
    fn parse(text: &str) -> Self {
        let line = |line: &str| {
            let (address, instruction) = line.trim_start().split_once(":\t")?;
            Some((u64::from_str_radix(address, 16).ok()?, instruction.trim().to_owned()))
        };
        Self(text.lines().filter_map(line).collect())
    }

    pub(super) fn at(&self, address: u64) -> Option<&str> {
        self.0.get(&address).map(String::as_str)
    }
}

/// Calls, system calls, fences, and whatever locks the bus (`xchg` with memory does without saying so).
pub(super) fn forbidden(instruction: &str) -> bool {
    let (mnemonic, operands) = instruction.split_once(' ').unwrap_or((instruction, ""));
    let always = ["lock", "call", "callq", "syscall", "sysenter", "int", "mfence", "lfence", "sfence"];
    always.contains(&mnemonic) || mnemonic.starts_with("xchg") && operands.contains('(')
}

/// What belongs to a function because it is one: the body inlined elsewhere has none of it.
pub(super) fn frame(instruction: &str) -> bool {
    matches!(instruction.split(' ').next(), Some("ret" | "retq" | "push" | "pop"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_objdump_prints() {
        let text = "\n/x:     file format elf64-x86-64\n\n0000000000009e60 <malloc>:\n    9e60:\tcmp    $0x400,%rdi\n    9e96:\tret\n";
        let read = Disassembly::parse(text);
        assert_eq!(read.at(0x9e60), Some("cmp    $0x400,%rdi"));
        assert_eq!(read.at(0x9e96), Some("ret"));
        assert_eq!(read.at(0x9e61), None);
    }

    #[test]
    fn what_a_fast_path_may_not_contain() {
        for bad in ["lock cmpxchg %rcx,(%rdi)", "call   57f90 <f>", "xchg   %rax,(%rdi)", "mfence", "syscall"]
        {
            assert!(forbidden(bad), "{bad}");
        }
        for good in
            ["mov    %fs:(%rcx),%rcx", "ret", "xchg   %ax,%ax", "decl   0x10(%rax,%rcx,1)", "jmp    c870 <f>"]
        {
            assert!(!forbidden(good), "{good}");
        }
    }

    #[test]
    fn what_belongs_to_the_function_around() {
        assert!(frame("ret") && frame("push   %rbx") && frame("pop    %rbx"));
        assert!(!frame("mov    %rdi,%rbx"));
    }
}
