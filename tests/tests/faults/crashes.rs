//! A dispatcher and the broker are killed while events are published, and come back.

use std::time::Duration;

use hookline_producer::{Event, Producer, Settings};
use hookline_tests::endpoint::endpoint;
use hookline_tests::fault::{Allowed, Trial, are_found};
use hookline_tests::judge::Judge;
use hookline_tests::load::publish_until_stored;
use hookline_tests::private_broker::PrivateBroker;
use hookline_tests::{Receiver, SOON, eventually, scenario, status};

const EVENTS: usize = 5000;
const PREFETCH: usize = 100;
/// How many events wait for the broker's answer at once.
const IN_DOUBT: usize = 100;

#[tokio::test]
async fn d07_five_thousand_events_survive_a_killed_dispatcher_and_a_killed_broker() {
    let private = PrivateBroker::start().await;
    scenario(async |world| {
        let mut trial = Trial::here();
        let receiver = Receiver::scripted(|request| {
            // One in fifty is refused at first, so that retries wait in the broker when it dies.
            let is_unlucky = request.body.windows(4).any(|bytes| bytes == b"77}}");
            let answer = if is_unlucky && request.attempt() == 1 {
                status(503)
            } else {
                status(200)
            };
            answer.after(Duration::from_millis(20))
        })
        .await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let start = async || {
            let setup = world.dispatcher().set("HOOKLINE_AMQP_URL", private.url());
            setup.set("HOOKLINE_PREFETCH", PREFETCH.to_string()).start().await
        };
        let (first, second) = tokio::join!(start(), start());
        let settings = Settings::new(&private.url()).unwrap();
        let settings = settings
            .with_namespace(world.namespace().clone())
            .with_publish_timeout(Duration::from_secs(60));
        let producer = Producer::connect(settings).await.unwrap();
        let events: Vec<Event> = (0..EVENTS)
            .map(|number| Event::new("acme", "booking.created", format!("{{\"n\":{number}}}")).unwrap())
            .collect();
        let faults = async {
            let many = |count| {
                let receiver = &receiver;
                async move {
                    let what = format!("{count} requests");
                    eventually(SOON, &what, async || (receiver.count() >= count).then_some(())).await;
                }
            };
            many(EVENTS / 5).await;
            first.kill().await;
            many(EVENTS / 3).await;
            private.kill().await;
            private.start_again().await;
            trial.healed();
            start().await
        };
        let ((), third) = tokio::join!(publish_until_stored(&producer, &events), faults);

        are_found(world, &[&receiver], EVENTS, SOON).await;
        world.rests_on(&private.url(), SOON).await;
        tokio::join!(second.stop(), third.stop());
        // What they held to the end would be there now.
        world.rests_on(&private.url(), Duration::ZERO).await;
        let mut judge = Judge::default();
        judge.accepted(&events, &["ep_crm"]);
        judge.saw("ep_crm", &receiver);
        // What one dispatcher had in hand when it was killed, what both had when the broker was, and what the
        // publisher had no answer for.
        let allowed = Allowed::twice(3 * PREFETCH + IN_DOUBT);
        trial.closes(&judge, allowed).await;
    })
    .await;
    private.stop().await;
}
