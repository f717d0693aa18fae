//! With many dead letters none of the questions reads more of the table than it must: by index, and none of the payloads.

use hookline_tests::console::console_scenario;
use serde_json::json;

use super::{FAILED, listed};

/// Dead letters of several companies, with payloads that would take long to read.
const SEED: &str = "INSERT INTO dead_letters (company, event, endpoint, failed_at, type, origin, reason, attempts, \
     last_outcome, last_status, created_at, data) SELECT CASE WHEN n % 2 = 0 THEN 'acme' ELSE 'globex-' || n % 50 END, \
     'evt_' || n, 'ep_' || n % 6, now() - n * interval '1 second', 'booking.created', 'event', 'retries_exhausted', 4, \
     'http_status', 500, now(), convert_to('{\"a\":\"' || repeat(md5(n::text), 40) || '\"}', 'UTF8') \
     FROM generate_series(1, 20000) AS n";

#[tokio::test]
async fn lists_and_counts_go_by_index() {
    console_scenario(async |console, database| {
        database.execute(SEED).await.unwrap();
        database.execute("VACUUM ANALYZE dead_letters").await.unwrap();
        let plan = async |sql: &str| database.texts(&format!("EXPLAIN {sql}")).await.join("\n");
        for (sql, index) in [
            (
                "SELECT event FROM dead_letters WHERE company = 'acme' AND position < 9999 ORDER BY position DESC LIMIT 51",
                "dead_letters_in_order",
            ),
            (
                "SELECT event FROM dead_letters WHERE company = 'acme' AND endpoint = 'ep_2' AND position < 9999 \
                 ORDER BY position DESC LIMIT 51",
                "dead_letters_of_endpoint",
            ),
            (
                "SELECT event, data FROM dead_letters WHERE company = 'acme' AND event = 'evt_2' AND endpoint = 'ep_2' \
                 ORDER BY failed_at DESC LIMIT 1",
                "dead_letters_pkey",
            ),
            (
                "SELECT endpoint, count(*), max(position) FROM dead_letters WHERE company = 'acme' AND type <> 'a' \
                 AND failed_at < now() AND reason <> 'x' AND retried_at IS NULL \
                 GROUP BY company, endpoint",
                "Index Only Scan using dead_letters_of_endpoint",
            ),
        ] {
            let plan = plan(sql).await;
            assert!(plan.contains(index) && !plan.contains("Seq Scan") && !plan.contains("Sort"), "{sql}\n{plan}");
        }
        let first = listed(console, "?limit=200").await;
        assert_eq!(first.len(), 200);
        let counted = console.admin().post(&format!("{FAILED}/retry"), &json!({"dry_run": true})).await;
        assert_eq!(counted.expect(200).json()["skipped"], 10_000);
    })
    .await;
}

#[tokio::test]
async fn pages_go_on_where_the_one_before_ended_whatever_comes_meanwhile() {
    console_scenario(async |console, database| {
        database.execute(SEED).await.unwrap();
        let mut seen = Vec::new();
        let mut query = "?limit=200&endpoint=ep_2".to_owned();
        loop {
            let page = console.admin().get(&format!("{FAILED}{query}")).await.expect(200).json();
            let rows = page["data"].as_array().unwrap();
            seen.extend(rows.iter().map(|row| row["event"].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else { break };
            query = format!("?limit=200&endpoint=ep_2&cursor={next}");
        }
        let wanted = "SELECT event FROM dead_letters WHERE company = 'acme' AND endpoint = 'ep_2' ORDER BY position DESC";
        assert_eq!(seen, database.texts(wanted).await);
        assert!(seen.len() > 3_000);
    })
    .await;
}
