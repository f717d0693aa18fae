//! Sample events, for whoever has none at hand: each is taken and delivered in every format, and the catalogue's examples are
//! what receivers get.

use std::collections::BTreeSet;

use hookline_catalogue::{Catalogue, EXAMPLE_ID, EXAMPLE_SECRET};
use hookline_common::endpoint::Format;
use hookline_tests::cli::{command, run, succeed};
use hookline_tests::endpoint::endpoint;
use hookline_tests::{Receiver, scenario, status};
use serde_json::Value;

use crate::SOON;

const FORMATS: [&str; 4] = ["meeva", "meetergo", "meetergo-flat", "standard"];

/// The samples that the help lists, by type.
fn listed(help: &str) -> Vec<String> {
    let (_, option) = help.split_once("--sample <TYPE>\n").expect("the option");
    let lines = option
        .lines()
        .skip_while(|line| !line.contains("Possible values:"));
    lines
        .skip(1)
        .map_while(|line| line.trim().strip_prefix("- "))
        .map(|line| line.split(':').next().unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test]
async fn each_sample_that_the_help_lists_is_delivered_in_every_format() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints(FORMATS.map(|format| {
            // Hookline's own types reach only those who name them.
            let events = ["*", "endpoint.disabled"];
            endpoint(&format!("ep_{format}"), &receiver)
                .text("format", format)
                .events(&events)
        }));
        world.dispatcher().start().await;
        let samples = listed(&succeed(world, &["publish", "--help"]).await);
        assert!(
            samples.contains(&"booking.created".to_owned()) && samples.len() > 3,
            "{samples:?}"
        );
        for sample in &samples {
            let id = succeed(world, &["publish", "--sample", sample]).await;
            assert!(id.starts_with("evt_"), "{id}");
        }
        let requests = receiver.expect(samples.len() * FORMATS.len(), SOON).await;
        for request in &requests {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            assert!(body.as_object().is_some_and(|body| body.len() >= 2), "{body}");
        }
        let types: Vec<String> = requests
            .iter()
            .filter_map(|request| {
                serde_json::from_slice::<Value>(&request.body).ok()?["type"]
                    .as_str()
                    .map(str::to_owned)
            })
            .collect();
        for sample in &samples {
            let count = types.iter().filter(|found| *found == sample).count();
            assert_eq!(count, 2, "{sample} as meeva and as standard: {types:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_sample_goes_to_the_company_that_is_named() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver).text("company", "globex")]);
        world.dispatcher().start().await;
        let sample = [
            "publish",
            "--sample",
            "booking.cancelled",
            "--company",
            "globex",
            "--id",
            "mine-1",
        ];
        assert_eq!(succeed(world, &sample).await, "mine-1\n");
        assert_eq!(receiver.expect_one(SOON).await.id(), "mine-1");
    })
    .await;
}

#[tokio::test]
async fn an_example_of_the_catalogue_is_what_a_receiver_gets() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints(Format::ALL.map(|format| {
            endpoint(&format!("ep_{format}"), &receiver)
                .text("format", format.as_str())
                .text("secret", EXAMPLE_SECRET)
        }));
        world.dispatcher().start().await;
        succeed(
            world,
            &["publish", "--sample", "booking.created", "--id", EXAMPLE_ID],
        )
        .await;
        let requests = receiver.expect(Format::ALL.len(), SOON).await;
        let catalogue = Catalogue::built_in();
        let info = catalogue.find("booking.created").unwrap();
        // Of the body only the time is another; of the headers the signatures and the time.
        let without_time = |body: &str| {
            let mut body: Value = serde_json::from_str(body).unwrap();
            for name in ["createdAt", "timestamp"] {
                if let Some(time) = body.get_mut(name) {
                    *time = "then".into();
                }
            }
            body
        };
        for format in Format::ALL {
            let example = info.rendered(format).unwrap().request;
            let expected = without_time(&example.body);
            let sent = requests
                .iter()
                .find(|request| without_time(&String::from_utf8_lossy(&request.body)) == expected)
                .unwrap_or_else(|| panic!("{format}: no request like {}", example.body));
            assert_eq!(sent.method.as_str(), example.method);
            let of_the_connection = ["host", "content-length"];
            let sent_names: BTreeSet<&str> = sent
                .headers
                .keys()
                .map(|name| name.as_str())
                .filter(|name| !of_the_connection.contains(name))
                .collect();
            let shown_names: BTreeSet<&str> = example.headers.iter().map(|(name, _)| *name).collect();
            assert_eq!(sent_names, shown_names, "{format}");
            for (name, value) in &example.headers {
                let is_fixed = !name.ends_with("signature") && *name != "webhook-timestamp";
                assert!(
                    !is_fixed || sent.header(name) == value,
                    "{format} {name}: {value}"
                );
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_platforms_own_types_have_samples_too() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver).text("format", "meetergo").events(&["invoice_paid"])]);
        world.dispatcher().start().await;
        let file = world.path("types.toml");
        std::fs::write(
            &file,
            "[[event_type]]\nname = \"invoice.paid\"\ndescription = \"Paid.\"\nschema = '{}'\nsample = '{ \"total\": 49.00 }'\n",
        )
        .unwrap();
        let unknown = run(world, &["publish", "--sample", "invoice.paid"]).await;
        assert_eq!(unknown.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no event type invoice.paid"));
        let published = command(world, &["publish", "--sample", "invoice_paid"])
            .env("HOOKLINE_EVENT_TYPES_FILE", &file)
            .output()
            .await
            .unwrap();
        assert!(published.status.success(), "{published:?}");
        let request = receiver.expect_one(SOON).await;
        assert_eq!(request.body, r#"{"event":"invoice_paid","data":{"total":49.00}}"#);
    })
    .await;
}
