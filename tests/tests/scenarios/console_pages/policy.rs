//! E12: what a browser may do with a page.

use hookline_console::pages::pages;
use hookline_tests::browser::{Browser, between};
use hookline_tests::console::{database_scenario, setup, start};

use super::{ask, browser, id_of, operator, path};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

#[tokio::test]
async fn every_page_and_every_error_says_what_a_browser_may_do() {
    database_scenario(async |world, database| {
        for public in [None, Some("https://hooks.example.com")] {
            let mut set = setup(world, database);
            if let Some(public) = public {
                set = set.set("HOOKLINE_PUBLIC_URL", public);
            }
            let console = &start(set).await;
            let (operator, nobody) = match public {
                Some(public) => {
                    let operator = Browser::of_operator_from(console, Some(public)).await;
                    let mut nobody = operator.clone();
                    nobody.cookie = None;
                    (operator, nobody)
                }
                None => (operator(console).await, browser(console)),
            };
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
