//! The header says what the code does: numbers, sizes, the order of a table's functions.

use core::mem::{align_of, offset_of};

use stratalloc_resource::abi::{
    ErrorCode, NAME_LEN, RawBlock, RawInfo, RawMarker, RawUsage, ResourceV1, VERSION,
};
use stratalloc_strategies::system::System;

use crate::config::{self, RawConfig};
use crate::lock_free::LockFree;
use crate::made::Made;
use crate::strategies::{Buddy, ChunkTlsf, Frame, GrowingPool, GrowingSlab, Pool, Slab, Stack, Tlsf};

const HEADER: &str = include_str!("../../include/stratalloc_toolkit.h");

/// The value of `#define NAME value` or `NAME = value`.
fn constant(name: &str) -> usize {
    let value = HEADER.lines().find_map(|line| {
        let line = line.trim();
        let rest = line.strip_prefix("#define ").unwrap_or(line).strip_prefix(name)?;
        let rest = rest.trim_start_matches([' ', '=']);
        rest.split([',', ' ', 'u']).next()?.parse().ok()
    });
    value.unwrap_or_else(|| panic!("the header has no number {name}"))
}

#[test]
fn errors_have_the_same_numbers() {
    for (name, code) in ErrorCode::ALL {
        assert_eq!(constant(&format!("STRATALLOC_{name} ")), usize::try_from(code.get()).unwrap(), "{name}");
    }
    let listed = HEADER.lines().filter(|line| line.starts_with("    STRATALLOC_") && line.contains(" = "));
    assert_eq!(listed.count(), ErrorCode::ALL.len());
}

#[test]
fn constants_are_the_same() {
    assert_eq!(constant("STRATALLOC_ABI "), VERSION as usize);
    assert_eq!(constant("STRATALLOC_NAME_LEN "), NAME_LEN);
    assert_eq!(constant("STRATALLOC_CHECKED "), config::CHECKED as usize);
}

/// The fields of `struct NAME` in the header, in order.
fn fields(name: &str) -> Vec<&'static str> {
    let start = HEADER.find(&format!("struct {name} {{")).unwrap_or_else(|| panic!("no struct {name}"));
    let body = &HEADER[start..start + HEADER[start..].find("\n}").unwrap()];
    let mut fields = Vec::new();
    let mut in_comment = false;
    for line in body.lines().skip(1) {
        let code = if in_comment || line.trim_start().starts_with("/*") { "" } else { line };
        in_comment = (in_comment || line.contains("/*")) && !line.contains("*/");
        let Some(declaration) = code.split(';').next().filter(|_| code.contains(';')) else { continue };
        let name = match declaration.split_once("(*") {
            Some((_, function)) => function.split(')').next().unwrap(),
            None => declaration.split('[').next().unwrap().trim_end().rsplit([' ', '*']).next().unwrap(),
        };
        fields.push(name);
    }
    fields
}

/// Compares a structure's fields with the header's, and sees to it that they lie in that order without gaps.
macro_rules! same_fields {
    ($type:ty, $name:literal, $($field:ident)*) => {
        assert_eq!(fields($name), [$(stringify!($field)),*], $name);
        let offsets = [$(offset_of!($type, $field)),*];
        assert!(offsets.is_sorted(), $name);
        assert_eq!(offsets[0], 0, $name);
    };
}

#[test]
fn structures_have_the_same_fields() {
    same_fields!(RawBlock, "stratalloc_block", start len);
    same_fields!(RawMarker, "stratalloc_marker", words);
    same_fields!(RawInfo, "stratalloc_info", size threads reuse spare name capacity max_size max_align);
    same_fields!(RawUsage, "stratalloc_usage", size spare used peak reserved live_blocks largest_free);
    same_fields!(RawConfig, "stratalloc_config",
        size flags memory memory_size upstream chunk_size block_size block_align max_blocks);
    same_fields!(ResourceV1, "stratalloc_resource_v1",
        version size allocate release resize owns info usage mark rewind reset collect validate destroy);
    assert_eq!(size_of::<ResourceV1>(), 8 + 12 * size_of::<usize>());
}

/// What a resource takes of its memory, at most, however that is aligned.
const fn state<S>() -> usize {
    size_of::<Made<S>>() + align_of::<Made<S>>() - 1
}

#[test]
fn states_are_as_small_as_the_header_says() {
    let states = [
        state::<Frame>(),
        state::<Stack>(),
        state::<Pool>(),
        state::<GrowingPool>(),
        state::<LockFree>(),
        state::<Slab>(),
        state::<GrowingSlab>(),
        state::<Buddy>(),
        state::<System>(),
    ];
    assert!(states.iter().all(|&state| state <= constant("STRATALLOC_STATE ")), "{states:?}");
    let tlsf = [state::<Tlsf>(), state::<ChunkTlsf>()];
    assert!(tlsf.iter().all(|&state| state <= constant("STRATALLOC_TLSF_STATE ")), "{tlsf:?}");
}
