//! Sample events, for whoever has none at hand: each is taken and delivered in every format.

use hookline_tests::cli::succeed;
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
        world.endpoints(
            FORMATS.map(|format| endpoint(&format!("ep_{format}"), &receiver).text("format", format)),
        );
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
