//! An endpoint as it is given: texts in, checked values out, by the same rules as everywhere.

use std::collections::{BTreeMap, HashSet};

use hookline_common::endpoint::{EventFilter, EventPattern, Rate, StaticHeader};
use hookline_common::guard::{Policy, check_header};
use hookline_common::ids::EndpointId;
use hookline_common::secret::Secret;
use hookline_store::{Change, HeaderChange, NewEndpoint, new_endpoint_id, new_secret};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::view::MASK;
use crate::problem::Problem;
use crate::settings::Settings;

/// Patterns that one endpoint may have: more than there are types of events.
const MAX_PATTERNS: usize = 100;
/// Characters of a description.
const MAX_DESCRIPTION: usize = 500;

/// Ids that no endpoint may have: their paths are other routes', so it could be neither shown nor changed.
pub(super) const TAKEN_IDS: [&str; 1] = ["import"];

/// Why an id cannot be an endpoint's.
pub(super) fn taken_id(id: &EndpointId) -> Option<String> {
    let is_taken = TAKEN_IDS.contains(&id.as_str());
    is_taken
        .then(|| format!("an endpoint cannot be called `{id}`, as a route of the API is; give it another id"))
}

/// A new endpoint.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateEndpoint {
    /// Where to: https, a public address, no user or password.
    #[schema(max_length = 2048, example = "https://crm.example.com/hooks")]
    pub(crate) url: String,
    /// How bodies are written: meeva, meetergo, meetergo-flat or standard; the installation's own default where it is left out.
    #[schema(pattern = "^(meeva|meetergo|meetergo-flat|standard)$")]
    pub(crate) format: Option<String>,
    /// Patterns of the event types that it gets, like `booking.*`; none for all.
    #[schema(max_items = 100)]
    pub(crate) events: Option<Vec<String>>,
    /// Headers to add to each request: 20 at most.
    pub(crate) headers: Option<BTreeMap<String, String>>,
    /// A word about it.
    #[schema(max_length = 500)]
    pub(crate) description: Option<String>,
    /// Attempts at most, like `50/s` or `90/m`.
    #[schema(pattern = r"^[0-9]{1,10}(\.[0-9]{1,3})?/[smh]$")]
    pub(crate) rate: Option<String>,
    /// Whether it starts disabled.
    pub(crate) disabled: Option<bool>,
    /// A secret brought along from another system: the operator only. Without one a new one is made.
    #[schema(min_length = 16, max_length = 256)]
    pub(crate) secret: Option<String>,
    /// An id brought along from another system: the operator only.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.-]{1,64}$")]
    pub(crate) id: Option<String>,
}

impl CreateEndpoint {
    /// Checks everything.
    pub(crate) fn checked(self, settings: &Settings, is_admin: bool) -> Result<NewEndpoint, Problem> {
        if !is_admin && (self.secret.is_some() || self.id.is_some()) {
            let detail =
                "only the operator may bring a secret or an id along; leave them out and new ones are made";
            return Err(Problem::forbidden(detail));
        }
        let id = match self.id {
            Some(id) => {
                let id = EndpointId::parse(&id).map_err(|error| field("id", error))?;
                if let Some(why) = taken_id(&id) {
                    return Err(field("id", why));
                }
                id
            }
            None => new_endpoint_id()?,
        };
        let secret = match self.secret {
            Some(secret) => Secret::parse(&secret).map_err(|error| field("secret", error))?,
            None => new_secret()?,
        };
        let format = self.format.map(|format| format.parse());
        Ok(NewEndpoint {
            id,
            url: url(&settings.policy, &self.url, is_admin)?,
            format: format
                .transpose()
                .map_err(|error| field("format", error))?
                .unwrap_or(settings.default_format),
            events: events(self.events.unwrap_or_default())?,
            headers: headers(self.headers.unwrap_or_default())?,
            description: description(self.description)?,
            rate: rate(self.rate)?,
            disabled: self.disabled.unwrap_or(false),
            secret,
        })
    }
}

/// What is to be changed; what is left out stays.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeEndpoint {
    /// Where to.
    #[schema(max_length = 2048)]
    pub(crate) url: Option<String>,
    /// How bodies are written.
    #[schema(pattern = "^(meeva|meetergo|meetergo-flat|standard)$")]
    pub(crate) format: Option<String>,
    /// Patterns of event types, all of them; an empty list for all events.
    #[schema(max_items = 100)]
    pub(crate) events: Option<Vec<String>>,
    /// Headers to set; with null as its value one is removed, with `***` it keeps the value that it has. Others stay.
    pub(crate) headers: Option<BTreeMap<String, Option<String>>>,
    /// A word about it; null removes it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 500)]
    pub(crate) description: Option<Option<String>>,
    /// Attempts at most; null removes the limit.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, pattern = r"^[0-9]{1,10}(\.[0-9]{1,3})?/[smh]$")]
    pub(crate) rate: Option<Option<String>>,
    /// Whether matched events are failed instead of sent.
    pub(crate) disabled: Option<bool>,
}

/// Tells null from what is left out.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl ChangeEndpoint {
    /// Checks everything that can be checked without the endpoint.
    pub(crate) fn checked(self, settings: &Settings, is_admin: bool) -> Result<Change, Problem> {
        let format = self.format.map(|format| format.parse());
        let url = self.url.map(|text| url(&settings.policy, &text, is_admin));
        Ok(Change {
            url: url.transpose()?,
            format: format.transpose().map_err(|error| field("format", error))?,
            events: self.events.map(events).transpose()?,
            headers: header_changes(self.headers.unwrap_or_default())?,
            description: self.description.map(description).transpose()?,
            rate: self.rate.map(rate).transpose()?,
            disabled: self.disabled,
        })
    }
}

fn field(name: &str, error: impl std::fmt::Display) -> Problem {
    Problem::invalid(format!("{name}: {error}"))
}

/// In its normal form, as the guard passes it; the name is resolved only when something is sent. Only the operator is told of
/// settings by which more is let through.
pub(crate) fn url(policy: &Policy, text: &str, is_admin: bool) -> Result<String, Problem> {
    match policy.check_url(text) {
        Ok(checked) => Ok(checked.url().to_string()),
        Err(refusal) if is_admin => Err(refusal.into()),
        Err(refusal) => Err(Problem::refused_for_owner(&refusal)),
    }
}

fn events(patterns: Vec<String>) -> Result<EventFilter, Problem> {
    if patterns.len() > MAX_PATTERNS {
        return Err(field(
            "events",
            format!("at most {MAX_PATTERNS} patterns are allowed"),
        ));
    }
    let patterns = patterns.iter().map(|pattern| EventPattern::parse(pattern));
    let patterns = patterns.collect::<Result<_, _>>();
    patterns
        .map(EventFilter::new)
        .map_err(|error| field("events", error))
}

fn rate(text: Option<String>) -> Result<Option<Rate>, Problem> {
    let rate = text.map(|text| Rate::parse(&text));
    rate.transpose().map_err(|error| field("rate", error))
}

/// Text for people: no character that could play tricks with a page or a terminal.
pub(crate) fn is_plain_text(text: &str, max: usize) -> bool {
    let is_trick = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().count() <= max && !text.chars().any(is_trick)
}

fn description(text: Option<String>) -> Result<Option<String>, Problem> {
    let text = text.filter(|text| !text.is_empty());
    if text
        .as_ref()
        .is_none_or(|text| is_plain_text(text, MAX_DESCRIPTION))
    {
        return Ok(text);
    }
    let allowed = format!("at most {MAX_DESCRIPTION} characters, without control characters, are allowed");
    Err(field("description", allowed))
}

fn headers(given: BTreeMap<String, String>) -> Result<Vec<StaticHeader>, Problem> {
    if given.len() > StaticHeader::MAX_PER_ENDPOINT {
        let allowed = format!("at most {} are allowed", StaticHeader::MAX_PER_ENDPOINT);
        return Err(field("headers", allowed));
    }
    need_different_names(given.keys())?;
    let headers = given.into_iter().map(|(name, value)| {
        check_header(&name, &value)?;
        Ok(StaticHeader { name, value })
    });
    headers.collect()
}

fn header_changes(given: BTreeMap<String, Option<String>>) -> Result<Vec<HeaderChange>, Problem> {
    need_different_names(given.keys())?;
    let changes = given.into_iter().map(|(name, value)| match value {
        None => Ok(HeaderChange::Remove(name)),
        Some(value) if value == MASK => Ok(HeaderChange::Keep(name)),
        Some(value) => {
            check_header(&name, &value)?;
            Ok(HeaderChange::Set(StaticHeader { name, value }))
        }
    });
    changes.collect()
}

fn need_different_names<'a>(mut names: impl Iterator<Item = &'a String>) -> Result<(), Problem> {
    let mut seen = HashSet::new();
    match names.find(|name| !seen.insert(name.to_ascii_lowercase())) {
        None => Ok(()),
        Some(_) => Err(field(
            "headers",
            "a name stands there twice, in other cases; give it once",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_operator_is_told_of_settings() {
        let policy = Policy::default();
        for (text, reason) in [
            ("http://example.com/", "url_http"),
            ("https://localhost/", "name_internal"),
            ("https://10.0.0.1/", "address_private"),
        ] {
            let told =
                |is_admin| serde_json::to_value(url(&policy, text, is_admin).unwrap_err().body()).unwrap();
            let (operator, owner) = (told(true), told(false));
            for (reader, is_told) in [(&operator, true), (&owner, false)] {
                let detail = reader["detail"].as_str().unwrap();
                assert_eq!(detail.contains("HOOKLINE_"), is_told, "{text}: {detail}");
                assert!(
                    detail.contains("not allowed") && detail.contains("use "),
                    "{detail}"
                );
            }
            assert!(
                operator["reason"].as_str().unwrap().starts_with(&reason[..4]),
                "{operator}"
            );
            assert_eq!(operator["reason"], owner["reason"]);
        }
    }

    #[test]
    fn text_for_people_plays_no_tricks() {
        assert!(is_plain_text("Grüße, 世界 <b>", 20));
        for bad in ["a\0b", "a\nb", "\u{1b}[31m", "\u{202e}evil", "x\u{2066}"] {
            assert!(!is_plain_text(bad, 100), "{bad:?}");
        }
        assert!(!is_plain_text("ééé", 2) && is_plain_text("ééé", 3));
    }

    #[test]
    fn null_is_told_from_what_is_left_out() {
        let read = |text| serde_json::from_str::<ChangeEndpoint>(text).unwrap();
        assert!(read("{}").description.is_none());
        assert_eq!(read(r#"{"description":null}"#).description, Some(None));
        assert_eq!(read(r#"{"rate":"1/s"}"#).rate, Some(Some("1/s".to_owned())));
        assert!(serde_json::from_str::<ChangeEndpoint>(r#"{"secret":"x"}"#).is_err());
    }
}
