//! A platform's own types: a TOML text, read whole, all its faults told at once.

mod entry; // one `[[event_type]]`
mod fault; // what is wrong with it
mod toml_json; // TOML's values as JSON

use std::collections::HashMap;

use hookline_common::event::Data;
use hookline_common::ids::EventType;
use hookline_common::json_limits::JsonLimits;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use self::entry::Entry;
use self::fault::Faults;
use crate::check::{self, Mismatch};
use crate::info::EventTypeInfo;

pub use self::fault::FileFault;

/// The longest file, in bytes: a hundred types with long schemas.
pub const MAX_FILE_BYTES: u64 = 4 << 20;
/// The most types of one file. A picker of more than that is none.
pub const MAX_TYPES: usize = 500;
/// The longest schema, in bytes.
pub const MAX_SCHEMA_BYTES: usize = 64 << 10;
/// The longest description, in characters: a paragraph.
const MAX_DESCRIPTION: usize = 1000;

/// What an `[[event_type]]` says; all of it is needed.
const KEYS: [&str; 4] = ["name", "description", "schema", "sample"];

/// The types of a file, in its order. Each one's sample is data that its schema allows.
///
/// # Errors
/// Every fault of the file, in the order of its lines; where it is not TOML, the faults of that alone.
pub(crate) fn parse(text: &str) -> Result<Vec<EventTypeInfo>, Vec<FileFault>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut faults = Faults::new(text);
    if !errors.is_empty() {
        errors.iter().for_each(|error| faults.add_syntax(error));
        return Err(faults.into_sorted());
    }
    let entries = tables(document.get_ref(), &mut faults);
    if let Some(surplus) = entries.get(MAX_TYPES) {
        let problem = format!(
            "a file may hold {MAX_TYPES} types at most, and this has {}",
            entries.len()
        );
        faults.add(Some(surplus.span()), None, None, problem);
    }
    let mut lines = HashMap::new();
    let mut types = Vec::new();
    for (index, value) in entries.into_iter().take(MAX_TYPES).enumerate() {
        if let Some(mut entry) = Entry::new(value, index + 1, &mut faults) {
            types.extend(read(&mut entry, &mut lines));
        }
    }
    if types.is_empty() && faults.is_empty() {
        faults.add(
            None,
            None,
            None,
            "it holds no [[event_type]]; add one, or leave the setting out",
        );
    }
    if faults.is_empty() {
        Ok(types)
    } else {
        Err(faults.into_sorted())
    }
}

/// The values of `[[event_type]]`, which are all that a file may hold.
fn tables<'a>(document: &'a DeTable<'a>, faults: &mut Faults) -> Vec<&'a Spanned<DeValue<'a>>> {
    let mut found = Vec::new();
    for (key, value) in document {
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("event_type", DeValue::Array(values)) => found.extend(values.iter()),
            ("event_type", _) => {
                faults.add(
                    Some(key.span()),
                    None,
                    Some("event_type"),
                    "write it as [[event_type]]",
                );
            }
            (name, _) => faults.add(
                Some(key.span()),
                None,
                Some(name),
                "this key is not known; the file may only hold [[event_type]] tables",
            ),
        }
    }
    found
}

fn read(entry: &mut Entry<'_>, lines: &mut HashMap<EventType, usize>) -> Option<EventTypeInfo> {
    entry.refuse_other_keys(&KEYS);
    let name = entry.text("name").and_then(|name| {
        let parsed = EventType::parse(name);
        parsed
            .map_err(|fault| entry.fault("name", fault.to_string()))
            .ok()
    });
    let description = entry
        .text("description")
        .and_then(|text| description(entry, text));
    let schema = entry.json("schema", &JsonLimits::of_bytes(MAX_SCHEMA_BYTES));
    let sample = entry.json("sample", &JsonLimits::of_bytes(Data::MAX_BYTES));

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

fn description(entry: &mut Entry<'_>, text: &str) -> Option<String> {
    let text = text.trim();
    let length = text.chars().count();
    if length == 0 || length > MAX_DESCRIPTION || text.contains(char::is_control) {
        let allowed = format!("it must be 1 to {MAX_DESCRIPTION} characters on one line, and has {length}");
        entry.fault("description", allowed);
        return None;
    }
    Some(text.to_owned())
}

#[cfg(test)]
mod tests;
