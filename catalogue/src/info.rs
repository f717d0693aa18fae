//! One type of events, as pickers and pages show it and the API answers it.

use bytes::Bytes;
use hookline_common::endpoint::Format;
use hookline_common::event::{Data, InvalidData};
use hookline_common::ids::EventType;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use crate::json_text::JsonText;

/// What is known of a type of events.
///
/// It serialises as `{"name", "description", "schema", "sample", "names": {"meeva": …}, "own", "operational"}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventTypeInfo {
    /// Its name inside Hookline.
    pub name: EventType,
    /// What happened, for people; one sentence or a few. The first says it all.
    pub description: String,
    /// How its data is built: a JSON Schema (2020-12).
    pub schema: JsonText,
    /// Data as it could be: an object that the schema allows.
    pub sample: JsonText,
    /// What each format calls it.
    pub names: FormatNames,
    /// Whether the platform's own file describes it.
    pub own: bool,
    /// Whether its events are Hookline's own: only endpoints that name the type get them.
    pub operational: bool,
}

impl EventTypeInfo {
    pub(crate) fn new(
        name: EventType,
        description: String,
        schema: JsonText,
        sample: JsonText,
        own: bool,
    ) -> Self {
        Self {
            names: FormatNames(name.clone()),
            operational: name.is_operational(),
            name,
            description,
            schema,
            sample,
            own,
        }
    }

    /// What `format` calls this type: `booking_created` in the meetergo formats.
    #[must_use]
    pub fn name_in(&self, format: Format) -> String {
        format.own_name(&self.name).into_owned()
    }

    /// The first sentence of the description, without its full stop, for lists.
    #[must_use]
    pub fn summary(&self) -> &str {
        let first = self.description.split(". ").next().unwrap_or_default();
        first.trim_end_matches('.')
    }

    /// The sample as an event's data.
    ///
    /// # Errors
    /// [`InvalidData`], never of a type that came out of a catalogue: its sample was checked on the way in.
    pub fn sample_data(&self) -> Result<Data, InvalidData> {
        Data::new(Bytes::copy_from_slice(self.sample.as_str().as_bytes()))
    }
}

/// What each format calls a type, by the format's name, in the order of [`Format::ALL`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatNames(EventType);

impl Serialize for FormatNames {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut names = serializer.serialize_map(Some(Format::ALL.len()))?;
        for format in Format::ALL {
            names.serialize_entry(format.as_str(), &format.own_name(&self.0))?;
        }
        names.end()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hookline_common::json_limits::JsonLimits;

    use super::*;

    #[test]
    fn the_api_answers_these_members() {
        let json = |text| JsonText::parse(text, &JsonLimits::of_bytes(100)).unwrap();
        let info = EventTypeInfo::new(
            EventType::parse("employee.created").unwrap(),
            "Somebody was added. And more.".to_owned(),
            json(r#"{"type":"object", "a":1}"#),
            json(r#"{ "z":1, "a":2 }"#),
            false,
        );
        assert_eq!(
            serde_json::to_string(&info).unwrap(),
            r#"{"name":"employee.created","description":"Somebody was added. And more.","schema":{"type":"object","a":1},"sample":{"z":1,"a":2},"names":{"meeva":"employee.created","meetergo":"new_employee","meetergo-flat":"new_employee","standard":"employee.created"},"own":false,"operational":false}"#
        );
        assert_eq!(info.summary(), "Somebody was added");
        assert_eq!(info.sample_data().unwrap().as_str(), r#"{"z":1,"a":2}"#);
    }
}
