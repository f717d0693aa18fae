//! Nobody sees what is another company's: every route of the table, with every kind of token.

use hookline_common::topology::Queue;
use hookline_console::api::{Access, RouteInfo, routes};
use hookline_tests::SOON;
use hookline_tests::api::{Api, Reply};
use hookline_tests::console::{Console, console_scenario, database_scenario, setup, start};
use hookline_tests::database::Database;
use hookline_tests::eventually::eventually;
use hookline_tests::log_rows::{Row, insert_event, make_days};
use hyper::Method;
use serde_json::{Value, json};

/// A body that the route takes where it is asked by whom it is for.
fn body(route: &RouteInfo) -> Option<(&'static str, String)> {
    let json = |body: Value| Some(("application/json", body.to_string()));
    match (route.method, route.path.as_str()) {
        ("POST", "/v1/companies/{company}/endpoints") => json(json!({"url": "https://example.com/"})),
        ("POST", "/v1/companies/{company}/events") => json(json!({"type": "booking.created", "data": {}})),
        ("POST", "/v1/companies/{company}/endpoints/{id}/test") => json(json!({"type": "booking.created"})),
        ("POST", "/v1/companies/{company}/endpoints/import") => Some(("application/toml", String::new())),
        ("PATCH", "/v1/companies/{company}/endpoints/{id}") => json(json!({"disabled": true})),
        ("POST" | "PATCH", _) => json(json!({})),
        _ => None,
    }
}

async fn ask(api: &Api, route: &RouteInfo, company: &str, id: &str) -> Reply {
    let path = route.path.replace("{company}", company).replace("{id}", id);
    let path = path.replace("{event}", id).replace("{endpoint}", id);
    let path = path.replace("{type}", "booking.created");
    assert!(
        !path.contains('{'),
        "a parameter that this test does not know: {path}"
    );
    let method = Method::from_bytes(route.method.as_bytes()).unwrap();
    let (content_type, body) = body(route).unzip();
    api.send_bytes(method, &path, content_type, &body.unwrap_or_default())
        .await
}

/// Ids of what a route's path names, of this company.
async fn id_of(console: &Console, database: &Database, route: &RouteInfo, company: &str) -> String {
    if route.path.contains("/tokens/") {
        let made = console
            .admin()
            .post(&format!("/v1/companies/{company}/tokens"), &json!({}))
            .await;
        return made.expect(201).json()["id"].as_str().unwrap().to_owned();
    }
    let made = console
        .register(company, &json!({"url": "https://example.com/"}))
        .await;
    let id = made["id"].as_str().unwrap().to_owned();
    if route.path.contains("{event}") || route.path.contains("/failed/") {
        // An event that is called like its endpoint.
        make_days(database, 0).await;
        let mut row = Row::of(&id, &id, 1);
        company.clone_into(&mut row.company);
        row.insert(database).await;
        row.insert_dead(database, "{}").await;
        insert_event(database, company, &id, Some("{}")).await;
    }
    if route.path.contains("/retries/") {
        let retry = format!("rty_{id}");
        let sql = format!(
            "INSERT INTO retries (company, id, filter, total, skipped) VALUES ('{company}', '{retry}', '{{}}', 0, 0)"
        );
        database.execute(&sql).await.unwrap();
        return retry;
    }
    if route.path.ends_with("/rotate-secret/complete") {
        let rotate = format!("/v1/companies/{company}/endpoints/{id}/rotate-secret");
        console.admin().post(&rotate, &json!({})).await.expect(200);
    }
    id
}

#[tokio::test]
async fn every_route_answers_others_as_if_there_were_nothing() {
    console_scenario(async |console, database| {
        let (acme, stranger) = (console.company("acme").await, console.stranger());
        let mistaken = stranger.with_token(Some("hkl_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA00000000"));
        let mut strangers = 0;
        for (number, route) in routes().iter().enumerate() {
            let told = format!("{} {}", route.method, route.path);
            if matches!(route.access, Access::Public) {
                assert!(ask(&stranger, route, "", "").await.status < 400, "{told}");
                continue;
            }
            if matches!(route.access, Access::SignedIn) {
                assert_eq!(ask(&acme, route, "", "").await.status, 200, "{told}");
                let refused = ask(&stranger, route, "", "").await;
                strangers += 1;
                assert!(matches!(refused.status, 401 | 429), "{told}: {refused:?}");
                continue;
            }
            // Companies of its own for each route, so that none has too many endpoints.
            let globex = format!("globex-{number}");
            let other = id_of(console, database, route, &globex).await;

            // Not signed in. Those who try too often are told to wait, with the same outcome.
            for api in [&stranger, &mistaken] {
                let refused = ask(api, route, "acme", &other).await;
                strangers += 1;
                match refused.status {
                    429 => assert!(
                        strangers > 15 && refused.header("retry-after").is_some(),
                        "{told}"
                    ),
                    _ => assert_eq!(refused.problem(401), "unauthorized", "{told}"),
                }
            }

            // Another company, one that nobody has, and one that cannot be.
            let seen = ask(&acme, route, &globex, &other).await;
            assert_eq!(seen.problem(404), "not_found", "{told}");
            for company in ["nobody", "%20"] {
                let none = ask(&acme, route, company, &other).await;
                assert_eq!(
                    (none.status, &none.body),
                    (404, &seen.body),
                    "{told} of {company}"
                );
            }

            if matches!(route.access, Access::Admin) {
                assert_eq!(
                    ask(&acme, route, "acme", &other).await.problem(403),
                    "forbidden",
                    "{told}"
                );
            } else if route.path.contains("{id}") || route.path.contains("{event}") {
                // Another company's id in one's own path, one that nobody has, and one that cannot be.
                for id in [other.as_str(), "ep_nobody", "%20"] {
                    let none = ask(&acme, route, "acme", id).await;
                    assert_eq!((none.status, &none.body), (404, &seen.body), "{told} with {id}");
                }
            }
        }
        // None of that did anything to the others.
        let audit = console
            .admin()
            .get("/v1/companies/acme/audit")
            .await
            .expect(200)
            .json();
        assert_eq!(
            audit["data"].as_array().unwrap().len(),
            1,
            "only the token was made: {audit}"
        );
    })
    .await;
}

/// Whether it does what stands in the audit, as this test asks it: an empty file imports nothing, an event changes nothing; a
/// secret that is shown is a deed, too.
fn is_deed(route: &RouteInfo) -> bool {
    (route.method != "GET" || route.path.ends_with("/secret"))
        && !["/import", "/events", "/test"]
            .iter()
            .any(|end| route.path.ends_with(end))
}

#[tokio::test]
async fn every_route_lets_those_in_whom_it_is_for_and_each_change_is_one_line_of_the_audit() {
    database_scenario(async |world, database| {
        // What the routes publish, and nobody takes here.
        world.leaves(Queue::Events);
        world.leaves(Queue::Deliveries);
        let console = &start(setup(world, database)).await;
        for (number, route) in routes().iter().enumerate() {
            if matches!(route.access, Access::Public) {
                continue;
            }
            let told = format!("{} {}", route.method, route.path);
            let company = format!("company-{number}");
            let own = console.company(&company).await;
            let api = if matches!(route.access, Access::Admin) {
                console.admin()
            } else {
                &own
            };
            let id = id_of(console, database, route, &company).await;
            let audit = format!("/v1/companies/{company}/audit");
            let lines = async || {
                let listed = console.admin().get(&audit).await.expect(200).json();
                listed["data"].as_array().unwrap().len()
            };
            let before = lines().await;
            let reply = ask(api, route, &company, &id).await;
            assert!((200..300).contains(&reply.status), "{told}: {reply:?}");
            assert_eq!(lines().await - before, usize::from(is_deed(route)), "{told}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_audited_is_not_done() {
    console_scenario(async |console, database| {
        let refuse = "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql \
                      AS $$ BEGIN RAISE EXCEPTION 'not now'; END $$; \
                      CREATE TRIGGER refuses BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION refuse()";
        let mut tried = 0;
        for (number, route) in routes().iter().enumerate() {
            // What is sent again is on the broker, which knows no transaction of the database.
            let is_of_the_database = ["/endpoints", "/tokens", "/portal-links"]
                .iter()
                .any(|part| route.path.contains(part));
            if !is_of_the_database || !is_deed(route) {
                continue;
            }
            let told = format!("{} {}", route.method, route.path);
            let company = format!("company-{number}");
            let id = id_of(console, database, route, &company).await;
            database.execute(refuse).await.unwrap();
            let before = database.dump().await;
            let reply = ask(console.admin(), route, &company, &id).await;
            assert_eq!(reply.problem(500), "internal", "{told}");
            assert_eq!(database.dump().await, before, "{told}");
            database.execute("DROP TRIGGER refuses ON audit").await.unwrap();
            tried += 1;
        }
        assert!(tried >= 9, "{tried}");
    })
    .await;
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_once_and_an_expired_one_too() {
    console_scenario(async |console, database| {
        let made = console
            .admin()
            .post(
                "/v1/companies/acme/tokens",
                &json!({"name": "CI", "expires_in": "90d"}),
            )
            .await;
        let made = made.expect(201).json();
        let api = console.stranger().with_token(made["token"].as_str());
        api.get("/v1/companies/acme/endpoints").await.expect(200);
        let revoke = format!("/v1/companies/acme/tokens/{}", made["id"].as_str().unwrap());
        assert_eq!(console.admin().delete(&revoke).await.status, 204);
        assert_eq!(
            api.get("/v1/companies/acme/endpoints").await.problem(401),
            "unauthorized"
        );
        assert_eq!(console.admin().delete(&revoke).await.problem(404), "not_found");
        let listed = console.admin().get("/v1/companies/acme/tokens").await.expect(200);
        assert!(!listed.body.contains("hkl_") && listed.json()["data"][0]["revoked_at"].is_string());

        let short = console.company("acme").await;
        short.get("/v1/companies/acme/endpoints").await.expect(200);
        database
            .execute("UPDATE tokens SET expires_at = now() - interval '1 second'")
            .await
            .unwrap();
        // It was good a moment ago, which counts for some seconds.
        eventually(SOON, "an expired token is refused", async || {
            let reply = short.get("/v1/companies/acme/endpoints").await;
            (reply.status == 401).then_some(())
        })
        .await;
        for bad in [
            json!({"expires_in": "1s"}),
            json!({"expires_in": "x"}),
            json!({"name": "a\u{1b}"}),
        ] {
            let refused = console.admin().post("/v1/companies/acme/tokens", &bad).await;
            assert_eq!(refused.problem(400), "invalid_request", "{bad}");
        }
    })
    .await;
}
