//! A new endpoint, within the number that a company may have, however many are created at once.

use hookline_common::endpoint::EventPattern;
use hookline_common::ids::CompanyId;
use sqlx::PgConnection;

use super::model::{NewEndpoint, Registered};
use super::row::registered;
use super::sealed::{SECRET, Sealer};
use crate::audit::{self, Actor, Deed};
use crate::connect::{Store, within};
use crate::error::StoreError;

impl Store {
    /// Registers an endpoint. Dispatchers are told.
    ///
    /// # Errors
    /// [`StoreError::LimitReached`] where the company has `limit` endpoints, [`StoreError::Exists`] where one has this id.
    pub async fn create_endpoint(
        &self,
        company: &CompanyId,
        new: &NewEndpoint,
        limit: u32,
        actor: &Actor,
    ) -> Result<Registered, StoreError> {
        within(async {
            let mut transaction = self.begin().await?;
            lock_registrations(&mut transaction, company).await?;
            need_room(&mut transaction, company, limit).await?;
            let created = self.insert(&mut transaction, company, new).await?;
            let deed = Deed {
                company,
                actor,
                action: "endpoint.created",
                object: created.id.as_str(),
                before: None,
                after: Some(created.masked()),
            };
            audit::record(&mut transaction, deed).await?;
            transaction.commit().await?;
            Ok(created)
        })
        .await
    }

    pub(super) async fn insert(
        &self,
        transaction: &mut PgConnection,
        company: &CompanyId,
        new: &NewEndpoint,
    ) -> Result<Registered, StoreError> {
        let sealer = Sealer {
            keyring: &self.keyring,
            company: company.as_str(),
            endpoint: new.id.as_str(),
        };
        let patterns = new.events.patterns().iter().map(EventPattern::as_str);
        let names = new.headers.iter().map(|header| header.name.as_str());
        let row = sqlx::query(
            "INSERT INTO endpoints \
             (company, id, url, format, events, header_names, headers, description, rate, disabled, secret) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING RETURNING *",
        )
        .bind(company.as_str())
        .bind(new.id.as_str())
        .bind(&new.url)
        .bind(new.format.as_str())
        .bind(patterns.collect::<Vec<_>>())
        .bind(names.collect::<Vec<_>>())
        .bind(sealer.seal_headers(&new.headers)?)
        .bind(&new.description)
        .bind(new.rate.map(|rate| rate.to_string()))
        .bind(new.disabled)
        .bind(sealer.seal_secret(SECRET, &new.secret)?)
        .fetch_optional(transaction)
        .await?;
        registered(&row.ok_or(StoreError::Exists)?)
    }
}

/// Whoever registers for the same company waits until this transaction has ended, so that what is counted stays true.
pub(super) async fn lock_registrations(
    transaction: &mut PgConnection,
    company: &CompanyId,
) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('hookline.endpoints.' || $1, 0))")
        .bind(company.as_str())
        .execute(transaction)
        .await?;
    Ok(())
}

/// How many endpoints a company has.
pub(super) async fn count(transaction: &mut PgConnection, company: &CompanyId) -> Result<i64, StoreError> {
    let count =
        sqlx::query_scalar("SELECT count(*) FROM endpoints WHERE company = $1").bind(company.as_str());
    Ok(count.fetch_one(transaction).await?)
}

async fn need_room(
    transaction: &mut PgConnection,
    company: &CompanyId,
    limit: u32,
) -> Result<(), StoreError> {
    if count(transaction, company).await? < i64::from(limit) {
        Ok(())
    } else {
        Err(StoreError::LimitReached { limit })
    }
}
