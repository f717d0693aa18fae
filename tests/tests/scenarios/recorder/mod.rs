//! The log in the console's database: each attempt once, whatever dies or hangs meanwhile.

mod core; // what is recorded of what

use std::collections::BTreeMap;
use std::time::Duration;

use hookline_tests::database::Database;
use hookline_tests::eventually;

/// How many attempts the log holds of each event, endpoint and number of the attempt.
async fn attempts(database: &Database) -> BTreeMap<String, usize> {
    let rows = database
        .texts("SELECT concat_ws(' ', event, endpoint, attempt, outcome) FROM attempts ORDER BY 1")
        .await;
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(row).or_insert(0) += 1;
    }
    counts
}

/// Waits until a query says `wanted`.
async fn says(database: &Database, sql: &str, wanted: &[&str], within: Duration) {
    let what = format!("{wanted:?} from {sql}");
    eventually(within, &what, async || {
        (database.texts(sql).await == wanted).then_some(())
    })
    .await;
}
