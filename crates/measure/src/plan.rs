//! Who runs when.
//!
//! In every round each cell (a workload, or the one program) runs once under every allocator, one after the other, so that
//! what the machine does meanwhile meets all of them alike. The order is shifted by one from round to round, so that none
//! always follows the same other one.

/// One run that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// From 0.
    pub round: usize,
    /// The index of the work.
    pub cell: usize,
    /// The index of the allocator.
    pub allocator: usize,
}

/// All turns in their order.
pub fn interleaved(rounds: usize, cells: usize, allocators: usize) -> impl Iterator<Item = Turn> {
    let of_cell = move |round, cell| {
        (0..allocators).map(move |turn| Turn { round, cell, allocator: (turn + round) % allocators })
    };
    (0..rounds).flat_map(move |round| (0..cells).flat_map(move |cell| of_cell(round, cell)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_round_starts_with_the_next_allocator() {
        let order: Vec<_> = interleaved(3, 1, 3).map(|turn| (turn.round, turn.allocator)).collect();
        assert_eq!(order, [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (1, 0), (2, 2), (2, 0), (2, 1)]);
    }

    #[test]
    fn a_cell_is_done_by_all_before_the_next_one() {
        let order: Vec<_> = interleaved(2, 2, 2).map(|turn| (turn.cell, turn.allocator)).collect();
        assert_eq!(order, [(0, 0), (0, 1), (1, 0), (1, 1), (0, 1), (0, 0), (1, 1), (1, 0)]);
    }

    #[test]
    fn nothing_to_do_is_no_turn() {
        assert_eq!(
            interleaved(3, 0, 2).count() + interleaved(3, 2, 0).count() + interleaved(0, 2, 2).count(),
            0
        );
    }
}
