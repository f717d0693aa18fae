//! A delivery as the log has it, and its attempts.

use hookline_common::ids::{EndpointId, EventId, EventType};
use hookline_common::outcome::Outcome;
use jiff::Timestamp;

/// How far a delivery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryStatus {
    /// The endpoint took it.
    Delivered,
    /// The last attempt failed, and another one is planned.
    Retrying,
    /// It failed for good.
    Failed,
    /// Nobody wants it any more: its endpoint is gone, or a person discarded it.
    Discarded,
}

impl DeliveryStatus {
    /// Every status, in the order of a delivery's life.
    pub const ALL: [Self; 4] = [Self::Delivered, Self::Retrying, Self::Failed, Self::Discarded];

    /// The name in the database and in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retrying => "retrying",
            Self::Failed => "failed",
            Self::Discarded => "discarded",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// One event at one endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedDelivery {
    /// The event.
    pub event: EventId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The event's type.
    pub event_type: EventType,
    /// Why the delivery exists, as it was recorded: the name of a [`hookline_common::delivery::Origin`].
    pub origin: String,
    /// How far it has come.
    pub status: DeliveryStatus,
    /// Attempts so far, those of earlier rounds included.
    pub attempts: u32,
    /// How the last attempt ended; none where nothing was attempted.
    pub last_outcome: Option<Outcome>,
    /// The HTTP status of the last attempt, if there was one.
    pub last_status: Option<u16>,
    /// What went wrong with it.
    pub last_error: Option<String>,
    /// When the first attempt began, or when it failed without any.
    pub created_at: Timestamp,
    /// When the last attempt began.
    pub last_attempt_at: Option<Timestamp>,
    /// When the next one is due, if one is planned.
    pub next_attempt_at: Option<Timestamp>,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedAttempt {
    /// Its own id.
    pub id: String,
    /// Which one of its round: 1 for the first.
    pub attempt: u32,
    /// Why it was made, likewise.
    pub origin: String,
    /// Where it was sent, without what is secret of the URL; empty where the endpoint was gone.
    pub url: String,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// What went wrong.
    pub error: Option<String>,
    /// The beginning of the response's body.
    pub response: Option<String>,
    /// When the next one was planned for, if one was.
    pub next_attempt_at: Option<Timestamp>,
    /// Whether it was the last of its round.
    pub is_final: bool,
    /// The trace that it belongs to.
    pub trace_id: Option<String>,
    /// What was sent, as a JSON object: without signatures, and without the values of the endpoint's own headers.
    pub request_headers: String,
    /// What came back, as a JSON object.
    pub response_headers: String,
}

/// A delivery with its attempts, the oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryDetail {
    /// The delivery.
    pub delivery: LoggedDelivery,
    /// Its attempts that are kept, the last [`DeliveryDetail::MAX_ATTEMPTS`] at most.
    pub attempts: Vec<LoggedAttempt>,
}

impl DeliveryDetail {
    /// Attempts of one delivery that are read: those of the last fifty rounds of the usual schedule.
    pub const MAX_ATTEMPTS: u32 = 200;
}
