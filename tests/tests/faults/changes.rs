//! A secret that is changed while deliveries wait in the broker: what counts is what is valid when an attempt is made.

use hookline_common::schedule::Delay;
use hookline_tests::dispatcher::Dispatcher;
use hookline_tests::endpoint::{Endpoint, SECRET, endpoint};
use hookline_tests::fault::{Allowed, Trial, are_found};
use hookline_tests::judge::Judge;
use hookline_tests::receiver::Received;
use hookline_tests::signature::standard;
use hookline_tests::{Receiver, SOON, World, eventually, scenario, status};

const EVENTS: usize = 300;
/// Long beside the time in which a changed file takes effect, which is a second.
const DELAY: Delay = Delay::from_seconds(20);
const SECOND: &str = "whsec_c2Vjb25kc2Vjb25kc2Vjb25kc2Vjb25kc2Vjb25kc2U=";
const THIRD: &str = "whsec_dGhpcmR0aGlyZHRoaXJkdGhpcmR0aGlyZHRoaXJkdGg=";

/// Changes the file, and waits for the word that it counts.
async fn take_effect(world: &World, dispatcher: &Dispatcher, endpoints: &[Endpoint], changes: usize) {
    world.endpoints(endpoints);
    eventually(SOON, "the change counts", async || {
        let told = dispatcher.log().matches("endpoints loaded").count();
        // Once at the start.
        (told > changes).then_some(())
    })
    .await;
}

fn schedule(retries: usize) -> String {
    vec![format!("{}s", DELAY.as_seconds()); retries].join(",")
}

/// One that wants nothing of all this, so that the company has an endpoint in any case.
fn neighbour() -> Endpoint {
    Endpoint::at("ep_neighbour", "http://127.0.0.1:9/").events(&["nothing.of_this"])
}

/// By which secrets a request is signed, and that it is by no other.
fn is_signed_by(request: &Received, secrets: &[&str]) -> bool {
    let timestamp = request.header("webhook-timestamp");
    let mut expected: Vec<String> = secrets
        .iter()
        .map(|secret| standard(secret, request.id(), timestamp, &request.body))
        .collect();
    let mut found: Vec<&str> = request.header("webhook-signature").split(' ').collect();
    expected.sort_unstable();
    found.sort_unstable();
    found == expected
}

/// Signed with all that is valid when it is sent: rotated before the second attempt, once more before the third, and completed
/// before the fourth.
#[tokio::test]
async fn d39_a_secret_is_rotated_twice_while_its_deliveries_wait() {
    scenario(async |world| {
        let trial = Trial::here();
        let receiver =
            Receiver::scripted(|request| status(if request.attempt() < 4 { 500 } else { 200 })).await;
        let signed = |secret: &str, previous: Option<&str>| {
            let endpoint = endpoint("ep_crm", &receiver).text("secret", secret);
            match previous {
                Some(previous) => [endpoint.text("previous_secret", previous), neighbour()],
                None => [endpoint, neighbour()],
            }
        };
        world.endpoints(signed(SECRET, None));
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_RETRY_SCHEDULE", schedule(3))
            .start()
            .await;
        let events = world.publish_many(EVENTS, "booking.created").await;
        let rotations = [
            signed(SECOND, Some(SECRET)),
            signed(THIRD, Some(SECOND)),
            signed(THIRD, None),
        ];
        for (round, now) in rotations.iter().enumerate() {
            receiver.expect((round + 1) * EVENTS, SOON).await;
            take_effect(world, &dispatcher, now, round + 1).await;
        }
        are_found(world, &[&receiver], EVENTS, SOON).await;
        world.is_settled_within(SOON).await;
        let valid: [&[&str]; 4] = [&[SECRET], &[SECOND, SECRET], &[THIRD, SECOND], &[THIRD]];
        for request in receiver.requests() {
            let secrets = valid[request.attempt() as usize - 1];
            assert!(is_signed_by(&request, secrets), "{request:?}");
        }
        let mut judge = Judge::with_schedule(&[DELAY.as_duration(); 3]);
        judge.accepted(&events, &["ep_crm"]);
        judge.saw_signed("ep_crm", &[SECRET, SECOND, THIRD], &receiver);
        trial.closes(&judge, Allowed::nothing()).await;
    })
    .await;
}
