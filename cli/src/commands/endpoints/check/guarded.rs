//! The URLs of an endpoints file, held against the guard. Pure: no name is resolved.

use hookline_common::guard::Policy;
use hookline_common::ids::EndpointId;
use hookline_common::toml_file::{FileFault, Lines};
use toml::de::{DeTable, DeValue};

/// A fault for each URL that the guard refuses, with its line. They are read apart from the rest of the file,
/// so that they are told together with what else is wrong. A text that is not TOML has none.
pub(super) fn faults(text: &str, policy: &Policy) -> Vec<FileFault> {
    let Ok(document) = DeTable::parse(text) else {
        return Vec::new();
    };
    let Some(DeValue::Array(endpoints)) = document.get_ref().get("endpoint").map(|value| value.get_ref())
    else {
        return Vec::new();
    };
    let lines = Lines::of(text);
    let mut faults = Vec::new();
    for (index, endpoint) in endpoints.iter().enumerate() {
        let Some(table) = endpoint.get_ref().as_table() else {
            continue;
        };
        let text_of = |key: &str| {
            let value = table.get(key)?;
            Some((value.get_ref().as_str()?, value.span()))
        };
        let Some((url, span)) = text_of("url") else {
            continue;
        };
        if let Err(refusal) = policy.check_url(url) {
            let id = text_of("id").filter(|(id, _)| EndpointId::parse(id).is_ok());
            let label = id.map_or_else(|| format!("#{}", index + 1), |(id, _)| id.to_owned());
            faults.push(FileFault {
                line: Some(lines.line(&span)),
                noun: "endpoint",
                entry: Some(label),
                key: Some("url".to_owned()),
                problem: format!("{refusal} ({})", refusal.reason()),
            });
        }
    }
    faults
}
