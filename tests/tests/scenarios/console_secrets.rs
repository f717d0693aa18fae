//! Secrets in the registry: sealed at rest, rotated with an overlap, sealed again under a new master key.

use hookline_common::ids::CompanyId;
use hookline_store::seal::Keyring;
use hookline_store::{Database as Url, Store, StoreSettings};
use hookline_tests::browser::Browser;
use hookline_tests::console::{
    MASTER_KEY, NEWER_KEY, console_scenario, database_scenario, run, setup, start,
};
use hookline_tests::database::Database;
use hookline_tests::{Receiver, eventually, status};
use serde_json::json;

use crate::SOON;

fn store(database: &Database, keys: &str) -> Store {
    Store::new(StoreSettings {
        database: Url::parse(database.url().as_str()).unwrap(),
        keyring: Keyring::parse(keys).unwrap(),
        application: "scenario",
        max_connections: 2,
    })
}

#[tokio::test]
async fn a_dump_holds_nothing_that_could_be_used() {
    console_scenario(async |console, database| {
        let wanted = json!({
            "url": "https://example.com/?token=url-t0ken", "headers": {"x-key": "header-v4lue"}, "secret": "brought-along-secret"
        });
        let brought = console.register("acme", &wanted).await;
        let made = console.register("acme", &json!({"url": "https://example.com/"})).await;
        let path = format!("/v1/companies/acme/endpoints/{}", brought["id"].as_str().unwrap());
        let rotated = console.admin().post(&format!("{path}/rotate-secret"), &json!({})).await.expect(200).json();
        console.admin().delete(&path).await.expect(204);
        let again = console.register("acme", &wanted).await;
        let token = console.admin().post("/v1/companies/acme/tokens", &json!({})).await.expect(201).json();
        let dump = database.dump().await;
        assert!(dump.contains(again["id"].as_str().unwrap()) && dump.contains("endpoint.removed"));
        let used = [&made["secret"], &rotated["secret"], &token["token"]].map(|text| text.as_str().unwrap());
        for secret in used.into_iter().chain(["brought-along-secret", "header-v4lue"]) {
            let as_bytes: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
            assert!(!dump.contains(secret) && !dump.contains(&as_bytes), "{secret} in the dump");
        }
        assert!(!dump.contains("hkl_"));
        let audit = console.admin().get("/v1/companies/acme/audit").await.expect(200);
        assert!(!audit.body.contains("url-t0ken"), "{audit:?}");
        let log = console.process().log();
        assert!(!log.contains("brought-along-secret") && !log.contains("whsec_"), "{log}");
    })
    .await;
}

#[tokio::test]
async fn what_the_log_keeps_of_deliveries_holds_nothing_that_could_be_used_either() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        let [good, bad] = [
            Receiver::answering(status(200)).await,
            Receiver::answering(status(500)).await,
        ];
        let mut made = Vec::new();
        for (id, receiver) in [("ep_good", &good), ("ep_bad", &bad)] {
            let wanted = json!({"id": id, "url": receiver.url(), "headers": {"x-key": "header-v4lue"}});
            made.push(console.register("acme", &wanted).await);
        }
        // Both secrets of a rotation stand there while it overlaps.
        let path = "/v1/companies/acme/endpoints/ep_bad/rotate-secret";
        made.push(console.admin().post(path, &json!({})).await.expect(200).json());
        world
            .dispatcher()
            .unset("HOOKLINE_ENDPOINTS_FILE")
            .set("HOOKLINE_DATABASE_URL", database.url().as_str())
            .set("HOOKLINE_MASTER_KEY", MASTER_KEY)
            .set("HOOKLINE_RETRY_SCHEDULE", "1s")
            .start()
            .await;
        let event = world.publish("booking.created", "{}").await;
        let got = bad.expect(2, SOON).await;
        assert_eq!(got[1].header("x-key"), "header-v4lue", "it was sent");
        eventually(SOON, "attempts and the dead letter are recorded", async || {
            let counts =
                "SELECT concat_ws(' ', (SELECT count(*) FROM attempts), (SELECT count(*) FROM dead_letters))";
            (database.texts(counts).await == ["3 1"]).then_some(())
        })
        .await;
        let browser = Browser::of_operator(&console).await;
        let (_, cookie) = browser.cookie.as_deref().unwrap().split_once('=').unwrap();
        let links = console
            .admin()
            .post("/v1/companies/acme/portal-links", &json!({}))
            .await;
        let link = links.expect(201).json()["url"].as_str().unwrap().to_owned();
        let dump = database.dump().await;
        assert!(dump.contains(event.id.as_str()) && dump.contains("ep_bad"));
        let secrets = made.iter().map(|made| made["secret"].as_str().unwrap());
        let others = [
            "header-v4lue",
            link.rsplit_once('/').unwrap().1,
            cookie,
            got[1].header("webhook-signature"),
            got[1].header("meeva-signature"),
        ];
        for never in secrets.chain(others) {
            let as_bytes: String = never.bytes().map(|byte| format!("{byte:02x}")).collect();
            assert!(!never.is_empty());
            assert!(
                !dump.contains(never) && !dump.contains(&as_bytes),
                "{never} in the dump"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_secret_is_rotated_with_an_overlap_and_once_at_a_time() {
    console_scenario(async |console, database| {
        let created = console
            .register("acme", &json!({"url": "https://example.com/", "id": "ep_crm"}))
            .await;
        let acme = console.company("acme").await;
        let path = "/v1/companies/acme/endpoints/ep_crm";
        let reveal = format!("{path}/secret");
        assert_eq!(
            acme.get(&reveal).await.expect(200).json()["secret"],
            created["secret"]
        );

        let rotate = format!("{path}/rotate-secret");
        for bad in [
            json!({"overlap": "8d"}),
            json!({"overlap": "x"}),
            json!({"overlap": "-1s"}),
        ] {
            assert_eq!(
                acme.post(&rotate, &bad).await.problem(400),
                "invalid_request",
                "{bad}"
            );
        }
        let rotated = acme
            .post(&rotate, &json!({"overlap": "7d"}))
            .await
            .expect(200)
            .json();
        assert_ne!(rotated["secret"], created["secret"]);
        assert_eq!(
            acme.get(&reveal).await.expect(200).json()["secret"],
            rotated["secret"]
        );
        assert_eq!(
            acme.get(path).await.expect(200).json()["overlap_until"],
            rotated["overlap_until"]
        );
        assert_eq!(
            acme.post(&rotate, &json!({})).await.problem(409),
            "rotation_running"
        );

        // What dispatchers sign with: both while it overlaps.
        let keys = async || {
            let company = CompanyId::parse("acme").unwrap();
            let found = store(database, MASTER_KEY)
                .companies(std::slice::from_ref(&company))
                .await
                .unwrap()
                .remove(0)
                .unwrap();
            let id = hookline_common::ids::EventId::parse("evt_1").unwrap();
            let signed = found.endpoint.keys.standard(&id, 1, b"{}").unwrap();
            (signed.split(' ').count(), found.after_overlap.is_some())
        };
        assert_eq!(keys().await, (2, true));
        let completed = acme
            .post(&format!("{path}/rotate-secret/complete"), &json!({}))
            .await
            .expect(200)
            .json();
        assert!(completed["overlap_until"].is_null());
        assert_eq!(keys().await, (1, false));

        // By time as well, and at once.
        acme.send_bytes(hyper::Method::POST, &rotate, None, "")
            .await
            .expect(200);
        database
            .execute("UPDATE endpoints SET overlap_until = now() - interval '1 second'")
            .await
            .unwrap();
        assert_eq!(keys().await, (1, false));
        acme.post(&rotate, &json!({"overlap": "0s"})).await.expect(200);
        assert_eq!(keys().await, (1, false));
        acme.post(&rotate, &json!({"overlap": "1h"})).await.expect(200);
        assert_eq!(keys().await, (2, true));
    })
    .await;
}

#[tokio::test]
async fn a_new_master_key_takes_over_and_the_old_one_can_go() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        let wanted = json!({"url": "https://example.com/", "id": "ep_crm", "headers": {"x-key": "value"}});
        let created = console.register("acme", &wanted).await;
        let rotate = "/v1/companies/acme/endpoints/ep_crm/rotate-secret";
        let rotated = console.admin().post(rotate, &json!({})).await.expect(200).json();
        assert_ne!(rotated["secret"], created["secret"]);
        console.process().stop().await;

        let company = CompanyId::parse("acme").unwrap();
        let unusable = store(database, NEWER_KEY)
            .companies(std::slice::from_ref(&company))
            .await
            .unwrap()
            .remove(0)
            .unwrap_err();
        assert!(
            unusable.error.to_string().contains("under the key"),
            "{}",
            unusable.error
        );

        let refused = run(database, NEWER_KEY, &["reseal"]).await;
        assert_eq!(refused.status.code(), Some(1));
        let both = format!("{NEWER_KEY},{MASTER_KEY}");
        for told in ["1 of 1 endpoints", "0 of 1 endpoints"] {
            let done = run(database, &both, &["reseal"]).await;
            let printed = String::from_utf8_lossy(&done.stderr).into_owned();
            assert!(done.status.success() && printed.contains(told), "{printed}");
        }
        let found = store(database, NEWER_KEY)
            .companies(std::slice::from_ref(&company))
            .await
            .unwrap()
            .remove(0)
            .unwrap();
        assert_eq!(found.endpoint.headers.len(), 1);
        let console = start(setup(world, database).set("HOOKLINE_MASTER_KEY", NEWER_KEY)).await;
        let shown = console
            .admin()
            .get("/v1/companies/acme/endpoints/ep_crm/secret")
            .await
            .expect(200);
        assert_eq!(shown.json()["secret"], rotated["secret"]);
    })
    .await;
}

#[tokio::test]
async fn a_row_that_was_moved_to_another_company_is_not_opened_and_does_not_stop_its_neighbours() {
    console_scenario(async |console, database| {
        console
            .register("acme", &json!({"url": "https://example.com/", "id": "ep_a"}))
            .await;
        console
            .register("globex", &json!({"url": "https://example.com/", "id": "ep_b"}))
            .await;
        let moved = "UPDATE endpoints SET company = 'globex' WHERE id = 'ep_a'";
        database.execute(moved).await.unwrap();
        let company = CompanyId::parse("globex").unwrap();
        let found = store(database, MASTER_KEY)
            .companies(std::slice::from_ref(&company))
            .await
            .unwrap();
        let mut usable: Vec<bool> = found.iter().map(Result::is_ok).collect();
        usable.sort_unstable();
        assert_eq!(usable, [false, true]);
        let shown = console
            .admin()
            .get("/v1/companies/globex/endpoints/ep_a/secret")
            .await;
        assert_eq!(shown.problem(500), "internal");
    })
    .await;
}
