//! An endpoint as a form holds it: texts, kept as they were typed until all of them are right.

use std::collections::BTreeMap;

use hookline_catalogue::Catalogue;
use hookline_common::endpoint::{EventPattern, Format};
use hookline_common::ids::EventType;
use hookline_store::Registered;

use crate::api::input::{ChangeEndpoint, CreateEndpoint};
use crate::pages::fields::Fields;
use crate::problem::Problem;

/// What stands in the form.
#[derive(Debug, Clone, Default)]
pub(in crate::pages) struct Draft {
    /// Made before the form was shown, so that a form that is sent twice makes one endpoint.
    pub(in crate::pages) id: String,
    pub(in crate::pages) url: String,
    pub(in crate::pages) format: Format,
    pub(in crate::pages) is_for_all: bool,
    /// Types of the catalogue that were ticked, by their own names.
    pub(in crate::pages) picked: Vec<String>,
    /// Further patterns, as they were typed.
    pub(in crate::pages) others: String,
    pub(in crate::pages) kept: Vec<KeptHeader>,
    pub(in crate::pages) added: Vec<(String, String)>,
    pub(in crate::pages) description: String,
    pub(in crate::pages) rate: String,
}

/// A header that the endpoint has. Its value is not shown; one that is typed takes its place.
#[derive(Debug, Clone)]
pub(in crate::pages) struct KeptHeader {
    pub(in crate::pages) name: String,
    pub(in crate::pages) value: String,
    pub(in crate::pages) is_dropped: bool,
}

impl Draft {
    /// A new endpoint's.
    pub(in crate::pages) fn new(id: String, format: Format) -> Self {
        Self {
            id,
            format,
            is_for_all: true,
            ..Self::default()
        }
    }

    /// Of one that is there.
    pub(in crate::pages) fn of(endpoint: &Registered, catalogue: &Catalogue) -> Self {
        let patterns = endpoint.events.patterns();
        let mut draft = Self {
            id: endpoint.id.to_string(),
            url: endpoint.url.clone(),
            format: endpoint.format,
            is_for_all: patterns.is_empty(),
            description: endpoint.description.clone().unwrap_or_default(),
            rate: endpoint.rate.map(|rate| rate.to_string()).unwrap_or_default(),
            ..Self::default()
        };
        let mut others = Vec::new();
        for pattern in patterns.iter().map(EventPattern::as_str) {
            match type_of(catalogue, endpoint.format, pattern) {
                Some(known) => draft.picked.push(known.to_string()),
                None => others.push(pattern),
            }
        }
        draft.others = others.join(", ");
        draft.kept = endpoint
            .header_names
            .iter()
            .map(|name| KeptHeader {
                name: name.clone(),
                value: String::new(),
                is_dropped: false,
            })
            .collect();
        draft
    }

    /// As the form came back.
    pub(in crate::pages) fn read(fields: &Fields, default: Format) -> Self {
        let added = fields.all("header_name").zip(fields.all("header_value"));
        let kept = fields.all("kept_name").zip(fields.all("kept_value"));
        Self {
            id: fields.text("id").to_owned(),
            url: fields.text("url").to_owned(),
            format: fields.text("format").parse().unwrap_or(default),
            is_for_all: fields.text("which") != "some",
            picked: fields.all("event").map(str::to_owned).collect(),
            others: fields.text("others").to_owned(),
            kept: kept
                .map(|(name, value)| KeptHeader {
                    name: name.to_owned(),
                    value: value.to_owned(),
                    is_dropped: fields.has("drop", name),
                })
                .collect(),
            added: added
                .filter(|(name, value)| !name.is_empty() || !value.is_empty())
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            description: fields.text("description").to_owned(),
            rate: fields.text("rate").to_owned(),
        }
    }

    fn events(&self) -> Result<Vec<String>, Problem> {
        if self.is_for_all {
            return Ok(Vec::new());
        }
        let others = self.others.split([',', ' ', '\n', '\r']);
        let others = others.filter(|text| !text.is_empty()).map(str::to_owned);
        let all: Vec<String> = self.picked.iter().cloned().chain(others).collect();
        if all.is_empty() {
            return Err(Problem::invalid("events: choose one at least, or all events"));
        }
        Ok(all)
    }

    fn headers(&self) -> Result<BTreeMap<String, String>, Problem> {
        let mut headers = BTreeMap::new();
        for (name, value) in &self.added {
            if headers.insert(name.clone(), value.clone()).is_some() {
                let twice = format!("headers: {name} stands there twice; give it once");
                return Err(Problem::invalid(twice));
            }
        }
        Ok(headers)
    }

    /// What the API would be given for a new one.
    pub(in crate::pages) fn create(&self) -> Result<CreateEndpoint, Problem> {
        Ok(CreateEndpoint {
            url: self.url.clone(),
            format: Some(self.format.to_string()),
            events: Some(self.events()?),
            headers: Some(self.headers()?),
            description: Some(self.description.clone()),
            rate: given(&self.rate),
            ..CreateEndpoint::default()
        })
    }

    /// What the API would be given to change one.
    pub(in crate::pages) fn change(&self) -> Result<ChangeEndpoint, Problem> {
        let mut headers: BTreeMap<String, Option<String>> = BTreeMap::new();
        for kept in &self.kept {
            if kept.is_dropped {
                headers.insert(kept.name.clone(), None);
            } else if !kept.value.is_empty() {
                headers.insert(kept.name.clone(), Some(kept.value.clone()));
            }
        }
        for (name, value) in self.headers()? {
            headers.insert(name, Some(value));
        }
        Ok(ChangeEndpoint {
            url: Some(self.url.clone()),
            format: Some(self.format.to_string()),
            events: Some(self.events()?),
            headers: Some(headers),
            description: Some(given(&self.description)),
            rate: Some(given(&self.rate)),
            disabled: None,
        })
    }
}

fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// The type that a pattern without `*` means to endpoints of this format.
pub(in crate::pages) fn type_of<'a>(
    catalogue: &'a Catalogue,
    format: Format,
    pattern: &str,
) -> Option<&'a EventType> {
    let own = EventType::parse(pattern).ok();
    let own = own.and_then(|name| catalogue.get(&name));
    own.or_else(|| catalogue.find_in(format, pattern))
        .map(|info| &info.name)
}

/// What is wrong with a draft, at the field that it is about; with none where it is about the whole.
#[derive(Debug, Clone, Default)]
pub(in crate::pages) struct Fault {
    field: &'static str,
    text: String,
}

impl Fault {
    pub(in crate::pages) fn of(problem: &Problem) -> Self {
        let fields = ["events", "headers", "description", "rate", "format"];
        let detail = problem.detail();
        let named = fields
            .into_iter()
            .find_map(|field| Some((field, detail.strip_prefix(field)?.strip_prefix(": ")?)));
        let (field, text) = match (problem.code(), named) {
            (_, Some(named)) => named,
            ("url_refused", _) => ("url", detail),
            ("header_refused", _) => ("headers", detail),
            _ => ("", detail),
        };
        Self {
            field,
            text: text.to_owned(),
        }
    }

    /// What is to be said at this field.
    pub(in crate::pages) fn at(&self, field: &str) -> Option<&str> {
        (self.field == field && !self.text.is_empty()).then_some(self.text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: &str) -> Draft {
        Draft::read(&Fields::parse(form.as_bytes()), Format::Meeva)
    }

    #[test]
    fn a_form_says_what_the_api_would_be_told() {
        let draft = read(
            "url=https://h/&format=meetergo&which=some&event=booking.created&others=form.*,+x.y&header_name=x-a&\
             header_value=1&header_name=&header_value=&description=CRM&rate=",
        );
        let create = draft.create().unwrap();
        assert_eq!(create.events.unwrap(), ["booking.created", "form.*", "x.y"]);
        assert_eq!(create.headers.unwrap().len(), 1);
        assert_eq!((create.format.as_deref(), create.rate), (Some("meetergo"), None));
        assert!(
            read("which=all&event=booking.created")
                .create()
                .unwrap()
                .events
                .unwrap()
                .is_empty()
        );
        let none = read("which=some").create().err().unwrap();
        assert!(Fault::of(&none).at("events").is_some());
        let twice = "header_name=x-a&header_value=1&header_name=x-a&header_value=2";
        assert!(
            Fault::of(&read(twice).create().err().unwrap())
                .at("headers")
                .is_some()
        );
    }

    #[test]
    fn a_header_stays_unless_another_value_is_typed_or_it_is_dropped() {
        let draft = read(
            "kept_name=x-a&kept_value=&kept_name=x-b&kept_value=new&kept_name=x-c&kept_value=&drop=x-c&rate=&description=",
        );
        let change = draft.change().unwrap();
        let headers = change.headers.unwrap();
        assert_eq!(headers.get("x-a"), None);
        assert_eq!(headers.get("x-b"), Some(&Some("new".to_owned())));
        assert_eq!(headers.get("x-c"), Some(&None));
        assert_eq!((change.rate, change.description), (Some(None), Some(None)));
    }
}
