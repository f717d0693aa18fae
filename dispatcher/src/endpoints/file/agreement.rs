//! When a change of the file counts: two looks in a row have to agree on what they saw. Pure.

/// What was taken last, and what may be taken next; both as digests of all that was read.
pub(super) struct Agreement {
    taken: u64,
    pending: Option<u64>,
}

/// What a look leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It saw what is in use.
    Unchanged,
    /// It saw something new, which the next look has to confirm.
    Wait,
    /// What it saw counts from now on.
    Take,
}

impl Agreement {
    /// Begins with what was taken at start.
    pub(super) fn new(taken: u64) -> Self {
        Self { taken, pending: None }
    }

    /// Whether something new waits to be confirmed.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Judges what a look saw. Somebody who asks for a reload says that the file is complete, so one look is enough then.
    pub(super) fn judge(&mut self, seen: u64, is_asked: bool) -> Verdict {
        let before = self.pending.take();
        if is_asked || before == Some(seen) {
            self.taken = seen;
            Verdict::Take
        } else if seen == self.taken {
            Verdict::Unchanged
        } else {
            self.pending = Some(seen);
            Verdict::Wait
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(seen: &[u64]) -> Vec<Verdict> {
        let mut agreement = Agreement::new(0);
        seen.iter().map(|seen| agreement.judge(*seen, false)).collect()
    }

    #[test]
    fn what_two_looks_in_a_row_saw_counts_once() {
        use Verdict::{Take, Unchanged, Wait};
        assert_eq!(verdicts(&[0, 1, 1, 1]), [Unchanged, Wait, Take, Unchanged]);
    }

    #[test]
    fn a_file_that_is_being_written_does_not_count_until_it_rests() {
        use Verdict::{Take, Wait};
        assert_eq!(verdicts(&[1, 2, 3, 3]), [Wait, Wait, Wait, Take]);
    }

    #[test]
    fn a_change_that_is_taken_back_is_none() {
        use Verdict::{Unchanged, Wait};
        assert_eq!(verdicts(&[1, 0, 1, 0]), [Wait, Unchanged, Wait, Unchanged]);
    }

    #[test]
    fn what_is_asked_for_counts_at_once_even_if_it_is_the_same() {
        let mut agreement = Agreement::new(0);
        assert_eq!(agreement.judge(1, false), Verdict::Wait);
        assert_eq!(agreement.judge(2, true), Verdict::Take);
        assert!(!agreement.is_pending());
        assert_eq!(agreement.judge(2, true), Verdict::Take);
        assert_eq!(agreement.judge(2, false), Verdict::Unchanged);
    }
}
