//! An endpoint's secret: shown on request, rotated with an overlap, and the rotation completed.

use std::time::Duration;

use hookline_common::ids::{CompanyId, EndpointId};
use hookline_common::secret::Secret;
use jiff::Timestamp;
use serde_json::json;
use sqlx::{PgConnection, Row as _};

use super::read::locked;
use super::sealed::{PREVIOUS_SECRET, SECRET};
use crate::audit::{self, Actor, Deed};
use crate::connect::{Store, within};
use crate::error::StoreError;
use crate::moment::Moment;
use crate::random::new_secret;

/// How long the secret before a rotation counts as well: at most seven days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlap(Duration);

impl Overlap {
    /// The longest.
    pub const MAX: Duration = Duration::from_secs(7 * 24 * 3600);

    /// The overlap, if it is not too long. None at all revokes the old secret at once.
    #[must_use]
    pub fn new(duration: Duration) -> Option<Self> {
        (duration <= Self::MAX).then_some(Self(duration))
    }
}

/// What a rotation has made.
#[derive(Debug, Clone)]
pub struct Rotated {
    /// The new secret.
    pub secret: Secret,
    /// Until when the old one counts as well.
    pub overlap_until: Timestamp,
}

impl Store {
    /// The secret of an endpoint. That it was shown stands in the audit.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Seal`] where it cannot be opened.
    pub async fn reveal_secret(
        &self,
        company: &CompanyId,
        id: &EndpointId,
        actor: &Actor,
    ) -> Result<Secret, StoreError> {
        within(async {
            let mut transaction = self.begin().await?;
            let row = locked(&mut transaction, company, id).await?;
            let secret = row.sealer(&self.keyring).open_secret(SECRET, &row.secret)?;
            let deed = Deed {
                company,
                actor,
                action: "endpoint.secret_revealed",
                object: id.as_str(),
                before: None,
                after: None,
            };
            audit::record(&mut transaction, deed).await?;
            transaction.commit().await?;
            Ok(secret)
        })
        .await
    }

    /// Gives an endpoint a new secret; the old one counts as well until the overlap ends or is completed.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Rotating`] while the last rotation overlaps.
    pub async fn rotate_secret(
        &self,
        company: &CompanyId,
        id: &EndpointId,
        overlap: Overlap,
        actor: &Actor,
    ) -> Result<Rotated, StoreError> {
        let secret = new_secret()?;
        within(async {
            let mut transaction = self.begin().await?;
            let row = locked(&mut transaction, company, id).await?;
            let now = now(&mut transaction).await?;
            if let Some(until) = row.endpoint.overlap_until.filter(|until| *until > now) {
                return Err(StoreError::Rotating { until });
            }
            let sealer = row.sealer(&self.keyring);
            let overlap_until = now + overlap.0;
            let previous = if overlap.0.is_zero() {
                None
            } else {
                let previous = sealer.open_secret(SECRET, &row.secret)?;
                Some(sealer.seal_secret(PREVIOUS_SECRET, &previous)?)
            };
            sqlx::query(
                "UPDATE endpoints SET secret = $3, previous_secret = $4, overlap_until = $5, updated_at = now() \
                 WHERE company = $1 AND id = $2",
            )
            .bind(company.as_str())
            .bind(id.as_str())
            .bind(sealer.seal_secret(SECRET, &secret)?)
            .bind(&previous)
            .bind(previous.as_ref().map(|_| Moment(overlap_until)))
            .execute(&mut *transaction)
            .await?;
            let deed = Deed {
                company,
                actor,
                action: "endpoint.secret_rotated",
                object: id.as_str(),
                before: Some(json!({"overlap_until": told(row.endpoint.overlap_until)})),
                after: Some(json!({"overlap_until": told(Some(overlap_until))})),
            };
            audit::record(&mut transaction, deed).await?;
            transaction.commit().await?;
            Ok(Rotated {
                secret: secret.clone(),
                overlap_until,
            })
        })
        .await
    }

    /// Ends a rotation: from now on only the new secret counts. Where none overlaps nothing changes, and the audit does not grow.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn complete_rotation(
        &self,
        company: &CompanyId,
        id: &EndpointId,
        actor: &Actor,
    ) -> Result<(), StoreError> {
        within(async {
            let mut transaction = self.begin().await?;
            let row = locked(&mut transaction, company, id).await?;
            if row.previous_secret.is_none() {
                return Ok(());
            }
            sqlx::query(
                "UPDATE endpoints SET previous_secret = NULL, overlap_until = NULL, updated_at = now() \
                 WHERE company = $1 AND id = $2",
            )
            .bind(company.as_str())
            .bind(id.as_str())
            .execute(&mut *transaction)
            .await?;
            let deed = Deed {
                company,
                actor,
                action: "endpoint.rotation_completed",
                object: id.as_str(),
                before: Some(json!({"overlap_until": told(row.endpoint.overlap_until)})),
                after: Some(json!({"overlap_until": null})),
            };
            audit::record(&mut transaction, deed).await?;
            transaction.commit().await?;
            Ok(())
        })
        .await
    }
}

fn told(until: Option<Timestamp>) -> Option<String> {
    until.map(|until| until.to_string())
}

/// The database's clock, which all consoles share.
async fn now(transaction: &mut PgConnection) -> Result<Timestamp, StoreError> {
    let row = sqlx::query("SELECT now() AS now WHERE $1")
        .bind(true)
        .fetch_one(transaction)
        .await?;
    Ok(row.try_get::<Moment, _>("now")?.0)
}
