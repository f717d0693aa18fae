//! One `[[event_type]]` while it is read: its values by key, and its faults.

use std::ops::Range;

use hookline_common::ids::EventType;
use hookline_common::json_limits::JsonLimits;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::Faults;
use super::toml_json::to_json;
use crate::json_text::JsonText;

pub(super) struct Entry<'a> {
    table: &'a DeTable<'a>,
    span: Range<usize>,
    label: String,
    faults: &'a mut Faults,
}

impl<'a> Entry<'a> {
    /// The `position`th type, counted from 1, if it is a table.
    pub(super) fn new(
        value: &'a Spanned<DeValue<'a>>,
        position: usize,
        faults: &'a mut Faults,
    ) -> Option<Self> {
        let label = format!("#{position}");
        let Some(table) = value.get_ref().as_table() else {
            let problem = "a type must be a table; write [[event_type]]";
            faults.add(Some(value.span()), Some(&label), None, problem);
            return None;
        };
        let name = table.get("name").and_then(|name| name.get_ref().as_str());
        let name = name.filter(|name| EventType::parse(name).is_ok());
        Some(Self {
            table,
            span: value.span(),
            label: name.map_or(label, str::to_owned),
            faults,
        })
    }

    /// The line of `key`, or of the type where it is missing.
    pub(super) fn line_of(&self, key: &str) -> usize {
        self.faults.line(&self.span_of(key))
    }

    fn span_of(&self, key: &str) -> Range<usize> {
        self.table
            .get(key)
            .map_or_else(|| self.span.clone(), Spanned::span)
    }

    pub(super) fn fault(&mut self, key: &str, problem: impl Into<String>) {
        let span = self.span_of(key);
        self.faults.add(Some(span), Some(&self.label), Some(key), problem);
    }

    pub(super) fn refuse_other_keys(&mut self, allowed: &[&str]) {
        let unknown = self
            .table
            .keys()
            .filter(|key| !allowed.contains(&key.get_ref().as_ref()));
        for key in unknown {
            let problem = format!("this key is not known; allowed are {}", allowed.join(", "));
            self.faults
                .add(Some(key.span()), Some(&self.label), Some(key.get_ref()), problem);
        }
    }

    fn value(&mut self, key: &str) -> Option<&'a DeValue<'a>> {
        let value = self.table.get(key);
        if value.is_none() {
            self.fault(key, "is missing; every type needs it");
        }
        value.map(Spanned::get_ref)
    }

    /// The text of `key`; a fault where it is missing or has another type.
    pub(super) fn text(&mut self, key: &str) -> Option<&'a str> {
        let value = self.value(key)?;
        let text = value.as_str();
        if text.is_none() {
            let problem = format!("it must be text in quotes, and is of type {}", value.type_str());
            self.fault(key, problem);
        }
        text
    }

    /// The JSON of `key`: text that holds it, or a TOML table that is taken for it.
    pub(super) fn json(&mut self, key: &str, limits: &JsonLimits) -> Option<JsonText> {
        let value = self.value(key)?;
        let json = match value {
            DeValue::String(text) => JsonText::parse(text, limits).map_err(|fault| fault.to_string()),
            DeValue::Table(_) => to_json(value)
                .and_then(|text| JsonText::parse(&text, limits).map_err(|fault| fault.to_string())),
            other => Err(format!(
                "it must be JSON in quotes ('''{{…}}''') or a table, and is of type {}",
                other.type_str()
            )),
        };
        json.map_err(|problem| self.fault(key, problem)).ok()
    }
}
