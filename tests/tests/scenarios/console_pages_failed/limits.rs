//! How much a company's people may change, and how soon.

use hookline_tests::api::Reply;
use hookline_tests::console::console_scenario;
use serde_json::json;

use super::{DISCARD, RETRY, member, operator, text};

/// The first answer that says "too often", or the last of some.
async fn refused_soon(mut ask: impl AsyncFnMut() -> Reply) -> Reply {
    for _ in 0..20 {
        let reply = ask().await;
        if reply.status == 429 {
            return reply;
        }
    }
    ask().await
}

#[tokio::test]
async fn a_companys_people_change_only_so_much_and_looking_counts_for_nothing() {
    console_scenario(async |console, database| {
        let (operator, acme, globex) = (
            operator(console).await,
            member(console, "acme").await,
            member(console, "globex").await,
        );
        let proof = acme.proof().await;
        let form = [("csrf", proof.as_str()), ("url", "https://example.com/")];
        for _ in 0..130 {
            acme.bare_post("/companies/acme/check-url", &form)
                .await
                .expect(200);
        }
        let made = console
            .register("acme", &json!({"url": "https://example.com/"}))
            .await;
        let one = format!("/companies/acme/endpoints/{}", made["id"].as_str().unwrap());
        let (mut done, mut refused) = (0, None);
        for number in 0..130 {
            let path = format!("{one}/{}", if number % 2 == 0 { "pause" } else { "resume" });
            let reply = acme.bare_post(&path, &form).await;
            match reply.status {
                303 => done += 1,
                _ => refused = Some(reply),
            }
        }
        assert!((100..115).contains(&done), "{done}");
        let refused = refused.unwrap();
        assert_eq!(refused.status, 429, "{refused:?}");
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=6).contains(&wait), "{wait}");
        assert!(
            text(&refused).contains("too often") && text(&refused).contains(" s, and send it again"),
            "{refused:?}"
        );
        let lines = database
            .texts("SELECT action FROM audit WHERE company = 'acme' AND actor LIKE 'portal:%'")
            .await;
        assert_eq!(
            lines
                .iter()
                .filter(|action| *action == "endpoint.changed")
                .count(),
            done
        );
        // Retries and discards stand in the audit as well, and so does what the company's tokens do.
        // (One more is allowed every few seconds, and this machine may be slow.)
        for path in [RETRY, DISCARD] {
            let fields = [form[0], ("which", "all"), ("sure", "1")];
            let refused = refused_soon(async || acme.bare_post(path, &fields).await).await;
            assert_eq!(refused.status, 429, "{path}");
        }
        let api = console.company("acme").await;
        let (path, body) = ("/v1/companies/acme/endpoints/ep_none", json!({"disabled": true}));
        let over_api = refused_soon(async || api.patch(path, &body).await).await;
        assert_eq!(over_api.problem(429), "rate_limited");
        let many = "/v1/companies/acme/failed";
        for what in ["retry", "discard"] {
            let path = format!("{many}/{what}");
            let over_api = refused_soon(async || api.post(&path, &json!({})).await).await;
            assert_eq!(over_api.problem(429), "rate_limited", "{what}");
        }
        // What only counts goes on, and so does what is of one delivery, which is counted apart.
        for _ in 0..20 {
            let path = format!("{many}/retry");
            api.post(&path, &json!({"dry_run": true})).await.expect(200);
        }
        let (single, mut taken) = (format!("{many}/evt_none/ep_none"), 0);
        let refused = loop {
            let reply = match taken % 3 {
                0 => api.delete(&single).await,
                1 => api.post(&format!("{single}/retry"), &json!({})).await,
                _ => {
                    api.post("/v1/companies/acme/events/evt_none/replay", &json!({}))
                        .await
                }
            };
            if reply.status != 404 {
                break reply;
            }
            taken += 1;
            assert!(taken < 20_000, "single ones have no bound");
        };
        assert_eq!(refused.problem(429), "rate_limited");
        assert!(taken >= 1_000, "{taken}");
        // Others, the operator, and whoever only looks go on.
        globex
            .post("/companies/globex/failed/discard", &[("which", "all")])
            .await
            .expect(200);
        operator.post(&format!("{one}/pause"), &[]).await.expect(303);
        acme.get(&one).await.expect(200);
        acme.bare_post("/companies/acme/check-url", &form)
            .await
            .expect(200);
    })
    .await;
}
