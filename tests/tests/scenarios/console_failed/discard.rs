//! What nobody wants is removed by hand, and by nobody else's.

use hookline_common::topology::Queue;
use hookline_tests::console::database_scenario;
use hookline_tests::message::text;
use serde_json::json;

use super::{FAILED, are_filed, dead_letter, filed, filing_console, listed};

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
