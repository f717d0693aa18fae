//! An option does something, or is refused: for each one that a command lists, a run with it and one without end or print
//! differently.

use std::collections::BTreeSet;
use std::process::{Output, Stdio};
use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_tests::cli::{command, run, succeed};
use hookline_tests::message::{HandMade, text};
use hookline_tests::{World, scenario};
use lapin::options::QueuePurgeOptions;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::SOON;

/// An option of a command: the rest of the command line, and the option as it is given.
struct Row {
    command: &'static str,
    rest: &'static str,
    option: &'static str,
}

const fn row(command: &'static str, rest: &'static str, option: &'static str) -> Row {
    Row {
        command,
        rest,
        option,
    }
}

/// What is certified where nobody listens: above the ports that Linux gives to whoever asks for any.
const NOBODY: &str = "http://127.0.0.1:64998/ --allow-http true --allow-cidrs 127.0.0.0/8";
const NOBODY_VERIFYING: &str =
    "http://127.0.0.1:64998/ --allow-http true --allow-cidrs 127.0.0.0/8 --secret-file FILE";
const NOBODY_JSON: &str =
    "http://127.0.0.1:64998/ --allow-http true --allow-cidrs 127.0.0.0/8 --secret-file FILE --json";

/// Nothing of these is delivered or removed: what they do to messages is told elsewhere.
const ROWS: &[Row] = &[
    row("publish", "--type a.b --data {}", "--company acme"),
    row("publish", "--company acme --data {}", "--type a.b"),
    row("publish", "--company acme --type a.b", "--data {}"),
    row("publish", "--id mine-1", "--sample booking.created"),
    row("publish", "--sample booking.created", "--id mine-1"),
    row("publish", "", "--ndjson /dev/null"),
    row("publish", "--ndjson /dev/null", "--namespace a/b"),
    row("publish", "--ndjson /dev/null", "--amqp-ca-file /nowhere"),
    row(
        "publish",
        "--sample booking.created --id mine-2",
        "--event-types-file /nowhere",
    ),
    row("event-types list", "", "--json"),
    row("event-types list", "", "--markdown"),
    row("event-types list", "", "--event-types-file /nowhere"),
    row("event-types show", "booking.created", "--format standard"),
    row("event-types show", "booking.created", "--json"),
    row(
        "event-types show",
        "booking.created",
        "--event-types-file /nowhere",
    ),
    row("status", "", "--retry-schedule 7s"),
    row("status", "", "--json"),
    row("status", "", "--namespace elsewhere"),
    row("status", "", "--amqp-ca-file /nowhere"),
    row("dlq list", "", "--company globex"),
    row("dlq list", "", "--endpoint ep_other"),
    row("dlq list", "", "--type booking.cancelled"),
    row("dlq list", "", "--since 2999-01-01T00:00:00Z"),
    row("dlq list", "", "--queue rejected"),
    row("dlq list", "", "--json"),
    row("dlq list", "", "--limit 1"),
    row("dlq list", "", "--summary"),
    row("dlq list", "", "--namespace elsewhere"),
    row("dlq list", "", "--amqp-ca-file /nowhere"),
    row("dlq show", "evt_1", "--company globex"),
    row("dlq show", "evt_1", "--endpoint ep_other"),
    row("dlq show", "evt_1", "--type booking.cancelled"),
    row("dlq show", "evt_1", "--since 2999-01-01T00:00:00Z"),
    row("dlq show", "evt_1", "--queue rejected"),
    row("dlq show", "evt_1", "--json"),
    row("dlq show", "evt_1", "--namespace elsewhere"),
    row("dlq show", "evt_1", "--amqp-ca-file /nowhere"),
    row("dlq retry", "", "--all"),
    row("dlq retry", "evt_1", "--company globex"),
    row("dlq retry", "evt_1", "--endpoint ep_other"),
    row("dlq retry", "evt_1", "--type booking.cancelled"),
    row("dlq retry", "evt_1", "--since 2999-01-01T00:00:00Z"),
    row("dlq retry", "evt_1", "--queue rejected"),
    row("dlq retry", "evt_1", "--json"),
    row("dlq retry", "evt_1", "--namespace elsewhere"),
    row("dlq retry", "evt_1", "--amqp-ca-file /nowhere"),
    row("dlq purge", "", "--yes"),
    row("dlq purge", "--yes", "--company globex"),
    row("dlq purge", "--yes", "--endpoint ep_other"),
    row("dlq purge", "--yes", "--type booking.cancelled"),
    row("dlq purge", "--yes", "--since 2999-01-01T00:00:00Z"),
    row("dlq purge", "--yes", "--queue rejected"),
    row("dlq purge", "--yes", "--json"),
    row("dlq purge", "--yes", "--namespace elsewhere"),
    row("dlq purge", "--yes", "--amqp-ca-file /nowhere"),
    row("listen", "", "--port 0"),
    row("listen", "--port 0", "--addr 127.0.0.2"),
    row("listen", "--port 0", "--secret 0123456789abcdef"),
    row("listen", "--port 0", "--status 500"),
    row("listen", "--port 0", "--delay 1h"),
    row("listen", "--port 0", "--headers"),
    row("listen", "--port 0", "--full"),
    row("listen", "--port 0", "--forward-to http://127.0.0.1:1/hooks"),
    row(
        "sign",
        "--id evt_1 --timestamp 1 --data {}",
        "--secret 0123456789abcdef",
    ),
    row("sign", "--id evt_1 --timestamp 1 --data {}", "--secret-file FILE"),
    row(
        "sign",
        "--secret-file FILE --id evt_1 --timestamp 1 --data {}",
        "--previous-secret 0123456789abcdef",
    ),
    row(
        "sign",
        "--secret 0123456789abcdef --id evt_1 --timestamp 1 --data {}",
        "--previous-secret-file FILE",
    ),
    row("sign", "--secret-file FILE --timestamp 1 --data {}", "--id evt_1"),
    row("sign", "--secret-file FILE --id evt_1 --data {}", "--timestamp 1"),
    row("sign", "--secret-file FILE --id evt_1 --timestamp 1", "--data {}"),
    row(
        "sign",
        "--secret-file FILE --id evt_1 --timestamp 1 --data {}",
        "--json",
    ),
    row(
        "verify",
        "--meeva-signature sha256=0 --data {}",
        "--secret 0123456789abcdef",
    ),
    row(
        "verify",
        "--meeva-signature sha256=0 --data {}",
        "--secret-file FILE",
    ),
    row(
        "verify",
        "--secret-file FILE --data {}",
        "--meeva-signature sha256=0",
    ),
    row(
        "verify",
        "--secret-file FILE --timestamp 1 --signature v1,x --data {}",
        "--id evt_1",
    ),
    row(
        "verify",
        "--secret-file FILE --id evt_1 --signature v1,x --data {}",
        "--timestamp 1",
    ),
    row(
        "verify",
        "--secret-file FILE --id evt_1 --timestamp 1 --data {}",
        "--signature v1,x",
    ),
    row(
        "verify",
        "--secret-file FILE --id evt_1 --timestamp 1 --signature v1,x --data {}",
        "--now 1",
    ),
    row(
        "verify",
        "--secret-file FILE --meeva-signature sha256=0",
        "--data {}",
    ),
    row("certify", NOBODY, "--secret 0123456789abcdef"),
    row("certify", NOBODY, "--secret-file FILE"),
    row("certify", NOBODY_JSON, "--format meetergo"),
    row("certify", NOBODY_VERIFYING, "--header host=x"),
    row("certify", NOBODY_VERIFYING, "--pause 1h"),
    row("certify", NOBODY_VERIFYING, "--json"),
    row("certify", NOBODY_VERIFYING, "--html /nowhere/report.html"),
    row(
        "certify",
        "http://127.0.0.1:64998/ --allow-cidrs 127.0.0.0/8 --secret-file FILE",
        "--allow-http true",
    ),
    row(
        "certify",
        "http://127.0.0.1:64998/ --allow-http true --secret-file FILE",
        "--allow-cidrs 127.0.0.0/8",
    ),
    row("certify", NOBODY_VERIFYING, "--deny-cidrs 127.0.0.1/32"),
    row(
        "certify",
        "http://localhost:64998/ --allow-http true --allow-cidrs 127.0.0.0/8 --secret-file FILE",
        "--allow-hosts localhost",
    ),
    row("certify", NOBODY_VERIFYING, "--ca-file /nowhere"),
    row("certify", NOBODY_VERIFYING, "--request-timeout 1h"),
];

/// Whether the options of this command stand here.
pub(crate) fn is_tried(command: &str) -> bool {
    ROWS.iter().any(|row| row.command == command)
}

/// The options that a command lists, but for those that every command has.
pub(crate) async fn listed(world: &World, name: &str) -> BTreeSet<String> {
    let words: Vec<&str> = name.split(' ').chain(["--help"]).collect();
    let help = succeed(world, &words).await;
    let options = help
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("--"));
    options
        .map(|option| option.split([' ', '\n']).next().unwrap_or_default().to_owned())
        .filter(|option| !option.is_empty())
        .collect()
}

/// Two dead letters and nothing else.
async fn prepare(world: &World) {
    for queue in [Queue::Failed, Queue::Rejected] {
        let channel = world.broker().channel().await;
        let name = world.queue(queue);
        let purged = channel.queue_purge(name.as_str().into(), QueuePurgeOptions::default());
        purged.await.unwrap();
    }
    for (id, event_type) in [("evt_1", "booking.created"), ("evt_2", "booking.cancelled")] {
        HandMade::delivery("ep_crm")
            .properties(|properties| properties.with_message_id(id.into()).with_type(event_type.into()))
            .header("failed-at", text("2024-01-15T14:30:00Z"))
            .header("reason", text("retries_exhausted"))
            .send(world, Queue::Failed)
            .await;
    }
    world.expect_in(Queue::Failed, 2, SOON).await;
}

/// What a run is told apart by.
type Seen = (Option<i32>, String, String);

fn seen(output: &Output) -> Seen {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

async fn run_row(world: &World, words: &[&str]) -> Seen {
    if words[0] == "listen" {
        return listen(world, words).await;
    }
    let seen = seen(&run(world, words).await);
    if words[0] == "certify" {
        return (seen.0, without_numbers(&seen.1), without_numbers(&seen.2));
    }
    seen
}

/// Without ids and numbers, which no two certificates share.
fn without_numbers(text: &str) -> String {
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let word = |word: &str| {
        if word.starts_with("evt_") || word.starts_with("bkg_") {
            return word.chars().next_back().map(String::from).unwrap_or_default();
        }
        word.chars().filter(|c| !c.is_ascii_digit()).collect()
    };
    words.map(word).collect()
}

/// Has it receive one request, and tells its first line, what it printed and what it answered. A program that ends tells that.
async fn listen(world: &World, words: &[&str]) -> Seen {
    let mut command = command(world, words);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    stdout.read_line(&mut first).await.unwrap();
    let Some(address) = first.trim().strip_prefix("listening on http://") else {
        return seen(&child.wait_with_output().await.unwrap());
    };
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = "x\n".repeat(60);
    let request = format!(
        "POST /hooks HTTP/1.1\r\nhost: x\r\nconnection: close\r\nmeeva-signature: sha256=0\r\nx-team: crm\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    // One that waits for an hour has answered nothing in a moment; every other answers, if only when the machine lets it.
    let patience = if words.contains(&"--delay") {
        Duration::from_secs(1)
    } else {
        SOON
    };
    let read = timeout(patience, stream.read_to_string(&mut answer)).await;
    let status = read.map_or("none".to_owned(), |_| {
        answer.lines().next().unwrap_or_default().to_owned()
    });
    child.start_kill().unwrap();
    let mut printed = String::new();
    stdout.read_to_string(&mut printed).await.unwrap();
    // The port and the time differ each time.
    let host = address.split(':').next().unwrap_or_default().to_owned();
    let printed: Vec<&str> = printed
        .lines()
        .map(|line| line.split_once("  ").map_or(line, |(_, rest)| rest))
        .collect();
    (None, format!("{host}\n{}", printed.join("\n")), status)
}

#[test]
fn two_certificates_that_say_the_same_are_told_to_be_the_same() {
    let told = |id: &str, ms: u32| without_numbers(&format!("sent booking.created {id}, 500 after {ms} ms"));
    assert_eq!(told("evt_018d", 7), told("evt_029fe", 12));
    assert_ne!(
        told("evt_018d", 7),
        told("evt_018d", 7).replace("created", "cancelled")
    );
}

#[tokio::test]
async fn each_option_of_each_command_changes_something_or_is_refused() {
    scenario(async |world| {
        world.leaves(Queue::Events);
        world.leaves(Queue::Deliveries);
        world.leaves(Queue::Failed);
        assert!(run(world, &["topology", "apply"]).await.status.success());
        let file = world.path("secret");
        std::fs::write(&file, "fedcba9876543210").unwrap();
        let file = file.to_str().unwrap();
        for name in ROWS.iter().map(|row| row.command).collect::<BTreeSet<_>>() {
            let of_it = ROWS.iter().filter(|row| row.command == name);
            let tried: BTreeSet<String> = of_it
                .map(|row| {
                    row.option
                        .split(' ')
                        .next()
                        .unwrap()
                        .trim_start_matches("--")
                        .to_owned()
                })
                .collect();
            assert_eq!(listed(world, name).await, tried, "the options of {name}");
        }
        prepare(world).await;
        for row in ROWS {
            let takes_messages_away = ["dlq retry", "dlq purge"].contains(&row.command);
            let line = [row.command, row.rest].join(" ").replace("FILE", file);
            let without: Vec<&str> = line.split_whitespace().collect();
            let option = row.option.replace("FILE", file);
            let with: Vec<&str> = without.iter().copied().chain(option.split(' ')).collect();
            let mut outcomes = Vec::new();
            for words in [without, with] {
                if takes_messages_away {
                    prepare(world).await;
                }
                outcomes.push(run_row(world, &words).await);
            }
            assert_ne!(outcomes[0], outcomes[1], "{} {}", row.command, row.option);
        }
    })
    .await;
}
