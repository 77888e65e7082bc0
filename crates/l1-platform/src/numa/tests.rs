//! Bindings, asked back from the kernel page by page.
//!
//! Not covered: a node that runs full (the emulated machines have room), nodes with gaps between their numbers.
extern crate alloc;

use alloc::format;
use alloc::vec::Vec;

use super::*;
use crate::vm::{self, Access};

/// Reserves pages, binds them, touches each, asks where they lie, and releases them.
fn placed(pages: usize, policy: Policy) -> Vec<Result<u32, OsError>> {
    let size = pages * page::size();
    let ptr = vm::reserve(size, page::size(), Access::ReadWrite).unwrap();
    // SAFETY: the range just reserved.
    unsafe { bind(ptr, size, policy) }.unwrap();
    let mut absent = 0;
    let asked = range_nodes(ptr, size, |page| absent += usize::from(page.is_err()));
    assert!(absent == pages || asked.is_err_and(OsError::is_unsupported), "nothing is touched yet");
    for offset in (0..size).step_by(page::size()) {
        // SAFETY: inside the range.
        let byte = unsafe { ptr.add(offset) };
        // SAFETY: as above.
        unsafe { byte.write(1) };
    }
    let mut found = Vec::new();
    let asked = range_nodes(ptr, size, |page| found.push(page));
    // A kernel or an emulator without NUMA; several nodes are proof of the contrary.
    assert!(asked.is_ok() || nodes() == 1, "{asked:?}");
    // Pages without a binding may be marked between two questions.
    let same = found.first().copied() == asked.is_ok().then(|| page_node(ptr));
    assert!(same || policy == Policy::Default);
    // SAFETY: as above; no longer used.
    unsafe { vm::release(ptr, size) }.unwrap();
    found
}

#[test]
fn a_thread_runs_on_a_node_that_exists() {
    assert!((1..=NODE_LIMIT).contains(&nodes()));
    assert!(current_node() < nodes());
    assert_eq!(nodes(), nodes_slow());
}

#[test]
fn pages_lie_where_they_are_bound_to() {
    for node in 0..nodes() {
        for policy in [Policy::Prefer(node), Policy::Require(node), Policy::Interleave(1 << node)] {
            // More than one question's worth, and not a multiple of it.
            for found in placed(150, policy) {
                assert_eq!(found, Ok(node), "{policy:?}");
            }
        }
    }
}

#[test]
fn interleaved_pages_lie_on_all_nodes_by_turns() {
    let all = (1_u64 << nodes()) - 1;
    let found = placed(48, Policy::Interleave(all));
    for node in 0..nodes() {
        let pages = found.iter().filter(|page| **page == Ok(node)).count();
        assert!(found.is_empty() || pages == 48 / nodes() as usize, "{pages} on node {node}: {found:?}");
    }
}

#[test]
fn the_default_policy_is_the_toucher_s_node() {
    // The thread may be moved meanwhile, and the kernel's balancing may mark a page between touch and question, in one attempt or another.
    let told = (0..10)
        .any(|_| placed(3, Policy::Default).iter().all(|found| found.is_ok_and(|node| node < nodes())));
    assert!(told);
}

#[test]
fn nodes_that_do_not_exist_are_refused_with_a_message() {
    let size = page::size();
    let ptr = vm::reserve(size, size, Access::ReadWrite).unwrap();
    let high = if nodes() < 64 { Policy::Interleave(1 << nodes()) } else { Policy::Prefer(nodes()) };
    let refused = [
        (Policy::Require(nodes()), nodes()),
        (Policy::Prefer(NODE_LIMIT), NODE_LIMIT),
        (Policy::Require(u32::MAX), u32::MAX),
        (high, nodes()),
    ];
    for (policy, node) in refused {
        // SAFETY: the page just reserved.
        let error = unsafe { bind(ptr, size, policy) }.unwrap_err();
        assert_eq!(error, NumaError::NoSuchNode { node, nodes: nodes() });
        assert!(format!("{error}").ends_with(&format!("there is no node {node}")), "{error}");
    }
    // SAFETY: as above.
    assert_eq!(unsafe { bind(ptr, size, Policy::Interleave(0)) }, Err(NumaError::NoNodes));
    // SAFETY: as above.
    unsafe { bind(ptr, size, Policy::Default) }.unwrap();
    // SAFETY: as above; no longer used.
    unsafe { vm::release(ptr, size) }.unwrap();
}

#[test]
fn each_error_is_a_sentence() {
    let text = |error: NumaError| format!("{error}");
    let one = text(NumaError::NoSuchNode { node: 3, nodes: 1 });
    assert_eq!(one, "this machine has one memory node, 0; there is no node 3");
    let four = text(NumaError::NoSuchNode { node: 9, nodes: 4 });
    assert_eq!(four, "this machine has the memory nodes 0 to 3; there is no node 9");
    assert!(text(NumaError::NoNuma).ends_with("(no NUMA)"));
    let os = text(NumaError::Os(OsError::OUT_OF_MEMORY));
    assert_eq!(os, format!("the range was not bound: {}", OsError::OUT_OF_MEMORY));
}

#[test]
fn who_may_not_bind_has_no_numa() {
    for error in [OsError::UNSUPPORTED, OsError::NOT_PERMITTED] {
        assert_eq!(refusal(error), NumaError::NoNuma);
    }
    assert_eq!(refusal(OsError::OUT_OF_MEMORY), NumaError::Os(OsError::OUT_OF_MEMORY));
}

/// The kernel's own answer, which one node alone would not be asked for.
#[test]
fn the_system_call_itself_takes_node_zero() {
    let size = page::size();
    let ptr = vm::reserve(size, size, Access::ReadWrite).unwrap();
    // SAFETY: the page just reserved.
    let answer = unsafe { port::set_policy(ptr, size, Policy::Require(0)) };
    assert!(answer.is_ok() || answer.is_err_and(OsError::is_unsupported) && nodes() == 1, "{answer:?}");
    // SAFETY: as above.
    let refused = unsafe { port::set_policy(ptr, size, Policy::Require(nodes())) };
    assert!(refused.is_err_and(OsError::is_unsupported), "{refused:?}");
    // SAFETY: as above; no longer used.
    unsafe { vm::release(ptr, size) }.unwrap();
}
