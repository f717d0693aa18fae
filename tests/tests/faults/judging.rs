//! The judge, tried on the real broker: it must fail where one message is taken away, and where one is added.

use hookline_common::topology::Queue;
use hookline_tests::broker::Stored;
use hookline_tests::endpoint::endpoint;
use hookline_tests::judge::Judge;
use hookline_tests::{Receiver, SOON, eventually, scenario, status};

/// Events whose deliveries are all in `failed`.
const EVENTS: usize = 20;

#[tokio::test]
async fn the_judge_finds_a_message_that_was_taken_away_and_one_that_was_added() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(500)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world
            .dispatcher()
            .set("HOOKLINE_RETRY_SCHEDULE", "1s")
            .start()
            .await;
        let events = world.publish_many(EVENTS, "booking.created").await;
        let failed = world.expect_in(Queue::Failed, EVENTS, SOON).await;
        world.leaves(Queue::Failed);
        let judge = |kept: &[Stored]| {
            let mut judge = Judge::default();
            judge.accepted(&events, &["ep_crm"]);
            judge.saw("ep_crm", &receiver);
            judge.kept(kept);
            judge.verdict()
        };
        assert_eq!(judge(&failed).lost, []);

        // Those that were read go back to their queue in a moment.
        let taken = eventually(SOON, "a dead letter", async || {
            world.broker().take(&world.queue(Queue::Failed)).await
        })
        .await;
        let verdict = judge(&world.expect_in(Queue::Failed, EVENTS - 1, SOON).await);
        assert_eq!(verdict.lost, [(taken.id().to_owned(), "ep_crm".to_owned())]);
        assert_eq!(verdict.unexpected, []);

        let mut copies = world.expect_in(Queue::Failed, EVENTS - 1, SOON).await;
        copies.push(taken);
        assert_eq!(judge(&copies).lost, []);
        let stranger = world.publish("booking.created", "{}").await;
        receiver.expect(2 * EVENTS + 2, SOON).await;
        let verdict = judge(&copies);
        let key = (stranger.id.as_str().to_owned(), "ep_crm".to_owned());
        assert_eq!(verdict.unexpected, [key]);
        world.expect_in(Queue::Failed, EVENTS, SOON).await;
    })
    .await;
}
