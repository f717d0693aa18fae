//! What one company or a stranger may take of what all share: the audit, the database's connections, the rate. And what goes on
//! where the database only answers what reads.

use std::time::{Duration, Instant};

use hookline_common::ids::{CompanyId, EndpointId};
use hookline_common::topology::Queue;
use hookline_store::seal::Keyring;
use hookline_store::{Actor, Database as DatabaseUrl, Store, StoreSettings};
use hookline_tests::api::Api;
use hookline_tests::console::{ADMIN_TOKEN, MASTER_KEY, console_scenario, database_scenario, setup, start};
use hookline_tests::eventually;
use hookline_tests::wire::Wire;
use hyper::Method;
use serde_json::json;
use sqlx::{Connection as _, Executor as _};

use crate::SOON;

const OF_ACME: &str = "/v1/companies/acme/endpoints";
const EP_CRM: &str = "/v1/companies/acme/endpoints/ep_crm";

#[tokio::test]
async fn what_changes_nothing_leaves_nothing_behind() {
    console_scenario(async |console, database| {
        let admin = console.admin();
        let new =
            json!({"url": "https://example.com/", "id": "ep_crm", "headers": {"x-a": "1"}, "rate": "5/s"});
        console.register("acme", &new).await;
        let traces = async || {
            let audit = database.texts("SELECT count(*)::text FROM audit").await;
            (audit, database.texts("SELECT xmin::text FROM endpoints").await)
        };
        let before = traces().await;
        for same in [
            json!({}),
            json!({"disabled": false, "url": "https://example.com/"}),
            json!({"headers": {"x-a": "***", "x-none": null}, "rate": "5/s", "events": []}),
            json!({"headers": {"x-a": "1"}, "description": null}),
        ] {
            admin.patch(EP_CRM, &same).await.expect(200);
        }
        admin
            .post(&format!("{EP_CRM}/rotate-secret/complete"), &json!({}))
            .await
            .expect(200);
        assert_eq!(traces().await, before);
        admin
            .patch(EP_CRM, &json!({"headers": {"x-a": "2"}}))
            .await
            .expect(200);
        let after = traces().await;
        assert!(after.0 != before.0 && after.1 != before.1, "a change is one");
    })
    .await;
}

#[tokio::test]
async fn a_companys_audit_grows_no_faster_than_so_whatever_tokens_it_has() {
    console_scenario(async |console, database| {
        let new = json!({"url": "https://example.com/", "id": "ep_crm"});
        console.register("acme", &new).await;
        let tokens = [console.company("acme").await, console.company("acme").await];
        let mut refused = None;
        // A hundred at once, and one more every six seconds, however slow this machine is.
        for number in 0..300 {
            let acme = &tokens[number % 2];
            let reply = acme.get(&format!("{EP_CRM}/secret")).await;
            if reply.status != 200 {
                refused = Some(reply);
                break;
            }
        }
        let refused = refused.expect("it is told to wait");
        assert_eq!(refused.problem(429), "rate_limited");
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=6).contains(&wait), "{wait}");
        let lines = database
            .texts("SELECT count(*)::text FROM audit WHERE action = 'endpoint.secret_revealed'")
            .await;
        assert!(lines[0].parse::<u32>().unwrap() >= 100, "{lines:?}");
        // What leaves no line, the operator, and others are as before.
        tokens[0].get(OF_ACME).await.expect(200);
        console.admin().get(&format!("{EP_CRM}/secret")).await.expect(200);
        let globex = console.company("globex").await;
        let new = json!({"url": "https://example.com/"});
        globex
            .post("/v1/companies/globex/endpoints", &new)
            .await
            .expect(201);
    })
    .await;
}

#[tokio::test]
async fn a_query_that_is_given_up_on_a_dead_connection_leaves_its_place_to_others() {
    database_scenario(async |_, database| {
        let url = database.url().as_str();
        let wire = Wire::to(url).await;
        let settings = |url: &str, max_connections| StoreSettings {
            database: DatabaseUrl::parse(url).unwrap(),
            keyring: Keyring::parse(MASTER_KEY).unwrap(),
            application: "scenario of one place",
            max_connections,
        };
        let store = Store::new(settings(&wire.url(url), 1));
        store.migrate().await.unwrap();
        let acme = CompanyId::parse("acme").unwrap();
        let ep_crm = EndpointId::parse("ep_crm").unwrap();
        // A read, a change within a transaction, and another list.
        for kind in 0..3 {
            let mut other = database.connect().await;
            other.execute("BEGIN; LOCK TABLE endpoints, tokens").await.unwrap();
            let waits = eventually(SOON, "the query waits for the lock", async || {
                let waiting = "SELECT pid::text FROM pg_stat_activity WHERE application_name = 'scenario of one place' \
                               AND wait_event_type = 'Lock'";
                (!database.texts(waiting).await.is_empty()).then_some(())
            });
            let asks = async {
                match kind {
                    0 => store.endpoints(&acme, None, 1).await.map(drop),
                    1 => store.remove_endpoint(&acme, &ep_crm, &Actor::Admin).await,
                    _ => store.tokens(&acme, None, 1).await.map(drop),
                }
            };
            tokio::select! {
                () = waits => {}
                found = asks => panic!("{kind} did not wait: {found:?}"),
            }
            // New connections pass, and what is sent on this one comes nowhere.
            wire.fall_silent();
            other.close().await.unwrap();
            eventually(SOON, "there is room for another", async || {
                store.endpoints(&acme, None, 1).await.ok()
            })
            .await;
        }
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn many_events_in_one_request_count_as_many() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database).set("HOOKLINE_API_RATE", "10/s")).await;
        let acme = console.company("acme").await;
        world.leaves(Queue::Events);
        let line = "{\"type\":\"booking.created\",\"data\":{}}\n";
        let begun = Instant::now();
        let lines = Some("application/x-ndjson");
        let path = "/v1/companies/acme/events";
        let reply = acme
            .send_bytes(Method::POST, path, lines, &line.repeat(40))
            .await
            .expect(202);
        assert_eq!(reply.body.matches("\"id\"").count(), 40, "{reply:?}");
        assert!(
            begun.elapsed() >= Duration::from_secs(2),
            "ten at once, and ten a second"
        );
    })
    .await;
}

#[tokio::test]
async fn a_database_that_only_answers_what_reads_is_read() {
    console_scenario(async |console, database| {
        let new = json!({"url": "https://example.com/", "id": "ep_crm"});
        console.register("acme", &new).await;
        let acme = console.company("acme").await;
        let name = database.url().path().trim_start_matches('/').to_owned();
        let only_reads = format!(
            "ALTER DATABASE {name} SET default_transaction_read_only = on; \
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()"
        );
        database.execute(&only_reads).await.unwrap();
        // The first use of a token is one that would be noted.
        let listed = eventually(SOON, "it is read", async || {
            let reply = acme.get(OF_ACME).await;
            assert!(reply.status == 200 || reply.status == 503, "{reply:?}");
            (reply.status == 200).then_some(reply)
        });
        assert!(listed.await.body.contains("ep_crm"));
        let refused = acme.patch(EP_CRM, &json!({"disabled": true})).await;
        assert_eq!(refused.problem(503), "database_read_only");
        assert!(refused.header("retry-after").is_some());
        console.process().is_ready_within(SOON).await;
    })
    .await;
}

#[tokio::test]
async fn the_probe_tells_nobody_where_the_database_is() {
    database_scenario(async |world, database| {
        let url = "postgres://u:s3cret@127.0.0.1:1/hookline";
        let console = setup(world, database).set("HOOKLINE_DATABASE_URL", url).launch();
        eventually(SOON, "it answers", async || console.get("/healthz").await.ok()).await;
        let told = Api::new(console.port(), Some(ADMIN_TOKEN)).get("/readyz").await;
        assert_eq!(told.status, 503);
        assert!(
            !told.body.contains("refused") && !told.body.contains("127.0.0.1"),
            "{told:?}"
        );
        console.says("refused", SOON).await;
    })
    .await;
}

#[tokio::test]
async fn an_id_that_is_a_routes_own_word_is_refused_and_a_path_that_is_no_text_is_nothings() {
    console_scenario(async |console, _| {
        let admin = console.admin();
        let new = json!({"url": "https://example.com/", "id": "import"});
        let refused = admin.post(OF_ACME, &new).await;
        assert_eq!(refused.problem(400), "invalid_request");
        assert!(refused.body.contains("`import`"), "{refused:?}");
        let file = "[[endpoint]]\nid = \"import\"\ncompany = \"acme\"\nurl = \"https://example.com/\"\n\
                    secret = \"0123456789abcdef\"\n";
        let path = format!("{OF_ACME}/import");
        let imported = admin
            .send_bytes(Method::POST, &path, Some("application/toml"), file)
            .await
            .expect(200)
            .json();
        assert_eq!(imported["results"][0]["result"], "refused", "{imported}");
        for path in ["/v1/companies/%ff/endpoints", "/v1/companies/acme/endpoints/%ff"] {
            assert_eq!(admin.get(path).await.problem(404), "not_found", "{path}");
            let stranger = console.stranger().get(path).await;
            assert_eq!(stranger.problem(401), "unauthorized", "{path}");
        }
    })
    .await;
}
