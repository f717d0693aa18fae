//! What an endpoint is in the registry: all of it but its secrets, which are opened only where they are needed.

use hookline_common::endpoint::{EventFilter, EventPattern, Format, Rate, StaticHeader};
use hookline_common::ids::{CompanyId, EndpointId};
use hookline_common::secret::Secret;
use jiff::Timestamp;
use serde_json::{Value, json};
use url::Url;

/// An endpoint as it is kept, without anything secret.
#[derive(Debug, Clone)]
pub struct Registered {
    /// Whose it is.
    pub company: CompanyId,
    /// Its id, unique within the company.
    pub id: EndpointId,
    /// Where to. Its query may hold a token, so it is shown to its owner alone.
    pub url: String,
    /// How bodies are written.
    pub format: Format,
    /// Which events it wants.
    pub events: EventFilter,
    /// The names of its static headers; their values are sealed.
    pub header_names: Vec<String>,
    /// What its owner says about it.
    pub description: Option<String>,
    /// Attempts at most.
    pub rate: Option<Rate>,
    /// Whether matched events are failed instead of sent.
    pub disabled: bool,
    /// Why it is disabled, if not by hand.
    pub disabled_reason: Option<String>,
    /// Until when the secret before the last rotation counts as well; in the past where it no longer does.
    pub overlap_until: Option<Timestamp>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    pub(crate) position: i64,
}

impl Registered {
    /// Whether all that a change can set is the same, but for the values of headers.
    pub(crate) fn has_settings_of(&self, other: &Self) -> bool {
        let patterns = |endpoint: &Self| {
            let patterns = endpoint.events.patterns().iter().map(EventPattern::as_str);
            patterns.map(str::to_owned).collect::<Vec<_>>()
        };
        let rate = |endpoint: &Self| endpoint.rate.map(|rate| rate.to_string());
        self.url == other.url
            && self.format.as_str() == other.format.as_str()
            && patterns(self) == patterns(other)
            && self.header_names == other.header_names
            && self.description == other.description
            && rate(self) == rate(other)
            && self.disabled == other.disabled
            && self.disabled_reason == other.disabled_reason
    }

    /// What the audit keeps: no secret, no value of a header, no query of the URL.
    #[must_use]
    pub(crate) fn masked(&self) -> Value {
        json!({
            "url": masked_url(&self.url),
            "format": self.format.as_str(),
            "events": self.events.patterns().iter().map(EventPattern::as_str).collect::<Vec<_>>(),
            "headers": self.header_names,
            "description": self.description,
            "rate": self.rate.map(|rate| rate.to_string()),
            "disabled": self.disabled,
            "disabled_reason": self.disabled_reason,
            "overlap_until": self.overlap_until.map(|until| until.to_string()),
        })
    }
}

/// The URL without its query, which may hold a token.
pub(crate) fn masked_url(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else {
        return "***".to_owned();
    };
    if url.query().is_some() {
        url.set_query(Some("***"));
    }
    url.into()
}

/// An endpoint that is to be registered. The caller has passed its URL and headers through the guard.
#[derive(Debug, Clone)]
pub struct NewEndpoint {
    /// Its id.
    pub id: EndpointId,
    /// Where to, in its normal form.
    pub url: String,
    /// How bodies are written.
    pub format: Format,
    /// Which events it wants.
    pub events: EventFilter,
    /// What its owner adds to each request.
    pub headers: Vec<StaticHeader>,
    /// What its owner says about it, without control characters.
    pub description: Option<String>,
    /// Attempts at most.
    pub rate: Option<Rate>,
    /// Whether matched events are failed instead of sent.
    pub disabled: bool,
    /// What its requests are signed with.
    pub secret: Secret,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_written_down_without_its_query() {
        assert_eq!(masked_url("https://h/p?token=x"), "https://h/p?***");
        assert_eq!(masked_url("https://h/p"), "https://h/p");
        assert_eq!(masked_url("token"), "***");
    }
}
