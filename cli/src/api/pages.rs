//! A list of the API, page after page to its end.

use hookline_common::ids::CompanyId;
use reqwest::Method;
use serde::Deserialize;
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
    cursor: Option<String>,
    is_over: bool,
}

impl<'a> Pages<'a> {
    /// The company's `list`: `endpoints`, `tokens`.
    pub(crate) fn of(api: &'a Api, company: &'a CompanyId, list: &'static str) -> Self {
        Self {
            api,
            company,
            list,
            cursor: None,
            is_over: false,
        }
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
        ask = ask.query("limit", ROWS_A_PAGE);
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
