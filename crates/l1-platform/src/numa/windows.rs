//! The nodes of processors and of resident pages.

use core::ptr::NonNull;

use super::{AT_ONCE, Policy};
use crate::error::OsError;
use crate::kernel32::{self, ProcessorNumber, WorkingSetPage};
use crate::vm;

/// The highest node that there is.
pub(super) fn highest_node() -> Option<u32> {
    let mut highest = 0;
    // SAFETY: writes one number.
    let answer = unsafe { kernel32::GetNumaHighestNodeNumber(&raw mut highest) };
    (answer != 0).then_some(highest)
}

pub(super) fn current_node() -> u32 {
    let (mut processor, mut node) = (ProcessorNumber::default(), 0);
    // SAFETY: writes one processor.
    unsafe { kernel32::GetCurrentProcessorNumberEx(&raw mut processor) };
    // SAFETY: reads it and writes one number.
    let answer = unsafe { kernel32::GetNumaProcessorNodeEx(&raw const processor, &raw mut node) };
    // Of a processor that has none the number says so, too.
    if answer != 0 && node != u16::MAX { u32::from(node) } else { 0 }
}

/// Asks where pages lie, as many as there are answers, at most [`AT_ONCE`].
pub(super) fn ask(pages: &[usize], answers: &mut [Result<u32, OsError>]) -> Result<(), OsError> {
    /// `ERROR_FILE_NOT_FOUND`: has the number of `ENOENT`, which Linux says of a page that is not there.
    const NOT_THERE: u32 = 2;
    let mut questions = [WorkingSetPage { address: 0, attributes: 0 }; AT_ONCE];
    for (question, &address) in questions.iter_mut().zip(pages) {
        question.address = address;
    }
    let asked = pages.len().min(answers.len()).min(AT_ONCE);
    vm::working_set(questions.get_mut(..asked).unwrap_or(&mut []))?;
    for (answer, page) in answers.iter_mut().zip(questions).take(asked) {
        *answer = if page.is_resident() { Ok(page.node()) } else { Err(OsError::from_windows(NOT_THERE)) };
    }
    Ok(())
}

/// There is no such call for a range that is there.
///
/// # Safety
///
/// None is needed; Linux' version needs its own.
pub(super) unsafe fn set_policy(_ptr: NonNull<u8>, _size: usize, policy: Policy) -> Result<(), OsError> {
    if policy == Policy::Default { Ok(()) } else { Err(OsError::UNSUPPORTED) }
}
