//! One entry while it is read: its values by key and type, and its faults.

use std::fmt::Display;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::Faults;
use super::kind::Kind;

/// One entry while it is read.
pub struct Entry<'a> {
    table: &'a DeTable<'a>,
    span: Range<usize>,
    kind: &'a Kind,
    label: String,
    faults: &'a mut Faults,
}

impl<'a> Entry<'a> {
    /// The `position`th one, counted from 1, if it is a table.
    pub(super) fn new(
        value: &'a Spanned<DeValue<'a>>,
        position: usize,
        kind: &'a Kind,
        faults: &'a mut Faults,
    ) -> Option<Self> {
        let label = format!("#{position}");
        let Some(table) = value.get_ref().as_table() else {
            let problem = format!("an {} must be a table; write [[{}]]", kind.noun, kind.table);
            faults.add(Some(value.span()), Some(&label), None, problem);
            return None;
        };
        let id = table.get(kind.id_key).and_then(|id| id.get_ref().as_str());
        let id = id.filter(|id| (kind.is_id)(id));
        Some(Self {
            table,
            span: value.span(),
            kind,
            label: id.map_or(label, str::to_owned),
            faults,
        })
    }

    /// Whether `key` is there.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The line of `key`, or of the entry where it is missing.
    #[must_use]
    pub fn line_of(&self, key: &str) -> usize {
        self.faults.line(&self.span_of(key))
    }

    fn span_of(&self, key: &str) -> Range<usize> {
        self.table
            .get(key)
            .map_or_else(|| self.span.clone(), Spanned::span)
    }

    /// A fault of `key`, at its value or, where there is none, at the entry.
    pub fn fault(&mut self, key: &str, problem: impl Into<String>) {
        self.fault_at(self.span_of(key), key, problem);
    }

    /// A fault of `key`, at a place within it.
    pub fn fault_at(&mut self, span: Range<usize>, key: &str, problem: impl Into<String>) {
        self.faults.add(Some(span), Some(&self.label), Some(key), problem);
    }

    /// A fault for each key that is none of these.
    pub fn refuse_other_keys(&mut self, allowed: &[&str]) {
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

    /// The value of `key`, of whatever type; a fault where it is missing.
    pub fn value(&mut self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        let value = self.table.get(key);
        if value.is_none() {
            self.fault(key, format!("is missing; every {} needs it", self.kind.noun));
        }
        value
    }

    /// The text of `key` where it is one; anything else is no fault here.
    #[must_use]
    pub fn peek(&self, key: &str) -> Option<&'a str> {
        self.table.get(key)?.get_ref().as_str()
    }

    /// The text of `key`, or nothing where it is not there or, which is a fault, has another type.
    pub fn text(&mut self, key: &str) -> Option<&'a str> {
        let value = self.table.get(key)?;
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(key, value, "text in quotes");
        }
        text
    }

    /// What `parse` makes of the text of `key`, where it is there.
    pub fn optional<T, E: Display>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&'a str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(key)?;
        parse(text)
            .map_err(|fault| self.fault(key, fault.to_string()))
            .ok()
    }

    /// The same of a `key` that must be there.
    pub fn required<T, E: Display>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&'a str) -> Result<T, E>,
    ) -> Option<T> {
        self.value(key)?;
        self.optional(key, parse)
    }

    /// Whether `key` is there and true.
    pub fn flag(&mut self, key: &str) -> bool {
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
    pub fn texts(&mut self, key: &str) -> Vec<(&'a str, Range<usize>)> {
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
    pub fn pairs(&mut self, key: &str) -> Vec<(&'a str, &'a str, Range<usize>)> {
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

    /// A fault of `key`, that it is of another type than what is `wanted`.
    pub fn wrong_type(&mut self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let problem = format!(
            "it must be {wanted}, and is of type {}",
            value.get_ref().type_str()
        );
        self.fault_at(value.span(), key, problem);
    }
}
