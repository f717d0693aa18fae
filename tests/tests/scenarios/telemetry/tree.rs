//! One trace, from a publisher's span through every attempt to a manual retry, as a collector gets it.

use std::collections::BTreeMap;

use hookline_tests::console::{ADMIN_TOKEN, Console, MASTER_KEY, database_scenario, setup, start};
use hookline_tests::dispatcher::Setup;
use hookline_tests::endpoint::{SECRET, endpoint};
use hookline_tests::message::{HandMade, text};
use hookline_tests::otlp_sink::{OtlpSink, SpanSeen};
use hookline_tests::receiver::Received;
use hookline_tests::{Receiver, eventually, scenario, status};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::sending_to;
use crate::SOON;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const BOOKING: &str = "b7ad6b7169203331";

fn parent() -> String {
    format!("00-{TRACE}-{BOOKING}-01")
}

/// The span that goes on from `parent`, which has one alone.
fn child<'a>(spans: &'a [SpanSeen], parent: &str) -> &'a SpanSeen {
    let mut children = spans.iter().filter(|span| span.parent == parent);
    let child = children
        .next()
        .unwrap_or_else(|| panic!("no child of {parent} in {spans:#?}"));
    assert!(
        children.next().is_none(),
        "more than one child of {parent} in {spans:#?}"
    );
    child
}

/// How long an attempt says that the one before it has been over, in seconds.
fn waited(attempt: &SpanSeen) -> Option<f64> {
    let waited = attempt.attributes.get("hookline.wait.duration")?;
    Some(waited.parse().unwrap())
}

/// A program that sends its spans to this collector, and retries once.
fn traced<'a>(setup: Setup<'a>, sink: &OtlpSink) -> Setup<'a> {
    setup
        .set("OTEL_EXPORTER_OTLP_ENDPOINT", sink.http_url())
        .set("OTEL_METRICS_EXPORTER", "none")
        .set("OTEL_BSP_SCHEDULE_DELAY", "100")
        .set("HOOKLINE_RETRY_SCHEDULE", "1s")
}

/// Publishes an event over HTTP in a booking service's trace, and returns its id.
async fn publish(console: &Console) -> String {
    let (body, parent) = (r#"{"type":"booking.created","data":{}}"#, parent());
    let request = format!(
        "POST /v1/companies/acme/events HTTP/1.1\r\nhost: console\r\nconnection: close\r\n\
         authorization: Bearer {ADMIN_TOKEN}\r\ncontent-type: application/json\r\ntraceparent: {parent}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let port = console.process().port();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 202 "), "{reply}");
    let (_, after) = reply.split_once("evt_").unwrap();
    let hex: String = after.chars().take_while(char::is_ascii_hexdigit).collect();
    format!("evt_{hex}")
}

#[tokio::test]
async fn one_trace_goes_from_the_publisher_to_the_manual_retry() {
    database_scenario(async |world, database| {
        let sink = OtlpSink::plain().await;
        let receiver = Receiver::answering(status(503)).await;
        let console = start(traced(setup(world, database), &sink)).await;
        let endpoint = json!({"url": receiver.url(), "id": "ep_crm", "secret": SECRET});
        console.register("acme", &endpoint).await;
        let dispatcher = traced(world.dispatcher(), &sink)
            .unset("HOOKLINE_ENDPOINTS_FILE")
            .set("HOOKLINE_DATABASE_URL", database.url().as_str())
            .set("HOOKLINE_MASTER_KEY", MASTER_KEY)
            .set("HOOKLINE_TRACE_RECEIVERS", "true")
            .start()
            .await;
        let event = publish(&console).await;
        let failed = format!("/v1/companies/acme/failed/{event}/ep_crm");
        eventually(SOON, "the dead letter is filed", async || {
            (console.admin().get(&failed).await.status == 200).then_some(())
        })
        .await;
        receiver.answer_now(status(200));
        let retried = console.admin().post(&format!("{failed}/retry"), &json!({})).await;
        retried.expect(202);
        let requests = receiver.expect(3, SOON).await;

        // publish, twice process and POST, publish, process and POST.
        let spans = sink.spans(8, SOON).await;
        let mut at = BOOKING.to_owned();
        let mut seen = Vec::new();
        for (name, kind) in [
            ("publish ", 4),
            ("process ", 5),
            ("POST", 3),
            ("process ", 5),
            ("POST", 3),
            ("publish ", 4),
            ("process ", 5),
            ("POST", 3),
        ] {
            let span = child(&spans, &at);
            assert!(span.name.starts_with(name), "{span:?}, not {name}");
            assert_eq!((span.trace.as_str(), span.kind), (TRACE, kind), "{span:?}");
            at.clone_from(&span.id);
            seen.push(span);
        }
        let [published, first, attempt, second, again, sent_again, third, last] = seen[..] else {
            panic!("{seen:?}");
        };
        for span in [published, first, second, sent_again, third] {
            assert_eq!(span.attributes["messaging.system"], "rabbitmq");
            assert_eq!(span.attributes["messaging.message.id"], event);
        }
        assert!(first.attributes["messaging.destination.name"].ends_with(".events"));
        assert!(second.attributes["messaging.destination.name"].ends_with(".due"));
        assert!(third.attributes["messaging.destination.name"].ends_with(".deliveries"));
        let of = |span: &SpanSeen, name: &str| span.attributes.get(name).cloned().unwrap_or_default();
        assert_eq!(
            (
                of(attempt, "http.response.status_code").as_str(),
                attempt.is_error
            ),
            ("503", true)
        );
        assert_eq!(
            (of(again, "http.request.resend_count").as_str(), again.is_error),
            ("1", true)
        );
        assert_eq!(
            (of(last, "hookline.outcome").as_str(), last.is_error),
            ("delivered", false)
        );
        assert_eq!(of(last, "url.full"), receiver.url());
        // Each attempt is linked to the one before it, a manual retry's too, and says how long it waited: a second by the
        // schedule, and then until a person came.
        assert_eq!(attempt.links, []);
        assert_eq!(waited(attempt), None);
        for (one, next) in [(attempt, again), (again, last)] {
            assert_eq!(next.links, [(TRACE.to_owned(), one.id.clone())], "{next:?}");
        }
        assert!((0.9..900.0).contains(&waited(again).unwrap()), "{again:?}");
        assert!((0.0..900.0).contains(&waited(last).unwrap()), "{last:?}");
        assert!(second.times.0 - attempt.times.1 > 900_000_000, "{second:?}");
        // Each receiver's own spans would hang below its attempt.
        for (request, attempt) in requests.iter().zip([attempt, again, last]) {
            assert_eq!(
                request.header("traceparent"),
                format!("00-{TRACE}-{}-01", attempt.id)
            );
        }
        // The log of attempts and the operator's log know the trace.
        let delivery = format!("/v1/companies/acme/deliveries/{event}/ep_crm");
        eventually(SOON, "three attempts with the trace in the log", async || {
            let detail = console.admin().get(&delivery).await;
            let attempts = detail.json()["attempts"].as_array().cloned().unwrap_or_default();
            let is_known = attempts.iter().all(|attempt| attempt["trace_id"] == TRACE);
            (attempts.len() == 3 && is_known).then_some(())
        })
        .await;
        let line = dispatcher.says("attempt failed", SOON).await;
        assert!(line.contains(TRACE), "{line}");
    })
    .await;
}

#[tokio::test]
async fn a_fan_out_is_one_trace_and_what_nobody_traces_tells_receivers_what_it_came_with() {
    scenario(async |world| {
        let sink = OtlpSink::plain().await;
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_one", &receiver), endpoint("ep_two", &receiver)]);
        let dispatcher = sending_to(world, &sink).start().await;
        let event = || HandMade::event().header("traceparent", text(&parent()));
        event().publish(world).await;
        receiver.expect(2, SOON).await;
        let spans = sink.spans(5, SOON).await;
        let routed = child(&spans, BOOKING);
        let deliveries: Vec<_> = spans.iter().filter(|span| span.parent == routed.id).collect();
        assert_eq!(deliveries.len(), 2, "{spans:#?}");
        for delivery in deliveries {
            assert_eq!(child(&spans, &delivery.id).name, "POST");
        }
        let told = |request: &Received| request.headers.get("traceparent").cloned();
        assert!(
            receiver.requests().iter().all(|request| told(request).is_none()),
            "unless it is asked for"
        );
        dispatcher.stop().await;
        let _untraced = world
            .dispatcher()
            .set("HOOKLINE_TRACE_RECEIVERS", "true")
            .start()
            .await;
        event().publish(world).await;
        let requests = receiver.expect(4, SOON).await;
        for request in &requests[2..] {
            assert_eq!(request.header("traceparent"), parent());
        }
    })
    .await;
}

#[tokio::test]
async fn a_trace_that_begins_here_is_collected_with_all_its_attempts_or_not_at_all() {
    const EVENTS: usize = 40;
    scenario(async |world| {
        let sink = OtlpSink::plain().await;
        let receiver =
            Receiver::scripted(|request| status(if request.attempt() == 1 { 500 } else { 200 })).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let dispatcher = traced(world.dispatcher(), &sink)
            .set("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
            .set("OTEL_TRACES_SAMPLER_ARG", "0.5")
            .set("HOOKLINE_TRACE_RECEIVERS", "true")
            .start()
            .await;
        world.publish_many(EVENTS, "booking.created").await;
        let requests = receiver.expect(2 * EVENTS, SOON).await;
        // A stop does not wait for a collector for as long as a busy one may take.
        let is_sampled = |request: &&Received| request.header("traceparent").ends_with("-01");
        let sampled = requests.iter().filter(is_sampled).count();
        sink.spans(2 * sampled, SOON).await;
        dispatcher.stop().await;
        let mut spans = BTreeMap::<String, usize>::new();
        for span in sink.exports().into_iter().flat_map(|export| export.spans) {
            *spans.entry(span.trace).or_default() += 1;
        }
        // Each receiver is told the same, and the second attempt goes on with the trace of the first.
        let mut told = BTreeMap::<String, Vec<String>>::new();
        for request in &requests {
            let parent = request.header("traceparent");
            let ids = told.entry(parent[3..35].to_owned()).or_default();
            ids.push(request.id().to_owned());
            let is_collected = parent.ends_with("-01");
            assert_eq!(is_collected, spans.contains_key(&parent[3..35]), "{parent}");
        }
        assert_eq!(told.len(), EVENTS);
        assert!(
            told.values().all(|ids| ids.len() == 2 && ids[0] == ids[1]),
            "{told:?}"
        );
        assert!(spans.values().all(|count| *count == 4), "{spans:?}");
        // Half of them; all or none is no matter of chance.
        assert!((1..EVENTS).contains(&spans.len()), "{}", spans.len());
    })
    .await;
}
