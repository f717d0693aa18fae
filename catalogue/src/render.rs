//! A type as a receiver meets it: the request of its sample in one format, with the headers and signatures that Hookline
//! sends. Everything in it is fixed, so that the same type looks the same each time.

use bytes::Bytes;
use hookline_common::endpoint::Format;
use hookline_common::envelope;
use hookline_common::event::{CreatedAt, Event, InvalidEvent};
use hookline_common::ids::{CompanyId, EventId};
use hookline_common::secret::{InvalidSecret, Secret};
use hookline_common::signature::SigningKeys;
use hookline_common::trace_context::TraceContext;
use serde::Serialize;

use crate::info::EventTypeInfo;

/// The id of the event in every example.
pub const EXAMPLE_ID: &str = "evt_018d0d6e5a407c3e9c5d6f7081a2b3c4";
/// When it happened and was sent, in seconds since the epoch: 2024-01-15T14:30:00Z.
pub const EXAMPLE_TIME: u64 = 1_705_329_000;
/// What every example is signed with, so that its signatures can be verified. It is public: nobody may use it.
pub const EXAMPLE_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// An example of the request that an endpoint gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExampleRequest {
    /// Always `POST`.
    pub method: &'static str,
    /// Names and values, in the order in which they are read best. Those of the endpoint's own come with it, and `Host` and
    /// `Content-Length`.
    pub headers: Vec<(&'static str, String)>,
    /// The raw body: what is signed, byte for byte.
    pub body: String,
}

/// A type with its example in one format, as the API answers it: the members of [`EventTypeInfo`], and `format`,
/// `format_name`, `request` and `signed_with`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RenderedType<'a> {
    /// The type.
    #[serde(flatten)]
    pub info: &'a EventTypeInfo,
    /// The format's name.
    pub format: &'static str,
    /// What the format calls the type.
    pub format_name: String,
    /// What a receiver gets.
    pub request: ExampleRequest,
    /// The secret of the example's signatures.
    pub signed_with: &'static str,
}

/// Why a type cannot be rendered. No type of a catalogue has such a fault; it is here so that nobody has to panic.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The sample or one of the example's constants is not what an event may have.
    #[error("the example is no event: {0}; report this")]
    Event(#[from] InvalidEvent),
    /// The example's secret is none.
    #[error("the example cannot be signed: {0}; report this")]
    Secret(#[from] InvalidSecret),
}

impl EventTypeInfo {
    /// This type in `format`.
    ///
    /// # Errors
    /// [`RenderError`], never of a type that came out of a catalogue.
    pub fn rendered(&self, format: Format) -> Result<RenderedType<'_>, RenderError> {
        Ok(RenderedType {
            info: self,
            format: format.as_str(),
            format_name: self.name_in(format),
            request: request(self, format)?,
            signed_with: EXAMPLE_SECRET,
        })
    }
}

fn request(info: &EventTypeInfo, format: Format) -> Result<ExampleRequest, RenderError> {
    let event = Event {
        id: EventId::parse(EXAMPLE_ID).map_err(InvalidEvent::from)?,
        company: CompanyId::parse("acme").map_err(InvalidEvent::from)?,
        event_type: info.name.clone(),
        created_at: CreatedAt::from_seconds(EXAMPLE_TIME).unwrap_or_else(CreatedAt::now),
        data: info.sample_data().map_err(InvalidEvent::from)?,
        trace: TraceContext::default(),
    };
    let body = envelope::body(format, &event);
    Ok(ExampleRequest {
        method: "POST",
        headers: headers(&event.id, format, &body)?,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

/// As the dispatcher sets them on a first attempt; a scenario holds the two together.
fn headers(id: &EventId, format: Format, body: &Bytes) -> Result<Vec<(&'static str, String)>, InvalidSecret> {
    let keys = SigningKeys::new(&Secret::parse(EXAMPLE_SECRET)?, None);
    let timestamp = i64::try_from(EXAMPLE_TIME).unwrap_or_default();
    let meeva = (format == Format::Meeva).then(|| keys.meeva(body));
    let all = [
        ("content-type", Some("application/json".to_owned())),
        (
            "user-agent",
            Some(concat!("Hookline/", env!("CARGO_PKG_VERSION")).to_owned()),
        ),
        ("webhook-id", Some(id.to_string())),
        ("webhook-timestamp", Some(timestamp.to_string())),
        ("webhook-attempt", Some("1".to_owned())),
        ("webhook-signature", keys.standard(id, timestamp, body)),
        ("meeva-signature", meeva),
    ];
    Ok(all
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| (name, value)))
        .collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hookline_common::signature::{verify_meeva, verify_standard};
    use serde_json::Value;

    use super::*;
    use crate::Catalogue;

    fn header<'a>(request: &'a ExampleRequest, name: &str) -> Option<&'a str> {
        let found = request.headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }

    #[test]
    fn every_type_is_rendered_in_every_format_around_its_untouched_sample() {
        for info in Catalogue::built_in().iter() {
            for format in Format::ALL {
                let rendered = info.rendered(format).unwrap();
                let body = &rendered.request.body;
                let parsed: Value = serde_json::from_str(body).unwrap();
                let sample = info.sample.as_str();
                let (name, data) = match format {
                    Format::Meeva | Format::Standard => ("type", sample),
                    Format::Meetergo => ("event", sample),
                    Format::MeetergoFlat => ("webhookType", &sample[1..sample.len() - 1]),
                };
                assert_eq!(parsed[name], info.name_in(format).as_str(), "{format} {body}");
                assert!(body.contains(data), "{format} {body}");
                let time = format!("\"{}\"", "2024-01-15T14:30:00Z");
                assert_eq!(
                    body.contains(&time),
                    matches!(format, Format::Meeva | Format::Standard)
                );
            }
        }
    }

    #[test]
    fn the_signatures_of_an_example_hold() {
        let secrets = [Secret::parse(EXAMPLE_SECRET).unwrap()];
        let now = i64::try_from(EXAMPLE_TIME).unwrap();
        for info in Catalogue::built_in().iter() {
            for format in Format::ALL {
                let request = info.rendered(format).unwrap().request;
                let body = request.body.as_bytes();
                let of = |name| header(&request, name).unwrap();
                let (id, at, signature) =
                    (of("webhook-id"), of("webhook-timestamp"), of("webhook-signature"));
                assert_eq!(verify_standard(&secrets, id, at, signature, body, now), Ok(()));
                match header(&request, "meeva-signature") {
                    Some(value) => assert_eq!(verify_meeva(&secrets, value, body), Ok(())),
                    None => assert_ne!(format, Format::Meeva),
                }
            }
        }
    }

    #[test]
    fn the_api_answers_these_members() {
        let catalogue = Catalogue::built_in();
        let info = catalogue.find("new_employee").unwrap();
        let rendered = serde_json::to_value(info.rendered(Format::Meetergo).unwrap()).unwrap();
        let mut members: Vec<&str> = rendered.as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        assert_eq!(
            members,
            [
                "description",
                "format",
                "format_name",
                "name",
                "names",
                "operational",
                "own",
                "request",
                "sample",
                "schema",
                "signed_with"
            ]
        );
        assert_eq!(rendered["format_name"], "new_employee");
        assert_eq!(rendered["sample"]["employee"]["id"], "usr_omar");
        assert_eq!(
            rendered["request"]["headers"][2],
            serde_json::json!(["webhook-id", EXAMPLE_ID])
        );
    }
}
