//! `hookline tail`: attempts followed live, each printed once as it is made.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use hookline_common::topology::Queue;
use hookline_tests::cli::{command, run, why};
use hookline_tests::endpoint::endpoint;
use hookline_tests::records::Records;
use hookline_tests::services::services;
use hookline_tests::wire::Wire;
use hookline_tests::{Receiver, World, eventually, scenario, status};
use lapin::BasicProperties;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::SOON;

/// `hookline tail` while it runs.
struct Tail {
    child: Child,
    stdout: Arc<Mutex<Vec<String>>>,
    stderr: Arc<Mutex<Vec<String>>>,
}

fn collect(source: impl AsyncRead + Send + Unpin + 'static) -> Arc<Mutex<Vec<String>>> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&lines);
    tokio::spawn(async move {
        let mut source = BufReader::new(source).lines();
        while let Ok(Some(line)) = source.next_line().await {
            log.lock().unwrap().push(line);
        }
    });
    lines
}

impl Tail {
    /// Starts it and waits until it follows.
    async fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = collect(child.stdout.take().unwrap());
        let stderr = collect(child.stderr.take().unwrap());
        let tail = Self {
            child,
            stdout,
            stderr,
        };
        tail.says("following ").await;
        tail
    }

    async fn of(world: &World, arguments: &[&str]) -> Self {
        Self::start(command(world, &[&["tail"], arguments].concat())).await
    }

    async fn says(&self, text: &str) {
        eventually(SOON, &format!("stderr says {text:?}"), async || {
            let lines = self.stderr.lock().unwrap();
            lines.iter().any(|line| line.contains(text)).then_some(())
        })
        .await;
    }

    async fn expect(&self, count: usize) -> Vec<String> {
        let what = format!("{count} lines of tail");
        let lines = eventually(SOON, &what, async || {
            let lines = self.stdout.lock().unwrap().clone();
            (lines.len() >= count).then_some(lines)
        })
        .await;
        assert_eq!(lines.len(), count, "{lines:#?}");
        lines
    }

    async fn ends(&mut self) -> Option<i32> {
        timeout(SOON, self.child.wait())
            .await
            .expect("tail ends")
            .unwrap()
            .code()
    }

    async fn is_asked_to_stop(&mut self, signal: &str) {
        let pid = self.child.id().unwrap().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .await
                .unwrap()
                .success()
        );
        assert_eq!(self.ends().await, Some(0), "{signal}");
    }
}

#[tokio::test]
async fn tail_prints_each_attempt_once_as_it_is_made() {
    scenario(async |world| {
        let (good, bad) = (
            Receiver::answering(status(200)).await,
            Receiver::scripted(|request| status(if request.attempt() == 1 { 503 } else { 204 })).await,
        );
        world.endpoints([endpoint("ep_good", &good), endpoint("ep_bad", &bad)]);
        world.dispatcher().start().await;
        let before = world.publish("booking.before", "{}").await;
        Records::of(world).await.expect(3, SOON).await;

        let mut all = Tail::of(world, &[]).await;
        let mut one = Tail::of(world, &["--company", "acme", "--endpoint", "ep_bad", "--json"]).await;
        let nobody = Tail::of(world, &["--company", "other"]).await;
        let failed = Tail::of(world, &["--failed", "--type", "booking.*"]).await;
        let event = world.publish("booking.created", "{}").await;

        let lines = all.expect(3).await;
        for line in &lines {
            let id = event.id.as_str();
            assert!(line.contains("booking.created") && line.contains(id), "{line}");
            assert!(!line.contains('\x1b') && !line.contains("http://"), "{line}");
        }
        let of = |marks: [&str; 3]| {
            lines
                .iter()
                .filter(|line| marks.iter().all(|mark| line.contains(mark)))
                .count()
        };
        assert_eq!(
            of(["delivered       200", "attempt 1", "acme/ep_good"]),
            1,
            "{lines:#?}"
        );
        assert_eq!(
            of(["http_status     503", "attempt 1", "  next 20"]),
            1,
            "{lines:#?}"
        );
        assert_eq!(
            of(["delivered       204", "attempt 2", "acme/ep_bad"]),
            1,
            "{lines:#?}"
        );

        let records: Vec<Value> = one
            .expect(2)
            .await
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let stored = Records::of(world).await.expect(6, SOON).await;
        for record in &records {
            assert_eq!(record["endpoint"], "ep_bad");
            assert!(stored.contains(record), "as it stands in the stream: {record}");
        }
        assert!(nobody.stdout.lock().unwrap().is_empty());

        assert!(failed.expect(1).await[0].contains("http_status"));
        let of_event = Tail::of(world, &["--from", "first", "--event", event.id.as_str()]).await;
        of_event.expect(3).await;
        let mut whole = Tail::of(world, &["--since", "first"]).await;
        assert!(whole.expect(6).await[0].contains(before.id.as_str()));
        let late = Tail::of(world, &["--since", "5m", "--endpoint", "ep_bad"]).await;
        late.expect(4).await;
        all.is_asked_to_stop("-INT").await;
        one.is_asked_to_stop("-TERM").await;
        whole.is_asked_to_stop("-TERM").await;
    })
    .await;
}

#[tokio::test]
async fn tail_skips_what_it_cannot_read_and_says_so() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.dispatcher().start().await;
        let tail = Tail::of(world, &[]).await;
        let stream = world.queue(Queue::Attempts);
        let half = zstd::bulk::compress(b"{\"event\":\"\x1b[2J\"}\n\xff\n", 1).unwrap();
        for body in [b"no batch".to_vec(), half] {
            let properties = BasicProperties::default().with_content_encoding("zstd".into());
            world.broker().publish("", &stream, properties, &body).await;
        }
        let event = world.publish("booking.created", "{}").await;
        assert!(tail.expect(1).await[0].contains(event.id.as_str()));
        tail.says("a batch of 8 bytes of the stream cannot be read and is skipped")
            .await;
        let skipped = tail.stderr.lock().unwrap().clone();
        let records = skipped.iter().filter(|line| line.starts_with("a record of the"));
        assert_eq!(records.count(), 2, "{skipped:#?}");
        assert!(!skipped.concat().contains('\x1b'));
    })
    .await;
}

#[tokio::test]
async fn tail_that_nobody_reads_is_ended_by_a_signal() {
    /// A line of more than 100 bytes each, together more than a pipe holds.
    const EVENTS: usize = 1000;
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.dispatcher().start().await;
        world.publish_many(EVENTS, "booking.created").await;
        Records::of(world).await.expect(EVENTS, SOON).await;
        let (_unread, pipe) = std::io::pipe().unwrap();
        let mut command = command(world, &["tail", "--since", "first"]);
        command.stdout(pipe).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let pid = child.id().unwrap().to_string();
        eventually(SOON, "the pipe is all but full", async || {
            // What it has written, but to sockets (proc_pid_io(5)).
            let io = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
            let written = io.lines().find_map(|line| line.strip_prefix("wchar: "));
            (written.unwrap().parse::<u64>().unwrap() > 55_000).then_some(())
        })
        .await;
        let killed = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(killed.await.unwrap().success());
        let ended = timeout(SOON, child.wait()).await.expect("it ends").unwrap();
        assert_eq!(ended.code(), Some(0));
    })
    .await;
}

#[tokio::test]
async fn tail_ends_quietly_when_nobody_reads_and_with_a_word_when_the_broker_is_gone() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.dispatcher().start().await;

        let wire = Wire::to(&services().amqp_url).await;
        let mut through_wire = command(world, &["tail"]);
        through_wire.env("HOOKLINE_AMQP_URL", wire.url(&services().amqp_url));
        let mut cut_off = Tail::start(through_wire).await;

        let mut child = command(world, &["tail"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = collect(child.stderr.take().unwrap());
        eventually(SOON, "it follows", async || {
            (!stderr.lock().unwrap().is_empty()).then_some(())
        })
        .await;
        drop(child.stdout.take());
        world.publish("booking.created", "{}").await;
        cut_off.expect(1).await;
        let ended = timeout(SOON, child.wait()).await.expect("it ends").unwrap();
        assert_eq!(ended.code(), Some(0));
        assert_eq!(stderr.lock().unwrap().len(), 1, "nothing but where it followed");

        wire.cut();
        assert_eq!(cut_off.ends().await, Some(1));
        cut_off.says("hookline: the stream of attempts at amqp://").await;
        let told = cut_off.stderr.lock().unwrap().clone();
        assert!(told.len() == 2 && told[1].contains("--since 5m"), "{told:#?}");
    })
    .await;
}

#[tokio::test]
async fn tail_says_what_is_missing() {
    scenario(async |world| {
        let missing = why(&run(world, &["tail"]).await, 1);
        assert!(
            missing.contains("no stream") && missing.contains("topology apply"),
            "{missing}"
        );
        let usage = why(&run(world, &["tail", "--since", "yesterday"]).await, 2);
        assert!(usage.contains("--since"), "{usage}");
        let mut nowhere = command(world, &["tail"]);
        nowhere.env("HOOKLINE_AMQP_URL", "amqp://guest:s3cret@127.0.0.1:1");
        let unreachable = why(&nowhere.output().await.unwrap(), 1);
        assert!(
            unreachable.contains("HOOKLINE_AMQP_URL") && !unreachable.contains("s3cret"),
            "{unreachable}"
        );
    })
    .await;
}
