//! The dashboard: who sees which page, what a form must prove, what a browser may do with a page, and how one gets in.
//!
//! E10 of forms: `a_form_without_the_proof_of_this_session_changes_nothing`. E11 of hostile content:
//! `what_others_wrote_is_text`, and in a real browser `make test-browser`. E12 of headers:
//! `every_page_and_every_error_says_what_a_browser_may_do`.

use std::time::Instant;

use futures_util::future::join_all;
use hookline_console::api::Access;
use hookline_console::pages::{PageInfo, pages};
use hookline_tests::api::Reply;
use hookline_tests::browser::{Browser, between};
use hookline_tests::console::{
    ADMIN_TOKEN, Console, MASTER_KEY, console_scenario, database_scenario, run, setup, start,
};
use hookline_tests::database::Database;
use hookline_tests::log_rows::{Row, make_days};
use hyper::Method;
use serde_json::{Value, json};

const ENDPOINTS: &str = "/companies/acme/endpoints";
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

fn browser(console: &Console) -> Browser {
    Browser::new(console.process().port())
}

/// Signed in as the operator.
async fn operator(console: &Console) -> Browser {
    let mut browser = browser(console);
    let entered = browser.bare_post("/sign-in", &[("token", ADMIN_TOKEN)]).await;
    browser.keep_cookie(&entered.expect(303));
    browser
}

/// The path of a new link into a company's dashboard.
async fn link(console: &Console, company: &str) -> String {
    let path = format!("/v1/companies/{company}/portal-links");
    let made = console.admin().post(&path, &json!({})).await.expect(201).json();
    assert!(made["expires_at"].is_string(), "{made}");
    let (_, path) = made["url"].as_str().unwrap().split_once("/enter/").unwrap();
    format!("/enter/{path}")
}

/// Signed in as one of a company's people.
async fn member(console: &Console, company: &str) -> Browser {
    let mut browser = browser(console);
    let entered = browser.bare_post(&link(console, company).await, &[]).await;
    browser.keep_cookie(&entered.expect(303));
    browser
}

/// A page's path, with what it names.
fn path(page: &PageInfo, company: &str, id: &str) -> String {
    let path = page.path.replace("{company}", company).replace("{id}", id);
    let path = path.replace("{event}", id).replace("{endpoint}", id);
    path.replace("{type}", "booking.created")
        .replace("{file}", "none")
        .replace("{link}", "none")
}

async fn ask(browser: &Browser, page: &PageInfo, path: &str, proof: &str) -> Reply {
    match page.method.as_str() {
        "GET" => browser.get(path).await,
        _ => {
            // A test event would be waited for.
            let fields = [
                ("csrf", proof),
                ("type", "no.such"),
                ("url", "https://example.com/"),
            ];
            browser.bare_post(path, &fields).await
        }
    }
}

async fn id_of(console: &Console, database: &Database, page: &PageInfo, company: &str) -> String {
    if page.path.contains("/tokens/") {
        let path = format!("/v1/companies/{company}/tokens");
        let made = console.admin().post(&path, &json!({})).await.expect(201).json();
        return made["id"].as_str().unwrap().to_owned();
    }
    let made = console
        .register(company, &json!({"url": "https://example.com/"}))
        .await;
    let id = made["id"].as_str().unwrap().to_owned();
    if page.path.contains("{event}") {
        // An event that is called like its endpoint, and whose payload was not kept.
        make_days(database, 0).await;
        let mut row = Row::of(&id, &id, 1);
        company.clone_into(&mut row.company);
        if page.path.contains("/failed/") {
            row.status("failed", "http_status", 500)
                .insert_dead(database, "{}")
                .await;
        } else {
            row.insert(database).await;
        }
    }
    if page.path.contains("/retries/") {
        let retry = format!("rty_{id}");
        let sql = format!(
            "INSERT INTO retries (company, id, filter, total, skipped) VALUES ('{company}', '{retry}', '{{}}', 0, 0)"
        );
        database.execute(&sql).await.unwrap();
        return retry;
    }
    id
}

async fn audit_lines(console: &Console, company: &str) -> usize {
    let path = format!("/v1/companies/{company}/audit?limit=200");
    let audit = console.admin().get(&path).await.expect(200).json();
    audit["data"].as_array().unwrap().len()
}

#[tokio::test]
async fn every_page_is_for_whom_its_row_says_and_another_company_is_not_there() {
    console_scenario(async |console, database| {
        let (operator, acme, nobody) = (
            operator(console).await,
            member(console, "acme").await,
            browser(console),
        );
        let (of_operator, of_acme) = (operator.proof().await, acme.proof().await);
        for (number, page) in pages().iter().enumerate() {
            let told = format!("{} {}", page.method, page.path);
            if page.access == Access::Public || page.path == "/sign-out" {
                continue;
            }
            let is_form = page.method == "POST";
            let globex = format!("globex-{number}");
            let id = id_of(console, database, page, &globex).await;
            let lines = audit_lines(console, &globex).await;
            let path_of_globex = path(page, &globex, &id);
            // Nobody is asked to sign in, or is refused.
            let strange = ask(&nobody, page, &path_of_globex, "").await;
            assert_eq!(
                strange.status,
                if is_form { 403 } else { 303 },
                "{told}: {strange:?}"
            );
            if page.access == Access::SignedIn {
                continue;
            }
            // Another company's people see what they would see of one that is not there.
            let foreign = ask(&acme, page, &path_of_globex, &of_acme).await;
            assert_eq!(foreign.status, 404, "{told}: {foreign:?}");
            let none = ask(&acme, page, &path(page, "nobody", &id), &of_acme).await;
            assert_eq!(foreign.body, none.body, "{told}");
            assert!(!foreign.body.contains(&globex), "{told}");
            assert_eq!(audit_lines(console, &globex).await, lines, "{told}");
            // Of their own company they see all but what is the operator's.
            if page.access == Access::Admin {
                let own = ask(&acme, page, &path(page, "acme", &id), &of_acme).await;
                assert_eq!(own.status, 403, "{told}");
            } else if page.path.contains("{id}") {
                let own = ask(&acme, page, &path(page, "acme", &id), &of_acme).await;
                assert_eq!(own.status, 404, "another company's id, {told}");
            }
            // Whom it is for gets it; the test event names no type that there is, and nothing of a delivery was kept.
            let shown = ask(&operator, page, &path_of_globex, &of_operator).await;
            let is_incomplete = is_form && page.path.ends_with("/test") || page.path.contains("{endpoint}/");
            assert_eq!(shown.status >= 400, is_incomplete, "{told}: {shown:?}");
        }
        // The operator's list of companies is nothing to a company's people.
        assert_eq!(acme.get("/companies").await.status, 404);
        assert_eq!(
            Browser::location(&acme.get("/").await),
            Some("/companies/acme/overview")
        );
    })
    .await;
}

#[tokio::test]
async fn a_form_without_the_proof_of_this_session_changes_nothing() {
    console_scenario(async |console, database| {
        let operator = operator(console).await;
        let proof = operator.proof().await;
        let of_another = member(console, "acme").await.proof().await;
        for (number, page) in pages().iter().enumerate() {
            if page.method != "POST" {
                continue;
            }
            let company = format!("company-{number}");
            let id = id_of(console, database, page, &company).await;
            let path = path(page, &company, &id);
            let lines = audit_lines(console, &company).await;
            let told = &path;
            for origin in [
                None,
                Some("null"),
                Some("https://evil.example"),
                Some("http://127.0.0.1"),
            ] {
                let mut foreign = operator.clone();
                foreign.origin = origin.map(str::to_owned);
                let refused = ask(&foreign, page, &path, &proof).await;
                assert_eq!(refused.status, 403, "{told} from {origin:?}: {refused:?}");
            }
            if page.access != Access::Public {
                for wrong in ["", "x", of_another.as_str()] {
                    let refused = ask(&operator, page, &path, wrong).await;
                    assert_eq!(refused.status, 403, "{told} with {wrong}");
                }
                let json = operator
                    .send(
                        Method::POST,
                        &path,
                        Some("application/json"),
                        json!({"csrf": proof}).to_string(),
                    )
                    .await;
                assert_eq!(json.status, 415, "{told}");
            }
            // A form's fields in the address are no form.
            let looked = operator.get(&format!("{path}?csrf={proof}")).await;
            assert_ne!(looked.status, 500, "{told}");
            assert_eq!(audit_lines(console, &company).await, lines, "{told}");
        }
        // The API knows no cookie, and pages know no bearer.
        let api = operator.get("/v1/companies/acme/endpoints").await;
        assert_eq!(api.problem(401), "unauthorized");
        let bearer = console.admin().get(ENDPOINTS).await;
        assert_eq!(bearer.status, 303);
    })
    .await;
}

#[tokio::test]
async fn every_page_and_every_error_says_what_a_browser_may_do() {
    database_scenario(async |world, database| {
        for public in [None, Some("https://hooks.example.com")] {
            let mut set = setup(world, database);
            if let Some(public) = public {
                set = set.set("HOOKLINE_PUBLIC_URL", public);
            }
            let console = &start(set).await;
            let (operator, nobody) = (operator(console).await, browser(console));
            let proof = operator.proof().await;
            let mut replies = vec![
                operator.get("/none").await,
                nobody.get("/companies/acme/none").await,
                nobody.get("/enter/none").await,
                nobody.bare_post("/sign-in", &[("token", "wrong")]).await,
            ];
            for (number, page) in pages().iter().enumerate() {
                if page.path == "/sign-out" {
                    continue;
                }
                let company = format!("company-{}-{number}", public.is_some());
                let id = id_of(console, database, page, &company).await;
                replies.push(ask(&operator, page, &path(page, &company, &id), &proof).await);
                replies.push(ask(&nobody, page, &path(page, &company, &id), "").await);
                if page.path.contains("{id}") {
                    let lost = path(page, &company, "ep_none");
                    replies.push(ask(&operator, page, &lost, &proof).await);
                }
            }
            for reply in &replies {
                assert_eq!(reply.header("content-security-policy"), Some(POLICY), "{reply:?}");
                assert_eq!(
                    reply.header("x-content-type-options"),
                    Some("nosniff"),
                    "{reply:?}"
                );
                assert_eq!(reply.header("referrer-policy"), Some("same-origin"), "{reply:?}");
                assert_eq!(
                    reply.header("strict-transport-security").is_some(),
                    public.is_some(),
                    "{reply:?}"
                );
                let body = &reply.body;
                assert!(!body.contains("<script>") && !body.contains("<style"), "{body}");
                assert!(!body.contains(" style=") && !body.contains(" onclick="), "{body}");
                let scripts = body.matches("<script").count();
                assert_eq!(scripts, body.matches("<script src=\"/assets/").count(), "{body}");
                if !body.is_empty() && reply.header("content-type") == Some("text/html; charset=utf-8") {
                    assert_eq!(reply.header("cache-control"), Some("no-store"), "{reply:?}");
                    assert!(body.len() < 60_000, "{} bytes", body.len());
                }
            }
            // What a page is made of may be kept for good, under a name that changes with it.
            let page = nobody.get("/sign-in").await.expect(200);
            for start in ["href=\"", "src=\""] {
                let asset = between(&page.body, &format!("{start}/assets/"), "\"").unwrap();
                let got = nobody.get(&format!("/assets/{asset}")).await.expect(200);
                assert_eq!(
                    got.header("cache-control"),
                    Some("public, max-age=31536000, immutable")
                );
            }
            console.process().stop().await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_others_wrote_is_text() {
    console_scenario(async |console, database| {
        let hostile = r#"<script>alert(1)</script>"><img src=x onerror=alert(2)>'<svg/onload=alert(3)>{{7*7}}${7*7}javascript:alert(4)"#;
        let made = console
            .register(
                "acme",
                &json!({"url": "https://example.com/?<script>", "description": hostile, "headers": {"x-a": "<b>"}}),
            )
            .await;
        let token = json!({ "name": &hostile[..100] });
        console
            .admin()
            .post("/v1/companies/acme/tokens", &token)
            .await
            .expect(201);
        // What no API would take, and somebody wrote into the database.
        database
            .execute("UPDATE tokens SET name = name || U&'\\202E\\001B[31m'")
            .await
            .unwrap();
        let operator = operator(console).await;
        let id = made["id"].as_str().unwrap();
        let mut shown = Vec::new();
        for path in [
            ENDPOINTS.to_owned(),
            format!("{ENDPOINTS}/{id}"),
            format!("{ENDPOINTS}/{id}/edit"),
            format!("{ENDPOINTS}/{id}/remove"),
            format!("{ENDPOINTS}/{id}/test"),
            "/companies/acme/tokens".to_owned(),
            "/companies/acme/audit".to_owned(),
            "/companies?company=%3Cscript%3Ealert(1)%3C/script%3E&open=1".to_owned(),
            "/sign-in?next=/%22%3E%3Cscript%3E".to_owned(),
        ] {
            shown.push(operator.get(&path).await);
        }
        let fields = [("url", hostile), ("description", hostile), ("others", hostile), ("which", "some")];
        let refused = operator.post(ENDPOINTS, &fields).await.expect(400);
        assert!(refused.body.contains("&lt;script&gt;alert(1)"), "what was typed is kept");
        shown.push(refused);
        for reply in &shown {
            let body = &reply.body;
            for bad in ["<script>", "<img", "<svg/", "\u{202e}", "\u{1b}"] {
                assert!(!body.contains(bad), "{bad:?} in {body}");
            }
            assert!(!body.contains("href=\"javascript:"), "{body}");
        }
        let tokens = &shown[5].body;
        assert!(tokens.contains("&lt;U+202E&gt;") && tokens.contains('␛'), "{tokens}");
    })
    .await;
}

#[tokio::test]
async fn one_signs_in_with_the_operators_token_and_out_again() {
    database_scenario(async |world, database| {
        let console = &start(setup(world, database)).await;
        let mut browser = browser(console);
        let asked = browser.get("/companies/acme/audit?after=c1").await.expect(303);
        let sign_in = Browser::location(&asked).unwrap().to_owned();
        assert_eq!(sign_in, "/sign-in?next=%2Fcompanies%2Facme%2Faudit%3Fafter%3Dc1");
        let form = browser.get(&sign_in).await.expect(200);
        let next = between(&form.body, "name=\"next\" value=\"", "\"").unwrap();
        let wrong = browser
            .bare_post("/sign-in", &[("token", "admin"), ("next", &next)])
            .await;
        assert!(
            wrong.headers.get("set-cookie").is_none() && wrong.status == 403,
            "{wrong:?}"
        );
        let entered = browser
            .bare_post("/sign-in", &[("token", ADMIN_TOKEN), ("next", &next)])
            .await;
        assert_eq!(Browser::location(&entered), Some(next.as_str()));
        let cookie = entered.header("set-cookie").unwrap();
        for part in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=43200"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(!cookie.contains("Secure"), "{cookie}");
        browser.keep_cookie(&entered.expect(303));
        browser.get(&next).await.expect(200);

        // Nothing that stands in the database signs anybody in.
        let key = browser.cookie.clone().unwrap();
        let (_, key) = key.split_once('=').unwrap();
        assert!(!database.dump().await.contains(key));
        assert!(!console.process().log().contains(key));

        let left = browser.post("/sign-out", &[]).await.expect(303);
        assert!(
            left.header("set-cookie").unwrap().contains("Max-Age=0"),
            "{left:?}"
        );
        assert_eq!(
            browser.get("/companies").await.status,
            303,
            "the old cookie is nobody's"
        );

        // One that has run out is nobody's either.
        let late = operator(console).await;
        late.get("/companies").await.expect(200);
        database
            .execute("UPDATE sessions SET expires_at = now() - interval '1 second'")
            .await
            .unwrap();
        assert_eq!(late.get("/companies").await.status, 303);

        // Whoever guesses has to wait.
        let mut refused = 0;
        for _ in 0..30 {
            let guess = browser.bare_post("/sign-in", &[("token", "guess")]).await;
            if guess.status == 429 {
                assert!(guess.header("retry-after").is_some());
                refused += 1;
            }
        }
        assert!(refused >= 15, "{refused}");
        let waits = browser.bare_post("/sign-in", &[("token", ADMIN_TOKEN)]).await;
        assert_eq!(waits.status, 429, "a right token is not tried either");
        // What is the same for all asks nobody who they are, and so does not need the table.
        let page = late.get("/sign-in").await.expect(200);
        let asset = between(&page.body, "href=\"/assets/", "\"").unwrap();
        database
            .execute("ALTER TABLE sessions RENAME TO hidden")
            .await
            .unwrap();
        late.get(&format!("/assets/{asset}")).await.expect(200);
        assert!(late.get("/sign-in").await.status >= 500, "this page asks");
        database
            .execute("ALTER TABLE hidden RENAME TO sessions")
            .await
            .unwrap();
        console.process().stop().await;

        // Over https the cookie goes nowhere else.
        let console =
            &start(setup(world, database).set("HOOKLINE_PUBLIC_URL", "https://hooks.example.com")).await;
        let mut browser = Browser::new(console.process().port());
        browser.origin = Some("https://hooks.example.com".to_owned());
        let entered = browser
            .bare_post("/sign-in", &[("token", ADMIN_TOKEN)])
            .await
            .expect(303);
        let cookie = entered.header("set-cookie").unwrap();
        assert!(
            cookie.starts_with("__Host-") && cookie.contains("Secure"),
            "{cookie}"
        );
        assert!(
            link_url(console)
                .await
                .starts_with("https://hooks.example.com/enter/"),
            "links are as people see the console"
        );
    })
    .await;
}

async fn link_url(console: &Console) -> String {
    let made = console
        .admin()
        .post("/v1/companies/acme/portal-links", &json!({}))
        .await;
    made.expect(201).json()["url"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_link_lets_one_in_once_and_not_for_long() {
    console_scenario(async |console, database| {
        let path = link(console, "acme").await;
        // Programs that look at links do not use them up.
        let mut browser = browser(console);
        for _ in 0..2 {
            let shown = browser.get(&path).await.expect(200);
            assert!(shown.headers.get("set-cookie").is_none());
            assert!(shown.body.contains("data-auto-submit"), "{shown:?}");
        }
        // Somebody who is signed in is asked, and told as whom.
        let mut other = member(console, "globex").await;
        let asked = other.get(&path).await.expect(200).body;
        assert!(
            asked.contains("You are signed in as <strong>globex</strong>"),
            "{asked}"
        );
        assert!(!asked.contains("data-auto-submit"), "{asked}");
        other = operator(console).await;
        let asked = other.get(&path).await.expect(200).body;
        assert!(
            asked.contains("You are signed in as <strong>the operator</strong>"),
            "{asked}"
        );
        assert!(!asked.contains("data-auto-submit"), "{asked}");
        // However many open it at once, one is let in.
        let tries = (0..8).map(|_| browser.bare_post(&path, &[]));
        let replies = futures_util::future::join_all(tries).await;
        let (entered, over): (Vec<Reply>, Vec<Reply>) =
            replies.into_iter().partition(|reply| reply.status == 303);
        assert_eq!((entered.len(), over.len()), (1, 7));
        assert!(
            over.iter()
                .all(|reply| reply.status == 410 && reply.headers.get("set-cookie").is_none())
        );
        browser.keep_cookie(&entered[0]);
        browser.get(ENDPOINTS).await.expect(200);
        assert_eq!(browser.get(&path).await.status, 410);

        let late = link(console, "acme").await;
        let (_, key) = late.rsplit_once('/').unwrap();
        assert!(!database.dump().await.contains(key));
        database
            .execute("UPDATE sign_in_links SET expires_at = now() - interval '1 second'")
            .await
            .unwrap();
        assert_eq!(browser.get(&late).await.status, 410);
        assert_eq!(browser.post(&late, &[]).await.status, 410);

        // What its people do stands in the company's audit as theirs.
        let pages = browser
            .post(ENDPOINTS, &[("url", "https://example.com/"), ("which", "all")])
            .await;
        assert!(pages.expect(200).body.contains("whsec_"));
        let audit = console
            .admin()
            .get("/v1/companies/acme/audit")
            .await
            .expect(200)
            .json();
        let told = |number: usize, member: &str| {
            audit["data"][number][member]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        assert_eq!(told(0, "action"), "endpoint.created");
        assert!(told(0, "actor").starts_with("portal:ses_"), "{audit}");

        // The operator's own comes from a command.
        let printed = run(database, MASTER_KEY, &["sign-in-link"]).await;
        let printed = String::from_utf8(printed.stdout).unwrap();
        let (_, key) = printed.trim().split_once("/enter/").unwrap();
        let mut operator = Browser::new(console.process().port());
        let entered = operator.bare_post(&format!("/enter/{key}"), &[]).await;
        operator.keep_cookie(&entered.expect(303));
        operator.get("/companies").await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_is_looked_after_by_forms_alone_and_by_the_same_rules_as_over_the_api() {
    console_scenario(async |console, _| {
        let acme = member(console, "acme").await;
        let form = acme.get(&format!("{ENDPOINTS}/new")).await.expect(200);
        let id = between(&form.body, "name=\"id\" value=\"", "\"").unwrap();
        let proof = acme.proof().await;
        let checked = acme
            .bare_post(
                "/companies/acme/check-url",
                &[("csrf", &proof), ("url", "https://10.0.0.1/")],
            )
            .await
            .expect(200);
        let api = console.company("acme").await;
        let refused = api
            .post(
                "/v1/companies/acme/endpoints",
                &json!({"url": "https://10.0.0.1/"}),
            )
            .await;
        let detail = refused.expect(400).json()["detail"]
            .as_str()
            .unwrap()
            .to_lowercase();
        let fault = checked.json()["fault"].as_str().unwrap().to_lowercase();
        assert!(fault.starts_with(&detail), "{fault}\n{detail}");

        let fields = [
            ("id", id.as_str()),
            ("url", "https://example.com/hooks"),
            ("format", "meetergo"),
            ("which", "some"),
            ("event", "form.submitted"),
            ("others", "booking.*"),
            ("header_name", "x-team"),
            ("header_value", "crm"),
            ("description", "CRM"),
            ("rate", "50/s"),
        ];
        let added = acme.post(ENDPOINTS, &fields).await.expect(200);
        let secret = format!("whsec_{}", between(&added.body, "whsec_", "<").unwrap());
        let of_api = format!("/v1/companies/acme/endpoints/{id}");
        let reveal = api.get(&format!("{of_api}/secret")).await.expect(200).json();
        assert_eq!(reveal["secret"], json!(secret));
        // The same form again is the same endpoint.
        let again = acme.post(ENDPOINTS, &fields).await.expect(303);
        assert!(Browser::location(&again).unwrap().ends_with("done=exists"));
        let shown = api.get(&of_api).await.expect(200).json();
        for (member, value) in [
            ("url", json!("https://example.com/hooks")),
            ("format", json!("meetergo")),
            ("events", json!(["form.submitted", "booking.*"])),
            ("headers", json!({"x-team": "***"})),
            ("description", json!("CRM")),
            ("rate", json!("50/s")),
        ] {
            assert_eq!(shown[member], value, "{member}");
        }
        let one = format!("{ENDPOINTS}/{id}");
        let list = acme.get(ENDPOINTS).await.expect(200);
        assert!(list.body.contains("form_submission"), "in the format's own words");

        acme.post(&format!("{one}/pause"), &[]).await.expect(303);
        assert_eq!(api.get(&of_api).await.json()["disabled"], json!(true));
        acme.post(&format!("{one}/resume"), &[]).await.expect(303);
        assert_eq!(api.get(&of_api).await.json()["disabled"], json!(false));
        let edit = [
            ("url", "https://example.com/other"),
            ("format", "meeva"),
            ("which", "all"),
            ("kept_name", "x-team"),
            ("kept_value", ""),
            ("header_name", "x-more"),
            ("header_value", "1"),
            ("description", ""),
            ("rate", ""),
        ];
        acme.post(&format!("{one}/edit"), &edit).await.expect(303);
        let shown = api.get(&of_api).await.expect(200).json();
        assert_eq!(shown["headers"], json!({"x-team": "***", "x-more": "***"}));
        assert_eq!(
            (&shown["rate"], &shown["description"]),
            (&Value::Null, &Value::Null)
        );

        let rotated = acme
            .post(&format!("{one}/rotate"), &[("overlap", "1h")])
            .await
            .expect(200);
        assert!(rotated.body.contains("whsec_") && !rotated.body.contains(&secret));
        assert_eq!(
            acme.post(&format!("{one}/rotate"), &[("overlap", "1h")])
                .await
                .status,
            409
        );
        acme.post(&format!("{one}/complete"), &[]).await.expect(303);
        assert_eq!(api.get(&of_api).await.json()["overlap_until"], Value::Null);

        for number in 2..=6 {
            console
                .register("acme", &json!({"url": format!("https://{number}.example.com/")}))
                .await;
        }
        let full = acme.get(&format!("{ENDPOINTS}/new")).await.expect(200);
        assert!(full.body.contains("6 of 6") && !full.body.contains("name=\"url\""));
        let seventh = acme
            .post(ENDPOINTS, &[("url", "https://7.example.com/"), ("which", "all")])
            .await;
        assert_eq!(seventh.status, 409);
        acme.post(&format!("{one}/remove"), &[]).await.expect(303);
        assert_eq!(api.get(&of_api).await.problem(404), "not_found");
    })
    .await;
}

#[tokio::test]
async fn whoever_makes_sessions_and_links_up_is_told_to_wait() {
    const AT_ONCE: usize = 16;
    const EACH: usize = 60;
    console_scenario(async |console, _| {
        let made_up = "x".repeat(43);
        for (cookie, path) in [
            (Some(format!("hookline_session={made_up}")), "/sign-in".to_owned()),
            (None, format!("/enter/{made_up}")),
        ] {
            let began = Instant::now();
            let guesses = (0..AT_ONCE).map(async |_| {
                let mut guessing = browser(console);
                guessing.cookie.clone_from(&cookie);
                let mut refused = 0;
                for _ in 0..EACH {
                    refused += usize::from(guessing.get(&path).await.status == 429);
                }
                refused
            });
            let refused: usize = join_all(guesses).await.into_iter().sum();
            // On a machine that is too busy to guess so often there is nothing to refuse.
            let may_be_looked_up = 400 + AT_ONCE + usize::try_from(began.elapsed().as_millis()).unwrap() / 5;
            assert!(
                refused + may_be_looked_up >= AT_ONCE * EACH,
                "{path}: {refused} in {:?}",
                began.elapsed()
            );
        }
    })
    .await;
}
