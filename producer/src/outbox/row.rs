//! A row is an event, or it is not, and then for a reason that a person can mend.

use hookline_common::event::{CreatedAt, Data, Event, InvalidData};
use hookline_common::ids::{CompanyId, EventId, EventType};
use hookline_common::trace_context::TraceContext;

/// A row of the outbox as it was read.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub(super) position: i64,
    pub(super) company: String,
    pub(super) event_id: String,
    pub(super) event_type: String,
    /// RFC 3339 in UTC.
    pub(super) created_at: String,
    /// Not read where it is longer than any event's.
    pub(super) data: Option<String>,
    pub(super) bytes: i32,
    pub(super) traceparent: Option<String>,
    pub(super) tracestate: Option<String>,
}

impl Row {
    /// The event, or why it is none.
    pub(super) fn event(&self) -> Result<Event, String> {
        let told = |column: &str, error: &dyn std::fmt::Display| format!("{column}: {error}");
        let data = match &self.data {
            Some(data) => Data::new(data.clone()),
            None => Err(InvalidData::TooLong {
                bytes: usize::try_from(self.bytes).unwrap_or_default(),
            }),
        };
        Ok(Event {
            id: EventId::parse(&self.event_id).map_err(|error| told("event_id", &error))?,
            company: CompanyId::parse(&self.company).map_err(|error| told("company", &error))?,
            event_type: EventType::parse(&self.event_type).map_err(|error| told("type", &error))?,
            created_at: CreatedAt::parse(&self.created_at)
                .ok_or_else(|| format!("created_at: {:?} is not between 1970 and 9999", self.created_at))?,
            data: data.map_err(|error| told("data", &error))?,
            trace: TraceContext::from_headers(self.traceparent.as_deref(), self.tracestate.as_deref()),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn row() -> Row {
        let data = r#"{ "a": 1.0 }"#;
        Row {
            position: 7,
            company: "acme".into(),
            event_id: "evt_1".into(),
            event_type: "booking.created".into(),
            created_at: "2024-01-15T14:30:00.250Z".into(),
            data: Some(data.into()),
            bytes: 12,
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
            tracestate: None,
        }
    }

    #[test]
    fn a_sound_row_is_the_event_that_was_enqueued() {
        let event = row().event().unwrap();
        assert_eq!(event.id.as_str(), "evt_1");
        assert_eq!(event.company.as_str(), "acme");
        assert_eq!(event.event_type.as_str(), "booking.created");
        assert_eq!(event.created_at.to_millis_text(), "2024-01-15T14:30:00.250Z");
        assert_eq!(event.data.as_str(), r#"{ "a": 1.0 }"#);
        assert_eq!(event.trace.trace_id(), Some("0af7651916cd43dd8448eb211c80319c"));
    }

    #[test]
    fn what_is_no_event_names_its_column_and_a_bad_trace_is_no_fault() {
        let reason = |change: fn(&mut Row)| {
            let mut row = row();
            change(&mut row);
            row.event().unwrap_err()
        };
        assert!(reason(|row| row.company = "a b".into()).starts_with("company: "));
        assert!(reason(|row| row.event_id = "a.b".into()).starts_with("event_id: "));
        assert!(reason(|row| row.event_type = "Booking".into()).starts_with("type: "));
        assert!(reason(|row| row.created_at = "1969-12-31T00:00:00.000Z".into()).starts_with("created_at: "));
        assert!(reason(|row| row.data = Some("[]".into())).starts_with("data: "));
        let too_long = reason(|row| (row.data, row.bytes) = (None, 101_889));
        assert!(too_long.contains("101889 bytes"), "{too_long}");
        let mut row = row();
        row.traceparent = Some("x".into());
        assert!(row.event().unwrap().trace.is_empty());
    }
}
