//! How one gets in with the operator's token, and out again.

use hookline_tests::browser::{Browser, between};
use hookline_tests::console::{ADMIN_TOKEN, Console, database_scenario, setup, start};
use hookline_tests::eventually::eventually;
use serde_json::json;

use super::{browser, operator};
use crate::SOON;

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

        // Whoever guesses has to wait, and whoever has the token has not: behind a proxy they have one address.
        let mut refused = 0;
        for _ in 0..30 {
            let guess = browser.bare_post("/sign-in", &[("token", "guess")]).await;
            if guess.status == 429 {
                assert!(guess.header("retry-after").is_some());
                refused += 1;
            }
        }
        assert!(refused >= 15, "{refused}");
        browser
            .bare_post("/sign-in", &[("token", ADMIN_TOKEN)])
            .await
            .expect(303);
        // Of both the log tells, and of guesses a few.
        let told = eventually(SOON, "the log tells of three", async || {
            let log = console.process().log();
            let told = log.matches("the operator signed in with the token").count();
            (told == 3).then_some(log)
        });
        let log = told.await;
        let refused = log
            .lines()
            .filter(|line| line.contains("not the operator's token"));
        let refused: Vec<&str> = refused.collect();
        assert!((2..=25).contains(&refused.len()), "{refused:?}");
        assert!(
            refused
                .iter()
                .all(|line| line.contains("127.0.0.1") && !line.contains("guess"))
        );
        assert!(!log.contains(ADMIN_TOKEN));
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

#[tokio::test]
async fn an_operators_session_ends_with_the_token_that_opened_it_and_a_companys_does_not() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        let mut operator = operator(&console).await;
        let mut acme = Browser::of_company(&console, "acme").await;
        console.process().stop().await;
        // The same token, and the session goes on.
        let console = start(setup(world, database)).await;
        at(&mut operator, &console);
        operator.get("/companies").await.expect(200);
        console.process().stop().await;
        let newer = "another-token-of-the-operator-0123456789";
        let console = start(setup(world, database).set("HOOKLINE_ADMIN_TOKEN", newer)).await;
        at(&mut operator, &console);
        at(&mut acme, &console);
        assert_eq!(operator.get("/companies").await.status, 303);
        acme.get("/companies/acme/endpoints").await.expect(200);
        let entered = operator.bare_post("/sign-in", &[("token", newer)]).await;
        operator.keep_cookie(&entered.expect(303));
        operator.get("/companies").await.expect(200);
    })
    .await;
}

/// The same browser, where the console is found now.
fn at(browser: &mut Browser, console: &Console) {
    let cookie = browser.cookie.take();
    *browser = Browser::new(console.process().port());
    browser.cookie = cookie;
}

async fn link_url(console: &Console) -> String {
    let made = console
        .admin()
        .post("/v1/companies/acme/portal-links", &json!({}))
        .await;
    made.expect(201).json()["url"].as_str().unwrap().to_owned()
}
