//! Answers with more addresses than any receiver has: how many of them are used, and how many by each attempt.

use hookline_dispatcher::client::Resolver;
use hookline_tests::hostile::names::Record;
use hookline_tests::hostile::namespace::{self, Counts};
use hookline_tests::hostile::rig::{LONG, policy};
use hookline_tests::hostile::{NameServer, Peer, Rig, Talk, a};

const NAME: &str = "hooks.example.com";
const ATTEMPTS: usize = 64;
/// The most connects of an attempt, and the most addresses that are used.
const EACH: usize = 4;
const USED: usize = 16;

/// The addresses in the order of the answer, counted from 1.
fn address(number: usize) -> String {
    format!("127.0.{}.{}", 4 + number / 250, 1 + number % 250)
}

fn records(count: usize) -> Vec<Record> {
    let records = (1..=count).map(|number| a(NAME, &address(number)).for_seconds(300));
    records.collect()
}

/// Answers once and closes, so that each attempt connects.
async fn once(mut talk: Talk) {
    talk.request().await;
    talk.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        .await;
}

/// Has many attempts made, of an answer with so many addresses. `connects` counts all connections that were begun, where
/// that can be known.
async fn sixteen_are_used(resolver: Resolver, count: usize, connects: impl Fn() -> usize) {
    // Somebody is there at one of the sixteen, and at all that come after them.
    let used = Peer::listen(&format!("{}:0", address(7)), None, once).await;
    let mut unused = Vec::new();
    for number in USED + 1..=count {
        unused.push(Peer::listen(&format!("{}:{}", address(number), used.port()), None, once).await);
    }
    let rig = Rig::with(policy(&["127.0.4.0/22", "127.0.8.0/24"]), resolver, None, LONG);
    let url = format!("http://{NAME}:{}/", used.port());
    let (mut delivered, mut most) = (0, 0);
    for attempt in 0..ATTEMPTS {
        let before = connects();
        let tried = rig.attempt(&url).await;
        match tried.end() {
            ("delivered", Some(200)) => delivered += 1,
            end => assert_eq!(end, ("connect_error", None), "{tried:?}"),
        }
        // The first one asks for the addresses as well, by TCP perhaps.
        if attempt > 0 {
            most = most.max(connects() - before);
        }
    }
    // All sixteen have their turn, four of them in each attempt.
    let expected = ATTEMPTS * EACH / USED;
    assert!(
        (expected / 2..=expected * 3 / 2).contains(&delivered),
        "{delivered} of {ATTEMPTS}"
    );
    assert!(most <= EACH, "{most} connects by one attempt");
    let knocked: usize = unused.iter().map(Peer::connections).sum();
    assert_eq!((used.connections(), knocked), (delivered, 0));
}

#[tokio::test]
async fn of_sixty_addresses_sixteen_are_used_and_four_are_connected_to_by_each_attempt() {
    let names = NameServer::knowing(records(60)).await;
    sixteen_are_used(names.resolver(), 60, || 0).await;
    assert_eq!(names.asked_by_tcp(), []);
}

/// In a network of its own, where the kernel counts what is connected to.
#[tokio::test]
async fn of_a_thousand_that_come_over_tcp_no_more_are_used() {
    if !namespace::is_inside() {
        let this = "many_addresses::of_a_thousand_that_come_over_tcp_no_more_are_used";
        return namespace::run_inside(this).await;
    }
    let records = records(1000);
    let names = NameServer::listen("127.0.0.1:53", move |question, _| {
        hookline_tests::hostile::names::of(question, &records)
    })
    .await;
    let connects = || usize::try_from(Counts::now().connects).unwrap();
    sixteen_are_used(Resolver::from_system().unwrap(), 1000, connects).await;
    let by_tcp = names.asked_by_tcp();
    assert!(by_tcp.iter().any(|question| question.kind == "A"), "{by_tcp:?}");
}
