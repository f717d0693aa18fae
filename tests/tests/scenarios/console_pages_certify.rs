//! Certify: a booking's life is played from an endpoint's page, by its own company alone, and what comes of it is told.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookline_common::secret::Secret;
use hookline_common::signature::verify_standard;
use hookline_tests::answer::{Answer, Gate, status};
use hookline_tests::browser::Browser;
use hookline_tests::console::{Console, console_scenario, database_scenario, setup, start};
use hookline_tests::database::Database;
use hookline_tests::eventually::{always, eventually};
use hookline_tests::receiver::{Received, Receiver};
use hookline_tests::world::World;
use serde_json::{Value, json};

use crate::SOON;

/// How many checks a certificate has.
const CHECKS: usize = 11;
/// How many requests the first of them has.
const OF_FIRST_CHECK: usize = 3;

/// A console whose requests hang for as long as a test wants.
async fn patient(world: &World, database: &Database) -> Console {
    start(setup(world, database).set("HOOKLINE_REQUEST_TIMEOUT", "600s")).await
}

async fn register(console: &Console, company: &str, url: &str) -> String {
    let made = console
        .register(company, &json!({"url": url, "headers": {"x-team": "crm"}}))
        .await;
    made["id"].as_str().unwrap().to_owned()
}

fn page_of(company: &str, id: &str) -> String {
    format!("/companies/{company}/endpoints/{id}/certify")
}

/// The page once nothing is played any more.
async fn ended(person: &Browser, page: &str) -> String {
    eventually(SOON, "the certificate ends", async || {
        let shown = person.get(page).await.expect(200).body;
        (!shown.contains("data-renew=\"2\"")).then_some(shown)
    })
    .await
}

async fn audit(console: &Console, company: &str) -> Vec<(String, String)> {
    let path = format!("/v1/companies/{company}/audit");
    let lines = console.admin().get(&path).await.expect(200).json();
    let lines = lines["data"].as_array().unwrap().clone();
    let text = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
    lines
        .iter()
        .map(|line| (text(line, "action"), text(line, "actor")))
        .collect()
}

fn holds(secret: &str, request: &Received) -> bool {
    let [id, timestamp, signature] =
        ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|name| request.header(name));
    let secrets = [Secret::parse(secret).unwrap()];
    verify_standard(
        &secrets,
        id,
        timestamp,
        signature,
        &request.body,
        request.arrived_unix,
    )
    .is_ok()
}

/// A receiver that takes what both secrets of a rotation have signed, and nothing else.
#[tokio::test]
async fn a_good_receiver_passes_with_both_secrets_of_a_rotation_and_who_did_it_stands_in_the_audit() {
    console_scenario(async |console, _| {
        let secrets = Arc::new(Mutex::new(Vec::<String>::new()));
        let known = Arc::clone(&secrets);
        let receiver = Receiver::scripted(move |request| {
            let is_good = known.lock().unwrap().iter().all(|secret| holds(secret, request));
            status(if is_good && request.header("x-team") == "crm" {
                200
            } else {
                401
            })
        })
        .await;
        let id = register(console, "acme", &receiver.url()).await;
        let api = format!("/v1/companies/acme/endpoints/{id}");
        let old = console
            .admin()
            .get(&format!("{api}/secret"))
            .await
            .expect(200)
            .json();
        let new = console
            .admin()
            .post(&format!("{api}/rotate-secret"), &json!({}))
            .await;
        for rotated in [old, new.expect(200).json()] {
            secrets
                .lock()
                .unwrap()
                .push(rotated["secret"].as_str().unwrap().to_owned());
        }
        let person = Browser::of_company(console, "acme").await;
        let page = page_of("acme", &id);
        let before = person.get(&page).await.expect(200).body;
        assert!(
            before.contains("Not certified yet") && !before.contains("data-renew"),
            "{before}"
        );
        let begun = person.post(&page, &[]).await.expect(303);
        assert_eq!(Browser::location(&begun), Some(page.as_str()));
        let shown = ended(&person, &page).await;
        assert!(
            shown.contains(">passed<") && shown.contains("what a good receiver does"),
            "{shown}"
        );
        assert_eq!(
            shown.matches("<details class=\"check\"").count(),
            CHECKS,
            "{shown}"
        );
        let forged = receiver.requests().len() - receiver.accepted().len();
        assert_eq!((receiver.requests().len(), forged), (34, 7));
        // It is told whose deed it was.
        let lines = audit(console, "acme").await;
        let certified: Vec<&str> = lines
            .iter()
            .filter(|(action, _)| action == "endpoint.certified")
            .map(|(_, actor)| actor.as_str())
            .collect();
        assert!(
            matches!(certified[..], [actor] if actor.starts_with("portal:")),
            "{lines:?}"
        );
        let told = person.get("/companies/acme/audit").await.expect(200).body;
        let link = format!("href=\"/companies/acme/endpoints/{id}\"");
        assert!(
            told.contains("Endpoint checked") && told.contains(&link),
            "{told}"
        );
        // The operator sees the same, and can have it played anew.
        let operator = Browser::of_operator(console).await;
        assert!(operator.get(&page).await.expect(200).body.contains(">passed<"));
        operator.post(&page, &[]).await.expect(303);
        assert_eq!(
            audit(console, "acme").await[0],
            ("endpoint.certified".to_owned(), "admin".to_owned())
        );
    })
    .await;
}

#[tokio::test]
async fn a_bad_receiver_is_found_out_and_what_it_says_is_text() {
    console_scenario(async |console, database| {
        let hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>\u{202e}\u{1b}[31m\u{0}";
        let receiver = Receiver::answering(status(200).body(hostile)).await;
        let id = register(console, "acme", &receiver.url()).await;
        let person = Browser::of_company(console, "acme").await;
        let page = page_of("acme", &id);
        person.post(&page, &[]).await.expect(303);
        let shown = ended(&person, &page).await;
        for told in [
            ">not passed<",
            "1 check failed",
            "signed with another secret",
            "What to do",
            "&lt;script&gt;alert(1)",
        ] {
            assert!(shown.contains(told), "{told}: {shown}");
        }
        for harmful in ["<script>alert", "<img", "\u{202e}", "\u{1b}", "\u{0}"] {
            assert!(!shown.contains(harmful), "{harmful:?}: {shown}");
        }
        // One that takes nothing is told so after its first request.
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let id = register(console, "acme", &format!("http://{free}/")).await;
        let page = page_of("acme", &id);
        person.post(&page, &[]).await.expect(303);
        let shown = ended(&person, &page).await;
        assert!(
            shown.contains("nothing listens on that port") && shown.contains("10 checks were not played"),
            "{shown}"
        );
        // Whose console was lost in the middle of it is told so, and it can be asked for again.
        let lost =
            "UPDATE certificates SET finished_at = NULL, report = '', ends_by = now() - interval '1 second'";
        database.execute(lost).await.unwrap();
        assert!(ended(&person, &page).await.contains("broken off"));
        person.post(&page, &[]).await.expect(303);
    })
    .await;
}

#[tokio::test]
async fn a_company_plays_one_at_a_time_and_seldom_and_nobody_else_waits_for_it() {
    database_scenario(async |world, database| {
        let console = &patient(world, database).await;
        let gate = Gate::closed();
        let silent = Receiver::answering(status(200).behind(&gate)).await;
        let quick = Receiver::answering(status(200)).await;
        let of_acme = page_of("acme", &register(console, "acme", &silent.url()).await);
        let second = page_of("acme", &register(console, "acme", &quick.url()).await);
        let of_globex = page_of("globex", &register(console, "globex", &quick.url()).await);
        let (acme, globex) = (
            Browser::of_company(console, "acme").await,
            Browser::of_company(console, "globex").await,
        );
        acme.post(&of_acme, &[]).await.expect(303);
        assert!(
            acme.get(&of_acme)
                .await
                .expect(200)
                .body
                .contains(&format!("0 of {CHECKS} checks done"))
        );
        for page in [&of_acme, &second] {
            let refused = acme.post(page, &[]).await.expect(409);
            assert!(refused.body.contains("one certified at a time"), "{refused:?}");
        }
        assert_eq!(quick.count(), 0);
        globex.post(&of_globex, &[]).await.expect(303);
        assert!(ended(&globex, &of_globex).await.contains("not passed"));
        // The tenth and the first too many: a minute has not passed for one more.
        let mut answers = Vec::new();
        for _ in 0..9 {
            answers.push(acme.post(&second, &[]).await.status);
        }
        assert!(
            answers[..7].iter().all(|status| *status == 409) && answers[8] == 429,
            "{answers:?}"
        );
        assert_eq!(globex.post(&of_globex, &[]).await.status, 303);
        gate.open();
        ended(&acme, &of_acme).await;
    })
    .await;
}

/// What a company plays against an endpoint that it has removed is one all the same, until it ends.
#[tokio::test]
async fn a_company_that_removes_and_registers_has_no_more_than_one_played() {
    database_scenario(async |world, database| {
        let console = &patient(world, database).await;
        let gate = Gate::closed();
        let silent = Receiver::answering(status(200).behind(&gate)).await;
        let acme = Browser::of_company(console, "acme").await;
        let first = register(console, "acme", &silent.url()).await;
        acme.post(&page_of("acme", &first), &[]).await.expect(303);
        let removed = console
            .admin()
            .delete(&format!("/v1/companies/acme/endpoints/{first}"))
            .await;
        assert_eq!(removed.status, 204);
        let page = page_of("acme", &register(console, "acme", &silent.url()).await);
        let refused = acme.post(&page, &[]).await.expect(409);
        assert!(refused.body.contains(&first), "{refused:?}");
        gate.open();
    })
    .await;
}

#[tokio::test]
async fn nothing_is_sent_to_where_the_guard_says_no_or_what_was_removed_or_where_it_is_switched_off() {
    database_scenario(async |world, database| {
        let console = patient(world, database).await;
        // What comes after the first check hangs until it is given up.
        let gate = Gate::closed();
        let (first, mut count) = (status(200).behind(&gate), 0);
        let receiver = Receiver::scripted(move |_| {
            count += 1;
            if count <= OF_FIRST_CHECK {
                first.clone()
            } else {
                Answer::hang()
            }
        })
        .await;
        let person = Browser::of_company(&console, "acme").await;
        let removed = register(&console, "acme", &receiver.url()).await;
        let page = page_of("acme", &removed);
        person.post(&page, &[]).await.expect(303);
        eventually(SOON, "its first check has begun", async || {
            (receiver.count() == 1).then_some(())
        })
        .await;
        let path = format!("/v1/companies/acme/endpoints/{removed}");
        assert_eq!(console.admin().delete(&path).await.status, 204);
        assert_eq!(person.get(&page).await.status, 404);
        gate.open();
        // Its first check is on its way, the next one may have begun, and no other does.
        receiver.expect(OF_FIRST_CHECK, SOON).await;
        always(Duration::from_secs(3), "no other check begins", async || {
            receiver.count() <= OF_FIRST_CHECK + 1
        })
        .await;
        receiver.is_left_within(SOON).await;
        let refused = register(&console, "acme", &receiver.url()).await;
        let sql = format!("UPDATE endpoints SET url = 'http://10.0.0.1/secret' WHERE id = '{refused}'");
        database.execute(&sql).await.unwrap();
        let page = page_of("acme", &refused);
        person.post(&page, &[]).await.expect(303);
        let shown = ended(&person, &page).await;
        assert!(
            shown.contains("Nothing was sent:") && shown.contains(">not played<"),
            "{shown}"
        );
        let off = start(setup(world, database).set("HOOKLINE_CERTIFY", "off")).await;
        let person = Browser::of_company(&off, "acme").await;
        let page = page_of("acme", &register(&off, "acme", &receiver.url()).await);
        let shown = person.get(&page).await.expect(200).body;
        assert!(
            shown.contains("switched that off") && !shown.contains("<button class=\"primary\""),
            "{shown}"
        );
        person.post(&page, &[]).await.expect(403);
    })
    .await;
}
