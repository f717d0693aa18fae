//! Dispatchers that are killed at a named point of a message's way, one after the other, and another that takes over.

use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_tests::dispatcher::RETRY_SCHEDULE;
use hookline_tests::endpoint::endpoint;
use hookline_tests::fault::{Allowed, Trial, are_found};
use hookline_tests::judge::Judge;
use hookline_tests::receiver::Received;
use hookline_tests::{Gate, Receiver, SOON, World, eventually, scenario, status};

/// Events around those that they are killed at.
const EVENTS: usize = 1500;
/// Dispatchers that are killed, fewer than make a suspect of a message that stands by.
const KILLS: usize = 2;
/// What a dispatcher that is killed has in hand of each queue.
const PREFETCH: usize = 50;
/// Requests that one may have made again where attempts are refused: what it had in hand of first attempts, each with the second one
/// where its retry was stored already, and of second ones.
const COPIES_WITH_RETRIES: usize = 3 * PREFETCH;
/// Events that are published when the last dispatcher runs.
const AFTERWARDS: usize = 20;
/// The delays of the schedule that dispatchers here have where nothing else is said.
const DELAYS: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(3),
];

/// Where dispatchers are killed, and in which work.
struct Killed {
    /// The point, and how often they come to it before.
    at: &'static str,
    /// The status for an attempt of the event with this number.
    answers: fn(attempt: u32, number: usize) -> u16,
    endpoints: usize,
    schedule: &'static str,
    delays: &'static [Duration],
    records: &'static str,
    /// Deliveries that each kill may double, for each endpoint: what is in hand of each queue that they come through.
    doubles: usize,
    /// Requests that each kill may have made again, for each endpoint.
    copies: usize,
}

impl Default for Killed {
    fn default() -> Self {
        Self {
            at: "",
            answers: |_, _| 200,
            endpoints: 1,
            schedule: RETRY_SCHEDULE,
            delays: &DELAYS,
            records: "on",
            // All that it had in hand may have ended, and not been acknowledged yet: records and acknowledgements go in batches.
            doubles: PREFETCH,
            copies: PREFETCH,
        }
    }
}

/// The number that `publish_many` gave an event.
fn number(request: &Received) -> usize {
    let body: serde_json::Value = serde_json::from_slice(&request.body).expect("JSON");
    let number = body["data"]["number"].as_u64().expect("a number");
    usize::try_from(number).expect("a number")
}

/// Kills dispatchers at a point, one after the other.
async fn kill_at(world: &World, point: &str, schedule: &str, records: &str) {
    for _ in 0..KILLS {
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_RETRY_SCHEDULE", schedule)
            .set("HOOKLINE_RECORDS", records)
            .set("HOOKLINE_PREFETCH", PREFETCH.to_string())
            .killed_at(point)
            .launch();
        eventually(2 * SOON, &format!("it is killed at {point}"), async || {
            dispatcher.has_ended().await.then_some(())
        })
        .await;
        // Its last words may still be on their way.
        dispatcher.says("killed at the failpoint", SOON).await;
    }
}

impl Killed {
    async fn play(self) {
        scenario(async |world| {
            let mut trial = Trial::here();
            world.leaves(Queue::Failed);
            let (mut receivers, mut endpoints, mut ids) = (Vec::new(), Vec::new(), Vec::new());
            for place in 0..self.endpoints {
                let answers = self.answers;
                let receiver =
                    Receiver::scripted(move |request| status(answers(request.attempt(), number(request))))
                        .await;
                ids.push(format!("ep_{place}"));
                endpoints.push(endpoint(&ids[place], &receiver));
                receivers.push(receiver);
            }
            world.endpoints(endpoints);
            let (mut events, ()) = tokio::join!(
                world.publish_many(EVENTS / self.endpoints, "booking.created"),
                kill_at(world, self.at, self.schedule, self.records),
            );
            trial.healed();
            let last = world.dispatcher().set("HOOKLINE_RETRY_SCHEDULE", self.schedule);
            last.set("HOOKLINE_RECORDS", self.records).start().await;
            // All that was published before may be settled by now, and then nothing would tell that it goes on.
            events.extend(world.publish_many(AFTERWARDS, "booking.created").await);
            let seen: Vec<&Receiver> = receivers.iter().collect();
            are_found(world, &seen, events.len() * self.endpoints, 2 * SOON).await;
            world.is_settled_within(SOON).await;
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let mut judge = Judge::with_schedule(self.delays);
            judge.accepted(&events, &ids);
            for (id, receiver) in ids.iter().zip(&receivers) {
                judge.saw(id, receiver);
            }
            judge.kept(&world.read(Queue::Failed).await);
            let doubles = KILLS * self.doubles * self.endpoints;
            let copies = KILLS * self.copies * self.endpoints;
            trial.closes(&judge, Allowed::twice(doubles).copies(copies)).await;
        })
        .await;
    }

    fn at(point: &'static str) -> Self {
        Self {
            at: point,
            ..Self::default()
        }
    }

    /// Each second event is refused at its first attempt, and taken at the next.
    fn with_retries(self) -> Self {
        Self {
            answers: |attempt, number| if attempt == 1 && number % 2 == 0 { 500 } else { 200 },
            doubles: 2 * PREFETCH,
            copies: COPIES_WITH_RETRIES,
            ..self
        }
    }

    /// Each second event is never taken, and has two attempts.
    fn with_dead_letters(self) -> Self {
        Self {
            answers: |_, number| if number % 2 == 0 { 500 } else { 200 },
            doubles: 2 * PREFETCH,
            copies: COPIES_WITH_RETRIES,
            schedule: "1s",
            delays: &DELAYS[..1],
            ..self
        }
    }

    fn with_endpoints(self, endpoints: usize) -> Self {
        Self {
            endpoints,
            doubles: 2 * PREFETCH,
            copies: 2 * PREFETCH,
            ..self
        }
    }
}

#[tokio::test]
async fn d01_killed_after_a_delivery_is_received_and_before_its_post() {
    Killed::at("before_post@200").play().await;
}

#[tokio::test]
async fn d03_killed_after_the_answer_and_before_its_record() {
    Killed::at("after_answer@200").play().await;
}

#[tokio::test]
async fn d03_killed_when_records_are_sent_and_not_confirmed() {
    Killed::at("sent:.attempts@20").play().await;
}

#[tokio::test]
async fn d04_killed_after_the_record_and_before_the_acknowledgement() {
    Killed::at("recorded@20").play().await;
}

#[tokio::test]
async fn d04_killed_before_the_acknowledgement_where_nothing_is_recorded() {
    let killed = Killed {
        records: "off",
        ..Killed::at("before_ack@200")
    };
    killed.play().await;
}

#[tokio::test]
async fn d04_killed_in_the_moment_of_an_acknowledgement() {
    Killed::at("acked@20").play().await;
}

#[tokio::test]
async fn d06_killed_when_a_retry_is_sent_and_not_confirmed() {
    Killed::at("sent:.retry.@100").with_retries().play().await;
}

#[tokio::test]
async fn d06_killed_when_a_retry_is_confirmed_and_its_original_not_acknowledged() {
    Killed::at("stored:.retry.@100").with_retries().play().await;
}

#[tokio::test]
async fn d06_killed_when_a_dead_letter_is_sent_and_not_confirmed() {
    Killed::at("sent:.failed@100").with_dead_letters().play().await;
}

#[tokio::test]
async fn d06_killed_when_a_dead_letter_is_confirmed_and_its_original_not_acknowledged() {
    Killed::at("stored:.failed@100").with_dead_letters().play().await;
}

#[tokio::test]
async fn d06_killed_between_the_deliveries_of_a_fan_out_one_of_them_sent() {
    Killed::at("sent:.deliveries@200").with_endpoints(3).play().await;
}

#[tokio::test]
async fn d06_killed_between_the_deliveries_of_a_fan_out_one_of_them_confirmed() {
    Killed::at("stored:.deliveries@200")
        .with_endpoints(3)
        .play()
        .await;
}

/// Kills dispatchers as they set aside what finds no room at an endpoint that hangs.
async fn killed_while_parking(point: &str) {
    const PARKED: usize = 600;
    // What is on its way to another queue may be there and here.
    const DOUBLES: usize = KILLS * PREFETCH;
    scenario(async |world| {
        let mut trial = Trial::here();
        let gate = Gate::closed();
        let receiver = Receiver::answering(status(200).behind(&gate)).await;
        world.endpoints([endpoint("ep_hung", &receiver)]);
        let (events, ()) = tokio::join!(
            world.publish_many(PARKED, "booking.created"),
            kill_at(world, point, RETRY_SCHEDULE, "on"),
        );
        gate.open();
        trial.healed();
        world.dispatcher().start().await;
        are_found(world, &[&receiver], PARKED, 2 * SOON).await;
        world.is_settled_within(SOON).await;
        let mut judge = Judge::with_schedule(&DELAYS);
        judge.accepted(&events, &["ep_hung"]);
        judge.saw("ep_hung", &receiver);
        trial.closes(&judge, Allowed::twice(DOUBLES)).await;
    })
    .await;
}

#[tokio::test]
async fn d06_killed_when_what_is_parked_is_sent_and_not_confirmed() {
    killed_while_parking("sent:.park.@20").await;
}

#[tokio::test]
async fn d06_killed_when_what_is_parked_is_confirmed_and_its_original_not_acknowledged() {
    killed_while_parking("stored:.park.@20").await;
}
