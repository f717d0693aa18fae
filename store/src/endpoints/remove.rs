//! An endpoint that is no more.

use hookline_common::ids::{CompanyId, EndpointId};

use super::row::registered;
use crate::audit::{self, Actor, Deed};
use crate::connect::{Store, within};
use crate::error::StoreError;

impl Store {
    /// Removes an endpoint, its secrets with it. Dispatchers are told.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where the company has none of this id.
    pub async fn remove_endpoint(
        &self,
        company: &CompanyId,
        id: &EndpointId,
        actor: &Actor,
    ) -> Result<(), StoreError> {
        within(async {
            let mut transaction = self.begin().await?;
            let row = sqlx::query("DELETE FROM endpoints WHERE company = $1 AND id = $2 RETURNING *")
                .bind(company.as_str())
                .bind(id.as_str())
                .fetch_one(&mut *transaction)
                .await?;
            crate::health::forget(&mut transaction, company, id).await?;
            crate::certificates::forget(&mut transaction, company, id).await?;
            let deed = Deed {
                company,
                actor,
                action: "endpoint.removed",
                object: id.as_str(),
                before: Some(registered(&row)?.masked()),
                after: None,
            };
            audit::record(&mut transaction, deed).await?;
            transaction.commit().await?;
            Ok(())
        })
        .await
    }
}
