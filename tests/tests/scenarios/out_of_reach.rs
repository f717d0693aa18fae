//! A queue or stream that the broker knows and that none of its nodes can bring back: it holds nobody else up.

use hookline_common::topology::Queue;
use hookline_tests::cli::command;
use hookline_tests::dispatcher::RETRY_SCHEDULE;
use hookline_tests::eventually;

use crate::SOON;
use crate::spill::{LOST, SPILLED, Stage, all_are_recorded, staged};

/// Has the broker know a queue, and no node that has it: as after a start that could not bring it back.
async fn is_out_of_reach(stage: &Stage<'_>, queue: &str) {
    let gone =
        format!("mnesia:dirty_delete(rabbit_queue, rabbit_misc:r(<<\"/\">>, queue, <<\"{queue}\">>)).");
    assert_eq!(stage.private.evaluate(&gone).await, "ok");
}

#[tokio::test]
async fn a_stream_out_of_reach_keeps_no_dispatcher_from_delivering() {
    staged(async |stage, receiver| {
        let before = stage.dispatcher().await;
        let mut events = stage.publish(20).await;
        all_are_recorded(&stage.records().await, &events, SOON).await;
        is_out_of_reach(stage, &stage.stream).await;
        before.stop().await;

        let dispatcher = stage.dispatcher().await;
        events.extend(stage.publish(1500).await);
        receiver.expect(events.len(), SOON).await;
        dispatcher.has_let_go_within(SOON).await;
        assert!(dispatcher.is_ready().await);
        assert_eq!(dispatcher.metric(LOST).await, Some(0.0));
        assert!(dispatcher.metric(SPILLED).await > Some(0.0));
        assert!(!dispatcher.log().contains("somebody deleted it"));
        for (does, says) in [("apply", "start that node again"), ("check", "cannot be reached")] {
            let mut topology = command(stage.world, &["topology", does]);
            topology.env("HOOKLINE_AMQP_URL", stage.private.url());
            topology.env("HOOKLINE_RETRY_SCHEDULE", RETRY_SCHEDULE);
            let output = topology.output().await.unwrap();
            assert_eq!(output.status.code(), Some(1));
            let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            assert!(told.contains(&stage.stream) && told.contains(says), "{told}");
        }
    })
    .await;
}

/// It has a binding, too.
#[tokio::test]
async fn a_queue_of_events_out_of_reach_keeps_nobody_from_publishing_elsewhere() {
    staged(async |stage, receiver| {
        let before = stage.dispatcher().await;
        stage.publish(1).await;
        receiver.expect(1, SOON).await;
        before.stop().await;
        is_out_of_reach(stage, &stage.world.queue(Queue::Events)).await;

        let dispatcher = stage.setup().launch();
        for says in [
            "connected to the broker link=\"hookline-dispatcher publish\"",
            "consuming queue=\"due\"",
        ] {
            eventually(SOON, says, async || dispatcher.log().contains(says).then_some(())).await;
        }
        assert!(!dispatcher.is_ready().await, "nothing of that queue is delivered");
    })
    .await;
}
