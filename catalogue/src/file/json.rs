//! A value that is JSON: text that holds it, or a TOML table that is taken for it.

use hookline_common::json_limits::JsonLimits;
use hookline_common::toml_file::Entry;
use toml::de::DeValue;

use super::toml_json::to_json;
use crate::json_text::JsonText;

/// The JSON of `key`; a fault where it is missing or is none.
pub(super) fn json(entry: &mut Entry<'_>, key: &str, limits: &JsonLimits) -> Option<JsonText> {
    let value = entry.value(key)?;
    let text = match value.get_ref() {
        DeValue::String(text) => Ok(text.as_ref().to_owned()),
        table @ DeValue::Table(_) => to_json(table),
        _ => {
            entry.wrong_type(key, value, "JSON in quotes ('''{…}''') or a table");
            return None;
        }
    };
    let json = text.and_then(|text| JsonText::parse(&text, limits).map_err(|fault| fault.to_string()));
    json.map_err(|problem| entry.fault(key, problem)).ok()
}
