//! How a dispatcher comes up, waits, refuses and goes.

use std::time::Duration;

use hookline_common::topology::{PARK_DELAYS, Queue};
use hookline_tests::endpoint::endpoint;
use hookline_tests::judge::{Judge, Verdict};
use hookline_tests::message::text;
use hookline_tests::pace::{Pace, paced};
use hookline_tests::services::services;
use hookline_tests::{Gate, Receiver, eventually, scenario, status};
use lapin::types::AMQPValue;
use tokio::net::TcpStream;

use crate::SOON;

#[tokio::test]
async fn a_dispatcher_waits_for_a_broker_that_is_away_and_tells_or_counts_each_try() {
    scenario(async |world| {
        world.endpoints([]);
        let wire = world.wire().await;
        wire.cut();
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_AMQP_URL", wire.url(&services().amqp_url))
            .launch();
        eventually(SOON, "a third try", async || (wire.accepted() >= 3).then_some(())).await;
        let ready = dispatcher.get("/readyz").await.unwrap();
        assert_eq!(ready.status, 503);
        assert!(ready.body.contains("broker"), "{}", ready.body);
        assert_eq!(dispatcher.get("/healthz").await.unwrap().status, 200);
        let told = || {
            let log = dispatcher.log();
            let is_told = |line: &&str| line.contains("no connection to the broker");
            log.lines().filter(is_told).map(str::to_owned).collect::<Vec<_>>()
        };
        // A second and more apart, whatever the number of tries.
        eventually(SOON, "a third line", async || (told().len() >= 3).then_some(())).await;
        let (lines, tries) = (told(), wire.accepted());
        assert!(lines.len() <= tries, "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("left_out")), "{lines:?}");
        assert!(lines[0].contains("advice"), "{lines:?}");
        wire.restore();
        dispatcher.is_ready_within(SOON).await;
    })
    .await;
}

#[tokio::test]
async fn a_queue_with_other_arguments_ends_the_start_with_a_way_out() {
    scenario(async |world| {
        world.endpoints([]);
        let queue = world.queue(Queue::Deliveries);
        let arguments = [
            ("x-queue-type", text("quorum")),
            ("x-delivery-limit", AMQPValue::LongInt(7)),
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text(&world.queue(Queue::Rejected))),
            ("x-dead-letter-strategy", text("at-least-once")),
            ("x-overflow", text("reject-publish")),
        ];
        world.broker().declare(&queue, &arguments).await;
        let dispatcher = world.dispatcher().launch();
        let ended = dispatcher.ends_within(SOON).await;
        assert_eq!(ended.code(), Some(1));
        let error = dispatcher.says("hookline-dispatcher: ", SOON).await;
        for part in [
            &queue,
            "x-delivery-limit",
            " 7",
            "1000",
            "topology apply --migrate",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
    })
    .await;
}

#[tokio::test]
async fn wrong_settings_are_all_named_at_once_before_any_port_is_opened() {
    scenario(async |world| {
        let port = hookline_tests::ports::free_port();
        let dispatcher = world
            .dispatcher()
            .unset("HOOKLINE_ENDPOINTS_FILE")
            .set("HOOKLINE_HTTP_ADDR", format!("127.0.0.1:{port}"))
            .set("HOOKLINE_RETRY_SCHEDULE", "1x,0s")
            .set("HOOKLINE_PREFETCH", "0")
            .set("HOOKLINE_NAMESPACE", "a b")
            .set("HOOKLINE_ALLOW_CIDRS", "0.0.0.0/0")
            .set("HOOKLINE_REQUEST_TIMEOUT", "soon")
            .set("HOOKLINE_RECORDS", "perhaps")
            .set("HOOKLINE_AMQP_URL", "amqp://guest:s3cret@host:port")
            .launch();
        let mut was_open = false;
        let ended = {
            let ending = dispatcher.ends_within(SOON);
            let mut ending = std::pin::pin!(ending);
            loop {
                tokio::select! {
                    ended = &mut ending => break ended,
                    connected = TcpStream::connect(("127.0.0.1", port)) => {
                        was_open |= connected.is_ok();
                        tokio::task::yield_now().await;
                    }
                }
            }
        };
        assert_eq!((ended.code(), was_open), (Some(2), false));
        dispatcher.says("wrong", SOON).await;
        let error = dispatcher.log();
        for part in [
            "HOOKLINE_ENDPOINTS_FILE",
            "HOOKLINE_RETRY_SCHEDULE",
            "HOOKLINE_PREFETCH",
            "HOOKLINE_NAMESPACE",
            "HOOKLINE_ALLOW_CIDRS",
            "HOOKLINE_REQUEST_TIMEOUT",
            "HOOKLINE_RECORDS",
            "HOOKLINE_AMQP_URL",
            "\"a b\"",
            "perhaps",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(!error.contains("s3cret"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn a_broken_endpoints_file_ends_the_start_with_every_fault_in_it() {
    scenario(async |world| {
        world.endpoints_text(
            "[[endpoint]]\nid = \"ep_crm\"\ncompany = \"acme\"\nurl = \"ftp://x\"\nevents = [\"A\"]\n",
        );
        let dispatcher = world.dispatcher().launch();
        assert_eq!(dispatcher.ends_within(SOON).await.code(), Some(2));
        dispatcher.says("fault", SOON).await;
        let error = dispatcher.log();
        for part in ["ep_crm", "events", "secret"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_dispatcher_that_is_asked_to_stop_finishes_what_is_in_flight_and_gives_the_rest_back() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200).after(Duration::from_millis(500))).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let first = world
            .dispatcher()
            .set("HOOKLINE_REQUEST_TIMEOUT", "600s")
            .start()
            .await;
        // The demo and people wait for this line.
        first.says("ready: consuming from all working queues", SOON).await;
        let events = world.publish_many(300, "booking.created").await;
        eventually(SOON, "it is in the middle of it", async || {
            (receiver.accepted().len() >= 40).then_some(())
        })
        .await;
        // It says so itself, so it does while it drains: once it has ended, nobody answers. So one request stays open until then.
        let gate = Gate::closed();
        let before = receiver.count();
        receiver.answer_now(status(200).behind(&gate));
        eventually(SOON, "one is held", async || {
            (receiver.count() > before).then_some(())
        })
        .await;
        first.terminate().await;
        eventually(SOON, "it is no longer ready", async || {
            let page = first.get("/readyz").await.ok()?;
            (page.status == 503 && page.body.contains("shutting down")).then_some(())
        })
        .await;
        receiver.answer_now(status(200).after(Duration::from_millis(500)));
        gate.open();
        assert_eq!(first.ends_within(SOON).await.code(), Some(0));
        // All that was begun has been answered, and all that was answered has been settled.
        assert!(receiver.requests().iter().all(|request| request.ended.is_some()));
        let done = receiver.count();
        assert!(done < 300, "nothing was left to give back");
        // What moves between two queues is in neither for a moment.
        eventually(SOON, "the rest is in the queues", async || {
            let mut left = 0;
            for queue in [Queue::Events, Queue::Due]
                .into_iter()
                .chain(PARK_DELAYS.map(Queue::Park))
            {
                left += world.broker().ready(&world.queue(queue)).await.unwrap() as usize;
            }
            (done + left == 300).then_some(())
        })
        .await;

        world.dispatcher().start().await;
        receiver.expect(300, SOON).await;
        let mut judge = Judge::default();
        judge.accepted(&events, &["ep_crm"]);
        judge.saw("ep_crm", &receiver);
        assert_eq!(judge.verdict(), Verdict::default());
    })
    .await;
}

/// What is under way is still acknowledged, however late the broker says that no more comes.
#[tokio::test]
async fn a_stop_beside_a_broker_that_answers_late_repeats_nothing() {
    /// Longer than a stop waits for the end of a subscription.
    const LATE: Duration = Duration::from_secs(2);
    const EVENTS: usize = 5;
    scenario(async |world| {
        let gate = Gate::closed();
        let receiver = Receiver::answering(status(200).behind(&gate)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let wire = world.wire().await;
        let late = wire.url(&services().amqp_url);
        let old = world.dispatcher().set("HOOKLINE_AMQP_URL", late).start().await;
        for _ in 0..EVENTS {
            world.publish("booking.created", "{}").await;
        }
        eventually(SOON, "all have begun", async || {
            (receiver.count() == EVENTS).then_some(())
        })
        .await;
        let new = world.dispatcher().start().await;
        wire.delay(LATE);
        old.terminate().await;
        old.says("slow to end a subscription", SOON).await;
        gate.open();
        assert_eq!(old.ends_within(2 * SOON).await.code(), Some(0), "{}", old.log());
        world.is_settled_within(SOON).await;
        new.stop().await;
        assert_eq!(receiver.count(), EVENTS);
    })
    .await;
}

/// A stop adds up what it waits for. Where nothing is in flight, that is what a broker which says nothing may take of it, once.
#[tokio::test]
async fn a_silent_broker_holds_up_a_stop_for_five_seconds_at_most() {
    const LONGEST: Duration = Duration::from_secs(5);
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let wire = world.wire().await;
        let start = async || {
            let setup = world.dispatcher();
            let dispatcher = setup
                .set("HOOKLINE_AMQP_URL", wire.url(&services().amqp_url))
                .start()
                .await;
            let before = receiver.count();
            world.publish("booking.created", "{}").await;
            receiver.expect(before + 1, SOON).await;
            world.is_settled_within(SOON).await;
            dispatcher
        };
        // What a stop takes on this machine besides, with a broker that answers.
        let well = start().await;
        let pace = Pace::start();
        well.stop().await;
        let usual = pace.elapsed().min(Duration::from_millis(500));
        let dispatcher = start().await;
        wire.fall_silent();
        dispatcher.terminate().await;
        let ended = paced(LONGEST + 5 * usual, dispatcher.ends_within(SOON)).await;
        let ended = ended.unwrap_or_else(|| panic!("{}", dispatcher.log()));
        assert_eq!(ended.code(), Some(0));
    })
    .await;
}
