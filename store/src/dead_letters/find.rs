//! A page of dead letters, or one in full.

use hookline_common::ids::{CompanyId, EndpointId, EventId};
use hookline_common::message::FiledDelivery;
use sqlx::{Postgres, QueryBuilder};

use super::filter::DeadLetterFilter;
use super::model::{DeadLetter, filed, letter, letter_columns};
use crate::connect::{Store, within};
use crate::error::StoreError;
use crate::page::{Cursor, Page};

const ONE_IN_FULL: &str = concat!(
    "SELECT ",
    letter_columns!(),
    ", headers, data FROM dead_letters WHERE company = $1 AND event = $2 AND endpoint = $3 \
     ORDER BY failed_at DESC LIMIT 1"
);

impl Store {
    /// A company's dead letters that the filter lets through, the newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn dead_letters(
        &self,
        company: &CompanyId,
        filter: &DeadLetterFilter,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<DeadLetter>, StoreError> {
        let mut query =
            QueryBuilder::<Postgres>::new(concat!("SELECT ", letter_columns!(), " FROM dead_letters"));
        filter.push(&mut query, company);
        query
            .push(" AND position < ")
            .push_bind(after.map_or(i64::MAX, |cursor| cursor.0));
        query
            .push(" ORDER BY position DESC LIMIT ")
            .push_bind(i64::from(limit) + 1);
        let rows = within(async { Ok(query.build().fetch_all(&self.pool).await?) }).await?;
        let items = rows.iter().map(letter).collect::<Result<_, _>>()?;
        Ok(Page::of(items, limit, |letter: &DeadLetter| letter.position))
    }

    /// One dead letter, the newest where there are several, and what would be sent again.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where there is none.
    pub async fn dead_letter(
        &self,
        company: &CompanyId,
        event: &EventId,
        endpoint: &EndpointId,
    ) -> Result<(DeadLetter, FiledDelivery), StoreError> {
        let query = sqlx::query(ONE_IN_FULL)
            .bind(company.as_str())
            .bind(event.as_str())
            .bind(endpoint.as_str());
        let row = within(async { Ok(query.fetch_one(&self.pool).await?) }).await?;
        Ok((letter(&row)?, filed(company, &row)?))
    }
}
