//! Entries of the endpoints file, written as an operator would.

use std::fmt::Write as _;

use crate::receiver::Receiver;

/// A secret in the form that we hand out, for endpoints whose secret is of no matter.
pub const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// One `[[endpoint]]`.
#[derive(Debug, Clone)]
pub struct Endpoint {
    lines: Vec<(String, String)>,
}

/// An endpoint of the company `acme` at a receiver, for all events, in the default format.
#[must_use]
pub fn endpoint(id: &str, receiver: &Receiver) -> Endpoint {
    Endpoint::at(id, &receiver.url())
}

impl Endpoint {
    /// An endpoint of the company `acme` at a URL.
    #[must_use]
    pub fn at(id: &str, url: &str) -> Self {
        let text = |text: &str| format!("{text:?}");
        let lines = [
            ("id", text(id)),
            ("company", text("acme")),
            ("url", text(url)),
            ("secret", text(SECRET)),
        ];
        Self {
            lines: lines.map(|(key, value)| (key.to_owned(), value)).into(),
        }
    }

    /// The same with `key` set to a TOML value.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.lines.retain(|(other, _)| other != key);
        self.lines.push((key.to_owned(), value.into()));
        self
    }

    /// The same with `key` set to a text.
    #[must_use]
    pub fn text(self, key: &str, value: &str) -> Self {
        self.with(key, format!("{value:?}"))
    }

    /// The same for these events only.
    #[must_use]
    pub fn events(self, patterns: &[&str]) -> Self {
        self.with("events", format!("{patterns:?}"))
    }

    /// The same, disabled.
    #[must_use]
    pub fn disabled(self) -> Self {
        self.with("disabled", "true")
    }
}

/// The file with these endpoints.
#[must_use]
pub fn file(endpoints: &[Endpoint]) -> String {
    let mut text = String::new();
    for endpoint in endpoints {
        text.push_str("[[endpoint]]\n");
        for (key, value) in &endpoint.lines {
            writeln!(text, "{key} = {value}").expect("a text grows");
        }
    }
    text
}
