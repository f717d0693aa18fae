//! The booking service of the examples: a booking's life, from a request over HTTP to the receiver.

use std::process::Stdio;

use hookline_tests::dispatcher::program;
use hookline_tests::endpoint::endpoint;
use hookline_tests::services::services;
use hookline_tests::{Receiver, eventually, http, ports, scenario, status};
use hyper::Method;
use serde_json::Value;
use tokio::process::Command;
use url::Url;

use crate::SOON;

#[tokio::test]
async fn a_booking_is_made_moved_and_cancelled_and_each_is_delivered() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_1", &receiver)]);
        world.dispatcher().start().await;
        let database = hookline_tests::database::Database::create().await;
        let base = format!("127.0.0.1:{}", ports::free_port());
        let mut service = Command::new(program("booking-service"))
            .env_clear()
            .env("BOOKINGS_DATABASE_URL", database.url().as_str())
            .env("BOOKINGS_ADDR", &base)
            .env("HOOKLINE_AMQP_URL", &services().amqp_url)
            .env("HOOKLINE_NAMESPACE", world.namespace().to_string())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let post = async |path: &str, body: &str| -> Option<(u16, Value)> {
            let url: Url = format!("http://{base}/companies/acme/bookings{path}").parse().unwrap();
            let page = http::ask(Method::POST, &url, body).await.ok()?;
            let id = serde_json::from_str(&page.body).unwrap_or_default();
            Some((page.status, id))
        };
        let wish = r#"{"eventTypeId":"et_intro","startsAt":"2031-05-14T09:00:00Z","endsAt":"2031-05-14T09:30:00Z",
                       "attendee":"zoe@example.org","host":"usr_lena"}"#;
        let (created, first) =
            eventually(SOON, "it takes a booking", async || post("", wish).await).await;
        let first = first["id"].as_str().unwrap();
        let to = r#"{"by":"attendee","startsAt":"2031-05-15T14:00:00Z","endsAt":"2031-05-15T14:30:00Z"}"#;
        let (moved, second) = post(&format!("/{first}/reschedule"), to).await.unwrap();
        let second = second["id"].as_str().unwrap();
        let off = r#"{"by":"host","reason":"Ill today"}"#;
        let (cancelled, _) = post(&format!("/{second}/cancel"), off).await.unwrap();
        assert_eq!((created, moved, cancelled), (201, 201, 200));
        // Refused, and so never told of.
        assert_eq!(post(&format!("/{first}/cancel"), off).await.unwrap().0, 409);
        assert_eq!(post("", &wish.replace("09:00", "soon")).await.unwrap().0, 400);

        let requests = eventually(SOON, "all three are delivered", async || {
            let requests = receiver.requests();
            (requests.len() >= 3).then_some(requests)
        })
        .await;
        let mut told: Vec<(String, String)> = requests
            .iter()
            .map(|request| {
                let body: Value = serde_json::from_slice(&request.body).unwrap();
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                (text(&body["type"]), text(&body["data"]["booking"]["id"]))
            })
            .collect();
        told.sort();
        let wanted = [
            ("booking.cancelled", second),
            ("booking.created", first),
            ("booking.rescheduled", second),
        ];
        assert_eq!(told, wanted.map(|(kind, id)| (kind.to_owned(), id.to_owned())));

        let pid = service.id().unwrap().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(asked.await.unwrap().success());
        assert!(service.wait().await.unwrap().success());
        database.remove().await;
    })
    .await;
}
