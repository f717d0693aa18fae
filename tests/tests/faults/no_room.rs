//! A database that takes no changes, or has no room for them: what was promised is there, what was not is refused, and deliveries
//! do not notice.

use hookline_tests::api::Api;
use hookline_tests::console::{database_scenario, dispatcher_on, setup, setup_on, start};
use hookline_tests::database::Database;
use hookline_tests::fault::{Allowed, Trial};
use hookline_tests::hostile::not_run;
use hookline_tests::judge::Judge;
use hookline_tests::load::numbered;
use hookline_tests::private_postgres::PrivatePostgres;
use hookline_tests::recorded::recorded_once;
use hookline_tests::{Receiver, SOON, eventually, scenario};
use hyper::Method;
use serde_json::json;

use crate::company::Company;

/// Events before and during the fault.
const KNOWN: usize = 2000;
/// And after it.
const LATER: usize = 200;

/// Has the database take no changes from now on, or again, whoever is connected.
async fn takes_changes(database: &Database, takes: bool) {
    let name = database.url().path().trim_start_matches('/').to_owned();
    let value = if takes { "off" } else { "on" };
    let sql = format!(
        "BEGIN READ WRITE; ALTER DATABASE {name} SET default_transaction_read_only = {value}; COMMIT; \
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    );
    database.execute(&sql).await.unwrap();
}

/// What reads, and what changes something: of the routes that companies use with their own tokens.
async fn asked(company: &Api, admin: &Api, receiver: &Receiver) -> (Vec<u16>, Vec<u16>) {
    const OF: &str = "/v1/companies/acme";
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    for path in [
        "endpoints",
        "endpoints/ep_crm",
        "deliveries",
        "failed",
        "problems",
        "audit",
        "events",
    ] {
        reads.push(company.get(&format!("{OF}/{path}")).await.status);
    }
    let endpoint = json!({"url": receiver.url()});
    for (api, method, path, body) in [
        (company, Method::POST, "endpoints", endpoint),
        (
            company,
            Method::PATCH,
            "endpoints/ep_crm",
            json!({"description": "changed"}),
        ),
        (company, Method::POST, "endpoints/ep_crm/rotate-secret", json!({})),
        (company, Method::DELETE, "endpoints/ep_crm", json!({})),
        (admin, Method::POST, "tokens", json!({})),
    ] {
        let reply = api.send(method, &format!("{OF}/{path}"), Some(&body)).await;
        writes.push(reply.status);
    }
    (reads, writes)
}

#[tokio::test]
async fn d28_database_that_takes_no_changes() {
    let mut trial = Trial::here();
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        let mut acme = Company::registered(&console, "acme", "ep_crm").await;
        let company = console.company("acme").await;
        let never_used = console.company("acme").await;
        company.get("/v1/companies/acme/endpoints").await.expect(200);
        let dispatcher = dispatcher_on(world, database.url().as_str()).start().await;
        acme.publish(world, KNOWN / 2).await;
        acme.has_all().await;

        takes_changes(database, false).await;
        console.process().says("default_transaction_read_only", SOON).await;
        for token in [&company, &never_used] {
            let (reads, writes) = asked(token, console.admin(), &acme.receiver).await;
            assert!(reads.iter().all(|status| *status == 200), "{reads:?}");
            assert!(writes.iter().all(|status| *status == 503), "{writes:?}");
            let event = numbered("acme", 1_000_000 + acme.events.len());
            let body = json!({"id": event.id.as_str(), "type": "booking.created", "data": {"number": 1_000_000 + acme.events.len()}});
            let reply = token.post("/v1/companies/acme/events", &body).await;
            reply.expect(202);
            acme.events.push(event);
        }
        acme.publish(world, KNOWN / 2).await;
        acme.has_all().await;
        assert!(dispatcher.is_ready().await);

        takes_changes(database, true).await;
        trial.healed();
        eventually(SOON, "changes are taken again", async || {
            let path = "/v1/companies/acme/endpoints/ep_crm";
            let reply = company.patch(path, &json!({"description": "changed"})).await;
            (reply.status == 200).then_some(())
        })
        .await;
        acme.publish(world, LATER).await;
        acme.has_all().await;
        recorded_once(database.url(), acme.events.len(), 3 * SOON).await;
        world.is_settled_within(SOON).await;
        let mut judge = Judge::with_usual_schedule();
        acme.judged(&mut judge);
        trial.closes(&judge, Allowed::nothing()).await;
    })
    .await;
}

/// Whatever was answered with 201 is there afterwards, and nothing else; deliveries go on, and their records follow.
#[tokio::test]
async fn d28_disk_of_the_database_is_full() {
    const MEGABYTES: u32 = 200;
    let mut trial = Trial::here();
    let Some(postgres) = PrivatePostgres::start_on_a_disk_of(MEGABYTES).await else {
        return not_run(
            "d28_disk_of_the_database_is_full",
            "only root can mount a small disk",
        );
    };
    scenario(async |world| {
        let url = postgres.url();
        let console = start(setup_on(world, url.as_str())).await;
        let mut acme = Company::registered(&console, "acme", "ep_crm").await;
        let dispatcher = dispatcher_on(world, url.as_str()).start().await;
        acme.publish(world, KNOWN / 2).await;
        acme.has_all().await;
        recorded_once(&url, acme.events.len(), 3 * SOON).await;

        let token = console.company("acme").await;

        postgres.fill_disk(true);
        let (mut made, mut number) = (Vec::new(), 0);
        let wanted = json!({"url": acme.receiver.url(), "description": "a".repeat(200)});
        eventually(2 * SOON, "an endpoint finds no room", async || {
            number += 1;
            let path = format!("/v1/companies/company-{number}/endpoints");
            let reply = console.admin().post(&path, &wanted).await;
            assert!(matches!(reply.status, 201 | 503), "{reply:?}");
            if reply.status == 201 {
                made.push(number);
            }
            (reply.status == 503).then_some(())
        })
        .await;
        // Who has a token may do what needs no room.
        token.get("/v1/companies/acme/endpoints").await.expect(200);
        acme.publish(world, KNOWN).await;
        acme.has_all().await;
        console.process().says("space", SOON).await;
        assert!(dispatcher.is_ready().await);

        postgres.fill_disk(false);
        // It may have ended itself for want of room.
        postgres.start_again().await;
        trial.healed();
        acme.publish(world, LATER).await;
        acme.has_all().await;
        recorded_once(&url, acme.events.len(), 3 * SOON).await;
        for company in 1..=number {
            let path = format!("/v1/companies/company-{company}/endpoints");
            let listed = console.admin().get(&path).await.expect(200).json();
            let found = listed["data"].as_array().unwrap().len();
            assert_eq!(found, usize::from(made.contains(&company)), "company-{company}");
        }
        world.is_settled_within(SOON).await;
        let mut judge = Judge::with_usual_schedule();
        acme.judged(&mut judge);
        trial.closes(&judge, Allowed::nothing()).await;
    })
    .await;
}
