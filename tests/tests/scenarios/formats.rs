//! What a receiver reads: exact bytes, in each format.

use hookline_common::topology::Queue;
use hookline_producer::{Data, Event};
use hookline_tests::endpoint::Endpoint;
use hookline_tests::message::{HandMade, text};
use hookline_tests::raw::{RawReceiver, RawRequest};
use hookline_tests::{Receiver, World, endpoint::endpoint, scenario, status};

use crate::SOON;

const FORMATS: [&str; 4] = ["meeva", "meetergo", "meetergo-flat", "standard"];

/// Everything that a JSON library would change if it were let near it.
const AWKWARD: &str = "{ \"z\" : 1.0, \"a\":1e3,\n\t\"big\":12345678901234567890,\"e\":\"\\u00eb ë \\/ \\ud83c\",\
                       \"twice\":1,\"twice\":2, \"empty\":{ } }\r\n";

async fn one_raw_endpoint_each(world: &World) -> Vec<RawReceiver> {
    let (mut receivers, mut endpoints) = (Vec::new(), Vec::new());
    for format in FORMATS {
        let receiver =
            RawReceiver::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .await;
        endpoints.push(Endpoint::at(&format!("ep_{format}"), &receiver.url()).text("format", format));
        receivers.push(receiver);
    }
    world.endpoints(endpoints);
    receivers
}

async fn the_request_at(receiver: &RawReceiver) -> RawRequest {
    let mut requests = receiver.expect(1, SOON).await;
    assert_eq!(requests.len(), 1, "{requests:?}");
    requests.remove(0)
}

#[tokio::test]
async fn data_arrives_byte_for_byte_in_the_envelope_of_each_format() {
    scenario(async |world| {
        let receivers = one_raw_endpoint_each(world).await;
        world.dispatcher().start().await;
        let message = HandMade::event()
            .header("created-at", text("2024-01-15T14:30:00.250Z"))
            .body(AWKWARD);
        message.publish(world).await;
        let members = AWKWARD.trim_end().strip_prefix('{').unwrap().strip_suffix('}').unwrap();
        let expected = [
            format!(
                r#"{{"id":"{}","type":"booking.created","createdAt":"2024-01-15T14:30:00.250Z","data":{AWKWARD}}}"#,
                message.id()
            ),
            format!(r#"{{"event":"booking_created","data":{AWKWARD}}}"#),
            format!(r#"{{"webhookType":"booking_created",{members}}}"#),
            format!(r#"{{"type":"booking.created","timestamp":"2024-01-15T14:30:00.250Z","data":{AWKWARD}}}"#),
        ];
        for (receiver, expected) in receivers.iter().zip(expected) {
            let body = the_request_at(receiver).await.body;
            assert_eq!(String::from_utf8_lossy(&body), expected);
        }
    })
    .await;
}

#[tokio::test]
async fn whole_seconds_have_no_fraction_and_our_member_stands_last_where_data_has_one_of_its_name() {
    scenario(async |world| {
        let receivers = one_raw_endpoint_each(world).await;
        world.dispatcher().start().await;
        let message = HandMade::event().body(r#"{"webhookType":"theirs","a":1}"#);
        message.publish(world).await;
        let body = async |at: usize| String::from_utf8(the_request_at(&receivers[at]).await.body).unwrap();
        assert!(body(0).await.contains(r#""createdAt":"2024-01-15T14:30:00Z","#));
        assert_eq!(
            body(2).await,
            r#"{"webhookType":"theirs","a":1,"webhookType":"booking_created"}"#
        );
        assert!(body(3).await.contains(r#""timestamp":"2024-01-15T14:30:00Z","#));
    })
    .await;
}

#[tokio::test]
async fn the_longest_data_is_delivered_in_every_format_and_fits_into_what_receivers_take() {
    scenario(async |world| {
        let receivers = one_raw_endpoint_each(world).await;
        world.dispatcher().start().await;
        let data = format!(r#"{{"a":"{}"}}"#, "x".repeat(Data::MAX_BYTES - 8));
        // The longest type and id make the widest envelope.
        let event_type = format!("t{}", ".x".repeat(63));
        let mut event = Event::new("acme", &event_type, data.clone()).unwrap();
        event.id = hookline_producer::EventId::parse(&"i".repeat(64)).unwrap();
        world.producer().await.publish(&event).await.unwrap();
        for receiver in &receivers {
            let request = the_request_at(receiver).await;
            assert!(request.body.len() > Data::MAX_BYTES && request.body.len() <= 102_400);
            let promised = [request.body.len().to_string()];
            assert_eq!(
                request.values("content-length"),
                promised.each_ref().map(String::as_str)
            );
            assert_eq!(request.values("transfer-encoding"), [] as [&str; 0]);
            let text = String::from_utf8(request.body).unwrap();
            assert!(text.contains(&data[1..data.len() - 1]));
        }
    })
    .await;
}

#[tokio::test]
async fn a_request_has_the_headers_that_are_promised_and_no_others() {
    scenario(async |world| {
        let receivers = one_raw_endpoint_each(world).await;
        world.dispatcher().start().await;
        let event = world.publish("booking.created", "{}").await;
        for (receiver, format) in receivers.iter().zip(FORMATS) {
            let request = the_request_at(receiver).await;
            assert!(
                request.head.starts_with("POST /hook HTTP/1.1\r\n"),
                "{}",
                request.head
            );
            let lines = request.head.split("\r\n").skip(1);
            let mut names: Vec<&str> = lines.map(|line| line.split(':').next().unwrap()).collect();
            names.sort_unstable();
            let mut expected = vec![
                "content-length",
                "content-type",
                "host",
                "meeva-signature",
                "user-agent",
                "webhook-attempt",
                "webhook-id",
                "webhook-signature",
                "webhook-timestamp",
            ];
            expected.retain(|name| format == "meeva" || *name != "meeva-signature");
            assert!(
                names.iter().map(|name| name.to_ascii_lowercase()).eq(expected),
                "{format}: {names:?}"
            );
            assert_eq!(request.values("content-type"), ["application/json"]);
            assert_eq!(
                request.values("user-agent"),
                [concat!("Hookline/", env!("CARGO_PKG_VERSION"))]
            );
            assert_eq!(request.values("webhook-id"), [event.id.as_str()]);
            assert_eq!(request.values("webhook-attempt"), ["1"]);
        }
    })
    .await;
}

#[tokio::test]
async fn an_endpoints_own_headers_and_the_query_of_its_url_go_along() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        let url = format!("{}/a%20b?token=s3cret&x=%2F", receiver.url());
        world.endpoints([endpoint("ep_crm", &receiver).text("url", &url).with(
            "headers",
            r#"{ "x-team" = "crm", "Authorization" = "Bearer abc" }"#,
        )]);
        let dispatcher = world.dispatcher().start().await;
        world.publish("booking.created", "{}").await;
        let request = receiver.expect_one(SOON).await;
        assert_eq!(request.path, "/hook/a%20b?token=s3cret&x=%2F");
        assert_eq!(request.header("x-team"), "crm");
        assert_eq!(request.header("authorization"), "Bearer abc");
        let log = dispatcher.log();
        assert!(!log.contains("s3cret") && !log.contains("Bearer abc"), "{log}");
        assert_eq!(world.read(Queue::Failed).await.len(), 0);
    })
    .await;
}
