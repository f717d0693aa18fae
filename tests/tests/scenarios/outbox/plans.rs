//! However much lies in the table, and whatever PostgreSQL believes of it: a relay reads what it publishes, and not all the
//! rest with every batch.

use hookline_producer::MemoryProducer;
use hookline_producer::outbox::RelaySettings;
use hookline_tests::eventually;

use super::{Bookings, Running};
use crate::SOON;

/// Fifty batches: who reads the whole table for each of them reads 25 rows for every event.
const EVENTS: u64 = 5000;
const BATCH: u32 = 100;
/// An event is read by whoever publishes it and by whoever deletes it, and few besides to find out whose they are.
const READS: u64 = 4;

const REMOVE: &str = "DELETE FROM hookline_outbox";
/// Keeps the pages, as happens by itself while somebody looks at the table.
const CLEAR: &str = "VACUUM (ANALYZE, TRUNCATE false) hookline_outbox";

/// Events of 20 companies, in turns.
fn fill(event_type: &str) -> String {
    format!(
        "INSERT INTO hookline_outbox (company, event_id, type, data) \
         SELECT 'c' || i % 20, 'evt_' || i, '{event_type}', '{{\"number\":' || i || '}}' FROM generate_series(1, {EVENTS}) i"
    )
}

/// How many rows of the outbox were read and deleted so far, and how many PostgreSQL believes that there are.
async fn counted(bookings: &Bookings) -> (u64, u64, f32) {
    let counted = "SELECT seq_tup_read + idx_tup_fetch || ' ' || n_tup_del || ' ' || reltuples \
                   FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid WHERE s.relname = 'hookline_outbox'";
    let row = bookings.database.texts(counted).await.pop().unwrap();
    let mut columns = row.split(' ');
    let mut next = || columns.next().unwrap();
    (
        next().parse().unwrap(),
        next().parse().unwrap(),
        next().parse().unwrap(),
    )
}

/// The same once that many were deleted: a process tells what it has done at its end at the latest.
async fn counted_when_deleted(bookings: &Bookings, deleted: u64) -> (u64, f32) {
    eventually(SOON, &format!("{deleted} are deleted"), async || {
        let (read, found, believed) = counted(bookings).await;
        assert!(found <= deleted, "{found} were deleted, and not {deleted}");
        (found == deleted).then_some((read, believed))
    })
    .await
}

/// Prepares the table by `steps`, after which `believed` rows are counted on where there are [`EVENTS`], and has all relayed.
async fn reads_little(told: &str, event_type: &str, steps: &[&str], believed: f32) {
    let bookings = Bookings::new().await;
    let fill = fill(event_type);
    // What is believed stays as the test wants it.
    bookings
        .database
        .execute("ALTER TABLE hookline_outbox SET (autovacuum_enabled = false)")
        .await
        .unwrap();
    for step in steps {
        let step = if *step == "fill" { &fill } else { *step };
        bookings.database.execute(step).await.unwrap();
    }
    let deleted = EVENTS * steps.iter().filter(|step| **step == REMOVE).count() as u64;
    let (read_before, found) = counted_when_deleted(&bookings, deleted).await;
    assert!((found - believed).abs() < 1.0, "{told}: {found} are believed in");

    let producer = MemoryProducer::new();
    let settings = RelaySettings::default().with_batch(BATCH);
    let relay = Running::start(&bookings.pool, producer.clone(), settings);
    eventually(SOON, &format!("{told}: all are relayed"), async || {
        (relay.stats.published() + relay.stats.set_aside() >= EVENTS).then_some(())
    })
    .await;
    relay.stop().await;
    let (read, _) = counted_when_deleted(&bookings, deleted + EVENTS).await;
    let read = read - read_before;
    assert!(
        read <= READS * EVENTS,
        "{told}: {read} rows were read for {EVENTS} events"
    );
    bookings.remove().await;
}

const GOOD: &str = "booking.created";

#[tokio::test]
async fn a_relay_reads_what_it_publishes_where_nothing_is_known_of_the_table() {
    reads_little("never analysed", GOOD, &["fill"], -1.0).await;
}

#[tokio::test]
async fn a_relay_reads_what_it_publishes_where_the_table_was_empty_when_it_was_analysed() {
    let steps = ["fill", REMOVE, CLEAR, "fill"];
    reads_little("analysed while empty", GOOD, &steps, 0.0).await;
}

#[tokio::test]
async fn a_relay_reads_what_it_publishes_where_the_table_is_known_well() {
    let all = f32::from(u16::try_from(EVENTS).unwrap());
    reads_little("analysed while full", GOOD, &["fill", CLEAR], all).await;
}

#[tokio::test]
async fn a_relay_reads_what_it_sets_aside_where_the_table_was_empty_when_it_was_analysed() {
    let steps = ["fill", REMOVE, CLEAR, "fill"];
    reads_little("set aside, analysed while empty", "No Type", &steps, 0.0).await;
}
