//! How one gets in by a link, once and not for long.

use hookline_tests::api::{Api, Reply};
use hookline_tests::browser::Browser;
use hookline_tests::console::{Console, MASTER_KEY, console_scenario, run};
use serde_json::json;

use super::{ENDPOINTS, browser, member, operator};
use crate::SOON;

/// The path of a new link into a company's dashboard.
async fn link(console: &Console, company: &str) -> String {
    link_by(console.admin(), company).await
}

/// The same, made with this token.
async fn link_by(api: &Api, company: &str) -> String {
    let path = format!("/v1/companies/{company}/portal-links");
    let made = api.post(&path, &json!({})).await.expect(201).json();
    assert!(made["expires_at"].is_string(), "{made}");
    let (_, path) = made["url"].as_str().unwrap().split_once("/enter/").unwrap();
    format!("/enter/{path}")
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
        // Whoever opens it all the same is no longer who they were, anywhere.
        let mut moved = member(console, "globex").await;
        let before = moved.clone();
        let entered = moved.post(&link(console, "initech").await, &[]).await.expect(303);
        moved.keep_cookie(&entered);
        moved.get("/companies/initech/endpoints").await.expect(200);
        assert_eq!(before.get("/companies/globex/endpoints").await.status, 303);
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
        console
            .process()
            .says("the operator signed in with a link", SOON)
            .await;
        assert!(!console.process().log().contains(key));
    })
    .await;
}

#[tokio::test]
async fn a_company_lets_its_own_people_in_for_as_long_as_its_token_is_good() {
    console_scenario(async |console, database| {
        let made = console
            .admin()
            .post("/v1/companies/acme/tokens", &json!({}))
            .await;
        let made = made.expect(201).json();
        let acme = console.stranger().with_token(made["token"].as_str());
        let refused = acme.post("/v1/companies/globex/portal-links", &json!({})).await;
        assert_eq!(refused.problem(404), "not_found");

        let mut visitor = browser(console);
        let entered = visitor.bare_post(&link_by(&acme, "acme").await, &[]).await;
        visitor.keep_cookie(&entered.expect(303));
        visitor.get(ENDPOINTS).await.expect(200);
        assert_eq!(visitor.get("/companies/globex/endpoints").await.status, 404);
        let by_operator = member(console, "acme").await;
        let unused = link_by(&acme, "acme").await;
        assert_eq!(browser(console).get(&unused).await.status, 200);

        let revoke = format!("/v1/companies/acme/tokens/{}", made["id"].as_str().unwrap());
        console.admin().delete(&revoke).await.expect(204);
        assert_eq!(visitor.get(ENDPOINTS).await.status, 303);
        assert_eq!(browser(console).get(&unused).await.status, 410);
        assert_eq!(browser(console).bare_post(&unused, &[]).await.status, 410);
        // Whom the operator let in stays.
        by_operator.get(ENDPOINTS).await.expect(200);

        // One that has ended is no better than one that was revoked.
        let short = console.company("acme").await;
        let mut visitor = browser(console);
        let entered = visitor.bare_post(&link_by(&short, "acme").await, &[]).await;
        visitor.keep_cookie(&entered.expect(303));
        visitor.get(ENDPOINTS).await.expect(200);
        database
            .execute("UPDATE tokens SET expires_at = now() - interval '1 second'")
            .await
            .unwrap();
        assert_eq!(visitor.get(ENDPOINTS).await.status, 303);
    })
    .await;
}
