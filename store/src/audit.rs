//! Who did what to what, before and after. Written in the same transaction as the change, and never changed itself.

use std::fmt;

use hookline_common::ids::CompanyId;
use jiff::Timestamp;
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::connect::{Store, within};
use crate::error::StoreError;
use crate::moment::Moment;
use crate::page::{Cursor, Page};

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// The operator.
    Admin,
    /// A company's token, by its id.
    Token(String),
    /// Hookline itself.
    Hookline,
    /// A company's people in the dashboard, by their session's id.
    Portal(String),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admin => f.write_str("admin"),
            Self::Token(id) => write!(f, "token:{id}"),
            Self::Hookline => f.write_str("hookline"),
            Self::Portal(id) => write!(f, "portal:{id}"),
        }
    }
}

/// One line of the audit.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    /// Its number; newer ones have higher ones.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who: `admin`, `token:<id>`, `portal:<id>` or `hookline`.
    pub actor: String,
    /// What: `endpoint.created`.
    pub action: String,
    /// To what: an endpoint's or a token's id.
    pub object: String,
    /// What it was before, masked.
    pub before: Option<Value>,
    /// What it became, masked.
    pub after: Option<Value>,
}

/// What is to be written down.
pub(crate) struct Deed<'a> {
    pub(crate) company: &'a CompanyId,
    pub(crate) actor: &'a Actor,
    pub(crate) action: &'static str,
    pub(crate) object: &'a str,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

/// Writes it down, in the transaction that does it. Both values must be masked already.
pub(crate) async fn record(transaction: &mut PgConnection, deed: Deed<'_>) -> Result<(), StoreError> {
    record_all(transaction, &[deed]).await
}

/// The same for many, in their order.
pub(crate) async fn record_all(transaction: &mut PgConnection, deeds: &[Deed<'_>]) -> Result<(), StoreError> {
    fn texts<T>(deeds: &[Deed<'_>], of: impl Fn(&Deed<'_>) -> T) -> Vec<T> {
        deeds.iter().map(of).collect()
    }
    let json = |value: &Option<Value>| value.as_ref().map(Value::to_string);
    sqlx::query(
        "INSERT INTO audit (company, actor, action, object, before, after) \
         SELECT company, actor, action, object, before::jsonb, after::jsonb \
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) \
         WITH ORDINALITY AS u (company, actor, action, object, before, after, nth) ORDER BY nth",
    )
    .bind(texts(deeds, |deed| deed.company.as_str().to_owned()))
    .bind(texts(deeds, |deed| deed.actor.to_string()))
    .bind(texts(deeds, |deed| deed.action))
    .bind(texts(deeds, |deed| deed.object.to_owned()))
    .bind(texts(deeds, |deed| json(&deed.before)))
    .bind(texts(deeds, |deed| json(&deed.after)))
    .execute(transaction)
    .await?;
    Ok(())
}

impl Store {
    /// A company's audit, the newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit(
        &self,
        company: &CompanyId,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<AuditEntry>, StoreError> {
        let query = sqlx::query(
            "SELECT id, at, actor, action, object, before::text AS before, after::text AS after FROM audit \
             WHERE company = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        )
        .bind(company.as_str())
        .bind(after.map_or(i64::MAX, |cursor| cursor.0))
        .bind(i64::from(limit) + 1);
        let rows = within(async { Ok(query.fetch_all(&self.pool).await?) }).await?;
        let entries = rows.iter().map(entry).collect::<Result<_, _>>()?;
        Ok(Page::of(entries, limit, |entry: &AuditEntry| entry.id))
    }
}

fn entry(row: &PgRow) -> Result<AuditEntry, StoreError> {
    let json = |column: &str| -> Result<Option<Value>, StoreError> {
        let text: Option<String> = row.try_get(column)?;
        let parsed = text.map(|text| serde_json::from_str(&text)).transpose();
        parsed.map_err(|_| StoreError::Corrupt("line of the audit"))
    };
    Ok(AuditEntry {
        id: row.try_get("id")?,
        at: row.try_get::<Moment, _>("at")?.0,
        actor: row.try_get("actor")?,
        action: row.try_get("action")?,
        object: row.try_get("object")?,
        before: json("before")?,
        after: json("after")?,
    })
}
