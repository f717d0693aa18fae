//! `hookline certify`: a good receiver passes, and one with a fault is found out by the fault's name.

mod faults; // one at a time
mod reports; // what a partner gets to read

use std::sync::{Arc, Mutex};

use hookline_common::secret::Secret;
use hookline_common::signature::{verify_meeva, verify_standard};
use hookline_tests::answer::Answer;
use hookline_tests::cli::{out, run};
use hookline_tests::endpoint::SECRET;
use hookline_tests::receiver::Received;
use hookline_tests::{Receiver, World, scenario, status};
use serde_json::Value;

/// What lets a command reach this machine, and rest no longer than a test has time for.
pub(crate) const HERE: [&str; 6] = [
    "--allow-http",
    "true",
    "--allow-cidrs",
    "127.0.0.0/8",
    "--pause",
    "200ms",
];

/// A certificate as JSON, and the command's exit status.
pub(crate) async fn certify(world: &World, url: &str, more: &[&str]) -> (Option<i32>, Value) {
    let arguments = [&["certify", url, "--json"], &HERE[..], more].concat();
    let output = run(world, &arguments).await;
    let printed = out(&output);
    let report = serde_json::from_str(&printed)
        .unwrap_or_else(|error| panic!("{error}: {printed} {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), report)
}

/// The names of the checks that ended so.
pub(crate) fn named<'a>(report: &'a Value, verdict: &str) -> Vec<&'a str> {
    let checks = report["checks"].as_array().unwrap();
    let ended = checks.iter().filter(|check| check["verdict"] == verdict);
    ended.map(|check| check["name"].as_str().unwrap()).collect()
}

fn secrets() -> Vec<Secret> {
    vec![Secret::parse(SECRET).unwrap()]
}

/// Whether Meeva's signature holds over this body.
fn meeva_holds(request: &Received, body: &[u8]) -> bool {
    verify_meeva(&secrets(), request.header("meeva-signature"), body).is_ok()
}

/// Whether Standard Webhooks' signature holds over this body, at this time.
fn standard_holds(request: &Received, body: &[u8], now: i64) -> bool {
    let [id, timestamp, signature] =
        ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|name| request.header(name));
    verify_standard(&secrets(), id, timestamp, signature, body, now).is_ok()
}

/// One that verifies both signatures, and then answers as `then` says.
async fn verifying(mut then: impl FnMut(&Received) -> Answer + Send + 'static) -> Receiver {
    Receiver::scripted(move |request| {
        let body = &request.body;
        let holds = meeva_holds(request, body) && standard_holds(request, body, request.arrived_unix);
        if holds { then(request) } else { status(401) }
    })
    .await
}

#[tokio::test]
async fn a_good_receiver_passes_and_has_seen_all_that_deliveries_are() {
    scenario(async |world| {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let receiver = verifying(move |request| {
            log.lock().unwrap().push(request.clone());
            status(200)
        })
        .await;
        let (code, report) = certify(world, &receiver.url(), &["--secret", SECRET]).await;
        assert_eq!(named(&report, "passed").len(), 11, "{report}");
        assert_eq!((code, &report["passed"]), (Some(0), &Value::Bool(true)));

        let taken = seen.lock().unwrap().clone();
        let all = receiver.requests();
        assert!(all.len() > taken.len(), "some were forged");
        let largest = taken.iter().map(|request| request.body.len()).max().unwrap();
        assert!((101_888..=102_400).contains(&largest), "{largest}");
        let mut ids: Vec<&str> = taken.iter().map(Received::id).collect();
        ids.sort_unstable();
        let count = ids.len();
        ids.dedup();
        assert_eq!(count - ids.len(), 2, "one event came twice more");
        assert!(taken.iter().any(|request| request.attempt() == 2));
        let prefix = report["bookings"].as_str().unwrap();
        for request in &taken {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            let booking = body["data"]["booking"]["id"].as_str().unwrap();
            assert!(booking.starts_with(prefix), "{booking}");
        }
    })
    .await;
}

#[tokio::test]
async fn receivers_of_each_format_pass_with_the_signature_that_they_get() {
    scenario(async |world| {
        for format in ["standard", "meetergo", "meetergo-flat"] {
            let receiver = Receiver::scripted(|request| {
                let holds = standard_holds(request, &request.body, request.arrived_unix);
                status(if holds { 204 } else { 403 })
            })
            .await;
            let more = ["--format", format, "--secret", SECRET];
            let (code, report) = certify(world, &receiver.url(), &more).await;
            assert_eq!((code, named(&report, "passed").len()), (Some(0), 11), "{report}");
        }
    })
    .await;
}

/// Meeva's own scheme covers no time, and a receiver that verifies it alone is told so and passes.
#[tokio::test]
async fn one_that_verifies_meeva_signature_alone_passes_with_advice() {
    scenario(async |world| {
        let receiver = Receiver::scripted(|request| {
            let holds = meeva_holds(request, &request.body);
            status(if holds { 200 } else { 401 })
        })
        .await;
        let (code, report) = certify(world, &receiver.url(), &["--secret", SECRET]).await;
        assert_eq!(code, Some(0), "{report}");
        assert_eq!(named(&report, "advice"), ["old_timestamp"], "{report}");
    })
    .await;
}

#[tokio::test]
async fn one_that_verifies_nothing_passes_only_where_no_secret_was_given() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        let (code, report) = certify(world, &receiver.url(), &["--format", "meetergo"]).await;
        assert_eq!(code, Some(0), "{report}");
        assert_eq!(named(&report, "skipped"), ["bad_signature", "old_timestamp"]);
        let with_secret = ["--format", "meetergo", "--secret", SECRET];
        let (code, report) = certify(world, &receiver.url(), &with_secret).await;
        assert_eq!(code, Some(1), "{report}");
        assert!(named(&report, "failed").contains(&"bad_signature"), "{report}");
    })
    .await;
}
