//! The types that every installation knows: what the booking platforms send that Hookline was made for.

use hookline_common::event::Data;
use hookline_common::ids::EventType;
use hookline_common::json_limits::JsonLimits;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::file::MAX_SCHEMA_BYTES;
use crate::info::EventTypeInfo;
use crate::json_text::JsonText;

/// In the order of a booking's life, and then the others.
const FILES: [&str; 6] = [
    include_str!("../types/booking_created.json"),
    include_str!("../types/booking_rescheduled.json"),
    include_str!("../types/booking_cancelled.json"),
    include_str!("../types/employee_created.json"),
    include_str!("../types/form_submitted.json"),
    include_str!("../types/endpoint_disabled.json"),
];

#[derive(Deserialize)]
struct TypeFile<'a> {
    name: EventType,
    description: String,
    #[serde(borrow)]
    schema: &'a RawValue,
    #[serde(borrow)]
    sample: &'a RawValue,
}

/// All of them. What is embedded cannot change after the tests have read it, so nothing is ever left out here.
pub(crate) fn all() -> Vec<EventTypeInfo> {
    FILES.into_iter().filter_map(|file| read(file).ok()).collect()
}

fn read(file: &str) -> Result<EventTypeInfo, String> {
    let file: TypeFile<'_> = serde_json::from_str(file).map_err(|fault| fault.to_string())?;
    let json = |value: &RawValue, max_bytes| {
        JsonText::parse(value.get(), &JsonLimits::of_bytes(max_bytes)).map_err(|fault| fault.to_string())
    };
    let schema = json(file.schema, MAX_SCHEMA_BYTES)?;
    let sample = json(file.sample, Data::MAX_BYTES)?;
    Ok(EventTypeInfo::new(
        file.name,
        file.description,
        schema,
        sample,
        false,
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::Value;

    use super::*;
    use crate::check;

    #[test]
    fn every_file_is_read() {
        for file in FILES {
            assert_eq!(read(file).err(), None, "{file}");
        }
        let names: Vec<String> = all().iter().map(|info| info.name.to_string()).collect();
        assert_eq!(
            names,
            [
                "booking.created",
                "booking.rescheduled",
                "booking.cancelled",
                "employee.created",
                "form.submitted",
                "endpoint.disabled"
            ]
        );
    }

    #[test]
    fn each_sample_is_data_that_its_schema_allows() {
        for info in all() {
            assert!(info.sample_data().is_ok(), "{}", info.name);
            assert_eq!(check::sample(&info.schema, &info.sample), Ok(()), "{}", info.name);
        }
    }

    #[test]
    fn every_type_of_our_own_events_is_described() {
        let described = all();
        let described = described.iter().filter(|info| info.operational);
        let names: Vec<&str> = described.map(|info| info.name.as_str()).collect();
        assert_eq!(names, EventType::OPERATIONAL);
    }

    /// Every object below `value`, by its path.
    fn paths(value: &Value, path: &str, found: &mut Vec<String>) {
        if let Value::Object(members) = value {
            for (name, member) in members {
                let path = format!("{path}/{name}");
                paths(member, &path, found);
                found.push(path);
            }
        }
    }

    #[test]
    fn a_schema_says_something_of_every_member_of_its_sample() {
        let limits = JsonLimits::of_bytes(Data::MAX_BYTES);
        for info in all() {
            let sample: Value = serde_json::from_str(info.sample.as_str()).unwrap();
            let mut members = Vec::new();
            paths(&sample, "", &mut members);
            assert!(members.len() > 3, "{}", info.name);
            for path in members {
                let mut broken = sample.clone();
                *broken.pointer_mut(&path).unwrap() = Value::Bool(true);
                let broken = JsonText::parse(&broken.to_string(), &limits).unwrap();
                assert!(
                    check::sample(&info.schema, &broken).is_err(),
                    "{}: {path} may be anything",
                    info.name
                );
            }
        }
    }

    #[test]
    fn schemas_of_our_own_for_what_platforms_send_are_marked_and_those_that_they_document_are_not() {
        for info in all() {
            let schema: Value = serde_json::from_str(info.schema.as_str()).unwrap();
            let is_marked = schema["x-minimal"] == true;
            let is_booking = info.name.as_str().starts_with("booking.");
            assert_eq!(is_marked, !is_booking && !info.operational, "{}", info.name);
            assert_eq!(schema["$comment"].is_string(), is_marked);
            assert_eq!(info.description.contains("Hookline's own"), !is_booking);
            assert_eq!(schema["$schema"], check::DIALECT);
            assert_eq!(schema["title"], info.name.as_str());
        }
    }
}
