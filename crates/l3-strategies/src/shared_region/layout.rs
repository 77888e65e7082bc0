//! Where what lies in a region, in words.
//!
//! ```text
//!   0        16      17         64       320            384      448    464     512          640
//!   ├────────┼───────┼──────────┼────────┼──────────────┼────────┼──────┼───────┼────────────┼───────────────────────────┬─────┐
//!   │ header │ rows  │ columns  │ bins   │ participants │ queues │roots │ –     │ journal    │ block │ block │ block │ … │ end │
//!   └────────┴───────┴──────────┴────────┴──────────────┴────────┴──────┴───────┴────────────┴───────────────────────────┴─────┘
//! ```

use core::fmt;

use stratalloc_platform::vm::OsError;

/// `STRATSHR`, read as a number of the machine: the other byte order is another number.
pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"STRATSHR");
/// Changes whenever a word changes its meaning.
pub(super) const VERSION: u64 = 1;

/// Words of the header.
pub(super) const AT_MAGIC: u64 = 0;
pub(super) const AT_VERSION: u64 = 1;
pub(super) const AT_LAYOUT: u64 = 2;
pub(super) const AT_LENGTH: u64 = 3;
/// [`READY`] once the rest is written.
pub(super) const AT_STATE: u64 = 4;
pub(super) const AT_LOCK: u64 = 5;
/// How many entries of the journal are valid.
pub(super) const AT_JOURNAL_COUNT: u64 = 6;
/// Blocks that somebody holds or that wait in a queue, and their words, headers included.
pub(super) const AT_LIVE_BLOCKS: u64 = 7;
pub(super) const AT_LIVE_WORDS: u64 = 8;
/// How often a dead holder's lock was taken over.
pub(super) const AT_TAKEOVERS: u64 = 9;
/// How often blocks of dead processes were freed.
pub(super) const AT_RECLAIMED: u64 = 10;

pub(super) const READY: u64 = 0x7EAD;

/// Rows of bins (one per power of two) and bins per row.
pub(super) const ROWS: u64 = 32;
pub(super) const COLUMNS: u64 = 8;
pub(super) const AT_ROW_MAP: u64 = 16;
pub(super) const AT_COLUMN_MAPS: u64 = 17;
pub(super) const AT_BINS: u64 = 64;
/// Processes that can be attached at one time.
pub(super) const PARTICIPANTS: u64 = 64;
pub(super) const AT_PARTICIPANTS: u64 = 320;
/// The owner of blocks that outlive every process; more than any participant's number.
pub(super) const KEPT: u64 = 0xFF;
/// Message queues: first and last block of each.
pub(super) const QUEUES: u64 = 32;
pub(super) const AT_QUEUES: u64 = 384;
/// Words for the programs.
pub(super) const ROOTS: u64 = 16;
pub(super) const AT_ROOTS: u64 = 448;
/// The journal: pairs of number and old value.
pub(super) const JOURNAL: u64 = 64;
pub(super) const AT_JOURNAL: u64 = 512;
/// The first block.
pub(super) const AT_BLOCKS: u64 = 640;

const _: () = assert!(AT_COLUMN_MAPS + ROWS <= AT_BINS && AT_BINS + ROWS * COLUMNS <= AT_PARTICIPANTS);
const _: () = assert!(AT_PARTICIPANTS + PARTICIPANTS <= AT_QUEUES && AT_QUEUES + 2 * QUEUES <= AT_ROOTS);
const _: () = assert!(AT_ROOTS + ROOTS <= AT_JOURNAL && AT_JOURNAL + 2 * JOURNAL <= AT_BLOCKS);

/// Words of a block's header, and what sizes are multiples of.
pub(super) const HEADER: u64 = 4;
/// A header and as much payload.
pub(super) const MIN_BLOCK: u64 = 2 * HEADER;
/// Sizes are stored in 32 bits.
pub(super) const MAX_WORDS: u64 = (1 << 32) - HEADER;
/// The smallest region: its tables, one block, its end.
pub(super) const MIN_WORDS: u64 = AT_BLOCKS + MIN_BLOCK + HEADER;
/// Mappings are aligned to a page in every process, so this is what offsets can promise.
pub(super) const MAX_ALIGN: usize = 4096;

/// All that two processes have to agree on, in one number.
pub(super) const LAYOUT: u64 = {
    let facts = [ROWS, COLUMNS, PARTICIPANTS, QUEUES, ROOTS, JOURNAL, AT_BLOCKS, HEADER, MAX_ALIGN as u64];
    let (mut digest, mut index) = (0xCBF2_9CE4_8422_2325_u64, 0);
    while index < facts.len() {
        digest = (digest ^ facts[index]).wrapping_mul(0x100_0000_01B3);
        index += 1;
    }
    digest
};

/// Why a region could not be made or attached.
///
/// ```
/// use stratalloc_strategies::shared_region::{SharedError, SharedRegion};
///
/// assert_eq!(SharedRegion::create(c"tiny", 100).unwrap_err(), SharedError::BadSize { bytes: 100 });
/// assert!(matches!(SharedRegion::attach(c"/no/such/file"), Err(SharedError::System(_))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SharedError {
    /// The size asked for, in whole pages, is below the smallest region or above the largest.
    BadSize {
        /// What was asked for.
        bytes: usize,
    },
    /// It does not begin as a region does.
    NotARegion,
    /// Another version of this library made it.
    OtherVersion {
        /// The version found.
        found: u64,
    },
    /// The same version made it with other tables.
    OtherLayout,
    /// The file is shorter than its header says, or than any region.
    Truncated {
        /// The bytes that should be there.
        stated: u64,
        /// The bytes that are.
        found: u64,
    },
    /// Its maker has not finished it: try again, unless that process is dead. (An empty file, and one that begins with a word of zeros, may be that.)
    Unfinished,
    /// As many processes are attached as can be, and all of them run.
    Crowded,
    /// The kernel does not say when a process started (`/proc` is missing), or says it with a shift (a time namespace): nobody could tell whether
    /// it is dead.
    NoProcesses,
    /// The kernel refused.
    System(OsError),
}

impl fmt::Display for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadSize { bytes } => write!(f, "no region can have {bytes} bytes"),
            Self::NotARegion => f.write_str("not a shared region: it does not begin as one"),
            Self::OtherVersion { found } => {
                write!(f, "a shared region of version {found}; this is version {VERSION}")
            }
            Self::OtherLayout => f.write_str("a shared region with other tables than this library's"),
            Self::Truncated { stated, found } => {
                write!(f, "the region should have {stated} bytes, and {found} are there")
            }
            Self::Unfinished => f.write_str("the region's maker has not finished it"),
            Self::Crowded => write!(f, "{PARTICIPANTS} running processes are attached already"),
            Self::NoProcesses => {
                f.write_str("the kernel does not tell when a process started (is /proc mounted, and the time not shifted?)")
            }
            Self::System(error) => write!(f, "the kernel refused: {error}"),
        }
    }
}

impl core::error::Error for SharedError {}

impl From<OsError> for SharedError {
    fn from(error: OsError) -> Self {
        Self::System(error)
    }
}
