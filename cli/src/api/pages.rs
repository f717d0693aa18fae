//! A list of the API, page after page to its end.

use hookline_common::ids::CompanyId;
use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::client::Api;
use super::error::ApiError;

/// Rows of a page: as many as the API gives at most.
const ROWS_A_PAGE: &str = "200";

#[derive(Deserialize)]
struct Page {
    data: Vec<Box<RawValue>>,
    next: Option<String>,
}

/// The rows of a list, as the console wrote them.
pub(crate) struct Pages<'a> {
    api: &'a Api,
    company: &'a CompanyId,
    list: &'static str,
    query: Vec<(&'static str, String)>,
    cursor: Option<String>,
    is_over: bool,
}

impl<'a> Pages<'a> {
    /// The company's `list`: `endpoints`, `tokens`.
    pub(crate) fn of(api: &'a Api, company: &'a CompanyId, list: &'static str) -> Self {
        let mut pages = Self::whole(api, company, list);
        pages.query.push(("limit", ROWS_A_PAGE.to_owned()));
        pages
    }

    /// A list that always comes on one page.
    pub(crate) fn whole(api: &'a Api, company: &'a CompanyId, list: &'static str) -> Self {
        Self {
            api,
            company,
            list,
            query: Vec::new(),
            cursor: None,
            is_over: false,
        }
    }

    /// Only those of which this is so, where it is given.
    pub(crate) fn with(mut self, name: &'static str, value: Option<&impl ToString>) -> Self {
        self.query.extend(value.map(|value| (name, value.to_string())));
        self
    }

    /// One of the rows.
    ///
    /// # Errors
    /// [`ApiError`], where it is not what it should be.
    pub(crate) fn read<View: DeserializeOwned>(&self, row: &RawValue) -> Result<View, ApiError> {
        self.api.read(row.get())
    }

    /// The rows of the next page, or nothing at the end.
    ///
    /// # Errors
    /// [`ApiError`].
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Box<RawValue>>>, ApiError> {
        if self.is_over {
            return Ok(None);
        }
        let mut ask = self.api.ask(Method::GET, self.company, &[self.list]);
        for (name, value) in &self.query {
            ask = ask.query(name, value);
        }
        if let Some(cursor) = &self.cursor {
            ask = ask.query("cursor", cursor);
        }
        let page: Page = self.api.answer(ask).await?.read()?;
        if page.next.is_some() && page.next == self.cursor {
            return Err(self.api.unreadable("the list comes back to the same page"));
        }
        self.is_over = page.next.is_none();
        self.cursor = page.next;
        Ok(Some(page.data))
    }
}
