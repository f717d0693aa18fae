//! An event with the payload that was kept of it, wherever that is: in the log, or with a dead letter.

use hookline_common::event::CreatedAt;
use hookline_common::ids::{CompanyId, EndpointId, EventId, EventType};
use serde_json::json;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::audit::{self, Actor, Deed};
use crate::connect::{Store, within};
use crate::deliveries::moment;
use crate::error::StoreError;
use crate::sent_again::claim;

/// What is known of an event.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptEvent {
    /// Its type.
    pub event_type: EventType,
    /// When it happened, where that was recorded.
    pub created_at: Option<CreatedAt>,
    /// The bytes that were published, where they were kept.
    pub data: Option<Vec<u8>>,
}

impl KeptEvent {
    /// Whether it can be published again as it was.
    fn is_whole(&self) -> bool {
        self.created_at.is_some() && self.data.is_some()
    }
}

/// From the log: with its payload where one of several rows has it.
const RECORDED: &str = "SELECT type, created_at, data FROM events WHERE company = $1 AND id = $2 \
                        ORDER BY (data IS NOT NULL) DESC, recorded_at DESC LIMIT 1";
/// Dead letters are kept whatever becomes of the log.
const FAILED: &str = "SELECT type, created_at, data FROM dead_letters WHERE company = $1 AND event = $2 \
                      ORDER BY failed_at DESC LIMIT 1";
/// That it was sent, at least.
const SENT: &str = "SELECT type, NULL::timestamptz AS created_at, NULL::bytea AS data FROM deliveries \
                    WHERE company = $1 AND event = $2 LIMIT 1";

impl Store {
    /// An event of a company, with its payload where it was kept; none where nobody knows of it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn kept_event(
        &self,
        company: &CompanyId,
        event: &EventId,
    ) -> Result<Option<KeptEvent>, StoreError> {
        within(async {
            let mut best = None;
            for text in [RECORDED, FAILED, SENT] {
                let query = sqlx::query(text).bind(company.as_str()).bind(event.as_str());
                let row = query.fetch_optional(&self.pool).await?;
                let Some(found) = row.as_ref().map(kept).transpose()? else {
                    continue;
                };
                if found.is_whole() {
                    return Ok(Some(found));
                }
                best = best.or(Some(found));
            }
            Ok(best)
        })
        .await
    }

    /// Writes down who sends an event again, and to which endpoint, if not to all that want it.
    ///
    /// # Errors
    /// [`StoreError::SentAgain`] where that was done within the last second.
    pub async fn note_replay(
        &self,
        company: &CompanyId,
        event: &EventId,
        endpoint: Option<&EndpointId>,
        actor: &Actor,
    ) -> Result<(), StoreError> {
        within(async {
            let mut transaction = self.begin().await?;
            claim(&mut transaction, company, event, endpoint).await?;
            let deed = Deed {
                company,
                actor,
                action: "event.replayed",
                object: event.as_str(),
                before: None,
                after: Some(json!({"endpoint": endpoint.map(EndpointId::as_str)})),
            };
            audit::record(&mut transaction, deed).await?;
            Ok(transaction.commit().await?)
        })
        .await
    }
}

fn kept(row: &PgRow) -> Result<KeptEvent, StoreError> {
    const BAD: StoreError = StoreError::Corrupt("event of the log");
    Ok(KeptEvent {
        event_type: EventType::parse(row.try_get("type")?).map_err(|_| BAD)?,
        created_at: moment(row, "created_at")?.and_then(|at| CreatedAt::parse(&at.to_string())),
        data: row.try_get("data")?,
    })
}
