//! Why a message cannot be understood.

use crate::event::InvalidData;

/// Why a message cannot be understood. The name goes into the `rejected-reason` header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The `content_type` is there and is not JSON.
    #[error("content_type is not application/json")]
    ContentType,
    /// The body is compressed or otherwise encoded.
    #[error("content_encoding is set; the body must be plain JSON")]
    ContentEncoding,
    /// No `message_id`, or not an event id.
    #[error("message_id is missing or not 1 to 64 characters of A-Z a-z 0-9 _ -")]
    MessageId,
    /// No `type`, or not an event type.
    #[error("type is missing or not lower-case words joined by dots, at most 128 characters")]
    Type,
    /// No `timestamp`, or beyond the year 9999.
    #[error("timestamp is missing or not seconds since the epoch before the year 10000")]
    Timestamp,
    /// A `created-at` that is not RFC 3339 in UTC.
    #[error("created-at is not an RFC 3339 time in UTC")]
    CreatedAt,
    /// No `company`, or not a company id.
    #[error("company is missing or not 1 to 64 characters of A-Z a-z 0-9 _ . -")]
    Company,
    /// An `endpoint` that is not an endpoint id.
    #[error("endpoint is not 1 to 64 characters of A-Z a-z 0-9 _ . -")]
    Endpoint,
    /// No `attempt` beside an `endpoint`, or not an integer from 1 to 1000.
    #[error("attempt is missing or not an integer from 1 to 1000")]
    Attempt,
    /// No `origin` beside an `endpoint`, or not `event`, `test` or `manual`.
    #[error("origin is missing or not event, test or manual")]
    Origin,
    /// A `parked` that is not a count.
    #[error("parked is not an integer from 0 up")]
    Parked,
    /// The body is not an event's data.
    #[error(transparent)]
    Data(#[from] InvalidData),
    /// The consumer crashed so often while it handled this message alone.
    #[error("its consumer crashed {0} times while it handled this message and no other")]
    CrashesConsumer(u32),
}

impl Rejection {
    /// The stable name, for the `rejected-reason` header and for metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ContentType => "bad_content_type",
            Self::ContentEncoding => "bad_content_encoding",
            Self::MessageId => "bad_message_id",
            Self::Type => "bad_type",
            Self::Timestamp => "bad_timestamp",
            Self::CreatedAt => "bad_created_at",
            Self::Company => "bad_company",
            Self::Endpoint => "bad_endpoint",
            Self::Attempt => "bad_attempt",
            Self::Origin => "bad_origin",
            Self::Parked => "bad_parked",
            Self::Data(InvalidData::TooLong { .. }) => "data_too_long",
            Self::Data(InvalidData::NotUtf8) => "data_not_utf8",
            Self::Data(InvalidData::ByteOrderMark) => "data_has_bom",
            Self::Data(InvalidData::NotJson(_)) => "data_not_json",
            Self::Data(InvalidData::NotAnObject) => "data_not_an_object",
            Self::CrashesConsumer(_) => "crashes_consumer",
        }
    }
}
