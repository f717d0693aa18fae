//! A record as it is written.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Serialize;

use super::{millis, optional_millis};
use crate::ids::{CompanyId, EndpointId, EventId, EventType};
use crate::json_text;
use crate::outcome::Outcome;

/// A record that is about to be written, borrowed from what it tells of: the same line as [`super::AttemptRecord`], without a copy of
/// its parts.
#[derive(Debug, Serialize)]
pub struct RecordLine<'a> {
    /// As [`super::AttemptRecord::id`].
    pub id: &'a str,
    /// As [`super::AttemptRecord::event`].
    pub event: &'a EventId,
    /// As [`super::AttemptRecord::event_type`].
    #[serde(rename = "type")]
    pub event_type: &'a EventType,
    /// As [`super::AttemptRecord::company`].
    pub company: &'a CompanyId,
    /// As [`super::AttemptRecord::endpoint`].
    pub endpoint: &'a EndpointId,
    /// As [`super::AttemptRecord::url`].
    pub url: &'a str,
    /// As [`super::AttemptRecord::origin`].
    pub origin: &'static str,
    /// As [`super::AttemptRecord::attempt`].
    pub attempt: u16,
    /// As [`super::AttemptRecord::started_at`].
    #[serde(with = "millis")]
    pub started_at: Timestamp,
    /// As [`super::AttemptRecord::duration_ms`].
    pub duration_ms: u64,
    /// As [`super::AttemptRecord::outcome`].
    pub outcome: Outcome,
    /// As [`super::AttemptRecord::status`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// As [`super::AttemptRecord::error`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'a str>,
    /// As [`super::AttemptRecord::response`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Cow<'a, str>>,
    /// As [`super::AttemptRecord::next_attempt_at`].
    #[serde(with = "optional_millis", skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// As [`super::AttemptRecord::is_final`].
    #[serde(rename = "final")]
    pub is_final: bool,
    /// As [`super::AttemptRecord::trace_id`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<&'a str>,
    /// As [`super::AttemptRecord::request_headers`].
    pub request_headers: HeaderList<'a>,
    /// As [`super::AttemptRecord::response_headers`].
    pub response_headers: HeaderList<'a>,
    /// As [`super::AttemptRecord::created_at`].
    #[serde(with = "optional_millis", skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// As [`super::AttemptRecord::data`]. Written by [`RecordLine::to_bytes`], as the last member.
    #[serde(skip)]
    pub data: Option<&'a str>,
}

/// Why a record cannot be written.
pub use serde_json::Error as UnwritableRecord;

/// Names and values, each name once. In a record they are an object.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct HeaderList<'a>(pub Vec<(&'a str, Cow<'a, str>)>);

impl Serialize for HeaderList<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl RecordLine<'_> {
    /// The record as a line of a batch, without the line break.
    ///
    /// # Errors
    /// Only when it cannot be serialised, which no record of ours does.
    pub fn to_bytes(&self) -> Result<Vec<u8>, UnwritableRecord> {
        /// What a record takes beside its data.
        const USUAL: usize = 1024;
        let mut line = Vec::with_capacity(USUAL + self.data.map_or(0, |data| data.len() * 9 / 8));
        serde_json::to_writer(&mut line, self)?;
        if let Some(data) = self.data {
            // In place of the closing brace.
            line.pop();
            line.extend_from_slice(b",\"data\":\"");
            json_text::escape_into(&mut line, data);
            line.extend_from_slice(b"\"}");
        }
        Ok(line)
    }
}
