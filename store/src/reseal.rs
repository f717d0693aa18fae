//! Everything that is sealed, sealed again under the newest key, so that the older ones can be taken away.

use hookline_common::ids::CompanyId;
use sqlx::Row as _;

use crate::connect::{Store, within};
use crate::endpoints::{ENDPOINTS_OF_COMPANIES, SealedRow, sealed_row};
use crate::error::StoreError;

/// What a run has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Endpoints of which something was sealed anew.
    pub changed: u64,
    /// All endpoints.
    pub all: u64,
}

impl Store {
    /// Seals all that is not under the newest key again, company by company. It can be stopped at any time and run again.
    ///
    /// # Errors
    /// [`StoreError::Seal`] where something cannot be opened; what was done before is kept.
    pub async fn reseal(&self) -> Result<Resealed, StoreError> {
        let mut done = Resealed::default();
        let mut last = String::new();
        loop {
            let query =
                sqlx::query("SELECT company FROM endpoints WHERE company > $1 ORDER BY company LIMIT 1")
                    .bind(&last);
            let row = within(async { Ok(query.fetch_optional(&self.pool).await?) }).await?;
            let Some(row) = row else { return Ok(done) };
            last = row.try_get("company")?;
            let company = CompanyId::parse(&last).map_err(|_| StoreError::Corrupt("company"))?;
            let of_company = within(self.reseal_company(&company)).await?;
            done.changed += of_company.changed;
            done.all += of_company.all;
        }
    }

    async fn reseal_company(&self, company: &CompanyId) -> Result<Resealed, StoreError> {
        let mut done = Resealed::default();
        let rows = sqlx::query(ENDPOINTS_OF_COMPANIES)
            .bind([company.as_str()])
            .fetch_all(&self.pool)
            .await?;
        for row in &rows {
            done.all += 1;
            done.changed += u64::from(self.reseal_endpoint(&sealed_row(row)?).await?);
        }
        Ok(done)
    }

    /// Writes only over what was read, so that a rotation in the same moment is not undone. Whoever made that has sealed
    /// with the newest key already.
    async fn reseal_endpoint(&self, row: &SealedRow) -> Result<bool, StoreError> {
        let sealer = row.sealer(&self.keyring);
        let secret = sealer.reseal("secret", &row.secret)?;
        let again = |purpose, blob: &Option<Vec<u8>>| match blob {
            Some(blob) => sealer.reseal(purpose, blob),
            None => Ok(None),
        };
        let previous = again("previous_secret", &row.previous_secret)?;
        let headers = again("headers", &row.headers)?;
        if secret.is_none() && previous.is_none() && headers.is_none() {
            return Ok(false);
        }
        sqlx::query(
            "UPDATE endpoints SET secret = COALESCE($6, secret), previous_secret = COALESCE($7, previous_secret), \
             headers = COALESCE($8, headers) WHERE company = $1 AND id = $2 AND secret = $3 \
             AND previous_secret IS NOT DISTINCT FROM $4 AND headers IS NOT DISTINCT FROM $5",
        )
        .bind(row.endpoint.company.as_str())
        .bind(row.endpoint.id.as_str())
        .bind(&row.secret)
        .bind(&row.previous_secret)
        .bind(&row.headers)
        .bind(secret)
        .bind(previous)
        .bind(headers)
        .execute(&self.pool)
        .await?;
        Ok(true)
    }
}
