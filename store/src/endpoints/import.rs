//! Many endpoints at once, as a file says: what is missing is created, what differs is changed, the rest stays.

use std::collections::HashMap;

use hookline_common::ids::CompanyId;
use hookline_common::secret::Secret;
use serde_json::Value;
use sqlx::PgConnection;

use super::change::update;
use super::create::{count, lock_registrations};
use super::model::{NewEndpoint, Registered};
use super::row::{SealedRow, endpoints, sealed_row};
use super::sealed::{PREVIOUS_SECRET, SECRET};
use super::secrets::Overlap;
use crate::audit::{self, Actor, Deed};
use crate::connect::{Store, within};
use crate::error::StoreError;

/// An endpoint of a file.
#[derive(Debug, Clone)]
pub struct ImportedEndpoint {
    /// What it is.
    pub endpoint: NewEndpoint,
    /// The secret that counts as well, for as long as an overlap may last.
    pub previous_secret: Option<Secret>,
}

/// What became of one of them, or would become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportOutcome {
    /// It was not there.
    Created,
    /// It was there, and different.
    Changed,
    /// It was there as the file has it.
    Unchanged,
    /// The company has as many as it may have.
    LimitReached,
}

/// What the company has of it already, read in one go, as a file may have hundreds.
struct There {
    known: HashMap<String, SealedRow>,
    /// How many more it may have.
    room: u32,
}

/// An endpoint that is changed, for the audit: what it was, masked, and what it is.
struct Change {
    before: Option<Value>,
    after: Registered,
}

impl There {
    async fn read(
        transaction: &mut PgConnection,
        company: &CompanyId,
        wanted: &[ImportedEndpoint],
        limit: u32,
    ) -> Result<Self, StoreError> {
        let ids: Vec<&str> = wanted.iter().map(|wanted| wanted.endpoint.id.as_str()).collect();
        // In one order, so that two imports do not wait for each other.
        let rows = sqlx::query(endpoints!(
            "WHERE company = $1 AND id = ANY($2) ORDER BY id FOR UPDATE"
        ))
        .bind(company.as_str())
        .bind(ids)
        .fetch_all(&mut *transaction)
        .await?;
        let rows = rows.iter().map(sealed_row).collect::<Result<Vec<_>, _>>()?;
        let known = rows.into_iter().map(|row| (row.endpoint.id.to_string(), row));
        let count = u32::try_from(count(transaction, company).await?).unwrap_or(u32::MAX);
        Ok(Self {
            known: known.collect(),
            room: limit.saturating_sub(count),
        })
    }
}

impl Store {
    /// Brings a company's endpoints in line with those of a file, all in one transaction; others that it has stay. A dry
    /// run does the same and takes it back.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is kept then.
    pub async fn import_endpoints(
        &self,
        company: &CompanyId,
        wanted: &[ImportedEndpoint],
        limit: u32,
        is_dry_run: bool,
        actor: &Actor,
    ) -> Result<Vec<ImportOutcome>, StoreError> {
        within(async {
            let mut transaction = self.begin().await?;
            lock_registrations(&mut transaction, company).await?;
            let mut there = There::read(&mut transaction, company, wanted, limit).await?;
            let mut outcomes = Vec::with_capacity(wanted.len());
            let mut changes = Vec::new();
            for wanted in wanted {
                let outcome = self
                    .import_one(&mut transaction, company, wanted, &mut there, &mut changes)
                    .await?;
                outcomes.push(outcome);
            }
            let deeds: Vec<Deed<'_>> = changes
                .iter()
                .map(|Change { before, after }| Deed {
                    company,
                    actor,
                    action: "endpoint.imported",
                    object: after.id.as_str(),
                    before: before.clone(),
                    after: Some(after.masked()),
                })
                .collect();
            audit::record_all(&mut transaction, &deeds).await?;
            if is_dry_run {
                transaction.rollback().await?;
            } else {
                transaction.commit().await?;
            }
            Ok(outcomes)
        })
        .await
    }

    async fn import_one(
        &self,
        transaction: &mut PgConnection,
        company: &CompanyId,
        wanted: &ImportedEndpoint,
        there: &mut There,
        changes: &mut Vec<Change>,
    ) -> Result<ImportOutcome, StoreError> {
        let found = there.known.get(wanted.endpoint.id.as_str());
        let (outcome, before) = match found {
            Some(found) if self.is_the_same(found, wanted)? => return Ok(ImportOutcome::Unchanged),
            Some(found) => (ImportOutcome::Changed, Some(found.endpoint.masked())),
            None if there.room == 0 => return Ok(ImportOutcome::LimitReached),
            None => {
                there.room -= 1;
                (ImportOutcome::Created, None)
            }
        };
        let before_import = found.map(|found| found.endpoint.clone());
        let after = match found {
            None => self.insert(transaction, company, &wanted.endpoint).await?,
            Some(found) => self.overwrite(transaction, found, &wanted.endpoint).await?,
        };
        if found.is_some() || wanted.previous_secret.is_some() {
            self.write_secrets(transaction, &after, wanted).await?;
        }
        // As a change does: whoever enables it, or sends it elsewhere, says that what was wrong is mended.
        let starts_afresh = before_import
            .is_some_and(|before| (before.disabled && !after.disabled) || before.url != after.url);
        if starts_afresh {
            crate::health::forget_failures(transaction, company, &after.id).await?;
        }
        changes.push(Change { before, after });
        Ok(outcome)
    }

    /// Everything but the secrets.
    async fn overwrite(
        &self,
        transaction: &mut PgConnection,
        found: &SealedRow,
        wanted: &NewEndpoint,
    ) -> Result<Registered, StoreError> {
        let endpoint = Registered {
            url: wanted.url.clone(),
            format: wanted.format,
            events: wanted.events.clone(),
            header_names: wanted.headers.iter().map(|header| header.name.clone()).collect(),
            rate: wanted.rate,
            disabled: wanted.disabled,
            disabled_reason: None,
            ..found.endpoint.clone()
        };
        let headers = found.sealer(&self.keyring).seal_headers(&wanted.headers)?;
        update(transaction, &endpoint, headers).await
    }

    async fn write_secrets(
        &self,
        transaction: &mut PgConnection,
        endpoint: &Registered,
        wanted: &ImportedEndpoint,
    ) -> Result<(), StoreError> {
        let sealer = super::sealed::Sealer {
            keyring: &self.keyring,
            company: endpoint.company.as_str(),
            endpoint: endpoint.id.as_str(),
        };
        let previous = wanted.previous_secret.as_ref();
        let previous = previous.map(|previous| sealer.seal_secret(PREVIOUS_SECRET, previous));
        sqlx::query(
            "UPDATE endpoints SET secret = $3, previous_secret = $4, \
             overlap_until = CASE WHEN $4::bytea IS NULL THEN NULL ELSE now() + $5::bigint * interval '1 second' END \
             WHERE company = $1 AND id = $2",
        )
        .bind(endpoint.company.as_str())
        .bind(endpoint.id.as_str())
        .bind(sealer.seal_secret(SECRET, &wanted.endpoint.secret)?)
        .bind(previous.transpose()?)
        .bind(i64::try_from(Overlap::MAX.as_secs()).unwrap_or(i64::MAX))
        .execute(transaction)
        .await?;
        Ok(())
    }

    /// Whether there is nothing to change. A file has no descriptions, so these are left alone.
    fn is_the_same(&self, found: &SealedRow, wanted: &ImportedEndpoint) -> Result<bool, StoreError> {
        let sealer = found.sealer(&self.keyring);
        let (there, file) = (&found.endpoint, &wanted.endpoint);
        let same_settings = there.url == file.url
            && there.format == file.format
            && there.events == file.events
            && there.rate == file.rate
            && there.disabled == file.disabled;
        if !same_settings || sealer.open_headers(found.headers.as_deref())? != file.headers {
            return Ok(false);
        }
        let secret = sealer.open_secret(SECRET, &found.secret)?;
        let previous = found.previous_secret.as_deref();
        let previous = previous.map(|blob| sealer.open_secret(PREVIOUS_SECRET, blob));
        let same_previous = match (previous.transpose()?, &wanted.previous_secret) {
            (None, None) => true,
            (Some(there), Some(file)) => is_equal(&there, file),
            _ => false,
        };
        Ok(same_previous && is_equal(&secret, &file.secret))
    }
}

/// In the same time wherever they differ.
fn is_equal(one: &Secret, other: &Secret) -> bool {
    use subtle::ConstantTimeEq as _;
    one.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
}
