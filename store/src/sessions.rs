//! Who is signed in to the dashboard, and the links that sign somebody in once. Only hashes are kept, so nobody who reads
//! the database can be anybody. Into those of an operator's sessions goes the operator's credential, so that they are nobody's
//! once it is another one; with a link or a session that a company's own token has led to goes that token's id, likewise.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hookline_common::ids::CompanyId;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::audit::{self, Actor, Deed};
use crate::connect::{Store, within};
use crate::error::StoreError;
use crate::moment::Moment;
use crate::random;

/// What holds of a row whose company's token, where one of those has led to it, is good now.
macro_rules! whose_token_is_good {
    ($table:literal) => {
        concat!(
            "(",
            $table,
            ".token IS NULL OR EXISTS (SELECT 1 FROM tokens WHERE tokens.company = ",
            $table,
            ".company AND tokens.id = ",
            $table,
            ".token AND tokens.revoked_at IS NULL AND (tokens.expires_at IS NULL OR tokens.expires_at > now())))"
        )
    };
}

const RANDOM_BYTES: usize = 32;
const RANDOM_CHARS: usize = 43;

/// What a cookie or a link holds in clear. It exists once, in the answer that hands it over.
pub struct SessionKey(SecretString);

impl SessionKey {
    fn new() -> Result<Self, StoreError> {
        let text = URL_SAFE_NO_PAD.encode(random::bytes::<RANDOM_BYTES>()?);
        Ok(Self(text.into()))
    }

    /// A text of a key's shape, perhaps nobody's.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_key = text.len() == RANDOM_CHARS
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        is_key.then(|| Self(text.into()))
    }

    /// The text, for that answer alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.expose()).into()
    }

    /// What is kept of an operator's.
    fn hash_with(&self, operator: &OperatorCredential) -> [u8; 32] {
        let hash = Sha256::new().chain_update(operator.0);
        hash.chain_update(self.expose()).finalize().into()
    }

    /// What proves that a form came from a page of this session: it follows from the key, and the key not from it.
    #[must_use]
    pub fn form_proof(&self) -> String {
        let digest = Sha256::new()
            .chain_update(b"hookline form\0")
            .chain_update(self.expose())
            .finalize();
        URL_SAFE_NO_PAD.encode(digest)
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What an operator's sessions are bound to: a hash of the credential that they are opened with.
#[derive(Clone)]
pub struct OperatorCredential([u8; 32]);

impl OperatorCredential {
    /// By the credential in clear.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        let hash = Sha256::new().chain_update(b"hookline operator\0");
        Self(hash.chain_update(secret).finalize().into())
    }
}

impl fmt::Debug for OperatorCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How somebody signs in, and for how long.
#[derive(Debug)]
pub struct Entrance<'a> {
    /// What the operator's session is bound to.
    pub operator: &'a OperatorCredential,
    /// How long the operator's is good for.
    pub operator_for: Duration,
    /// How long a company's is.
    pub portal_for: Duration,
    /// The session that the browser has so far. It ends, as nothing shows it any more.
    pub replaced: Option<&'a SessionKey>,
}

/// Somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// What the audit calls it.
    pub id: String,
    /// The only company that it may see; none for the operator, who may see all.
    pub company: Option<CompanyId>,
    /// When it ends, used or not.
    pub expires_at: Timestamp,
}

impl Session {
    /// Who acts in it.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match self.company {
            None => Actor::Admin,
            Some(_) => Actor::Portal(self.id.clone()),
        }
    }
}

impl Store {
    /// Signs the operator in.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_operator_session(
        &self,
        entrance: &Entrance<'_>,
    ) -> Result<(Session, SessionKey), StoreError> {
        within(async {
            let mut transaction = self.begin().await?;
            let opened = open(&mut transaction, None, None, entrance).await?;
            transaction.commit().await?;
            Ok(opened)
        })
        .await
    }

    /// Who is signed in with this key now. Where it is the operator, they signed in with this credential; where a company's token
    /// has made the link, it is good still.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn session(
        &self,
        key: &SessionKey,
        operator: &OperatorCredential,
    ) -> Result<Option<Session>, StoreError> {
        let query = sqlx::query(concat!(
            "SELECT * FROM sessions \
             WHERE (hash = $1 AND company IS NOT NULL OR hash = $2 AND company IS NULL) AND expires_at > now() AND ",
            whose_token_is_good!("sessions")
        ))
        .bind(key.hash())
        .bind(key.hash_with(operator));
        let row = within(async { Ok(query.fetch_optional(&self.pool).await?) }).await?;
        row.map(|row| session(&row)).transpose()
    }

    /// Signs out. Where nobody was signed in nothing changes.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn close_session(
        &self,
        key: &SessionKey,
        operator: &OperatorCredential,
    ) -> Result<(), StoreError> {
        within(async {
            let mut transaction = self.begin().await?;
            close(&mut transaction, key, operator).await?;
            transaction.commit().await?;
            Ok(())
        })
        .await
    }

    /// Makes a link's last part, with which the operator (`company` is none) or a company's own people sign in once. That a
    /// company's was made stands in its audit.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn create_sign_in_link(
        &self,
        company: Option<&CompanyId>,
        lifetime: Duration,
        actor: &Actor,
    ) -> Result<(SessionKey, Timestamp), StoreError> {
        let key = SessionKey::new()?;
        let token = match actor {
            Actor::Token(id) => Some(id.as_str()),
            Actor::Admin | Actor::Hookline | Actor::Portal(_) => None,
        };
        let expires_at = within(async {
            let mut transaction = self.begin().await?;
            // Nobody else looks at those that were never used.
            sqlx::query("DELETE FROM sign_in_links WHERE expires_at < now()")
                .execute(&mut *transaction)
                .await?;
            let row = sqlx::query(
                "INSERT INTO sign_in_links (hash, company, expires_at, token) \
                 VALUES ($1, $2, now() + $3::bigint * interval '1 second', $4) RETURNING expires_at",
            )
            .bind(key.hash())
            .bind(company.map(CompanyId::as_str))
            .bind(seconds(lifetime))
            .bind(token)
            .fetch_one(&mut *transaction)
            .await?;
            let expires_at = row.try_get::<Moment, _>("expires_at")?.0;
            if let Some(company) = company {
                let deed = Deed {
                    company,
                    actor,
                    action: "portal_link.created",
                    object: "",
                    before: None,
                    after: Some(json!({"expires_at": expires_at.to_string()})),
                };
                audit::record(&mut transaction, deed).await?;
            }
            transaction.commit().await?;
            Ok(expires_at)
        })
        .await?;
        Ok((key, expires_at))
    }

    /// Whether a link could be used now. It is not used by that.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn is_good_link(&self, key: &SessionKey) -> Result<bool, StoreError> {
        let query = sqlx::query_scalar(concat!(
            "SELECT EXISTS (SELECT 1 FROM sign_in_links WHERE hash = $1 AND expires_at > now() AND ",
            whose_token_is_good!("sign_in_links"),
            ")"
        ))
        .bind(key.hash());
        within(async { Ok(query.fetch_one(&self.pool).await?) }).await
    }

    /// Signs in by a link, once, however many try at the same moment; `None` where it was used, has expired or never was, or the
    /// token that made it is no longer good.
    /// How long the session is good for depends on whether the link is the operator's or a company's.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn use_sign_in_link(
        &self,
        key: &SessionKey,
        entrance: &Entrance<'_>,
    ) -> Result<Option<(Session, SessionKey)>, StoreError> {
        within(async {
            let mut transaction = self.begin().await?;
            let row = sqlx::query(concat!(
                "DELETE FROM sign_in_links WHERE hash = $1 AND expires_at > now() AND ",
                whose_token_is_good!("sign_in_links"),
                " RETURNING company, token"
            ))
            .bind(key.hash())
            .fetch_optional(&mut *transaction)
            .await?;
            let Some(row) = row else {
                return Ok(None);
            };
            let company = company(&row)?;
            let token: Option<String> = row.try_get("token")?;
            let (session, key) = open(&mut transaction, company.as_ref(), token.as_deref(), entrance).await?;
            if let Some(company) = &company {
                let deed = Deed {
                    company,
                    actor: &session.actor(),
                    action: "portal.entered",
                    object: &session.id,
                    before: None,
                    after: Some(json!({"expires_at": session.expires_at.to_string()})),
                };
                audit::record(&mut transaction, deed).await?;
            }
            transaction.commit().await?;
            Ok(Some((session, key)))
        })
        .await
    }
}

async fn open(
    transaction: &mut PgConnection,
    company: Option<&CompanyId>,
    token: Option<&str>,
    entrance: &Entrance<'_>,
) -> Result<(Session, SessionKey), StoreError> {
    let key = SessionKey::new()?;
    let (hash, lifetime) = match company {
        Some(_) => (key.hash(), entrance.portal_for),
        None => (key.hash_with(entrance.operator), entrance.operator_for),
    };
    if let Some(replaced) = entrance.replaced {
        close(transaction, replaced, entrance.operator).await?;
    }
    sqlx::query("DELETE FROM sessions WHERE expires_at < now()")
        .execute(&mut *transaction)
        .await?;
    let row = sqlx::query(
        "INSERT INTO sessions (hash, id, company, expires_at, token) \
         VALUES ($1, $2, $3, now() + $4::bigint * interval '1 second', $5) RETURNING *",
    )
    .bind(hash)
    .bind(random::new_id("ses"))
    .bind(company.map(CompanyId::as_str))
    .bind(seconds(lifetime))
    .bind(token)
    .fetch_one(transaction)
    .await?;
    Ok((session(&row)?, key))
}

async fn close(
    connection: &mut PgConnection,
    key: &SessionKey,
    operator: &OperatorCredential,
) -> Result<(), StoreError> {
    let query = sqlx::query("DELETE FROM sessions WHERE hash IN ($1, $2)");
    let query = query.bind(key.hash()).bind(key.hash_with(operator));
    query.execute(connection).await?;
    Ok(())
}

fn seconds(lifetime: Duration) -> i64 {
    i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX)
}

fn session(row: &PgRow) -> Result<Session, StoreError> {
    Ok(Session {
        id: row.try_get("id")?,
        company: company(row)?,
        expires_at: row.try_get::<Moment, _>("expires_at")?.0,
    })
}

fn company(row: &PgRow) -> Result<Option<CompanyId>, StoreError> {
    let text: Option<String> = row.try_get("company")?;
    let company = text.map(|text| CompanyId::parse(&text)).transpose();
    company.map_err(|_| StoreError::Corrupt("session"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_a_shape_is_never_printed_and_does_not_follow_from_what_proves_a_form() {
        let key = SessionKey::new().unwrap();
        let same = SessionKey::parse(key.expose()).unwrap();
        assert_eq!(key.hash(), same.hash());
        assert_eq!(key.form_proof(), same.form_proof());
        assert_ne!(key.form_proof(), SessionKey::new().unwrap().form_proof());
        assert!(!key.form_proof().contains(key.expose()));
        assert_eq!(format!("{key:?}"), "***");
        let (one, other) = (OperatorCredential::of("one"), OperatorCredential::of("other"));
        assert_eq!(key.hash_with(&one), same.hash_with(&one));
        assert_ne!(key.hash_with(&one), key.hash_with(&other));
        assert_ne!(key.hash_with(&one), key.hash());
        assert_eq!(format!("{one:?}"), "***");
        for bad in [
            "",
            "a",
            &"a".repeat(44),
            &format!("{}=", "a".repeat(42)),
            &"é".repeat(43),
        ] {
            assert!(SessionKey::parse(bad).is_none(), "{bad}");
        }
    }
}
