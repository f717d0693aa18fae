//! The database under the console: its schema, what it tells dispatchers, what it never forgets, and its absence.

use std::time::Duration;

use hookline_common::ids::CompanyId;
use hookline_store::seal::Keyring;
use hookline_store::{Changed, Database as Url, Store, StoreSettings};
use hookline_tests::console::{
    ADMIN_TOKEN, MASTER_KEY, console_scenario, database_scenario, empty_database_scenario, run, setup, start,
};
use hookline_tests::ports::free_port;
use serde_json::json;
use tokio::time::timeout;

use crate::SOON;

#[tokio::test]
async fn consoles_that_start_at_once_migrate_once() {
    empty_database_scenario(async |world, database| {
        let consoles = [1, 2, 3].map(|_| setup(world, database).launch());
        for console in &consoles {
            console
                .is_ready_within(hookline_tests::dispatcher::STARTS_WITHIN)
                .await;
        }
        let steps = database.texts("SELECT version::text FROM _sqlx_migrations").await;
        let all: Vec<String> = (1..=12).map(|step| step.to_string()).collect();
        assert_eq!(steps, all);
        let again = run(database, MASTER_KEY, &["migrate"]).await;
        assert!(again.status.success(), "{again:?}");
    })
    .await;
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_an_older_one_is_not_touched_unless_it_may_be() {
    empty_database_scenario(async |world, database| {
        let kept = setup(world, database)
            .set("HOOKLINE_MIGRATE_ON_START", "false")
            .launch();
        let ended = kept.ends_within(SOON).await;
        assert_eq!(ended.code(), Some(1));
        kept.says("hookline-console migrate", SOON).await;
        assert!(
            database
                .texts("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
                .await
                .is_empty()
        );

        assert!(run(database, MASTER_KEY, &["migrate"]).await.status.success());
        let console = start(setup(world, database).set("HOOKLINE_MIGRATE_ON_START", "false")).await;
        console.process().stop().await;

        let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                     VALUES (9999, 'of tomorrow', true, '', 0)";
        database.execute(newer).await.unwrap();
        for migrates in ["true", "false"] {
            let refused = setup(world, database)
                .set("HOOKLINE_MIGRATE_ON_START", migrates)
                .launch();
            assert_eq!(refused.ends_within(SOON).await.code(), Some(1));
            let told = refused.says("9999", SOON).await;
            assert!(told.contains("newer"), "{told}");
        }
    })
    .await;
}

#[tokio::test]
async fn dispatchers_hear_of_every_change() {
    console_scenario(async |console, database| {
        let store = Store::new(StoreSettings {
            database: Url::parse(database.url().as_str()).unwrap(),
            keyring: Keyring::parse(MASTER_KEY).unwrap(),
            application: "scenario",
            max_connections: 2,
        });
        let mut changes = store.changes().await.unwrap();
        let mut heard = async |what: &str| {
            let company = timeout(SOON, changes.next()).await.expect(what).expect(what);
            let acme = CompanyId::parse("acme").unwrap();
            assert_eq!(company, Changed::Of(acme), "{what}");
        };
        let path = "/v1/companies/acme/endpoints/ep_crm";
        let admin = console.admin();
        console
            .register("acme", &json!({"url": "https://example.com/", "id": "ep_crm"}))
            .await;
        heard("created").await;
        admin.patch(path, &json!({"disabled": true})).await.expect(200);
        heard("changed").await;
        admin
            .post(&format!("{path}/rotate-secret"), &json!({}))
            .await
            .expect(200);
        heard("rotated").await;
        admin
            .post(&format!("{path}/rotate-secret/complete"), &json!({}))
            .await
            .expect(200);
        heard("completed").await;
        database
            .execute("UPDATE endpoints SET description = 'by hand'")
            .await
            .unwrap();
        heard("changed by hand").await;
        admin.delete(path).await.expect(204);
        heard("removed").await;
        database.execute("TRUNCATE endpoints").await.unwrap();
        let truncated = timeout(SOON, changes.next()).await.expect("truncated").unwrap();
        assert_eq!(truncated, Changed::All);
        assert!(
            store
                .companies(&[CompanyId::parse("acme").unwrap()])
                .await
                .unwrap()
                .is_empty()
        );
    })
    .await;
}

#[tokio::test]
async fn the_audit_cannot_be_changed() {
    console_scenario(async |console, database| {
        console
            .register(
                "acme",
                &json!({"url": "https://example.com/?key=s3cret", "id": "ep_crm"}),
            )
            .await;
        let path = "/v1/companies/acme/endpoints/ep_crm";
        let acme = console.company("acme").await;
        acme.patch(path, &json!({"description": "CRM"})).await.expect(200);
        for statement in [
            "UPDATE audit SET actor = 'x'",
            "DELETE FROM audit",
            "TRUNCATE audit",
        ] {
            let refused = database.execute(statement).await.unwrap_err();
            assert!(refused.contains("append-only"), "{refused}");
        }
        let listed = console
            .admin()
            .get("/v1/companies/acme/audit?limit=1")
            .await
            .expect(200)
            .json();
        let newest = &listed["data"][0];
        assert_eq!(newest["action"], json!("endpoint.changed"));
        assert!(
            newest["actor"].as_str().unwrap().starts_with("token:tok_"),
            "{newest}"
        );
        assert_eq!(
            (&newest["before"]["description"], &newest["after"]["description"]),
            (&json!(null), &json!("CRM"))
        );
        assert_eq!(newest["after"]["url"], json!("https://example.com/?***"));
        let next = listed["next"].as_str().unwrap();
        let older = console
            .admin()
            .get(&format!("/v1/companies/acme/audit?cursor={next}"))
            .await
            .expect(200)
            .json();
        let actions: Vec<_> = older["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| &row["action"])
            .collect();
        assert_eq!(actions, [&json!("token.created"), &json!("endpoint.created")]);
    })
    .await;
}

#[tokio::test]
async fn without_its_database_the_console_waits_and_says_so() {
    database_scenario(async |world, database| {
        // Nobody listens there.
        let port = free_port();
        let nowhere = format!("postgres://hookline:s3cret@127.0.0.1:{port}/hookline");
        let console = setup(world, database)
            .set("HOOKLINE_DATABASE_URL", nowhere)
            .launch();
        let told = console.says("the database is waited for", SOON).await;
        assert!(!told.contains("s3cret"), "{told}");
        let ready = console.get("/readyz").await.unwrap();
        assert_eq!(ready.status, 503, "{ready:?}");
        assert_eq!(console.get("/healthz").await.unwrap().status, 200);
        let api = hookline_tests::api::Api::new(console.port(), Some(ADMIN_TOKEN));
        let refused = timeout(Duration::from_secs(30), api.get("/v1/companies/acme/endpoints"))
            .await
            .unwrap();
        assert_eq!(refused.problem(503), "database_unavailable");
        assert!(refused.header("retry-after").is_some());
    })
    .await;
}
