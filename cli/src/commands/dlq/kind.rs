//! The two queues that these commands look after, and how each is spoken of.

use clap::ValueEnum;
use hookline_common::topology::Queue;

/// Which of the two queues is looked after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Dead letters: their last retry failed, or their endpoint is disabled.
    Failed,
    /// Messages that could not be understood, or that crashed their consumers.
    Rejected,
}

impl Kind {
    pub(super) fn queue(self) -> Queue {
        match self {
            Self::Failed => Queue::Failed,
            Self::Rejected => Queue::Rejected,
        }
    }

    /// Who else may read the queue, and where what is read then is found.
    pub(super) fn other_reader(self) -> &'static str {
        match self {
            Self::Failed => {
                "a console files dead letters, and `hookline failed` has them from then on; a list that is still open \
                 holds them, too"
            }
            Self::Rejected => "a list that is still open holds them, for one",
        }
    }

    /// What a command needs to look after this queue.
    pub(super) fn flag(self) -> &'static str {
        match self {
            Self::Failed => "",
            Self::Rejected => " --queue rejected",
        }
    }

    /// Where a message may be that is not in the queue.
    pub(super) fn elsewhere(self) -> &'static str {
        match self {
            Self::Failed => "it may be delivered, still be retried, or be removed already",
            Self::Rejected => "it may have been retried or removed already",
        }
    }

    /// What so many of its messages are called.
    pub(super) fn count(self, number: u64) -> String {
        let plural = if number == 1 { "" } else { "s" };
        match self {
            Self::Failed => format!("{number} dead letter{plural}"),
            Self::Rejected => format!("{number} rejected message{plural}"),
        }
    }
}
