//! What nobody wants is removed by hand, and by nobody else's.

use hookline_common::topology::Queue;
use hookline_tests::console::database_scenario;
use hookline_tests::eventually;
use hookline_tests::message::text;
use serde_json::json;

use super::{FAILED, are_filed, dead_letter, filed, filing_console, listed};
use crate::SOON;

/// The broker brings a message again whose acknowledgement was lost.
#[tokio::test]
async fn what_was_discarded_does_not_come_back_with_its_message_and_a_new_failure_does() {
    database_scenario(async |world, database| {
        let console = filing_console(world, database).await;
        let (one, other) = (dead_letter("ep_crm"), dead_letter("ep_crm"));
        one.send(world, Queue::Failed).await;
        are_filed(world, database, 1).await;
        let path = format!("{FAILED}/{}/ep_crm", one.id());
        console.admin().delete(&path).await.expect(204);
        other.send(world, Queue::Failed).await;
        are_filed(world, database, 1).await;
        let all = console.admin().post(&format!("{FAILED}/discard"), &json!({})).await;
        assert_eq!(all.expect(200).json(), json!({"count": 1}));
        // Both once more, and behind them one by which it is seen that they were taken.
        let later = dead_letter("ep_later");
        for letter in [&one, &other, &later] {
            letter.send(world, Queue::Failed).await;
        }
        are_filed(world, database, 1).await;
        assert_eq!(listed(&console, "").await[0]["event"], later.id());
        let told = "SELECT status FROM deliveries WHERE endpoint = 'ep_crm'";
        assert_eq!(database.texts(told).await, ["discarded", "discarded"]);

        let again = one.header("failed-at", text("2026-01-05T11:30:00.123Z"));
        again.send(world, Queue::Failed).await;
        are_filed(world, database, 2).await;

        // It is remembered for thirty days.
        let remembered = "SELECT event FROM discarded_letters ORDER BY discarded_at";
        assert_eq!(database.texts(remembered).await.len(), 2);
        let aged = format!(
            "UPDATE discarded_letters SET discarded_at = now() - interval '30 days 1 minute' WHERE event = '{}'",
            again.id()
        );
        database.execute(&aged).await.unwrap();
        console.process().stop().await;
        let console = filing_console(world, database).await;
        eventually(SOON, "it is forgotten", async || {
            (database.texts(remembered).await == [other.id()]).then_some(())
        })
        .await;
        console.process().stop().await;
    })
    .await;
}

#[tokio::test]
async fn discarded_ones_are_gone_for_good_and_others_stay() {
    database_scenario(async |world, database| {
        let console = filing_console(world, database).await;
        let letters = [
            dead_letter("ep_crm"),
            dead_letter("ep_crm"),
            dead_letter("ep_other"),
            dead_letter("ep_crm").header("company", text("globex")),
        ];
        for letter in &letters {
            letter.send(world, Queue::Failed).await;
        }
        are_filed(world, database, letters.len()).await;
        let acme = console.company("acme").await;
        let one = format!("{FAILED}/{}/ep_crm", letters[0].id());
        acme.delete(&one).await.expect(204);
        assert_eq!(acme.delete(&one).await.problem(404), "not_found");
        // Globex's own is nobody else's, whatever path it is asked for by.
        let others = format!("{FAILED}/{}/ep_crm", letters[3].id());
        assert_eq!(acme.delete(&others).await.problem(404), "not_found");
        assert_eq!(acme.get(&others).await.problem(404), "not_found");
        let discarded = acme
            .post(&format!("{FAILED}/discard"), &json!({"endpoint": "ep_crm"}))
            .await;
        assert_eq!(discarded.expect(200).json(), json!({"count": 1}));
        // What removes nothing leaves no line in the audit.
        let none = acme
            .post(&format!("{FAILED}/discard"), &json!({"endpoint": "ep_crm"}))
            .await;
        assert_eq!(none.expect(200).json(), json!({"count": 0}));
        let rows = listed(&console, "").await;
        assert_eq!((rows.len(), &rows[0]["endpoint"]), (1, &"ep_other".into()));
        let discarded = acme.post(&format!("{FAILED}/discard"), &json!({})).await;
        assert_eq!(discarded.expect(200).json(), json!({"count": 1}));
        assert_eq!(filed(database).await, 1, "globex has its own");
        let told = "SELECT concat_ws(' ', company, status) FROM deliveries ORDER BY 1";
        let discarded = "acme discarded";
        assert_eq!(
            database.texts(told).await,
            [discarded, discarded, discarded, "globex failed"]
        );
        let audit = acme.get("/v1/companies/acme/audit").await.expect(200).json();
        let deeds = audit["data"].as_array().unwrap();
        let discards = deeds.iter().filter(|deed| deed["action"] == "failed.discarded");
        let counts: Vec<_> = discards.map(|deed| deed["after"]["count"].clone()).collect();
        assert_eq!(counts, [1, 1, 1]);
    })
    .await;
}
