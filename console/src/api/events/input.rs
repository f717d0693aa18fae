//! An event as it is given over HTTP. Its data is a part of the bytes that came, and is never written anew.

use bytes::Bytes;
use hookline_common::event::{CreatedAt, Data, Event};
use hookline_common::ids::{CompanyId, EventId, EventType};
use hookline_common::trace_context::TraceContext;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::problem::Problem;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    #[serde(rename = "type")]
    event_type: EventType,
    #[serde(borrow)]
    data: &'a RawValue,
    id: Option<EventId>,
    #[serde(rename = "createdAt")]
    created_at: Option<String>,
}

/// Reads an event. Nothing of it is parsed into a tree, so data may be nested as deeply as its length allows.
pub(super) fn event(company: &CompanyId, trace: &TraceContext, json: &Bytes) -> Result<Event, Problem> {
    let fields: Fields<'_> =
        serde_json::from_slice(json).map_err(|error| Problem::invalid(format!("the event: {error}")))?;
    if fields.event_type.is_operational() {
        return Err(Problem::invalid(format!(
            "type: {} is an event of Hookline's own, which it publishes itself; give yours another type",
            fields.event_type
        )));
    }
    let data = Data::new(json.slice_ref(fields.data.get().as_bytes()));
    let created_at = match fields.created_at {
        None => CreatedAt::now(),
        Some(text) => CreatedAt::parse(&text).ok_or_else(|| {
            Problem::invalid(
                "createdAt: must be an RFC 3339 time between 1970 and 9999, like 2030-01-15T14:30:00.250Z",
            )
        })?,
    };
    Ok(Event {
        id: fields.id.unwrap_or_default(),
        company: company.clone(),
        event_type: fields.event_type,
        created_at,
        data: data.map_err(|error| Problem::invalid(error.to_string()))?,
        trace: trace.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Event, String> {
        let company = CompanyId::parse("acme").unwrap();
        let event = event(
            &company,
            &TraceContext::default(),
            &Bytes::copy_from_slice(json.as_bytes()),
        );
        event.map_err(|problem| format!("{problem:?}"))
    }

    #[test]
    fn data_keeps_its_bytes() {
        for data in [
            "{ \"b\": 1.0, \"a\": 1e400, \"b\": \"\\u00eb\" }",
            "{\"n\":12345678901234567890,\"z\":-0.0}",
            "{\t\"a\" :\n[ ] }",
        ] {
            let event = read(&format!(" {{\"data\": {data} , \"type\":\"booking.created\"}}\n")).unwrap();
            assert_eq!(event.data.as_str(), data);
            assert!(event.id.as_str().starts_with("evt_"));
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(40_000), "]".repeat(40_000));
        let event = read(&format!("{{\"type\":\"a\",\"data\":{deep}}}"));
        assert_eq!(event.unwrap().data.as_str(), deep);
    }

    #[test]
    fn id_and_time_are_taken_where_they_are_given() {
        let event =
            read(r#"{"type":"a.b","data":{},"id":"mine-1","createdAt":"2030-01-15T16:30:00.25+02:00"}"#);
        let event = event.unwrap();
        assert_eq!(event.id.as_str(), "mine-1");
        assert_eq!(event.created_at.to_string(), "2030-01-15T14:30:00.250Z");
    }

    #[test]
    fn what_is_no_event_is_told() {
        let long = format!(r#"{{"type":"a","data":{{"a":"{}"}}}}"#, "x".repeat(101_888));
        for (json, why) in [
            ("", "EOF"),
            ("[]", "the event"),
            (r#"{"type":"a"}"#, "missing field `data`"),
            (r#"{"data":{}}"#, "missing field `type`"),
            (r#"{"type":"A","data":{}}"#, "an event type must be"),
            (r#"{"type":"endpoint.disabled","data":{}}"#, "Hookline's own"),
            (r#"{"type":"a","data":[]}"#, "one JSON object"),
            (r#"{"type":"a","data":null}"#, "one JSON object"),
            (r#"{"type":"a","data":{},"data":{}}"#, "duplicate field"),
            (r#"{"type":"a","data":{},"id":"a.b"}"#, "an event id must be"),
            (r#"{"type":"a","data":{},"createdAt":"yesterday"}"#, "RFC 3339"),
            (
                r#"{"type":"a","data":{},"createdat":""}"#,
                "unknown field `createdat`",
            ),
            (
                r#"{"type":"a","data":{},"company":"globex"}"#,
                "unknown field `company`",
            ),
            (r#"{"type":"a","data":{}} {}"#, "trailing characters"),
            (long.as_str(), "at most 101888 are allowed"),
        ] {
            let told = read(json).unwrap_err();
            assert!(told.contains(why), "{json}: {told}");
        }
    }
}
