//! The broker stops, dies, is not there yet, is short of memory or disk, closes what it likes.

use std::time::Duration;

use hookline_producer::Event;
use hookline_tests::api::Api;
use hookline_tests::console::{database_scenario, setup, start};
use hookline_tests::dispatcher::IN_FLIGHT;
use hookline_tests::eventually::always;
use hookline_tests::fault::{Allowed, Trial};
use hookline_tests::load::{Load, Published, numbered, publish_each, publish_until_stored};
use hookline_tests::private_broker::PrivateBroker;
use hookline_tests::{SOON, eventually, scenario};
use serde_json::json;
use tokio::time::Instant;

use crate::single::{Single, numbered_from, refuses_first, refuses_some, takes_all};

/// Events a second, of a publisher that goes on whatever happens.
const RATE: f64 = 150.0;
/// The same while the broker is short of something: what waits by then is worked off before what comes after, and is no part of how
/// long it takes to be back.
const WHILE_SHORT: f64 = 50.0;
const RECONNECTS: &str = "hookline_reconnects_total";
/// Of each channel that consumes or has publishes confirmed, the connection's name, whether it confirms, and the prefetch. Those that
/// end in that moment are left out.
const CHANNELS: &str = "lists:usort(lists:flatten([case catch {proplists:get_value(user_provided_name, rabbit_reader:info(\
    proplists:get_value(connection, I), [user_provided_name])), proplists:get_value(confirm, I), proplists:get_value(prefetch_count, I), \
    proplists:get_value(consumer_count, I)} of {'EXIT', _} -> []; {N, C, P, S} when C; S > 0 -> {N, C, P, S}; _ -> [] end \
    || I <- rabbit_channel:info_all([connection, confirm, prefetch_count, consumer_count])])).";
/// Events before the fault, and after it.
const AROUND: usize = 1000;

/// Posts an event to the API of the console, and returns the status.
pub(crate) async fn post(api: &Api, event: &Event) -> u16 {
    let number: serde_json::Value = serde_json::from_str(event.data.as_str()).unwrap();
    let body = json!({"id": event.id.as_str(), "type": event.event_type.as_str(), "data": number});
    api.post("/v1/companies/acme/events", &body).await.status
}

/// Lets the broker go in the middle of a load, and come back, beside a console that takes events over HTTP.
async fn broker_goes(go: impl AsyncFnOnce(&PrivateBroker), duplicates: usize) {
    let mut trial = Trial::here();
    let private = PrivateBroker::start_new().await;
    database_scenario(async |world, database| {
        let single = Single::on(world, &private.url(), refuses_some()).await;
        let _dispatcher = single.dispatcher().start().await;
        let console = start(setup(world, database).set("HOOKLINE_AMQP_URL", &single.url)).await;
        let mut over_http = Published::default();
        for number in 0..50 {
            let event = numbered("acme", 1_000_000 + number);
            assert_eq!(post(console.admin(), &event).await, 202);
            over_http.accepted.push(event);
        }
        let load = Load::start(single.producer().await, "acme", RATE);
        eventually(SOON, "it is in the middle of it", async || {
            (load.confirmed() >= AROUND).then_some(())
        })
        .await;
        go(&private).await;
        let refusals = (0..20).map(async |number| {
            let event = numbered("acme", 2_000_000 + number);
            assert_eq!(post(console.admin(), &event).await, 503, "nothing confirms it");
            event
        });
        over_http.in_doubt = futures_util::future::join_all(refusals).await;
        private.start_again().await;
        trial.healed();
        let before = load.confirmed();
        eventually(SOON, "events are confirmed again", async || {
            (load.confirmed() >= before + AROUND).then_some(())
        })
        .await;
        let event = numbered("acme", 3_000_000);
        eventually(SOON, "the API takes events again", async || {
            (post(console.admin(), &event).await == 202).then_some(())
        })
        .await;
        over_http.accepted.push(event);
        let mut published = load.stop().await;
        published.accepted.append(&mut over_http.accepted);
        published.in_doubt.append(&mut over_http.in_doubt);
        single.comes_to_rest(&published).await;
        let row = trial
            .closes(&single.judge(&published), Allowed::twice(duplicates))
            .await;
        assert!(row.events >= 2 * AROUND);
    })
    .await;
}

#[tokio::test]
async fn d10_broker_stopped_in_order_and_started_again() {
    broker_goes(async |private| private.stop_in_order().await, IN_FLIGHT).await;
}

/// What it was moving in that instant may come twice besides.
#[tokio::test]
async fn d10_broker_killed_and_started_again() {
    broker_goes(async |private| private.kill().await, 2 * IN_FLIGHT).await;
}

#[tokio::test]
async fn d10_dispatcher_and_broker_killed_under_load() {
    const EVENTS: usize = 5000;
    /// And after the faults.
    const LATER: usize = 100;
    const PREFETCH: usize = 100;
    /// How many events wait for the broker's answer at once.
    const IN_DOUBT: usize = 100;
    let mut trial = Trial::here();
    let private = PrivateBroker::start_new().await;
    scenario(async |world| {
        let mut refuses = refuses_some();
        let slowly = move |request: &_| refuses(request).after(Duration::from_millis(20));
        let single = Single::on(world, &private.url(), slowly).await;
        let start = async || {
            let setup = single.dispatcher();
            setup.set("HOOKLINE_PREFETCH", PREFETCH.to_string()).start().await
        };
        let (first, _second) = tokio::join!(start(), start());
        let events: Vec<Event> = (0..EVENTS).map(|number| numbered("acme", number)).collect();
        let producer = single.producer().await;
        let faults = async {
            single.has_seen(EVENTS / 5).await;
            first.kill().await;
            single.has_seen(EVENTS / 3).await;
            private.kill().await;
            private.start_again().await;
            trial.healed();
            let later = numbered_from(EVENTS, LATER);
            tokio::join!(start(), publish_until_stored(&producer, &later));
            later
        };
        let ((), later) = tokio::join!(publish_until_stored(&producer, &events), faults);
        let published = Published {
            accepted: [events, later].concat(),
            ..Published::default()
        };
        single.comes_to_rest(&published).await;
        // What one dispatcher had in hand when it was killed, what both had when the broker was, and what the publisher had
        // no answer for.
        let allowed = Allowed::twice(3 * PREFETCH + IN_DOUBT);
        trial.closes(&single.judge(&published), allowed).await;
    })
    .await;
}

#[tokio::test]
async fn d11_dispatcher_before_its_broker() {
    let mut trial = Trial::here();
    let private = PrivateBroker::start_new().await;
    scenario(async |world| {
        private.kill().await;
        let single = Single::on(world, &private.url(), takes_all).await;
        let dispatcher = single.dispatcher().launch();
        eventually(SOON, "it says that it waits", async || {
            let ready = dispatcher.get("/readyz").await.ok()?;
            (ready.status == 503 && ready.body.contains("broker")).then_some(())
        })
        .await;
        always(Duration::from_secs(5), "it runs, and is not ready", async || {
            !dispatcher.has_ended().await && !dispatcher.is_ready().await
        })
        .await;
        let told = dispatcher.log().lines().count();
        assert!(told < 100, "{told} lines on a broker that is away");
        private.start_again().await;
        trial.healed();
        let events = (0..AROUND).map(|number| numbered("acme", number)).collect();
        let published = publish_each(&single.producer().await, events).await;
        single.comes_to_rest(&published).await;
        trial.closes(&single.judge(&published), Allowed::nothing()).await;
    })
    .await;
}

/// The broker has an alarm while every first attempt fails, so that each needs a place in a retry queue.
async fn an_alarm(raise: &[&str], clear: &[&str], reason: &str) {
    /// How long it lasts at least.
    const LASTS: Duration = Duration::from_secs(10);
    let mut trial = Trial::here();
    let private = PrivateBroker::start().await;
    database_scenario(async |world, database| {
        let single = Single::on(world, &private.url(), refuses_first).await;
        let dispatcher = single.dispatcher().start().await;
        let console = start(setup(world, database).set("HOOKLINE_AMQP_URL", &single.url)).await;
        let load = Load::start(single.producer().await, "acme", WHILE_SHORT);
        single.has_seen(AROUND).await;
        private.control(raise).await;
        let mut over_http = Published::default();
        let mut number = 1_000_000;
        let mut over = async || {
            number += 1;
            let event = numbered("acme", number);
            let status = post(console.admin(), &event).await;
            match status {
                202 => over_http.accepted.push(event),
                503 => over_http.in_doubt.push(event),
                _ => panic!("answered with {status}"),
            }
            status
        };
        eventually(SOON, "the API refuses events", async || {
            (over().await == 503).then_some(())
        })
        .await;
        dispatcher.says(reason, SOON).await;
        let (since, busy) = (Instant::now(), dispatcher.processor_time());
        let ready = console.stranger().get("/readyz").await.expect(200);
        assert!(ready.body.contains(reason), "{ready:?}");
        while since.elapsed() < LASTS {
            assert_eq!(over().await, 503);
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        let busy = dispatcher.processor_time().saturating_sub(busy);
        assert!(busy < since.elapsed() / 4, "{busy:?} of work on nothing");
        private.control(clear).await;
        trial.healed();
        let before = load.confirmed();
        eventually(SOON, "events are confirmed again", async || {
            (load.confirmed() >= before + AROUND).then_some(())
        })
        .await;
        let mut published = load.stop().await;
        published.accepted.append(&mut over_http.accepted);
        published.in_doubt.append(&mut over_http.in_doubt);
        single.comes_to_rest(&published).await;
        let row = trial.closes(&single.judge(&published), Allowed::nothing()).await;
        assert!(row.events >= AROUND);
    })
    .await;
}

#[tokio::test]
async fn d14_memory_alarm_while_every_attempt_fails() {
    an_alarm(
        &["set_vm_memory_high_watermark", "absolute", "1MB"],
        &["set_vm_memory_high_watermark", "absolute", "3GB"],
        "low on memory",
    )
    .await;
}

#[tokio::test]
async fn d15_disk_alarm_while_every_attempt_fails() {
    an_alarm(
        &["set_disk_free_limit", "1000000GB"],
        &["set_disk_free_limit", "50MB"],
        "low on disk",
    )
    .await;
}

/// What dispatchers have on this broker for work: of each channel the connection's name, whether publishes are confirmed on it, and
/// how many messages its consumer may hold.
async fn channels(private: &PrivateBroker) -> String {
    private.evaluate(CHANNELS).await
}

/// Three times in the middle of a load, the broker does this to its clients.
async fn three_times(does: impl AsyncFn(&PrivateBroker)) {
    let mut trial = Trial::here();
    let private = PrivateBroker::start().await;
    scenario(async |world| {
        let single = Single::on(world, &private.url(), refuses_some()).await;
        let dispatcher = single.dispatcher().start().await;
        let load = Load::start(single.producer().await, "acme", RATE);
        for _ in 0..3 {
            let before = single.receiver.count();
            single.has_seen(before + AROUND / 2).await;
            let made = channels(&private).await;
            let reconnects = async || dispatcher.metric(RECONNECTS).await;
            let before = reconnects().await;
            does(&private).await;
            trial.healed();
            eventually(SOON, "it has noticed", async || {
                (reconnects().await > before).then_some(())
            })
            .await;
            dispatcher.is_ready_within(SOON).await;
            eventually(SOON, "its channels are as they were", async || {
                (channels(&private).await == made).then_some(())
            })
            .await;
        }
        let before = single.receiver.count();
        single.has_seen(before + AROUND / 2).await;
        let published = load.stop().await;
        single.comes_to_rest(&published).await;
        let row = trial
            .closes(&single.judge(&published), Allowed::twice(3 * IN_FLIGHT))
            .await;
        assert!(row.events >= AROUND);
        let log = dispatcher.log();
        let told = log.lines().filter(|line| line.contains("lost")).count();
        assert!(told <= 60, "{told} lines on links that were closed: {log}");
    })
    .await;
}

#[tokio::test]
async fn d17_all_connections_closed_by_an_operator() {
    three_times(async |private| {
        private.control(&["close_all_connections", "by hand"]).await;
    })
    .await;
}

/// As if each channel had acknowledged what it was never given: the broker closes it for that.
#[tokio::test]
async fn d17_every_channel_closed_for_an_error() {
    three_times(async |private| {
        let ack = "[gen_server2:cast(P, {method, {'basic.ack', 99999999, false}, none, noflow}) || P <- rabbit_channel:list()].";
        private.evaluate(ack).await;
    })
    .await;
}
