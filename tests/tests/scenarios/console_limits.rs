//! What the API does not take: too much, too deep, too often, too slowly, in another form, or at a path that is none.

use std::time::Duration;

use futures_util::future::join_all;
use hookline_console::api::Access;
use hookline_tests::console::{console_scenario, database_scenario, setup, start};
use hyper::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

const OF_ACME: &str = "/v1/companies/acme/endpoints";
const JSON: Option<&str> = Some("application/json");

#[tokio::test]
async fn bodies_have_a_size_a_depth_and_a_form() {
    console_scenario(async |console, _| {
        let admin = console.admin();
        let post = async |content_type, body: &str| {
            admin.send_bytes(Method::POST, OF_ACME, content_type, body).await
        };
        // As long as allowed, and one byte more.
        let padded = |length: usize| {
            let body = r#"{"url":"https://example.com/"}"#;
            format!("{body}{}", " ".repeat(length - body.len()))
        };
        assert_eq!(post(JSON, &padded(256 << 10)).await.status, 201);
        assert_eq!(
            post(JSON, &padded((256 << 10) + 1)).await.problem(413),
            "body_too_large"
        );
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for (depth, deep) in [(64, false), (65, true), (10_000, true)] {
            let refused = post(JSON, &nested(depth)).await;
            assert_eq!(refused.problem(400), "invalid_request");
            assert_eq!(refused.body.contains("64 deep"), deep, "{depth}");
        }
        for bad in [
            "",
            "{",
            "null",
            "[]",
            "\u{feff}{}",
            r#"{"url":"a","url":"b"}"#,
            "{\"url\":\"\u{0}\"}",
        ] {
            assert_eq!(post(JSON, bad).await.status, 400, "{bad:?}");
        }
        for media in [
            None,
            Some("text/plain"),
            Some("application/x-www-form-urlencoded"),
        ] {
            assert_eq!(post(media, "{}").await.problem(415), "unsupported_media_type");
        }
        // What would mean all of a company's is not meant by who says nothing.
        for (path, is_needed) in [
            ("failed/retry", true),
            ("failed/discard", true),
            ("portal-links", false),
        ] {
            let path = format!("/v1/companies/acme/{path}");
            let told = admin.send(Method::POST, &path, None).await;
            if is_needed {
                assert!(told.body.contains("`{}` for all"), "{told:?}");
                assert_eq!(told.problem(400), "invalid_request", "{path}");
            } else {
                told.expect(201);
            }
            let suffixed = Some("application/merge-patch+json");
            let taken = admin.send_bytes(Method::POST, &path, suffixed, "{}").await;
            assert!((200..300).contains(&taken.status), "{path}: {taken:?}");
        }
        let with_parameter = post(Some("application/JSON; charset=utf-8"), &padded(100)).await;
        assert_eq!(with_parameter.status, 201);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_route_is_a_problem_and_every_answer_has_safe_headers() {
    console_scenario(async |console, _| {
        let admin = console.admin();
        for path in [
            "/v1",
            "/v1/companies",
            "/v1/companies/acme",
            "/v2/x",
            "/v1/companies/acme/endpoints/",
            "/%00",
        ] {
            assert_eq!(admin.get(path).await.problem(404), "not_found", "{path}");
        }
        for (method, path) in [
            (Method::PUT, OF_ACME),
            (Method::DELETE, OF_ACME),
            (Method::POST, "/healthz"),
        ] {
            let refused = admin.send(method.clone(), path, None).await;
            assert_eq!(refused.problem(405), "method_not_allowed", "{method} {path}");
            assert!(refused.header("allow").is_some());
        }
        for path in ["/healthz", "/openapi.json", OF_ACME, "/nowhere"] {
            let reply = admin.get(path).await;
            assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
            assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
            let policy = reply.header("content-security-policy").unwrap();
            assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        }
        let metrics = admin.get("/metrics").await.expect(200).body;
        assert!(
            metrics.contains("hookline_api_request_duration_seconds_count"),
            "{metrics}"
        );
        assert!(!metrics.contains("acme"), "{metrics}");
    })
    .await;
}

#[tokio::test]
async fn a_token_that_asks_too_often_waits_and_others_do_not() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database).set("HOOKLINE_API_RATE", "1/m")).await;
        let (acme, globex) = (console.company("acme").await, console.company("globex").await);
        acme.get(OF_ACME).await.expect(200);
        let refused = acme.get(OF_ACME).await;
        assert_eq!(refused.problem(429), "rate_limited");
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
        globex.get("/v1/companies/globex/endpoints").await.expect(200);
        // The operator is not counted.
        for _ in 0..5 {
            console.admin().get(OF_ACME).await.expect(200);
        }
        // Strangers share their address, until they are told to wait as well; and so many may ask before that.
        let stranger = console.stranger();
        let ask = async || stranger.get(OF_ACME).await.status;
        let mut asked = 0;
        loop {
            let answers = join_all((0..100).map(|_| ask())).await;
            let told = answers.iter().filter(|status| **status == 429).count();
            assert!(
                answers.iter().all(|status| matches!(status, 401 | 429)),
                "{answers:?}"
            );
            asked += answers.len() - told;
            if told > 0 {
                break;
            }
            assert!(asked < 100_000, "nobody is told to wait");
        }
        assert!(asked >= 1_000, "{asked}");
    })
    .await;
}

#[tokio::test]
async fn whoever_tries_every_route_without_a_token_is_told_so_each_time() {
    console_scenario(async |console, _| {
        let routes = hookline_console::api::routes();
        let closed = routes.iter().filter(|route| route.access != Access::Public);
        let closed: Vec<_> = closed.collect();
        assert!(closed.len() > 20, "{closed:?}");
        for stranger in [
            console.stranger(),
            console.stranger().with_token(Some("nonsense")),
        ] {
            for route in &closed {
                let method = Method::from_bytes(route.method.as_bytes()).unwrap();
                let path = route.path.replace("{company}", "acme").replace(['{', '}'], "");
                let refused = stranger.send(method, &path, None).await;
                assert_eq!(refused.problem(401), "unauthorized", "{route:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn those_who_drip_bytes_leave_room_for_others() {
    console_scenario(async |console, _| {
        let port = console.process().port();
        let mut dripping = Vec::new();
        for number in 0..600 {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            // Half a head, half a body, or nothing.
            let start: &[u8] = match number % 3 {
                0 => b"POST /v1/companies/acme/endpoints HTTP/1.1\r\nhost:",
                1 => b"POST /v1/companies/acme/endpoints HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{",
                _ => b"",
            };
            stream.write_all(start).await.unwrap();
            dripping.push(stream);
        }
        for _ in 0..20 {
            let reply = timeout(Duration::from_secs(10), console.admin().get(OF_ACME))
                .await
                .unwrap();
            assert_eq!(reply.status, 200);
        }
    })
    .await;
}

#[tokio::test]
async fn the_description_names_every_route_and_what_each_answers() {
    console_scenario(async |console, _| {
        let api = console.stranger().get("/openapi.json").await.expect(200).json();
        assert_eq!(api["openapi"], json!("3.1.0"));
        let routes = hookline_console::api::routes();
        for route in &routes {
            let operation = &api["paths"][&route.path][route.method.to_lowercase()];
            let told = format!("{} {}", route.method, route.path);
            assert!(
                operation["operationId"].is_string() && operation["summary"].is_string(),
                "{told}"
            );
            if route.path.starts_with("/v1/") {
                assert!(operation["responses"]["4XX"].is_object(), "{told}");
            }
        }
        let named = api["paths"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|path| path.as_object().unwrap().keys());
        assert_eq!(named.count(), routes.len());
        // What refers to a schema refers to one that is there.
        let mut references = Vec::new();
        collect(&api, &mut references);
        for reference in references {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(api.pointer(pointer).is_some(), "{reference}");
        }
    })
    .await;
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}
