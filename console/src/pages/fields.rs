//! What a form holds: names and values as a browser sends them, each name perhaps several times.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use url::form_urlencoded;

use super::refused::Refused;
use crate::problem::Problem;

/// The name under which every form of ours proves that it came from one of our pages.
pub(super) const PROOF: &str = "csrf";

/// The fields of a form, or of a query.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The first value of this name, without whitespace around it; empty where there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.trim()).unwrap_or_default()
    }

    /// The same, unless it is empty.
    pub(super) fn given(&self, name: &str) -> Option<String> {
        let text = self.text(name);
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// All values of this name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + use<'a> {
        let ours = self.0.iter().filter(move |(known, _)| known == name);
        ours.map(|(_, value)| value.trim())
    }

    /// Whether one has this name and value: of a box that was ticked.
    pub(super) fn has(&self, name: &str, value: &str) -> bool {
        self.all(name).any(|known| known == value)
    }
}

/// The form of a request whose row in the table of pages is a `POST`; it was read on the way in.
impl<S: Sync> FromRequestParts<S> for Fields {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let fields = parts.extensions.get::<Self>().cloned();
        Ok(fields.ok_or_else(|| {
            tracing::error!("a page takes a form, and its method brings none");
            Problem::internal()
        })?)
    }
}

/// What stands behind the `?`.
pub(super) struct Search(pub(super) Fields);

impl<S: Sync> FromRequestParts<S> for Search {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self(Fields::parse(query.as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_come_several_times_and_broken_text_breaks_nothing() {
        let fields = Fields::parse(b"a=1&b=+x%20&a=2&c&%ff=%zz&=");
        assert_eq!(
            (fields.text("a"), fields.text("b"), fields.text("none")),
            ("1", "x", "")
        );
        assert_eq!(fields.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert!(fields.has("a", "2") && !fields.has("a", "3"));
        assert_eq!(
            (fields.given("c"), fields.given("b").as_deref()),
            (None, Some("x"))
        );
    }
}
