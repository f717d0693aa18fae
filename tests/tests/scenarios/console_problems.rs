//! Problems: what fails, grouped as a person solves it.

use hookline_tests::console::console_scenario;
use hookline_tests::log_rows::{Row, make_days};
use serde_json::{Value, json};

const PROBLEMS: &str = "/v1/companies/acme/problems";

#[tokio::test]
async fn deliveries_that_fail_alike_are_one_problem_and_what_failed_last_comes_first() {
    console_scenario(async |console, database| {
        make_days(database, 2).await;
        for number in 0..5 {
            let retrying = Row::of(&format!("evt_r{number}"), "ep_a", 100 + number);
            retrying
                .status("retrying", "http_status", 503)
                .insert(database)
                .await;
            Row::of(&format!("evt_ok{number}"), "ep_a", number)
                .insert(database)
                .await;
        }
        for number in 0..3 {
            let failed =
                Row::of(&format!("evt_f{number}"), "ep_a", 50 + number).status("failed", "http_status", 503);
            failed.insert(database).await;
            failed.insert_dead(database, "{}").await;
        }
        for row in [
            Row::of("evt_x", "ep_a", 20).status("retrying", "timeout", 0),
            Row::of("evt_y", "ep_b", 10).status("retrying", "http_status", 503),
        ] {
            row.insert(database).await;
        }
        // Retried by hand, somebody else's, and one that nobody attempted.
        Row::of("evt_z", "ep_a", 1)
            .status("failed", "dns_error", 0)
            .insert_dead(database, "{}")
            .await;
        database
            .execute("UPDATE dead_letters SET retried_at = now() WHERE event = 'evt_z'")
            .await
            .unwrap();
        let mut others = Row::of("evt_o", "ep_a", 1).status("retrying", "timeout", 0);
        others.company = "globex".to_owned();
        others.insert(database).await;
        let mut unsent = Row::of("evt_u", "ep_c", 90_000);
        unsent.last = None;
        unsent.insert_dead(database, "{}").await;

        let acme = console.company("acme").await;
        let listed = acme.get(PROBLEMS).await.expect(200).json();
        let groups = listed["data"].as_array().unwrap();
        let told: Vec<Value> = groups
            .iter()
            .map(|group| {
                json!([
                    group["endpoint"],
                    group["outcome"],
                    group["status"],
                    group["retrying"],
                    group["failed"],
                    group["sample"]["event"]
                ])
            })
            .collect();
        assert_eq!(
            told,
            [
                json!(["ep_b", "http_status", 503, 1, 0, "evt_y"]),
                json!(["ep_a", "timeout", null, 1, 0, "evt_x"]),
                json!(["ep_a", "http_status", 503, 5, 3, "evt_r4"]),
                json!(["ep_c", null, null, 0, 1, "evt_u"]),
            ]
        );
        assert_eq!(listed["next"], Value::Null);
        let largest = &groups[2];
        let time = |member: &str| {
            largest[member]
                .as_str()
                .unwrap()
                .parse::<jiff::Timestamp>()
                .unwrap()
        };
        assert_eq!((time("last_at") - time("first_at")).get_seconds(), 54);
        assert!(
            largest["explanation"]["sentence"]
                .as_str()
                .unwrap()
                .contains("503"),
            "{largest}"
        );
        assert!(
            groups[3]["explanation"]["sentence"]
                .as_str()
                .unwrap()
                .contains("disabled")
        );
        // The sample can be looked at.
        let sample = &largest["sample"];
        let path = format!(
            "/v1/companies/acme/deliveries/{}/{}",
            sample["event"].as_str().unwrap(),
            sample["endpoint"].as_str().unwrap()
        );
        acme.get(&path).await.expect(200);

        // What is mended is no problem any more.
        database
            .execute("UPDATE deliveries SET status = 'delivered'; DELETE FROM dead_letters")
            .await
            .unwrap();
        assert_eq!(acme.get(PROBLEMS).await.expect(200).json()["data"], json!([]));
    })
    .await;
}
