//! A batch, all of it in one transaction with the offset of the stream: what is stored is not read again, and what is read
//! again was not stored.

use std::collections::HashSet;
use std::time::Duration;

use hookline_common::record::AttemptRecord;
use jiff::{SignedDuration, Timestamp};
use sqlx::{Acquire as _, PgConnection};
use tokio::time::timeout;
use uuid::Uuid;

use super::attempts::{self, Entry};
use super::batch::{LogBatch, Recorded, SetAside};
use super::days::{self, day_of};
use super::known_days::DayTable;
use super::turn::Turn;
use super::{deliveries, events, offsets, order, set_aside};
use crate::connect::Store;
use crate::error::StoreError;
use crate::{counts, dead_letters, health};

/// How long a whole batch may take, on a machine that is busy with everything else.
const WRITTEN_WITHIN: Duration = Duration::from_secs(60);
/// How far ahead of ours a dispatcher's clock may be. What is further ahead would stay for as long beyond its time.
const AHEAD_AT_MOST: SignedDuration = SignedDuration::from_hours(48);

/// What holds for the transaction alone:
/// - It is not waited for until it is on the disk. That is sound because rows and offset go together: a server that crashes
///   forgets the last transactions, each whole, and what they held is read from the stream again.
/// - Rows that may be there are looked for by index, whatever the planner thinks of a day's table; and it thinks each time, as
///   a plan that is made while the table is small would be kept while it grows.
/// - The rows of a statement stay in memory, and do not pass through a file on their way.
const SET: &str = "SELECT set_config('synchronous_commit', 'off', true), set_config('enable_seqscan', 'off', true), \
     set_config('enable_bitmapscan', 'off', true), set_config('enable_hashjoin', 'off', true), \
     set_config('enable_mergejoin', 'off', true), set_config('plan_cache_mode', 'force_custom_plan', true), \
     set_config('work_mem', '64MB', true)";

impl Store {
    /// Records a batch, and moves the offset of `stream` in the same transaction. What PostgreSQL refuses is set aside.
    ///
    /// # Errors
    /// [`StoreError::Moved`] where somebody else has recorded from there; other [`StoreError`]s. Nothing was stored then.
    pub async fn record(&self, stream: &str, batch: &LogBatch) -> Result<Recorded, StoreError> {
        let sorted = Sorted::of(batch, Timestamp::now());
        let written = self.write(stream, batch, &sorted, Care::None).await;
        let written = match written {
            // A day was dropped, or this is another database.
            Err(error) if error.lacks_day() => {
                self.days.forget();
                self.write(stream, batch, &sorted, Care::None).await
            }
            written => written,
        };
        match written {
            Err(error) if error.refuses_data() => self.write(stream, batch, &sorted, Care::Each).await,
            written => written,
        }
    }

    /// The same beside the batch before: its attempts are inserted while what that one's attempts tell is written, and the
    /// rest when that one is committed. PostgreSQL has a process for each.
    ///
    /// # Errors
    /// [`StoreError`], whatever the cause: whoever keeps the order knows whether the batch before was written, and records
    /// this one by itself then. Nothing was stored.
    pub async fn record_behind(
        &self,
        stream: &str,
        batch: &LogBatch,
        turn: Turn,
    ) -> Result<Recorded, StoreError> {
        let sorted = Sorted::of(batch, Timestamp::now());
        self.write(stream, batch, &sorted, Care::Turn(turn)).await
    }

    async fn write(
        &self,
        stream: &str,
        batch: &LogBatch,
        sorted: &Sorted<'_>,
        care: Care,
    ) -> Result<Recorded, StoreError> {
        let writing = self.write_once(stream, batch, sorted, care);
        timeout(WRITTEN_WITHIN, writing).await.unwrap_or_else(|_| {
            Err(StoreError::Unavailable(format!(
                "a batch was not written within {} s",
                WRITTEN_WITHIN.as_secs()
            )))
        })
    }

    async fn write_once(
        &self,
        stream: &str,
        batch: &LogBatch,
        sorted: &Sorted<'_>,
        mut care: Care,
    ) -> Result<Recorded, StoreError> {
        let now = Timestamp::now();
        let mut seen = HashSet::new();
        for day in sorted.entries.iter().map(|entry| day_of(entry.record.started_at)) {
            if seen.insert(day) {
                days::ensure(self, DayTable::Attempts, day).await?;
                days::ensure(self, DayTable::Deliveries, day).await?;
            }
        }
        days::ensure(self, DayTable::Events, day_of(now)).await?;
        if let Care::Turn(turn) = &mut care {
            turn.may_insert().await?;
        }
        // Given up in the middle, it is closed and takes no place from anybody.
        let mut lent = self.lend().await?;
        let mut transaction = lent.connection()?.begin().await?;
        sqlx::query(SET).execute(&mut *transaction).await?;
        let mut refused = Vec::new();
        let new = match &mut care {
            Care::None => {
                offsets::advance(&mut transaction, stream, batch).await?;
                write(&mut transaction, &sorted.entries, now).await?
            }
            Care::Turn(turn) => {
                attempts::insert(&mut transaction, &sorted.entries).await?;
                turn.comes().await?;
                offsets::advance(&mut transaction, stream, batch).await?;
                learn(&mut transaction, &sorted.entries, now).await?
            }
            Care::Each => {
                offsets::advance(&mut transaction, stream, batch).await?;
                write_carefully(&mut transaction, &sorted.entries, now, &mut refused).await?
            }
        };
        let set_aside = [&batch.set_aside, &sorted.set_aside, &refused];
        for items in set_aside {
            set_aside::insert(&mut transaction, stream, items).await?;
        }
        let set_aside = set_aside.into_iter().map(Vec::len).sum();
        let given_up = if set_aside == 0 {
            0
        } else {
            set_aside::make_room(&mut transaction).await?
        };
        transaction.commit().await?;
        if let Care::Turn(turn) = care {
            turn.pass_on();
        }
        lent.give_back();
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        Ok(Recorded {
            new: count(new),
            known: count(sorted.entries.len() - new - refused.len()),
            expired: sorted.expired,
            set_aside: count(set_aside),
            given_up,
        })
    }
}

/// How a batch is written.
enum Care {
    /// As a whole, of which all is new.
    None,
    /// The same, behind another one.
    Turn(Turn),
    /// So that what is refused stands alone, and what is there already is left out.
    Each,
}

/// Stores attempts, all of them new, and what they tell. Returns how many they are.
async fn write(
    transaction: &mut PgConnection,
    entries: &[Entry<'_>],
    now: Timestamp,
) -> Result<usize, StoreError> {
    attempts::insert(transaction, entries).await?;
    learn(transaction, entries, now).await
}

/// Stores what new attempts tell. Returns how many they are.
async fn learn(
    transaction: &mut PgConnection,
    entries: &[Entry<'_>],
    now: Timestamp,
) -> Result<usize, StoreError> {
    let new: Vec<&AttemptRecord> = entries.iter().map(|entry| entry.record).collect();
    let new = new.as_slice();
    if new.is_empty() {
        return Ok(0);
    }
    order::in_order(transaction).await?;
    let known = events::add_events(transaction, &events::of_records(new), now).await?;
    deliveries::write(transaction, &deliveries::changes(new), &known).await?;
    // Whoever else learns from new attempts does it here, in the same transaction.
    dead_letters::endpoint_gone(transaction, new).await?;
    dead_letters::delivered(transaction, new).await?;
    health::note(transaction, new).await?;
    counts::note(transaction, new, now).await?;
    Ok(new.len())
}

/// The same of those that are not there yet.
async fn write_unknown(
    transaction: &mut PgConnection,
    entries: &[Entry<'_>],
    now: Timestamp,
) -> Result<usize, StoreError> {
    let unknown = attempts::unknown(transaction, entries).await?;
    write(transaction, &unknown, now).await
}

/// The same, in halves and halves of halves where PostgreSQL refuses something, until what it refuses stands alone. That is
/// set aside, and all else is stored.
async fn write_carefully(
    transaction: &mut PgConnection,
    entries: &[Entry<'_>],
    now: Timestamp,
    refused: &mut Vec<SetAside>,
) -> Result<usize, StoreError> {
    let mut new = 0;
    let mut parts = vec![entries];
    while let Some(part) = parts.pop() {
        let Some(first) = part.first() else { continue };
        let mut savepoint = transaction.begin().await?;
        match write_unknown(&mut savepoint, part, now).await {
            Ok(count) => {
                savepoint.commit().await?;
                new += count;
            }
            Err(error) if error.refuses_data() => {
                savepoint.rollback().await?;
                if part.len() == 1 {
                    refused.push(unstorable(first, error.to_string()));
                } else {
                    let (one, other) = part.split_at(part.len() / 2);
                    parts.extend([other, one]);
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(new)
}

/// A batch's records, told apart by what is to be done with them.
struct Sorted<'a> {
    entries: Vec<Entry<'a>>,
    set_aside: Vec<SetAside>,
    expired: u64,
}

impl<'a> Sorted<'a> {
    fn of(batch: &'a LogBatch, now: Timestamp) -> Self {
        let ahead = now.checked_add(AHEAD_AT_MOST).unwrap_or(Timestamp::MAX);
        let mut sorted = Self {
            entries: Vec::with_capacity(batch.records.len()),
            set_aside: Vec::new(),
            expired: 0,
        };
        for (offset, record) in &batch.records {
            let entry = |id| Entry {
                id,
                offset: *offset,
                record,
            };
            match Uuid::try_parse(&record.id) {
                Err(_) => sorted
                    .set_aside
                    .push(unstorable(&entry(Uuid::nil()), "its id is no UUID".to_owned())),
                Ok(_) if record.started_at < batch.keep_since => sorted.expired += 1,
                Ok(id) if record.started_at > ahead => sorted.set_aside.push(unstorable(
                    &entry(id),
                    "it began more than two days in the future; check the dispatchers' clocks".to_owned(),
                )),
                Ok(id) => sorted.entries.push(entry(id)),
            }
        }
        sorted
    }
}

fn unstorable(entry: &Entry<'_>, reason: String) -> SetAside {
    let record: &AttemptRecord = entry.record;
    SetAside {
        offset: entry.offset,
        reason,
        // A record that was read is always written.
        content: serde_json::to_vec(record).unwrap_or_default(),
    }
}
