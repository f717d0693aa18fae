//! Events over HTTP: accepted when the broker has them, byte for byte; refused with what is wrong; many at once, each by
//! itself; and what is said while the broker is away.

use hookline_common::topology::Queue;
use hookline_tests::SOON;
use hookline_tests::answer::status;
use hookline_tests::api::{Api, Reply};
use hookline_tests::console::{ADMIN_TOKEN, console_scenario, database_scenario, setup, start_connected};
use hookline_tests::endpoint::endpoint;
use hookline_tests::eventually::eventually;
use hookline_tests::receiver::Receiver;
use hookline_tests::services::services;
use hookline_tests::wire::Wire;
use hyper::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const EVENTS: &str = "/v1/companies/acme/events";
const JSON: Option<&str> = Some("application/json");
const LINES: Option<&str> = Some("application/x-ndjson");

async fn post(api: &Api, content_type: Option<&str>, body: &str) -> Reply {
    api.send_bytes(Method::POST, EVENTS, content_type, body).await
}

/// The results of many, a line each.
fn results(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.status, 202, "{reply:?}");
    assert_eq!(reply.header("content-type"), Some("application/x-ndjson"));
    assert!(reply.body.ends_with('\n'), "each result ends its line");
    let lines = reply.body.lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn an_event_that_was_accepted_is_delivered_with_the_bytes_that_came() {
    database_scenario(async |world, database| {
        let console = start_connected(setup(world, database)).await;
        let acme = console.company("acme").await;
        let receiver = Receiver::answering(status(204)).await;
        world.endpoints([endpoint("ep_1", &receiver).with("format", "\"standard\"")]);
        world.dispatcher().start().await;
        let data = "{ \"b\": 1.0,\t\"a\":1e400, \"b\" : \"\\u00eb\", \"n\":12345678901234567890 }";
        let body = format!("{{\"type\": \"booking.created\" ,\"data\":  {data} }}");
        let accepted = post(&acme, JSON, &body).await.expect(202).json();
        let request = receiver.expect_one(SOON).await;
        assert_eq!(request.id(), accepted["id"].as_str().unwrap());
        let sent = String::from_utf8(request.body.to_vec()).unwrap();
        assert!(sent.contains(&format!("\"data\":{data}}}")), "{sent}");
    })
    .await;
}

#[tokio::test]
async fn the_message_is_the_one_that_producers_make_and_the_same_id_again_is_accepted() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Events);
        let console = start_connected(setup(world, database)).await;
        let acme = console.company("acme").await;
        let body = r#"{"id":"mine-1","type":"booking.created","createdAt":"2030-01-15T16:30:00.25+02:00","data":{"a":1}}"#;
        for _ in 0..2 {
            let accepted = post(&acme, Some("application/vnd.acme+json"), body).await;
            assert_eq!(accepted.expect(202).json(), json!({"id": "mine-1"}));
        }
        let messages = world.expect_in(Queue::Events, 2, SOON).await;
        let [message, again] = messages.as_slice() else {
            panic!("{messages:?}")
        };
        assert_eq!(message.headers, again.headers);
        assert_eq!((message.id(), message.text("company")), ("mine-1", "acme"));
        assert_eq!(message.text("created-at"), "2030-01-15T14:30:00.250Z");
        assert_eq!(message.body, b"{\"a\":1}");
        let kind = message.properties.kind().as_ref().map(ToString::to_string);
        assert_eq!(kind.as_deref(), Some("booking.created"));
        assert_eq!(message.properties.delivery_mode(), &Some(2));
    })
    .await;
}

#[tokio::test]
async fn the_trace_of_the_operators_request_goes_on_in_the_event_and_a_companys_does_not() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Events);
        let console = start_connected(setup(world, database)).await;
        let (trace, body) = (
            "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
            r#"{"type":"a.b","data":{}}"#,
        );
        let made = console
            .admin()
            .post("/v1/companies/acme/tokens", &json!({}))
            .await;
        let token = made.expect(201).json()["token"].as_str().unwrap().to_owned();
        for token in [token.as_str(), ADMIN_TOKEN] {
            let request = format!(
                "POST {EVENTS} HTTP/1.1\r\nhost: console\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\
                 content-type: application/json\r\ntraceparent: {trace}\r\ntracestate: shop=1\r\n\
                 content-length: {}\r\n\r\n{body}",
                body.len()
            );
            let mut stream = TcpStream::connect(("127.0.0.1", console.process().port()))
                .await
                .unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut reply = String::new();
            stream.read_to_string(&mut reply).await.unwrap();
            assert!(reply.starts_with("HTTP/1.1 202 "), "{reply}");
        }
        let messages = world.expect_in(Queue::Events, 2, SOON).await;
        let carried = messages.iter().map(|message| {
            (message.text("traceparent").to_owned(), message.text("tracestate").to_owned())
        });
        let mut traces: Vec<_> = carried.collect();
        traces.sort();
        let none = (String::new(), String::new());
        assert_eq!(traces, [none, (trace.to_owned(), "shop=1".to_owned())]);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_event_is_refused_and_nothing_is_published() {
    console_scenario(async |console, _| {
        let acme = console.company("acme").await;
        for bad in [
            "",
            "{",
            "[]",
            r#"{"type":"booking.created"}"#,
            r#"{"type":"booking.created","data":[]}"#,
            r#"{"type":"Booking","data":{}}"#,
            r#"{"type":"a","data":{},"company":"globex"}"#,
            r#"{"type":"a","data":{},"id":"a.b"}"#,
            r#"{"type":"a","data":{},"createdAt":"yesterday"}"#,
        ] {
            assert_eq!(
                post(&acme, JSON, bad).await.problem(400),
                "invalid_request",
                "{bad}"
            );
        }
        let long = |bytes: usize| format!(r#"{{"type":"a","data":{{"a":"{}"}}}}"#, "x".repeat(bytes - 8));
        assert_eq!(post(&acme, JSON, &long(101_889)).await.status, 400);
        assert_eq!(
            post(&acme, JSON, &long(300_000)).await.problem(413),
            "body_too_large"
        );
        for media in [None, Some("text/plain")] {
            let refused = post(&acme, media, "{}").await;
            assert_eq!(refused.problem(415), "unsupported_media_type");
        }
        assert_eq!(post(&acme, LINES, "\n \n").await.problem(400), "invalid_request");
    })
    .await;
}

#[tokio::test]
async fn of_many_events_each_is_accepted_or_refused_by_itself_and_answered_in_order() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Events);
        let console = start_connected(setup(world, database)).await;
        let acme = console.company("acme").await;
        // A thousand, every tenth of them wrong, and blank lines between; then one that is too many.
        let line = |number: usize| match number % 10 {
            3 => format!("{{\"type\":\"a\",\"data\":{number}}}\r\n\n"),
            _ => format!("{{\"type\":\"a.b\",\"id\":\"e-{number}\",\"data\":{{\"n\": {number} }}}}\n"),
        };
        let body: String = (0..1_000).map(line).collect();
        let told = results(&post(&acme, LINES, body.trim_end()).await);
        assert_eq!(told.len(), 1_000);
        for (number, result) in told.iter().enumerate() {
            if number % 10 == 3 {
                assert_eq!(result["code"], json!("invalid_request"), "{number}: {result}");
                assert_eq!(result["status"], json!(400));
            } else {
                assert_eq!(*result, json!({"id": format!("e-{number}")}));
            }
        }
        let messages = world.expect_in(Queue::Events, 900, SOON).await;
        let third = messages.iter().find(|message| message.id() == "e-2").unwrap();
        assert_eq!(third.body, b"{\"n\": 2 }");

        let body = "{\"type\":\"a.b\",\"data\":{}}\n".repeat(1_200);
        let told = results(&post(&acme, LINES, &body).await);
        assert_eq!(told.len(), 1_001);
        assert!(told[..1_000].iter().all(|result| result["id"].is_string()));
        assert_eq!(told[1_000]["code"], json!("too_many_events"));
        world.expect_in(Queue::Events, 1_900, SOON).await;
    })
    .await;
}

#[tokio::test]
async fn while_the_broker_is_away_events_are_refused_with_their_ids_and_accepted_afterwards() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Events);
        let wire = Wire::to(&services().amqp_url).await;
        let url = wire.url(&services().amqp_url);
        let console = start_connected(setup(world, database).set("HOOKLINE_AMQP_URL", url)).await;
        let acme = console.company("acme").await;
        let event = r#"{"type":"booking.created","data":{}}"#;
        post(&acme, JSON, event).await.expect(202);
        let ready = console.stranger().get("/readyz").await.expect(200);
        assert_eq!(ready.body, "ready\n");

        wire.cut();
        let refused = post(&acme, JSON, event).await;
        assert_eq!(refused.problem(503), "broker_unavailable");
        assert!(refused.header("retry-after").is_some(), "{refused:?}");
        let id = refused.json()["event"].as_str().unwrap().to_owned();
        // Many are not waited for one after the other: all are answered, each with its own problem.
        let told = results(&post(&acme, LINES, &format!("{event}\n").repeat(500)).await);
        assert_eq!(told.len(), 500);
        assert!(told.iter().all(|result| result["code"] == "broker_unavailable"));
        // All but publishing goes on.
        let ready = console.stranger().get("/readyz").await.expect(200);
        assert!(
            ready.body.starts_with("ready\nno event can be published"),
            "{ready:?}"
        );
        acme.get("/v1/companies/acme/endpoints").await.expect(200);

        wire.restore();
        let again = format!(r#"{{"type":"booking.created","data":{{}},"id":"{id}"}}"#);
        eventually(SOON, "it is accepted", async || {
            let reply = post(&acme, JSON, &again).await;
            (reply.status == 202).then_some(())
        })
        .await;
        let messages = world.read(Queue::Events).await;
        assert!(messages.iter().any(|message| message.id() == id));
    })
    .await;
}
