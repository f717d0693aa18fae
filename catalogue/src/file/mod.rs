//! A platform's own types: a TOML text, read whole, its faults told at once.

mod json; // a value that is JSON
mod toml_json; // TOML's values as JSON

use std::collections::HashMap;

use hookline_common::event::Data;
use hookline_common::ids::EventType;
use hookline_common::json_limits::JsonLimits;
use hookline_common::toml_file::{self, Entry, FileFault, FileFaults, Kind};

use self::json::json;
use crate::check::{self, Mismatch};
use crate::info::EventTypeInfo;

/// The longest file, in bytes: a hundred types with long schemas.
pub const MAX_FILE_BYTES: u64 = 4 << 20;
/// The most types of one file. A picker of more than that is none.
pub const MAX_TYPES: usize = 500;
/// The longest schema, in bytes.
pub const MAX_SCHEMA_BYTES: usize = 64 << 10;
/// The longest description, in characters: a paragraph.
const MAX_DESCRIPTION: usize = 1000;

pub(crate) const EVENT_TYPES: Kind = Kind {
    table: "event_type",
    noun: "event type",
    id_key: "name",
    is_id: |text| EventType::parse(text).is_ok(),
    max: MAX_TYPES,
};

/// What an `[[event_type]]` says; all of it is needed.
const KEYS: [&str; 4] = ["name", "description", "schema", "sample"];

/// The types of a file, in its order. Each one's sample is data that its schema allows.
///
/// # Errors
/// The faults of the file, in the order of its lines; where it is not TOML, the faults of that alone.
pub(crate) fn parse(text: &str) -> Result<Vec<EventTypeInfo>, FileFaults> {
    let mut lines = HashMap::new();
    let types = toml_file::read(text, &EVENT_TYPES, |entry| read(entry, &mut lines))?;
    if types.is_empty() {
        let problem = "it holds no [[event_type]]; add one, or leave the setting out";
        let fault = FileFault {
            line: None,
            noun: EVENT_TYPES.noun,
            entry: None,
            key: None,
            problem: problem.to_owned(),
        };
        return Err(FileFaults::from_iter([fault]));
    }
    Ok(types)
}

fn read(entry: &mut Entry<'_>, lines: &mut HashMap<EventType, usize>) -> Option<EventTypeInfo> {
    entry.refuse_other_keys(&KEYS);
    let name = entry.required("name", EventType::parse);
    let description = entry.required("description", description);
    let schema = json(entry, "schema", &JsonLimits::of_bytes(MAX_SCHEMA_BYTES));
    let sample = json(entry, "sample", &JsonLimits::of_bytes(Data::MAX_BYTES));

    if let Some(name) = name.as_ref().filter(|name| name.is_operational()) {
        let problem = format!("{name} is Hookline's own and described already; give it another name");
        entry.fault("name", problem);
    }
    if let Some(name) = &name {
        let line = entry.line_of("name");
        if let Some(first) = lines.insert(name.clone(), line) {
            let problem = format!("line {first} has the same name; describe each type once");
            entry.fault("name", problem);
        }
    }
    let (schema, sample) = (schema?, sample?);
    if let Err(fault) = Data::new(sample.as_str().as_bytes().to_vec()) {
        entry.fault("sample", fault.to_string());
        return None;
    }
    match check::sample(&schema, &sample) {
        Ok(()) => {}
        Err(Mismatch::Schema(problem)) => {
            entry.fault("schema", problem);
            return None;
        }
        Err(Mismatch::Sample(problem)) => {
            entry.fault("sample", format!("its schema does not allow it: {problem}"));
            return None;
        }
    }
    Some(EventTypeInfo::new(name?, description?, schema, sample, true))
}

fn description(text: &str) -> Result<String, String> {
    let text = text.trim();
    let length = text.chars().count();
    if length == 0 || length > MAX_DESCRIPTION || text.contains(char::is_control) {
        return Err(format!(
            "it must be 1 to {MAX_DESCRIPTION} characters on one line, and has {length}"
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
