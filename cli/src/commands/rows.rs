//! A list of the console's, printed: a table for people, one JSON object a line for programs.

use serde::de::DeserializeOwned;

use crate::api::Pages;
use crate::error::CliError;
use crate::out::{self, Out};
use crate::table::{Column, Table};
use crate::text::json_line;

/// How a list is printed.
pub(crate) struct Rows {
    pub(crate) columns: &'static [Column],
    pub(crate) as_json: bool,
    /// Rows at most; all of them where there is none.
    pub(crate) limit: Option<u32>,
    /// What people are told where there is no row.
    pub(crate) nothing: String,
}

impl Rows {
    /// Prints a row for each, made by `cells`. Returns whether there are more than the limit.
    ///
    /// # Errors
    /// [`CliError`], also where the console's answer cannot be read.
    pub(crate) async fn print<View: DeserializeOwned>(
        self,
        mut pages: Pages<'_>,
        cells: impl Fn(&View) -> Vec<String>,
    ) -> Result<bool, CliError> {
        let mut out = Out::new().until_unread();
        let mut table = Table::new(self.columns, out.terminal);
        let (mut count, mut has_more) = (0_u32, false);
        'pages: while let Some(rows) = pages.next().await? {
            for row in rows {
                if self.limit == Some(count) {
                    has_more = true;
                    break 'pages;
                }
                count += 1;
                if self.as_json {
                    out.line(&json_line(row.get()))?;
                } else {
                    table.row(cells(&pages.read(&row)?), &mut out)?;
                }
            }
        }
        table.finish(&mut out)?;
        out.flush()?;
        if count == 0 && !self.as_json {
            out::note(&self.nothing);
        }
        Ok(has_more)
    }
}
