//! A batch of the log, written down as the health of its endpoints, in the batch's own transaction.

use std::collections::{BTreeMap, HashMap};

use hookline_common::record::AttemptRecord;
use jiff::Timestamp;
use sqlx::{PgConnection, Row as _};

use super::fold::{EndpointHealth, Evidence, evidence};
use super::row::health;
use crate::error::StoreError;
use crate::moment::Moment;

/// Company and endpoint, in the order in which rows are locked.
type Key<'a> = (&'a str, &'a str);

/// Writes down what these attempts say of their endpoints; each must be told once only. Three statements, however many
/// records there are, and none where they say nothing.
///
/// Two who do so at the same time wait for each other at most: both make missing rows in the order of their keys, and then
/// lock all of theirs in that order.
pub(crate) async fn note(transaction: &mut PgConnection, new: &[&AttemptRecord]) -> Result<(), StoreError> {
    let mut attempts: BTreeMap<Key<'_>, Vec<(Timestamp, Evidence)>> = BTreeMap::new();
    for record in new {
        if let Some(evidence) = evidence(record) {
            let key = (record.company.as_str(), record.endpoint.as_str());
            attempts
                .entry(key)
                .or_default()
                .push((record.started_at, evidence));
        }
    }
    if attempts.is_empty() {
        return Ok(());
    }
    let keys: Vec<Key<'_>> = attempts.keys().copied().collect();
    make(transaction, &keys).await?;
    let known = lock(transaction, &keys).await?;
    let changed: Vec<(Key<'_>, EndpointHealth)> = attempts
        .iter()
        .filter_map(|(key, attempts)| {
            let (company, endpoint) = *key;
            let before = known.get(&(company.to_owned(), endpoint.to_owned()))?;
            let after = before.after(attempts);
            (after != *before).then_some((*key, after))
        })
        .collect();
    write(transaction, &changed).await
}

/// Makes rows that are missing. Endpoints that nobody has registered get none: there is nothing to disable of them, and
/// nobody would ever take their rows away.
async fn make(transaction: &mut PgConnection, keys: &[Key<'_>]) -> Result<(), StoreError> {
    let (companies, endpoints): (Vec<&str>, Vec<&str>) = keys.iter().copied().unzip();
    sqlx::query(
        "INSERT INTO endpoint_health (company, endpoint) \
         SELECT company, id FROM endpoints \
         WHERE (company, id) IN (SELECT * FROM unnest($1::text[], $2::text[])) \
         AND NOT EXISTS (SELECT FROM endpoint_health h WHERE (h.company, h.endpoint) = (endpoints.company, endpoints.id)) \
         ORDER BY company COLLATE \"C\", id COLLATE \"C\" ON CONFLICT DO NOTHING",
    )
    .bind(companies)
    .bind(endpoints)
    .execute(transaction)
    .await?;
    Ok(())
}

async fn lock(
    transaction: &mut PgConnection,
    keys: &[Key<'_>],
) -> Result<HashMap<(String, String), EndpointHealth>, StoreError> {
    let (companies, endpoints): (Vec<&str>, Vec<&str>) = keys.iter().copied().unzip();
    let rows = sqlx::query(
        "SELECT * FROM endpoint_health \
         WHERE (company, endpoint) IN (SELECT * FROM unnest($1::text[], $2::text[])) \
         ORDER BY company COLLATE \"C\", endpoint COLLATE \"C\" FOR UPDATE",
    )
    .bind(companies)
    .bind(endpoints)
    .fetch_all(transaction)
    .await?;
    let of_row = |row| {
        let row: &sqlx::postgres::PgRow = row;
        Ok(((row.try_get("company")?, row.try_get("endpoint")?), health(row)?))
    };
    rows.iter().map(of_row).collect()
}

async fn write(
    transaction: &mut PgConnection,
    changed: &[(Key<'_>, EndpointHealth)],
) -> Result<(), StoreError> {
    if changed.is_empty() {
        return Ok(());
    }
    let times = |of: fn(&EndpointHealth) -> Option<Timestamp>| -> Vec<Option<Moment>> {
        changed.iter().map(|(_, health)| of(health).map(Moment)).collect()
    };
    let (companies, endpoints): (Vec<&str>, Vec<&str>) = changed.iter().map(|(key, _)| *key).unzip();
    let failures = changed
        .iter()
        .map(|(_, health)| i64::try_from(health.consecutive_failures).unwrap_or(i64::MAX));
    sqlx::query(
        "UPDATE endpoint_health h SET consecutive_failures = n.failures, failing_since = n.failing_since, \
         last_success_at = n.last_success_at, last_failure_at = n.last_failure_at, gone_at = n.gone_at \
         FROM unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[], \
         $7::timestamptz[]) AS n (company, endpoint, failures, failing_since, last_success_at, last_failure_at, gone_at) \
         WHERE h.company = n.company AND h.endpoint = n.endpoint",
    )
    .bind(companies)
    .bind(endpoints)
    .bind(failures.collect::<Vec<_>>())
    .bind(times(|health| health.failing_since))
    .bind(times(|health| health.last_success_at))
    .bind(times(|health| health.last_failure_at))
    .bind(times(|health| health.gone_at))
    .execute(transaction)
    .await?;
    Ok(())
}
