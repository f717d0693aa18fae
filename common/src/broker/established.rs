//! One life of a connection, shared by all that use it: whoever finds it of no use says so, and why.

use std::time::Duration;

use lapin::Connection;
use tokio::sync::watch;

use super::connect::Opened;
use super::error::BrokerError;
use super::hang_up::close_and_hang_up;
use super::heard::Heard;
use super::loss::Loss;

/// What a link makes of each new connection before anyone uses it.
pub(super) trait Prepare: Send + Sync + 'static {
    /// What it makes.
    type Ready: Send + Sync + 'static;

    /// Makes it; a final error ends the link.
    fn prepare(&self, opened: &Opened) -> impl Future<Output = Result<Self::Ready, BrokerError>> + Send;

    /// Looks after it for as long as the connection lives, and ends with it.
    fn attend(&self, _: &Established<Self::Ready>) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
}

/// One life of a connection.
pub(super) struct Established<T> {
    /// Counts the lives; what belonged to an earlier one is void.
    pub(super) generation: u64,
    pub(super) connection: Connection,
    pub(super) heard: Heard,
    pub(super) ready: T,
    /// Whether the life before ended with bytes that the client library cannot read. It ends the connection for any
    /// property that is not UTF-8, and would again and again with everything that was in flight beside it.
    pub(super) is_careful: bool,
    /// What ended it, once it is over. The first to say so is right: others only see what follows.
    end: watch::Sender<Option<Loss>>,
    /// Why the broker takes no messages, while it takes none.
    alarm: watch::Sender<Option<String>>,
}

impl<T> Established<T> {
    pub(super) fn new(
        generation: u64,
        connection: Connection,
        heard: Heard,
        ready: T,
        is_careful: bool,
    ) -> Self {
        Self {
            generation,
            connection,
            heard,
            ready,
            is_careful,
            end: watch::Sender::new(None),
            alarm: watch::Sender::new(None),
        }
    }

    /// Says that the connection is of no use any more, and why, so that the link makes a new one.
    pub(super) fn give_up(&self, why: impl Into<String>) {
        self.give_up_after(Loss::because(why));
    }

    /// As [`Self::give_up`], after an error that may say more.
    pub(super) fn give_up_after(&self, loss: Loss) {
        self.end.send_if_modified(|end| {
            let is_first = end.is_none();
            end.get_or_insert(loss);
            is_first
        });
    }

    pub(super) fn is_gone(&self) -> bool {
        self.end.borrow().is_some()
    }

    /// Returns when this life is over: what ended it.
    pub(super) async fn ended(&self) -> Loss {
        let mut end = self.end.subscribe();
        // The sender is a field of ours, so waiting cannot fail.
        let ended = end.wait_for(Option::is_some).await;
        let loss = ended.ok().and_then(|end| end.clone());
        loss.unwrap_or_else(|| Loss::because("it ended"))
    }

    /// Returns when the broker says nothing any more, not even that it is there.
    pub(super) async fn falls_silent(&self) {
        let seconds = self.connection.configuration().heartbeat();
        self.heard.falls_silent(Duration::from_secs(seconds.into())).await;
    }

    /// Says goodbye, and hangs up whether it is answered or not.
    pub(super) async fn close(&self) {
        // The answer stands behind what nobody takes out any more.
        self.heard.unread.unbound();
        close_and_hang_up(&self.connection, &self.heard.hang_up).await;
    }

    /// The error of what was being done when this life ended.
    pub(super) async fn lost(&self, what: &'static str) -> BrokerError {
        let why = self.ended().await.why;
        BrokerError::Lost { what, why }
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// The broker takes no messages, for this reason; or takes them again.
    pub(super) fn set_alarm(&self, reason: Option<String>) {
        self.alarm.send_replace(reason);
    }

    /// Why the broker takes no messages, if it takes none.
    pub(super) fn alarm(&self) -> Option<String> {
        self.alarm.borrow().clone()
    }

    /// Returns when the broker takes messages, or this life is over.
    pub(super) async fn without_alarm(&self) {
        if self.alarm.borrow().is_none() {
            return;
        }
        let mut alarm = self.alarm.subscribe();
        tokio::select! {
            _ = alarm.wait_for(Option::is_none) => {}
            _ = self.ended() => {}
        }
    }
}
