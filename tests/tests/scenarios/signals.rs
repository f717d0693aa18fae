//! No signal ends a dispatcher without a drain, except those that no program can catch or outlive.

use std::time::Duration;

use hookline_tests::endpoint::endpoint;
use hookline_tests::services::services;
use hookline_tests::wire::Wire;
use hookline_tests::{Answer, Gate, Receiver, eventually, scenario, status};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::SOON;

#[tokio::test]
async fn each_request_to_stop_lets_what_is_in_flight_finish() {
    scenario(async |world| {
        for signal in ["TERM", "INT", "QUIT", "XCPU", "PWR", "SYS"] {
            let gate = Gate::closed();
            let receiver = Receiver::answering(status(200).behind(&gate)).await;
            world.endpoints([endpoint("ep_crm", &receiver)]);
            let dispatcher = world.dispatcher().start().await;
            world.publish("booking.created", "{}").await;
            eventually(SOON, "it is in flight", async || {
                (receiver.count() == 1).then_some(())
            })
            .await;
            dispatcher.signal(signal).await;
            dispatcher.says("draining", SOON).await;
            gate.open();
            assert_eq!(dispatcher.ends_within(SOON).await.code(), Some(0), "SIG{signal}");
            assert_eq!(receiver.expect_one(SOON).await.answered, Some(200), "SIG{signal}");
        }
    })
    .await;
}

#[tokio::test]
async fn signals_without_a_meaning_are_ignored_with_a_line_and_sighup_reads_the_files_again() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let dispatcher = world.dispatcher().start().await;
        let ignored = [
            "USR1", "USR2", "ALRM", "VTALRM", "PROF", "IO", "TRAP", "XFSZ", "STKFLT", "34", "64",
        ];
        for signal in ignored {
            dispatcher.signal(signal).await;
        }
        // PIPE is ignored before anybody hears of it.
        dispatcher.signal("PIPE").await;
        eventually(SOON, "one line for each", async || {
            let log = dispatcher.log();
            let lines = log.lines().filter(|line| line.contains("is ignored")).count();
            (lines == ignored.len()).then_some(())
        })
        .await;
        dispatcher.signal("HUP").await;
        dispatcher.says("reading the files again", SOON).await;
        world.publish("booking.created", "{}").await;
        receiver.expect_one(SOON).await;
    })
    .await;
}

#[tokio::test]
async fn a_second_request_ends_it_at_once_and_what_was_in_hand_is_delivered_by_the_next() {
    scenario(async |world| {
        let receiver = Receiver::answering(Answer::hang()).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let dispatcher = world.dispatcher().start().await;
        world.publish("booking.created", "{}").await;
        eventually(SOON, "it is in flight", async || {
            (receiver.count() == 1).then_some(())
        })
        .await;
        dispatcher.terminate().await;
        dispatcher.says("draining", SOON).await;
        // Sooner it would be taken for an echo of the first.
        tokio::time::sleep(Duration::from_millis(150)).await;
        dispatcher.terminate().await;
        assert_eq!(dispatcher.ends_within(SOON).await.code(), Some(1));
        dispatcher.says("ended before everything was settled", SOON).await;

        receiver.answer_now(status(200));
        world.dispatcher().start().await;
        receiver.expect(1, SOON).await;
        eventually(SOON, "the next delivers it", async || {
            (receiver.accepted().len() == 1).then_some(())
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_signal_during_the_start_ends_it_with_success_whatever_it_waits_for() {
    scenario(async |world| {
        world.endpoints([]);
        let refusing = Wire::to(&services().amqp_url).await;
        refusing.cut();
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent = format!("amqp://guest:guest@{}", silent.local_addr().unwrap());
        for url in [refusing.url(&services().amqp_url), silent] {
            let dispatcher = world.dispatcher().set("HOOKLINE_AMQP_URL", url).launch();
            dispatcher.says("serving", SOON).await;
            dispatcher.terminate().await;
            assert_eq!(dispatcher.ends_within(SOON).await.code(), Some(0));
        }
        // A file that nobody writes to, which would be waited for for ever, is not opened.
        let pipe = world.path("roots.pem");
        assert!(
            Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .await
                .unwrap()
                .success()
        );
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_CA_FILE", pipe.display().to_string())
            .launch();
        dispatcher.says("no regular file", SOON).await;
        assert_eq!(dispatcher.ends_within(SOON).await.code(), Some(2));
    })
    .await;
}
