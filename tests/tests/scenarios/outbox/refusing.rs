//! A database that lets a relay read and not delete: what could not be deleted afterwards is not published.

use std::cell::Cell;

use hookline_producer::MemoryProducer;
use hookline_producer::outbox::RelaySettings;
use hookline_tests::eventually;

use super::{Bookings, Running, events, ids};
use crate::SOON;

/// What a relay makes of connecting: one to see what is wrong, one for the table, one that hears.
const CONNECTIONS: u64 = 3;

/// Waits until the database has been connected to as often as two tries of a relay do, beside those who ask for that.
async fn two_tries(bookings: &Bookings) {
    let sessions = "SELECT sessions::text FROM pg_stat_database WHERE datname = current_database()";
    let count = async || bookings.database.texts(sessions).await[0].parse::<u64>().unwrap();
    let (before, asked) = (count().await, Cell::new(1));
    eventually(SOON, "a relay has tried twice", async || {
        asked.set(asked.get() + 1);
        (count().await > before + asked.get() + 2 * CONNECTIONS).then_some(())
    })
    .await;
}

#[tokio::test]
async fn nothing_is_published_that_could_not_be_deleted() {
    let bookings = Bookings::new().await;
    let database = bookings.database.url().path().trim_start_matches('/').to_owned();
    let cases = [
        (
            "REVOKE DELETE ON hookline_outbox FROM CURRENT_USER".to_owned(),
            "GRANT DELETE ON hookline_outbox TO CURRENT_USER".to_owned(),
        ),
        (
            "REVOKE INSERT ON hookline_outbox_aside FROM CURRENT_USER".to_owned(),
            "GRANT INSERT ON hookline_outbox_aside TO CURRENT_USER".to_owned(),
        ),
        (
            format!("ALTER DATABASE {database} SET default_transaction_read_only = on"),
            format!("ALTER DATABASE {database} RESET default_transaction_read_only"),
        ),
    ];
    // Connected before anything is taken away, to give it back.
    let mut owner = bookings.database.connect().await;
    for (number, (refuse, allow)) in cases.into_iter().enumerate() {
        let all = events(&format!("company{number}"), 3);
        bookings.commit_all(&all).await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(refuse))
            .execute(&mut owner)
            .await
            .unwrap();
        let producer = MemoryProducer::default();
        let relay = Running::start(&bookings.pool, producer.clone(), RelaySettings::default());
        two_tries(&bookings).await;
        assert!(!relay.stats.is_working());
        assert_eq!(ids(&producer.published()), ids(&[]));
        sqlx::raw_sql(sqlx::AssertSqlSafe(allow))
            .execute(&mut owner)
            .await
            .unwrap();
        bookings.is_empty().await;
        relay.stop().await;
        assert_eq!(ids(&producer.published()), ids(&all));
    }
    drop(owner);
    bookings.remove().await;
}

#[tokio::test]
async fn rows_that_stay_although_they_were_deleted_are_told_and_not_counted() {
    let bookings = Bookings::new().await;
    let keep = "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
                CREATE TRIGGER keep BEFORE DELETE ON hookline_outbox FOR EACH ROW EXECUTE FUNCTION keep()";
    bookings.database.execute(keep).await.unwrap();
    bookings.commit_all(&events("acme", 3)).await;
    let producer = MemoryProducer::default();
    let relay = Running::start(&bookings.pool, producer.clone(), RelaySettings::default());
    eventually(SOON, "the same is published again", async || {
        (producer.published().len() >= 6 && !relay.stats.is_working()).then_some(())
    })
    .await;
    assert_eq!(relay.stats.published(), 0);
    bookings
        .database
        .execute("DROP TRIGGER keep ON hookline_outbox")
        .await
        .unwrap();
    bookings.is_empty().await;
    relay.stop().await;
    bookings.remove().await;
}
