//! What the log says of a link that is lost: the cause, in the broker's own words where it said some.

use hookline_common::topology::Queue;
use hookline_tests::private_broker::PrivateBroker;
use hookline_tests::world::STOOD_FOR;
use hookline_tests::{eventually, scenario};
use tokio::time::sleep;

use crate::SOON;

#[tokio::test]
async fn links_that_an_operator_closes_are_told_with_his_words() {
    let private = PrivateBroker::start().await;
    scenario(async |world| {
        world.endpoints([]);
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_AMQP_URL", private.url())
            .start()
            .await;
        private
            .control(&["close_all_connections", "moving to another rack"])
            .await;
        let line = dispatcher.says("moving to another rack", SOON).await;
        for part in ["320 CONNECTION_FORCED", "operator"] {
            assert!(line.contains(part), "{part}: {line}");
        }
        dispatcher.is_ready_within(SOON).await;
        dispatcher.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_consumer_that_the_broker_cancels_is_told_with_its_queue() {
    scenario(async |world| {
        world.endpoints([]);
        let dispatcher = world.dispatcher().start().await;
        let queue = world.queue(Queue::Deliveries);
        sleep(STOOD_FOR).await;
        world.broker().delete(std::slice::from_ref(&queue), &[]).await;
        let line = dispatcher.says("cancelled the consumer of", SOON).await;
        assert!(line.contains(&queue), "{line}");
        dispatcher.is_ready_within(2 * SOON).await;
        dispatcher.stop().await;
    })
    .await;
}

/// An account that may not read: every queue is refused, again and again.
#[tokio::test]
async fn trouble_that_goes_on_is_told_with_what_to_do_and_what_is_left_out_is_counted() {
    let private = PrivateBroker::start().await;
    scenario(async |world| {
        world.endpoints([]);
        // The queues are there, or the account could not even make them.
        let first = world
            .dispatcher()
            .set("HOOKLINE_AMQP_URL", private.url())
            .start()
            .await;
        first.stop().await;
        let url = private.account("blind", ".*").await;
        private
            .control(&["set_permissions", "blind", ".*", ".*", "^amq\\."])
            .await;
        let dispatcher = world.dispatcher().set("HOOKLINE_AMQP_URL", url).launch();
        let told = || {
            let log = dispatcher.log();
            let is_told = |line: &&str| line.contains("WARN") && line.contains("403 ACCESS_REFUSED");
            log.lines().filter(is_told).map(str::to_owned).collect::<Vec<_>>()
        };
        eventually(2 * SOON, "five lines", async || (told().len() >= 5).then_some(())).await;
        let lines = told();
        assert!(
            lines.iter().any(|line| line.contains("left_out")),
            "four queues are refused several times a second: {lines:?}"
        );
        assert!(
            lines.iter().all(|line| line.contains("set_permissions")),
            "{lines:?}"
        );
        dispatcher.stop().await;
    })
    .await;
}
