//! Certificates: the last one of each endpoint, and whether one is being played. A company plays one at a time, over all
//! consoles.

use std::time::Duration;

use hookline_common::ids::{CompanyId, EndpointId};
use jiff::Timestamp;
use sqlx::{PgConnection, Row as _};

use crate::audit::{self, Actor, Deed};
use crate::connect::{Store, within};
use crate::endpoints::locked;
use crate::error::StoreError;
use crate::moment::Moment;
use crate::random::new_id;
use crate::registry::CompanyEndpoint;

/// A certificate that may be played now.
#[derive(Debug, Clone)]
pub struct CertificateRun {
    /// Its own id: what an older one still has to say is not written over it.
    pub run: String,
    /// Whom it is played against, with the keys that count now.
    pub endpoint: CompanyEndpoint,
}

/// Whether one may be played.
#[derive(Debug, Clone)]
pub enum CertificateStart {
    /// It may, and stands in the audit.
    Begun(Box<CertificateRun>),
    /// The company plays one already, against this endpoint.
    Busy(EndpointId),
}

/// A certificate, or as much as there is of it.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; none where it is being played, or was given up.
    pub finished_at: Option<Timestamp>,
    /// Whether it is being played.
    pub is_running: bool,
    /// What the console wrote of it.
    pub report: String,
}

/// Forgets what a removed endpoint had.
pub(crate) async fn forget(
    transaction: &mut PgConnection,
    company: &CompanyId,
    id: &EndpointId,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM certificates WHERE company = $1 AND endpoint = $2")
        .bind(company.as_str())
        .bind(id.as_str())
        .execute(transaction)
        .await?;
    Ok(())
}

impl Store {
    /// Begins a certificate of this endpoint that ends `within` that time. It takes the place of the last one.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn begin_certificate(
        &self,
        company: &CompanyId,
        id: &EndpointId,
        ends_within: Duration,
        actor: &Actor,
    ) -> Result<CertificateStart, StoreError> {
        within(async {
            let mut transaction = self.begin().await?;
            // Whoever begins one for the same company waits, so that the look for another one stays true.
            sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('hookline.certificates.' || $1, 0))")
                .bind(company.as_str())
                .execute(&mut *transaction)
                .await?;
            let row = locked(&mut transaction, company, id).await?;
            let busy: Option<String> = sqlx::query_scalar(
                "SELECT endpoint FROM certificates WHERE company = $1 AND finished_at IS NULL AND ends_by > now() LIMIT 1",
            )
            .bind(company.as_str())
            .fetch_optional(&mut *transaction)
            .await?;
            if let Some(other) = busy {
                let other = EndpointId::parse(&other).map_err(|_| StoreError::Corrupt("certificate"))?;
                return Ok(CertificateStart::Busy(other));
            }
            let run = new_id("crt");
            sqlx::query(
                "INSERT INTO certificates (company, endpoint, run, actor, started_at, ends_by, report) \
                 VALUES ($1, $2, $3, $4, now(), now() + make_interval(secs => $5), '') \
                 ON CONFLICT (company, endpoint) DO UPDATE SET run = excluded.run, actor = excluded.actor, \
                 started_at = excluded.started_at, ends_by = excluded.ends_by, finished_at = NULL, report = ''",
            )
            .bind(company.as_str())
            .bind(id.as_str())
            .bind(&run)
            .bind(actor.to_string())
            .bind(ends_within.as_secs_f64())
            .execute(&mut *transaction)
            .await?;
            let endpoint = self.open(row)?;
            let deed = Deed {
                company,
                actor,
                action: "endpoint.certified",
                object: id.as_str(),
                before: None,
                after: None,
            };
            audit::record(&mut transaction, deed).await?;
            transaction.commit().await?;
            Ok(CertificateStart::Begun(Box::new(CertificateRun { run, endpoint })))
        })
        .await
    }

    /// Writes down how far it has come, or what came of it. Where another one was begun since, or the endpoint was removed,
    /// nothing is written, and the answer says so.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_certificate(
        &self,
        company: &CompanyId,
        id: &EndpointId,
        run: &str,
        report: &str,
        is_finished: bool,
    ) -> Result<bool, StoreError> {
        let query = sqlx::query(
            "UPDATE certificates SET report = $4, finished_at = CASE WHEN $5 THEN now() END \
             WHERE company = $1 AND endpoint = $2 AND run = $3 AND finished_at IS NULL",
        )
        .bind(company.as_str())
        .bind(id.as_str())
        .bind(run)
        .bind(report)
        .bind(is_finished);
        let done = within(async { Ok(query.execute(&self.pool).await?) }).await?;
        Ok(done.rows_affected() > 0)
    }

    /// The endpoint's last certificate, if there is one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn certificate(
        &self,
        company: &CompanyId,
        id: &EndpointId,
    ) -> Result<Option<Certificate>, StoreError> {
        let query = sqlx::query(
            "SELECT started_at, finished_at, finished_at IS NULL AND ends_by > now() AS is_running, report \
             FROM certificates WHERE company = $1 AND endpoint = $2",
        )
        .bind(company.as_str())
        .bind(id.as_str());
        let row = within(async { Ok(query.fetch_optional(&self.pool).await?) }).await?;
        let Some(row) = row else { return Ok(None) };
        let finished_at: Option<Moment> = row.try_get("finished_at")?;
        Ok(Some(Certificate {
            started_at: row.try_get::<Moment, _>("started_at")?.0,
            finished_at: finished_at.map(|moment| moment.0),
            is_running: row.try_get("is_running")?,
            report: row.try_get("report")?,
        }))
    }
}
