//! An event: what happened, to whom, when, and the bytes that describe it.

mod created_at; // when it happened
mod data; // the bytes that tell it

use bytes::Bytes;
use serde::Serialize;

pub use self::created_at::CreatedAt;
pub use self::data::{Data, InvalidData};
use crate::ids::{CompanyId, EventId, EventType, InvalidId};
use crate::trace_context::TraceContext;

/// What happened once at a booking service, and is delivered to every endpoint that its company registered for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The same on every attempt, on every endpoint; receivers recognise duplicates by it.
    pub id: EventId,
    /// The tenant.
    pub company: CompanyId,
    /// What kind of thing happened.
    pub event_type: EventType,
    /// When it happened.
    pub created_at: CreatedAt,
    /// What the receiver is told, passed on byte for byte.
    pub data: Data,
    /// Where the publisher's trace stands, if it has one.
    pub trace: TraceContext,
}

impl Event {
    /// An event that happens now, with a new id.
    ///
    /// The id is made here and only here, so publishing the same `Event` again repeats it.
    ///
    /// # Errors
    /// [`InvalidEvent`] names the part that breaks a rule, and the rule.
    pub fn new(company: &str, event_type: &str, data: impl Into<Bytes>) -> Result<Self, InvalidEvent> {
        Ok(Self {
            id: EventId::new(),
            company: CompanyId::parse(company)?,
            event_type: EventType::parse(event_type)?,
            created_at: CreatedAt::now(),
            data: Data::new(data)?,
            trace: TraceContext::default(),
        })
    }

    /// An event whose data is `value` as `serde_json` writes it.
    ///
    /// # Errors
    /// As [`Event::new`], and when `value` does not serialise to a JSON object.
    pub fn with_json(company: &str, event_type: &str, value: &impl Serialize) -> Result<Self, InvalidEvent> {
        let data = serde_json::to_vec(value).map_err(|fault| InvalidData::NotJson(fault.to_string()))?;
        Self::new(company, event_type, data)
    }
}

/// Why something is not an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEvent {
    /// An id, a company or a type has characters or a length that are not allowed.
    #[error(transparent)]
    Id(#[from] InvalidId),
    /// The data is not what a receiver may be sent.
    #[error(transparent)]
    Data(#[from] InvalidData),
}
