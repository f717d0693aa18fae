//! Two batches at once, one behind the other: while the first one's transaction goes on, the second one's has begun.

use tokio::sync::watch;

use crate::error::StoreError;

/// A batch's place behind the one before.
#[derive(Debug)]
pub struct Turn {
    before: Option<Predecessor>,
    own: watch::Sender<Stage>,
}

/// A batch, as the one behind it sees it: how far it has come.
#[derive(Debug, Clone)]
pub struct Predecessor(watch::Receiver<Stage>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Begun,
    /// Its attempts are in its transaction.
    Inserted,
    Committed,
}

impl Turn {
    /// The place behind `before`, or the first one.
    #[must_use]
    pub fn behind(before: Option<Predecessor>) -> (Self, Predecessor) {
        let (own, stages) = watch::channel(Stage::Begun);
        (Self { before, own }, Predecessor(stages))
    }

    /// Waits until the batch before has inserted its attempts. Before that, both could wait for a row of the other.
    pub(super) async fn may_insert(&mut self) -> Result<(), StoreError> {
        match &mut self.before {
            None => Ok(()),
            Some(before) => before.reaches(Stage::Inserted).await,
        }
    }

    /// This batch's attempts are inserted. Waits until the batch before is committed.
    pub(super) async fn comes(&mut self) -> Result<(), StoreError> {
        self.own.send_replace(Stage::Inserted);
        match &mut self.before {
            None => Ok(()),
            Some(before) => before.reaches(Stage::Committed).await,
        }
    }

    /// This batch is committed.
    pub(super) fn pass_on(self) {
        self.own.send_replace(Stage::Committed);
    }
}

impl Predecessor {
    /// Returns when it is committed, or given up. It can be asked again.
    pub async fn ends(&mut self) {
        drop(self.reaches(Stage::Committed).await);
    }

    async fn reaches(&mut self, wanted: Stage) -> Result<(), StoreError> {
        match self.0.wait_for(|stage| *stage >= wanted).await {
            Ok(_) => Ok(()),
            Err(_) => Err(StoreError::Moved),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Duration, timeout};

    use super::*;

    const A_MOMENT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_batch_keeps_behind_the_one_before() {
        let (mut first, ahead) = Turn::behind(None);
        let (mut second, _) = Turn::behind(Some(ahead));
        timeout(A_MOMENT, second.may_insert()).await.unwrap_err();
        first.may_insert().await.unwrap();
        first.comes().await.unwrap();
        second.may_insert().await.unwrap();
        timeout(A_MOMENT, second.comes()).await.unwrap_err();
        first.pass_on();
        second.comes().await.unwrap();
    }

    #[tokio::test]
    async fn behind_a_batch_that_was_given_up_nothing_is_written() {
        let (mut first, ahead) = Turn::behind(None);
        let (mut second, _) = Turn::behind(Some(ahead));
        first.comes().await.unwrap();
        second.may_insert().await.unwrap();
        drop(first);
        assert!(matches!(second.comes().await, Err(StoreError::Moved)));
    }
}
