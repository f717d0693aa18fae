//! Why a message cannot be understood.

use super::found::Found;
use crate::event::InvalidData;
use crate::headers::Extent;
use crate::ids::EventType;

/// Why a message cannot be understood: what was found, and what must stand there. The name goes into the `rejected-reason`
/// header, the sentence into `rejected-detail`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The headers take too much room.
    #[error(
        "headers are {bytes} bytes, most of them in {largest}; at most {} are allowed",
        Extent::MAX_BYTES
    )]
    HeadersTooLarge {
        /// All of them.
        bytes: usize,
        /// The name of the largest.
        largest: String,
    },
    /// Headers were not read to their end: even without long values they are longer than a frame that we take, or they do not add up.
    #[error(
        "headers could not be read to their end: they are too long or too many, or do not add up; at most {} bytes are allowed",
        Extent::MAX_BYTES
    )]
    HeadersUnread,
    /// There are too many values within the headers.
    #[error("headers hold {0} values, those in arrays and tables included; at most {max} are allowed", max = Extent::MAX_VALUES)]
    TooManyValues(usize),
    /// There are too many headers.
    #[error("there are {0} headers; at most {max} are allowed", max = Extent::MAX_ENTRIES)]
    TooManyHeaders(usize),
    /// A header, of this name, has too many arrays and tables inside one another.
    #[error("header {0} is nested more than {max} deep", max = Extent::MAX_DEPTH)]
    HeadersTooDeep(String),
    /// The `content_type` is there and is not JSON.
    #[error("content_type {0}; it must be application/json, text/json or application/*+json")]
    ContentType(Found),
    /// The body is compressed or otherwise encoded.
    #[error("content_encoding {0}; it must be absent, or utf-8: the body is plain JSON")]
    ContentEncoding(Found),
    /// No `message_id`, or not an event id.
    #[error("message_id {0}; it must be 1 to 64 characters of A-Z a-z 0-9 _ -")]
    MessageId(Found),
    /// No `type`, or not an event type.
    #[error("type {found}; it must be lower-case words of a-z 0-9 _ joined by dots, at most 128 characters{}", or_rather(.suggestion.as_ref()))]
    Type {
        /// What stands there.
        found: Found,
        /// What seems to be meant.
        suggestion: Option<EventType>,
    },
    /// No `timestamp`, or beyond the year 9999.
    #[error("timestamp {0}; it must be seconds since the epoch, before the year 10000")]
    Timestamp(Found),
    /// A `created-at` that is not RFC 3339.
    #[error("created-at {0}; it must be an RFC 3339 time like 2024-01-15T14:30:00.250Z, from 1970 on")]
    CreatedAt(Found),
    /// No `company`, or not a company id.
    #[error("company {0}; it must be 1 to 64 characters of A-Z a-z 0-9 _ . - (and not . or ..)")]
    Company(Found),
    /// An `endpoint` that is not an endpoint id.
    #[error("endpoint {0}; it must be 1 to 64 characters of A-Z a-z 0-9 _ . - (and not . or ..)")]
    Endpoint(Found),
    /// No `attempt` beside an `endpoint`, or not an integer from 1 to 1000.
    #[error("attempt {0}; it must be an integer from 1 to 1000")]
    Attempt(Found),
    /// No `origin` beside an `endpoint`, or not `event`, `test` or `manual`.
    #[error("origin {0}; it must be event, test or manual")]
    Origin(Found),
    /// A `parked` that is not a count.
    #[error("parked {0}; it must be an integer from 0 to 4294967295")]
    Parked(Found),
    /// The body is not an event's data.
    #[error(transparent)]
    Data(#[from] InvalidData),
    /// A dead letter that does not say when it failed, or why.
    #[error(
        "failed-at {failed_at}, reason {reason}; a dead letter must have an RFC 3339 time, and retries_exhausted or endpoint_disabled"
    )]
    DeadLetter {
        /// What stands in `failed-at`.
        failed_at: Found,
        /// What stands in `reason`.
        reason: Found,
    },
    /// The database refuses a dead letter because of what it holds.
    #[error("the database does not take it as a dead letter: {0}")]
    NotFiled(String),
    /// The consumer crashed so often while it handled this message alone.
    #[error("its consumer crashed {0} times while it handled this message and no other")]
    CrashesConsumer(u32),
}

fn or_rather(suggestion: Option<&EventType>) -> String {
    let Some(spelled) = suggestion else {
        return String::new();
    };
    match spelled.with_dot() {
        Some(with_dot) => format!(". Write {with_dot} or {spelled}"),
        None => format!(". Write {spelled}"),
    }
}

impl Rejection {
    /// Every name that [`Rejection::name`] has.
    pub const NAMES: [&str; 21] = [
        "headers_too_large",
        "headers_too_deep",
        "bad_content_type",
        "bad_content_encoding",
        "bad_message_id",
        "bad_type",
        "bad_timestamp",
        "bad_created_at",
        "bad_company",
        "bad_endpoint",
        "bad_attempt",
        "bad_origin",
        "bad_parked",
        "data_too_long",
        "data_not_utf8",
        "data_has_bom",
        "data_not_json",
        "data_not_an_object",
        "bad_dead_letter",
        "not_filed",
        "crashes_consumer",
    ];

    /// The stable name, for the `rejected-reason` header and for metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::HeadersTooLarge { .. }
            | Self::HeadersUnread
            | Self::TooManyValues(_)
            | Self::TooManyHeaders(_) => "headers_too_large",
            Self::HeadersTooDeep(_) => "headers_too_deep",
            Self::ContentType(_) => "bad_content_type",
            Self::ContentEncoding(_) => "bad_content_encoding",
            Self::MessageId(_) => "bad_message_id",
            Self::Type { .. } => "bad_type",
            Self::Timestamp(_) => "bad_timestamp",
            Self::CreatedAt(_) => "bad_created_at",
            Self::Company(_) => "bad_company",
            Self::Endpoint(_) => "bad_endpoint",
            Self::Attempt(_) => "bad_attempt",
            Self::Origin(_) => "bad_origin",
            Self::Parked(_) => "bad_parked",
            Self::Data(InvalidData::TooLong { .. }) => "data_too_long",
            Self::Data(InvalidData::NotUtf8) => "data_not_utf8",
            Self::Data(InvalidData::ByteOrderMark) => "data_has_bom",
            Self::Data(InvalidData::NotJson(_)) => "data_not_json",
            Self::Data(InvalidData::NotAnObject) => "data_not_an_object",
            Self::DeadLetter { .. } => "bad_dead_letter",
            Self::NotFiled(_) => "not_filed",
            Self::CrashesConsumer(_) => "crashes_consumer",
        }
    }
}
