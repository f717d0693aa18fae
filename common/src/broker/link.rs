//! A connection that comes back, as those see it who use it: there is one, or there will be, or there is none for good.

use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

use super::connect::LinkSettings;
use super::error::BrokerError;
use super::established::{Established, Prepare};
use super::supervise::{State, supervise};

/// Why there is no connection to be had.
#[derive(Debug)]
pub(super) enum NoLink {
    /// The deadline passed; with the last failure, if one was seen.
    Late(Option<Arc<BrokerError>>),
    /// Trying again is of no use.
    Final(Arc<BrokerError>),
}

/// A connection that comes back. Dropping every clone closes it.
pub(super) struct Link<T> {
    state: watch::Receiver<State<T>>,
    stop: Arc<Notify>,
}

impl<T> Clone for Link<T> {
    fn clone(&self) -> Self {
        Self {
            state: self.state.clone(),
            stop: Arc::clone(&self.stop),
        }
    }
}

impl<T: Send + Sync + 'static> Link<T> {
    /// Starts to connect, and goes on for as long as somebody holds the link.
    pub(super) fn start(settings: LinkSettings, prepare: impl Prepare<Ready = T>) -> Self {
        let (sender, state) = watch::channel(State::Down {
            failures: 0,
            last: None,
        });
        let stop = Arc::new(Notify::new());
        tokio::spawn(supervise(settings, prepare, sender, Arc::clone(&stop)));
        Self { state, stop }
    }

    /// Closes the connection for good, politely, and returns when that is done: at once where there is none yet.
    pub(super) async fn close(&self) {
        self.stop.notify_one();
        // The supervisor's last act is to drop its end of the state.
        drop(self.state.clone().wait_for(|_| false).await);
    }

    pub(super) fn is_up(&self) -> bool {
        self.established().is_some()
    }

    /// The connection that stands, if one does.
    pub(super) fn established(&self) -> Option<Arc<Established<T>>> {
        match &*self.state.borrow() {
            State::Up(established) if !established.is_gone() => Some(Arc::clone(established)),
            State::Up(_) | State::Down { .. } | State::Final(_) => None,
        }
    }

    /// The connection, as soon as there is one.
    pub(super) async fn up(&self, deadline: Option<Instant>) -> Result<Arc<Established<T>>, NoLink> {
        self.wait(deadline, u32::MAX).await
    }

    /// The connection, or the failure of the first try: for commands, whose user would rather know at once.
    pub(super) async fn up_at_first_try(&self) -> Result<Arc<Established<T>>, NoLink> {
        self.wait(None, 1).await
    }

    /// Returns when trying again is of no use: with what is to be mended.
    pub(super) async fn broken(&self) -> Arc<BrokerError> {
        let mut state = self.state.clone();
        let mut error = None;
        let is_final = |state: &State<T>| {
            error = if let State::Final(error) = state {
                Some(Arc::clone(error))
            } else {
                None
            };
            error.is_some()
        };
        drop(state.wait_for(is_final).await);
        match error {
            Some(error) => error,
            // The supervisor ended with its runtime; nobody is left to tell.
            None => std::future::pending().await,
        }
    }

    async fn wait(
        &self,
        deadline: Option<Instant>,
        max_failures: u32,
    ) -> Result<Arc<Established<T>>, NoLink> {
        let mut state = self.state.clone();
        let mut decided = None;
        let wait = state.wait_for(|state| {
            decided = match state {
                State::Up(established) if !established.is_gone() => Some(Ok(Arc::clone(established))),
                State::Final(error) => Some(Err(NoLink::Final(Arc::clone(error)))),
                State::Down { failures, last } if *failures >= max_failures => {
                    Some(Err(NoLink::Late(last.clone())))
                }
                State::Up(_) | State::Down { .. } => None,
            };
            decided.is_some()
        });
        // Without an answer the deadline passed, or the supervisor ended with the runtime that carried it.
        let _timed_out = match deadline {
            Some(deadline) => timeout_at(deadline, wait).await.is_err(),
            None => wait.await.is_err(),
        };
        decided.unwrap_or_else(|| Err(NoLink::Late(self.last_failure())))
    }

    /// Why there is no connection, where that is known.
    pub(super) fn last_failure(&self) -> Option<Arc<BrokerError>> {
        match &*self.state.borrow() {
            State::Down { last, .. } => last.clone(),
            State::Final(error) => Some(Arc::clone(error)),
            State::Up(_) => None,
        }
    }
}
