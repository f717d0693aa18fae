//! One `[[endpoint]]` while it is read: its values by key and type, and its faults.

use std::fmt::Display;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::Faults;
use crate::ids::EndpointId;

pub(super) struct Entry<'a> {
    table: &'a DeTable<'a>,
    span: Range<usize>,
    label: String,
    faults: &'a mut Faults,
}

impl<'a> Entry<'a> {
    /// The `position`th endpoint, counted from 1, if it is a table.
    pub(super) fn new(
        value: &'a Spanned<DeValue<'a>>,
        position: usize,
        faults: &'a mut Faults,
    ) -> Option<Self> {
        let label = format!("#{position}");
        let Some(table) = value.get_ref().as_table() else {
            faults.add(
                Some(value.span()),
                Some(&label),
                None,
                "an endpoint must be a table; write [[endpoint]]",
            );
            return None;
        };
        let id = table
            .get("id")
            .and_then(|id| id.get_ref().as_str())
            .filter(|id| EndpointId::parse(id).is_ok());
        let label = id.map_or(label, str::to_owned);
        Some(Self {
            table,
            span: value.span(),
            label,
            faults,
        })
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    pub(super) fn line_of(&self, key: &str) -> Option<usize> {
        self.table.get(key).map(|value| self.faults.line(&value.span()))
    }

    /// A fault of `key`, at its value or, where there is none, at the endpoint.
    pub(super) fn fault(&mut self, key: &str, problem: impl Into<String>) {
        let span = self
            .table
            .get(key)
            .map_or_else(|| self.span.clone(), Spanned::span);
        self.fault_at(span, key, problem);
    }

    pub(super) fn fault_at(&mut self, span: Range<usize>, key: &str, problem: impl Into<String>) {
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

    /// The text of `key`, or nothing where it is not there or has another type.
    pub(super) fn text(&mut self, key: &str) -> Option<&'a str> {
        let value = self.table.get(key)?;
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(key, value, "text in quotes");
        }
        text
    }

    pub(super) fn optional<T, E: Display>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&'a str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(key)?;
        parse(text)
            .map_err(|fault| self.fault(key, fault.to_string()))
            .ok()
    }

    pub(super) fn required<T, E: Display>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&'a str) -> Result<T, E>,
    ) -> Option<T> {
        if !self.has(key) {
            self.fault(key, "is missing; every endpoint needs it");
        }
        self.optional(key, parse)
    }

    /// Whether `key` is there and true.
    pub(super) fn flag(&mut self, key: &str) -> bool {
        let Some(value) = self.table.get(key) else {
            return false;
        };
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(key, value, "true or false");
        }
        flag.unwrap_or_default()
    }

    /// The texts of a list, each with where it stands.
    pub(super) fn texts(&mut self, key: &str) -> Vec<(&'a str, Range<usize>)> {
        const WANTED: &str = "a list of texts in quotes: [\"…\", \"…\"]";
        let Some(list) = self.table.get(key) else {
            return Vec::new();
        };
        let Some(values) = list.get_ref().as_array() else {
            self.wrong_type(key, list, WANTED);
            return Vec::new();
        };
        let mut texts = Vec::new();
        for value in values.iter() {
            match value.get_ref().as_str() {
                Some(text) => texts.push((text, value.span())),
                None => self.wrong_type(key, value, WANTED),
            }
        }
        texts
    }

    /// The names and texts of a table, each with where it stands, in the file's order.
    pub(super) fn pairs(&mut self, key: &str) -> Vec<(&'a str, &'a str, Range<usize>)> {
        const WANTED: &str = "a table of texts in quotes: { \"name\" = \"value\" }";
        let Some(table) = self.table.get(key) else {
            return Vec::new();
        };
        let Some(members) = table.get_ref().as_table() else {
            self.wrong_type(key, table, WANTED);
            return Vec::new();
        };
        let mut pairs = Vec::new();
        for (name, value) in members {
            match value.get_ref().as_str() {
                Some(text) => pairs.push((name.get_ref().as_ref(), text, name.span())),
                None => self.wrong_type(key, value, WANTED),
            }
        }
        pairs.sort_by_key(|(_, _, span)| span.start);
        pairs
    }

    fn wrong_type(&mut self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let problem = format!(
            "it must be {wanted}, and is of type {}",
            value.get_ref().type_str()
        );
        self.fault_at(value.span(), key, problem);
    }
}
