//! What the head of a program file says: enough to know whether a library can be preloaded into it.
//!
//! ```text
//! offset 0          16      18                     e_phoff
//!   [ident ........][type][machine] … [phoff][phentsize][phnum] … [program headers …]
//!      magic, class, byte order                                      PT_INTERP -> path of the loader
//! ```
//! A program without `PT_INTERP` is static: no loader runs, so nothing reads `LD_PRELOAD`.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// The first bytes of every ELF file.
pub(crate) const MAGIC: &[u8] = b"\x7fELF";

const CLASS: usize = 4;
const CLASS_64: u8 = 2;
const BYTE_ORDER: usize = 5;
const LITTLE_ENDIAN: u8 = 1;
const TYPE_EXECUTABLE: u16 = 2;
const TYPE_SHARED: u16 = 3;
const SEGMENT_INTERPRETER: u32 = 3;
/// A path in a program header is never longer than `PATH_MAX`.
const PATH_LIMIT: u64 = 4096;

/// The machine for which this command was built, as `e_machine` names it.
const OWN_MACHINE: u16 = if cfg!(target_arch = "x86_64") {
    62
} else if cfg!(target_arch = "aarch64") {
    183
} else if cfg!(target_arch = "x86") {
    3
} else if cfg!(target_arch = "arm") {
    40
} else if cfg!(target_arch = "riscv64") {
    243
} else {
    0
};

/// What an ELF file is, in the three facts that decide about preloading.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Elf {
    /// The machine that it is for, when that is not ours: a name to show.
    pub(crate) foreign: Option<String>,
    /// The loader that it asks for; `None` for a static program or a library.
    pub(crate) interpreter: Option<PathBuf>,
    /// Whether it is a program or a library at all (and not an object file or a core dump).
    pub(crate) loadable: bool,
}

/// Reads the head of the ELF file; the caller has seen the magic bytes.
pub(crate) fn inspect(file: &File) -> io::Result<Elf> {
    let mut head = [0u8; 64];
    file.read_exact_at(&mut head[..52], 0)?;
    let wide = head[CLASS] == CLASS_64;
    if wide {
        file.read_exact_at(&mut head, 0)?;
    }
    let order = Order { little: head[BYTE_ORDER] == LITTLE_ENDIAN };
    let machine = order.u16(&head, 18);
    let same = machine == OWN_MACHINE && wide == cfg!(target_pointer_width = "64") && order.is_own();
    let foreign = (!same).then(|| machine_name(machine, wide));
    let loadable = matches!(order.u16(&head, 16), TYPE_EXECUTABLE | TYPE_SHARED);
    let interpreter = if same { interpreter(file, &head, order, wide)? } else { None };
    Ok(Elf { foreign, interpreter, loadable })
}

fn interpreter(file: &File, head: &[u8], order: Order, wide: bool) -> io::Result<Option<PathBuf>> {
    let (table, entry_size, count) = if wide {
        (order.u64(head, 32), order.u16(head, 54), order.u16(head, 56))
    } else {
        (order.u32(head, 28).into(), order.u16(head, 42), order.u16(head, 44))
    };
    let mut entry = [0u8; 56];
    let entry = if wide { &mut entry[..] } else { &mut entry[..32] };
    for index in 0..u64::from(count) {
        file.read_exact_at(entry, table.saturating_add(index * u64::from(entry_size)))?;
        if order.u32(entry, 0) != SEGMENT_INTERPRETER {
            continue;
        }
        let (offset, size) = if wide {
            (order.u64(entry, 8), order.u64(entry, 32))
        } else {
            (order.u32(entry, 4).into(), order.u32(entry, 16).into())
        };
        let mut path = vec![0u8; usize::try_from(size.min(PATH_LIMIT)).unwrap_or(0)];
        file.read_exact_at(&mut path, offset)?;
        let end = path.iter().position(|&byte| byte == 0).unwrap_or(path.len());
        return Ok(Some(PathBuf::from(OsStr::from_bytes(&path[..end]))));
    }
    Ok(None)
}

fn machine_name(machine: u16, wide: bool) -> String {
    let name = match machine {
        3 => "32-bit x86",
        8 => "MIPS",
        20 => "32-bit PowerPC",
        21 => "64-bit PowerPC",
        22 => "S/390",
        40 => "32-bit Arm",
        62 if !wide => "x32",
        62 => "x86-64",
        183 => "64-bit Arm",
        243 => "RISC-V",
        258 => "LoongArch",
        _ => return format!("machine number {machine}"),
    };
    name.to_owned()
}

/// The byte order of the file's numbers.
#[derive(Clone, Copy)]
struct Order {
    little: bool,
}

impl Order {
    fn is_own(self) -> bool {
        self.little == cfg!(target_endian = "little")
    }

    fn bytes<const N: usize>(self, from: &[u8], at: usize) -> [u8; N] {
        let mut bytes = [0u8; N];
        bytes.copy_from_slice(&from[at..at + N]);
        if !self.little {
            bytes.reverse();
        }
        bytes
    }

    fn u16(self, from: &[u8], at: usize) -> u16 {
        u16::from_le_bytes(self.bytes(from, at))
    }

    fn u32(self, from: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(self.bytes(from, at))
    }

    fn u64(self, from: &[u8], at: usize) -> u64 {
        u64::from_le_bytes(self.bytes(from, at))
    }
}

#[cfg(test)]
mod tests {
    //! Covers the reading of own and foreign heads; real static and dynamic programs are in `tests/preflight.rs`.
    use super::*;
    use std::io::Write;

    fn inspect_bytes(name: &str, bytes: &[u8]) -> io::Result<Elf> {
        let path = std::env::temp_dir().join(format!("stratalloc-elf-{}-{name}", std::process::id()));
        File::create(&path)?.write_all(bytes)?;
        let elf = inspect(&File::open(&path)?);
        std::fs::remove_file(&path)?;
        elf
    }

    #[test]
    fn own_executable_has_an_interpreter() {
        let elf = inspect(&File::open(std::env::current_exe().unwrap()).unwrap()).unwrap();
        assert_eq!(elf.foreign, None);
        assert!(elf.loadable);
        if cfg!(not(target_feature = "crt-static")) {
            assert!(elf.interpreter.unwrap().is_absolute());
        }
    }

    #[test]
    fn big_endian_machine_is_named() {
        let mut head = [0u8; 64];
        head[..4].copy_from_slice(MAGIC);
        head[CLASS] = CLASS_64;
        head[BYTE_ORDER] = 2;
        head[17] = 2;
        head[19] = 21;
        let elf = inspect_bytes("ppc", &head).unwrap();
        assert_eq!(elf.foreign.as_deref(), Some("64-bit PowerPC"));
        assert!(elf.loadable);
    }

    #[test]
    fn truncated_head_is_an_error() {
        assert!(inspect_bytes("short", MAGIC).is_err());
    }
}
