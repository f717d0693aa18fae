//! A node that leads the queues is frozen (SIGSTOP): its connections stand, and it answers nothing.

use std::time::Duration;

use hookline_tests::cluster::Turn;
use hookline_tests::fault::{Allowed, Trial};
use hookline_tests::scenario;

use hookline_tests::moment::Moment;

use super::stage::{FOR_EACH_NODE, Stage};
use super::{ALL, LONG};

/// The node that leads.
const FROZEN: usize = 2;
/// With `net_ticktime` 8 the others give it up after some 10 s.
const OTHERS_LEAD_WITHIN: Duration = Duration::from_secs(30);
/// What may come twice: for the node that freezes, and for the other one whose connections are all closed.
const TWICE: usize = 2 * FOR_EACH_NODE;

#[tokio::test]
async fn d12_the_leader_is_frozen() {
    let cluster = Turn::take().await;
    let trial = Trial::here();
    scenario(async |world| {
        let stage = Stage::new(world, &cluster).await;
        stage.led_by(FROZEN).await;
        let load = stage.load(ALL).await;

        cluster.freeze(FROZEN).await;
        let moment = Moment::now();
        // One that starts now asks for nothing that the frozen node holds up.
        let (back, new) = tokio::join!(stage.goes_on_after(moment), stage.dispatcher(ALL));
        stage.more(&load, 300).await;

        // And so does one that must connect again.
        cluster.control(1, &["close_all_connections", "a test"]).await;
        stage.goes_on_after(Moment::now()).await;
        stage.more(&load, 300).await;
        new.is_ready_within(LONG).await;

        cluster.thaw(FROZEN).await;
        stage.more(&load, 300).await;
        // The others have given it up meanwhile, and its copy of who is there stays old until it starts anew.
        cluster.kill(FROZEN).await;
        cluster.start_again(FROZEN).await;
        let published = load.stop().await;
        let allowed = Allowed::twice(TWICE).back_within(OTHERS_LEAD_WITHIN);
        stage.closes(trial, published, back, allowed).await;
    })
    .await;
}
