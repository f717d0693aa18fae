//! The overview: what was delivered and what failed is told right after, of the company alone whose page it is, and of all to
//! the operator; what others wrote is text; and what counts over time are drawn from agrees with the log.

use hookline_common::ids::{CompanyId, EndpointId};
use hookline_store::seal::Keyring;
use hookline_store::{Database as DatabaseUrl, Standing, Standings, Store, StoreSettings};
use hookline_tests::answer::status;
use hookline_tests::api::Reply;
use hookline_tests::browser::{Browser, between};
use hookline_tests::console::{
    ADMIN_TOKEN, Console, MASTER_KEY, console_scenario, database_scenario, setup, start,
};
use hookline_tests::database::Database;
use hookline_tests::log_rows::{Row, make_days};
use hookline_tests::receiver::Receiver;
use hookline_tests::{SOON, eventually};
use jiff::Timestamp;
use serde_json::json;

async fn operator(console: &Console) -> Browser {
    Browser::of_operator(console).await
}

async fn member(console: &Console, company: &str) -> Browser {
    Browser::of_company(console, company).await
}

/// The sentence at the top of a page.
fn sentence(page: &Reply) -> String {
    let line = between(&page.body, "class=\"verdict-line", "</div>").expect("a sentence");
    between(&line, "<p>", "</p>").expect("a sentence")
}

/// A figure by its name.
fn figure(page: &Reply, name: &str) -> String {
    let value = between(&page.body, &format!("<dt>{name}</dt><dd>"), "</dd>").expect(name);
    value.split('<').next().unwrap_or_default().to_owned()
}

/// Waits until a page's sentence is this one, and returns the page.
async fn says(browser: &Browser, path: &str, wanted: &str) -> Reply {
    let mut last = String::new();
    let what = format!("{path} says {wanted:?}");
    let page = eventually(SOON, &what, async || {
        let page = browser.get(path).await.expect(200);
        last = sentence(&page);
        (last == wanted).then_some(page)
    });
    page.await
}

async fn publish(console: &Console, company: &str, event_type: &str) {
    let event = json!({"type": event_type, "data": {}});
    let path = format!("/v1/companies/{company}/events");
    console.admin().post(&path, &event).await.expect(202);
}

async fn register(console: &Console, company: &str, id: &str, receiver: &Receiver, events: &[&str]) {
    let body = json!({"id": id, "url": receiver.url(), "description": format!("The {id}"), "events": events});
    console.register(company, &body).await;
}

fn store(database: &Database) -> Store {
    Store::new(StoreSettings {
        database: DatabaseUrl::parse(database.url().as_str()).unwrap(),
        keyring: Keyring::parse(MASTER_KEY).unwrap(),
        application: "scenario",
        max_connections: 2,
    })
}

#[tokio::test]
async fn what_is_delivered_and_what_fails_is_told_right_after_to_whom_it_belongs() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        let (good, bad) = (
            Receiver::answering(status(200)).await,
            Receiver::answering(status(500)).await,
        );
        let (acme, globex, all) = (
            member(&console, "acme").await,
            member(&console, "globex").await,
            operator(&console).await,
        );
        let path = "/companies/acme/overview";
        says(&all, "/overview", "No company has registered an endpoint yet.").await;
        let none = "No endpoint is registered yet. Add one, and events are sent there as they happen.";
        says(&acme, path, none).await;

        register(&console, "acme", "good", &good, &["a"]).await;
        register(&console, "acme", "bad", &bad, &["b"]).await;
        register(&console, "globex", "theirs", &good, &["a"]).await;
        let nothing = "Nothing was sent to your 2 endpoints yet. Send a test event, which is not counted here, or wait for the first booking.";
        says(&acme, path, nothing).await;

        // Two attempts of each delivery.
        let dispatcher = world
            .dispatcher()
            .unset("HOOKLINE_ENDPOINTS_FILE")
            .set("HOOKLINE_DATABASE_URL", database.url().as_str())
            .set("HOOKLINE_MASTER_KEY", MASTER_KEY)
            .set("HOOKLINE_RETRY_SCHEDULE", "1s");
        dispatcher.start().await;
        for (company, event_type) in [
            ("acme", "a"),
            ("acme", "a"),
            ("acme", "a"),
            ("acme", "b"),
            ("acme", "b"),
            ("globex", "a"),
        ] {
            publish(&console, company, event_type).await;
        }
        // Somebody tries an endpoint out: that counts nowhere.
        let tried = console
            .admin()
            .post("/v1/companies/acme/endpoints/bad/test?wait=30s", &json!({"type": "booking.created"}))
            .await;
        assert_eq!(tried.expect(200).json()["status"], 500);

        let wanted = "The bad fails; the other one answers. 3 delivered in the last hour, 0 waiting, 2 failed for good.";
        says(&acme, path, wanted).await;
        // A dead letter may be filed before the last attempt of its delivery is recorded.
        eventually(SOON, "all attempts are counted", async || {
            let page = acme.get(path).await.expect(200);
            (figure(&page, "Attempts that failed") == "4").then_some(())
        })
        .await;
        let page = acme.get(path).await.expect(200);
        for window in ["1h", "24h", "7d"] {
            let page = acme.get(&format!("{path}?window={window}")).await.expect(200);
            assert_eq!(sentence(&page), wanted, "it is about the last hour, whatever is shown");
            for (name, value) in [
                ("Delivered", "3"),
                ("Attempts that failed", "4"),
                ("Attempts that succeeded", "42.8 %"),
                ("Waiting now for another attempt", "0"),
            ] {
                assert_eq!(figure(&page, name), value, "{name} in {window}");
            }
            assert!(page.body.contains("3 delivered, 4 attempts failed in the last"), "{window}");
            assert!(page.body.len() < 90_000, "{window}: {} bytes", page.body.len());
        }
        assert!(page.body.contains("answers 500"), "the problem, in words");
        assert!(page.body.contains("/companies/acme/failed?endpoint=bad"), "and a way to it");

        let theirs = says(
            &globex,
            "/companies/globex/overview",
            "Your endpoint answers. 1 delivered in the last hour, 0 waiting.",
        )
        .await;
        assert!(!theirs.body.contains("The bad") && !theirs.body.contains("acme"), "{}", theirs.body);
        assert_eq!(globex.get(path).await.status, 404);
        assert_eq!(globex.get("/overview").await.status, 404);

        let of_all = "Of 3 endpoints of 2 companies, 1 endpoint fails; the other 2 answer. 4 delivered in the last hour, \
                      0 waiting, 2 failed for good.";
        let page = says(&all, "/overview", of_all).await;
        assert_eq!(figure(&page, "Attempts that failed"), "4");
        assert!(page.body.contains("href=\"/companies/acme/overview\">acme</a>"), "problems by company");
        // The broker's queues are looked at now and then, and not for each page.
        eventually(SOON, "somebody takes events", async || {
            let page = all.get("/overview").await.expect(200);
            let events = between(&page.body, "<code>events</code></th>", "</tr>")?;
            (sentence(&page) == of_all && events.contains("badge good")).then_some(())
        })
        .await;

        // The same at a glance, where endpoints and companies are listed.
        let list = acme.get("/companies/acme/endpoints").await.expect(200).body;
        assert!(list.contains("In 24 hours 3 delivered, 0 attempts failed"), "{list}");
        assert!(list.contains("In 24 hours 0 delivered, 4 attempts failed"), "{list}");
        assert!(list.contains("badge good\">answers") && list.contains("badge bad\">fails"), "{list}");
        let companies = all.get("/companies").await.expect(200).body;
        assert!(companies.contains("1 of 2 failing") && companies.contains("all answering"), "{companies}");
        agree(database).await;
    })
    .await;
}

/// What was counted is what stands in the log.
async fn agree(database: &Database) {
    let counted = "SELECT concat_ws(' ', company, step_s, sum(attempts), sum(delivered), sum(failed), \
                   sum(ms_5 + ms_10 + ms_20 + ms_50 + ms_100 + ms_200 + ms_500 + ms_1000 + ms_2000 + ms_5000 + ms_10000 \
                   + ms_20000 + ms_30000 + ms_more)) FROM attempt_counts GROUP BY company, step_s ORDER BY company, step_s";
    let logged = "SELECT concat_ws(' ', company, step_s, count(*), count(*) FILTER (WHERE outcome = 'delivered'), \
                  count(*) FILTER (WHERE outcome <> 'delivered' AND is_final), count(status)) \
                  FROM (SELECT * FROM attempts UNION ALL SELECT id, started_at, '' COLLATE \"C\", event, endpoint, type, url, \
                  origin, attempt, duration_ms, outcome, status, error, response, next_attempt_at, is_final, trace_id, \
                  request_headers, response_headers FROM attempts) a, (VALUES (60), (3600)) s (step_s) \
                  WHERE origin <> 'test' AND outcome <> 'discarded' GROUP BY company, step_s ORDER BY company, step_s";
    let (counted, logged) = (database.texts(counted).await, database.texts(logged).await);
    assert!(!logged.is_empty());
    assert_eq!(counted, logged);
}

#[tokio::test]
async fn what_others_wrote_is_text_and_a_page_weighs_little() {
    console_scenario(async |console, database| {
        let hostile = r#"<script>alert(1)</script>"><img src=x onerror=alert(2)>'<svg/onload=alert(3)>{{7*7}}"#;
        let body = json!({"id": "ep_a", "url": "https://example.com/?<script>", "description": hostile});
        console.register("acme", &body).await;
        console.register("acme", &json!({"id": "ep_b", "url": "https://example.com/"})).await;
        make_days(database, 1).await;
        let failing = Row::of("evt_1", "ep_a", 30).status("retrying", "http_status", 503);
        failing.insert(database).await;
        // What no API would take, and somebody wrote into the database.
        for sql in [
            "UPDATE endpoints SET description = description || U&'\\202E\\001B[31m' WHERE id = 'ep_a'",
            "UPDATE endpoints SET disabled = true, disabled_reason = '<b>why</b>' || U&'\\202E' WHERE id = 'ep_b'",
            "INSERT INTO endpoint_health (company, endpoint, consecutive_failures, failing_since, last_failure_at) \
             VALUES ('acme', 'ep_a', 7, now(), now())",
        ] {
            database.execute(sql).await.unwrap();
        }
        let (acme, all) = (member(console, "acme").await, operator(console).await);
        for (browser, path) in [
            (&acme, "/companies/acme/overview?window=%3Cscript%3E"),
            (&acme, "/companies/acme/endpoints"),
            (&acme, "/companies/acme/endpoints/ep_a"),
            (&acme, "/companies/acme/endpoints/ep_b"),
            (&all, "/overview?window=%22%3E%3Cscript%3E"),
            (&all, "/companies"),
        ] {
            let body = browser.get(path).await.expect(200).body;
            for bad in ["<script>", "<img", "<svg/", "<b>", "\u{202e}", "\u{1b}", " style="] {
                assert!(!body.contains(bad), "{bad:?} in {path}: {body}");
            }
            assert!(body.len() < 60_000, "{path}: {} bytes", body.len());
        }
        let overview = acme.get("/companies/acme/overview").await;
        let told = sentence(&overview);
        assert!(told.contains("&lt;script&gt;alert(1)") && told.contains("&lt;U+202E&gt;"), "{told}");
        assert!(overview.body.contains("1 delivery being retried"), "{}", overview.body);
        assert_eq!(figure(&overview, "Waiting now for another attempt"), "1");
    })
    .await;
}

#[tokio::test]
async fn a_broker_that_is_away_is_told_of_and_the_page_is_there() {
    database_scenario(async |world, database| {
        let console = setup(world, database).set("HOOKLINE_AMQP_URL", "amqp://guest:guest@127.0.0.1:1");
        let process = console.launch();
        let mut browser = Browser::new(process.port());
        eventually(SOON, "the console has made its tables", async || {
            let asked = process.get("/healthz").await.is_ok();
            let tables = database
                .texts("SELECT 1::text WHERE to_regclass('attempt_counts') IS NOT NULL")
                .await;
            (asked && !tables.is_empty()).then_some(())
        })
        .await;
        let entered = browser.bare_post("/sign-in", &[("token", ADMIN_TOKEN)]).await;
        browser.keep_cookie(&entered.expect(303));
        eventually(SOON, "the page says that the broker is away", async || {
            let page = browser.get("/overview").await.expect(200);
            assert_eq!(sentence(&page), "No company has registered an endpoint yet.");
            page.body.contains("the broker cannot be reached").then_some(())
        })
        .await;
        process.kill().await;
    })
    .await;
}

#[tokio::test]
async fn counts_are_kept_for_as_long_as_they_are_shown() {
    database_scenario(async |_, database| {
        let store = store(database);
        store.migrate().await.unwrap();
        for (step_s, ago_h) in [(60, 25), (60, 27), (3_600, 7 * 24), (3_600, 8 * 24 + 1)] {
            let sql = format!(
                "INSERT INTO attempt_counts SELECT 'acme', {step_s}, now() - interval '{ago_h} hours' - i * interval '1 ms', \
                 'ep', 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM generate_series(1, 12000) i"
            );
            database.execute(&sql).await.unwrap();
        }
        // Some at a time, so that nobody waits for long.
        let mut rounds = Vec::new();
        loop {
            let forgotten = store.forget_old_counts(Timestamp::now()).await.unwrap();
            rounds.push(forgotten);
            if forgotten == 0 {
                break;
            }
        }
        assert_eq!(rounds, [20_000, 4_000, 0]);
        let left = "SELECT concat_ws(' ', step_s, count(*)) FROM attempt_counts GROUP BY step_s ORDER BY step_s";
        assert_eq!(database.texts(left).await, ["60 12000", "3600 12000"]);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn how_an_endpoint_stands_is_the_same_for_the_database_and_for_the_program() {
    console_scenario(async |console, database| {
        for (number, (disabled, health)) in [
            ("false", "0, NULL"),
            ("false", "1, NULL"),
            ("false", "0, now()"),
            ("false", "2, now()"),
            ("false", "3, now()"),
            ("true", "0, now()"),
            ("true, disabled_reason = 'gone'", "9, NULL"),
        ]
        .into_iter()
        .enumerate()
        {
            let company = if number == 0 { "globex" } else { "acme" };
            let id = format!("ep_{number}");
            let body = json!({"id": id, "url": "https://example.com/"});
            if number == 6 {
                console.register("initech", &body).await;
            } else {
                console.register(company, &body).await;
            }
            for sql in [
                format!("UPDATE endpoints SET disabled = {disabled} WHERE id = '{id}'"),
                format!(
                    "INSERT INTO endpoint_health (company, endpoint, consecutive_failures, last_success_at) \
                     SELECT company, id, {health} FROM endpoints WHERE id = '{id}'"
                ),
            ] {
                database.execute(&sql).await.unwrap();
            }
        }
        // One of which the log knows nothing.
        console
            .register("globex", &json!({"id": "ep_new", "url": "https://example.com/"}))
            .await;
        let store = store(database);
        let mut counted = Standings {
            companies: 3,
            ..Standings::default()
        };
        let companies = ["acme", "globex", "initech"].map(|company| CompanyId::parse(company).unwrap());
        for company in &companies {
            let endpoints = store.endpoints(company, None, 100).await.unwrap().items;
            let ids: Vec<EndpointId> = endpoints.iter().map(|endpoint| endpoint.id.clone()).collect();
            let health = store.health(company, &ids).await.unwrap();
            for endpoint in &endpoints {
                let health = health.get(&endpoint.id).cloned().unwrap_or_default();
                match Standing::of(endpoint, &health) {
                    Standing::Disabled => counted.disabled += 1,
                    Standing::Failing => counted.failing += 1,
                    Standing::Paused => counted.paused += 1,
                    Standing::Untried => counted.untried += 1,
                    Standing::Answering => counted.answering += 1,
                }
            }
        }
        assert_eq!(store.standings().await.unwrap(), counted);
        assert_eq!((counted.failing, counted.answering, counted.untried), (2, 2, 2));
        let each = store.standings_of_companies(&companies).await.unwrap();
        assert_eq!(
            each.values().map(Standings::endpoints).sum::<u64>(),
            counted.endpoints()
        );
        store.close().await;
    })
    .await;
}
