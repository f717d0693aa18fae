//! Endpoints through the API: registered, listed, changed, removed, each within its bounds.

use std::collections::BTreeSet;

use hookline_tests::console::{console_scenario, database_scenario, setup, start};
use serde_json::{Value, json};

const OF_ACME: &str = "/v1/companies/acme/endpoints";

fn at(id: &Value) -> String {
    format!("{OF_ACME}/{}", id.as_str().unwrap())
}

#[tokio::test]
async fn an_endpoint_is_registered_listed_shown_changed_and_removed() {
    console_scenario(async |console, _| {
        let acme = console.company("acme").await;
        let wanted = json!({
            "url": "https://crm.example.com/hooks?token=t0ken", "format": "standard", "events": ["booking.*"],
            "headers": {"x-team": "s3cret-header"}, "description": "CRM", "rate": "50/s"
        });
        let reply = acme.post(OF_ACME, &wanted).await.expect(201);
        let created = reply.json();
        let path = at(&created["id"]);
        assert_eq!(reply.header("location"), Some(path.as_str()));
        assert!(created["secret"].as_str().unwrap().starts_with("whsec_"), "{created}");
        for (name, value) in [
            ("company", json!("acme")),
            ("url", wanted["url"].clone()),
            ("format", json!("standard")),
            ("events", json!(["booking.*"])),
            ("headers", json!({"x-team": "***"})),
            ("description", json!("CRM")),
            ("rate", json!("50/s")),
            ("disabled", json!(false)),
        ] {
            assert_eq!(created[name], value, "{name}");
        }

        let listed = acme.get(OF_ACME).await.expect(200);
        assert_eq!(listed.json()["data"][0]["id"], created["id"]);
        assert_eq!(listed.json()["next"], Value::Null);
        assert!(!listed.body.contains("whsec_") && !listed.body.contains("s3cret-header"));

        let change = json!({"disabled": true, "rate": null, "headers": {"x-team": "***", "x-more": "1"}, "events": []});
        let changed = acme.patch(&path, &change).await.expect(200).json();
        assert_eq!(changed["disabled"], json!(true));
        assert_eq!(changed["rate"], Value::Null);
        assert_eq!(changed["description"], json!("CRM"), "what is left out stays");
        assert_eq!(changed["headers"], json!({"x-more": "***", "x-team": "***"}));
        assert_eq!(acme.get(&path).await.expect(200).json(), changed);

        assert_eq!(acme.delete(&path).await.expect(204).body, "");
        assert_eq!(acme.get(&path).await.problem(404), "not_found");
        assert_eq!(acme.delete(&path).await.problem(404), "not_found");
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_with_an_endpoint_is_said_and_nothing_is_kept() {
    database_scenario(async |world, database| {
        // As it is where nothing more is let through.
        let setup = setup(world, database)
            .unset("HOOKLINE_ALLOW_HTTP")
            .unset("HOOKLINE_ALLOW_CIDRS");
        let console = start(setup).await;
        let admin = console.admin();
        for (body, code) in [
            (json!({}), "invalid_request"),
            (json!({"url": "http://example.com/"}), "url_refused"),
            (json!({"url": "https://127.0.0.1/"}), "url_refused"),
            (json!({"url": "https://[::ffff:169.254.169.254]/"}), "url_refused"),
            (json!({"url": "https://user:pw@example.com/"}), "url_refused"),
            (
                json!({"url": "https://example.com/", "format": "xml"}),
                "invalid_request",
            ),
            (
                json!({"url": "https://example.com/", "events": ["Booking"]}),
                "invalid_request",
            ),
            (
                json!({"url": "https://example.com/", "headers": {"host": "x"}}),
                "header_refused",
            ),
            (
                json!({"url": "https://example.com/", "headers": {"x-a": "1", "X-A": "2"}}),
                "invalid_request",
            ),
            (
                json!({"url": "https://example.com/", "description": "a\u{0}b"}),
                "invalid_request",
            ),
            (
                json!({"url": "https://example.com/", "rate": "fast"}),
                "invalid_request",
            ),
            (
                json!({"url": "https://example.com/", "secret": "short"}),
                "invalid_request",
            ),
            (
                json!({"url": "https://example.com/", "id": "a/b"}),
                "invalid_request",
            ),
            (
                json!({"url": "https://example.com/", "colour": "red"}),
                "invalid_request",
            ),
        ] {
            assert_eq!(admin.post(OF_ACME, &body).await.problem(400), code, "{body}");
        }
        assert_eq!(admin.get(OF_ACME).await.expect(200).json()["data"], json!([]));

        // The same guard when one is changed.
        let created = console
            .register("acme", &json!({"url": "https://example.com/"}))
            .await;
        let moved = admin
            .patch(&at(&created["id"]), &json!({"url": "https://10.0.0.1/"}))
            .await;
        assert_eq!(moved.problem(400), "url_refused");
        assert_eq!(moved.json()["reason"], json!("address_private"), "{moved:?}");
        let kept = json!({"headers": {"x-none": "***"}});
        assert_eq!(
            admin.patch(&at(&created["id"]), &kept).await.problem(400),
            "invalid_request"
        );
    })
    .await;
}

#[tokio::test]
async fn the_operator_brings_ids_and_secrets_along_and_a_company_does_not() {
    console_scenario(async |console, _| {
        let wanted = json!({"url": "https://example.com/", "id": "ep_crm", "secret": "brought-along-0123"});
        let acme = console.company("acme").await;
        assert_eq!(acme.post(OF_ACME, &wanted).await.problem(403), "forbidden");
        let created = console.register("acme", &wanted).await;
        assert_eq!(
            (&created["id"], &created["secret"]),
            (&wanted["id"], &wanted["secret"])
        );
        assert_eq!(
            console.admin().post(OF_ACME, &wanted).await.problem(409),
            "endpoint_exists"
        );
        // The id is unique within its company only.
        console.register("globex", &wanted).await;
    })
    .await;
}

#[tokio::test]
async fn of_two_who_want_the_last_place_at_once_exactly_one_gets_it() {
    console_scenario(async |console, _| {
        let wanted = json!({"url": "https://example.com/"});
        for round in 0..5 {
            let path = format!("/v1/companies/company-{round}/endpoints");
            for _ in 0..5 {
                console.admin().post(&path, &wanted).await.expect(201);
            }
            let sent: Vec<_> = (0..4)
                .map(|_| {
                    let (admin, path, wanted) = (console.admin().clone(), path.clone(), wanted.clone());
                    tokio::spawn(async move { admin.post(&path, &wanted).await })
                })
                .collect();
            let mut made = 0;
            for reply in sent {
                let reply = reply.await.unwrap();
                match reply.status {
                    201 => made += 1,
                    _ => assert_eq!(reply.problem(409), "endpoint_limit"),
                }
            }
            assert_eq!(made, 1, "round {round}");
            let listed = console.admin().get(&path).await.expect(200).json();
            assert_eq!(listed["data"].as_array().unwrap().len(), 6);
        }
    })
    .await;
}

#[tokio::test]
async fn a_list_goes_on_where_the_page_before_ended_whatever_goes_meanwhile() {
    console_scenario(async |console, _| {
        let mut ids = Vec::new();
        for number in 0..6 {
            let wanted = json!({"url": format!("https://example.com/{number}")});
            ids.push(console.register("acme", &wanted).await["id"].clone());
        }
        let admin = console.admin();
        let first = admin.get(&format!("{OF_ACME}?limit=2")).await.expect(200).json();
        let listed = |page: &Value| -> Vec<Value> {
            page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["id"].clone())
                .collect()
        };
        assert_eq!(listed(&first), ids[..2]);
        // The row that the cursor stands on goes, and one before it.
        for id in &ids[..2] {
            admin.delete(&at(id)).await.expect(204);
        }
        let mut seen = Vec::new();
        let mut next = first["next"].clone();
        while let Some(cursor) = next.as_str() {
            let page = admin
                .get(&format!("{OF_ACME}?limit=3&cursor={cursor}"))
                .await
                .expect(200)
                .json();
            seen.extend(listed(&page));
            next = page["next"].clone();
        }
        assert_eq!(seen, ids[2..]);
        assert_eq!(
            seen.iter().map(Value::to_string).collect::<BTreeSet<_>>().len(),
            4
        );
        for bad in ["limit=0", "limit=201", "limit=x", "cursor=x"] {
            let refused = admin.get(&format!("{OF_ACME}?{bad}")).await;
            assert_eq!(refused.problem(400), "invalid_request", "{bad}");
        }
        // What a template left empty is not given.
        let whole = admin.get(OF_ACME).await.expect(200).body;
        let empty = admin
            .get(&format!("{OF_ACME}?cursor=&limit="))
            .await
            .expect(200)
            .body;
        assert_eq!(empty, whole);
    })
    .await;
}
