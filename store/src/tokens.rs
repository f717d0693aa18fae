//! A company's own tokens. Only their hashes are kept, so nobody who reads the database can use one.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hookline_common::ids::CompanyId;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::audit::{self, Actor, Deed};
use crate::connect::{Store, within};
use crate::error::StoreError;
use crate::moment::Moment;
use crate::page::{Cursor, Page};
use crate::random;

/// What a token begins with, so that one that was published by mistake can be found.
const PREFIX: &str = "hkl_";
const RANDOM_BYTES: usize = 32;
const RANDOM_CHARS: usize = 43;
const CHECKSUM_CHARS: usize = 8;

/// A token in clear: `hkl_`, 43 random characters, 8 of a checksum. It exists once, in the answer that hands it over.
pub struct TokenText(SecretString);

impl TokenText {
    fn new() -> Result<Self, StoreError> {
        let random = URL_SAFE_NO_PAD.encode(random::bytes::<RANDOM_BYTES>()?);
        let text = format!("{PREFIX}{random}{}", checksum(&random));
        Ok(Self(text.into()))
    }

    /// The token, for that answer alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The start of the random part's hash: a mistyped token is told from a wrong one without a look at the database.
fn checksum(random: &str) -> String {
    let digest = Sha256::new()
        .chain_update(b"hookline token\0")
        .chain_update(random)
        .finalize();
    URL_SAFE_NO_PAD
        .encode(digest)
        .chars()
        .take(CHECKSUM_CHARS)
        .collect()
}

/// A token as somebody presents it: of the right shape, and perhaps nobody's. Only its hash is kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PresentedToken([u8; 32]);

impl PresentedToken {
    /// Takes a text of a token's shape.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (random, sum) = text.strip_prefix(PREFIX)?.split_at_checked(RANDOM_CHARS)?;
        (checksum(random) == sum).then(|| Self(Sha256::digest(text).into()))
    }
}

/// A token as it is kept.
#[derive(Debug, Clone)]
pub struct Token {
    /// Whose it is.
    pub company: CompanyId,
    /// Its id.
    pub id: String,
    /// What it is for, in its owner's words.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to within a minute.
    pub last_used_at: Option<Timestamp>,
    position: i64,
}

/// A token that is to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What it is for, without control characters.
    pub name: String,
    /// How long it is good for; without end where there is none.
    pub lifetime: Option<Duration>,
}

impl Store {
    /// Makes a token for a company. Its text is handed over once, here.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn create_token(
        &self,
        company: &CompanyId,
        new: &NewToken,
        actor: &Actor,
    ) -> Result<(Token, TokenText), StoreError> {
        let text = TokenText::new()?;
        let id = random::new_id("tok");
        let lifetime_s = new
            .lifetime
            .map(|lifetime| i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX));
        let token = within(async {
            let mut transaction = self.begin().await?;
            let row = sqlx::query(
                "INSERT INTO tokens (company, id, name, hash, expires_at) \
                 VALUES ($1, $2, $3, $4, now() + $5::bigint * interval '1 second') RETURNING *",
            )
            .bind(company.as_str())
            .bind(&id)
            .bind(&new.name)
            .bind(Sha256::digest(text.expose()).to_vec())
            .bind(lifetime_s)
            .fetch_one(&mut *transaction)
            .await?;
            let token = token(&row)?;
            let after = json!({"name": token.name, "expires_at": token.expires_at.map(|at| at.to_string())});
            let deed = Deed {
                company,
                actor,
                action: "token.created",
                object: &token.id,
                before: None,
                after: Some(after),
            };
            audit::record(&mut transaction, deed).await?;
            transaction.commit().await?;
            Ok(token)
        })
        .await?;
        Ok((token, text))
    }

    /// A company's tokens, in the order in which they were made; revoked ones, too.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tokens(
        &self,
        company: &CompanyId,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Token>, StoreError> {
        let query = sqlx::query(
            "SELECT * FROM tokens WHERE company = $1 AND position > $2 ORDER BY position LIMIT $3",
        )
        .bind(company.as_str())
        .bind(after.map_or(-1, |cursor| cursor.0))
        .bind(i64::from(limit) + 1);
        let rows = within(async { Ok(query.fetch_all(&self.pool).await?) }).await?;
        let items = rows.iter().map(token).collect::<Result<_, _>>()?;
        Ok(Page::of(items, limit, |token: &Token| token.position))
    }

    /// Revokes a token: from now on it is nobody's.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where the company has none of this id that is not revoked.
    pub async fn revoke_token(&self, company: &CompanyId, id: &str, actor: &Actor) -> Result<(), StoreError> {
        within(async {
            let mut transaction = self.begin().await?;
            let row = sqlx::query(
                "UPDATE tokens SET revoked_at = now() WHERE company = $1 AND id = $2 AND revoked_at IS NULL RETURNING *",
            )
            .bind(company.as_str())
            .bind(id)
            .fetch_one(&mut *transaction)
            .await?;
            let token = token(&row)?;
            let deed = Deed {
                company,
                actor,
                action: "token.revoked",
                object: &token.id,
                before: Some(json!({"name": token.name})),
                after: None,
            };
            audit::record(&mut transaction, deed).await?;
            transaction.commit().await?;
            Ok(())
        })
        .await
    }

    /// Whose a token is, and its id, if it is good now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_token(
        &self,
        presented: PresentedToken,
    ) -> Result<Option<(CompanyId, String)>, StoreError> {
        within(async {
            let row = sqlx::query(
                "SELECT company, id, COALESCE(last_used_at < now() - interval '1 minute', true) AS is_due FROM tokens \
                 WHERE hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())",
            )
            .bind(presented.0.to_vec())
            .fetch_optional(&self.pool)
            .await?;
            let Some(row) = row else { return Ok(None) };
            let (company, id) = (company(&row)?, row.try_get("id")?);
            if row.try_get("is_due")? {
                self.note_use(&company, &id).await?;
            }
            Ok(Some((company, id)))
        })
        .await
    }

    /// A token in use is written once a minute at most, and not at all where nothing can be written: it is good all the same.
    async fn note_use(&self, company: &CompanyId, id: &String) -> Result<(), StoreError> {
        let query = sqlx::query(
            "UPDATE tokens SET last_used_at = now() WHERE company = $1 AND id = $2 \
             AND COALESCE(last_used_at < now() - interval '1 minute', true)",
        )
        .bind(company.as_str())
        .bind(id);
        match query.execute(&self.pool).await.map_err(StoreError::from) {
            // It was found just now. A disk that is full, or whatever else keeps the database from writing, is no fault of it.
            Ok(_) | Err(StoreError::ReadOnly | StoreError::Unavailable(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn company(row: &PgRow) -> Result<CompanyId, StoreError> {
    CompanyId::parse(row.try_get("company")?).map_err(|_| StoreError::Corrupt("company"))
}

fn token(row: &PgRow) -> Result<Token, StoreError> {
    let moment = |column: &str| -> Result<Option<Timestamp>, StoreError> {
        Ok(row.try_get::<Option<Moment>, _>(column)?.map(|moment| moment.0))
    };
    Ok(Token {
        company: company(row)?,
        id: row.try_get("id")?,
        position: row.try_get("position")?,
        name: row.try_get("name")?,
        created_at: row.try_get::<Moment, _>("created_at")?.0,
        expires_at: moment("expires_at")?,
        revoked_at: moment("revoked_at")?,
        last_used_at: moment("last_used_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_recognised_and_a_mistyped_one_is_not() {
        let token = TokenText::new().unwrap();
        let text = token.expose();
        assert!(PresentedToken::parse(text).is_some());
        for at in 0..text.len() {
            let mut changed = text.as_bytes().to_vec();
            changed[at] = if changed[at] == b'x' { b'y' } else { b'x' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(PresentedToken::parse(&changed).is_none(), "{at}");
        }
        for bad in ["", "hkl_", &text[..text.len() - 1], &format!("{text}x"), "hkl_é"] {
            assert!(PresentedToken::parse(bad).is_none(), "{bad}");
        }
        assert_eq!(format!("{token:?}"), "***");
    }
}
