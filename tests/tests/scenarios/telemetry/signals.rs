//! What is set for one signal alone: it wins over what is set for all, and the other signal knows nothing of it.

use std::collections::BTreeSet;

use hookline_tests::dispatcher::Setup;
use hookline_tests::hostile::certificates::Authority;
use hookline_tests::otlp_sink::{Export, Manner, OtlpSink};
use hookline_tests::{World, scenario};

use super::super::SOON;
use super::{receiver, sending, sending_to};

/// The signals, as variables name them: one, and the other.
const BOTH: [(&str, &str); 2] = [("TRACES", "METRICS"), ("METRICS", "TRACES")];

fn of(signal: &str, rest: &str) -> String {
    format!("OTEL_EXPORTER_OTLP_{signal}_{rest}")
}

/// Waits for what `signal` is sent as.
async fn comes(sink: &OtlpSink, signal: &str) -> Export {
    match signal {
        "TRACES" => sink.traces(SOON).await,
        _ => sink.metrics(SOON).await,
    }
}

#[tokio::test]
async fn each_signal_may_have_an_address_a_protocol_headers_and_compression_of_its_own() {
    for (own, other) in BOTH {
        scenario(async |world| {
            let (of_all, of_own) = (OtlpSink::plain().await, OtlpSink::plain().await);
            let receiver = receiver(world).await;
            // The collector tells the signals apart by their paths.
            let path = format!("/own/{}", own.to_ascii_lowercase());
            sending_to(world, &of_all)
                .set("OTEL_EXPORTER_OTLP_HEADERS", "x-of=all")
                .set(&of(own, "ENDPOINT"), format!("{}{path}", of_own.http_url()))
                .set(&of(own, "PROTOCOL"), "http/protobuf")
                .set(&of(own, "HEADERS"), "x-of=own")
                .set(&of(own, "COMPRESSION"), "gzip")
                .start()
                .await;
            world.publish("booking.created", "{}").await;
            receiver.expect_one(SOON).await;
            let (mine, others) = (comes(&of_own, own).await, comes(&of_all, other).await);
            assert_eq!((mine.path, mine.was_gzip), (path, true), "{own}");
            assert_eq!(mine.headers["x-of"], "own", "{own}");
            assert!(others.path.starts_with("/opentelemetry.proto"), "{}", others.path);
            assert!(!others.was_gzip && others.headers["x-of"] == "all", "{other}");
            for (sink, is_own) in [(&of_own, true), (&of_all, false)] {
                let kinds: BTreeSet<bool> = sink
                    .exports()
                    .iter()
                    .map(|export| export.spans.is_empty() != (own == "TRACES"))
                    .collect();
                assert_eq!(kinds, [is_own].into(), "{own} and {other} keep apart");
            }
        })
        .await;
    }
}

/// Has an attempt made by a dispatcher, and waits until each collector has what is its own.
async fn both_arrive(setup: Setup<'_>, world: &World, sinks: [(&OtlpSink, &str); 2]) {
    let receiver = receiver(world).await;
    setup.start().await;
    world.publish("booking.created", "{}").await;
    receiver.expect_one(SOON).await;
    for (sink, signal) in sinks {
        comes(sink, signal).await;
    }
}

#[tokio::test]
async fn each_signal_may_trust_an_authority_of_its_own() {
    let (ours, theirs) = (Authority::new("of one"), Authority::new("of the other"));
    for (own, other) in BOTH {
        scenario(async |world| {
            let files = [("own.pem", &ours), ("other.pem", &theirs)].map(|(name, authority)| {
                std::fs::write(world.path(name), authority.pem()).unwrap();
                world.path(name).display().to_string()
            });
            let of_own = OtlpSink::secure(&ours.vouch_for(&["127.0.0.1"])).await;
            let of_other = OtlpSink::secure(&theirs.vouch_for(&["127.0.0.1"])).await;
            let [own_file, other_file] = files;
            // What is trusted for all is right for the other one alone.
            let setup = sending(world)
                .set(&of(own, "ENDPOINT"), of_own.https_url())
                .set(&of(own, "CERTIFICATE"), own_file)
                .set(&of(other, "ENDPOINT"), of_other.https_url())
                .set("OTEL_EXPORTER_OTLP_CERTIFICATE", other_file);
            both_arrive(setup, world, [(&of_own, own), (&of_other, other)]).await;
        })
        .await;
    }
}

#[tokio::test]
async fn each_signal_may_be_sent_without_tls_by_itself() {
    let authority = Authority::new("the collector's");
    for (own, other) in BOTH {
        scenario(async |world| {
            std::fs::write(world.path("ca.pem"), authority.pem()).unwrap();
            let plain = OtlpSink::plain().await;
            let secure = OtlpSink::secure(&authority.vouch_for(&["127.0.0.1"])).await;
            let setup = sending(world)
                .set(&of(own, "ENDPOINT"), plain.address())
                .set(&of(own, "INSECURE"), "true")
                .set(&of(other, "ENDPOINT"), secure.address())
                .set(
                    "OTEL_EXPORTER_OTLP_CERTIFICATE",
                    world.path("ca.pem").display().to_string(),
                );
            both_arrive(setup, world, [(&plain, own), (&secure, other)]).await;
        })
        .await;
    }
}

#[tokio::test]
async fn an_export_is_given_up_after_its_signals_own_time_or_its_queues_whichever_is_shorter() {
    for (variable, milliseconds, other) in [
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "310", "METRICS"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "320", "METRICS"),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "330", "TRACES"),
        ("OTEL_METRIC_EXPORT_TIMEOUT", "340", "TRACES"),
    ] {
        scenario(async |world| {
            let (sink, receiver) = (OtlpSink::plain().await, receiver(world).await);
            sink.answer_now(Manner::Hang);
            let dispatcher = sending_to(world, &sink)
                .set("OTEL_EXPORTER_OTLP_TIMEOUT", "600000")
                .set(variable, milliseconds)
                .set(&format!("OTEL_{other}_EXPORTER"), "none")
                .start()
                .await;
            world.publish("booking.created", "{}").await;
            receiver.expect_one(SOON).await;
            let words = format!("no answer within {milliseconds}ms");
            dispatcher.says(&words, SOON).await;
        })
        .await;
    }
}

/// A row of the table that no scenario sets is one that nobody has seen to hold.
#[test]
fn each_variable_of_the_table_is_set_by_a_scenario() {
    let table = include_str!("../../../../docs/SETTINGS.md");
    let scenarios = [
        include_str!("mod.rs"),
        include_str!("address.rs"),
        include_str!("failing.rs"),
        include_str!("tree.rs"),
        include_str!("signals.rs"),
    ]
    .concat();
    let rows = table.lines().filter(|line| line.starts_with("| `OTEL_"));
    let named: BTreeSet<&str> = rows
        .filter_map(|row| row.split('|').nth(1))
        .flat_map(|cell| cell.split('`'))
        .filter(|word| word.starts_with("OTEL_"))
        .collect();
    assert!(named.len() > 35, "{named:?}");
    // Those of one signal are made of its name and the rest above.
    let is_set = |name: &str| {
        let by_signal = |signal: &str| name.strip_prefix(&format!("OTEL_EXPORTER_OTLP_{signal}_"));
        let rest = by_signal("TRACES").or_else(|| by_signal("METRICS"));
        scenarios.contains(&format!("\"{name}\""))
            || rest.is_some_and(|rest| scenarios.contains(&format!("(own, \"{rest}\")")))
    };
    let unseen: Vec<_> = named.into_iter().filter(|name| !is_set(name)).collect();
    assert!(unseen.is_empty(), "{unseen:?}");
}
