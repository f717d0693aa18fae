//! A company's events in the order in which they were recorded, for receivers that were away.
//!
//! An event that is recorded later has a higher position, and positions become visible in their order, so that whoever goes on
//! behind the last one that it saw misses none.

use std::fmt;

use hookline_common::event::CreatedAt;
use hookline_common::ids::{CompanyId, EventId, EventType};
use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::connect::{Store, within};
use crate::deliveries::moment;
use crate::error::StoreError;
use crate::page::hex;

/// A place in a company's feed: behind an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FeedCursor(i64);

impl FeedCursor {
    /// Reads what its `Display` wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        hex(text.strip_prefix('e')?).map(Self)
    }
}

impl fmt::Display for FeedCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e{:x}", self.0)
    }
}

/// An event of the feed.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedEvent {
    position: i64,
    /// The event.
    pub id: EventId,
    /// Its type.
    pub event_type: EventType,
    /// When it happened, where that was recorded.
    pub created_at: Option<CreatedAt>,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// The bytes that were published, where they were kept.
    pub data: Option<Vec<u8>>,
}

/// What a feed has behind a cursor.
#[derive(Debug, Clone, PartialEq)]
pub enum Feed {
    /// Events, and where to go on; there may be none yet.
    Events {
        /// In the order in which they were recorded.
        events: Vec<FeedEvent>,
        /// Behind the last of them.
        next: FeedCursor,
    },
    /// Events behind the cursor were dropped, as they were too old.
    Dropped,
    /// No feed of this database has come so far.
    Unknown,
}

/// Payloads of one page, in bytes: the page ends with the event that passes it. A page is in memory until its reader has it,
/// and readers may be many and slow.
const PAGE_BYTES: i64 = 1 << 20;

const EVENTS: &str = "\
SELECT position, id, type, created_at, recorded_at, data FROM (
    SELECT page.*, sum(COALESCE(octet_length(data), 0)) OVER (ORDER BY position)
        - COALESCE(octet_length(data), 0) AS bytes_before
    FROM (
        SELECT position, id, type, created_at, recorded_at, data FROM events
        WHERE company = $1 AND position > $2 AND NOT is_test ORDER BY position LIMIT $3
    ) page
) weighed WHERE bytes_before < $4 ORDER BY position";

/// How far this feed was dropped, and all feeds have come.
const BOUNDS: &str = "SELECT COALESCE((SELECT position FROM events_dropped WHERE company = $1), 0) AS dropped, \
                      (SELECT last_value FROM events_position) AS last";

impl Store {
    /// The events of a company behind `after`, or the oldest that are kept: `limit` of them at most, and fewer where they
    /// are large.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn feed(
        &self,
        company: &CompanyId,
        after: Option<FeedCursor>,
        limit: u32,
    ) -> Result<Feed, StoreError> {
        let events = sqlx::query(EVENTS)
            .bind(company.as_str())
            .bind(after.map_or(0, |after| after.0))
            .bind(i64::from(limit))
            .bind(PAGE_BYTES)
            .persistent(false);
        let bounds = sqlx::query(BOUNDS).bind(company.as_str());
        let (rows, bounds) = within(async {
            let rows = events.fetch_all(&self.pool).await?;
            // Afterwards: what is dropped is noted with it, so that nothing can be missing above of which this does not know.
            Ok((rows, bounds.fetch_one(&self.pool).await?))
        })
        .await?;
        let (dropped, last): (i64, i64) = (bounds.try_get("dropped")?, bounds.try_get("last")?);
        if after.is_some_and(|after| after.0 < dropped) {
            return Ok(Feed::Dropped);
        }
        if after.is_some_and(|after| after.0 > last) {
            return Ok(Feed::Unknown);
        }
        let events: Vec<FeedEvent> = rows.iter().map(event).collect::<Result<_, _>>()?;
        let next = events
            .last()
            .map_or(after.unwrap_or(FeedCursor(dropped)), |last| {
                FeedCursor(last.position)
            });
        Ok(Feed::Events { events, next })
    }
}

fn event(row: &PgRow) -> Result<FeedEvent, StoreError> {
    const BAD: StoreError = StoreError::Corrupt("event of the log");
    Ok(FeedEvent {
        position: row.try_get("position")?,
        id: EventId::parse(row.try_get("id")?).map_err(|_| BAD)?,
        event_type: EventType::parse(row.try_get("type")?).map_err(|_| BAD)?,
        created_at: moment(row, "created_at")?.and_then(|at| CreatedAt::parse(&at.to_string())),
        recorded_at: moment(row, "recorded_at")?.ok_or(BAD)?,
        data: row.try_get("data")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_no_other_list_s_is() {
        for position in [0, 1, 255, i64::MAX] {
            let cursor = FeedCursor(position);
            assert_eq!(FeedCursor::parse(&cursor.to_string()), Some(cursor));
        }
        for bad in ["", "e", "c1", "d1", "1", "e-1", "eA", "effffffffffffffff"] {
            assert_eq!(FeedCursor::parse(bad), None, "{bad:?}");
        }
    }
}
