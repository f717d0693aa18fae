//! What a receiver does with a request: answer, sooner or later, or not at all.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

/// What a receiver does with a request.
#[derive(Debug, Clone)]
pub struct Answer {
    pub(crate) after: Duration,
    pub(crate) gate: Option<watch::Receiver<bool>>,
    pub(crate) what: What,
}

/// Holds answers back until it is opened. Open for good once it is dropped.
pub struct Gate(watch::Sender<bool>);

impl Gate {
    /// A closed one.
    #[must_use]
    pub fn closed() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Lets every answer out.
    pub fn open(&self) {
        self.0.send_replace(true);
    }
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    Status(u16, Vec<(&'static str, String)>, Bytes),
    Hang,
    Close,
}

/// Answers with this status and no body.
#[must_use]
pub fn status(status: u16) -> Answer {
    Answer {
        after: Duration::ZERO,
        gate: None,
        what: What::Status(status, Vec::new(), Bytes::new()),
    }
}

impl Answer {
    /// Never answers.
    #[must_use]
    pub fn hang() -> Self {
        Self {
            after: Duration::ZERO,
            gate: None,
            what: What::Hang,
        }
    }

    /// Closes the connection instead of answering.
    #[must_use]
    pub fn close() -> Self {
        Self {
            after: Duration::ZERO,
            gate: None,
            what: What::Close,
        }
    }

    /// The same, later.
    #[must_use]
    pub fn after(mut self, after: Duration) -> Self {
        self.after = after;
        self
    }

    /// The same, once `gate` is open.
    #[must_use]
    pub fn behind(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.0.subscribe());
        self
    }

    /// The same with a header more.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let What::Status(_, headers, _) = &mut self.what {
            headers.push((name, value.into()));
        }
        self
    }

    /// The same with a body.
    #[must_use]
    pub fn body(mut self, text: impl Into<Bytes>) -> Self {
        if let What::Status(_, _, body) = &mut self.what {
            *body = text.into();
        }
        self
    }
}
