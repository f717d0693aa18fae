//! What the log keeps of an attempt, and the batches in which it goes to the stream.

mod batch; // many records in one message
mod line; // one as it is written
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::batch::Batch;
pub use self::line::{HeaderList, RecordLine, UnwritableRecord};
use crate::ids::{CompanyId, EndpointId, EventId, EventType};
use crate::outcome::Outcome;

/// What became of one attempt. Times are RFC 3339 UTC with milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// The attempt's own id, a `UUIDv7`: a batch that is sent twice is stored once.
    pub id: String,
    /// The event.
    pub event: EventId,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// The tenant.
    pub company: CompanyId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Where it was sent; empty where the endpoint is gone.
    pub url: String,
    /// `event`, `test` or `manual`.
    pub origin: String,
    /// Which attempt: 1 for the first.
    pub attempt: u16,
    /// When it began.
    #[serde(with = "millis")]
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// The HTTP status, if there was one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<u16>,
    /// What went wrong, for people.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// The beginning of the response's body, as lossy UTF-8.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub response: Option<String>,
    /// When the next attempt is due, if one is planned.
    #[serde(with = "optional_millis", skip_serializing_if = "Option::is_none", default)]
    pub next_attempt_at: Option<Timestamp>,
    /// Whether this is the delivery's last word.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// The trace that the attempt belongs to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trace_id: Option<String>,
    /// What was sent, without signatures and without the values of the endpoint's own headers.
    pub request_headers: BTreeMap<String, String>,
    /// What came back, capped.
    pub response_headers: BTreeMap<String, String>,
    /// When the event happened, where its data is kept.
    #[serde(with = "optional_millis", skip_serializing_if = "Option::is_none", default)]
    pub created_at: Option<Timestamp>,
    /// The event's data as the text that was published, where payloads are kept.
    ///
    /// A string and not an object: only so do the bytes survive, inner line breaks included.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub data: Option<String>,
}

impl AttemptRecord {
    /// Bytes of a response's body that a record keeps.
    pub const RESPONSE_BYTES: usize = 1024;
}

/// RFC 3339 UTC with milliseconds.
mod millis {
    use jiff::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{at:.3}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

/// The same, or nothing.
mod optional_millis {
    use jiff::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => super::millis::serialize(at, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom))
            .transpose()
    }
}
