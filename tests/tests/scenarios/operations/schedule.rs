//! Dispatchers are replaced by such with another schedule while deliveries wait by the old one.

use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_tests::answer::Answer;
use hookline_tests::broker::Broker;
use hookline_tests::endpoint::endpoint;
use hookline_tests::private_broker::PrivateBroker;
use hookline_tests::receiver::Received;
use hookline_tests::{Receiver, eventually, scenario, status};

use super::{documented, event, publisher};
use crate::SOON;

/// So long that the next dispatcher is there by the time, and the last one gone.
const LONG: Duration = Duration::from_secs(25);

/// `meets` is taken at its third attempt, `exceeds` never, and all else at once.
fn answer(request: &Received) -> Answer {
    let body = String::from_utf8_lossy(&request.body).into_owned();
    let is_taken = match request.attempt() {
        _ if body.contains("exceeds") => false,
        attempt if body.contains("meets") => attempt > 2,
        _ => true,
    };
    status(if is_taken { 200 } else { 500 })
}

#[tokio::test]
async fn what_waits_falls_due_by_the_old_schedule_and_the_new_one_decides_what_comes_after() {
    let private = PrivateBroker::start().await;
    scenario(async |world| {
        let receiver = Receiver::scripted(answer).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let namespace = world.namespace().to_string();
        let producer = publisher(&private, &namespace).await;
        let of_event = |id: &str| -> Vec<Received> {
            receiver
                .requests()
                .into_iter()
                .filter(|request| request.id() == id)
                .collect()
        };
        let came = async |id: &str, attempts: usize| {
            eventually(SOON * 2, &format!("{attempts} attempts of {id}"), async || {
                let requests = of_event(id);
                (requests.len() >= attempts && requests.iter().all(|request| request.ended.is_some()))
                    .then_some(requests)
            })
            .await
        };
        let with = async |schedule: &str| {
            let setup = world.dispatcher().set("HOOKLINE_AMQP_URL", private.url());
            setup.set("HOOKLINE_RETRY_SCHEDULE", schedule).start().await
        };
        let long = format!("{}s", LONG.as_secs());

        // One attempt failed, and the last of two waits. With the new schedule it is the second of four.
        let one = with(&long).await;
        let meets = event("booking.created", r#"{"it":"meets"}"#);
        producer.publish(&meets).await.unwrap();
        came(meets.id.as_str(), 1).await;
        let two = with(&format!("1s,1s,{long}")).await;
        one.stop().await;
        let requests = came(meets.id.as_str(), 3).await;
        let waited = |number: usize| requests[number].arrived - requests[number - 1].ended.unwrap();
        assert!(waited(1) >= LONG - Duration::from_millis(50), "{:?}", waited(1));
        assert!(waited(2) >= Duration::from_millis(950) && requests[2].is_accepted());

        // Three attempts failed; a schedule of two knows no fourth, and what waits for it is the last.
        let exceeds = event("booking.created", r#"{"it":"exceeds"}"#);
        producer.publish(&exceeds).await.unwrap();
        came(exceeds.id.as_str(), 3).await;
        let _three = with("1s").await;
        two.stop().await;
        came(exceeds.id.as_str(), 4).await;
        let broker = Broker::connect(&private.url()).await;
        let failed = eventually(SOON, "the dead letter", async || {
            let letters = broker.read(&world.queue(Queue::Failed)).await;
            (!letters.is_empty()).then_some(letters)
        })
        .await;
        assert_eq!((failed.len(), failed[0].id()), (1, exceeds.id.as_str()));
        assert_eq!(failed[0].integer("attempt"), Some(4));

        // What nobody uses any more is empty, and goes.
        let unused = format!("{namespace}.retry.{long}");
        let list = async || {
            let words = documented("rabbitmqctl list_queues", &[]);
            let words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
            private.control(&words).await
        };
        eventually(SOON, "the old delay's queue is empty", async || {
            let listed = list().await;
            let line = listed.lines().find(|line| line.starts_with(&unused));
            let line = line.unwrap_or_else(|| panic!("no {unused} in {listed}"));
            line.ends_with("\t0").then_some(())
        })
        .await;
        let words = documented("rabbitmqctl delete_queue", &[("hookline.retry.1800s", &unused)]);
        let words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        private.control(&words).await;
        let last = event("booking.created", "{}");
        producer.publish(&last).await.unwrap();
        assert!(came(last.id.as_str(), 1).await[0].is_accepted());
        assert!(!list().await.contains(&unused));
    })
    .await;
}
