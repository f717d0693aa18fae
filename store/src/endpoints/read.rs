//! One endpoint, or a company's list.

use hookline_common::ids::{CompanyId, EndpointId};
use sqlx::PgConnection;

use super::model::Registered;
use super::row::{SealedRow, endpoints, registered, sealed_row};
use crate::connect::{Store, within};
use crate::error::StoreError;
use crate::page::{Cursor, Page};

impl Store {
    /// A company's endpoints, in the order in which they were registered.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn endpoints(
        &self,
        company: &CompanyId,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Registered>, StoreError> {
        let query = sqlx::query(endpoints!(
            "WHERE company = $1 AND position > $2 ORDER BY position LIMIT $3"
        ))
        .bind(company.as_str())
        .bind(after.map_or(-1, |cursor| cursor.0))
        .bind(i64::from(limit) + 1);
        let rows = within(async { Ok(query.fetch_all(&self.pool).await?) }).await?;
        let items = rows.iter().map(registered).collect::<Result<_, _>>()?;
        Ok(Page::of(items, limit, |endpoint: &Registered| endpoint.position))
    }

    /// One endpoint.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where the company has none of this id.
    pub async fn endpoint(&self, company: &CompanyId, id: &EndpointId) -> Result<Registered, StoreError> {
        let query = sqlx::query(endpoints!("WHERE company = $1 AND id = $2"))
            .bind(company.as_str())
            .bind(id.as_str());
        let row = within(async { Ok(query.fetch_one(&self.pool).await?) }).await?;
        registered(&row)
    }
}

/// One endpoint with all that is sealed, for a change in this transaction: nobody else changes it meanwhile.
pub(crate) async fn locked(
    transaction: &mut PgConnection,
    company: &CompanyId,
    id: &EndpointId,
) -> Result<SealedRow, StoreError> {
    let row = sqlx::query(endpoints!("WHERE company = $1 AND id = $2 FOR UPDATE"))
        .bind(company.as_str())
        .bind(id.as_str())
        .fetch_one(transaction)
        .await?;
    sealed_row(&row)
}
