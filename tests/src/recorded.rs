//! The log in the console's database, held against what was attempted.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use url::Url;

use crate::eventually::eventually;

/// All rows of a query, the first column of each as text; none where it cannot be asked.
pub async fn texts(url: &Url, sql: &str) -> Option<Vec<String>> {
    let mut connection = PgConnection::connect(url.as_str()).await.ok()?;
    let rows = sqlx::query(AssertSqlSafe(sql))
        .fetch_all(&mut connection)
        .await
        .ok()?;
    rows.iter().map(|row| row.try_get(0).ok()).collect()
}

/// Waits until `count` attempts are recorded, and makes sure that each of them is there once, each delivery once, and each
/// event once.
///
/// # Panics
/// When one is missing, or there twice.
pub async fn recorded_once(url: &Url, count: usize, within: Duration) {
    let what = format!("{count} attempts in the log");
    let all = "SELECT count(*)::text FROM attempts";
    eventually(within, &what, async || {
        (texts(url, all).await? == [count.to_string()]).then_some(())
    })
    .await;
    for (of, sql) in [
        (
            "attempts",
            "SELECT event || ' ' || attempt FROM attempts GROUP BY event, endpoint, attempt HAVING count(*) > 1",
        ),
        (
            "deliveries",
            "SELECT event FROM deliveries GROUP BY company, event, endpoint HAVING count(*) > 1",
        ),
        (
            "events",
            "SELECT id FROM events GROUP BY company, id HAVING count(*) > 1",
        ),
        (
            "deliveries' counts",
            "SELECT event FROM deliveries d WHERE attempts <> (SELECT count(*) FROM attempts a \
             WHERE a.event = d.event AND a.endpoint = d.endpoint)",
        ),
        (
            "counts over time",
            "SELECT company || ' ' || step_s FROM attempt_counts GROUP BY company, step_s \
             HAVING sum(attempts) <> (SELECT count(*) FROM attempts a WHERE origin <> 'test' AND outcome <> 'discarded' \
             AND attempt_counts.company IN ('', a.company) AND started_at > now() \
             - CASE step_s WHEN 60 THEN interval '26 hours' ELSE interval '8 days' END)",
        ),
    ] {
        assert_eq!(texts(url, sql).await, Some(Vec::new()), "{of}");
    }
}
